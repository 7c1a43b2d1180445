"""What state a run is in: derived from its folder at every look, never stored."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backends.contract import RunFiles, read_json
from forge_tui.runs import readings
from forge_tui.runs.lock import is_locked
from forge_tui.runs.process import boot_id, host_name
from forge_tui.runs.queue import is_queued
from forge_tui.runs.tail import last_events

# The end of an event log that tells the state; a metrics event has about 250 bytes.
EVENT_BYTES = 1 << 14


class Status(StrEnum):
    """The states of a run that a person can tell apart."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    DIED = "died"
    LOST = "lost"
    ELSEWHERE = "elsewhere"

    @property
    def told(self) -> str:
        """The state as what a sentence says of a run."""
        ended = self in (Status.FINISHED, Status.FAILED, Status.STOPPED, Status.DIED)
        return f"has {self}" if ended else f"is {self}"

    @property
    def is_alive(self) -> bool:
        """Whether processes of the run are at work on this machine."""
        return self in (Status.QUEUED, Status.STARTING, Status.RUNNING, Status.STOPPING)


@dataclass(frozen=True)
class Condition:
    """A run's state with what it was derived from."""

    status: Status
    job: Mapping[str, Any]
    exit: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    events: tuple[Mapping[str, Any], ...]
    earlier: tuple[Mapping[str, Any], ...] = ()  # of attempts before, up to where this one began

    @property
    def attempt(self) -> int:
        """The number of the present attempt; 0 before the first supervisor wrote it."""
        return readings.whole(self.job.get("attempt")) or 0

    @property
    def ended(self) -> str | None:
        """When the last attempt ended, if its supervisor lived to tell."""
        return readings.iso_moment(self.exit.get("ended")) if self.exit and not self.status.is_alive else None


def condition(files: RunFiles) -> Condition:
    """Look at a run folder and say what state the run is in."""
    locked = is_locked(files.lock)
    # In this order: an exit.json written between the two looks belongs to the lock that was seen free.
    job = read_json(files.job) or {}
    attempt = readings.whole(job.get("attempt")) or 0
    control = read_json(files.control) or {}
    request = str(control.get("request")) if control.get("attempt") == attempt else ""
    ended = read_json(files.exit)
    if ended is not None and ended.get("attempt") != attempt:
        ended = None
    earlier, events = _parted(last_events(files.events, EVENT_BYTES), attempt)
    if job and job.get("host") != host_name():
        status = _from_end(ended, events, request) if ended else Status.ELSEWHERE
    elif ended is not None:
        status = _from_end(ended, events, request)
    elif locked:
        status = _while_alive(events, request)
        if status in (Status.STARTING, Status.RUNNING) and is_queued(files):
            status = Status.QUEUED
    elif _finished(events):
        status = Status.FINISHED
    elif job and job.get("boot_id") != boot_id():
        status = Status.LOST
    else:
        status = Status.STOPPED if _stopped_untold(events, request) else Status.DIED
    return Condition(status, job, ended, _error(status, ended, events), events, earlier)


_Events = tuple[Mapping[str, Any], ...]


def _parted(events: list[dict[str, Any]], attempt: int) -> tuple[_Events, _Events]:
    """What still counts of the attempts before, and the present one; without an attempt in sight all is of this one."""
    for position in range(len(events) - 1, -1, -1):
        if events[position]["kind"] == "attempt":
            if events[position].get("n") != attempt:  # the present one has said nothing yet
                return tuple(events), ()
            began = readings.whole(events[position].get("from_step")) or 0
            kept = (each for each in events[:position] if (readings.whole(each.get("step")) or 0) <= began)
            return tuple(kept) if began else (), tuple(events[position:])
    return (), tuple(events)


def _finished(events: tuple[Mapping[str, Any], ...]) -> bool:
    return any(event["kind"] == "finished" for event in events)


def _stopped_untold(events: tuple[Mapping[str, Any], ...], request: str) -> bool:
    """Whether a trainer whose supervisor was gone stopped as asked: in order, after saving, or by being killed."""
    in_order = bool(events) and events[-1]["kind"] in ("checkpoint", "notice")
    return request == "stop-now" or (request == "stop" and in_order)


def _while_alive(events: tuple[Mapping[str, Any], ...], request: str) -> Status:
    if request.startswith("stop"):
        return Status.STOPPING
    started = any(event["kind"] != "attempt" for event in events)
    return Status.RUNNING if started else Status.STARTING


def _from_end(ended: Mapping[str, Any], events: tuple[Mapping[str, Any], ...], request: str) -> Status:
    if _finished(events):
        return Status.FINISHED
    if ended.get("exit_code") == 0 or ended.get("signal") in (signal.SIGTERM, signal.SIGINT):
        return Status.STOPPED
    killed_as_asked = request == "stop-now" and ended.get("signal") == signal.SIGKILL
    return Status.STOPPED if killed_as_asked else Status.FAILED


def _error(
    status: Status, ended: Mapping[str, Any] | None, events: tuple[Mapping[str, Any], ...]
) -> Mapping[str, Any] | None:
    """What went wrong: the trainer's own word, else what its end tells."""
    if status not in (Status.FAILED, Status.DIED, Status.LOST):
        return None
    for event in reversed(events):
        if event["kind"] == "error":
            return {key: event.get(key) for key in ("what", "why", "fix")}
    resume = "Resume it: it goes on from its last checkpoint."
    if status is Status.LOST:
        return {"what": "The machine was restarted", "why": "the run ended with it", "fix": resume}
    if status is Status.DIED:
        why = "supervisor and trainer are gone and neither wrote how it ended; both were killed"
        return {"what": "The run died", "why": why, "fix": resume}
    assert ended is not None
    if told := readings.table(ended.get("error")):  # the trainer was never started
        return {key: readings.text(told.get(key)) for key in ("what", "why", "fix")}
    number = ended.get("signal")
    if number == signal.SIGKILL:
        why = (
            "it was killed with SIGKILL: by the kernel when memory ran out (see: dmesg), by an administrator or by hand"
        )
        return {"what": "The trainer was killed", "why": why, "fix": f"Use less memory if that was it. {resume}"}
    if number:
        known = {each.value: each.name for each in signal.Signals}
        why = f"signal {number} ({known.get(number, 'unknown')}) ended it"
        return {"what": "The trainer crashed", "why": why, "fix": f"Look at the end of train.log. {resume}"}
    if ended.get("exit_code") == 127:
        why = "its interpreter could not be started; train.log names it"
        return {"what": "The trainer did not start", "why": why, "fix": "Correct trainer_python in settings.toml."}
    why = f"it ended with exit code {ended.get('exit_code')} and said no more"
    return {"what": "The trainer failed", "why": why, "fix": "Look at the end of train.log (forge-tui logs RUN)."}
