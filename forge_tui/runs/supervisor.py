"""The process beside the trainer: starts it, passes signals on, samples the GPUs and writes how it ended.

Run as `python -m forge_tui.runs.supervisor RUN_FOLDER LOCK_DESCRIPTOR ATTEMPT DEVICE`, in a session of its own;
DEVICE is the UUID of a GPU, or empty for the best there is. It holds the run's lock together with the trainer. If it is
killed the trainer goes on; nothing of the training depends on it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.contract import CHOSEN_OFFLINE, EXIT_DONE, EXIT_FAILED, ForgeError, RunFiles, read_json, write_json
from forge_tui.nvml import Nvml
from forge_tui.paths import library_folder
from forge_tui.runs import queue
from forge_tui.runs.device import RunDevice, device_of_run
from forge_tui.runs.process import RUN_MARKER, boot_id, host_name, identity, marked_processes
from forge_tui.settings import read_settings
from profiles.hardware import Gpu

GPU_SECONDS = 5.0
QUEUE_SECONDS = 1.0
KILL_SECONDS = 5.0
_WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def now() -> str:
    """This moment as the run folder writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def trainer_environment(files: RunFiles, attempt: int) -> dict[str, str]:
    """The environment of the trainer: our library first and nothing from the working directory."""
    return {
        # Waiting threads that spin starve those that work as soon as anything else runs on the machine: with one busy
        # neighbour on two cores a step of a small encoder took 640 to 1,370 ms spinning and 106 to 147 ms passive.
        "OMP_WAIT_POLICY": "PASSIVE",
        # A run needs nothing of the hub. PEFT imports bitsandbytes, which looks there for faster kernels as soon as the
        # package `kernels` is installed, and waits long for an answer where there is no network.
        "HF_HUB_OFFLINE": "1",
        **os.environ,
        CHOSEN_OFFLINE: os.environ.get("HF_HUB_OFFLINE", ""),
        "PYTHONPATH": str(library_folder()),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        RUN_MARKER: str(files.folder),
        "FORGE_ATTEMPT": str(attempt),
    }


