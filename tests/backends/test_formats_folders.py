"""Folders: which files are which part, a folder for each class, tables that name media, what is no data set."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import struct
import time
import wave
from collections import Counter
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backends.contract import DataError, DatasetProfile, UsageError
from backends.formats.checks import CheckRequest, check, check_data
from backends.formats.datasets import open_data, read_part
from backends.formats.findings import Findings
from backends.formats.folders import looks_like_a_data_set
from backends.formats.parts import PART_NAMES, part_of_folder, part_of_name, part_of_value
from backends.formats.source import Dataset

Rows = list[dict[str, Any]]


def rows_of(start: int, count: int = 12) -> Rows:
    return [{"text": f"words of text {n}", "label": "ab"[n % 2]} for n in range(start, start + count)]


def table(path: Path, rows: Rows) -> Path:
    """The rows in the format that the ending of the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = path.suffix.lower()
    if ending == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif ending == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif ending == ".json":
        path.write_text(json.dumps(rows))
    elif ending == ".xlsx":
        book = openpyxl.Workbook()
        for line in ([*rows[0]], *([*row.values()] for row in rows)):
            book.worksheets[0].append(line)
        book.save(path)
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if ending == ".tsv" else ",", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path.write_text(text.getvalue())
    return path


def picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (shade % 256, shade // 256, 99)).save(path)
    return path


def sound(path: Path, length: int = 800) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\1\2" * length)
    return path


def box(name: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + name + inside


def movie(path: Path, content: int = 0) -> Path:
    """An MP4 with one video track of fifty frames in two seconds."""
    entry = box(b"avc1", bytes(24), struct.pack(">HH", 64, 48), bytes(50))
    tables = box(b"stbl", box(b"stsd", bytes(7) + b"\1", entry), box(b"stsz", bytes(8), struct.pack(">I", 50)))
    media = box(b"mdhd", bytes(4), struct.pack(">IIII", 0, 0, 25, 50), bytes(80))
    handler = box(b"hdlr", bytes(8), b"vide", bytes(13))
    head = box(b"tkhd", bytes(76), struct.pack(">II", 64 << 16, 48 << 16))
    track = box(b"trak", head, box(b"mdia", media, handler, box(b"minf", tables)))
    index = box(b"moov", box(b"mvhd", bytes(4), struct.pack(">IIII", 0, 0, 1000, 2000), bytes(80)), track)
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = box(b"mdat", struct.pack(">I", content), bytes(2000))
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0isomavc1") + index + pictures)
    return path


def cells_of(dataset: Dataset, part: str) -> Rows:
    return [dict(row.cells) for row, _ in read_part(dataset, part)]


def files_of(dataset: Dataset) -> dict[str, list[str]]:
    return {part: [source.path.name for source in sources] for part, sources in dataset.parts.items()}


def counts(profile: DatasetProfile) -> dict[str, int]:
    """Usable rows by part."""
    return {part: told["usable_rows"] for part, told in profile.stats["parts"].items()}


def codes(profile: DatasetProfile) -> set[str]:
    return {finding.code for finding in (*profile.errors, *profile.warnings)}


def refusal(path: Path) -> DataError:
    """The error that both ways to a folder end in, told the same."""
    with pytest.raises(DataError) as caught:
        open_data(path)
    profile = check_data(path)
    assert profile.errors == caught.value.findings and not profile.ok
    assert caught.value.what and caught.value.why and caught.value.fix
    return caught.value


# --- words for parts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "name", "part"),
    [
        ("banking77_train", "banking77", "train"), ("gsm8k_test_500", "gsm8k", "test"),
        ("train-00000-of-00002", "", "train"), ("validation-00001-of-00002", "", "validation"),
        ("dev", "", "validation"), ("x.val", "x", "validation"), ("Eval_set", "set", "validation"),
        ("X-TEST", "X", "test"), ("train", "", "train"), ("train_en", "en", "train"),
        ("my holdout", "my", "test"), ("part-00003", "", None), ("shard_7", "", None),
        ("x-00001-of-00004", "x", None), ("contest", "contest", None), ("trainer", "trainer", None),
        ("latest_results", "latest_results", None), ("greatest", "greatest", None), ("evaluate", "evaluate", None),
        ("v2_2024", "v2_2024", None),
    ],
)  # fmt: skip
def test_what_the_name_of_a_file_says(stem: str, name: str, part: str | None) -> None:
    assert part_of_name(stem)[1] == part
    assert part_of_name(stem)[0] == name or part_of_name(stem)[0].strip("_") == name.strip("_")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"), ("TRAINING", "train"), ("val", "validation"), ("Dev", "validation"), ("test", "test"),
        ("train2017", "train"), ("val_2017", "validation"), ("test-1", "test"), ("tests", None), ("data", None),
        ("training_images", None), ("my test", None),
    ],
)  # fmt: skip
def test_what_the_name_of_a_folder_says(name: str, part: str | None) -> None:
    assert part_of_folder(name) == part


