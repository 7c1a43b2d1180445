"""Logs of other trainers, read as runs to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.contract import RunFiles
from forge_tui.runs.drawn import Drawing
from forge_tui.runs.foreign import foreign_event, log_in, open_log
from forge_tui.runs.view import RunView


def view_of(path: Path) -> RunView:
    view = RunView(RunFiles(path.parent), source=open_log(path))
    while view.read_more():
        pass
    return view


def redraw(view: RunView, drawing: Drawing) -> None:
    view.draw(drawing)
    while view.read_more():
        pass


@pytest.mark.parametrize(
    ("name", "step", "total", "loss"),
    [
        ("trainer_log_luojiu7b.jsonl", 8712, 8712, 1.3703),
        ("trainer_log_truncated_mid_record.jsonl", 1165, 8712, 1.4744),
        ("trainer_state_alpaca_fsdp.json", 1218, 1218, 0.4774),
        ("trainer_state_luojiu7b.json", 8712, 8712, 1.3703),
        ("trainer_state_multi_eval.json", 12030, 12030, 0.0549),
        ("trainer_state_qlora.json", 10000, 10000, 0.0886),
        ("trainer_state_truncated.json", 580, None, 0.6876),
    ],
)
def test_real_logs(shared_data: Path, name: str, step: int, total: int | None, loss: float) -> None:
    view = view_of(shared_data / "logs" / name)
    latest = view.curves["loss"].latest
    assert latest is not None
    assert (view.step, view.total_steps, latest.y) == (step, total, loss)
    assert ("cut off" in (view.warning or "")) == (name == "trainer_state_truncated.json")


def test_each_evaluation_set_has_its_curves(shared_data: Path) -> None:
    curves = view_of(shared_data / "logs" / "trainer_state_multi_eval.json").curves
    assert {f"g{number}_{what}" for number in range(6) for what in ("loss", "accuracy")} < set(curves)
    assert not [name for name in curves if "runtime" in name or "second" in name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trainer_state_truncated.json", ("step 580", "loss ─ train .6876", "the file is cut off")),
        ("trainer_log_truncated_mid_record.jsonl", ("step 1,165 of 8,712", "13%", "epoch 0.4")),
        ("yolov7_tiny_nohup_cr_ansi.log", ("300 epochs completed in 0.944 hours", "best.pt, 12.3MB")),
    ],
)
def test_watch_once_prints_a_log(shared_data: Path, cli: Callable[..., Any], name: str, words: tuple[str, ...]) -> None:
    told = cli("watch", str(shared_data / "logs" / name), "--once")
    assert told.code == 0 and "a log to look at" in told.out
    assert all(word in told.out for word in words)
    assert "\x1b" not in told.out and "\r" not in told.out


def test_what_is_no_log_is_refused(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(100))
    for path in (tmp_path / "none.json", tmp_path / "weights.bin", tmp_path):
        told = cli("watch", str(path), "--once")
        assert told.code == 2 and "fix:" in told.err


def test_names_of_other_trainers() -> None:
    event = foreign_event({"iter": 3.0, "val_loss": 1, "eval_f1": 0.5, "train_runtime_x": 2, "note": "x"}, 9)
    assert event is not None
    assert (event["step"], event["values"]) == (3, {"eval_loss": 1, "f1": 0.5, "train_runtime_x": 2})
    assert foreign_event({"message": "hello"}, 9) is None
    counted = foreign_event({"loss": 1.0, "elapsed_time": "1 day, 2:00:03"}, 9)
    assert counted is not None and (counted["step"], counted["elapsed"]) == (9, 93603.0)


def test_a_state_that_is_written_anew_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    history = [{"step": step, "loss": 1 / step, "epoch": step / 10} for step in range(1, 4)]
    path.write_text(json.dumps({"log_history": history, "max_steps": 9}))
    view = view_of(log_in(tmp_path))
    assert view.step == 3
    path.write_text(json.dumps({"log_history": [*history, {"step": 4, "loss": 0.1}], "max_steps": 9}))
    view.read_more()
    assert (view.step, view.curves["loss"].buckets) == (4, 4)


# --- ways of drawing ---------------------------------------------------------------------------------------------


def write_run(path: Path, steps: int) -> RunView:
    lines = (
        {
            "t": 1000.0 + 2 * step,
            "kind": "metrics",
            "step": step,
            "epoch": step / 100,
            "values": {"loss": float(step % 2)},
        }
        for step in range(1, steps + 1)
    )
    (path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    view = RunView(RunFiles(path))
    while view.read_more():
        pass
    return view


def test_a_part_is_as_exact_as_the_log(tmp_path: Path) -> None:
    view = write_run(tmp_path, 10_000)
    assert view.curves["loss"].at(5001.0) is not None and view.curves["loss"].buckets < 10_000
    redraw(view, Drawing(part=(5000, 5100)))
    curve = view.curves["loss"]
    assert curve.buckets == 101 and [curve.at(step).y for step in (5000, 5001)] == [0.0, 1.0]  # type: ignore[union-attr]
    assert view.step_curves["loss"].latest == (10_000, 0.0)


def test_curves_are_smoothed_before_a_part_is_cut_out(tmp_path: Path) -> None:
    view = write_run(tmp_path, 400)
    redraw(view, Drawing(smoothing=0.9))
    whole = view.curves["loss"].at(300.0)
    redraw(view, Drawing(smoothing=0.9, part=(300, 310)))
    assert whole is not None and view.curves["loss"].at(300.0) == whole
    assert 0.4 < whole.y < 0.6


def test_curves_over_epochs_and_time(tmp_path: Path) -> None:
    view = write_run(tmp_path, 100)
    redraw(view, Drawing(over="epoch"))
    assert view.curves["loss"].latest == (1000.0, 0.0)
    redraw(view, Drawing(over="time"))
    assert view.curves["loss"].latest == (198.0, 0.0)
    view.draw(Drawing())
    assert view.curves["loss"].latest == (100, 0.0)


def test_what_is_drawn_follows_the_log(tmp_path: Path) -> None:
    view = write_run(tmp_path, 10)
    redraw(view, Drawing(over="time"))
    with (tmp_path / "events.jsonl").open("a") as stream:
        stream.write(json.dumps({"t": 2000.0, "kind": "metrics", "step": 11, "values": {"loss": 5.0}}) + "\n")
    view.read_more()
    assert view.curves["loss"].latest == (998.0, 5.0) and view.curves["loss"].buckets == 11
