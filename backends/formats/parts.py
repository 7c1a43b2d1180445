"""Which part of a data set a file, a folder or a value names: training, validation or test."""

from __future__ import annotations

import re

from backends.formats.values import is_missing

PART_NAMES = ("train", "validation", "test")
# Rows of a part that is none of these.
UNKNOWN_PART = "unknown"
_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "valid", "val", "dev", "development", "eval", "evaluation"),
    "test": ("test", "testing", "tst", "holdout"),
}
_PART_OF = {word: part for part, words in _WORDS.items() for word in words}
_SHARD = re.compile(r"[-_.]?(?:part|shard)?[-_.]?\d+(?:[-_.]?of[-_.]?\d+)?$", re.IGNORECASE)
_WORD = re.compile(
    r"(?<![A-Za-z])(" + "|".join(sorted(_PART_OF, key=len, reverse=True)) + r")(?![A-Za-z])", re.IGNORECASE
)


def part_of_folder(name: str) -> str | None:
    """The part that a folder name stands for: the whole name, or with a number or year behind it."""
    return _PART_OF.get(re.sub(r"[-_.]?\d+$", "", name).lower())


def part_of_name(stem: str) -> tuple[str, str | None]:
    """The name of a file without its part and shard number, and the part it names, if any.

    `banking77_train` is `banking77`, train; `gsm8k_test_500` is `gsm8k`, test; `train-00000-of-00002` is ``, train.
    """
    matches = list(_WORD.finditer(stem))
    if not matches:
        shortened = _SHARD.sub("", stem) if re.search(r"of[-_.]?\d+$|(?:part|shard)[-_.]?\d+$", stem, re.I) else stem
        return shortened.strip("-_. "), None
    last = matches[-1]
    before, after = stem[: last.start()], stem[last.end() :]
    rest = before if not after or _SHARD.fullmatch(after) else before + after
    return rest.strip("-_. "), _PART_OF[last.group(1).lower()]


def part_of_value(value: object) -> str | None:
    """The part that a cell of a split column names."""
    return _PART_OF.get(str(value).strip().lower())


def part_of_cell(cell: object) -> str:
    """The part that a cell names; a row that says nothing is trained on, one of a word that is no part is not used."""
    return "train" if is_missing(cell) else part_of_value(cell) or UNKNOWN_PART
