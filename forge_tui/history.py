"""What finished runs took beside what was estimated for them: how far estimates are off on this machine."""

from __future__ import annotations

import statistics
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from backends.contract import RunFiles, read_json
from forge_tui.runs.store import list_runs

_MOST_RUNS = 50
# A factor beyond these says that the machine was busy with something else, or that the run was hardly any work.
_LEAST_FACTOR, _LARGEST_FACTOR = 0.02, 50.0


@dataclass(frozen=True)
class Outcome:
    """One finished run; `device` is the UUID of its GPU or `cpu`. What is not known is None."""

    run: str
    task: str | None
    device: str | None
    estimated_bytes: int | None
    measured_bytes: int | None
    estimated_seconds: float | None
    seconds: float | None

    @property
    def memory_error(self) -> float | None:
        """The estimate over the measured peak, less one; None where either is not known."""
        if not self.estimated_bytes or not self.measured_bytes:
            return None
        return self.estimated_bytes / self.measured_bytes - 1


def outcomes() -> tuple[Outcome, ...]:
    """The latest finished runs on this machine, newest first."""
    found = (_outcome(run) for run in list_runs()[:_MOST_RUNS])
    return tuple(each for each in found if each is not None)


def _outcome(run: RunFiles) -> Outcome | None:
    report = read_json(run.report)
    if report is None or "metrics" not in report:
        return None
    try:
        spec = tomllib.loads(run.spec.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    estimate = spec.get("estimate", {})
    memory = report.get("memory")
    measured = memory.get("measured_peak_bytes") if isinstance(memory, dict) else None
    device = (read_json(run.job) or {}).get("device")
    return Outcome(
        run.folder.name,
        spec.get("run", {}).get("task"),
        device if isinstance(device, str) else None,
        _positive(estimate.get("total_bytes")),
        _positive(measured),
        _positive(estimate.get("training_seconds")),
        _positive(report.get("training_seconds")),
    )


def _positive(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def time_correction(known: Iterable[Outcome], device: str, task: str) -> tuple[float, int] | None:
    """How many times longer runs of a task on a device took than was worked out, and how many runs say so.

    None where no run says it.
    """
    factors = [
        each.seconds / each.estimated_seconds
        for each in known
        if (each.device, each.task) == (device, task)
        and each.seconds is not None
        and each.estimated_seconds is not None
    ]
    factors = [each for each in factors if _LEAST_FACTOR < each < _LARGEST_FACTOR]
    return (statistics.median(factors), len(factors)) if factors else None
