"""From a model and a few settings to the memory that training it takes, without any data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.contract import UsageError, nearest
from backends.options import SETTING_ALIASES, convert_value
from forge_tui.model_folders import find_any_model
from profiles.catalog import KIND_TASKS, Model, catalog
from profiles.device import Device, choose_device
from profiles.hardware import Hardware
from profiles.methods import methods_for, require_method
from profiles.options import gib, is_preset
from profiles.plan_memory import PlanMemory, memory_of
from profiles.strategies import find_strategy
from profiles.trainer_setups import trainer_setup

# What memory depends on, with a value of the kind that each takes.
_SETTINGS: Mapping[str, Any] = {
    "max_length": 512,
    "per_device_train_batch_size": 8,
    "gradient_checkpointing": True,
    "gradient_accumulation_steps": 1,
    "optim": "adamw_torch_fused",
    "lora_r": 16,
    "lora_dropout": 0.0,
    "target_modules": "all-linear",
    "num_virtual_tokens": 20,
    "max_completion_length": 256,
    "max_target_length": 128,
    "packing": False,
    "max_seconds": 15.0,
}
_NUMBERS = ("max_length", "per_device_train_batch_size", "lora_r", "num_virtual_tokens", "gradient_accumulation_steps")
_DEFAULT_METHOD = {"causal-lm": "lora", "vision-language": "lora"}


@dataclass(frozen=True)
class EstimateRequest:
    """What was asked for; `settings` carry the names of the library that takes them."""

    model: str
    method: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None
    strategy: str | None = None
    download: bool = False


@dataclass(frozen=True)
class Estimated:
    """The memory with what it was worked out for; `advice` says what to do where it does not fit."""

    model: Model
    method: str
    device: Device
    memory: PlanMemory

    @property
    def advice(self) -> str:
        """What makes it fit, in a sentence."""
        return advice(self.model, self.memory)


def advice(model: Model, memory: PlanMemory) -> str:
    """Why a model is too large and what makes it fit."""
    size = memory.total_bytes if memory.total_bytes is not None else sum(memory.components.values())
    free = "an unknown amount" if memory.free_bytes is None else gib(memory.free_bytes)
    told = f"{model.id} is too large: it takes about {gib(size)}, and {free} is free."
    if memory.largest_batch:
        rows = "row" if memory.largest_batch == 1 else "rows"
        return f"{told} {memory.largest_batch} {rows} at once would fit."
    if memory.cheapest is None:
        return f"{told} Choose a smaller model, or a larger machine."
    return f"{told} It would fit with {memory.cheapest.what}: {gib(memory.cheapest.total_bytes)}."


def make_estimate(request: EstimateRequest, hardware: Hardware) -> Estimated:
    """The memory of a request on a machine; raises UsageError for what is not possible, with what is."""
    model = find_any_model(request.model, request.download)
    if model.kind == "trees":
        raise UsageError(
            f"What {model.id} takes depends on the table",
            "trees are made from rows and columns, and there is no data here",
            "Give the data: forge-tui plan --data TABLE",
        )
    tasks = KIND_TASKS[model.kind]
    if request.task is not None and request.task not in tasks:
        raise UsageError(
            f"{model.id} cannot do {request.task!r:.80}",
            f"its kind does {', '.join(sorted(tasks))}",
            f"Choose one of these{nearest(request.task, tuple(tasks))}, or leave --task out.",
        )
    if request.strategy is not None:
        find_strategy(request.strategy)
    settings = _typed(request.settings)
    length = settings.get("max_length")
    if length is not None and model.context is not None and length > model.context:
        raise UsageError(
            f"{model.id} cannot read {length:,} tokens at once",
            f"it reads {model.context:,} at most",
            f"Ask for no more: --seq-length {model.context}, or choose a model that reads longer texts.",
        )
    device = choose_device(hardware)
    task = request.task or next(iter(model.tasks), min(tasks))
    strategy = request.strategy or ("reward" if task == "reward-modeling" else None)
    method = request.method or ("full" if is_preset(model) else _DEFAULT_METHOD.get(model.kind, "full"))
    require_method(method, task, model.kind, device.gpu, not is_preset(model), model.architecture)
    on_gpu = device.gpu is not None
    setup = trainer_setup(model, method, settings, on_gpu, request.task, strategy)
    able = [each.id for each in methods_for(task, model.kind, device.gpu, not is_preset(model), model.architecture)]
    smaller = [each for each in catalog() if each.kind == model.kind and each.open_licence and not is_preset(each)]
    return Estimated(model, method, device, memory_of(model, setup, device.free_bytes, on_gpu, able, smaller))


def _typed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by their own names, each of the right kind."""
    typed = {}
    for given, value in settings.items():
        name = SETTING_ALIASES.get(given, given)
        if name not in _SETTINGS:
            raise UsageError(
                f"Memory does not depend on {given!r:.80}",
                f"it depends on {', '.join(_SETTINGS)}",
                f"Leave it out{nearest(name, tuple(_SETTINGS))}.",
            )
        parsed = convert_value(type(_SETTINGS[name]), value)
        if parsed is None or (name in _NUMBERS and not 1 <= parsed <= 10_000_000):
            kind = "a whole number from 1" if name in _NUMBERS else f"of the kind of {_SETTINGS[name]!r}"
            raise UsageError(f"{given} = {value!r:.80} is not possible", f"it must be {kind}", "Give another value.")
        typed[name] = parsed
    return typed
