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

SIZES = [(80, 24), (120, 40)]
at_both_sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
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
    shown = options(person)
    wanted = next(index for index, text in enumerate(shown) if text.startswith(start))
    at = person.app.screen.query_one("#options", OptionList).highlighted or 0
    key = "down" if wanted > at else "up"
    await person.press(*[key] * abs(wanted - at), "enter")


async def open_wizard(person: Any) -> None:
    await person.settle()
    await person.press("n")
    await person.see("Which data file?")


async def give(person: Any, path: str) -> None:
    """Type a path and press enter."""
    await person.type(path)
    await person.press("enter")


def only_spec() -> Any:
    (files,) = list_runs()
    return read_spec(files.spec)


# --- all the way -------------------------------------------------------------------------------------------------


@at_both_sizes
def test_from_an_empty_home_to_a_run_on_a_sample_table(
    home: Any, here: Path, drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await choose(person, "sample: Table: predict a class")
        await person.see("What shall the model do?", "coffee_orders.csv: csv, utf-8, 1,200 rows, 1,200 usable")
        assert proposed(person).startswith("Table: predict a class: 'outcome' has 2 different values")
        await person.press("enter")
        await person.see("Which column is the target?", "queue_minutes", "stayed away")
        assert proposed(person).startswith("outcome")
        await person.press("enter")
        await person.see("Which model to start from?", "preset:xgboost")
        await person.press("enter")
        await person.see("Start this run?", "target = outcome", "preset:xgboost, method full", "learning_rate = 0.05")
        assert list_runs() == []
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("coffee_orders · tabular-classification · full", "finished")
        await person.press("escape")
        await person.arrive("HomeScreen")
        await person.see("coffee_orders")

    drive(script, size)
    spec = only_spec()
    assert (spec.task, spec.data) == ("tabular-classification", str(sample_path("tabular-classification")))
    assert spec.columns == {"target": "outcome"}
    assert spec.settings and set(spec.reasons) == set(spec.settings)


def test_a_sample_of_tagged_words(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await choose(person, "sample: Text: mark names and other parts")
        await person.see("What shall the model do?", "festival_notes.conll: conll, utf-8, 920 rows, 920 usable")
        assert proposed(person).startswith("Text: mark names and other parts: each word stands with its tag")
        await person.press("enter")
        await person.see("Which column is the tokens?", "The words of each text, in order.", "«Doreth/group»")
        assert proposed(person).startswith("tokens")
        await person.press("enter")
        await person.see("Which column is the tags?", "B-person where a name begins")
        assert proposed(person).startswith("tags")
        await person.press("enter")
        await person.see("preset:tiny-encoder", "a local folder with a pretrained model")
        await person.press("enter")
        await person.see("Start this run?", "tokens = tokens", "GiB: fits", "learning_rate = ")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("festival_notes · token-classification · full")

    drive(script, (80, 24))
    spec = only_spec()
    assert spec.columns == {"tokens": "tokens", "tags": "tags"} and set(spec.reasons) == set(spec.settings)
    assert spec.settings["lowercase"] is False and "capital letters" in spec.reasons["lowercase"]


def test_a_sample_of_questions(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await choose(person, "sample: Text: find the answer in it")
        await person.see("What shall the model do?", "village_notices.json: squad, utf-8, 940 rows, 940 usable")
        assert proposed(person).startswith("Text: find the answer in it: the answers are parts of the texts")
        await person.press("enter")
        await person.see("Which column is the context?", "the answer is a part of it", "Ask Velmere about the library.")
        assert proposed(person).startswith("context")
        await person.press("enter")
        await person.see("Which column is the question?", "What is asked about the text.")
        assert proposed(person).startswith("question")
        await person.press("enter")
        await person.see("Which column is the answers?", "empty where the text has none")
        assert proposed(person).startswith("answers")
        await person.press("enter")
        await person.see("preset:tiny-encoder", "a local folder with a pretrained model")
        await person.press("enter")
        await person.see("Start this run?", "answer_start = answer_start", "GiB: fits", "learning_rate = ")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("village_notices · extractive-question-answering · full")

    drive(script, (80, 24))
    spec = only_spec()
    assert spec.columns == {role: role for role in ("context", "question", "answers", "answer_start")}
    assert set(spec.reasons) == set(spec.settings) and "read in parts" in spec.reasons["max_length"]
    assert (spec.settings["learning_rate"], spec.settings["doc_stride"]) == (1e-3, 128)


@at_both_sizes
def test_a_text_file_found_by_typing(home: Any, here: Path, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        assert [option.split()[0] for option in options(person)[:3]] == ["more/", "table.csv", "texts.csv"]
        await person.type("t")
        assert [option.split()[0] for option in options(person)] == ["table.csv", "texts.csv"]
        await person.type("ex")
        assert [option.split()[0] for option in options(person)] == ["texts.csv"]
        await person.press("enter")
        await person.see("What shall the model do?")
        assert proposed(person).startswith("Text: sort into classes")
        await person.press("enter")
        await person.see("Which column is the text?")
        assert proposed(person).startswith("text")
        await person.press("enter")
        await person.see("Which column is the label?")
        assert proposed(person).startswith("label")
        await person.press("enter")
        await person.see("preset:tiny-encoder", "a local folder with a pretrained model")
        await person.press("enter")
        await person.see("Start this run?", "text = text", "label = label", "preset:tiny-encoder")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("texts · text-classification · full")

    drive(script, size)
    assert only_spec().columns == {"text": "text", "label": "label"}


def test_another_task_and_other_columns_than_proposed(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "table.csv")
        await person.see("What shall the model do?")
        await choose(person, "Table: predict a number")
        await person.see("Which column is the target?")
        await choose(person, "size")
        await person.see("Which model")
        await person.press("enter")
        await person.see("Start this run?", "target = size")
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script)
    assert (only_spec().task, only_spec().columns) == ("tabular-regression", {"target": "size"})


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
        await person.see("What shall the model do?", "deep.csv: csv")
        await person.press("escape")
        await person.see("Which data file?")
        assert typed(person) == "../here/more/"

    drive(script)


def test_the_wizard_can_be_opened_with_a_file(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.see("What shall the model do?", "table.csv: csv")
        await person.press("escape")
        await person.see("Which data file?")
        assert typed(person) == "table.csv"
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script, wizard=True, wizard_data="table.csv")


# --- the review --------------------------------------------------------------------------------------------------


@at_both_sizes
def test_the_review_shows_settings_reasons_and_the_command_by_keys(
    home: Any, here: Path, drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "table.csv")
        await person.see("What shall the model do?")
        await person.press("enter")
        await person.see("Which column is the target?")
        await person.press("enter")
        await person.see("Which model")
        await person.press("enter")
        await person.see("Start this run?", "GiB: fits", "learning_rate = ", "generalise better")
        seen = person.text
        for _ in range(4):
            if "The same from the shell:" in seen and "table.csv: csv, utf-8" in seen:
                break
            await person.see("pgdn read on")
            await person.press("pagedown")
            seen += person.text
        flat = " ".join(seen.split())
        assert "forge-tui train --data" in flat and "--task tabular-classification --map target=answer" in flat
        assert "--model preset:xgboost --method full" in flat and "max_depth = " in flat
        assert "table.csv: csv, utf-8, 60 rows" in flat
        await person.press("pageup", "pageup", "pageup", "pageup")
        await person.see("Table: predict a class")
        assert list_runs() == []
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script, size)


def test_the_command_of_the_review_makes_the_same_spec(
    home: Any, here: Path, drive: Callable[..., Any], cli: Callable[..., Any]
) -> None:
    """Taken from the screen's own text, as a person would copy it."""
    import shlex

    odd = here / "it's odd.csv"
    odd.write_text((here / "table.csv").read_text().replace("answer", "the answer"))

    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        for words in ("Which column is the target?", "Which model", "Start this run?"):
            await person.press("enter")
            await person.see(words)
        told = str(person.app.screen.query_one("#text").visual)
        commands.append(next(line for line in told.splitlines() if line.lstrip().startswith("forge-tui train")))
        await person.press("enter")
        await person.arrive("MonitorScreen")

    commands: list[str] = []
    drive(script, wizard=True, wizard_data=odd.name)
    by_wizard = only_spec()
    assert cli(*shlex.split(commands[0])[1:], "--detach").code == 0
    by_command = read_spec(list_runs()[0].spec)
    assert len(list_runs()) == 2
    assert {**vars(by_command), "created": None} == {**vars(by_wizard), "created": None}


def test_enter_pressed_twice_starts_one_run(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        for words in ("Which column is the target?", "Which model", "Start this run?"):
            await person.press("enter")
            await person.see(words)
        options = person.app.screen.query_one("#options", OptionList)
        for _ in range(3):
            options.action_select()
        await person.arrive("MonitorScreen")

    drive(script, wizard=True, wizard_data="table.csv")
    assert len(list_runs()) == 1


def test_enter_pressed_twice_answers_one_question(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        options = person.app.screen.query_one("#options", OptionList)
        for _ in range(3):
            options.action_select()
        await person.see("Which column is the text?")
        await person.settle()
        assert "Which column is the text?" in person.text

    drive(script, wizard=True, wizard_data="texts.csv")


def test_escape_during_a_check_is_obeyed(
    home: Any, here: Path, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event

    from forge_tui.screens import wizard

    go_on, check = Event(), wizard.check

    async def script(person: Any) -> None:
        await person.see("What shall the model do?")

        def slow(*arguments: Any) -> Any:
            assert go_on.wait(20)
            return check(*arguments)

        monkeypatch.setattr(wizard, "check", slow)
        await person.press("enter")
        await person.see("checking the data")
        await person.press("escape")
        await person.see("Which data file?")
        go_on.set()
        await person.settle()
        assert "Which data file?" in person.text

    drive(script, wizard=True, wizard_data="table.csv")


# --- back and forth ----------------------------------------------------------------------------------------------


@at_both_sizes
def test_escape_goes_back_step_by_step_and_loses_nothing(
    home: Any, here: Path, drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "table.csv")
        await person.see("What shall the model do?")
        assert proposed(person).startswith("Table: predict a class")
        await choose(person, "Table: predict a number")
        await person.see("Which column is the target?")
        await choose(person, "size")
        await person.see("Which model")
        await person.press("enter")
        await person.see("Start this run?", "target = size")
        for words in ("Which model", "Which column is the target?", "What shall the model do?", "Which data file?"):
            await person.press("escape")
            await person.see(words)
        assert typed(person) == "table.csv"
        await person.press("enter")
        await person.see("What shall the model do?")
        assert proposed(person).startswith("Table: predict a number")
        await person.press("enter")
        await person.see("Which column is the target?")
        assert proposed(person).startswith("size")
        for words in ("Which model", "Start this run?"):
            await person.press("enter")
            await person.see(words)
        await person.see("target = size")
        for _ in range(5):
            await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script, size)
    assert list_runs() == []


def test_a_model_folder_and_a_method_are_remembered(
    home: Any, here: Path, drive: Callable[..., Any], make_model: Callable[..., Path]
) -> None:
    shutil.move(make_model("made"), here / "my-model")
    (here / "my-model" / "tokenizer.json").rename(here / "words.json")

    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        for words in ("Which column is the text?", "Which column is the label?", "Which model to start"):
            await person.press("enter")
            await person.see(words)
        await choose(person, "a local folder")
        await person.see("Which model folder?", "config.json, weights and tokenizer")
        await give(person, "my-modell")
        await person.see("There is no model folder 'my-modell'", "Check the path")
        assert typed(person) == "my-modell"
        await person.press("backspace", "enter")
        await person.see("holds no tokenizer")
        (here / "words.json").rename(here / "my-model" / "tokenizer.json")
        await person.press("enter")
        await person.see("How shall it be trained?")
        await choose(person, "LoRA")
        await person.see("Start this run?", ", method lora")
        await person.press("escape")
        await person.see("How shall it be trained?")
        assert proposed(person).startswith("LoRA")
        await person.press("escape")
        await person.see("Which model folder?")
        assert typed(person) == "my-model"
        await person.press("escape")
        await person.see("Which model to start")
        assert proposed(person).startswith("a local folder")
        await choose(person, "preset:tiny-encoder")
        await person.see("Start this run?", "preset:tiny-encoder, method full")

    drive(script, wizard=True, wizard_data="texts.csv")
    assert list_runs() == []


def test_another_file_is_asked_about_anew(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        await choose(person, "Table: predict a number")
        await person.see("Which column is the target?")
        await person.press("escape", "escape")
        await person.see("Which data file?")
        await person.press(*["backspace"] * len("table.csv"))
        await give(person, "texts.csv")
        await person.see("What shall the model do?")
        assert proposed(person).startswith("Text: sort into classes")

    drive(script, wizard=True, wizard_data="table.csv")


def test_a_file_that_was_corrected_meanwhile_is_read_again(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        await choose(person, "Table: predict a class")
        await person.see("Which column is the target?")
        await choose(person, "answer")
        await person.see("Which model")
        renamed = (here / "table.csv").read_text().replace("answer", "reply")
        (here / "table.csv").write_text(renamed)
        await person.press("escape", "escape", "escape")
        await person.see("Which data file?")
        await person.press("enter")
        await person.see("What shall the model do?")
        await person.press("enter")
        await person.see("Which column is the target?", "reply")
        assert "answer" not in person.text

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
        ("picture.csv", ["picture.csv is not a table", "binary data", "Give CSV"]),
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


@at_both_sizes
def test_one_class_cannot_be_started(home: Any, here: Path, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    (here / "one.csv").write_text("text,label\n" + "".join(f"{WORDS[n % 9]} number {n},spam\n" for n in range(40)))

    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "one.csv")
        await person.see("What shall the model do?", "✗ classification needs at least 2 classes")
        await person.press("enter")
        await person.see("Which column is the text?")
        await person.press("enter")
        await person.see("Which column is the label?")
        for _ in range(3):
            await person.press("enter")
            await person.settle()
        assert "Which column is the label?" in person.text
        flat = " ".join(person.text.split())
        assert "'label' has 1: 'spam' [column label]. Add rows of another class, or choose another column." in flat
        await choose(person, "text")
        await person.settle()
        await person.see("Which column is the label?")

    drive(script, size)
    assert list_runs() == []


def test_a_missing_column_is_told_with_the_columns_there_are(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    (here / "alone.csv").write_text("text\n" + "".join(f"{WORDS[n % 9]} number {n} of them\n" for n in range(40)))

    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "alone.csv")
        await person.see("alone.csv: csv", "It looks like text-generation; this version only checks such data.")
        for _ in range(6):
            await person.press("enter")
            await person.settle()
        assert "✗" in person.text and "Start this run?" not in person.text

    drive(script)
    assert list_runs() == []


def test_a_start_that_fails_is_told_and_can_be_tried_again(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    settings = (home.path / "settings.toml").read_text()

    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        for words in ("Which column is the target?", "Which model", "Start this run?"):
            await person.press("enter")
            await person.see(words)
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

    monkeypatch.setattr("forge_tui.screens.wizard.check", broken)

    async def script(person: Any) -> None:
        await person.see("The data could not be checked", "ZeroDivisionError: a fault of ours")
        assert "checking the data" not in person.text

    drive(script, wizard=True, wizard_data="table.csv")


# --- text of the data is only text -------------------------------------------------------------------------------


@at_both_sizes
def test_markup_and_terminal_sequences_in_the_data_are_text(
    home: Any, here: Path, drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    evil = "[red]x[/red]"
    rows = "".join(f"{evil} \x1b[31m{n} \x1b]0;title\x07 \u202eabc {WORDS[n % 9]},[b]{n % 2}[/]\n" for n in range(60))
    (here / "[bold]odd.csv").write_text(f"text,[@click=app.bell]label\n{rows}")

    async def script(person: Any) -> None:
        await open_wizard(person)
        await person.see("[bold]odd.csv")
        await choose(person, "[bold]odd")
        for words in ("What shall the model do?", "Which column is the text?", "Which column is the label?"):
            await person.see(words)
            assert "\x1b" not in person.text and "\u202e" not in person.text and "title" not in person.text
            if "column" in words:
                assert evil in person.text and "[b]0[/]" in person.text and "[@click=app.bell]label" in person.text
            await choose(person, "[@click" if "label" in words else "text" if "column" in words else "Text: sort")
        await person.see("Which model")
        await person.press("enter")
        await person.see("Start this run?", "label = [@click=app.bell]label")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        await person.see("[bold]odd · text-classification")

    drive(script, size)
    (files,) = list_runs()
    assert condition(files).job


# --- which rows --------------------------------------------------------------------------------------------------


def repeated(rows: int) -> str:
    """Texts of which every third repeats the one before."""
    numbers = [n - 1 if n % 3 == 2 else n for n in range(rows)]
    return "".join(f"{' '.join(WORDS[n % 7 :])} {n},{'spam' if n % 2 else 'ham'}\n" for n in numbers)


@at_both_sizes
def test_repeated_rows_can_be_left_out_or_kept(
    home: Any, here: Path, drive: Callable[..., Any], size: tuple[int, int]
) -> None:
    (here / "again.csv").write_text("text,label\n" + repeated(90))

    async def script(person: Any) -> None:
        await person.see("What shall the model do?", "90 rows, 90 usable", "30×")
        assert "--prepare" not in person.text
        for words in ("Which column is the text?", "Which column is the label?", "Shall the rows be cleaned?"):
            await person.press("enter")
            await person.see(words)
        assert proposed(person).startswith("clean them: leave out rows that repeat another")
        await person.press("enter")
        await person.see("Which model", "60 usable")
        await person.press("enter")
        await person.see("Start this run?", "60 of 90 rows can be used", "drop_duplicates = yes")
        await person.press("escape", "escape")
        await person.see("Shall the rows be cleaned?")
        await choose(person, "take them as they are")
        await person.see("Which model", "90 usable")
        await person.press("enter")
        await person.see("Start this run?", "90 of 90 rows can be used")
        assert "prepare" not in person.text
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script, size, wizard=True, wizard_data="again.csv")
    assert only_spec().preparation == {}


def test_rows_that_would_stop_a_run_can_be_left_out(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    cells = ["39,1" if n == 7 else str(n * 2.5) for n in range(60)]
    (here / "dirty.csv").write_text(
        "colour,price\n" + "".join(f'{WORDS[n % 4]},"{cell}"\n' for n, cell in enumerate(cells))
    )

    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        for words in ("Which column is the target?", "Shall the rows be cleaned?"):
            await person.press("enter")
            await person.see(words)
        await choose(person, "take them as they are")
        await person.settle()
        assert "Which model" not in person.text and "✗" in person.text
        await choose(person, "clean them")
        await person.see("Which model", "59 usable")
        await person.press("enter")
        await person.see("Start this run?")
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script, wizard=True, wizard_data="dirty.csv")
    assert only_spec().preparation["bad_rows"] == "drop"


def test_a_mark_of_quality_is_asked_about(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    rows = "".join(f"{' '.join(WORDS[n % 7 :])} {n},{'spam' if n % 2 else 'ham'},{n % 20 / 4}\n" for n in range(80))
    (here / "marked.csv").write_text("text,label,quality\n" + rows)

    async def script(person: Any) -> None:
        await person.see("What shall the model do?")
        for words in ("Which column is the text?", "Which column is the label?", "Which rows, of mixed quality?"):
            await person.press("enter")
            await person.see(words)
        assert proposed(person).startswith("all rows")
        await choose(person, "only rows with quality from 1.25")
        await person.see("Which model", "80 usable, 20 of them too low in quality")
        await person.press("escape")
        await person.see("Which rows, of mixed quality?")
        await choose(person, "weigh each row by quality")
        await person.see("Which model", "80 usable")
        await person.press("enter")
        await person.see("Start this run?", "weight_column = quality")
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script, wizard=True, wizard_data="marked.csv")
    assert only_spec().preparation == {"weight_column": "quality"}


def test_a_folder_is_taken_as_a_whole(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    (here / "parts").mkdir()
    for part in ("train", "test"):
        (here / "parts" / f"mails_{part}.csv").write_text((here / "texts.csv").read_text().replace("alpha", part))

    async def script(person: Any) -> None:
        await open_wizard(person)
        await give(person, "parts/")
        await person.see("What shall the model do?", "120 rows, 120 usable")
        for words in ("Which column is the text?", "Which column is the label?"):
            await person.press("enter")
            await person.see(words)
        await person.press("enter")
        await person.settle()
        if "Shall the rows be cleaned?" in person.text:
            await choose(person, "take them as they are")
        await person.see("Which model")
        await person.press("enter")
        await person.see("Start this run?", "scored on its test part")
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(script)
    spec = only_spec()
    assert (spec.data, spec.eval_part, spec.eval_data) == (str(here / "parts"), "test", None)


def test_data_for_a_task_that_is_not_trained_is_told(home: Any, here: Path, drive: Callable[..., Any]) -> None:
    turns = [{"role": "user", "content": "how?"}, {"role": "assistant", "content": "so."}]
    (here / "chat.jsonl").write_text(
        "".join(json.dumps({"messages": [{**turns[0], "content": f"how {n}?"}, turns[1]]}) + "\n" for n in range(60))
    )

    async def script(person: Any) -> None:
        await person.see("It looks like text-generation; this version only checks such data.", "<|im_start|>user")

    drive(script, wizard=True, wizard_data="chat.jsonl")
    assert list_runs() == []
