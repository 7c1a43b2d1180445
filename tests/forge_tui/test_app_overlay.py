"""Several runs in one plot by keys: chosen at home, told apart by letters, with the settings in which they differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from backends.contract import RunFiles
from forge_tui.overlay_text import comparison_lines
from forge_tui.screens.home_runs import RunTable
from forge_tui.screens.overlay import MOST_RUNS
from forge_tui.settings import Look

EXIT = {"attempt": 1, "code": 0, "signal": None, "asked_to_stop": False}


def run_id(number: int) -> str:
    return f"20260102-03040{number}-text-classification-0a1b"


def events(scale: float, steps: int = 40, score: bool = True) -> list[dict[str, Any]]:
    """A loss that falls; every tenth step is evaluated."""
    found = []
    for step in range(1, steps + 1):
        values = {"loss": scale / step, "learning_rate": 0.1}
        if score and step % 10 == 0:
            values |= {"eval_loss": 2 * scale / step, "f1_macro": step / 100}
        found.append(
            {"t": 1767326000 + 2 * step, "kind": "metrics", "step": step, "total_steps": steps, "epoch": step / 20}
            | {"values": values}
        )
    return found


@pytest.fixture
def runs(home: Any) -> Callable[..., list[RunFiles]]:
    """So many finished runs, the newest first at home: run 0 is the oldest."""

    def make(count: int = 3) -> list[RunFiles]:
        return [
            home.fabricate(
                run_id(number),
                spec={
                    "name": f"run {number}",
                    "task": "text-classification",
                    "settings": {"learning_rate": 0.1 * (number + 1), "max_steps": 40},
                },
                exit=EXIT,
                events=events(number + 1.0, score=number != 2),
            )
            for number in range(count)
        ]

    return make


async def at_home(person: Any) -> None:
    await person.settle()
    await person.until(lambda: person.app.screen.query_one(RunTable).chosen, "the list of runs")


def test_chosen_runs_lie_over_each_other(runs: Callable[..., Any], drive: Callable[..., Any]) -> None:
    runs()

    async def script(person: Any) -> None:
        await at_home(person)
        await person.press("c")
        await person.see("Choose the runs to compare first: space on each of them.")
        await person.press("space", "down", "down", "space")
        await person.see("+ run 2", "+ run 0")
        assert "+ run 1" not in person.text
        await person.press("c")
        await person.arrive("OverlayScreen")
        await person.see("2 runs · metric 1 of 4: loss", "A .0750", "B .0250", "A  run 2", "B  run 0")
        plot = [line for line in person.lines[2:11] if any("\u2801" <= letter <= "\u28ff" for letter in line)]
        assert any("A" in line for line in plot) and any("B" in line for line in plot), "letters on the curves"
        await person.press("g")
        await person.see("metric 2 of 4: f1_macro", "A without values")
        await person.press("G", "x")
        await person.see("metric 1 of 4: loss · by epoch")
        await person.press("x", "m", "y")
        await person.see("by time · smoothing 0.6 · logarithmic")
        await person.press("pagedown", "pagedown", "pagedown")
        await person.see("What differs in what was asked for", "learning_rate")
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script)


def test_one_marked_run_is_compared_with_the_chosen_one(runs: Callable[..., Any], drive: Callable[..., Any]) -> None:
    runs()

    async def script(person: Any) -> None:
        await at_home(person)
        await person.press("space", "down", "c")
        await person.arrive("OverlayScreen")
        await person.see("A  run 2", "B  run 1")
        await person.press("escape", "up", "space")
        await person.see_no("+ run 2")

    drive(script)


def test_a_running_run_goes_on_in_the_overlay(
    runs: Callable[..., Any], drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forge_tui.screens.overlay.EVENTS_SECONDS", 0.05)
    made = runs()

    async def script(person: Any) -> None:
        await at_home(person)
        await person.press("space", "down", "space", "c")
        await person.arrive("OverlayScreen")
        await person.see("A .0750")
        with made[2].events.open("a") as log:
            log.write(json.dumps({**events(1)[-1], "step": 41, "values": {"loss": 7.5}}) + "\n")
        await person.see("A 7.500")

    drive(script)


@pytest.mark.parametrize("size", [(80, 24), (50, 12)])
def test_as_many_runs_as_letters_help(
    runs: Callable[..., Any], drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    runs(MOST_RUNS + 1)

    async def script(person: Any) -> None:
        await at_home(person)
        for _ in range(MOST_RUNS):
            await person.press("space", "down")
        await person.press("c")
        await person.arrive("OverlayScreen")
        await person.see(f"{MOST_RUNS} runs", "A  run 8")
        await person.press("escape", "space", "c")
        await person.see("9 runs are chosen; 8 at most")

    drive(script, size)


def test_in_ascii_and_with_other_keys(
    runs: Callable[..., Any], drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from forge_tui.symbols import uses_ascii

    monkeypatch.setenv("FORGE_ASCII", "1")
    uses_ascii.cache_clear()
    runs()

    async def script(person: Any) -> None:
        await at_home(person)
        await person.see("f7  new model", "a  advice")
        await person.press("c")
        await person.see("first: f9 on each of them")
        await person.press("f9", "down", "f9", "c")
        await person.arrive("OverlayScreen")
        await person.see("* A .0750  o B .0500")

    try:
        drive(script, look=Look(keys={"app.new": "f7", "run.mark": "f9,space"}))
    finally:
        uses_ascii.cache_clear()


def test_the_table_fits_and_keeps_the_ends_of_paths(runs: Callable[..., Any]) -> None:
    from forge_tui.runs.comparing import compare_runs

    summaries, scores, _ = compare_runs(runs(3))
    differing = [("data", ("/a/long/way/to/train-1.csv", "/a/long/way/to/train-2.csv", None))]
    lines = comparison_lines(summaries, scores, differing, 76)
    assert all(len(line) <= 76 for line in lines)
    assert lines[-1].split() == ["data", "…y/to/train-1.csv", "…y/to/train-2.csv", "-"]
    assert comparison_lines(summaries, scores, [], 76)[-1] == "All of what was asked for is the same."
    narrow = comparison_lines(summaries * 2, [(name, values * 2) for name, values in scores], [], 40)
    assert any(line.startswith("loss  A ") for line in narrow)
