"""The device of a run: chosen when it starts, told to the trainer and to job.json, gone GPUs told with what to do."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.contract import ForgeError, RunFiles, read_json
from forge_tui.nvml import GpuReading
from forge_tui.nvml_problems import Problem, gpu_lost
from forge_tui.runs.control import resume_run
from forge_tui.runs.device import device_of_run
from forge_tui.runs.status import Status
from profiles.hardware import Gpu

GIB = 2**30
FAILED = 1


def gpu_uuid(number: int) -> str:
    return f"GPU-{0xA0000000 + number:08x}-1111-4222-8333-{number:012x}"


def gpus(*free: int | None) -> tuple[Gpu, ...]:
    return tuple(Gpu(number, gpu_uuid(number), memory_free_bytes=each) for number, each in enumerate(free))


# --- the choice ----------------------------------------------------------------------------------------------------


def test_a_run_takes_the_gpu_with_the_most_room_by_its_uuid() -> None:
    found = device_of_run(GpuReading(gpus(2 * GIB, 20 * GIB, None)))
    assert found.id == gpu_uuid(1) and found.variables == {"CUDA_VISIBLE_DEVICES": gpu_uuid(1)}
    assert "20.0 GiB free, the most of 3 GPUs" in found.told


def test_without_a_gpu_nothing_is_set() -> None:
    for reading in (GpuReading(None), GpuReading(())):
        found = device_of_run(reading)
        assert (found.id, found.variables) == ("cpu", {})
    silent = device_of_run(GpuReading(None, (Problem("the driver is too old"),)))
    assert (silent.id, silent.variables) == (None, {}), "there may be a GPU, and nobody can tell"


def test_the_gpu_that_was_planned_for_is_taken_though_another_has_more_room() -> None:
    found = device_of_run(GpuReading(gpus(20 * GIB, 2 * GIB)), gpu_uuid(1))
    assert found.variables == {"CUDA_VISIBLE_DEVICES": gpu_uuid(1)} and "as planned" in found.told


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (GpuReading(gpus(20 * GIB)), [f"GPU 0 ({gpu_uuid(0)})"]),
        (GpuReading(()), ["no GPU"]),
        (GpuReading(None), ["no GPU"]),
        (GpuReading(gpus(20 * GIB, None), (gpu_lost(1),)), [gpu_lost(1).what, f"GPU 0 ({gpu_uuid(0)})"]),
    ],
)
def test_a_planned_gpu_that_is_gone(reading: GpuReading, words: list[str]) -> None:
    with pytest.raises(ForgeError) as refused:
        device_of_run(reading, gpu_uuid(1))
    assert gpu_uuid(1) in refused.value.what and all(word in refused.value.why for word in words)
    assert "forge-tui hardware" in refused.value.fix and "resume" in refused.value.fix


# --- runs, with the stand-in for NVIDIA's library -------------------------------------------------------------------


@pytest.fixture
def start(home: Any, fake_driver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunFiles]:
    """Start a run where the driver plays something; the trainer writes its CUDA_VISIBLE_DEVICES into its folder."""
    script = home.path / "trainer"
    trainer = script.read_text().splitlines()[-1]
    words = 'for folder; do :; done; printf "%s" "${CUDA_VISIBLE_DEVICES-unset}" > "$folder/seen"'
    script.write_text(f"#!/bin/sh\n{words}\n{trainer}\n")

    def run(plays: str, device: str | None = None, visible: str | None = None) -> RunFiles:
        from backends.contract import RunSpec
        from forge_tui.runs.store import start_run

        for name, value in fake_driver().variables(plays).items():
            if name in ("LD_LIBRARY_PATH", "FAKE_NVML"):
                monkeypatch.setenv(name, value)
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        monkeypatch.setenv("FORGE_STAND_IN", "{}")
        spec = RunSpec("tiny", "tabular-classification", "full", "preset:xgboost", str(home.path / "none.csv"))
        files: RunFiles = start_run(spec, device)
        return files

    return run


def seen_by_trainer(files: RunFiles) -> str:
    return (files.folder / "seen").read_text()


def device_in_job(files: RunFiles) -> Any:
    return (read_json(files.job) or {})["device"]


def test_the_trainer_sees_one_gpu_and_job_json_names_it(home: Any, start: Callable[..., RunFiles]) -> None:
    files = start("gpus=2")
    assert home.wait_end(files).status is Status.FINISHED
    assert seen_by_trainer(files) == device_in_job(files) == gpu_uuid(0)
    assert f"device {gpu_uuid(0)}" in files.log.read_text()


def test_the_planned_gpu_is_the_one_the_trainer_sees(home: Any, start: Callable[..., RunFiles]) -> None:
    files = start("gpus=3", gpu_uuid(2))
    assert home.wait_end(files).status is Status.FINISHED
    assert seen_by_trainer(files) == device_in_job(files) == gpu_uuid(2)


def test_a_gpu_that_is_hidden_stays_hidden(home: Any, start: Callable[..., RunFiles]) -> None:
    files = start("gpus=3", visible="1")
    home.wait_end(files)
    assert seen_by_trainer(files) == device_in_job(files) == gpu_uuid(1)
    files = start("gpus=3", visible="")
    home.wait_end(files)
    assert (seen_by_trainer(files), device_in_job(files)) == ("", "cpu")


def test_a_mig_instance_is_named_by_its_own_uuid(home: Any, start: Callable[..., RunFiles]) -> None:
    files = start("mig=1,migs=2")
    home.wait_end(files)
    assert seen_by_trainer(files) == device_in_job(files) and device_in_job(files).startswith("MIG-")


@pytest.mark.parametrize("plays", ["gpus=1", "gpus=2,lost=1"])
def test_a_gpu_that_disappears_before_the_start_is_told_and_another_taken_when_resumed(
    home: Any, start: Callable[..., RunFiles], plays: str
) -> None:
    files = start(plays, gpu_uuid(1))
    state = home.wait_end(files)
    assert state.status is Status.FAILED and not (files.folder / "seen").exists()
    assert state.error is not None
    assert gpu_uuid(1) in state.error["what"] and "when the run was planned" in state.error["why"]
    assert "forge-tui resume" in state.error["fix"]
    assert device_in_job(files) is None and gpu_uuid(1) in files.log.read_text()
    resume_run(files)
    assert home.wait_end(files).status is Status.FINISHED
    assert seen_by_trainer(files) == device_in_job(files) == gpu_uuid(0)


def test_train_starts_on_the_gpu_it_planned_for_and_tells_when_it_is_gone(
    home: Any, fake_driver: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("size,answer\n" + "".join(f"{n},{'yes' if n % 3 else 'no'}\n" for n in range(60)))
    for name, value in fake_driver().variables("gpus=2").items():
        if name in ("LD_LIBRARY_PATH", "FAKE_NVML"):
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    told = home.command("train", "--data", str(table))
    assert told.code == 0, told.err
    # Between the command's look at the GPUs and the supervisor's one is taken away.
    python = home.path / "python"
    python.write_text(f'#!/bin/sh\nexport FAKE_NVML=gpus=0\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o700)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    program = f"import sys; sys.argv = ['forge-tui', 'train', '--data', {str(table)!r}]\n"
    program += f"import forge_tui.cli as cli; sys.executable = {str(python)!r}; cli.main()"
    ended = subprocess.run(
        [sys.executable, "-c", program], env=home.variables(), capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == FAILED, ended.stderr
    for word in ("failed", "what: ", "is gone", "why: ", "no GPU", "fix: ", "forge-tui hardware"):
        assert word in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr
