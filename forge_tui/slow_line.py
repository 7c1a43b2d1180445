"""A terminal at the end of a slow line: nothing is painted while the last frame is still on its way.

Textual hands each frame to a thread that writes it; up to thirty wait in line there, and then the app itself stands
still. Here what changes in the meantime is only remembered, and painted in one frame, as it is by then, once the line
is free: when everything has been written, and a terminal that answers has answered a question sent behind it, for much
may wait between the two. A frame holds only cells that the terminal does not show yet.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from rich.console import Console
from textual import events, on
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Offset, Region
from textual.message import Message
from textual.screen import Screen

from forge_tui.shown_cells import ShownCells

# Answered by every terminal; the place itself does not matter.
_QUESTION = "\x1b[6n"
# So much may be on its way to the terminal while more is painted: a second of the slowest line.
_BYTES_AHEAD = 1_000
# Seconds between two looks whether the terminal is still there; most that go send a signal, which ends the app at once.
_LOOK = 1.0
# Seconds after which an answer is taken for lost, and those that the end of the app waits for one: after it, the answer
# would be typed into the shell.
_LOST, _LAST = 20.0, 5.0


class _Outlet:
    """The file of the terminal; tells how many pieces have left, each time that none is left behind."""

    def __init__(self, file: Any, tell: Callable[[int], None]) -> None:
        self._file, self._tell, self._written = file, tell, 0

    def write(self, text: str) -> None:
        """Called in the thread that writes; waits where the terminal takes no more."""
        self._file.write(text)
        self._written += 1

    def flush(self) -> None:
        """Called when no piece waits."""
        self._file.flush()
        self._tell(self._written)

    def fileno(self) -> int:
        """The file itself."""
        number: int = self._file.fileno()
        return number


class SlowLineDriver(LinuxDriver):
    """Knows whether what was painted has left, and whether it has arrived."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._file: Any = _Outlet(self._file, self._have_left)
        self._lock = threading.Condition()
        self._given = self._left = 0
        self._sent = self._arrived = 0  # bytes
        self._asked: int | None = None  # the bytes before the question that is not answered yet
        self._answers = False
        self._wanted: Callable[[], object] | None = None

    def start_application_mode(self) -> None:
        """Ask at once, to know early whether this terminal answers."""
        self._asked = None
        super().start_application_mode()
        if self._writer_thread is not None:
            self._ask(at_least=0)

    def disable_input(self) -> None:
        """Hear the last answer first."""
        with self._lock:
            if self._answers:
                self._lock.wait_for(lambda: self._asked is None, _LAST)
        super().disable_input()

    def write(self, data: str) -> None:
        """Hand a piece to the thread that writes."""
        with self._lock:
            self._given += 1
            self._sent += len(data)
        super().write(data)

    def end_frame(self) -> None:
        """Ask when it has arrived, unless it is too little to matter."""
        self._ask(at_least=_BYTES_AHEAD // 2)

    def is_free(self, then: Callable[[], object]) -> bool:
        """Whether a frame would leave at once; if not, `then` is called in the loop of the app as soon as it would."""
        with self._lock:
            if self._is_free:
                return True
            if self._wanted is None and self._answers:
                self._loop.call_later(_LOST, self._doubt, self._asked)
            self._wanted = then
            return False

    def process_message(self, message: Message) -> None:
        """Called in the thread that reads; takes the answers out."""
        if not isinstance(message, events.CursorPosition):
            super().process_message(message)
            return
        with self._lock:
            self._answers = True
            self._arrived, self._asked = max(self._arrived, self._asked or 0), None
            self._lock.notify_all()
        self.end_frame()
        self._tell()

    @property
    def is_cut_off(self) -> bool:
        """Whether the terminal is gone: reading from it then returns nothing at once, for ever."""
        terminal = select.poll()
        terminal.register(self.fileno, 0)
        return bool(terminal.poll(0))

    @property
    def _is_free(self) -> bool:
        is_ahead = self._answers and self._sent - self._arrived > _BYTES_AHEAD
        return self._left == self._given and not is_ahead

    def _ask(self, at_least: int) -> None:
        with self._lock:
            if self._asked is not None or self._sent - self._arrived < at_least:
                return
            self._asked = self._sent
        self.write(_QUESTION)

    def _doubt(self, asked: int | None) -> None:
        """A terminal that has not answered this question is not waited for, until it answers again."""
        with self._lock:
            if self._asked is None or self._asked != asked:
                return
            self._asked, self._answers = None, False
        self._tell()

    def _have_left(self, count: int) -> None:
        """Called in the thread that writes."""
        with self._lock:
            self._left = count
        self._tell()

    def _tell(self) -> None:
        """Call who waits for a free line, if it is."""
        with self._lock:
            wanted = self._wanted if self._is_free else None
            if wanted is not None:
                self._wanted = None
        if wanted is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wanted)


