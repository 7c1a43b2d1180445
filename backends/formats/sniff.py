"""Finds out what a file is from its first bytes: format, encoding, delimiter and the line of the header."""

from __future__ import annotations

import codecs
import csv
import io
import re
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from backends.contract import DataError, Finding, UsageError
from backends.formats.values import as_number

SAMPLE_BYTES = 1 << 18
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CODE_PAGES = ("cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 koi8_r shift_jis gb18030 big5 euc_jp euc_kr").split()
_DELIMITERS = (",", ";", "\t", "|")
_HEADER_SEARCH = 60


@dataclass(frozen=True)
class Source:
    """A table on disk and how to read it; `notes` say what was assumed."""

    path: Path
    format: str
    encoding: str | None = None
    delimiter: str | None = None
    escape: str | None = None
    header_record: int = 0
    columns: tuple[str, ...] = ()
    records_key: str | None = None
    notes: tuple[Finding, ...] = ()

    @property
    def decimal_comma(self) -> bool:
        """Where fields are split by semicolons, `0,61` is a number."""
        return self.delimiter == ";"


def identify(path: Path) -> Source:
    """Look at the first bytes of a file and say how to read it.

    Raises UsageError when there is no such file and DataError when it is empty or not a table.
    """
    head, size = _head(path)
    if size == 0 or not head.strip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"):
        raise _data_error("empty-file", f"{path.name} is empty", f"it has {size} bytes and no rows", str(path.name))
    if head[:4] == b"PAR1":
        return Source(path, "parquet")
    encoding, notes = _encoding(head, path)
    text = head.decode(encoding, errors="ignore")
    start = text.lstrip()[:1]
    if start in ("[", "{") and path.suffix.lower() not in (".csv", ".tsv"):
        return _json_source(path, text.lstrip(), encoding, notes)
    if "\0" in text:
        raise _data_error(
            "not-text", f"{path.name} is not a table", "it holds binary data and is no known format", path.name
        )
    return _delimited_source(path, text, encoding, notes, complete=size <= SAMPLE_BYTES)


def _head(path: Path) -> tuple[bytes, int]:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(
                f"{path} is a folder", "a table is one file", "Name a CSV, TSV, JSON, JSONL or Parquet file."
            )
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a regular file", "it could not be read twice", "Write it to a file first.")
        with path.open("rb") as stream:
            return stream.read(SAMPLE_BYTES), status.st_size
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"There is no file {path}", "the path leads nowhere", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", str(error), "Check the path and its permissions.") from None


def _data_error(code: str, what: str, why: str, where: str) -> DataError:
    fix = "Give a CSV, TSV, JSON, JSONL or Parquet file with a header and at least a few rows."
    return DataError(what, why, fix, where, (Finding(code, f"{what}: {why}", where, fix),))


def _encoding(head: bytes, path: Path) -> tuple[str, tuple[Finding, ...]]:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, ()
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
        return "utf-8", ()
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    found = from_bytes(head[: 1 << 16], cp_isolation=list(_CODE_PAGES))
    best = found.best()
    western = next((match for match in found if "cp1252" in match.could_be_from_charset), None)
    # Several code pages often read equally well; Western exports are by far the commonest.
    if best is None or (western and western.chaos <= best.chaos and western.coherence >= best.coherence):
        encoding = "cp1252"
    else:
        encoding = best.encoding
    try:
        head.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        encoding = "latin-1"
    note = Finding(
        "encoding-guessed",
        f"{path.name} is not UTF-8; it was read as {encoding}",
        path.name,
        "If letters look wrong, save the file as UTF-8.",
    )
    return encoding, (note,)


def _json_source(path: Path, text: str, encoding: str, notes: tuple[Finding, ...]) -> Source:
    # Not splitlines: JSON strings may hold the other characters it takes for line ends.
    lines = [line for line in re.split(r"[\r\n]+", text, maxsplit=2) if line.strip()]
    whole_first_of_several = len(lines) > 1 and lines[0].startswith("{") and lines[0].rstrip().endswith("}")
    if text[0] == "{" and (whole_first_of_several or path.suffix.lower() in (".jsonl", ".ndjson")):
        return Source(path, "jsonl", encoding, notes=notes)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        note = Finding(
            "json-array", f"{path.name} is a JSON array, not JSON lines", path.name, "It was read as an array."
        )
        notes = (*notes, note)
    return Source(path, "json", encoding, notes=notes)


def _delimited_source(path: Path, text: str, encoding: str, notes: tuple[Finding, ...], complete: bool) -> Source:
    delimiter = _delimiter(text, path)
    escape = "\\" if '\\"' in text and not _reads_cleanly(text, delimiter, complete) else None
    records = _records(text, delimiter, escape)
    if not complete and len(records) > 1:
        records.pop()  # the sample may end in the middle of a record
    header, names = _header(records)
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
    columns, name_notes = _column_names(names)
    kind = "tsv" if delimiter == "\t" else "csv"
    return Source(path, kind, encoding, delimiter, escape, header, columns, notes=(*notes, *name_notes))


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


def _delimiter(text: str, path: Path) -> str:
    """The delimiter under which most records have the same number of fields, more than one."""
    sample = text[: 1 << 16]
    best, best_score = ("\t" if path.suffix.lower() in (".tsv", ".tab") else ","), 0.0
    for delimiter in _DELIMITERS:
        widths = Counter(len(record) for record in _records(sample, delimiter, None) if record)
        wide = {width: count for width, count in widths.items() if width > 1}
        if not wide:
            continue
        width, count = max(wide.items(), key=lambda item: (item[1], item[0]))
        score = count / sum(widths.values()) + min(width, 50) / 1000
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _header(records: list[list[str]]) -> tuple[int, list[str]]:
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


def _column_names(header: list[str]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Unique names for all columns, and what had to be said about them."""
    names: list[str] = []
    notes: list[Finding] = []
    seen: Counter[str] = Counter()
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
        if seen[name] > 1:
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
        names.append(name)
    return tuple(names), tuple(notes)
