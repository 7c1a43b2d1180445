"""What came out of a run: scores beside baselines, what its mistakes are made of, the worst to read, the curves."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from backends.contract import RunFiles
from forge_tui.opening import QuickScreen
from forge_tui.result_counts import counts_lines, counts_name
from forge_tui.result_text import result_lines
from forge_tui.runs.results import Predictions, Results, read_predictions, read_results
from forge_tui.runs.view import RunView
from forge_tui.screens.monitor_plots import PlotGrid
from forge_tui.widgets.key_line import KeyLine
from forge_tui.widgets.line import Line
from forge_tui.widgets.mistakes import MistakeReader

_PIECE_SECONDS = 0.01
_PAGES = ("result", "counts", "mistakes", "curves")


class ResultsScreen(QuickScreen, Screen[None]):
    """Four pages, changed by their numbers or with left and right."""

    DEFAULT_CSS = """
    ResultsScreen #title { text-style: bold; }
    ResultsScreen VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    ResultsScreen .-away { display: none; }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "read", "in full", tooltip="read this row in full", id="results.read"),
        Binding("f", "choose", "which mistakes", tooltip="only those of two classes, or all rows", id="results.choose"),
        *(
            Binding(str(at), f"page({at - 1})", name, show=False, tooltip=f"page {at}: {name}", id=f"results.{name}")
            for at, name in enumerate(_PAGES, 1)
        ),
        Binding("left", "turn(-1)", "page before", show=False, id="results.before"),
        Binding("right", "turn(1)", "next page", show=True, id="results.next"),
        Binding("up", "move(-1)", "up", show=False, id="results.up"),
        Binding("down", "move(1)", "down", show=False, id="results.down"),
        Binding("pageup", "move(-10)", "page up", show=False, id="results.page_up"),
        Binding("pagedown,space", "move(10)", "page down", show=False, id="results.page_down"),
        Binding("home", "move(-1000000)", "first", show=False, id="results.first"),
        Binding("end", "move(1000000)", "last", show=False, id="results.last"),
        Binding("u", "try_it", "try it", tooltip="ask the model", id="run.try"),
        Binding("i", "info", "info", tooltip="settings and files of the run", id="view.info"),
        Binding("question_mark", "app.show_keys", "keys", key_display="?", id="app.keys"),
        Binding("escape,q", "app.pop_screen", "back", id="results.back"),
    ]

    class PredictionsRead(Message):
        """The rows to read are there."""

        def __init__(self, predictions: Predictions) -> None:
            super().__init__()
            self.predictions = predictions

    def __init__(self, files: RunFiles) -> None:
        super().__init__()
        self.files = files
        self.results: Results = read_results(files)
        self._view = RunView(files)
        self._page = 0
        self._width = 0
        self._has_asked = False  # for the rows to read, which wait for their page

    def compose(self) -> ComposeResult:
        run = self.results.run
        yield Line(f" {run.name} · {run.task or '?'} · {run.model or '?'}   {run.status}", id="title")
        yield Line("", id="pages")
        with VerticalScroll(id="result") as scroll:
            scroll.can_focus = False
            yield Static("", markup=False, id="result-text")
        with VerticalScroll(id="counts") as scroll:
            scroll.can_focus = False
            yield Static("", markup=False, id="counts-text")
        yield MistakeReader(id="mistakes")
        yield KeyLine()

    def on_mount(self) -> None:
        self.action_page(0)

    def on_resize(self) -> None:
        """Break the lines anew."""
        width = max(20, self.app.size.width - 4)
        if width != self._width:
            self._width = width
            self.query_one("#result-text", Static).update(Text("\n".join(result_lines(self.results, width))))
            self.query_one("#counts-text", Static).update(Text("\n".join(counts_lines(self.results, width))))

    @work(thread=True, exclusive=True, group="predictions")
    def _read_predictions(self) -> None:
        """Read the rows beside the screen."""
        self.post_message(self.PredictionsRead(read_predictions(self.files)))

    def on_results_screen_predictions_read(self, message: PredictionsRead) -> None:
        self.query_one(MistakeReader).show(message.predictions, self.results)

    # --- pages -------------------------------------------------------------------------------------------------

    def action_page(self, page: int) -> None:
        """Show a page."""
        self._page = page
        if _PAGES[page] == "curves" and not self.query(PlotGrid):  # a dozen plots, which most visits do without
            self.mount(PlotGrid(self._view, self.results.primary or "loss", id="curves"), after="#mistakes")
        for at, name in enumerate(_PAGES):
            self.query(f"#{name}").set_class(at != page, "-away")
        names = ("result", counts_name(self.results), "mistakes", "curves")
        told = (f"{at} {name.upper() if at == page + 1 else name}" for at, name in enumerate(names, 1))
        self.query_one("#pages", Line).show(" " + "   ".join(told))
        self.refresh_bindings()
        if _PAGES[page] == "curves":
            self.call_after_refresh(self._read_on)
        elif _PAGES[page] == "mistakes" and not self._has_asked:
            self._has_asked = True
            self._read_predictions()

    def action_turn(self, pages: int) -> None:
        """Show the page before or after."""
        self.action_page((self._page + pages) % len(_PAGES))

    def _read_on(self) -> None:
        """Read the log for the curves, in pieces small enough that no key waits."""
        if not self.is_mounted:
            return
        behind = self._view.read_more()
        plots = self.query_one(PlotGrid)
        plots.baseline = plots.baseline or self._view.baseline()
        plots.show_curves()
        if behind:
            self.set_timer(_PIECE_SECONDS, self._read_on)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Reading and choosing belong to the mistakes."""
        return _PAGES[self._page] == "mistakes" if action in ("read", "choose") else True

    # --- keys --------------------------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        """Scroll the page, or go to another mistake."""
        if _PAGES[self._page] == "mistakes":
            self.query_one(MistakeReader).move(rows)
        elif _PAGES[self._page] != "curves":
            self.query_one(f"#{_PAGES[self._page]}", VerticalScroll).scroll_relative(y=rows, animate=False)

    def action_read(self) -> None:
        """Read the present row in full."""
        from forge_tui.screens.text import TextScreen

        reader = self.query_one(MistakeReader)
        lines = reader.in_full(max(20, self.app.size.width - 6))
        if lines:
            self.app.push_screen(TextScreen(reader.place, lines))

    @work(exclusive=True, group="choose")
    async def action_choose(self) -> None:
        """Choose which rows to read."""
        from forge_tui.screens.choose import ChooseScreen

        reader = self.query_one(MistakeReader)
        choices = reader.choices()
        chosen = await self.app.push_screen_wait(ChooseScreen("Which rows?", choices)) if choices else None
        if chosen is not None:
            reader.choose(chosen)

    def action_try_it(self) -> None:
        """Ask the model of the run."""
        self.app.open_try_it(self.files)  # type: ignore[attr-defined]

    def action_info(self) -> None:
        """Settings with their reasons, scores, files."""
        from forge_tui.screens.info import InfoScreen

        self.app.push_screen(InfoScreen(self.files))
