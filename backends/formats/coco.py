"""Reads COCO annotation files: one pass over the JSON, boxes kept as bare numbers, then image by image."""

from __future__ import annotations

import json
import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from backends.contract import DataError, UsageError
from backends.formats.boxes import (
    Box,
    CornerSearch,
    ImagePlace,
    drawn_on_file,
    find_images,
    four_numbers,
    image_row,
    image_size,
    repair_boxes,
    report_same_names,
    scaled,
)
from backends.formats.findings import Findings
from backends.formats.rows import Row
from backends.formats.source import data_error
from backends.formats.streams import JSON_PIECE, Utf8
from backends.formats.values import as_label, as_number

Key = int | str
_FIELDS = {
    "images": frozenset({"id", "file_name", "width", "height"}),
    "annotations": frozenset({"id", "image_id", "category_id", "bbox", "iscrowd", "segmentation"}),
    "categories": frozenset({"id", "name"}),
}
_NUMBERS_A_BOX = 6  # annotation, category, x, y, width, height
_EXACT = 2**53
_SAME_SHAPE = 0.02
_SMALL_FILE = 50_000_000
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}:]', re.DOTALL)
_PLAIN_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NO_JSON_NUMBER = re.compile(r"[\s:,\[](NaN|-?Infinity)\b")
# Each tells on its own that a record belongs to COCO, where the file is too large to see its second list.
_TELLING = {"images": ("file_name",), "annotations": ("image_id", "category_id", "bbox")}


def looks_like_coco(head: str) -> bool:
    """Whether the beginning of a JSON text is that of an object with lists of images and annotations.

    In a large file the second list is far behind the end of `head`; then the records of the first one decide.
    """
    depth, top, previous = 0, "", ""
    lists: set[str] = set()
    telling = filled = False
    if not head.lstrip("\ufeff \t\r\n").startswith("{"):
        return False
    for match in _TOKEN.finditer(head):
        token = match[0]
        if token == ":" and previous.startswith('"'):
            if depth == 1:
                top = previous[1:-1]
            elif depth == 3 and top in lists:
                telling = telling or previous[1:-1] in _TELLING[top]
        elif token in "[{":
            depth += 1
            if depth == 2 and token == "[" and top in _TELLING:
                lists.add(top)
        elif token in "]}":
            depth -= 1
            if depth == 0:
                break
        filled = filled or (depth > 1 and top in lists and token[0] in '"{')
        previous = token
    if depth == 0 or len(lists) == 2:
        return len(lists) == 2 and (telling or not filled)
    return telling


@dataclass(frozen=True, slots=True)
class _Image:
    number: int
    name: str
    size: tuple[float, float] | None


@dataclass
class Coco:
    """A whole COCO file in memory: about a hundred bytes a box, however much else the file says about it."""

    path: Path
    images: dict[Key, _Image] = field(default_factory=dict)
    categories: dict[Key, str] = field(default_factory=dict)
    boxes: dict[Key, array[float]] = field(default_factory=dict)
    used: set[Key] = field(default_factory=set)
    aside: list[Key] = field(default_factory=list)

    def keep_box(self, image: Key, annotation: Key, category: Key, numbers: tuple[float, ...]) -> None:
        """Keep a box among those of its image."""
        kept = self.boxes.setdefault(image, array("d"))
        kept.extend((self._as_number(annotation), self._as_number(category), *numbers))

    def _as_number(self, key: Key) -> float:
        """A key as a number beside those of the box; for words and huge numbers, a negative one leads to the key."""
        if isinstance(key, int) and 0 <= key < _EXACT:
            return float(key)
        self.aside.append(key)
        return -float(len(self.aside))

    def boxes_of(self, image: Key) -> Iterator[tuple[Key, Box]]:
        """The boxes of an image, each with the number of its class."""
        numbers = self.boxes.get(image, array("d"))
        for at in range(0, len(numbers), _NUMBERS_A_BOX):
            annotation, category, *place = numbers[at : at + _NUMBERS_A_BOX]
            key, first = (int(each) if each >= 0 else self.aside[int(-each) - 1] for each in (category, annotation))
            yield key, Box(f"annotation {first}", self.categories.get(key, str(key)), *place)


