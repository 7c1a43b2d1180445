"""Talking with a language model by keys: answers as they come, stopped, token by token, beside the base, saved."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.contract import write_json
from forge_tui.tryit.conversation import Drawing, Exchange, save_conversation

FAKE = Path(__file__).with_name("fake_model.py")
RUN = "20260102-030405-text-generation-0a1b"
READY = {"chats": True, "base": True, "longest": 256}


def done(why: str = "end", tokens: int = 3) -> dict[str, Any]:
    return {"done": {"tokens": tokens, "seconds": 0.5, "why": why, "ids": [1] * tokens}}


def said(*pieces: str, why: str = "end") -> list[dict[str, Any]]:
    return [*({"text": piece} for piece in pieces), done(why)]


def token(number: int, text: str, share: float, kept: bool = True, ends: bool = False) -> dict[str, Any]:
    return {"id": number, "text": text, "probability": share, "kept": kept, "ends": ends}


@pytest.fixture
def make(home: Any) -> Callable[..., Any]:
    """`make(answers, ready=...)`: a finished run whose model answers as told, line by line."""
    script = home.path / "trainer"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{FAKE}" "$@"\n')

    def run(*answers: Any, ready: Any = READY, task: str = "text-generation") -> Any:
        spec = {"name": "notes", "task": task, "columns": {"messages": "messages"}}
        files = home.fabricate(RUN, spec=spec, exit={}, events=[{"kind": "finished"}], report={})
        files.model.mkdir()
        (files.model / "model.safetensors").write_bytes(bytes(1000))
        write_json(files.folder / "fake.json", {"answers": list(answers), "ready": ready})
        return files

    return run


async def open_it(person: Any) -> Any:
    await person.see("notes")
    await person.press("u")
    screen = await person.arrive("ChatScreen")
    await person.see("ready on CPU")
    return screen


def asked(files: Any) -> list[Any]:
    return [json.loads(line) for line in (files.folder / "asked.jsonl").read_text().splitlines()]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def model(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_a_conversation_goes_on_with_what_was_said(make: Any, drive: Any) -> None:
    files = make(said("Hel", "lo!"), said("Fine,\nthanks\x1b[31m."))

    async def script(person: Any) -> None:
        await open_it(person)
        await person.type("hi")
        await person.press("enter")
        await person.see("you    hi", "model  Hello!", "3 tokens, 6/s")
        await person.type("and you?")
        await person.press("enter")
        await person.see("model  Fine,", "thanks.", "⏎ ask", "next token")
        await person.press("up", "up")
        await person.press("enter")  # the model of the test knows no third answer
        await person.until(lambda: len(asked(files)) == 3)

    drive(script)
    first, second, third = (each["ask"] for each in asked(files))
    assert first["messages"] == [user("hi")] and first["base"] is False and first["so_far"] == []
    drawing = {"greedy": False, "temperature": 0.7, "top_k": 50, "top_p": 0.95, "max_new_tokens": 256}
    assert first["settings"] == drawing
    assert second["messages"] == [user("hi"), model("Hello!"), user("and you?")]
    assert third["messages"][-1] == user("hi")


def test_escape_stops_the_answer_and_not_the_screen(make: Any, drive: Any) -> None:
    files = make([{"text": "On and on"}, "wait", done("stopped")], said("Yes."))

    async def script(person: Any) -> None:
        screen = await open_it(person)
        await person.type("talk")
        await person.press("enter")
        await person.see("On and on", "esc stops it")
        await person.type("next")
        await person.press("enter")
        await person.see("The model is at an answer")
        await person.press("escape")
        await person.see("On and on (stopped)", "ready on CPU")
        assert person.app.screen is screen
        await person.press("enter")
        await person.see("model  Yes.")
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script)
    assert asked(files)[1] == {"stop": True}
    assert asked(files)[2]["ask"]["messages"] == [user("talk"), model("On and on"), user("next")]


def test_a_model_that_does_not_hear_the_stop_is_ended(make: Any, drive: Any, home: Any, wait: Any) -> None:
    make(["wait", "wait", "wait", done()])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.type("talk")
        await person.press("enter")
        await person.see("esc stops it")
        await person.press("escape")
        await person.see("esc again ends the model too")
        await person.press("escape")
        await person.see("(stopped)", "not loaded", "load")
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script)
    wait(lambda: not home.processes(), "the end of the processes")


def test_an_answer_is_chosen_token_by_token(make: Any, drive: Any) -> None:
    begin = [token(7, " The", 0.75), token(8, " A\n", 0.25, kept=False)]
    files = make(
        [{"candidates": begin, "text": ""}],
        [{"candidates": [token(9, "cat", 0.5), token(2, "<end>", 0.25, ends=True)], "text": " A\n"}],
        said("cat", " sat"),
        [{"candidates": [token(2, "<end>", 1.0, ends=True)], "text": ""}],
    )

    async def script(person: Any) -> None:
        await open_it(person)
        await person.type("go")
        await person.press("ctrl+n")
        await person.see("·The", "75.0% ██████████████████", "·A⏎", "25.0%", "not in the draw", "take it")
        await person.press("down", "enter")
        await person.see("cat", "<end>", "ends the answer", "choose the next token")
        await person.press("g")
        await person.see("cat sat", "ready on CPU")
        await person.type("again")
        await person.press("ctrl+n")
        await person.see("<end>")
        await person.press("enter")
        await person.see("ready on CPU")
        await person.type("typed")
        await person.see("typed")

    drive(script)
    one, two, three, _ = asked(files)
    assert one["next"]["so_far"] == [] and two["next"]["so_far"] == [8]
    assert three["ask"]["so_far"] == [8] and three["ask"]["messages"] == [user("go")]


def test_escape_ends_a_chosen_answer_where_it_is(make: Any, drive: Any) -> None:
    make([{"candidates": [token(7, "The", 0.75)], "text": ""}], [{"candidates": [token(8, "end", 1)], "text": "The"}])

    async def script(person: Any) -> None:
        screen = await open_it(person)
        await person.type("go")
        await person.press("ctrl+n")
        await person.see("The  ")
        await person.press("enter")
        await person.see("model  The")
        await person.press("escape")
        await person.see("The (stopped)", "ready on CPU")
        assert person.app.screen is screen

    drive(script)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
def test_before_and_after_stand_side_by_side(make: Any, drive: Any, size: tuple[int, int]) -> None:
    files = make(said("Paris."), said("the the the", why="length"))

    async def script(person: Any) -> None:
        await open_it(person)
        await person.press("ctrl+g")
        await person.type("capital?")
        await person.press("enter")
        await person.see("the the the", "(cut: the most tokens)", "ready on CPU")
        row = next(line for line in person.lines if "Paris." in line)
        assert "before the the the" in row and row.index("Paris.") < row.index("before")

    drive(script, size)
    one, two = (each["ask"] for each in asked(files))
    assert (one["base"], two["base"]) == (False, True)
    assert one["messages"] == two["messages"] == [user("capital?")]


def test_a_model_from_random_weights_has_no_before(make: Any, drive: Any) -> None:
    make(ready={**READY, "base": False})

    async def script(person: Any) -> None:
        screen = await open_it(person)
        await person.press("ctrl+g")
        await person.see("A model from random weights has none.")
        assert not screen.has_class("-both")

    drive(script)


def test_settings_are_checked_and_used(make: Any, drive: Any) -> None:
    files = make(said("Arr."))

    async def script(person: Any) -> None:
        await open_it(person)
        await person.press("ctrl+t")
        await person.arrive("ChatSettingsScreen")
        await person.type("Be a pirate.")
        await person.press("tab", "tab", "ctrl+u", "0", "enter")
        await person.see("temperature = '0': it must be a number above 0")
        await person.press("ctrl+u", *"1.5", "tab", "ctrl+u", *"x", "enter")
        await person.see("top_k = 'x': it must be a whole number from 0")
        await person.press("ctrl+u", "0", "enter")
        await person.arrive("ChatScreen")
        await person.see("temperature 1.5, top-k all, top-p 0.95")
        await person.type("hi")
        await person.press("enter")
        await person.see("Arr.")

    drive(script)
    question = asked(files)[0]["ask"]
    assert question["messages"] == [{"role": "system", "content": "Be a pirate."}, user("hi")]
    assert (question["settings"]["temperature"], question["settings"]["top_k"]) == (1.5, 0)


def test_conversations_are_saved_as_training_rows(make: Any, drive: Any, home: Any, cli: Any) -> None:
    make(said("Answer 0"))
    path = home.path / "conversations" / f"{RUN}.jsonl"

    async def script(person: Any) -> None:
        await open_it(person)
        await person.press("ctrl+s")
        await person.see("There is nothing to save")
        await person.type("question 0")
        await person.press("enter")
        await person.see("model  Answer 0", "ready on CPU")
        await person.press("ctrl+s")
        await person.see("Saved as a training row")
        await person.press("ctrl+r")
        await person.see_no("Answer 0")

    drive(script)
    for number in range(1, 6):
        talk = [Exchange(f"question {number}", f"Answer {number}", "end"), Exchange("open")]
        assert save_conversation(RUN, "Be brief.", talk) == (path, number + 1)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows[0] == {"messages": [user("question 0"), model("Answer 0")]}
    assert [turn["role"] for turn in rows[5]["messages"]] == ["system", "user", "assistant"]
    assert path.stat().st_mode & 0o777 == 0o600
    checked = cli("check", str(path), "--json")
    assert checked.code == 0 and checked.json()["task"] == "text-generation" and checked.json()["usable_rows"] == 6


def test_a_problem_of_a_question_leaves_the_model_loaded(make: Any, drive: Any) -> None:
    problem = {"what": "The conversation is too long", "why": "300 of 256 tokens", "fix": "Begin a new conversation."}
    make([{"problem": problem}], said("Yes."))

    async def script(person: Any) -> None:
        await open_it(person)
        await person.type("hi")
        await person.press("enter")
        await person.see("✗ The conversation is too long: 300 of 256 tokens", "→ Begin a new conversation.")
        await person.press("ctrl+r")
        await person.type("hi")
        await person.press("enter")
        await person.see("model  Yes.")

    drive(script)


def test_a_killed_model_is_told_and_loaded_again(make: Any, drive: Any, home: Any, wait: Any) -> None:
    files = make({"die": 9})

    async def script(person: Any) -> None:
        await open_it(person)
        await person.type("hi")
        await person.press("enter")
        await person.see("✗ The model's process was killed")
        write_json(files.folder / "fake.json", {"answers": [said("Again.")], "ready": READY})
        await person.type("once more")
        await person.press("enter")
        await person.see("model  Again.")

    drive(script)
    wait(lambda: not home.processes(), "the end of the processes")


# --- the command -------------------------------------------------------------------------------------------------


def test_the_command_answers_the_lines_of_a_pipe(make: Any, home: Any, cli: Any, monkeypatch: Any, wait: Any) -> None:
    import io

    files = make(said("Hel", "lo!\n", "How?"), [{"problem": {"what": "No", "why": "too long", "fix": "Less."}}])
    monkeypatch.setattr(sys, "stdin", io.StringIO("hi\n\nmore\n"))
    told = cli("chat", "notes", "--greedy", "--system", "Be brief.")
    assert (told.code, told.out) == (0, "Hello!\nHow?\n") and "! No: too long. Less." in told.err
    first, second = (each["ask"] for each in asked(files))
    assert first["settings"]["greedy"] and first["messages"][0] == {"role": "system", "content": "Be brief."}
    assert second["messages"][2] == model("Hello!\nHow?")
    wait(lambda: not home.processes(), "the end of the processes")


def test_the_command_refuses_what_cannot_be_asked(make: Any, cli: Any, monkeypatch: Any) -> None:
    files = make(task="summarization")
    refused = cli("chat", "notes")
    assert refused.code == 2 and "no language model" in refused.err and "predict" in refused.err
    (files.model / "model.safetensors").unlink()
    assert cli("chat", "notes").code == 1
    assert cli("chat", "notes", "--top-p", "3").code == 1


def test_the_command_opens_the_chat(make: Any, drive: Any) -> None:
    make()

    async def script(person: Any) -> None:
        await person.arrive("ChatScreen")
        await person.see("ready on CPU; greedy")
        await person.press("escape")

    app = drive(script, chat=(RUN, Drawing(greedy=True)))
    assert app.return_code == 0
