"""Settings of models that mark words or find answers in texts."""

from __future__ import annotations

from dataclasses import dataclass

from backends.options import TransformersOptions, option


@dataclass(frozen=True)
class TokenClassificationOptions(TransformersOptions):
    """A tag on each word; long texts are read in parts, and capital letters count."""

    max_length: int = option(
        256, "tokens read at once; longer texts are read in parts that overlap by a quarter", unit="tokens", minimum=4
    )
    label_smoothing_factor: float = option(0.0, "share of certainty taken off each tag", minimum=0, maximum=0.9)
    lowercase: bool = option(False, "a tokenizer trained here ignores upper and lower case")


@dataclass(frozen=True)
class ExtractiveQaOptions(TransformersOptions):
    """Answers in texts; long texts are read in parts."""

    max_length: int = option(
        384, "tokens of question and text read at once; longer texts are read in parts", unit="tokens", minimum=16
    )
    doc_stride: int = option(
        128,
        "tokens by which the parts of a long text overlap, at most three eighths of max_length",
        unit="tokens",
        minimum=0,
    )
    max_answer_length: int = option(30, "longest answer that is given", unit="tokens", minimum=1)
    n_best: int = option(20, "answers of each text that are weighed against each other", minimum=1, maximum=1000)
    no_answer_threshold: float | None = option(
        None,
        "how far the score of `no answer` must be above that of the best answer to be said; unset: what scores best on "
        "the evaluation rows, where some have an answer and some have none",
    )
    lowercase: bool = option(True, "a tokenizer trained here ignores upper and lower case")
