"""The probe through the real NVML binding, in processes that load a stand-in for the driver's library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiles.hardware import Hardware

GIB = 2**30
PROBE = """
import json, os, sys
from pathlib import Path
from forge_tui.hardware import assemble
from forge_tui.nvml import Nvml
from forge_tui.system import System
system = System(Path(sys.argv[1]))
nvml = Nvml(system)
for plays in sys.argv[2:]:
    os.environ["FAKE_NVML"] = plays
    print(json.dumps(assemble(nvml.read(), system).to_json()))
"""
GPU_KEYS = [
    "index", "uuid", "name", "memory_total_bytes", "memory_free_bytes", "compute_capability", "utilization_percent",
    "temperature_celsius", "power_watts", "power_limit_watts", "processes",
]  # fmt: skip
KEYS = [
    "gpus", "cpu", "memory_total_bytes", "memory_available_bytes", "disk_free_bytes", "driver_version", "cuda_version",
    "profile", "problems",
]  # fmt: skip


def gpu_uuid(number: int) -> str:
    return f"GPU-{0xA0000000 + number:08x}-1111-4222-8333-{number:012x}"


def mig_uuid(gpu: int, part: int) -> str:
    return f"MIG-{0xB0000000 + 16 * gpu + part:08x}-4444-5555-8666-{part:012x}"


def write(root: Path, files: dict[str, str]) -> Path:
    """A tree like / with these files in it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def samples(fake_driver: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    """What the probe finds: one Nvml object, a reading for each thing the driver plays in turn."""

    def run(*plays: str, kind: str = "", root: Path = Path("/"), **variables: str) -> list[dict[str, Any]]:
        environment = fake_driver(kind).variables(plays[0], **variables)
        command = [sys.executable, "-c", PROBE, str(root), *plays]
        told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    return run


@pytest.fixture
def probe(samples: Callable[..., list[dict[str, Any]]]) -> Callable[..., dict[str, Any]]:
    """What the probe finds at one look."""
    return lambda plays="", **options: samples(plays, **options)[0]


def only(problems: list[str], *words: str) -> None:
    """There is one problem, a sentence that holds these words."""
    assert len(problems) == 1, problems
    for word in words:
        assert word in problems[0]
    assert problems[0].endswith(".") and problems[0][0].isupper()


# --- what is there -----------------------------------------------------------------------------------------------


def test_eight_gpus_in_full(probe: Callable[..., Any]) -> None:
    found = probe("gpus=8,used=10")
    assert list(found) == KEYS and found["problems"] == []
    assert [list(gpu) for gpu in found["gpus"]] == [GPU_KEYS] * 8
    assert [(gpu["index"], gpu["uuid"]) for gpu in found["gpus"]] == [(n, gpu_uuid(n)) for n in range(8)]
    first = found["gpus"][0]
    assert first["memory_total_bytes"] == 80 * GIB
    assert first["memory_free_bytes"] == 70 * GIB - GIB // 2, "what the driver keeps for itself is not free"
    assert (first["name"], first["compute_capability"]) == ("NVIDIA H100 80GB HBM3", "9.0")
    assert (first["utilization_percent"], first["temperature_celsius"]) == (87, 63)
    assert (first["power_watts"], first["power_limit_watts"]) == (412.3, 700.0)
    assert (found["driver_version"], found["cuda_version"], found["profile"]) == ("580.95.05", "13.1", "workstation")
    assert found["cpu"]["cores"] >= 1 and found["memory_total_bytes"] > found["memory_available_bytes"] > 0
    assert Hardware.from_json(found).to_json() == found


def test_no_gpu_beside_a_driver(probe: Callable[..., Any]) -> None:
    found = probe("gpus=0")
    assert (found["gpus"], found["profile"], found["problems"]) == ([], "cpu", [])


def test_the_profile_is_that_of_the_best_gpu(probe: Callable[..., Any]) -> None:
    assert probe("gpus=2,used=75")["profile"] == "low-end"
    assert probe("used=65")["profile"] == "mid-range"


def test_a_gpu_lost_between_two_samples_keeps_its_name(samples: Callable[..., Any]) -> None:
    before, lost, silent = samples("gpus=2", "gpus=2,lost=1", "gpus=2,lost=1,lost_handle=0")
    assert before["problems"] == []
    for after in (lost, silent):
        only(after["problems"], "GPU 1 does not answer any more", "restart the machine")
        first, second = after["gpus"]
        assert first == before["gpus"][0]
        known = {"index": 1, "uuid": gpu_uuid(1), "name": "NVIDIA H100 80GB HBM3"}
        assert second == {**dict.fromkeys(GPU_KEYS), **known}


def test_a_gpu_that_cannot_be_opened_is_told(probe: Callable[..., Any]) -> None:
    found = probe("gpus=2,unplugged=0")
    assert [gpu["memory_free_bytes"] is None for gpu in found["gpus"]] == [True, False]
    only(found["problems"], "GPU 0 cannot be asked (NVML error 8)", "power cable")


def test_gpus_that_go_and_come_are_noticed(samples: Callable[..., Any]) -> None:
    counts = [len(each["gpus"]) for each in samples("gpus=2", "gpus=1", "gpus=3,mig=1,migs=3")]
    assert counts == [2, 1, 5]


# --- no driver to ask --------------------------------------------------------------------------------------------

HOST = {"proc/sys/kernel/osrelease": "6.1.0", "proc/meminfo": "MemTotal: 1024 kB\nMemAvailable: 512 kB\n"}


def on_host(root: Path, files: dict[str, str] | None = None) -> Path:
    """A tree that looks like a machine and not like a container."""
    write(root, {**HOST, **(files or {})})
    (root / "proc/self/ns").mkdir(parents=True)
    (root / "proc/self/ns/pid").symlink_to("pid:[4026531836]")
    return root


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (9, ["installed but not loaded", "sudo modprobe nvidia"]),
        (18, ["updated while the old one is still loaded", "restart the machine"]),
        (4, ["You may not use the GPUs", "/dev/nvidia"]),
        (15, ["fallen off its bus"]),
        (999, ["does not answer", "nvidia-smi"]),
    ],
)
def test_a_driver_that_does_not_start(probe: Callable[..., Any], tmp_path: Path, code: int, words: list[str]) -> None:
    found = probe(f"init={code}", root=on_host(tmp_path))
    assert (found["gpus"], found["driver_version"], found["profile"]) == ([], None, "cpu")
    only(found["problems"], *words)


