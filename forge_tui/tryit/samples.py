"""Held-out rows to ask with, and what was expected of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.contract import ForgeError, RunFiles, read_json
from forge_tui.formatting import gibibytes
from forge_tui.runs.backend_process import Ended

ROWS = 200
# Reading more than this beside the screen would take memory that the model may need.
LARGEST_BYTES = 1 << 29


@dataclass(frozen=True)
class Sample:
    """A row as the data holds it, without what is to be predicted."""

    row: Mapping[str, Any] = field(default_factory=dict)
    expected: Any = None
    number: int | None = None


NO_SAMPLE = Sample()


class Samples:
    """The held-out rows as they come, and which one is next."""

    def __init__(self) -> None:
        self._rows: list[Sample] = []
        self._next = 0
        self.problem: ForgeError | None = None

    @property
    def has_rows(self) -> bool:
        """Whether there is one to take."""
        return bool(self._rows)

    def hear(self, told: Mapping[str, Any] | ForgeError | Ended) -> None:
        """Take in a row, or why there are none."""
        if isinstance(told, ForgeError):
            self.problem = told
        elif isinstance(told, Ended):
            self.problem = ForgeError("The held-out rows cannot be read", told.words, "Type a question of your own.")
        elif isinstance(told.get("row"), Mapping):
            self._rows.append(Sample(told["row"], told.get("expected"), len(self._rows) + 1))

    def take(self) -> Sample | None:
        """The next row, after the last the first again; None where there is none yet."""
        if not self._rows:
            return None
        sample = self._rows[self._next % len(self._rows)]
        self._next += 1
        return sample


def too_large(files: RunFiles) -> ForgeError | None:
    """Why held-out rows are not read, where the data is too large for that."""
    size = (read_json(files.data) or {}).get("size_bytes")
    if not isinstance(size, int) or size <= LARGEST_BYTES:
        return None
    return ForgeError(
        "Held-out rows are not read",
        f"the data is {gibibytes(size)} GiB; more than {gibibytes(LARGEST_BYTES)} GiB takes too long beside a screen",
        "Type a question, or paste one.",
    )
