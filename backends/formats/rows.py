"""What every reader gives: batches of rows, held by column for the checks; one by one for the trainer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BATCH_ROWS = 256
# A batch ends early when its text grows beyond this, so that rows of megabytes do not pile up.
BATCH_CHARACTERS = 4 << 20


@dataclass(frozen=True)
class Row:
    """One record: its number among the records from 1, where a person finds it, and its cells by column."""

    number: int
    where: str
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Batch:
    """Some records one after another: for each its number and place, and its cells by column, None where it has none.

    `places` hold line numbers, row numbers or names; `share` says how much of the file has been read, from 0 to 1;
    `records` are the objects as they were read, where the data came as objects, with the keys that each of them has.
    """

    numbers: Sequence[int]
    places: Sequence[Any]
    columns: dict[str, list[Any]]
    place_word: str = "row"
    share: float | None = None
    records: Sequence[Mapping[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, index: int) -> str:
        """Where a person finds the record."""
        place = self.places[index]
        return f"{self.place_word} {place}" if self.place_word else str(place)

    def rows(self) -> Iterator[Row]:
        """The records one by one."""
        if self.records is not None:
            for index, record in enumerate(self.records):
                yield Row(self.numbers[index], self.where(index), record)
            return
        names = tuple(self.columns)
        for index, cells in enumerate(zip(*self.columns.values())):
            yield Row(self.numbers[index], self.where(index), dict(zip(names, cells)))

    def pick(self, indices: Sequence[int]) -> Batch:
        """The same with some of the records only."""
        columns = {name: [cells[i] for i in indices] for name, cells in self.columns.items()}
        numbers, places = [self.numbers[i] for i in indices], [self.places[i] for i in indices]
        records = [self.records[i] for i in indices] if self.records is not None else None
        return Batch(numbers, places, columns, self.place_word, self.share, records)


@dataclass
class Gathering:
    """Records on their way into a batch."""

    place_word: str = "row"
    numbers: list[int] = field(default_factory=list)
    places: list[Any] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    characters: int = 0

    def add(self, number: int, place: Any, record: Any, characters: int = 0) -> bool:
        """Take one more record in; whether it is time to hand the batch over."""
        self.numbers.append(number)
        self.places.append(place)
        self.records.append(record)
        self.characters += characters
        return len(self.records) >= BATCH_ROWS or self.characters >= BATCH_CHARACTERS

    @property
    def is_full(self) -> bool:
        """Whether it is time to hand the batch over."""
        return len(self.records) >= BATCH_ROWS or self.characters >= BATCH_CHARACTERS

    def take(self, names: Iterable[str] | None = None, share: float | None = None) -> Batch:
        """The batch so far, and a fresh start; records are objects, or cell lists when `names` are given."""
        if names is None:
            columns = columns_of(self.records)
        else:
            columns = dict(zip(names, map(list, zip(*self.records)))) if self.records else {name: [] for name in names}
        records = self.records if names is None else None
        batch = Batch(self.numbers, self.places, columns, self.place_word, share, records)
        self.numbers, self.places, self.records, self.characters = [], [], [], 0
        return batch


def columns_of(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Objects turned into columns; a key that an object does not have is None there."""
    if not records:
        return {}
    orders = set(map(tuple, records))
    if len(orders) == 1:
        return {name: [record[name] for record in records] for name in orders.pop()}
    names = dict.fromkeys(records[0])
    for order in orders:
        names.update(dict.fromkeys(order))
    return {name: [record.get(name) for record in records] for name in names}
