"""How long the program takes to show itself: python benchmarks/startup.py [--pairs N] [--json]

First paint of the app on a 120x40 terminal, from the start of the process until the first screen and its keys stand on
the screen, against `python -c "import textual.app"`; `forge-tui --help` against `python -c "import typer"`. Also looks
at what each of these processes imported. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measuring import Figure, Painter, Pairs, against, at_most, child_environment, forge_command, interleave, report

# The question of the empty list and one of the keys at the foot.
FRAME = ("What next?", "quit")
MACHINE_LEARNING = (
    "accelerate", "bitsandbytes", "datasets", "evaluate", "numpy", "pandas", "peft", "pyarrow", "scipy", "sklearn",
    "timm", "torch", "torchvision", "transformers", "trl", "xgboost",
)  # fmt: skip
# The program with a list of its modules left behind at the end.
TELL_MODULES = """
import atexit, json, sys
told = sys.argv.pop(1)
atexit.register(lambda: open(told, "w").write(json.dumps(sorted(sys.modules))))
from forge_tui.cli import main
main()
"""


def first_paint(environment: dict[str, str]) -> tuple[float, int]:
    """Seconds to the first full frame of home, and the memory used by then in bytes."""
    with Painter(forge_command(), environment) as app:
        return app.wait_for(*FRAME), app.peak_bytes()


def command_seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds from the start of a process to its end."""
    began = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return time.monotonic() - began


def against_import(measured: Sequence[str], module: str, environment: dict[str, str], pairs: int) -> Pairs:
    """A command against importing one module."""
    bare = [sys.executable, "-c", f"import {module}"]
    return interleave(lambda: command_seconds(measured, environment), lambda: command_seconds(bare, environment), pairs)


def imported_by_app(folder: Path, environment: dict[str, str]) -> set[str]:
    """Top-level names that the app has imported when it ends after its first paint."""
    told = folder / "modules-app.json"
    with Painter([sys.executable, "-c", TELL_MODULES, str(told)], environment) as app:
        app.wait_for(*FRAME)
        app.press("q")
        app.wait_end()
    return _top_level(told)


def imported_by_command(arguments: Sequence[str], folder: Path, environment: dict[str, str]) -> set[str]:
    """Top-level names that a command has imported when it ends."""
    told = folder / "modules-command.json"
    command = [sys.executable, "-c", TELL_MODULES, str(told), *arguments]
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"forge-tui {' '.join(arguments)} failed:\n{ended.stderr}")
    return _top_level(told)


def _top_level(told: Path) -> set[str]:
    return {name.partition(".")[0] for name in json.loads(told.read_text())}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="interleaved pairs for each ratio (default 7)")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = child_environment(FORGE_HOME=str(folder / "home"))
        table = folder / "table.csv"
        table.write_text("x,y\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(60)))
        peaks: list[int] = []

        def painted() -> float:
            seconds, peak = first_paint(environment)
            peaks.append(peak)
            return seconds

        textual = [sys.executable, "-c", "import textual.app"]
        paint = interleave(painted, lambda: command_seconds(textual, environment), options.pairs)
        told = against_import([*forge_command(), "--help"], "typer", environment, options.pairs)
        listed = against_import([*forge_command(), "runs", "--json"], "typer", environment, options.pairs)
        libraries = imported_by_app(folder, environment) & set(MACHINE_LEARNING)
        figures = [
            *against("first paint of forge-tui", paint, "import textual.app"),
            at_most("  ratio", paint.ratio, "times", 1.8),
            Figure("  peak memory by then", max(peaks) / 2**20, "MiB"),
            at_most("  ML libraries imported", len(libraries), "modules", 0),
            *against("forge-tui --help", told, "import typer"),
            at_most("  ratio", told.ratio, "times", 3.0),
            *against("forge-tui runs --json, no runs", listed, "import typer"),
            Figure("  ratio", listed.ratio, "times"),
        ]
        for arguments in (["--help"], ["tasks"], ["check", str(table)], ["runs"]):
            found = imported_by_command(arguments, folder, environment) & {"textual", *MACHINE_LEARNING}
            figures.append(at_most(f"{arguments[0]}: Textual or ML libraries imported", len(found), "modules", 0))
    report(figures, options.json)


if __name__ == "__main__":
    main()
