"""Data to look at: rows of one's own, or of the sample of a task."""

from __future__ import annotations

from backends.registry import TASKS, find_task
from forge_tui.samples import has_sample, sample_path
from forge_tui.wizard.goal import goal_of
from forge_tui.wizard.rows import example_rows
from forge_tui.wizard.session import Session

_LINES, _WIDTH = 40, 400


def look_lines(session: Session, place: str, highlighted: str | None) -> tuple[str, list[str]]:
    """A title and the lines below it."""
    if place == "rows" and session.profile is not None:
        return "Your data", example_rows(session.profile)
    if highlighted not in {task.id for task in TASKS}:
        return "Data", ["Choose a task: then this shows its sample.", "", "What each task reads: forge-tui tasks"]
    task = find_task(str(highlighted))
    goal = goal_of(task)
    lines = [f"a row holds  {goal.data}"]
    if not has_sample(task.id):
        return task.title, [*lines, f"for example  {goal.row}" if goal.row else "", "There is no bundled sample of it."]
    path = sample_path(task.id)
    lines += [f"sample       {path}", ""]
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines += [line.rstrip("\n")[:_WIDTH] for line, _ in zip(stream, range(_LINES), strict=False)]
    except OSError as error:
        lines.append(f"It cannot be shown: {error.strerror or error}")
    return task.title, lines
