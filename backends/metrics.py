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


def entity_scores(
    truth: list[list[str]], said: list[list[str]]
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Entity F1, precision and recall over all types as seqeval counts them, token accuracy; and the same by type.

    truth, said: the tags of each text in valid BIO. An entity counts when its type and both its ends are right; tags
    that are classes of single words count as entities of one word.
    """
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

    right = sum(ours == theirs for rows in zip(truth, said, strict=True) for ours, theirs in zip(*rows, strict=True))
    truth, said = ([[_as_entity(tag) for tag in row] for row in rows] for rows in (truth, said))
    precision, recall, f1, _ = precision_recall_fscore_support(truth, said, average="micro", zero_division=0)
    scores = {
        "f1": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        "token_accuracy": right / max(1, sum(map(len, truth))),
    }
    names = sorted({tag[2:] for rows in (truth, said) for row in rows for tag in row if tag != "O"})
    columns = precision_recall_fscore_support(truth, said, average=None, zero_division=0) if names else [[]] * 4
    by_type = {
        name: {
            "f1": float(values[2]),
            "precision": float(values[0]),
            "recall": float(values[1]),
            "count": int(values[3]),
        }
        for name, *values in zip(names, *columns, strict=True)
    }
    return scores, by_type


def _as_entity(tag: str) -> str:
    return tag if tag == "O" or tag[:2] in ("B-", "I-") else f"B-{tag}"


def order_scores(scores: dict[str, float], order: tuple[str, ...]) -> dict[str, float]:
    """The scores with the task's primary metric first."""
    return {name: scores[name] for name in (*order, *scores) if name in scores}
