"""The settings of every task, one source for the form, the command line and the documents; and how they are read.

Standard library only, because the app imports it. The names are those of the library that takes a setting. Here is what
several tasks have; the modules beside it hold what one kind of them has.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from itertools import permutations
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from backends.contract import UsageError, nearest

ASSUMED_ORDER = "assumed"
# As SNLI, MultiNLI and ANLI number them; some others begin with contradiction.
USUAL_ORDER = "entailment,neutral,contradiction"


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that carries what a person must know to change it."""
    return field(
        default=default,
        metadata={"help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices},
    )


@dataclass(frozen=True)
class TransformersOptions:
    """What every task of Transformers' Trainer can be set to; the names are those of TrainingArguments and PEFT.

    A task's own options inherit these, with other defaults where they suit it better.
    """

    num_train_epochs: float = option(3.0, "passes over the training rows", unit="epochs", minimum=0.001)
    max_steps: int | None = option(None, "optimizer steps; when set it overrules the epochs", unit="steps", minimum=1)
    learning_rate: float = option(3e-5, "size of the optimizer's steps", minimum=1e-9, maximum=1)
    per_device_train_batch_size: int = option(16, "rows a device works on at once", unit="rows", minimum=1)
    per_device_eval_batch_size: int = option(64, "rows a device scores at once", unit="rows", minimum=1)
    gradient_accumulation_steps: int = option(1, "batches added up before each optimizer step", minimum=1)
    max_length: int = option(256, "longest text in tokens; longer ones are cut", unit="tokens", minimum=4)
    weight_decay: float = option(0.01, "pull of the weights towards zero", minimum=0, maximum=1)
    warmup_steps: float = option(0.06, "steps of rising learning rate; under 1 a share of all steps", minimum=0)
    lr_scheduler_type: str = option(
        "linear",
        "how the learning rate falls",
        choices=("linear", "cosine", "constant", "constant_with_warmup", "polynomial"),
    )
    max_grad_norm: float = option(1.0, "longer gradients are cut to this length; 0 leaves them", minimum=0)
    optim: str | None = option(
        None,
        "the optimizer; unset is AdamW in one fused kernel, `adamw_bnb_8bit` keeps its state in 8 bits",
        choices=("adamw_torch_fused", "adamw_torch", "adamw_bnb_8bit", "paged_adamw_8bit", "adafactor", "sgd"),
    )
    gradient_checkpointing: bool = option(False, "activations are made again instead of kept: less memory, slower")
    train_sampling_strategy: str = option(
        "group_by_length",
        "texts of like length share a batch, which wastes less on padding, or rows come in random order",
        choices=("group_by_length", "random"),
    )
    freeze_layers: int | None = option(
        None, "for full: the embeddings and so many of the lowest layers do not learn; unset trains all", minimum=0
    )
    lora_r: int = option(8, "rank of the LoRA matrices", minimum=1)
    lora_alpha: int = option(16, "scale of the LoRA matrices", minimum=1)
    lora_dropout: float = option(0.05, "share of the adapter's inputs dropped while training", minimum=0, maximum=0.9)
    target_modules: str = option(
        "all-linear", "layers that LoRA adapts: all linear ones of the architecture, or names divided by commas"
    )
    use_dora: bool = option(False, "LoRA learns size and direction apart (DoRA): often better at low rank, slower")
    use_rslora: bool = option(False, "LoRA's scale falls with the root of the rank (rsLoRA), for ranks from 32 up")
    num_virtual_tokens: int = option(
        20, "learned vectors before the input, for prompt and prefix tuning", unit="tokens", minimum=1, maximum=1_000
    )
    added_tokens: str | None = option(
        None, "words of your own that the tokenizer shall never divide, divided by commas: each gets a vector"
    )
    report_to: str = option(
        "none",
        "a tracker that the curves are also written for, into the folder of the run: none is imported unless asked for",
        choices=("none", "tensorboard", "trackio", "wandb"),
    )
    logging_steps: int = option(1, "steps between two points of the training curve", unit="steps", minimum=1)
    eval_steps: int | None = option(None, "steps between two evaluations; unset means ten a run", minimum=1)
    save_steps: int | None = option(None, "steps between two checkpoints; unset means at each evaluation", minimum=1)
    eval_fraction: float = option(0.2, "share of the rows held out for evaluation", minimum=0.01, maximum=0.9)
    seed: int = option(42, "seed of the split and of every random choice", minimum=0, maximum=2**31 - 1)


@dataclass(frozen=True)
class PreparationOptions:
    """Which rows are used and how they are divided; only verdicts are named without being asked, and told."""

    bad_rows: str = option(
        "drop-empty",
        "what happens to rows that cannot be used: `drop-empty` leaves them out but stops at wrong numbers in the "
        "target, `drop` leaves all of them out, `stop` starts no run while there is one",
        choices=("drop-empty", "drop", "stop"),
    )
    drop_duplicates: bool = option(False, "rows that repeat an earlier one, but for case and spaces, are left out")
    label_separator: str | None = option(
        None, "the sign between the labels of a row that has several, such as `;`; lists need none"
    )
    merge_spellings: bool = option(False, "labels that differ in case only become the most frequent of them")
    verdict_order: str = option(
        ASSUMED_ORDER,
        "what 0, 1 and 2 stand for in pairs of premise and hypothesis: `assumed` is the order of most data, "
        "and is told, `off` leaves the numbers",
        choices=(ASSUMED_ORDER, *map(",".join, permutations(USUAL_ORDER.split(","))), "off"),
    )
    shortest: int | None = option(None, "shorter texts are left out", unit="tokens, about", minimum=0)
    longest: int | None = option(None, "longer texts are left out", unit="tokens, about", minimum=1)
    quality_column: str | None = option(None, "the column that holds a mark of quality for each row")
    quality_from: float | None = option(None, "rows with a lower mark of quality are left out")
    weight_column: str | None = option(None, "training sees a row as often as this column says; 0.5 is every second")
    group_column: str | None = option(None, "rows with the same value here stay on one side of the split")
    time_column: str | None = option(None, "the latest rows by this column are held out, not random ones")


SETTING_ALIASES = {"max_seq_length": "max_length", "num_boost_round": "n_estimators", "n_rounds": "n_estimators"}


Options = TypeVar("Options")


def options_class(name: str) -> type:
    """The class of settings that `module.Class` names, imported when it is asked for: to make all takes a while."""
    module, _, kind = name.partition(".")
    found: type = getattr(importlib.import_module(f"backends.options.{module}"), kind)
    return found


def parse_settings(options: type[Options], given: Mapping[str, Any], kind: str = "setting") -> Options:
    """Build the options from names and values as typed or as read from TOML.

    Raises UsageError naming the setting, the value and what is allowed; `kind` is what a setting is called there.
    """
    known = {entry.name: entry for entry in fields(options)}  # type: ignore[arg-type]
    hints = get_type_hints(options)
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = key if key in known else SETTING_ALIASES.get(key, key)
        if name not in known:
            raise UsageError(
                f"There is no {kind} {key!r}",
                f"there are {', '.join(known)}",
                f"Correct the name{nearest(key, tuple(known))}.",
            )
        values[name] = _parse_value(known[name], hints[name], value)
    return options(**values)


def _parse_value(entry: Field[Any], hint: Any, value: Any) -> Any:
    """Turn one value into the type of its field and check its limits."""
    allowed = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    wanted = next(kind for kind in allowed if kind is not NoneType)
    if NoneType in allowed and (value is None or str(value).strip().lower() in ("none", "null", "")):
        return None
    parsed = convert_value(wanted, ",".join(map(str, value)) if isinstance(value, list) and wanted is str else value)
    choices = entry.metadata.get("choices") or ()
    low, high = entry.metadata.get("minimum"), entry.metadata.get("maximum")
    problem = None
    if parsed is None:
        problem = f"it must be {_KIND_NAMES[wanted]}"
    elif choices and parsed not in choices:
        problem = f"it must be one of {', '.join(choices)}"
    elif low is not None and parsed < low:
        problem = f"it must be at least {low:g}"
    elif high is not None and parsed > high:
        problem = f"it must be at most {high:g}"
    elif wanted is int and abs(parsed) > LARGEST:
        problem = f"it must be at most {LARGEST:,}"
    if problem:
        default = "" if entry.default in (MISSING, None) else f", the default is {entry.default}"
        raise UsageError(
            f"{entry.name} = {value!r} is not possible",
            f"{problem}{default}",
            f"Give another value: {entry.metadata['help']}.",
        )
    return parsed


LARGEST = 10**12  # of whole numbers without a limit of their own: more steps, rows or bytes nobody means
_KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def convert_value(wanted: type, value: Any) -> Any:
    """`value` as int, float, bool or str; None when it is not one."""
    text = str(value).strip()
    if wanted is bool:
        return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}.get(text.lower())
    if wanted is str:
        return text
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    if wanted is int:
        return int(number) if number == int(number) else None
    return number
