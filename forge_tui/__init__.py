"""Forge TUI: train a model of your own over SSH, guided, in a detached process, watched live."""

from __future__ import annotations

import sys
from pathlib import Path

__version__ = "0.1.0"

_LIBRARY = Path(__file__).parent / "_lib"
if _LIBRARY.is_dir() and str(_LIBRARY) not in sys.path:
    # In an installed wheel `backends` and `profiles` live here; first, so that a user's own folders never win.
    sys.path.insert(0, str(_LIBRARY))
