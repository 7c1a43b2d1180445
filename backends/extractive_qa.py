"""Answers found in texts: an encoder that points at the first and the last token, or at none, trained by Transformers.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

Texts longer than `max_length` are read in windows that overlap, and the best answer of all windows counts. Where some
questions have no answer in their text, the model may say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorWithPadding, Trainer, set_seed

from backends.answer_baseline import nearest_words
from backends.answer_metrics import answer_scores, best_threshold, match
from backends.answer_rows import Examples, Question, load_examples
from backends.answer_windows import Decoder, Found, Gathered, Window, cut_questions, require_pairs, windows_of
from backends.contract import DataError, read_json, read_spec, write_json
from backends.encoders import encoder_preset
from backends.formats.values import as_text
from backends.held_out import HeldOut, as_held_out, worst
from backends.job import Job
from backends.options.marking import ExtractiveQaOptions
from backends.reporting import finish
from backends.trainer_events import SAMPLES_SHOWN, ForgeCallback
from backends.transformers_training import (
    PREDICT_BATCH,
    batches,
    final_scores,
    lacks_column,
    load_model,
    save_model,
    train_to_end,
    training_arguments,
    training_details,
    usable_length,
)
from backends.tuning import ANSWER_FINDER, labels_config, load_finished

ANSWERS_FILE = "answers.json"
NO_ANSWER = "(no answer)"
ENDS = labels_config(("start", "end"))
_AROUND = 60  # characters of the text that are shown on either side of an answer


def train(job: Job) -> None:
    """Train one finder of answers from the spec to the final model folder."""
    options: ExtractiveQaOptions = job.options
    examples = load_examples(job)
    set_seed(options.seed)
    job.events.phase("loading-model")
    texts = (text for each in examples.train for text in (each.context, each.question))
    tokenizer, model = load_model(
        job, ANSWER_FINDER, encoder_preset(ANSWER_FINDER, texts, options.lowercase, ENDS), ENDS
    )
    require_pairs(tokenizer, job.spec.model)
    job.events.phase("preparing")
    limit = usable_length(job, model, tokenizer)
    windows = {side: windows_told(job, side, tokenizer, data, limit) for side, data in sides(examples).items()}
    scorer = Scorer(examples, windows["evaluation"], options)
    trainer = build_trainer(job, examples, tokenizer, model, windows, scorer)
    job.events.phase("baseline")
    baseline_name, baseline = job.known_baseline() or score_baselines(job, examples)
    seconds = train_to_end(job, trainer)
    if seconds is None:
        return
    metrics = final_scores(job, trainer)
    tell_threshold(job, scorer)
    held_out = scorer.judged()
    save_model(job, trainer, tokenizer)
    read = {"max_length": limit, "doc_stride": options.doc_stride}
    said = {**vars(scorer.gathered.decoder), "no_answer_threshold": scorer.threshold}
    write_json(job.files.model / ANSWERS_FILE, {**read, **said})
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=baseline_name,
        training_seconds=seconds,
        details={**training_details(trainer), **scorer.details},
        by_type=scorer.by_type,
        held_out=held_out,
    )


# --- from questions to batches -------------------------------------------------------------------------------------


def sides(examples: Examples) -> dict[str, list[Question]]:
    """The two halves of the data by name."""
    return {"train": examples.train, "evaluation": examples.evaluation}


def pairs_of(data: Sequence[Question]) -> list[tuple[str, str]]:
    """Question and context of each, as the tokenizer takes them."""
    return [(each.question, each.context) for each in data]


def windows_told(job: Job, side: str, tokenizer: Any, data: list[Question], limit: int) -> list[Window]:
    """The windows of one half; how many contexts need several and which questions are cut is told."""
    windows = list(windows_of(tokenizer, pairs_of(data), limit, job.options.doc_stride))
    several = sum(count > 1 for count in Counter(window.row for window in windows).values())
    if several:
        job.events.notice(
            f"{several:,} of {len(data):,} {side} texts are longer than {limit:,} tokens with their question; "
            "they are read in windows that overlap"
        )
    cut = sum(was_cut for _, was_cut in cut_questions(tokenizer, [each.question for each in data], limit))
    if cut:
        job.events.notice(f"{cut:,} {side} questions take more than a quarter of {limit:,} tokens; their end is cut")
    return windows


class Inputs(Sequence[dict[str, Any]]):
    """Windows as the model takes them, with the places of their answers; made when asked for, since lists are large."""

    def __init__(self, windows: Sequence[Window], positions: Sequence[tuple[int, int]]) -> None:
        self.windows, self.positions = windows, positions

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: Any) -> Any:
        start, end = self.positions[index]
        return {**self.windows[index].lists(), "start_positions": start, "end_positions": end}


def learned_inputs(job: Job, data: list[Question], windows: list[Window]) -> Inputs:
    """The training windows; those of answers that stand whole in none are left out, because they would teach silence.

    Raises DataError where that leaves nothing.
    """
    positions = [window.positions(data[window.row].span) for window in windows]
    whole = {window.row for window, (start, _) in zip(windows, positions) if start != window.null}
    kept = [number for number, window in enumerate(windows) if window.row in whole or data[window.row].span is None]
    lost = sum(each.span is not None for each in data) - len(whole)
    if lost:
        job.events.notice(f"{lost:,} answers of the train rows fit into no window; their questions are left out")
    longest = job.options.max_answer_length
    long = {window.row for window, (start, end) in zip(windows, positions) if end - start >= longest}
    if long:
        job.events.notice(
            f"{len(long):,} answers of the train rows are longer than {longest} tokens; no answer given is longer than "
            f"max_answer_length = {longest}",
            "warning",
        )
    if not whole:
        raise DataError(
            "No answer fits into what the model reads at once",
            f"all {lost:,} are longer than a part of {max(len(each.inputs['input_ids']) for each in windows):,} tokens",
            "Raise max_length, or write shorter answers.",
        )
    return Inputs([windows[number] for number in kept], [positions[number] for number in kept])


# --- training ------------------------------------------------------------------------------------------------------


def build_trainer(
    job: Job,
    examples: Examples,
    tokenizer: Any,
    model: Any,
    windows: Mapping[str, list[Window]],
    scorer: Scorer,
) -> Trainer:
    """Transformers' Trainer, set up by the options and scored as SQuAD does."""
    learned = learned_inputs(job, examples.train, windows["train"])
    places = [window.positions(examples.evaluation[window.row].span) for window in windows["evaluation"]]
    shown = shown_rows(examples.evaluation)
    asked = [examples.evaluation[row] for row in shown]
    samples = [
        (f"{each.question} ‖ {passage(each.context, each.span)}", " | ".join(dict.fromkeys(each.answers)) or NO_ANSWER)
        for each in asked
    ]
    callback = ForgeCallback(job, samples=samples)

    def score(prediction: Any, compute_result: bool) -> dict[str, float]:
        scorer.add(prediction.predictions)
        if not scorer.is_complete:
            return {}
        scores = scorer.scores()
        callback.outputs = [scorer.said[row] or NO_ANSWER for row in shown]
        return scores

    trainer = Trainer(
        model=model,
        # Scored batch by batch, so that the logits of a large evaluation never lie in memory at once.
        args=training_arguments(job, len(learned), batch_eval_metrics=True),
        train_dataset=learned,
        eval_dataset=Inputs(windows["evaluation"], places),
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8 if torch.cuda.is_available() else None),
        compute_metrics=score,
        preprocess_logits_for_metrics=lambda logits, labels: torch.stack(logits[:2], dim=-1).float(),
        callbacks=[callback],
    )
    callback.take_over(trainer)
    return trainer


