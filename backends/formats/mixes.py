"""Several files, also of different formats, as one training set: a small TOML file names them with their weights.

[mix]
task = "text-generation"      # may be left out

[[source]]
path = "alpaca.jsonl"
weight = 2.0                  # its rows are seen twice as often
map = { prompt = "question" } # may be left out
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.contract import DataError, Finding, UsageError, nearest, read_toml
from backends.formats.findings import Fault, Findings
from backends.formats.language import read_example
from backends.formats.parts import part_of_cell
from backends.formats.proposals import propose_tasks
from backends.formats.reading import read_batches
from backends.formats.roles import Roles, propose_roles
from backends.formats.rows import Batch
from backends.formats.shapes import LANGUAGE_SHAPES, Shape
from backends.formats.source import Dataset, Source, data_error
from backends.registry import TaskData, find_data

_KEYS = {"mix": ("task",), "source": ("path", "weight", "map")}
_MOST_WEIGHT = 100.0


def open_mix(path: Path) -> Dataset:
    """The sources a mix names, all for one task, each with the columns that play its roles.

    Raises UsageError for a mistake in the mix file and DataError for a source that does not fit the others.
    """
    entries, wanted = _read_mix(path)
    sources: list[Source] = []
    notes: list[Finding] = []
    strategy: str | None = None
    faults: list[UsageError | DataError] = []
    for number, entry in enumerate(entries, 1):
        try:
            source, task, found = _open_source(path, number, entry, wanted)
        except (UsageError, DataError) as error:
            faults.append(error)
            continue
        wanted = wanted or task
        strategy = strategy or found
        if task != wanted or found != strategy:
            told = f"{task} ({found})" if found else task
            differs = data_error(
                "mix-differs",
                f"source {number} of {path.name} is for another task than the first",
                f"{source.path.name} is for {told}, the first for {wanted}" + (f" ({strategy})" if strategy else ""),
                f"source {number}",
                'Mix data for one task; name roles with map = { role = "column" } where they were taken wrongly.',
            )
            faults.append(differs)
        sources.append(source)
        notes += source.notes
    if faults:
        raise _together(path, faults)
    columns = tuple(dict.fromkeys(column for source in sources for column in source.columns))
    train = tuple(replace(each, columns=columns) for each in sources)
    return Dataset(path, "mix", {"train": train}, tuple(notes), task=wanted)


def _together(path: Path, faults: list[UsageError | DataError]) -> UsageError | DataError:
    """One error for all that is wrong with a mix; of the data alone only where nothing was written wrongly."""
    if len(faults) == 1:
        return faults[0]
    what = f"{len(faults)} sources of {path.name} cannot be used"
    why = "; ".join(f"{number}. {fault.what}: {fault.why}" for number, fault in enumerate(faults, 1))
    fix = " ".join(f"{number}. {fault.fix}" for number, fault in enumerate(faults, 1))
    if any(isinstance(fault, UsageError) for fault in faults):
        return UsageError(what, why, fix)
    findings = tuple(found for fault in faults if isinstance(fault, DataError) for found in fault.findings)
    return DataError(what, why, fix, path.name, findings)


def mixed_files(path: Path) -> list[Path]:
    """The files that a mix names; none for any other file."""
    if path.suffix.lower() != ".toml":
        return []
    return [source.path for sources in open_mix(path).parts.values() for source in sources]


def _read_mix(path: Path) -> tuple[list[Mapping[str, Any]], str | None]:
    content = read_toml(path, "Check the path and its permissions.")
    for table in content:
        if table not in _KEYS:
            fix = f"Correct the name{nearest(table, tuple(_KEYS))}."
            raise UsageError(f"{path} has a table [{table}]", "a mix has [mix] and [[source]]", fix)
    head, entries = content.get("mix", {}), content.get("source")
    if not isinstance(entries, list) or not entries or not isinstance(head, dict):
        raise UsageError(f"{path} names no source", "a mix has one [[source]] or more", 'Add [[source]] path = "FILE".')
    _check_keys(path, "mix", head)
    task = head.get("task")
    return entries, find_data(str(task)).id if task is not None else None


def _check_keys(path: Path, table: str, holder: Any) -> None:
    if not isinstance(holder, dict):
        raise UsageError(f"{path}: {holder!r} is no source", "a source is a table", "Write [[source]].")
    for key in holder:
        if key not in _KEYS[table]:
            fix = f"Correct it{nearest(key, _KEYS[table])}."
            raise UsageError(f"{path}: [{table}] has a key {key!r}", f"it has {', '.join(_KEYS[table])}", fix)


def _open_source(
    path: Path, number: int, entry: Mapping[str, Any], wanted: str | None
) -> tuple[Source, str, str | None]:
    from backends.formats.datasets import glance, open_data

    _check_keys(path, "source", entry)
    named, weight, given = entry.get("path"), entry.get("weight", 1.0), entry.get("map", {})
    where = f"{path.name}, source {number}"
    if not isinstance(named, str) or not named:
        raise UsageError(f"{where} has no path", "every source names a file or folder", 'Add path = "FILE".')
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= _MOST_WEIGHT:
        fix = "2.0 shows its rows twice as often, 0.5 half as often."
        raise UsageError(
            f"{where}: weight is {weight!r}", f"it must be a number above 0, at most {_MOST_WEIGHT:g}", fix
        )
    if not isinstance(given, dict) or not all(isinstance(column, str) for column in given.values()):
        raise UsageError(f"{where}: map is {given!r}", "it maps roles to columns", 'Write map = { role = "column" }.')
    target = (path.parent / os.path.expanduser(named)).absolute()
    if target == path.absolute():
        raise UsageError(f"{where} is the mix itself", "a mix cannot hold itself", "Name another file.")
    dataset = open_data(target)
    if dataset.format == "mix":
        raise UsageError(f"{where} is a mix", "a mix holds data files", "Name the files of that mix here.")
    if len(dataset.parts[dataset.training_part]) != 1:
        raise UsageError(f"{where} has several files", "a source is one file here", "Name each as a source.")
    looked = glance(dataset)
    proposals = propose_tasks(looked.table, looked.rows, dataset.format, given)
    if wanted is None and not proposals:
        what, why = f"{target.name} is for no task that is known", "no column tells what it is for"
        raise data_error("no-task", what, why, where, "Name the task: [mix] task = ...")
    task = find_data(wanted or proposals[0].task)
    roles = propose_roles(task, looked.table, given)
    if "" in given:
        raise UsageError(f"{where}: map has an empty role", "a role has a name", "Correct it.")
    if roles.guessed and not given and wanted is not None and proposals and proposals[0].task != wanted:
        why = f"it looks like {proposals[0].task}, and its columns are not called as {wanted} needs them"
        fix = 'Name them: map = { role = "column" }.'
        raise data_error("mix-role", f"{target.name} does not fit {task.id}", why, where, fix)
    if roles.shape is None or not set(roles.shape.needed) <= set(roles.columns):
        missing = [role for role in (roles.shape.needed if roles.shape else task.roles) if role not in roles.columns]
        why = f"no column could be the {', '.join(missing) or task.id}"
        fix = 'Name it: map = { role = "column" }.'
        raise data_error("mix-role", f"{target.name} does not fit {task.id}", why, where, fix)
    source = replace(
        dataset.first,
        weight=float(weight),
        roles={**roles.columns, "": roles.shape.name},
        columns=_shared_columns(task, roles, tuple(looked.table.columns)),
        part_column=dataset.part_column,
    )
    return source, task.id, roles.shape.strategy


def _shared_columns(task: TaskData, roles: Roles, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of the mix: the turns that every conversation comes to, or the roles of the task and what is left."""
    others = tuple(name for name in columns if name not in roles.columns.values() and name not in roles.columns)
    if task.id == "text-generation" and roles.shape is not None and roles.shape.strategy == "sft":
        return ("messages", *others)
    return (*roles.columns, *others)


