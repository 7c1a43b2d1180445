"""Feeds damaged data files to the check and looks for crashes, hangs and profiles that say something impossible.

Run by hand:  uv run python tools/fuzz_formats.py [--minutes 10] [--seed N] [--reader csv ...] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import multiprocessing
import re
import resource
import shutil
import signal
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet
from PIL import Image

from backends.contract import DatasetProfile, UsageError
from backends.formats.checks import CheckRequest, check
from backends.options import PreparationOptions
from backends.registry import TASK_DATA

SECONDS_A_CHECK, SECONDS_A_FILE, BYTES_OF_DATA = 20, 120, 1 << 30
# What people, programs and spreadsheets leave where a number, a word or a list should be.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 0.5, 2**31, 2**53 + 1, -(2**63), 2**64, 10**400, 1e308, float("nan"), float("inf")),
    *("", " ", "\0", "NaN", "-inf", "1e999", "0x10", "007", "1,234.5", "39,1", "²", "١٢", "1_000", "1" * 5_000, "_"),
    *("2024-02-30", "0001-01-01", "9999-12-31T23:59:59+14:00", "=1/0", "#N/A", "\ud800", "a\udfff", "\ufeff", "\ufffd"),
    *("e\u0301", "İ", "😀", '"', '""', "'", "\\", "\n", "\r", "\x85", "\u2028", "../x", "a\0b.png", "x" * 300 + ".png"),
    *("a.png", "a.wav", "a.mp4", "[INST]", "[INST] a [/INST]", "[[", "[{}]", "B-x", "I-", "####", "train", "x" * 5_000),
    *([], {}, [[]], [None], {"": None}, {"role": {}, "content": "a"}, [{"role": None, "content": None}], ["B-x", 1]),
    *([{"role": "user", "content": [{"type": 1, "text": {}}, 7]}], [["a", "b"]], [[0.5, None]], {"bbox": "x"}, b"\xff"),
    *({"bytes": b"", "path": None}, {"text": [1], "answer_start": ["x"]}, [{"a": 1}], {"text": "x", "answer_start": 0}),
)
TOKENS = [each.encode("utf-8", "surrogatepass") for each in ODD if isinstance(each, str)] + (
    rb'1e999 -1e999 NaN Infinity true [ ] { } , : ; | "" \u0000 \ud800 \x -0 1.5.5 - # 99999999999 O I-x \ufeff'.split()
    + [b"\xff\xfe", b"\xef\xbb\xbf", b"\x1a", b"\xc3", b"\xed\xa0\x80", b"[" * 3_000, b'{"a":' * 2_000, b"\t", b"\r\n"]
    + [b"- " * 3_000, b" " * 3_000, b",a" * 60_000, b"\n\n", b"\0" * 9, b'"' * 99, b"x" * 70_000, b"9" * 5_000]
)
# A row of each usual shape, the flat ones first: * becomes a few words, "#" a number, ~ one or the other.
SHAPES = r"""{"id": "#", "size": "#", "day": "2024-01-11~2024-02-12", "kind": "a~b~c", "price": "#"}
{"text": "*", "label": "good~bad~Good", "weight": "#"}`{"sentence1": "*", "sentence2": "*", "label": "0~1~2"}
{"article": "* * *", "summary": "*", "split": "train~test"}`{"prompt": "*", "completion": "*", "label": "true~false"}
{"instruction": "*", "input": "", "output": "*", "score": "#"}`{"prompt": "*", "chosen": "*", "rejected": "*"}
{"file_name": "a.png~b.png", "label": "x~y"}`{"text": "* *~[INST] a [/INST] b~\n\nHuman: a\n\nAssistant: b"}
{"context": "x *", "question": "*", "answers": "x~*", "answer_start": 0}`{"tokens": ["*", "*"], "tags": ["B-x~O", "O"]}
{"messages": [{"role": "user", "content": "*"}, {"role": "assistant", "content": "*"}], "label": true, "images": ["a"]}
{"conversations": [{"from": "human", "value": "*"}, {"from": "gpt", "value": "*"}], "system": "*", "tools": [{"a": 1}]}
{"chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "*"}], "rejected": "*"}
{"image": "a.png", "objects": [{"bbox": [1, "#", 3, 4], "category": "x"}], "question": "*", "answer": "*"}
{"context": "x *", "question": "*", "answers": {"text": ["x"], "answer_start": [0]}}"""
ASKED = [{"id": "*", "question": "*", "answers": [{"text": "x", "answer_start": 0}]}] * 5
SQUAD = {"version": "2", "data": [{"title": "*", "paragraphs": [{"context": "x *", "qas": ASKED}] * 2}]}
COCO = {
    "images": [{"id": n, "file_name": f"{name}.png", "width": 40, "height": 40} for n, name in enumerate("ab")],
    "annotations": [{"id": n, "image_id": n % 2, "category_id": n % 3, "bbox": [n, 3, "#", 9]} for n in range(9)],
    "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
}
NAMES = ("[cat, dog, 'x y']", "{0: cat, 1: dog, 2: x}", "\n  - cat\n  - dog\n", "\n  0: cat\n  1: dog\n  2: 'x'")
YAML = "# boxes\npath: .\ntrain: images/train\nval: [images/val]\nnc: 3\ndownload: |\n  x\nnames: "
BOXES = "0 0.5 0.5 0.2 0.3\n1 .1 .1 .9 .9~2 0 0 1 1 0.5 0.5~~0 0.5 0.5 0.2 0.3 0.9\n"
FASTTEXT = '__label__good *~__label__bad * __label__x~__label__a __label__b *"'
CONLLU = (
    '{0}\t*\tx\tNOUN\t_\t_\t0\troot\t_\t_~{0}-3\tdel\t_\t_\t_\t_\t_\t_\t_\t_~{0}\t*\t_\tVERB\t_\tA=b|C=d\t1\tobj\t_\t_"'
)
TEXTS: dict[str, Callable[[Random], bytes]] = {
    "csv": lambda dice: delimited(dice, dice.choice(",;|")),
    "tsv": lambda dice: delimited(dice, "\t"),
    "jsonl": lambda dice: b"\n".join(json.dumps(row, default=str).encode() for row in rows_of(dice)),
    "json": lambda dice: dumped(dice, rows_of(dice) if dice.random() < 0.5 else {"data": rows_of(dice)}),
    "squad": lambda dice: dumped(dice, SQUAD),
    "conll": lambda dice: filled(dice, '* B-x"~* O"* I-x~"* O\n\n' * 9).replace('"', "\n").encode(),
    "fasttext": lambda dice: filled(dice, FASTTEXT * 12).replace('"', "\n").encode(),
    "conllu": lambda dice: (
        filled(dice, f'# text = *"{CONLLU.format(1)}{CONLLU.format(2)}"' * 9).replace('"', "\n").encode()
    ),
    "txt": lambda dice: filled(dice, "* *\n\n" * dice.randint(1, 20)).encode(),
}
READERS = (*TEXTS, "gz", "zip", "xlsx", "parquet", "arrow", "coco", "yolo")


def filled(dice: Random, text: str) -> str:
    """A text with words and numbers in its places."""
    words = "the pump at gate four leaks since monday and nobody knows why it opens again before noon".split()
    text = re.sub('[^"]*~[^"]*', lambda match: dice.choice(match[0].split("~")), text)
    text = re.sub('"#"', lambda _: str(dice.choice((dice.gauss(9, 9), dice.randrange(40)))), text)
    return re.sub(r"\*", lambda _: " ".join(dice.choices(words, k=dice.randint(2, 14))), text)


def twisted(dice: Random, tree: Any) -> Any:
    """The same tree of lists and objects with one place in it changed."""
    inner = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    if not inner or dice.random() < 0.1:
        return dice.choice((*ODD, [tree], {"a": tree}, str(tree), [tree] * 50))
    key = dice.choice(inner)
    if isinstance(tree, list):
        return [*tree[:key], *[twisted(dice, tree[key])] * dice.choice((0, 1, 1, 1, 2)), *tree[key + 1 :]]
    name = key if dice.random() < 0.9 else str(dice.choice(ODD))
    return {**{other: tree[other] for other in tree if other != key}, name: twisted(dice, tree[key])}


def rows_of(dice: Random, flat: bool = False) -> list[dict[str, Any]]:
    """Rows of one shape, some with something odd in them."""
    shape = dice.choice(re.split("[`\n]", SHAPES)[: 10 if flat else None])
    rows = [json.loads(filled(dice, shape)) for _ in range(dice.choice((1, 3, 20, 60)))]
    for _ in range(dice.choice((0, 0, 1, 2, 6))):
        rows = twisted(dice, rows)
    return ([row for row in rows if isinstance(row, dict) and row] if isinstance(rows, list) else []) or [{"a": rows}]


