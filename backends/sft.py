"""Language models learn to answer: instructions, chats, questions, steps; trained by TRL's SFTTrainer.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

Loss lies on answers and their ends only, plain texts are learned whole. At each evaluation some answers are written
out; where every answer ends in a final result, that is compared too. The best evaluation's weights become the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import set_seed

from backends.chat_rows import (
    ChatFormat,
    Rows,
    asking_format,
    chat_format,
    encode_rows,
    messages_of,
    prompt_of,
    require_learned,
)
from backends.contract import DataError, read_json, read_spec, write_json
from backends.data import load_split
from backends.decoders import load_decoder
from backends.final_answers import end_in_results, exact_match
from backends.formats.conversations import Turn, turn_list
from backends.formats.findings import Fault
from backends.formats.language import Example, read_example
from backends.formats.shapes import Shape, shape_for
from backends.formats.values import as_text
from backends.held_out import HeldOut, as_held_out, spread, worst
from backends.job import Job
from backends.language_training import (
    LanguageTrainer,
    make_trainer,
    quiet_scores,
    score_baselines,
)
from backends.options.language import FineTuningOptions
from backends.registry import find_data
from backends.reporting import finish
from backends.trainer_events import SAMPLES_SHOWN, ForgeCallback
from backends.transformers_training import save_model, train_to_end, training_details, usable_length
from backends.writing import CHAT_FILE, LONGEST_ANSWER, generate, load_writer

# Answers that are written at the end for a person to read, where there is no result to compare.
ROWS_TO_READ = 16
# From this share on, too many answers lose their end: the model then never learns to stop.
MANY_CUT = 0.1


def train(job: Job) -> None:
    """Train one model from the spec to the final model folder."""
    options: FineTuningOptions = job.options
    sides = load_examples(job)
    set_seed(options.seed)
    job.events.phase("loading-model")
    tokenizer, model = load_decoder(job, lambda: (example.words for example in sides["train"]))
    found, told = chat_format(tokenizer, model)
    for line in told:
        job.events.notice(line)
    model.generation_config.eos_token_id = sorted(found.stops)
    limit = usable_length(job, model, tokenizer)
    job.events.phase("preparing")
    rows = {side: rows_told(job, found, side, examples, limit) for side, examples in sides.items()}
    answers = Answers(job, found, rows["evaluation"], limit - 1)
    trainer = build_trainer(job, found, model, rows, limit, answers)
    job.events.phase("baseline")
    encoded = {side: each.rows for side, each in rows.items()}
    name, baseline = job.known_baseline() or score_baselines(job, trainer, encoded, len(tokenizer))
    set_seed(options.seed)
    seconds = train_to_end(job, trainer)
    if seconds is None:
        return
    answers.shown = ROWS_TO_READ
    metrics = quiet_scores(job, trainer)
    save_model(job, trainer, tokenizer)
    write_json(
        job.files.model / CHAT_FILE,
        {"stops": sorted(found.stops), "chats": True, "takes_system": found.takes_system},
    )
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=name,
        training_seconds=seconds,
        details=training_details(trainer),
        held_out=answers.to_read(),
    )


# --- from rows to tokens -------------------------------------------------------------------------------------------


def load_examples(job: Job) -> dict[str, list[Example]]:
    """The examples of both sides; answers that are marked bad, and the worse ones of pairs, are nothing to learn."""
    split = load_split(job)
    sides = {}
    for side, data in (("train", split.train), ("evaluation", split.evaluation)):
        good = [replace(each, rejected=None) for each in data.labels if each.desirable is not False]
        if len(good) < len(data.labels):
            job.events.notice(f"{len(data.labels) - len(good):,} {side} rows are marked bad and left out")
        sides[side] = good
    if not sides["train"] or not sides["evaluation"]:
        raise DataError("No row is left to learn from", "every answer is marked bad", "Check the column of marks.")
    return sides


def rows_told(job: Job, found: ChatFormat, side: str, examples: Sequence[Example], limit: int) -> Rows:
    """The rows of one side as tokens; what bears loss, what is cut and what is left out is counted and told.

    Raises DataError where no row is left.
    """
    rows = encode_rows(found, examples, limit, job.options.long_rows == "drop")
    notice = job.events.notice
    for reason, count in rows.refused.items():
        notice(f"{count:,} {side} rows are left out: {reason}", "warning")
    if not rows.rows:
        reason = next(iter(rows.refused), f"all {rows.too_long:,} are longer than {limit:,} tokens before any answer")
        raise DataError(
            f"No {side} row can be learned from",
            reason,
            "Raise max_length, or choose a model whose chat template takes such conversations.",
        )
    require_learned(found, rows)
    notice(
        f"{side}: {len(rows.rows):,} rows, {rows.tokens:,} tokens; {rows.learned:,} of them bear loss "
        f"({rows.learned / rows.tokens:.0%}): answers and their ends"
    )
    if rows.cut:
        level = "warning" if rows.cut > MANY_CUT * len(examples) else "info"
        cut = f"{rows.cut:,} of {len(examples):,} {side} rows are longer than {limit:,} tokens; the rest is cut"
        notice(f"{cut}: a longer max_length keeps it" if level == "warning" else cut, level)
    if rows.too_long:
        why = "are longer than" if job.options.long_rows == "drop" else "have no answer in their first"
        notice(f"{rows.too_long:,} of {len(examples):,} {side} rows {why} {limit:,} tokens and are dropped")
    return rows


# --- training ------------------------------------------------------------------------------------------------------


class Answers:
    """What the model writes at evaluations: every result where answers end in one, else a few to read."""

    def __init__(self, job: Job, found: ChatFormat, rows: Rows, longest: int) -> None:
        self.found, self.most = found, job.options.sample_tokens
        self.asked = answerable(found, rows, longest)
        self.is_exact = end_in_results([answer for _, _, answer in self.asked]) and job.options.exact_rows > 0
        self.exact_rows, self.shown = job.options.exact_rows, SAMPLES_SHOWN
        self.written: list[str] = []

    def write(self, model: Any) -> list[str]:
        """The answers to the first questions, in order."""
        asked = self.asked[: self.exact_rows if self.is_exact else self.shown]
        said = generate(
            model, self.found.tokenizer, [prompt for prompt, _, _ in asked], sorted(self.found.stops), self.most
        )
        self.written = [self.found.tokenizer.decode(ids, skip_special_tokens=True) for ids in said]
        return self.written

    @property
    def wanted(self) -> list[str]:
        """The right answers to what was written last."""
        return [answer for _, _, answer in self.asked[: len(self.written)]]

    def to_read(self) -> HeldOut:
        """What was written last beside what was wanted: wrong results first, or the least alike by their letters."""
        rows = [
            {"input": question, "expected": wanted, "predicted": said}
            for (_, question, wanted), said in zip(self.asked, self.written)
        ]
        if self.is_exact:
            counted = [{**row, "wrong": exact_match([row["predicted"]], [row["expected"]]) < 1} for row in rows]
            counted.sort(key=lambda row: not row["wrong"])
            return as_held_out(len(rows), sum(bool(row["wrong"]) for row in counted), counted, "result")
        from backends.text_metrics import row_scores

        metric, scores = row_scores(self.written, self.wanted, "chrf")
        scored = [{**row, "score": round(score, 6)} for row, score in zip(rows, scores)]
        tables = {"metric": metric, **spread(scores)} if scores else {}
        return as_held_out(
            len(rows), None, [scored[row] for row in worst([-score for score in scores])], metric, scores_by_row=tables
        )


def build_trainer(
    job: Job, found: ChatFormat, model: Any, rows: dict[str, Rows], limit: int, answers: Answers
) -> LanguageTrainer:
    """TRL's trainer, scored by token and, at each evaluation, by some answers written out."""
    samples = [(question, answer) for _, question, answer in answers.asked[:SAMPLES_SHOWN]]
    callback = ForgeCallback(job, samples=samples)

    def score(scores: dict[str, float]) -> dict[str, float]:
        said = answers.write(trainer.model)
        callback.outputs = said[:SAMPLES_SHOWN]
        return {**scores, "exact_match": exact_match(said, answers.wanted)} if answers.is_exact else scores

    encoded = {side: each.rows for side, each in rows.items()}
    trainer = make_trainer(job, model, found.tokenizer, encoded, limit, callback, score, job.options.packing)
    return trainer


