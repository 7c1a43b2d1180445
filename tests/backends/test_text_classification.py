"""Texts into classes: what is learned, resumed, kept, predicted and refused; on CPU and mostly in this process."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.checkpoints import latest_checkpoint, sealed_checkpoints
from backends.contract import ForgeError, RunFiles, RunSpec, read_json, read_spec
from backends.events import EventWriter
from backends.job import Job
from backends.options import parse_settings
from backends.registry import find_task
from backends.signals import StopControl

WORDS = {
    "praise": "great lovely superb fine happy".split(),
    "blame": "awful broken poor sad ugly".split(),
    "chatter": "purple seven window river cloud".split(),
}
QUICK = {"max_length": 16, "learning_rate": 2e-3, "per_device_train_batch_size": 8, "logging_steps": 1}


@pytest.fixture(scope="module", autouse=True)
def one_cpu_thread() -> Iterator[None]:
    """On CPU, where results repeat exactly; with one thread, which for models this small is the quickest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def module_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


# --- data and runs -----------------------------------------------------------------------------------------------


def rows_of(count: int, seed: int, classes: Sequence[str] = tuple(WORDS), noise: float = 0.0) -> list[dict[str, str]]:
    """Four words of a class each; a share of the labels is drawn by lot."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        label = classes[number % len(classes)]
        text = " ".join(chance.choice(WORDS[label]) for _ in range(4))
        rows.append({"text": text, "label": chance.choice(classes) if chance.random() < noise else label})
    return rows


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class WatchedEvents(EventWriter):
    """An event log whose every event is also given to `seen`."""

    seen: Callable[[str, dict[str, Any]], None] = staticmethod(lambda kind, fields: None)

    def emit(self, kind: str, **fields: Any) -> None:
        super().emit(kind, **fields)
        self.seen(kind, fields)


def new_run(folder: Path, data: Path, **spec: Any) -> RunFiles:
    """A run folder with its spec; settings are added to the quick ones."""
    folder.mkdir(parents=True)
    files = RunFiles(folder)
    settings = {**QUICK, **spec.pop("settings", {})}
    standard = {
        "name": "texts",
        "task": "text-classification",
        "method": "full",
        "model": "preset:tiny-encoder",
        "columns": {"text": "text", "label": "label"},
    }
    files.spec.write_text(tomli_w.dumps(RunSpec(data=str(data), settings=settings, **{**standard, **spec}).to_tables()))
    return files


def train(files: RunFiles, attempt: int = 1, stop_at: int | None = None) -> Job:
    """Do what `python -m backends` does; with `stop_at` a stop is asked for when the loss of that step is told."""
    from backends.text_classification import train as run

    spec = read_spec(files.spec)
    task = find_task(spec.task)
    step, checkpoint = (latest_checkpoint(files.checkpoints) or (0, None)) if attempt > 1 else (0, None)
    events = WatchedEvents(files.events)
    events.emit("attempt", n=attempt, from_step=step)
    control = StopControl()

    def ask_to_stop(kind: str, fields: dict[str, Any]) -> None:
        if kind == "metrics" and fields["step"] == stop_at:
            control.stop_requested = True

    events.seen = ask_to_stop  # type: ignore[method-assign]
    job = Job(files, spec, task, parse_settings(task.options, spec.settings), events, control, step, checkpoint)
    run(job)
    return job


def events_of(files: RunFiles, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in files.events.read_text().splitlines()]
    return [event for event in found if event["kind"] == kind]


def losses(files: RunFiles) -> dict[int, float]:
    """The training loss of each step, the later attempt's where there are two."""
    return {e["step"]: e["values"]["loss"] for e in events_of(files, "metrics") if "loss" in e["values"]}


def notices(files: RunFiles, level: str | None = None) -> str:
    return "\n".join(e["message"] for e in events_of(files, "notice") if level in (None, e["level"]))


def report_of(files: RunFiles) -> dict[str, Any]:
    report = read_json(files.report)
    assert report is not None
    return report


def answers(files: RunFiles, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from backends.text_classification import predict

    return list(predict(files.model, iter(rows)))


def weights(folder: Path, name: str = "model.safetensors") -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / name))


def scores_by_hand(truth: list[str], said: list[str]) -> dict[str, float]:
    """The task's metrics by scikit-learn alone."""
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    averaged = {"average": "macro", "zero_division": 0}
    return {
        "f1_macro": f1_score(truth, said, **averaged),
        "accuracy": accuracy_score(truth, said),
        "precision_macro": precision_score(truth, said, **averaged),
        "recall_macro": recall_score(truth, said, **averaged),
    }


@pytest.fixture(scope="module")
def scratch(module_path: Path) -> RunFiles:
    """A finished run from scratch on noisy data with evaluation rows of its own."""
    data = write_rows(module_path / "train.jsonl", rows_of(120, seed=1, noise=0.15))
    held_out = write_rows(module_path / "held-out.jsonl", rows_of(60, seed=2, noise=0.15))
    files = new_run(
        module_path / "scratch", data, eval_data=str(held_out), settings={"max_steps": 30, "eval_steps": 10}
    )
    train(files)
    return files


