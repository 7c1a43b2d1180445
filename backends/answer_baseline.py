"""What a simple way to find answers reaches: without it a score means nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.answer_metrics import best_threshold

_WORD = re.compile(r"\w+")
_LONGEST_ANSWER, _REACH, _MOST_QUESTIONS = 8, 10, 2_000


def nearest_words(
    train: Sequence[tuple[str, str, tuple[int, int] | None]], asked: Sequence[tuple[str, str]], seed: int
) -> list[str | None]:
    """For each (question, context) the words that stand nearest to rare words of the question and look like answers.

    train: question, context and the characters of the answer, None where there is none. How answers look is how long
    they are and how their first and last word are written, after each first word of a question: who asks for capitals.
    None is given where too little speaks for any words, where some training questions have no answer.
    """
    model = _NearestWords(train)
    found = [model.best(question, context) for question, context in asked]
    if all(span is not None for *_, span in train):
        return [text for text, _ in found]
    chosen = np.random.default_rng(seed).permutation(len(train))[:_MOST_QUESTIONS].tolist()
    tried = [model.best(*train[index][:2]) for index in chosen]
    golds = [[] if span is None else [context[slice(*span)]] for _, context, span in (train[index] for index in chosen)]
    threshold = best_threshold([text for text, _ in tried], [-score for _, score in tried], golds)
    return [text if -score <= threshold else None for text, score in found]


class _NearestWords:
    """Counts of training: in how many contexts a word stands, and how the answers look."""

    def __init__(self, train: Sequence[tuple[str, str, tuple[int, int] | None]]) -> None:
        contexts = {context for _, context, _ in train}
        self.contexts = len(contexts)
        self.standing = Counter(word for text in contexts for word in set(_WORD.findall(text.lower())))
        self.shapes = Counter(_kind(word) for text in contexts for word in _WORD.findall(text))
        self.looks, self.asking, self.lengths = Counter[Any](), Counter[str](), np.full(_LONGEST_ANSWER, 0.5)
        for question, context, span in train:
            words = _WORD.findall(context[slice(*span)]) if span is not None else []
            if words:
                self.looks[_first(question), _kind(words[0]), _kind(words[-1])] += 1
                self.asking[_first(question)] += 1
                self.lengths[min(len(words), _LONGEST_ANSWER) - 1] += 1

    def best(self, question: str, context: str) -> tuple[str | None, float]:
        """The words of the context with the highest score, and that score."""
        places = [match.span() for match in _WORD.finditer(context)]
        words = [context[start:end] for start, end in places]
        wanted = set(_WORD.findall(question.lower()))
        rare = {word: np.log((self.contexts + 1) / (self.standing[word] + 0.5)) for word in wanted}
        weights = np.array([rare.get(word.lower(), 0.0) for word in words])
        longest = min(_LONGEST_ANSWER, len(words))
        if not words or not (weights == 0).any():
            return None, -np.inf
        near = np.sqrt(1 / np.arange(1, _REACH + 1))
        padded = np.pad(weights, _REACH)
        before = np.convolve(padded, [0, *near])[_REACH : _REACH + len(words)]
        after = np.convolve(padded[::-1], [0, *near])[_REACH : _REACH + len(words)][::-1]
        scores = np.full((longest, len(words)), -np.inf)
        lengths = np.log(self.lengths / self.lengths.sum())
        kinds = [_kind(word) for word in words]
        looks = {pair: self._look(_first(question), *pair) for pair in ((a, b) for a in "dXx" for b in "dXx")}
        free = weights == 0
        for more in range(longest):
            last = len(words) - more
            if more:
                free = free[:last] & (weights[more:] == 0)
            look = np.array([looks[pair] for pair in zip(kinds, kinds[more:])]) + lengths[more]
            scores[more, :last] = np.where(free, before[:last] + after[more:] + 2 * look, -np.inf)
        more, first = divmod(int(scores.argmax()), len(words))
        return context[places[first][0] : places[first + more][1]], float(scores[more, first])

    def _look(self, asking: str, first: str, last: str) -> float:
        """The logarithm of how much more often answers begin and end like this than any words do, about."""
        likely = (self.looks[asking, first, last] + 0.1) / (self.asking[asking] + 1)
        common = [self.shapes[kind] / max(1, self.shapes.total()) for kind in (first, last)]
        return float(np.log(likely) - 0.5 * np.log(max(1e-6, common[0])) - 0.5 * np.log(max(1e-6, common[1])))


def _first(question: str) -> str:
    """The first word of a question: who, when, how."""
    return next(iter(_WORD.findall(question.lower())), "")


def _kind(word: str) -> str:
    """How a word is written: with digits, with a capital, or neither."""
    return "d" if any(letter.isdigit() for letter in word) else "X" if word[0].isupper() else "x"
