"""Single files: the same rows from every format and packing, damage told in words, class names, workbooks, mixes."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import DataError, DatasetProfile, UsageError
from backends.formats.checks import CheckRequest, check, check_data
from backends.formats.datasets import open_data, read_part
from backends.formats.findings import Findings
from backends.options import PreparationOptions

Rows = list[dict[str, Any]]

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()
# Quotes, delimiters, an umlaut, an emoji, a backslash, a line end inside a cell, and codes that are no numbers.
TABLE: Rows = [
    {"text": 'she said "yes", then; left', "label": "a", "code": "007"},
    {"text": "Größe 😀 名 \\ and | more words", "label": "b", "code": "010"},
    {"text": "two\nlines of text", "label": "a", "code": "x,y"},
    *({"text": f"plain words number {n}", "label": "ab"[n % 2], "code": f"c{n:03d}"} for n in range(20)),
]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def delimited(rows: Rows, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(table: pyarrow.Table) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, row_group_size=7)
    return stream.getvalue()


def arrow(table: pyarrow.Table, layout: Callable[..., Any] = pyarrow.ipc.new_file) -> bytes:
    stream = io.BytesIO()
    with layout(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return stream.getvalue()


def workbook(sheets: dict[str, Sequence[Sequence[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def sheet(rows: Rows) -> list[list[Any]]:
    return [list(rows[0]), *(list(row.values()) for row in rows)]


TEXT_FORMATS: dict[str, Callable[[Rows], bytes]] = {
    "t.csv": delimited,
    "t.tsv": lambda rows: delimited(rows, "\t"),
    "t.json": lambda rows: json.dumps(rows, ensure_ascii=False).encode(),
    "t.jsonl": json_lines,
}
FORMATS: dict[str, Callable[[Rows], bytes]] = {
    **TEXT_FORMATS,
    "t.parquet": lambda rows: parquet(pyarrow.Table.from_pylist(rows)),
    "t.arrow": lambda rows: arrow(pyarrow.Table.from_pylist(rows)),
    "stream.arrow": lambda rows: arrow(pyarrow.Table.from_pylist(rows), pyarrow.ipc.new_stream),
    "t.xlsx": lambda rows: workbook({"Sheet": sheet(rows)}),
}
PACKINGS: dict[str, Callable[[bytes, str], bytes]] = {
    ".gz": lambda content, name: gzip.compress(content),
    ".bz2": lambda content, name: bz2.compress(content),
    ".xz": lambda content, name: lzma.compress(content),
    ".zst": lambda content, name: bytes(pyarrow.compress(content, codec="zstd", asbytes=True)),
    ".zip": lambda content, name: zipped({name: content}),
}


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def read(path: Path, notes: Findings | None = None) -> Rows:
    """Every row of the training part."""
    dataset = open_data(path)
    return [dict(row.cells) for row, _ in read_part(dataset, dataset.training_part, notes)]


def places(path: Path) -> list[str]:
    dataset = open_data(path)
    return [row.where for row, _ in read_part(dataset, dataset.training_part)]


def codes(profile: DatasetProfile) -> tuple[set[str], set[str]]:
    return {finding.code for finding in profile.errors}, {finding.code for finding in profile.warnings}


def refused(path: Path) -> str:
    """The code by which both ways to a file refuse it, each in words with a place and a way out."""
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.what and caught.value.why and caught.value.fix
    profile = check_data(path)
    assert not profile.ok
    assert all(finding.message and finding.where and finding.fix for finding in profile.errors)
    assert {each.code for each in caught.value.findings} == codes(profile)[0]
    return caught.value.findings[0].code


# --- the same rows from every format -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_rows_from_every_format(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, FORMATS[name](TABLE))
    assert read(path) == TABLE
    profile = check_data(path)
    assert (profile.ok, profile.task, profile.rows, profile.usable_rows) == (True, "text-classification", 23, 23)
    assert profile.columns == {"text": "text", "label": "label"}
    assert profile.stats["labels"] == {"b": 11, "a": 12} and codes(profile) == (set(), {"little-data"})


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_packed_files_hold_the_same_rows(tmp_path: Path, name: str, packing: str) -> None:
    packed = PACKINGS[packing](TEXT_FORMATS[name](TABLE), name)
    path = write(tmp_path / (name + packing), packed)
    assert read(path) == TABLE
    nameless = write(tmp_path / "download", packed)  # the content says what it is, not the name
    assert len(read(nameless)) == len(TABLE)
    assert open_data(path).format == name.partition(".")[2]


@pytest.mark.parametrize("packing", ["", *PACKINGS])
def test_plain_text_is_a_row_for_each_line(tmp_path: Path, packing: str) -> None:
    lines = ["The first line of a text, with words.", "  indented, kept as it is", "Ünïcödé — the third line.", "last"]
    content = "\n\n".join(lines).encode()
    packed = PACKINGS[packing](content, "novel.txt") if packing else content
    path = write(tmp_path / f"novel.txt{packing}", packed)
    assert open_data(path).format == "text"
    assert read(path) == [{"text": line} for line in lines]
    assert places(path) == ["line 1", "line 3", "line 5", "line 7"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("packing", ["", ".gz", ".zst", ".zip"])
def test_json_lines_in_other_unicode_encodings(tmp_path: Path, encoding: str, packing: str) -> None:
    mark = "\ufeff" if encoding.endswith(("-le", "-be")) else ""
    content = (mark + json_lines(TABLE).decode()).encode(encoding)
    packed = PACKINGS[packing](content, "t.jsonl") if packing else content
    assert read(write(tmp_path / f"t.jsonl{packing}", packed)) == TABLE


CELL = st.text(st.sampled_from("abcäß名😀'\",;\t|\\ .-0123456789"), min_size=1, max_size=12).map(
    lambda text: f"x{text}x"
)


@settings(deadline=None, max_examples=60)
@given(
    cells=st.lists(st.tuples(CELL, CELL, CELL), min_size=2, max_size=8),
    name=st.sampled_from(list(FORMATS)),
    packing=st.sampled_from(["", *PACKINGS]),
)
def test_any_texts_come_back_from_any_format(
    tmp_path_factory: Any, cells: list[tuple[str, ...]], name: str, packing: str
) -> None:
    rows: Rows = [dict(zip(("one", "two", "three"), row, strict=True)) for row in cells]
    content = FORMATS[name](rows)
    if packing and name in TEXT_FORMATS:
        content, name = PACKINGS[packing](content, name), name + packing
    assert read(write(tmp_path_factory.getbasetemp() / "any" / name, content)) == rows


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("t.csv", "row 1", "row 23"), ("t.json", "row 1", "row 23"), ("t.jsonl", "line 1", "line 23"),
        ("t.parquet", "row 1", "row 23"), ("t.arrow", "row 1", "row 23"), ("stream.arrow", "row 1", "row 23"),
        ("t.xlsx", "row 2", "row 24"),
    ],
)  # fmt: skip
def test_places_are_those_a_person_finds(tmp_path: Path, name: str, first: str, last: str) -> None:
    found = places(write(tmp_path / name, FORMATS[name](TABLE)))
    assert (found[0], found[-1], len(set(found))) == (first, last, 23)


def test_places_beyond_a_batch_and_after_what_cannot_be_read(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"words of {n}", "label": "ab"[n % 2]}) for n in range(3000)]
    lines[10], lines[20] = "", "{broken"
    found = places(write(tmp_path / "t.jsonl", "\n".join(lines)))
    assert len(found) == 2998 and (found[9], found[10], found[19], found[-1]) == (
        "line 10", "line 12", "line 22", "line 3000",
    )  # fmt: skip
    rows = ["text,label", *(f"words of {n},{'ab'[n % 2]}" for n in range(3000))]
    rows[100] = "short"
    found = places(write(tmp_path / "t.csv", "\n".join(rows)))
    assert len(found) == 2999 and (found[98], found[99], found[-1]) == ("row 99", "row 101", "row 3000")


def test_a_fault_deep_in_a_file_is_named_by_its_place(tmp_path: Path) -> None:
    rows = [{"text": f"words of {n}", "label": "ab"[n % 2]} for n in range(2500)]
    rows[2222]["label"] = ""
    for name, place in (("t.csv", "row 2223"), ("t.jsonl.gz", "line 2223"), ("t.parquet", "row 2223")):
        stem = name.removesuffix(".gz")
        content = FORMATS[stem](rows)
        path = write(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)
        profile = check_data(path)
        assert [each.where for each in profile.warnings if each.code == "empty-label"] == [place]
        assert (profile.rows, profile.usable_rows) == (2500, 2499)


# --- conversations -----------------------------------------------------------------------------------------------

TURNS = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A lamp."}]


@pytest.mark.parametrize("key", ["messages", "conversations", "conversation", "dialogue"])
@pytest.mark.parametrize("names", [("role", "content"), ("from", "value")])
def test_a_file_that_is_one_conversation(tmp_path: Path, key: str, names: tuple[str, str]) -> None:
    turns = [dict(zip(names, turn.values(), strict=True)) for turn in TURNS]
    path = write(tmp_path / "one.json", json.dumps({"id": 7, key: turns, "source": "desk"}, indent=2))
    assert read(path) == [{"id": 7, key: turns, "source": "desk"}]
    profile = check_data(path)
    assert (profile.task, dict(profile.columns), profile.rows) == ("text-generation", {"messages": key}, 1)
    assert codes(profile)[0] == {"too-few-rows"}


@pytest.mark.parametrize("names", [("role", "content"), ("from", "value")])
def test_a_file_that_is_nothing_but_turns_is_one_conversation(tmp_path: Path, names: tuple[str, str]) -> None:
    turns = [dict(zip(names, turn.values(), strict=True)) for turn in TURNS]
    path = write(tmp_path / "one.json", json.dumps(turns))
    assert read(path) == [{"messages": turns}]
    profile = check_data(path)
    assert (profile.task, dict(profile.columns), profile.rows) == ("text-generation", {"messages": "messages"}, 1)


def test_conversations_below_a_key_are_rows(tmp_path: Path) -> None:
    rows = [{"id": n, "messages": TURNS} for n in range(6)]
    assert read(write(tmp_path / "t.json", json.dumps({"conversations": rows}))) == rows
    assert read(write(tmp_path / "u.json", json.dumps(rows))) == rows


# --- damage ------------------------------------------------------------------------------------------------------


def noise(rows: int) -> bytes:
    """A table that packs badly, so that a packed file of it can be cut in many places."""
    draw = random.Random(3)
    return delimited([{"text": f"{draw.getrandbits(200):x} words", "label": "ab"[n % 2]} for n in range(rows)])


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("rows", [50, 9000])  # read at once by the first look, and far beyond it
def test_a_packed_file_that_is_cut(tmp_path: Path, packing: str, rows: int) -> None:
    packed = PACKINGS[packing](noise(rows), "t.csv")
    for share in (0.3, 0.9, 0.999):
        path = write(tmp_path / f"t.csv{packing}", packed[: int(len(packed) * share)])
        assert refused(path) == "broken-archive"


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zip"])  # zstd need not carry a sum
@pytest.mark.parametrize("rows", [50, 9000])
def test_a_packed_file_that_is_damaged_inside(tmp_path: Path, packing: str, rows: int) -> None:
    packed = bytearray(PACKINGS[packing](noise(rows), "t.csv"))
    for place in range(len(packed) // 2, len(packed) // 2 + 8):
        packed[place] ^= 0xFF
    code = refused(write(tmp_path / f"t.csv{packing}", bytes(packed)))
    assert code == "broken-archive" or (packing, code) == (".bz2", "not-text")  # which is summed behind a whole block


def locked_zip() -> bytes:
    """A zip whose one member says that it is encrypted."""
    content = bytearray(zipped({"t.csv": delimited(TABLE)}))
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "code", "word"),
    [
        ("locked.zip", locked_zip(), "broken-archive", "password"),
        ("many.zip", zipped({"a.csv": b"a,b\n1,2\n", "b.csv": b"a,b\n1,2\n"}), "many-members", "a.csv, b.csv"),
        ("folders.zip", zipped({"d/": b"", "e/": b"", "d/x.txt": b"", "e/y.txt": b""}), "many-members", "nothing"),
        ("cut.zip", zipped({"a.csv": b"a,b\n1,2\n"})[:40], "broken-archive", "not a whole zip"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old-excel", ".xlsx"),
        ("t.ods", zipped({"mimetype": b"x", "content.xml": b"<a/>"}), "office-file", "xlsx"),
        ("t.docx", zipped({"word/document.xml": b"<a/>", "x.xml": b"<a/>"}), "office-file", "xlsx"),
        ("t.parquet.gz", gzip.compress(parquet(pyarrow.table({"a": [1]}))), "packed-binary", "packed already"),
        ("t.zip", zipped({"t.arrow": arrow(pyarrow.table({"a": [1]}))}), "packed-binary", "packed already"),
        ("nothing.csv.gz", gzip.compress(b""), "empty-file", "empty"),
        ("blank.csv.xz", lzma.compress(b" \n\n"), "empty-file", "empty"),
        ("picture.zip", zipped({"x.bin": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"}), "not-text", "binary"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",  # packed bytes hold the time
)
def test_what_is_packed_and_no_table(tmp_path: Path, name: str, content: bytes, code: str, word: str) -> None:
    path = write(tmp_path / name, content)
    assert refused(path) == code
    assert word in check_data(path).errors[0].message


def test_what_a_mac_adds_to_a_zip_is_passed_over(tmp_path: Path) -> None:
    members = {"__MACOSX/._t.csv": b"\0\5", "set/": b"", "set/t.csv": delimited(TABLE), "set/.DS_Store": b"\0"}
    assert read(write(tmp_path / "t.zip", zipped(members))) == TABLE


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "stream.arrow", "t.xlsx"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_binary_table_that_is_cut(tmp_path: Path, name: str, share: float) -> None:
    content = FORMATS[name]([*TABLE, *({"text": f"w {n}", "label": "a", "code": str(n)} for n in range(300))])
    code = refused(write(tmp_path / name, content[: int(len(content) * share)]))
    known = {"t.parquet": "invalid-parquet", "t.xlsx": "broken-archive"}
    assert code == known.get(name, "invalid-arrow")


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"])
@pytest.mark.parametrize(
    "how", [lambda content: content[: len(content) // 2], lambda content: b"", lambda content: b"x"]
)
def test_a_workbook_with_a_broken_part(tmp_path: Path, part: str, how: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(FORMATS["t.xlsx"](TABLE))) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    members[part] = how(members[part])
    path = write(tmp_path / "t.xlsx", zipped(members))
    assert refused(path) in ("invalid-xlsx", "many-members")


@pytest.mark.parametrize(
    ("place", "value"),
    [(8, 0x20), (10, 99)],  # the flag of patched data, a way of packing that nobody knows
)
@pytest.mark.parametrize("name", ["t.xlsx", "t.csv.zip"])
def test_an_archive_of_an_unknown_kind_is_refused(tmp_path: Path, name: str, place: int, value: int) -> None:
    content = bytearray(FORMATS["t.xlsx"](TABLE) if name == "t.xlsx" else zipped({"t.csv": delimited(TABLE)}))
    at = -1
    while (at := content.find(b"PK\x01\x02", at + 1)) >= 0:
        content[at + place] = value
    assert refused(write(tmp_path / name, bytes(content))) in ("invalid-xlsx", "broken-archive")


def test_an_archive_with_one_wrong_byte_is_read_or_refused_with_a_reason(tmp_path: Path) -> None:
    whole, codes_met = zipped({"t.csv": delimited(TABLE)}), set()
    for at in range(4, 120):
        content = bytearray(whole)
        content[at] ^= 2
        path = write(tmp_path / "t.zip", bytes(content))
        codes_met.add("" if check_data(path).ok else refused(path))
    assert codes_met == {"", "broken-archive"}


def test_arrow_files_with_wrong_bytes_never_end_the_process(tmp_path: Path, repository: Path) -> None:
    """In a process of its own: what pyarrow does with them may be more than an exception."""
    table = pyarrow.table({"text": [f"some words {n}" for n in range(400)], "label": ["ab"[n % 2] for n in range(400)]})
    whole, draw = arrow(table), random.Random(3)
    for number in range(40):
        content = bytearray(whole)
        for _ in range(3):
            content[draw.randrange(len(content))] = draw.randrange(256)
        write(tmp_path / f"{number}.arrow", bytes(content))
    script = (
        "import sys; from pathlib import Path; from backends.formats.checks import check_data\n"
        "for path in Path(sys.argv[1]).glob('*.arrow'): print(path, flush=True), check_data(path)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=repository, capture_output=True, text=True
    )
    assert ended.returncode == 0, (ended.stdout.splitlines()[-1:], ended.stderr)
    assert len(ended.stdout.splitlines()) == 40


@settings(deadline=None, max_examples=150)
@given(
    name=st.sampled_from([*(f"t.csv{packing}" for packing in PACKINGS), "t.jsonl.gz", "t.json.zst", "t.parquet"]),
    cut=st.none() | st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=6),
)
def test_no_damage_is_an_exception(
    tmp_path_factory: Any, name: str, cut: float | None, flips: list[tuple[float, int]]
) -> None:
    stem, packing = (name, "") if name == "t.parquet" else (name.rpartition(".")[0], f".{name.rpartition('.')[2]}")
    content = bytearray(FORMATS["t.csv" if packing == ".zip" else stem](TABLE))
    if packing:
        content = bytearray(PACKINGS[packing](bytes(content), "t.csv"))
    for place, change in flips:
        content[int(place * len(content))] ^= change
    kept = bytes(content if cut is None else content[: int(cut * len(content))])
    path = write(tmp_path_factory.getbasetemp() / "damage" / name, kept)
    profile = check_data(path)
    assert profile.ok or all(finding.message and finding.where and finding.fix for finding in profile.errors)
    try:
        read(path)
    except DataError as error:
        assert error.what and error.why and error.fix and not profile.ok


def test_a_quote_that_is_never_closed_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the file is not taken into memory, and what comes after the limit is read again."""
    monkeypatch.setattr("backends.formats.reading.LONGEST_CELL", 1 << 15)
    path = tmp_path / "t.csv"
    with path.open("w") as stream:
        stream.write("text,label\n" + "".join(f"words of {n},a\n" for n in range(100)) + '"opened,a\n')
        for _ in range(100):
            stream.write("".join(f"words that follow the quote {n},b\n" for n in range(1000)))
    dataset = open_data(path)
    notes = Findings()
    seen = 0
    tracemalloc.start()
    for row, _ in read_part(dataset, "train", notes):
        seen += 1
        assert len(row.cells["text"]) < 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 3 << 20 and peak < 3 << 19
    assert seen > 98_000
    assert [(note.code, note.where) for note in notes.warnings()] == [("unreadable-row", "line 102")]
    assert "never closed" in notes.warnings()[0].message


