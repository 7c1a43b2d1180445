"""The wizard by keys: from a data file to a started run, back without loss; what cannot work is told, not started."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList

from backends.contract import read_spec
from forge_tui.runs.status import condition
from forge_tui.runs.store import list_runs
from forge_tui.samples import sample_path

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the person is in, with two tables, a folder with a third, and a text file that is none."""
    folder = tmp_path / "here"
    (folder / "more").mkdir(parents=True)
    cells = [f"{n * 37 % 101},{WORDS[n % 4]},{'yes' if n % 3 else 'no'}" for n in range(60)]
    table = "\n".join(["size,colour,answer", *cells]) + "\n"
    lines = [f"{' '.join(WORDS[n % 7 :])} {n},{'spam' if n % 2 else 'ham'}" for n in range(60)]
    (folder / "table.csv").write_text(table)
    (folder / "texts.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (folder / "more" / "deep.csv").write_text(table)
    (folder / "notes.md").write_text("no data\n")
    (folder / ".hidden.csv").write_text(table)
    monkeypatch.chdir(folder)
    return folder


def options(person: Any) -> list[str]:
    """What can be chosen, as shown."""
    found = person.app.screen.query_one("#options", OptionList).options
    return [str(option.prompt) for option in found]


def proposed(person: Any) -> str:
    """The option that enter would take."""
    option = person.app.screen.query_one("#options", OptionList).highlighted_option
    assert option is not None
    return str(option.prompt)


def typed(person: Any) -> str:
    return str(person.app.screen.query_one(Input).value)


async def choose(person: Any, start: str) -> None:
    """Move to the option that starts like this by arrow keys and take it."""
    await person.until(lambda: any(text.startswith(start) for text in options(person)), start)
    shown = options(person)
    wanted = next(index for index, text in enumerate(shown) if text.startswith(start))
    at = person.app.screen.query_one("#options", OptionList).highlighted or 0
    key = "down" if wanted > at else "up"
    await person.press(*[key] * abs(wanted - at), "enter")


ROWS, ADVICE, MODEL = "Is this what your data is?", "e changes the answers", "Which model to start from?"
SETTINGS, REVIEW = "Are these settings right?", "Start this run?"


async def open_wizard(person: Any) -> None:
    await person.settle()
    await person.press("d")
    await person.see("Which data file?")


async def read(person: Any, *words: str) -> str:
    """Read all that is told, page by page; it must hold these words."""
    await person.settle()
    told = person.app.screen.query_one("#told")
    seen = person.text
    while told.scroll_offset.y < told.max_scroll_y:
        await person.see("pgdn read on")
        await person.press("pagedown")
        seen += "\n" + person.text
    flat = " ".join(seen.replace("▇", " ").split())
    assert [word for word in words if word not in flat and word not in seen] == []
    await person.press(*["pageup"] * 12)
    return flat


async def walk(person: Any, *questions: str) -> None:
    """Press enter for each of these questions to come."""
    for question in questions:
        await person.press("enter")
        await person.see(question)


async def give(person: Any, path: str) -> None:
    """Type a path and press enter."""
    await person.type(path)
    await person.press("enter")


async def change_to_size(person: Any) -> None:
    """Another task and another column than proposed."""
    await choose(person, "task")
    await person.see("What shall the model do?")
    await choose(person, "Table: predict a number")
    await person.see(ROWS, "Table: predict a number")
    await choose(person, "target")
    await person.see("Which column is the target?")
    await choose(person, "size")
    await person.see(ROWS)
    assert [option.split()[1] for option in options(person) if option.startswith("target")] == ["size"]


def only_spec() -> Any:
    (files,) = list_runs()
    return read_spec(files.spec)


# --- all the way -------------------------------------------------------------------------------------------------


def test_from_an_empty_home_to_a_run_on_a_sample_table(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await choose(person, "sample: Table: predict a class")
        await person.see(ROWS, "coffee_orders.csv: csv, utf-8, 1,200 rows, 1,200 usable")
        assert proposed(person) == "yes, go on with 1,200 rows"
        assert "Table: predict a class: 'outcome' has 2 different values" in options(person)[1]
        assert options(person)[2].split()[:2] == ["target", "outcome"]
        await walk(person, ADVICE)
        await person.see("Train a model for tables.", "1,200 rows")
        await walk(person, MODEL)
        await person.see("preset:xgboost", "fits", "built in")
        await walk(person, SETTINGS)
        await person.see("learning_rate", "0.05")
        await walk(person, REVIEW)
        await read(person, "target = outcome", "preset:xgboost, method full", "learning_rate = 0.05")
        assert list_runs() == []
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("coffee_orders · tabular-classification · full", "finished")
        await person.press("escape")
        await person.arrive("HomeScreen")
        await person.see("coffee_orders")

    drive(script, (120, 40))
    spec = only_spec()
    assert (spec.task, spec.data) == ("tabular-classification", str(sample_path("tabular-classification")))
    assert spec.columns == {"target": "outcome"}
    assert spec.settings and set(spec.reasons) == set(spec.settings)


def test_a_text_file_found_by_typing(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        assert [option.split()[0] for option in options(person)[:3]] == ["more/", "table.csv", "texts.csv"]
        await person.type("t")
        assert [option.split()[0] for option in options(person)] == ["table.csv", "texts.csv"]
        await person.type("ex")
        assert [option.split()[0] for option in options(person)] == ["texts.csv"]
        await walk(person, ROWS)
        assert "Text: sort into classes" in options(person)[1]
        await walk(person, ADVICE)
        assert proposed(person).startswith("fine-tuning")
        assert "Prompt an existing model." in person.text
        await walk(person, MODEL)
        assert proposed(person).startswith("preset:tiny-encoder"), "the first that needs no download"
        await walk(person, SETTINGS, REVIEW)
        await read(person, "text = text, label = label", "preset:tiny-encoder")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("texts · text-classification · full")

    drive(script)
    assert only_spec().columns == {"text": "text", "label": "label"}


def test_folders_are_descended_and_left_by_typing(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        assert not any(".hidden" in option or "notes" in option for option in options(person))
        await person.press("enter")  # the folder is the first answer
        await person.until(lambda: typed(person) == "more/", "the folder in the field")
        assert [option.split()[0] for option in options(person)] == ["deep.csv"]
        await person.press("backspace", "backspace")
        assert [option.split()[0] for option in options(person)] == ["more/"]
        await person.press(*["backspace"] * 3)
        await person.type("../h")
        assert options(person) == ["here/"]
        await person.press("enter")
        await person.until(lambda: typed(person) == "../here/", "the folder in the field")
        await person.type(".h")
        assert [option.split()[0] for option in options(person)] == [".hidden.csv"]
        await person.press("backspace", "backspace")
        await person.type("more/")
        assert [option.split()[0] for option in options(person)] == ["deep.csv"]
        await person.press("enter")
        await person.see(ROWS, "deep.csv: csv")
        await person.press("escape")
        await person.see("Which data file?")
        assert typed(person) == "../here/more/"

    drive(script)


def test_the_wizard_can_be_opened_with_a_file(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.see(ROWS, "table.csv: csv")
        await person.press("escape")
        await person.see("Which data file?")
        assert typed(person) == "table.csv"
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script, wizard=True, wizard_data="table.csv")


# --- the review --------------------------------------------------------------------------------------------------


async def to_review(person: Any) -> None:
    await person.see(ROWS)
    await walk(person, ADVICE, MODEL, SETTINGS, REVIEW)


def test_the_review_shows_the_spec_its_needs_and_the_command_by_keys(
    home: Any, here: Path, drive: Callable[..., Any]
) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "table.csv")
        await to_review(person)
        flat = await read(person, "GiB: fits", "GiB free", "learning_rate = ", "generalise better")
        assert "forge-tui train --data" in flat and "--task tabular-classification --map target=answer" in flat
        assert "--model preset:xgboost --method full" in flat and "max_depth = " in flat
        assert "60 of 60 rows can be used" in flat and "[settings]" in flat
        assert list_runs() == []
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script)


def test_the_command_of_the_review_makes_the_same_spec(
    home: Any, here: Path, drive: Callable[..., Any], cli: Callable[..., Any]
) -> None:
    """Taken from the screen's own text, as a person would copy it; a setting of one's own and a name are in it."""
    import shlex

    odd = here / "it's odd.csv"
    odd.write_text((here / "table.csv").read_text().replace("answer", "the answer"))

    async def script(person: Any) -> None:
        await person.see(ROWS)
        await walk(person, ADVICE, MODEL, SETTINGS)
        await choose(person, "max_depth")
        await person.see("max_depth: questions a tree may ask")
        await replace_text(person, "5")
        await walk(person, SETTINGS)
        await choose(person, "go on")
        await person.see(REVIEW)
        await choose(person, "name: ")
        await person.see("How shall the run be called?")
        await replace_text(person, "odd one")
        await walk(person, REVIEW)
        told = str(person.app.screen.query_one("#text").visual)
        commands.append(next(line for line in told.splitlines() if line.lstrip().startswith("forge-tui train")))
        await choose(person, "start")
        await person.arrive("MonitorScreen")

    commands: list[str] = []
    drive(script, wizard=True, wizard_data=odd.name)
    by_wizard = only_spec()
    assert (by_wizard.name, by_wizard.settings["max_depth"]) == ("odd one", 5)
    assert by_wizard.reasons["max_depth"] == "you chose it"
    assert cli(*shlex.split(commands[0])[1:], "--detach").code == 0
    by_command = read_spec(list_runs()[0].spec)
    assert len(list_runs()) == 2
    assert {**vars(by_command), "created": None} == {**vars(by_wizard), "created": None}


def test_the_spec_can_be_saved_instead(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await to_review(person)
        await choose(person, "save the spec")
        await person.see("Into which file?")
        assert typed(person) == "table.toml"
        await walk(person, REVIEW)
        await person.see("saved as")
        await choose(person, "save the spec")
        await person.see("Into which file?")
        await person.press("enter")
        await person.see("is there already", "Give another name")

    drive(script, wizard=True, wizard_data="table.csv")
    assert read_spec(here / "table.toml").columns == {"target": "answer"} and list_runs() == []


def test_a_run_can_wait_in_line(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    other = home.begin()

    async def script(person: Any) -> None:
        await to_review(person)
        await person.see("CPU is used by", "queue waits until no other run is there")
        await choose(person, "queue: wait in line")
        await person.arrive("MonitorScreen")
        await person.see("queued")

    drive(script, wizard=True, wizard_data="table.csv")
    assert [str(condition(files).status) for files in list_runs() if files.folder != other.folder] == ["queued"]


def test_enter_pressed_twice_starts_one_run(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await to_review(person)
        options = person.app.screen.query_one("#options", OptionList)
        for _ in range(3):
            options.action_select()
        await person.arrive("MonitorScreen")

    drive(script, wizard=True, wizard_data="table.csv")
    assert len(list_runs()) == 1


def test_escape_during_a_check_is_obeyed(
    home: Any, here: Path, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event

    from forge_tui.screens import wizard_work as wizard

    go_on, check = Event(), wizard.check

    async def script(person: Any) -> None:
        await person.see(ROWS)
        await choose(person, "task")
        await person.see("What shall the model do?")

        def slow(*arguments: Any) -> Any:
            assert go_on.wait(20)
            return check(*arguments)

        monkeypatch.setattr(wizard, "check", slow)
        await choose(person, "Table: predict a number")
        await person.see("checking the data")
        await person.press("escape")
        await person.see(ROWS)
        go_on.set()
        await person.settle()
        assert "Which data file?" not in person.text

    drive(script, wizard=True, wizard_data="table.csv")


# --- back and forth ----------------------------------------------------------------------------------------------


async def replace_text(person: Any, text: str) -> None:
    """Type in the place of what stands in the field."""
    await person.press(*["backspace"] * len(typed(person)), *text)


def test_escape_goes_back_step_by_step_and_loses_nothing(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "table.csv")
        await person.see(ROWS)
        await change_to_size(person)
        await choose(person, "yes, go on")
        await person.see(ADVICE)
        await walk(person, MODEL, SETTINGS, REVIEW)
        for words in (SETTINGS, MODEL, ADVICE, ROWS, "Which data file?"):
            await person.press("escape")
            await person.see(words)
        assert typed(person) == "table.csv"
        await walk(person, ROWS)
        assert [option.split()[1] for option in options(person) if option.startswith("target")] == ["size"]
        await walk(person, ADVICE, MODEL, SETTINGS, REVIEW)
        await read(person, "target = size")
        for _ in range(6):
            await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script)
    assert list_runs() == []


def test_any_answer_can_be_changed_from_the_review(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await to_review(person)
        await choose(person, "change the settings")
        await person.see(SETTINGS)
        await walk(person, REVIEW)
        await choose(person, "change task")
        await person.see(ROWS)
        await change_to_size(person)
        await choose(person, "yes, go on")
        await person.see(ADVICE)
        await walk(person, MODEL, SETTINGS, REVIEW)
        await read(person, "target = size", "tabular-regression")
        await person.press("ctrl+g")
        await person.see("Go to which step?")
        await person.press("up", "enter")
        await person.settle()

    drive(script, wizard=True, wizard_data="table.csv")


def test_a_model_folder_and_a_method_are_remembered(
    home: Any, here: Path, drive: Callable[..., Any], make_model: Callable[..., Path]
) -> None:
    shutil.move(make_model("made"), here / "my-model")
    (here / "my-model" / "tokenizer.json").rename(here / "words.json")

    async def script(person: Any) -> None:
        await person.see(ROWS)
        await walk(person, ADVICE, MODEL)
        await person.press("o")
        await person.see("Which model folder?", "config.json, weights and tokenizer")
        await give(person, "my-modell")
        await person.see("There is no model folder 'my-modell'", "Check the path")
        assert typed(person) == "my-modell"
        await person.press("backspace", "enter")
        await person.see("holds no tokenizer")
        (here / "words.json").rename(here / "my-model" / "tokenizer.json")
        await walk(person, MODEL)
        await person.see("my-model")
        await person.until(lambda: proposed(person).startswith("my-model"), "the folder among the models")
        assert " full " in proposed(person)
        await person.press("m")
        await person.until(lambda: " lora " in proposed(person), "the other method")
        await walk(person, SETTINGS)
        await person.see("lora_r")
        await walk(person, REVIEW)
        await read(person, ", method lora")
        await person.press("escape", "escape")
        await person.see(MODEL)
        await person.until(lambda: proposed(person).startswith("my-model"), "the folder among the models")
        assert " lora " in proposed(person)
        await choose(person, "preset:tiny-encoder")
        await person.see(SETTINGS)
        await walk(person, REVIEW)
        await read(person, "preset:tiny-encoder, method full")

    drive(script, wizard=True, wizard_data="texts.csv")
    assert list_runs() == []


def test_another_file_is_asked_about_anew(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.see(ROWS)
        await change_to_size(person)
        await person.press("escape")
        await person.see("Which data file?")
        await replace_text(person, "texts.csv")
        await walk(person, ROWS)
        assert "Text: sort into classes" in options(person)[1]

    drive(script, wizard=True, wizard_data="table.csv")


def test_a_file_that_was_corrected_meanwhile_is_read_again(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.see(ROWS)
        await choose(person, "target")
        await person.see("Which column is the target?")
        await choose(person, "colour")
        await person.see(ROWS)
        renamed = (here / "table.csv").read_text().replace("colour", "hue")
        (here / "table.csv").write_text(renamed)
        await person.press("escape")
        await person.see("Which data file?")
        await walk(person, ROWS)
        await person.see("hue")
        assert "colour" not in person.text

    drive(script, wizard=True, wizard_data="table.csv")


# --- what cannot work --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere.csv", ["There is no file", "Check the path"]),
        ("~nobody-of-that-name/x.csv", ["There is no file", "Check the path"]),
        ("x" * 300, ["File name too long"]),
        ("empty.csv", ["empty.csv is empty", "0 bytes", "Give CSV"]),
        ("header.csv", ["header.csv has 0 examples", "Add rows below the header"]),
        ("notes.md", ["notes.md", "one distinct value"]),
        ("picture.csv", ["picture.csv is not a table", "binary data", "give CSV"]),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_once(
    home: Any, here: Path, drive: Callable[..., Any], path: str, words: list[str]
) -> None:
    (here / "empty.csv").touch()
    (here / "header.csv").write_text("text,label\n")
    (here / "picture.csv").write_bytes(bytes(range(256)) * 8)

    async def script(person: Any) -> None:
        await open_wizard(person)
        await person.type(path[-40:] if len(path) < 100 else "x")
        if len(path) > 100:
            person.app.screen.query_one(Input).value = path
        await person.press("enter")
        await person.see(*words)
        await person.see("Which data file?")
        assert typed(person) == path

    drive(script)
    assert list_runs() == []


def test_one_class_cannot_be_started(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    (here / "one.csv").write_text("text,label\n" + "".join(f"{WORDS[n % 9]} number {n},spam\n" for n in range(40)))

    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "one.csv")
        await person.see(ROWS, "✗ classification needs at least 2 classes")
        assert proposed(person).startswith("label") and not any("go on" in option for option in options(person))
        for _ in range(4):
            await person.press("enter")
            await person.settle()
        await person.see(ROWS)
        flat = " ".join(person.text.split())
        assert "'label' has 1: 'spam' [column label]. Add rows of another class, or choose another column." in flat

    drive(script)
    assert list_runs() == []


def test_a_missing_column_is_told_with_the_columns_there_are(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    (here / "alone.csv").write_text("text\n" + "".join(f"{WORDS[n % 9]} number {n} of them\n" for n in range(40)))

    async def script(person: Any) -> None:
        await person.settle()
        await person.press("n")
        await choose(person, "Sort texts into classes")
        await person.see("Which data file?")
        await give(person, "alone.csv")
        await person.see("alone.csv: csv")
        for _ in range(6):
            await person.press("enter")
            await person.settle()
        assert "✗" in person.text and "Start this run?" not in person.text

    drive(script)
    assert list_runs() == []


def test_a_start_that_fails_is_told_and_can_be_tried_again(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    settings = (home.path / "settings.toml").read_text()

    async def script(person: Any) -> None:
        await to_review(person)
        (home.path / "settings.toml").write_text("trainer_python = 7\n")
        await person.press("enter")
        await person.see("trainer_python is 7", "it must be a text in quotes")
        assert list_runs() == []
        (home.path / "settings.toml").write_text(settings)
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script, wizard=True, wizard_data="table.csv")
    assert len(list_runs()) == 1


def test_a_fault_in_the_check_does_not_look_like_a_long_check(
    home: Any, here: Path, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("forge_tui.screens.wizard_work.check", broken)

    async def script(person: Any) -> None:
        await person.see("The data could not be checked", "ZeroDivisionError: a fault of ours")
        assert "checking the data" not in person.text
        await person.pilot.resize_terminal(100, 30)
        await person.see("New model   1 goal")
        assert "ZeroDivisionError: a fault of ours" in person.text, "a window of another size takes nothing away"

    drive(script, wizard=True, wizard_data="table.csv")


# --- text of the data is only text -------------------------------------------------------------------------------


def test_markup_and_terminal_sequences_in_the_data_are_text(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    evil = "[red]x[/red]"
    rows = "".join(f"{evil} \x1b[31m{n} \x1b]0;title\x07 \u202eabc {WORDS[n % 9]},[b]{n % 2}[/]\n" for n in range(60))
    (here / "[bold]odd.csv").write_text(f"text,[@click=app.bell]label\n{rows}")

    async def script(person: Any) -> None:
        await open_wizard(person)
        await person.see("[bold]odd.csv")
        await choose(person, "[bold]odd")
        await person.see(ROWS)
        for key in ("r", "enter", "v", "escape"):
            assert "\x1b" not in person.text and "\u202e" not in person.text and "title" not in person.text
            assert evil in person.text and "[@click=app.bell]label" in person.text
            await person.press(key)
            await person.settle()
        await person.see(ROWS)
        await choose(person, "yes, go on")
        await person.see(ADVICE)
        await walk(person, MODEL, SETTINGS, REVIEW)
        await read(person, "label = [@click=app.bell]label")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("[bold]odd · text-classification")

    drive(script)
    assert only_spec().columns["label"] == "[@click=app.bell]label"


# --- which rows --------------------------------------------------------------------------------------------------


def repeated(rows: int) -> str:
    """Texts of which every third repeats the one before."""
    numbers = [n - 1 if n % 3 == 2 else n for n in range(rows)]
    return "".join(f"{' '.join(WORDS[n % 7 :])} {n},{'spam' if n % 2 else 'ham'}\n" for n in numbers)


def test_repeated_rows_can_be_left_out_or_kept(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    (here / "again.csv").write_text("text,label\n" + repeated(90))

    async def script(person: Any) -> None:
        await person.see(ROWS, "90 rows, 90 usable", "30×")
        assert "--prepare" not in person.text
        assert proposed(person).startswith("clean them and go on: leave out rows that repeat another")
        await walk(person, ADVICE)
        await person.see("60 examples")
        await walk(person, MODEL, SETTINGS, REVIEW)
        assert "30×" not in await read(person, "60 of 90 rows can be used", "drop_duplicates = yes")
        for words in (SETTINGS, MODEL, ADVICE, ROWS):
            await person.press("escape")
            await person.see(words)
        await choose(person, "take them as they are")
        await person.see(ADVICE)
        await walk(person, MODEL, SETTINGS, REVIEW)
        flat = await read(person, "90 of 90 rows can be used", "30×")
        assert "prepare" not in flat
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script, wizard=True, wizard_data="again.csv")
    assert only_spec().preparation == {}


def test_rows_that_would_stop_a_run_can_be_left_out(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    cells = ["39,1" if n == 7 else str(n * 2.5) for n in range(60)]
    (here / "dirty.csv").write_text(
        "colour,price\n" + "".join(f'{WORDS[n % 4]},"{cell}"\n' for n, cell in enumerate(cells))
    )

    async def script(person: Any) -> None:
        await person.see(ROWS, "✗")
        assert not any(option.startswith("take them") for option in options(person))
        assert proposed(person).startswith("clean them and go on")
        await walk(person, ADVICE, MODEL, SETTINGS, REVIEW)
        await read(person, "59 of 60 rows can be used")
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script, wizard=True, wizard_data="dirty.csv")
    assert only_spec().preparation["bad_rows"] == "drop"


def test_a_mark_of_quality_is_asked_about(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    rows = "".join(f"{' '.join(WORDS[n % 7 :])} {n},{'spam' if n % 2 else 'ham'},{n % 20 / 4}\n" for n in range(80))
    (here / "marked.csv").write_text("text,label,quality\n" + rows)

    async def script(person: Any) -> None:
        await person.see(ROWS)
        await choose(person, "rows ")
        await person.see("Which rows, of mixed quality?")
        assert proposed(person).startswith("all rows")
        await choose(person, "only rows with quality from 1.25")
        await person.see(ROWS, "80 usable, 20 of them too low in quality")
        await choose(person, "rows ")
        await person.see("Which rows, of mixed quality?")
        await choose(person, "weigh each row by quality")
        await person.see(ROWS, "weigh each row")
        await choose(person, "yes, go on")
        await person.see(ADVICE)
        await walk(person, MODEL, SETTINGS, REVIEW)
        await read(person, "weight_column = quality")
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script, wizard=True, wizard_data="marked.csv")
    assert only_spec().preparation == {"weight_column": "quality"}


def test_the_findings_can_be_exported(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    (here / "again.csv").write_text("text,label\n" + repeated(90))

    async def script(person: Any) -> None:
        await person.see(ROWS, "30×", "x export")
        await person.press("x")
        await person.see("Into which file?")
        assert typed(person) == "again-findings.csv"
        await replace_text(person, "found.jsonl")
        await person.press("enter")
        await person.see(ROWS, "findings in")
        await person.press("x")
        await person.see("Into which file?")
        await replace_text(person, "found.jsonl")
        await person.press("enter")
        await person.see("is there already", "Give another name")
        await person.press("escape")
        await person.see(ROWS)

    drive(script, wizard=True, wizard_data="again.csv")
    found = [json.loads(line) for line in (here / "found.jsonl").read_text().splitlines()]
    assert found[0]["code"] == "duplicate" and found[0]["row"] == 3
    assert found[-1]["where"] == "30 places in all"


def test_without_findings_nothing_is_exported(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    rows = (
        f"{number % 97},{'yes' if number % 97 > 40 + number % 30 else 'no'},{number / 7}\n" for number in range(600)
    )
    (here / "clean.csv").write_text("size,target,weight\n" + "".join(rows))

    async def script(person: Any) -> None:
        await person.see(ROWS, "r roles")
        assert "x export" not in person.text
        await person.press("x")
        await person.settle()
        assert ROWS in person.text

    drive(script, wizard=True, wizard_data="clean.csv")
