"""Texts into classes by the words of labels: scored as a model writes them, learned, resumed, kept and refused."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.checkpoints import latest_checkpoint
from backends.contract import DataError, ForgeError, RunFiles, RunSpec, read_json, read_spec
from backends.events import EventWriter
from backends.job import Job
from backends.options import parse_settings
from backends.registry import find_task
from backends.signals import StopControl

WORDS = {
    "good": "great lovely superb fine happy".split(),
    "good_sound": "loud drum bass tone song".split(),
    "small_talk": "purple seven window river cloud".split(),
}
QUICK = {"max_length": 16, "learning_rate": 3e-3, "per_device_train_batch_size": 8, "max_steps": 12, "eval_steps": 6}
METHODS = ("lora", "qlora", "prompt-tuning", "prefix-tuning")


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


# --- models, data and runs ---------------------------------------------------------------------------------------


def rows_of(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Two to five words of a class each."""
    chance = random.Random(seed)
    labels = [tuple(WORDS)[number % len(WORDS)] for number in range(count)]
    return [{"text": " ".join(chance.choices(WORDS[each], k=chance.randint(2, 5))), "label": each} for each in labels]


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from backends.decoders import train_byte_tokenizer

    return train_byte_tokenizer((" ".join(row.values()) for row in rows_of(300)), 320)


def tiny(tokenizer: Any, kind: str) -> Any:
    """A network of random weights, of its kind, in which words count far more than in one that was just made."""
    import torch
    import transformers

    sizes = {"vocab_size": len(tokenizer), "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    more: dict[str, dict[str, Any]] = {
        "llama": {"num_key_value_heads": 1, "intermediate_size": 64},
        "mistral": {"num_key_value_heads": 1, "intermediate_size": 64, "sliding_window": 6},
        "gpt2": {"n_positions": 48},
        "opt": {"ffn_dim": 64, "max_position_embeddings": 48, "word_embed_proj_dim": 64},
        "bloom": {},
    }
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(kind, **sizes, **more[kind])
    config.pad_token_id, config.eos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights), alpha=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tiny(tokenizer, "llama").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data") / "rows.jsonl", rows_of(120))


def new_run(folder: Path, data: Path, **spec: Any) -> RunFiles:
    folder.mkdir(parents=True)
    files = RunFiles(folder)
    standard = {
        "name": "texts",
        "task": "text-classification",
        "method": "full",
        "model": "preset:gpt-1m",
        "columns": {"text": "text", "label": "label"},
        "strategy": "label-words",
    }
    settings = {**QUICK, **spec.pop("settings", {})}
    files.spec.write_text(tomli_w.dumps(RunSpec(data=str(data), settings=settings, **{**standard, **spec}).to_tables()))
    return files


def train(files: RunFiles, attempt: int = 1, stop_at: int | None = None) -> None:
    """Do what `python -m backends` does; with `stop_at` a stop is asked for when the loss of that step is told."""
    from backends.label_words import train as run

    spec = read_spec(files.spec)
    task = find_task(spec.task, spec.strategy)
    step, checkpoint = (latest_checkpoint(files.checkpoints) or (0, None)) if attempt > 1 else (0, None)
    control = StopControl()

    class Watched(EventWriter):
        def emit(self, kind: str, **fields: Any) -> None:
            super().emit(kind, **fields)
            if kind == "metrics" and fields["step"] == stop_at:
                control.stop_requested = True

    run(
        Job(
            files,
            spec,
            task,
            parse_settings(task.options, spec.settings),
            Watched(files.events),
            control,
            step,
            checkpoint,
        )
    )


def events_of(files: RunFiles, kind: str) -> list[dict[str, Any]]:
    return [each for each in map(json.loads, files.events.read_text().splitlines()) if each["kind"] == kind]


def notices(files: RunFiles) -> str:
    return "\n".join(each["message"] for each in events_of(files, "notice"))


def report_of(files: RunFiles) -> dict[str, Any]:
    return dict(read_json(files.report) or {})


