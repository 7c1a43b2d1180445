"""Curves of any length in constant memory: no spike hides, nothing grows."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

MAX_BUCKETS = 2048


class Point(NamedTuple):
    """One value and the step it belongs to."""

    x: float
    y: float


class Bounds(NamedTuple):
    """The x-range of all points and the y-range of the finite ones."""

    left: float
    right: float
    low: float
    high: float


class Column(NamedTuple):
    """What a curve does inside one column of a plot, finite values only."""

    low: float
    high: float
    first: float
    last: float


@dataclass
class _Drawn:
    """The columns last asked for, so that an append costs only the columns it reaches."""

    key: tuple[int, float, float]
    edges: list[float]
    columns: list[Column | None]
    open_bucket: int


class Curve:
    """A series of (x, y) points kept as at most `MAX_BUCKETS` min/max buckets.

    Up to `MAX_BUCKETS` points every point has its own bucket, so the curve is exact. Beyond that,
    neighbours merge two by two each time the buckets run out; extremes survive every merge.
    """

    def __init__(self, points: Iterable[tuple[float, float]] = ()) -> None:
        self._capacity = 1
        self._room = 0
        self._latest: Point | None = None
        self._drawn: _Drawn | None = None
        # One list a field, not one object a bucket: min() and bisect then run over them at C speed.
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._lows: list[float] = []
        self._low_xs: list[float] = []
        self._highs: list[float] = []
        self._high_xs: list[float] = []
        self._firsts: list[float] = []
        self._lasts: list[float] = []
        self._nonfinites: list[int] = []
        self.extend(points)

    @property
    def buckets(self) -> int:
        """Number of buckets in memory, never more than `MAX_BUCKETS`."""
        return len(self._starts)

    @property
    def latest(self) -> Point | None:
        """The last point appended, finite or not."""
        return self._latest

    @property
    def minimum(self) -> Point | None:
        """The lowest finite point, the earliest of equals."""
        low = min(self._lows, default=math.inf)
        return Point(self._low_xs[self._lows.index(low)], low) if low < math.inf else None

    @property
    def maximum(self) -> Point | None:
        """The highest finite point, the earliest of equals."""
        high = max(self._highs, default=-math.inf)
        return Point(self._high_xs[self._highs.index(high)], high) if high > -math.inf else None

    @property
    def nonfinite(self) -> int:
        """Number of NaN and infinite values so far."""
        return sum(self._nonfinites)

    def lowest_above_zero(self) -> float | None:
        """The lowest value above zero that is known."""
        known = (value for values in (self._lows, self._firsts, self._lasts, self._highs) for value in values)
        return min((value for value in known if 0 < value < math.inf), default=None)

    def bounds(self) -> Bounds | None:
        """Ranges of x and y, or None while there is no finite value."""
        low = min(self._lows, default=math.inf)
        if low == math.inf:
            return None
        return Bounds(self._starts[0], self._ends[-1], low, max(self._highs))

    def append(self, x: float, y: float) -> None:
        """Add a point; x may not go back (ValueError), so call `truncate_after` when a run re-does steps."""
        if not math.isfinite(x):
            raise ValueError(f"A point needs a finite x, not {x}.")
        if self._latest is not None and x < self._latest.x:
            raise ValueError(f"Step {x} comes after step {self._latest.x}: call truncate_after({x}) first.")
        self._latest = Point(x, y)
        if self._room == 0:
            if len(self._starts) >= MAX_BUCKETS:
                self._merge_pairs()
            self._open_bucket(x)
        self._room -= 1
        self._ends[-1] = x
        if not math.isfinite(y):
            self._nonfinites[-1] += 1
            return
        if self._lows[-1] > self._highs[-1]:
            self._firsts[-1] = y
        if y < self._lows[-1]:
            self._lows[-1], self._low_xs[-1] = y, x
        if y > self._highs[-1]:
            self._highs[-1], self._high_xs[-1] = y, x
        self._lasts[-1] = y

    def extend(self, points: Iterable[tuple[float, float]]) -> None:
        """Append several points, oldest first."""
        for x, y in points:
            self.append(x, y)

    def at(self, x: float) -> Point | None:
        """The last point known at or before x, else the first one; None while there are no points."""
        if not self._starts:
            return None
        bucket = max(0, bisect_right(self._starts, x) - 1)
        place = self._starts[bucket] if self._capacity == 1 else min(x, self._ends[bucket])
        return Point(place, self._lasts[bucket] if place >= self._ends[bucket] else self._firsts[bucket])

    def points_after(self, x: float) -> int:
        """About how many points lie beyond x, exactly while each has a bucket of its own."""
        return (len(self._starts) - bisect_right(self._starts, x)) * self._capacity

    def last_under(self, limit: float) -> Point | None:
        """The last known value at or under a limit; None where there is none."""
        for low, x in zip(reversed(self._lows), reversed(self._low_xs), strict=True):
            if low <= limit:
                return Point(x, low)
        return None

    def truncate_after(self, x: float) -> None:
        """Forget the points beyond x, as a resumed run does those steps again.

        A bucket that starts at or before x and ends beyond it cannot be split, so it is kept whole: its
        extremes stay, at an x no later than x, and `latest` is the one point of it known to be at or
        before x, its first. With one point a bucket (up to `MAX_BUCKETS` points) nothing is inexact.
        """
        if not self._starts or self._ends[-1] <= x:
            return
        self._drawn = None
        self._room = 0
        kept = bisect_right(self._starts, x)
        for field in self._fields():
            del field[kept:]
        if not kept:
            self._capacity, self._latest = 1, None
            return
        if self._ends[-1] > x:
            self._ends[-1] = x
            self._low_xs[-1] = min(self._low_xs[-1], x)
            self._high_xs[-1] = min(self._high_xs[-1], x)
            self._lasts[-1] = self._firsts[-1]
        self._latest = Point(self._ends[-1], self._lasts[-1])

    def columns(self, n: int, x0: float, x1: float) -> list[Column | None]:
        """The range from x0 to x1 inclusive in n equal columns; None where a column holds no finite value."""
        if n < 1 or not self._starts:
            return [None] * max(0, n)
        drawn = self._drawn
        if drawn is None or drawn.key != (n, x0, x1):
            width = (x1 - x0) / n
            edges = [x0 + k * width for k in range(n)]
            edges.append(math.nextafter(x1, math.inf))
            drawn = self._drawn = _Drawn((n, x0, x1), edges, [None] * n, 0)
        start = max(0, min(n - 1, bisect_right(drawn.edges, self._starts[drawn.open_bucket]) - 1))
        drawn.columns[start:] = [None] * (n - start)
        self._fill(drawn.columns, drawn.edges, start)
        drawn.open_bucket = len(self._starts) - 1
        return drawn.columns.copy()

    def nonfinite_columns(self, n: int, x0: float, x1: float) -> list[int]:
        """Which of the n columns from x0 to x1 hold NaN or infinite values."""
        found: set[int] = set()
        if n > 0 and x1 > x0 and any(self._nonfinites):
            for bucket, count in enumerate(self._nonfinites):
                for x in (self._starts[bucket], self._ends[bucket]) if count else ():
                    if x0 <= x <= x1:
                        found.add(min(n - 1, int((x - x0) / (x1 - x0) * n)))
        return sorted(found)

    def _fill(self, columns: list[Column | None], edges: list[float], start: int) -> None:
        """Set columns[start:]; a bucket across an edge gives each of its known points to its own column."""
        starts, ends, lows, highs = self._starts, self._ends, self._lows, self._highs
        stop = bisect_left(starts, edges[-1])
        at = bisect_left(ends, edges[start])
        if at < stop and starts[at] < edges[start]:
            self._spread(at, columns, edges, start)
            at += 1
        for k in range(start, len(columns)):
            if at >= stop:
                break
            inside = bisect_left(ends, edges[k + 1], at, stop)
            if inside > at:
                low, high = min(lows[at:inside]), max(highs[at:inside])
                if low <= high:
                    first, last = at, inside - 1
                    while lows[first] > highs[first]:
                        first += 1
                    while lows[last] > highs[last]:
                        last -= 1
                    _add(columns, k, Column(low, high, self._firsts[first], self._lasts[last]))
                at = inside
            if at < stop and starts[at] < edges[k + 1]:
                self._spread(at, columns, edges, start)
                at += 1

    def _spread(self, bucket: int, columns: list[Column | None], edges: list[float], start: int) -> None:
        low, high = self._lows[bucket], self._highs[bucket]
        if low > high:
            return
        inner = sorted(((self._low_xs[bucket], low), (self._high_xs[bucket], high)))
        ends = (self._starts[bucket], self._firsts[bucket]), (self._ends[bucket], self._lasts[bucket])
        for x, y in (ends[0], *inner, ends[1]):
            k = bisect_right(edges, x) - 1
            if start <= k < len(columns):
                _add(columns, k, Column(y, y, y, y))

    def _fields(self) -> tuple[list[float] | list[int], ...]:
        ranges = self._starts, self._ends, self._firsts, self._lasts
        return (*ranges, self._lows, self._low_xs, self._highs, self._high_xs, self._nonfinites)

    def _open_bucket(self, x: float) -> None:
        self._room = self._capacity
        for places in (self._starts, self._ends, self._low_xs, self._high_xs):
            places.append(x)
        for values in (self._firsts, self._lasts):
            values.append(math.nan)
        self._lows.append(math.inf)
        self._highs.append(-math.inf)
        self._nonfinites.append(0)

    def _merge_pairs(self) -> None:
        self._drawn = None
        self._capacity *= 2
        lows, highs = self._lows, self._highs
        for left in range(0, len(lows), 2):
            right, into = left + 1, left // 2
            lower = left if lows[left] <= lows[right] else right
            higher = left if highs[left] >= highs[right] else right
            # A bucket without finite values holds low = inf and high = -inf.
            first = left if lows[left] <= highs[left] else right
            last = right if lows[right] <= highs[right] else left
            self._starts[into], self._ends[into] = self._starts[left], self._ends[right]
            self._firsts[into], self._lasts[into] = self._firsts[first], self._lasts[last]
            self._low_xs[into], self._high_xs[into] = self._low_xs[lower], self._high_xs[higher]
            lows[into], highs[into] = lows[lower], highs[higher]
            self._nonfinites[into] = self._nonfinites[left] + self._nonfinites[right]
        half = len(lows) // 2
        for field in self._fields():
            del field[half:]


def _add(columns: list[Column | None], k: int, new: Column) -> None:
    old = columns[k]
    columns[k] = new if old is None else Column(min(old.low, new.low), max(old.high, new.high), old.first, new.last)
