"""What every task of encoders does alike: the model of the spec, Transformers' Trainer from start to stop or end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

from backends.checkpoints import checkpoint_folder
from backends.contract import DataError
from backends.encoders import Head, add_lora, local_encoder, longest_input, tiny_encoder, train_tokenizer
from backends.job import Job
from backends.options import EncoderOptions
from backends.trainer_events import ForgeCallback

PREDICT_BATCH = 64


def load_model(job: Job, head: Head, classes: tuple[str, ...], texts: Iterable[str]) -> tuple[Any, Any]:
    """Tokenizer and model of the spec; a preset's tokenizer is trained on the texts, or read from the checkpoint."""
    options: EncoderOptions = job.options
    new_layers: list[str] = []
    if not job.spec.model.startswith("preset:"):
        tokenizer, model, new_layers = local_encoder(job.spec.model, head, classes)
    else:
        if job.resume_from is not None:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(job.resume_from, local_files_only=True)
        else:
            tokenizer = train_tokenizer(texts, options.lowercase)
        model = tiny_encoder(tokenizer, head, classes)
    if job.spec.method == "lora":
        model = add_lora(model, head, new_layers, options.lora_r, options.lora_alpha, options.lora_dropout)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    every = sum(p.numel() for p in model.parameters())
    job.events.notice(f"model of {every / 1e6:.2f} million parameters, {trained / 1e6:.2f} million are trained")
    return tokenizer, model


def usable_length(job: Job, model: Any, tokenizer: Any) -> int:
    """max_length, or what the model reads at most where that is less, which is told."""
    wanted: int = job.options.max_length
    limit = longest_input(model, tokenizer)
    if limit is None or limit >= wanted:
        return wanted
    job.events.notice(f"the model reads {limit:,} tokens at most, so max_length is {limit:,} and not {wanted:,}")
    return limit


def training_arguments(job: Job, rows: int, **more: Any) -> TrainingArguments:
    """The Trainer's arguments by the options, for so many training rows; precision is what the device supports."""
    options: EncoderOptions = job.options
    every = options.eval_steps or max(1, total_steps(options, rows) // 10)
    on_gpu = torch.cuda.is_available()
    bf16 = on_gpu and torch.cuda.is_bf16_supported()
    return TrainingArguments(
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
        label_smoothing_factor=getattr(options, "label_smoothing_factor", 0.0),
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
        **more,
    )


def total_steps(options: EncoderOptions, rows: int) -> int:
    """Optimizer steps of the whole run, as the Trainer counts them."""
    if options.max_steps:
        return options.max_steps
    batches = math.ceil(rows / options.per_device_train_batch_size)
    return math.ceil(math.ceil(batches / options.gradient_accumulation_steps) * options.num_train_epochs)


def train_to_end(job: Job, trainer: Trainer) -> float | None:
    """Train and put the best weights back; the seconds that took, or None when the run was stopped before its end."""
    job.control.leave_at_checkpoint()
    job.events.phase("training")
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
    state = trainer.state
    if job.control.stop_requested and state.global_step < state.max_steps:
        job.events.notice(f"stopped as asked after step {state.global_step}")
        return None
    seconds = time.monotonic() - started
    job.events.phase("evaluating")
    load_best(job, trainer)
    return seconds


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


def save_model(job: Job, trainer: Trainer, tokenizer: Any) -> None:
    """Write the model folder; not by trainer.save_model, which adds its arguments as a pickle."""
    job.events.phase("saving")
    trainer.model.save_pretrained(job.files.model)
    tokenizer.save_pretrained(job.files.model)


def training_details(trainer: Trainer) -> dict[str, Any]:
    """What the report tells of the training itself."""
    state = trainer.state
    parameters = trainer.model.num_parameters()
    return {"steps": state.global_step, "best_step": state.best_global_step, "parameters": parameters}


# --- predicting --------------------------------------------------------------------------------------------------


def batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows in order, some at a time."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == PREDICT_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def lacks_column(column: str, columns: list[str]) -> DataError:
    """The error for a row to be predicted that has not what the model reads."""
    return DataError(
        f"A row has no column {column!r}",
        f"this model reads {', '.join(columns)}",
        "Name the columns as in the training data.",
    )
