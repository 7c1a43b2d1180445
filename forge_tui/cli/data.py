"""The command `tasks`, and what commands about data share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from backends.contract import UsageError
from forge_tui.cli import app
from forge_tui.cli.output import show_json, show_table

MAP_HELP = "Which column plays which role, as role=column; repeat for each role."
PREPARE_HELP = "How rows are chosen and divided, as name=value (see docs/data.md); repeatable."


# What is told of a task beside its data; its backend and its options are no matter of scripts.
_TOLD = ("methods", "models", "default_model", "accepts_model_folder", "metrics")


def parse_pairs(pairs: list[str] | None, option: str) -> dict[str, str]:
    """`name=value` options as a mapping."""
    found = dict[str, str]()
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise UsageError(
                f"{option} {pair!r} is not name=value",
                "there is no name before its '='" if sign else "there is no '=' in it",
                f"Write {option} name=value",
            )
        name, value = name.strip(), value.strip()
        if found.setdefault(name, value) != value:
            raise UsageError(
                f"{option} {name} is given twice",
                f"once as {found[name]!r} and once as {value!r}",
                "Leave out the one that is not meant.",
            )
    return found


@app.command()
def tasks(json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False) -> None:
    """List the tasks that can be trained, with the columns they need."""
    from backends.formats.shapes import shapes_of
    from backends.registry import TASKS

    if json:
        entries = []
        for task in TASKS:
            of_task = {key: value for key, value in vars(task).items() if key in _TOLD}
            shapes = [shape.needed for shape in shapes_of(task.data)]
            strategies = [{"strategy": way.strategy, "metrics": way.metrics} for way in task.ways]
            entries.append({**asdict(task.data), **of_task, "shapes": shapes, "strategies": strategies})
        show_json(entries)
        return
    show_table(
        ("task", "needs", "metric", "what for"),
        (
            (task.id, ", ".join(task.roles) or "text, or questions with answers", task.metrics[0], task.explanation)
            for task in TASKS
        ),
    )
