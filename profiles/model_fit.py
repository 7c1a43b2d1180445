"""Whether training a model fits a machine, and by which method: one row of usual length at a time, with the margin.

A catalog is told for all its models at once, without data: a plan says it for your rows and settings.
"""

from __future__ import annotations

from dataclasses import dataclass

from profiles.catalog import Model
from profiles.catalog_order import STRATEGIES, TOO_LARGE, standing
from profiles.device import Device, choose_device
from profiles.fit import FITS
from profiles.hardware import Hardware
from profiles.options import Option, Place


@dataclass(frozen=True)
class ModelFit:
    """`fits`, `tight`, `too-large` or None where that cannot be told; `method` is the one that trains most of it.

    `is_slow`: it fits, and takes far too long without a GPU.
    """

    verdict: str | None
    method: str | None = None
    is_slow: bool = False


def model_fit(model: Model, hardware: Hardware, task: str | None = None, device: Device | None = None) -> ModelFit:
    """The verdict of the first method that fits with its margin, else of the one that needs least."""
    if standing(model, hardware).fit == TOO_LARGE:
        return ModelFit(TOO_LARGE)
    wanted = task or model.tasks[0]
    place = Place(wanted, STRATEGIES.get(wanted), device or choose_device(hardware))
    found = ModelFit(None)
    for method in place.methods(model):
        option = Option(model, method)
        judged = place.judged(option)
        if judged is not None and judged.verdict is not None:
            found = ModelFit(judged.verdict, method.id, place.is_slow(option))
            if judged.verdict == FITS:
                break
    return found
