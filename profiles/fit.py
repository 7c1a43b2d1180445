"""Whether a plan fits, how much would, and the cheapest change that makes a too large one fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from profiles.catalog import Model, Shape
from profiles.memory import CONTEXT_BYTES, MemoryEstimate, estimate_network
from profiles.memory_margin import Margin, margin_of
from profiles.memory_pictures import picture_network
from profiles.memory_stacks import network_of
from profiles.trainer_setups import with_setting
from profiles.training_setup import Training

FITS, TIGHT, TOO_LARGE = "fits", "tight", "too-large"
_MOST_ROWS, _MOST_TOKENS = 1 << 14, 1 << 20
_SHORTEST = 64
_STEP = 8  # lengths are multiples of this many tokens
# Python with torch, Transformers and scikit-learn, the data and the baselines, resident in a process on a CPU: what is
# not the model of the 1,108 and 1,244 MiB that runs of preset:tiny-encoder on 5,574 texts in 2 and 3,826 in 77 classes
# peaked at (torch 2.15, Transformers 5.23).
CPU_PROCESS_BYTES = 1_150 * 2**20


@dataclass(frozen=True)
class Judgement:
    """An estimate beside the free memory; `verdict` is None where the free memory is not known."""

    estimate: MemoryEstimate
    margin: Margin
    free_bytes: int | None
    verdict: str | None

    @property
    def safe_bytes(self) -> int:
        """The estimate with its margin: what must be free for it to fit."""
        return with_margin(self.estimate.total_bytes, self.margin)


@dataclass(frozen=True)
class Change:
    """Something to change with what it saves and costs; `setup` is the step after it, `model` another model or None."""

    names: tuple[str, ...]
    what: str
    costs: str
    saves_bytes: int
    total_bytes: int
    verdict: str | None
    setup: Training
    model: Model | None = None

    @property
    def flags(self) -> str:
        """What to add to a command to make it."""
        flags = [f"--model {self.model.id}"] if self.model is not None else []
        flags += [_FLAGS[name] for name in self.names if name in _FLAGS]
        return " ".join([*flags, f"--set max_length={self.setup.length}"] if "shorter" in self.names else flags)


_FLAGS = {
    "checkpointing": "--set gradient_checkpointing=true",
    "chunked-loss": "--set use_liger_kernel=true",
    "8-bit-optimizer": "--set optim=adamw_bnb_8bit",
    "lora": "--method lora",
    "qlora": "--method qlora",
}


def with_margin(total_bytes: int, margin: Margin) -> int:
    """What must be free for an estimate to fit."""
    return int(total_bytes * (1 + margin.share)) + 1


def verdict_of(total_bytes: int, margin: Margin, free_bytes: int | None) -> str | None:
    """`fits` only where the estimate with its margin is under the free memory; `too-large` where it is over alone."""
    if free_bytes is None:
        return None
    if with_margin(total_bytes, margin) <= free_bytes:
        return FITS
    return TIGHT if total_bytes <= free_bytes else TOO_LARGE


def judge(
    of: Shape | Model, setup: Training, free_bytes: int | None, on_gpu: bool = True, context_bytes: int | None = None
) -> Judgement | None:
    """The estimate for a shape or a model and the verdict; None where its network is not known."""
    shape = of.shape if isinstance(of, Model) else of
    network = picture_network(of, setup) if isinstance(of, Model) else None
    if network is None and shape is not None:
        network = network_of(shape, setup)
    if network is None:
        return None
    usual = CONTEXT_BYTES if on_gpu else CPU_PROCESS_BYTES
    estimate = estimate_network(network, setup, usual if context_bytes is None else context_bytes)
    margin = margin_of(shape or Shape("detector"), setup)
    return Judgement(estimate, margin, free_bytes, verdict_of(estimate.total_bytes, margin, free_bytes))


# --- how much would fit ------------------------------------------------------------------------------------------


def largest_batch(of: Shape | Model, setup: Training, free_bytes: int | None, on_gpu: bool = True) -> int | None:
    """The most rows at once that fit, 0 where not even one does; None where memory or shape are not known."""
    return _largest(lambda rows: judge(of, replace(setup, batch=rows), free_bytes, on_gpu), 1, _MOST_ROWS)


def largest_length(
    of: Shape | Model, setup: Training, free_bytes: int | None, on_gpu: bool = True, context: int | None = None
) -> int | None:
    """The most tokens a row that fit, in multiples of 8 and no more than the model reads; as `largest_batch`."""
    most = min(_MOST_TOKENS, context or _MOST_TOKENS) // _STEP
    found = _largest(lambda steps: judge(of, replace(setup, length=_STEP * steps), free_bytes, on_gpu), 1, most)
    return None if found is None else found * _STEP


def _largest(judged: Callable[[int], Judgement | None], least: int, most: int) -> int | None:
    """The largest number that fits, by halving: more of anything never takes less memory."""
    first = judged(least)
    if first is None or first.verdict is None:
        return None
    if first.verdict != FITS:
        return 0
    low, high = least, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        found = judged(middle)
        if found is not None and found.verdict == FITS:
            low = middle
        else:
            high = middle
    return low


# --- what to change ----------------------------------------------------------------------------------------------

_WORDS = {
    "checkpointing": ("gradient checkpointing", "a third more time: activations are made again (Chen et al. 2016)"),
    "chunked-loss": ("logits a few at a time", "hardly any time, and the package liger-kernel"),
    "8-bit-optimizer": ("an 8-bit optimizer", "hardly anything (Dettmers et al. 2022)"),
    "lora": ("LoRA", "a little quality: only small added matrices learn (Hu et al. 2021)"),
    "qlora": ("QLoRA", "half as much time again: weights are held in 4 bits (Dettmers et al. 2023)"),
    "shorter": ("shorter texts", "what stands beyond is cut"),
    "smaller-model": ("a smaller model", "quality"),
}
CHANGES = tuple(_WORDS)


def changes(
    model: Model,
    setup: Training,
    free_bytes: int | None,
    on_gpu: bool,
    methods: Sequence[str],
    smaller: Sequence[Model] = (),
) -> tuple[Change, ...]:
    """Each change that can be made by itself, the cheapest first, and what it saves; `methods` can train the model."""
    now = judge(model, setup, free_bytes, on_gpu)
    if now is None:
        return ()
    found = [*_settings(model, setup, now, free_bytes, on_gpu, methods)]
    if model.kind in _SHORTENED:
        found += _shorter(model, setup, now, free_bytes, on_gpu)
    found += _smaller(setup, now, free_bytes, on_gpu, smaller, methods)
    return tuple(found)


def cheapest_change(
    model: Model,
    setup: Training,
    free_bytes: int | None,
    on_gpu: bool,
    methods: Sequence[str],
    smaller: Sequence[Model] = (),
) -> Change | None:
    """The first single change that makes it fit, else as many of them in turn as it takes; None where nothing does.

    A shorter text is one that is at least an eighth of what was asked for, and a smaller model the largest that fits.
    """
    now = judge(model, setup, free_bytes, on_gpu)
    if now is None or now.verdict in (FITS, None):
        return None
    settings = _settings(model, setup, now, free_bytes, on_gpu, methods)
    first = next((each for each in settings if each.verdict == FITS), None)
    if first is not None:
        return first
    taken: tuple[str, ...] = ()
    changed = setup
    for name in _possible(model, setup, on_gpu, methods):
        if name == "qlora" and "lora" in taken:
            taken = tuple(each for each in taken if each != "lora")
        if name in ("lora", "qlora"):
            taken = tuple(each for each in taken if each != "8-bit-optimizer")
            changed = replace(changed, optimizer=setup.optimizer)
        changed, taken = with_setting(changed, name), (*taken, name)
        each = _changed(model, taken, changed, now, free_bytes, on_gpu)
        if each is not None and each.verdict == FITS:
            return each
    if model.kind in _SHORTENED:
        for each in _shorter(model, setup, now, free_bytes, on_gpu):
            return each
        for each in _shorter(model, changed, now, free_bytes, on_gpu):
            return replace(each, names=(*taken, *each.names), what=f"{_joined(taken)} and {each.what}")
    return next(iter(_smaller(setup, now, free_bytes, on_gpu, smaller, methods)), None)


_SHORTENED = ("causal-lm", "encoder", "encoder-decoder")


def _settings(
    model: Model, setup: Training, now: Judgement, free_bytes: int | None, on_gpu: bool, methods: Sequence[str]
) -> Iterator[Change]:
    """Each change of a setting by itself that saves anything."""
    for name in _possible(model, setup, on_gpu, methods):
        each = _changed(model, (name,), with_setting(setup, name), now, free_bytes, on_gpu)
        if each is not None and each.saves_bytes > 0:
            yield each


def _possible(model: Model, setup: Training, on_gpu: bool, methods: Sequence[str]) -> Iterator[str]:
    """The changes of the setting that can be made, the cheapest first."""
    if not setup.checkpointing and model.kind not in ("trees", "detector", "image"):
        yield "checkpointing"
    if setup.loss == "whole" and model.kind in ("causal-lm", "vision-language") and not setup.generated:
        yield "chunked-loss"
    if on_gpu and setup.trains_all and setup.optimizer in ("adamw", "adamw_foreach"):
        yield "8-bit-optimizer"
    yield from _possible_methods(setup, methods)


def _possible_methods(setup: Training, methods: Sequence[str]) -> Iterator[str]:
    """The methods that need less than the one in force."""
    for method in ("lora", "qlora"):
        if method in methods and setup.method != method and setup.method in ("full", "lora"):
            yield method


def _changed(
    model: Model, names: tuple[str, ...], setup: Training, now: Judgement, free_bytes: int | None, on_gpu: bool
) -> Change | None:
    then = judge(model, setup, free_bytes, on_gpu)
    if then is None:
        return None
    saved = now.estimate.total_bytes - then.estimate.total_bytes
    costs = "; ".join(_WORDS[name][1] for name in names)
    return Change(names, _joined(names), costs, saved, then.estimate.total_bytes, then.verdict, setup)


def _joined(names: Sequence[str]) -> str:
    words = [_WORDS[name][0] for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _shorter(model: Model, setup: Training, now: Judgement, free_bytes: int | None, on_gpu: bool) -> Iterator[Change]:
    """The longest texts that fit, where they are no shorter than an eighth of what was asked for."""
    length = largest_length(model, setup, free_bytes, on_gpu, model.context)
    if not length or length >= setup.length or length < max(_SHORTEST, setup.length // 8):
        return
    each = _changed(model, ("shorter",), replace(setup, length=length), now, free_bytes, on_gpu)
    if each is not None:
        yield replace(each, what=f"texts of {length:,} tokens instead of {setup.length:,}")


def _smaller(
    setup: Training,
    now: Judgement,
    free_bytes: int | None,
    on_gpu: bool,
    models: Sequence[Model],
    methods: Sequence[str],
) -> Iterator[Change]:
    """The largest of other models that fits and takes less, as it would be trained, or by a method that saves."""
    saving = tuple(_possible_methods(setup, methods))
    for model in sorted(models, key=lambda each: -(each.parameters or 0)):
        if model.shape is None or (model.parameters or 0) >= now.estimate.parameters:
            continue
        for name in (None, *saving):
            names = ("smaller-model",) if name is None else ("smaller-model", name)
            made = setup if name is None else with_setting(setup, name)
            each = _changed(model, names, made, now, free_bytes, on_gpu)
            if each is not None and each.verdict == FITS and each.saves_bytes > 0:
                by = "" if name is None else f" by {_WORDS[name][0]}"
                yield replace(each, what=f"the smaller model {model.id}{by}", model=model)
                return
