"""The command `models`: the catalog in the order that suits a machine, or one model with all that is known of it."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from backends.contract import UsageError, nearest
from forge_tui.cli import app
from forge_tui.cli.output import say, show, show_json, show_table

_LEGEND = (
    "weights: these alone, in 16 bits for language models, in 32 for the others",
    "fit: the method that can train it, a row at a time; slow: on a CPU it takes very long; too large; ?: unknown",
    "*: on this machine; all about one: forge-tui models MODEL",
)


@app.command()
def models(
    model: Annotated[
        str | None, typer.Argument(help="One model: a name of the catalog or the hub, a preset or a local folder.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Only models that are good for this task.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only models of this kind, such as encoder or causal-lm.")] = None,
    hardware: Annotated[
        str, typer.Option(help="Another machine: cpu, gpu:24GiB, gpu:2x80GiB or a file of `hardware --json`.")
    ] = "auto",
    download: Annotated[
        bool, typer.Option("--download", help="Ask the hub about a model that is not known here; a few KB.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the models of the catalog, the best for this machine first, or say all about one."""
    from backends.registry import find_data
    from forge_tui.hardware import hardware_for
    from forge_tui.model_folders import find_any_model, local_folder
    from forge_tui.model_text import HEADER, model_json, model_lines, model_rows
    from profiles.catalog import KINDS, catalog, models_for
    from profiles.catalog_order import ordered, standing
    from profiles.device import choose_device
    from profiles.model_fit import model_fit

    machine = hardware_for(hardware)
    if model is not None:
        if task is not None or kind is not None:
            why = "a model is one, and these options choose among many"
            raise UsageError("A model and --task or --kind do not go together", why, "Leave one of them out.")
        found = find_any_model(model, download)
        stands, folder, fit = standing(found, machine), local_folder(found.id), model_fit(found, machine)
        if json:
            show_json(model_json(found, stands, folder is not None or found.id.startswith("preset:"), fit))
            return
        where = "built in" if found.id.startswith("preset:") else str(folder or "no")
        for line in model_lines(found, stands, where, fit):
            show(line, hang=17)
        return
    if kind is not None and kind not in KINDS:
        raise UsageError(
            f"There is no kind {kind!r:.80}", f"the kinds are {', '.join(KINDS)}", f"Correct it{nearest(kind, KINDS)}."
        )
    wanted = models_for(find_data(task).id) if task is not None else catalog()
    chosen = ordered((each for each in wanted if kind in (None, each.kind)), machine)
    if task is None:
        chosen = tuple(sorted(chosen, key=lambda each: KINDS.index(each.kind)))
    if not chosen:
        why = f"the catalog has {len(wanted)} models for the task, of other kinds"
        raise UsageError(f"No model of kind {kind} is good for {task}", why, "Leave --kind or --task out.")
    device = choose_device(machine)
    rows = [
        (
            each,
            standing(each, machine),
            each.id.startswith("preset:") or local_folder(each.id) is not None,
            model_fit(each, machine, task, device),
        )
        for each in chosen
    ]
    if json:
        show_json([model_json(*row) for row in rows])
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    show_table(HEADER, model_rows(rows, width))
    free = rows[0][1].free_bytes
    say(f"{len(rows)} models; {_room(free, bool(machine.gpus))}")
    for line in _LEGEND:
        say(line)


def _room(free: int | None, has_gpu: bool) -> str:
    from forge_tui.formatting import gibibytes

    where = "on its GPUs" if has_gpu else "in the machine, which has no GPU"
    return "its free memory is unknown" if free is None else f"{gibibytes(free)} GiB are free {where}"
