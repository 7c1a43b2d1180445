"""From what a person asked for to a plan: data checked, strategy, model, method and settings chosen with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backends.contract import EXIT_TOO_LARGE, DataError, DatasetProfile, ForgeError, RunSpec, UsageError, nearest
from backends.formats.check_request import CheckRequest
from backends.formats.checks import check
from backends.formats.hub_transport import forbidden_by
from backends.options import SETTING_ALIASES, PreparationOptions, convert_value, parse_settings
from backends.registry import Task, TaskData, find_data, find_task, is_trained
from forge_tui.finding_lines import grouped
from forge_tui.hub_model import HubModel, hub_model, is_on_hub
from forge_tui.model_choice import is_local, named_model, training_source
from forge_tui.paths import data_path
from forge_tui.plan_sizes import RowCounts, disk_bytes, download_bytes, length_warning, row_counts, total_steps
from forge_tui.plan_time import PlanTime, plan_time
from profiles.alternatives import HERE, MAKES_IT_FIT
from profiles.catalog import Model
from profiles.catalog_order import TOO_LARGE
from profiles.device import Device, choose_device
from profiles.fitting_settings import fitted_settings, with_memory
from profiles.hardware import Hardware
from profiles.options import gib
from profiles.plan_memory import PlanMemory
from profiles.recommend import Recommendation, Wishes, recommend
from profiles.starting_settings import Setting, known_settings
from profiles.strategies import HEAD, SORTING, find_strategy, too_few_steps

_SLOW_ON_CPU = 1_000_000_000  # parameters; beyond it a step takes minutes, whatever the method
_NOT_LOOKED_AT = Device("unknown device", None, None, "", "the machine was not looked at")


class TooLargeError(ForgeError):
    """What was asked for cannot fit the device."""

    exit_code = EXIT_TOO_LARGE


@dataclass(frozen=True)
class Request:
    """What was asked for; everything but the data may be left to the program.

    `download` says whether the hub may be asked about a model that is not known here, or downloaded from it though
    the person did not name it; `revision` is that of a model of the hub.
    """

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
    strategy: str | None = None
    download: bool = False
    revision: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that was decided for a request, with the reasons, for a task that this version trains or not.

    `needed_bytes` are those on the disk; what is not known is None. `hub_model` is there once the hub was asked for
    the model.
    """

    request: Request
    profile: DatasetProfile
    task: TaskData
    device: Device
    recommendation: Recommendation
    settings: Mapping[str, Setting]
    rows: RowCounts
    steps: int | None
    memory: PlanMemory
    time: PlanTime
    needed_bytes: int | None
    free_bytes: int | None
    warnings: tuple[str, ...]
    hub_model: HubModel | None = None

    @property
    def is_too_large(self) -> bool:
        """Whether it takes more than the device has free, by the estimate or by the weights alone."""
        return TOO_LARGE in (self.memory.verdict, self.recommendation.verdict)


@dataclass(frozen=True)
class Planned:
    """A spec that can be started, and what was found out on the way."""

    spec: RunSpec
    profile: DatasetProfile
    task: Task
    device: Device = _NOT_LOOKED_AT
    plan: Plan | None = None


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


def make_plan(request: Request, hardware: Hardware | None = None, profile: DatasetProfile | None = None) -> Plan:
    """Check the data and decide everything the request leaves open; without `hardware` no memory is known.

    Raises UsageError for a wrong request and DataError, with every finding, for data no run could use.
    """
    data_path(request.data)
    task_id = request.task
    if task_id is None and request.strategy is not None:
        task_id = find_strategy(request.strategy).task
    if task_id is not None:
        find_data(task_id)  # a wrong name is told before the data is read
    profile = profile or check_request(replace(request, task=task_id))
    if not profile.ok:
        raise _data_error(profile)
    assert profile.task is not None, "a profile without errors has a task"
    task = find_data(profile.task)
    device = choose_device(hardware) if hardware is not None else _NOT_LOOKED_AT
    model = named_model(request.model, task.id, request.download) if request.model is not None else None
    wishes = Wishes(request.strategy, model, request.method, no_download=forbidden_by("model") is not None)
    found = recommend(task.id, profile, device, wishes, is_local)
    settings = {**found.settings, **_own_settings(request, task, found)}
    if is_trained(task.id, found.strategy.id):
        options = find_task(task.id, found.strategy.id).options
        parse_settings(options, {name: each.value for name, each in settings.items()})
    too_long = length_warning(found.model, {name: settings[name].value for name in _own_names(request)})
    settings, memory = fitted_settings(found, settings, _own_names(request), profile, device)
    found = with_memory(found, memory)
    values = {name: each.value for name, each in settings.items()}
    stratified = task.label_role is not None and not task.numeric_label
    rows = row_counts(profile, request.preparation, values, stratified)
    needed = disk_bytes(found.model, found.method.id, found.is_local)
    free = hardware.disk_free_bytes if hardware is not None else None
    steps = total_steps(values, rows.train)
    return Plan(
        request=replace(request, task=task_id),
        profile=profile,
        task=task,
        device=device,
        recommendation=found,
        settings=settings,
        rows=rows,
        steps=steps,
        memory=memory,
        time=plan_time(found, values, profile, rows, steps, device, hardware),
        needed_bytes=needed,
        free_bytes=free,
        warnings=(
            *grouped(profile.warnings),
            *((too_long,) if too_long is not None else ()),
            *_warnings(task, found, hardware, needed, free, steps),
        ),
    )


