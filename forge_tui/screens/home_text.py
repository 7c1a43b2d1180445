"""The lines of home as text: pure functions of what is known."""

from __future__ import annotations

from collections.abc import Sequence

from forge_tui.axes import tidy
from forge_tui.formatting import duration, elapsed
from forge_tui.plain import plain
from forge_tui.runs.summary import RunSummary
from forge_tui.sparks import sparkline

COLUMNS = (("name", 18), ("task", 16), ("status", 10), ("progress", 13), ("result", 22))


def problem_line(problems: Sequence[str]) -> str:
    """What is wrong with the GPUs, when something is; all of it is told by the command."""
    more = f" ({len(problems) - 1} more: forge-tui hardware)" if len(problems) > 1 else ""
    return f" ! {problems[0]}{more}" if problems else ""


def run_cells(run: RunSummary) -> tuple[str, ...]:
    """What a row says; a number never stands without its name."""
    share = run.progress
    took = elapsed(run.started, run.ended)
    progress = " ".join((f"{share:>4.0%}" if share is not None else "    ", duration(took) if took is not None else ""))
    cells = (run.name, run.task or "?", str(run.status), progress, _result(run))
    return tuple(_fit(plain(cell), width) for cell, (_, width) in zip(cells, COLUMNS, strict=True))


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
