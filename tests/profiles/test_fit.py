"""Verdicts never promise too much; what would fit does, and the cheapest change is the first that helps."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from profiles.catalog import Model, Shape, catalog, find_model
from profiles.fit import (
    CHANGES,
    FITS,
    TIGHT,
    TOO_LARGE,
    changes,
    cheapest_change,
    judge,
    largest_batch,
    largest_length,
    verdict_of,
    with_margin,
)
from profiles.memory import GIB, MIB, estimate_memory
from profiles.memory_margin import Margin
from profiles.trainer_setups import trainer_setup
from profiles.training_setup import Training

QWEN = find_model("Qwen/Qwen3-4B")
BERT = find_model("google-bert/bert-base-uncased")
LLAMA2 = Shape("llama", 32, 4096, 11008, 32, 32, 128, 32_000, False)
LLAMA3 = Shape("llama", 28, 3072, 8192, 24, 8, 128, 128_256, True)
LARGE_BERT = Shape("bert", 24, 1024, 4096, 16, vocab=30_522, positions=512, token_types=2)
LORA = {"method": "lora", "weights": "bf16", "adapter": "bf16", "lora_targets": ("q", "v")}
OLD_CONTEXT = 1343 * MIB
# Peaks in GiB: litgpt 0.5 (config_hub/finetune, tutorials/resource-tables), peft (method_comparison/MetaMathQA), the
# guide perf_train_gpu_one of Transformers, with 1,343 MiB of context.
PUBLISHED: list[tuple[float, Shape, dict[str, Any], int]] = [
    (18.412, LLAMA2, {**LORA, "batch": 2, "lora_rank": 32, "lora_dropout": 0.05, "logit_bytes": 6.0}, 0),
    (27.074, LLAMA2, {**LORA, "batch": 2, "length": 1304, "lora_rank": 8, "lora_dropout": 0.05, "logit_bytes": 6.0}, 0),
    (20.76, LLAMA3, {**LORA, "batch": 4, "length": 768, "lora_rank": 32, "logits_kept": True, "padded": True}, 0),
    (14.599, LARGE_BERT, {"batch": 4, "attention": "eager", "loss": "none", "accumulates": True}, OLD_CONTEXT),
    (
        6.616,
        LARGE_BERT,
        {"attention": "eager", "loss": "none", "accumulates": True, "checkpointing": True},
        OLD_CONTEXT,
    ),
]


@pytest.mark.parametrize(("published", "shape", "settings", "context"), PUBLISHED)
def test_verdicts_at_published_peaks(published: float, shape: Shape, settings: dict[str, Any], context: int) -> None:
    setup = Training(**settings)
    under = judge(shape, setup, int(published * GIB) - MIB, context_bytes=context)
    roomy = judge(shape, setup, int(1.35 * published * GIB), context_bytes=context)
    assert under is not None and under.verdict in (TIGHT, TOO_LARGE)
    assert roomy is not None and roomy.verdict in (FITS, TIGHT)


def test_verdicts_at_all_published_peaks(reference: Path, repository: Path) -> None:
    spec = importlib.util.spec_from_file_location("accuracy", repository / "benchmarks" / "memory_accuracy.py")
    assert spec is not None and spec.loader is not None
    accuracy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(accuracy)
    table = json.loads(reference.read_text(encoding="utf-8"))
    checked = 0
    for row in (each for each in table["rows"] if each["grade"] == "A"):
        shape, setup = accuracy.shape_of(table["configs"][row["model"]]), accuracy.setup_of(row["settings"])
        peak, context = int(row["published_gib"] * GIB), row["settings"]["cuda_context_bytes"]
        under, roomy = (judge(shape, setup, free, context_bytes=context) for free in (peak - MIB, int(1.35 * peak)))
        assert under is not None and under.verdict != FITS, row
        assert roomy is not None and roomy.verdict != TOO_LARGE, row
        checked += 1
    assert checked > 10


def test_fits_only_with_the_margin() -> None:
    margin = Margin(0.1, 3, "language")
    assert verdict_of(10 * GIB, margin, None) is None
    assert verdict_of(10 * GIB, margin, 10 * GIB - 1) == TOO_LARGE
    assert verdict_of(10 * GIB, margin, 10 * GIB) == TIGHT
    assert verdict_of(10 * GIB, margin, with_margin(10 * GIB, margin) - 1) == TIGHT
    assert verdict_of(10 * GIB, margin, with_margin(10 * GIB, margin)) == FITS


def setup_for(model: Model, method: str = "full", **settings: Any) -> Training:
    return trainer_setup(model, method, settings, on_gpu=True)


def test_on_a_cpu_scores_are_kept_where_some_of_them_are_dropped() -> None:
    settings = {"per_device_train_batch_size": 4, "max_length": 256}
    bert = trainer_setup(BERT, "full", settings, on_gpu=False)
    assert BERT.shape is not None and QWEN.shape is not None
    scores = 12 * 4 * 12 * 256**2 * (2 * 4 + 1)  # layers, rows, heads, pairs: softmax and dropped ones, with a mask
    kept, plain = (estimate_memory(BERT.shape, each) for each in (bert, replace(bert, attention="sdpa")))
    assert kept is not None and plain is not None
    assert kept.total_bytes - plain.total_bytes > scores
    assert setup_for(BERT).attention == "sdpa"
    assert trainer_setup(QWEN, "full", settings, on_gpu=False).attention == "sdpa"


def test_a_smaller_model_saves_memory_and_may_take_a_leaner_method() -> None:
    large, middle = find_model("Qwen/Qwen2.5-32B"), find_model("Qwen/Qwen2.5-14B")
    tiny = find_model("TinyLlama/TinyLlama_v1.1")
    found = changes(large, setup_for(large), 24 * GIB, True, ("full", "lora", "qlora"), (middle, tiny))[-1]
    assert found.model is middle and found.setup.method == "qlora"
    assert found.flags == "--model Qwen/Qwen2.5-14B --method qlora"
    wide = find_model("FacebookAI/xlm-roberta-large")
    for each in changes(wide, setup_for(wide, "qlora"), 24 * GIB, True, ("qlora",), tuple(catalog())):
        assert each.saves_bytes > 0


def test_experts_stay_in_16_bits() -> None:
    model = find_model("Qwen/Qwen3-30B-A3B-Base")
    assert model.shape is not None and model.parameters is not None
    found = estimate_memory(model.shape, setup_for(model, "qlora"))
    assert found is not None
    assert 0.9 * 2 * model.parameters < found.components.weights < 2 * model.parameters


@pytest.mark.parametrize(("model", "method"), [(QWEN, "lora"), (BERT, "full")], ids=lambda each: str(each)[:9])
def test_the_largest_batch_and_length_fit_and_the_next_do_not(model: Model, method: str) -> None:
    shape, setup, free = model.shape, setup_for(model, method), 12 * GIB
    assert shape is not None
    rows = largest_batch(shape, setup, free)
    length = largest_length(shape, setup, free, context=model.context)
    assert rows and length
    for fitting, over in (({"batch": rows}, {"batch": rows + 1}), ({"length": length}, {"length": length + 8})):
        fits, not_any_more = judge(shape, replace(setup, **fitting), free), judge(shape, replace(setup, **over), free)
        assert fits is not None and fits.verdict == FITS
        if over.get("length", 0) <= (model.context or 0):
            assert not_any_more is not None and not_any_more.verdict != FITS
    assert largest_batch(shape, setup, GIB // 4) == 0
    assert largest_batch(shape, setup, None) is None


def test_changes_come_cheapest_first_with_what_they_save() -> None:
    setup = replace(setup_for(QWEN), checkpointing=False, loss="whole")
    found = changes(QWEN, setup, 12 * GIB, True, ("full", "lora", "qlora"), (find_model("Qwen/Qwen3-0.6B"),))
    names = [each.names[0] for each in found]
    assert names == sorted(names, key=CHANGES.index)
    assert {"checkpointing", "chunked-loss", "8-bit-optimizer", "lora", "qlora"} <= set(names)
    assert QWEN.shape is not None
    now = judge(QWEN.shape, setup, 12 * GIB)
    assert now is not None
    for each in found:
        assert each.saves_bytes == now.estimate.total_bytes - each.total_bytes > 0
        assert each.costs


@pytest.mark.parametrize(
    ("free", "expected"), [(200, None), (60, ("8-bit-optimizer",)), (24, ("lora",)), (10, ("qlora",)), (1, None)]
)
def test_the_cheapest_change_is_the_first_that_helps(free: int, expected: tuple[str, ...] | None) -> None:
    setup = setup_for(QWEN, max_length=1024)
    found = cheapest_change(QWEN, setup, free * GIB, True, ("full", "lora", "qlora"))
    assert (found.names if found is not None else None) == expected
    if found is not None:
        assert found.verdict == FITS and found.total_bytes < free * GIB


def test_a_smaller_model_is_the_last_resort() -> None:
    tiny = find_model("HuggingFaceTB/SmolLM2-135M")
    found = cheapest_change(QWEN, setup_for(QWEN, "qlora"), 3 * GIB, True, ("lora", "qlora"), (tiny, QWEN))
    assert found is not None and found.names == ("smaller-model",)
    assert found.model == tiny
    assert cheapest_change(QWEN, setup_for(QWEN, "qlora"), 3 * GIB, True, ("lora", "qlora")) is None


def test_where_one_change_is_not_enough_several_are_taken_in_turn() -> None:
    setup = replace(setup_for(QWEN, "lora"), checkpointing=False, loss="whole", batch=16)
    assert QWEN.shape is not None
    both = judge(QWEN.shape, replace(setup, checkpointing=True, loss="chunked"), None)
    assert both is not None
    found = cheapest_change(QWEN, setup, both.safe_bytes + MIB, True, ("lora",))
    assert found is not None and found.names == ("checkpointing", "chunked-loss")
    assert found.verdict == FITS and found.total_bytes == both.estimate.total_bytes


def test_shorter_texts_come_after_what_costs_only_time() -> None:
    setup = replace(setup_for(BERT, max_length=512), batch=64)
    found = cheapest_change(BERT, setup, 3 * GIB, True, ("full",))
    assert found is not None and found.names[-1] == "shorter" and found.setup.length < 512
    assert found.verdict == FITS