def read_coco(path: Path, encoding: str, notes: Findings) -> Iterator[Row]:
    """Yield the images of a file in its order, each with its usable boxes; the rest is noted and left out.

    Raises UsageError when there is no such file and DataError when it is damaged.
    """
    return coco_rows(load_coco(path, encoding, notes), notes)


def load_coco(path: Path, encoding: str, notes: Findings) -> Coco:
    """Read a whole file once; raises like `read_coco`."""
    coco, seen, places = Coco(path), set[Key](), dict.fromkeys(_FIELDS, 0)
    for kind, record in _records(path, encoding):
        places[kind] += 1
        if kind == "annotations":
            _add_annotation(coco, record, places[kind], seen, notes)
        elif kind == "images":
            _add_image(coco, record, places[kind], notes)
        else:
            _add_category(coco, record, places[kind], notes)
    if not coco.images:
        notes.error("no-images", f"{path.name} lists no image", path.name, 'List them under "images".')
    if not coco.categories:
        notes.error("no-categories", f"{path.name} names no class", path.name, 'Name them under "categories".')
    report_same_names(coco.categories, path.name, notes)
    for key, name in coco.categories.items():
        if key not in coco.used:
            fix = "Nothing can be learned about it; delete it or draw some."
            notes.warn("unused-category", f"no annotation is of class {name!r}", f"category {key}", fix)
    for image in [key for key in coco.boxes if key not in coco.images]:
        for _, box in coco.boxes_of(image):
            message = f"{box.id} is for image {image}, which is not listed"
            notes.warn("unknown-image", message, box.id, 'It is left out; add the image to "images".')
    return coco


def _add_image(coco: Coco, record: dict[str, Any] | None, place: int, notes: Findings) -> None:
    where = f"image at place {place}"
    key = _key(record.get("id")) if record else None
    name = record.get("file_name") if record else None
    if record is None or key is None or not isinstance(name, str) or not name.strip():
        message = f"{where} has no {'file_name' if key is not None else 'usable id'}"
        notes.warn("image-malformed", message, where, "It is left out; an image needs an id and a file_name.")
    elif key in coco.images:
        message = f"{name} has the id {key} of {coco.images[key].name}"
        notes.warn("duplicate-image-id", message, f"image {key}", "It is left out; give each image an id of its own.")
    else:
        size = (as_number(record.get("width")) or 0, as_number(record.get("height")) or 0)
        coco.images[key] = _Image(place, name, size if min(size) >= 1 else None)


def _add_category(coco: Coco, record: dict[str, Any] | None, place: int, notes: Findings) -> None:
    key = _key(record.get("id")) if record else None
    name = as_label(record.get("name")) if record and isinstance(record.get("name"), int | float | str) else ""
    if key is None or not name:
        where = f"category at place {place}"
        message = f"{where} has no {'name' if key is not None else 'usable id'}"
        notes.warn("category-malformed", message, where, "It is left out; a category needs an id and a name.")
    elif key in coco.categories:
        message = f"{name!r} has the id {key} of {coco.categories[key]!r}"
        notes.warn("duplicate-category-id", message, f"category {key}", "It is left out; give it an id of its own.")
    else:
        coco.categories[key] = name


