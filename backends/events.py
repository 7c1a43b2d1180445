"""Writes the event log of a run: one JSON object a line, each line in one write."""

from __future__ import annotations

import errno
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.contract import EVENT_KINDS


class EventWriter:
    """Appends events to events.jsonl; unbuffered, so that a kill loses nothing and a signal handler may write too."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._end_cut_line()

    def _end_cut_line(self) -> None:
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")

    def emit(self, kind: str, **fields: Any) -> None:
        """Append one event; raises OSError when the disk is full."""
        if kind not in EVENT_KINDS:
            raise ValueError(f"unknown event kind {kind!r}")
        event = {"t": round(time.time(), 3), "kind": kind, **fields}
        try:
            line = json.dumps(event, ensure_ascii=False, allow_nan=False, default=_plain)
        except ValueError:
            line = json.dumps(_finite(event), ensure_ascii=False, default=_plain)
        payload = line.encode("utf-8", errors="replace") + b"\n"
        if os.write(self._descriptor, payload) != len(payload):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def phase(self, name: str) -> None:
        """Say which part of the run begins."""
        self.emit("phase", name=name)

    def notice(self, message: str, level: str = "info") -> None:
        """Tell the person something worth knowing."""
        self.emit("notice", level=level, message=message)


def _plain(value: Any) -> Any:
    """NumPy and torch scalars as Python's own."""
    return value.item() if hasattr(value, "item") else str(value)


def _finite(value: Any) -> Any:
    """NaN and infinities as null, which every JSON reader accepts."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
