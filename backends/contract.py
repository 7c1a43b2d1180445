"""What the app and the trainer agree on: run spec, event kinds, errors, data findings, options.

Standard library only, because the app imports it and must start without any ML library, and because the trainer
may run under another interpreter that has nothing of the app.
"""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

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


# --- options: one source for the form, the command line and the documents ---------------------------------------


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that carries what a person must know to change it."""
    return field(
        default=default,
        metadata={"help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices},
    )


@dataclass(frozen=True)
class TabularOptions:
    """Gradient-boosted trees; the names are XGBoost's where XGBoost has one."""

    n_estimators: int = option(1000, "boosting rounds at most; early stopping usually ends before", minimum=1)
    max_steps: int | None = option(None, "the same limit under the name the other tasks use", minimum=1)
    learning_rate: float = option(0.05, "share of each tree's correction that is kept", minimum=1e-6, maximum=1)
    max_depth: int = option(6, "questions a tree may ask in a row; deeper fits finer and overfits sooner", minimum=1)
    min_child_weight: float = option(1.0, "least weight of rows in a leaf; larger is smoother", minimum=0)
    subsample: float = option(0.8, "share of the rows each tree sees", minimum=0.01, maximum=1)
    colsample_bytree: float = option(0.8, "share of the columns each tree sees", minimum=0.01, maximum=1)
    reg_lambda: float = option(1.0, "L2 penalty on the leaf values", minimum=0)
    reg_alpha: float = option(0.0, "L1 penalty on the leaf values", minimum=0)
    early_stopping_rounds: int = option(
        50, "stop when the evaluation loss has not improved for so long; 0 never stops early", unit="rounds", minimum=0
    )
    eval_steps: int = option(10, "rounds between two scorings with the task's own metrics", unit="rounds", minimum=1)
    save_steps: int = option(200, "rounds between two checkpoints", unit="rounds", minimum=1)
    eval_fraction: float = option(0.2, "share of the rows held out for evaluation", minimum=0.01, maximum=0.9)
    seed: int = option(42, "seed of the split and of every random choice", minimum=0, maximum=2**31 - 1)
    nthread: int | None = option(None, "CPU threads; unset uses every core this process may use", minimum=1)


@dataclass(frozen=True)
class TextClassificationOptions:
    """Encoder classification; the names are those of Transformers' TrainingArguments and PEFT's LoraConfig."""

    num_train_epochs: float = option(3.0, "passes over the training rows", unit="epochs", minimum=0.001)
    max_steps: int | None = option(None, "optimizer steps; when set it overrules the epochs", unit="steps", minimum=1)
    learning_rate: float = option(3e-5, "size of the optimizer's steps", minimum=1e-9, maximum=1)
    per_device_train_batch_size: int = option(16, "rows a device works on at once", unit="rows", minimum=1)
    per_device_eval_batch_size: int = option(64, "rows a device scores at once", unit="rows", minimum=1)
    gradient_accumulation_steps: int = option(1, "batches added up before each optimizer step", minimum=1)
    max_length: int = option(256, "longest text in tokens; longer ones are cut", unit="tokens", minimum=4)
    weight_decay: float = option(0.01, "pull of the weights towards zero", minimum=0, maximum=1)
    warmup_steps: float = option(0.06, "steps of rising learning rate; under 1 a share of all steps", minimum=0)
    lr_scheduler_type: str = option(
        "linear",
        "how the learning rate falls",
        choices=("linear", "cosine", "constant", "constant_with_warmup", "polynomial"),
    )
    label_smoothing_factor: float = option(0.0, "share of certainty taken off each label", minimum=0, maximum=0.9)
    lora_r: int = option(8, "rank of the LoRA matrices", minimum=1)
    lora_alpha: int = option(16, "scale of the LoRA matrices", minimum=1)
    lora_dropout: float = option(0.05, "share of the adapter's inputs dropped while training", minimum=0, maximum=0.9)
    logging_steps: int = option(1, "steps between two points of the training curve", unit="steps", minimum=1)
    eval_steps: int | None = option(None, "steps between two evaluations; unset means ten a run", minimum=1)
    save_steps: int | None = option(None, "steps between two checkpoints; unset means at each evaluation", minimum=1)
    eval_fraction: float = option(0.2, "share of the rows held out for evaluation", minimum=0.01, maximum=0.9)
    seed: int = option(42, "seed of the split and of every random choice", minimum=0, maximum=2**31 - 1)
    lowercase: bool = option(True, "a tokenizer trained here ignores upper and lower case")


@dataclass(frozen=True)
class TokenClassificationOptions(TextClassificationOptions):
    """The same for a tag on each word; long texts are read in parts, and capital letters count."""

    max_length: int = option(
        256, "tokens read at once; longer texts are read in parts that overlap by a quarter", unit="tokens", minimum=4
    )
    label_smoothing_factor: float = option(0.0, "share of certainty taken off each tag", minimum=0, maximum=0.9)
    lowercase: bool = option(False, "a tokenizer trained here ignores upper and lower case")


