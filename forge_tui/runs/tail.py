"""Reads growing files by byte offset: whole lines only, bounded memory, half-written ends left for the next look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK_BYTES = 1 << 20
_LONGEST_LINE = 1 << 20


class LineTail:
    """The lines that were added to a file since the last look."""

    def __init__(self, path: Path, from_end: int | None = None) -> None:
        """Start at the beginning, or `from_end` bytes before the end at the first whole line."""
        self.path = path
        self.offset = 0
        self._rest = b""
        self._skip_first = False
        if from_end is not None:
            try:
                size = path.stat().st_size
            except OSError:
                size = 0
            self.offset = max(0, size - from_end)
            self._skip_first = self.offset > 0

    def read(self, most: int = BLOCK_BYTES) -> list[bytes]:
        """New whole lines from at most `most` more bytes; call again while `behind` is true."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.offset)
                block = stream.read(most)
        except OSError:
            return []
        self.offset += len(block)
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LONGEST_LINE:
            self._rest = self._rest[-_LONGEST_LINE:]
        if self._skip_first and lines:
            lines.pop(0)
            self._skip_first = False
        return lines

    @property
    def behind(self) -> bool:
        """Whether the file has more than was read."""
        try:
            return self.path.stat().st_size > self.offset
        except OSError:
            return False

    @property
    def unfinished(self) -> bytes:
        """The last line while its end is not written yet."""
        return b"" if self._skip_first else self._rest


def parse_event(line: bytes) -> dict[str, Any] | None:
    """An event of a line, or None for a line that cannot be read."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("kind"), str) else None


def last_events(path: Path, most: int = 1 << 16) -> list[dict[str, Any]]:
    """The events in the last bytes of an event log, oldest first."""
    tail = LineTail(path, from_end=most)
    return [event for line in tail.read(most) if (event := parse_event(line)) is not None]


def new_events(tail: LineTail, most: int = BLOCK_BYTES) -> Iterator[dict[str, Any]]:
    """The events that were added since the last look, at most about `most` bytes of them."""
    for line in tail.read(most):
        event = parse_event(line)
        if event is not None:
            yield event
