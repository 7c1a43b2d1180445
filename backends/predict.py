"""Predicts in a process of its own: `python -m backends.predict <run folder>` with one JSON row a line on stdin."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backends.contract import EXIT_DONE, EXIT_FAILED, ForgeError, RunFiles, read_spec
from backends.failures import explain
from backends.registry import find_task


def _rows() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        if line.strip():
            yield json.loads(line)


def main(arguments: list[str]) -> int:
    """Answer each row with one JSON object a line; an error is one object `{"error": {...}}` and exit code 1."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # a model's files are all there is
    files = RunFiles(Path(arguments[0]).resolve())
    try:
        spec = read_spec(files.spec)
        task = find_task(spec.task, spec.strategy)
        for answer in importlib.import_module(task.module).predict(files.model, _rows()):
            print(json.dumps(answer, ensure_ascii=False), flush=True)
    except Exception as error:
        if not isinstance(error, ForgeError):
            traceback.print_exc()
        print(json.dumps({"error": explain(error, files).to_json()}, ensure_ascii=False), flush=True)
        return EXIT_FAILED
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
