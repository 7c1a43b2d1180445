"""What simple methods reach on the same rows: without them a score means nothing."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

# A linear model learns little more from further rows, and its time grows with them.
MOST_ROWS = 50_000
MOST_WORDS = 200_000


def majority_class(train_labels: Any, classes: int, rows: int) -> tuple[Any, Any]:
    """Predictions and probabilities that always name the commonest class; (rows,) and (rows, classes)."""
    shares = np.bincount(train_labels, minlength=classes) / len(train_labels)
    return np.full(rows, int(shares.argmax())), np.tile(shares, (rows, 1))


def linear_table_model(
    train: Any, targets: Any, evaluation: Any, kinds: tuple[str, ...], regression: bool, seed: int
) -> tuple[Any, Any]:
    """A logistic or ridge regression on scaled numbers and one-hot categories.

    train, evaluation: (rows, features) with NaN for missing. Returns predictions and, for classes, probabilities.
    """
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    train, targets = _sample(train, targets, seed)
    numbers = [index for index, kind in enumerate(kinds) if kind != "category"]
    categories = [index for index, kind in enumerate(kinds) if kind == "category"]
    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    coded = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=-1), OneHotEncoder(handle_unknown="ignore", max_categories=200)
    )
    model = Ridge() if regression else LogisticRegression(max_iter=500)
    pipeline = make_pipeline(make_column_transformer((scaled, numbers), (coded, categories)), model)
    pipeline.fit(train, targets)
    return pipeline.predict(evaluation), None if regression else pipeline.predict_proba(evaluation)


def tfidf_model(train: list[str], labels: Any, evaluation: list[str], seed: int) -> tuple[Any, Any]:
    """TF-IDF of words and word pairs with logistic regression: the classic text classifier."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, kept = _sample(np.array(train, dtype=object), labels, seed)
    pipeline = make_pipeline(_tfidf(), LogisticRegression(max_iter=500, C=10))
    pipeline.fit(texts, kept)
    return pipeline.predict(evaluation), pipeline.predict_proba(evaluation)


def tfidf_labels(train: list[str], labels: Any, evaluation: list[str], seed: int) -> Any:
    """The same with one model for each label; labels and what is returned are (rows, labels) of 0 and 1."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    texts, kept = _sample(np.array(train, dtype=object), labels, seed)
    vectorizer = _tfidf()
    seen, asked = vectorizer.fit_transform(texts), vectorizer.transform(evaluation)
    said = []
    for column in kept.T:
        model = LogisticRegression(max_iter=500, C=10) if len(set(column)) > 1 else DummyClassifier()
        said.append(model.fit(seen, column).predict(asked))
    return np.array(said).T


def tfidf_numbers(train: list[str], values: Any, evaluation: list[str], seed: int) -> Any:
    """TF-IDF of words and word pairs with ridge regression; returns (rows,) numbers."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    texts, kept = _sample(np.array(train, dtype=object), values, seed)
    return make_pipeline(_tfidf(), Ridge(alpha=1.0)).fit(texts, kept).predict(evaluation)


def _tfidf() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=100_000, token_pattern=r"(?u)\b\w+\b")


def linear_word_model(
    train: list[list[str]], tags: list[list[int]], evaluation: list[list[str]], classes: int, seed: int
) -> list[Any]:
    """A linear model of each word, its shape, its ends and the two words on either side: the classic tagger.

    Returns for each evaluation text the logarithm of the probabilities, (words, classes).
    """
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    kept = _texts_of_words(train, seed)
    hasher = FeatureHasher(n_features=1 << 18, input_type="string", alternate_sign=False)
    features = hasher.transform(each for index in kept for each in word_features(train[index]))
    targets = np.array([tag for index in kept for tag in tags[index]])
    model = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=8, tol=None, random_state=seed)
    model.fit(features, targets)
    shares = model.predict_proba(hasher.transform(each for words in evaluation for each in word_features(words)))
    scores = np.full((len(shares), classes), -1e9)
    scores[:, model.classes_] = np.log(np.maximum(shares, 1e-12))
    return list(np.split(scores, np.cumsum([len(words) for words in evaluation])[:-1]))


def word_features(words: list[str]) -> list[list[str]]:
    """What the linear tagger knows of each word of a text."""
    around = ["", "", *(word.lower() for word in words), "", ""]
    shapes = [_shape(word) for word in words]
    return [
        [
            f"word={low}", f"shape={shapes[place]}", f"start={low[:3]}", f"end={low[-3:]}", f"end2={low[-2:]}",
            f"-1={around[place + 1]}", f"-2={around[place]}", f"+1={around[place + 3]}", f"+2={around[place + 4]}",
            f"-1s={shapes[place - 1] if place else '^'}", f"-1+0={around[place + 1]}/{shapes[place]}", "bias",
        ]
        for place, low in enumerate(around[2:-2])
    ]  # fmt: skip


def _shape(word: str) -> str:
    """`Xx`, `X`, `x`, `d`: kinds of characters in order, each once."""
    kinds = ("X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c for c in word[:20])
    return "".join(kind for kind, _ in groupby(kinds))


def _texts_of_words(texts: list[list[str]], seed: int) -> list[int]:
    """The numbers of the texts that a linear tagger learns from, drawn until they have enough words."""
    order = np.random.default_rng(seed).permutation(len(texts))
    ends = np.cumsum([len(texts[index]) for index in order])
    return sorted(order[: int(np.searchsorted(ends, MOST_WORDS)) + 1].tolist())


def _sample(rows: Any, targets: Any, seed: int) -> tuple[Any, Any]:
    if len(rows) <= MOST_ROWS:
        return rows, targets
    chosen = np.random.default_rng(seed).choice(len(rows), MOST_ROWS, replace=False)
    classes = np.unique(targets) if targets.dtype.kind in "iu" else ()
    first_of_each = np.array([int(np.argmax(targets == each)) for each in classes], dtype=int)
    chosen = np.union1d(chosen, first_of_each)
    return rows[chosen], targets[chosen]
