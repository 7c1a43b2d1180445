"""The command `estimate`: the memory that training a model takes, component by component, and whether it fits."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from backends.contract import EXIT_TOO_LARGE, UsageError
from forge_tui.cli import app
from forge_tui.cli import request as asked
from forge_tui.cli.output import say, show, show_json
from forge_tui.cli.quick import QuickCommand

_WIDEST, _NARROWEST = 110, 60


@app.command(cls=QuickCommand)
def estimate(
    model: Annotated[str | None, typer.Option(help="A name of the catalog, a model folder or preset:NAME.")] = None,
    method: asked.Method = None,
    seq_length: Annotated[str | None, typer.Option("--seq-length", help="Tokens a row (default 512).")] = None,
    batch_size: Annotated[str | None, typer.Option("--batch-size", help="Rows at once (default 8).")] = None,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Make activations again instead of keeping them.")
    ] = False,
    hardware: Annotated[
        str, typer.Option(help="auto, cpu, gpu:24GiB, gpu:2x80GiB, or a file that `hardware --json` printed.")
    ] = "auto",
    task: asked.TaskName = None,
    strategy: asked.Strategy = None,
    set: asked.Settings = None,
    download: Annotated[
        bool, typer.Option("--download", help="Ask the hub about a model that is not known here; a few KB.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say how much memory training takes, by component, whether it fits, and what would make it fit."""
    from forge_tui.cli.data import parse_pairs
    from forge_tui.estimates import EstimateRequest, make_estimate
    from forge_tui.hardware import hardware_for
    from forge_tui.memory_report import change_lines, memory_json, memory_lines

    if model is None:
        raise UsageError("There is nothing to estimate", "no --model was given", "Name one: forge-tui models")
    settings = dict(parse_pairs(set or [], "--set"))
    for name, value in (("max_length", seq_length), ("per_device_train_batch_size", batch_size)):
        if value is not None:
            settings[name] = value
    if gradient_checkpointing:
        settings["gradient_checkpointing"] = "true"
    made = make_estimate(EstimateRequest(model, method, settings, task, strategy, download), hardware_for(hardware))
    if json:
        show_json(memory_json(made.memory))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
        width = min(_WIDEST, max(_NARROWEST, width))
        show(f"{made.model.id} by {made.method} on {made.device.name}")
        bar = "█" if "utf" in (sys.stdout.encoding or "").lower() else "#"
        for line in (*memory_lines(made.memory, width, bar), *change_lines(made.memory, width)):
            show(line)
    if made.memory.verdict == "too-large":
        say(made.advice)
        raise typer.Exit(EXIT_TOO_LARGE)
