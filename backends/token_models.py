"""What counting tokens reaches on the same rows: uniform, unigram and bigram models, scored as a language model is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

NOT_LEARNED = -100


def token_models(
    train: Iterable[tuple[Sequence[int], Sequence[int]]],
    evaluation: Iterable[tuple[Sequence[int], Sequence[int]]],
    vocabulary: int,
) -> dict[str, dict[str, float]]:
    """Loss, perplexity and token accuracy of each model on the tokens that bear loss; rows are (input_ids, labels).

    Unseen tokens get their share by Witten and Bell 1991: as often as something new was seen before.
    """
    before, after = _pairs(train)
    given, wanted = _pairs(evaluation)
    if not len(wanted) or not len(after):
        return {}
    counts = np.bincount(after, minlength=vocabulary).astype(np.float64)
    kinds = np.count_nonzero(counts)
    shares = (counts + kinds / vocabulary) / (counts.sum() + kinds)
    commonest = int(counts.argmax())
    numbers, pair_counts = np.unique(before * vocabulary + after, return_counts=True)
    firsts = numbers // vocabulary
    seen = np.bincount(before, minlength=vocabulary).astype(np.float64)
    followers = np.bincount(firsts, minlength=vocabulary).astype(np.float64)
    places = np.searchsorted(numbers, given * vocabulary + wanted)
    places = np.minimum(places, len(numbers) - 1)
    known = np.where(numbers[places] == given * vocabulary + wanted, pair_counts[places], 0)
    weights = followers[given]
    likely = (known + weights * shares[wanted]) / np.maximum(seen[given] + weights, 1)
    likely = np.where(seen[given] > 0, likely, shares[wanted])
    nexts = np.full(vocabulary, commonest)
    order = np.argsort(pair_counts, kind="stable")
    nexts[firsts[order]] = (numbers % vocabulary)[order]  # the last written is the commonest
    return {
        "uniform": loss_scores(math.log(vocabulary), 1 / vocabulary),
        "unigram": _scores(shares[wanted], wanted == commonest),
        "bigram": _scores(likely, nexts[given] == wanted),
    }


def _pairs(rows: Iterable[tuple[Sequence[int], Sequence[int]]]) -> tuple[Any, Any]:
    """Each token that bears loss with the one before it."""
    befores, afters = [], []
    for ids, labels in rows:
        one, other = np.asarray(ids, dtype=np.int64)[:-1], np.asarray(labels, dtype=np.int64)[1:]
        befores.append(one[other != NOT_LEARNED])
        afters.append(other[other != NOT_LEARNED])
    empty = np.zeros(0, dtype=np.int64)
    return np.concatenate([*befores, empty]), np.concatenate([*afters, empty])


def _scores(likely: Any, right: Any) -> dict[str, float]:
    return loss_scores(float(-np.log(likely).mean()), float(right.mean()))


def loss_scores(loss: float, accuracy: float) -> dict[str, float]:
    """The scores of a language model under their names in reports; a loss too large for a perplexity gives infinity."""
    return {
        "eval_loss": loss,
        "perplexity": math.exp(loss) if loss < 700 else math.inf,
        "token_accuracy": accuracy,
    }
