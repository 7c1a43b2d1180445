"""The terminal app: opens the first screen and holds what all screens share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from forge_tui.machine_watch import MachineWatch


class ForgeApp(App[str]):
    """Keyboard-driven; still when nothing changes."""

    TITLE = "forge-tui"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    Screen { layout: vertical; }
    Footer { height: 1; }
    Toast { width: auto; max-width: 95%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "show_keys", "keys", key_display="?", id="app.keys"),
        Binding("ctrl+c", "leave", "quit", show=False, id="app.interrupt", priority=True),
    ]

    def __init__(self, wizard_data: str | None = None, wizard: bool = False, run_id: str | None = None) -> None:
        super().__init__(ansi_color=None)
        self._wizard_data, self._wizard, self._run_id = wizard_data, wizard, run_id
        self.machine = MachineWatch()

    def on_mount(self) -> None:
        """Open the screen that was asked for; home lies below it."""
        from forge_tui.screens.home import HomeScreen

        self.push_screen(HomeScreen())
        if self._run_id is not None:
            self.open_run(self._run_id, leaves_app=True)
        elif self._wizard:
            self.open_wizard(self._wizard_data)

    def on_unmount(self) -> None:
        """Nobody looks at the gauges any more."""
        self.machine.stop()

    def open_run(self, run_id: str, leaves_app: bool = False) -> None:
        """Show the live monitor of a run."""
        from backends.contract import RunFiles
        from forge_tui.paths import runs_folder
        from forge_tui.screens.monitor import MonitorScreen

        self.push_screen(MonitorScreen(RunFiles(runs_folder() / run_id), leaves_app))

    def open_wizard(self, data: str | None = None, at: str = "goal") -> None:
        """Show the way to a started run, from one of its questions."""
        from forge_tui.screens.wizard import WizardScreen

        self.push_screen(WizardScreen(data, at))

    def action_leave(self) -> None:
        """Close the app; runs go on."""
        self.exit()

    def action_show_keys(self) -> None:
        """List the keys of the present screen."""
        from forge_tui.screens.keys import KeysScreen

        self.push_screen(KeysScreen(self.screen))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything on a key of this screen is in the palette too."""
        named: set[str] = set()
        for active in screen.active_bindings.values():
            binding, node = active.binding, active.node
            if not binding.description or binding.system or not binding.id or binding.id in named:
                continue
            named.add(binding.id)
            area = binding.id.partition(".")[0]
            yield SystemCommand(
                f"{area}: {binding.description}",
                binding.tooltip or f"key {self.get_key_display(binding)}",
                lambda action=binding.action, node=node: self.call_later(self.run_action, action, node),
            )
