"""Table models: what is learned, how a stop and a resume leave no trace, what a broken checkpoint does."""

from __future__ import annotations

import json
import math
import random
import signal
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.checkpoints import checkpoint_folder, latest_checkpoint, read_seal, sealed_checkpoints
from backends.contract import DataError, RunFiles, RunSpec, read_json
from backends.events import EventWriter
from backends.job import Job
from backends.options import parse_settings
from backends.options.tables import TabularOptions
from backends.registry import find_task
from backends.signals import StopControl
from backends.tabular import predict, train

SETTINGS = {"n_estimators": 40, "max_depth": 3, "learning_rate": 0.3, "nthread": 1, "save_steps": 5, "eval_steps": 4}
KINDS = {"classes": "tabular-classification", "many classes": "tabular-classification", "numbers": "tabular-regression"}


def write_table(path: Path, kind: str, rows: int = 160, seed: int = 7) -> Path:
    """A table whose target follows from two columns, with noise, gaps, words and dates."""
    draw = random.Random(seed)
    lines = ["size,colour,weight,day,constant,y"]
    for number in range(rows):
        size, weight = draw.uniform(0, 10), draw.choice([1, 2, 3, 5])
        colour = draw.choice(["red", "green", "blue"])
        truth = size + 3 * weight * (colour == "red") + draw.gauss(0, 1.5)
        if kind == "numbers":
            y = f"{truth:.3f}"
        elif kind == "classes":
            y = "high" if truth > 8 else "low"
        else:
            y = ("low", "middle", "high")[sum(truth > limit for limit in (5, 9))]
        shown = "" if number % 11 == 0 else f"{size:.3f}"
        lines.append(f"{shown},{colour},{weight},2024-01-{number % 28 + 1:02d},same,{y}")
    path.write_text("\n".join(lines) + "\n")
    return path


class StoppingWriter(EventWriter):
    """An event log that asks for a stop once a step is written, as a signal in that moment would."""

    def __init__(self, path: Path, control: StopControl, stop_after: int | None) -> None:
        super().__init__(path)
        self.control, self.stop_after = control, stop_after

    def emit(self, kind: str, **fields: Any) -> None:
        super().emit(kind, **fields)
        if kind == "metrics" and fields["step"] == self.stop_after:
            self.control.stop_requested = True


def run(folder: Path, table: Path, task_id: str, stop_after: int | None = None, **changes: Any) -> RunFiles:
    """Train in this process; a second call on the same folder resumes."""
    folder.mkdir(exist_ok=True)
    files = RunFiles(folder)
    settings = {**SETTINGS, **changes.pop("settings", {})}
    spec = RunSpec("tiny", task_id, "full", "preset:xgboost", str(table), columns={"target": "y"}, settings=settings)
    spec = replace(spec, **changes)
    attempt = sum(event["kind"] == "attempt" for event in events_of(files)) + 1
    found = latest_checkpoint(files.checkpoints) if attempt > 1 else None
    step, checkpoint = found or (0, None)
    control = StopControl()
    events = StoppingWriter(files.events, control, stop_after)
    events.emit("attempt", n=attempt, from_step=step)
    options = parse_settings(TabularOptions, settings)
    train(Job(files, spec, find_task(task_id), options, events, control, step, checkpoint))
    return files


def events_of(files: RunFiles) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files.events.read_text().splitlines()] if files.events.exists() else []


def curve(files: RunFiles) -> list[tuple[int, dict[str, float]]]:
    """The metrics a reader keeps: an attempt drops those beyond the step it goes on from."""
    kept: list[tuple[int, dict[str, float]]] = []
    for event in events_of(files):
        if event["kind"] == "attempt":
            kept = [(step, values) for step, values in kept if step <= event["from_step"]]
        elif event["kind"] == "metrics":
            kept.append((event["step"], event["values"]))
    return kept


def assert_same_curve(one: RunFiles, other: RunFiles) -> None:
    first, second = curve(one), curve(other)
    assert [step for step, _ in first] == [step for step, _ in second] == list(range(1, len(first) + 1))
    for (_, expected), (step, values) in zip(first, second, strict=True):
        assert values == pytest.approx(expected, abs=1e-5), f"step {step}"


def finished(files: RunFiles) -> dict[str, Any]:
    event = events_of(files)[-1]
    assert event["kind"] == "finished", event
    return event


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    return {kind: write_table(folder / f"{kind}.csv", kind) for kind in KINDS}


