"""Targets that are JSON objects, names, dates and relations extracted: are they valid, which fields are right?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def read_object(text: str) -> dict[str, Any] | None:
    """The object that a text holds, None where it holds none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def are_objects(texts: Iterable[str]) -> bool:
    """Whether every text is a JSON object."""
    return all(read_object(text) is not None for text in texts)


def fields_of(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value of an object with the path that leads to it; the order of a list does not matter, nor does null."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from fields_of(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner, f"{path}[]")
    elif value is not None:
        yield path, " ".join(str(value).split())


def field_scores(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """The share of predictions that are valid JSON, and the F1 of their fields over all rows.

    A field is right when its path and its value are; what is not valid has no field.
    """
    valid = right = said = wanted = 0
    for prediction, reference in zip(predictions, references, strict=True):
        found = read_object(prediction)
        valid += found is not None
        ours, theirs = Counter(fields_of(found)), Counter(fields_of(read_object(reference)))
        right += (ours & theirs).total()
        said, wanted = said + ours.total(), wanted + theirs.total()
    return {"json_valid": valid / len(predictions), "field_f1": 2 * right / (said + wanted) if said + wanted else 1.0}
