"""What the data desk says of a table: kinds of columns, roles, tasks, and every fault with its place."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import DatasetProfile, UsageError
from backends.formats.checks import check_data
from backends.formats.columns import Column, TableSummary, summarise
from backends.formats.reading import open_table, read_rows
from backends.formats.roles import propose_roles
from backends.formats.row_faults import plain_fault
from backends.formats.rows import Row
from backends.formats.shapes import shapes_of
from backends.registry import TASKS, find_task

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()


def table(path: Path, columns: dict[str, list[Any]]) -> Path:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    path.write_text(text.getvalue())
    return path


def sentences(rows: int, words: int = 6) -> list[str]:
    draw = random.Random(1)
    return [" ".join(draw.choice(WORDS) for _ in range(words)) + f" {n}" for n in range(rows)]


def codes(profile: DatasetProfile) -> tuple[list[str], list[str]]:
    return [finding.code for finding in profile.errors], [finding.code for finding in profile.warnings]


# --- kinds of columns --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("a", [""] * 30, "empty"),
        ("a", ["NA", "null", ""] * 10, "empty"),
        ("a", ["x"] * 30, "constant"),
        ("a", ["x", "", "x"] * 10, "constant"),
        ("a", [str(n / 7) for n in range(30)], "number"),
        ("a", [*map(str, range(28)), "n/a", "?"], "number"),
        ("a", ["1,234.5", "2,000"] * 15, "number"),
        ("id", [str(n) for n in range(30)], "identifier"),
        ("customerID", [str(n) for n in range(30)], "identifier"),
        ("paid", [str(n) for n in range(30)], "number"),
        ("zip", [f"{n % 9:05d}" for n in range(30)], "code"),
        ("insee", [f"{n % 9:05d}" for n in range(28)] + ["2B033", "2A004"], "code"),
        ("price", [str(n / 7) for n in range(28)] + ["007", "n/a"], "number"),
        ("account", [f"{10**19 + n}" for n in range(30)], "identifier"),
        ("key", [f"{n:x}-{n * 7:x}" for n in range(30)], "identifier"),
        ("day", [f"2024-01-{n + 1:02d}" for n in range(30)], "date"),
        ("colour", ["red", "green", "blue"] * 10, "category"),
        ("yes", [True, False] * 15, "number"),
        ("text", sentences(30), "text"),
        ("long", [" ".join(WORDS), " ".join(WORDS[:9])] * 15, "text"),
        ("tags", [["a"], ["b"]] * 15, "nested"),
    ],
)
def test_kinds(name: str, cells: list[Any], kind: str) -> None:
    column = Column(name)
    for number, cell in enumerate(cells, 1):
        column.add(f"row {number}", cell)
    assert column.kind == kind
    assert column.present + column.missing == len(cells)
    assert set(column.to_json()) >= {"kind", "present", "missing", "distinct", "minimum", "maximum", "examples"}


def test_a_key_that_only_some_rows_have_counts_as_missing() -> None:
    rows = [Row(1, "row 1", {"a": 1}), Row(2, "row 2", {"a": 2, "b": 3}), Row(3, "row 3", {"b": 4})]
    columns = summarise(rows).columns
    assert (columns["a"].present, columns["a"].missing) == (2, 1)
    assert (columns["b"].present, columns["b"].missing) == (2, 1)


# --- roles and tasks ---------------------------------------------------------------------------------------------

CLASSES = ["yes", "no", "yes"] * 20
NUMBERS = [str(n * 37 % 101 / 3) for n in range(60)]


@pytest.mark.parametrize(
    ("columns", "task", "roles"),
    [
        ({"text": sentences(60), "label": CLASSES}, "text-classification", {"text": "text", "label": "label"}),
        (
            {"Intent": CLASSES, "Utterance": sentences(60)},
            "text-classification",
            {"text": "Utterance", "label": "Intent"},
        ),
        ({"x1": sentences(60), "x2": CLASSES}, "text-classification", {"text": "x1", "label": "x2"}),
        (
            {"text": ["ok", "no", "yes"] * 20, "label": CLASSES},
            "text-classification",
            {"text": "text", "label": "label"},
        ),
        (
            {"premise": sentences(60), "hypothesis": sentences(60, 4), "gold_label": CLASSES},
            "sentence-pair-classification",
            {"premise": "premise", "hypothesis": "hypothesis", "label": "gold_label"},
        ),
        ({"size": NUMBERS, "colour": WORDS[:3] * 20, "churn": CLASSES}, "tabular-classification", {"target": "churn"}),
        (
            {"target": CLASSES, "size": NUMBERS, "colour": WORDS[:3] * 20},
            "tabular-classification",
            {"target": "target"},
        ),
        ({"colour": WORDS[:3] * 20, "price": NUMBERS}, "tabular-regression", {"target": "price"}),
        ({"size": NUMBERS, "grade": ["1", "2", "3"] * 20}, "tabular-classification", {"target": "grade"}),
    ],
)
def test_the_task_and_roles_that_are_proposed(
    tmp_path: Path, columns: dict[str, list[Any]], task: str, roles: dict[str, str]
) -> None:
    profile = check_data(table(tmp_path / "table.csv", columns))
    assert (profile.task, dict(profile.columns), profile.ok) == (task, roles, True)
    assert profile.proposals[0].task == task and profile.proposals[0].reason
    assert profile.rows == profile.usable_rows == 60
    # Asked for by name, the same roles are found.
    assert check_data(tmp_path / "table.csv", task).columns == profile.columns


def test_a_role_that_no_name_gives_away_is_said(tmp_path: Path) -> None:
    path = table(tmp_path / "table.csv", {"size": NUMBERS, "answer": CLASSES})
    assert "guessed-role" in codes(check_data(path))[1]
    assert "guessed-role" not in codes(check_data(path, given={"target": "answer"}))[1]


def test_what_is_given_goes_before_what_is_found(tmp_path: Path) -> None:
    path = table(
        tmp_path / "table.csv", {"text": sentences(60), "comment": sentences(60), "label": CLASSES, "kind": CLASSES}
    )
    given_roles = {"text": "comment", "label": "kind"}
    assert check_data(path, "text-classification", given_roles).columns == given_roles
    assert check_data(path, "text-classification", {"text": "comment"}).columns == {
        "text": "comment",
        "label": "label",
    }


@pytest.mark.parametrize(
    ("task", "given_roles", "words"),
    [
        ("text-classification", {"txt": "text"}, ["'txt'", "nearest is 'text'"]),
        ("text-classification", {"text": "txt"}, ["'txt'", "nearest is 'text'", "label"]),
        ("text-classification", {"text": "label", "label": "label"}, ["'label'", "text"]),
        ("no-such-task", {}, ["no-such-task"]),
        (None, {"target": "nothing"}, ["'nothing'"]),
    ],
)
def test_roles_that_cannot_be(tmp_path: Path, task: str | None, given_roles: dict[str, str], words: list[str]) -> None:
    path = table(tmp_path / "table.csv", {"text": sentences(60), "label": CLASSES})
    with pytest.raises(UsageError) as caught:
        check_data(path, task, given_roles)
    for word in words:
        assert word in f"{caught.value.what} {caught.value.why} {caught.value.fix}"


def test_every_role_has_names_it_is_known_by() -> None:
    for task in TASKS:
        columns = {role: [f"{role} {n % 3} {' '.join(WORDS)}" for n in range(30)] for role in task.roles}
        rows = [Row(n + 1, f"row {n + 1}", {name: cells[n] for name, cells in columns.items()}) for n in range(30)]
        assert propose_roles(task.data, summarise(rows), {}).columns == {role: role for role in task.roles}


SIX_CELLS = st.lists(st.sampled_from(["", "x", "1", "two words", "NA"]), min_size=6, max_size=6)


@given(st.dictionaries(st.sampled_from(["text", "label", "a", "b"]), SIX_CELLS, min_size=1))
@settings(deadline=None)
def test_roles_are_real_columns_each_used_once(columns: dict[str, list[str]]) -> None:
    rows = [Row(n + 1, f"row {n + 1}", {name: cells[n] for name, cells in columns.items()}) for n in range(6)]
    for task in TASKS:
        roles = propose_roles(task.data, summarise(rows), {}).columns
        known = {role for shape in shapes_of(task.data) for role in shape.roles}
        assert set(roles) <= known and set(roles.values()) <= set(columns)
        assert len(set(roles.values())) == len(roles)


# --- faults ------------------------------------------------------------------------------------------------------


def test_rows_that_cannot_be_used_are_left_out_and_named(tmp_path: Path) -> None:
    texts, labels = sentences(60), list(CLASSES)
    texts[4], labels[9], labels[10] = "  ", "NaN", ""
    profile = check_data(table(tmp_path / "table.csv", {"text": texts, "label": labels}))
    assert profile.ok and (profile.rows, profile.usable_rows) == (60, 57)
    places = {(finding.code, finding.where) for finding in profile.warnings}
    assert {("empty-text", "row 5"), ("empty-label", "row 10"), ("empty-label", "row 11")} <= places
    assert "NaN" not in profile.stats["labels"]


def test_the_trainer_drops_the_rows_that_were_announced(tmp_path: Path) -> None:
    texts, labels = sentences(20), ["a", "b"] * 10
    texts[4], labels[9] = "", "n/a"
    path = table(tmp_path / "table.csv", {"text": texts, "label": labels})
    profile = check_data(path)
    task = find_task("text-classification")
    source = open_table(path)
    rejected = []
    for row in read_rows(source):
        values = {role: row.cells[column] for role, column in profile.columns.items()}
        if plain_fault(task.data, values, source.decimal_comma) is not None:
            rejected.append(row.number)
    assert rejected == [5, 10] and profile.usable_rows == 18


@pytest.mark.parametrize(
    ("columns", "task", "code"),
    [
        ({"text": sentences(60), "label": ["ham"] * 60}, "text-classification", "one-class"),
        ({"text": sentences(60), "label": sentences(60)}, "text-classification", "too-many-classes"),
        ({"size": NUMBERS, "target": NUMBERS}, "tabular-classification", "too-many-classes"),
        ({"size": NUMBERS, "target": ["7"] * 60}, "tabular-regression", "constant-target"),
        ({"colour": CLASSES, "target": CLASSES}, "tabular-regression", "target-not-a-number"),
        ({"id": list(range(60)), "target": CLASSES}, "tabular-classification", "no-features"),
        ({"text": sentences(3), "label": ["a", "b", "a"]}, "text-classification", "too-few-rows"),
        ({"text": [""] * 60, "label": CLASSES}, "text-classification", "too-few-rows"),
        ({"size": NUMBERS, "weight": NUMBERS}, "text-classification", "no-column-for-role"),
    ],
)
def test_what_no_run_could_survive(tmp_path: Path, columns: dict[str, list[Any]], task: str, code: str) -> None:
    profile = check_data(table(tmp_path / "table.csv", columns), task)
    assert not profile.ok and code in codes(profile)[0]
    assert all(finding.where and finding.fix for finding in profile.errors)


def test_little_data_is_a_warning_with_what_to_expect(tmp_path: Path) -> None:
    profile = check_data(table(tmp_path / "table.csv", {"size": NUMBERS, "target": CLASSES}))
    little = next(finding for finding in profile.warnings if finding.code == "little-data")
    assert profile.ok and "500" in little.message and "5,000" in little.fix


def test_warnings_about_labels_and_copies(tmp_path: Path) -> None:
    texts = sentences(60)
    texts[30] = texts[2].upper()
    labels = ["spam", "ham", "Spam "] * 20
    labels[7] = "rare"
    profile = check_data(table(tmp_path / "table.csv", {"text": texts, "label": labels}))
    found = {finding.code: finding for finding in profile.warnings}
    assert found["duplicate"].where == "row 31" and "row 3" in found["duplicate"].message
    assert found["rare-class"].where == "class rare"
    assert "'Spam', 'spam'" in found["label-spellings"].message
    assert profile.ok


def test_a_guessed_target_with_dirty_cells_is_an_error_a_chosen_one_says_which(tmp_path: Path) -> None:
    cells = [str(n * 1.5) for n in range(60)]
    cells[16], cells[22] = "39,1", "inf"
    path = table(tmp_path / "table.csv", {"colour": WORDS[:3] * 20, "length": cells})
    for given_roles in ({}, {"target": "length"}):
        profile = check_data(path, "tabular-regression", given_roles)
        assert [finding.where for finding in profile.errors] == ["row 17", "row 23"]
    elsewhere = check_data(path, "tabular-classification", {"target": "colour"})
    assert elsewhere.ok
    assert [finding.where for finding in elsewhere.warnings if finding.code == "not-a-number"] == ["row 17", "row 23"]


@pytest.mark.parametrize(
    ("cells", "delimiter", "code", "says"),
    [
        (["1.306", "976", "17.518"] * 10, ",", "dots-as-thousands", "1.306"),
        (["1.306", "9.76", "17.518"] * 10, ",", None, ""),
        (["1.306", "2.418", "17.518"] * 10, ",", None, ""),
        (["0.306", "976", "17.518"] * 10, ",", None, ""),
        (["39,1", "40,25", "12"] * 10, ";", "decimal-comma", "39,1"),
        (["23.824", "17", "in repair"] * 10, ",", "numbers-and-words", "in repair"),
        (["small", "17", "in repair"] * 10, ",", None, ""),
    ],
)
def test_how_numbers_were_read_is_said_where_it_is_not_certain(
    tmp_path: Path, cells: list[str], delimiter: str, code: str | None, says: str
) -> None:
    lines = [f"{cell}{delimiter}{name}" for cell, name in zip(cells, CLASSES * 10)]
    (tmp_path / "table.csv").write_text("\n".join([f"size{delimiter}target", *lines]))
    profile = check_data(tmp_path / "table.csv")
    about = {"dots-as-thousands", "decimal-comma", "numbers-and-words"}
    found = {finding.code: finding.message for finding in profile.warnings if finding.code in about}
    assert list(found) == ([code] if code else []) and says in found.get(code or "", "")


def test_a_column_of_one_value_or_of_ids_is_not_taken_for_the_target(tmp_path: Path) -> None:
    columns = {"species": ["x"] * 60, "id": list(range(60)), "sex": ["f", "m"] * 30, "id (2)": ["007", "008"] * 30}
    profile = check_data(table(tmp_path / "table.csv", columns))
    assert profile.columns == {"target": "sex"} and "'sex'" in profile.proposals[0].reason
    columns["label"] = ["y"] * 60
    sure = check_data(table(tmp_path / "sure.csv", columns))
    assert sure.columns == {"target": "label"} and [finding.code for finding in sure.errors] == ["one-class"]


def test_a_table_of_faulty_rows_only_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "ragged.csv").write_text("id,name,age\n1,x\n2,y,3,4\n")
    profile = check_data(tmp_path / "ragged.csv")
    assert "each of its 2 rows is faulty" in profile.errors[0].message and "below" in profile.errors[0].fix
    (tmp_path / "empty.json").write_text("[]")
    assert "header" not in check_data(tmp_path / "empty.json").errors[0].fix


@pytest.mark.parametrize(("text", "is_enough"), [("1", False), ("a text of many words " * 20, True)])
def test_one_text_is_enough_where_it_is_long(tmp_path: Path, text: str, is_enough: bool) -> None:
    profile = check_data(table(tmp_path / "one.csv", {"text": ["", text], "target": ["x", "007"]}), "text-generation")
    assert (profile.ok, profile.usable_rows) == (is_enough, 1)


def test_many_faults_are_counted(tmp_path: Path) -> None:
    profile = check_data(
        table(tmp_path / "table.csv", {"colour": CLASSES * 20, "target": ["x"] * 1200}), "tabular-regression"
    )
    bad = [finding for finding in profile.errors if finding.code == "target-not-a-number"]
    assert len(bad) == 21 and "1,200" in bad[-1].where


@settings(deadline=None, max_examples=60)
@given(
    cells=st.lists(
        st.tuples(*[st.sampled_from(["", "1", "2.5", "x", "NA", "some words here", "2024-01-01", "39,1", "007"])] * 3),
        min_size=0,
        max_size=40,
    ),
    task=st.sampled_from([None, *(task.id for task in TASKS)]),
)
def test_any_table_is_judged(tmp_path_factory: Any, cells: list[tuple[str, ...]], task: str | None) -> None:
    columns = {name: [row[index] for row in cells] for index, name in enumerate(("text", "target", "label"))}
    profile = check_data(table(tmp_path_factory.getbasetemp() / "any.csv", columns), task)
    assert profile.ok == (not profile.errors)
    assert profile.usable_rows is not None and profile.rows is not None
    assert 0 <= profile.usable_rows <= profile.rows <= len(cells)
    if profile.ok:
        assert profile.task is not None
        shapes = [(set(each.needed), set(each.roles)) for each in shapes_of(find_task(profile.task).data)]
        assert any(needed <= set(profile.columns) <= roles for needed, roles in shapes)
        assert profile.usable_rows >= 4


@pytest.mark.parametrize(
    ("name", "task", "columns"),
    [
        ("tabular/penguins.csv", "tabular-classification", {"target": "species"}),
        ("tabular/telco_churn.csv", "tabular-classification", {"target": "Churn"}),
        ("tabular/sklearn_wine.csv", "tabular-classification", {"target": "target"}),
        ("tabular/sklearn_breast_cancer.csv", "tabular-classification", {"target": "target"}),
        ("tabular/auto_mpg_regression.csv", "tabular-regression", {"target": "mpg"}),
        ("tabular/diamonds_6000_regression.csv", "tabular-regression", {"target": "price"}),
        ("text_classification/banking77_train.csv", "text-classification", None),
        ("text_classification/sms_spam.csv", "text-classification", None),
    ],
)
def test_real_tables_are_understood(shared_data: Path, name: str, task: str, columns: dict[str, str] | None) -> None:
    profile = check_data(shared_data / name)
    assert (profile.ok, profile.task) == (True, task)
    assert columns is None or profile.columns == columns


NASTY_WORDS = {
    "zero_bytes.csv": ["is empty"],
    "header_only.csv": ["0 examples"],
    "single_constant_column.csv": ["one column", "one distinct value"],
    "one_class_labels.csv": ["at least 2 classes", "'ham'"],
    "all_text_empty.csv": ["empty in every row"],
    "duplicate_headers.csv": ["'id'", "more than one column"],
    "blank_headers.csv": ["column 2 has no name"],
    "blank_rows.csv": ["is blank"],
    "ragged_short_and_long.csv": ["row 1 has", "row 2 has"],
    "leading_zero_codes.csv": ["no digit is lost"],
    "decimal_comma_semicolon.csv": ["read as decimal points"],
    "mixed_numbers_and_words.csv": ["in restauro", "numbers and words"],
    "mixed_types_in_id.csv": ["i_should_be_a_number"],
    "regression_target_dirty.csv": ["39,1", "infinity"],
    "huge_cells.csv": ["about 1,396 tokens"],
    "ragged_structure_errors.csv": ["line 5"],
    "class_with_one_row.csv": ["'rare' has 1 row"],
    "label_spelling_variants.csv": ["6 classes look like 2"],
    "train_test_duplicates.csv": ["same text as row"],
    "nan_labels.csv": ["empty"],
    "latin1_semicolon.csv": ["not UTF-8", "cp1252"],
    "title_rows_then_header.csv": ["header was taken from"],
    "comment_line_first.csv": ["header was taken from"],
    "huge_ints.csv": [],
    "truncated_last_line.jsonl": ["line 30", "not complete JSON"],
    "array_named_jsonl.jsonl": ["JSON array"],
    "n_object_trailing_comma.json": ["line 1 column"],
    "n_structure_100000_opening_arrays.json": ["nested hundreds of levels deep"],
    "n_structure_UTF8_BOM_no_data.json": ["is empty"],
    "n_number_NaN.json": ["NaN"],
}


@pytest.mark.parametrize("name", NASTY_WORDS)
def test_what_is_said_of_nasty_tables(shared_data: Path, name: str) -> None:
    profile = check_data(shared_data / "nasty" / ("csv" if name.endswith("csv") else "json") / name)
    told = " ".join(f"{finding.where}: {finding.message}" for finding in (*profile.errors, *profile.warnings))
    for word in NASTY_WORDS[name]:
        assert word in told, f"{word!r} is not in {told!r}"


# --- what a machine cannot hold ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("raised", "code"), [(MemoryError, "out-of-memory"), (RecursionError, "too-deep")])
@pytest.mark.parametrize("after", [0, 1])
def test_what_is_too_large_or_too_deep_is_an_error_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: type[Exception], code: str, after: int
) -> None:
    """In the first look at the data or in the reading of all of it."""
    path = table(tmp_path / "t.csv", {"text": sentences(30), "label": ["a", "b", "a"] * 10})
    add, calls = TableSummary.add, []

    def failing(self: TableSummary, batch: Any) -> None:
        calls.append(len(batch))
        if len(calls) > after:
            raise raised
        add(self, batch)

    monkeypatch.setattr(TableSummary, "add", failing)
    profile = check_data(path)
    assert [error.code for error in profile.errors] == [code] and not profile.ok


@pytest.mark.parametrize("deep", [300, 900, 5_000, 100_000])
@pytest.mark.parametrize("marks", ["[]", "{}"])
def test_values_that_are_nested_deep_end_in_a_profile(tmp_path: Path, deep: int, marks: str) -> None:
    value = "[" * deep + "]" * deep if marks == "[]" else '{"a":' * deep + "1" + "}" * deep
    good = [json.dumps({"text": text, "label": "ab"[n % 2]}) for n, text in enumerate(sentences(20))]
    for row in (f'{{"text": "words", "label": {value}}}', f'{{"messages": [{{"role": "user", "content": {value}}}]}}'):
        path = tmp_path / "t.jsonl"
        path.write_text("\n".join([*good, row]) + "\n")
        for task in (None, "text-classification", "text-generation"):
            assert check_data(path, task).rows is not None
    cells = table(tmp_path / "t.csv", {"messages": [value] * 20, "text": sentences(20), "label": ["a", "b"] * 10})
    for task in (None, "text-classification", "text-generation", "tabular-classification"):
        assert check_data(cells, task).rows == 20


# --- the quick way over numbers ----------------------------------------------------------------------------------

NUMBER_LIKE = st.sampled_from(
    "0 1 2.5 -3 -0.5 .5 5. +7 007 -07 +00.5 1e3 1_000 1,200 nan inf 9007199254740993 -12 0.0 -0 00 1e400".split()
)


@given(st.lists(st.lists(NUMBER_LIKE | st.integers(-50, 50).map(str), min_size=1, max_size=9), max_size=4))
def test_a_batch_of_numbers_says_the_same_as_its_cells(batches: list[list[str]]) -> None:
    quick, careful = Column("x"), Column("x")
    for cells in batches:
        quick.take(cells, lambda index: f"row {index}")
        for cell in cells:
            careful.take([cell, ""], lambda index: f"row {index}")  # a gap beside it: the careful way
    told, slow = quick.to_json(), careful.to_json()
    assert {**told, "missing": 0} == {**slow, "missing": 0}
    for name in ("numbers", "integers", "codes", "leading_zeros", "infinite", "words", "characters", "first_text"):
        assert getattr(quick, name) == getattr(careful, name), name


def test_numbers_with_marks_are_told_once(tmp_path: Path) -> None:
    prices, rates = [f"${1_000 + n * 37:,}" for n in range(60)], [f"{n}%" for n in range(60)]
    path = table(
        tmp_path / "t.csv", {"price": prices, "rate": rates, "size": list(range(60)), "label": ["a", "b", "a"] * 20}
    )
    profile = check_data(path)
    told = {finding.where: finding for finding in profile.warnings if finding.where in ("column price", "column rate")}
    assert len([each for each in profile.warnings if each.where in told]) == 2
    assert all(each.code == "marked-numbers" and "not used" in each.message for each in told.values())
    assert all("plain numbers" in each.fix for each in told.values())
    assert set(profile.stats["left_out"]) == {"price", "rate"} and "marks" in profile.stats["left_out"]["price"]
