"""Opens pictures, recordings and videos without hanging, and what all of them have in common."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from backends.formats.findings import Fault

AGAIN = "Copy or download it again, or remove it."


def open_media(path: Path, word: str) -> BinaryIO | Fault:
    """Open a file that has something in it, without waiting on a pipe; `word` begins the code of the fault."""
    try:
        # A pipe that nobody writes to opens at once this way; for a file it changes nothing.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name that no file can have
        return Fault(f"{word}-missing", "there is no such file", "Correct the path, or put the file there.")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Fault(f"{word}-unreadable", f"cannot be opened: {reason}", "Make it readable for you, or remove it.")
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISREG(status.st_mode):
        return Fault(f"{word}-empty", "is empty: 0 bytes", AGAIN)
    what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
    return Fault(f"{word}-unreadable", f"is {what}, not a file", f"Name {word} files only.")
