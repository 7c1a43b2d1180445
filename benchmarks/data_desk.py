"""What it costs to check large data: python benchmarks/data_desk.py [--quick] [--rows N] [--csv-bytes N] [--json]

Makes a JSONL of chats (1,000,000 rows, 500 MB), a CSV of mixed columns (2 GB) and a Parquet of the first of its rows, a
few faults in each. Measures `forge-tui check` on them, every time in a process of its own: the JSONL to the end against
`json.loads` of every line and nothing else, the CSV to the end against `csv.reader`, the memory of both, and the time
from the start of the process until format, columns and first rows were printed. The files stay in the folder for the
next time with --keep. Exits 1 when a target is missed. 1 MB is 1,000,000 bytes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import Figure, Pairs, against, at_most, child_environment, forge_command, interleave, report

MOST_TIMES_JSON = 3.0
MOST_MEMORY = 400.0
MOST_FIRST_ANSWER = 1.0
PARQUET_ROWS = 1_000_000
ROW_GROUP = 100_000
MEGABYTE = 1_000_000

JSON_ALONE = """
import json, sys
for line in open(sys.argv[1], "rb"):
    try:
        json.loads(line)
    except ValueError:
        pass
"""
CSV_ALONE = """
import csv, sys
for cells in csv.reader(open(sys.argv[1], encoding="utf-8", errors="replace", newline="")):
    pass
"""

# --- the data ----------------------------------------------------------------------------------------------------

COLUMNS = (
    "id", "account", "opened", "country", "device", "visits", "spent", "discount", "latitude", "longitude", "subject",
    "comment", "outcome",
)  # fmt: skip
COUNTRIES = (
    "Austria Belgium Chile Denmark Estonia Finland Greece Hungary Ireland Japan Kenya Latvia Mexico Norway".split()
)
DEVICES = ("phone", "laptop", "tablet", "console")
OUTCOMES = ("stays", "leaves", "returns", "unsure")
SYLLABLES = "ba co di fu ga ho ki le mo nu pa ro si ta ve wi ya zo ste tran pli kor men ler ing ous".split()
FOREIGN = ("café", "Größe", "niño", "déjà", "naïve", "Übung", "東京", "привет", "señal", "façade")


class Phrases:
    """Made-up sentences, the same at every run; one in 25 has letters beyond ASCII."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        words = ["".join(self.dice.choices(SYLLABLES, k=self.dice.randint(1, 4))) for _ in range(5_000)]
        self.pool = [self._sentence(words, number) for number in range(20_000)]

    def _sentence(self, words: Sequence[str], number: int) -> str:
        chosen = self.dice.choices(words, k=self.dice.randint(6, 14))
        if not number % 25:
            chosen[0] = self.dice.choice(FOREIGN)
        if not number % 7:
            chosen[1] = f'"{chosen[1]}",'
        return " ".join(chosen).capitalize() + "."

    def some(self, count: int, between: str = " ") -> str:
        """So many sentences."""
        return between.join(self.dice.choices(self.pool, k=count))


def chat_lines(rows: int) -> Iterator[str]:
    """Lines of JSON, each a question and an answer; all different but for the faults that are told in `_chat_fault`."""
    phrases = Phrases(1)
    for number in range(rows):
        question = f"{phrases.some(2)} Case {number}?"
        answer = phrases.some(4, "\n" if number % 3 else " ")
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        fault = number % 10_007
        if fault < 6 and number >= 3_000:
            yield _chat_fault(fault, turns)
        else:
            yield json.dumps({"messages": turns}, ensure_ascii=False)


