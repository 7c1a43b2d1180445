"""The rows of a file that a model is asked about, and what of them it will not see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.contract import nearest
from backends.formats.findings import Findings
from backends.formats.reading import open_table, read_rows
from backends.formats.values import as_label, as_number, as_text, as_timestamp, is_missing


@dataclass
class PredictionRows:
    """Rows in order with their numbers; `notes` fills with what could not be read while they are taken."""

    path: Path
    features: Sequence[Mapping[str, Any]] = ()
    decimal_comma: bool = False
    numbers: list[int] = field(default_factory=list)
    notes: Findings = field(default_factory=Findings)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        source = open_table(self.path)
        for row in read_rows(source, self.notes):
            if not self.numbers:
                self.note_missing_columns(tuple(row.cells), self.path.name)
            self.numbers.append(row.number)
            yield readable_row(row.cells, row.where, self, source.decimal_comma)

    def note_missing_columns(self, names: tuple[str, ...], where: str) -> None:
        """Columns that a table model learned from and the file, or the row, does not have."""
        for feature in self.features:
            if (name := feature["name"]) not in names:
                message = f"there is no column {name!r}{nearest(name, names)}"
                self.notes.warn(f"no-column {name}", message, where, "It counts as missing.")


def readable_row(cells: Mapping[str, Any], where: str, rows: PredictionRows, decimal_comma: bool) -> dict[str, Any]:
    """The row with its numbers as numbers, however the file writes them; cells that hold none are noted."""
    row = dict(cells)
    for feature in rows.features:
        name, kind = feature["name"], feature["kind"]
        cell = cells.get(name)
        if is_missing(cell):
            continue
        if feature.get("categories") and as_label(cell) not in feature["categories"]:
            message = f"{name!r} never was {as_text(cell)[:40]!r} in training"
            rows.notes.warn(f"not-seen {name}", message, where, "It counts as missing there.")
        if kind not in ("number", "date"):
            continue
        if kind == "date":
            if as_timestamp(cell) is None:
                rows.notes.warn(f"not-a-date {name}", _told(name, "dates", cell), where, _MISSING)
            continue
        number = as_number(cell, decimal_comma)
        number = as_number(cell, rows.decimal_comma) if number is None else number
        if number is None:
            rows.notes.warn(f"not-a-number {name}", _told(name, "numbers", cell), where, _MISSING)
        else:
            row[name] = number
    return row


_MISSING = "It counts as missing there; write it as in the training data."


def _told(name: str, what: str, cell: Any) -> str:
    return f"{name!r} holds {what}, but here {as_text(cell)[:40]!r}"
