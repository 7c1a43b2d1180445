"""The terminal app: opens the first screen and holds what all screens share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.worker import WorkerFailed

from backends.contract import RunFiles
from forge_tui.machine_watch import MachineWatch
from forge_tui.opening import QuickScreen, fit
from forge_tui.settings import Look
from forge_tui.slow_line import SlowLineApp
from forge_tui.themes import THEMES, theme_for

if TYPE_CHECKING:
    from forge_tui.tryit.conversation import Drawing

# Seconds in which a second ctrl+c leaves.
_SECOND_TIME = 3.0


class ForgeApp(SlowLineApp):
    """Keyboard-driven; still when nothing changes."""

    TITLE = "forge-tui"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    Screen { layout: vertical; }
    Toast { width: auto; max-width: 95%; }
    ForgeApp:nocolor OptionList > .option-list--option-highlighted { text-style: bold reverse; }
    ForgeApp:nocolor DataTable > .datatable--cursor { text-style: bold reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "show_keys", "keys", key_display="?", id="app.keys"),
        Binding("f1,w", "show_terms", "terms", show=False, tooltip="what the words here mean", id="app.terms"),
        Binding("ctrl+c", "interrupt", "quit", show=False, id="app.interrupt", priority=True),
    ]

    def __init__(
        self,
        wizard_data: str | None = None,
        wizard: bool = False,
        run_id: str | None = None,
        log: str | None = None,
        look: Look | None = None,
        chat: tuple[str, Drawing] | None = None,
    ) -> None:
        super().__init__(ansi_color=None)
        look = look or Look()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = theme_for(look.theme, os.environ, self.no_color)
        self.set_keymap(dict(look.keys))
        self._own_keys = look.keys
        self._wizard_data, self._wizard, self._run_id, self._foreign_log = wizard_data, wizard, run_id, log
        self._chat = chat
        self.machine = MachineWatch()
        self._interrupted = 0.0
        self._clashes: set[str] = set()
        self._broken: set[str] = set()

    def on_mount(self) -> None:
        """Open the screen that was asked for; home lies below it."""
        from forge_tui.paths import runs_folder
        from forge_tui.screens.home import HomeScreen

        self.push_screen(HomeScreen())
        if self._chat is not None:
            run_id, drawing = self._chat
            self.open_try_it(RunFiles(runs_folder() / run_id), drawing, leaves_app=True)
        elif self._foreign_log is not None:
            self.open_log(self._foreign_log)
        elif self._run_id is not None:
            self.open_run(self._run_id, leaves_app=True)
        elif self._wizard:
            self.open_wizard(self._wizard_data)

    def on_unmount(self) -> None:
        """Nobody looks at the gauges any more."""
        self.machine.stop()

    def push_screen(self, screen: Any, *args: Any, **options: Any) -> Any:
        """Textual's own, for a screen that already has its classes for the size of the terminal."""
        if isinstance(screen, Screen) and not screen.is_running:
            fit(screen, self.size)
        return super().push_screen(screen, *args, **options)

    def _refresh_notifications(self) -> None:
        """Textual's own, once the screen has what shows notices."""
        if self._notifications and isinstance(self.screen, QuickScreen):
            self.screen.need_notices()
        super()._refresh_notifications()

    def open_run(self, run_id: str, leaves_app: bool = False) -> None:
        """Show the live monitor of a run."""
        from forge_tui.paths import runs_folder
        from forge_tui.screens.monitor import MonitorScreen

        self.push_screen(MonitorScreen(RunFiles(runs_folder() / run_id), leaves_app))

    def open_try_it(self, files: RunFiles, drawing: Drawing | None = None, leaves_app: bool = False) -> None:
        """Ask the model of a run; what it cannot be asked with is told."""
        from backends.contract import ForgeError
        from forge_tui.plain import plain
        from forge_tui.tryit.opening import asking_screen

        try:
            self.push_screen(asking_screen(files, drawing, leaves_app))
        except ForgeError as error:
            self.notify(plain(f"{error.why}. {error.fix}"), title=plain(error.what), severity="error", markup=False)

    def open_results(self, run_id: str) -> None:
        """Show what came out of a run, or say that it has no scores yet."""
        from backends.contract import RunFiles
        from forge_tui.paths import runs_folder
        from forge_tui.runs.results import has_results
        from forge_tui.screens.results import ResultsScreen

        files = RunFiles(runs_folder() / run_id)
        if has_results(files):
            self.push_screen(ResultsScreen(files))
        else:
            self.notify("This run has no results: they are there when it has finished.", markup=False)

    def open_overlay(self, run_ids: Sequence[str]) -> None:
        """Show the curves and settings of several runs beside each other."""
        from backends.contract import RunFiles
        from forge_tui.paths import runs_folder
        from forge_tui.screens.overlay import OverlayScreen

        self.push_screen(OverlayScreen([RunFiles(runs_folder() / run_id) for run_id in run_ids]))

    def open_log(self, path: str) -> None:
        """Show the log of another trainer, which was found readable before."""
        from pathlib import Path

        from forge_tui.runs.subject import LogSubject
        from forge_tui.screens.monitor import MonitorScreen

        self.push_screen(MonitorScreen(LogSubject(Path(path)), leaves_app=True))

    def open_wizard(self, data: str | None = None, at: str = "goal") -> None:
        """Show the way to a started run, from one of its questions."""
        from forge_tui.screens.wizard import WizardScreen

        self.push_screen(WizardScreen(data, at))

    def action_interrupt(self) -> None:
        """Ctrl-C leaves home at once; elsewhere the second one does: the first may have been a slip."""
        from forge_tui.screens.home import HomeScreen

        if isinstance(self.screen, HomeScreen) or time.monotonic() - self._interrupted < _SECOND_TIME:
            self.exit()
        self._interrupted = time.monotonic()
        self.notify("ctrl+c again leaves; runs go on, answers are kept.", timeout=_SECOND_TIME)

    def key_of(self, id: str, usual: str) -> str:
        """The key of an action as it is shown: the usual one, or that of settings.toml."""
        key = self._own_keys.get(id, usual).partition(",")[0].strip()
        return self.get_key_display(Binding(key, "", id=id))

    def action_leave(self) -> None:
        """Close the app; runs go on."""
        self.exit()

    def _use_theme(self, name: str) -> None:
        self.theme = name

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Say once which keys of settings.toml two actions of a screen share."""
        ids = sorted(binding.id for binding in clashed_bindings if binding.id)
        if ids and ids[0] not in self._clashes:
            self._clashes.update(ids)
            told = "another action has this key here, see [keys] in settings.toml"
            self.notify(f"{', '.join(ids)}: {told}", markup=False)

    def _handle_exception(self, error: Exception) -> None:
        """Work beside a screen that failed is told, once, and ends neither the app nor a run; all else ends the app."""
        cause = error.error if isinstance(error, WorkerFailed) else None
        if cause is None or not self.is_running:
            super()._handle_exception(error)
            return
        from forge_tui.broken import broken_lines
        from forge_tui.screens.text import TextScreen

        told = f"{type(cause).__name__}: {cause}"
        if told not in self._broken:
            self._broken.add(told)
            self.push_screen(TextScreen("Something failed here", broken_lines(cause)))

    def action_show_terms(self) -> None:
        """Explain the words of the present screen, and all others."""
        from forge_tui.screens.text import TextScreen
        from forge_tui.terms import term_lines

        seen = "\n".join(strip.text for strip in self.screen._compositor.render_strips())
        self.push_screen(TextScreen("What the words mean", term_lines(seen)))

    def action_show_keys(self) -> None:
        """List the keys of the present screen."""
        from forge_tui.screens.keys import KeysScreen

        self.push_screen(KeysScreen(self.screen))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything on a key of this screen is in the palette too."""
        for name in THEMES:
            if name != self.theme:
                told = f'until the end; for good: theme = "{name}" in settings.toml'
                yield SystemCommand(f"theme: {name.capitalize()}", told, lambda name=name: self._use_theme(name))
        named: set[str] = set()
        for active in screen.active_bindings.values():
            binding, node = active.binding, active.node
            if not binding.description or binding.system or not binding.id or binding.id in named:
                continue
            named.add(binding.id)
            area = binding.id.partition(".")[0]
            yield SystemCommand(
                f"{area}: {binding.description[:1].upper()}{binding.description[1:]}",
                binding.tooltip or f"key {self.get_key_display(binding)}",
                lambda action=binding.action, node=node: self.call_later(self.run_action, action, node),
            )
