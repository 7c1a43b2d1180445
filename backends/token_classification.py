"""A tag for each word: names, places and other parts of texts, found by an encoder that Transformers' Trainer trains.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

Tags of every usual scheme become BIO. The first token of a word carries its tag; texts longer than `max_length` are
read in windows that overlap. What the model says is decoded into the likeliest valid BIO, in evaluation as in predict.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorForTokenClassification, Trainer, set_seed

from backends.baselines import linear_word_model
from backends.contract import read_json, read_spec, write_json
from backends.data import class_index
from backends.encoders import encoder_preset
from backends.entity_metrics import entity_scores
from backends.formats.tagged import entity_spans
from backends.formats.values import as_text
from backends.held_out import HeldOut, as_held_out, worst
from backends.job import Job
from backends.metrics import order_scores
from backends.options.marking import TokenClassificationOptions
from backends.reporting import finish
from backends.tagged_rows import Examples, Tagged, load_examples
from backends.trainer_events import SAMPLES_SHOWN, ForgeCallback
from backends.transformers_training import (
    PREDICT_BATCH,
    batches,
    final_scores,
    lacks_column,
    load_model,
    save_model,
    train_to_end,
    training_arguments,
    training_details,
    usable_length,
)
from backends.tuning import TAGGER, labels_config, load_finished
from backends.words import Decoder, Span, Window, division_of, require_places, windows_of, word_spans

TAGS_FILE = "tags.json"


def train(job: Job) -> None:
    """Train one tagger from the spec to the final model folder."""
    options: TokenClassificationOptions = job.options
    examples = load_examples(job)
    set_seed(options.seed)
    job.events.phase("loading-model")
    texts = (" ".join(words) for words in examples.train.words)
    config = labels_config(examples.decoder.tags)
    tokenizer, model = load_model(job, TAGGER, encoder_preset(TAGGER, texts, options.lowercase, config), config)
    require_places(tokenizer, job.spec.model)
    job.events.phase("preparing")
    limit = usable_length(job, model, tokenizer)
    windows = {side: windows_told(job, side, tokenizer, data, limit) for side, data in sides(examples).items()}
    scorer = Scorer(examples.evaluation, windows["evaluation"], examples.decoder)
    trainer = build_trainer(job, examples, tokenizer, model, windows, scorer)
    job.events.phase("baseline")
    baseline_name, baseline = job.known_baseline() or score_baselines(job, examples)
    seconds = train_to_end(job, trainer)
    if seconds is None:
        return
    metrics = final_scores(job, trainer)
    held_out = scorer.judged()
    save_model(job, trainer, tokenizer)
    learned = {"tags": list(examples.decoder.tags), "unread": examples.decoder.unread, "max_length": limit}
    write_json(job.files.model / TAGS_FILE, {**learned, "division": division_of(examples.train.words)})
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=baseline_name,
        training_seconds=seconds,
        details=training_details(trainer),
        by_type=scorer.by_type,
        held_out=held_out,
    )


# --- from words to batches -----------------------------------------------------------------------------------------


def sides(examples: Examples) -> dict[str, Tagged]:
    """The two halves of the data by name."""
    return {"train": examples.train, "evaluation": examples.evaluation}


def windows_told(job: Job, side: str, tokenizer: Any, data: Tagged, limit: int) -> list[Window]:
    """The windows of one half; how many texts need several, and how many words have no token, is told."""
    windows = windows_of(tokenizer, data.words, limit)
    several = sum(count > 1 for count in Counter(window.row for window in windows).values())
    if several:
        job.events.notice(
            f"{several:,} of {len(data.words):,} {side} texts are longer than {limit:,} tokens; "
            "they are read in windows that overlap"
        )
    unread = sum(map(len, data.words)) - sum(len(window.words) for window in windows)
    if unread:
        job.events.notice(f"{unread:,} words of the {side} rows are nothing to the tokenizer and count as untagged")
    return windows


def encode(data: Tagged, windows: list[Window], tags: tuple[str, ...]) -> list[dict[str, Any]]:
    """Inputs and labels of each window; -100, which is not learned, on all but the first tokens of known tags."""
    numbers = class_index(tags)
    rows = []
    for window in windows:
        labels = [-100] * len(window.inputs["input_ids"])
        for word, place in zip(window.words, window.places):
            labels[place] = numbers.get(data.tags[window.row][word], -100)
        rows.append({**window.inputs, "labels": labels})
    return rows


# --- training ------------------------------------------------------------------------------------------------------


def build_trainer(
    job: Job,
    examples: Examples,
    tokenizer: Any,
    model: Any,
    windows: Mapping[str, list[Window]],
    scorer: Scorer,
) -> Trainer:
    """Transformers' Trainer, set up by the options and scored by whole entities."""
    tags = examples.decoder.tags
    rows = {side: encode(data, windows[side], tags) for side, data in sides(examples).items()}
    learned = [row for row in rows["train"] if any(label >= 0 for label in row["labels"])]
    shown = scorer.shown
    evaluation = examples.evaluation
    samples = [(" ".join(evaluation.words[row]), marked(evaluation.words[row], evaluation.tags[row])) for row in shown]
    callback = ForgeCallback(job, samples=samples)

    def score(prediction: Any, compute_result: bool) -> dict[str, float]:
        scorer.add(prediction.predictions)
        if not scorer.is_complete:
            return {}
        scores = scorer.scores()
        callback.outputs = [marked(evaluation.words[row], scorer.said[row]) for row in shown]
        return order_scores(scores, job.task.metrics)

    trainer = Trainer(
        model=model,
        # Scored batch by batch, so that the logits of a large evaluation never lie in memory at once.
        args=training_arguments(
            job,
            len(learned),
            batch_eval_metrics=True,
            label_smoothing_factor=job.options.label_smoothing_factor,
        ),
        train_dataset=learned,
        eval_dataset=rows["evaluation"],
        processing_class=tokenizer,
        data_collator=DataCollatorForTokenClassification(
            tokenizer, pad_to_multiple_of=8 if torch.cuda.is_available() else None
        ),
        compute_metrics=score,
        preprocess_logits_for_metrics=lambda logits, labels: logits.float().log_softmax(dim=-1),
        callbacks=[callback],
    )
    callback.take_over(trainer)
    return trainer


