"""The lines of the monitor as text: pure functions of what is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import psutil

from backends.contract import RunFiles
from forge_tui.formatting import duration, elapsed, gibibytes, mebibytes
from forge_tui.machine import MachineSample, gpu_line
from forge_tui.runs import readings
from forge_tui.runs.gauges import GaugeHistory
from forge_tui.runs.queue import device_name, wait_line
from forge_tui.runs.status import Condition, Status
from forge_tui.runs.subject import Subject
from forge_tui.runs.summary import summarise_run
from forge_tui.runs.view import RunView
from forge_tui.sparks import sparkline
from forge_tui.system import own_user

BAR = 19


def title_line(subject: Subject, state: Condition, told: str = "") -> str:
    """`support-tickets · text-classification · lora   running · GPU 0`; `told` is how the curves are drawn."""
    spec = subject.spec
    name = f"{subject.name} · {spec.task} · {spec.method}" if spec is not None else subject.name
    status = str(state.status) if subject.can_steer else "a log to look at"
    device = device_name(state.job).removeprefix("the ") if state.job.get("device_name") else ""
    parts = [status, *filter(None, (device,))]
    return f" {name}   {' · '.join(parts)}" + (f"   plots {told}" if told else "")


def end_line(subject: Subject, state: Condition) -> str:
    """How a run ended and what to do then; nothing while it goes on."""
    error = state.error
    if not subject.can_steer:
        return f" ! {subject.view.warning}" if subject.view.warning else ""
    if error is not None:
        return f" ✗ {error.get('what')}: {error.get('why')}  → {error.get('fix')}"
    if state.status is Status.FINISHED:
        scores = summarise_run(subject.files, state)
        told = [f"{name} {value:.4g}" for name, value in list(scores.metrics.items())[:1]]
        other = scores.baseline.get(subject.primary)
        told += [f"{scores.baseline_name} {other:.4g}"] if other is not None else []
        return f" ✓ finished: {', '.join(told)}; v shows what came out"
    return " stopped: r goes on from the last checkpoint" if state.status is Status.STOPPED else ""


def sample_lines(view: RunView) -> list[str]:
    """Each sample with what was said of it at one evaluation after the other; what stayed the same is told once."""
    samples: dict[tuple[str, str], list[tuple[Any, str]]] = {}
    for each in view.samples:
        found = samples.setdefault((str(each.get("input")), str(each.get("expected"))), [])
        found.append((each.get("step"), str(each.get("output"))))
    lines = []
    for (text, expected), said in samples.items():
        lines += [text, f"   expected  {expected}"]
        for output, some in groupby(said, lambda each: each[1]):
            steps = [step for step, _ in some]
            when = f"step {steps[0]}" + (f" to {steps[-1]}" if len(steps) > 1 else "")
            lines.append(f" {_mark(output, expected)} {when}  {output}")
        lines.append("")
    return lines[:-1] or ["no sample predictions yet: they come with each evaluation"]


def _mark(output: str, expected: str) -> str:
    """Right or wrong; a number is neither."""
    try:
        float(expected)
    except ValueError:
        return "✓" if output == expected else "✗"
    return "✓" if output == expected else " "


def gauges_line(
    subject: Subject,
    state: Condition,
    sample: MachineSample | None,
    loads: Sequence[float | None],
    history: GaugeHistory,
) -> str:
    """The gauges of the run's GPU with how they went, of CPU and memory, and what was estimated and measured."""
    if not subject.can_steer:
        return ""
    parts = []
    if state.status.is_alive and sample is not None:
        trainer = readings.table(state.job.get("trainer"))
        device = state.job.get("device")
        for gpu in sample.hardware.gpus:
            if device in (None, gpu.uuid, str(gpu.index)):
                past = history.of(gpu.uuid or str(gpu.index))
                used = [
                    None
                    if each.memory_free_bytes is None or not each.memory_total_bytes
                    else 1 - each.memory_free_bytes / each.memory_total_bytes
                    for each in past
                ]
                busy = [each.utilization_percent for each in past]
                bars = f"  memory {sparkline(used, 8, 0, 1)} util {sparkline(busy, 8, 0, 100)}" if past else ""
                parts.append(gpu_line(gpu, own_user()) + bars)
        parts.append(gauge_line(sample, readings.whole(trainer.get("pid")), loads))
    elif not state.status.is_alive and history.last():
        parts += [gpu_line(gpu) for gpu in history.last() if state.job.get("device") in (None, gpu.uuid)]
    estimated = subject.spec.estimate.get("total_bytes") if subject.spec is not None else None
    if subject.view.peak_bytes is not None:
        parts.append(f"peak memory {gibibytes(subject.view.peak_bytes)} GiB")
    if readings.number(estimated) is not None:
        parts.append(f"estimated {gibibytes(estimated)} GiB")
    return " " + "   ".join(parts)


