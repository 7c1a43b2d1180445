"""The commands about this machine: `hardware` and `doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from backends.contract import EXIT_FAILED
from forge_tui.cli import app
from forge_tui.cli.output import say, show, show_json, show_table
from forge_tui.cli.quick import QuickCommand


@app.command(cls=QuickCommand)
def hardware(json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False) -> None:
    """Say what this machine has: GPUs and who uses them, CPU, memory, disk, and the hardware profile."""
    from forge_tui.hardware import probe
    from forge_tui.hardware_text import gpu_rows, machine_lines

    found = probe()
    if json:
        show_json(found.to_json())
        return
    header, rows = gpu_rows(found.gpus)
    if rows:
        show_table(header, rows)
        show()
    for line in machine_lines(found):
        show(line, hang=9)
    for problem in found.problems:
        show(f"! {problem}")


@app.command(cls=QuickCommand)
def doctor(json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False) -> None:
    """Say what is installed, what is missing and what to do, for every task and method; 1 if training is impossible."""
    from forge_tui.doctor.examination import examine

    found = examine()
    if json:
        show_json(found.to_json())
    else:
        for check in found.checks:
            show(f"{check.state:<8} {check.area:<10} {check.message}", hang=20)
            if check.fix:
                show(f"{'':<19} fix: {check.fix}", hang=25)
        say(found.summary)
    if not found.ok:
        raise typer.Exit(EXIT_FAILED)
