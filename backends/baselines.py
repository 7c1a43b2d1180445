"""What simple methods reach on the same rows: without them a score means nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

# A linear model learns little more from further rows, and its time grows with them.
MOST_ROWS = 50_000


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
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, kept = _sample(np.array(train, dtype=object), labels, seed)
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, max_features=100_000, token_pattern=r"(?u)\b\w+\b"
    )
    pipeline = make_pipeline(vectorizer, LogisticRegression(max_iter=500, C=10))
    pipeline.fit(texts, kept)
    return pipeline.predict(evaluation), pipeline.predict_proba(evaluation)


def _sample(rows: Any, targets: Any, seed: int) -> tuple[Any, Any]:
    if len(rows) <= MOST_ROWS:
        return rows, targets
    chosen = np.random.default_rng(seed).choice(len(rows), MOST_ROWS, replace=False)
    classes = np.unique(targets) if targets.dtype.kind in "iu" else ()
    first_of_each = np.array([int(np.argmax(targets == each)) for each in classes], dtype=int)
    chosen = np.union1d(chosen, first_of_each)
    return rows[chosen], targets[chosen]
