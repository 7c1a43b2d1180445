"""Raw texts into words, words into windows of tokens, scores into valid tags."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import ForgeError
from backends.encoders import train_tokenizer
from backends.formats.tagged import bio_violation
from backends.words import (
    CHARACTERS,
    PUNCTUATION,
    SPACES,
    Decoder,
    Window,
    division_of,
    require_places,
    windows_of,
    word_spans,
)

# --- a raw text into words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("division", "text", "words"),
    [
        (PUNCTUATION, "Ann lives in New York.", "Ann|lives|in|New|York|."),
        (PUNCTUATION, "Wait... (it's @ann, #fun!)", "Wait|...|(|it|'s|@ann|,|#fun|!|)"),
        (PUNCTUATION, "I can't, don’t you?", "I|ca|n't|,|do|n’t|you|?"),
        (PUNCTUATION, "see https://x.org/a?b=1, U.S. 5%", "see|https://x.org/a?b=1|,|U.S.|5|%"),
        (PUNCTUATION, "Köln-Deutz, यह दिल्ली है।", "Köln-Deutz|,|यह|दिल्ली|है|।"),
        (PUNCTUATION, "@ # «»", "@|#|«|»"),
        (SPACES, "Ann, in New  York.\n", "Ann,|in|New|York."),
        (CHARACTERS, "我在 Rome 12", "我|在|Rome|12"),
        (PUNCTUATION, " \n ", ""),
    ],
)
def test_a_raw_text_is_divided_like_the_corpus(division: str, text: str, words: str) -> None:
    assert "|".join(text[start:end] for start, end in word_spans(text, division)) == words


@given(st.text(max_size=40), st.sampled_from([SPACES, PUNCTUATION, CHARACTERS]))
def test_every_character_that_is_no_space_is_in_one_word(text: str, division: str) -> None:
    spans = word_spans(text, division)
    assert all(start < end for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    inside = {place for start, end in spans for place in range(start, end)}
    assert all(place in inside for place, character in enumerate(text) if not character.isspace())


@pytest.mark.parametrize(
    ("texts", "division"),
    [
        ([["Ann", ",", "Bob", "run", "."]] * 3, PUNCTUATION),
        ([["Ann,", "Bob", "run."]] * 3, SPACES),
        ([["我", "在", "北", "京", "。"]] * 3, CHARACTERS),
        ([["Ann", "runs"]], PUNCTUATION),
        ([], PUNCTUATION),
    ],
)
def test_how_a_corpus_is_divided_is_seen_in_its_words(texts: list[list[str]], division: str) -> None:
    assert division_of(texts) == division


# --- words into windows of tokens ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(["the quick brown fox jumps over lazy dogs"] * 5 + ["Ann and Bob"] * 5, lowercase=False)


def read(tokenizer: Any, window: Window) -> dict[int, str]:
    """The text of the first token of each word that a window judges."""
    ids = window.inputs["input_ids"]
    return {word: tokenizer.decode([ids[place]]) for word, place in zip(window.words, window.places, strict=True)}


def test_a_short_text_is_one_window_and_the_first_token_of_a_word_stands_for_it(tokenizer: Any) -> None:
    (window,) = windows_of(tokenizer, [["Ann", "jumps", "zebras", "."]], 64)
    ids = window.inputs["input_ids"]
    assert window.words == [0, 1, 2, 3] and len(ids) > 6  # zebras has several tokens
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    heads = read(tokenizer, window)
    assert heads[0].strip() == "Ann" and heads[1].strip() == "jumps" and heads[3].strip() == "."
    assert heads[2].strip() and "zebras".startswith(heads[2].strip())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.text("abz .é我🙂\u200d", max_size=6), max_size=40), min_size=1, max_size=3), st.integers(4, 24)
)
def test_every_word_with_a_token_is_judged_once_within_the_limit(texts: list[list[str]], limit: int) -> None:
    tokenizer = train_tokenizer(["ab za abza"] * 4, lowercase=False)
    windows = windows_of(tokenizer, texts, limit)
    assert all(len(window.inputs["input_ids"]) <= limit for window in windows)
    assert [window.row for window in windows] == sorted(window.row for window in windows)
    assert {window.row for window in windows} == set(range(len(texts)))
    judged = [(window.row, word) for window in windows for word in window.words]
    assert len(judged) == len(set(judged))
    read = {(row, word) for row, words in enumerate(texts) for word, each in enumerate(words) if each.strip()}
    assert read <= set(judged)  # a byte-level tokenizer reads everything but spaces


def wordpiece() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    letters = "abcdefghijklmnopqrstuvwxyz."
    pieces = ["[UNK]", "[PAD]", "we", "see", "##me", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    return tokenizer


def byte_level() -> Any:
    """As RoBERTa has it: no space before the first word, spaces left out of the places."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=["[PAD]"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["we see we see"] * 5, trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


