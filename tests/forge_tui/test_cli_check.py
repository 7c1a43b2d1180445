"""`check` on every kind of data, with its options, and the choices about rows that `train` writes down and repeats."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from backends.contract import read_spec
from forge_tui.runs.store import list_runs

DONE, USAGE, DATA = 0, 2, 3
CHECK_KEYS = "ok task proposals path format encoding rows usable_rows columns errors warnings stats".split()
WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()

Rows = list[dict[str, Any]]
Cli = Callable[..., Any]


def texts(count: int = 60, start: int = 0) -> Rows:
    return [
        {"text": f"{' '.join(WORDS[n % 7 :])} number {n}", "label": "spam" if n % 2 else "ham"}
        for n in range(start, start + count)
    ]


def table(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue())
    return path


def lines(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet(path: Path, rows: Rows) -> Path:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def arrow(path: Path, rows: Rows) -> Path:
    whole = pyarrow.Table.from_pylist(rows)
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, whole.schema) as writer:
        writer.write_table(whole)
    return path


def workbook(path: Path, rows: Rows) -> Path:
    book = openpyxl.Workbook()
    for line in ([*rows[0]], *([*row.values()] for row in rows)):
        book.worksheets[0].append(line)
    book.save(path)
    return path


def packed(path: Path, rows: Rows) -> Path:
    plain = table(path.with_suffix(""), rows)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return path


def picture(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (shade, 1, 2)).save(path)
    return path


def classes(path: Path) -> Path:
    for label in ("cat", "dog"):
        for number in range(5):
            picture(path / label / f"{number}.png", number * 10 + ord(label[0]))
    return path


def spoken(path: Path) -> Path:
    path.mkdir()
    for number in range(6):
        with wave.open(str(path / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", "none"))
            file.writeframes(bytes([number, 1]) * 4000)
    table(path / "metadata.csv", [{"file_name": f"{n}.wav", "transcription": f"the words of {n}"} for n in range(6)])
    return path


def coco(path: Path) -> Path:
    names = [picture(path / "images" / f"{n}.png", n).name for n in range(6)]
    (path / "annotations").mkdir()
    images = [{"id": n, "file_name": name, "width": 16, "height": 16} for n, name in enumerate(names)]
    boxes = [{"id": n, "image_id": n, "category_id": n % 2, "bbox": [1, 1, 9, 9], "iscrowd": 0} for n in range(6)]
    kinds = [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    content = {"images": images, "annotations": boxes, "categories": kinds}
    (path / "annotations" / "instances_train.json").write_text(json.dumps(content))
    return path


def yolo(path: Path) -> Path:
    for number in range(6):
        picture(path / "images" / "train" / f"{number}.png", number)
        label = path / "labels" / "train" / f"{number}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(f"{number % 2} 0.5 0.5 0.25 0.25\n")
    (path / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [cat, dog]\n")
    return path


def parts(path: Path) -> Path:
    table(path / "x_train.csv", texts(40))
    table(path / "x_test.csv", texts(20, 100))
    return path


def mix(path: Path) -> Path:
    table(path.parent / "one.csv", texts(40))
    lines(path.parent / "two.jsonl", texts(20, 100))
    path.write_text('[[source]]\npath = "one.csv"\n[[source]]\npath = "two.jsonl"\nweight = 2\n')
    return path


def tagged(path: Path) -> Path:
    path.write_text("Ada B-person\nLovelace I-person\nwrote O\n\nRome B-place\nburns O\n\n" * 20)
    return path


def squad(path: Path) -> Path:
    asked = [
        {
            "title": f"t{n}",
            "paragraphs": [
                {
                    "context": f"The lamp number {n} is blue.",
                    "qas": [
                        {"id": f"q{n}", "question": f"Colour of {n}?", "answers": [{"text": "blue", "answer_start": 0}]}
                    ],
                }
            ],
        }
        for n in range(8)
    ]
    for each in asked:
        text = each["paragraphs"][0]["context"]  # type: ignore[index]
        each["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"] = text.index("blue")  # type: ignore[index]
    path.write_text(json.dumps({"version": "1.1", "data": asked}))
    return path


TABLE = [{"size": n * 37 % 101 / 3, "colour": WORDS[n % 4], "answer": "yes" if n % 3 else "no"} for n in range(60)]
PRICES = [{"rooms": n % 7, "price": n * 37 % 101 / 3} for n in range(60)]
PAIRS = [{"premise": f"It is {n} here.", "hypothesis": f"So is {n}.", "label": "ab"[n % 2]} for n in range(40)]
CHATS = [
    {"messages": [{"role": "user", "content": f"Ask {n}?"}, {"role": "assistant", "content": f"Answer {n}."}]}
    for n in range(20)
]
# How data is made, its format, its task, how many of its rows can be used, what stands in «» first.
KINDS: dict[str, tuple[Callable[[Path], Path], str, str, int, str]] = {
    "t.csv": (lambda path: table(path, texts()), "csv", "text-classification", 60, "«ham»"),
    "a table.csv": (lambda path: table(path, TABLE), "csv", "tabular-classification", 60, "«no»"),
    "prices.csv": (lambda path: table(path, PRICES), "csv", "tabular-regression", 60, "«0"),
    "pairs.jsonl": (lambda path: lines(path, PAIRS), "jsonl", "sentence-pair-classification", 40, "«a»"),
    "t.parquet": (lambda path: parquet(path, texts()), "parquet", "text-classification", 60, "«ham»"),
    "t.arrow": (lambda path: arrow(path, texts()), "arrow", "text-classification", 60, "«ham»"),
    "t.xlsx": (lambda path: workbook(path, texts()), "xlsx", "text-classification", 60, "«ham»"),
    "t.csv.gz": (lambda path: packed(path, texts()), "csv", "text-classification", 60, "«ham»"),
    "chat.jsonl": (lambda path: lines(path, CHATS), "jsonl", "text-generation", 20, "«Answer 0."),
    "words.conll": (tagged, "conll", "token-classification", 40, "«Ada/person"),
    "squad.json": (squad, "squad", "extractive-question-answering", 8, "«blue»"),
    "pets": (classes, "image-folder", "image-classification", 10, "«cat»"),
    "spoken": (spoken, "csv", "speech-recognition", 6, "«the words of 0»"),
    "boxes": (coco, "coco", "object-detection", 6, "«cat"),
    "yolo": (yolo, "yolo", "object-detection", 12, "«cat"),
    "parts": (parts, "csv", "text-classification", 60, "«ham»"),
    "mix.toml": (mix, "mix", "text-classification", 60, "«ham»"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_data_is_told(cli: Cli, tmp_path: Path, name: str) -> None:
    make, kind, task, usable, learned = KINDS[name]
    path = make(tmp_path / name)
    told = cli("check", str(path))
    assert told.code == DONE, told.out + told.err
    first, *_ = told.out.splitlines()
    assert first.startswith(f"{name}: {kind}")
    assert f"task: {task}" in told.out and f"{usable:,} of {usable:,} rows can be used" in told.out
    previews = [line for line in told.out.splitlines() if "«" in line]
    assert 1 <= len(previews) <= 2 and learned in previews[0] and "»" in previews[0]
    assert told.err.count("\n") == 1 and ("A run can start" in told.err or "does not train" in told.err)

    answer = cli("check", str(path), "--json")
    assert (answer.code, answer.err) == (DONE, "")
    found = answer.json()
    assert list(found) == CHECK_KEYS
    assert (found["ok"], found["format"], found["task"]) == (True, kind, task)
    assert (found["rows"], found["usable_rows"], found["errors"]) == (usable, usable, [])
    assert found["proposals"][0]["task"] == task and found["path"] == str(path)
    for role, column in found["columns"].items():
        assert f"{role} = {column}" in told.out
    asked = cli("check", str(path), "--task", task, "--json").json()
    assert asked["columns"] == found["columns"] and asked["ok"]


def test_the_parts_are_counted_one_by_one(cli: Cli, tmp_path: Path) -> None:
    assert "60 of 60 rows can be used: train 40, test 20" in cli("check", str(parts(tmp_path / "set"))).out


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("cut.csv.gz", gzip.compress(b"text,label\n" + os.urandom(90).hex().encode() * 20)[:-30], "broken-archive"),
        ("empty.csv", b"", "empty-file"),
        ("broken.json", b'[{"a": 1},', "invalid-json"),
        ("bad.parquet", b"PAR1" + bytes(50), "invalid-parquet"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "old-excel"),
        ("one.csv", b"text,label\n" + b"some words,ham\n" * 20, "one-class"),
    ],
)
def test_data_that_cannot_be_used_ends_with_three(
    cli: Cli, tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    told = cli("check", str(path))
    assert told.code == DATA and "✗ " in told.out and "No run can start" in told.err
    answer = cli("check", str(path), "--json")
    assert answer.code == DATA and not answer.json()["ok"]
    assert code in [finding["code"] for finding in answer.json()["errors"]]
    named = cli("check", str(parts(tmp_path / "set")), "--eval-data", str(path))
    assert named.code in (DATA, DONE) and (named.code == DONE) == (code == "one-class")


def test_parts_without_one_to_train_on_end_with_three(cli: Cli, tmp_path: Path) -> None:
    for number, name in enumerate(("val.csv", "test.csv")):
        table(tmp_path / "set" / name, texts(40, number * 100))
    told = cli("check", str(tmp_path / "set"))
    assert told.code == DATA and "set has no training part: its parts are validation, test" in told.out
    answer = cli("check", str(tmp_path / "set"), "--json")
    assert (answer.code, [each["code"] for each in answer.json()["errors"]]) == (DATA, ["no-training-part"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--prepare", "drop_duplicate=yes"], ["There is no preparation 'drop_duplicate'", "'drop_duplicates'"]),
        (["--prepare", "weigth_column=text"], ["nearest is 'weight_column'", "group_column"]),
        (["--prepare", "drop_duplicates"], ["--prepare", "name=value"]),
        (["--prepare", "drop_duplicates=perhaps"], ["drop_duplicates = 'perhaps'", "true or false"]),
        (["--prepare", "bad_rows=keep"], ["drop-empty, drop, stop"]),
        (["--prepare", "shortest=-1"], ["at least 0"]),
        (["--prepare", "longest=few"], ["a whole number"]),
        (["--prepare", "group_column=txt"], ["'txt'", "group_column", "nearest is 'text'"]),
        (["--prepare", "quality_column=lable"], ["'lable'", "quality_column", "nearest is 'label'"]),
        (["--prepare", "weight_column=w"], ["'w'", "weight_column", "text, label"]),
        (["--prepare", "time_column=when"], ["'when'", "time_column"]),
        (["--prepare", "shortest=50", "--prepare", "longest=10"], ["shortest=50 and longest=10 leave no row"]),
        (["--max-length", "0"], ["--max-length cannot be 0", "--max-length 512"]),
        (["--prepare", "quality_from=3"], ["quality_from", "quality_column=NAME"]),
        (["--map", "text=txt"], ["'txt'", "nearest is 'text'"]),
        (["--map", "txt=text"], ["'txt'", "nearest is 'text'"]),
        (["--task", "text-clasification"], ["nearest is 'text-classification'"]),
        (["--eval-data", "/nowhere/x.csv"], ["/nowhere/x.csv"]),
        (["--model", "/nowhere/model"], ["/nowhere/model", "--model"]),
    ],
)
@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_what_was_asked_wrongly_ends_with_two(
    cli: Cli, tmp_path: Path, options: list[str], words: list[str], json_too: list[str]
) -> None:
    told = cli("check", str(table(tmp_path / "t.csv", texts())), *options, *json_too)
    assert told.code == USAGE and told.err.startswith("error: ") and "fix: " in told.err
    assert not told.out  # it is refused before anything is said of the data
    for word in words:
        assert word in told.err, f"{word!r} is not in {told.err!r}"


@pytest.mark.parametrize("length", ["0", "-3", "many"])
def test_a_length_that_is_none(cli: Cli, tmp_path: Path, length: str) -> None:
    told = cli("check", str(table(tmp_path / "t.csv", texts())), "--max-length", length)
    assert told.code == USAGE and "--max-length" in told.err


# --- evaluation data ---------------------------------------------------------------------------------------------


def test_evaluation_data_is_checked_with_the_training_data(cli: Cli, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", texts(40))
    good = table(tmp_path / "e.csv", [*texts(10, 100), texts(1)[0]])
    told = cli("check", str(path), "--eval-data", str(good))
    assert told.code == DONE and "51 of 51 rows can be used: train 40, validation 11" in told.out
    assert "same text as row 1, which is trained on [row 11 of validation]" in told.out


@pytest.mark.parametrize("name", ["other.csv", "other.jsonl", "other.parquet", "other.csv.gz"])
def test_evaluation_data_with_other_columns_is_named(cli: Cli, tmp_path: Path, name: str) -> None:
    rows = [{"body": row["text"], "label": row["label"]} for row in texts(10)]
    make = {"csv": table, "jsonl": lines, "parquet": parquet, "gz": packed}[name.rpartition(".")[2]]
    other = make(tmp_path / name, rows)
    told = cli("check", str(table(tmp_path / "t.csv", texts())), "--eval-data", str(other))
    assert told.code == DATA
    assert f"{name}, the validation part, has no column 'text'; its columns are body, label" in told.out
    answer = cli("check", str(tmp_path / "t.csv"), "--eval-data", str(other), "--json").json()
    assert [(each["code"], each["where"]) for each in answer["errors"]] == [("part-columns", name)]


def test_evaluation_data_without_a_usable_row(cli: Cli, tmp_path: Path) -> None:
    other = table(tmp_path / "e.csv", [{"text": "", "label": "ham"}] * 3)
    told = cli("check", str(table(tmp_path / "t.csv", texts())), "--eval-data", str(other))
    assert told.code == DATA and "none of the 3 rows of the validation part can be used" in told.out


# --- preparation -------------------------------------------------------------------------------------------------

DIRTY = [
    {
        **row,
        "confidence": n % 10 / 10,
        "text": "" if n == 3 else row["text"],
        "label": "SPAM" if n == 5 else row["label"],
    }
    for n, row in enumerate([*texts(), *texts(4)])
]


@pytest.mark.parametrize(
    ("options", "code", "usable", "words"),
    [
        (
            [],
            DONE,
            63,
            ["text is empty [row 4]", "'SPAM', 'spam'", "'confidence' looks like a mark of quality, 0 to 0.9"],
        ),
        (["bad_rows=stop"], DATA, 63, ["✗ text is empty [row 4]"]),
        (["drop_duplicates=yes"], DONE, 60, ["same text as"]),
        (["merge_spellings=yes"], DONE, 63, []),
        (
            ["quality_column=confidence", "quality_from=0.5"],
            DONE,
            63,
            ["not trained on as you chose: 33 marked lower than was chosen"],
        ),
        (["shortest=10"], DONE, None, ["shorter than was chosen"]),
        (["longest=10"], DONE, None, ["longer than was chosen"]),
        (["quality_column=label"], DATA, None, ["'label' cannot be the quality_column", "not number"]),
        (["time_column=text"], DATA, None, ["'text' cannot be the time_column"]),
        (["weight_column=confidence", "group_column=label"], DONE, 63, []),
    ],
)
def test_what_a_preparation_leaves(
    cli: Cli, tmp_path: Path, options: list[str], code: int, usable: int | None, words: list[str]
) -> None:
    path = table(tmp_path / "t.csv", DIRTY)
    arguments = [word for option in options for word in ("--prepare", option)]
    told = cli("check", str(path), "--map", "text=text", *arguments)
    assert told.code == code, told.out + told.err
    for word in words:
        assert word in told.out, f"{word!r} is not in {told.out!r}"
    if usable is not None:
        assert f"{usable} of 64 rows can be used" in told.out
    if "merge_spellings=yes" in options:
        assert "'SPAM', 'spam'" not in told.out


# --- lengths -----------------------------------------------------------------------------------------------------


def test_merged_spellings_are_shown(cli: Cli, tmp_path: Path) -> None:
    rows = [{**row, "label": "SPAM" if n == 7 else row["label"]} for n, row in enumerate(texts())]
    path = table(tmp_path / "t.csv", rows)
    told = cli("check", str(path), "--prepare", "merge_spellings=yes")
    assert "merged as you chose: 'SPAM' (1) into 'spam'" in told.out and "label rows: ham 30, spam 30" in told.out
    stats = json.loads(cli("check", str(path), "--prepare", "merge_spellings=yes", "--json").out)["stats"]
    assert stats["merged_labels"] == {"spam": {"SPAM": 1}} and stats["label_count"] == 2
    assert "merged" not in cli("check", str(path)).out
    told = cli("check", str(table(tmp_path / "t.csv", texts())), "--prepare", "merge_spellings=yes")
    assert "merged as you chose: nothing" in told.out


def test_a_folder_without_a_tokenizer_counts_nothing(cli: Cli, tmp_path: Path) -> None:
    data, folder = tmp_path / "data.csv", tmp_path / "weights alone"
    data.write_text("text,label\n" + "".join(f"some words {n},{'ab'[n % 2]}\n" for n in range(40)))
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    told = cli("check", str(data), "--model", str(folder))
    assert told.code == 2 and "holds no tokenizer" in told.err and "leave --model out" in told.err


def test_texts_longer_than_the_model_reads_are_named(cli: Cli, tmp_path: Path) -> None:
    rows = [{**row, "text": "x" * (400 if n in (4, 30) else 20) + f" {n}"} for n, row in enumerate(texts())]
    path = table(tmp_path / "t.csv", rows)
    told = cli("check", str(path), "--max-length", "50")
    assert told.code == DONE and "the model reads 50 at once [row 5, 31]" in told.out and "about" in told.out
    found = cli("check", str(path), "--max-length", "50", "--json").json()
    assert [each["where"] for each in found["warnings"] if each["code"] == "longer-than-context"] == ["row 5", "row 31"]
    assert "longer-than-context" not in cli("check", str(path), "--max-length", "500", "--json").out


READS_AT_ONCE = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A model folder with a small tokenizer of its own, which adds a first and a last token; and that tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[PAD]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    made.train_from_iterator([" ".join(WORDS), "0123456789 ask answer number"] * 5, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    tokenizer.chat_template = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {% endfor %}"
    folder = tmp_path_factory.mktemp("model") / "my model"
    tokenizer.save_pretrained(folder)
    config = {"model_type": "bert", "max_position_embeddings": READS_AT_ONCE}
    (folder / "config.json").write_text(json.dumps(config))
    return folder, tokenizer


@pytest.fixture
def checked(model: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`check` with the tokenizer in this process, which saves the start of another one."""
    from backends.formats.checks import CheckRequest, check
    from backends.token_counts import main

    def count(rows: IO[str]) -> tuple[int | None, Iterator[int]]:
        rows.seek(0)
        monkeypatch.setattr("sys.stdin", rows)
        capsys.readouterr()
        assert main([str(model[0])]) == DONE
        limit, *counts = capsys.readouterr().out.split()
        return json.loads(limit), map(int, counts)

    return lambda path: check(CheckRequest(path, count_tokens=count)).to_json()


