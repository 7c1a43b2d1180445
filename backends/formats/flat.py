"""Turns columns of plain objects into a column for each of their keys: `{"translation": {"en": .., "de": ..}}`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from backends.formats.nested import nested_kind
from backends.formats.rows import Batch

_MOST_KEYS = 40
_PLAIN = (str, int, float, bool, type(None))


def plain_objects(batches: Iterable[Batch]) -> tuple[str, ...]:
    """The columns whose cells are all objects of plain values under few names."""
    keys: dict[str, dict[str, None]] = {}
    other: set[str] = set()
    for batch in batches:
        for name, cells in batch.columns.items():
            if name in other:
                continue
            found = keys.setdefault(name, {})
            for cell in cells:
                if cell is None:
                    continue
                if not isinstance(cell, dict) or not cell or nested_kind(cell) != "objects":
                    other.add(name)
                    break
                if not all(isinstance(value, _PLAIN) for value in cell.values()):
                    other.add(name)
                    break
                found.update(dict.fromkeys(map(str, cell)))
            if len(found) > _MOST_KEYS:
                other.add(name)
    return tuple(name for name, found in keys.items() if found and name not in other)


def flattened(batch: Batch, names: Sequence[str]) -> Batch:
    """The batch with a column `name.key` for each key of the objects in these columns."""
    columns: dict[str, list[Any]] = {}
    for name, cells in batch.columns.items():
        if name not in names:
            columns[name] = cells
            continue
        inner = dict.fromkeys(str(key) for cell in cells if isinstance(cell, dict) for key in cell)
        for key in inner:
            columns[f"{name}.{key}"] = [cell.get(key) if isinstance(cell, dict) else None for cell in cells]
    return Batch(batch.numbers, batch.places, columns, batch.place_word, batch.share)
