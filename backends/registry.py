"""The tasks that train: one entry each, and nothing else to edit when a task is added.

Standard library only; naming a task imports no backend.
"""

from __future__ import annotations

from dataclasses import dataclass

from backends.contract import TabularOptions, TextClassificationOptions, UsageError, nearest


@dataclass(frozen=True)
class Minimum:
    """How much data a task wants, by DESIGN: under `absolute` a warning says what to expect."""

    absolute: int
    good: int
    production: int
    unit: str


@dataclass(frozen=True)
class Task:
    """What the app, the data desk and the trainer must know of a task."""

    id: str
    module: str
    title: str
    explanation: str
    roles: tuple[str, ...]
    label_role: str
    options: type
    methods: tuple[str, ...]
    models: tuple[str, ...]
    default_model: str
    accepts_model_folder: bool
    metrics: tuple[str, ...]
    minimum: Minimum
    numeric_label: bool = False

    @property
    def is_tabular(self) -> bool:
        """Whether every column that has no role is a feature."""
        return self.roles == ("target",)

    @property
    def text_roles(self) -> tuple[str, ...]:
        """The roles a model reads, in order."""
        return tuple(role for role in self.roles if role != self.label_role)


PRESETS = {
    "preset:xgboost": "gradient-boosted trees, the strongest start on tables",
    "preset:tiny-encoder": "a small encoder from random weights; its tokenizer is trained on your texts",
}

TASKS: tuple[Task, ...] = (
    Task(
        id="tabular-classification",
        module="backends.tabular",
        title="Table: predict a class",
        explanation="each row of a table belongs to one of a few classes; any mix of numbers and words",
        roles=("target",),
        label_role="target",
        options=TabularOptions,
        methods=("full",),
        models=("preset:xgboost",),
        default_model="preset:xgboost",
        accepts_model_folder=False,
        metrics=("f1_macro", "accuracy", "precision_macro", "recall_macro", "roc_auc"),
        minimum=Minimum(500, 5_000, 50_000, "rows"),
    ),
    Task(
        id="tabular-regression",
        module="backends.tabular",
        title="Table: predict a number",
        explanation="each row of a table has a number to be predicted, such as a price or a duration",
        roles=("target",),
        label_role="target",
        options=TabularOptions,
        methods=("full",),
        models=("preset:xgboost",),
        default_model="preset:xgboost",
        accepts_model_folder=False,
        metrics=("rmse", "mse", "mae", "r2"),
        minimum=Minimum(500, 5_000, 50_000, "rows"),
        numeric_label=True,
    ),
    Task(
        id="text-classification",
        module="backends.text_classification",
        title="Text: sort into classes",
        explanation="each text belongs to one class: topic, intent, sentiment, spam",
        roles=("text", "label"),
        label_role="label",
        options=TextClassificationOptions,
        methods=("full", "lora"),
        models=("preset:tiny-encoder",),
        default_model="preset:tiny-encoder",
        accepts_model_folder=True,
        metrics=("f1_macro", "accuracy", "precision_macro", "recall_macro"),
        minimum=Minimum(50, 500, 5_000, "rows a class"),
    ),
    Task(
        id="sentence-pair-classification",
        module="backends.text_classification",
        title="Text pair: how two texts relate",
        explanation="does the second sentence follow from the first, contradict it, or neither",
        roles=("premise", "hypothesis", "label"),
        label_role="label",
        options=TextClassificationOptions,
        methods=("full", "lora"),
        models=("preset:tiny-encoder",),
        default_model="preset:tiny-encoder",
        accepts_model_folder=True,
        metrics=("accuracy", "f1_macro", "precision_macro", "recall_macro"),
        minimum=Minimum(50, 500, 5_000, "rows a class"),
    ),
)


def find_task(task_id: str) -> Task:
    """The entry of a task; raises UsageError with the nearest known name."""
    for task in TASKS:
        if task.id == task_id:
            return task
    known = tuple(task.id for task in TASKS)
    raise UsageError(
        f"There is no task {task_id!r}",
        f"the tasks are {', '.join(known)}",
        f"Correct the name{nearest(task_id, known)}, or see: forge-tui tasks",
    )


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one."""
    return metric in ("rmse", "mse", "mae", "eval_loss", "loss", "perplexity", "wer", "cer")
