"""In which order models are shown for a machine, and which of them cannot fit it: a bound below, no estimate.

Weights alone are the least that any use of a model takes, so what does not even hold them is too large. The order is
that of a plan, by the estimate of memory; what fits to be trained stands in model_fit.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backends.registry import TASK_DATA
from profiles.catalog import Model, weights_bytes
from profiles.device import choose_device
from profiles.hardware import Hardware
from profiles.options import Place

TOO_LARGE = "too-large"
# Language models are loaded in 16 bits or fewer, the others are trained from 32-bit weights.
_BYTES = {"causal-lm": 2.0, "vision-language": 2.0}
_OTHER_BYTES = 4.0
# The least that loaded weights take: 4 bits each, with the scales of their groups left out.
_LEAST_BYTES = {"causal-lm": 0.5, "vision-language": 0.5}


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
    """The best for a machine first, as a plan takes them for the task that all models, or those of a kind, are for.

    Then what is larger than is sensible, then what is tight or of unknown size, the smaller the earlier, and what is
    too large last.
    """
    known = list(models)
    device, every = choose_device(hardware), _shared_task(known)
    kinds = {model.kind for model in known}
    tasks = {kind: every or _shared_task([each for each in known if each.kind == kind]) for kind in kinds}

    def position(model: Model) -> tuple[float, ...]:
        stands, task = standing(model, hardware), tasks[model.kind]
        size = stands.weights_bytes
        if stands.fit == TOO_LARGE:
            return 3, size or 0
        place = Place(task or model.tasks[0], STRATEGIES.get(task or ""), device)
        if size is None or not place.methods(model):
            return 2, not model.first_choice, size or 0
        option = place.best_method(model)
        if place.is_roomy(option):
            return (0 if place.is_sensible(model) else 1), *(-float(each) for each in place.quality(option))
        return 2, not model.first_choice, size

    return tuple(sorted(known, key=position))


# A plan starts from models that can answer.
STRATEGIES = {"text-generation": "sft", "reward-modeling": "reward"}


def _shared_task(models: Sequence[Model]) -> str | None:
    """The first task that all models are good for; None where there is none."""
    shared = set.intersection(*(set(each.tasks) for each in models)) if models else set()
    return next((task.id for task in TASK_DATA if task.id in shared), None)
