"""Stop, stop now and checkpoint, in every phase of a run; nothing is killed unless that was asked for."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from backends.checkpoints import latest_checkpoint
from backends.contract import ForgeError, RunFiles, UsageError, read_json
from forge_tui.runs import control, supervisor
from forge_tui.runs.control import request_checkpoint, request_stop, resume_run
from forge_tui.runs.process import start_ticks
from forge_tui.runs.status import Status, condition
from forge_tui.runs.tail import last_events


def kinds(files: RunFiles) -> list[str]:
    return [event["kind"] for event in last_events(files.events)]


@pytest.mark.parametrize("place", ["start", "imports"])
def test_a_stop_before_training_leaves_no_checkpoint(home: Any, place: str) -> None:
    files = home.begin(place=place)
    request_stop(files)
    state = home.wait_end(files)
    assert (state.status, state.error) == (Status.STOPPED, None)
    assert not files.checkpoints.exists()
    assert "metrics" not in kinds(files)
    told = read_json(files.exit)
    assert told is not None and told["asked_to_stop"] is True


def test_a_stop_while_training_leaves_a_checkpoint_of_the_present_step(home: Any) -> None:
    files = home.begin()
    request_stop(files)
    assert condition(files).status in (Status.STOPPING, Status.STOPPED)
    state = home.wait_end(files)
    assert (state.status, state.error) == (Status.STOPPED, None)
    found = latest_checkpoint(files.checkpoints)
    assert found is not None and found[0] == 3
    assert not files.model.exists()


def test_a_stop_while_saving_lets_the_run_finish(home: Any) -> None:
    files = home.begin(place="saving")
    request_stop(files)
    assert condition(files).status is Status.STOPPING
    home.release(files, "saving")
    assert home.wait_end(files).status is Status.FINISHED
    assert (files.model / "model.bin").read_bytes() == b"model"


def kill_after(seconds: float, home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let supervisors that are started from here kill after another time than 5 s."""
    script = home.path / "supervisor"
    change = f"import forge_tui.runs.supervisor as s; s.KILL_SECONDS = {seconds}; s.main()"
    script.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" -c "{change}" "$@"\n')
    script.chmod(0o700)
    monkeypatch.setattr("forge_tui.runs.launch.sys.executable", str(script))


def test_a_kill_comes_after_five_seconds() -> None:
    assert control.KILL_SECONDS == supervisor.KILL_SECONDS == 5.0