def _add_annotation(coco: Coco, record: dict[str, Any] | None, place: int, seen: set[Key], notes: Findings) -> None:
    given = _key(record.get("id")) if record else None
    key = f"at place {place}" if given is None else given
    where, left_out = f"annotation {key}", "It is left out; correct it to use it."
    if record is None:
        notes.warn("box-malformed", f"{where} is not a JSON object", where, left_out)
        return
    if given is not None and given in seen:
        message = f"{where} is there more than once"
        notes.warn("duplicate-annotation-id", message, where, "All are used; give each an id of its own.")
    elif given is not None:
        seen.add(given)
    image, category = _key(record.get("image_id")), _key(record.get("category_id"))
    if category is not None:
        coco.used.add(category)
    numbers = four_numbers(record.get("bbox"))
    if as_number(record.get("iscrowd")) == 1:
        message = f"{where} marks a crowd, not one object"
        notes.warn("box-crowd", message, where, "It is left out; draw its objects one by one to use them.")
    elif isinstance(numbers, str):
        only = "has only a segmentation, no bbox" if record.get("segmentation") is not None else "has no bbox"
        message = f"{where} {only if record.get('bbox') is None else 'has a bbox that ' + numbers}"
        notes.warn("box-malformed", message, where, left_out)
    elif image is None:
        notes.warn("unknown-image", f"{where} says no image_id that can be used", where, left_out)
    elif category is None:
        notes.warn("unknown-category", f"{where} says no category_id that can be used", where, left_out)
    else:
        coco.keep_box(image, key, category, numbers)


def _key(value: Any) -> Key | None:
    """An id in the one form in which 5, 5.0 and "5" are the same; None for what cannot be one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else None
    if not isinstance(value, str | float):
        return None
    text = as_label(value)
    return int(text) if _PLAIN_NUMBER.fullmatch(text) else text or None


def coco_rows(coco: Coco, notes: Findings) -> Iterator[Row]:
    """Yield the images of a loaded file with their boxes, as `read_coco` does."""
    everywhere = _search_corners(coco, notes)
    place = _find_images(coco, notes)
    for key, image in coco.images.items():
        path = place.path_of(image.name)
        if not os.path.isfile(path):
            fix = "It is left out; put the file back or delete its entry."
            notes.warn("image-absent", f"{image.name} is listed but not there", image.name, fix)
            continue
        size = image_size(path)
        if size is None:
            fix = "It is left out; copy or export it again."
            notes.warn("image-unreadable", f"{image.name} is no readable image", image.name, fix)
            continue
        boxes = []
        for category, box in coco.boxes_of(key):
            if category in coco.categories:
                boxes.append(box)
            elif coco.categories:
                message = f"{box.id} of {image.name} is of class {category}, which is not among the categories"
                notes.warn("unknown-category", message, box.id, "It is left out; add the class or correct its number.")
        if image.size is not None and image.size != size:
            boxes = _other_size(image, size, boxes, notes)
        kept = repair_boxes(boxes, image.name, size, notes, corners=not everywhere, clipped=not everywhere)
        yield image_row(image.number, image.name, path, size, kept)


def _search_corners(coco: Coco, notes: Findings) -> bool:
    search = CornerSearch()
    for key, image in coco.images.items():
        if image.size is not None:
            for category, box in coco.boxes_of(key):
                if category in coco.categories:
                    search.add(box, image.name, image.size)
    return search.report(coco.path.name, notes)


def _other_size(image: _Image, size: tuple[int, int], boxes: list[Box], notes: Findings) -> list[Box]:
    """The boxes of an image whose listed size is not that of its file, in the pixels of the file."""
    assert image.size is not None
    (listed_width, listed_height), (width, height) = image.size, size
    said = f"{image.name} is listed as {listed_width:g} × {listed_height:g}, but the file has {width} × {height}"
    fix = "Correct the listed size, or put back the file the boxes were drawn on."
    across, down = width / listed_width, height / listed_height
    if not boxes:
        done = "it has no box, so nothing changes"
    elif abs(across / down - 1) > _SAME_SHAPE:
        done = "its shape differs too, so its boxes are used as written; look at them"
    elif drawn_on_file(boxes, image.size, size):
        done = f"its {len(boxes)} boxes were drawn on the file, by where they lie, and are used as written"
    else:
        done = f"its {len(boxes)} boxes are scaled by {across:.3g}"
        boxes = [scaled(box, across, down) for box in boxes]
    notes.warn("size-differs", f"{said}; {done}", image.name, fix)
    return boxes


def _find_images(coco: Coco, notes: Findings) -> ImagePlace:
    """Where the images lie, told when it is not where everybody would look."""
    place = find_images(coco.path, [image.name for image in coco.images.values()])
    if place is None:
        if coco.images:
            fix = "Put the images beside the file, into images/, or into ../images/."
            message = f"none of the images that {coco.path.name} lists was found near it"
            notes.error("images-absent", message, coco.path.name, fix)
        return ImagePlace(coco.path.parent)
    if place.remark:
        message = f"the images of {coco.path.name} were taken from {place.folder}: {place.remark}"
        notes.warn("images-folder", message, coco.path.name, "If that is wrong, put them into images/ beside it.")
    return place


def _records(path: Path, encoding: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Every record of the three lists with the fields that matter, None for what is no object."""
    try:
        with path.open(encoding="utf-8-sig" if encoding.lower() in ("utf-8", "utf8", "ascii") else encoding) as stream:
            yield from _parse(stream)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", str(error), "Check the path and its permissions.") from None
    except (ValueError, OverflowError, RecursionError, LookupError) as error:
        raise _bad_json(path, encoding, error) from None


