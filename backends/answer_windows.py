"""Questions with their texts as windows of tokens, and what a model says of windows as answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backends.contract import ForgeError

# Questions that are turned into tokens at once.
_AT_ONCE = 1_000


@dataclass(frozen=True)
class Window:
    """Tokens that are read at once: `inputs` for the model, and where tokens of the context stand.

    `first` is the place of the first of them among the tokens; `spans`, (tokens of the context, 2), are their
    characters, and `edges`, of the same shape, say whether a word begins and ends with them. `null` is the place of the
    token that a model points at to say that there is no answer here.
    """

    row: int
    inputs: dict[str, Any]
    first: int
    spans: Any
    edges: Any
    null: int

    def lists(self) -> dict[str, list[int]]:
        """The inputs as the tokenizer pads them."""
        return {name: values.tolist() for name, values in self.inputs.items()}

    def positions(self, span: tuple[int, int] | None) -> tuple[int, int]:
        """Places of the first and last token of an answer; those of `null` where not all of it stands here."""
        if span is None or not len(self.spans) or self.spans[0, 0] > span[0] or self.spans[-1, 1] < span[1]:
            return self.null, self.null
        inside = np.flatnonzero((self.spans[:, 1] > span[0]) & (self.spans[:, 0] < span[1]))
        if not len(inside):
            return self.null, self.null
        return self.first + int(inside[0]), self.first + int(inside[-1])


def require_pairs(tokenizer: Any, name: str) -> None:
    """Raise ForgeError for a tokenizer that cannot tell where tokens stand, or has no token to say `no answer` with."""
    if not tokenizer.is_fast:
        raise ForgeError(
            f"The tokenizer of {name} cannot mark answers",
            "it does not tell where in the text its tokens stand; only tokenizers with a tokenizer.json do",
            "Choose a model whose folder holds a tokenizer.json.",
        )
    if not tokenizer.num_special_tokens_to_add(pair=True):
        raise ForgeError(
            f"{name} has no token to say `no answer` with",
            "its tokenizer adds none of its own to a question and a text, as those of language models that only go on "
            "with a text do; an encoder has [CLS] or <s>",
            "Choose an encoder: forge-tui models --task extractive-question-answering",
        )


def windows_of(tokenizer: Any, asked: Sequence[tuple[str, str]], limit: int, stride: int) -> Iterator[Window]:
    """The windows of each (question, context) in order, of at most `limit` tokens; long contexts have several.

    Windows of a context share `stride` tokens, or half of what a window has for it where that is less. A question takes
    a quarter of a window at most; of a longer one the end is cut.
    """
    room = limit - tokenizer.num_special_tokens_to_add(pair=True)
    stride = min(stride, (room - room // 4) // 2)
    tokenizer.truncation_side = tokenizer.padding_side = "right"
    for begin in range(0, len(asked), _AT_ONCE):
        some = asked[begin : begin + _AT_ONCE]
        questions = [question for question, _ in cut_questions(tokenizer, [question for question, _ in some], limit)]
        coded = tokenizer(
            questions,
            [context for _, context in some],
            truncation="only_second",
            max_length=limit,
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        offsets, rows = coded.pop("offset_mapping"), coded.pop("overflow_to_sample_mapping")
        letters: tuple[int, Any] = (-1, None)
        for number, row in enumerate(rows):
            if letters[0] != row:
                letters = (row, _letters(some[row][1]))
            sides = coded.sequence_ids(number)
            first = sides.index(1) if 1 in sides else len(sides)
            count = sides.count(1)
            spans = np.array(offsets[number][first : first + count], dtype=np.int32).reshape(count, 2)
            yield Window(
                begin + row,
                {name: np.array(coded[name][number], dtype=np.int32) for name in coded},
                first,
                spans,
                ~(letters[1][spans] & letters[1][spans + 1]),
                _null_place(coded["input_ids"][number], sides, tokenizer.cls_token_id),
            )


def _letters(context: str) -> Any:
    """Which characters of a text are letters or digits, with one that is none on either side of it."""
    return np.array([False, *map(str.isalnum, context), False])


def cut_questions(tokenizer: Any, questions: Sequence[str], limit: int) -> Iterator[tuple[str, bool]]:
    """Each question, with its end cut where it has more tokens than it may take of a window, and whether it was."""
    most = (limit - tokenizer.num_special_tokens_to_add(pair=True)) // 4
    coded = tokenizer(list(questions), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    for question, spans in zip(questions, coded["offset_mapping"]):
        yield (question, False) if len(spans) <= most else (question[: spans[most][0]].rstrip(), True)


def _null_place(tokens: list[int], sides: Sequence[int | None], cls: int | None) -> int:
    """The [CLS] token, or the first token of the tokenizer's own where it has no such."""
    return tokens.index(cls) if cls is not None and cls in tokens else sides.index(None)


