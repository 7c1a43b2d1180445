"""Checks data for a task: every fault with its place, before anything is started."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Protocol

from backends.contract import DataError, DatasetProfile, PreparationOptions, TaskProposal, UsageError, nearest
from backends.formats.columns import TableSummary, feature_columns
from backends.formats.datasets import Glance, batches_of, glance, open_data, part_names, part_of_row
from backends.formats.findings import Findings
from backends.formats.label_checks import LabelCheck
from backends.formats.language_checks import LanguageCheck
from backends.formats.media_checks import MediaCheck
from backends.formats.parts import part_of_name
from backends.formats.preview import preview
from backends.formats.proposals import propose_tasks
from backends.formats.quality import quality_columns
from backends.formats.roles import Roles, propose_roles
from backends.formats.rows import Batch
from backends.formats.shapes import Shape, shapes_of
from backends.formats.source import Dataset, Source
from backends.formats.tally import Tally, Texts
from backends.formats.text_checks import TextCheck
from backends.registry import TaskData, find_data

# Few models read more at once; where the context of a model is known, that is the limit.
LONGEST_USUAL = 8_192


class Check(Protocol):
    """What looks at the rows of one kind of task."""

    texts: Texts

    def add(self, batch: Batch) -> None:
        """Take a batch in."""

    def finish(self, table: TableSummary) -> None:
        """Judge what was counted."""


@dataclass(frozen=True)
class CheckRequest:
    """What is to be checked, and how; everything but the path may be left to the program.

    `longest` is how many tokens the model reads at once; `count_tokens` counts them exactly, given a file of rows, and
    knows the model's own limit. `on_first` is told what the first rows say, `on_progress` the share of the data that
    has been read; what they raise ends the check.
    """

    path: Path
    task: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    eval_path: Path | None = None
    eval_part: str | None = None
    preparation: PreparationOptions = field(default_factory=PreparationOptions)
    longest: int | None = None
    count_tokens: Callable[[IO[str]], tuple[int | None, Iterator[int]]] | None = None
    on_first: Callable[[DatasetProfile], None] | None = None
    on_progress: Callable[[float], None] | None = None


def check_data(path: Path, task_id: str | None = None, given: Mapping[str, str] | None = None) -> DatasetProfile:
    """Everything wrong with data for a task, or for the task it looks to be for; see `check`."""
    return check(CheckRequest(path, task_id, given or {}))


def check(request: CheckRequest) -> DatasetProfile:
    """Everything wrong with data for a task, or for the task it looks to be for.

    Raises UsageError for what was asked wrongly (no such file, column, role or task); what is wrong with the data
    is in the profile, which is returned for unreadable files too.
    """
    task = find_data(request.task) if request.task else None
    try:
        dataset = _with_evaluation(open_data(request.path), request)
        looked = glance(dataset)
    except DataError as error:
        return DatasetProfile(str(request.path), None, None, None, 0, request.task, errors=error.findings)
    plan = _plan(task, dataset, looked.table, looked, request)
    if request.on_first is not None:
        request.on_first(_first_answer(dataset, looked, plan, request))
    for _ in range(2):
        examined = _Pass(request, dataset, looked, plan)
        profile = examined.run()
        if looked.is_whole or examined.broken:
            break
        again = _plan(task, dataset, examined.table, looked, request)
        if (again.task, again.roles.columns) == (plan.task, plan.roles.columns):
            break
        plan = again  # later rows showed another picture than the first ones
    return profile


@dataclass(frozen=True)
class _Plan:
    """For which task the rows are looked at, and which column plays which role."""

    task: TaskData | None
    strategy: str | None
    roles: Roles
    proposals: tuple[TaskProposal, ...]

    @property
    def shape(self) -> Shape | None:
        if self.roles.shape is not None:
            return self.roles.shape
        return shapes_of(self.task)[0] if self.task is not None and len(shapes_of(self.task)) == 1 else None

    @property
    def is_complete(self) -> bool:
        shape = self.shape
        return self.task is not None and shape is not None and set(shape.needed) <= set(self.roles.columns)

    @property
    def reads_text(self) -> bool:
        """Whether a tokenizer has something to count."""
        return self.task is not None and self.task.reads == "text"

    @property
    def has_files(self) -> bool:
        """Whether there are media files to look at, though another role may be missing."""
        return self.shape is not None and bool({"image", "audio", "video"} & set(self.roles.columns))


def _plan(task: TaskData | None, dataset: Dataset, table: TableSummary, looked: Glance, request: CheckRequest) -> _Plan:
    _check_names(table, request.columns)
    proposals = propose_tasks(table, looked.rows, dataset.format, request.columns)
    strategy = None
    if task is None and proposals:
        task, strategy = find_data(proposals[0].task), proposals[0].strategy
    if task is None:
        return _Plan(None, None, Roles({}), proposals)
    if not table.rows:
        return _Plan(task, strategy, Roles({}), proposals)
    usable = table
    if dataset.part_column is not None:
        columns = {name: column for name, column in table.columns.items() if name != dataset.part_column}
        usable = TableSummary(table.rows, columns, table.decimal_comma)
    return _Plan(task, strategy, propose_roles(task, usable, request.columns), proposals)


def _check_names(table: TableSummary, given: Mapping[str, str]) -> None:
    """What was named must be there, whatever the task is."""
    known = {role for data in _all_tasks() for shape in shapes_of(data) for role in shape.roles}
    for role, column in given.items():
        if role not in known:
            fix = f"Correct it{nearest(role, tuple(known))}."
            raise UsageError(f"There is no role {role!r}", f"the roles are {', '.join(sorted(known))}", fix)
        if column not in table.columns:
            names = tuple(table.columns)
            fix = f"Correct it{nearest(column, names)}."
            raise UsageError(f"There is no column {column!r}", f"the columns are {', '.join(names[:30])}", fix)


def _all_tasks() -> tuple[TaskData, ...]:
    from backends.registry import TASK_DATA

    return TASK_DATA


def _with_evaluation(dataset: Dataset, request: CheckRequest) -> Dataset:
    """The data set with the evaluation data that was named beside it as its evaluation part."""
    if request.eval_path is None:
        return dataset
    other = open_data(request.eval_path)
    part = request.eval_part or other.training_part
    if part not in other.parts:
        names = ", ".join(other.parts)
        raise UsageError(f"{request.eval_path} has no part {part!r}", f"its parts are {names}", "Name one of them.")
    parts = {"train": dataset.parts[dataset.training_part], "validation": other.parts[part]}
    return replace(dataset, parts=parts, notes=(*dataset.notes, *other.notes))


def _first_answer(dataset: Dataset, looked: Glance, plan: _Plan, request: CheckRequest) -> DatasetProfile:
    source = dataset.first
    return DatasetProfile(
        str(request.path),
        dataset.format,
        source.encoding,
        looked.table.rows if looked.is_whole else None,
        None,
        plan.task.id if plan.task else None,
        plan.proposals,
        dict(plan.roles.columns),
        stats={
            "columns": {name: column.to_json() for name, column in looked.table.columns.items()},
            "preview": _preview(plan, looked),
        },
    )


def _preview(plan: _Plan, looked: Glance) -> list[dict[str, Any]]:
    shape = plan.shape
    if plan.task is None or shape is None or not plan.is_complete:
        return []
    if plan.task.is_tabular:
        used, _ = feature_columns(looked.table, plan.roles.columns["target"])
        shape = replace(shape, optional=tuple(used))
    return preview(plan.task, shape, plan.roles.columns, looked.rows, looked.places)


class _Pass:
    """One reading of all rows of all parts."""

    def __init__(self, request: CheckRequest, dataset: Dataset, looked: Glance, plan: _Plan) -> None:
        self.request, self.dataset, self.looked, self.plan = request, dataset, looked, plan
        self.findings = Findings()
        self.tally = Tally(self.findings, request.preparation)
        source = dataset.first
        self.table = TableSummary.of(source.columns, source.decimal_comma)
        self.check: Check | None = self._checker(source) if plan.is_complete or plan.has_files else None
        self.broken = False
        self.model_limit: int | None = None
        self.sink: IO[str] | None = None
        if request.count_tokens is not None and self.check is not None and plan.reads_text:
            self.sink = self.check.texts.sink = tempfile.TemporaryFile("w+", encoding="utf-8")

    def run(self) -> DatasetProfile:
        """Read everything and say what was found."""
        for note in self.dataset.notes:
            self.findings.warn(note.code, note.message, note.where, note.fix)
        try:
            self._read()
        except DataError as error:
            self.broken = True
            for found in error.findings:
                self.findings.error(found.code, found.message, found.where, found.fix)
            return self._profile()
        if self._says_nothing():
            return self._profile()
        if self.plan.task is None:
            self._say_no_task()
            return self._profile()
        self._judge_roles()
        if self.check is not None:
            self._count_tokens()
            self.check.finish(self.table)
        if self.plan.is_complete:
            self._judge_parts()
            self._judge_lengths()
            self._judge_preparation()
            self.tally.stats["quality_columns"] = quality_columns(self.table, self.looked.rows, self.plan.roles.columns)
        return self._profile()

    def _checker(self, source: Source) -> Check:
        task, roles, shape = self.plan.task, self.plan.roles.columns, self.plan.shape
        assert task is not None and shape is not None
        if task.id in ("text-generation", "reward-modeling"):
            shown = shape if task.id == "text-generation" else replace(shape, name="preference", strategy="dpo")
            return LanguageCheck(task, roles, self.tally, shown)
        if task.reads in ("image", "audio", "video"):
            return MediaCheck(task, roles, self.tally, shape)
        if task.label_role is not None and task.id != "token-classification":
            return LabelCheck(task, roles, self.tally, source.decimal_comma)
        return TextCheck(task, roles, self.tally, shape)

    def _read(self) -> None:
        sources = [(part, source) for part, sources in self.dataset.parts.items() for source in sources]
        sizes = [_size(source) for _, source in sources]
        done = 0
        for (part, source), size in zip(sources, sizes):
            if isinstance(self.check, MediaCheck):
                self.check.base = source.path.parent
            for number, batch in enumerate(batches_of(self.dataset, source, self.findings)):
                if not number and part != self.dataset.training_part and self._lacks_columns(batch, source, part):
                    break
                for name, some in self._by_part(batch, part):
                    self.tally.part = name
                    self.tally.read[name] += len(some)
                    if name == "train" or name == self.dataset.training_part:
                        self.table.add(some)
                    if self.check is not None:
                        self.check.add(some)
                if self.request.on_progress is not None and batch.share is not None:
                    self.request.on_progress((done + size * batch.share) / max(1, sum(sizes)))
            done += size

    def _lacks_columns(self, batch: Batch, source: Source, part: str) -> bool:
        """Whether an evaluation file has not the columns of the training file, which is told."""
        shape = self.plan.shape
        needed = [self.plan.roles.columns.get(role) for role in shape.needed] if shape is not None else []
        missing = [name for name in needed if name is not None and name not in batch.columns]
        if missing:
            self.findings.error(
                "part-columns",
                f"{source.path.name}, the {part} part, has no column {missing[0]!r}; its columns are "
                f"{', '.join(list(batch.columns)[:12])}",
                source.path.name,
                "Give it the same columns as the training data.",
            )
        return bool(missing)

    def _by_part(self, batch: Batch, part: str) -> list[tuple[str, Batch]]:
        if self.dataset.part_column is None or part != self.dataset.training_part:
            return [(part, batch)]
        cells = batch.columns.get(self.dataset.part_column, [])
        rows: dict[str, list[int]] = {}
        for index, cell in enumerate(cells):
            name = part_of_row(self.dataset, {self.dataset.part_column: cell}, part)
            rows.setdefault(name, []).append(index)
        wanted = ("train",) if self.request.eval_path is not None else tuple(rows)
        return [(name, batch.pick(rows[name])) for name in wanted if name in rows]

    # --- what is said at the end -------------------------------------------------------------------------------

    def _says_nothing(self) -> bool:
        """Whether there is nothing to judge: no rows, or one column that always says the same."""
        source, table = self.dataset.first, self.table
        name = source.path.name
        if not table.rows:
            where = f"column {source.columns[0]}" if source.columns else name
            names = f"; the columns are {', '.join(source.columns[:12])}" if source.columns else ""
            self.findings.error("no-rows", f"{name} has 0 examples{names}", where, "Add rows below the header.")
            return True
        only = next(iter(table.columns.values())) if len(table.columns) == 1 else None
        if only is not None and only.distinct <= 1 and only.media is None and only.holds is None:
            self.findings.error(
                "nothing-to-learn",
                f"there is one column, {only.name!r}, with one distinct value: nothing to learn and no target",
                f"column {only.name}",
                "Add the columns to learn from and the one to predict.",
            )
            return True
        return False

    def _say_no_task(self) -> None:
        columns = self.table.columns
        kinds = ", ".join(f"{name} ({column.kind})" for name, column in list(columns.items())[:12])
        empty = next((name for name, column in columns.items() if column.kind == "empty"), None)
        if empty is not None:
            self.findings.error(
                "empty-column", f"column {empty!r} is empty in every row", f"column {empty}", "Fill it."
            )
            return
        self.findings.error(
            "no-task",
            f"no task fits these columns: {kinds}",
            f"column {next(iter(columns), '?')}",
            "Say what to do with --task and which column is what with --map role=column.",
        )

    def _judge_roles(self) -> None:
        task, roles, findings = self.plan.task, self.plan.roles, self.findings
        assert task is not None
        if self.plan.shape is None:
            shapes = "; ".join(f"{', '.join(shape.needed)}" for shape in shapes_of(task))
            findings.error(
                "no-column-for-role",
                f"no columns hold what {task.id} reads; the columns are {', '.join(list(self.table.columns)[:20])}",
                "the header",
                f"Rows hold one of these: {shapes}. Name them with --map role=COLUMN.",
            )
            return
        for role in self.plan.shape.needed:
            if role not in roles.columns and self.dataset.format in _LOOSE_FILES:
                what, fix = _LOOSE_FILES[self.dataset.format]
                findings.error("no-classes", f"{self.dataset.path.name}: {what}", role, fix)
            elif role not in roles.columns:
                findings.error(
                    "no-column-for-role",
                    f"no column could be the {role}; the columns are {', '.join(list(self.table.columns)[:20])}",
                    f"role {role}",
                    f"Name it: --map {role}=COLUMN",
                )
            elif role in roles.guessed and self.dataset.format not in _NAMELESS:
                findings.warn(
                    "guessed-role",
                    f"{roles.columns[role]!r} was taken as the {role} by its content, not by its name",
                    f"column {roles.columns[role]}",
                    f"Name another with --map {role}=COLUMN",
                )
        for role, others in dict(roles.others).items():
            findings.warn(
                "other-reading",
                f"{roles.columns[role]!r} was taken as the {role}; by its name {others[0]!r} could be it too",
                f"column {others[0]}",
                f"If that is the {role}: --map {role}={others[0]}",
            )
        self._note_codes()
        if task.is_tabular:
            self._judge_dirty_numbers("target" in roles.guessed)

    def _note_codes(self) -> None:
        """Say which columns of digits are no numbers: a number would lose their zeros or their last digits."""
        for name, column in self.table.columns.items():
            if column.kind in ("code", "identifier") and column.codes and column.numbers == column.present:
                why = "numbers above 64 bit" if column.beyond_64_bit else "leading zeros or very long numbers"
                example = next((each for each in column.examples), "")
                self.findings.warn(
                    "kept-as-text",
                    f"{name!r} holds {why}, such as {example[:30]}: it is kept as text, no digit is lost",
                    f"column {name}",
                    "Nothing to do.",
                )

    def _judge_dirty_numbers(self, guessed_target: bool) -> None:
        for name, column in self.table.columns.items():
            if name == self.plan.roles.columns.get("target") or not column.dirty:
                continue
            for where, text in column.not_numbers:
                message = f"{name!r} holds numbers, but here {text!r}"
                if guessed_target and self.request.preparation.bad_rows != "drop":
                    fix = (
                        "Correct it; or name the target with --map target=COLUMN, then it counts as missing elsewhere."
                    )
                    self.findings.error("not-a-number", message, where, fix)
                else:
                    self.findings.warn("not-a-number", message, where, "It counts as missing.")
            self.findings.count("not-a-number", column.dirty - len(column.not_numbers))

    def _judge_parts(self) -> None:
        tally = self.tally
        for name in part_names(self.dataset):
            if name != self.dataset.training_part and tally.read[name] and not tally.usable[name]:
                self.findings.error(
                    "no-evaluation-rows",
                    f"none of the {tally.read[name]:,} rows of the {name} part can be used",
                    f"{name} part",
                    "Give it the same columns and labels as the training part.",
                )
        source = self.dataset.first
        beside = (
            _evaluation_beside(source.path) if len(self.dataset.parts) == 1 and not self.dataset.part_column else None
        )
        if beside is not None and self.request.path.is_file():
            self.findings.warn(
                "evaluation-beside",
                f"{beside.name} beside it looks like the evaluation part",
                beside.name,
                f"To score on it: --eval-data {beside.name}",
            )

    def _count_tokens(self) -> None:
        """Let the model's tokenizer count, where one was named."""
        if self.request.count_tokens is None or self.sink is None:
            return
        self.model_limit, counts = self.request.count_tokens(self.sink)
        assert self.check is not None
        self.check.texts.tokens = array("Q", counts)
        self.sink.close()

    def _judge_lengths(self) -> None:
        texts = self.check.texts if self.check is not None else None
        if texts is None or not self.plan.reads_text:
            return
        known = self.request.longest or self.model_limit
        if known is None and self.plan.shape is not None and self.plan.shape.name == "text":
            return  # plain texts are put together and divided anyway
        limit = known or LONGEST_USUAL
        code = "longer-than-context" if known else "very-long"
        what = "the model reads" if known else "most models read"
        for position, count in texts.longer_than(limit):
            self.findings.warn(
                code,
                f"{'about ' if texts.tokens is None else ''}{count:,} tokens; {what} {limit:,} at once",
                texts.where(position),
                "What is beyond is cut; divide the text, or choose a model that reads more.",
            )

    def _judge_preparation(self) -> None:
        """Whether the columns that were chosen for something are there and hold what that needs."""
        kinds = {"quality_column": ("number",), "weight_column": ("number",), "time_column": ("number", "date")}
        for option in ("quality_column", "weight_column", "group_column", "time_column"):
            name = getattr(self.request.preparation, option)
            if name is not None and name not in self.table.columns:
                names = tuple(self.table.columns)
                raise UsageError(
                    f"There is no column {name!r} for {option}",
                    f"the columns are {', '.join(names[:30])}",
                    f"Correct it{nearest(name, names)}.",
                )
            if name is not None and self.table.columns[name].kind not in (*kinds.get(option, ()), "constant"):
                if option in kinds:
                    self.findings.error(
                        "wrong-kind",
                        f"{name!r} cannot be the {option}: it holds {self.table.columns[name].kind}, "
                        f"not {' or '.join(kinds[option])}",
                        f"column {name}",
                        "Choose another column.",
                    )
        for why, count in self.tally.filtered.items():
            self.tally.stats.setdefault("filtered", {})[why] = count

    def _profile(self) -> DatasetProfile:
        source, tally, plan = self.dataset.first, self.tally, self.plan
        columns = {name: column.to_json() for name, column in self.table.columns.items()}
        names = part_names(self.dataset) if self.request.eval_path is None else list(self.dataset.parts)
        parts = {name: {"rows": tally.read[name], "usable_rows": tally.usable[name]} for name in names}
        stats = {
            "columns": columns,
            "delimiter": source.delimiter,
            "parts": parts,
            "repaired": dict(tally.repaired),
            "left_out_rows": dict(tally.rejected),
            "preview": _preview(plan, self.looked),
            **tally.stats,
        }
        return DatasetProfile(
            path=str(self.request.path),
            format=self.dataset.format,
            encoding=source.encoding,
            rows=sum(tally.read.values()),
            usable_rows=max(0, sum(tally.usable.values())),
            task=plan.task.id if plan.task else None,
            proposals=plan.proposals,
            columns=dict(plan.roles.columns),
            errors=self.findings.errors(),
            warnings=self.findings.warnings(),
            stats=stats,
        )


