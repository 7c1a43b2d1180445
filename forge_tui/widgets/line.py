"""One line of text that repaints only when it changes."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from forge_tui.plain import plain


class Line(Static):
    """A Static that is told the same text again and again and sends nothing for it."""

    DEFAULT_CSS = """
    Line { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    Line.-wrapped { height: auto; min-height: 1; max-height: 5; text-wrap: wrap; text-overflow: fold; }
    """

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        """With the class `-wrapped` a text that is longer than its row goes on in up to four more."""
        super().__init__(Text(plain(text)), id=id, classes=classes, markup=False)
        self.auto_links = False  # there are none, and looking for them takes as long as the rest
        self._shown = plain(text)

    def show(self, text: str, layout: bool = False) -> None:
        """Show `text`, never read as markup or as a terminal sequence; `layout` where it may need other rows."""
        text = plain(text)
        if text == self._shown:
            return
        self._shown = text
        self.update(Text(text), layout=layout or self.has_class("-wrapped"))

    @property
    def text(self) -> str:
        """What is shown, as plain text."""
        return self._shown
