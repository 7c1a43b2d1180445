"""One question on the screen: what is asked and why, a field where something is typed, the answers, what is told."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key, Resize
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from forge_tui.plain import plain
from forge_tui.questions import Question
from forge_tui.widgets.area import Area, ScrolledArea
from forge_tui.widgets.line import Line

# From so many columns on, what is told stands beside the answers, where as many are left for it.
_BESIDE, _LEFT = 100, 46


class AnswerField(Input):
    """Where something is typed; enter is named in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "submit", "choose", id="wizard.submit")]


class AnswerList(OptionList):
    """The possible answers; enter is named in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "choose", id="wizard.choose")]


class QuestionView(Area):
    """Shows a question and says what was answered; it knows nothing of what follows."""

    MOST_COLUMNS = 90
    DEFAULT_CSS = """
    QuestionView { height: 1fr; }
    QuestionView #ask { text-style: bold; padding: 0 1; }
    QuestionView #why { color: $text-muted; max-height: 2; padding: 0 1; }
    QuestionView #body { height: 1fr; }
    QuestionView Input, QuestionView Input:focus { border: none; height: 1; margin: 0 1; background: $surface; }
    QuestionView OptionList, QuestionView OptionList:focus { border: none; }
    QuestionView OptionList { height: auto; max-height: 100%; padding: 0 1; scrollbar-size-vertical: 1; }
    QuestionView OptionList { text-wrap: nowrap; text-overflow: ellipsis; }
    QuestionView #header { color: $text-muted; height: auto; max-height: 5; }
    QuestionView #header.-empty { color: $text-warning; text-wrap: wrap; text-overflow: fold; padding: 0 1; }
    QuestionView #told { height: 1fr; padding: 0 1; }
    """

    class Answered(Message):
        """A choice was taken, or a text entered; `highlighted` is the choice below the text."""

        def __init__(self, key: str | None = None, text: str | None = None, highlighted: str | None = None) -> None:
            super().__init__()
            self.key, self.text, self.highlighted = key, text, highlighted

    class Typed(Message):
        """The text of the field changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._question = Question("", "")
        self._told: tuple[str, ...] | None = None
        self._told_at: str | None = None
        self._written: tuple[str, ...] = ()
        self._area: ScrolledArea | None = None

    def compose(self) -> ComposeResult:
        yield Line("", id="ask", classes="-wrapped")
        yield Line("", id="why", classes="-wrapped")
        with Area(id="body"):
            with Area(id="answers"):
                yield AnswerList(id="options")

    def on_mount(self) -> None:
        """What is told stands there after the first frame, which comes the sooner."""
        self.call_after_refresh(self._begin_to_tell)

    def _begin_to_tell(self) -> None:
        if self._area is None and self.is_attached:
            self._text = Static("", id="text", markup=False)
            self._area = ScrolledArea(self._text, id="told")
            self.query_one("#body").mount(self._area)
            self._arrange()
            self._tell()

    # --- showing -----------------------------------------------------------------------------------------------------

    @property
    def highlighted(self) -> str | None:
        """The key of the choice that enter would take."""
        option = self.query_one(AnswerList).highlighted_option
        return option.id if option is not None else None

    def show(self, question: Question, again: bool = False) -> None:
        """Show a question; `again` keeps the cursor where it is and what is being typed."""
        before = self.highlighted if again else None
        was_typed = again and self._question.typed is not None and question.typed is not None
        self._question, self._told = question, None
        self.query_one("#ask", Line).show(question.ask)
        self.query_one("#why", Line).show(question.why)
        self._head(question)
        field, options = self._field_for(question), self.query_one(AnswerList)
        if field is not None and question.typed is not None and not was_typed:
            field.value = question.typed
            field.cursor_position = len(question.typed)
            if question.replaces:
                field.action_select_all()
        self._fill(question, before)
        options.display = bool(question.choices)
        if not was_typed:
            (field if field is not None and field.display else options).focus()
        self._arrange()
        self._tell()

    @property
    def _field(self) -> AnswerField | None:
        """Where something is typed, once there was a question for it."""
        return next(iter(self.query(AnswerField)), None)

    def _field_for(self, question: Question) -> AnswerField | None:
        field = self._field
        if field is None and question.typed is not None:
            field = AnswerField(id="path", select_on_focus=False)
            field.cursor_blink = False
            self.query_one("#answers").mount(field, before=0)
        if field is not None:
            field.display = question.typed is not None
            field.placeholder = question.placeholder
        return field

    def show_answers(self, question: Question) -> None:
        """Other answers to the same question, as the text of the field changes."""
        self._question = question
        self._head(question)
        self._fill(question, None)
        self.query_one(AnswerList).display = bool(question.choices)
        self._tell()

    def show_more(self, question: Question) -> None:
        """The same question with other or wider answers; the cursor and what is told stay."""
        self._question = question
        self.query_one("#why", Line).show(question.why)
        self._head(question)
        self._fill(question, self.highlighted)
        self.query_one(AnswerList).display = bool(question.choices)
        self._arrange()
        self._tell()

    def say(self, why: str) -> None:
        """What is going on, in place of why it is asked."""
        self.query_one("#why", Line).show(why)

    def tell(self, lines: tuple[str, ...]) -> None:
        """Tell these lines, until another answer is highlighted."""
        self._told, self._told_at = lines, self.highlighted
        self._arrange()
        self._tell()

    def _head(self, question: Question) -> None:
        header = next(iter(self.query("#header").results(Line)), None)
        if header is None:
            if not (question.header or question.empty):
                return
            header = Line("", id="header")
            self.query_one("#answers").mount(header, before=self.query_one(AnswerList))
        header.set_class(bool(question.empty), "-empty")
        header.show(question.empty or f" {question.header}".rstrip(), layout=bool(question.empty))
        header.display = bool(question.empty or question.header)

    def _fill(self, question: Question, keep: str | None) -> None:
        options = self.query_one(AnswerList)
        options.clear_options()
        options.add_options(Option(Content(plain(each.text)), id=each.key) for each in question.choices)
        keys = [each.key for each in question.choices]
        if keys:
            wanted = next((key for key in (keep, question.proposed) if key in keys), keys[0])
            options.highlighted = keys.index(wanted)

    def _tell(self) -> None:
        if self._area is None:
            return
        if self._told is not None:
            lines = self._told
        else:
            key = self.highlighted
            detail = next((each.detail for each in self._question.choices if each.key == key), ())
            lines = (*detail, *([""] if detail and self._question.told else []), *self._question.told)
        if lines != self._written:
            self._written = lines
            self._text.update(Text("\n".join(plain(line) for line in lines)))
            self._area.scroll_home(animate=False)
            self.call_after_refresh(self.screen.refresh_bindings)

    def _arrange(self) -> None:
        question = self._question
        has_told = bool(question.told or self._told or any(each.detail for each in question.choices))
        longest = max((len(each.text) for each in question.choices), default=40) + 4
        width = self.app.size.width
        is_beside = has_told and width >= _BESIDE and longest <= width - _LEFT
        # Not by classes: each change of one makes Textual look up the styles of everything below anew.
        answers = self.query_one("#answers").styles
        answers.width = longest if is_beside else "1fr"
        answers.height, answers.max_height = ("auto", "60%") if has_told and not is_beside else ("1fr", "100%")
        self.query_one("#body").styles.layout = "horizontal" if is_beside else "vertical"
        if self._area is not None:
            self._area.display = has_told

    def on_resize(self, event: Resize) -> None:
        """Beside each other where there is room."""
        self._arrange()

    # --- answering ---------------------------------------------------------------------------------------------------

    @on(Input.Changed, "#path")
    def _text_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._question.typed is not None and event.value != self._question.typed:
            self.post_message(self.Typed(event.value))

    @on(Input.Submitted, "#path")
    def _text_given(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Answered(text=event.value, highlighted=self.highlighted))

    @on(OptionList.OptionSelected, "#options")
    def _option_chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Answered(key=event.option_id or ""))

    @on(OptionList.OptionHighlighted, "#options")
    def _option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if self._told is None or event.option_id != self._told_at:
            self._told = None
            self._tell()

    def on_key(self, event: Key) -> None:
        """The arrows move through the list, whatever is typed goes into the field, wherever the focus is."""
        field, options = self._field, self.query_one(AnswerList)
        focused = self.screen.focused
        if field is None:
            return
        if focused is field and event.key in ("down", "up"):
            (options.action_cursor_down if event.key == "down" else options.action_cursor_up)()
        elif focused is options and field.display and event.is_printable and event.character not in (None, "?"):
            event.stop()
            field.focus()
            field.insert_text_at_cursor(event.character or "")

    def read_on(self, pages: int) -> None:
        """Scroll what is told."""
        if self._area is not None:
            self._area.scroll_relative(y=pages * max(1, self._area.size.height - 1), animate=False)

    @property
    def has_more(self) -> bool:
        """Whether more is told than fits."""
        return self._area is not None and self._area.display and self._area.max_scroll_y > 0
