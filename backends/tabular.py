"""Tables: gradient-boosted trees by XGBoost, for classes and for numbers.

Run by hand:  python -m backends <run folder>     Predict:  python -m backends.predict <run folder> < rows.jsonl

Native categories and missing values; early stopping on the evaluation loss; one metrics event a round. The model folder
holds XGBoost's own model.ubj and schema.json, which says how a row becomes numbers: an unseen category is missing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from backends.asked import OneByOne
from backends.baselines import linear_table_model, majority_class
from backends.checkpoints import checkpoint_folder, prune, read_seal, seal
from backends.contract import DataError, write_json
from backends.data import Split, class_index, load_split, summarise_columns
from backends.formats.columns import feature_columns
from backends.formats.values import as_label, as_number, as_text, as_timestamp, is_missing
from backends.held_out import HeldOut, TextOf, numbers, one_class
from backends.job import Job, Pace
from backends.metrics import classification_scores, order_scores, regression_scores
from backends.options.tables import TabularOptions
from backends.reporting import finish

MODEL_FILE = "model.ubj"
SCHEMA_FILE = "schema.json"
_SAMPLES = 3  # rows whose prediction is shown at each evaluation


def train(job: Job) -> None:
    """Train one table model from the spec to the final model folder; raises DataError for data that cannot be used."""
    split = load_split(job)
    job.events.phase("preparing")
    schema = build_schema(job, split)
    targets = encode_targets(split, schema)
    features = encode_rows(split.train.rows, schema), encode_rows(split.evaluation.rows, schema)
    device = pick_device(job)
    trained = Boosting(job, schema, features, targets, device)
    trained.samples = [row_text(row, schema) for row in split.evaluation.rows[:_SAMPLES]]
    job.events.phase("baseline")
    baseline_name, baseline = job.known_baseline() or trained.score_baselines()
    job.control.leave_at_checkpoint()
    job.events.phase("training")
    started = time.monotonic()
    booster, stopped = trained.run()
    if stopped:
        return
    job.events.phase("saving")
    best = booster[: trained.best_round + 1]
    metrics = trained.score(best)
    judged = trained.judge(best, lambda row: row_text(split.evaluation.rows[row], schema))
    job.files.model.mkdir(exist_ok=True)
    best.save_model(job.files.model / MODEL_FILE)
    write_json(job.files.model / SCHEMA_FILE, schema)
    finish(
        job,
        metrics=metrics,
        baseline=baseline,
        baseline_name=baseline_name,
        training_seconds=time.monotonic() - started,
        details={"rounds": trained.round + 1, "best_round": trained.best_round + 1, "device": device},
        held_out=judged,
    )


# --- from rows to numbers ----------------------------------------------------------------------------------------


def build_schema(job: Job, split: Split) -> dict[str, Any]:
    """How a row becomes numbers: the features with their kind and categories, the classes, the number format."""
    table = summarise_columns(split.unweighted)
    target = job.spec.columns["target"]
    used, left_out = feature_columns(table, target)
    if not used:
        raise DataError(
            "No column is left to learn from", "; ".join(f"{k}: {v}" for k, v in left_out.items()), "Add columns."
        )
    for name, reason in left_out.items():
        job.events.notice(f"column {name!r} is left out: {reason}")
    features = []
    for name, kind in used.items():
        feature: dict[str, Any] = {"name": name, "kind": kind}
        if kind == "category":
            cells = (row.get(name) for row in split.train.rows)
            feature["categories"] = sorted({as_label(cell) for cell in cells if not is_missing(cell)})
        features.append(feature)
    return {
        "target": target,
        "task": job.task.id,
        "features": features,
        "classes": list(split.classes),
        "decimal_comma": split.train.source.decimal_comma,
    }


def encode_rows(rows: list[dict[str, Any]], schema: dict[str, Any]) -> Any:
    """(rows, features) float32; NaN where a cell is missing, unreadable or of a category that training never saw."""
    matrix = np.full((len(rows), len(schema["features"])), np.nan, dtype=np.float32)
    for index, feature in enumerate(schema["features"]):
        name, kind = feature["name"], feature["kind"]
        codes = {category: float(code) for code, category in enumerate(feature.get("categories", ()))}
        for number, row in enumerate(rows):
            cell = row.get(name)
            if is_missing(cell):
                continue
            if kind == "category":
                value = codes.get(as_label(cell))
            elif kind == "date":
                value = as_timestamp(cell)
            else:
                value = as_number(cell, schema["decimal_comma"])
            if value is not None:
                matrix[number, index] = value
    return matrix


def row_text(row: Mapping[str, Any], schema: dict[str, Any]) -> str:
    """The features of a row to read, missing ones left out."""
    names = (feature["name"] for feature in schema["features"])
    return ", ".join(f"{name} = {as_text(row.get(name))}" for name in names if not is_missing(row.get(name)))


def encode_targets(split: Split, schema: dict[str, Any]) -> tuple[Any, Any]:
    """Targets of the training and the evaluation rows: class numbers 0..k-1, or the numbers themselves."""
    if not schema["classes"]:
        return np.array(split.train.labels, dtype=np.float64), np.array(split.evaluation.labels, dtype=np.float64)
    numbers = class_index(split.classes)
    return (
        np.array([numbers[label] for label in split.train.labels]),
        np.array([numbers[label] for label in split.evaluation.labels]),
    )


def matrix_of(features: Any, schema: dict[str, Any], targets: Any = None) -> xgboost.DMatrix:
    """XGBoost's own matrix, told which columns are categories."""
    types = ["c" if feature["kind"] == "category" else "q" for feature in schema["features"]]
    return xgboost.DMatrix(features, label=targets, feature_types=types, enable_categorical=True)


