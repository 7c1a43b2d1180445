"""A run outlives the terminal and the process that started it; what dies is told from what was lost."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from backends.contract import RunFiles, read_json, write_json
from forge_tui.runs.control import request_stop, resume_run
from forge_tui.runs.status import Status, condition

TABLE = "size,colour,y\n" + "".join(f"{n},{'red' if n % 2 else 'blue'},{'a' if n % 3 else 'b'}\n" for n in range(60))


def run_of(home: Any) -> RunFiles | None:
    """The only run of a home."""
    found = [path for path in (home.path / "runs").iterdir() if not path.name.startswith(".")]
    return RunFiles(found[0]) if found else None


@pytest.mark.parametrize("end", ["the terminal is closed", "SIGHUP", "kill -9"])
def test_a_run_outlives_its_starter(home: Any, wait: Any, tmp_path: Path, end: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(TABLE)
    master, slave = pty.openpty()
    starter = subprocess.Popen(
        [sys.executable, "-m", "forge_tui", "train", "--data", str(table)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env=home.variables({"hold": ["step 3"]}),
    )
    os.close(slave)
    files = wait(lambda: run_of(home), "the run folder")
    home.wait_at(files, "step 3")
    if end == "the terminal is closed":
        os.close(master)
    else:
        os.killpg(starter.pid, signal.SIGHUP if end == "SIGHUP" else signal.SIGKILL)
    assert starter.wait(timeout=30) != 0
    assert condition(files).status is Status.RUNNING
    job = read_json(files.job)
    assert job is not None
    for who in ("supervisor", "trainer"):
        assert os.getsid(job[who]["pid"]) != starter.pid

    home.release(files, "step 3")
    assert home.wait_end(files).status is Status.FINISHED
    told = read_json(files.exit)
    assert told is not None and told["exit_code"] == 0


def test_a_killed_trainer_is_told_with_its_signal(home: Any) -> None:
    files = home.begin()
    home.kill(files, "trainer")
    state = home.wait_end(files)
    assert state.status is Status.FAILED
    assert state.error is not None and "SIGKILL" in state.error["why"] and "Resume" in state.error["fix"]
    assert read_json(files.exit) == {
        "attempt": 1, "exit_code": None, "signal": 9, "asked_to_stop": False, "ended": state.ended,
    }  # fmt: skip


def test_without_its_supervisor_a_run_goes_on(home: Any) -> None:
    files = home.begin()
    home.kill(files, "supervisor")
    assert condition(files).status is Status.RUNNING
    home.release(files, "step 3")
    assert home.wait_end(files).status is Status.FINISHED
    assert not files.exit.exists()


def test_without_its_supervisor_a_run_is_stopped_with_a_checkpoint(home: Any) -> None:
    files = home.begin()
    home.kill(files, "supervisor")
    request_stop(files)
    assert home.wait_end(files).status is Status.STOPPED
    assert (files.checkpoints / "checkpoint-3" / "forge.json").exists()


def test_with_both_killed_a_run_died_and_can_be_resumed(home: Any) -> None:
    files = home.begin()
    home.kill(files, "supervisor", "trainer")
    state = home.wait_end(files)
    assert state.status is Status.DIED
    assert state.error is not None and "killed" in state.error["why"]

    home.release(files, "step 3")
    assert resume_run(files) == 2
    state = home.wait_end(files)
    assert (state.status, state.attempt) == (Status.FINISHED, 2)
    assert state.events[0] == {"t": state.events[0]["t"], "kind": "attempt", "n": 2, "from_step": 2}
    steps = [event["step"] for event in state.events if event["kind"] == "metrics"]
    assert steps == [3, 4, 5]


def test_an_end_of_an_older_attempt_says_nothing_of_this_one(home: Any) -> None:
    files = home.begin()
    request_stop(files)
    assert home.wait_end(files).status is Status.STOPPED
    (files.folder / "at step 3").unlink()

    resume_run(files)  # from step 3, so nothing holds it before the saving
    home.wait_end(files)
    old = {**(read_json(files.exit) or {}), "attempt": 1, "exit_code": 1}
    write_json(files.exit, old)
    assert condition(files).status is Status.FINISHED
    assert condition(files).exit is None


def test_a_resumed_run_that_is_killed_died_though_its_first_end_is_on_disk(home: Any) -> None:
    files = home.begin({"hold": ["step 3", "saving"]})
    request_stop(files)
    home.wait_end(files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGE_STAND_IN", '{"hold": ["saving"]}')
        resume_run(files)
    home.wait_at(files, "saving")
    assert condition(files).status is Status.RUNNING
    home.kill(files, "supervisor", "trainer")
    home.wait_end(files)
    assert read_json(files.exit)["attempt"] == 1  # type: ignore[index]
    assert condition(files).status is Status.DIED


def test_workers_that_left_the_trainers_group_end_with_it(home: Any) -> None:
    files = home.begin()
    environment = {**os.environ, "FORGE_RUN": str(files.folder)}
    worker = subprocess.Popen(["sleep", "600"], env=environment, start_new_session=True)
    home.release(files, "step 3")
    assert worker.wait(timeout=30) == -signal.SIGTERM
