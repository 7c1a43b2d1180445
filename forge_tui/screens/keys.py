"""The keys of the screen below."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from forge_tui.opening import QuickScreen


class KeysScreen(QuickScreen, ModalScreen[None]):
    """A list of keys with what they do, and the ids by which they may be changed."""

    DEFAULT_CSS = """
    KeysScreen { align: center middle; background: $background; }
    KeysScreen > VerticalScroll { width: 76; max-width: 100%; height: auto; max-height: 100%; }
    KeysScreen > VerticalScroll { border: round $primary; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark", "app.pop_screen", "close", id="keys.close")
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        rows: dict[tuple[str, str], list[str]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.id and binding.description:
                keys = rows.setdefault((binding.tooltip or binding.description, binding.id), [])
                keys.append(screen.app.get_key_display(binding))
        self._rows = [f"{' '.join(keys):<10} {what:<40} {id}" for (what, id), keys in rows.items()]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            end = [
                "",
                "ctrl+p     all commands by name",
                "esc        close; the names are those of [keys] in settings.toml",
            ]
            yield Static("\n".join([*self._rows, *end]), markup=False)

    def on_mount(self) -> None:
        """So that it scrolls by keys where it is longer than the screen."""
        self.query_one(VerticalScroll).focus()