def pick_device(job: Job) -> str:
    """`cuda` when this XGBoost and this machine have it, else `cpu`: XGBoost itself would fall back in silence."""
    if xgboost.build_info().get("USE_CUDA") and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        import ctypes

        try:
            count = ctypes.c_int(0)
            if ctypes.CDLL("libcuda.so.1").cuInit(0) == 0:
                ctypes.CDLL("libcuda.so.1").cuDeviceGetCount(ctypes.byref(count))
            if count.value > 0:
                return "cuda"
        except OSError:
            pass
    job.events.notice("training on the CPU: no usable GPU was found")
    return "cpu"


# --- training ----------------------------------------------------------------------------------------------------


class Boosting:
    """The boosting loop of one run: a round, an event, early stopping, checkpoints that resume exactly."""

    def __init__(
        self, job: Job, schema: dict[str, Any], features: tuple[Any, Any], targets: tuple[Any, Any], device: str
    ) -> None:
        self.job, self.schema, self.features, self.targets = job, schema, features, targets
        self.options: TabularOptions = job.options
        self.primary = job.task.metrics[0]
        self.train = matrix_of(features[0], schema, targets[0])
        self.evaluation = matrix_of(features[1], schema, targets[1])
        self.rounds = self.options.max_steps or self.options.n_estimators
        self.parameters = self._parameters(device)
        self.round = -1
        self.best_round = 0
        self.best_loss = float("inf")
        self.saved_round = -1
        self.samples: list[str] = []

    def _parameters(self, device: str) -> dict[str, Any]:
        options, classes = self.options, len(self.schema["classes"])
        parameters: dict[str, Any] = {
            "learning_rate": options.learning_rate,
            "max_depth": options.max_depth,
            "min_child_weight": options.min_child_weight,
            "subsample": options.subsample,
            "colsample_bytree": options.colsample_bytree,
            "reg_lambda": options.reg_lambda,
            "reg_alpha": options.reg_alpha,
            "tree_method": "hist",
            "device": device,
            "seed": options.seed,
            "seed_per_iteration": True,  # see _boost
            "nthread": options.nthread or len(os.sched_getaffinity(0)),
        }
        if not classes:
            return {**parameters, "objective": "reg:squarederror", "eval_metric": "rmse"}
        if classes == 2:
            return {**parameters, "objective": "binary:logistic", "eval_metric": "logloss"}
        return {**parameters, "objective": "multi:softprob", "num_class": classes, "eval_metric": "mlogloss"}

    def score_baselines(self) -> tuple[str, dict[str, float]]:
        """The trivial and the linear baseline on the evaluation rows."""
        (train, evaluation), (targets, truth) = self.features, self.targets
        kinds = tuple(feature["kind"] for feature in self.schema["features"])
        regression = not self.schema["classes"]
        predicted, probabilities = linear_table_model(train, targets, evaluation, kinds, regression, self.options.seed)
        if regression:
            baselines = {
                "mean": regression_scores(truth, np.full(len(truth), targets.mean())),
                "ridge regression": regression_scores(truth, predicted),
            }
        else:
            trivial, shares = majority_class(targets, len(self.schema["classes"]), len(truth))
            baselines = {
                "majority class": classification_scores(truth, trivial, shares),
                "logistic regression": classification_scores(truth, predicted, probabilities),
            }
        ordered = {name: order_scores(scores, self.job.task.metrics) for name, scores in baselines.items()}
        return self.job.record_baselines(ordered, self.primary)

    def score(self, booster: xgboost.Booster) -> dict[str, float]:
        """All metrics of the task on the evaluation rows."""
        return self._score(booster.predict(self.evaluation))

    def _score(self, output: Any) -> dict[str, float]:
        truth = self.targets[1]
        if not self.schema["classes"]:
            return regression_scores(truth, output)
        probabilities = as_probabilities(output)
        scores = classification_scores(truth, probabilities.argmax(axis=1), probabilities)
        return order_scores(scores, self.job.task.metrics)

    def judge(self, booster: xgboost.Booster, text_of: TextOf) -> HeldOut:
        """What is said of the evaluation rows, to read and counted."""
        output, classes = booster.predict(self.evaluation), self.schema["classes"]
        if not classes:
            return numbers(self.targets[1], output, text_of)
        return one_class(classes, self.targets[1], as_probabilities(output), text_of)

    def run(self) -> tuple[xgboost.Booster, bool]:
        """Boost to the end, to early stopping or to a stop request; returns the booster and whether it was stopped."""
        job, options = self.job, self.options
        booster = self._start()
        pace = Pace()
        while self.round + 1 < self.rounds:
            if options.early_stopping_rounds and self.round - self.best_round >= options.early_stopping_rounds:
                job.events.notice(
                    f"early stop: the evaluation loss was best in round {self.best_round + 1} "
                    f"and did not improve for {options.early_stopping_rounds} rounds"
                )
                break
            self.round += 1
            self._boost(booster)
            self._report_round(booster, pace)
            stop, asked = job.control.stop_requested, job.control.take_checkpoint_request()
            if stop or asked or (self.round + 1) % options.save_steps == 0:
                self._save(booster)
            if stop:
                job.events.notice(f"stopped as asked after round {self.round + 1}")
                return booster, True
        return booster, False

    def _start(self) -> xgboost.Booster:
        """A new booster, or the one of the checkpoint with what early stopping knew."""
        folder = self.job.resume_from
        booster = xgboost.Booster(self.parameters, [self.train, self.evaluation])
        if folder is None:
            return booster
        state = read_seal(folder)
        assert state is not None, "only sealed checkpoints are resumed"
        booster.load_model(folder / MODEL_FILE)
        booster.set_param(self.parameters)
        self.round = self.saved_round = self.job.resume_step - 1
        self.best_round, self.best_loss = state["best_round"], state["best_loss"]
        return booster

    def _boost(self, booster: xgboost.Booster) -> None:
        """Add the trees of one round, which follow from its number and the trees before it and from nothing else.

        XGBoost seeds the row sampler by the round (seed_per_iteration), but its column sampler draws on for as long as
        the tree updater lives; leaving the tree method for a moment makes a new one. So a resumed run draws what it
        would have drawn.
        """
        booster.set_param("tree_method", "approx")
        booster.num_boosted_rounds()  # parameters come into force at the next question, so one is asked
        booster.set_param("tree_method", self.parameters["tree_method"])
        booster.update(self.train, self.round)

    def _report_round(self, booster: xgboost.Booster, pace: Pace) -> None:
        line = booster.eval_set([(self.train, "train"), (self.evaluation, "eval")], self.round)
        found = dict(part.rsplit(":", 1) for part in line.split("\t")[1:])
        loss, eval_loss = (
            float(next(v for k, v in found.items() if k.startswith(side))) for side in ("train-", "eval-")
        )
        if eval_loss < self.best_loss:
            self.best_round, self.best_loss = self.round, eval_loss
        values = {"loss": loss, "eval_loss": eval_loss}
        if (self.round + 1) % self.options.eval_steps == 0 or self.round + 1 == self.rounds:
            output = booster.predict(self.evaluation)
            values.update(self._score(output))
            self._show_samples(output)
        step = self.round + 1
        self.job.events.emit(
            "metrics",
            step=step,
            epoch=None,
            total_steps=self.rounds,
            values=values,
            samples_per_second=pace.rate(step * len(self.targets[0])),
            tokens_per_second=None,
        )

    def _show_samples(self, output: Any) -> None:
        """What is said of a few evaluation rows."""
        classes, truth = self.schema["classes"], self.targets[1]
        said = as_probabilities(output).argmax(axis=1) if classes else output
        for row, text in enumerate(self.samples):
            output_text, expected = (
                classes[int(each)] if classes else f"{each:.4g}" for each in (said[row], truth[row])
            )
            self.job.events.emit("sample", step=self.round + 1, input=text[:500], output=output_text, expected=expected)

    def _save(self, booster: xgboost.Booster) -> None:
        """Write a sealed checkpoint of this round; the newest two are kept, older ones hold nothing more."""
        if self.saved_round == self.round:
            return
        root, step = self.job.files.checkpoints, self.round + 1
        folder = checkpoint_folder(root, step)
        folder.mkdir(parents=True, exist_ok=True)
        booster.save_model(folder / MODEL_FILE)
        seal(folder, step, best_round=self.best_round, best_loss=self.best_loss)
        self.saved_round = self.round
        prune(root, best_step=None)
        self.job.events.emit("checkpoint", step=step, path=str(folder.relative_to(self.job.files.folder)))