def plan_run(request: Request, profile: DatasetProfile | None = None, hardware: Hardware | None = None) -> Planned:
    """The plan of a request as a spec that can be started.

    Raises UsageError for a wrong request, DataError for data no run could use, and TooLargeError.
    """
    data_path(request.data)
    if request.task is not None:
        find_task(request.task, request.strategy)  # a task that is not trained is told before the data is read
    plan = make_plan(request, hardware, profile)
    if plan.is_too_large:
        raise too_large(plan)
    if request.model is not None or request.download:
        plan = with_hub_model(plan)
    spec = spec_of(plan)
    return Planned(spec, plan.profile, find_task(plan.task.id, spec.strategy), plan.device, plan)


def spec_of(plan: Plan, elsewhere: bool = False) -> RunSpec:
    """What `train` starts for a plan, here or `elsewhere`, where the model need not be on this machine.

    Raises UsageError for a task that this version does not train, and for a model that is not where it is needed.
    """
    request, found, hub = plan.request, plan.recommendation, plan.hub_model
    task = find_task(plan.task.id, found.strategy.id)
    eval_path = str(data_path(request.eval_data)) if request.eval_data is not None else None
    path = data_path(request.data)
    duration = plan.time.duration
    estimate = {
        "weights_bytes": found.weights_bytes,
        "total_bytes": plan.memory.total_bytes,
        "training_seconds": round(duration.worked_out, 3) if duration is not None else None,
    }
    return RunSpec(
        name=request.name or path.stem,
        task=task.id,
        method=found.method.id,
        model=found.model.id if hub is not None else training_source(found.model, task.id, elsewhere, _here(found)),
        data=str(path),
        eval_data=eval_path,
        columns=dict(plan.profile.columns),
        eval_part=request.eval_part or (None if eval_path else plan.profile.evaluation_part),
        preparation=dict(request.preparation),
        settings={name: each.value for name, each in plan.settings.items() if each.value is not None},
        reasons={name: each.reason for name, each in plan.settings.items()},
        estimate={name: value for name, value in estimate.items() if value is not None},
        strategy=found.strategy.id,
        revision=hub.revision if hub is not None else None,
        download_bytes=hub.total_bytes if hub is not None else None,
    )


def _here(found: Recommendation) -> Model | None:
    """The best of the models that are on this machine already."""
    return next((each.model for each in found.alternatives if each.label == HERE), None)


def with_hub_model(plan: Plan) -> Plan:
    """The plan with what the hub says of its model, where that is not on this machine; else the same plan.

    Raises UsageError when the model cannot be downloaded.
    """
    found, wanted = plan.recommendation, plan.request.revision
    if not is_on_hub(found.model, found.is_local, wanted):
        return plan
    hub = hub_model(found.model, plan.task.id, wanted)
    guessed = download_bytes(found.model, found.is_local)
    needed = None if plan.needed_bytes is None or guessed is None else plan.needed_bytes - guessed + hub.missing_bytes
    return replace(plan, hub_model=hub, needed_bytes=needed)


