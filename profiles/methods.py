"""Which methods can train a kind of model for a task on a device, and what a parameter takes by each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from backends.contract import UsageError, nearest
from backends.registry import METHOD_KINDS, method_refusal
from profiles.device import capability_of
from profiles.hardware import Gpu

# bitsandbytes 0.50, installation guide: 4-bit weights need compute capability 6.0.
_OLDEST_FOR_4_BITS = (6, 0)
_KIND_NAMES = {
    "causal-lm": "a language model",
    "encoder": "an encoder",
    "encoder-decoder": "an encoder-decoder",
    "vision-language": "a vision-language model",
    "image": "an image model",
    "detector": "a detector",
    "speech": "a speech model",
    "video": "a video model",
    "trees": "gradient-boosted trees",
}


@dataclass(frozen=True)
class Method:
    """How much of a model learns; `weight_bytes` and `training_bytes` are for each parameter of the model."""

    id: str
    what: str
    weight_bytes: float
    training_bytes: float
    kinds: tuple[str, ...]


@cache
def methods() -> tuple[Method, ...]:
    """Every method, the one that trains most first."""
    tables = tomllib.loads(Path(__file__).with_name("methods.toml").read_text(encoding="utf-8"))["method"]
    return tuple(Method(**each, kinds=METHOD_KINDS[each["id"]]) for each in tables)


def find_method(name: str) -> Method:
    """The method of that name; raises UsageError with the nearest."""
    for each in methods():
        if each.id == name:
            return each
    known = tuple(each.id for each in methods())
    raise UsageError(
        f"There is no method {name!r:.80}", f"the methods are {', '.join(known)}", f"Correct it{nearest(name, known)}."
    )


def methods_for(
    task: str, kind: str, gpu: Gpu | None, pretrained: bool = True, architecture: str | None = None
) -> tuple[Method, ...]:
    """The methods that can be offered: for the kind of model, by what this version trains, on this device."""
    return tuple(each for each in methods() if _why_not(each, task, kind, gpu, pretrained, architecture) is None)


def require_method(
    name: str, task: str, kind: str, gpu: Gpu | None, pretrained: bool = True, architecture: str | None = None
) -> Method:
    """The method that was asked for; raises UsageError with what is possible instead."""

    def why_not(method: Method) -> str | None:
        return _why_not(method, task, kind, gpu, pretrained, architecture, asked=True)

    method = find_method(name)
    why = why_not(method)
    if why is None:
        return method
    able = [each.id for each in methods() if why_not(each) is None]
    raise UsageError(
        f"{method.id} cannot train {named(kind) if pretrained else 'a model from random weights'} for {task}",
        why,
        f"Possible here: {', '.join(able)}{nearest(name, tuple(able))}.",
    )


def named(kind: str) -> str:
    """`an encoder`, `a language model`: a kind of model in words."""
    return _KIND_NAMES[kind]


def _why_not(
    method: Method,
    task: str,
    kind: str,
    gpu: Gpu | None,
    pretrained: bool,
    architecture: str | None,
    asked: bool = False,
) -> str | None:
    """Why a method cannot be used, None where it can; what is only slow is not offered but done when asked for."""
    if kind not in method.kinds:
        return f"{method.what}; that is for {', '.join(_KIND_NAMES[each] for each in method.kinds)}"
    refusal = method_refusal(method.id, task, kind, architecture)
    if refusal is not None:
        return refusal
    if not pretrained and method.id != "full":
        return f"{method.id} adapts weights that already know something; random ones know nothing"
    if method.id == "qlora":
        capability = capability_of(gpu)
        if gpu is None and not asked:
            return "on a CPU it saves memory and costs much time"
        if capability is not None and capability < _OLDEST_FOR_4_BITS:
            return f"4-bit weights need compute capability 6.0, and this GPU has {capability[0]}.{capability[1]}"
    return None