# --- a whole run -------------------------------------------------------------------------------------------------


def test_a_separable_set_is_learned_from_scratch(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", rows_of(150, seed=3))
    files = new_run(tmp_path / "run", data, settings={"max_steps": 40})
    train(files)
    metrics = report_of(files)["metrics"]
    assert metrics["accuracy"] == metrics["f1_macro"] == 1.0
    seen = losses(files)
    assert seen[40] < 0.1 < 0.8 < seen[1]
    asked = [{"text": "superb lovely"}, {"text": "BROKEN ugly"}, {"text": "river river river"}, {"text": "zzz"}]
    said = answers(files, asked)
    assert [answer["prediction"] for answer in said[:3]] == ["praise", "blame", "chatter"]
    for answer in said:
        assert set(answer["probabilities"]) == set(WORDS)
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert answer["probability"] == max(answer["probabilities"].values())


def test_the_phases_come_in_order_and_the_end_is_told(scratch: RunFiles) -> None:
    phases = [event["name"] for event in events_of(scratch, "phase")]
    assert phases == ["loading-model", "preparing", "baseline", "training", "evaluating", "saving", "done"]
    (end,) = events_of(scratch, "finished")
    report = report_of(scratch)
    assert (end["metrics"], end["baseline"]) == (report["metrics"], report["baseline"])
    assert (scratch.folder / end["model_path"]).is_dir()
    (memory,) = events_of(scratch, "memory")
    assert report_of(scratch)["memory"]["measured_peak_bytes"] == memory["peak_bytes"] > 1 << 20
    assert set(losses(scratch)) == set(range(1, 31))
    evaluated = [event for event in events_of(scratch, "metrics") if "eval_loss" in event["values"]]
    assert [event["step"] for event in evaluated] == [10, 20, 30]
    names = {name for event in events_of(scratch, "metrics") for name in event["values"]}
    scores = {"f1_macro", "accuracy", "precision_macro", "recall_macro"}
    assert names == {"loss", "eval_loss", "learning_rate", "grad_norm", *scores}
    assert all(event["total_steps"] == 30 for event in events_of(scratch, "metrics"))


def test_the_predictions_kept_to_read_are_those_of_predict(scratch: RunFiles) -> None:
    rows = [json.loads(line) for line in scratch.predictions.read_text().splitlines()]
    report = report_of(scratch)
    said = answers(scratch, [{"text": row["input"]} for row in rows])
    assert [row["predicted"] for row in rows] == [each["prediction"] for each in said]
    assert [row["probability"] for row in rows] == pytest.approx([each["probability"] for each in said], abs=1e-4)
    mistakes = [row for row in rows if row["wrong"]]
    assert rows[: len(mistakes)] == mistakes and 0 < len(mistakes) == report["held_out"]["mistakes"]
    assert report["metrics"]["accuracy"] == pytest.approx(1 - len(mistakes) / len(rows))


def test_samples_show_inputs_predictions_and_truth(scratch: RunFiles) -> None:
    samples = events_of(scratch, "sample")
    assert [sample["step"] for sample in samples] == [10] * 3 + [20] * 3 + [30] * 3
    held_out = rows_of(60, seed=2, noise=0.15)
    for sample, row in zip(samples[-3:], held_out, strict=False):
        assert (sample["input"], sample["expected"]) == (row["text"], row["label"])
        assert sample["output"] in WORDS


def test_the_final_metrics_are_those_of_predict_by_scikit_learn(scratch: RunFiles) -> None:
    held_out = rows_of(60, seed=2, noise=0.15)
    said = [answer["prediction"] for answer in answers(scratch, held_out)]
    by_hand = scores_by_hand([row["label"] for row in held_out], said)
    assert 0.5 < by_hand["accuracy"] < 1
    told = report_of(scratch)["metrics"]
    assert next(iter(told)) == "f1_macro"
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)


def test_the_baselines_are_measured_first_and_the_better_one_counts(scratch: RunFiles) -> None:
    report = report_of(scratch)
    baselines = report["baselines"]
    assert set(baselines) == {"majority class", "TF-IDF + logistic regression"}
    assert report["baseline_name"] == "TF-IDF + logistic regression"
    assert report["baseline"] == baselines[report["baseline_name"]]
    truth = [row["label"] for row in rows_of(60, seed=2, noise=0.15)]
    common = max(WORDS, key=[row["label"] for row in rows_of(120, seed=1, noise=0.15)].count)
    by_hand = scores_by_hand(truth, [common] * len(truth))
    assert baselines["majority class"] == pytest.approx(by_hand, abs=1e-9)


