"""Keeps count while data is checked: which rows can be used, which cannot and why, which are there twice."""

from __future__ import annotations

import heapq
import json
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

from backends.formats.distinct import as_hashes, normal_hash, same_again
from backends.formats.findings import PLACES_KEPT, Fault, Findings
from backends.formats.rows import Batch
from backends.formats.values import as_number
from backends.options import PreparationOptions

BYTES_A_TOKEN = 4
_LENGTHS_KEPT = 1_000_000
_LENGTHS_SORTED = 200_000
_HALF = 0xFFFFFFFF


@dataclass
class Tally:
    """What the checks share: findings, rows that can be used by part, and what the person chose about bad rows."""

    findings: Findings
    options: PreparationOptions = field(default_factory=PreparationOptions)
    part: str = "train"
    read: Counter[str] = field(default_factory=Counter)
    usable: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)
    low_quality: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    stats: dict[str, Any] = field(default_factory=dict)
    decimal_comma: bool = False
    folder: Path = Path()  # where the names of media files in the rows begin
    is_low: bool = False  # whether the row that was kept last is not trained on by its mark of quality

    def fault(self, fault: Fault, where: str) -> None:
        """Note what is wrong with a row: it is repaired, left out, or stops the run, as was chosen."""
        if not fault.fatal:
            self.repaired[fault.code] += 1
            self.findings.warn(fault.code, fault.message, where, fault.fix)
            return
        self.rejected[fault.code] += 1
        if self.options.bad_rows == "stop" or (fault.stops and self.options.bad_rows != "drop"):
            fix = "Correct it or delete the row"
            fix += "." if self.options.bad_rows == "stop" else ", or leave such rows out: --prepare bad_rows=drop"
            self.findings.error(fault.code, fault.message, where, fix)
        else:
            self.findings.warn(fault.code, fault.message, where, fault.fix if not fault.stops else "It is left out.")

    def keep(self, batch: Batch, index: int, size: int) -> bool:
        """Whether a good row stays after what was chosen about its length; counted when it does not.

        Marks of quality count for training rows alone, so that scores stay comparable: see `low_quality`.
        """
        why = choice_against(self.options, size)
        if why is not None:
            self.filtered[why] += 1
            return False
        self.is_low = False
        column = self.options.quality_column
        if column is not None and self.part == "train":
            cells = batch.columns.get(column, ())
            mark = cells[index] if index < len(cells) else None
            why = low_quality(self.options, mark, self.decimal_comma)
            if why is not None:
                self.is_low = True
                self.low_quality[why] += 1
        return True

    @property
    def filters(self) -> bool:
        """Whether good rows may be left out by choice."""
        options = self.options
        return (options.shortest, options.longest, options.quality_column) != (None, None, None)


def choice_against(options: PreparationOptions, size: int) -> str | None:
    """Why a good row is left out by what was chosen about lengths, else None; `size` in bytes."""
    tokens = size / BYTES_A_TOKEN
    if options.shortest is not None and tokens < options.shortest:
        return "shorter than was chosen"
    if options.longest is not None and tokens > options.longest:
        return "longer than was chosen"
    return None


def low_quality(options: PreparationOptions, mark: Any, decimal_comma: bool) -> str | None:
    """Why a training row is left out by its mark of quality, else None."""
    if options.quality_column is None:
        return None
    number = as_number(mark, decimal_comma)
    if number is None:
        return "without a mark of quality"
    if options.quality_from is not None and number < options.quality_from:
        return "marked lower than was chosen"
    return None


@dataclass
class PartTexts:
    """The texts of one part, some bytes a row: hashes, places, answers and lengths."""

    part: str
    place_word: str = "row"
    exact: array[int] = field(default_factory=lambda: array("I"))  # half a hash: only shown pairs are compared
    normal: array[int] = field(default_factory=as_hashes)
    numbers: array[int] = field(default_factory=lambda: array("i"))
    labels: array[int] = field(default_factory=lambda: array("i"))
    names: list[str] = field(default_factory=list)
    sizes: array[int] = field(default_factory=lambda: array("Q"))

    def where(self, position: int) -> str:
        """Where a person finds a row, with its part where it is not the training part."""
        number = self.numbers[position]
        name = self.names[-1 - number] if number < 0 else f"{self.place_word} {number}".strip()
        return name if self.part == "train" else f"{name} of {self.part}"