def too_large(plan: Plan) -> TooLargeError:
    """Why a plan cannot be carried out, and what can be done."""
    found, device = plan.recommendation, plan.device
    counted, weights = sum(plan.memory.components.values()), found.weights_bytes or 0
    alone = weights > (device.free_bytes or 0) or not counted
    needed = f"its weights alone take {gib(weights)}" if alone else f"it takes about {gib(counted)}"
    smaller = [each for each in found.alternatives if each.model is not None and each.label != MAKES_IT_FIT]
    instead = [f"--model {each.model.id} --method {each.method}" for each in smaller if each.model is not None]
    fix = f"Choose a smaller model, such as {instead[0]}." if instead else "Free memory, or use a larger machine."
    if plan.memory.cheapest is not None:
        fix = f"It fits with {plan.memory.cheapest.what}, {gib(plan.memory.cheapest.total_bytes)}. {fix}"
    return TooLargeError(
        f"{found.model.id} by {found.method.id} does not fit {device.name}",
        f"{needed}, and {gib(device.free_bytes or 0)} are free",
        fix,
    )


def check_spec(spec: RunSpec, hardware: Hardware | None = None) -> Planned:
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
        # A spec that names no strategy is from a head: a plan of today would take the words of labels for a decoder.
        strategy=spec.strategy or (HEAD if spec.task == SORTING else None),
        download=spec.revision is not None,
        revision=spec.revision,
    )
    planned = plan_run(request, hardware=hardware)
    parse_settings(planned.task.options, spec.settings)
    kept = replace(
        planned.spec,
        settings=dict(spec.settings),
        reasons=dict(spec.reasons),
        estimate=dict(spec.estimate),
        strategy=spec.strategy,
    )
    return replace(planned, spec=kept)


def _own_settings(request: Request, task: TaskData, found: Recommendation) -> dict[str, Setting]:
    """The settings that the person chose, each checked as well as is possible."""
    given = {name: value for name, value in request.settings.items() if value is not None}
    typed: dict[str, Any]
    if is_trained(task.id, found.strategy.id):
        typed = dict(vars(parse_settings(find_task(task.id, found.strategy.id).options, given)))
    else:
        typed = {SETTING_ALIASES.get(name, name): _as_known(name, value, task, found) for name, value in given.items()}
    names = (SETTING_ALIASES.get(name, name) if name not in typed else name for name in given)
    return {name: Setting(typed[name], "you chose it") for name in names}


def _own_names(request: Request) -> frozenset[str]:
    """The names of the settings that the person chose."""
    return frozenset(SETTING_ALIASES.get(name, name) for name, value in request.settings.items() if value is not None)


def _as_known(name: str, value: Any, task: TaskData, found: Recommendation) -> Any:
    """A setting of a task that is not trained yet: its name must stand in a rule, its value be of the same kind."""
    known = known_settings(task.id)
    name = SETTING_ALIASES.get(name, name)
    if name not in known:
        raise UsageError(
            f"There is no setting {name!r} for {task.id}",
            f"there are {', '.join(known)}",
            f"Correct the name{nearest(name, tuple(known))}.",
        )
    example = found.settings[name].value if name in found.settings else known[name]
    parsed = convert_value(type(example), value)
    if parsed is None:
        raise UsageError(
            f"{name} = {value!r} is not possible", f"it must be of the kind of {example!r}", "Give another value."
        )
    return parsed


def _warnings(
    task: TaskData,
    found: Recommendation,
    hardware: Hardware | None,
    needed: int | None,
    free: int | None,
    steps: int | None,
) -> Iterator[str]:
    yield from found.warnings
    short = too_few_steps(found.strategy.id, steps)
    if short is not None:
        yield short
    if not is_trained(task.id, found.strategy.id):
        how = f" by {found.strategy.id}" if is_trained(task.id) else ""
        yield f"this version cannot train {task.id}{how} yet: the plan is for reading only"
    elif not found.is_local:
        size = download_bytes(found.model, False)
        told = f", {gib(size)} or more" if size else ""
        yield f"{found.model.id} is not on this machine: a run downloads it from the hub first{told}"
    if needed is not None and free is not None and needed > free:
        yield f"the disk has {gib(free)} free where runs are kept, and this takes about {gib(needed)}"
    if hardware is not None:
        parameters = found.model.parameters or 0
        if not hardware.gpus and parameters > _SLOW_ON_CPU:
            yield f"{found.model.id} has {parameters / 1e9:.1f} billion parameters: a step takes very long on a CPU"
        if len(hardware.gpus) > 1:
            yield f"a run uses one GPU; this machine has {len(hardware.gpus)}"
        yield from hardware.problems


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
