"""The memory of models of timm and of detectors: what one picture leaves in each, measured, times the pictures."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from profiles.catalog import Model
from profiles.memory_stacks import Network
from profiles.training_setup import Training

# Alive at once in the backward pass beside what is kept: the gradients of the largest numbers entering and leaving a
# layer.
_WORKING = 2


@cache
def _table() -> Mapping[str, Mapping[str, int]]:
    path = Path(__file__).with_name("picture_activations.toml")
    return {each["id"]: each for each in tomllib.loads(path.read_text(encoding="utf-8"))["model"]}


def picture_network(model: Model, setup: Training) -> Network | None:
    """A model as a network whose layers are not told apart; None for one that was not measured.

    Pictures have the side that is usual for the model, of detectors 640 pixels.
    """
    is_timm = model.shape is not None and model.shape.architecture == "timm"
    if not (is_timm or model.kind == "detector") or model.parameters is None:
        return None
    found: Any = _table().get(model.id)
    if found is None or setup.checkpointing or not setup.trains_all:
        return None
    narrow = setup.activation_bytes == 2
    kept = found["kept_narrow" if narrow else "kept"] + _WORKING * found["widest"] * setup.activation_bytes // 4
    weights = 2 * model.parameters if setup.autocast and setup.weight_bytes == 4 else 0  # 16-bit copies
    return Network((), model.parameters, 0, 0, 0, 0, 0, float(setup.rows * kept + weights), False)
