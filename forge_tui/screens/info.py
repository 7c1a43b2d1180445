"""One run in full: what went wrong, scores beside the baselines, settings with their reasons, where the files are."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from backends.contract import ForgeError, RunFiles, read_json, read_spec
from forge_tui.formatting import duration, gibibytes
from forge_tui.opening import QuickScreen
from forge_tui.plain import plain
from forge_tui.result_text import score_lines, type_lines
from forge_tui.runs import readings
from forge_tui.runs.gauges import last_gpus
from forge_tui.runs.status import condition

# The columns of a terminal of 80 inside the frame.
_WIDTH = 76


class InfoScreen(QuickScreen, ModalScreen[None]):
    """Scrolls by keys; closed with escape."""

    DEFAULT_CSS = """
    InfoScreen { align: center middle; background: $background; }
    InfoScreen > VerticalScroll { width: 100%; height: 100%; border: round $primary; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,i", "app.pop_screen", "close", id="info.close")]

    def __init__(self, files: RunFiles) -> None:
        super().__init__()
        self._files = files

    def compose(self) -> ComposeResult:
        with VerticalScroll() as scroll:
            scroll.can_focus = True
            yield Static("\n".join(plain(line) for line in info_lines(self._files)), markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


def _machine_lines(files: RunFiles) -> list[str]:
    """Where the run was trained: the machine, and its GPUs as they were last seen during the run."""
    from forge_tui.machine import gpu_lines

    host = readings.text((read_json(files.job) or {}).get("host"))
    gpus, problem = last_gpus(files.gpu)
    lines = [f"machine {host}"] if host is not None else []
    lines += [f"        {line}" for line in gpu_lines(gpus)]
    if not gpus and problem is not None:
        lines.append(f"        {problem}")
    return [*lines, ""] if lines else []


def info_lines(files: RunFiles) -> list[str]:
    """Everything worth knowing about a run, as lines."""
    error = condition(files).error
    lines = [f"✗ {error['what']}", f"  {error['why']}", f"  {error['fix']}", ""] if error else []
    report = read_json(files.report) or {}
    metrics, baselines = report.get("metrics") or {}, report.get("baselines") or {}
    if metrics or baselines:
        lines += [*score_lines({"this model": metrics, **baselines}, _WIDTH), ""]
    types = type_lines({name: readings.scores(each) for name, each in readings.table(report.get("by_type")).items()})
    lines += [*types, ""] if types else []
    if report.get("training_seconds") is not None:
        lines.append(f"training took {duration(report['training_seconds'])}")
    memory = readings.table(report.get("memory"))
    peak, estimated = (readings.number(memory.get(f"{name}_bytes")) for name in ("measured_peak", "estimated"))
    if peak is not None:
        beside = "" if not estimated else f", estimated {gibibytes(estimated)} GiB ({estimated / peak - 1:+.0%})"
        lines += [f"peak memory   {gibibytes(peak)} GiB{beside if peak else ''}", ""]
    lines += _machine_lines(files)
    try:
        spec = read_spec(files.spec)
    except ForgeError as error:
        return [*lines, error.what, error.why]
    lines += [f"task    {spec.task}", f"model   {spec.model}", f"method  {spec.method}", f"data    {spec.data}"]
    lines += [f"        {role} = {column}" for role, column in spec.columns.items()]
    lines += ["", "settings"]
    for name, value in spec.settings.items():
        lines += [f"  {name} = {value}", f"      {spec.reasons.get(name, '')}"]
    return [*lines, "", f"files   {files.folder}", "", "esc closes"]
