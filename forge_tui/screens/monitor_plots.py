"""The plots of a monitor: as many beside and below each other as fit, with one range of x and one cursor."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, get_args

from backends.registry import lower_is_better
from forge_tui.axes import Axis, tidy
from forge_tui.curves import Curve
from forge_tui.runs.drawn import Drawing, Over
from forge_tui.runs.view import BOOKKEEPING, RunView
from forge_tui.symbols import uses_ascii
from forge_tui.widgets.area import Area
from forge_tui.widgets.plot import Plot
from forge_tui.widgets.plot_labels import place_text

MOST = 12
SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)
_LOSSES = {"loss": "train", "eval_loss": "eval"}
_COLUMN, _ROW = 38, 9
_CURSOR_STEPS = 60


class PlotGrid(Area):
    """The losses in one plot, every other metric in one of its own."""

    DEFAULT_CSS = """
    PlotGrid { layout: grid; grid-gutter: 0 1; }
    """
    IDS: ClassVar[tuple[str, ...]] = ("loss", "metric", *(f"more-{number}" for number in range(2, MOST)))

    def __init__(self, view: RunView, primary: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view, self._primary = view, primary
        self._first = 0
        self._plots: list[Plot] = []
        self._logarithmic = False
        self._cursor: float | None = None
        self.baseline: tuple[str, dict[str, float]] | None = None

    def _plot(self, name: str) -> Plot:
        plot = Plot("loss" if name == "loss" else self._primary, ascii=uses_ascii(), id=name)
        plot.logarithmic, plot.cursor = self._logarithmic, self._cursor
        return plot

    def metric_names(self) -> list[str]:
        """The metrics that have a curve, the primary one first, bookkeeping last."""
        names = [name for name in self._view.curves if name not in _LOSSES]
        order = {self._primary: -1, **dict.fromkeys(BOOKKEEPING, 1)}
        return sorted(names, key=lambda name: order.get(name, 0))

    def on_resize(self) -> None:
        """Another number of plots fits."""
        if self._plots:
            self.show_curves()

    def show_curves(self) -> None:
        """Draw what there is, in as many plots as fit, at least two where that may be; they are made when needed."""
        names = self.metric_names()
        across, down = max(1, min(4, self.size.width // _COLUMN)), max(1, min(3, self.size.height // _ROW))
        count = max(min(2, across * down), min(across * down, len(names) + 1))
        self.styles.grid_size_columns = min(across, count)
        self.styles.grid_size_rows = -(-count // min(across, count))
        shown = [names[(self._first + at) % len(names)] for at in range(min(count - 1, len(names)))] if names else []
        if len(self._plots) < count:
            made = [self._plot(name) for name in self.IDS[len(self._plots) : count]]
            self.mount(*made)
            self._plots += made
        for at, plot in enumerate(self._plots):
            plot.display = at < count
            if at == 0:
                self._show_losses(plot)
            elif at <= len(shown):
                self._show_metric(plot, shown[at - 1])
            if at < count:
                self._prepare(plot)
                plot.refresh_plot()

    def _prepare(self, plot: Plot) -> None:
        drawing = self._view.drawing
        plot.over = drawing.over
        plot.part = Axis(*drawing.part) if drawing.part is not None else None

    def _show_losses(self, plot: Plot) -> None:
        plot.clear_series()
        for name, look in _LOSSES.items():
            if name in self._view.curves:
                plot.set_series(look, self._view.curves[name], look)  # type: ignore[arg-type]

    def _show_metric(self, plot: Plot, name: str) -> None:
        plot.clear_series()
        plot.title = name
        look = "train" if name in BOOKKEEPING else "eval"
        plot.best = None if name in BOOKKEEPING else "min" if lower_is_better(name) or name.endswith("loss") else "max"
        plot.set_series(look, self._view.curves.get(name) or Curve(), look)  # type: ignore[arg-type]
        value = self.baseline[1].get(name) if self.baseline else None
        plot.baseline(value, self.baseline[0] if self.baseline else "baseline")

    # --- what the keys change ---------------------------------------------------------------------------------

    def show_next(self) -> None:
        """Show the next metrics."""
        self._first += 1
        self.show_curves()

    def change_axis(self) -> None:
        """Draw over steps, epochs or time, one after the other."""
        known: tuple[Over, ...] = get_args(Over)
        over = known[(known.index(self._view.drawing.over) + 1) % len(known)]
        self._set_cursor(None)
        self._view.draw(replace(self._view.drawing, over=over, part=None))

    def change_smoothing(self) -> None:
        """Smooth more, or not at all after the most."""
        at = SMOOTHINGS.index(self._view.drawing.smoothing)
        self._view.draw(replace(self._view.drawing, smoothing=SMOOTHINGS[(at + 1) % len(SMOOTHINGS)]))

    def change_scale(self) -> None:
        """A logarithmic axis of values, or the plain one."""
        self._logarithmic = not self._logarithmic
        for plot in self._plots:
            plot.logarithmic = self._logarithmic
            plot.forget_axes()
        self.show_curves()

    def move_cursor(self, places: int) -> None:
        """Move the cursor, which begins at the right end."""
        axis = self._axis()
        if axis is None:
            return
        at = axis.high if self._cursor is None else self._cursor + places * (axis.high - axis.low) / _CURSOR_STEPS
        self._set_cursor(min(axis.high, max(axis.low, at)))

    def zoom(self, factor: float) -> None:
        """Show a smaller or larger part, around the cursor or else up to the right end."""
        axis = self._axis()
        if axis is None:
            return
        span = max(4.0, (axis.high - axis.low) * factor)
        middle = self._cursor if self._cursor is not None else axis.high - span / 2
        whole = self._whole()
        if whole is None or span >= whole.high - whole.low:
            self.show_whole()
            return
        low = min(max(whole.low, middle - span / 2), whole.high - span)
        self._show_part((low, low + span))

    def pan(self, share: float) -> None:
        """Move the part that is shown by a share of its width."""
        part, whole = self._view.drawing.part, self._whole()
        if part is None or whole is None:
            return
        span = part[1] - part[0]
        low = min(max(whole.low, part[0] + share * span), max(whole.low, whole.high - span))
        self._show_part((low, low + span))

    def show_whole(self) -> None:
        """Show all of the run again, without a cursor."""
        self._put_cursor(None)
        self._show_part(None)

    def _show_part(self, part: tuple[float, float] | None) -> None:
        """What is known of it at once, in full as soon as the log was read again."""
        self._view.draw(replace(self._view.drawing, part=part))
        self.show_curves()

    def _set_cursor(self, x: float | None) -> None:
        self._put_cursor(x)
        self.show_curves()

    def _put_cursor(self, x: float | None) -> None:
        self._cursor = x
        for plot in self._plots:
            plot.cursor = x

    def _axis(self) -> Axis | None:
        return next((axis for plot in self._plots if plot.display and (axis := plot.x_axis)), None)

    def _whole(self) -> Axis | None:
        """The whole range of x, remembered from before a part was shown."""
        if self._view.drawing.part is None:
            self._known_whole = self._axis()
        return self._known_whole

    _known_whole: Axis | None = None

    @property
    def told(self) -> str:
        """How the curves are drawn, where it is not as at first."""
        drawing: Drawing = self._view.drawing
        parts = [f"by {drawing.over}"] if drawing.over != "step" else []
        parts += ["logarithmic"] if self._logarithmic else []
        parts += [f"smoothing {tidy(f'{drawing.smoothing:g}')}"] if drawing.smoothing else []
        if self._cursor is not None:
            parts.append(f"values at {place_text(self._cursor, drawing.over)}")
        return ", ".join(parts)