# Formats whose columns carry no names of a person's own, so that nothing was guessed from them.
_NAMELESS = ("text", "conll", "squad", "coco", "yolo", "image-folder", "video-folder", "audio-folder")


_FOLDERS = "Put the files of each class into a folder named after it, and name the folder above."
_SPOKEN = "Write a metadata.csv beside them with the columns file_name and transcription."
# What to do with files that come alone, without a word of what is to be learned from them.
_LOOSE_FILES = {
    "image": ("one picture is no data set", _FOLDERS),
    "image-folder": ("the pictures lie in no class folders, so nothing says what is to be learned", _FOLDERS),
    "video": ("one video is no data set", _FOLDERS),
    "video-folder": ("the videos lie in no class folders, so nothing says what is to be learned", _FOLDERS),
    "audio": ("one recording is no data set", _SPOKEN),
    "audio-folder": ("nothing says what is spoken in the recordings", _SPOKEN),
}


def _size(source: Source) -> int:
    try:
        return os.stat(source.path).st_size
    except OSError:
        return 1


def _evaluation_beside(path: Path) -> Path | None:
    """A file of the same name but for its part, such as `x_test.csv` beside `x_train.csv`."""
    stem, part = part_of_name(path.name.removesuffix("".join(path.suffixes)))
    if part != "train":
        return None
    found: dict[str, Path] = {}
    try:
        for other in sorted(path.parent.iterdir()):
            if other.suffixes == path.suffixes and other != path:
                other_stem, other_part = part_of_name(other.name.removesuffix("".join(other.suffixes)))
                if other_stem.lower() == stem.lower() and other_part in ("validation", "test"):
                    found.setdefault(other_part, other)
    except OSError:
        return None
    return found.get("validation") or found.get("test")
