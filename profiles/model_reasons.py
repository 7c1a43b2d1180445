"""Why a model is taken for a task, its data and a machine, and what in the data speaks against one, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backends.registry import find_data
from profiles.alternatives import BETTER, Alternative
from profiles.catalog import Model
from profiles.languages import language_name
from profiles.options import Option, Place, gib, in_words, is_free, is_preset, pair_of


def model_reason(
    place: Place, option: Option, is_local: bool, others: Sequence[Alternative], is_wish: bool = False
) -> str:
    """Why a model is taken, with the catalog's advice; `others` are the alternatives to it."""
    model = option.model
    advice = model.verdict.rstrip(".") if model.verdict else None
    if is_wish and is_preset(model) and not find_data(place.task).is_tabular:
        return f"you chose it. {_from_scratch(others)}"
    if is_wish:
        return ". ".join(each for each in ("you chose it", advice) if each)
    if is_preset(model):
        return "on tables gradient-boosted trees are the strongest start, and they need no download"
    size = in_words(model.parameters)
    if place.is_ruled_out(option):
        return f"even this smallest of the models for {place.task}, {size} parameters, does not fit"
    reads = f" for {_named_languages(place)}" if place.speaks(model) else ""
    if not place.is_roomy(option):
        if place.has_memory(option):
            least = "the lightest first choice" if model.first_choice else "the lightest of the models"
            slow = "even so a step takes long on a CPU"
            why = slow if place.device.gpu is None else "how much memory is free is not known"
            return f"{least}{reads}, {size} parameters; {why}"
        return f"of the models{reads} that can be used for {place.task} it needs the least memory, {size} parameters"
    chosen = f"{_why_chosen(place, model, reads)} {_where(place)}, {size} parameters"
    here = f"{chosen}; it is on this machine" if is_local else chosen
    return ". ".join(each for each in (here, advice if model.first_choice else None) if each)


def _from_scratch(others: Sequence[Alternative]) -> str:
    """What a preset is, with the pretrained model that is better."""
    what = "It starts from random weights and trains on any machine"
    better = next((each.model for each in others if each.label == BETTER), None)
    if better is None:
        return what
    return f"{what}; fine-tuning a pretrained model is the better way and usually scores higher: --model {better.id}"


def _why_chosen(place: Place, model: Model, reads: str) -> str:
    if place.task == "translation" and pair_of(model) is not None:
        return f"it translates {_named_languages(place)} already and does nothing else, so that it is small enough"
    terms = "open " if is_free(model) else ""
    if place.knows(model):
        return f"{'an open' if terms else 'a'} model{reads} that has learned the task already, of a sensible size"
    if model.first_choice:
        return f"{'an open' if terms else 'a'} first choice{reads} of a sensible size"
    suits = "" if place.strategy is None else _learned(model.instruct)
    whole = " that read most of your rows whole" if place.length is not None and model.context is not None else ""
    return f"of the {terms}models{reads}{suits}{whole} the largest of a sensible size"


def _where(place: Place) -> str:
    free = place.device.free_bytes
    if place.device.gpu is None:
        return "for a CPU, on which larger ones take very long"
    return "for this GPU" if free is None else f"for {gib(free)} of GPU memory"


def _named_languages(place: Place) -> str:
    if place.languages is not None:
        return f"{language_name(place.languages[0])} to {language_name(place.languages[1])}"
    return " and ".join(language_name(each) for each in place.written)


def _learned(instruct: bool) -> str:
    return " that have learned to answer" if instruct else " without training in answers"


def against(place: Place, model: Model) -> Iterator[str]:
    """What in the data speaks against a model."""
    pair = pair_of(model)
    if place.task == "translation" and pair is not None:
        if place.languages is not None and pair != place.languages:
            made = f"{language_name(pair[0])} to {language_name(pair[1])}"
            yield f"{model.id} translates {made} only, and your data goes from {_named_languages(place)}"
    elif place.speaks(model) is False:
        languages = " and ".join(language_name(each) for each in model.languages)
        yield f"{model.id} was made for {languages}, and your data seems to be {_named_languages(place)}"
    if not place.keeps_case(model):
        yield f"{model.id} makes all letters small, and names are found by their capitals"
