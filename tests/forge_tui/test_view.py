"""What a monitor knows of a run from its events: curves, progress, time left, warnings; in constant memory."""

from __future__ import annotations

import json
import math
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import EVENT_KINDS, RunFiles, write_json
from forge_tui.runs.view import LINES_KEPT, RunView

TOTAL = 1000


@pytest.fixture
def view(tmp_path: Path) -> RunView:
    return RunView(RunFiles(tmp_path))


def metrics(step: int, t: float | None = None, total: int | None = TOTAL, **values: float | None) -> dict[str, Any]:
    moment = float(step) if t is None else t
    return {"t": moment, "kind": "metrics", "step": step, "epoch": None, "total_steps": total, "values": values}


def columns(view: RunView, name: str, n: int, right: float) -> list[float | None]:
    """The highest value of a curve in each of n columns from 0 to `right`."""
    return [column.high if column else None for column in view.curves[name].columns(n, 0, right)]


def write(files: RunFiles, *events: dict[str, Any] | str) -> None:
    """Append events, or lines as they are."""
    with files.events.open("a") as stream:
        stream.writelines(each if isinstance(each, str) else json.dumps(each) + "\n" for each in events)


# --- progress and time left --------------------------------------------------------------------------------------


def test_the_share_is_that_of_the_steps(view: RunView) -> None:
    assert view.share is None
    view.apply(metrics(250))
    assert view.share == 0.25
    view.apply(metrics(TOTAL + 50))
    assert view.share == 1.0
    view.apply(metrics(TOTAL + 51, total=None))
    assert view.share is None


def test_an_even_pace_leaves_one_number(view: RunView) -> None:
    view.apply(metrics(1, loss=1.0))
    assert view.seconds_left() is None
    for step in range(2, 101):
        view.apply(metrics(step, loss=1.0))
    assert view.seconds_left() == pytest.approx((TOTAL - 100, TOTAL - 100))


def test_a_changing_pace_leaves_a_range(view: RunView) -> None:
    """100 steps of 1 s, then 60 of 3 s: the latest 50 steps say 3 s a step, the whole attempt says less."""
    moment = 0.0
    for step in range(1, 161):
        moment += 1.0 if step <= 100 else 3.0
        view.apply(metrics(step, t=moment, loss=1.0))
    left = TOTAL - 160
    low, high = view.seconds_left() or (0, 0)
    assert high == pytest.approx(left * 3.0)
    assert low == pytest.approx(left * (99 * 1.0 + 60 * 3.0) / 159)


def test_the_time_before_the_first_step_and_of_earlier_attempts_does_not_count(view: RunView) -> None:
    view.apply({"t": 0.0, "kind": "phase", "name": "loading-model"})
    for step in range(1, 11):
        view.apply(metrics(step, t=10_000 + 50.0 * step))
    view.apply({"t": 90_000.0, "kind": "attempt", "n": 2, "from_step": 10})
    assert view.seconds_left() is None
    for step in range(11, 31):
        view.apply(metrics(step, t=100_000 + 2.0 * step))
    assert view.seconds_left() == pytest.approx(((TOTAL - 30) * 2.0,) * 2)


def test_clocks_that_stand_still_or_go_back_give_no_time_left(view: RunView) -> None:
    for step, moment in ((1, 50.0), (2, 50.0), (3, 40.0)):
        view.apply(metrics(step, t=moment))
    assert view.seconds_left() is None


def test_no_time_left_without_a_total(view: RunView) -> None:
    for step in range(1, 20):
        view.apply(metrics(step, total=None))
    assert view.seconds_left() is None


# --- curves ------------------------------------------------------------------------------------------------------


def test_each_metric_has_a_curve(view: RunView) -> None:
    for step in range(1, 5):
        view.apply(metrics(step, loss=10.0 - step))
    view.apply(metrics(4, eval_loss=5.0, f1_macro=0.5))
    assert set(view.curves) == {"loss", "eval_loss", "f1_macro"}
    assert columns(view, "loss", 4, 3.999) == [None, 9.0, 8.0, 7.0]
    assert view.values == {"loss": 6.0, "eval_loss": 5.0, "f1_macro": 0.5}
    assert (view.step, view.total_steps) == (4, TOTAL)


