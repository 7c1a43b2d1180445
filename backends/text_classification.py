"""Texts and pairs of texts into classes, labels or numbers: an encoder with a head, trained by Transformers' Trainer.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

From any local model folder by every method of `backends/tuning.py`, or from scratch with `preset:tiny-encoder`. What is
learned, one class, several labels or a number, stands in `backends/text_targets.py`. The best evaluation's weights
become the model; the model folder is what Transformers (or PEFT) loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DataCollatorWithPadding, Trainer, set_seed

from backends.contract import read_json, read_spec, write_json
from backends.data import Split, load_split
from backends.encoders import encoder_preset
from backends.job import Job
from backends.labelled_texts import Scorer, asked_texts, pooled, read_rows, sides, simple_baselines, texts_of
from backends.long_texts import Coded, read_texts
from backends.options import parse_settings
from backends.options.sorting import TextClassificationOptions
from backends.reporting import finish
from backends.text_targets import Number, OneClass, SeveralLabels, Target, read_target
from backends.trainer_events import SAMPLES_SHOWN, ForgeCallback
from backends.transformers_training import (
    PREDICT_BATCH,
    batches,
    final_scores,
    load_model,
    save_model,
    train_to_end,
    training_arguments,
    training_details,
    usable_length,
)
from backends.tuning import CLASSIFIER, load_finished

CLASSES_FILE = "classes.json"
_OF_SEVERAL = ("f1_macro", "f1_micro", "accuracy", "precision_macro", "recall_macro")


def train(job: Job) -> None:
    """Train one model of texts from the spec to the final model folder."""
    options: TextClassificationOptions = job.options
    split = load_split(job)
    target = target_of(job, split)
    if isinstance(target, SeveralLabels):
        job = replace(job, task=replace(job.task, metrics=_OF_SEVERAL))
    set_seed(options.seed)
    job.events.phase("loading-model")
    texts = (text for row in texts_of(job, split.train.rows) for text in row)
    preset = encoder_preset(CLASSIFIER, texts, options.lowercase, target.config())
    tokenizer, model = load_model(job, CLASSIFIER, preset, target.config())
    job.events.phase("preparing")
    limit = usable_length(job, model, tokenizer)
    read = {side: read_rows(job, tokenizer, rows, limit) for side, rows in sides(split).items()}
    scorer = Scorer(job, target, split.evaluation, read["evaluation"][1])
    trainer = build_trainer(job, split, target, tokenizer, model, read, scorer)
    job.events.phase("baseline")
    baseline_name, baseline = job.known_baseline() or job.record_baselines(
        simple_baselines(job, split, target), job.task.metrics[0]
    )
    seconds = train_to_end(job, trainer)
    if seconds is None:
        return
    metrics = final_scores(job, trainer)
    save_model(job, trainer, tokenizer)
    learned = {**target.to_json(), "max_length": limit, "long_texts": options.long_texts}
    write_json(job.files.model / CLASSES_FILE, learned)
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=baseline_name,
        training_seconds=seconds,
        details=training_details(trainer),
        by_type=target.by_label(scorer.truth, scorer.logits),
        held_out=target.judged(scorer.truth, scorer.logits, scorer.text_of),
    )


# --- from rows to batches ----------------------------------------------------------------------------------------


def target_of(job: Job, split: Split) -> Target:
    """What these rows teach: numbers, several labels where rows hold lists of them, else one class each."""
    options: TextClassificationOptions = job.options
    balanced = options.class_weights == "balanced"
    if job.task.numeric_label:
        values = np.array(split.train.labels, dtype=np.float64)
        return Number(float(values.mean()), float(values.std()) or 1.0, options.seed)
    if split.several:
        rarest = min(sum(name in label for label in split.train.labels) for name in split.classes)
        job.events.notice(f"{len(split.classes)} labels, any number for each row; the rarest stands in {rarest:,} rows")
        return SeveralLabels(split.classes, options.threshold, balanced, options.seed)
    return OneClass(split.classes, balanced, options.label_smoothing_factor, options.seed)


# --- training ----------------------------------------------------------------------------------------------------


def build_trainer(
    job: Job,
    split: Split,
    target: Target,
    tokenizer: Any,
    model: Any,
    read: dict[str, tuple[list[Coded], list[int]]],
    scorer: Scorer,
) -> Trainer:
    """Transformers' Trainer, set up by the options and scored by the task's metrics on whole rows."""
    labels = split.evaluation.labels[:SAMPLES_SHOWN]
    samples = [(scorer.text_of(row), target.shown(label)) for row, label in enumerate(labels)]
    callback = ForgeCallback(job, samples=samples)
    coded = {side: [target.code(label) for label in rows.labels] for side, rows in sides(split).items()}
    datasets = {
        side: [{**row, "labels": labels[owner]} for row, owner in zip(*read[side])] for side, labels in coded.items()
    }

    def score(prediction: Any) -> dict[str, float]:
        scores = scorer.score(prediction.predictions)
        answers = [target.answer(row)["prediction"] for row in scorer.logits[:SAMPLES_SHOWN]]
        callback.outputs = [target.shown(answer) for answer in answers]
        return scores

    weighted = target.loss(split.train.labels)
    smoothing = 0.0 if weighted is not None or not isinstance(target, OneClass) else target.smoothing
    trainer = Trainer(
        model=model,
        args=training_arguments(job, len(datasets["train"]), label_smoothing_factor=smoothing),
        train_dataset=datasets["train"],
        eval_dataset=datasets["evaluation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8 if torch.cuda.is_available() else None),
        compute_metrics=score,
        compute_loss_func=weighted,
        preprocess_logits_for_metrics=lambda logits, labels: logits.float(),
        callbacks=[callback],
    )
    callback.take_over(trainer)
    return trainer


# --- using the model ---------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Judge each row (column name to cell) with the model of a finished run."""
    spec = read_spec(model_folder.parent / "spec.toml")
    roles = ("premise", "hypothesis") if "premise" in spec.columns else ("text",)
    columns = [spec.columns[role] for role in roles]
    learned = read_json(model_folder / CLASSES_FILE) or {}
    target = read_target(learned)
    # Runs of before this was written down have it in their settings alone.
    limit = learned.get("max_length") or parse_settings(TextClassificationOptions, spec.settings).max_length
    tokenizer, model = load_finished(model_folder, CLASSIFIER, target.config())
    for batch in batches(rows):
        read, owners = read_texts(tokenizer, asked_texts(batch, columns), limit, learned.get("long_texts", "head"))
        found = []
        for first in range(0, len(read), PREDICT_BATCH):
            inputs = tokenizer.pad(read[first : first + PREDICT_BATCH], return_tensors="pt")
            with torch.inference_mode():
                found.append(model(**inputs.to(model.device)).logits.float().cpu().numpy())
        for logits in pooled(np.concatenate(found), np.array(owners)):
            yield target.answer(logits)
