"""The settings of a plan made to fit: activations kept and rows at once as there is memory for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from backends.contract import DatasetProfile
from profiles.alternatives import MAKES_IT_FIT, Alternative
from profiles.catalog import Model, models_for
from profiles.device import Device
from profiles.fit import FITS, Change
from profiles.methods import methods_for
from profiles.options import Place, gib, is_preset
from profiles.plan_memory import PlanMemory, memory_of, memory_of_trees
from profiles.recommend import Recommendation
from profiles.starting_settings import Setting
from profiles.trainer_setups import trainer_setup
from profiles.training_setup import Training

_BATCH, _PASSES = "per_device_train_batch_size", "gradient_accumulation_steps"
_CHECKPOINTING, _LENGTH = "gradient_checkpointing", "max_length"
_BUSY_TOKENS = 8192  # at once: with more a large GPU is hardly quicker (a rule of thumb)
_SMALLER_MODELS = 40
# Their vectors are handed from layer to layer as a cache, which making activations again switches off.
_NEVER_CHECKPOINTED = ("prompt-tuning", "prefix-tuning")


def memory_of_plan(
    found: Recommendation, settings: Mapping[str, Setting], data: DatasetProfile, device: Device
) -> PlanMemory:
    """What a run with these settings takes on a device."""
    on_gpu, model = device.gpu is not None, found.model
    if model.kind == "trees":
        values = {name: each.value for name, each in settings.items()}
        features, classes = data.stats.get("features"), data.stats.get("label_count") or 1
        many = classes if found.task == "tabular-classification" and classes > 2 else 1
        count = len(features) if features else None
        return memory_of_trees(
            data.usable_rows, count, many, device.free_bytes, int(values.get("max_depth") or 6), on_gpu
        )
    setup = _setup(found, settings, device)
    able = [
        each.id for each in methods_for(found.task, model.kind, device.gpu, not is_preset(model), model.architecture)
    ]
    return memory_of(model, setup, device.free_bytes, on_gpu, able, _smaller(found, device))


def _setup(found: Recommendation, settings: Mapping[str, Setting], device: Device) -> Training:
    values = {name: each.value for name, each in settings.items()}
    on_gpu = device.gpu is not None
    return trainer_setup(found.model, found.method.id, values, on_gpu, found.task, found.strategy.id)


def _smaller(found: Recommendation, device: Device) -> Sequence[Model]:
    """Smaller models that are good for the task and as free to use."""
    place = Place(found.task, found.strategy.id, device)
    size = found.model.parameters
    if size is None:
        return ()
    models = [each for each in models_for(found.task) if each.kind == found.model.kind and not is_preset(each)]
    suited = [each for each in models if (each.parameters or size) < size and each.open_licence and place.suits(each)]
    return sorted(suited, key=lambda each: -(each.parameters or 0))[:_SMALLER_MODELS]


def fitted_settings(
    found: Recommendation,
    settings: Mapping[str, Setting],
    chosen: Collection[str],
    data: DatasetProfile,
    device: Device,
) -> tuple[dict[str, Setting], PlanMemory]:
    """The settings with activations kept where they fit, else with as many rows at once as fit; and their memory.

    The rest of a batch is worked on in turn. What was chosen by the person stays as it is.
    """
    memory = memory_of_plan(found, settings, data, device)
    if _CHECKPOINTING not in chosen and found.model.kind != "trees" and _setup(found, settings, device).checkpointing:
        settings, memory = _keeping_activations(found, settings, chosen, memory, data, device)
    batch = settings.get(_BATCH)
    if memory.verdict in (FITS, None) or batch is None or _BATCH in chosen or memory.largest_batch is None:
        return dict(settings), memory
    wanted = int(batch.value)
    rows = 1
    while 2 * rows <= min(memory.largest_batch, wanted - 1):
        rows *= 2
    if rows >= wanted:
        return dict(settings), memory
    why = (
        f"as many at once as fit the memory of {device.name}" if memory.largest_batch else "as little memory as can be"
    )
    fitted = _with_rows(settings, rows, f"{why}, instead of {wanted}", chosen)
    return fitted, memory_of_plan(found, fitted, data, device)


def _with_rows(settings: Mapping[str, Setting], rows: int, why: str, chosen: Collection[str]) -> dict[str, Setting]:
    """The settings with so many rows at once; a step is still made of as many in all, if that was not chosen."""
    wanted = int(settings[_BATCH].value)
    fitted = {**settings, _BATCH: Setting(rows, why)}
    if _PASSES not in chosen:
        before = int(settings[_PASSES].value) if _PASSES in settings else 1
        passes = -(-before * wanted // rows)
        fitted[_PASSES] = Setting(passes, f"so that a step is still made of {passes * rows} rows")
    return fitted


def _keeping_activations(
    found: Recommendation,
    settings: Mapping[str, Setting],
    chosen: Collection[str],
    memory: PlanMemory,
    data: DatasetProfile,
    device: Device,
) -> tuple[Mapping[str, Setting], PlanMemory]:
    """The settings without gradient checkpointing where that fits; else with it, and what would be needed without.

    Fewer rows at once may make it fit, as long as they are enough to keep the device busy.
    """
    kept = Setting(False, "there is memory to keep the activations: a quarter less time (Chen et al. 2016)")
    with_kept = {**settings, _CHECKPOINTING: kept}
    without = memory_of_plan(found, with_kept, data, device)
    if without.verdict == FITS:
        return with_kept, without
    if without.safe_bytes is None or device.free_bytes is None or found.method.id in _NEVER_CHECKPOINTED:
        return settings, memory
    for rows in _fewer_rows(settings, chosen):
        why = f"so few that activations can be kept, and still {_BUSY_TOKENS:,} tokens at once"
        fewer = _with_rows(with_kept, rows, why, chosen)
        of_fewer = memory_of_plan(found, fewer, data, device)
        if of_fewer.verdict == FITS:
            return fewer, of_fewer
    needed = f"it would take {gib(without.safe_bytes)} to keep the activations, {gib(device.free_bytes)} are free"
    return {**settings, _CHECKPOINTING: Setting(True, f"{needed} (Chen et al. 2016)")}, memory


def _fewer_rows(settings: Mapping[str, Setting], chosen: Collection[str]) -> Iterator[int]:
    """Halves of the rows at once, and halves of these, that a device still has enough to do with."""
    if _BATCH not in settings or _LENGTH not in settings or _BATCH in chosen or _PASSES in chosen:
        return
    rows, length = int(settings[_BATCH].value) // 2, int(settings[_LENGTH].value)
    while rows * length >= _BUSY_TOKENS:
        yield rows
        rows //= 2


def as_alternative(found: Recommendation, change: Change) -> Alternative:
    """The cheapest change that makes a plan fit, as one of its alternatives."""
    model = change.model or found.model
    sizes = f"{gib(change.total_bytes)}, {gib(change.saves_bytes)} less"
    reason = f"with {change.what} it fits: {sizes}; it costs {change.costs}; {change.flags}"
    return Alternative(MAKES_IT_FIT, found.task, found.strategy.id, reason, model, change.setup.method, None)


def with_memory(found: Recommendation, memory: PlanMemory) -> Recommendation:
    """The recommendation with what makes it fit, where it does not, as its first alternative."""
    if memory.cheapest is None:
        return found
    return replace(found, alternatives=(as_alternative(found, memory.cheapest), *found.alternatives))
