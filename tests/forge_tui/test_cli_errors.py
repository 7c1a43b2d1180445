"""Wrong requests and bad data end with the documented exit code and words that help, never with a traceback."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forge_tui.runs.store import list_runs

DONE, FAILED, USAGE, DATA = 0, 1, 2, 3
WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A good table: a number, a word and a class."""
    path = tmp_path / "table.csv"
    lines = [f"{n * 37 % 101},{WORDS[n % 4]},{'yes' if n % 3 else 'no'}" for n in range(60)]
    path.write_text("\n".join(["size,colour,answer", *lines]) + "\n")
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A good table of texts with a label."""
    path = tmp_path / "texts.csv"
    lines = [f"{' '.join(WORDS[n % 7 :])} number {n},{'spam' if n % 2 else 'ham'}" for n in range(60)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


def assert_refused(told: Any, code: int, *words: str) -> None:
    """The exit code, an error with why and fix, and the words that must be said."""
    assert told.code == code, told.err
    assert told.err.startswith("error: ") and "fix: " in told.err
    for word in words:
        assert word in told.err, f"{word!r} is not in {told.err!r}"
    assert list_runs() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--map", "target=answr"], ["'answr'", "nearest is 'answer'"]),
        (["--map", "targt=answer", "--task", "tabular-classification"], ["'targt'", "nearest is 'target'"]),
        (["--map", "answer"], ["name=value"]),
        (["--map", "=answer"], ["name=value"]),
        (["--task", "tabular-clasification"], ["nearest is 'tabular-classification'", "forge-tui tasks"]),
        (["--task", "sentiment"], ["'sentiment'", "tabular-regression"]),
        (["--set", "n_estimator=3"], ["nearest is 'n_estimators'", "max_depth"]),
        (["--set", "n_estimators"], ["name=value"]),
        (["--set", "n_estimators=many"], ["n_estimators", "'many'", "a whole number", "1000"]),
        (["--set", "n_estimators=2.5"], ["a whole number"]),
        (["--set", "n_estimators=0"], ["at least 1"]),
        (["--set", "n_estimators=nan"], ["a whole number"]),
        (["--set", "learning_rate=2"], ["at most 1"]),
        (["--set", "learning_rate=inf"], ["a number"]),
        (["--method", "lorra"], ["'lorra'", "full"]),
        (["--model", "preset:xgbost"], ["nearest is 'preset:xgboost'"]),
        (["--model", "bert-base-uncased"], ["'bert-base-uncased'", "preset:xgboost"]),
        (["--eval-data", "/nowhere/eval.csv"], ["/nowhere/eval.csv"]),
    ],
)
def test_a_wrong_request(home: Any, cli: Callable[..., Any], table: Path, options: list[str], words: list[str]) -> None:
    assert_refused(cli("train", "--data", str(table), *options), USAGE, *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--method", "lorra"], ["nearest is 'lora'"]),
        (["--model", "preset:tiny-encodr"], ["nearest is 'preset:tiny-encoder'"]),
        (["--model", "/nowhere/model"], ["/nowhere/model", "preset:tiny-encoder"]),
        (["--model", "."], ["config.json"]),
        (["--set", "lr_scheduler_type=cosin"], ["linear, cosine"]),
        (["--set", "learning_rate=fast"], ["a number"]),
        (["--set", "max_depth=3"], ["'max_depth'"]),
    ],
)
def test_a_wrong_request_for_texts(
    home: Any, cli: Callable[..., Any], texts: Path, options: list[str], words: list[str]
) -> None:
    arguments = ["train", "--data", str(texts), "--task", "text-classification", *options]
    assert_refused(cli(*arguments), USAGE, *words)


@pytest.mark.parametrize("command", [["check", "{}"], ["train", "--data", "{}"], ["train", "{}"]])
@pytest.mark.parametrize(
    "path", ["nowhere.csv", "nowhere/at/all.csv", "", "~nobody-of-that-name/x.csv", "a\nb", "x" * 300]
)
def test_a_file_that_is_not_there(home: Any, cli: Callable[..., Any], command: list[str], path: str) -> None:
    assert_refused(cli(*(path if word == "{}" else word for word in command)), USAGE)


def test_a_file_name_that_is_no_text(home: Any, table: Path) -> None:
    odd = table.rename(os.fsdecode(os.fsencode(table.parent) + b"/caf\xe9.csv"))
    assert home.command("check", str(odd)).code == DONE
    told = home.command("train", "--data", str(odd))
    assert told.code == USAGE and "caf" in told.err and "Rename" in told.err and "Traceback" not in told.err
    assert list_runs() == []


def test_a_folder_without_data_and_a_pipe_are_no_data(home: Any, cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    told = cli("check", str(tmp_path / "none"))
    assert told.code == DATA and "none holds no data: it holds nothing" in told.out
    assert_refused(cli("check", "/dev/null"), USAGE, "not a regular file")


@pytest.mark.parametrize(
    "arguments", [["train"], ["train", "spec.toml", "--data", "x.csv"], ["train", "s", "--set", "a=1"]]
)
def test_a_spec_and_options_do_not_mix(home: Any, cli: Callable[..., Any], arguments: list[str]) -> None:
    told = cli(*arguments)
    assert_refused(told, USAGE, "--set" if "--set" in arguments else "--data")


def test_a_text_target_for_regression(home: Any, cli: Callable[..., Any], table: Path) -> None:
    told = cli("train", "--data", str(table), "--task", "tabular-regression", "--map", "target=colour")
    assert_refused(told, DATA, "row 1", "'alpha'", "not a number")


SPEC = """
[run]
version = 1
name = "tiny"
task = "tabular-classification"
method = "full"

