"""A finished model in a process of its own: loaded once, asked many times, gone when nobody asks any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from backends.contract import ForgeError, RunFiles
from forge_tui.runs.backend_process import Ended, LineProcess

Told = Mapping[str, Any] | ForgeError | Ended


class State(StrEnum):
    """Where the model is."""

    ABSENT = "not loaded"
    LOADING = "loading the model"
    READY = "ready"
    ASKING = "answering"


class ModelSession:
    """What is going on with the model; `hear` is called with what `tell` was told, in the thread of the screen."""

    def __init__(
        self,
        files: RunFiles,
        tell: Callable[[int, Told], object],
        module: tuple[str, ...] = ("backends.predict", "--one-by-one"),
        last_keys: frozenset[str] | None = None,
    ) -> None:
        """`last_keys` are those of which one is in the last line of an answer; without them an answer is one line."""
        self._files, self._tell, self._module, self._last_keys = files, tell, module, last_keys
        self._process: LineProcess | None = None
        self._number = 0
        self._waiting: Mapping[str, Any] | None = None
        self._since = 0.0
        self.variables: Mapping[str, str] = {}
        self.state = State.ABSENT
        self.ready: Mapping[str, Any] = {}

    @property
    def device(self) -> str:
        """Where the model lies."""
        return str(self.ready.get("device") or "this machine")

    @property
    def has_question(self) -> bool:
        """Whether a question waits for the model to be loaded."""
        return self._waiting is not None

    @property
    def seconds(self) -> float:
        """How long it has been loading or answering."""
        return time.monotonic() - self._since

    def load(self) -> None:
        """Begin to load the model, if it is not there."""
        if self.state is not State.ABSENT:
            return
        self._number += 1
        number = self._number
        arguments = (self._module[0], str(self._files.folder), *self._module[1:])
        self._process = LineProcess(self._files, arguments, lambda told: self._tell(number, told), self.variables)
        self._enter(State.LOADING)

    def ask(self, row: Mapping[str, Any]) -> None:
        """Ask now, or when the model is loaded; the answer comes through `hear`."""
        self._waiting = row
        self.load()
        if self.state is State.READY:
            self._send()

    def hear(self, number: int, told: Told) -> Mapping[str, Any] | ForgeError | None:
        """Take in what the process said; returns an answer or what went wrong, where that is what it said."""
        if number != self._number or self.state is State.ABSENT:
            return None  # the last words of one that is gone
        if isinstance(told, ForgeError | Ended):
            self.stop()
            return told.error if isinstance(told, Ended) else told
        if "ready" in told:
            ready = told["ready"]
            self.ready = ready if isinstance(ready, Mapping) else {}
            self._enter(State.READY)
            if self._waiting is not None:
                self._send()
            return None
        if self._last_keys is None or self._last_keys & set(told):
            self._enter(State.READY)
        return told

    def interrupt(self) -> None:
        """Ask the process to end the answer that it is at, where it listens meanwhile."""
        if self._process is not None:
            self._process.send({"stop": True})

    def stop(self) -> None:
        """Let the model go, with the question that it was at."""
        if self._process is not None:
            self._process.end()
        self._process = self._waiting = None
        self._enter(State.ABSENT)

    def _send(self) -> None:
        assert self._process is not None and self._waiting is not None
        self._process.send(self._waiting)
        self._waiting = None
        self._enter(State.ASKING)

    def _enter(self, state: State) -> None:
        self.state, self._since = state, time.monotonic()
