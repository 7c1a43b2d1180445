"""Language models: what bears loss, what is learned, written, resumed and refused; on CPU and in this process."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
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

QUICK = {
    "max_length": 64, "learning_rate": 1e-2, "per_device_train_batch_size": 16, "gradient_accumulation_steps": 1,
    "sample_tokens": 8, "gradient_checkpointing": False,
}  # fmt: skip
COLOURS = {"grass": "green", "snow": "white", "coal": "black", "blood": "red", "gold": "yellow", "sky": "blue"}


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


# --- data, models and runs -----------------------------------------------------------------------------------------


def rows_of(count: int) -> list[dict[str, str]]:
    """A thing and its colour, asked in two ways."""
    chance = random.Random(1)
    asked = ("Which colour has {}?", "Tell me the colour of {}.")
    things = [chance.choice(list(COLOURS)) for _ in range(count)]
    return [{"q": chance.choice(asked).format(thing), "a": f"It is {COLOURS[thing]}."} for thing in things]


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def tokenizer_of_words(template: str | None = None) -> Any:
    """A byte-level tokenizer trained on the rows of these tests."""
    from backends.decoders import train_byte_tokenizer

    made = train_byte_tokenizer((text for row in rows_of(60) for text in row.values()), 400)
    made.chat_template = template
    return made


def local_model(folder: Path, tokenizer: Any = None, **changes: Any) -> Path:
    """A tiny Llama from random weights in a folder of its own."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = tokenizer if tokenizer is not None else tokenizer_of_words()
    config = LlamaConfig(
        hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        max_position_embeddings=256,
        **{"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, **changes},
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def new_run(folder: Path, data: Path, **spec: Any) -> RunFiles:
    """A run folder with its spec; settings are added to the quick ones."""
    folder.mkdir(parents=True)
    files = RunFiles(folder)
    settings = {**QUICK, **spec.pop("settings", {})}
    standard = {
        "name": "words",
        "task": "text-generation",
        "strategy": "sft",
        "method": "full",
        "model": "preset:gpt-1m",
        "columns": {"question": "q", "answer": "a"},
    }
    files.spec.write_text(tomli_w.dumps(RunSpec(data=str(data), settings=settings, **{**standard, **spec}).to_tables()))
    return files


class WatchedEvents(EventWriter):
    """An event log whose every event is also given to `seen`."""

    seen: Callable[[str, dict[str, Any]], None] = staticmethod(lambda kind, fields: None)

    def emit(self, kind: str, **fields: Any) -> None:
        super().emit(kind, **fields)
        self.seen(kind, fields)


def train(files: RunFiles, attempt: int = 1, stop_at: int | None = None) -> None:
    """Do what `python -m backends` does; with `stop_at` a stop is asked for when the loss of that step is told."""
    import importlib

    spec = read_spec(files.spec)
    task = find_task(spec.task, spec.strategy)
    step, checkpoint = (latest_checkpoint(files.checkpoints) or (0, None)) if attempt > 1 else (0, None)
    events, control = WatchedEvents(files.events), StopControl()
    events.emit("attempt", n=attempt, from_step=step)

    def ask_to_stop(kind: str, fields: dict[str, Any]) -> None:
        if kind == "metrics" and fields["step"] == stop_at:
            control.stop_requested = True

    events.seen = ask_to_stop  # type: ignore[method-assign]
    job = Job(files, spec, task, parse_settings(task.options, spec.settings), events, control, step, checkpoint)
    importlib.import_module(task.module).train(job)


def events_of(files: RunFiles, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in files.events.read_text().splitlines()]
    return [event for event in found if event["kind"] == kind]


def values(files: RunFiles, name: str) -> dict[int, float]:
    return {e["step"]: e["values"][name] for e in events_of(files, "metrics") if name in e["values"]}


def notices(files: RunFiles) -> str:
    return "\n".join(event["message"] for event in events_of(files, "notice"))


def report_of(files: RunFiles) -> dict[str, Any]:
    report = read_json(files.report)
    assert report is not None
    return report


def answer(files: RunFiles, question: str) -> str:
    from backends.sft import predict

    return str(next(predict(files.model, iter([{"q": question}])))["prediction"])


@pytest.fixture(scope="module")
def module_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("language")


@pytest.fixture(scope="module")
def data(module_path: Path) -> Path:
    return write_rows(module_path / "rows.jsonl", rows_of(120))


@pytest.fixture(scope="module")
def base(module_path: Path) -> Path:
    return local_model(module_path / "base")


@pytest.fixture(scope="module")
def scratch(module_path: Path, data: Path) -> RunFiles:
    """A finished run from random weights."""
    files = new_run(module_path / "scratch", data, settings={"max_steps": 120, "eval_steps": 60, "learning_rate": 4e-3})
    train(files)
    return files


# --- what bears loss -----------------------------------------------------------------------------------------------

MARKED = (
    "{% for m in messages %}{% if m.role == 'assistant' %}A:{% generation %}{{ m.content }}<|im_end|>"
    "{% endgeneration %}{% else %}{{ m.role }}:{{ m.content }}<|im_end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}A:{% endif %}"
)
UNMARKED = MARKED.replace("{% generation %}", "").replace("{% endgeneration %}", "")
ENDLESS = UNMARKED.replace("<|im_end|>", " ")


def talk() -> Any:
    from backends.formats.conversations import Turn
    from backends.formats.language import Example

    return Example(
        (
            Turn("system", "Be short.", False),
            Turn("user", "Which colour has grass?", False),
            Turn("assistant", "It is green.", True),
            Turn("user", "And snow?", False),
            Turn("assistant", "It is white.", True),
        )
    )


@pytest.mark.parametrize("template", [None, MARKED, UNMARKED], ids=["built-in", "marked", "unmarked"])
def test_loss_lies_on_every_answer_with_its_end_and_on_nothing_else(base: Path, template: str | None) -> None:
    from transformers import AutoModelForCausalLM

    from backends.chat_rows import chat_format, encode

    tokenizer = tokenizer_of_words(template)
    found, _ = chat_format(tokenizer, AutoModelForCausalLM.from_pretrained(base))
    row = encode(found, talk())
    said = tokenizer.decode([label for label in row.labels if label != -100])
    assert said == "It is green.<|im_end|>It is white.<|im_end|>"
    wanted = [len(tokenizer(text)["input_ids"]) + 1 for text in ("It is green.", "It is white.")]
    assert row.learned == sum(wanted)
    assert all(label in (-100, number) for label, number in zip(row.labels, row.input_ids, strict=True))


def test_a_template_that_ends_no_turn_gets_the_end_of_text(base: Path) -> None:
    from transformers import AutoModelForCausalLM

    from backends.chat_rows import chat_format, encode

    tokenizer = tokenizer_of_words(ENDLESS)
    found, told = chat_format(tokenizer, AutoModelForCausalLM.from_pretrained(base))
    row = encode(found, talk())
    assert row.labels[-1] == tokenizer.eos_token_id
    assert "does not mark the answers" in told[0]


def test_a_template_that_hides_an_answer_drops_the_row_and_one_that_refuses_all_ends_the_run(
    tmp_path: Path, data: Path
) -> None:
    refusing = "{{ raise_exception('only poems') }}"
    folder = local_model(tmp_path / "base", tokenizer_of_words(refusing))
    files = new_run(tmp_path / "run", data, model=str(folder), settings={"max_steps": 2})
    with pytest.raises(DataError) as caught:
        train(files)
    assert "only poems" in str(caught.value.why)


def test_long_rows_are_cut_or_dropped_and_counted(base: Path) -> None:
    from transformers import AutoModelForCausalLM

    from backends.chat_rows import chat_format, encode_rows

    found, _ = chat_format(tokenizer_of_words(), AutoModelForCausalLM.from_pretrained(base))
    whole = len(encode_rows(found, [talk()], 1_000, False).rows[0].input_ids)
    cut = encode_rows(found, [talk(), talk()], whole - 5, False)
    assert (cut.cut, cut.too_long, len(cut.rows)) == (2, 0, 2)
    assert len(cut.rows[0].input_ids) == whole - 5
    dropped = encode_rows(found, [talk(), talk()], whole - 5, True)
    assert (dropped.cut, dropped.too_long, len(dropped.rows)) == (0, 2, 0)
    assert encode_rows(found, [talk()], 5, False).too_long == 1  # nothing of an answer is left


# --- from random weights -------------------------------------------------------------------------------------------


def test_a_preset_learns_to_answer_and_to_stop(scratch: RunFiles) -> None:
    report = report_of(scratch)
    assert list(report["metrics"]) == ["eval_loss", "perplexity", "token_accuracy"]
    assert report["metrics"]["token_accuracy"] > 0.95
    assert report["metrics"]["perplexity"] == pytest.approx(math.exp(report["metrics"]["eval_loss"]))
    assert set(report["baseline"]) == set(report["metrics"])
    assert report["metrics"]["eval_loss"] < report["baseline"]["eval_loss"]
    assert answer(scratch, "Which colour has snow?") == "It is white."
    assert answer(scratch, "Tell me the colour of coal.") == "It is black."


def test_its_folder_can_be_read_by_every_program(scratch: RunFiles) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(scratch.model)
    assert "generation %}" not in tokenizer.chat_template
    model = AutoModelForCausalLM.from_pretrained(scratch.model)
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Which colour has gold?"}], add_generation_prompt=True, return_tensors="pt",
        return_dict=True,
    )  # fmt: skip
    said = model.generate(**ids, max_new_tokens=20, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert tokenizer.decode(said, skip_special_tokens=True) == "It is yellow."
    assert len(said) < 20  # it stopped by itself


def test_each_evaluation_shows_answers_and_the_log_counts_what_is_learned(scratch: RunFiles) -> None:
    shown = events_of(scratch, "sample")
    assert {event["step"] for event in shown} == {60, 120}
    assert shown[-1]["output"] == shown[-1]["expected"]
    assert "bear loss" in notices(scratch)
    assert any(event["tokens_per_second"] for event in events_of(scratch, "metrics"))


# --- methods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path, data: Path, base: Path, method: str
) -> None:
    settings = {"max_steps": 8, "eval_steps": 4, "max_length": 32}
    whole, parted = (
        new_run(tmp_path / name, data, model=str(base), method=method, settings=settings)
        for name in ("whole", "parted")
    )
    train(whole)
    train(parted, stop_at=3)
    assert not parted.model.exists()
    train(parted, attempt=2)
    one, other = values(whole, "loss"), values(parted, "loss")
    assert one == pytest.approx(other, abs=1e-5)
    assert report_of(whole)["metrics"] == pytest.approx(report_of(parted)["metrics"], abs=1e-5)


@pytest.mark.parametrize("method", ["lora", "qlora", "prompt-tuning", "prefix-tuning"])
def test_each_method_learns_saves_and_answers(tmp_path: Path, data: Path, base: Path, method: str) -> None:
    rate = {"lora": 1e-2, "qlora": 1e-2}.get(method, 0.1)
    settings = {"max_steps": 12, "eval_steps": 6, "learning_rate": rate, "max_length": 48}
    files = new_run(tmp_path / "run", data, model=str(base), method=method, settings=settings)
    train(files)
    losses = list(values(files, "loss").values())
    assert losses[-1] < losses[0]
    assert (files.model / "adapter_model.safetensors").exists()
    assert not (files.model / "model.safetensors").exists()
    assert isinstance(answer(files, "Which colour has snow?"), str)


def test_prefixes_are_learned_where_nothing_is_said_of_activations(tmp_path: Path, data: Path, base: Path) -> None:
    import tomllib

    settings = {"max_steps": 2, "eval_steps": 2, "max_length": 48}
    files = new_run(tmp_path / "run", data, model=str(base), method="prefix-tuning", settings=settings)
    tables = tomllib.loads(files.spec.read_text())
    del tables["settings"]["gradient_checkpointing"]
    files.spec.write_text(tomli_w.dumps(tables))
    train(files)
    assert (files.model / "adapter_model.safetensors").exists()
    asked = new_run(
        tmp_path / "asked",
        data,
        model=str(base),
        method="prefix-tuning",
        settings={**settings, "gradient_checkpointing": True},
    )
    with pytest.raises(ForgeError, match="prefix-tuning cannot make activations again"):
        train(asked)


def test_added_tokens_are_read_and_written(tmp_path: Path, base: Path, data: Path) -> None:
    """The base keeps what is read and what is written apart, and loss is made without its own last layer."""
    import torch

    from backends.tuning import LANGUAGE_MODEL, load_finished

    settings = {"max_steps": 4, "eval_steps": 4, "max_length": 48, "added_tokens": ["green", "snow"]}
    both = [
        new_run(tmp_path / name, data, model=str(base), method="lora", settings=settings)
        for name in ("whole", "parted")
    ]
    train(both[0])
    train(both[1], stop_at=1)
    train(both[1], attempt=2)
    assert values(both[1], "loss") == pytest.approx(values(both[0], "loss"), abs=1e-5)
    tokenizer, model = load_finished(both[1].model, LANGUAGE_MODEL)
    numbers = tokenizer.convert_tokens_to_ids(["green", "snow"])
    assert "2 of 2 added_tokens are new" in notices(both[1])
    whole = model.merge_and_unload()
    for layer in (whole.get_input_embeddings(), whole.get_output_embeddings()):
        one, other = layer.weight[numbers]
        assert not torch.allclose(one, other, atol=1e-4), "both began as the mean"
    assert isinstance(answer(both[1], "Which colour has grass?"), str)


def test_an_adapter_goes_on_or_is_made_one_with_its_base(tmp_path: Path, data: Path, base: Path) -> None:
    settings = {"max_steps": 6, "eval_steps": 6, "max_length": 48}
    first = new_run(tmp_path / "first", data, model=str(base), method="lora", settings=settings)
    train(first)
    second = new_run(tmp_path / "second", data, model=str(first.model), method="lora", settings=settings)
    train(second)
    learned = report_of(first)["metrics"]["eval_loss"]
    assert report_of(second)["metrics"]["eval_loss"] < learned
    settings_of = read_json(second.model / "adapter_config.json")
    assert settings_of is not None and settings_of["base_model_name_or_path"] == str(base)
    third = new_run(tmp_path / "third", data, model=str(first.model), settings=settings)
    train(third)
    assert (third.model / "model.safetensors").exists()
    assert report_of(third)["metrics"]["eval_loss"] < learned
    other = new_run(tmp_path / "other", data, model=str(first.model), method="prompt-tuning", settings=settings)
    with pytest.raises(ForgeError) as caught:
        train(other)
    assert "--method lora" in caught.value.fix


def test_rows_that_share_a_place_do_not_see_each_other(tmp_path: Path, base: Path, data: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base).eval()
    one, other = torch.arange(5, 25), torch.arange(40, 55)
    with torch.inference_mode():
        alone = [model(input_ids=each[None]).logits[0] for each in (one, other)]
        places = torch.cat([torch.arange(len(one)), torch.arange(len(other))])
        ids = torch.cat([one, other])[None]
        packed = model(input_ids=ids, position_ids=places[None], use_cache=False).logits[0]
    assert torch.allclose(torch.cat(alone), packed, atol=1e-5)
    files = new_run(
        tmp_path / "run", data, model=str(base), settings={"packing": True, "max_steps": 4, "eval_steps": 2}
    )
    train(files)
    assert report_of(files)["metrics"]["eval_loss"] > 0


# --- plain texts ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained(module_path: Path) -> RunFiles:
    """A run that learned a few sentences from random weights."""
    text = module_path / "text.txt"
    chance = random.Random(2)
    said = [f"The {thing} is {colour}." for thing, colour in COLOURS.items()]
    text.write_text("\n\n".join(" ".join(chance.choices(said, k=40)) for _ in range(20)))
    settings = {"max_steps": 30, "eval_steps": 10, "max_length": 32, "per_device_train_batch_size": 8}
    files = new_run(module_path / "pretrained", text, strategy="pretrain", columns={"text": "text"}, settings=settings)
    train(files)
    return files


def test_plain_texts_are_learned_from_random_weights(pretrained: RunFiles) -> None:
    perplexities = list(values(pretrained, "perplexity").values())
    assert perplexities == sorted(perplexities, reverse=True)
    metrics = report_of(pretrained)["metrics"]
    assert report_of(pretrained)["memory"]["measured_peak_bytes"] > 10**7
    assert list(metrics) == ["eval_loss", "perplexity", "bits_per_byte", "token_accuracy"]
    assert metrics["eval_loss"] < report_of(pretrained)["baseline"]["eval_loss"] + 1
    assert 0 < metrics["bits_per_byte"] < 8
    assert "tokens of text for each of" in notices(pretrained)


def test_it_goes_on_with_a_beginning(pretrained: RunFiles) -> None:
    from backends.pretrain import predict

    said = next(predict(pretrained.model, iter([{"text": "The snow is"}])))["prediction"]
    assert any(colour in said for colour in COLOURS.values())


def test_what_was_pretrained_learns_to_answer(tmp_path: Path, pretrained: RunFiles, data: Path) -> None:
    files = new_run(
        tmp_path / "run",
        data,
        model=str(pretrained.model),
        settings={"max_steps": 80, "eval_steps": 40, "learning_rate": 4e-3},
    )
    train(files)
    report = report_of(files)
    assert report["metrics"]["eval_loss"] < report["baselines"]["unigram model"]["eval_loss"] / 2


# --- what is repaired and refused ----------------------------------------------------------------------------------


def test_an_encoder_is_refused(tmp_path: Path, data: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    tokenizer = tokenizer_of_words()
    folder = tmp_path / "bert"
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertForMaskedLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with pytest.raises(ForgeError) as caught:
        train(new_run(tmp_path / "run", data, model=str(folder)))
    assert "cannot write texts" in caught.value.what


def test_a_tokenizer_without_end_and_padding_is_repaired_from_its_words(tmp_path: Path, data: Path) -> None:
    tokenizer = tokenizer_of_words()
    tokenizer.eos_token = tokenizer.pad_token = None
    folder = local_model(tmp_path / "base", tokenizer, eos_token_id=None)
    files = new_run(tmp_path / "run", data, model=str(folder), settings={"max_steps": 2, "eval_steps": 2})
    train(files)
    assert "names no end token; <|endoftext|> is taken" in notices(files)
    assert "names no padding token; <|pad|>" in notices(files)


def test_a_tokenizer_that_has_no_end_at_all_is_refused() -> None:
    from types import SimpleNamespace

    from backends.decoders import repair_tokenizer

    tokenizer = tokenizer_of_words()
    tokenizer.eos_token = None
    words = {name: number for name, number in tokenizer.get_vocab().items() if not name.startswith("<|")}
    tokenizer.get_vocab = lambda: words
    silent = SimpleNamespace(eos_token_id=None)
    model = SimpleNamespace(generation_config=silent, config=silent)
    with pytest.raises(ForgeError) as caught:
        repair_tokenizer(tokenizer, model, "/models/silent")
    assert "no end token" in caught.value.what


def test_a_vocabulary_larger_than_the_model_gets_rows_for_the_rest(tmp_path: Path, data: Path) -> None:
    tokenizer = tokenizer_of_words()
    folder = local_model(tmp_path / "base", tokenizer, vocab_size=len(tokenizer) - 8)
    files = new_run(tmp_path / "run", data, model=str(folder), settings={"max_steps": 2, "eval_steps": 2})
    train(files)
    assert "was given the rest" in notices(files)


# --- small parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("6 * 7 = 42\n#### 42", "42"),
        ("So we get \\boxed{\\text{1,200}}.", "1200"),
        ("<answer> Paris </answer>", "paris"),
        ("Therefore the answer is 3.50.", "3.50"),
        ("It costs #### $1,000", "1000"),
        ("I do not know", None),
    ],
)
def test_final_answers(text: str, result: str | None) -> None:
    from backends.final_answers import final_answer

    assert final_answer(text) == result


