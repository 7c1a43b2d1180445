"""A conversation with a language model: what was said, how answers are drawn, and both as the trainer reads them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rich.text import Text

from backends.contract import ForgeError, UsageError
from forge_tui.paths import forge_home
from forge_tui.plain import plain

# How an answer ended, where that is worth telling.
ENDS = {"length": "(cut: the most tokens)", "stopped": "(stopped)"}


@dataclass(frozen=True)
class Drawing:
    """How the next token is drawn, under the names of Transformers; the fields of the settings in their order."""

    system: str = field(default="", metadata={"help": "said before everything else; empty for none"})
    greedy: bool = field(default=False, metadata={"help": "always the likeliest token: yes or no"})
    temperature: float = field(default=0.7, metadata={"help": "under 1 likely tokens are likelier, over 1 rare ones"})
    top_k: int = field(default=50, metadata={"help": "draw from so many of the likeliest; 0 for all"})
    top_p: float = field(default=0.95, metadata={"help": "draw from the likeliest that reach this share; 1 for all"})
    max_new_tokens: int = field(default=256, metadata={"help": "longest answer, in tokens"})

    def sampling(self) -> dict[str, Any]:
        """The part that the process of the model takes."""
        return {name: value for name, value in asdict(self).items() if name != "system"}

    @property
    def told(self) -> str:
        """`temperature 0.7, top-k 50, top-p 0.95` or `greedy`."""
        if self.greedy:
            return "greedy"
        return f"temperature {self.temperature:g}, top-k {self.top_k or 'all'}, top-p {self.top_p:g}"

    def changed(self, typed: Mapping[str, str]) -> Drawing:
        """With what was typed; raises UsageError naming the field that is wrong."""
        values: dict[str, Any] = {}
        for each in fields(self):
            text = typed.get(each.name)
            if text is None:
                continue
            values[each.name] = text if each.name == "system" else _value(each.name, text.strip())
        return replace(self, **values)


def _value(name: str, text: str) -> Any:
    if name == "greedy":
        if text.lower() not in ("yes", "no"):
            raise _wrong(name, text, "yes or no")
        return text.lower() == "yes"
    wanted = {
        "temperature": "a number above 0",
        "top_k": "a whole number from 0",
        "top_p": "a number above 0 and up to 1",
        "max_new_tokens": "a whole number from 1",
    }[name]
    try:
        value: float = int(text) if name in ("top_k", "max_new_tokens") else float(text)
    except ValueError:
        raise _wrong(name, text, wanted) from None
    good = {"temperature": 0 < value <= 100, "top_k": 0 <= value, "top_p": 0 < value <= 1, "max_new_tokens": value >= 1}
    if not good[name]:
        raise _wrong(name, text, wanted)
    return value


def _wrong(name: str, text: str, wanted: str) -> UsageError:
    return UsageError(f"{name} = {plain(text)!r}", f"it must be {wanted}", "Correct it.")


@dataclass(frozen=True)
class Exchange:
    """A question with its answer, and what the model from before the training answers to the same."""

    question: str
    answer: str = ""
    why: str = ""
    before: str | None = None
    before_why: str = ""


def messages_of(system: str, past: Sequence[Exchange]) -> list[dict[str, str]]:
    """The conversation as messages, the last one without its answer where it has none yet."""
    found = [{"role": "system", "content": system}] if system.strip() else []
    for each in past:
        found.append({"role": "user", "content": each.question})
        if each.why:
            found.append({"role": "assistant", "content": each.answer})
    return found


def transcript(past: Sequence[Exchange], before: bool = False) -> Text:
    """What was said, as text to read; `before` shows the answers of the model from before the training."""
    text = Text()
    for each in past:
        text.append("you    ", "bold")
        text.append(_shown(each.question) + "\n")
        said, why = (each.before, each.before_why) if before else (each.answer, each.why)
        if said is None:
            text.append("\n")
            continue
        text.append("before " if before else "model  ", "bold")
        text.append(_shown(said))
        text.append(f" {ENDS[why]}\n\n" if why in ENDS else "\n\n", "italic")
    return text


def _shown(words: str) -> str:
    return "\n".join(plain(line) for line in words.splitlines())


def save_conversation(name: str, system: str, past: Sequence[Exchange]) -> tuple[Path, int]:
    """Append the conversation to the file of a run as one training row; the file, and how many rows it has now.

    Raises UsageError where nothing was answered yet and ForgeError where the file cannot be written.
    """
    whole = [each for each in past if each.why and each.answer.strip()]
    if not whole:
        raise UsageError("There is nothing to save", "no question has an answer yet", "Ask something first.")
    folder = forge_home() / "conversations"
    path = folder / f"{name}.jsonl"
    line = json.dumps({"messages": messages_of(system, whole)}, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(line)
        with path.open(encoding="utf-8") as stream:
            return path, sum(1 for _ in stream)
    except OSError as error:
        raise ForgeError(f"{path} cannot be written", str(error), "Free some space, or look at its rights.") from None
