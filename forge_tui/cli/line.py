"""The command about the queue: who is next, and changing it."""

from __future__ import annotations

from typing import Annotated

import typer

from backends.contract import RunFiles, UsageError, read_json
from forge_tui.cli import app
from forge_tui.cli.output import say, show_json, show_table
from forge_tui.cli.runs import RUN_HELP, Json


@app.command()
def queue(
    run: Annotated[str | None, typer.Argument(help=f"The run to move: {RUN_HELP[0].lower()}{RUN_HELP[1:]}")] = None,
    up: Annotated[bool, typer.Option("--up", help="One place forward.")] = False,
    down: Annotated[bool, typer.Option("--down", help="One place back.")] = False,
    first: Annotated[bool, typer.Option("--first", help="To the front.")] = False,
    last: Annotated[bool, typer.Option("--last", help="To the end.")] = False,
    json: Json = False,
) -> None:
    """List the runs that wait for a device, or move one of them; `stop RUN` takes it out of the line."""
    from forge_tui.paths import forge_home
    from forge_tui.runs.queue import move, waiting_runs
    from forge_tui.runs.store import find_run

    chosen = [places for wanted, places in ((up, -1), (down, 1), (first, -(2**31)), (last, 2**31)) if wanted]
    if len(chosen) > 1 or (run is None) != (not chosen):
        raise UsageError(
            "What to change is not clear",
            "a run and one of --up, --down, --first and --last go together",
            "For example: forge-tui queue last --first",
        )
    if run is not None:
        move(find_run(run), chosen[0])
    waiting = waiting_runs(forge_home())
    if json:
        show_json([_told(files, place) for place, files in enumerate(waiting, 1)])
        return
    if not waiting:
        say("No run waits. A run is queued with: forge-tui train --queue")
        return
    rows = [tuple(str(value) for value in _told(files, place).values()) for place, files in enumerate(waiting, 1)]
    show_table(("place", "name", "waits", "id"), rows)


def _told(files: RunFiles, place: int) -> dict[str, object]:
    from forge_tui.runs.queue import wait_line
    from forge_tui.runs.summary import run_name

    return {"place": place, "name": run_name(files), "waits_for": wait_line(files), "id": files.folder.name}


def waits_in_full(files: RunFiles) -> str:
    """What a queued run waits for, with the names of who comes before."""
    from forge_tui.paths import forge_home
    from forge_tui.runs.queue import runs_ahead, runs_on, wait_reason
    from forge_tui.runs.summary import run_name

    device = (read_json(files.job) or {}).get("device")
    if not isinstance(device, str):
        return wait_reason(files, ())
    before = [*runs_on(forge_home(), device), *runs_ahead(files, device)]
    return wait_reason(files, [run_name(each) for each in before])
