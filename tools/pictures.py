"""Exports a picture of each screen of the app, by the app itself, into docs/pictures: python tools/pictures.py

It runs in a folder of its own, with a machine that is made up, so that the pictures do not depend on where it runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
SIZE = 80, 24
_PATIENCE = 120.0
_HARDWARE = {
    "gpus": [
        {
            "index": 0,
            "uuid": "GPU-0",
            "name": "NVIDIA A10G",
            "memory_total_bytes": 24 * 2**30,
            "memory_free_bytes": 22 * 2**30,
            "compute_capability": "8.6",
            "utilization_percent": 3,
            "temperature_celsius": 41,
            "power_watts": 29.0,
            "power_limit_watts": 300.0,
            "processes": [],
        }
    ],
    "cpu": {"name": "CPU", "cores": 16},
    "memory_total_bytes": 62 * 2**30,
    "memory_available_bytes": 58 * 2**30,
    "disk_free_bytes": 310 * 2**30,
    "driver_version": "580.65",
    "cuda_version": "13.0",
    "problems": [],
}


class _Photographer:
    """Presses keys, waits for words, and exports what is on the screen."""

    def __init__(self, app: Any, pilot: Any) -> None:
        self._app, self._pilot = app, pilot

    def _text(self) -> str:
        lines = [strip.text for strip in self._app.screen._compositor.render_strips()]
        return " ".join(" ".join(lines).split())

    async def see(self, *words: str) -> None:
        """Wait until all of these are on the screen."""
        deadline = time.monotonic() + _PATIENCE
        while not all(word in self._text() for word in words):
            if time.monotonic() > deadline:
                raise SystemExit(f"{words} did not come; the screen is: {self._text()}")
            await self._pilot.pause(0.05)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self._pilot.press(*keys)
        await self._pilot.pause(0.2)

    async def take(self, name: str, *words: str) -> None:
        """Export a picture once these words are there."""
        await self.see(*words)
        await self._pilot.pause(0.3)
        path = PICTURES / f"{name}.svg"
        path.write_text(self._app.export_screenshot(title="forge-tui"), encoding="utf-8")
        print(path.relative_to(ROOT))


async def _wizard(person: _Photographer) -> None:
    """From an empty home to the monitor of a run."""
    await person.take("home-empty", "No runs yet", "A10G")
    await person.press("w")
    await person.take("terms", "What the words mean")
    await person.press("escape", "n", "down", "down", "down")
    await person.take("goal", "What do you want to do?", "topic, intent")
    await person.press("enter")
    await person.see("Which data file?")
    await person.press("up")
    await person.take("data", "sample: Text: sort into classes")
    await person.press("enter")
    await person.take("rows", "Is this what your data is?", "yes, go on")
    await person.press("enter")
    await person.take("advice", "e changes the answers")
    await person.press("e")
    await person.take("answers", "What should the advice know?")
    await person.press("escape", "enter")
    await person.take("model", "Which model to start from?", "ModernBERT")
    await person.press("home", "down", "enter")
    await person.take("settings", "Are these settings right?")
    await person.press("down", "down", "enter")
    await person.take("setting", "max_steps:")
    await person.press(*"60", "enter")
    await person.see("Are these settings right?")
    await person.press("enter")
    await person.take("review", "Start this run?")
    await person.press("enter")
    await person.take("monitor", "training", "f1_macro")
    await person.see("finished")
    await person.take("monitor-finished", "finished", "100%")
    await person.press("question_mark")
    await person.take("keys", "logarithmic axis")
    await person.press("escape", "i")
    await person.take("info", "metric")
    await person.press("escape", "v")
    await person.take("results", "1 RESULT", "What to do with this")
    await person.press("3")
    await person.take("mistakes", "3 MISTAKES", "how sure")
    await person.press("escape", "u")
    await person.see("ready on")
    await person.press("ctrl+n", "enter")
    await person.take("try-it", "expected:", "%")
    await person.press("escape", "escape")
    await person.take("home", "support_messages", "What next?")
    await person.press("t", "enter")
    await person.see("finished", "100%")
    await person.press("escape")
    await person.see("What next?")
    await person.press("space", "up", "space", "c")
    await person.take("overlay", "2 runs", "A ")


def _pretend(hardware: Any) -> Callable[..., Any]:
    """A machine that is always the same."""
    from forge_tui.machine import MachineSample

    return lambda machine: MachineSample(hardware, (), 2.0)


async def _run() -> None:
    from forge_tui import machine
    from forge_tui.app import ForgeApp
    from forge_tui.runs import store
    from forge_tui.settings import Look
    from profiles.hardware import Hardware

    machine.Machine.sample = _pretend(Hardware.from_json(json.loads(json.dumps(_HARDWARE))))  # type: ignore[method-assign]
    start_run = store.start_run
    store.start_run = lambda spec, device=None, queue=False: start_run(spec)  # on the CPU: the GPU is made up
    app = ForgeApp(look=Look(theme="dark"))
    async with app.run_test(size=SIZE) as pilot:
        await _wizard(_Photographer(app, pilot))


def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["FORGE_HOME"] = home
        os.environ["TEXTUAL_ANIMATIONS"] = "none"
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        folder = Path(home) / "work"
        folder.mkdir()
        os.chdir(folder)
        asyncio.run(_run())


if __name__ == "__main__":
    main()
