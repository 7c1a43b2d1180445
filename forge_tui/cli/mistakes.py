"""The mistakes of a run on stdout: what they are made of, the worst to read, what to do."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from backends.contract import RunFiles
from forge_tui.cli.output import say, show, terminal_width
from forge_tui.result_counts import counts_lines
from forge_tui.result_text import judged_lines, verdict
from forge_tui.runs.next_steps import next_steps
from forge_tui.runs.results import has_results, read_predictions, read_results

# Other programs get whole lines.
_UNBROKEN = 1 << 20


def show_mistakes(files: RunFiles, limit: int) -> None:
    """Print the verdict, the counts, and so many of the worst mistakes."""
    if not has_results(files):
        say("It has no results yet: mistakes are told when a run has finished.")
        return
    results, predictions = read_results(files), read_predictions(files)
    width = terminal_width(sys.stdout)
    for line in ("", verdict(results), "", *counts_lines(results, width)):
        show(line.rstrip())
    rows = predictions.mistakes
    if predictions.problem is not None:
        say(f"no rows to read: {predictions.problem}")
    for at, row in enumerate(rows[:limit], 1):
        show()
        show(f"{at:,} of {len(rows):,}")
        for line in judged_lines(row, width - 2 if sys.stdout.isatty() else _UNBROKEN):
            show(f"  {line}")
    if len(rows) > limit:
        say(f"… {len(rows) - limit:,} more: --limit N, or {files.predictions}")
    show()
    for step in next_steps(results):
        show("- " + step.replace("\n", " "))


def mistakes_json(files: RunFiles, limit: int) -> dict[str, Any]:
    """The counts as report.json has them, the worst mistakes, and what to do."""
    results, predictions = read_results(files), read_predictions(files)
    named = {name: table or None for name, table in results.tables.items()}
    return {
        **named,
        "by_type": {
            kind: {name: int(value) if name == "count" else value for name, value in scores.items()}
            for kind, scores in results.by_type.items()
        }
        or None,
        "confusion": {
            "classes": [asdict(each) for each in results.classes],
            "pairs": [asdict(each) for each in results.confused],
        }
        if results.classes
        else None,
        "mistakes": [asdict(row) for row in predictions.mistakes[:limit]],
        "mistakes_problem": predictions.problem,
        "next_steps": next_steps(results) if has_results(files) else [],
    }
