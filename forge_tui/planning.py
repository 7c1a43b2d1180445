"""From what a person asked for to a complete run spec: data checked, roles filled, settings chosen with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.contract import (
    SETTING_ALIASES,
    DataError,
    DatasetProfile,
    PreparationOptions,
    RunSpec,
    UsageError,
    nearest,
    parse_settings,
)
from backends.formats.check_request import CheckRequest
from backends.formats.checks import check
from backends.registry import PRESETS, Task, find_task
from forge_tui.paths import data_path, typed_path
from profiles.starting_settings import starting_settings


@dataclass(frozen=True)
class Request:
    """What was asked for; everything but the data may be left to the program."""

    data: str
    task: str | None = None
    eval_data: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    method: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    eval_part: str | None = None
    preparation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """A spec that can be started, and what was found out on the way."""

    spec: RunSpec
    profile: DatasetProfile
    task: Task


def check_request(request: Request) -> DatasetProfile:
    """What the data desk says of the data of a request."""
    return check(
        CheckRequest(
            path=data_path(request.data),
            task=request.task,
            columns=request.columns,
            eval_path=data_path(request.eval_data) if request.eval_data is not None else None,
            eval_part=request.eval_part,
            preparation=parse_settings(PreparationOptions, request.preparation, "preparation"),
        )
    )


def plan_run(request: Request, profile: DatasetProfile | None = None) -> Planned:
    """Check the data and complete the request.

    Raises UsageError for a wrong request and DataError, with every finding, for data no run could use.
    """
    path = data_path(request.data)
    if request.task is not None:
        find_task(request.task)  # a task that is not trained is told before the data is read
    profile = profile or check_request(request)
    if not profile.ok:
        raise _data_error(profile)
    assert profile.task is not None, "a profile without errors has a task"
    task = find_task(profile.task)
    eval_path = str(data_path(request.eval_data)) if request.eval_data is not None else None
    method = request.method or task.methods[0]
    if method not in task.methods:
        raise UsageError(
            f"{task.id} has no method {method!r}",
            f"its methods are {', '.join(task.methods)}",
            f"Correct it{nearest(method, task.methods)}.",
        )
    model = _model(request.model or task.default_model, task)
    if method == "lora" and model.startswith("preset:"):
        raise UsageError(
            f"LoRA cannot train {model}",
            "it starts from random weights, and LoRA adapts weights that already know something",
            "Use --method full, or give a pretrained model folder with --model.",
        )
    chosen = starting_settings(task, method, model, profile)
    settings = {name: setting.value for name, setting in chosen.items()}
    reasons = {name: setting.reason for name, setting in chosen.items()}
    given = {name: value for name, value in request.settings.items() if value is not None}
    typed = vars(parse_settings(task.options, given))
    for name in given:
        name = SETTING_ALIASES.get(name, name)
        settings[name] = typed[name]
        reasons[name] = "you chose it"
    return Planned(
        RunSpec(
            name=request.name or path.stem,
            task=task.id,
            method=method,
            model=model,
            data=str(path),
            eval_data=eval_path,
            columns=dict(profile.columns),
            eval_part=request.eval_part or (None if eval_path else profile.evaluation_part),
            preparation=dict(request.preparation),
            settings={name: value for name, value in settings.items() if value is not None},
            reasons=reasons,
        ),
        profile,
        task,
    )


def check_spec(spec: RunSpec) -> Planned:
    """Check a spec that was written before, as strictly as a request; its settings are kept as they are."""
    request = Request(
        data=spec.data,
        task=spec.task,
        eval_data=spec.eval_data,
        columns=spec.columns,
        model=spec.model,
        method=spec.method,
        settings=spec.settings,
        name=spec.name,
        eval_part=spec.eval_part,
        preparation=spec.preparation,
    )
    planned = plan_run(request)
    parse_settings(planned.task.options, spec.settings)
    kept = {
        "settings": dict(spec.settings),
        "reasons": dict(spec.reasons),
        "estimate": dict(spec.estimate),
        "strategy": spec.strategy,
    }
    return Planned(RunSpec(**{**vars(planned.spec), **kept}), planned.profile, planned.task)


def _data_error(profile: DatasetProfile) -> DataError:
    first = profile.errors[0]
    more = f" ({len(profile.errors) - 1} more)" if len(profile.errors) > 1 else ""
    return DataError(
        f"{Path(profile.path).name} cannot be trained on",
        f"{first.where}: {first.message}{more}",
        first.fix,
        first.where,
        profile.errors,
    )


def _model(wanted: str, task: Task) -> str:
    if wanted in task.models:
        return wanted
    presets = ", ".join(f"{name} ({PRESETS[name]})" for name in task.models)
    if wanted.startswith("preset:"):
        raise UsageError(
            f"{task.id} has no preset {wanted!r}", f"it has {presets}", f"Correct it{nearest(wanted, task.models)}."
        )
    if not task.accepts_model_folder:
        raise UsageError(f"{task.id} is not trained from {wanted!r}", f"it has {presets}", "Leave --model out.")
    folder = typed_path(wanted).absolute()
    if not folder.is_dir():
        raise UsageError(
            f"There is no model folder {wanted!r}",
            "a model is a preset or a local folder with config.json, weights and tokenizer",
            f"Check the path, or choose {presets}.",
        )
    if not (folder / "config.json").is_file():
        raise UsageError(
            f"{folder} holds no model", "there is no config.json in it", "Give the folder of a Transformers model."
        )
    return str(folder)
