"""Turns the rows of the data desk into training and evaluation examples, the same ones on every resume."""

from __future__ import annotations

import random
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.contract import DataError
from backends.formats.checks import evaluation_data
from backends.formats.classes import FEWEST_ROWS, merged_spellings
from backends.formats.columns import TableSummary, summarise
from backends.formats.datasets import open_data, read_part
from backends.formats.distinct import as_hashes, normal_hash
from backends.formats.findings import CORRECT_IT, NOT_READ, Fault, Findings, is_lost_row, place_in
from backends.formats.language import Example, read_example
from backends.formats.row_faults import row_fault, row_words
from backends.formats.rows import Row
from backends.formats.shapes import shape_for
from backends.formats.source import Dataset, Source
from backends.formats.split import FEWEST_TRAINED, split_by_time, split_groups, split_rows
from backends.formats.tagged import rarest_types, tag_list
from backends.formats.tally import byte_length, choice_against, low_quality
from backends.formats.values import as_number, as_text, as_timestamp, label_names
from backends.formats.verdicts import in_words, named_verdicts
from backends.job import Job
from backends.options import ASSUMED_ORDER, PreparationOptions, parse_settings

MOST_COPIES = 100
# Tasks whose rows are conversations or plain texts, whatever their columns.
LANGUAGE_TASKS = ("text-generation", "reward-modeling")
# From so many texts on, the questions about a text are held out together: no text of evaluation was learned.
FEWEST_CONTEXTS = 10


@dataclass(frozen=True)
class LabelledRows:
    """Rows that can be used, with what is learned: a class name, a number, the tags of the words as they were read, for
    language models the whole row as an example, or None where the task finds it in the row itself.

    `hashes` tell the same text again.
    """

    source: Source
    rows: list[dict[str, Any]]
    labels: list[Any]
    dropped: int
    hashes: array[int]
    weights: list[float]


@dataclass(frozen=True)
class Split:
    """Training and evaluation rows of one run; `unweighted` are the training rows, each once.

    Where rows have `several` labels, each is a list of the names it has.
    """

    train: LabelledRows
    evaluation: LabelledRows
    classes: tuple[str, ...]
    unweighted: LabelledRows
    several: bool = False


def load_split(job: Job, everything: LabelledRows | None = None) -> Split:
    """Read the data of a run and divide it; evaluation data of its own is used whole.

    Classes are those of the training rows; evaluation rows of other classes cannot be scored and are dropped, said.
    `everything` are the rows of the training part, where these were read already.
    """
    options = parse_settings(PreparationOptions, job.spec.preparation, "preparation")
    dataset = open_data(Path(job.spec.data))
    everything = everything or read_labelled(dataset, dataset.training_part, job, options)
    several = any(isinstance(label, tuple) for label in everything.labels)
    if several:
        everything = _as_lists(everything)
    how: dict[str, Any]
    if job.spec.eval_data or job.spec.eval_part:
        other = evaluation_data(Path(job.spec.eval_data), job.spec.eval_part) if job.spec.eval_data else dataset
        part = job.spec.eval_part or other.training_part
        told = "validation" if job.spec.eval_data else part  # as the check calls it
        train, evaluation = everything, read_labelled(other, part, job, options, told)
        evaluation = _as_lists(evaluation) if several else evaluation
        how = {"eval_path": job.spec.eval_data or job.spec.data, "eval_part": part}
        if options.drop_duplicates:
            evaluation = _without_known(evaluation, set(train.hashes), told, job)
    else:
        indices, how = _divide(everything, job, options)
        train, evaluation = (_take(everything, part) for part in indices)
    train, evaluation = _best_rows(train, job, options), _like(train.source, evaluation)
    if job.task.data.has_classes:
        train, evaluation = _name_verdicts(train, evaluation, job, options)
    if options.merge_spellings and job.task.data.has_classes:
        train, evaluation = _merge_spellings(train, evaluation, job)
    classes = tuple(sorted(set(_names(train.labels)))) if job.task.data.has_classes else ()
    if classes:
        if len(classes) < 2:
            raise DataError(
                "There is one class only to train on",
                f"every training row is {classes[0]!r}",
                "Check the data with: forge-tui check; with time_column the latest rows may hold the others.",
            )
        evaluation = _of_known_classes(evaluation, set(classes), job)
    too_few = not how.get("eval_path") and len(everything.rows) < FEWEST_ROWS
    if too_few or len(train.rows) < FEWEST_TRAINED or not evaluation.rows:
        raise DataError(
            "There are too few rows to train and evaluate",
            f"{len(train.rows)} for training and {len(evaluation.rows)} for evaluation can be used",
            "Check the data with: forge-tui check",
        )
    seen = _weighted(train, job)
    job.record_data(
        rows=len(everything.rows) + everything.dropped,
        dropped_rows=everything.dropped,
        columns=dict(job.spec.columns),
        train_rows=len(train.rows),
        eval_rows=len(evaluation.rows),
        **({"prepare": dict(job.spec.preparation)} if job.spec.preparation else {}),
        **how,
    )
    job.events.notice(f"{len(train.rows):,} rows to train on, {len(evaluation.rows):,} held out for evaluation")
    return Split(seen, evaluation, classes, train, several)


