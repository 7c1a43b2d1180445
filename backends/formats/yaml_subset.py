"""Reads the plain kind of YAML that describes data sets, without a library for all of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from backends.contract import DataError
from backends.formats.source import data_error

_DEEPEST = 20


@dataclass(frozen=True)
class _Line:
    number: int
    indent: int
    text: str
    block: str | None = None  # the text below `key: |`


def _bad_yaml(number: int, why: str) -> DataError:
    where = f"line {number}"
    fix = "Write it as key: value, - item, [a, b] or {a: b}; put other texts in quotes."
    return data_error("invalid-yaml", "The yaml cannot be read", f"{where}: {why}", where, fix)


def read_yaml_subset(text: str) -> dict[Any, Any]:
    """The mapping in a yaml of the plain kind that describes data sets: no anchors, tags or texts over several lines.

    Raises DataError naming the line that is of another kind.
    """
    lines = _yaml_lines(text)
    if not lines:
        return {}
    first = lines[0]
    value, at = (_inline(first.text, first.number), 1) if first.text[0] in "[{" else _block(lines, 0, 0)
    if at < len(lines):
        raise _bad_yaml(lines[at].number, "it does not belong to the lines above")
    if not isinstance(value, dict):
        raise _bad_yaml(lines[0].number, "the file is a list, not keys with values")
    return value


def _yaml_lines(text: str) -> list[_Line]:
    """The lines that say something, without comments; lists and blocks over several lines in one."""
    lines: list[_Line] = []
    raw = text.split("\n")
    at = 0
    while at < len(raw):
        number, content = at + 1, _without_comment(raw[at])
        at += 1
        stripped = content.strip()
        if not stripped or (stripped == "---" and not lines):
            continue
        if stripped == "...":
            break
        indent = len(content) - len(content.lstrip(" "))
        if content[indent] == "\t":
            raise _bad_yaml(number, "it is indented by a tab; use spaces")
        block, value = None, re.sub(r"^(?:- +)+", "", stripped)
        split = _split_key(value)
        value = split[1] if split else value
        if value in ("|", "|-", "|+", ">", ">-", ">+"):
            start = at
            while at < len(raw) and (not raw[at].strip() or len(raw[at]) - len(raw[at].lstrip(" ")) > indent):
                at += 1
            block = "\n".join(line.strip() for line in raw[start:at])
        elif value.startswith(("[", "{")):
            parts = [stripped]
            opened = _open_brackets(value)
            while opened > 0 and at < len(raw):
                parts.append(_without_comment(raw[at]).strip())
                opened += _open_brackets(parts[-1])
                at += 1
            stripped = " ".join(parts)
        lines.append(_Line(number, indent, stripped, block))
    return lines


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"|\'(?:[^\']|\'\')*+\'')
# A quote inside a word, as in Bob's, opens nothing.
_QUOTED_WORD = re.compile(rf"(?<![^\s\[{{,:])(?:{_QUOTED.pattern})")
_COMMENT = re.compile(rf"{_QUOTED_WORD.pattern}|(?<!\S)(#.*)")


def _without_comment(line: str) -> str:
    for match in _COMMENT.finditer(line):
        if match[1] is not None:
            return line[: match.start()].rstrip()
    return line.rstrip()


def _open_brackets(text: str) -> int:
    bare = _QUOTED_WORD.sub("", text)
    return sum(bare.count(each) for each in "[{") - sum(bare.count(each) for each in "]}")


def _block(lines: list[_Line], at: int, depth: int) -> tuple[Any, int]:
    """The list or mapping that starts at a line, and the first line behind it."""
    if depth > _DEEPEST:
        raise _bad_yaml(lines[at].number, f"it is nested more than {_DEEPEST} levels deep")
    indent = lines[at].indent
    listed = _is_item(lines[at])
    items: list[Any] = []
    pairs: dict[Any, Any] = {}
    while at < len(lines) and lines[at].indent == indent and _is_item(lines[at]) == listed:
        line = lines[at]
        if listed:
            rest = line.text[1:].lstrip()
            if rest and (_is_item(_Line(line.number, 0, rest)) or _split_key(rest)):
                lines[at] = _Line(line.number, indent + len(line.text) - len(rest), rest, line.block)
                value, at = _block(lines, at, depth + 1)
            else:
                value, at = _value(lines, at, rest, depth)
            items.append(value)
            continue
        split = _split_key(line.text)
        if split is None:
            raise _bad_yaml(line.number, f"{line.text[:40]!r} is neither key: value nor - item")
        key = _scalar(split[0], line.number)
        if key in pairs:
            raise _bad_yaml(line.number, f"the key {key} is there twice")
        pairs[key], at = _value(lines, at, split[1], depth)
    if at < len(lines) and lines[at].indent > indent:
        raise _bad_yaml(lines[at].number, "it is indented more than the lines above")
    return (items if listed else pairs), at


def _is_item(line: _Line) -> bool:
    return line.text == "-" or line.text.startswith("- ")


def _value(lines: list[_Line], at: int, text: str, depth: int) -> tuple[Any, int]:
    """What stands behind a key or a dash, or below it."""
    line = lines[at]
    if line.block is not None:
        return line.block, at + 1
    if text:
        return _inline(text, line.number), at + 1
    below = lines[at + 1] if at + 1 < len(lines) else None
    if below and (below.indent > line.indent or (below.indent == line.indent and _is_item(below) > _is_item(line))):
        return _block(lines, at + 1, depth + 1)
    return None, at + 1


def _split_key(text: str) -> tuple[str, str] | None:
    """Key and value of `key: value`, None for anything else."""
    quoted = _QUOTED.match(text)
    colon = re.compile(r"\s*:(?:\s+|$)").match(text, quoted.end()) if quoted else re.search(r":(?:\s+|$)", text)
    if colon is None or colon.start() == 0 or text[0] in "[{":
        return None
    return text[: colon.start()].rstrip(), text[colon.end() :]


def _inline(text: str, number: int) -> Any:
    """A value on one line: a scalar, a list or a mapping."""
    if text[0] not in "[{":
        if text[0] not in "\"'" and re.search(r":(\s|$)", text):
            raise _bad_yaml(number, f"{text[:40]!r} has a colon in it")
        return _scalar(text, number)
    value, rest = _flow(text, number, 0)
    if rest.strip():
        raise _bad_yaml(number, f"{rest.strip()[:40]!r} stands behind the closing bracket")
    return value


_FLOW_TEXT = re.compile(r"(?:[^\[\]{},:]|:(?=[^\s\[\]{},]))*+")


def _flow(text: str, number: int, depth: int) -> tuple[Any, str]:
    """The value a text begins with, inside brackets, and what follows it."""
    if depth > _DEEPEST:
        raise _bad_yaml(number, f"it is nested more than {_DEEPEST} levels deep")
    text = text.lstrip()
    if not text or text[0] not in "[{":
        quoted = _QUOTED.match(text)
        end = quoted.end() if quoted else _FLOW_TEXT.match(text).end()  # type: ignore[union-attr]
        return _scalar(text[:end].strip(), number), text[end:].lstrip()
    closing, rest = "]" if text[0] == "[" else "}", text[1:].lstrip()
    items: list[Any] = []
    pairs: dict[Any, Any] = {}
    while not rest.startswith(closing):
        value, rest = _flow(rest, number, depth + 1)
        if closing == "]":
            items.append(value)
        elif not rest.startswith(":") or isinstance(value, list | dict):
            raise _bad_yaml(number, "there is something in {} that is not key: value")
        else:
            pairs[value], rest = _flow(rest[1:], number, depth + 1)
        if rest.startswith(","):
            rest = rest[1:].lstrip()
        elif not rest.startswith(closing):
            raise _bad_yaml(
                number, f"there is no {closing} to its bracket" if not rest else f"{rest[0]!r} is in the way"
            )
    return (items if closing == "]" else pairs), rest[1:].lstrip()


def _scalar(text: str, number: int) -> Any:
    """A quoted or plain text, a number, true, false or nothing; what would not be written back the same is a text."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text[0] in "\"'":
        if not _QUOTED.fullmatch(text):
            raise _bad_yaml(number, f"{text[:40]!r} is not a text in quotes")
        if text[0] == "'":
            return text[1:-1].replace("''", "'")
        try:
            return json.loads(text, strict=False)
        except ValueError:
            raise _bad_yaml(number, f"{text[:40]!r} holds an unknown escape after \\") from None
    if text[0] in "&*!|>%@`,[]{}" or text.startswith(("? ", "- ")) or text in ("-", "?", "---"):
        raise _bad_yaml(number, f"{text[:40]!r} begins with {text[0]!r}, which means something else in yaml")
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"-?[0-9]{1,15}", text) and str(int(text)) == text:
        return int(text)
    if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", text) and str(float(text)) == text:
        return float(text)
    return text
