"""What the monitor sends and uses while a run goes on, 120x40: python benchmarks/monitor_load.py [--seconds N] [--json]

Six plots and the event log at one update a second, then the trainer's own log at 1,000 lines a second. Exits 1 when a
target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from home_idle import make_finished_run
from measuring import SIZE, Figure, at_most, child_environment, forge_command, report, start_on_terminal

from backends.contract import RunFiles
from forge_tui.runs.lock import take_lock

SETTLE_SECONDS = 8.0


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(home: Path, run: str, keys: bytes, feed: Callable[[int], None], every: float, seconds: float) -> list[float]:
    """Bytes a second, and the share of a core, of a monitor while `feed` writes to the run."""
    environment = child_environment(FORGE_HOME=str(home))
    child, terminal = start_on_terminal([*forge_command(), "watch", run], SIZE, environment)
    stop = threading.Event()

    def write() -> None:
        count = 0
        while not stop.wait(every):
            feed(count)
            count += 1

    def drain(until: float) -> int:
        sent = 0
        while (left := until - time.monotonic()) > 0:
            if select.select([terminal], [], [], left)[0]:
                try:
                    sent += len(os.read(terminal, 1 << 16))
                except OSError:  # the child has closed its side
                    return sent
        return sent

    writer = threading.Thread(target=write, daemon=True)
    try:
        drain(time.monotonic() + SETTLE_SECONDS)
        os.write(terminal, keys)
        writer.start()
        drain(time.monotonic() + SETTLE_SECONDS / 2)
        used, began = cpu_seconds(child.pid), time.monotonic()
        sent = drain(began + seconds)
        took = time.monotonic() - began
        return [sent / took, (cpu_seconds(child.pid) - used) / took]
    finally:
        stop.set()
        child.terminate()
        drain(time.monotonic() + 0.5)
        child.kill()
        child.wait()
        os.close(terminal)


def measure(seconds: float) -> list[Figure]:
    """The figures of both."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "runs").mkdir()
        run = make_finished_run(home / "runs", 1)
        files = RunFiles(home / "runs" / run)
        files.exit.unlink()
        events = [line for line in files.events.read_text().splitlines() if '"finished"' not in line]
        files.events.write_text("\n".join(events) + "\n")
        lock = take_lock(files.lock)

        def step(count: int) -> None:
            values = {name: 1 / (count + number + 2) for number, name in enumerate(("loss", "f1", "a", "b", "c", "d"))}
            number = 701 + count
            event = {"t": time.time(), "kind": "metrics", "step": number, "total_steps": 9000, "values": values}
            told = {"t": time.time(), "kind": "notice", "level": "info", "message": f"step {number} is done"}
            with files.events.open("a") as stream:
                stream.write(json.dumps(event) + "\n" + json.dumps(told) + "\n")

        def lines(count: int) -> None:
            with files.log.open("a") as stream:
                stream.writelines(f"{count * 100 + number} step loss 0.{number} lr 1e-4\n" for number in range(100))

        plots = watch(home, run, b"", step, 1.0, seconds)
        log = watch(home, run, b"l", lines, 0.1, seconds)
        os.close(lock)
    return [
        at_most("six plots at one update a second: bytes a second", plots[0], "B/s", 15_000),
        at_most("the same: share of a core", plots[1], "", 0.05),
        Figure("a log at 1,000 lines a second: bytes a second", log[0], "B/s"),
        at_most("the same: share of a core", log[1], "", 0.05),
    ]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    report(measure(arguments.seconds), arguments.json)


if __name__ == "__main__":
    main()
