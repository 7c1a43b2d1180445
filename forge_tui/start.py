"""Opens the full-screen app; the terminal is told apart before Textual is imported, which reads it then."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forge_tui.tryit.conversation import Drawing


def screen_problem() -> str | None:
    """Why no full screen can be shown here, or None."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "this is not a terminal"
    if os.environ.get("TERM", "dumb") in ("dumb", "unknown", ""):
        return f"TERM is {os.environ.get('TERM') or 'not set'}, which cannot show a full screen"
    return None


def run_app(
    wizard_data: str | None = None,
    wizard: bool = False,
    run_id: str | None = None,
    log: str | None = None,
    chat: tuple[str, Drawing] | None = None,
) -> int:
    """Run the app to its end and return the exit code."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    from forge_tui.app import ForgeApp
    from forge_tui.keymap import check_keymap
    from forge_tui.paths import forge_home
    from forge_tui.settings import read_look
    from forge_tui.symbols import uses_ascii, write_ascii

    forge_home()  # a folder that cannot be made is told now, on the plain terminal, as are mistakes in the settings
    look = read_look()
    check_keymap(look.keys)
    if uses_ascii():
        write_ascii()
    app = ForgeApp(wizard_data=wizard_data, wizard=wizard, run_id=run_id, log=log, look=look, chat=chat)
    farewell = app.run(mouse=False)
    if farewell:
        print(farewell)
    return app.return_code or 0
