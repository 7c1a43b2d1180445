"""Who else is on the device of a run, and what the machine will have once the runs at work there have ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil

from forge_tui.machine import processes_of_others
from forge_tui.paths import forge_home
from forge_tui.runs.device import CPU
from forge_tui.runs.process import RUN_MARKER
from forge_tui.runs.queue import runs_on
from forge_tui.runs.summary import run_name
from forge_tui.system import own_user
from profiles.device import Device
from profiles.hardware import Gpu, Hardware


def company(device: Device, but: str | None = None) -> list[str]:
    """The runs that train on a device now, by name, and processes of other people there; `but` is a run's id."""
    runs = [run_name(files) for files in runs_on(forge_home(), device.visible or CPU) if files.folder.name != but]
    others = processes_of_others(device.gpu, own_user()) if device.gpu is not None else ""
    return [*runs, others] if others else runs


def when_runs_ended(hardware: Hardware) -> Hardware:
    """The machine with the memory that the runs of this home hold now counted as free: what a queued run will find."""
    ours = _run_processes(forge_home() / "runs")
    freed = 0
    for pid in ours:
        try:
            freed += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue
    available = hardware.memory_available_bytes
    if available is not None and hardware.memory_total_bytes is not None:
        available = min(hardware.memory_total_bytes, available + freed)
    gpus = tuple(_without(gpu, ours) for gpu in hardware.gpus)
    return replace(hardware, gpus=gpus, memory_available_bytes=available)


def _without(gpu: Gpu, ours: set[int]) -> Gpu:
    held = sum(each.memory_bytes or 0 for each in gpu.processes or () if each.pid in ours)
    if gpu.memory_free_bytes is None or not held:
        return gpu
    left = tuple(each for each in gpu.processes or () if each.pid not in ours)
    free = gpu.memory_free_bytes + held
    return replace(gpu, processes=left, memory_free_bytes=min(free, gpu.memory_total_bytes or free))


def _run_processes(folder: Path) -> set[int]:
    """The trainers of this home and their workers, found by the marker in their environment."""
    marker = f"{RUN_MARKER}={folder}/".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if any(each.startswith(marker) for each in (entry / "environ").read_bytes().split(b"\0")):
                    found.add(int(entry.name))
            except OSError:
                continue
    return found
