"""Lines that carry their answers in marks: `__label__x` of fastText, a class and a tab, `[INST]`, CoNLL-U's columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from backends.formats.findings import Findings
from backends.formats.rows import Batch, Gathering
from backends.formats.source import Source
from backends.formats.streams import open_text, told_when_broken

_MARK = "__label__"
_LABELS = re.compile(rf"(?:\s*{_MARK}\S+)+")
_WORD_NUMBER = re.compile(r"\d+")
_OTHER_NUMBER = re.compile(r"\d+[-.]\d+")  # words written as one, and words that are not written
_CONLLU_WIDTH = 10
_LOOKED_AT = 500
ASKED = "[INST]"
_BEGIN, _ANSWERED, _END = "<s>", "[/INST]", "</s>"
_LONGEST_DIALOGUE = 1 << 20
_FEWEST_LINES, _MOST_CLASSES, _LONGEST_CLASS = 5, 50, 40
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def looks_like_fasttext(text: str) -> bool:
    """Whether nearly every line begins with a label in the way of fastText."""
    lines = [line for line in text[: 1 << 16].splitlines()[:_LOOKED_AT] if line.strip()]
    return bool(lines) and sum(line.lstrip().startswith(_MARK) for line in lines) >= 0.9 * len(lines)


def looks_like_conllu(text: str) -> bool:
    """Whether a text is CoNLL-U: ten columns split by tabs, the first of them the number of the word."""
    lines = text[: 1 << 16].splitlines()[:-1][:_LOOKED_AT] or text.splitlines()
    filled = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    return len(filled) > 1 and all(
        len(cells) == _CONLLU_WIDTH and (_WORD_NUMBER.fullmatch(cells[0]) or _OTHER_NUMBER.fullmatch(cells[0]))
        for cells in filled
    )


def labelled_columns(text: str, complete: bool) -> tuple[str, ...]:
    """The columns of lines that hold a class, a tab and a text, or a text, a tab and a class; none for all others."""
    cells = _tabbed(text, complete)
    if len(cells) < _FEWEST_LINES or any(len(line) != 2 for line in cells):
        return ()
    for label, said in ((0, 1), (1, 0)):
        classes, texts = ([line[place].strip() for line in cells] for place in (label, said))
        counts = Counter(classes)
        few = 2 <= len(counts) <= min(_MOST_CLASSES, len(cells) // 2) and "" not in counts
        short = all(len(each) <= _LONGEST_CLASS and each.count(" ") < 3 for each in counts)
        words = sum(each.count(" ") + 1 for each in texts)
        # What stands in the first line names its columns, unless it is a class of other lines too.
        if few and short and counts[classes[0]] > 1 and words >= 3 * len(texts) and 2 * len(set(texts)) > len(texts):
            return ("label", "text") if label == 0 else ("text", "label")
    return ()


def tabs_in_lines(text: str, complete: bool) -> int:
    """How many tabs nearly every line has, where that is the same number of them; else 0."""
    counts = Counter(len(line) - 1 for line in _tabbed(text, complete))
    tabs, lines = counts.most_common(1)[0] if counts else (0, 0)
    return tabs if lines >= max(_FEWEST_LINES, 0.98 * counts.total()) else 0


def is_quoted(text: str, complete: bool) -> bool:
    """Whether quotes enclose the texts of tabbed lines, as tables write them; else they are letters like any other."""
    marked = [cell.strip() for line in _tabbed(text, complete) for cell in line if cell.lstrip().startswith('"')]
    whole = bool(marked) and all(map(_QUOTED.fullmatch, marked))
    return whole and (len(marked) >= len(_tabbed(text, complete)) or any('""' in cell[1:-1] for cell in marked))


def _tabbed(text: str, complete: bool) -> list[list[str]]:
    lines = re.split(r"\r\n|\n|\r", text)
    if not complete:
        lines.pop()  # the end of the sample may have cut it
    return [line.split("\t") for line in lines if line.strip()]


def has_long_dialogues(text: str) -> bool:
    """Whether a text holds dialogues in `[INST]` marks, some of which go on over several lines."""
    if not text.lstrip().startswith((_BEGIN, ASKED)):
        return False
    lines = text[: 1 << 16].split("\n")
    found = [said for _, said in dialogues(enumerate((f"{line}\n" for line in lines), 1)) if said.strip()]
    whole = sum(ASKED in said and _ANSWERED in said for said in found)
    return 2 * whole > len(found) and any("\n" in said.strip() for said in found)


def dialogues(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Numbered lines put together to dialogues, each with the number of its first line.

    One begins with `<s>` or `[INST]` and goes on until `</s>` or the next; other lines stay what they are.
    """
    first, said, size = 0, list[str](), 0
    for number, line in lines:
        start = line.lstrip()
        inside = bool(said) and said[0].lstrip().startswith(_BEGIN)
        begins = start.startswith(_BEGIN) or (start.startswith(ASKED) and not inside)
        if said and (begins or size > _LONGEST_DIALOGUE):
            yield first, "".join(said)
            said = []
        if not said and not begins:
            yield number, line
            continue
        if not said:
            first, size = number, 0
        said.append(line)
        size += len(line)
        if line.rstrip().endswith(_END):
            yield first, "".join(said)
            said = []
    if said:
        yield first, "".join(said)


def read_fasttext(source: Source, notes: Findings) -> Iterator[Batch]:
    """A row for each line: its text, and its label or the list of its labels."""
    gathered = Gathering("line")
    number = 0
    size = max(1, source.path.stat().st_size)
    with told_when_broken(source), open_text(source, lines=True) as (stream, raw):
        for line_number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            number += 1
            marks = _LABELS.match(line)
            labels = [word.removeprefix(_MARK) for word in marks[0].split()] if marks else []
            text = (line[marks.end() :] if marks else line).strip()
            label: Any = labels if len(labels) > 1 else labels[0] if labels else None
            if gathered.add(number, line_number, (text, label), len(line)):
                yield gathered.take(source.columns, raw.tell() / size)
    if gathered.records:
        yield gathered.take(source.columns, 1.0)


def read_conllu(source: Source, notes: Findings) -> Iterator[Batch]:
    """A row for each sentence: its words (FORM) and their parts of speech (UPOS)."""
    gathered = Gathering("line")
    number, first, words, tags = 0, 0, list[str](), list[str]()
    size = max(1, source.path.stat().st_size)
    with told_when_broken(source), open_text(source, lines=True) as (stream, raw):
        for line_number, line in enumerate(stream, 1):
            cells = line.rstrip("\r\n").split("\t")
            if line.strip() and not words:
                first = line_number
            if not line.strip():
                if words:
                    number += 1
                    gathered.add(number, first, (words, tags), len(words) * 8)
                    words, tags = [], []
                    if gathered.is_full:
                        yield gathered.take(source.columns, raw.tell() / size)
            elif len(cells) == _CONLLU_WIDTH and _WORD_NUMBER.fullmatch(cells[0]):
                words.append(cells[1])
                tags.append(cells[3])
            elif not line.startswith("#") and not _OTHER_NUMBER.fullmatch(cells[0]):
                message = f"line {line_number} has {len(cells)} columns, a word has {_CONLLU_WIDTH}"
                notes.warn("ragged-row", message, f"line {line_number}", "The word is left out; correct the line.")
        if words:
            gathered.add(number + 1, first, (words, tags))
    if gathered.records:
        yield gathered.take(source.columns, 1.0)
