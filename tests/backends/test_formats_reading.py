"""Tables of every kind are read as they were written; what cannot be read is named with its line."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import DataError, UsageError
from backends.formats.findings import PLACES_KEPT, Findings
from backends.formats.reading import open_table, read_rows

DELIMITERS = (",", ";", "\t", "|")
# Letters of several scripts, quotes, line ends, a backslash, and every delimiter; which may appear is narrowed below.
LETTERS = "abcXYZ 019äöéñßçΩяж名😀'\"\\\n.-_#{}[]"
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


def rows_of(path: Path, notes: Findings | None = None) -> list[dict[str, Any]]:
    return [row.cells for row in read_rows(open_table(path), notes)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[str], list[list[str]]]:
    """A delimiter, two to five column names and one to eight rows of cells that may hold that delimiter."""
    delimiter = draw(st.sampled_from(DELIMITERS))
    cell = st.text(st.sampled_from(LETTERS + delimiter), max_size=12)
    name = cell.map(str.strip).filter(lambda text: text and not text[0].isdigit() and text[0] not in ".-#[{")
    names = draw(st.lists(name, min_size=2, max_size=5, unique=True))
    row = st.lists(cell, min_size=len(names), max_size=len(names)).filter(lambda row: any(each.strip() for each in row))
    return delimiter, names, draw(st.lists(row, min_size=1, max_size=8))


@settings(deadline=None, max_examples=150)
@given(
    table=tables(),
    encoding=st.sampled_from(ENCODINGS),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: Any, table: tuple[str, list[str], list[list[str]]], encoding: str, quoting: Any, line_end: str
) -> None:
    delimiter, names, rows = table
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    writer.writerows([names, *rows])
    suffix = ".tsv" if delimiter == "\t" else ".csv"
    path = write(tmp_path_factory.getbasetemp() / f"table{suffix}", text.getvalue().encode(encoding))
    source = open_table(path)
    assert (source.delimiter, source.columns) == (delimiter, tuple(names))
    assert source.format == ("tsv" if delimiter == "\t" else "csv")
    notes = Findings()
    assert [list(row.cells.values()) for row in read_rows(source, notes)] == rows
    assert notes.warnings() == notes.errors() == ()


# JSON's own values; NaN is none of them, and whole numbers are kept to what every parser holds.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
RECORDS = st.lists(
    st.dictionaries(st.text("abcd", min_size=1, max_size=4), VALUES, min_size=1, max_size=4), min_size=1, max_size=6
)


def same(one: Any, other: Any) -> bool:
    """Equal; a float may lose its last digit in the streaming parser."""
    if isinstance(one, float) or isinstance(other, float):
        return not isinstance(one, bool) and not isinstance(other, bool) and math.isclose(one, other, rel_tol=1e-12)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other and type(one) is type(other))


@settings(deadline=None)
@given(records=RECORDS, ascii_only=st.booleans(), blank=st.booleans(), encoding=st.sampled_from(ENCODINGS))
def test_json_lines_are_read_back(
    tmp_path_factory: Any, records: list[dict[str, Any]], ascii_only: bool, blank: bool, encoding: str
) -> None:
    lines = [json.dumps(record, ensure_ascii=ascii_only) for record in records]
    content = ("\n\n" if blank else "\n").join(lines) + "\n"
    path = write(tmp_path_factory.getbasetemp() / "rows.jsonl", content.encode(encoding))
    assert open_table(path).format == "jsonl"
    assert same(rows_of(path), records)


@settings(deadline=None)
@given(records=RECORDS, indent=st.sampled_from([None, 2]), key=st.sampled_from([None, "data", "rows"]))
def test_json_arrays_are_read_back(
    tmp_path_factory: Any, records: list[dict[str, Any]], indent: int | None, key: str | None
) -> None:
    content = json.dumps(records if key is None else {"version": 1, key: records}, indent=indent, ensure_ascii=False)
    path = write(tmp_path_factory.getbasetemp() / "rows.json", content)
    assert same(rows_of(path), records)


def test_json_lines_need_not_be_named_so(tmp_path: Path) -> None:
    for text in ("plain", "with \u2028 and \x85 and \x0b"):
        path = write(
            tmp_path / "rows.json",
            "".join(json.dumps({"text": text, "n": n}, ensure_ascii=False) + "\n" for n in range(9)),
        )
        assert open_table(path).format == "jsonl"
        assert [row["text"] for row in rows_of(path)] == [text] * 9


def test_parquet_is_read_with_its_types(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {
        "n": [1, 2, None],
        "x": [0.5, math.inf, -1.0],
        "text": ["a", "ä\x1b", None],
        "when": [datetime(2024, 1, 2), None, datetime(1, 1, 1)],
        "price": [Decimal("1.50"), Decimal("2.25"), None],
        "tags": [["a"], [], None],
    }
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    source = open_table(path)
    assert (source.format, source.encoding) == ("parquet", None)
    assert rows_of(path) == [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="not a readable Parquet"):
        rows_of(path)


# --- finding out what a file is ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1250", "cp1251", "shift_jis"])
def test_old_encodings_are_found_and_said(tmp_path: Path, encoding: str) -> None:
    words = {
        "cp1252": "Größe café señor über naïve",
        "latin-1": "Größe café señor über naïve",
        "cp1250": "Zażółć gęślą jaźń, łódź i źródło, święto, córka, pieniądze",
        "cp1251": "Съешь же ещё этих мягких французских булок да выпей чаю",
        "shift_jis": "これは日本語の文章です。東京は大きな都市です。",
    }[encoding]
    content = "text;label\n" + "".join(f"{words} {n};{'ab'[n % 2]}\n" for n in range(30))
    path = write(tmp_path / "old.csv", content.encode(encoding))
    source = open_table(path)
    assert [note.code for note in source.notes] == ["encoding-guessed"]
    assert rows_of(path)[3]["text"] == f"{words} 3"


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("text;label\nwell, yes, no;x\nwell, yes;y\nno, no, no;x\n", ";"),
        ("text\tlabel\na, b, c\tx\nd; e\ty\n", "\t"),
        ("a,b\n1,x;y;z\n2,z\n", ","),
        ("name|age\nx|1\ny|2\n", "|"),
        ("one\n1\n2\n", ","),
    ],
)
def test_the_delimiter_is_found_among_others(tmp_path: Path, content: str, delimiter: str) -> None:
    assert open_table(write(tmp_path / "table.csv", content)).delimiter == delimiter


def test_a_semicolon_table_with_a_backslash_before_a_quote(tmp_path: Path) -> None:
    """A backslash is a letter where doubled quotes explain the file, whatever its delimiter."""
    path = write(tmp_path / "table.csv", 'path;label\n"c:\\dir\\";a\n"say ""x\\""";b\n')
    assert [row["path"] for row in rows_of(path)] == ["c:\\dir\\", 'say "x\\"']


