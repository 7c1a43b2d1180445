"""Scores whole entities as seqeval counts them; apart from the other metrics, whose tasks do not need seqeval."""

from __future__ import annotations


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
