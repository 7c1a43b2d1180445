"""Keeps count while data is checked: which rows can be used, which cannot and why, which are there twice."""

from __future__ import annotations

import heapq
import json
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from backends.contract import PreparationOptions
from backends.formats.distinct import as_hashes, normal_hash, same_again
from backends.formats.findings import PLACES_KEPT, Fault, Findings
from backends.formats.rows import Batch
from backends.formats.values import as_number

BYTES_A_TOKEN = 4
_LENGTHS_KEPT = 1_000_000


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
    stats: dict[str, Any] = field(default_factory=dict)

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
        """Whether a good row stays after what was chosen: length and quality; counted when it does not."""
        column = self.options.quality_column
        cells = batch.columns.get(column, ()) if column is not None else ()
        why = choice_against(self.options, size, cells[index] if index < len(cells) else None)
        if why is not None:
            self.filtered[why] += 1
        return why is None

    @property
    def filters(self) -> bool:
        """Whether good rows may be left out by choice."""
        options = self.options
        return (options.shortest, options.longest, options.quality_column) != (None, None, None)


def choice_against(options: PreparationOptions, size: int, mark: Any) -> str | None:
    """Why a good row is left out by what was chosen, else None; `size` in bytes, `mark` of its quality column."""
    tokens = size / BYTES_A_TOKEN
    if options.shortest is not None and tokens < options.shortest:
        return "shorter than was chosen"
    if options.longest is not None and tokens > options.longest:
        return "longer than was chosen"
    if options.quality_column is not None:
        number = as_number(mark)
        if number is None:
            return "without a mark of quality"
        if options.quality_from is not None and number < options.quality_from:
            return "marked lower than was chosen"
    return None


@dataclass
class Texts:
    """The lengths of all texts, and hashes by which the same text is found again, some bytes a row.

    `labels` may hold a number for each row's answer, so that the same text with another answer is found.
    """

    exact: array[int] = field(default_factory=as_hashes)
    normal: array[int] = field(default_factory=as_hashes)
    numbers: array[int] = field(default_factory=as_hashes)
    labels: array[int] = field(default_factory=as_hashes)
    names: list[str] = field(default_factory=list)
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    starts: list[tuple[int, str, str]] = field(default_factory=list)
    sink: IO[str] | None = None
    tokens: array[int] | None = None

    def begin(self, part: str, place_word: str) -> None:
        """The rows from here on belong to this part."""
        if not self.starts or self.starts[-1][1:] != (part, place_word):
            self.starts.append((len(self.exact), part, place_word))

    def for_tokenizer(self, **row: Any) -> None:
        """Keep what a tokenizer must read to count the tokens of the row that is added next."""
        if self.sink is not None:
            self.sink.write(json.dumps(row) + "\n")

    def add(self, words: str, place: Any, size: int | None = None, label: int | None = None) -> None:
        """Take the text of a row in; `size` in bytes where it is known already."""
        self.exact.append(hash(words))
        self.normal.append(normal_hash(words))
        if isinstance(place, int):
            self.numbers.append(place)
        else:
            self.numbers.append(-1 - len(self.names))
            self.names.append(str(place))
        if label is not None:
            self.labels.append(label)
        if len(self.sizes) < _LENGTHS_KEPT:
            self.sizes.append(size if size is not None else byte_length(words))

    def where(self, position: int) -> str:
        """Where a person finds a row, with its part where it is not the training part."""
        number = self.numbers[position]
        _, part, word = self._start(position)
        name = self.names[-1 - number] if number < 0 else f"{word} {number}".strip()
        return name if part == "train" else f"{name} of {part}"

    def _start(self, position: int) -> tuple[int, str, str]:
        return self.starts[bisect_right(self.starts, position, key=lambda start: start[0]) - 1]

    def report(self, tally: Tally, what: str = "text") -> Counter[str]:
        """Note rows that stand twice, and evaluation rows that training has seen; returns how many a part has twice."""
        again: Counter[str] = Counter()
        twice: list[tuple[int, int]] = []
        leaks: list[tuple[int, int]] = []
        leak_count = conflicts = 0
        first_conflicts: list[tuple[int, int]] = []
        for position, first in same_again(self.normal):
            part, first_part = self._start(position)[1], self._start(first)[1]
            again[part] += 1
            if part != first_part:
                leak_count += 1
                _keep_first(leaks, position, first)
            else:
                _keep_first(twice, position, first)
            if len(self.labels) == len(self.exact) and self.labels[position] != self.labels[first]:
                conflicts += 1
                _keep_first(first_conflicts, position, first)
        fix = "Copies on both sides of the split make the score look better than it is; --prepare drop_duplicates=yes"
        counted = sum(again.values()) - leak_count
        self._note(tally, "duplicate", twice, counted, f"same {what} as {{}}", fix)
        fix = "The score is too good on rows that training saw; --prepare drop_duplicates=yes leaves them out there."
        self._note(tally, "train-test-leak", leaks, leak_count, f"same {what} as {{}}, which is trained on", fix)
        fix = "One of the two labels is wrong; correct it."
        self._note(
            tally, "conflicting-labels", first_conflicts, conflicts, "another label than the same text in {}", fix
        )
        return again

    def _note(self, tally: Tally, code: str, pairs: list[tuple[int, int]], count: int, told: str, fix: str) -> None:
        for position, first in sorted((-last, -before) for last, before in pairs):
            how = "" if self.exact[position] == self.exact[first] else ", but for case and spaces"
            tally.findings.warn(code, told.format(self.where(first)) + how, self.where(position), fix)
        tally.findings.count(code, count - len(pairs))

    def longer_than(self, tokens: int) -> Iterator[tuple[int, int]]:
        """Position and tokens of every text that has more than that; about, unless a tokenizer counted them."""
        counts, scale = (self.sizes, BYTES_A_TOKEN) if self.tokens is None else (self.tokens, 1)
        if counts and max(counts) > tokens * scale:
            for position, count in enumerate(counts):
                if count > tokens * scale:
                    yield position, -(-count // scale)

    def lengths(self) -> dict[str, Any] | None:
        """Median, 95% and longest, in tokens, about."""
        if not self.sizes:
            return None
        if self.tokens is not None:
            exact = sorted(self.tokens)
            middle, high = exact[len(exact) // 2], exact[int(len(exact) * 0.95)]
            return {"unit": "tokens", "median": middle, "p95": high, "longest": exact[-1]}
        ordered = sorted(self.sizes)
        return {
            "unit": f"tokens, about, at {BYTES_A_TOKEN} bytes each",
            "median": ordered[len(ordered) // 2] // BYTES_A_TOKEN + 1,
            "p95": ordered[int(len(ordered) * 0.95)] // BYTES_A_TOKEN + 1,
            "longest": ordered[-1] // BYTES_A_TOKEN + 1,
        }


def _keep_first(kept: list[tuple[int, int]], position: int, first: int) -> None:
    """Keep the earliest positions, as many as are shown; negative, so that the heap drops the latest."""
    if len(kept) < PLACES_KEPT:
        heapq.heappush(kept, (-position, -first))
    elif -position > kept[0][0]:
        heapq.heapreplace(kept, (-position, -first))


def byte_length(text: str) -> int:
    """The length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", errors="replace"))
