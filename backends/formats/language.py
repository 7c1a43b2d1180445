"""Rows of language data, whatever their shape, as the conversation a model learns from; and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backends.formats.conversations import LEFT_OUT, Turn, in_order, read_turns
from backends.formats.findings import Fault
from backends.formats.preferences import read_pair
from backends.formats.shapes import Shape
from backends.formats.values import as_text

_OPEN, _CLOSE, _SYSTEM_OPEN, _SYSTEM_CLOSE = "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"
_GOOD = "true 1 +1 yes y good desirable thumbs_up thumbsup up 👍 like liked preferred chosen accepted positive".split()
_BAD = (
    "false 0 -1 no n bad undesirable thumbs_down thumbsdown down 👎 dislike disliked dispreferred rejected negative"
).split()
_MARKS = {**dict.fromkeys(_GOOD, True), **dict.fromkeys(_BAD, False)}
# Under which roles each shape keeps what is asked and what is answered.
_ASKED = {
    "instruction": ("instruction", "output"),
    "question-answer": ("question", "answer"),
    "context-question": ("question", "answer"),
    "prompt-completion": ("prompt", "completion"),
    "kto": ("prompt", "completion"),
    "input-output": ("input", "output"),
    "source-target": ("source", "target"),
}


@dataclass(frozen=True)
class Example:
    """One row as a conversation: `rejected` is the worse last answer, `desirable` a mark, `text` a plain text."""

    turns: tuple[Turn, ...] = ()
    rejected: str | None = None
    desirable: bool | None = None
    text: str | None = None
    tools: str | None = None
    repairs: tuple[Fault, ...] = ()

    @property
    def words(self) -> str:
        """Everything in it, for lengths and for finding the same row again."""
        said = "\n".join(turn.text for turn in self.turns) if self.text is None else self.text
        return said if self.rejected is None else f"{said}\n{self.rejected}"


def read_example(shape: Shape, values: Mapping[str, Any]) -> Example | Fault:
    """A row of any shape as an example; the fault that keeps it from being one."""
    values = {role: cell for role, cell in values.items() if cell is not None}
    if shape.name == "text":
        return _text_example(as_text(values.get("text")))
    if shape.name == "preference":
        pair = read_pair(values)
        return pair if isinstance(pair, Fault) else Example(pair[0], rejected=pair[1])
    if shape.name in ("messages", "kto-messages", "visual-messages"):
        found = conversation(values.get("messages"))
    else:
        found = _asked(shape, values)
    if isinstance(found, Fault):
        return found
    system = as_text(values.get("system")).strip()
    if system and not any(turn.role == "system" for turn in found.turns):
        found = replace(found, turns=(Turn("system", system, False), *found.turns))
    if values.get("tools"):
        found = replace(found, tools=as_text(values["tools"]))
    if shape.strategy == "kto":
        mark = mark_of(values.get("label"))
        if mark is None:
            shown = as_text(values.get("label"))[:40]
            return Fault("mark-unclear", f"the mark {shown!r} says neither good nor bad", LEFT_OUT)
        found = replace(found, desirable=mark)
    return found


def mark_of(value: Any) -> bool | None:
    """Whether a mark says good or bad; None when it says neither."""
    return _MARKS.get(as_text(value).strip().lower())


def conversation(cell: Any) -> Example | Fault:
    """A list of turns, under any of the usual names, as an example; the fault that keeps it from being one."""
    found = read_turns(cell)
    return found if isinstance(found, Fault) else Example(found.turns, repairs=found.repairs)


def _asked(shape: Shape, values: Mapping[str, Any]) -> Example | Fault:
    """A question with its answer under any of the usual names."""
    question_role, answer_role = _ASKED[shape.name]
    asked, answered = values.get(question_role), values.get(answer_role)
    if _is_turns(asked) or _is_turns(answered):
        return conversation([*_as_turns(asked, "user"), *_as_turns(answered, "assistant")])
    question, answer = as_text(asked).strip(), answer_text(answered)
    if not question:
        return Fault(f"empty-{question_role}", f"{question_role} is empty", LEFT_OUT)
    if not answer.strip():
        return Fault(f"empty-{answer_role}", f"{answer_role} is empty", LEFT_OUT)
    repairs: tuple[Fault, ...] = ()
    if not isinstance(answered, str):
        what = "a list or an object" if isinstance(answered, list | dict) else type(answered).__name__
        fix = "Its first text is taken." if isinstance(answered, list | dict) else "It is taken as a text."
        message = f"{answer_role} is not a text but {what}: {as_text(answered)[:60]!r}"
        repairs = (Fault("not-a-text", message, fix, fatal=False),)
    more = as_text(values.get("input")).strip() if shape.name == "instruction" else ""
    if shape.name == "context-question":
        context = as_text(values.get("context")).strip()
        if not context:
            return Fault("empty-context", "context is empty", LEFT_OUT)
        question = f"{context}\n\n{question}"
    past: list[Turn] = []
    for pair in values.get("history") or () if isinstance(values.get("history"), list) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2:
            past += [Turn("user", as_text(pair[0]), False), Turn("assistant", as_text(pair[1]), True)]
    whole = f"{question}\n\n{more}" if more else question
    return Example((*past, Turn("user", whole, False), Turn("assistant", answer, True)), repairs=repairs)


def _is_turns(cell: Any) -> bool:
    return isinstance(cell, list | tuple) and bool(cell) and isinstance(cell[0], dict) and "role" in cell[0]


def _as_turns(cell: Any, role: str) -> list[Any]:
    return list(cell) if _is_turns(cell) else [{"role": role, "content": answer_text(cell)}]


def answer_text(value: Any) -> str:
    """The text of an answer that may be a list of answers or an object with a `text`."""
    if isinstance(value, dict):
        value = value.get("text", value)
    if isinstance(value, list):
        value = value[0] if value else None
        return answer_text(value) if isinstance(value, dict) else as_text(value)
    return as_text(value)


# --- plain texts -------------------------------------------------------------------------------------------------


def is_dialogue(text: str) -> bool:
    """Whether a plain text is a dialogue written with `[INST]` marks."""
    return text.lstrip().startswith(("<s>", _OPEN, _SYSTEM_OPEN)) and _OPEN in text and _CLOSE in text


def _text_example(text: str) -> Example | Fault:
    if not text.strip():
        return Fault("empty-text", "text is empty", LEFT_OUT)
    if not is_dialogue(text):
        return Example(text=text)
    turns: list[Turn] = []
    for number, (asked, answered) in enumerate(_marked_pairs(text), 1):
        start = asked.find(_SYSTEM_OPEN)
        end = asked.find(_SYSTEM_CLOSE)
        if not turns and 0 <= start < end:
            turns.append(Turn("system", asked[start + len(_SYSTEM_OPEN) : end].strip(), False))
            asked = asked[end + len(_SYSTEM_CLOSE) :]
        if not asked.strip():
            return Fault("chat-empty-turn", f"the text between {_OPEN} and {_CLOSE} number {number} is empty", LEFT_OUT)
        turns.append(Turn("user", asked.strip(), False))
        if answered.strip():
            turns.append(Turn("assistant", answered.strip(), True))
    if not turns:
        return Fault("chat-empty", f"no {_OPEN} has its {_CLOSE}", LEFT_OUT)
    found = in_order(turns, [])
    return found if isinstance(found, Fault) else Example(found.turns, repairs=found.repairs)


def _marked_pairs(text: str) -> Iterator[tuple[str, str]]:
    """What stands between the marks, and what follows them up to the next."""
    at = 0
    while (start := text.find(_OPEN, at)) >= 0 and (end := text.find(_CLOSE, start)) >= 0:
        following = text.find(_OPEN, end)
        answer = text[end + len(_CLOSE) : following if following >= 0 else len(text)]
        yield text[start + len(_OPEN) : end], answer.replace("</s>", "").replace("<s>", "")
        if following < 0:
            return
        at = following
    if start >= 0 and text[start + len(_OPEN) :].strip():
        yield text[start + len(_OPEN) :].replace("</s>", ""), ""  # a mark that is never closed: nobody answers


# --- as the model will see it ------------------------------------------------------------------------------------


def chat_parts(example: Example) -> list[tuple[str, bool]]:
    """The example in the built-in chat template (ChatML), in pieces, each with whether it bears loss.

    The end of an answer bears loss too, else a model never learns to stop.
    """
    if example.text is not None:
        return [(example.text, True)]
    parts: list[tuple[str, bool]] = []
    if example.tools:
        parts.append((f"<|im_start|>system\n# Tools\n{example.tools}<|im_end|>\n", False))
    for turn in example.turns:
        role = {"call": "assistant"}.get(turn.role, turn.role)
        if turn.loss:
            parts += [(f"<|im_start|>{role}\n", False), (f"{turn.text}<|im_end|>", True), ("\n", False)]
        else:
            parts.append((f"<|im_start|>{role}\n{turn.text}<|im_end|>\n", False))
    return parts
