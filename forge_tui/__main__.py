"""`forge-tui` and `python -m forge_tui`: the app at once when nothing else is asked for, else the command line."""

from __future__ import annotations

import sys

from backends.contract import ForgeError
from forge_tui.start import run_app, screen_problem


def main() -> None:
    """Open the app without loading the command line, or run a command."""
    if len(sys.argv) == 1 and screen_problem() is None:
        try:
            sys.exit(run_app())
        except ForgeError as error:
            from forge_tui.cli.output import show_error

            show_error(error)
            sys.exit(error.exit_code)
    from forge_tui.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
