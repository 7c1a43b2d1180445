"""Goal: three doors to the same tasks, by what is wanted, by what data there is, by how hard it is."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from backends.registry import TASKS, Task, find_task
from forge_tui.formatting import duration
from forge_tui.questions import NEXT, STAY, Choice, Question
from forge_tui.wizard.draft import Draft, draft_text, drafts
from forge_tui.wizard.session import Session

GO_ON = "draft:"
_ANY = "any"
_READS = ("table", "text", "image", "audio", "video")
_DOORS = (
    ("What do you want to do?", "The aim decides which models can learn it and what the data must hold."),
    ("What data do you have?", "What the data holds decides what can be learned from it."),
    ("How hard may it be?", "Easier tasks need less data, memory and time; start with the easiest that helps."),
)
_EFFORTS = ("", "easiest", "easy", "medium", "harder", "hardest")


@dataclass(frozen=True)
class Goal:
    """What people want of a task, in their words."""

    aim: str
    like: str
    data: str
    row: str
    effort: int
    takes: str


@cache
def _goals() -> dict[str, Goal]:
    tables = tomllib.loads(Path(__file__).with_name("goals.toml").read_text(encoding="utf-8"))
    return {task: Goal(**values) for task, values in tables.items()}


def goal_of(task: Task) -> Goal:
    """What is told of a task; of one without an entry, what the registry says."""
    known = _goals().get(task.id)
    if known is not None:
        return known
    roles = ", ".join(task.roles) or "see docs/data.md"
    return Goal(task.title, task.explanation, f"rows of {roles}", "", len(_EFFORTS) // 2, "see forge-tui doctor")


def goal_question(session: Session) -> Question:
    """The tasks that train, in the order of the present door; the data may also decide."""
    ask, why = _DOORS[session.door]
    draft = session.draft
    begun = [each for each in drafts() if each.id != draft.id]
    return Question(
        ask=f"{ask}   (door {session.door + 1} of {len(_DOORS)})",
        why=why,
        choices=(
            Choice(
                _ANY,
                "I have data: look at it and say what it could be for",
                ("The next step reads a file or folder, says what it is good for and what is wrong with it.",),
            ),
            *(Choice(f"{GO_ON}{each.id}", draft_text(each), _draft_detail(each)) for each in begun),
            *(Choice(task.id, _text(task, session.door), _detail(task)) for task in _ordered(session.door)),
        ),
        proposed=draft.goal or _ANY,
    )


def _ordered(door: int) -> list[Task]:
    if door == 1:
        return sorted(TASKS, key=lambda task: _READS.index(task.data.reads) if task.data.reads in _READS else 9)
    if door == 2:
        return sorted(TASKS, key=lambda task: goal_of(task).effort)
    return list(TASKS)


def _text(task: Task, door: int) -> str:
    goal = goal_of(task)
    if door == 1:
        return f"{task.data.reads:<6} {goal.data}"
    if door == 2:
        return f"{_EFFORTS[goal.effort]:<8} {goal.aim}"
    return goal.aim


def _detail(task: Task) -> tuple[str, ...]:
    goal, least = goal_of(task), task.minimum
    return (
        f"{goal.aim} ({task.id})",
        f"for example  {goal.like}",
        f"your data    {goal.data}",
        *((f"a row        {goal.row}",) if goal.row else ()),
        f"how much     {least.absolute:,} {least.unit} at the very least, {least.good:,} for a good start",
        f"it takes     {goal.takes}",
    )


def _draft_detail(draft: Draft) -> tuple[str, ...]:
    started = datetime.strptime(draft.id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    ago = duration((datetime.now(UTC) - started).total_seconds())
    return (f"Begun {ago} ago and not started.", *((f"data {draft.data}",) if draft.data else ()))


def take_goal(session: Session, key: str) -> str:
    """The task that is wanted, or none in particular."""
    goal = None if key == _ANY else key
    if goal != session.draft.goal:
        session.draft.goal = goal
        if goal is not None:
            session.draft.use_task(goal)
        else:
            session.draft.task = None
    return NEXT


def other_door(step: int) -> int:
    """How many doors further."""
    return step % len(_DOORS)


def next_door(session: Session, highlighted: str | None) -> str:
    """Show the same tasks by another door."""
    session.door = other_door(session.door + 1)
    return STAY


def door_before(session: Session, highlighted: str | None) -> str:
    """Show the same tasks by the door before."""
    session.door = other_door(session.door - 1)
    return STAY


def sample_of(highlighted: str | None) -> str | None:
    """The task whose sample can be looked at."""
    return find_task(highlighted).id if highlighted in {task.id for task in TASKS} and highlighted else None
