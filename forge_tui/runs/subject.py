"""What a monitor looks at: a run of ours, or the log of another trainer."""

from __future__ import annotations

from pathlib import Path

from backends.contract import ForgeError, RunFiles, RunSpec, read_spec
from backends.registry import find_task
from forge_tui.plain import plain
from forge_tui.runs.foreign import EventLog, StateLog, log_in, open_log
from forge_tui.runs.status import Condition, Status, condition
from forge_tui.runs.view import RunView


class RunSubject:
    """A run with its folder."""

    can_steer = True
    is_text = False

    def __init__(self, files: RunFiles) -> None:
        self.files, self.log = files, files.log
        self.view = RunView(files)
        self.spec: RunSpec | None
        try:
            self.spec = read_spec(files.spec)
            self.primary = find_task(self.spec.task, self.spec.strategy).metrics[0]
        except ForgeError:
            self.spec, self.primary = None, "loss"

    def look(self) -> Condition:
        """The state of the run now."""
        return condition(self.files)

    @property
    def name(self) -> str:
        """What to call it."""
        return plain(self.spec.name) if self.spec is not None else self.files.folder.name


class LogSubject:
    """A log that nobody here writes: it can be read and not steered.

    Raises UsageError for what cannot be read as one.
    """

    can_steer = False
    spec: RunSpec | None = None

    def __init__(self, path: Path) -> None:
        self.log = log_in(path)
        self.files = RunFiles(self.log.parent)
        source: EventLog | StateLog | None = open_log(self.log)
        self.is_text = source is None
        self.view = RunView(self.files, source=source or EventLog(Path("/dev/null")))
        self.primary = "loss"

    def look(self) -> Condition:
        """A log has no state; it is shown as one that has come to its end."""
        return Condition(Status.FINISHED, {}, None, None, ())

    @property
    def name(self) -> str:
        """What to call it."""
        return plain(self.log.name)


Subject = RunSubject | LogSubject
