"""Held-out rows to read, the worst mistakes first: as many as fit, from the present one on."""

from __future__ import annotations

from collections import Counter

from rich.text import Text
from textual.widget import Widget

from forge_tui.formatting import counted
from forge_tui.result_text import judged_lines
from forge_tui.runs.results import Judged, Predictions, Results

MISTAKES, EVERYTHING = "mistakes", "everything"
_LINES_A_TEXT, _PAIRS_OFFERED = 3, 30


class MistakeReader(Widget):
    """Moved by its screen; `place` says which row is the present one."""

    DEFAULT_CSS = "MistakeReader { height: 1fr; padding: 0 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._predictions: Predictions | None = None
        self._results: Results | None = None
        self._rows: tuple[Judged, ...] = ()
        self._at = 0
        self._chosen = MISTAKES

    def show(self, predictions: Predictions, results: Results) -> None:
        """Show these rows, the mistakes of them first."""
        self._predictions, self._results = predictions, results
        self.choose(MISTAKES)

    def choices(self) -> list[tuple[str, str]]:
        """What may be read, by key: the mistakes, those of two classes, everything."""
        if self._predictions is None:
            return []
        mistakes, rows = self._predictions.mistakes, self._predictions.rows
        pairs = Counter((row.expected, row.predicted) for row in mistakes if self._has_classes)
        told = [(MISTAKES, f"the mistakes ({len(mistakes):,} are kept)")]
        told += [
            (f"pair {expected}\0{predicted}", f"{expected} taken for {predicted} ({count:,})")
            for (expected, predicted), count in pairs.most_common(_PAIRS_OFFERED)
        ]
        return [*told, (EVERYTHING, f"also those that are right ({len(rows):,} are kept)")]

    @property
    def _has_classes(self) -> bool:
        return self._results is not None and bool(self._results.classes)

    def choose(self, key: str) -> None:
        """Read the rows of a choice from its first one on."""
        assert self._predictions is not None
        self._chosen, self._at = key, 0
        if key == EVERYTHING:
            self._rows = self._predictions.rows
        else:
            pair = tuple(key.removeprefix("pair ").split("\0")) if key != MISTAKES else None
            rows = self._predictions.mistakes
            self._rows = tuple(row for row in rows if pair is None or (row.expected, row.predicted) == pair)
        self.refresh()

    def move(self, rows: int) -> None:
        """Go to another row."""
        self._at = max(0, min(len(self._rows) - 1, self._at + rows))
        self.refresh()

    @property
    def place(self) -> str:
        """`3 of 51 mistakes`."""
        return f"{self._at + 1:,} of {len(self._rows):,}" if self._rows else ""

    def in_full(self, width: int) -> list[str]:
        """The present row with all of its text; nothing where there is no row."""
        return judged_lines(self._rows[self._at], width) if self._rows else []

    def render(self) -> Text:
        """As many rows as fit; made when it is painted, since only then the room is known."""
        if self._predictions is None:
            return Text("reading the predictions …")
        return Text("\n".join(self._lines(max(20, self.size.width), self.size.height)))

    def _lines(self, width: int, height: int) -> list[str]:
        assert self._predictions is not None and self._results is not None
        if self._predictions.problem is not None:
            return [f"! {self._predictions.problem}."]
        lines = [self._heading()]
        for at in range(self._at, len(self._rows)):
            if len(lines) >= height:
                break
            lines += ["", f"{'>' if at == self._at else ' '} {at + 1:,} of {len(self._rows):,}"]
            lines += [f"  {line}" for line in judged_lines(self._rows[at], width - 2, _LINES_A_TEXT)]
        return lines[: max(1, height)]

    def _heading(self) -> str:
        assert self._predictions is not None and self._results is not None
        lost = (
            f" ({counted(self._predictions.lost, 'line')} of the file cannot be read)" if self._predictions.lost else ""
        )
        if not self._rows:
            total = self._results.told("rows")
            return f"No mistake among {total or len(self._predictions.rows):,} held-out rows.{lost}"
        by = self._results.sorted_by
        if self._chosen == EVERYTHING:
            return f"Mistakes first, then what is right, sorted by {by}{lost}"
        if self._rows[0].wrong is None:
            return f"The largest errors first{lost}"
        wrong = self._results.told("mistakes") or len(self._rows)
        if self._chosen != MISTAKES:
            return f"{self._rows[0].expected} taken for {self._rows[0].predicted}; f chooses others{lost}"
        kept = f", the {len(self._rows):,} worst are kept" if wrong > len(self._rows) else ""
        return f"{counted(wrong, 'mistake')}{kept}, the worst first by {by}{lost}"
