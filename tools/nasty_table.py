"""Writes what the program says about broken files into docs/data.md: python tools/nasty_table.py FOLDER

FOLDER holds the files and a README.md whose table tells for each of them where it comes from and what a good tool
should say. Runs `forge-tui check` on every one, with a limit of time and memory, and puts the table in its place.
Exits 1 on a traceback, a hang, or an exit code other than 0 and 3; which ones is told on stderr.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LIMIT_SECONDS = 60
LIMIT_BYTES = 4 << 30
ACCEPTED = (0, 3)
# What a cell shows; an entry with many findings shows so much of each of them.
SHOWN_CHARACTERS = 300
SHOWN_OF_LINE = 90
_FIX = re.compile(r"\]\. [A-Z](?!.*\]\. [A-Z]).*$")
_MARKS = ("✗ ", "! ", "repaired ", "error: ", "  why: ", "  fix: ")

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "data.md"
BEGIN, END = "<!-- nasty table -->\n", "<!-- end of nasty table -->"
TABLE = """\
{count} entries, each checked without further options, within {seconds} s and {gigabytes} GB. ✗ marks what stops a
run, ! what is worth knowing; exit code 0 means that the data can be used, 3 that it has errors. What to do about it,
which every line ends with, is left out here, and long lines are cut.

| file | wanted | exit code | printed |
|---|---|---|---|
{rows}
"""


@dataclass(frozen=True)
class Entry:
    """One line of the folder's table: what to check and what should be said of it."""

    name: str
    wanted: str

    @property
    def path(self) -> str:
        """The file or folder itself, without what the table adds in brackets."""
        return re.sub(r"\s*\(.*\)$", "", self.name).rstrip("/")


@dataclass(frozen=True)
class Answer:
    """How a check ended: its exit code, None after a hang, and all that it printed."""

    code: int | None
    output: str

    @property
    def fault(self) -> str | None:
        """What no check may end with, else None."""
        if self.code is None:
            return f"did not end within {LIMIT_SECONDS} s"
        if "Traceback (most recent call last)" in self.output:
            return "ended with a traceback"
        return None if self.code in ACCEPTED else f"ended with exit code {self.code}"

    @property
    def told(self) -> list[str]:
        """What the data is, in the words of the first line, and the lines that judge it."""
        first, *lines = self.output.splitlines() or [""]
        judged = [first.rpartition(": ")[2]]
        judged += [_FIX.sub("]", line.strip()) for line in lines if line.startswith(_MARKS)]
        if sum(map(len, judged)) > SHOWN_CHARACTERS:
            most = max(SHOWN_OF_LINE, SHOWN_CHARACTERS // len(judged))
            judged = [shortened(line, most) for line in judged]
        return judged


def shortened(text: str, most: int) -> str:
    """At most so many characters, cut between words."""
    return text if len(text) <= most else text[:most].rpartition(" ")[0] + " …"


def entries(folder: Path) -> Iterator[Entry]:
    """The lines of the table in the folder's README.md."""
    is_table = False
    for line in (folder / "README.md").read_text(encoding="utf-8").splitlines():
        cells = line.split(" | ", 2)
        if is_table and len(cells) == 3:
            yield Entry(cells[0].strip(), cells[2].strip())
        is_table = is_table or line.startswith("---")


def checked(folder: Path, entry: Entry, home: str) -> Answer:
    """Run the command on one entry, from within the folder; its path is taken out of what was printed."""
    script = Path(sys.executable).with_name("forge-tui")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "forge_tui"]
    environment = {**os.environ, "FORGE_HOME": home, "PYTHONIOENCODING": "utf-8"}
    limit = (LIMIT_BYTES, LIMIT_BYTES)
    code: int | None
    try:
        ended = subprocess.run(
            [*command, "check", entry.path],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_SECONDS,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
        )
    except subprocess.TimeoutExpired as error:
        code, output = None, error.stdout or b""
    else:
        code, output = ended.returncode, ended.stdout
    return Answer(code, output.decode(errors="replace").replace(f"{folder}/", ""))


def cell(text: str, is_markdown: bool = False) -> str:
    """A text as a cell of a table; unless it is Markdown itself, nothing in it means anything but itself."""
    if not is_markdown:
        text = re.sub(r"([\\`*~<])", r"\\\1", text)
    return " ".join(text.replace("|", "\\|").split())


def main() -> None:
    """Check every entry, write the table, tell what failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder with the files and their README.md")
    parser.add_argument("--full", action="store_true", help="print all that was printed, write no table")
    options = parser.parse_args()
    folder = options.folder.resolve()
    listed = list(entries(folder))
    if not listed:
        parser.error(f"{options.folder}/README.md has no table")
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda entry: checked(folder, entry, home), listed))
    if options.full:
        for entry, answer in zip(listed, answers):
            print(f"=== {entry.name}\nwanted: {entry.wanted}\n{answer.output.rstrip()}\nexit code {answer.code}\n")
    else:
        rows = [
            f"| {cell(entry.name)} | {cell(entry.wanted, is_markdown=True)} | {answer.code} "
            f"| {'<br>'.join(map(cell, answer.told))} |"
            for entry, answer in zip(listed, answers)
        ]
        gigabytes = LIMIT_BYTES >> 30
        table = TABLE.format(count=len(rows), seconds=LIMIT_SECONDS, gigabytes=gigabytes, rows="\n".join(rows))
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}", encoding="utf-8")
    faults = [(entry, answer.fault) for entry, answer in zip(listed, answers) if answer.fault is not None]
    for entry, fault in faults:
        print(f"{entry.name}: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
