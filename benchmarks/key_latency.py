"""How soon a key is answered on the screen: python benchmarks/key_latency.py [--rounds N] [--json]

A real app on a 120x40 terminal of this program, with 200 runs, the newest of 100,000 points. The time from the key to
the first thing painted for it: on home, in the monitor of that run and in the wizard, 95th percentile; and until a
screen that was opened stands there, against an empty screen of Textual opened in the same way, median of the ratios.
Escape alone is left out: Textual waits 100 ms for what may follow it. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from home_idle import make_finished_run
from measuring import Figure, Painter, at_most, child_environment, forge_command, report

from backends.contract import RunFiles

RUNS = 200
POINTS = 100_000
QUIET_SECONDS = 0.25
LIMIT_MILLISECONDS = 50.0
TIMES = 3.0
# Everything that paints nothing; erasing cells (`X`) does.
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-WYZ\[-~]|[PX^_\]].*?(?:\x1b\\|\x07)|[@-Z\\-_])", re.DOTALL)
EMPTY = """
from textual.app import App
from textual.screen import Screen
from textual.widgets import Static

class Opened(Screen):
    BINDINGS = [("q", "dismiss", "back")]

    def compose(self):
        yield Static("opened")

class Empty(App):
    BINDINGS = [("o", "open", "open")]

    def compose(self):
        yield Static("closed")

    def action_open(self):
        self.push_screen(Opened())

Empty().run(mouse=False)
"""


def make_runs(runs: Path) -> str:
    """The runs of the home; returns the id of the newest, the long one."""
    for number in range(RUNS - 1):
        first = make_finished_run(runs, number % 24)
        (runs / first).rename(runs / f"20260101-{number:06}-text-classification-{number:04x}")
    long = make_finished_run(runs, 23)
    files = RunFiles(runs / long)
    lines = files.events.read_text().splitlines()
    head, end = lines[:2], lines[-1]
    with files.events.open("w") as stream:
        stream.writelines(f"{line}\n" for line in head)
        for step in range(1, POINTS + 1):
            values = {"loss": math.exp(-step / 30_000) + 0.1 * math.sin(step), "f1_macro": step / POINTS}
            event = {"t": 1e9 + step, "kind": "metrics", "step": step, "total_steps": POINTS, "values": values}
            stream.write(json.dumps(event) + "\n")
        stream.write(end + "\n")
    return long


class Typist(Painter):
    """Presses keys on a screen at rest and sees when it answers."""

    def rest(self) -> None:
        """Until nothing was painted for a while."""
        while self.watch(QUIET_SECONDS):
            continue

    def answer(self, key: str) -> float:
        """Milliseconds from a key until something visible was painted."""
        self.rest()
        before, shown = len(self._raw), self.show()
        began = time.monotonic()
        self.press(key)
        while time.monotonic() < began + 10:
            self.read(1)
            if any(_ESCAPE.sub(b"", piece).strip() for piece in self._raw[before:]):
                return 1000 * (self.pieces[-1][0] - began)
        raise SystemExit(f"{key!r} was not answered:\n{shown}")

    def open(self, key: str, *words: str) -> float:
        """Milliseconds from a key until these words stand on the screen; they are looked for once all has come."""
        self.rest()
        self.show()
        before = len(self.pieces)
        began = time.monotonic()
        self.press(key)
        while time.monotonic() < began + 60:
            self.rest()
            for number in range(before, len(self.pieces)):
                text = self.show(number + 1)
                if all(word in text for word in words):
                    return 1000 * (self.pieces[number][0] - began)
            before = len(self.pieces)
        raise SystemExit(f"{' '.join(words)} did not come:\n{self.show()}")


@dataclass(frozen=True)
class Place:
    """A screen, the keys that lead to it from home with what it shows then, and the keys pressed there in turn."""

    name: str
    way: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]


DOWN, UP, LEFT, RIGHT = "\x1b[B", "\x1b[A", "\x1b[D", "\x1b[C"
PLACES = (
    Place("home", (), (DOWN, DOWN, DOWN, UP, "\x1b[6~", "\x1b[5~", UP, UP)),
    Place(
        "monitor of 100,000 points",
        (("\r", "loss"),),
        (
            LEFT,
            LEFT,
            RIGHT,
            "+",
            "+",
            "<",
            ">",
            "-",
            "0",
            "m",
            "m",
            "m",
            "m",
            "y",
            "y",
            "l",
            "l",
            "p",
            "p",
            "/",
            "x",
            "\r",
        ),
    ),
    Place("wizard", (("d", "Which data file?"),), (DOWN, UP, DOWN, UP, "t", "\x7f", "x", "\x7f")),
)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def same_screen(environment: dict[str, str], rounds: int) -> list[Figure]:
    """The 95th percentile of each place."""
    figures = []
    for place in PLACES:
        with Typist(forge_command(), environment) as app:
            app.wait_for("text-classification", "quit", "RAM")
            for key, word in place.way:
                app.open(key, word)
            times = [app.answer(key) for _ in range(rounds) for key in place.keys]
        name = f"{place.name}: key to reaction, 95 in 100"
        figures.append(at_most(name, percentile(times, 0.95), "ms", LIMIT_MILLISECONDS))
        figures.append(Figure("  median", statistics.median(times), "ms"))
    return figures


def opening(environment: dict[str, str], rounds: int) -> list[Figure]:
    """How much longer a screen takes to open than an empty one."""
    screens = {
        "monitor of 100,000 points": ("\r", ("finished", "info", "back"), "q"),
        "wizard": ("n", ("What do you want to do?",), "\x1b"),
        "the keys": ("?", ("queue.sooner",), "q"),
    }
    empty: list[float] = []
    took: dict[str, list[float]] = {name: [] for name in screens}
    with (
        Typist(forge_command(), environment) as app,
        Typist([sys.executable, "-c", EMPTY], environment) as bare,
    ):
        app.wait_for("text-classification", "quit", "RAM")
        bare.wait_for("closed")
        for number in range(rounds + 1):
            plain = bare.open("o", "opened")
            bare.open("q", "closed")
            if number:
                empty.append(plain)
            for name, (key, words, back) in screens.items():
                seconds = app.open(key, *words)
                app.open(back, "text-classification")
                if number:
                    took[name].append(seconds)
    figures = [Figure("an empty screen of Textual opens in", statistics.median(empty), "ms")]
    for name, times in took.items():
        figures.append(Figure(f"{name} opens in", statistics.median(times), "ms"))
        ratio = statistics.median(ours / other for ours, other in zip(times, empty, strict=True))
        figures.append(at_most("  ratio", ratio, "times", TIMES))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each key is pressed (default 5)")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        runs = Path(temporary) / "home" / "runs"
        runs.mkdir(mode=0o700, parents=True)
        make_runs(runs)
        environment = child_environment(FORGE_HOME=str(runs.parent))
        figures = [*same_screen(environment, options.rounds), *opening(environment, options.rounds)]
    report(figures, options.json)


if __name__ == "__main__":
    main()
