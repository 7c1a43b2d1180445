"""Rows of language data, whatever their shape, as the conversation a model learns from; and what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from backends.formats.findings import Fault
from backends.formats.nested import TURN_KEYS, turn_keys
from backends.formats.shapes import Shape
from backends.formats.values import as_text

_SPEAKERS = {
    "system": "system developer instructions context",
    "user": "user human prompter question customer client instruction usr person",
    "assistant": "assistant gpt bot chatgpt model ai bing bard claude answer agent chatbot response",
    "call": "function_call tool_call tool_calls functioncall",
    "tool": "tool function observation function_response tool_response ipython environment tool_result",
}
_ROLE_OF = {name: role for role, names in _SPEAKERS.items() for name in names.split()}
_PLAIN_ROLES = frozenset({"system", "user", "assistant", "tool", "developer"})
# A letter for each speaker; what a conversation that can be learned from looks like.
_LETTER = {"system": "s", "user": "u", "assistant": "a", "call": "c", "tool": "t"}
_ORDER = re.compile(r"s?(?:u(?:a?c+t+)*(?:a|a?c+))+u?")
_INSTRUCTION_PAIR = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?=</s>|<s>|\[INST\]|$)", re.DOTALL)
_SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>\s*", re.DOTALL)
_SPOKEN = re.compile(r"\n\n(Human|Assistant): ?")
_LEFT_OUT = "The row is left out."
_good_orders: dict[tuple[str, ...], bool] = {}


@dataclass(frozen=True)
class Turn:
    """What one side says; `loss` tells whether the model learns to say it."""

    role: str
    text: str
    loss: bool


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


def quick_words(cell: Any) -> str | None:
    """The words of a conversation that is plainly in order; None for any that must be looked at closely.

    Exists for speed: `read_example` comes to the same for what passes here, at five times the cost.
    """
    try:
        key = tuple([turn["role"] for turn in cell])
        said = [turn["content"] for turn in cell]
        words = "\n".join(said)
        if sum(map(len, cell)) != 2 * len(key) or not all(map(str.strip, said)):
            return None
    except (KeyError, TypeError):
        return None
    good = _good_orders.get(key)
    if good is None:
        if len(_good_orders) > 10_000 or not all(isinstance(name, str) for name in key):
            return None
        good = _good_orders[key] = set(key) <= _PLAIN_ROLES and _order_fault([_ROLE_OF[name] for name in key]) is None
    return words if good and key[-1] == "assistant" else None


def read_example(shape: Shape, values: Mapping[str, Any]) -> Example | Fault:
    """A row of any shape as an example; the fault that keeps it from being one."""
    values = {role: cell for role, cell in values.items() if cell is not None}
    if shape.name == "text":
        return _text_example(as_text(values.get("text")))
    if shape.name == "preference":
        return _preference(values)
    if shape.name in ("messages", "kto-messages", "visual-messages"):
        found = conversation(values.get("messages"))
        if isinstance(found, Fault):
            return found
        example: Example = found
    else:
        asked = _asked(shape, values)
        if isinstance(asked, Fault):
            return asked
        example = asked
    system = as_text(values.get("system")).strip()
    if system and not any(turn.role == "system" for turn in example.turns):
        example = replace(example, turns=(Turn("system", system, False), *example.turns))
    if values.get("tools"):
        example = replace(example, tools=as_text(values["tools"]))
    if shape.strategy == "kto":
        mark = _mark(values.get("label"))
        if mark is None:
            return Fault("empty-label", f"the mark {as_text(values.get('label'))[:40]!r} is not yes or no", _LEFT_OUT)
        example = replace(example, desirable=mark)
    return example


def _mark(value: Any) -> bool | None:
    known = {"true": True, "1": True, "yes": True, "good": True, "desirable": True, "thumbs_up": True, "up": True}
    known |= {"false": False, "0": False, "no": False, "bad": False, "undesirable": False, "-1": False, "down": False}
    return known.get(as_text(value).strip().lower())


def _asked(shape: Shape, values: Mapping[str, Any]) -> Example | Fault:
    """A question with its answer under any of the usual names."""
    question_role, answer_role = {
        "instruction": ("instruction", "output"),
        "question-answer": ("question", "answer"),
        "context-question": ("question", "answer"),
        "prompt-completion": ("prompt", "completion"),
        "kto": ("prompt", "completion"),
        "input-output": ("input", "output"),
        "source-target": ("source", "target"),
    }[shape.name]
    question, answer = as_text(values.get(question_role)).strip(), answer_text(values.get(answer_role))
    if not question:
        return Fault(f"empty-{question_role}", f"{question_role} is empty", _LEFT_OUT)
    if not answer.strip():
        return Fault(f"empty-{answer_role}", f"{answer_role} is empty", _LEFT_OUT)
    repairs: tuple[Fault, ...] = ()
    if not isinstance(values.get(answer_role), str | list | dict):
        kind = type(values.get(answer_role)).__name__
        message = f"{answer_role} is not a text but {as_text(values.get(answer_role))[:40]!r} ({kind})"
        repairs = (Fault("not-a-text", message, "It is taken as a text.", fatal=False),)
    elif not isinstance(values.get(answer_role), str):
        message = f"{answer_role} is not a text but a list or an object: {as_text(values.get(answer_role))[:60]}"
        repairs = (Fault("not-a-text", message, "Its first text is taken.", fatal=False),)
    more = as_text(values.get("input")).strip() if shape.name == "instruction" else ""
    if shape.name == "context-question":
        context = as_text(values.get("context")).strip()
        if not context:
            return Fault("empty-context", "context is empty", _LEFT_OUT)
        question = f"{context}\n\n{question}"
    past: list[Turn] = []
    for pair in values.get("history") or () if isinstance(values.get("history"), list) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2:
            past += [Turn("user", as_text(pair[0]), False), Turn("assistant", as_text(pair[1]), True)]
    asked = f"{question}\n\n{more}" if more else question
    return Example((*past, Turn("user", asked, False), Turn("assistant", answer, True)), repairs=repairs)


def answer_text(value: Any) -> str:
    """The text of an answer that may be a list of answers or an object with a `text`."""
    if isinstance(value, dict):
        value = value.get("text", value)
    if isinstance(value, list):
        value = value[0] if value else None
        return answer_text(value) if isinstance(value, dict) else as_text(value)
    return as_text(value)


# --- conversations -----------------------------------------------------------------------------------------------


def conversation(cell: Any) -> Example | Fault:
    """A list of turns, under any of the usual names, as an example; the fault that keeps it from being one."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return Fault("chat-not-turns", "the conversation is a text that is no JSON list", _LEFT_OUT)
    if not isinstance(cell, list | tuple):
        return Fault("chat-not-turns", f"there is no list of turns but {as_text(cell)[:40]!r}", _LEFT_OUT)
    if not cell:
        return Fault("chat-empty", "the conversation has no turns", _LEFT_OUT)
    turns: list[Turn] = []
    repairs: list[Fault] = []
    for number, raw in enumerate(cell, 1):
        turn = _turn(raw, number)
        if isinstance(turn, Fault):
            return turn
        turns.append(turn)
    if any("role" in raw and str(raw["role"]).lower() not in _PLAIN_ROLES for raw in cell):
        odd = sorted({str(raw["role"]) for raw in cell if str(raw.get("role")).lower() not in _PLAIN_ROLES})
        message = f"the roles {', '.join(odd)} are read as {', '.join(_ROLE_OF[each.lower()] for each in odd)}"
        repairs.append(Fault("chat-role-names", message, "Write user, assistant, system or tool.", fatal=False))
    fault = _order_fault([turn.role for turn in turns])
    if fault is not None:
        return fault
    if turns[-1].role == "user":
        turns.pop()
        message = f"turn {len(turns) + 1} is a question without an answer"
        repairs.append(Fault("chat-no-last-answer", message, "The last turn is left out.", fatal=False))
    return Example(tuple(turns), repairs=tuple(repairs))


