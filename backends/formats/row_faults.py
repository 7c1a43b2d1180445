"""What is wrong with one row for a task: the checks tell it, and the trainer leaves out the same rows."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

from backends.formats.findings import Fault
from backends.formats.language import read_example
from backends.formats.shapes import Shape
from backends.formats.tagged import tag_list, tagged_fault
from backends.formats.values import as_number, as_text, is_missing
from backends.registry import TaskData

_LEFT_OUT = "The row is left out."


def row_words(task: TaskData, values: Mapping[str, Any], cells: Mapping[str, Any]) -> str:
    """What makes two rows the same: the texts a model reads, or for tables every filled cell, whatever their order."""
    if task.id == "token-classification":
        return " ".join(tag_list(values.get("tokens")) or ())
    if "question" in task.optional:
        return f"{source_text(values)}\n{as_text(values.get('target'))}"
    if not task.is_tabular:
        return "\n".join(as_text(values.get(role)) for role in task.text_roles)
    names = sorted(cells)
    return table_words(names, [cells[name] for name in names])


def table_words(names: Sequence[str], cells: Sequence[Any]) -> str:
    """The same for the cells of a table by the names of their columns, which are in order."""
    filled = zip(names, cells)
    return "\0".join([f"{name}\1{as_text(cell)}" for name, cell in filled if cell not in (None, "")])


def source_text(values: Mapping[str, Any]) -> str:
    """What an encoder-decoder reads of a row: the source, and before it what is asked about it, where something is.

    They are joined as T5 was taught it (Raffel et al. 2020, appendix D).
    """
    source, question = as_text(values.get("source")), as_text(values.get("question")).strip()
    return f"question: {question} context: {source}" if question else source


def row_fault(task: TaskData, shape: Shape, values: Mapping[str, Any], decimal_comma: bool = False) -> Fault | None:
    """Why a row cannot be used as it is, by role; None when it can. Media files are not opened here."""
    if task.id == "token-classification":
        return tagged_fault(values.get("tokens"), values.get("tags"))
    if task.id == "extractive-question-answering":
        return answer_fault(values)
    if task.id in ("text-generation", "reward-modeling") or shape.name == "visual-messages":
        found = read_example(shape, values)
        return found if isinstance(found, Fault) else (found.repairs[0] if found.repairs else None)
    return plain_fault(task, values, decimal_comma)


def plain_fault(task: TaskData, values: Mapping[str, Any], decimal_comma: bool = False) -> Fault | None:
    """For tasks whose rows hold texts or media and perhaps a label."""
    for role in task.text_roles if not task.is_tabular else ():
        if role != "boxes" and (isinstance(values.get(role), str | None) and not as_text(values.get(role)).strip()):
            return Fault(f"empty-{role}", f"{role} is empty", _LEFT_OUT)
    if task.label_role is None:
        return _transformation_fault(values) if "source" in task.roles else None
    cell = values.get(task.label_role)
    if is_missing(cell):
        word = as_text(cell).strip()
        message = f"{task.label_role} is empty" + (f" or a word for missing ({word!r})" if word else "")
        return Fault(f"empty-{task.label_role}", message, _LEFT_OUT)
    if isinstance(cell, list | tuple) and len(cell) != 1 and not task.is_tabular:
        if task.takes_several:
            message = f"{task.label_role} holds {len(cell)} labels; any number is learned for each row"
            return Fault("several-labels", message, "If one class for each row is meant, leave one in it.", fatal=False)
        message = f"{task.label_role} holds {len(cell)} labels; one is learned for each row"
        return Fault("several-labels", message, _LEFT_OUT)
    if task.numeric_label and as_number(cell, decimal_comma) is None:
        message = f"the target {as_text(cell)[:60]!r} is not a number"
        return Fault("target-not-a-number", message, "Correct the cell or delete the row.", stops=True)
    return None


def _transformation_fault(values: Mapping[str, Any]) -> Fault | None:
    source, target = (" ".join(as_text(values.get(role)).split()) for role in ("source", "target"))
    if source == target:
        message = "source and target are the same"
        return Fault("equal-sides", message, "It teaches to copy; look whether it is meant.", fatal=False)
    return None


def answer_fault(values: Mapping[str, Any]) -> Fault | None:
    """For questions whose answer must stand in the text: where none of those given does, or not at the given place."""
    context, question = as_text(values.get("context")), as_text(values.get("question"))
    if not context.strip():
        return Fault("empty-context", "context is empty", _LEFT_OUT)
    if not question.strip():
        return Fault("empty-question", "question is empty", _LEFT_OUT)
    texts, starts = answers_of(values)
    if not texts:
        return None  # a question without an answer, as SQuAD 2 has them
    if not all(text.strip() for text in texts):
        return Fault("empty-answers", "an answer is empty", "The row is left out; a list without answers is fine.")
    elsewhere = [text for text in texts if text not in context]
    if elsewhere:
        message = f"the answer {elsewhere[0][:60]!r} does not stand in the context"
        if len(elsewhere) == len(texts):
            return Fault("answer-not-in-context", message, "The row is left out; write the answer as in the text.")
        fix = "Another one of the row does and is learned; in scores each counts as right."
        return Fault("other-answer-not-in-context", message, fix, fatal=False)
    for number, text in enumerate(texts):
        start = starts[number] if number < len(starts) else None
        if start is not None and (start < 0 or context[start : start + len(text)] != text):
            said = "at no place that could be" if start < 0 else f"not at {start:,}"
            message = f"the answer {text[:40]!r} is {said}, but at {nearest_place(context, text, max(0, start)):,}"
            return Fault("answer-offset", message, "The nearest place where it stands is taken.", fatal=False)
    return None


def answers_of(values: Mapping[str, Any]) -> tuple[list[str], list[int | None]]:
    """The answers of a row and where each starts, from a text, a list, or the object that SQuAD sets hold."""
    answers: Any = _unpacked(values.get("answers"), (str, dict))
    starts: Any = _unpacked(values.get("answer_start"), (int, NoneType))
    if isinstance(answers, dict):
        answers, starts = answers.get("text"), answers.get("answer_start", starts)
    if isinstance(answers, list) and any(isinstance(each, dict) for each in answers):
        pairs = [each for each in answers if isinstance(each, dict)]
        answers, starts = [each.get("text") for each in pairs], [each.get("answer_start") for each in pairs]
    if answers is None or answers == "" or answers == []:
        return [], []
    texts = [as_text(each) for each in answers] if isinstance(answers, list) else [as_text(answers)]
    places: Sequence[Any] = starts if isinstance(starts, list) else [starts]
    return texts, [_place(each) for each in places]


def _unpacked(cell: Any, kinds: tuple[type, ...]) -> Any:
    """A list of such kinds or an answer that a table holds as a text, in JSON or as Python prints it; else the cell."""
    if not isinstance(cell, str) or cell[:1] not in ("{", "[") or cell[-1:] not in ("}", "]"):
        return cell
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        is_list = isinstance(found, list) and all(isinstance(each, kinds) for each in found)
        return found if is_list or (isinstance(found, dict) and "text" in found) else cell
    return cell


def _place(value: Any) -> int | None:
    """Where an answer is said to start; -1 for what cannot be a place, None where nothing is said."""
    if is_missing(value):
        return None
    number = as_number(value)
    return int(number) if number is not None and number >= 0 and number.is_integer() else -1


def nearest_place(context: str, text: str, start: int) -> int:
    """Where an answer stands in a text, nearest to where it was said to be."""
    after = context.find(text, min(start, len(context)))
    before = context.rfind(text, 0, min(start + len(text), len(context)))
    places = [place for place in (before, after) if place >= 0]
    return min(places, key=lambda place: abs(place - start)) if places else -1
