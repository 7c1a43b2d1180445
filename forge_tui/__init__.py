"""Forge TUI: train a model of your own over SSH, guided, in a detached process, watched live."""

from __future__ import annotations

import os.path
import sys

__version__ = "0.1.0"


def _put_first(library: str) -> None:
    """In an installed wheel `backends` and `profiles` live in `_lib`; first, so that a user's own folders never win."""
    if os.path.isdir(library) and sys.path[:1] != [library]:
        sys.path[:] = [library, *(path for path in sys.path if path != library)]


_put_first(os.path.join(os.path.dirname(os.path.abspath(__file__)), "_lib"))