def summary(counts: list[int]) -> dict[str, Any]:
    ordered = sorted(counts)
    middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return {"unit": "tokens", "median": middle, "p95": high, "longest": ordered[-1]}


def assert_counted(found: dict[str, Any], counts: dict[str, int]) -> None:
    """The lengths that were told are these, by place, and the first twenty that are too long are named."""
    assert found["stats"]["lengths"] == summary(list(counts.values()))
    named = [each for each in found["warnings"] if each["code"] == "longer-than-context"]
    longer = [(place, f"{count} tokens; the model reads {READS_AT_ONCE} at once") for place, count in counts.items()
              if count > READS_AT_ONCE]  # fmt: skip
    assert 0 < len(longer) < len(counts)
    assert [(each["where"], each["message"]) for each in named[:20]] == longer[:20]
    assert len(named) == min(len(longer), 21)


def test_a_tokenizer_counts_texts_exactly(cli: Cli, tmp_path: Path, model: tuple[Path, Any]) -> None:
    folder, tokenizer = model
    rows = texts()
    rows[7]["text"] = "Größe 名 😀 " + rows[7]["text"]
    rows[9]["label"] = ""  # not counted: it is left out
    path = table(tmp_path / "t.csv", rows)
    told = cli("check", str(path), "--model", str(folder), "--json")
    assert told.code == DONE
    counts = {f"row {n}": len(tokenizer(row["text"]).input_ids) for n, row in enumerate(rows, 1) if row["label"]}
    assert_counted(told.json(), counts)


