"""What the benchmarks share: children on a terminal of known size, interleaved pairs, figures with their targets."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import pyte

SIZE = "120x40"
# Each would change what is painted, or make every start compile the program anew.
_UNWANTED = ("COLUMNS", "LINES", "COLORTERM", "NO_COLOR", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a measured process: an ordinary colour terminal, bytecode kept as on a user's machine."""
    environment = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
    return {**environment, "TERM": "xterm-256color", **more}


def forge_command() -> list[str]:
    """How a person starts the program: the console script beside this interpreter, else the module."""
    script = Path(sys.executable).with_name("forge-tui")
    return [str(script)] if script.exists() else [sys.executable, "-m", "forge_tui"]


def start_on_terminal(
    command: Sequence[str], size: str, environment: dict[str, str], pass_fds: Sequence[int] = ()
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command on a new pseudo-terminal of `size` (columns x lines); returns it and our side of the terminal."""
    width, height = map(int, size.split("x"))
    terminal, child_side = pty.openpty()
    fcntl.ioctl(child_side, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    child = subprocess.Popen(
        command,
        stdin=child_side,
        stdout=child_side,
        stderr=child_side,
        pass_fds=pass_fds,
        env=environment,
        start_new_session=True,
    )
    os.close(child_side)
    return child, terminal


class Painter:
    """A child that paints on a terminal, and what came from it: how many bytes when, and what it shows then."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], size: str = SIZE) -> None:
        self.started = time.monotonic()
        self.child, self._terminal = start_on_terminal(command, size, environment)
        self.pieces: list[tuple[float, int]] = []
        self._screen = pyte.Screen(*map(int, size.split("x")))
        self._stream = pyte.ByteStream(self._screen)
        self._raw: list[bytes] = []
        self._shown = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self._terminal)

    def read(self, seconds: float) -> bool:
        """Take what comes within this time, at most one piece; False once the child has closed the terminal."""
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        if not ready:
            return True
        try:
            piece = os.read(self._terminal, 1 << 20)
        except OSError:
            return False
        self.pieces.append((time.monotonic(), len(piece)))
        self._raw.append(piece)
        return True

    def show(self, pieces: int | None = None) -> str:
        """What the terminal shows after so many pieces, or after all that came."""
        until = len(self._raw) if pieces is None else pieces
        for piece in self._raw[self._shown : until]:
            self._stream.feed(piece)
        self._shown = max(self._shown, until)
        return "\n".join(self._screen.display)

    def wait_for(self, *words: str, seconds: float = 60) -> float:
        """Seconds from the start of the process until all of these words stand on the screen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            alive = self.read(deadline - time.monotonic())
            text = self.show()
            if all(word in text for word in words):
                return self.pieces[-1][0] - self.started
            if not alive:
                break
        raise SystemExit(f"{' '.join(words)} was not painted:\n{self.show()}")

    def watch(self, seconds: float) -> list[tuple[float, int]]:
        """Read for so long and return the pieces that came, with their time from now."""
        began, before = time.monotonic(), len(self.pieces)
        while (left := began + seconds - time.monotonic()) > 0:
            if not self.read(left):
                raise SystemExit("The app ended while it was measured.")
        return [(moment - began, count) for moment, count in self.pieces[before:]]

    def press(self, keys: str) -> None:
        """Type on the child's terminal."""
        os.write(self._terminal, keys.encode())

    def wait_end(self, seconds: float = 30) -> None:
        """Read until the child has ended, so that it never waits for its terminal."""
        deadline = time.monotonic() + seconds
        while self.child.poll() is None:
            if time.monotonic() > deadline:
                raise SystemExit("The app did not end.")
            if not self.read(0.1):
                time.sleep(0.02)

    def cpu_seconds(self) -> float:
        """Processor time that the child has used so far."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))

    def peak_bytes(self) -> int:
        """The most memory the child has had resident."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise SystemExit("The kernel does not tell VmHWM.")


# --- pairs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """The same thing measured in turn on both sides."""

    ours: tuple[float, ...]
    other: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the ratios of the pairs, ours over the other."""
        return statistics.median(ours / other for ours, other in zip(self.ours, self.other, strict=True))


def interleave(ours: Callable[[], float], other: Callable[[], float], pairs: int) -> Pairs:
    """Measure both in turn, each pair in the opposite order of the one before; the first pair only warms up."""
    ours(), other()
    found: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            second = other()
            found.append((ours(), second))
        else:
            first = ours()
            found.append((first, other()))
    return Pairs(tuple(each[0] for each in found), tuple(each[1] for each in found))


# --- figures -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """One measured value; `met` is None where no target is set."""

    name: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None


def at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that should not exceed `limit`."""
    return Figure(name, value, unit, f"<= {limit:g}", value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that should reach `limit`."""
    return Figure(name, value, unit, f">= {limit:g}", value >= limit)


def against(name: str, pairs: Pairs, other: str, unit: str = "s") -> list[Figure]:
    """The medians of both sides, for reading beside a ratio."""
    return [
        Figure(name, statistics.median(pairs.ours), unit),
        Figure(other, statistics.median(pairs.other), unit),
    ]


def report(figures: Iterable[Figure], as_json: bool) -> None:
    """Print the figures and exit, with 1 when a target was missed."""
    listed = list(figures)
    if as_json:
        print(json.dumps([asdict(figure) for figure in listed], indent=2))
    else:
        width = max(len(figure.name) for figure in listed)
        for each in listed:
            verdict = "" if each.met is None else f"   target {each.target}: {'met' if each.met else 'MISSED'}"
            print(f"{each.name:<{width}}  {each.value:>10.4g} {each.unit:<9}{verdict}".rstrip())
    sys.exit(1 if any(figure.met is False for figure in listed) else 0)
