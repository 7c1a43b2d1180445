"""Texts and pairs of texts into classes: an encoder with a classification head, trained by Transformers' Trainer.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

Full fine-tuning or LoRA from any local model folder, or from scratch with `preset:tiny-encoder`. The best evaluation's
weights become the model; the model folder is what Transformers (or PEFT) loads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments, set_seed

from backends.baselines import majority_class, tfidf_model
from backends.checkpoints import checkpoint_folder
from backends.contract import DataError, TextClassificationOptions, parse_settings, read_json, read_spec, write_json
from backends.data import LabelledRows, Split, class_index, load_split
from backends.encoders import add_lora, load_adapted, local_encoder, tiny_encoder, train_tokenizer
from backends.formats.values import as_text
from backends.job import Job
from backends.metrics import classification_scores, order_scores
from backends.reporting import finish
from backends.trainer_events import ForgeCallback

PREDICT_BATCH = 64
CLASSES_FILE = "classes.json"


def train(job: Job) -> None:
    """Train one text classifier from the spec to the final model folder."""
    options: TextClassificationOptions = job.options
    split = load_split(job)
    set_seed(options.seed)
    job.events.phase("loading-model")
    tokenizer, model = load_model(job, split)
    job.events.phase("preparing")
    datasets = {side: encode(job, tokenizer, rows, split.classes) for side, rows in sides(split).items()}
    trainer = build_trainer(job, split, tokenizer, model, datasets)
    job.events.phase("baseline")
    baseline_name, baseline = job.known_baseline() or score_baselines(job, split)
    job.control.leave_at_checkpoint()
    job.events.phase("training")
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
    state = trainer.state
    if job.control.stop_requested and state.global_step < state.max_steps:
        job.events.notice(f"stopped as asked after step {state.global_step}")
        return
    seconds = time.monotonic() - started
    job.events.phase("evaluating")
    load_best(job, trainer)
    metrics = final_scores(job, trainer)
    job.events.phase("saving")
    # Not trainer.save_model, which adds its arguments as a pickle.
    trainer.model.save_pretrained(job.files.model)
    tokenizer.save_pretrained(job.files.model)
    write_json(job.files.model / CLASSES_FILE, {"classes": list(split.classes)})
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=baseline_name,
        training_seconds=seconds,
        details={"steps": state.global_step, "best_step": state.best_global_step, "parameters": model.num_parameters()},
    )


# --- from rows to batches ----------------------------------------------------------------------------------------


def sides(split: Split) -> dict[str, LabelledRows]:
    """The two halves of the data by name."""
    return {"train": split.train, "evaluation": split.evaluation}


def texts_of(job: Job, rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """For each row its text, or its two texts."""
    columns = [job.spec.columns[role] for role in job.task.text_roles]
    return [tuple(as_text(row.get(column)) for column in columns) for row in rows]


def encode(job: Job, tokenizer: Any, data: LabelledRows, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Token ids and class number of each row; texts beyond max_length are cut and counted."""
    numbers = class_index(classes)
    texts = texts_of(job, data.rows)
    columns = [list(column) for column in zip(*texts, strict=True)]
    coded = tokenizer(*columns, truncation=True, max_length=job.options.max_length)
    full = sum(len(ids) >= job.options.max_length for ids in coded["input_ids"])
    if full:
        job.events.notice(
            f"{full:,} of {len(texts):,} texts fill max_length = {job.options.max_length}; the rest is cut"
        )
    names = list(coded)
    rows = zip(*(coded[name] for name in names), data.labels, strict=True)
    return [{**dict(zip(names, values, strict=False)), "labels": numbers[values[-1]]} for values in rows]


def load_model(job: Job, split: Split) -> tuple[Any, Any]:
    """Tokenizer and model of the spec; a resumed run takes the tokenizer of its checkpoint."""
    options: TextClassificationOptions = job.options
    if not job.spec.model.startswith("preset:"):
        tokenizer, model = local_encoder(job.spec.model, split.classes)
    else:
        if job.resume_from is not None:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(job.resume_from, local_files_only=True)
        else:
            texts = (text for row in texts_of(job, split.train.rows) for text in row)
            tokenizer = train_tokenizer(texts, options.lowercase)
        model = tiny_encoder(len(tokenizer), tokenizer, split.classes)
    if job.spec.method == "lora":
        model = add_lora(model, options.lora_r, options.lora_alpha, options.lora_dropout)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    every = sum(p.numel() for p in model.parameters())
    job.events.notice(f"model of {every / 1e6:.2f} million parameters, {trained / 1e6:.2f} million are trained")
    return tokenizer, model


# --- training ----------------------------------------------------------------------------------------------------