def answerable(found: ChatFormat, rows: Rows, longest: int) -> list[tuple[list[int], str, str]]:
    """The prompt as tokens, the question and the wanted answer of each row whose prompt leaves room for an answer."""
    asked = []
    for example in rows.examples:
        prompt = prompt_of(found, example)
        if prompt is not None and len(prompt[0]) < longest:
            questions = [turn.text for turn in example.turns[:-1] if turn.role != "system"]
            asked.append((prompt[0], questions[-1] if questions else "", prompt[1]))
    return asked


# --- using the model -----------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Answer each row (column name to cell) with the model of a finished run; a text under another name is asked."""
    spec = read_spec(model_folder.parent / "spec.toml")
    learned = read_json(model_folder / CHAT_FILE) or {}
    shape = shape_for(find_data(spec.task), spec.columns)
    tokenizer, model = load_writer(model_folder)
    found = asking_format(tokenizer, learned["stops"], learned["takes_system"])
    for row in rows:
        example = question_of(shape, spec.columns, row)
        messages, tools = messages_of(found, example)
        prompt = found.write(messages, tools, asks=True)
        said = next(generate(model, tokenizer, [prompt], learned["stops"], LONGEST_ANSWER))
        yield {"prediction": tokenizer.decode(said, skip_special_tokens=True), "input": messages[-1]["content"]}


def question_of(shape: Shape, columns: Mapping[str, str], row: Mapping[str, Any]) -> Example:
    """A row without its answer, as the conversation up to it.

    Raises DataError where there is nothing to answer.
    """
    values = {role: row.get(column) for role, column in columns.items()}
    if all(value is None for value in values.values()):
        return Example((Turn("user", as_text(next(iter(row.values()), "")), False),))
    if "messages" in shape.needed:
        turns: Any = turn_list(values["messages"] or ())
        turns = turns[:-1] if not isinstance(turns, Fault) and turns and turns[-1].role == "assistant" else turns
        found: Example | Fault = turns if isinstance(turns, Fault) else Example(tuple(turns))
    else:
        answers: dict[str, Any] = {
            role: "?" for role in ("output", "answer", "completion", "target", "chosen") if role in shape.needed
        }
        if "rejected" in shape.needed:
            answers["rejected"] = "!"
        found = read_example(shape, {**values, **answers})
        found = found if isinstance(found, Fault) else replace(found, turns=found.turns[:-1], rejected=None)
    if isinstance(found, Fault) or not found.turns:
        raise DataError(
            "A row cannot be answered",
            found.message if isinstance(found, Fault) else "it asks nothing",
            f"This model reads {', '.join(columns.values())}, or one text.",
        )
    return found
