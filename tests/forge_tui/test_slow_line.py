"""A terminal that takes nothing for a while: keys go on being answered, and what comes then is the newest frame."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from select import select
from struct import pack
from typing import Any, Self

from forge_tui.app import ForgeApp
from forge_tui.slow_line import SlowLineDriver

KEYS = 400
KEYS_AHEAD = 50
PATIENCE = 60.0
# What a terminal of Linux holds for who reads it, and a few frames.
KERNEL_BYTES, FRAME_BYTES = 24_000, 2_500
QUESTION, ANSWER = b"\x1b[6n", b"\x1b[1;1R"
COUNTER = """
import sys
from pathlib import Path
from textual.widgets import Static
from forge_tui.slow_line import SlowLineApp

class Counter(SlowLineApp):
    BINDINGS = [("x", "count"), ("q", "exit(0)")]
    count = 0

    def compose(self):
        yield Static("begun", id="counted")

    def action_count(self):
        self.count += 1
        self.query_one("#counted").update(f"<{self.count}> " * 250)
        Path(sys.argv[1]).write_text(str(self.count))

    def action_exit(self, code):
        self.exit()

Counter().run(mouse=False)
"""


def read_until(terminal: int, word: bytes | None) -> bytes:
    """What comes until a word has come, or until the other side is closed."""
    seen = b""
    while word is None or word not in seen:
        assert select([terminal], [], [], PATIENCE)[0], f"{word!r} did not come"
        try:
            seen += os.read(terminal, 1 << 16)
        except OSError:
            assert word is None, seen
            break
    return seen


class Counter:
    """The app that counts, on a terminal of the test."""

    def __init__(self, told: Path, repository: Path) -> None:
        self.terminal, side = pty.openpty()
        ioctl(side, termios.TIOCSWINSZ, pack("HHHH", 24, 80, 0, 0))
        environment = {**os.environ, "PYTHONPATH": str(repository), "TERM": "xterm-256color"}
        self.child = subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(told)], stdin=side, stdout=side, stderr=side, env=environment
        )
        os.close(side)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
        if self.terminal >= 0:
            os.close(self.terminal)

    def cut_off(self) -> None:
        """The line is gone, and no signal tells of it: nothing here is a session's terminal."""
        os.close(self.terminal)
        self.terminal = -1

    def press(self, key: bytes) -> None:
        """Type."""
        os.write(self.terminal, key)

    def take(self) -> bytes:
        """What has come by now."""
        taken = b""
        while select([self.terminal], [], [], 0)[0]:
            taken += os.read(self.terminal, 1 << 16)
        return taken


def test_frames_are_skipped_and_keys_answered(tmp_path: Path, repository: Path, wait: Callable[..., Any]) -> None:
    told = tmp_path / "count"
    with Counter(told, repository) as app:
        read_until(app.terminal, b"begun")
        for count in range(1, KEYS + 1):  # nobody reads what is painted
            app.press(b"x")
            wait(lambda count=count: told.exists() and told.read_text() == str(count), f"the answer to key {count}")
        seen = read_until(app.terminal, f"<{KEYS}>".encode())
        app.press(b"q")
        seen += read_until(app.terminal, None)
        app.child.wait(60)
    assert len(seen) < KERNEL_BYTES + 4 * FRAME_BYTES


def test_a_terminal_that_answers_late_gets_the_newest_frame(
    tmp_path: Path, repository: Path, wait: Callable[..., Any]
) -> None:
    """All is taken off the line at once, but the answer tells that it has not arrived: as on a network."""
    told = tmp_path / "count"
    with Counter(told, repository) as app:
        seen = read_until(app.terminal, QUESTION)
        app.press(ANSWER)
        if b"begun" not in seen:
            seen += read_until(app.terminal, b"begun")
        seen = app.take()
        for count in range(1, KEYS_AHEAD + 1):
            app.press(b"x")
            wait(lambda count=count: told.exists() and told.read_text() == str(count), f"the answer to key {count}")
            seen += app.take()
        last = f"<{KEYS_AHEAD}>".encode()
        assert last not in seen
        app.press(ANSWER)
        seen += read_until(app.terminal, last)
    assert len(seen) < 4 * FRAME_BYTES < KEYS_AHEAD * FRAME_BYTES / 4


def test_the_app_ends_with_its_terminal(tmp_path: Path, repository: Path) -> None:
    with Counter(tmp_path / "count", repository) as app:
        read_until(app.terminal, b"begun")
        app.cut_off()
        app.child.wait(PATIENCE)


def test_the_app_is_one_of_these(home: Any) -> None:
    assert issubclass(ForgeApp().driver_class, SlowLineDriver)
