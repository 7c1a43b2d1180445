"""Which device a run takes, and how much of its memory: the one with the most room."""

from __future__ import annotations

from dataclasses import dataclass

from profiles.hardware import Gpu, Hardware
from profiles.hardware_profiles import GIB


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
