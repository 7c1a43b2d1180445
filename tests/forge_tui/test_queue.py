"""The queue: real supervisors wait in line for a device, and start one after the other."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.contract import ForgeError, RunFiles, read_json
from forge_tui import logind
from forge_tui.runs import queue
from forge_tui.runs.company import company, when_runs_ended
from forge_tui.runs.control import request_checkpoint, request_stop, resume_run
from forge_tui.runs.lock import take_lock
from forge_tui.runs.status import Status, condition
from forge_tui.runs.summary import summarise_run
from profiles.device import choose_device
from profiles.hardware import Cpu, Gpu, GpuProcess, Hardware

WAIT_AT_STEP_3 = {"hold": ["step 3"], "save_steps": 2}


@pytest.fixture(autouse=True)
def look_often(home: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Supervisors that are started from here look at the line more often than once a second."""
    script = tmp_path / "supervisor"
    change = "import forge_tui.runs.supervisor as s; s.QUEUE_SECONDS = 0.05; s.main()"
    other = f'[ "$2" = forge_tui.runs.supervisor ] || exec "{sys.executable}" "$@"'
    script.write_text(f'#!/bin/sh\n{other}\nshift 2\nexec "{sys.executable}" -c "{change}" "$@"\n')
    script.chmod(0o700)
    monkeypatch.setattr("forge_tui.runs.launch.sys.executable", str(script))


@pytest.fixture
def queued(home: Any, wait: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], RunFiles]:
    """`queued(name)`: a run that waits in line; its trainer will wait at step 3."""
    from dataclasses import replace

    from forge_tui.runs import store

    def start(name: str) -> RunFiles:
        original = store.start_run
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "start_run", lambda spec: original(replace(spec, name=name), queue=True))
            files: RunFiles = home.start(WAIT_AT_STEP_3)
        wait(lambda: (read_json(files.job) or {}).get("device") == "cpu", "the supervisor")
        return files

    return start


def status(files: RunFiles) -> Status:
    return condition(files).status


def waits(files: RunFiles) -> str | None:
    return summarise_run(files).waits_for


def test_queued_runs_start_one_after_the_other(
    home: Any, queued: Callable[[str], RunFiles], wait: Callable[..., Any], cli: Callable[..., Any]
) -> None:
    first = home.begin()
    second, third = queued("second"), queued("third")
    assert [status(each) for each in (first, second, third)] == [Status.RUNNING, Status.QUEUED, Status.QUEUED]
    assert (waits(first), waits(second), waits(third)) == (None, "waits for the CPU", "2nd in line for the CPU")
    assert "queued, 2nd in line for the CPU: after tiny, second" in cli("show", third.folder.name).out
    assert "waits for the CPU" in cli("runs").out
    listed = cli("queue", "--json").json()
    assert [(each["place"], each["name"], each["id"]) for each in listed] == [
        (1, "second", second.folder.name),
        (2, "third", third.folder.name),
    ]
    assert cli("show", second.folder.name, "--json").json()["status"] == "queued"
    assert summarise_run(second).started is None  # waiting is none of its time
    home.release(first)
    home.wait_at(second, "step 3")
    assert (status(second), status(third), waits(third)) == (Status.RUNNING, Status.QUEUED, "waits for the CPU")
    assert not third.events.exists()
    home.release(second)
    home.wait_at(third, "step 3")
    home.release(third)
    assert home.wait_end(third).status is Status.FINISHED
    assert cli("queue").out == "" and not list((home.path / "queue").iterdir())


def test_a_run_started_plainly_begins_beside_others(home: Any, queued: Callable[[str], RunFiles]) -> None:
    first = home.begin()
    waiting = queued("waiting")
    second = home.begin(None)
    assert (status(first), status(second), status(waiting)) == (Status.RUNNING, Status.RUNNING, Status.QUEUED)
    home.release(first)
    home.wait_end(first)
    assert status(waiting) is Status.QUEUED  # the second one still has the device
    home.release(second)
    home.wait_at(waiting, "step 3")