def mixed_batches(source: Source, notes: Findings) -> Iterator[Batch]:
    """The rows of one source in the columns of the mix; places carry the name of the file."""
    assert source.roles is not None
    roles = {role: column for role, column in source.roles.items() if role}
    shape = next((each for each in LANGUAGE_SHAPES if each.name == source.roles[""]), None)
    as_turns = shape is not None and source.columns[:1] == ("messages",)
    for batch in read_batches(replace(source, columns=_own_columns(source)), notes):
        if source.part_column is not None:
            cells = batch.columns.get(source.part_column, [None] * len(batch))
            batch = batch.pick([i for i, cell in enumerate(cells) if part_of_cell(cell) == "train"])
        places = [f"{batch.where(index)} of {source.path.name}" for index in range(len(batch))]
        columns = {role: batch.columns.get(column, [None] * len(batch)) for role, column in roles.items()}
        for name in source.columns:
            if name not in columns and name in batch.columns and name not in roles.values():
                columns[name] = batch.columns[name]
        renamed = Batch(batch.numbers, places, columns, "", batch.share)
        yield _as_turns(renamed, shape, tuple(roles), notes) if as_turns and shape is not None else renamed


def _own_columns(source: Source) -> tuple[str, ...]:
    """The columns as the file has them; those of delimited text and of bare JSON texts are needed to read them."""
    from backends.formats.reading import open_table

    return open_table(source.path).columns if source.format in ("csv", "tsv", "xlsx", "jsonl") else ()


def _as_turns(batch: Batch, shape: Shape, roles: tuple[str, ...], notes: Findings) -> Batch:
    """The rows as conversations, with the columns that play no role."""
    kept, turns = [], []
    for index, cells in enumerate(zip(*(batch.columns[role] for role in roles))):
        found = read_example(shape, dict(zip(roles, cells)))
        if isinstance(found, Fault):
            notes.warn(found.code, found.message, batch.where(index), found.fix)
            continue
        kept.append(index)
        roles_said = [("assistant" if turn.role == "call" else turn.role, turn.text) for turn in found.turns]
        turns.append([{"role": role, "content": text} for role, text in roles_said])
    picked = batch.pick(kept)
    others = {name: cells for name, cells in picked.columns.items() if name not in roles}
    return Batch(picked.numbers, picked.places, {"messages": turns, **others}, "", batch.share)
