"""Texts that are sorted, whatever model does it: what is read of each row, how it is scored, simple methods too."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.contract import ForgeError
from backends.data import LabelledRows, Split
from backends.formats.values import as_text
from backends.job import Job
from backends.long_texts import Coded, read_texts
from backends.metrics import order_scores
from backends.text_targets import Target
from backends.transformers_training import lacks_column


def sides(split: Split) -> dict[str, LabelledRows]:
    """The two halves of the data by name."""
    return {"train": split.train, "evaluation": split.evaluation}


def texts_of(job: Job, rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """For each row its text, or its two texts."""
    columns = [job.spec.columns[role] for role in job.task.text_roles]
    return [tuple(as_text(row.get(column)) for column in columns) for row in rows]


def read_rows(job: Job, tokenizer: Any, data: LabelledRows, limit: int) -> tuple[list[Coded], list[int]]:
    """The tokens of each row, or of its windows, and the number of the row; what is too long is counted and told."""
    texts = texts_of(job, data.rows)
    way = job.options.long_texts
    if way != "head" and len(job.task.text_roles) == 2:
        raise ForgeError(
            f"long_texts = {way} is not for pairs of texts",
            "the longer one of a pair that is too long is cut at its end, so that both are read",
            "Leave long_texts out.",
        )
    read, owners = read_texts(tokenizer, texts, limit, way)
    full = {owner for coded, owner in zip(read, owners) if len(coded["input_ids"]) >= limit}
    if full:
        told = {
            "head": "the rest is cut",
            "tail": "what stands before their end is cut",
            "head+tail": "what stands between beginning and end is cut",
            "windows": f"all of it is read, in {len(read):,} windows that overlap",
        }
        job.events.notice(f"{len(full):,} of {len(texts):,} texts fill max_length = {limit}; {told[way]}")
    return read, owners


class Scorer:
    """Scores what the model says of the evaluation rows; `logits` are what it said last, (rows, outputs)."""

    def __init__(self, job: Job, target: Target, data: LabelledRows, owners: list[int]) -> None:
        self.job, self.target, self.data = job, target, data
        self.owners = np.array(owners)
        self.truth = np.array([target.code(label) for label in data.labels])
        self.logits: Any = None

    def score(self, logits: Any) -> dict[str, float]:
        """The metrics of the task for the logits of all windows."""
        self.logits = pooled(logits, self.owners)
        return order_scores(self.target.scores(self.truth, self.logits), self.job.task.metrics)

    def text_of(self, row: int) -> str:
        """What is read in a row."""
        return " ‖ ".join(texts_of(self.job, [self.data.rows[row]])[0])


def pooled(logits: Any, owners: Any) -> Any:
    """The logits of each row, the mean over its windows; (windows, outputs) to (rows, outputs), rows in order."""
    logits = np.asarray(logits, dtype=np.float64)
    rows = int(owners[-1]) + 1
    if rows == len(logits):
        return logits
    sums = np.zeros((rows, logits.shape[1]))
    np.add.at(sums, owners, logits)
    return sums / np.bincount(owners, minlength=rows)[:, None]


def simple_baselines(job: Job, split: Split, target: Target) -> dict[str, dict[str, float]]:
    """The scores of a trivial and a linear method on the evaluation rows."""
    joined = {side: [" ".join(text) for text in texts_of(job, rows.rows)] for side, rows in sides(split).items()}
    truth = np.array([target.code(label) for label in split.evaluation.labels])
    baselines = target.baselines(joined["train"], split.train.labels, joined["evaluation"], truth)
    return {name: order_scores(scores, job.task.metrics) for name, scores in baselines.items()}


def asked_texts(batch: list[dict[str, Any]], columns: list[str]) -> list[list[str]]:
    """What is read of rows to be predicted; raises DataError for one that has not every column."""
    for row in batch:
        missing = [column for column in columns if column not in row]
        if missing:
            raise lacks_column(missing[0], columns)
    return [[as_text(row[column]) for column in columns] for row in batch]
