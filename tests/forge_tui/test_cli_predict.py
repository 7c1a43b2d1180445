"""What `predict` prints of texts with entities, on a terminal of 80 columns and in a pipe."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from forge_tui.cli.using import marked_lines

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
