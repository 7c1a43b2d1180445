"""Rows of any shape as tokens: through a chat template, with loss on the answers and their ends and on nothing else.

Three kinds of templates are told apart: those that mark the answers (`{% generation %}`), those that TRL knows with
such marks, and all others, where an answer is what a conversation has more with it than without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from string import Template
from typing import Any

from backends.contract import DataError
from backends.decoders import TURN, TURN_END, stop_tokens
from backends.formats.conversations import Turn
from backends.formats.language import Example

NOT_LEARNED = -100
_TOOLS = "{%- if tools %}{{ $open + (tools | tojson) + $close }}{% endif %}\n"
_TURNS = (
    "{%- for message in messages %}\n"
    "{%- if message.role == 'assistant' %}{{ $assistant }}"
    "{% generation %}{{ message.content + $end }}{% endgeneration %}{{ $after }}\n"
    "{%- else %}{{ $before + message.role$name + $between + message.content + $close }}{% endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{ $assistant }}{% endif %}"
)
_CHATML = Template(_TOOLS + _TURNS).substitute(
    open="'<|im_start|>system\\n# Tools\\n'",
    close="'<|im_end|>\\n'",
    assistant="'<|im_start|>assistant\\n'",
    end="'<|im_end|>'",
    after="'\\n'",
    before="'<|im_start|>'",
    name="",
    between="'\\n'",
)
# For tokenizers without ChatML's marks: words that every model reads, and the end token that it knows.
_HEADINGS = Template(_TOOLS + _TURNS).substitute(
    open="'### Tools:\\n'",
    close="'\\n\\n'",
    assistant="'### Assistant:\\n'",
    end="eos_token",
    after="'\\n\\n'",
    before="'### '",
    name=".capitalize()",
    between="':\\n'",
)
_MARKS = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")
_PROBE = "quince"


@dataclass(frozen=True)
class ChatFormat:
    """How a model writes conversations; `stops` are the tokens that end an answer."""

    tokenizer: Any
    template: str
    is_marked: bool
    stops: frozenset[int]
    takes_system: bool = True
    takes_tools: bool = True
    takes_calls: bool = False

    def write(self, messages: Sequence[dict[str, Any]], tools: Any = None, asks: bool = False) -> list[int]:
        """A conversation as tokens; `asks` ends it where an answer begins."""
        written = self.tokenizer.apply_chat_template(
            list(messages),
            tools=tools,
            chat_template=self.template,
            add_generation_prompt=asks,
            tokenize=True,
            return_dict=True,
        )
        return list(written["input_ids"])


@dataclass(frozen=True)
class Encoded:
    """A row as tokens; `labels` repeat those that are learned, all others are -100."""

    input_ids: list[int]
    labels: list[int]
    is_cut: bool = False

    @property
    def learned(self) -> int:
        """How many tokens bear loss: the first token of a row is given, never predicted."""
        return sum(label != NOT_LEARNED for label in self.labels[1:])


class NotWritten(Exception):
    """A chat template refuses a row, or hides its answers; the text says why."""


# --- the template --------------------------------------------------------------------------------------------------


def chat_format(tokenizer: Any, model: Any) -> tuple[ChatFormat, list[str]]:
    """How conversations are written for a model, and what is worth telling about it; without a template one is given.

    The tokenizer keeps a template without marks, which every program can read.
    """
    told: list[str] = []
    more: list[int] = []
    if not tokenizer.chat_template:
        vocabulary = tokenizer.get_vocab()
        has_marks = TURN in vocabulary and TURN_END in vocabulary
        template = _CHATML if has_marks else _HEADINGS
        tokenizer.chat_template = without_marks(template)
        more = [vocabulary[TURN_END]] if has_marks else []
        told.append(
            "the tokenizer has no chat template; conversations are written "
            + ("in ChatML, which is saved with the model" if has_marks else "under headings, saved with the model")
        )
        marked = True
    else:
        template, marked = _training_template(tokenizer)
        if not marked:
            told.append(
                "the chat template does not mark the answers; what a conversation has more with an answer is learned"
            )
    found = ChatFormat(tokenizer, template, marked, frozenset(stop_tokens(model, tokenizer, more)))
    if not more:
        found = replace(found, stops=found.stops | _turn_ends(found))
    found = replace(
        found,
        takes_system=_writes(found, [{"role": "system", "content": _PROBE}, *_QUESTION]),
        takes_tools="tools" in template,
        takes_calls="tool_calls" in template,
    )
    if not found.takes_system:
        told.append("the chat template knows no system message; it is put before the first question")
    return found, told


def asking_format(tokenizer: Any, stops: Iterable[int], takes_system: bool) -> ChatFormat:
    """How a finished model is asked: by the template that was saved with it."""
    template = _own_template(tokenizer)
    return ChatFormat(
        tokenizer, template, False, frozenset(stops), takes_system, "tools" in template, "tool_calls" in template
    )


def _own_template(tokenizer: Any) -> str:
    own: Any = tokenizer.chat_template
    return own if isinstance(own, str) else str(own.get("default") or next(iter(own.values())))


def without_marks(template: str) -> str:
    """The template as every program reads it, without the marks that only training needs."""
    return _MARKS.sub("", template)


def _training_template(tokenizer: Any) -> tuple[str, bool]:
    """The tokenizer's own template, or TRL's copy of it with marks; and whether it has them."""
    own = _own_template(tokenizer)
    if _MARK.search(own):
        return own, True
    from trl.chat_template_utils import get_training_chat_template

    try:
        return get_training_chat_template(tokenizer) or own, True
    except (ValueError, TypeError):
        return own, False


_QUESTION = [{"role": "user", "content": "hello"}]


def _writes(found: ChatFormat, messages: list[dict[str, Any]]) -> bool:
    """Whether the template accepts a conversation and says its first words."""
    try:
        return _PROBE in found.tokenizer.decode(found.write(messages, asks=True))
    except Exception:  # templates raise errors of their own
        return False


def _turn_ends(found: ChatFormat) -> frozenset[int]:
    """The special token that follows an answer, where the template writes one."""
    try:
        ids = found.write([*_QUESTION, {"role": "assistant", "content": _PROBE}])
    except Exception:  # templates raise errors of their own
        return frozenset()
    special = set(found.tokenizer.all_special_ids)
    for place in range(len(ids) - 1, -1, -1):
        if _PROBE in found.tokenizer.decode(ids[place:]):
            return frozenset([number for number in ids[place:] if number in special][:1])
    return frozenset()


# --- from turns to messages ----------------------------------------------------------------------------------------


def messages_of(found: ChatFormat, example: Example) -> tuple[list[dict[str, Any]], Any]:
    """The turns of an example as messages, and its tools, in the way that the template takes them."""
    tools = _parsed(example.tools)
    messages = [_message(found, turn) for turn in example.turns]
    if example.tools and (not found.takes_tools or not isinstance(tools, list)):
        messages, tools = _with_system(messages, f"# Tools\n{example.tools}"), None
    if not found.takes_system and messages and messages[0]["role"] == "system":
        first = messages.pop(0)["content"]
        if messages and messages[0]["role"] == "user":
            messages[0] = {**messages[0], "content": f"{first}\n\n{messages[0]['content']}"}
    return messages, tools if isinstance(tools, list) else None


def _with_system(messages: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    if messages and messages[0]["role"] == "system":
        return [{**messages[0], "content": f"{messages[0]['content']}\n\n{text}"}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _message(found: ChatFormat, turn: Turn) -> dict[str, Any]:
    if turn.role != "call":
        return {"role": turn.role, "content": turn.text}
    calls: Any = _parsed(turn.text) if found.takes_calls else None
    listed: list[Any] = calls if isinstance(calls, list) else [calls]
    if all(isinstance(call, dict) and "name" in call and "arguments" in call for call in listed):
        return {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"type": "function", "function": {"name": call["name"], "arguments": _arguments(call["arguments"])}}
                for call in listed
            ],
        }
    return {"role": "assistant", "content": turn.text}


def _arguments(value: Any) -> Any:
    parsed = _parsed(value)
    return value if parsed is None else parsed


def _parsed(text: Any) -> Any:
    """JSON that was kept as a text; None for what is none."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# --- from messages to tokens ---------------------------------------------------------------------------------------


