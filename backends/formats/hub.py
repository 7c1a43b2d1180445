"""Finds a dataset on the Hugging Face hub, says what it holds and fetches its data files, each whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from backends.contract import ForgeError, UsageError

if TYPE_CHECKING:
    from http.client import HTTPMessage, HTTPResponse
    from urllib.request import OpenerDirector, Request

TIMEOUT_SECONDS = 10.0
RETRY_WAITS = (1.0, 3.0, 9.0)  # seconds before each new try at a file, as long as nothing new comes
BLOCK_BYTES = 1 << 17
REPLY_BYTES = 1 << 26  # a listing of some hundred thousand files

_PART = r"\w(?:[\w.-]{0,94}\w)?"
_HUB_ID = re.compile(rf"({_PART}/{_PART})(?:@(\w[\w./+-]{{0,199}}))?", re.ASCII)
_DATA_ENDINGS = tuple(
    ".csv .tsv .json .jsonl .ndjson .parquet .arrow .txt .xlsx .gz .zst .zip .png .jpg .jpeg .webp .bmp .gif .tif .tiff"
    " .wav .mp3 .flac .ogg .opus .m4a .mp4 .mkv .webm .avi .mov".split()
)
_OTHER_ENDINGS = tuple(".yaml .yml .toml .xml .xls .tar .tgz .npy .npz .h5 .pkl .db .md".split())
_NOT_DATA = ("dataset_infos.json", "requirements.txt", "readme.txt", "license.txt")
# Controls, line ends, turns of the direction of writing, halves of characters; a backslash parts folders elsewhere.
_HOSTILE = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LOCAL = "Without a network, give a file on this machine."


class _Passing(ForgeError):
    """A failure that the next try may not meet; a download goes on where it was."""


class _BadRange(_Passing):
    """The hub does not go on from the place that was asked for; the next try starts anew."""


@dataclass(frozen=True)
class HubFile:
    """One data file of a dataset; a name that could lead out of its folder or garble a terminal is refused."""

    name: str
    size_bytes: int | None
    sha256: str | None

    def __post_init__(self) -> None:
        if _HOSTILE.search(self.name) or {"", ".", ".."} & set(self.name.split("/")):
            why = "it could land outside its folder or cannot be shown"
            raise ForgeError(f"The hub names a file {self.name[:200]!a}", why, "Nothing was fetched; tell its owner.")


@dataclass(frozen=True)
class HubListing:
    """What a dataset holds at one commit: known before anything is downloaded, so that a person can decide."""

    id: str
    revision: str
    files: tuple[HubFile, ...]
    total_bytes: int | None
    gated: bool
    license: str | None


def looks_like_hub_id(text: str) -> bool:
    """Whether a text names a dataset as owner/name or owner/name@revision, and not a file that is or may be here."""
    found = _parse(text)
    endings = (*_DATA_ENDINGS, *_OTHER_ENDINGS)
    return found is not None and not found[0].lower().endswith(endings) and not os.path.lexists(text)


def list_dataset(hub_id: str, *, token: str | None = None) -> HubListing:
    """Ask the hub which data files a dataset has, how large they are and whether its owner asks for consent.

    Raises UsageError when there is no such dataset for this person and ForgeError when the hub cannot be asked.
    """
    found = _parse(hub_id)
    if found is None:
        what, why = f"{hub_id[:200]!a} is no name on the hub", "names are owner/name or owner/name@revision"
        raise UsageError(what, why, "Copy the name from the page of the dataset.")
    hub = _Hub(*found, _endpoint(), _token(token))
    body = bytearray()
    with hub.open(f"/api/datasets/{found[0]}/revision/{quote(found[1], safe='')}?blobs=true") as response:
        for block in hub.blocks(response):
            body += block
            if len(body) > REPLY_BYTES:
                raise hub.odd("it has no end")
    return _listing(hub, body)


def download_dataset(
    listing: HubListing,
    folder: Path,
    progress: Callable[[int, int | None], None] | None = None,
    *,
    token: str | None = None,
) -> Path:
    """Fetch what is not here yet into `folder`/owner--name/commit and return that folder.

    A cut transfer, also one that a person cut, goes on where it was, now or the next time.
    """
    hub = _Hub(listing.id, listing.revision, _endpoint(), _token(token))
    target = folder / listing.id.replace("/", "--") / listing.revision
    try:
        _make_private(target)
        with target.with_name(f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a second download would write into the same files
            _download(hub, listing, target, progress or (lambda done, total: None))
    except BlockingIOError:
        why = f"another process writes to {target}"
        raise UsageError(f"{listing.id} is being downloaded already", why, "Wait for its end.") from None
    except OSError as error:
        what, why = f"{listing.id} cannot be kept in {target}", error.strerror or str(error)
        raise ForgeError(what, why, "Free space or choose another folder; what is whole is kept.") from None
    return target


def _parse(text: str) -> tuple[str, str] | None:
    found = _HUB_ID.fullmatch(text)
    if found is None or ".." in text or "--" in found[1] or found[1].endswith(".git"):
        return None
    return found[1], found[2] or "main"


# --- what the hub says -----------------------------------------------------------------------------------------


def _listing(hub: _Hub, body: bytes | bytearray) -> HubListing:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        raise hub.odd("it is no JSON; a proxy or the sign-in page of a network may have answered") from None
    if not isinstance(reply, dict):
        raise hub.odd("it is no listing of a dataset")
    commit, entries, card = reply.get("sha"), reply.get("siblings"), reply.get("cardData")
    if not isinstance(commit, str) or not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise hub.odd("it names no commit")
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("rfilename"), str) for entry in entries
    ):
        raise hub.odd("it lists no files")
    found = {entry["rfilename"]: entry for entry in entries}
    files = tuple(_file(name, entry) for name, entry in found.items() if _is_data(name))
    if not files:
        named = ", ".join(_HOSTILE.sub("?", name[:200]) for name in list(found)[:10])
        why = f"its files are {named}{f' and {len(found) - 10:,} more' if len(found) > 10 else ''}"
        fix = "Choose one with tables, text, images, audio or video; what a script makes cannot be used."
        raise UsageError(f"{hub.dataset} has no data files", why if found else "it has no files at all", fix)
    terms = card.get("license") if isinstance(card, dict) else None
    words = [term for term in (terms if isinstance(terms, list) else [terms]) if isinstance(term, str)]
    sizes = [file.size_bytes for file in files if file.size_bytes is not None]
    return HubListing(
        id=hub.dataset,
        revision=commit,
        files=files,
        total_bytes=sum(sizes) if len(sizes) == len(files) else None,
        gated=bool(reply.get("gated")),
        license=_HOSTILE.sub("?", ", ".join(words)[:200]) or None,
    )


def _is_data(name: str) -> bool:
    last = name.rpartition("/")[2].lower()
    if last.startswith(".") or last in _NOT_DATA:
        return False
    return last.endswith(_DATA_ENDINGS) or last in ("data.yaml", "data.yml")


def _file(name: str, entry: dict[str, Any]) -> HubFile:
    stored = entry.get("lfs")
    large: dict[str, Any] = stored if isinstance(stored, dict) else {}
    size, sha256 = large.get("size", entry.get("size")), large.get("sha256")
    known = isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256)
    return HubFile(name, size if type(size) is int and 0 <= size < 1 << 60 else None, sha256 if known else None)


# --- bringing files here ---------------------------------------------------------------------------------------


def _download(hub: _Hub, listing: HubListing, target: Path, progress: Callable[[int, int | None], None]) -> None:
    done, needed, missing = 0, 0, []
    for file in listing.files:
        path = target / file.name
        here = _size(path)
        if here is not None and file.size_bytes in (None, here):
            done += here
        else:
            missing.append((file, path))
            needed += max(0, (file.size_bytes or 0) - (_size(Path(f"{path}.part")) or 0))
    free = shutil.disk_usage(target).free
    if needed > free:
        why = f"{needed:,} bytes are needed and {free:,} bytes are free at {target}"
        raise UsageError(f"There is no room for {listing.id}", why, "Free space or choose a folder on another disk.")
    progress(done, listing.total_bytes)
    for file, path in missing:

        def tell(here: int, before: int = done) -> None:
            progress(before + here, listing.total_bytes)

        done += _fetch(hub, file, path, tell)


def _fetch(hub: _Hub, file: HubFile, path: Path, tell: Callable[[int], None]) -> int:
    """Fetch one file and return its size; it gets its name when it is whole and what it should be."""
    part = Path(f"{path}.part")
    _make_private(path.parent)
    furthest, tries = _size(part) or 0, 0
    while True:
        try:
            size = _transfer(hub, file, part, tell)
            os.replace(part, path)
            return size
        except _Passing as error:
            if isinstance(error, _BadRange):
                part.unlink(missing_ok=True)
            here = _size(part) or 0
            furthest, tries = max(furthest, here), 0 if here > furthest else tries
            if tries == len(RETRY_WAITS):
                raise
            time.sleep(RETRY_WAITS[tries])
            tries += 1


def _transfer(hub: _Hub, file: HubFile, part: Path, tell: Callable[[int], None]) -> int:
    """Bring the rest of a file into `part`; where the whole size is not known, no rest is either: it starts anew."""
    size, start = file.size_bytes, _size(part) or 0
    if start > (size or 0):
        part.unlink()
        start = 0
    here = start
    if size is None or here < size:
        with hub.open(f"/datasets/{hub.dataset}/resolve/{hub.revision}/{quote(file.name)}", start) as response:
            if start and response.status != 206:
                here = start = 0
            elif start and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise hub.cut(f"it sent another part of {file.name} than was asked for", _BadRange)
            with part.open("ab" if start else "wb") as stream:
                for block in hub.blocks(response):
                    here += len(block)
                    if size is not None and here > size:
                        break
                    stream.write(block)
                    tell(here)
        if size is not None and here < size:
            raise hub.cut(f"{here:,} of {size:,} bytes of {file.name} came")
    part.touch()
    if size in (None, here) and file.sha256 in (None, _sha256(part)):
        return here
    part.unlink()
    what, why = f"The hub sent another {file.name} than it lists", "its size or SHA-256 sum is not the listed one"
    raise (_Passing if start else ForgeError)(what, why, "It was not kept; try again later.")


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _make_private(folder: Path) -> None:
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)


# --- asking the hub --------------------------------------------------------------------------------------------


def _endpoint() -> str:
    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        usable = False
    if not usable or _HOSTILE.search(endpoint):  # not shown, because it may hold a password
        why = "it must be http:// or https:// and a host, without a name or password in it"
        raise UsageError("HF_ENDPOINT is no address of a hub", why, "Correct it, or unset it to ask huggingface.co.")
    return endpoint


def _token(given: str | None) -> str | None:
    """The token that was given, of HF_TOKEN or of the hub's own login; it is not shown even when it is none."""
    token = (given or os.environ.get("HF_TOKEN") or "").strip()
    if not token:
        home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
        try:
            token = Path(os.path.expanduser(home), "token").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
    if not re.fullmatch(r"[\x21-\x7e]*", token):
        why = "it holds spaces, line ends or other characters that no token has"
        raise UsageError("The token for the hub cannot be sent", why, "Correct HF_TOKEN or the login file of the hub.")
    return token or None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _opener() -> OpenerDirector:
    """What follows redirects: never from https to something weaker, and with the token on the same host only."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Careful(HTTPRedirectHandler):
        def redirect_request(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
        ) -> Request | None:
            fp.close()  # else all of its text would be read
            old, new = _origin(req.full_url), _origin(newurl)
            if new[0] not in (old[0], "https"):
                raise ForgeError("The hub points to another place", f"{new[0]} is less safe than {old[0]}", _LOCAL)
            request = super().redirect_request(req, fp, code, msg, headers, newurl)
            token = req.get_header("Authorization")
            if request is not None and token and new == old:
                request.add_unredirected_header("Authorization", token)
            return request

    return build_opener(Careful)


@dataclass(frozen=True)
class _Hub:
    """One dataset on one hub: opens its addresses and says in words what went wrong."""

    dataset: str
    revision: str
    endpoint: str
    token: str | None = field(repr=False)

    def open(self, address: str, start: int = 0) -> HTTPResponse:
        """Ask for an address, from a byte on; the token goes to the hub itself and to no host that it points to."""
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            if os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on"):
                why, fix = f"{name} is set: nothing is asked", f"Give a file on this machine, or unset {name}."
                raise UsageError(f"{self.dataset} is on the hub, which needs the network", why, fix)
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request

        request = Request(self.endpoint + address, headers={"User-Agent": "forge-tui"})
        if start:
            request.add_header("Range", f"bytes={start}-")
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            response: HTTPResponse = _opener().open(request, timeout=TIMEOUT_SECONDS)
            return response
        except HTTPError as error:
            error.close()
            raise self._refusal(error.code, error.headers.get("X-Error-Code", "")) from None
        except (OSError, HTTPException, ValueError) as error:
            fix = f"{_LOCAL} Behind a proxy, set HTTPS_PROXY."
            raise _Passing(f"The hub at {self.endpoint} cannot be reached", _reason(error), fix) from None

    def blocks(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield what comes; an answer that ends before its announced length is a failure, not an end."""
        from http.client import HTTPException

        try:
            while block := response.read(BLOCK_BYTES):
                yield block
        except (OSError, HTTPException) as error:
            raise self.cut(_reason(error)) from None
        if response.length:
            raise self.cut(f"{response.length:,} bytes of its answer did not come")

    def cut(self, why: str, kind: type[_Passing] = _Passing) -> _Passing:
        """An answer that ended early."""
        return kind(f"The connection to {self.endpoint} was cut", why, "Try again: a download goes on where it was.")

    def odd(self, why: str) -> ForgeError:
        """A reply that no hub would give."""
        return ForgeError(f"The reply of {self.endpoint} cannot be understood", why, f"Try again later. {_LOCAL}")

    def _refusal(self, status: int, code: str) -> ForgeError:
        answer, page = f"{self.endpoint} answered {status}", f"{self.endpoint}/datasets/{self.dataset}"
        if status in (401, 403) and code != "RepoNotFound":
            why = f"{answer} {'to your token' if self.token else 'and no token was found to send'}"
            fix = f"Accept the terms on {page} and set HF_TOKEN to a valid token of that account."
            return UsageError(f"The hub does not give {self.dataset} to you", why, fix)
        if code == "RevisionNotFound":
            why = "the dataset is there, but no branch, tag or commit of that name"
            return UsageError(f"{self.dataset} has no revision {self.revision!r}", why, f"Look for it on {page}.")
        if code == "EntryNotFound":
            return ForgeError(f"A file of {self.dataset} is gone", f"it is listed, but {answer}", f"Look at {page}.")
        if status == 404 or code == "RepoNotFound":
            why = f"{self.endpoint} does not know it at {self.revision!r}, or it is private"
            fix = "Check the name; for a private dataset set HF_TOKEN. A file on this machine needs its whole path."
            return UsageError(f"There is no dataset {self.dataset} on the hub", why, fix)
        if status == 416:
            return self.cut("it does not go on from where the file was cut", _BadRange)
        if status == 429:
            return ForgeError("The hub was asked too often", answer, "Wait some minutes; HF_TOKEN raises the limit.")
        kind = _Passing if status in (408, 500, 502, 503, 504) else ForgeError
        return kind(f"The hub cannot give {self.dataset} now", answer, f"Try again later. {_LOCAL}")


def _reason(error: Exception) -> str:
    """Why there was no answer."""
    import socket
    import ssl
    from urllib.error import URLError

    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, socket.gaierror):
        return "its name is not known here: there is no network, or the name is wrong"
    if isinstance(cause, TimeoutError):
        return f"it did not answer within {TIMEOUT_SECONDS:g} seconds"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "its certificate is not trusted here; SSL_CERT_FILE can name those of your network"
    told = getattr(cause, "strerror", None) or str(cause)  # a proxy's words, when it refuses the way
    return _HOSTILE.sub("?", told)[:200] if isinstance(cause, OSError) else "what it sent is no HTTP"
