"""Texts into classes by a language model: it learns to write the label after the text, and the likeliest label is said.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

From any decoder in a local folder by every method of `backends/tuning.py`, or from random weights with `preset:gpt-1m`
and its larger kin. Loss lies on the words of the label alone. At an evaluation, and to predict, nothing is written
freely: every label is scored by its words (`backends/label_scores.py`), so that only a known one can come out. The best
evaluation's weights become the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer, set_seed

from backends.contract import DataError, read_json, read_spec, write_json
from backends.data import Split, load_split
from backends.decoders import load_decoder
from backends.job import Job
from backends.label_scores import LabelWords, label_scores, logits_at, read_label_words, spelled, words_of
from backends.labelled_texts import Scorer, asked_texts, pooled, read_rows, sides, simple_baselines, texts_of
from backends.long_texts import Coded, read_texts
from backends.options.sorting import LabelWordsOptions
from backends.reporting import finish
from backends.text_targets import OneClass
from backends.trainer_events import SAMPLES_SHOWN, ForgeCallback
from backends.transformers_training import (
    PREDICT_BATCH,
    batches,
    final_scores,
    save_model,
    train_to_end,
    training_arguments,
    training_details,
    usable_length,
)
from backends.writing import load_writer

LABELS_FILE = "label_words.json"


def train(job: Job) -> None:
    """Train one language model from the spec to the final model folder."""
    options: LabelWordsOptions = job.options
    split = load_split(job)
    if split.several:
        raise DataError(
            "Rows with several labels cannot be learned by their words",
            "a language model writes one label after a text, and these rows have any number of them",
            "Choose --strategy head, which judges each label by itself.",
        )
    target = OneClass(split.classes, options.class_weights == "balanced", seed=options.seed)
    set_seed(options.seed)
    job.events.phase("loading-model")
    tokenizer, model = load_decoder(job, lambda: written_rows(job, split))
    words = words_of(tokenizer, split.classes, options.label_prompt, options.label_score)
    job.events.phase("preparing")
    limit = usable_length(job, model, tokenizer, words.longest)
    tell_words(job, words)
    read = {side: read_rows(job, tokenizer, rows, limit) for side, rows in sides(split).items()}
    scorer = Scorer(job, target, split.evaluation, read["evaluation"][1])
    trainer = build_trainer(job, split, target, tokenizer, model, words, read, scorer)
    job.events.phase("baseline")
    baseline_name, baseline = job.known_baseline() or score_baselines(job, split, target, trainer)
    set_seed(options.seed)
    seconds = train_to_end(job, trainer)
    if seconds is None:
        return
    metrics = final_scores(job, trainer)
    save_model(job, trainer, tokenizer)
    learned = {**words.to_json(), "max_length": limit, "long_texts": options.long_texts}
    write_json(job.files.model / LABELS_FILE, learned)
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=baseline_name,
        training_seconds=seconds,
        details=training_details(trainer),
        held_out=target.judged(scorer.truth, scorer.logits, scorer.text_of),
    )


# --- from rows to batches ----------------------------------------------------------------------------------------


def written_rows(job: Job, split: Split) -> Iterator[str]:
    """The training rows as they are learned, which a tokenizer of a preset is trained on."""
    words = dict(zip(split.classes, spelled(split.classes), strict=True))
    for (text,), label in zip(texts_of(job, split.train.rows), split.train.labels, strict=True):
        yield f"{text}\n{job.options.label_prompt} {words[label]}"


def tell_words(job: Job, words: LabelWords) -> None:
    """How many tokens the labels have, and whether their end is learned too."""
    counts = [len(each) for each in words.tokens]
    end = "; some begin with another, so that their end is learned too" if words.has_ends else ""
    job.events.notice(f"{len(counts)} labels of {min(counts)} to {max(counts)} tokens bear loss, no other words{end}")


class Collator:
    """Rows of text tokens and a class number as one batch: the label's words stand after the text.

    `places` are the tokens after which a word of the label comes, (rows, words); `labels` the words themselves, with a
    column of nothing before them, because the Trainer does not count the first.
    """

    def __init__(self, words: LabelWords, padding: int, weights: Sequence[float] | None) -> None:
        self.words, self.padding, self.weights = words, padding, weights
        self.multiple = 8 if torch.cuda.is_available() else 1

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        tokens = [self.words.tokens[row["labels"]] for row in rows]
        starts = [len(row["input_ids"]) for row in rows]
        width = max(start + len(each) for start, each in zip(starts, tokens))
        width = -(-width // self.multiple) * self.multiple
        most = max(map(len, tokens))
        batch = {
            "input_ids": torch.full((len(rows), width), self.padding),
            "attention_mask": torch.zeros(len(rows), width, dtype=torch.long),
            "places": torch.zeros(len(rows), most, dtype=torch.long),
            "labels": torch.full((len(rows), 1 + most), -100),
        }
        for number, (row, start, each) in enumerate(zip(rows, starts, tokens)):
            end = start + len(each)
            batch["input_ids"][number, :end] = torch.tensor([*row["input_ids"], *each])
            batch["attention_mask"][number, :end] = 1
            batch["places"][number, : len(each)] = torch.arange(start - 1, end - 1)
            batch["labels"][number, 1 : 1 + len(each)] = torch.tensor(each)
        if self.weights is not None:
            batch["weights"] = torch.tensor([float(self.weights[row["labels"]]) for row in rows])
        return batch


# --- training ----------------------------------------------------------------------------------------------------


class LabelTrainer(Trainer):
    """Transformers' Trainer with loss on the words of labels, which scores every label at an evaluation."""

    words: LabelWords

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.model_accepts_loss_kwargs = True  # the loss below counts the words of all batches of a step alike

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean loss of a word; logits are made where a word of a label comes, and nowhere else."""
        logits = logits_at(model, inputs["places"], inputs["input_ids"], inputs["attention_mask"]).logits.float()
        wanted = inputs["labels"][:, 1:]
        each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
        if "weights" in inputs:
            each = each * inputs["weights"].repeat_interleave(wanted.shape[1])
        count = (wanted != -100).sum() if num_items_in_batch is None else num_items_in_batch
        loss = each.sum() / count
        return (loss, {}) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[Any, Any, Any]:
        """The log-probabilities of all labels, (rows, classes); the loss follows from them when all are there."""
        inputs = self._prepare_inputs(inputs)
        lengths = inputs["places"][:, 0] + 1
        with torch.no_grad(), self.accelerator.autocast():
            scores = label_scores(model, self.words, inputs["input_ids"][:, : int(lengths.max())], lengths)
        return None, scores, inputs["labels"][:, :1]


def build_trainer(
    job: Job,
    split: Split,
    target: OneClass,
    tokenizer: Any,
    model: Any,
    words: LabelWords,
    read: dict[str, tuple[list[Coded], list[int]]],
    scorer: Scorer,
) -> LabelTrainer:
    """The Trainer, set up by the options and scored by the task's metrics on whole rows."""
    shown = split.evaluation.labels[:SAMPLES_SHOWN]
    callback = ForgeCallback(job, samples=[(scorer.text_of(row), label) for row, label in enumerate(shown)])
    coded = {side: [target.code(label) for label in rows.labels] for side, rows in sides(split).items()}
    datasets = {
        side: [{"input_ids": words.asked(row["input_ids"]), "labels": labels[owner]} for row, owner in zip(*read[side])]
        for side, labels in coded.items()
    }
    counts = np.array([len(each) for each in words.tokens])

    def score(prediction: Any) -> dict[str, float]:
        found = prediction.predictions.astype(np.float64)
        truth = scorer.truth[scorer.owners]
        loss = -found[np.arange(len(truth)), truth].sum() / counts[truth].sum()
        scores = scorer.score(words.weighed(found))
        callback.outputs = [target.answer(row)["prediction"] for row in scorer.logits[:SAMPLES_SHOWN]]
        return {"loss": float(loss), **scores}  # the Trainer puts `eval_` before each

    trainer = LabelTrainer(
        model=model,
        args=training_arguments(job, len(datasets["train"])),
        train_dataset=datasets["train"],
        eval_dataset=datasets["evaluation"],
        processing_class=tokenizer,
        data_collator=Collator(words, tokenizer.pad_token_id, target.weights(split.train.labels)),
        compute_metrics=score,
        callbacks=[callback],
    )
    trainer.words = words
    callback.take_over(trainer)
    return trainer


