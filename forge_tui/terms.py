"""The words of the trade in plain words."""

from __future__ import annotations

import re
import textwrap
import tomllib
from functools import cache
from pathlib import Path

_WIDTH = 74


@cache
def terms() -> dict[tuple[str, ...], str]:
    """Each entry of terms.toml: its spellings, and what they mean."""
    tables = tomllib.loads(Path(__file__).with_name("terms.toml").read_text(encoding="utf-8"))
    return {tuple(names.split(", ")): meaning for names, meaning in tables.items()}


def term_lines(seen: str) -> list[str]:
    """The words that stand in a text first, then all others."""
    here = {names for names in terms() if any(_stands_in(name, seen) for name in names)}
    lines = ["On this screen", *_entries(here)] if here else []
    return [*lines, "All others" if here else "The words", *_entries(set(terms()) - here)]


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None


def _entries(entries: set[tuple[str, ...]]) -> list[str]:
    lines = []
    for names in sorted(entries, key=lambda names: names[0].lower()):
        lines += [
            f"  {', '.join(names)}",
            *textwrap.wrap(terms()[names], _WIDTH, initial_indent="      ", subsequent_indent="      "),
        ]
    return [*lines, ""]