def test_backslashes_that_escape_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", 'text,label\n"say \\"x\\", then",a\n"no",b\n')
    assert [row["text"] for row in rows_of(path)] == ['say "x", then', "no"]


@pytest.mark.parametrize(
    ("content", "columns", "skipped"),
    [
        ("# made by hand\na,b,c\n1,2,3\n4,5,6\n", ("a", "b", "c"), 1),
        ("Report of 2024\n\na,b,c\n1,2,3\n4,5,6\n", ("a", "b", "c"), 1),
        ("a,b,c\n1,2,3\n4,5,6\n", ("a", "b", "c"), 0),
        (" a , b ,c\n1,2,3\n", ("a", "b", "c"), 0),
        ("a,a,\n1,2,3\n", ("a", "a (2)", "column 3"), 0),
    ],
)
def test_the_header_is_found(tmp_path: Path, content: str, columns: tuple[str, ...], skipped: int) -> None:
    path = write(tmp_path / "table.csv", content)
    source = open_table(path)
    assert source.columns == columns
    assert any(note.code == "header-not-first" for note in source.notes) == bool(skipped)
    assert len(rows_of(path)) == (2 if "4,5,6" in content else 1)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "table.csv", end.join(["a,b", "1,2", "3,4", ""]))
    assert rows_of(path) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


