"""Answers in texts: what is learned, scored, resumed, predicted and refused; on CPU and mostly in this process."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.answer_metrics import answer_scores
from backends.checkpoints import latest_checkpoint, sealed_checkpoints
from backends.contract import DataError, ForgeError, RunFiles, RunSpec, read_json, read_spec
from backends.events import EventWriter
from backends.job import Job
from backends.options import parse_settings
from backends.registry import find_task
from backends.signals import StopControl

FILLER = "the new bus from old road goes to a hall and we see it by day".split()
FACTS = {"who": ["Ann", "Bob", "Eve Miller"], "where": ["Rome", "New York", "Oslo"], "when": ["May", "late June"]}
QUICK = {"max_length": 64, "learning_rate": 4e-3, "per_device_train_batch_size": 16, "logging_steps": 1}

Rows = list[dict[str, Any]]


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
    return tmp_path_factory.mktemp("answers")


# --- data and runs -----------------------------------------------------------------------------------------------


def rows_of(count: int, seed: int, silent: float = 0.25, long: int = 0) -> Rows:
    """Common words, more of them where `long`, with two facts among them; a question about one, or about no fact."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        kinds = chance.sample(sorted(FACTS), 2)
        context, told = "", dict[str, tuple[str, int]]()
        for kind in kinds:
            context += " ".join(chance.sample(FILLER, 3) + chance.choices(FILLER, k=long)) + " "
            told[kind] = (chance.choice(FACTS[kind]), len(context))
            context += told[kind][0] + " "
        asked = "cost" if chance.random() < silent else chance.choice(kinds)
        answer, start = told.get(asked, (None, None))
        texts, starts = ([], []) if answer is None else ([answer], [start])
        rows.append(
            {"context": f"{context}. {number}", "question": f"{asked}?", "answers": texts, "answer_start": starts}
        )
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
        "name": "answers",
        "task": "extractive-question-answering",
        "method": "full",
        "model": "preset:tiny-encoder",
        "columns": {role: role for role in ("context", "question", "answers", "answer_start")},
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
    from backends.extractive_qa import train as run

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
    from backends.extractive_qa import predict

    return list(predict(files.model, iter(rows)))


def weights(folder: Path, name: str = "model.safetensors") -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / name))


def scores_by_predict(files: RunFiles, rows: Rows) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    said = [answer["prediction"] for answer in answers(files, rows)]
    return answer_scores(said, [row["answers"] for row in rows])


def quick_run(tmp_path: Path, rows: Sequence[Any], **spec: Any) -> RunFiles:
    settings = {"max_steps": 2, **spec.pop("settings", {})}
    return new_run(tmp_path / "run", write_rows(tmp_path / "data.jsonl", rows), settings=settings, **spec)


@pytest.fixture(scope="module")
def scratch(module_path: Path) -> RunFiles:
    """A finished run from scratch, with evaluation rows of its own and questions without an answer in both."""
    data = write_rows(module_path / "train.jsonl", rows_of(240, seed=1))
    held_out = write_rows(module_path / "held-out.jsonl", rows_of(50, seed=2))
    files = new_run(
        module_path / "scratch", data, eval_data=str(held_out), settings={"max_steps": 90, "eval_steps": 30}
    )
    train(files)
    return files


@pytest.fixture(scope="module")
def pretrained(scratch: RunFiles, module_path: Path) -> Path:
    """A copy of the model of the run from scratch."""
    return Path(shutil.copytree(scratch.model, module_path / "pretrained"))


# --- a whole run -------------------------------------------------------------------------------------------------


def test_the_phases_come_in_order_and_the_end_is_told(scratch: RunFiles) -> None:
    phases = [event["name"] for event in events_of(scratch, "phase")]
    assert phases == ["loading-model", "preparing", "baseline", "training", "evaluating", "saving", "done"]
    (end,) = events_of(scratch, "finished")
    report = report_of(scratch)
    assert (end["metrics"], end["baseline"]) == (report["metrics"], report["baseline"])
    assert report["memory"]["measured_peak_bytes"] == events_of(scratch, "memory")[-1]["peak_bytes"] > 10**7
    evaluated = [event for event in events_of(scratch, "metrics") if "eval_loss" in event["values"]]
    assert [event["step"] for event in evaluated] == [30, 60, 90]
    assert set(evaluated[0]["values"]) == {"eval_loss", "exact_match", "f1"}
    assert losses(scratch)[90] < 1 < losses(scratch)[1]


