"""Whether the terminal can show the app: a full screen, and dots of braille for the curves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from forge_tui.doctor.checks import Check

_NO_FULL_SCREEN = ("dumb", "unknown", "")
_BRAILLE = "⣀⡠⠤⠒⠉"


def check_terminal(environment: Mapping[str, str] = os.environ, is_terminal: bool | None = None) -> Iterator[Check]:
    """TERM and the character set, from the environment alone; a terminal cannot be asked which glyphs its font has."""
    if not (sys.stdout.isatty() if is_terminal is None else is_terminal):
        yield Check("terminal", "ok", "this is no terminal; the commands work, the app needs one (ssh -t)")
        return
    term = environment.get("TERM", "")
    if term in _NO_FULL_SCREEN:
        message = f"TERM is {term or 'not set'}, which cannot show the app; the commands work"
        yield Check(
            "terminal", "warning", message, "Set it to what your terminal is, mostly: export TERM=xterm-256color"
        )
    elif term == "linux":
        message = "the Linux console has no braille, so curves are boxes"
        yield Check("terminal", "warning", message, "Log in over SSH from a graphical terminal")
    else:
        yield Check("terminal", "ok", f"TERM is {term}")
    charset = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    if "utf8" in charset.lower().replace("-", ""):
        yield Check("terminal", "ok", f"the character set is UTF-8; these should be rising dots: {_BRAILLE}")
    else:
        message = f"the character set is {charset or 'not set'}, not UTF-8, so curves may be unreadable"
        yield Check("terminal", "warning", message, "export LANG=C.UTF-8")
