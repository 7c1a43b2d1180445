"""Checks rows that carry a class or a number to predict: tables, texts and pairs of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backends.formats.classes import LABELS_SHOWN, Labels, judge_counts, merged_counts
from backends.formats.columns import TableSummary, feature_columns
from backends.formats.leaks import LeakWatch, NumberWatch
from backends.formats.row_faults import plain_fault, row_words, table_words
from backends.formats.rows import Batch
from backends.formats.tally import Tally, Texts, byte_length
from backends.formats.values import as_text, label_names
from backends.formats.verdicts import WITHOUT_VERDICT, in_words, named_verdicts
from backends.options import ASSUMED_ORDER
from backends.registry import TaskData

_GOOD_KEPT = 10_000


class LabelCheck:
    """The check of tables and of labelled texts, row by row."""

    def __init__(self, task: TaskData, roles: Mapping[str, str], tally: Tally) -> None:
        self.task, self.roles, self.tally = task, roles, tally
        self.text_roles = () if task.is_tabular else task.text_roles
        self.labels = Labels()
        self.texts = Texts()
        # Labels that were found good: most rows carry one of a few.
        self.good: set[str] = set()
        self.leaks = LeakWatch(roles[task.roles[0]]) if task.is_tabular else None
        self.numbers = NumberWatch(roles[task.roles[0]]) if task.is_tabular and task.numeric_label else None

    def add(self, batch: Batch) -> None:
        """Take a batch in."""
        task, tally = self.task, self.tally
        self.texts.begin(tally.part, batch.place_word)
        none = [None] * len(batch)
        cells_of = {role: batch.columns.get(column, none) for role, column in self.roles.items()}
        names = tuple(cells_of)
        order = sorted(batch.columns)
        if self._take_good(batch, cells_of):
            return
        whole = list(zip(*(batch.columns[name] for name in order))) if task.is_tabular else ()
        if self.leaks is not None and tally.part == "train":
            self.leaks.add(batch)
        if self.numbers is not None and tally.part == "train":
            self.numbers.add(batch, tally.decimal_comma)
        for index, cells in enumerate(zip(*cells_of.values())):
            values = dict(zip(names, cells))
            label = values[str(task.label_role)]
            if not (isinstance(label, str) and label in self.good and self._has_texts(values)):
                fault = plain_fault(task, values, tally.decimal_comma)
                if fault is not None:
                    tally.fault(fault, batch.where(index))
                    if fault.fatal:
                        continue
                if isinstance(label, str) and not task.numeric_label and len(self.good) < _GOOD_KEPT:
                    self.good.add(label)
            words = table_words(order, whole[index]) if task.is_tabular else row_words(task, values, {})
            if tally.filters and not tally.keep(batch, index, byte_length(words)):
                continue
            tally.usable[tally.part] += 1
            number = None if task.numeric_label else self._count(label)
            if self.texts.sink is not None:
                self.texts.for_tokenizer(texts=[as_text(values[role]) for role in self.text_roles])
            self.texts.add(words, batch.places[index], label=None if task.is_tabular else number)

    def _take_good(self, batch: Batch, cells_of: Mapping[str, Sequence[Any]]) -> bool:
        """Take the rows in at once when all hold texts and a label that was found good before, and all are wanted."""
        tally = self.tally
        if not self.good or not self.text_roles or tally.filters or self.texts.sink is not None:
            return False
        if self.task.takes_several and tally.options.label_separator is not None:
            return False
        labels, texts = cells_of[str(self.task.label_role)], [cells_of[role] for role in self.text_roles]
        if any(set(map(type, cells)) != {str} or not all(map(str.strip, cells)) for cells in texts):
            return False
        if set(map(type, labels)) != {str} or set(map(type, batch.places)) != {int} or not self.good.issuperset(labels):
            return False
        words = list(map("\n".join, zip(*texts)))
        tally.usable[tally.part] += len(batch)
        numbers = self.labels.add_many(labels, tally.part)
        self.texts.add_many(words, batch.places, list(map(byte_length, words)), numbers)
        return True

    def _has_texts(self, values: Mapping[str, Any]) -> bool:
        return all(isinstance(text := values[role], str) and text.strip() for role in self.text_roles)

    def _count(self, label: Any) -> int:
        """Count the class of a row, or its labels; returns a number that stands for them."""
        separator = self.tally.options.label_separator
        if self.task.takes_several and (separator is not None or isinstance(label, list | tuple)):
            return self.labels.add_several(label_names(label, separator), self.tally.part, self.tally.is_low)
        return self.labels.add(label, self.tally.part, self.tally.is_low)

    def finish(self, table: TableSummary) -> None:
        """Judge what was counted."""
        tally, column = self.tally, self.roles[str(self.task.label_role)]
        again = self.texts.report(tally, "row" if self.task.is_tabular else "text")
        if tally.options.drop_duplicates:
            tally.usable.subtract(again)
        if not self.task.numeric_label:
            self._name_verdicts()
        judge_counts(self.task, tally, table, self.roles, self.labels)
        if self.task.is_tabular:
            _judge_features(tally, table, column)
            if self.leaks is not None:
                self.leaks.report(tally.findings, table)
            if self.numbers is not None:
                self.numbers.report(tally.findings, table)
        elif lengths := self.texts.lengths():
            tally.stats["lengths"] = lengths
        if not self.task.numeric_label:
            counts = merged_counts(self.labels.counts) if tally.options.merge_spellings else self.labels.counts
            tally.stats["labels"] = dict(counts.most_common(LABELS_SHOWN))
            tally.stats["label_count"] = len(counts)
            if self.labels.several:
                tally.stats["several_labels"] = True

    def _name_verdicts(self) -> None:
        """Call numbers by the verdicts they are taken for, which is told unless it was chosen."""
        order, column = self.tally.options.verdict_order, self.roles[str(self.task.label_role)]
        names = named_verdicts(order, self.roles, self.labels.counts)
        if names and order == ASSUMED_ORDER:
            self.tally.findings.warn(
                "verdicts-assumed",
                f"labels 0, 1 and 2 are taken for verdicts in their usual order: {in_words(names)}",
                f"column {column}",
                "Look at a few rows; another order, or `off` for plain numbers, is chosen beforehand: "
                "--prepare verdict_order=contradiction,neutral,entailment.",
            )
        if names and WITHOUT_VERDICT in self.labels.counts:
            self.tally.findings.warn(
                "no-verdict",
                f"{self.labels.counts[WITHOUT_VERDICT]:,} rows are labelled -1, which marks rows without a verdict",
                f"column {column}",
                "Take them out of the file; they are learned as a class of their own.",
            )
        self.labels.rename(names)


def _judge_features(tally: Tally, table: TableSummary, target: str) -> None:
    used, left_out = feature_columns(table, target)
    tally.stats["features"] = used
    tally.stats["left_out"] = left_out
    for name, reason in left_out.items():
        if table.columns[name].has_marks:
            continue  # told with what to do, as marked-numbers
        tally.findings.warn(
            "column-left-out", f"{name!r} is not used: {reason}", f"column {name}", "Nothing to do; it is left out."
        )
    if not used:
        tally.findings.error(
            "no-features",
            "no column is left to learn from",
            f"column {target}",
            "Add columns that describe the rows, or choose another task.",
        )
    for name in used:
        column = table.columns[name]
        if column.infinite:
            tally.findings.warn(
                "infinite",
                f"{name!r} holds infinity in {column.infinite:,} {'row' if column.infinite == 1 else 'rows'}",
                f"column {name}",
                "It counts as missing.",
            )