def test_the_final_metrics_are_those_of_predict(scratch: RunFiles) -> None:
    by_hand, parted = scores_by_predict(scratch, rows_of(50, seed=2))
    told = report_of(scratch)
    assert tuple(told["metrics"]) == ("exact_match", "f1", "eval_loss")
    assert {name: told["metrics"][name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
    assert told["by_type"] == {kind: pytest.approx(scores, abs=1e-9) for kind, scores in parted.items()}
    assert parted["answerable"]["exact_match"] > 0.8 < parted["unanswerable"]["exact_match"]
    assert f"| answerable | {parted['answerable']['exact_match']:.4f} |" in scratch.readme.read_text()


def test_the_questions_kept_to_read_are_counted_as_they_are_scored(scratch: RunFiles) -> None:
    rows = [json.loads(line) for line in scratch.predictions.read_text().splitlines()]
    report = report_of(scratch)
    wrong = sum(row["wrong"] for row in rows)
    assert wrong == report["held_out"]["mistakes"]
    assert 1 - wrong / len(rows) == pytest.approx(report["metrics"]["exact_match"])
    assert sum(row["score"] for row in rows) / len(rows) == pytest.approx(report["metrics"]["f1"], abs=1e-5)
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores)
    counts, parts = report["answers"], report["by_type"]
    assert counts["answerable"] == parts["answerable"]["count"] == sum(row["expected"] != "(no answer)" for row in rows)
    assert counts["unanswerable"] == parts["unanswerable"]["count"]
    assert counts["answerable_right"] == round(parts["answerable"]["exact_match"] * counts["answerable"])
    assert counts["unanswerable_silent"] == round(parts["unanswerable"]["exact_match"] * counts["unanswerable"])


def test_where_the_threshold_comes_from_is_told(scratch: RunFiles) -> None:
    details = report_of(scratch)["details"]
    assert details["threshold_found_on"] == "the evaluation rows"
    assert details["at_threshold_0"]["exact_match"] <= report_of(scratch)["metrics"]["exact_match"]
    assert f"more than {details['no_answer_threshold']:.2f} above that of the best answer; this was found" in notices(
        scratch
    )
    learned = read_json(scratch.model / "answers.json") or {}
    assert learned["no_answer_threshold"] == details["no_answer_threshold"] and learned["whole_words"] is True


def test_the_baselines_are_measured_first(scratch: RunFiles) -> None:
    report = report_of(scratch)
    silent = sum(not row["answers"] for row in rows_of(50, seed=2)) / 50
    assert list(report["baselines"]) == ["no answer", "commonest answer", "nearest words"]
    assert report["baselines"]["no answer"] == {"exact_match": silent, "f1": silent}
    assert 0 < report["baselines"]["commonest answer"]["exact_match"] < 0.4
    assert report["baseline_name"] == max(
        report["baselines"], key=lambda name: report["baselines"][name]["exact_match"]
    )
    assert report["metrics"]["exact_match"] > report["baseline"]["exact_match"]


def test_samples_show_question_text_and_answers(scratch: RunFiles) -> None:
    samples = events_of(scratch, "sample")
    assert [sample["step"] for sample in samples] == [30] * 3 + [60] * 3 + [90] * 3
    held_out = rows_of(50, seed=2)
    first, second = [row for row in held_out if row["answers"]][:2]
    silent = next(row for row in held_out if not row["answers"])
    for sample, row in zip(samples[-3:], (first, second, silent), strict=True):
        assert sample["input"].startswith(f"{row['question']} ‖ ")
        said = answers(scratch, [row])[0]["prediction"] or "(no answer)"
        assert (sample["expected"], sample["output"]) == ((row["answers"] or ["(no answer)"])[0], said)
    assert f"«{first['answers'][0]}»" in samples[0]["input"]


def test_an_answer_has_its_place_and_probability(scratch: RunFiles) -> None:
    context = "we see the   hall and Ann goes to Oslo by day"
    (who, where, cost) = answers(
        scratch, [{"context": context, "question": f"{each}?"} for each in ("who", "where", "cost")]
    )
    assert (who["prediction"], where["prediction"], cost["prediction"]) == ("Ann", "Oslo", None)
    for said in (who, where):
        assert context[said["start"] : said["end"]] == said["prediction"] == said["answers"][0]["text"]
        assert said["probability"] > 0.5 > said["no_answer_probability"]
        assert f"«{said['prediction']}»" in said["passage"]
        whole = sum(each["probability"] for each in said["answers"]) + said["no_answer_probability"]
        assert whole == pytest.approx(1)
    assert cost["start"] is cost["end"] is None and cost["probability"] == cost["no_answer_probability"] > 0.4
    assert cost["answers"][0]["probability"] < cost["probability"] and "«" not in cost["passage"]


def test_empty_texts_and_other_names_are_answered(scratch: RunFiles) -> None:
    row = {"context": "we see Ann", "question": "who?"}
    rows = [{**row, "context": ""}, {**row, "context": None}, {**row, "question": ""}, {**row, "note": 1}]
    said = answers(scratch, rows)
    assert [each["prediction"] for each in said[:2]] == [None, None]
    assert said[0] | {"passage": ""} == {
        "prediction": None, "start": None, "end": None, "probability": 1.0, "no_answer_probability": 1.0, "passage": "",
        "answers": [],
    }  # fmt: skip
    assert said[3]["prediction"] == "Ann"
    for missing in ({"context": "x"}, {"question": "x"}):
        with pytest.raises(ForgeError) as refused:
            answers(scratch, [missing])
        assert "has no column" in refused.value.what and "context, question" in refused.value.why


def test_columns_are_called_as_in_training_or_by_their_roles(scratch: RunFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(scratch.folder, tmp_path / "renamed"))
    spec = folder / "spec.toml"
    spec.write_text(spec.read_text().replace('context = "context"', 'context = "passage"'))
    for name in ("passage", "context"):
        assert answers(RunFiles(folder), [{name: "we see Ann", "question": "who?"}])[0]["prediction"] == "Ann"


def test_rows_are_predicted_in_order_and_as_they_come(scratch: RunFiles) -> None:
    from backends.extractive_qa import predict
    from backends.transformers_training import PREDICT_BATCH

    rows = rows_of(PREDICT_BATCH + 3, seed=6, silent=0)
    asked: list[int] = []

    def one_by_one() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows):
            asked.append(number)
            yield row

    found = predict(scratch.model, one_by_one())
    first = next(found)
    assert len(asked) == PREDICT_BATCH
    said = [answer["prediction"] for answer in [first, *found]]
    assert len(said) == len(rows)
    assert sum(one == row["answers"][0] for one, row in zip(said, rows, strict=True)) > 0.8 * len(rows)


