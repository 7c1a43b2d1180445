"""What a cell means: missing, a number, a date or a text."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

# The words that pandas and R write for a missing value, compared after stripping and lower-casing.
MISSING_WORDS = frozenset({"", "na", "n/a", "#n/a", "#na", "nan", "-nan", "null", "none", "<na>", "nil"})

_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")

# Larger whole numbers lose digits in a float: they are codes, not quantities.
LARGEST_EXACT = 2**53


def is_missing(value: Any) -> bool:
    """Whether a cell says nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING_WORDS
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, Decimal):
        return value.is_nan()
    return False


def as_number(value: Any, decimal_comma: bool = False) -> float | None:
    """The finite number a cell holds, else None; `1,234.5` counts, `39,1` only where commas are decimal."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float | Decimal):
        try:
            number = float(value)
        except (OverflowError, ValueError):  # a whole number of more than 308 digits, a signalling NaN
            return None
        return number if math.isfinite(number) else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _PLAIN.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else None
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        return float(text.replace(",", "."))
    if not decimal_comma and _THOUSANDS.fullmatch(text):
        return float(text.replace(",", ""))
    return None


def is_infinite(value: Any) -> bool:
    """Whether a cell says infinity, as a float or in a word that programs write for it."""
    if isinstance(value, float | Decimal):
        return not value.is_nan() and not math.isfinite(value) if isinstance(value, Decimal) else math.isinf(value)
    return isinstance(value, str) and value.strip().lower().lstrip("+-") in ("inf", "infinity", "1.#inf")


def is_code(value: Any) -> bool:
    """Whether digits are a code and not a quantity: a leading zero, or more digits than a float can hold."""
    text = str(value).strip()
    digits = text.lstrip("+-")
    if not digits.isdecimal():
        return False
    return (len(digits) > 1 and digits[0] == "0") or int(digits[:20]) > LARGEST_EXACT


def as_timestamp(value: Any) -> float | None:
    """Seconds since 1970 of an ISO date or date-time, else None; without a zone it is UTC, wherever it is read."""
    moment = value
    if not isinstance(value, datetime):
        text = str(value).strip()
        if len(text) < 8 or not text[:4].isdecimal():
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def as_text(value: Any) -> str:
    """A cell as the text a model reads; lists and objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_EXACT:
        return str(int(value))
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def as_label(value: Any) -> str:
    """A cell as a class name: surrounding spaces do not make another class, nor does a list around a single one."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return " ".join(as_text(value).split())


def label_names(value: Any, separator: str | None = None) -> tuple[str, ...]:
    """The classes a cell names, each once: a list holds several or none, and so does a text divided by a sign."""
    if isinstance(value, list | tuple):
        cells: list[Any] = list(value)
    elif separator is not None and isinstance(value, str):
        cells = value.split(separator)
    else:
        return (as_label(value),)
    return tuple(dict.fromkeys(name for name in map(as_label, cells) if name))


@lru_cache(maxsize=20_000)
def normal_name(name: str) -> str:
    """A column name with case, spaces and punctuation left out, for comparing."""
    return re.sub(r"[\W_]+", "", name).lower()