def _parse(stream: TextIO) -> Iterator[tuple[str, dict[str, Any] | None]]:
    import ijson

    depth, top, key = 0, "", ""
    listed = False
    fields: frozenset[str] = frozenset()
    record: dict[str, Any] | None = None
    # The parser's plain events: those that name each level by its whole path take memory by the square of the depth.
    try:
        for event, value in ijson.basic_parse(Utf8(stream), use_float=True, buf_size=JSON_PIECE // 8):
            if event == "map_key":
                if depth == 1:
                    top, fields = value, _FIELDS.get(value, frozenset())
                elif depth == 3:
                    key = value
            elif event in ("start_map", "start_array"):
                depth += 1
                if depth == 2:
                    listed = event == "start_array" and bool(fields)
                elif depth == 3:
                    record = {} if listed and event == "start_map" else None
                elif record is not None and depth == 4 and key in fields:
                    record[key] = [] if event == "start_array" else {}
                elif record is not None and depth == 5 and key == "bbox" and isinstance(record["bbox"], list):
                    record["bbox"].append([])
            elif event in ("end_map", "end_array"):
                depth -= 1
                if depth == 2 and listed:
                    yield top, record
                    record = None
            elif record is not None and depth == 3 and key in fields:
                record[key] = value
            elif record is not None and depth == 4 and key == "bbox" and isinstance(record["bbox"], list):
                record["bbox"].append(value)
            elif depth == 2 and listed:
                yield top, None
    except ijson.JSONError as error:
        raise ValueError(str(error)) from None


def _bad_json(path: Path, encoding: str, error: Exception) -> DataError:
    """Name the line where the standard parser stops, when the file is small enough to ask it."""
    where = path.name
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    if path.stat().st_size < _SMALL_FILE:
        text = path.read_text(encoding=encoding, errors="replace").removeprefix("\ufeff")
        try:
            json.loads(text)
            odd = _NO_JSON_NUMBER.search(text)
            if odd:
                where, reason = f"line {text.count(chr(10), 0, odd.start(1)) + 1}", f"{odd[1]} is not valid JSON"
        except json.JSONDecodeError as exact:
            where, reason = f"line {exact.lineno} column {exact.colno}", exact.msg
        except (ValueError, RecursionError):
            pass  # what the streaming parser said must do
    what, fix = f"{path.name} is not valid JSON", "Correct the file there, or export it again."
    return data_error("invalid-json", what, f"{where}: {reason}", where, fix)
