"""Advice as lines of at most 80 columns; + and - say what speaks for and against, so that no colour is needed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from profiles.advice import Advice, Ranked
from profiles.answers import Answers, counted

_WIDTH = 79
_CHANGES_TOLD = 5


def advice_lines(advice: Advice, costs: Sequence[str] = ()) -> list[str]:
    """Everything of an advice for a terminal, the answer first; `costs` are sentences on what the ways cost here."""
    first = advice.ranked[0]
    lines = [_title(first.approach.title, _about(advice.answers))]
    lines += _bullets("  + ", first.reasons or ["nothing said so far speaks for more than this"])
    lines += _bullets("  - ", first.against)
    if advice.combinations:
        lines += ["", "Together with"]
        width = max(len(each.name) for each in advice.combinations)
        for each in advice.combinations:
            lines += wrapped(f"  {each.name:<{width}}  ", each.reason)
    lines += ["", *_comparison(advice)]
    if costs:
        lines += ["", "In money", *_bullets("  ", costs)]
    lines += _would_be(advice)
    lines += _missing(advice)
    if advice.warnings:
        lines += ["", *_bullets("! ", advice.warnings)]
    lines += _use_case(advice)
    lines += ["", *_path(advice)]
    if advice.mistakes:
        lines += ["", "Common mistakes", *_bullets("  - ", advice.mistakes)]
    return [*lines, "", *wrapped("Good practice: ", advice.practice, indent=0)]


def _title(title: str, about: str) -> str:
    return f"{title}{about:>{_WIDTH - len(title)}}" if about else title


def _about(answers: Answers) -> str:
    facts = [answers.data_modality, counted(answers) if answers.examples is not None else None]
    return " · ".join(fact for fact in facts if fact)


def wrapped(start: str, text: str, indent: int | None = None) -> list[str]:
    """A text in lines of at most 79 columns, those after the first under it."""
    space = " " * (len(start) if indent is None else indent)
    return textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=space, break_on_hyphens=False)


def _bullets(mark: str, texts: Iterable[str]) -> list[str]:
    return [line for text in texts for line in wrapped(mark, text)]


def _comparison(advice: Advice) -> list[str]:
    """Two small tables: what it takes, and what one gets."""
    shown = [each for each in advice.ranked if each.fits_data]
    takes = [(_label(each), each.data, each.approach.short["time"], each.approach.short["cost"]) for each in shown]
    gets = [
        (
            _label(each),
            each.approach.comparison["customisation"],
            each.approach.short["new_knowledge"],
            each.approach.comparison["consistency"],
            each.approach.short["maintenance"],
        )
        for each in shown
    ]
    return [
        *_table(("", "data", "first result", "cost"), takes),
        "",
        *_table(("", "customised", "new facts", "consistency", "upkeep"), gets),
    ]


def _label(ranked: Ranked) -> str:
    return ranked.approach.name.removeprefix("a ").removeprefix("training ")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns beside each other, the first row marked as the recommended one."""
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    widths[0] = max(widths[0], 12)
    lines = []
    for number, row in enumerate((header, *rows)):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(f"{'> ' if number == 1 else '  '}{cells}".rstrip())
    return lines


def _would_be(advice: Advice) -> list[str]:
    """What would lead to the other approaches; other data than there is does not count once it is known."""
    lines: list[str] = []
    known = advice.answers.data_modality is not None
    for each in advice.ranked[1:]:
        told = [change.words for change in each.changes if not (known and "modality" in change.answers)]
        if told:
            told = told[:_CHANGES_TOLD]
            lines += wrapped(f"It would be {each.approach.name} if ", f"{', or '.join(told)}.", indent=2)
    return ["", *lines] if lines else []


def _missing(advice: Advice) -> list[str]:
    """The questions still open whose answers could change the advice, and how to answer them."""
    if not advice.missing:
        return []
    names = {each.approach.id: each.approach.name for each in advice.ranked}
    lines = ["", "Not answered yet, and it could change the advice (--answer key=value):"]
    for each in advice.missing:
        led = [f"{value.removeprefix('you had ')}: {names[to]}" for value, to in each.would_give.items()]
        lines += wrapped(f"  {each.key:<12}", "; ".join(led))
    return lines


def _use_case(advice: Advice) -> list[str]:
    if advice.use_case is None:
        return []
    case = advice.use_case
    return [
        "",
        f"For {case['title']}",
        *wrapped("  start   ", case["start"]),
        *wrapped("  prompt  ", f"when {case['prompt_when']}"),
        *wrapped("  tune    ", f"when {case['tune_when']}"),
    ]


def _path(advice: Advice) -> list[str]:
    """The steps in order; the one that these examples lead to is marked."""
    lines = ["The way there, a step further only when the last one is not good enough"]
    width = max(len(step.name) for step in advice.path)
    for number, step in enumerate(advice.path, 1):
        lines += wrapped(f"{'>' if step.here else ' '} {number} {step.name:<{width}}  ", step.do)
        if step.next:
            lines += wrapped(f"    {'':<{width}}  ", f"go on if {step.next}")
    return lines