def test_the_model_folder_is_of_safetensors_and_text_only(scratch: RunFiles) -> None:
    names = {path.name for path in scratch.model.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "classes.json"} <= names
    for path in scratch.model.rglob("*"):
        assert path.suffix in (".json", ".safetensors", ".md", ".txt"), path
        assert path.read_bytes()[:1] != b"\x80" and path.read_bytes()[:2] != b"PK", f"{path} is a pickle"
    config = json.loads((scratch.model / "config.json").read_text())
    assert list(config["id2label"].values()) == sorted(WORDS)


def test_transformers_alone_loads_the_model(scratch: RunFiles) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(scratch.model)
    model = AutoModelForSequenceClassification.from_pretrained(scratch.model).eval()
    rows = rows_of(9, seed=5)
    inputs = tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")
    with torch.inference_mode():
        numbers = model(**inputs).logits.argmax(dim=-1).tolist()
    assert [model.config.id2label[number] for number in numbers] == [
        answer["prediction"] for answer in answers(scratch, rows)
    ]


def test_a_row_without_the_column_is_refused_by_name(scratch: RunFiles) -> None:
    with pytest.raises(ForgeError) as refused:
        answers(scratch, [{"text": "fine"}, {"message": "fine"}])
    assert "'text'" in refused.value.what and refused.value.fix


def test_rows_are_predicted_in_order_and_as_they_come(scratch: RunFiles) -> None:
    from backends.text_classification import predict
    from backends.transformers_training import PREDICT_BATCH

    rows = rows_of(PREDICT_BATCH * 2 + 3, seed=6)
    asked: list[int] = []

    def one_by_one() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows):
            asked.append(number)
            yield row

    found = predict(scratch.model, one_by_one())
    first = next(found)
    assert len(asked) == PREDICT_BATCH
    assert [first, *found] == answers(scratch, rows)
    assert len(asked) == len(rows)


def test_long_texts_are_cut_and_counted(tmp_path: Path) -> None:
    rows = rows_of(40, seed=7)
    rows[0]["text"] *= 30
    files = new_run(tmp_path / "run", write_rows(tmp_path / "data.jsonl", rows), settings={"max_steps": 1})
    train(files)
    assert "1 of 21 texts fill max_length = 16; the rest is cut" in notices(files)


# --- what the evaluation decides ---------------------------------------------------------------------------------


def scripted_scores(monkeypatch: pytest.MonkeyPatch, values: Sequence[float]) -> None:
    """Let the evaluations in a run find these primary scores, whatever the model says; the last one goes on."""
    from backends import text_classification, text_targets

    real, left = text_targets.classification_scores, list(values)

    def scripted(labels: Any, predictions: Any, *more: Any) -> dict[str, float]:
        value = left.pop(0) if len(left) > 1 else left[0]
        return {**real(labels, predictions, *more), "f1_macro": value}

    monkeypatch.setattr(text_classification, "simple_baselines", lambda *given: {"none": {"f1_macro": 0.0}})
    monkeypatch.setattr(text_targets, "classification_scores", scripted)


def test_the_weights_of_the_best_evaluation_are_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    scripted_scores(monkeypatch, [0.1, 0.2, 0.9, 0.3, 0.4, 0.5])
    data = write_rows(tmp_path / "data.jsonl", rows_of(60, seed=8))
    files = new_run(tmp_path / "run", data, settings={"max_steps": 12, "eval_steps": 2})
    train(files)
    report = report_of(files)
    assert report["details"]["best_step"] == report["best"]["step"] == 6
    assert "the weights of step 6 are kept" in notices(files)
    assert [step for step, _ in sealed_checkpoints(files.checkpoints)] == [6, 10, 12]
    final = weights(files.model)
    best, last = (weights(files.checkpoints / f"checkpoint-{step}") for step in (6, 12))
    assert all(torch.equal(final[name], best[name]) for name in best)
    assert any(not torch.equal(final[name], last[name]) for name in last)


def test_of_equal_evaluations_the_first_is_the_best_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted_scores(monkeypatch, [0.5, 0.8])
    data = write_rows(tmp_path / "data.jsonl", rows_of(60, seed=8))
    files = new_run(tmp_path / "run", data, settings={"max_steps": 10, "eval_steps": 2})
    train(files)
    report = report_of(files)
    assert report["details"]["best_step"] == report["best"]["step"] == 4
    assert [step for step, _ in sealed_checkpoints(files.checkpoints)] == [4, 8, 10]


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        (50, {"num_train_epochs": 2}),
        (50, {"num_train_epochs": 1, "gradient_accumulation_steps": 3}),
        (41, {"num_train_epochs": 1.5, "gradient_accumulation_steps": 2}),
        (44, {"max_steps": 3}),
    ],
)
def test_the_steps_are_counted_as_the_trainer_counts_them(tmp_path: Path, rows: int, settings: dict[str, Any]) -> None:
    from backends.transformers_training import total_steps

    data = write_rows(tmp_path / "data.jsonl", rows_of(rows, seed=9))
    held_out = write_rows(tmp_path / "held-out.jsonl", rows_of(10, seed=10))
    files = new_run(tmp_path / "run", data, eval_data=str(held_out), settings=settings)
    job = train(files)
    told = {event["total_steps"] for event in events_of(files, "metrics")}
    assert told == {total_steps(job.options, rows)}


