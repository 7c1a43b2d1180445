"""What a run folder keeps of its GPUs: written by the supervisor, read for the info screen, damaged or not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forge_tui.runs.gauges import last_gpus
from forge_tui.screens.info import info_lines

GIB = 2**30


def line(*gpus: object, problem: str | None = None) -> str:
    return json.dumps({"t": 1.0, "gpus": list(gpus), "problem": problem}) + "\n"


@pytest.mark.parametrize(
    "text", ["", "\n", "{", "[]\n", "null\n", '{"gpus": 3}\n', '{"gpus": [1, null, {"index": "0"}]}\n']
)
def test_damaged_readings_are_no_readings(tmp_path: Path, text: str) -> None:
    path = tmp_path / "gpu.jsonl"
    path.write_text(text)
    assert last_gpus(path) == ((), None)
    assert last_gpus(tmp_path / "none") == ((), None)


def test_the_last_whole_line_counts(tmp_path: Path) -> None:
    path = tmp_path / "gpu.jsonl"
    old, new = {"index": 0, "power_watts": 1}, {"index": 0, "name": "NVIDIA A10G", "power_watts": 29.5, "uuid": 7}
    path.write_text(line(old) * 5000 + line(new) + line(old)[:-9])
    ((gpu,), problem) = last_gpus(path)
    assert (gpu.name, gpu.power_watts, gpu.uuid, problem) == ("NVIDIA A10G", 29.5, None, None)


def test_info_names_the_machine_and_its_gpus(home: Any) -> None:
    files = home.fabricate("20260102-030405-tabular-classification-0001", job={"host": "gpu-07"}, exit={})
    memory = {"memory_total_bytes": 24 * GIB, "memory_free_bytes": 20 * GIB}
    files.gpu.write_text(line({"index": 1, "name": "NVIDIA A10G", **memory, "utilization_percent": 93}))
    lines = info_lines(files)
    assert "machine gpu-07" in lines and "        GPU 1  A10G  20.0 of 24.0 GiB free  util  93%" in lines
    files.gpu.write_text(line(problem="There is no driver."))
    assert "        There is no driver." in info_lines(files)


def test_the_supervisor_writes_what_the_driver_tells_and_nobodys_processes(
    home: Any, fake_driver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, wait: Callable[..., Any]
) -> None:
    for name, value in fake_driver().variables("gpus=2,procs=1").items():
        monkeypatch.setitem(os.environ, name, value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    files = home.begin()
    wait(lambda: last_gpus(files.gpu)[0], "the first reading")
    ((gpu,), problem) = last_gpus(files.gpu)
    assert (gpu.index, gpu.memory_total_bytes, gpu.utilization_percent, problem) == (1, 80 * GIB, 87, None)
    assert "processes" not in files.gpu.read_text() and "owner" not in files.gpu.read_text()
    home.release(files)
    home.wait_end(files)
