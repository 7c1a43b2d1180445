"""What every task of Transformers' Trainer does alike: the model of the spec, the Trainer from start to stop or end.

Fast and safe by default: 16-bit arithmetic where the device has it, texts of like length in a batch, a fused
optimizer. What happens when memory runs out stands in `backends/out_of_memory.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

from backends.added_tokens import named_tokens
from backends.asked import OneByOne
from backends.checkpoints import checkpoint_folder
from backends.contract import DataError
from backends.encoders import longest_input
from backends.job import Job
from backends.length_groups import group_by_length
from backends.options import TransformersOptions
from backends.registry import lower_is_better
from backends.trackers import tracker_arguments
from backends.trainer_events import ForgeCallback
from backends.tuning import (
    Base,
    Head,
    compute_dtype,
    load_base,
    put_weights,
    save_tuned,
    tune,
    virtual_tokens,
    with_tokens,
)

PREDICT_BATCH = 64


def load_model(
    job: Job,
    head: Head,
    make_preset: Callable[[Any], Base] | None = None,
    config: Mapping[str, Any] | None = None,
    dtype: Any = None,
    repair: Callable[[Any, Any], None] | None = None,
) -> tuple[Any, Any]:
    """Tokenizer and model of the spec, ready for its method.

    `make_preset` makes the base of a preset, given the tokenizer of the checkpoint that the run goes on from, or None;
    `config` is what the config of a model from a folder must say, `dtype` the type of its weights,
    `repair` what mends tokenizer and model before they are used (see `load_base`).
    """
    if job.spec.model.startswith("preset:"):
        assert make_preset is not None, "the registry names presets of the task only"
        base = make_preset(_tokenizer_of_checkpoint(job))
    else:
        base = load_base(job.spec.model, head, config, job.spec.method, dtype, repair)
    options: TransformersOptions = job.options
    if job.spec.method == "prefix-tuning" and "gradient_checkpointing" not in job.spec.settings:
        options = replace(options, gradient_checkpointing=False)  # a default is given up, what was asked for refused
    names = named_tokens(options.added_tokens)
    if names:
        base = with_tokens(base, names, job.spec.method, options.freeze_layers is not None)
        vectors = "their vectors begin as the mean of all" if base.new_tokens else "the model knew all of them"
        job.events.notice(f"{len(base.new_tokens):,} of {len(names):,} added_tokens are new; {vectors}")
    model = tune(base, head, job.spec.method, options)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    every = model.num_parameters()
    job.events.notice(f"model of {every / 1e6:.2f} million parameters, {trained / 1e6:.2f} million are trained")
    return base.tokenizer, model


def _tokenizer_of_checkpoint(job: Job) -> Any:
    if job.resume_from is None:
        return None
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(job.resume_from, local_files_only=True)


def usable_length(job: Job, model: Any, tokenizer: Any, beside: int = 0) -> int:
    """max_length, or what the model reads at most where that is less, which is told; `beside` tokens stand with it."""
    wanted: int = job.options.max_length
    limit = longest_input(model, tokenizer)
    if limit is not None:
        limit -= virtual_tokens(model) + beside
    if limit is None or limit >= wanted:
        return wanted
    more = f" beside {beside:,} others" if beside else ""
    job.events.notice(f"the model reads {limit:,} tokens at most{more}, so max_length is {limit:,} and not {wanted:,}")
    return limit


def training_arguments(job: Job, rows: int, kind: type = TrainingArguments, **more: Any) -> Any:
    """The Trainer's arguments by the options, for so many training rows; `more` are further ones or other values.

    `kind` is the class of the arguments, such as Seq2SeqTrainingArguments. Arithmetic is in bfloat16 where the device
    has it, else in half precision with scaled gradients, on a CPU in 32 bits.
    """
    options: TransformersOptions = job.options
    every = options.eval_steps or max(1, total_steps(options, rows) // 10)
    on_gpu = torch.cuda.is_available()
    arguments: dict[str, Any] = {
        "output_dir": str(job.files.checkpoints),
        "num_train_epochs": options.num_train_epochs,
        "max_steps": options.max_steps or -1,
        "learning_rate": options.learning_rate,
        "per_device_train_batch_size": options.per_device_train_batch_size,
        "per_device_eval_batch_size": options.per_device_eval_batch_size,
        "gradient_accumulation_steps": options.gradient_accumulation_steps,
        "weight_decay": options.weight_decay,
        "warmup_steps": options.warmup_steps,
        "lr_scheduler_type": options.lr_scheduler_type,
        "max_grad_norm": options.max_grad_norm,
        "logging_steps": options.logging_steps,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps",
        "eval_steps": every,
        "save_strategy": "steps",
        "save_steps": options.save_steps or every,
        "metric_for_best_model": job.task.metrics[0],
        "greater_is_better": not lower_is_better(job.task.metrics[0]),
        "use_cpu": not on_gpu,
        "bf16": compute_dtype() is torch.bfloat16,
        "fp16": compute_dtype() is torch.float16,
        "seed": options.seed,
        "data_seed": options.seed,
        "disable_tqdm": True,
        "dataloader_pin_memory": on_gpu,
    }
    arguments |= tracker_arguments(job)
    if options.optim is not None:
        arguments["optim"] = options.optim
    if options.gradient_checkpointing:
        arguments |= {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    return kind(**{**arguments, **more})


def total_steps(options: TransformersOptions, rows: int) -> int:
    """Optimizer steps of the whole run, as the Trainer counts them."""
    if options.max_steps:
        return options.max_steps
    batches = math.ceil(rows / options.per_device_train_batch_size)
    return math.ceil(math.ceil(batches / options.gradient_accumulation_steps) * options.num_train_epochs)


def train_to_end(job: Job, trainer: Trainer) -> float | None:
    """Train and put the best weights back; the seconds that took, or None when the run was stopped before its end."""
    job.control.leave_at_checkpoint()
    job.events.phase("training")
    if job.options.train_sampling_strategy == "group_by_length":
        group_by_length(trainer, job.options.seed)
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
    put_weights(trainer.model, checkpoint_folder(job.files.checkpoints, best))
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
    save_tuned(trainer.model, tokenizer, job.files.model, job.spec.method)


def training_details(trainer: Trainer) -> dict[str, Any]:
    """What the report tells of the training itself."""
    state = trainer.state
    parameters = trainer.model.num_parameters()
    return {"steps": state.global_step, "best_step": state.best_global_step, "parameters": parameters}


# --- predicting --------------------------------------------------------------------------------------------------


def batches(rows: Iterable[dict[str, Any]], size: int = PREDICT_BATCH) -> Iterator[list[dict[str, Any]]]:
    """The rows in order, some at a time; those of a person who waits for each answer one by one."""
    if isinstance(rows, OneByOne):
        size = 1
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
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
