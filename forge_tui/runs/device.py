"""The device of a run at the moment it starts: the one it was planned for, or the best there is now."""

from __future__ import annotations

from dataclasses import dataclass

from backends.contract import ForgeError
from forge_tui.nvml import GpuReading
from forge_tui.nvml_problems import gpu_lost
from forge_tui.visible_devices import VARIABLE
from profiles.device import choose_device
from profiles.hardware import Gpu, Hardware

CPU = "cpu"


@dataclass(frozen=True)
class RunDevice:
    """What a run trains on: `id` is a GPU's UUID or `cpu`, None where the driver cannot be asked.

    `variables` are what the trainer's environment must say for it, `name` is what people call it.
    """

    id: str | None
    told: str
    variables: dict[str, str]
    name: str = "CPU"


def device_of_run(reading: GpuReading, planned: str | None = None) -> RunDevice:
    """The device to start on; `planned` is the UUID that the run was planned for, None when any will do.

    Raises ForgeError when a planned GPU is not there any more, or lost.
    """
    gpus = reading.gpus
    if planned:
        return _as_planned(reading, planned)
    if gpus is None:
        return RunDevice(None if reading.problems else CPU, "no GPU can be asked for", {}, _unasked(reading))
    if not gpus:
        return RunDevice(CPU, "CPU: there is no GPU that can be used", {})
    chosen = choose_device(Hardware(gpus=gpus))
    return _on(chosen.visible, f"{chosen.name}: {chosen.reason}", chosen.name)


def _as_planned(reading: GpuReading, planned: str) -> RunDevice:
    gpus = reading.gpus or ()
    gpu = next((each for each in gpus if planned in (each.uuid, str(each.index))), None)
    if gpu is not None and gpu_lost(gpu.index) not in reading.problems:
        return _on(planned, f"GPU {gpu.index}, as planned", f"GPU {gpu.index}")
    now = ", ".join(_named(each) for each in gpus if each is not gpu) or "no GPU"
    why = "it was there when the run was planned, and the driver does not show it now"
    if gpu is not None:
        why = f"it was there when the run was planned; now {gpu_lost(gpu.index).what}"
    raise ForgeError(
        f"The GPU of this run is gone: {planned}",
        f"{why}; what it shows is {now}",
        "Look at: forge-tui hardware. Then forge-tui resume RUN takes the best GPU there is, or the CPU with "
        "CUDA_VISIBLE_DEVICES= before it.",
    )


def _unasked(reading: GpuReading) -> str:
    return "a device that the driver does not name" if reading.problems else "CPU"


def _on(visible: str, told: str, name: str) -> RunDevice:
    return RunDevice(visible, told, {VARIABLE: visible}, name)


def _named(gpu: Gpu) -> str:
    return f"GPU {gpu.index} ({gpu.uuid or 'no UUID'})"
