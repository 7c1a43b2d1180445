"""Commands that use a finished model: `predict`."""

from __future__ import annotations

import json as json_module
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backends.contract import UsageError, read_json
from backends.registry import Task, find_task
from forge_tui.cli import app
from forge_tui.cli.output import say, score, show
from forge_tui.cli.runs import RUN_HELP
from forge_tui.finding_lines import grouped
from forge_tui.paths import typed_path
from forge_tui.plain import plain

# Candidates beside the answer that `predict` shows of a single question.
OTHERS_SHOWN = 2

if TYPE_CHECKING:
    from forge_tui.prediction_rows import PredictionRows


@app.command()
def predict(
    run: Annotated[str, typer.Argument(help=RUN_HELP)],
    text: Annotated[str | None, typer.Argument(help="A text, or for tables a row as JSON.")] = None,
    file: Annotated[str | None, typer.Option("--file", help="A data file whose rows are predicted.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a row.")] = False,
) -> None:
    """Predict with the model of a finished run."""
    from forge_tui.prediction_rows import PredictionRows
    from forge_tui.runs.predicting import predict_rows
    from forge_tui.runs.store import find_run
    from forge_tui.runs.summary import summarise_run
    from forge_tui.tryit.opening import require_model

    files = find_run(run)
    summary = summarise_run(files)
    require_model(files)
    task = find_task(summary.task or "", summary.strategy)
    if (text is None) == (file is None):
        raise UsageError(
            "There is nothing to predict" if text is None else "A text and --file do not go together",
            "give either a text (for tables a row as JSON) or --file",
            "For example: forge-tui predict last 'some text'",
        )
    schema = read_json(files.model / "schema.json") or {}  # table models have one
    rows = PredictionRows(typed_path(file or ""), schema.get("features", ()), bool(schema.get("decimal_comma")))
    asked = _told(rows, rows if file else _typed_rows(text or "", task, files.spec, rows))
    for index, answer in enumerate(predict_rows(files, asked)):
        number = rows.numbers[index] if file else 1
        if json:
            sys.stdout.write(json_module.dumps({"row": number, **answer}) + "\n")
            continue
        told = next((lines for mark, lines in _LINES.items() if mark in answer), None)
        if told is not None:
            for line in told(answer, not file):
                show(line)
            continue
        prediction = answer["prediction"]
        if isinstance(prediction, list):
            shares = answer["probabilities"]
            show("  ".join(f"{name} {shares[name]:.1%}" for name in prediction) or "no label")
            continue
        shown = score(prediction) if isinstance(prediction, float) else str(prediction)
        sure = f"  {answer['probability']:.1%}" if "probability" in answer else ""
        show(shown + sure)


def marked_lines(answer: Mapping[str, Any], alone: bool) -> list[str]:
    """A text with its entities marked, on one line; a text that stands alone is wrapped, with its entities below it."""
    text = " ".join(plain(str(answer["prediction"])).split())
    if not alone:
        return [text]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    lines = wrap(text, width, break_on_hyphens=False) or [""]
    entities: Sequence[Mapping[str, Any]] = answer["entities"]
    widest = max((len(entity["type"]) for entity in entities), default=0)
    for entity in entities:
        place = f"{entity['start']}-{entity['end']}"
        told = f"  {entity['type']:<{widest}}  {place:>9}  {entity['probability']:6.1%}  "
        lines.append(told + shorten(entity["text"], max(20, width - len(told)), placeholder=" …"))
    return lines


def answer_lines(answer: Mapping[str, Any], alone: bool) -> list[str]:
    """The answer to a question with its probability and place; below a single one the other candidates and its text."""
    said = "(no answer)" if answer["prediction"] is None else " ".join(plain(str(answer["prediction"])).split())
    place = "" if answer["start"] is None else f"  {answer['start']}-{answer['end']}"
    lines = [f"{said}  {answer['probability']:.1%}{place}"]
    if not alone:
        return lines
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    indent = "  "
    lines += wrap(plain(answer["passage"]), width, initial_indent=indent, subsequent_indent=indent)
    others = [each for each in answer["answers"] if each["start"] != answer["start"] or each["end"] != answer["end"]]
    for each in others[:OTHERS_SHOWN]:
        told = f"  {each['probability']:6.1%}  "
        text = " ".join(plain(each["text"]).split())
        lines.append(told + shorten(text, max(20, width - len(told)), placeholder=" …"))
    return lines


# How answers that are more than a word are printed, by a key that only they have.
_LINES = {"entities": marked_lines, "answers": answer_lines}


def _told(rows: PredictionRows, asked: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What is asked; what of it cannot be read or is missing is told when all are read."""
    yield from asked
    for line in grouped(rows.notes.warnings()):
        say(f"! {line}")


def _typed_rows(text: str, task: Task, spec_path: Path, rows: PredictionRows) -> Iterator[dict[str, Any]]:
    """The one row of the command line, of a table looked through as the rows of a file are."""
    from forge_tui.prediction_rows import readable_row

    if not text.strip():
        raise UsageError("The text is empty", "there is nothing to predict", "Give a text, or --file FILE.")
    row = _typed_row(text, task, spec_path)
    if task.is_tabular:
        rows.note_missing_columns(tuple(row), "row 1")
        row = readable_row(row, "row 1", rows, rows.decimal_comma)
    yield row


def _typed_row(text: str, task: Task, spec_path: Path) -> dict[str, Any]:
    """One row from the command line: an object with column names, or the text itself where one text is the input."""
    from backends.contract import read_spec

    columns = read_spec(spec_path).columns
    if text.lstrip().startswith("{"):
        try:
            row = json_module.loads(text)
        except ValueError as error:
            raise UsageError(
                "The row is not valid JSON", str(error), "Quote it for the shell: '{\"column\": 1}'"
            ) from None
        if isinstance(row, dict):
            return row
    if not task.roles:  # a language model: whatever it learned from, one text is a question, or a beginning
        return {"": text}
    asked = [role for role in task.data.asked_roles if role in columns]
    if not task.is_tabular and len(asked) == 1:
        return {columns[asked[0]]: text}
    example = ", ".join(f'"{columns[role]}": "…"' for role in asked) if not task.is_tabular else '"column": 1'
    raise UsageError(
        "This model reads more than one text" if not task.is_tabular else "A table row has columns",
        "one bare text is not enough",
        f"Give it as JSON: '{{{example}}}'",
    )