def _chat_fault(kind: int, turns: list[dict[str, str]]) -> str:
    """A line cut short, an empty answer, an assistant who begins, a role by another name, no object, the same row."""
    whole = json.dumps({"messages": turns}, ensure_ascii=False)
    if kind == 0:
        return whole[: len(whole) // 2]
    if kind == 1:
        return json.dumps({"messages": [turns[0], {"role": "assistant", "content": ""}]})
    if kind == 2:
        return json.dumps({"messages": turns[::-1]}, ensure_ascii=False)
    if kind == 3:
        return json.dumps({"messages": [turns[0], {"role": "bot", "content": turns[1]["content"]}]})
    same = {"messages": [{"role": "user", "content": "Again?"}, {"role": "assistant", "content": "Yes, again."}]}
    return "[1, 2, 3]" if kind == 4 else json.dumps(same)


def table_rows() -> Iterator[list[Any]]:
    """Rows of COLUMNS without end."""
    phrases = Phrases(2)
    draw, pick = phrases.dice.random, phrases.dice.choice
    number = 0
    while True:
        number += 1
        yield [
            number,
            f"K{number * 7919 % 100_000_007:08d}",
            f"20{10 + number % 15}-{1 + number % 12:02d}-{1 + number % 28:02d}",
            pick(COUNTRIES),
            pick(DEVICES),
            int(draw() * 400),
            round(draw() * 5_000, 2),
            round(draw() * 0.5, 4),
            round(draw() * 180 - 90, 5),
            round(draw() * 360 - 180, 5),
            pick(phrases.pool)[:24],
            f"{pick(phrases.pool)[:-1]} {number}.",
            OUTCOMES[int(draw() * draw() * 4)],
        ]


def with_fault(kind: int, cells: list[Any]) -> list[Any]:
    """A row with a cell too many, one too few, no cells, a word for a number, no label, a label written otherwise."""
    if kind < 3:
        return [[*cells, "one more"], cells[:-1], [""] * len(cells)][kind]
    changed = list(cells)
    column, value = {3: (6, "n/a"), 4: (5, "many"), 5: (12, ""), 6: (12, "Stays "), 7: (11, "Two\nlines.")}[kind]
    changed[column] = value
    return changed


def make_chats(path: Path, rows: int) -> None:
    """Write the JSONL."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(line + "\n" for line in chat_lines(rows))


def make_table(path: Path, size: int) -> None:
    """Write the CSV until it has so many bytes."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, cells in enumerate(table_rows()):
            fault = number % 100_003
            writer.writerow(with_fault(fault, cells) if fault < 8 and number >= 3_000 else cells)
            if not number % 1_000 and stream.tell() >= size:
                return


def make_parquet(path: Path, rows: int) -> None:
    """Write the first rows of the table, without the faults of the CSV, as Parquet in row groups."""
    import pyarrow
    import pyarrow.parquet

    writer = None
    source = table_rows()
    for start in range(0, rows, ROW_GROUP):
        group = [next(source) for _ in range(min(ROW_GROUP, rows - start))]
        table = pyarrow.table(dict(zip(COLUMNS, map(list, zip(*group)))))
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=ROW_GROUP)
    if writer is not None:
        writer.close()


@dataclass(frozen=True)
class Files:
    """Where the data is, each file named by how large it was asked to be."""

    folder: Path
    rows: int
    csv_bytes: int

    @property
    def chats(self) -> Path:
        """The JSONL."""
        return self.folder / f"chats-{self.rows}.jsonl"

    @property
    def table(self) -> Path:
        """The CSV."""
        return self.folder / f"table-{self.csv_bytes}.csv"

    @property
    def parquet(self) -> Path:
        """The Parquet."""
        return self.folder / f"table-{self.csv_bytes}.parquet"

    def make(self) -> None:
        """Make what is not there yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        makers: tuple[tuple[Path, Callable[[Path], None]], ...] = (
            (self.chats, lambda path: make_chats(path, self.rows)),
            (self.table, lambda path: make_table(path, self.csv_bytes)),
            # A row takes about 200 bytes of CSV.
            (self.parquet, lambda path: make_parquet(path, min(PARQUET_ROWS, max(10_000, self.csv_bytes // 200)))),
        )
        for path, maker in makers:
            if not path.exists():
                print(f"making {path}", file=sys.stderr)
                part = path.with_name(path.name + ".part")
                maker(part)
                part.replace(path)

    def delete(self) -> None:
        """Delete the files, and the folder when nothing else is in it."""
        for path in (self.chats, self.table, self.parquet):
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


# --- the measurements --------------------------------------------------------------------------------------------


@dataclass
class Ended:
    """A process that ran to its end."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


def run(command: Sequence[str], environment: Mapping[str, str], accepted: Sequence[int]) -> Ended:
    """Run a command to its end, its output thrown away; the peak is the kernel's own figure of it."""
    with tempfile.TemporaryFile() as told:
        began = time.monotonic()
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=told
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in accepted:
            told.seek(0)
            what = f"{' '.join(command)} ended with exit code {child.returncode}"
            raise SystemExit(f"{what}:\n{told.read()[-4000:].decode(errors='replace')}")
    return Ended(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MEGABYTE)


def check_command(path: Path) -> list[str]:
    """The real command, as a person types it."""
    return [*forge_command(), "check", str(path)]


@dataclass
class Checked:
    """Checks to the end against bare readings of the same file: seconds, processor time and the highest peak in MB."""

    wall: Pairs
    cpu: Pairs
    peak: float


def check_pairs(path: Path, alone: str, environment: Mapping[str, str], pairs: int) -> Checked:
    """Check a file and read it alone, in turn."""
    ended: dict[str, list[Ended]] = {"checked": [], "alone": []}

    def measure(name: str, command: Sequence[str], accepted: Sequence[int]) -> float:
        ended[name].append(run(command, environment, accepted))
        return ended[name][-1].seconds

    wall = interleave(
        lambda: measure("checked", check_command(path), (0, 3)),
        lambda: measure("alone", [sys.executable, "-c", alone, str(path)], (0,)),
        pairs,
    )
    ours, other = (tuple(one.cpu_seconds for one in ended[name][1:]) for name in ("checked", "alone"))
    return Checked(wall, Pairs(ours, other), max(one.peak_megabytes for one in ended["checked"]))


