"""The log of a monitor: a part of the trainer's own log file or other lines; followed, scrolled, searched, filtered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from forge_tui.plain import plain
from forge_tui.runs.tail import LineTail
from forge_tui.widgets.line import Line
from forge_tui.widgets.loglines import LEVELS, LogLines

LOG_BYTES = 1 << 16
LOG_LINES = 2000
LINE_BYTES = 1 << 12


class LogPane(Vertical):
    """Lines, with a line that names their keys for a screen that has room for it, and a line to search by."""

    DEFAULT_CSS = """
    LogPane { height: 1fr; }
    LogPane #logstate { display: none; color: $text-muted; }
    LogPane #search { display: none; height: 1; border: none; padding: 0; }
    LogPane #search.-open { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tail: LineTail | None = None

    def compose(self) -> ComposeResult:
        yield LogLines(most=LOG_LINES)
        yield Line("", id="logstate")
        yield Input(placeholder="search: enter finds, esc closes", id="search", select_on_focus=False)

    def on_mount(self) -> None:
        self.query_one(Input).can_focus = False
        self._tell_state()

    def begin(self, wrap: bool) -> None:
        """Other lines follow, from their end, all of them."""
        self._tail = None
        log = self.query_one(LogLines)
        log.show_level(0)
        log.show_wrapped(wrap)
        self._tell_state()

    def read(self, path: Path) -> None:
        """Show what was added to the end of a log file."""
        log = self.query_one(LogLines)
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
        self.query_one(LogLines).set_lines(lines, added)
        self._tell_state()

    def _tell_state(self) -> None:
        log = self.query_one(LogLines)
        what = "follows the end" if log.follows else "scrolled back: f follows the end"
        keys = "/ search  n older  N newer  e level  w wrap"
        self.query_one("#logstate", Line).show(f" {LEVELS[log.level]}, {what}   {keys}")

    # --- what the keys change ---------------------------------------------------------------------------------

    def scroll_rows(self, count: int) -> None:
        """Go back (positive) or forth (negative)."""
        self.query_one(LogLines).scroll_lines(count)
        self._tell_state()

    def open_search(self) -> None:
        """Type what to search for."""
        search = self.query_one(Input)
        search.can_focus = True
        search.add_class("-open")
        search.focus()

    def close_search(self) -> bool:
        """Give the keys back to the screen; whether the search was open."""
        search = self.query_one(Input)
        was_open = search.has_class("-open")
        if was_open:
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
        log, needle = self.query_one(LogLines), self.query_one(Input).value
        if needle and not log.search(plain(needle), older):
            self.notify(f"no {'older' if older else 'newer'} line here holds {plain(needle)!r}", markup=False)
        elif not needle:
            log.search("")
        self._tell_state()

    def show_next_level(self) -> None:
        """Show all lines, those of warnings and errors, or those of errors."""
        log = self.query_one(LogLines)
        log.show_level((log.level + 1) % len(LEVELS))
        self._tell_state()

    def change_wrap(self) -> None:
        """Wrap long lines or cut them."""
        log = self.query_one(LogLines)
        log.show_wrapped(not log.wrap)
        self._tell_state()

    def show_end(self) -> None:
        """Go to the end and stay there."""
        self.query_one(LogLines).show_end()
        self._tell_state()