def _turn(raw: Any, number: int) -> Turn | Fault:
    keys = turn_keys(raw)
    if keys is None:
        names = ", ".join(sorted(map(str, raw))[:6]) if isinstance(raw, dict) else as_text(raw)[:40]
        wanted = " or ".join(f"{speaker}/{words}" for speaker, words in TURN_KEYS[:2])
        return Fault("chat-not-turns", f"turn {number} holds {names}, not {wanted}", _LEFT_OUT)
    name = str(raw[keys[0]])
    role = _ROLE_OF.get(name.strip().lower())
    if role is None:
        return Fault("chat-unknown-role", f"turn {number} is said by {name[:40]!r}", _LEFT_OUT)
    text = _said(raw.get(keys[1]))
    calls = raw.get("tool_calls") or raw.get("function_call")
    if calls and role == "assistant":
        role, text = "call", f"{text}\n{as_text(calls)}".strip()
    if not text.strip():
        return Fault("chat-empty-turn", f"turn {number} ({name}) says nothing", _LEFT_OUT)
    loss = role in ("assistant", "call")
    weight = raw.get("loss_weight", raw.get("weight", raw.get("train")))
    if weight is not None and loss:
        loss = bool(weight)
    return Turn(role, text, loss)


def _said(content: Any) -> str:
    """The words of a turn: a text, or a list of typed pieces of which the texts are kept."""
    if isinstance(content, list):
        pieces = [each if isinstance(each, dict) else {"type": "text", "text": as_text(each)} for each in content]
        return "\n".join(
            as_text(each.get("text", each.get("value"))) if each.get("type", "text") == "text" else f"<{each['type']}>"
            for each in pieces
        )
    return as_text(content)


