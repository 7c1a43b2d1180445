"""In which language data is written, as far as its first rows tell: by script, else by frequent words.

Unknown is None, which rules no model out.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from backends.contract import DatasetProfile

MANY = "many"
# Of the letters, this share in a script tells the language; a text of another one holds a few foreign names at most.
_OF_A_SCRIPT = 0.3
_FEWEST_LETTERS, _FEWEST_WORDS = 8, 12
# Of the words, so many must be frequent ones of a language, and so many times those of the next.
_FREQUENT, _AHEAD = 0.1, 1.3
_MARKS = re.compile(r"<\|im_start\|>\w*|<\|[^|>]*\|>|https?://\S+")
_TITLES: Mapping[str, str] = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "pl": "Polish",
    "sv": "Swedish",
    "ro": "Romanian",
    "tr": "Turkish",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
    "ru": "Russian or another language in Cyrillic letters",
    "ar": "Arabic or another language in its letters",
    "he": "Hebrew",
    "el": "Greek",
    "hi": "Hindi or another language in its letters",
    "bn": "Bengali",
    "th": "Thai",
}


def language_name(code: str) -> str:
    """`German` for `de`; a code that has no name here stays as it is."""
    return _TITLES.get(code, code)


def language_of(text: str) -> str | None:
    """The code of the language that a text is written in; None where it cannot be told."""
    letters = [each for each in _MARKS.sub(" ", text) if each.isalpha()]
    if len(letters) < _FEWEST_LETTERS:
        return None
    counts = Counter(_script(ord(each)) for each in letters if ord(each) > 0x036F)
    counts.pop(None, None)
    if "ja" in counts and counts["ja"] >= 0.1 * len(letters):
        return "ja"  # Chinese characters among its own letters
    found = next(iter(counts.most_common(1)), None)
    if found is not None and found[1] >= _OF_A_SCRIPT * len(letters):
        return found[0]
    return _by_words(_MARKS.sub(" ", text).lower())


def languages_of(data: DatasetProfile) -> tuple[str | None, ...]:
    """The languages of data: of a translation those of source and target, else the one of its rows.

    Columns that are called by codes of languages say it themselves.
    """
    pieces = [piece for row in data.stats.get("preview") or () for piece in row["pieces"]]
    if data.task != "translation":
        return (language_of("\n".join(piece["text"] for piece in pieces)),)
    sides = []
    for role, learned in (("source", False), ("target", True)):
        name = data.columns.get(role, "")
        is_code = len(name) in (2, 3) and name.isalpha() and name.islower()
        text = "\n".join(piece["text"] for piece in pieces if piece["learned"] is learned)
        sides.append(name if is_code else language_of(text))
    return tuple(sides)


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("languages.toml").read_text(encoding="utf-8"))


def _script(number: int) -> str | None:
    for code, ranges in _tables()["scripts"].items():
        if any(first <= number <= last for first, last in ranges):
            return str(code)
    return None


@cache
def _words() -> Mapping[str, frozenset[str]]:
    return {code: frozenset(words.split()) for code, words in _tables()["words"].items()}


def _by_words(text: str) -> str | None:
    words = re.findall(r"[^\W\d_]+", text)
    if len(words) < _FEWEST_WORDS:
        return None
    counts = {code: sum(word in frequent for word in words) for code, frequent in _words().items()}
    (first, most), (_, next_most) = Counter(counts).most_common(2)
    return first if most >= _FREQUENT * len(words) and most >= _AHEAD * next_most else None