def test_a_driver_that_stops_answering(samples: Callable[..., Any]) -> None:
    before, after = samples("gpus=2", "gpus=2,count=999")
    assert len(before["gpus"]) == 2 and after["gpus"] == []
    only(after["problems"], "does not answer (NVML error 999)")


def test_a_driver_from_before_the_binding(probe: Callable[..., Any]) -> None:
    only(probe(kind="ANCIENT_DRIVER")["problems"], "too old to be asked", "install a current driver")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, ["There is no NVIDIA driver", "runs use the CPU", "install NVIDIA's driver, if there is one"]),
        ({".dockerenv": ""}, ["There is no NVIDIA driver", "docker run --gpus all"]),
        ({"sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n"}, ["has an NVIDIA device but no driver"]),
        ({"proc/driver/nvidia/version": "x"}, ["libnvidia-ml.so.1 is not found", "libnvidia-compute"]),
        (
            {"proc/sys/kernel/osrelease": "5.15.1-microsoft-standard-WSL2"},
            ["WSL", "install NVIDIA's driver in Windows"],
        ),
    ],
)
def test_no_library(tmp_path: Path, files: dict[str, str], words: list[str]) -> None:
    code = "import pynvml, sys\npynvml.CDLL = lambda name: (_ for _ in ()).throw(OSError(name))\n"
    command = [sys.executable, "-c", code + PROBE, str(on_host(tmp_path, files)), ""]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["gpus"] == [] and found["memory_total_bytes"] == 1024 * 1024
    only(found["problems"], *words)


