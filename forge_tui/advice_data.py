"""Answers that the data desk can give: what the data is, what it is for, how much of it can be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile
from backends.formats.check_request import CheckRequest
from backends.formats.checks import check
from backends.registry import TASK_DATA, find_data
from profiles.answers import Answers, counted, refuse_contradiction, shown


@dataclass(frozen=True)
class FromData:
    """The answers completed, what the data said of them, and where a person knew better."""

    answers: Answers
    filled: dict[str, Any]
    profile: DatasetProfile
    remarks: tuple[str, ...]


def answers_from(path: Path, given: Answers, on_progress: Callable[[float], None] | None = None) -> FromData:
    """Check the data and fill in what was not answered; answers given by hand win, and that is said."""
    asked = given.task if given.task in {data.id for data in TASK_DATA} else None
    profile = check(CheckRequest(path=path, task=asked, on_progress=on_progress))
    known = known_answers(profile)
    remarks = [
        f"you answered {key}={shown(getattr(given, key))}; the data says {shown(value)}"
        for key, value in known.items()
        if getattr(given, key) not in (None, value)
    ]
    filled = {key: value for key, value in known.items() if getattr(given, key) is None}
    if given.task is not None:
        filled.pop("modality", None)
    elif given.modality not in (None, known.get("modality")):
        filled.pop("task", None)
    answers = replace(given, **filled)
    refuse_contradiction(answers)
    if _is_unlabelled_text(profile) and "examples" in filled:
        remarks.append(
            f"{counted(answers)} are plain texts without answers: they teach a model to go on with such texts, or "
            "serve as documents for RAG; for examples of question and answer give data that holds both"
        )
    return FromData(answers, filled, profile, tuple(remarks))


def known_answers(profile: DatasetProfile) -> dict[str, Any]:
    """What the data says; none usable because of errors says nothing of how many there are."""
    known: dict[str, Any] = {}
    if profile.task is not None:
        known |= {"modality": find_data(profile.task).reads, "task": profile.task}
    if profile.usable_rows:
        known["examples"] = profile.usable_rows
    return known


def _is_unlabelled_text(profile: DatasetProfile) -> bool:
    first = profile.proposals[0] if profile.proposals else None
    return first is not None and first.task == profile.task and first.strategy == "pretrain"
