"""Settings of models that sort texts."""

from __future__ import annotations

from dataclasses import dataclass

from backends.options import TransformersOptions, option


@dataclass(frozen=True)
class SortingOptions(TransformersOptions):
    """Texts that are sorted, whatever model does it."""

    long_texts: str = option(
        "head",
        "what is read of a text longer than max_length: its beginning, its end, a quarter from the beginning and the "
        "rest from the end, or all of it in windows whose answers are averaged",
        choices=("head", "tail", "head+tail", "windows"),
    )
    class_weights: str = option(
        "none", "rows of rare classes count more (`balanced`), or all alike", choices=("none", "balanced")
    )


@dataclass(frozen=True)
class TextClassificationOptions(SortingOptions):
    """Texts and pairs of texts into classes, or texts into numbers."""

    threshold: float = option(
        0.5, "where rows have several labels: the probability from which on one is said", minimum=0.01, maximum=0.99
    )
    label_smoothing_factor: float = option(0.0, "share of certainty taken off each label", minimum=0, maximum=0.9)
    lowercase: bool = option(True, "a tokenizer trained here ignores upper and lower case")


@dataclass(frozen=True)
class LabelWordsOptions(SortingOptions):
    """Texts into classes by a language model that writes the label after the text."""

    label_prompt: str = option("label:", "words on a line of their own after the text, before the label")
    label_score: str = option(
        "sum",
        "how the words of a label are added up: the sum of their log-probabilities, or the mean, which takes no side "
        "against long labels",
        choices=("sum", "mean"),
    )
    lora_r: int = option(16, "rank of the LoRA matrices", minimum=1)
    lora_alpha: int = option(32, "scale of the LoRA matrices", minimum=1)
