"""Texts and pairs of texts into classes: an encoder with a classification head, trained by Transformers' Trainer.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

Full fine-tuning or LoRA from any local model folder, or from scratch with `preset:tiny-encoder`. The best evaluation's
weights become the model; the model folder is what Transformers (or PEFT) loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorWithPadding, Trainer, set_seed

from backends.baselines import majority_class, tfidf_model
from backends.contract import read_json, read_spec, write_json
from backends.data import LabelledRows, Split, class_index, load_split
from backends.encoders import encoder_preset
from backends.formats.values import as_text
from backends.job import Job
from backends.metrics import classification_scores, order_scores
from backends.options import TextClassificationOptions, parse_settings
from backends.reporting import finish
from backends.trainer_events import SAMPLES_SHOWN, ForgeCallback
from backends.transformers_training import (
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
from backends.tuning import CLASSIFIER, labels_config, load_finished

CLASSES_FILE = "classes.json"


def train(job: Job) -> None:
    """Train one text classifier from the spec to the final model folder."""
    options: TextClassificationOptions = job.options
    split = load_split(job)
    set_seed(options.seed)
    job.events.phase("loading-model")
    texts = (text for row in texts_of(job, split.train.rows) for text in row)
    config = labels_config(split.classes)
    tokenizer, model = load_model(job, CLASSIFIER, encoder_preset(CLASSIFIER, texts, options.lowercase, config), config)
    job.events.phase("preparing")
    limit = usable_length(job, model, tokenizer)
    datasets = {side: encode(job, tokenizer, rows, split.classes, limit) for side, rows in sides(split).items()}
    trainer = build_trainer(job, split, tokenizer, model, datasets)
    job.events.phase("baseline")
    baseline_name, baseline = job.known_baseline() or score_baselines(job, split)
    seconds = train_to_end(job, trainer)
    if seconds is None:
        return
    metrics = final_scores(job, trainer)
    save_model(job, trainer, tokenizer)
    write_json(job.files.model / CLASSES_FILE, {"classes": list(split.classes), "max_length": limit})
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=baseline_name,
        training_seconds=seconds,
        details=training_details(trainer),
    )


# --- from rows to batches ----------------------------------------------------------------------------------------


def sides(split: Split) -> dict[str, LabelledRows]:
    """The two halves of the data by name."""
    return {"train": split.train, "evaluation": split.evaluation}


def texts_of(job: Job, rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """For each row its text, or its two texts."""
    columns = [job.spec.columns[role] for role in job.task.text_roles]
    return [tuple(as_text(row.get(column)) for column in columns) for row in rows]


def encode(job: Job, tokenizer: Any, data: LabelledRows, classes: tuple[str, ...], limit: int) -> list[dict[str, Any]]:
    """Token ids and class number of each row; texts beyond the limit are cut and counted."""
    numbers = class_index(classes)
    texts = texts_of(job, data.rows)
    columns = [list(column) for column in zip(*texts, strict=True)]
    coded = tokenizer(*columns, truncation=True, max_length=limit)
    full = sum(len(ids) >= limit for ids in coded["input_ids"])
    if full:
        job.events.notice(f"{full:,} of {len(texts):,} texts fill max_length = {limit}; the rest is cut")
    names = list(coded)
    rows = zip(*(coded[name] for name in names), data.labels, strict=True)
    return [{**dict(zip(names, values, strict=False)), "labels": numbers[values[-1]]} for values in rows]


# --- training ----------------------------------------------------------------------------------------------------


def build_trainer(job: Job, split: Split, tokenizer: Any, model: Any, datasets: dict[str, list[Any]]) -> Trainer:
    """Transformers' Trainer, set up by the options and scored by the task's metrics."""
    callback = ForgeCallback(job, samples=evaluation_samples(job, split))

    def score(prediction: Any) -> dict[str, float]:
        callback.outputs = [split.classes[int(number)] for number in prediction.predictions[:SAMPLES_SHOWN]]
        scores = classification_scores(prediction.label_ids, prediction.predictions)
        return order_scores(scores, job.task.metrics)

    trainer = Trainer(
        model=model,
        args=training_arguments(job, len(datasets["train"]), label_smoothing_factor=job.options.label_smoothing_factor),
        train_dataset=datasets["train"],
        eval_dataset=datasets["evaluation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8 if torch.cuda.is_available() else None),
        compute_metrics=score,
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(dim=-1),
        callbacks=[callback],
    )
    callback.take_over(trainer)
    return trainer


def evaluation_samples(job: Job, split: Split) -> list[tuple[str, str]]:
    """The first evaluation inputs with the expected class, whose predictions are shown at each evaluation."""
    texts = texts_of(job, split.evaluation.rows[:SAMPLES_SHOWN])
    return [(" ‖ ".join(text), label) for text, label in zip(texts, split.evaluation.labels)]


def score_baselines(job: Job, split: Split) -> tuple[str, dict[str, float]]:
    """Majority class and TF-IDF with logistic regression, on the evaluation rows."""
    import numpy as np

    numbers = class_index(split.classes)
    joined = {side: [" ".join(text) for text in texts_of(job, rows.rows)] for side, rows in sides(split).items()}
    labels = {side: np.array([numbers[label] for label in rows.labels]) for side, rows in sides(split).items()}
    trivial, _ = majority_class(labels["train"], len(split.classes), len(labels["evaluation"]))
    learned, _ = tfidf_model(joined["train"], labels["train"], joined["evaluation"], job.options.seed)
    baselines = {
        "majority class": classification_scores(labels["evaluation"], trivial),
        "TF-IDF + logistic regression": classification_scores(labels["evaluation"], learned),
    }
    ordered = {name: order_scores(scores, job.task.metrics) for name, scores in baselines.items()}
    return job.record_baselines(ordered, job.task.metrics[0])


# --- using the model ---------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Classify each row (column name to cell) with the model of a finished run."""
    spec = read_spec(model_folder.parent / "spec.toml")
    roles = ("premise", "hypothesis") if "premise" in spec.columns else ("text",)
    columns = [spec.columns[role] for role in roles]
    learned = read_json(model_folder / CLASSES_FILE) or {}
    classes: list[str] = learned["classes"]
    # Runs of before this was written down have it in their settings alone.
    limit = learned.get("max_length") or parse_settings(TextClassificationOptions, spec.settings).max_length
    tokenizer, model = load_finished(model_folder, CLASSIFIER, labels_config(tuple(classes)))
    for batch in batches(rows):
        for row in batch:
            missing = [column for column in columns if column not in row]
            if missing:
                raise lacks_column(missing[0], columns)
        texts = [[as_text(row[column]) for row in batch] for column in columns]
        inputs = tokenizer(*texts, truncation=True, max_length=limit, padding=True, return_tensors="pt")
        with torch.inference_mode():
            shares = model(**inputs.to(model.device)).logits.float().softmax(dim=-1).cpu()
        for row_shares in shares.tolist():
            best = max(range(len(classes)), key=row_shares.__getitem__)
            probabilities = dict(zip(classes, row_shares, strict=True))
            yield {"prediction": classes[best], "probability": row_shares[best], "probabilities": probabilities}