def build_trainer(job: Job, split: Split, tokenizer: Any, model: Any, datasets: dict[str, list[Any]]) -> Trainer:
    """Transformers' Trainer, set up by the options; precision is what the device supports."""
    options: TextClassificationOptions = job.options
    steps = total_steps(options, len(datasets["train"]))
    every = options.eval_steps or max(1, steps // 10)
    on_gpu = torch.cuda.is_available()
    bf16 = on_gpu and torch.cuda.is_bf16_supported()
    arguments = TrainingArguments(
        output_dir=str(job.files.checkpoints),
        num_train_epochs=options.num_train_epochs,
        max_steps=options.max_steps or -1,
        learning_rate=options.learning_rate,
        per_device_train_batch_size=options.per_device_train_batch_size,
        per_device_eval_batch_size=options.per_device_eval_batch_size,
        gradient_accumulation_steps=options.gradient_accumulation_steps,
        weight_decay=options.weight_decay,
        warmup_steps=options.warmup_steps,
        lr_scheduler_type=options.lr_scheduler_type,
        label_smoothing_factor=options.label_smoothing_factor,
        logging_steps=options.logging_steps,
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=options.save_steps or every,
        metric_for_best_model=job.task.metrics[0],
        greater_is_better=True,
        use_cpu=not on_gpu,
        bf16=bf16,
        fp16=on_gpu and not bf16,
        seed=options.seed,
        data_seed=options.seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
    )
    callback = ForgeCallback(job, samples=evaluation_samples(job, split))

    def score(prediction: Any) -> dict[str, float]:
        callback.predictions = prediction.predictions
        scores = classification_scores(prediction.label_ids, prediction.predictions)
        return order_scores(scores, job.task.metrics)

    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=datasets["train"],
        eval_dataset=datasets["evaluation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8 if on_gpu else None),
        compute_metrics=score,
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(dim=-1),
        callbacks=[callback],
    )
    callback.take_over(trainer)
    return trainer


def total_steps(options: TextClassificationOptions, rows: int) -> int:
    """Optimizer steps of the whole run, as the Trainer counts them."""
    if options.max_steps:
        return options.max_steps
    batches = math.ceil(rows / options.per_device_train_batch_size)
    return math.ceil(math.ceil(batches / options.gradient_accumulation_steps) * options.num_train_epochs)


def evaluation_samples(job: Job, split: Split) -> list[tuple[str, str]]:
    """All evaluation inputs with the expected class, for showing a few predictions at each evaluation."""
    texts = texts_of(job, split.evaluation.rows)
    return [(" ‖ ".join(text), label) for text, label in zip(texts, split.evaluation.labels, strict=True)]


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


def load_best(job: Job, trainer: Trainer) -> None:
    """Put the weights of the best evaluation back, when they are not the last ones."""
    best = trainer.state.best_global_step
    if not best or best == trainer.state.global_step:
        return
    from safetensors.torch import load_file

    folder = checkpoint_folder(job.files.checkpoints, best)
    if job.spec.method == "lora":
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(trainer.model, load_file(folder / "adapter_model.safetensors"))
    else:
        trainer.model.load_state_dict(load_file(folder / "model.safetensors"))
    job.events.notice(f"the weights of step {best} are kept: its evaluation was the best")


def final_scores(job: Job, trainer: Trainer) -> dict[str, float]:
    """All metrics of the final weights on the evaluation rows; no point of the curve, which belongs to the steps."""
    trainer.remove_callback(ForgeCallback)
    found = trainer.evaluate()
    scores = {key.removeprefix("eval_"): float(value) for key, value in found.items() if key != "eval_loss"}
    named = {name: scores[name] for name in job.task.metrics if name in scores}
    return {**named, "eval_loss": float(found["eval_loss"])}


# --- using the model ---------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Classify each row (column name to cell) with the model of a finished run."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    spec = read_spec(model_folder.parent / "spec.toml")
    limit = parse_settings(TextClassificationOptions, spec.settings).max_length
    roles = ("premise", "hypothesis") if "premise" in spec.columns else ("text",)
    columns = [spec.columns[role] for role in roles]
    tokenizer = AutoTokenizer.from_pretrained(model_folder, local_files_only=True)
    classes: list[str] = (read_json(model_folder / CLASSES_FILE) or {})["classes"]
    if (model_folder / "adapter_config.json").exists():
        model = load_adapted(model_folder, tuple(classes))
    else:
        model = AutoModelForSequenceClassification.from_pretrained(model_folder, local_files_only=True)
    model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    for batch in _batches(rows):
        for row in batch:
            missing = [column for column in columns if column not in row]
            if missing:
                raise DataError(
                    f"A row has no column {missing[0]!r}",
                    f"this model reads {', '.join(columns)}",
                    "Name the columns as in the training data.",
                )
        texts = [[as_text(row[column]) for row in batch] for column in columns]
        inputs = tokenizer(*texts, truncation=True, max_length=limit, padding=True, return_tensors="pt")
        with torch.inference_mode():
            shares = model(**inputs.to(model.device)).logits.float().softmax(dim=-1).cpu()
        for row_shares in shares.tolist():
            best = max(range(len(classes)), key=row_shares.__getitem__)
            probabilities = dict(zip(classes, row_shares, strict=True))
            yield {"prediction": classes[best], "probability": row_shares[best], "probabilities": probabilities}


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == PREDICT_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
