"""The model that a person named: a preset, a folder, or a name of the catalog, on this machine or not."""

from __future__ import annotations

import shlex

from backends.contract import UsageError, nearest
from backends.formats.hub_transport import forbidden_by
from backends.registry import PRESETS, TASKS
from forge_tui.model_folders import find_any_model, local_folder
from forge_tui.paths import typed_path
from forge_tui.whole_models import check_model_folder
from profiles.catalog import Model, bytes_to_download, find_model, near_models
from profiles.options import gib


def named_model(wanted: str, task: str, download: bool = False) -> Model:
    """The model of that name for a task; `download` allows to ask the hub what it is.

    Raises UsageError with what is possible, and for a folder from which no training can start.
    """
    model = _named(wanted, task, download)
    folder = None if model.id.startswith("preset:") else local_folder(model.id)
    if folder is not None:
        check_model_folder(folder, task)
    return model


def _named(wanted: str, task: str, download: bool) -> Model:
    trained = next((each for each in TASKS if each.id == task), None)
    presets = trained.models if trained is not None else ()
    if wanted in presets:
        return find_model(wanted)
    has = ", ".join(f"{name} ({PRESETS[name]})" for name in presets)
    if wanted.startswith("preset:"):
        fix = f"Correct it{nearest(wanted, presets)}." if presets else "Choose another model, or leave --model out."
        raise UsageError(f"{task} has no preset {wanted!r}", f"it has {has or 'none'}", fix)
    if trained is not None and not trained.accepts_model_folder:
        raise UsageError(f"{task} is not trained from {wanted!r}", f"it has {has}", "Leave --model out.")
    if trained is None or typed_path(wanted).exists():
        return find_any_model(wanted, download)
    try:
        return find_any_model(wanted, download)
    except UsageError:
        near = f", {', '.join(near_models(wanted))}" if near_models(wanted) else ""
        raise UsageError(
            f"There is no model folder {wanted!r}, and no known model of that name",
            "a model is a preset, a local folder with config.json, weights and tokenizer, or a name of the catalog",
            f"Check the path, or choose {has}{near}.",
        ) from None


def is_local(model: Model) -> bool:
    """Whether training can start without a download."""
    return model.id.startswith("preset:") or local_folder(model.id) is not None


def source_of(model: Model) -> str:
    """Where a model comes from: the preset, its folder on this machine, or its name on the hub."""
    folder = None if model.id.startswith("preset:") else local_folder(model.id)
    return model.id if folder is None else str(folder)


def training_source(model: Model, task: str, elsewhere: bool = False, instead: Model | None = None) -> str:
    """What a spec says of a model: the preset or its folder, or its name where the run is for another machine.

    Raises UsageError when it is to run here and is not here, with what can be trained; `instead` is a model that is.
    """
    if elsewhere:
        return model.id
    if is_local(model):
        return source_of(model)
    presets = next((each.models for each in TASKS if each.id == task), ())
    forbidden, size = forbidden_by("model"), bytes_to_download(model)
    here = [f"--model {instead.id}, which is on this machine"] if instead is not None else []
    here += [f"--model {name}, {PRESETS[name]}" for name in presets[:1]]
    here += [f"or {', '.join(presets[1:])}"] if presets[1:] else []
    without = f"Without a download: {'; '.join(here) or '--model FOLDER'}."
    if forbidden is not None:
        raise UsageError(
            f"{model.id} is not on this machine",
            f"{forbidden} is set, so that nothing is downloaded, and no pretrained model for {task} is here",
            f"{without} Or unset {forbidden}, or give the folder of a model with --model.",
        )
    raise UsageError(
        f"{model.id} is not on this machine",
        "you did not name it, and nothing is downloaded unasked",
        f"To download it{f', {gib(size)} or more' if size else ''}: --model {model.id}, or --download; "
        f"on another machine: {download_command(model)}. {without}",
    )


def download_command(model: Model) -> str:
    """How a model of the hub is fetched, by the command that comes with Transformers."""
    return f"hf download {shlex.quote(model.id)}"