def _order_fault(roles: Sequence[str]) -> Fault | None:
    """What is wrong with who speaks when."""
    letters = "".join(_LETTER[role] for role in roles)
    if _ORDER.fullmatch(letters):
        return None
    if "a" not in letters and "c" not in letters:
        return Fault("chat-no-answer", f"{len(letters)} turns, none of them an answer", _LEFT_OUT)
    body = letters.lstrip("s")
    if body[:1] in ("a", "c"):
        first = len(letters) - len(body) + 1
        return Fault("chat-order", f"turn {first} is an answer before any question", _LEFT_OUT)
    for number, (before, after) in enumerate(pairwise(letters), 2):
        if before == after and before in "ua":
            side = "questions" if before == "u" else "answers"
            return Fault("chat-order", f"turns {number - 1} and {number} are two {side} in a row", _LEFT_OUT)
        if after == "s":
            return Fault("chat-order", f"turn {number} is a system message in the middle", _LEFT_OUT)
        if after == "t" and before not in "ct":
            return Fault("chat-order", f"turn {number} is the result of a tool that nobody called", _LEFT_OUT)
    return Fault("chat-order", f"the turns come in an order that cannot be: {', '.join(roles[:8])}", _LEFT_OUT)


# --- plain texts and preferences ---------------------------------------------------------------------------------


def is_dialogue(text: str) -> bool:
    """Whether a plain text is a dialogue written with `[INST]` marks."""
    return "[INST]" in text and "[/INST]" in text


def _text_example(text: str) -> Example | Fault:
    if not text.strip():
        return Fault("empty-text", "text is empty", _LEFT_OUT)
    if not is_dialogue(text):
        return Example(text=text)
    turns: list[Turn] = []
    for asked, answered in _INSTRUCTION_PAIR.findall(text):
        system = _SYSTEM.match(asked)
        if system and not turns:
            turns.append(Turn("system", system.group(1).strip(), False))
            asked = asked[system.end() :]
        question, answer = asked.strip(), answered.strip()
        number = sum(turn.role == "user" for turn in turns) + 1
        if not question:
            return Fault("chat-empty-turn", f"the text between [INST] and [/INST] number {number} is empty", _LEFT_OUT)
        turns.append(Turn("user", question, False))
        if answer:
            turns.append(Turn("assistant", answer, True))
    fault = _order_fault([turn.role for turn in turns]) if turns else Fault("chat-empty", "no turns", _LEFT_OUT)
    return fault or Example(tuple(turns))


def _preference(values: Mapping[str, Any]) -> Example | Fault:
    """A better and a worse answer to the same prompt, each as text, turn or turns, the prompt apart or in both."""
    sides = [_side(values.get(role)) for role in ("chosen", "rejected")]
    for role, side in zip(("chosen", "rejected"), sides):
        if isinstance(side, Fault):
            return side
        if not side or not side[-1].text.strip():
            return Fault(f"empty-{role}", f"{role} is empty", _LEFT_OUT)
    chosen, rejected = [side for side in sides if not isinstance(side, Fault)]
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    before: tuple[Turn, ...] = chosen[:shared]
    good, bad = (" ".join(turn.text for turn in side[shared:]) for side in (chosen, rejected))
    if " ".join(good.split()) == " ".join(bad.split()):
        return Fault("equal-sides", "chosen and rejected are the same", _LEFT_OUT)
    system = as_text(values.get("system")).strip()
    prompt = values.get("messages") or values.get("prompt")
    if isinstance(prompt, list | tuple):
        turns = [_turn(raw, number) for number, raw in enumerate(prompt, 1)]
        fault = next((turn for turn in turns if isinstance(turn, Fault)), None)
        if fault is not None:
            return fault
        before = (*(turn for turn in turns if isinstance(turn, Turn)), *before)
    elif as_text(prompt).strip():
        before = (Turn("user", as_text(prompt).strip(), False), *before)
    elif prompt is not None:
        return Fault("empty-prompt", "prompt is empty", _LEFT_OUT)
    if before and before[-1].role in ("assistant", "call"):
        return Fault("chat-order", "the prompt ends with an answer, not with a question", _LEFT_OUT)
    if system and not any(turn.role == "system" for turn in before):
        before = (Turn("system", system, False), *before)
    turns_before = tuple(replace(turn, loss=False) for turn in before)
    return Example((*turns_before, Turn("assistant", good, True)), rejected=bad)


def _side(cell: Any) -> tuple[Turn, ...] | Fault:
    if isinstance(cell, dict):
        cell = [cell]
    if isinstance(cell, list | tuple):
        turns = [_turn(raw, number) for number, raw in enumerate(cell, 1)]
        fault = next((turn for turn in turns if isinstance(turn, Fault)), None)
        return fault or tuple(turn for turn in turns if isinstance(turn, Turn))
    text = as_text(cell)
    pieces = _SPOKEN.split(text)
    if len(pieces) >= 5 and not pieces[0].strip():  # "\n\nHuman: ...\n\nAssistant: ..."
        roles = {"Human": "user", "Assistant": "assistant"}
        return tuple(
            Turn(roles[who], said.strip(), who == "Assistant") for who, said in zip(pieces[1::2], pieces[2::2])
        )
    return (Turn("assistant", text, True),) if text.strip() else ()


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
