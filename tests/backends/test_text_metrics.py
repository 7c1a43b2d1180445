"""Scores of written texts against the libraries' own figures, and what is reached without learning."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

PREDICTIONS = ["The cats are sitting on the mat.", "A dog barked loudly at night", ""]
REFERENCES = ["the cat sat on the mat", "A dog was barking loudly all night.", "nothing to see"]


def test_rouge_of_english_is_that_of_rouge_score_with_its_stemmer() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    from backends.text_metrics import ROUGE, text_scores

    scorer = RougeScorer(list(ROUGE), use_stemmer=True)
    wanted = [scorer.score(truth, said) for said, truth in zip(PREDICTIONS, REFERENCES)]
    found = text_scores(PREDICTIONS, REFERENCES, ("rougeL", "rouge1", "rouge2"))
    assert list(found) == ["rougeL", "rouge1", "rouge2"]
    for name, value in found.items():
        assert value == pytest.approx(sum(score[name].fmeasure for score in wanted) / 3)
    assert 0 < found["rouge2"] < found["rougeL"] <= found["rouge1"] < 1


@pytest.mark.parametrize("text", ["это хороший день", "今天天气很好", "Übermäßig grüne Äpfel"])
def test_rouge_counts_the_words_of_other_scripts(text: str) -> None:
    from backends.text_metrics import text_scores

    assert text_scores([text], [text], ("rougeL",))["rougeL"] == 1.0
    half = text[: len(text) // 2]
    assert 0 < text_scores([half], [text], ("rouge1",))["rouge1"] < 1


def test_bleu_is_nothing_on_short_references_and_chrf_is_not() -> None:
    import sacrebleu

    from backends.text_metrics import text_scores

    found = text_scores(["red dog", "blue"], ["red dog", "blue cat"], ("bleu", "chrf", "exact_match"))
    assert (found["bleu"], found["exact_match"]) == (0.0, 0.5)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(["red dog", "blue"], [["red dog", "blue cat"]]).score)
    long = text_scores(PREDICTIONS, REFERENCES, ("bleu",))["bleu"]
    assert long == pytest.approx(sacrebleu.corpus_bleu(PREDICTIONS, [REFERENCES]).score) and long > 0


@pytest.mark.parametrize(
    ("reference", "division"),
    [("a plain text", "13a"), ("今天天气很好我们去公园", "zh"), ("今日はとてもいい天気です", "char")],
)
def test_bleu_divides_texts_by_their_script_and_says_so(reference: str, division: str) -> None:
    from backends.text_metrics import bleu_signature

    assert f"tok:{division}" in bleu_signature([reference])


def test_scores_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    from backends.text_metrics import text_scores

    assert text_scores(["a"], ["a"], ("rouge1", "bleu", "chrf", "exact_match"))["exact_match"] == 1.0


def test_scores_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.text_metrics import text_scores

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert text_scores(["a"], ["a"], ("rougeL", "chrf"))["rougeL"] == 1.0
    assert list(tmp_path.iterdir()) == []


def test_lead_sentences_are_the_first_ones() -> None:
    from backends.text_baselines import lead_sentences

    text = 'Dr. Smith has 3.5 cats. "Do they purr?" They do!\nA new line 今日は。明日も。'
    assert lead_sentences(text, 1) == "Dr." or lead_sentences(text, 1).endswith("cats.")
    assert lead_sentences("One is here. Two are there. Three.", 2) == "One is here. Two are there."
    assert lead_sentences("今日は晴れ。明日も晴れ。", 1) == "今日は晴れ。"
    assert lead_sentences("no end", 3) == "no end"
    assert lead_sentences("", 3) == ""


def test_the_nearest_source_gives_its_target() -> None:
    from backends.text_baselines import commonest, nearest_targets

    sources, targets = ["red dog runs", "blue cat sleeps", "old tree falls"], ["1", "2", "2"]
    assert nearest_targets(sources, targets, ["a blue cat", "the tree is old", "dog"], 0) == ["2", "2", "1"]
    assert commonest(targets) == "2"


def test_fields_of_json_are_right_by_path_and_value() -> None:
    from backends.json_fields import are_objects, field_scores

    truth = ['{"who": ["Ada", "Bo"], "when": {"day": 3}}', '{"who": [], "when": null}']
    assert field_scores(truth, truth) == {"json_valid": 1.0, "field_f1": 1.0}
    assert field_scores(['{"when": {"day": "3"}, "who": ["Bo", "Ada"]}', "{}"], truth)["field_f1"] == 1.0
    # One of two names, and one that is wrong; no JSON at all in the second.
    found = field_scores(['{"who": ["Ada", "Eve"], "when": {"day": 3}}', '{"who": ['], truth)
    assert found == {"json_valid": 0.5, "field_f1": pytest.approx(2 * 2 / (3 + 3))}
    assert are_objects(truth) and not are_objects([*truth, "[1]"]) and not are_objects(["Ada"])
    assert field_scores(["[" * 100_000], truth[:1])["json_valid"] == 0.0