def read_labelled(
    dataset: Dataset, part: str, job: Job, options: PreparationOptions, told: str | None = None
) -> LabelledRows:
    """Every usable row of a part; the data desk and what was chosen decide which are. `told` is the part in messages.

    Raises DataError at the first row that cannot be used, where that was chosen.
    """
    rows: list[dict[str, Any]] = []
    labels: list[Any] = []
    weights: list[float] = []
    hashes = as_hashes()
    known: set[int] = set()
    left_out: Counter[str] = Counter()
    columns = job.spec.columns
    shape = shape_for(job.task.data, columns)
    is_language = job.task.id in LANGUAGE_TASKS
    source = dataset.first
    notes = Findings()
    notes.part = told
    for row, source in read_part(dataset, part, notes):
        values = {role: row.cells.get(column) for role, column in columns.items()}
        example = read_example(shape, values) if is_language else None
        if isinstance(example, Fault):
            fault: Fault | None = example
        else:
            fault = None if is_language else row_fault(job.task.data, shape, values, source.decimal_comma)
        if fault is not None and fault.fatal:
            if options.bad_rows == "stop" or (fault.stops and options.bad_rows != "drop"):
                fix = "Correct it, or leave such rows out: --prepare bad_rows=drop"
                raise DataError("A row cannot be used", fault.message, fix, place_in(told, row.where))
            left_out[fault.code] += 1
            continue
        words = example.words if isinstance(example, Example) else row_words(job.task.data, values, row.cells)
        why = choice_against(options, byte_length(words))
        number = normal_hash(words)
        if why is None and options.drop_duplicates:
            why = "repeats an earlier row" if number in known else None
            known.add(number)
        if why is not None:
            left_out[why] += 1
            continue
        rows.append(dict(row.cells) if example is None else _still_needed(row, options))
        hashes.append(number)
        weights.append(_weight(row, options, source.decimal_comma) * source.weight)
        learned = example or _learned(job, values, source.decimal_comma, options.label_separator)
        labels.append(learned)
        if len(rows) % 20_000 == 0:
            job.events.emit("progress", phase="loading-data", done=len(rows), total=None)
    if options.bad_rows == "stop":
        for found in notes.warnings():
            if is_lost_row(found, dataset.format):
                raise DataError("A row cannot be read", found.message, CORRECT_IT, found.where)
    dropped = sum(left_out.values())
    left_out.update({code: count for code, count in notes.counts.items() if code in NOT_READ})
    if left_out:
        reasons = ", ".join(f"{count:,} {why}" for why, count in left_out.most_common())
        job.events.notice(f"rows left out of the {told or part} part: {reasons}")
    return LabelledRows(source, rows, labels, dropped, hashes, weights)


def _still_needed(row: Row, options: PreparationOptions) -> dict[str, Any]:
    """The cells of a row that dividing and choosing rows look at; all else of it is in its example."""
    names = (options.group_column, options.time_column, options.quality_column)
    return {name: row.cells.get(name) for name in names if name is not None}


def _learned(job: Job, values: Mapping[str, Any], decimal_comma: bool, separator: str | None) -> Any:
    """What is learned of a row: a number, the tags of its words, the name of its class, or several or no names.

    None where the task finds it in the row itself.
    """
    if job.task.data.label_role is None:
        return None
    cell = values.get(job.task.data.label_role)
    if job.task.numeric_label:
        return as_number(cell, decimal_comma)
    if job.task.id == "token-classification":
        return tag_list(cell)
    if not job.task.data.has_classes:
        return None
    names = label_names(cell, separator)
    return names[0] if len(names) == 1 else names


