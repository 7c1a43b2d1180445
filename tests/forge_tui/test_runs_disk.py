"""A disk that fills: the run ends `failed` in words, its end is on disk, its last whole checkpoint can be resumed."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.checkpoints import latest_checkpoint, sealed_checkpoints
from backends.contract import ForgeError, RunFiles, read_json
from forge_tui.runs.control import resume_run
from forge_tui.runs.status import Status

DISK_BYTES = 2 << 20
START = """
import sys
from backends.contract import RunSpec
from forge_tui.runs.store import start_run
print(start_run(RunSpec("tiny", "tabular-classification", "full", "preset:xgboost", "/none.csv")).folder)
"""


@pytest.fixture
def small_disk(home: Any, tmp_path: Path) -> Iterator[tuple[Any, int | None]]:
    """A home on a disk of 2 MB, or, where nothing may be mounted, a limit for the size of each file."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(home.path)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        yield home, 400_000
        return
    (home.path / "runs").mkdir(mode=0o700)
    home.use_stand_in()
    yield home, None
    home.end_processes()
    subprocess.run(["umount", "-l", str(home.path)], check=True)


def start(home: Any, plan: dict[str, Any], file_limit: int | None) -> RunFiles:
    """A run started by a process whose files can grow no larger than the limit."""

    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    told = subprocess.run(
        [sys.executable, "-c", START], env=home.variables(plan), preexec_fn=limit, check=True, capture_output=True
    )
    return RunFiles(Path(os.fsdecode(told.stdout).strip()))


def assert_told(home: Any, files: RunFiles, step: int) -> None:
    """The run failed, says what, why and what to do, and its last whole checkpoint is that of `step`."""
    state = home.wait_end(files)
    assert state.status is Status.FAILED
    assert state.error is not None and all(state.error[key] for key in ("what", "why", "fix"))
    told = " ".join(state.error.values())
    assert "disk is full" in told or "file size limit" in told
    assert "space" in state.error["fix"] and "resume" in state.error["fix"]
    assert read_json(files.exit)["exit_code"] == 1  # type: ignore[index]
    assert json.loads(files.events.read_text().splitlines()[-1])["kind"] == "error"
    found = latest_checkpoint(files.checkpoints)
    assert found is not None and found[0] == step
    assert (found[1] / "weights.bin").stat().st_size > 0


def test_checkpoints_that_fill_the_disk(small_disk: tuple[Any, int | None]) -> None:
    home, limit = small_disk
    if limit is None:
        files = start(home, {"steps": 9, "save_steps": 1, "bytes": 600_000}, None)
        step = 2
    else:
        files = start(home, {"steps": 9, "save_steps": 1, "bytes": 390_000, "grow": 20_000}, limit)
        step = 1
    assert_told(home, files, step)


def test_a_log_that_fills_the_disk(small_disk: tuple[Any, int | None]) -> None:
    home, limit = small_disk
    files = start(home, {"hold": ["step 3"], "save_steps": 2, "bytes": 300_000}, limit)
    home.wait_at(files, "step 3")
    if limit is None:
        filler = files.folder / "filler"
        with pytest.raises(OSError), filler.open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)
    else:
        with files.log.open("ab") as stream, files.events.open("ab") as events:
            stream.truncate(limit)
            events.write(b" " * (limit - events.tell() - 1) + b"\n")
    home.release(files)
    state = home.wait_end(files)
    assert state.status is Status.FAILED
    assert read_json(files.exit)["attempt"] == 1  # type: ignore[index]
    assert [step for step, _ in sealed_checkpoints(files.checkpoints)] == [2]
    if limit is None:
        assert state.error is not None and "disk is full" in state.error["what"]
        filler.unlink()


def test_a_trainer_killed_on_a_full_disk_is_told_all_the_same(small_disk: tuple[Any, int | None]) -> None:
    home, limit = small_disk
    files = start(home, {"hold": ["step 3"], "save_steps": 2, "bytes": 300_000}, limit)
    home.wait_at(files, "step 3")
    if limit is None:
        with pytest.raises(OSError), (home.path / "filler").open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)
    home.kill(files, "trainer")
    state = home.wait_end(files)
    assert state.status is Status.FAILED
    assert state.error is not None and "SIGKILL" in state.error["why"]
    assert read_json(files.exit)["signal"] == 9  # type: ignore[index]


def test_a_file_size_limit(home: Any) -> None:
    files = start(home, {"steps": 9, "save_steps": 1, "bytes": 390_000, "grow": 20_000}, 400_000)
    assert_told(home, files, 1)


def test_after_space_is_made_the_run_goes_on(small_disk: tuple[Any, int | None]) -> None:
    home, limit = small_disk
    filler = home.path / "filler"
    filler.write_bytes(b"x" * 1_000_000)
    files = start(home, {"steps": 4, "save_steps": 1, "bytes": 300_000, "grow": 60_000 if limit else 0}, limit)
    assert home.wait_end(files).status is Status.FAILED
    filler.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGE_STAND_IN", "{}")
        resume_run(files)  # from here, where no limit is set
    state = home.wait_end(files)
    assert (state.status, state.attempt) == (Status.FINISHED, 2)
    assert state.events[0]["from_step"] > 0


def test_a_run_that_finds_no_room_to_start_leaves_nothing(small_disk: tuple[Any, int | None]) -> None:
    home, limit = small_disk
    if limit is None:
        (home.path / "filler").write_bytes(b"x" * (DISK_BYTES - 200_000))
        with pytest.raises(ForgeError, match="could not be written") as caught:
            home.start()
        assert "No space left" in caught.value.why
    else:
        with pytest.raises(subprocess.CalledProcessError) as ended:
            start(home, {}, 100_000)
        assert b"could not be written" in ended.value.stderr
    assert list((home.path / "runs").iterdir()) == []
