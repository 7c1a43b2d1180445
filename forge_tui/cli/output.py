"""How commands speak: JSON and tables on stdout, talk and errors on stderr; data is never read as markup."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from backends.contract import DataError, ForgeError
from forge_tui.finding_lines import grouped
from forge_tui.plain import plain

# A column that is cut keeps so much.
_NARROWEST = 10


def show_json(content: Any) -> None:
    """Print one JSON value on stdout; beyond ASCII it is escaped, so that no terminal control gets through."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def show(line: str = "", hang: int | None = None) -> None:
    """Print one line of data, without terminal control; on a narrow terminal it goes on `hang` columns in."""
    sys.stdout.write(_fitted(plain(line), sys.stdout, hang))
    sys.stdout.flush()


def say(line: str, hang: int | None = None) -> None:
    """Tell the person something beside the data."""
    sys.stderr.write(_fitted(plain(line), sys.stderr, hang))
    sys.stderr.flush()


def _fitted(line: str, stream: TextIO, hang: int | None = None) -> str:
    """The line with its end; on a terminal broken between words, elsewhere left as it is for other programs."""
    if not stream.isatty() or len(line) <= (width := terminal_width(stream)):
        return line + "\n"
    indent = len(line) - len(line.lstrip()) + 2 if hang is None else hang
    space = " " * min(indent, width // 2)
    lines = textwrap.wrap(line, width, subsequent_indent=space, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def terminal_width(stream: TextIO) -> int:
    """The columns of a terminal, or 80."""
    wanted = os.environ.get("COLUMNS", "")
    try:
        columns = int(wanted) if wanted.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = 0
    return columns or 80


def show_error(error: ForgeError) -> None:
    """What happened, why, what to do next."""
    say(f"error: {error.what}")
    if error.why:
        say(f"  why: {error.why}", hang=7)
    if error.fix:
        say(f"  fix: {error.fix}", hang=7)
    if isinstance(error, DataError) and len(error.findings) > 1:
        for line in grouped(error.findings):
            say(f"  - {line}")


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], shrink: Sequence[int] = ()) -> None:
    """Columns wide enough for their cells, the last one free; on a terminal those of `shrink` are cut to fit it."""
    cells = [[plain(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    if sys.stdout.isatty():
        over = sum(widths) + 2 * (len(widths) - 1) - terminal_width(sys.stdout)
        for index in shrink:
            less = max(0, min(over, widths[index] - _NARROWEST))
            widths[index], over = widths[index] - less, over - less
    for row in cells:
        fitted = (
            cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(row, widths, strict=True)
        )
        line = "  ".join(cell.ljust(width) for cell, width in zip(fitted, widths, strict=True))
        sys.stdout.write(_fitted(line.rstrip(), sys.stdout, 4))


def score(value: float | None) -> str:
    """A metric in four significant digits."""
    return "unknown" if value is None else f"{value:.4g}"


def scores(values: Mapping[str, float], most: int = 4) -> str:
    """A few metrics in one line."""
    return "  ".join(f"{name} {score(value)}" for name, value in list(values.items())[:most])
