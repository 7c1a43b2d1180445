"""A tag for each word: what is learned, scored, resumed, predicted and refused; on CPU and mostly in this process."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.checkpoints import latest_checkpoint, sealed_checkpoints
from backends.contract import DataError, ForgeError, RunFiles, RunSpec, read_json, read_spec
from backends.events import EventWriter
from backends.formats.tagged import bio_violation
from backends.job import Job
from backends.options import parse_settings
from backends.registry import find_task
from backends.signals import StopControl

FILLER = "the new bus from old road goes to a hall and we see it by day".split()
NAMES = {"person": ["Ann", "Bob", "Eve Miller"], "place": ["Rome", "New York", "Oslo"]}
QUICK = {"max_length": 64, "learning_rate": 4e-3, "per_device_train_batch_size": 16, "logging_steps": 1}
SCORES = ("f1", "precision", "recall", "token_accuracy")

Rows = list[dict[str, list[str]]]


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
    return tmp_path_factory.mktemp("tagged")


# --- data and runs -----------------------------------------------------------------------------------------------


def rows_of(count: int, seed: int, kinds: Sequence[str] = tuple(NAMES), noise: float = 0.0) -> Rows:
    """A few common words, two names among them and a full stop; a share of the names is overlooked."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        words, tags = list[str](), list[str]()
        for _ in range(2):
            common = chance.sample(FILLER, 2)
            kind = chance.choice(kinds)
            name = chance.choice(NAMES[kind]).split()
            marks = [f"{'I' if place else 'B'}-{kind}" for place in range(len(name))]
            words += [*common, *name]
            tags += ["O", "O", *(["O"] * len(name) if chance.random() < noise else marks)]
        rows.append({"tokens": [*words, "."], "tags": [*tags, "O"]})
    return rows


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def new_run(folder: Path, data: Path, **spec: Any) -> RunFiles:
    """A run folder with its spec; settings are added to the quick ones."""
    folder.mkdir(parents=True)
    files = RunFiles(folder)
    settings = {**QUICK, **spec.pop("settings", {})}
    standard = {
        "name": "tagged",
        "task": "token-classification",
        "method": "full",
        "model": "preset:tiny-encoder",
        "columns": {"tokens": "tokens", "tags": "tags"},
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
    from backends.token_classification import train as run

    job = job_of(files, attempt, stop_at)
    run(job)
    return job


def events_of(files: RunFiles, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in files.events.read_text().splitlines()]
    return [event for event in found if event["kind"] == kind]


def losses(files: RunFiles) -> dict[int, float]:
    return {e["step"]: e["values"]["loss"] for e in events_of(files, "metrics") if "loss" in e["values"]}


def notices(files: RunFiles, level: str | None = None) -> str:
    return "\n".join(e["message"] for e in events_of(files, "notice") if level in (None, e["level"]))


def report_of(files: RunFiles) -> dict[str, Any]:
    report = read_json(files.report)
    assert report is not None
    return report


def answers(files: RunFiles, rows: Sequence[Any]) -> list[dict[str, Any]]:
    from backends.token_classification import predict

    return list(predict(files.model, iter(rows)))


def weights(folder: Path, name: str = "model.safetensors") -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / name))


def scores_by_hand(truth: list[list[str]], said: list[list[str]]) -> dict[str, float]:
    """The task's metrics by seqeval alone, which reads the scheme strictly."""
    from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2

    strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    named = {"f1": f1_score, "precision": precision_score, "recall": recall_score}
    return {
        **{name: float(score(truth, said, **strict)) for name, score in named.items()},
        "token_accuracy": float(accuracy_score(truth, said)),
    }


def tags_of(rows: Rows) -> list[list[str]]:
    return [row["tags"] for row in rows]


@pytest.fixture(scope="module")
def scratch(module_path: Path) -> RunFiles:
    """A finished run from scratch on noisy data with evaluation rows of its own."""
    data = write_rows(module_path / "train.jsonl", rows_of(120, seed=1, noise=0.1))
    held_out = write_rows(module_path / "held-out.jsonl", rows_of(40, seed=2, noise=0.1))
    files = new_run(
        module_path / "scratch", data, eval_data=str(held_out), settings={"max_steps": 45, "eval_steps": 15}
    )
    train(files)
    return files


