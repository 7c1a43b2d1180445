"""Proposes which column plays which role, and which task the data is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backends.contract import TaskProposal, UsageError, nearest
from backends.formats.columns import Column, TableSummary
from backends.formats.values import normal_name
from backends.registry import TASKS, Task

ALIASES: dict[str, list[str]] = {
    "text": (
        "text sentence message msg content review comment body tweet description document utterance query question "
        "input post title subject headline abstract sms email ticket transcript actualtext"
    ).split(),
    "label": (
        "label labels class classes category categories target tag intent sentiment topic y team department status "
        "type genre language emotion rating stars spam toxic classification goldlabel"
    ).split(),
    "premise": "premise sentence1 text1 texta sentencea question1 context first".split(),
    "hypothesis": "hypothesis sentence2 text2 textb sentenceb question2 claim second".split(),
    "target": (
        "target label class outcome response result output churn churned price saleprice survived species diagnosis "
        "quality default fraud isfraud income salary medianhousevalue medv mpg score category y"
    ).split(),
}
# Above this many different whole numbers a target is a quantity, below it may be a class id.
MOST_CLASS_IDS = 20
# A column that is called a text is one, however short, repeated or empty its cells are.
_TEXT_KINDS = ("text", "category", "identifier", "constant", "empty")


@dataclass(frozen=True)
class Roles:
    """Which column plays which role; `guessed` holds the roles that no name gave away."""

    columns: Mapping[str, str]
    guessed: tuple[str, ...] = ()


def propose_roles(task: Task, table: TableSummary, given: Mapping[str, str]) -> Roles:
    """Fill every role of a task from what was given, from names and from content.

    Raises UsageError for a column or role that does not exist or is named twice; a role that nothing fits is left out.
    """
    names = tuple(table.columns)
    chosen: dict[str, str] = {}
    guessed: list[str] = []
    for role, column in given.items():
        if role not in task.roles:
            raise UsageError(
                f"{task.id} has no role {role!r}",
                f"its roles are {', '.join(task.roles)}",
                f"Correct it{nearest(role, task.roles)}.",
            )
        if column not in table.columns:
            raise UsageError(
                f"There is no column {column!r}",
                f"the columns are {', '.join(names[:30])}",
                f"Correct it{nearest(column, names)}.",
                where=column,
            )
        if column in chosen.values():
            raise UsageError(
                f"The column {column!r} cannot play two roles",
                f"{' and '.join(other for other in given if given[other] == column)} are different things",
                f"Name another: --map {role}=COLUMN",
                where=column,
            )
        chosen[role] = column
    for role in task.roles:
        if role in chosen:
            continue
        free = [column for name, column in table.columns.items() if name not in chosen.values()]
        named = _by_name(role, free)
        found = named or _by_content(role, task, free)
        if found is not None:
            chosen[role] = found.name
            if named is None:
                guessed.append(role)
    return Roles(chosen, tuple(guessed))


def _by_name(role: str, columns: list[Column]) -> Column | None:
    usable = {normal_name(column.name): column for column in reversed(columns)}
    fitting = [usable[alias] for alias in ALIASES[role] if alias in usable]
    if role in ("text", "premise", "hypothesis"):
        fitting = [column for column in fitting if column.kind in _TEXT_KINDS]
    return fitting[0] if fitting else None


def _by_content(role: str, task: Task, columns: list[Column]) -> Column | None:
    """The longest text, the last column with few values, or the last one that can be predicted at all."""
    if role in ("text", "premise", "hypothesis"):
        texts = [column for column in columns if column.kind == "text"]
        return max(texts, key=lambda column: column.characters, default=None)
    if task.numeric_label:
        numbers = [column for column in columns if column.kind == "number"]
        return numbers[-1] if numbers else None
    classes = [column for column in columns if _could_be_classes(column)]
    if classes:
        return classes[-1]
    plausible = [column for column in columns if column.kind in ("number", "category", "code")]
    return plausible[-1] if plausible and task.is_tabular else None


def _could_be_classes(column: Column) -> bool:
    if column.kind in ("category", "code"):
        return column.distinct <= max(MOST_CLASS_IDS, column.present // 5)
    return _is_class_ids(column)


def _is_class_ids(column: Column) -> bool:
    whole = column.kind == "number" and column.integers == column.numbers
    return whole and column.distinct <= MOST_CLASS_IDS and column.distinct <= max(2, column.present // 10)


def propose_tasks(table: TableSummary, given: Mapping[str, str]) -> tuple[TaskProposal, ...]:
    """The tasks this table could be for, best first, a sentence of reason each."""
    proposals: list[TaskProposal] = []
    tasks = {task.id: task for task in TASKS}
    if set(given) <= {"premise", "hypothesis", "label"}:
        pair = propose_roles(tasks["sentence-pair-classification"], table, given)
        if len(pair.columns) == 3 and not pair.guessed:
            reason = f"{pair.columns['premise']!r} and {pair.columns['hypothesis']!r} are two texts with one label"
            proposals.append(TaskProposal("sentence-pair-classification", None, reason))
    if set(given) <= {"text", "label"}:
        roles = propose_roles(tasks["text-classification"], table, given)
        if len(roles.columns) == 2 and _is_text(table, roles):
            reason = f"{roles.columns['text']!r} holds texts and {roles.columns['label']!r} a class for each"
            proposals.append(TaskProposal("text-classification", None, reason))
    if set(given) <= {"target"}:
        proposals += _tabular(table, given, after_text=bool(proposals))
    return tuple(proposals)


def _is_text(table: TableSummary, roles: Roles) -> bool:
    text, label = table.columns[roles.columns["text"]], table.columns[roles.columns["label"]]
    named = "text" not in roles.guessed
    is_text = text.kind == "text" or (named and text.kind in _TEXT_KINDS and len(table.columns) <= 3)
    return is_text and (_could_be_classes(label) or label.kind in ("constant", "category"))


def _tabular(table: TableSummary, given: Mapping[str, str], after_text: bool) -> list[TaskProposal]:
    columns = list(table.columns.values())
    named = table.columns[given["target"]] if given.get("target") in table.columns else _by_name("target", columns)
    plausible = [each for each in columns if each.kind == "number" or _could_be_classes(each)]
    target = named or (plausible[-1] if plausible else None)
    if target is None or len(table.columns) < 2:
        return []
    chosen = target.name
    column = table.columns[chosen]
    if column.kind == "number" and not _is_class_ids(column):
        return [
            TaskProposal(
                "tabular-regression", None, f"{chosen!r} is a number with {column.distinct:,} different values"
            )
        ]
    if after_text and len(table.columns) <= 3:
        return []
    proposals = [
        TaskProposal("tabular-classification", None, f"{chosen!r} has {column.distinct:,} different values: classes")
    ]
    if column.kind == "number" and column.distinct > 2:
        proposals.append(
            TaskProposal("tabular-regression", None, f"{chosen!r} holds numbers; regression if their distance matters")
        )
    return proposals
