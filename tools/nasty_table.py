"""Shows what the program says about files that are broken on purpose: python tools/nasty_table.py FOLDER > docs/data_nasty.md

FOLDER holds the files and a README.md whose table tells for each of them where it comes from and what a good tool
should say. Runs `forge-tui check` on every one, with a limit of time and memory, and prints a page with a table. Exits 1
on a traceback, a hang, or an exit code other than 0 and 3; which ones is told on stderr.
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
SHOWN_CHARACTERS = 300
_MARKS = ("✗ ", "! ", "error: ", "  why: ", "  fix: ")

PAGE = """\
# Broken data and what is said about it

{count} files that are broken, odd or misleading on purpose, most of them taken from the test suites of public
libraries. `python tools/nasty_table.py FOLDER` ran `forge-tui check FILE` on each of them, without further options and
with limits of {seconds} s and {gigabytes} GB, and wrote this page: ✗ marks what stops a run, ! what is worth knowing;
exit code 0 means that a run can start, 3 that the data has errors.

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
    def told(self) -> str:
        """The lines that judge the data; the first and the count of rows where nothing was to be judged."""
        lines = self.output.splitlines()
        judged = [line.strip() for line in lines if line.startswith(_MARKS)]
        if not judged:
            judged = [*lines[:1], *(line for line in lines[1:] if line.endswith("rows can be used"))]
        return shortened(" ".join(judged))


def shortened(text: str) -> str:
    """At most the characters that are shown, cut between words."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[:SHOWN_CHARACTERS].rpartition(" ")[0] + " …"


def entries(folder: Path) -> Iterator[Entry]:
    """The lines of the table in the folder's README.md."""
    is_table = False
    for line in (folder / "README.md").read_text(encoding="utf-8").splitlines():
        cells = line.split(" | ", 2)
        if is_table and len(cells) == 3:
            yield Entry(cells[0].strip(), cells[2].strip())
        is_table = is_table or line.startswith("---")


def checked(folder: Path, entry: Entry, home: str) -> Answer:
    """Run the command on one entry, from within the folder, so that no path of this machine is printed."""
    script = Path(sys.executable).with_name("forge-tui")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "forge_tui"]
    environment = {**os.environ, "FORGE_HOME": home, "PYTHONIOENCODING": "utf-8"}
    limit = (LIMIT_BYTES, LIMIT_BYTES)
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
        return Answer(None, (error.stdout or b"").decode(errors="replace"))
    return Answer(ended.returncode, ended.stdout.decode(errors="replace"))


def cell(text: str) -> str:
    """A text as a cell of a Markdown table; angle brackets in it are no HTML."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def main() -> None:
    """Check every entry, print the page, tell what failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder with the files and their README.md")
    parser.add_argument("--full", action="store_true", help="print all that was printed, no page")
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
            f"| {cell(entry.name)} | {cell(entry.wanted)} | {'none' if answer.code is None else answer.code} "
            f"| {cell(answer.told)} |"
            for entry, answer in zip(listed, answers)
        ]
        gigabytes = LIMIT_BYTES >> 30
        print(PAGE.format(count=len(rows), seconds=LIMIT_SECONDS, gigabytes=gigabytes, rows="\n".join(rows)), end="")
    faults = [(entry, answer.fault) for entry, answer in zip(listed, answers) if answer.fault is not None]
    for entry, fault in faults:
        print(f"{entry.name}: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
