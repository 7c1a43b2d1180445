"""Which libraries a task needs by its method, so that what is missing can be told before a run starts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from backends.registry import Task


@cache
def _facts() -> Mapping[str, Any]:
    path = Path(__file__).with_name("libraries.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def needed_libraries(task: Task, method: str) -> tuple[str, ...]:
    """The distributions that training a task by a method imports, in alphabetical order."""
    facts = _facts()
    family = task.module.rpartition(".")[2]
    return tuple(sorted({*facts["every"], *facts["families"][family], *facts["methods"][method]}))


def listed_libraries() -> tuple[str, ...]:
    """The distributions whose versions are of interest."""
    return tuple(_facts()["listed"]["names"])


def libraries_of_formats() -> Mapping[str, str]:
    """Distributions that only some files need, and which."""
    return dict(_facts()["formats"])
