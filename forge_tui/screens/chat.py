"""Talks with the language model of a run: answers as they are written, token by token where one wants to choose."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from backends.contract import ForgeError, RunFiles, RunSpec
from backends.registry import TaskData
from forge_tui.formatting import duration
from forge_tui.machine import MachineSample
from forge_tui.plain import plain
from forge_tui.runs.backend_process import error_in
from forge_tui.tryit.conversation import Drawing, Exchange, messages_of, save_conversation, transcript
from forge_tui.tryit.room import Room, find_room, weight_bytes
from forge_tui.tryit.session import ModelSession, State, Told
from forge_tui.widgets.ask_field import AskField
from forge_tui.widgets.key_line import KeyLine
from forge_tui.widgets.line import Line
from forge_tui.widgets.next_tokens import NextTokens

_PAINT_SECONDS = 0.15
_LAST_KEYS = frozenset(("done", "candidates", "problem"))


class ChatScreen(Screen[None]):
    """The model lives in a process of its own; no key ever waits for it."""

    DEFAULT_CSS = """
    ChatScreen #title { text-style: bold; padding: 0 1; }
    ChatScreen #state { color: $text-muted; padding: 0 1; }
    ChatScreen #state.-wrong { color: $text-error; }
    ChatScreen #talk { height: 1fr; border-top: solid $primary; }
    ChatScreen VerticalScroll { width: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    ChatScreen #past { border-left: solid $primary; display: none; }
    ChatScreen.-both #past { display: block; }
    ChatScreen NextTokens { display: none; border-top: solid $primary; }
    ChatScreen.-choosing NextTokens { display: block; }
    ChatScreen AskField, ChatScreen AskField:focus { margin: 0 1; max-height: 6; }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+n", "choose", "next token", tooltip="ask, and choose the answer token by token", id="chat.choose"
        ),
        Binding("ctrl+t", "settings", "settings", tooltip="system prompt, temperature and so on", id="chat.settings"),
        Binding("ctrl+g", "both", "before", tooltip="beside it the model from before the training", id="chat.both"),
        Binding("ctrl+s", "save", "save", tooltip="save the conversation as a training row", id="chat.save"),
        Binding("ctrl+r", "restart", "new", tooltip="begin a new conversation", id="chat.new"),
        Binding("ctrl+l", "load", "load", tooltip="load the model, even where memory is short", id="chat.load"),
        Binding("pageup", "read(-1)", "older", show=False, tooltip="scroll the conversation", id="chat.page_up"),
        Binding("pagedown", "read(1)", "newer", show=False, tooltip="scroll the conversation", id="chat.page_down"),
        Binding("f1", "app.show_keys", "keys", show=False, id="app.keys"),
        Binding("escape", "leave", "back", tooltip="stop the answer, or go back", id="chat.leave"),
    ]

    class Heard(Message):
        """The model's process said something."""

        def __init__(self, number: int, told: Told) -> None:
            super().__init__()
            self.number, self.told = number, told

    class RoomFound(Message):
        """What the model needs and what is free."""

        def __init__(self, room: Room | ForgeError) -> None:
            super().__init__()
            self.room = room

    def __init__(
        self, files: RunFiles, spec: RunSpec, data: TaskData, drawing: Drawing | None = None, leaves_app: bool = False
    ) -> None:
        super().__init__()
        self._files, self._spec, self._data, self._leaves_app = files, spec, data, leaves_app
        self._drawing = drawing or Drawing()
        self._session = ModelSession(
            files, lambda number, told: self.post_message(self.Heard(number, told)), ("backends.chat",), _LAST_KEYS
        )
        self._talk: list[Exchange] = []
        self._asks_before = False  # who is at work: the model from before the training
        self._chosen: list[int] | None = None
        self._room: Room | None = None
        self._wrong: ForgeError | None = None
        self._speed = ""
        self._place = 0
        self._painted = 0.0
        self._shown_state: State | None = None
        self._ends: set[str] = set()
        self._is_told_to_stop = False

    def compose(self) -> ComposeResult:
        yield Line(f"Chat: {self._spec.name}", id="title")
        yield Line("looking at the memory of this machine …", id="state", classes="-wrapped")
        with Horizontal(id="talk"):
            with VerticalScroll(id="now", can_focus=False):
                yield Static("", id="said", markup=False)
            with VerticalScroll(id="past", can_focus=False):
                yield Static("", id="said_before", markup=False)
        yield NextTokens()
        yield AskField(placeholder="say something; ctrl+j for a new line")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(AskField).focus()
        self.set_interval(_PAINT_SECONDS, self._tick)
        self.app.machine.look(self._machine_looked)  # type: ignore[attr-defined]

    def on_unmount(self) -> None:
        """No process outlives this screen."""
        self._session.stop()

    # --- loading -----------------------------------------------------------------------------------------------------

    def _machine_looked(self, sample: MachineSample) -> None:
        """Called in the thread of the watch."""
        room: Room | ForgeError
        try:
            room = find_room(weight_bytes(self._files.model), self._data.is_tabular, sample.hardware)
        except OSError as error:
            room = ForgeError("The model's files cannot be read", str(error), "Look at: forge-tui show RUN")
        self.post_message(self.RoomFound(room))

    def on_chat_screen_room_found(self, message: RoomFound) -> None:
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

    # --- what the model says -----------------------------------------------------------------------------------------

    def on_chat_screen_heard(self, message: Heard) -> None:
        heard = self._session.hear(message.number, message.told)
        if isinstance(heard, ForgeError):
            self._end_answer("stopped")
            self._fail(heard)
            return
        told = dict(heard or {})
        if "text" in told and "candidates" not in told:
            self._add(str(told["text"]))
            return  # painted by the clock: a quick model says hundreds of these a second
        if "candidates" in told:
            self._show_candidates(str(told.get("text", "")), told["candidates"])
        elif "done" in told:
            self._done(told["done"])
        elif "problem" in told:
            self._end_answer("stopped")
            self._wrong = error_in({"error": told["problem"]})
        self._show_state()

    def _add(self, text: str) -> None:
        last = self._talk[-1]
        if self._asks_before:
            self._talk[-1] = replace(last, before=(last.before or "") + text)
        else:
            self._talk[-1] = replace(last, answer=last.answer + text)

    def _done(self, done: Any) -> None:
        seconds = float(done["seconds"])
        self._speed = f"{done['tokens']} tokens, {done['tokens'] / seconds:.0f}/s" if seconds else ""
        asked_before = self._asks_before
        self._end_answer(str(done["why"]))
        if self.has_class("-both") and not asked_before and done["why"] != "stopped":
            self._asks_before = True
            self._talk[-1] = replace(self._talk[-1], before="")
            self._send("ask", base=True)

    def _end_answer(self, why: str) -> None:
        if self._talk:
            last = self._talk[-1]
            if self._asks_before:
                self._talk[-1] = replace(last, before_why=why)
            elif not last.why:
                self._talk[-1] = replace(last, why=why)
        self._asks_before = False
        self._choose_no_more()
        self._show_talk()

    def _fail(self, error: ForgeError) -> None:
        self._wrong = error
        self._show_state()

    # --- asking ------------------------------------------------------------------------------------------------------

    def _send(self, kind: str, base: bool = False) -> None:
        past = [*self._talk[:-1], replace(self._talk[-1], why="")]
        system = self._drawing.system if self._session.ready.get("chats", True) else ""
        question = {"messages": messages_of(system, past), "settings": self._drawing.sampling(), "base": base}
        if not base:
            question["so_far"] = self._chosen or []
        self._is_told_to_stop = False
        self._session.ask({kind: question})

    @on(AskField.Asked)
    def _asked(self, event: AskField.Asked) -> None:
        event.stop()
        if self._begin():
            self._send("ask")
            self._show_state()

    def _begin(self) -> bool:
        """Take what is typed as the next question; whether there is one, and nobody is at work."""
        field = self.query_one(AskField)
        is_busy = self._session.state is State.ASKING or self._session.has_question or self._chosen is not None
        if is_busy or not field.text.strip():
            told = "The model is at an answer; esc stops it." if is_busy else "Type something first."
            self.notify(told, timeout=3, markup=False)
            return False
        self._talk.append(Exchange(field.text))
        self._place = len(self._talk)
        field.load_text("")
        self._wrong = None
        self._show_talk()
        return True

    def on_ask_field_reached(self, message: AskField.Reached) -> None:
        message.stop()
        self._place = min(max(self._place + message.places, 0), len(self._talk))
        field = self.query_one(AskField)
        field.load_text(self._talk[self._place].question if self._place < len(self._talk) else "")
        field.move_cursor(field.document.end)

    # --- token by token ----------------------------------------------------------------------------------------------

    def action_choose(self) -> None:
        """Answer the question that is typed token by token, as the person chooses."""
        if self._begin():
            self._chosen = []
            self._send("next")
            self._show_state()

    def _show_candidates(self, text: str, candidates: Any) -> None:
        self._talk[-1] = replace(self._talk[-1], answer=text)
        tokens = self.query_one(NextTokens)
        self._ends = {str(each["id"]) for each in candidates if each["ends"]}
        tokens.show(candidates)
        self.add_class("-choosing")
        tokens.focus()
        self._show_talk()

    @on(NextTokens.OptionSelected)
    def _token_taken(self, event: NextTokens.OptionSelected) -> None:
        event.stop()
        if self._chosen is None or self._session.state is State.ASKING or event.option_id is None:
            return
        if event.option_id in self._ends:
            self._end_answer("end")
            self._show_state()
            return
        self._chosen.append(int(event.option_id))
        self._send("next")

    @on(NextTokens.GoOn)
    def _go_on(self, event: NextTokens.GoOn) -> None:
        event.stop()
        if self._chosen is not None and self._session.state is State.READY:
            self._send("ask")
            self._choose_no_more()
            self._show_state()

    def _choose_no_more(self) -> None:
        if self._chosen is not None:
            self._chosen = None
            self.remove_class("-choosing")
            self.query_one(AskField).focus()

    # --- showing -----------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._session.state is State.ASKING:
            self._show_talk()
        if self._session.state in (State.LOADING, State.ASKING) and time.monotonic() - self._painted >= 1:
            self._painted = time.monotonic()
            self._show_state()

    def _show_talk(self) -> None:
        for pane, said, before in (("#now", "#said", False), ("#past", "#said_before", True)):
            self.query_one(said, Static).update(transcript(self._talk, before))
            self.query_one(pane).scroll_end(animate=False)

    def _show_state(self) -> None:
        session, line = self._session, self.query_one("#state", Line)
        line.set_class(self._wrong is not None, "-wrong")
        room = self._room.sentence if self._room is not None else ""
        if self._wrong is not None:
            told = f"✗ {self._wrong.what}: {self._wrong.why}  → {self._wrong.fix}"
        elif self._chosen is not None:
            told = f"choose the next token; {self._drawing.told}; esc ends the answer here"
        elif session.state is State.READY:
            kind = "" if session.ready.get("chats", True) else "goes on with texts, no chat; "
            told = "; ".join(filter(None, [f"{kind}ready on {session.device}", self._drawing.told, self._speed]))
        elif session.state is State.ABSENT:
            told = f"not loaded: enter asks and loads it again; {room}"
        elif session.state is State.LOADING:
            told = f"loading the model … {duration(session.seconds)}; {room}"
        else:
            who = "the model from before is answering" if self._asks_before else "answering"
            stops = "esc again ends the model too" if self._is_told_to_stop else "esc stops it"
            told = f"{who} … {duration(session.seconds)}; {stops}"
        line.show(told)
        if session.state is not self._shown_state:
            self._shown_state = session.state
            self.refresh_bindings()

    # --- keys --------------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="settings")
    async def action_settings(self) -> None:
        """Change how answers are drawn, and the system prompt."""
        from forge_tui.screens.chat_settings import ChatSettingsScreen

        changed = await self.app.push_screen_wait(ChatSettingsScreen(self._drawing))
        self._drawing = changed or self._drawing
        self._show_state()

    def action_both(self) -> None:
        """Ask the model from before the training too, beside the other, or no more."""
        if not self._session.ready.get("base"):
            told = (
                "The model must be loaded first."
                if not self._session.ready
                else "A model from random weights has none."
            )
            self.notify(told, timeout=4, markup=False)
            return
        self.toggle_class("-both")
        self._show_talk()

    def action_save(self) -> None:
        """Append the conversation to the training rows of this run."""
        try:
            path, rows = save_conversation(self._files.folder.name, self._drawing.system, self._talk)
        except ForgeError as error:
            self.notify(plain(f"{error.why}. {error.fix}"), title=plain(error.what), severity="error", markup=False)
            return
        self.notify(f"{path} has {rows} of them now", title="Saved as a training row", timeout=8, markup=False)

    def action_restart(self) -> None:
        """Forget what was said."""
        if self._session.state is State.ASKING or self._chosen is not None:
            self.notify("The model is at an answer; esc stops it.", timeout=3, markup=False)
            return
        self._talk, self._place, self._speed, self._wrong = [], 0, "", None
        self._show_talk()
        self._show_state()

    def action_read(self, pages: int) -> None:
        """Scroll the conversation."""
        for each in ("#now", "#past"):
            pane = self.query_one(each)
            pane.scroll_relative(y=pages * max(1, pane.size.height - 1), animate=False)

    def action_leave(self) -> None:
        """Stop the answer; without one, go back."""
        if self._session.state is State.ASKING and not self._is_told_to_stop:
            self._is_told_to_stop = True
            self._session.interrupt()
            self._show_state()
        elif self._session.state is State.ASKING:  # it does not listen, as while another model is loaded
            self._session.stop()
            self._end_answer("stopped")
            self._show_state()
        elif self._chosen is not None:
            self._end_answer("stopped")
            self._show_state()
        elif self._leaves_app:
            self.app.exit()
        else:
            self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Loading is offered while nothing is loaded."""
        return self._session.state is State.ABSENT if action == "load" else True
