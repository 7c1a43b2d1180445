"""`forge-tui` and `python -m forge_tui`: the app at once when nothing else is asked for, else the command line.

Everything is imported inside `main`, so that a Ctrl-C is answered from the first moment on.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Open the app or run a command, and end with its exit code; a Ctrl-C ends it without a traceback."""
    try:
        from forge_tui.streams import exit_code_of, prepare_streams

        prepare_streams()
        code = exit_code_of(_open_or_run)
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)  # one more ends it at once
        code = 130
    except Exception as error:
        from forge_tui.broken import broken_words
        from forge_tui.plain import plain

        sys.stderr.write("".join(f"{plain(line)}\n" for line in broken_words(error).splitlines()))
        code = 1
    sys.exit(code)


def _open_or_run() -> None:
    """Open the app without loading the command line, or run a command."""
    from backends.contract import ForgeError
    from forge_tui.start import run_app, screen_problem

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
