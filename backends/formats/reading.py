"""Reads data in batches: delimited text, JSON lines, JSON arrays, plain text; memory stays bounded."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.formats.binary_tables import read_arrow, read_parquet, read_workbook, workbook_source
from backends.formats.findings import Findings
from backends.formats.json_arrays import DEEPEST, is_deep, read_array, read_squad, records_key
from backends.formats.marked_lines import dialogues, read_conllu, read_fasttext
from backends.formats.rows import BATCH_CHARACTERS, BATCH_ROWS, Batch, Gathering, Row
from backends.formats.sniff import identify
from backends.formats.source import Source
from backends.formats.streams import open_text, told_when_broken
from backends.formats.tagged import read_tagged

# A longer cell is a quote that was never closed; without a limit it would take the rest of the file into memory.
LONGEST_CELL = 1 << 25
# A last record of so many lines is a quote that was never closed; texts of many lines stand among others.
_OPEN_QUOTE_LINES = 25
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


def open_table(path: Path) -> Source:
    """Find out how to read one file, and where in a JSON file its rows are.

    Raises UsageError when there is no such file and DataError when it is empty or holds no rows.
    """
    source = identify(path)
    if source.format == "json":
        return replace(source, records_key=records_key(source))
    return workbook_source(source) if source.format == "xlsx" else source


def read_rows(source: Source, findings: Findings | None = None) -> Iterator[Row]:
    """Yield every readable row in file order; what cannot be read is noted in `findings` and left out.

    Row numbers count records, readable or not, so that they are the same on every reading.
    """
    for batch in read_batches(source, findings if findings is not None else Findings()):
        yield from batch.rows()


def read_batches(source: Source, notes: Findings) -> Iterator[Batch]:
    """The same in batches of columns, which is what the checks want."""
    return _READERS[source.format](source, notes)


def _delimited(source: Source, notes: Findings) -> Iterator[Batch]:
    csv.field_size_limit(LONGEST_CELL)
    width = len(source.columns)
    size = max(1, source.path.stat().st_size)
    gathered = Gathering()
    with told_when_broken(source), open_text(source, newline="", lines=True) as (stream, raw):
        reader = csv.reader(
            stream,
            delimiter=source.delimiter or ",",
            escapechar=source.escape,
            skipinitialspace=source.escape is not None,
            quoting=csv.QUOTE_MINIMAL if source.quotes else csv.QUOTE_NONE,
        )
        for _ in range(source.header_record + 1):
            next(reader, None)
        number = 0
        last = (0, 0)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                why = str(error)
                if "field limit" in why:
                    why = f"a cell of over {LONGEST_CELL:,} characters; a quote was opened and never closed"
                notes.warn("unreadable-row", f"line {line} cannot be read: {why}", f"line {line}", "It is left out.")
                continue
            if not cells:
                continue
            number += 1
            last = (line, reader.line_num)
            if not cells[0].strip() and not any(cell.strip() for cell in cells):
                notes.warn("blank-row", f"row {number} is blank", f"line {line}", "It is left out.")
                continue
            if len(cells) != width:
                notes.warn(
                    "ragged-row",
                    f"row {number} has {len(cells)} cells, the header has {width}",
                    f"line {line}",
                    "It is left out; correct the line to use it.",
                )
                continue
            if gathered.add(number, number, cells, sum(map(len, cells))):
                yield _whole_bytes(gathered.take(source.columns, raw.tell() / size), source, notes)
        if last[1] - last[0] >= _OPEN_QUOTE_LINES:
            lost_much = 4 * (last[1] - last[0]) > reader.line_num
            (notes.error if lost_much else notes.warn)(
                "open-quote",
                f"the record that begins at line {last[0]:,} goes on for {last[1] - last[0]:,} lines, to the end: "
                "a quote was opened there and never closed",
                f"line {last[0]}",
                "Close the quote, or double it where it is a letter; the lines below it are lost as they are.",
            )
    if gathered.records:
        yield _whole_bytes(gathered.take(source.columns, 1.0), source, notes)


def _whole_bytes(batch: Batch, source: Source, notes: Findings) -> Batch:
    """Say which rows hold bytes that are no text; they are used all the same."""
    whole = ["".join(cells) for cells in batch.columns.values()]
    if any("\0" in text for text in whole):
        for index, cells in enumerate(zip(*batch.columns.values())):
            if any("\0" in cell for cell in cells):
                _note_zeros(notes, f"row {batch.numbers[index]}", batch.where(index))
        cleaned = {name: [cell.replace("\0", "") for cell in cells] for name, cells in batch.columns.items()}
        batch = replace(batch, columns=cleaned)
    if not any("\ufffd" in text for text in whole):
        return batch
    for index, cells in enumerate(zip(*batch.columns.values())):
        if any("\ufffd" in cell for cell in cells):
            notes.warn(
                "undecodable",
                f"row {batch.numbers[index]} holds bytes that are not {source.encoding}; they became \ufffd",
                batch.where(index),
                "Save the file as UTF-8.",
            )
    return batch


def _note_zeros(notes: Findings, what: str, where: str) -> None:
    notes.warn("zero-bytes", f"{what} holds zero bytes (NUL), which were taken out", where, "Write the file again.")


def _refuse_constant(word: str) -> Any:
    """NaN and the infinities are no JSON, though Python reads them."""
    raise ValueError(f"{word} is not valid JSON")


def _json_lines(source: Source, notes: Findings) -> Iterator[Batch]:
    decoder: Any = json.JSONDecoder(parse_constant=_refuse_constant)
    scan = decoder.scan_once
    size = max(1, source.path.stat().st_size)
    gathered = Gathering("line")
    numbers, places, records, characters = gathered.numbers, gathered.places, gathered.records, 0
    number = 0
    with told_when_broken(source), open_text(source, lines=True) as (stream, raw):
        for line_number, line in enumerate(stream, 1):
            try:
                record, end = scan(line, 0)
                if len(line) - end > 1 and line[end:].strip():
                    raise ValueError("Extra data")
            except (StopIteration, ValueError, RecursionError):
                if not line.strip():
                    continue
                record = _line_again(line, line_number, notes)
            number += 1
            if type(record) is not dict:
                if type(record) is not str or not source.columns:
                    if record is not _BROKEN:
                        message, fix = f"line {line_number} is not a JSON object", "It is left out; a row is {...}."
                        notes.warn("not-an-object", message, f"line {line_number}", fix)
                    continue
                record = {source.columns[0]: record}
            if len(line) > 2 * DEEPEST and line.count("[") + line.count("{") > DEEPEST and is_deep(record):
                message = f"line {line_number} is nested hundreds of levels deep"
                notes.warn("unreadable-row", message, f"line {line_number}", "It is left out.")
                continue
            if "\\u" in line and _HALF_CHARACTER.search(line):
                record, halves = _whole_characters(record)
                if halves:
                    _note_undecodable(notes, line_number, "halves of characters", "Write the file again.")
            if not line.isascii() and "\ufffd" in line:
                what = f"bytes that are not {source.encoding}"
                _note_undecodable(notes, line_number, what, "Save the file as UTF-8.")
            # As Gathering.add does, without the call, which is a tenth of what reading a row costs.
            numbers.append(number)
            places.append(line_number)
            records.append(record)
            characters += len(line)
            if len(records) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
                yield gathered.take(share=raw.tell() / size)
                numbers, places, records, characters = gathered.numbers, gathered.places, gathered.records, 0
    if gathered.records:
        yield gathered.take(share=1.0)


def _note_undecodable(notes: Findings, line: int, what: str, fix: str) -> None:
    notes.warn("undecodable", f"line {line} holds {what}; they became \ufffd", f"line {line}", fix)


_BROKEN = object()


def _line_again(line: str, number: int, notes: Findings) -> Any:
    """A line that did not read at once: with spaces around it, or really broken, which is noted."""
    try:
        return json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        whole = "is not complete JSON" if not line.endswith("\n") else "is not valid JSON"
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:200]
        notes.warn("unreadable-row", f"line {number} {whole}: {reason}", f"line {number}", "It is left out.")
        return _BROKEN


def _whole_characters(record: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A record without lone surrogates, which JSON can escape and no file or screen can hold; whether it had any."""
    text = json.dumps(record, ensure_ascii=False)
    clean = text.encode("utf-8", errors="surrogatepass").decode("utf-8", errors="replace")
    return (record, False) if clean == text else (json.loads(clean), True)


