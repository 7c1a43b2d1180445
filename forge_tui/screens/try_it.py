"""Asks the model of a finished run: a form, its answer, held-out rows to begin with, earlier questions by arrows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from backends.contract import ForgeError, RunFiles, RunSpec
from backends.registry import Task
from forge_tui.formatting import duration
from forge_tui.machine import MachineSample
from forge_tui.plain import plain
from forge_tui.runs.backend_process import LineProcess
from forge_tui.tryit.answers import answer_text, expected_line
from forge_tui.tryit.form import form_of
from forge_tui.tryit.room import Room, find_room, weight_bytes
from forge_tui.tryit.samples import NO_SAMPLE, ROWS, Sample, Samples, too_large
from forge_tui.tryit.session import ModelSession, State, Told
from forge_tui.widgets.ask_field import AskField
from forge_tui.widgets.ask_form import AskForm
from forge_tui.widgets.key_line import KeyLine
from forge_tui.widgets.line import Line

_TICK_SECONDS = 1.0


@dataclass(frozen=True)
class _Question:
    """What was typed, the held-out row it began from, and what the model made of it."""

    texts: tuple[str, ...]
    sample: Sample = NO_SAMPLE
    asked: Any = None
    answer: Any = None


class TryItScreen(Screen[None]):
    """The model lives in a process of its own for as long as this screen does; no key ever waits for it."""

    DEFAULT_CSS = """
    TryItScreen #title { text-style: bold; padding: 0 1; }
    TryItScreen #state { color: $text-muted; padding: 0 1; }
    TryItScreen #state.-wrong { color: $text-error; }
    TryItScreen #body, TryItScreen #questions { height: 1fr; }
    TryItScreen #questions { height: auto; }
    TryItScreen AskForm { max-height: 40vh; }
    TryItScreen #expected { padding: 0 1; color: $text-muted; }
    TryItScreen #answer { height: 1fr; padding: 0 1; border-top: solid $primary; scrollbar-size-vertical: 1; }
    TryItScreen.-wide #body { layout: horizontal; }
    TryItScreen.-wide #questions { width: 1fr; height: 1fr; max-height: 100%; }
    TryItScreen.-wide AskForm { max-height: 80vh; }
    TryItScreen.-wide AskField { max-height: 60vh; }
    TryItScreen.-wide #answer { width: 1fr; border-top: none; border-left: solid $primary; }
    """
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+n", "sample", "held-out row", tooltip="the next held-out row, with what is expected", id="try.sample"
        ),
        Binding("tab", "app.focus_next", "next field", show=False, id="try.next"),
        Binding("shift+tab", "app.focus_previous", "field before", show=False, id="try.before"),
        Binding("pageup", "read(-1)", "answer up", show=False, tooltip="scroll the answer", id="try.page_up"),
        Binding("pagedown", "read(1)", "answer down", show=False, tooltip="scroll the answer", id="try.page_down"),
        Binding("ctrl+l", "load", "load", tooltip="load the model, even where memory is short", id="try.load"),
        Binding("f1", "app.show_keys", "keys", id="app.keys"),
        Binding("escape", "leave", "back", tooltip="stop the answer, or go back", id="try.leave"),
    ]

    class Heard(Message):
        """The model's process said something."""

        def __init__(self, number: int, told: Told) -> None:
            super().__init__()
            self.number, self.told = number, told

    class RowHeard(Message):
        """A held-out row came, or why there is none."""

        def __init__(self, told: Told) -> None:
            super().__init__()
            self.told = told

    class RoomFound(Message):
        """What the model needs and what is free; an error where its files cannot be looked at."""

        def __init__(self, room: Room | ForgeError) -> None:
            super().__init__()
            self.room = room

    def __init__(self, files: RunFiles, spec: RunSpec, task: Task) -> None:
        super().__init__()
        self._files, self._spec, self._learned = files, spec, task
        self._form = form_of(files, spec, task)
        self._session = ModelSession(files, lambda number, told: self.post_message(self.Heard(number, told)))
        self._samples = Samples()
        self._rows: LineProcess | None = None
        self._room: Room | None = None
        self._wrong: ForgeError | None = None
        self._current = _Question(("",) * len(self._form.fields))
        self._history: list[_Question] = []
        self._draft = self._current
        self._place = 0
        self._loaded_in: float | None = None
        self._wants_sample = False
        self._shown_state: State | None = None

    def compose(self) -> ComposeResult:
        yield Line(f"Try it: {self._spec.name} · {self._learned.id}", id="title")
        yield Line("looking at the memory of this machine …", id="state", classes="-wrapped")
        with Container(id="body"):
            with Vertical(id="questions"):
                yield AskForm(self._form, id="form")
                yield Line("", id="expected", classes="-wrapped")
            with VerticalScroll(id="answer", can_focus=False):
                yield Static("", id="said", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(AskForm).focus_first()
        self._samples.problem = too_large(self._files)
        if self._samples.problem is None:
            arguments = ("backends.held_out_rows", str(self._files.folder), str(ROWS))
            self._rows = LineProcess(
                self._files,
                arguments,
                lambda told: self.post_message(self.RowHeard(told)),
                {"CUDA_VISIBLE_DEVICES": ""},
            )
        self.set_interval(_TICK_SECONDS, self._tick)
        self.app.machine.look(self._machine_looked)  # type: ignore[attr-defined]

    def on_unmount(self) -> None:
        """No process outlives this screen."""
        self._session.stop()
        if self._rows is not None:
            self._rows.end()

    # --- loading -----------------------------------------------------------------------------------------------------

    def _machine_looked(self, sample: MachineSample) -> None:
        """Called in the thread of the watch."""
        room: Room | ForgeError
        try:
            room = find_room(weight_bytes(self._files.model), self._learned.is_tabular, sample.hardware)
        except OSError as error:
            room = ForgeError("The model's files cannot be read", str(error), "Look at: forge-tui show RUN")
        self.post_message(self.RoomFound(room))

    def on_try_it_screen_room_found(self, message: RoomFound) -> None:
        if isinstance(message.room, ForgeError):
            self._fail(message.room)
            return
        self._room = message.room
        self._session.variables = message.room.variables
        if message.room.fits is False:
            fix = "Free memory, or press ctrl+l to load it all the same."
            self._fail(ForgeError("The model does not fit", message.room.sentence, fix))
            return
        self.action_load()

    def action_load(self) -> None:
        """Load the model."""
        self._wrong = None
        self._session.load()
        self._show_state()

    def on_try_it_screen_heard(self, message: Heard) -> None:
        was, seconds = self._session.state, self._session.seconds
        heard = self._session.hear(message.number, message.told)
        if was is State.LOADING and self._session.state is not State.ABSENT:
            self._loaded_in = seconds
        if isinstance(heard, ForgeError):
            self._fail(heard)
        elif heard is not None:
            self._current = replace(self._history[-1], answer=heard)
            self._history[-1] = self._current
            self._show_answer()
        self._show_state()

    def _fail(self, error: ForgeError) -> None:
        self._wrong = error
        self._show_state()

    def _tick(self) -> None:
        if self._session.state in (State.LOADING, State.ASKING):
            self._show_state()

    def _show_state(self) -> None:
        session = self._session
        line = self.query_one("#state", Line)
        line.set_class(self._wrong is not None, "-wrong")
        room = self._room.sentence if self._room is not None else ""
        if self._wrong is not None:
            told = f"✗ {self._wrong.what}: {self._wrong.why}  → {self._wrong.fix}"
        elif session.state is State.READY:
            took = f", loaded in {duration(self._loaded_in)}" if self._loaded_in is not None else ""
            told = f"ready on {session.device}{took}"
        elif session.state is State.ABSENT:
            told = f"not loaded: enter asks and loads it again; {room}"
        else:
            told = f"{session.state} … {duration(session.seconds)}"
            told += f"; {room}" if session.state is State.LOADING else "; esc stops it"
            told += "; asked as soon as it is loaded" if session.has_question else ""
        line.show(told)
        if session.state is not self._shown_state:
            self._shown_state = session.state
            self.refresh_bindings()

    # --- asking ------------------------------------------------------------------------------------------------------

    def on_ask_form_asked(self, message: AskForm.Asked) -> None:
        message.stop()
        if self._session.state is State.ASKING or self._session.has_question:
            self.notify("The model is at a question; esc stops it.", timeout=3, markup=False)
            return
        texts = self.query_one(AskForm).texts
        sample = self._current.sample
        try:
            row = self._form.row(texts, sample.row)
        except ForgeError as error:
            self.notify(plain(f"{error.why}. {error.fix}"), title=plain(error.what), severity="error", markup=False)
            return
        if texts != self._form.texts(sample.row):
            sample = replace(sample, expected=None)  # that was for the row as it stood in the data
        self._history.append(_Question(tuple(texts), sample, dict(zip(self._roles, texts, strict=True))))
        self._place = len(self._history) - 1
        self._current = self._history[-1]
        self._wrong = None
        self._session.ask(row)
        self._show_answer()
        self._show_state()

    @property
    def _roles(self) -> list[str]:
        columns = {column: role for role, column in self._spec.columns.items()}
        return [columns.get(each.column, each.column) for each in self._form.fields]

    def on_ask_form_changed(self, message: AskForm.Changed) -> None:
        message.stop()
        self._show_expected()

    def action_sample(self) -> None:
        """Put the next held-out row into the form."""
        sample = self._samples.take()
        if sample is None:
            problem = self._samples.problem
            self._wants_sample = problem is None
            told = "the held-out rows are being read" if problem is None else f"{problem.what}: {problem.why}"
            self.notify(plain(told), timeout=4, markup=False)
            return
        self._place = len(self._history)
        self._draft = _Question(("",) * len(self._form.fields))
        self._show_question(_Question(tuple(self._form.texts(sample.row)), sample))

    def on_try_it_screen_row_heard(self, message: RowHeard) -> None:
        is_first = not self._samples.has_rows
        self._samples.hear(message.told)
        nobody_types = self._wants_sample or self._form.is_table  # a whole row, that is
        if is_first and self._samples.has_rows and nobody_types and not any(self.query_one(AskForm).texts):
            self.action_sample()

    def on_ask_field_reached(self, message: AskField.Reached) -> None:
        message.stop()
        if self._session.state is State.ASKING or self._session.has_question:
            return
        if self._place == len(self._history) and message.places > 0:
            return
        if self._place == len(self._history):  # what is typed now is there again on the way back
            self._draft = replace(self._current, texts=tuple(self.query_one(AskForm).texts), answer=None)
        self._place = min(max(self._place + message.places, 0), len(self._history))
        self._show_question(self._history[self._place] if self._place < len(self._history) else self._draft)

    def _show_question(self, question: _Question) -> None:
        self._current = question
        self.query_one(AskForm).fill(question.texts)
        self._show_expected()
        self._show_answer()

    # --- showing -----------------------------------------------------------------------------------------------------

    def _show_expected(self) -> None:
        texts, sample = self.query_one(AskForm).texts, self._current.sample
        parts = []
        if sample.number is not None:
            is_as_it_was = texts == self._form.texts(sample.row)
            parts = [f"held-out row {sample.number}", expected_line(sample.expected) if is_as_it_was else "changed"]
        parts.append(self._form.unseen(texts))
        self.query_one("#expected", Line).show("; ".join(filter(None, parts)))

    def _show_answer(self) -> None:
        pane = self.query_one("#answer")
        question = self._current
        told = Text("")
        if question.answer is not None:
            size = pane.size
            told = answer_text(
                question.answer, question.sample.expected, max(20, size.width - 2), max(4, size.height), question.asked
            )
        self.query_one("#said", Static).update(told)
        pane.scroll_home(animate=False)

    def on_resize(self) -> None:
        """Bars and marks for another width."""
        self.call_after_refresh(self._show_answer)

    # --- keys --------------------------------------------------------------------------------------------------------

    def action_read(self, pages: int) -> None:
        """Scroll the answer."""
        pane = self.query_one("#answer")
        pane.scroll_relative(y=pages * max(1, pane.size.height - 1), animate=False)

    def action_leave(self) -> None:
        """Stop the answer that is awaited; without one, go back."""
        if self._session.state is State.ASKING:
            self._session.stop()
            self._show_state()
        else:
            self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Loading is offered while nothing is loaded."""
        return self._session.state is State.ABSENT if action == "load" else True
