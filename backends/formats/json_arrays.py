"""Reads JSON documents as a stream: arrays of objects wherever they are, and question sets in the SQuAD layout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from backends.contract import DataError
from backends.formats.findings import Findings
from backends.formats.rows import Batch, Gathering
from backends.formats.source import Source, data_error
from backends.formats.streams import JSON_PIECE, Utf8, open_text, told_when_broken

# The streaming parser names each level by its whole path: time and memory grow with the square of the depth. The
# standard library reads and writes about twice as many levels.
DEEPEST = 400
_STEP = 256
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_ASK_AGAIN_BYTES = 50_000_000
# Stands for a file that is one row itself: a single conversation.
WHOLE_FILE = "<the whole file>"
_TURN_KEYS = ({"role", "content"}, {"from", "value"})
_CONVERSATION_KEYS = ("conversations", "conversation", "messages", "turns", "dialogue", "dialog")


class _Shallow(Utf8):
    """A text stream for the parser that names each level."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._inside = False
        self._escape = ""

    def _look(self, before: str, text: str) -> None:
        super()._look(before, text)
        piece = self._escape + text
        self._escape = "\\" * ((len(piece) - len(piece.rstrip("\\"))) % 2)
        began, plain = self._inside, piece.replace("\\\\", "")
        self._inside ^= (plain.count('"') - plain.count('\\"')) % 2 == 1
        # Brackets in texts do not count, but leaving them out takes time.
        if _depth(text) > DEEPEST and _depth(_TEXT.sub("", f'"{piece}' if began else piece)) > DEEPEST:
            raise RecursionError("it is nested hundreds of levels deep")


def _depth(text: str) -> int:
    """How many brackets are open at once, looked at every few hundred characters."""
    depth = most = 0
    for at in range(0, len(text), _STEP):
        some = text[at : at + _STEP]
        depth += some.count("[") + some.count("{") - some.count("]") - some.count("}")
        most = max(most, depth)
    return most


