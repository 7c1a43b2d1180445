"""Opens what a person names as data, a file, a folder or a mix of several, and reads its parts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.contract import DataError, Finding, UsageError
from backends.formats.columns import TableSummary
from backends.formats.findings import Findings
from backends.formats.flat import flattened, plain_objects
from backends.formats.folders import open_file, open_folder
from backends.formats.parts import part_of_cell, part_of_value
from backends.formats.reading import read_batches
from backends.formats.rows import Batch, Row
from backends.formats.source import Dataset, Source
from backends.formats.values import is_missing, normal_name

_PART_COLUMNS = ("split", "part", "subset", "partition", "datasplit", "set", "fold")
_WITH_COLUMNS = ("csv", "tsv", "json", "jsonl", "parquet", "arrow", "xlsx", "mixed")
# What is looked at for the first answer: enough to tell the task, little enough to come at once.
GLANCE_ROWS = 2_000
_SUBMISSION = re.compile(r"(?:sample|gender)?[-_ ]?submissions?\.csv|sample[-_]?sub\.csv")
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".arrow", ".xlsx", ".zip", ".gz")
# Rows of a megabyte come in batches of a few; so many are enough of them.
_GLANCE_BATCHES = 8


@dataclass(frozen=True)
class Glance:
    """The first rows of a data set: what its columns look like, and whether these rows are all there are."""

    table: TableSummary
    rows: list[dict[str, Any]]
    places: list[str]
    is_whole: bool


def open_data(path: Path) -> Dataset:
    """What a file or folder is and how its parts are read.

    Raises UsageError when there is nothing to read and DataError when it is no data set.
    """
    if os.path.isdir(path):
        return _looked_into(_competition(path) or open_folder(path))
    if path.suffix.lower() == ".toml":
        from backends.formats.mixes import open_mix

        return open_mix(path)
    return _looked_into(open_file(path))


def _competition(path: Path) -> Dataset | None:
    """The folder of a competition: train and perhaps test, with a sample of what is to be handed in, left aside."""
    try:
        files = {name.lower(): path / name for name in sorted(os.listdir(path))}
    except OSError:
        return None  # opening it tells why
    samples = [file.name for name, file in files.items() if _SUBMISSION.fullmatch(name)]
    train, test = files.get("train.csv"), files.get("test.csv")
    tables = [name for name in files if name.endswith(_TABLES)]
    if not samples or train is None or len(tables) != len(samples) + 1 + (test is not None):
        return None
    message = f"{', '.join(samples)} shows how answers are handed in and is left aside"
    notes = [Finding("sample-submission", message, path.name, "Nothing to do.")]
    parts: dict[str, tuple[Source, ...]] = {}
    for part, file in (("train", train), ("test", test)):
        if file is not None:
            source = replace(open_file(file).first, part=part)
            parts[part] = (source,)
            notes += source.notes
    formats = {source.format for (source,) in parts.values()}
    return Dataset(path, formats.pop() if len(formats) == 1 else "mixed", parts, tuple(notes))


def _looked_into(dataset: Dataset) -> Dataset:
    """What only rows tell: columns of plain objects, and the column that says which part a row belongs to."""
    if dataset.format not in _WITH_COLUMNS:
        return dataset
    try:
        first = list(_first_batches(dataset.first))
    except DataError:
        return dataset  # the check tells what is broken, with what can be read before it
    objects = plain_objects(first) if dataset.format not in ("csv", "tsv", "xlsx") else ()
    dataset = replace(dataset, objects=objects)
    return _with_part_column(dataset, [flattened(batch, objects) if objects else batch for batch in first])


def _with_part_column(dataset: Dataset, first: list[Batch]) -> Dataset:
    """Find the column that says which part a row belongs to, where one file holds all parts.

    Later rows may name parts that the first ones do not: every value is asked for when it is read.
    """
    if len(dataset.parts) > 1:
        return dataset
    is_whole = sum(map(len, first)) < GLANCE_ROWS
    for name in dict.fromkeys(name for batch in first for name in batch.columns):
        if normal_name(name) in _PART_COLUMNS:
            cells = [cell for batch in first for cell in batch.columns.get(name, ()) if not is_missing(cell)]
            parts = {part_of_value(cell) for cell in cells}
            if cells and None not in parts and (not is_whole or {"train"} < parts):
                return replace(dataset, part_column=name)
    return dataset


def _first_batches(source: Source) -> Iterator[Batch]:
    rows = 0
    for number, batch in enumerate(read_batches(source, Findings()), 1):
        yield batch
        rows += len(batch)
        if rows >= GLANCE_ROWS or number >= _GLANCE_BATCHES:
            return


def glance(dataset: Dataset) -> Glance:
    """Look at the first rows of the training part."""
    source = dataset.first
    table = TableSummary.of(source.columns, source.decimal_comma)
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    whole = len(dataset.parts) == 1 and len(dataset.parts[dataset.training_part]) == 1
    if dataset.part_column is not None:
        table.columns.pop(dataset.part_column, None)
        whole = False
    mine = (
        some
        for batch in batches_of(dataset, source, Findings())
        for name, some in by_part(dataset, batch, dataset.training_part)
        if name in ("train", dataset.training_part)
    )
    for number, batch in enumerate(mine, 1):
        table.add(batch)
        for row in batch.rows():
            rows.append(dict(row.cells))
            places.append(row.where)
        if len(rows) >= GLANCE_ROWS or number >= _GLANCE_BATCHES:
            whole = False
            break
    return Glance(table, rows, places, whole)


def batches_of(dataset: Dataset, source: Source, notes: Findings) -> Iterator[Batch]:
    """The batches of one source, in the columns that all sources of the data set share."""
    if source.roles is not None:
        from backends.formats.mixes import mixed_batches

        return mixed_batches(source, notes)
    if dataset.objects:
        return (flattened(batch, dataset.objects) for batch in read_batches(source, notes))
    return read_batches(source, notes)


def read_part(dataset: Dataset, part: str, notes: Findings | None = None) -> Iterator[tuple[Row, Source]]:
    """Every readable row of one part with the source it comes from, in a fixed order.

    Raises UsageError when the data set has no such part.
    """
    notes = notes if notes is not None else Findings()
    if dataset.part_column is None and part not in dataset.parts:
        names = ", ".join(dataset.parts)
        raise UsageError(f"{dataset.path} has no part {part!r}", f"its parts are {names}", "Name one of them.")
    whole = dataset.training_part if dataset.part_column is not None else part
    for source in dataset.parts[whole]:
        for batch in batches_of(dataset, source, notes):
            for name, some in by_part(dataset, batch, whole):
                if name == part:
                    for row in some.rows():
                        yield row, source


def by_part(dataset: Dataset, batch: Batch, part: str) -> list[tuple[str, Batch]]:
    """The rows of a batch by the part they belong to, without the column that says so."""
    if dataset.part_column is None or part != dataset.training_part:
        return [(part, batch)]
    cells = batch.columns.get(dataset.part_column, [None] * len(batch))
    rows: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        rows.setdefault(part_of_cell(cell), []).append(index)
    others = {name: column for name, column in batch.columns.items() if name != dataset.part_column}
    bare = Batch(batch.numbers, batch.places, others, batch.place_word, batch.share)
    return [(name, bare if len(indices) == len(batch) else bare.pick(indices)) for name, indices in rows.items()]
