"""Some text to read, scrolled by keys."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from forge_tui.opening import QuickScreen
from forge_tui.plain import plain


class TextScreen(QuickScreen, ModalScreen[None]):
    """A title and lines; closed with escape."""

    DEFAULT_CSS = """
    TextScreen { align: center middle; background: $background; }
    TextScreen > VerticalScroll { width: 100%; height: 100%; border: round $primary; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,v", "app.pop_screen", "close", id="text.close")]

    def __init__(self, title: str, lines: list[str]) -> None:
        super().__init__()
        self._title, self._lines = plain(title), [plain(line) for line in lines]

    def compose(self) -> ComposeResult:
        with VerticalScroll() as scroll:
            scroll.can_focus = True
            scroll.border_title = Text(self._title).markup
            scroll.border_subtitle = "esc closes"
            yield Static(Text("\n".join(self._lines)), markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
