"""Processes of `backends` that the app talks to in lines of JSON, so that no ML library enters the app."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Any

from backends.contract import ForgeError, RunFiles
from forge_tui.runs.supervisor import trainer_environment
from forge_tui.settings import not_startable, read_settings

_LAST_WORDS = 4096


def start_backend(
    files: RunFiles,
    arguments: Sequence[str],
    stdin: int | IO[Any],
    talk: IO[Any],
    variables: Mapping[str, str] | None = None,
    own_group: bool = False,
) -> subprocess.Popen[str]:
    """`python -m ARGUMENTS` with the trainer's interpreter and environment, answering on its stdout.

    In a group of its own it can be killed with its children, and ctrl+c in the terminal is none of its business.
    Raises UsageError when the interpreter cannot be started.
    """
    command = [read_settings().trainer_python, "-m", *arguments]
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=talk,
            cwd=files.folder,
            env={**trainer_environment(files, 0), "FORGE_RUN": "", **(variables or {})},
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0 if own_group else None,
        )
    except OSError as error:
        raise not_startable(command[0], error) from None


def last_words(talk: IO[bytes]) -> str:
    """The last line of what a process said on stderr."""
    talk.seek(max(0, talk.seek(0, os.SEEK_END) - _LAST_WORDS))
    lines = talk.read().decode("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def error_in(line: Mapping[str, Any]) -> ForgeError | None:
    """The error that a line tells, if it tells one."""
    told = line.get("error")
    if not isinstance(told, Mapping):
        return None
    what, why, fix = (str(told.get(key) or "") for key in ("what", "why", "fix"))
    return ForgeError(what, why, fix)


@dataclass(frozen=True)
class Ended:
    """A process is gone that was not told to go: by what signal, or with what exit code, and what it said last."""

    code: int
    words: str

    @property
    def error(self) -> ForgeError:
        """What happened, in words."""
        fix = "Press enter to load it and ask again."
        if self.code == -signal.SIGKILL:
            why = "that is mostly the kernel when memory runs out; see: forge-tui hardware"
            return ForgeError("The model's process was killed", why, fix)
        if self.code < 0:
            return ForgeError(f"The model's process ended by signal {-self.code}", self.words, fix)
        return ForgeError(f"The model's process ended with code {self.code}", self.words, fix)


class LineProcess:
    """A process that is told lines of JSON and answers in such lines, without anyone waiting for it.

    `tell` is called in a thread of this class with each line as an object, with a ForgeError, or with Ended; nothing
    more is told after `end`. The process ends with its stdin, so none is left when the app dies.
    """

    def __init__(
        self,
        files: RunFiles,
        arguments: Sequence[str],
        tell: Callable[[Mapping[str, Any] | ForgeError | Ended], object],
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._files, self._arguments, self._tell, self._variables = files, arguments, tell, variables
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._is_over = False
        threading.Thread(target=self._run, name=arguments[0], daemon=True).start()

    def send(self, line: Mapping[str, Any]) -> None:
        """Tell the process something; it reads it when it comes to it."""
        self._lines.put(json.dumps(line, ensure_ascii=False, default=str) + "\n")

    def end(self) -> None:
        """Kill the process and what it started; it holds nothing that could be lost."""
        with self._lock:
            self._is_over = True
            process = self._process
        self._lines.put(None)
        if process is not None:
            _kill(process)

    def _run(self) -> None:
        with tempfile.TemporaryFile() as talk:
            try:
                process = start_backend(
                    self._files, self._arguments, subprocess.PIPE, talk, self._variables, own_group=True
                )
            except ForgeError as error:
                self._say(error)
                return
            with self._lock:
                self._process, is_over = process, self._is_over
            if is_over:
                _kill(process)
            threading.Thread(target=self._write, args=(process,), name="questions", daemon=True).start()
            told_error = False
            assert process.stdout is not None
            for line in process.stdout:
                found = _object(line)
                if found is not None:
                    told = error_in(found)
                    told_error = told_error or told is not None
                    self._say(told or found)
            code = process.wait()
            self._lines.put(None)
            if code and not told_error:
                self._say(Ended(code, last_words(talk)))

    def _say(self, told: Mapping[str, Any] | ForgeError | Ended) -> None:
        if not self._is_over:
            self._tell(told)

    def _write(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        while (line := self._lines.get()) is not None:
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except (OSError, ValueError):
                return  # how it ended is told by who reads it


def _kill(process: subprocess.Popen[str]) -> None:
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _object(line: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
