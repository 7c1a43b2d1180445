"""The estimate of memory: what it is made of, how it moves with the settings, and how near published peaks it comes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from profiles.catalog import Model, Shape, catalog, find_model
from profiles.memory import GIB, MemoryEstimate, estimate_memory, optimizer_bytes
from profiles.memory_margin import family_of, margin_of
from profiles.memory_stacks import network_of, picture_tokens
from profiles.parameter_counts import count_parameters
from profiles.trainer_setups import trainer_setup
from profiles.training_setup import OPTIMIZERS, Training

LLAMA = Shape("llama", 32, 4096, 11008, 32, 32, 128, 32_000, False)
SMALL = Shape("qwen3", 28, 1024, 3072, 16, 8, 128, 151_936, True)
BERT = Shape("bert", layers=12, hidden=768, intermediate=3072, heads=12, vocab=30_522, positions=512, token_types=2)
SHAPED = [model for model in catalog() if model.shape is not None and model.shape.architecture != "timm"]
METHODS = {
    "causal-lm": ("full", "lora", "qlora", "prompt-tuning", "prefix-tuning"),
    "encoder": ("full", "lora", "qlora"),
    "encoder-decoder": ("full", "lora", "qlora"),
    "vision-language": ("full", "lora", "qlora"),
}


def estimated(shape: Shape, **settings: Any) -> MemoryEstimate:
    found = estimate_memory(shape, Training(**settings))
    assert found is not None
    return found


def test_the_parts_add_up_to_the_largest_moment_and_what_is_beside_the_tensors() -> None:
    found = estimated(SMALL, method="lora", weights="bf16", autocast=True)
    parts = {each.name: getattr(found.components, each.name) for each in fields(found.components)}
    assert sum(parts.values()) == found.total_bytes == found.reserved_bytes + parts["context"]
    assert found.reserved_bytes == found.allocated_bytes + parts["allocator"]
    assert found.moments[found.moment] == max(found.moments.values())
    assert found.allocated_bytes == pytest.approx(found.moments[found.moment], abs=len(parts))


def test_state_of_full_training_is_what_the_literature_says() -> None:
    parameters = count_parameters(LLAMA)
    found = estimated(LLAMA, autocast=True, checkpointing=True, loss="chunked", batch=1, length=64)
    state = found.components.weights + found.components.gradients + found.components.optimizer
    assert state == pytest.approx(16 * parameters, rel=0.02)  # Rajbhandari et al. 2020: with Adam 16 bytes a parameter
    assert found.learning == found.parameters == parameters


@pytest.mark.parametrize(("method", "measured"), [("full", 25_705_708_032), ("lora", 12_616_885_760)])
def test_runs_of_a_billion_parameters_on_an_h100(method: str, measured: int) -> None:
    """`benchmarks/gpu_language.py`, 16 rows of 2,048 tokens, torch 2.11: `torch.cuda.max_memory_allocated`."""
    model = find_model("meta-llama/Llama-3.2-1B")
    settings = {"max_length": 2048, "per_device_train_batch_size": 16, "lora_r": 8, "lora_dropout": 0.05}
    setup = trainer_setup(model, method, settings, True, "text-generation", "sft")
    assert model.shape is not None
    found = estimate_memory(model.shape, setup)
    assert found is not None and 0 <= found.allocated_bytes / measured - 1 < 0.05


@pytest.mark.parametrize(("double", "bits"), [(True, 4.127), (False, 4.5)])
def test_four_bits_with_their_scales(double: bool, bits: float) -> None:
    network = network_of(LLAMA, Training(method="qlora"))
    assert network is not None
    found = estimated(LLAMA, method="qlora", weights="bf16", adapter="bf16", double_quantized=double)
    rest = network.parameters - network.matrices  # embeddings, head and norms stay in 16 bits
    assert rest == pytest.approx(2 * 32_000 * 4096, rel=0.01)
    assert found.components.weights == pytest.approx(network.matrices * bits / 8 + 2 * rest, rel=0.001)


def test_adapters_learn_two_thin_matrices_for_each_target() -> None:
    one = estimated(LLAMA, method="lora", lora_rank=8, lora_targets=("q", "v"))
    assert one.learning == 32 * 2 * 8 * (4096 + 4096)
    assert estimated(LLAMA, method="lora", lora_rank=16, lora_targets=("q", "v")).learning == 2 * one.learning
    assert estimated(LLAMA, method="prompt-tuning", virtual_tokens=20).learning == 20 * 4096
    assert estimated(LLAMA, method="prefix-tuning", virtual_tokens=20).learning == 20 * 32 * 2 * 4096


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizer_state(optimizer: str) -> None:
    expected = {"adamw": 8, "adamw_foreach": 8, "lion": 4, "rmsprop": 4, "sgd_momentum": 4, "adamw8bit": 2.03}
    assert optimizer_bytes(optimizer, 4) == pytest.approx(expected.get(optimizer, 0), abs=0.01)
    found = estimated(SMALL, optimizer=optimizer)
    assert found.components.optimizer == pytest.approx(optimizer_bytes(optimizer, 4) * found.parameters, abs=1)


def methods_of(model: Model) -> tuple[str, ...]:
    return METHODS.get(model.kind, ("full",))


@pytest.mark.parametrize("model", SHAPED, ids=lambda model: model.id)
def test_every_shape_of_the_catalog_is_estimated_and_more_of_anything_takes_no_less(model: Model) -> None:
    assert model.shape is not None
    for method in methods_of(model):
        setup = Training(method=method, weights="bf16", adapter="bf16", batch=2, length=256, target_length=64)
        found = estimate_memory(model.shape, setup)
        assert found is not None
        assert found.components.weights > 0
        assert margin_of(model.shape, setup).share > 0
        for more in (replace(setup, batch=4), replace(setup, length=512), replace(setup, lora_rank=64)):
            larger = estimate_memory(model.shape, more)
            assert larger is not None and larger.total_bytes >= found.total_bytes, (method, more)


@pytest.mark.parametrize("shape", [LLAMA, SMALL, BERT], ids=lambda shape: shape.architecture)
def test_each_saving_saves(shape: Shape) -> None:
    setup = Training(batch=8, length=512, loss="none" if shape is BERT else "whole")
    plain = estimate_memory(shape, setup)
    assert plain is not None
    savings = [
        replace(setup, checkpointing=True),
        replace(setup, optimizer="adamw8bit"),
        replace(setup, method="lora", weights="bf16"),
        replace(setup, length=256),
        *([] if shape is BERT else [replace(setup, loss="chunked")]),
    ]
    for each in savings:
        found = estimate_memory(shape, each)
        assert found is not None and found.total_bytes < plain.total_bytes, each


def test_a_mask_and_attention_without_a_kernel_cost_memory() -> None:
    setup = {"weights": "bf16", "batch": 4, "length": 1024, "loss": "chunked"}
    plain, masked = estimated(SMALL, **setup), estimated(SMALL, **setup, padded=True)
    eager = estimated(SMALL, **setup, attention="eager")
    assert plain.total_bytes < masked.total_bytes < eager.total_bytes
    scores = 28 * 16 * 4 * 1024**2 * (2 + 4)  # layers, heads, rows, pairs: a softmax of 2 bytes and one of 4
    assert eager.components.activations > scores


def test_strategies_with_further_models() -> None:
    adapter = {"method": "lora", "weights": "bf16", "length": 256, "batch": 2}
    alone = estimated(SMALL, **adapter)
    assert estimated(SMALL, **adapter, sequences=2).components.activations > alone.components.activations
    reference = estimated(SMALL, weights="bf16", others=1)
    assert reference.components.other_models == reference.components.weights
    four = estimated(SMALL, weights="bf16", others=3, others_learn=1)
    assert four.components.other_models == 3 * four.components.weights
    assert four.components.optimizer == 2 * reference.components.optimizer
    trying = estimated(SMALL, **adapter, generated=512)
    assert trying.moments["trying"] > alone.components.weights
    assert trying.total_bytes > alone.total_bytes


def test_what_is_not_known_is_not_estimated() -> None:
    assert estimate_memory(Shape("timm", image=224), Training()) is None
    assert estimate_memory(Shape("never-heard-of", layers=2), Training()) is None
    assert estimate_memory(replace(LLAMA, hidden=None), Training()) is None
    assert estimate_memory(replace(LLAMA, vocab=None), Training()) is None


def test_pictures_become_tokens() -> None:
    seeing = next(model.shape for model in catalog() if model.id.endswith("SmolVLM-256M-Instruct"))
    assert seeing is not None and picture_tokens(seeing) == 64  # 512 pixels, patches of 16, squares of 4 x 4
    assert picture_tokens(SMALL) is None


def test_margins_are_of_families() -> None:
    adapter, whole = Training(method="lora"), Training()
    assert family_of(SMALL, adapter) == "language, adapters" != family_of(SMALL, whole)
    assert margin_of(SMALL, adapter).rows > 0
    none_published = margin_of(Shape("t5"), whole)
    assert none_published.rows == 0
    assert none_published.share >= max(margin_of(BERT, whole).share, margin_of(SMALL, adapter).share)


# --- published peaks ---------------------------------------------------------------------------------------------


def test_accuracy_on_published_peaks(reference: Path, repository: Path) -> None:
    command = [sys.executable, str(repository / "benchmarks" / "memory_accuracy.py"), str(reference), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == {"median_error", "p95_error", "worst_over", "worst_under", "grade_a", "rows"}
    assert told["grade_a"]["median_error"] <= 0.05
    assert told["grade_a"]["worst_under"] >= -0.12
    for row in told["rows"]:
        assert set(row) == {"id", "grade", "estimate_gib", "published_gib", "error"}
        assert row["error"] == pytest.approx(row["estimate_gib"] / row["published_gib"] - 1, abs=0.001)


def test_published_llama_with_adapters() -> None:
    """litgpt 0.5, config_hub/finetune/README.md: Llama 2 7B, LoRA of rank 32 on q and v, 2 rows of 512 tokens: 19.77 GB
    allocated."""
    found = estimated(
        LLAMA, method="lora", weights="bf16", adapter="bf16", batch=2, length=512, lora_rank=32,
        lora_targets=("q", "v"), lora_dropout=0.05, logit_bytes=6.0,
    )  # fmt: skip
    assert found.allocated_bytes / GIB == pytest.approx(18.41, rel=0.05)


def test_published_bert_with_everything_kept() -> None:
    """Transformers, perf_train_gpu_one: bert-large, 4 rows of 512 tokens in 32 bits, 14,949 MiB of which 1,343 are the
    context."""
    large = replace(BERT, layers=24, hidden=1024, intermediate=4096, heads=16)
    setup = Training(batch=4, attention="eager", loss="none", accumulates=True)
    found = estimate_memory(large, setup, context_bytes=1343 * 2**20)
    assert found is not None
    assert found.total_bytes / GIB == pytest.approx(14.6, rel=0.12)
