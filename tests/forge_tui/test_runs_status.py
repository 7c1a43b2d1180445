"""The state of a run is what its folder says: every case, on folders written by hand."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from backends.contract import ForgeError, RunFiles, write_json
from forge_tui.runs.control import delete_run, request_checkpoint, request_stop, resume_run
from forge_tui.runs.lock import take_lock
from forge_tui.runs.status import Status, condition
from forge_tui.runs.summary import summarise_run

RUN = "20260102-030405-tabular-classification-0001"
ATTEMPT = {"kind": "attempt", "n": 1, "from_step": 0}
STEP = {"kind": "metrics", "step": 7, "epoch": None, "total_steps": 9, "values": {"loss": 0.5}}
FINISHED = {"kind": "finished", "metrics": {}, "baseline": {}, "model_path": "model"}
ERROR = {"kind": "error", "what": "it broke", "why": "it was old", "fix": "mend it", "where": None}
CHECKPOINT = {"kind": "checkpoint", "step": 7, "path": "checkpoints/checkpoint-7"}


def ask(files: RunFiles, request: str, attempt: int = 1) -> None:
    write_json(files.control, {"request": request, "attempt": attempt, "time": "", "who": ""})


@pytest.mark.parametrize(
    ("exit", "events", "status"),
    [
        ({"exit_code": 0}, [ATTEMPT, STEP, FINISHED], Status.FINISHED),
        ({"exit_code": 0}, [ATTEMPT, STEP, CHECKPOINT], Status.STOPPED),
        ({"exit_code": None, "signal": 15}, [], Status.STOPPED),
        ({"exit_code": 1}, [ATTEMPT, STEP, ERROR], Status.FAILED),
        ({"exit_code": None, "signal": 9}, [ATTEMPT, STEP], Status.FAILED),
        ({"exit_code": None, "signal": 11}, [ATTEMPT, STEP, FINISHED], Status.FINISHED),
        ({"attempt": 0, "exit_code": 1}, [ATTEMPT, STEP], Status.DIED),
        (None, [ATTEMPT, STEP, FINISHED], Status.FINISHED),
        (None, [ATTEMPT, STEP, ERROR], Status.DIED),
        (None, [ATTEMPT, STEP], Status.DIED),
        (None, [], Status.DIED),
    ],
)
def test_how_a_run_ended(home: Any, exit: dict[str, Any] | None, events: list[dict[str, Any]], status: Status) -> None:
    files = home.fabricate(RUN, exit=exit, events=events)
    state = condition(files)
    assert state.status is status
    assert (state.error is None) == (status in (Status.FINISHED, Status.STOPPED))
    if ERROR in events:
        assert state.error == {"what": "it broke", "why": "it was old", "fix": "mend it"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_an_ending_signal_is_named(home: Any, number: signal.Signals) -> None:
    files = home.fabricate(RUN, exit={"exit_code": None, "signal": int(number)}, events=[ATTEMPT, STEP])
    error = condition(files).error
    assert error is not None and number.name in error["why"] and error["fix"]


@pytest.mark.parametrize(
    ("request_", "events", "status"),
    [
        ("stop", [ATTEMPT, STEP], Status.FAILED),  # killed while it saved: by memory, not by the person
        ("stop-now", [ATTEMPT, STEP], Status.STOPPED),
        ("checkpoint", [ATTEMPT, STEP], Status.FAILED),
    ],
)
def test_a_kill_counts_as_a_stop_only_when_a_kill_was_asked_for(
    home: Any, request_: str, events: list[dict[str, Any]], status: Status
) -> None:
    files = home.fabricate(RUN, exit={"exit_code": None, "signal": 9}, events=events)
    ask(files, request_)
    assert condition(files).status is status


@pytest.mark.parametrize(
    ("request_", "events", "status"),
    [
        ("stop", [ATTEMPT, STEP, CHECKPOINT], Status.STOPPED),
        ("stop", [ATTEMPT, STEP], Status.DIED),
        ("stop-now", [ATTEMPT, STEP], Status.STOPPED),
        ("checkpoint", [ATTEMPT, STEP, CHECKPOINT], Status.DIED),
    ],
)
def test_an_untold_end_after_a_request(home: Any, request_: str, events: list[dict[str, Any]], status: Status) -> None:
    files = home.fabricate(RUN, events=events)
    ask(files, request_)
    assert condition(files).status is status
    ask(files, request_, attempt=0)
    assert condition(files).status is Status.DIED


def test_while_alive(home: Any) -> None:
    files = home.fabricate(RUN)
    lock = take_lock(files.lock)
    assert condition(files).status is Status.STARTING
    files.events.write_text('{"t": 1, "kind": "attempt", "n": 1, "from_step": 0}\n')
    assert condition(files).status is Status.STARTING
    with files.events.open("a") as stream:
        stream.write('{"t": 1, "kind": "phase", "name": "loading-data"}\n')
    assert condition(files).status is Status.RUNNING
    ask(files, "checkpoint")
    assert condition(files).status is Status.RUNNING
    ask(files, "stop")
    assert condition(files).status is Status.STOPPING
    os.close(lock)


def test_events_of_an_older_attempt_do_not_end_this_one(home: Any) -> None:
    second = {"kind": "attempt", "n": 2, "from_step": 7}
    events = [ATTEMPT, STEP, ERROR, second, STEP]
    files = home.fabricate(RUN, job={"attempt": 2}, exit={"attempt": 1, "exit_code": 1}, events=events)
    state = condition(files)
    assert state.status is Status.DIED
    assert state.error is not None and state.error["what"] != "it broke"
    assert state.exit is None and state.ended is None
    assert [event["kind"] for event in state.events] == ["attempt", "metrics"]


@pytest.mark.parametrize("again", [[], [{"kind": "attempt", "n": 2, "from_step": 7}]])
def test_what_was_reached_before_a_resume_is_told_until_there_is_more(home: Any, again: list[dict[str, Any]]) -> None:
    later = {**STEP, "step": 8, "values": {"loss": 0.1}}
    events = [ATTEMPT, STEP, CHECKPOINT, *([later] if again else []), *again]
    files = home.fabricate(RUN, job={"attempt": 2}, exit=None, events=events)
    found = summarise_run(files)
    assert (found.step, found.total_steps, found.metrics) == (
        7,
        9,
        {"loss": 0.5},
    )  # not what came after


def test_another_boot_means_lost(home: Any) -> None:
    job = {"boot_id": "another"}
    files = home.fabricate(RUN, job=job, events=[ATTEMPT, STEP])
    state = condition(files)
    assert state.status is Status.LOST
    assert state.error is not None and "restarted" in state.error["what"]
    for request_it in (request_stop, request_checkpoint):
        with pytest.raises(ForgeError, match="nothing to"):
            request_it(files)
    assert resume_run(files) == 2
    assert home.wait_end(files).status is Status.FINISHED


@pytest.mark.parametrize(
    ("exit", "events", "status"),
    [
        (None, [ATTEMPT, STEP, FINISHED], Status.FINISHED),
        ({"exit_code": 0}, [ATTEMPT, STEP, FINISHED], Status.FINISHED),
        ({"exit_code": 1}, [ATTEMPT, STEP, ERROR], Status.FAILED),
    ],
)
def test_what_ended_before_a_restart_was_not_lost(
    home: Any, exit: dict[str, Any] | None, events: list[dict[str, Any]], status: Status
) -> None:
    assert condition(home.fabricate(RUN, job={"boot_id": "another"}, exit=exit, events=events)).status is status


@pytest.mark.parametrize("boot", ["here", "another"])
@pytest.mark.parametrize("refused", [request_stop, request_checkpoint, resume_run, delete_run])
def test_a_run_of_another_host_is_left_alone(home: Any, refused: Callable[[RunFiles], Any], boot: str) -> None:
    job = {"host": "node17", **({"boot_id": boot} if boot == "another" else {})}
    files = home.fabricate(RUN, job=job, events=[ATTEMPT, STEP])
    assert condition(files).status is Status.ELSEWHERE
    before = sorted(path.name for path in files.folder.iterdir())
    with pytest.raises(ForgeError) as caught:
        refused(files)
    assert "node17" in caught.value.why and "node17" in caught.value.fix
    assert sorted(path.name for path in files.folder.iterdir()) == before


def test_a_run_elsewhere_is_never_signalled_though_its_pid_lives_here(home: Any) -> None:
    from forge_tui.runs.process import identity

    me = identity(os.getpid())
    files = home.fabricate(RUN, job={"host": "node17", "supervisor": me, "trainer": me})
    with pytest.raises(ForgeError):
        request_stop(files, now=True)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
@pytest.mark.parametrize("name", ["job.json", "exit.json", "control.json", "report.json", "spec.toml", "events.jsonl"])
def test_a_damaged_file_breaks_no_list(home: Any, name: str, damaged: bytes) -> None:
    files = home.fabricate(RUN, exit={}, events=[ATTEMPT, FINISHED], report={"metrics": {"f1_macro": 1.0}})
    (files.folder / name).write_bytes(damaged)
    summary = summarise_run(files)
    assert summary.id == RUN and summary.to_json()["status"] in {str(each) for each in Status}


def test_a_folder_with_nothing_in_it_died(home: Any) -> None:
    folder = home.path / "runs" / RUN
    folder.mkdir()
    assert condition(RunFiles(folder)).status is Status.DIED
