"""The list of runs as a table: changes only what differs, and keeps its cursor on a run while others come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable
from textual.widgets.data_table import ColumnKey

from forge_tui.runs.summary import RunSummary
from forge_tui.screens.home_text import COLUMNS, WIDTHS, column_widths, run_cells


class RunTable(DataTable[Text]):
    """The runs; enter is named in the footer, home and end are the newest and the oldest run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "open", id="run.open"),
        Binding("space", "mark", "choose", show=False, tooltip="choose runs to compare", id="run.mark"),
        Binding("home", "scroll_top", "newest run", show=False, id="run.newest"),
        Binding("end", "scroll_bottom", "oldest run", show=False, id="run.oldest"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", cell_padding=0)
        self._runs: dict[str, RunSummary] = {}
        self._shown: dict[str, tuple[str, ...]] = {}
        self._widths = WIDTHS
        self._marked: list[str] = []
        for name, width in COLUMNS:
            self.add_column(name, width=width, key=name)

    @property
    def chosen(self) -> RunSummary | None:
        """The run under the cursor."""
        if self.cursor_row >= len(self._shown):
            return None
        return self._runs.get(list(self._shown)[self.cursor_row])

    @property
    def marked(self) -> list[RunSummary]:
        """The runs that were marked, in the order of that."""
        return [self._runs[run_id] for run_id in self._marked if run_id in self._runs]

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        run = self.chosen
        if run is not None:
            self._marked.remove(run.id) if run.id in self._marked else self._marked.append(run.id)
            self.show(list(self._runs.values()))

    def _cells(self, run: RunSummary) -> tuple[str, ...]:
        return run_cells(run, self._widths, run.id in self._marked)

    def show(self, runs: Sequence[RunSummary]) -> None:
        """Change only the cells that differ; rows move only when runs came or went."""
        self._runs = {run.id: run for run in runs}
        cells = {run.id: self._cells(run) for run in runs}
        if list(cells) != list(self._shown):
            self._rebuild(cells)
        for run_id, row in cells.items():
            before = self._shown.get(run_id, ())
            for (column, _), old, new in zip(COLUMNS, before, row, strict=False):
                if old != new:
                    self.update_cell(run_id, column, Text(new))
        self._shown = cells

    def on_resize(self) -> None:
        """Give the columns what room there is."""
        widths = column_widths(self.app.size.width)
        if widths != self._widths:
            self._widths = widths
            for (name, _), width in zip(COLUMNS, widths, strict=True):
                self.columns[ColumnKey(name)].width = width
            self._rebuild({run_id: self._cells(run) for run_id, run in self._runs.items()})

    def _rebuild(self, cells: dict[str, tuple[str, ...]]) -> None:
        """New rows; the cursor stays on its run, or at its place when that run is gone."""
        before, place = list(self._shown), self.cursor_row
        chosen = before[place] if place < len(before) else None
        self.clear()
        for run_id, row in cells.items():
            self.add_row(*(Text(cell) for cell in row), key=run_id)
        self.move_cursor(row=list(cells).index(chosen) if chosen in cells else place)
        self._shown = cells
