"""The lines of home as text: pure functions of what is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from forge_tui.axes import tidy
from forge_tui.formatting import duration, elapsed
from forge_tui.plain import plain
from forge_tui.runs.summary import RunSummary
from forge_tui.sparks import sparkline
from forge_tui.wizard.draft import draft_text, drafts

COLUMNS = (("name", 18), ("task", 16), ("status", 10), ("progress", 13), ("result", 22))


WIDTHS = tuple(width for _, width in COLUMNS)
# Of the columns that a wider terminal adds, the share of each.
_GROWS = (0.3, 0.2, 0.0, 0.0, 0.5)
# The ids of actions with their usual keys.
_NEW, _DATA, _ADVICE, _DEMO = ("app.new", "n"), ("app.data", "d"), ("app.advice", "a"), ("app.demo", "t")
_NEXT = (
    (_NEW, "new model: I know what I want"),
    (_DATA, "start from a data file"),
    (_ADVICE, "advice: should I train at all?"),
    (_DEMO, "the one-minute demo"),
)
_INVITATION = (
    (_DEMO, "the one-minute demo: trains on a bundled sample, needs no network, no GPU"),
    (_DATA, "start from a data file of yours: it is looked at before anything starts"),
    (_ADVICE, "advice: should I train at all? eleven questions, each may be left open"),
    (_NEW, "new model: I know what I want"),
)


def column_widths(width: int) -> tuple[int, ...]:
    """The widths of the columns in a terminal of `width` columns, never under those of 80."""
    more = max(0, width - 80)
    return tuple(least + int(more * share) for (_, least), share in zip(COLUMNS, _GROWS, strict=True))


def next_lines(is_empty: bool, draft: str | None, key_of: Callable[[str, str], str]) -> list[str]:
    """What to do next: two lines under the runs, or an invitation where there are none.

    `key_of` gives the key of an action by its id and usual key.
    """
    begun = [f"  {key_of(*_NEW)}  {draft}"] if draft else []
    if is_empty:
        return [
            "",
            "No runs yet. What next?",
            "",
            *begun,
            *(f"  {key_of(*each)}  {what}" for each, what in _INVITATION),
        ]
    pairs = zip(_NEXT[::2], _NEXT[1::2], strict=True)
    rows = [f"  {key_of(*left[0])}  {left[1]:<34}  {key_of(*right[0])}  {right[1]}" for left, right in pairs]
    return ["What next?", *begun, *rows]


def newest_draft() -> str | None:
    """What was begun last and not started, in words."""
    begun = drafts()
    return draft_text(begun[0]) if begun else None


def problem_line(problems: Sequence[str]) -> str:
    """What is wrong with the GPUs, when something is; all of it is told by the command."""
    more = f" ({len(problems) - 1} more: forge-tui hardware)" if len(problems) > 1 else ""
    return f" ! {problems[0]}{more}" if problems else ""


def run_cells(run: RunSummary, widths: Sequence[int] = WIDTHS, is_marked: bool = False) -> tuple[str, ...]:
    """What a row says in columns of these widths; a number never stands without its name."""
    share = run.progress
    took = elapsed(run.started, run.ended)
    progress = " ".join((f"{share:>4.0%}" if share is not None else "    ", duration(took) if took is not None else ""))
    name = f"+ {run.name}" if is_marked else run.name
    cells = (name, run.task or "?", str(run.status), progress, _result(run))
    return tuple(_fit(plain(cell), width) for cell, width in zip(cells, widths, strict=True))


def _fit(text: str, width: int) -> str:
    """`text`, cut so that a gap to the next column is left."""
    return text if len(text) < width else text[: width - 2] + "…"


def _result(run: RunSummary) -> str:
    if run.waits_for is not None:
        return run.waits_for
    if run.error is not None:
        return str(run.error.get("what"))
    if not run.metrics:
        return ""
    primary = next(iter(run.baseline or run.metrics))
    if primary in run.metrics and not run.status.is_alive:
        value = run.metrics[primary]
        gain = f" ({_short(value - run.baseline[primary], '+')})" if primary in run.baseline else ""
        return f"{primary} {_short(value)}{gain}"
    name = "loss" if "loss" in run.metrics else primary
    spark = f" {sparkline(run.losses, 6)}" if name == "loss" and len(run.losses) > 1 else ""
    return f"{name} {run.metrics[name]:.4g}{spark}"


def _short(value: float, sign: str = "") -> str:
    """Three digits that count: `.744`, `+.32`."""
    return tidy(f"{value:{sign}.3g}").replace("+0.", "+.")
