"""Run folders: private, complete, found by what a person types, deleted only when nothing lives in them."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.contract import ForgeError, RunSpec, UsageError, read_spec
from forge_tui.paths import forge_home, forge_home_path
from forge_tui.runs.control import delete_run
from forge_tui.runs.lock import take_lock
from forge_tui.runs.status import Status, condition
from forge_tui.runs.store import find_run, list_runs, start_run
from forge_tui.runs.summary import SummaryCache, summarise_run


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run_id(number: int, task: str = "tabular-classification") -> str:
    return f"20260102-03{number // 60:02d}{number % 60:02d}-{task}-{number:04x}"


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_everything_of_a_run_is_for_its_owner_alone(home: Any, umask: int) -> None:
    before = os.umask(umask)
    try:
        files = home.start({"save_steps": 2, "words": "hello"})
    finally:
        os.umask(before)
    home.wait_end(files)
    assert mode(files.folder) == 0o700
    expected = {
        "spec.toml",
        "job.json",
        "exit.json",
        "events.jsonl",
        "train.log",
        "report.json",
        "checkpoints",
        "model",
    }
    assert expected <= {path.name for path in files.folder.iterdir()}
    for path in files.folder.rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_a_new_home_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_HOME", str(tmp_path / "deep" / "home"))
    home = forge_home()
    assert (mode(home), mode(home / "runs")) == (0o700, 0o700)


@pytest.mark.parametrize(
    ("shared", "home"),
    [(None, "home/.local/share/forge-tui"), ("data", "home/.local/share/forge-tui"), ("/d", "/d/forge-tui")],
)
def test_without_forge_home_it_is_the_data_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: str | None, home: str
) -> None:
    monkeypatch.delenv("FORGE_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if shared is not None:
        monkeypatch.setenv("XDG_DATA_HOME", shared)  # which counts only where it is absolute
    assert forge_home_path() == tmp_path / home


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FORGE_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(UsageError, match="cannot be made") as caught:
        forge_home()
    assert "FORGE_HOME" in caught.value.fix


def test_a_name_longer_than_any_list_is_refused(home: Any) -> None:
    with pytest.raises(UsageError, match="too long"):
        start_run(RunSpec("n" * 3000, "tabular-classification", "full", "preset:xgboost", "/none.csv"))
    assert not list((home.path / "runs").iterdir())


def test_the_spec_on_disk_is_the_request(home: Any) -> None:
    asked = {
        "name": 'a "name" with \\ and é and 名',
        "columns": {"target": "größe (cm)"},
        "settings": {"n_estimators": 7, "learning_rate": 0.1, "nthread": None},
        "reasons": {"n_estimators": "you chose it"},
        "estimate": {"total_bytes": 12},
        "eval_data": "/other.csv",
    }
    files = home.start(**asked)
    home.wait_end(files)
    read = read_spec(files.spec)
    assert read.created is not None and read.created.endswith("+00:00")
    expected = RunSpec(
        task="tabular-classification",
        method="full",
        model="preset:xgboost",
        data=str(home.path / "none.csv"),
        **{**asked, "settings": {"n_estimators": 7, "learning_rate": 0.1}},  # type: ignore[arg-type]
    )
    assert replace(read, created=None) == expected


def test_no_secret_of_the_environment_is_written(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_verysecretvalue")
    files = home.start({"save_steps": 2})
    home.wait_end(files)
    for path in files.folder.rglob("*"):
        assert path.is_dir() or b"hf_verysecretvalue" not in path.read_bytes()


def test_runs_are_listed_newest_first_and_half_made_ones_not_at_all(home: Any) -> None:
    for number in (2, 3, 1):
        home.fabricate(run_id(number), exit={})
    (home.path / "runs" / f".new-{run_id(4)}").mkdir()
    (home.path / "runs" / "notes").mkdir()
    assert [files.folder.name for files in list_runs()] == [run_id(3), run_id(2), run_id(1)]


def test_a_run_is_found_by_what_a_person_types(home: Any) -> None:
    first = home.fabricate(run_id(1, "text-classification"), spec={"name": "spam"}, exit={})
    second = home.fabricate("20260203-030405-tabular-regression-00ff", spec={"name": "prices"}, exit={})
    for wanted in (second.folder.name, "prices", "20260203", "last"):
        assert find_run(wanted) == second, wanted
    for wanted in (first.folder.name, "spam", "202601"):
        assert find_run(wanted) == first, wanted


def test_a_name_beats_a_prefix_and_an_id_beats_a_name(home: Any) -> None:
    by_prefix = home.fabricate(run_id(1), spec={"name": "one"}, exit={})
    by_name = home.fabricate(run_id(2), spec={"name": run_id(1)[:8]}, exit={})
    named_as_id = home.fabricate(run_id(3), spec={"name": run_id(1)}, exit={})
    assert find_run(run_id(1)[:8]) == by_name
    assert find_run(run_id(1)) == by_prefix
    assert find_run(run_id(3)) == named_as_id


@pytest.mark.parametrize("wanted", ["2026", "same"])
def test_what_means_several_runs_is_refused_with_their_ids(home: Any, wanted: str) -> None:
    for number in (1, 2):
        home.fabricate(run_id(number), spec={"name": "same"}, exit={})
    with pytest.raises(UsageError, match="means 2 runs") as caught:
        find_run(wanted)
    assert run_id(1) in caught.value.why and run_id(2) in caught.value.why


@pytest.mark.parametrize("wanted", ["spm", "../runs", "", ".", "*", "last "])
def test_an_unknown_run_is_refused(home: Any, wanted: str) -> None:
    home.fabricate(run_id(1), spec={"name": "spam"}, exit={})
    with pytest.raises(UsageError, match="There is no run") as caught:
        find_run(wanted)
    if wanted == "spm":
        assert "'spam'" in caught.value.fix


def test_without_runs_the_way_to_start_one_is_told(home: Any) -> None:
    with pytest.raises(UsageError, match="no runs yet") as caught:
        find_run("last")
    assert "forge-tui" in caught.value.fix


def test_a_live_run_is_not_deleted(home: Any) -> None:
    files = home.begin()
    with pytest.raises(ForgeError, match="still alive"):
        delete_run(files)
    home.kill(files, "supervisor")
    with pytest.raises(ForgeError, match="still alive"):
        delete_run(files)
    home.release(files)
    home.wait_end(files)
    delete_run(files)
    assert not files.folder.exists()
    assert list_runs() == []


def test_a_run_whose_worker_lives_is_not_deleted(home: Any) -> None:
    files = home.fabricate(run_id(1), exit={})
    environment = {**os.environ, "FORGE_RUN": str(files.folder)}
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environment) as worker:
        with pytest.raises(ForgeError, match="still at work"):
            delete_run(files)
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait()
    delete_run(files)
    assert not files.folder.exists()


def test_two_starts_of_one_run_do_not_both_get_it(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forge_tui.runs.lock._PROBES_LAST", 0.1)
    files = home.fabricate(run_id(1))
    lock = take_lock(files.lock)
    with pytest.raises(ForgeError, match="still alive"):
        take_lock(files.lock)
    os.close(lock)
    os.close(take_lock(files.lock))


def test_hundreds_of_runs_are_listed(home: Any, cli: Callable[..., Any]) -> None:
    report = {"metrics": {"f1_macro": 0.9, "accuracy": 0.8}, "baseline": {"f1_macro": 0.5}, "baseline_name": "b"}
    step = {"kind": "metrics", "step": 9, "epoch": None, "total_steps": 9, "values": {"loss": 0.5}}
    finished = {"kind": "finished", "metrics": {}, "baseline": {}, "model_path": "model"}
    for number in range(200):
        events = [{"kind": "attempt", "n": 1, "from_step": 0}, *[step] * 50, finished]
        home.fabricate(run_id(number), spec={"name": f"run {number}"}, exit={}, events=events, report=report)
    listed = cli("runs", "--json").json()
    assert [run["name"] for run in listed] == [f"run {number}" for number in reversed(range(200))]
    assert {run["status"] for run in listed} == {"finished"}
    assert {run["step"] for run in listed} == {9}
    lines = cli("runs").out.splitlines()
    assert len(lines) == 201 and "0.9" in lines[1]
    assert find_run("run 77").folder.name == run_id(77)


def test_a_summary_is_read_again_only_when_something_moved(home: Any) -> None:
    files = home.fabricate(run_id(1), exit={"exit_code": 1})
    cache = SummaryCache()
    first = cache.get(files)
    assert first.status is Status.FAILED and cache.get(files) is first
    os.utime(files.exit, ns=(1, 1))
    assert cache.get(files) is not first
    assert cache.get(files) == summarise_run(files)
    cache.forget_all_but(set())
    assert condition(files).status is Status.FAILED