def test_a_trainer_that_ignores_a_stop_is_never_killed(
    home: Any, wait: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_after(0.0, home, monkeypatch)
    files = home.begin({"ignore_term": True, "save_steps": 100})
    for count in range(1, 4):  # the checkpoints show that supervisor and trainer went on after the stops
        request_stop(files)
        request_checkpoint(files)
        wait(lambda count=count: kinds(files).count("checkpoint") >= count, "the checkpoint event")
    assert condition(files).status is Status.STOPPING
    home.release(files)
    assert home.wait_end(files).status is Status.FINISHED


def test_stop_now_kills_a_trainer_that_ignores_it(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_after(0.2, home, monkeypatch)
    files = home.begin({"ignore_term": True})
    request_stop(files)
    request_stop(files, now=True)
    state = home.wait_end(files)
    assert (state.status, state.error) == (Status.STOPPED, None)
    told = read_json(files.exit)
    assert told is not None and told["signal"] == signal.SIGKILL
    found = latest_checkpoint(files.checkpoints)
    assert found is not None and found[0] == 2


def test_stop_now_kills_without_a_supervisor_too(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "KILL_SECONDS", 0.1)
    files = home.begin({"ignore_term": True})
    home.kill(files, "supervisor")
    request_stop(files, now=True)
    assert home.wait_end(files).status is Status.STOPPED


def test_less_does_not_take_back_what_was_asked(home: Any) -> None:
    files = home.begin({"ignore_term": True})
    for request_it, kept in (
        (request_checkpoint, "checkpoint"),
        (request_stop, "stop"),
        (request_checkpoint, "stop"),
        (lambda each: request_stop(each, now=True), "stop-now"),
        (request_stop, "stop-now"),
    ):
        request_it(files)
        assert read_json(files.control)["request"] == kept  # type: ignore[index]
    assert set(read_json(files.control) or {}) == {"request", "attempt", "time", "who"}
    assert condition(files).status is Status.STOPPING


def test_stop_now_saves_when_the_trainer_is_quick(home: Any) -> None:
    files = home.begin()
    request_stop(files, now=True)
    assert home.wait_end(files).status is Status.STOPPED
    found = latest_checkpoint(files.checkpoints)
    assert found is not None and found[0] == 3


@pytest.mark.parametrize("place", ["start", "imports"])
def test_a_checkpoint_request_before_training_does_not_end_the_run(home: Any, place: str) -> None:
    files = home.begin(place=place)
    request_checkpoint(files)
    request_checkpoint(files)
    home.release(files, place)
    assert home.wait_end(files).status is Status.FINISHED


def test_a_checkpoint_request_is_answered_with_a_checkpoint(home: Any, wait: Callable[..., Any]) -> None:
    files = home.begin({"save_steps": 100})
    assert "checkpoint" not in kinds(files)
    request_checkpoint(files)
    wait(lambda: "checkpoint" in kinds(files), "the checkpoint event")
    event = next(event for event in last_events(files.events) if event["kind"] == "checkpoint")
    assert (event["step"], event["path"]) == (3, "checkpoints/checkpoint-3")
    assert condition(files).status is Status.RUNNING
    home.release(files)
    assert home.wait_end(files).status is Status.FINISHED


def test_a_checkpoint_request_without_a_supervisor_is_answered(home: Any, wait: Callable[..., Any]) -> None:
    files = home.begin({"save_steps": 100})
    home.kill(files, "supervisor")
    request_checkpoint(files)
    wait(lambda: "checkpoint" in kinds(files), "the checkpoint event")


def test_the_last_two_checkpoints_are_kept(home: Any) -> None:
    files = home.start({"steps": 9, "save_steps": 2})
    home.wait_end(files)
    assert sorted(path.name for path in files.checkpoints.iterdir()) == ["checkpoint-6", "checkpoint-8"]


@pytest.mark.parametrize("request_it", [request_stop, request_checkpoint])
def test_nothing_is_asked_of_a_run_that_ended(home: Any, request_it: Callable[[RunFiles], None]) -> None:
    files = home.start()
    home.wait_end(files)
    with pytest.raises(ForgeError, match="nothing to") as caught:
        request_it(files)
    assert "finished" in caught.value.why
    assert not files.control.exists()


def test_a_live_and_a_finished_run_are_not_resumed(home: Any) -> None:
    files = home.begin()
    with pytest.raises(ForgeError, match="still alive"):
        resume_run(files)
    home.release(files)
    home.wait_end(files)
    with pytest.raises(ForgeError, match="has finished"):
        resume_run(files)


def test_a_failed_run_tells_why_and_goes_on_when_resumed(home: Any) -> None:
    files = home.start({"fail": 3, "save_steps": 2})
    state = home.wait_end(files)
    assert state.status is Status.FAILED
    assert state.error is not None and state.error["why"] == "the stand-in trainer failed after step 3, as told"
    assert "RuntimeError" in state.error["what"] and state.error["fix"]
    assert "Traceback" in files.log.read_text()
    assert read_json(files.exit)["exit_code"] == 1  # type: ignore[index]

    resume_run(files)
    state = home.wait_end(files)
    assert (state.status, state.error) == (Status.FINISHED, None)
    assert [event["step"] for event in state.events if event["kind"] == "metrics"] == [3, 4, 5]


def test_resume_skips_a_checkpoint_that_is_not_whole(home: Any) -> None:
    files = home.start({"fail": 5, "save_steps": 2})
    home.wait_end(files)
    weights = files.checkpoints / "checkpoint-4" / "weights.bin"
    os.truncate(weights, weights.stat().st_size - 1)
    resume_run(files)
    state = home.wait_end(files)
    assert state.status is Status.FINISHED
    assert state.events[0]["from_step"] == 2


def test_an_event_log_that_was_cut_is_gone_on_with_on_a_new_line(home: Any) -> None:
    files = home.start({"fail": 3, "save_steps": 2})
    home.wait_end(files)
    with files.events.open("ab") as stream:
        stream.write(b'{"t": 1.0, "kind": "metr')
    resume_run(files)
    state = home.wait_end(files)
    assert state.status is Status.FINISHED and state.events[0]["kind"] == "attempt"


def test_a_trainer_that_cannot_be_started_is_told(home: Any) -> None:
    (home.path / "trainer").write_text("#!/nowhere/python\n")
    state = home.wait_end(home.start())
    assert state.status is Status.FAILED
    assert state.error is not None and "trainer_python" in state.error["fix"]


def test_a_mistake_in_the_settings_is_told_before_anything_starts(home: Any) -> None:
    failed = home.start({"fail": 1})
    home.wait_end(failed)
    (home.path / "settings.toml").write_text("trainer_pyton = 'x'\n")
    for start in (home.start, lambda: resume_run(failed)):
        with pytest.raises(UsageError, match="trainer_pyton") as caught:
            start()
        assert "'trainer_python'" in caught.value.fix
    assert len(list((home.path / "runs").iterdir())) == 1
    assert condition(failed).attempt == 1


def test_a_recycled_pid_is_never_signalled(home: Any) -> None:
    import subprocess

    from forge_tui.runs.lock import take_lock

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as innocent:
        recycled = {"pid": innocent.pid, "start_ticks": (start_ticks(innocent.pid) or 0) - 1}
        files = home.fabricate("20260102-030405-x-0001", job={"supervisor": recycled, "trainer": recycled})
        lock = take_lock(files.lock)
        assert condition(files).status.is_alive
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(control, "KILL_SECONDS", 0.1)
            request_stop(files)
            request_stop(files, now=True)
            request_checkpoint(files)
        os.close(lock)
        assert innocent.stdin is not None
        innocent.stdin.close()
        assert innocent.wait(timeout=30) == 0
