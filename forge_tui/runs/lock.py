"""The lock that says a run is alive: held by supervisor and trainer, freed by the kernel when both are gone."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

from backends.contract import ForgeError

_PROBES_LAST = 2.0


def take_lock(path: Path) -> int:
    """Hold the lock and return its descriptor, to be handed on; raises ForgeError when a run holds it.

    A reader that looks at the lock holds it for an instant, so a refusal is tried again for a moment.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ForgeError(
            "The run folder cannot be written", f"{error.strerror}: {path}", "Make it writable, or set FORGE_HOME."
        ) from None
    deadline = time.monotonic() + _PROBES_LAST
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise ForgeError(
                    "The run is still alive", f"a process holds {path}", "Stop it first: forge-tui stop RUN"
                ) from None
            time.sleep(0.02)
        except OSError as error:
            os.close(descriptor)
            raise _no_locks(f"{os.strerror(error.errno or errno.ENOLCK)} at {path}") from None
    if not is_locked(path):
        os.close(descriptor)
        raise _no_locks(f"a lock on {path} is given and not seen by others")
    return descriptor


def _no_locks(why: str) -> ForgeError:
    return ForgeError(
        "This file system cannot lock files",
        f"{why}; without locks a run's state cannot be told",
        "Set FORGE_HOME to a folder on a local disk.",
    )


def is_locked(path: Path) -> bool:
    """Whether supervisor or trainer of a run still live."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
