"""Runs beside each other in words: their letters, scores, and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence

from forge_tui.cells import fit_cells, hang_cells, pad_cells
from forge_tui.plain import plain
from forge_tui.runs.comparing import Row
from forge_tui.runs.summary import RunSummary

_NAME, _LEAST = 20, 10


def letter_of(place: int) -> str:
    """The letter of a run by its place: A, B, C."""
    return chr(ord("A") + place)


def comparison_lines(
    runs: Sequence[RunSummary], scores: Sequence[Row], differing: Sequence[Row], width: int
) -> list[str]:
    """Which letter is which run, their scores, and what differs in what was asked for."""
    lines = [fit_cells(f"{letter_of(at)}  {plain(run.name)}  {run.id}", width) for at, run in enumerate(runs)]
    lines += ["", *_table(scores, len(runs), width), ""]
    if not differing:
        return [*lines, "All of what was asked for is the same."]
    return [*lines, "What differs in what was asked for", *_table(differing, len(runs), width)]


def _table(rows: Sequence[Row], count: int, width: int) -> list[str]:
    """A column for each run; where that is too narrow, its values one after the other."""
    room = (width - _NAME) // max(1, count)
    if room >= _LEAST:
        head = pad_cells("", _NAME) + "".join(pad_cells(letter_of(at), room, right=True) for at in range(count))
        lines = [head]
        for name, values in rows:
            cells = (f" {_end(value, room - 1)}" for value in values)
            lines.append(pad_cells(name, _NAME) + "".join(pad_cells(cell, room, right=True) for cell in cells))
        return lines
    lines = []
    for name, values in rows:
        told = ", ".join(f"{letter_of(at)} {plain(value or '-')}" for at, value in enumerate(values))
        lines += hang_cells(f"{name}  ", told, width)
    return lines


def _end(value: str | None, width: int) -> str:
    """A value, of a long one its end: paths differ there."""
    text = plain(value if value is not None else "-")
    if len(text) <= width:
        return text
    return "…" + text[-(width - 1) :]
