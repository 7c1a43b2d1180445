"""Terminals without the signs of Unicode: when to do without them, and what to write instead."""

from __future__ import annotations

import codecs
import locale
import os
import sys
import unicodedata
from functools import cache

_INSTEAD = {
    **dict(zip("▁▂▃▄▅▆▇█▏░▓▌▐▀", "_.-:=+*#|.#||-", strict=True)),
    "⏎": "<",
    "«": "<",
    "»": ">",
    **dict(zip("─━┄╌│┃┌┐└┘├┤┬┴┼╭╮╰╯•·…→←↑↓×✓✗°–—“”’", "--~-||+++++++++++++*..><^vx+x'--\"\"'", strict=True)),
}


@cache
def uses_ascii() -> bool:
    """Whether only ASCII is to be shown: FORGE_ASCII, `ascii` in settings.toml, or a locale that is not UTF-8."""
    asked = os.environ.get("FORGE_ASCII")
    if asked:
        return asked != "0"
    from backends.contract import ForgeError
    from forge_tui.settings import read_ascii

    try:
        if (chosen := read_ascii()) is not None:
            return chosen
    except ForgeError:
        pass  # told by who needs the settings
    return "utf" not in locale.getpreferredencoding(False).lower()


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_ascii(character) for character in text), error.end


def _ascii(character: str) -> str:
    """A sign of the same width."""
    if character in _INSTEAD:
        return _INSTEAD[character]
    plain = unicodedata.normalize("NFKD", character)[0]
    wide = 2 if unicodedata.east_asian_width(character) in "WF" else 1
    wide = 0 if unicodedata.combining(character) else wide
    return plain if plain.isascii() and wide == 1 else "?" * wide


def write_ascii() -> None:
    """From now on everything that the app paints is ASCII."""
    codecs.register_error("forge-ascii", _replace)
    for stream in (sys.__stdout__, sys.__stderr__):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="ascii", errors="forge-ascii")
