"""The last readings of the GPUs that a run's supervisor wrote down."""

from __future__ import annotations

import json
from pathlib import Path

from forge_tui.runs import readings
from profiles.hardware import Gpu

_LAST_BYTES = 64 * 1024


def last_gpus(path: Path) -> tuple[tuple[Gpu, ...], str | None]:
    """The GPUs of the last whole line of gpu.jsonl, and why there are none; only the end of the file is read."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _LAST_BYTES))
            lines = stream.read().split(b"\n")[:-1]
    except OSError:
        return (), None
    for line in reversed(lines):
        try:
            content = readings.table(json.loads(line))
        except (ValueError, RecursionError):
            continue
        listed = content.get("gpus")
        gpus = [_gpu(entry) for entry in listed] if isinstance(listed, list) else []
        return tuple(gpu for gpu in gpus if gpu is not None), readings.text(content.get("problem"))
    return (), None


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
