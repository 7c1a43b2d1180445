"""The memory of a plan: it fits with its margin, on a GPU and on a CPU, or it is said what would make it fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forge_tui.planning import Request, make_plan
from profiles.hardware import Gpu, Hardware

GIB = 2**30
DONE, TOO_LARGE = 0, 4


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    words = " ".join(f"word{n}" for n in range(200))
    rows = (f"{n} {words},{('rail', 'sea')[n % 2]}\n" for n in range(120))
    path.write_text("text,label\n" + "".join(rows))
    return path


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.jsonl"
    rows = ({"prompt": f"What is {n} plus {n}?", "completion": f"It is {2 * n}. " * 30} for n in range(80))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def gpu(free: float) -> Hardware:
    return Hardware((Gpu(0, "GPU-1", memory_free_bytes=int(free * GIB), compute_capability="8.0"),))


@pytest.mark.parametrize("free", [4, 6, 8, 12, 16, 24, 48, 80])
def test_what_is_recommended_fits_with_its_margin(answers: Path, free: float) -> None:
    plan = make_plan(Request(str(answers), task="text-generation"), gpu(free))
    memory = plan.memory
    assert memory.verdict == "fits"
    assert memory.safe_bytes is not None and memory.safe_bytes <= free * GIB
    assert memory.total_bytes == sum(memory.components.values())


def test_rows_at_once_are_made_fewer_and_accumulated(texts: Path) -> None:
    wanted = Request(str(texts), task="text-classification", model="google-bert/bert-base-uncased", method="full")
    usual = make_plan(wanted, gpu(24))
    assert usual.memory.total_bytes is not None
    little = make_plan(wanted, gpu(usual.memory.total_bytes / GIB * 0.98))
    rows, passes = (
        [plan.settings[name].value if name in plan.settings else 1 for plan in (usual, little)]
        for name in ("per_device_train_batch_size", "gradient_accumulation_steps")
    )
    assert rows[1] < rows[0]
    assert rows[0] * passes[0] == rows[1] * passes[1]
    assert "at once" in little.settings["per_device_train_batch_size"].reason
    assert little.memory.verdict == "fits"


def test_activations_are_kept_where_there_is_memory_for_them(answers: Path) -> None:
    asked = Request(str(answers), task="text-generation", model="Qwen/Qwen3-1.7B", method="lora")
    chosen = Request(**{**vars(asked), "settings": {"gradient_checkpointing": True}})
    roomy, narrow, own = (make_plan(*each) for each in ((asked, gpu(80)), (asked, gpu(6)), (chosen, gpu(80))))
    kept, again = (plan.settings["gradient_checkpointing"] for plan in (roomy, narrow))
    assert kept.value is False and "a quarter less time" in kept.reason
    assert again.value is True and "6 GiB are free" in again.reason
    assert roomy.memory.verdict == narrow.memory.verdict == "fits"
    assert roomy.memory.components["activations"] > 3 * own.memory.components["activations"]
    assert own.settings["gradient_checkpointing"].value is True


def test_fewer_rows_at_once_let_activations_be_kept(answers: Path) -> None:
    lengths = {"max_length": 2048}
    asked = Request(str(answers), task="text-generation", model="Qwen/Qwen3-1.7B", method="full", settings=lengths)
    plan = make_plan(asked, gpu(80))
    rows, passes, again = (
        plan.settings[name].value
        for name in ("per_device_train_batch_size", "gradient_accumulation_steps", "gradient_checkpointing")
    )
    assert again is False and plan.memory.verdict == "fits"
    assert rows * 2048 >= 8192 and rows * passes == 16 and rows < 16
    mine = {**lengths, "per_device_train_batch_size": 16}
    chosen = make_plan(Request(**{**vars(asked), "settings": mine}), gpu(80))
    assert chosen.settings["per_device_train_batch_size"].value == 16
    assert chosen.settings["gradient_checkpointing"].value is True


def test_virtual_tokens_are_never_planned_with_activations_made_again(answers: Path) -> None:
    asked = Request(str(answers), task="text-generation", model="Qwen/Qwen3-1.7B", method="prefix-tuning")
    for free in (80, 6):
        setting = make_plan(asked, gpu(free)).settings.get("gradient_checkpointing")
        assert setting is None or setting.value is False


def test_what_was_chosen_is_kept_and_told(cli: Callable[..., Any], answers: Path) -> None:
    told = cli(
        "plan", "--data", str(answers), "--task", "text-generation", "--model", "Qwen/Qwen3-4B", "--method", "lora",
        "--set", "per_device_train_batch_size=1000", "--hardware", "gpu:14GiB", "--json",
    )  # fmt: skip
    assert told.code == TOO_LARGE
    plan = told.json()
    assert plan["settings"]["per_device_train_batch_size"]["value"] == 1000
    assert plan["memory"]["verdict"] == "too-large"
    assert plan["memory"]["total_bytes"] > 14 * GIB
    assert "takes about" in told.err and "14 GiB" in told.err


def test_the_cheapest_change_is_the_first_alternative(cli: Callable[..., Any], answers: Path) -> None:
    options = ["plan", "--data", str(answers), "--task", "text-generation", "--model", "Qwen/Qwen3-4B"]
    told = cli(*options, "--method", "lora", "--hardware", "gpu:7GiB", "--json")
    assert told.code == TOO_LARGE
    first = told.json()["alternatives"][0]
    assert (first["label"], first["method"], first["model"]) == ("makes-it-fit", "qlora", "Qwen/Qwen3-4B")
    assert "QLoRA" in told.err
    fits = cli(*options, "--method", "qlora", "--hardware", "gpu:7GiB", "--json")
    assert fits.code == DONE and fits.json()["memory"]["verdict"] == "fits"
    assert all(each["label"] != "makes-it-fit" for each in fits.json()["alternatives"])


def test_bars_in_the_plan(cli: Callable[..., Any], answers: Path) -> None:
    told = cli("plan", "--data", str(answers), "--hardware", "gpu:24GiB")
    lines = told.out.splitlines()
    assert any(line.startswith("memory ") and line.endswith("fits") for line in lines)
    assert any("weights" in line and "█" in line for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_a_table_in_the_memory_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("size,colour,answer\n" + "".join(f"{n},c{n % 4},{'yes' if n % 3 else 'no'}\n" for n in range(60)))
    roomy = make_plan(Request(str(path)), Hardware(memory_available_bytes=8 * GIB))
    assert roomy.memory.verdict == "fits"
    assert make_plan(Request(str(path)), Hardware(memory_available_bytes=GIB // 8)).is_too_large
    assert make_plan(Request(str(path)), Hardware()).memory.verdict is None


def test_a_small_encoder_on_a_cpu(texts: Path) -> None:
    plan = make_plan(Request(str(texts), model="preset:tiny-encoder"), Hardware(memory_available_bytes=8 * GIB))
    assert plan.memory.verdict == "fits"
    assert plan.memory.total_bytes is not None and plan.memory.total_bytes < 4 * GIB


def test_a_spec_carries_the_estimate(cli: Callable[..., Any], texts: Path, tmp_path: Path) -> None:
    from backends.contract import read_spec

    spec = tmp_path / "spec.toml"
    assert cli("plan", "--data", str(texts), "--hardware", "gpu:24GiB", "-o", str(spec)).code == DONE
    told = cli("plan", "--data", str(texts), "--hardware", "gpu:24GiB", "--json").json()
    assert read_spec(spec).estimate["total_bytes"] == told["memory"]["total_bytes"]
