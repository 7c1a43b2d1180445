"""One run in a few facts, for lists and for `runs --json`; cheap however long the run was."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backends.contract import RunFiles, read_json
from forge_tui.runs import readings
from forge_tui.runs.queue import wait_line
from forge_tui.runs.status import Condition, Status, condition


@dataclass(frozen=True)
class RunSummary:
    """What lists show of a run; field names are those of `runs --json`."""

    id: str
    name: str
    task: str | None
    strategy: str | None
    model: str | None
    method: str | None
    status: Status
    created: str | None
    started: str | None
    ended: str | None
    step: int | None
    total_steps: int | None
    epoch: float | None
    metrics: Mapping[str, float]
    best: Mapping[str, float]
    baseline: Mapping[str, float]
    baseline_name: str | None
    error: Mapping[str, Any] | None
    path: str
    losses: tuple[float, ...] = ()  # the latest ones, for a small curve
    waits_for: str | None = None  # what a queued run waits for, in words for people

    def to_json(self) -> dict[str, Any]:
        """The object of `runs --json` and `show --json`."""
        shown = {name: value for name, value in self.__dict__.items() if name not in ("waits_for", "losses")}
        return {**shown, "status": str(self.status)}

    @property
    def progress(self) -> float | None:
        """The share that is done, where it is known."""
        if self.status is Status.FINISHED:
            return 1.0
        return min(1.0, self.step / self.total_steps) if self.step is not None and self.total_steps else None


def run_name(files: RunFiles) -> str:
    """The name of a run as its spec says it, else its id."""
    return readings.text(readings.table(_spec_tables(files).get("run")).get("name")) or files.folder.name


def _spec_tables(files: RunFiles) -> dict[str, Any]:
    try:
        return tomllib.loads(files.spec.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def summarise_run(files: RunFiles, known: Condition | None = None) -> RunSummary:
    """Read the small files of a run and the end of its event log; what is damaged in them is unknown."""
    state = known or condition(files)
    tables = _spec_tables(files)
    run, model = readings.table(tables.get("run")), readings.table(tables.get("model"))
    report = read_json(files.report) or {}
    latest: dict[str, float] = {}
    losses: list[float] = []
    step = total = epoch = last_time = None
    for event in (*state.earlier, *state.events):
        last_time = readings.moment(event) or last_time
        if event["kind"] == "metrics":
            step, total = readings.whole(event.get("step")), readings.whole(event.get("total_steps"))
            epoch = readings.number(event.get("epoch"))
            values = readings.scores(event.get("values"))
            latest.update(values)
            losses += [values["loss"]] if "loss" in values else []
    if step is None and state.status is Status.FINISHED:
        step = total = readings.whole(readings.table(report.get("details")).get("steps"))
    ended = state.ended
    if ended is None and not state.status.is_alive and last_time:
        ended = datetime.fromtimestamp(last_time, UTC).isoformat(timespec="seconds")
    return RunSummary(
        id=files.folder.name,
        name=readings.text(run.get("name")) or files.folder.name,
        task=readings.text(run.get("task")),
        strategy=readings.text(run.get("strategy")),
        model=readings.text(model.get("source")),
        method=readings.text(run.get("method")),
        status=state.status,
        created=readings.iso_moment(run.get("created")),
        started=readings.iso_moment(state.job.get("first_started")),
        ended=ended,
        step=step,
        total_steps=total,
        epoch=epoch,
        metrics=readings.scores(report.get("metrics")) or latest,
        best=readings.scores(report.get("best")),
        baseline=readings.scores(report.get("baseline")),
        baseline_name=readings.text(report.get("baseline_name")),
        error=state.error,
        path=str(files.folder),
        losses=tuple(losses),
        waits_for=wait_line(files) if state.status is Status.QUEUED else None,
    )


class SummaryCache:
    """Summaries of ended runs, kept while their files do not change; a list of hundreds costs a stat each."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[int, ...], RunSummary]] = {}

    def get(self, files: RunFiles) -> RunSummary:
        """The summary of a run, read again only when something in its folder moved."""
        stamp = _stamp(files)
        kept = self._kept.get(files.folder.name)
        if kept is not None and kept[0] == stamp and not kept[1].status.is_alive:
            return kept[1]
        summary = summarise_run(files)
        self._kept[files.folder.name] = (stamp, summary)
        return summary

    def forget_all_but(self, names: set[str]) -> None:
        """Drop runs that were deleted."""
        self._kept = {name: entry for name, entry in self._kept.items() if name in names}


def _stamp(files: RunFiles) -> tuple[int, ...]:
    stamps = []
    for path in (files.job, files.exit, files.control, files.events, files.report):
        try:
            stamps.append(path.stat().st_mtime_ns)
        except OSError:
            stamps.append(0)
    return tuple(stamps)