# --- drivers and machines that tell less -------------------------------------------------------------------------


def test_an_old_driver_tells_all_but_the_processes(probe: Callable[..., Any]) -> None:
    found = probe("procs=1", kind="OLD_DRIVER")
    gpu = found["gpus"][0]
    assert gpu["memory_free_bytes"] == 70 * GIB - GIB // 2 and gpu["processes"] is None
    assert (found["driver_version"], found["cuda_version"]) == ("450.80.02", "11.0")
    only(found["problems"], "450.80.02 is too old to say who uses a GPU")


@pytest.mark.parametrize("how", [1, 2], ids=["not supported", "total of 0"])
def test_unified_memory_is_that_of_the_machine(probe: Callable[..., Any], tmp_path: Path, how: int) -> None:
    files = {"proc/meminfo": f"MemTotal: {120 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {100 * 2**20} kB\n"}
    found = probe(f"unified={how},capability=121", root=on_host(tmp_path, files))
    gpu = found["gpus"][0]
    assert (gpu["memory_total_bytes"], gpu["memory_free_bytes"]) == (120 * GIB, 100 * GIB)
    assert (gpu["name"], gpu["compute_capability"], found["profile"]) == ("NVIDIA GB10", "12.1", "datacenter")
    only(found["problems"], "shares the machine's main memory")


def test_wsl_hides_power_and_processes(probe: Callable[..., Any], tmp_path: Path) -> None:
    wsl = {"proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2\n"}
    found = probe("wsl=1,procs=1", root=on_host(tmp_path, wsl))
    gpu = found["gpus"][0]
    assert (gpu["power_watts"], gpu["power_limit_watts"], gpu["processes"]) == (None, None, None)
    assert (gpu["utilization_percent"], found["profile"]) == (87, "workstation")
    assert [("Under WSL" in each, "Task Manager" in each) for each in found["problems"]] == [(True, True)] * 2


def test_missing_gauges_are_no_fault(probe: Callable[..., Any]) -> None:
    found = probe("quiet=1")
    assert (found["gpus"][0]["temperature_celsius"], found["gpus"][0]["power_watts"]) == (None, None)
    only(found["problems"], "GPU 0 does not tell its temperature and power", "nothing is wrong")


def test_memory_that_may_not_be_asked_is_unknown(probe: Callable[..., Any]) -> None:
    found = probe("refused=1")
    gpu = found["gpus"][0]
    assert (gpu["memory_total_bytes"], gpu["memory_free_bytes"], gpu["processes"]) == (None, None, None)
    assert found["profile"] is None, "a GPU of unknown size is no CPU"
    assert "is unknown, because you may not ask" in found["problems"][0]


def test_a_gpu_that_is_kept_from_us_does_not_count(probe: Callable[..., Any]) -> None:
    found = probe("gpus=3,kept=0", CUDA_VISIBLE_DEVICES="0")
    assert [gpu["index"] for gpu in found["gpus"]] == [1], "CUDA counts only what it may use"
    only(found["problems"], "GPU 0 is not given to you")
    only(probe("gpus=1,kept=0")["problems"], "GPU 0 is not given to you")


