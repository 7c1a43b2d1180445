"""The findings of the check, written to a file."""

from __future__ import annotations

import os
from pathlib import Path

from backends.contract import UsageError
from forge_tui.finding_files import write_findings
from forge_tui.formatting import counted
from forge_tui.paths import typed_path
from forge_tui.questions import BACK, Question
from forge_tui.wizard.rows import findings
from forge_tui.wizard.session import Session


def has_findings(session: Session) -> bool:
    """Whether there is something to write."""
    profile = session.profile
    return profile is not None and bool(profile.errors or profile.warnings)


def open_export(session: Session, highlighted: str | None) -> str:
    """Ask for the file."""
    return "export"


def export_question(session: Session) -> Question:
    """Where are the findings written?"""
    profile = session.profile
    assert profile is not None
    return Question(
        "Into which file?",
        "Row, code, message and what to do, a line for each: .csv for a spreadsheet, .jsonl for a script.",
        typed=f"{Path(profile.path).name.partition('.')[0]}-findings.csv",
        replaces=True,
        placeholder="the name of a new file",
        told=tuple(findings(profile)),
    )


def take_export(session: Session, key: str) -> str:
    """Write the findings; a file that is there is left alone."""
    assert session.profile is not None
    if not key:
        raise UsageError("There is no file ''", "the name is empty", "Type a name.")
    count = write_findings(session.profile, typed_path(key))
    session.saved = f"{counted(count, 'finding')} in {os.path.abspath(typed_path(key))}"
    return BACK
