"""A plan as the object of `plan --json` and as lines for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from forge_tui.formatting import counted, duration
from forge_tui.memory_report import bar_lines, memory_json, verdict_text
from forge_tui.model_choice import source_of
from forge_tui.plain import plain
from forge_tui.plan_sizes import download_bytes
from forge_tui.planning import Plan
from forge_tui.prompting_text import money_range, prompting_json, prompting_text
from profiles.alternatives import Alternative
from profiles.options import gib, is_preset
from profiles.strategies import REWARD

_LABEL_WIDTH = 10


def plan_json(plan: Plan) -> dict[str, Any]:
    """The object that `plan --json` prints; what is not known is None."""
    found = plan.recommendation
    return {
        "task": plan.task.id,
        "strategy": found.strategy.id,
        "approach": _approach(plan),
        "model": {
            "id": found.model.id,
            "source": source_of(found.model),
            "parameters": found.model.parameters,
            "license": found.model.licence,
            "local": found.is_local,
        },
        "method": found.method.id,
        "settings": {name: {"value": each.value, "reason": each.reason} for name, each in plan.settings.items()},
        "memory": memory_json(plan.memory),
        "duration": {"steps": plan.steps, "seconds": _seconds(plan), "reason": _time_reason(plan)},
        "data": asdict(plan.rows),
        "disk": {"needed_bytes": plan.needed_bytes, "free_bytes": plan.free_bytes},
        "cost": _cost_json(plan),
        "alternatives": [_alternative_json(each) for each in found.alternatives],
        "warnings": list(plan.warnings),
    }


def _approach(plan: Plan) -> str:
    if plan.task.is_tabular:
        return "tabular-model"
    return "from-scratch" if is_preset(plan.recommendation.model) else "fine-tuning"


def _alternative_json(each: Alternative) -> dict[str, Any]:
    return {
        "label": each.label,
        "task": each.task,
        "strategy": each.strategy,
        "model": each.model.id if each.model is not None else None,
        "method": each.method,
        "local": each.is_local,
        "reason": each.reason,
    }


# --- for people --------------------------------------------------------------------------------------------------


def plan_lines(plan: Plan, width: int = 80) -> Iterator[str]:
    """The plan, every choice with its reason, no line wider than `width`."""
    found = plan.recommendation
    roles = ", ".join(f"{role} = {column}" for role, column in plan.profile.columns.items())
    asked = "you chose it" if plan.request.task is not None else found.strategy.reason
    yield from _entry("task", plan.task.id, asked if found.strategy.id is None else None, width)
    if found.strategy.id is not None:
        yield from _entry("strategy", found.strategy.id, found.strategy.reason, width)
    yield from _entry("data", _rows_text(plan), roles, width)
    yield from _entry("model", found.model.id, found.model_reason, width)
    if not found.is_local:
        size = download_bytes(found.model, found.is_local)
        told = plan.hub_model.told if plan.hub_model is not None else f"{gib(size)} or more" if size else ""
        yield from _entry("", "", f"to be downloaded{f', {told}' if told else ''}", width)
    if found.model.licence is not None:
        yield from _entry("", "", f"licence {found.model.licence}", width)
    yield from _entry("method", found.method.id, found.method_reason, width)
    yield from _entry("device", plan.device.name, plan.device.reason, width)
    yield from _entry("memory", *memory_text(plan), width)
    for line in bar_lines(plan.memory, width - _LABEL_WIDTH):
        yield f"{' ' * (_LABEL_WIDTH - 2)}{line}"
    yield from _entry("time", time_text(plan), plan.time.reason, width)
    yield from _cost_lines(plan, width)
    needed = "unknown" if plan.needed_bytes is None else f"about {gib(plan.needed_bytes)}"
    free = "" if plan.free_bytes is None else f"{gib(plan.free_bytes)} free"
    yield from _entry("disk", needed, free, width)
    yield ""
    yield "settings"
    names = max(map(len, plan.settings), default=0)
    values = max((len(_value(each.value)) for each in plan.settings.values()), default=0)
    for name, each in plan.settings.items():
        head = f"  {name:<{names}}  {_value(each.value):>{values}}  "
        yield from _wrapped(head, each.reason, width)
    if found.alternatives:
        yield ""
        yield "alternatives"
    for alternative in found.alternatives:
        yield from _alternative_lines(alternative, plan, width)
    if plan.warnings:
        yield ""
    for warning in plan.warnings:
        yield from _wrapped("! ", warning, width)


def _rows_text(plan: Plan) -> str:
    rows = plan.rows
    if rows.train is None or rows.eval is None:
        return f"{plan.profile.training_rows:,} rows"
    test = f", {rows.test:,} kept for a test" if rows.test is not None else ""
    return f"{rows.train:,} rows to train on, {rows.eval:,} to score on{test}"


def _seconds(plan: Plan) -> float | None:
    duration = plan.time.duration
    return None if duration is None else round(duration.middle, 1)


def time_text(plan: Plan) -> str:
    """`2m 10s to 20m 05s, 1,680 steps`."""
    steps = "unknown number of steps" if plan.steps is None else counted(plan.steps, "step")
    if "early_stopping_rounds" in plan.settings and plan.steps is not None:
        steps += " at most"
    return f"{_time_range(plan)}{steps}"


def _time_range(plan: Plan) -> str:
    """`2m 10s to 20m 05s, `; nothing where it is not known."""
    time = plan.time.duration
    return "" if time is None else f"{duration(time.low)} to {duration(time.high)}, "


def _time_reason(plan: Plan) -> str:
    if plan.time.duration is None:
        return plan.time.reason
    return f"{_time_range(plan)}{plan.time.reason}"


def _cost_json(plan: Plan) -> dict[str, Any] | None:
    cost, prompting = plan.time.cost, plan.time.prompting
    if prompting is None and (cost is None or (cost.energy_kwh is None and cost.money is None)):
        return None
    energy, money = (cost.energy_kwh, cost.money) if cost is not None else (None, None)
    return {
        "energy_kwh": None if energy is None else [round(each, 4) for each in energy],
        "money": None if money is None else [round(each, 4) for each in money],
        "reason": cost.reason if cost is not None else plan.time.reason,
        **({"prompting": prompting_json(prompting, money)} if prompting is not None else {}),
    }


def _cost_lines(plan: Plan, width: int) -> Iterator[str]:
    cost, prompting = plan.time.cost, plan.time.prompting
    money = cost.money if cost is not None else None
    if cost is not None and money is not None:
        yield from _entry("cost", money_range(money), cost.reason, width)
    elif cost is not None and cost.energy_kwh is not None:
        yield from _entry("cost", f"{cost.energy_kwh[0]:.2g} to {cost.energy_kwh[1]:.2g} kWh", cost.reason, width)
    if prompting is not None:
        yield from _entry("prompting", prompting_text(prompting, money), prompting.reason, width)


def memory_text(plan: Plan) -> tuple[str, str]:
    memory = plan.memory
    free = "an unknown amount" if memory.free_bytes is None else gib(memory.free_bytes)
    if memory.total_bytes is not None:
        margin = f" with the margin {gib(memory.safe_bytes or 0)}," if memory.margin else ""
        return f"{gib(memory.total_bytes)},{margin} of {free}: {verdict_text(memory)}", memory.assumptions
    if not memory.components:
        return "unknown", f"{memory.assumptions}; {free} is free"
    verdict = f": {verdict_text(memory)}" if memory.verdict is not None else ""
    return f"{gib(sum(memory.components.values()))} or more, of {free}{verdict}", memory.assumptions


def _alternative_lines(each: Alternative, plan: Plan, width: int) -> Iterator[str]:
    if each.model is not None:
        model, method = each.model, each.method
        yield f"  {each.label}: {model.id}, {method}"
    else:
        options = [f"--task {each.task}"] if each.task != plan.task.id else []
        options += [f"--strategy {each.strategy}"] if each.strategy not in (None, REWARD) else []
        yield f"  {each.label}: {' '.join(options)}"
    yield from _wrapped("      ", each.reason, width)


def _entry(label: str, value: str, reason: str | None, width: int) -> Iterator[str]:
    """`model     preset:xgboost`, and the reason under it."""
    if value:
        yield from _wrapped(f"{label:<{_LABEL_WIDTH}}", value, width)
    if reason:
        yield from _wrapped(" " * _LABEL_WIDTH, reason, width)


def _wrapped(head: str, text: str, width: int) -> Iterator[str]:
    """Text beside its head, and under itself what does not fit; under a head that leaves no room for it."""
    indent = len(head)
    if width - indent < 24:
        yield head.rstrip()
        head = "      "
        indent = len(head)
    lines = textwrap.wrap(plain(text), max(24, width - indent), break_on_hyphens=False) or [""]
    yield f"{head}{lines[0]}".rstrip()
    for line in lines[1:]:
        yield f"{' ' * indent}{line}"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