@pytest.mark.parametrize(("before", "is_error"), [(1000, True), (9000, False)])
def test_an_open_quote_that_takes_the_rest_of_the_file_is_told(tmp_path: Path, before: int, is_error: bool) -> None:
    """As an error where much of the file is lost."""
    above, below = ("".join(f"{'ab'[n % 2]},words {n}\n" for n in range(count)) for count in (before, 1000))
    profile = check_data(write(tmp_path / "t.csv", f'label,text\n{above}a,"opened\n{below}'))
    (told,) = [each for each in (*profile.errors, *profile.warnings) if each.code == "open-quote"]
    assert told.where == f"line {before + 2}" and "1,000 lines" in told.message and told.fix
    assert profile.ok != is_error
    closed = check_data(write(tmp_path / "u.csv", f'label,text\n{above}a,"opened\nand closed"\n{below}'))
    assert closed.rows == before + 1001 and not any("open-quote" in found for found in codes(closed))


# --- headers -----------------------------------------------------------------------------------------------------


def test_names_that_stand_over_two_columns_are_told_and_no_cell_is_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "id,id,,id\n" + "".join(f"{n},{n + 1},{n + 2},{n + 3}\n" for n in range(5)))
    rows = read(path)
    assert [list(row.values()) for row in rows] == [[str(n + more) for more in range(4)] for n in range(5)]
    profile = check_data(path)
    told = [each for each in profile.warnings if each.code == "duplicate-header"]
    assert [each.where for each in told] == ["column 2", "column 4"]
    assert [each.where for each in profile.warnings if each.code == "blank-header"] == ["column 3"]


