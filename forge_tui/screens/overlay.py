"""The curves of several runs in one plot, told apart by letters, over the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, get_args

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from backends.contract import RunFiles
from forge_tui.opening import QuickScreen
from forge_tui.overlay_text import comparison_lines, letter_of
from forge_tui.runs.comparing import compare_runs
from forge_tui.runs.drawn import Over
from forge_tui.runs.subject import RunSubject
from forge_tui.runs.view import BOOKKEEPING
from forge_tui.screens.monitor_plots import SMOOTHINGS
from forge_tui.symbols import uses_ascii
from forge_tui.widgets.key_line import KeyLine
from forge_tui.widgets.line import Line
from forge_tui.widgets.plot import Plot
from forge_tui.widgets.plot_canvas import Look

MOST_RUNS = 8
EVENTS_SECONDS = 1.0
_PIECE_SECONDS = 0.01
_LOOKS: tuple[Look, ...] = get_args(Look)


class OverlayScreen(QuickScreen, Screen[None]):
    """Reads each run a little at a time, also while it runs."""

    DEFAULT_CSS = """
    OverlayScreen #title { text-style: bold; }
    OverlayScreen #plot { height: 1fr; min-height: 6; }
    OverlayScreen VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "metric(1)", "other metric", tooltip="the next metric", id="overlay.metric"),
        Binding("G", "metric(-1)", "metric before", show=False, id="overlay.metric_before"),
        Binding("x", "axis", "by step, epoch or time", show=False, id="plot.axis"),
        Binding("y", "scale", "logarithmic axis", show=False, id="plot.scale"),
        Binding("m", "smoothing", "smoothing", id="plot.smoothing"),
        Binding("up", "scroll(-1)", "up", show=False, id="overlay.up"),
        Binding("down", "scroll(1)", "down", show=False, id="overlay.down"),
        Binding("pageup", "scroll(-8)", "page up", show=False, id="overlay.page_up"),
        Binding("pagedown,space", "scroll(8)", "page down", show=False, id="overlay.page_down"),
        Binding("question_mark", "app.show_keys", "keys", key_display="?", id="app.keys"),
        Binding("escape,q", "app.pop_screen", "back", id="overlay.back"),
    ]

    def __init__(self, runs: Sequence[RunFiles]) -> None:
        super().__init__()
        self._subjects = [RunSubject(files) for files in runs]
        self._metric: str | None = None
        self._told: tuple[int, int] | None = None
        self._catching_up = False

    def compose(self) -> ComposeResult:
        yield Line("", id="title")
        yield Plot("", ascii=uses_ascii(), id="plot")
        with VerticalScroll() as scroll:
            scroll.can_focus = False
            yield Static("", markup=False, id="settings")
        yield KeyLine()

    def on_mount(self) -> None:
        self.look()
        self.set_interval(EVENTS_SECONDS, self.look)

    def look(self) -> None:
        """Read what is new, in pieces small enough that no key waits, and draw it."""
        behind = [subject.view.read_more() for subject in self._subjects]
        self._draw()
        if any(behind) and not self._catching_up:
            self._catching_up = True
            self.set_timer(_PIECE_SECONDS, self._look_on)

    def _look_on(self) -> None:
        self._catching_up = False
        self.look()

    def on_resize(self) -> None:
        """Another width for the table."""
        self._draw()

    # --- showing -------------------------------------------------------------------------------------------------

    def metric_names(self) -> list[str]:
        """The metrics with a curve: what decides first, then what most runs have, bookkeeping last."""
        views = [subject.view for subject in self._subjects]
        names = dict.fromkeys(name for view in views for name in view.step_curves)
        first = [self._subjects[0].primary, "eval_loss", "loss"]

        def order(name: str) -> tuple[bool, int, int]:
            holders = sum(name in view.step_curves for view in views)
            return name in BOOKKEEPING, -holders, first.index(name) if name in first else len(first)

        return sorted(names, key=order)

    def _draw(self) -> None:
        names = self.metric_names()
        if self._metric is None or self._metric not in names:
            self._metric = names[0] if names else None
        plot = self.query_one(Plot)
        plot.clear_series()
        missing = []
        for at, subject in enumerate(self._subjects):
            curve = subject.view.curves.get(self._metric or "")
            if curve is None:
                missing.append(letter_of(at))
            else:
                plot.set_series(letter_of(at), curve, _LOOKS[at % len(_LOOKS)], letter_of(at))
        plot.title = self._metric or ""
        plot.over = self._subjects[0].view.drawing.over
        plot.refresh_plot()
        self.query_one("#title", Line).show(self._title(names, missing, plot.logarithmic))
        self._show_settings()

    def _title(self, names: Sequence[str], missing: Sequence[str], logarithmic: bool) -> str:
        drawing = self._subjects[0].view.drawing
        parts = [f" {len(self._subjects)} runs"]
        if self._metric is not None:
            parts.append(f"metric {names.index(self._metric) + 1} of {len(names)}: {self._metric}")
        parts += [f"by {drawing.over}"] if drawing.over != "step" else []
        parts += [f"smoothing {drawing.smoothing:g}"] if drawing.smoothing else []
        parts += ["logarithmic"] if logarithmic else []
        parts += [f"{', '.join(missing)} without values"] if missing and names else []
        return " · ".join(parts)

    def _show_settings(self) -> None:
        """The table, when a run has told something new or the terminal has another width."""
        now = sum(subject.view.events_seen for subject in self._subjects), self.size.width
        if now == self._told:
            return
        self._told = now
        compared = compare_runs([subject.files for subject in self._subjects])
        lines = comparison_lines(*compared, max(20, self.size.width - 4))
        self.query_one("#settings", Static).update(Text("\n".join(lines)))

    # --- keys ----------------------------------------------------------------------------------------------------

    def action_metric(self, places: int) -> None:
        """Draw another metric."""
        names = self.metric_names()
        if self._metric is not None:
            self._metric = names[(names.index(self._metric) + places) % len(names)]
            self.query_one(Plot).forget_axes()
        self._draw()

    def action_axis(self) -> None:
        """Draw over steps, epochs or time."""
        known: tuple[Over, ...] = get_args(Over)
        over = known[(known.index(self._subjects[0].view.drawing.over) + 1) % len(known)]
        for subject in self._subjects:
            subject.view.draw(replace(subject.view.drawing, over=over))
        self.look()

    def action_smoothing(self) -> None:
        """Smooth more, or not at all after the most."""
        at = SMOOTHINGS.index(self._subjects[0].view.drawing.smoothing)
        for subject in self._subjects:
            subject.view.draw(replace(subject.view.drawing, smoothing=SMOOTHINGS[(at + 1) % len(SMOOTHINGS)]))
        self.look()

    def action_scale(self) -> None:
        """A logarithmic axis of values, or the plain one."""
        plot = self.query_one(Plot)
        plot.logarithmic = not plot.logarithmic
        plot.forget_axes()
        self._draw()

    def action_scroll(self, rows: int) -> None:
        """Scroll the table."""
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)
