"""What a person says about a plan: every answer may be missing, and one that makes no sense is refused with the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from backends.contract import UsageError, nearest
from backends.registry import TASK_DATA
from profiles.decision_facts import UNKNOWN, decision

_EXAMPLES_FORM = "a whole number such as 1840, 1,840, 1e6, 1.5k or 5 million"
_MOST_EXAMPLES = 10**15
_TIMES = {"k": 10**3, "thousand": 10**3, "m": 10**6, "mio": 10**6, "million": 10**6, "b": 10**9, "billion": 10**9}
_NUMBER = re.compile(r"(\d{1,3}(?:[,_ ']\d{3})+|\d+)(\.\d+)?(?:e\+?(\d{1,2})|\s*([a-z]+))?", re.ASCII)
_NOT_KNOWN = (UNKNOWN, "?", "null")
# What people write for a value; the nearest name is told for everything else.
_ALSO = {
    "uniqueness": {"specialized": "specialised", "special": "specialised"},
    "explainable": {"true": "yes", "y": "yes", "false": "no", "n": "no"},
    "modality": {"texts": "text", "images": "image", "tabular": "table", "tables": "table", "speech": "audio"},
    "use_case": {"documents": "document-analysis", "support": "customer-service", "coding": "code"},
}


@dataclass(frozen=True)
class Answers:
    """The answers to the questions of the decision; None is unknown."""

    modality: str | None = None
    task: str | None = None
    examples: int | None = None
    budget: str | None = None
    deadline: str | None = None
    uniqueness: str | None = None
    accuracy: str | None = None
    knowledge: str | None = None
    volume: str | None = None
    explainable: str | None = None
    quality: str | None = None
    use_case: str | None = None

    @property
    def data_modality(self) -> str | None:
        """The modality that was answered, or the one that the task reads."""
        return self.modality or (task_modality(self.task) if self.task else None)

    def given(self) -> dict[str, str | int]:
        """What was answered, in order."""
        return {key: value for key in ANSWER_KEYS if (value := getattr(self, key)) is not None}

    def facts(self) -> dict[str, Any]:
        """The answers as rules read them: the modality follows from the task, what is open is "unknown"."""
        open_ones = {key: value or UNKNOWN for key, value in vars(self).items()}
        return {**open_ones, "modality": self.data_modality or UNKNOWN, "examples": self.examples}


ANSWER_KEYS = tuple(entry.name for entry in fields(Answers))


@cache
def known_tasks() -> Mapping[str, str]:
    """Every task the decision knows, and the modality it reads."""
    return {**{data.id: data.reads for data in TASK_DATA}, **decision().other_tasks}


def task_modality(task: str) -> str | None:
    """The modality that a task reads."""
    return known_tasks().get(task)


def valid_values(key: str) -> tuple[str, ...]:
    """The values that an answer may have; none for `examples`, which is a number."""
    if key == "task":
        return tuple(known_tasks())
    return tuple(decision().answers[key]["values"]) if key in decision().answers else ()


def parse_answers(pairs: Sequence[tuple[str, str]]) -> Answers:
    """Answers as typed, each a key and a value; `unknown` is an answer too.

    Raises UsageError for a key or a value that does not exist, a key with two values, and answers that contradict.
    """
    given: dict[str, Any] = {}
    for typed, value in pairs:
        key = _key(typed)
        parsed = _value(key, value)
        if key in given and given[key] != parsed:
            raise UsageError(
                f"{key} is answered twice: {shown(given[key])} and {shown(parsed)}",
                "each question has one answer",
                f"Keep one of them, or write {key}=unknown.",
            )
        given[key] = parsed
    answers = Answers(**given)
    refuse_contradiction(answers)
    return answers


def parse_pair(text: str, option: str = "--answer") -> tuple[str, str]:
    """`key=value` as two; raises UsageError when it is not of that form."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise UsageError(
            f"{option} {text!r} is not key=value",
            f"the keys are {', '.join(ANSWER_KEYS)}",
            f"Write for example {option} examples=800",
        )
    return key.strip(), value.strip()


