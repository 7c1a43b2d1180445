"""Reads Parquet, Arrow (also a data set that `datasets` saved to disk) and Excel workbooks."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from backends.contract import Finding
from backends.formats.findings import Findings
from backends.formats.rows import BATCH_ROWS, Batch, Gathering
from backends.formats.source import Source, data_error

_HEADER_ROWS = 60
_MOST_ROWS = 1 << 20  # as Excel has it; a damaged row number would stand for billions of empty rows before it
# The texts and styles of a workbook are held in memory as a whole, at several times their size.
_MOST_WORKBOOK_TEXTS = 1 << 28
_STREAMED = ("xl/worksheets/", "xl/media/")


def read_parquet(source: Source, notes: Findings) -> Iterator[Batch]:
    """Batches straight from the columns of the file."""
    import pyarrow.parquet

    with _told_in_words(source, "Parquet"):
        table = pyarrow.parquet.ParquetFile(source.path)
        names = class_names(table.schema_arrow)
        total, number = max(1, table.metadata.num_rows), 0
        for batch in table.iter_batches(batch_size=_rows_a_batch(table.schema_arrow)):
            yield _as_batch(batch, number, names, total, notes)
            number += batch.num_rows


def read_arrow(source: Source, notes: Findings) -> Iterator[Batch]:
    """Arrow's file or stream layout, mapped into memory instead of read into it."""
    import pyarrow

    with _told_in_words(source, "Arrow"), pyarrow.memory_map(str(source.path)) as mapped:
        if mapped.read_at(6, 0) == b"ARROW1":
            reader = pyarrow.ipc.open_file(mapped)
            batches: Any = (reader.get_batch(index) for index in range(reader.num_record_batches))
        else:
            batches = reader = pyarrow.ipc.open_stream(mapped)
        names = class_names(reader.schema)
        number, most = 0, _rows_a_batch(reader.schema)
        for whole in batches:
            whole.validate(full=True)  # reading a damaged one as it is can end the process
            for start in range(0, whole.num_rows, most):
                batch = whole.slice(start, most)
                yield _as_batch(batch, number, names, None, notes)
                number += batch.num_rows


def _rows_a_batch(schema: Any) -> int:
    """Fewer at once where columns hold whole files, such as pictures."""
    import pyarrow

    def heavy(kind: Any) -> bool:
        is_binary = pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)
        return is_binary or (pyarrow.types.is_struct(kind) and any(heavy(field.type) for field in kind))

    return 16 if any(heavy(kind) for kind in schema.types) else BATCH_ROWS


def _as_batch(batch: Any, before: int, names: dict[str, list[str]], total: int | None, notes: Findings) -> Batch:
    columns = {name: _cells(cells, name, before, notes) for name, cells in zip(batch.schema.names, batch.columns)}
    for name, classes in names.items():
        if name in columns:
            columns[name] = [_named(cell, classes) for cell in columns[name]]
    numbers = range(before + 1, before + batch.num_rows + 1)
    return Batch(numbers, numbers, columns, "row", (before + batch.num_rows) / total if total else None)


def _cells(column: Any, name: str, before: int, notes: Findings) -> list[Any]:
    """The cells of a column; one that Python cannot hold, such as a date in the year 90,000, is told and missing."""
    try:
        cells: list[Any] = column.to_pylist()
        return cells
    except Exception:  # a date, a time zone or a text beyond all bounds, each with an error of its own
        cells = []
    for number, cell in enumerate(column, before + 1):
        try:
            cells.append(cell.as_py())
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0][:100] or type(error).__name__
            message = f"row {number} holds something in {name!r} that cannot be read: {reason}"
            notes.warn("unreadable-cell", message, f"row {number}", "It counts as missing; write the column again.")
            cells.append(None)
    return cells


def class_names(schema: Any) -> dict[str, list[str]]:
    """The names behind class numbers, which the `datasets` library keeps beside a schema."""
    found = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(found)["info"]["features"] if found else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    named = {}
    for name, feature in features.items() if isinstance(features, dict) else ():
        while isinstance(feature, dict) and feature.get("_type") in ("Sequence", "List", "LargeList"):
            feature = feature.get("feature")
        classes = feature.get("names") if isinstance(feature, dict) else None
        if isinstance(classes, list) and classes and feature.get("_type") == "ClassLabel":
            named[name] = [str(each) for each in classes]
    return named


def _named(cell: Any, classes: list[str]) -> Any:
    if isinstance(cell, list):
        return [_named(each, classes) for each in cell]
    if isinstance(cell, int):
        return classes[cell] if 0 <= cell < len(classes) else None
    return cell


