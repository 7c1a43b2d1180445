"""Round axes that seldom move while a curve grows, and their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_ROUND_STEPS = (1, 2, 5, 10)
_AXIS_ENDS = (1, 1.1, 1.25, 1.4, 1.6, 1.8, 2, 2.25, 2.5, 2.8, 3.2, 3.6, 4, 4.5, 5, 5.6, 6.4, 7.2, 8, 9, 10)
_LARGEST = 1e300


class Axis(NamedTuple):
    """Where an axis begins and ends."""

    low: float
    high: float


def value_axis(low: float, high: float, held: Axis | None = None) -> Axis:
    """A round y-range around the data; the range held so far stays while the data fills half of it."""
    low, high = (max(-_LARGEST, min(_LARGEST, value)) for value in (low, high))
    if held and held.low <= low and high <= held.high and high - low >= (held.high - held.low) / 2:
        return held
    size = max(abs(low), abs(high))
    if high - low <= max(size * 1e-6, 1 / _LARGEST):
        padding = size / 10 if size > 1 / _LARGEST else 1.0
        low, high = low - padding, high + padding
    step = round_step((high - low) / 16)
    return Axis(min(low, math.floor(low / step) * step), max(high, math.ceil(high / step) * step))


def step_axis(first: float, latest: float, held: Axis | None = None, total: float | None = None) -> Axis:
    """A whole x-range up to a round step at or past the latest, grown by about an eighth when full."""
    if held and held.low <= first and latest <= held.high and latest - held.low >= (held.high - held.low) * 0.6:
        return held
    left = 0 if 0 <= first <= max(10, latest / 4) else math.floor(first)
    span = max(10.0, latest - left)
    power = 10.0 ** math.floor(math.log10(span))
    right = left + math.ceil(next(end for end in _AXIS_ENDS if end * power >= span * (1 - 1e-12)) * power - 1e-6)
    if total is not None and latest <= total:
        right = min(right, math.ceil(total))
    return Axis(left, max(right, math.ceil(latest), left + 1))


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not under the positive `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((step * power for step in _ROUND_STEPS if step * power >= least * (1 - 1e-9)), 10 * power)


def ticks(axis: Axis, step: float) -> list[float]:
    """The multiples of step on the axis, lowest first."""
    first, last = math.ceil(axis.low / step - 1e-6), math.floor(axis.high / step + 1e-6)
    return [k * step for k in range(first, last + 1)]


def axis_labels(values: Sequence[float], step: float) -> list[str]:
    """Short texts that tell apart values lying `step` or more from each other."""
    exponent = math.floor(math.log10(step) + 1e-9)
    plain = [tidy(f"{value:.{max(0, -exponent)}f}") if abs(value) > step / 2 else "0" for value in values]
    power = [_powered(value, exponent) if abs(value) > step / 2 else "0" for value in values]
    longest = max(map(len, plain), default=0)
    readable = longest <= 6 and max(map(abs, values), default=1.0) >= 1e-3
    return plain if readable or longest < max(map(len, power), default=0) else power


def value_text(value: float) -> str:
    """A value to four digits, of even width so that a line of values does not jump: `.3120`, `1.386`."""
    size = abs(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else tidy(str(value))
    if size == 0 or size < 1e-3 or size >= 1e6:
        return tidy(f"{value:.3g}")
    if size >= 1000:
        return f"{value:,.0f}"
    return tidy(f"{value:.{4 - len(str(int(size))) if size >= 1 else 4}f}")


def tidy(number: str) -> str:
    """The number without the zeros that carry nothing: `.5` for `0.5`, `1e-5` for `1e-05`."""
    mantissa, e, exponent = number.partition("e")
    if mantissa.lstrip("-").startswith("0."):
        mantissa = mantissa.replace("0.", ".", 1)
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def _powered(value: float, exponent: int) -> str:
    digits = max(0, math.floor(math.log10(abs(value)) + 1e-9) - exponent)
    return tidy(f"{value:.{digits}e}")