@given(st.sampled_from(["train", "Validation", "dev", "TEST", "holdout"]), st.text(max_size=5))
def test_a_value_names_a_part_as_a_whole_or_not_at_all(word: str, more: str) -> None:
    assert part_of_value(f" {word} ") in PART_NAMES
    if more.strip():
        assert part_of_value(f"{word}{more}x") is None
    assert part_of_value(None) is part_of_value(0) is part_of_value("") is None


# --- parts by the names of files and folders ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        {"train": ["x_train.csv"], "test": ["x_test.csv"]},
        {"train": ["banking77_train.jsonl"], "validation": ["banking77_valid.jsonl"], "test": ["banking77_test.jsonl"]},
        {"train": ["gsm8k_train.jsonl"], "test": ["gsm8k_test_500.jsonl"]},
        {"train": ["train.json"], "validation": ["dev.json"], "test": ["test.json"]},
        {"train": ["TRAIN.CSV"], "test": ["Test.CSV"]},
        {
            "train": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
            "test": ["test-00000-of-00001.parquet"],
        },
        {"train": ["part-00000.csv", "part-00001.csv", "part-00002.csv"]},
        {"train": ["data-00000-of-00002.tsv", "data-00001-of-00002.tsv"]},
        {"train": ["corpus.jsonl"], "validation": ["corpus_eval.jsonl"]},
        {"train": ["only.csv"]},
    ],
)
def test_files_are_parts_by_their_names(tmp_path: Path, parts: dict[str, list[str]]) -> None:
    folder = tmp_path / "set"
    start = 0
    expected: dict[str, Rows] = {}
    for part, names in parts.items():
        for name in names:
            expected.setdefault(part, []).extend(rows_of(start))
            table(folder / name, rows_of(start))
            start += 100
    (folder / "README.md").write_text("# what it is\n")
    (folder / "LICENSE").write_text("free\n")
    dataset = open_data(folder)
    assert files_of(dataset) == parts and list(dataset.parts) == list(parts)
    assert {part: cells_of(dataset, part) for part in parts} == expected
    profile = check_data(folder)
    assert profile.ok and profile.path == str(folder)
    assert counts(profile) == {part: len(rows) for part, rows in expected.items()}
    assert profile.training_rows == len(expected["train"])
    wanted = next((part for part in ("validation", "test") if part in parts), None)
    assert profile.evaluation_part == wanted


