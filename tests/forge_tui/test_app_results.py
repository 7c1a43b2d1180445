"""The results of a run by keys: from home and from the monitor, page by page, with good, missing and damaged files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from backends.contract import RunFiles

RUN = "20260102-030405-text-classification-0a1b"
EXIT = {"attempt": 1, "code": 0, "signal": None, "asked_to_stop": False}
BASELINES = {"majority class": {"f1_macro": 0.3}, "TF-IDF": {"f1_macro": 0.6}}
REPORT = {
    "metrics": {"f1_macro": 0.8},
    "baselines": BASELINES,
    "baseline": BASELINES["TF-IDF"],
    "baseline_name": "TF-IDF",
    "held_out": {"rows": 200, "mistakes": 30, "kept": 31, "sorted_by": "confidence"},
    "confusion": {
        "classes": [
            {"name": "ham", "count": 150, "predicted": 150, "right": 135},
            {"name": "spam", "count": 50, "predicted": 50, "right": 35},
        ],
        "pairs": [
            {"expected": "spam", "predicted": "ham", "count": 15},
            {"expected": "ham", "predicted": "spam", "count": 15},
        ],
    },
}
EVENTS = [
    *(
        {"t": 1767326000 + step, "kind": "metrics", "step": step, "total_steps": 50, "values": {"loss": 1 / step}}
        for step in range(1, 51)
    ),
    {"t": 1767326645, "kind": "finished", "metrics": {}, "baseline": {}, "model_path": "model"},
]


def mistake(number: int) -> dict[str, Any]:
    """Every second one takes ham for spam; the texts are long."""
    names = ("ham", "spam") if number % 2 else ("spam", "ham")
    said = {"expected": names[0], "predicted": names[1], "wrong": True, "probability": 0.9 - number / 100}
    return {"input": f"mail {number}: " + "顧客 and more words " * 40, **said}


ROWS = [*map(mistake, range(30)), {"input": "right", "expected": "ham", "predicted": "ham", "wrong": False}]


@pytest.fixture
def make(home: Any) -> Callable[..., RunFiles]:
    """A finished run with such a report and such predictions."""

    def run(report: Any = REPORT, rows: Any = ROWS, **parts: Any) -> RunFiles:
        spec = {"name": "mails", "task": "text-classification", "model": "/a/model"}
        standard: dict[str, Any] = {"spec": spec, "exit": EXIT, "events": EVENTS}
        files: RunFiles = home.fabricate(RUN, report=report, **{**standard, **parts})
        if rows is not None:
            content = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
            files.predictions.write_text(content)
        return files

    return run


async def open_results(person: Any) -> Any:
    """From home, with the key that is told there."""
    await person.settle()
    await person.until(lambda: person.app.screen.query_one("DataTable").row_count, "the list of runs")
    await person.press("v")
    screen = await person.arrive("ResultsScreen")
    await person.settle()
    return screen


def test_the_pages_by_keys(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    make()

    async def script(person: Any) -> None:
        await open_results(person)
        await person.see("1 RESULT   2 confusion   3 mistakes   4 curves", "Better than both simple methods", "TF-IDF")
        await person.press("2")
        await person.see("2 CONFUSION", "[135]", "spam taken for ham (15 of 50)")
        await person.press("right")
        await person.see(
            "3 MISTAKES", "30 mistakes, the worst first by confidence", "> 1 of 30", "mail 0:", "how sure  90%"
        )
        await person.press("4")
        await person.see("4 CURVES", "loss ─ train .0200")
        assert any("\u2801" <= letter <= "\u28ff" for letter in person.text)
        await person.press("left", "left", "left")
        await person.see("1 RESULT")
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script)


def test_mistakes_are_read_one_by_one_in_full_and_by_pair(
    make: Callable[..., RunFiles], drive: Callable[..., Any]
) -> None:
    make()

    async def script(person: Any) -> None:
        await open_results(person)
        await person.press("3")
        await person.see("> 1 of 30")
        await person.press("down", "down")
        await person.see("> 3 of 30", "mail 2:")
        await person.press("end")
        await person.see("> 30 of 30", "mail 29:")
        assert "mail 28:" not in person.text
        await person.press("home", "pagedown", "enter")
        await person.arrive("TextScreen")
        assert person.flat.count("顧客 and more words") >= 39, "all of it"
        await person.press("escape", "f")
        await person.see(
            "the mistakes (30 are kept)", "spam taken for ham (15)", "also those that are right (31 are kept)"
        )
        await person.press("down", "enter")
        await person.see("> 1 of 15", "spam taken for ham; f chooses others")
        await person.press("f", "end", "enter")
        await person.see("> 1 of 31")
        await person.press("end")
        await person.see("> 31 of 31", "text      right")

    drive(script)


def test_the_monitor_of_a_finished_run_offers_them(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    make()

    async def script(person: Any) -> None:
        await person.see("finished: f1_macro 0.8", "v shows what came out")
        await person.press("v")
        await person.arrive("ResultsScreen")
        await person.press("i")
        await person.arrive("InfoScreen")
        await person.press("escape", "q")
        await person.arrive("MonitorScreen")

    drive(script, run_id=RUN)


def test_they_are_in_the_palette_as_an_action_of_the_run(
    make: Callable[..., RunFiles], drive: Callable[..., Any]
) -> None:
    make()

    async def script(person: Any) -> None:
        await person.settle()
        names = [command.title for command in person.app.get_system_commands(person.app.screen)]
        assert "run: Results" in names

    drive(script)


def test_a_run_without_results_says_so(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    make(report={"baseline": {"f1_macro": 0.5}}, rows=None)

    async def script(person: Any) -> None:
        await person.settle()
        await person.until(lambda: person.app.screen.query_one("DataTable").row_count, "the list of runs")
        await person.press("v")
        await person.see("This run has no results")
        assert type(person.app.screen).__name__ == "HomeScreen"

    drive(script)


@pytest.mark.parametrize(
    "rows, told",
    [
        (None, "this run has kept no predictions"),
        ("no json\n", "predictions.jsonl is damaged"),
        (ROWS[-1:], "No mistake among 200 held-out rows."),
        ("no json\n" + json.dumps(mistake(3)) + "\n", "(1 line of the file cannot be read)"),
    ],
    ids=["none", "damaged", "no mistake", "half damaged"],
)
def test_predictions_that_are_missing_or_damaged(
    make: Callable[..., RunFiles], drive: Callable[..., Any], rows: Any, told: str
) -> None:
    report = {**REPORT, "held_out": {"rows": 200}} if rows == ROWS[-1:] else REPORT
    make(report=report, rows=rows)

    async def script(person: Any) -> None:
        await open_results(person)
        await person.press("3")
        await person.see(told)
        await person.press("enter", "f", "escape", "down", "end", "home", "1")
        await person.see("1 RESULT")

    drive(script)


@pytest.mark.parametrize("size", [(40, 10), (200, 50)])
def test_any_size_will_do(make: Callable[..., RunFiles], drive: Callable[..., Any], size: tuple[int, int]) -> None:
    make()

    async def script(person: Any) -> None:
        await open_results(person)
        for page in ("1", "2", "3", "4", "3"):
            await person.press(page)
        await person.resize(80, 24)
        await person.see("> 1 of 30", "mail 0:")

    drive(script, size)
