"""Where to start: the settings for a task, its data and its model, each with the reason for its value."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile
from backends.registry import Task


@dataclass(frozen=True)
class Setting:
    """A value and why it was chosen."""

    value: Any
    reason: str


@cache
def _rules() -> tuple[Mapping[str, Any], ...]:
    path = Path(__file__).with_name("starting_settings.toml")
    return tuple(tomllib.loads(path.read_text(encoding="utf-8"))["rule"])


def starting_settings(task: Task, method: str, model: str, data: DatasetProfile) -> dict[str, Setting]:
    """The settings to start with; what is not named here keeps the default of the task's options."""
    family = task.module.rpartition(".")[2]
    facts = {"rows": data.training_rows, "from_scratch": model.startswith("preset:"), "method": method}
    chosen: dict[str, Setting] = {}
    for rule in _rules():
        if rule["family"] == family and rule["setting"] not in chosen and _holds(rule, facts):
            source = f" ({rule['source']})" if "source" in rule else ""
            chosen[rule["setting"]] = Setting(rule["value"], rule["reason"] + source)
    lengths = data.stats.get("lengths")
    if lengths:
        tagged = family == "token_classification"
        chosen["max_length"] = _length(lengths, 128 if tagged else 16, "read in parts" if tagged else "cut")
    return chosen


def _holds(rule: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    if facts["rows"] >= rule.get("rows_below", float("inf")) or facts["rows"] < rule.get("rows_from", 0):
        return False
    return all(rule[key] == facts[key] for key in ("from_scratch", "method") if key in rule)


def _length(lengths: Mapping[str, Any], least: int, longer: str) -> Setting:
    """Room for 95 of 100 texts and a quarter more, since tokens are only estimated; a multiple of 8 up to 512."""
    wanted = int(lengths["p95"] * 1.25) + 2
    value = min(512, max(least, -(-wanted // 8) * 8))
    reason = f"95% of the texts are under about {lengths['p95']} tokens; longer ones are {longer}"
    return Setting(value, reason)
