"""Models of timm and detectors, whose layers no formula tells: what one picture leaves and takes in each, measured."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
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


# Convolutions channel by channel move more numbers than they multiply; a network of them does fewer operations for each
# byte that it keeps: 7 to 37 of mobile and efficient ones, 50 to 400 of all others.
_LIGHT = 40


@dataclass(frozen=True)
class PictureWork:
    """The operations that reading one picture takes; a `light` network moves more than it multiplies."""

    operations: int
    is_light: bool


def picture_work(model: Model) -> PictureWork | None:
    """How much work one picture of its usual size is for a model; None for one that was not measured."""
    found = _table().get(model.id)
    return PictureWork(found["operations"], found["operations"] < _LIGHT * found["kept"]) if found is not None else None


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