# --- MIG ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refused", ["", ",refused=1"], ids=["whole GPU tells", "whole GPU refuses"])
def test_mig_instances_stand_for_their_gpu(probe: Callable[..., Any], refused: str) -> None:
    found = probe(f"gpus=1,mig=1,migs=2,procs=1{refused}")
    assert [(gpu["index"], gpu["uuid"]) for gpu in found["gpus"]] == [(0, mig_uuid(0, 0)), (0, mig_uuid(0, 1))]
    for gpu in found["gpus"]:
        assert gpu["name"] == "NVIDIA H100 80GB HBM3 MIG 1g.20gb"
        assert (gpu["memory_total_bytes"], gpu["memory_free_bytes"]) == (20 * GIB, 10 * GIB - GIB // 2)
        assert (gpu["utilization_percent"], gpu["compute_capability"], len(gpu["processes"])) == (None, "9.0", 1)
        assert (gpu["temperature_celsius"], gpu["power_watts"]) == (63, 412.3), "those of the whole board"
    assert found["profile"] == "mid-range"
    only(found["problems"], "divided (MIG) and does not tell its load")


@pytest.mark.parametrize("plays", ["mig=1,migs=0", "mig=1,migs_refused=1"])
def test_mig_without_an_instance_for_us(probe: Callable[..., Any], plays: str) -> None:
    found = probe(f"{plays},gpus=2")
    assert [gpu["uuid"] for gpu in found["gpus"]] == [gpu_uuid(1)]
    only(found["problems"], "GPU 0 is in MIG mode without an instance that you may use")


# --- CUDA_VISIBLE_DEVICES ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected", "words"),
    [
        ("2,0", [gpu_uuid(2), gpu_uuid(0)], None),
        (f"{gpu_uuid(3)}, 1", [gpu_uuid(3), gpu_uuid(1)], None),
        ("GPU-a0000002", [gpu_uuid(2)], None),
        ("gpu-A0000002-1111", [gpu_uuid(2)], None),
        ("GPU-a000000", [], "means 4 devices"),
        ("0,2,-1,1", [gpu_uuid(0), gpu_uuid(2)], "holds '-1'"),
        ("0,9,1", [gpu_uuid(0)], "hides it and all that stands after it: correct it; the indexes are 0 to 3"),
        ("GPU-a0000009-1111-4222-8333-000000000009", [], "nearest is 'GPU-a000000"),
        ("1,1", [gpu_uuid(1)], "names '1' twice"),
        ("", [], "hides every GPU"),
        ("-1", [], "hides every GPU"),
        ("NoDevFiles", [], "hides every GPU"),
        ("zero", [], "'zero'"),
        ("99999999999999999999", [], "names no device"),
    ],
)
def test_visible_devices(probe: Callable[..., Any], value: str, expected: list[str], words: str | None) -> None:
    found = probe("gpus=4", CUDA_VISIBLE_DEVICES=value)
    assert [gpu["uuid"] for gpu in found["gpus"]] == expected
    if words is None:
        assert found["problems"] == []
    else:
        only(found["problems"], "CUDA_VISIBLE_DEVICES", words)
    assert found["profile"] == ("workstation" if expected else "cpu")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (mig_uuid(0, 1), [mig_uuid(0, 1)]),
        (f"{mig_uuid(0, 1)},{mig_uuid(0, 0)}", [mig_uuid(0, 1), mig_uuid(0, 0)]),
        ("MIG-b0000001", [mig_uuid(0, 1)]),
        (f"MIG-{gpu_uuid(0)}/8/0", [mig_uuid(0, 1)]),
        ("0", [mig_uuid(0, 0)]),
        (gpu_uuid(0), [mig_uuid(0, 0)]),
        ("1", [gpu_uuid(1)]),
        (f"MIG-{gpu_uuid(0)}/1/0", []),
    ],
)
def test_visible_mig_instances(probe: Callable[..., Any], value: str, expected: list[str]) -> None:
    found = probe("gpus=2,mig=1,migs=2", CUDA_VISIBLE_DEVICES=value)
    assert [gpu["uuid"] for gpu in found["gpus"]] == expected


