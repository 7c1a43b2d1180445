"""How many different values there are and where the same one stands again, with few rows and with very many."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.formats import distinct
from backends.formats.distinct import Distinct, as_hashes, normal_hash, same_again

SMALLEST, LARGEST = -(2**63), 2**63 - 1
EVER, NEVER = 1, 10**9  # how many rows are looked at in one go: many goes, or one
WAYS = pytest.mark.parametrize("few", [NEVER, EVER])


def found_again(numbers: Iterable[int], few: int) -> list[tuple[int, int]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "_FEW", few)
        return sorted(same_again(as_hashes(list(numbers))))


def simply_again(numbers: list[int]) -> list[tuple[int, int]]:
    return [(place, numbers.index(number)) for place, number in enumerate(numbers) if numbers.index(number) != place]


# --- the same again ----------------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], []),
        ([5], []),
        ([5, 6, 7], []),
        ([5, 5], [(1, 0)]),
        ([5, 5, 5, 5], [(1, 0), (2, 0), (3, 0)]),
        ([1, 2, 1, 2, 1], [(2, 0), (3, 1), (4, 0)]),
        ([2, 1, 1, 2], [(2, 1), (3, 0)]),
        ([0, -1, 0, -1], [(2, 0), (3, 1)]),
        ([LARGEST, SMALLEST, LARGEST, SMALLEST, 0], [(2, 0), (3, 1)]),
    ],
)
def test_the_first_place_is_told(numbers: list[int], expected: list[tuple[int, int]], few: int) -> None:
    assert found_again(numbers, few) == expected


NUMBERS = st.one_of(st.integers(0, 5), st.integers(SMALLEST, LARGEST), st.sampled_from([SMALLEST, -1, 0, LARGEST]))


@settings(deadline=None)
@given(st.lists(NUMBERS, max_size=40), st.integers(1, 9))
def test_both_ways_find_the_same(numbers: list[int], few: int) -> None:
    expected = simply_again(numbers)
    assert found_again(numbers, NEVER) == found_again(numbers, few) == expected


def test_very_many_rows_take_the_way_for_many_and_find_the_same() -> None:
    rows = distinct._FEW + 50_000
    numbers = [(n * 2_654_435_761 % rows) if n % 3 else n % 1_000 for n in range(rows)]
    first: dict[int, int] = {}
    expected = [(n, first[number]) for n, number in enumerate(numbers) if first.setdefault(number, n) != n]
    assert sorted(same_again(as_hashes(numbers))) == expected
    assert found_again(numbers, NEVER) == expected


def test_hashes_of_texts_fit() -> None:
    hashes = as_hashes([normal_hash(f"text {n}") for n in range(1_000)])
    assert hashes.itemsize == 8 and found_again(hashes, NEVER) == found_again(hashes, EVER) == []


# --- texts that differ in case and white space only --------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a b", "A B"),
        ("a b", "ab"),
        ("a b", "  a\tb\r\n"),
        ("a\x0bb\x0c", "ab"),
        ("", "  \n"),
        ("É é", "ÉÉ"),
        ("Größe", "GRÖSSE"),
        ("a\u00a0é", "A É"),
        ("a\u2003é", "aé"),
        ("ПРИВЕТ мир", "привет МИР"),
        ("\u212a", "k"),  # the sign of Kelvin, whose small letter is ascii
    ],
)
def test_case_and_white_space_do_not_count(one: str, other: str) -> None:
    assert normal_hash(one) == normal_hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ab", "ba"),
        ("a b", "a-b"),
        ("a.", "a"),
        ("1 2", "1 3"),
        ("e", "é"),
        ("é", "è"),
        ("a", "aa"),
        ("[", "{"),  # 32 apart, as a letter and its capital are
        ("@", "`"),
        ("a_b", "ab"),
        ("a\u200bé", "aé"),
        ("a\x1fb", "ab"),  # stands between the cells of a row
        ("é\x1fb", "éb"),
        ("é\x1f1\x1f23", "é\x1f12\x1f3"),
        ("\ud800", "\ud801"),
    ],
)
def test_everything_else_counts(one: str, other: str) -> None:
    assert normal_hash(one) != normal_hash(other)


SEPARATORS = "\x1c\x1d\x1e\x1f"  # Python's white space, but here they are between cells
PIECES = st.text(alphabet=f"abzAZ019.,_[{{ \t\n\r\x0b\x0cäÄéÉжЖß\x85\xa0\u2003\u2028{SEPARATORS}", max_size=12)


@given(PIECES, PIECES)
def test_hashes_are_equal_exactly_for_the_same_words(one: str, other: str) -> None:
    def normal(text: str) -> str:
        return "".join(letter for letter in text.casefold() if letter in SEPARATORS or not letter.isspace())

    assert (normal_hash(one) == normal_hash(other)) == (normal(one) == normal(other))
    assert normal_hash(one) == normal_hash(one.swapcase()) == normal_hash("\n ".join(one))


def test_every_letter_counts_as_what_folding_makes_of_it() -> None:
    for letter in map(chr, range(0x80, 0x1F000)):
        wanted = "" if letter.isspace() else letter.casefold()
        assert normal_hash(f"x{letter}é") == normal_hash(f"X{wanted}é"), hex(ord(letter))


# --- different values --------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.text(max_size=3), max_size=20), max_size=10))
def test_few_values_are_counted_exactly(batches: list[list[str]]) -> None:
    counted = Distinct()
    for batch in batches:
        counted.add(batch)
    assert counted.is_exact and counted.count == len({text for batch in batches for text in batch})


def test_a_count_is_exact_up_to_its_limit() -> None:
    counted = Distinct(most=100)
    counted.add(str(n) for n in range(100))
    assert counted.is_exact and counted.count == 100
    counted.add(["0", "1"])
    assert counted.is_exact and counted.count == 100
    counted.add(["one more"])
    assert not counted.is_exact


@pytest.mark.parametrize("at_once", [1, 1_024, 200_000])
@pytest.mark.parametrize("copies", [1, 3])
def test_the_estimate_of_very_many_values_is_near(at_once: int, copies: int) -> None:
    counted = Distinct()
    values = [f"value {n}" for n in range(200_000)]
    for _ in range(copies):
        for start in range(0, len(values), at_once):
            counted.add(values[start : start + at_once])
    assert not counted.is_exact
    assert counted.count == pytest.approx(200_000, rel=0.05)


def test_the_order_of_values_makes_no_difference() -> None:
    values = [str(n) for n in range(60_000)]
    forwards, backwards, twice = Distinct(), Distinct(), Distinct()
    forwards.add(values)
    for value in reversed(values):
        backwards.add((value,))
    twice.add(values + values)
    assert forwards.count == backwards.count == twice.count


def test_memory_stays_bounded() -> None:
    counted = Distinct(most=500)
    for start in range(0, 50_000, 1_000):
        counted.add(map(str, range(start, start + 1_000)))
        assert len(counted._hashes) <= 500
    assert counted.count == pytest.approx(50_000, rel=0.5)


def test_an_estimate_is_the_same_in_every_process() -> None:
    script = (
        "from backends.formats.distinct import Distinct\n"
        "seen = Distinct(100)\n"
        "seen.add([f'value {n}' for n in range(5_000)] + ['\\ud800'])\n"
        "print(seen.count)"
    )
    counts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(distinct.__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(counts) == 1
