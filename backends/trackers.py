"""Trackers that a run is also told to, when asked: into its own folder, without an account and without a network.

Nothing of a tracker is imported unless one is asked for. What they write is theirs: TensorBoard's files, trackio's and
Weights & Biases' offline ones, which `wandb sync` sends whenever the owner wants.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from backends.contract import UsageError
from backends.job import Job

FOLDER = "trackers"


def tracker_arguments(job: Job) -> dict[str, Any]:
    """What the Trainer's arguments say of a tracker; the environment says where it writes.

    Raises UsageError where its package is not installed.
    """
    wanted: str = job.options.report_to
    if wanted == "none":
        return {"report_to": []}
    if importlib.util.find_spec(wanted) is None:
        raise UsageError(
            f"report_to = {wanted} needs a package that is not installed",
            f"{wanted} is not among the libraries of the trainer",
            f"Install it: uv pip install {wanted}; or leave report_to out: the curves are in the run without it.",
        )
    folder = job.files.folder / FOLDER
    folder.mkdir(exist_ok=True)
    name = job.files.folder.name
    for variable, value in _environment(wanted, str(folder), name).items():
        os.environ.setdefault(variable, value)
    return {"report_to": [wanted], "run_name": name, "project": "forge-tui"}


def _environment(tracker: str, folder: str, name: str) -> dict[str, str]:
    """Where a tracker writes and that it stays offline; what the person has set already stays as it is."""
    if tracker == "tensorboard":
        return {"TENSORBOARD_LOGGING_DIR": folder}
    if tracker == "trackio":
        return {"TRACKIO_DIR": folder}
    return {
        "WANDB_MODE": "offline",
        "WANDB_DIR": folder,
        "WANDB_PROJECT": "forge-tui",
        "WANDB_RUN_ID": name,
        "WANDB_RESUME": "allow",
        "WANDB_SILENT": "true",
        "WANDB_DISABLE_GIT": "true",
    }
