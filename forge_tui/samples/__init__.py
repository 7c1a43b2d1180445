"""Small data sets of the project's own making for `forge-tui demo`; tools/make_samples.py writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.contract import UsageError, nearest
from backends.registry import find_task
from forge_tui.planning import Request

DEFAULT_TASK = "tabular-classification"

_FILES = {
    "tabular-classification": "coffee_orders.csv",
    "tabular-regression": "apartment_rents.csv",
    "text-classification": "support_messages.csv",
    "sentence-pair-classification": "statement_pairs.csv",
    "text-regression": "guest_reviews.csv",
    "token-classification": "festival_notes.conll",
    "summarization": "repair_logs.csv",
    "translation": "short_sentences.csv",
    "text-to-text": "reminders.csv",
    "extractive-question-answering": "village_notices.json",
    "text-generation": "tram_questions.csv",
}
# A demo is over in a minute on two CPU cores; what is not named here is chosen as for any other data.
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "text-classification": {"max_steps": 300, "max_length": 32},
    "sentence-pair-classification": {"max_steps": 300, "max_length": 32},
    "text-regression": {"max_steps": 300, "max_length": 32},
    "token-classification": {"max_steps": 200},
    "summarization": {"max_steps": 300, "max_eval_samples": 50},
    "translation": {"max_steps": 300, "max_eval_samples": 50},
    "text-to-text": {"max_steps": 300, "max_eval_samples": 50},
    "extractive-question-answering": {"max_steps": 300},
    "text-generation": {"max_steps": 150, "sample_tokens": 32},
}


def has_sample(task_id: str) -> bool:
    """Whether a task has a bundled sample."""
    return task_id in _FILES


def sample_path(task_id: str) -> Path:
    """The bundled sample of a task; raises UsageError with the nearest name for a task that is not known."""
    return Path(__file__).parent / _FILES[find_task(task_id).id]


def demo_request(task_id: str | None = None) -> Request:
    """What `forge-tui demo` asks for: the sample of a task and settings that end it soon."""
    if task_id is not None and task_id not in _FILES:
        raise UsageError(
            f"There is no demo of {task_id!r}",
            f"there are demos of {', '.join(_FILES)}",
            f"Choose one of them{nearest(task_id, tuple(_FILES))}.",
        )
    task = find_task(task_id or DEFAULT_TASK)
    return Request(
        data=str(sample_path(task.id)),
        task=task.id,
        model=task.default_model,  # which needs no download
        settings=_SETTINGS.get(task.id, {}),
        name=f"demo-{task.id}",
    )
