"""Opens what a person names as data, a file, a folder or a mix of several, and reads its parts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.contract import DataError
from backends.formats.columns import TableSummary
from backends.formats.findings import Findings
from backends.formats.flat import flattened, plain_objects
from backends.formats.folders import open_file, open_folder
from backends.formats.parts import PART_NAMES, part_of_value
from backends.formats.reading import read_batches
from backends.formats.rows import Batch, Row
from backends.formats.source import Dataset, Source
from backends.formats.values import is_missing, normal_name

_PART_COLUMNS = ("split", "part", "subset", "partition", "datasplit", "set", "fold")
_WITH_COLUMNS = ("csv", "tsv", "json", "jsonl", "parquet", "arrow", "xlsx", "mixed")
# What is looked at for the first answer: enough to tell the task, little enough to come at once.
GLANCE_ROWS = 2_000


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
        return _looked_into(open_folder(path))
    if path.suffix.lower() == ".toml":
        from backends.formats.mixes import open_mix

        return open_mix(path)
    return _looked_into(open_file(path))


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
    """Find the column that says which part a row belongs to, where one file holds all parts."""
    columns = dict.fromkeys(name for batch in first for name in batch.columns)
    named = [name for name in columns if normal_name(name) in _PART_COLUMNS]
    if len(dataset.parts) > 1 or not named:
        return dataset
    seen: Counter[str] = Counter()
    for batch in first:
        seen.update(str(cell).strip() for cell in batch.columns.get(named[0], ()) if not is_missing(cell))
    values = {value: part for value in seen if (part := part_of_value(value)) is not None}
    if len(values) != len(seen) or "train" not in values.values() or len(seen) < 2:
        return dataset
    return replace(dataset, part_column=named[0], part_values=values)


def _first_batches(source: Source) -> Iterator[Batch]:
    rows = 0
    for batch in read_batches(source, Findings()):
        yield batch
        rows += len(batch)
        if rows >= GLANCE_ROWS:
            return


def glance(dataset: Dataset) -> Glance:
    """Look at the first rows of the training part."""
    source = dataset.first
    table = TableSummary.of(source.columns, source.decimal_comma)
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    whole = len(dataset.parts) == 1 and len(dataset.parts[dataset.training_part]) == 1
    for batch in batches_of(dataset, source, Findings()):
        table.add(batch)
        for row in batch.rows():
            rows.append(dict(row.cells))
            places.append(row.where)
        if len(rows) >= GLANCE_ROWS:
            whole = False
            break
    return Glance(table, rows, places, whole)


def batches_of(dataset: Dataset, source: Source, notes: Findings) -> Iterator[Batch]:
    """The batches of one source, in the columns that all sources of the data set share."""
    if dataset.format == "mix":
        from backends.formats.mixes import mixed_batches

        return mixed_batches(source, notes)
    if dataset.objects:
        return (flattened(batch, dataset.objects) for batch in read_batches(source, notes))
    return read_batches(source, notes)


def read_part(dataset: Dataset, part: str, notes: Findings | None = None) -> Iterator[tuple[Row, Source]]:
    """Every readable row of one part with the source it comes from, in a fixed order."""
    notes = notes if notes is not None else Findings()
    for source in sources_of(dataset, part):
        for batch in batches_of(dataset, source, notes):
            for row in batch.rows():
                if part_of_row(dataset, row.cells, part) == part:
                    yield row, source


def sources_of(dataset: Dataset, part: str) -> tuple[Source, ...]:
    """The sources that hold rows of a part; where a column tells the part, every part is in the same ones."""
    return dataset.parts[dataset.training_part] if dataset.part_column is not None else dataset.parts[part]


def part_names(dataset: Dataset) -> list[str]:
    """The parts a data set has, training first."""
    names = set(dataset.part_values.values()) if dataset.part_column is not None else set(dataset.parts)
    return sorted(names, key=lambda name: PART_NAMES.index(name) if name in PART_NAMES else 9)


def part_of_row(dataset: Dataset, cells: Mapping[str, Any], otherwise: str) -> str:
    """The part that a row belongs to; one whose cell says nothing known belongs to training."""
    if dataset.part_column is None:
        return otherwise
    return dataset.part_values.get(str(cells.get(dataset.part_column)).strip(), "train")
