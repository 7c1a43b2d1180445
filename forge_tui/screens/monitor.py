"""The live monitor of one run: progress, curves, gauges, log, and the keys that steer the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer

from backends.contract import ForgeError, RunFiles, RunSpec, read_spec
from backends.registry import find_task, lower_is_better
from forge_tui.curves import Curve
from forge_tui.formatting import gibibytes
from forge_tui.machine import MachineSample, gpu_line
from forge_tui.plain import plain
from forge_tui.runs import readings
from forge_tui.runs.status import Condition, Status, condition
from forge_tui.runs.summary import summarise_run
from forge_tui.runs.tail import LineTail
from forge_tui.runs.view import BOOKKEEPING, RunView
from forge_tui.screens.confirm import is_sure
from forge_tui.screens.monitor_text import gauge_line, progress_line, title_line
from forge_tui.system import own_user
from forge_tui.widgets.line import Line
from forge_tui.widgets.loglines import LogLines
from forge_tui.widgets.plot import Plot

EVENTS_SECONDS = 0.5
GAUGE_SECONDS = 2.0
PIECE_SECONDS = 0.01
LOG_BYTES = 1 << 16
LOG_LINES = 2000
LINE_BYTES = 1 << 12
_LOSSES = ("loss", "eval_loss")


class MonitorScreen(Screen[None]):
    """Reads the run folder a little at a time and shows it; the run does not know that anyone looks."""

    DEFAULT_CSS = """
    MonitorScreen #title { text-style: bold; }
    MonitorScreen #plots { height: 3fr; min-height: 6; }
    MonitorScreen #plots Plot { margin: 0 1 0 0; }
    MonitorScreen #notice { color: $text-warning; }
    MonitorScreen #log { height: 1fr; min-height: 3; }
    MonitorScreen.-low #plots { min-height: 4; }
    MonitorScreen.-low #log { min-height: 1; }
    MonitorScreen.-low #notice { max-height: 2; }
    MonitorScreen.-low #gauges { display: none; }
    MonitorScreen.-log #plots { display: none; }
    MonitorScreen #other { display: none; }
    MonitorScreen.-wide #other { display: block; }
    """
    # Textual declares these instance variables.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "stop", tooltip="stop after this step, with a checkpoint", id="run.stop"),
        Binding("S", "stop_now", "stop now", show=False, tooltip="stop, kill after 5 s", id="run.stop_now"),
        Binding("k", "checkpoint", "checkpoint", tooltip="save a checkpoint now", id="run.checkpoint"),
        Binding("r", "resume", "resume", tooltip="go on from the last checkpoint", id="run.resume"),
        Binding("g", "next_metric", "plots", tooltip="show another metric", id="view.metric"),
        Binding("l", "toggle_log", "log", tooltip="the trainer's own log", id="view.log"),
        Binding("i", "info", "info", tooltip="settings and files of the run", id="view.info"),
        Binding("up", "scroll(1)", "older lines", show=False, id="view.up"),
        Binding("down", "scroll(-1)", "newer lines", show=False, id="view.down"),
        Binding("pageup", "scroll(10)", "older page", show=False, id="view.page_up"),
        Binding("pagedown", "scroll(-10)", "newer page", show=False, id="view.page_down"),
        Binding("question_mark", "app.show_keys", "keys", key_display="?", id="app.keys"),
        Binding("q,escape", "leave", "leave (it runs on)", id="view.leave"),
        Binding("q,escape", "back", "back", id="view.back"),
    ]

    def __init__(self, files: RunFiles, leaves_app: bool = False) -> None:
        super().__init__()
        self.files, self._leaves_app = files, leaves_app
        self.view = RunView(files)
        self.state: Condition | None = None
        self._gauge = ""
        self._alive = True
        self._catching_up = False
        self._status: Status | None = None
        self._metric = 0
        self._log_tail: LineTail | None = None
        self._log_lines: list[str] = []
        self._lines_seen = -1
        self._plotted = -1
        self._baseline: tuple[str, dict[str, float]] | None = None
        self.spec: RunSpec | None
        try:
            self.spec = read_spec(files.spec)
            self._primary = find_task(self.spec.task).metrics[0]
        except ForgeError:
            self.spec, self._primary = None, "loss"

    def compose(self) -> ComposeResult:
        yield Line("", id="title")
        yield Line("", id="progress")
        with Horizontal(id="plots"):
            yield Plot("loss", id="loss")
            yield Plot(self._primary, id="metric")
            yield Plot("learning_rate", id="other")
        yield Line("", id="gauges")
        yield Line("", id="notice", classes="-wrapped")
        yield LogLines(id="log")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.look()
        self.sample_machine()
        self.set_interval(EVENTS_SECONDS, self.look)
        self.set_interval(GAUGE_SECONDS, self.sample_machine)

    # --- reading ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read what is new, in pieces small enough that no key waits, and show it."""
        behind = self.view.read_more()
        if self.state is None or not behind:
            self.state = condition(self.files)
        self._read_log()
        self._show()
        if behind and not self._catching_up:
            # A timer: a message to itself would be answered before any key.
            self._catching_up = True
            self.set_timer(PIECE_SECONDS, self._look_on)

    def _look_on(self) -> None:
        self._catching_up = False
        self.look()

    def _read_log(self) -> None:
        if not self.has_class("-log"):
            return
        if self._log_tail is None:
            self._log_tail = LineTail(self.files.log, from_end=LOG_BYTES)
        added = [plain(line.decode("utf-8", errors="replace")) for line in self._log_tail.read()]
        rest = plain(self._log_tail.unfinished[-LINE_BYTES:].decode("utf-8", errors="replace"))
        self._log_lines = (self._log_lines + added)[-LOG_LINES:]
        nothing = "no line has ended yet" if self._log_tail.offset else "the trainer has written nothing"
        shown = [*self._log_lines, rest] if rest else self._log_lines
        self.query_one(LogLines).set_lines(shown or [nothing], len(added))

    def sample_machine(self) -> None:
        """Sample the gauges beside the screen."""
        self.app.machine.look(self._tell_machine)  # type: ignore[attr-defined]

    def _tell_machine(self, sample: MachineSample) -> None:
        """Called in the thread of the watch; the line is shown with the next look at the run."""
        trainer = readings.table(self.state.job.get("trainer")) if self.state and self.state.status.is_alive else {}
        parts = [gpu_line(gpu, own_user()) for gpu in sample.hardware.gpus]
        self._gauge = "   ".join([*parts, gauge_line(sample, readings.whole(trainer.get("pid")))])

    # --- showing ---------------------------------------------------------------------------------------------

    def _show(self) -> None:
        assert self.state is not None
        if self.state.status is not self._status:
            self._status = self.state.status
            self._alive = self.state.status.is_alive
            self.refresh_bindings()
        self.query_one("#title", Line).show(title_line(self.spec, self.files, self.state.status))
        self.query_one("#progress", Line).show(progress_line(self.view, self.state))
        if self.view.events_seen != self._plotted:
            self._plotted = self.view.events_seen
            self._show_plots()
        gauge = self._gauge if self.state.status.is_alive else ""
        peak = "" if self.view.peak_bytes is None else f"   peak memory {gibibytes(self.view.peak_bytes)} GiB"
        self.query_one("#gauges", Line).show(f" {gauge}{peak}")
        self.query_one("#notice", Line).show(self._notice())
        if not self.has_class("-log") and self.view.lines_seen != self._lines_seen:
            added, self._lines_seen = self.view.lines_seen - self._lines_seen, self.view.lines_seen
            self.query_one(LogLines).set_lines(list(self.view.lines), added)

    def _notice(self) -> str:
        assert self.state is not None
        error = self.state.error
        if error is not None:
            return f" ✗ {error.get('what')}: {error.get('why')}  → {error.get('fix')}"
        if self.state.status is Status.FINISHED:
            scores = summarise_run(self.files, self.state)
            told = [f"{name} {value:.4g}" for name, value in list(scores.metrics.items())[:1]]
            other = scores.baseline.get(self._primary)
            told += [f"{scores.baseline_name} {other:.4g}"] if other is not None else []
            return f" ✓ finished: {', '.join(told)}; i shows all"
        if self.state.status is Status.STOPPED:
            return " stopped: r goes on from the last checkpoint"
        return f" ! {self.view.warning}" if self.view.warning else ""

    def _show_plots(self) -> None:
        curves = self.view.curves
        loss = self.query_one("#loss", Plot)
        for name, look in zip(_LOSSES, ("train", "eval"), strict=True):
            if name in curves:
                loss.set_series(name.replace("eval_loss", "eval").replace("loss", "train"), curves[name], look)  # type: ignore[arg-type]
        loss.refresh_plot()
        self._baseline = self._baseline or self.view.baseline()
        names = self.metric_names()
        if names:
            self._show_metric(self.query_one("#metric", Plot), names[self._metric % len(names)])
            self._show_metric(self.query_one("#other", Plot), names[(self._metric + 1) % len(names)])
        else:
            self.query_one("#metric", Plot).refresh_plot()

    def _show_metric(self, plot: Plot, name: str) -> None:
        if plot.title != name:
            plot.clear_series()
            plot.title = name
        series, look = ("train", "train") if name in BOOKKEEPING else ("eval", "eval")
        plot.best = None if name in BOOKKEEPING else "min" if lower_is_better(name) else "max"
        plot.set_series(series, self.view.curves.get(name) or Curve(), look)  # type: ignore[arg-type]
        value = self._baseline[1].get(name) if self._baseline else None
        plot.baseline(value, f"{self._baseline[0]}" if self._baseline else "baseline")
        plot.refresh_plot()

    def metric_names(self) -> list[str]:
        """The metrics that have a curve, the primary one first, bookkeeping last."""
        names = [name for name in self.view.curves if name not in _LOSSES]
        order = {self._primary: -1, **dict.fromkeys(BOOKKEEPING, 1)}
        return sorted(names, key=lambda name: order.get(name, 0))

    # --- keys ------------------------------------------------------------------------------------------------

    def action_next_metric(self) -> None:
        """Show the next metric beside the loss."""
        self._metric += 1
        self._show_plots()

    def action_toggle_log(self) -> None:
        """Switch between the plots and the trainer's own log."""
        self.toggle_class("-log")
        self.query_one(LogLines).show_end()
        self._lines_seen = -1
        self.look()

    def action_scroll(self, count: int) -> None:
        """Scroll the log."""
        self.query_one(LogLines).scroll_lines(count)

    def action_info(self) -> None:
        """Settings with their reasons, scores, files."""
        from forge_tui.screens.info import InfoScreen

        self.app.push_screen(InfoScreen(self.files))

    @work(exclusive=True, group="action")
    async def action_stop(self) -> None:
        """Ask for a stop with a checkpoint."""
        from forge_tui.runs.control import request_stop

        if self._is_alive() and await is_sure(self.app, "Stop this run? A checkpoint is kept; it can be resumed."):
            await self._try(request_stop)

    @work(exclusive=True, group="action")
    async def action_stop_now(self) -> None:
        """Ask for a stop and kill after five seconds."""
        if self._is_alive() and await is_sure(self.app, "Stop now? What does not stop within 5 s is killed."):
            self._stop_now()

    @work(thread=True, exclusive=True, group="stop", exit_on_error=False)
    def _stop_now(self) -> None:
        """Beside the screen: without a supervisor it waits five seconds."""
        from forge_tui.runs.control import request_stop

        try:
            request_stop(self.files, now=True)
        except ForgeError as error:
            self.app.call_from_thread(self._tell, error)

    @work(exclusive=True, group="action")
    async def action_checkpoint(self) -> None:
        """Ask for a checkpoint."""
        from forge_tui.runs.control import request_checkpoint

        if await self._try(request_checkpoint):
            self.notify("a checkpoint follows after this step", timeout=3, markup=False)

    @work(thread=True, exclusive=True, group="resume", exit_on_error=False)
    def action_resume(self) -> None:
        """Start the next attempt; waiting for its first sign is no work for the screen."""
        from forge_tui.runs.control import resume_run

        try:
            resume_run(self.files)
        except ForgeError as error:
            self.app.call_from_thread(self._tell, error)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what makes sense in the run's present state is offered."""
        if action in ("stop", "stop_now", "checkpoint", "leave"):
            return self._alive
        if action == "resume":
            return not self._alive and self.state is not None and self.state.status is not Status.FINISHED
        return not self._alive if action == "back" else True

    def action_leave(self) -> None:
        """Go back, or out when the run was opened from the shell; the run goes on."""
        way = f"forge-tui watch {self.files.folder.name}"  # its name may be that of other runs too
        if self._leaves_app:
            words = f"The run goes on without this window. Come back with: {way}"
            self.app.exit(words if self._is_alive() else None)
            return
        if self._is_alive():
            name = plain(self.spec.name if self.spec else self.files.folder.name)
            self.app.notify(f"{name} goes on. Come back here, or with:\n{way}", timeout=5, markup=False)
        self.dismiss()

    def action_back(self) -> None:
        """Go back from a run that has ended."""
        self.action_leave()

    def _is_alive(self) -> bool:
        self.state = condition(self.files)
        return self.state.status.is_alive

    async def _try(self, action: Callable[[RunFiles], object]) -> bool:
        """Do it beside the screen: a run that is only starting is waited for."""
        try:
            await asyncio.to_thread(action, self.files)
        except ForgeError as error:
            self._tell(error)
            return False
        self.look()
        return True

    def _tell(self, error: ForgeError) -> None:
        self.notify(plain(f"{error.why}. {error.fix}"), title=plain(error.what), severity="error", markup=False)
