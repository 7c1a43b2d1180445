"""A hub on 127.0.0.1 that serves models as huggingface.co does, and lets a test plan what goes wrong.

Small files come from the hub itself, with an ETag and the commit; weights are redirected to another place, as large
files are there, whose addresses take no token. Both know ranges.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OFFERED_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
CONVERSION = "Adding `safetensors` variant of this model"


@dataclass
class FakeHub:
    """One model and its faults; `asked` holds each method, address and start of a range.

    `cuts` are the bytes after which the next answers with weights end, `refusals` the (status, X-Error-Code) of the
    next questions whose address has a part; with `holds` an answer that goes on from a later byte waits for `go_on`.
    `offers` are the (author, title) of open pull requests, numbered from 1; the last of them adds the `offered` files.
    """

    model: str
    files: dict[str, bytes]
    gated: bool = False
    offers: list[tuple[str, str]] = field(default_factory=list)
    offered: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    refusals: list[tuple[str, int, str]] = field(default_factory=list)
    holds: bool = False
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    url: str = ""

    def listing(self, commit: str) -> dict[str, Any]:
        """The reply to the question what the model is."""
        siblings = []
        for name, content in self.at(commit).items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob_id(content)}
            if name.endswith((".safetensors", ".bin")):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        gated = "manual" if self.gated else False
        return {"id": self.model, "sha": commit, "gated": gated, "siblings": siblings, "cardData": {"license": "mit"}}

    def at(self, commit: str) -> dict[str, bytes]:
        """The files as of a commit."""
        return {**self.files, **(self.offered if commit == OFFERED_COMMIT else {})}

    def discussions(self) -> dict[str, Any]:
        """The reply to the question what was offered."""
        told = [
            {"num": num, "title": title, "author": {"name": author}, "isPullRequest": True, "status": "open"}
            for num, (author, title) in enumerate(self.offers, 1)
        ]
        return {"discussions": told, "count": len(told), "start": 0}

    def fetched(self) -> list[str]:
        """The names of the files that were asked for, each as often as it was."""
        return [
            path.rpartition("/")[2] for _, path, _ in self.asked if path.startswith("/large/") or "/resolve/" in path
        ]


def blob_id(content: bytes) -> str:
    """The name of a file's content in git."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        hub, path = self.hub, unquote(self.path.partition("?")[0])
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        hub.asked.append((self.command, path, start))
        hub.tokens.append(self.headers.get("Authorization"))
        planned = next((each for each in hub.refusals if each[0] in path), None)
        if planned is not None:
            hub.refusals.remove(planned)
            return self._send(planned[1], b"no", {"X-Error-Code": planned[2]} if planned[2] else {}, with_body)
        if path.startswith("/large/"):
            return self._part(hub.at(OFFERED_COMMIT)[path.removeprefix("/large/")], start, with_body)
        commits = {"main": COMMIT, COMMIT: COMMIT, OFFERED_COMMIT: OFFERED_COMMIT}
        commits[f"refs/pr/{len(hub.offers)}"] = OFFERED_COMMIT
        about = path.removeprefix(f"/api/models/{hub.model}")
        if about == "/discussions":
            return self._send(200, json.dumps(hub.discussions()).encode(), {}, with_body)
        if about == "" or about.removeprefix("/revision/") in commits:
            commit = commits[about.removeprefix("/revision/") or "main"]
            return self._send(200, json.dumps(hub.listing(commit)).encode(), {}, with_body)
        if path.startswith(f"/api/models/{hub.model}/revision/"):
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"}, with_body)
        place, _, rest = path.partition("/resolve/")
        revision, _, name = rest.partition("/")
        if place != f"/{hub.model}":
            return self._send(
                401, b"", {"X-Error-Code": "RepoNotFound"}, with_body
            )  # as the real one hides private ones
        commit = commits.get(revision, "")
        if name not in hub.at(commit):
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, with_body)
        if hub.gated and self.headers.get("Authorization") != "Bearer hf_good":
            return self._send(403, b"", {"X-Error-Code": "GatedRepo"}, with_body)
        content = hub.at(commit)[name]
        facts = {"ETag": f'"{blob_id(content)}"', "X-Repo-Commit": commit}
        if name.endswith((".safetensors", ".bin")):
            facts["X-Linked-ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            facts |= {"X-Linked-Size": str(len(content)), "Location": f"/large/{name}"}
            return self._send(302, b"", facts, with_body)
        self._send(200, content, facts, with_body)

    def _part(self, content: bytes, start: int, with_body: bool) -> None:
        """The rest of a large file, or as much of it as is planned."""
        hub, rest = self.hub, content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        most = hub.cuts.pop(0) if hub.cuts else len(rest)
        block = 1 << 14
        for at in range(0, min(most, len(rest)) if with_body else 0, block):
            if hub.holds and start:
                hub.go_on.wait()
            try:
                self.wfile.write(rest[at : min(at + block, most)])
            except OSError:
                return

    def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(model: str, files: dict[str, bytes]) -> Iterator[FakeHub]:
    """A hub with a model, while it is used."""
    hub = FakeHub(model, files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        server.server_close()


def files_of(folder: Path) -> dict[str, bytes]:
    """What a model folder holds, as a hub would serve it, with pickled weights beside it that nobody may fetch."""
    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    return {**found, "pytorch_model.bin": b"a pickle", "README.md": b"# a model", ".gitattributes": b"*.bin"}
