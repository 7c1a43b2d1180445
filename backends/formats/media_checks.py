"""Checks rows that name pictures, recordings or videos: every file is opened, pictures are decoded whole."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.formats.classes import (
    LABELS_SHOWN,
    Labels,
    fewest_rows,
    judge_classes,
    judge_counts,
    say_too_few,
    warn_little,
)
from backends.formats.columns import TableSummary
from backends.formats.findings import Fault
from backends.formats.images import inspect_image
from backends.formats.movies import inspect_video
from backends.formats.row_faults import row_fault
from backends.formats.rows import Batch
from backends.formats.shapes import Shape
from backends.formats.sound import inspect_audio
from backends.formats.tally import Tally, Texts
from backends.formats.values import as_text
from backends.registry import TaskData

_INSPECT = {"image": inspect_image, "audio": inspect_audio, "video": inspect_video}
# Repairs that change nothing a person would miss are counted only, not listed row by row.
_QUIET = ("image-grey",)
_FILES_REMEMBERED = 200_000


class MediaCheck:
    """The check of rows with media files; a file that several rows name is opened once."""

    def __init__(self, task: TaskData, roles: Mapping[str, str], tally: Tally, shape: Shape) -> None:
        self.task, self.roles, self.tally, self.shape = task, roles, tally, shape
        self.texts, self.labels = Texts(), Labels()
        self.known: dict[str, tuple[Fault, ...]] = {}
        self.digests: dict[str, str] = {}
        self.sizes: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.rates: Counter[int] = Counter()
        self.sides: list[int] = []
        self.boxes: Counter[str] = Counter()
        self.boxes_an_image: Counter[int] = Counter()

    def add(self, batch: Batch) -> None:
        """Take a batch in."""
        self.texts.begin(self.tally.part, batch.place_word)
        none = [None] * len(batch)
        cells_of = {role: batch.columns.get(column, none) for role, column in self.roles.items()}
        names = tuple(cells_of)
        for index, cells in enumerate(zip(*cells_of.values())):
            self._add_row(batch, index, dict(zip(names, cells)))

    def _add_row(self, batch: Batch, index: int, values: Mapping[str, Any]) -> None:
        tally, where = self.tally, batch.where(index)
        files = [role for role in ("image", "images", "audio", "video") if role in values]
        whole = [self._files(values[role], role, where) for role in files]
        if not set(self.shape.needed) <= set(self.roles):
            return  # only the files can be looked at
        fault = row_fault(self.task, self.shape, values)
        if fault is not None:
            tally.fault(fault, where)
        if not all(whole) or (fault is not None and fault.fatal):
            return
        if tally.filters and not tally.keep(batch, index, 0):
            return
        tally.usable[tally.part] += 1
        if "boxes" in self.roles:
            boxes = values["boxes"] if isinstance(values["boxes"], list) else []
            self.boxes_an_image[len(boxes)] += 1
            self.boxes.update(as_text(box.get("category")) for box in boxes if isinstance(box, dict))
        if self.task.label_role is not None:
            self.labels.add(values[self.task.label_role], tally.part)
        digest = self._digest(values)
        if digest:
            self.texts.add(digest, batch.places[index], 0)

    def _files(self, cell: Any, role: str, where: str) -> bool:
        """Look at the file or files of a row; whether the row can be used."""
        for file in cell if isinstance(cell, list) else [cell]:
            if isinstance(file, dict):
                file = file.get("path") if file.get("bytes") is None else file
            if file is None:
                continue
            if isinstance(file, dict):
                faults = self._inspect_bytes(file["bytes"], role if role in _INSPECT else "image")
                for fault in faults:
                    self.tally.fault(_of(f"the {role}", fault), where)
                if any(fault.fatal for fault in faults):
                    return False
                continue
            path = Path(as_text(file))
            path = path if path.is_absolute() else self.tally.folder / path
            kind = role if role in _INSPECT else _kind_of(path)
            faults = self._inspect(path, kind)
            for fault in faults:
                if fault.code in _QUIET:
                    self.tally.repaired[fault.code] += 1
                    continue
                self.tally.fault(_of(path.name, fault), where if path.name in where else f"{where}, {path.name}")
            if any(fault.fatal for fault in faults):
                return False
        return True

    def _inspect(self, path: Path, kind: str) -> tuple[Fault, ...]:
        key = str(path)
        if key in self.known:
            return self.known[key]
        facts: Any = _INSPECT[kind](path)
        if len(self.known) < _FILES_REMEMBERED:
            self.known[key] = tuple(fault for fault in facts.faults if fault.fatal)
        if not any(fault.fatal for fault in facts.faults):
            if kind != "audio" and facts.width:
                self.sizes[f"{facts.width}x{facts.height}"] += 1
                self.sides.append(max(facts.width, facts.height))
            if kind != "image" and facts.seconds is not None:
                self.seconds.append(facts.seconds)
            if kind == "audio" and facts.rate:
                self.rates[facts.rate] += 1
        found: tuple[Fault, ...] = facts.faults
        return found

    def _inspect_bytes(self, content: Any, kind: str) -> tuple[Fault, ...]:
        """The same for a file that a table holds in a cell."""
        if not isinstance(content, bytes):
            return (Fault(f"{kind}-missing", f"there is no {kind} in the cell", "The row is left out."),)
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            faults = self._inspect(Path(file.name), kind)
        self.known.pop(file.name, None)
        return tuple(fault for fault in faults if fault.code not in _QUIET)

    def _digest(self, values: Mapping[str, Any]) -> str:
        """What makes two rows the same: the bytes of the file, and the question or text that goes with it."""
        pieces = []
        for role, value in values.items():
            if role in ("image", "audio", "video") and isinstance(value, str):
                path = Path(value) if Path(value).is_absolute() else self.tally.folder / value
                if str(path) not in self.digests:
                    try:
                        with path.open("rb") as stream:
                            self.digests[str(path)] = hashlib.file_digest(stream, "blake2b").hexdigest()[:32]
                    except OSError:
                        return ""
                pieces.append(self.digests[str(path)])
            elif role in ("question", "messages"):
                pieces.append(as_text(value))
        if len(self.digests) > _FILES_REMEMBERED:
            self.digests.clear()
        return "\n".join(pieces)

    def finish(self, table: TableSummary) -> None:
        """Judge what was counted."""
        tally = self.tally
        if not set(self.shape.needed) <= set(self.roles):
            self._statistics()
            return
        what = {"image": "picture", "audio": "recording", "video": "clip"}[self.task.reads]
        if "question" in self.roles or "messages" in self.roles:
            what = f"{what} and question"
        again = self.texts.report(tally, what)
        if tally.options.drop_duplicates:
            tally.usable.subtract(again)
        self._statistics()
        usable = tally.usable["train"]
        if self.task.label_role is not None:
            judge_counts(self.task, tally, table, self.roles, self.labels)
            tally.stats["labels"] = dict(self.labels.counts.most_common(LABELS_SHOWN))
            tally.stats["label_count"] = len(self.labels.counts)
        elif usable < fewest_rows(tally):
            say_too_few(self.task, tally, table, self.roles, next(iter(self.roles.values())))
        elif "boxes" in self.roles:
            self._judge_boxes(usable)
        else:
            warn_little(self.task.minimum, usable, tally.findings)

    def _statistics(self) -> None:
        stats = self.tally.stats
        if self.sizes:
            ordered = sorted(self.sides)
            stats["sizes"] = {
                "different": len(self.sizes),
                "most_common": dict(self.sizes.most_common(5)),
                "median_longer_side": ordered[len(ordered) // 2],
            }
        if self.seconds:
            ordered_seconds = sorted(self.seconds)
            stats["seconds"] = {
                "median": round(ordered_seconds[len(ordered_seconds) // 2], 2),
                "longest": round(ordered_seconds[-1], 2),
                "total": round(sum(ordered_seconds), 1),
            }
        if self.rates:
            stats["sample_rates"] = {str(rate): count for rate, count in self.rates.most_common(5)}
            if len(self.rates) > 1:
                self.tally.findings.warn(
                    "audio-rates-differ",
                    f"the recordings have {len(self.rates)} different sample rates: "
                    f"{', '.join(f'{rate:,} Hz' for rate, _ in self.rates.most_common(4))}",
                    f"column {self.roles.get('audio', 'audio')}",
                    "They are brought to one rate when they are read.",
                )

    def _judge_boxes(self, usable: int) -> None:
        tally = self.tally
        total = sum(self.boxes.values())
        tally.stats["labels"] = dict(self.boxes.most_common(LABELS_SHOWN))
        tally.stats["label_count"] = len(self.boxes)
        tally.stats["boxes"] = total
        tally.stats["boxes_an_image"] = {"mean": round(total / usable, 2), "most": max(self.boxes_an_image)}
        tally.stats["images_without_box"] = self.boxes_an_image[0]
        if not total:
            tally.findings.error(
                "no-boxes",
                f"none of the {usable:,} pictures has a usable box",
                f"column {self.roles['boxes']}",
                "Draw boxes around what is to be found.",
            )
            return
        labels = Labels(counts=Counter(self.boxes), spellings=set(self.boxes))
        judge_classes(self.task.minimum, labels.counts, labels, True, self.roles["boxes"], tally.findings)


def _of(subject: str, fault: Fault) -> Fault:
    """The fault of a file with the file as its subject."""
    return replace(fault, message=f"{subject} {fault.message}")


def _kind_of(path: Path) -> str:
    from backends.formats.nested import media_of_name

    return media_of_name(path.name) or "image"
