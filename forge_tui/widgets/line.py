"""One line of text that repaints only when it changes."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """A Static that is told the same text again and again and sends nothing for it."""

    DEFAULT_CSS = "Line { height: 1; width: 1fr; }"

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(Text(text, no_wrap=True, overflow="ellipsis"), id=id, classes=classes, markup=False)
        self._shown: str | Text = text

    def show(self, text: str | Text) -> None:
        """Show `text`, never read as markup."""
        if text == self._shown:
            return
        self._shown = text
        shown = text if isinstance(text, Text) else Text(text)
        shown.no_wrap, shown.overflow = True, "ellipsis"
        self.update(shown, layout=False)

    @property
    def text(self) -> str:
        """What is shown, as plain text."""
        return self._shown.plain if isinstance(self._shown, Text) else self._shown
