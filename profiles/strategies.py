"""How a language model should be trained: examples, preferences, marks or trying, by what the rows hold.

Texts are sorted by a new layer on top of a model, or by the words of the labels, which only a language model knows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile, UsageError, nearest

REWARD, REWARD_TASK = "reward", "reward-modeling"
HEAD, LABEL_WORDS, SORTING = "head", "label-words", "text-classification"
_TASKS = ("text-generation", REWARD_TASK)
_HELD = {
    "texts": "plain texts",
    "answers": "questions with answers",
    "marks": "answers marked good or bad",
    "preferences": "pairs of a better and a worse answer",
}


@dataclass(frozen=True)
class Strategy:
    """A way to train a model; `learns_from` are the kinds of rows it can use, `kinds` those of models, empty: all.

    `other_models` are in memory beside the one that learns; where adapters learn, some of them are the same model.
    `checkable` says that every answer must be one that can be checked; under `fewest_steps` hardly anything is learned.
    """

    id: str
    what: str
    learns_from: tuple[str, ...]
    task: str = "text-generation"
    other_models: int = 0
    other_models_of_adapters: int = 0
    checkable: bool = False
    fewest_steps: int | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """A strategy with the reason for it; that of a task which has only one way is None."""

    id: str | None
    reason: str


@dataclass(frozen=True)
class StrategyChoice:
    """What to start with, and what else the same rows could be used for, best first."""

    first: Chosen
    others: tuple[Chosen, ...] = ()


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("strategies.toml").read_text(encoding="utf-8"))


@cache
def strategies() -> tuple[Strategy, ...]:
    """Every strategy that is known, whether this version trains it or not."""
    return tuple(
        Strategy(**{**each, "learns_from": tuple(each["learns_from"]), "kinds": tuple(each.get("kinds", ()))})
        for each in _tables()["strategy"]
    )


def find_strategy(name: str) -> Strategy:
    """The strategy of that name; raises UsageError with the nearest."""
    for each in strategies():
        if each.id == name:
            return each
    known = tuple(each.id for each in strategies())
    raise UsageError(
        f"There is no strategy {name!r:.80}",
        f"the strategies are {', '.join(known)}",
        f"Correct the name{nearest(name, known)}.",
    )


def has_strategies(task: str) -> bool:
    """Whether the rows of a task can teach a model in more than one way, so that a person is asked."""
    return task in _TASKS


def held_by(roles: Collection[str]) -> str:
    """What rows with these roles hold: `texts`, `answers`, `marks` or `preferences`."""
    if {"chosen", "rejected"} <= set(roles):
        return "preferences"
    if "label" in roles:
        return "marks"
    return "texts" if set(roles) == {"text"} else "answers"


def choose_strategy(
    task: str,
    data: DatasetProfile,
    wanted: str | None = None,
    base_model: bool | None = None,
    kind: str | None = None,
) -> StrategyChoice:
    """The strategy for a task and its rows with the reason; a wish is kept where the rows allow it.

    `base_model` says whether the model that was asked for is one that never learned to answer, `kind` what it is; None
    where none was asked for. Raises UsageError for a strategy that is not known, that the task does not have or the
    rows cannot feed.
    """
    strategy = find_strategy(wanted) if wanted is not None else None
    if task == SORTING and (strategy is None or strategy.task == SORTING):
        return _sorting(data, strategy, kind)
    if not has_strategies(task):
        if strategy is not None:
            own = [each.id for each in strategies() if each.task == task]
            raise UsageError(
                f"{task} has no strategy {strategy.id!r}",
                f"it has {' and '.join(own)}"
                if own
                else f"it is trained in one way; strategies are for {' and '.join((*_TASKS, SORTING))}",
                "Leave --strategy out.",
            )
        return StrategyChoice(Chosen(None, "this task is trained in one way"))
    holds = _held(data)
    if strategy is not None and strategy.task != task:
        raise UsageError(
            f"{task} has no strategy {strategy.id!r}",
            f"{strategy.what}: that is the task {strategy.task}",
            f"Use --task {strategy.task}{'' if strategy.task == REWARD_TASK else f' --strategy {strategy.id}'}.",
        )
    if strategy is not None and holds not in strategy.learns_from:
        fed = [each for each in strategies() if holds in each.learns_from and each.task == task]
        able = [each.id for each in fed if is_checkable(data) or not each.checkable]
        needed = " or ".join(_HELD[each] for each in strategy.learns_from)
        raise UsageError(
            f"{strategy.id} cannot learn from this data",
            f"it needs {needed}, and the rows hold {_HELD[holds]}",
            f"Possible here: {', '.join(able)}; or other data.",
        )
    ranked = _ranked(holds, data, base_model is True)
    if task == REWARD_TASK:
        reason = "you asked for a model that judges: it learns to score the better answer higher (Stiennon et al. 2020)"
        return StrategyChoice(Chosen(REWARD, reason), tuple(each for each in ranked if each.id != REWARD))
    if strategy is None:
        return StrategyChoice(ranked[0], ranked[1:])
    others = tuple(each for each in ranked if each.id != strategy.id)
    return StrategyChoice(Chosen(strategy.id, f"you chose it: {strategy.what}"), others)


def _sorting(data: DatasetProfile, wanted: Strategy | None, kind: str | None) -> StrategyChoice:
    """How texts are sorted: by the words of labels where a language model is asked for, else by a head."""
    several = bool(data.stats.get("several_labels"))
    by_words = Chosen(
        LABEL_WORDS,
        "a language model writes the label after the text, and only your labels can come out; a pretrained one knows "
        "what their words mean before it has seen a row, which counts most where rows are few",
    )
    by_head = Chosen(
        HEAD,
        "each of the labels of a row is judged by itself"
        if several
        else "one pass for a text, however many labels there are: quicker with dozens of them and many rows",
    )
    if wanted is None:
        if kind != "causal-lm":
            return StrategyChoice(Chosen(None, "this task is trained in one way"), () if several else (by_words,))
        return StrategyChoice(by_head) if several else StrategyChoice(by_words, (by_head,))
    if wanted.id == LABEL_WORDS and several:
        raise UsageError(
            f"{LABEL_WORDS} cannot learn from this data",
            "one label is written after a text, and these rows have any number of them",
            f"Use --strategy {HEAD}, which judges each label by itself.",
        )
    other = by_head if wanted.id == LABEL_WORDS else by_words
    return StrategyChoice(Chosen(wanted.id, f"you chose it: {wanted.what}"), () if several else (other,))


def is_checkable(data: DatasetProfile) -> bool:
    """Whether the data desk has found that every answer can be checked."""
    return any(each.strategy == "grpo" for each in data.proposals)


def warning_of(strategy: str | None, data: DatasetProfile) -> str | None:
    """What in the data speaks against a strategy that was asked for."""
    if strategy is None or not find_strategy(strategy).checkable or is_checkable(data):
        return None
    return (
        f"{strategy} learns from answers that can be checked, and those of your rows are free texts: it needs a "
        "function of your own that says how good an answer is; --strategy sft learns from them as they are"
    )


def too_few_steps(strategy: str | None, steps: int | None) -> str | None:
    """That a run is too short to teach anything by its strategy, where it is."""
    least = find_strategy(strategy).fewest_steps if strategy is not None else None
    if least is None or steps is None or steps >= least:
        return None
    taken = "1 step is" if steps == 1 else f"{steps} steps are"
    return (
        f"{taken} few for {strategy}: hardly anything changes in under {least}; more rows, or more passes "
        "(--set num_train_epochs=N)"
    )


def _held(data: DatasetProfile) -> str:
    """What the rows hold; texts that the desk reads as dialogues are answers."""
    holds = held_by(data.columns)
    dialogues = any(each.task == "text-generation" and each.strategy == "sft" for each in data.proposals[:1])
    return "answers" if holds == "texts" and dialogues else holds


def _ranked(holds: str, data: DatasetProfile, base_model: bool) -> tuple[Chosen, ...]:
    """The strategies for rows of a kind; what is only for checkable answers needs the desk to have found some."""
    checkable = is_checkable(data)
    rules = (each for each in _tables()["rule"] if each.get("base_model", base_model) == base_model)
    rule = next(each for each in rules if each["holds"] == holds)
    others = [each for each in rule.get("alternatives", ()) if checkable or not each.get("checkable")]
    return tuple(Chosen(each["strategy"], each["reason"]) for each in (rule, *others))