def test_the_model_folder_is_what_transformers_loads(scratch: RunFiles) -> None:
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    for path in scratch.model.rglob("*"):
        assert path.suffix in (".json", ".safetensors", ".md", ".txt"), path
    tokenizer = AutoTokenizer.from_pretrained(scratch.model)
    model = AutoModelForQuestionAnswering.from_pretrained(scratch.model).eval()
    context = "we see Oslo by day"
    inputs = tokenizer("where?", context, return_tensors="pt", return_offsets_mapping=True)
    offsets = inputs.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        said = model(**inputs)
    start, end = (int(each[0].argmax()) for each in (said.start_logits, said.end_logits))
    assert context[offsets[start][0] : offsets[end][1]].strip() == "Oslo"


@pytest.mark.parametrize(
    ("context", "span", "shown"),
    [
        ("Ann is here", (0, 3), "«Ann» is here"),
        (" Ann\nis here", None, "Ann is here"),
        ("red " * 30 + "Ann" + " blue" * 30, (120, 123), "…" + "red " * 14 + "«Ann»" + " blue" * 11 + "…"),
        ("red " * 60, None, " ".join(["red"] * 30) + "…"),
        ("x" * 300, (100, 101), "…" + "x" * 60 + "«x»" + "x" * 60 + "…"),
    ],
)
def test_the_passage_around_an_answer_has_whole_words(context: str, span: tuple[int, int] | None, shown: str) -> None:
    from backends.extractive_qa import passage

    assert passage(context, span) == shown


# --- what the data brings ------------------------------------------------------------------------------------------


