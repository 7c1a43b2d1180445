"""How long a run takes and what it costs, as a range: products of matrices, bytes moved, and what is measured here.

A step does 6 operations for each parameter at work and each token where all weights learn: 2 forward, 4 backward
(Kaplan et al. 2020, 2.1); 4 where only adapters do, since gradients of frozen weights are not made; 2 more with
checkpointing (Chen et al. 2016). Attention adds 12 for each layer, unit of width and token attended to (Chowdhery et
al. 2022, appendix B), of which a causal model needs half.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from profiles.catalog import Shape
from profiles.hardware import Cpu, Gpu
from profiles.memory import frozen_weights_bytes, learning_parameters
from profiles.memory_stacks import Network, network_of
from profiles.parameter_counts import count_active_parameters
from profiles.training_setup import Training

# The share of the peak that training reaches: 21% to 46% are published for large language models (Chowdhery et al.
# 2022, table 3), single GPUs without communication a little more, small batches and short texts less.
_GPU_SHARES = 0.55, 0.10
# A core does 16 products and sums in 32 bits a cycle (AVX2 with FMA, two units of 8), at about 2.5 GHz.
_CORE_RATE = 2 * 16 * 2.5e9
_CPU_SHARES = 0.60, 0.08
# What networks that see reach, and light ones among them. On two cores 71% to 97% and 1.3% to 1.5% were measured (of
# seven models, PyTorch 2.15, 8 pictures at once); of GPUs orders of magnitude are known, such as the 1,000 to 2,500
# pictures a second that an A100 trains ResNet-50 on.
_SEEING_GPU_SHARES, _LIGHT_GPU_SHARES = (0.30, 0.04), (0.05, 0.003)
_SEEING_CPU_SHARES, _LIGHT_CPU_SHARES = (1.00, 0.25), (0.05, 0.01)
# Starting kernels and feeding data, for each step whatever its size, in seconds.
_STEP_OVERHEAD = 0.02, 0.15
# Loading libraries and model, the first step and the last saving, in seconds.
_START = 10.0, 60.0
# 4-bit weights are made whole for each product (Dettmers et al. 2023 report up to half as much time again).
_QUANTIZED = 1.0, 1.5
# A cell of a table in a round of boosting, in core seconds: 10 s for a million rows of 28 columns and 100 rounds on 8
# cores (Chen and Guestrin 2016 and later releases, order of magnitude).
_CELL_SECONDS = 8e-9, 8e-8
# A run with early stopping may end after a tenth of its rounds.
_FEWEST_ROUNDS = 0.1
_CORRECTED_SPREAD = 1.5
# Three steps are few, and what else the machine does changes.
_MEASURED_SPREAD = 1.25
_TREES_START = 3.0, 15.0


@dataclass(frozen=True)
class Speed:
    """What a device does at most: operations a second with 16-bit and 32-bit numbers, bytes a second, watts."""

    name: str
    narrow: float
    whole: float
    bandwidth: float | None
    watts: float | None
    shares: tuple[float, float]


@dataclass(frozen=True)
class Duration:
    """A run's length in seconds, from `low` to `high`, and what that was worked out from.

    `worked_out` is the middle of the training alone before any correction, to be compared with what it took.
    """

    low: float
    high: float
    reason: str
    worked_out: float

    @property
    def middle(self) -> float:
        """The geometric middle: as many times longer than the low end as shorter than the high one."""
        return float((self.low * self.high) ** 0.5)


@dataclass(frozen=True)
class Cost:
    """Energy in kWh where the device's power is known, money where a price is; each as a range."""

    energy_kwh: tuple[float, float] | None
    money: tuple[float, float] | None
    reason: str


@cache
def _speeds() -> Sequence[Speed]:
    tables = tomllib.loads(Path(__file__).with_name("gpu_speeds.toml").read_text(encoding="utf-8"))["gpu"]
    return tuple(
        Speed(
            each["name"],
            each["narrow"] * 1e12,
            each["whole"] * 1e12,
            each["bandwidth"] * 1e9,
            each["watts"],
            _GPU_SHARES,
        )
        for each in tables
    )


