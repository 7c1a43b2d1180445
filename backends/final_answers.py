"""The final result at the end of an answer with steps: found, and compared by value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

_MARKED = re.compile(r"####[ \t]*([^\n]+)")
_TAGGED = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL | re.IGNORECASE)
_SPOKEN = re.compile(r"(?:final answer|the answer)(?: is)?\s*:?\s*([^\n]+?)\.?\s*$", re.IGNORECASE)
_WRAPPED = re.compile(r"\\(?:text|mathrm|mathbf)\{([^{}]*)\}")
_SHARE = 0.8


def final_answer(text: str) -> str | None:
    r"""What stands last after ####, in \boxed{...}, in <answer> tags or behind `the answer is`; None without these."""
    boxed = _boxed(text)
    if boxed is not None:
        return _plain(boxed)
    for pattern in (_MARKED, _TAGGED, _SPOKEN):
        found = pattern.findall(text.strip())
        if found:
            return _plain(found[-1])
    return None


def end_in_results(answers: Sequence[str]) -> bool:
    """Whether nearly every answer ends in a final result, so that answers can be checked."""
    return bool(answers) and sum(final_answer(each) is not None for each in answers) >= _SHARE * len(answers)


def exact_match(said: Sequence[str], wanted: Sequence[str]) -> float:
    """The share of answers whose final result is the wanted one; rows without a wanted result do not count."""
    pairs = [(final_answer(one), final_answer(other)) for one, other in zip(said, wanted)]
    counted = [(one, other) for one, other in pairs if other is not None]
    return sum(one is not None and same(one, other) for one, other in counted) / max(1, len(counted))


def same(one: str, other: str) -> bool:
    """Whether two results are the same text, or numbers of the same value."""
    if one == other:
        return True
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False


def _boxed(text: str) -> str | None:
    """What stands in the last box, with the braces inside it."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    start += len("\\boxed{")
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place]
    return None


def _plain(result: str) -> str:
    """A result without signs of currency and percent, separators of thousands, and how it was set."""
    bare = _WRAPPED.sub(r"\1", result).strip().strip("$").rstrip(".").strip()
    bare = bare.removesuffix("%").removesuffix("\\").removeprefix("\\$").removeprefix("$").strip()
    without = re.sub(r"(?<=\d),(?=\d{3}\b)", "", bare)
    return " ".join(without.split()).casefold()
