"""Models with a method to train them: which of them a device has room for by the estimate of memory, and their order.

Where the layers of a network are not known, its weights are a lower bound, which can only say that it does not fit, and
a rule of thumb puts it in order.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from backends.registry import method_refusal
from profiles.catalog import Model, models_for, weights_bytes
from profiles.device import Device
from profiles.fit import FITS, TOO_LARGE, Judgement, judge
from profiles.hardware_profiles import GIB
from profiles.languages import MANY
from profiles.methods import Method, methods_for
from profiles.plan_memory import shape_of
from profiles.strategies import SORTING, find_strategy
from profiles.trainer_setups import trainer_setup

# Beside what parameters take: activations, buffers and the CUDA context. For ordering options only.
_ROOM_FOR_THE_REST = 1.25
_CONTEXT_BYTES = GIB // 2
# Under this a language model is small enough that all its weights may learn.
_SMALL_LANGUAGE_MODEL = 350_000_000
_LANGUAGE_KINDS = ("causal-lm", "vision-language")
_FROM_BASE = ("pretrain", "orpo")
# Models that translate from one language to one other say so in their names.
_PAIR = re.compile(r"opus-mt-([a-z]{2,3})-([a-z]{2,3})$")


@dataclass(frozen=True)
class Option:
    """A model with a method to train it by."""

    model: Model
    method: Method

    @property
    def weights_bytes(self) -> int | None:
        """What the weights take at the very least; None where the size of the model is not known."""
        parameters = self.model.parameters
        return None if parameters is None else weights_bytes(parameters, self.method.weight_bytes)

    @property
    def active(self) -> int | None:
        """The parameters at work for each token, which a step's time follows."""
        return self.model.active_parameters or self.model.parameters