def speed_of(gpu: Gpu | None, cpu: Cpu | None) -> Speed | None:
    """What a device does at most; None for a GPU that is not in the table, a part of one, or an unknown CPU."""
    if gpu is None:
        if cpu is None or not cpu.cores:
            return None
        rate = cpu.cores * _CORE_RATE
        return Speed(f"{cpu.cores} cores", rate, rate, None, None, _CPU_SHARES)
    if gpu.name is None or gpu.is_mig:
        return None
    name = gpu.name.lower()
    if "laptop" in name or "max-q" in name:  # slower by how much power they are given
        return None
    return next((each for each in _speeds() if _is_named(each.name.lower(), name)), None)


def _is_named(known: str, name: str) -> bool:
    """Whether a GPU's name holds this model and no other: A10 is not A10G, T4 not T400, RTX 4070 not RTX 4070 Ti."""
    return re.search(rf"(?<![a-z0-9]){re.escape(known)}(?![a-z0-9]| ti\b| super\b)", name) is not None


def step_operations(shape: Shape, setup: Training, row_tokens: float) -> float | None:
    """Operations of one pass over a batch whose rows have so many tokens; None where the network is not known."""
    network = network_of(shape, setup)
    if network is None:
        return None
    share = row_tokens / setup.length if setup.length and network.vocab else 1.0
    each = (6 if setup.trains_all else 4) + (2 if setup.checkpointing else 0)
    tokens = sum(
        _working_parameters(network, shape, number) * stack.tokens for number, stack in enumerate(network.stacks)
    )
    pairs = sum(
        2.0 * each * stack.layers * stack.block.queries * stack.tokens * stack.keys * share for stack in network.stacks
    )
    head = network.vocab * network.hidden * network.answered
    others = setup.others * 2 / each  # further models only read
    return (each * (tokens + head) + pairs) * share * (1 + others)


def _working_parameters(network: Network, shape: Shape, number: int) -> float:
    stack = network.stacks[number]
    if shape.experts is None:
        return float(stack.block.parameters * stack.layers)
    working = count_active_parameters(shape) - network.words - network.head
    return working * stack.layers / sum(each.layers for each in network.stacks)


def step_seconds(shape: Shape, setup: Training, speed: Speed, row_tokens: float) -> tuple[float, float] | None:
    """One pass over a batch, at best and at worst."""
    operations = step_operations(shape, setup, row_tokens)
    network = network_of(shape, setup)
    if operations is None or network is None:
        return None
    peak = speed.narrow if setup.activation_bytes == 2 or setup.method == "qlora" else speed.whole
    moved = 3.0 * frozen_weights_bytes(network, setup) + 7.0 * 4 * learning_parameters(network, setup)
    bound = moved / speed.bandwidth if speed.bandwidth else 0.0
    slower = _QUANTIZED if setup.method == "qlora" else (1.0, 1.0)
    low, high = (
        max(operations / (peak * share), bound) * factor + overhead
        for share, factor, overhead in zip(speed.shares, slower, _STEP_OVERHEAD, strict=True)
    )
    return low, high


def seeing_speed(speed: Speed, is_light: bool) -> Speed:
    """A device as fast as it is with networks that see."""
    if speed.bandwidth is None:
        return replace(speed, shares=_LIGHT_CPU_SHARES if is_light else _SEEING_CPU_SHARES)
    return replace(speed, shares=_LIGHT_GPU_SHARES if is_light else _SEEING_GPU_SHARES)


def seeing_step_seconds(operations: float, setup: Training, speed: Speed) -> tuple[float, float]:
    """One pass over a batch of pictures, each of which takes so many operations to read; 2 more learn from one."""
    peak = speed.narrow if setup.activation_bytes == 2 else speed.whole
    work = 3 * operations * setup.batch / peak
    return work / speed.shares[0] + _STEP_OVERHEAD[0], work / speed.shares[1] + _STEP_OVERHEAD[1]


