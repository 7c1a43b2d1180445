"""Conversations under any of the usual names as turns, and what is wrong with who speaks when."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

from backends.formats.findings import Fault
from backends.formats.nested import TURN_KEYS, turn_keys
from backends.formats.values import as_text

LEFT_OUT = "The row is left out."
_SPEAKERS = {
    "system": "system developer instructions context",
    "user": "user human prompter question customer client instruction usr person",
    "assistant": "assistant gpt bot chatgpt model ai bing bard claude answer agent chatbot response",
    "call": "function_call tool_call tool_calls functioncall",
    "tool": "tool function observation function_response tool_response ipython environment tool_result",
}
_ROLE_OF = {name: role for role, names in _SPEAKERS.items() for name in names.split()}
_PLAIN_ROLES = frozenset({"system", "user", "assistant", "tool", "developer"})
# A letter for each speaker; what a conversation that can be learned from looks like. A call of a tool may stand in the
# text of an answer, so a result may follow an answer too.
_LETTER = {"system": "s", "user": "u", "assistant": "a", "call": "c", "tool": "t"}
_ORDER = re.compile(r"s?(?:u(?:(?:a?c+|a)t+)*(?:a?c+|a))+u?")
_good_orders: dict[tuple[str, ...], bool] = {}


@dataclass(frozen=True)
class Turn:
    """What one side says; `loss` tells whether the model learns to say it."""

    role: str
    text: str
    loss: bool


@dataclass(frozen=True)
class Turns:
    """A conversation in order, and what had to be repaired on the way."""

    turns: tuple[Turn, ...]
    repairs: tuple[Fault, ...] = ()


_role_of_turn, _content_of_turn = itemgetter("role"), itemgetter("content")


def quick_words(cell: Any) -> str | None:
    """The words of a conversation that is plainly in order; None for any that must be looked at closely.

    Exists for speed: `read_turns` comes to the same for what passes here, at five times the cost.
    """
    try:
        key = tuple(map(_role_of_turn, cell))
        said = list(map(_content_of_turn, cell))
        words = "\n".join(said)
        if sum(map(len, cell)) != 2 * len(key) or not all(map(str.strip, said)):
            return None
        good = _good_orders.get(key)
    except (KeyError, TypeError):
        return None
    if good is None:
        if len(_good_orders) > 10_000 or not all(isinstance(name, str) for name in key):
            return None
        good = _good_orders[key] = set(key) <= _PLAIN_ROLES and order_fault([_ROLE_OF[name] for name in key]) is None
    return words if good and key[-1] == "assistant" else None


def read_turns(cell: Any) -> Turns | Fault:
    """A list of turns as a conversation in order that ends with an answer; the fault that keeps it from being one."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return Fault("chat-not-turns", "the conversation is a text that is no JSON list", LEFT_OUT)
    if not isinstance(cell, list | tuple):
        return Fault("chat-not-turns", f"there is no list of turns but {as_text(cell)[:40]!r}", LEFT_OUT)
    if not cell:
        return Fault("chat-empty", "the conversation has no turns", LEFT_OUT)
    names: list[str] = []
    turns = turn_list(cell, names)
    if isinstance(turns, Fault):
        return turns
    repairs: list[Fault] = []
    odd = sorted({name for name in names if name.lower() not in _PLAIN_ROLES})
    if odd and not any(isinstance(raw, dict) and "from" in raw for raw in cell):
        message = f"the roles {', '.join(odd)} are read as {', '.join(_ROLE_OF[name.strip().lower()] for name in odd)}"
        repairs.append(Fault("chat-role-names", message, "Write user, assistant, system or tool.", fatal=False))
    return in_order(turns, repairs)


def in_order(turns: list[Turn], repairs: list[Fault]) -> Turns | Fault:
    """The conversation, without a last question that nobody answers; the fault where the order cannot be."""
    fault = order_fault([turn.role for turn in turns])
    if fault is not None:
        return fault
    if turns[-1].role == "user":
        turns = turns[:-1]
        message = f"turn {len(turns) + 1} is a question without an answer"
        repairs = [*repairs, Fault("chat-no-last-answer", message, "The last turn is left out.", fatal=False)]
    if not any(turn.loss for turn in turns):
        return Fault("chat-nothing-learned", "the weight of every answer is 0", LEFT_OUT)
    return Turns(tuple(turns), tuple(repairs))


