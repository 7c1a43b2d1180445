"""The doctor: each thing it looks at, what it says where something is wrong, and the exit code."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.registry import Task, every_way
from forge_tui.doctor import installed, storage
from forge_tui.doctor.checks import Check
from forge_tui.doctor.devices import check_devices
from forge_tui.doctor.libraries import Installed, check_libraries, is_within, known_ranges, look_at_libraries
from forge_tui.doctor.session import check_session
from forge_tui.doctor.storage import check_storage
from forge_tui.doctor.terminal import check_terminal
from forge_tui.nvml import GpuReading
from forge_tui.nvml_problems import Problem
from profiles.hardware import Gpu
from profiles.libraries import libraries_of_formats, listed_libraries, needed_libraries

ROOT = Path(__file__).parents[2]
COMPLETE = Installed(
    "3.12.1",
    {
        **dict.fromkeys(["torch", "transformers", "peft", "accelerate", "xgboost", "trl", "numpy", "seqeval"], "99.1"),
        **dict.fromkeys(["datasets", "evaluate", "rouge-score", "sacrebleu"], "99"),
        **dict.fromkeys(["scikit-learn", "pyarrow", "ijson", "charset-normalizer", "tokenizers", "safetensors"], "99"),
        **dict.fromkeys(["openpyxl", "pillow", "bitsandbytes"], "11.0"),
    },
    "13.2",
)


def without(*names: str) -> Installed:
    return replace(COMPLETE, packages={**COMPLETE.packages, **dict.fromkeys(names)})


def by_state(checks: Any, state: str) -> list[Check]:
    found = [check for check in checks if check.state == state]
    assert all(check.fix for check in found if state != "ok"), "what is not in order has a fix"
    return found


# --- libraries ---------------------------------------------------------------------------------------------------


def named(task: Task) -> str:
    return f"{task.id} by {task.strategy}" if task.ways else task.id


def test_every_task_and_method_has_its_line() -> None:
    lines = [check.message for check in check_libraries(COMPLETE) if check.area == "task"]
    assert lines == [f"{named(task)}, {method}: ready" for task in every_way() for method in task.methods]


def test_a_missing_library_stops_what_needs_it_and_nothing_else() -> None:
    (*problems,) = by_state(check_libraries(without("peft")), "problem")
    assert [each.message for each in problems] == [
        f"{named(task)}, {method}: peft missing" for task in every_way() for method in task.methods if method != "full"
    ]
    assert "pip install 'peft" in problems[0].fix
    torchless = by_state(check_libraries(without("torch", "transformers")), "problem")
    assert all("tabular" not in each.message for each in torchless) and "torch and transformers" in torchless[0].message


def test_a_library_that_only_some_files_need_is_a_warning() -> None:
    warnings = by_state(check_libraries(without("openpyxl")), "warning")
    assert any("Excel" in each.message for each in warnings)


def test_versions_that_were_not_tried_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forge_tui.doctor.libraries.known_ranges", lambda: {"torch": ">=2.11,<3"})
    found = replace(COMPLETE, packages={**COMPLETE.packages, "torch": "2.2.0"})
    (warning,) = by_state(check_libraries(found), "warning")
    assert "torch is 2.2.0; tried are >=2.11,<3" in warning.message
    assert "pip install 'torch>=2.11,<3'" in warning.fix


def test_an_old_python_of_the_trainer_is_a_problem() -> None:
    (problem,) = by_state(check_libraries(replace(COMPLETE, python="3.10.2")), "problem")
    assert "3.10.2" in problem.message and "trainer_python" in problem.fix


@pytest.mark.parametrize(
    ("version", "bounds", "expected"),
    [
        ("2.15.0", ">=2.11,<3", True),
        ("2.9", ">=2.11,<3", False),
        ("3.0", ">=2.11,<3", False),
        ("3.0.0rc1", "<3", False),
        ("2.11.0+cu128", ">=2.11", True),
        ("13", ">=11,<13", False),
        ("odd", ">=1", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, bounds: str, expected: bool) -> None:
    assert is_within(version, bounds) is expected


def test_the_table_of_libraries_names_what_the_backends_import() -> None:
    """Every third-party module that a task's file and what it imports of ours name, by the distribution's name."""
    distributions = {"sklearn": "scikit-learn", "PIL": "pillow", "charset_normalizer": "charset-normalizer"}
    distributions["rouge_score"] = "rouge-score"

    def imported(path: Path, seen: set[Path]) -> set[str]:
        seen.add(path)
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for module in modules:
                ours = ROOT / (module.replace(".", "/") + ".py")
                if module.startswith("backends"):
                    names |= imported(ours, seen) if ours.is_file() and ours not in seen else set()
                else:
                    names.add(module.partition(".")[0])
        return names

    for task in every_way():
        found = imported(ROOT / (task.module.replace(".", "/") + ".py"), set())
        outside = {distributions.get(name, name) for name in found - set(sys.stdlib_module_names)} - {"__future__"}
        needed = {name for method in task.methods for name in needed_libraries(task, method)}
        assert outside - needed - set(libraries_of_formats()) == set(), task.id


def test_the_named_libraries_are_those_of_the_project() -> None:
    known = {name.partition("[")[0] for name in known_ranges()}
    if not known:
        pytest.skip("the project is not installed here")
    needed = {name for task in every_way() for method in task.methods for name in needed_libraries(task, method)}
    # Transformers brings these two in versions of its own choice.
    assert (needed | set(listed_libraries()) | set(libraries_of_formats())) - known <= {"safetensors", "tokenizers"}


# --- what CUDA torch is built for --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "written", "requires", "expected"),
    [
        ("2.15.0", "cuda: Optional[str] = '13.2'\nhip: Optional[str] = None\n", [], "13.2"),
        ("2.15.0", "cuda: Optional[str] = None\n", ["nvidia-cudnn-cu13==9"], "none"),
        ("2.11.0+cu128", None, [], "12.8"),
        ("2.11.0+cpu", None, [], "none"),
        ("2.15.0", None, ["filelock", 'cuda-toolkit[cublas,cudart]==13.2.2; platform_system == "Linux"'], "13"),
        ("2.9.0", None, ["nvidia-cuda-runtime-cu12==12.8.90"], "12"),
        ("2.9.0", None, ["filelock"], None),
    ],
)
def test_the_cuda_of_torch_is_read_without_importing_it(
    tmp_path: Path, version: str, written: str | None, requires: list[str], expected: str | None
) -> None:
    info = tmp_path / f"torch-{version}.dist-info"
    info.mkdir()
    lines = [f"Requires-Dist: {each}" for each in requires]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", "Name: torch", f"Version: {version}", *lines]))
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('torch was imported')\n")
    if written is not None:
        (tmp_path / "torch" / "version.py").write_text(written)
    command = [sys.executable, "-S", installed.__file__, "torch", "peft"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    found = json.loads(told.stdout)
    assert (found["packages"], found["torch_cuda"]) == ({"torch": version, "peft": None}, expected)


def test_the_trainers_own_interpreter_is_asked(own_home: Path, tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    other.chmod(0o700)
    own_home.mkdir(mode=0o700)
    (own_home / "settings.toml").write_text(f"trainer_python = {json.dumps(str(other))}\n")
    found = look_at_libraries()
    assert isinstance(found, Installed) and found.packages["torch"] is None
    other.write_text("#!/bin/sh\necho nonsense\n")
    silent = look_at_libraries()
    assert isinstance(silent, Check) and silent.state == "problem" and "trainer_python" in silent.fix
    (own_home / "settings.toml").write_text("trainer_pyton = 'x'\n")
    wrong = look_at_libraries()
    assert isinstance(wrong, Check) and "trainer_python" in wrong.fix


# --- GPUs and torch ----------------------------------------------------------------------------------------------


def reading(driver: str = "580.95.05", capability: str = "9.0") -> GpuReading:
    return GpuReading((Gpu(0, name="NVIDIA H100", compute_capability=capability),), driver_version=driver)


@pytest.mark.parametrize(
    ("read", "cuda", "state", "words"),
    [
        (reading(), "13.2", "ok", "new enough (from 580)"),
        (reading("550.54.14"), "13.2", "warning", "needs driver 580; yours is 550.54.14"),
        (reading("450.80.02"), "12.8", "warning", "needs driver 525"),
        (reading("550.54.14"), "12.8", "ok", "new enough"),
        (reading("550.54.14", "6.1"), "13", "warning", "needs driver 580"),
        (reading(capability="7.0"), "13.2", "problem", "compute capability 7.0; CUDA 13"),
        (reading(capability="7.5"), "13.2", "ok", "new enough"),
        (reading(capability="6.1"), "12.6", "ok", "new enough"),
        (reading(), "none", "warning", "built without CUDA"),
        (reading(), None, "ok", "cannot be told"),
        (GpuReading((Gpu(0),)), "13.2", "ok", "the driver is unknown"),
    ],
)
def test_driver_and_gpus_against_torch(read: GpuReading, cuda: str | None, state: str, words: str) -> None:
    checks = [check for check in check_devices(read, "2.15.0", cuda) if check.area == "torch"]
    assert words in checks[-1].message and checks[-1].state == state
    assert bool(checks[-1].fix) == (state != "ok")
    if "550" in str(read.driver_version) and state == "warning":
        assert "CUDA 12" in checks[-1].fix


def test_what_is_wrong_with_the_driver_is_a_warning_since_runs_use_the_cpu() -> None:
    (check,) = check_devices(GpuReading(None, (Problem("The driver is not loaded", "load it"),)), "2.15.0", "13.2")
    assert check == Check("gpu", "warning", "The driver is not loaded", "Load it")
    (check,) = check_devices(GpuReading(None, (), (Problem("There is none"),)), "2.15.0", "13.2")
    assert (check.state, check.message) == ("ok", "no GPU: runs use the CPU")


# --- session, terminal, storage ----------------------------------------------------------------------------------


def logind(root: Path, text: str | None, unit: str = "0::/user.slice/user-1000.slice/session-3.scope") -> Path:
    (root / "run/systemd/system").mkdir(parents=True)
    for name, content in {"etc/systemd/logind.conf": text, "proc/self/cgroup": unit}.items():
        if content is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
    return root


@pytest.mark.parametrize(
    ("text", "unit", "state", "words"),
    [
        ("[Login]\nKillUserProcesses=no\n", "session-3.scope", "ok", "leaves your processes alone"),
        ("[Login]\nKillUserProcesses=yes\n", "session-3.scope", "warning", "KillUserProcesses=yes"),
        ("[Login]\nKillUserProcesses=yes\n", "user@1000.service/run-1.scope", "ok", "not part of a login session"),
        ("[Login]\n#KillUserProcesses=yes\n", "session-3.scope", "warning", "cannot be told"),
    ],
)
def test_processes_at_logout(tmp_path: Path, text: str, unit: str, state: str, words: str) -> None:
    check = next(check_session(logind(tmp_path, text, f"0::/user.slice/{unit}"), ask=False))
    assert (check.state, words in check.message) == (state, True)
    if state == "warning":
        assert "loginctl enable-linger" in check.fix and "systemd-run --user --scope forge-tui" in check.fix


def test_the_last_file_of_logind_counts(tmp_path: Path) -> None:
    root = logind(tmp_path, "[Login]\nKillUserProcesses=no\n")
    for place, name, value in (("usr/lib", "50-a", "no"), ("etc", "90-b", "yes"), ("run", "10-c", "no")):
        folder = root / place / "systemd/logind.conf.d"
        folder.mkdir(parents=True)
        (folder / f"{name}.conf").write_text(f"[Login]\nKillUserProcesses={value}\n")
    assert next(check_session(root, ask=False)).state == "warning"


def test_a_machine_without_systemd_has_no_logout_to_fear(tmp_path: Path) -> None:
    assert [check.state for check in check_session(tmp_path, ask=False)] == ["ok"]


@pytest.mark.parametrize(
    ("environment", "states", "words"),
    [
        ({"TERM": "xterm-256color", "LANG": "de_DE.UTF-8"}, ["ok", "ok"], "rising dots"),
        ({"TERM": "tmux-256color", "LC_ALL": "C.utf8", "LANG": "C"}, ["ok", "ok"], "UTF-8"),
        ({"TERM": "xterm", "LANG": "C"}, ["ok", "warning"], "the character set is C"),
        ({"TERM": "xterm"}, ["ok", "warning"], "not set"),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, ["warning", "ok"], "no braille"),
        ({"TERM": "dumb", "LANG": "C.UTF-8"}, ["warning", "ok"], "cannot show the app"),
    ],
)
def test_the_terminal(environment: dict[str, str], states: list[str], words: str) -> None:
    checks = list(check_terminal(environment, is_terminal=True))
    assert [check.state for check in checks] == states
    assert words in " ".join(check.message for check in checks)
    assert [check.state for check in check_terminal(environment, is_terminal=False)] == ["ok"]


def test_the_folder_of_runs(own_home: Path) -> None:
    locks, space, *_ = check_storage()
    assert locks == Check("runs", "ok", f"runs are kept in {own_home}; its file system locks files")
    assert space.state in ("ok", "warning") and "GiB free" in space.message
    assert list(own_home.glob("doctor*")) == []


def test_a_folder_that_cannot_be_made_or_locked(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    locks = next(check_storage())
    assert (locks.state, "cannot lock files" in locks.message) == ("problem", True)
    shutil.rmtree(own_home)
    own_home.write_text("a file is in the way")
    (only,) = check_storage()
    assert (only.state, "FORGE_HOME" in only.fix) == ("problem", True)


@pytest.mark.parametrize(("free", "state"), [(None, "warning"), (2**20, "problem"), (2**30, "warning"), (2**40, "ok")])
def test_room_on_the_disk(own_home: Path, monkeypatch: pytest.MonkeyPatch, free: int | None, state: str) -> None:
    monkeypatch.setattr(storage, "disk_free", lambda folder: free)
    assert next(check for check in check_storage() if check.area == "disk").state == state


# --- the command -------------------------------------------------------------------------------------------------


def test_the_command_imports_no_library_and_tells_everything(home: Any) -> None:
    (home.path / "settings.toml").unlink()
    code = (
        "import atexit, sys\n"
        "ml = {'torch', 'transformers', 'numpy', 'xgboost', 'peft', 'sklearn', 'textual', 'pyarrow'}\n"
        "atexit.register(lambda: print('LOADED', ml & set(sys.modules), file=sys.stderr))\n"
        "sys.argv = ['forge-tui', 'doctor', '--json']\n"
        "from forge_tui.cli import main\nmain()"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env=home.variables(), cwd=home.path, capture_output=True, text=True, timeout=60
    )
    found = json.loads(told.stdout)
    assert "LOADED set()" in told.stderr
    assert list(found) == ["ok", "checks", "packages"]
    assert told.returncode == (0 if found["ok"] else 1)
    assert {"python", "library", "task", "gpu", "runs", "disk", "session", "terminal"} <= {
        check["area"] for check in found["checks"]
    }
    assert all(list(check) == ["area", "state", "message", "fix"] for check in found["checks"])
    assert all(check["fix"] for check in found["checks"] if check["state"] != "ok")


def test_what_makes_training_impossible_exits_with_1(cli: Callable[..., Any], own_home: Path) -> None:
    own_home.mkdir(mode=0o700)
    (own_home / "settings.toml").write_text("trainer_python = '/none/python'\n")
    told = cli("doctor")
    assert told.code == 1 and "problem  trainer" in told.out and "fix:" in told.out and "1 problem" in told.err


def test_an_old_driver_is_told_through_the_binding(fake_driver: Callable[..., Any], own_home: Path) -> None:
    command = [sys.executable, "-m", "forge_tui", "doctor", "--json"]
    environment = fake_driver("OLD_DRIVER").variables("capability=80")
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    torch = [check for check in json.loads(told.stdout)["checks"] if check["area"] == "torch"]
    if not torch:
        pytest.skip("torch is not installed here")
    assert torch[0]["state"] in ("warning", "ok") and "torch" in torch[0]["message"]
    if "450.80.02" in torch[0]["message"]:
        assert "Install a driver of version" in torch[0]["fix"]
