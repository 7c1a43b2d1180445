"""Which device a run takes, and how much of its memory: the one with the most room."""

from __future__ import annotations

from dataclasses import dataclass

from profiles.hardware import Gpu, Hardware
from profiles.hardware_profiles import GIB

# NVIDIA, CUDA 13.0 release notes: Maxwell, Pascal and Volta are no longer supported; CUDA 12 goes back to Maxwell.
_OLDEST_FOR_CUDA_13, _OLDEST_FOR_CUDA_12 = (7, 5), (5, 0)


@dataclass(frozen=True)
class Device:
    """Where a run trains: a GPU or, without one, the CPU; `free_bytes` is what it may use, None when unknown.

    `visible` is what CUDA_VISIBLE_DEVICES must say for it: the UUID, since CUDA may number GPUs in another order.
    """

    name: str
    gpu: Gpu | None
    free_bytes: int | None
    visible: str
    reason: str


def choose_device(hardware: Hardware) -> Device:
    """The best device of a machine, with the reason; never one whose memory is unknown while another's is known."""
    best = hardware.best_gpu or next(iter(hardware.gpus), None)
    if best is None:
        return Device("CPU", None, hardware.memory_available_bytes, "", "there is no GPU that can be used")
    visible = best.uuid or str(best.index)
    name = f"GPU {best.index}"
    if best.memory_free_bytes is None:
        return Device(name, best, None, visible, "its free memory is unknown, as is that of every other GPU")
    reason = f"{best.memory_free_bytes / GIB:.1f} GiB free"
    if len(hardware.gpus) > 1:
        reason += f", the most of {len(hardware.gpus)} GPUs"
    return Device(name, best, best.memory_free_bytes, visible, reason)


def cuda_warning(device: Device) -> str | None:
    """That a GPU is too old for the PyTorch of today, and what to do."""
    capability = capability_of(device.gpu)
    if capability is None or capability >= _OLDEST_FOR_CUDA_13:
        return None
    has = f"{device.name} has compute capability {capability[0]}.{capability[1]}"
    if capability < _OLDEST_FOR_CUDA_12:
        return f"{has}: no PyTorch of today can use it; plan for the CPU: --hardware cpu"
    return f"{has}, and PyTorch for CUDA 13 needs 7.5: install one that is built for CUDA 12; see forge-tui doctor"


def capability_of(gpu: Gpu | None) -> tuple[int, int] | None:
    """The compute capability of a GPU as two numbers; None where there is none or it is not known."""
    if gpu is None or gpu.compute_capability is None:
        return None
    major, _, minor = gpu.compute_capability.partition(".")
    return int(major), int(minor or 0)
