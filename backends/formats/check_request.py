"""What a check is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from backends.contract import DatasetProfile
from backends.options import PreparationOptions


@dataclass(frozen=True)
class CheckRequest:
    """What is to be checked, and how; everything but the path may be left to the program.

    `longest` is how many tokens the model reads at once; `count_tokens` counts them exactly, given a file of rows, and
    knows the model's own limit. `on_first` is told what the first rows say, `on_progress` the share of the data that
    has been read; what they raise ends the check.
    """

    path: Path
    task: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    eval_path: Path | None = None
    eval_part: str | None = None
    preparation: PreparationOptions = field(default_factory=PreparationOptions)
    longest: int | None = None
    count_tokens: Callable[[IO[str]], tuple[int | None, Iterator[int]]] | None = None
    on_first: Callable[[DatasetProfile], None] | None = None
    on_progress: Callable[[float], None] | None = None
