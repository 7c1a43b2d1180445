"""What a trainer really does for a task, a model and a method: precision, loss, checkpoints, further models.

Language models are trained as TRL 1.12 does by default: activations are not kept but made again, logits are made a few
at a time, adapters learn in 32 bits beside weights of 16, beside 4-bit weights in 16. All other models have 32-bit
weights and 16-bit arithmetic on a GPU, as in `backends/`; on a CPU everything has 32 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backends.contract import UsageError, nearest
from profiles.catalog import Model
from profiles.memory_stacks import picture_tokens
from profiles.strategies import HEAD, SORTING, find_strategy
from profiles.training_setup import ALL_TARGETS, OPTIMIZERS, Training

_WORDED = ("causal-lm", "vision-language", "encoder-decoder")
_LANGUAGE = ("causal-lm", "vision-language")
# The loss of these is made of whole logits, or of a score (TRL 1.12).
_WHOLE_LOGITS = ("dpo", "orpo", "kto", "ppo", "grpo")
_PAIRED = ("dpo", "orpo", "reward")
_TRYING = ("ppo", "grpo")
# Names of `optim` in Transformers' TrainingArguments; what is not named here has Adam's two moments.
_OPTIMIZERS: Mapping[str, str] = {
    "adamw_torch": "adamw_foreach",
    "adamw_torch_fused": "adamw",
    "adamw_8bit": "adamw8bit",
    "adamw_bnb_8bit": "adamw8bit",
    "paged_adamw_8bit": "paged_adamw8bit",
    "paged_adamw_32bit": "paged_adamw",
    "adafactor": "adafactor",
    "lion_32bit": "lion",
    "sgd": "sgd",
    "rmsprop": "rmsprop",
}
# These drop scores of attention while they learn (their configurations in Transformers 5.23). PyTorch's attention on a
# CPU has no kernel for that and keeps the scores of every pair of tokens; that on a GPU has one.
_DROPPED_SCORES = frozenset(
    {
        *("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "electra", "distilbert", "gpt2", "t5", "mt5"),
        *("wav2vec2", "hubert"),
    }
)
_BATCH, _LENGTH, _TARGET_LENGTH, _COMPLETION = 8, 512, 128, 256
_LABEL_TOKENS = 8  # of a long label: logits are made where its words come, and nowhere else
_TARGETS: Mapping[str, tuple[str, ...]] = {
    "q_proj": ("q",),
    "k_proj": ("k",),
    "v_proj": ("v",),
    "o_proj": ("o",),
    "query": ("q",),
    "key": ("k",),
    "value": ("v",),
    "gate_proj": ("gate",),
    "up_proj": ("up",),
    "down_proj": ("down",),
}


def trainer_setup(
    model: Model,
    method: str,
    settings: Mapping[str, Any],
    on_gpu: bool,
    task: str | None = None,
    strategy: str | None = None,
) -> Training:
    """One step as the trainer of a task does it with these settings; what they leave open is the trainer's default.

    Raises UsageError for an optimizer that is not known.
    """
    is_language = model.kind in _LANGUAGE
    adapts = method != "full"
    strategy = strategy if strategy != "reward" or task != "reward-modeling" else "reward"
    by_words = task == SORTING and is_language and strategy != HEAD
    sorts = task in (SORTING, "text-regression") and not by_words
    narrow = on_gpu and is_language and adapts and not sorts  # a head learns on weights of 32 bits
    scores = sorts or task == "reward-modeling" or strategy == "reward"
    loss = "none" if model.kind not in _WORDED or scores else "whole"
    if loss == "whole" and is_language and strategy not in _WHOLE_LOGITS and not by_words:
        loss = "chunked"
    length = int(settings.get("max_length") or _LENGTH)
    if model.context is not None:
        length = min(length, model.context)
    if model.kind == "vision-language" and model.shape is not None:
        length = max(length, (picture_tokens(model.shape) or 0) + 64)
    others, learning = _others(strategy, adapts)
    generated = 0
    if strategy in _TRYING:
        generated = int(settings.get("max_completion_length") or _COMPLETION)
    dropout = model.kind not in ("causal-lm", "vision-language", "image", "video")
    return Training(
        method=method,
        batch=int(settings.get("per_device_train_batch_size") or _BATCH),
        length=length,
        target_length=int(settings.get("max_target_length") or _TARGET_LENGTH)
        if model.kind in ("encoder-decoder", "speech")
        else None,
        weights="bf16" if narrow else "fp32",
        autocast=on_gpu and method != "qlora",
        checkpointing=bool(settings.get("gradient_checkpointing", is_language and task != SORTING)),
        optimizer=_optimizer(settings.get("optim")),
        attention="eager" if not on_gpu and _drops_scores(model) else "sdpa",
        padded=model.kind in ("causal-lm", "encoder", "encoder-decoder", "vision-language")
        and not settings.get("packing"),
        loss=loss,
        accumulates=int(settings.get("gradient_accumulation_steps") or 1) > 1,
        dropout=dropout,
        lora_rank=int(settings.get("lora_r") or 16),
        lora_dropout=float(settings.get("lora_dropout") or 0.0),
        lora_targets=_targets(settings.get("target_modules")),
        adapter="bf16" if method == "qlora" and on_gpu else "fp32",
        virtual_tokens=int(settings.get("num_virtual_tokens") or 20),
        sequences=2 if strategy in _PAIRED else 1,
        others=others,
        others_learn=learning,
        generated=generated,
        answered=_LABEL_TOKENS if by_words else None,
        seconds=float(settings.get("max_seconds") or 15.0),
        front_learns=False,
    )


def _drops_scores(model: Model) -> bool:
    return model.shape is not None and model.shape.architecture in _DROPPED_SCORES


def _others(strategy: str | None, adapts: bool) -> tuple[int, int]:
    """Further models and how many of them learn: PPO's value model learns as the policy does (TRL 1.12)."""
    if strategy is None:
        return 0, 0
    known = find_strategy(strategy)
    return known.other_models_of_adapters if adapts else known.other_models, 1 if strategy == "ppo" else 0


def _optimizer(name: Any) -> str:
    if name is None:
        return "adamw"
    if name in OPTIMIZERS:
        return str(name)
    known = (*_OPTIMIZERS, *OPTIMIZERS)
    if name not in _OPTIMIZERS:
        raise UsageError(
            f"What the optimizer {name!r:.80} keeps is not known",
            f"known are {', '.join(_OPTIMIZERS)}",
            f"Choose one of them{nearest(str(name), known)}.",
        )
    return _OPTIMIZERS[name]


def _targets(wanted: Any) -> tuple[str, ...]:
    """The matrices that `target_modules` names; all of them for `all-linear` and for names that are not known."""
    names = wanted.split(",") if isinstance(wanted, str) else wanted or ()
    found = tuple(target for name in names for target in _TARGETS.get(str(name).strip(), ()))
    return found or ALL_TARGETS


def with_setting(setup: Training, name: str) -> Training:
    """A step with one of the changes that save memory."""
    return replace(setup, **_CHANGES[name](setup))


_CHANGES: Mapping[str, Any] = {
    "checkpointing": lambda setup: {"checkpointing": True},
    "chunked-loss": lambda setup: {"loss": "chunked"},
    "8-bit-optimizer": lambda setup: {"optimizer": "adamw8bit"},
    "lora": lambda setup: {"method": "lora", "weights": "bf16", "adapter": "fp32", "others_learn": 0},
    "qlora": lambda setup: {
        "method": "qlora",
        "weights": "bf16",
        "adapter": "bf16",
        "autocast": False,
        "others_learn": 0,
    },
}
