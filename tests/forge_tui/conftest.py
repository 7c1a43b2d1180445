"""Drives the app by its keys alone and reads its screen as text."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")  # as forge_tui.start does; Textual reads it when imported

from forge_tui.app import ForgeApp

PATIENCE = 20.0


class Person:
    """Somebody at the terminal: presses keys, sees text, waits until something is so."""

    def __init__(self, app: ForgeApp, pilot: Any) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each answered before the next."""
        for key in keys:
            await self.pilot.press(key)
            for _ in range(3):  # from the key to the widget to its message to who handles it
                await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.press(*text)

    async def until(self, done: Callable[[], Any], what: str = "what was waited for") -> Any:
        """Wait until `done` gives something true; fails with the screen when it never does or the app crashed."""
        deadline = time.monotonic() + PATIENCE
        while not (found := done()):
            if self.app._exception is not None:
                raise self.app._exception
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come; the screen is\n{self.text}")
            await self.pilot.pause()
            await asyncio.sleep(0.02)
        return found

    async def see(self, *words: str) -> None:
        """Wait until all of these are on the screen, be it across the end of a line."""

        def are_there() -> bool:
            text = self.text
            return all(word in text for word in words) or all(word in _flat(text) for word in words)

        await self.until(are_there, f"{words!r}")

    async def see_no(self, *words: str) -> None:
        """Wait until none of these is on the screen."""
        await self.until(lambda: not any(word in self.text for word in words), f"the end of {words!r}")

    async def arrive(self, name: str) -> Any:
        """Wait until the screen with this class name is on top and return it."""
        await self.until(lambda: type(self.app.screen).__name__ == name, name)
        await self.settle()
        return self.app.screen

    async def settle(self) -> None:
        """Wait until no thread is at work for the screen and every message is answered."""
        workers = self.app.workers
        await self.until(
            lambda: all(each.is_finished for each in workers if each._thread_worker), "the end of the threads"
        )
        for _ in range(3):
            await self.pilot.pause()

    async def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        await self.pilot.resize_terminal(width, height)
        await self.pilot.pause()

    @property
    def lines(self) -> list[str]:
        """What is on the screen, row by row."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def flat(self) -> str:
        """What is on the screen with line ends, frames and runs of blanks as one blank."""
        return _flat(self.text)

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.lines)


def _flat(text: str) -> str:
    return " ".join(text.replace("│", " ").replace("▌", " ").split())


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`drive(script, size, **options of ForgeApp)`: run an app while `script(person)` uses it; gives the app back.

    Textual's pilot waits after each key until this process is idle, 40 ms at least and up to a second when a thread
    is at work; here every wait is for messages to be answered or for something to be seen.
    """

    async def no_wait(*times: float) -> None:
        await asyncio.sleep(0)

    for module in ("textual.app", "textual.pilot"):
        monkeypatch.setattr(f"{module}.wait_for_idle", no_wait)
    for interval in ("home.RUNS_SECONDS", "monitor.EVENTS_SECONDS", "monitor.LOG_SECONDS"):
        monkeypatch.setattr(f"forge_tui.screens.{interval}", 0.1)

    def run(script: Callable[[Person], Awaitable[None]], size: tuple[int, int] = (80, 24), **options: Any) -> ForgeApp:
        async def sit_down() -> ForgeApp:
            app = ForgeApp(**options)
            async with app.run_test(size=size, notifications=True) as pilot:
                await script(Person(app, pilot))
            return app

        return asyncio.run(sit_down())

    return run
