"""A plan beside what was measured of it: verdict and time corrected, and told as JSON and as lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from forge_tui.formatting import duration
from forge_tui.measuring import Measured
from forge_tui.memory_report import verdict_text
from forge_tui.plan_time import run_cost
from forge_tui.planning import Plan
from profiles.duration import measured_duration
from profiles.fit import verdict_of
from profiles.hardware import Hardware
from profiles.memory import CONTEXT_BYTES
from profiles.memory_margin import Margin
from profiles.options import gib

# What a whole run takes beyond its first steps on the longest rows: blocks of the allocator that do not fit together,
# evaluations. A rule of thumb.
_MARGIN = Margin(0.05, 0, "measured")
_SOURCES = {"rss": "the memory of its process", "cuda-allocated": "tensors on the GPU"}


def corrected(plan: Plan, measured: Measured, hardware: Hardware) -> Plan:
    """The plan with verdict, time and cost by what was measured; the estimate stays as it was."""
    memory, time = plan.memory, plan.time
    needed = needed_bytes(plan, measured)
    if needed is not None:
        memory = replace(memory, verdict=verdict_of(needed, _MARGIN, memory.free_bytes))
    if plan.steps is not None:
        is_trees = plan.recommendation.model.kind == "trees"
        before = time.duration.worked_out if time.duration is not None else None
        found = measured_duration(
            measured.step_seconds,
            plan.steps,
            measured.usual_share if measured.usual_share is not None else 1.0,
            0.0 if is_trees else time.reading,
            before,
            is_trees,
        )
        time = replace(time, duration=found, cost=run_cost(found, plan.device, hardware), reason=found.reason)
    return replace(plan, memory=memory, time=time)


def needed_bytes(plan: Plan, measured: Measured) -> int | None:
    """What the device must have free: on a GPU the allocator's blocks and the context; None where that is not known."""
    if plan.device.gpu is None:
        return measured.peak_bytes
    if measured.source == "rss":  # of trees, whose memory on a GPU nobody tells
        return None
    context = plan.memory.components.get("context", CONTEXT_BYTES)
    return (measured.reserved_bytes or measured.peak_bytes) + context


def measured_json(plan: Plan, measured: Measured) -> dict[str, Any]:
    """The `measured` object of `plan --json --measure`; `plan` is the one before it was corrected."""
    estimated, step = _estimated_bytes(plan, measured), plan.time.step_seconds
    needed = needed_bytes(plan, measured)
    return {
        "steps": measured.steps,
        "rows": measured.rows,
        "device": plan.device.name,
        "peak_bytes": measured.peak_bytes,
        "source": measured.source,
        "needed_bytes": needed,
        "verdict": verdict_of(needed, _MARGIN, plan.memory.free_bytes) if needed is not None else None,
        "step_seconds": measured.step_seconds,
        "estimate": {
            "peak_bytes": estimated,
            "error": None if estimated is None else round(estimated / measured.peak_bytes - 1, 4),
            "verdict": plan.memory.verdict,
            "step_seconds": None if step is None else [round(each, 6) for each in step],
            "seconds": None if plan.time.duration is None else round(plan.time.duration.middle, 1),
        },
    }


def _estimated_bytes(plan: Plan, measured: Measured) -> int | None:
    """The part of the estimate that the measured peak is to be compared with."""
    memory = plan.memory
    if memory.total_bytes is None or (plan.device.gpu is not None and measured.source == "rss"):
        return None
    if measured.source == "rss":
        return memory.total_bytes
    return memory.total_bytes - memory.components.get("context", 0) - memory.components.get("allocator", 0)


def measured_lines(before: Plan, after: Plan, measured: Measured) -> Iterator[str]:
    """What was measured beside what was estimated, and what it changes."""
    rows = f" of {measured.rows:,} of the longest rows" if measured.rows is not None else ""
    yield f"measured  {measured.steps} steps{rows} on {before.device.name}"
    estimated = _estimated_bytes(before, measured)
    error = None if estimated is None else estimated / measured.peak_bytes - 1
    beside = "" if error is None else f"; estimated {gib(estimated or 0)}, {error:+.0%}"
    yield f"          peak {gib(measured.peak_bytes)} ({_SOURCES.get(measured.source, measured.source)}){beside}"
    if before.memory.verdict != after.memory.verdict:
        yield f"          so memory: {verdict_text(after.memory)}, by the estimate {verdict_text(before.memory)}"
    step = before.time.step_seconds
    worked_out = "" if step is None else f"; worked out {_seconds(step[0])} to {_seconds(step[1])}"
    yield f"          {_seconds(measured.step_seconds)} a step{worked_out}"
    if after.time.duration is not None and before.time.duration is not None:
        old = before.time.duration
        yield f"          the time above is by that; before it was {duration(old.low)} to {duration(old.high)}"


def _seconds(value: float) -> str:
    return f"{value:.3g} s"
