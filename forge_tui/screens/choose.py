"""A short list to choose one thing from."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from forge_tui.opening import QuickScreen
from forge_tui.plain import plain


class ChooseScreen(QuickScreen, ModalScreen[str | None]):
    """Dismissed with the id of the chosen option, or None."""

    DEFAULT_CSS = """
    ChooseScreen { align: center middle; background: transparent; }
    ChooseScreen > Vertical { width: 70; max-width: 95%; height: auto; border: round $primary; padding: 1 2; }
    ChooseScreen OptionList, ChooseScreen OptionList:focus { height: auto; max-height: 14; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "give_up", "back", id="choose.back")]

    def __init__(self, question: str, options: list[tuple[str, str]]) -> None:
        super().__init__()
        self._question, self._options = plain(question), options

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._question + "\n", markup=False)
            yield OptionList(*(Option(Content(plain(text)), id=key) for key, text in self._options))
            yield Static("\nenter choose   esc back", markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_give_up(self) -> None:
        """Close without a choice."""
        self.dismiss(None)
