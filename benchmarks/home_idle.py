"""What the app sends and uses while nothing happens: python benchmarks/home_idle.py [--seconds N] [--json]

Home with twenty finished runs, and the monitor of a finished run, on a 120x40 terminal. Home samples its gauges every
ten seconds; between two samples nothing may be sent, so bytes must come in bursts ten seconds apart. Exits 1 when a
target is missed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from measuring import Figure, Painter, at_most, child_environment, forge_command, report

SAMPLE_SECONDS = 10.0
RUNS = 20
STEPS = 2_000
SETTLING_SECONDS = 4.0


def make_runs(home: Path) -> str:
    """Twenty finished runs with a curve each, as a trainer would leave them; returns the id of one."""
    for number in range(RUNS):
        folder = home / "runs" / f"20260101-1200{number:02d}-tabular-classification-{number:04x}"
        folder.mkdir(parents=True)
        folder.joinpath("spec.toml").write_text(
            f'[run]\nname = "run-{number}"\ntask = "tabular-classification"\n[data]\npath = "x.csv"\n'
            '[model]\nsource = "preset:xgboost"\n'
        )
        events: list[dict[str, object]] = [{"t": 1_767_000_000.0, "kind": "attempt", "n": 1, "from_step": 0}]
        for step in range(1, STEPS + 1):
            values = {"loss": 1 / step, "eval_loss": 1.1 / step}
            moment = 1_767_000_000.0 + step
            events.append({"t": moment, "kind": "metrics", "step": step, "total_steps": STEPS, "values": values})
        scores = {"f1_macro": 0.8, "accuracy": 0.9}
        events.append({"t": 1_767_009_000.0, "kind": "finished", "metrics": scores, "baseline": scores})
        folder.joinpath("events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        folder.joinpath("report.json").write_text(json.dumps({"metrics": scores, "baseline": scores}))
    return folder.name


def at_rest(command: list[str], environment: dict[str, str], words: tuple[str, ...]) -> Painter:
    """The app once it has painted and settled."""
    app = Painter(command, environment)
    app.wait_for(*words)
    app.watch(SETTLING_SECONDS)
    return app


def bursts(pieces: list[tuple[float, int]]) -> int:
    """How many groups of pieces there are that lie at least a second apart."""
    moments = [moment for moment, _ in pieces]
    return sum(1 for index, moment in enumerate(moments) if not index or moment - moments[index - 1] > 1.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch each (default 60)")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        run = make_runs(home)
        environment = child_environment(FORGE_HOME=str(home))
        for name, command, words in (
            ("home", forge_command(), ("run-19", "quit")),
            ("monitor of a finished run", [*forge_command(), "watch", run], ("loss", "back")),
        ):
            with at_rest(command, environment, words) as app:
                before = app.cpu_seconds()
                pieces = app.watch(options.seconds)
                share = (app.cpu_seconds() - before) / options.seconds
            count = sum(size for _, size in pieces)
            figures.append(Figure(f"{name}: sent", count / options.seconds, "B/s"))
            figures.append(Figure(f"{name}: CPU", share * 100, "% of one core"))
            allowed = options.seconds // SAMPLE_SECONDS + 1 if name == "home" else 0
            figures.append(at_most(f"{name}: bursts", bursts(pieces), "bursts", allowed))
    report(figures, options.json)


if __name__ == "__main__":
    main()
