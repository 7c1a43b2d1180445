"""What a person should know before a run starts: who else is on its device, and whether it would end at logout."""

from __future__ import annotations

from collections.abc import Iterator

from forge_tui.logind import logout_warning
from forge_tui.runs.company import company
from profiles.device import Device


def start_remarks(device: Device | None, waiting: str = "") -> Iterator[str]:
    """Sentences, each a warning; `waiting` names what waits in line instead, None for a device asks after nobody."""
    others = company(device) if device is not None else []
    if device is not None and others:
        way_out = f"; {waiting} waits until no other run is there" if waiting else ""
        yield f"{device.name} is used by {', '.join(others)} too{way_out}"
    if warning := logout_warning():
        yield warning
