"""Brings the model of a run from the hub, where the spec names one: what was shown before the start, and no more.

This is done before any machine learning library is imported, because these read HF_HUB_OFFLINE when they are and shall
never ask a network themselves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from backends.contract import CHOSEN_OFFLINE, ForgeError, RunSpec
from backends.events import EventWriter
from backends.formats.hub_models import download_model, list_model, revision_text, whole_snapshot

_EVENT_SECONDS = 0.5


def bring_model(spec: RunSpec, events: EventWriter) -> RunSpec:
    """The spec with the folder of its model; a model of the hub that is not whole in the cache is downloaded first.

    Raises ForgeError when the hub does not give it, and when it is larger than what was shown before the start.
    """
    if spec.revision is None:
        return spec
    folder = whole_snapshot(spec.model, spec.revision)
    if folder is None:
        events.phase("loading-model")
        with _hub_allowed():
            folder = _download(spec, events)
    return replace(spec, model=str(folder), revision=None)


def _download(spec: RunSpec, events: EventWriter) -> Path:
    listing = list_model(spec.model, spec.revision)
    shown = spec.download_bytes or 0
    if (listing.total_bytes or 0) > shown:
        raise ForgeError(
            f"{spec.model} is larger than was shown before the start",
            f"its files have {listing.total_bytes:,} bytes, and spec.toml says {shown:,}",
            "Start a new run, which shows the size: forge-tui train spec.toml",
        )
    events.notice(f"downloading {spec.model}: {revision_text(listing)}")
    last, told = 0.0, -1

    def progress(done: int, total: int | None) -> None:
        nonlocal last, told
        if done != told and (done == total or time.monotonic() - last >= _EVENT_SECONDS):
            last, told = time.monotonic(), done
            events.emit("progress", phase="loading-model", done=done, total=total)

    return download_model(
        listing, progress, lambda: events.notice(f"another run downloads {spec.model}; waiting for it")
    )


@contextmanager
def _hub_allowed() -> Iterator[None]:
    """Let the hub be asked, unless the person who started the run forbade it."""
    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = os.environ.get(CHOSEN_OFFLINE, "")
    try:
        yield
    finally:
        os.environ["HF_HUB_OFFLINE"] = before or "1"
