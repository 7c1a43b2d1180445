"""The app on a line of 960 bytes a second, 120x40: python benchmarks/slow_line.py [--silent] [--json]

A run with six plots goes on at one update a second. Seconds from a key until its effect stands on the screen, and the
bytes that came in between: home to the monitor, the list of keys, back, a plot that is chosen, home again. Then a
thousand updates at once: the seconds until the last one stands. The terminal answers where its cursor is, as nearly all
do; with --silent it does not, and there are no targets. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import struct
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyte
from home_idle import make_finished_run
from measuring import SIZE, Figure, at_most, child_environment, forge_command, report, start_on_terminal

from backends.contract import RunFiles
from forge_tui.runs.lock import take_lock

BYTES_A_SECOND = 960
# A full screen has 4,800 cells: five seconds even if nothing but its letters were sent.
OPENING_SECONDS, SAME_SECONDS = 6.0, 3.0
# Two frames of six plots, each changed all over, and the one that was on its way.
BURST_SECONDS = 12.0
UPDATES = 1000
_TICK = 0.05
_METRICS = ("loss", "f1", "a", "b", "c", "d")


class Screen(pyte.Screen):
    """Shows what has come, and answers."""

    def __init__(self, terminal: int, answers: bool) -> None:
        width, height = map(int, SIZE.split("x"))
        super().__init__(width, height)
        self._terminal, self._answers = terminal, answers

    def write_process_input(self, data: str) -> None:
        """What a terminal types by itself."""
        if self._answers:
            os.write(self._terminal, data.encode())


class Line:
    """A terminal at the end of a slow line."""

    def __init__(self, environment: dict[str, str], answers: bool) -> None:
        self.child, self._terminal = start_on_terminal(forge_command(), SIZE, environment)
        self._screen = Screen(self._terminal, answers)
        self._stream = pyte.ByteStream(self._screen)
        self.came = 0
        self._began = time.monotonic()

    def waiting(self) -> int:
        """Bytes that the app has written and the line has not carried yet."""
        return int(struct.unpack("i", fcntl.ioctl(self._terminal, termios.FIONREAD, b"\0" * 4))[0])

    def carry(self) -> None:
        """A moment of the line."""
        time.sleep(_TICK)
        due = int((time.monotonic() - self._began) * BYTES_A_SECOND) - self.came
        count = min(due, self.waiting())
        if count > 0:
            piece = os.read(self._terminal, count)
            self.came += len(piece)
            self._stream.feed(piece)
        if count < due:  # an idle line saves nothing up
            self._began = time.monotonic() - self.came / BYTES_A_SECOND

    def rest(self, seconds: float) -> None:
        """Carry for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.carry()

    def see(self, there: Callable[[str], bool], what: str) -> tuple[float, int]:
        """Seconds and bytes until the screen is so."""
        began, before = time.monotonic(), self.came
        while not there(text := "\n".join(self._screen.display)):
            if time.monotonic() > began + 120:
                raise SystemExit(f"{what} did not come:\n{text}")
            self.carry()
        return time.monotonic() - began, self.came - before

    def press(self, key: str) -> None:
        """Type."""
        os.write(self._terminal, key.encode())

    def close(self) -> None:
        """End the app."""
        self.child.kill()
        self.child.wait()
        os.close(self._terminal)


class RunningRun:
    """A run whose events this program writes."""

    def __init__(self, home: Path) -> None:
        (home / "runs").mkdir()
        self._files = RunFiles(home / "runs" / make_finished_run(home / "runs", 1))
        self._files.exit.unlink()
        events = [line for line in self._files.events.read_text().splitlines() if '"finished"' not in line]
        self._files.events.write_text("\n".join(events) + "\n")
        self._lock = take_lock(self._files.lock)
        self.step = 700

    def go_on(self) -> None:
        """One update."""
        self.step += 1
        values = {name: 1 / (self.step % 97 + number + 2) for number, name in enumerate(_METRICS)}
        event = {"t": time.time(), "kind": "metrics", "step": self.step, "total_steps": 9000, "values": values}
        told = {"t": time.time(), "kind": "notice", "level": "info", "message": f"step {self.step} is done"}
        with self._files.events.open("a") as stream:
            stream.write(json.dumps(event) + "\n" + json.dumps(told) + "\n")

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """One update a second meanwhile."""
        stop = threading.Event()

        def write() -> None:
            while not stop.wait(1):
                self.go_on()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            yield
        finally:
            stop.set()
            writer.join()


# A key, what it does, whether it opens a screen, and how that is seen.
KEYS: tuple[tuple[str, str, bool, Callable[[str], bool]], ...] = (
    ("\r", "home to monitor", True, lambda text: "stop" in text and "loss" in text and "leave" in text),
    ("?", "monitor to list of keys", True, lambda text: "the names are those of" in text),
    ("q", "list of keys to monitor", True, lambda text: "the names are those of" not in text and "loss" in text),
    ("l", "events to log", False, lambda text: "is done" not in text),
    ("l", "log to events", False, lambda text: "is done" in text),
    ("q", "monitor to home", True, lambda text: "RAM" in text and "quit" in text),
)


def measure(answers: bool) -> list[Figure]:
    """Every key, and the burst."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        run = RunningRun(Path(folder))
        line = Line(child_environment(FORGE_HOME=folder), answers)
        try:
            seconds, count = line.see(lambda text: "RAM" in text and "quit" in text, "home")
            figures += [Figure("start to home", seconds, "s"), Figure("  bytes", count, "B")]
            line.rest(5)
            with run.going_on():
                for key, name, is_opening, there in KEYS:
                    line.press(key)
                    seconds, count = line.see(there, name)
                    limit = OPENING_SECONDS if is_opening else SAME_SECONDS
                    figures += [at_most(name, seconds, "s", limit), Figure("  bytes", count, "B")]
                    line.rest(15)
                    figures.append(Figure("  bytes that wait 15 s later", line.waiting(), "B"))
            line.press("\r")
            line.see(KEYS[0][3], "the monitor")
            line.rest(10)
            for _ in range(UPDATES):
                run.go_on()
            last = f"step {run.step} is done"
            seconds, count = line.see(lambda text: last in text, last)
            name = f"{UPDATES:,} updates at once: until the last one stands"
            figures += [at_most(name, seconds, "s", BURST_SECONDS), Figure("  bytes", count, "B")]
        finally:
            line.close()
    return figures


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--silent", action="store_true", help="a terminal that answers nothing")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    figures = measure(not options.silent)
    report([replace(each, met=None) for each in figures] if options.silent else figures, options.json)


if __name__ == "__main__":
    main()
