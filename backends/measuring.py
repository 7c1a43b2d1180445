"""A run that is measured, not trained: a few steps on the longest rows, what they took, and the end.

`forge-tui plan --measure` asks for it with FORGE_MEASURE_STEPS in the environment. Everything up to the steps is that
of the real run: data, model, baselines, the Trainer with its optimizer, loss and collator. It evaluates and saves
nothing.
A backend without Transformers' Trainer trains so few steps to its end, and its report tells what they took.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from typing import Any

import torch
from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from backends.job import Job, MeasurementDone

# Rows that are made when they are asked for, as pictures and sound are, are looked at only for so long.
_LOOKING_SECONDS = 20.0


def measure_steps(job: Job, trainer: Trainer, steps: int) -> None:
    """Let a Trainer that is set up do so many steps on its longest rows and then raise MeasurementDone."""
    arguments = trainer.args
    batch = arguments.per_device_train_batch_size
    rows = batch * arguments.gradient_accumulation_steps * arguments.world_size
    arguments.max_steps = steps
    arguments.eval_strategy = IntervalStrategy.NO
    arguments.save_strategy = SaveStrategy.NO
    sizes = row_sizes(trainer.train_dataset)
    if sizes:
        numbers = sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)[:batch]
        trainer.train_dataset = _only(trainer.train_dataset, list(islice(cycle(numbers), rows * steps)))
    trainer.add_callback(StepClock(job, usual_share(sizes, batch)))


def row_sizes(dataset: Any) -> list[int]:
    """How large each row is, or each of the first ones where that takes long; empty for data that only flows by."""
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        return []
    until = time.monotonic() + _LOOKING_SECONDS
    found = []
    for number in range(len(dataset)):
        found.append(size_of(dataset[number]))
        if time.monotonic() > until:
            break
    return found


def usual_share(sizes: list[int], batch: int) -> float | None:
    """The longest row of a usual batch over the longest of all; rows of a batch are padded to its longest.

    The longest of n rows drawn at random is in the middle of many draws at the quantile n / (n + 1).
    """
    if not sizes or not max(sizes):
        return None
    ordered = sorted(sizes)
    return ordered[min(len(ordered) - 1, len(ordered) * batch // (batch + 1))] / ordered[-1]


def size_of(row: Any) -> int:
    """How much there is in a row: numbers of lists and tensors, signs of texts, points of pictures."""
    if isinstance(row, str | bytes):
        return len(row)
    if isinstance(row, Mapping):
        return sum(map(size_of, row.values()))
    if isinstance(row, list | tuple):
        return sum(map(size_of, row)) if row and not isinstance(row[0], int | float) else len(row)
    if isinstance(row, torch.Tensor):
        return row.numel()
    size = getattr(row, "size", 1)  # of an array its numbers, of a picture its two sides
    return int(size[0] * size[1]) if isinstance(size, tuple) else int(size) if isinstance(size, int) else 1


def _only(dataset: Any, numbers: list[int]) -> Any:
    return dataset.select(numbers) if hasattr(dataset, "select") else torch.utils.data.Subset(dataset, numbers)


class StepClock(TrainerCallback):
    """Times each step and writes what was measured when the last one is done; `usual` is the share of a usual batch."""

    def __init__(self, job: Job, usual: float | None) -> None:
        self.job, self.usual = job, usual
        self.moments: list[float] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._note()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._note()

    def _note(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.moments.append(time.monotonic())

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the measurement into the report; raises MeasurementDone."""
        if self.job.control.stop_requested:
            return
        steps = list(self._steps())
        peak = self.job.report_memory()
        self.job.update_report(
            measured={
                "steps": len(steps),
                "rows": args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size,
                "peak_bytes": peak,
                "reserved_bytes": torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None,
                # The first step loads kernels and makes the optimizer's state: its time comes once.
                "step_seconds": round(statistics.median(steps[1:] or steps), 6),
                "first_step_seconds": round(steps[0], 6),
                "usual_share": None if self.usual is None else round(self.usual, 4),
            }
        )
        raise MeasurementDone

    def _steps(self) -> Iterator[float]:
        for began, ended in zip(self.moments, self.moments[1:]):
            yield ended - began
