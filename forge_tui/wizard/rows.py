"""What is in the data: its task, the roles of its columns, what is wrong with it, which rows are used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile
from backends.registry import TASKS, find_data, find_task, is_trained
from forge_tui.finding_lines import for_screen, grouped
from forge_tui.formatting import counted
from forge_tui.previews import preview_lines
from forge_tui.questions import BACK, NEXT, Choice, Question
from forge_tui.wizard.draft import AS_IT_IS, CLEAN
from forge_tui.wizard.session import Session

ACCEPT, OTHER_FILE, TASK, QUALITY = "accept", "data", "task", "quality"
ROLE = "column:"
# Faults that no task and no other column could mend.
HOPELESS = ("no-rows", "nothing-to-learn", "no-classes", "invalid-json", "broken-archive")
CLEANABLE = {
    "duplicate": "leave out rows that repeat another",
    "train-test-leak": "leave out evaluation rows that training has seen",
    "label-spellings": "merge labels that differ in case only",
    "target-not-a-number": "leave out rows whose target is no number",
    "not-a-number": "take cells that are no numbers as missing",
}
_ROLES = {
    "target": "The column to predict; every other useful column is what it is predicted from.",
    "label": "The class of each row: what the model answers.",
    "text": "What the model reads.",
    "premise": "The first of the two texts.",
    "hypothesis": "The second text, judged by the first.",
    "tokens": "The words of each text, in order.",
    "tags": "A tag for each word: B-person where a name begins, I-person inside of it, O outside.",
    "context": "The text that is asked about; the answer is a part of it.",
    "question": "What is asked about the text.",
    "answers": "The answer as it stands in the text; empty where the text has none.",
    "source": "What the model reads.",
}
_MOST_CLASSES = 8
_BAR = 24


def rows_question(session: Session) -> Question:
    """Is it understood rightly? Task, roles and rows, each to be changed, above the findings."""
    profile = session.profile
    assert profile is not None
    return Question(
        "Is this what your data is?",
        head(profile),
        tuple(_choices(session, profile)),
        proposed=_proposed(session, profile),
        told=tuple(findings(profile)),
    )


def is_readable(profile: DatasetProfile) -> bool:
    """Whether there are columns to speak of, and not only faults that nothing here could mend."""
    return bool(profile.stats.get("columns")) and not any(each.code in HOPELESS for each in profile.errors)


def can_go_on(session: Session) -> bool:
    """Whether a run could use the data as it is understood now."""
    return session.profile is not None and session.profile.ok and session.is_trainable


def _choices(session: Session, profile: DatasetProfile) -> list[Choice]:
    cleaned = _cleaning(profile, session.draft.cleaning) if profile.usable_rows != 0 else None  # nothing would be left
    choices = []
    if cleaned is not None and session.is_trainable:
        choices.append(Choice(CLEAN, f"clean them and go on: {cleaned}", (_UNTOUCHED,)))
    if can_go_on(session):
        rows = counted(profile.usable_rows or 0, "row")
        words = "take them as they are and go on" if cleaned is not None else f"yes, go on with {rows}"
        choices.append(Choice(AS_IT_IS if cleaned is not None else ACCEPT, words))
    elif not choices:
        choices.append(Choice(OTHER_FILE, "choose other data"))
    task = session.task_id
    if task is not None:
        reason = next((f": {each.reason}" for each in profile.proposals if each.task == task), "")
        only = "" if session.is_trainable else "this version only checks such data: "
        choices.append(Choice(TASK, f"task      {only}{find_data(task).title}{reason}"))
    else:
        choices.append(Choice(TASK, "task      unknown: choose one"))
    if session.is_trainable:
        columns = profile.stats.get("columns") or {}
        for role in _roles(session):
            name = profile.columns.get(role, "")
            shown = _column(columns[name], name, 20) if name in columns else name or "no column: choose one"
            choices.append(Choice(f"{ROLE}{role}", f"{role:<9} {shown}", (_role_text(session, role),)))
    if profile.stats.get("quality_columns"):
        chosen = session.draft.quality or AS_IT_IS
        named = {choice.key: choice.text for choice in quality_question(session).choices}
        choices.append(Choice(QUALITY, f"rows      {named.get(chosen, chosen)}"))
    return choices


def _proposed(session: Session, profile: DatasetProfile) -> str | None:
    if _cleaning(profile, session.draft.cleaning) is not None:
        return session.draft.cleaning or CLEAN
    if can_go_on(session):
        return ACCEPT
    return f"{ROLE}{_roles(session)[-1]}" if session.is_trainable and _roles(session) else TASK


def _roles(session: Session) -> list[str]:
    """The roles of the task; those that the data fills, where its shape decides which there are."""
    assert session.profile is not None
    return list(session.task.roles) or list(session.profile.columns)


def _role_text(session: Session, role: str) -> str:
    if role == "target" and session.task_id is not None and not find_data(session.task_id).is_tabular:
        return "What the model shall write."
    return _ROLES.get(role, f"The {role} of the task.")


_UNTOUCHED = "Your file is not changed; the run remembers what was chosen."


def _cleaning(profile: DatasetProfile, chosen: str | None) -> str | None:
    """What could be cleaned, in words; None where nothing can and nothing was chosen."""
    found = {finding.code for finding in (*profile.errors, *profile.warnings)} & set(CLEANABLE)
    if not found and chosen is None:
        return None
    return "; ".join(text for code, text in CLEANABLE.items() if code in found) or "what was found before"


def take_rows(session: Session, key: str) -> str:
    """Go on, or open what shall be changed."""
    if key in (CLEAN, AS_IT_IS):
        session.draft.cleaning = key
        return NEXT
    return NEXT if key == ACCEPT else key


def first_role(session: Session, highlighted: str | None) -> str:
    """Open the role that is highlighted, else the first."""
    if highlighted is not None and highlighted.startswith(ROLE):
        return highlighted
    if not session.is_trainable or not _roles(session):
        return TASK
    return f"{ROLE}{_roles(session)[0]}"


# --- what the data says --------------------------------------------------------------------------------------------


def head(profile: DatasetProfile) -> str:
    """`tickets.csv: csv, utf-8, 1,912 rows, 1,840 usable`."""
    facts = [profile.format, profile.encoding, counted(profile.rows, "row") if profile.rows is not None else None]
    usable = f", {profile.usable_rows:,} usable" if profile.ok and profile.usable_rows is not None else ""
    low = sum((profile.stats.get("low_quality") or {}).values())
    usable += f", {low:,} of them too low in quality to train on" if low else ""
    return f"{Path(profile.path).name}: {', '.join(fact for fact in facts if fact) or 'cannot be read'}{usable}"


def findings(profile: DatasetProfile) -> list[str]:
    """Every fault and warning with its rows, how classes and lengths are spread, and the first rows."""
    return [
        *(f"✗ {for_screen(line)}" for line in grouped(profile.errors)),
        *(f"! {for_screen(line)}" for line in grouped(profile.warnings)),
        *preview_lines(profile),
        *_spread(profile),
    ]


def _spread(profile: DatasetProfile) -> list[str]:
    lines = []
    lengths = profile.stats.get("lengths")
    if lengths:
        lines.append(
            f"length in {lengths.get('unit', 'tokens')} (about): half under {lengths['median']:,}, "
            f"95% under {lengths['p95']:,}, longest {lengths['longest']:,}"
        )
    labels: Mapping[str, int] = profile.stats.get("labels") or {}
    if labels and profile.task is not None and find_data(profile.task).has_classes:
        most = max(labels.values())
        width = min(18, max(len(name) for name in labels))
        ordered = sorted(labels.items(), key=lambda item: -item[1])
        lines += [
            f"{name[:width]:<{width}} {count:>7,}  {'█' * max(1, round(_BAR * count / most))}"
            for name, count in ordered[:_MOST_CLASSES]
        ]
        if len(ordered) > _MOST_CLASSES:
            lines.append(f"and {len(ordered) - _MOST_CLASSES} more")
    return lines


# --- to be changed ---------------------------------------------------------------------------------------------------


def task_question(session: Session) -> Question:
    """What shall be learned? The tasks this data looks to be for, with the reason, then the others."""
    profile = session.profile
    assert profile is not None
    choices = [
        Choice(each.task, f"{find_task(each.task).title}: {each.reason}")
        for each in profile.proposals
        if is_trained(each.task)
    ]
    named = {choice.key for choice in choices}
    others = [find_data(each.task) for each in profile.proposals if not is_trained(each.task)]
    why = "The first answers fit the columns of your data best."
    if others and not choices:
        why = f"It looks like {others[0].id}; this version only checks such data."
    choices += [Choice(task.id, f"{task.title}: {task.explanation}") for task in TASKS if task.id not in named]
    return Question("What shall the model do?", why, tuple(choices), session.task_id, told=tuple(findings(profile)))


def take_task(session: Session, key: str) -> str:
    """Take the task."""
    session.draft.use_task(key)
    return BACK


def column_question(session: Session) -> Question:
    """Which column plays this role?"""
    profile, role = session.profile, session.argument
    assert profile is not None
    columns: Mapping[str, Any] = profile.stats.get("columns", {})
    width = min(24, max((len(name) for name in columns), default=8))
    return Question(
        f"Which column is the {role}?",
        _role_text(session, role),
        tuple(Choice(name, _column(column, name, width)) for name, column in columns.items()),
        proposed=profile.columns.get(role),
        told=tuple(findings(profile)),
    )


def _column(column: Mapping[str, Any], name: str, width: int) -> str:
    examples = ", ".join(str(example)[:24] for example in column["examples"])
    return f"{name:<{width}}  {column['kind']:<10} {column['distinct']:>6,} values  {examples}"


def take_column(session: Session, key: str) -> str:
    """Take the column for the role."""
    profile = session.profile
    if profile is not None and profile.columns.get(session.argument) != key:
        taken = next((role for role, name in profile.columns.items() if name == key), None)
        if taken is not None and taken != session.argument and session.argument in profile.columns:
            session.draft.columns[taken] = profile.columns[session.argument]  # the two change places
        session.draft.columns[session.argument] = key
        session.draft.cleaning = session.draft.quality = None
    return BACK


def quality_question(session: Session) -> Question:
    """Which rows of mixed quality? Asked only where a column marks how good each row is."""
    assert session.profile is not None
    marks: Mapping[str, Mapping[str, float]] = session.profile.stats.get("quality_columns") or {}
    choices = [Choice(AS_IT_IS, "all rows: a first run to compare with")]
    for name, seen in marks.items():
        least = seen["quarter_below"]
        choices += [
            Choice(f"best:{least:g}:{name}", f"only rows with {name} from {least:g}: the lowest quarter is left out"),
            Choice(f"weigh:{name}", f"weigh each row by {name}: better rows are seen more often"),
        ]
    why = "Few good rows often teach more than many poor ones; run it both ways and compare."
    return Question("Which rows, of mixed quality?", why, tuple(choices), session.draft.quality or AS_IT_IS)


def take_quality(session: Session, key: str) -> str:
    """Take these rows."""
    session.draft.quality = key
    return BACK


def example_rows(profile: DatasetProfile) -> list[str]:
    """The first rows as the model will see them, and the columns with their kinds."""
    lines = ["Rows as the model will see them, «what it learns to give» marked:", ""]
    lines += preview_lines(profile, 20)
    columns: Mapping[str, Any] = profile.stats.get("columns") or {}
    width = min(24, max((len(name) for name in columns), default=8))
    return [*lines, "", "Columns:", *(_column(column, name, width) for name, column in columns.items())]