def metaspace() -> Any:
    """As XLM-R and its kin have it: the space is a part of the word after it, now and then a token of its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    pieces = ["[UNK]", "[PAD]", "▁", "▁we", "▁see", *"abcdefghijklmnopqrstuvwxyz.🙂é"]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(n)) for n, piece in enumerate(pieces)], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


@pytest.mark.parametrize("made", [wordpiece, byte_level, metaspace])
def test_words_and_tokens_of_every_kind_of_tokenizer_meet(made: Callable[[], Any]) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made(), pad_token="[PAD]")
    texts = [["we", "seeme", "tea.", "é", "see", "🙂", "a"], ["see"], ["we"] * 9]
    for limit in (64, 6):
        windows = windows_of(tokenizer, texts, limit)
        judged = [(window.row, word) for window in windows for word in window.words]
        assert sorted(judged) == [(row, word) for row, words in enumerate(texts) for word in range(len(words))]
        for window in windows:
            for word, head in read(tokenizer, window).items():
                said, meant = head.strip(" ▁#Ġ"), texts[window.row][word]
                assert said in ("", "[UNK]") or meant.startswith(said) or not meant.isascii(), (head, meant)


def test_a_word_is_judged_where_most_stands_around_it(tokenizer: Any) -> None:
    words = ["fox"] * 60
    windows = windows_of(tokenizer, [words], 16)
    assert len(windows) > 3
    for window in windows[1:-1]:
        around = [min(place, len(window.inputs["input_ids"]) - 1 - place) for place in window.places]
        assert min(around) >= 2  # of the four tokens that two windows share each judges a half


def test_a_tokenizer_that_knows_no_places_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(ForgeError) as refused:
        require_places(Slow(), "old-model")
    assert "old-model" in refused.value.what and "tokenizer.json" in refused.value.fix


# --- scores into valid tags ----------------------------------------------------------------------------------------

TAGS = ("O", "B-x", "I-x", "B-y", "I-y")


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-9, 0), min_size=5, max_size=5), max_size=4))
def test_the_likeliest_valid_tags_are_found(rows: list[list[int]]) -> None:
    scores = np.array(rows, dtype=float).reshape(len(rows), 5)
    said = Decoder(TAGS, "O").decode(scores)
    assert len(said) == len(rows) and bio_violation(said) is None

    def total(tags: Any) -> float:
        return float(sum(scores[word, TAGS.index(tag)] for word, tag in enumerate(tags)))

    valid = [tags for tags in product(TAGS, repeat=len(rows)) if bio_violation(tags) is None]
    assert total(said) == max(map(total, valid))


def test_a_word_that_no_window_judges_is_untagged() -> None:
    decoder = Decoder(TAGS, "O")
    scores = decoder.scores_of(3)
    scores[0] = [-9, 0, -9, -9, -9]
    scores[2] = [-9, -9, -0.1, -9, -9]  # I-x cannot follow the O between
    assert decoder.decode(scores)[1] == "O" and bio_violation(decoder.decode(scores)) is None


def test_classes_of_single_words_are_free_to_follow_one_another() -> None:
    decoder = Decoder(("NOUN", "VERB"), "NOUN")
    assert decoder.decode(np.array([[0.0, -1], [-1, 0], [0, -1]])) == ["NOUN", "VERB", "NOUN"]