# --- what cannot be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\n", b"\xff\xfe", b"\xff\xfe\n\0"])
@pytest.mark.parametrize("name", ["empty.csv", "empty.json", "empty.jsonl", "empty.parquet"])
def test_an_empty_file(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(DataError, match="is empty") as caught:
        open_table(write(tmp_path / name, content))
    assert [finding.code for finding in caught.value.findings] == ["empty-file"]


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a table"):
        open_table(write(tmp_path / "picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"))
    with pytest.raises(DataError, match="holds no rows"):
        open_table(write(tmp_path / "object.json", '{"a": 1,\n "b": 2}'))
    with pytest.raises(UsageError, match="There is no file"):
        open_table(tmp_path / "nothing.csv")
    with pytest.raises(UsageError, match="is a folder"):
        open_table(tmp_path)


def test_rows_that_do_not_fit_are_named_and_left_out(tmp_path: Path) -> None:
    content = "a,b,c\n1,2,3\n4,5\n6,7,8,9\n,,\n\n10,11,12\n"
    notes = Findings()
    path = write(tmp_path / "ragged.csv", content)
    assert [row["a"] for row in rows_of(path, notes)] == ["1", "10"]
    assert [(note.code, note.where) for note in notes.warnings()] == [
        ("ragged-row", "line 3"), ("ragged-row", "line 4"), ("blank-row", "line 5"),
    ]  # fmt: skip
    assert "row 2 has 2 cells, the header has 3" in notes.warnings()[0].message
    numbers = [row.number for row in read_rows(open_table(path))]
    assert numbers == [1, 5]  # as a person counts the records, readable or not


def test_lines_count_lines_and_rows_count_records(tmp_path: Path) -> None:
    notes = Findings()
    path = write(tmp_path / "table.csv", 'a,b\n"two\nlines",1\nshort\n')
    assert rows_of(path, notes) == [{"a": "two\nlines", "b": "1"}]
    assert [(note.where, note.message.split(" has")[0]) for note in notes.warnings()] == [("line 4", "row 2")]


def test_bad_json_lines_are_named(tmp_path: Path) -> None:
    lines = ['{"a": 1}', "{'a': 1}", "[1]", "", '{"a": NaN}', '{"a": ' + "[" * 50_000, "null", '{"a": 2}', '{"a": 3']
    notes = Findings()
    path = write(tmp_path / "rows.jsonl", "\n".join(lines))
    assert rows_of(path, notes) == [{"a": 1}, {"a": 2}]
    assert [(note.code, note.where) for note in notes.warnings()] == [
        ("unreadable-row", "line 2"), ("not-an-object", "line 3"), ("unreadable-row", "line 5"),
        ("unreadable-row", "line 6"), ("not-an-object", "line 7"), ("unreadable-row", "line 9"),
    ]  # fmt: skip
    assert "is not complete JSON" in notes.warnings()[-1].message


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ('[{"a": 1},\n {"a": 2},]', "line 2 column"),
        ('[{"a": 1},\n {"a": ]', "line 2 column"),
        ('[{"a": NaN}]', ""),
        ('[{"a": 1}', "line 1 column"),
        ("[" * 100_000, ""),
        ('{"a":' * 50_000, ""),
    ],
)
def test_a_bad_json_array_is_refused_with_its_place(tmp_path: Path, content: str, where: str) -> None:
    path = write(tmp_path / "rows.json", content)
    with pytest.raises(DataError, match="not valid JSON") as caught:
        rows_of(path)
    assert where in caught.value.findings[0].where and caught.value.fix


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    padding = f"{'x' * 1000},1\n" * 300  # past the sample that the encoding is told from
    notes = Findings()
    path = write(tmp_path / "table.csv", f"a,b\n{padding}".encode() + b"caf\xe9,2\nfine,3\n")
    assert [row["b"] for row in rows_of(path, notes)] == [*["1"] * 300, "2", "3"]
    assert [(note.code, note.where) for note in notes.warnings()] == [("undecodable", "row 301")]


def test_half_a_character_in_json_is_said_and_replaced(tmp_path: Path) -> None:
    """JSON can escape one half of a pair, which no file and no terminal can hold."""
    records = [
        '{"text": "fine \\ud83d\\ude00"}',
        '{"text": "half \\ud83d", "la\\udc00": ["\\udfff"]}',
        '{"n": "\\\\ud83d"}',
    ]
    notes = Findings()
    rows = rows_of(write(tmp_path / "rows.jsonl", "\n".join(records) + "\n"), notes)
    assert [rows[0], rows[2]] == [{"text": "fine 😀"}, {"n": "\\ud83d"}]
    assert rows[1] == {"text": "half \ufffd\ufffd\ufffd", "la\ufffd\ufffd\ufffd": ["\ufffd\ufffd\ufffd"]}
    assert [(note.code, note.where) for note in notes.warnings()] == [("undecodable", "line 2")]
    with pytest.raises(DataError, match="not valid JSON"):  # the streaming parser is stricter
        rows_of(write(tmp_path / "rows.json", f"[{', '.join(records)}]"))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('{"version": 1, "tags": ["x"], "data": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
        ('{"meta": {"list": [1, 2]}, "deep": {"rows": [{"a": 1}]}}', [{"a": 1}]),
        ('[[{"a": 1}], [{"a": 2}]]', [{"a": 1}]),
        ("[]", []),
        ('{"data": []}', []),
    ],
)
def test_the_rows_of_a_json_file_are_its_first_objects_in_a_list(tmp_path: Path, content: str, rows: list[Any]) -> None:
    assert rows_of(write(tmp_path / "rows.json", content))[: len(rows) or 1] == rows


def test_findings_of_one_kind_are_counted_not_collected() -> None:
    notes = Findings()
    for number in range(1000):
        notes.warn("code", f"message {number}", f"row {number}", "fix")
    notes.error("other", "message", "row 1", "fix")
    assert len(notes.warnings()) == PLACES_KEPT + 1 and len(notes.errors()) == 1
    assert "980 more" in notes.warnings()[-1].message and "1,000" in notes.warnings()[-1].where


@settings(deadline=None, max_examples=200)
@given(
    content=st.binary(max_size=300) | st.text(LETTERS + ",;\t|\r{}[]:", max_size=200).map(str.encode),
    name=st.sampled_from(["t.csv", "t.json", "t.jsonl", "t.txt", "t.tsv", "t.parquet"]),
)
def test_any_file_is_read_or_refused_in_words(tmp_path_factory: Any, content: bytes, name: str) -> None:
    path = write(tmp_path_factory.getbasetemp() / name, content)
    try:
        for row in read_rows(open_table(path), Findings()):
            assert row.cells is not None and row.where
    except DataError as error:
        assert error.what and error.why and error.fix and error.findings
