"""Where the app keeps its files."""

from __future__ import annotations

import os
from pathlib import Path

from backends.contract import UsageError


def typed_path(text: str) -> Path:
    """A path as a person types it; `~` of an unknown user stays as it is and is then simply not there."""
    return Path(os.path.expanduser(text))


def data_path(text: str) -> Path:
    """The data that a person named, as a whole path; nothing at all is not the present folder."""
    if not text.strip():
        raise UsageError("There is no file ''", "the name is empty", "Name a data file or folder.")
    return typed_path(text).absolute()


def forge_home_path() -> Path:
    """`$FORGE_HOME` or the user's data folder, whether it is there or not."""
    chosen = os.environ.get("FORGE_HOME")
    if chosen:
        return typed_path(chosen).absolute()
    shared = os.environ.get("XDG_DATA_HOME", "").strip()  # to be ignored unless it is absolute, by its specification
    folder = Path(shared) if os.path.isabs(shared) else typed_path("~/.local/share")
    return folder / "forge-tui"


def forge_home() -> Path:
    """The folder of `forge_home_path`, made for the owner alone when it is not there yet."""
    home = forge_home_path()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "runs").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The folder {home} cannot be made",
            error.strerror or str(error),
            "Set FORGE_HOME to a folder you can write to.",
        ) from None
    return home


def runs_folder() -> Path:
    """The folder that holds one folder a run."""
    return forge_home() / "runs"


def library_folder() -> Path:
    """The folder that holds the `backends` package: what the trainer gets as its PYTHONPATH."""
    import backends.contract

    return Path(backends.contract.__file__).resolve().parents[1]