def first_answer(path: Path, environment: Mapping[str, str]) -> float:
    """Seconds from the start of the command until format, columns and a row of the preview came through a pipe."""
    is_row = re.compile(r"(row|line) \d+: ")
    is_role = re.compile(r"\w+ = ")
    began = time.monotonic()
    with subprocess.Popen(
        check_command(path),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        assert child.stdout is not None
        lines: list[str] = []
        try:
            for line in child.stdout:
                lines.append(line)
                if is_row.match(line) and lines[0].startswith(path.name) and any(map(is_role.match, lines)):
                    return time.monotonic() - began
        finally:
            child.kill()
    raise SystemExit(f"forge-tui check {path} printed no first answer:\n{''.join(lines)}")


def first_answers(files: Sequence[Path], environment: Mapping[str, str], rounds: int) -> dict[Path, list[float]]:
    """The first answers for all files in turn, as often as is asked, after one round to warm up."""
    found: dict[Path, list[float]] = {path: [] for path in files}
    for number in range(rounds + 1):
        for path in files:
            seconds = first_answer(path, environment)
            if number:
                found[path].append(seconds)
    return found


def measured(files: Files, options: argparse.Namespace, environment: Mapping[str, str]) -> list[Figure]:
    """All figures, the quick ones first."""
    kinds = {files.chats: "JSONL", files.table: "CSV", files.parquet: "Parquet"}
    sizes = {path: path.stat().st_size / MEGABYTE for path in kinds}
    figures = [Figure(f"{kind}: size", sizes[path], "MB") for path, kind in kinds.items()]
    for path, seconds in first_answers(list(kinds), environment, options.rounds).items():
        name = f"{kinds[path]}: first answer"
        figures.append(at_most(name, statistics.median(seconds), "s", MOST_FIRST_ANSWER))
        figures.append(Figure("  slowest", max(seconds), "s"))
    chats = check_pairs(files.chats, JSON_ALONE, environment, options.pairs)
    figures += [
        *against("JSONL: full check", chats.wall, "  json.loads of every line"),
        at_most("  ratio", chats.wall.ratio, "times", MOST_TIMES_JSON),
        Figure("  ratio of processor time", chats.cpu.ratio, "times"),
        at_most("  peak memory", chats.peak, "MB", MOST_MEMORY),
    ]
    table = check_pairs(files.table, CSV_ALONE, environment, options.csv_pairs)
    figures += [
        *against("CSV: full check", table.wall, "  csv.reader alone"),
        Figure("  speed", sizes[files.table] / statistics.median(table.wall.ours), "MB/s"),
        Figure("  ratio", table.wall.ratio, "times"),
        Figure("  ratio of processor time", table.cpu.ratio, "times"),
        at_most("  peak memory", table.peak, "MB", MOST_MEMORY),
    ]
    return figures


def main() -> None:
    """Make the data, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="rows of the JSONL (default 1,000,000)")
    parser.add_argument("--csv-bytes", type=int, help="size of the CSV (default 2,000,000,000)")
    parser.add_argument("--quick", action="store_true", help="50,000 rows and 100 MB, to see that it works")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs for the JSONL (default 5)")
    parser.add_argument(
        "--csv-pairs", type=int, default=1, help="interleaved pairs for the CSV (default 1: minutes each)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="first answers of each file (default 7)")
    parser.add_argument("--folder", type=Path, help="where the data is made (default: the folder for temporary files)")
    parser.add_argument("--keep", action="store_true", help="leave the data there for the next time")
    parser.add_argument("--make-only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    files = Files(
        options.folder or Path(tempfile.gettempdir()) / "forge-data-desk",
        options.rows or (50_000 if options.quick else 1_000_000),
        options.csv_bytes or (100 * MEGABYTE if options.quick else 2_000 * MEGABYTE),
    )
    if options.make_only:
        files.make()
        return
    try:
        # In another process: what this one has in memory when it starts a child counts in the peak of the child.
        size = ["--rows", str(files.rows), "--csv-bytes", str(files.csv_bytes), "--folder", str(files.folder)]
        subprocess.run([sys.executable, __file__, "--make-only", *size], check=True)
        with tempfile.TemporaryDirectory() as home:
            figures = measured(files, options, child_environment(FORGE_HOME=home))
    finally:
        if not options.keep and files.folder.is_dir():
            files.delete()
    report(figures, options.json)


if __name__ == "__main__":
    main()