def test_a_resumed_attempt_draws_its_steps_anew(view: RunView) -> None:
    for step in range(1, 11):
        view.apply(metrics(step, loss=float(step)))
    view.apply({"t": 50.0, "kind": "attempt", "n": 2, "from_step": 6})
    assert view.step == 6
    assert view.curves["loss"].latest == (6, 6.0)
    for step in range(7, 13):
        view.apply(metrics(step, t=50.0 + step, loss=100.0 + step))
    bounds = view.curves["loss"].bounds()
    assert bounds is not None and (bounds.left, bounds.right, bounds.high) == (1, 12, 112.0)
    below = [column for column in view.curves["loss"].columns(200, 0, 12) if column and 6 < column.high < 100]
    assert below == []
    assert any("attempt 2 from step 6" in line for line in view.lines)


def test_an_attempt_from_the_beginning_forgets_the_curves(view: RunView) -> None:
    for step in range(1, 11):
        view.apply(metrics(step, loss=float(step)))
    view.apply({"t": 50.0, "kind": "attempt", "n": 2, "from_step": 0})
    assert view.step is None and view.share is None
    assert view.curves["loss"].bounds() is None


def test_a_resumed_attempt_clears_error_and_warning(view: RunView) -> None:
    view.apply({"kind": "error", "what": "The disk is full", "why": "because", "fix": "free some", "where": None})
    assert view.error is not None and view.error["fix"] == "free some"
    view.apply({"kind": "attempt", "n": 2, "from_step": 0})
    assert view.error is None and view.warning is None


def test_a_step_that_goes_back_without_an_attempt_is_not_drawn(view: RunView) -> None:
    view.apply(metrics(10, loss=1.0))
    view.apply(metrics(9, loss=2.0))
    assert view.curves["loss"].latest == (10, 1.0)


# --- warnings ----------------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_is_told_with_its_first_step(view: RunView) -> None:
    view.apply(metrics(811, loss=0.5))
    for step in range(812, 830):
        view.apply(metrics(step, loss=None))
    assert view.warning is not None and "loss is not a number since step 812" in view.warning
    assert view.curves["loss"].nonfinite == 18
    assert view.values["loss"] == 0.5


def test_a_huge_loss_is_drawn(view: RunView) -> None:
    view.apply(metrics(5, loss=1e30))
    assert (view.warning, view.values["loss"]) == (None, 1e30)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_infinite_loss_is_told_as_well(view: RunView, value: float) -> None:
    view.apply(metrics(5, loss=value))
    assert view.warning is not None and "loss is not a number since step 5" in view.warning
    assert view.curves["loss"].nonfinite == 1
    assert "loss" not in view.values


def test_a_warning_of_the_trainer_is_kept_and_harmless(view: RunView) -> None:
    view.apply({"kind": "notice", "level": "info", "message": "all is well"})
    assert view.warning is None
    view.apply({"kind": "notice", "level": "warning", "message": "\x1b[31m3 rows\x1b[0m are left out"})
    assert view.warning == "3 rows are left out"
    assert [line.split(" ", 1)[1] for line in view.lines] == ["all is well", "3 rows are left out"]


# --- reading -----------------------------------------------------------------------------------------------------


def test_long_answers_of_a_sample_stand_one_below_the_other(view: RunView) -> None:
    sample = {"t": 1.0, "kind": "sample", "step": 1, "input": "some text", "output": "spam", "expected": "ham"}
    view.apply(sample)
    assert [line.partition(" ")[2] for line in view.lines] == ["✗ spam (expected ham): some text"]
    said, true = "«Ann/person» lives in New York and works", "«Ann/person» lives in «New York/place» and works"
    view.apply({**sample, "output": said, "expected": true})
    assert [line.partition(" ")[2] for line in view.lines][1:] == [f"✗ {said}", f"  expected: {true}"]
    view.apply({"t": 2.0, "kind": "metrics", "step": 1, "total_steps": 2, "values": {"rmse": 0.5}})
    view.apply({**sample, "output": "4.8", "expected": "5.1"})
    assert view.lines[-1].partition(" ")[2] == "· 4.8 (expected 5.1): some text", "a number that is near is not wrong"


def test_a_log_is_read_in_pieces(view: RunView) -> None:
    write(view.files, *(metrics(step, loss=1 / step) for step in range(1, 201)))
    looks = 1
    while view.read_more(most=1000):
        looks += 1
        assert view.step is None or view.step <= looks * 20
    assert view.step == 200
    assert looks > 10


def test_a_half_written_last_line_waits_for_its_end(view: RunView) -> None:
    whole = json.dumps(metrics(2, loss=0.5)) + "\n"
    write(view.files, metrics(1, loss=1.0), whole[:20])
    assert not view.read_more() and view.step == 1
    assert not view.read_more() and view.step == 1
    write(view.files, whole[20:])
    view.read_more()
    assert view.step == 2 and view.curves["loss"].latest == (2, 0.5)


