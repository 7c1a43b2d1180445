"""Looks at the machine in a thread of its own, so that a driver that hangs holds up neither the screen nor its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forge_tui.machine import MachineSample


def _ignore(sample: MachineSample) -> None:
    """Nobody needs to be told."""


class MachineWatch:
    """Takes a sample when asked and hands it to who asked; whoever already waits for one is not put in line again.

    The thread is not one of the pool that workers share and that is waited for at the end: a call into a broken driver
    may never come back.
    """

    def __init__(self) -> None:
        self._waiting: list[Callable[[MachineSample], object]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._latest: MachineSample | None = None

    def latest(self, seconds: float) -> MachineSample | None:
        """The last sample; where there is none yet it is waited for so long, and None if the driver does not answer."""
        self.look(_ignore)
        with self._changed:
            self._changed.wait_for(lambda: self._latest is not None, seconds)
            return self._latest

    def look(self, tell: Callable[[MachineSample], object]) -> None:
        """Take a sample soon and call `tell` with it, in the thread of the watch."""
        with self._changed:
            if tell not in self._waiting:
                self._waiting.append(tell)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="machine", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Take no more samples; a look that is under way is not waited for."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _work(self) -> None:
        from forge_tui.machine import Machine  # here, because home is painted before it is needed

        machine = Machine()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                asked = list(self._waiting)
            if self._stopped:
                return
            sample = machine.sample()
            with self._changed:
                self._latest = sample
                self._changed.notify_all()
            for tell in asked:
                if not self._stopped:
                    tell(sample)
            with self._changed:
                self._waiting = [tell for tell in self._waiting if tell not in asked]
