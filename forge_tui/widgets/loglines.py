"""The last lines of a log; constant memory, repainted only when a line was added; searched, filtered, wrapped."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from forge_tui.plain import plain

LEVELS = ("all lines", "warnings and errors", "errors")
_ERROR = r"error|exception|traceback|critical|fatal|failed|not a number|✗"
_PATTERNS = (None, re.compile(rf"warn|^\S* ?!|{_ERROR}", re.IGNORECASE), re.compile(_ERROR, re.IGNORECASE))
_FOUND = Style(reverse=True)


class LogLines(Widget, can_focus=False):
    """Shows the end of a list of lines, as many as fit, or an earlier part while scrolled back."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "LogLines { width: 1fr; height: 1fr; }"

    def __init__(self, *, most: int = 2000, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: deque[str] = deque(maxlen=most)
        self._rest = ""
        self._back = 0
        self._rows: list[str] | None = None
        self.needle = ""
        self.level = 0
        self.wrap = False

    def set_lines(self, lines: Sequence[str], added: int = 0) -> None:
        """Show these lines, the last `added` of them new; what is scrolled back to stays in place."""
        fresh = [plain(line) for line in lines]
        if fresh == list(self._lines) and not self._rest:
            return
        self._lines.clear()
        self._lines.extend(fresh)
        self._rest = ""
        self._moved(fresh[len(fresh) - added :] if 0 < added <= len(fresh) else [])

    def add_lines(self, lines: Sequence[str], rest: str = "") -> None:
        """Add lines at the end, with `rest` for a last one that is not whole yet."""
        fresh, rest = [plain(line) for line in lines], plain(rest)
        if not fresh and rest == self._rest:
            return
        self._lines.extend(fresh)
        self._rest = rest
        self._moved(fresh)

    def show_level(self, level: int) -> None:
        """Show lines of a level of `LEVELS` only."""
        self.level = level
        self.show_end()

    def show_wrapped(self, wrap: bool) -> None:
        """Break lines that are longer than the screen is wide, or cut them."""
        self.wrap = wrap
        self.show_end()

    def show_end(self) -> None:
        """Forget how far was scrolled back, and follow the end again."""
        self._back = 0
        self._changed()

    @property
    def has_lines(self) -> bool:
        """Whether there is any whole line."""
        return bool(self._lines)

    @property
    def follows(self) -> bool:
        """Whether new lines are shown as they come."""
        return not self._back

    def scroll_lines(self, count: int) -> None:
        """Go back (positive) or forth (negative) by so many rows."""
        before = self._back
        self._back = max(0, self._back + count)
        self._rows = None
        self._visible()
        if self._back != before:
            self._changed()

    def search(self, needle: str, older: bool = True) -> bool:
        """Scroll to the next older (or newer) line that holds a text, in any case; whether there is one."""
        self.needle = needle.casefold()
        self._changed()
        if not needle:
            return True
        rows = self._all_rows()
        at = len(rows) - self._back - 1
        line = range(at if not self._is_match(rows, at) else at - 1, -1, -1) if older else range(at + 1, len(rows))
        found = next((index for index in line if self.needle in rows[index].casefold()), None)
        if found is None:
            return self._is_match(rows, at)
        self._back = len(rows) - 1 - found
        self._changed()
        return True

    def _is_match(self, rows: Sequence[str], at: int) -> bool:
        return 0 <= at < len(rows) and self.needle in rows[at].casefold()

    def shown_lines(self) -> list[str]:
        """The rows on the screen now."""
        return list(self._visible())

    def _moved(self, added: Sequence[str]) -> None:
        """After lines were added: what is scrolled back to stays in place."""
        if self._back:
            self._back += sum(len(self._rows_of(line)) for line in added if self._passes(line))
        self._changed()

    def _changed(self) -> None:
        self._rows = None
        self.refresh()

    def _passes(self, line: str) -> bool:
        pattern = _PATTERNS[self.level]
        return pattern is None or pattern.search(line) is not None

    def _rows_of(self, line: str) -> list[str]:
        if not self.wrap or not self.size.width or cell_len(line) <= self.size.width:
            return [line]
        return chop_cells(line, self.size.width)

    def _all_rows(self) -> list[str]:
        lines = [*self._lines, self._rest] if self._rest else list(self._lines)
        return [row for line in lines if self._passes(line) for row in self._rows_of(line)]

    def _visible(self) -> list[str]:
        """The rows to show, found from the end: a long log costs no more than a short one."""
        if self._rows is not None:
            return self._rows
        height = self.size.height
        found: list[str] = []
        lines = iter([self._rest] if self._rest else [])
        for source in (lines, reversed(self._lines)):
            for line in source:
                if len(found) >= height + self._back:
                    break
                if self._passes(line):
                    found.extend(reversed(self._rows_of(line)))
        self._back = min(self._back, max(0, len(found) - height))
        self._rows = found[self._back : self._back + height][::-1]
        return self._rows

    def on_resize(self) -> None:
        """Other rows fit."""
        self._changed()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as there are lines."""
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """One row of the log, with what was searched for marked."""
        shown = self._visible()
        text = shown[y] if y < len(shown) else ""
        segments, style = [], self.rich_style
        at = text.casefold().find(self.needle) if self.needle else -1
        while at >= 0 and len(text.casefold()) == len(text):
            end = at + len(self.needle)
            segments += [Segment(text[:at], style), Segment(text[at:end], style + _FOUND)]
            text = text[end:]
            at = text.casefold().find(self.needle)
        segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(self.size.width, style)
