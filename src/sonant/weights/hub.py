"""The Hugging Face Hub as a source: one call lists a repository with checksums, then plain resumable downloads.

The client library gives the listing, the address and the user's own settings (endpoint, token, proxy); the bytes come
through ``urllib`` so that a broken download goes on where it stopped. A Hub that doesn't answer is given up in seconds.
"""

from __future__ import annotations

import fnmatch
import hashlib
import http.client
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sonant.errors import CorruptFile
from sonant.weights.cache import FileSum, Progress, sha256_of
from sonant.weights.catalog import HubSource
from sonant.weights.sources import Download, SourceUnavailable

__all__ = ["HubFile", "Listing", "Target", "download", "listing"]

logger = logging.getLogger(__name__)

ANSWER_LIMIT_S = 6.0  # for the listing, name look-up and retries of the client included
READ_LIMIT_S = 30.0  # without a byte
_ATTEMPTS = 4
_CHUNK_BYTES = 2**20
_NOT_SATISFIABLE = 416


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository with its size in bytes and the Hub's checksum.

    Attributes:
        name: path in the repository.
        nbytes: size.
        sha256: of a large file (LFS), else "".
        git_sha1: git's checksum of a small one, else "".
    """

    name: str
    nbytes: int
    sha256: str = ""
    git_sha1: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit."""

    repo: str
    commit: str
    files: Mapping[str, HubFile]

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Names that fit a shell pattern, sorted."""
        return tuple(sorted(fnmatch.filter(self.files, pattern)))


def listing(source: HubSource) -> Listing:
    """Ask the Hub what a repository holds.

    Raises:
        SourceUnavailable: no answer within seconds, no such repository, or no access to it.
    """
    from huggingface_hub import HfApi

    def ask() -> Any:
        return HfApi().model_info(
            source.repo, revision=source.revision, files_metadata=True, timeout=ANSWER_LIMIT_S / 2
        )

    info = _within(ask, ANSWER_LIMIT_S, f"hub {source.repo}")
    files = {
        item.rfilename: HubFile(
            item.rfilename, item.size or 0, item.lfs.sha256 if item.lfs else "", "" if item.lfs else item.blob_id or ""
        )
        for item in info.siblings or ()
    }
    return Listing(source.repo, info.sha, files)


def _within(ask: Any, limit_s: float, what: str) -> Any:
    """Run ``ask`` in a thread of its own and give up after ``limit_s``: a name look-up can't be interrupted."""
    answer: list[Any] = []
    failure: list[Exception] = []

    def run() -> None:
        try:
            answer.append(ask())
        except Exception as error:  # noqa: BLE001 - whatever the client raises means that this source is out
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if answer:
        return answer[0]
    if failure:
        first_line = (str(failure[0]).strip().splitlines() or [""])[0]
        raise SourceUnavailable(f"{what}: {type(failure[0]).__name__}: {first_line[:160]}") from failure[0]
    raise SourceUnavailable(f"{what}: no answer in {limit_s:.0f} s")


@dataclass(frozen=True, slots=True)
class Target:
    """Where downloads go.

    Attributes:
        folder: for whole, checked files.
        partial: where broken downloads wait to be continued.
        known: checksums from the catalog, by name; they come before the Hub's.
        progress: is told the bytes.
    """

    folder: Path
    partial: Path
    known: Mapping[str, str] = field(default_factory=dict)
    progress: Progress | None = None


def download(listed: Listing, names: Iterable[str], target: Target) -> list[Download]:
    """Download files of a listed repository; the last part of each name is kept.

    Raises:
        SourceUnavailable: a file isn't there, or the connection failed repeatedly.
        CorruptFile: a checksum differs; names the file.
    """
    made = []
    for name in names:
        if name not in listed.files:
            raise SourceUnavailable(f"hub {listed.repo} has no file {name}")
        file = listed.files[name]
        part = target.partial / (
            hashlib.sha256(f"{listed.repo}@{listed.commit}/{name}".encode()).hexdigest()[:32] + ".part"
        )
        target.partial.mkdir(parents=True, exist_ok=True)
        _fetch(listed, file, part, target.progress)
        sha256 = _checked(file, part, target.known.get(name, ""), listed.repo)
        path = target.folder / Path(name).name
        part.replace(path)
        made.append(Download(name, path, FileSum(sha256, path.stat().st_size), f"hub {listed.repo}@{listed.commit}"))
    return made


def _checked(file: HubFile, part: Path, known: str, repo: str) -> str:
    """Check a whole download; what fails is removed, so that the next attempt starts anew."""
    sha256 = sha256_of(part)
    expected = known or file.sha256
    if expected and sha256 != expected:
        part.unlink()
        raise CorruptFile(f"{file.name} from hub {repo} has sha256 {sha256}, not {expected}")
    if not expected and file.git_sha1 and _git_sha1(part) != file.git_sha1:
        part.unlink()
        raise CorruptFile(f"{file.name} from hub {repo} is not the file that the Hub lists (git sha1 differs)")
    return sha256


def _git_sha1(path: Path) -> str:
    """Git's name of a file's content: sha1 of "blob SIZE", a NUL, and the bytes."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _fetch(listed: Listing, file: HubFile, part: Path, progress: Progress | None) -> None:
    """Bring ``part`` to the file's full size, going on where it stands, in several attempts."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(listed.repo, file.name, revision=listed.commit)
    headers = {key: value for key, value in build_hf_headers().items() if value}
    for attempt in range(1, _ATTEMPTS + 1):
        done = part.stat().st_size if part.exists() else 0
        if done == file.nbytes and part.exists():
            return
        if done > file.nbytes:
            part.unlink()
            done = 0
        try:
            with _open(url, headers, done) as reply:
                _save(reply, part, done, lambda size: progress and progress(Path(file.name).name, size, file.nbytes))
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code == _NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
            if attempt == _ATTEMPTS:
                raise SourceUnavailable(f"hub {listed.repo}: {file.name}: {error}") from error
            logger.warning("%s broke off (%s); going on", file.name, error)
            time.sleep(0.5 * attempt)
    if part.stat().st_size != file.nbytes:
        raise SourceUnavailable(f"hub {listed.repo}: {file.name} ended at {part.stat().st_size} of {file.nbytes} bytes")


def _open(url: str, headers: Mapping[str, str], done: int) -> Any:
    ask = dict(headers) | ({"Range": f"bytes={done}-"} if done else {})
    opener = urllib.request.build_opener(_KeepTokenHome)
    return opener.open(urllib.request.Request(url, headers=ask), timeout=READ_LIMIT_S)  # noqa: S310


def _save(reply: Any, part: Path, done: int, tick: Callable[[int], object]) -> None:
    """Append the reply to ``part``, or start over where the server doesn't resume."""
    resumed = bool(done) and reply.status == http.client.PARTIAL_CONTENT
    done = done if resumed else 0
    with part.open("ab" if resumed else "wb") as out:
        while chunk := reply.read(_CHUNK_BYTES):
            out.write(chunk)
            done += len(chunk)
            tick(done)


class _KeepTokenHome(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but takes the user's token to no other host than the one it is for."""

    def redirect_request(self, req: Any, *details: Any) -> Any:
        """The request to follow, without the token where the host changes; ``details`` end with the new address."""
        request = super().redirect_request(req, *details)
        if request is not None and urlsplit(request.full_url).netloc != urlsplit(req.full_url).netloc:
            request.remove_header("Authorization")
        return request
