"""The cells a plot's curves are drawn into, in braille dots or ASCII; knows nothing of the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from forge_tui.axes import Axis
from forge_tui.curves import Column, Curve
from forge_tui.logarithm import Logarithm

Look = Literal["train", "eval", "extra", "points"]
Span = tuple[int, int]  # first and last dot row drawn in one dot column
Cells = list[tuple[Span | None, ...]]  # for each cell column, the span of each of its dot columns

PARTS = ("axis", "baseline", "mark", "train", "eval", "extra", "points")
ASCII_SYMBOLS = {"train": "*", "eval": "o", "extra": "+", "points": "#", "baseline": ".", "mark": "!", "cursor": "|"}
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by dot column, then dot row
_MASKS = [[[sum(dots[a : b + 1]) for b in range(4)] for a in range(4)] for dots in _DOTS]
_BRAILLE = [" ", *map(chr, range(0x2801, 0x2900))]


class Canvas:
    """The cells that hold the curves; only columns whose dots differ are drawn again."""

    def __init__(self, ascii: bool) -> None:
        self._ascii = ascii
        self._dots_across, self._dots_down = (1, 1) if ascii else (2, 4)
        self._height = 0
        self._looks: list[Look] = []
        self._layers: list[Cells] = []
        self._glyphs: list[list[str]] = []
        self._parts: list[bytearray] = []

    def draw(self, series: list[tuple[Curve | Logarithm, Look]], width: int, height: int, x: Axis, y: Axis) -> None:
        """Bring the cells up to date with the curves."""
        looks = [look for _, look in series]
        if (len(self._glyphs), len(self._glyphs[0]) if self._glyphs else 0, self._looks) != (
            height,
            width,
            looks,
        ):
            self._height, self._looks, self._layers = height, looks, []
            self._glyphs = [[" "] * width for _ in range(height)]
            self._parts = [bytearray(width) for _ in range(height)]
        old = self._layers
        self._layers = [self._cells(curve, look, width, x, y) for curve, look in series]
        for column in range(width):
            if not old or any(a[column] != b[column] for a, b in zip(old, self._layers, strict=True)):
                self._draw_column(column)

    def lines(self) -> tuple[list[str], list[bytearray]]:
        """The text of each row, and the part each of its characters belongs to."""
        return ["".join(glyphs) for glyphs in self._glyphs], [parts.copy() for parts in self._parts]

    def row_of(self, value: float, y: Axis) -> int:
        """The row of cells that a value falls in."""
        return dot_row(value, y, self._height * self._dots_down) // self._dots_down

    def _cells(self, curve: Curve | Logarithm, look: Look, width: int, x: Axis, y: Axis) -> Cells:
        """Where the curve's dots go: a look is told from the others by which dot columns it leaves empty."""
        rows = self._height * self._dots_down
        dots = self._dots_across if look == "train" else 1
        spans = _spans(curve.columns(width * dots, *x), y, rows, joined=look != "points")
        if self._ascii:
            return [(span,) for span in spans]
        if look == "train":
            return list(zip(spans[::2], spans[1::2], strict=True))
        if look == "eval":
            return [(span, None) for span in spans]
        if look == "points":
            return [(span and (span[0], min(span[1] + 1, rows - 1)),) * 2 for span in spans]
        dashes = [_union(*spans[at : at + 2]) for at in range(0, width, 2)]
        return [(dashes[at // 2],) * 2 if at % 2 == 0 else (None, None) for at in range(width)]

    def _draw_column(self, column: int) -> None:
        bits = [0] * self._height
        glyphs = [" "] * self._height
        parts = bytearray(self._height)
        for look, cells in zip(self._looks, self._layers, strict=True):
            drawn = [0] * self._height
            for side, span in enumerate(cells[column]):
                if span:
                    top, bottom = span
                    first, last = top // self._dots_down, bottom // self._dots_down
                    for row in range(first, last + 1):
                        begin, end = top % 4 if row == first else 0, bottom % 4 if row == last else 3
                        drawn[row] |= 1 if self._ascii else _MASKS[side][begin][end]
            for row, new in enumerate(drawn):
                if new:
                    # Dots that would vanish among those of the series below have the cell to themselves.
                    bits[row] = new if bits[row] | new == bits[row] else bits[row] | new
                    parts[row] = PARTS.index(look)
                    glyphs[row] = ASCII_SYMBOLS[look] if self._ascii else _BRAILLE[bits[row]]
        for row in range(self._height):
            self._glyphs[row][column] = glyphs[row]
            self._parts[row][column] = parts[row]


def dot_row(value: float, y: Axis, rows: int) -> int:
    row = int((y.high - value) / (y.high - y.low) * (rows - 1) + 0.5)
    return row if 0 <= row < rows else max(0, min(rows - 1, row))


def _union(*spans: Span | None) -> Span | None:
    known = [span for span in spans if span]
    return (min(top for top, _ in known), max(bottom for _, bottom in known)) if known else None


def _spans(columns: Sequence[Column | None], y: Axis, rows: int, joined: bool) -> list[Span | None]:
    """The dots of each column, with a straight line across columns between one value and the next."""
    spans: list[Span | None] = [None] * len(columns)
    before, level = -1, 0
    for at, column in enumerate(columns):
        if column is None:
            continue
        top, bottom = dot_row(column.high, y, rows), dot_row(column.low, y, rows)
        first = dot_row(column.first, y, rows)
        if joined and before >= 0:
            apart = at - before
            if apart > 1:
                for step in range(1, apart):
                    ends = (level + (first - level) * (step + half) / apart for half in (-0.5, 0.5))
                    spans[before + step] = _steep(*ends)
            # Half of what is left of the way belongs to each of the two columns.
            share = (first - level) / (2 * apart)
            if abs(share) > 0.5:
                leaving, coming = int(level + share), int(first - share)
                above, below = spans[before] or (level, level)
                spans[before] = min(above, leaving), max(below, leaving)
                top, bottom = min(top, coming), max(bottom, coming)
        spans[at] = top, bottom
        before, level = at, dot_row(column.last, y, rows)
    return spans


def _steep(begin: float, end: float) -> Span:
    """The dots of a line within one column: one where it is flat, all that it passes where it is steep."""
    if abs(end - begin) <= 1:
        middle = round((begin + end) / 2)
        return middle, middle
    return round(min(begin, end)), round(max(begin, end))