def test_a_tokenizer_counts_pairs_as_they_are_read(checked: Any, tmp_path: Path, model: tuple[Path, Any]) -> None:
    rows = [{**row, "premise": f"{row['premise']} {n}" if n % 3 else "It."} for n, row in enumerate(PAIRS)]
    counts = [len(model[1](row["premise"], row["hypothesis"]).input_ids) for row in rows]
    found = checked(lines(tmp_path / "t.jsonl", rows))
    assert_counted(found, {f"line {n}": count for n, count in enumerate(counts, 1)})


def test_a_tokenizer_counts_conversations_through_its_template(
    checked: Any, tmp_path: Path, model: tuple[Path, Any]
) -> None:
    chats = [{"messages": [*chat["messages"] * (n % 3 + 1)]} for n, chat in enumerate(CHATS)]
    templated = [model[1].apply_chat_template(chat["messages"], tokenize=False) for chat in chats]
    counts = [len(model[1](text, add_special_tokens=False).input_ids) for text in templated]
    assert min(counts) > READS_AT_ONCE  # every answer is more than that with its marks
    found = checked(lines(tmp_path / "t.jsonl", chats))
    assert found["stats"]["lengths"] == summary(counts)
    named = [each for each in found["warnings"] if each["code"] == "longer-than-context"]
    assert [int(each["message"].split(" ")[0]) for each in named] == counts


