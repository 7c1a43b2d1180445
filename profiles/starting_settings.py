"""Where to start: the settings for a task, its data, its model and its method, each with its reason and its source.

One TOML file a family of tasks lies in `profiles/settings/`. For each setting the first `[[rule]]` holds whose
conditions all do: `rows_below`, `rows_from` (training rows), `parameters_below`, `parameters_from` (of the model),
`free_gib_below`, `free_gib_from` (memory of the GPU), `tokens_below`, `tokens_from` (of plain texts, about; no bound
holds where its number is unknown), and `task`,
`strategy`, `method`, `from_scratch` and `architecture`, which name one value or several. A `[[length]]` takes its value
from the data: room for 95% of what stands under `of` in the statistics, from `least` up to `most` and never more than
the model reads; `longer` is what becomes of longer texts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile
from backends.options import TransformersOptions

_FAMILIES = {
    "tabular-classification": "tabular",
    "tabular-regression": "tabular",
    "text-classification": "text_classification",
    "sentence-pair-classification": "text_classification",
    "text-regression": "text_classification",
    "token-classification": "token_classification",
    "extractive-question-answering": "question_answering",
    "summarization": "sequence_to_sequence",
    "translation": "sequence_to_sequence",
    "text-to-text": "sequence_to_sequence",
    "text-generation": "language_model",
    "reward-modeling": "language_model",
    "image-classification": "image",
    "object-detection": "image",
    "visual-question-answering": "vision_language",
    "speech-recognition": "speech",
    "video-classification": "video",
}
_BOUNDS = ("rows", "parameters", "free_gib", "tokens")
_NAMED = ("task", "strategy", "method", "from_scratch", "architecture")
_SHORTEST = 16
_OF_EVERY_TASK = ("weight_decay", "per_device_eval_batch_size", "logging_steps", "eval_fraction", "seed")


@dataclass(frozen=True)
class Setting:
    """A value and why it was chosen; the reason ends with its source."""

    value: Any
    reason: str


@dataclass(frozen=True)
class Situation:
    """What the settings depend on; what is unknown is None.

    `context` is the longest input of the model in tokens, `free_gib` the free memory of the GPU, where there is one.
    """

    task: str
    method: str
    from_scratch: bool = False
    strategy: str | None = None
    parameters: int | None = None
    architecture: str | None = None
    context: int | None = None
    free_gib: float | None = None


@cache
def _tables(family: str) -> Mapping[str, Any]:
    path = Path(__file__).with_name("settings") / f"{family}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def starting_settings(situation: Situation, data: DatasetProfile) -> dict[str, Setting]:
    """The settings to start with; what is not named here keeps the default of the library or of the task's options."""
    tables = _tables(_FAMILIES[situation.task])
    facts = {**vars(situation), "rows": data.training_rows, "tokens": data.stats.get("tokens_about")}
    chosen: dict[str, Setting] = {}
    for rule in tables["rule"]:
        if rule["setting"] not in chosen and _holds(rule, facts):
            chosen[rule["setting"]] = Setting(rule["value"], f"{rule['reason']} ({rule['source']})")
    for rule in tables.get("length", ()):
        lengths = data.stats.get(rule["of"])
        if lengths and rule["setting"] not in chosen and _holds(rule, facts):
            chosen[rule["setting"]] = _length(lengths, rule, situation.context)
    return chosen


def known_settings(task: str) -> dict[str, Any]:
    """The settings of a task that is trained by gradient steps, each with one of its values.

    They are those that its rules name and those that every such task has.
    """
    tables = _tables(_FAMILIES[task])
    named = {rule["setting"]: rule["value"] for rule in tables["rule"]}
    lengths = {rule["setting"]: rule["most"] for rule in tables.get("length", ())}
    every = {entry.name: entry.default for entry in fields(TransformersOptions) if entry.name in _OF_EVERY_TASK}
    return {**named, **lengths, **every, "max_steps": 1000, "eval_steps": 100, "save_steps": 100}


def _holds(rule: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    for name in _BOUNDS:
        below, least = rule.get(f"{name}_below"), rule.get(f"{name}_from")
        value = facts[name]
        if (below is not None or least is not None) and value is None:
            return False
        if (below is not None and value >= below) or (least is not None and value < least):
            return False
    for name in _NAMED:
        if name in rule:
            allowed = rule[name] if isinstance(rule[name], list) else [rule[name]]
            if facts[name] not in allowed:
                return False
    return True


def _length(lengths: Mapping[str, Any], rule: Mapping[str, Any], context: int | None) -> Setting:
    """Room for 95 of 100 texts and a quarter more, since tokens are only estimated; a multiple of 8.

    A rule may say that there are so many `times` as many tokens and so many `more`, and why (`with`).
    """
    wanted = int(lengths["p95"] * rule.get("times", 1) * 1.25) + rule.get("more", 0) + 2
    value = max(rule.get("least", _SHORTEST), -(-wanted // 8) * 8)
    longer = rule.get("longer", "cut")
    about = f"95% of the texts are under about {lengths['p95']} tokens"
    about += f"; {rule['with']}" if "with" in rule else ""
    if context is not None and context < min(value, rule["most"]):
        return Setting(context, f"{about}, but the model reads at most {context:,}; longer ones are {longer}")
    if value > rule["most"]:
        return Setting(rule["most"], f"{about}; what is longer than {rule['most']:,} is {longer} ({rule['source']})")
    return Setting(value, f"{about}; longer ones are {longer}")
