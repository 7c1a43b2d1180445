"""The command `advise`: whether to prompt, look up, fine-tune or train, and what would change that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backends.contract import EXIT_DATA
from forge_tui.cli import app
from forge_tui.cli.output import say, show, show_json

if TYPE_CHECKING:
    from forge_tui.advice_data import FromData

_FINDINGS_SHOWN = 3
# Of the warnings about the data, those that bear on the advice; `check` tells all.
_ABOUT_AMOUNT = ("little-data", "rare-class")

# Written out, so that --help reads no file; a test holds it to decision.toml.
ANSWER_HELP = (
    "An answer as key=value, repeatable; leave out what you do not know. "
    "modality: text, image, table, audio, video; task: see forge-tui tasks; examples: a number, as 1,840 or 5 million; "
    "budget: low, medium, high; deadline: today, this-week, this-quarter; uniqueness: common, specialised, novel; "
    "accuracy: acceptable, high, perfect; knowledge of your own: none, stable, changing; volume: low, high; "
    "explainable: yes, no; quality of the examples: few-good, many-poor, mixed; "
    "use_case: customer-service, content, code, document-analysis."
)


@app.command()
def advise(
    data: Annotated[str | None, typer.Argument(help="Data that answers modality, task and examples.")] = None,
    answer: Annotated[list[str] | None, typer.Option("--answer", help=ANSWER_HELP)] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a hub id that is not here yet.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say whether to prompt a model, let it look things up, fine-tune it or train one, and what would change that."""
    from profiles.advice import decide
    from profiles.answers import parse_answers, parse_pair

    answers = parse_answers([parse_pair(each) for each in answer or []])
    found = costs = None
    if data is not None:
        from forge_tui.advice_costs import costs_of
        from forge_tui.advice_data import answers_from
        from forge_tui.cli.checking import ProgressBar
        from forge_tui.hub_data import local_data

        bar = ProgressBar()
        try:
            found = answers_from(local_data(data, download), answers, bar.at)
        finally:
            bar.end()
        answers = found.answers
        costs = costs_of(answers, found)
    advice = decide(answers)
    if json:
        of_data = {"filled": found.filled, "remarks": found.remarks, **_findings(found)} if found else None
        in_money = costs.to_json() if costs is not None else {"prompting": None, "training": None}
        show_json({**advice.to_json(), "costs": in_money, "data": of_data})
    else:
        from forge_tui.advice_text import advice_lines

        if found is not None:
            _show_data(found)
        for line in advice_lines(advice, costs.lines() if costs is not None else ()):
            show(line)
    if found is not None:
        _say_next(found, advice.recommended, str(data))
        if not found.profile.ok:
            raise typer.Exit(EXIT_DATA)


def _findings(found: FromData) -> dict[str, object]:
    checked = found.profile.to_json()
    return {key: checked[key] for key in ("path", "ok", "errors")}


def _show_data(found: FromData) -> None:
    """What the data answered, where a person knew better, and what is wrong with it in short."""
    from forge_tui.advice_text import wrapped
    from forge_tui.finding_lines import grouped
    from profiles.answers import shown

    name = Path(found.profile.path).name
    told = ", ".join(f"{key}={shown(value)}" for key, value in found.filled.items())
    unread = "could not be read as examples, so this advice rests on your answers alone"
    nothing = "answered nothing that you had not" if found.profile.ok else unread
    lines = wrapped(f"{name}: ", f"answered {told}" if told else nothing)
    for remark in found.remarks:
        lines += wrapped("i ", remark)
    errors = grouped(found.profile.errors)
    for error in errors[:_FINDINGS_SHOWN]:
        lines += wrapped("✗ ", error)
    if len(errors) > _FINDINGS_SHOWN:
        lines.append(f"✗ and {len(errors) - _FINDINGS_SHOWN:,} more")
    for warning in grouped([each for each in found.profile.warnings if each.code in _ABOUT_AMOUNT]):
        lines += wrapped("! ", warning)
    for line in lines:
        show(line)
    show()


def _say_next(found: FromData, recommended: str, named: str) -> None:
    """What to type next, where this version can do it."""
    import shlex

    from backends.registry import find_task, is_trained

    task, path = found.answers.task, shlex.quote(named)
    if not found.profile.ok:
        say(f"The data has errors; see all of them with: forge-tui check {path}")
    elif recommended in ("fine-tuning", "tabular-model", "from-scratch") and task is not None:
        if not is_trained(task):
            say(f"This version does not train {task}; the data can be checked: forge-tui check {path}")
        elif recommended == "fine-tuning" and find_task(task).accepts_model_folder:
            say("Next, with the folder of a model to start from:")
            say(f"  forge-tui train --data {path} --task {task} --model DIR")
        else:
            say(f"Next: forge-tui train --data {path} --task {task}")
