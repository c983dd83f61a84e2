"""Files appear whole or not at all."""

from __future__ import annotations

import pytest
from tests.audio.conftest import names_in

from sonant.errors import BadInput, OutputError
from sonant.files import whole_file, write_text


def test_the_file_is_there_only_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), BadInput("x")])
def test_an_error_leaves_nothing(tmp_path, error):
    def fail():
        with whole_file(tmp_path / "a.txt") as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert names_in(tmp_path) == []


def test_errors_of_the_system_are_ours(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        write_text(tmp_path, "x")
    with pytest.raises(OutputError, match="make it first"):
        write_text(tmp_path / "no" / "a.txt", "x")
    with pytest.raises(OutputError, match="No space left"):
        write_text("/dev/full", "x" * 100_000)


def test_links_and_permissions_stay(tmp_path):
    real = tmp_path / "real.txt"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_new_files_have_the_users_permissions(tmp_path):
    write_text(tmp_path / "ours", "x")
    (tmp_path / "theirs").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_lines_end_as_they_were_given(tmp_path):
    assert write_text(tmp_path / "a", "ä\r\nb\n").read_bytes() == "ä\r\nb\n".encode()