@pytest.mark.parametrize("header", ["a,a,a", "a,a (2),a", "a (2),a,a", "a,a,a (2)"])
def test_columns_of_one_name_are_told_apart_whatever_else_is_called_so(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "t.csv", f"{header}\n" + "".join(f"{n},{n + 1},{n + 2}\n" for n in range(5)))
    assert len(set(open_data(path).first.columns)) == 3
    assert [list(row.values()) for row in read(path)] == [[f"{n}", f"{n + 1}", f"{n + 2}"] for n in range(5)]


def test_a_first_line_of_values_is_told_to_be_no_header(tmp_path: Path) -> None:
    lines = [f"{n * 1.5},{n * 2},{'yes' if n % 2 else 'no'}\n" for n in range(50)]
    profile = check_data(write(tmp_path / "t.csv", "".join(lines)))
    told = [each for each in profile.warnings if each.code == "no-header"]
    assert {each.where for each in told} == {"line 1"} and "'0.0'" in told[0].message and told[0].fix
    named = check_data(write(tmp_path / "u.csv", "".join(["one,two,answer\n", *lines])))
    assert named.rows == 50 and "no-header" not in codes(named)[1]


@pytest.mark.parametrize(
    ("lines", "columns", "rows"),
    [
        (["country,2019,2020", "fr,1.5,2", "de,2.5,3"], ("country", "2019", "2020"), 2),
        (["2024,,", "a,b,c", "1,2,3", "4,5,6"], ("a", "b", "c"), 2),
        (["Sales of 2024, in EUR,,", "", "a,b,c", "1,2,3", "4,5,6"], ("a", "b", "c"), 2),
        (["# made by hand", "a,b,c", "1,2,3", "4,5,6"], ("a", "b", "c"), 2),
        (["a,b,c", ",,", "1,2,3"], ("a", "b", "c"), 1),
    ],
)
def test_a_first_line_that_looks_like_something_else(
    tmp_path: Path, lines: list[str], columns: tuple[str, ...], rows: int
) -> None:
    path = write(tmp_path / "t.csv", "\n".join(lines) + "\n")
    assert open_data(path).first.columns == columns
    assert len(read(path)) == rows
    told = "header-not-first" in codes(check_data(path))[1]
    assert told == (lines.index(",".join(columns)) > 0)