# --- a whole run -------------------------------------------------------------------------------------------------


def test_the_phases_come_in_order_and_the_end_is_told(scratch: RunFiles) -> None:
    phases = [event["name"] for event in events_of(scratch, "phase")]
    assert phases == ["loading-model", "preparing", "baseline", "training", "evaluating", "saving", "done"]
    (end,) = events_of(scratch, "finished")
    report = report_of(scratch)
    assert report["memory"]["measured_peak_bytes"] == events_of(scratch, "memory")[-1]["peak_bytes"] > 10**7
    assert (end["metrics"], end["baseline"]) == (report["metrics"], report["baseline"])
    evaluated = [event for event in events_of(scratch, "metrics") if "eval_loss" in event["values"]]
    assert [event["step"] for event in evaluated] == [15, 30, 45]
    assert set(evaluated[0]["values"]) == {"eval_loss", *SCORES}
    assert losses(scratch)[45] < 0.5 < losses(scratch)[1]


def test_the_final_metrics_are_those_of_predict_by_seqeval(scratch: RunFiles) -> None:
    held_out = rows_of(40, seed=2, noise=0.1)
    said = [answer["tags"] for answer in answers(scratch, held_out)]
    assert all(bio_violation(tags) is None for tags in said)
    by_hand = scores_by_hand(tags_of(held_out), said)
    assert 0.6 < by_hand["f1"] < 1
    told = report_of(scratch)["metrics"]
    assert tuple(told) == (*SCORES, "eval_loss")
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)


def test_the_texts_kept_to_read_are_those_of_predict(scratch: RunFiles) -> None:
    rows = [json.loads(line) for line in scratch.predictions.read_text().splitlines()]
    said = answers(scratch, [{"tokens": row["input"].split()} for row in rows])
    assert [row["predicted"] for row in rows] == [each["prediction"] for each in said]
    wrong = [row["wrong"] for row in rows]
    assert wrong == sorted(wrong, reverse=True)
    assert wrong == [row["predicted"] != row["expected"] for row in rows]
    assert 0 < sum(wrong) == report_of(scratch)["held_out"]["mistakes"] < len(rows)
    assert all(0 < row["probability"] <= 1 for row in rows)


def test_every_type_has_its_scores(scratch: RunFiles) -> None:
    held_out = rows_of(40, seed=2, noise=0.1)
    by_type = report_of(scratch)["by_type"]
    assert list(by_type) == ["person", "place"]
    for kind, scores in by_type.items():
        assert scores["count"] == sum(tags.count(f"B-{kind}") for tags in tags_of(held_out))
        assert list(scores) == ["f1", "precision", "recall", "count"] and scores["f1"] > 0.5
    found = sum(scores["recall"] * scores["count"] for scores in by_type.values())
    every = sum(scores["count"] for scores in by_type.values())
    assert found / every == pytest.approx(report_of(scratch)["metrics"]["recall"])
    card = scratch.readme.read_text()
    assert f"| person | {by_type['person']['f1']:.4f} |" in card and "\n\n## Settings" in card


def test_both_baselines_are_measured_first(scratch: RunFiles) -> None:
    report = report_of(scratch)
    baselines = report["baselines"]
    assert list(baselines) == ["no entity", "linear model of words"]
    words = [tag for tags in tags_of(rows_of(40, seed=2, noise=0.1)) for tag in tags]
    assert baselines["no entity"] == {"f1": 0, "precision": 0, "recall": 0, "token_accuracy": pytest.approx(
        words.count("O") / len(words)
    )}  # fmt: skip
    assert baselines["linear model of words"]["f1"] > 0.7
    assert report["baseline_name"] == "linear model of words"