def test_the_device_stays_taken_while_the_trainer_lives(home: Any, queued: Callable[[str], RunFiles]) -> None:
    first = home.begin()
    home.kill(first, "supervisor")
    waiting = queued("waiting")
    assert queue.runs_on(home.path, "cpu")[0].folder == first.folder
    assert status(waiting) is Status.QUEUED
    home.kill(first, "trainer")
    home.wait_at(waiting, "step 3")


def test_the_line_is_reordered(home: Any, queued: Callable[[str], RunFiles], cli: Callable[..., Any]) -> None:
    first = home.begin()
    runs = {name: queued(name) for name in "abc"}

    def line() -> str:
        return "".join(summarise_run(files).name for files in queue.waiting_runs(home.path))

    assert line() == "abc"
    for arguments, expected in (
        (("c", "--up"), "acb"),
        (("a", "--down"), "cab"),
        (("b", "--first"), "bca"),
        (("b", "--up"), "bca"),
        (("c", "--last"), "bac"),
    ):
        assert cli("queue", *arguments).code == 0
        assert line() == expected
    assert cli("queue", "c").code == cli("queue", "--first").code == cli("queue", "c", "--up", "--down").code == 2
    home.release(first)
    home.wait_at(runs["b"], "step 3")
    assert {status(runs[name]) for name in "ac"} == {Status.QUEUED}
    with pytest.raises(ForgeError, match="not in line"):
        queue.move(runs["b"], -1)


def test_ranks_that_are_the_same_are_told_apart_when_moved(home: Any, queued: Callable[[str], RunFiles]) -> None:
    home.begin()
    queued("a"), queued("b")
    for path in (home.path / "queue").iterdir():
        path.rename(path.with_name("000010-" + path.name.partition("-")[2]))
    later = queue.waiting_runs(home.path)[1]
    queue.move(later, -1)
    assert queue.waiting_runs(home.path)[0].folder == later.folder


def test_a_queued_run_is_cancelled_and_can_be_queued_again(
    home: Any, queued: Callable[[str], RunFiles], cli: Callable[..., Any], wait: Callable[..., Any]
) -> None:
    first = home.begin()
    waiting = queued("waiting")
    with pytest.raises(ForgeError, match="nothing to save"):
        request_checkpoint(waiting)
    ended = cli("stop", waiting.folder.name)
    assert ended.code == 0 and "leaving the line" in ended.err
    state = home.wait_end(waiting)
    assert (state.status, state.error) == (Status.STOPPED, None)
    assert not list((home.path / "queue").iterdir())
    resume_run(waiting, queue=True)
    assert status(waiting) is Status.QUEUED
    home.release(first)
    wait(lambda: status(waiting) is not Status.QUEUED, "its turn")


def test_a_place_that_is_deleted_by_hand_starts_nothing(home: Any, queued: Callable[[str], RunFiles]) -> None:
    home.begin()
    waiting = queued("waiting")
    for path in (home.path / "queue").iterdir():
        path.unlink()
    assert home.wait_end(waiting).status is Status.STOPPED
    assert not waiting.events.exists()


def test_a_killed_supervisor_gives_its_place_up(home: Any, queued: Callable[[str], RunFiles]) -> None:
    first = home.begin()
    dead, waiting = queued("dead"), queued("waiting")
    home.kill(dead, "supervisor")
    assert status(dead) is Status.DIED
    assert waits(waiting) == "waits for the CPU"
    home.release(first)
    home.wait_at(waiting, "step 3")
    resume_run(dead)  # plainly: the place it left behind is no reason to wait
    assert home.wait_end(dead).status is Status.FINISHED


