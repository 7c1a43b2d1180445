"""What is learned of texts, one class, several labels or a number: each with its head, scores and baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from backends.baselines import majority_class, tfidf_labels, tfidf_model, tfidf_numbers
from backends.held_out import HeldOut, TextOf, label_scores, numbers, one_class, several_labels
from backends.metrics import classification_scores, multilabel_scores, regression_scores
from backends.tuning import labels_config

Scores = dict[str, dict[str, float]]


class Target(Protocol):
    """What the backend of texts asks of what is learned."""

    def config(self) -> dict[str, Any]:
        """What the config of the model must say."""

    def code(self, label: Any) -> Any:
        """A label as the model learns it."""

    def scores(self, labels: Any, logits: Any) -> dict[str, float]:
        """The metrics of (rows, outputs) logits against the coded labels."""

    def answer(self, logits: Any) -> dict[str, Any]:
        """What `predict` says for the (outputs,) logits of a row, under `prediction` what is shown of it."""

    def shown(self, label: Any) -> str:
        """A label or a prediction in words."""

    def judged(self, labels: Any, logits: Any, text_of: TextOf) -> HeldOut:
        """What (rows, outputs) logits say of the held-out texts, to read and counted."""

    def by_label(self, labels: Any, logits: Any) -> Scores:
        """The scores of each label, where a text has several."""

    def baselines(self, train: Sequence[str], labels: Sequence[Any], held_out: Sequence[str], truth: Any) -> Scores:
        """The scores of simple methods on the held-out texts, whose coded labels are `truth`."""

    def loss(self, labels: Sequence[Any]) -> Callable[..., Any] | None:
        """The loss, where it is not the model's own."""

    def to_json(self) -> dict[str, Any]:
        """What a finished run must remember."""


@dataclass(frozen=True)
class OneClass:
    """One class for each text. `balanced` weighs classes by how rare they are."""

    classes: tuple[str, ...]
    balanced: bool = False
    smoothing: float = 0.0
    seed: int = 42

    def config(self) -> dict[str, Any]:
        return {**labels_config(self.classes), "problem_type": "single_label_classification"}

    def code(self, label: Any) -> int:
        return self.classes.index(label)

    def scores(self, labels: Any, logits: Any) -> dict[str, float]:
        return classification_scores(labels, np.asarray(logits).argmax(axis=-1))

    def answer(self, logits: Any) -> dict[str, Any]:
        powers = np.exp(logits - np.max(logits))
        shares = (powers / powers.sum()).tolist()
        best = int(np.argmax(shares))
        return {
            "prediction": self.classes[best],
            "probability": shares[best],
            "probabilities": dict(zip(self.classes, shares, strict=True)),
        }

    def shown(self, label: Any) -> str:
        return str(label)

    def judged(self, labels: Any, logits: Any, text_of: TextOf) -> HeldOut:
        powers = np.exp(logits - np.max(logits, axis=1, keepdims=True))
        return one_class(self.classes, labels, powers / powers.sum(axis=1, keepdims=True), text_of)

    def by_label(self, labels: Any, logits: Any) -> Scores:
        return {}

    def baselines(self, train: Sequence[str], labels: Sequence[Any], held_out: Sequence[str], truth: Any) -> Scores:
        coded = np.array([self.code(label) for label in labels])
        trivial, _ = majority_class(coded, len(self.classes), len(held_out))
        learned, _ = tfidf_model(list(train), coded, list(held_out), self.seed)
        return {
            "majority class": classification_scores(truth, trivial),
            "TF-IDF + logistic regression": classification_scores(truth, learned),
        }

    def loss(self, labels: Sequence[Any]) -> Callable[..., Any] | None:
        weights = self.weights(labels)
        return None if weights is None else partial(weighted_loss, weights=weights, smoothing=self.smoothing)

    def weights(self, labels: Sequence[Any]) -> Any:
        """How much a row of each class counts, (classes,); None where all count alike."""
        if not self.balanced:
            return None
        counts = np.bincount([self.code(label) for label in labels], minlength=len(self.classes))
        return len(labels) / (len(counts) * counts)

    def to_json(self) -> dict[str, Any]:
        return {"classes": list(self.classes)}


