"""Follows a run in plain lines: what a log, a pipe or a person without a full screen can read."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from backends.contract import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, RunFiles, read_json
from forge_tui.cli.output import say, score, show
from forge_tui.formatting import duration, mebibytes
from forge_tui.runs.status import Status, condition
from forge_tui.runs.summary import summarise_run
from forge_tui.runs.tail import LineTail, new_events

LINE_SECONDS = 1.0
DOWNLOAD_SECONDS = 5.0
_LOOK_SECONDS = 0.2


class Follower:
    """Prints what happens in a run until it ends; metrics at most once a second."""

    def __init__(self, files: RunFiles, as_json: bool = False, attempt: int = 1) -> None:
        """Attempts before this one are not told again."""
        self.files, self.as_json = files, as_json
        self.awaited: int | None = attempt if attempt > 1 else None
        self.started = time.monotonic()
        self.last_line = 0.0
        self.values: dict[str, float] = {}
        self.held_back: Mapping[str, Any] | None = None
        self.waits_for = ""

    def run(self) -> int:
        """Follow to the end: 0 when finished or stopped as asked, 1 when it failed, 130 on Ctrl-C."""
        tail = LineTail(self.files.events)
        try:
            while True:
                state = condition(self.files).status
                ended = not state.is_alive
                if state is Status.QUEUED:
                    self._say_wait()
                while True:
                    for event in new_events(tail):
                        self._event(event)
                    if not tail.behind:
                        break
                if ended:
                    return self._end()
                if self.held_back is not None and time.monotonic() - self.last_line >= LINE_SECONDS:
                    self._metrics_line()
                time.sleep(_LOOK_SECONDS)
        except KeyboardInterrupt:
            name = self.files.folder.name
            say(f"\nThe run goes on. Come back with: forge-tui watch {name}   Stop it with: forge-tui stop {name}")
            return EXIT_INTERRUPTED

    def _say_wait(self) -> None:
        """Tell what a queued run waits for, when that changed."""
        from forge_tui.cli.line import waits_in_full

        told = waits_in_full(self.files)
        if told != self.waits_for and (read_json(self.files.job) or {}).get("device_name"):
            self.waits_for = told
            say(f"queued: {told}")

    def _event(self, event: Mapping[str, Any]) -> None:
        if self.awaited is not None:
            if event["kind"] != "attempt" or event.get("n") != self.awaited:
                return
            self.awaited = None
        if self.as_json:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
            return
        kind = event["kind"]
        if kind == "metrics":
            self.values.update({key: value for key, value in event.get("values", {}).items() if value is not None})
            self.held_back = event
            if time.monotonic() - self.last_line >= LINE_SECONDS:
                self._metrics_line()
            return
        if self.held_back is not None:
            self._metrics_line()
        if kind == "progress" and event.get("phase") == "loading-model":
            self._download_line(event.get("done"), event.get("total"))
        if kind == "phase":
            self._line(str(event.get("name")))
        elif kind == "notice":
            self._line(("! " if event.get("level") == "warning" else "") + str(event.get("message")))
        elif kind == "checkpoint":
            self._line(f"saved checkpoint {event.get('step')}")

    def _metrics_line(self) -> None:
        event, self.held_back = self.held_back, None
        assert event is not None
        total = event.get("total_steps")
        step = f"step {event.get('step'):,}" + (f" of {total:,}" if total else "")
        self._line(step + "  " + "  ".join(f"{name} {score(value)}" for name, value in self.values.items()))
        self.last_line = time.monotonic()

    def _download_line(self, done: Any, total: Any) -> None:
        if type(done) is not int or type(total) is not int:
            return
        if done == total or time.monotonic() - self.last_line >= DOWNLOAD_SECONDS:
            self._line(f"downloaded {mebibytes(done)} of {mebibytes(total)}")
            self.last_line = time.monotonic()

    def _line(self, text: str) -> None:
        show(f"{duration(time.monotonic() - self.started):>7}  {text}")

    def _end(self) -> int:
        if self.held_back is not None and not self.as_json:
            self._metrics_line()
        state = condition(self.files)
        summary = summarise_run(self.files, state)
        say(f"{summary.name}: {state.status}")
        if state.status is Status.FINISHED:
            say_result(summary.metrics, summary.baseline, summary.baseline_name)
            say(f"model: {self.files.model}")
            say(f"mistakes and what to do next: forge-tui show {summary.id} --mistakes")
            return EXIT_DONE
        if state.status is Status.STOPPED:
            say(f"Go on with: forge-tui resume {summary.id}")
            return EXIT_FAILED
        for key in ("what", "why", "fix"):
            if summary.error and summary.error.get(key):
                say(f"  {key}: {summary.error[key]}")
        say(f"  log: {self.files.log}")
        return EXIT_FAILED


def say_result(metrics: Mapping[str, float], baseline: Mapping[str, float], baseline_name: str | None) -> None:
    """The scores beside those of the baseline, with the difference."""
    for name, value in metrics.items():
        other = baseline.get(name)
        beside = "" if other is None else f"   {baseline_name} {score(other)}   difference {value - other:+.4f}"
        say(f"  {name:<16} {score(value):>9}{beside}")