def test_the_line_of_another_machine_is_its_own(
    home: Any, queued: Callable[[str], RunFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.begin()
    waiting = queued("waiting")
    monkeypatch.setattr("forge_tui.runs.status.host_name", lambda: "another")
    monkeypatch.setattr("forge_tui.runs.queue.host_name", lambda: "another")
    assert status(waiting) is Status.ELSEWHERE
    assert queue.runs_on(home.path, "cpu") == []
    assert queue.runs_ahead(RunFiles(home.path / "runs" / "mine"), "cpu") == []
    for refused in (request_stop, resume_run):
        with pytest.raises(ForgeError, match="another machine"):
            refused(waiting)


def test_train_says_who_is_on_the_device(home: Any, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,target\n" + "".join(f"{n},{'xy'[n % 2]}\n" for n in range(40)))
    home.begin(None)
    ended = home.command("train", "--data", str(table), "--detach", "--name", "beside")
    assert ended.code == 0 and "CPU is used by tiny too" in ended.err
    queued = home.command("train", "--data", str(table), "--detach", "--queue", "--name", "patient")
    assert queued.code == 0 and "is used by" not in queued.err
    assert home.command("show", "patient", "--json").json()["status"] == "queued"


def test_memory_of_own_runs_counts_as_free_for_a_queued_run(home: Any) -> None:
    files = home.begin()
    trainer = (read_json(files.job) or {})["trainer"]["pid"]
    mine, other = GpuProcess(trainer, memory_bytes=6 << 30), GpuProcess(1, "root", "python", 1 << 30)
    gpu = Gpu(0, "GPU-1", "A10G", 24 << 30, 16 << 30, processes=(mine, other))
    here = Hardware((gpu,), Cpu(cores=2), memory_total_bytes=64 << 30, memory_available_bytes=8 << 30)
    later = when_runs_ended(here)
    assert later.gpus[0].memory_free_bytes == 22 << 30 and later.gpus[0].processes == (other,)
    assert 8 << 30 < (later.memory_available_bytes or 0) < 64 << 30
    assert company(choose_device(here)) == ["1 unknown process"] or "root: python" in company(choose_device(here))[0]


# --- what a start meets ------------------------------------------------------------------------------------------


def test_locks_that_nobody_sees_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda descriptor, operation: None)
    with pytest.raises(ForgeError, match="cannot lock") as caught:
        take_lock(tmp_path / "lock")
    assert "FORGE_HOME" in caught.value.fix and "not seen" in caught.value.why


def machine(root: Path, kills: bool = True, lingers: bool = True) -> None:
    """The files of a machine with systemd, for a login session."""
    for folder in ("run/systemd/system", "etc/systemd", "proc/self", "var/lib/systemd/linger"):
        (root / folder).mkdir(parents=True)
    (root / "etc/systemd/logind.conf").write_text(f"[Login]\nKillUserProcesses={'yes' if kills else 'no'}\n")
    (root / "proc/self/cgroup").write_text("0::/user.slice/user-1000.slice/session-2.scope\n")
    if lingers:
        (root / "var/lib/systemd/linger" / logind.own_user()).touch()


@pytest.mark.parametrize(("works", "lingers"), [(True, True), (False, True), (True, False)])
def test_a_run_outlives_the_logout_or_the_person_is_warned(
    home: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool, lingers: bool
) -> None:
    machine(tmp_path / "root", lingers=lingers)
    tools = tmp_path / "tools"
    tools.mkdir()
    said = tmp_path / "said"
    fake = tools / "systemd-run"
    run = f'echo "$@" >> {said}; while [ "$1" != "--" ]; do shift; done; shift; exec "$@"'
    fake.write_text(f"#!/bin/sh\n{run if works else 'exit 1'}\n")
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(logind, "ROOT", tmp_path / "root")
    warning = logind.logout_warning()
    if works and lingers:
        assert warning is None
        assert home.wait_end(home.start()).status is Status.FINISHED
        assert "--user --scope" in said.read_text() and "forge_tui.runs.supervisor" in said.read_text()
    else:
        assert warning is not None and "KillUserProcesses" in warning
        assert ("enable-linger" in warning) is not lingers
        assert logind.scope() == ()


def test_nothing_is_said_where_processes_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, kills=False)
    monkeypatch.setattr(logind, "ROOT", tmp_path)
    assert logind.logout_warning() is None and logind.scope() == ()
