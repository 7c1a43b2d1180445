"""Whether a finished model fits into what is free now, on the GPU or in main memory: found out before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backends.contract import RunFiles, read_json
from forge_tui.formatting import gibibytes
from forge_tui.model_folders import local_folder
from forge_tui.visible_devices import VARIABLE
from profiles.device import choose_device
from profiles.hardware import Hardware

# Resident memory of a process that has loaded a model of next to no weights and answered once: measured on a CPU with
# torch 2.15, Transformers 5.23 and XGBoost 3.2.
_LIBRARIES_BYTES, _TREES_LIBRARY_BYTES = 1080 << 20, 220 << 20
# What CUDA keeps for itself in a process (its context and the kernels of PyTorch), about.
_CUDA_BYTES = 600 << 20
# Weights, and what is computed beside them for one question at a time.
_SHARE = 1.2
_WEIGHTS = (".safetensors", ".ubj")


@dataclass(frozen=True)
class Room:
    """Where a model is loaded, what it needs there and what is free; `variables` are for the environment there.

    `fits` is None where it cannot be told.
    """

    place: str
    needed_bytes: int
    free_bytes: int | None
    variables: Mapping[str, str] = field(default_factory=dict)
    instead_of: str = ""

    @property
    def fits(self) -> bool | None:
        """Whether it does."""
        return None if self.free_bytes is None else self.needed_bytes <= self.free_bytes

    @property
    def sentence(self) -> str:
        """`needs about 0.8 GiB, 57.1 GiB of main memory are free`."""
        free = "unknown" if self.free_bytes is None else f"{gibibytes(self.free_bytes)} GiB"
        return f"needs about {gibibytes(self.needed_bytes)} GiB; free {self.place}: {free}{self.instead_of}"


def has_model(files: RunFiles) -> bool:
    """Whether a run left weights that can be asked."""
    try:
        return any(path.suffix in _WEIGHTS for path in files.model.iterdir())
    except OSError:
        return False


def weight_bytes(folder: Path) -> int:
    """The weights in a folder, and for an adapter those of its base where that is on this machine."""
    own = sum(path.stat().st_size for path in folder.iterdir() if path.suffix in _WEIGHTS)
    adapter = read_json(folder / "adapter_config.json")
    base = local_folder(str(adapter.get("base_model_name_or_path"))) if adapter else None
    return own + (weight_bytes(base) if base is not None else 0)


def find_room(weights: int, is_tabular: bool, hardware: Hardware) -> Room:
    """Where the weights of a finished run go: the best GPU where they fit into it, else main memory."""
    if is_tabular:
        return _in_memory(weights, _TREES_LIBRARY_BYTES, hardware, {})
    device = choose_device(hardware)
    if device.gpu is None:
        return _in_memory(weights, _LIBRARIES_BYTES, hardware, {})
    on_gpu = Room(
        f"on {device.name}", int(weights * _SHARE) + _CUDA_BYTES, device.free_bytes, {VARIABLE: device.visible}
    )
    if on_gpu.fits is not False:
        return on_gpu
    on_cpu = _in_memory(weights, _LIBRARIES_BYTES, hardware, {VARIABLE: ""})
    if on_cpu.fits is False:
        return on_gpu
    told = f"; {device.name} has only {gibibytes(device.free_bytes)} GiB"
    return Room(on_cpu.place, on_cpu.needed_bytes, on_cpu.free_bytes, on_cpu.variables, told)


def _in_memory(weights: int, libraries: int, hardware: Hardware, variables: Mapping[str, str]) -> Room:
    return Room("in main memory", int(weights * _SHARE) + libraries, hardware.memory_available_bytes, variables)
