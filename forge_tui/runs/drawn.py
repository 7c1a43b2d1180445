"""The curves of a run as they are drawn: over steps, epochs or time, smoothed, whole or a part of them.

Each way of drawing reads the log from its beginning, so that a part is as exact as the log itself and smoothing begins
where the run began; memory stays that of some two thousand points a curve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from forge_tui.curves import Curve
from forge_tui.runs import readings

CURVES_KEPT = 40
Over = Literal["step", "epoch", "time"]
# Axes are whole numbers wide: an epoch is drawn as a thousand of them, time as seconds.
EPOCH_PARTS = 1000


@dataclass(frozen=True)
class Drawing:
    """How curves are drawn; `smoothing` is the weight of what was before, `part` the range of x that is shown."""

    over: Over = "step"
    smoothing: float = 0.0
    part: tuple[float, float] | None = None


@dataclass
class _Smooth:
    """An exponential mean whose beginning is not drawn to zero."""

    value: float = 0.0
    weight: float = 0.0

    def add(self, value: float, keep: float) -> float:
        self.value = keep * self.value + (1 - keep) * value
        self.weight = keep * self.weight + (1 - keep)
        return self.value / self.weight


class DrawnCurves:
    """Curves by the name of their metric, fed with events in order."""

    def __init__(self, drawing: Drawing = Drawing()) -> None:
        self.drawing = drawing
        self.curves: dict[str, Curve] = {}
        self._means: dict[str, _Smooth] = {}
        self._began: float | None = None
        self._parts_per_step = 0.0

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in one event; only those with values and those of attempts change anything."""
        if event["kind"] == "attempt":
            self._start_again(readings.whole(event.get("from_step")) or 0)
        elif event["kind"] == "metrics":
            step = readings.whole(event.get("step"))
            x = None if step is None else self._place(event, step)
            if x is not None:
                for name, value in readings.values(event.get("values")).items():
                    self._append(name, x, value)

    def _place(self, event: Mapping[str, Any], step: int) -> float | None:
        if self.drawing.over == "step":
            return step
        if self.drawing.over == "epoch":
            epoch = readings.number(event.get("epoch"))
            if epoch is None:
                return None
            self._parts_per_step = epoch * EPOCH_PARTS / step if step else 0.0
            return epoch * EPOCH_PARTS
        elapsed = readings.number(event.get("elapsed"))
        if elapsed is not None:
            return elapsed
        moment = readings.moment(event)
        if moment is None:
            return None
        self._began = moment if self._began is None else self._began
        return moment - self._began

    def _append(self, name: str, x: float, value: float) -> None:
        curve = self.curves.get(name)
        if curve is None:
            if len(self.curves) >= CURVES_KEPT:
                return
            curve = self.curves[name] = Curve()
        if self.drawing.smoothing and math.isfinite(value):
            value = self._means.setdefault(name, _Smooth()).add(value, self.drawing.smoothing)
        part = self.drawing.part
        if part is not None and not part[0] <= x <= part[1]:
            return
        before = curve.latest
        if before is None or x >= before.x:
            curve.append(x, value)

    def _start_again(self, step: int) -> None:
        """A new attempt does the steps after its checkpoint again; over time nothing is taken back."""
        if self.drawing.over == "step":
            for curve in self.curves.values():
                curve.truncate_after(step)
        elif self.drawing.over == "epoch":
            for curve in self.curves.values():
                curve.truncate_after(step * self._parts_per_step if step else -1)
        self._means.clear()
