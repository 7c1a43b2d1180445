"""The keys that steer a run, on every screen that shows one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual import work
from textual.binding import Binding
from textual.screen import Screen

from backends.contract import ForgeError, RunFiles
from forge_tui.opening import QuickScreen
from forge_tui.plain import plain
from forge_tui.runs.status import Condition, Status
from forge_tui.runs.subject import Subject
from forge_tui.screens.confirm import is_sure
from forge_tui.tryit.room import has_model

STEERING_KEYS = (
    Binding("s", "stop", "stop", tooltip="stop after this step, with a checkpoint", id="run.stop"),
    Binding("S", "stop_now", "stop now", show=False, tooltip="stop, kill after 5 s", id="run.stop_now"),
    Binding("k", "checkpoint", "checkpoint", tooltip="save a checkpoint now", id="run.checkpoint"),
    Binding("r", "resume", "resume", tooltip="go on from the last checkpoint", id="run.resume"),
    Binding("u", "try_it", "try it", tooltip="ask the model", id="run.try"),
)


class SteeringScreen(QuickScreen, Screen[None]):
    """A screen of one run, or of a log that nobody here writes and that cannot be steered."""

    def __init__(self, subject: Subject, leaves_app: bool = False) -> None:
        super().__init__()
        self.subject, self._leaves_app = subject, leaves_app
        self.files = subject.files
        self.state: Condition | None = None

    def look(self) -> None:
        """Show what is new."""

    @work(exclusive=True, group="action")
    async def action_stop(self) -> None:
        """Ask for a stop with a checkpoint."""
        from forge_tui.runs.control import request_stop

        if not self._is_alive():
            return
        waits = self.state is not None and self.state.status is Status.QUEUED
        question = (
            "Take this run out of the line?" if waits else "Stop this run? A checkpoint is kept; it can be resumed."
        )
        if await is_sure(self.app, question):
            await self._try(request_stop)

    @work(exclusive=True, group="action")
    async def action_stop_now(self) -> None:
        """Ask for a stop and kill after five seconds."""
        if self._is_alive() and await is_sure(self.app, "Stop now? What does not stop within 5 s is killed."):
            self._stop_now()

    @work(thread=True, exclusive=True, group="stop")
    def _stop_now(self) -> None:
        """Beside the screen: without a supervisor it waits five seconds."""
        from forge_tui.runs.control import request_stop

        try:
            request_stop(self.files, now=True)
        except ForgeError as error:
            self.app.call_from_thread(self._tell, error)

    @work(exclusive=True, group="action")
    async def action_checkpoint(self) -> None:
        """Ask for a checkpoint."""
        from forge_tui.runs.control import request_checkpoint

        if await self._try(request_checkpoint):
            self.notify("a checkpoint follows after this step", timeout=3, markup=False)

    @work(thread=True, exclusive=True, group="resume")
    def action_resume(self) -> None:
        """Start the next attempt; waiting for its first sign is no work for the screen."""
        from forge_tui.runs.control import resume_run
        from forge_tui.runs.remarks import start_remarks

        try:
            resume_run(self.files)
        except ForgeError as error:
            self.app.call_from_thread(self._tell, error)
            return
        for remark in start_remarks(None):
            self.app.call_from_thread(self.notify, plain(remark), severity="warning", markup=False)

    def action_try_it(self) -> None:
        """Ask the model of this run."""
        self.app.open_try_it(self.files)  # type: ignore[attr-defined]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what makes sense in the run's present state is offered."""
        alive = self.state is None or self.state.status.is_alive
        if action in ("stop", "stop_now", "checkpoint", "leave"):
            return alive and self.subject.can_steer
        if action == "resume":
            ended = not alive and self.state is not None and self.state.status is not Status.FINISHED
            return ended and self.subject.can_steer
        if action == "try_it":
            return not alive and self.subject.can_steer and has_model(self.files)
        if action == "results":
            return self.state is not None and self.state.status is Status.FINISHED and self.subject.can_steer
        if action == "info":
            return self.subject.can_steer
        return not alive or not self.subject.can_steer if action == "back" else True

    def action_leave(self) -> None:
        """Go back, or out when the run was opened from the shell; the run goes on."""
        way = f"forge-tui watch {self.files.folder.name}"  # its name may be that of other runs too
        alive = self._is_alive()
        if self._leaves_app:
            words = f"The run goes on without this window. Come back with: {way}"
            self.app.exit(words if alive else None)
            return
        if alive:
            text = f"{self.subject.name} goes on. Come back here, or with:\n{way}"
            self.app.notify(text, timeout=5, markup=False)
        self.dismiss()

    def action_back(self) -> None:
        """Go back from a run that has ended."""
        self.action_leave()

    def _is_alive(self) -> bool:
        self.state = self.subject.look()
        return self.state.status.is_alive

    async def _try(self, action: Callable[[RunFiles], object]) -> bool:
        """Do it beside the screen: a run that is only starting is waited for."""
        try:
            await asyncio.to_thread(action, self.files)
        except ForgeError as error:
            self._tell(error)
            return False
        self.look()
        return True

    def _tell(self, error: ForgeError) -> None:
        self.notify(plain(f"{error.why}. {error.fix}"), title=plain(error.what), severity="error", markup=False)
