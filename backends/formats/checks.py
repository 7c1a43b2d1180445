"""Checks a table for a task: every fault with its row, before anything is started."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.contract import DataError, DatasetProfile, UsageError
from backends.formats.columns import TableSummary, feature_columns, summarise
from backends.formats.findings import Findings
from backends.formats.reading import Row, open_table, read_rows
from backends.formats.roles import Roles, propose_roles, propose_tasks
from backends.formats.sniff import Source
from backends.formats.values import as_label, as_number, as_text, is_missing
from backends.registry import Task, find_task

_LENGTHS_KEPT = 1_000_000
_TEXTS_KEPT = 5_000_000
_LABELS_SHOWN = 200
# Below this many usable rows there is nothing to hold out and still learn from.
FEWEST_ROWS = 4


def check_table(path: Path, task_id: str | None = None, given: Mapping[str, str] | None = None) -> DatasetProfile:
    """Everything wrong with a table for a task, or for the task it looks to be for.

    Raises UsageError for what was asked wrongly (no such file, column, role or task); what is wrong with the data
    is in the profile, which is returned for unreadable files too.
    """
    task = find_task(task_id) if task_id else None
    findings = Findings()
    try:
        source = open_table(path)
        _pass_notes(source, findings)
        table = summarise(read_rows(source, findings), source.decimal_comma, source.columns)
    except DataError as error:
        return DatasetProfile(str(path), None, None, 0, 0, task_id, errors=error.findings)
    profile = _Profile(source, table, findings)
    if not table.rows:
        where = f"column {source.columns[0]}" if source.columns else path.name
        names = f"; the columns are {', '.join(source.columns[:12])}" if source.columns else ""
        findings.error("no-rows", f"{path.name} has 0 examples{names}", where, "Add rows below the header.")
        return profile.result(task_id)
    if len(table.columns) == 1 and next(iter(table.columns.values())).distinct <= 1:
        name = next(iter(table.columns))
        findings.error(
            "nothing-to-learn",
            f"there is one column, {name!r}, with one distinct value: nothing to learn and no target",
            f"column {name}",
            "Add the columns to learn from and the one to predict.",
        )
        return profile.result(task_id)
    proposals = propose_tasks(table, given or {})
    profile.proposals = proposals
    if task is None:
        if not proposals:
            _say_no_task(table, given or {}, findings)
            return profile.result(None)
        task = find_task(proposals[0].task)
    profile.roles = propose_roles(task, table, given or {})
    _check_roles(task, table, profile.roles, given or {}, findings)
    if set(profile.roles.columns) == set(task.roles):
        _check_rows(task, profile)
    return profile.result(task.id)


@dataclass
class _Profile:
    """The parts of a DatasetProfile while they are found."""

    source: Source
    table: TableSummary
    findings: Findings
    proposals: tuple[Any, ...] = ()
    roles: Roles = field(default_factory=lambda: Roles({}))
    usable: int | None = None
    stats: dict[str, Any] = field(default_factory=dict)

    def result(self, task_id: str | None) -> DatasetProfile:
        columns = {name: column.to_json() for name, column in self.table.columns.items()}
        return DatasetProfile(
            path=str(self.source.path),
            format=self.source.format,
            encoding=self.source.encoding,
            rows=self.table.rows,
            usable_rows=self.usable if self.usable is not None else 0,
            task=task_id,
            proposals=self.proposals,
            columns=dict(self.roles.columns),
            errors=self.findings.errors(),
            warnings=self.findings.warnings(),
            stats={"columns": columns, "delimiter": self.source.delimiter, **self.stats},
        )


def _pass_notes(source: Source, findings: Findings) -> None:
    for note in source.notes:
        findings.warn(note.code, note.message, note.where, note.fix)


def _say_no_task(table: TableSummary, given: Mapping[str, str], findings: Findings) -> None:
    for column in given.values():
        if column not in table.columns:
            raise UsageError(
                f"There is no column {column!r}",
                f"the columns are {', '.join(list(table.columns)[:30])}",
                "Correct it.",
            )
    kinds = ", ".join(f"{name} ({column.kind})" for name, column in list(table.columns.items())[:12])
    empty = next((name for name, column in table.columns.items() if column.kind == "empty"), None)
    if empty is not None:
        findings.error("empty-column", f"column {empty!r} is empty in every row", f"column {empty}", "Fill it.")
        return
    findings.error(
        "no-task",
        f"no task fits these columns: {kinds}",
        f"column {next(iter(table.columns), '?')}",
        "Say what to do with --task and which column is what with --map role=column.",
    )


def _check_roles(task: Task, table: TableSummary, roles: Roles, given: Mapping[str, str], findings: Findings) -> None:
    for role in task.roles:
        if role not in roles.columns:
            findings.error(
                "no-column-for-role",
                f"no column could be the {role}; the columns are {', '.join(list(table.columns)[:20])}",
                f"role {role}",
                f"Name it: --map {role}=COLUMN",
            )
        elif role in roles.guessed:
            findings.warn(
                "guessed-role",
                f"{roles.columns[role]!r} was taken as the {role} by its content, not by its name",
                f"column {roles.columns[role]}",
                f"Name another with --map {role}=COLUMN",
            )
    guessed_target = "target" in roles.guessed
    for name, column in table.columns.items():
        if not task.is_tabular or name == roles.columns.get("target") or not column.dirty:
            continue
        for where, text in column.not_numbers:
            if guessed_target:
                findings.error(
                    "not-a-number",
                    f"{name!r} holds numbers, but here {text!r}",
                    where,
                    "Correct it; or name the target with --map target=COLUMN, then it counts as missing elsewhere.",
                )
            else:
                findings.warn(
                    "not-a-number", f"{name!r} holds numbers, but here {text!r}", where, "It counts as missing."
                )


def rejection(task: Task, roles: Mapping[str, str], row: Row, decimal_comma: bool) -> tuple[str, str] | None:
    """Why a row cannot be used for a task, as (code, message), else None; the trainer drops the same rows."""
    for role in task.text_roles if not task.is_tabular else ():
        if not as_text(row.cells.get(roles[role])).strip():
            return f"empty-{role}", f"{role} is empty"
    cell = row.cells.get(roles[task.label_role])
    if is_missing(cell):
        return f"empty-{task.label_role}", f"{task.label_role} is empty or a word for missing ({as_text(cell)!r})"
    if task.numeric_label and as_number(cell, decimal_comma) is None:
        return "target-not-a-number", f"the target {as_text(cell)[:60]!r} is not a number"
    return None


def _check_rows(task: Task, profile: _Profile) -> None:
    """The second pass: labels, lengths, duplicates and every row that cannot be used."""
    findings, roles = profile.findings, profile.roles.columns
    labels: Counter[str] = Counter()
    spellings: set[str] = set()
    lengths: array[int] = array("I")
    seen: dict[bytes, int] = {}
    usable = 0
    for row in read_rows(profile.source):
        rejected = rejection(task, roles, row, profile.source.decimal_comma)
        if rejected is not None:
            code, message = rejected
            if code == "target-not-a-number":
                findings.error(code, message, row.where, "Correct the cell or delete the row.")
            else:
                findings.warn(code, message, row.where, "The row is left out.")
            continue
        usable += 1
        if not task.numeric_label:
            cell = row.cells.get(roles[task.label_role])
            labels[as_label(cell)] += 1
            spellings.add(as_text(cell))
        if task.is_tabular:
            continue
        text = "\n".join(as_text(row.cells.get(roles[role])) for role in task.text_roles)
        if len(lengths) < _LENGTHS_KEPT:
            lengths.append(len(text.encode("utf-8", errors="replace")))
        _note_duplicate(seen, text, row, findings)
    profile.usable = usable
    _check_counts(task, profile, usable, labels, len(spellings))
    if task.is_tabular:
        _check_features(profile)
    elif lengths:
        ordered = sorted(lengths)
        profile.stats["lengths"] = {
            "unit": "tokens, about, at 4 bytes each",
            "median": ordered[len(ordered) // 2] // 4 + 1,
            "p95": ordered[int(len(ordered) * 0.95)] // 4 + 1,
            "longest": ordered[-1] // 4 + 1,
        }
    if not task.numeric_label:
        profile.stats["labels"] = dict(labels.most_common(_LABELS_SHOWN))
        profile.stats["label_count"] = len(labels)


def _note_duplicate(seen: dict[bytes, int], text: str, row: Row, findings: Findings) -> None:
    key = hashlib.blake2b(" ".join(text.lower().split()).encode("utf-8", errors="replace"), digest_size=8).digest()
    first = seen.get(key)
    if first is not None:
        findings.warn(
            "duplicate",
            f"same text as row {first}",
            row.where,
            "Copies on both sides of the split make the score look better than it is.",
        )
    elif len(seen) < _TEXTS_KEPT:
        seen[key] = row.number


def _check_counts(task: Task, profile: _Profile, usable: int, labels: Counter[str], spellings: int) -> None:
    findings = profile.findings
    column = profile.roles.columns[task.label_role]
    if usable < FEWEST_ROWS:
        empty = [name for name in profile.roles.columns.values() if profile.table.columns[name].kind == "empty"]
        why = f"column {empty[0]!r} is empty in every row" if empty else f"{profile.table.rows} rows were read"
        findings.error(
            "too-few-rows",
            f"only {usable} rows can be used: {why}",
            f"column {empty[0] if empty else column}",
            f"At least {FEWEST_ROWS} are needed to train and evaluate, "
            f"{task.minimum.absolute} {task.minimum.unit} to be useful.",
        )
        return
    if task.numeric_label:
        if profile.table.columns[column].distinct == 1:
            findings.error(
                "constant-target", f"the target {column!r} has the same value in every row", f"column {column}",
                "Choose another target.",
            )  # fmt: skip
        _warn_little(task, usable, findings)
        return
    if len(labels) < 2:
        found = next(iter(labels), "none")
        findings.error(
            "one-class",
            f"classification needs at least 2 classes, {column!r} has 1: {found!r}",
            f"column {column}",
            "Add rows of another class, or choose another column.",
        )
        return
    if len(labels) > 0.5 * usable and usable >= 8:
        findings.error(
            "too-many-classes",
            f"{column!r} has {len(labels):,} different values in {usable:,} rows: there is no class to learn",
            f"column {column}",
            "Choose another column; a number is predicted by tabular-regression.",
        )
        return
    for label, count in sorted(labels.items(), key=lambda item: item[1]):
        if count < 2:
            findings.warn(
                "rare-class",
                f"class {label!r} has 1 row, so it cannot be both trained and evaluated",
                f"class {label}",
                "It is trained on and never scored; add rows or merge it.",
            )
    _warn_spellings(labels, spellings, column, findings)
    if "class" in task.minimum.unit:
        small = [label for label, count in labels.items() if count < task.minimum.absolute]
        if small:
            findings.warn(
                "little-data",
                f"{len(small)} of {len(labels)} classes have under {task.minimum.absolute} rows",
                ", ".join(sorted(small)[:5]),
                f"Expect weak results there; {task.minimum.good} {task.minimum.unit} is a good start.",
            )
    else:
        _warn_little(task, usable, findings)


def _warn_little(task: Task, usable: int, findings: Findings) -> None:
    if usable < task.minimum.absolute:
        findings.warn(
            "little-data",
            f"{usable:,} rows, {task.minimum.absolute:,} is the least that usually works",
            "the whole file",
            f"Expect scores that vary by chance; {task.minimum.good:,} {task.minimum.unit} is a good start.",
        )


def _warn_spellings(labels: Counter[str], spellings: int, column: str, findings: Findings) -> None:
    alike: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        alike[label.casefold()].append(label)
    for words in alike.values():
        if len(words) > 1:
            findings.warn(
                "label-spellings",
                f"{', '.join(repr(word) for word in sorted(words))} look like one class; "
                f"{spellings} classes look like {len(alike)}",
                f"column {column}",
                "Write them one way; spaces around them do not count, but upper and lower case make different classes.",
            )


def _check_features(profile: _Profile) -> None:
    used, left_out = feature_columns(profile.table, profile.roles.columns["target"])
    profile.stats["features"] = used
    profile.stats["left_out"] = left_out
    for name, reason in left_out.items():
        profile.findings.warn(
            "column-left-out", f"{name!r} is not used: {reason}", f"column {name}", "Nothing to do; it is left out."
        )
    if not used:
        profile.findings.error(
            "no-features",
            "no column is left to learn from",
            f"column {profile.roles.columns['target']}",
            "Add columns that describe the rows, or choose another task.",
        )
