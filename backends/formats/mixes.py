"""Several files, also of different formats, as one training set: a small TOML file names them with their weights.

[mix]
task = "text-generation"      # may be left out

[[source]]
path = "alpaca.jsonl"
weight = 2.0                  # its rows are seen twice as often
map = { prompt = "question" } # may be left out
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.contract import Finding, UsageError, nearest
from backends.formats.findings import Fault, Findings
from backends.formats.language import read_example
from backends.formats.proposals import propose_tasks
from backends.formats.reading import read_batches
from backends.formats.roles import propose_roles
from backends.formats.rows import Batch
from backends.formats.shapes import LANGUAGE_SHAPES
from backends.formats.source import Dataset, Source, data_error
from backends.registry import find_data

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
    for number, entry in enumerate(entries, 1):
        source, task, found = _open_source(path, number, entry, wanted)
        wanted = wanted or task
        strategy = strategy or found
        if task != wanted or found != strategy:
            told = f"{task} ({found})" if found else task
            raise data_error(
                "mix-differs",
                f"source {number} of {path.name} is for another task than the first",
                f"{source.path.name} is for {told}, the first for {wanted}" + (f" ({strategy})" if strategy else ""),
                f"source {number}",
                'Mix data for one task; name roles with map = { role = "column" } where they were taken wrongly.',
            )
        sources.append(source)
        notes += source.notes
    columns = tuple(dict.fromkeys(column for source in sources for column in source.columns))
    return Dataset(path, "mix", {"train": tuple(replace(each, columns=columns) for each in sources)}, tuple(notes))


def _read_mix(path: Path) -> tuple[list[Mapping[str, Any]], str | None]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}", "the path leads nowhere", "Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", str(error), "Check the path and its permissions.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML", str(error), "Correct that line.") from None
    for table in content:
        if table not in _KEYS:
            fix = f"Correct the name{nearest(table, tuple(_KEYS))}."
            raise UsageError(f"{path} has a table [{table}]", "a mix has [mix] and [[source]]", fix)
    head, entries = content.get("mix", {}), content.get("source")
    if not isinstance(entries, list) or not entries or not isinstance(head, dict):
        raise UsageError(f"{path} names no source", "a mix has one [[source]] or more", 'Add [[source]] path = "FILE".')
    for name, holders in (("mix", [head]), ("source", entries)):
        for holder in holders:
            for key in holder:
                if key not in _KEYS[name]:
                    fix = f"Correct it{nearest(key, _KEYS[name])}."
                    raise UsageError(f"{path}: [{name}] has a key {key!r}", f"it has {', '.join(_KEYS[name])}", fix)
    task = head.get("task")
    return entries, find_data(str(task)).id if task is not None else None


def _open_source(
    path: Path, number: int, entry: Mapping[str, Any], wanted: str | None
) -> tuple[Source, str, str | None]:
    from backends.formats.datasets import glance, open_data

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
    target = (path.parent / Path(named).expanduser()).absolute()
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
    if roles.shape is None or not set(roles.shape.needed) <= set(roles.columns):
        missing = [role for role in (roles.shape.needed if roles.shape else task.roles) if role not in roles.columns]
        why = f"no column could be the {', '.join(missing) or task.id}"
        fix = 'Name it: map = { role = "column" }.'
        raise data_error("mix-role", f"{target.name} does not fit {task.id}", why, where, fix)
    source = replace(
        dataset.first,
        weight=float(weight),
        roles={**roles.columns, "": roles.shape.name},
        columns=_shared_columns(task.id, roles.shape.strategy, roles.columns),
    )
    return source, task.id, roles.shape.strategy


def _shared_columns(task: str, strategy: str | None, roles: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of the mix: the roles of the task, or the turns that every conversation comes to."""
    return ("messages",) if task == "text-generation" and strategy == "sft" else tuple(roles)


def mixed_batches(source: Source, notes: Findings) -> Iterator[Batch]:
    """The rows of one source in the columns of the mix; places carry the name of the file."""
    assert source.roles is not None
    roles = {role: column for role, column in source.roles.items() if role}
    shape = next((each for each in LANGUAGE_SHAPES if each.name == source.roles[""]), None)
    own = replace(source, columns=_own_columns(source))
    for batch in read_batches(own, notes):
        places = [f"{batch.where(index)} of {source.path.name}" for index in range(len(batch))]
        cells = {role: batch.columns.get(column, [None] * len(batch)) for role, column in roles.items()}
        renamed = Batch(batch.numbers, places, cells, "", batch.share)
        yield renamed if source.columns != ("messages",) or shape is None else _as_turns(renamed, shape, notes)


def _own_columns(source: Source) -> tuple[str, ...]:
    """The columns as the file has them; those of delimited text are needed to read it."""
    from backends.formats.reading import open_table

    return open_table(source.path).columns if source.format in ("csv", "tsv", "xlsx") else ()


def _as_turns(batch: Batch, shape: Any, notes: Findings) -> Batch:
    kept, turns = [], []
    names = tuple(batch.columns)
    for index, cells in enumerate(zip(*batch.columns.values())):
        found = read_example(shape, dict(zip(names, cells)))
        if isinstance(found, Fault):
            notes.warn(found.code, found.message, batch.where(index), found.fix)
            continue
        said = [{"role": turn.role, "content": turn.text} for turn in found.turns]
        kept.append(index)
        turns.append([{**turn, "role": {"call": "assistant"}.get(turn["role"], turn["role"])} for turn in said])
    return Batch(
        [batch.numbers[i] for i in kept], [batch.places[i] for i in kept], {"messages": turns}, "", batch.share
    )