def test_indexes_among_different_gpus_depend_on_the_order(probe: Callable[..., Any]) -> None:
    only(probe("gpus=2,mixed=1", CUDA_VISIBLE_DEVICES="1")["problems"], "CUDA_DEVICE_ORDER=PCI_BUS_ID")
    assert probe("gpus=2,mixed=1", CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID")["problems"] == []
    assert probe("gpus=2,mixed=1", CUDA_VISIBLE_DEVICES=gpu_uuid(1))["problems"] == []


# --- who uses a GPU ----------------------------------------------------------------------------------------------


def test_processes_have_their_owner_and_name(probe: Callable[..., Any], tmp_path: Path) -> None:
    files = {
        "proc/71/status": "Name:\tpt_main_thread\nUid:\t0\t0\t0\t0\n",
        "proc/71/cmdline": "/usr/bin/python3\0train.py\0",
        "proc/72/status": "Name:\tX\nUid:\t4123456\t0\t0\t0\n",
        "proc/72/cmdline": "",
        "proc/72/comm": "Xorg\n",
    }
    found = probe("procs=3,pid=71", root=on_host(tmp_path, files))
    assert found["gpus"][0]["processes"] == [
        {"pid": 71, "owner": "root", "name": "python3", "memory_bytes": 9 * GIB},
        {"pid": 72, "owner": "4123456", "name": "Xorg", "memory_bytes": 9 * GIB},
        {"pid": 73, "owner": None, "name": None, "memory_bytes": 9 * GIB},
    ]
    assert found["problems"] == []


def test_a_container_does_not_take_its_own_processes_for_those_of_the_host(
    probe: Callable[..., Any], tmp_path: Path
) -> None:
    files = {f"proc/{pid}/status": "Name:\tsh\nUid:\t0\t0\t0\t0\n" for pid in (71, 72)}
    root = on_host(tmp_path, files)
    (root / "proc/self/ns/pid").unlink()
    (root / "proc/self/ns/pid").symlink_to("pid:[4026532999]")
    for pid, target in ((71, "/dev/null"), (72, "/dev/nvidia0")):
        write(root, {f"proc/{pid}/cmdline": "python\0"})
        (root / f"proc/{pid}/fd").mkdir()
        (root / f"proc/{pid}/fd/3").symlink_to(target)
    owners = [each["owner"] for each in probe("procs=2,pid=71", root=root)["gpus"][0]["processes"]]
    assert owners == [None, "root"], "one that has a GPU open is certainly the one that is meant"


def test_memory_of_a_process_may_be_unknown(probe: Callable[..., Any]) -> None:
    assert probe("procs=1,unsized=1")["gpus"][0]["processes"][0]["memory_bytes"] is None


# --- the command -------------------------------------------------------------------------------------------------


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "forge_tui", "hardware", *arguments]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, timeout=60)


def test_the_command_prints_the_contract_as_json(fake_driver: Callable[..., Any], own_home: Path) -> None:
    told = command(fake_driver().variables("gpus=2,procs=1"), "--json")
    assert (told.returncode, told.stderr) == (0, "")
    found = json.loads(told.stdout)
    assert list(found) == KEYS and len(found["gpus"]) == 2
    assert list(found["gpus"][0]["processes"][0]) == ["pid", "owner", "name", "memory_bytes"]
    assert found["disk_free_bytes"] > 0 and not own_home.exists(), "looking makes no folder"


def test_the_command_prints_a_table(fake_driver: Callable[..., Any]) -> None:
    told = command(fake_driver().variables("gpus=2,used=60,refused=0", CUDA_VISIBLE_DEVICES="1,7"))
    assert told.returncode == 0
    for words in ("1    H100 80GB HBM3  19.5 of 80.0  9.0", "412/700 W", "nobody", gpu_uuid(1), "CUDA up to 13.1"):
        assert words in told.stdout
    assert "profile  high-end, which is 15 to 40 GiB free: GPU 1 has 19.5 GiB free" in told.stdout
    assert "! CUDA_VISIBLE_DEVICES holds '7'" in told.stdout
    assert gpu_uuid(0) not in told.stdout


def test_the_table_says_what_is_unknown(fake_driver: Callable[..., Any]) -> None:
    told = command(fake_driver().variables("refused=1,quiet=1"))
    assert "? of ?" in told.stdout and "unknown: its free memory is unknown" in told.stdout