class Texts:
    """The lengths of all texts, and hashes by which the same text is found again, training first.

    Rows may come with a number for their answer, so that the same text with another answer is found.
    """

    def __init__(self) -> None:
        self.parts: dict[str, PartTexts] = {}
        self.here = PartTexts("train")
        self.sink: IO[str] | None = None
        self.tokens: array[int] | None = None

    def begin(self, part: str, place_word: str) -> None:
        """The rows from here on belong to this part."""
        self.here = self.parts.setdefault(part, PartTexts(part, place_word))

    def for_tokenizer(self, **row: Any) -> None:
        """Keep what a tokenizer must read to count the tokens of the row that is added next."""
        if self.sink is not None:
            self.sink.write(json.dumps(row) + "\n")

    def add(self, words: str, place: Any, size: int | None = None, label: int | None = None) -> None:
        """Take the text of a row in; `size` in bytes where it is known already."""
        here = self.here
        here.exact.append(hash(words) & _HALF)
        here.normal.append(normal_hash(words))
        if isinstance(place, int):
            here.numbers.append(place)
        else:
            here.numbers.append(-1 - len(here.names))
            here.names.append(str(place))
        if label is not None:
            here.labels.append(label)
        if len(here.sizes) < _LENGTHS_KEPT:
            here.sizes.append(size if size is not None else byte_length(words))

    def add_many(self, words: list[str], places: Sequence[int], sizes: list[int], labels: Sequence[int] = ()) -> None:
        """Take the texts of many rows in at once, whose places are numbers."""
        here = self.here
        here.exact.extend([hash(each) & _HALF for each in words])
        here.normal.extend(map(normal_hash, words))
        here.numbers.extend(places)
        here.labels.extend(labels)
        here.sizes.extend(sizes[: max(0, _LENGTHS_KEPT - len(here.sizes))])

    def _in_order(self) -> list[PartTexts]:
        """The parts, training first, whatever the order of the rows."""
        return sorted(self.parts.values(), key=lambda each: each.part != "train")

    def report(self, tally: Tally, what: str = "text") -> Counter[str]:
        """Note rows that stand twice, and evaluation rows that training has seen; returns how many a part has twice."""
        parts = self._in_order()
        starts = [0, *accumulate(len(each.exact) for each in parts)]
        one_part = parts[0] if parts else PartTexts("train")
        normal, exact, labels = one_part.normal, one_part.exact, one_part.labels
        for each in parts[1:]:
            normal, exact, labels = normal + each.normal, exact + each.exact, labels + each.labels
        again: Counter[str] = Counter()
        twice, leaks, conflicts = _Pairs(), _Pairs(), _Pairs()

        def part_at(position: int) -> int:
            return bisect_right(starts, position) - 1

        for position, first in same_again(normal):
            one, other = part_at(position), part_at(first)
            again[parts[one].part] += 1
            (twice if one == other else leaks).add(position, first)
            if len(labels) == len(exact) and labels[position] != labels[first]:
                conflicts.add(position, first)

        def note(code: str, pairs: _Pairs, told: str, fix: str) -> None:
            for position, first in pairs.earliest():
                how = "" if exact[position] == exact[first] else ", but for case and spaces"
                places = [parts[part_at(each)].where(each - starts[part_at(each)]) for each in (position, first)]
                tally.findings.warn(code, told.format(places[1]) + how, places[0], fix)
            tally.findings.count(code, pairs.count - len(pairs.earliest()))

        tally.copies = again
        fix = "Copies on both sides of the split make the score look better than it is; --prepare drop_duplicates=yes"
        note("duplicate", twice, f"same {what} as {{}}", fix)
        fix = "The score is too good on rows that training saw; --prepare drop_duplicates=yes leaves them out there."
        note("train-test-leak", leaks, f"same {what} as {{}}, which is trained on", fix)
        fix = "One of the two labels is wrong; correct it."
        note("conflicting-labels", conflicts, "another label than the same text in {}", fix)
        return again

    def longer_than(self, tokens: int) -> Iterator[tuple[str, int]]:
        """Place and tokens of every text that has more than that; about, unless a tokenizer counted them."""
        counted = iter(self.tokens) if self.tokens is not None else None
        for part in self.parts.values():
            for position, size in enumerate(part.sizes):
                count = next(counted, 0) if counted is not None else -(-size // BYTES_A_TOKEN)
                if count > tokens:
                    yield part.where(position), count

    def lengths(self) -> dict[str, Any] | None:
        """Median, 95% and longest, in tokens, about."""
        scale = BYTES_A_TOKEN if self.tokens is None else 1
        sizes = self.tokens if self.tokens is not None else array("Q")
        if self.tokens is None:
            for part in self.parts.values():
                sizes += part.sizes
        if not sizes:
            return None
        ordered = sorted(sizes[:: len(sizes) // _LENGTHS_SORTED + 1])
        ordered[-1] = max(sizes)
        middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
        unit = f"tokens, about, at {BYTES_A_TOKEN} bytes each" if scale > 1 else "tokens"
        median, p95, longest = (-(-size // scale) for size in (middle, high, ordered[-1]))
        return {"unit": unit, "median": median, "p95": p95, "longest": longest}


class _Pairs:
    """Pairs of a position and an earlier one: how many, and the earliest of them."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[tuple[int, int]] = []

    def add(self, position: int, first: int) -> None:
        """Take a pair in; negative, so that the heap drops the latest."""
        self.count += 1
        if len(self._kept) < PLACES_KEPT:
            heapq.heappush(self._kept, (-position, -first))
        elif -position > self._kept[0][0]:
            heapq.heapreplace(self._kept, (-position, -first))

    def earliest(self) -> list[tuple[int, int]]:
        """The pairs that are shown, in order."""
        return sorted((-position, -first) for position, first in self._kept)


def byte_length(text: str) -> int:
    """The length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", errors="replace"))
