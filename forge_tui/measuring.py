"""Measures a plan: the real trainer in a process of its own, three steps on the longest rows, and nothing kept.

The process has a folder like a run's in the system's temporary folder; both are gone when this ends, however it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.contract import MEASURED_STEPS, ForgeError, RunFiles, RunSpec, UsageError, read_json
from forge_tui.planning import Plan, TooLargeError, spec_of
from forge_tui.runs.process import marked_processes
from forge_tui.runs.supervisor import trainer_environment
from forge_tui.runs.tail import LineTail, new_events
from forge_tui.settings import not_startable, read_settings
from forge_tui.visible_devices import VARIABLE

STEPS = 3
_LOOK_SECONDS = 0.2
_KILL_SECONDS = 5.0
_PHASES: Mapping[str, str] = {
    "loading-data": "reading the data",
    "loading-model": "loading the model",
    "preparing": "preparing the rows",
    "baseline": "scoring the baselines",
    "training": f"{STEPS} steps on the longest rows",
}
_OUT_OF_MEMORY = "ran out of memory"


@dataclass(frozen=True)
class Measured:
    """What a few steps took on this device; what was not measured is None.

    `source` says what `peak_bytes` is: `cuda-allocated`, or `rss`, the memory of the process. `usual_share` is the
    longest row of a usual batch over the longest of all.
    """

    steps: int
    rows: int | None
    peak_bytes: int
    source: str
    reserved_bytes: int | None
    step_seconds: float
    usual_share: float | None


def measure(plan: Plan, tell: Callable[[str], None]) -> Measured:
    """Run the trainer of a plan for a few steps on the device it was planned for.

    Raises UsageError for what cannot be measured here, TooLargeError where memory ran out, else ForgeError in the words
    of the trainer.
    """
    spec = _spec(plan)
    python = read_settings().trainer_python
    with _ended_by_signals(), tempfile.TemporaryDirectory(prefix="forge-measure-") as folder:
        files = RunFiles(Path(folder).resolve())
        _write_spec(files, spec)
        with files.log.open("wb") as log:
            try:
                trainer = subprocess.Popen(
                    [python, "-m", "backends", str(files.folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,  # a Ctrl-C is answered here, and ends it from here
                    cwd=files.folder,
                    env={
                        **trainer_environment(files, 1),
                        VARIABLE: plan.device.visible,
                        MEASURED_STEPS: str(STEPS),
                        "TMPDIR": str(files.folder),
                    },
                )
            except OSError as error:
                raise not_startable(python, error) from None
        try:
            _follow(files, trainer, tell)
        finally:
            _end(files, trainer)
        return _result(files, trainer.returncode, plan)


def _spec(plan: Plan) -> RunSpec:
    """The spec of the plan with so few steps; raises UsageError for a task or a model that cannot be trained here."""
    if plan.is_too_large and plan.device.gpu is None:
        raise UsageError(
            "A plan that is too large for the memory of this machine is not measured",
            "on a CPU that could end other programs too",
            "Make it smaller first, or leave --measure out.",
        )
    spec = spec_of(replace(plan, hub_model=None))  # a measurement downloads nothing
    return replace(spec, settings={**spec.settings, "max_steps": STEPS})


def _write_spec(files: RunFiles, spec: RunSpec) -> None:
    import tomli_w

    try:
        files.spec.write_text(tomli_w.dumps(spec.to_tables()), encoding="utf-8")
    except UnicodeEncodeError:
        raise UsageError(
            "The request holds a name that is not text", f"a spec cannot hold {spec.data!a}", "Rename the file."
        ) from None
    except OSError as error:
        raise ForgeError(
            "There is no room to measure", f"{error.strerror} at {files.folder}", "Free some space, or set TMPDIR."
        ) from None


def _follow(files: RunFiles, trainer: subprocess.Popen[bytes], tell: Callable[[str], None]) -> None:
    """Tell each phase until the trainer has ended."""
    tail, running = LineTail(files.events), True
    while running:
        try:
            trainer.wait(_LOOK_SECONDS)
            running = False
        except subprocess.TimeoutExpired:
            pass
        for event in new_events(tail):
            if event["kind"] == "phase" and event.get("name") in _PHASES:
                tell(f"measuring: {_PHASES[event['name']]}")


def _end(files: RunFiles, trainer: subprocess.Popen[bytes]) -> None:
    """See to it that nothing of the trainer is left: its group, and workers that left it."""
    if trainer.poll() is None:
        os.killpg(trainer.pid, signal.SIGTERM)
        try:
            trainer.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(trainer.pid, signal.SIGKILL)
            trainer.wait()
    for pid in marked_processes(files.folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """While measuring, a lost terminal or a SIGTERM ends this process by an exception, so that all is cleaned up."""

    def leave(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- what came of it ---------------------------------------------------------------------------------------------


def _result(files: RunFiles, code: int | None, plan: Plan) -> Measured:
    report = read_json(files.report) or {}
    found: Any = report.get("measured")
    peaks = [event for event in new_events(LineTail(files.events)) if event["kind"] == "memory"]
    if code == 0 and isinstance(found, dict) and peaks:
        return Measured(
            found["steps"],
            found["rows"],
            found["peak_bytes"],
            peaks[-1]["source"],
            found["reserved_bytes"],
            found["step_seconds"],
            found["usual_share"],
        )
    if code == 0 and peaks and report.get("training_seconds"):  # trained to its end, without Transformers' Trainer
        return Measured(
            STEPS, None, peaks[-1]["peak_bytes"], peaks[-1]["source"], None, report["training_seconds"] / STEPS, None
        )
    raise _failure(files, code, plan)


def _failure(files: RunFiles, code: int | None, plan: Plan) -> ForgeError:
    """Why there is no measurement, in the words of the trainer where it has left some."""
    told = [event for event in new_events(LineTail(files.events)) if event["kind"] == "error"]
    if told:
        what, why, fix = (str(told[-1].get(key) or "") for key in ("what", "why", "fix"))
        if _OUT_OF_MEMORY in what:
            return TooLargeError(f"{plan.device.name} does not hold this plan: {what}", why, fix)
        return ForgeError(f"The plan could not be measured: {what}", why, fix)
    if code == -signal.SIGKILL:
        return TooLargeError(
            "The system ended the trainer while it was measured",
            "that is what it does to a program when memory runs out",
            "Use fewer rows at once, shorter texts or a smaller model, or free memory.",
        )
    last = files.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
    return ForgeError(
        "The plan could not be measured", f"the trainer ended {how}: {last[0][:300]}", "Look at: forge-tui doctor"
    )
