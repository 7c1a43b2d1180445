"""How long a planned run takes and what it costs: from its settings, the device, and runs that finished here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backends.contract import DatasetProfile
from forge_tui.history import outcomes, time_correction
from forge_tui.plan_sizes import RowCounts
from forge_tui.settings import read_prices
from profiles.device import Device
from profiles.duration import (
    Cost,
    Duration,
    cost_of,
    evaluation_passes,
    run_duration,
    seeing_speed,
    seeing_step_seconds,
    speed_of,
    step_seconds,
    trees_duration,
)
from profiles.hardware import Hardware
from profiles.memory_pictures import picture_work
from profiles.plan_memory import shape_of
from profiles.prompting_cost import PromptingCost, prompting_cost, request_tokens
from profiles.recommend import Recommendation
from profiles.trainer_setups import trainer_setup

# The trainers score ten times in a run (backends/text_classification.py).
_EVALUATIONS = 10
_BATCH = "per_device_train_batch_size"


@dataclass(frozen=True)
class PlanTime:
    """A run's length and cost; where they are not known, `reason` says why.

    `prompting` is there where a price of tokens is set.
    `step_seconds` is a step of the longest rows as it was worked out, at best and at worst; `reading` are the passes of
    all evaluations, counted in steps.
    """

    duration: Duration | None
    cost: Cost | None
    reason: str
    step_seconds: tuple[float, float] | None = None
    reading: float = 0.0
    prompting: PromptingCost | None = None


def plan_time(
    found: Recommendation,
    values: Mapping[str, Any],
    data: DatasetProfile,
    rows: RowCounts,
    steps: int | None,
    device: Device,
    hardware: Hardware | None,
) -> PlanTime:
    """The length and the cost of a run with these settings, and of prompting where a price of tokens is set."""
    told = _run_time(found, values, data, rows, steps, device, hardware)
    tokens, prices = request_tokens(found.task, data.stats), read_prices().tokens
    if tokens is None or (prices.read is None and prices.written is None):
        return told
    return replace(told, prompting=prompting_cost(tokens, prices))


def _run_time(
    found: Recommendation,
    values: Mapping[str, Any],
    data: DatasetProfile,
    rows: RowCounts,
    steps: int | None,
    device: Device,
    hardware: Hardware | None,
) -> PlanTime:
    if hardware is None:
        return PlanTime(None, None, "the machine was not looked at")
    if steps is None:
        return PlanTime(None, None, "how many steps there are shows only in training")
    speed = speed_of(device.gpu, hardware.cpu)
    duration: Duration | None = None
    step: tuple[float, float] | None = None
    passes = int(values.get("gradient_accumulation_steps") or 1)
    if found.model.kind == "trees":
        classes = data.stats.get("label_count") or 1
        many = classes if found.task == "tabular-classification" and classes > 2 else 1
        features = len(data.stats.get("features") or {}) or 1
        if device.gpu is None:
            duration = trees_duration(rows.train, features, steps, many, hardware.cpu.cores)
        reason = "how long a round of boosting takes on this device is not known"
    else:
        reason = _unknown(device)
        usual: tuple[float, float] | None
        long: tuple[float, float] | None
        once: tuple[float, float] | None
        shape, seeing = shape_of(found.model), picture_work(found.model)
        if speed is not None and (shape is not None or seeing is not None):
            setup = trainer_setup(
                found.model, found.method.id, values, device.gpu is not None, found.task, found.strategy.id
            )
            lengths = (*_row_tokens(data, setup.length), float(setup.length))
            if seeing is not None:
                speed = seeing_speed(speed, seeing.is_light)
                usual, long, once = (seeing_step_seconds(seeing.operations, setup, speed) for _ in lengths)
            else:
                assert shape is not None
                usual, long, once = (step_seconds(shape, setup, speed, tokens) for tokens in lengths)
            known = time_correction(outcomes(), device.visible or "cpu", found.task)
            batches = evaluation_passes(rows.eval or 0, _EVALUATIONS, setup.batch)
            duration = run_duration(usual, long, speed, steps, passes, batches, *(known or (None, 0)))
            step = (once[0] * passes, once[1] * passes) if once is not None else None
        if duration is None and (speed is not None or (shape is None and seeing is None)):
            reason = "how much work this kind of network is, is not known"
    reading = evaluation_passes(rows.eval or 0, _EVALUATIONS, int(values.get(_BATCH) or 1)) / passes
    if duration is None:
        return PlanTime(None, None, reason, None, reading)
    return PlanTime(duration, run_cost(duration, device, hardware), duration.reason, step, reading)


def run_cost(duration: Duration, device: Device, hardware: Hardware | None) -> Cost | None:
    """What a run of this length costs at the prices in settings.toml."""
    prices, speed = read_prices(), speed_of(device.gpu, hardware.cpu if hardware is not None else None)
    watts = (device.gpu.power_limit_watts or (speed.watts if speed else None)) if device.gpu is not None else None
    return cost_of(duration, watts, prices.per_hour, prices.per_kwh)


def _unknown(device: Device) -> str:
    if device.gpu is None:
        return "the number of cores is not known"
    if device.gpu.name is None:
        return "which GPU it is, is not known; with a file of `hardware --json` from there it would be"
    return f"how fast {device.gpu.name} is, is not known"


def _row_tokens(data: DatasetProfile, longest: int) -> tuple[float, float]:
    """The tokens of a usual and of a long row; rows of a batch are padded to its longest."""
    lengths = data.stats.get("lengths") or {}
    usual, long = lengths.get("median", longest), lengths.get("p95", longest)
    return float(max(1, min(usual, longest))), float(max(1, min(1.25 * long, longest)))
