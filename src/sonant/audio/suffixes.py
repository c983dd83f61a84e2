"""Suffixes of files that hold sound, for what is taken from folders; a file that is named is opened whatever it is."""

__all__ = ["SUFFIXES"]

SUFFIXES = frozenset(
    "3gp aac ac3 aif aiff alac amr ape au avi caf flac m4a m4b mka mkv mov mp2 mp3 mp4 mpeg mpg oga ogg ogv opus ts "
    "w64 wav wave weba webm wma wmv".split()
)
