"""A model that a run downloads from the hub: which commit of it, how many bytes, and whether they have room here."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from backends.contract import ForgeError, UsageError
from backends.formats.hub import HubListing
from backends.formats.hub_models import (
    is_model_id,
    list_model,
    missing_bytes,
    require_room,
    revision_text,
    whole_snapshot,
)
from backends.formats.hub_transport import connect
from backends.registry import TASKS
from forge_tui.paths import typed_path
from profiles.catalog import Model


@dataclass(frozen=True)
class HubModel:
    """What of a model is downloaded when its run starts; `total_bytes` is None where nothing is, and nothing was asked.

    `where` and `told` are words for a person.
    """

    revision: str
    total_bytes: int | None
    missing_bytes: int
    where: str
    told: str


def is_on_hub(model: Model, is_local: bool, revision: str | None) -> bool:
    """Whether a run takes its model by its name on the hub: what is not here, or must be of a certain revision."""
    if not is_model_id(model.id) or typed_path(model.id).is_dir():
        return False
    return not is_local or revision is not None


def hub_model(model: Model, task: str, revision: str | None) -> HubModel:
    """Ask the hub what is to be downloaded of a model; of what is whole on this machine nothing is asked.

    Raises UsageError, with what can be trained without it, when the hub does not give it or the disk has no room.
    """
    if revision is not None and whole_snapshot(model.id, revision) is not None:
        return HubModel(revision, None, 0, "is on this machine", f"nothing, revision {revision[:12]}")
    try:
        listing = _listed(model.id, revision, connect(model.id, "main", None, kind="model").endpoint)
        require_room(listing)
    except ForgeError as error:
        presets = ", ".join(next((each.models for each in TASKS if each.id == task), ()))
        raise UsageError(
            f"{model.id} is not on this machine, and cannot be downloaded",
            f"{error.what}: {error.why}",
            f"{error.fix} Without a download: {presets or 'none'}.",
        ) from None
    missing = missing_bytes(listing)
    part = "" if missing == listing.total_bytes else f"; {missing:,} bytes of them are missing"
    return HubModel(
        listing.revision,
        listing.total_bytes,
        missing,
        "is not on this machine, and is downloaded first",
        f"{revision_text(listing)}{part}",
    )


# While an app plans again and again the hub is asked once; what is pinned does not change between review and start.
@functools.lru_cache(maxsize=64)
def _listed(model_id: str, revision: str | None, endpoint: str) -> HubListing:
    return list_model(model_id, revision)
