"""Scores of texts that were written, as `evaluate` metrics over rouge-score and sacrebleu, never through the network.

Imported at the first evaluation, not with the task: `evaluate` takes seconds to load.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import datasets
import evaluate

from backends.json_fields import field_scores

ROUGE = ("rouge1", "rouge2", "rougeL")
# Scripts without spaces between words: each character counts as one (kana, Chinese characters).
_CHARACTERS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[a-z0-9]+|[{_CHARACTERS}]|[^\W_a-z0-9{_CHARACTERS}]+")


class Words:
    """Words as ROUGE counts them: those of rouge-score with its stemmer for English, and of other scripts too.

    rouge-score's own tokenizer throws away every letter but a to z, so that texts in most languages score 0.
    """

    def __init__(self) -> None:
        from rouge_score.tokenizers import DefaultTokenizer

        self._english = DefaultTokenizer(use_stemmer=True).tokenize

    def tokenize(self, text: str) -> list[str]:
        """The words of a text, lower case."""
        words = _WORD.findall(text.lower())
        return [each for word in words for each in (self._english(word) if word.isascii() else (word,))]


class _TextMetric(evaluate.Metric):
    """A metric of predictions against one reference each; it keeps everything in memory.

    `evaluate` makes a folder all the same, which must not be one that another user of the machine made.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(keep_in_memory=True, cache_dir=folder)

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(
            description=self.__doc__, citation="", inputs_description="texts and their references", features=features
        )


class Rouge(_TextMetric):
    """Mean F1 of shared words, word pairs and longest common subsequences, from 0 to 1 (Lin 2004)."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer(list(ROUGE), tokenizer=Words())
        pairs = zip(references, predictions, strict=True)
        scores = [scorer.score(reference, prediction) for reference, prediction in pairs]
        return {name: sum(score[name].fmeasure for score in scores) / len(scores) for name in ROUGE}


class Bleu(_TextMetric):
    """sacreBLEU of the whole set, from 0 to 100 (Post 2018); 0 where no reference has four words in a row."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        return {"bleu": float(_bleu(references).corpus_score(predictions, [references]).score)}


class Chrf(_TextMetric):
    """chrF2 of the whole set, from 0 to 100: shared runs of up to six characters (Popovic 2015)."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        from sacrebleu.metrics import CHRF

        return {"chrf": float(CHRF().corpus_score(predictions, [references]).score)}


class ExactMatch(_TextMetric):
    """Share of texts that are their reference, but for the width of spaces."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        pairs = list(zip(predictions, references, strict=True))
        return {"exact_match": sum(one.split() == other.split() for one, other in pairs) / len(pairs)}


class JsonFields(_TextMetric):
    """Share of texts that are valid JSON, and F1 of their fields, from 0 to 1."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        return field_scores(predictions, references)


_METRICS: Mapping[str, Callable[[str], _TextMetric]] = {
    **dict.fromkeys(ROUGE, Rouge),
    "bleu": Bleu,
    "chrf": Chrf,
    "exact_match": ExactMatch,
    "json_valid": JsonFields,
    "field_f1": JsonFields,
}


def text_scores(predictions: Sequence[str], references: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """The named scores of texts against their references, in that order."""
    scores: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for metric in dict.fromkeys(_METRICS[name] for name in names):
            scores |= metric(folder).compute(predictions=list(predictions), references=list(references))
    return {name: float(scores[name]) for name in names}


def row_scores(predictions: Sequence[str], references: Sequence[str], primary: str) -> tuple[str, list[float]]:
    """The score of each text alone, and the metric it is by: the primary one where it can be told of one text."""
    pairs = list(zip(predictions, references, strict=True))
    if primary in ROUGE:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([primary], tokenizer=Words())
        return primary, [float(scorer.score(reference, said)[primary].fmeasure) for said, reference in pairs]
    if primary == "field_f1":
        return primary, [field_scores([said], [reference])[primary] for said, reference in pairs]
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    return "chrf", [float(metric.sentence_score(said, [reference]).score) for said, reference in pairs]


def bleu_signature(references: Sequence[str]) -> str:
    """How BLEU was counted, in the words of sacrebleu, so that it can be compared with figures of others."""
    metric = _bleu(references)
    metric.corpus_score([""], [[""]])
    return str(metric.get_signature())


def _bleu(references: Sequence[str]) -> Any:
    """sacrebleu's BLEU; Chinese is divided as sacrebleu does it, Japanese into characters, all else as in WMT."""
    from sacrebleu.metrics import BLEU

    text = "".join(references)
    letters = max(1, sum(not each.isspace() for each in text))
    kana = len(re.findall("[\u3040-\u30ff]", text))
    chinese = len(re.findall("[\u4e00-\u9fff]", text))
    tokenize = "char" if kana > 0.1 * letters else "zh" if chinese > 0.3 * letters else "13a"
    return BLEU(tokenize=tokenize, force=True)
