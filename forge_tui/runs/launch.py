"""Starts the supervisor of a run in a session of its own, where a lost terminal does not reach it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backends.contract import RunFiles
from forge_tui.logind import scope

# Kept so that ended supervisors are reaped and no warning is raised about those still at work.
_started: list[subprocess.Popen[bytes]] = []


def launch(files: RunFiles, lock: int, attempt: int, device: str | None = None) -> None:
    """Hand the held lock over to a new supervisor and let go of it; `device` is the UUID of the GPU to start on."""
    _started[:] = [process for process in _started if process.poll() is None]
    package = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONSAFEPATH": "1"}
    arguments = [str(files.folder), str(lock), str(attempt), device or ""]
    log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [*scope(), sys.executable, "-m", "forge_tui.runs.supervisor", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock],
            cwd=files.folder,
            env=environment,
        )
    finally:
        os.close(log)
        os.close(lock)
    _started.append(process)
