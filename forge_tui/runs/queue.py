"""Who is next on a device: a folder of files whose names are the order, and a lock for each device; no daemon.

A run that trains holds a shared lock on its device. A queued run waits until it is first in line for its device and no
other run holds it. A supervisor that is gone frees its run's lock, and with that its place.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.contract import ForgeError, RunFiles, read_json
from forge_tui.runs import readings
from forge_tui.runs.lock import is_locked
from forge_tui.runs.process import host_name

_STEP = 10
_UNKNOWN_DEVICE = "unknown"


@dataclass(frozen=True)
class Place:
    """A run's place in the queue: the file that says it."""

    path: Path
    rank: int
    run: str


def _folder(files: RunFiles) -> Path:
    return files.folder.parent.parent / "queue"


def _places(folder: Path) -> list[Place]:
    """All places, the first in line first, those of runs that are gone too."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    parts = ((name, *name.partition("-")[::2]) for name in names)
    found = [Place(folder / name, int(rank), run) for name, rank, run in parts if rank.isdecimal() and run]
    return sorted(found, key=lambda place: (place.rank, place.run))


def _is_alive(folder: Path, place: Place) -> bool:
    return is_locked(RunFiles(folder.parent / "runs" / place.run).lock)


def waiting_runs(home: Path) -> list[RunFiles]:
    """The runs in line, the next one first."""
    folder = home / "queue"
    return [RunFiles(home / "runs" / place.run) for place in _places(folder) if _is_alive(folder, place)]


def is_queued(files: RunFiles) -> bool:
    """Whether a run has a place in the queue."""
    return any(place.run == files.folder.name for place in _places(_folder(files)))


def enqueue(files: RunFiles) -> None:
    """Put a run at the end of the line; to be called by who holds its lock."""
    folder = _folder(files)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        places = _places(folder)
        for place in places:
            if not _is_alive(folder, place):
                place.path.unlink(missing_ok=True)
        rank = max((place.rank for place in places), default=0) + _STEP
        (folder / f"{rank:06d}-{files.folder.name}").touch(0o600)
    except OSError as error:
        raise ForgeError(
            "The run could not be queued",
            f"{error.strerror} at {folder}",
            "Free some space there, or make it writable.",
        ) from None


def leave(files: RunFiles) -> None:
    """Give a run's place up, whatever it was renamed to meanwhile."""
    while mine := [place for place in _places(_folder(files)) if place.run == files.folder.name]:
        for place in mine:
            place.path.unlink(missing_ok=True)


def move(files: RunFiles, places: int) -> None:
    """Move a queued run forward in line (negative) or back, at most to the end of the line.

    Raises ForgeError for a run that is not in line.
    """
    folder = _folder(files)
    line = [place for place in _places(folder) if _is_alive(folder, place)]
    at = next((index for index, place in enumerate(line) if place.run == files.folder.name), None)
    if at is None:
        raise ForgeError("The run is not in line", "only a queued run can be moved", "See: forge-tui queue")
    to = max(0, min(len(line) - 1, at + places))
    order = [*line[:at], *line[at + 1 :]]
    order.insert(to, line[at])
    ranks = [place.rank for place in line]
    if len(set(ranks)) < len(ranks):  # two came at the same moment
        ranks = [_STEP * (index + 1) for index in range(len(line))]
    for place, rank in zip(order, ranks, strict=True):
        try:
            os.rename(place.path, folder / f"{rank:06d}-{place.run}")
        except FileNotFoundError:
            continue  # its turn came
        except OSError as error:
            raise ForgeError(
                "The line could not be changed", f"{error.strerror} at {folder}", "Make it writable."
            ) from None


def runs_ahead(files: RunFiles, device: str | None) -> list[RunFiles]:
    """The queued runs that have their turn on a device before this one."""
    ahead = []
    for other in waiting_runs(files.folder.parent.parent):
        if other.folder.name == files.folder.name:
            break
        job = read_json(other.job) or {}
        here = not job or job.get("host") == host_name()
        if here and (job.get("device") in (None, device) or device is None):
            ahead.append(other)
    return ahead


def runs_on(home: Path, device: str) -> list[RunFiles]:
    """The runs that train on a device of this machine now."""
    try:
        names = sorted(os.listdir(home / "runs"))
    except OSError:
        return []
    queued = {place.run for place in _places(home / "queue")}
    found = []
    for files in (RunFiles(home / "runs" / name) for name in names if name not in queued):
        if is_locked(files.lock):
            job = read_json(files.job) or {}
            if job.get("device") == device and job.get("host") == host_name():
                found.append(files)
    return found


def hold_device(files: RunFiles, device: str | None) -> int:
    """A shared lock on a device, to be held while the run trains there.

    Waits for the instant in which a queued run looks whether the device is free.
    """
    descriptor = _open(files, device)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def take_turn(files: RunFiles, device: str | None) -> int | None:
    """The shared lock on a device if it is this run's turn and no other run holds it; its place in line is given up."""
    if runs_ahead(files, device):
        return None
    descriptor = _open(files, device)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    leave(files)
    return descriptor


def _open(files: RunFiles, device: str | None) -> int:
    folder = files.folder.parent.parent / "devices" / host_name()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(folder / (device or _UNKNOWN_DEVICE).replace("/", "_"), os.O_RDWR | os.O_CREAT, 0o600)


def wait_line(files: RunFiles) -> str:
    """What a queued run waits for, in a few words: `waits for GPU 0`, `2nd in line for the CPU`."""
    job = read_json(files.job) or {}
    device = readings.text(job.get("device"))
    name = device_name(job)
    before = len(runs_ahead(files, device))
    return f"{_nth(before + 1)} in line for {name}" if before else f"waits for {name}"


def wait_reason(files: RunFiles, names: Sequence[str]) -> str:
    """`wait_line` with the names of who is on the device or has its turn before."""
    return f"{wait_line(files)}: after {', '.join(names)}" if names else wait_line(files)


def device_name(job: object) -> str:
    """`GPU 0` or `the CPU`, as job.json says it."""
    told = readings.text(readings.table(job).get("device_name"))
    return "its device" if told is None else "the CPU" if told == "CPU" else told


def _nth(number: int) -> str:
    return {1: "1st", 2: "2nd", 3: "3rd"}.get(number, f"{number}th")
