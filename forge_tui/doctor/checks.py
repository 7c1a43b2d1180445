"""What an examination says: a line for each thing looked at, with what to do where it is not in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; a `problem` makes training of some kind impossible, and `fix` says what to do."""

    area: str
    state: State
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Examination:
    """Everything that was looked at, and the installed version of each library of interest, None when missing."""

    checks: tuple[Check, ...]
    packages: Mapping[str, str | None]

    @property
    def ok(self) -> bool:
        """Whether nothing makes training impossible."""
        return all(check.state != "problem" for check in self.checks)

    @property
    def summary(self) -> str:
        """The end of the matter in one line."""
        counts = {state: sum(check.state == state for check in self.checks) for state in ("problem", "warning")}
        told = [f"{count} {state}{'s' if count > 1 else ''}" for state, count in counts.items() if count]
        return f"{len(self.checks)} checks: {', '.join(told) if told else 'all in order'}"

    def to_json(self) -> dict[str, Any]:
        """The object that `doctor --json` prints."""
        checks = [{**asdict(check), "fix": check.fix or None} for check in self.checks]
        return {"ok": self.ok, "checks": checks, "packages": dict(self.packages)}
