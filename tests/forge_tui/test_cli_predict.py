"""What `predict` prints of texts with entities and of questions, on a terminal of 80 columns and in a pipe."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from forge_tui.cli.using import answer_lines, marked_lines

TEXT = "Ann lives in New York"


def entity(kind: str, text: str, start: int) -> dict[str, Any]:
    return {"type": kind, "text": text, "start": start, "end": start + len(text), "probability": 0.987}


ANSWER = {
    "prediction": "«Ann/person» lives in «New York/place»",
    "text": TEXT,
    "entities": [entity("person", "Ann", 0), entity("place", "New York", 13)],
}


def test_a_single_text_has_its_entities_below_it() -> None:
    assert marked_lines(ANSWER, alone=True) == [
        "«Ann/person» lives in «New York/place»",
        "  person        0-3   98.7%  Ann",
        "  place       13-21   98.7%  New York",
    ]


def test_a_row_of_a_file_is_one_line_whatever_it_holds() -> None:
    nasty = {**ANSWER, "prediction": "\x1b[31m«Ann/person»\nlives\t in"}
    assert marked_lines(nasty, alone=False) == ["«Ann/person» lives in"]


def test_a_long_text_is_wrapped_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    long = "word " * 40 + "«New York/place»"
    name = "of many words " * 9
    lines = marked_lines({"prediction": long, "entities": [entity("place", name, 200)]}, alone=True)
    assert len(lines) == 4 and all(len(line) <= 80 for line in lines)
    assert " ".join(lines[:3]).split() == long.split() and lines[3].endswith(" …")


def test_a_text_without_entities_and_an_empty_one() -> None:
    assert marked_lines({"prediction": "nothing here", "entities": []}, alone=True) == ["nothing here"]
    assert marked_lines({"prediction": "", "entities": []}, alone=True) == [""]


# --- questions ---------------------------------------------------------------------------------------------------


def candidate(text: str, start: int, probability: float) -> dict[str, Any]:
    return {"text": text, "start": start, "end": start + len(text), "probability": probability}


FOUND = {
    "prediction": "Ann",
    "start": 0,
    "end": 3,
    "probability": 0.75,
    "no_answer_probability": 0.125,
    "passage": "«Ann» lives in New York",
    "answers": [candidate("Ann", 0, 0.75), candidate("Ann lives", 0, 0.1), *[candidate("York", 17, 0.01)] * 5],
}


def test_a_single_question_has_its_text_and_other_candidates_below_the_answer() -> None:
    assert answer_lines(FOUND, alone=True) == [
        "Ann  75.0%  0-3", "  «Ann» lives in New York", "   10.0%  Ann lives", "    1.0%  York",
    ]  # fmt: skip


def test_questions_of_a_file_take_one_line_each() -> None:
    assert answer_lines({**FOUND, "prediction": "\x1b[31mAnn\nBell"}, alone=False) == ["Ann Bell  75.0%  0-3"]


def test_no_answer_is_said_in_words_with_what_it_would_have_been() -> None:
    silent = {**FOUND, "prediction": None, "start": None, "end": None, "passage": TEXT, "probability": 0.5}
    assert answer_lines(silent, alone=True)[:3] == ["(no answer)  50.0%", f"  {TEXT}", "   75.0%  Ann"]
    assert answer_lines({**silent, "answers": [], "passage": ""}, alone=True) == ["(no answer)  50.0%"]


def test_a_long_passage_is_wrapped_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    lines = answer_lines({**FOUND, "passage": "word " * 40, "answers": [candidate("word " * 40, 3, 0.1)]}, alone=True)
    assert len(lines) == 5 and all(len(line) <= 80 for line in lines) and lines[-1].endswith(" …")
