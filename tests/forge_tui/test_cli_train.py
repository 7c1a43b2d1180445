"""`train` and the commands around a live run: following, leaving, coming back, replaying a spec."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.contract import EXIT_USAGE as USAGE
from backends.contract import RunFiles, read_spec
from forge_tui.runs.control import request_stop
from forge_tui.runs.status import Status, condition
from forge_tui.runs.store import list_runs

FINISHED, FAILED, INTERRUPTED = 0, 1, 130


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my table.csv"
    path.write_text("size,colour,answer\n" + "".join(f"{n},c{n % 4},{'yes' if n % 3 else 'no'}\n" for n in range(60)))
    return path


def begin(home: Any, *arguments: str, plan: dict[str, Any] | None = None) -> subprocess.Popen[str]:
    """A command that goes on while the test does other things."""
    return subprocess.Popen(
        [sys.executable, "-m", "forge_tui", *arguments],
        env=home.variables(plan),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(command: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = command.communicate(timeout=60)
    assert "Traceback" not in out + err
    return command.returncode, out, err


def only_run(wait: Callable[..., Any]) -> RunFiles:
    files: RunFiles = wait(list_runs, "the run folder")[0]
    return files


def test_a_run_is_followed_to_its_end(home: Any, table: Path) -> None:
    told = home.command("train", "--data", str(table), "--set", "n_estimators=5", plan={"save_steps": 2})
    assert told.code == FINISHED
    files = list_runs()[0]
    assert f"run {files.folder.name}" in told.err and "target = answer" in told.err
    assert "training" in told.out and "step 5 of 5" in told.out and "saved checkpoint 4" in told.out
    assert "finished" in told.err and "f1_macro" in told.err and "majority class 0.5" in told.err
    assert str(files.model) in told.err
    spec = read_spec(files.spec)
    assert (spec.name, spec.data, spec.columns) == ("my table", str(table), {"target": "answer"})
    assert spec.settings["n_estimators"] == 5 and spec.reasons["n_estimators"] == "you chose it"
    assert set(spec.reasons) == set(spec.settings)


def test_a_run_is_followed_as_json(home: Any, table: Path) -> None:
    told = home.command("train", "--data", str(table), "--json")
    events = [json.loads(line) for line in told.out.splitlines()]
    assert events[0]["kind"] == "attempt" and events[-1]["kind"] == "finished"
    assert [event["step"] for event in events if event["kind"] == "metrics"] == [1, 2, 3, 4, 5]


def test_a_run_that_fails_ends_the_command_with_one(home: Any, table: Path) -> None:
    told = home.command("train", "--data", str(table), plan={"fail": 3, "save_steps": 2})
    assert told.code == FAILED
    for word in ("failed", "what: ", "why: ", "fix: ", "RuntimeError", str(list_runs()[0].log)):
        assert word in told.err


def test_a_run_that_is_stopped_ends_the_command_with_one(home: Any, table: Path, wait: Callable[..., Any]) -> None:
    following = begin(home, "train", "--data", str(table), plan={"hold": ["step 3"]})
    files = only_run(wait)
    home.wait_at(files, "step 3")
    stopped = home.command("stop", "last")
    assert stopped.code == 0 and "checkpoint 3 is kept" in stopped.err
    code, _, err = end(following)
    assert code == FAILED and "stopped" in err and f"forge-tui resume {files.folder.name}" in err

    home.release(files)
    resumed = home.command("resume", "last", plan={"hold": ["step 3"]})
    assert resumed.code == FINISHED and "attempt 2 goes on from step 3" in resumed.err
    assert "saved checkpoint 3" not in resumed.out and "step 5" in resumed.out, "the attempt before was told already"
    assert condition(files).status is Status.FINISHED


@pytest.mark.parametrize("command", ["train", "resume"])
def test_ctrl_c_leaves_the_run_going(home: Any, table: Path, wait: Callable[..., Any], command: str) -> None:
    if command == "train":
        following = begin(home, "train", "--data", str(table), plan={"hold": ["step 3"]})
        files = only_run(wait)
    else:
        files = home.start({"fail": 1})
        home.wait_end(files)
        following = begin(home, "resume", "last", plan={"hold": ["step 3"]})
    home.wait_at(files, "step 3")
    assert following.stdout is not None
    seen = ""
    while "training" not in seen:
        line = following.stdout.readline()
        assert line, "the command ended before its time"
        seen += line
    following.send_signal(signal.SIGINT)
    code, _, err = end(following)
    assert code == INTERRUPTED
    assert "goes on" in err
    assert f"forge-tui watch {files.folder.name}" in err and f"forge-tui stop {files.folder.name}" in err
    assert condition(files).status is Status.RUNNING
    home.release(files)
    assert home.wait_end(files).status is Status.FINISHED


def test_detached_only_the_id_is_printed(home: Any, table: Path) -> None:
    told = home.command("train", "--data", str(table), "--detach", plan={"hold": ["step 3"]})
    assert told.code == 0
    files = list_runs()[0]
    assert told.out == files.folder.name + "\n"
    home.wait_at(files, "step 3")
    home.release(files)
    assert home.wait_end(files).status is Status.FINISHED


def test_detached_as_json(home: Any, cli: Callable[..., Any], table: Path) -> None:
    told = cli("train", "--data", str(table), "--detach", "--json")
    files = list_runs()[0]
    assert told.json() == {"id": files.folder.name, "path": str(files.folder)}


def test_a_spec_is_replayed_as_it_was(home: Any, cli: Callable[..., Any], table: Path) -> None:
    evaluation = table.with_name("evaluation.csv")
    evaluation.write_text(table.read_text())
    options = ["--map", "target=colour", "--set", "max_depth=3", "--set", "eval_fraction=0.3", "--name", "my run"]
    cli("train", "--data", str(table), "--eval-data", str(evaluation), *options, "--detach")
    first = list_runs()[0]
    told = cli("train", str(first.spec), "--detach")
    assert told.code == 0, told.err
    second = RunFiles(first.folder.with_name(told.out.strip()))
    assert second.folder != first.folder
    one, two = read_spec(first.spec), read_spec(second.spec)
    assert replace(one, created=None) == replace(two, created=None)
    assert one.created and two.created and one.name == "my run" and one.eval_data == str(evaluation)

    def lines(files: RunFiles) -> list[str]:
        return [line for line in files.spec.read_text().splitlines() if not line.startswith("created = ")]

    assert lines(first) == lines(second)
    told = cli("train", str(first.spec), "--name", "another", "--detach")
    assert read_spec(RunFiles(first.folder.with_name(told.out.strip())).spec).name == "another"


def test_aliases_and_max_steps(home: Any, cli: Callable[..., Any], table: Path) -> None:
    cli("train", "--data", str(table), "--set", "num_boost_round=7", "--set", "max_steps=3", "--detach")
    settings = read_spec(list_runs()[0].spec).settings
    assert settings["n_estimators"] == 7 and settings["max_steps"] == 3 and "num_boost_round" not in settings


def test_stop_now_and_checkpoint_as_commands(home: Any, cli: Callable[..., Any], wait: Callable[..., Any]) -> None:
    files = home.begin({"save_steps": 100})
    told = cli("checkpoint", "last")
    assert told.code == 0 and "checkpoint 3 is saved" in told.err
    told = cli("stop", "last", "--now")
    assert told.code == 0 and "stopped; checkpoint 3 is kept" in told.err
    for command in (["stop", "last"], ["checkpoint", "last"]):
        told = cli(*command)
        assert told.code == FAILED and "the run has stopped" in told.err and "fix: " in told.err
    assert home.wait_end(files).status is Status.STOPPED


def test_waiting_for_a_stop_can_be_left(home: Any, wait: Callable[..., Any]) -> None:
    files = home.begin({"ignore_term": True})
    stopping = begin(home, "stop", "last")
    wait(lambda: condition(files).status is Status.STOPPING, "the request")
    assert stopping.stderr is not None
    assert "stopping after the present step" in stopping.stderr.readline()
    stopping.send_signal(signal.SIGINT)
    code, _, _ = end(stopping)
    assert code == INTERRUPTED
    assert condition(files).status is Status.STOPPING
    home.release(files)
    assert home.wait_end(files).status is Status.FINISHED


def test_delete_asks_first(home: Any, cli: Callable[..., Any]) -> None:
    files = home.begin()
    told = cli("delete", "last", "--yes")
    assert told.code == FAILED and "still alive" in told.err and "forge-tui stop" in told.err
    request_stop(files)
    home.wait_end(files)
    unanswered = home.command("delete", "last")
    assert unanswered.code == USAGE and "--yes" in unanswered.err and "Aborted" not in unanswered.err
    assert files.folder.exists()
    told = cli("delete", "last", "--yes")
    assert told.code == 0 and not files.folder.exists()


def test_predict_refuses_a_run_without_a_model(home: Any, cli: Callable[..., Any]) -> None:
    home.begin()
    told = cli("predict", "last", "{}")
    assert told.code == FAILED and "has no model yet" in told.err and "running" in told.err