class Scorer:
    """Takes what the model says of the evaluation windows, batch by batch and in order, and scores whole texts."""

    def __init__(self, data: Tagged, windows: list[Window], decoder: Decoder) -> None:
        self.data, self.windows, self.decoder = data, windows, decoder
        self.said: list[list[str]] = []
        self.sureness: list[float] = []
        self.by_type: dict[str, dict[str, float]] = {}
        self._seen = 0
        self._scores: Any = None

    @property
    def shown(self) -> list[int]:
        """The texts that are shown as samples: the first ones with something to find."""
        return sorted(range(len(self.data.tags)), key=lambda row: not entity_spans(self.data.tags[row]))[:SAMPLES_SHOWN]

    def add(self, log_shares: Any) -> None:
        """Take in the logarithms of the probabilities of one batch, (windows, tokens, tags)."""
        if self._seen in (0, len(self.windows)):
            self.said, self.sureness, self._seen, self._scores = [], [], 0, None
        for shares in log_shares.cpu().numpy():
            window = self.windows[self._seen]
            if self._scores is not None and window.row != len(self.said):
                self._decode()
            if self._scores is None:
                self._scores = self.decoder.scores_of(len(self.data.words[window.row]))
            self._scores[window.words] = shares[window.places]
            self._seen += 1
        if self.is_complete:
            self._decode()

    def _decode(self) -> None:
        """Decide on the tags of a text whose windows were all seen."""
        tags = self.decoder.decode(self._scores)
        self.said.append(tags)
        chosen = [row[self.decoder.tags.index(tag)] for row, tag in zip(self._scores, tags)]
        self.sureness.append(math.exp(min(chosen, default=0.0)))
        self._scores = None

    @property
    def is_complete(self) -> bool:
        """Whether the whole evaluation was seen."""
        return self._seen == len(self.windows)

    def scores(self) -> dict[str, float]:
        """The scores of all texts, once they are complete."""
        scores, self.by_type = entity_scores(self.data.tags, self.said)
        return scores

    def judged(self) -> HeldOut:
        """What was said last of the evaluation texts; a text is as bad as it has wrong and missed entities."""
        missed = [
            len(set(entity_spans(truth)) ^ set(entity_spans(said))) for truth, said in zip(self.data.tags, self.said)
        ]
        rows = [
            {
                "input": " ".join(self.data.words[row]),
                "expected": marked(self.data.words[row], self.data.tags[row]),
                "predicted": marked(self.data.words[row], self.said[row]),
                "wrong": missed[row] > 0,
                "probability": round(self.sureness[row], 6),
            }
            for row in worst([count + sure for count, sure in zip(missed, self.sureness)])
        ]
        return as_held_out(len(missed), sum(map(bool, missed)), rows, "wrong and missed entities")


