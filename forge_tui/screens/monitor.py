"""The live monitor of one run: progress, curves, gauges, log, and the keys that steer the run."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from backends.contract import RunFiles
from forge_tui.machine import MachineSample
from forge_tui.runs.gauges import HISTORY, GaugeHistory
from forge_tui.runs.notices import Notice, curve_notices, gauge_notices
from forge_tui.runs.status import Condition, Status
from forge_tui.runs.subject import RunSubject, Subject
from forge_tui.screens.monitor_log import LogPane
from forge_tui.screens.monitor_plots import PlotGrid
from forge_tui.screens.monitor_text import end_line, gauges_line, progress_line, sample_lines, title_line
from forge_tui.screens.steering import STEERING_KEYS, SteeringScreen
from forge_tui.widgets.key_line import KeyLine
from forge_tui.widgets.line import Line

EVENTS_SECONDS = 0.5
LOG_SECONDS = 0.25
GAUGE_SECONDS = 2.0
PIECE_SECONDS = 0.01
FRAME_SECONDS = 0.25


class MonitorScreen(SteeringScreen):
    """Reads the run folder a little at a time and shows it; the run does not know that anyone looks."""

    DEFAULT_CSS = """
    MonitorScreen #title { text-style: bold; }
    MonitorScreen #plots { height: 3fr; min-height: 6; }
    MonitorScreen #notice { color: $text-warning; }
    MonitorScreen #log { min-height: 3; }
    MonitorScreen.-low #plots { min-height: 4; }
    MonitorScreen.-low #log { min-height: 1; }
    MonitorScreen.-low #notice { max-height: 2; }
    MonitorScreen.-low #gauges { display: none; }
    MonitorScreen.-log #plots { display: none; }
    """
    AUTO_FOCUS = ""
    # Textual declares these instance variables.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *STEERING_KEYS,
        Binding("v", "results", "results", tooltip="what came out of the run, its mistakes to read", id="run.results"),
        Binding("g", "plots('show_next')", "plots", tooltip="show other metrics", id="view.metric"),
        Binding("l", "pane('log')", "log", tooltip="the trainer's own log, and back", id="view.log"),
        Binding(
            "p", "pane('samples')", "samples", show=False, tooltip="sample predictions, and back", id="view.samples"
        ),
        Binding("i", "info", "info", tooltip="settings and files of the run", id="view.info"),
        Binding("left", "cursor(-1)", "cursor left", show=False, tooltip="cursor: values at a step", id="plot.left"),
        Binding("right", "cursor(1)", "cursor right", show=False, tooltip="cursor: values at a step", id="plot.right"),
        Binding("plus,equals_sign", "zoom(0.5)", "zoom in", show=False, key_display="+", id="plot.zoom_in"),
        Binding("minus", "zoom(2)", "zoom out", show=False, key_display="-", id="plot.zoom_out"),
        Binding("less_than_sign", "pan(-0.5)", "part before", show=False, key_display="<", id="plot.before"),
        Binding("greater_than_sign", "pan(0.5)", "part after", show=False, key_display=">", id="plot.after"),
        Binding("0", "plots('show_whole')", "the whole run, no cursor", show=False, id="plot.whole"),
        Binding("x", "plots('change_axis')", "by step, epoch or time", show=False, id="plot.axis"),
        Binding("y", "plots('change_scale')", "logarithmic axis", show=False, id="plot.scale"),
        Binding("m", "plots('change_smoothing')", "smoothing", show=False, id="plot.smoothing"),
        Binding("slash", "log('open_search')", "search the log", show=False, key_display="/", id="log.search"),
        Binding("n", "log('find_older')", "older match", show=False, id="log.older"),
        Binding("N", "log('find_newer')", "newer match", show=False, id="log.newer"),
        Binding("e", "log('show_next_level')", "all lines, warnings, errors", show=False, id="log.level"),
        Binding("w", "log('change_wrap')", "wrap long lines", show=False, id="log.wrap"),
        Binding("f,end", "log('show_end')", "follow the end", show=False, id="log.follow"),
        Binding("up", "scroll(1)", "older lines", show=False, id="view.up"),
        Binding("down", "scroll(-1)", "newer lines", show=False, id="view.down"),
        Binding("pageup", "scroll(10)", "older page", show=False, id="view.page_up"),
        Binding("pagedown", "scroll(-10)", "newer page", show=False, id="view.page_down"),
        Binding("question_mark", "app.show_keys", "keys", key_display="?", id="app.keys"),
        Binding("q,escape", "leave", "leave (it runs on)", id="view.leave"),
        Binding("q,escape", "back", "back", id="view.back"),
    ]

    def __init__(self, subject: Subject | RunFiles, leaves_app: bool = False) -> None:
        super().__init__(RunSubject(subject) if isinstance(subject, RunFiles) else subject, leaves_app)
        self.view = self.subject.view
        self.history = GaugeHistory(self.files.gpu)
        self._loads: deque[float | None] = deque(maxlen=HISTORY)
        self._sample: MachineSample | None = None
        self._catching_up = False
        self._shown_at = 0.0
        self._status: Status | None = None
        self._pane = "log" if self.subject.is_text else "plots"
        self._lines_seen = self._samples_seen = self._plotted = self._noticed = -1
        self._curve_notices: list[Notice] = []

    def compose(self) -> ComposeResult:
        yield Line("", id="title")
        yield Line("", id="progress")
        yield PlotGrid(self.view, self.subject.primary, id="plots")
        yield Line("", id="gauges")
        yield Line("", id="notice", classes="-wrapped")
        yield LogPane(id="log")
        yield KeyLine()

    def on_mount(self) -> None:
        if self._pane != "plots":
            self.add_class("-log")
            self.query_one(LogPane).begin(wrap=False, is_alone=True)
        self.state = self.subject.look()
        self._show(self.state)
        self.call_after_refresh(self.look)  # a long log is read when the screen stands there
        self.set_interval(EVENTS_SECONDS, self.look)
        self.set_interval(LOG_SECONDS, self._read_log)
        if self.subject.can_steer:
            self.sample_machine()
            self.set_interval(GAUGE_SECONDS, self.sample_machine)

    # --- reading ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read what is new, in pieces small enough that no key waits, and show it."""
        behind = self.view.read_more()
        if self.state is None or not behind:
            self.state = self.subject.look()
            self.history.look()
        self._read_log()
        self._shown_at = monotonic()
        self._show(self.state)
        if behind:
            self._catch_up()

    def _catch_up(self) -> None:
        """Read on soon, by a timer: a message to itself would be answered before any key."""
        if not self._catching_up:
            self._catching_up = True
            self.set_timer(PIECE_SECONDS, self._read_on)

    def _read_on(self) -> None:
        """Read the next piece; not every piece of a long log is worth a frame."""
        self._catching_up = False
        if monotonic() < self._shown_at + FRAME_SECONDS and self.view.read_more():
            self._catch_up()
        else:
            self.look()

    def _read_log(self) -> None:
        if self._pane == "log":
            self.query_one(LogPane).read(self.subject.log)

    def sample_machine(self) -> None:
        """Sample the gauges beside the screen."""
        self.app.machine.look(self._tell_machine)  # type: ignore[attr-defined]

    def _tell_machine(self, sample: MachineSample) -> None:
        """Called in the thread of the watch; the line is shown with the next look at the run."""
        self._sample = sample
        self._loads.append(sample.cpu_percent)

    # --- showing ---------------------------------------------------------------------------------------------

    def _show(self, state: Condition) -> None:
        if state.status is not self._status:
            self._status = state.status
            self.refresh_bindings()
        plots = self.query_one(PlotGrid)
        told = plots.told if self._pane == "plots" else ""
        self.query_one("#title", Line).show(title_line(self.subject, state, told))
        self.query_one("#progress", Line).show(progress_line(self.view, state, self.files, self.subject.can_steer))
        if self._shown_at and self.view.events_seen != self._plotted:  # in the first frame there is nothing to draw yet
            self._plotted = self.view.events_seen
            plots.baseline = plots.baseline or self.view.baseline()
            plots.show_curves()
        self.query_one("#gauges", Line).show(
            gauges_line(self.subject, state, self._sample, tuple(self._loads), self.history)
        )
        if self._shown_at:  # not in the first frame: how a run ended is in the end of its log
            self.query_one("#notice", Line).show(self._notice(state))
        if self._pane == "plots" and self._shown_at and self.view.lines_seen != self._lines_seen:
            added, self._lines_seen = self.view.lines_seen - self._lines_seen, self.view.lines_seen
            self.query_one(LogPane).show_lines(list(self.view.lines), added)
        elif self._pane == "samples" and self.view.events_seen != self._samples_seen:
            self._samples_seen = self.view.events_seen
            self.query_one(LogPane).show_lines(sample_lines(self.view))

    def _notice(self, state: Condition) -> str:
        ended = end_line(self.subject, state)
        if ended:
            return ended
        if self.view.events_seen != self._noticed:
            self._noticed = self.view.events_seen
            self._curve_notices = curve_notices(self.view)
        found = [f" ! {self.view.warning}"] if self.view.warning else []
        notices = list(self._curve_notices)
        if state.status.is_alive and self._sample is not None:
            device = state.job.get("device")
            readings = self.history.of(device if isinstance(device, str) else None)
            notices += gauge_notices(readings, self._sample.hardware, self.view.phase == "training")
        return "  ".join([*found, *(f" ! {notice.sentence}" for notice in notices[:2])])

    # --- keys ------------------------------------------------------------------------------------------------

    def _show_changed(self) -> None:
        """Show what a key changed, before anything is read for it."""
        if self.state is not None:
            self._show(self.state)
        self._catch_up()

    def action_plots(self, change: str) -> None:
        """Change how the curves are drawn."""
        getattr(self.query_one(PlotGrid), change)()
        self._show_changed()

    def action_cursor(self, places: int) -> None:
        """Move the cursor over the plots."""
        self.query_one(PlotGrid).move_cursor(places)
        self._show_changed()

    def action_zoom(self, factor: float) -> None:
        """Show a smaller or larger part of the curves."""
        self.query_one(PlotGrid).zoom(factor)
        self._show_changed()

    def action_pan(self, share: float) -> None:
        """Show the part before or after."""
        self.query_one(PlotGrid).pan(share)
        self._show_changed()

    def action_pane(self, name: str) -> None:
        """Switch between the plots and the trainer's own log or the sample predictions."""
        self._pane = "plots" if self._pane == name else name
        self.set_class(self._pane != "plots", "-log")
        self._lines_seen = self._samples_seen = -1
        self.query_one(LogPane).begin(wrap=self._pane == "samples", is_alone=self._pane != "plots")
        self.look()

    def action_log(self, change: str) -> None:
        """Search the log, or change what of it is shown and how."""
        getattr(self.query_one(LogPane), change)()

    def action_scroll(self, count: int) -> None:
        """Scroll the log."""
        self.query_one(LogPane).scroll_rows(count)

    def action_leave(self) -> None:
        """Close the search, or leave as every screen of a run does."""
        if not self.query_one(LogPane).close_search():
            super().action_leave()

    def action_results(self) -> None:
        """Show what came out of the run."""
        self.app.open_results(self.files.folder.name)  # type: ignore[attr-defined]

    def action_info(self) -> None:
        """Settings with their reasons, scores, files."""
        from forge_tui.screens.info import InfoScreen

        self.app.push_screen(InfoScreen(self.files))
