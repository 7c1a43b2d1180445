"""What a run does by itself: on when memory runs out, stopped when the loss is lost, the same after a stop."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.checkpoints import latest_checkpoint, sealed_checkpoints
from backends.contract import ForgeError, RunFiles, RunSpec, read_json, read_spec
from backends.events import EventWriter
from backends.job import Job
from backends.options import parse_settings
from backends.out_of_memory import train_with_room
from backends.registry import find_task
from backends.signals import StopControl

QUICK = {
    "max_length": 16,
    "learning_rate": 2e-3,
    "per_device_train_batch_size": 8,
    "num_virtual_tokens": 4,
    "max_steps": 12,
    "eval_steps": 4,
    "lora_r": 4,
}
WORDS = {"praise": "great lovely superb fine happy", "blame": "awful broken poor sad ugly"}


@pytest.fixture(scope="module", autouse=True)
def one_cpu_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny BERT without a head for classes."""
    import torch
    import transformers

    from backends.encoders import train_tokenizer

    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    tokenizer = train_tokenizer([" ".join(WORDS.values())] * 3, True)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=32,
        pad_token_id=0,
    )
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Rows of two classes with texts of very different length; a share of the labels is wrong."""
    chance = random.Random(3)
    rows = []
    for number in range(90):
        label = list(WORDS)[number % 2]
        text = " ".join(chance.choices(WORDS[label].split(), k=chance.choice([1, 3, 9])))
        rows.append({"text": text, "label": chance.choice(list(WORDS)) if chance.random() < 0.2 else label})
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def new_run(
    folder: Path,
    data: Path,
    model: Any = "preset:tiny-encoder",
    method: str = "full",
    held_out: Path | None = None,
    **more: Any,
) -> RunFiles:
    folder.mkdir()
    files = RunFiles(folder)
    spec = RunSpec(
        name="safe",
        task="text-classification",
        method=method,
        model=str(model),
        data=str(data),
        eval_data=str(held_out) if held_out else None,
        columns={"text": "text", "label": "label"},
        settings={**QUICK, **more},
    )
    files.spec.write_text(tomli_w.dumps(spec.to_tables()))
    return files


def train(files: RunFiles, attempt: int = 1, stop_at: int | None = None) -> None:
    """Do what `python -m backends` does; with `stop_at` a stop is asked for when the loss of that step is told."""
    from backends.text_classification import train as run

    spec = read_spec(files.spec)
    task = find_task(spec.task)
    step, checkpoint = (latest_checkpoint(files.checkpoints) or (0, None)) if attempt > 1 else (0, None)
    control = StopControl()

    class Events(EventWriter):
        def emit(self, kind: str, **fields: Any) -> None:
            super().emit(kind, **fields)
            if kind == "metrics" and fields["step"] == stop_at:
                control.stop_requested = True

    events = Events(files.events)
    events.emit("attempt", n=attempt, from_step=step)
    options = parse_settings(task.options, spec.settings)
    train_with_room(run, Job(files, spec, task, options, events, control, step, checkpoint, attempt))


def events_of(files: RunFiles, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in files.events.read_text().splitlines()]
    return [event for event in found if event["kind"] == kind]


def losses(files: RunFiles) -> dict[int, float]:
    return {e["step"]: e["values"]["loss"] for e in events_of(files, "metrics") if "loss" in e["values"]}


def report_of(files: RunFiles) -> dict[str, Any]:
    return read_json(files.report) or {}


def warnings(files: RunFiles) -> str:
    return "\n".join(e["message"] for e in events_of(files, "notice") if e["level"] == "warning")


# --- memory --------------------------------------------------------------------------------------------------------


def full_memory(monkeypatch: pytest.MonkeyPatch, most_rows: int, from_step: int = 0, scoring: bool = False) -> None:
    """Let batches of more rows than that fail as on a full GPU, once that step is done."""
    import torch
    from transformers import Trainer

    name = "prediction_step" if scoring else "training_step"
    real = getattr(Trainer, name)

    def limited(self: Any, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        if self.state.global_step >= from_step and len(inputs["input_ids"]) > most_rows:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return real(self, model, inputs, *rest, **more)

    limited.__name__ = name
    monkeypatch.setattr(Trainer, name, limited)


def test_a_full_memory_halves_the_rows_and_goes_on_from_the_start(
    tmp_path: Path, data: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shutil.copytree(bert, tmp_path / "no-dropout")
    config = json.loads((model / "config.json").read_text())
    without = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (model / "config.json").write_text(json.dumps({**config, **without}))
    whole = new_run(tmp_path / "whole", data, model)
    train(whole)
    full_memory(monkeypatch, most_rows=2)
    files = new_run(tmp_path / "run", data, model)
    train(files)
    told = report_of(files)["out_of_memory"]
    assert told["settings"] == {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    assert "from the start with per_device_train_batch_size = 4 and gradient_accumulation_steps = 2" in warnings(files)
    assert "per_device_train_batch_size = 2 and gradient_accumulation_steps = 4" in warnings(files)
    assert [event["from_step"] for event in events_of(files, "attempt")] == [0, 0, 0]
    assert losses(files) == pytest.approx(losses(whole), abs=1e-4), "a step is made of the same rows as before"
    assert events_of(files, "finished") and report_of(files)["details"]["steps"] == 12


def test_a_memory_that_fills_later_costs_no_step_before_the_checkpoint(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_memory(monkeypatch, most_rows=4, from_step=6)
    files = new_run(tmp_path / "run", data)
    train(files)
    assert [event["from_step"] for event in events_of(files, "attempt")] == [0, 4]
    assert report_of(files)["out_of_memory"]["from_step"] == 4
    assert "from step 4" in warnings(files) and losses(files).keys() == set(range(1, 13))


def test_a_later_attempt_begins_with_the_rows_that_had_room(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_memory(monkeypatch, most_rows=4)
    files = new_run(tmp_path / "run", data)
    train(files, stop_at=6)
    train(files, attempt=2)
    assert len(events_of(files, "attempt")) == 3 and warnings(files).count("memory of the GPU is full") == 1
    assert losses(files).keys() == set(range(1, 13)) and events_of(files, "finished")


def test_a_memory_full_of_an_evaluation_halves_what_is_scored_at_once(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_memory(monkeypatch, most_rows=8, scoring=True)
    files = new_run(tmp_path / "run", data)
    train(files)
    assert report_of(files)["out_of_memory"]["settings"] == {"per_device_eval_batch_size": 8}
    assert events_of(files, "finished")


def test_no_room_for_one_row_ends_the_run(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from backends.failures import explain

    full_memory(monkeypatch, most_rows=0)
    files = new_run(tmp_path / "run", data, per_device_train_batch_size=6)
    with pytest.raises(torch.cuda.OutOfMemoryError) as full:
        train(files)
    tried = report_of(files)["out_of_memory"]["settings"]
    assert tried == {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 6}
    assert "gradient_checkpointing" in explain(full.value, files).fix


# --- lost weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["loss", "gradient"])
def test_a_loss_that_is_lost_ends_the_run_before_it_is_saved(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    import torch
    from transformers import Trainer

    real = Trainer.training_step

    def broken(self: Any, model: Any, *rest: Any, **more: Any) -> Any:
        loss = real(self, model, *rest, **more)
        if self.state.global_step == 7 and lost == "loss":
            return loss * float("nan")
        if self.state.global_step == 7:
            next(model.parameters()).grad.fill_(torch.inf)
        return loss

    monkeypatch.setattr(Trainer, "training_step", broken)
    files = new_run(tmp_path / "run", data, logging_steps=100)
    with pytest.raises(ForgeError) as ended:
        train(files)
    assert f"the {lost} of step 8 is" in ended.value.what
    assert "learning_rate = 0.002" in ended.value.why and "the checkpoint of step 4" in ended.value.why
    assert "--set learning_rate=0.0002" in ended.value.fix
    assert [step for step, _ in sealed_checkpoints(files.checkpoints)] == [4]
    assert not files.model.exists()


# --- stopped and resumed, by every method ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["full", "lora", "qlora", "prompt-tuning", "prefix-tuning"])
def test_every_method_learns_resumes_and_predicts(tmp_path: Path, data: Path, bert: Path, method: str) -> None:
    """The stop falls inside an epoch, between two evaluations, with dropout at work."""
    import torch
    from safetensors.torch import load_file

    from backends.text_classification import predict

    rate = 1e-3 if method == "full" else 1e-2
    both = [
        new_run(tmp_path / name, data, bert, method, data, max_steps=20, eval_steps=8, learning_rate=rate)
        for name in ("whole", "parted")
    ]
    train(both[0])
    train(both[1], stop_at=10)
    train(both[1], attempt=2)
    assert [event["from_step"] for event in events_of(both[1], "attempt")] == [0, 11]
    assert losses(both[1]) == pytest.approx(losses(both[0]), abs=1e-5)
    assert report_of(both[1])["metrics"] == pytest.approx(report_of(both[0])["metrics"], abs=1e-5)
    name = "model.safetensors" if method == "full" else "adapter_model.safetensors"
    first, second = (load_file(files.model / name) for files in both)
    assert first.keys() == second.keys()
    assert all(torch.allclose(first[key], second[key], atol=1e-5, rtol=0) for key in first)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    said = [answer["prediction"] for answer in predict(both[1].model, iter(rows))]
    right = sum(answer == row["label"] for answer, row in zip(said, rows, strict=True)) / len(rows)
    assert right == pytest.approx(report_of(both[1])["metrics"]["accuracy"], abs=1e-9)


@pytest.mark.parametrize("kind", ["preset", "lora"])
def test_added_tokens_are_known_after_a_stop_and_to_predict(tmp_path: Path, data: Path, bert: Path, kind: str) -> None:
    from transformers import AutoTokenizer

    from backends.text_classification import predict

    model, method = ("preset:tiny-encoder", "full") if kind == "preset" else (bert, "lora")
    settings = {"max_steps": 8, "eval_steps": 4, "added_tokens": "<A>,<B>"}
    both = [new_run(tmp_path / name, data, model, method, data, **settings) for name in ("whole", "parted")]
    train(both[0])
    train(both[1], stop_at=5)
    train(both[1], attempt=2)
    assert losses(both[1]) == pytest.approx(losses(both[0]), abs=1e-5)
    tokenizer = AutoTokenizer.from_pretrained(both[1].model)
    assert {"<A>", "<B>"} < set(tokenizer.tokenize("x<A>y<B>z"))
    said = [next(predict(files.model, iter([{"text": "<A> x <B>"}]))) for files in both]
    assert said[0]["prediction"] == said[1]["prediction"]


def test_added_vectors_leave_less_room_for_the_text(tmp_path: Path, data: Path, bert: Path) -> None:
    """The base has 32 places."""
    files = new_run(tmp_path / "run", data, bert, "prompt-tuning", max_length=64, max_steps=2)
    train(files)
    told = "\n".join(event["message"] for event in events_of(files, "notice"))
    assert "the model reads 28 tokens at most, so max_length is 28 and not 64" in told
    assert (read_json(files.model / "classes.json") or {})["max_length"] == 28
