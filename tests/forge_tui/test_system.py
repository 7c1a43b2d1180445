"""What the kernel tells, read from trees that look like other machines; limits of containers are respected."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from backends.contract import UsageError
from forge_tui.hardware import hardware_for, probe
from forge_tui.machine import gpu_lines, host_line, processes_of_others
from forge_tui.system import System, disk_free, own_user
from profiles.hardware import Gpu, GpuProcess, Hardware

GIB, MIB = 2**30, 2**20
MEMINFO = f"MemTotal:       {64 * MIB} kB\nMemFree:        1 kB\nMemAvailable:   {48 * MIB} kB\n"
V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"


def tree(root: Path, files: dict[str, object]) -> System:
    """A machine of 64 GiB with these files besides."""
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(str(text))
    return System(root)


# --- memory ------------------------------------------------------------------------------------------------------


def test_memory_without_limits(tmp_path: Path) -> None:
    memory = tree(tmp_path, {"proc/self/cgroup": "0::/user.slice\n", f"{V2}/user.slice/memory.max": "max\n"}).memory()
    assert (memory.total_bytes, memory.available_bytes) == (64 * GIB, 48 * GIB)


@pytest.mark.parametrize(
    ("limited", "used", "cache", "expected"),
    [
        (8 * GIB, 5 * GIB, 2 * GIB, (8 * GIB, 5 * GIB)),
        (8 * GIB, 9 * GIB, 0, (8 * GIB, 0)),
        (100 * GIB, 1 * GIB, 0, (64 * GIB, 48 * GIB)),
        (60 * GIB, 50 * GIB, 0, (60 * GIB, 10 * GIB)),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_memory_limits_of_either_version(
    tmp_path: Path, version: int, limited: int, used: int, cache: int, expected: tuple[int, int]
) -> None:
    if version == 2:
        group = f"{V2}/job"
        files = {"proc/self/cgroup": "0::/job\n", f"{group}/memory.max": limited, f"{group}/memory.current": used}
        files[f"{group}/memory.stat"] = f"file 1\ninactive_file {cache}\n"
    else:
        group = f"{V1}/job"
        files = {"proc/self/cgroup": "5:cpuset:/\n4:memory:/job\n0::/\n", f"{group}/memory.limit_in_bytes": limited}
        files |= {f"{group}/memory.usage_in_bytes": used, f"{group}/memory.stat": f"total_inactive_file {cache}\n"}
        files |= {f"{V1}/memory.limit_in_bytes": 9223372036854771712, f"{V1}/memory.usage_in_bytes": 0}
    memory = tree(tmp_path, files).memory()
    assert (memory.total_bytes, memory.available_bytes) == expected


def test_the_tightest_of_nested_limits_counts(tmp_path: Path) -> None:
    files: dict[str, object] = {"proc/self/cgroup": "0::/a/b\n"}
    for group, limited, used in (("a", 4 * GIB, 3 * GIB), ("a/b", 16 * GIB, 1 * GIB)):
        files |= {f"{V2}/{group}/memory.max": limited, f"{V2}/{group}/memory.current": used}
    memory = tree(tmp_path, files).memory()
    assert (memory.total_bytes, memory.available_bytes) == (4 * GIB, 1 * GIB)


def test_a_container_whose_group_has_the_name_it_has_outside(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "4:memory:/docker/abc\n", f"{V1}/memory.limit_in_bytes": 2 * GIB}
    files |= {f"{V1}/memory.usage_in_bytes": GIB}
    assert tree(tmp_path, files).memory().total_bytes == 2 * GIB


def test_memory_that_nobody_tells_is_unknown(tmp_path: Path) -> None:
    memory = System(tmp_path / "nothing").memory()
    assert (memory.total_bytes, memory.available_bytes) == (None, None)


# --- CPU ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "1000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "6400000 100000\n"}, 8),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/x\n",
                f"{V2}/cpu,cpuacct/cpu.cfs_quota_us": "300000",
                f"{V2}/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                f"{V2}/cpu/cpu.cfs_quota_us": "-1",
                f"{V2}/cpu/cpu.cfs_period_us": "100000",
            },
            8,
        ),
    ],
)
def test_cores_are_those_of_affinity_and_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, object], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert tree(tmp_path, files).cpu.cores == cores


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC 7B13\n"}, "AMD EPYC 7B13"),
        (
            {"proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd4f\n", "proc/device-tree/model": "NVIDIA Jetson\0"},
            "NVIDIA Jetson",
        ),
        ({}, os.uname().machine),
    ],
)
def test_the_name_of_the_cpu(tmp_path: Path, files: dict[str, object], name: str) -> None:
    assert tree(tmp_path, files).cpu.name == name


def test_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert disk_free(tmp_path / "a" / "b") == pytest.approx(disk_free(tmp_path), rel=0.1)


# --- which machine is meant --------------------------------------------------------------------------------------


def test_auto_is_this_machine_and_cpu_is_it_without_gpus() -> None:
    assert hardware_for("auto").cpu == probe().cpu
    found = hardware_for(" CPU ")
    assert (found.gpus, found.profile, found.memory_total_bytes) == ((), "cpu", probe().memory_total_bytes)


def test_a_file_that_the_command_printed(tmp_path: Path) -> None:
    path = tmp_path / "gpu-07.json"
    path.write_text(json.dumps(Hardware(gpus=(Gpu(0, memory_free_bytes=20 * GIB),), problems=("One.",)).to_json()))
    found = hardware_for(str(path))
    assert found.profile == "high-end" and found.problems[0] == "One." and str(path) in found.problems[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["holds no description", "it is no JSON, as line 1 shows", "hardware --json` printed on that machine"]),
        ("label,text\nham,hello\n", ["it is no JSON"]),
        ('{"gpus": [{"memory_free_bytes": 1' + "0" * 5000 + "}]}", ["its JSON cannot be read"]),
        ('{"gpus": [{"memory_free_bytes": 1' + "0" * 400 + "}]}", ["a number of too many digits"]),
        (" " * 1_000_001, ["over 1,000,000 characters"]),
        ("[" * 100_000, ["holds no description"]),
        ("{}", ["no key 'gpus'"]),
        ('{"gpus": [{"memory_free": 1}]}', ["nearest is 'memory_free_bytes'"]),
        (b"\xff\xfe\x00", ["holds no description", "it is no text"]),
    ],
)
def test_a_file_that_holds_something_else(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    path = tmp_path / "machine.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        hardware_for(str(path))
    said = f"{caught.value.what} {caught.value.why} {caught.value.fix}"
    assert str(path) in said and [word for word in words if word not in said] == []
    assert ">" not in caught.value.fix, "a fix that would write over a file of the person"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("24Gb", "Write --hardware gpu:24GiB"),
        ("gpu:24", "Write --hardware gpu:24GiB"),
        ("atuo", "nearest is 'auto'"),
        ("none/machine.json", "Check the path"),
        ("", "Correct it"),
    ],
)
def test_other_values_are_refused_with_the_nearest(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        hardware_for(text)
    assert words in caught.value.fix


# --- lines -------------------------------------------------------------------------------------------------------


def test_gpus_stand_in_columns_of_one_screen() -> None:
    a10g = {"name": "NVIDIA A10G", "memory_total_bytes": 24 * GIB, "temperature_celsius": 41}
    users = (GpuProcess(1, "root", "python"), GpuProcess(2, "root", "python"))
    gpus = (
        Gpu(0, **a10g, memory_free_bytes=int(21.8 * GIB), utilization_percent=3, power_watts=29.4, processes=()),
        Gpu(1, **a10g, memory_free_bytes=int(1.2 * GIB), utilization_percent=97, power_watts=288, processes=users),
    )
    lines = gpu_lines(gpus, "ann")
    assert lines[0] == "GPU 0  A10G  21.8 of 24.0 GiB free  util   3%  41 °C   29 W"
    assert lines[1] == "GPU 1  A10G   1.2 of 24.0 GiB free  util  97%  41 °C  288 W  root: python"
    assert max(map(len, lines)) < 80
    assert host_line("gpu-07", Hardware(gpus=gpus)) == "gpu-07 · 2 × NVIDIA A10G · high-end"
    long = Gpu(0, name="NVIDIA RTX PRO 6000 Blackwell Workstation Edition", utilization_percent=3)
    assert gpu_lines([long]) == ["GPU 0  RTX PRO 6000 Blackwell …  memory unknown  util   3%"]
    assert host_line("h", Hardware(gpus=(long,))).endswith("profile unknown")
    assert gpu_lines([Gpu(0, "MIG-12345678-9", "H100 MIG 1g.20gb")])[0].startswith("GPU 0 MIG-12345678  H100 MIG")


def test_only_processes_of_others_are_named() -> None:
    mine = GpuProcess(1, own_user(), "train")
    assert processes_of_others(Gpu(0, processes=(mine,)), own_user()) == ""
    assert processes_of_others(Gpu(0), own_user()) == ""
    several = (mine, GpuProcess(2, "bob", "a"), GpuProcess(3, "bob", "b"), GpuProcess(4), GpuProcess(5))
    assert processes_of_others(Gpu(0, processes=several), own_user()) == "bob: a, b; 2 unknown processes"
