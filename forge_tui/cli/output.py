"""How commands speak: JSON and tables on stdout, talk and errors on stderr; data is never read as markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backends.contract import DataError, ForgeError
from forge_tui.finding_lines import grouped
from forge_tui.plain import plain


def show_json(content: Any) -> None:
    """Print one JSON value on stdout; beyond ASCII it is escaped, so that no terminal control gets through."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def show(line: str = "") -> None:
    """Print one line of data, without terminal control."""
    sys.stdout.write(plain(line) + "\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """Tell the person something beside the data."""
    sys.stderr.write(plain(line) + "\n")
    sys.stderr.flush()


def show_error(error: ForgeError) -> None:
    """What happened, why, what to do next."""
    say(f"error: {error.what}")
    if error.why:
        say(f"  why: {error.why}")
    if error.fix:
        say(f"  fix: {error.fix}")
    if isinstance(error, DataError) and len(error.findings) > 1:
        for line in grouped(error.findings):
            say(f"  - {line}")


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns wide enough for their cells, the last one free."""
    cells = [[plain(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def score(value: float | None) -> str:
    """A metric in four significant digits."""
    return "unknown" if value is None else f"{value:.4g}"


def scores(values: Mapping[str, float], most: int = 4) -> str:
    """A few metrics in one line."""
    return "  ".join(f"{name} {score(value)}" for name, value in list(values.items())[:most])
