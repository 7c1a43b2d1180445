"""Settings of models that write texts from texts."""

from __future__ import annotations

from dataclasses import dataclass

from backends.options import TransformersOptions, option


@dataclass(frozen=True)
class Seq2SeqOptions(TransformersOptions):
    """Encoder-decoders that turn a text into another; the names are those of Transformers' Seq2SeqTrainingArguments,
    GenerationConfig and example scripts."""

    num_train_epochs: float = option(5.0, "passes over the training rows", unit="epochs", minimum=0.001)
    per_device_eval_batch_size: int = option(8, "texts a device writes at once", unit="rows", minimum=1)
    max_length: int = option(512, "longest source in tokens; longer ones are cut", unit="tokens", minimum=4)
    max_target_length: int = option(128, "longest target in tokens; longer ones are cut", unit="tokens", minimum=4)
    label_smoothing_factor: float = option(0.0, "share of certainty taken off each token", minimum=0, maximum=0.9)
    source_prefix: str = option(
        "auto",
        "words put before each source; `auto`: what the model was taught with, as `summarize:` for T5; `off`: none",
    )
    source_lang: str | None = option(None, "language of the sources, for models of many languages: `en`, `eng_Latn`")
    target_lang: str | None = option(None, "language of the targets, for models of many languages: `de`, `deu_Latn`")
    generation_num_beams: int = option(1, "beginnings followed at once while a text is written", minimum=1, maximum=32)
    max_new_tokens: int | None = option(
        None, "longest text that is written; unset: as max_target_length", unit="tokens", minimum=1
    )
    length_penalty: float | None = option(
        None, "above 1 favours long texts, below 1 short ones, with several beams; unset: the model's own"
    )
    no_repeat_ngram_size: int | None = option(
        None, "so many words in a row are written once only; 0 never minds; unset: the model's own", minimum=0
    )
    bertscore_model: str | None = option(
        None, "whole path of an encoder by which texts are also compared in meaning (BERTScore); unset: they are not"
    )
    max_eval_samples: int = option(
        500, "evaluation rows that are scored while training; at its end all are", unit="rows", minimum=1
    )
    lowercase: bool = option(False, "a tokenizer trained here ignores upper and lower case")
