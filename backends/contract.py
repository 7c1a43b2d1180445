"""What the app and the trainer agree on: run spec, event kinds, errors, data findings.

Standard library only, because the app imports it and must start without any ML library, and because the trainer
may run under another interpreter that has nothing of the app.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SPEC_VERSION = 1

EVENT_KINDS = (
    "phase",
    "progress",
    "metrics",
    "checkpoint",
    "memory",
    "sample",
    "attempt",
    "notice",
    "error",
    "finished",
)
# In the trainer's environment: how many steps a run is only to be measured for.
MEASURED_STEPS = "FORGE_MEASURE_STEPS"
# And there too: HF_HUB_OFFLINE as the person who started the run has it; the trainer itself is always offline.
CHOSEN_OFFLINE = "FORGE_HUB_OFFLINE"
PHASES = ("loading-data", "preparing", "loading-model", "baseline", "training", "evaluating", "saving", "done")

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DATA = 3
EXIT_TOO_LARGE = 4
EXIT_INTERRUPTED = 130


# --- errors ----------------------------------------------------------------------------------------------------


class ForgeError(Exception):
    """Something a person can act on: what happened, why, what to do next; shown once, at the edge.

    ForgeError            1  a run or an action failed
    ├── UsageError        2  the request itself is wrong
    └── DataError         3  the data cannot be trained on; carries every finding
    """

    exit_code = EXIT_FAILED

    def __init__(self, what: str, why: str = "", fix: str = "", where: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.where = where

    def to_json(self) -> dict[str, str | None]:
        """The fields of an `error` event."""
        return {"what": self.what, "why": self.why, "fix": self.fix, "where": self.where}


class UsageError(ForgeError):
    """The request cannot be carried out as written."""

    exit_code = EXIT_USAGE


class DataError(ForgeError):
    """The data has errors that no run could survive."""

    exit_code = EXIT_DATA

    def __init__(
        self, what: str, why: str = "", fix: str = "", where: str | None = None, findings: tuple[Finding, ...] = ()
    ) -> None:
        super().__init__(what, why, fix, where)
        self.findings = findings


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """`, nearest is 'x'` when something like `word` is known, else an empty string."""
    import difflib  # only a mistake needs it

    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f", nearest is {lowered[close[0]]!r}" if close else ""


# --- the run folder ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunFiles:
    """Where everything of a run lies; the folder is the only truth about it."""

    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / "spec.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data.json"

    @property
    def job(self) -> Path:
        return self.folder / "job.json"

    @property
    def exit(self) -> Path:
        return self.folder / "exit.json"

    @property
    def control(self) -> Path:
        return self.folder / "control.json"

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def gpu(self) -> Path:
        return self.folder / "gpu.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "train.log"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def report(self) -> Path:
        return self.folder / "report.json"

    @property
    def readme(self) -> Path:
        return self.folder / "README.md"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def reserve(self) -> Path:
        """Real bytes, given back when the disk is full, so that the end of the run can still be told."""
        return self.folder / "reserve"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file for the owner alone so that a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1, ensure_ascii=False)
            stream.write("\n")
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, or None when it is not there or not whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


# --- data ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """One thing found in the data, with the place it was found at and what to do about it."""

    code: str
    message: str
    where: str
    fix: str


@dataclass(frozen=True)
class TaskProposal:
    """A task this data could be for, and why."""

    task: str
    strategy: str | None
    reason: str


@dataclass(frozen=True)
class DatasetProfile:
    """Everything known about a data file without any ML library: what it is, what it is for, what is wrong with it."""

    path: str
    format: str | None
    encoding: str | None
    rows: int | None
    usable_rows: int | None
    task: str | None = None
    proposals: tuple[TaskProposal, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    stats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether a run could start on this data."""
        return not self.errors

    @property
    def training_rows(self) -> int:
        """How many rows of the training part can be used."""
        parts = self.stats.get("parts", {})
        return parts["train"]["usable_rows"] if "train" in parts else self.usable_rows or 0

    @property
    def evaluation_part(self) -> str | None:
        """The part to score on, where the data brings one."""
        return next((part for part in ("validation", "test") if part in self.stats.get("parts", {})), None)

    def to_json(self) -> dict[str, Any]:
        """The object that `forge-tui check --json` prints."""
        return {
            "ok": self.ok,
            "task": self.task,
            "proposals": [asdict(proposal) for proposal in self.proposals],
            "path": self.path,
            "format": self.format,
            "encoding": self.encoding,
            "rows": self.rows,
            "usable_rows": self.usable_rows,
            "columns": dict(self.columns),
            "errors": [asdict(finding) for finding in self.errors],
            "warnings": [asdict(finding) for finding in self.warnings],
            "stats": dict(self.stats),
        }


