"""Commands that start runs: `train`, `demo`, `new`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backends.contract import RunFiles, RunSpec, UsageError, read_spec
from forge_tui.cli import app, open_app
from forge_tui.cli import request as asked
from forge_tui.cli.output import say, show, show_json
from forge_tui.cli.quick import QuickCommand
from forge_tui.finding_lines import grouped
from forge_tui.paths import typed_path

if TYPE_CHECKING:
    from profiles.device import Device


@app.command()
def new(data: Annotated[str | None, typer.Argument(help="A data file to start from.")] = None) -> None:
    """Open the app at the wizard."""
    if data is not None and not os.path.exists(typed_path(data)):
        raise UsageError(f"There is no file {data}", "the path leads nowhere", "Check the path.")
    open_app(wizard_data=data, wizard=True)


@app.command(cls=QuickCommand)
def train(
    spec: Annotated[
        str | None, typer.Argument(help="A spec.toml to run again; else say what with the options.")
    ] = None,
    data: asked.Data = None,
    task: asked.TaskName = None,
    eval_data: asked.EvalData = None,
    map: asked.Map = None,
    strategy: asked.Strategy = None,
    model: asked.ModelName = None,
    method: asked.Method = None,
    set: asked.Settings = None,
    prepare: asked.Prepare = None,
    download: asked.Download = False,
    name: Annotated[str | None, typer.Option(help="A name for the run.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; print the run's id.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Wait in line until no other run is on the device.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events, or the new run, as JSON.")] = False,
) -> None:
    """Start a run and follow it; Ctrl-C leaves it going."""
    from forge_tui.hardware import probe
    from forge_tui.planning import check_spec, plan_run
    from forge_tui.runs.company import when_runs_ended

    hardware = when_runs_ended(probe()) if queue else probe()
    given = {
        "--data": data,
        "--task": task,
        "--eval-data": eval_data,
        "--map": map,
        "--strategy": strategy,
        "--model": model,
        "--method": method,
        "--prepare": prepare,
    }
    if spec is not None:
        both = [option for option, value in {**given, "--set": set}.items() if value]
        if both:
            raise UsageError(
                f"A spec file and {', '.join(both)} do not go together",
                "the spec says all of it already",
                "Change the spec file, or leave it out.",
            )
        wanted = read_spec(typed_path(spec))
        planned = check_spec(replace(wanted, name=name) if name else wanted, hardware)
    elif data is None:
        raise UsageError(
            "There is nothing to train on",
            "neither a spec file nor --data was given",
            "Give one: forge-tui train --data FILE",
        )
    else:
        request = asked.request_of(
            data,
            task=task,
            eval_data=eval_data,
            map=map,
            strategy=strategy,
            model=model,
            method=method,
            set=set,
            prepare=prepare,
            download=download,
            name=name,
        )
        planned = plan_run(request, hardware=hardware)
    for line in grouped(planned.profile.warnings):
        say(f"! {line}")
    roles = ", ".join(f"{role} = {column}" for role, column in planned.spec.columns.items())
    say(f"{planned.task.id} on {planned.profile.usable_rows:,} rows ({roles}) with {planned.spec.model}")
    if planned.plan is not None and planned.plan.hub_model is not None:
        say(f"{planned.spec.model} {planned.plan.hub_model.where}: {planned.plan.hub_model.told}")
    _start_and_follow(planned.spec, detach, json, planned.device, queue)


@app.command()
def demo(
    task: Annotated[str | None, typer.Argument(help="The task to show; default tabular-classification.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; print the run's id.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events, or the new run, as JSON.")] = False,
) -> None:
    """Show the whole way on a bundled sample: no network, no GPU, about a minute."""
    from forge_tui.planning import plan_run
    from forge_tui.samples import demo_request

    planned = plan_run(demo_request(task))
    say(f"demo: {planned.task.title}, on the bundled sample {Path(planned.spec.data).name}")
    _start_and_follow(planned.spec, detach, json)


def _start_and_follow(
    spec: RunSpec, detach: bool, json: bool, device: Device | None = None, queue: bool = False
) -> None:
    from forge_tui.runs.remarks import start_remarks
    from forge_tui.runs.store import start_run

    for remark in start_remarks(None if queue else device, "--queue"):
        say(f"! {remark}")
    files = start_run(spec, device.visible if device is not None else None, queue)
    if detach:
        if json:
            show_json({"id": files.folder.name, "path": str(files.folder)})
        else:
            show(files.folder.name)
        return
    say(f"run {files.folder.name}")
    raise typer.Exit(follow_to_end(files, json))


def follow_to_end(files: RunFiles, json: bool, attempt: int = 1) -> int:
    """Follow an attempt of a run in plain lines until it ends; the exit code tells how. Ctrl-C leaves the run going."""
    from forge_tui.cli.follow import Follower

    return Follower(files, json, attempt).run()
