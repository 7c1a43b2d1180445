"""Checks tagged words, answers in texts, and texts that become other texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from backends.formats.classes import LABELS_SHOWN, fewest_rows, say_too_few, warn_little
from backends.formats.columns import TableSummary
from backends.formats.row_faults import answers_of, row_fault, row_words, source_text
from backends.formats.rows import Batch
from backends.formats.shapes import Shape
from backends.formats.tagged import bio_violation, repaired_tags, tag_list
from backends.formats.tally import Tally, Texts, byte_length
from backends.formats.values import as_text
from backends.registry import TaskData


class TextCheck:
    """The check of rows without classes of their own: one fault at most a row, then what the task wants to know."""

    def __init__(self, task: TaskData, roles: Mapping[str, str], tally: Tally, shape: Shape) -> None:
        self.task, self.roles, self.tally, self.shape = task, roles, tally, shape
        self.texts = Texts()
        self.longer = self.unanswered = self.answers = self.repeated = 0
        self.entities: Counter[str] = Counter()
        self.sides: list[list[int]] = [[], []]

    def add(self, batch: Batch) -> None:
        """Take a batch in."""
        tally = self.tally
        self.texts.begin(tally.part, batch.place_word)
        none = [None] * len(batch)
        cells_of = {role: batch.columns.get(column, none) for role, column in self.roles.items()}
        names = tuple(cells_of)
        for index, cells in enumerate(zip(*cells_of.values())):
            values = dict(zip(names, cells))
            fault = row_fault(self.task, self.shape, values)
            if fault is not None:
                tally.fault(fault, batch.where(index))
                if fault.fatal:
                    continue
            words = self._words(values)
            size = byte_length(words)
            if tally.filters and not tally.keep(batch, index, size):
                continue
            tally.usable[tally.part] += 1
            self.texts.for_tokenizer(texts=self._read_together(values))
            self.texts.add(words, batch.places[index], size)
            self._look(values, batch.where(index))

    def _words(self, values: Mapping[str, Any]) -> str:
        if self.task.id == "token-classification":
            return row_words(self.task, values, values)
        if self.task.id == "extractive-question-answering":
            return f"{as_text(values['context'])}\n{as_text(values['question'])}"
        return f"{source_text(values)}\n{as_text(values['target'])}"

    def _read_together(self, values: Mapping[str, Any]) -> list[str]:
        """What a model reads of a row at once."""
        if self.task.id == "token-classification":
            return [self._words(values)]
        if self.task.id == "extractive-question-answering":
            return [as_text(values["question"]), as_text(values["context"])]
        return [source_text(values)]

    def _look(self, values: Mapping[str, Any], where: str) -> None:
        """What the task wants to know of a good row."""
        if self.task.id == "token-classification":
            tags = tag_list(values["tags"]) or []
            for tag in repaired_tags(tags) if bio_violation(tags) else tags:
                if tag[:2] in ("B-", "S-", "U-"):
                    self.entities[tag[2:]] += 1
                elif tag != "O" and tag[:2] not in ("I-", "E-", "L-"):
                    self.entities[tag] += 1
        elif self.task.id == "extractive-question-answering":
            texts, _ = answers_of(values)
            self.answers += len(texts)
            self.unanswered += not texts
            self.repeated += any(as_text(values["context"]).count(text) > 1 for text in texts)
        else:
            source, target = source_text(values), as_text(values["target"])
            if len(self.sides[0]) < 1_000_000:
                self.sides[0].append(byte_length(source))
                self.sides[1].append(byte_length(target))
            if self.task.id == "summarization" and len(target) > len(source):
                self.longer += 1
                self.tally.findings.warn(
                    "summary-longer",
                    f"the summary is longer than its text: {len(target):,} against {len(source):,} characters",
                    where,
                    "Look whether the two columns are the wrong way round; the row is kept.",
                )

    def finish(self, table: TableSummary) -> None:
        """Judge what was counted."""
        tally = self.tally
        again = self.texts.report(tally)
        if tally.options.drop_duplicates:
            tally.usable.subtract(again)
        usable = tally.usable["train"]
        if usable < fewest_rows(tally):
            say_too_few(self.task, tally, table, self.roles, next(iter(self.roles.values())))
        else:
            warn_little(self.task.minimum, usable, tally.findings)
        if lengths := self.texts.lengths():
            tally.stats["lengths"] = lengths
        if self.task.id == "token-classification":
            self._judge_entities(usable)
        elif self.task.id == "extractive-question-answering":
            tally.stats["answers"] = self.answers
            tally.stats["questions_without_answer"] = self.unanswered
            tally.stats["answers_that_stand_more_than_once"] = self.repeated
        else:
            self._judge_sides(usable)

    def _judge_entities(self, usable: int) -> None:
        self.tally.stats["labels"] = dict(self.entities.most_common(LABELS_SHOWN))
        self.tally.stats["label_count"] = len(self.entities)
        if usable >= fewest_rows(self.tally) and not self.entities:
            self.tally.findings.error(
                "no-entities",
                "every tag is O: there is nothing to find",
                f"column {self.roles['tags']}",
                "Tag the words to be found, B-person I-person and so on.",
            )
        if self.entities and all(kind.isdecimal() for kind in self.entities):
            self.tally.findings.error(
                "numbered-tags",
                f"the tags are numbers ({', '.join(sorted(self.entities)[:5])}), and nothing says what they stand for",
                f"column {self.roles['tags']}",
                "Write their names, B-person I-person O and so on; Parquet and Arrow files of `datasets` carry them.",
            )

    def _judge_sides(self, usable: int) -> None:
        if not self.sides[0]:
            return
        for name, lengths in zip(("source_lengths", "target_lengths"), self.sides):
            ordered = sorted(lengths)
            self.tally.stats[name] = {
                "median": ordered[len(ordered) // 2] // 4 + 1,
                "p95": ordered[int(len(ordered) * 0.95)] // 4 + 1,
                "longest": ordered[-1] // 4 + 1,
            }
        if self.longer > 0.5 * usable:
            self.tally.findings.error(
                "sides-swapped",
                f"{self.longer:,} of {usable:,} summaries are longer than their texts: the two columns are the wrong "
                "way round",
                f"column {self.roles['target']}",
                f"Use --map source={self.roles['target']} --map target={self.roles['source']}",
            )
