"""What commands print: the JSON keys other tools rely on, and plain text whatever logs and data hold."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.registry import TASKS
from forge_tui.plain import plain

OTHER = "20260102-030406-tabular-classification-0002"
RUN = "20260102-030405-tabular-classification-0001"
RUN_KEYS = (
    "id name task strategy model method status created started ended step total_steps epoch metrics best baseline "
    "baseline_name error path"
).split()
CHECK_KEYS = "ok task proposals path format encoding rows usable_rows columns errors warnings stats".split()
FINDING_KEYS = ["code", "message", "where", "fix"]
STATUSES = "queued starting running stopping finished failed stopped died lost elsewhere".split()

# Colours, a title, the cursor, a clipboard write, one-byte forms, bells, direction marks, a rewritten line.
NASTY = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[H \x1b]52;c;aGk=\x1b\\ \x9b31m \x9d0;t\x9c \x07\x08 \u202eevil "
    "\x1bc \x1bP1$r\x1b\\ [bold red]markup[/] [link=http://x]y[/link]"
)
FORBIDDEN = "\x1b\x07\x08\x9b\x9d\x9c\u202e\u200f"


def assert_plain(text: str) -> None:
    assert not set(text) & set(FORBIDDEN), ascii(text)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("size,colour,answer\n" + "".join(f"{n},c{n % 4},{'yes' if n % 3 else 'no'}\n" for n in range(60)))
    return path


# --- keys --------------------------------------------------------------------------------------------------------


def test_a_run_has_exactly_these_keys(home: Any, cli: Callable[..., Any]) -> None:
    files = home.start({"save_steps": 2})
    home.wait_end(files)
    failed = home.start({"fail": 2}, name="broken", strategy="none", settings={"n_estimators": 3})
    home.wait_end(failed)
    shown = cli("show", "tiny", "--json").json()
    assert list(shown) == RUN_KEYS
    assert shown == {
        "id": files.folder.name,
        "name": "tiny",
        "task": "tabular-classification",
        "strategy": None,
        "model": "preset:xgboost",
        "method": "full",
        "status": "finished",
        "created": shown["created"],
        "started": shown["started"],
        "ended": shown["ended"],
        "step": 5,
        "total_steps": 5,
        "epoch": None,
        "metrics": {"f1_macro": 0.75},
        "best": {},
        "baseline": {"f1_macro": 0.5},
        "baseline_name": "majority class",
        "error": None,
        "path": str(files.folder),
    }
    for key in ("created", "started", "ended"):
        moment = datetime.fromisoformat(shown[key])
        offset = moment.utcoffset()
        assert offset is not None and not offset
    broken = cli("show", "broken", "--json").json()
    assert broken["status"] == "failed" and broken["strategy"] == "none"
    assert list(broken["error"]) == ["what", "why", "fix"] and all(broken["error"].values())
    both = cli("runs", "--json").json()
    assert [list(each) for each in both] == [RUN_KEYS, RUN_KEYS]
    assert sorted([broken, shown], key=lambda run: str(run["id"]), reverse=True) == both


def test_without_runs_the_list_is_empty(home: Any, cli: Callable[..., Any]) -> None:
    assert cli("runs", "--json").json() == []
    told = cli("runs")
    assert (told.code, told.out) == (0, "") and "no runs yet" in told.err


def test_what_is_unknown_of_a_run_is_null(home: Any, cli: Callable[..., Any]) -> None:
    (home.path / "runs" / RUN).mkdir()
    shown = cli("show", RUN, "--json").json()
    assert list(shown) == RUN_KEYS
    known = {"id": RUN, "name": RUN, "status": "died", "path": str(home.path / "runs" / RUN)}
    assert {key: shown[key] for key in known} == known
    assert shown["metrics"] == shown["best"] == shown["baseline"] == {}
    rest = set(RUN_KEYS) - set(known) - {"metrics", "best", "baseline", "error"}
    assert {shown[key] for key in rest} == {None}


def test_a_running_run(home: Any, cli: Callable[..., Any]) -> None:
    home.begin()
    shown = cli("show", "last", "--json").json()
    assert shown["status"] == "running" and shown["status"] in STATUSES
    assert (shown["step"], shown["total_steps"], shown["ended"]) == (3, 5, None)
    assert shown["metrics"] == {"loss": pytest.approx(1 / 3)} and shown["baseline"] == {"f1_macro": 0.5}
    lines = cli("runs").out.splitlines()
    assert "running" in lines[1] and "60%" in lines[1] and RUN.partition("-")[2][6:] not in lines[0]
    assert "step      3 of 5" in cli("show", "last").out


def test_check_has_exactly_these_keys(home: Any, cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    good = cli("check", str(table), "--json")
    assert good.code == 0 and list(good.json()) == CHECK_KEYS
    assert good.json()["ok"] is True and good.json()["columns"] == {"target": "answer"}
    assert good.json()["rows"] == good.json()["usable_rows"] == 60
    assert good.json()["errors"] == [] and good.json()["path"] == str(table)
    assert (good.json()["format"], good.json()["encoding"]) == ("csv", "utf-8")
    for proposal in good.json()["proposals"]:
        assert list(proposal) == ["task", "strategy", "reason"]
    assert good.json()["proposals"][0]["task"] == good.json()["task"] == "tabular-classification"
    for finding in good.json()["warnings"]:
        assert list(finding) == FINDING_KEYS

    (tmp_path / "empty.csv").touch()
    bad = cli("check", str(tmp_path / "empty.csv"), "--json")
    assert bad.code == 3 and list(bad.json()) == CHECK_KEYS
    assert bad.json()["ok"] is False and bad.json()["task"] is None
    assert [list(finding) for finding in bad.json()["errors"]] == [FINDING_KEYS]


def test_tasks_are_those_of_the_registry(home: Any, cli: Callable[..., Any]) -> None:
    listed = cli("tasks", "--json").json()
    assert [task["id"] for task in listed] == [task.id for task in TASKS]
    for task in listed:
        assert {"id", "title", "roles", "methods", "metrics", "minimum"} <= set(task)
        assert set(task["minimum"]) == {"absolute", "good", "production", "unit"}
        assert task["methods"] and task["metrics"] and (task["roles"] or len(task["shapes"]) > 1)
    ways = {task["id"]: [each["strategy"] for each in task["strategies"]] for task in listed if task["strategies"]}
    assert ways == {"text-classification": ["head", "label-words"], "text-generation": ["sft", "pretrain"]}
    assert ["messages"] in next(task["shapes"] for task in listed if task["id"] == "text-generation")
    shown = cli("tasks")
    assert shown.err == "" and all(task.id in shown.out for task in TASKS)


def test_data_is_on_stdout_and_talk_on_stderr(home: Any, cli: Callable[..., Any], table: Path) -> None:
    told = cli("check", str(table))
    assert "60 rows" in told.out and "target = answer" in told.out
    assert told.err == "A run can start on this data.\n"


@pytest.mark.parametrize(
    "command", ["check", "runs", "show", "logs", "stop", "checkpoint", "resume", "delete", "train"]
)
def test_every_command_has_help(home: Any, cli: Callable[..., Any], command: str) -> None:
    told = cli(command, "--help")
    assert told.code == 0 and told.out.startswith("Usage: ") and told.err == ""


# --- plain text --------------------------------------------------------------------------------------------------


def test_logs_are_shown_as_plain_text(home: Any, cli: Callable[..., Any]) -> None:
    files = home.fabricate(RUN, exit={})
    files.log.write_bytes(f"{NASTY}\n\xff\n10%\r50%\r100% done\n{NASTY}".encode("utf-8", "surrogateescape") + b"\xff")
    shown = cli("logs", RUN).out
    assert_plain(shown)
    lines = shown.splitlines()
    assert len(lines) == 4 and lines[2] == "100% done"
    assert "[bold red]markup[/]" in lines[0] and "red" in lines[0] and "title" not in lines[0]
    assert lines[3].endswith("\ufffd")


def test_data_is_shown_as_plain_text(home: Any, cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "nasty\x1b[31m.csv"
    header = f"text,label{NASTY}\n"
    path.write_text(
        header + "".join(f"some words {NASTY} {n},{'ab'[n % 2]}{NASTY}\n" for n in range(40)) + f"1,{NASTY}\n"
    )
    for options in ((), ("--task", "text-classification", "--map", "text=text")):
        told = cli("check", str(path), *options)
        assert_plain(told.out + told.err)
        assert "[bold red]markup[/]" in told.out
    as_json = cli("check", str(path), "--json")
    assert_plain(as_json.out)
    assert any(NASTY.strip() in name for name in as_json.json()["stats"]["columns"])


def test_errors_about_data_are_plain_text(home: Any, cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "nasty.csv"
    path.write_text("a,target\n" + "".join(f"{n},{n}.5\n" for n in range(40)) + f"1,{NASTY}\n")
    for command in (["check"], ["train", "--data"]):
        told = cli(*command, str(path), "--task", "tabular-regression", "--map", "target=target")
        assert told.code == 3 and "row 41" in told.out + told.err
        assert_plain(told.out + told.err)
    told = cli("check", str(path), "--map", f"target={NASTY}")
    assert told.code == 2
    assert_plain(told.err)


def test_runs_are_shown_as_plain_text(home: Any, cli: Callable[..., Any]) -> None:
    error = {"kind": "error", "what": NASTY, "why": NASTY, "fix": NASTY, "where": None}
    spec = {"name": NASTY, "model": NASTY}
    home.fabricate(RUN, spec=spec, exit={"exit_code": 1}, events=[{"kind": "attempt", "n": 1, "from_step": 0}, error])
    for command in (["runs"], ["show", RUN], ["resume", "nothing" + NASTY], ["predict", RUN, "x"]):
        told = cli(*command)
        assert_plain(told.out + told.err)
    assert "[bold red]markup[/]" in cli("runs").out


def test_a_live_run_is_followed_as_plain_text(home: Any) -> None:
    files = home.begin({"words": NASTY})
    for kind, fields in (("notice", {"level": "warning", "message": NASTY}), ("phase", {"name": NASTY})):
        with files.events.open("a") as stream:
            stream.write(json.dumps({"t": 1.0, "kind": kind, **fields}) + "\n")
    home.release(files)
    home.wait_end(files)
    script = (
        "import sys; from pathlib import Path; from backends.contract import RunFiles;"
        "from forge_tui.cli.follow import Follower; sys.exit(Follower(RunFiles(Path(sys.argv[1]))).run())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(files.folder)], env=home.variables(), capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert_plain(told.stdout + told.stderr)
    assert "! red" in told.stdout and "f1_macro" in told.stderr


@given(st.text())
def test_plain_is_one_line_without_control(text: str) -> None:
    shown = plain(text)
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in shown)
    assert_plain(shown)
    assert plain(shown) == shown


@given(st.text(st.characters(exclude_categories=["Cc", "Cf"], exclude_characters="\u2028\u2029")))
def test_plain_keeps_plain_text(text: str) -> None:
    assert plain(text) == text


# --- odd terminals -----------------------------------------------------------------------------------------------


def test_lone_surrogates_in_json_are_shown_somehow(home: Any, tmp_path: Path) -> None:
    path = tmp_path / "lone.jsonl"
    rows = (json.dumps({"text": f"words and words {n}", "label": "a\ud800" if n % 2 else "b"}) for n in range(40))
    path.write_text("\n".join(rows) + "\n")
    for options in ([], ["--json"]):
        told = home.command("check", str(path), *options)
        assert told.code in (0, 3), told.err
        assert "Traceback" not in told.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_gets_something(
    home: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("größe,名\n")
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    told = home.command("check", str(path))
    assert told.code == 3 and "Traceback" not in told.err


def test_a_reader_that_goes_away_is_no_error(home: Any) -> None:
    files = home.fabricate(RUN, exit={})
    files.log.write_text("words\n" * 200_000)
    told = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m forge_tui logs last | head -n 1; echo ended'],
        env=home.variables(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert told.stdout == "words\nended\n" and told.stderr == ""


def test_runs_are_compared(home: Any, cli: Callable[..., Any]) -> None:
    for run, rate, f1 in ((RUN, 0.1, 0.75), (OTHER, 0.3, 0.5)):
        spec = {"name": f"rate {rate}", "settings": {"learning_rate": rate, "max_depth": 6}}
        home.fabricate(run, spec=spec, exit={}, events=[{"kind": "finished"}], report={"metrics": {"f1_macro": f1}})
    told = cli("compare", RUN, OTHER)
    lines = [line.split() for line in told.out.splitlines()]
    assert ["f1_macro", "0.75", "0.5"] in lines and ["learning_rate", "0.1", "0.3"] in lines
    assert "max_depth" not in told.out
    found = cli("compare", RUN, OTHER, "--json").json()
    assert found["differing"] == {"learning_rate": {RUN: "0.1", OTHER: "0.3"}}
    assert [list(run) for run in found["runs"]] == [RUN_KEYS, RUN_KEYS]
    assert cli("compare", RUN).code == 2
