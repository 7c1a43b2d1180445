"""A line for each GPU."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from forge_tui.widgets.line import Line


class GpuGauges(Vertical):
    """Lines that change where their text does; their number changes only when a GPU goes away or comes."""

    DEFAULT_CSS = """
    GpuGauges { height: auto; max-height: 9; }
    """

    def __init__(self, text: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._first = text

    def compose(self) -> ComposeResult:
        yield Line(self._first)

    def show(self, texts: Sequence[str]) -> None:
        """Show these lines."""
        lines = list(self.query(Line))
        for text in texts[len(lines) :]:
            self.mount(Line(text))
        for line in lines[len(texts) :]:
            line.remove()
        for line, text in zip(lines, texts, strict=False):
            line.show(text)
