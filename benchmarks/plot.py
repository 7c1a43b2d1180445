"""CPU and bytes that one live Plot costs on a real terminal: python benchmarks/plot.py [--json]

For each number of points and terminal size, a child process runs a Textual application on a pty with one
plot of a noisy curve, and appends 10 points four times a second. The child measures its CPU time from one
update to the next, so whatever Textual spends between updates counts too; this process counts the bytes.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
import os
import pty
import random
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from dataclasses import asdict, dataclass

POINTS_AN_UPDATE = 10
UPDATES_A_SECOND = 4
SETTLE_SECONDS = 1.5
SIZES = ("120x40", "80x24")


@dataclass(frozen=True)
class Cost:
    """What one plot cost; bytes are counted after the first full paint."""

    points: int
    size: str
    updates: int
    cpu_ms_median: float
    cpu_ms_mean: float
    cpu_ms_max: float
    kb_per_second: float
    first_paint_kb: float


def measure(points: int, size: str, seconds: float) -> Cost:
    """Run the child on a pty of this size and read everything that it paints."""
    width, height = map(int, size.split("x"))
    terminal, child_side = pty.openpty()
    fcntl.ioctl(child_side, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    report, report_to = os.pipe()
    unwanted = ("COLUMNS", "LINES", "COLORTERM", "NO_COLOR")
    environment = {key: value for key, value in os.environ.items() if key not in unwanted}
    environment |= {"TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none"}
    command = [
        sys.executable,
        __file__,
        "--child",
        str(report_to),
        "--points",
        str(points),
        "--seconds",
        str(seconds),
    ]
    child = subprocess.Popen(
        command,
        stdin=child_side,
        stdout=child_side,
        stderr=child_side,
        pass_fds=[report_to],
        env=environment,
        start_new_session=True,
    )
    os.close(child_side)
    os.close(report_to)
    painted, messages, before_start = 0, b"", 0
    marks: dict[str, int] = {}
    while True:
        ready, _, _ = select.select([terminal, report], [], [], seconds + 120)
        if not ready:
            child.kill()
            raise SystemExit("The plot did not answer in time.")
        if terminal in ready:
            try:
                painted += len(os.read(terminal, 65536))
            except OSError:  # the child has closed its side
                break
        elif data := os.read(report, 65536):
            messages += data
            for mark in ("start", "stop"):
                if mark.encode() in messages:
                    marks.setdefault(mark, painted)
        else:
            break
    child.wait()
    before_start = marks["start"]
    spent = json.loads(messages.decode().splitlines()[-1])
    return Cost(
        points=points,
        size=size,
        updates=len(spent["cpu_ms"]),
        cpu_ms_median=round(statistics.median(spent["cpu_ms"]), 2),
        cpu_ms_mean=round(statistics.mean(spent["cpu_ms"]), 2),
        cpu_ms_max=round(max(spent["cpu_ms"]), 2),
        kb_per_second=round((marks["stop"] - before_start) / spent["seconds"] / 1000, 2),
        first_paint_kb=round(before_start / 1000, 1),
    )


def run_child(points: int, seconds: float, report_to: int) -> None:
    """Show the plot on this process's terminal and report the CPU time of each update."""
    from textual.app import App, ComposeResult

    from forge_tui.curves import Curve
    from forge_tui.widgets.plot import Plot

    noise = random.Random(7)

    def value(step: int) -> float:
        return 1.1 * math.exp(-3 * step / points) + 0.3 + noise.gauss(0, 0.05)

    class PlotApp(App[None]):
        def compose(self) -> ComposeResult:
            yield Plot("loss", best="min")

        def on_mount(self) -> None:
            self.curve = Curve((step, value(step)) for step in range(points))
            self.step = points
            self.cpu: list[float] = []
            self.plot = self.query_one(Plot)
            self.plot.set_series("train", self.curve)
            self.call_after_refresh(self.plot.refresh_plot)
            self.set_timer(SETTLE_SECONDS, self.start)

        def start(self) -> None:
            os.write(report_to, b"start\n")
            self.began, self.last_cpu = time.monotonic(), time.process_time()
            self.ticking = self.set_interval(1 / UPDATES_A_SECOND, self.update)

        def update(self) -> None:
            now = time.process_time()
            self.cpu.append((now - self.last_cpu) * 1000)
            self.last_cpu = now
            if time.monotonic() - self.began >= seconds:
                self.ticking.stop()
                os.write(report_to, b"stop\n")
                # The first interval held no update.
                spent = {"cpu_ms": self.cpu[1:], "seconds": time.monotonic() - self.began}
                os.write(report_to, json.dumps(spent).encode() + b"\n")
                self.exit()
                return
            for step in range(self.step, self.step + POINTS_AN_UPDATE):
                self.curve.append(step, value(step))
            self.step += POINTS_AN_UPDATE
            self.plot.refresh_plot()

    PlotApp().run()


def main() -> None:
    """Measure what was asked for and print one line, or one JSON object, for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, help="only this many points (default 100,000 and 1,000,000)")
    parser.add_argument("--seconds", type=float, default=60, help="how long to measure each case (default 60)")
    parser.add_argument("--size", help="only this terminal size (default 120x40 and 80x24)")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        run_child(options.points, options.seconds, options.child)
        return
    costs = []
    for points in [options.points] if options.points else [100_000, 1_000_000]:
        for size in [options.size] if options.size else SIZES:
            cost = measure(points, size, options.seconds)
            costs.append(cost)
            if not options.json:
                print(
                    f"{points:>9,} points  {size:>7}  CPU an update: median {cost.cpu_ms_median:.2f} ms, "
                    f"mean {cost.cpu_ms_mean:.2f} ms, worst {cost.cpu_ms_max:.1f} ms  "
                    f"{cost.kb_per_second:.2f} KB/s after a first paint of {cost.first_paint_kb} KB",
                    flush=True,
                )
    if options.json:
        print(json.dumps([asdict(cost) for cost in costs], indent=2))


if __name__ == "__main__":
    main()
