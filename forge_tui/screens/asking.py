"""What every screen that asks a finished model does alike: memory looked at, the model loaded beside it, and let go."""

from __future__ import annotations

from textual.message import Message
from textual.screen import Screen

from backends.contract import ForgeError, RunFiles
from forge_tui.machine import MachineSample
from forge_tui.opening import QuickScreen
from forge_tui.tryit.room import Room, find_room, weight_bytes
from forge_tui.tryit.session import ModelSession, State, Told
from forge_tui.widgets.line import Line


class AskingScreen(QuickScreen, Screen[None]):
    """The model lives in a process of its own for as long as the screen does; no key ever waits for it."""

    class Heard(Message):
        """The model's process said something."""

        def __init__(self, number: int, told: Told) -> None:
            super().__init__()
            self.number, self.told = number, told

    class RoomFound(Message):
        """What the model needs and what is free; an error where its files cannot be looked at."""

        def __init__(self, room: Room | ForgeError) -> None:
            super().__init__()
            self.room = room

    def __init__(
        self,
        files: RunFiles,
        is_tabular: bool,
        module: tuple[str, ...] = ("backends.predict", "--one-by-one"),
        last_keys: frozenset[str] | None = None,
    ) -> None:
        super().__init__()
        self.files, self._is_tabular = files, is_tabular
        self.session = ModelSession(files, self._hear, module, last_keys)
        self.wrong: ForgeError | None = None
        self._room: Room | None = None
        self._shown_state: State | None = None

    def _hear(self, number: int, told: Told) -> None:
        """Called in the thread of the process."""
        self.post_message(self.Heard(number, told))

    def find_room(self) -> None:
        """Look what is free, beside the screen, and load the model where it fits."""
        self.app.machine.look(self._machine_looked)  # type: ignore[attr-defined]

    def on_unmount(self) -> None:
        """No process outlives the screen."""
        self.session.stop()

    def _machine_looked(self, sample: MachineSample) -> None:
        """Called in the thread of the watch."""
        room: Room | ForgeError
        try:
            room = find_room(weight_bytes(self.files.model), self._is_tabular, sample.hardware)
        except OSError as error:
            room = ForgeError("The model's files cannot be read", str(error), "Look at: forge-tui show RUN")
        self.post_message(self.RoomFound(room))

    def on_asking_screen_room_found(self, message: RoomFound) -> None:
        if isinstance(message.room, ForgeError):
            self.fail(message.room)
            return
        self._room = message.room
        self.session.variables = message.room.variables
        if message.room.fits is False:
            fix = "Free memory, or press ctrl+l to load it all the same."
            self.fail(ForgeError("The model does not fit", message.room.sentence, fix))
            return
        self.action_load()

    def action_load(self) -> None:
        """Load the model."""
        self.wrong = None
        self.session.load()
        self.show_state()

    def fail(self, error: ForgeError) -> None:
        """Say what went wrong."""
        self.wrong = error
        self.show_state()

    @property
    def room_told(self) -> str:
        """What the model needs and what is free, where that is known."""
        return self._room.sentence if self._room is not None else ""

    def state_line(self) -> str:
        """What is going on, in one line."""
        return str(self.session.state)

    def show_state(self) -> None:
        """Show what is going on, or what went wrong."""
        line = self.query_one("#state", Line)
        line.set_class(self.wrong is not None, "-wrong")
        wrong = self.wrong
        line.show(f"✗ {wrong.what}: {wrong.why}  → {wrong.fix}" if wrong is not None else self.state_line())
        if self.session.state is not self._shown_state:
            self._shown_state = self.session.state
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Loading is offered while nothing is loaded."""
        return self.session.state is State.ABSENT if action == "load" else True