def test_samples_have_their_entities_marked(scratch: RunFiles) -> None:
    samples = events_of(scratch, "sample")
    assert [sample["step"] for sample in samples] == [15] * 3 + [30] * 3 + [45] * 3
    held_out = [row for row in rows_of(40, seed=2, noise=0.1) if set(row["tags"]) != {"O"}]
    for sample, row in zip(samples[-3:], held_out, strict=False):
        assert sample["input"] == " ".join(row["tokens"])
        for said in (sample["output"], sample["expected"]):
            assert said.replace("«", "").replace("/person»", "").replace("/place»", "") == sample["input"]
        assert sample["expected"].count("«") == sum(tag.startswith("B-") for tag in row["tags"])


def test_a_raw_text_is_answered_with_places_in_it(scratch: RunFiles) -> None:
    text = "we see  the hall by Rome and Eve Miller goes to New York."
    (answer,) = answers(scratch, [{"tokens": text}])
    found = [(entity["type"], entity["text"]) for entity in answer["entities"]]
    assert found == [("place", "Rome"), ("person", "Eve Miller"), ("place", "New York")]
    for entity in answer["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]
        assert 0.3 < entity["probability"] <= 1
    assert answer["text"] == text
    marked = "we see  the hall by «Rome/place» and «Eve Miller/person» goes to «New York/place»."
    assert answer["prediction"] == marked
    assert len(answer["tokens"]) == len(answer["tags"]) == 14


def test_a_list_of_words_is_answered_word_by_word(scratch: RunFiles) -> None:
    words = ["we", "see", "Eve", "Miller", "and", "Ann"]
    (answer,) = answers(scratch, [{"tokens": words}])
    assert (answer["tokens"], answer["text"]) == (words, "we see Eve Miller and Ann")
    assert answer["tags"] == ["O", "O", "B-person", "I-person", "O", "B-person"]
    assert [(entity["start"], entity["end"]) for entity in answer["entities"]] == [(7, 17), (22, 25)]


def test_rows_of_other_names_and_empty_ones_are_answered(scratch: RunFiles) -> None:
    rows = [{"text": "Ann"}, {"line": "Bob"}, {"tokens": ""}, {"tokens": []}, {"tokens": None}, {"tokens": " . "}]
    said = answers(scratch, rows)
    assert [answer["prediction"] for answer in said[2:5]] == ["", "", ""]
    assert said[0]["tokens"] == ["Ann"] and said[1]["tokens"] == ["Bob"] and said[5]["tokens"] == ["."]
    with pytest.raises(ForgeError) as refused:
        answers(scratch, [{"title": "Ann", "body": "Bob"}])
    assert "'tokens'" in refused.value.what and refused.value.fix


def test_rows_are_predicted_in_order_and_as_they_come(scratch: RunFiles) -> None:
    from backends.token_classification import predict
    from backends.transformers_training import PREDICT_BATCH

    rows = rows_of(PREDICT_BATCH + 3, seed=6)
    asked: list[int] = []

    def one_by_one() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows):
            asked.append(number)
            yield row

    found = predict(scratch.model, one_by_one())
    first = next(found)
    assert len(asked) == PREDICT_BATCH
    assert [answer["tokens"] for answer in [first, *found]] == [row["tokens"] for row in rows]


def test_the_model_folder_is_what_transformers_loads(scratch: RunFiles) -> None:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    for path in scratch.model.rglob("*"):
        assert path.suffix in (".json", ".safetensors", ".md", ".txt"), path
    tokenizer = AutoTokenizer.from_pretrained(scratch.model)
    model = AutoModelForTokenClassification.from_pretrained(scratch.model).eval()
    assert list(model.config.id2label.values()) == ["O", "B-person", "I-person", "B-place", "I-place"]
    inputs = tokenizer("we see Oslo", return_tensors="pt")
    with torch.inference_mode():
        numbers = model(**inputs).logits[0].argmax(dim=-1).tolist()
    place = inputs.word_ids().index(2)
    assert model.config.id2label[numbers[place]] == answers(scratch, [{"tokens": ["we", "see", "Oslo"]}])[0]["tags"][2]


# --- what the data brings ------------------------------------------------------------------------------------------


