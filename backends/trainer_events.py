"""Joins Transformers' Trainer to a run: its logs become events, its checkpoints are sealed, signals are obeyed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, Trainer, TrainerCallback

from backends.checkpoints import checkpoint_folder, latest_checkpoint, prune, seal
from backends.contract import ForgeError
from backends.job import Job, Pace
from backends.registry import lower_is_better

SAMPLES_SHOWN = 3
# Bookkeeping of the Trainer that is no metric of the model.
_NOT_METRICS = (
    "epoch",
    "total_flos",
    "train_loss",
    "step",
    "num_tokens",
    "entropy",
    "mean_token_accuracy",
    "model_preparation_time",
)
_WORDS = {"loss": "loss", "grad_norm": "gradient"}
_NOT_METRICS_ENDS = ("_runtime", "_per_second")


class ForgeCallback(TrainerCallback):
    """The Trainer's side of a job; `samples` are inputs with their truth, `outputs` what was last said of them."""

    def __init__(self, job: Job, samples: list[tuple[str, str]]) -> None:
        self.job, self.samples = job, samples[:SAMPLES_SHOWN]
        self.outputs: Sequence[str] = ()
        self.pace, self.token_pace = Pace(), Pace()
        self.rows_a_step = 1

    def take_over(self, trainer: Trainer) -> None:
        """Silence the Trainer's own printing, learn what a step is, and prepare a run that is only measured."""
        trainer.remove_callback(PrinterCallback)
        arguments = trainer.args
        self.rows_a_step = (
            arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
        )
        if (steps := self.job.measured_steps) is not None:
            from backends.measuring import measure_steps

            measure_steps(self.job, trainer, steps)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.pace, self.token_pace = Pace(), Pace()
        self.pace.rate(state.global_step * self.rows_a_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Write what the Trainer measured; its own history, which would grow for ever, is let go."""
        state.log_history.clear()
        found = logs or {}
        if "train_runtime" in found:
            return
        values = {
            k: v
            for k, v in found.items()
            if k.removeprefix("eval_") not in _NOT_METRICS and not k.endswith(_NOT_METRICS_ENDS)
        }
        is_evaluation = "eval_loss" in values
        if not is_evaluation:
            self._require_finite(values, state.global_step, args)
        named = {name if name == "eval_loss" else name.removeprefix("eval_"): value for name, value in values.items()}
        self.job.events.emit(
            "metrics",
            step=state.global_step,
            epoch=round(state.epoch, 4) if state.epoch is not None else None,
            total_steps=state.max_steps,
            values=named,
            samples_per_second=None if is_evaluation else self.pace.rate(state.global_step * self.rows_a_step),
            tokens_per_second=None if is_evaluation else self._token_rate(found.get("num_tokens")),
        )

    def _require_finite(self, values: Mapping[str, float], step: int, args: Any) -> None:
        """Raise ForgeError before weights that are lost are saved; with scaled gradients a step may be left out."""
        told = ("loss",) if args.fp16 else ("loss", "grad_norm")
        lost = next((name for name in told if not math.isfinite(values.get(name, 0.0))), None)
        if lost is None:
            return
        kept = latest_checkpoint(self.job.files.checkpoints)
        rate = f"{args.learning_rate:g}"
        raise ForgeError(
            f"Training broke down: the {_WORDS[lost]} of step {step} is {values[lost]}",
            f"the steps were too large for this model at learning_rate = {rate}, or its numbers left the range of "
            f"{'16' if args.fp16 or args.bf16 else '32'} bits; "
            + (f"the checkpoint of step {kept[0]} is from before" if kept else "there was no checkpoint yet"),
            f"Start again with a lower rate: --set learning_rate={args.learning_rate / 10:g}; "
            "a longer warmup_steps or a smaller max_grad_norm help too.",
        )

    def _token_rate(self, tokens: float | None) -> float | None:
        """Tokens a second, of a trainer that counts them."""
        return None if tokens is None else self.token_pace.rate(tokens)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Obey what was asked by signal; what is saved is first looked at, so that no lost weights are kept."""
        if self.job.control.stop_requested:
            control.should_save = True
            control.should_training_stop = True
        elif self.job.control.take_checkpoint_request():
            control.should_save = True
        if control.should_save or control.should_evaluate:
            control.should_log = True

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """Keep the checkpoint of a best evaluation and show a few predictions."""
        primary = self.job.task.metrics[0]
        value = (metrics or {}).get(primary if primary == "eval_loss" else f"eval_{primary}")
        sign = -1 if lower_is_better(primary) else 1
        if value is not None and (state.best_metric is None or sign * value > sign * state.best_metric):
            if state.global_step < state.max_steps:
                control.should_save = True
            self.job.update_report(best={primary: value, "step": state.global_step})
        for (text, expected), output in zip(self.samples, self.outputs):
            self.job.events.emit(
                "sample", step=state.global_step, input=text[:500], output=output[:500], expected=expected[:500]
            )

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seal the checkpoint that was just written and drop those no longer needed."""
        root = Path(args.output_dir)
        folder = checkpoint_folder(root, state.global_step)
        seal(folder, state.global_step)
        prune(root, best_step=state.best_global_step)
        relative = folder.relative_to(self.job.files.folder)
        self.job.events.emit("checkpoint", step=state.global_step, path=str(relative))