# --- class names -------------------------------------------------------------------------------------------------

CLASS = {"names": ["neg", "pos", "so so"], "_type": "ClassLabel"}


def with_features(table: pyarrow.Table, features: Any) -> pyarrow.Table:
    content = features if isinstance(features, bytes) else json.dumps({"info": {"features": features}}).encode()
    return table.replace_schema_metadata({b"huggingface": content})


LAYOUTS: dict[str, Callable[[pyarrow.Table], bytes]] = {
    "t.parquet": parquet,
    "t.arrow": arrow,
    "stream.arrow": lambda table: arrow(table, pyarrow.ipc.new_stream),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("kind", ["Sequence", "List", "LargeList"])
def test_class_numbers_become_their_names(tmp_path: Path, name: str, kind: str) -> None:
    columns = {
        "text": ["a", "b", "c", "d"],
        "label": [0, 2, None, -1],
        "tags": [[0, 1], [], None, [2]],
        "n": [0, 1, 2, 3],
    }
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": CLASS,
        "tags": {"feature": CLASS, "_type": kind},
        "n": {"dtype": "int64", "_type": "Value"},
        "gone": CLASS,
    }
    path = write(tmp_path / name, LAYOUTS[name](with_features(pyarrow.table(columns), features)))
    rows = read(path)
    assert [row["label"] for row in rows] == ["neg", "so so", None, None]
    assert [row["tags"] for row in rows] == [["neg", "pos"], [], None, ["so so"]]
    assert [row["n"] for row in rows] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(
    "features", [b"no json", b"[]", b'{"info": 3}', {"label": "ClassLabel"}, {"label": {"_type": "ClassLabel"}}, [1]]
)
def test_features_that_say_nothing_leave_the_numbers(tmp_path: Path, name: str, features: Any) -> None:
    path = write(tmp_path / name, LAYOUTS[name](with_features(pyarrow.table({"label": [0, 1]}), features)))
    assert read(path) == [{"label": 0}, {"label": 1}]