def test_classes_that_training_never_sees_are_left_out_and_told(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", rows_of(40, seed=11, classes=("praise", "blame")))
    held_out = rows_of(30, seed=12)
    files = new_run(
        tmp_path / "run",
        data,
        eval_data=str(write_rows(tmp_path / "held-out.jsonl", held_out)),
        settings={"max_steps": 3},
    )
    train(files)
    told = notices(files, "warning")
    assert "10 evaluation rows are of classes that training never sees (chatter); they are left out" in told
    assert (read_json(files.data) or {})["eval_rows"] == 20
    known = [row for row in held_out if row["label"] != "chatter"]
    said = answers(files, known)
    assert set(said[0]["probabilities"]) == {"praise", "blame"}
    by_hand = scores_by_hand([row["label"] for row in known], [answer["prediction"] for answer in said])
    told_scores = report_of(files)["metrics"]
    assert {name: told_scores[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)


# --- stop and resume ---------------------------------------------------------------------------------------------


def assert_same_run(whole: RunFiles, resumed: RunFiles) -> None:
    """Losses, metrics and weights are equal to 1e-5."""
    import torch

    first, second = losses(whole), losses(resumed)
    assert first.keys() == second.keys()
    assert second == pytest.approx(first, abs=1e-5)
    assert report_of(resumed)["metrics"] == pytest.approx(report_of(whole)["metrics"], abs=1e-5)
    assert report_of(resumed)["baselines"] == report_of(whole)["baselines"]
    ours, theirs = weights(resumed.model), weights(whole.model)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5, rtol=0) for name in theirs)


def test_stop_and_resume_is_the_same_as_no_stop(tmp_path: Path) -> None:
    """The stop falls inside an epoch, between two evaluations, with dropout at work."""
    data = write_rows(tmp_path / "data.jsonl", rows_of(90, seed=13, noise=0.2))
    settings = {"max_steps": 24, "eval_steps": 8, "gradient_accumulation_steps": 2}
    whole = new_run(tmp_path / "whole", data, settings=settings)
    train(whole)
    parted = new_run(tmp_path / "parted", data, settings=settings)
    train(parted, stop_at=10)
    assert "stopped as asked after step 11" in notices(parted)
    assert not parted.model.exists() and not events_of(parted, "finished")
    latest = latest_checkpoint(parted.checkpoints)
    assert latest is not None and latest[0] == 11
    train(parted, attempt=2)
    assert [event["from_step"] for event in events_of(parted, "attempt")] == [0, 11]
    told = [event["step"] for event in events_of(parted, "metrics") if "loss" in event["values"]]
    assert told == list(range(1, 25))
    assert_same_run(whole, parted)


