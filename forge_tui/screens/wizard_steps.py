"""The questions of the wizard as data: what is asked, why, and what can be answered, from what is known so far."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile
from backends.formats.folders import looks_like_a_data_set
from backends.registry import PRESETS, TASKS, Task, find_data, find_task, is_trained
from forge_tui.formatting import counted
from forge_tui.paths import typed_path
from forge_tui.plan_report import memory_text, time_text
from forge_tui.planning import Planned, Request
from forge_tui.samples import sample_path

DATA_ENDINGS = tuple(
    (
        ".csv .tsv .tab .psv .txt .json .jsonl .ndjson .parquet .arrow .xlsx .conll .bio .iob .gz .zst .zip .yaml .toml"
    ).split()
)
OTHER_FOLDER = "other-folder"
# Stands before the path of a folder that is taken as a whole.
WHOLE_FOLDER = "folder:"
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
    cleaning: str | None = None
    quality: str | None = None

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

    def request(self) -> Request:
        """The request these answers make."""
        assert self.data is not None
        return Request(self.data, self.task, None, self.columns, self.model, self.method, preparation=self.preparation)


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
    folder = typed_path(typed) if typed.endswith("/") else None
    if folder is not None and looks_like_a_data_set(folder):
        options.insert(0, (f"{WHOLE_FOLDER}{folder}", "this whole folder: its files belong together"))
    if not typed:
        options += [(str(sample_path(task.id)), f"sample: {task.title}") for task in TASKS]
    return Question(
        "data",
        "Which data file?",
        "A file or a folder of any usual kind; it is checked before anything starts.",
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
    options = [
        (each.task, f"{find_task(each.task).title}: {each.reason}")
        for each in profile.proposals
        if is_trained(each.task)
    ]
    named = {key for key, _ in options}
    others = [find_data(each.task) for each in profile.proposals if not is_trained(each.task)]
    why = "The first answers fit the columns of your data best."
    if others and not options:
        why = f"It looks like {others[0].id}; this version only checks such data."
    options += [(task.id, f"{task.title}: {task.explanation}") for task in TASKS if task.id not in named]
    return Question(
        "task",
        "What shall the model do?",
        why,
        tuple(options),
        proposed=chosen or profile.task,
    )


CLEAN, AS_IT_IS = "clean", "as-it-is"
_CLEANABLE = {
    "duplicate": "leave out rows that repeat another",
    "train-test-leak": "leave out evaluation rows that training has seen",
    "label-spellings": "merge labels that differ in case only",
    "target-not-a-number": "leave out rows whose target is no number",
    "not-a-number": "take cells that are no numbers as missing",
}


def cleaning_question(profile: DatasetProfile, chosen: str | None = None) -> Question | None:
    """Shall the rows be cleaned? Asked only where something can be, and what it would be."""
    found = {finding.code for finding in (*profile.errors, *profile.warnings)} & set(_CLEANABLE)
    if not found and chosen is None:
        return None
    what = "; ".join(text for code, text in _CLEANABLE.items() if code in found) or "what was found before"
    options = ((CLEAN, f"clean them: {what}"), (AS_IT_IS, "take them as they are"))
    why = "Your file is not changed; the run remembers what was chosen."
    return Question("columns", "Shall the rows be cleaned?", why, options, chosen or CLEAN)


def quality_question(profile: DatasetProfile, chosen: str | None = None) -> Question | None:
    """Which rows of mixed quality? Asked only where a column marks how good each row is."""
    marks: Mapping[str, Mapping[str, float]] = profile.stats.get("quality_columns") or {}
    if not marks:
        return None
    options = [(AS_IT_IS, "all rows: a first run to compare with")]
    for name, seen in marks.items():
        least = seen["quarter_below"]
        options += [
            (f"best:{least:g}:{name}", f"only rows with {name} from {least:g}: the lowest quarter is left out"),
            (f"weigh:{name}", f"weigh each row by {name}: better rows are seen more often"),
        ]
    why = "Few good rows often teach more than many poor ones; run it both ways and compare."
    return Question("columns", "Which rows, of mixed quality?", why, tuple(options), chosen or AS_IT_IS)


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
        "tokens": "The words of each text, in order.",
        "context": "The text that is asked about; the answer is a part of it.",
        "question": "What is asked about the text.",
        "answers": "The answer as it stands in the text; empty where the text has none.",
        "tags": "A tag for each word: B-person where a name begins, I-person inside of it, O outside.",
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


def _typed(value: Any) -> str:
    """A value as a person types it."""
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _sizes(planned: Planned) -> list[str]:
    """The device, and what is known of memory and time."""
    if planned.plan is None:
        return []
    return [
        f"  device  {planned.device.name}",
        f"  memory  {memory_text(planned.plan)[0]}",
        f"  time    {time_text(planned.plan)}",
    ]


def review_lines(planned: Planned) -> list[str]:
    """What will be started: the request with the reason of each setting, and the command that does the same."""
    spec, profile = planned.spec, planned.profile
    lines = [
        f"{planned.task.title}",
        f"  data    {spec.data}",
        f"          {profile.usable_rows:,} of {counted(profile.rows or 0, 'row')} can be used",
        *([f"          scored on its {spec.eval_part} part"] if spec.eval_part else []),
        *(f"          prepare: {name} = {_typed(value)}" for name, value in spec.preparation.items()),
        *(f"          {role} = {column}" for role, column in spec.columns.items()),
        f"  model   {spec.model}, method {spec.method}",
        *_sizes(planned),
        "",
        "Settings (saved in spec.toml):",
    ]
    for name, value in spec.settings.items():
        lines.append(f"  {name} = {value}   {spec.reasons.get(name, '')}")
    roles = " ".join(f"--map {shlex.quote(f'{role}={column}')}" for role, column in spec.columns.items())
    prepare = "".join(f" --prepare {shlex.quote(f'{name}={_typed(each)}')}" for name, each in spec.preparation.items())
    command = f"forge-tui train --data {shlex.quote(spec.data)} --task {spec.task} {roles}{prepare}"
    model = f"--model {shlex.quote(spec.model)} --method {spec.method}"
    return [*lines, "", "The same from the shell:", f"  {command} {model}"]