def erases_in_colour() -> bool:
    """Whether this terminal, by its own description, fills what it erases with the colour of the ground."""
    import curses

    try:
        curses.setupterm()
    except (curses.error, OSError, ValueError):  # no such terminal, or none at all
        return False
    return curses.tigetflag("bce") > 0 and curses.tigetstr("ech") is not None


class _Changes(CompositorUpdate):
    """What is to be written, found already."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render_segments(self, console: Console) -> str:
        """As it was found."""
        return self._text


class SlowLineApp(App[str]):
    """Skips frames instead of putting them in line; the last one shows everything that was skipped."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+l", "redraw", "redraw", show=False, tooltip="paint the whole screen anew", id="app.redraw")
    ]
    _owed: set[Region] | None = None
    _owed_of: Screen[Any] | None = None
    _cursor_shown: Offset | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._shown = ShownCells(erases_in_colour())

    def on_mount(self) -> None:
        """Never outlive the terminal."""
        self.set_interval(_LOOK, self._look_for_terminal)

    def _look_for_terminal(self) -> None:
        if isinstance(self._driver, SlowLineDriver) and self._driver.is_cut_off:
            self.exit()

    def get_driver_class(self) -> type[LinuxDriver]:
        """The driver that tells when the line is free."""
        return SlowLineDriver

    async def on_event(self, event: events.Event) -> None:
        """A terminal of another size has moved what it showed, or lost it."""
        if isinstance(event, events.Resize):
            self._shown.forget()
        await super().on_event(event)

    @on(Driver.SignalResume)
    def action_redraw(self) -> None:
        """Something else has written on the terminal."""
        self._shown.forget()
        self._owed, self._owed_of = {self.screen.size.region}, self.screen
        self._paint_owed()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Paint what is not shown, or remember what would have been painted."""
        driver = self._driver
        update: object = renderable
        if not isinstance(driver, SlowLineDriver) or not isinstance(update, CompositorUpdate):
            super()._display(screen, renderable)
        elif not driver.is_free(lambda: self.call_later(self._paint_owed)):
            self._owe(screen, update)
        elif self.is_running and not self._batch_count:
            changes = self._shown.changes(update, self.console)
            if changes or self._cursor_shown != self.cursor_position:
                self._cursor_shown = self.cursor_position
                painted: Any = _Changes(changes)
                super()._display(screen, painted)
                driver.end_frame()

    def _owe(self, screen: Screen[Any], update: CompositorUpdate) -> None:
        if isinstance(update, ChopsUpdate) and self._owed_of in (None, screen):
            regions = {Region(left, y, right - left, 1) for y, left, right in update.spans}
        else:
            regions = {screen.size.region}
        self._owed, self._owed_of = (self._owed or set()) | regions, screen

    def _paint_owed(self) -> None:
        """Paint what was skipped, as it is now."""
        owed, of, self._owed, self._owed_of = self._owed, self._owed_of, None, None
        if not owed:
            return
        screen = self.screen
        whole = screen.size.region
        inside = {region.intersection(whole) for region in owed if region.overlaps(whole)}
        screen._compositor._dirty_regions |= inside if of is screen else {whole}
        screen._compositor_refresh()
