"""Home by keys: what an empty one invites to, what a full one shows, and what can be done with a run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from forge_tui.nvml import GpuReading
from forge_tui.nvml_problems import Problem
from forge_tui.runs.status import Status, condition
from forge_tui.runs.store import list_runs
from forge_tui.widgets.key_line import KeyLine
from profiles.hardware import Gpu, GpuProcess

SIZES = [(80, 24), (120, 40)]
at_both_sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
MANY = 200


def run_id(number: int) -> str:
    return f"20260102-{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}-tabular-classification-{number:04x}"


def finished(home: Any, number: int, **parts: Any) -> Any:
    """A finished run; the higher its number the newer it is."""
    scores = {"f1_macro": 0.5 + number / 1000, "accuracy": 0.6}
    report = {"metrics": scores, "baseline": {"f1_macro": 0.4, "accuracy": 0.5}, "baseline_name": "majority class"}
    standard = {
        "spec": {"name": f"run {number}"},
        "events": [{"kind": "metrics", "step": 9, "total_steps": 10, "values": {}}, {"kind": "finished"}],
        "exit": {},
        "report": report,
    }
    return home.fabricate(run_id(number), **{**standard, **parts})


def failed(home: Any, number: int, **error: str) -> Any:
    told = {"what": "The disk is full", "why": "nothing more can be written", "fix": "Free some space.", **error}
    events = [{"kind": "metrics", "step": 3, "total_steps": 12, "values": {"loss": 0.5}}, {"kind": "error", **told}]
    return finished(home, number, events=events, exit={"exit_code": 1}, report=None)


def rows(person: Any) -> list[list[str]]:
    """The cells of the table, row by row."""
    table = person.app.screen.query_one(DataTable)
    return [[str(cell) for cell in table.get_row_at(row)] for row in range(table.row_count)]


def chosen(person: Any) -> str:
    """The name in the row of the cursor."""
    table = person.app.screen.query_one(DataTable)
    return str(table.get_cell_at(Coordinate(table.cursor_row, 0)))


# --- an empty home, keys, palette --------------------------------------------------------------------------------


@at_both_sizes
def test_an_empty_home_invites(home: Any, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    async def script(person: Any) -> None:
        await person.see("No runs yet", "t  the one-minute demo", "d  start from a data file", "a  advice")
        await person.see("cores", "RAM")
        await person.press("enter", "s", "r", "x")
        await person.settle()
        assert rows(person) == []
        assert type(person.app.screen).__name__ == "HomeScreen"

    drive(script, size)


@pytest.mark.parametrize("place", ["home", "wizard", "monitor", "monitor of an ended run"])
def test_every_key_of_the_footer_fits_in_80_columns(home: Any, drive: Callable[..., Any], place: str) -> None:
    files = None if place == "home" else finished(home, 1) if "ended" in place else home.begin()

    async def script(person: Any) -> None:
        if place == "wizard":
            await person.press("n")
        elif place.startswith("monitor"):
            await person.see("tabular")
            await person.press("enter")
            await person.arrive("MonitorScreen")
        await person.settle()
        assert len(person.app.screen.query_one(KeyLine).text) <= 80
        keys = [
            active.binding.description
            for active in person.app.screen.active_bindings.values()
            if active.binding.show and active.binding.id
        ]
        assert len(keys) >= 2
        last = person.lines[-1]
        assert [key for key in keys if key not in last] == []

    drive(script)
    assert files is None or files.folder.is_dir()


@at_both_sizes
def test_a_question_mark_lists_the_keys(home: Any, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    async def script(person: Any) -> None:
        await person.settle()
        await person.press("?")
        await person.arrive("KeysScreen")
        for words in ("new model", "demo", "stop", "resume", "delete", "quit", "ctrl+p"):
            assert words in person.text
        await person.press("?")
        await person.arrive("HomeScreen")

    drive(script, size)


def test_the_keys_of_a_running_run_are_listed_with_what_they_do(home: Any, drive: Callable[..., Any]) -> None:
    home.begin()

    async def script(person: Any) -> None:
        await person.see("running")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.press("?")
        await person.arrive("KeysScreen")
        await person.see("stop after this step, with a checkpoint", "stop, kill after 5 s", "save a checkpoint now")
        assert "go on from the last checkpoint" not in person.text
        await person.press("escape")
        await person.arrive("MonitorScreen")

    drive(script)


@at_both_sizes
def test_the_palette_offers_actions_by_name(home: Any, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    async def script(person: Any) -> None:
        await person.settle()
        await person.press("ctrl+p")
        await person.see("app: New model", "app: Demo")
        await person.type("delete")
        await person.see("run: Delete")
        await person.press("escape", "ctrl+p")
        await person.type("new mod")
        await person.see("app: New model")
        await person.settle()
        await person.press("enter", "enter")
        await person.see("New model   1 ")

    drive(script, size)


def test_the_palette_names_each_action_of_a_run_once(home: Any, drive: Callable[..., Any]) -> None:
    finished(home, 1)

    async def script(person: Any) -> None:
        await person.see("run 1")
        await person.press("enter")
        screen = await person.arrive("MonitorScreen")
        titles = [command.title for command in person.app.get_system_commands(screen)]
        assert len(titles) == len(set(titles))
        assert {"view: Plots", "view: Log", "view: Info", "view: Back"} <= set(titles)
        assert not {"run: Stop", "run: Checkpoint", "run: Resume"} & set(titles)
        await person.press("ctrl+p")
        await person.type("view info")
        await person.see("view: Info")
        await person.settle()
        await person.press("enter", "enter")
        await person.arrive("InfoScreen")

    drive(script)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_one_key_closes_the_app(home: Any, drive: Callable[..., Any], key: str) -> None:
    async def script(person: Any) -> None:
        await person.settle()
        await person.press(key)

    assert drive(script).return_code == 0


def test_away_from_home_the_second_ctrl_c_closes_the_app(home: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.settle()
        await person.press("d")
        await person.see("Which data file?")
        await person.press("ctrl+c")
        await person.see("ctrl+c again leaves", "Which data file?")
        assert person.app.is_running and not person.app._exit
        await person.press("ctrl+c")

    assert drive(script).return_code == 0


def test_the_words_of_a_screen_are_explained_in_plain_words(home: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.settle()
        await person.press("n")
        await person.see("What do you want to do?")
        await person.press("w")
        await person.see("On this screen", "One correction of the model", "All others")
        await person.press("escape")
        await person.see("What do you want to do?")

    drive(script)


@at_both_sizes
def test_the_demo_asks_for_a_task_and_starts(home: Any, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    async def script(person: Any) -> None:
        await person.settle()
        await person.press("t")
        await person.see("which task?", "Table: predict a class", "Text pair")
        await person.press("escape")
        await person.arrive("HomeScreen")
        assert list_runs() == []
        await person.press("t")
        await person.arrive("ChooseScreen")
        await person.press("down", "enter")
        await person.arrive("MonitorScreen")
        await person.see("demo-tabular-regression", "finished")

    drive(script, size)
    assert len(list_runs()) == 1


def test_a_demo_that_cannot_start_says_why(home: Any, drive: Callable[..., Any]) -> None:
    (home.path / "settings.toml").write_text("trainer_pyton = 'x'\n")

    async def script(person: Any) -> None:
        await person.settle()
        await person.press("t")
        await person.arrive("ChooseScreen")
        await person.press("enter")
        await person.see("trainer_pyton", "trainer_python")
        await person.arrive("HomeScreen")

    drive(script)
    assert list_runs() == []


# --- a full home -------------------------------------------------------------------------------------------------


@at_both_sizes
def test_two_hundred_runs_are_listed_newest_first(home: Any, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    for number in range(MANY):
        finished(home, number)

    async def script(person: Any) -> None:
        await person.see(f"run {MANY - 1}")
        assert [row[0] for row in rows(person)] == [f"run {number}" for number in reversed(range(MANY))]
        assert rows(person)[0][2:] == ["finished", "100% 1h 00m", "f1_macro .699 (+.299)"]
        assert "100% 1h 00m" in person.text and "f1_macro .699 (+.299)" in person.text
        await person.press("end")
        await person.see("run 0 ")
        assert chosen(person) == "run 0"
        assert "\nrun 0 " in person.text and "(+.1)" in person.text
        await person.press("home")
        await person.see(f"run {MANY - 1}")

    drive(script, size)


def test_the_cursor_stays_on_its_run(home: Any, drive: Callable[..., Any]) -> None:
    for number in range(30):
        finished(home, number)

    async def script(person: Any) -> None:
        await person.see("run 29")
        await person.press("down", "down", "down")
        assert chosen(person) == "run 26"
        finished(home, 40, spec={"name": "the new one"})
        person.app.screen.look_at_runs()
        await person.see("the new one")
        assert chosen(person) == "run 26"
        await person.press("enter")
        assert (await person.arrive("MonitorScreen")).files.folder.name == run_id(26)

    drive(script)


def test_only_cells_that_changed_are_written(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        finished(home, number)
    written: list[tuple[str, str, str]] = []
    update = DataTable.update_cell

    def watched(self: Any, row: str, column: str, value: Any, **options: Any) -> None:
        written.append((row, column, str(value)))
        update(self, row, column, value, **options)

    monkeypatch.setattr(DataTable, "update_cell", watched)

    async def script(person: Any) -> None:
        await person.see("run 19")
        monkeypatch.setattr(DataTable, "clear", lambda self: pytest.fail("the table was built anew"))
        person.app.screen.look_at_runs()
        await person.settle()
        assert written == []
        report = home.path / "runs" / run_id(7) / "report.json"
        report.write_text(report.read_text().replace("0.507", "0.957"))
        person.app.screen.look_at_runs()
        await person.see("f1_macro .957 (+.557)")
        assert written == [(run_id(7), "result", "f1_macro .957 (+.557)")]

    drive(script)


def test_a_failed_run_says_why(home: Any, drive: Callable[..., Any]) -> None:
    failed(home, 1)
    failed(home, 2, what="\x1b[31m[red]Out[/red]\x1b[0m of memory")

    async def script(person: Any) -> None:
        await person.see("failed", "25%", "The disk is full", "[red]Out[/red] of me")
        assert "\x1b" not in person.text

    drive(script)


def test_names_are_shown_as_they_are(home: Any, drive: Callable[..., Any]) -> None:
    for number, name in enumerate(("[red]x[/red]", "\x1b[2J\x1b]0;title\x07evil", "日本語のとても長い名前です", "")):
        finished(home, number, spec={"name": name})

    async def script(person: Any) -> None:
        await person.see("[red]x[/red]", "evil", "日本語", run_id(3)[:10])
        assert "title" not in person.text and "\x1b" not in person.text

    drive(script)


# --- doing something with a run ----------------------------------------------------------------------------------


@at_both_sizes
def test_a_run_is_stopped_after_a_question_and_resumed(
    home: Any, drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    files = home.begin()

    async def script(person: Any) -> None:
        await person.see("running")
        await person.press("s")
        await person.see("Stop tiny?", "A checkpoint is kept")
        await person.press("n")
        await person.arrive("HomeScreen")
        assert condition(files).status is Status.RUNNING
        await person.press("s")
        await person.arrive("ConfirmScreen")
        await person.press("y")
        await person.see("stopped")
        home.release(files)
        await person.press("r")
        await person.see("finished")

    drive(script, size)
    assert condition(files).attempt == 2


def test_a_run_that_ended_cannot_be_stopped_and_says_so(home: Any, drive: Callable[..., Any]) -> None:
    finished(home, 1)

    async def script(person: Any) -> None:
        await person.see("run 1")
        await person.press("s")
        await person.see("There is nothing to stop", "the run has finished")
        await person.press("r")
        await person.see("The run has finished", "there is nothing left to train")

    drive(script)


@at_both_sizes
def test_a_run_is_deleted_after_a_question(home: Any, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    for number in range(3):
        finished(home, number)
    folder: Path = home.path / "runs" / run_id(1)

    async def script(person: Any) -> None:
        await person.see("run 1")
        await person.press("down", "x")
        await person.see("Delete run 1 with its checkpoints and its model?")
        await person.press("escape")
        await person.arrive("HomeScreen")
        assert folder.is_dir()
        await person.press("x")
        await person.arrive("ConfirmScreen")
        await person.press("y")
        await person.until(lambda: len(rows(person)) == 2, "the end of a row")
        assert not folder.exists()
        assert chosen(person) == "run 0"

    drive(script, size)
    assert [files.folder.name for files in list_runs()] == [run_id(2), run_id(0)]


def test_a_live_run_is_not_deleted(home: Any, drive: Callable[..., Any]) -> None:
    files = home.begin()

    async def script(person: Any) -> None:
        await person.see("running")
        await person.press("x")
        await person.arrive("ConfirmScreen")
        await person.press("y")
        await person.see("The run is still alive", "Stop it first")

    drive(script)
    assert condition(files).status is Status.RUNNING


def test_a_run_of_another_machine_is_refused_by_name(home: Any, drive: Callable[..., Any]) -> None:
    finished(home, 1, job={"host": "gpu-07"}, exit=None)

    async def script(person: Any) -> None:
        await person.see("elsewhere")
        for key in ("r", "s"):
            await person.press(key)
            await person.see("Log in to gpu-07")

    drive(script)


# --- the gauges ---------------------------------------------------------------------------------------------------


def play(monkeypatch: pytest.MonkeyPatch, read: Callable[[], GpuReading]) -> None:
    """Let the driver of this machine say something."""
    monkeypatch.setattr("forge_tui.nvml.Nvml.read", lambda self: read())


def a10g(index: int, **facts: Any) -> Gpu:
    """A GPU of 24 GiB, 21 of them free."""
    standard = {"memory_total_bytes": 24 * 2**30, "memory_free_bytes": 21 * 2**30, "temperature_celsius": 41}
    return Gpu(index, name="NVIDIA A10G", **{**standard, **facts})


@at_both_sizes
def test_each_gpu_has_a_line_and_one_that_goes_away_loses_it(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    found = [a10g(0), a10g(1)]
    play(monkeypatch, lambda: GpuReading(tuple(found)))

    async def script(person: Any) -> None:
        await person.see("GPU 0  A10G  21.0 of 24.0 GiB free  41 °C", "GPU 1  A10G", "· 2 × NVIDIA A10G · high-end")
        assert person.lines[0].startswith(" forge-tui ") and person.lines[0].endswith("high-end")
        found.pop()
        person.app.screen.look_at_machine()
        await person.see_no("GPU 1")
        await person.see("GPU 0  A10G", "· NVIDIA A10G · high-end")

    drive(script, size)


def test_processes_of_others_stand_beside_their_gpu(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from forge_tui.system import own_user

    mine, evil = GpuProcess(1, own_user(), "mine.py"), GpuProcess(2, "ann", "\x1b[2Jpython")
    gauges = {"utilization_percent": 97, "power_watts": 288.0}
    gpus = (a10g(0, processes=(mine,)), a10g(1, processes=(mine, evil, GpuProcess(3)), **gauges))
    play(monkeypatch, lambda: GpuReading(gpus))

    async def script(person: Any) -> None:
        await person.see("util  97%  41 °C  288 W  ann: python; 1 u")
        assert "mine.py" not in person.text and "\x1b" not in person.text

    drive(script, (80, 24))


@at_both_sizes
def test_what_is_wrong_with_the_gpus_is_told(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    what = "The driver was updated while the old one is loaded, so no GPU can be used"
    problems = [Problem(what, "restart the machine"), Problem("Two")]
    play(monkeypatch, lambda: GpuReading((a10g(0),) if not problems else None, tuple(problems), (Problem("A remark"),)))

    async def script(person: Any) -> None:
        await person.see(
            "no GPU that can be used: runs use the CPU", "! The driver was updated", "restart the machine."
        )
        await person.see("(1 more: forge-tui hardware)", "· cpu")
        problems.clear()
        person.app.screen.look_at_machine()
        await person.see("GPU 0  A10G")
        assert "driver" not in person.text and "remark" not in person.text

    drive(script, size)


def test_a_driver_that_hangs_holds_up_neither_the_screen_nor_its_end(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, goes_on = threading.Event(), threading.Event()
    threads = []

    def hang() -> GpuReading:
        threads.append(threading.current_thread())
        asked.set()
        goes_on.wait()
        return GpuReading(())

    play(monkeypatch, hang)
    finished(home, 1)

    async def script(person: Any) -> None:
        await person.until(asked.is_set, "the question to the driver")
        for _ in range(20):
            person.app.screen.look_at_machine()
        await person.see("run 1", "looking at this machine")
        await person.press("?")
        await person.arrive("KeysScreen")
        assert len(threads) == 1

    drive(script, (80, 24))
    assert threads[0].is_alive() and threads[0].daemon
    goes_on.set()
    threads[0].join(10)
    assert not threads[0].is_alive() and len(threads) == 1


def test_queued_runs_are_moved_by_keys(home: Any, drive: Callable[..., Any]) -> None:
    from forge_tui.runs.lock import take_lock
    from forge_tui.runs.queue import enqueue, waiting_runs

    runs = [f"20260102-03040{number}-tabular-classification-000{number}" for number in (1, 2)]
    folders = [home.fabricate(run, spec={"name": f"run {run[-1]}"}, job={"device_name": "CPU"}) for run in runs]
    locks = [take_lock(files.lock) for files in folders]
    for files in folders:
        enqueue(files)

    async def script(person: Any) -> None:
        await person.see("waits for the CPU", "2nd in line, CPU")
        await person.press("less_than_sign")
        await person.until(lambda: waiting_runs(home.path)[0].folder.name == runs[1], "the newer run in front")
        await person.press("greater_than_sign")
        await person.until(lambda: waiting_runs(home.path)[0].folder.name == runs[0], "the older run in front")

    drive(script)
    for lock in locks:
        os.close(lock)


def test_a_running_run_has_a_small_curve(home: Any, drive: Callable[..., Any]) -> None:
    from forge_tui.runs.lock import take_lock

    losses = [{"kind": "metrics", "step": step, "values": {"loss": 7.0 - step}} for step in range(1, 7)]
    lock = take_lock(home.fabricate("20260102-030401-tabular-classification-0001", events=losses).lock)

    async def script(person: Any) -> None:
        await person.see("loss 1 █▇▅▄▂▁")

    drive(script)
    os.close(lock)


def test_a_demo_says_who_is_on_its_device_and_what_logind_does(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.use_stand_in()
    monkeypatch.setattr("forge_tui.runs.remarks.company", lambda device: ["tickets", "root: python"])
    monkeypatch.setattr("forge_tui.runs.remarks.logout_warning", lambda: "logind ends your processes at logout")

    async def script(person: Any) -> None:
        await person.press("t")
        await person.see("The demo: which task?")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("is used by tickets, root: python too", "logind ends your processes at logout")

    drive(script)
