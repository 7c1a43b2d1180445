"""Findings of a check as a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from backends.contract import DatasetProfile, Finding, UsageError
from forge_tui.finding_files import write_findings

PROFILE = DatasetProfile(
    path="mails.csv",
    format="csv",
    encoding="utf-8",
    rows=99,
    usable_rows=98,
    errors=(Finding("empty-label", "the label is empty", "row 17 of validation", "Give it one."),),
    warnings=(
        Finding("duplicate", "the text repeats that of row 3, with\x1b[31m, a comma", "row 1904", "Leave one out."),
        Finding("duplicate", "and 12 more of this kind", "32 places in all", "Leave one out."),
        Finding("bad-image", "no picture", "=evil.png", "-"),
    ),
)


def test_a_table_for_spreadsheets(tmp_path: Path) -> None:
    assert write_findings(PROFILE, tmp_path / "found.csv") == 4
    with open(tmp_path / "found.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0] == {
        "row": "17",
        "severity": "error",
        "code": "empty-label",
        "message": "the label is empty",
        "where": "row 17 of validation",
        "fix": "Give it one.",
    }
    assert rows[1]["message"] == "the text repeats that of row 3, with, a comma"
    assert [row["row"] for row in rows] == ["17", "1904", "", ""]
    assert rows[3]["where"] == "'=evil.png", "no formula"
    assert (tmp_path / "found.csv").stat().st_mode & 0o777 == 0o600


def test_lines_for_scripts(tmp_path: Path) -> None:
    write_findings(PROFILE, tmp_path / "found.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert rows[0]["row"] == 17 and rows[2]["row"] is None and rows[3]["where"] == "=evil.png"


@pytest.mark.parametrize("name", ["there.csv", "no/such/folder.csv"])
def test_what_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(UsageError):
        write_findings(PROFILE, tmp_path / name)
    assert (tmp_path / "there.csv").read_text() == "mine"