def test_a_tokenizer_counts_plain_texts_and_questions(checked: Any, tmp_path: Path, model: tuple[Path, Any]) -> None:
    prose = [" ".join(WORDS[n % 8 :]) + "." for n in range(20)]
    (tmp_path / "t.txt").write_text("\n".join(prose))
    found = checked(tmp_path / "t.txt")
    assert found["stats"]["lengths"] == summary([len(model[1](text).input_ids) for text in prose])
    found = checked(squad(tmp_path / "squad.json"))
    asked = [(f"Colour of {n}?", f"The lamp number {n} is blue.") for n in range(8)]
    assert found["stats"]["lengths"] == summary([len(model[1](*pair).input_ids) for pair in asked])


def test_a_tokenizer_that_cannot_be_used(
    home: Any, cli: Cli, tmp_path: Path, model: tuple[Path, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from backends.token_counts import main

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert main([str(folder)]) == 1
    assert list(json.loads(capsys.readouterr().out)) == ["error"]
    (folder / "tokenizer.json").write_text("{}")
    script = home.path / "trainer"
    for answer in ('echo \'{"error": "no tokenizer there"}\'; exit 1', "exit 9", "kill -9 $$"):
        script.write_text(f"#!/bin/sh\n{answer}\n")
        told = cli("check", str(table(tmp_path / "t.csv", texts())), "--model", str(folder))
        assert told.code == USAGE and f"The tokenizer in {folder} cannot be used" in told.err and "fix: " in told.err
        assert ("no tokenizer there" in told.err) == ("echo" in answer)


# --- the hub -----------------------------------------------------------------------------------------------------


def copied(home: Path, name: str, revision: str, rows: Rows) -> Path:
    """A data set of the hub as a download leaves it."""
    folder = home / "data" / name.replace("/", "--") / revision
    table(folder / "data" / "train.csv", rows)
    table(folder / "data" / "test.csv", texts(10, 500))
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("options", [[], ["--download"], ["--json"]])
def test_a_hub_id_without_a_network(offline: None, cli: Cli, options: list[str]) -> None:
    told = cli("check", "someone/some-texts", *options)
    assert told.code == USAGE and told.out == ""
    assert "someone/some-texts is on the hub, which needs the network" in told.err and "fix: " in told.err


def test_a_hub_id_that_was_fetched_before(offline: None, cli: Cli, own_home: Path) -> None:
    old = copied(own_home, "someone/some-texts", "a" * 40, texts(20))
    new = copied(own_home, "someone/some-texts", "b" * 40, texts(30))
    copied(own_home, "someone/other", "c" * 40, texts(40))
    cut = copied(own_home, "someone/some-texts", "d" * 40, texts(50))
    (cut / "data" / "more.csv.part").write_text("half")
    for age, folder in enumerate((cut, new, old)):
        os.utime(folder, (10**9 - age * 1000, 10**9 - age * 1000))
    told = cli("check", "someone/some-texts")
    assert told.code == DONE and "40 of 40 rows can be used: train 30, test 10" in told.out
    assert f"using the copy of someone/some-texts in {new}" in told.err
    pinned = cli("check", f"someone/some-texts@{'a' * 40}")
    assert pinned.code == DONE and "train 20, test 10" in pinned.out
    assert cli("check", f"someone/some-texts@{'e' * 40}").code == USAGE
    beside = cli("check", "someone/other", "--eval-data", "someone/some-texts")
    assert beside.code == DONE and "train 40, validation 30" in beside.out


def test_a_file_that_is_here_goes_before_the_hub(offline: None, cli: Cli, tmp_path: Path) -> None:
    table(tmp_path / "someone" / "some-texts", texts(20))
    assert cli("check", "someone/some-texts").code == DONE


# --- plain text --------------------------------------------------------------------------------------------------

NASTY = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[H \x1b]52;c;aGk=\x1b\\ \x9b31m \x9d0;t\x9c \x07\x08 \u202eevil "
    "\x1bc \x1bP1$r\x1b\\ [bold]markup[/]"
)
CONTROLS = {chr(code) for code in (*range(32), *range(127, 160)) if chr(code) != "\n"} | set("\u202e\u200f\u2028\u2066")


def assert_plain(text: str) -> None:
    assert not set(text) & CONTROLS, ascii(text)


def nasty(path: Path, place: str) -> tuple[Path, list[str]]:
    """Data with terminal control in one place, and options that bring it onto the screen."""
    rows = texts()
    if place == "class names":
        rows = [{**row, "label": f"{row['label']} {NASTY}"} for row in rows]
    elif place == "column names":
        rows = [{f"more {NASTY}": f"{n % 3} x", f"{NASTY} size": n % 7, "answer": "ab"[n % 2]} for n in range(60)]
    elif place == "the roles' columns":
        rows = [{f"{NASTY}": row["text"], f"label {NASTY}": row["label"]} for row in rows]
        return lines(path / "t.jsonl", rows), ["--map", f"text={NASTY}", "--map", f"label=label {NASTY}"]
    elif place == "texts":
        rows = [{**row, "text": f"{NASTY} {row['text']}\r{NASTY}\n{NASTY}"} for row in rows]
    elif place == "file names":
        return table(path / f"{NASTY.replace('/', '')}.csv", rows), []
    elif place == "names of parts":
        folder = path / f"set {NASTY.replace('/', '')}"
        table(folder / f"x{NASTY.replace('/', '')}_train.csv", rows)
        table(folder / f"y{NASTY.replace('/', '')}_test.csv", rows)
        return folder, []
    elif place == "folders of classes":
        for label in ("cat", f"dog {NASTY.replace('/', '')}"):
            for number in range(4):
                picture(path / "set" / label / f"{NASTY.replace('/', '')}{number}.png", number * 9 + len(label))
            (path / "set" / label / f"{NASTY.replace('/', '')}.jpg").write_text("no picture")
        return path / "set", []
    elif place == "table cells":
        rows = [{**row, f"c {NASTY}": f"{NASTY} {n % 3}"} for n, row in enumerate(TABLE)]
        return lines(path / "t.jsonl", rows), ["--map", "target=answer"]
    elif place == "wrong numbers":
        rows = [{**row, "price": f"{NASTY}{n}" if n > 55 else row["price"]} for n, row in enumerate(PRICES)]
        return lines(path / "t.jsonl", rows), ["--task", "tabular-regression", "--map", "target=price"]
    return lines(path / "t.jsonl", rows), []


PLACES = [
    "class names", "column names", "the roles' columns", "texts", "table cells",
    "wrong numbers", "file names", "names of parts", "folders of classes",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_nothing_in_data_reaches_the_terminal_as_control(cli: Cli, tmp_path: Path, place: str) -> None:
    path, options = nasty(tmp_path, place)
    told = cli("check", str(path), *options)
    assert told.code in (DONE, DATA)
    assert_plain(told.out + told.err)
    assert "[bold]markup[/]" in told.out or place in PLACES[-4:]
    answer = cli("check", str(path), *options, "--json")
    assert answer.code == told.code and answer.json()["path"] == str(path)
    assert_plain(answer.out)
    assert answer.out.isascii()


@pytest.mark.parametrize("option", ["--map", "--prepare", "--task", "--eval-data", "--model"])
def test_nothing_that_was_typed_reaches_the_terminal_as_control(cli: Cli, tmp_path: Path, option: str) -> None:
    for value in (NASTY, f"text={NASTY}", f"{NASTY}=text", f"group_column={NASTY}"):
        told = cli("check", str(table(tmp_path / "t.csv", texts())), option, value)
        assert told.code == USAGE
        assert_plain(told.out + told.err)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.sampled_from("ab \x1b[]0;m\x07\x9b\r\n\t\u202e«»\u2028"), min_size=1, max_size=12),
    place=st.integers(0, 2),
)
def test_any_text_anywhere_is_told_in_plain_lines(cli: Cli, tmp_path_factory: Any, text: str, place: int) -> None:
    label = "label" if place else f"label {text}"
    before, behind = (text if place == number else "" for number in (1, 2))
    rows = [{"text": f"{before} {row['text']}", label: f"{row['label']}{behind}"} for row in texts(12)]
    told = cli("check", str(lines(tmp_path_factory.getbasetemp() / "any.jsonl", rows)))
    assert told.code in (DONE, DATA)
    assert_plain(told.out + told.err)


