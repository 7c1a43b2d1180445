"""Decides what data is checked for: the task, and which column plays which role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backends.contract import TaskProposal, UsageError, nearest
from backends.formats.columns import TableSummary, feature_columns
from backends.formats.datasets import Glance
from backends.formats.preview import preview
from backends.formats.proposals import propose_tasks
from backends.formats.roles import Roles, propose_roles
from backends.formats.shapes import Shape, shapes_of
from backends.formats.source import Dataset
from backends.options import PreparationOptions
from backends.registry import TASK_DATA, TaskData, find_data

# The choices about rows that name a column.
COLUMN_CHOICES = ("quality_column", "weight_column", "group_column", "time_column")


@dataclass(frozen=True)
class Plan:
    """For which task the rows are looked at, and which column plays which role."""

    task: TaskData | None
    strategy: str | None
    roles: Roles
    proposals: tuple[TaskProposal, ...]

    @property
    def shape(self) -> Shape | None:
        """How the rows are written, where that is known."""
        if self.roles.shape is not None:
            return self.roles.shape
        return shapes_of(self.task)[0] if self.task is not None and len(shapes_of(self.task)) == 1 else None

    @property
    def is_complete(self) -> bool:
        """Whether every needed role has its column."""
        shape = self.shape
        return self.task is not None and shape is not None and set(shape.needed) <= set(self.roles.columns)

    @property
    def reads_text(self) -> bool:
        """Whether a tokenizer has something to count."""
        return self.task is not None and self.task.reads == "text"

    @property
    def has_files(self) -> bool:
        """Whether there are media files to look at, though another role may be missing."""
        return self.shape is not None and bool({"image", "audio", "video"} & set(self.roles.columns))


def make_plan(
    task: TaskData | None, dataset: Dataset, table: TableSummary, looked: Glance, given: Mapping[str, str]
) -> Plan:
    """Choose the task, where none was asked for, and fill its roles; `table` may be of some rows or of all.

    Raises UsageError for a role or column that was named and is not there.
    """
    _check_names(table, given)
    proposals = propose_tasks(table, looked.rows, dataset.format, given)
    strategy = None
    if task is None and dataset.task is not None:
        task = find_data(dataset.task)
    if task is None and proposals:
        task, strategy = find_data(proposals[0].task), proposals[0].strategy
    if task is None:
        return Plan(None, None, Roles({}), proposals)
    if not table.rows:
        return Plan(task, strategy, Roles({}), proposals)
    strategy = strategy or next((each.strategy for each in proposals if each.task == task.id), None)
    if given:  # what was named may ask for rows of another strategy than the likeliest
        strategy = None
    return Plan(task, strategy, propose_roles(task, table, given, strategy), proposals)


def _check_names(table: TableSummary, given: Mapping[str, str]) -> None:
    """What was named must be there, whatever the task is."""
    known = {role for data in TASK_DATA for shape in shapes_of(data) for role in shape.roles}
    for role, column in given.items():
        if role not in known:
            fix = f"Correct it{nearest(role, tuple(known))}."
            raise UsageError(f"There is no role {role!r}", f"the roles are {', '.join(sorted(known))}", fix)
        if column not in table.columns:
            names = tuple(table.columns)
            fix = f"Correct it{nearest(column, names)}."
            raise UsageError(f"There is no column {column!r}", f"the columns are {', '.join(names[:30])}", fix)


def check_choices(chosen: PreparationOptions, table: TableSummary) -> None:
    """What was chosen about rows must name columns that are there and leave rows; raises UsageError otherwise."""
    if None not in (chosen.shortest, chosen.longest) and (chosen.shortest or 0) > (chosen.longest or 0):
        raise UsageError(
            f"shortest={chosen.shortest} and longest={chosen.longest} leave no row",
            "no text is that long and that short at once",
            "Make shortest the smaller of the two, or leave one of them out.",
        )
    names = tuple(table.columns)
    for option in COLUMN_CHOICES if names else ():
        name = getattr(chosen, option)
        if name is not None and name not in names:
            raise UsageError(
                f"There is no column {name!r} for {option}",
                f"the columns are {', '.join(names[:30])}",
                f"Correct it{nearest(name, names)}.",
            )
    if chosen.quality_from is not None and chosen.quality_column is None:
        fix = "Add --prepare quality_column=NAME"
        raise UsageError("quality_from says nothing alone", "no quality_column was named", fix)


def preview_of(plan: Plan, looked: Glance) -> list[dict[str, Any]]:
    """The first usable rows as the model will see them, once the roles are filled."""
    shape = plan.shape
    if plan.task is None or shape is None or not plan.is_complete:
        return []
    if plan.task.is_tabular:
        used, _ = feature_columns(looked.table, plan.roles.columns["target"])
        shape = replace(shape, optional=tuple(used))
    return preview(plan.task, shape, plan.roles.columns, looked.rows, looked.places, looked.table.decimal_comma)
