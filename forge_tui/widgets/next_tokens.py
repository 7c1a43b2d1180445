"""The tokens that may come next, with their probabilities, to choose one from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from forge_tui.plain import plain

_LONGEST_TOKEN, _LONGEST_BAR = 18, 24
_CONTROLS = {"\n": "⏎", "\t": "→", " ": "·"}


class NextTokens(OptionList):
    """Enter takes the highlighted one; those that the settings leave out of the draw say so."""

    DEFAULT_CSS = """
    NextTokens, NextTokens:focus { height: auto; max-height: 12; border: none; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "take it", id="next.take"),
        Binding("g", "go_on", "the model goes on", id="next.go_on"),
    ]

    class GoOn(Message):
        """The rest is for the model to write."""

    def show(self, candidates: Sequence[Mapping[str, Any]]) -> None:
        """These candidates, the likeliest highlighted."""
        self.clear_options()
        self.add_options(Option(Content(token_line(each)), id=str(each["id"])) for each in candidates)
        self.highlighted = 0 if candidates else None

    def action_go_on(self) -> None:
        """Say that the model writes the rest."""
        self.post_message(self.GoOn())


def token_line(candidate: Mapping[str, Any]) -> str:
    """` Paris            97.3% ████████████████████████`; blanks and line ends are drawn."""
    text = "".join(_CONTROLS.get(sign, sign) for sign in str(candidate["text"]))
    shown = plain(text) or "(nothing to see)"
    if cell_len(shown) > _LONGEST_TOKEN:
        shown = set_cell_size(shown, _LONGEST_TOKEN - 1) + "…"
    shown = set_cell_size(shown, _LONGEST_TOKEN)
    share = float(candidate["probability"])
    marks = "  ends the answer" if candidate.get("ends") else ""
    marks += "" if candidate.get("kept") else "  not in the draw"
    return f"{shown} {share:6.1%} {'█' * round(share * _LONGEST_BAR)}{marks}"
