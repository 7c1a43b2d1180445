"""Asks the model of a finished run in a process of its own, so that no ML library enters the app."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from backends.contract import ForgeError, RunFiles
from forge_tui.runs.supervisor import trainer_environment
from forge_tui.settings import not_startable, read_settings


def predict_rows(files: RunFiles, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One answer for each row, in order; raises ForgeError when the model cannot answer."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as questions, tempfile.TemporaryFile("w+") as talk:
        for row in rows:
            questions.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
        questions.seek(0)
        command = [read_settings().trainer_python, "-m", "backends.predict", str(files.folder)]
        try:
            started = subprocess.Popen(
                command,
                stdin=questions,
                stdout=subprocess.PIPE,
                stderr=talk,
                cwd=files.folder,
                env={**trainer_environment(files, 0), "FORGE_RUN": ""},
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise not_startable(command[0], error) from None
        with started as process:
            assert process.stdout is not None
            for line in process.stdout:
                answer = json.loads(line)
                if "error" in answer:
                    raise ForgeError(*(answer["error"].get(key) or "" for key in ("what", "why", "fix")))
                yield answer
        if process.returncode:
            talk.seek(0)
            last = talk.read().strip().splitlines()[-1:] or ["it said nothing"]
            raise ForgeError(
                "The model could not be asked", last[0], "Look whether its files are whole: forge-tui show RUN"
            )
