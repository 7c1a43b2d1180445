"""The name of a machine's class, from the memory free to one process on its best device."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GIB = 2**30
CPU_PROFILE = "cpu"


@dataclass(frozen=True)
class HardwareProfile:
    """A class of machines: free memory in GiB from the first bound, included, to the second, not included."""

    name: str
    free_from_gib: float
    free_below_gib: float | None

    @property
    def range(self) -> str:
        """`under 7 GiB free`, `15 to 40 GiB free`, `100 GiB free or more`."""
        if self.free_below_gib is None:
            return f"{self.free_from_gib:g} GiB free or more"
        if not self.free_from_gib:
            return f"under {self.free_below_gib:g} GiB free"
        return f"{self.free_from_gib:g} to {self.free_below_gib:g} GiB free"


@cache
def hardware_profiles() -> tuple[HardwareProfile, ...]:
    """The profiles of machines with a GPU, the smallest first."""
    path = Path(__file__).with_name("hardware_profiles.toml")
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["profile"]
    bounds = [entry["free_from_gib"] for entry in entries]
    return tuple(
        HardwareProfile(entry["name"], lower, upper)
        for entry, lower, upper in zip(entries, bounds, [*bounds[1:], None], strict=True)
    )


def profile_of(free_bytes: int) -> HardwareProfile:
    """The profile of a device with so many bytes free to one process."""
    return [each for each in hardware_profiles() if free_bytes >= each.free_from_gib * GIB][-1]