def test_class_names_are_what_is_checked_and_shown(tmp_path: Path) -> None:
    columns = {"text": [f"words of text {n}" for n in range(40)], "label": [n % 2 for n in range(40)]}
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {**CLASS, "names": ["neg", "pos"]}}
    profile = check_data(write(tmp_path / "t.parquet", parquet(with_features(pyarrow.table(columns), features))))
    assert profile.ok and profile.stats["labels"] == {"neg": 20, "pos": 20}


# --- saved by datasets -------------------------------------------------------------------------------------------


def saved(folder: Path, **splits: int) -> Path:
    """A data set that `datasets` saved: of one part, or of the named splits with so many rows."""
    import datasets

    datasets.disable_progress_bars()
    kinds = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})

    def one(split: str, rows: int) -> Any:
        columns = {"text": [f"words of {split} number {n}" for n in range(rows)], "label": [n % 2 for n in range(rows)]}
        return datasets.Dataset.from_dict(columns, features=kinds)

    whole = datasets.DatasetDict({split: one(split, rows) for split, rows in splits.items() if split != "whole"})
    (one("whole", splits["whole"]) if "whole" in splits else whole).save_to_disk(folder)
    return folder


def test_a_saved_dataset_is_read_whole(tmp_path: Path) -> None:
    path = saved(tmp_path / "one", whole=30)
    rows = read(path)
    assert len(rows) == 30 and rows[1] == {"text": "words of whole number 1", "label": "pos"}
    profile = check_data(path)
    assert (profile.ok, profile.format, profile.task) == (True, "arrow", "text-classification")


def test_a_saved_dataset_dict_is_read_by_its_splits(tmp_path: Path) -> None:
    path = saved(tmp_path / "dict", test=12, train=40, validation=16)
    dataset = open_data(path)
    assert list(dataset.parts) == ["train", "validation", "test"]
    for part, rows in (("train", 40), ("validation", 16), ("test", 12)):
        found = [row.cells for row, _ in read_part(dataset, part)]
        assert len(found) == rows and found[1] == {"text": f"words of {part} number 1", "label": "pos"}
    profile = check_data(path)
    assert profile.ok and profile.training_rows == 40 and profile.evaluation_part == "validation"
    assert profile.stats["parts"]["test"] == {"rows": 12, "usable_rows": 12}


def test_a_split_that_is_no_known_part_is_left_aside_and_told(tmp_path: Path) -> None:
    """Where there is a training part; an `unsupervised` one once took its place."""
    profile = check_data(saved(tmp_path / "imdb", train=40, test=20, unsupervised=10))
    assert profile.ok and profile.stats["parts"] == {
        "train": {"rows": 40, "usable_rows": 40},
        "test": {"rows": 20, "usable_rows": 20},
    }
    (told,) = [each for each in profile.warnings if each.code == "other-split"]
    assert "'unsupervised'" in told.message and told.fix


def test_two_validation_splits_are_read_as_one_part(tmp_path: Path) -> None:
    dataset = open_data(saved(tmp_path / "mnli", train=40, validation_matched=20, validation_mismatched=10))
    assert list(dataset.parts) == ["train", "validation"]
    found = [row.cells["text"] for row, _ in read_part(dataset, "validation")]
    assert sum("_matched" in text for text in found) == 20 and sum("_mismatched" in text for text in found) == 10
    assert check_data(tmp_path / "mnli").stats["parts"]["validation"] == {"rows": 30, "usable_rows": 30}


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "dataset_dict.json").write_text("{"),
        lambda path: (path / "dataset_dict.json").write_text('{"splits": 3}'),
        lambda path: (path / "train" / "state.json").unlink(),
        lambda path: (path / "train" / "state.json").write_text('{"_data_files": []}'),
        lambda path: [file.unlink() for file in (path / "test").glob("*.arrow")],
    ],
)
def test_a_saved_dataset_that_is_not_whole(tmp_path: Path, damage: Callable[[Path], Any]) -> None:
    path = saved(tmp_path / "dict", train=8, test=8)
    damage(path)
    assert refused(path) == "invalid-save"


# --- workbooks ---------------------------------------------------------------------------------------------------

DAYS = [datetime(2024, 1, 1 + n % 28, 12, 30) for n in range(40)]
TYPED = [[DAYS[n], n * 1.5, n % 2 == 0, n, "#DIV/0!" if n == 3 else f"word {n % 3}"] for n in range(40)]


