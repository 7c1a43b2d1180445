"""A line plot in braille dots (or ASCII) that repaints only what changed."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from forge_tui.axes import Axis, step_axis, tidy, value_axis, value_text
from forge_tui.curves import Curve
from forge_tui.logarithm import Logarithm
from forge_tui.runs.drawn import Over
from forge_tui.widgets.plot_canvas import ASCII_SYMBOLS, PARTS, Canvas, Look
from forge_tui.widgets.plot_labels import place_labels, value_labels

Row = tuple[str, bytes]  # the text of a row and, for each character, an index into PARTS

_AXIS, _BASELINE, _MARK = range(3)
_SYMBOLS = {"train": "─", "eval": "┄", "extra": "╌", "points": "•", "baseline": "┄", "mark": "×", "cursor": "│"}


class Plot(Widget):
    """Named curves over training steps, told apart by their dots as well as by colour."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"plot--{part}" for part in PARTS}
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
        """`best` puts the best value of the last series in the title line, `note` a text of the caller's.

        `part` is the range of x to show, None for all; `cursor` is the x whose values the title line tells.
        """
        super().__init__(name=name, id=id, classes=classes)
        self.title = title
        self.best = best
        self.note = note
        self.total = total
        self.over: Over = "step"
        self.part: Axis | None = None
        self.cursor: float | None = None
        self.logarithmic = False
        self._ascii = ascii
        self._symbols = ASCII_SYMBOLS if ascii else _SYMBOLS
        self._canvas = Canvas(ascii)
        self._series: dict[str, tuple[Curve, Look]] = {}
        self._letters: dict[str, str] = {}
        self._baseline: tuple[float, str] | None = None
        self._x_axis: Axis | None = None
        self._y_axis: Axis | None = None
        self._rows: list[Row] = []
        self._rows_size = Size(0, 0)
        self._strips: dict[int, Strip] = {}
        self._styles: list[Style] = []

    def set_series(self, name: str, curve: Curve, style: Look = "train", letter: str = "") -> None:
        """Add or replace a series; later ones lie on top. Shown at the next `refresh_plot`.

        A `letter` stands on the curve here and there, for more series than can be told apart by their dots.
        """
        self._series[name] = curve, style
        self._letters[name] = letter

    def clear_series(self) -> None:
        """Take all series away. Shown at the next `refresh_plot`."""
        self._series.clear()
        self._letters.clear()

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
        if y >= len(self._rows) or not self.size.width:
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
            self._styles = [self.get_component_rich_style(f"plot--{part}") for part in PARTS]
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
        drawn = [(Logarithm(curve) if self.logarithmic else curve, look) for curve, look in self._series.values()]
        bounds = [found for curve, _ in drawn if (found := curve.bounds())]
        if not bounds:
            self._x_axis = self._y_axis = None
            nothing = "nothing above zero" if self.logarithmic else "no finite values yet"
            text = nothing if any(curve.latest for curve in curves) else self._no_values()
            rows = [_row("", width)] * (height + has_steps)
            rows[(height - 1) // 2] = _row(" " * ((width - len(text)) // 2) + text, width)
            return rows
        baseline = self._baseline_height()
        values = [] if baseline is None else [baseline]
        low, high = min(values + [b.low for b in bounds]), max(values + [b.high for b in bounds])
        latest = max(curve.latest.x for curve in curves if curve.latest)
        first = min(b.left for b in bounds)
        self._x_axis = self.part or step_axis(first, latest, self._x_axis, self.total if self.over == "step" else None)
        self._y_axis = value_axis(low, high, self._y_axis)
        labels = value_labels(self._y_axis, height, self.logarithmic)
        gutter = max(map(len, labels.values())) + 2
        if gutter > width / 2:
            gutter = 0
        canvas = self._canvas
        canvas.draw(drawn, width - gutter, height, self._x_axis, self._y_axis)
        lines, parts = canvas.lines()
        if self._baseline and baseline is not None:
            y = canvas.row_of(baseline, self._y_axis)
            lines[y] = self._with_baseline(lines[y], parts[y], *self._baseline)
        if self.cursor is not None and self._x_axis.low <= self.cursor <= self._x_axis.high:
            self._draw_cursor(lines, parts, width - gutter)
        if any(self._letters.values()):
            letters = [letter for name in self._series if (letter := self._letters[name])]
            self._draw_letters([curve for curve, _ in drawn], letters, lines, parts, width - gutter)
        for curve in curves:
            for x in curve.nonfinite_columns(width - gutter, *self._x_axis):
                lines[0] = lines[0][:x] + self._symbols["mark"] + lines[0][x + 1 :]
                parts[0][x] = _MARK
        margins = [f" {labels.get(y, ''):>{gutter - 2}} " if gutter else "" for y in range(height)]
        rows = [(margins[y] + lines[y], bytes(gutter) + parts[y]) for y in range(height)]
        return rows + [_row(" " * gutter + place_labels(self._x_axis, width - gutter, self.over), width)] * has_steps

    def _baseline_height(self) -> float | None:
        """Where the baseline lies on the axis; one that a logarithmic axis cannot hold is not drawn."""
        if self._baseline is None or not self.logarithmic:
            return self._baseline[0] if self._baseline else None
        return math.log10(self._baseline[0]) if self._baseline[0] > 0 else None

    def _no_values(self) -> str:
        if self.part is not None:
            return "no values in this part"
        return "no values yet" if self.over == "step" else f"no values yet by {self.over}"

    def _draw_cursor(self, lines: list[str], parts: list[bytearray], width: int) -> None:
        assert self.cursor is not None and self._x_axis is not None
        low, high = self._x_axis
        at = min(width - 1, int((self.cursor - low) / (high - low) * width))
        for y, line in enumerate(lines):
            if line[at] in (" ", self._symbols["baseline"]):
                lines[y] = line[:at] + self._symbols["cursor"] + line[at + 1 :]
                parts[y][at] = _AXIS

    def _draw_letters(
        self,
        curves: list[Curve | Logarithm],
        letters: list[str],
        lines: list[str],
        parts: list[bytearray],
        width: int,
    ) -> None:
        """Name each curve where it has values, each at places of its own so that letters seldom meet."""
        assert self._x_axis is not None and self._y_axis is not None
        for at, (curve, letter) in enumerate(zip(curves, letters, strict=True)):
            columns = curve.columns(width, *self._x_axis)
            known = [x for x, column in enumerate(columns) if column is not None]
            if not known:
                continue
            first, last = known[0], known[-1]
            places = {last} | {
                first + round((last - first) * (turn + (at + 1) / (len(curves) + 1)) / 3) for turn in range(3)
            }
            for place in places:
                x = min(known, key=lambda column: abs(column - place))
                column = columns[x]
                assert column is not None
                y = self._canvas.row_of(column.last, self._y_axis)
                if lines[y][x] not in letters:
                    lines[y] = lines[y][:x] + letter + lines[y][x + 1 :]

    def forget_axes(self) -> None:
        """Choose the ranges anew: the values are drawn in another way."""
        self._y_axis = None

    @property
    def x_axis(self) -> Axis | None:
        """What of x is shown, None while nothing is."""
        return self._x_axis

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
            point = curve.latest if self.cursor is None else curve.at(self.cursor)
            value = f" {value_text(point.y)}" if point else ""
            pieces.append((f"{self._symbols[look]} {_printable(name)}{value}", PARTS.index(look)))
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
