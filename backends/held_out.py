"""What the model says of the held-out rows: some to read, the worst mistakes first, and all of them counted.

The rows become predictions.jsonl and the counts a part of report.json, written by `reporting.finish`. Only rows that
are kept become text, so that an evaluation of a million rows costs little more than one of a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# What of the held-out rows is kept to read; a text is cut at so many characters.
ROWS_KEPT, TEXT_KEPT = 1000, 2000
# From this probability on a mistake counts as a sure one.
SURE = 0.9
# Confused pairs of classes that the report names, the most frequent first.
PAIRS_KEPT = 500
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95)
_RANGES = 5

TextOf = Callable[[int], str]


@dataclass(frozen=True)
class HeldOut:
    """`rows` as predictions.jsonl holds them, `counted` the tables of report.json, by their names there."""

    rows: Sequence[Mapping[str, Any]]
    counted: Mapping[str, Any]


def as_held_out(
    count: int, mistakes: int | None, rows: Sequence[Mapping[str, Any]], sorted_by: str, **tables: Any
) -> HeldOut:
    """Rows of `count` in all, `mistakes` of them wrong (None where nothing is simply wrong), with further tables."""
    kept = [{name: _cut(value) for name, value in row.items() if value is not None} for row in rows]
    about = {"rows": count, "mistakes": mistakes, "kept": len(kept), "sorted_by": sorted_by}
    return HeldOut(kept, {"held_out": about, **tables})


def worst(badness: Any) -> list[int]:
    """The rows that are kept, by (rows,) how bad they are, the worst first; equally bad ones in order."""
    return [int(row) for row in np.argsort(-np.asarray(badness, dtype=np.float64), kind="stable")[:ROWS_KEPT]]


def one_class(classes: Sequence[str], expected: Any, shares: Any, text_of: TextOf) -> HeldOut:
    """Rows that have one class each. expected: (rows,) class numbers; shares: (rows, classes) probabilities."""
    expected, shares = np.asarray(expected), np.asarray(shares, dtype=np.float64)
    every, said = np.arange(len(expected)), shares.argmax(axis=1)
    wrong, sure, theirs = said != expected, shares.max(axis=1), shares[every, expected]
    rows = [
        {
            "input": text_of(row),
            "expected": classes[expected[row]],
            "predicted": classes[said[row]],
            "wrong": bool(wrong[row]),
            "probability": _rounded(sure[row]),
            "expected_probability": _rounded(theirs[row]),
        }
        for row in worst(np.where(wrong, 2 + sure - theirs, 1 - sure))
    ]
    found = as_held_out(
        len(expected), int(wrong.sum()), rows, "confidence", confusion=confusion(classes, expected, said)
    )
    found.counted["held_out"]["sure_mistakes"] = int((wrong & (sure >= SURE)).sum())
    return found


def confusion(classes: Sequence[str], expected: Any, said: Any) -> dict[str, Any]:
    """How often each class was there, said and right, and which were taken for which, the most frequent first."""
    number = len(classes)
    there, told = np.bincount(expected, minlength=number), np.bincount(said, minlength=number)
    right = np.bincount(expected[expected == said], minlength=number)
    pairs, counts = np.unique((expected * number + said)[expected != said], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:PAIRS_KEPT]
    return {
        "classes": [
            {"name": name, "count": int(there[at]), "predicted": int(told[at]), "right": int(right[at])}
            for at, name in enumerate(classes)
        ],
        "pairs": [
            {
                "expected": classes[int(pairs[at]) // number],
                "predicted": classes[int(pairs[at]) % number],
                "count": int(counts[at]),
            }
            for at in order
        ],
        "is_whole": len(pairs) <= PAIRS_KEPT,
    }


def several_labels(classes: Sequence[str], expected: Any, shares: Any, threshold: float, text_of: TextOf) -> HeldOut:
    """Rows with any number of labels. expected: (rows, labels) of 0 and 1; shares: probabilities, alike."""
    truth, shares = np.asarray(expected) > 0.5, np.asarray(shares, dtype=np.float64)
    said = shares >= threshold
    differ = said != truth
    distance = np.where(differ, np.abs(truth - shares), 0.0)
    badness = np.where(differ.any(axis=1), 1 + distance.sum(axis=1), np.abs(truth - shares).max(axis=1))

    def names(row: Any) -> str:
        return ", ".join(classes[at] for at in np.flatnonzero(row).tolist()) or "no label"

    rows = [
        {
            "input": text_of(row),
            "expected": names(truth[row]),
            "predicted": names(said[row]),
            "wrong": bool(differ[row].any()),
            "probabilities": {
                classes[at]: _rounded(shares[row, at]) for at in np.flatnonzero(truth[row] | said[row]).tolist()
            },
        }
        for row in worst(badness)
    ]
    return as_held_out(len(truth), int(differ.any(axis=1).sum()), rows, "confidence")


def label_scores(classes: Sequence[str], expected: Any, said: Any) -> dict[str, dict[str, float]]:
    """F1, precision, recall and count of each label. expected, said: (rows, labels) of 0 and 1."""
    truth, said = np.asarray(expected) > 0.5, np.asarray(said) > 0.5
    right, there, told = (truth & said).sum(axis=0), truth.sum(axis=0), said.sum(axis=0)
    return {
        name: {
            "f1": float(2 * right[at] / max(1, there[at] + told[at])),
            "precision": float(right[at] / max(1, told[at])),
            "recall": float(right[at] / max(1, there[at])),
            "count": int(there[at]),
        }
        for at, name in enumerate(classes)
    }


def numbers(expected: Any, said: Any, text_of: TextOf) -> HeldOut:
    """Rows that have a number each. expected, said: (rows,) in the unit of the target."""
    expected, said = np.asarray(expected, dtype=np.float64), np.asarray(said, dtype=np.float64)
    # What comes back out of the units of learning is not exact: 8.9e-16 was 0.
    size = float(np.abs(expected).max(initial=0.0))
    expected = np.round(expected, 9 - int(np.floor(np.log10(size)))) if size else expected
    errors = said - expected
    rows = [
        {
            "input": text_of(row),
            "expected": f"{expected[row]:.6g}",
            "predicted": f"{said[row]:.6g}",
            "error": _rounded(errors[row]),
        }
        for row in worst(np.abs(errors))
    ]
    tables = {**spread(np.abs(errors)), "bias": _rounded(errors.mean()), "ranges": _ranges(expected, errors)}
    return as_held_out(len(expected), None, rows, "error", errors=tables)


def _ranges(expected: Any, errors: Any) -> list[dict[str, Any]]:
    """The errors by how large the expected number is, in parts of about as many rows."""
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, _RANGES + 1)))
    places = np.searchsorted(edges[1:-1], expected, side="right") if len(edges) > 2 else np.zeros(len(expected), int)
    found = []
    for place in range(max(1, len(edges) - 1)):
        some, inside = errors[places == place], expected[places == place]
        if len(some):
            found.append(
                {
                    "low": _rounded(inside.min()),
                    "high": _rounded(inside.max()),
                    "count": len(some),
                    "mean_absolute_error": _rounded(np.abs(some).mean()),
                    "bias": _rounded(some.mean()),
                }
            )
    return found


def spread(values: Any) -> dict[str, Any]:
    """Where the smallest 5, 25, 50 percent and so on of (rows,) values end, with the mean and the extremes."""
    values = np.asarray(values, dtype=np.float64)
    return {
        "quantiles": {f"{share:g}": _rounded(np.quantile(values, share)) for share in _QUANTILES},
        "mean": _rounded(values.mean()),
        "lowest": _rounded(values.min()),
        "highest": _rounded(values.max()),
    }


def _cut(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= TEXT_KEPT else value[:TEXT_KEPT] + "…"


def _rounded(value: Any) -> float:
    return float(f"{float(value):.6g}")