def quick_run(tmp_path: Path, rows: Sequence[Any], **spec: Any) -> RunFiles:
    settings = {"max_steps": 2, **spec.pop("settings", {})}
    return new_run(tmp_path / "run", write_rows(tmp_path / "data.jsonl", rows), settings=settings, **spec)


def test_other_schemes_are_read_as_bio(tmp_path: Path) -> None:
    """The same sentences in IOB1, BIOES and with bare types give the very same examples as in BIO."""
    from backends.token_classification import load_examples

    rows = rows_of(40, seed=3)

    def bioes(tags: list[str]) -> list[str]:
        ends = [not (after or "O").startswith("I-") for after in [*tags[1:], None]]
        letters = {("B", True): "S", ("B", False): "B", ("I", True): "E", ("I", False): "I"}
        return [tag if tag == "O" else letters[tag[0], end] + tag[1:] for tag, end in zip(tags, ends, strict=True)]

    schemes: dict[str, Callable[[list[str]], list[str]]] = {
        "bio": list,
        "iob1": lambda tags: [tag.replace("B-", "I-") for tag in tags],
        "bioes": bioes,
        "bare": lambda tags: [tag.partition("-")[2] or tag for tag in tags],
    }
    found = {}
    for name, written in schemes.items():
        data = write_rows(tmp_path / f"{name}.jsonl", [{**row, "tags": written(row["tags"])} for row in rows])
        files = new_run(tmp_path / name, data)
        found[name] = load_examples(job_of(files))
        assert ("they are read as BIO" in notices(files)) == (name != "bio")
    assert found["bio"].decoder.tags == ("O", "B-person", "I-person", "B-place", "I-place")
    assert all(examples == found["bio"] for examples in found.values())


def test_a_conll_file_is_trained_on(tmp_path: Path) -> None:
    rows = rows_of(30, seed=4)
    sentences = ["".join(f"{w} X {t}\n" for w, t in zip(row["tokens"], row["tags"], strict=True)) for row in rows]
    (tmp_path / "data.conll").write_text("-DOCSTART- X O\n\n" + "\n".join(sentences))
    files = new_run(tmp_path / "run", tmp_path / "data.conll", settings={"max_steps": 1})
    train(files)
    assert (read_json(files.data) or {})["rows"] == 30
    assert set(report_of(files)["metrics"]) == {*SCORES, "eval_loss"}


def test_rows_that_cannot_be_aligned_are_left_out_and_told(tmp_path: Path) -> None:
    rows = rows_of(30, seed=5)
    rows[0]["tags"] = rows[0]["tags"][:-1]
    rows[1] = {"tokens": [], "tags": []}
    files = quick_run(tmp_path, rows, settings={"max_steps": 1})
    train(files)
    assert "1 tags-not-aligned" in notices(files) and "1 empty-tokens" in notices(files)
    assert (read_json(files.data) or {})["dropped_rows"] == 2


