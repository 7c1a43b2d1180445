"""What app and trainer agree on: the spec file, nearest names, JSON files; standard library only."""

from __future__ import annotations

import subprocess
import sys
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
    UsageError,
    nearest,
    read_json,
    read_spec,
    write_json,
)
from backends.registry import TASKS, find_task

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
        assert task.data.label_role in (None, *task.roles) and task.default_model in task.models
        assert task.methods and task.metrics
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
        "import backends.contract, backends.options, backends.registry, sys;"
        "print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=repository, capture_output=True, text=True, check=True
    )
    assert set(told.stdout.split()) - set(sys.stdlib_module_names) <= {"backends", "__main__", "__mp_main__"}
