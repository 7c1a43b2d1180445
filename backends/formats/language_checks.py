"""Checks data for language models: conversations, instructions, preferences, plain texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from backends.formats.classes import fewest_rows, say_too_few, warn_little
from backends.formats.columns import TableSummary
from backends.formats.conversations import quick_words
from backends.formats.distinct import Distinct
from backends.formats.findings import Fault
from backends.formats.language import Example, read_example
from backends.formats.roles import ALIASES, could_be_classes
from backends.formats.rows import Batch
from backends.formats.shapes import Shape
from backends.formats.tally import Tally, Texts, byte_length
from backends.formats.values import normal_name
from backends.registry import TaskData

_ONE_TEXT = 100  # bytes from which on a few texts, or one, are enough to begin with
_FEW_ANSWERS = 20
# Chat templates know no turn of its own for a call of a tool: the assistant makes it.
_TEMPLATE_ROLE = {"call": "assistant"}
_PLACEHOLDER_WORDS = ("{{", "<YOUR", "lorem ipsum", "TODO:")


class LanguageCheck:
    """The check of every shape of language data; plain conversations go a quick way."""

    def __init__(self, task: TaskData, roles: Mapping[str, str], tally: Tally, shape: Shape) -> None:
        self.task, self.roles, self.tally, self.shape = task, roles, tally, shape
        self.texts = Texts()
        self.turns: Counter[int] = Counter()
        self.marks: Counter[bool] = Counter()
        self.answers = Distinct()
        self.longest_answer = self.longer_chosen = self.learned = self.all_bytes = self.placeholders = 0

    def add(self, batch: Batch) -> None:
        """Take a batch in."""
        self.texts.begin(self.tally.part, batch.place_word)
        if self.shape.name == "messages" and set(self.roles) == {"messages"} and not self._looks_closely:
            self._add_conversations(batch)
            return
        none = [None] * len(batch)
        cells_of = {role: batch.columns.get(column, none) for role, column in self.roles.items()}
        names = tuple(cells_of)
        for index, cells in enumerate(zip(*cells_of.values())):
            self._add_row(batch, index, dict(zip(names, cells)))

    @property
    def _looks_closely(self) -> bool:
        return self.tally.filters or self.texts.sink is not None

    def _add_conversations(self, batch: Batch) -> None:
        """Most rows of most sets are plainly in order; each of the others is looked at closely."""
        cells = batch.columns.get(self.roles["messages"]) or [None] * len(batch)
        places = batch.places
        words = (
            list(map(quick_words, cells)) if all(isinstance(place, int) for place in places) else [None] * len(cells)
        )
        said = [each for each in words if each is not None]
        if len(said) < len(cells):
            for index, cell in enumerate(cells):
                if words[index] is None:
                    self._add_row(batch, index, {"messages": cell})
            quick = [index for index, each in enumerate(words) if each is not None]
            cells, places = [cells[index] for index in quick], [places[index] for index in quick]
        sizes = list(map(byte_length, said))
        self.texts.add_many(said, places, sizes)
        self.turns.update(map(len, cells))
        lasts = [cell[-1]["content"] for cell in cells]
        self.all_bytes += sum(sizes)
        self.learned += sum(map(byte_length, lasts))
        for cell in cells:
            if len(cell) > 2:
                self.learned += sum(byte_length(turn["content"]) for turn in cell[:-1] if turn["role"] == "assistant")
        self.tally.usable[self.tally.part] += len(cells)
        self._note_answers(lasts)

    def _note_answers(self, lasts: list[str]) -> None:
        """Take the last answers of some rows in."""
        if not lasts:
            return
        if self.answers.count <= _FEW_ANSWERS:
            self.answers.add(lasts)
        self.longest_answer = max(self.longest_answer, max(map(len, lasts)))
        joined = "\n".join(lasts)
        if any(word[0] in joined and word in joined for word in _PLACEHOLDER_WORDS):  # a letter is found far sooner
            self.placeholders += sum(any(word in last for word in _PLACEHOLDER_WORDS) for last in lasts)

    def _add_row(self, batch: Batch, index: int, values: dict[str, Any]) -> None:
        tally = self.tally
        found = read_example(self.shape, values)
        if isinstance(found, Fault):
            tally.fault(found, batch.where(index))
            return
        for repair in found.repairs:
            tally.fault(repair, batch.where(index))
        words = found.words
        size = byte_length(words)
        if tally.filters and not tally.keep(batch, index, size):
            return
        tally.usable[tally.part] += 1
        if found.text is not None:
            self.texts.for_tokenizer(texts=[found.text])
        else:
            said = [{"role": _TEMPLATE_ROLE.get(turn.role, turn.role), "content": turn.text} for turn in found.turns]
            self.texts.for_tokenizer(messages=said)
        self.texts.add(words, batch.places[index], size, None if found.desirable is None else int(found.desirable))
        self._count(found, size)

    def _count(self, example: Example, size: int) -> None:
        self.all_bytes += size
        if example.text is not None:
            self.learned += size
            return
        self.turns[len(example.turns)] += 1
        self.learned += sum(byte_length(turn.text) for turn in example.turns if turn.loss)
        if example.turns:
            self._note_answers([example.turns[-1].text])
        if example.desirable is not None:
            self.marks[example.desirable] += 1
        if example.rejected is not None and example.turns:
            self.longer_chosen += len(example.turns[-1].text) > len(example.rejected)

    def finish(self, table: TableSummary) -> None:
        """Judge what was counted."""
        tally, findings = self.tally, self.tally.findings
        again = self.texts.report(tally, "text" if self.shape.name == "text" else "conversation")
        if tally.options.drop_duplicates:
            tally.usable.subtract(again)
        usable = tally.usable["train"]
        column = next(iter(self.roles.values()), "?")
        is_long = self.shape.name == "text" and usable and self.learned >= _ONE_TEXT  # it can be divided itself
        if usable < fewest_rows(tally) and not is_long:
            say_too_few(self.task, tally, table, self.roles, column)
            return
        if self.shape.name != "text":
            warn_little(self.task.minimum, usable, findings)
        if lengths := self.texts.lengths():
            tally.stats["lengths"] = lengths
        if self.turns:
            tally.stats["turns"] = dict(sorted(self.turns.items())[:50])
        tally.stats["learned_share"] = round(self.learned / max(1, self.all_bytes), 4)
        tally.stats["tokens_about"] = self.all_bytes // 4
        self._judge_answers(usable, column)
        self._judge_preferences(usable)
        self._note_unused_labels(table)

    def _judge_answers(self, usable: int, column: str) -> None:
        findings = self.tally.findings
        few = self.answers.count <= _FEW_ANSWERS and self.answers.count * 5 <= usable and self.longest_answer <= 40
        if self.shape.strategy == "sft" and self.answers.count and few:
            findings.warn(
                "looks-like-classification",
                f"there are only {self.answers.count} different short answers in {usable:,} rows",
                f"column {self.roles.get('completion') or self.roles.get('answer') or column}",
                "That is classification: --task text-classification is smaller, faster and never answers otherwise.",
            )
        if self.placeholders > 0.05 * usable:
            findings.warn(
                "placeholders",
                f"{self.placeholders:,} answers hold unfilled placeholders such as {{{{name}}}}",
                f"column {column}",
                "The model would learn to say them; fill them in.",
            )

    def _judge_preferences(self, usable: int) -> None:
        findings = self.tally.findings
        if self.shape.strategy == "dpo" and usable >= 20 and self.longer_chosen > 0.8 * usable:
            findings.warn(
                "length-bias",
                f"the better answer is the longer one in {self.longer_chosen / usable:.0%} of the rows",
                f"column {self.roles['chosen']}",
                "A model learns from this that longer is better; compare answers of like length too.",
            )
        if self.marks:
            self.tally.stats["labels"] = {"good": self.marks[True], "bad": self.marks[False]}
            self.tally.stats["label_count"] = len(self.marks)
            if len(self.marks) < 2:
                findings.error(
                    "one-class",
                    f"all {usable:,} answers are marked {'good' if self.marks[True] else 'bad'}",
                    f"column {self.roles['label']}",
                    "KTO needs both good and bad answers; train good ones alone as examples (sft).",
                )

    def _note_unused_labels(self, table: TableSummary) -> None:
        if self.shape.strategy not in ("sft", "pretrain"):
            return
        for name, column in table.columns.items():
            if name not in self.roles.values() and could_be_classes(column) and 2 <= column.distinct <= 100:
                if normal_name(name) in ALIASES["label"]:
                    self.tally.findings.warn(
                        "label-unused",
                        f"{name!r} looks like a label, and generation does not read it",
                        f"column {name}",
                        "If it is to be predicted, that is text-classification.",
                    )