WORDS_OF = {"train": ["train", "Training", "trn"], "validation": ["val", "DEV", "valid"], "test": ["test", "Holdout"]}


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(["", "x", "news2", "my data", "größe"]),
    sign=st.sampled_from(["_", "-", "."]),
    ending=st.sampled_from([".csv", ".jsonl", ".parquet", ".json", ".tsv"]),
    parts=st.dictionaries(st.sampled_from(["validation", "test"]), st.integers(1, 2)),
    draw=st.data(),
)
def test_any_names_of_parts_are_found(
    tmp_path_factory: Any, name: str, sign: str, ending: str, parts: dict[str, int], draw: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    expected = {}
    for start, part in enumerate(part for part in PART_NAMES if part == "train" or part in parts):
        word = draw.draw(st.sampled_from(WORDS_OF[part]))
        shards = parts.get(part, 1)
        for shard in range(shards):
            tail = "" if shards == 1 else f"-{shard:05d}-of-{shards:05d}"
            stem = f"{name}{sign}{word}{tail}" if name else f"{word}{tail}"
            table(folder / f"{stem}{ending}", rows_of(start * 1000 + shard * 100, 4))
        expected[part] = 4 * shards
    dataset = open_data(folder)
    assert {part: len(cells_of(dataset, part)) for part in list(dataset.parts)} == expected


@pytest.mark.parametrize(
    "names",
    [
        {"train": "train", "validation": "val", "test": "test"},
        {"train": "Training", "validation": "dev"},
        {"train": "train2017", "test": "test2017"},
    ],
)
@pytest.mark.parametrize("file", ["rows.csv", "a/b/rows.jsonl"])
def test_folders_are_parts_by_their_names(tmp_path: Path, names: dict[str, str], file: str) -> None:
    for number, (part, name) in enumerate(names.items()):
        table(tmp_path / "set" / name / file, rows_of(number * 100))
        assert part_of_folder(name) == part
    dataset = open_data(tmp_path / "set")
    assert list(dataset.parts) == list(names)
    for number, part in enumerate(names):
        assert cells_of(dataset, part) == rows_of(number * 100)
    assert counts(check_data(tmp_path / "set")) == dict.fromkeys(names, 12)


@pytest.mark.parametrize("name", ["x_test.csv", "dev.jsonl", "test/rows.csv"])
def test_a_part_that_is_alone_is_trained_on(tmp_path: Path, name: str) -> None:
    table(tmp_path / "set" / name, rows_of(0))
    dataset, profile = open_data(tmp_path / "set"), check_data(tmp_path / "set")
    assert dataset.training_part == "train" and cells_of(dataset, "train") == rows_of(0)
    assert profile.ok and counts(profile) == {"train": 12} and profile.evaluation_part is None


@pytest.mark.parametrize(
    "names", [["val.csv", "test.csv"], ["x_dev.jsonl", "x_test.jsonl"], ["val/a.csv", "test/a.csv"]]
)
def test_parts_of_which_none_is_to_train_on_are_refused(tmp_path: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        table(tmp_path / "set" / name, rows_of(number * 100))
    error = refusal(tmp_path / "set")
    assert [(each.code, each.where) for each in error.findings] == [("no-training-part", "set")]
    assert "validation, test" in error.why


def test_parts_below_the_folder_of_a_part_are_refused(tmp_path: Path) -> None:
    for number, part in enumerate(("val", "test")):
        for label in ("cat", "dog"):
            picture(tmp_path / "set" / "train" / part / label / "0.png", number * 9 + len(label))
    assert [each.code for each in refusal(tmp_path / "set").findings] == ["no-training-part"]


def test_a_folder_in_a_folder_is_the_data_set(tmp_path: Path) -> None:
    """As a data set of the hub lies in `data/`, beside a card and hidden files."""
    folder = tmp_path / "owner--name" / "0123"
    table(folder / "data" / "train-00000-of-00001.parquet", rows_of(0))
    table(folder / "data" / "test-00000-of-00001.parquet", rows_of(100))
    (folder / "README.md").write_text("card")
    (folder / ".gitattributes").write_text("x")
    (folder / "dataset_infos.json").write_text('{"default": {"features": {}}}')
    dataset = open_data(folder)
    assert dataset.path == folder and list(dataset.parts) == ["train", "test"]
    assert counts(check_data(tmp_path / "owner--name")) == {"train": 12, "test": 12}


def test_a_row_of_another_part_is_named_with_its_part(tmp_path: Path) -> None:
    rows = rows_of(0, 30)
    table(tmp_path / "set" / "train.csv", rows)
    table(tmp_path / "set" / "test.csv", [*rows_of(50, 5), rows[3]])
    profile = check_data(tmp_path / "set")
    leak = next(each for each in profile.warnings if each.code == "train-test-leak")
    assert leak.where == "row 6 of test" and "row 4" in leak.message


def test_parts_with_other_columns_are_told(tmp_path: Path) -> None:
    table(tmp_path / "set" / "train.csv", rows_of(0))
    table(tmp_path / "set" / "test.csv", [{"body": row["text"], "label": row["label"]} for row in rows_of(50)])
    profile = check_data(tmp_path / "set")
    assert [each.code for each in profile.errors] == ["part-columns"]
    assert "test.csv" in profile.errors[0].message and "'text'" in profile.errors[0].message


# --- a column that says the part ---------------------------------------------------------------------------------


def with_split(rows: Rows, column: str = "split", values: tuple[str, ...] = ("train", "train", "test")) -> Rows:
    return [{**row, column: values[n % len(values)]} for n, row in enumerate(rows)]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.xlsx", "t.jsonl", "t.json", "t.parquet"])
def test_a_column_divides_one_file(tmp_path: Path, name: str) -> None:
    rows = with_split(rows_of(0, 30), values=("train", "train", "validation", "train", "test"))
    path = table(tmp_path / name, rows)
    dataset = open_data(path)
    assert dataset.part_column == "split"
    for part in PART_NAMES:
        wanted = [row for row in rows if row["split"] == part]
        assert cells_of(dataset, part) == [{k: v for k, v in row.items() if k != "split"} for row in wanted]
    profile = check_data(path)
    assert profile.ok and counts(profile) == {"train": 18, "validation": 6, "test": 6}
    assert (profile.task, dict(profile.columns)) == ("text-classification", {"text": "text", "label": "label"})
    assert (profile.training_rows, profile.evaluation_part) == (18, "validation")


@pytest.mark.parametrize(
    ("column", "values", "parts"),
    [
        ("Split", ("Train", "TRAIN", "Dev"), {"train": 20, "validation": 10}),
        ("data_split", ("training", "training", "testing"), {"train": 20, "test": 10}),
        ("partition", (" train", "train ", "holdout"), {"train": 20, "test": 10}),
        ("split", ("train", "", "test"), {"train": 20, "test": 10}),  # a row that says nothing is trained on
        ("split", ("train", "train", "train"), None),
        ("split", ("test", "test", "test"), None),
        ("split", ("0", "1", "2"), None),
        ("split", ("train", "test", "unknown"), None),
        ("set", ("alpha", "beta", "gamma"), None),
        ("purpose", ("train", "train", "test"), None),
    ],
)
def test_which_columns_divide(
    tmp_path: Path, column: str, values: tuple[str, ...], parts: dict[str, int] | None
) -> None:
    path = table(tmp_path / "t.csv", with_split(rows_of(0, 30), column, values))
    assert open_data(path).part_column == (column if parts else None)
    assert counts(check_data(path)) == (parts or {"train": 30})


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["train"] * 2500 + ["test"] * 500, {"train": 2500, "test": 500}),  # sorted by part
        (["train", "train", "test"] * 800 + ["val"] * 600, {"train": 1600, "validation": 600, "test": 800}),
        (["test"] * 500 + ["train"] * 2500, {"train": 2500, "test": 500}),
    ],
)
def test_a_part_that_comes_late_in_a_long_file_is_a_part(
    tmp_path: Path, name: str, parts: list[str], expected: dict[str, int]
) -> None:
    rows = [{**row, "split": part} for row, part in zip(rows_of(0, 3000), parts, strict=True)]
    profile = check_data(table(tmp_path / name, rows))
    assert profile.ok and counts(profile) == expected


