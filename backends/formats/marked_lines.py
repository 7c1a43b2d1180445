"""Lines that carry their answers in marks: fastText's `__label__x some text`, and CoNLL-U's ten columns a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
