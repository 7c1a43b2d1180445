"""The tasks that train: one entry each, and nothing else to edit when a task is added.

Standard library only; naming a task imports no backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from backends.contract import UsageError, nearest
from backends.options import options_class


@dataclass(frozen=True)
class Minimum:
    """How much data a task wants, by DESIGN: under `absolute` a warning says what to expect."""

    absolute: int
    good: int
    production: int
    unit: str


@dataclass(frozen=True)
class TaskData:
    """What the data of a task must hold; the data desk knows every task of the field, also those not trained yet.

    `roles` are needed in every row, `optional` ones are used when they are there. Text generation reads rows of many
    shapes, so its roles depend on the data: `backends.formats.shapes` holds them. `takes_several` says whether a row
    may have any number of labels.
    """

    id: str
    title: str
    explanation: str
    reads: str
    roles: tuple[str, ...]
    label_role: str | None
    minimum: Minimum
    optional: tuple[str, ...] = ()
    numeric_label: bool = False
    takes_several: bool = False

    @property
    def is_tabular(self) -> bool:
        """Whether every column that has no role is a feature."""
        return self.reads == "table"

    @property
    def has_classes(self) -> bool:
        """Whether each row belongs to one class."""
        classless = ("token-classification", "extractive-question-answering")
        return self.label_role is not None and not self.numeric_label and self.id not in classless

    @cached_property
    def text_roles(self) -> tuple[str, ...]:
        """The needed roles a model reads, in order."""
        return tuple(role for role in self.roles if role != self.label_role)

    @property
    def asked_roles(self) -> tuple[str, ...]:
        """The roles that a trained model may be asked with: those it reads, without what it is to answer."""
        answered = ("target", "answers", "answer_start")
        return tuple(role for role in (*self.text_roles, *self.optional) if role not in answered)


_ROWS, _CLASS_ROWS = Minimum(500, 5_000, 50_000, "rows"), Minimum(50, 500, 5_000, "rows a class")
_PAIRS, _EXAMPLES = Minimum(100, 1_000, 10_000, "pairs"), Minimum(50, 500, 5_000, "examples")
_IMAGES = Minimum(100, 1_000, 10_000, "images a class")

TASK_DATA: tuple[TaskData, ...] = (
    TaskData(
        "tabular-classification",
        "Table: predict a class",
        "each row of a table belongs to one of a few classes; any mix of numbers and words",
        "table",
        ("target",),
        "target",
        _ROWS,
    ),
    TaskData(
        "tabular-regression",
        "Table: predict a number",
        "each row of a table has a number to be predicted, such as a price or a duration",
        "table",
        ("target",),
        "target",
        _ROWS,
        numeric_label=True,
    ),
    TaskData(
        "text-classification",
        "Text: sort into classes",
        "each text belongs to one class: topic, intent, sentiment, spam",
        "text",
        ("text", "label"),
        "label",
        _CLASS_ROWS,
        takes_several=True,
    ),
    TaskData(
        "sentence-pair-classification",
        "Text pair: how two texts relate",
        "does the second sentence follow from the first, contradict it, or neither",
        "text",
        ("premise", "hypothesis", "label"),
        "label",
        _CLASS_ROWS,
        takes_several=True,
    ),
    TaskData(
        "text-regression",
        "Text: predict a number",
        "each text has a number to be predicted: a rating, a grade, a degree of agreement",
        "text",
        ("text", "target"),
        "target",
        Minimum(100, 1_000, 10_000, "texts"),
        numeric_label=True,
    ),
    TaskData(
        "token-classification",
        "Text: mark names and other parts",
        "each word has a tag that says which name, place or other part it belongs to",
        "text",
        ("tokens", "tags"),
        "tags",
        Minimum(100, 1_000, 10_000, "documents"),
    ),
    TaskData(
        "extractive-question-answering",
        "Text: find the answer in it",
        "the answer to a question is a part of a given text",
        "text",
        ("context", "question", "answers"),
        "answers",
        Minimum(200, 1_000, 10_000, "questions"),
        optional=("answer_start",),
    ),
    TaskData(
        "summarization",
        "Text: shorten it",
        "a long text becomes a short one that keeps what matters",
        "text",
        ("source", "target"),
        None,
        _PAIRS,
    ),
    TaskData(
        "translation",
        "Text: translate it",
        "a text in one language becomes the same in another",
        "text",
        ("source", "target"),
        None,
        _PAIRS,
    ),
    TaskData(
        "text-to-text",
        "Text: turn one into another",
        "any rewriting: correct, simplify, convert, answer",
        "text",
        ("source", "target"),
        None,
        _PAIRS,
        optional=("question",),
    ),
    TaskData(
        "text-generation",
        "Language model: write, chat, follow instructions",
        "a model that continues texts or answers: chat, instructions, code, reasoning, preferences",
        "text",
        (),
        None,
        _EXAMPLES,
    ),
    TaskData(
        "reward-modeling",
        "Language model: judge answers",
        "a model that scores answers, learned from pairs of a better and a worse one",
        "text",
        ("chosen", "rejected"),
        None,
        _EXAMPLES,
        optional=("prompt", "messages", "system"),
    ),
    TaskData(
        "image-classification",
        "Images: sort into classes",
        "each picture belongs to one class",
        "image",
        ("image", "label"),
        "label",
        _IMAGES,
    ),
    TaskData(
        "object-detection",
        "Images: find objects",
        "each picture has boxes around the objects to be found, each of a class",
        "image",
        ("image", "boxes"),
        None,
        _IMAGES,
    ),
    TaskData(
        "visual-question-answering",
        "Images: answer questions about them",
        "questions about pictures with their answers, or whole conversations about pictures",
        "image",
        ("image", "question", "answer"),
        None,
        Minimum(200, 1_000, 10_000, "questions"),
    ),
    TaskData(
        "speech-recognition",
        "Speech: write down what is said",
        "recordings with what is said in them",
        "audio",
        ("audio", "transcript"),
        None,
        Minimum(100, 1_000, 10_000, "recordings"),
    ),
    TaskData(
        "video-classification",
        "Videos: sort into classes",
        "each clip belongs to one class",
        "video",
        ("video", "label"),
        "label",
        Minimum(50, 500, 5_000, "clips a class"),
    ),
)


@dataclass(frozen=True)
class Way:
    """One of several ways to train a task: a strategy with a backend, settings and metrics of its own.

    `settings` names the class of its options. `models` are the presets it can start from, the first of them where none
    is named; empty: those of the task.
    """

    strategy: str
    module: str
    settings: str
    metrics: tuple[str, ...]
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task that trains: its data, its backend, its models and metrics.

    From random weights little is learned: where it takes a folder with a pretrained model, a preset is only taken by
    name. Where it has several `ways`, module, settings, models and metrics are those of its `strategy`, the first way
    unless another was asked for.
    """

    data: TaskData
    module: str
    settings: str
    methods: tuple[str, ...]
    models: tuple[str, ...]
    default_model: str
    accepts_model_folder: bool
    metrics: tuple[str, ...]
    strategy: str | None = None
    ways: tuple[Way, ...] = ()

    def by(self, strategy: str | None) -> Task:
        """The task as a strategy trains it; raises UsageError for one that this version does not train."""
        if not self.ways or strategy is None:
            return self
        for way in self.ways:
            if way.strategy == strategy:
                models = way.models or self.models
                first = models[0] if way.models else self.default_model
                return replace(
                    self,
                    module=way.module,
                    settings=way.settings,
                    metrics=way.metrics,
                    strategy=way.strategy,
                    models=models,
                    default_model=first,
                )
        known = ", ".join(way.strategy for way in self.ways)
        raise UsageError(
            f"This version does not train {self.id} by {strategy}",
            f"it trains it by {known}",
            f"Choose one of these: --strategy {self.ways[0].strategy}",
        )

    @cached_property
    def options(self) -> type:
        """The class of its settings."""
        return options_class(self.settings)

    @property
    def id(self) -> str:
        """The name of the task in commands and files."""
        return self.data.id

    @property
    def title(self) -> str:
        """The name of the task for people."""
        return self.data.title

    @property
    def explanation(self) -> str:
        """What the task is for, in a few words."""
        return self.data.explanation

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles its data must fill."""
        return self.data.roles

    @property
    def label_role(self) -> str:
        """The role that is learned, of a task that has one."""
        assert self.data.label_role is not None
        return self.data.label_role

    @property
    def minimum(self) -> Minimum:
        """How much data it wants."""
        return self.data.minimum

    @property
    def numeric_label(self) -> bool:
        """Whether a number is predicted, not a class."""
        return self.data.numeric_label

    @property
    def is_tabular(self) -> bool:
        """Whether every column that has no role is a feature."""
        return self.data.is_tabular

    @property
    def text_roles(self) -> tuple[str, ...]:
        """The roles a model reads, in order."""
        return self.data.text_roles


PRESETS = {
    "preset:xgboost": "gradient-boosted trees, the strongest start on tables",
    "preset:tiny-encoder": "a small encoder from random weights; its tokenizer is trained on your texts",
    "preset:tiny-encoder-decoder": "a small encoder-decoder from random weights; tokenizer trained on your texts",
    "preset:gpt-1m": "1 million random weights: to try the whole way, minutes on a CPU",
    "preset:gpt-5m": "5 million random weights: for about 0.4 GB of text",
    "preset:gpt-17m": "17 million random weights: for about 1 GB of text, on a GPU",
    "preset:gpt-34m": "34 million random weights: for about 3 GB of text, on a GPU",
    "preset:gpt-110m": "110 million random weights, the size of GPT-2: for about 9 GB of text, on a GPU",
    "preset:gpt-235m": "235 million random weights: for about 19 GB of text, on a GPU",
    "preset:gpt-440m": "440 million random weights: for about 35 GB of text, on a GPU",
}


def find_data(task_id: str) -> TaskData:
    """What the data of a task must hold; raises UsageError with the nearest known name."""
    for data in TASK_DATA:
        if data.id == task_id:
            return data
    known = tuple(data.id for data in TASK_DATA)
    raise UsageError(
        f"There is no task {task_id!r}",
        f"the tasks are {', '.join(known)}",
        f"Correct the name{nearest(task_id, known)}, or see: forge-tui tasks",
    )


# Of texts from texts: where an encoder is named that compares them, and where every target is a JSON object.
MEANING_METRIC = "bertscore"
JSON_METRICS = ("field_f1", "json_valid")
_CLASS_METRICS = ("f1_macro", "accuracy", "precision_macro", "recall_macro")
_DECODERS = tuple(name for name in PRESETS if name.startswith("preset:gpt-"))

TASKS: tuple[Task, ...] = (
    Task(
        data=find_data("tabular-classification"),
        module="backends.tabular",
        settings="tables.TabularOptions",
        methods=("full",),
        models=("preset:xgboost",),
        default_model="preset:xgboost",
        accepts_model_folder=False,
        metrics=("f1_macro", "accuracy", "precision_macro", "recall_macro", "roc_auc"),
    ),
    Task(
        data=find_data("tabular-regression"),
        module="backends.tabular",
        settings="tables.TabularOptions",
        methods=("full",),
        models=("preset:xgboost",),
        default_model="preset:xgboost",
        accepts_model_folder=False,
        metrics=("rmse", "mse", "mae", "r2"),
    ),
    Task(
        data=find_data("text-classification"),
        module="backends.text_classification",
        settings="sorting.TextClassificationOptions",
        methods=("full", "lora", "qlora", "prompt-tuning", "prefix-tuning"),
        models=("preset:tiny-encoder", *_DECODERS),
        default_model="preset:tiny-encoder",
        accepts_model_folder=True,
        metrics=_CLASS_METRICS,
        ways=(
            Way(
                "head",
                "backends.text_classification",
                "sorting.TextClassificationOptions",
                _CLASS_METRICS,
                ("preset:tiny-encoder",),
            ),
            Way("label-words", "backends.label_words", "sorting.LabelWordsOptions", _CLASS_METRICS, _DECODERS),
        ),
    ),
    Task(
        data=find_data("sentence-pair-classification"),
        module="backends.text_classification",
        settings="sorting.TextClassificationOptions",
        methods=("full", "lora", "qlora", "prompt-tuning", "prefix-tuning"),
        models=("preset:tiny-encoder",),
        default_model="preset:tiny-encoder",
        accepts_model_folder=True,
        metrics=("accuracy", "f1_macro", "precision_macro", "recall_macro"),
    ),
    Task(
        data=find_data("text-regression"),
        module="backends.text_classification",
        settings="sorting.TextClassificationOptions",
        methods=("full", "lora", "qlora", "prompt-tuning", "prefix-tuning"),
        models=("preset:tiny-encoder",),
        default_model="preset:tiny-encoder",
        accepts_model_folder=True,
        metrics=("rmse", "mse", "mae", "r2"),
    ),
    Task(
        data=find_data("token-classification"),
        module="backends.token_classification",
        settings="marking.TokenClassificationOptions",
        methods=("full", "lora", "qlora", "prefix-tuning"),  # words before the input would shift the tags
        models=("preset:tiny-encoder",),
        default_model="preset:tiny-encoder",
        accepts_model_folder=True,
        metrics=("f1", "precision", "recall", "token_accuracy"),
    ),
    Task(
        data=find_data("summarization"),
        module="backends.seq2seq",
        settings="writing.Seq2SeqOptions",
        methods=("full", "lora", "qlora", "prompt-tuning", "prefix-tuning"),
        models=("preset:tiny-encoder-decoder",),
        default_model="preset:tiny-encoder-decoder",
        accepts_model_folder=True,
        metrics=("rougeL", "rouge1", "rouge2", "chrf", MEANING_METRIC),
    ),
    Task(
        data=find_data("translation"),
        module="backends.seq2seq",
        settings="writing.Seq2SeqOptions",
        methods=("full", "lora", "qlora", "prompt-tuning", "prefix-tuning"),
        models=("preset:tiny-encoder-decoder",),
        default_model="preset:tiny-encoder-decoder",
        accepts_model_folder=True,
        metrics=("bleu", "chrf", MEANING_METRIC),
    ),
    Task(
        data=find_data("text-to-text"),
        module="backends.seq2seq",
        settings="writing.Seq2SeqOptions",
        methods=("full", "lora", "qlora", "prompt-tuning", "prefix-tuning"),
        models=("preset:tiny-encoder-decoder",),
        default_model="preset:tiny-encoder-decoder",
        accepts_model_folder=True,
        metrics=("chrf", "exact_match", "rougeL", "bleu", MEANING_METRIC, *JSON_METRICS),
    ),
    Task(
        data=find_data("extractive-question-answering"),
        module="backends.extractive_qa",
        settings="marking.ExtractiveQaOptions",
        methods=("full", "lora", "qlora", "prefix-tuning"),  # words before the input would shift the answers
        models=("preset:tiny-encoder",),
        default_model="preset:tiny-encoder",
        accepts_model_folder=True,
        metrics=("exact_match", "f1"),
    ),
    Task(
        data=find_data("text-generation"),
        module="backends.sft",
        settings="language.FineTuningOptions",
        methods=("full", "lora", "qlora", "prompt-tuning", "prefix-tuning"),
        models=_DECODERS,
        default_model="preset:gpt-1m",
        accepts_model_folder=True,
        metrics=("eval_loss", "perplexity", "token_accuracy", "exact_match"),
        strategy="sft",
        ways=(
            Way(
                "sft",
                "backends.sft",
                "language.FineTuningOptions",
                ("eval_loss", "perplexity", "token_accuracy", "exact_match"),
            ),
            Way(
                "pretrain",
                "backends.pretrain",
                "language.PretrainingOptions",
                ("eval_loss", "perplexity", "bits_per_byte", "token_accuracy"),
            ),
        ),
    ),
)


# The kinds of models (profiles/catalog.py) that each method can train, the method that trains most first.
METHOD_KINDS: Mapping[str, tuple[str, ...]] = {
    "full": (
        *("causal-lm", "encoder", "encoder-decoder", "vision-language"),
        *("image", "detector", "speech", "video", "trees"),
    ),
    "lora": ("causal-lm", "encoder", "encoder-decoder", "vision-language", "speech"),
    "qlora": ("causal-lm", "encoder", "encoder-decoder", "vision-language", "speech"),
    "prompt-tuning": ("causal-lm", "encoder", "encoder-decoder"),
    "prefix-tuning": ("causal-lm", "encoder", "encoder-decoder"),
}
# Encoders of Transformers 5.23 whose layers take no vectors from outside (past_key_values), by model_type.
_WITHOUT_PREFIX = ("albert", "deberta", "deberta-v2", "distilbert", "modernbert", "mpnet")


def method_refusal(method: str, task_id: str | None, kind: str | None, architecture: str | None) -> str | None:
    """Why a method cannot train a model for a task, None where it can; what is None is not looked at.

    `architecture` is the model_type of Transformers.
    """
    trained = next((task.methods for task in TASKS if task.id == task_id), None)
    if kind is not None and kind not in METHOD_KINDS[method]:
        return f"{method} is not for this kind of model"
    if trained is not None and method not in trained:
        return f"this version trains {task_id} by {', '.join(trained)}"
    if method == "prefix-tuning" and architecture in _WITHOUT_PREFIX:
        return f"the layers of {architecture} take no vectors from outside, which prefix tuning needs"
    return None


def every_way() -> tuple[Task, ...]:
    """Every task that trains, once for each strategy that trains it."""
    return tuple(each for task in TASKS for each in ([task.by(way.strategy) for way in task.ways] or [task]))


def is_trained(task_id: str, strategy: str | None = None) -> bool:
    """Whether this version trains the task, by that strategy where one is named, beside checking its data."""
    found = next((task for task in TASKS if task.id == task_id), None)
    if found is None or strategy is None or not found.ways:
        return found is not None
    return any(way.strategy == strategy for way in found.ways)


def find_task(task_id: str, strategy: str | None = None) -> Task:
    """The entry of a task that trains, as a strategy trains it; raises UsageError with the nearest known name."""
    for task in TASKS:
        if task.id == task_id:
            return task.by(strategy)
    data = find_data(task_id)
    raise UsageError(
        f"This version does not train {data.id}",
        f"it trains {', '.join(task.id for task in TASKS)}; data for {data.id} can be checked only",
        "Choose one of these tasks, or check the data: forge-tui check DATA --task " + data.id,
    )


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one."""
    return metric in ("rmse", "mse", "mae", "eval_loss", "loss", "perplexity", "bits_per_byte", "wer", "cer")
