"""Where the data of a command lies: a local path, or a copy of a data set of the hub, fetched only when asked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from backends.contract import UsageError
from forge_tui.cli.output import say
from forge_tui.formatting import gibibytes
from forge_tui.paths import data_path, forge_home


def local_data(named: str, download: bool = False) -> Path:
    """The local path of what a person named; raises UsageError for a hub id that is not here and was not to be fetched.

    Nothing is fetched that was not shown with its size before.
    """
    path = data_path(named)
    if os.path.lexists(path):
        return path
    from backends.formats.hub import download_dataset, list_dataset, looks_like_hub_id

    if not looks_like_hub_id(named):
        return path
    copies = _copies(named)
    if copies and not download:
        say(f"using the copy of {named} in {copies[-1]}")
        return copies[-1]
    listing = list_dataset(named)
    size = (
        f"{gibibytes(listing.total_bytes)} GiB" if (listing.total_bytes or 0) >= 2**30 else _small(listing.total_bytes)
    )
    told = f"{len(listing.files):,} data files, {size}, revision {listing.revision[:12]}"
    if not download:
        raise UsageError(
            f"{listing.id} is a data set of the hub and not on this machine",
            f"it has {told}, licence {listing.license or 'unknown'}" + (", access on request" if listing.gated else ""),
            "Fetch it by adding --download, or name a local file.",
        )
    say(f"fetching {listing.id}: {told}")
    folder = download_dataset(listing, forge_home() / "data", _progress if sys.stderr.isatty() else None)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    return folder


def _small(count: int | None) -> str:
    return "of unknown size" if count is None else f"{count / 2**20:,.1f} MiB"


def _copies(named: str) -> list[Path]:
    """Whole copies that were fetched before, the newest last."""
    name, _, revision = named.partition("@")
    folder = forge_home() / "data" / name.replace("/", "--")
    found = [each for each in folder.glob(f"{revision}*" if revision else "*") if each.is_dir()]
    return sorted((each for each in found if not any(each.rglob("*.part"))), key=lambda each: each.stat().st_mtime)


def _progress(done: int, total: int | None) -> None:
    share = f" of {total / 2**20:,.1f} MiB, {done / max(1, total):.0%}" if total else " MiB"
    sys.stderr.write(f"\rfetched {done / 2**20:,.1f}{share}   ")
    sys.stderr.flush()
