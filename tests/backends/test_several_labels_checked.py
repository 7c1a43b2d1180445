"""Rows that have any number of labels, as the data desk sees them."""

from __future__ import annotations

import json
from pathlib import Path

from backends.formats.check_request import CheckRequest
from backends.formats.checks import check
from backends.options import PreparationOptions

LABELS = [[], ["login"], ["billing", "login"], ["billing"], ["login", "speed"], ["speed"]]


def test_lists_of_labels_are_counted_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    rows = [{"text": f"please help with number {n}", "labels": LABELS[n % 6]} for n in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    profile = check(CheckRequest(path=path))
    assert profile.ok and profile.task == "text-classification" and profile.usable_rows == 60
    assert profile.stats["labels"] == {"billing": 20, "login": 30, "speed": 20} and profile.stats["several_labels"]
    told = [each for each in profile.warnings if each.code == "several-labels"]
    assert told and "any number is learned" in told[0].message
    assert told[0].where == "line 1"


def test_labels_that_a_sign_divides_are_told_and_taken(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    cells = ["a", "b", "c", "a;b", "a;c", "b;c", "a;b;c"]
    path.write_text("text,label\n" + "".join(f"words number {n},{cells[n % 7]}\n" for n in range(70)))
    (told,) = [each for each in check(CheckRequest(path=path)).warnings if each.code == "labels-divided"]
    assert "7 classes look like 3 labels" in told.message and "label_separator=;" in told.fix
    profile = check(CheckRequest(path=path, preparation=PreparationOptions(label_separator=";")))
    assert profile.ok and profile.stats["labels"] == {"a": 40, "b": 40, "c": 40}
    assert not [each for each in profile.warnings if each.code == "labels-divided"]
