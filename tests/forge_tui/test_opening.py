"""Screens that stand there sooner miss nothing of Textual's: classes, styles after a change, notices."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.app import ComposeResult
from textual.widgets import Static
from textual.widgets._toast import Toast

from forge_tui.app import ForgeApp
from forge_tui.opening import QuickScreen


class Opened(QuickScreen):
    """Notes what it has when it is mounted, and how often its styles are looked up."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.at_first: frozenset[str] = frozenset()
        self.restyled = 0

    def compose(self) -> ComposeResult:
        yield Static("opened")

    def on_mount(self) -> None:
        self.at_first = self.classes

    def update_node_styles(self, animate: bool = True) -> None:
        self.restyled += 1
        super().update_node_styles(animate)


def test_a_screen_knows_its_size_before_its_first_frame_and_is_styled_once(home: Any) -> None:
    async def script() -> None:
        app = ForgeApp()
        async with app.run_test(size=(120, 15)) as pilot:
            screen = Opened()
            await app.push_screen(screen)
            await pilot.pause()
            assert screen.at_first == {"-wide", "-low"} and screen.restyled == 0
            await pilot.resize_terminal(80, 40)
            assert screen.classes == {"-narrow", "-high"}

    asyncio.run(script())


def test_a_screen_that_comes_back_takes_what_has_changed(home: Any) -> None:
    async def script() -> None:
        app = ForgeApp()
        async with app.run_test() as pilot:
            below = Opened()
            await app.push_screen(below)
            await app.push_screen(Opened())
            before = below.styles.background
            app.theme = "light"
            app.pop_screen()
            await pilot.pause()
            assert below.styles.background != before

    asyncio.run(script())


def test_a_notice_is_shown_on_a_new_screen_and_on_the_next(home: Any) -> None:
    async def script() -> None:
        app = ForgeApp()
        async with app.run_test(notifications=True) as pilot:
            await app.push_screen(Opened())
            assert not app.screen.query(Toast)
            app.notify("something happened", markup=False)
            await pilot.pause()
            assert len(app.screen.query(Toast)) == 1
            await app.push_screen(Opened())
            await pilot.pause()
            assert len(app.screen.query(Toast)) == 1

    asyncio.run(script())
