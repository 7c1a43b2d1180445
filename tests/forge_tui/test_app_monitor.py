"""The monitor by keys: what it shows of a run's event log and log, however long, broken or alive they are."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backends.contract import RunFiles, read_json, write_json
from forge_tui.runs.lock import take_lock
from forge_tui.runs.status import Status, condition
from forge_tui.runs.tail import LineTail
from forge_tui.runs.view import CHUNK_BYTES
from forge_tui.screens.monitor import MonitorScreen
from forge_tui.screens.monitor_log import LOG_BYTES, LOG_LINES
from forge_tui.widgets.loglines import LogLines
from forge_tui.widgets.plot import Plot

SIZES = [(80, 24), (120, 40)]
at_both_sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
RUN = "20260102-030405-text-classification-0a1b"
OTHER = "20260102-030406-text-classification-0a1c"
TOTAL = 1000
BASELINES = {"majority class": {"f1_macro": 0.3, "accuracy": 0.5}, "TF-IDF": {"f1_macro": 0.42, "accuracy": 0.6}}
REPORT = {"baselines": BASELINES, "baseline": BASELINES["TF-IDF"], "baseline_name": "TF-IDF"}
ERROR = {
    "what": "The disk is full",
    "why": "nothing more can be written to /a/folder/with/a/long/name; the last whole checkpoint is kept",
    "fix": "Free some space there, then resume the run: it goes on from its last checkpoint.",
}


def metrics(step: int, total: int = TOTAL, **values: float | None) -> dict[str, Any]:
    """One second a step, the hundredth step now."""
    moment = time.time() - 100 + step
    return {"t": moment, "kind": "metrics", "step": step, "epoch": None, "total_steps": total, "values": values}


def training(
    steps: int = 100, start: int = 1, loss: Callable[[int], float | None] = lambda step: 1 / step
) -> list[Any]:
    """The events of so many steps, with an evaluation at each tenth."""
    events: list[Any] = [{"t": time.time() - 101, "kind": "phase", "name": "training"}] if start == 1 else []
    for step in range(start, steps + 1):
        events.append(metrics(step, loss=loss(step), learning_rate=1e-3, grad_norm=1.0))
        if step % 10 == 0:
            scores = {"f1_macro": 0.5 + step / 1000, "accuracy": 0.6 + step / 1000}
            events.append(metrics(step, eval_loss=1.1 / step, **scores))
    return events


def write(files: RunFiles, *events: dict[str, Any] | str) -> None:
    """Append events, or lines as they are."""
    with files.events.open("a") as stream:
        stream.writelines(each if isinstance(each, str) else json.dumps(each) + "\n" for each in events)


@pytest.fixture
def make(home: Any) -> Iterator[Callable[..., RunFiles]]:
    """`make(events, alive=..., run=..., **parts)`: a run by hand; the lock of one that is alive is held by the test."""
    locks: list[int] = []

    def run(events: Any = (), alive: bool = True, run: str = RUN, **parts: Any) -> RunFiles:
        standard = {"spec": {"name": "tickets", "task": "text-classification"}, "report": REPORT}
        files: RunFiles = home.fabricate(run, events=events, **{**standard, **parts})
        if alive:
            locks.append(take_lock(files.lock))
        return files

    yield run
    for lock in locks:
        os.close(lock)


def plot(person: Any, name: str) -> Plot:
    found: Plot = person.app.screen.query_one(f"#{name}", Plot)
    return found


def shown_lines(person: Any) -> list[str]:
    """The log as far as it is on the screen."""
    lines: list[str] = person.app.screen.query_one(LogLines).shown_lines()
    return lines


async def open_last(person: Any) -> MonitorScreen:
    """Open the first run of the list."""
    await person.settle()
    await person.until(lambda: person.app.screen.query_one("#runs").row_count, "the list of runs")
    await person.press("enter")
    screen: MonitorScreen = await person.arrive("MonitorScreen")
    return screen


# --- what it shows -----------------------------------------------------------------------------------------------


@at_both_sizes
def test_a_running_run(make: Callable[..., RunFiles], drive: Callable[..., Any], size: tuple[int, int]) -> None:
    make(training())

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see(
            "tickets · text-classification · full   running",
            "training  step 100 of 1,000",
            "10%",
            "left 15m 00s",
            "loss ─ train .0100  ┄ eval .0110",
            "f1_macro ┄ eval .6000",
            "best .6000",
            "RAM",
            "step 100  eval_loss 0.011  f1_macro 0.6  accuracy 0.7",
        )
        braille = [line for line in person.lines if any("\u2801" <= character <= "\u28ff" for character in line)]
        assert len(braille) >= 8
        assert "┄┄┄┄┄┄┄┄" in person.text
        assert "TF-IDF .42" in person.text

    drive(script, size)


@at_both_sizes
def test_g_shows_one_metric_after_the_other(
    make: Callable[..., RunFiles], drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    make(training())

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("f1_macro ┄ eval")
        seen = [plot(person, "metric").title]
        for _ in range(4):
            await person.press("g")
            title = plot(person, "metric").title
            await person.see(f"{title} {'─ train' if title in ('learning_rate', 'grad_norm') else '┄ eval'}")
            seen.append(title)
        assert seen == ["f1_macro", "accuracy", "learning_rate", "grad_norm", "f1_macro"]

    drive(script, size)


@at_both_sizes
def test_a_failed_run_says_what_why_and_what_to_do(
    make: Callable[..., RunFiles], drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    make([*training(), {"t": time.time(), "kind": "error", **ERROR}], alive=False, exit={"exit_code": 1})

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("failed", ERROR["what"], ERROR["fix"])
        assert "resume" in person.lines[-1] and "stop" not in person.lines[-1]
        await person.press("i")
        await person.arrive("InfoScreen")
        await person.see(*ERROR.values(), "majority class", "TF-IDF", "0.4200")

    drive(script, size)


@at_both_sizes
def test_info_holds_settings_reasons_and_files(
    make: Callable[..., RunFiles], drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    spec = {
        "name": "tickets",
        "task": "text-classification",
        "columns": {"text": "message", "label": "team"},
        "settings": {f"setting_{number}": number for number in range(20)},
        "reasons": {f"setting_{number}": f"reason [b]{number}[/b]" for number in range(20)},
    }
    measured = {"training_seconds": 61, "memory": {"measured_peak_bytes": 2**30}}
    report = {**REPORT, **measured, "metrics": {"f1_macro": 0.744, "accuracy": 0.8}}
    files = make([*training(), {"kind": "finished"}], alive=False, spec=spec, exit={}, report=report)

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("✓ finished", "100%")
        await person.press("i")
        await person.arrive("InfoScreen")
        seen = ""
        for _ in range(12):
            seen += person.flat
            await person.press("pagedown")
        for words in ("0.7440", "0.4200", "training took 1m 01s", "1.0 GiB", "label = team", "reason [b]19[/b]"):
            assert words in seen
        assert files.folder.name in seen.replace(" ", "")
        await person.press("escape")
        await person.arrive("MonitorScreen")

    drive(script, size)


def test_the_scores_of_info_fit_80_columns(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    scores = {"f1_macro": 0.5, "precision_macro": 0.25}
    names = ("majority class", "logistic regression on TF-IDF", "first sentence of the text")
    report = {**REPORT, "metrics": scores, "baselines": dict.fromkeys(names, scores)}
    make([{"kind": "finished"}], alive=False, exit={}, report=report)

    async def script(person: Any) -> None:
        await open_last(person)
        await person.press("i")
        await person.arrive("InfoScreen")
        await person.see("precision_macro", "first sentence of the text")
        assert any(
            line.split("│")[1].split() == ["majority", "class", "0.5000"] for line in person.lines if "│" in line
        )

    drive(script)


def test_info_holds_the_scores_of_each_type(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    by_type: dict[str, Any] = {
        "place": {"f1": 0.5, "precision": 0.25, "recall": 1.0, "count": 7},
        "creative-work": {"f1": 0.875, "precision": 1.0, "recall": 0.75, "count": 1200},
        "odd": {"f1": None, "recall": "many"},
    }
    files = make([{"kind": "finished"}], alive=False, exit={}, report={**REPORT, "by_type": by_type})

    async def script(person: Any) -> None:
        await open_last(person)
        await person.press("i")
        await person.arrive("InfoScreen")
        await person.see("creative-work 0.8750 1.0000 0.7500 1,200", "place 0.5000 0.2500 1.0000 7")
        assert person.flat.index("creative-work") < person.flat.index("place 0.5000")  # the most frequent type first
        write_json(files.report, {**REPORT, "by_type": ["no", "object"]})
        await person.press("escape", "i")
        await person.see("TF-IDF", "task text-classification")

    drive(script)


def test_text_of_the_trainer_cannot_steer_the_terminal(
    make: Callable[..., RunFiles], drive: Callable[..., Any]
) -> None:
    evil = "\x1b[2J\x1b]0;title\x07[red]x[/red]\u202e\x9b31m"
    events = [
        {"kind": "phase", "name": f"training{evil}"},
        metrics(1, **{"loss": 1.0, f"f1{evil}": 0.5}),
        {"kind": "sample", "step": 1, "input": evil, "output": evil, "expected": evil},
        {"kind": "error", "what": evil, "why": evil, "fix": evil},
    ]
    spec = {
        "name": evil,
        "method": evil,
        "task": "text-classification",
        "settings": {"a": evil},
        "reasons": {"a": evil},
    }
    report = {"baselines": {evil: {"f1": 0.5}}, "baseline": {f"f1{evil}": 0.5}, "baseline_name": evil}
    files = make(events, alive=False, spec=spec, exit={"exit_code": 1}, report=report)
    files.log.write_text(f"{evil}\n" * 3)

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("[red]x[/red] · text-classification")
        texts = [person.text]
        for key in ("g", "l", "i"):
            await person.press(key)
            await person.settle()
            texts.append(person.text)
        for text in texts:
            assert "[red]x[/red]" in text
            assert not [character for character in text if not character.isprintable() and character != "\n"]

    drive(script)


# --- logs of every kind ------------------------------------------------------------------------------------------


def test_a_resumed_run_shows_each_step_once(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    events = [
        {"kind": "attempt", "n": 1, "from_step": 0},
        *training(100, loss=lambda step: 50.0 if step > 60 else 1.0),
        {"t": time.time(), "kind": "attempt", "n": 2, "from_step": 60},
        *training(120, start=61, loss=lambda step: 0.5),
    ]
    make(events, job={"attempt": 2})

    async def script(person: Any) -> None:
        screen = await open_last(person)
        await person.see("step 120 of 1,000", "train .5000")
        assert any("attempt 2 from step 60" in line for line in screen.view.lines)
        highest = screen.view.curves["loss"].maximum
        assert highest is not None and highest.y == 1.0

    drive(script)


def test_a_log_grows_while_it_is_watched(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    files = make()

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("starting", "no values yet")
        write(files, *training(5))
        await person.see("running", "step 5 of 1,000", "train .2000")
        line = json.dumps(metrics(6, loss=0.125)) + "\n"
        write(files, line[:30])
        person.app.screen.look()
        await person.see("step 5 of 1,000")
        write(files, line[30:])
        await person.see("step 6 of 1,000", "train .1250")
        write(files, {"kind": "phase", "name": "evaluating"})
        await person.see("evaluating  step 6")

    drive(script)


def test_broken_lines_are_passed_over(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    files = make(training(10))
    write(files, "{\n", "\x00\x00\n", "null\n", '{"kind": "metrics", "step": 11, "values": {"loss": "low"}}\n')
    write(files, '{"kind": "phase", "t": 1e300, "name": "training"}\n', "\udcff\n".encode("utf-8", "replace").decode())
    write(files, metrics(12, loss=0.25), '{"kind": "metrics", "step": 13, "val')

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("step 12 of 1,000", "train .2500")

    drive(script)


@at_both_sizes
def test_a_loss_that_is_no_number_is_marked_and_told(
    make: Callable[..., RunFiles], drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    make(training(60, loss=lambda step: None if step >= 42 else 1.0))

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("! loss is not a number since step 42: lower the learning rate")
        assert any("×" in line for line in person.lines[3:])

    drive(script, size)


def test_nothing_but_nan_is_no_reason_to_crash(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    make([metrics(step, loss=None, eval_loss=None, f1_macro=None) for step in range(1, 9)])

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("no finite values yet", "is not a number since step 1")
        await person.press("g", "l", "l", "i", "escape")
        await person.arrive("MonitorScreen")

    drive(script)


def test_a_log_of_100_000_steps_leaves_the_keys_alive(
    make: Callable[..., RunFiles], drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 100_000
    files = make()
    with files.events.open("w") as stream:
        for step in range(1, steps + 1):
            values = f'{{"loss": {1 / step}}}'
            stream.write(
                f'{{"t": {step}, "kind": "metrics", "step": {step}, "total_steps": {steps}, "values": {values}}}\n'
            )
    pieces: list[int] = []
    answered: list[int] = []
    read, toggle = LineTail.read, MonitorScreen.action_pane

    def watched_read(self: LineTail, *most: int) -> list[bytes]:
        before = self.offset
        lines = read(self, *most)
        if self.path == files.events:
            pieces.append(self.offset - before)
        return lines

    def watched_toggle(self: MonitorScreen, name: str) -> None:
        answered.append(self.view.step or 0)
        toggle(self, name)

    monkeypatch.setattr(LineTail, "read", watched_read)
    monkeypatch.setattr(MonitorScreen, "action_pane", watched_toggle)

    async def script(person: Any) -> None:
        await person.see("tickets")
        pieces.clear()
        await person.press("enter", "l", "l")
        screen = await person.arrive("MonitorScreen")
        await person.until(lambda: screen.view.step == steps, "the last step")
        assert len(answered) == 2 and answered[-1] < steps
        assert max(pieces) <= CHUNK_BYTES
        assert screen.view.curves["loss"].buckets <= 2048
        await person.see("step 100,000 of 100,000", "100%")

    drive(script)


@at_both_sizes
def test_the_end_of_a_huge_log_is_shown_without_reading_it(
    make: Callable[..., RunFiles], drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    files = make(training())
    with files.log.open("wb") as stream:
        stream.truncate(200 << 20)
        stream.seek(0, 2)
        stream.write(b"\nepoch 1\r\x1b[31mepoch 2\x1b[0m\n[bold]the last line[/bold]\n 90%|######")
    pieces: list[int] = []
    read = LineTail.read

    def watched(self: LineTail, *most: int) -> list[bytes]:
        before = self.offset
        lines = read(self, *most)
        if self.path == files.log:
            pieces.append(self.offset - before)
        return lines

    monkeypatch.setattr(LineTail, "read", watched)

    async def script(person: Any) -> None:
        await open_last(person)
        await person.press("l")
        await person.see("epoch 2", "[bold]the last line[/bold]", "90%|######")
        assert "epoch 1" not in person.text
        assert plot(person, "loss").region.height == 0
        with files.log.open("ab") as stream:
            stream.write(b"\r100%|##########\nmore\n")
        await person.see("100%|##########", "more")
        assert "90%|" not in person.text
        assert sum(pieces) <= LOG_BYTES + 100
        await person.press("l")
        await person.see("loss ─ train", "eval_loss 0.011")

    drive(script, size)


def test_a_log_without_line_ends_is_not_called_empty(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    files = make(training(3))

    async def script(person: Any) -> None:
        await open_last(person)
        await person.press("l")
        await person.see("the trainer has written nothing")
        files.log.write_bytes(b"5%\r10%")
        await person.see("10%")
        assert "5%\r" not in person.text
        await person.press("escape")
        await person.arrive("HomeScreen")
        files.log.write_bytes(b"." * (LOG_BYTES * 2))
        await open_last(person)
        await person.press("l")
        await person.see("no line has ended yet")

    drive(script)


def test_a_log_is_kept_in_bounds(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    files = make(training(3))
    files.log.touch()

    async def script(person: Any) -> None:
        screen = await open_last(person)
        await person.press("l")
        for part in range(3):
            with files.log.open("a") as stream:
                stream.writelines(f"part {part} line {number}\n" for number in range(1000))
            screen.look()
            await person.see(f"part {part} line 999")
        assert len(screen.query_one(LogLines)._lines) == LOG_LINES

    drive(script)


def test_what_is_scrolled_back_to_stays_as_lines_are_added(
    make: Callable[..., RunFiles], drive: Callable[..., Any]
) -> None:
    files = make([{"kind": "notice", "level": "info", "message": f"message {number}"} for number in range(50)])
    files.log.write_text("".join(f"line {number}\n" for number in range(100)))

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("message 49")
        await person.press("up", "up", "pageup")
        before = shown_lines(person)
        assert before[-1].endswith("message 37")
        write(files, *({"kind": "notice", "level": "info", "message": f"message {number}"} for number in range(50, 55)))
        await person.until(lambda: person.app.screen.view.lines_seen == 55, "the new lines")
        assert shown_lines(person) == before
        await person.press(*["pagedown"] * 3)
        await person.see("message 54")
        await person.press("l")
        await person.see("line 99")
        await person.press("pageup")
        before = shown_lines(person)
        with files.log.open("a") as stream:
            stream.writelines(f"line {number}\n" for number in range(100, 108))
        await person.until(lambda: len(person.app.screen.query_one(LogLines)._lines) == 108, "the new lines")
        assert shown_lines(person) == before
        await person.press(*["pageup"] * 20)
        assert shown_lines(person)[0] == "line 0"
        await person.press("l", "l")
        await person.see("line 107")

    drive(script)


# --- sizes, several runs, odd folders ----------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["nothing", "curves", "log", "failed"])
def test_no_size_of_the_terminal_crashes(make: Callable[..., RunFiles], drive: Callable[..., Any], what: str) -> None:
    if what == "failed":
        files = make([*training(), {"kind": "error", **ERROR}], alive=False, exit={"exit_code": 1})
    else:
        files = make([] if what == "nothing" else training())
    files.log.write_text("".join(f"line {number} {'word ' * 50}\n" for number in range(100)))

    async def script(person: Any) -> None:
        await open_last(person)
        if what == "log":
            await person.press("l")
        for width, height in ((120, 40), (40, 12), (200, 60), (20, 5), (1, 1), (80, 24), (300, 8), (8, 90), (120, 40)):
            await person.resize(width, height)
            person.app.screen.look()
            await person.settle()
            await person.until(lambda width=width: all(len(line) <= width for line in person.lines), "the new size")
            if (width, height) in ((40, 12), (200, 60)):
                await person.see("tickets")
                if what in ("curves", "failed"):
                    await person.see("step 100", "loss ─ train")
            if width == 200 and what == "curves":
                await person.see("f1_macro", "accuracy")
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script, (120, 40))


def test_one_run_after_the_other(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    make(training(100))
    make(training(7), run=OTHER, spec={"name": "letters", "task": "text-classification"})

    async def script(person: Any) -> None:
        first = await open_last(person)
        await person.see("letters", "step 7 of 1,000")
        await person.press("g", "l", "escape")
        await person.arrive("HomeScreen")
        await person.press("down")
        second = await open_last(person)
        assert second is not first
        await person.see("tickets", "step 100 of 1,000", "f1_macro ┄ eval .6000")
        assert "letters ·" not in person.text
        assert not first.is_attached

    drive(script)


@pytest.mark.parametrize("missing", ["spec.toml", "events.jsonl", "job.json", "lock", "everything"])
def test_a_folder_that_is_not_whole_can_be_looked_at(
    make: Callable[..., RunFiles], drive: Callable[..., Any], missing: str
) -> None:
    files = make(training(10), alive=False, exit={})

    async def script(person: Any) -> None:
        await person.see("tickets")
        if missing != "everything":
            (files.folder / missing).unlink()
        await person.press("enter")
        await person.arrive("MonitorScreen")
        if missing == "everything":
            await person.see("step 10")
            shutil.rmtree(files.folder)
            person.app.screen.look()
        await person.press("g", "l", "i")
        await person.arrive("InfoScreen")
        await person.press("escape", "escape")
        await person.arrive("HomeScreen")

    drive(script)


def test_a_damaged_report_is_no_reason_to_crash(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    files = make(training(10))
    files.report.write_text('{"baseline": {"f1_macro": 0.4')

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("step 10")
        write_json(files.report, REPORT)
        write(files, metrics(20, loss=0.5, f1_macro=0.6, eval_loss=0.5))
        await person.until(lambda: person.app.screen.view.step == 20, "step 20")
        assert plot(person, "metric")._baseline == (0.42, "TF-IDF")

    drive(script)


# --- steering a run ----------------------------------------------------------------------------------------------


@at_both_sizes
def test_a_run_is_stopped_and_resumed_by_keys(home: Any, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    files = home.begin({"hold": ["step 3", "step 4"]})

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("running", "step 3 of 5")
        await person.press("r")  # nothing to resume while it runs
        await person.press("k")
        await person.see("saved checkpoint 3")
        await person.press("s")
        await person.see("Stop this run?")
        await person.press("escape")
        await person.arrive("MonitorScreen")
        assert condition(files).status is Status.RUNNING
        await person.press("s")
        await person.see("Stop this run?")
        await person.press("y")
        await person.see("stopped: r goes on from the last checkpoint", " r resume")
        await person.press("s", "k")  # nothing to stop now
        await person.arrive("MonitorScreen")
        home.release(files)
        home.release(files, "step 4")
        await person.press("r")
        await person.see("✓ finished", "attempt 2 from step 3")

    drive(script, size)
    assert condition(files).attempt == 2


def test_stop_now_asks_first(home: Any, drive: Callable[..., Any]) -> None:
    files = home.begin()

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("running")
        await person.press("S")
        await person.see("What does not stop within 5 s is killed")
        await person.press("y")
        await person.see("stopped: r goes on")

    drive(script)
    assert condition(files).status is Status.STOPPED
    assert (read_json(files.control) or {})["request"] == "stop-now"


def test_what_cannot_be_done_is_told(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    make(training(3), alive=False, job={"host": "gpu-07"})

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("elsewhere")
        await person.press("r")
        await person.see("The run belongs to another machine", "Log in to gpu-07")

    drive(script)


# --- leaving and coming back -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["q", "escape"])
def test_leaving_a_running_run_says_how_to_come_back(home: Any, drive: Callable[..., Any], key: str) -> None:
    files = home.begin()

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see("running")
        await person.press(key)
        await person.arrive("HomeScreen")
        await person.see("tiny goes on. Come back here, or with:", "forge-tui watch", files.folder.name)

    drive(script)
    assert condition(files).status is Status.RUNNING


@pytest.mark.parametrize("key", ["q", "escape"])
def test_leaving_a_watched_run_ends_the_app_with_the_way_back(home: Any, drive: Callable[..., Any], key: str) -> None:
    files = home.begin()

    async def script(person: Any) -> None:
        await person.see("running", "step 3 of 5", "leave (it runs on)")
        await person.press(key)
        await person.until(lambda: not person.app.is_running or person.app._exit, "the end of the app")

    app = drive(script, run_id=files.folder.name)
    assert app.return_value == (
        f"The run goes on without this window. Come back with: forge-tui watch {files.folder.name}"
    )
    assert condition(files).status is Status.RUNNING


def test_leaving_an_ended_run_says_nothing(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    make([*training(), {"kind": "finished"}], alive=False, exit={})

    async def script(person: Any) -> None:
        await person.see("✓ finished")
        await person.press("q")
        await person.until(lambda: person.app._exit, "the end of the app")

    assert drive(script, run_id=RUN).return_value is None


def test_a_run_is_watched_by_one_app_after_the_other(home: Any, drive: Callable[..., Any]) -> None:
    files = home.begin({"hold": ["step 3", "step 8"], "steps": 10})

    async def first(person: Any) -> None:
        await person.see("running", "step 3 of 10")
        await person.press("q")

    async def second(person: Any) -> None:
        await person.see("running", "step 8 of 10")
        curve = person.app.screen.view.curves["loss"]
        assert (curve.buckets, curve.bounds().left, curve.bounds().right) == (8, 1, 8)
        home.release(files, "step 8")
        await person.see("✓ finished")
        assert (curve.buckets, curve.latest) == (10, (10, 0.1))
        await person.see("loss ─ train .1000")

    drive(first, run_id=files.folder.name)
    home.release(files)
    home.wait_at(files, "step 8")
    drive(second, run_id=files.folder.name)
    assert home.wait_end(files).status is Status.FINISHED


# --- plots and log by keys ---------------------------------------------------------------------------------------


def test_curves_are_zoomed_smoothed_and_drawn_over_time(
    make: Callable[..., RunFiles], drive: Callable[..., Any]
) -> None:
    make(training(400))

    async def script(person: Any) -> None:
        screen = await open_last(person)
        await person.see("step 400 of 1,000")
        await person.press("left")
        await person.see("values at 4")
        await person.press("left", "left", "plus")
        await person.until(lambda: screen.view.curves["loss"].bounds().left > 100, "the part")
        part = screen.view.drawing.part
        await person.press("less_than_sign")
        await person.until(lambda: screen.view.drawing.part[0] < part[0], "the part before")
        await person.press("0")
        await person.until(lambda: screen.view.drawing.part is None, "the whole run")
        await person.press("m")
        await person.see("smoothing .6")
        await person.press("y", "x")
        await person.see("plots by epoch, logarithmic", "no values yet by epoch")
        await person.press("x")
        await person.see("by time")
        await person.until(lambda: screen.view.drawing.over == "time" and "loss" in screen.view.curves, "the curves")
        await person.press("x", "m", "m", "m", "y")
        await person.see_no("plots by", "smoothing")

    drive(script)


def test_a_wide_screen_shows_six_plots(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    scores = {f"score_{number}": 0.5 for number in range(8)}
    make([metrics(step, loss=1 / step, **scores) for step in range(1, 20)])

    async def script(person: Any) -> None:
        await open_last(person)
        await person.see(*(f"score_{number} ┄ eval" for number in range(5)))
        assert "score_6" not in person.text
        await person.press("g")
        await person.see("score_5 ┄ eval")

    drive(script, (120, 40))


def test_the_log_is_searched_filtered_and_wrapped(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    files = make(training(3))
    lines = [f"line {number}" for number in range(300)]
    lines[20], lines[250], lines[251] = "a Needle here", "UserWarning: old", "ValueError: bad " + "x" * 100 + "END"
    files.log.write_text("".join(line + "\n" for line in lines))

    async def script(person: Any) -> None:
        await open_last(person)
        await person.press("l")
        await person.see("line 299", "follows the end")
        await person.press("slash", *"needle", "enter")
        await person.see("a Needle here", "scrolled back")
        await person.press("n")
        await person.press("f")
        await person.see("line 299")
        await person.press("e")
        await person.see("warnings and errors", "UserWarning: old", "ValueError: bad")
        assert "line 299" not in person.text and "END" not in person.text
        await person.press("w")
        await person.see("END")
        await person.press("e")
        await person.see_no("UserWarning")
        await person.press("slash", "q", "escape")
        assert type(person.app.screen).__name__ == "MonitorScreen"

    drive(script)


def test_sample_predictions_are_shown(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    sample = {"kind": "sample", "step": 10, "input": "where is my parcel", "output": "refund", "expected": "shipping"}
    later = [{**sample, "step": step, "output": said} for step, said in ((20, "refund"), (30, "shipping"))]
    number = {**sample, "input": "how many", "output": "4.5", "expected": "5"}
    make([*training(10), sample, number, *later])

    async def script(person: Any) -> None:
        await open_last(person)
        await person.press("p")
        await person.see("where is my parcel", "expected  shipping", "✗ step 10 to 20  refund", "✓ step 30  shipping")
        await person.see("how many", "   step 10  4.5")
        await person.press("p")
        await person.see("loss ─ train")

    drive(script)


def test_a_queued_run_says_what_it_waits_for(make: Callable[..., RunFiles], drive: Callable[..., Any]) -> None:
    files = make(job={"device": "cpu", "device_name": "CPU"})
    queue = files.folder.parent.parent / "queue"
    queue.mkdir()
    (queue / f"000010-{files.folder.name}").touch()

    async def script(person: Any) -> None:
        await person.see("queued", "waits for the CPU")
        await open_last(person)
        await person.see("queued  waits for the CPU", "queued · CPU")

    drive(script)