@contextmanager
def _told_in_words(source: Source, kind: str) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError, EOFError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        name, what = source.path.name, f"{source.path.name} is not a readable {kind} file"
        raise data_error(f"invalid-{kind.lower()}", what, reason, name, "Write the file again.") from None


# --- Excel -------------------------------------------------------------------------------------------------------


def workbook_source(source: Source) -> Source:
    """Which sheet of a workbook holds the table, and its column names."""
    from backends.formats.sniff import column_names, find_header

    with _opened_workbook(source) as book:
        filled = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            records = [_trimmed(record) for record in sheet.iter_rows(max_row=_HEADER_ROWS, values_only=True)]
            if any(records):
                filled.append((sheet.title, records))
    name = source.path.name
    if not filled:
        raise data_error("empty-file", f"{name} is empty", "no sheet has a filled cell", name, "Fill a sheet.")
    title, records = max(filled, key=lambda item: len(item[1]))
    width = _usual_width(records)
    texts = [["" if cell is None else str(cell) for cell in record] for record in records]
    padded = [[*record[:width], *[""] * (width - len(record))] for record in texts]
    header, names = find_header(padded)
    columns, notes = column_names(names)
    if len(filled) > 1:
        others = ", ".join(repr(other) for other, _ in filled if other != title)
        message = f"{name} has {len(filled)} filled sheets; {title!r} is read, not {others}"
        notes = (Finding("one-sheet", message, name, "Save another sheet as a file of its own to use it."), *notes)
    if header:
        message = f"the header was taken from row {header + 1}; {header} rows above it were skipped"
        note = Finding("header-not-first", message, f"row {header + 1}", "If that is wrong, delete the rows above.")
        notes = (note, *notes)
    return replace(source, member=title, header_record=header, columns=columns, notes=(*source.notes, *notes))


def read_workbook(source: Source, notes: Findings) -> Iterator[Batch]:
    """The rows of the sheet below its header; row numbers are those a spreadsheet shows."""
    width = len(source.columns)
    gathered = Gathering()
    with _opened_workbook(source) as book:
        sheet = book[source.member]
        sheet.reset_dimensions()
        for number, record in enumerate(sheet.iter_rows(values_only=True), 1):
            if number <= source.header_record + 1:
                continue
            if number > _MOST_ROWS:
                break
            cells = _trimmed(record)
            if not cells:
                continue
            if len(cells) > width:
                notes.warn(
                    "ragged-row",
                    f"row {number} has {len(cells)} cells, the header has {width}",
                    f"row {number}",
                    "The cells beyond the header are left out; name their columns to use them.",
                )
            if any(
                isinstance(cell, str) and cell.startswith("#") and cell.endswith(("!", "?", "/A")) for cell in cells
            ):
                message = f"row {number} holds an error of Excel"
                notes.warn("excel-error", message, f"row {number}", "Correct the formula.")
            if gathered.add(number, number, [*cells[:width], *[None] * (width - len(cells))]):
                yield gathered.take(source.columns)
    if gathered.records:
        yield gathered.take(source.columns, 1.0)


def _usual_width(records: list[list[Any]]) -> int:
    """How wide the table is: as wide as most rows that are not narrower, so that a stray note does not count."""
    widths = Counter(len(record) for record in records if record)
    return max(width for width, count in widths.items() if count >= max(1, 0.1 * sum(widths.values())))


def _trimmed(record: Any) -> list[Any]:
    cells = list(record)
    while cells and (cells[-1] is None or cells[-1] == ""):
        cells.pop()
    return cells


@contextmanager
def _opened_workbook(source: Source) -> Iterator[Any]:
    import zipfile
    import zlib

    import openpyxl

    try:
        with zipfile.ZipFile(source.path) as archive:
            held = [entry.file_size for entry in archive.infolist() if not entry.filename.startswith(_STREAMED)]
        if sum(held) > _MOST_WORKBOOK_TEXTS:
            raise ValueError(f"its texts and styles take {sum(held):,} bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with source.path.open("rb") as stream:  # by content, whatever the name says
                book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
                try:
                    yield book
                finally:
                    book.close()
    except (
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        OSError,
        EOFError,
        IndexError,
        SyntaxError,
        MemoryError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        name, reason = source.path.name, (str(error).splitlines() or [type(error).__name__])[0][:200]
        fix = "Open it in a spreadsheet program and save it again, or save the sheet as CSV."
        raise data_error("invalid-xlsx", f"{name} is not a readable workbook", reason, name, fix) from None
