"""Finds columns that mark how good a row is, for data of mixed quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backends.formats.columns import TableSummary
from backends.formats.values import as_number, normal_name

_NAMES = frozenset(
    "quality qualityscore score rating confidence helpful helpfulness votes upvotes likes stars reward rank "
    "agreement annotatoragreement verified human ishuman gold trust".split()
)


def quality_columns(
    table: TableSummary, rows: Sequence[Mapping[str, Any]], roles: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Columns of numbers that look like a mark of quality and play no role, with what the first rows say of them."""
    found: dict[str, dict[str, float]] = {}
    for name, column in table.columns.items():
        if name in roles.values() or normal_name(name) not in _NAMES or column.kind != "number":
            continue
        marks = sorted(number for row in rows if (number := as_number(row.get(name))) is not None)
        if len(marks) >= 4 and marks[0] < marks[-1]:
            quarter, middle = marks[len(marks) // 4], marks[len(marks) // 2]
            found[name] = {"lowest": marks[0], "quarter_below": quarter, "median": middle, "highest": marks[-1]}
    return found
