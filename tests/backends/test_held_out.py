"""What the model said of the held-out rows: which are kept to read, in which order, and what is counted of all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backends import held_out
from backends.held_out import as_held_out, confusion, label_scores, numbers, one_class, several_labels, worst
from backends.reporting import write_predictions


def text_of(row: int) -> str:
    return f"row {row}"


def test_mistakes_come_first_the_surest_before_the_others_then_what_was_least_sure() -> None:
    shares = np.array([[0.6, 0.4], [0.9, 0.1], [0.99, 0.01], [0.55, 0.45]])
    found = one_class(("a", "b"), np.array([1, 0, 1, 0]), shares, text_of)
    assert [row["input"] for row in found.rows] == ["row 2", "row 0", "row 3", "row 1"]
    first = {"input": "row 2", "expected": "b", "predicted": "a", "wrong": True}
    assert found.rows[0] == {**first, "probability": 0.99, "expected_probability": 0.01}
    about = {"rows": 4, "mistakes": 2, "kept": 4, "sorted_by": "confidence", "sure_mistakes": 1}
    assert found.counted["held_out"] == about


def test_the_confusion_names_pairs_by_how_often_they_happen() -> None:
    expected, said = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 1, 0, 0])
    found = confusion(("a", "b", "c"), expected, said)
    assert [(each["expected"], each["predicted"], each["count"]) for each in found["pairs"]] == [
        ("a", "b", 2),
        ("b", "a", 1),
        ("c", "a", 1),
    ]
    assert found["classes"][0] == {"name": "a", "count": 3, "predicted": 3, "right": 1}
    assert found["classes"][2] == {"name": "c", "count": 1, "predicted": 0, "right": 0}
    assert found["is_whole"]


def test_of_very_many_confused_pairs_the_most_frequent_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "PAIRS_KEPT", 2)
    found = confusion(("a", "b", "c"), np.array([0, 0, 1, 2]), np.array([1, 1, 0, 0]))
    assert [each["count"] for each in found["pairs"]] == [2, 1]
    assert not found["is_whole"]


def test_rows_and_texts_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "ROWS_KEPT", 3)
    monkeypatch.setattr(held_out, "TEXT_KEPT", 5)
    asked = []

    def long_text(row: int) -> str:
        asked.append(row)
        return "x" * 9

    found = numbers(np.arange(10.0), np.arange(10.0) ** 2, long_text)
    assert asked == [9, 8, 7], "only rows that are kept become text"
    assert [row["input"] for row in found.rows] == ["xxxxx…"] * 3
    assert found.counted["held_out"]["rows"] == 10 and found.counted["held_out"]["kept"] == 3


def test_numbers_are_told_by_their_errors_and_by_range() -> None:
    expected = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 20)
    found = numbers(expected, expected + np.where(expected == 5, -2.0, 0.5), text_of)
    assert found.rows[0] == {"input": "row 80", "expected": "5", "predicted": "3", "error": -2.0}
    assert found.counted["held_out"]["mistakes"] is None
    errors = found.counted["errors"]
    assert errors["quantiles"]["0.5"] == 0.5 and errors["highest"] == 2.0 and errors["bias"] == 0.0
    assert [(each["low"], each["high"], each["count"], each["bias"]) for each in errors["ranges"]][-1] == (5, 5, 20, -2)
    assert sum(each["count"] for each in errors["ranges"]) == 100


@pytest.mark.parametrize("value", [0.0, 7.5])
def test_numbers_that_are_all_the_same_have_one_range(value: float) -> None:
    found = numbers(np.full(4, value), np.full(4, value + 1), text_of)
    assert [each["count"] for each in found.counted["errors"]["ranges"]] == [4]


def test_what_rounding_left_of_zero_is_zero() -> None:
    found = numbers(np.array([8.9e-16, 10.0]), np.array([1.0, 10.0]), text_of)
    assert found.rows[0]["expected"] == "0"


def test_several_labels_are_wrong_where_any_is() -> None:
    truth, shares = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]]), np.array([[0.9, 0.2, 0.3], [0.1, 0.8, 0.1], [0, 1, 0]])
    found = several_labels(("a", "b", "c"), truth, shares, 0.5, text_of)
    first, second, third = found.rows
    assert (first["expected"], first["predicted"], first["wrong"]) == ("no label", "b", True)
    assert (second["expected"], second["predicted"]) == ("a, c", "a")
    assert second["probabilities"] == {"a": 0.9, "c": 0.3}
    assert not third["wrong"]
    assert found.counted["held_out"]["mistakes"] == 2
    assert label_scores(("a", "b", "c"), truth, shares >= 0.5)["b"] == {
        "f1": pytest.approx(2 / 3),
        "precision": 0.5,
        "recall": 1.0,
        "count": 1,
    }


def test_what_is_not_known_is_left_out_and_lone_surrogates_are_written(tmp_path: Path) -> None:
    found = as_held_out(1, 0, [{"input": "a\ud800", "expected": "b", "probability": None}], "f1")
    write_predictions(tmp_path / "predictions.jsonl", found.rows)
    content = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8")
    assert json.loads(content) == {"input": "a?", "expected": "b"}
    assert (tmp_path / "predictions.jsonl").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.jsonl"]


def test_equally_bad_rows_keep_their_order() -> None:
    assert worst([1.0, 2.0, 1.0, 2.0]) == [1, 3, 0, 2]
