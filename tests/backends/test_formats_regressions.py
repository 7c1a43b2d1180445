"""Files that once crashed, hung or ended the process: each of them ends in a profile that says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.contract import DatasetProfile
from backends.formats import streams
from backends.formats.checks import CheckRequest, check
from backends.formats.findings import Findings
from backends.formats.reading import open_table, read_batches

FOUND = sorted((Path(__file__).parent / "data" / "regressions").iterdir())
TASKS = (None, "text-generation", "object-detection", "tabular-classification", "extractive-question-answering")
# What each file that cannot be read says; the others are read.
UNREADABLE = {
    "columns-without-end.csv.gz": "endless-columns",
    "nested-deep-among-values.json.gz": "invalid-json",
    "number-of-5000-digits.json": "invalid-json",
    "number-of-5000-digits-coco.json": "invalid-json",
    "offsets-beyond-the-list.arrow": "invalid-arrow",
    "offsets-beyond-the-values.arrow": "invalid-arrow",
    "texts-of-300-megabytes.xlsx": "invalid-xlsx",
}


def checked(path: Path, task: str | None = None) -> DatasetProfile:
    """The profile of a file, when it can be written as JSON and every finding in it says everything."""
    profile = check(CheckRequest(path, task))
    json.dumps(profile.to_json(), ensure_ascii=False, allow_nan=False).encode()
    assert all(text.strip() for found in (*profile.errors, *profile.warnings) for text in vars(found).values())
    assert 0 <= (profile.usable_rows or 0) <= (profile.rows or 0)
    return profile


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_was_found_once_ends_in_a_profile(path: Path) -> None:
    for task in TASKS if path.suffix != ".xlsx" else (None,):
        codes = {found.code for found in checked(path, task).errors}
        assert codes & set(UNREADABLE.values()) == ({UNREADABLE[path.name]} if path.name in UNREADABLE else set())


def test_every_file_that_cannot_be_read_is_there() -> None:
    assert set(UNREADABLE) <= {path.name for path in FOUND}


@pytest.mark.parametrize(
    ("name", "before", "code"),
    [
        ("a.csv", "text,label\nsome words,a\n", "endless-line"),
        ("a.jsonl", '{"text": "some words"}\n{"text": "', "endless-line"),
        ("a.conll", "word B-x\nword O\n\n" * 9, "endless-line"),
        ("a.json", '[{"text": "some words"}, {"text": "', "invalid-json"),
        ("coco.json", '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "info": "', "invalid-json"),
    ],
)
def test_a_line_without_end_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, before: str, code: str
) -> None:
    monkeypatch.setattr(streams, "LONGEST_LINE", 1 << 20)
    path = tmp_path / name
    path.write_text(before + "x" * (4 << 20) + '"}]', encoding="utf-8")
    assert [found.code for found in checked(path).errors] == [code]


def test_cells_that_python_cannot_hold_count_as_missing() -> None:
    for path in FOUND:
        if path.name.startswith("cells-beyond-python"):
            profile = checked(path, "text-classification")
            assert profile.ok and profile.usable_rows == 6
            assert {found.code for found in profile.warnings} >= {"unreadable-cell"}
            assert profile.stats["columns"]["when"]["missing"] == 3


def test_a_header_of_ten_thousands_of_names_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    names = [f"gene {number:09}" for number in range(20_000)]
    lines = [",".join([*names, "label"]), *(",".join([str(row)] * len(names) + ["xy"[row % 2]]) for row in range(4))]
    path.write_text("\n".join(["a title", *lines]), encoding="utf-8")
    source = open_table(path)
    assert source.columns == (*names, "label")
    assert [len(batch) for batch in read_batches(source, Findings())] == [4]
