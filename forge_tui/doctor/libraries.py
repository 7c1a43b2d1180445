"""Whether the trainer's interpreter has what each task and method needs, in versions that are known to work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from backends.contract import ForgeError
from backends.registry import every_way
from forge_tui.doctor import installed
from forge_tui.doctor.checks import Check
from forge_tui.settings import read_settings
from profiles.libraries import libraries_of_formats, listed_libraries, needed_libraries

_ANSWER_SECONDS = 60
_OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Installed:
    """What the trainer's interpreter has; `torch_cuda` as `installed.look` tells it."""

    python: str
    packages: Mapping[str, str | None]
    torch_cuda: str | None


def look_at_libraries() -> Installed | Check:
    """What the trainer has, or the check that says why that cannot be told."""
    needed = {name for task in every_way() for method in task.methods for name in needed_libraries(task, method)}
    names = list(dict.fromkeys([*listed_libraries(), *sorted({*needed, *libraries_of_formats()})]))
    try:
        python = read_settings().trainer_python
    except ForgeError as error:
        return Check("trainer", "problem", f"{error.what}: {error.why}", error.fix)
    if python == sys.executable:
        return Installed(**installed.look(names))
    try:
        told = subprocess.run(
            [python, installed.__file__, *names],
            env={**os.environ, "PYTHONPATH": "", "PYTHONSAFEPATH": "1"},  # as far as a run sees it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
        )
        return Installed(**json.loads(told.stdout))
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired):
        message = f"The trainer's interpreter {python} does not tell what it has installed"
        return Check("trainer", "problem", message, "Correct trainer_python in settings.toml, or delete that line.")


def check_libraries(found: Installed) -> Iterator[Check]:
    """Python, then each task by each method, then versions that were not tried, then files that cannot be read."""
    if tuple(int(part) for part in found.python.split(".")[:2]) < _OLDEST_PYTHON:
        message = f"the trainer's Python is {found.python}, which is too old"
        yield Check("python", "problem", message, "Let trainer_python in settings.toml name a Python 3.11 or later.")
    else:
        yield Check("python", "ok", f"the trainer's Python is {found.python}")
    yield from _versions(found)
    ranges = known_ranges()
    used: set[str] = set()
    for task in every_way():
        for method in task.methods:
            needed = needed_libraries(task, method)
            used.update(needed)
            missing = [name for name in needed if found.packages.get(name) is None]
            way = f" by {task.strategy}" if task.ways else ""
            what = f"{task.id}{way}, {method}"
            if missing:
                fix = f"Install it: {_install(missing, ranges)}"
                yield Check("task", "problem", f"{what}: {' and '.join(missing)} missing", fix)
            else:
                yield Check("task", "ok", f"{what}: ready")
    for name in sorted(used):
        version = found.packages.get(name)
        if version is not None and name in ranges and not is_within(version, ranges[name]):
            message = f"{name} is {version}; tried are {ranges[name]}"
            yield Check("library", "warning", message, f"If runs fail: {_install([name], ranges)}")
    for name, files in libraries_of_formats().items():
        if found.packages.get(name) is None:
            message = f"{name} is missing, so {files} cannot be read"
            yield Check("library", "warning", message, f"If you need them: {_install([name], ranges)}")


def _versions(found: Installed) -> Iterator[Check]:
    """All that is of interest in one line, and what is missing of it in another."""
    told = {name: f"{name} {version}" for name, version in found.packages.items() if version is not None}
    if "torch" in told and found.torch_cuda not in (None, "none"):
        told["torch"] += f" for CUDA {found.torch_cuda}"
    yield Check("library", "ok", ", ".join(told.values()) or "no library is installed")
    if missing := [name for name, version in found.packages.items() if version is None]:
        yield Check("library", "ok", f"not installed: {', '.join(missing)}; what needs them is told below")


def _install(names: list[str], ranges: Mapping[str, str]) -> str:
    return f"pip install {' '.join(repr(name + ranges.get(name, '')) for name in names)}"


def known_ranges() -> dict[str, str]:
    """The versions that this program asks for, by distribution; nothing when it runs without being installed."""
    try:
        requirements = metadata.requires("forge-tui") or []
    except metadata.PackageNotFoundError:
        return {}
    matches = (re.match(r"([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*([^;]*)", each) for each in requirements)
    found = {match[1].lower().replace("_", "-"): match[2].strip(" ()") for match in matches if match}
    return {name: ",".join(sorted(bounds.split(","), reverse=True)) for name, bounds in found.items() if bounds}


def is_within(version: str, bounds: str) -> bool:
    """Whether a version lies within bounds such as `>=5.17,<6`; bounds of other kinds are not judged."""
    value = _numbers(version)
    for bound in bounds.split(","):
        if match := re.fullmatch(r"\s*(>=|<)\s*([\d.]+)\s*", bound):
            limit = _numbers(match[2])
            if (value < limit) if match[1] == ">=" else (value >= limit):
                return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """The release part of a version, so long that `6` and `6.0.0` are equal."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    return tuple([*numbers, 0, 0, 0, 0][:4])
