"""`plan --measure`: the real trainer for three steps, the plan corrected by it, and nothing left behind."""

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

from forge_tui.measured_plan import corrected, measured_json, measured_lines
from forge_tui.measuring import Measured
from forge_tui.planning import Plan, Request, make_plan
from profiles.hardware import Cpu, Gpu, Hardware

DONE, FAILED, USAGE, TOO_LARGE, INTERRUPTED = 0, 1, 2, 4, 130
GIB = 2**30
ON_CPU = Measured(3, 16, int(1.2 * GIB), "rss", None, 0.5, 0.8)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("size,colour,answer\n" + "".join(f"{n},c{n % 4},{'yes' if n % 3 else 'no'}\n" for n in range(90)))
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    rows = (
        f"message {n} about {('trains', 'ships')[n % 2] * (1 + n % 9)},{('rail', 'sea')[n % 2]}\n" for n in range(120)
    )
    path.write_text("text,label\n" + "".join(rows))
    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder of this test, to see that nothing is left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def planned(data: Path, hardware: Hardware, **asked: Any) -> Plan:
    return make_plan(Request(str(data), **asked), hardware)


# --- measuring ----------------------------------------------------------------------------------------------------


def test_a_table_is_measured_by_three_rounds_of_the_real_trainer(
    cli: Callable[..., Any], table: Path, temporary: Path
) -> None:
    pytest.importorskip("xgboost")
    told = cli("plan", "--data", str(table), "--hardware", "cpu", "--measure", "--json")
    assert told.code == DONE, told.err
    plan = told.json()
    found = plan["measured"]
    assert (found["steps"], found["source"], found["device"]) == (3, "rss", "CPU")
    assert found["peak_bytes"] > 50 * 2**20 and found["step_seconds"] > 0
    assert found["estimate"]["peak_bytes"] == plan["memory"]["total_bytes"]
    assert found["estimate"]["error"] == round(plan["memory"]["total_bytes"] / found["peak_bytes"] - 1, 4)
    assert "measured" in plan["duration"]["reason"]
    assert "measuring: 3 steps on the longest rows" in told.err
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_a_text_classifier_is_measured_on_its_longest_rows(
    cli: Callable[..., Any], texts: Path, temporary: Path
) -> None:
    pytest.importorskip("transformers")
    told = cli(
        "plan", "--data", str(texts), "--model", "preset:tiny-encoder", "--hardware", "cpu", "--measure", "--json"
    )
    assert told.code == DONE, told.err
    found = told.json()["measured"]
    assert found["steps"] == 3 and found["rows"] == told.json()["settings"]["per_device_train_batch_size"]["value"]
    assert found["peak_bytes"] > 300 * 2**20
    assert len(found["estimate"]["step_seconds"]) == 2
    assert not list(temporary.iterdir())


def test_nothing_is_measured_for_another_machine(cli: Callable[..., Any], table: Path) -> None:
    told = cli("plan", "--data", str(table), "--hardware", "gpu:24GiB", "--measure")
    assert told.code == USAGE and "cannot be measured from here" in told.err and not told.out


def test_a_plan_without_it_says_nothing_measured(cli: Callable[..., Any], table: Path) -> None:
    assert "measured" not in cli("plan", "--data", str(table), "--hardware", "cpu", "--json").json()


