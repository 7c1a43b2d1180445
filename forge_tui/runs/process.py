"""Who a process is: boot id, pid and start time together, so that a recycled pid is never signalled."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forge_tui.runs import readings

RUN_MARKER = "FORGE_RUN"


def boot_id() -> str:
    """An id that changes with every boot of this machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def host_name() -> str:
    """The name of this machine, to tell runs of a shared home apart."""
    return os.uname().nodename


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in "ZX" else int(fields[19])


def identity(pid: int) -> dict[str, int | None]:
    """What job.json stores of a process."""
    return {"pid": pid, "start_ticks": start_ticks(pid)}


def is_alive(process: Mapping[str, Any] | None) -> bool:
    """Whether the very process that job.json names still runs on this boot."""
    named = readings.table(process)
    pid, started = readings.whole(named.get("pid")), readings.whole(named.get("start_ticks"))
    return pid is not None and started is not None and start_ticks(pid) == started


def send_signal(process: Mapping[str, Any] | None, number: signal.Signals, group: bool = False) -> bool:
    """Signal a process, or its group, if it is still the one that was meant."""
    if process is None or not is_alive(process):
        return False
    try:
        if group:
            os.killpg(process["pid"], number)
        else:
            os.kill(process["pid"], number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def marked_processes(folder: Path) -> list[int]:
    """Processes of a run that may have left its session, found by the marker in their environment."""
    marker = f"{RUN_MARKER}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if marker in (entry / "environ").read_bytes().split(b"\0") and start_ticks(int(entry.name)) is not None:
                found.append(int(entry.name))
        except OSError:
            continue
    return found
