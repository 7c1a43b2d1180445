"""A trainer without ML libraries for lifecycle tests: the real entry point of `backends` with a task that only waits.

It is started as `trainer_python`, through a two-line script that conftest writes, as `<script> -m backends <folder>`.
FORGE_STAND_IN holds what to do, as JSON:

    steps       how many steps to train (5)
    save_steps  steps between two checkpoints (never)
    bytes       size of a checkpoint's weights (10)
    grow        bytes that each step adds to it (0)
    hold        places to wait at: start (before any signal is listened to), imports, `step N`, saving
    ignore_term ignore SIGTERM once training
    fail        raise RuntimeError after this step
    words       what to print on stdout before the first step
    real        train with the real backend; only `step N` is held then

At a place to wait it makes the file `at <place>` in the run folder and goes on when `go <place>` is there.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

PLAN = json.loads(os.environ.get("FORGE_STAND_IN", "{}"))
FOLDER = Path(sys.argv[-1])
# A trainer that nobody releases must not outlive the tests by much.
LONGEST_WAIT = 120.0


def hold(place: str, leave: Any = lambda: False) -> None:
    """Wait at a place until the test releases it or `leave` says so."""
    if place not in PLAN.get("hold", ()):
        return
    (FOLDER / f"at {place}").touch()
    deadline = time.monotonic() + LONGEST_WAIT
    while not (FOLDER / f"go {place}").exists() and not leave():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody released the stand-in trainer at {place}")
        time.sleep(0.01)


def train(job: Any) -> None:
    """What a backend does, without the learning."""
    hold("imports")
    if PLAN.get("words"):
        print(PLAN["words"])
    job.update_report(baseline={"f1_macro": 0.5}, baseline_name="majority class")
    job.control.leave_at_checkpoint()
    if PLAN.get("ignore_term"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job.events.phase("training")
    total = PLAN.get("steps", 5)
    for step in range(job.resume_step + 1, total + 1):
        job.events.emit("metrics", step=step, epoch=None, total_steps=total, values={"loss": 1 / step})

        def asked(step: int = step) -> bool:
            if job.control.take_checkpoint_request():
                save(job, step)
            return bool(job.control.stop_requested)

        hold(f"step {step}", leave=asked)
        if asked() or step % PLAN.get("save_steps", total + 1) == 0:
            save(job, step)
        if job.control.stop_requested:
            return
        if step == PLAN.get("fail"):
            raise RuntimeError(f"the stand-in trainer failed after step {step}, as told")
    job.events.phase("saving")
    hold("saving")
    job.files.model.mkdir(exist_ok=True)
    (job.files.model / "model.bin").write_bytes(b"model")
    job.update_report(metrics={"f1_macro": 0.75}, details={"rounds": total})
    job.events.phase("done")
    job.events.emit("finished", metrics={"f1_macro": 0.75}, baseline={"f1_macro": 0.5}, model_path="model")


def save(job: Any, step: int) -> None:
    """Write a sealed checkpoint the way the backends do."""
    from backends.checkpoints import checkpoint_folder, prune, seal

    folder = checkpoint_folder(job.files.checkpoints, step)
    folder.mkdir(parents=True, exist_ok=True)
    size = PLAN.get("bytes", 10) + (step - 1) * PLAN.get("grow", 0)
    (folder / "weights.bin").write_bytes(os.urandom(size))
    seal(folder, step)
    prune(job.files.checkpoints, best_step=None)
    job.events.emit("checkpoint", step=step, path=str(folder.relative_to(job.files.folder)))


def hold_real_backend() -> None:
    """Let the tabular backend wait after a round, so that a stop meets it at a known step."""
    from backends import tabular

    report = tabular.Boosting._report_round

    def report_and_hold(self: Any, *arguments: Any) -> None:
        report(self, *arguments)
        hold(f"step {self.round + 1}", leave=lambda: self.job.control.stop_requested)

    setattr(tabular.Boosting, "_report_round", report_and_hold)  # noqa: B010


def main() -> None:
    """Put the stand-in in the place of every task's module and become `python -m backends`."""
    if sys.argv[2] != "backends":  # such as backends.predict
        sys.argv = sys.argv[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        return
    hold("start")
    import backends.registry

    if PLAN.get("real"):
        hold_real_backend()
    else:
        sys.modules["stand_in_task"] = sys.modules["__main__"]
        tasks = tuple(replace(task, module="stand_in_task") for task in backends.registry.TASKS)
        backends.registry.TASKS = tasks
    sys.argv = ["backends", sys.argv[-1]]
    runpy.run_module("backends", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
