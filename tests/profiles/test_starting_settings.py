"""Starting settings: the first rule that holds, each value with its reason and its source, lengths from the data."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import profiles.starting_settings
from backends.contract import DatasetProfile
from backends.options import parse_settings
from backends.registry import TASK_DATA, TASKS
from profiles.starting_settings import Situation, known_settings, starting_settings

FOLDER = Path(profiles.starting_settings.__file__).with_name("settings")
CONDITIONS = {
    "rows_below", "rows_from", "parameters_below", "parameters_from", "task", "strategy", "method", "from_scratch",
    "architecture", "free_gib_below", "free_gib_from", "tokens_below", "tokens_from",
}  # fmt: skip
BILLION = 10**9


def data(rows: int, **stats: Any) -> DatasetProfile:
    return DatasetProfile("x", None, None, rows, rows, stats=stats)


def lengths(p95: int) -> dict[str, int]:
    return {"median": p95 // 2, "p95": p95, "longest": 2 * p95}


def values(situation: Situation, profile: DatasetProfile) -> dict[str, Any]:
    return {name: each.value for name, each in starting_settings(situation, profile).items()}


@pytest.mark.parametrize(
    ("task", "rows", "expected"),
    [
        ("tabular-classification", 500, {"learning_rate": 0.05, "max_depth": 3}),
        ("tabular-regression", 5_000, {"learning_rate": 0.05, "max_depth": 4}),
        ("tabular-classification", 50_000, {"learning_rate": 0.05, "max_depth": 6}),
        ("tabular-regression", 200_000, {"learning_rate": 0.1, "max_depth": 6}),
    ],
)
def test_trees(task: str, rows: int, expected: dict[str, Any]) -> None:
    always = {"n_estimators": 2000, "early_stopping_rounds": 50, "subsample": 0.8, "colsample_bytree": 0.8}
    assert values(Situation(task, "full", from_scratch=True), data(rows)) == {**always, **expected}


@pytest.mark.parametrize(
    ("method", "from_scratch", "rows", "expected"),
    [
        ("full", True, 1_000, (1e-3, 30, 32)),
        ("full", True, 5_000, (1e-3, 12, 32)),
        ("full", True, 50_000, (1e-3, 5, 32)),
        ("full", False, 1_000, (3e-5, 5, 16)),
        ("full", False, 5_000, (3e-5, 3, 16)),
        ("lora", False, 5_000, (2e-4, 3, 16)),
    ],
)
def test_encoders_for_classes(method: str, from_scratch: bool, rows: int, expected: tuple[float, int, int]) -> None:
    found = values(Situation("text-classification", method, from_scratch), data(rows, lengths=lengths(41)))
    assert (found["learning_rate"], found["num_train_epochs"], found["per_device_train_batch_size"]) == expected
    assert (found["warmup_steps"], found["max_length"]) == (0.06, 56)


@pytest.mark.parametrize(
    ("task", "strategy", "expected"),
    [
        ("text-generation", "sft", (2e-4, 3, 2048)),
        ("summarization", None, (3e-4, 5, 1024)),
        ("extractive-question-answering", None, (3e-5, 3, 512)),
    ],
)
def test_the_figures_of_modelforge(task: str, strategy: str | None, expected: tuple[float, int, int]) -> None:
    method = "full" if task.startswith("extractive") else "lora"
    long = data(5_000, lengths=lengths(9_000), source_lengths=lengths(9_000), target_lengths=lengths(100))
    chosen = starting_settings(Situation(task, method, strategy=strategy, parameters=BILLION), long)
    names = ("learning_rate", "num_train_epochs", "max_length")
    assert tuple(chosen[name].value for name in names) == expected
    assert all("ModelForge" in chosen[name].reason for name in names)


@pytest.mark.parametrize(
    ("strategy", "method", "parameters", "rate"),
    [
        ("sft", "full", 7 * BILLION, 2e-5),
        ("sft", "full", 13 * BILLION, 1e-5),
        ("sft", "qlora", 70 * BILLION, 1e-4),
        ("dpo", "full", BILLION, 5e-7),
        ("kto", "lora", BILLION, 5e-6),
        ("orpo", "full", BILLION, 8e-6),
        ("grpo", "full", BILLION, 1e-6),
        ("ppo", "full", BILLION, 3e-6),
        ("reward", "lora", BILLION, 1e-4),
        ("pretrain", "full", BILLION, 5e-5),
        ("sft", "prompt-tuning", BILLION, 3e-2),
    ],
)
def test_learning_rates_of_language_models(strategy: str, method: str, parameters: int, rate: float) -> None:
    found = values(Situation("text-generation", method, strategy=strategy, parameters=parameters), data(5_000))
    assert found["learning_rate"] == rate
    assert ("lora_r" in found) == (method in ("lora", "qlora"))
    assert ("num_virtual_tokens" in found) == (method == "prompt-tuning")
    assert ("beta" in found) == (strategy in ("dpo", "kto", "orpo"))
    assert ("num_generations" in found) == (strategy == "grpo")


@pytest.mark.parametrize("parameters", [500_000_000, 3 * BILLION, 8 * BILLION, None])
def test_a_larger_model_takes_fewer_rows_at_once_and_as_many_a_step(parameters: int | None) -> None:
    found = values(Situation("text-generation", "lora", strategy="sft", parameters=parameters), data(5_000))
    batch, steps = found["per_device_train_batch_size"], found["gradient_accumulation_steps"]
    assert batch * steps == 16
    assert batch == {500_000_000: 8, 3 * BILLION: 4, 8 * BILLION: 1, None: 1}[parameters]


@pytest.mark.parametrize(("rows", "rank"), [(500, 8), (5_000, 16), (50_000, 64)])
def test_more_rows_take_a_higher_rank_with_twice_the_scale(rows: int, rank: int) -> None:
    found = values(Situation("text-generation", "lora", strategy="sft", parameters=BILLION), data(rows))
    assert (found["lora_r"], found["lora_alpha"]) == (rank, 2 * rank)


@pytest.mark.parametrize(
    ("p95", "context", "length", "words"),
    [
        (41, None, 88, "under about 41 tokens; marks of turns are added; longer ones are cut"),
        (3, None, 40, "longer ones are cut"),
        (9_000, None, 2048, "longer than 2,048 is cut"),
        (9_000, 1024, 1024, "reads at most 1,024"),
    ],
)
def test_the_length_follows_the_data_and_the_model(p95: int, context: int | None, length: int, words: str) -> None:
    situation = Situation("text-generation", "lora", strategy="sft", parameters=BILLION, context=context)
    found = starting_settings(situation, data(900, lengths=lengths(p95)))["max_length"]
    assert found.value == length and words in found.reason


def test_chats_have_room_for_the_marks_of_turns_and_for_the_tokens_of_a_small_tokenizer() -> None:
    known, own = (
        starting_settings(
            Situation("text-generation", "full", from_scratch=from_scratch, strategy="sft"),
            data(900, lengths=lengths(40)),
        )["max_length"]
        for from_scratch in (False, True)
    )
    assert (known.value, own.value) == (88, 136)
    assert "marks of turns are added" in known.reason and "twice as many" in own.reason


def test_source_and_target_have_lengths_of_their_own() -> None:
    sides = data(900, lengths=lengths(500), source_lengths=lengths(400), target_lengths=lengths(40))
    found = values(Situation("summarization", "full", parameters=BILLION, architecture="bart"), sides)
    assert (found["max_length"], found["max_target_length"], found["learning_rate"]) == (504, 56, 3e-5)
    assert values(Situation("summarization", "full", architecture="t5"), sides)["learning_rate"] == 3e-4


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_rule_has_a_reason_and_a_source(path: Path) -> None:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(tables) <= {"rule", "length"}
    seen: dict[str, list[set[str]]] = {}
    for rule in tables["rule"]:
        assert set(rule) - CONDITIONS == {"setting", "value", "reason", "source"}, rule
        assert rule["reason"].strip() and rule["source"].strip()
        earlier = seen.setdefault(rule["setting"], [])
        assert set() not in earlier, f"{rule['setting']}: a rule without conditions hides this one: {rule}"
        earlier.append(set(rule) & CONDITIONS)
    for rule in tables.get("length", ()):
        assert set(rule) - CONDITIONS - {"least", "longer", "times", "more", "with"} == {
            "setting",
            "of",
            "most",
            "source",
        }, rule


def test_texts_of_taggers_are_read_in_parts_not_cut() -> None:
    found = starting_settings(Situation("token-classification", "full"), data(900, lengths=lengths(30)))["max_length"]
    assert found.value == 128 and found.reason.endswith("longer ones are read in parts")


@pytest.mark.parametrize("task", [each.id for each in TASK_DATA])
def test_every_task_of_the_design_has_settings(task: str) -> None:
    found = values(Situation(task, "full"), data(900))
    assert {"learning_rate"} <= set(found) <= set(known_settings(task))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
@pytest.mark.parametrize("from_scratch", [True, False])
def test_a_run_that_is_trained_takes_all_its_settings(task: Any, from_scratch: bool) -> None:
    for method in task.methods:
        found = values(Situation(task.id, method, from_scratch), data(900, lengths=lengths(41)))
        parse_settings(task.options, found)


@pytest.mark.parametrize(
    ("task", "parameters", "free", "batch"),
    [
        ("object-detection", 31_000_000, 4, (1, 8)),
        ("object-detection", 31_000_000, 8, (2, 4)),
        ("object-detection", 31_000_000, 12, (4, 2)),
        ("object-detection", 31_000_000, 24, (8, 1)),
        ("object-detection", 31_000_000, None, (8, 1)),
        ("object-detection", 4_000_000, 4, (2, 4)),
        ("object-detection", 10_000_000, 12, (8, 1)),
        ("text-generation", 8 * BILLION, 24, (1, 16)),
        ("text-generation", 8 * BILLION, 48, (4, 4)),
        ("text-generation", 8 * BILLION, 80, (8, 2)),
        ("text-generation", 3 * BILLION, 80, (16, 1)),
        ("text-generation", 30 * BILLION, 141, (1, 16)),
    ],
)
def test_rows_at_once_follow_the_memory(task: str, parameters: int, free: float | None, batch: tuple[int, int]) -> None:
    strategy = "sft" if task == "text-generation" else None
    found = values(Situation(task, "full", strategy=strategy, parameters=parameters, free_gib=free), data(5_000))
    assert (found["per_device_train_batch_size"], found["gradient_accumulation_steps"]) == batch


@pytest.mark.parametrize(("strategy", "has_length"), [("sft", True), ("dpo", True), ("grpo", False), ("ppo", False)])
def test_settings_are_those_that_the_trainer_has(strategy: str, has_length: bool) -> None:
    found = values(Situation("text-generation", "full", strategy=strategy), data(900, lengths=lengths(100)))
    assert ("max_length" in found) == has_length


@pytest.mark.parametrize(("rows", "expected"), [(240, (3, 5e-6)), (5_000, (1, 5e-7))])
@pytest.mark.parametrize("strategy", ["dpo", "kto"])
def test_few_preferences_are_seen_more_often(strategy: str, rows: int, expected: tuple[int, float]) -> None:
    found = values(Situation("text-generation", "full", strategy=strategy, parameters=135_000_000), data(rows))
    assert (found["num_train_epochs"], found["learning_rate"]) == expected
