"""Asks the driver about its GPUs through NVML, the only place that does; what it does not tell is None."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from forge_tui import nvml_problems as told
from forge_tui.nvml_problems import Problem
from forge_tui.system import System
from forge_tui.visible_devices import DeviceName, visible_devices
from profiles.hardware import Gpu, GpuProcess

_WSL_LIBRARY = "/usr/lib/wsl/lib/libnvidia-ml.so.1"


@dataclass(frozen=True)
class GpuReading:
    """All GPUs that CUDA shows, at one moment; `gpus` is None where there is no driver to ask.

    `problems` need somebody to do something, `remarks` only say what the driver does not tell.
    """

    gpus: tuple[Gpu, ...] | None
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    driver_version: str | None = None
    cuda_version: str | None = None


@dataclass(frozen=True)
class _Device:
    """A GPU or a MIG instance; temperature and power are those of the whole board."""

    name: DeviceName
    handle: Any
    board: Any


def _load_wsl_library() -> None:
    """Windows puts the library where the loader does not look; once loaded, the binding finds it by its name."""
    import ctypes

    with contextlib.suppress(OSError):  # the binding then says that there is none
        ctypes.CDLL(_WSL_LIBRARY)


class Nvml:
    """An open NVML library, asked anew at each reading, so that a GPU that goes away or is divided is noticed."""

    def __init__(self, system: System | None = None) -> None:
        self._system = system or System()
        self._nvml: Any = None
        self._closed = GpuReading(None)
        self._refusal: int | None = None
        self._driver: str | None = None
        self._cuda: str | None = None
        # What was last seen of each GPU, so that one that is lost still has its name.
        self._seen: dict[int, tuple[str | None, str | None]] = {}
        self._open()

    def _open(self) -> None:
        try:
            import pynvml
        except ImportError as error:
            self._closed = GpuReading(None, (Problem(f"GPUs cannot be read ({error})", "pip install nvidia-ml-py"),))
            return
        if self._system.is_wsl and os.path.exists(_WSL_LIBRARY):
            _load_wsl_library()
        try:
            pynvml.nvmlInit()
        except Exception as error:  # the binding raises classes of its own, and others when versions do not match
            code = getattr(error, "value", None)
            why = (told.why_not_open(code, str(error) or type(error).__name__, self._system),)
            is_harmless = told.is_harmless(code, self._system)
            self._closed = GpuReading(None, remarks=why) if is_harmless else GpuReading(None, why)
            return
        self._nvml = pynvml
        self._driver = self._ask("nvmlSystemGetDriverVersion")
        version = self._ask("nvmlSystemGetCudaDriverVersion_v2")
        if version is None:
            version = self._ask("nvmlSystemGetCudaDriverVersion")
        self._cuda = f"{version // 1000}.{version % 1000 // 10}" if version else None

    def read(self) -> GpuReading:
        """Ask for everything now."""
        if self._nvml is None:
            return self._closed
        count = self._ask("nvmlDeviceGetCount")
        if count is None:
            why = told.why_not_open(self._refusal, f"NVML error {self._refusal}", self._system)
            return GpuReading(None, (why,), (), self._driver, self._cuda)
        serious: list[Problem] = []
        remarks: list[Problem] = []
        devices = [device for index in range(count) for device in self._devices(index, serious, remarks)]
        if not devices:
            serious, remarks = remarks, []
        visible = visible_devices(
            os.environ.get("CUDA_VISIBLE_DEVICES"),
            [device.name for device in devices],
            os.environ.get("CUDA_DEVICE_ORDER"),
        )
        gpus = tuple(self._gpu(devices[position], serious, remarks) for position in visible.positions)
        problems, rest = (tuple(dict.fromkeys(each)) for each in ((*visible.problems, *serious), remarks))
        return GpuReading(gpus, problems, rest, self._driver, self._cuda)

    # --- which devices there are -----------------------------------------------------------------------------

    def _devices(self, index: int, serious: list[Problem], remarks: list[Problem]) -> Iterator[_Device]:
        """The GPU of an index, or its MIG instances; CUDA cannot use a GPU that is divided as a whole.

        GPUs that are kept from us are counted by NVML and left out by CUDA, so by us too.
        """
        handle = self._ask("nvmlDeviceGetHandleByIndex", index)
        if handle is None and self._refusal == told.NO_PERMISSION:
            remarks.append(told.gpu_refused(index))
            return
        if handle is None:
            is_lost = self._refusal in (told.GPU_IS_LOST, told.RESET_REQUIRED)
            serious.append(told.gpu_lost(index) if is_lost else told.gpu_silent(index, self._refusal))
            uuid, model = self._seen.get(index, (None, None))
            yield _Device(DeviceName(index, uuid, model), None, None)
            return
        uuid, model = self._ask("nvmlDeviceGetUUID", handle), self._ask("nvmlDeviceGetName", handle)
        seen = self._seen.get(index, (None, None))
        uuid, model = self._seen[index] = (uuid or seen[0], model or seen[1])
        mode = self._ask("nvmlDeviceGetMigMode", handle)
        if not mode or not mode[0]:
            yield _Device(DeviceName(index, uuid, model), handle, handle)
            return
        instances = list(self._instances(index, handle, uuid, model))
        if not instances:
            serious.append(told.no_instances(index))
        yield from instances

    def _instances(self, index: int, board: Any, board_uuid: str | None, model: str | None) -> Iterator[_Device]:
        for number in range(self._ask("nvmlDeviceGetMaxMigDeviceCount", board) or 0):
            handle = self._ask("nvmlDeviceGetMigDeviceHandleByIndex", board, number)
            if handle is None:  # not every place is taken
                continue
            place = (
                self._ask("nvmlDeviceGetGpuInstanceId", handle),
                self._ask("nvmlDeviceGetComputeInstanceId", handle),
            )
            name = DeviceName(
                index,
                self._ask("nvmlDeviceGetUUID", handle),
                self._ask("nvmlDeviceGetName", handle) or model,
                board_uuid,
                place if None not in place else None,
            )
            yield _Device(name, handle, board)

    # --- what a device tells ---------------------------------------------------------------------------------

    def _gpu(self, device: _Device, serious: list[Problem], remarks: list[Problem]) -> Gpu:
        name = device.name
        gpu = Gpu(name.index, name.uuid, name.model)
        if device.handle is None:
            return gpu
        total, free = self._memory(device, serious, remarks)
        if told.gpu_lost(name.index) in serious:
            return gpu
        load = self._ask("nvmlDeviceGetUtilizationRates", device.handle)
        sensor = self._nvml.NVML_TEMPERATURE_GPU
        temperature = self._ask("nvmlDeviceGetTemperature", device.board, sensor)
        power = self._ask("nvmlDeviceGetPowerUsage", device.board)
        limit = self._ask("nvmlDeviceGetEnforcedPowerLimit", device.board)
        capability = self._ask("nvmlDeviceGetCudaComputeCapability", device.handle)
        if capability is None:
            capability = self._ask("nvmlDeviceGetCudaComputeCapability", device.board)
        asked = {"load": load, "temperature": temperature, "power": power}
        unknown = [fact for fact, value in asked.items() if value is None]
        if unknown:
            is_mig = device.handle is not device.board
            remarks.append(told.few_facts(name.index, unknown, is_mig, self._system))
        return replace(
            gpu,
            memory_total_bytes=total,
            memory_free_bytes=free,
            compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
            utilization_percent=int(load.gpu) if load is not None else None,
            temperature_celsius=temperature,
            power_watts=round(power / 1000, 1) if power is not None else None,
            power_limit_watts=round(limit / 1000, 1) if limit is not None else None,
            processes=self._processes(device.handle, remarks),
        )

    def _memory(self, device: _Device, serious: list[Problem], remarks: list[Problem]) -> tuple[int | None, int | None]:
        """Total and free bytes.

        The first version of the call is asked, which every driver has: only its `used` is misleading, not its `free`.
        """
        memory = self._ask("nvmlDeviceGetMemoryInfo", device.handle)
        if memory is None and self._refusal == told.FUNCTION_NOT_FOUND:
            memory = self._ask("nvmlDeviceGetMemoryInfo", device.handle, self._nvml.nvmlMemory_v2)
        if memory is not None and memory.total:
            return int(memory.total), int(memory.free)
        index = device.name.index
        if memory is not None or self._refusal == told.NOT_SUPPORTED:
            remarks.append(told.unified_memory(index))
            shared = self._system.memory()
            return shared.total_bytes, shared.available_bytes
        is_lost = self._refusal in (told.GPU_IS_LOST, told.RESET_REQUIRED)
        serious.append(told.gpu_lost(index) if is_lost else told.memory_unknown(index, self._refusal))
        return None, None

    def _processes(self, handle: Any, remarks: list[Problem]) -> tuple[GpuProcess, ...] | None:
        """Who computes and who draws on a GPU; a process that does both is one."""
        held: dict[int, int | None] = {}
        for kind in ("Compute", "Graphics"):
            listed = self._ask(f"nvmlDeviceGet{kind}RunningProcesses_v3", handle)
            if listed is None and self._refusal == told.FUNCTION_NOT_FOUND:
                listed = self._ask(f"nvmlDeviceGet{kind}RunningProcesses_v2", handle)
            if listed is None and kind == "Compute":  # who draws is of less interest, and often not supported
                remarks.append(told.processes_unknown(self._refusal, self._driver, self._system))
                return None
            for each in listed or ():
                held[each.pid] = max(each.usedGpuMemory or 0, held.get(each.pid) or 0) or None
        return tuple(GpuProcess(pid, *self._system.process(pid), memory) for pid, memory in held.items())

    def _ask(self, name: str, *arguments: Any) -> Any:
        """One question; a driver that does not answer it costs one field, and `_refusal` keeps why."""
        nvml = self._nvml
        self._refusal = told.FUNCTION_NOT_FOUND
        call = getattr(nvml, name, None)
        if call is None:
            return None
        try:
            answer = call(*arguments)
        except nvml.NVMLError as error:
            self._refusal = error.value
            return None
        except (nvml.NVMLLibraryMismatchError, UnicodeDecodeError):
            return None
        self._refusal = None
        return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
