"""Whether a monitor that is left open grows: python benchmarks/monitor_memory.py [--json]

A run of 24 hours with an event a second is replayed at speed into an open monitor, 120x40: memory after the first hour
and at the end. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import tempfile
import time
from pathlib import Path

import psutil
from home_idle import make_finished_run
from measuring import SIZE, Figure, at_most, child_environment, forge_command, report, start_on_terminal

from backends.contract import RunFiles
from forge_tui.runs.lock import take_lock

HOUR = 3600
HOURS = 24
QUIET_SECONDS = 4.0


def append_hour(files: RunFiles, hour: int) -> None:
    """Write an hour of events: a step a second with six metrics, and a notice each minute."""
    with files.events.open("a") as stream:
        for second in range(HOUR):
            step = hour * HOUR + second + 1
            values = {name: 1 / (step + at) for at, name in enumerate(("loss", "eval_loss", "f1", "a", "b", "c"))}
            event = {"t": 1e9 + step, "kind": "metrics", "step": step, "total_steps": HOURS * HOUR, "values": values}
            stream.write(json.dumps(event) + "\n")
            if second % 60 == 0:
                told = {"t": 1e9 + step, "kind": "notice", "level": "info", "message": f"minute {step // 60}"}
                stream.write(json.dumps(told) + "\n")


def drain(terminal: int, seconds: float) -> None:
    """Take what the monitor paints for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            os.read(terminal, 1 << 16)


def settled(terminal: int, child: psutil.Process) -> int:
    """The memory of the monitor once it has read everything, which is when it hardly uses the processor."""
    while True:
        before = sum(child.cpu_times()[:2])
        drain(terminal, QUIET_SECONDS)
        if sum(child.cpu_times()[:2]) - before < QUIET_SECONDS * 0.1:
            memory: int = child.memory_info().rss
            return memory


def measure() -> list[Figure]:
    """Memory after an hour and after a day."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "runs").mkdir()
        run = make_finished_run(home / "runs", 1)
        files = RunFiles(home / "runs" / run)
        files.exit.unlink()
        files.events.unlink()
        lock = take_lock(files.lock)
        append_hour(files, 0)
        child, terminal = start_on_terminal(
            [*forge_command(), "watch", run], SIZE, child_environment(FORGE_HOME=str(home))
        )
        try:
            drain(terminal, QUIET_SECONDS)
            process = psutil.Process(child.pid)
            first = settled(terminal, process)
            for hour in range(1, HOURS):
                append_hour(files, hour)
                drain(terminal, 0.2)
            last = settled(terminal, process)
        finally:
            child.kill()
            child.wait()
            os.close(terminal)
            os.close(lock)
    return [
        Figure("memory after the first hour", first / 2**20, "MiB"),
        at_most("24 hours of events: memory at the end", last / 2**20, "MiB", 150),
        at_most("the same: more than after the first hour", (last - first) / 2**20, "MiB", 2),
    ]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    report(measure(), parser.parse_args().json)


if __name__ == "__main__":
    main()
