"""The lines of the monitor as text: pure functions of what is known."""

from __future__ import annotations

import psutil

from backends.contract import RunFiles, RunSpec
from forge_tui.formatting import duration, elapsed, gibibytes
from forge_tui.machine import MachineSample
from forge_tui.plain import plain
from forge_tui.runs import readings
from forge_tui.runs.status import Condition, Status
from forge_tui.runs.view import RunView

BAR = 19


def title_line(spec: RunSpec | None, files: RunFiles, status: Status) -> str:
    """`support-tickets · text-classification · lora   running`."""
    if spec is None:
        return f" {files.folder.name}   {status}"
    return f" {plain(spec.name)} · {spec.task} · {spec.method}   {status}"


def bar(share: float, width: int = BAR) -> str:
    """`████░░░░`."""
    done = round(share * width)
    return "█" * done + "░" * (width - done)


def progress_line(view: RunView, state: Condition) -> str:
    """Phase, step, share, time gone and the range of time left."""
    gone = elapsed(readings.iso_moment(state.job.get("first_started")), state.ended)
    parts = [f" {view.phase or str(state.status)}"]
    if view.step is not None:
        total = f" of {view.total_steps:,}" if view.total_steps else ""
        parts.append(f"step {view.step:,}{total}")
    elif view.phase_done is not None:
        parts.append(f"{view.phase_done:,} rows" if view.phase == "loading-data" else f"{view.phase_done:,}")
    share = view.share if state.status is not Status.FINISHED else 1.0
    if share is not None:
        parts.append(f"{bar(share)} {share:.0%}")
    parts.append(duration(gone))
    left = view.seconds_left() if state.status is Status.RUNNING and view.phase == "training" else None
    if left is not None:
        low, high = (duration(seconds) for seconds in left)
        parts.append(f"left {low}" if low == high else f"left {low} to {high}")
    if view.rate and state.status is Status.RUNNING:
        parts.append(f"{view.rate:,.0f} rows/s")
    return "  ".join(parts)


def gauge_line(sample: MachineSample, trainer_pid: int | None) -> str:
    """Load and memory of the machine and of the trainer."""
    parts = []
    hardware = sample.hardware
    if sample.cpu_percent is not None:
        parts.append(f"CPU {sample.cpu_percent:3.0f}% of {hardware.cpu.cores} cores")
    if hardware.memory_total_bytes is not None and hardware.memory_available_bytes is not None:
        used = hardware.memory_total_bytes - hardware.memory_available_bytes
        parts.append(f"RAM {gibibytes(used)} of {gibibytes(hardware.memory_total_bytes)} GiB")
    if trainer_pid is not None:
        try:
            parts.append(f"trainer {gibibytes(psutil.Process(trainer_pid).memory_info().rss)} GiB")
        except psutil.Error:
            pass
    return "   ".join(parts)
