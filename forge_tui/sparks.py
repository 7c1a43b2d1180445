"""A row of small bars: how a number went, in a few characters."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int, low: float | None = None, high: float | None = None) -> str:
    """`▇▅▃▂`: the last values, averaged where there are more than fit; a dot stands for what is unknown."""
    if not values or width < 1:
        return ""
    count = min(width, len(values))
    groups = [values[index * len(values) // count : (index + 1) * len(values) // count] for index in range(count)]
    means = [_mean(group) for group in groups]
    known = [mean for mean in means if mean is not None]
    if not known:
        return "·" * count
    bottom = min(known) if low is None else low
    top = max(known) if high is None else high
    span = top - bottom
    scale = (len(_BARS) - 1) / span if span > 0 else 0.0
    return "".join("·" if mean is None else _BARS[_level((mean - bottom) * scale)] for mean in means)


def _level(height: float) -> int:
    return max(0, min(len(_BARS) - 1, round(height)))


def _mean(group: Sequence[float | None]) -> float | None:
    known = [value for value in group if value is not None]
    return sum(known) / len(known) if known else None
