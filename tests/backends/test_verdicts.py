"""Verdicts on pairs of texts that the data only numbers: named where that is safe to assume, told, and chosen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from backends.contract import DatasetProfile, RunFiles, RunSpec, UsageError
from backends.data import Split, load_split
from backends.events import EventWriter
from backends.formats.check_request import CheckRequest
from backends.formats.checks import check
from backends.job import Job
from backends.options import PreparationOptions, parse_settings
from backends.registry import find_task
from backends.signals import StopControl

TASK = "sentence-pair-classification"
VERDICTS = {"entailment": 20, "neutral": 20, "contradiction": 20}
REVERSED = "contradiction,neutral,entailment"


def data_of(folder: Path, cells: list[Any], names: tuple[str, str] = ("premise", "hypothesis")) -> Path:
    """Sixty pairs whose labels are the cells in turn."""
    path = folder / "pairs.jsonl"
    rows = [
        {names[0]: f"it is said that {n}", names[1]: f"so {n} it is", "label": cells[n % len(cells)]} for n in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def checked(path: Path, names: tuple[str, str] = ("premise", "hypothesis"), **prepare: Any) -> DatasetProfile:
    roles = {"premise": names[0], "hypothesis": names[1], "label": "label"}
    return check(CheckRequest(path, TASK, roles, preparation=parse_settings(PreparationOptions, prepare)))


def divided(folder: Path, path: Path, names: tuple[str, str] = ("premise", "hypothesis"), **more: Any) -> Split:
    """What a run makes of the data."""
    folder.mkdir()
    files, task = RunFiles(folder), find_task(TASK)
    columns = {"premise": names[0], "hypothesis": names[1], "label": "label"}
    spec = RunSpec("pairs", TASK, "full", "preset:tiny-encoder", str(path), columns=columns, **more)
    job = Job(files, spec, task, parse_settings(task.options, {}), EventWriter(files.events), StopControl(), 0, None)
    try:
        return load_split(job)
    finally:
        os.close(job.events._descriptor)


def notices(folder: Path, level: str) -> str:
    events = map(json.loads, RunFiles(folder).events.read_text().splitlines())
    return "\n".join(e["message"] for e in events if e["kind"] == "notice" and e["level"] == level)


@pytest.mark.parametrize("cells", [[0, 1, 2], ["0", "1", "2"], [0.0, 1.0, 2.0]], ids=["numbers", "texts", "floats"])
def test_numbers_of_verdicts_get_their_names_and_the_order_is_told(tmp_path: Path, cells: list[Any]) -> None:
    path = data_of(tmp_path, cells)
    profile = checked(path)
    (told,) = [each for each in profile.warnings if each.code == "verdicts-assumed"]
    assert "0 for entailment, 1 for neutral, 2 for contradiction" in told.message and "verdict_order=" in told.fix
    assert profile.ok and profile.stats["labels"] == VERDICTS
    found = divided(tmp_path / "run", path)
    assert found.classes == tuple(sorted(VERDICTS))
    for row, label in zip(found.train.rows, found.train.labels, strict=True):
        assert label == [*VERDICTS][int(row["label"])]
    assert set(found.evaluation.labels) == set(VERDICTS)
    warned = notices(tmp_path / "run", "warning")
    assert "0 for entailment" in warned and "assumed" in warned and "verdict_order" in warned


def test_another_order_is_chosen_and_then_nothing_is_assumed(tmp_path: Path) -> None:
    path = data_of(tmp_path, [0, 1, 2])
    assert not [each for each in checked(path, verdict_order=REVERSED).warnings if "verdict" in each.code]
    found = divided(tmp_path / "run", path, preparation={"verdict_order": REVERSED})
    assert all(
        label == REVERSED.split(",")[row["label"]]
        for row, label in zip(found.train.rows, found.train.labels, strict=True)
    )
    assert "verdicts" not in notices(tmp_path / "run", "warning")
    assert "as chosen: 0 for contradiction" in notices(tmp_path / "run", "info")
    with pytest.raises(UsageError, match="verdict_order"):
        parse_settings(PreparationOptions, {"verdict_order": "neutral,neutral,entailment"})


@pytest.mark.parametrize(
    "cells, names, prepare",
    [
        ([0, 1, 2], ("sentence1", "sentence2"), {}),
        ([0, 1], ("premise", "hypothesis"), {}),
        ([0, 1, 2, 3], ("premise", "hypothesis"), {}),
        ([1, 2, 3], ("premise", "hypothesis"), {}),
        ([0, 1, 2], ("premise", "hypothesis"), {"verdict_order": "off"}),
    ],
    ids=["other columns", "two", "four", "from one", "off"],
)  # fmt: skip
def test_numbers_stay_where_nothing_can_be_assumed(
    tmp_path: Path, cells: list[Any], names: tuple[str, str], prepare: dict[str, Any]
) -> None:
    path = data_of(tmp_path, cells, names)
    profile = checked(path, names, **prepare)
    assert set(profile.stats["labels"]) == set(map(str, cells))
    assert "verdicts-assumed" not in [each.code for each in profile.warnings]
    assert divided(tmp_path / "run", path, names, preparation=prepare).classes == tuple(map(str, cells))


def test_rows_without_a_verdict_are_told(tmp_path: Path) -> None:
    profile = checked(data_of(tmp_path, [0, 1, 2, -1]))
    assert set(profile.stats["labels"]) == {*VERDICTS, "-1"}
    (told,) = [each for each in profile.warnings if each.code == "no-verdict"]
    assert "15 rows are labelled -1" in told.message


def test_evaluation_rows_are_named_by_the_numbers_of_training(tmp_path: Path) -> None:
    path = data_of(tmp_path, [0, 1, 2])
    (tmp_path / "other").mkdir()
    other = data_of(tmp_path / "other", [2, 0])
    found = divided(tmp_path / "run", path, eval_data=str(other))
    assert set(found.evaluation.labels) == {"entailment", "contradiction"} and len(found.evaluation.rows) == 60
