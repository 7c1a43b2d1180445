"""Finds columns that give the answer away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from backends.formats.columns import TableSummary
from backends.formats.findings import Findings
from backends.formats.rows import Batch
from backends.formats.values import as_number

_PAIRS_KEPT = 1_000
# Numbers are compared on so many cells of all columns together, and on the first rows alone.
_CELLS_KEPT = 200_000
_FEWEST_PAIRS, _FEWEST_VALUES = 20, 10
# The share of the target that a column explains by a straight line, from which on nothing is left to learn.
_EXPLAINED = 0.9995


class LeakWatch:
    """Looks for columns that tell the target exactly: each of their values stands with one target only."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.seen: dict[str, dict[Any, Any]] = {}
        self.conflicting: set[str] = {target}

    def add(self, batch: Batch) -> None:
        """Take a batch in."""
        targets = batch.columns.get(self.target)
        if targets is None:
            return
        for name, cells in batch.columns.items():
            if name in self.conflicting:
                continue
            known = self.seen.setdefault(name, {})
            try:
                pairs = set(zip(cells, targets))
            except TypeError:  # lists and objects
                self.conflicting.add(name)
                continue
            if len(known) + len(pairs) > 2 * _PAIRS_KEPT:
                self.conflicting.add(name)
                self.seen.pop(name)
                continue
            for cell, target in pairs:
                if known.setdefault(cell, target) != target:
                    self.conflicting.add(name)
                    self.seen.pop(name)
                    break

    def report(self, findings: Findings, table: TableSummary) -> None:
        """Warn of each column that tells the target."""
        target = table.columns[self.target]
        for name, known in self.seen.items():
            column = table.columns.get(name)
            if column is None or name in self.conflicting or target.distinct < 2 or not target.present:
                continue
            if column.distinct < 2 or column.distinct * 5 > column.present or column.missing:
                continue
            if len(known) >= target.distinct:
                findings.warn(
                    "leak-column",
                    f"{name!r} alone tells {self.target!r} in every row; is it known before the answer is?",
                    f"column {name}",
                    "If it is not, delete the column: the score would be too good to be true.",
                )


class NumberWatch:
    """Looks for numbers that tell a number to predict: it grows in step with them, or the logarithms of both do."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.cells: dict[str, list[float | None]] = {}
        self.wanted: int | None = None

    def add(self, batch: Batch, decimal_comma: bool) -> None:
        """Take a batch in, until there are enough rows."""
        if self.wanted is None:
            self.wanted = min(_PAIRS_KEPT, _CELLS_KEPT // max(1, len(batch.columns)))
            self.cells = {name: [] for name in batch.columns}
        if self.wanted <= 0:
            return
        for name, kept in self.cells.items():
            cells = batch.columns.get(name, [None] * len(batch))[: self.wanted]
            kept += [None if isinstance(cell, list | dict) else as_number(cell, decimal_comma) for cell in cells]
        self.wanted -= len(batch)

    def report(self, findings: Findings, table: TableSummary) -> None:
        """Warn of each column that tells the target."""
        targets = self.cells.get(self.target, [])
        for name, cells in self.cells.items():
            if name == self.target or name not in table.columns or table.columns[name].kind != "number":
                continue
            pairs = [(cell, target) for cell, target in zip(cells, targets) if cell is not None and target is not None]
            if len(pairs) >= _FEWEST_PAIRS and _tells(*zip(*pairs)):
                findings.warn(
                    "leak-column",
                    f"{name!r} alone tells {self.target!r} all but exactly; is it known before the answer is?",
                    f"column {name}",
                    "If it is not, delete the column: the score would be too good to be true.",
                )


def _tells(cells: Sequence[float], targets: Sequence[float]) -> bool:
    """Whether one line through the pairs, or through their logarithms, leaves nothing open."""
    if min(len(set(cells)), len(set(targets))) < _FEWEST_VALUES:
        return False
    sides = [[values, list(map(math.log, values))] if min(values) > 0 else [values] for values in (cells, targets)]
    return any(_explained(one, other) >= _EXPLAINED for one in sides[0] for other in sides[1])


def _explained(cells: Sequence[float], targets: Sequence[float]) -> float:
    """The share of the variance of the one that a straight line over the other explains."""
    middles = [sum(values) / len(values) for values in (cells, targets)]
    one, other = ([value - middle for value in values] for values, middle in zip((cells, targets), middles))
    variances = sum(value * value for value in one) * sum(value * value for value in other)
    together = sum(first * second for first, second in zip(one, other))
    return together * together / variances if 0 < variances < math.inf else 0.0
