"""Scores predictions; the names are those of reports, the primary metric of the task first."""

from __future__ import annotations

from typing import Any

import numpy as np


def classification_scores(labels: Any, predictions: Any, probabilities: Any = None) -> dict[str, float]:
    """Macro F1, accuracy, macro precision and recall over the classes present, and ROC AUC where it is defined.

    labels, predictions: (rows,) class numbers; probabilities: (rows, classes).
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score

    precision, recall, f1, _ = precision_recall_fscore_support(labels, predictions, average="macro", zero_division=0)
    scores = {
        "f1_macro": float(f1),
        "accuracy": float(accuracy_score(labels, predictions)),
        "precision_macro": float(precision),
        "recall_macro": float(recall),
    }
    if probabilities is not None and len(np.unique(labels)) == probabilities.shape[1]:
        values = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
        scores["roc_auc"] = float(roc_auc_score(labels, values, multi_class="ovr"))
    return scores


def multilabel_scores(labels: Any, predictions: Any) -> dict[str, float]:
    """Macro and micro F1, macro precision and recall, and the share of rows whose labels are all right.

    labels, predictions: (rows, labels) of 0 and 1.
    """
    from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

    labels, predictions = (np.asarray(each).astype(int) for each in (labels, predictions))
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predictions, average="macro", zero_division=0)
    return {
        "f1_macro": float(f1),
        "f1_micro": float(f1_score(labels, predictions, average="micro", zero_division=0)),
        "accuracy": float(accuracy_score(labels, predictions)),
        "precision_macro": float(precision),
        "recall_macro": float(recall),
    }


def regression_scores(targets: Any, predictions: Any) -> dict[str, float]:
    """RMSE, MSE, MAE and R2 of (rows,) predictions in the unit of the target."""
    errors = np.asarray(predictions, dtype=np.float64) - np.asarray(targets, dtype=np.float64)
    mse = float(np.mean(errors**2))
    spread = float(np.mean((np.asarray(targets, dtype=np.float64) - np.mean(targets)) ** 2))
    return {
        "rmse": mse**0.5,
        "mse": mse,
        "mae": float(np.mean(np.abs(errors))),
        "r2": 1 - mse / spread if spread else 0.0,
    }


def order_scores(scores: dict[str, float], order: tuple[str, ...]) -> dict[str, float]:
    """The scores with the task's primary metric first."""
    return {name: scores[name] for name in (*order, *scores) if name in scores}
