"""The form in which a finished model is asked: its fields, and the row that what is typed in them makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backends.contract import RunFiles, RunSpec, UsageError, read_json
from backends.formats.values import as_label, as_number, as_text, as_timestamp, is_missing
from backends.registry import Task
from forge_tui.plain import plain

# A form of more fields is no form; the others keep what the row they came with says.
MOST_FIELDS = 60
_HINT_CATEGORIES = 6


@dataclass(frozen=True)
class Field:
    """One thing to type: a text, or a cell of a table of a kind that the model learned."""

    column: str
    label: str
    kind: str = "text"
    choices: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        """What may be typed."""
        if not self.choices:
            return self.kind
        shown = ", ".join(plain(name) for name in self.choices[:_HINT_CATEGORIES])
        return shown + (f" … {len(self.choices)} in all" if len(self.choices) > _HINT_CATEGORIES else "")


@dataclass(frozen=True)
class Form:
    """The fields; of a table those that have no room keep their cells."""

    fields: tuple[Field, ...]
    is_table: bool
    decimal_comma: bool = False
    left_out: int = 0

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        """A row as it stands in the fields."""
        return [shown_cell(row.get(each.column)) for each in self.fields]

    def row(self, texts: Sequence[str], sample: Mapping[str, Any]) -> dict[str, Any]:
        """What the model is asked; a field that shows the cell of the sample unchanged gives that very cell.

        Raises UsageError for what is no number or date in a field for one, and when nothing is typed at all.
        """
        if not any(text.strip() for text in texts):
            raise UsageError("There is nothing to ask", "all fields are empty", "Type something, or take a sample.")
        row = dict(sample) if self.is_table else {}
        for each, text in zip(self.fields, texts, strict=True):
            cell = sample.get(each.column)
            row[each.column] = cell if each.column in sample and text == shown_cell(cell) else self._typed(each, text)
        return row

    def _typed(self, field: Field, text: str) -> Any:
        if field.kind == "text":
            return text
        if is_missing(text.strip()):
            return None
        if field.kind == "number":
            number = as_number(text, self.decimal_comma)
            number = as_number(text) if number is None else number
            if number is None:
                raise _unreadable(field, text, "number")
            return number
        if field.kind == "date" and as_timestamp(text) is None:
            raise _unreadable(field, text, "date, as 2026-01-31")
        return text.strip()

    def unseen(self, texts: Sequence[str]) -> str:
        """What a model for tables does not know of what is typed, as a sentence; nothing where it knows all."""
        found = [
            f"{plain(text)!r} in {plain(each.column)!r}"
            for each, text in zip(self.fields, texts, strict=True)
            if each.choices and not is_missing(text.strip()) and as_label(text) not in each.choices
        ]
        return f"never seen in training, so they count as missing: {', '.join(found)}" if found else ""


def _unreadable(field: Field, text: str, wanted: str) -> UsageError:
    what = f"{plain(text)[:40]!r} in {plain(field.column)!r} is no {wanted}"
    return UsageError(
        what, f"the model learned a {field.kind} there", "Correct it, or leave it empty: then it counts as missing."
    )


def shown_cell(cell: Any) -> str:
    """A cell as it stands in a field: safe to show, with its line ends."""
    if isinstance(cell, list | tuple) and all(isinstance(each, str) for each in cell):
        cell = " ".join(cell)
    return "\n".join(plain(line) for line in as_text(cell).splitlines())


def form_of(files: RunFiles, spec: RunSpec, task: Task) -> Form:
    """The form for the model of a run."""
    if task.is_tabular:
        schema = read_json(files.model / "schema.json") or {}
        features = [each for each in schema.get("features") or () if isinstance(each, dict)]
        fields = tuple(
            Field(
                str(each.get("name")),
                str(each.get("name")),
                str(each.get("kind")),
                tuple(str(name) for name in each.get("categories") or ()),
            )
            for each in features
        )
        left_out = max(0, len(fields) - MOST_FIELDS)
        return Form(fields[:MOST_FIELDS], True, bool(schema.get("decimal_comma")), left_out)
    asked = [role for role in task.data.asked_roles if role in spec.columns]
    return Form(tuple(Field(spec.columns[role], _label(role, spec.columns[role])) for role in asked), False)


def _label(role: str, column: str) -> str:
    role = {"tokens": "text"}.get(role, role)
    return role if role == column else f"{role} ({column})"
