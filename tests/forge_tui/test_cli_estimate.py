"""`estimate`: components, verdict and exit code, for models from anywhere, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiles.catalog import catalog
from profiles.memory_pictures import picture_network
from profiles.training_setup import Training

DONE, USAGE, TOO_LARGE = 0, 2, 4
KEYS = ["components", "total_bytes", "available_bytes", "verdict", "error_margin"]
GIB = 2**30
QWEN = ["--model", "Qwen/Qwen3-8B", "--method", "lora"]


def memory(cli: Callable[..., Any], *arguments: str, code: int = DONE) -> dict[str, Any]:
    done = cli("estimate", *arguments, "--json")
    assert done.code == code, done.err
    found: dict[str, Any] = json.loads(done.out)
    assert list(found) == KEYS
    return found


def test_json_adds_up(cli: Callable[..., Any]) -> None:
    found = memory(cli, *QWEN, "--hardware", "gpu:24GiB")
    assert sum(found["components"].values()) == found["total_bytes"]
    assert found["available_bytes"] == 24 * GIB
    assert found["verdict"] == "fits"
    assert found["total_bytes"] * (1 + found["error_margin"]) < 24 * GIB
    assert found["components"]["weights"] == pytest.approx(2 * 8.19e9, rel=0.01)


def test_a_length_that_the_model_cannot_read_is_refused(cli: Callable[..., Any]) -> None:
    told = cli("estimate", "--model", "FacebookAI/roberta-base", "--seq-length", "4096", "--hardware", "gpu:24GiB")
    assert told.code == 2 and "--seq-length 512" in told.err


@pytest.mark.parametrize(
    ("gib", "verdict", "code"), [(80, "fits", DONE), (20, "tight", DONE), (8, "too-large", TOO_LARGE)]
)
def test_the_verdict_and_the_exit_code(cli: Callable[..., Any], gib: int, verdict: str, code: int) -> None:
    assert memory(cli, *QWEN, "--hardware", f"gpu:{gib}GiB", code=code)["verdict"] == verdict


def test_what_is_too_large_is_told_with_what_would_fit(cli: Callable[..., Any]) -> None:
    done = cli("estimate", *QWEN, "--hardware", "gpu:12GiB")
    assert done.code == TOO_LARGE
    assert "too large" in done.out
    assert "12 GiB is free" in done.err and "QLoRA" in done.err
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_a_bar_for_each_component(cli: Callable[..., Any]) -> None:
    done = cli("estimate", *QWEN, "--hardware", "gpu:24GiB")
    assert done.code == DONE
    lines = {line.split()[0]: line for line in done.out.splitlines() if "%" in line and ("█" in line or "#" in line)}
    assert {"weights", "adapter", "gradients", "optimizer", "activations"} <= set(lines)
    assert "rows at once at this length" in done.out and "what saves memory" in done.out
    bars = {name: line.count("█") + line.count("#") for name, line in lines.items()}
    assert bars["weights"] > bars["activations"] > bars["adapter"] >= 1


def test_settings_change_the_estimate(cli: Callable[..., Any]) -> None:
    model = ["--model", "google-bert/bert-base-uncased", "--hardware", "gpu:24GiB"]
    usual = memory(cli, *model)
    assert memory(cli, *model, "--seq-length", "256")["total_bytes"] < usual["total_bytes"]
    assert memory(cli, *model, "--batch-size", "32")["total_bytes"] > usual["total_bytes"]
    assert memory(cli, *model, "--gradient-checkpointing")["total_bytes"] < usual["total_bytes"]
    assert memory(cli, *model, "--set", "optim=adamw_8bit")["total_bytes"] < usual["total_bytes"]
    assert memory(cli, *model, "--set", "max_seq_length=256") == memory(cli, *model, "--seq-length", "256")


def test_models_come_from_presets_and_folders_too(cli: Callable[..., Any], tmp_path: Path) -> None:
    preset = memory(cli, "--model", "preset:tiny-encoder", "--hardware", "cpu")
    assert preset["verdict"] == "fits" and preset["total_bytes"] < 2 * GIB
    config = {
        "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 64, "vocab_size": 1000,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    folder = memory(cli, "--model", str(tmp_path), "--method", "full", "--hardware", "gpu:4GiB")
    assert folder["verdict"] == "fits"


def test_models_of_pictures_by_what_a_picture_leaves(cli: Callable[..., Any]) -> None:
    model = ["--model", "timm/mobilenetv3_small_100.lamb_in1k", "--hardware", "gpu:24GiB"]
    one, many = memory(cli, *model, "--batch-size", "8"), memory(cli, *model, "--batch-size", "80")
    assert one["verdict"] == "fits"
    assert many["components"]["activations"] > 5 * one["components"]["activations"]
    assert memory(cli, *model, "--batch-size", "100000", code=TOO_LARGE)["verdict"] == "too-large"


def test_what_is_not_known_is_null(cli: Callable[..., Any], tmp_path: Path) -> None:
    # What its layers keep was measured without gradient checkpointing.
    seer = ["--model", "timm/resnet50.a1_in1k", "--gradient-checkpointing", "--hardware"]
    found = memory(cli, *seer, "gpu:24GiB")
    assert found["total_bytes"] is None and found["verdict"] is None and found["error_margin"] is None
    assert list(found["components"]) == ["weights", "gradients", "optimizer"]
    assert found["components"]["optimizer"] == 2 * found["components"]["weights"] == 8 * 25_557_032
    large = memory(cli, *seer, "gpu:0.3GiB", code=TOO_LARGE)
    assert large["verdict"] == "too-large" and large["total_bytes"] is None


def test_a_detector_is_estimated_by_what_its_pictures_leave(cli: Callable[..., Any]) -> None:
    detector = ["--model", "ustc-community/dfine-large-coco", "--hardware", "gpu:80GiB"]
    one, two, four = (memory(cli, *detector, "--batch-size", count)["components"] for count in ("1", "2", "4"))
    assert one["optimizer"] == 8 * 31_083_862
    picture = two["activations"] - one["activations"]
    assert picture > 700 * 2**20 and abs(four["activations"] - two["activations"] - 2 * picture) <= 4
    assert memory(cli, *detector, "--batch-size", "500", code=TOO_LARGE)["verdict"] == "too-large"


def test_every_model_of_pictures_in_the_catalog_is_measured() -> None:
    pictured = [each for each in catalog() if each.shape is not None and each.shape.architecture == "timm"]
    pictured += [each for each in catalog() if each.kind == "detector" and each.parameters is not None]
    assert len(pictured) > 25
    assert [each.id for each in pictured if picture_network(each, Training()) is None] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ("--model",)),
        (["--model", "Qwen/Qwen3-8BB"], ("Qwen/Qwen3-8B",)),
        (["--model", "Qwen/Qwen3-8B", "--method", "loar"], ("lora",)),
        (["--model", "answerdotai/ModernBERT-base", "--method", "prefix-tuning"], ("prefix-tuning", "lora")),
        ([*QWEN, "--batch-size", "many"], ("many", "whole number")),
        ([*QWEN, "--batch-size", "0"], ("whole number from 1",)),
        ([*QWEN, "--set", "max_lenght=3"], ("max_length",)),
        ([*QWEN, "--set", "optim=adamm"], ("adamw",)),
        ([*QWEN, "--hardware", "24Gb"], ("gpu:24GiB",)),
        ([*QWEN, "--task", "image-classification"], ("text-generation",)),
        (["--model", "preset:xgboost"], ("plan --data",)),
    ],
)
def test_mistakes_are_told(cli: Callable[..., Any], arguments: list[str], words: tuple[str, ...]) -> None:
    done = cli("estimate", *arguments)
    assert done.code == USAGE
    assert "Traceback" not in done.err and "fix:" in done.err
    for word in words:
        assert word in done.err