def test_a_column_of_such_a_name_that_says_no_parts_does_not_hide_the_one_that_does(tmp_path: Path) -> None:
    rows = [{"fold": n % 5, "set": "a", **row} for n, row in enumerate(with_split(rows_of(0, 30)))]
    path = table(tmp_path / "t.csv", rows)
    assert open_data(path).part_column == "split"
    assert counts(check_data(path)) == {"train": 20, "test": 10}


def test_evaluation_data_goes_before_a_column(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", with_split(rows_of(0, 30)))
    other = table(tmp_path / "other.csv", rows_of(100, 9))
    profile = check(CheckRequest(path, eval_path=other))
    assert profile.ok and counts(profile) == {"train": 20, "validation": 9}


# --- several data sets, several formats, nothing -----------------------------------------------------------------


def test_several_data_sets_are_named_one_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "sets"
    for name in ("banking.csv", "spam_train.jsonl", "spam_test.jsonl", "news.parquet"):
        table(folder / name, rows_of(0))
    error = refusal(folder)
    assert [finding.code for finding in error.findings] == ["several-data-sets"] * 3
    told = [finding.message for finding in error.findings]
    for names in (["banking.csv"], ["spam_train.jsonl", "spam_test.jsonl"], ["news.parquet"]):
        assert sum(all(name in message for name in names) for message in told) == 1
    assert "3 data sets" in error.what and str(folder) in error.fix
    assert {finding.where for finding in error.findings} == {"banking.csv", "spam_train.jsonl", "news.parquet"}
    for finding in error.findings:  # what is proposed can be opened
        assert (folder / finding.where).is_file() and finding.where in finding.fix


def test_folders_that_are_data_sets_of_their_own_are_named(tmp_path: Path) -> None:
    for name in ("spam", "banking"):
        table(tmp_path / "sets" / name / "train.csv", rows_of(0))
        table(tmp_path / "sets" / name / "test.csv", rows_of(100))
    (tmp_path / "sets" / "empty").mkdir()
    error = refusal(tmp_path / "sets")
    assert {finding.where for finding in error.findings} == {"spam", "banking"}
    assert {finding.code for finding in error.findings} == {"several-data-sets"}


@pytest.mark.parametrize(
    ("names", "used"),
    [
        (["t.csv", "t.parquet"], ["t.parquet"]),
        (["t.csv", "t.json"], ["t.json"]),
        (["t.xlsx", "t.csv"], ["t.csv"]),
        (["train.csv", "test.csv", "train.jsonl", "test.jsonl"], ["train.jsonl", "test.jsonl"]),
        (["train.csv", "test.csv", "train.parquet"], ["train.csv", "test.csv"]),  # the one with more parts
    ],
)
def test_the_same_data_in_two_formats_is_read_once(tmp_path: Path, names: list[str], used: list[str]) -> None:
    for name in names:
        table(tmp_path / "set" / name, rows_of(100 if "test" in name else 0))
    dataset = open_data(tmp_path / "set")
    assert [source.path.name for sources in dataset.parts.values() for source in sources] == used
    profile = check_data(tmp_path / "set")
    assert profile.ok and profile.rows == 12 * len(used)
    note = next(each for each in profile.warnings if each.code == "other-format")
    assert all(name in note.message for name in set(names) - set(used))


@pytest.mark.parametrize("names", [["data.csv"], ["train.csv", "test.csv"]])
def test_a_packed_copy_beside_a_file_is_left_aside_and_told(tmp_path: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        plain = table(tmp_path / "set" / name, rows_of(number * 100))
        plain.with_name(f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert [name for found in files_of(open_data(tmp_path / "set")).values() for name in found] == names
    profile = check_data(tmp_path / "set")
    assert profile.ok and profile.rows == 12 * len(names)
    notes = [each.message for each in profile.warnings if each.code == "packed-copy"]
    assert all(any(f"{name}.gz" in note for note in notes) for name in names)
    assert not codes(profile) & {"duplicate", "train-test-leak"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], ["holds nothing"]),
        (["notes.md", "run.py", "more.py"], ["notes.md", "2 .py"]),
        (["README.txt", "LICENSE.txt", "requirements.txt"], ["README.txt"]),
        (["sub/notes.md"], ["sub"]),
        (["a/b/c/x.bin"], ["a"]),
        ([".hidden.csv", ".git/x.csv"], ["holds nothing"]),
    ],
)
def test_a_folder_without_data_says_what_it_holds(tmp_path: Path, files: list[str], words: list[str]) -> None:
    folder = tmp_path / "none"
    folder.mkdir()
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    error = refusal(folder)
    assert [finding.code for finding in error.findings] == ["no-data"]
    for word in ("none holds no data", *words):
        assert word in f"{error.what}: {error.why}"


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    table(tmp_path / "set" / "rows.csv", rows_of(0))
    for name in (".rows.csv", "._rows.csv", ".other.jsonl"):
        (tmp_path / "set" / name).write_text("a,b\n1,2\n")
    table(tmp_path / "set" / ".cache" / "old.csv", rows_of(500))
    assert files_of(open_data(tmp_path / "set")) == {"train": ["rows.csv"]}
    assert check_data(tmp_path / "set").rows == 12


