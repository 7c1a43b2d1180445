"""Limits that a container or a job scheduler sets on this process, from control groups of either version."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Version 1 writes "no limit" as the largest page-aligned number; nobody limits a machine to an exbibyte.
_NO_LIMIT = 2**60
_MOUNTS = {"memory": ("memory",), "cpu": ("cpu", "cpu,cpuacct", "cpuacct,cpu")}


@dataclass(frozen=True)
class MemoryLimit:
    """A limit and what is used of it; files that the kernel can drop at once do not count as used."""

    limit_bytes: int
    used_bytes: int


def memory_limits(root: Path) -> Iterator[MemoryLimit]:
    """Every memory limit on this process, from its own group upwards."""
    for group in _groups(root, "memory"):
        for limit, usage, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most, used = _number(group / limit), _number(group / usage)
            if most is not None and most < _NO_LIMIT and used is not None:
                yield MemoryLimit(most, max(0, used - (_statistic(group / "memory.stat", cache) or 0)))


def cpu_limit(root: Path) -> int | None:
    """How many cores the groups of this process grant; part of a core counts as one."""
    granted = []
    for group in _groups(root, "cpu"):
        parts = (_text(group / "cpu.max") or "").split()
        quota = _number(group / "cpu.cfs_quota_us")
        period = _number(group / "cpu.cfs_period_us")
        if len(parts) == 2 and all(part.isdigit() for part in parts):
            quota, period = int(parts[0]), int(parts[1])
        if quota is not None and quota > 0 and period:
            granted.append(max(1, math.ceil(quota / period)))
    return min(granted, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's group and of those above it, for one controller."""
    base = root / "sys/fs/cgroup"
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            mounts = [base, base / "unified"]
        elif controller in names.split(","):
            mounts = [base / name for name in _MOUNTS[controller]]
        else:
            continue
        for mount in mounts:
            yield from _upwards(mount, path)


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """From the group up to the mount; in a container the path may be one of the host, and only the mount is there."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        folder = mount.joinpath(*parts[:length])
        if folder.is_dir():
            yield folder


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    try:
        return int(_text(path) or "")
    except ValueError:
        return None  # `max` is no limit


def _statistic(path: Path, name: str) -> int | None:
    for line in (_text(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdigit():
            return int(value)
    return None
