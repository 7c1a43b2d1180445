"""A line plot in braille dots (or ASCII) that repaints only what changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from forge_tui.curves import (
    Axis,
    Column,
    Curve,
    axis_labels,
    round_step,
    step_axis,
    ticks,
    tidy,
    value_axis,
    value_text,
)

Look = Literal["train", "eval", "extra", "points"]
Span = tuple[int, int]  # first and last dot row drawn in one dot column
Cells = list[tuple[Span | None, ...]]  # for each cell column, the span of each of its dot columns
Row = tuple[str, bytes]  # the text of a row and, for each character, an index into _PARTS

_PARTS = ("axis", "baseline", "mark", "train", "eval", "extra", "points")
_AXIS, _BASELINE, _MARK = range(3)
_SYMBOLS = {"train": "─", "eval": "┄", "extra": "╌", "points": "•", "baseline": "┄", "mark": "×"}
_ASCII_SYMBOLS = {"train": "*", "eval": "o", "extra": "+", "points": "#", "baseline": ".", "mark": "!"}
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by dot column, then dot row
_MASKS = [[[sum(dots[a : b + 1]) for b in range(4)] for a in range(4)] for dots in _DOTS]
_BRAILLE = [" ", *map(chr, range(0x2801, 0x2900))]


class Plot(Widget):
    """Named curves over training steps, told apart by their dots as well as by colour."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"plot--{part}" for part in _PARTS}
    DEFAULT_CSS = """
    Plot { width: 1fr; height: 1fr; }
    Plot > .plot--axis { color: $text-muted; }
    Plot > .plot--baseline { color: $text-muted; }
    Plot > .plot--mark { color: $text-error; text-style: bold; }
    Plot > .plot--train { color: $text-primary; }
    Plot > .plot--eval { color: $text-warning; text-style: bold; }
    Plot > .plot--extra { color: $text-success; }
    Plot > .plot--points { color: $text-secondary; }
    """

    def __init__(
        self,
        title: str = "",
        *,
        best: Literal["min", "max"] | None = None,
        note: str = "",
        total: float | None = None,
        ascii: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`best` puts the best value of the last series in the title line, `note` a text of the caller's."""
        super().__init__(name=name, id=id, classes=classes)
        self.title = title
        self.best = best
        self.note = note
        self.total = total
        self._ascii = ascii
        self._symbols = _ASCII_SYMBOLS if ascii else _SYMBOLS
        self._canvas = _Canvas(ascii)
        self._series: dict[str, tuple[Curve, Look]] = {}
        self._baseline: tuple[float, str] | None = None
        self._x_axis: Axis | None = None
        self._y_axis: Axis | None = None
        self._rows: list[Row] = []
        self._rows_size = Size(0, 0)
        self._strips: dict[int, Strip] = {}
        self._styles: list[Style] = []

    def set_series(self, name: str, curve: Curve, style: Look = "train") -> None:
        """Add or replace a series; later ones lie on top. Shown at the next `refresh_plot`."""
        self._series[name] = curve, style

    def baseline(self, value: float | None, label: str = "baseline") -> None:
        """Set the dashed horizontal line, or remove it with None. Shown at the next `refresh_plot`."""
        self._baseline = None if value is None else (value, label)

    def refresh_plot(self) -> None:
        """Draw the curves as they are now and repaint the cells that differ."""
        if not self.size:
            return
        old, old_size = self._rows, self._rows_size
        self._draw()
        if old_size != self.size:
            self.refresh()
            return
        # One region a row: Textual writes a row from the widget's left edge up to the end of each region,
        # so a second region in a row would send its beginning twice.
        regions = []
        for y, (before, after) in enumerate(zip(old, self._rows, strict=True)):
            if before != after:
                self._strips.pop(y, None)
                regions.append(_changed_region(y, before, after))
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """One row, painted when it is first asked for."""
        if self._rows_size != self.size:
            self._draw()
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        if y not in self._strips:
            self._strips[y] = self._paint(*self._rows[y])
        return self._strips[y]

    def notify_style_update(self) -> None:
        """Forget what was painted in the old colours."""
        super().notify_style_update()
        self._styles = []
        self._strips.clear()

    def _paint(self, text: str, parts: bytes) -> Strip:
        if not self._styles:
            self._styles = [self.get_component_rich_style(f"plot--{part}") for part in _PARTS]
        segments = []
        start, current = 0, parts[0]
        for at, part in enumerate(parts):
            # A blank goes on in the style before it: each change of style is some 40 bytes on the line.
            if part != current and text[at] != " ":
                segments.append(Segment(text[start:at], self._styles[current]))
                start, current = at, part
        segments.append(Segment(text[start:], self._styles[current]))
        return Strip(segments, self.size.width)

    def _draw(self) -> None:
        if self._rows_size != self.size:
            self._rows_size = self.size
            self._strips.clear()
        width, height = self.size
        has_title, has_steps = height >= 3, height >= 4
        rows = self._plot_rows(width, height - has_title - has_steps, has_steps)
        self._rows = [self._title_row(width), *rows] if has_title else rows

    def _plot_rows(self, width: int, height: int, has_steps: bool) -> list[Row]:
        curves = [curve for curve, _ in self._series.values()]
        bounds = [found for curve in curves if (found := curve.bounds())]
        if not bounds:
            self._x_axis = self._y_axis = None
            text = "no finite values yet" if any(curve.latest for curve in curves) else "no values yet"
            rows = [_row("", width)] * (height + has_steps)
            rows[(height - 1) // 2] = _row(" " * ((width - len(text)) // 2) + text, width)
            return rows
        values = [self._baseline[0]] if self._baseline else []
        low, high = min(values + [b.low for b in bounds]), max(values + [b.high for b in bounds])
        latest = max(curve.latest.x for curve in curves if curve.latest)
        self._x_axis = step_axis(min(b.left for b in bounds), latest, self._x_axis, self.total)
        self._y_axis = value_axis(low, high, self._y_axis)
        labels = _value_labels(self._y_axis, height)
        gutter = max(map(len, labels.values())) + 2
        if gutter > width / 2:
            gutter = 0
        canvas = self._canvas
        canvas.draw([*self._series.values()], width - gutter, height, self._x_axis, self._y_axis)
        lines, parts = canvas.lines()
        if self._baseline:
            y = canvas.row_of(self._baseline[0], self._y_axis)
            lines[y] = self._with_baseline(lines[y], parts[y], *self._baseline)
        for curve in curves:
            for x in curve.nonfinite_columns(width - gutter, *self._x_axis):
                lines[0] = lines[0][:x] + self._symbols["mark"] + lines[0][x + 1 :]
                parts[0][x] = _MARK
        margins = [f" {labels.get(y, ''):>{gutter - 2}} " if gutter else "" for y in range(height)]
        rows = [(margins[y] + lines[y], bytes(gutter) + parts[y]) for y in range(height)]
        return rows + [_row(" " * gutter + _step_labels(self._x_axis, width - gutter), width)] * has_steps

    def _with_baseline(self, line: str, parts: bytearray, value: float, label: str) -> str:
        """Fill the blanks of a line, with the label at whichever end has the room."""
        text = f" {_printable(label)} {tidy(f'{value:.3g}')} "
        dash = self._symbols["baseline"]
        for at, character in enumerate(line):
            if character == " ":
                parts[at] = _BASELINE
        size = len(text)
        if cell_len(text) == size <= len(line) - 4:
            if line[:size].isspace():
                return text + line[size:].replace(" ", dash)
            if line[-size:].isspace():
                return line[:-size].replace(" ", dash) + text
        return line.replace(" ", dash)

    def _title_row(self, width: int) -> Row:
        pieces = []
        for name, (curve, look) in self._series.items():
            value = f" {value_text(curve.latest.y)}" if curve.latest else ""
            pieces.append((f"{self._symbols[look]} {_printable(name)}{value}", _PARTS.index(look)))
        right = "  ".join(filter(None, (_printable(self.note), *self._findings())))
        text = "  ".join(piece for piece, _ in pieces)
        parts = b"".join(bytes([part]) * (len(piece) + 2) for piece, part in pieces)[: len(text)]
        if self.title:
            title = _printable(self.title) + " "
            text, parts = title + text, bytes([_AXIS]) * len(title) + parts
        blank = width - cell_len(text) - cell_len(right)
        if right and blank >= 2:
            text, parts = text + " " * blank + right, parts + bytes(blank + len(right))
        return _row(text, width, parts)

    def _findings(self) -> list[str]:
        """What the title line says of all values: how many are not finite, and the best one."""
        found = []
        if nonfinite := sum(curve.nonfinite for curve, _ in self._series.values()):
            found.append(f"{self._symbols['mark']} {nonfinite:,} not finite")
        if self.best and self._series:
            curve, _ = list(self._series.values())[-1]
            if best := curve.minimum if self.best == "min" else curve.maximum:
                found.append(f"best {value_text(best.y)}")
        return found


class _Canvas:
    """The cells that hold the curves; only columns whose dots differ are drawn again."""

    def __init__(self, ascii: bool) -> None:
        self._ascii = ascii
        self._dots_across, self._dots_down = (1, 1) if ascii else (2, 4)
        self._height = 0
        self._looks: list[Look] = []
        self._layers: list[Cells] = []
        self._glyphs: list[list[str]] = []
        self._parts: list[bytearray] = []

    def draw(self, series: list[tuple[Curve, Look]], width: int, height: int, x: Axis, y: Axis) -> None:
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
        return _dot_row(value, y, self._height * self._dots_down) // self._dots_down

    def _cells(self, curve: Curve, look: Look, width: int, x: Axis, y: Axis) -> Cells:
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
                    parts[row] = _PARTS.index(look)
                    glyphs[row] = _ASCII_SYMBOLS[look] if self._ascii else _BRAILLE[bits[row]]
        for row in range(self._height):
            self._glyphs[row][column] = glyphs[row]
            self._parts[row][column] = parts[row]


def _dot_row(value: float, y: Axis, rows: int) -> int:
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
        top, bottom = _dot_row(column.high, y, rows), _dot_row(column.low, y, rows)
        first = _dot_row(column.first, y, rows)
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
        before, level = at, _dot_row(column.last, y, rows)
    return spans


def _steep(begin: float, end: float) -> Span:
    """The dots of a line within one column: one where it is flat, all that it passes where it is steep."""
    if abs(end - begin) <= 1:
        middle = round((begin + end) / 2)
        return middle, middle
    return round(min(begin, end)), round(max(begin, end))


@lru_cache(maxsize=64)
def _value_labels(y: Axis, height: int) -> dict[int, str]:
    """Round values for the gutter by row, no two alike; the ends of the axis where only one would fit."""
    apart = 3 if height >= 8 else 2
    step = round_step((y.high - y.low) * apart / max(1, height - 1))
    values = ticks(y, step)
    if len(values) < 2 and height > 1:
        step, values = round_step((y.high - y.low) / 20), [y.low, y.high]
    labels = axis_labels(values, step)
    return {_dot_row(value, y, height): label for value, label in zip(values, labels, strict=True)}


@lru_cache(maxsize=64)
def _step_labels(x: Axis, width: int) -> str:
    """Start and end of the axis and round steps between them, as far as they fit."""
    start, end = f"{int(x.low):,}", f"{int(x.high):,}"
    if len(start) + len(end) + 1 > width:
        return f"{end:>{width}}"
    line = start.ljust(width - len(end)) + end
    for step in ticks(x, max(1.0, round_step((x.high - x.low) * (len(end) + 6) / width))):
        label = f"{round(step):,}"
        at = int((step - x.low) / (x.high - x.low) * width) - len(label) // 2
        if at > 1 and line[at - 2 : at + len(label) + 2].isspace():
            line = line[:at] + label + line[at + len(label) :]
    return line


def _printable(text: str) -> str:
    """Text without control characters, which could move the cursor."""
    return "".join(character if character.isprintable() else "·" for character in text)


def _row(text: str, width: int, parts: bytes = b"") -> Row:
    text = set_cell_size(text, width)
    return text, parts[: len(text)].ljust(len(text), bytes([_AXIS]))


def _changed_region(y: int, before: Row, after: Row) -> Region:
    """The cells from the first to the last that differ."""
    (text, parts), (new_text, new_parts) = before, after
    if len(text) != len(new_text):
        return Region(0, y, cell_len(new_text), 1)
    differ = [i for i, pair in enumerate(zip(text, parts, strict=True)) if pair != (new_text[i], new_parts[i])]
    first, last = cell_len(new_text[: differ[0]]), cell_len(new_text[: differ[-1] + 1])
    return Region(first, y, max(last, cell_len(text[: differ[-1] + 1])) - first, 1)
