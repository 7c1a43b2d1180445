"""Asking the model of a run by keys: forms and answers of every family, a model that fails, hangs or does not fit."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.contract import write_json
from forge_tui.tryit.session import State
from forge_tui.widgets.ask_form import AskForm

SIZES = [(80, 24), (120, 36)]
at_both_sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
FAKE = Path(__file__).with_name("fake_model.py")
RUN = "20260102-030405-text-classification-0a1b"
LABELS = {"probabilities": {"refund": 0.125, "billing": 0.75, "legal": 0.125}, "prediction": "billing"}
TEXT = "Ann moved from Oslo to New York"
CONTEXT = "The ferry leaves at nine. Tickets cost 4 crowns."


@pytest.fixture
def make(home: Any) -> Callable[..., Any]:
    """`make(task, columns, answers, ...)`: a finished run whose model answers as told."""
    script = home.path / "trainer"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{FAKE}" "$@"\n')

    def run(
        task: str = "text-classification",
        columns: dict[str, str] | None = None,
        answers: Any = (LABELS,),
        rows: Any = (),
        hold: Any = (),
        schema: Any = None,
    ) -> Any:
        columns = columns or {"text": "message", "label": "team"}
        spec = {"name": "tickets", "task": task, "columns": columns}
        files = home.fabricate(RUN, spec=spec, exit={}, events=[{"kind": "finished"}], report={})
        files.model.mkdir()
        (files.model / "model.safetensors").write_bytes(bytes(1000))
        if schema is not None:
            write_json(files.model / "schema.json", schema)
        write_json(files.folder / "fake.json", {"answers": answers, "rows": rows, "hold": hold})
        return files

    return run


async def open_it(person: Any) -> Any:
    """From home to the screen that asks, by its key."""
    await person.see("tickets")
    await person.press("u")
    return await person.arrive("TryItScreen")


def asked(files: Any) -> list[Any]:
    """The rows that the model was asked, in order."""
    path = files.folder / "asked.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def row(expected: Any, **cells: Any) -> dict[str, Any]:
    return {"row": cells, "expected": expected}


# --- every family ------------------------------------------------------------------------------------------------


def entity(kind: str, text: str) -> dict[str, Any]:
    start = TEXT.index(text)
    return {"type": kind, "text": text, "start": start, "end": start + len(text), "probability": 0.875}


SPAN = {"text": "at nine", "start": 17, "end": 24, "probability": 0.75}
FAMILIES: dict[str, tuple[str, dict[str, str], Any, dict[str, Any], list[str]]] = {
    "labels": (
        "text-classification",
        {"text": "message", "label": "team"},
        LABELS,
        row("refund", message="Give it back"),
        ["expected: refund", "> billing  75.0% ██", "refund   12.5% ██", "✗ expected"],
    ),
    "two texts": (
        "sentence-pair-classification",
        {"premise": "first", "hypothesis": "second", "label": "verdict"},
        {"probabilities": {"entailment": 0.9, "neutral": 0.1}, "prediction": "entailment"},
        row("entailment", first="It rains", second="It is wet"),
        ["premise (first)", "hypothesis (second)", "It is wet", "> entailment  90.0%", "✓ expected"],
    ),
    "several labels": (
        "text-classification",
        {"text": "message", "label": "team"},
        {"probabilities": {"billing": 0.9, "refund": 0.75, "legal": 0.125}, "prediction": ["billing", "refund"]},
        row(["billing", "legal"], message="My bill"),
        ["expected: billing or legal", "[x] billing", "✓ expected", "✗ not expected", "[ ] legal"],
    ),
    "a number": (
        "text-regression",
        {"text": "review", "target": "stars"},
        {"prediction": 8.25},
        row(8.5, review="Nice"),
        ["expected: 8.5", "8.25", "off by -0.25"],
    ),
    "entities": (
        "token-classification",
        {"tokens": "tokens", "tags": "tags"},
        {"prediction": "", "text": TEXT, "entities": [entity("person", "Ann"), entity("place", "Oslo")]},
        row({"entities": [entity("person", "Ann"), entity("place", "New York")]}, tokens=TEXT.split()),
        ["[Ann | person] moved from [Oslo | place] to", "✓ person  87.5%", "✗ place", "missed: New York | place"],
    ),
    "an answer": (
        "extractive-question-answering",
        {"context": "context", "question": "question", "answers": "answers"},
        {
            "prediction": "at nine",
            "start": 17,
            "end": 24,
            "probability": 0.75,
            "no_answer_probability": 0.125,
            "passage": "The ferry leaves «at nine».",
            "answers": [SPAN, {**SPAN, "text": "nine", "start": 20}],
        },
        row(["at nine", "nine"], context=CONTEXT, question="When does it leave?"),
        ["at nine  75.0%  ✓ expected", "no answer  12.5%", "The ferry leaves «at nine».", "75.0%  nine"],
    ),
    "no answer": (
        "extractive-question-answering",
        {"context": "context", "question": "question", "answers": "answers"},
        {
            "prediction": None,
            "start": None,
            "end": None,
            "probability": 0.75,
            "no_answer_probability": 0.75,
            "passage": CONTEXT,
            "answers": [],
        },
        row([], context=CONTEXT, question="Who is the captain?"),
        ["expected: nothing", "(no answer in this text)  75.0%  ✓ expected"],
    ),
    "a written text": (
        "summarization",
        {"source": "article", "target": "summary"},
        {"prediction": "Ferry late.", "source": "…"},
        row("The ferry is late.", article="The ferry that leaves at nine was late again."),
        ["source (article)", "Ferry late.", "expected", "The ferry is late."],
    ),
}


AT_SIZES = [(family, SIZES[0]) for family in FAMILIES] + [(family, SIZES[1]) for family in ("labels", "a written text")]


@pytest.mark.parametrize(("family", "size"), AT_SIZES, ids=[f"{name}-{size[0]}" for name, size in AT_SIZES])
def test_a_held_out_row_is_asked_and_answered(make: Any, drive: Any, family: str, size: tuple[int, int]) -> None:
    task, columns, answer, held_out, words = FAMILIES[family]
    files = make(task, columns, [answer], [held_out])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.see("ready on CPU", "⏎ ask", "held-out row")
        await person.until(lambda: person.app.screen._samples.has_rows, "the held-out rows")
        await person.press("ctrl+n")
        await person.see("held-out row 1")
        await person.press("enter")
        await person.see(*words)
        is_wide = size[0] >= 100
        answer_pane = person.app.screen.query_one("#answer").region
        form = person.app.screen.query_one(AskForm).region
        assert (answer_pane.x > form.x) == is_wide and (answer_pane.y > form.y) != is_wide

    drive(script, size)
    assert asked(files) == [held_out["row"]]


def test_a_context_far_longer_than_the_screen_is_told_around_the_answer(make: Any, drive: Any) -> None:
    task, columns, answer, held_out, _ = FAMILIES["an answer"]
    long = held_out["row"] | {"context": CONTEXT + " and more words" * 500}
    files = make(task, columns, [answer], [{**held_out, "row": long}])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.see("ready on CPU")
        await person.press("ctrl+n")
        await person.see("held-out row 1")
        await person.press("enter")
        await person.see("at nine  75.0%", "«at nine»")
        assert person.text.count("and more words") > 2  # of the form alone

    drive(script)
    assert asked(files) == [long]


# --- typing ------------------------------------------------------------------------------------------------------


def test_earlier_questions_come_back_with_their_answers(make: Any, drive: Any) -> None:
    other = {"probabilities": {"refund": 0.5, "billing": 0.25, "legal": 0.25}, "prediction": "refund"}
    files = make(answers=[LABELS, other])

    async def script(person: Any) -> None:
        screen = await open_it(person)
        form = screen.query_one(AskForm)
        await person.type("one")
        await person.press("enter")
        await person.see("> billing")
        await person.press("ctrl+a", "ctrl+k")
        await person.type("two")
        await person.press("enter")
        await person.see("> refund")
        await person.press("up")
        await person.see("> billing")
        assert form.texts == ["one"]
        await person.press("up", "down")
        await person.see("> refund")
        assert form.texts == ["two"]
        await person.press("down")
        assert form.texts == [""]
        await person.type("three")
        await person.press("up", "down")
        assert form.texts == ["three"]
        await person.press("ctrl+j")
        await person.type("more")
        await person.press("up")  # within the text first
        assert form.texts == ["three\nmore"]

    drive(script)
    assert asked(files) == [{"message": "one"}, {"message": "two"}]


def test_a_row_that_is_still_being_read_comes_when_it_is_there(make: Any, drive: Any) -> None:
    files = make(rows=[row("refund", message="Give it back")], hold=["reading"])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.until((files.folder / "at reading").exists)
        await person.press("ctrl+n")
        await person.see("the held-out rows are being read")
        (files.folder / "go reading").touch()
        await person.see("held-out row 1; expected: refund", "Give it back")

    drive(script)


def test_a_changed_row_has_no_expected_answer_and_an_empty_one_is_not_asked(make: Any, drive: Any) -> None:
    files = make(rows=[row("refund", message="Give it back")])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.see("ready on CPU")
        await person.press("enter")
        await person.see("There is nothing to ask")
        await person.press("ctrl+n")
        await person.see("expected: refund")
        await person.type("!")
        await person.see("held-out row 1; changed")
        await person.press("enter")
        await person.see("> billing")
        await person.see_no("✗ expected")

    drive(script)
    assert asked(files) == [{"message": "Give it back!"}]


SCHEMA = {
    "features": [
        {"name": "size", "kind": "number"},
        {"name": "colour", "kind": "category", "categories": ["blue", "red"]},
        {"name": "day", "kind": "date"},
    ],
    "classes": ["high", "low"],
    "decimal_comma": False,
}


@at_both_sizes
def test_a_table_row_is_changed_in_a_form(make: Any, drive: Any, size: tuple[int, int]) -> None:
    answer = {"probabilities": {"high": 0.75, "low": 0.25}, "prediction": "high"}
    cells = {"id": "A1", "size": "1,200", "colour": "red", "day": "2026-01-02"}
    files = make("tabular-classification", {"target": "y"}, [answer] * 2, [row("low", **cells)], schema=SCHEMA)

    async def script(person: Any) -> None:
        screen = await open_it(person)
        await person.see("ready on CPU", "1,200", "2026-01-02", "number", "blue, red", "date", "expected: low")
        await person.press("enter")
        await person.see("> high", "✗ expected")
        await person.press("x", "enter")
        await person.see("'1,200x' in 'size' is no number")
        await person.press("backspace", "tab", "ctrl+u", *"green")
        await person.see("never seen in training, so they count as missing: 'green' in 'colour'")
        await person.press("tab", "ctrl+u", "enter")
        await person.until(lambda: len(asked(files)) == 2)
        assert screen.query_one(AskForm).texts == ["1,200", "green", ""]

    drive(script, size)
    assert asked(files) == [cells, {**cells, "colour": "green", "day": None}]


# --- loading, failing, leaving -------------------------------------------------------------------------------------


def models(home: Any) -> list[int]:
    """The processes of models that live, as long as they have not been told to end."""
    found = []
    for pid in home.processes():
        try:
            if b"backends.predict" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def test_leaving_while_it_loads_ends_the_process(make: Any, drive: Any, home: Any, wait: Any) -> None:
    files = make(hold=["loading"])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.until((files.folder / "at loading").exists)
        await person.see("loading the model", "needs about", "free in main memory")
        await person.type("early")
        await person.press("enter")
        await person.see("asked as soon as it is loaded")
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script)
    wait(lambda: not models(home), "the end of the model's process")
    assert asked(files) == []


def test_a_question_of_before_is_asked_when_the_model_is_loaded(make: Any, drive: Any) -> None:
    files = make(hold=["loading"])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.type("early")
        await person.press("enter", "enter")
        await person.see("The model is at a question")
        (files.folder / "go loading").touch()
        await person.see("> billing", "ready on CPU")

    drive(script)
    assert asked(files) == [{"message": "early"}]


def test_escape_stops_an_answer_and_the_next_question_loads_again(make: Any, drive: Any, home: Any, wait: Any) -> None:
    files = make(hold=["answering"])

    async def script(person: Any) -> None:
        screen = await open_it(person)
        await person.type("slow")
        await person.press("enter")
        await person.until((files.folder / "at answering").exists)
        await person.see("answering", "esc stops it")
        pid = int((files.folder / "at answering").read_text())
        await person.press("escape")
        await person.see("not loaded", "load")
        wait(lambda: pid not in models(home), "the end of the process")
        (files.folder / "go answering").touch()
        await person.press("enter")
        await person.see("> billing")
        assert screen.session.state is State.READY

    drive(script)
    wait(lambda: not models(home), "the end of the model's process")


def test_a_killed_process_is_told_and_replaced(make: Any, drive: Any) -> None:
    files = make(answers=[{"die": signal.SIGKILL}])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.type("one")
        await person.press("enter")
        await person.see("✗ The model's process was killed", "memory", "enter")
        write_json(files.folder / "fake.json", {"answers": [LABELS]})
        await person.press("enter")
        await person.see("> billing", "ready on CPU")

    drive(script)
    assert asked(files) == [{"message": "one"}] * 2


def test_an_error_of_the_model_is_told_in_its_words(make: Any, drive: Any) -> None:
    error = {"what": "The GPU ran out of memory", "why": "all of it is in use", "fix": "Ask with a shorter text."}
    make(answers=[{"error": error}])

    async def script(person: Any) -> None:
        await open_it(person)
        await person.type("one")
        await person.press("enter")
        await person.see("✗ The GPU ran out of memory: all of it is in use", "→ Ask with a shorter text.")

    drive(script)


def test_a_process_that_cannot_be_started_is_told(make: Any, drive: Any, home: Any) -> None:
    make()
    (home.path / "trainer").write_text("#!/bin/sh\necho 'no module named torch' >&2\nexit 3\n")

    async def script(person: Any) -> None:
        await open_it(person)
        await person.see("ended with code 3", "no module named torch")
        await person.press("ctrl+n")
        await person.see("The held-out rows cannot be read")
        await person.press("escape")
        await person.arrive("HomeScreen")

    drive(script)


def test_what_does_not_fit_is_loaded_only_when_asked_for(
    make: Any, drive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from forge_tui.machine import Machine

    files = make()
    sample = Machine.sample

    def short_of_memory(machine: Any) -> Any:
        found = sample(machine)
        return replace(found, hardware=replace(found.hardware, gpus=(), memory_available_bytes=200 << 20))

    monkeypatch.setattr(Machine, "sample", short_of_memory)

    async def script(person: Any) -> None:
        screen = await open_it(person)
        await person.see("✗ The model does not fit: needs about 1.1 GiB; free in main memory: 0.2 GiB", "ctrl+l")
        assert screen.session.state is State.ABSENT
        await person.press("ctrl+l")
        await person.see("ready on CPU")

    drive(script)
    assert asked(files) == []


def test_leaving_the_app_ends_the_process(make: Any, drive: Any, home: Any, wait: Any) -> None:
    make()

    async def script(person: Any) -> None:
        await open_it(person)
        await person.see("ready on CPU")
        assert len(models(home)) == 1
        await person.press("ctrl+c", "ctrl+c")

    drive(script)
    wait(lambda: not models(home), "the end of the model's process")


def test_a_column_named_like_markup_is_shown_as_it_is(make: Any, drive: Any) -> None:
    make(columns={"text": "mail [/body]", "label": "team"})

    async def script(person: Any) -> None:
        await open_it(person)
        await person.see("type a text (mail [/body]), or ctrl+n")

    drive(script)


def test_a_run_without_a_model_says_so_and_the_monitor_opens_it_too(make: Any, drive: Any) -> None:
    files = make()
    weights = files.model / "model.safetensors"
    kept = weights.read_bytes()
    weights.unlink()

    async def script(person: Any) -> None:
        await person.see("tickets")
        await person.press("u")
        await person.see("The model of tickets is gone")
        await person.press("enter")
        await person.arrive("MonitorScreen")
        assert "run.try" not in {active.binding.id for active in person.app.screen.active_bindings.values()}
        weights.write_bytes(kept)
        await person.press("u")
        await person.arrive("TryItScreen")
        names = [command.title for command in person.app.get_system_commands(person.app.screen)]
        assert {"try: Held-out row", "try: Back"} <= set(names)

    drive(script)


# --- with a real model -------------------------------------------------------------------------------------------


def test_a_real_table_model_answers_a_real_held_out_row(
    drive: Any, own_home: Path, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    data = own_home.parent / "shapes.csv"
    lines = [f"{number},{'red' if number % 2 else 'blue'},{'big' if number > 30 else 'small'}" for number in range(60)]
    data.write_text("\n".join(["size,colour,kind", *lines]) + "\n")
    done = cli("train", "--data", str(data), "--map", "target=kind", "--set", "n_estimators=20", "--name", "shapes")
    assert done.code == 0

    async def script(person: Any) -> None:
        await person.see("shapes", "finished")
        await person.press("u")
        screen = await person.arrive("TryItScreen")
        await person.see("ready on CPU", "held-out row 1; expected:", "blue, red")
        await person.press("enter")
        await person.see("✓ expected", "> ")
        await person.press("ctrl+u", *"59", "enter")
        await person.see("> big")
        assert screen.query_one(AskForm).texts[0] == "59"

    drive(script)
    assert os.listdir(own_home / "runs")
