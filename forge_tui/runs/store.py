"""The run folders: making them, listing them and finding one by what a person types."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from backends.contract import ForgeError, RunFiles, RunSpec, UsageError, nearest
from forge_tui.paths import runs_folder
from forge_tui.runs import queue as line
from forge_tui.runs.launch import launch
from forge_tui.runs.lock import take_lock
from forge_tui.settings import read_settings

RESERVE_BYTES = 256 * 1024
LONGEST_NAME = 120
_RUN_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9-]+-[0-9a-f]{4}")


def start_run(spec: RunSpec, device: str | None = None, queue: bool = False) -> RunFiles:
    """Write the folder of a new run and start its supervisor and trainer; returns once they are under way.

    `device` is the UUID of the GPU that the run was planned for; without one it takes the best there is when it starts.
    With `queue` it waits in line for its device, without it it begins at once, whoever else is there.
    The lock is taken before the folder has its name, so that no reader ever sees a run that nobody holds.
    """
    import secrets

    import tomli_w

    read_settings()  # a mistake in there is told now, not by a supervisor that nobody hears
    if len(spec.name) > LONGEST_NAME:
        raise UsageError(
            "The name of the run is too long",
            f"it has {len(spec.name):,} characters, and a list has room for {LONGEST_NAME}",
            "Give it a shorter one.",
        )
    root = runs_folder()
    moment = datetime.now(UTC)
    run_id = f"{moment:%Y%m%d-%H%M%S}-{spec.task}-{secrets.token_hex(2)}"
    hidden = root / f".new-{run_id}"
    whole = replace(spec, created=moment.isoformat(timespec="seconds"))
    try:
        request = tomli_w.dumps(whole.to_tables()).encode()
    except UnicodeEncodeError:  # a file name is bytes and need not be text; a spec is text
        raise UsageError(
            "The request holds a name that is not text",
            f"spec.toml cannot hold {spec.data!a}",
            "Rename the file or the folder it lies in.",
        ) from None
    try:
        hidden.mkdir(mode=0o700)
        lock = take_lock(hidden / "lock")
        files = RunFiles(hidden)
        _write_private(files.spec, request)
        _write_private(files.reserve, os.urandom(RESERVE_BYTES))
        final = RunFiles(root / run_id)
        if queue:
            line.enqueue(final)
        os.rename(hidden, final.folder)
    except OSError as error:
        shutil.rmtree(hidden, ignore_errors=True)
        raise ForgeError(
            "The run folder could not be written",
            f"{error.strerror} at {root}",
            "Free some space there, or set FORGE_HOME to another folder.",
        ) from None
    except ForgeError:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    launch(final, lock, attempt=1, device=device)
    return final


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def list_runs() -> list[RunFiles]:
    """All runs, newest first."""
    with os.scandir(runs_folder()) as entries:
        names = [entry.name for entry in entries if _RUN_ID.fullmatch(entry.name)]
    return [RunFiles(runs_folder() / name) for name in sorted(names, reverse=True)]


def find_run(wanted: str) -> RunFiles:
    """The run with this id, unique prefix of an id, or name; `last` is the newest.

    Raises UsageError when none or several fit.
    """
    runs = list_runs()
    if not runs:
        raise UsageError("There are no runs yet", f"{runs_folder()} is empty", "Start one: forge-tui demo")
    if wanted == "last":
        return runs[0]
    from forge_tui.runs.summary import run_name

    by_id = [run for run in runs if run.folder.name == wanted]
    by_name = [run for run in runs if run_name(run) == wanted]
    by_prefix = [run for run in runs if run.folder.name.startswith(wanted)] if wanted else []
    for found in (by_id, by_name, by_prefix):
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(run.folder.name for run in found[:5])
            raise UsageError(f"{wanted!r} means {len(found)} runs", listed, "Give the id, or more of it.")
    known = tuple(run_name(run) for run in runs) + tuple(run.folder.name for run in runs)
    raise UsageError(
        f"There is no run {wanted!r}", f"{len(runs)} runs are known", f"See: forge-tui runs{nearest(wanted, known)}"
    )
