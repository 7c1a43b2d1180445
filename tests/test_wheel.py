"""The wheel on its own: one top-level name, and a user's own `backends` and `profiles` folders break nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Says in the log which copy of backends a process runs; each process of a run imports it first.
MARK = "import sys\nprint('backends from', __file__, 'for', sys.orig_argv[1:3], file=sys.stderr)\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like site-packages that holds the wheel of this tree and nothing else."""
    built = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A working directory with packages of the same names, which must never be imported."""
    folder = tmp_path / "mine"
    for name in ("backends", "profiles"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise RuntimeError('this is the {name} of the user')\n")
    return folder


def run_python(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python as a user of the wheel starts it in a folder of theirs, which Python puts first on sys.path."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONSAFEPATH", "PYTHONPATH")}
    environment |= {"PYTHONPATH": str(installed), "FORGE_HOME": str(folder.parent / "home")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_the_wheel_holds_one_top_level_name(installed: Path) -> None:
    assert [entry.name for entry in installed.iterdir() if entry.suffix != ".dist-info"] == ["forge_tui"]
    for file in (
        *("_lib/backends/contract.py", "_lib/profiles/settings/tabular.toml", "samples/coffee_orders.csv"),
        *("_lib/profiles/model_types.toml", "_lib/profiles/models/qwen3.toml"),
    ):
        assert (installed / "forge_tui" / file).is_file()


@pytest.mark.parametrize("before", ["", "sys.path.append(library)", "sys.path.insert(1, library)"])
def test_the_library_of_the_wheel_comes_first(installed: Path, hostile: Path, before: str) -> None:
    library = installed / "forge_tui" / "_lib"
    code = f"import json, sys; library = {str(library)!r}; {before}\n" + (
        "import forge_tui, backends.contract, profiles.starting_settings as settings\n"
        "print(json.dumps([backends.contract.__file__, settings.__file__, sys.path[0], sys.path.count(library)]))"
    )
    told = run_python(installed, hostile, "-c", code)
    assert told.returncode == 0, told.stderr
    expected = [library / "backends" / "contract.py", library / "profiles" / "starting_settings.py", library]
    assert json.loads(told.stdout) == [*map(str, expected), 1]


def test_a_run_starts_in_a_folder_with_packages_of_the_same_names(installed: Path, hostile: Path) -> None:
    (installed / "forge_tui" / "_lib" / "backends" / "__init__.py").write_text(MARK)
    data = installed / "forge_tui" / "samples" / "coffee_orders.csv"
    told = run_python(
        installed, hostile, "-m", "forge_tui", "train", "--data", str(data), "--set", "max_steps=5", "--name", "own"
    )
    assert told.returncode == 0, told.stdout + told.stderr
    (run,) = (hostile.parent / "home" / "runs").iterdir()
    assert json.loads((run / "job.json").read_text())["command"][1:] == ["-m", "backends", str(run)]
    assert (run / "model" / "model.ubj").is_file()
    library = installed / "forge_tui" / "_lib" / "backends" / "__init__.py"
    log = (run / "train.log").read_text()
    assert f"backends from {library} for ['-m', 'forge_tui.runs.supervisor']" in log
    assert f"backends from {library} for ['-m', 'backends']" in log
