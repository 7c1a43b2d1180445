"""Screens that stand there sooner: Textual does less of what nobody sees.

A screen that is new has its styles already when it is resumed for the first time, and its classes for the size of the
terminal are known before its first frame. What shows notices is there once there is a notice; nothing here has tips at
the mouse.
"""

from __future__ import annotations

from typing import Any

from textual import events
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets._toast import ToastRack


class QuickScreen(Screen[Any]):
    """To be named before one of the kinds of Screen."""

    _was_shown = False

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """Called before Textual's own answer: styles are applied anew only when the screen comes back."""
        event.refresh_styles = event.refresh_styles and self._was_shown
        self._was_shown = True

    def _extend_compose(self, widgets: list[Widget]) -> None:
        """Textual's own widgets are left out."""

    def need_notices(self) -> None:
        """Have what shows notices."""
        if self.is_attached and not any(isinstance(each, ToastRack) for each in self.children):
            self.mount(ToastRack(id="textual-toastrack"), before=0)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The background, which lies behind everything; of a dialog what is below it, where that is seen."""
        if self.styles.background.a < 1:
            return super().render_lines(crop)
        return [Strip.blank(crop.width, self.rich_style)] * crop.height


def fit(screen: Screen[Any], size: Size) -> None:
    """Give a screen that is not there yet its classes for the size of the terminal."""
    for length, limits in ((size.width, screen.HORIZONTAL_BREAKPOINTS), (size.height, screen.VERTICAL_BREAKPOINTS)):
        screen._classes |= screen._get_breakpoint_classes(length, limits or [])