# --- the request ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunSpec:
    """The whole request for a run, as spec.toml holds it; replayable on its own.

    With a `revision`, a commit, the model is one of the hub; `download_bytes` is what its files were shown to have.
    """

    name: str
    task: str
    method: str
    model: str
    data: str
    eval_data: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    estimate: Mapping[str, Any] = field(default_factory=dict)
    strategy: str | None = None
    created: str | None = None
    eval_part: str | None = None
    preparation: Mapping[str, Any] = field(default_factory=dict)
    revision: str | None = None
    download_bytes: int | None = None

    def to_tables(self) -> dict[str, Any]:
        """The tables of spec.toml; TOML has no null, so what is unknown is left out."""
        run = {"version": SPEC_VERSION, "name": self.name, "task": self.task, "method": self.method}
        data: dict[str, Any] = {"path": self.data}
        model: dict[str, Any] = {"source": self.model}
        for table, key, value in (
            (run, "strategy", self.strategy),
            (run, "created", self.created),
            (data, "eval_path", self.eval_data),
            (data, "eval_part", self.eval_part),
            (model, "revision", self.revision),
            (model, "download_bytes", self.download_bytes),
        ):
            if value is not None:
                table[key] = value
        data["map"] = dict(self.columns)
        if self.preparation:
            data["prepare"] = {key: value for key, value in self.preparation.items() if value is not None}
        tables = {
            "run": run,
            "data": data,
            "model": model,
            "settings": {key: value for key, value in self.settings.items() if value is not None},
            "reasons": dict(self.reasons),
        }
        if self.estimate:
            tables["estimate"] = dict(self.estimate)
        return tables


_SPEC_KEYS: dict[str, dict[str, type]] = {
    "run": {"version": int, "name": str, "task": str, "method": str, "strategy": str, "created": str},
    "data": {"path": str, "eval_path": str, "eval_part": str, "map": dict, "prepare": dict},
    "model": {"source": str, "revision": str, "download_bytes": int},
    "settings": {},
    "reasons": {},
    "estimate": {},
}
_SPEC_NEEDED = (("run", "task"), ("data", "path"), ("model", "source"))


def read_toml(path: Path, wanted: str) -> dict[str, Any]:
    """What a TOML file of a person holds; raises UsageError, with what is wanted where it cannot be read at all."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}", "the path leads nowhere", "Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", str(error), wanted) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML", str(error), "Correct that line.") from None


def read_spec(path: Path) -> RunSpec:
    """Read and check a spec file.

    Raises UsageError naming the file, the table and the key that is wrong.
    """
    tables = read_toml(path, "Give a spec.toml written by forge-tui.")
    for table, content in tables.items():
        if table not in _SPEC_KEYS or not isinstance(content, dict):
            raise UsageError(
                f"{path}: there is no table [{table}] in a spec",
                f"its tables are {', '.join(_SPEC_KEYS)}",
                f"Correct the name{nearest(table, tuple(_SPEC_KEYS))}.",
            )
        _check_spec_table(path, table, content)
    for table, key in _SPEC_NEEDED:
        if key not in tables.get(table, {}):
            raise UsageError(f"{path} says no [{table}] {key}", "a run cannot start without it", f"Add {key} to it.")
    run, data = tables["run"], tables["data"]
    version = run.get("version", SPEC_VERSION)
    if version > SPEC_VERSION:
        raise UsageError(
            f"{path} is of version {version}", f"this program reads up to {SPEC_VERSION}", "Update forge-tui."
        )
    return RunSpec(
        name=run.get("name", path.stem),
        task=run["task"],
        method=run.get("method", "full"),
        model=tables["model"]["source"],
        data=data["path"],
        eval_data=data.get("eval_path"),
        columns=data.get("map", {}),
        settings=tables.get("settings", {}),
        reasons=tables.get("reasons", {}),
        estimate=tables.get("estimate", {}),
        strategy=run.get("strategy"),
        created=run.get("created"),
        eval_part=data.get("eval_part"),
        preparation=data.get("prepare", {}),
        revision=tables["model"].get("revision"),
        download_bytes=tables["model"].get("download_bytes"),
    )


def _check_spec_table(path: Path, table: str, content: Mapping[str, Any]) -> None:
    known = _SPEC_KEYS[table]
    for key, value in content.items():
        if known and key not in known:
            raise UsageError(
                f"{path}: [{table}] has no key {key!r}",
                f"its keys are {', '.join(known)}",
                f"Correct the name{nearest(key, tuple(known))}.",
            )
        if known and not isinstance(value, known[key]):
            raise UsageError(
                f"{path}: [{table}] {key} is {value!r}", f"it must be of type {known[key].__name__}", "Correct it."
            )
    if table == "data":
        for role, column in content.get("map", {}).items():
            if not isinstance(column, str):
                raise UsageError(f"{path}: [data.map] {role} is {column!r}", "it must name a column", "Correct it.")
