"""Summarises the columns of a table in one pass and says what each of them is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from backends.contract import DataError, Finding
from backends.formats.distinct import Distinct
from backends.formats.nested import is_json_turns, media_of_name, media_of_nested, nested_kind
from backends.formats.rows import BATCH_ROWS, Batch, Row, columns_of
from backends.formats.values import (
    LARGEST_EXACT,
    as_number,
    as_text,
    as_timestamp,
    is_code,
    is_infinite,
    is_missing,
    normal_name,
)

_BAD_KEPT = 20
_NESTED_KEPT = 50
_MOST_COLUMNS = 50_000
_SENTENCE = 30  # no number with marks, no infinity and no word for missing is as long
_UNUSUAL = re.compile(r"[^0-9.+-]")  # spaces, exponents and underscores take the careful way
# A column is numeric with a few dirty cells, not a text, when at least this share of its cells are numbers.
_MOSTLY = 0.9
ID_NAMES = (
    "id",
    "uuid",
    "guid",
    "rownumber",
    "rowid",
    "index",
    "unnamed0",
    "row",
    "nr",
    "no",
    "num",
    "idx",
    "recordno",
    "uid",
    "qid",
    "docid",
    "userid",
    "sampleid",
    "exampleid",
)
_ID_ENDING = re.compile(r"(?:[ _-](?:id|no|nr|number|idx)|(?<=[a-z])I[Dd]|ID)$")
# A number with marks that make it a text: 501.221,67 or $287,652.99 or 857'800 or 0.5%.
_MARKED_NUMBER = re.compile(r"\s*(?:[$€£¥]|[A-Z]{3} )?\s*[+-]?\d[\d.,' \u00a0\u2019]*\s*(?:[$€£¥%]|[A-Z]{3})?\s*")
_DOTTED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
_SAME_NAME = re.compile(r" \(\d+\)$")
_NAMELESS = re.compile(r"column \d+|Unnamed: \d+")


@dataclass
class Column:
    """What one pass over a column told; bounded in memory however long the column is."""

    name: str
    decimal_comma: bool = False
    present: int = 0
    missing: int = 0
    numbers: int = 0
    integers: int = 0
    codes: int = 0
    dates: int = 0
    nested: int = 0
    infinite: int = 0
    beyond_64_bit: int = 0
    leading_zeros: int = 0
    marked_numbers: int = 0
    code_example: str | None = None
    dotted_example: str | None = None
    comma_example: str | None = None
    other_fractions: bool = False
    first_text: str = ""
    words: int = 0
    characters: int = 0
    longest: int = 0
    minimum: float | None = None
    maximum: float | None = None
    different: Distinct = field(default_factory=Distinct)
    not_numbers: list[tuple[str, str]] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    nested_examples: list[Any] = field(default_factory=list)

    def add(self, where: str, cell: Any) -> None:
        """Take one more cell in."""
        self.take([cell], lambda _: where)

    def take(self, cells: list[Any], where: Callable[[int], str]) -> None:
        """Take the cells of a batch in; `where` tells the place of each."""
        kinds = set(map(type, cells))
        if kinds & {list, dict, tuple}:
            cells = self._nested(cells)
            kinds = set(map(type, cells))
        if not cells:
            return
        if kinds == {str} and self._mostly_numbers and not self.decimal_comma:
            filled = [cell for cell in cells if cell] if "" in cells else cells
            if filled and self._plain_numbers(filled):
                self.missing += len(cells) - len(filled)
                return
        if bool in kinds and len(kinds) > 1:  # True equals 1, but is another value
            cells = ["true" if cell is True else "false" if cell is False else cell for cell in cells]
        bad_before = self.present - self.numbers
        texts: list[str] = []
        for cell, count in Counter(cells).items():
            self._value(cell, count, texts)
        self.different.add(texts)
        if self.present - self.numbers > bad_before and len(self.not_numbers) < _BAD_KEPT:
            self._keep_bad(cells, where)

    def _nested(self, cells: list[Any]) -> list[Any]:
        """Count lists and objects, keep a few of them, and return the other cells."""
        if all(cells) and set(map(type, cells)) <= {list, dict, tuple}:
            nested, empty, others = cells, 0, []
        else:
            nested = [cell for cell in cells if isinstance(cell, list | dict | tuple) and cell]
            empty = sum(isinstance(cell, list | dict | tuple) and not cell for cell in cells)
            others = [cell for cell in cells if not isinstance(cell, list | dict | tuple)]
        self.present += len(nested)
        self.nested += len(nested)
        self.missing += empty
        if len(self.nested_examples) < _NESTED_KEPT:
            self.nested_examples += nested[: _NESTED_KEPT - len(self.nested_examples)]
            self.examples += [as_text(cell)[:200] for cell in nested[: 3 - len(self.examples)]]
        return others

    @property
    def _mostly_numbers(self) -> bool:
        """Whether most cells so far were plain numbers, so that the next ones may well be too."""
        return 2 * (self.numbers - self.codes) >= self.present

    def _plain_numbers(self, cells: list[str]) -> bool:
        """Take a batch of cells that are all plain numbers in, quickly; False when they are something else."""
        try:
            numbers = list(map(float, cells))
        except ValueError:
            return False
        low, high = min(numbers), max(numbers)
        joined = "".join(cells)
        if not -LARGEST_EXACT < low <= high < LARGEST_EXACT or _UNUSUAL.search(joined) or sum(numbers) != sum(numbers):
            return False
        bare = [cell.lstrip("+-") for cell in cells] if low <= 0 or "+" in joined else cells
        if any(cell[0] == "0" and len(cell) > 1 and cell[1] != "." for cell in bare):
            return False
        self.present += len(cells)
        self.numbers += len(cells)
        self.integers += sum(map(float.is_integer, numbers))
        self.characters += len(joined)
        self.longest = max(self.longest, max(map(len, cells)))
        if not self.other_fractions and "." in joined:
            self._look_at_dots(cells)
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)
        self.different.add(cells)
        self.first_text = self.first_text or cells[0]
        for cell in dict.fromkeys(cells) if len(self.examples) < 3 else ():
            if len(self.examples) < 3 and cell[:200] not in self.examples:
                self.examples.append(cell[:200])
        return True

    def _value(self, cell: Any, count: int, texts: list[str]) -> None:
        """Take a value in that stands in `count` cells; `texts` collects it as a text, where it says something."""
        if isinstance(cell, str) and cell[:1].isalpha() and not cell[-1].isspace() and self._word(cell, count, texts):
            return
        if is_missing(cell):
            self.missing += count
            return
        text = as_text(cell)
        self._text(text, count, texts)
        number = as_number(cell, self.decimal_comma)
        if number is None:
            self.words += (text.count(" ") + 1) * count
            self.marked_numbers += (len(text) < _SENTENCE and _MARKED_NUMBER.fullmatch(text) is not None) * count
            self.infinite += is_infinite(cell) * count
            if as_timestamp(cell) is not None:
                self.dates += count
            return
        self.numbers += count
        self.integers += number.is_integer() * count
        if isinstance(cell, str):
            if not self.other_fractions and "." in cell:
                self._look_at_dots((cell,))
            if self.decimal_comma and self.comma_example is None and "," in cell:
                self.comma_example = text[:30]
        if isinstance(cell, str | int) and is_code(cell):
            self.codes += count
            self.beyond_64_bit += (abs(number) >= 2.0**63) * count
            self.leading_zeros += (text.lstrip("+-")[:1] == "0") * count
            self.code_example = self.code_example or text
        self.minimum = number if self.minimum is None else min(self.minimum, number)
        self.maximum = number if self.maximum is None else max(self.maximum, number)

    def _word(self, cell: str, count: int, texts: list[str]) -> bool:
        """Take what begins with a letter in, which is no number and no date; False for what must be looked at."""
        if len(cell) < _SENTENCE and (cell[0] in "iInN" or _MARKED_NUMBER.fullmatch(cell)):
            return False
        self._text(cell, count, texts)
        self.words += (cell.count(" ") + 1) * count
        return True

    def _text(self, text: str, count: int, texts: list[str]) -> None:
        self.present += count
        self.characters += len(text) * count
        self.longest = max(self.longest, len(text))
        self.first_text = self.first_text or text[:20_000]
        if len(self.examples) < 3 and text[:200] not in self.examples:
            self.examples.append(text[:200])
        texts.append(text)

    def _look_at_dots(self, cells: Iterable[str]) -> None:
        """Note a dot that could mark thousands, until one is seen that cannot."""
        for cell in cells:
            if "." not in cell:
                continue
            if _DOTTED.fullmatch(cell.strip()) is None:
                self.other_fractions = True
                return
            self.dotted_example = self.dotted_example or cell.strip()

    def _keep_bad(self, cells: list[Any], where: Callable[[int], str]) -> None:
        for index, cell in enumerate(cells):
            if not is_missing(cell) and as_number(cell, self.decimal_comma) is None:
                self.not_numbers.append((where(index), as_text(cell)[:60]))
                if len(self.not_numbers) >= _BAD_KEPT:
                    return

    @property
    def distinct(self) -> int:
        """How many different values there are; beyond some ten thousand an estimate to about 1%."""
        return min(self.different.count, self.present)

    @property
    def all_different(self) -> bool:
        """Whether no value stands twice, as far as an estimate can tell."""
        return self.distinct == self.present if self.different.is_exact else self.distinct > 0.95 * self.present

    @property
    def has_marks(self) -> bool:
        """Whether the column would be numbers, were it not for the marks in them: `$1,200`, `45%`."""
        if self.kind in ("number", "date", "code") or self.marked_numbers <= 0.5 * self.present:
            return False
        return self.numbers + self.marked_numbers >= 0.9 * self.present

    @property
    def dirty(self) -> int:
        """Cells that are not numbers in a column of numbers."""
        return self.present - self.numbers if self.kind == "number" else 0

    @property
    def dots_may_be_thousands(self) -> bool:
        """Whether every dot stands before three digits, beside numbers without one: 1.306 after 976."""
        return self.dotted_example is not None and not self.other_fractions and self.integers > 0

    @property
    def is_called_id(self) -> bool:
        """Whether it is named like what tells rows apart: `id (2)` is the second one, `meta.id` that of an object."""
        name = _SAME_NAME.sub("", self.name)
        name = name.rpartition(".")[2] or name
        return normal_name(name) in ID_NAMES or _ID_ENDING.search(name) is not None

    @property
    def kind(self) -> str:
        """empty, constant, number, code, date, identifier, category, text or nested."""
        if not self.present:
            return "empty"
        if self.distinct == 1:
            return "constant"
        if self.nested:
            return "nested"
        if self.are_codes:
            return "identifier" if self.distinct > 0.95 * self.present and self.present >= 20 else "code"
        if self.dates >= _MOSTLY * self.present:
            return "date"
        if self.numbers >= _MOSTLY * self.present and (self.numbers == self.present or self.present >= 20):
            return "identifier" if self._counts_rows() else "number"
        average_words = self.words / max(1, self.present - self.numbers)
        if self.distinct > 0.5 * self.present and self.present >= 20:
            return "text" if average_words >= 3 else "identifier"
        return "text" if average_words >= 8 else "category"

    @property
    def are_codes(self) -> bool:
        """Whether digits name things: leading zeros, or more digits than a float holds in more than a few cells."""
        has_leading_zeros = self.leading_zeros > 0 and self.integers == self.numbers
        others = self.present - self.numbers
        if others and (others > self.present / 2 or self.words > others or not has_leading_zeros):
            return False  # sentences or names with a few digits among them, or a number with a slip of the pen
        return has_leading_zeros or self.codes > 0.05 * self.present

    @property
    def counts_up(self) -> bool:
        """Whether it holds every whole number from 0 or 1 on once, as rows are numbered."""
        if self.minimum not in (0, 1) or self.maximum is None or self.present < 20:
            return False
        whole = self.integers == self.present and self.maximum - self.minimum == self.present - 1
        return whole and self.all_different

    @property
    def tells_rows_apart(self) -> bool:
        """Whether it is no more than a name or a number of the rows, and so nothing to predict."""
        return self.is_called_id or self.counts_up

    def _counts_rows(self) -> bool:
        """Whether this is a running number: an id by name, whole, and different in every row."""
        is_id = self.is_called_id
        if _NAMELESS.fullmatch(self.name) and self.minimum is not None and self.maximum is not None:
            is_id = self.minimum in (0, 1) and self.maximum - self.minimum == self.present - 1
        return is_id and self.integers == self.present and self.all_different

    @property
    def holds(self) -> str | None:
        """What the lists and objects of the column are: turns, turn, pairs, words, numbers, answers, boxes, objects."""
        if not self.nested_examples:
            return "turns" if is_json_turns(self.first_text) else None
        kinds = Counter(nested_kind(cell) for cell in self.nested_examples)
        return kinds.most_common(1)[0][0]

    @property
    def media(self) -> str | None:
        """image, audio or video, where the cells name such files or hold them."""
        if self.nested_examples:
            found = {media_of_nested(cell) for cell in self.nested_examples}
        else:
            found = {media_of_name(text) for text in self.examples}
        return found.pop() if len(found) == 1 else None

    def to_json(self) -> dict[str, Any]:
        """What `check --json` says of the column."""
        return {
            "kind": self.kind,
            "present": self.present,
            "missing": self.missing,
            "distinct": self.distinct,
            "minimum": self.minimum if self.kind == "number" else None,
            "maximum": self.maximum if self.kind == "number" else None,
            "longest_characters": self.longest or None,
            "examples": self.examples,
        }


@dataclass
class TableSummary:
    """All columns of a table and how many rows were read."""

    rows: int
    columns: dict[str, Column]
    decimal_comma: bool = False

    @classmethod
    def of(cls, names: Iterable[str] = (), decimal_comma: bool = False) -> TableSummary:
        """A summary before its first row."""
        return cls(0, {name: Column(name, decimal_comma) for name in names}, decimal_comma)

    def add(self, batch: Batch) -> None:
        """Take a batch in; a column that only some batches have counts as missing in the others.

        Raises DataError when there is no end of new columns.
        """
        for name, cells in batch.columns.items():
            column = self.columns.get(name)
            if column is None:
                if len(self.columns) >= _MOST_COLUMNS:
                    raise _endless_columns(name)
                column = self.columns[name] = Column(name, self.decimal_comma, missing=self.rows)
            column.take(cells, batch.where)
        self.rows += len(batch)
        if len(batch.columns) < len(self.columns):
            for name, column in self.columns.items():
                if name not in batch.columns:
                    column.missing += len(batch)


def _endless_columns(name: str) -> DataError:
    what = f"There are over {_MOST_COLUMNS:,} different columns"
    fix = "Give every row the same keys; what differs from row to row belongs into values."
    finding = Finding("endless-columns", f"{what}: nearly every row brings new keys", f"column {name}", fix)
    return DataError(what, "nearly every row brings keys of its own", fix, f"column {name}", (finding,))


def summarise(rows: Iterable[Row], decimal_comma: bool = False, names: tuple[str, ...] = ()) -> TableSummary:
    """One pass over rows; a key that only some rows have counts as missing in the others."""
    table = TableSummary.of(names, decimal_comma)
    for some in _slices(rows):
        columns = columns_of([row.cells for row in some])
        table.add(Batch([row.number for row in some], [row.where for row in some], columns, ""))
    return table


def _slices(rows: Iterable[Row]) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while some := list(islice(waiting, BATCH_ROWS)):
        yield some


LEFT_OUT_BECAUSE = {
    "empty": "it has no value at all",
    "constant": "it has the same value in every row",
    "identifier": "it names single rows instead of describing them",
    "text": "it is free text; a text task would read it",
    "nested": "it holds lists or objects",
}


def feature_columns(table: TableSummary, target: str) -> tuple[dict[str, str], dict[str, str]]:
    """The columns a tabular model learns from, with their kind, and those left out, with the reason."""
    used: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for name, column in table.columns.items():
        if name == target:
            continue
        kind = column.kind
        if kind in LEFT_OUT_BECAUSE:
            left_out[name] = "the marks in it make words of its numbers" if column.has_marks else LEFT_OUT_BECAUSE[kind]
        else:
            used[name] = {"number": "number", "date": "date"}.get(kind, "category")
    return used, left_out
