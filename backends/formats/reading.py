"""Reads tables row by row: delimited text, JSON lines, JSON arrays and Parquet; memory stays bounded."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.contract import DataError, Finding
from backends.formats.findings import Findings
from backends.formats.sniff import Source, identify

_BATCH_ROWS = 4096
# The streaming parser names each level by its whole path: time and memory grow with the square of the depth.
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_ABSURD_NESTING = re.compile(r'(?:[\[{]\s*(?:"[^"\\]{0,99}"\s*:\s*)?){200}')


@dataclass(frozen=True)
class Row:
    """One record: its number among the records from 1, where a person finds it, and its cells by column."""

    number: int
    where: str
    cells: dict[str, Any]


def open_table(path: Path) -> Source:
    """Find out how to read a table, and where in a JSON file its rows are.

    Raises UsageError when there is no such file and DataError when it is empty or holds no table.
    """
    source = identify(path)
    return replace(source, records_key=_records_key(source)) if source.format == "json" else source


def read_rows(source: Source, findings: Findings | None = None) -> Iterator[Row]:
    """Yield every readable row in file order; what cannot be read is noted in `findings` and left out.

    Row numbers count records, readable or not, so that they are the same on every reading.
    """
    notes = findings if findings is not None else Findings()
    readers = {"csv": _delimited, "tsv": _delimited, "jsonl": _json_lines, "json": _json_array, "parquet": _parquet}
    return readers[source.format](source, notes)


def _delimited(source: Source, notes: Findings) -> Iterator[Row]:
    csv.field_size_limit(1 << 30)
    width = len(source.columns)
    with source.path.open(encoding=source.encoding, newline="", errors="replace") as stream:
        reader = csv.reader(
            stream,
            delimiter=source.delimiter or ",",
            escapechar=source.escape,
            skipinitialspace=source.escape is not None,
        )
        for _ in range(source.header_record + 1):
            next(reader, None)
        number = 0
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                notes.warn("unreadable-row", f"line {line} cannot be read: {error}", f"line {line}", "It is left out.")
                continue
            if not any(cell.strip() for cell in cells):
                if cells:
                    number += 1
                    notes.warn("blank-row", f"row {number} is blank", f"line {line}", "It is left out.")
                continue
            number += 1
            if len(cells) != width:
                notes.warn(
                    "ragged-row",
                    f"row {number} has {len(cells)} cells, the header has {width}",
                    f"line {line}",
                    "It is left out; correct the line to use it.",
                )
                continue
            if any("\ufffd" in cell for cell in cells):
                notes.warn(
                    "undecodable",
                    f"row {number} holds bytes that are not {source.encoding}; they became \ufffd",
                    f"line {line}",
                    "Save the file as UTF-8.",
                )
            yield Row(number, f"row {number}", dict(zip(source.columns, cells, strict=True)))


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not valid JSON")


def _json_lines(source: Source, notes: Findings) -> Iterator[Row]:
    number = 0
    with source.path.open(encoding=source.encoding, errors="replace") as stream:
        for line_number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            number += 1
            where = f"line {line_number}"
            try:
                record = json.loads(line, parse_constant=_refuse_constant)
            except (ValueError, RecursionError) as error:
                whole = "is not complete JSON" if not line.endswith("\n") else "is not valid JSON"
                reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:200]
                notes.warn("unreadable-row", f"line {line_number} {whole}: {reason}", where, "It is left out.")
                continue
            if not isinstance(record, dict):
                notes.warn(
                    "not-an-object",
                    f"line {line_number} is not a JSON object",
                    where,
                    "It is left out; a row is {...}.",
                )
                continue
            if _HALF_CHARACTER.search(line):
                record, halves = _whole_characters(record)
                if halves:
                    notes.warn(
                        "undecodable",
                        f"row {number} holds halves of characters; they became \ufffd",
                        where,
                        "Write the file again from its source.",
                    )
            yield Row(number, f"row {number}", record)


def _whole_characters(record: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A record without lone surrogates, which JSON can escape and no file or screen can hold; whether it had any."""
    text = json.dumps(record, ensure_ascii=False)
    clean = text.encode("utf-8", errors="surrogatepass").decode("utf-8", errors="replace")
    return (record, False) if clean == text else (json.loads(clean), True)


def _json_array(source: Source, notes: Findings) -> Iterator[Row]:
    import ijson

    prefix = "item" if source.records_key is None else f"{source.records_key}.item"
    number = 0
    with source.path.open(encoding=source.encoding) as stream:
        try:
            for record in ijson.items(_Utf8(stream), prefix, use_float=True):
                number += 1
                if isinstance(record, dict):
                    yield Row(number, f"row {number}", record)
                else:
                    notes.warn(
                        "not-an-object",
                        f"item {number} is not a JSON object",
                        f"row {number}",
                        "It is left out; a row is {...}.",
                    )
        except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
            raise _bad_json(source, number, error) from None


class _Utf8:
    """A text stream seen as UTF-8 bytes, which is what the streaming JSON parser reads."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        text: str = self._stream.read(size)
        if _ABSURD_NESTING.search(text):
            raise RecursionError("it is nested hundreds of levels deep")
        return text.encode("utf-8", errors="replace")


def _bad_json(source: Source, number: int, error: Exception) -> DataError:
    """Name the line and column where the standard parser stops, when the file is small enough to ask it."""
    where = f"after row {number}" if number else "at the start"
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    if source.path.stat().st_size < 50_000_000:
        try:
            json.loads(source.path.read_text(encoding=source.encoding), parse_constant=_refuse_constant)
        except json.JSONDecodeError as exact:
            where, reason = f"line {exact.lineno} column {exact.colno}", exact.msg
        except RecursionError:
            where, reason = "at the start", "it is nested hundreds of levels deep"
        except ValueError as other:
            reason = str(other)[:200]
    fix = "Correct the file there; a table is an array of objects: [{...}, {...}]."
    what = f"{source.path.name} is not valid JSON"
    return DataError(
        what, f"{where}: {reason}", fix, where, (Finding("invalid-json", f"{what}: {reason}", where, fix),)
    )


def _records_key(source: Source) -> str | None:
    """Where the rows of a JSON file are: the key of the first array of objects, else of the first array.

    None stands for an array that is the whole file.
    """
    import ijson

    first = opened = None
    with source.path.open(encoding=source.encoding) as stream:
        try:
            for prefix, event, _ in ijson.parse(_Utf8(stream)):
                if event == "start_map" and opened is not None:
                    return opened or None
                opened = prefix if event == "start_array" else None
                first = opened if first is None else first
        except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
            raise _bad_json(source, 0, error) from None
    if first is not None:
        return first or None
    what, why = (
        f"{source.path.name} holds no rows",
        "a table in JSON is an array of objects, and there is no array in it",
    )
    fix = "Write it as [{...}, {...}] or as JSON lines, one object a line."
    raise DataError(what, why, fix, source.path.name, (Finding("no-array", f"{what}: {why}", source.path.name, fix),))


def _parquet(source: Source, notes: Findings) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(source.path)
        number = 0
        for batch in table.iter_batches(batch_size=_BATCH_ROWS):
            for record in batch.to_pylist():
                number += 1
                yield Row(number, f"row {number}", record)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        what, fix = f"{source.path.name} is not a readable Parquet file", "Write the file again."
        reason = str(error).splitlines()[0][:200]
        raise DataError(
            what,
            reason,
            fix,
            source.path.name,
            (Finding("invalid-parquet", f"{what}: {reason}", source.path.name, fix),),
        ) from None
