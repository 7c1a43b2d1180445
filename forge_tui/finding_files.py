"""The findings of a check as a file: one line for each, for a spreadsheet or for a script."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile, UsageError
from forge_tui.plain import plain

COLUMNS = ("row", "severity", "code", "message", "where", "fix")
_NUMBERED = re.compile(r"(?:row|line) (\d+)")
# What a spreadsheet would take for a formula.
_FORMULAS = ("=", "+", "-", "@")


def write_findings(profile: DatasetProfile, path: Path) -> int:
    """Write every finding that is known, for the owner alone, and return how many; a file that is there is left alone.

    The name decides: `.jsonl` is an object a line, all else CSV. Raises UsageError when it cannot be written.
    """
    found = list(_rows(profile))
    try:
        with open(
            path, "x", encoding="utf-8", newline="", opener=lambda name, flags: os.open(name, flags, 0o600)
        ) as stream:
            if path.suffix.lower() in (".jsonl", ".ndjson"):
                stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
            else:
                writer = csv.DictWriter(stream, COLUMNS)
                writer.writeheader()
                writer.writerows({name: _cell(value) for name, value in row.items()} for row in found)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already", "nothing is written over", "Give another name, or delete it first."
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written", error.strerror or str(error), "Give another path.") from None
    return len(found)


def _rows(profile: DatasetProfile) -> Iterator[dict[str, Any]]:
    for severity, findings in (("error", profile.errors), ("warning", profile.warnings)):
        for each in findings:
            number = _NUMBERED.match(each.where)
            texts = (plain(text) for text in (each.code, each.message, each.where, each.fix))
            values = (int(number[1]) if number else None, severity, *texts)
            yield dict(zip(COLUMNS, values, strict=True))


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
