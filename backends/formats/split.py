"""Divides rows into training and evaluation, the same way every time for the same seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

SMALLEST_EVALUATION = 20


def split_rows(labels: Sequence[str] | None, rows: int, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices for training and for evaluation, both in file order; stratified where labels are given.

    A class with a single row goes to training. At least 20 rows, or half of a small set, are held out.
    """
    generator = random.Random(seed)
    wanted = max(round(rows * fraction), min(SMALLEST_EVALUATION, rows // 2), 1)
    groups: dict[str, list[int]] = defaultdict(list)
    for index in range(rows):
        groups[labels[index] if labels is not None else ""].append(index)
    held_out: set[int] = set()
    share = wanted / rows
    for _, members in sorted(groups.items()):
        generator.shuffle(members)
        if len(groups) > 1:
            count = min(max(1, round(len(members) * share)), len(members) - 1)
        else:
            count = min(wanted, len(members) - 1)
        held_out.update(members[:count])
    train = [index for index in range(rows) if index not in held_out]
    return train, sorted(held_out)
