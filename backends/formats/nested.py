"""What lists and objects in a cell are: turns of a conversation, words, boxes; and which cells name media files."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

from backends.formats.media_endings import MEDIA_ENDINGS

# The names under which data sets keep the speaker and the words of a turn.
TURN_KEYS = (("role", "content"), ("from", "value"), ("role", "value"), ("speaker", "text"), ("role", "text"))


def turn_keys(turn: Any) -> tuple[str, str] | None:
    """Under which names an object keeps speaker and words, if it is a turn."""
    if not isinstance(turn, dict):
        return None
    for speaker, words in TURN_KEYS:
        if speaker in turn and (words in turn or "tool_calls" in turn):
            return speaker, words
    return None


def nested_kind(cell: Any) -> str:
    """What one list or object is."""
    if isinstance(cell, dict):
        if turn_keys(cell) is not None:
            return "turn"
        if "text" in cell and "answer_start" in cell:
            return "answers"
        if "bbox" in cell or "boxes" in cell:
            return "boxes"
        return "media" if "bytes" in cell and "path" in cell else "objects"
    first = cell[0] if cell else None
    if isinstance(first, dict):
        if any(
            turn_keys(turn) is not None or {"input", "output"} <= turn.keys()
            for turn in cell[:8]
            if isinstance(turn, dict)
        ):
            return "turns"
        return "answers" if "answer_start" in first else "boxes" if "bbox" in first else "objects"
    if isinstance(first, str):
        return "words"
    if isinstance(first, list | tuple):
        pair = len(first) == 2 and all(isinstance(each, str) for each in first)
        return "pairs" if pair else "objects"
    return "numbers" if isinstance(first, int | float) else "objects"


def is_json_turns(text: str) -> bool:
    """Whether a text is a conversation written as JSON, as CSV files hold them."""
    if not text.startswith("[{"):
        return False
    try:
        cell = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return nested_kind(cell) == "turns"


def media_of_name(text: str) -> str | None:
    """The kind of file that a short text names, by its ending."""
    if len(text) > 1_000 or "\n" in text:
        return None
    ending = PurePath(text).suffix.lower()
    return next((kind for kind, endings in MEDIA_ENDINGS.items() if ending in endings), None)


def media_of_nested(cell: Any) -> str | None:
    """The same for a list of file names, or for an object that holds a file."""
    if isinstance(cell, dict):
        path = cell.get("path")
        if isinstance(path, str) and media_of_name(path):
            return media_of_name(path)
        return media_of_bytes(cell.get("bytes"))
    first = cell[0] if cell else None
    if isinstance(first, dict):
        return media_of_nested(first)
    return media_of_name(first) if isinstance(first, str) else None


def media_of_bytes(content: Any) -> str | None:
    """The kind of file by its first bytes."""
    if not isinstance(content, bytes):
        return None
    if (content[:4] in (b"RIFF",) and content[8:12] == b"WAVE") or content[:4] in (b"fLaC", b"OggS"):
        return "audio"
    if content[:3] == b"\xff\xd8\xff" or content[:8] == b"\x89PNG\r\n\x1a\n" or content[:4] in (b"GIF8", b"RIFF"):
        return "image"
    return "video" if content[4:8] == b"ftyp" else None
