"""The hardware of a machine as a table and lines for people; what is unknown says so."""

from __future__ import annotations

from collections.abc import Sequence

from forge_tui.formatting import gibibytes
from profiles.device import choose_device
from profiles.hardware import Gpu, GpuProcess, Hardware
from profiles.hardware_profiles import hardware_profiles

_UNKNOWN = "unknown"
_PROCESSES_SHOWN = 4


def gpu_rows(gpus: Sequence[Gpu]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The header and the rows of the table of GPUs; UUIDs stand below it, since they would make it too wide."""
    header = ("GPU", "name", "free of GiB", "compute", "load", "temp", "power", "used by")
    return header, [_row(gpu) for gpu in gpus]


def _row(gpu: Gpu) -> tuple[str, ...]:
    power = _with_unit(gpu.power_watts, "W")
    if gpu.power_watts is not None and gpu.power_limit_watts is not None:
        power = f"{gpu.power_watts:.0f}/{gpu.power_limit_watts:.0f} W"
    return (
        str(gpu.index),
        (gpu.name or _UNKNOWN).removeprefix("NVIDIA "),
        f"{gibibytes(gpu.memory_free_bytes)} of {gibibytes(gpu.memory_total_bytes)}",
        gpu.compute_capability or "?",
        _with_unit(gpu.utilization_percent, "%"),
        _with_unit(gpu.temperature_celsius, " °C"),
        power,
        _users(gpu.processes),
    )


def _with_unit(value: float | None, unit: str) -> str:
    return "?" if value is None else f"{value:.0f}{unit}"


def _users(processes: Sequence[GpuProcess] | None) -> str:
    if processes is None:
        return _UNKNOWN
    if not processes:
        return "nobody"
    shown = [_process(each) for each in processes[:_PROCESSES_SHOWN]]
    more = len(processes) - len(shown)
    return "; ".join([*shown, f"{more} more"] if more else shown)


def _process(process: GpuProcess) -> str:
    memory = "" if process.memory_bytes is None else f" {gibibytes(process.memory_bytes)} GiB"
    return f"{process.owner or 'unknown user'}: {process.name or 'process'} ({process.pid}){memory}"


def machine_lines(hardware: Hardware) -> list[str]:
    """The names of the GPUs for CUDA_VISIBLE_DEVICES, the driver, the rest of the machine and its profile."""
    lines = [f"GPU {gpu.index}    {gpu.uuid or 'UUID unknown'}" for gpu in hardware.gpus]
    if hardware.gpus or hardware.driver_version:
        lines.append(f"driver   {hardware.driver_version or _UNKNOWN}, CUDA up to {hardware.cuda_version or _UNKNOWN}")
    cores = _UNKNOWN if hardware.cpu.cores is None else str(hardware.cpu.cores)
    lines.append(f"CPU      {hardware.cpu.name or _UNKNOWN}, {cores} cores for this process")
    lines.append(f"memory   {_free(hardware.memory_available_bytes, hardware.memory_total_bytes)}")
    disk = _UNKNOWN if hardware.disk_free_bytes is None else f"{gibibytes(hardware.disk_free_bytes)} GiB free"
    lines.append(f"disk     {disk}, where runs are kept")
    return [*lines, f"profile  {_profile(hardware)}"]


def _free(free: int | None, total: int | None) -> str:
    return f"{gibibytes(free)} of {gibibytes(total)} GiB free" if free is not None and total is not None else _UNKNOWN


def _profile(hardware: Hardware) -> str:
    device = choose_device(hardware)
    if hardware.profile is None:
        return f"unknown: {device.reason}"
    span = {profile.name: profile.range for profile in hardware_profiles()}.get(hardware.profile)
    if span is None:
        return f"{hardware.profile}: {device.reason}"
    return f"{hardware.profile}, which is {span}: {device.name} has {device.reason}"