def turn_list(cell: Sequence[Any], names: list[str] | None = None) -> list[Turn] | Fault:
    """The turns one by one, in whatever order they come; `names` collects what the speakers are called."""
    turns: list[Turn] = []
    for number, raw in enumerate(cell, 1):
        if isinstance(raw, dict) and turn_keys(raw) is None and {"input", "output"} <= raw.keys():
            pair = ({"role": "user", "content": raw["input"]}, {"role": "assistant", "content": raw["output"]})
            found = [_turn(each, number, names) for each in pair]
        else:
            found = [_turn(raw, number, names)]
        for turn in found:
            if isinstance(turn, Fault):
                return turn
            turns.append(turn)
    return turns


def _turn(raw: Any, number: int, names: list[str] | None) -> Turn | Fault:
    keys = turn_keys(raw)
    if keys is None:
        held = ", ".join(sorted(map(str, raw))[:6]) if isinstance(raw, dict) else as_text(raw)[:40]
        wanted = " or ".join(f"{speaker}/{words}" for speaker, words in TURN_KEYS[:2])
        return Fault("chat-not-turns", f"turn {number} holds {held}, not {wanted}", LEFT_OUT)
    name = str(raw[keys[0]])
    role = _ROLE_OF.get(name.strip().lower())
    if role is None:
        return Fault("chat-unknown-role", f"turn {number} is said by {name[:40]!r}", LEFT_OUT)
    if names is not None:
        names.append(name)
    text = _said(raw.get(keys[1]))
    calls = raw.get("tool_calls") or raw.get("function_call")
    if calls and role == "assistant":
        role, text = "call", f"{text}\n{as_text(calls)}".strip()
    if not text.strip():
        return Fault("chat-empty-turn", f"turn {number} ({name}) says nothing", LEFT_OUT)
    loss = role in ("assistant", "call")
    weight = raw.get("loss_weight", raw.get("weight", raw.get("train")))
    if weight is not None and loss:
        loss = bool(weight)
    return Turn(role, text, loss)


def _said(content: Any) -> str:
    """The words of a turn: a text, or a list of typed pieces of which the texts are kept."""
    if not isinstance(content, list):
        return as_text(content)
    said = []
    for piece in content:
        words = piece.get("text", piece.get("value")) if isinstance(piece, dict) else as_text(piece)
        said.append(words if isinstance(words, str) else f"<{as_text(piece.get('type')) or 'piece'}>")
    return "\n".join(said)


def order_fault(roles: Sequence[str]) -> Fault | None:
    """What is wrong with who speaks when."""
    letters = "".join(_LETTER[role] for role in roles)
    if _ORDER.fullmatch(letters):
        return None
    if "a" not in letters and "c" not in letters:
        return Fault("chat-no-answer", f"{len(letters)} turns, none of them an answer", LEFT_OUT)
    body = letters.lstrip("s")
    if body[:1] in ("a", "c"):
        first = len(letters) - len(body) + 1
        return Fault("chat-order", f"turn {first} is an answer before any question", LEFT_OUT)
    for number, (before, after) in enumerate(pairwise(letters), 2):
        if before == after and before in "ua":
            side = "questions" if before == "u" else "answers"
            return Fault("chat-order", f"turns {number - 1} and {number} are two {side} in a row", LEFT_OUT)
        if after == "s":
            return Fault("chat-order", f"turn {number} is a system message in the middle", LEFT_OUT)
        if after == "t" and before not in "act":
            return Fault("chat-order", f"turn {number} is the result of a tool that nobody called", LEFT_OUT)
    return Fault("chat-order", f"the turns come in an order that cannot be: {', '.join(roles[:8])}", LEFT_OUT)
