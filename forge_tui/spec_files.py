"""Writing a spec to a file that `train` takes."""

from __future__ import annotations

import os
from pathlib import Path

from backends.contract import RunSpec, UsageError


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
        raise UsageError(
            f"{path} is there already", "a plan overwrites no file", "Give another name, or delete it first."
        ) from None
    except UnicodeEncodeError:
        raise UsageError(
            "The plan holds a name that is not text", f"a spec cannot hold {spec.data!a}", "Rename the file."
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written", error.strerror or str(error), "Give another path.") from None