def answers(files: RunFiles, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    from backends.label_words import predict

    return list(predict(files.model, iter(rows)))


# --- scores ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "method"),
    [(kind, "full") for kind in ("llama", "mistral", "gpt2", "opt", "bloom")]
    + [(kind, method) for kind in ("llama", "gpt2") for method in ("lora", "prompt-tuning", "prefix-tuning")],
)
def test_labels_are_scored_as_the_model_would_write_them(tokenizer: Any, kind: str, method: str) -> None:
    import torch

    from backends.label_scores import label_scores, words_of
    from backends.options.sorting import LabelWordsOptions
    from backends.tuning import LANGUAGE_MODEL, Base, tune

    model = tiny(tokenizer, kind)
    if method != "full":
        model = tune(Base(tokenizer, model), LANGUAGE_MODEL, method, LabelWordsOptions(num_virtual_tokens=3)).eval()
        with torch.no_grad():
            for weights in model.parameters():
                if weights.requires_grad:
                    weights.add_(torch.randn_like(weights), alpha=0.3)
    words = words_of(tokenizer, tuple(WORDS), "label:")
    assert words.has_ends and words.tokens[1][:-1][: len(words.tokens[0]) - 1] == words.tokens[0][:-1]
    asked = [words.asked(tokenizer(text)["input_ids"]) for text in ("great", "river cloud seven window song", "")]
    lengths = torch.tensor([len(each) for each in asked])
    ids = torch.full((len(asked), int(lengths.max())), tokenizer.pad_token_id)
    for row, each in enumerate(asked):
        ids[row, : len(each)] = torch.tensor(each)
    with torch.no_grad():
        found = label_scores(model, words, ids, lengths)
        for row, before in enumerate(asked):
            for label, tokens in enumerate(words.tokens):
                whole = torch.tensor([[*before, *tokens]])
                shares = model(input_ids=whole, attention_mask=torch.ones_like(whole)).logits[0].log_softmax(-1)
                shares = shares[-len(whole[0]) :]
                wanted = sum(float(shares[len(before) + at - 1, token]) for at, token in enumerate(tokens))
                assert float(found[row, label]) == pytest.approx(wanted, abs=2e-4)


