"""Checks data for a task: every fault with its place, before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from backends.contract import DataError, DatasetProfile, Finding, UsageError
from backends.formats.check_pass import Pass
from backends.formats.check_plan import Plan, check_choices, make_plan, preview_of
from backends.formats.check_request import CheckRequest
from backends.formats.datasets import Glance, glance, open_data
from backends.formats.source import Dataset
from backends.registry import TaskData, find_data

# What programs that train write at each step: how far they are, and how it goes.
_HOW_FAR = frozenset(("step", "current_steps", "global_step", "epoch", "iteration"))
_HOW_IT_GOES = frozenset(("learning_rate", "lr", "grad_norm", "eval_loss", "val_loss"))


def check_data(path: Path, task_id: str | None = None, given: Mapping[str, str] | None = None) -> DatasetProfile:
    """Everything wrong with data for a task, or for the task it looks to be for; see `check`."""
    return check(CheckRequest(path, task_id, given or {}))


def check(request: CheckRequest) -> DatasetProfile:
    """Everything wrong with data for a task, or for the task it looks to be for.

    Raises UsageError for what was asked wrongly (no such file, column, role or task); what is wrong with the data
    is in the profile, which is returned for unreadable files too.
    """
    task = find_data(request.task) if request.task else None
    try:
        return _checked(request, task)
    except DataError as error:
        return _unreadable(request, error.findings)
    except MemoryError:
        fix = "Free some memory; divide what is very long, or name a part of the data."
        found = Finding("out-of-memory", "the memory of this machine is too small for it", request.path.name, fix)
    except RecursionError:
        fix = "Write it flatter; hundreds of lists or objects inside each other cannot be worked with."
        found = Finding("too-deep", "it holds values that are nested hundreds of levels deep", request.path.name, fix)
    return _unreadable(request, (found,))


def _unreadable(request: CheckRequest, errors: tuple[Finding, ...]) -> DatasetProfile:
    return DatasetProfile(str(request.path), None, None, None, 0, request.task, errors=errors)


def _checked(request: CheckRequest, task: TaskData | None) -> DatasetProfile:
    """The same for data that can be opened; what it raises is an error of the data or of the request."""
    dataset = _with_evaluation(open_data(request.path), request)
    looked = glance(dataset)
    check_choices(request.preparation, looked.table)
    if task is None and _is_training_log(dataset, looked):
        message = "it looks like the log of a training, not like data to learn from"
        fix = "Look at its curves: forge-tui watch FILE; is it data all the same, name the --task."
        log = Finding("training-log", message, dataset.first.path.name, fix)
        dataset = replace(dataset, notes=(*dataset.notes, log))
    plan = make_plan(task, dataset, looked.table, looked, request.columns)
    dataset = _without_unlabelled_test(dataset, plan, request)
    if request.on_first is not None:
        request.on_first(_first_answer(dataset, looked, plan, request))
    for _ in range(2):
        examined = Pass(request, dataset, looked, plan)
        profile = examined.run()
        if looked.is_whole or examined.broken:
            break
        again = make_plan(task, dataset, examined.table, looked, request.columns)
        if (again.task, again.roles.columns) == (plan.task, plan.roles.columns):
            break
        plan = again  # later rows showed another picture than the first ones
    return profile


def _is_training_log(dataset: Dataset, looked: Glance) -> bool:
    """Whether it holds the steps of a training, or what a program printed."""
    names = {name.lower() for name in looked.table.columns}
    steps = bool(names & _HOW_FAR) and "loss" in names and bool(names & _HOW_IT_GOES)
    return steps or dataset.first.path.suffix.lower() == ".log"


def evaluation_data(path: Path, part: str | None) -> Dataset:
    """Data that was named to score on: the whole of it, unless a part was named too."""
    other = open_data(path)
    return other if part is not None else replace(other, part_column=None)


def _with_evaluation(dataset: Dataset, request: CheckRequest) -> Dataset:
    """The data set with the evaluation data that was named beside it as its evaluation part."""
    if request.eval_path is None:
        if request.eval_part is not None and dataset.part_column is None and request.eval_part not in dataset.parts:
            names = ", ".join(dataset.parts)
            raise UsageError(f"{request.path} has no part {request.eval_part!r}", f"its parts are {names}", "Name one.")
        return dataset
    other = evaluation_data(request.eval_path, request.eval_part)
    part = request.eval_part or other.training_part
    if part not in other.parts:
        names = ", ".join(other.parts)
        raise UsageError(f"{request.eval_path} has no part {part!r}", f"its parts are {names}", "Name one of them.")
    parts = {"train": dataset.parts[dataset.training_part], "validation": other.parts[part]}
    return replace(dataset, parts=parts, notes=(*dataset.notes, *other.notes))


def _without_unlabelled_test(dataset: Dataset, plan: Plan, request: CheckRequest) -> Dataset:
    """The data set without a test part that has no column of answers, as competitions give it: nothing to score on."""
    label = plan.roles.columns.get(str(plan.task.label_role)) if plan.task is not None else None
    sources = dataset.parts.get("test", ())
    if label is None or len(dataset.parts) < 2 or dataset.training_part == "test" or request.eval_part is not None:
        return dataset
    if not sources or any(not source.columns or label in source.columns for source in sources):
        return dataset
    name = sources[0].path.name
    message = f"{name}, the test part, has no column {label!r}: there is nothing to score it by, so it is left aside"
    fix = "Nothing to do: some of the training rows are held out instead. Predict it with: predict RUN --file FILE"
    parts = {part: kept for part, kept in dataset.parts.items() if part != "test"}
    return replace(dataset, parts=parts, notes=(*dataset.notes, Finding("unlabelled-test", message, name, fix)))


def _first_answer(dataset: Dataset, looked: Glance, plan: Plan, request: CheckRequest) -> DatasetProfile:
    source = dataset.first
    return DatasetProfile(
        str(request.path),
        dataset.format,
        source.encoding,
        looked.table.rows if looked.is_whole else None,
        None,
        plan.task.id if plan.task else None,
        plan.proposals,
        dict(plan.roles.columns),
        stats={
            "delimiter": source.delimiter,
            "columns": {name: column.to_json() for name, column in looked.table.columns.items()},
            "preview": preview_of(plan, looked),
        },
    )
