"""What app and trainer agree on: settings, the spec file, nearest names, JSON files; standard library only."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import (
    DataError,
    Finding,
    ForgeError,
    RunSpec,
    TabularOptions,
    TextClassificationOptions,
    UsageError,
    nearest,
    parse_settings,
    read_json,
    read_spec,
    write_json,
)
from backends.registry import TASKS, find_task

# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_the_defaults_are_possible_values(task: Any) -> None:
    defaults = parse_settings(task.options, {})
    assert defaults == task.options()
    typed = {entry.name: str(getattr(defaults, entry.name)) for entry in fields(task.options)}
    assert parse_settings(task.options, typed) == defaults


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_every_setting_says_what_it_is(task: Any) -> None:
    for entry in fields(task.options):
        assert len(entry.metadata["help"]) > 10 and not entry.metadata["help"].endswith("."), entry.name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"n_estimators": "12"}, {"n_estimators": 12}),
        ({"n_estimators": " 12 "}, {"n_estimators": 12}),
        ({"n_estimators": "1e3"}, {"n_estimators": 1000}),
        ({"n_estimators": 12.0}, {"n_estimators": 12}),
        ({"num_boost_round": 7}, {"n_estimators": 7}),
        ({"max_steps": "none"}, {"max_steps": None}),
        ({"max_steps": ""}, {"max_steps": None}),
        ({"max_steps": 5}, {"max_steps": 5}),
        ({"learning_rate": "1e-3"}, {"learning_rate": 1e-3}),
        ({"learning_rate": 1}, {"learning_rate": 1.0}),
        ({"subsample": 1}, {"subsample": 1.0}),
    ],
)
def test_settings_are_read_as_typed(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parse_settings(TabularOptions, given) == replace(TabularOptions(), **expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"lowercase": "no"}, {"lowercase": False}),
        ({"lowercase": "TRUE"}, {"lowercase": True}),
        ({"lowercase": 0}, {"lowercase": False}),
        ({"max_seq_length": 64}, {"max_length": 64}),
        ({"lr_scheduler_type": "cosine"}, {"lr_scheduler_type": "cosine"}),
    ],
)
def test_words_and_switches(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parse_settings(TextClassificationOptions, given) == replace(TextClassificationOptions(), **expected)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("n_estimators", "many", "a whole number"),
        ("n_estimators", "2.5", "a whole number"),
        ("n_estimators", "nan", "a whole number"),
        ("n_estimators", "inf", "a whole number"),
        ("n_estimators", "", "a whole number"),
        ("n_estimators", None, "a whole number"),
        ("n_estimators", [3], "a whole number"),
        ("n_estimators", 0, "at least 1"),
        ("max_steps", 0, "at least 1"),
        ("learning_rate", "0", "at least 1e-06"),
        ("learning_rate", 1.5, "at most 1"),
        ("learning_rate", "1,5", "a number"),
        ("seed", 2**31, "at most"),
        ("seed", -1, "at least 0"),
    ],
)
def test_a_value_that_is_not_possible(name: str, value: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(TabularOptions, {name: value})
    error = caught.value
    assert name in error.what and repr(value) in error.what and why in error.why and error.fix
    assert error.exit_code == 2
    default = getattr(TabularOptions(), name)
    assert default is None or f"the default is {default}" in error.why


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("lowercase", "maybe", "true or false"), ("lr_scheduler_type", "cosin", "linear, cosine")],
)
def test_a_word_that_is_not_possible(name: str, value: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(TextClassificationOptions, {name: value})
    assert why in caught.value.why


def test_an_unknown_setting_names_the_nearest_and_all() -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(TabularOptions, {"n_estimator": 3})
    assert "'n_estimator'" in caught.value.what and "'n_estimators'" in caught.value.fix
    assert all(entry.name in caught.value.why for entry in fields(TabularOptions))
    with pytest.raises(UsageError) as caught:
        parse_settings(TabularOptions, {"zzz": 3})
    assert "nearest" not in caught.value.fix


@given(
    st.dictionaries(
        st.sampled_from([entry.name for entry in fields(TabularOptions)]), st.text() | st.floats() | st.integers()
    )
)
def test_any_value_is_taken_or_refused_in_words(given_settings: dict[str, Any]) -> None:
    try:
        parsed = parse_settings(TabularOptions, given_settings)
    except UsageError as error:
        assert error.what and error.why and error.fix
        return
    for entry in fields(TabularOptions):
        value = getattr(parsed, entry.name)
        low, high = entry.metadata["minimum"], entry.metadata["maximum"]
        assert value is None or ((low is None or value >= low) and (high is None or value <= high))


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("lern_rate", ", nearest is 'learning_rate'"),
        ("LEARNING_RATE", ", nearest is 'learning_rate'"),
        ("seeed", ", nearest is 'Seed'"),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_the_nearest_name(word: str, expected: str) -> None:
    assert nearest(word, ("learning_rate", "Seed", "eval_steps")) == expected


def test_without_names_there_is_no_nearest() -> None:
    assert nearest("x", ()) == ""


def test_tasks_are_found_by_id() -> None:
    assert [find_task(task.id) for task in TASKS] == list(TASKS)
    with pytest.raises(UsageError, match="text-clasification") as caught:
        find_task("text-clasification")
    assert "'text-classification'" in caught.value.fix and caught.value.exit_code == 2


def test_the_registry_is_whole() -> None:
    assert len({task.id for task in TASKS}) == len(TASKS)
    for task in TASKS:
        assert task.label_role in task.roles and task.default_model in task.models and task.methods and task.metrics
        assert 0 < task.minimum.absolute < task.minimum.good < task.minimum.production


# --- the spec file -----------------------------------------------------------------------------------------------

# TOML cannot hold lone surrogates; everything else a path, a name or a column may hold, it can.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT
SPECS = st.builds(
    RunSpec,
    name=TEXT,
    task=TEXT,
    method=TEXT,
    model=TEXT,
    data=TEXT,
    eval_data=st.none() | TEXT,
    columns=st.dictionaries(TEXT, TEXT, max_size=3),
    settings=st.dictionaries(TEXT, VALUES, max_size=3),
    reasons=st.dictionaries(TEXT, TEXT, max_size=3),
    estimate=st.dictionaries(TEXT, VALUES, max_size=3),
    strategy=st.none() | TEXT,
    created=st.none() | TEXT,
)


@settings(deadline=None)
@given(spec=SPECS)
def test_a_spec_is_read_as_it_was_written(tmp_path_factory: Any, spec: RunSpec) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "spec.toml"
    path.write_bytes(tomli_w.dumps(spec.to_tables()).encode())
    assert read_spec(path) == spec


def test_settings_that_are_not_set_are_left_out(tmp_path: Path) -> None:
    spec = RunSpec("a", "b", "full", "m", "d", settings={"max_steps": None, "seed": 1})
    path = tmp_path / "spec.toml"
    path.write_text(tomli_w.dumps(spec.to_tables()))
    assert read_spec(path).settings == {"seed": 1}


MINIMAL = '[run]\ntask = "t"\n[data]\npath = "d"\n[model]\nsource = "m"\n'


def test_a_spec_written_by_hand_needs_little(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    assert read_spec(path) == RunSpec("mine", "t", "full", "m", "d")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (MINIMAL + "[setings]\nseed = 1\n", ["[setings]", "nearest is 'settings'"]),
        (MINIMAL.replace("task", "tsk"), ["[run]", "'tsk'", "nearest is 'task'"]),
        (MINIMAL.replace('"t"', "3"), ["[run]", "task", "3"]),
        (MINIMAL.replace('[model]\nsource = "m"\n', ""), ["[model] source"]),
        (MINIMAL.replace('path = "d"', 'path = "d"\nmap = { target = 3 }'), ["target", "name a column"]),
        (MINIMAL.replace("[run]", "[run]\nversion = 99"), ["version 99", "Update"]),
        (MINIMAL + "=", ["TOML"]),
        ("top = 1\n" + MINIMAL, ["[top]"]),
    ],
)
def test_a_damaged_spec_is_told_with_its_place(tmp_path: Path, content: str, words: list[str]) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_spec(path)
    told = f"{caught.value.what} {caught.value.why} {caught.value.fix}"
    assert str(path) in told
    for word in words:
        assert word in told


@settings(deadline=None)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | st.sampled_from([MINIMAL]).flatmap(
    lambda text: st.tuples(st.integers(0, len(text)), st.text(max_size=5)).map(
        lambda at: (text[: at[0]] + at[1] + text[at[0] :]).encode("utf-8", "replace"))))  # fmt: skip
def test_any_spec_is_read_or_refused_in_words(tmp_path_factory: Any, content: bytes) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    try:
        read_spec(path)
    except UsageError as error:
        assert error.what and error.why and error.fix


# --- errors and files --------------------------------------------------------------------------------------------


def test_errors_know_their_exit_code() -> None:
    assert (ForgeError("a").exit_code, UsageError("a").exit_code, DataError("a").exit_code) == (1, 2, 3)
    finding = Finding("code", "message", "row 1", "fix")
    error = DataError("what", "why", "fix", "row 1", (finding,))
    assert error.to_json() == {"what": "what", "why": "why", "fix": "fix", "where": "row 1"}
    assert error.findings == (finding,) and str(error) == "what"


def test_json_files_are_private_and_never_half_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"name": "größe", "n": 1})
    assert read_json(path) == {"name": "größe", "n": 1}
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TypeError):
        write_json(path, {"n": object()})
    assert read_json(path) == {"name": "größe", "n": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"\xff", b'{"a": 1} x', b"[" * 100_000])
def test_what_is_no_json_object_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert read_json(path) is None
    assert read_json(tmp_path / "nothing") is None
    assert read_json(tmp_path) is None


def test_the_contract_needs_the_standard_library_alone(repository: Path) -> None:
    script = (
        "import backends.contract, backends.registry, sys; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=repository, capture_output=True, text=True, check=True
    )
    assert set(told.stdout.split()) - set(sys.stdlib_module_names) <= {"backends", "__main__", "__mp_main__"}