@pytest.mark.slow
def test_stop_and_resume_by_signal_is_the_same_as_no_stop(
    tmp_path: Path, repository: Path, wait: Callable[..., Any]
) -> None:
    data = write_rows(tmp_path / "data.jsonl", rows_of(90, seed=14, noise=0.2))
    settings = {"max_steps": 60, "eval_steps": 20}
    whole = new_run(tmp_path / "whole", data, settings=settings)
    parted = new_run(tmp_path / "parted", data, settings=settings)

    def process(files: RunFiles, attempt: int) -> subprocess.Popen[bytes]:
        own = {"FORGE_ATTEMPT": str(attempt), "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "backends", str(files.folder)]
        return subprocess.Popen(command, env={**os.environ, **own}, stderr=subprocess.DEVNULL)

    assert process(whole, 1).wait(timeout=120) == 0
    stopped = process(parted, 1)
    wait(lambda: parted.events.exists() and len(losses(parted)) > 5, "the sixth step", seconds=120)
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(timeout=120) == 0
    assert not events_of(parted, "finished")
    assert process(parted, 2).wait(timeout=120) == 0
    resumed = events_of(parted, "attempt")[1]
    saved = [event["step"] for event in events_of(parted, "checkpoint") if event["t"] < resumed["t"]]
    assert resumed["from_step"] == max(saved) > 5
    assert_same_run(whole, parted)


# --- model folders -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained(scratch: RunFiles, module_path: Path) -> Path:
    """A copy of the model of the run from scratch."""
    return Path(shutil.copytree(scratch.model, module_path / "pretrained"))


def test_full_training_starts_from_the_folder(pretrained: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", rows_of(60, seed=15))
    files = new_run(tmp_path / "run", data, model=str(pretrained), settings={"max_steps": 2, "learning_rate": 1e-5})
    train(files)
    assert report_of(files)["metrics"]["accuracy"] == 1.0
    assert losses(files)[1] < 0.5


def test_lora_learns_on_a_folder_and_predicts_with_it(pretrained: Path, tmp_path: Path) -> None:
    import torch

    before = weights(pretrained)
    held_out = rows_of(30, seed=17)
    files = new_run(
        tmp_path / "run",
        write_rows(tmp_path / "data.jsonl", rows_of(60, seed=16)),
        model=str(pretrained),
        method="lora",
        eval_data=str(write_rows(tmp_path / "held-out.jsonl", held_out)),
        settings={"max_steps": 6, "lora_r": 4},
    )
    train(files)
    names = {path.name for path in files.model.iterdir()}
    assert "adapter_model.safetensors" in names and "model.safetensors" not in names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth"))]
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(pretrained).items())
    said = [answer["prediction"] for answer in answers(files, held_out)]
    by_hand = scores_by_hand([row["label"] for row in held_out], said)
    told = report_of(files)["metrics"]
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
    assert by_hand["accuracy"] == 1.0


def test_lora_resumes_as_if_never_stopped(pretrained: Path, tmp_path: Path) -> None:
    import torch

    data = write_rows(tmp_path / "data.jsonl", rows_of(60, seed=18, noise=0.2))
    both = [
        new_run(tmp_path / name, data, model=str(pretrained), method="lora", settings={"max_steps": 8, "eval_steps": 4})
        for name in ("whole", "parted")
    ]
    train(both[0])
    train(both[1], stop_at=4)
    train(both[1], attempt=2)
    assert losses(both[1]) == pytest.approx(losses(both[0]), abs=1e-5)
    first, second = (weights(files.model, "adapter_model.safetensors") for files in both)
    assert all(torch.allclose(first[name], second[name], atol=1e-5, rtol=0) for name in first)


def test_the_best_adapter_is_the_model(pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    scripted_scores(monkeypatch, [0.1, 0.9, 0.3])
    data = write_rows(tmp_path / "data.jsonl", rows_of(60, seed=19))
    settings = {"max_steps": 6, "eval_steps": 2}
    files = new_run(tmp_path / "run", data, model=str(pretrained), method="lora", settings=settings)
    train(files)
    name = "adapter_model.safetensors"
    final, best = weights(files.model, name), weights(files.checkpoints / "checkpoint-4", name)
    assert final.keys() == best.keys()
    assert all(torch.equal(final[key], best[key]) for key in best)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_head_of_other_classes_is_replaced(pretrained: Path, tmp_path: Path, method: str) -> None:
    rows = [{"text": row["text"], "label": "nice" if row["label"] == "praise" else "other"} for row in rows_of(60, 20)]
    data = write_rows(tmp_path / "data.jsonl", rows)
    files = new_run(tmp_path / "run", data, model=str(pretrained), method=method, settings={"max_steps": 12})
    train(files)
    said = answers(files, rows)
    assert set(said[0]["probabilities"]) == {"nice", "other"}
    by_hand = scores_by_hand([row["label"] for row in rows], [answer["prediction"] for answer in said])
    assert by_hand["accuracy"] > 0.8


def decoder(folder: Path, tokens: dict[str, str]) -> Path:
    """A GPT-2 from random weights whose tokenizer has these special tokens only."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2ForSequenceClassification, PreTrainedTokenizerFast

    words = [*tokens.values(), *(word for group in WORDS.values() for word in group)]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token=words[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens).save_pretrained(folder)
    config = GPT2Config(vocab_size=len(words), n_embd=32, n_layer=1, n_head=2, n_positions=64)
    GPT2ForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_tokenizer_without_a_padding_token_takes_its_end_token(tmp_path: Path, method: str) -> None:
    model = decoder(tmp_path / "decoder", {"eos_token": "<end>"})
    rows = rows_of(60, 21)
    for number, row in enumerate(rows):  # of different lengths, so that a batch has to be padded
        row["text"] = " ".join(row["text"].split()[: 1 + number % 4])
    held_out = write_rows(tmp_path / "held-out.jsonl", rows[:30])
    data = write_rows(tmp_path / "data.jsonl", rows)
    settings = {"max_steps": 20, "learning_rate": 1e-2, "lora_r": 8}
    files = new_run(tmp_path / "run", data, model=str(model), method=method, eval_data=str(held_out), settings=settings)
    train(files)
    said = [answer["prediction"] for answer in answers(files, rows[:30])]
    by_hand = scores_by_hand([row["label"] for row in rows[:30]], said)
    told = report_of(files)["metrics"]
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)


def test_a_tokenizer_that_has_nothing_to_pad_with_is_refused(tmp_path: Path) -> None:
    model = decoder(tmp_path / "decoder", {})
    files = new_run(tmp_path / "run", write_rows(tmp_path / "data.jsonl", rows_of(40, 22)), model=str(model))
    with pytest.raises(ForgeError) as refused:
        train(files)
    assert "no padding token" in refused.value.what and "pad_token" in refused.value.fix and refused.value.why


def damage_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def damage_kind(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "no-such-model"}')


def damage_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def damage_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def damage_to_pickle(folder: Path) -> None:
    import torch

    torch.save(weights(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def damage_half(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def damage_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def damage_image(folder: Path) -> None:
    from transformers import ViTConfig

    ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2).save_pretrained(folder)


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize(
    "damage",
    [
        damage_config, damage_kind, damage_json, damage_weights, damage_to_pickle, damage_half, damage_tokenizer,
        damage_image,
    ],
)  # fmt: skip
def test_a_folder_that_is_no_whole_model_is_refused(
    pretrained: Path, tmp_path: Path, damage: Callable[[Path], None], method: str
) -> None:
    folder = Path(shutil.copytree(pretrained, tmp_path / "my-model"))
    damage(folder)
    data = write_rows(tmp_path / "data.jsonl", rows_of(40, 23))
    files = new_run(tmp_path / "run", data, model=str(folder), method=method)
    with pytest.raises(ForgeError) as refused:
        train(files)
    assert "my-model" in refused.value.what
    assert refused.value.why and "\n" not in refused.value.why
    assert "config.json, model.safetensors and the tokenizer files" in refused.value.fix


def test_an_adapter_whose_base_model_is_gone_says_so(pretrained: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(pretrained, tmp_path / "base"))
    data = write_rows(tmp_path / "data.jsonl", rows_of(40, 24))
    files = new_run(tmp_path / "run", data, model=str(base), method="lora", settings={"max_steps": 1})
    train(files)
    shutil.move(base, tmp_path / "moved")
    with pytest.raises(ForgeError) as refused:
        answers(files, [{"text": "fine"}])
    assert "base" in refused.value.what + refused.value.why and refused.value.fix


# --- pairs of texts ----------------------------------------------------------------------------------------------


def test_pairs_are_learned_and_predicted(tmp_path: Path) -> None:
    rows = [
        {"first": first["text"], "second": second["text"], "relation": second["label"]}
        for first, second in zip(rows_of(120, 25), rows_of(120, 26), strict=True)
    ]
    files = new_run(
        tmp_path / "run",
        write_rows(tmp_path / "pairs.jsonl", rows),
        task="sentence-pair-classification",
        columns={"premise": "first", "hypothesis": "second", "label": "relation"},
        settings={"max_steps": 30},
    )
    train(files)
    report = report_of(files)
    assert next(iter(report["metrics"])) == next(iter(report["baseline"])) == "accuracy"
    assert report["metrics"]["accuracy"] > 0.9
    said = answers(files, rows[:20])
    assert sum(a["prediction"] == row["relation"] for a, row in zip(said, rows, strict=False)) > 15
    assert " ‖ " in events_of(files, "sample")[0]["input"]
    with pytest.raises(ForgeError) as refused:
        answers(files, [{"first": "only one"}])
    assert "'second'" in refused.value.what


def test_settings_under_their_other_names_reach_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`max_seq_length` is `max_length`: a text is cut at the same place when it is predicted."""
    rows = rows_of(40, 27)
    files = new_run(tmp_path / "run", write_rows(tmp_path / "data.jsonl", rows), settings={"max_steps": 2})
    files.spec.write_text(files.spec.read_text().replace("max_length = 16", "max_seq_length = 8"))
    train(files)
    text = "great lovely superb fine happy great"
    short, long = answers(files, [{"text": text}, {"text": text + " broken" * 50}])
    assert short["probabilities"] == pytest.approx(long["probabilities"], abs=1e-6)


# --- as the app starts it ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_and_its_predictions_in_processes_of_their_own(tmp_path: Path, repository: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", rows_of(60, seed=28))
    files = new_run(tmp_path / "run", data, settings={"max_steps": 20})
    environment = {**os.environ, "PYTHONPATH": str(repository), "PYTHONSAFEPATH": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "backends", str(files.folder)], env=environment, cwd=files.folder, timeout=120
    )
    assert ended.returncode == 0
    assert events_of(files, "phase")[0]["name"] == "loading-data"
    asked = "".join(json.dumps(row) + "\n" for row in rows_of(9, seed=29))
    told = subprocess.run(
        [sys.executable, "-m", "backends.predict", str(files.folder)],
        env=environment,
        input=asked.encode(),
        capture_output=True,
        timeout=120,
    )
    assert told.returncode == 0
    said = [json.loads(line)["prediction"] for line in told.stdout.splitlines()]
    assert said == [row["label"] for row in rows_of(9, seed=29)]


# --- several labels, weights and long texts -------------------------------------------------------------------------


def several_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Texts of no, one or two kinds of words, with the kinds as a list of labels."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        labels = chance.sample(sorted(WORDS), chance.choice([0, 1, 2]))
        words = [chance.choice(WORDS[label]) for label in labels for _ in range(3)]
        rows.append({"text": " ".join(words or ["nothing"]), "label": labels})
    return rows


def test_any_number_of_labels_is_learned_and_predicted(tmp_path: Path) -> None:
    from sklearn.metrics import f1_score

    held_out = several_rows(60, 31)
    both = [
        new_run(
            tmp_path / name,
            write_rows(tmp_path / "data.jsonl", several_rows(160, 30)),
            eval_data=str(write_rows(tmp_path / "held-out.jsonl", held_out)),
            settings={"max_steps": 60, "eval_steps": 20},
        )
        for name in ("whole", "parted")
    ]
    train(both[0])
    train(both[1], stop_at=30)
    train(both[1], attempt=2)
    assert_same_run(*both)
    report = report_of(both[0])
    assert list(report["metrics"])[:2] == list(report["baseline"])[:2] == ["f1_macro", "f1_micro"]
    assert set(report["baselines"]) == {"most frequent labels", "TF-IDF + logistic regression"}
    said = answers(both[0], held_out)
    coded = [[[name in row for name in sorted(WORDS)] for row in rows] for rows in (
        [row["label"] for row in held_out], [answer["prediction"] for answer in said],
    )]  # fmt: skip
    for average in ("macro", "micro"):
        by_hand = f1_score(*coded, average=average, zero_division=0)
        assert report["metrics"][f"f1_{average}"] == pytest.approx(by_hand, abs=1e-9)
    assert report["metrics"]["f1_macro"] > 0.9
    parts = report["by_type"].values()
    assert sum(each["f1"] for each in parts) / len(parts) == pytest.approx(report["metrics"]["f1_macro"])
    assert report["held_out"]["mistakes"] == round((1 - report["metrics"]["accuracy"]) * len(held_out))
    assert any(not answer["prediction"] for answer in said), "no label is an answer too"
    assert events_of(both[0], "sample")[0]["expected"] in (", ".join(held_out[0]["label"]), "no label")


def test_labels_may_be_divided_by_a_sign(tmp_path: Path) -> None:
    rows = [{**row, "label": "; ".join(row["label"]) or "blame"} for row in several_rows(60, 32)]
    files = new_run(
        tmp_path / "run",
        write_rows(tmp_path / "data.jsonl", rows),
        settings={"max_steps": 2},
        preparation={"label_separator": ";"},
    )
    train(files)
    assert set(answers(files, rows[:1])[0]["probabilities"]) == set(WORDS)
    assert "3 labels, any number for each row" in notices(files)


@pytest.mark.parametrize("several", [False, True])
def test_balanced_weights_count_every_class_alike(several: bool) -> None:
    import torch

    from backends.text_targets import OneClass, SeveralLabels

    names, labels = ("a", "b"), ["a"] * 9 + ["b"]
    logits = torch.randn(10, 2, generator=torch.Generator().manual_seed(1))
    outputs = type("Outputs", (), {"logits": logits})
    if several:
        target: Any = SeveralLabels(names, balanced=True)
        labels = [(label,) for label in labels]
        coded = torch.tensor([target.code(label) for label in labels])
        parts = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, coded, reduction="none", pos_weight=torch.tensor([1 / 9, 9.0])
        )
        expected = parts.mean()
    else:
        target = OneClass(names, balanced=True)
        coded = torch.tensor([target.code(label) for label in labels])
        each = torch.nn.functional.cross_entropy(logits, coded, reduction="none")
        expected = (each[:9].mean() + each[9]) / 2
    loss = target.loss(labels)
    assert loss(outputs, coded).item() == pytest.approx(expected.item(), abs=1e-6)
    items = coded.numel()
    halves = [type("Outputs", (), {"logits": logits[part]}) for part in (slice(0, 5), slice(5, 10))]
    added = sum(loss(half, coded[part], items) for half, part in zip(halves, (slice(0, 5), slice(5, 10))))
    assert added.item() == pytest.approx(expected.item(), abs=1e-6), "accumulated batches add up to the whole"


