"""The rows of a file as a model is asked about them, and what is told of cells it cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.contract import RunFiles, UsageError
from backends.registry import find_task
from forge_tui.cli.using import _typed_rows
from forge_tui.finding_lines import grouped
from forge_tui.prediction_rows import PredictionRows
from forge_tui.runs.predicting import predict_rows
from forge_tui.token_counts import counter_of

FEATURES: list[dict[str, Any]] = [
    {"name": "size", "kind": "number"},
    {"name": "built", "kind": "date"},
    {"name": "colour", "kind": "category", "categories": ["red"]},
]


def asked(path: Path, text: str, decimal_comma: bool = False) -> tuple[list[dict[str, Any]], list[str]]:
    path.write_text(text)
    rows = PredictionRows(path, FEATURES, decimal_comma)
    return list(rows), grouped(rows.notes.warnings())


def test_numbers_that_cannot_be_read_are_told_with_their_rows(tmp_path: Path) -> None:
    cells = ["1.5", "about 3", "", "NA", "4,5", "1,200"]
    rows, told = asked(
        tmp_path / "t.csv",
        "size,built,colour\n" + "".join(f'"{cell}",2024-01-0{n},red\n' for n, cell in enumerate(cells, 1)),
    )
    assert [row["size"] for row in rows] == [1.5, "about 3", "", "NA", "4,5", 1200]
    rest = "It counts as missing there; write it as in the training data."
    assert told == [
        f"'size' holds numbers, but here 'about 3' [row 2]. {rest}",
        f"'size' holds numbers, but here '4,5' [row 5]. {rest}",
    ]


def test_a_category_that_was_never_seen_is_told(tmp_path: Path) -> None:
    _, told = asked(tmp_path / "t.csv", "size,built,colour\n1,2024-01-01,red\n2,2024-01-02,blue\n3,2024-01-03,\n")
    assert told == ["'colour' never was 'blue' in training [row 2]. It counts as missing there."]


def test_a_row_of_the_command_line_is_looked_through_as_those_of_a_file(home: Any) -> None:
    spec = {"task": "tabular-classification", "columns": {"target": "y"}}
    files = home.fabricate("20260102-030405-tabular-classification-0001", spec=spec)
    rows = PredictionRows(Path("none.csv"), FEATURES)
    task = find_task("tabular-classification")
    list(_typed_rows('{"sise": "1", "built": "soon", "colour": "blue"}', task, files.spec, rows))
    told = " ".join(grouped(rows.notes.warnings()))
    assert "no column 'size', nearest is 'sise'" in told and "'soon'" in told and "never was 'blue'" in told
    with pytest.raises(UsageError, match="empty"):
        list(_typed_rows("  ", task, files.spec, rows))


@pytest.mark.parametrize("trained_with_comma", [True, False])
def test_numbers_are_read_as_the_file_writes_them(tmp_path: Path, trained_with_comma: bool) -> None:
    rows, told = asked(
        tmp_path / "t.csv", "size;built;colour\n1,5;2024-01-01;red\n2;2024-01-02;red\n", trained_with_comma
    )
    assert ([row["size"] for row in rows], told) == ([1.5, 2.0], [])


def test_dates_that_cannot_be_read_and_columns_that_are_not_there_are_told(tmp_path: Path) -> None:
    _, told = asked(tmp_path / "t.csv", "Size,built\n1,last week\n2,2024-01-01\n")
    assert [line.split(" [")[0] for line in told] == [
        "there is no column 'size', nearest is 'Size'",
        "there is no column 'colour'",
        "'built' holds dates, but here 'last week'",
    ]


def test_a_trainer_that_is_there_but_cannot_be_started_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_bytes(b"\x7fELF but nothing more")
    broken.chmod(0o755)
    monkeypatch.setenv("FORGE_HOME", str(tmp_path))
    (tmp_path / "settings.toml").write_text(f'trainer_python = "{broken}"\n')
    with pytest.raises(UsageError, match="cannot be started") as caught:
        list(predict_rows(RunFiles(tmp_path), [{"a": 1}]))
    assert "trainer_python" in caught.value.fix
    (tmp_path / "tokenizer.json").touch()
    with pytest.raises(UsageError, match="cannot be started"), (tmp_path / "rows").open("w+") as rows:
        counter_of(str(tmp_path))(rows)
