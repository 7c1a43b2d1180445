"""The benchmark that compares the estimate with what PyTorch keeps: a few of its cases, on tensors without content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "case",
    ["llama: full, 16 bits", "distilbert: full, autocast", "qwen3: lora, q and v", "llama, few words: lora, autocast"],
)
def test_the_estimate_is_near_what_is_kept(repository: Path, case: str) -> None:
    pytest.importorskip("peft")
    command = [sys.executable, str(repository / "benchmarks" / "memory_simulated.py"), "--json", "--only", case]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["rows"] and told["median_error"] <= 0.02


def test_without_a_gpu_nothing_is_measured_and_that_is_said(repository: Path) -> None:
    pytest.importorskip("peft")
    command = [sys.executable, str(repository / "benchmarks" / "memory_measured.py")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(repository)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository, env=environment)
    assert done.returncode == 2 and "There is no GPU" in done.stdout
