"""Writing a spec to a file that `train` takes."""

from __future__ import annotations

import os
from pathlib import Path

from backends.contract import RunSpec, UsageError


def require_new(path: Path) -> None:
    """Raise UsageError where no new file can be made, before work is done for it."""
    if not path.name or path.is_dir():
        raise UsageError(f"{path} is no name for a file", "it is a folder", "Give the name of a new file.")
    if os.path.lexists(path):
        raise _there_already(path)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        why = "its folder cannot be written" if path.parent.is_dir() else f"there is no folder {path.parent}"
        raise UsageError(f"{path} cannot be written", why, "Give another path.")


def _there_already(path: Path) -> UsageError:
    return UsageError(f"{path} is there already", "a plan overwrites no file", "Give another name, or delete it first.")


def write_spec(spec: RunSpec, path: Path) -> None:
    """Write what `train` takes, for the owner alone; a file that is there is left alone.

    Raises UsageError when it cannot be written.
    """
    import tomli_w

    try:
        text = tomli_w.dumps(spec.to_tables())
        with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
            stream.write(text)
    except FileExistsError:
        raise _there_already(path) from None
    except UnicodeEncodeError:
        raise UsageError(
            "The plan holds a name that is not text", f"a spec cannot hold {spec.data!a}", "Rename the file."
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written", error.strerror or str(error), "Give another path.") from None
