"""Shows held-out rows of a run with what was expected of them: python -m backends.held_out_rows RUN_FOLDER COUNT

One JSON object a line: `{"row": {column: cell}, "expected": ...}`, in an order drawn by the seed of the run. `expected`
is a class, a number, a list of labels, a text, the list of accepted answers, or for tagged words `{"entities": [...]}`
with places in the words joined by spaces. The run folder is only read.
"""

from __future__ import annotations

import json
import os
import random
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import EXIT_DONE, EXIT_FAILED, ForgeError, RunFiles, read_spec
from backends.data import LabelledRows, load_split
from backends.events import EventWriter
from backends.formats.row_faults import answers_of
from backends.formats.tagged import bio_tags, entity_spans, names_each_word, tag_list
from backends.formats.values import as_text
from backends.job import Job
from backends.options import parse_settings
from backends.registry import Task, find_task
from backends.signals import StopControl


@dataclass(frozen=True)
class _Look(Job):
    """A job that only looks: it writes nothing into the folder of the run."""

    def record_data(self, **facts: Any) -> None:
        """What the run was trained on was written down by the run itself."""

    def update_report(self, **parts: Any) -> None:
        """As above."""


def held_out_rows(files: RunFiles) -> tuple[Job, LabelledRows]:
    """The rows that a run was scored on, divided from its data as the run did it."""
    spec = read_spec(files.spec)
    task = find_task(spec.task, spec.strategy)
    options: Any = parse_settings(task.options, spec.settings)
    job = _Look(files, spec, task, options, EventWriter(Path(os.devnull)), StopControl(), 0, None)
    return job, load_split(job).evaluation


def expected_of(task: Task, columns: Mapping[str, str], row: Mapping[str, Any], label: Any, single: bool) -> Any:
    """What was expected of a row, in a form that JSON has; `single` says that tags name words, not parts of a text."""
    if label is not None and task.id != "token-classification":
        return list(label) if isinstance(label, tuple) else label
    if task.id == "token-classification":
        return {"entities": _entities(tag_list(row.get(columns["tokens"])) or [], list(label or []), single)}
    if "answers" in columns:
        values = {role: row.get(column) for role, column in columns.items()}
        return [text for text in answers_of(values)[0] if text.strip()]
    return as_text(row.get(columns["target"])) if "target" in columns else None


def _entities(words: list[str], tags: list[str], single: bool) -> list[dict[str, Any]]:
    """The tagged parts of words that stand with a space between them."""
    starts, place = [], 0
    for word in words:
        starts.append(place)
        place += len(word) + 1
    text = " ".join(words)
    found = []
    for kind, first, last in entity_spans(tags if single else bio_tags(tags)):
        start, end = starts[first], starts[last - 1] + len(words[last - 1])
        found.append({"type": kind, "text": text[start:end], "start": start, "end": end})
    return found


def main(arguments: list[str]) -> int:
    """Print the rows; an error is one object `{"error": {...}}`."""
    files, count = RunFiles(Path(arguments[0]).resolve()), int(arguments[1])
    try:
        job, held_out = held_out_rows(files)
        order = list(range(len(held_out.rows)))
        random.Random(job.options.seed).shuffle(order)
        asked_of = job.task.data.asked_roles
        answered = {column for role, column in job.spec.columns.items() if role not in asked_of}
        is_tagged = job.task.id == "token-classification"
        single = is_tagged and names_each_word({tag for tags in held_out.labels for tag in tags})
        for index in order[:count]:
            row, label = held_out.rows[index], held_out.labels[index]
            expected = expected_of(job.task, job.spec.columns, row, label, single)
            asked = {name: cell for name, cell in row.items() if name not in answered}
            print(json.dumps({"row": asked, "expected": expected}, ensure_ascii=False, default=str), flush=True)
    except BrokenPipeError:
        return EXIT_FAILED
    except Exception as error:
        if not isinstance(error, ForgeError):
            traceback.print_exc()
            error = ForgeError("The held-out rows cannot be read", f"{type(error).__name__}: {error}", "")
        print(json.dumps({"error": error.to_json()}, ensure_ascii=False), flush=True)
        return EXIT_FAILED
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
