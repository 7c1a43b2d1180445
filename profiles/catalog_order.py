"""In which order models are shown for a machine, and which of them cannot fit it: a bound below, no estimate.

Weights alone are the least that any use of a model takes, so what does not even hold them is too large. What training
takes besides is for the estimator; here nothing is ever called fitting.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from profiles.catalog import Model, weights_bytes
from profiles.hardware import Hardware
from profiles.hardware_profiles import CPU_PROFILE

TOO_LARGE = "too-large"
# Language models are loaded in 16 bits or fewer, the others are trained from 32-bit weights.
_BYTES = {"causal-lm": 2.0, "vision-language": 2.0}
_OTHER_BYTES = 4.0
# The least that loaded weights take: 4 bits each, with the scales of their groups left out.
_LEAST_BYTES = {"causal-lm": 0.5, "vision-language": 0.5}
# Weights up to this share of the free memory leave room for gradients, optimizer and activations of most methods.
_COMFORTABLE_SHARE = 1 / 3
# Without a GPU time is short before memory is: about 150 million parameters in 32 bits, for pictures and sound 15.
_COMFORTABLE_ON_CPU_BYTES, _COMFORTABLE_SENSES_ON_CPU_BYTES = 600_000_000, 60_000_000
_SENSES = ("image", "detector", "speech", "video")


@dataclass(frozen=True)
class Standing:
    """How the weights of a model stand to a machine; None is unknown. `fit` is `too-large` or not known yet."""

    weights_bytes: int | None
    free_bytes: int | None
    fit: str | None


def standing(model: Model, hardware: Hardware) -> Standing:
    """The weights as they are usually loaded, and whether even the smallest form of them cannot fit."""
    free = free_bytes(hardware)
    if model.parameters is None:
        return Standing(None, free, None)
    usual = weights_bytes(model.parameters, _BYTES.get(model.kind, _OTHER_BYTES))
    least = weights_bytes(model.parameters, _LEAST_BYTES.get(model.kind, 2.0))
    return Standing(usual, free, TOO_LARGE if free is not None and least > free else None)


def bits(model: Model) -> int:
    """The bits of a weight as `standing` counts it."""
    return int(8 * _BYTES.get(model.kind, _OTHER_BYTES))


def free_bytes(hardware: Hardware) -> int | None:
    """The memory that weights may take: of all GPUs together, since weights can be parted; without one, of the machine.

    None where a GPU does not tell its memory.
    """
    if not hardware.gpus:
        return hardware.memory_available_bytes
    each = [gpu.memory_free_bytes for gpu in hardware.gpus]
    return None if any(free is None for free in each) else sum(free or 0 for free in each)


def ordered(models: Iterable[Model], hardware: Hardware) -> tuple[Model, ...]:
    """The best for a machine first: what fits comfortably, the first choices and open licences before the rest.

    Then what is tight or of unknown size, the smaller the earlier, and what is too large last.
    """

    def place(model: Model) -> tuple[float, ...]:
        stands, room = standing(model, hardware), _comfortable_bytes(model, hardware)
        size = stands.weights_bytes
        if stands.fit == TOO_LARGE:
            return (2, size or 0)
        if size is None or room is None or size > room:
            return (1, not model.first_choice, size or 0)
        licence = {True: 0, None: 1, False: 2}[model.open_licence] + (1 if model.gated else 0)
        return (0, not model.first_choice, licence, -size)

    return tuple(sorted(models, key=place))


def _comfortable_bytes(model: Model, hardware: Hardware) -> float | None:
    if hardware.profile == CPU_PROFILE:
        return _COMFORTABLE_SENSES_ON_CPU_BYTES if model.kind in _SENSES else _COMFORTABLE_ON_CPU_BYTES
    best = hardware.best_gpu
    return None if best is None or best.memory_free_bytes is None else best.memory_free_bytes * _COMFORTABLE_SHARE