def test_types_that_training_never_sees_count_as_missed(tmp_path: Path) -> None:
    held_out = rows_of(30, seed=7)
    places = sum(tags.count("B-place") for tags in tags_of(held_out))
    files = quick_run(
        tmp_path,
        rows_of(60, seed=8, kinds=("person",)),
        eval_data=str(write_rows(tmp_path / "held-out.jsonl", held_out)),
        settings={"max_steps": 25},
    )
    train(files)
    assert f"{places} entities of the evaluation rows are of types that training never sees (place)" in notices(
        files, "warning"
    )
    assert (read_json(files.data) or {})["eval_rows"] == 30
    said = [answer["tags"] for answer in answers(files, held_out)]
    by_hand = scores_by_hand(tags_of(held_out), said)
    told = report_of(files)
    assert {name: told["metrics"][name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
    assert told["by_type"]["place"] == {"f1": 0, "precision": 0, "recall": 0, "count": places}
    assert told["metrics"]["recall"] < 1


def test_a_type_that_training_knows_by_its_first_words_can_go_on(tmp_path: Path) -> None:
    """I- of a type is learned about even where training has names of one word only."""
    from backends.token_classification import load_examples

    rows = [{"tokens": ["see", "Ann"], "tags": ["O", "B-person"]} for _ in range(20)]
    assert load_examples(job_of(quick_run(tmp_path, rows))).decoder.tags == ("O", "B-person", "I-person")


def test_every_type_is_trained_on_though_rows_are_held_out_at_random(tmp_path: Path) -> None:
    from backends.token_classification import load_examples

    rows = rows_of(60, seed=9, kinds=("person",))
    rows[17] = {"tokens": ["a", "Saab"], "tags": ["O", "B-car"]}
    for seed in range(6):
        files = new_run(tmp_path / str(seed), write_rows(tmp_path / "data.jsonl", rows), settings={"seed": seed})
        assert "B-car" in load_examples(job_of(files)).decoder.tags


def test_spellings_of_types_are_merged_where_that_was_chosen(tmp_path: Path) -> None:
    from backends.token_classification import load_examples

    rows = rows_of(40, seed=10)
    rows[0] = {"tokens": ["Ann", "Miller"], "tags": ["B-PERSON", "I-PERSON"]}
    files = quick_run(tmp_path, rows, preparation={"merge_spellings": True})
    examples = load_examples(job_of(files))
    assert examples.decoder.tags == ("O", "B-person", "I-person", "B-place", "I-place")
    assert ["B-person", "I-person"] in [*examples.train.tags, *examples.evaluation.tags]


@pytest.mark.parametrize("tags", [["1", "0"], [3, 0]])
def test_numbers_without_names_are_refused(tmp_path: Path, tags: list[Any]) -> None:
    rows = [{"tokens": ["Ann", "runs"], "tags": tags} for _ in range(20)]
    with pytest.raises(DataError) as refused:
        train(quick_run(tmp_path, rows))
    assert "numbers" in refused.value.what and "B-person" in refused.value.fix


def test_one_tag_alone_is_refused(tmp_path: Path) -> None:
    rows = [{"tokens": ["Ann", "runs"], "tags": ["O", "O"]} for _ in range(20)]
    with pytest.raises(DataError) as refused:
        train(quick_run(tmp_path, rows))
    assert "one tag" in refused.value.what and "'O'" in refused.value.why


def test_parts_of_speech_are_classes_of_their_own(tmp_path: Path) -> None:
    rows = [
        {"tokens": row["tokens"], "tags": ["NAME" if tag != "O" else "WORD" for tag in row["tags"]]}
        for row in rows_of(60, seed=11)
    ]
    files = quick_run(tmp_path, rows, settings={"max_steps": 25})
    train(files)
    report = report_of(files)
    assert report["metrics"]["f1"] == pytest.approx(report["metrics"]["token_accuracy"])
    assert report["metrics"]["f1"] > 0.8
    assert set(report["baselines"]) == {"commonest tag", "linear model of words"}
    assert report["baselines"]["commonest tag"]["token_accuracy"] > 0.5
    (answer,) = answers(files, [{"tokens": ["we", "see", "Ann"]}])
    assert answer["prediction"] == "we/WORD see/WORD Ann/NAME"
    assert answer["tags"] == ["WORD", "WORD", "NAME"]


# --- long texts ----------------------------------------------------------------------------------------------------


def test_long_texts_are_read_to_their_end(tmp_path: Path) -> None:
    """Names beyond max_length are trained on, scored and found, each of them once."""
    long = [
        {role: [each for row in some for each in row[role]] for role in ("tokens", "tags")}
        for some in (rows_of(12, seed) for seed in range(20, 44))
    ]
    held_out = long[:6]
    files = quick_run(
        tmp_path,
        long[6:],
        eval_data=str(write_rows(tmp_path / "held-out.jsonl", held_out)),
        settings={"max_steps": 40, "max_length": 32},
    )
    train(files)
    assert "18 of 18 train texts are longer than 32 tokens; they are read in windows that overlap" in notices(files)
    said = [answer["tags"] for answer in answers(files, held_out)]
    assert [len(tags) for tags in said] == [len(row["tags"]) for row in held_out]
    by_hand = scores_by_hand(tags_of(held_out), said)
    assert by_hand["f1"] > 0.9
    told = report_of(files)["metrics"]
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)


def test_no_more_is_read_at_once_than_the_model_can(pretrained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pretrained, tmp_path / "short"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 10}))
    files = quick_run(tmp_path, rows_of(30, seed=45), model=str(folder), settings={"max_steps": 1})
    train(files)
    assert "the model reads 10 tokens at most, so max_length is 10 and not 64" in notices(files)
    assert "longer than 10 tokens; they are read in windows" in notices(files)
    (answer,) = answers(files, [{"tokens": ["see", "Ann"] * 20}])
    assert len(answer["tags"]) == 40


