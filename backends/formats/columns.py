"""Summarises the columns of a table in one pass and says what each of them is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from backends.formats.reading import Row
from backends.formats.values import as_label, as_number, as_text, as_timestamp, is_code, is_missing, normal_name

DISTINCT_KEPT = 5_000
_BAD_KEPT = 20
# A column is numeric with a few dirty cells, not a text, when at least this share of its cells are numbers.
_MOSTLY = 0.9
_ID_NAMES = ("id", "uuid", "guid", "rownumber", "rowid", "index", "unnamed0")


@dataclass
class Column:
    """What one pass over a column told; bounded in memory however long the column is."""

    name: str
    decimal_comma: bool = False
    present: int = 0
    missing: int = 0
    numbers: int = 0
    integers: int = 0
    codes: int = 0
    dates: int = 0
    nested: int = 0
    words: int = 0
    characters: int = 0
    longest: int = 0
    minimum: float | None = None
    maximum: float | None = None
    values: Counter[str] = field(default_factory=Counter)
    hashes: set[int] = field(default_factory=set)
    not_numbers: list[tuple[str, str]] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def add(self, where: str, cell: Any) -> None:
        """Take one more cell in."""
        if is_missing(cell):
            self.missing += 1
            return
        self.present += 1
        if isinstance(cell, list | dict):
            self.nested += 1
        text = as_text(cell)
        self.characters += len(text)
        self.longest = max(self.longest, len(text))
        if len(self.examples) < 3:
            self.examples.append(text[:200])
        if len(self.values) < DISTINCT_KEPT:
            self.values[as_label(text[:500])] += 1
        self.hashes.add(hash(text))
        number = as_number(cell, self.decimal_comma)
        if number is None:
            self.words += text.count(" ") + 1
            if len(self.not_numbers) < _BAD_KEPT:
                self.not_numbers.append((where, text[:60]))
            if as_timestamp(text) is not None:
                self.dates += 1
            return
        self.numbers += 1
        self.integers += number.is_integer()
        self.codes += isinstance(cell, str | int) and is_code(cell)
        self.minimum = number if self.minimum is None else min(self.minimum, number)
        self.maximum = number if self.maximum is None else max(self.maximum, number)

    @property
    def distinct(self) -> int:
        """How many different values there are."""
        return len(self.hashes)

    @property
    def dirty(self) -> int:
        """Cells that are not numbers in a column of numbers."""
        return self.present - self.numbers if self.kind == "number" else 0

    @property
    def kind(self) -> str:
        """empty, constant, number, code, date, identifier, category, text or nested."""
        if not self.present:
            return "empty"
        if self.distinct == 1:
            return "constant"
        if self.nested:
            return "nested"
        if self.codes and self.numbers == self.present:
            return "identifier" if self.distinct > 0.95 * self.present and self.present >= 20 else "code"
        if self.dates >= _MOSTLY * self.present:
            return "date"
        if self.numbers >= _MOSTLY * self.present and (self.numbers == self.present or self.present >= 20):
            return "identifier" if self._counts_rows() else "number"
        average_words = self.words / max(1, self.present - self.numbers)
        if self.distinct > 0.5 * self.present and self.present >= 20:
            return "text" if average_words >= 3 else "identifier"
        return "text" if average_words >= 8 else "category"

    def _counts_rows(self) -> bool:
        """Whether this is a running number: an id by name, whole, and different in every row."""
        named = normal_name(self.name)
        is_id = named in _ID_NAMES or self.name.lower().endswith(("_id", " id", "-id")) or self.name.endswith("ID")
        return is_id and self.integers == self.present == self.distinct

    def to_json(self) -> dict[str, Any]:
        """What `check --json` says of the column."""
        return {
            "kind": self.kind,
            "present": self.present,
            "missing": self.missing,
            "distinct": self.distinct,
            "minimum": self.minimum if self.kind == "number" else None,
            "maximum": self.maximum if self.kind == "number" else None,
            "longest_characters": self.longest or None,
            "examples": self.examples,
        }


@dataclass
class TableSummary:
    """All columns of a table and how many rows were read."""

    rows: int
    columns: dict[str, Column]


def summarise(rows: Iterable[Row], decimal_comma: bool = False, names: tuple[str, ...] = ()) -> TableSummary:
    """One pass over the rows; a key that only some JSON rows have counts as missing in the others."""
    columns = {name: Column(name, decimal_comma) for name in names}
    total = 0
    for row in rows:
        total += 1
        for name, cell in row.cells.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = Column(name, decimal_comma, missing=total - 1)
            column.add(row.where, cell)
        if len(row.cells) < len(columns):
            for name, column in columns.items():
                if name not in row.cells:
                    column.missing += 1
    return TableSummary(total, columns)


LEFT_OUT_BECAUSE = {
    "empty": "it has no value at all",
    "constant": "it has the same value in every row",
    "identifier": "it names single rows instead of describing them",
    "text": "it is free text; a text task would read it",
    "nested": "it holds lists or objects",
}


def feature_columns(table: TableSummary, target: str) -> tuple[dict[str, str], dict[str, str]]:
    """The columns a tabular model learns from, with their kind, and those left out, with the reason."""
    used: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for name, column in table.columns.items():
        if name == target:
            continue
        kind = column.kind
        if kind in LEFT_OUT_BECAUSE:
            left_out[name] = LEFT_OUT_BECAUSE[kind]
        else:
            used[name] = {"number": "number", "date": "date"}.get(kind, "category")
    return used, left_out
