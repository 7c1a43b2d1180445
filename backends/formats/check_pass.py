"""One reading of all rows of all parts of a data set: counts, checks row by row, and the profile at the end."""

from __future__ import annotations

import os
import tempfile
from array import array
from dataclasses import replace
from typing import IO, Protocol

from backends.contract import DataError, DatasetProfile
from backends.formats.check_plan import Plan, preview_of
from backends.formats.check_request import CheckRequest
from backends.formats.columns import TableSummary
from backends.formats.datasets import Glance, batches_of, by_part
from backends.formats.findings import NOT_READ, Findings
from backends.formats.judgements import (
    Evidence,
    judge_lengths,
    judge_parts,
    judge_preparation,
    judge_roles,
    judge_stopping,
    say_no_task,
    says_nothing,
)
from backends.formats.parts import PART_NAMES, UNKNOWN_PART
from backends.formats.quality import quality_columns
from backends.formats.rows import Batch
from backends.formats.source import Dataset, Source
from backends.formats.tally import Tally, Texts


class Check(Protocol):
    """What looks at the rows of one kind of task."""

    texts: Texts

    def add(self, batch: Batch) -> None:
        """Take a batch in."""

    def finish(self, table: TableSummary) -> None:
        """Judge what was counted."""


class Pass:
    """One reading of all rows of all parts."""

    def __init__(self, request: CheckRequest, dataset: Dataset, looked: Glance, plan: Plan) -> None:
        self.request, self.dataset, self.looked, self.plan = request, dataset, looked, plan
        self.findings = Findings()
        self.tally = Tally(self.findings, request.preparation)
        source = dataset.first
        names = [name for name in source.columns if name != dataset.part_column]
        self.table = TableSummary.of(names, source.decimal_comma)
        self.check: Check | None = self._checker() if plan.is_complete or plan.has_files else None
        self.broken = False
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
        finally:
            self.findings.part = None
        evidence = Evidence(self.request, self.dataset, self.plan, self.table, self.tally)
        if says_nothing(evidence):
            return self._profile()
        if self.plan.task is None:
            say_no_task(evidence)
            return self._profile()
        judge_roles(evidence)
        self._note_names_among_values()
        if self.check is not None:
            limit = self._count_tokens()
            self.check.finish(self.table)
            evidence = replace(evidence, texts=self.check.texts, model_limit=limit)
        if self.plan.is_complete:
            judge_parts(evidence)
            judge_lengths(evidence)
            judge_preparation(evidence)
            self.tally.stats["quality_columns"] = quality_columns(self.table, self.looked.rows, self.plan.roles.columns)
        judge_stopping(evidence)
        return self._profile()

    def _note_names_among_values(self) -> None:
        """A file without a line of names: its first row was taken for one, and shows as a value further down."""
        if self.dataset.format not in ("csv", "tsv", "xlsx") or self.findings.counts["no-header"]:
            return
        for name in self.table.columns:
            if any(row.get(name) == name for row in self.looked.rows):
                self.findings.warn(
                    "no-header",
                    f"the first line was taken for the names of the columns, but {name!r} is a value in its column too",
                    "line 1",
                    "Write a line of names above the values, or the first row is lost.",
                )

    def _checker(self) -> Check:
        """The check of the task; the others, and what they need of pictures and sounds, are not imported."""
        task, roles, shape = self.plan.task, self.plan.roles.columns, self.plan.shape
        assert task is not None and shape is not None
        if task.id in ("text-generation", "reward-modeling"):
            from backends.formats.language_checks import LanguageCheck

            return LanguageCheck(task, roles, self.tally, shape)
        if task.reads in ("image", "audio", "video"):
            from backends.formats.media_checks import MediaCheck

            return MediaCheck(task, roles, self.tally, shape)
        if task.has_classes or task.numeric_label:
            from backends.formats.label_checks import LabelCheck

            return LabelCheck(task, roles, self.tally)
        from backends.formats.text_checks import TextCheck

        return TextCheck(task, roles, self.tally, shape)

    def _read(self) -> None:
        sources = [(part, source) for part, sources in self.dataset.parts.items() for source in sources]
        sizes = [_size(source) for _, source in sources]
        done = 0
        for (part, source), size in zip(sources, sizes):
            self.tally.decimal_comma = source.decimal_comma
            self.tally.folder = source.path.parent
            self.findings.part = self._told(part)
            for number, batch in enumerate(batches_of(self.dataset, source, self.findings)):
                if not number and part != self.dataset.training_part and self._lacks_columns(batch, source, part):
                    break
                for name, some in by_part(self.dataset, batch, part):
                    if name != "train" and part == self.dataset.training_part and self.request.eval_path is not None:
                        continue  # other data was named to score on
                    self.tally.part = name
                    self.findings.part = self._told(name)
                    self.tally.read[name] += len(some)
                    if name == UNKNOWN_PART:
                        continue
                    if name == "train" or name == self.dataset.training_part:
                        self.table.add(some)
                    if self.check is not None:
                        self.check.add(some)
                self.findings.part = self._told(part)
                if self.request.on_progress is not None and batch.share is not None:
                    self.request.on_progress((done + size * batch.share) / max(1, sum(sizes)))
            done += size

    def _told(self, part: str) -> str | None:
        """The part as it is told with the place of a row; the training part goes without saying."""
        return None if part in ("train", self.dataset.training_part) else part

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

    def _count_tokens(self) -> int | None:
        """Let the model's tokenizer count, where one was named; returns how many tokens the model reads at once."""
        if self.request.count_tokens is None or self.sink is None:
            return None
        limit, counts = self.request.count_tokens(self.sink)
        assert self.check is not None
        self.check.texts.tokens = array("Q", counts)
        self.sink.close()
        return limit

    def _profile(self) -> DatasetProfile:
        source, tally, plan = self.dataset.first, self.tally, self.plan
        columns = {name: column.to_json() for name, column in self.table.columns.items()}
        names = sorted({*self.dataset.parts, *tally.read} - {UNKNOWN_PART}, key=PART_NAMES.index)
        parts = {name: {"rows": tally.read[name], "usable_rows": tally.usable[name]} for name in names}
        stats = {
            "columns": columns,
            "delimiter": source.delimiter,
            "parts": parts,
            "repaired": dict(tally.repaired),
            "left_out_rows": dict(tally.rejected),
            "unread_rows": sum(self.findings.counts[code] for code in NOT_READ),
            "preview": preview_of(plan, self.looked),
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


def _size(source: Source) -> int:
    try:
        return os.stat(source.path).st_size
    except OSError:
        return 1
