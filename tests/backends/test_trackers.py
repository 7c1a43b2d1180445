"""Trackers: none unless asked for, offline and in the folder of the run, refused where the package is missing."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.contract import RunFiles, UsageError
from backends.trackers import FOLDER, tracker_arguments
from forge_tui.runs.store import list_runs
from forge_tui.samples import sample_path


def job(folder: Path, tracker: str) -> Any:
    return SimpleNamespace(files=RunFiles(folder), options=SimpleNamespace(report_to=tracker))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a tracker is told by the environment is forgotten after each test."""
    monkeypatch.setattr(os, "environ", {key: value for key, value in os.environ.items() if "WANDB" not in key})


def test_none_is_told_of_and_nothing_is_made_unless_asked_for(tmp_path: Path) -> None:
    assert tracker_arguments(job(tmp_path, "none")) == {"report_to": []}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tracker", "variable"),
    [("tensorboard", "TENSORBOARD_LOGGING_DIR"), ("trackio", "TRACKIO_DIR"), ("wandb", "WANDB_DIR")],
)
def test_a_tracker_writes_into_the_run_and_stays_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: str, variable: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert tracker_arguments(job(tmp_path, tracker))["report_to"] == [tracker]
    assert os.environ[variable] == str(tmp_path / FOLDER) and (tmp_path / FOLDER).is_dir()
    assert tracker != "wandb" or os.environ["WANDB_MODE"] == "offline"


def test_what_the_person_has_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    os.environ["WANDB_MODE"] = "online"
    tracker_arguments(job(tmp_path, "wandb"))
    assert os.environ["WANDB_MODE"] == "online"


def test_a_missing_package_is_refused_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        tracker_arguments(job(tmp_path, "trackio"))
    assert "uv pip install trackio" in caught.value.fix
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tensorboard_gets_the_curves(own_home: Path, home: Any) -> None:
    pytest.importorskip("tensorboard")
    (home.path / "settings.toml").unlink()  # the real trainer
    told = home.command(
        *("train", "--data", str(sample_path("text-classification")), "--set", "max_steps=4", "--set", "eval_steps=2"),
        *("--set", "report_to=tensorboard"),
    )
    assert told.code == 0, told.err
    (files,) = list_runs()
    assert any(each.stat().st_size > 500 for each in (files.folder / FOLDER).iterdir())
