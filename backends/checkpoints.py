"""Checkpoints that can be trusted: sealed with a list of their files when whole, checked before they are used."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from backends.contract import read_json, write_json

SEAL = "forge.json"
KEPT = 2


def checkpoint_folder(root: Path, step: int) -> Path:
    """The folder of the checkpoint after `step`."""
    return root / f"checkpoint-{step}"


def seal(folder: Path, step: int, **state: Any) -> None:
    """Mark a checkpoint as whole, with the size of each of its files and what else a resume must know."""
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SEAL
    }
    write_json(folder / SEAL, {"step": step, "files": files, **state})


def read_seal(folder: Path) -> dict[str, Any] | None:
    """The seal of a checkpoint whose files are all there in full, else None."""
    content = read_json(folder / SEAL) or {}
    files = content.get("files")
    if not isinstance(files, dict) or not isinstance(content.get("step"), int):
        return None
    for name, size in files.items():
        try:
            if (folder / name).stat().st_size != size:
                return None
        except OSError:
            return None
    return content


def sealed_checkpoints(root: Path) -> list[tuple[int, Path]]:
    """Every whole checkpoint, oldest first."""
    found = []
    for folder in root.glob("checkpoint-*"):
        content = read_seal(folder)
        if content is not None:
            found.append((int(content["step"]), folder))
    return sorted(found)


def latest_checkpoint(root: Path) -> tuple[int, Path] | None:
    """The newest whole checkpoint: what a resume goes on from."""
    found = sealed_checkpoints(root)
    return found[-1] if found else None


def prune(root: Path, best_step: int | None) -> None:
    """Keep the newest two checkpoints and the best one; broken ones go too."""
    found = sealed_checkpoints(root)
    keep = {folder for _, folder in found[-KEPT:]} | {folder for step, folder in found if step == best_step}
    for folder in root.glob("checkpoint-*"):
        if folder not in keep:
            shutil.rmtree(folder, ignore_errors=True)
