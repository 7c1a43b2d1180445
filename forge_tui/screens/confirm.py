"""A question with yes and no."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from forge_tui.opening import QuickScreen
from forge_tui.plain import plain


class ConfirmScreen(QuickScreen, ModalScreen[bool]):
    """Dismissed with the answer; anything but yes is no."""

    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; background: transparent; }
    ConfirmScreen > Vertical { width: 60; max-width: 90%; height: auto; border: round $primary; padding: 1 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "yes", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "no", id="confirm.no"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = plain(question)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._question, markup=False)
            yield Static("\ny yes   n no", markup=False)

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)


async def is_sure(app: App[Any], question: str) -> bool:
    """Ask and wait for the answer; to be called from a worker."""
    answer: bool = await app.push_screen_wait(ConfirmScreen(question))
    return answer
