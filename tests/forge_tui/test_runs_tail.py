"""Growing files are read in whole lines, block by block: a log of any size costs the same memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_tui.runs.tail import LineTail, last_events, new_events, parse_event

RUN = "20260102-030405-tabular-classification-0001"
HUGE = 200 << 20
# What the interpreter and the libraries of the command line take, and far less than the log.
MEMORY = 128 << 20
FINISHED = {"t": 1.0, "kind": "finished", "metrics": {}, "baseline": {}, "model_path": "model"}


def everything(tail: LineTail, most: int) -> list[bytes]:
    lines = tail.read(most)
    while tail.behind:
        lines += tail.read(most)
    return lines


@settings(deadline=None, max_examples=60)
@given(
    pieces=st.lists(st.binary(max_size=40).map(lambda piece: piece.replace(b"\r", b"\n")), max_size=12),
    most=st.integers(1, 64),
)
def test_no_line_is_lost_doubled_or_cut(tmp_path_factory: Any, pieces: list[bytes], most: int) -> None:
    path: Path = tmp_path_factory.mktemp("tail") / "log"
    tail = LineTail(path)
    assert tail.read(most) == []
    read: list[bytes] = []
    with path.open("ab", buffering=0) as stream:
        for piece in pieces:
            stream.write(piece)
            read += everything(tail, most)
    *whole, rest = b"".join(pieces).split(b"\n")
    assert read == whole
    assert tail.unfinished == rest


@settings(deadline=None, max_examples=60)
@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=9), end=st.integers(0)
)
def test_from_the_end_only_whole_lines_are_given(tmp_path_factory: Any, lines: list[bytes], end: int) -> None:
    path: Path = tmp_path_factory.mktemp("tail") / "log"
    content = b"".join(line + b"\n" for line in lines)
    path.write_bytes(content)
    read = LineTail(path, from_end=end).read()
    assert read == lines[len(lines) - len(read) :]
    if end >= len(content):
        assert read == lines


def test_a_line_that_never_ends_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as stream:
        stream.truncate(20 << 20)
    tail = LineTail(path)
    assert everything(tail, 1 << 20) == []
    assert len(tail.unfinished) <= 1 << 20


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b"1", b'{"kind": 3}', b'{"t": 1}', b"\xff\xfe", b"[" * 30_000, b"\0" * 10]
)
def test_a_line_that_is_no_event_is_skipped(tmp_path: Path, line: bytes) -> None:
    assert parse_event(line) is None
    path = tmp_path / "events.jsonl"
    good = json.dumps(FINISHED).encode()
    path.write_bytes(good + b"\n" + line + b"\n" + good + b"\n")
    assert list(new_events(LineTail(path))) == [FINISHED, FINISHED]
    assert last_events(path) == [FINISHED, FINISHED]


def test_half_an_event_is_left_for_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = LineTail(path)
    line = json.dumps(FINISHED).encode()
    path.write_bytes(line[:9])
    assert list(new_events(tail)) == []
    with path.open("ab") as stream:
        stream.write(line[9:] + b"\n")
    assert list(new_events(tail)) == [FINISHED]


def in_little_memory(home: Any, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A command that may use far less memory than the file it reads."""
    return subprocess.run(
        [sys.executable, "-m", "forge_tui", *arguments],
        env=home.variables(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )


def test_a_huge_log_of_many_lines_is_printed_block_by_block(home: Any) -> None:
    files = home.fabricate(RUN, exit={})
    block = b"." * ((1 << 20) - 6) + b"\rlast\n"
    with files.log.open("wb") as stream:
        for _ in range(HUGE >> 20):
            stream.write(block)
    told = in_little_memory(home, "logs", "last")
    assert (told.returncode, told.stderr) == (0, b"")
    assert told.stdout == b"last\n" * (HUGE >> 20)


def test_a_huge_log_without_line_ends_is_printed_in_bounded_memory(home: Any) -> None:
    files = home.fabricate(RUN, exit={})
    with files.log.open("wb") as stream:
        stream.truncate(HUGE)
        stream.seek(0, 2)
        stream.write(b"\rdone")
    told = in_little_memory(home, "logs", "last")
    assert (told.returncode, told.stdout, told.stderr) == (0, b"done\n", b"")


def test_a_huge_event_log_is_summed_up_from_its_end(home: Any) -> None:
    files = home.fabricate(RUN, exit={})
    with files.events.open("wb") as stream:
        stream.truncate(HUGE)
        stream.seek(0, 2)
        stream.write(b"\n" + json.dumps(FINISHED).encode() + b"\n")
    for command in (("show", "last", "--json"), ("runs", "--json")):
        told = in_little_memory(home, *command)
        assert told.returncode == 0, told.stderr
        content = json.loads(told.stdout)
        assert (content if isinstance(content, dict) else content[0])["status"] == "finished"


def test_a_log_is_followed_to_the_end_of_its_run(home: Any, wait: Callable[..., Any]) -> None:
    files = home.begin({"words": "first words"})
    with subprocess.Popen(
        [sys.executable, "-m", "forge_tui", "logs", "last", "-f"], env=home.variables(), stdout=subprocess.PIPE
    ) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"first words\n"
        with files.log.open("ab") as stream:
            stream.write(b"more \x1b[31mwords\x1b[0m\n")
        assert follower.stdout.readline() == b"more words\n"
        home.release(files)
        assert follower.wait(timeout=60) == 0
