"""Finds a dataset on the Hugging Face hub, says what it holds and fetches its data files, each whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backends.contract import ForgeError, UsageError
from backends.formats.hub_transport import HOSTILE, BadRange, Hub, Passing, connect

RETRY_WAITS = (1.0, 3.0, 9.0)  # seconds before each new try at a file, as long as nothing new comes
REPLY_BYTES = 1 << 26  # a listing of some hundred thousand files

_PART = r"\w(?:[\w.-]{0,94}\w)?"
_HUB_ID = re.compile(rf"({_PART}/{_PART})(?:@(\w[\w./+-]{{0,199}}))?", re.ASCII)
_DATA_ENDINGS = tuple(
    ".csv .tsv .json .jsonl .ndjson .parquet .arrow .txt .xlsx .gz .zst .zip .png .jpg .jpeg .webp .bmp .gif .tif .tiff"
    " .wav .mp3 .flac .ogg .opus .m4a .mp4 .mkv .webm .avi .mov".split()
)
_OTHER_ENDINGS = tuple(".yaml .yml .toml .xml .xls .tar .tgz .npy .npz .h5 .pkl .db .md".split())
_NOT_DATA = ("dataset_infos.json", "requirements.txt", "readme.txt", "license.txt")


@dataclass(frozen=True)
class HubFile:
    """One file of a dataset or model; a name that could lead out of its folder or garble a terminal is refused."""

    name: str
    size_bytes: int | None
    sha256: str | None

    def __post_init__(self) -> None:
        if HOSTILE.search(self.name) or {"", ".", ".."} & set(self.name.split("/")):
            why = "it could land outside its folder or cannot be shown"
            raise ForgeError(f"The hub names a file {self.name[:200]!a}", why, "Nothing was fetched; tell its owner.")


@dataclass(frozen=True)
class HubListing:
    """What a dataset or model holds at one commit: known before anything is downloaded, so that a person can decide."""

    id: str
    revision: str
    files: tuple[HubFile, ...]
    total_bytes: int | None
    gated: bool
    license: str | None


def looks_like_hub_id(text: str) -> bool:
    """Whether a text names a dataset as owner/name or owner/name@revision, and not a file that is or may be here.

    Below a folder that is here it is a path, though a mistyped one, and nobody is to be asked for it.
    """
    found = _parse(text)
    if found is None or found[0].lower().endswith((*_DATA_ENDINGS, *_OTHER_ENDINGS)):
        return False
    return not os.path.lexists(text) and not os.path.isdir(text.partition("/")[0])


def list_dataset(hub_id: str, *, token: str | None = None) -> HubListing:
    """Ask the hub which data files a dataset has, how large they are and whether its owner asks for consent.

    Raises UsageError when there is no such dataset for this person and ForgeError when the hub cannot be asked.
    """
    found = _parse(hub_id)
    if found is None:
        what, why = f"{hub_id[:200]!a} is no name on the hub", "names are owner/name or owner/name@revision"
        raise UsageError(what, why, "Copy the name from the page of the dataset.")
    hub = connect(*found, token)
    reply, entries, commit = ask_listing(hub)
    files = tuple(listed_file(name, entry) for name, entry in entries.items() if _is_data(name))
    if not files:
        named = ", ".join(HOSTILE.sub("?", name[:200]) for name in list(entries)[:10])
        why = f"its files are {named}{f' and {len(entries) - 10:,} more' if len(entries) > 10 else ''}"
        fix = "Choose one with tables, text, images, audio or video; what a script makes cannot be used."
        raise UsageError(f"{hub.dataset} has no data files", why if entries else "it has no files at all", fix)
    return as_listing(hub, reply, commit, files)


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
    hub = connect(listing.id, listing.revision, token)
    target = folder / listing.id.replace("/", "--") / listing.revision
    try:
        make_private(target)
        with target.with_name(f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a second download would write into the same files
            bring(hub, listing, target, progress or (lambda done, total: None))
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


def ask_object(hub: Hub, address: str) -> dict[str, Any]:
    """What the hub answers at an address, which must be an object."""
    body = bytearray()
    with hub.open(address) as response:
        for block in hub.blocks(response):
            body += block
            if len(body) > REPLY_BYTES:
                raise hub.odd("it has no end")
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        raise hub.odd("it is no JSON; a proxy or the sign-in page of a network may have answered") from None
    if not isinstance(reply, dict):
        raise hub.odd(f"it is no listing of a {hub.kind}")
    return reply


def ask_listing(hub: Hub) -> tuple[dict[str, Any], dict[str, dict[str, Any]], str]:
    """What the hub says of a dataset or model: the whole reply, its files by name, and the commit."""
    reply = ask_object(hub, f"/api/{hub.kind}s/{hub.dataset}/revision/{quote(hub.revision, safe='')}?blobs=true")
    commit, entries = reply.get("sha"), reply.get("siblings")
    if not isinstance(commit, str) or not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise hub.odd("it names no commit")
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("rfilename"), str) for entry in entries
    ):
        raise hub.odd("it lists no files")
    return reply, {entry["rfilename"]: entry for entry in entries}, commit


def as_listing(hub: Hub, reply: dict[str, Any], commit: str, files: tuple[HubFile, ...]) -> HubListing:
    """These files, with what the reply says of their size and terms."""
    card = reply.get("cardData")
    terms = card.get("license") if isinstance(card, dict) else None
    words = [term for term in (terms if isinstance(terms, list) else [terms]) if isinstance(term, str)]
    sizes = [file.size_bytes for file in files if file.size_bytes is not None]
    return HubListing(
        id=hub.dataset,
        revision=commit,
        files=files,
        total_bytes=sum(sizes) if len(sizes) == len(files) else None,
        gated=bool(reply.get("gated")),
        license=HOSTILE.sub("?", ", ".join(words)[:200]) or None,
    )


def _is_data(name: str) -> bool:
    last = name.rpartition("/")[2].lower()
    if last.startswith(".") or last in _NOT_DATA:
        return False
    return last.endswith(_DATA_ENDINGS) or last in ("data.yaml", "data.yml")


def listed_file(name: str, entry: dict[str, Any]) -> HubFile:
    """A file as the hub lists it."""
    stored = entry.get("lfs")
    large: dict[str, Any] = stored if isinstance(stored, dict) else {}
    size, sha256 = large.get("size", entry.get("size")), large.get("sha256")
    known = isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256)
    return HubFile(name, size if type(size) is int and 0 <= size < 1 << 60 else None, sha256 if known else None)


# --- bringing files here ---------------------------------------------------------------------------------------


def bring(hub: Hub, listing: HubListing, target: Path, progress: Callable[[int, int | None], None]) -> None:
    """Fetch into `target` what is not there yet, in the order of the listing.

    Raises UsageError, before the first byte, when there is no room.
    """
    done, needed, missing = 0, 0, []
    for file in listing.files:
        path = target / file.name
        here = file_size(path)
        if here is not None and file.size_bytes in (None, here):
            done += here
        else:
            missing.append((file, path))
            needed += max(0, (file.size_bytes or 0) - (file_size(Path(f"{path}.part")) or 0))
    free = shutil.disk_usage(target).free
    if needed > free:
        why = f"{needed:,} bytes are needed and {free:,} bytes are free at {target}"
        raise UsageError(f"There is no room for {listing.id}", why, "Free space or choose a folder on another disk.")
    progress(done, listing.total_bytes)
    for file, path in missing:

        def tell(here: int, before: int = done) -> None:
            progress(before + here, listing.total_bytes)

        done += _fetch(hub, file, path, tell)


def _fetch(hub: Hub, file: HubFile, path: Path, tell: Callable[[int], None]) -> int:
    """Fetch one file and return its size; it gets its name when it is whole and what it should be."""
    part = Path(f"{path}.part")
    make_private(path.parent)
    furthest, tries = file_size(part) or 0, 0
    while True:
        try:
            size = _transfer(hub, file, part, tell)
            os.replace(part, path)
            return size
        except Passing as error:
            if isinstance(error, BadRange):
                part.unlink(missing_ok=True)
            here = file_size(part) or 0
            furthest, tries = max(furthest, here), 0 if here > furthest else tries
            if tries == len(RETRY_WAITS):
                raise
            time.sleep(RETRY_WAITS[tries])
            tries += 1


def _transfer(hub: Hub, file: HubFile, part: Path, tell: Callable[[int], None]) -> int:
    """Bring the rest of a file into `part`; where the whole size is not known, no rest is either: it starts anew."""
    size, start = file.size_bytes, file_size(part) or 0
    if start > (size or 0):
        part.unlink()
        start = 0
    here = start
    if size is None or here < size:
        with hub.open(f"{hub.files}/{quote(file.name)}", start) as response:
            if start and response.status != 206:
                here = start = 0
            elif start and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise hub.cut(f"it sent another part of {file.name} than was asked for", BadRange)
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
    raise (Passing if start else ForgeError)(what, why, "It was not kept; try again later.")


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_size(path: Path) -> int | None:
    """The size of a file; None where there is none."""
    return path.stat().st_size if path.is_file() else None


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner alone."""
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)
