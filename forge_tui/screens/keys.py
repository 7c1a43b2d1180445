"""The keys of the screen below."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Static


class KeysScreen(ModalScreen[None]):
    """A list of keys with what they do."""

    DEFAULT_CSS = """
    KeysScreen { align: center middle; }
    KeysScreen > Vertical { width: 60; max-width: 95%; height: auto; border: round $primary; padding: 1 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark", "app.pop_screen", "close", id="keys.close")
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        rows: dict[str, list[str]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.id and binding.description:
                keys = rows.setdefault(binding.tooltip or binding.description, [])
                keys.append(screen.app.get_key_display(binding))
        self._rows = [f"{' '.join(keys):<14} {what}" for what, keys in rows.items()]

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(
                "\n".join(self._rows) + "\n\nctrl+p         all commands by name\nesc            close", markup=False
            )
