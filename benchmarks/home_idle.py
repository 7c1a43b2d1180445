"""What the app sends and uses at rest on a 120x40 terminal: python benchmarks/home_idle.py [--seconds N] [--json]

Home with 20 finished runs, and the monitor of a finished run: bytes at the terminal and processor time after the first
paint. Home samples its gauges every 10 s; whatever is sent at another time is counted apart and must be nothing, and a
finished run has nothing to send at all.
Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tomli_w
from measuring import Figure, Painter, at_most, child_environment, forge_command, report

from backends.contract import RunFiles, RunSpec, write_json
from forge_tui.runs.process import boot_id, host_name
from forge_tui.screens.home import MACHINE_SECONDS

RUNS = 20
STEPS = 700
# A sample may come this much later than it is due: its timer waits for whatever else the machine does.
LATE_SECONDS = 2.0


def make_finished_run(runs: Path, number: int) -> str:
    """A run folder as a finished text classification leaves it; returns its id."""
    run_id = f"20260102-{number:02}0405-text-classification-{number:04x}"
    files = RunFiles(runs / run_id)
    files.folder.mkdir(mode=0o700)
    files.lock.touch(0o600)
    spec = RunSpec(f"tickets-{number}", "text-classification", "full", "preset:tiny-encoder", "/data/tickets.csv")
    files.spec.write_text(tomli_w.dumps(spec.to_tables()))
    gone = {"pid": 2**22 + 1, "start_ticks": 1}
    began = datetime(2026, 1, 2, number, 4, 5, tzinfo=UTC)
    job = {"boot_id": boot_id(), "host": host_name(), "supervisor": gone, "trainer": gone, "command": ["trainer"]}
    times = {"attempt": 1, "started": began.isoformat(), "first_started": began.isoformat()}
    write_json(files.job, {**job, **times})
    ended = began.replace(minute=30).isoformat()
    write_json(files.exit, {"attempt": 1, "exit_code": 0, "signal": None, "asked_to_stop": False, "ended": ended})
    scores, baseline = {"f1_macro": 0.9, "accuracy": 0.91}, {"f1_macro": 0.8, "accuracy": 0.82}
    name = "TF-IDF + logistic regression"
    write_json(files.report, {"metrics": scores, "baseline": baseline, "baseline_name": name})
    events: list[dict[str, object]] = [{"kind": "attempt", "n": 1, "from_step": 0}]
    events.append({"kind": "phase", "name": "training"})
    for step in range(1, STEPS + 1):
        values = {"loss": math.exp(-step / 300) + 0.1 * math.sin(step), "learning_rate": 1e-4 * (1 - step / STEPS)}
        events.append({"kind": "metrics", "step": step, "epoch": None, "total_steps": STEPS, "values": values})
    events.append({"kind": "finished", "metrics": scores, "baseline": baseline, "model_path": "model"})
    start = began.timestamp()
    lines = (json.dumps({"t": start + number, **event}) + "\n" for number, event in enumerate(events))
    files.events.write_text("".join(lines))
    files.log.touch(0o600)
    return run_id


@dataclass(frozen=True)
class Rest:
    """What came from the app while nothing happened; `pieces` are (seconds from the start of the watch, bytes)."""

    pieces: list[tuple[float, int]]
    seconds: float
    cpu_seconds: float

    @property
    def sent(self) -> int:
        """All bytes."""
        return sum(count for _, count in self.pieces)

    def sent_between(self, every: float, first: float) -> int:
        """The bytes that did not come with a sample, due at `first` and then every so many seconds."""
        return sum(count for moment, count in self.pieces if (moment - first + 0.1) % every > LATE_SECONDS)


def at_rest(arguments: list[str], words: tuple[str, ...], environment: dict[str, str], seconds: float) -> Rest:
    """Start the app, let it come to rest and watch it."""
    with Painter([*forge_command(), *arguments], environment) as app:
        app.wait_for(*words)
        app.watch(3)  # the first sample of the gauges and what it moves
        cpu = app.cpu_seconds()
        pieces = app.watch(seconds)
        return Rest(pieces, seconds, app.cpu_seconds() - cpu)


def figures_of(name: str, rest: Rest) -> list[Figure]:
    """Bytes and processor time a second."""
    return [
        Figure(f"{name}: sent", rest.sent / rest.seconds, "bytes/s"),
        Figure(f"{name}: share of one core", 100 * rest.cpu_seconds / rest.seconds, "%"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch each screen (default 60)")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        runs = Path(temporary) / "home" / "runs"
        runs.mkdir(mode=0o700, parents=True)
        ids = [make_finished_run(runs, number) for number in range(RUNS)]
        environment = child_environment(FORGE_HOME=str(runs.parent))
        home = at_rest([], ("tickets-0", "quit", "RAM"), environment, options.seconds)
        monitor = at_rest(["watch", ids[-1]], ("tickets-19", "finished", "learning_rate"), environment, options.seconds)
    first = home.pieces[0][0] if home.pieces else 0.0
    between = home.sent_between(MACHINE_SECONDS, first)
    figures = [
        *figures_of(f"home with {RUNS} finished runs", home),
        at_most("  sent between two samples of the gauges", between, "bytes", 0),
        *figures_of("monitor of a finished run", monitor),
        at_most("  sent at all", monitor.sent, "bytes", 0),
    ]
    if not options.json:
        for moment, count in home.pieces:
            print(f"home, after {moment:5.1f} s: {count} bytes", file=sys.stderr)
    report(figures, options.json)


if __name__ == "__main__":
    main()
