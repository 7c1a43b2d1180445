"""How a language model answers: system prompt, temperature and the other settings of a draw, in a form."""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from backends.contract import UsageError
from forge_tui.opening import QuickScreen
from forge_tui.tryit.conversation import Drawing
from forge_tui.widgets.line import Line


class ChatSettingsScreen(QuickScreen, ModalScreen[Drawing | None]):
    """Dismissed with the settings, or None where they stay as they are."""

    DEFAULT_CSS = """
    ChatSettingsScreen { align: center middle; background: transparent; }
    ChatSettingsScreen > Vertical { width: 78; max-width: 100%; height: auto; border: round $primary; padding: 1 1; }
    ChatSettingsScreen Horizontal { height: 1; }
    ChatSettingsScreen .name { width: 16; }
    ChatSettingsScreen Input, ChatSettingsScreen Input:focus { width: 1fr; border: none; height: 1; padding: 0; }
    ChatSettingsScreen .help { color: $text-muted; padding-left: 16; }
    ChatSettingsScreen #wrong { color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", "field before", show=False, id="chat_settings.before"),
        Binding("down", "app.focus_next", "next field", show=False, id="chat_settings.next"),
        Binding("escape", "give_up", "back", id="chat_settings.back"),
    ]

    def __init__(self, drawing: Drawing) -> None:
        super().__init__()
        self._drawing = drawing

    def compose(self) -> ComposeResult:
        with Vertical():
            for each in fields(Drawing):
                value = getattr(self._drawing, each.name)
                shown = ("yes" if value else "no") if isinstance(value, bool) else str(value)
                with Horizontal():
                    yield Line(each.name, classes="name")
                    field = Input(shown, id=each.name, compact=True)
                    field.cursor_blink = False
                    yield field
                yield Line(str(each.metadata["help"]), classes="help")
            yield Line("", id="wrong", classes="-wrapped")
            yield Static("enter take these   tab, arrows next field   esc back", markup=False)

    @on(Input.Submitted)
    def _taken(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            drawing = self._drawing.changed(
                {each.name: self.query_one(f"#{each.name}", Input).value for each in fields(Drawing)}
            )
        except UsageError as error:
            self.query_one("#wrong", Line).show(f"{error.what}: {error.why}")
            return
        self.dismiss(drawing)

    def action_give_up(self) -> None:
        """Change nothing."""
        self.dismiss(None)
