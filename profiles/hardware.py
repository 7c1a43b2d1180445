"""What a machine has: the record that the probe fills, the estimators read and `hardware --json` prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, get_type_hints

from backends.contract import UsageError, nearest
from profiles.hardware_profiles import CPU_PROFILE, profile_of

_LARGEST = 1 << 63  # bytes, watts, megahertz: no number of a machine comes near it
_FIX = "Give a file that `forge-tui hardware --json` printed, or auto, cpu or gpu:24GiB."


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory of a GPU; in a container its owner and name are often not to be known."""

    pid: int
    owner: str | None = None
    name: str | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Gpu:
    """A GPU or a MIG instance at one moment; `index` is that of nvidia-smi, of a MIG instance that of its GPU.

    Memory in bytes, free as a process of ours could take it. `processes` is None where the driver hides them.
    """

    index: int
    uuid: str | None = None
    name: str | None = None
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    compute_capability: str | None = None
    utilization_percent: int | None = None
    temperature_celsius: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    processes: tuple[GpuProcess, ...] | None = None

    @property
    def is_mig(self) -> bool:
        """Whether this is a part of a GPU with memory and units of its own."""
        return (self.uuid or "").startswith("MIG-")


@dataclass(frozen=True)
class Cpu:
    """The processor, with the cores this process may use."""

    name: str | None = None
    cores: int | None = None


@dataclass(frozen=True)
class Hardware:
    """A whole machine as one process sees it; GPUs stand in the order in which CUDA numbers them.

    `problems` are sentences for people: what is wrong or unknown, and what to do.
    """

    gpus: tuple[Gpu, ...] = ()
    cpu: Cpu = field(default_factory=Cpu)
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    disk_free_bytes: int | None = None
    driver_version: str | None = None
    cuda_version: str | None = None
    problems: tuple[str, ...] = ()

    @property
    def best_gpu(self) -> Gpu | None:
        """The GPU with the most free memory; of equals the newer one, then the first."""
        known = [gpu for gpu in self.gpus if gpu.memory_free_bytes is not None]
        return max(known, key=lambda gpu: (gpu.memory_free_bytes, _capability(gpu))) if known else None

    @property
    def profile(self) -> str | None:
        """The hardware profile's name; None where there is a GPU whose free memory nobody tells."""
        best = self.best_gpu
        if best is None or best.memory_free_bytes is None:
            return None if self.gpus else CPU_PROFILE
        return profile_of(best.memory_free_bytes).name

    def to_json(self) -> dict[str, Any]:
        """The object that `hardware --json` prints."""
        content = asdict(self)
        problems = list(content.pop("problems"))
        for gpu in content["gpus"]:
            gpu["processes"] = None if gpu["processes"] is None else list(gpu["processes"])
        return {**content, "gpus": list(content["gpus"]), "profile": self.profile, "problems": problems}

    @staticmethod
    def from_json(content: Any) -> Hardware:
        """Read what `to_json` wrote; what is missing is unknown, the profile is worked out anew.

        Raises UsageError naming the place of what is wrong.
        """
        table = _table(content, "the description")
        table.pop("profile", None)
        if "gpus" not in table:
            raise UsageError(
                "This is no description of hardware", "it has no key 'gpus'; a machine without GPUs has []", _FIX
            )
        gpus = []
        for number, entry in enumerate(_list(table.pop("gpus"), "gpus")):
            where = f"gpus[{number}]"
            gpu = _table(entry, where)
            processes = gpu.pop("processes", None)
            if processes is not None:
                listed = _list(processes, f"{where}.processes")
                processes = tuple(_record(GpuProcess, each, f"{where}.processes") for each in listed)
            gpus.append(_record(Gpu, {"index": number, **gpu}, where, processes=processes))
        cpu = _record(Cpu, table.pop("cpu", None) or {}, "cpu")
        problems = _list(table.pop("problems", []), "problems")
        if not all(isinstance(each, str) for each in problems):
            raise _wrong("problems", "a list of sentences", problems)
        return _record(Hardware, table, "the description", gpus=tuple(gpus), cpu=cpu, problems=tuple(problems))


def _capability(gpu: Gpu) -> tuple[int, ...]:
    return tuple(int(part) for part in (gpu.compute_capability or "0.0").split("."))


# --- reading a description ---------------------------------------------------------------------------------------


def _wrong(where: str, expected: str, value: object) -> UsageError:
    shown = f"{value!r:.80}" if not isinstance(value, int) or abs(value) < _LARGEST else "a number of too many digits"
    return UsageError(f"{where} is {shown}", f"it must be {expected}", _FIX)


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object in braces", value)
    return dict(value)


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(where, "a list in brackets", value)
    return value


@cache
def _types(record: type) -> dict[str, Any]:
    return get_type_hints(record)


def _record(record: Any, value: object, where: str, **made: Any) -> Any:
    """A record from a JSON object whose fields are texts and numbers; `made` are fields read before."""
    table = _table(value, where)
    known = tuple(entry.name for entry in fields(record))
    for key, given in table.items():
        if key not in known:
            raise UsageError(
                f"{where}: there is no key {key!r}",
                f"the keys are {', '.join(known)}",
                f"Correct it{nearest(key, known)}.",
            )
        _check(given, str(_types(record)[key]), f"{where}.{key}")
    missing = [name for name in ("pid", "index") if name in known and name not in table]
    if missing:
        raise UsageError(f"{where} has no key {missing[0]!r}", "it tells one from another", _FIX)
    return record(**{**table, **made})


def _check(value: object, kind: str, where: str) -> None:
    if value is None and "None" in kind:
        return
    if "str" in kind:
        if not isinstance(value, str):
            raise _wrong(where, "a text or null", value)
        if where.endswith("compute_capability") and not re.fullmatch(r"\d{1,3}\.\d{1,3}", value):
            raise _wrong(where, "a text such as '8.6'", value)
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LARGEST:
        raise _wrong(where, "a number from 0 to 9e18, or null", value)
    if "float" not in kind and not isinstance(value, int):
        raise _wrong(where, "a whole number or null", value)