def test_a_workbook_with_titles_and_other_sheets(tmp_path: Path) -> None:
    sheets: dict[str, Sequence[Sequence[Any]]] = {
        "Notes": [["made by hand"], ["by nobody"]],
        "Data": [["Report of 2024"], [], ["when", "size", "ok", "n", "answer"], *TYPED[:5], [], *TYPED[5:], [None, ""]],
        "Empty": [],
    }
    path = write(tmp_path / "t.xlsx", workbook(sheets))
    dataset = open_data(path)
    assert dataset.first.columns == ("when", "size", "ok", "n", "answer")
    rows = [(row.where, list(row.cells.values())) for row, _ in read_part(dataset, "train")]
    numbers = [*range(4, 9), *range(10, 45)]  # as the spreadsheet shows them, over the blank row
    assert rows == [(f"row {number}", cells) for number, cells in zip(numbers, TYPED, strict=True)]
    assert [type(cell) for cell in rows[1][1]] == [datetime, float, bool, int, str]
    profile = check(CheckRequest(path, "tabular-classification", {"target": "ok"}))
    assert profile.ok and profile.rows == 40
    told = {each.code: each for each in profile.warnings}
    assert told["header-not-first"].where == "row 3" and told["excel-error"].where == "row 7"
    assert "'Data' is read, not 'Notes'" in told["one-sheet"].message and "Empty" not in told["one-sheet"].message
    kinds = {name: column["kind"] for name, column in profile.stats["columns"].items()}
    assert (kinds["when"], kinds["size"]) == ("date", "number")


def test_rows_of_a_sheet_that_are_too_long_or_too_short(tmp_path: Path) -> None:
    rows = [["a", "b", "c"], [1, 2], [3, None, 4], [5, 6, 7, 8]]
    path = write(tmp_path / "t.xlsx", workbook({"S": [*rows[:3], [5, 6, 7]]}))
    assert read(path) == [{"a": 1, "b": 2, "c": None}, {"a": 3, "b": None, "c": 4}, {"a": 5, "b": 6, "c": 7}]
    long = [rows[0], *([n, n, n] for n in range(80)), rows[3]]  # beyond what is looked at for the header
    notes = Findings()
    found = read(write(tmp_path / "u.xlsx", workbook({"S": long})), notes)
    assert found[-1] == {"a": 5, "b": 6, "c": 7} and len(found) == 81
    assert [(note.code, note.where) for note in notes.warnings()] == [("ragged-row", "row 82")]


@pytest.mark.parametrize("name", ["t.xls", "t", "t.csv", "t.zip"])
def test_a_workbook_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, FORMATS["t.xlsx"](TABLE))
    assert read(path) == TABLE
    profile = check_data(path)
    assert (profile.ok, profile.format, profile.rows) == (True, "xlsx", 23)


def test_a_stray_cell_far_to_the_right_is_no_header(tmp_path: Path) -> None:
    rows = [["Report"], *sheet(TABLE)]
    rows[8] = [*rows[8], *[None] * 22, "a note"]
    path = write(tmp_path / "t.xlsx", workbook({"S": rows}))
    assert read(path) == TABLE
    told = {each.code: each.where for each in check_data(path).warnings}
    assert told.items() >= {"header-not-first": "row 2", "ragged-row": "row 9"}.items()


def test_a_workbook_without_cells(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "t.xlsx", workbook({"One": [], "Two": [[None, ""]]}))) == "empty-file"
    profile = check_data(write(tmp_path / "u.xlsx", workbook({"One": [["a", "b"]]})))
    assert codes(profile)[0] == {"no-rows"}


# --- mixes -------------------------------------------------------------------------------------------------------

ALPACA = [
    {"instruction": f"Do the thing {n}", "input": f"with {n}" if n % 2 else "", "output": f"Done {n}."}
    for n in range(9)
]
SHAREGPT = [
    {"conversations": [{"from": "human", "value": f"Ask {n}"}, {"from": "gpt", "value": f"Say {n}"}]} for n in range(8)
]


@pytest.fixture
def mixed(tmp_path: Path) -> Callable[[str], Path]:
    """A folder of sources; the function writes a mix beside them."""
    folder = tmp_path / "mix"
    write(folder / "alpaca.jsonl", json_lines(ALPACA))
    write(folder / "deep" / "sharegpt.json", json.dumps(SHAREGPT))
    write(folder / "one.csv", delimited([{"text": f"words of one {n}", "label": "ab"[n % 2]} for n in range(30)]))
    other = [{"kind": "ab"[n % 2], "body": f"another text of words {n}", "label": "zzz"} for n in range(20)]
    write(folder / "two.parquet", FORMATS["t.parquet"](other))
    write(folder / "numbers.csv", delimited([{"size": f"{n / 7}", "weight": f"{n * 3}"} for n in range(20)]))
    write(folder / "split" / "train.csv", (folder / "one.csv").read_bytes())
    write(folder / "split" / "test.csv", (folder / "one.csv").read_bytes())
    return lambda text: write(folder / "mix.toml", text)


def test_a_mix_of_texts_shares_its_roles(mixed: Callable[[str], Path]) -> None:
    path = mixed(
        '[[source]]\npath = "one.csv"\n'
        '[[source]]\npath = "two.parquet"\nweight = 2.5\nmap = { text = "body", label = "kind" }\n'
    )
    dataset = open_data(path)
    rows = list(read_part(dataset, "train"))
    assert dataset.format == "mix" and len(rows) == 50
    assert [source.weight for _, source in rows] == [1.0] * 30 + [2.5] * 20
    assert dict(rows[0][0].cells) == {"text": "words of one 0", "label": "a"}
    assert dict(rows[30][0].cells) == {"text": "another text of words 0", "label": "a"}
    assert rows[31][0].where == "row 2 of two.parquet"
    profile = check_data(path)
    assert (profile.ok, profile.task, profile.rows) == (True, "text-classification", 50)
    assert profile.columns == {"text": "text", "label": "label"} and profile.stats["labels"] == {"a": 25, "b": 25}


