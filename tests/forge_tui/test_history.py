"""What finished runs took, beside what was estimated for them: in plans and in the doctor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forge_tui.doctor.estimates import check_estimates
from forge_tui.history import outcomes, time_correction
from forge_tui.planning import Request, make_plan
from profiles.hardware import Cpu, Gpu, Hardware

GIB = 2**30
TASK = "text-classification"
SPEC = """[run]
name = "x"
task = "text-classification"
method = "full"

[estimate]
total_bytes = {estimated}
training_seconds = {seconds}
"""


@pytest.fixture
def finished(own_home: Path) -> Callable[..., Path]:
    """A run folder as a finished run leaves it."""

    def make(number: int, estimated: int = 2 * GIB, measured: Any = GIB, seconds: float = 10, took: float = 20) -> Path:
        folder = own_home / "runs" / f"20260101-00000{number}-text-classification-000{number}"
        folder.mkdir(parents=True)
        (folder / "spec.toml").write_text(SPEC.format(estimated=estimated, seconds=seconds))
        (folder / "job.json").write_text(json.dumps({"device": "cpu"}))
        memory = {"measured_peak_bytes": measured, "estimated_bytes": estimated}
        (folder / "report.json").write_text(json.dumps({"metrics": {}, "memory": memory, "training_seconds": took}))
        return folder

    return make


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    rows = (f"message number {n} about {('trains', 'ships')[n % 2]},{('rail', 'sea')[n % 2]}\n" for n in range(100))
    path.write_text("text,label\n" + "".join(rows))
    return path


def test_outcomes_are_those_of_finished_runs(finished: Callable[..., Path], own_home: Path) -> None:
    assert outcomes() == ()
    finished(1)
    (finished(2) / "report.json").unlink()
    finished(3, measured=None)
    (finished(4) / "spec.toml").write_text("not toml [")
    known = outcomes()
    assert [each.run[-1] for each in known] == ["3", "1"]
    assert known[0].memory_error is None
    assert known[1].memory_error == pytest.approx(1.0)
    assert (known[1].estimated_seconds, known[1].seconds, known[1].device) == (10, 20, "cpu")


def test_the_correction_is_the_median_on_the_same_device(finished: Callable[..., Path]) -> None:
    for number, took in enumerate((20, 30, 40), start=1):
        finished(number, took=took)
    assert time_correction(outcomes(), "cpu", TASK) == (3.0, 3)
    assert time_correction(outcomes(), "GPU-1", TASK) is None
    assert time_correction(outcomes(), "cpu", "tabular-regression") is None
    assert time_correction((), "cpu", TASK) is None


def test_a_plan_is_corrected_by_finished_runs(finished: Callable[..., Path], texts: Path) -> None:
    machine = Hardware(cpu=Cpu("a CPU", 4), memory_available_bytes=8 * GIB)
    before = make_plan(Request(str(texts)), machine).time.duration
    finished(1, seconds=1, took=3)
    after = make_plan(Request(str(texts)), machine).time.duration
    assert before is not None and after is not None
    assert after.low < 10 + 3 * before.worked_out < after.high + 60
    assert "1 finished run on this device" in after.reason
    assert after.high / after.low < before.high / before.low


def test_time_and_cost_of_a_plan(cli: Callable[..., Any], own_home: Path, texts: Path, tmp_path: Path) -> None:
    machine = Hardware(
        (Gpu(0, "GPU-1", "NVIDIA A100-SXM4-80GB", memory_free_bytes=40 * GIB, compute_capability="8.0"),),
        Cpu("a CPU", 8),
    )
    file = tmp_path / "machine.json"
    file.write_text(json.dumps(machine.to_json()))
    own_home.mkdir(exist_ok=True)
    (own_home / "settings.toml").write_text("price_per_hour = 3.6\n")
    plan = cli("plan", "--data", str(texts), "--hardware", str(file), "--json").json()
    low, high = plan["cost"]["money"]
    assert low < plan["duration"]["seconds"] * 3.6 / 3600 < high
    assert "A100" in plan["duration"]["reason"]
    assert plan["cost"]["energy_kwh"][0] <= plan["cost"]["energy_kwh"][1]
    told = cli("plan", "--data", str(texts), "--hardware", str(file)).out
    assert "cost " in told and "3.6 an hour" in told
    unknown = cli("plan", "--data", str(texts), "--hardware", "gpu:24GiB", "--json").json()
    assert unknown["duration"]["seconds"] is None and unknown["cost"] is None
    assert "not known" in unknown["duration"]["reason"]


@pytest.mark.parametrize("price", ["'cheap'", "-1", "true"])
def test_a_price_is_a_number(cli: Callable[..., Any], own_home: Path, texts: Path, price: str) -> None:
    own_home.mkdir(exist_ok=True)
    (own_home / "settings.toml").write_text(f"price_per_hour = {price}\n")
    told = cli("plan", "--data", str(texts), "--hardware", "cpu")
    assert told.code == 2 and "price_per_hour" in told.err


def test_the_doctor_tells_how_far_estimates_were_off(finished: Callable[..., Path]) -> None:
    assert list(check_estimates()) == []
    finished(1, estimated=11 * GIB, measured=10 * GIB)
    (told,) = check_estimates()
    assert told.state == "ok" and "1 run" in told.message and "+10%" in told.message
    finished(2, estimated=5 * GIB, measured=10 * GIB)
    (told,) = check_estimates()
    assert told.state == "warning" and "-50%" in told.message and "0002" in told.fix
