"""Findings of the data desk as lines for people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from backends.contract import Finding

# What a fix says of options, and what it says on a screen, where nobody types options.
_ON_SCREEN = (
    (re.compile(r"(?:,|:| with)? --map \w+=[^.:;]+"), " at the question for the columns"),
    (re.compile(r"[;,:]? ?--prepare [\w=]+(?: leaves them out there)?"), ""),
    (re.compile(r": --eval-data \S+"), ", put both into a folder and choose the folder"),
    (re.compile(r"--task ([\w-]+-[\w-]+)"), r"the task \1"),
    (re.compile(r" with --task and"), " and"),
)


# Findings that are a list to choose from.
_ONE_BY_ONE = ("several-data-sets",)


def for_screen(line: str) -> str:
    """A finding without the options of commands: the wizard asks for what they say."""
    for pattern, words in _ON_SCREEN:
        line = pattern.sub(words, line)
    return line


def grouped(findings: Sequence[Finding], places: int = 5) -> list[str]:
    """One line for each kind of finding: how many, what, where, what to do."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.code, []).append(finding)
    lines = []
    for group in kinds.values():
        first = group[0]
        if len(group) == 1 or first.code in _ONE_BY_ONE:
            lines += [f"{each.message} [{each.where}]. {each.fix}" for each in group]
            continue
        rest = group[-1] if group[-1].message.startswith("and ") else None
        count = rest.where.split(" ")[0] if rest else str(len(group))
        named = group[:-1] if rest else group
        where = ", ".join(_places(named[:places]))
        more = ", …" if rest or len(named) > places else ""
        same = all(finding.message == first.message for finding in named)
        lines.append(f"{count}× {first.message if same else f'such as: {first.message}'} [{where}{more}]. {first.fix}")
    return lines


def _places(findings: Sequence[Finding]) -> list[str]:
    """`row 17, 88, 91`: the word is written once."""
    shown: list[str] = []
    before = ""
    for finding in findings:
        word, space, number = finding.where.partition(" ")
        shown.append(number if space and word == before and number.isdecimal() else finding.where)
        before = word
    return shown
