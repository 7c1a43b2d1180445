"""A small sampler of GPU load through NVML; what a driver does not tell is None."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class GpuSample:
    """One GPU at one moment."""

    index: int
    uuid: str | None
    name: str | None
    memory_total_bytes: int | None
    memory_free_bytes: int | None
    utilization_percent: int | None
    temperature_celsius: int | None
    power_watts: float | None

    def to_json(self) -> dict[str, Any]:
        """The object gpu.jsonl holds."""
        return asdict(self)


class Nvml:
    """An open NVML library; `problem` says why there is none."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self._nvml: Any = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
        except Exception as error:  # the binding raises its own classes and, on mismatched drivers, others
            self.problem = f"no GPU readings: {error}"

    def sample(self) -> list[GpuSample] | None:
        """All GPUs now, or None where NVML is not to be had."""
        nvml = self._nvml
        if nvml is None:
            return None
        try:
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as error:
            self.problem = f"no GPU readings: {error}"
            return None
        return [self._device(index) for index in range(count)]

    def _device(self, index: int) -> GpuSample:
        nvml = self._nvml
        handle = self._ask(nvml.nvmlDeviceGetHandleByIndex, index)
        if handle is None:
            return GpuSample(index, None, None, None, None, None, None, None)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        load = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        power = self._ask(nvml.nvmlDeviceGetPowerUsage, handle)
        return GpuSample(
            index=index,
            uuid=_text(self._ask(nvml.nvmlDeviceGetUUID, handle)),
            name=_text(self._ask(nvml.nvmlDeviceGetName, handle)),
            memory_total_bytes=int(memory.total) if memory and memory.total else None,
            memory_free_bytes=int(memory.free) if memory and memory.total else None,
            utilization_percent=int(load.gpu) if load else None,
            temperature_celsius=self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            power_watts=round(power / 1000, 1) if power is not None else None,
        )

    def _ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """One question; a driver that does not answer it costs one field, not the sample."""
        try:
            return call(*arguments)
        except self._nvml.NVMLError:
            return None
        except self._nvml.NVMLLibraryMismatchError:
            return None


def _text(value: str | bytes | None) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