def test_alpaca_and_sharegpt_become_the_same_conversations(mixed: Callable[[str], Path]) -> None:
    path = mixed(
        '[mix]\ntask = "text-generation"\n[[source]]\npath = "alpaca.jsonl"\n'
        '[[source]]\npath = "deep/sharegpt.json"\nweight = 0.5\n'
    )
    dataset = open_data(path)
    rows = [(dict(row.cells), source.weight) for row, source in read_part(dataset, "train")]
    assert [list(cells) for cells, _ in rows] == [["messages"]] * 17
    assert rows[1] == (
        {
            "messages": [
                {"role": "user", "content": "Do the thing 1\n\nwith 1"},
                {"role": "assistant", "content": "Done 1."},
            ]
        },
        1.0,
    )
    assert rows[9] == (
        {"messages": [{"role": "user", "content": "Ask 0"}, {"role": "assistant", "content": "Say 0"}]}, 0.5,
    )  # fmt: skip
    profile = check_data(path)
    assert (profile.ok, profile.task, dict(profile.columns)) == (True, "text-generation", {"messages": "messages"})
    assert profile.rows == profile.usable_rows == 17


def test_the_sources_of_a_mix_may_be_packed_folders_and_far_away(mixed: Callable[[str], Path], tmp_path: Path) -> None:
    far = write(tmp_path / "far" / "away.csv.gz", gzip.compress(b"text,label\n" + b"".join(
        b"far words %d,%s\n" % (n, b"ab"[n % 2 : n % 2 + 1]) for n in range(10)
    )))  # fmt: skip
    path = mixed(f'[[source]]\npath = "split"\n[[source]]\npath = "{far}"\n')
    assert len(read(path)) == 40  # of the folder its training part alone
    assert check_data(path).rows == 40


def test_a_source_with_a_split_column_gives_its_training_rows(tmp_path: Path) -> None:
    rows = [{"text": f"words of {n}", "label": "ab"[n % 2], "split": "train" if n % 4 else "test"} for n in range(40)]
    write(tmp_path / "s.csv", delimited(rows))
    path = write(tmp_path / "mix.toml", '[[source]]\npath = "s.csv"\n')
    assert [row["text"] for row in read(path)] == [row["text"] for row in rows if row["split"] == "train"]
    assert check_data(path).rows == 30


def test_tables_are_mixed_with_all_their_columns(tmp_path: Path) -> None:
    for name in ("a", "b"):
        rows = [{"size": n * 37 % 101, "kind": f"{name}{n % 3}", "y": "pq"[n % 2]} for n in range(60)]
        write(tmp_path / f"{name}.csv", delimited(rows))
    path = write(tmp_path / "mix.toml", '[[source]]\npath = "a.csv"\n[[source]]\npath = "b.csv"\n')
    for task in (None, "tabular-classification"):
        profile = check_data(path, task)
        assert (profile.ok, profile.task, profile.usable_rows) == (True, "tabular-classification", 120)
        assert dict(profile.stats["features"]) == {"size": "number", "kind": "category"}
        assert profile.stats["labels"] == {"p": 60, "q": 60}


def test_the_task_that_a_mix_names_is_its_task(tmp_path: Path) -> None:
    rows = [{"article": "long words " * 60 + str(n), "summary": f"short {n}"} for n in range(30)]
    write(tmp_path / "a.csv", delimited(rows))
    source = '[[source]]\npath = "a.csv"\n'
    assert check_data(write(tmp_path / "plain.toml", source)).task == "summarization"
    profile = check_data(write(tmp_path / "mix.toml", f'[mix]\ntask = "text-to-text"\n{source}'))
    assert (profile.ok, profile.task, profile.rows) == (True, "text-to-text", 30)


def test_no_run_starts_on_a_bad_row_of_a_mix_where_that_was_chosen(tmp_path: Path) -> None:
    rows = [{"instruction": f"do {n}", "input": "", "output": f"done {n}" if n else ""} for n in range(20)]
    write(tmp_path / "a.jsonl", json_lines(rows))
    path = write(tmp_path / "mix.toml", '[[source]]\npath = "a.jsonl"\n')
    assert check(CheckRequest(path)).usable_rows == 19
    stopped = check(CheckRequest(path, preparation=PreparationOptions(bad_rows="stop")))
    assert not stopped.ok and {each.where for each in stopped.errors} == {"line 1 of a.jsonl"}
    write(tmp_path / "a.jsonl", json_lines(rows[1:]))
    assert check(CheckRequest(path, preparation=PreparationOptions(bad_rows="stop"))).ok