# --- previews ----------------------------------------------------------------------------------------------------


def previews(told: Any) -> list[str]:
    return [line for line in told.out.splitlines() if "«" in line or "» " in line]


def test_what_is_learned_is_marked(cli: Cli, tmp_path: Path) -> None:
    chats: Rows = [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": f"Ask {n}"},
                {"role": "assistant", "content": f"First\nline {n}"},
                {"role": "user", "content": "More?"},
                {"role": "assistant", "content": "No."},
            ]
        }
        for n in range(6)
    ]
    first, second = previews(cli("check", str(lines(tmp_path / "t.jsonl", chats))))
    assert first.startswith("line 1: ") and second.startswith("line 2: ")
    assert first.count("«") == first.count("»") == 2
    learned = [piece.partition("»")[0] for piece in first.split("«")[1:]]
    assert "First⏎line 0" in learned[0] and "No." in learned[1]
    assert not any(word in piece for piece in learned for word in ("Ask", "Be brief", "More?"))
    assert all(word in first for word in ("Ask 0", "Be brief.", "More?"))


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_a_text_of_several_lines_is_shown_from_its_beginning(cli: Cli, tmp_path: Path, end: str) -> None:
    rows = [{**row, "text": f"first line {n}{end}second line"} for n, row in enumerate(texts())]
    shown = previews(cli("check", str(lines(tmp_path / "t.jsonl", rows))))
    assert [line.partition("  «")[0] for line in shown] == [f"line {n + 1}: first line {n}⏎second line" for n in (0, 1)]