# --- what a model says, as answers ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A part of a context that may be the answer; the score is the sum of the logits of its ends."""

    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Found:
    """What a model says of one question: the best candidates, best first, and the score of `no answer`.

    Without any candidate there was no text to look at.
    """

    candidates: tuple[Candidate, ...]
    null: float

    @property
    def margin(self) -> float:
        """How far the score of `no answer` is above that of the best answer."""
        return self.null - self.candidates[0].score if self.candidates else float("inf")

    def shares(self, threshold: float | None) -> tuple[list[float], float]:
        """The probabilities of the candidates and of `no answer` among them; 0 where the model may not say that."""
        if not self.candidates:
            return [], 1.0
        scores = np.array([each.score for each in self.candidates])
        null = -np.inf if threshold is None else self.null - threshold
        raised = np.exp(np.append(scores, null) - max(scores[0], null))
        shares = raised / raised.sum()
        return shares[:-1].tolist(), float(shares[-1])


@dataclass(frozen=True)
class Decoder:
    """Chooses answers from the logits of their first and last tokens, as BERT does for SQuAD (Devlin et al. 2019).

    With `whole_words` none begins or ends inside of a word.
    """

    n_best: int
    max_answer_length: int
    whole_words: bool

    def candidates(self, window: Window, logits: Any, context: str) -> list[Candidate]:
        """The best parts of one window; logits: (tokens, 2), the context from `window.first` on."""
        count = len(window.spans)
        if not count:
            return []
        start, end = logits[window.first : window.first + count].T.astype(np.float64)
        if self.whole_words:
            start, end = np.where(window.edges.T, (start, end), -np.inf)
        longest = min(self.max_answer_length, count)
        ends = np.lib.stride_tricks.sliding_window_view(np.append(end, np.full(longest - 1, -np.inf)), longest)
        scores = (start[:, None] + ends).ravel()  # of the part that begins at token i // longest with i % longest more
        most = min(self.n_best, len(scores))
        best = np.argpartition(-scores, most - 1)[:most]
        best = best[np.isfinite(scores[best])]
        if not len(best) and self.whole_words:  # a text without words as those of training, or one far too long
            return replace(self, whole_words=False).candidates(window, logits, context)
        found = []
        for number in best.tolist():
            first, more = divmod(number, longest)
            begin, stop = int(window.spans[first, 0]), int(window.spans[first + more, 1])
            text = context[begin:stop]
            if text.strip():
                begin += len(text) - len(text.lstrip())
                found.append(Candidate(begin, begin + len(text.strip()), float(scores[number])))
        return found

    def merged(self, windows: Iterable[tuple[list[Candidate], float]]) -> Found:
        """The windows of one question together: each part with its best score, `no answer` with its least."""
        best: dict[tuple[int, int], Candidate] = {}
        null = float("inf")
        for candidates, score in windows:
            null = min(null, score)
            for each in candidates:
                known = best.get((each.start, each.end))
                if known is None or each.score > known.score:
                    best[each.start, each.end] = each
        ordered = sorted(best.values(), key=lambda each: (-each.score, each.start, each.end))
        return Found(tuple(ordered[: self.n_best]), null)


class Gathered:
    """Takes in what a model says of windows, some at a time and in order, and puts those of a question together."""

    def __init__(self, decoder: Decoder, contexts: Sequence[str], windows: Sequence[Window]) -> None:
        self.decoder, self.contexts, self.windows = decoder, contexts, windows
        self._seen = 0
        self._parts: list[list[tuple[list[Candidate], float]]] = []

    def add(self, logits: Any) -> None:
        """Take in the logits of the next windows, (windows, tokens, 2); after the last window it begins again."""
        if self._seen in (0, len(self.windows)):
            self._seen, self._parts = 0, [[] for _ in self.contexts]
        for said in logits:
            window = self.windows[self._seen]
            candidates = self.decoder.candidates(window, said, self.contexts[window.row])
            self._parts[window.row].append((candidates, float(said[window.null].sum())))
            self._seen += 1

    @property
    def is_complete(self) -> bool:
        """Whether all windows were seen."""
        return self._seen == len(self.windows)

    def found(self) -> list[Found]:
        """What was said of each question, once it is complete."""
        return [self.decoder.merged(each) for each in self._parts]