def shown_rows(data: Sequence[Question]) -> list[int]:
    """The questions that are shown as samples: the first ones with an answer, and the first without."""
    answered = [row for row, each in enumerate(data) if each.answers]
    silent = [row for row, each in enumerate(data) if not each.answers][:1]
    return [*answered[: SAMPLES_SHOWN - len(silent)], *silent]


class Scorer:
    """Takes what the model says of the evaluation windows and scores whole questions.

    `said` are the answers given, None for no answer; `threshold` is how far the score of `no answer` must be above that
    of the best answer to be said, None where the data gives every question an answer and it never is.
    """

    def __init__(self, examples: Examples, windows: list[Window], options: ExtractiveQaOptions) -> None:
        self.data, self.given = examples.evaluation, options.no_answer_threshold
        self.may_be_silent = examples.some_unanswered or self.given is not None
        self.finds_threshold = self.given is None and len({bool(each.answers) for each in self.data}) == 2
        decoder = Decoder(options.n_best, options.max_answer_length, examples.whole_words)
        self.gathered = Gathered(decoder, [each.context for each in self.data], windows)
        self.said: list[str | None] = []
        self.found: list[Found] = []
        self.threshold: float | None = None
        self.by_type: dict[str, dict[str, float]] = {}
        self.details: dict[str, Any] = {}

    def add(self, logits: Any) -> None:
        """Take in the logits of one batch, (windows, tokens, 2)."""
        self.gathered.add(logits.cpu().numpy())

    @property
    def is_complete(self) -> bool:
        """Whether the whole evaluation was seen."""
        return self.gathered.is_complete

    def scores(self) -> dict[str, float]:
        """The scores of all questions, once they are complete; finds the threshold where it is not given."""
        found, golds = self.gathered.found(), [each.answers for each in self.data]
        self.found = found
        best = [answer_of(each.context, one, None) for each, one in zip(self.data, found)]
        if self.may_be_silent:
            self.threshold = 0.0 if self.given is None else self.given
        if self.finds_threshold:
            self.threshold = best_threshold(best, [each.margin for each in found], golds)
            at_zero = [answer_of(each.context, one, 0.0) for each, one in zip(self.data, found)]
            self.details["at_threshold_0"] = answer_scores(at_zero, golds)[0]
        if self.may_be_silent:
            self.details["no_answer_threshold"] = self.threshold
            self.details["threshold_found_on"] = "the evaluation rows" if self.finds_threshold else None
        self.said = [answer_of(each.context, one, self.threshold) for each, one in zip(self.data, found)]
        scores, self.by_type = answer_scores(self.said, golds)
        return scores

    def judged(self) -> HeldOut:
        """What was said last of the evaluation questions; a question is as bad as its F1 is low."""
        matches = [match(said, each.answers) for said, each in zip(self.said, self.data)]
        rows = []
        for row in worst([2 - 2 * each.f1 - each.exact for each in matches]):
            asked, said, found = self.data[row], self.said[row], self.found[row]
            shares, silence = found.shares(self.threshold)
            rows.append(
                {
                    "input": f"{asked.question} ‖ {passage(asked.context, asked.span)}",
                    "expected": " | ".join(dict.fromkeys(asked.answers)) or NO_ANSWER,
                    "predicted": said or NO_ANSWER,
                    "wrong": matches[row].exact < 1,
                    "probability": round(shares[0] if said is not None else silence, 6),
                    "score": round(matches[row].f1, 6),
                }
            )
        right = Counter((bool(each.answers), bool(said)) for said, each in zip(self.said, self.data))
        exact = sum(bool(each.answers) and one.exact == 1 for one, each in zip(matches, self.data))
        answers = {
            "answerable": right[True, True] + right[True, False],
            "answerable_right": exact,
            "answerable_silent": right[True, False],
            "unanswerable": right[False, True] + right[False, False],
            "unanswerable_silent": right[False, False],
        }
        wrong = sum(each.exact < 1 for each in matches)
        return as_held_out(len(matches), wrong, rows, "f1", answers=answers)


