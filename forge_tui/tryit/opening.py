"""Which screen asks the model of a run, and why none does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.contract import ForgeError, RunFiles, RunSpec, UsageError, read_spec
from backends.registry import find_data, find_task
from forge_tui.runs.status import Status, condition
from forge_tui.tryit.room import has_model

if TYPE_CHECKING:
    from textual.screen import Screen

    from forge_tui.tryit.conversation import Drawing


def require_model(files: RunFiles) -> RunSpec:
    """The spec of a run that has ended and left a model; raises ForgeError for any other."""
    spec = read_spec(files.spec)
    status = condition(files).status
    if status is Status.FINISHED and not has_model(files):
        again = f"Train it again: forge-tui train {files.spec}"
        raise ForgeError(f"The model of {spec.name} is gone", f"there is no model in {files.model}", again)
    if status.is_alive or not has_model(files):
        fix = "Wait for its end." if status.is_alive else f"Go on with it: forge-tui resume {files.folder.name}"
        raise ForgeError(f"{spec.name} has no model yet", f"the run {status.told}", fix)
    return spec


def asking_screen(files: RunFiles, drawing: Drawing | None = None, leaves_app: bool = False) -> Screen[None]:
    """The screen for the model of a run; raises ForgeError where there is nothing to ask."""
    spec = require_model(files)
    if spec.task == "text-generation":
        from forge_tui.screens.chat import ChatScreen

        return ChatScreen(files, spec, find_data(spec.task), drawing, leaves_app)
    from forge_tui.screens.try_it import TryItScreen

    task = find_task(spec.task, spec.strategy)
    if not task.is_tabular and not any(role in spec.columns for role in task.data.asked_roles):
        why = f"nothing says which texts a model for {task.id} reads"
        raise UsageError(f"{spec.name} cannot be asked here", why, "Ask it from the shell: forge-tui predict")
    return TryItScreen(files, spec, task)
