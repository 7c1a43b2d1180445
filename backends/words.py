"""Words and the tokens of an encoder: a raw text into words, words into windows of tokens, scores into valid tags."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from backends.contract import ForgeError

# How the words of a corpus are divided, so that a raw text is divided alike.
SPACES, PUNCTUATION, CHARACTERS = "spaces", "punctuation", "characters"
_LOOKED_AT = 50_000
_CLITIC = re.compile(r"(?<=\w)(?:n['’]t|['’](?:s|m|d|re|ve|ll|t))$", re.IGNORECASE)
_KEPT_WHOLE = re.compile(r"(?:https?://|www\.)\S*[\w/=&#%~-]|(?:\w\.){2,}")
_CHARACTER = re.compile(r"[A-Za-z0-9]+|\S")
_HANDLE = "@#"

Span = tuple[int, int]


# --- a raw text into words ---------------------------------------------------------------------------------------


def division_of(texts: Iterable[Sequence[str]]) -> str:
    """How tagged texts were divided into words: at spaces alone, with punctuation set apart, or into characters."""
    words = list(islice((word for words in texts for word in words), _LOOKED_AT))
    letters = [word for word in words if any(map(str.isalpha, word))]
    if letters and sum(len(word) == 1 for word in letters) > 0.8 * len(letters):
        return CHARACTERS
    glued = sum(len(word) > 1 and word[-1] in ",;:?!" and word[-2].isalnum() for word in words)
    apart = sum(word in ",;:?!" for word in words)
    return SPACES if glued > apart else PUNCTUATION


def word_spans(text: str, division: str) -> list[Span]:
    """Where each word of a raw text begins and ends."""
    if division == CHARACTERS:
        return [match.span() for match in _CHARACTER.finditer(text)]
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    return spans if division == SPACES else [part for span in spans for part in _without_punctuation(text, *span)]


def _without_punctuation(text: str, start: int, end: int) -> Iterator[Span]:
    """A piece between spaces in parts: signs at its ends stand alone, and so do 's, n't and the like."""
    after: list[Span] = []
    while start < end and _is_sign(text[start]) and not (text[start] in _HANDLE and end - start > 1):
        yield start, start + 1
        start += 1
    while start < end and _is_sign(text[end - 1]) and not _KEPT_WHOLE.fullmatch(text, start, end):
        last, end = end, end - 1
        while text[end] == "." and end > start and text[end - 1] == ".":
            end -= 1
        after.append((end, last))
    clitic = _CLITIC.search(text, start, end)
    if clitic is not None:
        after.append(clitic.span())
        end = clitic.start()
    if start < end:
        yield start, end
    yield from reversed(after)


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


# --- words into windows of tokens ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """Tokens that are read at once: for each word that is judged here its number in the row and its first token."""

    row: int
    inputs: dict[str, list[int]]
    words: list[int]
    places: list[int]


def require_places(tokenizer: Any, name: str) -> None:
    """Raise ForgeError for a tokenizer that cannot tell which part of a text a token stands for."""
    if not tokenizer.is_fast:
        raise ForgeError(
            f"The tokenizer of {name} cannot mark words",
            "it does not tell where in the text its tokens stand; only tokenizers with a tokenizer.json do",
            "Choose a model whose folder holds a tokenizer.json.",
        )


def windows_of(tokenizer: Any, texts: Sequence[Sequence[str]], limit: int) -> list[Window]:
    """The windows of all texts in order, each text given by its words; those longer than `limit` tokens have several.

    Windows of a text share a quarter of their tokens, and a word is judged in the one where it has most tokens around
    it. A word without a token of its own (a lone control character) is judged nowhere.
    """
    if not texts:
        return []
    joined = [" ".join(words) for words in texts]
    side, tokenizer.truncation_side = tokenizer.truncation_side, "right"
    coded = tokenizer(
        joined,
        truncation=True,
        max_length=limit,
        stride=limit // 4,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    tokenizer.truncation_side = side
    offsets, rows = coded.pop("offset_mapping"), coded.pop("overflow_to_sample_mapping")
    owners = {row: _owners(texts[row]) for row, words in enumerate(texts)}
    found: list[list[tuple[int, int, int]]] = [[] for _ in rows]  # word, start in the text, place of its first token
    for number, row in enumerate(rows):
        seen: set[int] = set()
        for place, (start, end) in enumerate(offsets[number]):
            own = next((each for each in owners[row][start:end] if each >= 0), None)
            if own is not None and own not in seen:
                seen.add(own)
                found[number].append((own, start, place))
    judged = _judged_where(rows, found, [len(each) for each in offsets])
    names = list(coded)
    columns = [coded[name] for name in names]
    return [
        Window(
            row,
            {name: column[number] for name, column in zip(names, columns)},
            [word for word, _, _ in found[number] if judged[row, word] == number],
            [place for word, _, place in found[number] if judged[row, word] == number],
        )
        for number, row in enumerate(rows)
    ]


def _owners(words: Sequence[str]) -> list[int]:
    """For each character of the joined words the number of its word; -1 between words."""
    owners: list[int] = []
    for number, word in enumerate(words):
        owners += [number] * len(word) + [-1]
    return owners


def _judged_where(
    rows: Sequence[int], found: Sequence[Sequence[tuple[int, int, int]]], lengths: Sequence[int]
) -> dict[tuple[int, int], int]:
    """The window that each word of each row is judged in: of those with its first token the one with most around it."""
    best: dict[tuple[int, int], tuple[int, int, int]] = {}
    for number, row in enumerate(rows):
        for word, start, place in found[number]:
            rank = (-start, min(place, lengths[number] - 1 - place), -number)
            if (row, word) not in best or rank > best[row, word]:
                best[row, word] = rank
    return {key: -rank[2] for key, rank in best.items()}


# --- scores into valid tags ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decoder:
    """Chooses the likeliest tags of a text of which none is out of order: I- follows B- or I- of its type only."""

    tags: tuple[str, ...]
    unread: str

    def decode(self, scores: Any) -> list[str]:
        """The tags with the highest sum of `scores`, (words, tags), among all valid orders (Viterbi 1967)."""
        best = scores.argmax(axis=1)
        barred = self._barred
        if len(best) and not (barred[-1, best[0]] or barred[best[:-1], best[1:]].any()):
            return [self.tags[number] for number in best]
        penalty = np.where(barred, -np.inf, 0.0)
        reached = np.empty((0, len(self.tags)), dtype=int)
        total = penalty[-1]
        for number, row in enumerate(scores):
            if number:
                ways = total[:, None] + penalty[:-1]
                reached = np.vstack([reached, ways.argmax(axis=0)])
                total = ways.max(axis=0)
            total = total + row
        path = [int(total.argmax())] if len(scores) else []
        for back in reached[::-1]:
            path.append(int(back[path[-1]]))
        return [self.tags[number] for number in reversed(path)]

    def scores_of(self, words: int) -> Any:
        """Room for the scores of a text, (words, tags), filled with those of words that no window judges."""
        scores = np.full((words, len(self.tags)), -1e9)
        scores[:, self.tags.index(self.unread)] = 0.0
        return scores

    @cached_property
    def _barred(self) -> Any:
        """Which tag cannot follow which, (tags + 1, tags); the last row stands for the beginning of a text."""
        before = (*self.tags, "O")
        return np.array(
            [[tag.startswith("I-") and last not in (tag, f"B-{tag[2:]}") for tag in self.tags] for last in before]
        )
