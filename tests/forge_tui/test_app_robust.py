"""What no screen may do: end the app when work beside it fails, fall over a size, or send what did not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from forge_tui.app import ForgeApp
from forge_tui.runs.status import Status, condition

SIZES = ((40, 10), (120, 40), (20, 5), (80, 24), (1, 1), (200, 60), (300, 8), (8, 90), (40, 10), (80, 24))


def fail(*_: Any) -> None:
    raise RuntimeError("the disk turned into a fish")


# --- work that fails ---------------------------------------------------------------------------------------------


def test_a_failed_action_is_told_and_ends_neither_app_nor_run(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = home.begin()
    monkeypatch.setattr("forge_tui.runs.control.request_checkpoint", fail)

    async def script(person: Any) -> None:
        await person.press("k")
        await person.see("Something failed here", "RuntimeError: the disk turned into a fish", "so does every run")
        await person.press("escape")
        await person.arrive("MonitorScreen")
        await person.see("tiny")

    drive(script, run_id=files.folder.name)
    assert condition(files).status is Status.RUNNING
    home.release(files)
    assert home.wait_end(files).status is Status.FINISHED


def test_a_failed_look_is_told_once_and_home_goes_on(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forge_tui.screens.home.list_runs", fail)

    async def script(person: Any) -> None:
        await person.see("Something failed here", "fish")
        await person.press("escape")
        await person.arrive("HomeScreen")
        person.app.screen.look_at_runs()
        await person.settle()
        assert type(person.app.screen).__name__ == "HomeScreen"
        await person.press("n")
        await person.see("What do you want to do?")

    drive(script)


# --- sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keys", "words"), [("", "coffee"), ("n", "What do you want to do?"), ("?", "open")])
def test_a_terminal_may_change_its_size_at_any_moment(
    home: Any, drive: Callable[..., Any], keys: str, words: str
) -> None:
    home.fabricate("20260102-030405-tabular-classification-0001", spec={"name": "coffee"}, exit={})

    async def script(person: Any) -> None:
        await person.see("coffee")
        await person.press(*keys)
        for width, height in SIZES:
            await person.resize(width, height)
            await person.until(lambda width=width: all(len(line) <= width for line in person.lines), "the new size")
            if width >= 40 and height >= 10:
                await person.see(words)

    drive(script)


# --- rest --------------------------------------------------------------------------------------------------------


def test_home_at_rest_sends_nothing(home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two samples of the machine the runs are looked at again and again."""
    home.fabricate("20260102-030405-tabular-classification-0001", spec={"name": "coffee"}, exit={})
    monkeypatch.setattr("forge_tui.screens.home.MACHINE_SECONDS", 3600.0)
    painted: list[Any] = []
    still: list[bool] = []

    def is_still() -> bool:
        """Whether the last frames of the beginning have come: nothing was painted in five looks one after the other."""
        still.append(not any(update is not None for update in painted))
        painted.clear()
        return len(still) >= 5 and all(still[-5:])

    async def script(person: Any) -> None:
        await person.see("coffee", "RAM")
        person.app.screen.look_at_runs()
        await person.settle()
        await person.settle()
        monkeypatch.setattr(ForgeApp, "_display", lambda app, screen, update: painted.append(update))
        await person.until(is_still, "rest")
        for _ in range(5):
            person.app.screen.look_at_runs()
            await person.settle()
        assert [update for update in painted if update is not None] == []
        await person.press("question_mark")
        await person.until(lambda: any(update is not None for update in painted), "a frame")

    drive(script)
