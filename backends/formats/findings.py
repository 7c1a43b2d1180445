"""Collects what is wrong with data: the first places of each kind and the count of the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from backends.contract import Finding

PLACES_KEPT = 20
_RECORD = re.compile(r"(?:row|line) [\d,]+(?=,|$)")


# Rows that were left out while they were read, before any task looked at them.
NOT_READ = ("unreadable-row", "ragged-row", "not-an-object")
CORRECT_IT = "Correct it or delete the row."


@dataclass(frozen=True)
class Fault:
    """What is wrong with one row, file or box; `fatal` means that it cannot be used and is left out, `stops` that
    this stops the run unless leaving such rows out was chosen."""

    code: str
    message: str
    fix: str
    fatal: bool = True
    stops: bool = False


def place_in(part: str | None, where: str) -> str:
    """The place of a row or a line with its part, `row 3 of validation`; other places as they are."""
    return where if part is None else _RECORD.sub(lambda found: f"{found[0]} of {part}", where, count=1)


def first_of(found: Sequence[Finding], fix: str) -> tuple[Finding, ...]:
    """The first findings of one kind, closed by the count of those that are left out, for which `fix` stands."""
    kept, more = tuple(found[:PLACES_KEPT]), len(found) - PLACES_KEPT
    return (*kept, _rest(found[0].code, len(found), fix)) if more > 0 else kept


def _rest(code: str, count: int, fix: str) -> Finding:
    return Finding(code, f"and {count - PLACES_KEPT:,} more of this kind", f"{count:,} places in all", fix)


def is_lost_row(found: Finding, data_format: str) -> bool:
    """Whether a finding of a reader tells of a row that nobody could use."""
    while_mixing = data_format == "mix"
    return found.code in NOT_READ or (while_mixing and found.code.startswith(("chat-", "empty-", "sides-")))


@dataclass
class Findings:
    """Findings by code, in the order they were first met; memory stays bounded on any file.

    While `part` names another part than training, rows and lines are those of that part, and their places say so.
    """

    kept: list[tuple[bool, Finding]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    fixes: dict[str, tuple[bool, str]] = field(default_factory=dict)
    part: str | None = None

    def error(self, code: str, message: str, where: str, fix: str) -> None:
        """Note something no run could survive."""
        self._add(True, Finding(code, message, place_in(self.part, where), fix))

    def warn(self, code: str, message: str, where: str, fix: str) -> None:
        """Note something to know that does not stop a run."""
        self._add(False, Finding(code, message, place_in(self.part, where), fix))

    def _add(self, fatal: bool, finding: Finding) -> None:
        self.counts[finding.code] += 1
        self.fixes[finding.code] = (fatal, finding.fix)
        if self.counts[finding.code] <= PLACES_KEPT:
            self.kept.append((fatal, finding))

    def count(self, code: str, more: int) -> None:
        """Count places of a kind that was noted before, without keeping them."""
        if more > 0:
            self.counts[code] += more

    def errors(self) -> tuple[Finding, ...]:
        """The errors, each kind closed by the count of what was left out."""
        return self._side(True)

    def warnings(self) -> tuple[Finding, ...]:
        """The warnings, each kind closed by the count of what was left out."""
        return self._side(False)

    def _side(self, fatal: bool) -> tuple[Finding, ...]:
        rest = [
            _rest(code, count, fix)
            for code, count in self.counts.items()
            for side, fix in (self.fixes[code],)
            if count > PLACES_KEPT and side is fatal
        ]
        return tuple([finding for side, finding in self.kept if side is fatal] + rest)