def test_rows_that_cannot_be_used_are_not_shown(cli: Cli, tmp_path: Path) -> None:
    rows = [{**row, "text": "" if n in (0, 2) else row["text"]} for n, row in enumerate(texts())]
    shown = previews(cli("check", str(table(tmp_path / "t.csv", rows))))
    assert [line.partition(":")[0] for line in shown] == ["row 2", "row 4"]


def test_a_long_row_is_shown_in_one_short_line(cli: Cli, tmp_path: Path) -> None:
    rows = [{**row, "text": "long words " * 500 + str(n)} for n, row in enumerate(texts())]
    told = cli("check", str(table(tmp_path / "t.csv", rows)))
    shown = next(line for line in told.out.splitlines() if line.startswith("row 1: "))
    assert len(shown) < 340 and shown.endswith("…")


# --- what train writes down --------------------------------------------------------------------------------------


def train(home: Any, *arguments: str) -> Any:
    """The run that a command starts and follows to its end, from random weights unless a spec says otherwise."""
    before = {files.folder for files in list_runs()}
    model = ("--model", "preset:tiny-encoder") if "--data" in arguments else ()
    told = home.command("train", *arguments, *model)
    assert told.code == DONE, told.err
    (files,) = (each for each in list_runs() if each.folder not in before)
    home.wait_end(files)
    return files