def test_the_limit_of_roberta_is_less_than_its_positions() -> None:
    from transformers import RobertaConfig, RobertaForTokenClassification

    from backends.encoders import longest_input

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = RobertaForTokenClassification(RobertaConfig(vocab_size=10, max_position_embeddings=40, **sizes))

    class Unlimited:
        model_max_length = int(1e30)

    assert longest_input(model, Unlimited()) == 38


# --- what the evaluation decides ---------------------------------------------------------------------------------


def test_the_weights_of_the_best_evaluation_are_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from backends import token_classification

    real, left = token_classification.entity_scores, [0.1, 0.9, 0.3, 0.4]

    def scripted(truth: Any, said: Any) -> Any:
        scores, by_type = real(truth, said)
        return {**scores, "f1": left.pop(0) if len(left) > 1 else left[0]}, by_type

    monkeypatch.setattr(token_classification, "score_baselines", lambda job, examples: ("none", {"f1": 0.0}))
    monkeypatch.setattr(token_classification, "entity_scores", scripted)
    files = quick_run(tmp_path, rows_of(60, seed=46), settings={"max_steps": 8, "eval_steps": 2})
    train(files)
    assert report_of(files)["details"]["best_step"] == 4 and "the weights of step 4 are kept" in notices(files)
    assert [step for step, _ in sealed_checkpoints(files.checkpoints)] == [4, 6, 8]
    final, best = weights(files.model), weights(files.checkpoints / "checkpoint-4")
    assert all(torch.equal(final[name], best[name]) for name in best)


# --- stop and resume ---------------------------------------------------------------------------------------------


def assert_same_run(whole: RunFiles, resumed: RunFiles, name: str = "model.safetensors") -> None:
    """Losses, metrics and weights are equal to 1e-5."""
    import torch

    assert losses(resumed) == pytest.approx(losses(whole), abs=1e-5)
    first, second = report_of(whole), report_of(resumed)
    assert second["metrics"] == pytest.approx(first["metrics"], abs=1e-5)
    assert second["baselines"] == first["baselines"]
    ours, theirs = weights(resumed.model, name), weights(whole.model, name)
    assert all(torch.allclose(ours[key], theirs[key], atol=1e-5, rtol=0) for key in theirs)


def test_stop_and_resume_is_the_same_as_no_stop(tmp_path: Path) -> None:
    """The stop falls inside an epoch, between two evaluations, with dropout at work and texts in several windows."""
    data = write_rows(tmp_path / "data.jsonl", rows_of(70, seed=13, noise=0.2))
    settings = {"max_steps": 14, "eval_steps": 5, "gradient_accumulation_steps": 2, "max_length": 12}
    whole, parted = (new_run(tmp_path / name, data, settings=settings) for name in ("whole", "parted"))
    train(whole)
    train(parted, stop_at=6)
    assert "stopped as asked after step 7" in notices(parted) and not parted.model.exists()
    train(parted, attempt=2)
    assert [event["from_step"] for event in events_of(parted, "attempt")] == [0, 7]
    assert_same_run(whole, parted)


# --- model folders -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained(scratch: RunFiles, module_path: Path) -> Path:
    """A copy of the model of the run from scratch."""
    return Path(shutil.copytree(scratch.model, module_path / "pretrained"))


def test_full_training_starts_from_the_folder(pretrained: Path, tmp_path: Path) -> None:
    files = quick_run(tmp_path, rows_of(60, seed=15), model=str(pretrained), settings={"learning_rate": 1e-5})
    train(files)
    assert report_of(files)["metrics"]["f1"] > 0.9


