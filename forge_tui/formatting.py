"""Durations, sizes and counts as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def duration(seconds: float | None) -> str:
    """`38s`, `6m 02s`, `2h 05m`, `3d 04h`; `?` when unknown."""
    if seconds is None:
        return "?"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def short_duration(seconds: float) -> str:
    """`38s`, `6m`, `2h05`, `3d04`: for axes."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m" + (f"{whole % 60:02d}" if whole % 60 else "")
    if whole < 86400:
        return f"{whole // 3600}h" + (f"{whole % 3600 // 60:02d}" if whole % 3600 >= 60 else "")
    return f"{whole // 86400}d" + (f"{whole % 86400 // 3600:02d}" if whole % 86400 >= 3600 else "")


def counted(count: int, thing: str) -> str:
    """`1 row`, `1,912 rows`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def gibibytes(count: int | float | None) -> str:
    """`21.8` GiB without the unit; `?` when unknown."""
    return "?" if count is None else f"{count / 2**30:.1f}"


def elapsed(started: str | None, ended: str | None) -> float | None:
    """Seconds from one ISO moment to another, or to now while the second is unknown."""
    if started is None:
        return None
    until = datetime.fromisoformat(ended) if ended else datetime.now(UTC)
    return max(0.0, (until - datetime.fromisoformat(started)).total_seconds())


def mebibytes(count: int) -> str:
    """`12.0 MiB`, the unit that a transfer is told in."""
    return f"{count / 2**20:,.1f} MiB"
