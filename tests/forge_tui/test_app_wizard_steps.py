"""The wizard's steps one by one, by keys at 80x24: doors, drafts, advice, models, settings; and every family whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList

from backends.contract import read_spec
from backends.registry import TASKS
from forge_tui.planning import Request, check_request, make_plan
from forge_tui.runs.store import list_runs
from forge_tui.samples import has_sample, sample_path
from forge_tui.terms import term_lines, terms
from forge_tui.wizard.draft import Draft, drafts, save_draft
from forge_tui.wizard.flow import find_place, following
from forge_tui.wizard.goal import goal_of
from forge_tui.wizard.model import take_model
from forge_tui.wizard.model_rows import detail, row_of
from forge_tui.wizard.session import Session
from profiles.hardware import Hardware

ROWS, ADVICE, MODEL = "Is this what your data is?", "e changes the answers", "Which model to start from?"
SETTINGS, REVIEW = "Are these settings right?", "Start this run?"
GOLDEN = Path(__file__).with_name("golden")
FAMILIES = [task.id for task in TASKS if has_sample(task.id)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def view(person: Any) -> Any:
    return person.app.screen.query_one("#options", OptionList)


def options(person: Any) -> list[str]:
    return [str(option.prompt) for option in view(person).options]


def proposed(person: Any) -> str:
    option = view(person).highlighted_option
    return str(option.prompt) if option is not None else ""


async def go_to(person: Any, start: str) -> None:
    """Move to the option that starts like this by arrow keys."""
    await person.until(lambda: any(text.startswith(start) for text in options(person)), start)
    wanted = next(index for index, text in enumerate(options(person)) if text.startswith(start))
    at = view(person).highlighted or 0
    await person.press(*["down" if wanted > at else "up"] * abs(wanted - at))
    assert proposed(person).startswith(start)


async def choose(person: Any, start: str) -> None:
    await go_to(person, start)
    await person.press("enter")


async def walk(person: Any, *questions: str) -> None:
    """Press enter for each of these questions to come."""
    for question in questions:
        await person.press("enter")
        await person.see(question)


async def to(person: Any, question: str) -> None:
    """Press enter from the rows on until this question is there."""
    await person.see(ROWS)
    for each in (ADVICE, MODEL, SETTINGS, REVIEW):
        await walk(person, each)
        if each == question:
            return


def sample(task: str = "tabular-classification") -> dict[str, Any]:
    return {"wizard": True, "wizard_data": str(sample_path(task))}


# --- from the empty home to a run, for each family ---------------------------------------------------------------


@pytest.mark.parametrize("task", FAMILIES)
def test_every_family_is_walked_from_the_empty_home_to_a_run(home: Any, drive: Callable[..., Any], task: str) -> None:
    goal = next(each for each in TASKS if each.id == task)

    async def script(person: Any) -> None:
        await person.see("No runs yet. What next?")
        await person.press("n")
        await person.see("What do you want to do?")
        await choose(person, goal_of(goal).aim)
        await person.see("Which data file?")
        await choose(person, f"sample: {goal.title}")
        presses = 3
        await person.see(ROWS)
        while type(person.app.screen).__name__ == "WizardScreen":
            before = (person.app.screen._at, person.app.screen)
            await person.press("enter")
            presses += 1
            await person.until(lambda was=before: (getattr(person.app.screen, "_at", ""), person.app.screen) != was)
        await person.arrive("MonitorScreen")
        assert presses < 10
        assert drafts() == []

    drive(script)
    (files,) = list_runs()
    assert read_spec(files.spec).task == task


def test_a_task_without_words_of_its_own_is_told_by_the_registry() -> None:
    from dataclasses import replace

    data = replace(TASKS[0].data, id="new-task", title="Something new", roles=("left", "right"))
    goal = goal_of(replace(TASKS[0], data=data))
    assert goal.aim == "Something new" and goal.data == "rows of left, right"


def test_the_goals_are_of_tasks_that_are_known() -> None:
    from backends.registry import TASK_DATA
    from forge_tui.wizard.goal import _goals

    assert set(_goals()) <= {data.id for data in TASK_DATA}


# --- goal and drafts ---------------------------------------------------------------------------------------------


def test_three_doors_lead_to_the_same_tasks(home: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.press("n")
        await person.see("What do you want to do?", "door 1 of 3", "Sort texts into classes")
        count = len(options(person))
        await person.press("right")
        await person.see("What data do you have?", "table  a table, a row a case")
        await person.press("right")
        await person.see("How hard may it be?", "easiest  Predict a class from a table")
        assert len(options(person)) == count
        await person.press("right", "left")
        await person.see("How hard may it be?")
        await go_to(person, "easy     Sort texts into classes")
        await person.see("topic, intent, sentiment", "a row", "50 rows a class at the very least")
        await person.press("v")
        await person.see("a row holds", "support_messages.csv", "text,label")
        await person.press("escape", "enter")
        await person.see("Which data file?", "texts, each with its class")
        assert [each for each in options(person) if each.startswith("sample")] == ["sample: Text: sort into classes"]

    drive(script)


def test_what_was_begun_is_offered_again_and_gone_when_it_starts(home: Any, drive: Callable[..., Any]) -> None:
    async def leave(person: Any) -> None:
        await to(person, SETTINGS)
        await choose(person, "max_depth")
        await person.see("max_depth: questions")
        await person.press("backspace", "4", "enter")
        await person.see(SETTINGS)
        await person.press("ctrl+c", "ctrl+c")

    async def come_back(person: Any) -> None:
        await person.see("n  go on: coffee_orders.csv, at settings")
        await person.press("n")
        await choose(person, "go on: coffee_orders.csv")
        await person.see(SETTINGS)
        await person.until(lambda: any(text.startswith("max_depth") and "*" in text for text in options(person)))
        for words in (MODEL, ADVICE, ROWS):
            await person.press("escape")
            await person.see(words)
        await to(person, REVIEW)
        await person.press("enter")
        await person.arrive("MonitorScreen")

    drive(leave, **sample())
    assert len(drafts()) == 1
    drive(come_back)
    (files,) = list_runs()
    assert read_spec(files.spec).settings["max_depth"] == 4 and drafts() == []


def test_a_draft_of_data_that_is_gone_says_so(home: Any, drive: Callable[..., Any]) -> None:
    save_draft(Draft(data="/nowhere/x.csv", at="review"))

    async def script(person: Any) -> None:
        await person.press("n")
        await choose(person, "go on: x.csv")
        await person.see("Which data file?", "There is no file /nowhere/x.csv")

    drive(script)


def test_drafts_that_cannot_be_read_are_left_aside(home: Any) -> None:
    for number in range(7):
        save_draft(Draft(id=f"20260101-00000{number}-abcd", data=f"/data/{number}.csv"))
    folder = home.path / "drafts"
    assert len(list(folder.iterdir())) == 5
    (folder / "notes.json").write_text(json.dumps({"data": "/data/n.csv"}))
    (folder / "20260102-000000-abcd.json").write_text("{")
    (folder / "20260103-000000-abcd.json").write_text(json.dumps({"data": "x.csv", "task": "no-such-task"}))
    (folder / "20260104-000000-abcd.json").write_text(json.dumps({"data": 7, "columns": [], "extra": 1}))
    (folder / "20260105-000000-abcd.json").write_text(json.dumps({"data": "/data/y.csv", "columns": "no", "at": 3}))
    assert "/data/y.csv" in [draft.data for draft in drafts()] and len(drafts()) == 6


# --- data --------------------------------------------------------------------------------------------------------


def test_an_empty_folder_says_so_and_typing_reaches_the_field_from_the_list(
    home: Any, here: Path, drive: Callable[..., Any]
) -> None:
    (here / "empty").mkdir()

    async def script(person: Any) -> None:
        await person.press("d")
        await person.see("Which data file?", "empty/")
        await person.press("tab")
        assert person.app.screen.focused is view(person)
        await person.type("empty/")
        assert person.app.screen.query_one(Input).value == "empty/"
        await person.see("There is no data file and no folder in empty/", "Type another path")

    drive(script)


def test_a_narrow_terminal_shows_the_present_step(home: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.press("d")
        await person.see("step 2 of 6: DATA", "Which data file?")
        await person.resize(80, 24)
        await person.see("1 goal  2 DATA")

    drive(script, (40, 12))


# --- advice ------------------------------------------------------------------------------------------------------


def test_the_questions_of_the_advice_are_walked_and_any_may_be_left_open(home: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.press("a")
        await person.see("What is your data?", "(1 of 11)", "Tables and pictures are trained")
        await choose(person, "texts")
        await person.see("How many examples")
        await person.type("many")
        await person.press("enter")
        await person.see("examples cannot be 'many'")
        await person.press(*["backspace"] * 4, "3", "0", "enter")
        await person.see("How good are they?")
        await person.press("escape")
        await person.see("How many examples")
        assert person.app.screen.query_one(Input).value == "30"
        await person.press("enter")
        for _ in range(9):
            await person.press("enter")
        await person.see("Prompt an existing model.", "text · 30 examples")
        assert proposed(person).startswith("prompting")
        await person.press("enter")
        await person.see("There is nothing to train for prompting", "choose another row")
        await person.press("e")
        await person.see("What should the advice know?", "30")
        await choose(person, "How many examples")
        await person.see("How many examples")
        await person.press(*["backspace"] * 2, *"2000", "enter")
        await person.see("What should the advice know?")
        await choose(person, "that is all")
        await person.see("Fine-tune a model.", "2,000 examples")
        await choose(person, "fine-tuning")
        await person.see("Which data file?")

    drive(script)


# --- model and settings ------------------------------------------------------------------------------------------


def test_models_are_listed_found_and_refused_with_what_to_do(
    home: Any, drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    async def script(person: Any) -> None:
        await to(person, MODEL)
        await person.until(lambda: len(options(person)) > 60, "the whole catalog")
        recommended, preset, *_ = options(person)
        assert recommended.startswith("distilbert") and recommended.endswith("0.12 GiB")
        assert preset.startswith("preset:tiny-encoder") and "built in" in preset
        assert all(word in person.text for word in ("params", "method", "memory", "time", "where"))
        await person.press("slash", *"zzz")
        await person.see("No model here matches 'zzz'")
        await person.press("escape", "slash", *"roberta-base")
        await person.see("roberta-base")
        await person.until(lambda: options(person) and all("roberta-base" in each for each in options(person)))
        await person.press("enter")
        await person.see("is not on this machine", "HF_HUB_OFFLINE is set")
        await person.until(lambda: len(options(person)) > 60)
        assert "Which model to start from?" in person.text
        await person.press("home")
        await person.see("why", "licence")

    drive(script, **sample("text-classification"))


def test_a_setting_is_checked_as_it_is_typed_and_moves_memory_and_time(home: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await to(person, SETTINGS)

        def memory() -> str:
            return next(line for line in person.lines if "memory" in line).split(" of ")[0]

        before = memory()
        await choose(person, "per_device_train_batch_size")
        await person.see("rows a device works on at once", "from 1 rows; the default is 16")
        field = person.app.screen.query_one(Input)
        await person.press(*["backspace"] * len(field.value), *"nine")
        await person.see("✗ it must be a whole number")
        await person.press("enter")
        await person.see("is not possible")
        await person.press(*["backspace"] * 4, *"512")
        await person.until(lambda: memory() != before, "other memory")
        assert "per_device_train_batch_size:" in person.text and field.value == "512"
        await walk(person, SETTINGS)
        await person.until(lambda: any("*" in text and "512" in text for text in options(person)))
        await go_to(person, "per_device_train_batch_size")
        await person.see("you chose it")
        await person.press("u")
        await person.until(lambda: memory() == before, "as before")
        few = len(options(person))
        await person.press("a")
        await person.until(lambda: len(options(person)) > few, "all settings")
        await choose(person, "lr_scheduler_type")
        await person.see("how the learning rate falls")
        await choose(person, "cosine")
        await person.see(SETTINGS)
        await choose(person, "go on")
        await person.see(REVIEW)
        assert "--set lr_scheduler_type=cosine" in str(person.app.screen.query_one("#text").visual)

    drive(script, **sample("text-classification"))


def test_a_pretrained_language_model_may_sort_in_two_ways(home: Any) -> None:
    path = str(sample_path("text-classification"))
    session = Session(Draft(data=path))
    profile = check_request(Request(path))
    session.keep_profile(profile, session.check_key())
    names = ("preset:tiny-encoder", "preset:gpt-1m", "Qwen/Qwen3-0.6B")
    plans = {
        name: make_plan(Request(path, model=name), Hardware(memory_available_bytes=2**34), profile) for name in names
    }
    session.models = [row_of(plan, name) for name, plan in plans.items()]
    after = {}
    for name in names:
        take_model(session, name)
        after[name] = following(session, "model")
    assert after == {"preset:tiny-encoder": "settings", "preset:gpt-1m": "settings", "Qwen/Qwen3-0.6B": "sorting"}
    told = [line for line in detail(session.models[2]) if line.startswith("how")]
    assert told and "label-words" in told[0]
    assert not any(line.startswith("how") for line in detail(session.models[0]))
    session.plan, listed = plans["Qwen/Qwen3-0.6B"], session.models_for()
    question = find_place("sorting")[0].question(session)
    assert [each.key for each in question.choices] == ["label-words", "head"] and question.proposed == "label-words"
    assert find_place("sorting")[0].take(session, "head") == "next"
    assert session.request().strategy == "head" and session.models_for() == listed
    take_model(session, "preset:gpt-1m")
    assert session.request().strategy is None, "what was chosen for one model is not for another"


@pytest.mark.parametrize(("numbers", "offered"), [(0, False), (60, True)])
def test_cleaning_is_offered_where_it_leaves_rows(home: Any, tmp_path: Path, numbers: int, offered: bool) -> None:
    path = tmp_path / "table.csv"
    words = [f"{n},{n % 7},word{n}\n" for n in range(60)]
    path.write_text("a,b,price\n" + "".join(words) + "".join(f"{n},{n % 7},{n * 3}\n" for n in range(numbers)))
    draft = Draft(data=str(path), task="tabular-regression", columns={"target": "price"})
    session = Session(draft)
    profile = check_request(Request(str(path), task="tabular-regression", columns={"target": "price"}))
    session.keep_profile(profile, session.check_key())
    question = find_place("rows")[0].question(session)
    assert any(each.text.startswith("clean them") for each in question.choices) is offered
    assert offered or "choose other data" in [each.text for each in question.choices]


# --- terms and pictures ------------------------------------------------------------------------------------------


def test_terms_of_the_screen_come_first() -> None:
    lines = term_lines("learning_rate  3e-05, LoRA")
    others = lines.index("All others")
    assert "  learning rate, learning_rate" in lines[:others] and "  LoRA, lora, lora_r, lora_alpha" in lines[:others]
    assert sum(line.startswith("  ") and not line.startswith("   ") for line in lines) == len(terms())


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
def test_data_and_advice_look_as_ever(home: Any, drive: Callable[..., Any], size: tuple[int, int]) -> None:
    """Plain text of what does not depend on the machine; written anew by FORGE_WRITE_GOLDEN=1."""
    import os

    seen: list[str] = []

    async def script(person: Any) -> None:
        await person.press("n")
        await person.see("What do you want to do?")
        await choose(person, "Predict a class from a table")
        await person.see("Which data file?")
        await choose(person, "sample: Table: predict a class")
        await person.see(ROWS)
        await person.settle()
        await person.see("came back       646", "r roles")
        seen.append(person.text)
        await walk(person, ADVICE)
        await person.settle()
        await person.see("Good practice", "e edit answers")
        seen.append(person.text)

    drive(script, size)
    path = GOLDEN / f"wizard-{size[0]}x{size[1]}.txt"
    text = "\n\n".join("\n".join(line.rstrip() for line in each.splitlines()).rstrip() for each in seen) + "\n"
    if os.environ.get("FORGE_WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text.splitlines() == path.read_text(encoding="utf-8").splitlines()
