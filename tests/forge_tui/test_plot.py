"""What a plot shows, as text, and how little of it an append repaints."""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from forge_tui.curves import Curve
from forge_tui.widgets.plot import Plot

SIZE = (80, 20)


class WatchedPlot(Plot):
    """A plot that remembers what it asked Textual to repaint: None stands for everything."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.repaints: list[Region | None] = []
        super().__init__(*args, **kwargs)

    def refresh(self, *regions: Region, **kwargs: Any) -> WatchedPlot:
        self.repaints.extend(regions or [None])
        return super().refresh(*regions, **kwargs)


def lines_of(plot: Plot) -> list[str]:
    return [plot.render_line(y).text for y in range(plot.size.height)]


def show(plot: Plot, use: Callable[[Pilot[None]], Any] | None = None, size: tuple[int, int] = SIZE) -> list[str]:
    """Run an app with this plot alone, let `use` work on it, and return the lines shown."""

    class PlotApp(App[None]):
        def compose(self) -> ComposeResult:
            yield plot

    async def run() -> list[str]:
        app = PlotApp()
        async with app.run_test(size=size) as pilot:
            plot.refresh_plot()
            await pilot.pause()
            if use is not None and (waited := use(pilot)) is not None:
                await waited
            await pilot.pause()
            return lines_of(plot)

    return asyncio.run(run())


def plot_of(*series: Curve, **options: Any) -> WatchedPlot:
    plot = WatchedPlot("loss", **options)
    for curve, name in zip(series, ("train", "eval", "extra", "points"), strict=False):
        plot.set_series(name, curve, name)
    return plot


def falling(steps: int = 1000, noise: float = 0.0) -> Curve:
    dice = random.Random(3)
    return Curve((x, math.exp(-3 * x / steps) + dice.gauss(0, noise)) for x in range(steps))


def drawn(line: str) -> list[int]:
    """The columns of a line that hold braille dots."""
    return [x for x, character in enumerate(line) if "\u2800" < character <= "\u28ff"]


class TestContent:
    def test_without_values_it_says_so(self) -> None:
        assert any("no values yet" in line for line in show(Plot("loss")))
        assert any("no values yet" in line for line in show(plot_of(Curve())))

    def test_a_falling_curve_runs_from_top_left_to_bottom_right(self) -> None:
        rows = [drawn(line) for line in show(plot_of(falling()))]
        rows = [columns for columns in rows if columns]
        assert rows[0][0] < 12 and rows[-1][-1] > 70
        assert all(above[0] <= below[0] and above[-1] <= below[-1] for above, below in pairwise(rows))

    def test_a_line_has_no_holes_between_sparse_points(self) -> None:
        lines = show(plot_of(Curve([(0, 0.0), (50, 1.0), (100, 0.0)])))
        columns = {x for line in lines for x in drawn(line)}
        assert columns == set(range(min(columns), max(columns) + 1))
        assert len(columns) > 60

    def test_a_jump_is_joined_from_top_to_bottom(self) -> None:
        lines = show(plot_of(Curve((x, float(x >= 200)) for x in range(400))))[1:-1]
        rows = [y for y, line in enumerate(lines) if drawn(line)]
        assert len(rows) >= 16 and rows == list(range(rows[0], rows[-1] + 1))

    def test_one_spike_among_100_000_points_reaches_the_top(self) -> None:
        lines = show(plot_of(Curve((x, 9.0 if x == 70_001 else 1.0) for x in range(100_000))))
        spike = [drawn(line) for line in lines[1:8]]
        assert all(len(columns) in (1, 2) for columns in spike[1:])
        assert 52 < spike[3][0] < 62

    def test_a_constant_curve_is_a_level_line(self) -> None:
        rows = [drawn(line) for line in show(plot_of(Curve((x, 0.5) for x in range(100))))]
        assert [len(columns) > 70 for columns in rows].count(True) == 1
        assert sum(map(bool, rows)) == 1

    def test_a_single_point_is_a_dot(self) -> None:
        shown = [character for line in show(plot_of(Curve([(5, 0.5)]))) for character in line]
        dots = [ord(character) - 0x2800 for character in shown if "\u2800" < character <= "\u28ff"]
        assert len(dots) == 1 and dots[0].bit_count() == 1

    def test_looks_differ_without_colour(self) -> None:
        level = [Curve((x, float(height)) for x in range(101)) for height in range(4)]
        rows = [line for line in show(plot_of(*level)) if len(drawn(line)) > 5]
        assert len(rows) >= 4
        kinds = [frozenset(line[20:40]) for line in (rows[0], *rows[-3:])]
        assert len(set(kinds)) == 4

    def test_eval_can_be_read_inside_a_dense_band(self) -> None:
        dense = Curve((x, float(x % 10)) for x in range(50_000))
        lines = show(plot_of(dense, Curve([(0, 4.5), (50_000, 4.5)])))
        levels = [line for line in lines if any(character in "⡀⠄⠂⠁" for character in line)]
        assert len(levels) == 1

    def test_eval_spikes_do_not_fall_between_dashes(self) -> None:
        for at in range(30, 34):
            lines = show(plot_of(Curve(), Curve((x, float(x == at)) for x in range(100))))
            assert drawn(lines[1]) or drawn(lines[2])

    def test_not_finite_values_are_marked_and_do_not_scale(self) -> None:
        curve = Curve((x, math.nan if x == 50 else math.inf if x == 80 else x / 100) for x in range(101))
        lines = show(plot_of(curve))
        assert lines[1].count("×") == 2
        assert "× 2 not finite" in lines[0]
        assert "e" not in "".join(line[:6] for line in lines[1:])
        assert any("no finite values yet" in line for line in show(plot_of(Curve([(1, math.nan)]))))

    def test_ascii_has_nothing_else(self) -> None:
        plot = plot_of(falling(), Curve([(0, 1.0), (999, 0.5)]), ascii=True)
        plot.baseline(0.8)
        text = "\n".join(show(plot))
        assert text.isascii()
        assert "*" in text and "o" in text and "..." in text


class TestTitle:
    def test_it_names_series_with_latest_and_best(self) -> None:
        plot = plot_of(Curve([(1, 1.5), (2, 0.3077)]), Curve([(1, 0.25), (2, 0.3391)]), best="min", note="smoothing .6")
        title = show(plot)[0]
        assert title.startswith("loss ─ train .3077  ┄ eval .3391  ")
        assert title.endswith("smoothing .6  best .2500")

    def test_best_may_be_the_highest(self) -> None:
        assert show(plot_of(Curve([(1, 0.9), (2, 0.3)]), best="max"))[0].endswith("best .9000")

    def test_markup_and_control_characters_are_plain_text(self) -> None:
        plot = Plot("[b]loss[/b]")
        plot.set_series("[red]x[/]\x1b[2J\n", Curve([(1, 1.0)]))
        plot.baseline(0.5, "[@click=app.quit]base[/]\x07")
        lines = show(plot)
        assert lines[0].startswith("[b]loss[/b] ─ [red]x[/]·[2J· 1.000")
        assert any("[@click=app.quit]base[/]· .5" in line for line in lines)

    def test_wide_names_keep_the_width(self) -> None:
        plot = Plot("損失" * 9)
        plot.set_series("訓練" * 9, Curve([(1, 1.0)]))
        show(plot, lambda pilot: check_widths(plot), size=(33, 8))


class TestAxes:
    def test_value_labels_are_round_ordered_and_unlike(self) -> None:
        for scale in (1e-5, 0.01, 1.0, 1e6):
            curve = Curve((x, scale * (0.31 + x / 90)) for x in range(100))
            lines = show(plot_of(curve))[1:-1]
            labels = [found[1] for line in lines if (found := re.match(r" +(-?[\d.e-]+) ", line))]
            numbers = [float(label) for label in labels]
            assert len(numbers) >= 3
            assert numbers == sorted(set(numbers), reverse=True)
            assert all(len(label) <= 6 for label in labels)

    def test_steps_have_start_middle_and_end(self) -> None:
        steps = show(plot_of(falling(1_200_000 // 1000)))[-1].split()
        assert steps[0] == "0" and steps[-1] == "1,250" and "600" in steps
        assert [int(step.replace(",", "")) for step in steps] == sorted({int(s.replace(",", "")) for s in steps})

    def test_the_axis_ends_near_the_latest_step_not_at_the_total(self) -> None:
        assert show(plot_of(falling(100), total=5000))[-1].split()[-1] == "100"
        assert show(plot_of(falling(96), total=97))[-1].split()[-1] == "97"

    def test_the_baseline_is_a_labelled_dashed_row_inside_the_scale(self) -> None:
        plot = plot_of(Curve((x, 0.8) for x in range(100)))
        plot.baseline(0.31)
        (line,) = [line for line in show(plot) if "┄┄┄" in line]
        assert "baseline .31 ┄" in line
        assert line.count("┄") > 50

    def test_the_baseline_stretches_the_scale(self) -> None:
        plot = plot_of(Curve((x, 0.8) for x in range(100)))
        plot.baseline(0.31)
        lines = show(plot)
        labels = {y: float(found[1]) for y, line in enumerate(lines) if (found := re.match(r" +(\.\d+) ", line))}
        (row,) = [y for y, line in enumerate(lines) if "┄┄┄" in line]
        assert all((y < row) == (label > 0.31) for y, label in labels.items() if y != row)
        assert min(labels.values()) < 0.35

    def test_the_baseline_can_go(self) -> None:
        plot = plot_of(falling())
        plot.baseline(0.31)
        plot.baseline(None)
        assert not any("┄┄" in line for line in show(plot))


async def check_widths(plot: Plot) -> None:
    assert all(plot.render_line(y).cell_length == plot.size.width for y in range(plot.size.height))
    from rich.cells import cell_len

    assert all(cell_len(line) == plot.size.width for line in lines_of(plot))


class TestSizes:
    @pytest.mark.parametrize("height", [1, 2, 3, 4])
    def test_a_low_plot_without_a_round_value_on_its_axis(self, height: int) -> None:
        plot = plot_of(Curve([(6, 4.299896717071533), (60, 2.210935354232788)]))
        plot.set_series("train", Curve([(1, 4.945969581604004), (60, 2.0627338886260986)]))
        assert len(show(plot, size=(80, height))) == height

    def test_letters_name_the_curves(self) -> None:
        plot = plot_of()
        for at, letter in enumerate("ABCDEF"):
            plot.set_series(letter, Curve((x, float(at)) for x in range(100)), "train", letter)
        rows = show(plot)[1:]
        for letter in "ABCDEF":
            assert sum(line.count(letter) for line in rows) >= 3
            assert len([line for line in rows if letter in line]) == 1

    @pytest.mark.parametrize("ascii", [False, True])
    def test_any_size_and_resize_works(self, ascii: bool) -> None:
        plot = plot_of(falling(300, 0.1), Curve([(0, math.nan), (100, 0.5)]), ascii=ascii, best="min")
        plot.baseline(0.2)

        async def resize(pilot: Pilot[None]) -> None:
            for size in [
                (20, 5),
                (1, 1),
                (2, 9),
                (200, 2),
                (9, 3),
                (20, 4),
                (131, 41),
                (7, 40),
                (80, 24),
                (80, 25),
            ]:
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert plot.size == size
                await check_widths(plot)
                plot.refresh_plot()
                await check_widths(plot)

        show(plot, resize)

    def test_the_smallest_promised_size_shows_all_parts(self) -> None:
        lines = show(plot_of(falling()), size=(20, 5))
        assert lines[0].startswith("loss ─ train")
        assert any(drawn(line) for line in lines[1:4])
        assert lines[4].split() == ["0", "1,000"]

    def test_drawing_before_it_is_mounted_is_harmless(self) -> None:
        plot_of(falling()).refresh_plot()


class TestRepaint:
    def test_ten_points_after_100_000_repaint_a_few_cells(self) -> None:
        curve = falling(100_500, 0.05)
        plot = plot_of(curve)

        async def append(pilot: Pilot[None]) -> None:
            for start in range(100_500, 101_500, 10):
                plot.repaints.clear()
                curve.extend((x, 0.05 + 0.1 * math.sin(x)) for x in range(start, start + 10))
                plot.refresh_plot()
                assert None not in plot.repaints
                regions = [region for region in plot.repaints if region]
                assert 0 < sum(region.area for region in regions) <= 40
                assert len({region.y for region in regions}) == len(regions)
                await pilot.pause()

        show(plot, append)

    def test_no_news_repaint_nothing(self) -> None:
        plot = plot_of(falling())

        def again(pilot: Pilot[None]) -> None:
            plot.repaints.clear()
            plot.refresh_plot()
            assert plot.repaints == []

        show(plot, again)

    def test_cells_outside_the_repainted_regions_stay_as_they_were(self) -> None:
        curve = falling(500, 0.05)
        plot = plot_of(curve, Curve([(0, 1.0), (400, 0.3)]))
        dice = random.Random(5)

        async def append(pilot: Pilot[None]) -> None:
            step = 500
            for _ in range(40):
                before = lines_of(plot)
                plot.repaints.clear()
                for _ in range(dice.randrange(1, 30)):
                    curve.append(step, dice.choice([0.05, 0.1, 0.4, math.nan, 1.3]))
                    step += 1
                plot.refresh_plot()
                after = lines_of(plot)
                regions = [region for region in plot.repaints if region]
                for y, (old, new) in enumerate(zip(before, after, strict=True)):
                    for x, pair in enumerate(zip(old, new, strict=True)):
                        assert pair[0] == pair[1] or any((x, y) in region for region in regions)
                await pilot.pause()

        show(plot, append)

    def test_an_updated_plot_equals_a_new_one(self) -> None:
        dice = random.Random(11)
        train, points = Curve(), Curve()
        plot = plot_of(train, points)

        async def append(pilot: Pilot[None]) -> None:
            for step in range(0, 6000, 3):
                train.append(step, 1 + dice.gauss(0, 1))
                if step % 300 == 0:
                    points.append(step, 1.2)
                if step in (900, 4500):
                    for curve in (train, points):
                        curve.truncate_after(step - 100)
                    train.append(step, 1.0)
                if step % 20 == 0:
                    plot.refresh_plot()
            plot.refresh_plot()

        updated = show(plot, append)
        fresh = plot_of(train, points)
        fresh._x_axis, fresh._y_axis = plot._x_axis, plot._y_axis
        assert show(fresh) == updated

    def test_the_screen_shows_what_the_plot_holds(self) -> None:
        curve = falling(500, 0.05)
        plot = plot_of(curve)

        async def append(pilot: Pilot[None]) -> None:
            for step in range(500, 700, 7):
                curve.append(step, 0.5)
                plot.refresh_plot()
                await pilot.pause()
            strips = pilot.app.screen._compositor.render_strips()
            assert [strip.text for strip in strips] == lines_of(plot)

        show(plot, append)

    def test_a_new_theme_changes_the_colours(self) -> None:
        plot = plot_of(falling())

        async def change(pilot: Pilot[None]) -> None:
            before = plot.render_line(5)._segments
            pilot.app.theme = "textual-light"
            await pilot.pause()
            assert plot.render_line(5)._segments != before

        show(plot, change)

    def test_series_have_the_styles_of_their_look(self) -> None:
        plot = plot_of(Curve((x, 1.0) for x in range(100)), Curve((x, 2.0) for x in range(100)))

        def check(pilot: Pilot[None]) -> None:
            colours = {}
            for y in range(1, plot.size.height - 1):
                for segment in plot.render_line(y):
                    if drawn(segment.text) and segment.style:
                        colours[y] = segment.style.color
            assert len(colours) == 2 and len(set(colours.values())) == 2
            styles = [plot.get_component_rich_style(f"plot--{look}").color for look in ("eval", "train")]
            assert [colours[y] for y in sorted(colours)] == styles

        show(plot, check)