def score_baselines(job: Job, split: Split, target: OneClass, trainer: LabelTrainer) -> tuple[str, dict[str, float]]:
    """A trivial and a linear method, and a pretrained model as it is, which knows what the words of labels mean."""
    baselines = simple_baselines(job, split, target)
    if not job.spec.model.startswith("preset:"):
        callback = trainer.pop_callback(ForgeCallback)
        try:
            found = trainer.evaluate()
        finally:
            trainer.add_callback(callback)
        baselines["base model"] = {name: float(found[f"eval_{name}"]) for name in job.task.metrics}
    return job.record_baselines(baselines, job.task.metrics[0])


# --- using the model ---------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Sort each row (column name to cell) with the model of a finished run."""
    spec = read_spec(model_folder.parent / "spec.toml")
    learned = read_json(model_folder / LABELS_FILE) or {}
    tokenizer, model = load_writer(model_folder)
    words = read_label_words(tokenizer, learned)
    target = OneClass(words.classes)
    for batch in batches(rows):
        texts = asked_texts(batch, [spec.columns["text"]])
        read, owners = read_texts(tokenizer, texts, learned["max_length"], learned["long_texts"])
        found = []
        for first in range(0, len(read), PREDICT_BATCH):
            asked = [words.asked(row["input_ids"]) for row in read[first : first + PREDICT_BATCH]]
            lengths = torch.tensor([len(ids) for ids in asked])
            ids = torch.full((len(asked), int(lengths.max())), tokenizer.pad_token_id)
            for number, each in enumerate(asked):
                ids[number, : len(each)] = torch.tensor(each)
            with torch.inference_mode():
                scores = label_scores(model, words, ids.to(model.device), lengths.to(model.device))
            found.append(scores.cpu().numpy().astype(np.float64))
        for scores in pooled(words.weighed(np.concatenate(found)), np.array(owners)):
            yield target.answer(scores)
