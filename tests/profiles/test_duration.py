"""Time and cost: from operations and peaks, as a range that finished runs narrow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from profiles.catalog import Shape, find_model
from profiles.duration import (
    Duration,
    Speed,
    cost_of,
    run_duration,
    seeing_speed,
    seeing_step_seconds,
    speed_of,
    step_operations,
    step_seconds,
    trees_duration,
)
from profiles.hardware import Cpu, Gpu
from profiles.memory_pictures import picture_work
from profiles.parameter_counts import count_active_parameters, count_parameters
from profiles.training_setup import Training

LLAMA = Shape("llama", 32, 4096, 11008, 32, 32, 128, 32_000, False)
MOE = Shape("qwen3_moe", 48, 2048, 768, 32, 4, 128, 151_936, False, experts=128, experts_active=8)
FULL = Training(batch=4, length=1024, weights="bf16")
A100 = speed_of(Gpu(0, name="NVIDIA A100-SXM4-80GB"), None)


def operations(shape: Shape, setup: Training, tokens: float | None = None) -> float:
    found = step_operations(shape, setup, tokens or setup.length)
    assert found is not None
    return found


def test_operations_are_six_for_each_parameter_and_token() -> None:
    without_words = count_parameters(LLAMA) - 32_000 * 4096  # looking words up is no product of matrices
    attention = 12 * 32 * 4096 * 1024
    expected = 4 * 1024 * (6 * without_words + attention)
    assert operations(LLAMA, FULL) == pytest.approx(expected, rel=0.01)


def test_adapters_do_less_and_checkpoints_more() -> None:
    full, lora = operations(LLAMA, FULL), operations(LLAMA, replace(FULL, method="lora"))
    assert lora == pytest.approx(full * 4 / 6, rel=0.01)
    assert operations(LLAMA, replace(FULL, checkpointing=True)) == pytest.approx(full * 8 / 6, rel=0.01)
    assert operations(LLAMA, FULL, tokens=512) < 0.51 * full


def test_only_experts_at_work_count() -> None:
    per_token = operations(MOE, FULL) / (4 * 1024)
    assert 6 * count_active_parameters(MOE) * 0.85 < per_token < 6 * count_active_parameters(MOE) * 1.5
    assert per_token < 6 * count_parameters(MOE) / 4


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100 80GB PCIe", "A100 80GB"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("Tesla T4", "T4"),
        ("NVIDIA RTX A1000 6GB Laptop GPU", None),
        ("NVIDIA T400 4GB", None),
        ("NVIDIA A10G", None),
        ("NVIDIA GeForce RTX 4060 Laptop GPU", None),
        ("NVIDIA GeForce RTX 4070 Ti", None),
        ("Some new GPU", None),
    ],
)
def test_gpus_are_known_by_their_names(name: str, found: str | None) -> None:
    speed = speed_of(Gpu(0, name=name), None)
    assert (speed.name if speed is not None else None) == found


def test_what_is_not_known_has_no_speed() -> None:
    assert speed_of(Gpu(0), None) is None
    assert speed_of(Gpu(0, uuid="MIG-1", name="NVIDIA A100-SXM4-80GB MIG 1g.10gb"), None) is None
    assert speed_of(None, Cpu()) is None
    assert A100 is not None
    usual = step_seconds(LLAMA, FULL, A100, 512)
    assert run_duration(usual, usual, A100, None, 1) is None
    assert step_seconds(Shape("timm", image=224), FULL, A100, 512) is None
    assert run_duration(None, None, A100, 10, 1) is None


@pytest.mark.parametrize("share", [0.21, 0.46])
def test_published_shares_of_the_peak_lie_in_the_range(share: float) -> None:
    """Chowdhery et al. 2022, table 3: 21.3% (GPT-3) to 46.2% (PaLM) of the peak, counted without checkpointing."""
    assert A100 is not None
    found = step_seconds(LLAMA, FULL, A100, 1024)
    assert found is not None
    assert found[0] < operations(LLAMA, FULL) / (share * 312e12) < found[1]


def whole_run(*rest: Any) -> Duration | None:
    """A run of LLAMA on rows of 512 to 1,024 tokens."""
    assert A100 is not None
    usual, long = (step_seconds(LLAMA, FULL, A100, tokens) for tokens in (512, 1024))
    return run_duration(usual, long, A100, *rest)


def test_runs_that_finished_narrow_the_range() -> None:
    wide = whole_run(100, 2, 17.0)
    assert wide is not None and wide.low < wide.middle < wide.high
    factor = 2.0
    narrow = whole_run(100, 2, 17.0, factor, 3)
    assert narrow is not None
    assert narrow.high / narrow.low < wide.high / wide.low
    assert narrow.low < factor * wide.worked_out < narrow.high
    assert narrow.worked_out == wide.worked_out
    assert "3 finished runs" in narrow.reason
    doubled = whole_run(100, 4, 17.0)
    assert doubled is not None and doubled.worked_out > 1.9 * wide.worked_out


PICTURES = {
    "timm/resnet50.a1_in1k": 8.2e9,  # He et al. 2016, table 1: 3.8e9 products, each with a sum, and the first layers
    "timm/vit_base_patch16_224.augreg_in21k_ft_in1k": 35e9,
    "timm/efficientnet_b0.ra_in1k": 0.78e9,  # Tan and Le 2019, table 2: 0.39e9 products
    "facebook/detr-resnet-50": 172e9,  # Carion et al. 2020, table 1: 86e9 products at 800 pixels and more
}


def test_pictures() -> None:
    works = {name: picture_work(find_model(name)) for name in PICTURES}
    assert {name for name, work in works.items() if work is not None and work.is_light} == {
        "timm/efficientnet_b0.ra_in1k"
    }
    for name, published in PICTURES.items():
        work = works[name]
        assert work is not None and work.operations == pytest.approx(published, rel=0.1 if "detr" not in name else 0.6)
    unknown = picture_work(find_model("google-bert/bert-base-uncased"))
    assert unknown is None


@pytest.mark.parametrize("rate", [1000, 2500])
def test_pictures_a_second_of_a_gpu_lie_in_the_range(rate: float) -> None:
    assert A100 is not None
    speed, setup = seeing_speed(A100, is_light=False), Training(batch=256, autocast=True)
    low, high = seeing_step_seconds(8.2e9, setup, speed)
    assert low < 256 / rate < high
    assert seeing_speed(A100, is_light=True).shares[0] < speed.shares[1] * 2
    on_cpu = seeing_speed(Speed("2 cores", 160e9, 160e9, None, None, (0.6, 0.08)), is_light=False)
    assert on_cpu.shares[0] > 0.9 and "25% to 100%" in str(run_duration((1, 2), (1, 2), on_cpu, 5, 1))


def test_trees() -> None:
    found = trees_duration(1_000_000, 28, 100, 1, 8)
    assert found is not None and found.low < 10 + 5 < found.high  # Chen and Guestrin 2016: 10 s of training
    assert trees_duration(None, 28, 100, 1, 8) is None
    assert trees_duration(1000, 28, 100, 1, None) is None


def test_costs() -> None:
    duration = whole_run(1000, 1)
    assert duration is not None
    rent = cost_of(duration, 400, 2.0, None)
    assert rent is not None and rent.money == pytest.approx((duration.low / 1800, duration.high / 1800))
    energy = cost_of(duration, 400, None, 0.3)
    assert energy is not None and energy.energy_kwh is not None and energy.money is not None
    assert energy.energy_kwh[1] == pytest.approx(duration.high / 3600 * 0.4)
    assert energy.money[1] == pytest.approx(0.3 * energy.energy_kwh[1])
    unknown = cost_of(duration, None, None, 0.3)
    assert unknown is not None and unknown.money is None and unknown.energy_kwh is None
    assert cost_of(None, 400, 2.0, None) is None
