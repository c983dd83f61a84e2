"""Servers of this machine that answer like the Hub and like an npm registry, and can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE_BYTES = 1000  # the Hub keeps larger files in LFS, with a sha256


class HubServer(ThreadingHTTPServer):
    """Serves repositories the way the Hub does: /api/models/R/revision/X, and R/resolve/COMMIT/FILE with a redirect.

    Attributes:
        repos: files by repository and name.
        asked: (path, Range header or "") of every request.
        break_once: stop the next large reply after this many bytes.
        swap: serve these bytes instead, by name, while listing the true ones.
    """

    daemon_threads = True

    def __init__(self, repos: dict[str, dict[str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _HubHandler)
        self.repos = repos
        self.asked: list[tuple[str, str]] = []
        self.tokens: list[tuple[str, str]] = []
        self.break_once = 0
        self.ranges = True
        self.swap: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def listing(self, repo: str) -> dict[str, Any]:
        rows = []
        for name, data in self.repos[repo].items():
            row: dict[str, Any] = {"rfilename": name, "size": len(data)}
            row["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            if len(data) > LARGE_BYTES:
                row["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            rows.append(row)
        return {"_id": "1", "id": repo, "sha": COMMIT, "private": False, "tags": [], "downloads": 1, "siblings": rows}


class _HubHandler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range", "")))
        self.server.tokens.append((self.path, self.headers.get("Authorization", "")))
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            repo = "/".join(parts[2:4])
            known = repo in self.server.repos
            self._reply(200 if known else 404, json.dumps(self.server.listing(repo) if known else {}).encode())
        elif parts[0] == "cdn":
            self._file("/".join(parts[1:3]), "/".join(parts[3:]))
        elif parts[2:4] == ["resolve", COMMIT] and "/".join(parts[:2]) in self.server.repos:
            self.send_response(302)
            port = self.server.server_address[1]  # another host name for the same machine
            self.send_header("Location", f"http://localhost:{port}/cdn/{'/'.join(parts[:2] + parts[4:])}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._reply(404, b"{}")

    def _file(self, repo: str, name: str) -> None:
        data = self.server.swap.get(name, self.server.repos[repo][name])
        start = self.headers.get("Range", "")
        offset = int(start.removeprefix("bytes=").rstrip("-")) if start and self.server.ranges else 0
        self.send_response(206 if offset else 200)
        self.send_header("Content-Length", str(len(data) - offset))
        self.end_headers()
        body = data[offset:]
        if self.server.break_once and len(body) > self.server.break_once:
            body, self.server.break_once = body[: self.server.break_once], 0
            self.close_connection = True
        self.wfile.write(body)

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def npm_package(name: str, version: str, members: dict[str, bytes]) -> bytes:
    """A package as npm packs it."""
    out = io.BytesIO()
    manifest = json.dumps({"name": name, "version": version}).encode()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for member, data in {"package/package.json": manifest, **members}.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


class NpmServer(ThreadingHTTPServer):
    """A registry with one package."""

    daemon_threads = True

    def __init__(self, name: str, version: str, ball: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _NpmHandler)
        self.ball, self.asked = ball, list[str]()
        base = f"http://127.0.0.1:{self.server_address[1]}"
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(ball).digest()).decode()
        dist = {"tarball": f"{base}/{name}/-/{name}-{version}.tgz", "integrity": integrity}
        manifest = {"name": name, "version": version, "dist": dist}
        self.document = {"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}}
        self.package = name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _NpmHandler(BaseHTTPRequestHandler):
    server: NpmServer

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        found = self.path.strip("/") == self.server.package or self.path.endswith(".tgz")
        body = self.server.ball if self.path.endswith(".tgz") else json.dumps(self.server.document).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(body)


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
