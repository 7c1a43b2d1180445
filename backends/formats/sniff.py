"""Finds out what a file is from its first bytes: format, encoding, delimiter and the line of the header."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePath

from backends.contract import DataError, Finding
from backends.formats.encodings import encoding_of
from backends.formats.marked_lines import (
    ASKED,
    has_long_dialogues,
    is_quoted,
    labelled_columns,
    looks_like_conllu,
    looks_like_fasttext,
    tabs_in_lines,
)
from backends.formats.media_endings import MEDIA_ENDINGS
from backends.formats.source import Source, data_error
from backends.formats.streams import open_bytes, packing_of, read_head, told_when_broken
from backends.formats.tagged import looks_tagged
from backends.formats.values import as_number

SAMPLE_BYTES = 1 << 18
_LONG_SAMPLE_BYTES = 1 << 22
_DELIMITERS = (",", ";", "\t", "|", "^", "~")
# Signs that divide cells only where nearly every record has the same number of them.
_RARE_DELIMITERS, _NEARLY_ALL = ("^", "~"), 0.95
# What divides the cells of some files and is not read as that.
_OTHER_SIGNS = ("::", "\x01", "¦", "§", "=>", "#", "$", "@", "&", ":", "/")
_TEXT_TO_A_ZERO = 500
_NO_TEXT = re.compile(r"[\x01-\x08\x0e-\x19\x1c-\x1f\x7f]")
_HEADER_SEARCH = 60
_MOST_COLUMNS = 50_000
_LINES_ENDINGS = (".jsonl", ".ndjson")
_TABLE_ENDINGS = (".csv", ".tsv", ".tab", ".psv")
READABLE = (
    "CSV, TSV, JSON, JSONL, Parquet, Arrow, Excel (.xlsx), CoNLL, fastText or plain text, also packed (.gz, .zst, .zip)"
)


def identify(path: Path) -> Source:
    """Look at the first bytes of a file and say how to read it.

    Raises UsageError when there is no such file and DataError when it is empty or not data of a known kind.
    """
    head, size = read_head(path, SAMPLE_BYTES)
    for kind, endings in MEDIA_ENDINGS.items():
        if path.suffix.lower() in endings:
            return Source(path, kind, columns=(kind,))
    _refuse_empty(head, size, path.name)
    packing, member = packing_of(head, path)
    if packing == "xlsx":
        return Source(path, "xlsx")
    if packing is None:
        if _has_long_lines(head):
            head, size = read_head(path, _LONG_SAMPLE_BYTES)
        return _identify_content(Source(path, ""), head, path, complete=size <= len(head))
    source = Source(path, "", packing=packing, member=member)
    with told_when_broken(source), open_bytes(path, packing, member) as (stream, _):
        head = stream.read(SAMPLE_BYTES)
        complete = len(head) < SAMPLE_BYTES
        if _has_long_lines(head):
            more = stream.read(_LONG_SAMPLE_BYTES)
            head, complete = head + more, len(more) < _LONG_SAMPLE_BYTES
    _refuse_empty(head, len(head), path.name)
    inner = PurePath(member) if member else path.with_suffix("")
    return _identify_content(source, head, inner, complete)


def _has_long_lines(head: bytes) -> bool:
    """Whether more must be seen to know a header, which can name ten thousands of columns; JSON has none."""
    if len(head) < SAMPLE_BYTES or head.lstrip()[:1] in (b"[", b"{"):
        return False
    return max(head.count(b"\n"), head.count(b"\r")) < 3


def _refuse_empty(head: bytes, size: int, name: str) -> None:
    if size == 0 or not head.strip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"):
        raise _unreadable("empty-file", f"{name} is empty", f"it has {size} bytes and no rows", name)


def _identify_content(source: Source, head: bytes, named: PurePath, complete: bool) -> Source:
    """How to read what is in a file, after unpacking; `named` is its name without the ending of the packing."""
    name, ending = source.path.name, named.suffix.lower()
    binary = "parquet" if head[:4] == b"PAR1" else "arrow" if _is_arrow(head) else None
    if binary is not None:
        if source.packing is not None:
            raise _unreadable("packed-binary", f"{name} is packed twice", f"{binary} is packed already", name)
        return replace(source, format=binary)
    if head[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise _unreadable("old-excel", f"{name} is an Excel file of the old kind", "only .xlsx is read", name)
    encoding, notes = encoding_of(head, name)
    text = head.decode(encoding, errors="ignore")
    source = replace(source, encoding=encoding, notes=notes)
    start = text.lstrip()[:1]
    if ending not in (*_TABLE_ENDINGS, *_LINES_ENDINGS, ".json") and has_long_dialogues(text):
        return replace(source, format="text", columns=("text",), dialogues=True)
    if start in ("[", "{") and ending not in _TABLE_ENDINGS and not text.lstrip().startswith(ASKED):
        return _json_source(source, text.lstrip(), ending)
    if ending in (*_LINES_ENDINGS, ".json") and _are_json_texts(text):
        return replace(source, format="jsonl", columns=("text",))
    if _is_binary(text):
        line = text.count("\n", 0, text.index("\0")) + 1
        why = f"it holds binary data, a zero byte in line {line:,} for one, and is no known format"
        fix = f"Save it as UTF-8 if it is a text in UTF-16; else give {READABLE}."
        raise data_error("not-text", f"{name} is not a table", why, name, fix)
    if ending not in (*_TABLE_ENDINGS, *_LINES_ENDINGS, ".json") and looks_like_fasttext(text):
        return replace(source, format="fasttext", columns=("text", "label"))
    if ending not in (*_TABLE_ENDINGS[:1], *_LINES_ENDINGS, ".json") and looks_like_conllu(text):
        message = "the tags are the parts of speech (UPOS); the other columns of CoNLL-U are not read"
        note = Finding("conllu-columns", message, name, "Nothing to do, if that is what is to be learned.")
        return replace(source, format="conllu", columns=("tokens", "tags"), notes=(*notes, note))
    if ending not in (*_TABLE_ENDINGS[:1], *_LINES_ENDINGS, ".json") and looks_tagged(text):
        return replace(source, format="conll", columns=("tokens", "tags"))
    if columns := labelled_columns(text, complete):
        return _labelled_source(source, text, columns, complete)
    if ending in (".txt", ".text", ".md", "") and not _is_delimited(text, complete):
        return _text_source(source, text, complete)
    return _delimited_source(source, text, ending, complete)


def _are_json_texts(text: str) -> bool:
    """Whether the first lines are JSON strings, without an object around them."""
    lines = [line for line in re.split(r"[\r\n]+", text, maxsplit=3)[:2] if line.strip()]
    try:
        return bool(lines) and all(isinstance(json.loads(line), str) for line in lines)
    except ValueError:
        return False


def _is_binary(text: str) -> bool:
    """Whether there are more zero bytes than slips make, or others that no text has; a few are told by their rows."""
    zeros = text.count("\0")
    return zeros > 0 and (zeros > max(1, len(text) // _TEXT_TO_A_ZERO) or _NO_TEXT.search(text) is not None)


def _is_arrow(head: bytes) -> bool:
    return head.startswith(b"ARROW1\0\0") or (head.startswith(b"\xff\xff\xff\xff") and 0 < head[4] | head[5] << 8)


def _is_delimited(text: str, complete: bool) -> bool:
    """Whether a file that is called a text is a table all the same: short names above rows of the same width."""
    delimiter = _delimiter(text, "")
    records = [record for record in _records(text[: 1 << 16], delimiter, None) if any(record)]
    if not complete and len(records) > 1:
        records.pop()
    if len(records) < 3 or len(records[0]) < 2:
        return False
    same = sum(len(record) == len(records[0]) for record in records)
    names_short = all(0 < len(cell.strip()) <= 40 and not cell.strip().endswith(".") for cell in records[0])
    return names_short and same >= 0.98 * len(records) and len(set(records[0])) == len(records[0])


def _labelled_source(source: Source, text: str, columns: tuple[str, ...], complete: bool) -> Source:
    one, other = columns
    message = f"no line names the columns: they are called {one!r} and {other!r} here, a class and a text a line"
    fix = "Nothing to do; are the lines plain texts all the same, take the tabs out of them."
    note = Finding("no-header", message, "line 1", fix)
    quotes = is_quoted(text, complete)
    notes = (*source.notes, note)
    return replace(source, format="tsv", delimiter="\t", header_record=-1, quotes=quotes, columns=columns, notes=notes)


def _text_source(source: Source, text: str, complete: bool) -> Source:
    notes = source.notes
    if tabs := tabs_in_lines(text, complete):
        message = f"each line is read as a plain text, but nearly all have {tabs + 1} parts with tabs between them"
        fix = "If it is a table, write a line of short names above the values, with tabs between them."
        notes = (*notes, Finding("looks-like-table", message, "line 1", fix))
    return replace(source, format="text", columns=("text",), notes=notes)


def _unreadable(code: str, what: str, why: str, where: str) -> DataError:
    return data_error(code, what, why, where, f"Give {READABLE}, with at least a few rows.")


def _json_source(source: Source, text: str, ending: str) -> Source:
    from backends.formats.coco import looks_like_coco

    # Not splitlines: JSON strings may hold the other characters it takes for line ends.
    lines = [line for line in re.split(r"[\r\n]+", text, maxsplit=2) if line.strip()]
    whole_first_of_several = len(lines) > 1 and lines[0].startswith("{") and lines[0].rstrip().endswith("}")
    if text[0] == "{" and (whole_first_of_several or ending in _LINES_ENDINGS):
        return replace(source, format="jsonl")
    if text[0] == "{" and looks_like_coco(text):
        return replace(source, format="coco", columns=("image", "width", "height", "boxes"))
    if text[0] == "{" and re.search(r'"paragraphs"\s*:\s*\[', text):
        return replace(
            source, format="squad", columns=("id", "title", "context", "question", "answers", "answer_start")
        )
    name = source.path.name
    if ending in _LINES_ENDINGS:
        fix = "It was read as an array."
        note = Finding("json-array", f"{name} is a JSON array, not JSON lines", name, fix)
        source = replace(source, notes=(*source.notes, note))
    return replace(source, format="json")


def _delimited_source(source: Source, text: str, ending: str, complete: bool) -> Source:
    delimiter = _delimiter(text, ending)
    escape = "\\" if '\\"' in text and not _reads_cleanly(text, delimiter, complete) else None
    records = _records(text, delimiter, escape)
    if not complete and len(records) > 1:
        records.pop()  # the sample may end in the middle of a record
    header, names = find_header(records)
    if len(names) > _MOST_COLUMNS:
        what, why = f"{source.path.name} has {len(names):,} columns", f"over {_MOST_COLUMNS:,} cannot be looked at"
        fix = "Look whether its lines end where they should; leave out columns that do not matter."
        raise data_error("endless-columns", what, why, f"line {header + 1}", fix)
    notes = source.notes
    if header:
        notes = (
            *notes,
            Finding(
                "header-not-first",
                f"the header was taken from record {header + 1}; {header} title, comment or blank lines above it "
                "were skipped",
                f"line {header + 1}",
                "If that is wrong, delete the lines above the header.",
            ),
        )
    columns, name_notes = column_names(names)
    if _looks_like_values(names, records[header + 1 : header + 50]):
        shown = ", ".join(repr(cell[:20]) for cell in names[:4])
        message = f"the first line was taken for the names of the columns, but {shown} look like values"
        name_notes = (*name_notes, Finding("no-header", message, "line 1", "Write a line of names above the values."))
    if sign := _other_sign(names, records[header + 1 :]):
        message = f"there is one column, but nearly every line has {sign!r} in it: does it divide the cells?"
        fix = "If it does, put one of , ; | ^ ~ or a tab in its place."
        name_notes = (*name_notes, Finding("other-delimiter", message, f"line {header + 1}", fix))
    return replace(
        source,
        format="tsv" if delimiter == "\t" else "csv",
        delimiter=delimiter,
        escape=escape,
        header_record=header,
        columns=columns,
        notes=(*notes, *name_notes),
    )


def _other_sign(names: list[str], rows: list[list[str]]) -> str | None:
    """A sign that stands as often in nearly every line as in the only name."""
    lines = [row[0] for row in rows if len(row) == 1]
    if len(names) != 1 or len(lines) < 2:
        return None
    times = {sign: names[0].count(sign) for sign in _OTHER_SIGNS if sign in names[0].strip(sign)}
    alike = (sign for sign, n in times.items() if sum(line.count(sign) == n for line in lines) > 0.9 * len(lines))
    return next(alike, None)


def _looks_like_values(names: list[str], rows: list[list[str]]) -> bool:
    """Whether the line of names is of the kind of the lines below it: numbers where they have numbers."""
    numeric = [index for index, cell in enumerate(names) if as_number(cell) is not None]
    below = [row for row in rows if len(row) == len(names)]
    if not numeric or not below:
        return False
    columns = [[as_number(row[index]) is not None for row in below] for index in range(len(names))]
    usually = [sum(column) > 0.8 * len(column) for column in columns]
    years = all(1900 <= (as_number(names[index]) or 0) <= 2100 for index in numeric)
    return not years and all((as_number(cell) is not None) == usual for cell, usual in zip(names, usually))


def _reads_cleanly(text: str, delimiter: str, complete: bool) -> bool:
    """Whether the sample parses with doubled quotes alone, so that a backslash is only a backslash."""
    stream = io.StringIO(text, newline="")
    try:
        for _ in csv.reader(stream, delimiter=delimiter, strict=True):
            continue
    except csv.Error:
        return not complete and not stream.read(1)  # only its last record, which the end of the sample cut
    return True


def _records(text: str, delimiter: str, escape: str | None) -> list[list[str]]:
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, escapechar=escape, skipinitialspace=escape is not None
    )
    return list(reader)


def _delimiter(text: str, ending: str) -> str:
    """The delimiter under which most records have the same number of fields, more than one."""
    sample = text[: 1 << 16]
    best, best_score = ("\t" if ending in (".tsv", ".tab") else ","), 0.0
    for delimiter in _DELIMITERS:
        widths = Counter(len(record) for record in _records(sample, delimiter, None) if record)
        wide = {width: count for width, count in widths.items() if width > 1}
        if not wide:
            continue
        width, count = max(wide.items(), key=lambda item: (item[1], item[0]))
        if delimiter in _RARE_DELIMITERS and count < _NEARLY_ALL * sum(widths.values()):
            continue
        score = count / sum(widths.values()) + min(width, 50) / 1000
        if score > best_score:
            best, best_score = delimiter, score
    return best


def find_header(records: list[list[str]]) -> tuple[int, list[str]]:
    """The record that names the columns: the first as wide as most, without the usual title lines above it."""
    widths = Counter(len(record) for record in records if any(cell.strip() for cell in record))
    if not widths:
        return 0, []
    usual = max(widths.items(), key=lambda item: (item[1], item[0]))[0]
    first = next((i for i, record in enumerate(records) if any(cell.strip() for cell in record)), 0)
    filled_first = sum(bool(cell.strip()) for cell in records[first])
    names_only = not any(as_number(cell) is not None for cell in records[first])
    if filled_first > max(1, len(records[first]) // 2) and (len(records[first]) == usual or names_only):
        return first, records[first]
    for index, record in enumerate(records[:_HEADER_SEARCH]):
        filled = sum(bool(cell.strip()) for cell in record)
        if len(record) == usual and filled > max(1, usual // 2) and not record[0].lstrip().startswith("#"):
            return index, record
    comment = records[first][0].lstrip().startswith("#") and len(records) > first + 1
    chosen = first + 1 if comment else first
    return chosen, records[chosen]


def column_names(header: list[str]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Unique names for all columns, and what had to be said about them."""
    names: dict[str, None] = {}  # in order, and quick to look up among ten thousands
    notes: list[Finding] = []
    seen: Counter[str] = Counter()
    taken = {cell.strip() for cell in header}
    for position, cell in enumerate(header, 1):
        name = cell.strip()
        if not name:
            name = f"column {position}"
            notes.append(
                Finding(
                    "blank-header",
                    f"column {position} has no name",
                    f"column {position}",
                    f"It is called {name!r} here.",
                )
            )
        seen[name] += 1
        if seen[name] > 1 or name in names:
            new = f"{name} ({seen[name]})"
            while new in names or new in taken:
                seen[name] += 1
                new = f"{name} ({seen[name]})"
            notes.append(
                Finding(
                    "duplicate-header",
                    f"the name {name!r} stands over more than one column; column {position} is called {new!r} here",
                    f"column {position}",
                    "Give every column a name of its own.",
                )
            )
            name = new
        names[name] = None
    return tuple(names), tuple(notes)
