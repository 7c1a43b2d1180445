"""What the tests of the estimators share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def reference() -> Path:
    """A file of published peaks, in the form that benchmarks/memory_accuracy.py reads."""
    path = Path(os.environ.get("FORGE_MEMORY_REFERENCE", ""))
    if not path.is_file():
        pytest.skip("FORGE_MEMORY_REFERENCE names no file of published peaks")
    return path
