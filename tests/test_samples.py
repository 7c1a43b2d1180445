"""The bundled samples: one for each task, without faults, and exactly what their generator writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backends.contract import UsageError
from backends.formats.checks import check_data
from backends.registry import TASKS
from forge_tui.planning import plan_run
from forge_tui.samples import DEFAULT_TASK, demo_request, sample_path

ROOT = Path(__file__).parents[1]
TASK_IDS = [task.id for task in TASKS]


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_a_sample_is_taken_for_its_task_without_a_word(task_id: str) -> None:
    profile = check_data(sample_path(task_id))
    assert profile.ok
    assert profile.proposals[0].task == task_id
    assert profile.usable_rows == profile.rows and (profile.rows or 0) >= 900
    assert {finding.code for finding in profile.warnings} <= {"column-left-out"}


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_a_sample_is_small(task_id: str) -> None:
    assert sample_path(task_id).stat().st_size < 120_000


def test_tables_have_an_id_categories_and_missing_cells() -> None:
    for task_id in ("tabular-classification", "tabular-regression"):
        profile = check_data(sample_path(task_id))
        assert len(profile.stats["left_out"]) == 1
        assert {"number", "category"} <= set(profile.stats["features"].values())
        assert any(column["missing"] for column in profile.stats["columns"].values())


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_a_demo_can_be_planned(task_id: str) -> None:
    planned = plan_run(demo_request(task_id))
    assert planned.task.id == task_id
    assert planned.spec.name == f"demo-{task_id}"
    if not planned.task.is_tabular:
        assert planned.spec.settings["max_steps"] <= 300


def test_the_default_demo_is_a_table() -> None:
    assert demo_request().task == demo_request(None).task == DEFAULT_TASK == "tabular-classification"


def test_an_unknown_demo_names_the_nearest_task() -> None:
    with pytest.raises(UsageError) as raised:
        demo_request("tabular-clasification")
    assert "tabular-classification" in raised.value.fix
    with pytest.raises(UsageError):
        sample_path("juggling")


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "tools" / "make_samples.py"), str(tmp_path)], check=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    folder = sample_path(DEFAULT_TASK).parent
    bundled = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".csv", ".conll", ".json")}
    assert made == bundled


def test_a_demo_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UsageError) as caught:
        demo_request("nonsense")
    assert caught.value.why.count(",") == len(TASK_IDS) - 1 and "object-detection" not in caught.value.why
    with pytest.raises(UsageError, match="no demo of 'object-detection'"):
        demo_request("object-detection")
