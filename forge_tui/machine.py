"""What this machine is doing now, in a few numbers for the gauges; what cannot be told is None."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from forge_tui.nvml import GpuSample, Nvml
from forge_tui.paths import forge_home


@dataclass(frozen=True)
class MachineSample:
    """One look at the machine."""

    gpus: tuple[GpuSample, ...] | None
    gpu_problem: str | None
    cpu_percent: float | None
    cores: int
    memory_available_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int | None


class Machine:
    """Takes samples; CPU load is since the last one."""

    def __init__(self) -> None:
        self._nvml = Nvml()
        self._asked = False

    def sample(self) -> MachineSample:
        """Look once."""
        import psutil  # here, because home is painted before it is needed

        gpus = self._nvml.sample()
        memory = psutil.virtual_memory()
        load: float | None = psutil.cpu_percent()
        if not self._asked:  # the first answer has nothing to compare with
            load, self._asked = None, True
        try:
            free: int | None = shutil.disk_usage(forge_home()).free
        except OSError:
            free = None
        return MachineSample(
            gpus=tuple(gpus) if gpus is not None else None,
            gpu_problem=self._nvml.problem,
            cpu_percent=load,
            cores=len(os.sched_getaffinity(0)),
            memory_available_bytes=memory.available,
            memory_total_bytes=memory.total,
            disk_free_bytes=free,
        )


def gpu_line(gpu: GpuSample) -> str:
    """`GPU 0  A10G  21.8 of 24.0 GiB free  util 3%  41 °C  29 W`, leaving out what is unknown."""
    parts = [f"GPU {gpu.index}", (gpu.name or "unknown").removeprefix("NVIDIA ")]
    if gpu.memory_total_bytes and gpu.memory_free_bytes is not None:
        parts.append(f"{gpu.memory_free_bytes / 2**30:.1f} of {gpu.memory_total_bytes / 2**30:.1f} GiB free")
    else:
        parts.append("memory unknown")
    if gpu.utilization_percent is not None:
        parts.append(f"util {gpu.utilization_percent:>3}%")
    if gpu.temperature_celsius is not None:
        parts.append(f"{gpu.temperature_celsius} °C")
    if gpu.power_watts is not None:
        parts.append(f"{gpu.power_watts:.0f} W")
    return "  ".join(parts)


def machine_line(sample: MachineSample) -> str:
    """`CPU 16 cores 3%   RAM 58 of 62 GiB free   disk 310 GiB free`."""
    load = "" if sample.cpu_percent is None else f" {sample.cpu_percent:.0f}%"
    memory = f"RAM {sample.memory_available_bytes / 2**30:.1f} of {sample.memory_total_bytes / 2**30:.1f} GiB free"
    disk = "" if sample.disk_free_bytes is None else f"   disk {sample.disk_free_bytes / 2**30:.0f} GiB free"
    return f"CPU {sample.cores} cores{load}   {memory}{disk}"
