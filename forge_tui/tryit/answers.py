"""Answers of a model as text to read: bars of probabilities, marked entities and answers, numbers, texts.

Marks and words say everything; bold only repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from rich.text import Text

from forge_tui.plain import plain

_LONGEST_LABEL, _LONGEST_BAR = 28, 40
_OTHERS = 3


def answer_text(answer: Mapping[str, Any], expected: Any, width: int, room: int, asked: Mapping[str, Any]) -> Text:
    """What a model answered, for a place of `width` columns and `room` lines; `expected` is None where nobody knows."""
    if "entities" in answer:
        return _entities(answer, expected, width)
    if "answers" in answer:
        return _span(answer, expected, width * room, asked)
    if "probabilities" in answer:
        return _labels(answer, expected, width)
    prediction = answer.get("prediction")
    if isinstance(prediction, float | int) and not isinstance(prediction, bool):
        return _number(float(prediction), expected)
    return _written(str(prediction), expected)


def expected_line(expected: Any) -> str:
    """What was expected of a held-out row, in one line; nothing where nobody knows."""
    return "" if expected is None else f"expected: {_said(expected)}"


def _said(expected: Any) -> str:
    if isinstance(expected, Mapping):
        found = [f"{each['text']} | {each['type']}" for each in expected.get("entities") or ()]
        return plain("; ".join(found)) or "no entity"
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return plain(" or ".join(dict.fromkeys(map(str, expected)))) or "nothing"
    return f"{expected:.4g}" if isinstance(expected, float) else " ".join(plain(str(expected)).split())


def _labels(answer: Mapping[str, Any], expected: Any, width: int) -> Text:
    """Each label with its probability and a bar, the likeliest first; of several labels those said are marked."""
    shares: Mapping[str, float] = answer["probabilities"]
    prediction = answer.get("prediction")
    several = isinstance(prediction, list)
    chosen = set(prediction) if isinstance(prediction, list) else {prediction}
    wanted = set(expected) if isinstance(expected, list) else {expected}
    longest = min(_LONGEST_LABEL, max((len(plain(name)) for name in shares), default=0))
    most = max(1, min(_LONGEST_BAR, width - longest - 24))
    text = Text()
    if several and not chosen:
        text.append("no label\n", "bold")
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        said = name in chosen
        mark = ("[x] " if said else "[ ] ") if several else ("> " if said else "  ")
        label = shorten_to(plain(name), longest)
        bar = "█" * round(share * most)
        line = f"{mark}{label:<{longest}} {share:6.1%} {bar}"
        if expected is not None and name in wanted:
            line += " ✓ expected" if said else " ✗ expected"
        elif expected is not None and several and said:
            line += " ✗ not expected"
        text.append(line.rstrip() + "\n", "bold" if said else "")
    return text


def _entities(answer: Mapping[str, Any], expected: Any, width: int) -> Text:
    """The text with its entities in brackets beside their types, and below it each with its probability."""
    source = str(answer["text"])
    entities: Sequence[Mapping[str, Any]] = answer["entities"]
    known = {_place(each) for each in expected.get("entities") or ()} if isinstance(expected, Mapping) else None
    text, done = Text(), 0
    for each in entities:
        text.append(_flat(source[done : each["start"]]))
        text.append(f"[{_flat(source[each['start'] : each['end']])} | {plain(each['type'])}]", "bold underline")
        done = each["end"]
    text.append(_flat(source[done:]) + "\n\n")
    if not entities:
        text.append("no entity found\n")
    longest = min(_LONGEST_LABEL, max((len(plain(each["type"])) for each in entities), default=0))
    for each in entities:
        mark = "" if known is None else "✓ " if _place(each) in known else "✗ "
        told = f"{mark}{shorten_to(plain(each['type']), longest):<{longest}} {each['probability']:6.1%}  "
        text.append(told + shorten(_flat(each["text"]), max(20, width - len(told)), placeholder=" …") + "\n")
    if known is not None:
        found = {_place(each) for each in entities}
        for each in expected["entities"]:
            if _place(each) not in found:
                text.append(f"✗ missed: {_flat(each['text'])} | {plain(each['type'])}\n")
    return text


def _place(entity: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return entity["start"], entity["end"], entity["type"]


def _span(answer: Mapping[str, Any], expected: Any, cells: int, asked: Mapping[str, Any]) -> Text:
    """The answer with its probability, and where it stands in the context; other candidates below."""
    said = answer["prediction"]
    text = Text()
    head = "(no answer in this text)" if said is None else _flat(str(said))
    text.append(head, "bold")
    text.append(f"  {answer['probability']:.1%}")
    if isinstance(expected, list):
        right = said in expected if expected else said is None
        text.append("  ✓ expected" if right else "  ✗ another was expected")
    text.append("\n")
    if said is not None and answer.get("no_answer_probability"):
        text.append(f"no answer  {answer['no_answer_probability']:.1%}\n")
    text.append("\n")
    context, start, end = str(asked.get("context", "")), answer["start"], answer["end"]
    if not context or len(context) > cells // 2:
        text.append(_flat(str(answer["passage"])))
    elif start is None:
        text.append(_flat(context))
    else:
        text.append(_flat(context[:start]))
        text.append(f"«{_flat(context[start:end])}»", "bold underline")
        text.append(_flat(context[end:]))
    text.append("\n")
    others = [each for each in answer["answers"] if (each["start"], each["end"]) != (start, end)][:_OTHERS]
    if others:
        text.append("\nother candidates\n")
    for each in others:
        text.append(f"{each['probability']:7.1%}  {shorten(_flat(each['text']), 60, placeholder=' …')}\n")
    return text


def _number(value: float, expected: Any) -> Text:
    text = Text()
    text.append(f"{value:.5g}", "bold")
    if isinstance(expected, float | int):
        text.append(f"   expected {expected:.5g}, off by {value - expected:+.4g}")
    return text


def _written(written: str, expected: Any) -> Text:
    text = Text("\n".join(plain(line) for line in written.splitlines()) or "(nothing)", "bold")
    if isinstance(expected, str):
        same = " ".join(written.split()) == " ".join(expected.split())
        text.append("\n\n")
        text.append("✓ as expected" if same else "expected", "not bold")
        if not same:
            text.append("\n" + "\n".join(plain(line) for line in expected.splitlines()), "not bold")
    return text


def _flat(text: str) -> str:
    """Safe to show; a line end is a space, so that the marks stay where they are."""
    return plain(text.replace("\r", " ").replace("\n", " ")) if text else text


def shorten_to(name: str, most: int) -> str:
    """A name in so many columns."""
    return name if len(name) <= most else name[: most - 1] + "…"
