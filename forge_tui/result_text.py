"""The results of a run as lines of text: the same for the screen, the command and its plain output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forge_tui.axes import tidy
from forge_tui.cells import hang_cells, pad_cells, wrap_cells
from forge_tui.formatting import duration, elapsed, gibibytes
from forge_tui.plain import plain
from forge_tui.runs import readings
from forge_tui.runs.next_steps import chance_margin, gains, next_steps
from forge_tui.runs.results import Judged, Results

_MARKED = re.compile("«(.*?)/[^/»]*»")


def short(value: float) -> str:
    """Four digits that count: `.9712`, `38.2`."""
    return tidy(f"{value:.4g}")


def verdict(results: Results) -> str:
    """Whether the model was worth it, in a sentence."""
    primary = results.primary
    if primary is None:
        return "This run has no scores."
    ours = results.run.metrics[primary]
    told = f"{primary} {short(ours)}"
    behind = gains(results)
    if not behind:
        return f"{told}; no baseline was measured."
    beside = {name: short(scores[primary]) for name, scores in _baselines(results).items() if primary in scores}
    others = ", ".join(f"{name} {value}" for name, value in beside.items())
    margin = chance_margin(primary, ours, results.told("rows") or results.eval_rows)
    least = min(behind.values())
    close = ""
    if margin is not None and abs(least) < margin:
        close = f" On so few rows chance alone makes a difference of about {short(margin)} either way."
    if least > 0:
        which = (
            "both simple methods" if len(behind) == 2 else "every simple method" if len(behind) > 2 else "the baseline"
        )
        return f"Better than {which}: {told}, against {others}.{close}"
    if least == 0:
        return f"No better than the simple methods: {told}, against {others}.{close}"
    return f"Worse than {min(behind, key=lambda name: behind[name])}: {told}, against {others}.{close}"


def _baselines(results: Results) -> Mapping[str, Mapping[str, float]]:
    return results.baselines or {results.run.baseline_name or "baseline": results.run.baseline}


def score_lines(scored: Mapping[str, Mapping[str, float]], width: int) -> list[str]:
    """The scores beside each other; below each other where the names are too long for that."""
    names = list(dict.fromkeys(name for scores in scored.values() for name in scores))
    widths = [max(10, len(each)) for each in scored]

    def cell(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    if 18 + sum(each + 2 for each in widths) > width:
        label = max(map(len, scored))
        return [
            line
            for name in names
            for line in (name, *(f"  {each:<{label}}  {cell(scores.get(name)):>10}" for each, scores in scored.items()))
        ]
    head = "".join(f"  {each:>{wide}}" for each, wide in zip(scored, widths, strict=True))
    rows = (
        "".join(f"  {cell(scores.get(name)):>{wide}}" for scores, wide in zip(scored.values(), widths, strict=True))
        for name in names
    )
    return [f"{'metric':<18}{head}", *(f"{name:<18}{row}" for name, row in zip(names, rows, strict=True))]


def type_lines(by_type: Mapping[str, Mapping[str, float]], most: int | None = None) -> list[str]:
    """The scores of each type of entity, label or question, the most frequent first; nothing where there are none."""
    if not by_type:
        return []
    names = list(next(iter(by_type.values())))
    lines = ["type" + " " * 20 + "".join(f"{name:>12}" for name in names)]
    for kind, scores in sorted(by_type.items(), key=lambda item: -item[1].get("count", 0)):
        values = ((name, scores.get(name)) for name in names)
        cells = (
            "-" if value is None else f"{value:,.0f}" if name == "count" else f"{value:.4f}" for name, value in values
        )
        lines.append(pad_cells(kind, 23) + " " + "".join(f"{cell:>12}" for cell in cells))
    if most is not None and len(lines) > most + 1:
        lines = [*lines[: most + 1], f"… {len(lines) - most - 1:,} more, all in report.json"]
    return lines


def result_lines(results: Results, width: int) -> list[str]:
    """The first page: the verdict, the scores, what to do, what it took and where it lies."""
    lines = [*wrap_cells(verdict(results), width), ""]
    if results.run.metrics:
        lines += [*score_lines({"this model": results.run.metrics, **_baselines(results)}, width), ""]
    lines.append("What to do with this")
    for step in next_steps(results):
        sentence, *commands = step.split("\n")
        lines += [*hang_cells("  • ", sentence, width), *(f"    {command}" for command in commands)]
    return [*lines, "", *about_lines(results)]


def about_lines(results: Results) -> list[str]:
    """Rows, time, memory and files."""
    lines = []
    mistakes, rows = results.told("mistakes"), results.told("rows") or results.eval_rows
    if rows is not None:
        wrong = "" if mistakes is None else f", {mistakes:,} of them wrong ({mistakes / max(1, rows):.1%})"
        lines.append(f"held out  {rows:,} rows{wrong}; trained on {_count(results.train_rows)}")
    whole = elapsed(results.run.started, results.run.ended)
    lines.append(f"time      {duration(results.training_seconds)} of training, {duration(whole)} in all")
    lines.append(f"memory    {memory_text(results)}")
    folder = Path(results.run.path)
    lines += [f"files     {folder}", "          model/ report.json predictions.jsonl README.md"]
    return lines


def _count(value: int | None) -> str:
    return "an unknown number" if value is None else f"{value:,}"


def memory_text(results: Results) -> str:
    """The peak that was measured beside what was estimated."""
    peak, estimated = results.peak_bytes, results.estimated_bytes
    if peak is None:
        return "unknown: the peak was not measured"
    if not estimated or not peak:
        return f"peak {gibibytes(peak)} GiB measured, not estimated before"
    return f"peak {gibibytes(peak)} GiB measured, {gibibytes(estimated)} GiB estimated ({estimated / peak - 1:+.0%})"


def judged_lines(row: Judged, width: int, most: int | None = None) -> list[str]:
    """A held-out row to read: what was expected and said, how sure that was, and the text, cut to `most` lines."""
    name, sure = sure_text(row)
    lines = hang_cells("expected  ", row.expected or "(nothing)", width, most)
    lines += hang_cells("said      ", row.predicted or "(nothing)", width, most)
    if sure:
        lines += hang_cells(f"{name:<10}", sure, width, most)
    if _MARKED.sub(r"\1", row.expected) == row.input:  # the text stands there already, with its entities marked
        return lines
    return lines + hang_cells("text      ", row.input or "(empty)", width, most)


def sure_text(row: Judged) -> tuple[str, str]:
    """How sure the model was, or how far off, with the name of that; empty where nothing is known of it."""
    if row.error is not None:
        return "off by", f"{short(abs(row.error))}, too {'high' if row.error > 0 else 'low'}"
    parts = []
    if row.probability is not None:
        parts.append(percent(row.probability))
    if row.expected_probability is not None and row.wrong:
        parts.append(f"{percent(row.expected_probability)} for what was expected")
    parts += [f"{name} {percent(share)}" for name, share in row.probabilities.items()]
    if row.score is not None:
        parts.append(f"{'score ' if parts else ''}{short(row.score)}")
    return "how sure" if row.probability is not None or row.probabilities else "score", ", ".join(parts)


def percent(share: float) -> str:
    """`88%`; with a digit more where it would be said to be certain."""
    return f"{share:.0%}" if 0.005 <= share < 0.995 else f"{share:.1%}"


def table(found: Mapping[str, Any], name: str) -> Mapping[str, float]:
    """The numbers of an inner table of the report."""
    return readings.scores(found.get(name))


def safe(value: object) -> str:
    """A text of the report to show."""
    return plain(str(value))