class Supervisor:
    """One attempt of one run, from the start of the trainer to exit.json."""

    def __init__(self, files: RunFiles, lock: int, attempt: int, planned: str | None = None) -> None:
        self.files, self.lock, self.attempt, self.planned = files, lock, attempt, planned
        self.nvml: Nvml | None = None
        self.asked_to_stop = False
        self.kill_at: float | None = None
        self.pending: list[int] = []

    def run(self) -> None:
        """Start the trainer, wait for its end, write exit.json."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Ignored across exec: a checkpoint request before the trainer listens must not end it.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, frame: self.pending.append(received))
        command = [read_settings().trainer_python, "-m", "backends", str(self.files.folder)]
        self._write_job(command, None)
        try:
            device = self._device()
            self._write_job(command, None, device)
            if queue.is_queued(self.files):
                held = self._wait_in_line(device)
                if held is None:
                    self._write_exit(EXIT_DONE)
                    return
                self.planned = device.id if device.variables else None
                device = self._device()  # a GPU can be gone by now
                self._write_job(command, None, device)
            else:
                held = queue.hold_device(self.files, device.id)
        except ForgeError as error:
            print(f"{error.what}: {error.why}", file=sys.stderr)
            queue.leave(self.files)
            self._write_exit(EXIT_FAILED, error)
            return
        try:
            trainer = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                process_group=0,
                pass_fds=[self.lock, held],
                cwd=self.files.folder,
                env={**trainer_environment(self.files, self.attempt), **device.variables},
            )
        except OSError as error:
            print(f"the trainer could not be started: {command[0]}: {error.strerror}", file=sys.stderr)
            self._write_exit(127)
            return
        self._write_job(command, trainer.pid, device)
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        signal.signal(signal.SIGUSR1, lambda received, frame: None)
        self._write_exit(self._watch(trainer))
        self._end_left_over()

    def _wait_in_line(self, device: RunDevice) -> int | None:
        """The held device when its turn came; None when the run was told to stop, or its place was taken away."""
        waited_for = (signal.SIGTERM, signal.SIGINT)
        signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
        try:
            while not self.pending and queue.is_queued(self.files):
                held = queue.take_turn(self.files, device.id)
                if held is not None:
                    return held
                if signal.sigtimedwait(waited_for, QUEUE_SECONDS) is not None:
                    break
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, waited_for)
        queue.leave(self.files)
        self.asked_to_stop = True
        return None

    def _device(self) -> RunDevice:
        """Look for the device now; a GPU that was planned for and is gone raises ForgeError."""
        self.nvml = Nvml()
        found = device_of_run(self.nvml.read(), self.planned)
        if found.variables:
            print(f"device {found.id}, {found.told}", flush=True)
        return found

    def _watch(self, trainer: subprocess.Popen[bytes]) -> int:
        """Wait for the end of the trainer; signals are taken in turn, so none meets a half-done answer."""
        for _ in self.pending:
            self._pass_stop(trainer)
        gauges = _GpuLog(self.files, self.nvml)
        while (code := trainer.poll()) is None:
            gauges.sample_when_due()
            wait = min(gauges.seconds_left(), max(0.0, self.kill_at - time.monotonic()) if self.kill_at else 60.0)
            received = signal.sigtimedwait(_WATCHED, wait)
            number = received.si_signo if received else None
            if number in (signal.SIGTERM, signal.SIGINT):
                self._pass_stop(trainer)
            elif number == signal.SIGUSR1 and trainer.poll() is None:
                trainer.send_signal(signal.SIGUSR1)
            if self.kill_at is not None and time.monotonic() >= self.kill_at and trainer.poll() is None:
                os.killpg(trainer.pid, signal.SIGKILL)
                self.kill_at = None
        return code

    def _pass_stop(self, trainer: subprocess.Popen[bytes]) -> None:
        self.asked_to_stop = True
        if (read_json(self.files.control) or {}).get("request") == "stop-now":
            self.kill_at = time.monotonic() + KILL_SECONDS
        if trainer.poll() is None:
            trainer.send_signal(signal.SIGTERM)

    def _write_job(self, command: list[str], trainer: int | None, device: RunDevice | None = None) -> None:
        before = read_json(self.files.job) or {}
        started = None if queue.is_queued(self.files) else now()  # the time in line is none of the training
        content = {
            "boot_id": boot_id(),
            "host": host_name(),
            "supervisor": identity(os.getpid()),
            "trainer": identity(trainer) if trainer else None,
            "command": command,
            "attempt": self.attempt,
            "device": device.id if device is not None else None,
            "device_name": device.name if device is not None else None,
            "started": started,
            "first_started": before.get("first_started") or started,
        }
        self._write(self.files.job, content)

    def _write_exit(self, code: int, error: ForgeError | None = None) -> None:
        content: dict[str, Any] = {
            "attempt": self.attempt,
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "asked_to_stop": self.asked_to_stop,
            "ended": now(),
        }
        if error is not None:  # the trainer never came to tell
            content["error"] = {"what": error.what, "why": error.why, "fix": error.fix}
        self._write(self.files.exit, content)

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        try:
            write_json(path, content)
        except OSError:
            self.files.reserve.unlink(missing_ok=True)  # the disk is full: this is what the reserve is for
            write_json(path, content)

    def _end_left_over(self) -> None:
        """Workers that outlive their trainer would keep its memory and its GPU."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            left = marked_processes(self.files.folder)
            for pid in left:
                try:
                    os.kill(pid, number)
                except (ProcessLookupError, PermissionError):
                    continue
            if not left:
                return
            deadline = time.monotonic() + KILL_SECONDS
            while marked_processes(self.files.folder) and time.monotonic() < deadline:
                time.sleep(0.1)


class _GpuLog:
    """Appends a line of GPU readings to gpu.jsonl now and then; one line says so where there are none."""

    def __init__(self, files: RunFiles, nvml: Nvml | None) -> None:
        self._path = files.gpu
        self._nvml = nvml or Nvml()
        self._next = 0.0
        self._usable = True

    def seconds_left(self) -> float:
        """Until the next sample."""
        return max(0.0, self._next - time.monotonic()) if self._usable else 60.0

    def sample_when_due(self) -> None:
        """Take a sample if it is time for one."""
        if not self._usable or time.monotonic() < self._next:
            return
        reading = self._nvml.read()
        self._usable = reading.gpus is not None
        self._next = time.monotonic() + GPU_SECONDS
        line = {
            "t": round(time.time(), 1),
            "gpus": None if reading.gpus is None else [_gauges(gpu) for gpu in reading.gpus],
            "problem": next((each.sentence for each in (*reading.problems, *reading.remarks)), None),
        }
        try:
            with open(self._path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError:
            self._usable = False  # a full disk is told by the trainer; gauges must not end the supervisor


def _gauges(gpu: Gpu) -> dict[str, Any]:
    """What gpu.jsonl holds of a GPU: only what is measured; who else uses it is no business of a run folder."""
    names = (
        "index",
        "uuid",
        "name",
        "memory_total_bytes",
        "memory_free_bytes",
        "utilization_percent",
        "temperature_celsius",
        "power_watts",
    )
    return {name: getattr(gpu, name) for name in names}


def main() -> None:
    """Read the arguments and supervise."""
    folder, lock, attempt, planned = sys.argv[1:5]
    os.umask(0o077)
    Supervisor(RunFiles(Path(folder)), int(lock), int(attempt), planned or None).run()


if __name__ == "__main__":
    main()
