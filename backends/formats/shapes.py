"""The shapes that rows of a task come in: which roles they need, and what they are trained with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from backends.contract import UsageError
from backends.registry import TaskData


@dataclass(frozen=True)
class Shape:
    """One way to write a row: the roles it needs and those it may have."""

    name: str
    strategy: str | None
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    explanation: str = ""

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role of the shape, needed ones first."""
        return (*self.needed, *self.optional)

    def alias(self, role: str) -> str:
        """The list of names that a role is looked for by: some words mean different things in different shapes."""
        if role == "target" and "source" in self.needed:
            return "target_text"
        if role == "label" and self.strategy == "kto":
            return "desirable"
        return role


# Most particular first: rows of a later shape have fewer columns.
LANGUAGE_SHAPES = (
    Shape(
        "preference",
        "dpo",
        ("chosen", "rejected"),
        ("prompt", "messages", "system", "tools"),
        "pairs of a better and a worse answer",
    ),
    Shape("kto-messages", "kto", ("messages", "label"), ("system", "tools"), "conversations marked good or bad"),
    Shape("kto", "kto", ("prompt", "completion", "label"), ("system",), "answers marked good or bad"),
    Shape("messages", "sft", ("messages",), ("system", "tools"), "conversations"),
    Shape("instruction", "sft", ("instruction", "output"), ("input", "system", "history"), "instructions with answers"),
    Shape("context-question", "sft", ("context", "question", "answer"), ("system",), "questions about a given text"),
    Shape("question-answer", "sft", ("question", "answer"), ("system",), "questions with answers"),
    Shape("prompt-completion", "sft", ("prompt", "completion"), ("system",), "prompts with completions"),
    Shape("input-output", "sft", ("input", "output"), ("system",), "inputs with outputs"),
    Shape("source-target", "sft", ("source", "target"), ("system",), "texts with what they become"),
    Shape("text", "pretrain", ("text",), (), "plain texts"),
)
# Shapes of a question and an answer; which of them a row has is a matter of names only.
ASKING_SHAPES = (
    "instruction",
    "context-question",
    "question-answer",
    "prompt-completion",
    "input-output",
    "source-target",
)
_VISUAL = (
    Shape("visual-messages", None, ("messages", "images"), ("system",), "conversations about pictures or videos"),
    Shape("visual-question", None, ("image", "question", "answer"), (), "questions about pictures"),
)


# Strategies that learn from rows of the same shapes.
_SAME_ROWS = {"orpo": "dpo", "ppo": "sft", "grpo": "sft"}


def for_strategy(shapes: tuple[Shape, ...], strategy: str | None) -> tuple[Shape, ...]:
    """The shapes that a strategy learns from; all of them where none is known."""
    wanted = _SAME_ROWS.get(strategy or "", strategy)
    # Plain texts may be dialogues with marks.
    found = tuple(shape for shape in shapes if shape.strategy == wanted or (wanted == "sft" and shape.name == "text"))
    return found if wanted is not None and found else shapes


def shapes_of(task: TaskData) -> tuple[Shape, ...]:
    """The shapes of the rows of a task; most tasks have one."""
    if task.id == "text-generation":
        return LANGUAGE_SHAPES
    if task.id == "reward-modeling":
        return LANGUAGE_SHAPES[:1]
    if task.id == "visual-question-answering":
        return _VISUAL
    return (Shape(task.id, None, task.roles, task.optional),)


def shape_for(task: TaskData, roles: Collection[str]) -> Shape:
    """The shape of rows with these roles: the most particular of which every needed role is there.

    Raises UsageError where they make none.
    """
    shapes = shapes_of(task)
    for shape in shapes:
        if set(shape.needed) <= set(roles):
            return shape
    needed = " · ".join(", ".join(shape.needed) for shape in shapes)
    raise UsageError(
        f"The columns of this run make no rows for {task.id}",
        f"there are {', '.join(roles) or 'none'}, and needed is one of: {needed}",
        "Name them with --map role=column.",
    )
