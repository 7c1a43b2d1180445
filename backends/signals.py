"""Turns SIGTERM into checkpoint-and-stop and SIGUSR1 into checkpoint-now.

Installed before any heavy import: until then SIGTERM ends the process by default, which loses nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType


class StopControl:
    """What was asked of this process by signal, and how it may answer in the present phase."""

    def __init__(self) -> None:
        self.stop_requested = False
        self._checkpoint_requested = False
        self._leave_at_once: Callable[[], None] | None = lambda: None

    def install(self) -> None:
        """Take over the signals; a stop now ends the process at once."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_checkpoint)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def leave_at_once(self, last_words: Callable[[], None]) -> None:
        """While nothing is trained yet, a stop ends the process after `last_words`."""
        self._leave_at_once = last_words
        if self.stop_requested:
            self._leave()

    def leave_at_checkpoint(self) -> None:
        """From the first step on, a stop is a flag that the training loop looks at after each step."""
        self._leave_at_once = None

    def take_checkpoint_request(self) -> bool:
        """Whether a checkpoint was asked for since the last look."""
        asked, self._checkpoint_requested = self._checkpoint_requested, False
        return asked

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requested = True
        if self._leave_at_once is not None:
            self._leave()

    def _leave(self) -> None:
        assert self._leave_at_once is not None
        self._leave_at_once()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def _on_checkpoint(self, number: int, frame: FrameType | None) -> None:
        self._checkpoint_requested = True
