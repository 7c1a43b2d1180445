"""A field of several lines in which enter asks; arrows reach for other questions at its first and last line."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key
from textual.message import Message
from textual.widgets import TextArea


class AskField(TextArea):
    """Text may be pasted with its line ends; ctrl+j begins a new line."""

    DEFAULT_CSS = """
    AskField, AskField:focus { height: auto; min-height: 1; max-height: 8; border: none; padding: 0; }
    AskField { background: $surface; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    AskField .text-area--cursor-line { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask", "ask", id="try.ask"),
        Binding("ctrl+j", "new_line", "new line", show=False, id="try.line"),
        Binding("up", "earlier", "earlier", show=False, tooltip="up a line, or the question before", id="try.up"),
        Binding("down", "later", "later", show=False, tooltip="down a line, or the question after", id="try.down"),
    ]

    class Asked(Message):
        """Enter was pressed."""

    class Reached(Message):
        """An arrow left the text: -1 for an earlier question, 1 for a later one."""

        def __init__(self, places: int) -> None:
            super().__init__()
            self.places = places

    def __init__(self, text: str = "", *, id: str | None = None, placeholder: str | Content = "") -> None:
        super().__init__(
            text, id=id, placeholder=placeholder, compact=True, soft_wrap=True, highlight_cursor_line=False
        )
        self.cursor_blink = False

    async def _on_key(self, event: Key) -> None:
        if event.key == "enter":  # no text, so that it goes on to its binding
            event.prevent_default()

    def action_ask(self) -> None:
        """Say that the question is whole."""
        self.post_message(self.Asked())

    def action_new_line(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_earlier(self) -> None:
        """Up, or out of the text."""
        if self.navigator.is_first_wrapped_line(self.selection.end):
            self.post_message(self.Reached(-1))
        else:
            self.action_cursor_up()

    def action_later(self) -> None:
        """Down, or out of the text."""
        if self.navigator.is_last_wrapped_line(self.selection.end):
            self.post_message(self.Reached(1))
        else:
            self.action_cursor_down()