def test_balanced_weights_find_the_rare_class(tmp_path: Path) -> None:
    rows = [row for row in rows_of(90, 33, ("praise", "blame")) if row["label"] == "praise"]
    rows += [{"text": row["text"], "label": "blame"} for row in rows[:5]]  # one in ten, and no word tells them apart
    data = write_rows(tmp_path / "data.jsonl", rows)
    shares = []
    for chosen in ("none", "balanced"):
        files = new_run(tmp_path / chosen, data, settings={"max_steps": 15, "class_weights": chosen})
        train(files)
        shares.append(sum(answer["probabilities"]["blame"] for answer in answers(files, rows)) / len(rows))
    assert shares[1] > 10 * shares[0]


@pytest.mark.parametrize("way", ["tail", "head+tail", "windows"])
def test_what_decides_is_found_wherever_it_stands(tmp_path: Path, way: str) -> None:
    """The deciding words are the last of a long text, which `head` never sees."""
    rows = rows_of(80, 34, ("praise", "blame"))
    for row in rows:
        row["text"] = "window " * 20 + row["text"]
    held_out = rows_of(30, 35, ("praise", "blame"))
    for row in held_out:
        row["text"] = "window " * 20 + row["text"]
    files = new_run(
        tmp_path / "run",
        write_rows(tmp_path / "data.jsonl", rows),
        eval_data=str(write_rows(tmp_path / "held-out.jsonl", held_out)),
        settings={"max_steps": 40, "long_texts": way},
    )
    train(files)
    report = report_of(files)
    assert report["metrics"]["accuracy"] > 0.9 and "fill max_length = 16" in notices(files)
    said = [answer["prediction"] for answer in answers(files, held_out)]
    by_hand = scores_by_hand([row["label"] for row in held_out], said)
    assert report["metrics"]["accuracy"] == pytest.approx(by_hand["accuracy"], abs=1e-9)


