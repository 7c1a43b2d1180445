"""The last lines of a log; constant memory, repainted only when a line was added."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from forge_tui.plain import plain


class LogLines(Widget, can_focus=False):
    """Shows the end of a list of lines, as many as fit, or an earlier part while scrolled back."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "LogLines { width: 1fr; height: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[str] = []
        self._back = 0

    def set_lines(self, lines: Sequence[str], added: int = 0) -> None:
        """Show these lines, the last `added` of them new; what is scrolled back to stays in place."""
        fresh = [plain(line) for line in lines]
        if fresh == self._lines:
            return
        self._lines = fresh
        self._back = min(self._back + added, max(0, len(fresh) - self.size.height)) if self._back else 0
        self.refresh()

    def show_end(self) -> None:
        """Forget how far was scrolled back."""
        self._back = 0
        self.refresh()

    def scroll_lines(self, count: int) -> None:
        """Go back (positive) or forth (negative) by so many lines."""
        most = max(0, len(self._lines) - self.size.height)
        back = min(most, max(0, self._back + count))
        if back != self._back:
            self._back = back
            self.refresh()

    def shown_lines(self) -> list[str]:
        """The lines on the screen now."""
        end = len(self._lines) - self._back
        return self._lines[max(0, end - self.size.height) : end]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as there are lines."""
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """One row of the log."""
        shown = self.shown_lines()
        text = shown[y] if y < len(shown) else ""
        strip = Strip([Segment(text, self.rich_style)])
        return strip.adjust_cell_length(self.size.width, self.rich_style)
