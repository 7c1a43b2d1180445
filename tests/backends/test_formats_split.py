"""The split: every row on one side, the same side every time, every class on both."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.formats.split import SMALLEST_EVALUATION, split_rows

LABELS = st.lists(st.sampled_from("aaaaaabbbcd"), min_size=2, max_size=300)
FRACTIONS = st.floats(0.01, 0.9)
SEEDS = st.integers(0, 2**31 - 1)


@given(LABELS, FRACTIONS, SEEDS, st.booleans())
def test_disjoint_complete_in_order_and_repeatable(
    labels: list[str], fraction: float, seed: int, stratify: bool
) -> None:
    given_labels = labels if stratify else None
    train, evaluation = split_rows(given_labels, len(labels), fraction, seed)
    assert sorted(train + evaluation) == list(range(len(labels)))
    assert train == sorted(train) and evaluation == sorted(evaluation)
    assert (train, evaluation) == split_rows(given_labels, len(labels), fraction, seed)
    assert train


@given(LABELS, FRACTIONS, SEEDS)
def test_every_class_of_two_rows_is_on_both_sides(labels: list[str], fraction: float, seed: int) -> None:
    train, evaluation = split_rows(labels, len(labels), fraction, seed)
    learned, scored = Counter(labels[i] for i in train), Counter(labels[i] for i in evaluation)
    for label, count in Counter(labels).items():
        assert learned[label] >= 1
        assert scored[label] >= 1 or count == 1


@given(LABELS.filter(lambda labels: min(Counter(labels).values()) >= 40 or len(set(labels)) == 1), FRACTIONS, SEEDS)
def test_shares_are_kept(labels: list[str], fraction: float, seed: int) -> None:
    evaluation = split_rows(labels, len(labels), fraction, seed)[1]
    wanted = max(round(len(labels) * fraction), min(SMALLEST_EVALUATION, len(labels) // 2), 1)
    share = wanted / len(labels)
    for label, count in Counter(labels).items():
        held = sum(labels[i] == label for i in evaluation)
        assert abs(held - count * share) <= 1


@pytest.mark.parametrize(
    ("rows", "fraction", "held"), [(1000, 0.2, 200), (60, 0.01, 20), (10, 0.2, 5), (4, 0.2, 2), (2, 0.5, 1)]
)
def test_how_many_are_held_out(rows: int, fraction: float, held: int) -> None:
    train, evaluation = split_rows(None, rows, fraction, 1)
    assert (len(train), len(evaluation)) == (rows - held, held)


def test_another_seed_is_another_split() -> None:
    assert split_rows(None, 1000, 0.2, 1) != split_rows(None, 1000, 0.2, 2)


def test_the_split_of_today_is_that_of_tomorrow() -> None:
    """A resume after an update must hold out the same rows: these numbers may never change."""
    labels = [("a", "b", "b")[n % 3] for n in range(30)]
    assert split_rows(labels, 30, 0.2, 42)[1] == [6, 7, 8, 9, 10, 11, 15, 16, 17, 19, 21, 23, 24, 26, 29]
    assert split_rows(None, 12, 0.2, 42)[1] == [2, 5, 6, 7, 8, 9]
