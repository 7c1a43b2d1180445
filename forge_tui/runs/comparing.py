"""Runs beside each other: their scores, and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.contract import ForgeError, RunFiles, read_spec
from forge_tui.formatting import duration, elapsed
from forge_tui.runs.summary import RunSummary, summarise_run

Row = tuple[str, tuple[str | None, ...]]


def compare_runs(runs: Sequence[RunFiles]) -> tuple[list[RunSummary], list[Row], list[Row]]:
    """The summaries, the scores of each run, and what differs in what was asked for; None is what a run has not."""
    summaries = [summarise_run(files) for files in runs]
    names = list(dict.fromkeys(name for run in summaries for name in run.metrics))
    scores: list[Row] = [("status", tuple(str(run.status) for run in summaries))]
    scores += [(name, tuple(_score(run.metrics.get(name)) for run in summaries)) for name in names]
    scores.append(("time", tuple(duration(elapsed(run.started, run.ended)) for run in summaries)))
    asked = [_asked(files) for files in runs]
    keys = list(dict.fromkeys(key for each in asked for key in each))
    rows = [(key, tuple(each.get(key) for each in asked)) for key in keys]
    differing = [(key, tuple(None if value is None else str(value) for value in values)) for key, values in rows]
    return summaries, scores, [row for row in differing if len(set(row[1])) > 1]


def _score(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


def _asked(files: RunFiles) -> dict[str, Any]:
    try:
        spec = read_spec(files.spec)
    except ForgeError:
        return {}
    known = {"task": spec.task, "model": spec.model, "method": spec.method, "strategy": spec.strategy}
    known |= {"data": spec.data, "eval data": spec.eval_data}
    known |= {f"column {role}": column for role, column in spec.columns.items()}
    return {**known, **spec.settings, **{f"prepare {key}": value for key, value in spec.preparation.items()}}
