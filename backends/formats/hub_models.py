"""Models of the Hugging Face hub: which files a run needs and how large they are, and fetching them into its cache.

Weights come as safetensors only, and last, so that a copy with whole weights is a whole copy. huggingface_hub gives
every process a temporary file of its own, so that what came of a cut transfer is lost with the process; here it is
kept, and the next attempt goes on where it ended.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backends.contract import ForgeError, UsageError, read_json
from backends.formats.hub import (
    HubListing,
    as_listing,
    ask_listing,
    ask_object,
    bring,
    file_size,
    listed_file,
    make_private,
)
from backends.formats.hub_transport import Hub, Passing, connect

RETRY_SECONDS = 1.0
_ID = re.compile(r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?", re.ASCII)
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
# The account of the hub that offers pickled weights as safetensors, and the title of its offers.
_CONVERTER, _CONVERSION = "SFconvertbot", "Adding `safetensors` variant of this model"
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PART = re.compile(r"model-\d+-of-\d+\.safetensors")
_SMALL = frozenset(
    "config.json generation_config.json tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json "
    "vocab.json vocab.txt merges.txt chat_template.jinja chat_template.json preprocessor_config.json "
    "processor_config.json tekken.json bpe.codes".split()
)
_TOKENIZERS = (".model", ".spm", ".tiktoken")


def is_model_id(name: str) -> bool:
    """Whether a name can be that of a model on the hub."""
    return _ID.fullmatch(name) is not None and ".." not in name and "--" not in name


def hub_cache() -> Path:
    """Where huggingface_hub keeps what it fetched, by the variables that it reads."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if chosen := os.environ.get(variable):
            return Path(os.path.expanduser(chosen)).absolute()
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.path.expanduser(home)).absolute() / "hub"


def snapshot_folder(model_id: str, commit: str) -> Path:
    """Where the files of a model as of a commit are in the hub's cache."""
    return hub_cache() / f"models--{model_id.replace('/', '--')}" / "snapshots" / commit


def whole_snapshot(model_id: str, revision: str) -> Path | None:
    """The folder of a model as of a commit, where all of it is on this machine."""
    folder = snapshot_folder(model_id, revision)
    return folder if is_model_id(model_id) and _COMMIT.fullmatch(revision) and is_whole(folder) else None


def is_whole(folder: Path) -> bool:
    """Whether a snapshot has its config and all weights that it names."""
    index = folder / _INDEX
    named = (read_json(index) or {}).get("weight_map") if index.is_file() else {"": _WEIGHTS}
    if not isinstance(named, Mapping) or not (folder / "config.json").is_file():
        return False
    return all(isinstance(each, str) and (folder / Path(each).name).is_file() for each in named.values())


def list_model(model_id: str, revision: str | None = None) -> HubListing:
    """Ask the hub which files a run from a model needs and how large they are.

    Of a model whose weights are pickled the safetensors are taken that the hub's own converter made of them.

    Raises UsageError when there is no such model for this person, or none that a run can start from, and ForgeError
    when the hub cannot be asked.
    """
    hub = connect(model_id, revision or "main", None, kind="model")
    try:
        reply, entries, commit = ask_listing(hub)
    except Passing:
        time.sleep(RETRY_SECONDS)
        reply, entries, commit = ask_listing(hub)
    if "config.json" in entries and not _weights(entries) and (offer := _conversion(hub)) is not None:
        hub = connect(model_id, offer, None, kind="model")
        reply, entries, commit = ask_listing(hub)
    names = _needed(hub, entries)
    listing = as_listing(hub, reply, commit, tuple(listed_file(name, entries[name]) for name in names))
    if listing.total_bytes is None:
        raise hub.odd("it does not say how large the files are, and nothing is fetched whose size is not known")
    return listing


