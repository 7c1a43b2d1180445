"""Pairs of a better and a worse answer, however the prompt is kept: apart, in both sides, or as part of their texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backends.formats.conversations import LEFT_OUT, Turn, turn_list
from backends.formats.findings import Fault
from backends.formats.values import as_text

_SPOKEN = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")
_ROLES = {"Human": "user", "Assistant": "assistant"}
_ANSWERS = ("assistant", "call")


def read_pair(values: Mapping[str, Any]) -> tuple[tuple[Turn, ...], str] | Fault:
    """The turns up to and with the better answer, and the worse answer; the fault that keeps them from being a pair."""
    sides = []
    for role in ("chosen", "rejected"):
        side = _side(values.get(role))
        if isinstance(side, Fault):
            return side
        if not side or not side[-1].text.strip():
            return Fault(f"empty-{role}", f"{role} is empty", LEFT_OUT)
        sides.append(side)
    chosen, rejected = sides
    if [_plain(turn) for turn in chosen] == [_plain(turn) for turn in rejected]:
        return Fault("equal-sides", "chosen and rejected are the same", LEFT_OUT)
    prompt = _prompt(values)
    if isinstance(prompt, Fault):
        return prompt
    shared = 0
    while shared < min(len(chosen), len(rejected)) and chosen[shared] == rejected[shared]:
        shared += 1
    for side in (chosen[shared:], rejected[shared:]):
        if len(side) != 1 or side[0].role not in _ANSWERS:
            message = "chosen and rejected are not two answers to the same question"
            return Fault("sides-differ", message, LEFT_OUT)
    good, bad = chosen[shared].text, rejected[shared].text
    before = _together(prompt, list(chosen[:shared]))
    if len(chosen) == 1:
        before, good, bad = _cut_prompt(before, good, bad)
    if not good.strip() or not bad.strip():
        empty = "chosen" if not good.strip() else "rejected"
        return Fault(f"empty-{empty}", f"{empty} says no more than the prompt", LEFT_OUT)
    if " ".join(good.split()) == " ".join(bad.split()):
        return Fault("equal-sides", "chosen and rejected are the same", LEFT_OUT)
    if before and before[-1].role in _ANSWERS:
        return Fault("chat-order", "the prompt ends with an answer, not with a question", LEFT_OUT)
    system = as_text(values.get("system")).strip()
    if system and not any(turn.role == "system" for turn in before):
        before = [Turn("system", system, False), *before]
    asked = tuple(replace(turn, loss=False) for turn in before)
    return (*asked, Turn("assistant", good, True)), bad


def _plain(turn: Turn) -> tuple[str, str]:
    return turn.role, " ".join(turn.text.split())


def _prompt(values: Mapping[str, Any]) -> list[Turn] | Fault:
    """What comes before the answers, from the prompt, else from the conversation without its last answer."""
    given = values.get("prompt") if values.get("prompt") is not None else values.get("messages")
    if given is None:
        return []
    if isinstance(given, dict):
        given = [given]
    if isinstance(given, list | tuple):
        turns = turn_list(given)
        if isinstance(turns, Fault):
            return turns
        while turns and turns[-1].role in _ANSWERS and values.get("prompt") is None:
            turns.pop()
        return turns
    text = as_text(given)
    if not text.strip():
        return Fault("empty-prompt", "prompt is empty", LEFT_OUT)
    spoken = _spoken(text)
    return list(spoken) if spoken else [Turn("user", text.strip(), False)]


def _together(prompt: list[Turn], shared: list[Turn]) -> list[Turn]:
    """The prompt and the turns that both sides begin with, which often hold the prompt already."""
    told = {" ".join(turn.text.split()) for turn in shared}
    return shared if shared and all(" ".join(turn.text.split()) in told for turn in prompt) else [*prompt, *shared]


def _cut_prompt(before: list[Turn], good: str, bad: str) -> tuple[list[Turn], str, str]:
    """Take the prompt out of answers that begin with it; where there is none, it is what both begin with."""
    if before:
        asked = before[-1].text.strip()
        if good.lstrip().startswith(asked) and bad.lstrip().startswith(asked):
            return before, good.lstrip()[len(asked) :].strip(), bad.lstrip()[len(asked) :].strip()
        return before, good, bad
    length = next(
        (place for place, (one, other) in enumerate(zip(good, bad)) if one != other), min(len(good), len(bad))
    )
    cut = max(good.rfind(" ", 0, length), good.rfind("\n", 0, length)) + 1
    if not good[:cut].strip():
        return before, good, bad
    return [Turn("user", good[:cut].strip(), False)], good[cut:].strip(), bad[cut:].strip()


def _side(cell: Any) -> tuple[Turn, ...] | Fault:
    if isinstance(cell, dict):
        cell = [cell]
    if isinstance(cell, list | tuple):
        turns = turn_list(cell)
        return turns if isinstance(turns, Fault) else tuple(turns)
    text = as_text(cell)
    return _spoken(text) or ((Turn("assistant", text, True),) if text.strip() else ())


def _spoken(text: str) -> tuple[Turn, ...]:
    """The turns of a text with `Human:` and `Assistant:` before what each says; none where it is no such text."""
    pieces = _SPOKEN.split(text)
    if len(pieces) < 3 or pieces[0].strip() or pieces[1] != "Human":
        return ()
    return tuple(Turn(_ROLES[who], said.strip(), who == "Assistant") for who, said in zip(pieces[1::2], pieces[2::2]))
