"""Summaries, translations and any other text from a text: an encoder-decoder that Transformers' Seq2SeqTrainer trains.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

At each evaluation the model writes the targets anew from their sources, with the beams and lengths of the options, and
is scored on what it wrote against the whole targets, however short they were cut for learning.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments, set_seed

from backends.bert_score import Meaning
from backends.contract import read_spec
from backends.data import load_split
from backends.encoder_decoders import (
    Writing,
    load_to_write,
    load_writer,
    prepare_generation,
    save_writing,
    writing_for,
)
from backends.formats.row_faults import source_text
from backends.formats.values import as_text
from backends.held_out import HeldOut, as_held_out, spread, worst
from backends.job import Job
from backends.json_fields import are_objects
from backends.options.writing import Seq2SeqOptions
from backends.registry import JSON_METRICS, MEANING_METRIC
from backends.reporting import finish
from backends.text_baselines import commonest, lead_sentences, nearest_targets
from backends.trainer_events import SAMPLES_SHOWN, ForgeCallback
from backends.transformers_training import (
    batches,
    final_scores,
    lacks_column,
    save_model,
    train_to_end,
    training_arguments,
    training_details,
)
from backends.tuning import compute_dtype, virtual_tokens

_WRITTEN_AT_ONCE = 16
_UNKNOWN_SHARE = 0.01  # of the target's tokens; more of them are worth a warning


@dataclass(frozen=True)
class Pairs:
    """Texts and what they become, as the rows have them."""

    sources: list[str]
    targets: list[str]

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, rows: Sequence[int]) -> Pairs:
        """Some of the pairs."""
        return Pairs([self.sources[row] for row in rows], [self.targets[row] for row in rows])


def train(job: Job) -> None:
    """Train one writer from the spec to the final model folder."""
    options: Seq2SeqOptions = job.options
    split = load_split(job)
    train_pairs, held_out = pairs_of(job, split.train.rows), pairs_of(job, split.evaluation.rows)
    job = judged(job, train_pairs, held_out)
    set_seed(options.seed)
    job.events.phase("loading-model")
    tokenizer, model = load_writer(job, (text for side in (train_pairs.sources, train_pairs.targets) for text in side))
    writing = writing_for(job, tokenizer, model)
    prepare_generation(job, tokenizer, model, writing)
    job.events.phase("preparing")
    rows = {"train": encode(tokenizer, train_pairs, writing), "evaluation": encode(tokenizer, held_out, writing)}
    tell_cut(job, tokenizer, rows, writing)
    scorer = Scorer(job)
    trainer = build_trainer(job, tokenizer, model, rows, held_out, scorer)
    job.events.phase("baseline")
    baseline_name, baseline = job.known_baseline() or score_baselines(job, train_pairs, held_out, scorer)
    seconds = train_to_end(job, trainer)
    if seconds is None:
        return
    trainer.score_all()
    metrics = final_scores(job, trainer)
    said = judge(job, held_out, scorer.written)
    prepare_generation(job, tokenizer, model, writing)
    save_model(job, trainer, tokenizer)
    save_writing(model, job.files.model, writing)
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=baseline_name,
        training_seconds=seconds,
        details={**training_details(trainer), **scoring_details(job, held_out)},
        held_out=said,
    )


# --- from rows to batches ------------------------------------------------------------------------------------------


def pairs_of(job: Job, rows: list[dict[str, Any]]) -> Pairs:
    """Source, with the question about it where there is one, and target of each row."""
    values = [{role: row.get(column) for role, column in job.spec.columns.items()} for row in rows]
    return Pairs([source_text(each) for each in values], [as_text(each["target"]) for each in values])


def encode(tokenizer: Any, pairs: Pairs, writing: Writing) -> list[dict[str, Any]]:
    """Token ids of sources, with the prefix, and of targets; cut where they are longer than the model is given."""
    sources = [writing.prefix + text for text in pairs.sources]
    coded = tokenizer(sources, truncation=True, max_length=writing.max_length)
    labels = tokenizer(text_target=pairs.targets, truncation=True, max_length=writing.max_target_length)["input_ids"]
    return [
        {"input_ids": ids, "attention_mask": mask, "labels": label}
        for ids, mask, label in zip(coded["input_ids"], coded["attention_mask"], labels, strict=True)
    ]


def tell_cut(job: Job, tokenizer: Any, rows: dict[str, list[dict[str, Any]]], writing: Writing) -> None:
    """How many training texts are cut, and whether the targets have characters that the model cannot write."""
    train_rows = rows["train"]
    limits = (
        ("sources", "input_ids", writing.max_length, "max_length"),
        ("targets", "labels", writing.max_target_length, "max_target_length"),
    )
    for name, key, limit, setting in limits:
        full = sum(len(row[key]) >= limit for row in train_rows)
        if full:
            job.events.notice(
                f"{full:,} of {len(train_rows):,} training {name} fill {setting} = {limit:,}; the rest is cut"
            )
    unknown = tokenizer.unk_token_id
    tokens = sum(len(row["labels"]) for row in train_rows)
    count = 0 if unknown is None else sum(row["labels"].count(unknown) for row in train_rows)
    if count > _UNKNOWN_SHARE * tokens:
        job.events.notice(
            f"{count:,} of {tokens:,} tokens of the training targets are unknown to the tokenizer: the model can never "
            "write them. T5 knows no braces, line breaks or scripts but the Latin; mT5, ByT5 and BART know them",
            "warning",
        )


# --- training ------------------------------------------------------------------------------------------------------


class Writer(Seq2SeqTrainer):
    """Transformers' trainer that scores some rows while it trains, and all at the end."""

    job: Job
    all_rows: list[dict[str, Any]]

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Of evaluations that score the same, as the first ones do with nothing, the later is the better."""
        primary = self.job.task.metrics[0]
        is_as_good = metrics[f"eval_{primary}"] == self.state.best_metric
        is_best = super()._determine_best_metric(metrics, trial)
        if is_as_good:
            self.state.best_global_step, self.control.should_save = self.state.global_step, True
            self.job.update_report(best={primary: self.state.best_metric, "step": self.state.global_step})
        return is_best or is_as_good

    def score_all(self) -> None:
        """From now on every evaluation row is scored."""
        self.eval_dataset = self.all_rows


def judged(job: Job, *sides: Pairs) -> Job:
    """The job with the metrics that these texts have: fields first where every target is a JSON object."""
    others = tuple(name for name in job.task.metrics if name not in (*JSON_METRICS, MEANING_METRIC))
    fields = JSON_METRICS if set(JSON_METRICS) <= set(job.task.metrics) else ()
    first = fields if all(are_objects(pairs.targets) for pairs in sides) else ()
    last = (MEANING_METRIC,) if job.options.bertscore_model is not None else ()
    return replace(job, task=replace(job.task, metrics=(*first, *others, *last)))


class Scorer:
    """The metrics of a job on texts; the encoder that compares their meaning is loaded once.

    `written` is what the model wrote at the last evaluation.
    """

    def __init__(self, job: Job) -> None:
        self.names = job.task.metrics
        self.written: list[str] = []
        self.meaning = Meaning(job.options.bertscore_model) if MEANING_METRIC in self.names else None

    def __call__(self, written: list[str], references: list[str]) -> dict[str, float]:
        """The scores of texts against their references, the primary metric first."""
        from backends.text_metrics import text_scores

        scores = text_scores(written, references, [name for name in self.names if name != MEANING_METRIC])
        if self.meaning is not None:
            scores[MEANING_METRIC] = self.meaning.score(written, references)
        return scores


def build_trainer(
    job: Job,
    tokenizer: Any,
    model: Any,
    rows: dict[str, list[dict[str, Any]]],
    held_out: Pairs,
    scorer: Scorer,
) -> Writer:
    """The trainer, set up by the options and scored by what the model writes."""
    options: Seq2SeqOptions = job.options
    chosen = rows_to_score(len(held_out), options.max_eval_samples, options.seed)
    if len(chosen) < len(held_out):
        job.events.notice(
            f"while it trains {len(chosen):,} of {len(held_out):,} evaluation rows are scored, at the end all"
        )
    some = held_out.take(chosen)
    callback = ForgeCallback(job, samples=list(zip(some.sources[:SAMPLES_SHOWN], some.targets)))

    def score(prediction: Any) -> dict[str, float]:
        written = read_tokens(tokenizer, prediction.predictions)
        callback.outputs, scorer.written = written[:SAMPLES_SHOWN], written
        references = (some if len(written) == len(some) else held_out).targets
        return scorer(written, references)

    def smoothed(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        return trainer.label_smoother(outputs, labels, num_items_in_batch=num_items_in_batch)

    # Transformers 5.23 asks for the name of a model that prompts and prefixes have not, unless it is given the loss.
    is_given = options.label_smoothing_factor and virtual_tokens(model)
    trainer = Writer(
        model=model,
        args=training_arguments(
            job,
            len(rows["train"]),
            Seq2SeqTrainingArguments,
            # T5 and its kin were made in bfloat16 and overflow in half precision.
            fp16=compute_dtype() is torch.float16 and "t5" not in model.config.model_type,
            label_smoothing_factor=options.label_smoothing_factor,
            predict_with_generate=True,
        ),
        train_dataset=rows["train"],
        eval_dataset=[rows["evaluation"][row] for row in chosen],
        processing_class=tokenizer,
        data_collator=DataCollatorForSeq2Seq(
            tokenizer, model=model, pad_to_multiple_of=8 if torch.cuda.is_available() else None
        ),
        compute_metrics=score,
        compute_loss_func=smoothed if is_given else None,
        callbacks=[callback],
    )
    trainer.job, trainer.all_rows = job, rows["evaluation"]
    callback.take_over(trainer)
    return trainer


def rows_to_score(count: int, most: int, seed: int) -> list[int]:
    """The evaluation rows that are scored while training, drawn once by the seed, in order."""
    return list(range(count)) if count <= most else sorted(random.Random(seed).sample(range(count), most))


def read_tokens(tokenizer: Any, tokens: Any) -> list[str]:
    """The texts of token ids, (rows, tokens), where -100 stands for padding."""
    kept = np.where(tokens < 0, tokenizer.pad_token_id, tokens)
    return [text.strip() for text in tokenizer.batch_decode(kept, skip_special_tokens=True)]


def score_baselines(job: Job, train_pairs: Pairs, held_out: Pairs, scorer: Scorer) -> tuple[str, dict[str, float]]:
    """What is reached on the evaluation rows without learning: parts of the source, or the target of a like row."""
    sources = held_out.sources
    said: dict[str, list[str]]
    if job.task.id == "summarization":
        said = {
            "first sentence": [lead_sentences(text, 1) for text in sources],
            "first three sentences": [lead_sentences(text, 3) for text in sources],
        }
    else:
        nearest = nearest_targets(train_pairs.sources, train_pairs.targets, sources, job.options.seed)
        said = {"copied source": sources, "target of the nearest source": nearest}
        if job.task.id == "text-to-text":
            said = {"commonest target": [commonest(train_pairs.targets)] * len(sources), **said}
    scores = {name: scorer(texts, held_out.targets) for name, texts in said.items()}
    return job.record_baselines(scores, job.task.metrics[0])


def judge(job: Job, pairs: Pairs, written: list[str]) -> HeldOut:
    """What was written of the evaluation rows, each scored alone, the worst first."""
    from backends.text_metrics import row_scores

    name, scores = row_scores(written, pairs.targets, job.task.metrics[0])
    rows = [
        {
            "input": pairs.sources[row],
            "expected": pairs.targets[row],
            "predicted": written[row],
            "wrong": written[row].split() != pairs.targets[row].split(),
            "score": round(scores[row], 6),
        }
        for row in worst([-score for score in scores])
    ]
    wrong = sum(one.split() != other.split() for one, other in zip(written, pairs.targets))
    tables = {"metric": name, **spread(scores), "zero": sum(score == 0 for score in scores)}
    return as_held_out(len(pairs), wrong, rows, name, scores_by_row=tables)


def scoring_details(job: Job, held_out: Pairs) -> dict[str, str]:
    """How BLEU was counted, where it was."""
    from backends.text_metrics import bleu_signature

    return {"bleu_signature": bleu_signature(held_out.targets)} if "bleu" in job.task.metrics else {}


# --- using the model -----------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Write the target of each row (column name to cell) with the model of a finished run."""
    columns = read_spec(model_folder.parent / "spec.toml").columns
    tokenizer, model, writing = load_to_write(model_folder)
    for batch in batches(rows, _WRITTEN_AT_ONCE):
        sources = [_asked(row, columns) for row in batch]
        coded = tokenizer(
            [writing.prefix + text for text in sources],
            truncation=True,
            max_length=writing.max_length,
            padding=True,
            return_tensors="pt",
        )
        inputs = {name: coded[name].to(model.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            tokens = model.generate(**inputs).cpu().numpy()
        for source, text in zip(sources, read_tokens(tokenizer, tokens)):
            yield {"prediction": text, "source": source}


def _asked(row: dict[str, Any], columns: Mapping[str, str]) -> str:
    """The source of a row: in the columns of training, or in the only one where one is all that was learned from."""
    needed = {role: column for role, column in columns.items() if role != "target"}
    if len(row) == len(needed) == 1:
        return as_text(next(iter(row.values())))
    for column in needed.values():
        if column not in row:
            raise lacks_column(column, list(needed.values()))
    return source_text({role: row[column] for role, column in needed.items()})
