"""A model for tests of the screens that ask one: started as `trainer_python`, `<script> -m backends.X <folder> ...`.

`fake.json` in the run folder says what it does:

    rows     lines that `backends.held_out_rows` prints
    answers  answers in turn; one that is {"die": N} ends it by signal N, {"error": {...}} is told as its last line
    hold     places to wait at until the file `go <place>` is there: reading, loading, answering
    ready    what `backends.chat` tells when it is loaded; its answers are lists of lines, and `wait` among them waits
             for the next line on stdin, as an answer does that goes on until it is stopped

What it was asked stands in `asked.jsonl`, and its process id in `at <place>` while it waits.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

LONGEST_WAIT = 120.0
module, folder = sys.argv[2], Path(sys.argv[3])
plan = json.loads((folder / "fake.json").read_text())


def say(line: object) -> None:
    print(json.dumps(line), flush=True)


def hold(place: str) -> None:
    if place not in plan.get("hold", ()):
        return
    (folder / f"at {place}").write_text(str(os.getpid()))
    deadline = time.monotonic() + LONGEST_WAIT
    while not (folder / f"go {place}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


if module == "backends.held_out_rows":
    hold("reading")
    for row in plan.get("rows", ()):
        say(row)
    sys.exit(0)
hold("loading")
print("words of a library", file=sys.stderr)
say({"ready": {"device": "CPU", **plan.get("ready", {})}})
answers = iter(plan.get("answers", ()))
for line in sys.stdin:
    with (folder / "asked.jsonl").open("a") as stream:
        stream.write(line)
    hold("answering")
    answer = next(answers)
    if isinstance(answer, list):
        for piece in answer:
            if piece == "wait":
                with (folder / "asked.jsonl").open("a") as stream:
                    stream.write(sys.stdin.readline())
            else:
                say(piece)
        continue
    if "die" in answer:
        os.kill(os.getpid(), answer["die"])
    say(answer)
    if "error" in answer:
        sys.exit(1)