def without_name(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith(("name = ", "created = "))]


def test_preparation_and_evaluation_data_are_written_down_and_repeated(home: Any, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [{**row, "who": n % 9, "mark": n % 10} for n, row in enumerate(texts())])
    other = table(tmp_path / "e.csv", [{**row, "who": 1, "mark": 7} for row in texts(12, 500)])
    options = ["drop_duplicates=yes", "bad_rows=drop", "quality_column=mark", "quality_from=2.5", "longest=900"]
    prepare = [word for option in options for word in ("--prepare", option)]
    files = train(
        home, "--data", str(path), "--eval-data", str(other), "--map", "text=text", "--map", "label=label", *prepare
    )
    content = files.spec.read_text()
    assert "[data.prepare]" in content
    spec = read_spec(files.spec)
    assert (spec.data, spec.eval_data, spec.eval_part) == (str(path), str(other), None)
    written = {name: str(value) for name, value in spec.preparation.items()}
    assert list(written) == ["drop_duplicates", "bad_rows", "quality_column", "quality_from", "longest"]
    assert written["bad_rows"] == "drop" and float(written["quality_from"]) == 2.5 and written["longest"] == "900"
    again = train(home, str(files.spec))
    assert without_name(again.spec) == without_name(files.spec)
    assert read_spec(again.spec).preparation == spec.preparation


