"""The counts of a run's mistakes as lines: a confusion matrix, errors by range, answers, or scores of single rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forge_tui.cells import hang_cells, pad_cells
from forge_tui.result_text import safe, short, table, type_lines
from forge_tui.runs import readings
from forge_tui.runs.results import ClassCount, Confused, Results

_CELL, _NAME = 6, 20
# The number of the class, the blanks beside its name, and the share that was found.
_BESIDE = 13
_PAIRS_SHOWN, _TYPES_SHOWN = 12, 200
_BAR = 24


def counts_name(results: Results) -> str:
    """What the second page of the results shows."""
    if results.classes:
        return "confusion"
    for name, title in (("errors", "errors"), ("answers", "answers"), ("scores_by_row", "scores")):
        if results.tables[name]:
            return title
    return "by type" if results.by_type else "counts"


def counts_lines(results: Results, width: int) -> list[str]:
    """What the mistakes are made of."""
    lines: list[str] = []
    if results.classes:
        lines += [*matrix_lines(results, width), "", *pair_lines(results, width)]
    if results.tables["errors"]:
        lines += error_lines(results.tables["errors"])
    if results.tables["answers"]:
        lines += [*answer_lines(results.tables["answers"]), ""]
    if results.tables["scores_by_row"]:
        lines += score_spread_lines(results.tables["scores_by_row"])
    lines += type_lines(results.by_type, _TYPES_SHOWN)
    return lines or ["Nothing was counted for this run: it was trained before that was done."]


def matrix_lines(results: Results, width: int) -> list[str]:
    """Rows are what was expected, columns what was said; of many classes those with most mistakes."""
    room = max(2, (width - _NAME - _BESIDE) // _CELL)
    every = results.classes
    shown = every if len(every) <= room else most_confused(results, room)
    numbers = {each.name: at for at, each in enumerate(every, 1)}
    pairs = {(each.expected, each.predicted): each.count for each in results.confused}
    lines = []
    if len(shown) < len(every):
        lines = [
            f"The {len(shown)} of {len(every)} classes confused most often; columns have their numbers.",
            "",
        ]
    lines.append(pad_cells("expected, said:", _NAME + 5) + "".join(f"{numbers[each.name]:>{_CELL}}" for each in shown))
    for row in shown:
        cells = (
            f"[{row.right:,}]" if row is column else f"{pairs.get((row.name, column.name), 0) or '·':}"
            for column in shown
        )
        found = f"{row.right / row.count:>6.0%}" if row.count else "     -"
        name = f"{numbers[row.name]:>3}  {pad_cells(row.name, _NAME)}"
        lines.append(name + "".join(f"{cell:>{_CELL}}" for cell in cells) + found)
    return [*lines, "", "[ ] right, · none; the percentage is how many of the class were found"]


def most_confused(results: Results, most: int) -> tuple[ClassCount, ...]:
    """The classes of the pairs that are confused most often, in their own order."""
    names = dict.fromkeys(name for pair in results.confused for name in (pair.expected, pair.predicted))
    names |= dict.fromkeys(each.name for each in results.classes)
    kept = set(list(names)[:most])
    return tuple(each for each in results.classes if each.name in kept)


def pair_text(pair: Confused, classes: Mapping[str, ClassCount]) -> str:
    """`ham taken for spam (12 of 966)`."""
    of = classes.get(pair.expected)
    share = f" of {of.count:,}" if of is not None and of.count else ""
    return f"{pair.expected} taken for {pair.predicted} ({pair.count:,}{share})"


def pair_lines(results: Results, width: int) -> list[str]:
    """The largest confusions by name."""
    if not results.confused:
        return ["No class was taken for another."]
    classes = {each.name: each for each in results.classes}
    lines = ["Most often confused"]
    for pair in results.confused[:_PAIRS_SHOWN]:
        lines += hang_cells("  ", pair_text(pair, classes), width)
    more = len(results.confused) - _PAIRS_SHOWN
    return [*lines, f"  … {more:,} more pairs; f among the mistakes chooses one"] if more > 0 else lines


def error_lines(errors: Mapping[str, Any]) -> list[str]:
    """How large the errors are, and where: by how large the expected number is."""
    quantiles = table(errors, "quantiles")
    lines = ["Of all held-out rows"]
    for share, value in sorted(quantiles.items(), key=lambda item: _share(item[0])):
        lines.append(f"  {_share(share):>4.0%} are off by at most {short(value)}")
    highest, bias = readings.number(errors.get("highest")), readings.number(errors.get("bias"))
    if highest is not None:
        lines.append(f"  the worst is off by {short(highest)}")
    if bias is not None:
        lines.append(f"  on average it says {short(abs(bias))} too {'much' if bias > 0 else 'little'}")
    lines += ["", f"{'expected':>25}{'rows':>9}{'mean error':>14}{'says on average':>22}"]
    ranges = errors.get("ranges")
    for each in ranges if isinstance(ranges, list) else []:
        found = readings.scores(each)
        if not {"low", "high", "count", "mean_absolute_error", "bias"} <= set(found):
            continue
        much = f"{short(abs(found['bias']))} too {'much' if found['bias'] > 0 else 'little'}"
        where = f"{short(found['low'])} to {short(found['high'])}"
        lines.append(f"{where:>25}{found['count']:>9,.0f}{short(found['mean_absolute_error']):>14}{much:>22}")
    return [*lines, ""]


def _share(text: str) -> float:
    """The share that a quantile is called by; 0 for what is none."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def answer_lines(answers: Mapping[str, Any]) -> list[str]:
    """Questions with and without an answer in their text: what the model did."""
    found = {name: readings.whole(value) for name, value in answers.items()}
    names = ("answerable", "answerable_right", "answerable_silent", "unanswerable", "unanswerable_silent")
    if any(found.get(name) is None for name in names):
        return ["The counts of answers in report.json are damaged."]
    have, right, silent, none, rightly_silent = (found[name] or 0 for name in names)
    lines = ["Questions that their text answers", f"  {right:>7,}  answered rightly, word for word"]
    lines += [
        f"  {have - right - silent:>7,}  answered otherwise",
        f"  {silent:>7,}  given no answer",
        f"  {have:>7,}  in all",
    ]
    if none:
        lines += ["", "Questions that their text does not answer", f"  {rightly_silent:>7,}  rightly given no answer"]
        lines += [f"  {none - rightly_silent:>7,}  answered all the same", f"  {none:>7,}  in all"]
    return lines


def score_spread_lines(found: Mapping[str, Any]) -> list[str]:
    """How the scores of single rows are spread."""
    metric, quantiles = safe(found.get("metric")), table(found, "quantiles")
    top = 100.0 if metric in ("chrf", "bleu") else 1.0
    lines = [f"{metric} of each row alone, from 0 to {top:g}", ""]
    for share, value in sorted(quantiles.items(), key=lambda item: _share(item[0])):
        bar = "█" * round(_BAR * max(0.0, min(1.0, value / top)))
        lines.append(f"  {_share(share):>4.0%} of rows reach at most {short(value):>7}  {bar}")
    for name, words in (("mean", "the mean is"), ("lowest", "the lowest is"), ("highest", "the highest is")):
        if (extreme := readings.number(found.get(name))) is not None:
            lines.append(f"  {words:>24}  {short(extreme):>7}")
    zero = readings.whole(found.get("zero"))
    return [*lines, f"  rows with a score of 0: {zero:,}" if zero is not None else "", ""]
