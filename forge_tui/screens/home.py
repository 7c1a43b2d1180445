"""Home: what this machine is, what runs and what ran, what to do next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.widgets import DataTable, Static

from backends.contract import ForgeError, RunFiles
from backends.registry import TASKS
from forge_tui.opening import QuickScreen
from forge_tui.plain import plain
from forge_tui.runs.process import host_name
from forge_tui.runs.store import list_runs
from forge_tui.runs.summary import RunSummary, SummaryCache
from forge_tui.screens.confirm import is_sure
from forge_tui.screens.home_runs import RunTable
from forge_tui.screens.home_text import newest_draft, next_lines, problem_line
from forge_tui.widgets.gpu_gauges import GpuGauges
from forge_tui.widgets.key_line import KeyLine
from forge_tui.widgets.line import Line

if TYPE_CHECKING:
    from forge_tui.machine import MachineSample

RUNS_SECONDS = 2.0
MACHINE_SECONDS = 10.0
_LOW = 18  # rows


class HomeScreen(QuickScreen, Screen[None]):
    """The list of runs under the gauges of the machine."""

    DEFAULT_CSS = """
    HomeScreen #title { height: 1; text-style: bold; }
    HomeScreen #program { width: 12; }
    HomeScreen #host { text-align: right; }
    HomeScreen #runs { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    HomeScreen #next { height: auto; padding: 0 1; }
    HomeScreen.-empty #runs { display: none; }
    HomeScreen.-empty #next { height: 1fr; }
    HomeScreen.-low #next { display: none; }
    HomeScreen.-low.-empty #next { display: block; }
    HomeScreen #problem { color: $text-warning; }
    HomeScreen #problem.-none { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new model", show=False, tooltip="new model: I know what I want", id="app.new"),
        Binding("d", "data", "data", show=False, tooltip="start from a data file", id="app.data"),
        Binding("a", "advice", "advice", show=False, tooltip="should I train at all?", id="app.advice"),
        Binding("t", "demo", "demo", show=False, tooltip="the one-minute demo", id="app.demo"),
        Binding("v", "results", "results", tooltip="what came out of the run, its mistakes to read", id="run.results"),
        Binding("c", "compare", "compare", tooltip="curves and settings of the runs chosen by space", id="run.compare"),
        Binding("s", "stop", "stop", id="run.stop"),
        Binding("r", "resume", "resume", id="run.resume"),
        Binding("u", "try_it", "try it", show=False, tooltip="ask the model of the chosen run", id="run.try"),
        Binding("less_than_sign", "move(-1)", "sooner", key_display="<", show=False, id="queue.sooner"),
        Binding("greater_than_sign", "move(1)", "later", key_display=">", show=False, id="queue.later"),
        Binding("x", "delete", "delete", id="run.delete"),
        Binding("q", "app.leave", "quit", id="app.quit"),
    ]

    class RunsLooked(Message):
        """The run folders were looked at, and the drafts beside them; `draft` tells of the newest."""

        def __init__(self, runs: list[RunSummary], draft: str | None) -> None:
            super().__init__()
            self.runs, self.draft = runs, draft

    class MachineLooked(Message):
        """The machine was sampled."""

        def __init__(self, sample: MachineSample) -> None:
            super().__init__()
            self.sample = sample

    def __init__(self) -> None:
        super().__init__()
        self._cache = SummaryCache()
        self._next = ""

    def compose(self) -> ComposeResult:
        with Horizontal(id="title"):
            yield Line(" forge-tui", id="program")
            yield Line(f"{host_name()} ", id="host")
        yield GpuGauges(" looking at this machine …", id="gpus")
        yield Line("", id="machine")
        yield Line("", id="problem", classes="-wrapped -none")
        yield RunTable(id="runs")
        yield Static("", id="next", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(RunTable).focus()
        self.look_at_runs()
        self.call_after_refresh(self.look_at_machine)  # the driver may wait until the screen is painted
        self.set_interval(RUNS_SECONDS, self._look_at_runs_if_shown)
        self.set_interval(MACHINE_SECONDS, self._look_at_machine_if_shown)

    def on_screen_resume(self) -> None:
        self.look_at_runs()

    def _is_on_top(self) -> bool:
        """Whether this is what the person sees; Textual's `is_current` holds for the screen below the top one too."""
        return self.app.screen is self

    def _look_at_runs_if_shown(self) -> None:
        if self._is_on_top():
            self.look_at_runs()

    def _look_at_machine_if_shown(self) -> None:
        if self._is_on_top():
            self.look_at_machine()

    @work(thread=True, exclusive=True, group="runs")
    def look_at_runs(self) -> None:
        """Read the run folders beside the screen, which never waits for a disk."""
        found = list_runs()
        self._cache.forget_all_but({files.folder.name for files in found})
        self.post_message(self.RunsLooked([self._cache.get(files) for files in found], newest_draft()))

    def look_at_machine(self) -> None:
        """Sample the gauges beside the screen; a driver may take its time."""
        self.app.machine.look(self._tell_machine)  # type: ignore[attr-defined]

    def _tell_machine(self, sample: MachineSample) -> None:
        """Called in the thread of the watch."""
        self.post_message(self.MachineLooked(sample))

    def on_home_screen_machine_looked(self, message: MachineLooked) -> None:
        from forge_tui.machine import gpu_lines, host_line, machine_line
        from forge_tui.system import own_user

        sample = message.sample
        self.query_one("#host", Line).show(f"{host_line(host_name(), sample.hardware)} ")
        gpus = gpu_lines(sample.hardware.gpus, own_user())
        self.query_one(GpuGauges).show([f" {line}" for line in gpus] or [" no GPU that can be used: runs use the CPU"])
        self.query_one("#machine", Line).show(f" {machine_line(sample)}")
        problem = self.query_one("#problem", Line)
        problem.set_class(not sample.problems, "-none")
        problem.show(problem_line(sample.problems))

    def on_home_screen_runs_looked(self, message: RunsLooked) -> None:
        self._invite(not message.runs, message.draft)
        self.query_one(RunTable).show(message.runs)

    def _invite(self, is_empty: bool, draft: str | None) -> None:
        """What to do next; where there are no runs, at length and in their place."""
        key_of = self.app.key_of  # type: ignore[attr-defined]
        told = "\n".join(next_lines(is_empty, plain(draft) if draft else None, key_of))
        if told != self._next:
            self._next = told
            self.query_one("#next", Static).update(Text(told))
        if is_empty != self.has_class("-empty"):
            self.set_class(is_empty, "-empty")
            if not is_empty:
                self.query_one(RunTable).focus()

    def on_resize(self) -> None:
        """In a low terminal the runs need all of it."""
        self.set_class(self.app.size.height < _LOW, "-low")

    def _chosen(self) -> RunSummary | None:
        return self.query_one(RunTable).chosen

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Watch the chosen run."""
        run = self._chosen()
        if run is not None:
            self.app.open_run(run.id)  # type: ignore[attr-defined]

    def action_try_it(self) -> None:
        """Ask the model of the chosen run."""
        from forge_tui.paths import runs_folder

        run = self._chosen()
        if run is not None:
            self.app.open_try_it(RunFiles(runs_folder() / run.id))  # type: ignore[attr-defined]

    def action_results(self) -> None:
        """Show what came out of the chosen run."""
        run = self._chosen()
        if run is not None:
            self.app.open_results(run.id)  # type: ignore[attr-defined]

    def action_compare(self) -> None:
        """Lay the curves of the marked runs over each other; one marked run is compared with the chosen one."""
        from forge_tui.screens.overlay import MOST_RUNS

        table = self.query_one(RunTable)
        marked = {run.id: run for run in table.marked}
        if len(marked) < 2 and table.chosen is not None:
            marked |= {table.chosen.id: table.chosen}
        if 2 <= len(marked) <= MOST_RUNS:
            self.app.open_overlay(list(marked))  # type: ignore[attr-defined]
        elif len(marked) > MOST_RUNS:
            self.notify(f"{len(marked)} runs are chosen; {MOST_RUNS} at most are told apart in one plot.", markup=False)
        else:
            key = self.app.key_of("run.mark", "space")  # type: ignore[attr-defined]
            self.notify(f"Choose the runs to compare first: {key} on each of them.", markup=False)

    def action_new(self) -> None:
        """Open the wizard."""
        self.app.open_wizard()  # type: ignore[attr-defined]

    def action_data(self) -> None:
        """Open the wizard at the data."""
        self.app.open_wizard(at="data")  # type: ignore[attr-defined]

    def action_advice(self) -> None:
        """Open the questions that lead to an advice."""
        self.app.open_wizard(at="answer:modality")  # type: ignore[attr-defined]

    @work(exclusive=True, group="demo")
    async def action_demo(self) -> None:
        """Choose a demo and start it on a bundled sample; no network, no GPU."""
        from forge_tui.screens.choose import ChooseScreen

        options = [(task.id, f"{task.title}") for task in TASKS]
        chosen = await self.app.push_screen_wait(ChooseScreen("The demo: which task?", options))
        if chosen is None:
            return
        from forge_tui.planning import plan_run
        from forge_tui.runs.remarks import start_remarks
        from forge_tui.runs.store import start_run
        from forge_tui.samples import demo_request

        try:
            plan = plan_run(demo_request(chosen))
            remarks = await asyncio.to_thread(lambda: list(start_remarks(plan.device)))
            files = start_run(plan.spec)
        except ForgeError as error:
            self._tell(error)
            return
        self._warn(remarks)
        self.app.open_run(files.folder.name)  # type: ignore[attr-defined]

    @work(exclusive=True, group="action")
    async def action_stop(self) -> None:
        """Stop the chosen run, keeping a checkpoint; one that is not alive is refused without a question."""
        from forge_tui.runs.control import request_stop

        run = self._chosen()
        if run is None:
            return
        question = f"Take {run.name} out of the line?" if run.waits_for else f"Stop {run.name}? A checkpoint is kept."
        if not run.status.is_alive or await is_sure(self.app, question):
            await self._try(request_stop, run)

    @work(exclusive=True, group="action")
    async def action_resume(self) -> None:
        """Go on with the chosen run from its last checkpoint."""
        from forge_tui.runs.control import resume_run
        from forge_tui.runs.remarks import start_remarks

        run = self._chosen()
        if run is not None and await self._try(resume_run, run):
            self._warn(await asyncio.to_thread(lambda: list(start_remarks(None))))

    @work(exclusive=True, group="action")
    async def action_delete(self) -> None:
        """Delete the chosen run."""
        from forge_tui.runs.control import delete_run

        run = self._chosen()
        question = "with its checkpoints and its model"
        if run is not None and await is_sure(self.app, f"Delete {run.name} {question}?"):
            await self._try(delete_run, run)

    @work(exclusive=True, group="action")
    async def action_move(self, places: int) -> None:
        """Move the chosen run in the line of those that wait."""
        from forge_tui.runs.queue import move

        run = self._chosen()
        if run is not None:
            await self._try(lambda files: move(files, places), run)

    async def _try(self, action: Callable[[RunFiles], object], run: RunSummary) -> bool:
        """Do it beside the screen: a start is waited for, and a large folder takes its time; whether it worked."""
        from forge_tui.paths import runs_folder

        try:
            await asyncio.to_thread(action, RunFiles(runs_folder() / run.id))
        except ForgeError as error:
            self._tell(error)
            return False
        finally:
            self.look_at_runs()
        return True

    def _warn(self, remarks: list[str]) -> None:
        """What is to be known of a run that was started."""
        for remark in remarks:
            self.app.notify(plain(remark), severity="warning", markup=False)

    def _tell(self, error: ForgeError) -> None:
        self.notify(plain(f"{error.why}. {error.fix}"), title=plain(error.what), severity="error", markup=False)
