"""Asks the tokenizer of a model folder how long rows are, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from backends.contract import UsageError
from forge_tui.paths import library_folder, typed_path
from forge_tui.settings import not_startable, read_settings
from forge_tui.whole_models import has_tokenizer

Counter = Callable[[IO[str]], tuple[int | None, Iterator[int]]]


def counter_of(model: str) -> Counter:
    """A function that takes a file of rows and gives the model's limit and a count for each row.

    Raises UsageError when there is no model folder of that name; the function does when its tokenizer cannot be read.
    """
    folder = typed_path(model).absolute()
    if not folder.is_dir():
        raise UsageError(
            f"There is no model folder {model!r}",
            "tokens are counted by the tokenizer in it",
            "Check the path, or leave --model out: lengths are then estimated.",
        )
    if not has_tokenizer(folder):
        raise UsageError(
            f"{folder} holds no tokenizer",
            "there is no tokenizer.json or other list of words in it, and tokens are counted by that",
            "Put the tokenizer files of the model into it, or leave --model out: lengths are then estimated.",
        )
    return lambda rows: _count(folder, rows)


def _count(folder: Path, rows: IO[str]) -> tuple[int | None, Iterator[int]]:
    environment = {**os.environ, "PYTHONPATH": str(library_folder()), "PYTHONSAFEPATH": "1"}
    command = [read_settings().trainer_python, "-m", "backends.token_counts", str(folder)]
    answers = tempfile.TemporaryFile("w+", encoding="utf-8")
    rows.seek(0)
    try:
        ended = subprocess.run(
            command,
            stdin=rows,
            stdout=answers,
            stderr=subprocess.DEVNULL,
            env={**environment, "TOKENIZERS_PARALLELISM": "true"},
        )
    except OSError as error:
        raise not_startable(command[0], error) from None
    answers.seek(0)
    first: Any = json.loads(answers.readline() or '{"error": "it gave no answer"}')
    if ended.returncode or isinstance(first, dict):
        why = first.get("error") if isinstance(first, dict) else f"it ended with code {ended.returncode}"
        raise UsageError(f"The tokenizer in {folder} cannot be used", str(why), "Give the folder of a whole model.")
    return first, map(int, answers)
