"""Curves on a logarithmic axis."""

from __future__ import annotations

import math

from forge_tui.curves import Bounds, Column, Curve


class Logarithm:
    """A curve as it is drawn on a logarithmic axis; what is not above zero cannot be drawn there."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve

    def bounds(self) -> Bounds | None:
        """Ranges of x and of the logarithm of y, or None while nothing is above zero."""
        found = self._curve.bounds()
        lowest = self._curve.lowest_above_zero()
        if found is None or lowest is None:
            return None
        return Bounds(found.left, found.right, math.log10(lowest), math.log10(found.high))

    def columns(self, n: int, x0: float, x1: float) -> list[Column | None]:
        """The columns of the curve with the logarithms of their values."""
        lowest = self._curve.lowest_above_zero()
        if lowest is None:
            return [None] * n
        found = self._curve.columns(n, x0, x1)
        return [
            None if each is None or each.high <= 0 else Column(*(math.log10(max(value, lowest)) for value in each))
            for each in found
        ]