def answer_of(context: str, found: Found, threshold: float | None) -> str | None:
    """The best answer; None where there is none, or `no answer` is above it by more than the threshold."""
    if not found.candidates or (threshold is not None and found.margin > threshold):
        return None
    return context[found.candidates[0].start : found.candidates[0].end]


def tell_threshold(job: Job, scorer: Scorer) -> None:
    """Say where the threshold comes from, because a score with what was found on the same rows is a little too good."""
    if not scorer.finds_threshold:
        return
    primary = job.task.metrics[0]
    at_zero = scorer.details["at_threshold_0"][primary]
    job.events.notice(
        f"no answer is given where its score is more than {scorer.threshold:.2f} above that of the best answer; this "
        f"was found on the evaluation rows, which flatters their scores a little: with 0 {primary} is {at_zero:.4f}"
    )


def score_baselines(job: Job, examples: Examples) -> tuple[str, dict[str, float]]:
    """No answer where that may be right, the commonest answer, and the words nearest to those of the question."""
    commonest, _ = Counter(each.answers[0] for each in examples.train if each.answers).most_common(1)[0]
    asked = [(each.question, each.context) for each in examples.evaluation]
    learned = [(each.question, each.context, each.span) for each in examples.train]
    said: dict[str, Sequence[str | None]] = {
        **({"no answer": [None] * len(asked)} if examples.some_unanswered else {}),
        "commonest answer": [commonest] * len(asked),
        "nearest words": nearest_words(learned, asked, job.options.seed),
    }
    golds = [each.answers for each in examples.evaluation]
    scores = {name: answer_scores(each, golds)[0] for name, each in said.items()}
    return job.record_baselines(scores, job.task.metrics[0])


