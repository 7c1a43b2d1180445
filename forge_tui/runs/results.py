"""What came out of a run, read from its folder: scores beside baselines, counts of mistakes, rows to read.

Everything may be missing, of an older version or damaged: what is not as it should be is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.contract import RunFiles, read_json
from forge_tui.plain import plain
from forge_tui.runs import readings
from forge_tui.runs.summary import RunSummary, summarise_run

# predictions.jsonl holds a thousand rows whose texts were cut; what is longer was not written by a run.
_MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Judged:
    """A held-out row with what the model said of it; numbers that do not belong to the task are None."""

    input: str
    expected: str
    predicted: str
    wrong: bool | None
    probability: float | None
    expected_probability: float | None
    probabilities: Mapping[str, float]
    error: float | None
    score: float | None


@dataclass(frozen=True)
class Predictions:
    """The rows to read, the worst first, or why there are none; `lost` lines could not be read."""

    rows: tuple[Judged, ...] = ()
    problem: str | None = None
    lost: int = 0

    @property
    def mistakes(self) -> tuple[Judged, ...]:
        """The rows that are wrong, or all of them where nothing is simply wrong."""
        return tuple(row for row in self.rows if row.wrong is not False)


@dataclass(frozen=True)
class ClassCount:
    """How often a class was there, was said, and was rightly said."""

    name: str
    count: int
    predicted: int
    right: int


@dataclass(frozen=True)
class Confused:
    """How often one class was taken for another."""

    expected: str
    predicted: str
    count: int


@dataclass(frozen=True)
class Results:
    """A run that has scores."""

    run: RunSummary
    baselines: Mapping[str, Mapping[str, float]]
    by_type: Mapping[str, Mapping[str, float]]
    classes: tuple[ClassCount, ...]
    confused: tuple[Confused, ...]
    tables: Mapping[str, Mapping[str, Any]]  # held_out, errors, answers, scores_by_row as the report has them
    details: Mapping[str, Any]
    training_seconds: float | None
    peak_bytes: float | None
    estimated_bytes: float | None
    train_rows: int | None
    eval_rows: int | None

    @property
    def primary(self) -> str | None:
        """The metric that decides: the first one that is reported."""
        return next(iter(self.run.metrics), None)

    def told(self, name: str) -> int | None:
        """A count of the held-out rows: rows, mistakes, kept or sure_mistakes."""
        return readings.whole(self.tables["held_out"].get(name))

    @property
    def sorted_by(self) -> str:
        """By what the rows to read are sorted."""
        return plain(readings.text(self.tables["held_out"].get("sorted_by")) or "unknown")


def read_results(files: RunFiles) -> Results:
    """The report of a run with what stands beside it."""
    report, data = read_json(files.report) or {}, read_json(files.data) or {}
    memory = readings.table(report.get("memory"))
    confusion = readings.table(report.get("confusion"))
    return Results(
        run=summarise_run(files),
        baselines=_tables(report.get("baselines")),
        by_type=_tables(report.get("by_type")),
        classes=tuple(
            ClassCount(plain(str(each.get("name"))), *(readings.whole(each.get(key)) or 0 for key in _CLASS_COUNTS))
            for each in _objects(confusion.get("classes"))
        ),
        confused=tuple(
            Confused(
                plain(str(each.get("expected"))),
                plain(str(each.get("predicted"))),
                readings.whole(each.get("count")) or 0,
            )
            for each in _objects(confusion.get("pairs"))
        ),
        tables={name: readings.table(report.get(name)) for name in ("held_out", "errors", "answers", "scores_by_row")},
        details=readings.table(report.get("details")),
        training_seconds=readings.number(report.get("training_seconds")),
        peak_bytes=readings.number(memory.get("measured_peak_bytes")),
        estimated_bytes=readings.number(memory.get("estimated_bytes")),
        train_rows=readings.whole(data.get("train_rows")),
        eval_rows=readings.whole(data.get("eval_rows")),
    )


_CLASS_COUNTS = ("count", "predicted", "right")


def has_results(files: RunFiles) -> bool:
    """Whether the run has final scores to show."""
    return bool(readings.scores((read_json(files.report) or {}).get("metrics")))


def read_predictions(files: RunFiles) -> Predictions:
    """The rows to read, as far as they can be read."""
    try:
        with files.predictions.open("rb") as stream:
            content = stream.read(_MOST_BYTES)
    except FileNotFoundError:
        return Predictions(problem="this run has kept no predictions: it was trained before they were kept")
    except OSError as error:
        return Predictions(problem=f"{files.predictions.name} cannot be read: {error.strerror}")
    lines = content.splitlines()
    found = [row for line in lines if (row := _judged(line)) is not None]
    problem = f"{files.predictions.name} is damaged: no line of it can be read" if lines and not found else None
    return Predictions(tuple(found), problem, len(lines) - len(found))


def _judged(line: bytes) -> Judged | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in _TEXTS):
        return None
    wrong = row.get("wrong")
    return Judged(
        input=plain(row["input"]),
        expected=plain(row["expected"]),
        predicted=plain(row["predicted"]),
        wrong=wrong if isinstance(wrong, bool) else None,
        probability=readings.number(row.get("probability")),
        expected_probability=readings.number(row.get("expected_probability")),
        probabilities={plain(name): share for name, share in readings.scores(row.get("probabilities")).items()},
        error=readings.number(row.get("error")),
        score=readings.number(row.get("score")),
    )


_TEXTS = ("input", "expected", "predicted")


def _tables(found: object) -> dict[str, dict[str, float]]:
    return {plain(str(name)): readings.scores(scores) for name, scores in readings.table(found).items()}


def _objects(found: object) -> list[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