def test_a_squad_file_is_trained_on_by_whole_contexts(tmp_path: Path) -> None:
    """Questions about one text are never on both sides."""
    from backends.extractive_qa import load_examples

    rows = rows_of(40, seed=4, silent=0)
    paragraphs = [
        {
            "context": row["context"],
            "qas": [
                {"id": f"{n}{each}", "question": f"{each}{row['question']}",
                 "answers": [{"text": row["answers"][0], "answer_start": row["answer_start"][0]}]}
                for each in "ab"
            ],
        }
        for n, row in enumerate(rows)
    ]  # fmt: skip
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"version": "2", "data": [{"title": "x", "paragraphs": paragraphs}]}))
    files = new_run(tmp_path / "run", data)
    examples = load_examples(job_of(files))
    assert len(examples.train) + len(examples.evaluation) == 80
    assert not {each.context for each in examples.train} & {each.context for each in examples.evaluation}
    assert (read_json(files.data) or {})["split"] == "whole contexts held out"
    assert not examples.some_unanswered and examples.whole_words


def test_questions_about_few_texts_are_held_out_one_by_one(tmp_path: Path) -> None:
    from backends.extractive_qa import load_examples

    rows = [{"context": "Ann sees Rome", "question": f"who {n}?", "answers": ["Ann"]} for n in range(40)]
    files = quick_run(tmp_path, rows, columns={role: role for role in ("context", "question", "answers")})
    examples = load_examples(job_of(files))
    assert (len(examples.train), len(examples.evaluation)) == (20, 20)
    assert "split" not in (read_json(files.data) or {})


def test_answers_that_cannot_be_learned_are_left_out_and_told(tmp_path: Path) -> None:
    rows = rows_of(60, seed=5, silent=0)
    rows[0]["answers"] = ["nowhere"]
    rows[1] |= {"answers": [" "], "answer_start": [None]}
    rows[2]["context"] = " "
    rows[3]["question"] = None
    rows[4]["answer_start"] = [rows[4]["answer_start"][0] + 1]
    rows[5] |= {"answers": [], "answer_start": []}
    files = quick_run(tmp_path, rows, settings={"max_steps": 1})
    train(files)
    told = notices(files)
    for code in ("answer-not-in-context", "empty-answers", "empty-context", "empty-question"):
        assert f"1 {code}" in told
    assert (read_json(files.data) or {})["dropped_rows"] == 4
    assert "1 answers of the train rows do not stand where answer_start says" in told.replace("evaluation", "train")
    assert "have no answer in their text" in told


def test_places_are_found_where_none_are_given(tmp_path: Path) -> None:
    from backends.extractive_qa import load_examples

    rows = rows_of(60, seed=7, silent=0)
    for row in rows:
        row["context"] = f"{row['context']} {row['answers'][0]} x"
    columns = {role: role for role in ("context", "question", "answers")}
    files = quick_run(tmp_path, rows, columns=columns)
    examples = load_examples(job_of(files))
    for each in (*examples.train, *examples.evaluation):
        assert each.span is not None and each.context[slice(*each.span)] == each.answers[0]
    assert "40 answers of the train rows stand more than once in their text, and no answer_start says" in notices(files)


def test_every_accepted_answer_counts_and_the_first_in_the_text_is_learned(
    scratch: RunFiles, pretrained: Path, tmp_path: Path
) -> None:
    from backends.extractive_qa import load_examples

    held_out = rows_of(30, seed=8, silent=0)
    for row in held_out:
        row["answers"] = ["Nobody", row["context"][:3], row["answers"][0]]
        row["answer_start"] = [None, 0, row["answer_start"][0]]
    other = write_rows(tmp_path / "held-out.jsonl", held_out)
    files = quick_run(
        tmp_path, rows_of(60, seed=9, silent=0), model=str(pretrained), eval_data=str(other), settings={"max_steps": 8}
    )
    examples = load_examples(job_of(files))
    assert examples.evaluation[0].span == (0, 3) and len(examples.evaluation[0].answers) == 3
    train(files)
    assert report_of(files)["metrics"]["exact_match"] > 0.8
    assert report_of(files)["details"].get("threshold_found_on") is None and "by_type" not in report_of(files)


def test_data_without_silence_never_gives_none(pretrained: Path, tmp_path: Path) -> None:
    """Also where the question cannot be answered from the text."""
    files = quick_run(tmp_path, rows_of(60, seed=10, silent=0), model=str(pretrained), settings={"max_steps": 20})
    train(files)
    assert list(report_of(files)["baselines"]) == ["commonest answer", "nearest words"]
    (said,) = answers(files, [{"context": "we see Ann", "question": "cost?"}])
    assert said["prediction"] is not None and said["no_answer_probability"] == 0