def mutated(dice: Random, data: bytes, share: float = 1) -> bytes:
    """The same bytes, in a share of the cases with one or several faults in them."""
    if dice.random() > share:
        return data
    at, end = sorted(dice.choices(range(len(data) + 1), k=2))
    end, token = dice.choice((end, at + 1, at + 4)), dice.choice(TOKENS)
    word = re.compile(dice.choice((rb"[\w.+-]+", rb"\"[^\"\n]*\"", rb"[^\w\s]|[\r\n]+"))).search(data, at)
    data = dice.choice(
        (
            lambda: data[:at] + bytes(byte ^ 1 << dice.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :],
            lambda: data[:at] + token * dice.choice((1, 1, 1, 9)) + data[at:],
            lambda: data[:at] + data[end if dice.random() < 0.8 else len(data) :],
            lambda: data[:at] + data[at:end] * 2 + data[end:] if dice.random() < 0.6 else (data * 99)[: 1 << 20],
            lambda: data[:at] + TEXTS[dice.choice(list(TEXTS))](dice)[dice.randrange(99) :] + data[end:],
            *[lambda: data[: word.start()] + token + data[word.end() :] if word else data + token] * 4,
        )
    )()
    return mutated(dice, data, 0.7)


def dumped(dice: Random, tree: Any) -> bytes:
    """A tree as JSON, filled and a little twisted, written in one of the usual ways."""
    tree, escaped = json.loads(filled(dice, json.dumps(tree, default=str))), dice.random() < 0.5
    for _ in range(dice.choice((0, 0, 1, 3, 8))):
        tree = twisted(dice, tree)
    text = json.dumps(tree, ensure_ascii=escaped, indent=dice.choice((None, 1)), default=str)
    return text.encode("utf-8", "surrogatepass")


