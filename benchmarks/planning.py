"""What a plan and an estimate cost: python benchmarks/planning.py FILE [--task T] [--pairs N] [--json]

`forge-tui plan --task T --data FILE --json` and `forge-tui estimate --model M --json`, each against `python -c "import
typer"` in interleaved pairs. FILE is a table of a few thousand texts with their classes, such as the SMS spam
collection. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measuring import against, at_most, child_environment, interleave, report

ROOT = Path(__file__).resolve().parents[1]
MODEL = "Qwen/Qwen3-8B"


def seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds from the start of a process to its end."""
    began = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="the data to plan for")
    parser.add_argument("--task", default="text-classification", help="its task (default text-classification)")
    parser.add_argument("--pairs", type=int, default=9, help="interleaved pairs for each ratio (default 9)")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = child_environment(FORGE_HOME=folder, PYTHONPATH=str(ROOT))
        bare = [sys.executable, "-c", "import typer"]
        command = [sys.executable, "-m", "forge_tui", "plan", "--task", options.task, "--data", options.file, "--json"]
        pairs = interleave(lambda: seconds(command, environment), lambda: seconds(bare, environment), options.pairs)
        estimate = [
            sys.executable,
            "-m",
            "forge_tui",
            "estimate",
            "--model",
            MODEL,
            "--hardware",
            "gpu:24GiB",
            "--json",
        ]
        others = interleave(lambda: seconds(estimate, environment), lambda: seconds(bare, environment), options.pairs)
    report(
        [
            *against(f"plan --json, {Path(options.file).name}", pairs, "import typer"),
            at_most("  ratio", pairs.ratio, "times", 5.0),
            *against("estimate --json", others, "import typer"),
            at_most("  ratio", others.ratio, "times", 4.0),
        ],
        options.json,
    )


if __name__ == "__main__":
    main()
