"""Findings of the data desk as lines for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from backends.contract import Finding

# What a fix says of options, and what it says on a screen, where nobody types options.
_ON_SCREEN = (
    (re.compile(r"(?:,|:| with)? --map \w+=[^.:;]+"), " at the question for the columns"),
    (re.compile(r"[;,:]? ?--prepare [\w=]+(?:,\w+)*(?: leaves them out there)?"), ""),
    (re.compile(r": --eval-data \S+"), ", put both into a folder and choose the folder"),
    (re.compile(r"--task ([\w-]+-[\w-]+)"), r"the task \1"),
    (re.compile(r" with --task and"), " and"),
)


# What was done to rows that could be used after a repair, by its code; other codes have a finding of their own.
REPAIRS = {
    "image-16-bit": "more than 8 bits a channel, scaled to 8",
    "image-grey": "grey, made red, green and blue",
    "image-alpha": "transparent, put on white",
    "image-cmyk": "colours of printing, made RGB",
    "image-rotated": "stored turned or mirrored, put upright",
    "image-frames": "several pictures, the first used",
    "audio-channels": "several channels, mixed to one",
    "audio-cut": "recordings cut short, used as they are",
    "audio-long": "long recordings, used as they are",
    "answer-offset": "answers at another place than was said, used where they are",
    "chat-role-names": "other names of roles, read as the usual ones",
    "chat-no-last-answer": "last turns without an answer, left out",
    "not-a-text": "numbers or lists where a text belongs, read as text",
}
_NUMBER = re.compile(r"\d+")
_NUMBERED = re.compile(r"(?:row|line) #(?: of \w+)?")
# Findings that are a list to choose from.
_ONE_BY_ONE = ("several-data-sets",)
# What differs between messages of one fault: quoted values, numbers, names of files.
_VALUES = re.compile(r"'[^']*'|[\w./-]+\.\w{2,5}\b|\d[\d.,×]*")
# So many different messages of one fault are all shown.
_FEW = 2


def for_screen(line: str) -> str:
    """A finding without the options of commands: the wizard asks for what they say."""
    for pattern, words in _ON_SCREEN:
        line = pattern.sub(words, line)
    return line


def grouped(findings: Sequence[Finding], places: int = 5) -> list[str]:
    """One line for each fault: how many, what, where, what to do; none hides another of its kind."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.code, []).append(finding)
    lines = []
    for kind in kinds.values():
        rest = kind.pop() if kind[-1].message.startswith("and ") else None
        faults: dict[str, list[Finding]] = {}
        for finding in kind:
            fault = finding.message if finding.code in _ONE_BY_ONE else _VALUES.sub("…", finding.message)
            faults.setdefault(fault, []).append(finding)
        if rest and len(faults) == 1:
            lines.append(_line(kind, places, rest))
            continue
        for group in faults.values():
            lines += [_line(same, places) for same in _by_message(group)]
        if rest:
            lines.append(f"{rest.message} [{rest.where}]. {rest.fix}")
    return lines


def _by_message(group: Sequence[Finding]) -> list[list[Finding]]:
    """The group as a whole, or by message where that makes few lines."""
    messages: dict[str, list[Finding]] = {}
    for finding in group:
        messages.setdefault(finding.message, []).append(finding)
    return list(messages.values()) if len(messages) <= _FEW else [list(group)]


def _line(group: Sequence[Finding], places: int, rest: Finding | None = None) -> str:
    first = group[0]
    count = rest.where.split(" ")[0] if rest else str(len(group))
    wheres = list(dict.fromkeys(finding.where for finding in group))
    more = ", …" if rest or len(wheres) > places else ""
    where = ", ".join(_places(wheres[:places]))
    such_as = "" if all(finding.message == first.message for finding in group) else "such as: "
    times = f"{count}× " if len(group) > 1 or rest else ""
    return f"{times}{such_as}{first.message} [{where}{more}]. {first.fix}"


def _places(wheres: Sequence[str]) -> list[str]:
    """`row 17, 88, 91 of validation`: the words around numbers that follow one another are written once."""
    shown: list[str] = []
    for around, some in groupby(wheres, lambda where: _NUMBER.sub("#", where, count=1)):
        same = list(some)
        if not _NUMBERED.fullmatch(around):
            shown += same
            continue
        before, after = around.split("#")
        numbers = [where[len(before) : len(where) - len(after)] for where in same]
        shown += [before + numbers[0], *numbers[1:]]
        shown[-1] += after
    return shown