@dataclass(frozen=True)
class PreparationOptions:
    """Which rows are used and how they are divided; nothing of it is done unless it was chosen."""

    bad_rows: str = option(
        "drop-empty",
        "what happens to rows that cannot be used: `drop-empty` leaves them out but stops at wrong numbers in the "
        "target, `drop` leaves all of them out, `stop` starts no run while there is one",
        choices=("drop-empty", "drop", "stop"),
    )
    drop_duplicates: bool = option(False, "rows that repeat an earlier one, but for case and spaces, are left out")
    merge_spellings: bool = option(False, "labels that differ in case only become the most frequent of them")
    shortest: int | None = option(None, "shorter texts are left out", unit="tokens, about", minimum=0)
    longest: int | None = option(None, "longer texts are left out", unit="tokens, about", minimum=1)
    quality_column: str | None = option(None, "the column that holds a mark of quality for each row")
    quality_from: float | None = option(None, "rows with a lower mark of quality are left out")
    weight_column: str | None = option(None, "training sees a row as often as this column says; 0.5 is every second")
    group_column: str | None = option(None, "rows with the same value here stay on one side of the split")
    time_column: str | None = option(None, "the latest rows by this column are held out, not random ones")


SETTING_ALIASES = {"max_seq_length": "max_length", "num_boost_round": "n_estimators", "n_rounds": "n_estimators"}


Options = TypeVar("Options")


def parse_settings(options: type[Options], given: Mapping[str, Any], kind: str = "setting") -> Options:
    """Build the options from names and values as typed or as read from TOML.

    Raises UsageError naming the setting, the value and what is allowed; `kind` is what a setting is called there.
    """
    known = {entry.name: entry for entry in fields(options)}  # type: ignore[arg-type]
    hints = get_type_hints(options)
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = key if key in known else SETTING_ALIASES.get(key, key)
        if name not in known:
            raise UsageError(
                f"There is no {kind} {key!r}",
                f"there are {', '.join(known)}",
                f"Correct the name{nearest(key, tuple(known))}.",
            )
        values[name] = _parse_value(known[name], hints[name], value)
    return options(**values)


def _parse_value(entry: Field[Any], hint: Any, value: Any) -> Any:
    """Turn one value into the type of its field and check its limits."""
    allowed = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    wanted = next(kind for kind in allowed if kind is not NoneType)
    if NoneType in allowed and (value is None or str(value).strip().lower() in ("none", "null", "")):
        return None
    parsed = convert_value(wanted, value)
    choices = entry.metadata.get("choices") or ()
    low, high = entry.metadata.get("minimum"), entry.metadata.get("maximum")
    problem = None
    if parsed is None:
        problem = f"it must be {_KIND_NAMES[wanted]}"
    elif choices and parsed not in choices:
        problem = f"it must be one of {', '.join(choices)}"
    elif low is not None and parsed < low:
        problem = f"it must be at least {low:g}"
    elif high is not None and parsed > high:
        problem = f"it must be at most {high:g}"
    if problem:
        default = "" if entry.default in (MISSING, None) else f", the default is {entry.default}"
        raise UsageError(
            f"{entry.name} = {value!r} is not possible",
            f"{problem}{default}",
            f"Give another value: {entry.metadata['help']}.",
        )
    return parsed


_KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def convert_value(wanted: type, value: Any) -> Any:
    """`value` as int, float, bool or str; None when it is not one."""
    text = str(value).strip()
    if wanted is bool:
        return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}.get(text.lower())
    if wanted is str:
        return text
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    if wanted is int:
        return int(number) if number == int(number) else None
    return number


# --- the request ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunSpec:
    """The whole request for a run, as spec.toml holds it; replayable on its own."""

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

    def to_tables(self) -> dict[str, Any]:
        """The tables of spec.toml; TOML has no null, so what is unknown is left out."""
        run = {"version": SPEC_VERSION, "name": self.name, "task": self.task, "method": self.method}
        data: dict[str, Any] = {"path": self.data}
        for table, key, value in (
            (run, "strategy", self.strategy),
            (run, "created", self.created),
            (data, "eval_path", self.eval_data),
            (data, "eval_part", self.eval_part),
        ):
            if value is not None:
                table[key] = value
        data["map"] = dict(self.columns)
        if self.preparation:
            data["prepare"] = {key: value for key, value in self.preparation.items() if value is not None}
        tables = {
            "run": run,
            "data": data,
            "model": {"source": self.model},
            "settings": {key: value for key, value in self.settings.items() if value is not None},
            "reasons": dict(self.reasons),
        }
        if self.estimate:
            tables["estimate"] = dict(self.estimate)
        return tables


_SPEC_KEYS: dict[str, dict[str, type]] = {
    "run": {"version": int, "name": str, "task": str, "method": str, "strategy": str, "created": str},
    "data": {"path": str, "eval_path": str, "eval_part": str, "map": dict, "prepare": dict},
    "model": {"source": str},
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