@pytest.mark.parametrize("name", ["bad.csv", "bad_test.csv"])
def test_a_file_in_a_folder_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "set"
    table(folder / "bad_train.csv", rows_of(0))
    (folder / name).write_bytes(b"\0\1\2" * 50)
    if name == "bad.csv":
        (folder / "bad_train.csv").unlink()
    error = refusal(folder)
    assert error.findings[0].code == "not-text" and name in error.findings[0].message


# --- links, rights, size -----------------------------------------------------------------------------------------


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    """As the cache of the hub keeps its files."""
    table(tmp_path / "blobs" / "0a", rows_of(0))
    table(tmp_path / "blobs" / "0b", rows_of(100))
    (tmp_path / "set" / "data").mkdir(parents=True)
    (tmp_path / "set" / "data" / "train.csv").symlink_to("../../blobs/0a")
    (tmp_path / "set" / "data" / "test.csv").symlink_to("../../blobs/0b")
    (tmp_path / "link").symlink_to("set")
    assert counts(check_data(tmp_path / "link")) == {"train": 12, "test": 12}


def test_links_that_lead_nowhere_or_in_circles_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    table(folder / "train.csv", rows_of(0))
    table(folder / "test.csv", rows_of(100))
    (folder / "gone.csv").symlink_to("nowhere.csv")
    (folder / "gone.json").symlink_to("nowhere.json")
    (folder / "self.csv").symlink_to("self.csv")
    (folder / "again").symlink_to(".")
    (folder / "up").symlink_to("..")
    started = time.monotonic()
    assert counts(check_data(folder)) == {"train": 12, "test": 12}
    assert time.monotonic() - started < 5
    with pytest.raises(UsageError):
        open_data(folder / "self.csv")


