"""Asks the model of a finished run in a process of its own, so that no ML library enters the app."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from backends.contract import ForgeError, RunFiles
from forge_tui.runs.backend_process import error_in, last_words, start_backend


def predict_rows(files: RunFiles, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One answer for each row, in order; raises ForgeError when the model cannot answer."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as questions, tempfile.TemporaryFile() as talk:
        for row in rows:
            questions.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
        questions.seek(0)
        with start_backend(files, ("backends.predict", str(files.folder)), questions, talk) as process:
            assert process.stdout is not None
            for line in process.stdout:
                answer = json.loads(line)
                error = error_in(answer)
                if error is not None:
                    raise error
                yield answer
        if process.returncode:
            raise ForgeError(
                "The model could not be asked", last_words(talk), "Look whether its files are whole: forge-tui show RUN"
            )
