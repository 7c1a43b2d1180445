"""What else could be done, beside what is recommended: faster, smaller, better, under freer terms, already here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from backends.contract import DatasetProfile
from profiles.catalog import Model, bytes_to_download
from profiles.languages import MANY
from profiles.methods import find_method, methods_for
from profiles.options import Option, Place, best_of, gib, in_words, is_free, is_preset, options_for
from profiles.strategies import StrategyChoice, find_strategy

FASTER, SMALLER, BETTER = "faster", "smaller", "better"
FREER, HERE = "freer-licence", "already-here"
MAKES_IT_FIT = "makes-it-fit"
OTHER_STRATEGY, OTHER_TASK = "other-strategy", "other-task"
_MUCH_FASTER, _MUCH_LARGER = 0.6, 1.5


@dataclass(frozen=True)
class Alternative:
    """Another way with the reason to choose it; `model` and `method` are None where another strategy or task is meant.

    `is_local` is None there too.
    """

    label: str
    task: str
    strategy: str | None
    reason: str
    model: Model | None = None
    method: str | None = None
    is_local: bool | None = None


def alternatives(
    place: Place, chosen: Option, strategies: StrategyChoice, data: DatasetProfile, is_local: Callable[[Model], bool]
) -> tuple[Alternative, ...]:
    """The alternatives to an option, each named once, under the first of its labels."""
    known = place.narrowed(each for each in options_for(place) if place.is_possible(each))
    named = {(chosen.model.id, chosen.method.id)}
    found: list[Alternative] = []
    for label, option, reason in _options(place, chosen, known, is_local):
        key = (option.model.id, option.method.id)
        if key in named:
            continue
        named.add(key)
        local = is_local(option.model)
        state = "on this machine" if local else _download(option.model)
        found.append(
            Alternative(label, place.task, place.strategy, f"{reason}; {state}", option.model, option.method.id, local)
        )
    return (*found, *_strategies(place, strategies), *_tasks(place, data, chosen.model))


def _options(
    place: Place, chosen: Option, known: Sequence[Option], is_local: Callable[[Model], bool]
) -> Iterator[tuple[str, Option, str]]:
    for label, option in (
        (FASTER, _faster(place, chosen, known)),
        (SMALLER, _smaller(place, chosen, known)),
        (BETTER, _better(place, chosen, known)),
        (FREER, _freer(place, chosen, known)),
        (HERE, _here(place, chosen, known, is_local)),
    ):
        if option is not None:
            yield label, option, _why(label, place, option, chosen)


def _faster(place: Place, chosen: Option, known: Sequence[Option]) -> Option | None:
    """The best of the models with clearly less at work for each token."""
    if chosen.active is None:
        return None
    return best_of(
        place, [each for each in known if each.active is not None and each.active <= _MUCH_FASTER * chosen.active]
    )


def _smaller(place: Place, chosen: Option, known: Sequence[Option]) -> Option | None:
    """The same model by a leaner method, else the smallest model."""
    leaner = [
        Option(chosen.model, each)
        for each in place.methods(chosen.model)
        if each.training_bytes < chosen.method.training_bytes
    ]
    if leaner:
        return leaner[0]
    size = chosen.model.parameters
    smaller = [each for each in known if size is not None and (each.model.parameters or size) < size]

    def order(each: Option) -> tuple[bool, bool, int]:
        return not is_free(each.model), not place.suits(each.model), each.model.parameters or 0

    return min(smaller, key=order, default=None)


def _better(place: Place, chosen: Option, known: Sequence[Option]) -> Option | None:
    """For a preset a pretrained model; else a larger one, by the same makers first; all weights; or what is tight."""
    if is_preset(chosen.model):
        return best_of(place, known)
    larger = [each for each in known if _is_better(place, each.model, chosen.model)]
    roomy = [each for each in larger if place.is_roomy(each)]
    if roomy:
        return best_of(place, [each for each in roomy if _series(each.model) == _series(chosen.model)] or roomy)
    whole = _all_weights(place, chosen)
    if whole is not None:
        return whole
    tight = [each for each in larger if place.judged(each) is not None or place.has_memory(each)]
    return min(tight, key=lambda each: (not is_free(each.model), each.model.parameters or 0), default=None)


def _is_better(place: Place, model: Model, chosen: Model) -> bool:
    """Whether there is a reason to think so, beside size: it is as new, of the same kind and knows as much.

    Of models whose age is not known the catalog's word decides. A model for many languages is better than one for
    those of the data only where it is newer.
    """
    if (model.parameters or 0) < _MUCH_LARGER * (chosen.parameters or 0) or place.rank(model) < 0:
        return False
    if model.kind != chosen.kind or (place.knows(chosen) and not place.knows(model)):
        return False
    if model.published is None or chosen.published is None:
        return place.rank(model) >= place.rank(chosen)
    is_wider = MANY in model.languages and bool(chosen.languages) and MANY not in chosen.languages
    return model.published >= chosen.published + is_wider


def _series(model: Model) -> tuple[str, str, str | None]:
    return model.id.partition("/")[0], model.family, model.shape.architecture if model.shape is not None else None


def _all_weights(place: Place, chosen: Option) -> Option | None:
    """The same model with all its weights learning, where there is room for it."""
    full = find_method("full")
    if chosen.method.id == "full" or full not in methods_for(place.task, chosen.model.kind, place.device.gpu):
        return None
    whole = Option(chosen.model, full)
    return whole if place.is_roomy(whole) else None


def _freer(place: Place, chosen: Option, known: Sequence[Option]) -> Option | None:
    if is_preset(chosen.model) or is_free(chosen.model):
        return None
    return best_of(place, [each for each in known if is_free(each.model)])


def _here(place: Place, chosen: Option, known: Sequence[Option], is_local: Callable[[Model], bool]) -> Option | None:
    if not is_preset(chosen.model) and is_local(chosen.model):
        return None
    return best_of(place, [each for each in known if is_local(each.model)])


# --- reasons -----------------------------------------------------------------------------------------------------


def _why(label: str, place: Place, option: Option, chosen: Option) -> str:
    size = in_words(option.model.parameters)
    same = option.model.id == chosen.model.id
    if label == FASTER:
        return f"{in_words(option.active)} parameters at work instead of {in_words(chosen.active)}"
    if label == SMALLER:
        return f"{option.method.what}: less memory" if same else f"{size} parameters: the least memory"
    if label == BETTER:
        room = "" if place.is_roomy(option) else f"; {_no_room(place, option)}"
        if place.is_slow(option) and place.device.gpu is None:
            room = "; a step takes very long on a CPU"
        if same:
            return f"{option.method.what}: often a little better, with more memory{room}"
        if is_preset(chosen.model):
            return f"pretrained, {size} parameters: usually far better than random weights{room}"
        return f"{size} parameters: usually better, and slower{room}"
    if label == FREER:
        return f"{option.model.licence}, free for any use; {size} parameters"
    return f"no download; {size} parameters"


def _no_room(place: Place, option: Option) -> str:
    if place.is_slow(option):
        return "slow on a CPU"
    judged = place.judged(option)
    assert judged is not None, "what cannot be estimated has room, or is not offered as better"
    return f"it takes {gib(judged.estimate.total_bytes)} or a little more, which is tight"


def _download(model: Model) -> str:
    """`3.2 GiB or more to download`."""
    size = bytes_to_download(model)
    return "to be downloaded" if size is None else f"{gib(size)} or more to download"


def _strategies(place: Place, strategies: StrategyChoice) -> Iterator[Alternative]:
    for each in strategies.others:
        if each.id is not None:
            yield Alternative(OTHER_STRATEGY, find_strategy(each.id).task, each.id, each.reason)


def _tasks(place: Place, data: DatasetProfile, model: Model) -> Iterator[Alternative]:
    """What else the data could be for; another way to train the same task is a strategy.

    Whatever an encoder-decoder learns to write, a decoder can learn too.
    """
    strategies = {"text-generation", "reward-modeling"}
    can_be_written = model.kind == "encoder-decoder"
    for each in data.proposals:
        is_written = can_be_written and each.task == "text-generation"
        if each.task != place.task and not is_written and not {each.task, place.task} <= strategies:
            yield Alternative(OTHER_TASK, each.task, each.strategy, each.reason)
    if can_be_written:
        yield Alternative(OTHER_TASK, "text-generation", "sft", _why_a_decoder(data, model))


def _why_a_decoder(data: DatasetProfile, model: Model) -> str:
    why = "a decoder learns the same rows as prompts and answers: language models are larger and newer"
    longest = (data.stats.get("lengths") or {}).get("p95", 0)
    if model.context is not None and longest > model.context:
        why += f", and read whole what {model.id} cuts after {model.context:,} tokens"
    return f"{why}; it is scored by its loss, not by ROUGE or BLEU"
