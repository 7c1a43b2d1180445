"""Finds columns that give the answer away."""

from __future__ import annotations

from typing import Any

from backends.formats.columns import TableSummary
from backends.formats.findings import Findings
from backends.formats.rows import Batch

_PAIRS_KEPT = 1_000


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