def refuse_contradiction(answers: Answers) -> None:
    """Raises UsageError when the task reads something else than the data is said to be."""
    if answers.modality is None or answers.task is None:
        return
    reads = task_modality(answers.task)
    if reads == answers.modality:
        return
    fitting = ", ".join(task for task, modality in known_tasks().items() if modality == answers.modality)
    raise UsageError(
        f"modality={answers.modality} and task={answers.task} contradict each other",
        f"{answers.task} reads {_PLURALS[reads or UNKNOWN]}, not {_PLURALS[answers.modality]}",
        f"Leave modality out, or choose a task for {_PLURALS[answers.modality]}: {fitting}.",
    )


_PLURALS = {
    "text": "texts",
    "image": "images",
    "table": "tables",
    "audio": "recordings",
    "video": "videos",
    UNKNOWN: "something else",
}


def _key(typed: str) -> str:
    key = re.sub(r"[\s-]+", "_", typed.strip().lower())
    if key in ANSWER_KEYS:
        return key
    raise UsageError(
        f"There is no answer {typed!r}",
        f"the keys are {', '.join(ANSWER_KEYS)}",
        f"Correct the name{nearest(key, ANSWER_KEYS)}.",
    )


def _value(key: str, typed: str) -> str | int | None:
    word = typed.strip().lower()
    if word in _NOT_KNOWN or (word == "none" and key != "examples" and word not in valid_values(key)):
        return None
    if key == "examples":
        return _examples(typed)
    word = re.sub(r"[\s_]+", "-", word)
    word = _ALSO.get(key, {}).get(word, word)
    values = valid_values(key)
    if word in values:
        return word
    raise UsageError(
        f"{key} cannot be {typed!r}",
        f"it is one of {', '.join(values)}",
        f"Correct it{nearest(word, values)}, or write {key}=unknown.",
    )


def _examples(typed: str) -> int:
    """A count as people write it; a point stands before decimals and only with a word such as k or million."""
    word = typed.strip().lower()
    if word in ("no", "none"):
        return 0
    why = f"it is {_EXAMPLES_FORM}"
    if found := _NUMBER.fullmatch(word):
        whole, decimals, power, unit = found.groups()
        times = 10 ** int(power) if power is not None else _TIMES.get(unit or "")
        if (unit is None and decimals is None) or times:
            digits = re.sub(r"\D", "", whole)
            shift = len(decimals or ".") - 1
            if len(digits) + shift <= 18:
                count, rest = divmod(int(digits + (decimals or "")[1:]) * (times or 1), 10**shift)
                if not rest and count <= _MOST_EXAMPLES:
                    return count
                why = f"that is no whole number; {why}" if rest else f"that is more than there are; {why}"
            else:
                why = f"that is more than there are; {why}"
    elif re.fullmatch(r"[-−]\s*\d.*", word):
        why = f"there cannot be fewer than 0; {why}"
    raise UsageError(
        f"examples cannot be {_cut(typed)!r}", why, "Write how many labelled examples you have, or unknown."
    )


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def shown(value: str | int | None) -> str:
    """An answer as a person may write it."""
    return UNKNOWN if value is None else f"{value:,}" if isinstance(value, int) else value


def counted(answers: Answers) -> str:
    """`1,840 examples`, `1 row`, `no pictures`."""
    one, more = _NOUNS.get(answers.data_modality or UNKNOWN, ("example", "examples"))
    count: Mapping[int, str] = {0: f"no {more}", 1: f"1 {one}"}
    examples = answers.examples
    return f"an unknown number of {more}" if examples is None else count.get(examples, f"{examples:,} {more}")


_NOUNS = {
    "image": ("picture", "pictures"),
    "table": ("row", "rows"),
    "audio": ("recording", "recordings"),
    "video": ("clip", "clips"),
}
