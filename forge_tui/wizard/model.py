"""Model: the recommended one and the others, with memory against what is free, time, place and terms."""

from __future__ import annotations

from forge_tui.memory_report import verdict_text
from forge_tui.planning import too_large
from forge_tui.questions import NEXT, STAY, Choice, Question
from forge_tui.wizard.model_rows import ModelRow, detail, header, row_text
from forge_tui.wizard.session import Session
from profiles.options import gib

FOLDER = "folder"


def model_question(session: Session) -> Question:
    """The models as they were planned so far; the list grows while the rest is planned."""
    rows = _shown(session)
    plan = session.plan
    assert plan is not None
    free = plan.memory.free_bytes
    room = "unknown memory" if free is None else f"{gib(free)} free"
    left = len(session.models) - len(rows)
    hidden = f"; {left} not shown" if left else ""
    why = f"{plan.task.title}, on {plan.device.name}: {room}{hidden}."
    has_own = _takes_folders(session) and not session.find
    own = (Choice(FOLDER, "a folder on this machine with a pretrained model"),) if has_own else ()
    return Question(
        "Which model to start from?",
        why,
        (*(Choice(row.id, row_text(row, session.width), detail(row)) for row in rows), *own),
        proposed=session.draft.model or _startable(session),
        typed=session.find,
        placeholder="a part of the name, licence or size",
        header=header(session.width),
        empty=f"No model here matches {session.find!r}; esc shows all." if session.find and not rows else "",
    )


def _startable(session: Session) -> str | None:
    """The first model that is here and fits: the recommended one, else what can be trained without a download."""
    rows = session.models
    able = (row.id for row in rows if row.plan.recommendation.is_local and not row.plan.is_too_large)
    return next(able, rows[0].id if rows else None)


def _takes_folders(session: Session) -> bool:
    return session.is_trainable and session.task.accepts_model_folder


def _shown(session: Session) -> list[ModelRow]:
    rows = session.models
    if session.only_fitting:
        rows = [row for row in rows if row.verdict in ("fits", None)]
    if session.find:
        wanted = session.find.lower().split()
        rows = [row for row in rows if all(word in f"{row_text(row, 200)} {_terms(row)}".lower() for word in wanted)]
    return rows


def _terms(row: ModelRow) -> str:
    return row.plan.recommendation.model.licence or ""


def find_typed(session: Session, text: str) -> None:
    """Narrow the list to what was typed."""
    session.find = text


def take_model(session: Session, key: str) -> str:
    """Take a model that fits; one that is not here is asked for at the hub, and what that says is told."""
    if key == FOLDER:
        return FOLDER
    row = next((each for each in session.models if each.id == key), None)
    if row is None:
        return STAY
    if row.plan.is_too_large:
        raise too_large(row.plan)
    session.find = None
    draft = session.draft
    model = None if row.is_recommended and row.plan.recommendation.is_local else row.id
    if model != draft.model:
        draft.strategy = session.listed_by
    draft.model, draft.method = model, session.methods.get(row.id)
    return NEXT


def other_method(session: Session, highlighted: str | None) -> str:
    """Train the highlighted model by the next of its methods."""
    row = next((each for each in session.models if each.id == highlighted), None)
    if row is None or len(row.methods) < 2:
        return STAY
    session.methods[row.id] = row.methods[(row.methods.index(row.method) + 1) % len(row.methods)]
    return STAY


def only_fitting(session: Session, highlighted: str | None) -> str:
    """Show only what fits, or everything again."""
    session.only_fitting = not session.only_fitting
    return STAY


def start_finding(session: Session, highlighted: str | None) -> str:
    """Type a part of a name."""
    session.find = session.find or ""
    return STAY


def stop_finding(session: Session) -> bool:
    """Show all models again; whether that was what escape was pressed for."""
    was_finding, session.find = session.find is not None, None
    return was_finding


def open_folder(session: Session, highlighted: str | None) -> str:
    """Give a folder."""
    return FOLDER if _takes_folders(session) else STAY


def folder_question(session: Session) -> Question:
    """Where is the pretrained model?"""
    return Question(
        "Which model folder?",
        "It holds config.json, weights and tokenizer, as transformers saves them.",
        typed=session.folder,
        placeholder="type a path, as ~/models/bert-base",
    )


def folder_typed(session: Session, text: str) -> None:
    """Remember what stands in the field."""
    session.folder = text


def folder_submitted(session: Session, text: str, highlighted: str | None) -> str:
    """What was typed."""
    return text.strip()


def take_folder(session: Session, key: str) -> str:
    """Take the folder; whether it holds a model shows when the run is planned."""
    if not key:
        return STAY
    if key != session.draft.model:
        session.draft.model, session.draft.method = key, None
    session.models_key = None
    return "model"


def verdict_line(session: Session) -> str:
    """`memory 1.9 GiB of 24 GiB: fits`."""
    plan = session.plan
    if plan is None or plan.memory.total_bytes is None:
        return "memory unknown"
    free = "?" if plan.memory.free_bytes is None else gib(plan.memory.free_bytes)
    return f"memory {gib(plan.memory.total_bytes)} of {free}: {verdict_text(plan.memory)}"
