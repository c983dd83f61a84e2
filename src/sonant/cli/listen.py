"""``sonant listen``: words while somebody speaks, from the microphone or from a recording that is played."""

from __future__ import annotations

import logging
import queue
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from sonant.asr.agreement import joined
from sonant.asr.live import LiveOptions, LiveUpdate
from sonant.asr.simulate import SimulateOptions, simulate
from sonant.audio.features import SAMPLE_RATE
from sonant.cli.ending import guarded, warn
from sonant.cli.engine_flags import Device, Dtype, Engine, Threads
from sonant.cli.fields import changed_by_flags
from sonant.cli.progress import Bars
from sonant.errors import BadInput, need
from sonant.text.whisper_languages import UNSPACED

__all__ = ["listen"]

LOG = logging.getLogger(__name__)
TAKE_BACK = "\x1b[J"  # clears what stands after the cursor
MARK = "\x1b7 \x1b[2m{}\x1b[22m\x1b8"  # dim, and the cursor goes back to where it was
MOST_PARTIAL = 60  # letters of partial text on a terminal
NEW_LINE_S = 2.0  # a pause this long begins a line
MICROPHONE_BLOCK = SAMPLE_RATE // 10


@changed_by_flags("heard", LiveOptions)
@changed_by_flags("played", SimulateOptions)
@guarded
def listen(
    simulated: Annotated[
        str | None,
        typer.Option(
            "--simulate", help="Play this recording instead of the microphone, and report delays.", metavar="FILE"
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A Whisper id of the catalog, or a folder.", metavar="MODEL")] = (
        "whisper-base"
    ),
    microphone: Annotated[
        str | None, typer.Option(help="Name or number of the microphone; the system's by default.", metavar="NAME")
    ] = None,
    engine: Engine = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = 0,
    *,
    played: dict[str, Any],
    heard: dict[str, Any],
) -> None:
    """Write down what is being said, until Ctrl-C: sonant listen --language en."""
    options = LiveOptions().changed(**heard)
    playing = SimulateOptions(**played)
    if simulated is None and played:
        raise typer.BadParameter("--block-s, --speed, --paced and --instant need --simulate FILE")
    source = None if simulated is not None else _Microphone(microphone)  # before a model is fetched
    from sonant import api
    from sonant.asr.pipeline import Recognizer
    from sonant.asr.source import open_sound

    with Bars() as bars:
        asr = api.load_asr(model, engine=engine, device=device, dtype=dtype, threads=threads, progress=bars.fetching)
    if not isinstance(asr, Recognizer):
        raise BadInput(f"{model} is no Whisper model; live words of CTC models: sonant.asr.ctc_stream.CtcStream")
    screen = _Screen()
    if simulated is not None:
        lost: list[str] = []
        with open_sound(simulated, lost.append) as sound:
            result = simulate(asr, sound.read(0, len(sound)), options, playing, screen.show)
        screen.end()
        warn(lost)
        print("\n".join(result.lines()), file=sys.stderr)
        return
    assert source is not None  # there is no file
    try:
        for update in asr.stream(source.blocks(), options):
            screen.show(update)
    finally:
        screen.end()


class _Screen:
    """Committed text on standard output as it comes; on a terminal also the partial text, until the next update."""

    def __init__(self) -> None:
        self._last_s: float | None = None  # end of the last word
        self._terminal = sys.stdout.isatty()

    def show(self, update: LiveUpdate) -> None:
        """One update."""
        text = TAKE_BACK if self._terminal else ""
        if update.committed:
            pause_s = update.committed[0].start_s - (self._last_s if self._last_s is not None else 0.0)
            if self._last_s is not None:
                text += "\n" if pause_s > NEW_LINE_S else "" if update.language in UNSPACED else " "
            text += joined(update.committed, update.language)
            self._last_s = update.committed[-1].end_s
        if self._terminal and update.partial:
            text += MARK.format(joined(update.partial, update.language)[-MOST_PARTIAL:])
        print(text, end="", flush=True)

    def end(self) -> None:
        """The last line ends."""
        if self._terminal:
            print(TAKE_BACK, end="")
        if self._last_s is not None:
            print(flush=True)


class _Microphone:
    """Blocks of the microphone at 16 kHz; sound that comes while words are made waits."""

    def __init__(self, name: str | None) -> None:
        """Check that there is one.

        Raises:
            MissingExtra: sounddevice isn't installed.
            BadInput: there is no such microphone.
        """
        try:
            self._sounddevice: Any = need("sounddevice", "play")
        except OSError as error:  # the package is there, PortAudio isn't
            raise BadInput(
                f"the microphone can't be used: {error}; install PortAudio, or use --simulate FILE"
            ) from error
        self._name = int(name) if name is not None and name.isdecimal() else name
        try:
            self._sounddevice.check_input_settings(device=self._name, channels=1, samplerate=SAMPLE_RATE)
        except (ValueError, self._sounddevice.PortAudioError) as error:
            raise BadInput(f"no microphone {name or ''} at 16 kHz: {error}; use --simulate FILE") from error

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """All that has arrived, at least a tenth of a second each, until Ctrl-C; then the stream ends."""
        arrived: queue.Queue[NDArray[np.float32]] = queue.Queue()

        def take(data: NDArray[np.float32], frames: int, clock: Any, status: Any) -> None:  # noqa: ARG001  PortAudio's
            if status:
                LOG.warning("the microphone: %s", status)
            arrived.put(data[:, 0].copy())

        with self._sounddevice.InputStream(
            SAMPLE_RATE, MICROPHONE_BLOCK, self._name, channels=1, dtype="float32", callback=take
        ):
            try:
                while True:
                    pieces = [arrived.get()]
                    while not arrived.empty():
                        pieces.append(arrived.get())
                    yield np.concatenate(pieces)
            except KeyboardInterrupt:  # the end of the stream: its last words are still to come
                return
