"""The monitor as plain text: the screen itself, painted once where nobody sees it."""

from __future__ import annotations

import asyncio
import os
import shutil

from forge_tui.runs.subject import Subject

_LEAST = (60, 16)


def printed_monitor(subject: Subject) -> str:
    """What the monitor shows now, in the size of the terminal, or 80x24 where there is none."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    size = shutil.get_terminal_size((80, 24))
    return asyncio.run(_paint(subject, (max(_LEAST[0], size.columns), max(_LEAST[1], size.lines))))


async def _paint(subject: Subject, size: tuple[int, int]) -> str:
    from textual.app import App

    from forge_tui.machine_watch import MachineWatch
    from forge_tui.screens.monitor import MonitorScreen

    while subject.view.read_more():
        pass

    class Printer(App[None]):
        machine = MachineWatch()

    app = Printer()
    app.machine.latest(2.0)
    async with app.run_test(size=size) as pilot:
        screen = MonitorScreen(subject)
        await app.push_screen(screen)
        await pilot.pause()
        screen.sample_machine()
        app.machine.latest(2.0)
        await pilot.pause()
        screen.look()
        await pilot.pause()
        lines = [strip.text.rstrip() for strip in screen._compositor.render_strips()]
    app.machine.stop()
    return "\n".join(lines[:-1]).rstrip()  # the last row names keys, which nobody can press here
