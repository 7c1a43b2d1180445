"""Datasets of the hub, asked from a hub of our own on this machine: what is listed, fetched, resumed and refused."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote
from urllib.request import Request

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import EXIT_FAILED, EXIT_USAGE, ForgeError, UsageError
from backends.formats import hub as module
from backends.formats import hub_transport as transport
from backends.formats.hub import HubFile, HubListing, download_dataset, list_dataset, looks_like_hub_id

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TABLE = b"text,label\n" + b"".join(b"row %d,%d\n" % (n, n % 2) for n in range(40_000))
SMALL = b'{"text": "one"}\n'
SECRET = "hf_verysecretvalue"
VARIABLES = (
    *("HF_TOKEN", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_ENDPOINT"),
    *("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"),
)
Answer = Callable[["Handler", bytes], None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class FakeHub:
    """A hub with one dataset: what it serves, what goes wrong with it, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=lambda: {"data/train.csv": TABLE, "small.jsonl": SMALL})
    others: tuple[str, ...] = (".gitattributes", "README.md", "build.py", "dataset_infos.json")
    changes: dict[str, Any] = field(default_factory=dict)
    reply: bytes | None = None
    refusals: list[tuple[str, int, str]] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def listing(self) -> dict[str, Any]:
        """The reply to the question what the dataset holds; only the table is stored as a large file."""
        entries: list[dict[str, Any]] = [{"rfilename": name, "size": 10, "blobId": "1" * 40} for name in self.others]
        for name, content in self.files.items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(content)}
            if name.endswith(".csv"):
                entry["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 130}
            entries.append(entry)
        card = {"license": "mit"}
        return {"id": "x/y", "sha": COMMIT, "gated": False, "siblings": entries, "cardData": card, **self.changes}

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.asked]

    def headers(self, name: str) -> list[str | None]:
        """A header of every question."""
        return [headers.get(name) for _, headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    """Answers as the hub does: the listing, files with ranges, and what a test plans to go wrong."""

    hub: FakeHub

    def do_GET(self) -> None:
        hub = self.hub
        hub.asked.append((self.path, dict(self.headers.items())))
        for start, status, code in hub.refusals:
            if self.path.startswith(start):
                return self.send(status, b"<html>no</html>", {"X-Error-Code": code} if code else {})
        if self.path in hub.redirects:
            return self.send(307, b"", {"Location": hub.redirects[self.path]}, size=9)  # nobody reads its text
        if self.path.startswith("/api/"):
            return self.send(200, hub.reply if hub.reply is not None else json.dumps(hub.listing()).encode())
        content = hub.files[unquote(self.path.partition(f"/resolve/{COMMIT}/")[2])]
        return (hub.answers.pop(0) if hub.answers else ranged)(self, content)

    @property
    def start(self) -> int:
        """The byte that was asked for."""
        return int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None, size: int | None = None) -> None:
        """Send an answer; with a larger `size` than the body it is a cut one."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body) if size is None else size), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def ranged(handler: Handler, content: bytes, most: int | None = None) -> None:
    """The rest of a file from the byte that was asked for."""
    start, end = handler.start, len(content) - 1
    rest = content[start:]
    headers = {"Content-Range": f"bytes {start}-{end}/{len(content)}"} if start else {}
    handler.send(206 if start else 200, rest[:most], headers, len(rest))


def cut(most: int) -> Answer:
    """An answer whose connection ends after so many bytes."""
    return lambda handler, content: ranged(handler, content, most)


def whole(handler: Handler, content: bytes) -> None:
    """The whole file, whatever was asked for."""
    handler.send(200, content)


def status(number: int, code: str = "") -> Answer:
    """A refusal of a file."""
    return lambda handler, _: handler.send(number, b"", {"X-Error-Code": code})


def serve(hub: FakeHub, host: str = "127.0.0.1") -> ThreadingHTTPServer:
    """Start a hub on a free port; `hub.url` says where."""
    server = ThreadingHTTPServer((host, 0), type("OwnHandler", (Handler,), {"hub": hub}))
    hub.url = f"http://{host}:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def hubs() -> Iterator[Callable[[str], FakeHub]]:
    """Starts hubs, each at a host of this machine, and ends them."""
    servers = []

    def start(host: str) -> FakeHub:
        hub = FakeHub()
        servers.append(serve(hub, host))
        return hub

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hub(hubs: Callable[[str], FakeHub], clean: pytest.MonkeyPatch) -> FakeHub:
    """The hub that HF_ENDPOINT names."""
    started = hubs("127.0.0.1")
    clean.setenv("HF_ENDPOINT", started.url)
    return started


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that says nothing of a hub, and no waits."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
    monkeypatch.setattr(module, "RETRY_WAITS", (0.0, 0.0, 0.0))
    return monkeypatch


def fails(kind: type[ForgeError], *words: str, of: Callable[[], object]) -> ForgeError:
    """What `of` raises: of that kind, with all three parts and these words somewhere in them, and without the token."""
    with pytest.raises(ForgeError) as caught:
        of()
    error = caught.value
    assert error.exit_code == (EXIT_USAGE if kind is UsageError else EXIT_FAILED)
    assert error.what and error.why and error.fix
    text = f"{error.what} | {error.why} | {error.fix}"
    assert [word for word in words if word not in text] == [], text
    assert SECRET not in text
    assert text.isprintable()
    return error


def stored(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["stanfordnlp/imdb", "a/b", "Org_1/data.set-v1.1", "a/b@main", "a/b@refs/pr/1", f"a/b@{COMMIT}", "_a/b_"]
)
def test_a_name_on_the_hub(text: str) -> None:
    assert looks_like_hub_id(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "imdb",
            "a/b/c",
            "./a/b",
            "/a/b",
            "../b",
            "~/b",
            "~a/b",
            "a/",
            "/b",
            "a /b",
            "a/b ",
            "a/b\n",
            "é/b",
            "a/b@",
        ),
        *("a/../b", "a..b/c", "a--b/c", "a/b--c", "a/b.git", "-a/b", "a/-b", "a/b-", ".a/b", "a/.b", "a/b@../x"),
        *("data/train.csv", "data/TRAIN.CSV", "data/rows.jsonl", "data/x.parquet", "data/x.csv.gz", "data/x.csv@main"),
        *("runs/spec.toml", "data/data.yaml", "a/x.png", "a" * 97 + "/b", "a/" + "b" * 97, "https://a/b", "a\\b/c"),
    ],
)
def test_no_name_on_the_hub(text: str) -> None:
    assert not looks_like_hub_id(text)


def test_what_is_there_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "flowers").mkdir(parents=True)
    assert not looks_like_hub_id("data/flowers")


def test_what_lies_below_a_folder_that_is_here_is_a_mistyped_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert looks_like_hub_id("data/flowres")
    (tmp_path / "data" / "flowers").mkdir(parents=True)
    (tmp_path / "linked").symlink_to("data")
    (tmp_path / "file").write_text("")
    for text in ("data/flowres", "data/flowres@main", "data/flowers@main", "linked/flowres"):
        assert not looks_like_hub_id(text)
    for text in ("flowers/data", "dat/flowers", "file/flowers"):
        assert looks_like_hub_id(text)


def test_a_text_that_is_no_name_is_not_asked_for(hub: FakeHub) -> None:
    fails(UsageError, "owner/name", "'imdb'", of=lambda: list_dataset("imdb"))
    fails(UsageError, "owner/name", of=lambda: list_dataset("a/b@x\x1b[2J"))
    assert hub.asked == []


# --- the listing ---------------------------------------------------------------------------------------------------


def test_the_listing_tells_what_would_come_before_it_comes(hub: FakeHub) -> None:
    assert list_dataset("x/y") == HubListing(
        id="x/y",
        revision=COMMIT,
        files=(HubFile("data/train.csv", len(TABLE), sha256(TABLE)), HubFile("small.jsonl", len(SMALL), None)),
        total_bytes=len(TABLE) + len(SMALL),
        gated=False,
        license="mit",
    )
    assert hub.paths() == ["/api/datasets/x/y/revision/main?blobs=true"]


def test_only_data_files_are_listed(hub: FakeHub) -> None:
    data = (
        *("a.csv", "a.TSV", "a.json", "a.jsonl", "a.ndjson", "a.parquet", "a.arrow", "a.txt", "a.xlsx", "a.csv.gz"),
        *("a.jsonl.zst", "a.zip", "i/1.jpg", "i/1.jpeg", "i/1.png", "i/1.webp", "s/1.wav", "s/1.mp3", "s/1.flac"),
        *("v/1.mp4", "data.yaml", "train/metadata.csv", "train/metadata.jsonl", "train/labels/1.txt"),
    )
    rest = ("a.py", "a.md", "LICENSE", ".cache/.x.json", "other.yaml", "model.safetensors", "requirements.txt", "a.pkl")
    hub.files, hub.others = {}, (*rest[:4], *data, *rest[4:])
    assert tuple(file.name for file in list_dataset("x/y").files) == data


@pytest.mark.parametrize(
    ("gated", "told"), [(False, False), (None, False), ("auto", True), ("manual", True), (True, True)]
)
def test_consent_is_told(hub: FakeHub, gated: object, told: bool) -> None:
    hub.changes = {"gated": gated}
    assert list_dataset("x/y").gated is told


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ({"license": ["mit", "cc-by-4.0"]}, "mit, cc-by-4.0"),
        ({"license": "a\x1b[2Jb"}, "a?[2Jb"),
        *[(other, None) for other in (None, {}, [], "mit", {"license": None}, {"license": {"a": 1}}, {"license": ""})],
    ],
)
def test_the_licence_is_told_where_it_is_named(hub: FakeHub, card: object, told: str | None) -> None:
    hub.changes = {"cardData": card}
    assert list_dataset("x/y").license == told


@pytest.mark.parametrize("size", [None, -1, 1.5, True, "12", 1 << 70, [], float("inf")])
def test_an_odd_size_is_unknown_and_so_is_the_sum(hub: FakeHub, size: object) -> None:
    entry = {"rfilename": "b.csv", "size": size, "lfs": {"sha256": "../x"}}
    hub.changes = {"siblings": [{"rfilename": "a.csv", "size": 3, "lfs": None}, entry]}
    listing = list_dataset("x/y")
    assert listing.files == (HubFile("a.csv", 3, None), HubFile("b.csv", None, None))
    assert listing.total_bytes is None


def test_the_size_of_a_large_file_is_not_that_of_its_pointer(hub: FakeHub) -> None:
    hub.changes = {"siblings": [{"rfilename": "a.csv", "size": 130, "lfs": {"size": 10**12}}]}
    assert list_dataset("x/y").total_bytes == 10**12


@pytest.mark.parametrize(("name", "asked"), [("x/y@v1.0", "v1.0"), ("x/y@refs/pr/1", "refs%2Fpr%2F1")])
def test_a_revision_is_asked_for_and_pinned(hub: FakeHub, name: str, asked: str, tmp_path: Path) -> None:
    listing = list_dataset(name)
    assert (listing.id, listing.revision) == ("x/y", COMMIT)
    download_dataset(listing, tmp_path)
    assert hub.paths() == [
        f"/api/datasets/x/y/revision/{asked}?blobs=true",
        f"/datasets/x/y/resolve/{COMMIT}/data/train.csv",
        f"/datasets/x/y/resolve/{COMMIT}/small.jsonl",
    ]


def test_a_dataset_without_data_names_what_it_has(hub: FakeHub) -> None:
    hub.files = {}
    fails(UsageError, "x/y", "README.md", "build.py", of=lambda: list_dataset("x/y"))
    hub.others = tuple(f"{n}.py" for n in range(13))
    fails(UsageError, "9.py and 3 more", of=lambda: list_dataset("x/y"))
    hub.others = ("\x1b[2J\u202e.py",)
    fails(UsageError, "?[2J?.py", of=lambda: list_dataset("x/y"))
    hub.others = ()
    fails(UsageError, "no files at all", of=lambda: list_dataset("x/y"))


HOSTILE = [
    *("/etc/x.csv", "../x.csv", "a/../../x.csv", "a//x.csv", "./x.csv", "a\\..\\x.csv", "a\nb.csv", "a\x1b[2J.csv"),
    *("a\x00.csv", "\u202evsc.csv", "a\ud800.csv", "a\x9b.csv", "a\u2028.csv"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_name_is_refused(hub: FakeHub, name: str, tmp_path: Path) -> None:
    hub.changes = {"siblings": [{"rfilename": "fine.csv", "size": 1}, {"rfilename": name, "size": 1}]}
    fails(ForgeError, "names a file", of=lambda: list_dataset("x/y"))
    with pytest.raises(ForgeError):
        HubFile(name, 1, None)
    assert len(hub.asked) == 1


def test_names_of_all_languages_arrive(hub: FakeHub, tmp_path: Path) -> None:
    hub.files = {"données/été 1%?#.csv": TABLE, "数据/训练.jsonl": SMALL, "…/a..csv": SMALL}
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files


# --- replies that are none -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        *(b"", b"<html>sign in</html>", b"{", b"\xff\xfe", b"[" * 100_000, b'{"sha": ' + b"9" * 5000 + b"}"),
        *(b"null", b"[]", b'"x"', b"3", b"{}"),
    ],
)
def test_a_reply_that_is_no_listing(hub: FakeHub, reply: bytes) -> None:
    hub.reply = reply
    fails(ForgeError, "cannot be understood", hub.url, of=lambda: list_dataset("x/y"))


@pytest.mark.parametrize(
    "changes",
    [
        *({"sha": sha} for sha in (None, 3, "", "main", "../../x", COMMIT[:-1], f"{COMMIT}\n", COMMIT[:-1] + "/")),
        *({"siblings": value} for value in (None, {}, "a.csv", 3, [None], ["a.csv"], [{}], [{"rfilename": 3}])),
    ],
)
def test_a_listing_of_another_shape(hub: FakeHub, changes: dict[str, Any]) -> None:
    hub.changes = changes
    fails(ForgeError, "cannot be understood", of=lambda: list_dataset("x/y"))


def test_a_reply_that_is_cut(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(hub.listing()).encode()
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.send(200, text, size=len(text) + 7))
    fails(ForgeError, "was cut", "7 bytes", of=lambda: list_dataset("x/y"))


def test_a_reply_without_end(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLY_BYTES", 1000)
    hub.reply = b" " * 1001
    fails(ForgeError, "no end", of=lambda: list_dataset("x/y"))


@pytest.fixture(scope="module")
def lasting() -> Iterator[FakeHub]:
    """A hub that all examples share."""
    hub = FakeHub()
    server = serve(hub)
    yield hub
    server.shutdown()
    server.server_close()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
NAMES = st.text(max_size=9).map(lambda text: f"{text}.csv") | st.sampled_from(["a.csv", "README.md", *HOSTILE]) | JSON
LFS = st.fixed_dictionaries({}, optional={"size": SCALARS, "sha256": SCALARS | st.just(sha256(SMALL))})
ENTRIES = st.fixed_dictionaries({"rfilename": NAMES}, optional={"size": SCALARS, "lfs": LFS | JSON})
NEARLY = st.fixed_dictionaries(
    {"sha": st.just(COMMIT) | SCALARS, "siblings": st.lists(ENTRIES, max_size=3) | JSON},
    optional={"gated": JSON, "cardData": st.fixed_dictionaries({"license": JSON}) | JSON},
)


@settings(max_examples=150, deadline=None)
@given(reply=NEARLY | JSON)
def test_any_reply_is_a_listing_or_an_error_that_helps(lasting: FakeHub, reply: Any) -> None:
    lasting.reply = json.dumps(reply).encode()
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        patch.setenv("HF_ENDPOINT", lasting.url)
        try:
            listing = list_dataset("x/y")
        except ForgeError as error:
            assert error.what and error.why and error.fix
            return
    assert listing.files and listing.revision == COMMIT
    for file in listing.files:
        path = (Path("/safe") / file.name).as_posix()
        assert path == f"/safe/{file.name}" and ".." not in file.name.split("/")
        assert file.size_bytes is None or file.size_bytes >= 0
        assert file.sha256 in (None, sha256(SMALL))


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code", "kind", "words"),
    [
        (404, "RepoNotFound", UsageError, ["There is no dataset x/y", "HF_TOKEN"]),
        (404, "", UsageError, ["There is no dataset x/y", "'v9'"]),
        (401, "RepoNotFound", UsageError, ["There is no dataset x/y", "private"]),
        (404, "RevisionNotFound", UsageError, ["no revision 'v9'"]),
        (401, "GatedRepo", UsageError, ["Accept the terms", "/datasets/x/y", "HF_TOKEN", "no token was found"]),
        (403, "GatedRepo", UsageError, ["Accept the terms", "/datasets/x/y", "HF_TOKEN"]),
        (401, "", UsageError, ["Accept the terms"]),
        (403, "", UsageError, ["Accept the terms"]),
        (429, "", ForgeError, ["too often", "Wait"]),
        (500, "", ForgeError, ["answered 500", "a file on this machine"]),
        (503, "", ForgeError, ["answered 503", "a file on this machine"]),
        (418, "", ForgeError, ["answered 418"]),
    ],
)
def test_what_the_hub_refuses(hub: FakeHub, number: int, code: str, kind: type[ForgeError], words: list[str]) -> None:
    hub.refusals = [("/api/", number, code)]
    fails(kind, *words, of=lambda: list_dataset("x/y@v9"))
    assert len(hub.asked) == 1


def test_a_token_that_does_not_help_is_told_apart(hub: FakeHub, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("HF_TOKEN", SECRET)
    hub.refusals = [("/api/", 403, "GatedRepo")]
    fails(UsageError, "403 to your token", of=lambda: list_dataset("x/y"))


def test_a_gated_dataset_that_lists_but_does_not_give(hub: FakeHub, tmp_path: Path) -> None:
    hub.changes = {"gated": "auto"}
    hub.refusals = [("/datasets/", 401, "GatedRepo")]
    listing = list_dataset("x/y")
    assert listing.gated
    fails(UsageError, "Accept the terms", f"{hub.url}/datasets/x/y", of=lambda: download_dataset(listing, tmp_path))
    assert len(hub.asked) == 2


def test_a_listed_file_that_is_gone(hub: FakeHub, tmp_path: Path) -> None:
    hub.refusals = [("/datasets/", 404, "EntryNotFound")]
    listing = list_dataset("x/y")
    fails(ForgeError, "is gone", of=lambda: download_dataset(listing, tmp_path))


def test_nobody_listens(clean: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        clean.setenv("HF_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        fails(ForgeError, "cannot be reached", "refused", "a file on this machine", of=lambda: list_dataset("x/y"))


def test_no_network(clean: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    clean.setattr(socket, "getaddrinfo", unknown)
    clean.setenv("no_proxy", "*")
    words = ("https://huggingface.co", "no network", "a file on this machine", "HTTPS_PROXY")
    fails(ForgeError, *words, of=lambda: list_dataset("x/y"))


def test_a_hub_that_does_not_answer(hub: FakeHub, clean: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    clean.setattr(Handler, "do_GET", lambda self: done.wait(30))
    clean.setattr(transport, "TIMEOUT_SECONDS", 0.05)
    try:
        fails(ForgeError, "cannot be reached", "within 0.05 seconds", of=lambda: list_dataset("x/y"))
    finally:
        done.set()


def test_a_server_that_speaks_no_http(hub: FakeHub, clean: pytest.MonkeyPatch) -> None:
    clean.setattr(Handler, "do_GET", lambda self: self.wfile.write(b"\x1b[2J SSH-2.0\r\n\r\n"))
    fails(ForgeError, "no HTTP", of=lambda: list_dataset("x/y"))


@pytest.mark.parametrize(
    "endpoint",
    [
        "file:///etc",
        "ftp://a",
        "huggingface.co",
        "https://",
        "http://me:hf_verysecretvalue@a",
        "http://a:x",
        "http://a\x1b",
    ],
)
def test_an_endpoint_that_is_none(clean: pytest.MonkeyPatch, endpoint: str) -> None:
    clean.setenv("HF_ENDPOINT", endpoint)
    fails(UsageError, "HF_ENDPOINT", of=lambda: list_dataset("x/y"))


# --- offline -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"])
@pytest.mark.parametrize("value", ["1", "true", "YES", "On"])
def test_offline_means_no_question(
    hub: FakeHub, clean: pytest.MonkeyPatch, variable: str, value: str, tmp_path: Path
) -> None:
    listing = list_dataset("x/y")
    clean.setenv(variable, value)
    fails(UsageError, f"{variable} is set", of=lambda: list_dataset("x/y"))
    fails(UsageError, f"{variable} is set", of=lambda: download_dataset(listing, tmp_path))
    assert len(hub.asked) == 1


def test_offline_finds_what_is_here(hub: FakeHub, clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listing = list_dataset("x/y")
    folder = download_dataset(listing, tmp_path)
    clean.setenv("HF_HUB_OFFLINE", "1")
    assert download_dataset(listing, tmp_path) == folder


@pytest.mark.parametrize("value", ["", "0", "false", "no"])
def test_offline_that_is_off(hub: FakeHub, clean: pytest.MonkeyPatch, value: str) -> None:
    clean.setenv("HF_HUB_OFFLINE", value)
    assert list_dataset("x/y").files


# --- the token -----------------------------------------------------------------------------------------------------


def test_without_a_token_none_is_sent(hub: FakeHub) -> None:
    list_dataset("x/y")
    assert hub.headers("Authorization") == [None]


def test_the_token_is_found_and_sent_with_everything(hub: FakeHub, clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "hf-home").mkdir()
    (tmp_path / "hf-home" / "token").write_text("from-login\n")
    list_dataset("x/y")
    clean.setenv("HF_TOKEN", " from-variable \n")
    listing = list_dataset("x/y")
    listing = list_dataset("x/y", token="given")
    download_dataset(listing, tmp_path / "a")
    download_dataset(listing, tmp_path / "b", token="given")
    sent = ["from-login", "from-variable", "given", *["from-variable"] * 2, *["given"] * 2]
    assert hub.headers("Authorization") == [f"Bearer {token}" for token in sent]
    assert b"from-variable" not in b"".join(stored(tmp_path / "a").values())


def test_the_login_of_the_hub_lies_in_the_home_folder(hub: FakeHub, clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.delenv("HF_HOME")
    clean.delenv("XDG_CACHE_HOME", raising=False)
    clean.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".cache" / "huggingface"
    folder.mkdir(parents=True)
    (folder / "token").write_bytes(b"\xff\xfe")  # not readable as text: as good as none
    list_dataset("x/y")
    (folder / "token").write_text("at-home")
    list_dataset("x/y")
    assert hub.headers("Authorization") == [None, "Bearer at-home"]


@pytest.mark.parametrize("rest", ["\nX-Other: 1", " b", "é", "\x7f"])
def test_a_token_that_cannot_be_sent_is_not_shown(hub: FakeHub, rest: str) -> None:
    fails(UsageError, "HF_TOKEN", of=lambda: list_dataset("x/y", token=f"{SECRET}{rest}b"))
    assert hub.asked == []


@pytest.mark.parametrize("host", ["127.0.0.2", "127.0.0.1"])
def test_another_host_gets_no_token(hub: FakeHub, hubs: Callable[[str], FakeHub], host: str, tmp_path: Path) -> None:
    other = hubs(host)  # another address, or another port of the same
    for path in ("/api/datasets/x/y/revision/main?blobs=true", f"/datasets/x/y/resolve/{COMMIT}/data/train.csv"):
        hub.redirects[path] = other.url + path
    folder = download_dataset(list_dataset("x/y", token=SECRET), tmp_path, token=SECRET)
    assert stored(folder) == hub.files
    assert len(other.asked) == 2
    assert SECRET not in str(other.asked)
    assert hub.headers("Authorization") == [f"Bearer {SECRET}"] * 3


def test_back_from_another_host_there_is_no_token(hub: FakeHub, hubs: Callable[[str], FakeHub]) -> None:
    other, asked, last = hubs("127.0.0.2"), "/api/datasets/x/y/revision/main?blobs=true", "/api/z"
    hub.redirects, other.redirects = {asked: other.url + asked}, {asked: hub.url + last}
    list_dataset("x/y", token=SECRET)
    assert hub.headers("Authorization") == [f"Bearer {SECRET}", None]


def test_a_dataset_that_moved_on_the_hub_gets_the_token(hub: FakeHub, tmp_path: Path) -> None:
    hub.redirects["/api/datasets/x/y/revision/main?blobs=true"] = "/api/datasets/new/y/revision/main?blobs=true"
    assert list_dataset("x/y", token=SECRET).id == "x/y"
    assert hub.headers("Authorization") == [f"Bearer {SECRET}"] * 2


def test_a_range_is_asked_from_the_host_that_has_the_file(
    hub: FakeHub, hubs: Callable[[str], FakeHub], tmp_path: Path
) -> None:
    other, path = hubs("127.0.0.2"), f"/datasets/x/y/resolve/{COMMIT}/data/train.csv"
    hub.redirects[path] = other.url + path
    other.answers = [cut(1000)]
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files
    assert other.headers("Range") == [None, "bytes=1000-"]


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://127.0.0.1:x/"])
def test_a_redirect_out_of_the_web(hub: FakeHub, url: str) -> None:
    hub.redirects["/api/datasets/x/y/revision/main?blobs=true"] = url
    fails(ForgeError, "he hub", of=lambda: list_dataset("x/y"))
    assert len(hub.asked) == 1


def test_a_redirect_in_circles(hub: FakeHub) -> None:
    path = "/api/datasets/x/y/revision/main?blobs=true"
    hub.redirects[path] = path
    fails(ForgeError, "answered 307", of=lambda: list_dataset("x/y"))


def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    opener = transport._opener()
    redirect = next(each for each in opener.handlers if type(each).__name__ == "Careful").redirect_request  # type: ignore[attr-defined]
    with pytest.raises(ForgeError, match="another place"):
        redirect(Request("https://a/"), io.BytesIO(), 302, "", {}, "http://a/")
    assert redirect(Request("http://a/"), io.BytesIO(), 302, "", {}, "https://a/").full_url == "https://a/"


def test_the_token_is_not_in_what_a_failure_prints(hub: FakeHub) -> None:
    asked = transport.Hub("x/y", "main", hub.url, SECRET)
    assert SECRET not in repr(asked)


# --- the download --------------------------------------------------------------------------------------------------


def test_the_files_come_whole_and_private(hub: FakeHub, tmp_path: Path) -> None:
    listing, told = list_dataset("x/y"), []
    folder = download_dataset(listing, tmp_path / "cache", lambda done, total: told.append((done, total)))
    assert folder == tmp_path / "cache" / "x--y" / COMMIT
    assert stored(folder) == hub.files
    for each in (tmp_path / "cache", folder.parent, folder, folder / "data"):
        assert each.stat().st_mode & 0o777 == 0o700
    done = [number for number, _ in told]
    assert done[0] == 0 and done[-1] == listing.total_bytes and done == sorted(done) and len(done) >= 4
    assert {total for _, total in told} == {listing.total_bytes}


def test_what_is_here_is_not_fetched_again(hub: FakeHub, tmp_path: Path) -> None:
    listing, told = list_dataset("x/y"), []
    folder = download_dataset(listing, tmp_path)
    asked = len(hub.asked)
    assert download_dataset(listing, tmp_path, lambda done, total: told.append((done, total))) == folder
    assert len(hub.asked) == asked
    assert told == [(listing.total_bytes, listing.total_bytes)]
    (folder / "small.jsonl").write_bytes(b"shorter")
    download_dataset(listing, tmp_path)
    assert hub.paths()[asked:] == [f"/datasets/x/y/resolve/{COMMIT}/small.jsonl"]
    assert stored(folder) == hub.files


def test_another_commit_is_another_folder(hub: FakeHub, tmp_path: Path) -> None:
    first = download_dataset(list_dataset("x/y"), tmp_path)
    listing = list_dataset("x/y")
    second = HubListing("x/y", "f" * 40, listing.files[:0], 0, False, None)
    assert download_dataset(second, tmp_path) == first.parent / ("f" * 40)


def test_a_cut_transfer_goes_on_where_it_was(hub: FakeHub, tmp_path: Path) -> None:
    hub.answers = [cut(300_000), cut(50_000), cut(0), ranged]
    told: list[int] = []
    folder = download_dataset(list_dataset("x/y"), tmp_path, lambda done, _: told.append(done))
    assert stored(folder) == hub.files
    assert hub.headers("Range")[1:5] == [None, "bytes=300000-", "bytes=350000-", "bytes=350000-"]
    assert told == sorted(told)


def test_a_cut_is_seen_whatever_way_the_length_is_told(hub: FakeHub, tmp_path: Path) -> None:
    def without_length(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content[:300_000])

    def in_chunks(handler: Handler, content: bytes) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {handler.start}-9/9")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"40000\r\n" + content[handler.start :][:1000])

    hub.answers = [without_length, in_chunks, ranged]
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files
    assert hub.headers("Range")[1:3] == [None, "bytes=300000-"]
    assert len(hub.asked) == 5


def test_a_hub_that_is_not_well_for_a_moment(hub: FakeHub, tmp_path: Path) -> None:
    hub.answers = [cut(300_000), status(503), status(500), ranged]
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files
    assert hub.headers("Range")[1:5] == [None, *["bytes=300000-"] * 3]


def test_a_person_cuts_it_and_starts_it_again(hub: FakeHub, tmp_path: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    listing = list_dataset("x/y")
    with pytest.raises(KeyboardInterrupt):
        download_dataset(listing, tmp_path, stop)
    folder = tmp_path / "x--y" / COMMIT
    kept = stored(folder)
    assert list(kept) == ["data/train.csv.part"]
    assert kept["data/train.csv.part"] == TABLE[: transport.BLOCK_BYTES]
    told: list[int] = []
    assert stored(download_dataset(listing, tmp_path, lambda done, _: told.append(done))) == hub.files
    assert hub.headers("Range")[2] == f"bytes={transport.BLOCK_BYTES}-"
    assert told[1] > transport.BLOCK_BYTES


def test_a_server_without_ranges_sends_all_again(hub: FakeHub, tmp_path: Path) -> None:
    hub.answers = [cut(300_000), whole]
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files
    assert hub.headers("Range")[1:] == [None, "bytes=300000-", None]


@pytest.mark.parametrize("content_range", ["bytes 0-9/10", "bytes 3000000-3000001/9", "", "bytes 300001-9/9"])
def test_another_range_than_was_asked_for(hub: FakeHub, content_range: str, tmp_path: Path) -> None:
    def wrong(handler: Handler, content: bytes) -> None:
        rest = b"?" * len(content[handler.start :])
        handler.send(206, rest, {"Content-Range": content_range} if content_range else {})

    hub.files = {"large.jsonl": TABLE}  # without a sum that would tell
    hub.answers = [cut(300_000), wrong, ranged]
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files
    assert hub.headers("Range")[1:] == [None, "bytes=300000-", None]


def test_a_range_that_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    hub.answers = [cut(300_000), status(416), ranged]
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files
    assert hub.headers("Range")[1:4] == [None, "bytes=300000-", None]


def test_it_gives_up_after_some_tries_that_bring_nothing(
    hub: FakeHub, clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waited: list[float] = []
    clean.setattr(module, "RETRY_WAITS", (1.0, 3.0))
    clean.setattr(module.time, "sleep", waited.append)
    listing = list_dataset("x/y")
    hub.answers = [
        cut(300_000),
        *[lambda handler, content: handler.send(200, content[:300_000], size=len(content))] * 9,
    ]
    words = ("was cut", "Try again", "goes on")
    fails(ForgeError, *words, of=lambda: download_dataset(listing, tmp_path))
    assert waited == [1.0, 3.0]
    assert len(hub.asked) == 4
    assert stored(tmp_path / "x--y" / COMMIT) == {"data/train.csv.part": TABLE[:300_000]}
    hub.answers = []
    assert stored(download_dataset(listing, tmp_path)) == hub.files


def test_it_goes_on_as_long_as_something_new_comes(hub: FakeHub, tmp_path: Path) -> None:
    hub.answers = [cut(1000) for _ in range(20)]
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files
    assert hub.headers("Range")[21] == "bytes=20000-"


def test_content_that_is_not_the_listed_one_is_not_kept(hub: FakeHub, tmp_path: Path) -> None:
    listing = list_dataset("x/y")
    hub.answers = [lambda handler, content: handler.send(200, content[:-1] + b"!")]
    words = ("data/train.csv", "SHA-256")
    fails(ForgeError, *words, of=lambda: download_dataset(listing, tmp_path))
    assert stored(tmp_path / "x--y" / COMMIT) == {}
    assert len(hub.asked) == 2  # what came at once and is wrong would be wrong again


@pytest.mark.parametrize("name", ["data/train.csv", "small.jsonl"])
def test_more_than_the_listed_size_is_not_kept(hub: FakeHub, name: str, tmp_path: Path) -> None:
    hub.files = {name: hub.files[name]}
    listing = list_dataset("x/y")
    hub.answers = [lambda handler, content: handler.send(200, content + b"!" * transport.BLOCK_BYTES)]
    told: list[int] = []
    fails(ForgeError, name, "size", of=lambda: download_dataset(listing, tmp_path, lambda done, _: told.append(done)))
    assert max(told) <= len(hub.files[name])
    assert stored(tmp_path / "x--y" / COMMIT) == {}


@pytest.mark.parametrize("kept", [b"?" * 300_000, b"?" * len(TABLE), b"?" * (len(TABLE) + 1)])
def test_a_spoiled_beginning_is_thrown_away(hub: FakeHub, kept: bytes, tmp_path: Path) -> None:
    part = tmp_path / "x--y" / COMMIT / "data" / "train.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(kept)
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files


def test_a_whole_part_needs_its_name_only(hub: FakeHub, tmp_path: Path) -> None:
    part = tmp_path / "x--y" / COMMIT / "data" / "train.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(TABLE)
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files
    assert hub.paths()[1:] == [f"/datasets/x/y/resolve/{COMMIT}/small.jsonl"]


def test_without_a_known_size_a_cut_is_seen_and_started_anew(hub: FakeHub, tmp_path: Path) -> None:
    hub.changes = {"siblings": [{"rfilename": "small.jsonl"}]}
    hub.answers = [cut(5)]
    listing, told = list_dataset("x/y"), []
    folder = download_dataset(listing, tmp_path, lambda done, total: told.append((done, total)))
    assert stored(folder) == {"small.jsonl": SMALL}
    assert hub.headers("Range")[1:] == [None, None]
    assert told[-1] == (len(SMALL), None)


def test_an_empty_file(hub: FakeHub, tmp_path: Path) -> None:
    hub.files = {"empty.txt": b"", "empty.csv": b""}
    part = tmp_path / "x--y" / COMMIT / "empty.txt.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"stale")
    assert stored(download_dataset(list_dataset("x/y"), tmp_path)) == hub.files


# --- the disk ------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_told_before(hub: FakeHub, clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listing = list_dataset("x/y")
    total = len(TABLE) + len(SMALL)
    clean.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=total - 1))
    words = (f"{total:,} bytes are needed", f"{total - 1:,} bytes are free")
    fails(UsageError, *words, of=lambda: download_dataset(listing, tmp_path))
    assert len(hub.asked) == 1
    part = tmp_path / "x--y" / COMMIT / "data" / "train.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(TABLE[:1])  # what is here needs no room again
    assert stored(download_dataset(listing, tmp_path)) == hub.files
    clean.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    download_dataset(listing, tmp_path)


def test_a_disk_that_fills_up(hub: FakeHub, tmp_path: Path) -> None:
    listing = list_dataset("x/y")
    full = tmp_path / "x--y" / COMMIT / "data" / "train.csv.part"
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")
    fails(ForgeError, "cannot be kept", "No space left", of=lambda: download_dataset(listing, tmp_path))


def test_a_folder_that_cannot_be_made(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    listing = list_dataset("x/y")
    fails(ForgeError, "cannot be kept", of=lambda: download_dataset(listing, tmp_path / "file"))


def test_a_file_name_that_the_disk_cannot_hold(hub: FakeHub, tmp_path: Path) -> None:
    hub.files = {"a" * 300 + ".csv": TABLE}
    listing = list_dataset("x/y")
    fails(ForgeError, "cannot be kept", of=lambda: download_dataset(listing, tmp_path))


def test_two_downloads_at_once(hub: FakeHub, tmp_path: Path) -> None:
    listing = list_dataset("x/y")
    folder = download_dataset(listing, tmp_path)
    with Path(f"{folder}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fails(UsageError, "downloaded already", of=lambda: download_dataset(listing, tmp_path))
    download_dataset(listing, tmp_path)


def test_loading_the_module_loads_nothing_of_the_network() -> None:
    names = "{'ssl', 'socket', 'http', 'urllib.request', 'hashlib'}"
    code = f"import sys, backends.formats.hub; print(*sorted({names} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""
