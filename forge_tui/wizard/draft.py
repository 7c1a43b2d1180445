"""Answers on their way to a run, kept on disk so that a lost connection loses none of them."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.contract import read_json, write_json
from backends.registry import TASKS
from forge_tui.paths import forge_home

_MOST_DRAFTS = 5
_NAME = re.compile(r"20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])-([01]\d|2[0-3])[0-5]\d[0-5]\d-[0-9a-f]{4}")
_KINDS: Mapping[str, type] = {"columns": dict, "answers": dict, "settings": dict}
CLEAN, AS_IT_IS = "clean", "as-it-is"


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@dataclass
class Draft:
    """What was answered so far; `at` is the question that comes next.

    `goal` is the task that was chosen before the data was seen, `task` the one chosen after that.
    """

    id: str = field(default_factory=_new_id)
    at: str = "goal"
    data: str | None = None
    goal: str | None = None
    task: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    cleaning: str | None = None
    quality: str | None = None
    answers: dict[str, str] = field(default_factory=dict)
    approach: str | None = None
    strategy: str | None = None
    model: str | None = None
    method: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    name: str | None = None

    @property
    def preparation(self) -> dict[str, Any]:
        """What was answered about the rows, under the names of the preparation."""
        chosen: dict[str, Any] = {}
        if self.cleaning == CLEAN:
            chosen |= {"bad_rows": "drop", "drop_duplicates": True, "merge_spellings": True}
        kind, _, rest = (self.quality or "").partition(":")
        if kind == "weigh":
            chosen["weight_column"] = rest
        elif kind == "best":
            least, _, column = rest.partition(":")
            chosen |= {"quality_column": column, "quality_from": float(least)}
        return chosen

    @property
    def is_empty(self) -> bool:
        """Whether nothing was answered that is worth keeping."""
        return self.data is None and not self.answers

    def use_data(self, path: str) -> None:
        """Take data; what was answered about other data is of no use for it."""
        if path == self.data:
            return
        self.data, self.task, self.columns = path, self.goal, {}
        self.cleaning = self.quality = self.approach = self.strategy = self.model = self.method = self.name = None
        self.settings = {}

    def use_task(self, task: str) -> None:
        """Take a task; columns, models and settings belong to the one before."""
        if task == self.task:
            return
        self.task, self.columns, self.settings = task, {}, {}
        self.cleaning = self.quality = self.strategy = self.model = self.method = None


def _folder() -> Path:
    return forge_home() / "drafts"


def save_draft(draft: Draft) -> None:
    """Write a draft to the disk; the oldest beyond five go. A disk that is full loses the draft, not the session."""
    if draft.is_empty:
        return
    try:
        _folder().mkdir(mode=0o700, exist_ok=True)
        write_json(_folder() / f"{draft.id}.json", asdict(draft))
        for path in _paths()[_MOST_DRAFTS:]:
            path.unlink(missing_ok=True)
    except OSError:
        return


def delete_draft(draft: Draft) -> None:
    """Forget a draft, since its run has started or nobody wants it."""
    try:
        (_folder() / f"{draft.id}.json").unlink(missing_ok=True)
    except OSError:
        return


def drafts() -> list[Draft]:
    """The drafts that can be gone on with, the newest first; what cannot be read is left aside."""
    return [draft for path in _paths() if (draft := _read(path)) is not None]


def draft_text(draft: Draft) -> str:
    """`go on: tickets.csv, text-classification, at settings`."""
    data = Path(draft.data).name if draft.data else "no data yet"
    task = draft.task or draft.goal
    return f"go on: {', '.join(part for part in (data, task, f'at {draft.at}') if part)}"


def _paths() -> list[Path]:
    """The files of the drafts, the one that was changed last first."""
    try:
        paths = [path for path in _folder().glob("*.json") if _NAME.fullmatch(path.stem)]
        entries = [(os.stat(path).st_mtime, path) for path in paths]
    except OSError:
        return []
    return [path for _, path in sorted(entries, reverse=True)]


def _read(path: Path) -> Draft | None:
    content = read_json(path)
    if content is None:
        return None
    known = {entry.name for entry in fields(Draft)}
    values = {key: value for key, value in content.items() if key in known and _fits(key, value)}
    draft = Draft(**{**values, "id": path.stem})
    trained = {task.id for task in TASKS}
    is_usable = not draft.is_empty and {draft.goal, draft.task} - {None} <= trained
    return draft if is_usable else None


def _fits(key: str, value: Any) -> bool:
    kind = _KINDS.get(key)
    return isinstance(value, kind) if kind is not None else value is None or isinstance(value, str)
