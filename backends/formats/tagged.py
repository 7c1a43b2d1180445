"""Texts with a tag for each word: CoNLL files, and the BIO rules that all such data must keep."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from backends.formats.findings import Fault, Findings
from backends.formats.rows import Batch, Gathering
from backends.formats.source import Source
from backends.formats.streams import open_text, told_when_broken

_TAG = re.compile(r"(?:O|[BIESLU]-\S+)")
_DOCUMENT = "-DOCSTART-"
_LOOKED_AT = 2_000
_WORDS_MOST = 5_000
_BEGINS, _ENDS = ("B", "S", "U"), ("E", "L", "S", "U")
_LETTERS = frozenset((*_BEGINS, *_ENDS, "I"))
# The type of entities whose tags say only where they begin.
UNNAMED = "entity"


def looks_tagged(text: str) -> bool:
    """Whether a text is CoNLL: nearly every line a word and its tag, sentences divided by blank lines."""
    lines = text[: 1 << 16].splitlines()[:-1][:_LOOKED_AT] or text.splitlines()
    filled = [line.split() for line in lines if line.strip() and not line.startswith((_DOCUMENT, "#"))]
    if len(filled) < 2:
        return False
    tagged = sum(len(words) >= 2 and _TAG.fullmatch(words[-1]) is not None for words in filled)
    inside = any(len(words) >= 2 and words[-1] != "O" and _TAG.fullmatch(words[-1]) for words in filled)
    return inside and tagged >= 0.9 * len(filled)


def read_tagged(source: Source, notes: Findings) -> Iterator[Batch]:
    """A row for each sentence; the first column holds the words, the last one the tags."""
    size = max(1, source.path.stat().st_size)
    gathered = Gathering("line")
    number, first, words, tags = 0, 0, list[str](), list[str]()
    with told_when_broken(source), open_text(source, lines=True) as (stream, raw):
        for line_number, line in enumerate(stream, 1):
            parts = line.split()
            if not parts or parts[0] == _DOCUMENT:
                if words:
                    number += 1
                    gathered.add(number, first, (words, tags), len(words) * 8)
                    words, tags = [], []
                    if gathered.is_full:
                        yield gathered.take(source.columns, raw.tell() / size)
                continue
            if line.startswith("# ") and "\t" not in line:
                continue  # a comment of CoNLL-U
            if len(parts) < 2:
                notes.warn(
                    "ragged-row",
                    f"line {line_number} has a word but no tag: {parts[0][:40]!r}",
                    f"line {line_number}",
                    "The word is taken with the tag O; write the word and its tag on a line.",
                )
                parts.append("O")
            if "\ufffd" in line:
                notes.warn(
                    "undecodable",
                    f"line {line_number} holds bytes that are not {source.encoding}; they became \ufffd",
                    f"line {line_number}",
                    "Save the file as UTF-8.",
                )
            if not words:
                first = line_number
            if len(words) < _WORDS_MOST:
                words.append(parts[0])
                tags.append(parts[-1])
                continue
            notes.warn(
                "endless-sentence",
                f"the sentence that begins at line {first} has over {_WORDS_MOST:,} words; it was divided",
                f"line {line_number}",
                "Put a blank line between sentences.",
            )
            number += 1
            gathered.add(number, first, (words, tags), len(words) * 8)
            first, words, tags = line_number, [parts[0]], [parts[-1]]
            if gathered.is_full:
                yield gathered.take(source.columns, raw.tell() / size)
        if words:
            gathered.add(number + 1, first, (words, tags))
    if gathered.records:
        yield gathered.take(source.columns, 1.0)


def tag_list(value: Any) -> list[str] | None:
    """The tags of a row as strings, from a list or from words in one string; None when it holds neither."""
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list | tuple) and all(isinstance(each, str | int) for each in value):
        return [str(each) for each in value]
    return None


def tagged_fault(words: Any, tags: Any) -> Fault | None:
    """What is wrong with one sentence; a broken BIO order is repaired, what cannot be aligned is left out."""
    word_list, tags_found = tag_list(words), tag_list(tags)
    if not word_list:
        return Fault("empty-tokens", "there is no word", "The row is left out.")
    if tags_found is None or not tags_found:
        return Fault("empty-tags", "there is no tag", "The row is left out.")
    if len(word_list) != len(tags_found):
        return Fault(
            "tags-not-aligned",
            f"{len(word_list)} words but {len(tags_found)} tags",
            "The row is left out; give each word one tag.",
        )
    broken = bio_violation(tags_found)
    if broken is not None:
        index, why = broken
        return Fault(
            "bio-order",
            f"word {index + 1} {word_list[index][:30]!r}: {why}",
            "It is read as the beginning of an entity, B-; correct it if it is none.",
            fatal=False,
        )
    return None


def bio_violation(tags: Sequence[str]) -> tuple[int, str] | None:
    """The first tag that cannot follow the one before it, and why; tags outside the BIO scheme are left alone."""
    before = "O"
    for index, tag in enumerate(tags):
        if tag[:2] in ("I-", "E-", "L-"):
            kind = tag[2:]
            if before[:2] not in ("B-", "I-"):
                return index, f"{tag} begins without a B-{kind}"
            if before[2:] != kind:
                return index, f"{tag} follows {before}"
        before = tag
    return None


def repaired_tags(tags: Sequence[str]) -> list[str]:
    """The same tags with every entity that begins inside turned into one that begins with B-."""
    found: list[str] = []
    for tag in tags:
        before = found[-1] if found else "O"
        if tag[:2] in ("I-", "E-", "L-") and (before[:2] not in ("B-", "I-") or before[2:] != tag[2:]):
            tag = f"B-{tag[2:]}"
        found.append(tag)
    return found


def tag_type(tag: str) -> str | None:
    """The type that a tag names, with or without a letter before it; None outside of entities."""
    letter, _, kind = tag.partition("-")
    if tag == "O":
        return None
    return kind if kind and letter in _LETTERS else tag


def names_each_word(seen: Collection[str]) -> bool:
    """Whether tags are classes of single words, such as parts of speech: none is O, none says where a part begins."""
    return "O" not in seen and all(tag_type(tag) == tag for tag in seen)


def bio_tags(tags: Sequence[str]) -> list[str]:
    """The same entities in valid BIO, from BIO, IOB1, BIOES, BILOU, bare types, or letters without a type."""
    found: list[str] = []
    inside: str | None = None  # the type that a following I- goes on with
    for tag in tags:
        kind = UNNAMED if tag in _LETTERS else tag_type(tag)
        letter = tag[0] if tag in _LETTERS or tag != kind else ""
        if kind is None:
            found.append("O")
        else:
            found.append(f"{'I' if kind == inside and letter not in _BEGINS else 'B'}-{kind}")
        inside = None if letter in _ENDS else kind
    return found


def entity_spans(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Type, first word and the word after the last one of each entity in valid BIO; other tags name one word each."""
    spans: list[tuple[str, int, int]] = []
    for index, tag in enumerate(tags):
        if tag.startswith("I-") and spans and spans[-1][2] == index:
            spans[-1] = (*spans[-1][:2], index + 1)
        elif tag != "O":
            spans.append((tag_type(tag) or tag, index, index + 1))
    return spans


def rarest_types(rows: Iterable[Sequence[str]]) -> list[str]:
    """For each row of tags the type in it that stands in the fewest rows; empty where there is none."""
    kinds = [sorted({kind for tag in tags if (kind := tag_type(tag)) is not None}) for tags in rows]
    counts = Counter(kind for row in kinds for kind in row)
    return [min(row, key=counts.__getitem__, default="") for row in kinds]
