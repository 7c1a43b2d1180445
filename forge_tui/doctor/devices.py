"""Whether the GPUs can be used by the torch that is installed; a run falls back to the CPU where they cannot."""

from __future__ import annotations

from collections.abc import Iterator

from forge_tui.doctor.checks import Check
from forge_tui.formatting import gibibytes
from forge_tui.nvml import GpuReading
from profiles.hardware import Gpu

_TORCH = "https://pytorch.org/get-started/locally"
# NVIDIA, "CUDA Compatibility", table 1: the oldest driver for each CUDA major, by minor version compatibility.
_OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
# NVIDIA, CUDA 13.0 release notes: Maxwell, Pascal and Volta are no longer supported.
_OLDEST_CAPABILITY = {13: (7, 5)}


def check_devices(reading: GpuReading, torch_version: str | None, torch_cuda: str | None) -> Iterator[Check]:
    """What the driver tells, then whether driver and GPUs are new enough for torch."""
    for gpu in reading.gpus or ():
        yield Check("gpu", "ok", _gpu(gpu))
    for problem in reading.problems:
        yield Check("gpu", "warning", problem.what, f"{problem.fix[:1].upper()}{problem.fix[1:]}")
    if not reading.gpus:
        if not reading.problems:
            yield Check("gpu", "ok", "no GPU: runs use the CPU")
        return
    if torch_version is None:
        return
    if torch_cuda == "none":
        fix = f"Install a torch that is built for CUDA ({_TORCH})"
        yield Check("torch", "warning", f"torch {torch_version} is built without CUDA: runs use the CPU", fix)
        return
    if torch_cuda is None:
        yield Check("torch", "ok", f"torch {torch_version}; which CUDA it is built for cannot be told")
        return
    major = int(torch_cuda.partition(".")[0])
    driver = _driver(reading, torch_version, torch_cuda, major)
    yield driver
    if driver.state != "ok":
        return  # no run will meet the GPU
    oldest = _OLDEST_CAPABILITY.get(major, (0, 0))
    for gpu in reading.gpus:
        if gpu.compute_capability is not None and _pair(gpu.compute_capability) < oldest:
            yield Check(
                "torch",
                "problem",
                f"GPU {gpu.index} ({gpu.name}) is of compute capability {gpu.compute_capability}; "
                f"CUDA {major}, for which torch {torch_version} is built, needs {oldest[0]}.{oldest[1]}",
                f"Install a torch built for CUDA 12 ({_TORCH}), or hide the GPU: CUDA_VISIBLE_DEVICES= forge-tui",
            )


def _gpu(gpu: Gpu) -> str:
    return f"GPU {gpu.index} {gpu.name or 'of unknown name'}, {gibibytes(gpu.memory_free_bytes)} GiB free"


def _driver(reading: GpuReading, torch_version: str, torch_cuda: str, major: int) -> Check:
    oldest, driver = _OLDEST_DRIVER.get(major), reading.driver_version
    number = int(driver.partition(".")[0]) if driver and driver.partition(".")[0].isdigit() else None
    told = f"torch {torch_version} is built for CUDA {torch_cuda}"
    if oldest is None or number is None:
        return Check("torch", "ok", f"{told}; the driver is {driver or 'unknown'}")
    if number >= oldest:
        return Check("torch", "ok", f"{told}; driver {driver} is new enough (from {oldest})")
    fix = f"Install a driver of version {oldest} or later"
    if number >= _OLDEST_DRIVER[12] and major > 12:
        fix += f", or a torch that is built for CUDA 12 ({_TORCH})"
    return Check("torch", "warning", f"{told}, which needs driver {oldest}; yours is {driver}: runs use the CPU", fix)


def _pair(capability: str) -> tuple[int, int]:
    major, _, minor = capability.partition(".")
    return int(major), int(minor or 0)
