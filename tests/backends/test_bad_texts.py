"""Bad data and unfit models for every task of texts: each is handled and told, or refused before training begins."""

from __future__ import annotations

import copy
import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.contract import ForgeError, RunFiles, RunSpec, read_json
from backends.events import EventWriter
from backends.job import Job
from backends.options import parse_settings
from backends.registry import find_task
from backends.signals import StopControl

Rows = list[dict[str, Any]]
WORDS = "Ann sees a red bus in Rome and takes the old road".split()
PAIR = "sentence-pair-classification"
QA = "extractive-question-answering"
WRITERS = ("text-to-text",)  # summaries and translations are trained by the same
KINDS = {
    **dict.fromkeys(("text-classification", PAIR, "text-regression", "token-classification", QA), "bert"),
    **dict.fromkeys(WRITERS, "t5"),
    **dict.fromkeys(("sft", "pretrain"), "gpt2"),
}
ROLES: dict[str, dict[str, str]] = {
    "text-classification": {"text": "text", "label": "label"},
    PAIR: {"premise": "text", "hypothesis": "other", "label": "label"},
    "text-regression": {"text": "text", "target": "number"},
    "token-classification": {"tokens": "words", "tags": "tags"},
    QA: {"context": "text", "question": "other", "answers": "answer"},
    **{task: {"source": "text", "target": "other"} for task in WRITERS},
    "sft": {"question": "other", "answer": "text"},
    "pretrain": {"text": "text"},
}


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
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes the folder of a tiny model of a kind, with or without tokens to pad with, once for each."""
    import torch
    import transformers

    from backends.encoder_decoders import writers_tokenizer

    tokenizer = writers_tokenizer([" ".join(WORDS)] * 4, False)
    ids = {
        "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    sizes: dict[str, dict[str, Any]] = {
        "bert": {
            "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
            "max_position_embeddings": 48,
        },
        "t5": {
            "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2,
            "decoder_start_token_id": tokenizer.pad_token_id,
        },
        "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 128},
        "vit": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    }  # fmt: skip
    classes = {"bert": "AutoModel", "t5": "AutoModelForSeq2SeqLM", "gpt2": "AutoModelForCausalLM", "vit": "AutoModel"}
    made: dict[tuple[str, bool], Path] = {}

    def folder(kind: str, pads: bool = True) -> Path:
        if (kind, pads) not in made:
            torch.manual_seed(0)
            path = tmp_path_factory.mktemp(kind)
            config = transformers.AutoConfig.for_model(kind, **(ids if kind != "vit" else {}), **sizes[kind])
            getattr(transformers, classes[kind]).from_config(config).save_pretrained(path)
            kept = copy.deepcopy(tokenizer)
            kept.save_pretrained(path)
            if not pads:
                settings = path / "tokenizer_config.json"
                known = json.loads(settings.read_text())
                settings.write_text(json.dumps({key: each for key, each in known.items() if "_token" not in key}))
            made[kind, pads] = path
        return made[kind, pads]

    return folder


def rows_of(count: int = 24, words: int = 6) -> Rows:
    """Rows that every task can use, each by its own columns."""
    rows = []
    for number in range(count):
        said = [WORDS[(number + place) % len(WORDS)] for place in range(words)]
        tags = ["B-person" if word == "Ann" else "B-place" if word == "Rome" else "O" for word in said]
        rows.append({
            "text": f"{' '.join(said)} {number}", "other": f"what is {said[0]} {number}", "label": "ab"[number % 2],
            "number": number, "words": said, "tags": tags, "answer": said[1],
        })  # fmt: skip
    return rows


def write(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run_of(folder: Path, task: str, rows: Rows, model: Path, evaluation: Rows | None = None, **settings: Any) -> Job:
    """The job of a single step; what the test is about comes before it."""
    name, strategy = ("text-generation", task) if task in ("sft", "pretrain") else (task, None)
    known = find_task(name, strategy)
    data = write(folder / "rows.jsonl", rows)
    other = write(folder / "evaluation.jsonl", evaluation) if evaluation else None
    (folder / "run").mkdir()
    files = RunFiles(folder / "run")
    small = {
        "max_steps": 1,
        "max_length": 96 if task in ("sft", "pretrain") else 32,
        "per_device_train_batch_size": 4,
        **settings,
    }
    spec = RunSpec(
        "bad", name, "full", str(model), str(data), eval_data=str(other) if other else None, columns=ROLES[task],
        settings=small, strategy=strategy or known.strategy,
    )  # fmt: skip
    files.spec.write_text(tomli_w.dumps(spec.to_tables()))
    return Job(
        files, spec, known, parse_settings(known.options, small), EventWriter(files.events), StopControl(), 0, None
    )


def train(job: Job) -> str:
    """Train, and return all that was told."""
    try:
        importlib.import_module(job.task.module).train(job)
    finally:
        os.close(job.events._descriptor)
    return told_by(job, "notice", "message")


def told_by(job: Job, kind: str, field: str) -> str:
    events = map(json.loads, job.files.events.read_text().splitlines())
    return "\n".join(str(event[field]) for event in events if event["kind"] == kind)


def refused(job: Job) -> ForgeError:
    """The refusal of a run, which says what, why and what to do, and comes before the first step."""
    with pytest.raises(ForgeError) as caught:
        train(job)
    assert caught.value.what and caught.value.why and caught.value.fix
    assert "training" not in told_by(job, "phase", "name").splitlines()
    return caught.value


def has_scores(job: Job) -> bool:
    report = read_json(job.files.report)
    return report is not None and bool(report["metrics"])


@pytest.mark.parametrize("task", KINDS)
def test_a_model_of_pictures_is_refused(task: str, folders: Any, tmp_path: Path) -> None:
    why = refused(run_of(tmp_path, task, rows_of(), folders("vit")))
    assert "vit" in why.what or "vit" in why.why


@pytest.mark.parametrize(
    ("task", "kind", "what"),
    [
        *[(task, kind, "is no encoder-decoder") for task in WRITERS for kind in ("bert", "gpt2")],
        *[(task, kind, "cannot write texts") for task in ("sft", "pretrain") for kind in ("bert", "t5")],
    ],
)  # fmt: skip
def test_a_model_that_reads_or_writes_otherwise_is_refused(
    task: str, kind: str, what: str, folders: Any, tmp_path: Path
) -> None:
    assert what in refused(run_of(tmp_path, task, rows_of(), folders(kind))).what


@pytest.mark.parametrize("task", KINDS)
def test_a_tokenizer_that_names_no_token_to_pad_with(task: str, folders: Any, tmp_path: Path) -> None:
    """A language model's is mended by the model's own settings, others are refused."""
    job = run_of(tmp_path, task, rows_of(), folders(KINDS[task], False))
    if task in ("sft", "pretrain"):
        told = train(job)
        assert "the tokenizer names no end token" in told and "names no padding token" in told and has_scores(job)
    else:
        why = refused(job)
        assert "has no padding token" in why.what and "pad_token" in why.fix


EMPTY: dict[str, tuple[str, Any, str]] = {
    "text-classification": ("label", "", "empty-label"),
    PAIR: ("label", None, "empty-label"),
    "text-regression": ("number", "", "empty-target"),
    "token-classification": ("tags", [], "empty-tags"),
    QA: ("answer", "Berlin", "answer-not-in-context"),
    **dict.fromkeys(WRITERS, ("other", " ", "empty-target")),
    "sft": ("text", "", "empty-answer"),
    "pretrain": ("text", "", "empty-text"),
}


@pytest.mark.parametrize("task", EMPTY)
def test_rows_without_a_target_are_left_out_and_told(task: str, folders: Any, tmp_path: Path) -> None:
    column, cell, code = EMPTY[task]
    rows = rows_of()
    rows[3][column] = rows[8][column] = cell
    job = run_of(tmp_path, task, rows, folders(KINDS[task]))
    assert f"2 {code}" in train(job)
    assert has_scores(job) and (read_json(job.files.data) or {})["dropped_rows"] == 2


@pytest.mark.parametrize("task", EMPTY)
def test_data_without_a_single_target_is_refused(task: str, folders: Any, tmp_path: Path) -> None:
    column, cell, _ = EMPTY[task]
    assert refused(run_of(tmp_path, task, [{**row, column: cell} for row in rows_of()], folders(KINDS[task])))


def test_tags_that_do_not_match_their_words_are_left_out_and_told(folders: Any, tmp_path: Path) -> None:
    rows = rows_of()
    rows[2]["tags"] = rows[2]["tags"][:-1]
    rows[7]["tags"] = [*rows[7]["tags"], "O"]
    job = run_of(tmp_path, "token-classification", rows, folders("bert"))
    assert "2 tags-not-aligned" in train(job) and has_scores(job)


UNSEEN = {
    "text-classification": ({"label": "new"}, "of classes that training never sees (new); they are left out"),
    PAIR: ({"label": "new"}, "of classes that training never sees (new); they are left out"),
    "token-classification": ({"tags": ["B-new", *["O"] * 5]}, "of types that training never sees (new); they are kept"),
    QA: ({"answer": ""}, "training has no question without an answer, but evaluation has"),
}


@pytest.mark.parametrize("task", UNSEEN)
def test_labels_of_evaluation_that_training_never_saw_are_told(task: str, folders: Any, tmp_path: Path) -> None:
    change, told = UNSEEN[task]
    evaluation = rows_of(8)
    evaluation[0] = {**evaluation[0], **change}
    job = run_of(tmp_path, task, rows_of(), folders("bert"), evaluation)
    assert told in train(job) and has_scores(job)


LONG = {
    **dict.fromkeys(("text-classification", PAIR, "text-regression"), "max_length = 32; the rest is cut"),
    **dict.fromkeys(("token-classification", QA), "longer than 32 tokens"),
    **dict.fromkeys(WRITERS, "training sources fill max_length = 32; the rest is cut"),
    "sft": "train rows are longer than 96 tokens; the rest is cut",
    "pretrain": "windows",
}


@pytest.mark.parametrize("task", LONG)
def test_texts_longer_than_is_read_at_once_are_told(task: str, folders: Any, tmp_path: Path) -> None:
    job = run_of(tmp_path, task, rows_of(words=90), folders(KINDS[task]))
    assert LONG[task] in train(job) and has_scores(job)


@pytest.mark.parametrize("task", [task for task in KINDS if KINDS[task] != "t5"])
def test_more_than_the_places_of_the_model_is_never_read_at_once(task: str, folders: Any, tmp_path: Path) -> None:
    """T5 has no places that end."""
    job = run_of(tmp_path, task, rows_of(words=90), folders(KINDS[task]), max_length=256)
    places = 48 if KINDS[task] == "bert" else 128
    assert f"the model reads {places} tokens at most, so max_length is {places} and not 256" in train(
        job
    ) and has_scores(job)


def test_a_language_model_writes_no_further_than_its_places(folders: Any) -> None:
    import transformers

    from backends.writing import generate

    tokenizer = transformers.AutoTokenizer.from_pretrained(folders("gpt2"))
    model = transformers.AutoModelForCausalLM.from_pretrained(folders("gpt2"))
    prompts = [[7 + n % 20 for n in range(300)], [9, 10]]
    written = list(generate(model, tokenizer, prompts, [tokenizer.eos_token_id], 500))
    assert all(0 < len(ids) <= 64 for ids in written)
    (again,) = generate(model, tokenizer, [prompts[0][-64:]], [tokenizer.eos_token_id], 64)
    assert written[0] == again  # of a prompt that is too long the end is read