@pytest.mark.parametrize("links", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_circles_without_data_hold_no_data(tmp_path: Path, links: list[str]) -> None:
    (tmp_path / "set").mkdir()
    for name in links:
        (tmp_path / "set" / name).symlink_to(".")
    started = time.monotonic()
    assert [each.code for each in refusal(tmp_path / "set").findings] == ["no-data"]
    assert not looks_like_a_data_set(tmp_path / "set")
    assert time.monotonic() - started < 5


def test_deep_folders_without_data_hold_no_data(tmp_path: Path) -> None:
    tmp_path.joinpath("set", *"abcdefghijklmnopqrst").mkdir(parents=True)
    started = time.monotonic()
    assert [each.code for each in refusal(tmp_path / "set").findings] == ["no-data"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("kind", ["png", "mp4"])
def test_circles_among_class_folders_end(tmp_path: Path, kind: str) -> None:
    for label in ("cat", "dog"):
        for number in range(3):
            path = tmp_path / "set" / label / f"{number}.{kind}"
            picture(path) if kind == "png" else movie(path)
        (tmp_path / "set" / label / "again").symlink_to("..")
    rows = cells_of(open_data(tmp_path / "set"), "train")
    assert Counter(row["label"] for row in rows) == {"cat": 3, "dog": 3}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    table(tmp_path / "set" / "train.csv", rows_of(0))
    (tmp_path / "set").chmod(0)
    try:
        with pytest.raises(UsageError, match="cannot be read"):
            open_data(tmp_path / "set")
        assert not looks_like_a_data_set(tmp_path / "set")
    finally:
        (tmp_path / "set").chmod(0o700)


def test_thousands_of_files_come_quickly(tmp_path: Path) -> None:
    shards, classes = tmp_path / "shards", tmp_path / "classes"
    one = picture(tmp_path / "one.png").read_bytes()
    shards.mkdir()
    for number in range(3000):
        (shards / f"part-{number:05d}.csv").write_text(f"text,label\nwords of text {number},{'ab'[number % 2]}\n")
    for label in ("cat", "dog", "owl"):
        (classes / label).mkdir(parents=True)
        for number in range(1000):
            (classes / label / f"{number}.png").write_bytes(one)
    started = time.monotonic()
    assert looks_like_a_data_set(shards) and looks_like_a_data_set(classes)
    assert time.monotonic() - started < 1
    started = time.monotonic()
    rows = cells_of(open_data(classes), "train")
    assert Counter(row["label"] for row in rows) == {"cat": 1000, "dog": 1000, "owl": 1000}
    assert time.monotonic() - started < 5
    started = time.monotonic()
    texts = [row["text"] for row in cells_of(open_data(shards), "train")]
    assert texts == [f"words of text {number}" for number in range(3000)]
    assert time.monotonic() - started < 15


# --- a folder for each class -------------------------------------------------------------------------------------


def make(kind: str, path: Path, number: int) -> Path:
    return picture(path, number) if kind == "image" else movie(path, number)


@pytest.mark.parametrize(("kind", "ending"), [("image", "png"), ("image", "JPG"), ("video", "mp4")])
def test_a_folder_for_each_class(tmp_path: Path, kind: str, ending: str) -> None:
    folder = tmp_path / "pets"
    for label, count in (("big cat", 5), ("dog", 4), ("名", 3)):
        for number in range(count):
            inside = f"deep/{number}.{ending}" if number == 2 else f"{number}.{ending}"
            make(kind, folder / label / inside, number + 10 * len(label) + ord(label[0]))
    (folder / "dog" / "notes.txt").write_text("made in May")
    (folder / "README.md").write_text("pets")
    (folder / ".cache").mkdir()
    picture(folder / ".cache" / "0.png")
    picture(folder / "dog" / ".thumbs" / "0.png")
    (folder / "dog" / f"._0.{ending}").write_bytes(b"\0\5\x16\7")  # as a Mac adds them
    dataset = open_data(folder)
    assert dataset.format == f"{kind}-folder" and list(dataset.parts) == ["train"]
    rows = cells_of(dataset, "train")
    assert Counter(row["label"] for row in rows) == {"big cat": 5, "dog": 4, "名": 3}
    assert all(Path(row[kind]).is_file() for row in rows)
    assert [row.where for row, _ in read_part(dataset, "train")][2] == f"big cat/3.{ending}"
    profile = check_data(folder)
    assert (profile.ok, profile.task) == (True, f"{kind}-classification")
    assert profile.columns == {kind: kind, "label": "label"} and profile.stats["labels"]["dog"] == 4


@pytest.mark.parametrize(("kind", "ending"), [("image", "png"), ("video", "mp4")])
@pytest.mark.parametrize("names", [("train", "test"), ("train", "val", "test"), ("Training", "Validation")])
def test_classes_below_parts(tmp_path: Path, kind: str, ending: str, names: tuple[str, ...]) -> None:
    for size, part in enumerate(names, 3):
        for label in ("cat", "dog"):
            for number in range(size):
                make(
                    kind, tmp_path / "set" / part / label / f"{number}.{ending}", number * 7 + size * 50 + ord(label[0])
                )
    dataset = open_data(tmp_path / "set")
    parts = [str(part_of_folder(name)) for name in names]
    assert list(dataset.parts) == parts
    for size, part in enumerate(parts, 3):
        rows = cells_of(dataset, part)
        assert Counter(row["label"] for row in rows) == {"cat": size, "dog": size}
        assert all(f"/{names[size - 3]}/" in row[kind] for row in rows)
    assert counts(check_data(tmp_path / "set")) == {part: 2 * size for size, part in enumerate(parts, 3)}


def test_other_files_and_empty_folders_among_classes_are_told(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        for number in range(3):
            picture(tmp_path / "set" / label / f"{number}.png", number + ord(label[0]))
    movie(tmp_path / "set" / "cat" / "film.mp4")
    (tmp_path / "set" / "owl").mkdir()
    notes = Findings()
    assert len(list(read_part(open_data(tmp_path / "set"), "train", notes))) == 6
    assert {note.code: note.where for note in notes.warnings()} == {
        "other-kind": "cat/film.mp4",
        "empty-class": "class owl",
    }


def test_pictures_without_classes_are_told(tmp_path: Path) -> None:
    for number in range(5):
        picture(tmp_path / "set" / f"{number}.png", number)
    profile = check_data(tmp_path / "set")
    assert (profile.ok, profile.task) == (False, "image-classification")
    assert "no-classes" in codes(profile)


# --- tables that name files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "labels.csv", "manifest.tsv"])
def test_a_table_names_pictures_and_their_classes(tmp_path: Path, name: str) -> None:
    rows = [{"file_name": f"pictures/{n}.png", "label": "ab"[n % 2]} for n in range(10)]
    for number, row in enumerate(rows):
        picture(tmp_path / "set" / row["file_name"], number)
    table(tmp_path / "set" / name, rows)
    dataset = open_data(tmp_path / "set")
    assert cells_of(dataset, "train") == rows
    profile = check_data(tmp_path / "set")
    assert (profile.ok, profile.task) == (True, "image-classification")
    assert profile.columns == {"image": "file_name", "label": "label"} and profile.usable_rows == 10


def test_a_table_names_recordings_and_what_is_said(tmp_path: Path) -> None:
    rows = [{"file_name": f"{n}.wav", "transcription": f"these are the words of number {n}"} for n in range(8)]
    for number, row in enumerate(rows):
        sound(tmp_path / "set" / row["file_name"], 800 + number)
    table(tmp_path / "set" / "metadata.csv", rows)
    profile = check_data(tmp_path / "set")
    assert (profile.ok, profile.task) == (True, "speech-recognition")
    assert profile.columns == {"audio": "file_name", "transcript": "transcription"} and profile.usable_rows == 8


def test_a_table_in_each_part_names_its_files(tmp_path: Path) -> None:
    for part, count in (("train", 8), ("test", 4)):
        rows = [{"file_name": f"{n}.png", "label": "ab"[n % 2]} for n in range(count)]
        for number, row in enumerate(rows):
            picture(tmp_path / "set" / part / row["file_name"], number + count * 9)
        table(tmp_path / "set" / part / "metadata.csv", rows)
    profile = check_data(tmp_path / "set")
    assert profile.ok and profile.task == "image-classification" and counts(profile) == {"train": 8, "test": 4}


def test_a_file_that_a_table_names_and_that_is_not_there(tmp_path: Path) -> None:
    rows = [{"file_name": f"{n}.png", "label": "ab"[n % 2]} for n in range(10)]
    for number, row in enumerate(rows[:-1]):
        picture(tmp_path / "set" / row["file_name"], number)
    table(tmp_path / "set" / "metadata.csv", rows)
    profile = check_data(tmp_path / "set")
    missing = next(each for each in profile.warnings if each.code == "image-missing")
    assert "row 10" in missing.where and profile.usable_rows == 9


# --- layouts of other programs -----------------------------------------------------------------------------------


def annotations(names: list[str]) -> str:
    images = [{"id": n, "file_name": name, "width": 16, "height": 16} for n, name in enumerate(names)]
    boxes = [
        {"id": n, "image_id": n, "category_id": 1 + n % 2, "bbox": [1, 2, 8, 9], "iscrowd": 0}
        for n in range(len(names))
    ]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return json.dumps({"images": images, "annotations": boxes, "categories": categories})


def test_a_coco_folder(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for part, count in (("train2017", 6), ("val2017", 4)):
        names = [f"{part}_{n}.png" for n in range(count)]
        for number, name in enumerate(names):
            picture(folder / part / name, number + 30 * count)
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / "annotations" / f"instances_{part}.json").write_text(annotations(names))
    dataset = open_data(folder)
    assert dataset.format == "coco" and list(dataset.parts) == ["train", "validation"]
    profile = check_data(folder)
    assert (profile.ok, profile.task) == (True, "object-detection")
    assert counts(profile) == {"train": 6, "validation": 4} and profile.stats["boxes"] == 10
    assert looks_like_a_data_set(folder)


def test_a_yolo_folder(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for part, count in (("train", 6), ("val", 4)):
        for number in range(count):
            picture(folder / "images" / part / f"{part}{number}.png", number + 30 * count)
            label = folder / "labels" / part / f"{part}{number}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(f"{number % 2} 0.5 0.5 0.4 0.4\n")
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat, dog]\n")
    for path in (folder, folder / "data.yaml"):
        dataset = open_data(path)
        assert dataset.format == "yolo" and list(dataset.parts) == ["train", "validation"]
        profile = check_data(path)
        assert (profile.ok, profile.task) == (True, "object-detection") and counts(profile) == {
            "train": 6,
            "validation": 4,
        }
    assert looks_like_a_data_set(folder)


# --- what is offered as a whole ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        (["train.csv", "test.csv"], True),
        (["x_train.jsonl", "x_dev.jsonl", "README.md"], True),
        (["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"], True),
        (["train/rows.csv", "test/rows.csv"], True),
        (["cat/1.png", "dog/1.png"], True),
        (["walk/1.mp4", "run/1.mp4"], True),
        (["dataset_dict.json", "train/state.json"], True),
        (["state.json", "dataset_info.json", "data.arrow"], True),
        (["data.yaml"], True),
        (["annotations/instances.json"], True),
        (["a.csv", "b.csv"], False),
        ([".train.csv", ".test.csv"], False),
        (["a.csv"], False),
        (["notes.md", "run.py"], False),
        (["docs/x.md", "src/y.py"], False),
        ([], False),
    ],
)
def test_which_folders_are_offered_as_a_whole(tmp_path: Path, files: list[str], answer: bool) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    assert looks_like_a_data_set(folder) is answer


def test_what_is_no_folder_is_not_offered(tmp_path: Path) -> None:
    assert not looks_like_a_data_set(tmp_path / "nothing")
    assert not looks_like_a_data_set(table(tmp_path / "t.csv", rows_of(0)))


# --- evaluation data that lies beside ----------------------------------------------------------------------------


def beside(profile: DatasetProfile) -> list[str]:
    return [finding.where for finding in profile.warnings if finding.code == "evaluation-beside"]


@pytest.mark.parametrize(
    ("name", "others", "hint"),
    [
        ("x_train.csv", ["x_test.csv"], ["x_test.csv"]),
        ("x_train.csv", ["x_test.csv", "x_val.csv"], ["x_val.csv"]),
        ("gsm8k_train.jsonl", ["gsm8k_test_500.jsonl"], ["gsm8k_test_500.jsonl"]),
        ("train.csv", ["dev.csv"], ["dev.csv"]),
        ("X_Train.csv", ["x_TEST.csv"], ["x_TEST.csv"]),
        ("x_train.csv", ["y_test.csv"], []),
        ("x_train.csv", ["x_test.jsonl"], []),
        ("x.csv", ["x_test.csv"], []),
        ("x_test.csv", ["x_train.csv"], []),
        ("x_train.csv", [], []),
    ],
)
def test_evaluation_data_beside_a_file_is_named(tmp_path: Path, name: str, others: list[str], hint: list[str]) -> None:
    path = table(tmp_path / name, rows_of(0))
    for other in others:
        table(tmp_path / other, rows_of(100))
    profile = check_data(path)
    assert profile.ok and beside(profile) == hint and profile.rows == 12
    if hint:
        told = next(each for each in profile.warnings if each.code == "evaluation-beside")
        assert f"--eval-data {hint[0]}" in told.fix
        assert beside(check(CheckRequest(path, eval_path=tmp_path / hint[0]))) == []
        assert beside(check_data(tmp_path)) == []
