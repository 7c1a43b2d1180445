"""The command `check`: what data is, what it is for, and everything that is wrong with it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from backends.contract import EXIT_DATA, DatasetProfile, UsageError
from backends.options import PreparationOptions, parse_settings
from forge_tui.cli import app
from forge_tui.cli.data import MAP_HELP, PREPARE_HELP, parse_pairs
from forge_tui.cli.output import say, show, show_json
from forge_tui.cli.quick import QuickCommand
from forge_tui.finding_lines import REPAIRS, grouped
from forge_tui.formatting import counted
from forge_tui.plain import plain
from forge_tui.previews import preview_lines

_BAR_AFTER_SECONDS = 1.0
_BAR_EVERY_SECONDS = 0.2
_COLUMNS_SHOWN = 20
# How a delimiter that is not in the name of the format is called.
_DELIMITERS = {";": "semicolon", "|": "bar", "^": "caret", "~": "tilde"}
# Roles whose cells are files: their names tell more than the folders before them.
_FILES = ("image", "images", "audio", "video")


@app.command(cls=QuickCommand)
def check(
    data: Annotated[str, typer.Argument(help="A data file, a folder, a mix file or a hub id such as owner/name.")],
    task: Annotated[str | None, typer.Option(help="The task to check for; otherwise the likeliest.")] = None,
    map: Annotated[list[str] | None, typer.Option("--map", help=MAP_HELP)] = None,
    eval_data: Annotated[str | None, typer.Option(help="Separate evaluation data, checked with it.")] = None,
    prepare: Annotated[list[str] | None, typer.Option("--prepare", help=PREPARE_HELP)] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens the model reads; longer rows are named.")] = None,
    model: Annotated[str | None, typer.Option(help="A model folder, whose tokenizer counts the tokens.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a hub id that is not here yet.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what data is, what it is for and everything that is wrong with it."""
    from backends.formats.check_request import CheckRequest
    from backends.formats.checks import check as run_check
    from forge_tui.hub_data import local_data
    from forge_tui.token_counts import counter_of

    if max_length is not None and max_length < 1:
        fix = "Give a number above 0, such as --max-length 512, or leave it out."
        raise UsageError(f"--max-length cannot be {max_length}", "it is how many tokens a model reads at once", fix)
    bar = ProgressBar()
    request = CheckRequest(
        path=local_data(data, download),
        task=task,
        columns=parse_pairs(map, "--map"),
        eval_path=local_data(eval_data, download) if eval_data is not None else None,
        preparation=parse_settings(PreparationOptions, parse_pairs(prepare, "--prepare"), "preparation"),
        longest=max_length,
        count_tokens=counter_of(model) if model is not None else None,
        on_first=None if json else _show_first,
        on_progress=bar.at,
    )
    try:
        profile = run_check(request)
    finally:
        bar.end()
    if json:
        show_json(profile.to_json())
    else:
        _show(profile, task)
    if not profile.ok:
        raise typer.Exit(EXIT_DATA)


class ProgressBar:
    """A line on the terminal that says how much has been read, once that takes longer than a second."""

    def __init__(self) -> None:
        self._started = self._painted = time.monotonic()
        self._shown = False
        self._is_wanted = sys.stderr.isatty()

    def at(self, share: float) -> None:
        """So much has been read, from 0 to 1."""
        now = time.monotonic()
        if not self._is_wanted or now - self._started < _BAR_AFTER_SECONDS or now - self._painted < _BAR_EVERY_SECONDS:
            return
        self._painted, self._shown = now, True
        filled = min(30, int(share * 30))
        sys.stderr.write(f"\rchecking  {'█' * filled}{'░' * (30 - filled)} {min(1.0, share):4.0%}")
        sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _show_first(first: DatasetProfile) -> None:
    """What the first rows say, at once, however long the rest takes."""
    encoding = {"utf-8-sig": "utf-8 with a byte order mark"}.get(first.encoding or "", first.encoding)
    delimiter = _DELIMITERS.get(first.stats["delimiter"])
    split_by = f"split by {delimiter}s" if delimiter else None
    facts = [first.format, split_by, encoding, counted(first.rows, "row") if first.rows is not None else None]
    show(f"{Path(first.path).name}: {', '.join(fact for fact in facts if fact)}")
    _show_roles(first)
    for line in preview_lines(first):
        show(line)


def _show_roles(profile: DatasetProfile) -> None:
    columns: Mapping[str, Any] = profile.stats.get("columns", {})
    for role, name in profile.columns.items():
        given = columns.get(name, {}).get("examples", ())[:3]
        if role in _FILES:
            given = [each.rpartition("/")[2] for each in given]
        examples = ", ".join(map(_short, given))
        show(f"{role} = {name}" + (f"   {examples}" if examples else ""))


def _short(example: str) -> str:
    text = plain(example)
    return text if len(text) <= 24 else f"{text[:23]}…"


