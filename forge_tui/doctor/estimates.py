"""How far estimates of memory were off on this machine: estimated and measured peaks of finished runs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from backends.contract import ForgeError
from forge_tui.doctor.checks import Check
from forge_tui.history import outcomes

# Beyond this a run was estimated too low by more than any margin allows for.
_FAR_TOO_LOW = -0.25


def check_estimates() -> Iterator[Check]:
    """One line on the history of estimates; nothing where no run has finished that was estimated."""
    try:
        known = [(each.run, each.memory_error) for each in outcomes()]
    except ForgeError:
        return
    errors = [(run, error) for run, error in known if error is not None]
    if not errors:
        return
    values = [error for _, error in errors]
    run, worst = min(errors, key=lambda each: each[1])
    runs = f"{len(values)} run{'s' if len(values) > 1 else ''}"
    told = (
        f"memory of {runs} here was estimated {statistics.median(values):+.0%} off in the median, "
        f"{min(values):+.0%} to {max(values):+.0%}"
    )
    if worst < _FAR_TOO_LOW:
        yield Check("estimates", "warning", told, f"Look at {run}, and leave more room than a plan asks for")
        return
    yield Check("estimates", "ok", told)