ONE = '[[source]]\npath = "one.csv"\n'


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("", UsageError, ["names no source"]),
        ("source = 3\n", UsageError, ["names no source"]),
        ("[[source]\n", UsageError, ["not valid TOML"]),
        ("[[sorce]]\n", UsageError, ["[sorce]", "nearest is 'source'"]),
        ("[mix]\ntsk = 1\n" + ONE, UsageError, ["'tsk'", "nearest is 'task'"]),
        ("[[source]]\npth = 'one.csv'\n", UsageError, ["'pth'", "nearest is 'path'"]),
        ("[[source]]\nweight = 1\n", UsageError, ["source 1 has no path"]),
        ("[[source]]\npath = 3\n", UsageError, ["source 1 has no path"]),
        (f"{ONE}weight = 0\n", UsageError, ["weight is 0", "above 0"]),
        (f"{ONE}weight = -1\n", UsageError, ["weight is -1"]),
        (f"{ONE}weight = nan\n", UsageError, ["weight is nan"]),
        (f"{ONE}weight = true\n", UsageError, ["weight is True"]),
        (f"{ONE}weight = 1e9\n", UsageError, ["at most 100"]),
        (f"{ONE}map = 3\n", UsageError, ["map is 3"]),
        (f"{ONE}map = {{ text = 3 }}\n", UsageError, ["map is"]),
        (f"{ONE}map = {{ text = 'txt' }}\n", UsageError, ["'txt'", "nearest is 'text'"]),
        (f"{ONE}[[source]]\npath = 'nowhere.csv'\n", UsageError, ["There is no file", "nowhere.csv"]),
        ("source = [1]\n", UsageError, ["1 is no source", "[[source]]"]),
        ("source = ['one.csv']\n", UsageError, ["'one.csv' is no source", "[[source]]"]),
        ("[[source]]\npath = '~nobody-of-that-name/x.csv'\n", UsageError, ["There is no file", "nobody-of-that-name"]),
        (f"{ONE}[[source]]\npath = 'alpaca.jsonl'\n", DataError, ["alpaca.jsonl", "text-classification"]),
        (f"{ONE}[[source]]\npath = 'mix.toml'\n", UsageError, ["source 2 is the mix itself"]),
        (f"[mix]\ntask = 'text-classificaton'\n{ONE}", UsageError, ["nearest is 'text-classification'"]),
        (f"{ONE}[[source]]\npath = 'numbers.csv'\n", DataError, ["numbers.csv", "text-classification"]),
        ("[[source]]\npath = 'alpaca.jsonl'\n" + ONE, DataError, ["source 2", "text-generation"]),
        (f"[mix]\ntask = 'reward-modeling'\n{ONE}", DataError, ["one.csv", "reward-modeling", "chosen"]),
        ("[[source]]\npath = '.'\n", DataError, ["several-data-sets"]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_mix_is_named(
    mixed: Callable[[str], Path], text: str, kind: type[DataError | UsageError], words: list[str]
) -> None:
    path = mixed(text)
    with pytest.raises(kind) as caught:
        open_data(path)
    findings = getattr(caught.value, "findings", ())
    told = f"{caught.value.what} {caught.value.why} {caught.value.fix} {findings}"
    for word in words:
        assert word in told, f"{word!r} is not in {told!r}"
    assert caught.value.fix
    if kind is DataError:
        profile = check_data(path)
        assert not profile.ok and {each.code for each in profile.errors} == {each.code for each in findings}


def test_a_mix_in_a_mix_is_refused(mixed: Callable[[str], Path]) -> None:
    inner = mixed(ONE)
    outer = write(inner.with_name("outer.toml"), '[[source]]\npath = "mix.toml"\n')
    with pytest.raises(UsageError, match="source 1 is a mix"):
        open_data(outer)


def test_a_row_of_a_mix_that_cannot_be_used_is_named_with_its_file(mixed: Callable[[str], Path]) -> None:
    path = mixed(ONE + '[[source]]\npath = "bad.csv"\n')
    write(path.with_name("bad.csv"), "text,label\n" + "".join(f"bad words {n},{'b' if n else ''}\n" for n in range(9)))
    profile = check_data(path)
    assert [each.where for each in profile.warnings if each.code == "empty-label"] == ["row 1 of bad.csv"]
    assert (profile.rows, profile.usable_rows) == (39, 38)


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(["mix", "source", "task", "x"]),
        st.recursive(
            st.none() | st.integers(-2, 2) | st.sampled_from(["one.csv", "", "nowhere", "text-classification"]),
            lambda inner: (
                st.dictionaries(st.sampled_from(["path", "weight", "map", "task"]), inner, max_size=3)
                | st.lists(inner, max_size=2)
            ),
            max_leaves=5,
        ),
        max_size=3,
    )
)
def test_any_toml_is_a_mix_or_refused_in_words(tmp_path_factory: Any, content: dict[str, Any]) -> None:
    import tomli_w

    def written(value: Any) -> Any:
        if isinstance(value, list):
            return [written(each) for each in value if each is not None]
        if isinstance(value, dict):
            return {key: written(each) for key, each in value.items() if each is not None}
        return value

    tables = written(content)
    if isinstance(tables.get("source"), dict):
        tables["source"] = [tables["source"]]
    folder = tmp_path_factory.getbasetemp() / "mixes"
    write(folder / "one.csv", delimited([{"text": f"words of one {n}", "label": "ab"[n % 2]} for n in range(30)]))
    path = write(folder / "mix.toml", tomli_w.dumps(tables))
    try:
        assert check_data(path).rows in (None, 30)
    except UsageError as error:
        assert error.what and error.why and error.fix


def test_a_source_keeps_its_own_way_of_being_read(tmp_path: Path) -> None:
    """Encoding, delimiter and packing of each source are its own."""
    rows = [{"text": f"Größe {n}; and more", "label": "ab"[n % 2]} for n in range(10)]
    write(tmp_path / "a.csv", delimited(rows, ";").decode().encode("cp1252"))
    write(tmp_path / "b.tsv.xz", lzma.compress(delimited(rows, "\t")))
    path = write(tmp_path / "m.toml", '[[source]]\npath = "a.csv"\n[[source]]\npath = "b.tsv.xz"\n')
    assert read(path) == rows + rows
    assert "encoding-guessed" in codes(check_data(path))[1]


def test_the_first_rows_come_before_the_rest_is_read(tmp_path: Path) -> None:
    """A person sees what data is at once; what the first answer raises ends the check."""
    path = write(tmp_path / "t.csv.gz", gzip.compress(noise(9000)))
    shares: list[float] = []
    firsts: list[DatasetProfile] = []
    request = CheckRequest(path, on_first=firsts.append, on_progress=shares.append)
    profile = check(request)
    assert len(firsts) == 1 and firsts[0].columns == profile.columns and firsts[0].rows is None
    assert profile.rows == 9000 and shares == sorted(shares) and 0 < shares[0] < 1 and shares[-1] == pytest.approx(1)

    def leave(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(replace(request, on_progress=leave))


def test_reading_is_lazy(tmp_path: Path) -> None:
    """The first row of a large file is there before the last one is read."""
    path = write(
        tmp_path / "t.jsonl", json_lines([{"text": f"w {n}", "label": "a"} for n in range(5000)]) + b"{broken\n"
    )
    notes = Findings()
    rows: Iterator[Any] = read_part(open_data(path), "train", notes)
    assert next(rows)[0].cells["text"] == "w 0" and notes.warnings() == ()
    assert sum(1 for _ in rows) == 4999 and [note.where for note in notes.warnings()] == ["line 5001"]
