"""One training job: its folder, its request, its event log and its signals, handed to a backend as one value."""

from __future__ import annotations

import hashlib
import os
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import MEASURED_STEPS, DataError, RunFiles, RunSpec, read_json, write_json
from backends.events import EventWriter
from backends.formats.mixes import mixed_files
from backends.registry import Task, lower_is_better
from backends.signals import StopControl


class MeasurementDone(Exception):
    """What was to be measured is in the report; a run that is only measured ends here."""


@dataclass(frozen=True)
class Job:
    """Everything a backend is given."""

    files: RunFiles
    spec: RunSpec
    task: Task
    options: Any
    events: EventWriter
    control: StopControl
    resume_step: int
    resume_from: Path | None
    attempt: int = 1

    @property
    def measured_steps(self) -> int | None:
        """How many steps this run is only to be measured for; None for one that trains."""
        wanted = os.environ.get(MEASURED_STEPS, "")
        return int(wanted) if wanted.isdecimal() and int(wanted) else None

    def record_data(self, **facts: Any) -> None:
        """Write data.json: what exactly this run is trained on.

        Raises DataError for a run that goes on from a checkpoint where that is no longer the same.
        """
        path = Path(self.spec.data)
        size, digest = fingerprint(path)
        found = {"path": str(path), "size_bytes": size, "sha256": digest}
        if self.spec.eval_data is not None:
            found["eval_sha256"] = fingerprint(Path(self.spec.eval_data))[1]
        before = (read_json(self.files.data) or {}) if self.resume_from is not None else {}
        for key, changed in (("sha256", path), ("eval_sha256", Path(self.spec.eval_data or ""))):
            if before.get(key, found.get(key)) != found.get(key):
                raise DataError(
                    f"{changed.name} is not what it was when this run began",
                    "rows that were learned could be scored now, which makes scores too good, and others forgotten",
                    "Put it back as it was and resume again, or start a new run with it: forge-tui train",
                    str(changed),
                )
        write_json(self.files.data, {**found, **facts})

    def update_report(self, **parts: Any) -> None:
        """Add to report.json; it holds the baseline from early on and everything at the end."""
        write_json(self.files.report, {**(read_json(self.files.report) or {}), **parts})

    def known_baseline(self) -> tuple[str, dict[str, float]] | None:
        """What an earlier attempt measured: the rows are the same, so it need not be measured again."""
        report = read_json(self.files.report) if self.resume_from is not None else None
        return (report["baseline_name"], report["baseline"]) if report and report.get("baseline") else None

    def record_baselines(
        self, baselines: Mapping[str, Mapping[str, float]], primary: str
    ) -> tuple[str, dict[str, float]]:
        """Report all baselines and return the name and scores of the one that is best by the primary metric."""
        sign = 1 if lower_is_better(primary) else -1
        name = min(baselines, key=lambda each: sign * baselines[each][primary])
        scores = dict(baselines[name])
        self.update_report(baselines=baselines, baseline=scores, baseline_name=name)
        told = "; ".join(f"{each}: {primary} {values[primary]:.4f}" for each, values in baselines.items())
        self.events.notice(f"baselines on the evaluation rows: {told}")
        return name, scores

    def report_memory(self) -> int:
        """Emit the peak memory of this process, on the GPU where one was used, and return it in bytes."""
        import sys

        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
            peak, device, source = int(torch.cuda.max_memory_allocated()), "cuda", "cuda-allocated"
        else:
            peak, device, source = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "cpu", "rss"
        self.events.emit("memory", peak_bytes=peak, device=device, source=source)
        return peak


def fingerprint(path: Path) -> tuple[int, str]:
    """Bytes and sha256 of a file; of a folder or a mix the sum, and a digest over the names and contents of all."""
    digest = hashlib.sha256()
    size = 0
    files = sorted(path.rglob("*")) if path.is_dir() else [path, *mixed_files(path)]
    for file in files:
        if not file.is_file():
            continue
        if file != path:
            name = os.path.relpath(file, path if path.is_dir() else path.parent)
            digest.update(os.fsencode(name) + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
    return size, digest.hexdigest()


class Pace:
    """Rows per second since the last look, for the metrics events."""

    def __init__(self) -> None:
        self._time = time.monotonic()
        self._rows = 0.0

    def rate(self, rows: float) -> float | None:
        """The rate between the last call and this one, given the running total of rows."""
        now = time.monotonic()
        seconds, gained = now - self._time, rows - self._rows
        self._time, self._rows = now, rows
        return round(gained / seconds, 1) if seconds > 0 else None