def delimited(dice: Random, delimiter: str) -> bytes:
    """Rows as delimited text."""
    rows, text, ending = rows_of(dice, flat=True), io.StringIO(), dice.choice(("\n", "\r\n", "\r"))
    writer = csv.writer(text, delimiter=delimiter, quoting=dice.choice((0, 1)), lineterminator=ending)
    writer.writerows([list(rows[0]), *([row.get(name) for name in rows[0]] for row in rows)])
    encoding = dice.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-32"))
    return text.getvalue().encode(encoding, "surrogatepass" if "utf" in encoding else "replace")


def workbook(dice: Random) -> bytes:
    """A workbook, often with one of its inner files damaged and packed again."""
    book, stream, packed, rows = openpyxl.Workbook(), io.BytesIO(), io.BytesIO(), rows_of(dice, flat=True)
    for row in [list(rows[0])] + [list(row.values()) for row in rows]:
        texts = [re.sub(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]", "", str(cell))[:32_000] for cell in row]
        book.active.append([cell if isinstance(cell, float) else text for cell, text in zip(row, texts)])
    book.save(stream)
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(packed, "w") as new:
        chosen = dice.choice([*old.namelist(), *["xl/worksheets/sheet1.xml"] * 9])
        for name in old.namelist():
            new.writestr(name, mutated(dice, old.read(name), 0.5 * (name == chosen)))
    return packed.getvalue()


def table_file(dice: Random, kind: str) -> bytes:
    """A Parquet file, an Arrow file or a stream, with columns of many types and values at the edges of each."""
    stream, columns, rows = io.BytesIO(), dict[str, Any](), rows_of(dice)
    numbers = pa.array(dice.choices((0, 1, -1, 2**31, -(2**62), 2**62, 10**11, None), k=len(rows)), pa.int64())
    wild: list[Any] = [pa.timestamp(unit, zone) for unit in ("s", "us", "ns") for zone in (None, "+14:00", "No/Where")]
    wild += [pa.duration("ns"), pa.time64("us"), pa.time64("ns"), pa.date64(), pa.uint64(), pa.string(), pa.string()]
    for name in (*rows[0], *dice.choices(("text", "label", "image", ""), k=2)):
        odd, how, chosen = dice.choice(ODD), dice.random(), dice.choice(wild)
        try:
            cells = [row.get(name) if how < 0.7 else dice.choice((odd, None)) for row in rows]
            source = pa.array([b"\xff\xed"] * len(rows)) if chosen == pa.string() else numbers
            columns[name] = pa.array(cells) if how < 0.8 else source.view(chosen)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            columns[name] = numbers
    classes = {name: {"_type": "ClassLabel", "names": dice.choice((["x", "y"], [], {"a": 1}))} for name in columns}
    note = {b"huggingface": dumped(dice, {"info": {"features": classes}})} if dice.random() < 0.3 else None
    try:
        table = pa.table(columns).replace_schema_metadata(note)
        if kind == "parquet":
            pa.parquet.write_table(table, stream, row_group_size=dice.choice((2, 1_000)))
        else:
            with dice.choice((pa.ipc.new_file, pa.ipc.new_stream))(stream, table.schema) as writer:
                writer.write_table(table, max_chunksize=7)
    except (pa.ArrowException, UnicodeError):  # what Parquet cannot hold, or a name that is no text
        return table_file(dice, kind)
    return stream.getvalue()


def boxes(dice: Random, reader: str) -> dict[str, bytes]:
    """Tiny images with boxes in the COCO or the YOLO layout; the file that says most comes first."""
    texts = {"coco": ("train.json", dumped(dice, COCO)), "yolo": ("data.yaml", (YAML + dice.choice(NAMES)).encode())}
    files = dict([texts[reader] if dice.random() < 0.9 else ("classes.txt", b"cat\ndog\nx y\n")])
    for name in ("a", "b", "train/a", "train/b", "val/a"):
        image, kind = Image.new("RGB", (dice.randint(1, 40), 30)), dice.choice(("PNG", "JPEG", "GIF", "WEBP"))
        image.save(stream := io.BytesIO(), kind)
        files |= {f"images/{name}.png": stream.getvalue(), f"labels/{name}.txt": filled(dice, BOXES).encode()}
    for name in dice.choices([*files, *[next(iter(files))] * 9], k=2):
        files[name] = mutated(dice, files[name], 0.5)
    return files


def made(seed: int, number: int, reader: str) -> tuple[dict[str, bytes], str]:
    """The files of one attempt, and which of them is named; an empty name stands for their folder."""
    dice = Random(f"{seed} {number} {reader}")
    if reader in ("coco", "yolo"):
        return (files := boxes(dice, reader)), dice.choice(("", *[next(iter(files))] * 2))
    kind = dice.choice(list(TEXTS)) if reader in ("gz", "zip") else reader
    data = TEXTS[kind](dice) if kind in TEXTS else workbook(dice) if kind == "xlsx" else table_file(dice, kind)
    data, name = mutated(dice, data, 0.8 if kind in TEXTS else 0.3), f"data.{'json' if kind == 'squad' else kind}"
    if reader in ("gz", "zip"):
        with zipfile.ZipFile(stream := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        packed = gzip.compress(data, 1) if reader == "gz" else stream.getvalue()
        data, name = mutated(dice, packed, 0.3), f"{name}.{reader}"
    return {name: data}, name


def judge(profile: Any, last: bool = True) -> None:
    """Raise AssertionError for a profile that says what no profile may say."""
    assert isinstance(profile, DatasetProfile), "no profile"
    try:  # as `check --json` and the run folder write it, for others to read: no NaN, no half characters
        json.dumps(profile.to_json(), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise AssertionError(f"not to be written as JSON: {type(error).__name__} {error}"[:60]) from error
    for found in (*profile.errors, *profile.warnings):
        assert all(isinstance(each, str) and each.strip() for each in vars(found).values()), f"empty in {found.code}"
    if last:
        assert 0 <= (profile.usable_rows or 0) <= (profile.rows or 0), "more usable rows than rows"
        assert not profile.ok or (profile.usable_rows and profile.task), "ok without a task or a usable row"


def tried(folder: Path, files: dict[str, bytes], request: CheckRequest) -> tuple[str, str, str]:
    """How the check of these files ended, in a word; where and with what when it should not have ended so."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # which no `except Exception` keeps
    signal.alarm(SECONDS_A_CHECK)
    try:
        judge(profile := check(request))
        return "fine" if profile.ok else "errors", "", ""
    except UsageError:
        return "usage", "", ""
    except (Exception, KeyboardInterrupt) as error:
        frames = [each for each in traceback.extract_tb(error.__traceback__) if "/backends/" in each.filename]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        said = f"{type(error).__name__} {error if isinstance(error, AssertionError) else place}"
        return "finding", said, traceback.format_exc()
    finally:
        signal.alarm(0)


def smaller(folder: Path, files: dict[str, bytes], request: CheckRequest, said: str) -> None:
    """Leave out pieces as long as the same goes wrong, for some seconds; what is left stays in the folder."""
    end = time.monotonic() + (0 if said.startswith("KeyboardInterrupt") else 15)
    for name in sorted(files, key=lambda name: len(files[name])):
        step = len(files[name])
        while (step := step // 2) and time.monotonic() < end:
            for at in range(len(files[name]) - step, -1, -step):
                fewer = {**files, name: files[name][:at] + files[name][at + step :]}
                files = fewer if time.monotonic() < end and tried(folder, fewer, request)[1] == said else files
    tried(folder, files, request)


def attempt(given: argparse.Namespace, number: int, reader: str, folder: Path) -> list[tuple[str, float, str]]:
    """Make one file and check it, also for some tasks: the outcome, the seconds and what was wrong, each time."""
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES_OF_DATA, BYTES_OF_DATA))
    results, dice, (files, target) = [], Random(number), made(given.seed, number, reader)
    for task in (None, *dice.sample([task.id for task in TASK_DATA], 3)):
        options = PreparationOptions(dice.choice(("drop-empty", "drop", "stop")), *dice.choices((True, False), k=2))
        request = CheckRequest(folder / target, task, preparation=options, on_first=lambda found: judge(found, False))
        began = time.monotonic()
        outcome, said, told = tried(folder, files, request)
        results.append((outcome, time.monotonic() - began, said))
        kept = given.out / re.sub(r"\W+", "-", f"{reader} {said}")[:90]
        if outcome == "finding" and not kept.exists():
            smaller(folder, files, request, said)
            shutil.copytree(folder, kept)
            (kept / "finding.txt").write_text(f"seed {given.seed} file {number} {task} {target} {options}\n\n{told}")
    return results


def main() -> int:
    """Try files until the time is over."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--reader", action="append", choices=READERS)
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    given = parser.parse_args()
    readers, began, number, slowest, pool = given.reader or READERS, time.monotonic(), 0, (0.0, ""), None
    outcomes, findings = {reader: Counter[str]() for reader in readers}, Counter[str]()
    with tempfile.TemporaryDirectory() as top:
        while time.monotonic() < began + given.minutes * 60:
            reader, folder = readers[number % len(readers)], Path(top, "near", "case")
            pool = pool or ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
            try:
                results = pool.submit(attempt, given, number, reader, folder).result(SECONDS_A_FILE)
            except (BrokenProcessPool, TimeoutError) as error:
                for child in multiprocessing.active_children():
                    child.kill()
                shutil.copytree(folder, given.out / f"died-{given.seed}-{number}", dirs_exist_ok=True)
                results, pool = [("finding", 0.0, f"the process died or hung: {type(error).__name__}")], None
            for outcome, seconds, said in results:
                slowest = max(slowest, (seconds, f"file {number}, {reader}"))
                outcomes[reader][outcome] += 1
                findings[f"{reader}: {said}"] += outcome == "finding"
            outcomes[reader]["files"] += 1
            number += 1
            if number % 2_000 == 0:
                print(f"{number:,} files, {number / (time.monotonic() - began):.0f} a second", flush=True)
    for reader, counts in outcomes.items():
        print(f"{reader:8}", ", ".join(f"{counts[name]:,} {name}" for name in sorted(counts)))
    print(f"seed {given.seed}, {number:,} files; the slowest check took {slowest[0]:.1f} s: {slowest[1]}")
    told = [f"{count} x {said}" for said, count in findings.most_common() if count]
    print("\n".join(told) or "no finding")
    return 1 if told else 0


if __name__ == "__main__":
    raise SystemExit(main())