@pytest.fixture(scope="module")
def whole(tables: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFiles]:
    """One uninterrupted run of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    return {kind: run(folder / kind, tables[kind], task) for kind, task in KINDS.items()}


# --- what is learned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_beats_the_trivial_baseline_and_reports_both(whole: dict[str, RunFiles], kind: str) -> None:
    files, task = whole[kind], find_task(KINDS[kind])
    report, event = read_json(files.report), finished(files)
    assert report is not None
    assert report["metrics"] == event["metrics"] and report["baseline"] == event["baseline"]
    names = list(event["metrics"])
    assert names == [name for name in task.metrics if name in names] and names[0] == task.metrics[0]
    assert list(event["baseline"]) == names
    trivial = report["baselines"]["mean" if kind == "numbers" else "majority class"]
    assert report["baseline_name"] in report["baselines"]
    gain = event["metrics"][names[0]] - trivial[names[0]]
    assert gain < 0 if kind == "numbers" else gain > 0.1
    best = (min if kind == "numbers" else max)(each[names[0]] for each in report["baselines"].values())
    assert event["baseline"][names[0]] == best
    assert all(math.isfinite(value) for value in event["metrics"].values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_predictions_are_kept_to_read_and_samples_are_shown(whole: dict[str, RunFiles], kind: str) -> None:
    report = read_json(whole[kind].report)
    assert report is not None
    rows = [json.loads(line) for line in whole[kind].predictions.read_text().splitlines()]
    assert len(rows) == report["held_out"]["rows"] == report["held_out"]["kept"]
    samples = [event for event in events_of(whole[kind]) if event["kind"] == "sample"]
    assert len(samples) % 3 == 0 and samples[0]["input"] in {row["input"] for row in rows}
    if kind == "numbers":
        errors = [abs(row["error"]) for row in rows]
        assert errors == sorted(errors, reverse=True)
        assert sum(errors) / len(errors) == pytest.approx(report["metrics"]["mae"], rel=1e-4)
        assert sum(each["count"] for each in report["errors"]["ranges"]) == len(rows)
        return
    wrong = [row["wrong"] for row in rows]
    assert wrong == sorted(wrong, reverse=True)
    assert 1 - sum(wrong) / len(rows) == pytest.approx(report["metrics"]["accuracy"])
    assert sum(pair["count"] for pair in report["confusion"]["pairs"]) == sum(wrong)
    assert samples[0]["expected"] in {each["name"] for each in report["confusion"]["classes"]}


@pytest.mark.parametrize("kind", KINDS)
def test_events_of_a_run(whole: dict[str, RunFiles], kind: str) -> None:
    events = events_of(whole[kind])
    phases = [event["name"] for event in events if event["kind"] == "phase"]
    assert phases == ["preparing", "baseline", "training", "saving", "done"]
    assert all(isinstance(event["t"], float) for event in events)
    steps = [event for event in events if event["kind"] == "metrics"]
    for event in steps:
        assert {"loss", "eval_loss"} <= set(event["values"]) and event["total_steps"] == 40
        assert (find_task(KINDS[kind]).metrics[0] in event["values"]) == (event["step"] % 4 == 0)
    checkpoints = [event["step"] for event in events if event["kind"] == "checkpoint"]
    assert checkpoints == list(range(5, len(steps) + 1, 5))
    memory = next(event for event in events if event["kind"] == "memory")
    assert memory["peak_bytes"] > 1 << 20 and memory["source"] in ("rss", "cuda-allocated")


def test_the_model_folder_predicts_rows(whole: dict[str, RunFiles]) -> None:
    rows: list[dict[str, Any]] = [
        {"size": "9", "colour": "red", "weight": "5", "day": "2024-01-03"},
        {"size": 0.1, "colour": "blue", "weight": 1},
        {"size": None, "colour": "a colour never seen", "other": 1},
    ]
    high, low, odd = predict(whole["classes"].model, rows)
    assert (high["prediction"], low["prediction"]) == ("high", "low")
    assert odd["prediction"] in ("high", "low")
    for answer in (high, low, odd):
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["probability"] == max(answer["probabilities"].values())
    assert set(next(predict(whole["many classes"].model, rows))["probabilities"]) == {"low", "middle", "high"}
    first, second, _ = predict(whole["numbers"].model, rows)
    assert first["prediction"] > 15 > 5 > second["prediction"]
    assert list(predict(whole["numbers"].model, [])) == []
    with pytest.raises(DataError, match="none of the columns"):
        list(predict(whole["numbers"].model, [{"sise": 3}]))


def test_the_final_model_is_that_of_the_best_round(whole: dict[str, RunFiles]) -> None:
    for files in whole.values():
        losses = [values["eval_loss"] for _, values in curve(files)]
        report = read_json(files.report)
        assert report is not None
        assert report["details"]["best_round"] == int(np.argmin(losses)) + 1
        assert report["details"]["rounds"] == len(losses)


def test_what_the_run_was_trained_on_is_recorded(whole: dict[str, RunFiles], tables: dict[str, Path]) -> None:
    data = read_json(whole["classes"].data)
    assert data is not None
    assert data["path"] == str(tables["classes"]) and data["size_bytes"] == tables["classes"].stat().st_size
    assert len(data["sha256"]) == 64 and data["rows"] == 160 and data["columns"] == {"target": "y"}
    assert data["train_rows"] + data["eval_rows"] == 160 and data["split_seed"] == 42


def test_early_stopping_ends_before_the_limit(tables: dict[str, Path], tmp_path: Path) -> None:
    settings = {"n_estimators": 500, "early_stopping_rounds": 5}
    files = run(tmp_path / "run", tables["classes"], KINDS["classes"], settings=settings)
    losses = [values["eval_loss"] for _, values in curve(files)]
    assert len(losses) < 500 and len(losses) == int(np.argmin(losses)) + 1 + 5
    assert any("early stop" in event.get("message", "") for event in events_of(files))


def test_zero_never_stops_early_and_max_steps_is_the_limit(tables: dict[str, Path], tmp_path: Path) -> None:
    settings = {"early_stopping_rounds": 0, "max_steps": 60, "learning_rate": 1.0}
    files = run(tmp_path / "run", tables["classes"], KINDS["classes"], settings=settings)
    assert len(curve(files)) == 60


def test_a_separate_evaluation_file_is_used_whole(tables: dict[str, Path], tmp_path: Path) -> None:
    evaluation = write_table(tmp_path / "evaluation.csv", "classes", rows=30, seed=8)
    with evaluation.open("a") as stream:
        stream.write("1,red,1,2024-01-01,same,never seen\n")
    files = run(tmp_path / "run", tables["classes"], KINDS["classes"], eval_data=str(evaluation))
    data = read_json(files.data)
    assert data is not None and (data["train_rows"], data["eval_rows"]) == (160, 30)
    assert data["eval_path"] == str(evaluation)
    warned = [event["message"] for event in events_of(files) if event.get("level") == "warning"]
    assert any("never seen" in message for message in warned)


def test_a_table_without_features_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("constant,y\n" + "".join(f"same,{'ab'[n % 2]}\n" for n in range(40)))
    with pytest.raises(DataError, match="No column is left"):
        run(tmp_path / "run", table, KINDS["classes"])


# --- stop and resume ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_is_the_run_that_was_never_stopped(
    whole: dict[str, RunFiles], tables: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "run"
    for stop_after in (7, 8, 21):
        files = run(folder, tables[kind], KINDS[kind], stop_after=stop_after)
        assert latest_checkpoint(files.checkpoints) == (stop_after, checkpoint_folder(files.checkpoints, stop_after))
        assert curve(files)[-1][0] == stop_after and not files.model.exists()
    files = run(folder, tables[kind], KINDS[kind])
    assert_same_curve(whole[kind], files)
    assert finished(files)["metrics"] == pytest.approx(finished(whole[kind])["metrics"], abs=1e-5)
    assert read_json(files.report)["details"] == read_json(whole[kind].report)["details"]  # type: ignore[index]
    rows: list[dict[str, Any]] = [{"size": n, "colour": "red", "weight": 2} for n in range(9)]
    for one, other in zip(predict(whole[kind].model, rows), predict(files.model, rows), strict=True):
        for key in {"prediction", "probability"} & set(one):
            assert one[key] == (pytest.approx(other[key], abs=1e-4) if isinstance(one[key], float) else other[key])


def test_metrics_after_the_checkpoint_are_dropped_by_readers(
    whole: dict[str, RunFiles], tables: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull_the_plug(writer: StoppingWriter, kind: str, **fields: Any) -> None:
        EventWriter.emit(writer, kind, **fields)
        if kind == "metrics" and fields["step"] == 8:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(StoppingWriter, "emit", pull_the_plug)
        run(tmp_path / "run", tables["numbers"], KINDS["numbers"])
    files = run(tmp_path / "run", tables["numbers"], KINDS["numbers"])
    assert [event["from_step"] for event in events_of(files) if event["kind"] == "attempt"] == [0, 5]
    steps = [event["step"] for event in events_of(files) if event["kind"] == "metrics"]
    assert steps[:11] == [1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8]
    assert_same_curve(whole["numbers"], files)


@pytest.mark.parametrize("changed", ["the data", "the evaluation data"])
def test_a_run_does_not_go_on_with_other_rows(tables: dict[str, Path], tmp_path: Path, changed: str) -> None:
    table, evaluation = tmp_path / "table.csv", write_table(tmp_path / "evaluation.csv", "classes", rows=30, seed=8)
    table.write_bytes(tables["classes"].read_bytes())
    more = {"eval_data": str(evaluation)}
    files = run(tmp_path / "run", table, KINDS["classes"], stop_after=7, **more)
    was = files.data.read_bytes()
    path = table if changed == "the data" else evaluation
    content = path.read_bytes()
    path.write_bytes(b"\n".join(content.split(b"\n")[:-3]) + b"\n")
    with pytest.raises(DataError, match=f"{path.name} is not what it was") as refused:
        run(tmp_path / "run", table, KINDS["classes"], **more)
    assert "too good" in refused.value.why and "Put it back" in refused.value.fix
    assert files.data.read_bytes() == was
    path.write_bytes(content)
    assert finished(run(tmp_path / "run", table, KINDS["classes"], **more))["metrics"]


def test_early_stopping_remembers_across_a_resume(tables: dict[str, Path], tmp_path: Path) -> None:
    settings = {"n_estimators": 500, "early_stopping_rounds": 6, "save_steps": 500}
    expected = run(tmp_path / "whole", tables["classes"], KINDS["classes"], settings=settings)
    best = read_json(expected.report)["details"]["best_round"]  # type: ignore[index]
    for stop_after in (best - 1, best + 2, best + 5):
        files = run(tmp_path / "run", tables["classes"], KINDS["classes"], settings=settings, stop_after=stop_after)
        seal = read_seal(checkpoint_folder(files.checkpoints, stop_after))
        assert seal is not None and seal["best_round"] == min(best, stop_after) - 1
    files = run(tmp_path / "run", tables["classes"], KINDS["classes"], settings=settings)
    assert_same_curve(expected, files)
    assert finished(files)["metrics"] == pytest.approx(finished(expected)["metrics"], abs=1e-5)


def damage(kind: str, folder: Path) -> None:
    model = folder / "model.ubj"
    if kind == "the model is missing":
        model.unlink()
    elif kind == "the model is truncated":
        model.write_bytes(model.read_bytes()[:-1])
    elif kind == "the seal is missing":
        (folder / "forge.json").unlink()
    elif kind == "the seal is truncated":
        (folder / "forge.json").write_text((folder / "forge.json").read_text()[:-9])
    elif kind == "the seal is of something else":
        (folder / "forge.json").write_text('{"step": "x", "files": [1]}')
    else:
        for path in folder.iterdir():
            path.unlink()


@pytest.mark.parametrize(
    "kind",
    [
        "the model is missing", "the model is truncated", "the seal is missing", "the seal is truncated",
        "the seal is of something else", "the folder is empty",
    ],
)  # fmt: skip
def test_a_broken_checkpoint_is_passed_over(
    whole: dict[str, RunFiles], tables: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    files = run(tmp_path / "run", tables["numbers"], KINDS["numbers"], stop_after=12)
    assert [step for step, _ in sealed_checkpoints(files.checkpoints)] == [10, 12]
    damage(kind, checkpoint_folder(files.checkpoints, 12))
    assert [step for step, _ in sealed_checkpoints(files.checkpoints)] == [10]
    files = run(tmp_path / "run", tables["numbers"], KINDS["numbers"])
    assert [event["from_step"] for event in events_of(files) if event["kind"] == "attempt"] == [0, 10]
    assert_same_curve(whole["numbers"], files)
    assert sorted(path.name for path in files.checkpoints.iterdir()) == ["checkpoint-35", "checkpoint-40"]


def test_without_any_whole_checkpoint_the_run_begins_again(
    whole: dict[str, RunFiles], tables: dict[str, Path], tmp_path: Path
) -> None:
    files = run(tmp_path / "run", tables["numbers"], KINDS["numbers"], stop_after=7)
    for _, folder in sealed_checkpoints(files.checkpoints):
        damage("the model is truncated", folder)
    files = run(tmp_path / "run", tables["numbers"], KINDS["numbers"])
    assert_same_curve(whole["numbers"], files)


# --- as a process ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_runs(module_home: Any, tables: dict[str, Path], wait: Callable[..., Any]) -> dict[str, RunFiles]:
    """With the real trainer as a process: a run to its end, and one that is stopped in step 12, killed and resumed."""
    from forge_tui.runs.control import request_stop, resume_run
    from forge_tui.runs.status import condition

    module_home.use_stand_in(site=True)
    spec = {"data": str(tables["classes"]), "settings": SETTINGS}
    held = {"real": True, "hold": ["step 12"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGE_HOME", str(module_home.path))
        stopped = module_home.start(held, name="stopped", **spec)
        finished_run = module_home.start({"real": True}, name="whole", **spec)
        module_home.wait_at(stopped, "step 12")
        request_stop(stopped)
        assert str(module_home.wait_end(stopped).status) == "stopped"
        patch.setenv("FORGE_STAND_IN", json.dumps({"real": True, "hold": ["step 18"]}))
        resume_run(stopped)
        module_home.wait_at(stopped, "step 18")
        module_home.kill(stopped, "trainer")
        assert str(module_home.wait_end(stopped).status) == "failed"
        patch.setenv("FORGE_STAND_IN", json.dumps({"real": True}))
        resume_run(stopped)
        for files in (stopped, finished_run):
            module_home.wait_end(files)
            assert str(condition(files).status) == "finished", files.log.read_text()
    return {"stopped": stopped, "whole": finished_run}


def test_stopped_killed_and_resumed_as_a_process(real_runs: dict[str, RunFiles], whole: dict[str, RunFiles]) -> None:
    attempts = [(event["n"], event["from_step"]) for event in events_of(real_runs["stopped"]) if "from_step" in event]
    assert attempts == [(1, 0), (2, 12), (3, 15)]
    assert_same_curve(real_runs["whole"], real_runs["stopped"])
    assert_same_curve(whole["classes"], real_runs["whole"])
    metrics = finished(real_runs["whole"])["metrics"]
    assert finished(real_runs["stopped"])["metrics"] == pytest.approx(metrics, abs=1e-5)


def test_everything_a_real_run_leaves_is_for_its_owner_alone(real_runs: dict[str, RunFiles]) -> None:
    for path in real_runs["whole"].folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    names = {path.name for path in real_runs["whole"].folder.iterdir()}
    assert {"data.json", "report.json", "README.md", "model", "checkpoints", "gpu.jsonl"} <= names
    assert {path.name for path in real_runs["whole"].model.iterdir()} == {"model.ubj", "schema.json"}
    card = real_runs["whole"].readme.read_text()
    assert "f1_macro" in card and "forge-tui train spec.toml" in card


def test_a_real_run_predicts_on_the_command_line(
    real_runs: dict[str, RunFiles], module_home: Any, tables: dict[str, Path]
) -> None:
    told = module_home.command("predict", "whole", "--file", str(tables["classes"]), "--json")
    assert told.code == 0, told.err
    answers = [json.loads(line) for line in told.out.splitlines()]
    assert [answer["row"] for answer in answers] == list(range(1, 161))
    truth = [line.rpartition(",")[2] for line in tables["classes"].read_text().splitlines()[1:]]
    right = sum(answer["prediction"] == label for answer, label in zip(answers, truth, strict=True))
    assert right > 130


def test_a_stop_is_not_lost_while_the_libraries_are_imported(module_home: Any, tables: dict[str, Path]) -> None:
    from forge_tui.runs.control import request_stop

    module_home.use_stand_in(site=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGE_HOME", str(module_home.path))
        spec = {"data": str(tables["classes"]), "settings": SETTINGS}
        files = module_home.start({"real": True, "hold": ["step 1"]}, name="early", **spec)
        request_stop(files)
        state = module_home.wait_end(files)
    assert str(state.status) == "stopped" and state.error is None
    assert not files.checkpoints.exists() and not any("step" in event for event in state.events)
    assert state.exit is not None and state.exit["signal"] in (None, signal.SIGTERM)