def encode(found: ChatFormat, example: Example) -> Encoded:
    """A row as tokens, with loss on the answers that are learned and on their ends; a plain text is learned whole.

    Raises NotWritten where the template refuses the row or hides an answer.
    """
    if example.text is not None:
        ids = list(found.tokenizer(example.text, verbose=False)["input_ids"])
        ids += [] if ids[-1:] == [found.tokenizer.eos_token_id] else [found.tokenizer.eos_token_id]
        return Encoded(ids, list(ids))
    messages, tools = messages_of(found, example)
    answers = [turn.loss for turn in example.turns if turn.role in ("assistant", "call")]
    try:
        ids, spans = (_marked_spans if found.is_marked else _compared_spans)(found, messages, tools)
    except NotWritten:
        raise
    except Exception as error:  # templates raise errors of their own
        raise NotWritten(f"the chat template refuses it: {str(error).strip()[:120]}") from error
    if len(spans) != len(answers):
        raise NotWritten(f"the chat template shows {len(spans)} of its {len(answers)} answers")
    return _labelled(found, ids, [span for span, learned in zip(spans, answers) if learned], answers[-1:] == [True])


def _labelled(found: ChatFormat, ids: list[int], spans: list[tuple[int, int]], ends_learned: bool) -> Encoded:
    """Labels on the spans, each with the end of its turn; where the last has none, the end of text is put there."""
    labels = [NOT_LEARNED] * len(ids)
    for start, end in spans:
        if end < len(ids) and ids[end - 1] not in found.stops and ids[end] in found.stops:
            end += 1
        labels[start:end] = ids[start:end]
    if ends_learned and spans and not any(number in found.stops for number in ids[spans[-1][1] - 1 :]):
        ids = [*ids[: spans[-1][1]], found.tokenizer.eos_token_id]
        labels = [*labels[: spans[-1][1]], found.tokenizer.eos_token_id]
    return Encoded(ids, labels)