def run_duration(
    usual: tuple[float, float] | None,
    long: tuple[float, float] | None,
    speed: Speed,
    steps: int | None,
    passes: int,
    reading: float = 0.0,
    correction: float | None = None,
    corrected_by: int = 0,
) -> Duration | None:
    """A whole run from the seconds of one pass over usual and over long rows, each at best and at worst.

    `passes`: batches that make a step; `reading`: what all evaluations are, in such passes. `correction`: by how much
    finished runs on this device took longer than worked out, of which there are `corrected_by`. None where steps or
    network are not known.
    """
    if steps is None or usual is None or long is None:
        return None
    batches = steps * passes + reading
    return _corrected(batches * usual[0], batches * long[1], speed, correction, corrected_by)


def evaluation_passes(eval_rows: int, evaluations: int, batch: int) -> float:
    """The work of all evaluations in passes of training: a third of one each, since they only read."""
    return evaluations * eval_rows / max(1, batch) / 3


def _corrected(low: float, high: float, speed: Speed, correction: float | None, corrected_by: int) -> Duration:
    middle = (low * high) ** 0.5
    if correction is None:
        reason = f"worked out from {speed.name} at {speed.shares[1]:.0%} to {speed.shares[0]:.0%} of its peak"
        return Duration(_START[0] + low, _START[1] + high, reason, middle)
    runs = f"{corrected_by} finished run{'s' if corrected_by > 1 else ''} on this device"
    low, high = middle * correction / _CORRECTED_SPREAD, middle * correction * _CORRECTED_SPREAD
    return Duration(_START[0] + low, _START[1] + high, f"worked out, and corrected by {runs}", middle)


def measured_duration(
    step: float,
    steps: int,
    usual_share: float,
    reading: float,
    worked_out: float | None,
    may_stop: bool = False,
) -> Duration:
    """A whole run from the seconds of a step on its longest rows, measured just now on the device.

    `usual_share`: the work of a usual step over that of the longest; `reading`: passes that only read, in steps.
    `worked_out` is what was worked out before, None where nothing was.
    """
    low = step * steps * usual_share / _MEASURED_SPREAD * (_FEWEST_ROUNDS if may_stop else 1.0)
    high = step * (steps * usual_share + reading) * _MEASURED_SPREAD
    start = _TREES_START if may_stop else _START
    middle = worked_out if worked_out is not None else (low * high) ** 0.5
    return Duration(start[0] + low, start[1] + high, f"measured: {step:.3g} s a step of the longest rows", middle)


def trees_duration(
    rows: int | None, features: int, rounds: int | None, classes: int, cores: int | None
) -> Duration | None:
    """Boosting on a CPU; early stopping may end it long before the last round."""
    if rows is None or rounds is None or not cores:
        return None
    cells = rows * features * classes * rounds / cores
    low, high = cells * _CELL_SECONDS[0] * _FEWEST_ROUNDS, cells * _CELL_SECONDS[1]
    reason = f"worked out from rows, columns and rounds on {cores} cores; it may stop early"
    return Duration(_TREES_START[0] + low, _TREES_START[1] + high, reason, max(0.001, (low * high) ** 0.5))


def cost_of(
    duration: Duration | None, watts: float | None, price_per_hour: float | None, price_per_kwh: float | None
) -> Cost | None:
    """What a run costs: rent by the hour where it is set, else energy; None where its length is not known."""
    if duration is None:
        return None
    hours = duration.low / 3600, duration.high / 3600
    energy = None if watts is None else (hours[0] * watts / 1000, hours[1] * watts / 1000)
    if price_per_hour is not None:
        return Cost(energy, (hours[0] * price_per_hour, hours[1] * price_per_hour), f"{price_per_hour:g} an hour")
    if price_per_kwh is not None and energy is not None:
        money = energy[0] * price_per_kwh, energy[1] * price_per_kwh
        return Cost(energy, money, f"{price_per_kwh:g} a kWh, the GPU alone at its full power")
    if energy is not None:
        return Cost(energy, None, "energy of the GPU at its full power; no price is set in settings.toml")
    return Cost(None, None, "no price is set in settings.toml")
