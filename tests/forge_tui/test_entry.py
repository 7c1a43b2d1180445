"""The first and the last moment of a command: a Ctrl-C during the imports, an output that is closed or full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from forge_tui import cli

# Sends itself a Ctrl-C at the import of the module PLACE, as a person may who is quick.
INTERRUPTED = """
import os, signal, sys
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == "PLACE":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
import forge_tui.__main__
forge_tui.__main__.main()
"""


def run(home: Any, *command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A process of its own with the streams that a test gives it."""
    given = {"env": home.variables(), "cwd": home.path, "stderr": subprocess.PIPE, "timeout": 60, **options}
    return subprocess.run([sys.executable, *command], **given)


@pytest.mark.parametrize("module", ["forge_tui.streams", "backends.contract", "forge_tui.cli", "profiles.catalog"])
def test_a_ctrl_c_during_the_imports_ends_without_a_traceback(home: Any, module: str) -> None:
    ended = run(home, "-c", INTERRUPTED.replace("PLACE", module), "models", stdout=subprocess.PIPE)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def close_stdout() -> None:
    os.close(1)


COMMANDS = [["models"], ["doctor"], ["--help"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_output_that_is_closed_or_full_is_told_in_words(home: Any, command: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        for options in ({"preexec_fn": close_stdout}, {"stdout": full}):
            ended = run(home, "-m", "forge_tui", *command, **options)
            told = ended.stderr.decode()
            assert ended.returncode == 1 and told.startswith("error: The output cannot be written\n  why: "), told
            assert "fix: " in told and "Traceback" not in told and "Exception" not in told


def test_what_prints_nothing_needs_no_output(home: Any) -> None:
    ended = run(home, "-m", "forge_tui", "show", "nothing", preexec_fn=close_stdout)
    assert ended.returncode == 2 and ended.stderr.startswith(b"error: There are no runs")


def test_every_stream_may_be_closed(home: Any, tmp_path: Path) -> None:
    def close_all() -> None:
        for number in (0, 1, 2):
            os.close(number)

    ended = run(home, "-m", "forge_tui", "models", stderr=None, preexec_fn=close_all)
    assert ended.returncode == 1


def test_a_reader_that_goes_away_is_no_error(home: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = run(home, "-m", "forge_tui", "runs", "--json", stdout=writing)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_each_command_is_found_in_the_module_that_is_loaded_for_it() -> None:
    cli.load_commands()
    homes = {}
    for command in cli.app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        homes[name] = command.callback.__module__.rpartition(".")[2]
    assert homes == {command: module for module, commands in cli._HOMES.items() for command in commands}


def test_a_command_loads_no_other() -> None:
    asked = "import sys; from forge_tui import cli; cli.load_commands('tasks'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert "forge_tui.cli.data" in loaded
    assert not {"forge_tui.cli.runs", "forge_tui.cli.training", "forge_tui.cli.planning"} & set(loaded)


def test_a_mistake_of_the_program_is_told_as_such(repository: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import sys\nimport forge_tui.cli as cli\n"
        "def fail(): raise IndexError('list \\x1b[31mindex')\n"
        "cli.main = fail\nsys.argv = ['forge-tui', 'tasks']\n"
        "from forge_tui.__main__ import main\nmain()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    ended = subprocess.run([sys.executable, broken], capture_output=True, text=True, env=environment)
    assert ended.returncode == 1 and ended.stdout == ""
    first, why, fix = ended.stderr.splitlines()[:3]
    assert first == "error: forge-tui itself failed: IndexError: list index" and "Traceback" not in ended.stderr
    assert "not yours" in why and "report it" in fix and "in fail" in ended.stderr
