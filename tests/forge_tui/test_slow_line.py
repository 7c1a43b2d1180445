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
from typing import Any

from forge_tui.app import ForgeApp
from forge_tui.slow_line import SlowLineDriver

KEYS = 400
PATIENCE = 60.0
# What a terminal of Linux holds for who reads it, and a few frames.
KERNEL_BYTES, FRAME_BYTES = 24_000, 2_500
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


def test_frames_are_skipped_and_keys_answered(tmp_path: Path, repository: Path, wait: Callable[..., Any]) -> None:
    terminal, side = pty.openpty()
    ioctl(side, termios.TIOCSWINSZ, pack("HHHH", 24, 80, 0, 0))
    told = tmp_path / "count"
    environment = {**os.environ, "PYTHONPATH": str(repository), "TERM": "xterm-256color"}
    child = subprocess.Popen(
        [sys.executable, "-c", COUNTER, str(told)], stdin=side, stdout=side, stderr=side, env=environment
    )
    os.close(side)
    try:
        read_until(terminal, b"begun")
        for count in range(1, KEYS + 1):  # nobody reads what is painted
            os.write(terminal, b"x")
            wait(lambda count=count: told.exists() and told.read_text() == str(count), f"the answer to key {count}")
        seen = read_until(terminal, f"<{KEYS}>".encode())
        os.write(terminal, b"q")
        seen += read_until(terminal, None)
        child.wait(60)
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
    assert len(seen) < KERNEL_BYTES + 4 * FRAME_BYTES


def test_the_app_is_one_of_these(home: Any) -> None:
    assert issubclass(ForgeApp().driver_class, SlowLineDriver)
