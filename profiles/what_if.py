"""What would change the advice: answers are changed, the decision is made again, and what came out is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

from profiles.answers import Answers, counted
from profiles.decide import Outcome, Verdict, weigh
from profiles.decision_facts import decision

Value = str | int | None
# Changed only where nothing else would do: they say what the data is, not what is wanted of it.
_FACTS_OF_THE_DATA = ("modality",)
_NEVER_CHANGED = ("task", "use_case")
_MOST_CHANGES = 5


@dataclass(frozen=True)
class Change:
    """Other answers to some questions, and the approach that would then be recommended."""

    answers: Mapping[str, Value]
    approach: str
    words: str


@dataclass(frozen=True)
class Missing:
    """A question that was not answered, and what each answer that would change the advice leads to."""

    key: str
    would_give: Mapping[str, str]


def apply(answers: Answers, changed: Mapping[str, Any]) -> Answers:
    """The answers with some of them changed."""
    return replace(answers, **changed)


def single_changes(outcome: Outcome) -> list[Change]:
    """Every single other answer that changes the recommendation."""
    answers = outcome.answers
    changes = []
    for key, values in _other_values(answers):
        if key == "examples":
            changes += _other_amounts(outcome)
            continue
        for value in values:
            approach = weigh(apply(answers, {key: value})).recommended
            if approach != outcome.recommended:
                changes.append(Change({key: value}, approach, _words(key, value)))
    return changes


def changes_to(outcome: Outcome, verdict: Verdict, singles: list[Change]) -> list[Change]:
    """What would make another approach the recommended one: single changes, else the fewest found together."""
    approach = verdict.approach.id
    found = [each for each in singles if each.approach == approach]
    if found:
        return found
    starts: list[dict[str, Value]] = [{}] if verdict.fits_data else []
    starts += [
        {"modality": value, "task": None}
        for value in decision().answers["modality"]["values"]
        if value != outcome.answers.data_modality
    ]
    together = (_climb(outcome.answers, approach, start) for start in starts)
    return list(islice((change for change in together if change is not None), 1))


def missing(outcome: Outcome) -> list[Missing]:
    """The unanswered questions whose answers could change the recommendation, the most telling first."""
    answers = outcome.answers
    found = []
    for key, values in _other_values(answers, with_data=True):
        if getattr(answers, key) is not None or (key == "modality" and answers.data_modality is not None):
            continue
        would: dict[str, str] = {}
        if key == "examples":
            would = {each.words: each.approach for each in _other_amounts(outcome)}
        else:
            for value in values:
                approach = weigh(apply(answers, {key: value})).recommended
                if approach != outcome.recommended:
                    would[str(value)] = approach
        if would:
            found.append(Missing(key, would))
    return sorted(found, key=lambda each: -len(each.would_give))


def _other_values(answers: Answers, with_data: bool = False) -> Iterator[tuple[str, list[Value]]]:
    """Each question with its other values, the amounts of examples nearest to the present one first."""
    near = sorted(_amounts(), key=lambda amount: abs(amount - (answers.examples or 0)))
    yield "examples", [each for each in near if each != answers.examples]
    for key, entry in decision().answers.items():
        if key in _NEVER_CHANGED or (key in _FACTS_OF_THE_DATA and not with_data):
            continue
        yield key, [value for value in entry["values"] if value != getattr(answers, key)]


@cache
def _amounts() -> tuple[int, ...]:
    """Numbers of examples to try: none, and each side of every number that a rule speaks of."""
    conditions = [each for rule in decision().rules for each in (rule.when, rule.unless) if each is not None]
    bounds = [bound for each in conditions for bound in (each.examples_from, each.examples_below)]
    spoken = {bound for bound in bounds if bound is not None}
    return tuple(sorted({0, *spoken, *(each - 1 for each in spoken if each > 1)}))


def _other_amounts(outcome: Outcome) -> list[Change]:
    """For each other approach, the amounts of examples nearest to the present one that lead to it."""
    led = _led_by_amounts(outcome.answers)
    others = [approach for approach in dict.fromkeys(led.values()) if approach != outcome.recommended]
    changes = []
    for approach in others:
        value, words = _nearest_amount(outcome.answers, led, approach)
        changes.append(Change({"examples": value}, approach, words))
    return changes


def _led_by_amounts(answers: Answers) -> dict[int, str]:
    """The approach that each amount of examples leads to."""
    return {amount: weigh(apply(answers, {"examples": amount})).recommended for amount in _amounts()}


def _nearest_amount(answers: Answers, led: Mapping[int, str], approach: str) -> tuple[int, str]:
    """The amount nearest to the present one that leads to an approach, and the range it stands in, in words."""
    amounts = list(led)
    runs = _runs([amount for amount in amounts if led[amount] == approach], amounts)
    present = answers.examples if answers.examples is not None else amounts[-1]
    lowest, highest = min(runs, key=lambda run: min(abs(run[0] - present), abs(run[1] - present)))
    value = lowest if answers.examples is None or lowest > present else min(highest, present)
    return value, _amount_words(answers, lowest, highest, amounts[-1])


def _runs(leading: list[int], amounts: list[int]) -> list[tuple[int, int]]:
    """Neighbouring amounts as their first and last."""
    runs: list[tuple[int, int]] = []
    for amount in leading:
        position = amounts.index(amount)
        if runs and position and amounts[position - 1] == runs[-1][1]:
            runs[-1] = (runs[-1][0], amount)
        else:
            runs.append((amount, amount))
    return runs


def _amount_words(answers: Answers, lowest: int, highest: int, most: int) -> str:
    def of(count: int) -> str:
        return counted(replace(answers, examples=count))

    if highest == most:
        return f"you had {of(lowest)} or more"
    if lowest == 0:
        return f"you had {of(0)}" if highest == 0 else f"you had under {of(highest + 1)}"
    return f"you had {of(lowest).split(' ')[0]} to {of(highest)}"


def _words(key: str, value: Value) -> str:
    return str(decision().answers[key]["values"][value])


def _climb(answers: Answers, approach: str, start: Mapping[str, Value]) -> Change | None:
    """Change one answer after the other, each time the one that helps most; then take back what was not needed."""
    changed = dict(start)
    if not _verdict(weigh(apply(answers, changed)), approach).fits_data:
        return None
    for _ in range(_MOST_CHANGES):
        now = weigh(apply(answers, changed))
        if now.recommended == approach:
            break
        tries = [
            {**changed, key: value} for key, values in _other_values(answers) if key not in changed for value in values
        ]
        best = min(tries, key=lambda each: _distance(weigh(apply(answers, each)), approach))
        if _distance(weigh(apply(answers, best)), approach) >= _distance(now, approach):
            return None
        changed = best
    if weigh(apply(answers, changed)).recommended != approach:
        return None
    for key in [key for key in changed if key not in start]:
        less = {name: value for name, value in changed.items() if name != key}
        if weigh(apply(answers, less)).recommended == approach:
            changed = less
    if answers.task is None:
        changed.pop("task", None)
    return _in_words(answers, changed, approach)


def _verdict(outcome: Outcome, approach: str) -> Verdict:
    return next(each for each in outcome.verdicts if each.approach.id == approach)


def _distance(outcome: Outcome, approach: str) -> tuple[int, int, bool]:
    """How far an approach is from being recommended: what rules it out, the points it lacks, whether a tie is lost."""
    own = _verdict(outcome, approach)
    best = max(each.points for each in outcome.verdicts if not each.bars or each is own)
    return own.bars, best - own.points, outcome.recommended != approach


def _in_words(answers: Answers, changed: dict[str, Value], approach: str) -> Change:
    """Several changes as one, with the amount of examples nearest to the present one."""
    now = apply(answers, {**changed, "examples": answers.examples})
    said = []
    for key, value in changed.items():
        if key == "examples":
            changed[key], words = _nearest_amount(now, _led_by_amounts(now), approach)
            said.append(words)
        elif key != "task":
            said.append(_words(key, value))
    return Change(changed, approach, " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said))
