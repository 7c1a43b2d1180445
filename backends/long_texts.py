"""What is read of a text with more tokens than a model takes: its head, its tail, both, or windows over all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Coded = dict[str, list[int]]


def read_texts(tokenizer: Any, texts: Sequence[Sequence[str]], limit: int, way: str) -> tuple[list[Coded], list[int]]:
    """The tokens of each text, or of the windows of it, and for each the number of its text.

    `texts` are one or two for each row; of two that are too long together the longer one is cut at its end.
    """
    columns = [list(column) for column in zip(*texts, strict=True)]
    if way == "head" or len(columns) == 2:
        coded = tokenizer(*columns, truncation=True, max_length=limit)
        names = list(coded)
        rows = [dict(zip(names, values)) for values in zip(*(coded[name] for name in names))]
        return rows, list(range(len(rows)))
    coded = tokenizer(*columns, verbose=False)
    names = list(coded)
    special = set(tokenizer.all_special_ids)
    found: list[Coded] = []
    owners: list[int] = []
    for number, values in enumerate(zip(*(coded[name] for name in names))):
        row = dict(zip(names, values))
        parts = [row] if len(row["input_ids"]) <= limit else _cut(row, limit, way, special)
        found += parts
        owners += [number] * len(parts)
    return found, owners


def _cut(row: Mapping[str, list[int]], limit: int, way: str, special: set[int]) -> list[Coded]:
    """The parts of a text that are read; each begins and ends with the marks that the tokenizer put there."""
    ids = row["input_ids"]
    before = next((place for place, token in enumerate(ids) if token not in special), 0)
    after = next((place for place, token in enumerate(reversed(ids)) if token not in special), 0)
    content, room = len(ids) - before - after, limit - before - after
    if way == "tail":
        spans = [[(content - room, content)]]
    elif way == "head+tail":
        head = room // 4  # as in Sun et al. 2019, How to fine-tune BERT for text classification: 128 of 510
        spans = [[(0, head), (content - (room - head), content)]]
    else:
        step = max(1, room - room // 4)
        starts = [*range(0, content - room, step), content - room]
        spans = [[(start, start + room)] for start in starts]
    return [
        {
            name: values[:before]
            + [value for start, end in some for value in values[before + start : before + end]]
            + values[len(values) - after :]
            for name, values in row.items()
        }
        for some in spans
    ]