def _marked_spans(found: ChatFormat, messages: list[Any], tools: Any) -> tuple[list[int], list[tuple[int, int]]]:
    """The tokens of a conversation and where its answers stand, by the marks of the template."""
    written = found.tokenizer.apply_chat_template(
        messages,
        tools=tools,
        chat_template=found.template,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    spans, place = [], 0
    for learned, run in groupby(written["assistant_masks"]):
        end = place + len(list(run))
        if learned:
            spans.append((place, end))
        place = end
    return list(written["input_ids"]), spans


def _compared_spans(found: ChatFormat, messages: list[Any], tools: Any) -> tuple[list[int], list[tuple[int, int]]]:
    """The same without marks: an answer reaches from the end of its question to the end of the turn."""
    whole = found.write(messages, tools)
    spans = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = found.write(messages[:number], tools, asks=True)
        after = whole if number + 1 == len(messages) else found.write(messages[: number + 1], tools)
        if whole[: len(before)] != before or whole[: len(after)] != after:
            raise NotWritten("the chat template writes an answer otherwise when more follows")
        spans.append((len(before), _without_rest(found, whole, len(before), len(after))))
    return whole, spans


def _without_rest(found: ChatFormat, ids: list[int], start: int, end: int) -> int:
    """The end of an answer: its last stop token, without the line break that templates write after it."""
    stops = [place for place in range(start, end) if ids[place] in found.stops]
    return stops[-1] + 1 if stops else end


def prompt_of(found: ChatFormat, example: Example) -> tuple[list[int], str] | None:
    """What stands before the last answer of a row, as tokens, and that answer; None for a plain text."""
    if example.text is not None or not example.turns or example.turns[-1].role not in ("assistant", "call"):
        return None
    messages, tools = messages_of(found, example)
    return found.write(messages[:-1], tools, asks=True), example.turns[-1].text


# --- many rows -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """The rows of one side as tokens, and what became of those that are not there, or not whole."""

    rows: list[Encoded]
    examples: list[Example]
    cut: int
    too_long: int
    refused: dict[str, int]

    @property
    def tokens(self) -> int:
        """All tokens."""
        return sum(len(row.input_ids) for row in self.rows)

    @property
    def learned(self) -> int:
        """Those that bear loss."""
        return sum(row.learned for row in self.rows)


def encode_rows(found: ChatFormat, examples: Iterable[Example], limit: int, drops_long: bool) -> Rows:
    """Every row as tokens, at most `limit` of them: longer rows are cut or dropped, rows without loss are dropped."""
    kept: list[Encoded] = []
    sources: list[Example] = []
    refused: dict[str, int] = {}
    cut = too_long = 0
    for example in examples:
        try:
            row = encode(found, example)
        except NotWritten as error:
            refused[str(error)] = refused.get(str(error), 0) + 1
            continue
        if len(row.input_ids) > limit:
            row = Encoded(row.input_ids[:limit], row.labels[:limit], is_cut=True)
            if drops_long or not row.learned:
                too_long += 1
                continue
            cut += 1
        elif not row.learned:
            reason = "no token of an answer is left"
            refused[reason] = refused.get(reason, 0) + 1
            continue
        kept.append(row)
        sources.append(example)
    return Rows(kept, sources, cut, too_long, refused)


def require_learned(found: ChatFormat, rows: Rows) -> None:
    """Look in the first rows whether what bears loss is the answers, whole and with their ends.

    Raises DataError where it is not: a model would learn the questions, or never to stop.
    """
    for row, example in list(zip(rows.rows, rows.examples))[:50]:
        if example.text is not None:
            continue
        said = found.tokenizer.decode([label for label in row.labels if label != NOT_LEARNED])
        asked = [turn.text.strip() for turn in example.turns if turn.role == "user"]
        answers = [turn.text.strip() for turn in example.turns if turn.loss and turn.role == "assistant"]
        lost = None if row.is_cut else next((answer for answer in answers if answer not in said), None)
        leaked = next(
            (text for text in asked if len(text) > 40 and text in said and text not in " ".join(answers)), None
        )
        if lost is not None or leaked is not None:
            why = "an answer is not among the learned tokens" if lost is not None else "a question would be learned"
            raise DataError(
                "The chat template of this model does not show which tokens are answers",
                f"{why}: {(lost or leaked or '')[:60]!r}",
                "Choose another model, or give its tokenizer a template with {% generation %} around the answers.",
            )
