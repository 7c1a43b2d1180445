"""Standard streams that are closed or full: a command is told so in words, and the end of Python stays quiet."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_NAMES = ("stdin", "stdout", "stderr")


class OutputError(OSError):
    """Standard output takes no more; told apart from trouble with every other file."""


class _Output(io.FileIO):
    """Standard output that says when it was the one that failed."""

    def write(self, content: Any) -> int | None:  # type: ignore[override]
        """Write as a file does."""
        try:
            return super().write(content)
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from None


def prepare_streams() -> None:
    """Give every stream that was closed at the start a place, so that no file of ours takes its number.

    What is written to a closed stdout fails as it does for every program; a closed stderr swallows its words.
    """
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)  # takes the lowest free number
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        raw = _Output(sys.stdout.fileno(), "w", closefd=False)
        buffered = io.BufferedWriter(raw)
        sys.stdout = io.TextIOWrapper(buffered, sys.stdout.encoding, sys.stdout.errors, line_buffering=raw.isatty())


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command to its end and to its last byte of output; 1, with a word, where stdout takes no more."""
    code = 0
    try:
        try:
            command()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        sys.stdout.flush()
    except OutputError as error:
        _let_go()
        if error.errno == errno.EPIPE:  # the reader has seen enough; nothing is wrong
            return code
        with suppress(OSError):
            sys.stderr.write(
                f"error: The output cannot be written\n  why: {error.strerror}\n"
                "  fix: Send it to a file on a disk with room, or look at it on the terminal.\n"
            )
        return 1
    return code


def _let_go() -> None:
    """Send what still waits to nowhere: Python writes it at its own end, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
