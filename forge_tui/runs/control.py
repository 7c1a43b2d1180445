"""What a person can ask of a run: stop, stop now, a checkpoint, going on, deletion."""

from __future__ import annotations

import getpass
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from backends.contract import ForgeError, RunFiles, read_json, read_spec, write_json
from forge_tui.runs import queue as line
from forge_tui.runs.launch import launch
from forge_tui.runs.lock import take_lock
from forge_tui.runs.process import marked_processes, send_signal
from forge_tui.runs.status import Condition, Status, condition
from forge_tui.settings import read_settings

KILL_SECONDS = 5.0
_START_SECONDS = 10.0
_REQUESTS = ("checkpoint", "stop", "stop-now")


def request_stop(files: RunFiles, now: bool = False) -> None:
    """Ask a run to save a checkpoint and stop; with `now`, what has not stopped after 5 s is killed.

    Raises ForgeError when the run is not alive here.
    """
    state = _alive(files, "stop")
    _write_request(files, state, "stop-now" if now else "stop")
    supervisor, trainer = state.job.get("supervisor"), state.job.get("trainer")
    if send_signal(supervisor, signal.SIGTERM):
        return
    send_signal(trainer, signal.SIGTERM)
    if now:  # nobody is left to do the killing but us
        wait_until(lambda: not condition(files).status.is_alive, KILL_SECONDS)
        send_signal(trainer, signal.SIGKILL, group=True)


def request_checkpoint(files: RunFiles) -> None:
    """Ask a running trainer for a checkpoint after its present step."""
    state = _alive(files, "checkpoint")
    if state.status is Status.QUEUED:
        raise ForgeError("There is nothing to save yet", "the run waits in line for its device", "See: forge-tui queue")
    _write_request(files, state, "checkpoint")
    if not send_signal(state.job.get("supervisor"), signal.SIGUSR1):
        send_signal(state.job.get("trainer"), signal.SIGUSR1)


def resume_run(files: RunFiles, queue: bool = False) -> int:
    """Start the next attempt of a run that ended before its time; returns its number; with `queue` it waits in line.

    Raises ForgeError for a run that is alive, that finished, or that belongs to another machine.
    """
    state = condition(files)
    _refuse_elsewhere(state, "resume")
    if state.status.is_alive:
        raise ForgeError("The run is still alive", f"it is {state.status}", "Watch it: forge-tui watch RUN")
    if state.status is Status.FINISHED:
        raise ForgeError(
            "The run has finished",
            "there is nothing left to train",
            "Start a new one from it: forge-tui train spec.toml",
        )
    read_settings()  # a mistake in there is told now, not by a supervisor that nobody hears
    read_spec(files.spec)  # the same
    attempt = state.attempt + 1
    lock = take_lock(files.lock)
    line.leave(files)  # of an attempt that was killed in line
    if queue:
        line.enqueue(files)
    launch(files, lock, attempt)
    wait_until(lambda: condition(files).attempt == attempt, _START_SECONDS)
    return attempt


def delete_run(files: RunFiles) -> None:
    """Remove the folder of a run that is not alive, checkpoints and model included."""
    state = condition(files)
    _refuse_elsewhere(state, "delete")
    if state.status.is_alive:
        raise ForgeError("The run is still alive", f"it is {state.status}", "Stop it first: forge-tui stop RUN")
    if marked_processes(files.folder):
        raise ForgeError(
            "Processes of the run are still at work", "they write into its folder", "Try again in a moment."
        )
    try:
        shutil.rmtree(files.folder)
    except OSError as error:
        raise ForgeError(
            "The run folder could not be deleted", f"{error.strerror}: {error.filename}", "Check its permissions."
        ) from None


def wait_until(done: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Look again and again until something is so or the time is over; whether it came to be."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def _alive(files: RunFiles, action: str) -> Condition:
    state = condition(files)
    _refuse_elsewhere(state, action)
    if not state.status.is_alive:
        raise ForgeError(f"There is nothing to {action}", f"the run {state.status.told}", "See: forge-tui show RUN")
    if state.status is Status.STARTING and not state.job:
        wait_until(lambda: bool(condition(files).job), _START_SECONDS)
        return condition(files)
    return state


def _refuse_elsewhere(state: Condition, action: str) -> None:
    if state.status is Status.ELSEWHERE:
        host = state.job.get("host")
        raise ForgeError(
            f"The run belongs to another machine and cannot be used here ({action})",
            f"it was started on {host}, which shares this folder",
            f"Log in to {host} and do it there.",
        )


def _write_request(files: RunFiles, state: Condition, request: str) -> None:
    """Write control.json, unless more was asked of this attempt before: a checkpoint does not take a stop back."""
    before = read_json(files.control) or {}
    if before.get("attempt") == state.attempt and before.get("request") in _REQUESTS[_REQUESTS.index(request) + 1 :]:
        return
    content: dict[str, Any] = {
        "request": request,
        "attempt": state.attempt,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": _user(),
    }
    try:
        write_json(files.control, content)
    except OSError as error:
        raise ForgeError(
            "The request could not be written", f"{error.strerror} at {files.folder}", "Free space."
        ) from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
