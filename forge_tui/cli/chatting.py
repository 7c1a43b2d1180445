"""`chat`: the panel on a terminal; in a pipe a line a question and its answer, word by word."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backends.contract import EXIT_INTERRUPTED, ForgeError, RunFiles, UsageError
from forge_tui.cli import app, open_app
from forge_tui.cli.output import say, show
from forge_tui.cli.runs import RUN_HELP
from forge_tui.plain import plain
from forge_tui.start import screen_problem

if TYPE_CHECKING:
    from forge_tui.tryit.conversation import Drawing


@app.command()
def chat(
    run: Annotated[str, typer.Argument(help=RUN_HELP)],
    system: Annotated[str, typer.Option("--system", help="What is said to the model before everything else.")] = "",
    greedy: Annotated[bool, typer.Option("--greedy", help="Always take the likeliest token.")] = False,
    temperature: Annotated[float, typer.Option("--temperature", help="Above 0; higher is more varied.")] = 0.7,
    top_k: Annotated[int, typer.Option("--top-k", help="Draw from so many of the likeliest tokens; 0 for all.")] = 50,
    top_p: Annotated[float, typer.Option("--top-p", help="Draw from the tokens that reach this share.")] = 0.95,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", help="The longest answer, in tokens.")] = 256,
) -> None:
    """Talk with the language model of a run; in a pipe, each line is a question."""
    from forge_tui.runs.store import find_run
    from forge_tui.tryit.conversation import Drawing
    from forge_tui.tryit.opening import require_model

    files = find_run(run)
    spec = require_model(files)
    if spec.task != "text-generation":
        raise UsageError(
            f"{spec.name} is no language model",
            f"it was trained for {spec.task}",
            f"Ask it with: forge-tui predict {files.folder.name} 'some text'; in the app with the key u",
        )
    typed = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "max_new_tokens": max_new_tokens}
    drawing = Drawing(system, greedy).changed({name: str(value) for name, value in typed.items()})
    if screen_problem() is None:
        open_app(chat=(files.folder.name, drawing))
    raise typer.Exit(_talk(files, drawing))


def _talk(files: RunFiles, drawing: Drawing) -> int:
    """Answer the lines of stdin; ctrl+c ends an answer, and between two answers the command."""
    from forge_tui.runs.backend_process import Ended, LineProcess
    from forge_tui.tryit.conversation import Exchange, messages_of

    heard: SimpleQueue[Mapping[str, Any] | ForgeError | Ended] = SimpleQueue()
    process = LineProcess(files, ("backends.chat", str(files.folder)), heard.put)
    try:
        chats = bool(_next(heard).get("ready", {}).get("chats", True))
        past: list[Exchange] = []
        for line in sys.stdin:
            if not line.strip():
                continue
            past = [*(past if chats else []), Exchange(line.rstrip("\n"))]
            messages = messages_of(drawing.system if chats else "", past)
            process.send({"ask": {"messages": messages, "settings": drawing.sampling()}})
            answer = _write_answer(process, heard)
            past[-1] = Exchange(past[-1].question, answer, "end")
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    finally:
        process.end()
    return 0


def _write_answer(process: Any, heard: SimpleQueue[Any]) -> str:
    """Print the pieces of one answer as they come, and return it."""
    pieces: list[str] = []
    while True:
        try:
            told = _next(heard)
        except KeyboardInterrupt:
            process.send({"stop": True})
            continue
        if "text" in told:
            pieces.append(str(told["text"]))
            sys.stdout.write("\n".join(plain(part) for part in pieces[-1].split("\n")))
            sys.stdout.flush()
        elif "problem" in told:
            problem = told["problem"]
            say(f"! {problem['what']}: {problem['why']}. {problem['fix']}")
            return ""
        elif "done" in told:
            show("")
            return "".join(pieces)


def _next(heard: SimpleQueue[Any]) -> Mapping[str, Any]:
    """The next thing said; raises ForgeError where the model's process came to an end."""
    from forge_tui.runs.backend_process import Ended

    told = heard.get()
    if isinstance(told, Ended):
        raise ForgeError(told.error.what, told.error.why, "Ask again: forge-tui chat")
    if isinstance(told, ForgeError):
        raise told
    return told