def test_long_texts_are_cut_as_chosen_with_their_marks() -> None:
    from backends.encoders import train_tokenizer
    from backends.long_texts import read_texts

    tokenizer = train_tokenizer([" ".join(str(number) for number in range(40))] * 3, True)
    words = [(" ".join(f"{number}" for number in range(10, 40)),), ("11 12",)]
    whole = tokenizer(words[0][0])["input_ids"]
    first, last = whole[0], whole[-1]

    def ids(way: str) -> list[list[int]]:
        read, owners = read_texts(tokenizer, words, 10, way)
        assert owners[-1] == 1 and set(owners[:-1]) == {0}
        assert all(len(row["attention_mask"]) == len(row["input_ids"]) for row in read)
        assert read[-1]["input_ids"] == tokenizer("11 12")["input_ids"]
        return [row["input_ids"] for row in read[:-1]]

    assert ids("head") == [[first, *whole[1:9], last]]
    assert ids("tail") == [[first, *whole[-9:-1], last]]
    assert ids("head+tail") == [[first, *whole[1:3], *whole[-7:-1], last]]
    windows = ids("windows")
    assert all(row[0] == first and row[-1] == last and len(row) == 10 for row in windows)
    assert windows[0][1:-1] == whole[1:9] and windows[-1][1:-1] == whole[-9:-1]
    assert {token for row in windows for token in row} == set(whole)


