"""Logs of other trainers read as events of a run: a Transformers trainer_state.json, JSON lines, or plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.contract import UsageError
from forge_tui.runs import readings
from forge_tui.runs.tail import BLOCK_BYTES, LineTail

_STEPS = ("step", "current_steps", "global_step", "_step", "iteration", "iter", "steps", "completed_steps")
_TOTALS = ("total_steps", "max_steps", "num_training_steps")
_TIMES = ("timestamp", "_timestamp", "time", "t")
# What stands beside the metrics and is none: counters, speeds, and what is known of the run as a whole.
_NO_METRIC = re.compile(
    r"(^|_)(runtime|samples_per_second|steps_per_second|tokens_per_second|total_flos|percentage|elapsed_time|"
    r"remaining_time|num_tokens|num_input_tokens_seen|rank|pid|seed)$"
)
_DAYS = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)$")
_LARGEST_STATE = 256 * 2**20
_HEAD_BYTES = 1 << 16


class EventLog:
    """The events of our own log, or of a log of JSON lines, from its beginning on."""

    def __init__(self, path: Path, foreign: bool = False) -> None:
        self.path, self._foreign = path, foreign
        self._tail = LineTail(path)
        self._lines = 0

    def fork(self) -> EventLog:
        """The same log from its beginning."""
        return EventLog(self.path, self._foreign)

    def read(self, most: int = BLOCK_BYTES) -> Iterator[dict[str, Any]]:
        """What was added, at most about so many bytes of it."""
        for line in self._tail.read(most):
            self._lines += 1
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if not isinstance(entry, dict):
                continue
            event = entry if not self._foreign else foreign_event(entry, self._lines)
            if event is not None and isinstance(event.get("kind"), str):
                yield event

    @property
    def behind(self) -> bool:
        """Whether there is more to read at once."""
        return self._tail.behind


class StateLog:
    """The log history of a trainer_state.json, read again when the file is written anew, as far as it goes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._given = 0
        self.behind = False

    def fork(self) -> StateLog:
        """The same log from its beginning."""
        return StateLog(self.path)

    def read(self, most: int = BLOCK_BYTES) -> Iterator[dict[str, Any]]:
        """The entries that were added since the last look, all of them at once."""
        try:
            known = self.path.stat()
            if (known.st_mtime_ns, known.st_size) == self._seen or known.st_size > _LARGEST_STATE:
                return
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        self._seen = known.st_mtime_ns, known.st_size
        entries, whole = _history(text)
        total = re.search(r'"max_steps":\s*(\d+)', text)
        rest, self._given = entries[self._given :], len(entries)
        for number, entry in enumerate(rest, 1):
            event = foreign_event({**({"max_steps": int(total[1])} if total else {}), **entry}, number)
            if event is not None:
                yield event
        if not whole:
            message = "the file is cut off; what came before the cut is shown"
            yield {"kind": "notice", "level": "warning", "message": message}


def _history(text: str) -> tuple[list[dict[str, Any]], bool]:
    """The entries of log_history, and whether its end is there."""
    begin = re.search(r'"log_history":\s*\[', text)
    if begin is None:
        return [], False
    found: list[dict[str, Any]] = []
    decoder, at = json.JSONDecoder(), begin.end()
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or text[at] != "{":
            return found, text[at : at + 1] == "]"
        try:
            entry, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return found, False
        found.append(entry)


def foreign_event(entry: Mapping[str, Any], number: int) -> dict[str, Any] | None:
    """The event of one entry of another trainer's log; `number` stands for the step where none is told.

    An entry that is one of our own events is taken as it is.
    """
    if isinstance(entry.get("kind"), str) and "t" in entry:
        return dict(entry)
    lowered = {str(key): value for key, value in entry.items()}
    step = next((found for key in _STEPS if (found := _whole(lowered.get(key))) is not None), None)
    values = {
        _name(key): value
        for key, value in lowered.items()
        if key not in (*_STEPS, *_TOTALS, *_TIMES, "epoch") and not _NO_METRIC.search(key) and _is_value(value)
    }
    if "train_runtime" in lowered:  # the last entry sums the whole run up
        values = {}
    if not values and step is None:
        return None
    event = {
        "kind": "metrics",
        "step": number if step is None else step,
        "epoch": lowered.get("epoch"),
        "total_steps": next((found for key in _TOTALS if (found := _whole(lowered.get(key)))), None),
        "values": values,
    }
    moment = next((told for key in _TIMES if (told := readings.number(lowered.get(key))) is not None), None)
    elapsed = _seconds(lowered.get("elapsed_time"))
    if moment is not None and moment > 1e8:  # a moment, not a duration
        event["t"] = moment
    elif elapsed is not None or moment is not None:
        event["elapsed"] = elapsed if elapsed is not None else moment
    return event


def _whole(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return readings.whole(value)


def _is_value(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name(key: str) -> str:
    """The name as our own runs have it: only the loss of evaluation keeps its prefix."""
    if key in ("eval_loss", "eval/loss", "val_loss", "validation_loss", "test_loss"):
        return "eval_loss"
    if key in ("train/loss", "training_loss"):
        return "loss"
    return key.removeprefix("eval_").removeprefix("eval/").removeprefix("train/")


def _seconds(text: object) -> float | None:
    found = _DAYS.match(text) if isinstance(text, str) else None
    if found is None:
        return None
    days, hours, minutes, seconds = found.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def open_log(path: Path) -> EventLog | StateLog | None:
    """The events of a log at `path`; None for a text that has none and can only be read.

    Raises UsageError when there is nothing to look at.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", error.strerror or str(error), "Check the path.") from None
    if b"\0" in head:
        raise UsageError(
            f"{path} is no log",
            "it holds bytes that are no text",
            "Give a trainer_state.json, a log of JSON lines or a text.",
        )
    if b'"log_history"' in head or path.name == "trainer_state.json":
        return StateLog(path)
    for number, line in enumerate(head.splitlines(), 1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and foreign_event(entry, number) is not None:
            return EventLog(path, foreign=True)
    return None


def log_in(path: Path) -> Path:
    """The log that a path means: itself, or the one that its folder is known to hold.

    Raises UsageError where a folder holds none.
    """
    if not path.is_dir():
        return path
    for name in ("events.jsonl", "trainer_state.json", "trainer_log.jsonl"):
        if (path / name).is_file():
            return path / name
    checkpoints = sorted(path.glob("checkpoint-*/trainer_state.json"), key=lambda found: found.stat().st_mtime)
    if checkpoints:
        return checkpoints[-1]
    raise UsageError(
        f"The folder {path} holds no log",
        "there is no events.jsonl, trainer_state.json or trainer_log.jsonl in it",
        "Give the log itself.",
    )
