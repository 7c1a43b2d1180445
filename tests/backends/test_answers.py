"""Answers: how they are compared, where they stand, how windows become answers; against plain ways to do the same."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from backends.answer_baseline import nearest_words
from backends.answer_metrics import answer_scores, best_threshold, match, normalised
from backends.answer_rows import place_of
from backends.answer_windows import Candidate, Decoder, Found, Gathered, Window

# --- comparing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "golds", "exact", "f1"),
    [
        ("The  Denver, Broncos!", ["denver broncos"], 1, 1),
        ("Broncos", ["Denver Broncos"], 0, 2 / 3),
        ("the red cup cup", ["a cup", "blue"], 0, 2 / 4),
        ("in 2015", ["2015", "in the year 2015"], 0, 4 / 5),
        ("blue", ["red", "Blue."], 1, 1),
        ("half", ["two"], 0, 0),
        ("x-ray", ["xray"], 1, 1),
        (None, [], 1, 1),
        ("something", [], 0, 0),
        (None, ["red"], 0, 0),
        ("the", [], 1, 1),  # nothing is left of it, as in the official script
        ("The", ["the", "red"], 0, 0),  # golds of which nothing is left do not count beside others
        ("the", ["The"], 1, 1),
        ("a", ["B"], 0, 0),
    ],
)
def test_an_answer_is_compared_as_squad_does(said: str | None, golds: list[str], exact: float, f1: float) -> None:
    found = match(said, golds)
    assert (found.exact, found.f1) == (exact, pytest.approx(f1))


def test_articles_go_only_as_words() -> None:
    assert normalised("An anthem, the theatre and a banana") == "anthem theatre and banana"


def test_questions_with_and_without_an_answer_are_told_apart() -> None:
    scores, parted = answer_scores(["red", None, "red cup", None], [["red"], [], ["cup"], ["x"]])
    assert scores == {"exact_match": 0.5, "f1": pytest.approx((1 + 1 + 2 / 3) / 4)}
    assert parted["answerable"] == {"exact_match": pytest.approx(1 / 3), "f1": pytest.approx(5 / 9), "count": 3}
    assert parted["unanswerable"] == {"exact_match": 1, "f1": 1, "count": 1}
    assert answer_scores(["red"], [["red"]]) == ({"exact_match": 1, "f1": 1}, {})


@pytest.mark.parametrize("seed", range(60))
def test_the_threshold_is_the_best_of_all(seed: int) -> None:
    """Against scoring every threshold that makes a difference."""
    chance = random.Random(seed)
    count = chance.randint(1, 9)
    said = [chance.choice(["red", "red cup", "blue", None]) for _ in range(count)]
    margins = [math.inf if each is None else chance.choice([-2.0, -0.5, 0.0, 0.25, 3.0]) for each in said]
    golds = [chance.choice([["red"], ["red cup"], []]) for _ in range(count)]

    def reached(threshold: float) -> tuple[float, float]:
        given = [None if margin > threshold else each for each, margin in zip(said, margins, strict=True)]
        scores, _ = answer_scores(given, golds)
        return round(scores["exact_match"], 9), round(scores["f1"], 9)

    every = [-9.0, -1.0, -0.25, 0.1, 1.0, 9.0]
    found = best_threshold(said, margins, golds)
    assert reached(found) == max(reached(each) for each in every)
    assert math.isfinite(found)


def test_the_threshold_is_zero_where_that_is_as_good() -> None:
    assert best_threshold(["red", "red"], [-1.0, 2.0], [["red"], []]) == 0.0
    assert best_threshold(["red", "red"], [1.0, 4.0], [["red"], []]) == 2.5
    assert best_threshold(["red", "red"], [-4.0, -1.0], [["red"], []]) == -2.5
    assert best_threshold([None], [math.inf], [[]]) == 0.0


# --- where answers stand ---------------------------------------------------------------------------------------------

TEXT = "In 2015 the 5 ships left, while " + "nobody was there " * 4 + "and Ann paid for 15 cups and 5 lamps."


@pytest.mark.parametrize(
    ("answer", "start", "question", "place"),
    [
        ("5", 12, "", 12),
        ("5", 13, "", 12),  # nearest to where it was said to be
        ("5", -1, "", 6),
        ("5", 9_999, "", 129),
        ("5", None, "How many ships left?", 12),
        ("5", None, "How many lamps?", 129),  # by the words around it, and never inside of 2015
        ("15", None, "When?", 117),
        ("01", None, "?", 4),  # inside of a word where it stands nowhere else
        ("Ann", None, "Who paid?", 104),
    ],
)
def test_the_place_of_an_answer(answer: str, start: int | None, question: str, place: int) -> None:
    assert place_of(TEXT, answer, start, question) == place


# --- windows into answers -----------------------------------------------------------------------------------


def window(words: Sequence[str], *, row: int = 0, skip: int = 0, first: int = 3) -> tuple[Window, str]:
    """A window that holds the words of a context from `skip` on, one token each; two tokens of a question before."""
    context = " ".join(words)
    ends = list(itertools.accumulate(len(word) + 1 for word in words))
    spans = np.array([(end - 1 - len(word), end - 1) for word, end in zip(words, ends, strict=True)][skip:])
    spans = spans.reshape(len(words) - skip, 2)
    edges = np.ones((len(words) - skip, 2), dtype=bool)
    return Window(row, {"input_ids": np.zeros(first + len(spans) + 1)}, first, spans, edges, 0), context


@pytest.mark.parametrize("seed", range(20))
def test_the_candidates_are_the_best_of_all_parts(seed: int) -> None:
    chance = np.random.default_rng(seed)
    count, longest, n_best = int(chance.integers(1, 9)), int(chance.integers(1, 5)), int(chance.integers(1, 6))
    one, context = window([f"w{number}" for number in range(count)])
    logits = chance.normal(size=(count + 4, 2))
    every = sorted(
        (
            (logits[3 + a, 0] + logits[3 + b, 1], int(one.spans[a, 0]), int(one.spans[b, 1]))
            for a in range(count)
            for b in range(a, min(a + longest, count))
        ),
        reverse=True,
    )
    decoder = Decoder(n_best, longest, whole_words=False)
    found = decoder.merged([(decoder.candidates(one, logits, context), 1.5)])
    assert [(each.start, each.end) for each in found.candidates] == [(a, b) for _, a, b in every[:n_best]]
    assert found.candidates[0].score == pytest.approx(every[0][0]) and found.null == 1.5
    assert found.margin == pytest.approx(1.5 - every[0][0])


def test_windows_of_a_question_are_put_together() -> None:
    """A part in two windows counts once with its better score; `no answer` with the lower one of its scores."""
    words = ["red", "blue", "green", "grey"]
    (first, context), (second, _) = window(words[:3]), window(words, skip=2)
    other, _ = window(["one"], row=1)
    logits = [np.zeros((8, 2)) for _ in range(3)]
    logits[0][0] = (4, 4)  # no answer
    logits[0][5] = (2, 2)  # green
    logits[1][0] = (1, 1)
    logits[1][3] = (3, 4)  # green again
    logits[2][0] = (-1, -1)
    gathered = Gathered(Decoder(3, 1, whole_words=False), [" ".join(words), "one"], [first, second, other])
    for _ in range(2):  # a second evaluation begins anew
        gathered.add(logits[:2])
        assert not gathered.is_complete
        gathered.add(logits[2:])
        assert gathered.is_complete
        green, one = gathered.found()
        assert [(" ".join(words)[each.start : each.end], each.score) for each in green.candidates] == [
            ("green", 7), ("red", 0), ("blue", 0),
        ]  # fmt: skip
        assert green.null == 2 and green.margin == -5
        assert one == Found((Candidate(0, 3, 0.0),), -2.0)
    assert context == "red blue green"


def test_answers_do_not_begin_or_end_inside_of_words() -> None:
    one, _ = window(["abc", "d"])
    halves = Window(0, one.inputs, 3, np.array([(0, 2), (2, 3), (4, 5)]), np.array([(1, 0), (0, 1), (1, 1)]) > 0, 0)
    logits = np.zeros((7, 2))
    logits[3], logits[4] = (0, 5), (5, 1)
    free, bound = (Decoder(1, 2, whole_words=whole).candidates(halves, logits, "abc d") for whole in (False, True))
    assert [(each.start, each.end) for each in free + bound] == [(2, 3), (0, 3)]
    nowhere = Window(0, one.inputs, 3, halves.spans, np.zeros((3, 2), dtype=bool), 0)
    assert Decoder(1, 2, whole_words=True).candidates(nowhere, logits, "abc d") == free


def test_spaces_around_tokens_are_no_part_of_answers() -> None:
    one, _ = window(["ab"])
    spaced = Window(0, one.inputs, 3, np.array([(0, 1), (1, 4), (4, 6)]), np.ones((3, 2), dtype=bool), 0)
    logits = np.zeros((7, 2))
    logits[4], logits[3] = (3, 3), (9, 9)
    found = Decoder(5, 1, whole_words=True).candidates(spaced, logits, "  ab  ")
    assert {(each.start, each.end) for each in found} == {(2, 4)}


def test_a_window_without_text_gives_no_answer() -> None:
    one, _ = window([])
    found = Decoder(5, 5, whole_words=True).merged([(Decoder(5, 5, True).candidates(one, np.zeros((4, 2)), ""), 0.0)])
    assert found.candidates == () and found.margin == math.inf and found.shares(None) == ([], 1.0)


def test_probabilities_agree_with_the_decision() -> None:
    found = Found((Candidate(0, 1, 3.0), Candidate(2, 3, 1.0)), 3.5)
    shares, silence = found.shares(1.0)
    assert shares[0] > silence > shares[1] and sum(shares) + silence == pytest.approx(1)
    assert found.shares(0.0)[1] > found.shares(0.0)[0][0]
    assert found.shares(None)[1] == 0 and sum(found.shares(None)[0]) == pytest.approx(1)


def test_an_answer_is_learned_where_all_of_it_stands() -> None:
    one, _ = window(["red", "blue", "green", "grey"], skip=1)
    assert one.positions((4, 8)) == (3, 3)  # blue
    assert one.positions((4, 14)) == (3, 4)
    assert one.positions((5, 7)) == (3, 3)  # inside of a token: that token
    assert one.positions((0, 8)) == one.positions((0, 3)) == one.positions(None) == (0, 0)
    assert one.positions((15, 19)) == (5, 5)


# --- the simple way -----------------------------------------------------------------------------------------


def test_the_words_nearest_to_those_of_the_question() -> None:
    facts = [("Ann", "cup"), ("Bob", "box"), ("Eve", "pen"), ("Tom", "hat"), ("Kim", "bag"), ("Ida", "jar")]
    train, asked, right = [], [], []
    for number, ((one, thing), (two, other)) in enumerate(itertools.permutations(facts, 2)):
        context = f"we know that {one} has the {thing} and that {two} has the {other} of us"
        if number % 3:
            train.append((f"who has the {other}", context, (context.index(two), context.index(two) + 3)))
        else:
            asked.append((f"who has the {other}", context))
            right.append(two)
    assert nearest_words(train, asked, seed=1) == right
    silent = [*train, *[("who has the sea", context, None) for _, context, _ in train[:10]]]
    said = nearest_words(silent, [*asked, ("who has the sea", asked[0][1])], seed=1)
    assert said[-1] is None and sum(one == other for one, other in zip(said, right, strict=False)) >= 8


def test_the_simple_way_takes_texts_without_words() -> None:
    train = [("who", "Ann is here", (0, 3))] * 3
    assert nearest_words(train, [("who", ""), ("", "Ann"), ("?", "..."), ("ann", "Ann")], seed=1) == [
        None, "Ann", None, None,
    ]  # fmt: skip
