"""The command line: every command quick, data on stdout, talk on stderr, documented exit codes.

A command imports what it needs when it runs, so that `--help` and the small commands load no screen and no library.
"""

from __future__ import annotations

import gc
import importlib
import io
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backends.contract import EXIT_DONE, ForgeError, UsageError
from forge_tui import __version__
from forge_tui.cli.quick import QuickGroup
from forge_tui.start import run_app, screen_problem

if TYPE_CHECKING:
    from forge_tui.tryit.conversation import Drawing

app = typer.Typer(
    name="forge-tui",
    cls=QuickGroup,
    help="Train a model of your own: guided, in a detached process, watched live. Without a command it opens the app.",
    epilog="Exit codes: 0 done; 1 the run or action failed; 2 wrong usage; 3 the data has errors; 4 it does not fit; "
    "130 interrupted.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit(EXIT_DONE)


@app.callback()
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Open the app when no command is given."""
    if context.invoked_subcommand is None:
        open_app()


def open_app(
    wizard_data: str | None = None,
    wizard: bool = False,
    run_id: str | None = None,
    log: str | None = None,
    chat: tuple[str, Drawing] | None = None,
) -> None:
    """Start the full-screen app at home, at the wizard, at a run or at a chat; refuses where there is no screen."""
    problem = screen_problem()
    if problem is not None:
        raise UsageError(
            "The app needs a terminal",
            problem,
            "Use the commands instead: forge-tui check DATA, forge-tui train --data DATA, forge-tui runs, "
            "forge-tui logs RUN -f; all of them: forge-tui --help",
        )
    gc.set_threshold(*_USUAL_COLLECTING)  # the app stays open for weeks
    raise typer.Exit(run_app(wizard_data=wizard_data, wizard=wizard, run_id=run_id, log=log, chat=chat))


_USUAL_COLLECTING = gc.get_threshold()
# Which module has which commands: only the one asked for is loaded, all of them for help and for what is no command.
_HOMES = {
    "advising": ("advise",),
    "chatting": ("chat",),
    "checking": ("check",),
    "data": ("tasks",),
    "estimating": ("estimate",),
    "line": ("queue",),
    "machine": ("hardware", "doctor"),
    "models": ("models",),
    "planning": ("plan",),
    "runs": ("runs", "compare", "show", "watch", "logs", "stop", "checkpoint", "resume", "delete"),
    "training": ("new", "train", "demo"),
    "using": ("predict",),
}


def load_commands(first_word: str = "") -> None:
    """Register the commands of the module that has this one, or all."""
    homes = [module for module, commands in _HOMES.items() if first_word in commands] or list(_HOMES)
    for module in homes:
        importlib.import_module(f"{__name__}.{module}")


def main() -> None:
    """Run a command; errors a person can act on are shown once, here, without a traceback."""
    # Rows and settings are many objects that live shortly and make no circles: looking for those costs a tenth.
    gc.set_threshold(100_000, 20, 50)
    load_commands(sys.argv[1] if len(sys.argv) > 1 else "")
    from forge_tui.cli.output import show_error

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 still gets its words
    try:
        app()
    except ForgeError as error:
        show_error(error)
        sys.exit(error.exit_code)
