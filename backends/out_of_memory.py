"""When the GPU has no room for a batch: half of it at once, twice in turn, on from the last checkpoint or the start."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backends.checkpoints import latest_checkpoint
from backends.contract import read_json
from backends.job import Job

_BATCH, _PASSES, _SCORED = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "per_device_eval_batch_size",
)
# The Trainer's functions in which an evaluation runs.
_EVALUATING = ("evaluation_loop", "prediction_step", "predict")


def train_with_room(train: Callable[[Job], None], job: Job) -> None:
    """Train, as often with half of the rows at once as memory runs out; each step is made of as many rows as before.

    What has become smaller stands in report.json under `out_of_memory`, and a later attempt begins with it.
    """
    job = _as_before(job)
    while True:
        try:
            train(job)
            return
        except Exception as error:
            smaller = _smaller(job, error)
            if smaller is None:
                raise
            traceback.clear_frames(error.__traceback__)  # else they hold what filled the memory
        job = smaller
        _let_go()
        job.events.emit("attempt", n=job.attempt, from_step=job.resume_step)


def _as_before(job: Job) -> Job:
    """The job with the batches that an earlier attempt of the run had to make do with."""
    known = (read_json(job.files.report) or {}).get("out_of_memory") if job.attempt > 1 else None
    return replace(job, options=replace(job.options, **known["settings"])) if known else job


def _smaller(job: Job, error: BaseException) -> Job | None:
    """The job with smaller batches, on from its last checkpoint; None for another error, and at one row at once."""
    if type(error).__name__ != "OutOfMemoryError" or not hasattr(job.options, _BATCH):
        return None
    is_scoring = any(frame.name in _EVALUATING for frame in traceback.extract_tb(error.__traceback__))
    changed = _half_scored(job.options) if is_scoring else _half_trained(job.options)
    if changed is None:
        return None
    checkpoint = latest_checkpoint(job.files.checkpoints)
    step, folder = checkpoint if checkpoint is not None else (0, None)
    before = ((read_json(job.files.report) or {}).get("out_of_memory") or {}).get("settings", {})
    job.update_report(out_of_memory={"settings": {**before, **changed}, "from_step": step})
    told = " and ".join(f"{name} = {value}" for name, value in changed.items())
    place = f"from step {step}" if step else "from the start"
    job.events.notice(f"the memory of the GPU is full; the run goes on {place} with {told}", "warning")
    return replace(job, options=replace(job.options, **changed), resume_step=step, resume_from=folder)


def _half_trained(options: Any) -> dict[str, int] | None:
    """Half of the rows at once, or the largest part of them that divides them evenly, and the others in turn."""
    rows, passes = getattr(options, _BATCH), getattr(options, _PASSES)
    fewer = next((each for each in range(rows // 2, 0, -1) if rows % each == 0), None)
    return None if fewer is None else {_BATCH: fewer, _PASSES: passes * rows // fewer}


def _half_scored(options: Any) -> dict[str, int] | None:
    rows = getattr(options, _SCORED)
    return {_SCORED: rows // 2} if rows > 1 else None


def _let_go() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
