"""Divides rows into training and evaluation, the same way every time for the same seed."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Hashable, Sequence

SMALLEST_EVALUATION = 20
# The share that is held out where nothing else was chosen, and the fewest rows a model is trained on.
HELD_OUT_SHARE = 0.2
FEWEST_TRAINED = 3


def rows_to_hold_out(rows: int, fraction: float) -> int:
    """How many rows evaluation gets: the fraction, but at least 20, or half of a small set."""
    return max(round(rows * fraction), min(SMALLEST_EVALUATION, rows // 2), 1)


def held_out_of(counts: Sequence[int], fraction: float) -> list[int]:
    """How many rows of each class are held out, given how many each has; a class with a single row gives none.

    Halves are rounded down, so that never more than half of a small set is held out.
    """
    rows = sum(counts)
    wanted = rows_to_hold_out(rows, fraction)
    if len(counts) == 1:
        return [min(wanted, rows - 1)]
    return [min(max(1, math.ceil(count * (wanted / rows) - 0.5)), count - 1) for count in counts]


def split_rows(labels: Sequence[str] | None, rows: int, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices for training and for evaluation, both in file order; stratified where labels are given.

    A class with a single row goes to training. At least 20 rows, or half of a small set, are held out.
    """
    generator = random.Random(seed)
    groups: dict[str, list[int]] = defaultdict(list)
    for index in range(rows):
        groups[labels[index] if labels is not None else ""].append(index)
    held_out: set[int] = set()
    ordered = [members for _, members in sorted(groups.items())]
    for members, count in zip(ordered, held_out_of([len(members) for members in ordered], fraction)):
        generator.shuffle(members)
        held_out.update(members[:count])
    return _both_sides(rows, held_out)


def split_groups(groups: Sequence[Hashable], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """The same, but rows of one group (a person, a document) stay together; groups are drawn until enough are out."""
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    order = list(members)
    random.Random(seed).shuffle(order)
    wanted = rows_to_hold_out(len(groups), fraction)
    held_out: set[int] = set()
    for group in order[: len(order) - 1]:  # one group at least stays to train on
        if len(held_out) >= wanted:
            break
        if len(held_out) + len(members[group]) <= 1.5 * wanted:
            held_out.update(members[group])
    if not held_out and len(order) > 1:  # every group is large: the smallest
        held_out.update(members[min(order, key=lambda group: len(members[group]))])
    return _both_sides(len(groups), held_out)


def split_by_time(times: Sequence[float | None], fraction: float) -> tuple[list[int], list[int]]:
    """The latest rows are held out; rows of one moment stay together, rows without a time are trained on."""
    known = sorted((time, index) for index, time in enumerate(times) if time is not None)
    wanted = rows_to_hold_out(len(times), fraction)
    if len(known) <= wanted:
        return _both_sides(len(times), {index for _, index in known[len(known) // 2 :]})
    border = known[-wanted][0]
    held_out = {index for time, index in known if time >= border}
    if len(held_out) > 1.5 * wanted:
        held_out = {index for time, index in known if time > border} or {index for _, index in known[-wanted:]}
    return _both_sides(len(times), held_out)


def _both_sides(rows: int, held_out: set[int]) -> tuple[list[int], list[int]]:
    return [index for index in range(rows) if index not in held_out], sorted(held_out)