def test_silence_that_only_evaluation_has_is_told(pretrained: Path, tmp_path: Path) -> None:
    other = write_rows(tmp_path / "held-out.jsonl", rows_of(40, seed=11))
    files = quick_run(tmp_path, rows_of(60, seed=12, silent=0), model=str(pretrained), eval_data=str(other))
    train(files)
    assert "training has no question without an answer, but evaluation has" in notices(files, "warning")
    assert set(report_of(files)["by_type"]) == {"answerable", "unanswerable"}
    assert (read_json(files.data) or {})["eval_rows"] == 40


def test_answers_that_training_never_saw_are_found(pretrained: Path, tmp_path: Path) -> None:
    held_out = [
        {**row, "context": row["context"].replace(old, "Saab"), "answers": ["Saab"]}
        for row in rows_of(60, seed=13, silent=0)
        if (old := row["answers"][0]) in ("Ann", "Bob")
    ]
    other = write_rows(tmp_path / "held-out.jsonl", held_out)
    files = quick_run(tmp_path, rows_of(60, seed=14), model=str(pretrained), eval_data=str(other))
    train(files)
    assert (read_json(files.data) or {})["eval_rows"] == len(held_out) > 10
    assert report_of(files)["baselines"]["commonest answer"]["exact_match"] == 0
    # Every evaluation question has an answer, so nothing says which threshold is good.
    assert report_of(files)["details"]["no_answer_threshold"] == 0
    assert report_of(files)["details"]["threshold_found_on"] is None


def test_a_threshold_that_was_chosen_is_taken(pretrained: Path, tmp_path: Path) -> None:
    given = {"max_steps": 1, "no_answer_threshold": -1000.0}
    files = quick_run(tmp_path, rows_of(60, seed=15), model=str(pretrained), settings=given)
    train(files)
    assert report_of(files)["by_type"]["unanswerable"]["exact_match"] == 1
    assert report_of(files)["by_type"]["answerable"]["exact_match"] == 0
    assert "found on the evaluation rows" not in notices(files)
    assert answers(files, [{"context": "we see Ann", "question": "who?"}])[0]["prediction"] is None


def test_silence_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        train(quick_run(tmp_path, rows_of(40, seed=16, silent=1)))
    assert "No training question has an answer" in refused.value.what and refused.value.fix


# --- long texts ----------------------------------------------------------------------------------------------------


def test_long_texts_are_read_to_their_end(pretrained: Path, tmp_path: Path) -> None:
    """Answers beyond max_length are trained on, scored and found at their place."""
    held_out = rows_of(20, seed=17, long=25)
    files = quick_run(
        tmp_path,
        rows_of(60, seed=18, long=25),
        model=str(pretrained),
        eval_data=str(write_rows(tmp_path / "held-out.jsonl", held_out)),
        settings={"max_steps": 30, "max_length": 32, "doc_stride": 10},
    )
    train(files)
    assert "60 of 60 train texts are longer than 32 tokens with their question; they are read in windows" in notices(
        files
    )
    by_hand, parted = scores_by_predict(files, held_out)
    assert parted["answerable"]["exact_match"] > 0.5
    told = report_of(files)["metrics"]
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
    late = [row for row in held_out if row["answers"] and row["answer_start"][0] > 150]
    right = [
        answer for answer, row in zip(answers(files, late), late, strict=True) if answer["prediction"] in row["answers"]
    ]
    assert len(right) > len(late) / 2 and all(answer["start"] > 150 for answer in right)


