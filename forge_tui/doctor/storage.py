"""Whether runs can be kept: the folder, file locks, free space, and shared memory for loading data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from backends.contract import ForgeError
from forge_tui.doctor.checks import Check
from forge_tui.formatting import gibibytes
from forge_tui.paths import forge_home
from forge_tui.runs.lock import take_lock
from forge_tui.system import disk_free

# Under the first nothing can be trained; under the second a language model and its checkpoints hardly fit.
_LEAST_BYTES = 200 * 2**20
_FEW_BYTES = 10 * 2**30
# Docker gives 64 MiB, in which processes that load data die with "Bus error".
_FEW_SHARED_BYTES = 512 * 2**20


def check_storage(shared: Path = Path("/dev/shm")) -> Iterator[Check]:
    """The folder of runs and what it needs; `shared` is another folder only in tests."""
    try:
        home = forge_home()
    except ForgeError as error:
        yield Check("runs", "problem", f"{error.what}: {error.why}", error.fix)
        return
    yield _check_locks(home)
    yield _check_space(home)
    try:
        size = shutil.disk_usage(shared).total
    except OSError:
        return
    if size < _FEW_SHARED_BYTES:
        message = f"shared memory ({shared}) is only {size / 2**20:.0f} MiB, and loading data may fail"
        yield Check("memory", "warning", message, "Start the container with --shm-size=8g, or with --ipc=host")


def _check_locks(home: Path) -> Check:
    path = home / f"doctor-{os.getpid()}.lock"
    try:
        descriptor = take_lock(path)
    except ForgeError as error:
        return Check("runs", "problem", f"{error.what}: {error.why}", error.fix)
    try:
        return Check("runs", "ok", f"runs are kept in {home}; its file system locks files")
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _check_space(home: Path) -> Check:
    free = disk_free(home)
    if free is None:
        return Check("disk", "warning", f"how much is free in {home} cannot be told", "Look with: df -h")
    if free < _FEW_BYTES:
        fix = "Free some, delete old runs (forge-tui delete RUN), or set FORGE_HOME to a larger disk"
        told = f"{gibibytes(free)} GiB" if free >= 2**29 else f"{free / 2**20:.0f} MiB"
        return Check("disk", "problem" if free < _LEAST_BYTES else "warning", f"only {told} free for runs", fix)
    return Check("disk", "ok", f"{gibibytes(free)} GiB free for runs")
