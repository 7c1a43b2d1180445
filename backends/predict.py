"""Predicts in a process of its own, with one JSON row a line on stdin and one answer a line on stdout.

    python -m backends.predict RUN_FOLDER [--one-by-one]

Many rows are judged at once, so that the first answers may wait for later rows. With `--one-by-one` each row is
answered before the next is read, and a line `{"ready": {"device": ...}}` says that the model is loaded. An error is one
object `{"error": {what, why, fix}}`, the last line there is.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from backends.asked import OneByOne
from backends.contract import EXIT_DONE, EXIT_FAILED, ForgeError, RunFiles, read_spec
from backends.failures import explain
from backends.registry import find_task

ONE_BY_ONE = "--one-by-one"


def _rows() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        if line.strip():
            yield json.loads(line)


def main(arguments: list[str]) -> int:
    """Answer each row; 0 when all are answered, 1 after an error."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # a model's files are all there is
    files = RunFiles(Path(arguments[0]).resolve())
    stdout = open_answers()

    def say(line: dict[str, Any]) -> None:
        stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        stdout.flush()

    rows: Iterable[dict[str, Any]] = _rows()
    if ONE_BY_ONE in arguments:
        rows = OneByOne(_rows(), lambda: say({"ready": {"device": device_in_use()}}))
    try:
        spec = read_spec(files.spec)
        task = find_task(spec.task, spec.strategy)
        for answer in importlib.import_module(task.module).predict(files.model, rows):
            say(answer)
    except BrokenPipeError:
        return EXIT_FAILED  # nobody reads the answers any more
    except Exception as error:
        if not isinstance(error, ForgeError):
            traceback.print_exc()
        say({"error": explain_asking(error, files).to_json()})
        return EXIT_FAILED
    return EXIT_DONE


def open_answers() -> TextIO:
    """Where answers are written; what libraries print goes to stderr from now on, so that it is none of them."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    return answers


def device_in_use() -> str:
    """Where the model lies: the name of the GPU that holds something of this process, else `CPU`."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.memory_allocated():
        return str(torch.cuda.get_device_name())
    return "CPU"


def explain_asking(error: Exception, files: RunFiles) -> ForgeError:
    """An error in words, where what a run could do about it helps no one who asks a model."""
    known = isinstance(error, ForgeError)
    told = explain(error, files)
    if known or told.what == "The disk is full":
        return told
    if "ran out of memory" in told.what:
        return ForgeError(told.what, told.why, "Ask with a shorter text, or free memory: forge-tui hardware")
    what = f"The model could not answer: {type(error).__name__}"
    return ForgeError(what, told.why, "Look whether its files are whole: forge-tui show RUN", told.where)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
