"""What stands beside and below a plot: round values, steps, epochs or times, no two alike."""

from __future__ import annotations

from functools import lru_cache

from forge_tui.axes import Axis, axis_labels, round_step, ticks, tidy
from forge_tui.formatting import short_duration
from forge_tui.runs.drawn import EPOCH_PARTS, Over
from forge_tui.widgets.plot_canvas import dot_row


@lru_cache(maxsize=64)
def value_labels(y: Axis, height: int, logarithmic: bool = False) -> dict[int, str]:
    """Round values for the gutter by row; the ends of the axis where only one would fit."""
    apart = 3 if height >= 8 else 2
    step = round_step((y.high - y.low) * apart / max(1, height - 1))
    if logarithmic:
        step = max(step, 1.0) if (y.high - y.low) >= 2 else step
    values = ticks(y, step)
    if len(values) < 2 and height > 1:
        step, values = round_step((y.high - y.low) / 20), [y.low, y.high]
    labels = [tidy(f"{10**value:.2g}") for value in values] if logarithmic else axis_labels(values, step)
    return {dot_row(value, y, height): label for value, label in zip(values, labels, strict=True)}


@lru_cache(maxsize=64)
def place_labels(x: Axis, width: int, over: Over) -> str:
    """Start and end of the axis and round places between them, as far as they fit."""
    start, end = place_text(int(x.low), over), place_text(int(x.high), over)
    if len(start) + len(end) + 1 > width:
        return f"{end:>{width}}"
    line = start.ljust(width - len(end)) + end
    for place in ticks(x, max(1.0, round_step((x.high - x.low) * (len(end) + 6) / width))):
        label = place_text(round(place), over)
        at = int((place - x.low) / (x.high - x.low) * width) - len(label) // 2
        if at > 1 and line[at - 2 : at + len(label) + 2].isspace():
            line = line[:at] + label + line[at + len(label) :]
    return line


def place_text(x: float, over: Over) -> str:
    """`1,200` steps, `1.25` epochs, `1h05` of time."""
    if over == "epoch":
        return f"{x / EPOCH_PARTS:g}"
    return short_duration(x) if over == "time" else f"{round(x):,}"
