"""Makes text from logs, data and models safe to show: no terminal control, no markup, one line."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS and other strings: titles, clipboards
    r"|\x1b[ -/]*[0-~]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """`text` as one harmless line: what a carriage return would overwrite is left out."""
    text = _ESCAPES.sub("", text.rstrip("\r\n"))
    if "\r" in text:
        text = text.rsplit("\r", 1)[1]
    return _CONTROLS.sub("", text.replace("\t", "    ").replace("\n", " "))
