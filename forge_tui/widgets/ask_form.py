"""The fields in which a model is asked: texts of several lines, or the cells of a table row with their kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, TextArea

from forge_tui.plain import plain
from forge_tui.tryit.form import Form
from forge_tui.widgets.ask_field import AskField
from forge_tui.widgets.line import Line

_LONGEST_NAME = 24


class CellField(Input):
    """A cell of a table; enter asks with the whole row."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "ask", id="try.ask_row"),
        Binding("up", "reach(-1)", "earlier", show=False, tooltip="the question before", id="try.earlier"),
        Binding("down", "reach(1)", "later", show=False, tooltip="the question after", id="try.later"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False

    def action_reach(self, places: int) -> None:
        """An earlier or a later question."""
        self.post_message(AskField.Reached(places))


class AskForm(VerticalScroll):
    """Shows texts in its fields and says when they are to be asked; it knows nothing of the model."""

    can_focus = False
    DEFAULT_CSS = """
    AskForm { height: auto; padding: 0 1; scrollbar-size-vertical: 1; }
    AskForm Horizontal { height: 1; }
    AskForm Horizontal .name { padding-right: 1; text-style: bold; }
    AskForm Horizontal .hint { width: 30; color: $text-muted; padding-left: 1; }
    AskForm CellField, AskForm CellField:focus { width: 1fr; border: none; height: 1; padding: 0; }
    AskForm CellField { background: $surface; }
    AskForm .label { text-style: bold; }
    """

    class Asked(Message):
        """The fields are to be asked as they are."""

    class Changed(Message):
        """Something was typed."""

    def __init__(self, form: Form, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._form = form

    def compose(self) -> ComposeResult:
        form = self._form
        width = min(_LONGEST_NAME, max((len(plain(each.label)) for each in form.fields), default=0)) + 1
        for index, each in enumerate(form.fields):
            if form.is_table:
                with Horizontal():
                    name = Line(each.label, classes="name")
                    name.styles.width = width
                    yield name
                    yield CellField(id=f"field{index}")
                    yield Line(each.hint, classes="hint")
            else:
                yield Line(each.label, classes="label")
                hint = f"type a {plain(each.label)}, or ctrl+n for a held-out row"
                yield AskField(id=f"field{index}", placeholder=Content(hint))
        if form.left_out:
            yield Line(f"{form.left_out} more columns keep what the held-out row says", classes="label")

    @property
    def _fields(self) -> list[CellField | AskField]:
        found = [self.query_one(f"#field{index}") for index in range(len(self._form.fields))]
        return [each for each in found if isinstance(each, CellField | AskField)]

    @property
    def texts(self) -> list[str]:
        """What stands in the fields."""
        return [each.value if isinstance(each, CellField) else each.text for each in self._fields]

    def fill(self, texts: Sequence[str]) -> None:
        """Show texts in the fields."""
        for field, text in zip(self._fields, texts, strict=True):
            if isinstance(field, CellField):
                field.value = text.replace("\n", " ")
                field.cursor_position = len(text)
            elif field.text != text:
                field.load_text(text)
                field.move_cursor(field.document.end)

    def focus_first(self) -> None:
        """Begin typing at the top."""
        fields = self._fields
        if fields:
            fields[0].focus()

    @on(AskField.Asked)
    @on(Input.Submitted)
    def _asked(self, event: AskField.Asked | Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Asked())

    @on(TextArea.Changed)
    @on(Input.Changed)
    def _changed(self, event: TextArea.Changed | Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())
