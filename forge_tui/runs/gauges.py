"""What the GPUs did during a run: the readings its supervisor wrote down, the last of them and those before."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

from forge_tui.runs import readings
from forge_tui.runs.tail import LineTail
from profiles.hardware import Gpu

_LAST_BYTES = 64 * 1024
HISTORY = 60


class GaugeHistory:
    """The latest readings of each GPU, oldest first; reads what was added at each look."""

    def __init__(self, path: Path) -> None:
        self._tail = LineTail(path, from_end=_LAST_BYTES)
        self.problem: str | None = None
        self._by_gpu: dict[str, deque[Gpu]] = {}

    def look(self) -> None:
        """Take in what was written since the last look."""
        for line in self._tail.read():
            try:
                content = readings.table(json.loads(line))
            except (ValueError, RecursionError):
                continue
            self.problem = readings.text(content.get("problem"))
            listed = content.get("gpus")
            for gpu in (_gpu(entry) for entry in (listed if isinstance(listed, list) else ())):
                if gpu is not None:
                    kept = self._by_gpu.setdefault(gpu.uuid or str(gpu.index), deque(maxlen=HISTORY))
                    kept.append(gpu)

    def of(self, device: str | None) -> tuple[Gpu, ...]:
        """The readings of a device by its UUID, or by its number where it has none."""
        return tuple(self._by_gpu.get(device or "", ()))

    def last(self) -> tuple[Gpu, ...]:
        """The last reading of each GPU."""
        return tuple(sorted((kept[-1] for kept in self._by_gpu.values()), key=lambda gpu: gpu.index))


def last_gpus(path: Path) -> tuple[tuple[Gpu, ...], str | None]:
    """The last GPUs that are known of gpu.jsonl, and why there are none; only the end of the file is read."""
    history = GaugeHistory(path)
    history.look()
    return history.last(), history.problem


def _gpu(entry: object) -> Gpu | None:
    told = readings.table(entry)
    index = readings.whole(told.get("index"))
    if index is None:
        return None
    return Gpu(
        index,
        uuid=readings.text(told.get("uuid")),
        name=readings.text(told.get("name")),
        memory_total_bytes=readings.whole(told.get("memory_total_bytes")),
        memory_free_bytes=readings.whole(told.get("memory_free_bytes")),
        utilization_percent=readings.whole(told.get("utilization_percent")),
        temperature_celsius=readings.whole(told.get("temperature_celsius")),
        power_watts=readings.number(told.get("power_watts")),
    )
