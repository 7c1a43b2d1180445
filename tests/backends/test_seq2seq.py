"""Texts from texts: what is learned, written, scored, resumed, predicted and refused; on CPU and in this process."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.checkpoints import latest_checkpoint
from backends.contract import DataError, ForgeError, RunFiles, RunSpec, UsageError, read_json, read_spec
from backends.events import EventWriter
from backends.job import Job
from backends.options import parse_settings
from backends.registry import JSON_METRICS, MEANING_METRIC, find_task
from backends.signals import StopControl

WORDS = {"red": "rot", "blue": "blau", "dog": "Hund", "cat": "Katze", "old": "alt", "tree": "Baum", "sees": "sieht"}
QUICK = {
    "max_length": 24, "max_target_length": 24, "learning_rate": 5e-3, "per_device_train_batch_size": 16,
    "max_eval_samples": 8,
}  # fmt: skip
Rows = list[dict[str, str]]


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
    return tmp_path_factory.mktemp("seq2seq")


# --- data and runs -----------------------------------------------------------------------------------------------


def rows_of(count: int, seed: int) -> Rows:
    """A few words and their translation, word by word."""
    chance = random.Random(seed)
    picked = [[chance.choice(list(WORDS)) for _ in range(chance.randint(2, 4))] for _ in range(count)]
    return [{"en": " ".join(words), "de": " ".join(WORDS[word] for word in words)} for words in picked]


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def new_run(folder: Path, data: Path, **spec: Any) -> RunFiles:
    """A run folder with its spec; settings are added to the quick ones."""
    folder.mkdir(parents=True)
    files = RunFiles(folder)
    settings = {**QUICK, **spec.pop("settings", {})}
    standard = {
        "name": "texts",
        "task": "translation",
        "method": "full",
        "model": "preset:tiny-encoder-decoder",
        "columns": {"source": "en", "target": "de"},
    }
    files.spec.write_text(tomli_w.dumps(RunSpec(data=str(data), settings=settings, **{**standard, **spec}).to_tables()))
    return files


class WatchedEvents(EventWriter):
    """An event log whose every event is also given to `seen`."""

    seen: Callable[[str, dict[str, Any]], None] = staticmethod(lambda kind, fields: None)

    def emit(self, kind: str, **fields: Any) -> None:
        super().emit(kind, **fields)
        self.seen(kind, fields)


def job_of(files: RunFiles, attempt: int = 1, stop_at: int | None = None) -> Job:
    spec = read_spec(files.spec)
    task = find_task(spec.task)
    step, checkpoint = (latest_checkpoint(files.checkpoints) or (0, None)) if attempt > 1 else (0, None)
    events, control = WatchedEvents(files.events), StopControl()
    events.emit("attempt", n=attempt, from_step=step)

    def ask_to_stop(kind: str, fields: dict[str, Any]) -> None:
        if kind == "metrics" and fields["step"] == stop_at:
            control.stop_requested = True

    events.seen = ask_to_stop  # type: ignore[method-assign]
    return Job(files, spec, task, parse_settings(task.options, spec.settings), events, control, step, checkpoint)


def train(files: RunFiles, attempt: int = 1, stop_at: int | None = None) -> Job:
    """Do what `python -m backends` does; with `stop_at` a stop is asked for when the loss of that step is told."""
    from backends.seq2seq import train as run

    job = job_of(files, attempt, stop_at)
    run(job)
    return job


def events_of(files: RunFiles, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in files.events.read_text().splitlines()]
    return [event for event in found if event["kind"] == kind]


def losses(files: RunFiles) -> dict[int, float]:
    return {e["step"]: e["values"]["loss"] for e in events_of(files, "metrics") if "loss" in e["values"]}


def notices(files: RunFiles) -> str:
    return "\n".join(event["message"] for event in events_of(files, "notice"))


def report_of(files: RunFiles) -> dict[str, Any]:
    report = read_json(files.report)
    assert report is not None
    return report


def answers(files: RunFiles, rows: Sequence[Any]) -> list[dict[str, Any]]:
    from backends.seq2seq import predict

    return list(predict(files.model, iter(rows)))


def weights(folder: Path, name: str = "model.safetensors") -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / name))


def local_model(folder: Path, kind: str, **changes: Any) -> Path:
    """A tiny model from random weights in a folder of its own, with a tokenizer of the words of these tests."""
    import torch
    import transformers

    from backends.encoder_decoders import writers_tokenizer

    torch.manual_seed(0)
    tokenizer = writers_tokenizer((text for row in rows_of(200, seed=5) for text in row.values()), lowercase=False)
    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    if kind == "t5":
        config: Any = transformers.T5Config(
            vocab_size=len(tokenizer), d_model=64, d_kv=32, d_ff=64, num_layers=1, num_heads=2,
            decoder_start_token_id=tokenizer.pad_token_id, **ends, **changes,
        )  # fmt: skip
        model: Any = transformers.T5ForConditionalGeneration(config)
    elif kind == "bart":
        config = transformers.BartConfig(
            vocab_size=len(tokenizer), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, bos_token_id=tokenizer.cls_token_id,
            decoder_start_token_id=tokenizer.eos_token_id, forced_eos_token_id=tokenizer.eos_token_id,
            **ends, **{"max_position_embeddings": 32, **changes},
        )  # fmt: skip
        model = transformers.BartForConditionalGeneration(config)
    elif kind == "bert":
        config = transformers.BertConfig(
            vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        )
        model = transformers.BertForMaskedLM(config)
    else:
        config = transformers.GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2)
        model = transformers.GPT2LMHeadModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(module_path: Path) -> Path:
    return write_rows(module_path / "train.jsonl", rows_of(240, seed=1))


@pytest.fixture(scope="module")
def held_out(module_path: Path) -> Path:
    return write_rows(module_path / "held-out.jsonl", rows_of(30, seed=2))


@pytest.fixture(scope="module")
def scratch(module_path: Path, data: Path, held_out: Path) -> RunFiles:
    """A finished run from scratch with evaluation rows of its own, of which few are scored while it trains."""
    settings = {"max_steps": 90, "eval_steps": 45, "max_eval_samples": 8}
    files = new_run(module_path / "scratch", data, eval_data=str(held_out), settings=settings)
    train(files)
    return files


# --- a whole run -------------------------------------------------------------------------------------------------


def test_the_phases_come_in_order_and_the_end_is_told(scratch: RunFiles) -> None:
    phases = [event["name"] for event in events_of(scratch, "phase")]
    assert phases == ["loading-model", "preparing", "baseline", "training", "evaluating", "saving", "done"]
    (end,) = events_of(scratch, "finished")
    report = report_of(scratch)
    assert (end["metrics"], end["baseline"]) == (report["metrics"], report["baseline"])
    evaluated = [event for event in events_of(scratch, "metrics") if "eval_loss" in event["values"]]
    assert [event["step"] for event in evaluated] == [45, 90]
    assert set(evaluated[0]["values"]) == {"eval_loss", "bleu", "chrf"}
    assert losses(scratch)[90] < 0.5 * losses(scratch)[1]
    assert report["memory"]["measured_peak_bytes"] > 50_000_000
    assert "8 of 30 evaluation rows are scored, at the end all" in notices(scratch)


def test_the_final_scores_are_those_of_predict_by_sacrebleu(scratch: RunFiles) -> None:
    import sacrebleu

    rows = rows_of(30, seed=2)
    said = [answer["prediction"] for answer in answers(scratch, rows)]
    truth = [[row["de"] for row in rows]]
    told = report_of(scratch)["metrics"]
    assert tuple(told) == ("bleu", "chrf", "eval_loss")
    assert told["chrf"] == pytest.approx(sacrebleu.corpus_chrf(said, truth).score)
    assert told["bleu"] == pytest.approx(sacrebleu.corpus_bleu(said, truth).score)
    assert told["chrf"] > 30  # so few steps end elsewhere on another processor
    assert report_of(scratch)["details"]["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a")


def test_all_rows_are_kept_to_read_with_their_own_scores(scratch: RunFiles) -> None:
    rows = [json.loads(line) for line in scratch.predictions.read_text().splitlines()]
    assert len(rows) == 30, "of those that were scored while it trained there were only 8"
    said = answers(scratch, [{"en": row["input"]} for row in rows])
    assert [row["predicted"] for row in rows] == [each["prediction"] for each in said]
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores)
    found = report_of(scratch)["scores_by_row"]
    assert found["metric"] == "chrf" and found["lowest"] == pytest.approx(scores[0], rel=1e-4)


def test_both_baselines_are_measured_first(scratch: RunFiles) -> None:
    import sacrebleu

    rows = rows_of(30, seed=2)
    baselines = report_of(scratch)["baselines"]
    assert list(baselines) == ["copied source", "target of the nearest source"]
    copied = sacrebleu.corpus_chrf([row["en"] for row in rows], [[row["de"] for row in rows]]).score
    assert baselines["copied source"]["chrf"] == pytest.approx(copied)
    assert baselines["target of the nearest source"]["chrf"] > 50


def test_samples_show_what_is_written_at_each_evaluation(scratch: RunFiles) -> None:
    samples = events_of(scratch, "sample")
    assert [sample["step"] for sample in samples] == [45] * 3 + [90] * 3
    pairs = {(row["en"], row["de"]) for row in rows_of(30, seed=2)}
    assert {(sample["input"], sample["expected"]) for sample in samples} <= pairs
    assert any(sample["output"] for sample in samples)


def test_rows_are_asked_by_their_column_or_by_the_only_one(scratch: RunFiles) -> None:
    by_name, alone = answers(scratch, [{"en": "red dog", "id": 3}, {"text": "red dog"}])
    assert by_name == alone
    assert by_name["source"] == "red dog"
    with pytest.raises(DataError, match="no column 'en'"):
        answers(scratch, [{"de": "rot", "id": "3"}])


@pytest.mark.parametrize(("task", "columns"), [("summarization", 2), ("text-to-text", 3)])
def test_the_other_tasks_have_their_scores_and_baselines(tmp_path: Path, data: Path, task: str, columns: int) -> None:
    files = new_run(tmp_path / "run", data, task=task, settings={"max_steps": 2})
    train(files)
    report = report_of(files)
    metrics = [name for name in find_task(task).metrics if name not in (*JSON_METRICS, MEANING_METRIC)]
    assert list(report["metrics"]) == [*metrics, "eval_loss"]
    assert len(report["baselines"]) == columns
    assert "| de |" not in files.readme.read_text() and find_task(task).metrics[0] in files.readme.read_text()


def test_targets_that_are_all_json_have_their_fields_scored(tmp_path: Path) -> None:
    rows = [{"en": row["en"], "de": json.dumps({"words": row["de"].split()})} for row in rows_of(40, seed=6)]
    files = new_run(
        tmp_path / "run", write_rows(tmp_path / "json.jsonl", rows), task="text-to-text", settings={"max_steps": 1}
    )
    train(files)
    report = report_of(files)
    assert list(report["metrics"])[:2] == list(report["baseline"])[:2] == ["field_f1", "json_valid"]
    assert list(report["best"]) == ["field_f1", "step"] and report["baseline_name"] == "target of the nearest source"
    nearest = report["baselines"]["target of the nearest source"]
    assert nearest["json_valid"] == 1.0 and 0 < nearest["field_f1"] <= 1
    assert report["baselines"]["copied source"]["json_valid"] == 0.0


def test_an_encoder_compares_the_meaning_where_it_is_named(tmp_path: Path, data: Path) -> None:
    from backends.bert_score import Meaning

    encoder = str(local_model(tmp_path / "bert", "bert"))
    files = new_run(tmp_path / "run", data, settings={"max_steps": 1, "bertscore_model": encoder})
    train(files)
    report = report_of(files)
    assert list(report["metrics"]) == ["bleu", "chrf", "bertscore", "eval_loss"]
    assert 0 < report["metrics"]["bertscore"] < 1 and list(report["baseline"]) == ["bleu", "chrf", "bertscore"]
    meaning = Meaning(encoder)
    assert meaning.score(["red dog", "old tree"], ["red dog", "old tree"]) == pytest.approx(1.0)
    one, other = ["red dog", "a"], ["blue tree sees", "old cat sees a tree"]
    assert meaning.score(one, other) == pytest.approx(
        (meaning.score(one[:1], other[:1]) + meaning.score(one[1:], other[1:])) / 2, abs=1e-5
    ), "padding counts for nothing"
    assert 0 <= meaning.score([""], ["red dog"]) < 1
    missing = new_run(tmp_path / "missing", data, settings={"bertscore_model": str(tmp_path / "none")})
    with pytest.raises(ForgeError, match="none cannot compare texts"):
        train(missing)


def test_a_question_about_the_source_is_read_before_it(tmp_path: Path) -> None:
    rows = [{"text": row["en"], "ask": f"which {n % 3}?", "answer": row["de"]} for n, row in enumerate(rows_of(40, 6))]
    columns = {"source": "text", "question": "ask", "target": "answer"}
    data = write_rows(tmp_path / "asked.jsonl", rows)
    files = new_run(tmp_path / "run", data, task="text-to-text", columns=columns, settings={"max_steps": 1})
    train(files)
    inputs = {sample["input"] for sample in events_of(files, "sample")}
    assert inputs <= {f"question: {row['ask']} context: {row['text']}" for row in rows}
    (answer,) = answers(files, [{"text": "red dog", "ask": "which 1?"}])
    assert answer["source"] == "question: which 1? context: red dog"
    with pytest.raises(DataError, match="no column 'ask'"):
        answers(files, [{"text": "red dog"}])


# --- stop and resume ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path: Path, data: Path, method: str) -> None:
    model = str(local_model(tmp_path / "base", "t5")) if method == "lora" else "preset:tiny-encoder-decoder"
    settings = {"num_train_epochs": 1.5, "eval_steps": 8, "per_device_train_batch_size": 16, "lora_r": 4}
    whole, parted = (
        new_run(tmp_path / name, data, method=method, model=model, settings=settings) for name in ("whole", "parted")
    )
    train(whole)
    train(parted, stop_at=13)
    assert not parted.report.exists() or "metrics" not in report_of(parted)
    resumed = train(parted, attempt=2)
    assert resumed.resume_step == 14
    after = [step for step in losses(whole) if step > 14]
    assert len(after) >= 4
    assert [losses(parted)[step] for step in after] == pytest.approx([losses(whole)[step] for step in after], abs=1e-5)
    name = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
    one, other = weights(whole.model, name), weights(parted.model, name)
    assert one.keys() == other.keys()
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-5
    assert report_of(whole)["metrics"] == pytest.approx(report_of(parted)["metrics"], abs=1e-5)
    assert answers(whole, rows_of(3, seed=9)) == answers(parted, rows_of(3, seed=9))


@pytest.mark.parametrize(
    ("method", "kind"),
    [("lora", "bart"), ("qlora", "t5"), ("prompt-tuning", "t5"), ("prompt-tuning", "bart"), ("prefix-tuning", "t5"),
     ("prefix-tuning", "bart")],
)  # fmt: skip
def test_every_method_writes_as_it_was_scored(tmp_path: Path, data: Path, method: str, kind: str) -> None:
    """The model of a folder is asked as it was at the last evaluation, with as many tokens as were asked for."""
    import sacrebleu

    model = local_model(tmp_path / "base", kind, **({"max_position_embeddings": 64} if kind == "bart" else {}))
    held_out = rows_of(12, seed=7)
    settings = {"max_steps": 4, "max_new_tokens": 30, "num_virtual_tokens": 4, "learning_rate": 0.05}
    settings |= {"label_smoothing_factor": 0.1, "gradient_accumulation_steps": 2, "generation_num_beams": 2}
    other = write_rows(tmp_path / "held-out.jsonl", held_out)
    spec = {"model": str(model), "method": method, "eval_data": str(other), "settings": settings}
    files = new_run(tmp_path / "run", data, **spec)
    train(files)
    said = [answer["prediction"] for answer in answers(files, held_out)]
    truth = [[row["de"] for row in held_out]]
    assert report_of(files)["metrics"]["chrf"] == pytest.approx(sacrebleu.corpus_chrf(said, truth).score)
    from backends.encoder_decoders import load_to_write

    assert losses(files)[1] == pytest.approx(report_of(files)["metrics"]["eval_loss"], rel=0.6), "a mean, not a sum"
    writer = load_to_write(files.model)[1]
    assert writer.get_base_model().generation_config.max_length == 31


def test_the_weights_of_the_best_evaluation_are_put_back(tmp_path: Path) -> None:
    import torch

    from backends.encoder_decoders import tiny_encoder_decoder, writers_tokenizer
    from backends.tuning import put_weights

    tokenizer = writers_tokenizer(["red dog"], lowercase=False)
    saved, other = tiny_encoder_decoder(tokenizer), tiny_encoder_decoder(tokenizer)
    saved.save_pretrained(tmp_path)
    put_weights(other, tmp_path)
    assert all(torch.equal(one, two) for one, two in zip(saved.parameters(), other.parameters(), strict=True))


def test_of_evaluations_that_score_nothing_the_last_is_kept(tmp_path: Path, data: Path) -> None:
    settings = {"max_steps": 4, "eval_steps": 2, "learning_rate": 1e-6}
    files = new_run(tmp_path / "run", data, settings=settings)
    train(files)
    report = report_of(files)
    assert report["best"] == {"bleu": 0.0, "step": 4}
    assert report["details"]["best_step"] == 4


# --- texts and models as they come -------------------------------------------------------------------------------


def test_texts_longer_than_the_model_reads_are_cut_and_told(tmp_path: Path) -> None:
    rows = [{"en": f"{row['en']} " * 40, "de": f"{row['de']} " * 40} for row in rows_of(30, seed=4)]
    model = local_model(tmp_path / "bart", "bart")
    settings = {"max_length": 512, "max_target_length": 64, "max_steps": 1}
    files = new_run(tmp_path / "run", write_rows(tmp_path / "long.jsonl", rows), model=str(model), settings=settings)
    train(files)
    told = notices(files)
    assert "the model has 32 places, so max_length is 32 and not 512" in told
    assert "the model has 32 places, so max_target_length is 32 and not 64" in told
    assert "15 of 15 training sources fill max_length = 32; the rest is cut" in told
    (answer,) = answers(files, rows[:1])
    assert answer["source"] == rows[0]["en"]


def test_rows_without_a_target_are_left_out(tmp_path: Path) -> None:
    rows = [*rows_of(30, seed=4), {"en": "red dog", "de": ""}, {"en": "old tree", "de": "  "}]
    files = new_run(tmp_path / "run", write_rows(tmp_path / "holes.jsonl", rows), settings={"max_steps": 1})
    train(files)
    assert "2 empty-target" in notices(files)
    assert "metrics" in report_of(files)


def test_a_tokenizer_without_a_padding_token_gets_one_or_is_refused(tmp_path: Path, data: Path) -> None:
    folder = local_model(tmp_path / "t5", "t5")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    files = new_run(tmp_path / "run", data, model=str(folder), settings={"max_steps": 1})
    train(files)
    assert answers(files, [{"en": "red dog"}, {"en": "old tree sees blue cat"}])
    for name in ("eos_token", "unk_token", "sep_token", "cls_token", "mask_token"):
        settings.pop(name, None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    refused = new_run(tmp_path / "refused", data, model=str(folder), settings={"max_steps": 1})
    with pytest.raises(ForgeError, match="has no padding token"):
        train(refused)
    assert not events_of(refused, "metrics")


@pytest.mark.parametrize(("kind", "why"), [("bert", "reads texts and cannot write"), ("gpt2", "no encoder of its own")])
def test_a_model_of_the_wrong_kind_is_refused(tmp_path: Path, data: Path, kind: str, why: str) -> None:
    files = new_run(tmp_path / "run", data, model=str(local_model(tmp_path / kind, kind)))
    with pytest.raises(ForgeError, match="is no encoder-decoder") as caught:
        train(files)
    assert why in caught.value.why and "T5, BART" in caught.value.fix


def test_unknown_characters_in_targets_are_told(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder = local_model(tmp_path / "t5", "t5")
    known = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS, *WORDS.values()])}
    words = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **ends).save_pretrained(folder)
    rows = [{**row, "de": f"{{ {row['de']} }}"} for row in rows_of(40, seed=3)]
    files = new_run(tmp_path / "run", write_rows(tmp_path / "braces.jsonl", rows), model=str(folder))
    files.spec.write_text(files.spec.read_text().replace("[settings]", "[settings]\nmax_steps = 1"))
    train(files)
    assert "40 of" in notices(files) and "are unknown to the tokenizer" in notices(files)


# --- what the model is told --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "columns", "settings", "prefix"),
    [
        ("summarization", ("en", "de"), {}, "summarize: "),
        ("translation", ("en", "de"), {}, "translate English to German: "),
        ("translation", ("a", "b"), {}, ""),
        ("translation", ("a", "b"), {"source_lang": "fr", "target_lang": "en"}, "translate French to English: "),
        ("translation", ("en", "de"), {"source_prefix": "off"}, ""),
        ("text-to-text", ("en", "de"), {"source_prefix": "fix grammar:"}, "fix grammar: "),
        ("text-to-text", ("en", "de"), {}, ""),
    ],
)
def test_t5_is_told_its_task_as_it_was_taught(
    tmp_path: Path, task: str, columns: tuple[str, str], settings: dict[str, Any], prefix: str
) -> None:
    from types import SimpleNamespace

    from backends.encoder_decoders import _language, prefix_for

    roles = dict(zip(("source", "target"), columns))
    job = job_of(new_run(tmp_path / "run", tmp_path, task=task, columns=roles, model="t5", settings=settings))
    t5, bart = (SimpleNamespace(config=SimpleNamespace(model_type=each)) for each in ("t5", "bart"))
    languages = _language(job, "source"), _language(job, "target")
    assert prefix_for(job, t5, *languages) == prefix
    assert prefix_for(job, bart, *languages) == (prefix if settings.get("source_prefix", "off") != "off" else "")


def test_the_prefix_is_kept_for_predicting(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = local_model(tmp_path / "t5", "t5")
    files = new_run(tmp_path / "run", data, model=str(model), settings={"max_steps": 1, "generation_num_beams": 2})
    train(files)
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(model)("translate English to German: ", add_special_tokens=False)
    assert read_json(files.model / "writing.json") == {
        "prefix": "translate English to German: ",
        "max_length": 24 + len(words["input_ids"]),
        "max_target_length": 24,
        "source_lang": None,
        "target_lang": None,
    }
    settings = read_json(files.model / "generation_config.json") or {}
    assert (settings["num_beams"], settings["max_length"]) == (2, 25)

    from backends.encoder_decoders import load_to_write

    tokenizer, *others = load_to_write(files.model)
    read: list[str] = []

    class Listening:
        """The tokenizer, with what it is given written down."""

        def __call__(self, texts: list[str], **how: Any) -> Any:
            read.extend(texts)
            return tokenizer(texts, **how)

        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

    monkeypatch.setattr("backends.seq2seq.load_to_write", lambda folder: (Listening(), *others))
    assert answers(files, [{"en": "red dog"}])[0]["source"] == "red dog"
    assert read == ["translate English to German: red dog"]


def test_what_a_model_brings_for_other_texts_is_taken_back(tmp_path: Path, data: Path) -> None:
    folder = local_model(tmp_path / "bart", "bart")
    config = read_json(folder / "generation_config.json") or {}
    config |= {"min_length": 20, "max_length": 30, "num_beams": 4, "length_penalty": 2.0, "no_repeat_ngram_size": 3}
    (folder / "generation_config.json").write_text(json.dumps(config))
    settings = {"max_steps": 1, "max_new_tokens": 5, "generation_num_beams": 3, "length_penalty": 0.5}
    files = new_run(tmp_path / "run", data, model=str(folder), settings=settings)
    train(files)
    kept = read_json(files.model / "generation_config.json") or {}
    wanted = {"min_length": 0, "max_length": 6, "num_beams": 3, "length_penalty": 0.5, "no_repeat_ngram_size": 3}
    assert {name: kept.get(name) for name in wanted} == wanted


def test_a_model_of_many_languages_is_told_which(tmp_path: Path, data: Path) -> None:
    import transformers

    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    letters = [(letter, -3.0) for letter in "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    folder = tmp_path / "mbart"
    tokenizer = transformers.MBartTokenizer(vocab=[*vocabulary, *letters])
    config = transformers.MBartConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=64,
    )  # fmt: skip
    transformers.MBartForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    files = new_run(tmp_path / "run", data, model=str(folder), settings={"max_steps": 1})
    train(files)
    writing = read_json(files.model / "writing.json") or {}
    assert (writing["source_lang"], writing["target_lang"]) == ("en_XX", "de_DE")
    started = read_json(files.model / "generation_config.json") or {}
    assert started["decoder_start_token_id"] == tokenizer.convert_tokens_to_ids("de_DE")
    assert answers(files, [{"en": "red dog"}])

    nameless = {"source": "a", "target": "b"}
    rows = write_rows(tmp_path / "ab.jsonl", [{"a": row["en"], "b": row["de"]} for row in rows_of(30, seed=1)])
    with pytest.raises(UsageError, match="Nothing says what language the source is"):
        train(new_run(tmp_path / "nameless", rows, model=str(folder), columns=nameless))


@pytest.mark.parametrize(
    ("wanted", "code"), [("de", "deu_Latn"), ("deu_Latn", "deu_Latn"), ("DE", "deu_Latn"), ("fr", "fra_Latn")]
)
def test_languages_are_found_by_their_short_names(wanted: str, code: str) -> None:
    from backends.encoder_decoders import required_language

    known = {"deu_Latn": 1, "fra_Latn": 2, "zho_Hans": 3, "zho_Hant": 4}
    assert required_language(known, wanted, "source") == code
    with pytest.raises(UsageError, match="source_lang = 'zh' is not possible") as caught:
        required_language(known, "zh", "source")
    assert "zho_Hans" in caught.value.fix
    with pytest.raises(UsageError, match="target_lang = 'xx'"):
        required_language(known, "xx", "target")


def test_a_model_made_of_two_has_the_places_of_each() -> None:
    from types import SimpleNamespace

    from backends.encoder_decoders import position_limits

    def limits(**config: Any) -> tuple[int | None, int | None]:
        return position_limits(SimpleNamespace(config=SimpleNamespace(to_dict=lambda: config)))

    assert limits(encoder={"max_position_embeddings": 512}, decoder={"max_position_embeddings": 128}) == (512, 128)
    assert limits(max_encoder_position_embeddings=16_384, max_decoder_position_embeddings=1_024) == (16_384, 1_024)
    assert limits(max_position_embeddings=1_024) == (1_024, 1_024)
    assert limits(relative_attention_num_buckets=32, n_positions=512) == (None, None)


# --- tokenizers of SentencePiece -----------------------------------------------------------------------------------


_MARIAN = {"layers": 1, "attention_heads": 2, "ffn_dim": 64}


def marian_model(folder: Path) -> Path:
    """A model as those of OPUS are: two files of pieces, a list of them, no tokenizer.json."""
    import sentencepiece
    from transformers import MarianConfig, MarianMTModel

    folder.mkdir()
    texts = folder / "texts.txt"
    texts.write_text("\n".join(f"{row['en']}\n{row['de']}" for row in rows_of(300, 5)))
    options = {"vocab_size": 60, "hard_vocab_limit": False, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(input=str(texts), model_prefix=str(folder / "source"), **options)
    pieces = [line.split("\t")[0] for line in (folder / "source.vocab").read_text().splitlines()]
    names = ["</s>", "<unk>", *(each for each in pieces if each not in ("<s>", "</s>", "<unk>")), "<pad>"]
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "MarianTokenizer"}')
    for rest in (texts, folder / "source.vocab"):
        rest.unlink()
    sizes = {f"{part}_{what}": size for part in ("encoder", "decoder") for what, size in _MARIAN.items()}
    pad = len(names) - 1
    config = MarianConfig(
        vocab_size=len(names), d_model=32, pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad, **sizes
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_tokenizer_in_two_files_of_pieces(tmp_path: Path, method: str) -> None:
    data = write_rows(tmp_path / "rows.jsonl", rows_of(120, 1))
    model = marian_model(tmp_path / "opus")
    files = new_run(tmp_path / "run", data, model=str(model), method=method, settings={"max_steps": 4})
    train(files)
    assert losses(files)[4] > 0 and {"source.spm", "target.spm"} <= {path.name for path in files.model.iterdir()}
    (told,) = answers(files, [{"source": "red dog"}])
    assert "▁" not in told["prediction"] and "<pad>" not in told["prediction"]
