"""The decision framework as read from decision.toml: answers, approaches, rules, and when a rule holds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

UNKNOWN = "unknown"
FILE = Path(__file__).with_name("decision.toml")

# Answers as conditions read them: what was not answered is "unknown", an unknown number of examples None.
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Condition:
    """What must be true of the answers: one of some values for a question, or not, and a range of examples."""

    one_of: tuple[tuple[str, frozenset[str]], ...] = ()
    none_of: tuple[tuple[str, frozenset[str]], ...] = ()
    examples_from: int | None = None
    examples_below: int | None = None

    @property
    def keys(self) -> frozenset[str]:
        """The questions it asks about, `examples` left out."""
        return frozenset(key for key, _ in (*self.one_of, *self.none_of))

    def holds(self, facts: Facts) -> bool:
        """Whether every part is true; a range of examples is not while their number is unknown."""
        for key, values in self.one_of:
            if facts[key] not in values:
                return False
        for key, values in self.none_of:
            if facts[key] in values:
                return False
        if self.examples_from is None and self.examples_below is None:
            return True
        examples = facts["examples"]
        if examples is None or (self.examples_from is not None and examples < self.examples_from):
            return False
        return self.examples_below is None or bool(examples < self.examples_below)


@dataclass(frozen=True)
class Rule:
    """What speaks for or against one approach: a weight in points, or a bar that rules it out."""

    approach: str
    weight: int = 0
    bar: bool = False
    when: Condition = field(default_factory=Condition)
    unless: Condition | None = None
    says: str | None = None
    against: str | None = None

    def fires(self, facts: Facts) -> bool:
        """Whether it says something about these answers."""
        return self.when.holds(facts) and not (self.unless is not None and self.unless.holds(facts))


@dataclass(frozen=True)
class Approach:
    """One way to get there, and how it compares; `needs` is the least number of examples, None where it needs none."""

    id: str
    title: str
    name: str
    base: int
    comparison: Mapping[str, str]
    short: Mapping[str, str]
    needs: int | str | None = None
    needs_documents: bool = False


@dataclass(frozen=True)
class Remark:
    """A sentence for those whose approach and answers it fits: a combination, a warning or a common mistake."""

    says: str
    approaches: tuple[str, ...]
    when: Condition
    name: str | None = None


@dataclass(frozen=True)
class Way:
    """The way for a kind of data, from the cheapest that might do; `practice` is the habit that pays most."""

    modality: tuple[str, ...]
    practice: str
    steps: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Decision:
    """Everything in decision.toml."""

    thresholds: Mapping[str, int]
    other_tasks: Mapping[str, str]
    answers: Mapping[str, Mapping[str, Any]]
    approaches: tuple[Approach, ...]
    rules: tuple[Rule, ...]
    combinations: tuple[Remark, ...]
    warnings: tuple[Remark, ...]
    mistakes: tuple[Remark, ...]
    ways: tuple[Way, ...]
    use_cases: Mapping[str, Mapping[str, str]]

    def threshold(self, named: str | int) -> int:
        """A number of examples from its name in [thresholds], or itself."""
        return self.thresholds[named] if isinstance(named, str) else named


@cache
def decision() -> Decision:
    """The framework, read once."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    groups = {name: frozenset(tasks) for name, tasks in tables["task_groups"].items()}

    def condition(written: Mapping[str, Any]) -> Condition:
        return _condition(written, tables["thresholds"], groups)

    def remarks(kind: str) -> tuple[Remark, ...]:
        return tuple(
            Remark(entry["says"], tuple(entry["with"]), condition(entry.get("when", {})), entry.get("name"))
            for entry in tables[kind]
        )

    def rule(entry: Mapping[str, Any]) -> Rule:
        conditions = {key: condition(entry[key]) for key in ("when", "unless") if key in entry}
        return Rule(**{**entry, **conditions})

    return Decision(
        thresholds=tables["thresholds"],
        other_tasks=tables["other_tasks"],
        answers=tables["answers"],
        approaches=tuple(Approach(**entry) for entry in tables["approach"]),
        rules=tuple(rule(entry) for entry in tables["rule"]),
        combinations=remarks("combination"),
        warnings=remarks("warning"),
        mistakes=remarks("mistake"),
        ways=tuple(Way(tuple(each["modality"]), each["practice"], tuple(each["steps"])) for each in tables["path"]),
        use_cases={entry["id"]: entry for entry in tables["use_case"]},
    )


def _condition(
    written: Mapping[str, Any], thresholds: Mapping[str, int], groups: Mapping[str, frozenset[str]]
) -> Condition:
    """A condition as written, with the thresholds and the groups of tasks filled in."""
    one_of, none_of, bounds = [], [], {}
    for key, wanted in written.items():
        if key in ("examples_from", "examples_below"):
            bounds[key] = thresholds[wanted] if isinstance(wanted, str) else wanted
        elif key == "task":
            one_of.append((key, groups[wanted]))
        elif key == "task_not":
            none_of.append(("task", groups[wanted]))
        else:
            one_of.append((key, frozenset(wanted)))
    return Condition(tuple(one_of), tuple(none_of), **bounds)