def _as_lists(data: LabelledRows) -> LabelledRows:
    """Rows of which some have several labels: each label as a list of names."""
    return replace(data, labels=[label if isinstance(label, tuple) else (label,) for label in data.labels])


def _names(labels: list[Any]) -> Iterator[str]:
    """Every name in the labels of some rows."""
    for label in labels:
        yield from label if isinstance(label, tuple) else (label,)


def _rarest_names(labels: list[Any]) -> list[str]:
    """For each row the name in it that stands in the fewest rows; empty where there is none."""
    counts = Counter(_names(labels))
    return [min(label, key=counts.__getitem__, default="") if isinstance(label, tuple) else label for label in labels]


def _weight(row: Row, options: PreparationOptions, decimal_comma: bool) -> float:
    if options.weight_column is None:
        return 1.0
    weight = as_number(row.cells.get(options.weight_column), decimal_comma)
    return 1.0 if weight is None else min(max(weight, 0.0), float(MOST_COPIES))


def _divide(
    data: LabelledRows, job: Job, options: PreparationOptions
) -> tuple[tuple[list[int], list[int]], dict[str, Any]]:
    """Training and evaluation indices by time, by group, or at random with every class or type on both sides."""
    fraction, seed = job.options.eval_fraction, job.options.seed
    if options.time_column is not None:
        cells = [row.get(options.time_column) for row in data.rows]
        numbers = [as_number(cell, data.source.decimal_comma) for cell in cells]
        times = [as_timestamp(cell) if number is None else number for cell, number in zip(cells, numbers)]
        how: dict[str, Any] = {"split": "latest rows held out", "time_column": options.time_column}
        return split_by_time(times, fraction), {**how, "eval_fraction": fraction}
    if options.group_column is not None:
        groups = [as_text(row.get(options.group_column)) for row in data.rows]
        how = {"split": "whole groups held out", "group_column": options.group_column}
        return split_groups(groups, fraction, seed), {**how, "split_seed": seed, "eval_fraction": fraction}
    if job.task.id == "extractive-question-answering":
        contexts = [as_text(row.get(job.spec.columns["context"])) for row in data.rows]
        if len(set(contexts)) >= FEWEST_CONTEXTS:
            how = {"split": "whole contexts held out", "split_seed": seed, "eval_fraction": fraction}
            return split_groups(contexts, fraction, seed), how
    labels = _rarest_names(data.labels) if job.task.data.has_classes else None
    if job.task.id == "token-classification":
        labels = rarest_types(data.labels)
    indices = split_rows(labels, len(data.rows), fraction, seed) if data.rows else ([], [])
    return indices, {"split_seed": seed, "eval_fraction": fraction}


def _best_rows(train: LabelledRows, job: Job, options: PreparationOptions) -> LabelledRows:
    """Training rows whose mark of quality is high enough; evaluation keeps all, so that scores can be compared."""
    if options.quality_column is None:
        return train
    column, comma = options.quality_column, train.source.decimal_comma
    kept = [i for i, row in enumerate(train.rows) if low_quality(options, row.get(column), comma) is None]
    if len(kept) < len(train.rows):
        job.events.notice(f"{len(train.rows) - len(kept):,} training rows are left out by {column!r}")
    return _take(train, kept)


_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*")


def _like(source: Source, evaluation: LabelledRows) -> LabelledRows:
    """Evaluation rows with their numbers written as in the training data, where the two files differ in that."""
    if source.decimal_comma or not evaluation.source.decimal_comma:
        return evaluation

    def point(cell: Any) -> Any:
        return cell.replace(",", ".") if isinstance(cell, str) and _COMMA_NUMBER.fullmatch(cell) else cell

    rows = [{name: point(cell) for name, cell in row.items()} for row in evaluation.rows]
    return replace(evaluation, rows=rows)