def test_pairs_have_no_tail(tmp_path: Path) -> None:
    rows = [{"first": "one", "second": "two", "relation": "ab"[number % 2]} for number in range(40)]
    files = new_run(
        tmp_path / "run",
        write_rows(tmp_path / "pairs.jsonl", rows),
        task="sentence-pair-classification",
        columns={"premise": "first", "hypothesis": "second", "label": "relation"},
        settings={"max_steps": 1, "long_texts": "tail"},
    )
    with pytest.raises(ForgeError, match="not for pairs"):
        train(files)


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_a_number_is_learned_and_predicted_in_its_own_unit(tmp_path: Path) -> None:
    """Each good word is worth 50, each bad one takes 50, around 1,000."""
    chance = random.Random(40)
    rows = []
    for _ in range(150):
        good = chance.randint(0, 4)
        words = chance.sample(WORDS["praise"] * 2, good) + chance.sample(WORDS["blame"] * 2, 4 - good)
        rows.append({"text": " ".join(chance.sample(words, 4)), "score": str(1000 + 50 * (2 * good - 4))})
    both = [
        new_run(
            tmp_path / name,
            write_rows(tmp_path / "data.jsonl", rows),
            task="text-regression",
            columns={"text": "text", "target": "score"},
            eval_data=str(write_rows(tmp_path / "held-out.jsonl", rows[:50])),
            settings={"max_steps": 60, "eval_steps": 15},
        )
        for name in ("whole", "parted")
    ]
    train(both[0])
    train(both[1], stop_at=25)
    train(both[1], attempt=2)
    assert_same_run(*both)
    report = report_of(both[0])
    assert list(report["metrics"]) == ["rmse", "mse", "mae", "r2", "eval_loss"]
    assert set(report["baselines"]) == {"mean", "TF-IDF + ridge regression"}
    assert report["metrics"]["r2"] > 0.8 and report["metrics"]["rmse"] < report["baselines"]["mean"]["rmse"] / 2
    said = [answer["prediction"] for answer in answers(both[0], rows[:50])]
    errors = [one - float(row["score"]) for one, row in zip(said, rows, strict=False)]
    assert report["metrics"]["rmse"] == pytest.approx((sum(e * e for e in errors) / 50) ** 0.5, rel=1e-4)
    told = [e["values"]["rmse"] for e in events_of(both[0], "metrics") if "rmse" in e["values"]]
    assert report["best"]["rmse"] == pytest.approx(min(told)), "the lowest error is the best"
