"""What is told when a command, or work beside the screen, fails in a way that nobody foresaw."""

from __future__ import annotations

import traceback

FRAMES = 6


def broken_lines(error: BaseException) -> list[str]:
    """What failed, that everything else goes on, and what a report of it needs."""
    where = traceback.format_tb(error.__traceback__)[-FRAMES:]
    return [
        "This is a mistake of the program, not yours.",
        "",
        f"what     {type(error).__name__}: {error}",
        "meaning  what was just asked for did not happen; the app goes on, and so does every run",
        "do       esc, and try again; if it comes again, report it with the lines below",
        "",
        *"".join(where).splitlines(),
    ]


def broken_words(error: BaseException) -> str:
    """The same of a command."""
    where = "".join(traceback.format_tb(error.__traceback__)[-FRAMES:])
    return (
        f"error: forge-tui itself failed: {type(error).__name__}: {error}\n"
        "  why: this is a mistake of the program, not yours; what was asked for did not happen, every run goes on\n"
        f"  fix: Try again; if it comes again, report it with these lines:\n{where}"
    )