def _needed(hub: Hub, entries: Mapping[str, Any]) -> list[str]:
    """The names of the files that are needed, weights last."""
    if "config.json" not in entries:
        what = f"{hub.dataset} on the hub is no model that a run can start from"
        why = "it has no config.json" + ("; it is an adapter" if "adapter_config.json" in entries else "")
        raise UsageError(what, why, "Choose another: forge-tui models")
    weights = _weights(entries)
    if not weights:
        why = "it has none as safetensors; pickled ones can run code when they are loaded, and are not"
        raise UsageError(f"{hub.dataset} on the hub has no usable weights", why, "Choose another: forge-tui models")
    small = sorted(name for name in entries if name in _SMALL or ("/" not in name and name.endswith(_TOKENIZERS)))
    return [*small, *weights]


def _weights(entries: Mapping[str, Any]) -> list[str]:
    parts = sorted(name for name in entries if _PART.fullmatch(name)) if _INDEX in entries else []
    return [_WEIGHTS] if _WEIGHTS in entries else [_INDEX, *parts] if parts else []


def _conversion(hub: Hub) -> str | None:
    """The revision in which the hub's converter offers the weights of a model as safetensors, where it does.

    Anybody can offer something by that title: only what comes from that account is taken.
    """
    address = f"/api/models/{hub.dataset}/discussions?type=pull_request&status=open&author={_CONVERTER}&p=0"
    try:
        offers = ask_object(hub, address).get("discussions")
    except ForgeError:  # a model without a place for offers; what is said of it is that it has no usable weights
        return None
    for each in offers if isinstance(offers, list) else []:
        author = each.get("author") if isinstance(each, dict) else None
        if isinstance(author, dict) and author.get("name") == _CONVERTER and each.get("title") == _CONVERSION:
            if each.get("isPullRequest") is True and each.get("status") == "open" and isinstance(each.get("num"), int):
                return f"refs/pr/{each['num']}"
    return None


def missing_bytes(listing: HubListing) -> int:
    """How much of a listing is still to be fetched."""
    folder = snapshot_folder(listing.id, listing.revision)
    return sum(
        max(0, (file.size_bytes or 0) - (file_size(Path(f"{folder / file.name}.part")) or 0))
        for file in listing.files
        if file_size(folder / file.name) != file.size_bytes
    )


def require_room(listing: HubListing) -> None:
    """Raise UsageError when the disk of the cache has no room for what is missing."""
    cache, needed = hub_cache(), missing_bytes(listing)
    there = next((each for each in (cache, *cache.parents) if each.exists()), cache)
    free = shutil.disk_usage(there).free
    if needed > free:
        why = f"{needed:,} bytes are to be downloaded and {free:,} bytes are free at {cache}"
        raise UsageError(f"There is no room for {listing.id}", why, "Free space, or set HF_HUB_CACHE to another disk.")


def download_model(
    listing: HubListing, progress: Callable[[int, int | None], None], waits: Callable[[], None] = lambda: None
) -> Path:
    """Fetch what is not in the hub's cache yet and return the folder; a cut transfer goes on where it was.

    `waits` is called when another process fetches the same files; its end is waited for.
    """
    hub = connect(listing.id, listing.revision, None, kind="model")
    target = snapshot_folder(listing.id, listing.revision)
    try:
        make_private(target)
        with (target.parent.parent / f".{listing.revision}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waits()
                fcntl.flock(lock, fcntl.LOCK_EX)
            bring(hub, listing, target, progress)
            _require_parts(listing, target)
    except OSError as error:
        what, why = f"{listing.id} cannot be kept in {target}", error.strerror or str(error)
        raise ForgeError(what, why, "Free space or set HF_HUB_CACHE to another folder; what came is kept.") from None
    return target


def _require_parts(listing: HubListing, target: Path) -> None:
    if not is_whole(target):
        why = f"{_INDEX} names files that the hub does not list"
        raise ForgeError(f"{listing.id} on the hub is not whole", why, "Choose another: forge-tui models")


def revision_text(listing: HubListing) -> str:
    """`8 files, 12,345,678 bytes, revision 0123456789ab, licence mit`."""
    told = f"{len(listing.files):,} files, {_size_text(listing.total_bytes or 0)}, revision {listing.revision[:12]}"
    return f"{told}, licence {listing.license or 'unknown'}" + (", access on request" if listing.gated else "")


def _size_text(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"
