"""Exact match and F1 of answers as SQuAD defines them, and the threshold from which on no answer is given."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

Golds = Sequence[Sequence[str]]


def normalised(answer: str) -> str:
    """An answer as SQuAD compares it: without case, punctuation, the articles a, an, the, and further spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


@dataclass(frozen=True)
class Match:
    """How well one answer fits the accepted ones, the best of them counting."""

    exact: float
    f1: float


def match(said: str | None, golds: Sequence[str]) -> Match:
    """Compare what was said, None for no answer, with the accepted answers; none of them means that none is right.

    The definition is that of the official script of SQuAD 2.0: accepted answers that are nothing but articles and
    punctuation do not count, and where one side is empty both must be.
    """
    accepted = [gold for gold in map(normalised, golds) if gold] or [""]
    ours = normalised(said or "")
    return Match(float(ours in accepted), max(_word_f1(ours, gold) for gold in accepted))


def _word_f1(ours: str, gold: str) -> float:
    one, other = ours.split(), gold.split()
    if not one or not other:
        return float(one == other)
    same = sum((Counter(one) & Counter(other)).values())
    return 2 * same / (len(one) + len(other))


def answer_scores(said: Sequence[str | None], golds: Golds) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Exact match and F1 over all questions, 0 to 1; and the same apart for those with and without an answer."""
    matches = [match(*each) for each in zip(said, golds, strict=True)]
    kinds = {
        "answerable": [each for each, gold in zip(matches, golds) if gold],
        "unanswerable": [each for each, gold in zip(matches, golds) if not gold],
    }
    parted = {name: {**_mean(some), "count": len(some)} for name, some in kinds.items() if some}
    return _mean(matches), parted if len(parted) > 1 else {}


def _mean(matches: Sequence[Match]) -> dict[str, float]:
    return {
        "exact_match": sum(each.exact for each in matches) / len(matches),
        "f1": sum(each.f1 for each in matches) / len(matches),
    }


def best_threshold(said: Sequence[str | None], margins: Sequence[float], golds: Golds) -> float:
    """The threshold with the best exact match, then F1, then nearest to 0: beyond it no answer is given.

    said: the best answer to each question, whatever `no answer` scores; margins: how far that is above it.
    """
    gains = []
    for answer, margin, gold in zip(said, margins, golds, strict=True):
        with_answer, without = match(answer, gold), match(None, gold)
        gains.append((margin, with_answer.exact - without.exact, with_answer.f1 - without.f1))
    gains.sort()
    finite = [margin for margin, _, _ in gains if margin != float("inf")]
    if not finite:
        return 0.0
    # Below all margins nothing is answered; each step further answers one question more.
    best, threshold = (0.0, 0.0), _between(None, finite[0])
    exact = f1 = 0.0
    for place, (margin, more_exact, more_f1) in enumerate(gains[: len(finite)]):
        exact, f1 = exact + more_exact, f1 + more_f1
        following = finite[place + 1] if place + 1 < len(finite) else None
        if following == margin:
            continue
        here, reached = _between(margin, following), (round(exact, 9), round(f1, 9))
        if reached > best or (reached == best and abs(here) < abs(threshold)):
            best, threshold = reached, here
    return threshold


def _between(low: float | None, high: float | None) -> float:
    """A threshold from `low` on and below `high`: 0 where that is possible, else well off both."""
    if low is None:
        assert high is not None
        return min(0.0, high - 1.0)
    if high is None:
        return max(0.0, low)
    return 0.0 if low <= 0.0 < high else (low + high) / 2