def _plain_text(source: Source, notes: Findings) -> Iterator[Batch]:
    """A row for each line that is not blank, or for each dialogue of several lines."""
    size = max(1, source.path.stat().st_size)
    gathered = Gathering("line")
    number = 0
    with told_when_broken(source), open_text(source) as (stream, raw):
        lines = enumerate(_pieces(stream), 1)
        for line_number, line in dialogues(lines) if source.dialogues else lines:
            text = line.strip("\r\n\x0c")
            if not text.strip():
                continue
            number += 1
            if "\0" in text:
                _note_zeros(notes, f"line {line_number}", f"line {line_number}")
                text = text.replace("\0", "")
            if "\ufffd" in text:
                what = f"bytes that are not {source.encoding}"
                _note_undecodable(notes, line_number, what, "Save the file as UTF-8.")
            if gathered.add(number, line_number, (text,), len(text)):
                yield gathered.take(source.columns, raw.tell() / size)
    if gathered.records:
        yield gathered.take(source.columns, 1.0)


def _pieces(stream: Any) -> Iterator[str]:
    """The lines of a text; one without an end, as in a file of a single line, comes in pieces of a megabyte."""
    while line := stream.readline(1 << 20):
        yield line


def _single_file(source: Source, notes: Findings) -> Iterator[Batch]:
    yield Batch([1], [source.path.name], {source.format: [str(source.path)]}, "", 1.0)


def _coco(source: Source, notes: Findings) -> Iterator[Batch]:
    from backends.formats.coco import read_coco

    return _batched(read_coco(source.path, source.encoding or "utf-8", notes))


def _yolo(source: Source, notes: Findings) -> Iterator[Batch]:
    from backends.formats.yolo import read_yolo

    return _batched(read_yolo(source.path, source.part or "train", notes))


def _class_folder(source: Source, notes: Findings) -> Iterator[Batch]:
    from backends.formats.folders import read_class_folder

    return _batched(read_class_folder(source, notes))


def _batched(rows: Iterator[Row]) -> Iterator[Batch]:
    gathered = Gathering("")
    for row in rows:
        if gathered.add(row.number, row.where, row.cells, 1 << 10):
            yield gathered.take()
    if gathered.records:
        yield gathered.take()


_READERS: dict[str, Callable[[Source, Findings], Iterator[Batch]]] = {
    "csv": _delimited,
    "tsv": _delimited,
    "jsonl": _json_lines,
    "json": read_array,
    "squad": read_squad,
    "conll": read_tagged,
    "conllu": read_conllu,
    "fasttext": read_fasttext,
    "text": _plain_text,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "xlsx": read_workbook,
    "coco": _coco,
    "yolo": _yolo,
    "image": _single_file,
    "audio": _single_file,
    "video": _single_file,
    "image-folder": _class_folder,
    "audio-folder": _class_folder,
    "video-folder": _class_folder,
}
