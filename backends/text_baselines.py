"""What can be written without any learning: parts of the source, or the target of a like row of the training data."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence

# Comparing with more rows finds little that is nearer, and the time grows with them.
MOST_ROWS = 50_000
_ROWS_AT_ONCE = 256
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[^\Wa-z_])|(?<=[。！？])|\n+")


def lead_sentences(text: str, count: int) -> str:
    """The first sentences of a text, which a summary of news hardly beats."""
    sentences = [part for part in _SENTENCE_END.split(text) if part.strip()]
    return " ".join(part.strip() for part in sentences[:count])


def commonest(targets: Sequence[str]) -> str:
    """The target that stands in most rows; of several the first."""
    return Counter(targets).most_common(1)[0][0]


def nearest_targets(sources: Sequence[str], targets: Sequence[str], asked: Sequence[str], seed: int) -> list[str]:
    """For each text that is asked the target of the training source that is most like it, by TF-IDF of its words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    kept = list(range(len(sources)))
    if len(kept) > MOST_ROWS:
        kept = sorted(random.Random(seed).sample(kept, MOST_ROWS))
    vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=100_000, token_pattern=r"(?u)\w+|[^\w\s]")
    known = vectorizer.fit_transform([sources[index] for index in kept]).T.tocsr()
    wanted = vectorizer.transform(asked)
    nearest = []
    for first in range(0, len(asked), _ROWS_AT_ONCE):
        likeness = wanted[first : first + _ROWS_AT_ONCE] @ known
        nearest += likeness.toarray().argmax(axis=1).tolist()
    return [targets[kept[index]] for index in nearest]
