"""Opens the full-screen app; the terminal is told apart before Textual is imported, which reads it then."""

from __future__ import annotations

import os


def run_app(wizard_data: str | None = None, wizard: bool = False, run_id: str | None = None) -> int:
    """Run the app to its end and return the exit code."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    os.environ.setdefault("TEXTUAL_FPS", "20")
    from forge_tui.app import ForgeApp

    app = ForgeApp(wizard_data=wizard_data, wizard=wizard, run_id=run_id)
    farewell = app.run(mouse=False)
    if farewell:
        print(farewell)
    return app.return_code or 0