def test_the_part_that_a_folder_is_scored_on_is_written_down_and_repeated(home: Any, tmp_path: Path) -> None:
    files = train(home, "--data", str(parts(tmp_path / "set")), "--prepare", "merge_spellings=yes")
    spec = read_spec(files.spec)
    assert (spec.data, spec.eval_data, spec.eval_part) == (str(tmp_path / "set"), None, "test")
    again = train(home, str(files.spec), "--name", "again")
    assert without_name(again.spec) == without_name(files.spec) and read_spec(again.spec).name == "again"


def test_a_column_of_parts_is_scored_on_its_part(home: Any, tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.csv", [{**row, "split": ["train", "train", "dev"][n % 3]} for n, row in enumerate(texts())]
    )
    assert read_spec(train(home, "--data", str(path)).spec).eval_part == "validation"
    other = table(tmp_path / "e.csv", texts(12, 500))
    spec = read_spec(train(home, "--data", str(path), "--eval-data", str(other)).spec)
    assert (spec.eval_data, spec.eval_part) == (str(other), None)


def test_a_copy_of_the_hub_is_trained_on_and_named_by_its_folder(home: Any, tmp_path: Path) -> None:
    folder = copied(home.path, "someone/some-texts", "a" * 40, texts(40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        spec = read_spec(train(home, "--data", "someone/some-texts").spec)
    assert (spec.data, spec.eval_part) == (str(folder), "test")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--prepare", "drop_duplicate=yes"], USAGE, ["nearest is 'drop_duplicates'"]),
        (["--prepare", "group_column=whom"], USAGE, ["'whom'", "nearest is 'who'"]),
        (["--prepare", "bad_rows=stop"], DATA, ["text is empty", "row 4"]),
        (["--eval-data", "OTHER"], DATA, ["has no column 'text'", "other.csv"]),
    ],
)
def test_no_run_starts_on_a_wrong_preparation(
    home: Any, cli: Cli, tmp_path: Path, options: list[str], code: int, words: list[str]
) -> None:
    path = table(tmp_path / "t.csv", [{**row, "who": n % 9} for n, row in enumerate(DIRTY)])
    other = table(tmp_path / "other.csv", [{"body": "x y z", "label": "ham"}] * 4)
    told = cli("train", "--data", str(path), *[str(other) if word == "OTHER" else word for word in options])
    assert told.code == code and list_runs() == []
    for word in words:
        assert word in told.err, f"{word!r} is not in {told.err!r}"


def test_no_run_starts_on_a_row_that_cannot_be_read_where_that_was_chosen(home: Any, cli: Cli, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", texts())
    path.write_text(f"{path.read_text()}one,two,three\n")
    assert cli("check", str(path)).code == DONE
    told = cli("train", "--data", str(path), "--prepare", "bad_rows=stop")
    assert told.code == DATA and "row 61 has 3 cells, the header has 2" in told.err and list_runs() == []


def test_a_spec_with_a_wrong_preparation_is_refused(home: Any, cli: Cli, tmp_path: Path) -> None:
    files = train(home, "--data", str(table(tmp_path / "t.csv", texts())), "--prepare", "longest=900")
    spec = tmp_path / "spec.toml"
    for old, new, word in (
        ("longest", "longst", "nearest is 'longest'"),
        ('"900"', '"many"', "a whole number"),
        ("[data.prepare]", "[data.prepared]", "nearest is 'prepare'"),
    ):
        content = files.spec.read_text()
        assert old in content, content
        spec.write_text(content.replace(old, new))
        told = cli("train", str(spec))
        assert told.code == USAGE and word in told.err and len(list_runs()) == 1