def test_lora_learns_resumes_and_predicts(pretrained: Path, tmp_path: Path) -> None:
    import torch

    before = weights(pretrained)
    held_out = rows_of(30, seed=17)
    data = write_rows(tmp_path / "data.jsonl", rows_of(60, seed=16, noise=0.2))
    given = {"model": str(pretrained), "method": "lora"}
    given["eval_data"] = str(write_rows(tmp_path / "held-out.jsonl", held_out))
    settings = {"max_steps": 8, "eval_steps": 4, "lora_r": 4, "learning_rate": 1e-3}
    whole, parted = (new_run(tmp_path / name, data, settings=settings, **given) for name in ("whole", "parted"))
    train(whole)
    train(parted, stop_at=4)
    train(parted, attempt=2)
    assert_same_run(whole, parted, "adapter_model.safetensors")
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(pretrained).items())
    by_hand = scores_by_hand(tags_of(held_out), [answer["tags"] for answer in answers(whole, held_out)])
    told = report_of(whole)["metrics"]
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
    assert by_hand["f1"] > 0.7


def test_layers_that_the_base_has_no_weights_for_are_kept_with_the_adapter(pretrained: Path, tmp_path: Path) -> None:
    """A bare encoder: head and classifier begin as random weights, and must be the same ones when predicting."""
    from transformers import AutoModel, AutoTokenizer

    base = tmp_path / "bare"
    AutoModel.from_pretrained(pretrained).save_pretrained(base)
    AutoTokenizer.from_pretrained(pretrained).save_pretrained(base)
    held_out = rows_of(30, seed=18)
    files = quick_run(
        tmp_path,
        rows_of(60, seed=19),
        model=str(base),
        method="lora",
        eval_data=str(write_rows(tmp_path / "held-out.jsonl", held_out)),
        settings={"max_steps": 30},
    )
    train(files)
    by_hand = scores_by_hand(tags_of(held_out), [answer["tags"] for answer in answers(files, held_out)])
    told = report_of(files)["metrics"]
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
    assert by_hand["f1"] > 0.5


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_head_of_other_tags_is_replaced(pretrained: Path, tmp_path: Path, method: str) -> None:
    rows = [
        {"tokens": row["tokens"], "tags": [tag.replace("person", "who").replace("place", "who") for tag in row["tags"]]}
        for row in rows_of(60, seed=20)
    ]
    files = quick_run(tmp_path, rows, model=str(pretrained), method=method, settings={"max_steps": 20})
    train(files)
    assert list(report_of(files)["by_type"]) == ["who"] and report_of(files)["metrics"]["f1"] > 0.7


def test_a_model_of_the_wrong_kind_is_refused(pretrained: Path, tmp_path: Path) -> None:
    from transformers import ViTConfig

    folder = Path(shutil.copytree(pretrained, tmp_path / "pictures"))
    ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2).save_pretrained(folder)
    with pytest.raises(ForgeError) as refused:
        train(quick_run(tmp_path, rows_of(30, seed=21), model=str(folder)))
    assert "pictures cannot be loaded as a tagger of words" in refused.value.what
    assert refused.value.why and "config.json, model.safetensors" in refused.value.fix


# --- as the app starts it ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_and_its_predictions_in_processes_of_their_own(tmp_path: Path, repository: Path) -> None:
    files = quick_run(tmp_path, rows_of(90, seed=28), settings={"max_steps": 30})
    environment = {**os.environ, "PYTHONPATH": str(repository), "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "backends", str(files.folder)], env=environment, cwd=files.folder, timeout=300
    )
    assert ended.returncode == 0
    rows = rows_of(9, seed=29)
    told = subprocess.run(
        [sys.executable, "-m", "backends.predict", str(files.folder)],
        env=environment,
        input="".join(json.dumps({"tokens": row["tokens"]}) + "\n" for row in rows).encode(),
        capture_output=True,
        timeout=300,
    )
    assert told.returncode == 0
    said = [json.loads(line)["tags"] for line in told.stdout.splitlines()]
    assert scores_by_hand(tags_of(rows), said)["f1"] > 0.9
