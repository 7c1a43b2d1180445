"""Language models learn to continue plain texts: from random weights with a tokenizer of their own, or further on.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

Texts are laid end to end, with the end token between them, and cut into windows of max_length. Bits per byte tell how
well texts are known whatever the tokenizer, so that models with different ones can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import set_seed

from backends.contract import DataError, read_spec, write_json
from backends.data import load_split, read_labelled
from backends.decoders import load_decoder
from backends.formats.datasets import open_data
from backends.formats.split import SMALLEST_EVALUATION
from backends.formats.values import as_text
from backends.job import Job
from backends.language_training import (
    make_trainer,
    quiet_scores,
    score_baselines,
)
from backends.options import PreparationOptions, parse_settings
from backends.options.language import PretrainingOptions
from backends.reporting import finish
from backends.trainer_events import SAMPLES_SHOWN, ForgeCallback
from backends.transformers_training import save_model, train_to_end, training_details, usable_length
from backends.writing import CHAT_FILE, generate, load_writer

# Hoffmann et al. 2022: a model is used best with about 20 tokens for each of its parameters.
TOKENS_A_PARAMETER = 20
_BEGINNING = 24


@dataclass(frozen=True)
class TokenWindow:
    """A stretch of texts; every token of it is learned."""

    input_ids: Any

    @property
    def labels(self) -> Any:
        """All of it."""
        return self.input_ids


@dataclass(frozen=True)
class Stream:
    """The texts of one side laid end to end and cut into windows, with their length in bytes."""

    windows: list[TokenWindow]
    tokens: int
    bytes: int


def train(job: Job) -> None:
    """Train one model from the spec to the final model folder."""
    options: PretrainingOptions = job.options
    texts = load_texts(job)
    set_seed(options.seed)
    job.events.phase("loading-model")
    tokenizer, model = load_decoder(job, lambda: texts["train"])
    limit = usable_length(job, model, tokenizer)
    job.events.phase("preparing")
    streams = {side: stream_of(tokenizer, each, limit) for side, each in texts.items()}
    tell_amounts(job, streams, sum(p.numel() for p in model.parameters()))
    held_out = streams["evaluation"]
    bits = held_out.tokens / (math.log(2) * held_out.bytes)  # of a loss per token, bits per byte

    def with_bits(scores: dict[str, float]) -> dict[str, float]:
        return {**scores, "bits_per_byte": scores["eval_loss"] * bits}

    beginnings = [tokenizer(text, verbose=False)["input_ids"] for text in texts["evaluation"][:SAMPLES_SHOWN]]
    starts = [ids[:_BEGINNING] for ids in beginnings]
    rest = [ids[_BEGINNING : _BEGINNING + options.sample_tokens] for ids in beginnings]
    callback = ForgeCallback(job, samples=[(tokenizer.decode(a), tokenizer.decode(b)) for a, b in zip(starts, rest)])

    def score(scores: dict[str, float]) -> dict[str, float]:
        written = generate(trainer.model, tokenizer, starts, [tokenizer.eos_token_id], options.sample_tokens)
        callback.outputs = [tokenizer.decode(ids) for ids in written]
        return with_bits(scores)

    rows = {side: each.windows for side, each in streams.items()}
    trainer = make_trainer(job, model, tokenizer, rows, limit, callback, score)
    job.events.phase("baseline")
    name, baseline = job.known_baseline() or score_baselines(job, trainer, rows, len(tokenizer), with_bits)
    set_seed(options.seed)
    seconds = train_to_end(job, trainer)
    if seconds is None:
        return
    metrics = quiet_scores(job, trainer)
    save_model(job, trainer, tokenizer)
    write_json(job.files.model / CHAT_FILE, {"stops": [tokenizer.eos_token_id], "chats": False})
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=name,
        training_seconds=seconds,
        details={**training_details(trainer), "train_tokens": streams["train"].tokens},
    )


# --- the texts -----------------------------------------------------------------------------------------------------


def load_texts(job: Job) -> dict[str, list[str]]:
    """The texts of both sides; of few and long ones the end of each is held out, else whole ones are."""
    options = parse_settings(PreparationOptions, job.spec.preparation, "preparation")
    if job.spec.eval_data or job.spec.eval_part:
        return _sides(load_split(job))
    dataset = open_data(Path(job.spec.data))
    everything = read_labelled(dataset, dataset.training_part, job, options)
    if len(everything.rows) >= 2 * SMALLEST_EVALUATION:
        return _sides(load_split(job, everything))
    texts = [example.words for example in everything.labels]
    pairs = [divided(text, job.options.eval_fraction) for text in texts]
    train, held_out = ([text for text in side if text.strip()] for side in zip(*pairs)) if pairs else ([], [])
    if not train or not held_out:
        raise DataError(
            "There is too little text to train and evaluate",
            f"{len(texts)} texts of {sum(map(len, texts)):,} characters can be used",
            "Give more text, or other data to score on: --eval-data",
        )
    job.record_data(
        rows=len(texts) + everything.dropped,
        dropped_rows=everything.dropped,
        columns=dict(job.spec.columns),
        train_rows=len(train),
        eval_rows=len(held_out),
        split="the end of each text held out",
        eval_fraction=job.options.eval_fraction,
    )
    job.events.notice(f"{len(texts)} texts are few; the last {job.options.eval_fraction:.0%} of each is held out")
    return {"train": train, "evaluation": held_out}


def _sides(split: Any) -> dict[str, list[str]]:
    return {
        "train": [example.words for example in split.train.labels],
        "evaluation": [example.words for example in split.evaluation.labels],
    }


def divided(text: str, fraction: float) -> tuple[str, str]:
    """A text without its end, and its end; cut between words where there are any."""
    border = round(len(text) * (1 - fraction))
    space = text.find(" ", border)
    border = space if 0 <= space <= border + 100 else border
    return text[:border], text[border:]


def stream_of(tokenizer: Any, texts: Sequence[str], limit: int) -> Stream:
    """The texts end to end as windows of `limit` tokens; the last may be shorter."""
    parts = []
    for first in range(0, len(texts), 1_000):
        for ids in tokenizer(list(texts[first : first + 1_000]), verbose=False)["input_ids"]:
            parts.append(np.array([*ids, tokenizer.eos_token_id], dtype=np.int32))
    whole = np.concatenate(parts)
    windows = [TokenWindow(whole[start : start + limit]) for start in range(0, len(whole), limit)]
    if len(windows) > 1 and len(windows[-1].input_ids) < 2:
        windows.pop()
    return Stream(windows, len(whole), sum(len(text.encode()) for text in texts))


def tell_amounts(job: Job, streams: dict[str, Stream], parameters: int) -> None:
    """How much text there is for a model of this size, seen once and in the whole run."""
    for side, stream in streams.items():
        job.events.notice(
            f"{side}: {stream.tokens:,} tokens in {len(stream.windows):,} windows; "
            f"{stream.bytes / stream.tokens:.2f} bytes a token; every token bears loss"
        )
    tokens = streams["train"].tokens
    share = tokens / parameters
    if job.spec.model.startswith("preset:") and share < TOKENS_A_PARAMETER:
        job.events.notice(
            f"{share:.2g} tokens of text for each of {parameters:,} parameters, and about {TOKENS_A_PARAMETER} are "
            f"wanted (Hoffmann et al. 2022): {parameters * TOKENS_A_PARAMETER:,} tokens, or a smaller model; watch for "
            "an eval_loss that rises again",
            "warning",
        )


# --- using the model -----------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Continue the text of each row (column name to cell) with the model of a finished run."""
    spec = read_spec(model_folder.parent / "spec.toml")
    options = parse_settings(PretrainingOptions, spec.settings)
    column = spec.columns["text"]
    tokenizer, model = load_writer(model_folder)
    for row in rows:
        text = as_text(row[column] if column in row else next(iter(row.values())))
        ids = tokenizer(text, verbose=False)["input_ids"] or [tokenizer.eos_token_id]
        said = next(generate(model, tokenizer, [ids], [tokenizer.eos_token_id], options.sample_tokens))
        yield {"prediction": tokenizer.decode(said), "text": text}
