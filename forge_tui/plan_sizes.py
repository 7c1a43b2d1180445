"""How large a run will be: rows on each side of the split, steps, bytes on the disk; unknown is None."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.contract import DatasetProfile, UsageError
from backends.formats.split import rows_to_hold_out
from profiles.catalog import Model, bytes_to_download

# The last two checkpoints and the best are kept, with the weights in 32 bits and the two moments of Adam.
_CHECKPOINTS, _CHECKPOINT_BYTES, _MODEL_BYTES = 3, 12, 4
_ADAPTER_SHARE = 0.02  # of the weights, about: 16 ranks on every linear layer of a 7 billion model are 0.6%
_DEFAULT_FRACTION = 0.2


@dataclass(frozen=True)
class RowCounts:
    """The rows of a data set and how many of those that can be used are trained and scored on."""

    rows: int | None
    train: int | None
    eval: int | None
    test: int | None = None


def row_counts(
    profile: DatasetProfile, preparation: Mapping[str, Any], settings: Mapping[str, Any], stratified: bool
) -> RowCounts:
    """The rows on each side as the trainer will divide them; where groups or times decide, nobody knows yet."""
    parts = profile.stats.get("parts", {})
    part = profile.evaluation_part
    if part is not None:
        test = parts["test"]["usable_rows"] if part != "test" and "test" in parts else None
        return RowCounts(profile.rows, profile.training_rows, parts[part]["usable_rows"], test)
    if preparation.get("group_column") or preparation.get("time_column"):
        return RowCounts(profile.rows, None, None)
    rows = profile.training_rows
    held_out = rows_to_hold_out(rows, settings.get("eval_fraction") or _DEFAULT_FRACTION)
    counts = list((profile.stats.get("labels") or {}).values())
    if stratified and len(counts) > 1 and len(counts) == profile.stats.get("label_count") and sum(counts) == rows:
        share = held_out / rows
        held_out = sum(min(max(1, round(count * share)), count - 1) for count in counts)
    return RowCounts(profile.rows, rows - held_out, held_out)


def total_steps(settings: Mapping[str, Any], train_rows: int | None) -> int | None:
    """The steps of a whole run as Transformers' Trainer counts them; of trees the rounds at most."""
    if settings.get("max_steps"):
        return int(settings["max_steps"])
    if "n_estimators" in settings:
        return int(settings["n_estimators"])
    batch, epochs = settings.get("per_device_train_batch_size"), settings.get("num_train_epochs")
    if train_rows is None or not batch or not epochs or settings.get("packing") or settings.get("num_generations"):
        return None  # how many rows texts are packed into, or tries are made of, shows only in training
    batches = math.ceil(train_rows / batch)
    return math.ceil(math.ceil(batches / (settings.get("gradient_accumulation_steps") or 1)) * epochs)


def download_bytes(model: Model, is_local: bool) -> int | None:
    """The least that must be downloaded."""
    return 0 if is_local else bytes_to_download(model)


def disk_bytes(model: Model, method: str, is_local: bool) -> int | None:
    """About what the download, three checkpoints and the model, or its adapter, take; None where unknown."""
    parameters, download = model.parameters, download_bytes(model, is_local)
    if parameters is None or download is None:
        return None
    learned = parameters if method == "full" else int(parameters * _ADAPTER_SHARE)
    return download + learned * (_CHECKPOINTS * _CHECKPOINT_BYTES + _MODEL_BYTES)


def length_warning(model: Model, values: Mapping[str, Any]) -> str | None:
    """What happens when texts are cut at more tokens than the model is made for; None when they are not.

    Raises UsageError where it numbers the places of a text and has no number for those beyond.
    """
    wanted = values.get("max_length")
    if model.context is None or type(wanted) is not int or wanted <= model.context:
        return None
    if model.shape is not None and model.shape.positions is not None:
        raise UsageError(
            f"max_length = {wanted:,} is not possible with {model.id}",
            f"it has learned {model.context:,} places of a text, and none beyond",
            f"Take at most max_length={model.context}, or a model that reads more: forge-tui models",
        )
    made_for = f"{model.id} is made for texts of up to {model.context:,} tokens"
    return f"max_length is {wanted:,}, but {made_for}: expect less of it"
