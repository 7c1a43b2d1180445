"""How large a run will be: the rows that the trainer's own split gives, steps as the Trainer counts, bytes on disk."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from backends.contract import DatasetProfile
from backends.formats.split import split_rows
from forge_tui.plan_sizes import RowCounts, disk_bytes, row_counts, total_steps
from profiles.catalog import Model

SETTINGS = {"num_train_epochs": 3.0, "per_device_train_batch_size": 16}


def profile(labels: list[str] | None, rows: int) -> DatasetProfile:
    stats: dict[str, Any] = {"parts": {"train": {"rows": rows, "usable_rows": rows}}}
    if labels is not None:
        counts = Counter(labels)
        stats |= {"labels": dict(counts), "label_count": len(counts)}
    return DatasetProfile("x", None, None, rows, rows, stats=stats)


@pytest.mark.parametrize("seed", range(8))
def test_the_rows_are_those_of_the_trainers_split(seed: int) -> None:
    generator = random.Random(seed)
    weights = [generator.random() ** 2 for _ in range(generator.randint(2, 40))]
    labels = [str(generator.choices(range(len(weights)), weights)[0]) for _ in range(generator.randint(30, 900))]
    fraction = generator.choice([0.1, 0.2, 0.33])
    train, evaluation = split_rows(labels, len(labels), fraction, 42)
    found = row_counts(profile(labels, len(labels)), {}, {"eval_fraction": fraction}, stratified=True)
    assert found == RowCounts(len(labels), len(train), len(evaluation))
    train, evaluation = split_rows(None, len(labels), fraction, 42)
    found = row_counts(profile(None, len(labels)), {}, {"eval_fraction": fraction}, stratified=False)
    assert (found.train, found.eval) == (len(train), len(evaluation))


def test_parts_of_the_data_are_used_as_they_are() -> None:
    parts = {
        name: {"rows": size, "usable_rows": size} for name, size in (("train", 80), ("validation", 15), ("test", 9))
    }
    data = DatasetProfile("x", None, None, 104, 104, stats={"parts": parts})
    assert row_counts(data, {}, {}, stratified=True) == RowCounts(104, 80, 15, 9)
    del parts["validation"]
    assert row_counts(data, {}, {}, stratified=True) == RowCounts(104, 80, 9, None)


@pytest.mark.parametrize("name", ["group_column", "time_column"])
def test_nobody_knows_beforehand_where_groups_and_times_divide(name: str) -> None:
    found = row_counts(profile(None, 100), {name: "day"}, {}, stratified=False)
    assert (found.rows, found.train, found.eval) == (100, None, None)
    assert total_steps(SETTINGS, found.train) is None


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        (SETTINGS, 21),
        ({**SETTINGS, "gradient_accumulation_steps": 4}, 6),
        ({**SETTINGS, "num_train_epochs": 0.5}, 4),
        ({**SETTINGS, "max_steps": 5}, 5),
        ({**SETTINGS, "packing": True}, None),
        ({**SETTINGS, "num_generations": 8}, None),
        ({"n_estimators": 2000}, 2000),
        ({"n_estimators": 2000, "max_steps": 7}, 7),
    ],
)
def test_steps(settings: dict[str, Any], steps: int | None) -> None:
    assert total_steps(settings, 100) == steps


def model(parameters: int | None, download_bytes: int | None = None) -> Model:
    return Model("a/model", "made", "causal-lm", (), "made", parameters=parameters, download_bytes=download_bytes)


@pytest.mark.parametrize(
    ("made", "method", "is_local", "needed"),
    [
        (model(1000), "full", True, 40_000),
        (model(1000), "full", False, 42_000),
        (model(1000), "lora", False, 2_800),
        (model(1000, download_bytes=600), "lora", False, 1_400),
        (model(None), "full", True, None),
        (model(None), "full", False, None),
    ],
)
def test_bytes_on_disk(made: Model, method: str, is_local: bool, needed: int | None) -> None:
    assert disk_bytes(made, method, is_local) == needed