# --- using the model -----------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Answer the question of each row (column name to cell) from its context with the model of a finished run.

    Places count characters of the context, from 0, the end not included; the answer is None where the model gives none.
    Probabilities are those among the candidates, `no answer` included where the model may say that.
    """
    columns = read_spec(model_folder.parent / "spec.toml").columns
    learned = read_json(model_folder / ANSWERS_FILE) or {}
    decoder = Decoder(**{each.name: learned[each.name] for each in fields(Decoder)})
    threshold = learned["no_answer_threshold"]
    tokenizer, model = load_finished(model_folder, ANSWER_FINDER, ENDS)
    for batch in batches(rows):
        pairs = [(_cell(row, columns, "question"), _cell(row, columns, "context")) for row in batch]
        windows = list(windows_of(tokenizer, pairs, learned["max_length"], learned["doc_stride"]))
        gathered = Gathered(decoder, [context for _, context in pairs], windows)
        for first in range(0, len(windows), PREDICT_BATCH):
            some = windows[first : first + PREDICT_BATCH]
            inputs = tokenizer.pad([window.lists() for window in some], return_tensors="pt")
            with torch.inference_mode():
                said = model(**inputs.to(model.device))
            gathered.add(torch.stack((said.start_logits, said.end_logits), dim=-1).float().cpu().numpy())
        for (_, context), found in zip(pairs, gathered.found()):
            yield _told(context, found, threshold)


def _cell(row: Mapping[str, Any], columns: Mapping[str, str], role: str) -> str:
    """What a row holds for a role: in the column of training, or in one that is called like the role."""
    for name in (columns[role], role):
        if name in row:
            return as_text(row[name])
    raise lacks_column(columns[role], [columns["context"], columns["question"]])


def _told(context: str, found: Found, threshold: float | None) -> dict[str, Any]:
    shares, silence = found.shares(threshold)
    answer = answer_of(context, found, threshold)
    best = found.candidates[0] if answer is not None else None
    span = None if best is None else (best.start, best.end)
    return {
        "prediction": answer,
        "start": None if best is None else best.start,
        "end": None if best is None else best.end,
        "probability": silence if best is None else shares[0],
        "no_answer_probability": silence,
        "passage": passage(context, span),
        "answers": [
            {"text": context[each.start : each.end], "start": each.start, "end": each.end, "probability": share}
            for each, share in zip(found.candidates, shares)
        ],
    }


def passage(context: str, span: tuple[int, int] | None) -> str:
    """The part of a text around its marked answer, or its beginning where there is no answer; words stay whole."""
    start, end = span or (0, 0)
    before, after = max(0, start - _AROUND), end + (_AROUND if span else 2 * _AROUND)
    if before:
        before = max(before, context.find(" ", before, start) + 1)
    if after < len(context):
        after = context.rfind(" ", end, after) if " " in context[end:after] else after
    marked = f"«{context[start:end]}»" if span else ""
    ends = ("…" if before else "", "…" if after < len(context) else "")
    return " ".join(f"{ends[0]}{context[before:start]}{marked}{context[end:after]}{ends[1]}".split())
