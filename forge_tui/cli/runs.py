"""Commands about runs that exist: list, show, watch, logs, stop, checkpoint, resume, delete."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated

import typer

from backends.contract import EXIT_FAILED, EXIT_INTERRUPTED, RunFiles, UsageError
from forge_tui.cli import app, open_app
from forge_tui.cli.output import say, score, scores, show, show_json, show_table

RUN_HELP = "An id, the beginning of one, a name, or 'last'."
Run = Annotated[str, typer.Argument(help=RUN_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
_LOOK_SECONDS = 0.2
_ID_PREFIX = len("20260102-030405")


@app.command()
def runs(json: Json = False) -> None:
    """List all runs, newest first."""
    from forge_tui.runs.store import list_runs
    from forge_tui.runs.summary import summarise_run

    summaries = [summarise_run(files) for files in list_runs()]
    if json:
        show_json([summary.to_json() for summary in summaries])
        return
    if not summaries:
        say("There are no runs yet. Start one: forge-tui demo")
        return
    rows = []
    for run in summaries:
        share = run.progress
        result = scores(run.metrics, 2) if run.error is None else str(run.error.get("what"))
        result = run.waits_for or result
        rows.append((run.name, run.task or "?", run.status, "" if share is None else f"{share:.0%}", result, run.id))
    if sys.stdout.isatty():  # there the names are enough to tell runs apart, or the beginnings of their ids
        names = [row[0] for row in rows]
        told = [(row[0] if names.count(row[0]) == 1 else row[-1][:_ID_PREFIX], *row[1:-1]) for row in rows]
        show_table(("run", "task", "status", "done", "result"), told, shrink=(4, 0, 1))
        return
    show_table(("name", "task", "status", "done", "result", "id"), rows)


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN ...", help=RUN_HELP)], json: Json = False
) -> None:
    """Show runs beside each other: their scores, and the settings in which they differ."""
    from backends.contract import UsageError
    from forge_tui.runs.comparing import compare_runs
    from forge_tui.runs.store import find_run

    if len(runs) < 2:
        raise UsageError("There is nothing to compare", "one run was named", "Name two or more: forge-tui compare A B")
    summaries, scores, differing = compare_runs([find_run(run) for run in runs])
    if json:
        settings = {name: dict(zip((run.id for run in summaries), values, strict=True)) for name, values in differing}
        show_json({"runs": [run.to_json() for run in summaries], "differing": settings})
        return
    rows = [(name, *(value or "-" for value in values)) for name, values in (*scores, *differing)]
    show_table(("", *(run.name for run in summaries)), rows)


@app.command(name="show")
def show_run(
    run: Run,
    mistakes: Annotated[
        bool, typer.Option("--mistakes", help="Also what its mistakes are made of, and the worst of them to read.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many rows to read.")] = 20,
    json: Json = False,
) -> None:
    """Show one run: state, scores against the baseline, where its files are; its mistakes if you ask."""
    from forge_tui.cli.line import waits_in_full
    from forge_tui.runs.store import find_run
    from forge_tui.runs.summary import summarise_run

    files = find_run(run)
    summary = summarise_run(files)
    if json:
        from forge_tui.cli.mistakes import mistakes_json

        show_json({**summary.to_json(), **(mistakes_json(files, limit) if mistakes else {})})
        return
    show(f"{summary.name}   {summary.task}   {summary.model}   {summary.method}")
    show(f"status    {summary.status}" + (f", {waits_in_full(files)}" if summary.waits_for else ""))
    if summary.step is not None:
        show(f"step      {summary.step:,} of {summary.total_steps or '?'}")
    show(f"started   {summary.started or 'unknown'}   ended {summary.ended or 'not yet'}")
    for name, value in summary.metrics.items():
        other = summary.baseline.get(name)
        beside = "" if other is None else f"   {summary.baseline_name} {score(other)} ({value - other:+.4f})"
        show(f"{name:<16} {score(value)}{beside}")
    for key in ("what", "why", "fix"):
        if summary.error and summary.error.get(key):
            show(f"{key:<9} {summary.error[key]}")
    show(f"files     {summary.path}")
    if mistakes:
        from forge_tui.cli.mistakes import show_mistakes

        show_mistakes(files, limit)


@app.command()
def watch(
    run: Annotated[
        str, typer.Argument(help=f"{RUN_HELP[:-1]}; or a trainer_state.json or a log of JSON lines of another trainer.")
    ],
    once: Annotated[bool, typer.Option("--once", help="Print the monitor as plain text and end.")] = False,
) -> None:
    """Open the live monitor of a run, or of the log of another trainer."""
    from forge_tui.paths import typed_path
    from forge_tui.runs.store import find_run
    from forge_tui.runs.subject import LogSubject, RunSubject

    path = typed_path(run)
    is_path = os.sep in run or path.is_file()
    subject = LogSubject(path) if is_path else RunSubject(find_run(run))
    if once:
        from forge_tui.screens.printed import printed_monitor

        for line in printed_monitor(subject).splitlines():
            show(line)
    elif is_path:
        open_app(log=str(path))
    else:
        open_app(run_id=subject.files.folder.name)


@app.command()
def logs(
    run: Run,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines arrive, until the run ends.")] = False,
) -> None:
    """Print what the trainer wrote, as plain text."""
    from forge_tui.runs.status import condition
    from forge_tui.runs.store import find_run
    from forge_tui.runs.tail import LineTail

    files = find_run(run)
    tail = LineTail(files.log)
    try:
        while True:
            alive = follow and condition(files).status.is_alive
            while True:
                for line in tail.read():
                    show(line.decode("utf-8", errors="replace"))
                if not tail.behind:
                    break
            if not alive:
                break
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if tail.unfinished:
        show(tail.unfinished.decode("utf-8", errors="replace"))


@app.command()
def stop(
    run: Run, now: Annotated[bool, typer.Option("--now", help="Kill what has not stopped after 5 s.")] = False
) -> None:
    """Save a checkpoint and stop; waits until it is done and never kills unless told to."""
    from forge_tui.runs.control import request_stop
    from forge_tui.runs.status import Status, condition
    from forge_tui.runs.store import find_run

    files = find_run(run)
    waits = condition(files).status is Status.QUEUED
    request_stop(files, now)
    after = "killing after 5 s" if now else "Ctrl-C stops waiting, not the stop"
    say("leaving the line" if waits else f"stopping after the present step; {after}")
    try:
        while condition(files).status.is_alive:
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    step = _newest_checkpoint(files)
    kept = f"checkpoint {step} is kept; go on with: forge-tui resume {files.folder.name}" if step else "no checkpoint"
    say(f"{condition(files).status}; {kept}")


@app.command()
def checkpoint(run: Run) -> None:
    """Ask for a checkpoint after the present step and wait until it is saved."""
    from backends.contract import ForgeError
    from forge_tui.runs.control import request_checkpoint
    from forge_tui.runs.status import condition
    from forge_tui.runs.store import find_run

    files = find_run(run)
    before = _newest_checkpoint(files)
    request_checkpoint(files)
    try:
        while condition(files).status.is_alive:
            if (step := _newest_checkpoint(files)) != before:
                say(f"checkpoint {step} is saved")
                return
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if (step := _newest_checkpoint(files)) != before:
        say(f"checkpoint {step} is saved")
        return
    why = f"the run {condition(files).status.told} now"
    raise ForgeError("No checkpoint was saved", why, "See: forge-tui show RUN")


def _newest_checkpoint(files: RunFiles) -> int | None:
    """The step of the newest sealed checkpoint."""
    steps = [int(seal.parent.name.rpartition("-")[2]) for seal in files.checkpoints.glob("checkpoint-*/forge.json")]
    return max(steps, default=None)


@app.command()
def resume(
    run: Run,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Wait in line until no other run is on the device.")] = False,
    json: Json = False,
) -> None:
    """Go on with a run that ended before its time, from its last checkpoint, and follow it."""
    from forge_tui.cli.training import follow_to_end
    from forge_tui.runs.control import resume_run
    from forge_tui.runs.store import find_run

    files = find_run(run)
    step = _newest_checkpoint(files)
    attempt = resume_run(files, queue)
    say(f"attempt {attempt} " + (f"goes on from step {step}" if step else "starts from the beginning: no checkpoint"))
    if detach:
        return
    raise typer.Exit(follow_to_end(files, json, attempt))


@app.command()
def delete(run: Run, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete a run with its checkpoints and its model."""
    from forge_tui.runs.control import delete_run
    from forge_tui.runs.store import find_run
    from forge_tui.runs.summary import run_name

    files = find_run(run)
    if not yes:
        try:
            is_meant = typer.confirm(f"Delete {run_name(files)} ({files.folder.name}) with its checkpoints and model?")
        except typer.Abort:
            raise UsageError("Nothing was deleted", "nobody said whether that is meant", "Say so: --yes") from None
        if not is_meant:
            say("nothing was deleted")
            raise typer.Exit(EXIT_FAILED)
    delete_run(files)
    say(f"deleted {files.folder.name}")
