"""What each part loads, read from sys.modules of a fresh interpreter: the app stays light, the contract stays bare."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import backends.formats
import forge_tui.cli

MACHINE_LEARNING = {
    "accelerate", "datasets", "evaluate", "numpy", "pandas", "peft", "rouge_score", "sacrebleu", "seqeval", "sklearn",
    "timm", "torch", "transformers", "trl", "xgboost",
}  # fmt: skip
REPORT = """
import importlib, json, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def loaded_by(folder: Path, *modules: str) -> set[str]:
    """The top-level names that importing these modules brings into a fresh interpreter."""
    command = [sys.executable, "-c", REPORT, *modules]
    told = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=120)
    return set(json.loads(told.stdout))


def modules_of(package: object) -> list[str]:
    """A package and every module directly in it."""
    name = package.__name__  # type: ignore[attr-defined]
    found = [f"{name}.{each.name}" for each in pkgutil.iter_modules(package.__path__)]  # type: ignore[attr-defined]
    assert found
    return [name, *found]


def test_the_commands_load_no_screen_and_no_library(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, *modules_of(forge_tui.cli), "forge_tui.planning", "forge_tui.samples")
    assert "typer" in loaded
    assert not loaded & {"textual", "pyarrow", *MACHINE_LEARNING}


def test_the_app_loads_no_library(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "forge_tui.app")
    assert "textual" in loaded
    assert not loaded & {"pyarrow", *MACHINE_LEARNING}


@pytest.mark.parametrize("module", ["backends.contract", "backends.options", "backends.registry"])
def test_contract_and_registry_need_the_standard_library_only(tmp_path: Path, module: str) -> None:
    assert loaded_by(tmp_path, module) - set(sys.stdlib_module_names) == {"backends"}


def test_the_data_formats_load_no_library(tmp_path: Path) -> None:
    assert not loaded_by(tmp_path, *modules_of(backends.formats)) & {"pyarrow", *MACHINE_LEARNING}


@pytest.mark.parametrize("module", ["profiles.starting_settings", "profiles.recommend"])
def test_recommendations_need_the_standard_library_only(tmp_path: Path, module: str) -> None:
    loaded = loaded_by(tmp_path, module)
    assert loaded - set(sys.stdlib_module_names) == {"backends", "profiles"}
