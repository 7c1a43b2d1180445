"""What every task of language models does alike: TRL's SFTTrainer, scores weighted by token."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from trl import SFTConfig, SFTTrainer

from backends.added_tokens import writes_through_adapter
from backends.contract import UsageError
from backends.job import Job
from backends.options.language import LanguageModelOptions
from backends.token_models import loss_scores, token_models
from backends.trainer_events import ForgeCallback
from backends.transformers_training import training_arguments
from backends.tuning import virtual_tokens


class Row(Protocol):
    """A row as tokens; `labels` repeat those that are learned, all others are -100."""

    @property
    def input_ids(self) -> Any: ...

    @property
    def labels(self) -> Any: ...


# --- training ------------------------------------------------------------------------------------------------------


def make_trainer(
    job: Job,
    model: Any,
    tokenizer: Any,
    rows: Mapping[str, Sequence[Row]],
    limit: int,
    callback: ForgeCallback,
    score: Callable[[dict[str, float]], dict[str, float]],
    packing: bool = False,
) -> LanguageTrainer:
    """TRL's trainer for the rows of both sides; `score` adds to the scores of an evaluation."""

    def scores(prediction: Any) -> dict[str, float]:
        loss, right, count = prediction.predictions.sum(axis=0).tolist()
        found = score(loss_scores(loss / max(count, 1), right / max(count, 1)))
        return {"loss": found.pop("eval_loss"), **found}  # the Trainer puts `eval_` before each

    trainer = LanguageTrainer(
        model=model,
        args=arguments(job, model, len(rows["train"]), limit, packing),
        train_dataset=as_dataset(rows["train"]),
        eval_dataset=as_dataset(rows["evaluation"]),
        processing_class=tokenizer,
        compute_metrics=scores,
        callbacks=[callback],
    )
    callback.take_over(trainer)
    return trainer


def as_dataset(rows: Sequence[Row]) -> Dataset:
    """Rows as TRL takes them: tokens with their labels."""
    return Dataset.from_dict({"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]})


def arguments(job: Job, model: Any, rows: int, limit: int, packing: bool) -> SFTConfig:
    """TRL's arguments by the options; nothing of the rows is prepared a second time.

    Logits are made a few at a time, unless Liger's kernels do it, or the last layer has an adapter, which both would
    leave out. Raises UsageError for Liger's kernels where they are not installed or there is such an adapter.
    """
    options: LanguageModelOptions = job.options
    if options.use_liger_kernel and importlib.util.find_spec("liger_kernel") is None:
        raise UsageError(
            "use_liger_kernel needs a package that is not installed",
            "the kernels are in liger-kernel",
            "Install it: uv pip install liger-kernel; or leave use_liger_kernel out.",
        )
    adapted = writes_through_adapter(model)
    if options.use_liger_kernel and adapted:
        raise UsageError(
            "use_liger_kernel does not go with added_tokens and an adapter",
            "its kernels take the last layer without what the adapter has learned for the new tokens",
            "Leave use_liger_kernel out, or choose --method full.",
        )
    disable_progress_bar()
    arguments: SFTConfig = training_arguments(
        job,
        rows,
        SFTConfig,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        gradient_checkpointing=options.gradient_checkpointing and not virtual_tokens(model),
        use_liger_kernel=options.use_liger_kernel,
        loss_type="nll" if options.use_liger_kernel or adapted else "chunked_nll",
        torch_compile=options.torch_compile,
        max_length=limit if packing else None,
        packing=packing,
        eval_packing=False,
        dataset_kwargs=None if packing else {"skip_prepare_dataset": True},
        pad_to_multiple_of=8 if torch.cuda.is_available() and not packing else None,
    )
    return arguments


class LanguageTrainer(SFTTrainer):
    """TRL's trainer, whose evaluation counts every token alike, whatever the batch it stands in."""

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[Any, Any, Any]:
        """Of a batch the summed loss, the tokens that were right and all that bear loss, as one row of numbers."""
        inputs = self._prepare_inputs(inputs)
        labels = inputs["labels"]
        with torch.no_grad(), self.compute_loss_context_manager():
            loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
        if getattr(outputs, "num_valid_tokens", None) is not None:
            count, right = outputs.num_valid_tokens.float(), outputs.num_correct_tokens.float()
        else:
            said, wanted = outputs.logits[:, -labels.shape[1] : -1].argmax(-1), labels[:, 1:]
            count, right = (wanted != -100).sum().float(), (said == wanted).sum().float()
        sums = torch.stack([loss.detach().float() * count, right, count])
        return None, sums.double()[None], torch.zeros(1, 1, device=sums.device)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run writes a model card of its own at its end."""


def ordered(job: Job, found: Mapping[str, float]) -> dict[str, float]:
    """What an evaluation found under the names of the task's metrics, the first of them first."""
    bare = {name if name == "eval_loss" else name.removeprefix("eval_"): float(value) for name, value in found.items()}
    return {name: bare[name] for name in job.task.metrics if name in bare}


def quiet_scores(job: Job, trainer: LanguageTrainer) -> dict[str, float]:
    """All metrics of the weights as they are, as no point of the curve."""
    callback = trainer.pop_callback(ForgeCallback)
    try:
        return ordered(job, trainer.evaluate())
    finally:
        trainer.add_callback(callback)


def score_baselines(
    job: Job,
    trainer: LanguageTrainer,
    rows: Mapping[str, Sequence[Row]],
    vocabulary: int,
    more: Callable[[dict[str, float]], dict[str, float]] = dict,
) -> tuple[str, dict[str, float]]:
    """The model before training, and what counting tokens and pairs of tokens reaches on the same tokens."""
    train, held_out = (((row.input_ids, row.labels) for row in rows[side]) for side in ("train", "evaluation"))
    counted = {f"{name} model": more(scores) for name, scores in token_models(train, held_out, vocabulary).items()}
    untrained = "untrained model" if job.spec.model.startswith("preset:") else "base model"
    scores = {untrained: quiet_scores(job, trainer), **{name: ordered(job, each) for name, each in counted.items()}}
    return job.record_baselines(scores, job.task.metrics[0])