@dataclass(frozen=True)
class Place:
    """What a run is planned for; `length` is that of the median row in tokens, `languages` those of source and target.

    `longest` are the tokens of a row that there must be room for, `written` the languages of its texts, as far as they
    can be told. None where not known, or where it does not matter.
    """

    task: str
    strategy: str | None
    device: Device
    length: int | None = None
    languages: tuple[str, str] | None = None
    longest: int | None = None
    written: tuple[str, ...] = ()
    rows: int | None = None

    def judged(self, option: Option) -> Judgement | None:
        """The memory of training one row at a time, and whether it fits; None where the network is not known."""
        return _judged(self, option)

    def is_ruled_out(self, option: Option) -> bool:
        """Whether the weights alone, or one row at a time, take more than is free; the unknown rules nothing out."""
        needed, free = option.weights_bytes, self.device.free_bytes
        if free is None or (needed is not None and needed > free):
            return free is not None
        judged = self.judged(option)
        return judged is not None and judged.verdict == TOO_LARGE

    def is_roomy(self, option: Option) -> bool:
        """Whether it fits by the estimate with its margin, and on a CPU whether the model is small enough.

        Where the network is not known, a rule of thumb says whether there is room to spare.
        """
        return not self.is_slow(option) and self.has_memory(option)

    def has_memory(self, option: Option) -> bool:
        """Whether it fits by the estimate with its margin, however long it takes; what has no known size does not."""
        free, judged = self.device.free_bytes, self.judged(option)
        if judged is not None:
            return judged.verdict in (FITS, None)
        if option.model.parameters is None:
            return is_preset(option.model)
        return free is None or self.training_bytes(option) <= free

    def is_possible(self, option: Option) -> bool:
        """Whether an option may be offered: nothing rules it out, and the size of the model is known."""
        is_sized = option.model.parameters is not None or is_preset(option.model)
        return is_sized and not self.is_ruled_out(option)

    def is_slow(self, option: Option) -> bool:
        """Whether the model is larger than is sensible without a GPU, or where nobody knows how much is free."""
        parameters, device = option.model.parameters, self.device
        if device.gpu is not None and device.free_bytes is not None:
            return False
        return parameters is not None and parameters > _largest(option.model.kind, on_gpu=False)

    def is_sensible(self, model: Model) -> bool:
        """Whether a model is no larger than is sensible to start with."""
        return (model.parameters or 0) <= _largest(model.kind, on_gpu=True)

    def training_bytes(self, option: Option) -> int:
        """What training takes, one row at a time: by the estimate, else about, for ordering options alone."""
        judged = self.judged(option)
        if judged is not None:
            return judged.estimate.total_bytes
        each = option.method.training_bytes + self._other_models(option.method) * option.method.weight_bytes
        a_row = _rules()["row_bytes"].get(option.model.kind, 0)
        return int((option.model.parameters or 0) * (each * _ROOM_FOR_THE_REST + a_row)) + _CONTEXT_BYTES

    def _other_models(self, method: Method) -> int:
        strategy = find_strategy(self.strategy) if self.strategy is not None else None
        if strategy is None:
            return 0
        return strategy.other_models if method.id == "full" else strategy.other_models_of_adapters

    def suits(self, model: Model) -> bool:
        """Whether the model is what the strategy starts from: a base model, or one that has learned to answer."""
        if self.strategy is None or find_strategy(self.strategy).task == SORTING:
            return model.instruct or self.task not in _rules()["answered"]
        return model.instruct != (self.strategy in _FROM_BASE)

    def speaks(self, model: Model) -> bool | None:
        """Whether a model was made for the languages of the data; None where one of them is not known."""
        if not self.written or not model.languages:
            return None
        return MANY in model.languages or set(self.written) <= set(model.languages)

    def keeps_case(self, model: Model) -> bool:
        """Whether capital letters reach the model, where the task needs them."""
        return not model.lowercases or self.task not in _rules()["needs_case"]

    def knows(self, model: Model) -> bool:
        """Whether a model has learned the task already, and the data is not so much that this makes no difference."""
        bound = _rules()["knows_below"].get(self.task)
        return self.task in model.knows and (bound is None or self.rows is None or self.rows < bound)

    def narrowed(self, options: Iterable[Option]) -> list[Option]:
        """The options without those that the data speaks against, as long as something possible is left.

        Models for other languages go first, then those that the strategy does not start from, then those that lose
        what the task needs.
        """
        left = list(options)
        wanted: tuple[Callable[[Model], bool | None], ...] = (self.speaks, self.suits, self.keeps_case)
        for is_wanted in wanted:
            kept = [each for each in left if is_wanted(each.model)]
            left = kept if any(self.is_possible(each) for each in kept) else left
        return left

    def methods(self, model: Model) -> tuple[Method, ...]:
        """The methods to offer for a model, the one to take where there is room first."""
        able = methods_for(self.task, model.kind, self.device.gpu, not is_preset(model), model.architecture)
        able = tuple(each for each in able if each.id in ("full", "lora", "qlora"))
        small = model.parameters is None or model.parameters < _SMALL_LANGUAGE_MODEL
        if model.kind in _LANGUAGE_KINDS and not small and self.strategy != "pretrain":
            return tuple(each for each in able if each.id != "full") or able
        return able

    def best_method(self, model: Model, wanted: Method | None = None) -> Option:
        """A model by the method that was asked for, else by the first there is room for, else by the leanest."""
        if wanted is not None:
            return Option(model, wanted)
        options = [Option(model, each) for each in self.methods(model)]
        return next((each for each in options if self.is_roomy(each)), options[-1])

    def quality(self, option: Option) -> tuple[bool, bool, bool, int, int]:
        """What makes one option better than another, as far as it is known before training."""
        model = option.model
        reads = self.length is None or model.context is None or model.context >= self.length
        return is_free(model), reads, self.suits(model), self.rank(model), model.parameters or 0

    def rank(self, model: Model) -> int:
        """How early a model is taken for the task by what is known of it, beside its size and its terms.

        Those of the right kind come first, then those that have learned the task, then first choices of the catalog.
        One that translates between other languages than those of the data comes last, one between these two first.
        """
        pair = pair_of(model) if self.task == "translation" else None
        if pair is not None:
            return 8 if pair == self.languages else -1
        is_first = model.kind == _rules()["first_kind"].get(self.task)
        return 4 * is_first + 2 * self.knows(model) + model.first_choice


