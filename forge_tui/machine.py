"""What this machine is doing now, in a few numbers for the gauges; what cannot be told is None."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forge_tui.formatting import gibibytes
from forge_tui.hardware import assemble
from forge_tui.nvml import Nvml
from forge_tui.system import System
from profiles.hardware import Gpu, Hardware

_LONGEST_NAME = 24


@dataclass(frozen=True)
class MachineSample:
    """One look at the machine; `problems` are those of its problems that ask for action."""

    hardware: Hardware
    problems: tuple[str, ...]
    cpu_percent: float | None = None


class Machine:
    """Takes samples; CPU load is since the last one."""

    def __init__(self) -> None:
        self._system = System()
        self._nvml = Nvml(self._system)
        self._asked = False

    def sample(self) -> MachineSample:
        """Look once."""
        import psutil  # here, because home is painted before it is needed

        reading = self._nvml.read()
        load: float | None = psutil.cpu_percent()
        if not self._asked:  # the first answer has nothing to compare with
            load, self._asked = None, True
        hardware = assemble(reading, self._system)
        return MachineSample(hardware, tuple(each.sentence for each in reading.problems), load)


def host_line(host: str, hardware: Hardware) -> str:
    """`gpu-07 · NVIDIA A10G · high-end`."""
    best = hardware.best_gpu or next(iter(hardware.gpus), None)
    parts = [host]
    if best is not None:
        are_alike = len({gpu.name for gpu in hardware.gpus}) == 1 < len(hardware.gpus)
        count = f"{len(hardware.gpus)} × " if are_alike else ""
        parts.append(f"{count}{best.name or 'unknown GPU'}")
    parts.append(hardware.profile or "profile unknown")
    return " · ".join(parts)


def gpu_lines(gpus: Sequence[Gpu], user: str | None = None) -> list[str]:
    """`GPU 1  A10G   1.2 of 24.0 GiB free  util 97%  71 °C  288 W  root: python`, in columns, without what is unknown.

    Processes are those of others than `user`.
    """
    widths = tuple(max((len(text(gpu)) for gpu in gpus), default=0) for text in (_label, _short_name))
    return [gpu_line(gpu, user, widths) for gpu in gpus]


def gpu_line(gpu: Gpu, user: str | None = None, widths: tuple[int, ...] = (0, 0)) -> str:
    """One of the lines of `gpu_lines`; `widths` are those of the first two columns."""
    parts = [_label(gpu).ljust(widths[0]), _short_name(gpu).ljust(widths[1])]
    if gpu.memory_total_bytes is not None and gpu.memory_free_bytes is not None:
        free, total = gibibytes(gpu.memory_free_bytes), gibibytes(gpu.memory_total_bytes)
        parts.append(f"{free:>{len(total)}} of {total} GiB free")
    else:
        parts.append("memory unknown")
    if gpu.utilization_percent is not None:
        parts.append(f"util {gpu.utilization_percent:>3}%")
    if gpu.temperature_celsius is not None:
        parts.append(f"{gpu.temperature_celsius} °C")
    if gpu.power_watts is not None:
        parts.append(f"{gpu.power_watts:>3.0f} W")
    others = processes_of_others(gpu, user)
    return "  ".join([*parts, others] if others else parts)


def _label(gpu: Gpu) -> str:
    """`GPU 0`; the beginning of its name tells one instance of a GPU from another."""
    return f"GPU {gpu.index} {(gpu.uuid or '')[:12]}" if gpu.is_mig else f"GPU {gpu.index}"


def _short_name(gpu: Gpu) -> str:
    name = (gpu.name or "unknown").removeprefix("NVIDIA ")
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def processes_of_others(gpu: Gpu, user: str | None) -> str:
    """`root: python`, `ann: train.py, 2 unknown`: who else holds memory of a GPU; nothing when nobody is known to."""
    named: dict[str, list[str]] = {}
    unknown = 0
    for process in gpu.processes or ():
        if process.owner is None:
            unknown += 1
        elif process.owner != user:
            named.setdefault(process.owner, []).append(process.name or str(process.pid))
    parts = [f"{owner}: {', '.join(dict.fromkeys(names))}" for owner, names in named.items()]
    if unknown:
        parts.append(f"{unknown} unknown process{'es' if unknown > 1 else ''}")
    return "; ".join(parts)


def machine_line(sample: MachineSample) -> str:
    """`CPU 16 cores 3%   RAM 58.1 of 62.0 GiB free   disk 310 GiB free`."""
    hardware = sample.hardware
    load = "" if sample.cpu_percent is None else f" {sample.cpu_percent:.0f}%"
    free, total = gibibytes(hardware.memory_available_bytes), gibibytes(hardware.memory_total_bytes)
    disk = "" if hardware.disk_free_bytes is None else f"   disk {hardware.disk_free_bytes / 2**30:.0f} GiB free"
    return f"CPU {hardware.cpu.cores or '?'} cores{load}   RAM {free} of {total} GiB free{disk}"
