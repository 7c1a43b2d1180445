"""Held-out rows of a run with what was expected of them, and a model that is asked row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.asked import OneByOne
from backends.contract import RunFiles, RunSpec
from backends.held_out_rows import main


def look(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: Any, **spec: Any) -> list[dict[str, Any]]:
    """The lines for up to a hundred rows of data; the folder of the run is as it was."""
    files = RunFiles(tmp_path / "run")
    files.folder.mkdir(exist_ok=True)
    path = tmp_path / f"data.{spec.pop('ending', 'jsonl')}"
    path.write_text(data if isinstance(data, str) else "".join(json.dumps(row) + "\n" for row in data))
    given: dict[str, Any] = {"name": "x", "method": "full", "model": "preset:tiny-encoder", "data": str(path), **spec}
    files.spec.write_text(tomli_w.dumps(RunSpec(**given).to_tables()))
    before = {path: path.stat().st_mtime_ns for path in files.folder.iterdir()}
    code = main([str(files.folder), "100"])
    assert {path: path.stat().st_mtime_ns for path in files.folder.iterdir()} == before
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == (1 if "error" in lines[-1] else 0)
    return lines


def test_a_row_comes_without_its_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": n, "text": f"text {n}", "label": "even" if n % 2 == 0 else "odd"} for n in range(40)]
    found = look(tmp_path, capsys, rows, task="text-classification", columns={"text": "text", "label": "label"})
    assert 0 < len(found) <= 20
    assert all(each["expected"] == ("even" if each["row"]["id"] % 2 == 0 else "odd") for each in found)
    assert all(set(each["row"]) == {"id", "text"} for each in found)
    again = look(tmp_path, capsys, rows, task="text-classification", columns={"text": "text", "label": "label"})
    assert again == found and [each["row"]["id"] for each in found] != sorted(each["row"]["id"] for each in found)


def test_several_labels_and_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = [{"text": f"text {n}", "label": [["a"], ["a", "b"], []][n % 3]} for n in range(30)]
    found = look(tmp_path, capsys, several, task="text-classification", columns={"text": "text", "label": "label"})
    assert {tuple(each["expected"]) for each in found} <= {("a",), ("a", "b"), ()}
    numbers = [{"text": f"text {n}", "stars": str(n / 2)} for n in range(30)]
    found = look(tmp_path, capsys, numbers, task="text-regression", columns={"text": "text", "target": "stars"})
    assert all(each["expected"] == int(each["row"]["text"].split()[1]) / 2 for each in found)


def test_tags_become_places_in_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"tokens": ["In", "New", "York", str(n)], "tags": ["O", "B-place", "I-place", "O"]} for n in range(20)]
    columns = {"tokens": "tokens", "tags": "tags"}
    found = look(tmp_path, capsys, rows, task="token-classification", columns=columns)
    place = {"type": "place", "text": "New York", "start": 3, "end": 11}
    assert found and all(each["expected"] == {"entities": [place]} for each in found)
    words = [{"tokens": ["dogs", "run"], "tags": ["NOUN", "VERB"]} | {"id": n} for n in range(20)]
    found = look(tmp_path, capsys, words, task="token-classification", columns=columns)
    assert [each["type"] for each in found[0]["expected"]["entities"]] == ["NOUN", "VERB"]


def test_answers_and_written_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"context": f"It costs {n} crowns.", "question": f"How much {n}?", "answers": [f"{n} crowns"] if n % 2 else []}
        for n in range(30)
    ]
    columns = {role: role for role in ("context", "question", "answers")}
    found = look(tmp_path, capsys, rows, task="extractive-question-answering", columns=columns)
    assert {len(each["expected"]) for each in found} == {0, 1}
    assert all("answers" not in each["row"] for each in found)
    pairs = [{"en": f"word {n}", "de": f"Wort {n}"} for n in range(30)]
    found = look(tmp_path, capsys, pairs, task="translation", columns={"source": "en", "target": "de"})
    assert found and all(each["expected"] == each["row"]["en"].replace("word", "Wort") for each in found)
    assert all(set(each["row"]) == {"en"} for each in found)


def test_a_table_keeps_all_of_its_other_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = "size,colour,kind\n" + "".join(f"{n},red,{'big' if n > 20 else 'small'}\n" for n in range(40))
    given = {"task": "tabular-classification", "columns": {"target": "kind"}, "ending": "csv"}
    found = look(tmp_path, capsys, table, **given)
    assert all(each["expected"] == ("big" if int(each["row"]["size"]) > 20 else "small") for each in found)
    assert set(found[0]["row"]) == {"size", "colour"}


def test_data_that_is_gone_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"task": "text-classification", "columns": {"text": "text", "label": "label"}}
    look(tmp_path, capsys, [{"text": f"x {n}", "label": "ab"[n % 2]} for n in range(20)], **given)
    (tmp_path / "data.jsonl").unlink()
    assert main([str(tmp_path / "run"), "9"]) == 1
    told = json.loads(capsys.readouterr().out)["error"]
    assert str(tmp_path / "data.jsonl") in told["what"] + told["why"]


def test_rows_of_a_person_are_not_gathered() -> None:
    from backends.transformers_training import batches

    said: list[str] = []
    asked = batches(OneByOne(({"n": n} for n in range(3)), lambda: said.append("ready")))
    assert said == []
    assert next(asked) == [{"n": 0}] and said == ["ready"]
    assert list(asked) == [[{"n": 1}], [{"n": 2}]] and said == ["ready"]
