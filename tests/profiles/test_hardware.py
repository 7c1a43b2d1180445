"""The record of a machine, its profile, its best device, and machines described in a word."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.contract import UsageError
from profiles.device import choose_device
from profiles.hardware import Cpu, Gpu, GpuProcess, Hardware
from profiles.hardware_argument import described_hardware, nearest_form
from profiles.hardware_profiles import GIB, hardware_profiles, profile_of

WHOLE = Hardware(
    gpus=(
        Gpu(0, "GPU-1", "NVIDIA A10G", 24 * GIB, 20 * GIB, "8.6", 3, 41, 29.5, 300.0, (GpuProcess(7, "ann", "x", 9),)),
        Gpu(1),
    ),
    cpu=Cpu("a CPU", 16),
    memory_total_bytes=64 * GIB,
    memory_available_bytes=60 * GIB,
    disk_free_bytes=5,
    driver_version="580.1",
    cuda_version="13.0",
    problems=("One.",),
)


def with_free(*free: int | None, capability: str | None = None) -> Hardware:
    """A machine whose GPUs have so many bytes free."""
    gpus = (
        Gpu(n, uuid=f"GPU-{n}", memory_free_bytes=each, compute_capability=capability) for n, each in enumerate(free)
    )
    return Hardware(gpus=tuple(gpus), memory_available_bytes=8 * GIB)


# --- profiles and devices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gib", "name"),
    [
        (0, "low-end"), (6.99, "low-end"), (7, "mid-range"), (14.99, "mid-range"), (15, "high-end"),
        (39.99, "high-end"), (40, "workstation"), (99.99, "workstation"), (100, "datacenter"), (10_000, "datacenter"),
    ],
)  # fmt: skip
def test_a_profile_holds_its_lower_bound(gib: float, name: str) -> None:
    assert profile_of(int(gib * GIB)).name == name
    assert with_free(int(gib * GIB)).profile == name


def test_the_profiles_leave_no_gap() -> None:
    profiles = hardware_profiles()
    assert profiles[0].free_from_gib == 0 and profiles[-1].free_below_gib is None
    assert [each.free_below_gib for each in profiles[:-1]] == [each.free_from_gib for each in profiles[1:]]
    ranges = [each.range for each in profiles]
    assert (ranges[0], ranges[2], ranges[-1]) == ("under 7 GiB free", "15 to 40 GiB free", "100 GiB free or more")


def test_a_machine_without_gpu_is_cpu_and_one_of_unknown_memory_is_unknown() -> None:
    assert Hardware().profile == "cpu"
    assert with_free(None).profile is None
    assert with_free(None, 8 * GIB).profile == "mid-range"


def test_the_device_with_the_most_room_is_taken() -> None:
    device = choose_device(with_free(5 * GIB, 20 * GIB, None, 20 * GIB))
    assert (device.name, device.visible, device.free_bytes) == ("GPU 1", "GPU-1", 20 * GIB)
    assert device.reason == "20.0 GiB free, the most of 4 GPUs"
    newer = with_free(GIB, GIB, capability="8.9")
    newer = replace(newer, gpus=(newer.gpus[0], replace(newer.gpus[1], compute_capability="10.0")))
    assert choose_device(newer).name == "GPU 1", "10.0 is newer than 8.9"
    assert choose_device(with_free(None)).free_bytes is None
    cpu = choose_device(with_free())
    assert (cpu.name, cpu.gpu, cpu.visible, cpu.free_bytes) == ("CPU", None, "", 8 * GIB)


# --- the description as JSON -------------------------------------------------------------------------------------


def test_the_record_comes_back_from_json() -> None:
    assert Hardware.from_json(json.loads(json.dumps(WHOLE.to_json()))) == WHOLE
    assert WHOLE.to_json()["gpus"][1]["processes"] is None


def test_a_description_may_be_short_and_its_profile_is_worked_out() -> None:
    found = Hardware.from_json({"gpus": [{"memory_free_bytes": 50 * GIB}], "profile": "cpu"})
    assert (found.gpus[0].index, found.profile, found.cpu) == (0, "workstation", Cpu())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], ["the description is []", "an object in braces"]),
        ({}, ["no key 'gpus'"]),
        ({"gpus": {}}, ["gpus is {}", "a list"]),
        ({"gpus": [7]}, ["gpus[0] is 7"]),
        ({"gpus": [{"memory_free": 1}]}, ["gpus[0]: there is no key 'memory_free'", "nearest is 'memory_free_bytes'"]),
        ({"gpus": [{"memory_free_bytes": 10**400}]}, ["gpus[0].memory_free_bytes is a number of too many digits"]),
        ({"gpus": [], "disk_free_bytes": 1e300}, ["the description.disk_free_bytes is 1e+300", "a number from 0"]),
        ({"gpus": [{"memory_free_bytes": "24GiB"}]}, ["gpus[0].memory_free_bytes is '24GiB'", "a number from 0"]),
        ({"gpus": [{"memory_free_bytes": -1}]}, ["is -1"]),
        ({"gpus": [{"memory_free_bytes": 1.5}]}, ["a whole number"]),
        ({"gpus": [{"memory_free_bytes": True}]}, ["is True"]),
        ({"gpus": [{"power_watts": float("nan")}]}, ["is nan"]),
        ({"gpus": [{"compute_capability": "new"}]}, ["'8.6'"]),
        ({"gpus": [{"compute_capability": 8.6}]}, ["a text or null"]),
        ({"gpus": [{"index": None}]}, ["gpus[0].index is None"]),
        ({"gpus": [{"processes": [{"owner": "ann"}]}]}, ["no key 'pid'"]),
        ({"gpus": [], "cpu": {"core": 3}}, ["cpu: there is no key 'core'", "nearest is 'cores'"]),
        ({"gpus": [], "problems": [1]}, ["problems is [1]"]),
        ({"gpus": [], "gpu": 1}, ["there is no key 'gpu'"]),
    ],
)
def test_a_wrong_description_is_refused_with_its_place(content: Any, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        Hardware.from_json(content)
    said = f"{caught.value.what} {caught.value.why} {caught.value.fix}"
    assert [word for word in words if word not in said] == [], said


# --- machines described in a word --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count", "gib", "profile"),
    [
        ("gpu:24GiB", 1, 24, "high-end"),
        ("GPU:24gib", 1, 24, "high-end"),
        (" gpu:2x80GiB ", 2, 80, "workstation"),
        ("gpu:1x5.5GiB", 1, 5.5, "low-end"),
    ],
)
def test_described_machines(text: str, count: int, gib: float, profile: str) -> None:
    found = described_hardware(text)
    assert [gpu.memory_free_bytes for gpu in found.gpus] == [int(gib * GIB)] * count
    assert {gpu.compute_capability for gpu in found.gpus} == {"8.0"}
    assert found.profile == profile
    assert found.memory_total_bytes is None and found.cpu.cores is None
    assert "compute capability to be 8.0" in found.problems[0], "what is assumed is said"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("24Gb", "gpu:24GiB"), ("gpu:24", "gpu:24GiB"), ("24", "gpu:24GiB"), ("gpu:24GB", "gpu:24GiB"),
        ("gpu=24 GiB", "gpu:24GiB"), ("gpu 24g", "gpu:24GiB"), ("gpu:2x80", "gpu:2x80GiB"), ("2*80GB", "gpu:2x80GiB"),
        ("80GiBx2", "gpu:2x80GiB"), ("24576MiB", "gpu:24GiB"), ("gpu:5,5GiB", "gpu:5.5GiB"), ("0.5TB", "gpu:512GiB"),
        ("gpu", "gpu:24GiB"), ("auto", None), ("machine.json", None), ("0GiB", None), ("gpu:-3GiB", None),
    ],
)  # fmt: skip
def test_the_nearest_form(text: str, meant: str | None) -> None:
    assert nearest_form(text) == meant
    if meant is not None:
        with pytest.raises(UsageError) as caught:
            described_hardware(text)
        assert caught.value.fix == f"Write --hardware {meant}"
        assert described_hardware(meant).gpus


@pytest.mark.parametrize("text", ["gpu:0GiB", "gpu:0x80GiB", "gpu:99999x80GiB", "gpu:99999GiB"])
def test_impossible_machines_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="There is no machine"):
        described_hardware(text)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert described_hardware(text).gpus
    except UsageError as error:
        assert error.what and error.why and error.fix


def test_hardware_needs_the_standard_library_only(tmp_path: Path) -> None:
    code = (
        "import sys, profiles.device, profiles.hardware_argument, profiles.libraries\n"
        "print({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - {'__main__'})"
    )
    command = [sys.executable, "-S", "-c", code]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0 and eval(told.stdout) == {"profiles", "backends"}, told
