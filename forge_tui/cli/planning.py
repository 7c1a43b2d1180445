"""The command `plan`: everything a run would be started with, with the reasons, and nothing started."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backends.contract import EXIT_TOO_LARGE, UsageError
from forge_tui.cli import app
from forge_tui.cli import request as asked
from forge_tui.cli.output import say, show, show_json
from forge_tui.cli.quick import QuickCommand

if TYPE_CHECKING:
    from forge_tui.planning import Plan

_WIDEST, _NARROWEST = 110, 60


@app.command(cls=QuickCommand)
def plan(
    data: asked.Data = None,
    task: asked.TaskName = None,
    eval_data: asked.EvalData = None,
    map: asked.Map = None,
    strategy: asked.Strategy = None,
    model: asked.ModelName = None,
    method: asked.Method = None,
    hardware: Annotated[
        str, typer.Option(help="auto, cpu, gpu:24GiB, gpu:2x80GiB, or a file that `hardware --json` printed.")
    ] = "auto",
    set: asked.Settings = None,
    prepare: asked.Prepare = None,
    download: asked.Download = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write the plan to a spec.toml that `train` takes.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Run the trainer for three steps here, and correct the plan by that.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what to train and how, with the reasons: model, method, settings, memory; no run is started."""
    from backends.registry import is_trained
    from forge_tui.hardware import hardware_for
    from forge_tui.paths import typed_path
    from forge_tui.plan_report import plan_json, plan_lines
    from forge_tui.planning import make_plan, spec_of, too_large, with_hub_model
    from forge_tui.spec_files import require_new, write_spec

    if data is None:
        raise UsageError("There is nothing to plan for", "no --data was given", "Give it: forge-tui plan --data FILE")
    if measure and hardware.strip().lower() not in ("auto", "cpu"):
        raise UsageError(
            "Another machine cannot be measured from here",
            f"--hardware {hardware} describes one",
            "Leave --hardware out to measure this machine, or --measure to plan for that one.",
        )
    if output is not None:
        require_new(typed_path(output))
    elsewhere = hardware.strip().lower() not in ("auto", "cpu")
    machine = hardware_for(hardware)  # a mistake in it is told before the data is read
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
    )
    made = make_plan(request, machine)
    if download and not elsewhere:
        made = with_hub_model(made)
    found, before = None, made
    if measure:
        from forge_tui.measured_plan import corrected, measured_json, measured_lines
        from forge_tui.measuring import measure as measure_plan

        found = measure_plan(made, say)
        made = corrected(made, found, machine)
    if json:
        show_json({**plan_json(made), **({"measured": measured_json(before, found)} if found is not None else {})})
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
        for line in plan_lines(made, min(_WIDEST, max(_NARROWEST, width))):
            show(line)
        if found is not None:
            show()
            for line in measured_lines(before, made, found):
                show(line)
        if (
            is_trained(made.task.id, made.recommendation.strategy.id)
            and made.recommendation.is_local
            and not made.is_too_large
            and output is None
        ):
            say("Start it: forge-tui train with the same options. Keep it: -o spec.toml")
    if made.is_too_large:
        error = too_large(made)
        say(f"{error.what}: {error.why}. {error.fix}")
        raise typer.Exit(EXIT_TOO_LARGE)
    if output is not None:
        write_spec(spec_of(made, elsewhere), typed_path(output))
        if elsewhere:
            say(f"Data and model are needed on that machine under the same names: {_places(made)}")
        say(f"Start it{' there' if elsewhere else ''}: forge-tui train {output}")


def _places(made: Plan) -> str:
    """Where a run on another machine looks for its data and its model."""
    from forge_tui.model_choice import download_command
    from forge_tui.paths import data_path, typed_path

    model, places = made.recommendation.model, [str(data_path(made.request.data))]
    if made.request.eval_data is not None:
        places.append(str(data_path(made.request.eval_data)))
    if not model.id.startswith("preset:"):
        is_folder = typed_path(model.id).is_dir()
        places.append(model.id if is_folder else f"{model.id} (by {download_command(model)})")
    return ", ".join(places)
