"""The questions of a run: the text each is about, its accepted answers, and where the one that is learned stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from backends.contract import DataError
from backends.data import LabelledRows, load_split
from backends.formats.row_faults import answers_of, nearest_place
from backends.formats.values import as_text
from backends.job import Job

WORD = re.compile(r"\w+")
# How far around a place words of the question are looked for, in characters. Of the answers of XQuAD that stand more
# than once, 80% are found so where the place is not given, against 71% by taking the first (own trial).
_NEARBY = 60
# Of the answers of XQuAD in English 99.9% are whole words.
_WHOLE_SHARE = 0.95

Span = tuple[int, int]


@dataclass(frozen=True)
class Question:
    """A question about a text; without answers it is one that the text does not answer.

    `span` says which characters of the context are learned as its answer.
    """

    context: str
    question: str
    answers: tuple[str, ...]
    span: Span | None


@dataclass(frozen=True)
class Examples:
    """Both halves of the data."""

    train: list[Question]
    evaluation: list[Question]

    @property
    def some_unanswered(self) -> bool:
        """Whether there is a question without an answer in either half: then the model may give none."""
        return any(not each.answers for half in (self.train, self.evaluation) for each in half)

    @property
    def whole_words(self) -> bool:
        """Whether answers begin and end where words do, by those of training; in Chinese, say, they do not."""
        spans = [(each.context, *each.span) for each in self.train if each.span is not None]
        return sum(not _is_inside(*each) for each in spans) >= _WHOLE_SHARE * len(spans)


def load_examples(job: Job) -> Examples:
    """The questions of both halves; what had to be decided about their answers is told.

    Raises DataError where no training question has an answer.
    """
    split = load_split(job)
    halves = [_questions(job, side, data) for side, data in (("train", split.train), ("evaluation", split.evaluation))]
    examples = Examples(*halves)
    if all(each.span is None for each in examples.train):
        raise DataError(
            "No training question has an answer",
            "there is nothing to learn from questions without answers alone",
            "Check the data with: forge-tui check; with time_column or group_column another part may hold the answers.",
        )
    unanswered = [sum(not each.answers for each in half) for half in halves]
    if any(unanswered):
        job.events.notice(
            f"{unanswered[0]:,} of {len(halves[0]):,} train questions and {unanswered[1]:,} of {len(halves[1]):,} "
            "evaluation questions have no answer in their text"
        )
    if unanswered[1] and not unanswered[0]:
        job.events.notice(
            "training has no question without an answer, but evaluation has: the model does not learn to give none, "
            "only how unsure it is can tell; they are kept",
            "warning",
        )
    return examples


def _questions(job: Job, side: str, data: LabelledRows) -> list[Question]:
    columns = job.spec.columns
    found, told = list[Question](), Counter[str]()
    for row in data.rows:
        values = {role: row.get(column) for role, column in columns.items()}
        context, question = as_text(values["context"]), as_text(values["question"]).strip()
        texts, starts = answers_of(values)
        answers = [(text, start) for text, start in zip(texts, [*starts, *[None] * len(texts)]) if text.strip()]
        span = None
        if answers:
            text, start = next(each for each in answers if each[0] in context)
            place = place_of(context, text, start, question)
            if start is not None and start != place:
                told["moved"] += 1
            elif start is None and len(_places(context, text)) > 1:
                told["guessed"] += 1
            skipped = len(text) - len(text.lstrip())
            span = (place + skipped, place + len(text.rstrip()))
        found.append(Question(context, question, tuple(text for text, _ in answers), span))
    if told["moved"]:
        job.events.notice(
            f"{told['moved']:,} answers of the {side} rows do not stand where answer_start says; the nearest place "
            "where they stand is taken"
        )
    if told["guessed"]:
        job.events.notice(
            f"{told['guessed']:,} answers of the {side} rows stand more than once in their text, and no answer_start "
            "says where; the place with most words of the question around it is taken"
        )
    return found


def place_of(context: str, answer: str, start: int | None, question: str) -> int:
    """Where an answer stands: at `start`, nearest to it, or among words of the question where no start is given."""
    if start is not None:
        right = start >= 0 and context.startswith(answer, start)
        return start if right else nearest_place(context, answer, max(0, start))
    places = _places(context, answer)
    if len(places) == 1:
        return places[0]
    asked = {word.lower() for word in WORD.findall(question)}

    def words_around(place: int) -> int:
        end = place + len(answer)
        around = context[max(0, place - _NEARBY) : place] + " " + context[end : end + _NEARBY]
        return len(asked & {word.lower() for word in WORD.findall(around)})

    return max(places, key=words_around)


def _places(context: str, answer: str) -> Sequence[int]:
    """Every place where an answer stands, as words of its own where there is such a place: not the 5 in 2015."""
    every, place = [], context.find(answer)
    while place >= 0:
        every.append(place)
        place = context.find(answer, place + 1)
    return [each for each in every if not _is_inside(context, each, each + len(answer))] or every


def _is_inside(context: str, start: int, end: int) -> bool:
    before = start > 0 and context[start - 1].isalnum() and context[start].isalnum()
    return before or (end < len(context) and context[end].isalnum() and context[end - 1].isalnum())