@dataclass(frozen=True)
class SeveralLabels:
    """Any number of labels for each text; a label is said from the probability `threshold` on."""

    classes: tuple[str, ...]
    threshold: float = 0.5
    balanced: bool = False
    seed: int = 42

    def config(self) -> dict[str, Any]:
        return {**labels_config(self.classes), "problem_type": "multi_label_classification"}

    def code(self, label: Any) -> list[float]:
        return [float(name in label) for name in self.classes]

    def scores(self, labels: Any, logits: Any) -> dict[str, float]:
        return multilabel_scores(labels, _sigmoid(logits) >= self.threshold)

    def answer(self, logits: Any) -> dict[str, Any]:
        shares = dict(zip(self.classes, _sigmoid(logits).tolist(), strict=True))
        return {
            "prediction": [name for name, share in shares.items() if share >= self.threshold],
            "probabilities": shares,
        }

    def shown(self, label: Any) -> str:
        return ", ".join(label) or "no label"

    def judged(self, labels: Any, logits: Any, text_of: TextOf) -> HeldOut:
        return several_labels(self.classes, labels, _sigmoid(logits), self.threshold, text_of)

    def by_label(self, labels: Any, logits: Any) -> Scores:
        return label_scores(self.classes, labels, _sigmoid(logits) >= self.threshold)

    def baselines(self, train: Sequence[str], labels: Sequence[Any], held_out: Sequence[str], truth: Any) -> Scores:
        coded = np.array([self.code(label) for label in labels])
        commonest = np.tile(coded.mean(axis=0) >= min(0.5, coded.mean(axis=0).max()), (len(held_out), 1))
        return {
            "most frequent labels": multilabel_scores(truth, commonest),
            "TF-IDF + logistic regression": multilabel_scores(
                truth, tfidf_labels(list(train), coded, list(held_out), self.seed)
            ),
        }

    def loss(self, labels: Sequence[Any]) -> Callable[..., Any] | None:
        if not self.balanced:
            return None
        counts = np.array([self.code(label) for label in labels]).sum(axis=0)
        return partial(weighted_label_loss, weights=(len(labels) - counts) / np.maximum(counts, 1))

    def to_json(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "several": True, "threshold": self.threshold}


@dataclass(frozen=True)
class Number:
    """A number for each text, learned in units of its spread around its mean in training."""

    mean: float
    spread: float
    seed: int = 42

    def config(self) -> dict[str, Any]:
        return {"num_labels": 1, "problem_type": "regression"}

    def code(self, label: Any) -> float:
        return (float(label) - self.mean) / self.spread

    def value(self, coded: Any) -> Any:
        """What the model says, in the unit of the target."""
        return np.asarray(coded, dtype=np.float64).reshape(-1) * self.spread + self.mean

    def scores(self, labels: Any, logits: Any) -> dict[str, float]:
        return regression_scores(self.value(labels), self.value(logits))

    def answer(self, logits: Any) -> dict[str, Any]:
        return {"prediction": float(self.value(logits)[0])}

    def shown(self, label: Any) -> str:
        return f"{label:.4g}"

    def judged(self, labels: Any, logits: Any, text_of: TextOf) -> HeldOut:
        return numbers(self.value(labels), self.value(logits), text_of)

    def by_label(self, labels: Any, logits: Any) -> Scores:
        return {}

    def baselines(self, train: Sequence[str], labels: Sequence[Any], held_out: Sequence[str], truth: Any) -> Scores:
        values = np.array(labels, dtype=np.float64)
        learned = tfidf_numbers(list(train), values, list(held_out), self.seed)
        return {
            "mean": regression_scores(self.value(truth), np.full(len(held_out), values.mean())),
            "TF-IDF + ridge regression": regression_scores(self.value(truth), learned),
        }

    def loss(self, labels: Sequence[Any]) -> Callable[..., Any] | None:
        return None

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "spread": self.spread}


def read_target(learned: dict[str, Any]) -> Target:
    """What a finished run has learned, from what `to_json` said."""
    if "spread" in learned:
        return Number(learned["mean"], learned["spread"])
    classes = tuple(learned["classes"])
    return SeveralLabels(classes, learned["threshold"]) if learned.get("several") else OneClass(classes)


def _sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(logits, dtype=np.float64)))


def weighted_loss(
    outputs: Any, labels: Any, num_items_in_batch: Any = None, *, weights: Any, smoothing: float = 0.0
) -> Any:
    """Cross entropy in which each row counts by the weight of its class; the weights of all training rows average 1."""
    import torch

    logits = outputs.logits.float()
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    counted = each * torch.as_tensor(weights, dtype=each.dtype, device=each.device)[labels]
    return counted.mean() if num_items_in_batch is None else counted.sum() / num_items_in_batch


def weighted_label_loss(outputs: Any, labels: Any, num_items_in_batch: Any = None, *, weights: Any) -> Any:
    """Binary cross entropy in which having a label counts as much, over all training rows, as not having it."""
    import torch

    logits = outputs.logits.float()
    positive = torch.as_tensor(weights, dtype=logits.dtype, device=logits.device)
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none", pos_weight=positive)
    return each.mean() if num_items_in_batch is None else each.sum() / num_items_in_batch