def _without_known(evaluation: LabelledRows, known: set[int], part: str, job: Job) -> LabelledRows:
    kept = [index for index, number in enumerate(evaluation.hashes) if number not in known]
    if evaluation.rows and not kept:
        raise DataError(
            "No rows are left to score on",
            f"every row of the {part} part stands in the training data too, and drop_duplicates leaves such rows out",
            "Name other rows to score on, or name none: then some of the training rows are held out.",
        )
    if len(kept) < len(evaluation.rows):
        job.events.notice(f"{len(evaluation.rows) - len(kept):,} evaluation rows stand in training too; left out")
    return _take(evaluation, kept)


def _name_verdicts(
    train: LabelledRows, evaluation: LabelledRows, job: Job, options: PreparationOptions
) -> tuple[LabelledRows, LabelledRows]:
    """Labels 0, 1 and 2 of premises with hypotheses under the names of the verdicts, which is told."""
    names = named_verdicts(options.verdict_order, job.spec.columns, set(_names(train.labels)))
    if not names:
        return train, evaluation
    if options.verdict_order == ASSUMED_ORDER:
        why = "in their usual order, which is assumed; another is chosen by --prepare verdict_order=…"
        job.events.notice(f"labels are taken for verdicts, {in_words(names)}: {why}", "warning")
    else:
        job.events.notice(f"labels are read as verdicts, as chosen: {in_words(names)}")

    def named(label: Any) -> Any:
        return tuple(map(named, label)) if isinstance(label, tuple) else names.get(label, label)

    one, other = (replace(data, labels=[named(label) for label in data.labels]) for data in (train, evaluation))
    return one, other


def _merge_spellings(train: LabelledRows, evaluation: LabelledRows, job: Job) -> tuple[LabelledRows, LabelledRows]:
    """Labels that differ in case only become the most frequent of them."""
    chosen = merged_spellings(Counter(_names(train.labels)))
    folded = {label.casefold(): best for label, best in chosen.items()}
    merged = sum(label != best for label, best in chosen.items())
    if merged:
        job.events.notice(f"{merged} spellings of labels were merged into others that differ in case only")

    def spelled(label: Any) -> Any:
        if isinstance(label, tuple):
            return tuple(dict.fromkeys(spelled(name) for name in label))
        return folded.get(label.casefold(), label)

    one, other = (replace(data, labels=[spelled(label) for label in data.labels]) for data in (train, evaluation))
    return one, other


def _of_known_classes(evaluation: LabelledRows, known: set[str], job: Job) -> LabelledRows:
    kept = [index for index, label in enumerate(evaluation.labels) if known.issuperset(_names([label]))]
    if len(kept) == len(evaluation.labels):
        return evaluation
    unseen = sorted(set(_names(evaluation.labels)) - known)
    job.events.notice(
        f"{len(evaluation.labels) - len(kept)} evaluation rows are of classes that training never sees "
        f"({', '.join(unseen[:5])}); they are left out",
        "warning",
    )
    return _take(evaluation, kept)


def _weighted(train: LabelledRows, job: Job) -> LabelledRows:
    """Each row as often as its weight says: 2 is twice, 0.5 is every second one, drawn by the seed."""
    if all(weight == 1.0 for weight in train.weights):
        return train
    draw = random.Random(job.options.seed)
    indices = []
    for index, weight in enumerate(train.weights):
        indices += [index] * (int(weight) + (draw.random() < weight % 1.0))
    if not indices:
        raise DataError("No row is left to train on", "every weight is 0", "Look at the weights.")
    job.events.notice(f"by their weights {len(train.rows):,} training rows are seen as {len(indices):,}")
    return _take(train, indices)


def summarise_columns(data: LabelledRows) -> TableSummary:
    """The column summary of rows already in memory."""
    rows = (Row(number, f"row {number}", cells) for number, cells in enumerate(data.rows, 1))
    return summarise(rows, data.source.decimal_comma, data.source.columns)


def _take(data: LabelledRows, indices: list[int]) -> LabelledRows:
    return LabelledRows(
        data.source,
        [data.rows[i] for i in indices],
        [data.labels[i] for i in indices],
        data.dropped,
        as_hashes([data.hashes[i] for i in indices]),
        [data.weights[i] for i in indices],
    )


def class_index(classes: tuple[str, ...]) -> Mapping[str, int]:
    """The number of each class, 0..k-1, in the order that is stored with the model."""
    return {name: number for number, name in enumerate(classes)}
