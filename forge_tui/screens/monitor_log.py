"""The log of a monitor: a part of the trainer's own log file or other lines; followed, scrolled, searched, filtered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.widgets import Input

from forge_tui.plain import plain
from forge_tui.runs.tail import LineTail
from forge_tui.widgets.area import Area
from forge_tui.widgets.line import Line
from forge_tui.widgets.loglines import LEVELS, LogLines

LOG_BYTES = 1 << 16
LOG_LINES = 2000
LINE_BYTES = 1 << 12


class LogPane(Area):
    """Lines, with a line that names their keys for a screen that has room for it, and a line to search by."""

    DEFAULT_CSS = """
    LogPane { height: 1fr; }
    LogPane #logstate { color: $text-muted; }
    LogPane #search { display: none; height: 1; border: none; padding: 0; }
    LogPane #search.-open { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tail: LineTail | None = None
        self._state: Line | None = None
        self._log: LogLines | None = None

    @property
    def _lines(self) -> LogLines:
        """The lines, made when there are any to show: the screen stands there the sooner."""
        if self._log is None:
            self._log = LogLines(most=LOG_LINES)
            self.mount(self._log)
        return self._log

    def begin(self, wrap: bool, is_alone: bool) -> None:
        """Other lines follow, from their end, all of them; where they stand `is_alone`, their keys are told."""
        self._tail = None
        self._state_line(is_alone)
        log = self._lines
        log.show_level(0)
        log.show_wrapped(wrap)
        self._tell_state()

    def _state_line(self, is_shown: bool) -> None:
        if self._state is None and is_shown:
            self._state = Line("", id="logstate")
            self.mount(self._state, after=self._lines)
        if self._state is not None:
            self._state.display = is_shown

    def read(self, path: Path) -> None:
        """Show what was added to the end of a log file."""
        log = self._lines
        if self._tail is None:
            self._tail = LineTail(path, from_end=LOG_BYTES)
            log.set_lines([])
        added = [line.decode("utf-8", errors="replace") for line in self._tail.read()]
        rest = self._tail.unfinished[-LINE_BYTES:].decode("utf-8", errors="replace")
        if not (added or rest or log.has_lines):
            rest = "no line has ended yet" if self._tail.offset else "the trainer has written nothing"
        log.add_lines(added, rest)
        self._tell_state()

    def show_lines(self, lines: Sequence[str], added: int = 0) -> None:
        """Show these lines, the last `added` of them new."""
        self._lines.set_lines(lines, added)
        self._tell_state()

    def _tell_state(self) -> None:
        log = self._lines
        what = "follows the end" if log.follows else "scrolled back: f follows the end"
        keys = "/ search  n older  N newer  e level  w wrap"
        if self._state is not None:
            self._state.show(f" {LEVELS[log.level]}, {what}   {keys}")

    # --- what the keys change ---------------------------------------------------------------------------------

    def scroll_rows(self, count: int) -> None:
        """Go back (positive) or forth (negative)."""
        self._lines.scroll_lines(count)
        self._tell_state()

    def open_search(self) -> None:
        """Type what to search for."""
        search = next(iter(self.query(Input)), None)
        if search is None:
            search = Input(placeholder="search: enter finds, esc closes", id="search", select_on_focus=False)
            self.mount(search)
        search.can_focus = True
        search.add_class("-open")
        search.focus()

    def close_search(self) -> bool:
        """Give the keys back to the screen; whether the search was open."""
        search = next(iter(self.query(Input)), None)
        was_open = search is not None and search.has_class("-open")
        if search is not None and was_open:
            search.remove_class("-open")
            search.can_focus = False
            self.screen.set_focus(None)
        return was_open

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search, and give the keys back."""
        self.close_search()
        self.find_older()

    def find_older(self) -> None:
        """Go to the next older line with what was searched for."""
        self._find(older=True)

    def find_newer(self) -> None:
        """Go to the next newer line with what was searched for."""
        self._find(older=False)

    def _find(self, older: bool) -> None:
        log, search = self._lines, next(iter(self.query(Input)), None)
        needle = search.value if search is not None else ""
        if needle and not log.search(plain(needle), older):
            self.notify(f"no {'older' if older else 'newer'} line here holds {plain(needle)!r}", markup=False)
        elif not needle:
            log.search("")
        self._tell_state()

    def show_next_level(self) -> None:
        """Show all lines, those of warnings and errors, or those of errors."""
        log = self._lines
        log.show_level((log.level + 1) % len(LEVELS))
        self._tell_state()

    def change_wrap(self) -> None:
        """Wrap long lines or cut them."""
        log = self._lines
        log.show_wrapped(not log.wrap)
        self._tell_state()

    def show_end(self) -> None:
        """Go to the end and stay there."""
        self._lines.show_end()
        self._tell_state()