def bar(share: float, width: int = BAR) -> str:
    """`████░░░░`."""
    done = round(share * width)
    return "█" * done + "░" * (width - done)


def _phase_text(phase: str | None, done: int, total: int | None) -> str:
    """`1,200 rows`; of a download `12.0 MiB of 24.0 MiB`, with a bar."""
    if phase == "loading-data":
        return f"{done:,} rows"
    if phase != "loading-model":
        return f"{done:,}"
    share = min(1.0, done / total) if total else None
    return mebibytes(done) + (
        f" of {mebibytes(total)}  {bar(share)} {share:.0%}" if total and share is not None else ""
    )


def progress_line(view: RunView, state: Condition, files: RunFiles, is_run: bool = True) -> str:
    """Phase, step, share, time gone and the range of time left."""
    if state.status is Status.QUEUED:
        return f" queued  {wait_line(files)}"
    gone = elapsed(readings.iso_moment(state.job.get("first_started")), state.ended)
    parts = [f" {view.phase or str(state.status)}"] if is_run else [""]
    if view.step is not None:
        total = f" of {view.total_steps:,}" if view.total_steps else ""
        parts.append(f"step {view.step:,}{total}")
    elif view.phase_done is not None:
        parts.append(_phase_text(view.phase, view.phase_done, view.phase_total))
    share = view.share if state.status is not Status.FINISHED or not is_run else 1.0
    if share is not None:
        parts.append(f"{bar(share)} {share:.0%}")
    if is_run:
        parts.append(duration(gone))
    elif view.epoch is not None:
        parts.append(f"epoch {view.epoch:.4g}")
    left = view.seconds_left() if state.status is Status.RUNNING and view.phase == "training" else None
    if left is not None:
        low, high = (duration(seconds) for seconds in left)
        parts.append(f"left {low}" if low == high else f"left {low} to {high}")
    if view.rate and state.status is Status.RUNNING:
        parts.append(f"{view.rate:,.0f} rows/s")
    return "  ".join(parts)


def gauge_line(sample: MachineSample, trainer_pid: int | None, loads: Sequence[float | None] = ()) -> str:
    """Load and memory of the machine and of the trainer."""
    parts = []
    hardware = sample.hardware
    if sample.cpu_percent is not None:
        went = f" {sparkline(loads, 8, 0, 100)}" if len(loads) > 1 else ""
        parts.append(f"CPU {sample.cpu_percent:3.0f}% of {hardware.cpu.cores} cores{went}")
    if hardware.memory_total_bytes is not None and hardware.memory_available_bytes is not None:
        used = hardware.memory_total_bytes - hardware.memory_available_bytes
        parts.append(f"RAM {gibibytes(used)} of {gibibytes(hardware.memory_total_bytes)} GiB")
    if trainer_pid is not None:
        try:
            parts.append(f"trainer {gibibytes(psutil.Process(trainer_pid).memory_info().rss)} GiB")
        except psutil.Error:
            pass
    return "   ".join(parts)
