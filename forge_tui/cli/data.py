"""Commands that look at data and tasks: `check`, `tasks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from backends.contract import EXIT_DATA, UsageError
from forge_tui.cli import app
from forge_tui.cli.output import say, show, show_json, show_table
from forge_tui.finding_lines import grouped
from forge_tui.paths import typed_path

MAP_HELP = "Which column plays which role, as role=column; repeat for each role."


def parse_pairs(pairs: list[str] | None, option: str) -> dict[str, str]:
    """`name=value` options as a mapping."""
    found = {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise UsageError(
                f"{option} {pair!r} is not name=value", "there is no '=' in it", f"Write {option} name=value"
            )
        found[name.strip()] = value.strip()
    return found


@app.command()
def check(
    data: Annotated[str, typer.Argument(help="A CSV, TSV, JSON, JSONL or Parquet file.")],
    task: Annotated[str | None, typer.Option(help="The task to check for; otherwise the likeliest.")] = None,
    map: Annotated[list[str] | None, typer.Option("--map", help=MAP_HELP)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what a data file is, what it is for and everything that is wrong with it."""
    from backends.formats.checks import check_data

    profile = check_data(typed_path(data), task, parse_pairs(map, "--map"))
    if json:
        show_json(profile.to_json())
    else:
        facts = [profile.format, profile.encoding, f"{profile.rows:,} rows" if profile.rows is not None else None]
        show(f"{Path(data).name}: {', '.join(fact for fact in facts if fact) or 'not readable as a table'}")
        if task is not None:
            show(f"task: {task}, as you asked")
        for number, proposal in enumerate(profile.proposals if task is None else ()):
            show(f"{'task' if not number else '  or'}: {proposal.task}, because {proposal.reason}")
        for role, column in profile.columns.items():
            show(f"{role} = {column}")
        if profile.ok:
            show(f"{profile.usable_rows:,} rows can be used")
        _show_statistics(profile.stats)
        for line in grouped(profile.errors):
            show(f"✗ {line}")
        for line in grouped(profile.warnings):
            show(f"! {line}")
        say("A run can start on this data." if profile.ok else "No run can start on this data yet.")
    if not profile.ok:
        raise typer.Exit(EXIT_DATA)


def _show_statistics(stats: Mapping[str, Any]) -> None:
    labels = stats.get("labels") or {}
    if labels:
        show("label rows: " + ", ".join(f"{label} {count:,}" for label, count in list(labels.items())[:12]))
        if stats["label_count"] > 12:
            show(f"  and {stats['label_count'] - 12:,} more classes")
    lengths = stats.get("lengths")
    if lengths:
        show(
            f"length in tokens (about): half under {lengths['median']}, 95% under {lengths['p95']}, "
            f"longest {lengths['longest']:,}"
        )
    features = stats.get("features")
    if features:
        show(
            f"learns from {len(features)} columns: {', '.join(list(features)[:12])}{' …' if len(features) > 12 else ''}"
        )


@app.command()
def tasks(json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False) -> None:
    """List the tasks that can be trained, with the columns they need."""
    from backends.registry import TASKS

    if json:
        entries = []
        for task in TASKS:
            of_task = {key: value for key, value in asdict(task).items() if key not in ("options", "module", "data")}
            entries.append({**asdict(task.data), **of_task})
        show_json(entries)
        return
    show_table(
        ("task", "needs", "metric", "what for"),
        ((task.id, ", ".join(task.roles), task.metrics[0], task.explanation) for task in TASKS),
    )
