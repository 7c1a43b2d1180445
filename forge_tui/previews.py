"""Rows as a model will see them, a line each, with «what it learns to give» marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.contract import DatasetProfile

_SHOWN_CHARACTERS = 300


def preview_lines(profile: DatasetProfile, most: int = 2) -> list[str]:
    """The first rows of a profile."""
    rows = profile.stats.get("preview") or ()
    return [f"{row['where']}: {_marked(row)}" for row in rows[:most]]


def _marked(row: Mapping[str, Any]) -> str:
    text = "".join(f"«{piece['text']}»" if piece["learned"] else piece["text"] for piece in row["pieces"])
    text = text.replace("\r\n", "⏎").replace("\r", "⏎").replace("\n", "⏎")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]} …"