def as_probabilities(output: Any) -> Any:
    """(rows, classes) from XGBoost's output, which for two classes is (rows,)."""
    return np.column_stack([1 - output, output]) if output.ndim == 1 else output


# --- using the model ---------------------------------------------------------------------------------------------


def predict(model_folder: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Predict each row (column name to cell) with the model of a finished run."""
    schema = json.loads((model_folder / SCHEMA_FILE).read_text(encoding="utf-8"))
    booster = xgboost.Booster(model_file=model_folder / MODEL_FILE)
    for some in ([row] for row in rows) if isinstance(rows, OneByOne) else (list(rows),):
        yield from _judged(booster, schema, some)


def _judged(booster: xgboost.Booster, schema: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    known = {feature["name"] for feature in schema["features"]}
    for row in rows:
        if not known & set(row):
            raise DataError(
                "A row has none of the columns this model knows",
                f"it knows {', '.join(sorted(known)[:20])}",
                "Give the row with the column names of the training data.",
            )
    if not rows:
        return
    output = booster.predict(matrix_of(encode_rows(rows, schema), schema))
    if not schema["classes"]:
        for value in output:
            yield {"prediction": float(value)}
        return
    for shares in as_probabilities(output):
        best = int(shares.argmax())
        probabilities = {name: float(share) for name, share in zip(schema["classes"], shares, strict=True)}
        yield {
            "prediction": schema["classes"][best],
            "probability": float(shares[best]),
            "probabilities": probabilities,
        }