[data]
path = "DATA"
map = { target = "answer" }

[model]
source = "preset:xgboost"

[settings]
n_estimators = 5
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (SPEC, "", ["[run] task"]),
        (SPEC, "run = 3", ["[run]"]),
        (SPEC, "\x00\x01", ["TOML"]),
        ("[run]", "[run", ["TOML"]),
        ("[run]", "[rum]", ["[rum]", "nearest is 'run'"]),
        ("version = 1", "version = 2", ["version 2"]),
        ("version = 1", 'version = "one"', ["version"]),
        ("task =", "tsk =", ["'tsk'", "nearest is 'task'"]),
        ("tabular-classification", "tabular-classificaton", ["nearest is 'tabular-classification'"]),
        ('method = "full"', 'method = "ful"', ["nearest is 'full'"]),
        ('method = "full"', "method = 3", ["method"]),
        ('path = "DATA"', "", ["[data] path"]),
        ("DATA", "/nowhere.csv", ["/nowhere.csv"]),
        ("DATA", "", ["folder"]),
        ("DATA", "a\\u0000b", ["cannot be read"]),
        ("DATA", "~nobody-of-that-name/x", ["nobody-of-that-name"]),
        ("map = {", "mapp = {", ["nearest is 'map'"]),
        ('"answer"', "3", ["target"]),
        ('"answer"', '"anser"', ["nearest is 'answer'"]),
        ("preset:xgboost", "preset:xgbost", ["nearest is 'preset:xgboost'"]),
        ('source = "preset:xgboost"', "", ["[model] source"]),
        ("n_estimators = 5", "n_estimatrs = 5", ["nearest is 'n_estimators'"]),
        ("n_estimators = 5", 'n_estimators = "x"', ["a whole number"]),
        ("n_estimators = 5", "n_estimators = [1]", ["a whole number"]),
        ("n_estimators = 5", "n_estimators = 1979-05-27", ["a whole number"]),
        ("[settings]", "[settings.more]", ["'more'"]),
    ],
)
def test_a_damaged_spec(
    home: Any, cli: Callable[..., Any], table: Path, tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    spec = tmp_path / "spec.toml"
    assert old in SPEC
    spec.write_text(SPEC.replace(old, new).replace("DATA", str(table)))
    assert_refused(cli("train", str(spec)), USAGE, *words)


def test_a_spec_that_is_no_text(home: Any, cli: Callable[..., Any], tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_bytes(b"\xff\xfe\x00")
    assert_refused(cli("train", str(spec)), USAGE)
    assert_refused(cli("train", str(tmp_path)), USAGE)


def labelled(labels: list[str], text: str = "words of text {}") -> str:
    return "text,label\n" + "".join(f"{text.format(n)},{label}\n" for n, label in enumerate(labels))


def dirty_regression() -> str:
    cells = [str(n * 3.5) for n in range(60)]
    for row, cell in ((5, "n/a"), (17, '"39,1"'), (23, "2020-05-06"), (42, "inf")):
        cells[row - 1] = cell
    return "kind,weight,target\n" + "".join(f"{WORDS[n % 3]},{n},{cell}\n" for n, cell in enumerate(cells))


REGRESSION = ["--task", "tabular-regression", "--map", "target=target"]


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("", [], ["bad.csv is empty"]),
        ("\ufeff \n\n", [], ["bad.csv is empty"]),
        ("size,colour,answer\n", [], ["size", "0 examples"]),
        ("value\n" + "foo\n" * 50, [], ["column value", "one distinct value"]),
        (labelled(["ham"] * 40), [], ["column label", "at least 2 classes", "'ham'"]),
        (labelled(["ham", "spam"] * 20, text=""), [], ["column text", "empty in every row"]),
        (labelled(["ham", "spam"] * 20, text=""), ["--task", "text-classification"], ["column text", "empty"]),
        (labelled([""] * 40), ["--task", "text-classification"], ["column label", "empty in every row"]),
        (labelled(["ham", "spam"]), [], ["2 rows"]),
        (dirty_regression(), REGRESSION, ["[row 17, 23, 42]", "'39,1'"]),
        (dirty_regression(), [], ["row 17"]),
        ("a,target\n" + "1,7\n" * 50, REGRESSION, ["column target", "same value in every row"]),
        ("target\n" + "".join(f"{n}\n" for n in range(50)), REGRESSION, ["no column is left"]),
        ('[{"a": 1}, {"a": 2},]', [], ["line 1"]),
        ("\x00\x01\x02\x03" * 50, [], ["bad.csv", "binary"]),
    ],
)
@pytest.mark.parametrize("command", [["check"], ["train", "--data"]])
def test_bad_data(
    home: Any, cli: Callable[..., Any], tmp_path: Path, content: str, options: list[str], words: list[str],
    command: list[str],
) -> None:  # fmt: skip
    path = tmp_path / ("bad.json" if content.startswith("[") else "bad.csv")
    path.write_text(content)
    told = cli(*command, str(path), *options)
    assert told.code == DATA
    for word in words:
        assert word in told.out + told.err, f"{word!r} is not in {told.out + told.err!r}"
    assert list_runs() == []
    if command == ["check"]:
        profile = cli("check", str(path), *options, "--json")
        assert (profile.code, profile.json()["ok"]) == (DATA, False)
        assert all(finding["message"] and finding["where"] and finding["fix"] for finding in profile.json()["errors"])