def is_deep(value: Any) -> bool:
    """Whether lists and objects are nested deeper than can be worked with."""
    level = [value]
    for _ in range(DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [each for some in inner for each in some]
        if not level:
            return False
    return True


def read_array(source: Source, notes: Findings) -> Iterator[Batch]:
    """The objects of the array that `records_key` named."""
    import ijson

    prefix = {None: "item", WHOLE_FILE: ""}.get(source.records_key, f"{source.records_key}.item")
    size = max(1, source.path.stat().st_size)
    gathered = Gathering()
    number = 0
    with told_when_broken(source), open_text(source, errors="strict") as (stream, raw):
        try:
            for record in _records(source, stream, prefix):
                number += 1
                if source.records_key == WHOLE_FILE and isinstance(record, list):
                    record = {"messages": record}
                if isinstance(record, dict):
                    gathered.add(number, number, record, 500)
                else:
                    notes.warn(
                        "not-an-object",
                        f"item {number} is not a JSON object",
                        f"row {number}",
                        "It is left out; a row is {...}.",
                    )
                if gathered.is_full:
                    yield gathered.take(share=raw.tell() / size)
        except (ijson.JSONError, ValueError, RecursionError) as error:
            raise bad_json(source, number, error) from None
    if gathered.records:
        yield gathered.take(share=1.0)


def _records(source: Source, stream: Any, prefix: str) -> Iterator[Any]:
    """The values below a prefix, read again with exact numbers from the one on that is too large for quick reading."""
    import ijson

    number = 0
    try:
        for record in ijson.items(_Shallow(stream), prefix, use_float=True, buf_size=JSON_PIECE):
            number += 1
            yield record
        return
    except ijson.JSONError as error:
        if "overflow" not in str(error) and "large" not in str(error):
            raise
    with open_text(source, errors="strict") as (again, _):
        exact = ijson.items(_Shallow(again), prefix, use_float=False, buf_size=JSON_PIECE)
        for record in islice(exact, number, None):
            yield _without_decimals(record)


def _without_decimals(value: Any) -> Any:
    """The same with ordinary numbers, as far as they can hold what was written."""
    if isinstance(value, dict):
        return {key: _without_decimals(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_decimals(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def read_squad(source: Source, notes: Findings) -> Iterator[Batch]:
    """A row for each question of a SQuAD file, version 1 or 2, with its context and every answer given for it."""
    import ijson

    size = max(1, source.path.stat().st_size)
    gathered = Gathering("question")
    number = 0
    with told_when_broken(source), open_text(source, errors="strict") as (stream, raw):
        try:
            for article in ijson.items(_Shallow(stream), "data.item", use_float=True, buf_size=JSON_PIECE):
                for row in _questions(article, notes):
                    number += 1
                    named = " ".join(str(row["id"]).split())[:100] if isinstance(row["id"], str | int) else ""
                    place = named or f"number {number}"
                    if gathered.add(number, place, row, len(row["context"]) if isinstance(row["context"], str) else 0):
                        yield gathered.take(share=raw.tell() / size)
        except (ijson.JSONError, ValueError, RecursionError) as error:
            raise bad_json(source, number, error) from None
    if gathered.records:
        yield gathered.take(share=1.0)


def _questions(article: Any, notes: Findings) -> Iterator[dict[str, Any]]:
    title = article.get("title") if isinstance(article, dict) else None
    for paragraph in _list_in(article, "paragraphs", f"article {str(title)[:60]!r}", notes):
        context = paragraph.get("context") if isinstance(paragraph, dict) else None
        for asked in _list_in(paragraph, "qas", f"a paragraph of {str(title)[:60]!r}", notes):
            if not isinstance(asked, dict):
                notes.warn("not-an-object", f"a question is {str(asked)[:60]!r}", f"article {title}", "It is left out.")
                continue
            answers = [each for each in _as_list(asked.get("answers")) if isinstance(each, dict)]
            yield {
                "id": asked.get("id"),
                "title": title,
                "context": context,
                "question": asked.get("question"),
                "answers": [each.get("text") for each in answers],
                "answer_start": [each.get("answer_start") for each in answers],
            }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _list_in(holder: Any, key: str, where: str, notes: Findings) -> list[Any]:
    found = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(found, list):
        notes.warn("squad-layout", f"{where} has no list {key!r}", where, "It is left out.")
        return []
    return found


def bad_json(source: Source, number: int, error: Exception) -> DataError:
    """Name the line and column where the standard parser stops, when the file is small enough to ask it."""
    where = f"after row {number}" if number else "at the start"
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    if source.packing is None and source.path.stat().st_size < _ASK_AGAIN_BYTES:
        try:
            json.loads(source.path.read_text(encoding=source.encoding), parse_constant=_refuse_constant)
        except json.JSONDecodeError as exact:
            where, reason = f"line {exact.lineno} column {exact.colno}", exact.msg
        except RecursionError:
            where, reason = "at the start", "it is nested hundreds of levels deep"
        except ValueError as other:
            reason = str(error if type(error) is ValueError else other)[:200]
    fix = "Correct the file there; a table is an array of objects: [{...}, {...}]."
    made = data_error("invalid-json", f"{source.path.name} is not valid JSON", reason, where, fix)
    made.why = f"{where}: {reason}"
    return made


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not valid JSON")


def records_key(source: Source) -> str | None:
    """Where the rows of a JSON file are: the key of the first array of objects, else of the first array.

    None stands for an array that is the whole file, WHOLE_FILE for a file that is one conversation.
    """
    import ijson

    first = opened = None
    in_object = False
    keys: set[str] = set()
    with told_when_broken(source), open_text(source, errors="strict") as (stream, _):
        try:
            for prefix, event, value in ijson.parse(_Shallow(stream), buf_size=JSON_PIECE):
                if opened is not None and event == "start_map" and not in_object:
                    if opened and opened not in _CONVERSATION_KEYS:
                        return opened
                    in_object = True  # its first key tells rows from turns
                    continue
                if in_object and event == "map_key":
                    keys.add(value)
                if in_object and (event == "end_map" or len(keys) > 2):
                    return WHOLE_FILE if keys in _TURN_KEYS else opened or None
                if in_object:
                    continue
                opened = prefix if event == "start_array" else None
                first = opened if first is None else first
        except (ijson.JSONError, ValueError, RecursionError) as error:
            raise bad_json(source, 0, error) from None
    if first is not None:
        return first or None
    raise data_error(
        "no-array",
        f"{source.path.name} holds no rows",
        "a table in JSON is an array of objects, and there is no array in it",
        source.path.name,
        "Write it as [{...}, {...}] or as JSON lines, one object a line.",
    )