@lru_cache(maxsize=2048)
def _judged(place: Place, option: Option) -> Judgement | None:
    """As `Place.judged`, once for each option: to choose one they are compared many times."""
    shape, on_gpu = shape_of(option.model), place.device.gpu is not None
    made = option.model if shape is None else replace(option.model, shape=shape)  # a detector has none
    # What takes most of the memory is seldom trained without adding up batches, and gradients then stay.
    least = {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 2,
        **({"max_length": place.longest} if place.longest else {}),
    }
    setup = trainer_setup(option.model, option.method.id, least, on_gpu, place.task, place.strategy)
    return judge(made, setup, place.device.free_bytes, on_gpu)


def pair_of(model: Model) -> tuple[str, str] | None:
    """The languages from which and to which a model translates, where it can do nothing else."""
    found = _PAIR.search(model.id)
    return (found[1], found[2]) if found is not None else None


def is_preset(model: Model) -> bool:
    """Whether a model starts from random weights."""
    return model.id.startswith("preset:")


def is_free(model: Model) -> bool:
    """Whether a model can be had and used by anybody: an open licence, and nobody to ask."""
    return model.open_licence is True and not model.gated


def options_for(place: Place, wanted: Method | None = None) -> tuple[Option, ...]:
    """One option for each pretrained model of the catalog that is good for the task, by its best method."""
    kinds = find_strategy(place.strategy).kinds if place.strategy is not None else ()

    def is_able(model: Model) -> bool:
        if kinds and model.kind not in kinds:
            return False
        refusal = method_refusal(wanted.id, place.task, model.kind, model.architecture) if wanted is not None else None
        return refusal is None and bool(place.methods(model))

    able = [each for each in models_for(place.task) if not is_preset(each) and is_able(each)]
    return tuple(place.best_method(model, wanted) for model in able)


def best_of(place: Place, options: Iterable[Option], within_size: bool = True) -> Option | None:
    """The option to take first: of those with room and of a sensible size the best, else the leanest.

    Where there is memory and only time is short, the smallest of the first choices.
    """
    known = place.narrowed(options)
    possible = [each for each in known if place.is_possible(each)]
    roomy = [each for each in possible if place.is_roomy(each)]
    if within_size:
        roomy = [each for each in roomy if place.is_sensible(each.model)] or roomy
    if roomy:
        return max(roomy, key=place.quality)

    def size(each: Option) -> tuple[bool, int, bool]:
        return each.model.parameters is None, place.training_bytes(each), not is_free(each.model)

    slow = [each for each in possible if place.has_memory(each)]
    if slow:
        return min(slow, key=lambda each: (not is_free(each.model), -place.rank(each.model), size(each)))
    return min(possible or known, key=size, default=None)


@cache
def _rules() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("model_choice.toml").read_text(encoding="utf-8"))


def _largest(kind: str, on_gpu: bool) -> float:
    bounds = _rules()["largest"].get(kind)
    return float("inf") if bounds is None else bounds["on_gpu" if on_gpu else "on_cpu"]


def in_words(parameters: int | None) -> str:
    """`51,000`, `360 million`, `1.7 billion`, `an unknown number of`."""
    if parameters is None:
        return "an unknown number of"
    if parameters < 999_500:
        return f"{round(parameters, -3):,}" if parameters >= 10_000 else f"{parameters:,}"
    size, word = (parameters / 1e9, "billion") if parameters >= 999.5e6 else (parameters / 1e6, "million")
    return f"{size:.0f} {word}" if size >= 99.5 else f"{size:.2g} {word}"


def gib(count: float) -> str:
    """`3.2 GiB`, `24 GiB`; what is less than 0.1 GiB in MiB."""
    return f"{count / GIB:.1f}".removesuffix(".0") + " GiB" if count >= GIB / 10 else f"{count / 2**20:.0f} MiB"
