"""What to train and how: strategy, model, method and settings for a task, its data and a machine, each with its reason.

What is recommended fits the device by the estimate of memory with its margin, one row at a time, as far as there is
such a model; where the layers of a network are not known, only its weights are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from backends.contract import DatasetProfile, UsageError
from backends.registry import TASKS, find_task, is_trained
from profiles.alternatives import Alternative, alternatives
from profiles.catalog import KIND_TASKS, Model, find_model, is_known, models_for
from profiles.catalog_order import TOO_LARGE
from profiles.device import Device, cuda_warning
from profiles.hardware_profiles import GIB
from profiles.languages import languages_of
from profiles.methods import Method, find_method, methods_for, named, require_method
from profiles.model_reasons import against, model_reason
from profiles.options import Option, Place, best_of, in_words, is_preset, options_for
from profiles.starting_settings import Setting, Situation, starting_settings
from profiles.strategies import HEAD, Chosen, StrategyChoice, choose_strategy, find_strategy, warning_of

_TOKENS_A_PARAMETER = 20
_LONGEST = 2_048  # the most that the rules of the settings ask for


@dataclass(frozen=True)
class Wishes:
    """What a person has decided already; the rest is recommended.

    With `no_download` a model that is on this machine is taken where there is one.
    """

    strategy: str | None = None
    model: Model | None = None
    method: str | None = None
    no_download: bool = False


@dataclass(frozen=True)
class Recommendation:
    """What to train and how, each part with its reason; what is not known is None.

    `verdict` is `too-large` where not even one row at a time fits; what the chosen settings take the plan says.
    """

    task: str
    strategy: Chosen
    model: Model
    model_reason: str
    is_local: bool
    method: Method
    method_reason: str
    settings: Mapping[str, Setting]
    weights_bytes: int | None
    available_bytes: int | None
    verdict: str | None
    alternatives: tuple[Alternative, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def recommend(
    task: str,
    data: DatasetProfile,
    device: Device,
    wishes: Wishes | None = None,
    is_local: Callable[[Model], bool] = lambda model: False,
) -> Recommendation:
    """The recommendation for a task; wishes are kept where they are possible.

    `is_local` says whether a model is on this machine. Raises UsageError for wishes that cannot be carried out, and
    where no model for the task is known.
    """
    wishes = wishes or Wishes()
    wanted_model = wishes.model
    if wanted_model is not None and task not in KIND_TASKS[wanted_model.kind]:
        raise _unable(wanted_model, _place(task, data, device, choose_strategy(task, data, wishes.strategy).first.id))
    kind = wanted_model.kind if wanted_model is not None else None
    strategies = choose_strategy(task, data, wishes.strategy, _is_base(wanted_model), kind)
    place = _place(task, data, device, strategies.first.id)
    if wanted_model is not None:
        _require_way(wanted_model, place)
    option = _choose(place, wishes, is_local)
    if wanted_model is None:  # how texts are sorted follows from the model that was found
        strategies = choose_strategy(task, data, wishes.strategy, kind=option.model.kind)
        place = replace(place, strategy=strategies.first.id)
    model, method = option.model, option.method
    situation = Situation(
        task,
        method.id,
        from_scratch=is_preset(model),
        strategy=strategies.first.id,
        parameters=model.parameters,
        architecture=model.architecture,
        context=model.context,
        free_gib=device.free_bytes / GIB if device.gpu is not None and device.free_bytes is not None else None,
    )
    others = alternatives(place, option, strategies, data, is_local)
    return Recommendation(
        task=task,
        strategy=_only_named(strategies, data, task),
        model=model,
        model_reason=model_reason(place, option, is_local(model), others, is_wish=wanted_model is not None),
        is_local=is_preset(model) or is_local(model),
        method=method,
        method_reason=_method_reason(place, option, wishes),
        settings=starting_settings(situation, data),
        weights_bytes=option.weights_bytes,
        available_bytes=device.free_bytes,
        verdict=TOO_LARGE if place.is_ruled_out(option) else None,
        alternatives=others,
        warnings=tuple(_warnings(place, option, data)),
    )


def _longest(data: DatasetProfile) -> int | None:
    """Tokens that there must be room for in a row, as the rules of the settings make it."""
    longest = (data.stats.get("lengths") or {}).get("p95")
    return None if not longest else min(int(longest * 1.25) + 2, _LONGEST)


def _only_named(strategies: StrategyChoice, data: DatasetProfile, task: str) -> Chosen:
    """The strategy; where the task has only one way, the reason is why the data is for the task."""
    if strategies.first.id is not None:
        return strategies.first
    found = next((each.reason for each in data.proposals if each.task == task), None)
    return replace(strategies.first, reason=found) if found is not None else strategies.first


def _is_base(model: Model | None) -> bool | None:
    """Whether a model has never learned to answer; of one that is not in the catalog nobody knows."""
    if model is None or not is_known(model.id):
        return None
    return not model.instruct


def _place(task: str, data: DatasetProfile, device: Device, strategy: str | None) -> Place:
    languages = languages_of(replace(data, task=task))
    pair = (languages[0], languages[-1]) if task == "translation" else (None, None)
    return Place(
        task,
        strategy,
        device,
        length=(data.stats.get("lengths") or {}).get("median"),
        languages=(pair[0], pair[1]) if pair[0] is not None and pair[1] is not None else None,
        longest=_longest(data),
        written=tuple(each for each in languages if each is not None),
        rows=data.training_rows,
    )


# --- the model and its method ------------------------------------------------------------------------------------


def _unable(model: Model, place: Place) -> UsageError:
    """The refusal of a model whose class cannot do the task, whatever it was trained on, with those to take instead."""
    options = place.narrowed(options_for(place))
    able = [each.model for each in sorted(options, key=place.quality, reverse=True) if place.is_roomy(each)]
    able = able or [each.model for each in options] or list(models_for(place.task))
    kinds = dict.fromkeys(named(kind) for kind, tasks in KIND_TASKS.items() if place.task in tasks)
    return UsageError(
        f"{model.id} cannot do {place.task}",
        f"it is {named(model.kind)}, and {place.task} takes {' or '.join(kinds)}",
        f"Choose {', '.join(each.id for each in able[:3])}; or leave --model out."
        if able
        else "Leave --model out, or choose another task.",
    )


def _require_way(model: Model, place: Place) -> None:
    """Raise UsageError for a model that cannot be trained by the strategy, or a preset that does not start from it."""
    if place.strategy is None:
        return
    kinds = find_strategy(place.strategy).kinds
    presets = find_task(place.task, place.strategy).models if is_trained(place.task, place.strategy) else (model.id,)
    is_kind = not kinds or model.kind in kinds
    if is_kind and (not is_preset(model) or model.id in presets):
        return
    others = [way.strategy for task in TASKS if task.id == place.task for way in task.ways if model.id in way.models]
    instead = others[0] if others else None if is_kind else HEAD
    raise UsageError(
        f"{model.id} cannot be trained by {place.strategy}",
        f"{place.strategy} is for {' and '.join(named(kind) for kind in kinds)}, and it is {named(model.kind)}"
        if not is_kind
        else f"{place.strategy} starts from {', '.join(presets)} or a pretrained model",
        f"Choose {presets[0]} or another model{f', or --strategy {instead}' if instead else ''}.",
    )


def _choose(place: Place, wishes: Wishes, is_local: Callable[[Model], bool]) -> Option:
    gpu = place.device.gpu
    if wishes.model is not None:
        model = wishes.model
        if wishes.method is not None:
            pretrained = not is_preset(model)
            method = require_method(wishes.method, place.task, model.kind, gpu, pretrained, model.architecture)
            return Option(model, method)
        return place.best_method(model)
    trained = find_task(place.task, place.strategy) if is_trained(place.task, place.strategy) else None
    if trained is not None and not trained.accepts_model_folder and wishes.method in (None, "full"):
        return place.best_method(find_model(trained.default_model))
    wanted = None
    if wishes.method is not None:
        wanted = find_method(wishes.method)
        kinds = list(dict.fromkeys(each.model.kind for each in options_for(place)))
        able = [kind for kind in kinds if wanted in methods_for(place.task, kind, gpu)]
        wanted = require_method(wishes.method, place.task, (able or kinds or _kinds_of(place.task))[0], gpu)
    options = options_for(place, wanted)
    if wishes.no_download:
        options = tuple(each for each in options if is_local(each.model) and place.is_possible(each)) or options
    found = best_of(place, options)
    if found is None:
        raise UsageError(
            f"No model for {place.task} is known",
            "the catalog has none for this task",
            "Give the folder of a model: --model FOLDER",
        )
    return found


def _kinds_of(task: str) -> list[str]:
    return [kind for kind, tasks in KIND_TASKS.items() if task in tasks]


# --- reasons -----------------------------------------------------------------------------------------------------


def _method_reason(place: Place, option: Option, wishes: Wishes) -> str:
    model, method = option.model, option.method
    if wishes.method is not None:
        return f"you chose it: {method.what}"
    if is_preset(model):
        return "random weights: all of them have to learn" if model.kind != "trees" else "trees are built whole"
    offered = place.methods(model)
    if method.id == "full":
        why = "the model is small enough for it" if place.is_roomy(option) else "no leaner method is possible"
        return f"{method.what}: {why}"
    if method.id == "lora":
        if offered[0].id == "full":
            return f"{method.what}: there is no room to train all weights"
        return f"{method.what}: close to training all weights, in a fraction of the memory (Hu et al. 2021)"
    return f"{method.what}: there is no room for the model in 16 bits (Dettmers et al. 2023)"


def _warnings(place: Place, option: Option, data: DatasetProfile) -> list[str]:
    model, device = option.model, place.device
    told = []
    if place.task not in model.tasks:
        told.append(f"{model.id} is not known to be good for {place.task}; its kind can do it")
    told += [each for each in (warning_of(place.strategy, data), cuda_warning(device)) if each is not None]
    told += against(place, model)
    if model.gated:
        told.append(f"{model.id} is gated: its licence must be accepted on the hub before it can be downloaded")
    if model.licence is not None and model.open_licence is False:
        told.append(f"the licence of {model.id} ({model.licence}) has conditions: read it before you use the model")
    if option.method.id == "qlora" and device.gpu is None:
        told.append("QLoRA on a CPU saves memory and costs much time")
    longest = (data.stats.get("lengths") or {}).get("p95", 0)
    if model.context is not None and longest > model.context and place.strategy != "pretrain":
        told.append(f"{model.id} reads {model.context:,} tokens; 5% of your rows have more than about {longest:,}")
    tokens, parameters = data.stats.get("tokens_about"), model.parameters
    if place.strategy == "pretrain" and tokens is not None and parameters is not None:
        wanted = parameters * _TOKENS_A_PARAMETER
        if tokens < wanted:
            told.append(
                f"your texts have about {in_words(tokens)} tokens: enough to adapt this model, not to train one from "
                f"nothing, which takes about {in_words(wanted)} at this size (Hoffmann et al. 2022)"
            )
    return told
