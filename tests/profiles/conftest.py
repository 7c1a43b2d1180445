"""What the tests of the estimators share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def reference(repository: Path) -> Path:
    """The published peaks beside the checkout, as benchmarks/memory_accuracy.py reads them; skipped where not there."""
    path = repository.parent / "shared" / "memory_reference.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path