def _show(profile: DatasetProfile, asked: str | None) -> None:
    stats = profile.stats
    if not stats:
        show(f"{Path(profile.path).name}: not readable as data")
    if asked is not None:
        show(f"task: {asked}, as you asked")
    for number, proposal in enumerate(profile.proposals if asked is None else ()):
        strategy = f" ({proposal.strategy})" if proposal.strategy else ""
        show(f"{'task' if not number else '  or'}: {proposal.task}{strategy}, because {proposal.reason}")
    if profile.rows is not None and profile.usable_rows is not None and stats:
        rows = profile.rows + stats.get("unread_rows", 0)
        show(f"{profile.usable_rows:,} of {counted(rows, 'row')} can be used{_parts(stats)}")
    _show_statistics(stats)
    for line in grouped(profile.errors):
        show(f"✗ {line}")
    for line in grouped(profile.warnings):
        show(f"! {line}")
    _show_quality(stats)
    _say_end(profile)


def _parts(stats: Mapping[str, Any]) -> str:
    parts = stats.get("parts", {})
    if len(parts) < 2:
        return ""
    return ": " + ", ".join(f"{name} {counts['usable_rows']:,}" for name, counts in parts.items())


def _show_statistics(stats: Mapping[str, Any]) -> None:
    labels = stats.get("labels") or {}
    if labels:
        show("label rows: " + ", ".join(f"{label} {count:,}" for label, count in list(labels.items())[:12]))
        if stats["label_count"] > 12:
            show(f"  and {stats['label_count'] - 12:,} more classes")
    _show_merges(stats.get("merged_labels"))
    for key, name in (("lengths", "length"), ("source_lengths", "  source"), ("target_lengths", "  target")):
        if lengths := stats.get(key):
            about = "" if lengths.get("unit") == "tokens" else " (about)"
            show(
                f"{name} in tokens{about}: half under {lengths['median']:,}, 95% under {lengths['p95']:,}, "
                f"longest {lengths['longest']:,}"
            )
    if "learned_share" in stats and stats.get("turns"):
        show(f"the model learns {stats['learned_share']:.0%} of the text; turns: {_counts(stats['turns'])}")
    if sizes := stats.get("sizes"):
        show(f"picture sizes: {_counts(sizes['most_common'])}; {sizes['different']:,} in all")
    if seconds := stats.get("seconds"):
        show(f"seconds: half under {seconds['median']:g}, longest {seconds['longest']:g}, {seconds['total']:,g} in all")
    if boxes := stats.get("boxes_an_image"):
        show(f"boxes: {stats['boxes']:,}, {boxes['mean']:g} a picture, at most {boxes['most']:,}")
    if "questions_without_answer" in stats:
        show(f"answers: {stats['answers']:,}; questions without one: {stats['questions_without_answer']:,}")
    if features := stats.get("features"):
        _show_columns(features, stats["columns"])
    if repaired := stats.get("repaired"):
        show(f"repaired while reading: {_counts({REPAIRS.get(code, code): n for code, n in repaired.items()})}")
    for why, count in (stats.get("filtered") or {}).items():
        show(f"left out as you chose: {count:,} {why}")
    for why, count in (stats.get("low_quality") or {}).items():
        show(f"not trained on as you chose: {count:,} {why}; those of them that are held out are scored all the same")


def _show_merges(merges: Mapping[str, Mapping[str, int]] | None) -> None:
    """Which spellings of labels became which, where that was chosen."""
    if merges is None:
        return
    for chosen, others in list(merges.items())[:12]:
        told = ", ".join(f"{label!r} ({count:,})" for label, count in list(others.items())[:8])
        show(f"merged as you chose: {told} into {chosen!r}")
    if len(merges) > 12:
        show(f"  and {len(merges) - 12:,} more")
    if not merges:
        show("merged as you chose: nothing, no two labels differ in case only")


def _show_columns(features: Mapping[str, str], columns: Mapping[str, Any]) -> None:
    """The columns a table model learns from: kind, gaps and range of each."""
    show(f"learns from {counted(len(features), 'column')}:")
    for name, kind in list(features.items())[:_COLUMNS_SHOWN]:
        column = columns[name]
        gaps = f", {column['missing']:,} missing" if column["missing"] else ""
        if kind == "number" and column["minimum"] is not None:
            held = f"{column['minimum']:,g} to {column['maximum']:,g}"
        else:
            held = f"{column['distinct']:,} values: " + ", ".join(_short(each) for each in column["examples"])
        show(f"  {plain(name)[:28]:<28} {kind:<9} {held}{gaps}")
    if len(features) > _COLUMNS_SHOWN:
        show(f"  and {len(features) - _COLUMNS_SHOWN:,} more columns")


def _counts(counts: Mapping[Any, int], most: int = 8) -> str:
    shown = ", ".join(f"{key} ({count:,})" for key, count in list(counts.items())[:most])
    return shown + (" …" if len(counts) > most else "")


def _show_quality(stats: Mapping[str, Any]) -> None:
    for name, marks in (stats.get("quality_columns") or {}).items():
        show(
            f"i {name!r} looks like a mark of quality, {marks['lowest']:g} to {marks['highest']:g}: use all rows "
            f"first; then leave out the lowest quarter, --prepare quality_column={name} --prepare "
            f"quality_from={marks['quarter_below']:g}, or weigh the rows, --prepare weight_column={name}; compare."
        )


def _say_end(profile: DatasetProfile) -> None:
    from backends.registry import TASKS, is_trained

    if not profile.ok:
        say("No run can start on this data yet.")
    elif profile.task is not None and not is_trained(profile.task):
        trained = ", ".join(task.id for task in TASKS)
        say(f"The data is fine; this version does not train {profile.task}. It trains {trained}.")
    else:
        say("A run can start on this data.")