def test_a_failure_is_told_in_the_words_of_the_trainer(home: Any, table: Path, temporary: Path) -> None:
    told = home.command("plan", "--data", str(table), "--hardware", "cpu", "--measure", plan={"fail": 2})
    assert told.code == FAILED and not told.out
    assert "could not be measured: Training ended with RuntimeError" in told.err
    assert "failed after step 2, as told" in told.err and "Traceback" not in told.err
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(
    home: Any, table: Path, temporary: Path, wait: Callable[..., Any], number: signal.Signals
) -> None:
    measuring = subprocess.Popen(
        [sys.executable, "-m", "forge_tui", "plan", "--data", str(table), "--hardware", "cpu", "--measure"],
        env=home.variables({"hold": ["step 2"]}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait(lambda: list(temporary.glob("forge-measure-*/at step 2")), "the trainer at step 2")
    measuring.send_signal(number)
    out, err = measuring.communicate(timeout=60)
    assert measuring.returncode == (INTERRUPTED if number == signal.SIGINT else 128 + number)
    assert not out and "Traceback" not in err
    assert not list(temporary.iterdir())
    wait(lambda: not home.processes(), "the end of the trainer")


def test_memory_that_ran_out_says_that_it_does_not_fit(home: Any, table: Path, temporary: Path) -> None:
    trainer = home.path / "trainer"
    event = {"kind": "error", "what": "The GPU ran out of memory", "why": "40 GiB were asked for", "fix": "Halve it."}
    trainer.write_text(f"#!/bin/sh\ncat > \"$3/events.jsonl\" <<'END'\n{json.dumps(event)}\nEND\nexit 1\n")
    told = home.command("plan", "--data", str(table), "--hardware", "cpu", "--measure")
    assert told.code == TOO_LARGE and "ran out of memory" in told.err and "Halve it." in told.err
    trainer.write_text("#!/bin/sh\nkill -9 $$\n")
    told = home.command("plan", "--data", str(table), "--hardware", "cpu", "--measure")
    assert told.code == TOO_LARGE and "when memory runs out" in told.err


# --- what it changes ----------------------------------------------------------------------------------------------


def test_the_verdict_follows_the_measured_peak(texts: Path) -> None:
    roomy = Hardware((), Cpu("CPU", 4), memory_available_bytes=8 * GIB)
    plan = planned(texts, roomy, task="text-classification")
    assert plan.memory.verdict == "fits"
    heavy = replace(ON_CPU, peak_bytes=9 * GIB)
    after = corrected(plan, heavy, roomy)
    assert after.memory.verdict == "too-large" and after.is_too_large
    assert after.memory.total_bytes == plan.memory.total_bytes, "the estimate stays beside it"
    assert corrected(plan, replace(ON_CPU, peak_bytes=int(7.8 * GIB)), roomy).memory.verdict == "tight"
    told = measured_json(plan, heavy)
    assert (told["verdict"], told["estimate"]["verdict"]) == ("too-large", "fits")
    assert any("too large, by the estimate fits" in line for line in measured_lines(plan, after, heavy))


def test_the_time_follows_the_measured_step(texts: Path) -> None:
    machine = Hardware((), Cpu("CPU", 4), memory_available_bytes=8 * GIB)
    plan = planned(texts, machine, task="text-classification")
    assert plan.steps is not None and plan.time.duration is not None
    after = corrected(plan, ON_CPU, machine).time.duration
    assert after is not None
    assert after.low < plan.steps * 0.5 * 0.8 + 60 and after.high > plan.steps * 0.5 * 0.8
    slower = corrected(plan, replace(ON_CPU, step_seconds=5.0), machine).time.duration
    assert slower is not None and slower.high > 5 * after.high / 2
    assert after.worked_out == plan.time.duration.worked_out, "a run is compared with what was worked out"


def test_on_a_gpu_the_blocks_of_the_allocator_and_the_context_count(texts: Path) -> None:
    gpu = Gpu(0, "GPU-1", memory_free_bytes=3 * GIB, compute_capability="8.0")
    machine = Hardware((gpu,), Cpu("CPU", 4))
    plan = planned(texts, machine, task="text-classification")
    on_gpu = replace(ON_CPU, source="cuda-allocated", peak_bytes=2 * GIB, reserved_bytes=int(2.6 * GIB))
    assert corrected(plan, on_gpu, machine).memory.verdict == "too-large"
    total = plan.memory.total_bytes
    assert total is not None
    parts = plan.memory.components
    told = measured_json(plan, on_gpu)["estimate"]["peak_bytes"]
    assert told == total - parts["context"] - parts["allocator"]


def test_what_trees_take_on_a_gpu_is_not_known_from_their_process(table: Path) -> None:
    machine = Hardware((Gpu(0, "GPU-1", memory_free_bytes=8 * GIB),), Cpu("CPU", 4))
    plan = planned(table, machine)
    after = corrected(plan, replace(ON_CPU, rows=None, usual_share=None), machine)
    assert after.memory.verdict == plan.memory.verdict
    assert measured_json(plan, ON_CPU)["needed_bytes"] is None