def test_a_dirty_target_lists_every_bad_row_and_no_missing_one(
    home: Any, cli: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "dirty.csv"
    path.write_text(dirty_regression())
    found = cli("check", str(path), *REGRESSION, "--json").json()
    assert [error["where"] for error in found["errors"]] == ["row 17", "row 23", "row 42"]
    assert ["row 5"] == [warning["where"] for warning in found["warnings"] if warning["code"] == "empty-target"]


@pytest.mark.parametrize(
    "command", [["show"], ["logs"], ["stop"], ["checkpoint"], ["resume"], ["delete", "--yes"], ["watch"], ["predict"]]
)
def test_a_run_that_is_not_there(home: Any, cli: Callable[..., Any], command: list[str]) -> None:
    told = cli(*command, "no-such-run")
    assert told.code == USAGE and "no runs yet" in told.err and "forge-tui" in told.err


@pytest.mark.parametrize("arguments", [["nonsense"], ["check"], ["runs", "--jso"], ["train", "--data"], ["stop"]])
def test_wrong_usage(home: Any, cli: Callable[..., Any], arguments: list[str]) -> None:
    told = cli(*arguments)
    assert told.code == USAGE and told.out == "" and told.err


def test_without_a_terminal_the_app_says_what_to_run_instead(home: Any) -> None:
    told = home.command()
    assert told.code == USAGE and told.out == ""
    assert "forge-tui check" in told.err and "forge-tui train" in told.err and "Traceback" not in told.err


@pytest.mark.parametrize("content", ["trainer_pyton = 'x'", "trainer_python = 3", "trainer_python", "\x00"])
def test_a_mistake_in_the_settings(home: Any, cli: Callable[..., Any], table: Path, content: str) -> None:
    (home.path / "settings.toml").write_text(content)
    told = cli("train", "--data", str(table))
    assert told.code == USAGE and "settings.toml" in told.err and "fix: " in told.err
    assert list_runs() == []


def test_a_home_that_cannot_be_written(
    home: Any, cli: Callable[..., Any], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGE_HOME", "/dev/null/home")
    told = cli("train", "--data", str(table))
    assert told.code == USAGE and "FORGE_HOME" in told.err


def test_a_command_of_its_own_converts_errors_too(home: Any, table: Path) -> None:
    told = home.command("train", "--data", str(table), "--map", "target=answr")
    assert told.code == USAGE and told.out == "" and "nearest is 'answer'" in told.err
    assert "Traceback" not in told.err


NASTY_EXIT_3 = {
    "zero_bytes.csv", "header_only.csv", "single_constant_column.csv", "one_class_labels.csv", "all_text_empty.csv",
}  # fmt: skip


def test_every_nasty_table_is_checked(home: Any, cli: Callable[..., Any], shared_data: Path) -> None:
    files = sorted(path for kind in ("csv", "json") for path in (shared_data / "nasty" / kind).iterdir())
    assert len(files) > 40
    codes = {}
    for path in files:
        told = cli("check", str(path), "--json")
        assert told.code in (DONE, DATA), path
        assert told.json()["ok"] is (told.code == DONE), path
        shown = cli("check", str(path))
        assert shown.code == told.code and "\x1b" not in shown.out
        codes[path.name] = told.code
    assert {name for name in NASTY_EXIT_3 if codes[name] != DATA} == set()
    dirty = shared_data / "nasty" / "csv" / "regression_target_dirty.csv"
    arguments = ["check", str(dirty), "--task", "tabular-regression", "--map", "target=bill_length_mm", "--json"]
    found = cli(*arguments)
    assert found.code == DATA
    assert [error["where"] for error in found.json()["errors"]] == ["row 6", "row 8", "row 10"]
    assert "row 4" in [warning["where"] for warning in found.json()["warnings"]]


CHECK_ALL = """
import resource, signal, sys
from pathlib import Path
from backends.contract import UsageError
from backends.formats.checks import check_data
resource.setrlimit(resource.RLIMIT_DATA, (256 << 20, 256 << 20))
for name in sys.argv[1:]:
    resource.setrlimit(resource.RLIMIT_CPU, (int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 10, -1))
    check_data(Path(name))
    for task in ("tabular-classification", "tabular-regression", "text-classification", "sentence-pair-classification"):
        check_data(Path(name), task)
"""


def test_nasty_tables_take_little_memory_and_time(shared_data: Path) -> None:
    files = sorted(str(path) for kind in ("csv", "json") for path in (shared_data / "nasty" / kind).iterdir())
    told = subprocess.run([sys.executable, "-c", CHECK_ALL, *files], capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr


DEEP = {
    "deep.json": "[" * 100_000,
    "deep_objects.json": '{"a":' * 50_000,
    "deep_row.json": '[{"a": ' + "[" * 5_000 + "]" * 5_000 + ', "b": 1}]',
    "deep_line.jsonl": '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}\n",
    "one_line.csv": "a,b\n" + "x" * 3_000_000 + ",y\n",
    "open_quote.csv": 'a,b\n1,"2\n' + "3,4\n" * 200_000,
    "many_columns.csv": ",".join(f"c{n}" for n in range(20_000)) + "\n" + ",".join("1" * 20_000) + "\n",
    "nul.csv": "a,b\n1,\x00\n2,3\n",
    "carriage.csv": "a,b\r1,2\r3,4\r5,6\r7,8\r9,1\r",
}


@pytest.mark.parametrize("name", DEEP)
def test_absurd_files_are_refused_in_little_memory(home: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(DEEP[name])
    limit = 256 << 20
    told = home.command("check", str(path), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)))
    assert told.code in (DONE, DATA), told.err
    assert "Traceback" not in told.err


def test_a_file_that_may_not_be_read_is_told(
    home: Any, cli: Callable[..., Any], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.open  # root may read everything, so the refusal is played

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == table.name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    for command in (["check"], ["train", "--data"]):
        assert_refused(cli(*command, str(table)), USAGE, "Permission denied")
