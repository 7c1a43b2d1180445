"""A terminal at the end of a slow line: nothing is painted while the last frame is still on its way.

Textual hands each frame to a thread that writes it; up to thirty wait in line there, and then the app itself stands
still. Here what changes in the meantime is only remembered, and painted in one frame, as it is by then, once the line
is free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region
from textual.screen import Screen


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
    """Knows whether everything that was painted has left."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._file: Any = _Outlet(self._file, self._have_left)
        self._lock = threading.Lock()
        self._given = self._left = 0
        self._wanted: Callable[[], object] | None = None

    def write(self, data: str) -> None:
        """Hand a piece to the thread that writes."""
        with self._lock:
            self._given += 1
        super().write(data)

    def is_free(self, then: Callable[[], object]) -> bool:
        """Whether a frame would leave at once; if not, `then` is called in the loop of the app as soon as it would."""
        with self._lock:
            is_free = self._left == self._given
            self._wanted = None if is_free else then
            return is_free

    def _have_left(self, count: int) -> None:
        """Called in the thread that writes."""
        with self._lock:
            self._left = count
            wanted, self._wanted = (self._wanted, None) if count == self._given else (None, self._wanted)
        if wanted is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wanted)


class SlowLineApp(App[str]):
    """Skips frames instead of putting them in line; the last one shows everything that was skipped."""

    _owed: set[Region] | None = None
    _owed_of: Screen[Any] | None = None

    def get_driver_class(self) -> type[LinuxDriver]:
        """The driver that tells when the line is free."""
        return SlowLineDriver

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Paint, or remember what would have been painted."""
        driver = self._driver
        update: object = renderable
        if isinstance(driver, SlowLineDriver) and isinstance(update, CompositorUpdate):
            if not driver.is_free(lambda: self.call_later(self._paint_owed)):
                self._owe(screen, update)
                return
        super()._display(screen, renderable)

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
