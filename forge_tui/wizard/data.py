"""Data: which file or folder, found by typing and by choosing."""

from __future__ import annotations

import os
from pathlib import Path

from backends.formats.folders import looks_like_a_data_set
from backends.registry import TASKS, find_task
from forge_tui.paths import typed_path
from forge_tui.questions import NEXT, STAY, Choice, Question
from forge_tui.samples import has_sample, sample_path
from forge_tui.wizard.session import Session

DATA_ENDINGS = tuple(
    (
        ".csv .tsv .tab .psv .txt .json .jsonl .ndjson .parquet .arrow .xlsx .conll .bio .iob .gz .zst .zip .yaml .toml"
    ).split()
)
# Stands before the path of a folder that is taken as a whole.
WHOLE_FOLDER = "folder:"
_MOST_FILES = 200


def data_question(session: Session) -> Question:
    """Which file? Folders and data files that fit what was typed, and the bundled samples while nothing was."""
    typed = session.typed
    choices = [Choice(str(path), text) for path, text in _files(typed)]
    folder = typed_path(typed) if typed.endswith("/") else None
    if folder is not None and looks_like_a_data_set(folder):
        choices.insert(0, Choice(f"{WHOLE_FOLDER}{folder}", "this whole folder: its files belong together"))
    nothing = ""
    if not choices:
        where = f"in {typed}" if folder is not None else f"that begins with {typed}" if typed else "in this folder"
        nothing = f"There is no data file and no folder {where}. Type another path, as ~/data/ or /srv/data/."
    if not typed:
        goal = session.draft.goal
        wanted = [task for task in TASKS if has_sample(task.id) and goal in (None, task.id)]
        choices += [Choice(str(sample_path(task.id)), f"sample: {task.title}") for task in wanted]
    return Question(
        "Which data file?",
        _why(session),
        tuple(choices),
        proposed=session.draft.data,
        typed=typed,
        placeholder="type a path, or choose below",
        empty=nothing,
    )


def _why(session: Session) -> str:
    why = "A file or a folder of any usual kind; it is checked before anything starts."
    if session.draft.goal is None:
        return why
    from forge_tui.wizard.goal import goal_of

    return f"It is checked before anything starts. Wanted: {goal_of(find_task(session.draft.goal)).data}."


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


def data_typed(session: Session, text: str) -> None:
    """Remember what stands in the field."""
    session.typed = text


def data_submitted(session: Session, text: str, highlighted: str | None) -> str:
    """A file that was typed whole is meant; else the highlighted entry, else what was typed."""
    typed = text.strip()
    if typed and os.path.isfile(typed_path(typed)):
        return typed
    return highlighted or typed


def take_data(session: Session, chosen: str) -> str:
    """Go into a folder, or take the file; it is read again, since it may have changed."""
    if not chosen:
        return STAY
    whole = chosen.startswith(WHOLE_FOLDER)
    path = typed_path(chosen.removeprefix(WHOLE_FOLDER))
    if os.path.isdir(path) and not whole:
        session.typed = f"{path}/" if str(path) != "/" else "/"
        return STAY
    session.draft.use_data(str(path.absolute()))
    session.profile = session.profile_key = None
    return NEXT
