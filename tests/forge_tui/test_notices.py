"""What a monitor warns of, from curves and gauges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backends.contract import RunFiles
from forge_tui.runs.notices import curve_notices, gauge_notices
from forge_tui.runs.view import RunView
from forge_tui.sparks import sparkline
from forge_tui.symbols import _ascii
from profiles.hardware import Gpu, Hardware


def view_of(loss: Callable[[int], float], evaluation: Callable[[int], float], steps: int = 100) -> RunView:
    view = RunView(RunFiles(Path("/nowhere")))
    for step in range(1, steps + 1):
        view.apply({"kind": "metrics", "step": step, "values": {"loss": loss(step)}})
        if step % 10 == 0:
            view.apply({"kind": "metrics", "step": step, "values": {"eval_loss": evaluation(step)}})
    return view


def told(view: RunView) -> str:
    return " / ".join(notice.sentence for notice in curve_notices(view))


def test_a_run_that_goes_well_has_no_notice() -> None:
    assert told(view_of(lambda step: 1 / step, lambda step: 1.1 / step)) == ""


def test_overfitting_is_told_with_its_first_step() -> None:
    assert "overfitting since step 40" in told(view_of(lambda step: 1 / step, lambda step: abs(step - 40) / 40 + 0.5))


def test_two_worse_evaluations_are_no_overfitting() -> None:
    assert told(view_of(lambda step: 1 / step, lambda step: 0.5 if step <= 80 else 0.9)) == ""


def test_a_loss_that_runs_away_is_told() -> None:
    words = told(view_of(lambda step: 1 / step if step < 80 else float(step), lambda step: 1.0))
    assert "diverging" in words and "learning_rate" in words


def test_a_single_spike_is_no_divergence() -> None:
    assert told(view_of(lambda step: 50.0 if step == 97 else 1 / step, lambda step: 1.0)) == ""


@pytest.mark.parametrize(("percent", "count", "seen"), [(10, 12, True), (90, 12, False), (10, 5, False)])
def test_a_gpu_that_waits_is_told(percent: int, count: int, seen: bool) -> None:
    gpus = [Gpu(0, utilization_percent=percent)] * count
    notices = gauge_notices(gpus, Hardware(), is_training=True)
    assert any("waits for data" in notice.sentence for notice in notices) is seen
    assert gauge_notices(gpus, Hardware(), is_training=False) == []


def test_memory_that_is_nearly_full_is_told() -> None:
    full = Hardware(memory_total_bytes=100, memory_available_bytes=2)
    words = [notice.what for notice in gauge_notices([Gpu(0, None, None, 100, 3)], full, True)]
    assert words == ["the memory of GPU 0 is nearly full", "the memory of the machine is nearly full"]


def test_small_bars() -> None:
    assert sparkline([0, 50, 100, None], 8, 0, 100) == "▁▅█·"
    assert len(sparkline(list(range(100)), 8)) == 8 and sparkline([], 8) == "" and sparkline([3, 3], 8) == "▁▁"


def test_every_sign_has_one_of_its_width() -> None:
    assert "".join(map(_ascii, "█─│é損")) == "#-|e??"
