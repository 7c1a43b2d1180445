"""Forge TUI: train a model of your own over SSH, guided, in a detached process, watched live."""

from __future__ import annotations

import sys
from pathlib import Path

__version__ = "0.1.0"


def _put_first(library: Path) -> None:
    """In an installed wheel `backends` and `profiles` live in `_lib`; first, so that a user's own folders never win."""
    entry = str(library)
    if library.is_dir() and sys.path[:1] != [entry]:
        sys.path[:] = [entry, *(path for path in sys.path if path != entry)]


_put_first(Path(__file__).parent / "_lib")
