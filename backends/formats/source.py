"""What is known of a data file or folder before its rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.contract import DataError, Finding


@dataclass(frozen=True)
class Source:
    """One file (or what one reader reads) and how to read it; `notes` say what was assumed.

    `header_record` is -1 where no record names the columns; without `quotes` a quote is a letter like any other;
    `dialogues` are put together from the lines of a plain text.
    """

    path: Path
    format: str
    encoding: str | None = None
    delimiter: str | None = None
    escape: str | None = None
    header_record: int = 0
    quotes: bool = True
    dialogues: bool = False
    columns: tuple[str, ...] = ()
    records_key: str | None = None
    packing: str | None = None
    member: str | None = None
    part: str | None = None
    weight: float = 1.0
    roles: Mapping[str, str] | None = None
    part_column: str | None = None
    notes: tuple[Finding, ...] = ()

    @property
    def decimal_comma(self) -> bool:
        """Where fields are split by semicolons, `0,61` is a number."""
        return self.delimiter == ";"


@dataclass(frozen=True)
class Dataset:
    """A data set as named by a person: its parts (training, validation, test) and the files of each.

    `part_column` names the column that says which part a row belongs to, where one file holds all of them; `objects`
    are columns of plain objects, which are read as a column for each of their keys; `task` is one that a mix names.
    """

    path: Path
    format: str
    parts: Mapping[str, tuple[Source, ...]]
    notes: tuple[Finding, ...] = ()
    part_column: str | None = None
    objects: tuple[str, ...] = ()
    task: str | None = None

    @property
    def first(self) -> Source:
        """The source that says how the data looks."""
        return self.parts[self.training_part][0]

    @property
    def training_part(self) -> str:
        """The part a model learns from."""
        return "train" if "train" in self.parts else next(iter(self.parts))


def data_error(code: str, what: str, why: str, where: str, fix: str) -> DataError:
    """An error that is a finding too, so that reports name it like any other."""
    return DataError(what, why, fix, where, (Finding(code, f"{what}: {why}", where, fix),))