def test_windows_hold_every_token_and_overlap(scratch: RunFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoTokenizer

    from backends import answer_windows
    from backends.answer_windows import windows_of

    monkeypatch.setattr(answer_windows, "_AT_ONCE", 5)
    tokenizer = AutoTokenizer.from_pretrained(scratch.model)
    contexts = [row["context"] for row in rows_of(12, seed=19, long=20)]
    asked = [("who? " * (1 + 30 * (number % 2)), context) for number, context in enumerate(contexts)]
    for limit, stride in ((16, 0), (24, 6), (40, 1000), (2000, 128)):
        windows = list(windows_of(tokenizer, asked, limit, stride))
        assert [each.row for each in windows] == sorted(each.row for each in windows)
        for row, context in enumerate(contexts):
            own = [each for each in windows if each.row == row]
            assert all(len(each.inputs["input_ids"]) <= limit for each in own)
            starts = [each.spans[:, 0].tolist() for each in own]
            spans = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            assert sorted({start for some in starts for start in some}) == [start for start, _ in spans]
            for one, other in itertools.pairwise(starts):
                assert len(set(one) & set(other)) == min(stride, (limit - 3 - (limit - 3) // 4) // 2)
            assert all(
                tokenizer.convert_ids_to_tokens(int(each.inputs["input_ids"][each.null])) == "[CLS]" for each in own
            )


def test_questions_that_are_too_long_are_cut_and_told(tmp_path: Path) -> None:
    rows = rows_of(40, seed=20)
    rows[3]["question"] = "who " * 50 + "?"
    files = quick_run(tmp_path, rows, settings={"max_steps": 1})
    train(files)
    assert "1 train questions take more than a quarter of 64 tokens; their end is cut" in notices(files).replace(
        "evaluation questions", "train questions"
    )


def test_a_question_whose_answer_fits_no_window_teaches_nothing(scratch: RunFiles, tmp_path: Path) -> None:
    """Not even silence: its windows are none of the training."""
    from transformers import AutoTokenizer

    from backends.answer_rows import Question
    from backends.answer_windows import windows_of
    from backends.extractive_qa import learned_inputs, pairs_of

    text = "Ann sees the road and the hall and the bus by day and Bob sees Rome"
    data = [Question(text, "who?", (text,), (0, len(text))), Question(text, "who?", ("Ann",), (0, 3))]
    data.append(Question(text, "cost?", (), None))
    windows = list(windows_of(AutoTokenizer.from_pretrained(scratch.model), pairs_of(data), 12, 4))
    inputs = learned_inputs(job_of(quick_run(tmp_path, rows_of(9, seed=1))), data, windows)
    assert [window.row for window in inputs.windows] == [window.row for window in windows if window.row]
    assert [start > 0 for start, _ in inputs.positions] == [True] + [False] * (len(inputs) - 1)


def test_answers_longer_than_any_that_is_given_are_told(tmp_path: Path) -> None:
    rows = rows_of(40, seed=34, silent=0)
    for row in rows:
        row |= {"answers": [" ".join(row["context"].split()[:4])], "answer_start": [0]}
    files = quick_run(tmp_path, rows, settings={"max_steps": 1, "max_answer_length": 3})
    train(files)
    assert "20 answers of the train rows are longer than 3 tokens; no answer given is longer" in notices(
        files, "warning"
    )
    said = answers(files, [{"context": "we see the hall by the road", "question": "who?"}])[0]
    assert all(len(each["text"].split()) <= 3 for each in said["answers"])


def test_answers_longer_than_a_window_are_left_out(tmp_path: Path) -> None:
    rows = rows_of(40, seed=21, long=8)
    for row in rows[:8]:
        row |= {"answers": [row["context"]], "answer_start": [0], "context": row["context"] + " x"}
    files = quick_run(tmp_path, rows, settings={"max_steps": 1, "max_length": 16})
    train(files)
    assert "answers of the train rows fit into no window; their questions are left out" in notices(files)
    every = [{**row, "answers": [row["context"]], "answer_start": [0]} for row in rows]
    (tmp_path / "all").mkdir()
    with pytest.raises(DataError) as refused:
        train(quick_run(tmp_path / "all", every, settings={"max_length": 16}))
    assert "No answer fits" in refused.value.what and "max_length" in refused.value.fix


def test_no_more_is_read_at_once_than_the_model_can(pretrained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pretrained, tmp_path / "short"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 14}))
    files = quick_run(tmp_path, rows_of(30, seed=22), model=str(folder), settings={"max_steps": 1})
    train(files)
    assert "the model reads 14 tokens at most, so max_length is 14 and not 64" in notices(files)
    (said,) = answers(files, [{"context": "see the hall " * 30 + "Ann", "question": "who?"}])
    assert set(said) >= {"prediction", "start", "end"}


# --- what the evaluation decides -------------------------------------------------------------------------------------


def test_the_weights_of_the_best_evaluation_are_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from backends import extractive_qa

    left = [0.1, 0.9, 0.3, 0.4]

    def scripted(said: Any, golds: Any) -> Any:
        return {"exact_match": left.pop(0) if len(left) > 1 else left[0], "f1": 0.5}, {}

    monkeypatch.setattr(extractive_qa, "score_baselines", lambda job, examples: ("none", {"exact_match": 0.0}))
    monkeypatch.setattr(extractive_qa, "answer_scores", scripted)
    files = quick_run(tmp_path, rows_of(60, seed=23, silent=0), settings={"max_steps": 8, "eval_steps": 2})
    train(files)
    assert report_of(files)["details"]["best_step"] == 4 and "the weights of step 4 are kept" in notices(files)
    assert [step for step, _ in sealed_checkpoints(files.checkpoints)] == [4, 6, 8]
    final, best = weights(files.model), weights(files.checkpoints / "checkpoint-4")
    assert all(torch.equal(final[name], best[name]) for name in best)


# --- stop and resume ---------------------------------------------------------------------------------------------


def assert_same_run(whole: RunFiles, resumed: RunFiles, name: str = "model.safetensors", within: float = 1e-5) -> None:
    """Losses, metrics, threshold and weights are equal."""
    import torch

    assert losses(resumed) == pytest.approx(losses(whole), abs=within)
    first, second = report_of(whole), report_of(resumed)
    assert second["metrics"] == pytest.approx(first["metrics"], abs=within)
    assert second["baselines"] == first["baselines"]
    threshold = first["details"]["no_answer_threshold"]
    assert second["details"]["no_answer_threshold"] == pytest.approx(threshold, abs=within)
    ours, theirs = weights(resumed.model, name), weights(whole.model, name)
    assert all(torch.allclose(ours[key], theirs[key], atol=within, rtol=0) for key in theirs)


def test_stop_and_resume_is_the_same_as_no_stop(tmp_path: Path) -> None:
    """The stop falls inside an epoch, between two evaluations, with dropout at work and texts in several windows."""
    data = write_rows(tmp_path / "data.jsonl", rows_of(70, seed=24))
    settings = {"max_steps": 14, "eval_steps": 5, "gradient_accumulation_steps": 2, "max_length": 16}
    whole, parted = (new_run(tmp_path / name, data, settings=settings) for name in ("whole", "parted"))
    train(whole)
    train(parted, stop_at=6)
    assert "stopped as asked after step 7" in notices(parted) and not parted.model.exists()
    train(parted, attempt=2)
    assert [event["from_step"] for event in events_of(parted, "attempt")] == [0, 7]
    assert_same_run(whole, parted)


# --- model folders -----------------------------------------------------------------------------------------------


def tiny_bert(pretrained: Path, folder: Path, kind: str = "Bert", **settings: Any) -> Path:
    """Another network of random weights behind the same tokenizer, with its own name for the layer of answers."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(pretrained)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = getattr(transformers, f"{kind}Config")(vocab_size=len(tokenizer), **{**sizes, **settings})
    getattr(transformers, f"{kind}ForQuestionAnswering")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_full_training_starts_from_the_folder(pretrained: Path, tmp_path: Path) -> None:
    files = quick_run(tmp_path, rows_of(60, seed=25), model=str(pretrained), settings={"learning_rate": 1e-5})
    train(files)
    assert report_of(files)["metrics"]["exact_match"] > 0.85


@pytest.mark.parametrize(
    ("method", "kind"), [("lora", "ModernBert"), ("lora", "Bert"), ("qlora", "ModernBert"), ("prefix-tuning", "Bert")]
)
def test_adapters_learn_resume_and_predict(pretrained: Path, tmp_path: Path, method: str, kind: str) -> None:
    """The layer that gives the answers is trained whole beside the adapters, whatever it is called."""
    import torch

    base = pretrained if kind == "ModernBert" else tiny_bert(pretrained, tmp_path / "bert")
    before = weights(base)
    held_out = rows_of(30, seed=26)
    data = write_rows(tmp_path / "data.jsonl", rows_of(60, seed=27))
    given = {"model": str(base), "method": method}
    given["eval_data"] = str(write_rows(tmp_path / "held-out.jsonl", held_out))
    settings = {"max_steps": 8, "eval_steps": 4, "lora_r": 4, "learning_rate": 1e-3}
    whole, parted = (new_run(tmp_path / name, data, settings=settings, **given) for name in ("whole", "parted"))
    train(whole)
    train(parted, stop_at=4)
    train(parted, attempt=2)
    # bitsandbytes sums in another order once it has packed its weights of 4 bits for evaluation.
    assert_same_run(whole, parted, "adapter_model.safetensors", within=1e-3 if method == "qlora" else 1e-5)
    adapter = weights(whole.model, "adapter_model.safetensors")
    head = "classifier" if kind == "ModernBert" else "qa_outputs"
    assert {name for name in adapter if head in name and "lora" not in name and "weight" in name}
    assert not [name for name in adapter if head in name and "lora" in name]
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(base).items())
    by_hand, _ = scores_by_predict(whole, held_out)
    told = report_of(whole)["metrics"]
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
    assert kind == "Bert" or by_hand["exact_match"] > 0.7


def test_layers_that_the_base_has_no_weights_for_are_kept_with_the_adapter(pretrained: Path, tmp_path: Path) -> None:
    """A bare encoder: the head begins as random weights, and must be the same ones when predicting."""
    from transformers import AutoModel, AutoTokenizer

    base = tmp_path / "bare"
    AutoModel.from_pretrained(pretrained).save_pretrained(base)
    AutoTokenizer.from_pretrained(pretrained).save_pretrained(base)
    held_out = rows_of(30, seed=28)
    other = write_rows(tmp_path / "held-out.jsonl", held_out)
    files = quick_run(
        tmp_path, rows_of(60, seed=29), model=str(base), method="lora", eval_data=str(other), settings={"max_steps": 30}
    )
    train(files)
    by_hand, _ = scores_by_predict(files, held_out)
    told = report_of(files)["metrics"]
    assert {name: told[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
    assert by_hand["exact_match"] > 0.5


def refused_model(tmp_path: Path, folder: Path) -> ForgeError:
    with pytest.raises(ForgeError) as refused:
        train(quick_run(tmp_path, rows_of(30, seed=30), model=str(folder)))
    assert refused.value.why and refused.value.fix
    return refused.value


def test_a_model_of_the_wrong_kind_is_refused(pretrained: Path, tmp_path: Path) -> None:
    from transformers import ViTConfig

    folder = Path(shutil.copytree(pretrained, tmp_path / "pictures"))
    ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2).save_pretrained(folder)
    assert "pictures cannot be loaded as a finder of answers" in refused_model(tmp_path, folder).what


def tokenizer_settings(folder: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_a_tokenizer_without_a_pad_token_is_given_one_or_refused(pretrained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pretrained, tmp_path / "unpadded"))
    tokenizer_settings(folder, lambda known: {name: known[name] for name in known if name != "pad_token"})
    files = quick_run(tmp_path, rows_of(40, seed=31), model=str(folder), settings={"learning_rate": 1e-5})
    train(files)
    assert report_of(files)["metrics"]["exact_match"] > 0.8  # the rows were padded with another token, unread
    bare = Path(shutil.copytree(folder, tmp_path / "bare"))
    tokenizer_settings(bare, lambda known: {name: known[name] for name in known if not name.endswith("_token")})
    (tmp_path / "refused").mkdir()
    assert "has no padding token" in refused_model(tmp_path / "refused", bare).what


def test_a_tokenizer_that_cannot_tell_places_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that works without a tokenizer.json, as those for bytes do."""
    from transformers import ByT5Tokenizer

    from backends import extractive_qa

    monkeypatch.setattr(extractive_qa, "load_model", lambda *given: (ByT5Tokenizer(), None))
    assert "cannot mark answers" in refused_model(tmp_path, tmp_path).what


def test_a_model_without_a_token_for_silence_is_refused(pretrained: Path, tmp_path: Path) -> None:
    """A language model's tokenizer adds no token that could be pointed at."""
    folder = tiny_bert(pretrained, tmp_path / "writer", "GPT2", n_embd=32, n_head=2, n_layer=1)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "post_processor": None}))
    told = refused_model(tmp_path, folder)
    assert "has no token to say `no answer` with" in told.what and "extractive-question-answering" in told.fix


# --- as the app starts it ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_and_its_predictions_in_processes_of_their_own(tmp_path: Path, repository: Path) -> None:
    files = quick_run(tmp_path, rows_of(160, seed=32), settings={"max_steps": 60})
    environment = {**os.environ, "PYTHONPATH": str(repository), "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "backends", str(files.folder)], env=environment, cwd=files.folder, timeout=300
    )
    assert ended.returncode == 0
    rows = rows_of(20, seed=33)
    asked = [{"context": row["context"], "question": row["question"]} for row in rows]
    told = subprocess.run(
        [sys.executable, "-m", "backends.predict", str(files.folder)],
        env=environment,
        input="".join(json.dumps(row) + "\n" for row in asked).encode(),
        capture_output=True,
        timeout=300,
    )
    assert told.returncode == 0
    said = [json.loads(line)["prediction"] for line in told.stdout.splitlines()]
    assert answer_scores(said, [row["answers"] for row in rows])[0]["exact_match"] > 0.7
