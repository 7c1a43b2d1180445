"""Curves lose no spike, stay small and are exact while they can be; axes are round and stay put."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forge_tui import curves
from forge_tui.axes import Axis, axis_labels, round_step, step_axis, ticks, value_axis, value_text
from forge_tui.curves import MAX_BUCKETS, Bounds, Curve, Point
from forge_tui.logarithm import Logarithm

finite = st.floats(-1e6, 1e6, allow_nan=False)
values = st.lists(st.one_of(finite, st.sampled_from([math.nan, math.inf, -math.inf])), max_size=200)


@pytest.fixture
def few_buckets(monkeypatch: pytest.MonkeyPatch) -> int:
    """Buckets run out after 16 points, so that short lists merge several times."""
    monkeypatch.setattr(curves, "MAX_BUCKETS", 16)
    return 16


def numbered(ys: list[float]) -> list[tuple[float, float]]:
    return [(float(x), y) for x, y in enumerate(ys)]


class TestPoints:
    def test_an_empty_curve_has_nothing_to_show(self) -> None:
        curve = Curve()
        assert (curve.latest, curve.minimum, curve.maximum, curve.bounds()) == (None, None, None, None)
        assert curve.columns(3, 0, 1) == [None, None, None]

    def test_latest_and_best_come_with_their_step(self) -> None:
        curve = Curve([(1, 3.0), (2, 1.0), (5, 2.0), (6, 1.0)])
        assert curve.latest == Point(6, 1.0)
        assert curve.minimum == Point(2, 1.0)
        assert curve.maximum == Point(1, 3.0)
        assert curve.bounds() == Bounds(1, 6, 1.0, 3.0)

    def test_a_step_back_is_refused_with_the_way_out(self) -> None:
        curve = Curve([(10, 1.0)])
        with pytest.raises(ValueError, match="truncate_after"):
            curve.append(9, 1.0)
        with pytest.raises(ValueError, match="finite x"):
            curve.append(math.nan, 1.0)
        curve.append(10, 2.0)
        assert curve.latest == Point(10, 2.0)

    def test_values_that_are_not_finite_are_counted_and_leave_the_scale_alone(self) -> None:
        curve = Curve(numbered([1.0, math.nan, math.inf, 2.0, -math.inf]))
        assert curve.nonfinite == 3
        assert curve.bounds() == Bounds(0, 4, 1.0, 2.0)
        assert curve.nonfinite_columns(5, 0, 4) == [1, 2, 4]
        assert curve.latest == Point(4, -math.inf)

    def test_only_values_that_are_not_finite(self) -> None:
        curve = Curve(numbered([math.nan, math.inf]))
        assert curve.bounds() is None
        assert curve.columns(2, 0, 1) == [None, None]


class TestColumns:
    def test_every_point_lies_in_its_own_column(self) -> None:
        ys = [5.0, 3.0, 4.0, 1.0]
        assert [column and column[:2] for column in Curve(numbered(ys)).columns(4, 0, 3)] == [(y, y) for y in ys]

    def test_columns_between_points_are_empty(self) -> None:
        columns = Curve([(0, 1.0), (10, 2.0)]).columns(11, 0, 10)
        assert columns[1:10] == [None] * 9
        assert columns[0] and columns[10]

    def test_points_outside_the_range_are_left_out(self) -> None:
        columns = Curve(numbered([9.0, 1.0, 2.0, 9.0])).columns(2, 1, 2)
        assert [column and column.high for column in columns] == [1.0, 2.0]

    @given(values, st.integers(1, 40))
    def test_an_exact_curve_gives_the_extremes_of_each_column(self, ys: list[float], n: int) -> None:
        points, last = numbered(ys), max(1, len(ys) - 1)
        columns = Curve(points).columns(n, 0, last)
        edges = [k * (last / n) for k in range(n)] + [math.inf]
        for column, (left, right) in zip(columns, pairwise(edges), strict=True):
            inside = [y for x, y in points if left <= x < right and math.isfinite(y)]
            expected = (min(inside), max(inside), inside[0], inside[-1]) if inside else None
            assert column == expected

    @given(values, values, st.integers(1, 40), st.integers(1, 30))
    def test_columns_kept_from_the_last_call_equal_new_ones(
        self, ys: list[float], more: list[float], n: int, cut: int
    ) -> None:
        right = len(ys) + len(more) + 1
        curve = Curve()
        curves_seen = []
        for x, y in enumerate(ys + more):
            curve.append(x, y)
            if x % cut == 0:
                curves_seen.append(curve.columns(n, 0, right))
        curve.columns(n, 0, right)
        assert curve.columns(n, 0, right) == Curve(numbered(ys + more)).columns(n, 0, right)


class TestMerging:
    def test_memory_is_bounded_however_many_points_come(self) -> None:
        curve = Curve((x, float(x % 7)) for x in range(20 * MAX_BUCKETS + 3))
        assert MAX_BUCKETS / 2 <= curve.buckets <= MAX_BUCKETS
        assert {len(field) for field in curve._fields()} == {curve.buckets}

    def test_one_spike_in_a_million_points_is_in_its_column(self) -> None:
        curve = Curve((x, 50.0 if x == 654_321 else 1.0) for x in range(1_000_000))
        assert curve.maximum == Point(654_321, 50.0)
        spiked = [k for k, column in enumerate(curve.columns(100, 0, 999_999)) if column and column.high == 50]
        assert spiked == [65]

    @settings(max_examples=150)
    @given(ys=values, n=st.integers(1, 8))
    def test_merged_buckets_keep_every_extreme(self, ys: list[float], n: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(curves, "MAX_BUCKETS", 16)
            curve = Curve(numbered(ys))
            assert curve.buckets <= 16
        known = [y for y in ys if math.isfinite(y)]
        assert curve.nonfinite == len(ys) - len(known)
        columns = [column for column in curve.columns(n, 0, max(1, len(ys) - 1)) if column]
        if not known:
            assert curve.bounds() is None and columns == []
            return
        assert curve.minimum == Point(ys.index(min(known)), min(known))
        assert curve.maximum == Point(ys.index(max(known)), max(known))
        assert min(column.low for column in columns) == min(known)
        assert max(column.high for column in columns) == max(known)
        assert (columns[0].first, columns[-1].last) == (known[0], known[-1])

    @settings(max_examples=60)
    @given(ys=values.filter(lambda ys: len(ys) > 20), n=st.integers(1, 40), every=st.integers(1, 9))
    def test_columns_kept_across_merges_equal_new_ones(self, ys: list[float], n: int, every: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(curves, "MAX_BUCKETS", 16)
            watched, plain = Curve(), Curve()
            for x, y in enumerate(ys):
                watched.append(x, y)
                plain.append(x, y)
                if x % every == 0:
                    watched.columns(n, 0, len(ys))
        assert watched.columns(n, 0, len(ys)) == plain.columns(n, 0, len(ys))


class TestTruncate:
    def test_a_resumed_run_writes_its_steps_again(self) -> None:
        curve = Curve(numbered([3.0, 2.0, 9.0, 8.0]))
        curve.columns(4, 0, 3)
        curve.truncate_after(1)
        assert curve.latest == Point(1, 2.0)
        curve.extend([(2, 1.0), (3, 0.5)])
        assert curve.maximum == Point(0, 3.0)
        assert [column and column.high for column in curve.columns(4, 0, 3)] == [3.0, 2.0, 1.0, 0.5]

    def test_nothing_beyond_changes_nothing(self) -> None:
        curve = Curve(numbered([3.0, 2.0]))
        curve.truncate_after(1)
        assert curve.latest == Point(1, 2.0)

    def test_everything_can_go(self) -> None:
        curve = Curve(numbered([3.0, 2.0]))
        curve.truncate_after(-1)
        assert (curve.latest, curve.bounds(), curve.buckets) == (None, None, 0)
        curve.append(0, 1.0)
        assert curve.latest == Point(0, 1.0)

    @given(values, st.integers(-1, 200))
    def test_an_exact_curve_keeps_exactly_what_came_before(self, ys: list[float], x: int) -> None:
        curve, expected = Curve(numbered(ys)), Curve(numbered(ys[: x + 1]))
        curve.truncate_after(x)
        assert curve.bounds() == expected.bounds()
        assert curve.columns(20, 0, 200) == expected.columns(20, 0, 200)
        assert str(curve.latest) == str(expected.latest) or not math.isfinite(ys[min(x, len(ys) - 1)])

    def test_a_straddling_bucket_is_kept_whole_and_ends_at_the_cut(self, few_buckets: int) -> None:
        curve = Curve(numbered([float(y) for y in range(64)]))  # four points a bucket
        curve.truncate_after(41)  # cuts the bucket of steps 40 to 43
        assert curve.latest == Point(41, 40.0)
        assert curve.maximum == Point(41, 43.0)
        curve.append(42, 0.0)
        assert curve.bounds() == Bounds(0, 42, 0.0, 43.0)
        assert curve.buckets <= few_buckets

    @given(ys=values, x=st.integers(0, 200))
    def test_no_kept_spike_is_lost(self, ys: list[float], x: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(curves, "MAX_BUCKETS", 16)
            curve = Curve(numbered(ys))
            curve.truncate_after(x)
            kept = [y for y in ys[: x + 1] if math.isfinite(y)]
            assert not kept or (curve.minimum and curve.minimum.y <= min(kept))
            assert not kept or (curve.maximum and curve.maximum.y >= max(kept))
            assert curve.latest is None or curve.latest.x <= x
            curve.extend((x + 1 + k, 0.0) for k in range(40))
            assert curve.buckets <= 16


class TestAxes:
    @given(finite, finite)
    @example(0.0, 5e-324)
    def test_a_value_axis_holds_the_data_and_wastes_little(self, a: float, b: float) -> None:
        low, high = sorted((a, b))
        axis = value_axis(low, high)
        assert axis.low <= low and high <= axis.high and axis.low < axis.high
        if high - low > max(1e-299, 1e-5 * max(abs(low), abs(high))):
            assert axis.high - axis.low <= (high - low) * 1.4

    @pytest.mark.parametrize("value", [0.0, 5e-324, -5e-324, 1e-310, 1e300, 1.7e308, -1.7e308])
    def test_a_constant_of_any_size_has_an_axis(self, value: float) -> None:
        axis = value_axis(value, value)
        assert math.isfinite(axis.low) and math.isfinite(axis.high) and axis.low < axis.high

    def test_the_largest_numbers_have_an_axis(self) -> None:
        axis = value_axis(-1.7e308, 1.7e308)
        assert math.isfinite(axis.high - axis.low)

    def test_a_value_axis_stays_until_the_data_leaves_it_or_shrinks(self) -> None:
        held = value_axis(0.31, 1.39)
        assert value_axis(held.low, held.high, held) is held
        assert value_axis(0.31, held.high + 0.01, held).high > held.high
        assert value_axis(0.31, 0.35, held).high < held.high

    def test_a_step_axis_grows_by_about_an_eighth_only_when_full(self) -> None:
        axis, changes = None, []
        for step in range(1, 10_001):
            new = step_axis(1, step, axis)
            if new != axis:
                changes.append(new.high)
            axis = new
            assert axis.low == 0 and axis.high >= step
        assert len(changes) < 70
        growth = [b / a for a, b in pairwise(changes)]
        assert 1.05 < min(growth) and max(growth) <= 1.2

    def test_a_step_axis_never_passes_the_total(self) -> None:
        assert step_axis(1, 981, total=1000) == Axis(0, 1000)
        assert step_axis(1, 405, total=430) == Axis(0, 430)
        assert step_axis(1, 12, total=10).high >= 12

    def test_a_run_seen_from_a_late_step_starts_there(self) -> None:
        assert step_axis(5000, 5010).low == 5000

    @given(finite, finite, st.integers(3, 12))
    def test_labels_differ_and_are_short(self, a: float, b: float, parts: int) -> None:
        axis = value_axis(min(a, b), max(a, b))
        step = round_step((axis.high - axis.low) / parts)
        labels = axis_labels(ticks(axis, step), step)
        assert len(set(labels)) == len(labels)
        assert max(map(len, labels)) <= 11

    @pytest.mark.parametrize(
        ("low", "high", "step", "expected"),
        [
            (0, 1.5, 0.5, ["0", ".5", "1.0", "1.5"]),
            (0, 3e-5, 1e-5, ["0", "1e-5", "2e-5", "3e-5"]),
            (0, 3e6, 1e6, ["0", "1e6", "2e6", "3e6"]),
            (-0.2, 0.2, 0.1, ["-.2", "-.1", "0", ".1", ".2"]),
            (0.9998, 1.0, 0.0001, [".9998", ".9999", "1.0000"]),
            (20_000, 40_000, 10_000, ["20000", "30000", "40000"]),
        ],
    )
    def test_label_format_follows_size(self, low: float, high: float, step: float, expected: list[str]) -> None:
        assert axis_labels(ticks(Axis(low, high), step), step) == expected

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.312, ".3120"),
            (-0.5, "-.5000"),
            (1.38629, "1.386"),
            (13.8629, "13.86"),
            (1234.5, "1,234"),
            (2.5e-5, "2.5e-5"),
            (3e7, "3e7"),
            (0.0, "0"),
            (math.nan, "NaN"),
            (-math.inf, "-inf"),
        ],
    )
    def test_values_in_words(self, value: float, text: str) -> None:
        assert value_text(value) == text


def test_a_logarithmic_curve_leaves_out_what_is_not_above_zero() -> None:
    curve = Logarithm(Curve([(0, 100.0), (1, 0.0), (2, 0.01), (3, -5.0)]))
    bounds = curve.bounds()
    assert bounds is not None and (bounds.low, bounds.high) == (-2.0, 2.0)
    columns = curve.columns(4, 0, 3)
    assert [column and column.high for column in columns] == [2.0, None, -2.0, None]
    assert Logarithm(Curve([(0, -1.0)])).bounds() is None