BROKEN = [
    "", "{", "null", "[1, 2]", '{"kind": 7}', '{"t": 1}', "\x00\x00\x00", "}{", '"text"', '{"kind": "unheard-of"}',
    '{"kind": "metrics"}',
    '{"kind": "metrics", "step": 5, "values": null}',
    '{"kind": "metrics", "step": 5, "values": [1, 2]}',
    '{"kind": "metrics", "step": 5, "values": {"loss": "low"}}',
    '{"kind": "metrics", "step": 5, "values": {"loss": [1]}}',
    '{"kind": "metrics", "step": "5", "values": {"loss": 1}}',
    '{"kind": "metrics", "step": 1e999, "values": {"loss": 1}}',
    '{"kind": "metrics", "step": 5, "total_steps": "many", "values": {"loss": 1}}',
    '{"kind": "metrics", "step": 5, "samples_per_second": "fast", "values": {}}',
    '{"kind": "progress", "done": "some", "total": []}',
    '{"kind": "memory", "peak_bytes": "much"}',
    '{"kind": "attempt", "n": "two", "from_step": "none"}',
    '{"kind": "attempt", "n": null, "from_step": null}',
    '{"kind": "phase"}', '{"kind": "checkpoint"}', '{"kind": "sample"}', '{"kind": "notice"}', '{"kind": "error"}',
    '{"kind": "phase", "t": 1e300, "name": "x"}', '{"kind": "phase", "t": -1e18, "name": "x"}',
    '{"kind": "phase", "t": "noon", "name": "x"}', '{"kind": "phase", "t": NaN, "name": "x"}',
    '{"kind": "finished"}',
]  # fmt: skip


def use(view: RunView) -> None:
    """Everything that a screen asks of a view."""
    share, left = view.share, view.seconds_left()
    assert share is None or 0 <= share <= 1
    assert left is None or left[0] <= left[1]
    for number in (view.step, view.phase_done, view.rate, view.peak_bytes, view.total_steps):
        assert number is None or f"{number:,.0f}"
    for name, curve in view.curves.items():
        assert isinstance(name, str) and len(curve.columns(10, 0, 10)) == 10
    assert not any(unicodedata.category(character) == "Cc" for line in view.lines for character in line)


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_harms_nothing(view: RunView, line: str) -> None:
    write(view.files, metrics(1, loss=1.0), line + "\n", metrics(6, loss=0.5))
    while view.read_more():
        pass
    use(view)
    assert view.step == 6
    assert view.curves["loss"].latest == (6, 0.5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
FIELDS = ("t", "name", "done", "total", "step", "epoch", "total_steps", "values", "samples_per_second", "path", "n")
MORE_FIELDS = ("peak_bytes", "input", "output", "expected", "from_step", "level", "message", "what", "why", "metrics")
EVENTS = st.builds(
    lambda kind, fields: {"kind": kind, **fields},
    st.sampled_from(EVENT_KINDS),
    st.dictionaries(st.sampled_from(FIELDS + MORE_FIELDS), JSON | st.dictionaries(st.text(max_size=3), JSON)),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(EVENTS, max_size=6))
def test_no_event_however_odd_stops_the_view(events: list[dict[str, Any]]) -> None:
    view = RunView(RunFiles(Path("/nowhere")))
    for event in events:
        view.apply(event)
        use(view)


def test_a_view_does_not_grow_with_its_run(view: RunView) -> None:
    for step in range(1, 20_001):
        view.apply(metrics(step, **{f"metric {step % 100}": 1.0, "loss": 1.0}))
        view.apply({"t": float(step), "kind": "notice", "level": "info", "message": f"message {step}"})
    assert len(view.lines) == LINES_KEPT
    assert view.lines_seen == 20_000
    assert len(view.curves) == len(view.values) <= 40
    assert all(curve.buckets <= 2048 for curve in view.curves.values())


# --- the baseline ------------------------------------------------------------------------------------------------


def test_the_baseline_is_read_from_the_report(view: RunView) -> None:
    assert view.baseline() is None
    write_json(view.files.report, {"best": {}})
    assert view.baseline() is None
    write_json(view.files.report, {"baseline": {"f1_macro": 0.31}, "baseline_name": "majority class"})
    assert view.baseline() == ("majority class", {"f1_macro": 0.31})
