"""The rows a run trains and is scored on: what was prepared, how it was divided, and that a resume sees the same."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import DataError, DatasetProfile, RunFiles, RunSpec, UsageError, read_json
from backends.data import Split, load_split
from backends.events import EventWriter
from backends.formats.checks import CheckRequest, check, check_data
from backends.job import Job, fingerprint
from backends.options import PreparationOptions, parse_settings
from backends.registry import find_task
from backends.signals import StopControl

Rows = list[dict[str, Any]]
TEXT, TABLE, NUMBER = "text-classification", "tabular-classification", "tabular-regression"
ROLES = {
    TEXT: {"text": "text", "label": "label"}, TABLE: {"target": "label"}, NUMBER: {"target": "n"},
}  # fmt: skip


def rows_of(count: int = 40, start: int = 0, **more: Any) -> Rows:
    """Rows that all can be used; `more` holds columns by a function of the row's number."""
    numbers = range(start, start + count)
    plain = [{"text": f"words of text {n}", "size": n * 37 % 101, "n": n * 0.5, "label": "ab"[n % 2]} for n in numbers]
    return [{**row, **{name: value(n) for name, value in more.items()}} for n, row in zip(numbers, plain, strict=True)]


def lines(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    return path


def comma(path: Path, rows: Rows, delimiter: str = ",") -> Path:
    """Rows without delimiters or quotes in them as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [[*rows[0]], *(["" if cell is None else str(cell) for cell in row.values()] for row in rows)]
    path.write_text("".join(delimiter.join(line) + "\n" for line in cells))
    return path


def job_of(folder: Path, data: Path, task: str = TEXT, prepare: dict[str, Any] | None = None, **changes: Any) -> Job:
    """A job on data as `python -m backends` makes it; a folder that was there is resumed."""
    folder.mkdir(parents=True, exist_ok=True)
    files = RunFiles(folder)
    known = find_task(task)
    given_settings = changes.pop("settings", {})
    spec = RunSpec("tiny", task, "full", known.default_model, str(data), columns=ROLES[task], settings=given_settings)
    spec = replace(spec, preparation=prepare or {}, **changes)
    options = parse_settings(known.options, given_settings)
    return Job(files, spec, known, options, EventWriter(files.events), StopControl(), 0, None)


def split(folder: Path, data: Path, task: str = TEXT, prepare: dict[str, Any] | None = None, **changes: Any) -> Split:
    job = job_of(folder, data, task, prepare, **changes)
    try:
        return load_split(job)
    finally:
        os.close(job.events._descriptor)  # a process has one log; a test has hundreds


def profile_of(
    path: Path, task: str = TEXT, prepare: dict[str, Any] | None = None, eval_path: Path | None = None
) -> DatasetProfile:
    options = parse_settings(PreparationOptions, prepare or {})
    return check(CheckRequest(path, task, ROLES[task], eval_path, preparation=options))


def announced(*arguments: Any, **more: Any) -> list[int]:
    """How many rows of each part the check says can be used."""
    profile = profile_of(*arguments, **more)
    assert profile.ok, profile.errors
    return [told["usable_rows"] for told in profile.stats["parts"].values()]


def used(found: Split) -> list[int]:
    return [len(found.train.rows), len(found.evaluation.rows)]


def recorded(folder: Path) -> dict[str, Any]:
    found = read_json(RunFiles(folder).data)
    assert found is not None
    return found


def notices(folder: Path) -> str:
    events = map(json.loads, RunFiles(folder).events.read_text().splitlines())
    return "\n".join(event["message"] for event in events if event["kind"] == "notice")


def texts(rows: Rows) -> list[str]:
    return [row["text"] for row in rows]


def both(found: Split) -> Rows:
    return [*found.train.rows, *found.evaluation.rows]


# --- rows that cannot be used ------------------------------------------------------------------------------------

BROKEN: dict[str, dict[int, dict[str, Any]]] = {
    TEXT: {3: {"text": " "}, 7: {"label": "n/a"}, 9: {"label": None}},
    TABLE: {3: {"label": ""}, 7: {"label": "NaN"}},
    NUMBER: {3: {"n": None}, 7: {"n": ""}},
}


@pytest.mark.parametrize("task", ROLES)
@pytest.mark.parametrize("bad_rows", [None, "drop-empty", "drop"])
def test_rows_that_lack_something_are_left_out(tmp_path: Path, task: str, bad_rows: str | None) -> None:
    rows = [{**row, **BROKEN[task].get(number, {})} for number, row in enumerate(rows_of())]
    prepare = {} if bad_rows is None else {"bad_rows": bad_rows}
    found = split(tmp_path / "run", lines(tmp_path / "t.jsonl", rows), task, prepare)
    kept = [row for number, row in enumerate(rows) if number not in BROKEN[task]]
    assert sorted(texts(both(found))) == sorted(texts(kept))
    data = recorded(tmp_path / "run")
    assert (data["rows"], data["dropped_rows"]) == (40, len(BROKEN[task]))
    assert data["train_rows"] + data["eval_rows"] == len(kept)
    assert "rows left out of the train part" in notices(tmp_path / "run")


@pytest.mark.parametrize("task", ROLES)
def test_stop_starts_nothing_while_there_is_a_bad_row(tmp_path: Path, task: str) -> None:
    rows = [{**row, **BROKEN[task].get(number, {})} for number, row in enumerate(rows_of())]
    path = lines(tmp_path / "t.jsonl", rows)
    with pytest.raises(DataError) as caught:
        split(tmp_path / "run", path, task, {"bad_rows": "stop"})
    assert caught.value.where == "line 4" and "bad_rows=drop" in caught.value.fix and caught.value.why
    clean = lines(tmp_path / "clean.jsonl", rows_of())
    assert len(both(split(tmp_path / "other", clean, task, {"bad_rows": "stop"}))) == 40


def test_rows_that_cannot_be_read_stop_the_check_where_that_was_chosen(tmp_path: Path) -> None:
    path = comma(tmp_path / "t.csv", rows_of())
    assert announced(path, TEXT, {"bad_rows": "stop"}) == [40]
    path.write_text(f"{path.read_text()}some,cells,too,many,here\n")
    assert announced(path) == [40]
    errors = profile_of(path, TEXT, {"bad_rows": "stop"}).errors
    assert [(each.code, each.where) for each in errors] == [("ragged-row-stops", "line 42")]
    with pytest.raises(DataError) as caught:  # the trainer refuses in the same words
        split(tmp_path / "run", path, TEXT, {"bad_rows": "stop"})
    assert (caught.value.why, caught.value.where) == (errors[0].message, errors[0].where)
    assert caught.value.fix == errors[0].fix
    with pytest.raises(DataError) as caught:
        split(
            tmp_path / "run", comma(tmp_path / "whole.csv", rows_of()), TEXT, {"bad_rows": "stop"}, eval_data=str(path)
        )
    assert caught.value.where == "line 42 of validation"
    assert len(both(split(tmp_path / "left out", path))) == 40
    assert "rows left out of the train part: 1 ragged-row" in notices(tmp_path / "left out")


def test_wrong_numbers_in_a_target_stop_unless_they_are_dropped(tmp_path: Path) -> None:
    rows = [{**row, "n": "12 or so" if number == 5 else row["n"]} for number, row in enumerate(rows_of())]
    path = lines(tmp_path / "t.jsonl", rows)
    for prepare in ({}, {"bad_rows": "drop-empty"}, {"bad_rows": "stop"}):
        with pytest.raises(DataError) as caught:
            split(tmp_path / "run", path, NUMBER, prepare)
        assert caught.value.where == "line 6" and "'12 or so'" in caught.value.why
    found = split(tmp_path / "run", path, NUMBER, {"bad_rows": "drop"})
    assert len(both(found)) == 39 and all(isinstance(label, float) for label in found.train.labels)


# --- the same again, spellings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [TEXT, TABLE])
def test_rows_that_repeat_an_earlier_one_are_left_out_when_chosen(tmp_path: Path, task: str) -> None:
    rows = rows_of()
    again = [{**rows[4]}, {**rows[9], "text": rows[9]["text"].upper()}, dict(reversed(rows[9].items()))]
    again[2]["text"] = f" {rows[9]['text']}\t"
    path = lines(tmp_path / "t.jsonl", [*rows, *again])
    assert len(both(split(tmp_path / "all", path, task))) == 43
    found = split(tmp_path / "once", path, task, {"drop_duplicates": "yes"})
    assert sorted(texts(both(found))) == sorted(texts(rows))
    assert recorded(tmp_path / "once")["dropped_rows"] == 3
    assert recorded(tmp_path / "once")["prepare"] == {"drop_duplicates": "yes"}
    assert announced(path, task, {"drop_duplicates": "yes"}) == [40]


def test_cells_that_only_run_together_are_no_copies(tmp_path: Path) -> None:
    rows = rows_of(30, place=lambda n: f"Köln {n}", number=lambda n: n)
    rows += [
        {**rows[0], "place": "Köln", "size": 1, "number": 23},
        {**rows[0], "place": "Köln", "size": 12, "number": 3},
    ]
    cells: Rows = [{name: row[name] for name in ("place", "size", "number", "label")} for row in rows]
    path = comma(tmp_path / "t.csv", cells)
    assert len(both(split(tmp_path / "run", path, TABLE, {"drop_duplicates": "yes"}))) == 32
    assert announced(path, TABLE, {"drop_duplicates": "yes"}) == [32]


def test_copies_are_those_of_training_rows_whatever_the_order_of_the_parts(tmp_path: Path) -> None:
    """As in a file whose column says the part of each row, where a test row may stand before its copy."""
    rows: Rows = []
    for n, row in enumerate(rows_of()):
        rows += [{**row, "split": "test"}] * (n % 4 == 0) + [{**row, "split": "train"}]
    path = comma(tmp_path / "t.csv", [*rows, *rows_of(6, 100, split=lambda n: "test")])
    found = split(tmp_path / "run", path, TEXT, {"drop_duplicates": "yes"}, eval_part="test")
    assert used(found) == announced(path, TEXT, {"drop_duplicates": "yes"}) == [40, 6]


@pytest.mark.parametrize("task", [TEXT, TABLE])
def test_evaluation_rows_that_training_has_are_left_out_when_chosen(tmp_path: Path, task: str) -> None:
    rows = rows_of()
    evaluation = [*rows_of(10, 100), {**rows[3], "text": rows[3]["text"].title()}, rows[8], rows_of(1, 100)[0]]
    path, other = lines(tmp_path / "t.jsonl", rows), lines(tmp_path / "e.jsonl", evaluation)
    found = split(tmp_path / "all", path, task, eval_data=str(other))
    assert (len(found.train.rows), len(found.evaluation.rows)) == (40, 13)
    found = split(tmp_path / "once", path, task, {"drop_duplicates": True}, eval_data=str(other))
    assert found.train.rows == rows and found.evaluation.rows == rows_of(10, 100)
    assert "stand in training too" in notices(tmp_path / "once")


def test_labels_that_differ_in_case_become_the_most_frequent(tmp_path: Path) -> None:
    spellings = ["Spam", "spam", "spam", "ham", "HAM ", "ham"]
    path = lines(tmp_path / "t.jsonl", rows_of(60, label=lambda n: spellings[n % 6]))
    assert split(tmp_path / "all", path).classes == ("HAM", "Spam", "ham", "spam")
    found = split(tmp_path / "one", path, TEXT, {"merge_spellings": "yes"})
    assert found.classes == ("ham", "spam")
    assert Counter([*found.train.labels, *found.evaluation.labels]) == {"ham": 30, "spam": 30}
    assert "2 spellings" in notices(tmp_path / "one")


def test_labels_that_become_one_class_are_refused(tmp_path: Path) -> None:
    path = comma(tmp_path / "t.csv", rows_of(60, label=lambda n: ["yes", "YES"][n % 2]))
    for task in (TEXT, TABLE):
        assert announced(path, task) == [60]
        errors = profile_of(path, task, {"merge_spellings": "yes"}).errors
        assert [each.code for each in errors] == ["one-class"]
        with pytest.raises(DataError, match="one class only"):
            split(tmp_path / f"run {task}", path, task, {"merge_spellings": "yes"})


def test_evaluation_labels_follow_the_spellings_of_training(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(label=lambda n: ["yes", "No"][n % 2]))
    other = lines(tmp_path / "e.jsonl", rows_of(12, 100, label=lambda n: ["YES", "no", "never"][n % 3]))
    plain = pytest.raises(DataError, match="too few rows")
    with plain:
        split(tmp_path / "all", path, eval_data=str(other))
    found = split(tmp_path / "one", path, TEXT, {"merge_spellings": "yes"}, eval_data=str(other))
    assert Counter(found.evaluation.labels) == {"yes": 4, "No": 4}
    profile = profile_of(path, TEXT, {"merge_spellings": "yes"}, other)
    assert profile.ok and [each.message for each in profile.warnings if each.code == "unseen-class"] == [
        "4 evaluation rows are of classes that training never sees: never"
    ]
    assert "4 evaluation rows are of classes that training never sees (never)" in notices(tmp_path / "one")


# --- length and quality ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "kept"),
    [
        ({"shortest": "5"}, range(20, 41)),
        ({"longest": "5"}, range(1, 21)),
        ({"shortest": 3, "longest": 4}, range(12, 17)),
    ],
)
def test_short_and_long_texts_are_left_out(tmp_path: Path, prepare: dict[str, Any], kept: range) -> None:
    """Lengths are in tokens of four bytes."""
    path = lines(tmp_path / "t.jsonl", rows_of(text=lambda n: "x" * (n + 1)))
    found = split(tmp_path / "run", path, TEXT, prepare)
    assert sorted(map(len, texts(both(found)))) == list(kept)


def test_lengths_of_other_letters_are_those_of_their_bytes(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(text=lambda n: "ä" * (n + 1)))
    found = split(tmp_path / "run", path, TEXT, {"longest": "10"})
    assert sorted(map(len, texts(both(found)))) == list(range(1, 21))
    assert announced(path, TEXT, {"longest": "10"}) == [20]


def test_rows_of_low_quality_are_left_out(tmp_path: Path) -> None:
    marks = [0.1, 0.5, None, "0.9", "bad", 0.3, 0.7]
    path = lines(tmp_path / "t.jsonl", rows_of(70, mark=lambda n: marks[n % 7]))
    plain = split(tmp_path / "plain", path, TEXT)
    found = split(tmp_path / "run", path, TEXT, {"quality_column": "mark", "quality_from": "0.3"})
    assert {str(row["mark"]) for row in found.train.rows} == {"0.5", "0.9", "0.3", "0.7"}
    assert found.evaluation.rows == plain.evaluation.rows  # all of them, so that the scores can be compared
    assert f"{len(plain.train.rows) - len(found.train.rows)} training rows are left out" in notices(tmp_path / "run")
    found = split(tmp_path / "any", path, TEXT, {"quality_column": "mark"})
    assert {row["mark"] for row in found.train.rows} == {0.1, 0.5, "0.9", 0.3, 0.7}  # any mark will do


@pytest.mark.parametrize("marked", [True, False])
def test_evaluation_data_is_scored_whole_whatever_its_quality(tmp_path: Path, marked: bool) -> None:
    path = comma(tmp_path / "t.csv", rows_of(200, mark=lambda n: n % 10))
    other = comma(tmp_path / "e.csv", rows_of(50, 500, **({"mark": lambda n: n % 10} if marked else {})))
    plain = split(tmp_path / "plain", path, eval_data=str(other))
    prepare = {"quality_column": "mark", "quality_from": "3"}
    found = split(tmp_path / "run", path, TEXT, prepare, eval_data=str(other))
    assert found.evaluation.rows == plain.evaluation.rows and len(found.evaluation.rows) == 50
    assert {row["mark"] for row in found.train.rows} == set("3456789")
    assert announced(path, TEXT, prepare, other) == [200, 50]


def test_marks_of_quality_may_have_a_decimal_comma(tmp_path: Path) -> None:
    path = comma(tmp_path / "t.csv", rows_of(60, mark=lambda n: f"0,{n % 9 + 1}"), ";")
    prepare = {"quality_column": "mark", "quality_from": "0.3"}
    found = split(tmp_path / "run", path, TEXT, prepare)
    assert {row["mark"] for row in found.train.rows} == {f"0,{n}" for n in range(3, 10)}
    profile = profile_of(path, TEXT, prepare)
    low = sum(f"0,{n % 9 + 1}" < "0,3" for n in range(60))
    assert profile.ok and profile.stats["low_quality"] == {"marked lower than was chosen": low}


# --- weights -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [TEXT, TABLE, NUMBER])
def test_training_sees_a_row_as_often_as_its_weight(tmp_path: Path, task: str) -> None:
    weights = [0, 1, 2, 3, None, -4]
    path = lines(tmp_path / "t.jsonl", rows_of(120, w=lambda n: weights[n % 6]))
    plain = split(tmp_path / "plain", path, task)
    found = split(tmp_path / "run", path, task, {"weight_column": "w"})
    assert found.evaluation.rows == plain.evaluation.rows  # scored once each, and the same ones
    seen = Counter(texts(found.train.rows))
    for row in plain.train.rows:
        expected = {0: 0, 1: 1, 2: 2, 3: 3, None: 1, -4: 0}[row["w"]]
        assert seen[row["text"]] == expected, row
    assert len(found.train.labels) == len(found.train.rows) == seen.total()
    assert recorded(tmp_path / "run")["train_rows"] == len(plain.train.rows)
    assert "by their weights" in notices(tmp_path / "run")


def test_a_weight_of_a_half_is_about_every_second_row(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(1000, w=lambda n: 0.5 if n < 500 else 1.25))
    found = split(tmp_path / "run", path, TEXT, {"weight_column": "w"})
    seen = Counter(texts(found.train.rows))
    times = Counter((row["w"], seen[row["text"]]) for row in found.train.rows)
    assert set(times) <= {(0.5, 1), (1.25, 1), (1.25, 2)}
    assert 150 < times[0.5, 1] < 250 and 350 < times[1.25, 1] + times[1.25, 2] / 2 < 450
    again = split(tmp_path / "run", path, TEXT, {"weight_column": "w"})
    assert again.train.rows == found.train.rows
    other = split(tmp_path / "seed", path, TEXT, {"weight_column": "w"}, settings={"seed": 7})
    assert other.train.rows != found.train.rows


def test_weights_may_have_a_decimal_comma(tmp_path: Path) -> None:
    path = comma(tmp_path / "t.csv", rows_of(60, w=lambda n: "2,0"), ";")
    found = split(tmp_path / "run", path, TEXT, {"weight_column": "w"})
    assert len(found.train.rows) == 2 * (60 - len(found.evaluation.rows))


def test_rows_that_are_seen_twice_leave_the_features_of_a_table_as_they_are(tmp_path: Path) -> None:
    """A running number that stands twice is still one."""
    from backends.tabular import build_schema

    cells: Rows = [{"id": n, "size": n * 37 % 11, "w": 2, "label": "ab"[n % 2]} for n in range(60)]
    path = comma(tmp_path / "t.csv", cells)
    job = job_of(tmp_path / "run", path, TABLE, {"weight_column": "w"})
    features = [feature["name"] for feature in build_schema(job, load_split(job))["features"]]
    assert features == list(profile_of(path, TABLE, {"weight_column": "w"}).stats["features"]) == ["size"]


def test_weights_that_leave_no_row(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(w=lambda n: 0))
    with pytest.raises(DataError, match="No row is left to train on"):
        split(tmp_path / "run", path, TEXT, {"weight_column": "w"})


# --- who is held out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ROLES)
def test_rows_of_a_group_are_on_one_side(tmp_path: Path, task: str) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(200, who=lambda n: n % 23))
    for seed in range(5):
        found = split(tmp_path / f"{seed}", path, task, {"group_column": "who"}, settings={"seed": seed})
        sides = [{row["who"] for row in side.rows} for side in (found.train, found.evaluation)]
        assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 23
        assert 40 <= len(found.evaluation.rows) <= 60  # a fifth of them, by whole groups
    assert recorded(tmp_path / "0")["group_column"] == "who"


@settings(deadline=None, max_examples=60)
@given(
    groups=st.lists(st.sampled_from(["a", "b", "c", "d", "", None, 1, 2.0, "1"]), min_size=12, max_size=60),
    seed=st.integers(0, 2**31 - 1),
    fraction=st.floats(0.05, 0.6),
)
def test_no_group_is_ever_on_both_sides(tmp_path_factory: Any, groups: list[Any], seed: int, fraction: float) -> None:
    folder = tmp_path_factory.mktemp("groups")
    path = lines(folder / "t.jsonl", rows_of(len(groups), who=lambda n: groups[n]))
    options = {"seed": seed, "eval_fraction": fraction}
    try:
        found = split(folder / "run", path, NUMBER, {"group_column": "who"}, settings=options)
    except DataError as error:
        assert "too few rows" in error.what  # nothing is left to train on or to score
        return
    sides = [{str(row["who"] or "") for row in side.rows} for side in (found.train, found.evaluation)]
    assert not sides[0] & sides[1]
    assert len(both(found)) == len(groups)


def test_the_largest_group_is_trained_on(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(200, who=lambda n: "most" if n < 180 else f"{n % 10}"))
    for seed in range(20):
        found = split(tmp_path / f"{seed}", path, TEXT, {"group_column": "who"}, settings={"seed": seed})
        assert 0 < len(found.evaluation.rows) <= 60, seed


def test_rows_of_one_group_alone_cannot_be_divided(tmp_path: Path) -> None:
    path = comma(tmp_path / "t.csv", rows_of(60, who=lambda n: "me"))
    errors = profile_of(path, TEXT, {"group_column": "who"}).errors
    assert [(each.code, each.where) for each in errors] == [("one-group", "column who")]
    with pytest.raises(DataError, match="too few rows"):
        split(tmp_path / "run", path, TEXT, {"group_column": "who"})


START = datetime(2023, 11, 5, 6, 30)
WEEK = 7 * 24 * 3600 * 1000


@pytest.mark.parametrize(
    "moment",
    [
        lambda n: (START + timedelta(days=n)).isoformat(),
        lambda n: (START + timedelta(days=n)).date().isoformat(),
        lambda n: 1990 + n,
        lambda n: n * 0.25 - 7,
        lambda n: int((START + timedelta(hours=n)).timestamp()),
        lambda n: f"{(START + timedelta(minutes=n)).isoformat()}+02:00",
        lambda n: 1_711_121_511_234 + (n - 70) * WEEK,  # in milliseconds; one reads as 1725-03-19 11:23
        lambda n: 1_711_121_511_234 + (n - 99) * WEEK,
    ],
)
@pytest.mark.parametrize("task", [TEXT, NUMBER])
def test_the_latest_rows_are_held_out(tmp_path: Path, task: str, moment: Any) -> None:
    rows = rows_of(100, when=moment)
    shuffled = random.Random(5).sample(rows, 100)
    found = split(tmp_path / "run", lines(tmp_path / "t.jsonl", shuffled), task, {"time_column": "when"})
    assert sorted(texts(found.evaluation.rows)) == sorted(texts(rows[-20:]))
    assert texts(found.train.rows) == [row["text"] for row in shuffled if row in rows[:80]]
    data = recorded(tmp_path / "run")
    assert (data["split"], data["time_column"]) == ("latest rows held out", "when")


def test_times_of_a_binary_table_and_rows_without_one(tmp_path: Path) -> None:
    rows = rows_of(100, when=lambda n: None if n % 10 == 0 else START + timedelta(seconds=n))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    found = split(tmp_path / "run", tmp_path / "t.parquet", TEXT, {"time_column": "when"})
    held = [row["when"] for row in found.evaluation.rows]
    trained = [row["when"] for row in found.train.rows]
    assert len(held) == 20 and None not in held and trained.count(None) == 10
    assert max(time for time in trained if time) < min(held)


@pytest.mark.parametrize("task", [TEXT, TABLE])
def test_one_class_among_the_earlier_rows_is_refused(tmp_path: Path, task: str) -> None:
    rows = rows_of(60, when=lambda n: 2000 + n, label=lambda n: "a" if n < 45 or n % 2 else "b")
    with pytest.raises(DataError, match="one class only") as caught:
        split(tmp_path / "run", comma(tmp_path / "t.csv", rows), task, {"time_column": "when"})
    assert "'a'" in caught.value.why and "time_column" in caught.value.fix


def test_rows_of_one_moment_stay_together(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(100, when=lambda n: 2000 + n // 7))
    found = split(tmp_path / "run", path, TEXT, {"time_column": "when"})
    trained, held = ({row["when"] for row in side.rows} for side in (found.train, found.evaluation))
    assert not trained & held and max(trained) < min(held) and 20 <= len(found.evaluation.rows) <= 30


# --- parts, other files, formats ---------------------------------------------------------------------------------


def test_a_folder_with_parts_is_trained_on_one_and_scored_on_another(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    lines(folder / "train.jsonl", rows_of(30))
    lines(folder / "dev.jsonl", rows_of(8, 100))
    lines(folder / "test.jsonl", rows_of(10, 200))
    for part, start, count in (("validation", 100, 8), ("test", 200, 10)):
        found = split(tmp_path / part, folder, eval_part=part)
        assert found.train.rows == rows_of(30) and found.evaluation.rows == rows_of(count, start)
        data = recorded(tmp_path / part)
        assert (data["eval_path"], data["eval_part"]) == (str(folder), part)
        assert (data["rows"], data["train_rows"], data["eval_rows"]) == (30, 30, count)


def test_shards_are_read_one_after_another(tmp_path: Path) -> None:
    for number in range(3):
        lines(tmp_path / "set" / f"train-0000{number}-of-00003.jsonl", rows_of(10, number * 10))
    lines(tmp_path / "set" / "test-00000-of-00001.jsonl", rows_of(9, 100))
    found = split(tmp_path / "run", tmp_path / "set", eval_part="test")
    assert found.train.rows == rows_of(30) and found.evaluation.rows == rows_of(9, 100)


@pytest.mark.parametrize("task", [TEXT, TABLE])
def test_a_column_says_which_rows_are_trained_on(tmp_path: Path, task: str) -> None:
    rows = rows_of(60, split=lambda n: ["train", "Train", "dev", "test"][n % 4])
    found = split(tmp_path / "run", comma(tmp_path / "t.csv", rows), task, eval_part="validation")
    learned = [row for row in rows if row["split"].lower() == "train"]
    assert texts(found.train.rows) == texts(learned)
    assert texts(found.evaluation.rows) == texts([row for row in rows if row["split"] == "dev"])
    without = split(tmp_path / "other", tmp_path / "t.csv", task)
    assert sorted(texts(both(without))) == sorted(texts(learned))  # nothing else is ever looked at


def test_evaluation_data_of_its_own_is_used_whole(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(30))
    folder = tmp_path / "other"
    comma(folder / "train.csv", rows_of(7, 100))
    comma(folder / "test.csv", rows_of(5, 200))
    found = split(tmp_path / "file", path, eval_data=str(folder / "test.csv"))
    assert texts(found.evaluation.rows) == texts(rows_of(5, 200)) and found.train.rows == rows_of(30)
    for part, start, count in ((None, 100, 7), ("test", 200, 5)):
        found = split(tmp_path / f"{part}", path, eval_data=str(folder), eval_part=part)
        assert texts(found.evaluation.rows) == texts(rows_of(count, start))
    assert recorded(tmp_path / "test")["eval_part"] == "test"


def test_an_evaluation_file_with_a_column_of_parts_is_used_whole(tmp_path: Path) -> None:
    path = comma(tmp_path / "t.csv", rows_of())
    other = comma(tmp_path / "e.csv", rows_of(40, 100, split=lambda n: "train" if n % 4 else "test"))
    found = split(tmp_path / "run", path, eval_data=str(other))
    assert used(found) == announced(path, eval_path=other) == [40, 40]


def test_evaluation_data_without_a_usable_row_is_refused_beside_a_column_of_parts(tmp_path: Path) -> None:
    path = comma(tmp_path / "t.csv", rows_of(split=lambda n: "train" if n % 4 else "test"))
    other = comma(tmp_path / "e.csv", rows_of(9, 100, text=lambda n: ""))
    assert [each.code for each in profile_of(path, eval_path=other).errors] == ["no-evaluation-rows"]
    with pytest.raises(DataError, match="too few rows"):
        split(tmp_path / "run", path, eval_data=str(other))


@pytest.mark.parametrize("where", ["folder", "file", "evaluation data"])
def test_a_part_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, where: str) -> None:
    comma(tmp_path / "set" / "train.csv", rows_of())
    comma(tmp_path / "set" / "test.csv", rows_of(20, 100))
    path, changes = tmp_path / "set", {}
    if where == "file":
        path = tmp_path / "set" / "train.csv"
    elif where == "evaluation data":
        path, changes = tmp_path / "set" / "train.csv", {"eval_data": str(tmp_path / "set")}
    with pytest.raises(UsageError, match="no part 'tset'") as caught:
        split(tmp_path / "run", path, eval_part="tset", **changes)
    assert "train" in caught.value.why


def decimal(number: float, delimiter: str) -> str:
    return str(number) if delimiter == "," else str(number).replace(".", ",")


@pytest.mark.parametrize("delimiters", [",;", ";,", ";;"])
def test_numbers_of_evaluation_data_are_read_by_its_own_delimiter(tmp_path: Path, delimiters: str) -> None:
    import numpy

    from backends.tabular import build_schema, encode_rows

    paths = []
    for name, delimiter in zip("te", delimiters):
        cells: Rows = [{"size": decimal(n * 0.25, delimiter), "n": decimal(n + 0.5, delimiter)} for n in range(60)]
        paths.append(comma(tmp_path / f"{name}.csv", cells, delimiter))
    job = job_of(tmp_path / "run", paths[0], NUMBER, eval_data=str(paths[1]))
    found = load_split(job)
    assert used(found) == announced(paths[0], NUMBER, eval_path=paths[1]) == [60, 60]
    assert found.evaluation.labels == [n + 0.5 for n in range(60)]
    encoded = encode_rows(found.evaluation.rows, build_schema(job, found))
    assert numpy.asarray(encoded).ravel().tolist() == [n * 0.25 for n in range(60)]


def test_a_mix_has_evaluation_data_beside_it_or_is_evaluation_data(tmp_path: Path) -> None:
    path = comma(tmp_path / "a.csv", rows_of())
    comma(tmp_path / "b.csv", [{"kind": row["label"], "body": row["text"]} for row in rows_of(20, 100)])
    mixes = [tmp_path / "one.toml", tmp_path / "two.toml"]
    mixes[0].write_text('[[source]]\npath = "a.csv"\n')
    mixes[1].write_text('[[source]]\npath = "b.csv"\nmap = { text = "body", label = "kind" }\n')
    plain = comma(tmp_path / "e.csv", rows_of(20, 100))
    for number, (train, evaluation) in enumerate([(mixes[0], plain), (path, mixes[1]), (mixes[0], mixes[1])]):
        found = split(tmp_path / f"run {number}", train, eval_data=str(evaluation))
        assert used(found) == announced(train, eval_path=evaluation) == [40, 20]
        assert texts(found.evaluation.rows) == texts(rows_of(20, 100))


def test_columns_of_a_preparation_are_kept_in_a_mix(tmp_path: Path) -> None:
    comma(tmp_path / "a.csv", rows_of(60, who=lambda n: n % 5))
    mix = tmp_path / "mix.toml"
    mix.write_text('[[source]]\npath = "a.csv"\n')
    assert announced(mix, TEXT, {"group_column": "who"}) == [60]
    found = split(tmp_path / "run", mix, TEXT, {"group_column": "who"})
    sides = [{row["who"] for row in side.rows} for side in (found.train, found.evaluation)]
    assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 5


def workbook(path: Path, rows: Rows) -> Path:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Report"])
    sheet.append([])
    for line in ([*rows[0]], *([*row.values()] for row in rows)):
        sheet.append(line)
    book.save(path)
    return path


@pytest.mark.parametrize("task", ROLES)
def test_every_kind_of_file_is_divided_the_same(tmp_path: Path, task: str) -> None:
    rows = rows_of(50)
    plain = lines(tmp_path / "t.jsonl", rows)
    paths = [comma(tmp_path / "t.csv", rows), workbook(tmp_path / "t.xlsx", rows)]
    for path in (plain, paths[0]):
        paths.append(path.with_name(f"{path.name}.gz"))
        paths[-1].write_bytes(gzip.compress(path.read_bytes()))
    expected = split(tmp_path / "plain", plain, task)
    assert len(both(expected)) == 50
    for path in paths:
        found = split(tmp_path / f"run {path.name}", path, task)
        for side, wanted in ((found.train, expected.train), (found.evaluation, expected.evaluation)):
            assert (texts(side.rows), side.labels) == (texts(wanted.rows), wanted.labels)
        assert found.classes == expected.classes
        assert recorded(tmp_path / f"run {path.name}")["size_bytes"] == path.stat().st_size


def test_a_mix_is_trained_on_by_its_weights(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", rows_of(40))
    comma(tmp_path / "b.csv", [{"kind": row["label"], "body": row["text"]} for row in rows_of(40, 100)])
    lines(tmp_path / "c.jsonl", rows_of(400, 1000))
    mix = tmp_path / "mix.toml"
    mix.write_text(
        '[[source]]\npath = "a.jsonl"\n'
        '[[source]]\npath = "b.csv"\nweight = 3\nmap = { text = "body", label = "kind" }\n'
        '[[source]]\npath = "c.jsonl"\nweight = 0.5\n'
    )
    found = split(tmp_path / "run", mix)
    held = texts(found.evaluation.rows)
    assert len(held) == len(set(held)) == 96 and recorded(tmp_path / "run")["rows"] == 480
    seen = Counter(texts(found.train.rows))
    assert not set(seen) & set(held)
    by_source: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for row in (*rows_of(40), *rows_of(40, 100), *rows_of(400, 1000)):
        number = int(row["text"].rsplit(" ", 1)[1])
        if row["text"] not in held:
            by_source["a" if number < 100 else "b" if number < 1000 else "c"].append(seen[row["text"]])
    assert set(by_source["a"]) == {1} and set(by_source["b"]) == {3} and set(by_source["c"]) == {0, 1}
    assert 0.35 < sum(by_source["c"]) / len(by_source["c"]) < 0.65
    assert split(tmp_path / "run", mix).train.rows == found.train.rows


# --- the same on every resume ------------------------------------------------------------------------------------

PREPARED = [
    {},
    {"drop_duplicates": "yes", "merge_spellings": "yes", "bad_rows": "drop"},
    {"group_column": "who", "weight_column": "w"},
    {"time_column": "when", "quality_column": "w", "quality_from": "0.6"},
]


def mixed_up(count: int = 120) -> Rows:
    draw = random.Random(11)
    rows = rows_of(
        count, who=lambda n: f"person {n % 17}", w=lambda n: round(draw.random() * 2, 2), when=lambda n: 3000 - n
    )
    return [*rows, *({**row, "label": row["label"].upper()} for row in rows[::9])]


@pytest.mark.parametrize("prepare", PREPARED)
def test_a_resume_sees_the_same_rows(tmp_path: Path, prepare: dict[str, Any]) -> None:
    """Also in another process, where Python hashes texts otherwise."""
    path = lines(tmp_path / "t.jsonl", mixed_up())
    first = split(tmp_path / "run", path, TEXT, prepare)
    facts = recorded(tmp_path / "run")
    again = split(tmp_path / "run", path, TEXT, prepare)
    assert (again.train.rows, again.evaluation.rows) == (first.train.rows, first.evaluation.rows)
    assert (again.train.labels, again.classes) == (first.train.labels, first.classes)
    assert recorded(tmp_path / "run") == facts
    script = (
        "import json, sys; from pathlib import Path; from backends.contract import *; from backends.data import *;"
        "from backends.events import EventWriter; from backends.registry import find_task;"
        "files = RunFiles(Path(sys.argv[1])); spec = RunSpec(**json.loads(sys.argv[2])); task = find_task(spec.task);"
        "found = load_split(Job(files, spec, task, task.options(), EventWriter(files.events), None, 0, None));"
        "print(json.dumps([found.train.rows, found.evaluation.rows, found.train.labels]))"
    )
    spec = RunSpec("tiny", TEXT, "full", "preset:tiny-encoder", str(path), columns=ROLES[TEXT], preparation=prepare)
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run"), json.dumps(vars(spec))],
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == [first.train.rows, first.evaluation.rows, first.train.labels]
    assert recorded(tmp_path / "run") == facts


def test_a_table_trains_on_prepared_parts_of_a_packed_file(tmp_path: Path) -> None:
    """From the bytes on the disk to the report of a finished run."""
    from backends.tabular import train

    rows = rows_of(120, split=lambda n: ["train", "train", "test"][n % 3], label=lambda n: ["yes", "NO", "no"][n % 3])
    rows += [{**row, "split": "train"} for row in rows if row["split"] == "test"][:5]
    path = comma(tmp_path / "t.csv", [row for row in rows if row["size"] != 3])
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    options = {"n_estimators": 3, "nthread": 1}
    prepare = {"drop_duplicates": "yes", "merge_spellings": "yes"}
    train(job_of(tmp_path / "run", packed, TABLE, prepare, eval_part="test", settings=options))
    events = [json.loads(line) for line in RunFiles(tmp_path / "run").events.read_text().splitlines()]
    assert events[-1]["kind"] == "finished"
    report = read_json(RunFiles(tmp_path / "run").report)
    assert report is not None and set(report["metrics"]) >= {"f1_macro", "accuracy"}


# --- what was announced is what is used --------------------------------------------------------------------------

# Words with case, spaces and blanks between them, so that rows repeat one another in every way.
TEXTS = ["", " ", "one two", "One  TWO", "onetwo", "three", "a much longer text of many words", "NA", "x" * 40]
TEXTS += [
    "é",
    "É ",
    "größe 1",
    "GRÖSSE\u00a01",
    "ПРИВЕТ мир",
    "приветмир",
    "ä" * 21,
    "名" * 9,
    "a\x1fé",
    "aé",
    "\u2028",
]
TEXT_CELL, LABEL_CELL = st.sampled_from(TEXTS), st.sampled_from(["a", "b", "A", "b ", "ä", "Ä", "", "n/a"])
NAMES = ("text", "label", "n", "q")
NUMBER_CELL = st.sampled_from(["1", "2.5", "-3", "", "1e3"])
TARGET_CELL = st.sampled_from(["1", "2.5", "7", "7.0", "", "x", "NaN", "inf"])
CLEAN = [(f"clean row number {n}", "ab"[n % 2], f"{n * 1.5}", f"{n % 5}") for n in range(24)]
ROW = st.tuples(TEXT_CELL, LABEL_CELL, TARGET_CELL, NUMBER_CELL) | st.sampled_from(CLEAN)
ROW_FAULTS = {"empty-text", "empty-label", "empty-target", "target-not-a-number"}
PREPARATIONS = st.fixed_dictionaries(
    {"bad_rows": st.sampled_from(["drop", "drop", "drop-empty", "stop"]), "drop_duplicates": st.booleans()},
    optional={
        "merge_spellings": st.booleans(),
        "shortest": st.integers(0, 6),
        "longest": st.integers(4, 12),
        "quality_column": st.just("q"),
        "quality_from": st.sampled_from([0, 1, 2.5]),
        "weight_column": st.just("q"),
    },
)


def written(path: Path, cells: list[tuple[str, ...]], kind: str, orders: list[list[str]]) -> Path:
    """The rows as CSV, or as JSON lines whose keys come in one order after the other."""
    rows: Rows = [dict(zip(NAMES, row, strict=True)) for row in cells]
    if kind == "jsonl":
        rows = [{name: row[name] for name in orders[number % len(orders)]} for number, row in enumerate(rows)]
    return comma(path.with_suffix(".csv"), rows) if kind == "csv" else lines(path.with_suffix(".jsonl"), rows)


@settings(deadline=None, max_examples=250)
@given(
    task=st.sampled_from(list(ROLES)),
    cells=st.lists(ROW, max_size=25),
    evaluation=st.none() | st.lists(ROW, max_size=12),
    kind=st.sampled_from(["csv", "jsonl"]),
    orders=st.lists(st.permutations(NAMES), min_size=1, max_size=3),
    as_folder=st.booleans(),
    prepare=PREPARATIONS,
)
def test_the_trainer_uses_the_rows_that_the_check_announced(
    tmp_path_factory: Any,
    task: str,
    cells: list[tuple[str, ...]],
    evaluation: list[tuple[str, ...]] | None,
    kind: str,
    orders: list[list[str]],
    as_folder: bool,
    prepare: dict[str, Any],
) -> None:
    folder = tmp_path_factory.mktemp("announced")
    path = written(folder / "set" / "train", [*CLEAN, *cells], kind, orders)
    other, changes = None, {}
    if evaluation is not None:
        kept = [row for row in evaluation if row[1] in ("a", "b", "", "n/a")]  # no class that training never sees
        other = written(
            folder / "set" / "test",
            [*((f"an evaluation {n}", *row[1:]) for n, row in enumerate(CLEAN[:4])), *kept],
            kind,
            orders,
        )
        changes = {"eval_part": "test"} if as_folder else {"eval_data": str(other)}
    data = folder / "set" if as_folder else path
    if "quality_column" not in prepare:
        prepare = {name: value for name, value in prepare.items() if name != "quality_from"}
    if prepare.get("shortest", 0) > prepare.get("longest", 12):
        del prepare["longest"]
    options = parse_settings(PreparationOptions, prepare)
    columns = ROLES[task]
    profile = check(CheckRequest(data, task, columns, None if as_folder else other, preparation=options))
    if any(finding.code in ROW_FAULTS for finding in profile.errors):
        with pytest.raises(DataError) as caught:
            split(folder / "run", data, task, prepare, **changes)
        assert caught.value.what == "A row cannot be used"
        return
    if not profile.ok:
        known = {"too-few-rows", "one-class", "too-many-classes", "no-evaluation-rows", "unseen-class", "low-quality"}
        assert {each.code for each in profile.errors} <= known
        return
    usable = [counts["usable_rows"] for counts in profile.stats["parts"].values()]
    low = sum(profile.stats.get("low_quality", {}).values())
    try:
        found = split(folder / "run", data, task, prepare, **changes)
    except DataError as error:  # a check does not divide the rows, so it knows not which ones are left to train on
        left = ["too few rows", "one class"] if low else ["too few rows"] if usable[0] < 6 else []
        assert any(words in error.what for words in left) or error.why == "every weight is 0"
        return
    facts = recorded(folder / "run")
    used = [facts["train_rows"], facts["eval_rows"]]
    if evaluation is None:  # rows of low quality may be all that training had of a class, which then cannot be scored
        assert usable[0] - 3 * low <= sum(used) <= usable[0]
    else:
        assert usable[0] - low <= used[0] <= usable[0] and used[1] <= usable[1]
    if not low and not any(finding.code == "unseen-class" for finding in profile.warnings):
        assert sum(used) == sum(usable)
    assert len(found.evaluation.rows) == facts["eval_rows"]
    assert facts["rows"] == profile.stats["parts"]["train"]["rows"]
    if task != NUMBER and not prepare.get("merge_spellings") and not low:
        labels = Counter(
            found.train.labels if evaluation is not None else [*found.train.labels, *found.evaluation.labels]
        )
        if "weight_column" not in prepare and not prepare.get("drop_duplicates"):
            assert labels == profile.stats["labels"]


# --- what is remembered of the data ------------------------------------------------------------------------------


def test_the_fingerprint_of_a_file(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of())
    split(tmp_path / "run", path)
    data = recorded(tmp_path / "run")
    assert data["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (data["size_bytes"], data["path"], data["columns"]) == (path.stat().st_size, str(path), ROLES[TEXT])


def test_the_fingerprint_of_a_mix_is_that_of_its_sources_too(tmp_path: Path) -> None:
    mix = tmp_path / "mix.toml"
    mix.write_text('[[source]]\npath = "a.csv"\n')
    found = []
    for count in (40, 50, 40):
        comma(tmp_path / "a.csv", rows_of(count))
        split(tmp_path / "run", mix)
        found.append(recorded(tmp_path / "run")["sha256"])
    assert found[0] == found[2] != found[1]


def test_the_fingerprint_of_a_folder(tmp_path: Path) -> None:
    def made(name: str, order: tuple[str, ...] = ("train.jsonl", "deep/test.jsonl")) -> Path:
        for each in order:
            lines(tmp_path / name / each, rows_of(20, 0 if "train" in each else 100))
        return tmp_path / name

    folder = made("one")
    os.rename(folder / "deep" / "test.jsonl", folder / "test.jsonl")
    split(tmp_path / "run", folder, eval_part="test")
    data = recorded(tmp_path / "run")
    assert data["size_bytes"] == sum(path.stat().st_size for path in folder.glob("*.jsonl"))
    assert (data["size_bytes"], data["sha256"]) == fingerprint(folder)
    same = fingerprint(made("two"))
    assert fingerprint(made("three", ("deep/test.jsonl", "train.jsonl"))) == same
    assert same[0] == data["size_bytes"] and same[1] != data["sha256"]  # the same bytes in another place
    changed = made("four")
    (changed / "train.jsonl").write_bytes((changed / "train.jsonl").read_bytes().replace(b"text 1", b"text 2"))
    renamed = made("five")
    (renamed / "train.jsonl").rename(renamed / "train2.jsonl")
    moved = made("six")  # what one file loses and the next one gains
    first, second = moved / "deep" / "test.jsonl", moved / "train.jsonl"
    second.write_bytes(first.read_bytes()[-9:] + second.read_bytes())
    first.write_bytes(first.read_bytes()[:-9])
    found = [fingerprint(each) for each in (changed, renamed, moved)]
    assert {size for size, _ in found} == {same[0]} and len({same, *found}) == 4


# --- the fewest rows ---------------------------------------------------------------------------------------------

LABELLINGS: dict[str, Any] = {
    "two classes in turn": lambda n: "ab"[n % 2],
    "three classes in turn": lambda n: "abc"[n % 3],
    "one class and a single row": lambda n: "ab"[n == 1],
    "one class": lambda n: "a",
    "a class for every row": lambda n: f"class {n}",
}


@pytest.mark.parametrize("task", ROLES)
@pytest.mark.parametrize("labelling", LABELLINGS)
@pytest.mark.parametrize("evaluation_rows", [0, 1, 2])
def test_the_check_lets_pass_what_the_trainer_can_divide_and_nothing_else(
    tmp_path: Path, task: str, labelling: str, evaluation_rows: int
) -> None:
    for count in range(1, 9):
        rows = rows_of(count, label=LABELLINGS[labelling])
        path, other = lines(tmp_path / f"{count}.jsonl", rows), None
        if evaluation_rows:
            other = lines(
                tmp_path / "e.jsonl",
                rows_of(evaluation_rows, 100, label=lambda n: "class 0" if "every" in labelling else "a"),
            )
        profile = profile_of(path, task, {}, other)
        if any(error.code == "too-many-classes" for error in profile.errors):
            continue  # a run could start, and would learn nothing
        try:
            split(tmp_path / "run", path, task, eval_data=str(other) if other is not None else None)
            starts = True
        except DataError:
            starts = False
        assert profile.ok == starts, (count, profile.errors)


def test_the_fewest_rows_are_said(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", rows_of(4))
    assert "At least 5 are needed" in profile_of(path).errors[0].fix
    other = lines(tmp_path / "e.jsonl", rows_of(2, 100))
    assert profile_of(path, eval_path=other).ok
    few = lines(tmp_path / "few.jsonl", rows_of(2))
    assert "At least 3 are needed" in profile_of(few, eval_path=other).errors[0].fix
    assert profile_of(lines(tmp_path / "five.jsonl", rows_of(5))).ok


@pytest.mark.parametrize(
    ("prepare", "codes"),
    [
        ({"quality_from": "5"}, []),
        ({"quality_from": "8"}, ["one-class"]),
        ({"quality_from": "9.5"}, ["low-quality"]),
        ({"quality_from": "11"}, ["low-quality"]),
    ],
)
def test_a_choice_of_quality_that_leaves_too_little_is_an_error(
    tmp_path: Path, prepare: dict[str, Any], codes: list[str]
) -> None:
    """Of sixty rows, thirty are marked 5, a class of its own is marked 9, and two rows 10."""
    marks = [5.0, 9.0]
    rows = rows_of(60, mark=lambda n: 10.0 if n in (11, 21) else marks[n % 2])
    path = lines(tmp_path / "t.jsonl", rows)
    prepare = {"quality_column": "mark", **prepare}
    for task in (TEXT, TABLE):
        profile = profile_of(path, task, prepare)
        assert [each.code for each in profile.errors] == codes
        if codes:
            assert profile.errors[0].where == "column mark"
            with pytest.raises(DataError):
                split(tmp_path / "run", path, task, prepare)
    numeric = profile_of(path, NUMBER, prepare)
    assert [each.code for each in numeric.errors] == [code for code in codes if code != "one-class"]


# --- where the rows of evaluation stand --------------------------------------------------------------------------


def test_the_places_of_evaluation_rows_name_their_part(tmp_path: Path) -> None:
    path = comma(tmp_path / "set" / "train.csv", rows_of())
    other = comma(
        tmp_path / "set" / "validation.csv",
        [{**row, "label": ""} if row["n"] == 51 else row for row in rows_of(9, 100)],
    )
    other.write_text(f"{other.read_text()}some,cells,too,many,here\n")
    for profile in (profile_of(path, eval_path=other), profile_of(tmp_path / "set")):
        places = {each.code: each.where for each in profile.warnings}
        assert places["empty-label"] == "row 3 of validation"
        assert places["ragged-row"] == "line 11 of validation"
    for changes in ({"eval_data": str(other)}, {"eval_part": "validation"}):
        with pytest.raises(DataError) as caught:
            split(
                tmp_path / "run",
                path if "eval_data" in changes else tmp_path / "set",
                TEXT,
                {"bad_rows": "stop"},
                **changes,
            )
        assert caught.value.where == "row 3 of validation"


def test_the_places_of_rows_whose_column_names_another_part(tmp_path: Path) -> None:
    rows = rows_of(40, split=lambda n: "test" if n >= 30 else "train")
    rows[4]["label"] = rows[35]["label"] = ""
    profile = profile_of(comma(tmp_path / "t.csv", rows))
    assert [each.where for each in profile.warnings if each.code == "empty-label"] == ["row 5", "row 36 of test"]


@pytest.mark.parametrize("task", [TEXT, TABLE])
def test_evaluation_data_that_is_the_training_data_is_called_that(tmp_path: Path, task: str) -> None:
    path = comma(tmp_path / "t.csv", rows_of())
    prepare = {"drop_duplicates": "yes"}
    (error,) = profile_of(path, task, prepare, path).errors
    assert (
        error.code == "no-evaluation-rows"
        and "every row of the validation part stands in the training" in error.message
    )
    with pytest.raises(DataError) as caught:
        split(tmp_path / "run", path, task, prepare, eval_data=str(path))
    assert "stands in the training data too" in caught.value.why
    other = comma(tmp_path / "e.csv", [{**row, "label": ""} for row in rows_of(9, 100)])
    (error,) = profile_of(path, task, prepare, other).errors
    assert "none of the 9 rows" in error.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.jsonl", '{"current_steps": 5, "loss": 1.7, "learning_rate": 0.1}\n' * 3),
        ("trainer_state.json", '[{"epoch": 1.0, "loss": 1.5, "grad_norm": 0.3}, {"epoch": 2.0, "loss": 1.0}]'),
        ("training.log", "epoch,seconds\n1,20\n2,30\n"),
    ],
)
def test_the_log_of_a_training_is_told_from_data(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert "training-log" in {each.code for each in check_data(path).warnings}
    assert "training-log" not in {each.code for each in check_data(path, "tabular-regression").warnings}


@pytest.mark.parametrize("sample", ["sample_submission.csv", "gender_submission.csv", None])
def test_the_folder_of_a_competition_is_trained_on_without_its_test_part(tmp_path: Path, sample: str | None) -> None:
    folder = tmp_path / "set"
    comma(folder / "train.csv", rows_of())
    comma(
        folder / "test.csv", [{name: cell for name, cell in row.items() if name != "label"} for row in rows_of(9, 100)]
    )
    if sample is not None:
        comma(folder / sample, [{"id": n, "label": "a"} for n in range(9)])
    profile = check(CheckRequest(folder, TABLE))
    assert profile.ok and profile.evaluation_part is None and profile.columns == {"target": "label"}
    told = {finding.code: finding.message for finding in profile.warnings}
    assert "no column 'label'" in told["unlabelled-test"]
    assert (sample in told.get("sample-submission", "")) if sample else ("sample-submission" not in told)
    assert sum(used(split(tmp_path / "run", folder, TABLE))) == 40


def test_the_folder_of_a_competition_with_a_whole_test_part_is_scored_on_it(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    comma(folder / "train.csv", rows_of())
    comma(folder / "test.csv", rows_of(9, 100))
    comma(folder / "sample_submission.csv", [{"id": n, "label": "a"} for n in range(9)])
    profile = check(CheckRequest(folder, TABLE))
    assert profile.ok and profile.evaluation_part == "test"
