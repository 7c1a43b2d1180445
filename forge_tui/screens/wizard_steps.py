"""The questions of the wizard as data: what is asked, why, and what can be answered, from what is known so far."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile
from backends.registry import PRESETS, TASKS, Task, find_task
from forge_tui.paths import typed_path
from forge_tui.planning import Planned, Request
from forge_tui.samples import sample_path

DATA_ENDINGS = (".csv", ".tsv", ".tab", ".psv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet")
OTHER_FOLDER = "other-folder"
_MOST_FILES = 200


@dataclass
class Answers:
    """What was answered so far; going back loses nothing."""

    data: str | None = None
    profile: DatasetProfile | None = None
    task: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    model: str | None = None
    method: str | None = None

    def request(self) -> Request:
        """The request these answers make."""
        assert self.data is not None
        return Request(self.data, self.task, None, self.columns, self.model, self.method)


@dataclass(frozen=True)
class Question:
    """One question: what is asked, why, the answers as (key, text), which of them is proposed."""

    step: str
    ask: str
    why: str
    options: tuple[tuple[str, str], ...]
    proposed: str | None = None
    typed: str | None = None


STEPS = ("data", "task", "columns", "model", "review")


def data_question(typed: str) -> Question:
    """Which file? Folders and data files that fit what was typed, and the bundled samples while nothing was."""
    options: list[tuple[str, str]] = [(str(path), text) for path, text in _files(typed)]
    if not typed:
        options += [(str(sample_path(task.id)), f"sample: {task.title}") for task in TASKS]
    return Question(
        "data",
        "Which data file?",
        "CSV, TSV, JSON, JSONL or Parquet; it is checked before anything starts.",
        tuple(options),
        typed=typed,
    )


def _files(typed: str) -> list[tuple[Path, str]]:
    path = typed_path(typed) if typed else Path()
    folder, start = (path, "") if not typed or typed.endswith("/") else (path.parent, path.name)
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: (not entry.is_dir(), entry.name.lower()))
    except OSError:
        return []
    found: list[tuple[Path, str]] = []
    for entry in entries:
        hidden = entry.name.startswith(".") and not start.startswith(".")
        if hidden or not entry.name.lower().startswith(start.lower()) or len(found) >= _MOST_FILES:
            continue
        try:
            if entry.is_dir():
                found.append((entry, f"{entry.name}/"))
            elif entry.suffix.lower() in DATA_ENDINGS:
                found.append((entry, f"{entry.name}   {entry.stat().st_size / 1024:,.0f} KiB"))
        except OSError:
            continue
    return found


def task_question(profile: DatasetProfile, chosen: str | None = None) -> Question:
    """What shall be learned? The tasks this data looks to be for, with the reason, then the others."""
    options = [(each.task, f"{find_task(each.task).title}: {each.reason}") for each in profile.proposals]
    named = {key for key, _ in options}
    options += [(task.id, f"{task.title}: {task.explanation}") for task in TASKS if task.id not in named]
    return Question(
        "task",
        "What shall the model do?",
        "The first answers fit the columns of your data best.",
        tuple(options),
        proposed=chosen or profile.task,
    )


def column_question(task: Task, role: str, profile: DatasetProfile) -> Question:
    """Which column plays this role?"""
    columns: Mapping[str, Any] = profile.stats.get("columns", {})
    width = min(24, max((len(name) for name in columns), default=8))
    options = []
    for name, column in columns.items():
        examples = ", ".join(str(example)[:24] for example in column["examples"])
        options.append((name, f"{name:<{width}}  {column['kind']:<10} {column['distinct']:>6,} values  {examples}"))
    reasons = {
        "target": "The column to predict; every other useful column is what it is predicted from.",
        "label": "The class of each row: what the model answers.",
        "text": "What the model reads.",
        "premise": "The first of the two texts.",
        "hypothesis": "The second text, judged by the first.",
    }
    return Question(
        "columns",
        f"Which column is the {role}?",
        reasons.get(role, f"The {role} of the task {task.title}."),
        tuple(options),
        proposed=profile.columns.get(role),
    )


def model_question(task: Task, chosen: str | None = None) -> Question:
    """Which model? Presets train without any download; a folder holds a pretrained one."""
    options = [(name, f"{name}: {PRESETS[name]}") for name in task.models]
    if task.accepts_model_folder:
        options.append((OTHER_FOLDER, "a local folder with a pretrained model: usually far better, if you have one"))
    proposed = task.default_model
    if chosen is not None and (chosen in task.models or task.accepts_model_folder):
        proposed = chosen if chosen in task.models else OTHER_FOLDER
    return Question("model", "Which model to start from?", "Presets need no download.", tuple(options), proposed)


def folder_question(typed: str) -> Question:
    """Where is the pretrained model?"""
    return Question("model", "Which model folder?", "It holds config.json, weights and tokenizer.", (), typed=typed)


def method_question(task: Task, chosen: str | None = None) -> Question:
    """How much of the model is trained?"""
    texts = {
        "full": "full: all weights learn; best scores, most memory",
        "lora": "LoRA: small added matrices learn; far less memory",
    }
    options = tuple((method, texts.get(method, method)) for method in task.methods)
    proposed = chosen if chosen in task.methods else task.methods[0]
    return Question("model", "How shall it be trained?", "Both work on any encoder.", options, proposed)


def review_lines(planned: Planned) -> list[str]:
    """What will be started: the request with the reason of each setting, and the command that does the same."""
    spec, profile = planned.spec, planned.profile
    lines = [
        f"{planned.task.title}",
        f"  data    {spec.data}",
        f"          {profile.usable_rows:,} of {profile.rows:,} rows can be used",
        *(f"          {role} = {column}" for role, column in spec.columns.items()),
        f"  model   {spec.model}, method {spec.method}",
        "",
        "Settings (saved in spec.toml):",
    ]
    for name, value in spec.settings.items():
        lines.append(f"  {name} = {value}   {spec.reasons.get(name, '')}")
    roles = " ".join(f"--map {shlex.quote(f'{role}={column}')}" for role, column in spec.columns.items())
    command = f"forge-tui train --data {shlex.quote(spec.data)} --task {spec.task} {roles}"
    model = f"--model {shlex.quote(spec.model)} --method {spec.method}"
    return [*lines, "", "The same from the shell:", f"  {command} {model}"]
