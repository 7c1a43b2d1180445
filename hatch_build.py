"""Put `backends` and `profiles` under `forge_tui/_lib` in the wheel, so that site-packages gets one top-level name."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LibraryFolders(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            for folder in ("backends", "profiles"):
                build_data["force_include"][folder] = f"forge_tui/_lib/{folder}"
