"""The training process: `python -m backends <run folder>` reads spec.toml there and trains."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from backends.signals import StopControl

CONTROL = StopControl()
if __name__ == "__main__":
    CONTROL.install()  # before the other imports: they take time in which a stop may come

os.environ["HF_HUB_OFFLINE"] = "1"  # everything a run needs is a file: no library may ask a network

import importlib  # noqa: E402
import traceback  # noqa: E402

from backends.checkpoints import latest_checkpoint  # noqa: E402
from backends.contract import EXIT_DONE, EXIT_FAILED, EXIT_USAGE, RunFiles, read_spec  # noqa: E402
from backends.events import EventWriter  # noqa: E402
from backends.failures import explain  # noqa: E402
from backends.hub import bring_model  # noqa: E402
from backends.job import Job, MeasurementDone  # noqa: E402
from backends.options import parse_settings  # noqa: E402
from backends.out_of_memory import train_with_room  # noqa: E402
from backends.registry import find_task  # noqa: E402


def main(arguments: list[str]) -> int:
    """Train the run in the folder that is named; 0 when it finished or was stopped, 1 when it failed."""
    if len(arguments) != 1:
        print("usage: python -m backends RUN_FOLDER", file=sys.stderr)
        return EXIT_USAGE
    os.umask(0o077)
    files = RunFiles(Path(arguments[0]).resolve())
    attempt = int(os.environ.get("FORGE_ATTEMPT", "1"))
    checkpoint = latest_checkpoint(files.checkpoints) if attempt > 1 else None
    step, folder = checkpoint if checkpoint else (0, None)
    try:
        events = EventWriter(files.events)
        events.emit("attempt", n=attempt, from_step=step)
        CONTROL.leave_at_once(
            lambda: events.notice("stopped before the first step; nothing was trained in this attempt")
        )
        spec = read_spec(files.spec)
        task = find_task(spec.task, spec.strategy)
        spec = bring_model(spec, events)
        options: object = parse_settings(task.options, spec.settings)
        job = Job(files, spec, task, options, events, CONTROL, step, folder, attempt)
        events.phase("loading-data")
        train_with_room(importlib.import_module(task.module).train, job)
    except MeasurementDone:
        return EXIT_DONE
    except Exception as error:
        return _fail(error, files)
    return EXIT_DONE


def _fail(error: Exception, files: RunFiles) -> int:
    """Write the error event and then the traceback, giving the reserve back when there is no room for them."""
    told = explain(error, files)
    for write in (
        lambda: EventWriter(files.events).emit("error", **told.to_json()),
        lambda: traceback.print_exception(error),  # the log is on the same disk: this fails too when it is full
    ):
        for _ in range(2):
            try:
                write()
                break
            except OSError:
                files.reserve.unlink(missing_ok=True)
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
