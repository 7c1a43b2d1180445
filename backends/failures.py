"""Puts an exception of a training library into words a person can act on."""

from __future__ import annotations

import errno
import shutil
import traceback
from pathlib import Path

from backends.contract import ForgeError, RunFiles

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("No space left on device", "os error 28", "code: 28", "Disk quota exceeded")
_LIMIT_WORDS = ("File too large", "os error 27", "code: 27")


def explain(error: BaseException, files: RunFiles) -> ForgeError:
    """What happened, why and what to do, for anything that ended a run."""
    if isinstance(error, ForgeError):
        return error
    text = " ".join(f"{each}" for each in _chain(error))
    numbers = {each.errno for each in _chain(error) if isinstance(each, OSError)}
    folder = files.folder
    if numbers & set(_DISK_FULL) or any(word in text for word in _FULL_WORDS) or _nothing_free(folder):
        return ForgeError(
            "The disk is full",
            f"nothing more can be written to {folder}; the last whole checkpoint is kept",
            "Free some space there, then resume the run: it goes on from its last checkpoint.",
            str(folder),
        )
    if errno.EFBIG in numbers or any(word in text for word in _LIMIT_WORDS):
        return ForgeError(
            "A file could not grow further",
            f"the file size limit of this session was reached in {folder}; the last whole checkpoint is kept",
            "Raise the limit (ulimit -f unlimited) or free space, then resume the run.",
            str(folder),
        )
    if "CUDA out of memory" in text or type(error).__name__ == "OutOfMemoryError":
        return ForgeError(
            "The GPU ran out of memory",
            _first_line(error),
            "One row at a time is already too much or cannot be had: take a shorter max_length, "
            "gradient_checkpointing=true, a leaner method (lora, qlora), or a smaller model.",
        )
    if isinstance(error, MemoryError):
        return ForgeError(
            "The machine ran out of memory", _first_line(error), "Use fewer rows or a smaller batch, or free memory."
        )
    return ForgeError(
        f"Training ended with {type(error).__name__}",
        _first_line(error),
        "The log (train.log) holds the whole story; the last whole checkpoint can be resumed.",
        _place(error),
    )


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return chain


def _nothing_free(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < 64 * 1024
    except OSError:
        return False


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:500] if lines else type(error).__name__


def _place(error: BaseException) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "backends" in Path(frame.filename).parts]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else None
