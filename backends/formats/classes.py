"""Counts classes and judges whether there is enough of each to learn from."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.formats.columns import TableSummary
from backends.formats.findings import Findings
from backends.formats.roles import MOST_CLASS_IDS
from backends.formats.split import FEWEST_TRAINED, HELD_OUT_SHARE, held_out_of
from backends.formats.tally import Tally
from backends.formats.values import as_label, as_text
from backends.registry import Minimum, TaskData

LABELS_SHOWN = 200
# Below this many usable rows there is nothing to hold out and still learn from: two are scored, three are trained on.
FEWEST_ROWS = FEWEST_TRAINED + 2
_CLASSES_LISTED = 10_000
# What people write between words in several ways; signs elsewhere are often all that tells two classes apart.
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[\s_.-]+(?=[^\W\d_])|(?<=\w)\.$")


@dataclass
class Labels:
    """How often each class stands in the training part, and in how many spellings.

    `low` counts those of its rows that are not trained on by their mark of quality.
    """

    counts: Counter[str] = field(default_factory=Counter)
    low: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    spellings: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    several: bool = False

    def add_several(self, names: tuple[str, ...], part: str, is_low: bool = False) -> int:
        """Count the labels of a row that may have any number of them; returns a number that stands for all together."""
        self.several = self.several or len(names) != 1
        for name in names:
            self.add(name, part, is_low)
        key = "\0".join(sorted(names))
        return self.numbers.setdefault(key, len(self.numbers)) if len(self.numbers) < 100_000 else -1

    def add(self, cell: Any, part: str, is_low: bool = False, rows: int = 1) -> int:
        """Count the label of a row or of several, maybe of low quality; returns a number that stands for the label."""
        label = self.known.get(cell) if isinstance(cell, str) else None
        if label is None:
            label = as_label(cell)
            if isinstance(cell, str) and len(self.known) < _CLASSES_LISTED:
                self.known[cell] = label
        if part == "train":
            self.counts[label] += rows
            self.low[label] += rows * is_low
            if len(self.spellings) < _CLASSES_LISTED:
                self.spellings.add(as_text(cell))
        else:
            self.elsewhere[label] += rows
        return self.numbers.setdefault(label, len(self.numbers)) if len(self.numbers) < 100_000 else -1

    def add_many(self, cells: Sequence[str], part: str) -> list[int]:
        """Count the labels of many rows, none of low quality; returns the number that stands for each."""
        numbers = {cell: self.add(cell, part, rows=rows) for cell, rows in Counter(cells).items()}
        return [numbers[cell] for cell in cells]

    def rename(self, names: Mapping[str, str]) -> None:
        """Call classes by other names, none of which is that of another class."""
        self.counts, self.low, self.elsewhere = (
            Counter({names.get(label, label): count for label, count in counts.items()})
            for counts in (self.counts, self.low, self.elsewhere)
        )


def judge_counts(task: TaskData, tally: Tally, table: TableSummary, roles: Mapping[str, str], labels: Labels) -> None:
    """Whether there is enough to learn: rows, classes, spellings; what no run could survive is an error."""
    findings, usable = tally.findings, tally.usable["train"]
    column = roles[str(task.label_role)]
    if usable < fewest_rows(tally):
        say_too_few(task, tally, table, roles, column)
        return
    if task.numeric_label:
        _judge_numbers(task, tally, table, column)
        warn_little(task.minimum, usable, findings)
        return
    counts = labels.counts
    if tally.options.merge_spellings:
        counts = merged_counts(counts)
        tally.stats["merged_labels"] = _merges(labels.counts)
    if len(counts) < 2:
        findings.error(
            "one-class",
            f"classification needs at least 2 classes, {column!r} has 1: {next(iter(counts), 'none')!r}",
            f"column {column}",
            "Add rows of another class, or choose another column.",
        )
        return
    if len(counts) > 0.5 * usable and usable >= 8:
        findings.error(
            "too-many-classes",
            f"{column!r} has {len(counts):,} different values in {usable:,} rows: there is no class to learn",
            f"column {column}",
            f"Choose another column; a number is predicted by {'tabular' if task.is_tabular else 'text'}-regression.",
        )
        return
    if fewest_rows(tally) == FEWEST_ROWS and not labels.several and not _can_be_divided(labels.counts):
        findings.error(
            "no-evaluation-rows",
            f"nothing can be held out to score on: {sum(count == 1 for count in labels.counts.values()):,} of "
            f"{len(labels.counts):,} classes have a single row",
            f"column {column}",
            "Add rows to the classes, or name other data to score on: --eval-data FILE",
        )
        return
    if task.takes_several and not labels.several:
        _warn_divided(counts, column, findings)
    good = labels.counts - labels.low
    good = merged_counts(good) if tally.options.merge_spellings else good
    if len(good) == 1 and good.total() >= fewest_rows(tally):
        findings.error(
            "one-class",
            f"the rows that {tally.options.quality_column!r} leaves to train on are all of class {next(iter(good))!r}",
            f"column {tally.options.quality_column}",
            "Choose a lower quality_from, or another column.",
        )
        return
    judge_classes(task.minimum, counts, labels, tally.options.merge_spellings, column, findings)
    if "class" not in task.minimum.unit:
        warn_little(task.minimum, usable, findings)


def _warn_divided(counts: Counter[str], column: str, findings: Findings) -> None:
    """Classes that look like several labels in one cell: parts between a sign, of which there are far fewer."""
    for sign in ";|,":
        divided = [label for label in counts if sign in label]
        parts = {part.strip() for label in counts for part in label.split(sign)}
        if len(divided) >= 2 and 2 * len(parts) <= len(counts):
            findings.warn(
                "labels-divided",
                f"{len(counts):,} classes look like {len(parts)} labels divided by {sign!r}: {divided[0]!r}",
                f"column {column}",
                f"If a row may have several labels: --prepare 'label_separator={sign}'",
            )
            return


def fewest_rows(tally: Tally) -> int:
    """How many rows training needs: with those that are held out of it, unless there are others to score on."""
    return FEWEST_TRAINED if any(tally.read[part] for part in ("validation", "test")) else FEWEST_ROWS


def _can_be_divided(counts: Counter[str]) -> bool:
    """Whether the split leaves rows on both sides; only classes of single rows, or very few rows, forbid it."""
    held_out = sum(held_out_of(list(counts.values()), HELD_OUT_SHARE))
    return 0 < held_out <= sum(counts.values()) - FEWEST_TRAINED


def merged_counts(counts: Counter[str]) -> Counter[str]:
    """The counts after labels that differ in case only became the most frequent of them."""
    merged: Counter[str] = Counter()
    for label, chosen in merged_spellings(counts).items():
        merged[chosen] += counts[label]
    return merged


def _merges(counts: Counter[str]) -> dict[str, dict[str, int]]:
    """For each label that others became one with: those others, and how many rows each of them had."""
    merges: dict[str, dict[str, int]] = defaultdict(dict)
    for label, chosen in merged_spellings(counts).items():
        if label != chosen:
            merges[chosen][label] = counts[label]
    return dict(merges)


def merged_spellings(counts: Counter[str]) -> dict[str, str]:
    """For each label the spelling it becomes: the most frequent of those that differ in case only."""
    alike: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        alike[label.casefold()].append(label)
    best = {key: min(labels, key=lambda each: (-counts[each], each)) for key, labels in alike.items()}
    return {label: best[label.casefold()] for label in counts}


def judge_classes(
    minimum: Minimum, counts: Counter[str], labels: Labels, merged: bool, column: str, findings: Findings
) -> None:
    """Warn of classes too rare to split, written in several ways, missing in training or nearly all there is."""
    for label, count in sorted(counts.items(), key=lambda item: item[1]):
        if count >= 2:
            break
        findings.warn(
            "rare-class",
            f"class {label!r} has 1 row, so it cannot be both trained and evaluated",
            f"class {label}",
            "It is trained on and never scored; add rows or merge it.",
        )
    spelled = str.casefold if merged else str
    known = set(map(spelled, counts))
    unseen = [label for label in labels.elsewhere if spelled(label) not in known]
    if unseen:
        scored = len(unseen) < len(labels.elsewhere)
        (findings.warn if scored else findings.error)(
            "unseen-class",
            f"{sum(labels.elsewhere[label] for label in unseen):,} evaluation rows are of classes that training "
            f"never sees: {', '.join(unseen[:5])}",
            f"column {column}",
            "They are left out of the score; add such rows to the training part.",
        )
    if not merged:
        _warn_spellings(counts, len(labels.spellings), column, findings)
    label, most = counts.most_common(1)[0]
    if most > 0.9 * sum(counts.values()) and len(counts) > 1:
        share = most / sum(counts.values())
        findings.warn(
            "imbalance",
            f"{share:.0%} of the rows are {label!r}: always answering that is right {share:.0%} of the time",
            f"column {column}",
            "Look at macro F1, not at accuracy; more rows of the rare classes help most.",
        )
    if "class" in minimum.unit:
        small = [label for label, count in counts.items() if count < minimum.absolute]
        if small:
            findings.warn(
                "little-data",
                f"{len(small)} of {len(counts)} classes have under {minimum.absolute} rows",
                ", ".join(sorted(small)[:5]),
                f"Expect weak results there; {minimum.good} {minimum.unit} is a good start.",
            )


def say_too_few(task: TaskData, tally: Tally, table: TableSummary, roles: Mapping[str, str], column: str) -> None:
    """The error that there is nothing to learn from, with what became of the rows."""
    usable = tally.usable["train"]
    empty = [name for name in roles.values() if name in table.columns and table.columns[name].kind == "empty"]
    why = (
        f"column {empty[0]!r} is empty in every row"
        if empty
        else f"{table.rows:,} {'row was' if table.rows == 1 else 'rows were'} read"
    )
    told = ", ".join(f"{count:,} {code}" for code, count in tally.rejected.most_common(3))
    why += f" and {told}" if told and not empty else ""
    tally.findings.error(
        "too-few-rows",
        f"only {usable} {'row' if usable == 1 else 'rows'} can be used: {why}",
        f"column {empty[0] if empty else column}",
        f"At least {fewest_rows(tally)} are needed to train and evaluate, "
        f"{task.minimum.absolute} {task.minimum.unit} to be useful.",
    )


def _judge_numbers(task: TaskData, tally: Tally, table: TableSummary, name: str) -> None:
    column = table.columns[name]
    kind = "tabular" if task.is_tabular else "text"
    if column.distinct == 1:
        tally.findings.error(
            "constant-target",
            f"the target {name!r} has the same value in every row",
            f"column {name}",
            "Choose another target.",
        )
    elif column.distinct <= 3 * (column.present >= 12) or (
        column.distinct <= min(MOST_CLASS_IDS // 2, column.present // 10) and column.integers == column.numbers
    ):
        tally.findings.warn(
            "few-values-target",
            f"the target {name!r} has only {column.distinct} different values: are they classes?",
            f"column {name}",
            f"If they are, use --task {kind}-classification; regression treats them as distances.",
        )


def warn_little(minimum: Minimum, usable: int, findings: Findings) -> None:
    """What to expect from less data than usually works."""
    if usable < minimum.absolute:
        findings.warn(
            "little-data",
            f"{usable:,} {minimum.unit}, {minimum.absolute:,} is the least that usually works",
            "the whole file",
            f"Expect scores that vary by chance; {minimum.good:,} {minimum.unit} is a good start.",
        )


def _warn_spellings(labels: Counter[str], spellings: int, column: str, findings: Findings) -> None:
    alike: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        alike[label.casefold()].append(label)
    for words in alike.values():
        if len(words) > 1:
            findings.warn(
                "label-spellings",
                f"{', '.join(repr(word) for word in sorted(words))} look like one class; "
                f"{spellings} classes look like {len(alike)}",
                f"column {column}",
                "Write them one way, or merge them: --prepare merge_spellings=yes. Spaces around them do not count.",
            )
    near: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        near[_BETWEEN_LETTERS.sub("", label).casefold()].append(label)
    for words in near.values():
        if len({word.casefold() for word in words}) > 1:
            findings.warn(
                "label-alike",
                f"{', '.join(repr(word) for word in sorted(words))} differ in punctuation only",
                f"column {column}",
                "If they are one class, write them one way.",
            )