def test_results_are_compared_by_value() -> None:
    from backends.final_answers import exact_match

    said = ["#### 3.50", "#### 12", "no idea", "#### 7"]
    assert exact_match(said, ["#### 3.5", "#### 13", "#### 1", "no result"]) == pytest.approx(1 / 3)


def test_counting_tokens_gives_the_loss_of_the_counts() -> None:
    from backends.token_models import token_models

    rows = [([0, 1, 2, 1, 2], [-100, 1, 2, 1, 2])] * 3
    found = token_models(rows, rows, 4)
    assert found["uniform"]["eval_loss"] == pytest.approx(math.log(4))
    counts = {1: 6, 2: 6}
    kinds, total = 2, 12
    shares = {token: (count + kinds / 4) / (total + kinds) for token, count in counts.items()}
    assert found["unigram"]["eval_loss"] == pytest.approx(-math.log(shares[1]) / 2 - math.log(shares[2]) / 2)
    assert found["bigram"]["token_accuracy"] == 1.0
    assert found["bigram"]["eval_loss"] < found["unigram"]["eval_loss"]


def test_sizes_follow_from_one_dial() -> None:
    from backends.decoders import PRESET_DEPTHS, Size, new_decoder, vocabulary_for
    from profiles.catalog import find_model

    for name, depth in PRESET_DEPTHS.items():
        size, model = Size(depth), find_model(name)
        assert model.shape is not None
        assert (model.shape.layers, model.shape.hidden, model.shape.intermediate) == (
            depth,
            size.hidden,
            size.intermediate,
        )
    tokenizer = tokenizer_of_words()
    small = new_decoder(tokenizer, Size(2))
    assert small.get_input_embeddings().num_embeddings % 64 == 0
    assert vocabulary_for(1_000, Size(2)) == 512
    assert vocabulary_for(10**9, Size(2)) == 4_096
