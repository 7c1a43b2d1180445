"""Turns the rows of the data desk into training and evaluation examples, the same ones on every resume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import DataError
from backends.formats.checks import FEWEST_ROWS, rejection
from backends.formats.columns import TableSummary, summarise
from backends.formats.reading import Row, open_table, read_rows
from backends.formats.sniff import Source
from backends.formats.split import split_rows
from backends.formats.values import as_label, as_number
from backends.job import Job


@dataclass(frozen=True)
class LabelledRows:
    """Rows that can be used, with their label as a class name or as a number."""

    source: Source
    rows: list[dict[str, Any]]
    labels: list[Any]
    dropped: int


@dataclass(frozen=True)
class Split:
    """Training and evaluation rows of one run."""

    train: LabelledRows
    evaluation: LabelledRows
    classes: tuple[str, ...]


def load_split(job: Job) -> Split:
    """Read the data of a run and divide it; a separate evaluation file is used whole.

    Classes are those of the training rows; evaluation rows of other classes cannot be scored and are dropped, said.
    """
    task, columns = job.task, job.spec.columns
    everything = read_labelled(Path(job.spec.data), job)
    if job.spec.eval_data:
        train, evaluation = everything, read_labelled(Path(job.spec.eval_data), job)
        how: dict[str, Any] = {"eval_path": job.spec.eval_data}
    else:
        labels = None if task.numeric_label else everything.labels
        indices = split_rows(labels, len(everything.rows), job.options.eval_fraction, job.options.seed)
        train, evaluation = (_take(everything, part) for part in indices)
        how = {"split_seed": job.options.seed, "eval_fraction": job.options.eval_fraction}
    classes = () if task.numeric_label else tuple(sorted(set(train.labels)))
    if classes:
        known = set(classes)
        kept = [index for index, label in enumerate(evaluation.labels) if label in known]
        if len(kept) < len(evaluation.labels):
            unseen = sorted(set(evaluation.labels) - known)
            job.events.notice(
                f"{len(evaluation.labels) - len(kept)} evaluation rows are of classes that training never sees "
                f"({', '.join(unseen[:5])}); they are left out",
                "warning",
            )
            evaluation = _take(evaluation, kept)
    if len(train.rows) < FEWEST_ROWS - 1 or not evaluation.rows:
        raise DataError(
            "There are too few rows to train and evaluate",
            f"{len(train.rows)} for training and {len(evaluation.rows)} for evaluation can be used",
            "Check the data with: forge-tui check",
        )
    job.record_data(
        rows=len(everything.rows) + everything.dropped,
        dropped_rows=everything.dropped,
        columns=dict(columns),
        train_rows=len(train.rows),
        eval_rows=len(evaluation.rows),
        **how,
    )
    job.events.notice(f"{len(train.rows):,} rows to train on, {len(evaluation.rows):,} held out for evaluation")
    return Split(train, evaluation, classes)


def read_labelled(path: Path, job: Job) -> LabelledRows:
    """Every usable row of a file; the data desk decides which are."""
    source = open_table(path)
    rows: list[dict[str, Any]] = []
    labels: list[Any] = []
    dropped = 0
    label_column = job.spec.columns[job.task.label_role]
    for row in read_rows(source):
        if rejection(job.task, job.spec.columns, row, source.decimal_comma) is not None:
            dropped += 1
            continue
        rows.append(row.cells)
        cell = row.cells[label_column]
        labels.append(as_number(cell, source.decimal_comma) if job.task.numeric_label else as_label(cell))
        if len(rows) % 20_000 == 0:
            job.events.emit("progress", phase="loading-data", done=len(rows), total=None)
    return LabelledRows(source, rows, labels, dropped)


def summarise_columns(data: LabelledRows) -> TableSummary:
    """The column summary of rows already in memory."""
    rows = (Row(number, f"row {number}", cells) for number, cells in enumerate(data.rows, 1))
    return summarise(rows, data.source.decimal_comma, data.source.columns)


def _take(data: LabelledRows, indices: list[int]) -> LabelledRows:
    return LabelledRows(data.source, [data.rows[i] for i in indices], [data.labels[i] for i in indices], data.dropped)


def class_index(classes: tuple[str, ...]) -> Mapping[str, int]:
    """The number of each class, 0..k-1, in the order that is stored with the model."""
    return {name: number for number, name in enumerate(classes)}
