"""Takes values out of run folders that may be damaged or of another version: what is not as it should be is None."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# The largest step that a curve can hold exactly, and the last second of the year 9999.
_LAST_STEP, _END_OF_TIME = 2**53, 253_402_300_799


def number(value: object) -> float | None:
    """A finite number as it is, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= sys.float_info.max else None


def whole(value: object) -> int | None:
    """A count or a step, else None."""
    return value if isinstance(value, int) and number(value) is not None and 0 <= value <= _LAST_STEP else None


def text(value: object) -> str | None:
    """A text that says something, else None."""
    return value if isinstance(value, str) and value else None


def table(value: object) -> Mapping[str, Any]:
    """A JSON object or TOML table, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def moment(event: Mapping[str, Any]) -> float | None:
    """When an event was written, in Unix seconds, else None."""
    written = number(event.get("t"))
    return written if written is not None and 0 <= written < _END_OF_TIME else None


def iso_moment(value: object) -> str | None:
    """An ISO moment that names its zone, as run folders write it, else None."""
    written = text(value)
    try:
        return written if written and datetime.fromisoformat(written).tzinfo else None
    except ValueError:
        return None


def values(found: object) -> dict[str, float]:
    """Metrics by name; NaN stands for null, which is how the log writes what is not finite."""
    numbers = {name: math.nan if value is None else value for name, value in table(found).items()}
    return {
        name: float(value)
        for name, value in numbers.items()
        if number(value) is not None or (isinstance(value, float) and not math.isfinite(value))
    }


def scores(found: object) -> dict[str, float]:
    """Metrics by name, only those that are finite numbers."""
    return {name: value for name, value in values(found).items() if math.isfinite(value)}