def test_a_pass_takes_as_many_words_of_labels_as_there_is_room_for(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from backends import label_scores

    model = tiny(tokenizer, "llama")
    words = label_scores.words_of(tokenizer, [f"{one} {two}" for one in WORDS["good"] for two in WORDS["good"]], "is")
    assert not words.has_ends
    ids = torch.tensor([words.asked(tokenizer("great song")["input_ids"])] * 2)
    lengths = torch.tensor([ids.shape[1]] * 2)
    widths: list[int] = []
    model.get_input_embeddings().register_forward_hook(lambda words, given, said: widths.append(given[0].shape[1]))
    with torch.no_grad():
        at_once = label_scores.label_scores(model, words, ids, lengths)
        nodes = {each[:size] for each in words.tokens for size in range(1, len(each))}
        assert widths == [ids.shape[1], len(nodes)], "the texts are read once, and what labels begin with too"
        monkeypatch.setattr(label_scores, "_MOST_LOGITS", 1)
        one_by_one = label_scores.label_scores(model, words, ids, lengths)
    assert len(widths) > 4
    assert torch.allclose(at_once, one_by_one, atol=1e-4)


def test_labels_that_look_alike_to_the_tokenizer_are_refused(tokenizer: Any) -> None:
    from backends.label_scores import spelled, words_of

    assert spelled(["card_lost", "top_up"]) == ["card lost", "top up"]
    assert spelled(["card_lost", "card lost"]) == ["card_lost", "card lost"]

    class Deaf:
        eos_token_id = 0

        def __call__(self, text: str, **how: Any) -> dict[str, list[int]]:
            return {"input_ids": [1] * len(text.split())}

    with pytest.raises(ForgeError, match="cannot tell the label 'b'"):
        words_of(Deaf(), ["a", "b"], "label:")


# --- training ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, data: Path) -> RunFiles:
    files = new_run(tmp_path_factory.mktemp("runs") / "learned", data, settings={"max_steps": 40, "eval_steps": 20})
    train(files)
    return files


def test_a_preset_learns_to_write_labels_and_says_no_other(learned: RunFiles) -> None:
    report = report_of(learned)
    assert report["metrics"]["f1_macro"] > 0.9
    assert set(report["baselines"]) == {"majority class", "TF-IDF + logistic regression"}
    assert {each["name"] for each in report["confusion"]["classes"]} == set(WORDS)
    assert report["held_out"]["rows"] == 24
    assert "3 labels of 2 to" in notices(learned) and "their end is learned too" in notices(learned)
    found = answers(learned, [*rows_of(9, seed=5), {"text": "nothing of the kind"}])
    assert sum(each["prediction"] == row["label"] for each, row in zip(found, rows_of(9, seed=5))) >= 8
    for each in found:
        assert set(each["probabilities"]) == set(WORDS) and sum(each["probabilities"].values()) == pytest.approx(1)
        assert each["probability"] == max(each["probabilities"].values())


def test_what_is_predicted_is_what_the_evaluation_said(learned: RunFiles) -> None:
    rows = [json.loads(line) for line in (learned.folder / "predictions.jsonl").read_text().splitlines()]
    found = answers(learned, [{"text": row["input"]} for row in rows])
    for each, row in zip(found, rows, strict=True):
        assert each["prediction"] == row["predicted"]
        assert each["probability"] == pytest.approx(row["probability"], abs=1e-4)


def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path, data: Path) -> None:
    whole, parted = (new_run(tmp_path / name, data, settings={"class_weights": "balanced"}) for name in ("a", "b"))
    train(whole)
    train(parted, stop_at=5)
    train(parted, attempt=2)
    told = [
        {each["step"]: each["values"]["loss"] for each in events_of(files, "metrics") if "loss" in each["values"]}
        for files in (whole, parted)
    ]
    assert set(told[0]) == set(told[1]) == set(range(1, 13))
    assert all(told[1][step] == pytest.approx(loss, abs=1e-5) for step, loss in told[0].items())
    assert report_of(parted)["metrics"] == pytest.approx(report_of(whole)["metrics"], abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_learns_saves_and_answers(tmp_path: Path, data: Path, base: Path, method: str) -> None:
    files = new_run(
        tmp_path / "run", data, model=str(base), method=method, settings={"max_steps": 4, "num_virtual_tokens": 4}
    )
    train(files)
    assert (files.model / "adapter_config.json").exists()
    assert "base model" in report_of(files)["baselines"]
    rows = [json.loads(line) for line in (files.folder / "predictions.jsonl").read_text().splitlines()]
    found = answers(files, [{"text": rows[0]["input"]}])
    assert found[0]["probability"] == pytest.approx(rows[0]["probability"], abs=1e-3)


def test_loss_lies_on_the_words_of_the_label_alone(tokenizer: Any, tmp_path: Path) -> None:
    """The first loss that is told is that of the words of the labels of all batches of the step, each counted once."""
    import torch

    from backends.label_scores import words_of

    model = tiny(tokenizer, "gpt2")
    for dropout in (each for each in model.modules() if isinstance(each, torch.nn.Dropout)):
        dropout.p = 0.0
    for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop"):
        setattr(model.config, name, 0.0)
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    rows = rows_of(30)
    own, other = write_rows(tmp_path / "own.jsonl", rows), write_rows(tmp_path / "other.jsonl", rows_of(9, seed=1))
    settings = {"per_device_train_batch_size": 5, "gradient_accumulation_steps": 6, "max_steps": 1}
    files = new_run(tmp_path / "run", own, eval_data=str(other), model=str(tmp_path / "base"), settings=settings)
    train(files)
    words = words_of(tokenizer, tuple(WORDS), "label:")
    total = count = 0.0
    for row in rows:
        tokens = words.tokens[words.classes.index(row["label"])]
        whole = torch.tensor([[*words.asked(tokenizer(row["text"])["input_ids"]), *tokens]])
        labels = whole.clone()
        labels[:, : -len(tokens)] = -100
        with torch.no_grad():
            total += float(model(input_ids=whole, labels=labels).loss) * len(tokens)
        count += len(tokens)
    assert events_of(files, "metrics")[0]["values"]["loss"] == pytest.approx(total / count, rel=1e-4)


def test_long_texts_are_read_as_far_as_places_go(tmp_path: Path, tokenizer: Any) -> None:
    tiny(tokenizer, "gpt2").save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    rows = [{"text": f"{row['text']} river " * 12, "label": row["label"]} for row in rows_of(60)]
    files = new_run(
        tmp_path / "run",
        write_rows(tmp_path / "rows.jsonl", rows),
        model=str(tmp_path / "base"),
        settings={"max_length": 64, "long_texts": "windows", "max_steps": 1, "label_score": "mean"},
    )
    train(files)
    assert "the model reads" in notices(files) and "so max_length is" in notices(files)
    assert "windows that overlap" in notices(files)
    assert len(answers(files, rows[:2])) == 2


def test_rows_with_several_labels_and_models_that_cannot_write_are_refused(tmp_path: Path, tokenizer: Any) -> None:
    import transformers

    several = [{"text": row["text"], "label": ["good", row["label"]]} for row in rows_of(60)]
    files = new_run(tmp_path / "several", write_rows(tmp_path / "rows.jsonl", several))
    with pytest.raises(DataError, match="several labels") as refused:
        train(files)
    assert "--strategy head" in refused.value.fix
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    files = new_run(tmp_path / "encoder", write_rows(tmp_path / "one.jsonl", rows_of(60)), model=str(tmp_path / "bert"))
    with pytest.raises(ForgeError, match="cannot write"):
        train(files)