def score_baselines(job: Job, examples: Examples) -> tuple[str, dict[str, float]]:
    """The tag that is commonest, which is usually none, and a linear model of words, on the evaluation rows."""
    decoder, data, unseen = examples.decoder, examples.train, examples.evaluation
    numbers = class_index(decoder.tags)
    tags = [[numbers[tag] for tag in row] for row in data.tags]
    learned = linear_word_model(data.words, tags, unseen.words, len(decoder.tags), job.options.seed)
    said = {
        "no entity" if decoder.unread == "O" else "commonest tag": [
            [decoder.unread] * len(row) for row in unseen.words
        ],
        "linear model of words": [decoder.decode(scores) for scores in learned],
    }
    scores = {name: order_scores(entity_scores(unseen.tags, tags)[0], job.task.metrics) for name, tags in said.items()}
    return job.record_baselines(scores, job.task.metrics[0])


# --- using the model -----------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Find the entities of each row (column name to cell), a text or a list of words, with the model of a finished run.

    Places of entities count characters of `text`, from 0, the end not included; a list of words is joined by spaces.
    The probability of an entity is that of its least certain word.
    """
    column = read_spec(model_folder.parent / "spec.toml").columns["tokens"]
    learned = read_json(model_folder / TAGS_FILE) or {}
    decoder = Decoder(tuple(learned["tags"]), learned["unread"])
    tokenizer, model = load_finished(model_folder, TAGGER, labels_config(decoder.tags))
    for batch in batches(rows):
        texts = [_divided(_asked(row, column), learned["division"]) for row in batch]
        words = [[text[start:end] for start, end in spans] for text, spans in texts]
        scores = [decoder.scores_of(len(each)) for each in words]
        windows = windows_of(tokenizer, words, learned["max_length"])
        for first in range(0, len(windows), PREDICT_BATCH):
            some = windows[first : first + PREDICT_BATCH]
            inputs = tokenizer.pad([window.inputs for window in some], return_tensors="pt")
            with torch.inference_mode():
                shares = model(**inputs.to(model.device)).logits.float().log_softmax(dim=-1).cpu().numpy()
            for window, each in zip(some, shares):
                scores[window.row][window.words] = each[window.places]
        for (text, spans), tokens, found in zip(texts, words, scores):
            tags = decoder.decode(found)
            entities = [
                {
                    "type": kind,
                    "text": text[spans[first][0] : spans[last - 1][1]],
                    "start": spans[first][0],
                    "end": spans[last - 1][1],
                    "probability": min(
                        math.exp(found[word, decoder.tags.index(tags[word])]) for word in range(first, last)
                    ),
                }
                for kind, first, last in entity_spans(tags)
            ]
            yield {
                "prediction": marked(tokens, tags, text, spans),
                "text": text,
                "entities": entities,
                "tokens": tokens,
                "tags": tags,
            }


def _asked(row: Mapping[str, Any], column: str) -> Any:
    """The text or the words of a row: in the column of training, in one called text or tokens, or in the only one."""
    for name in (column, "text", "tokens"):
        if name in row:
            return row[name]
    if len(row) == 1:
        return next(iter(row.values()))
    raise lacks_column(column, [column])


def _divided(cell: Any, division: str) -> tuple[str, list[Span]]:
    """A text, and where each of its words stands."""
    if not isinstance(cell, list | tuple):
        text = as_text(cell)
        return text, word_spans(text, division)
    words = [as_text(word) for word in cell]
    ends = list(accumulate(len(word) + 1 for word in words))
    return " ".join(words), [(end - 1 - len(word), end - 1) for word, end in zip(words, ends)]


def marked(words: Sequence[str], tags: Sequence[str], text: str | None = None, spans: Sequence[Span] = ()) -> str:
    """A text with its entities set apart: `in «New York/place»`; a class for each word stands without the marks."""
    if text is None:
        text, spans = _divided(words, "")
    before, after = ("«", "»") if "O" in tags or any(tag[:2] in ("B-", "I-") for tag in tags) else ("", "")
    parts, done = [], 0
    for kind, first, last in entity_spans(tags):
        start, end = spans[first][0], spans[last - 1][1]
        parts += [text[done:start], before, text[start:end], "/", kind, after]
        done = end
    return "".join([*parts, text[done:]])
