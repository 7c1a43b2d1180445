"""Reads YOLO data sets: the yaml that names classes and folders, and a text file of boxes beside each image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import DataError, UsageError
from backends.formats.boxes import Box, image_row, image_size, repair_boxes, report_same_names
from backends.formats.findings import Fault, Findings
from backends.formats.media_endings import IMAGE_ENDINGS
from backends.formats.rows import Row
from backends.formats.source import data_error
from backends.formats.values import as_label, as_number
from backends.formats.yaml_subset import read_yaml_subset

_YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_PARTS = ("train", "val", "test")
_YAML_HEAD = 1 << 20
_LONGEST_TEXT = 1 << 26
# A fraction a little above 1 is a box over the edge; a larger number was never a fraction.
_NO_FRACTION = 2.0


@dataclass(frozen=True)
class YoloFacts:
    """What a YOLO data set says of itself: classes by index, and the folders or lists of images of each part."""

    names: Mapping[int, str]
    parts: Mapping[str, tuple[Path, ...]]
    keypoints: bool = False


def find_yolo(folder: Path) -> Path | None:
    """The yaml of a YOLO data set in a folder, or the folder where images/ and labels/ are all there is."""
    try:
        yamls = sorted(entry for entry in folder.iterdir() if entry.suffix.lower() in (".yaml", ".yml"))
        for path in sorted(filter(os.path.isfile, yamls), key=lambda path: path.name.lower() not in _YAML_NAMES):
            with path.open(encoding="utf-8-sig", errors="replace") as stream:
                keys = set(re.findall(r"""^["']?(names|train|val)["']?\s*:""", stream.read(_YAML_HEAD), re.MULTILINE))
            if keys and (path.name.lower() in _YAML_NAMES or ("names" in keys and len(keys) > 1)):
                return path
        labels = folder / "labels"
        texts = (path for each in ("*.txt", "*/*.txt") for path in labels.glob(each))
        if os.path.isdir(folder / "images") and any(texts):
            return folder
    except (OSError, ValueError):
        pass  # what cannot be looked into is no data set
    return None


def yolo_facts(yaml: Path, notes: Findings | None = None) -> YoloFacts:
    """Classes and parts of what `find_yolo` found; what is odd about them is noted.

    Raises UsageError when the file cannot be read and DataError when it says too little or names what is not there.
    """
    notes = notes if notes is not None else Findings()
    if os.path.isdir(yaml):
        return YoloFacts(_names_without_yaml(yaml, notes), _parts_without_yaml(yaml))
    try:
        content = read_yaml_subset(_text(yaml, _YAML_HEAD))
    except DataError as error:
        what = f"{yaml.name} cannot be read"
        raise data_error("invalid-yaml", what, error.why, f"{yaml.name} {error.where}", error.fix) from None
    names = _names(yaml, content)
    if content.get("nc") not in (None, len(names)):
        message = f"{yaml.name} says nc: {content['nc']}, but names {len(names)} classes"
        notes.warn("class-count-differs", message, yaml.name, "The names count; correct nc.")
    report_same_names(names, yaml.name, notes)
    parts = _parts(yaml, content, notes)
    _report_same_parts(parts, yaml.name, notes)
    return YoloFacts(names, parts, keypoints="kpt_shape" in content)


def _names(yaml: Path, content: Mapping[Any, Any]) -> dict[int, str]:
    given = content.get("names")
    pairs = dict(enumerate(given)) if isinstance(given, list) else given
    if not isinstance(pairs, dict) or not pairs:
        why = "it has no names:" if given is None else f"names: is {str(given)[:40]!r}, not a list of names"
        raise data_error("no-names", f"{yaml.name} names no classes", why, yaml.name, "Write names: [cat, dog].")
    names: dict[int, str] = {}
    for key, value in pairs.items():
        name = "" if isinstance(value, list | dict) else as_label(value)
        if not name or not str(key).isdecimal() or len(str(key)) > 9:
            why = f"names: has {key!r}: {value!r} in it"
            fix = "Write names: [cat, dog] or names: {0: cat, 1: dog}."
            raise data_error("no-names", f"{yaml.name} does not name its classes by number", why, yaml.name, fix)
        names[int(key)] = name
    return dict(sorted(names.items()))


def _parts(yaml: Path, content: Mapping[Any, Any], notes: Findings) -> dict[str, tuple[Path, ...]]:
    root = content.get("path")
    bases = [yaml.parent / root, yaml.parent] if isinstance(root, str) else [yaml.parent]
    parts: dict[str, tuple[Path, ...]] = {}
    for part in _PARTS:
        given = content.get(part)
        if given in (None, "", []):
            continue
        places = []
        for entry in given if isinstance(given, list) else [given]:
            # Exports of Roboflow write ../train/images for what lies beside the yaml.
            tries = [base / each for base in bases for each in (str(entry), str(entry).removeprefix("../"))]
            place = next((each for each in tries if os.path.isdir(each) or _is_list(each)), None)
            if place is not None:
                places.append(place)
            elif part == "test":
                message = f"{yaml.name} names {entry} for test, which is not there"
                notes.warn("part-absent", message, yaml.name, "There is no test part; correct the path to use it.")
            else:
                raise _part_absent(yaml, part, tries[0])
        if places:
            parts[part] = tuple(places)
    if not parts:
        why = "it has no train:, val: or test: that leads to images"
        raise data_error("no-parts", f"{yaml.name} names no images", why, yaml.name, "Write train: images/train.")
    return parts


def _is_list(path: Path) -> bool:
    return path.suffix == ".txt" and os.path.isfile(path)


def _part_absent(yaml: Path, part: str, place: Path) -> DataError:
    """Name what is missing, with what there is in the nearest folder above it."""
    if os.path.exists(place):
        why = f"{place} is neither a folder nor a .txt list of images"
    else:
        above = next((each for each in place.parents if os.path.isdir(each)), yaml.parent)
        beside = sorted(os.listdir(above))[:10] if os.access(above, os.R_OK) else []
        why = f"{place} is not there; in {above} there is {', '.join(beside) or 'nothing'}"
    fix = f"Correct {part}: or path: in {yaml.name}, or put the folder there."
    return data_error("part-absent", f"{yaml.name} names images for {part} that are not there", why, yaml.name, fix)


def _report_same_parts(parts: Mapping[str, tuple[Path, ...]], where: str, notes: Findings) -> None:
    real = {part: [Path(os.path.realpath(place)) for place in places] for part, places in parts.items()}
    for first, second in (("train", "val"), ("train", "test")):
        for one in real.get(first, ()):
            for other in real.get(second, ()):
                folders = os.path.isdir(one) and os.path.isdir(other)
                if one == other or (folders and (one in other.parents or other in one.parents)):
                    held = "the same" if one == other else "one inside the other"
                    message = f"{first} and {second} are {held}: {other}; scores on rows that were learned say nothing"
                    notes.warn("same-part", message, where, f"Give {second} images of its own.")


def _parts_without_yaml(folder: Path) -> dict[str, tuple[Path, ...]]:
    spelled = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
    images = folder / "images"
    parts = {
        part: tuple(images / each for each in names if os.path.isdir(images / each)) for part, names in spelled.items()
    }
    return {part: places for part, places in parts.items() if places} or {"train": (images,)}


def _names_without_yaml(folder: Path, notes: Findings) -> dict[int, str]:
    """The names in a classes.txt, as labelling tools write it, else the numbers that the labels use."""
    for path in (folder / "classes.txt", folder / "labels" / "classes.txt"):
        if os.path.isfile(path):
            names = enumerate(map(as_label, _text(path).split("\n")))
            return {index: name for index, name in names if name}
    used: set[int] = set()
    for path in sorted((folder / "labels").rglob("*.txt")):
        used.update(map(int, re.findall(r"^[ \t]*([0-9]{1,4})\s", _text(path), re.MULTILINE)))
    message, fix = "nothing says the names of the classes; they are called by their numbers", "Add a classes.txt."
    notes.warn("no-names", message, folder.name, fix)
    return {index: str(index) for index in sorted(used)}


# --- images and boxes --------------------------------------------------------------------------------------------


def read_yolo(yaml: Path, part: str, notes: Findings) -> Iterator[Row]:
    """Yield the images of a part by path, each with its usable boxes; the rest is noted and left out.

    Raises like `yolo_facts`, and UsageError when there is no such part.
    """
    facts = yolo_facts(yaml)
    if part not in facts.parts:
        known = ", ".join(facts.parts)
        raise UsageError(f"{yaml.name} has no part {part!r}", f"it has {known}", "Name one of these.")
    return _rows(facts, part, yaml.name, notes)


def _rows(facts: YoloFacts, part: str, source: str, notes: Findings) -> Iterator[Row]:
    images = sorted({path for place in facts.parts[part] for path in _images(place)})
    labelled = unlabelled = 0
    for number, path in enumerate(images, 1):
        shown = _shown(path)
        if not os.path.isfile(path):
            notes.warn("image-absent", f"{shown} is listed but not there", shown, "It is left out; put the file back.")
            continue
        size = image_size(path)
        if size is None:
            message, fix = f"{shown} is no readable image", "It is left out; copy or export it again."
            notes.warn("image-unreadable", message, shown, fix)
            continue
        label = next((each for each in (_label_of(path), path.with_suffix(".txt")) if os.path.isfile(each)), None)
        boxes = _read_label(label, facts, size, notes) if label else []
        labelled, unlabelled = labelled + (label is not None), unlabelled + (label is None)
        if label is None:
            message, fix = f"{shown} has no label file", "It counts as background; an empty file says so without doubt."
            notes.warn("no-label-file", message, shown, fix)
        if boxes is not None:
            yield image_row(number, shown, path, size, repair_boxes(boxes, shown, size, notes, corners=False))
    if not images:
        notes.error("no-images", f"{part} of {source} has no images", source, f"Put images where {part}: leads.")
    elif unlabelled and not labelled:
        fix = "Put the label of images/a.jpg into labels/a.txt."
        notes.error("no-labels", f"no image of {part} of {source} has a label file", source, fix)
    _report_orphans({path.parent for path in images}.union(filter(os.path.isdir, facts.parts[part])), notes)


def _text(path: Path, most: int = _LONGEST_TEXT) -> str:
    """The text of a small file; raises UsageError when it cannot be read or is not small."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            text = stream.read(most + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", str(error), "Check the path and its permissions.") from None
    if len(text) > most:
        raise UsageError(f"{path} cannot be read", f"it has over {most:,} characters", "Look whether it is the file.")
    return text


def _shown(path: Path) -> str:
    """A file name as text, also where its bytes are none."""
    return os.fsencode(path.name).decode("utf-8", errors="replace")


def _images(place: Path) -> Iterator[Path]:
    """The images below a folder, or those that a list names by paths from its own folder."""
    if os.path.isdir(place):
        for folder, _, names in os.walk(place):
            yield from (Path(folder, name) for name in names if name.lower().endswith(IMAGE_ENDINGS))
        return
    yield from (place.parent / line.strip() for line in _text(place).split("\n") if line.strip())


def _label_of(image: Path) -> Path:
    """Where the boxes of an image lie: its path with the last folder `images` called `labels`, ending in .txt."""
    parts = list(image.parts)
    last = max((at for at, name in enumerate(parts[:-1]) if name == "images"), default=None)
    if last is not None:
        parts[last] = "labels"
    return Path(*parts).with_suffix(".txt")


def _report_orphans(folders: set[Path], notes: Findings) -> None:
    for folder in sorted(folders):
        labels = _label_of(folder / "x.jpg").parent
        if labels == folder or not os.path.isdir(labels):
            continue
        stems = {path.stem for path in folder.glob("*") if path.name.lower().endswith(IMAGE_ENDINGS)}
        for path in sorted(labels.glob("*.txt")):
            if path.stem not in stems and path.name != "classes.txt":
                shown = _shown(path)
                notes.warn("orphan-label", f"{shown} has no image", shown, "It is not used; put its image back.")


def _read_label(label: Path, facts: YoloFacts, size: tuple[int, int], notes: Findings) -> list[Box] | None:
    """The boxes of a label file in pixels; None where the file cannot be read, which does not mean background."""
    try:
        lines = _text(label).split("\n")
    except UsageError as error:
        notes.warn("label-unreadable", error.what, _shown(label), "Its image is left out; check its permissions.")
        return None
    boxes = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{_shown(label)} line {number}"
        found = _parse_line(line, where, facts, size)
        if isinstance(found, Fault):
            notes.warn(found.code, f"{where} {found.message}", where, found.fix)
            continue
        box, is_polygon = found
        if is_polygon:
            message, fix = f"{where} is the outline of an object", "The box around it is used."
            notes.warn("box-from-polygon", message, where, fix)
        boxes.append(box)
    return boxes


def _parse_line(line: str, where: str, facts: YoloFacts, size: tuple[int, int]) -> tuple[Box, bool] | Fault:
    """The box in a line in pixels, and whether it was drawn as an outline; else what is wrong with the line."""
    fields = line.split()
    numbers = [as_number(each) for each in fields]
    index, *rest = numbers
    values = [each for each in rest if each is not None]
    far = next((each for each in values if abs(each) > _NO_FRACTION), None)
    pixels = "" if far is None else f"{far:g} is no fraction of the image; it looks like pixels"
    problem = None
    if "," in line:
        problem = "has commas in it; its numbers are separated by spaces and written 0.5"
    elif index is None:
        number = next((number for number, name in facts.names.items() if name == fields[0]), None)
        meaning = "which is no number" if number is None else f"the name of class {number} and not its index"
        problem = f"begins with {fields[0][:40]!r}, {meaning}{'; ' + pixels if pixels else ''}"
    elif len(values) < len(rest):
        problem = f"holds {fields[numbers.index(None)][:40]!r}, which is no number"
    elif len(rest) == 5 and not facts.keypoints:
        problem = "has 6 numbers instead of 5; it looks like a prediction with its confidence"
    elif len(rest) < 4 or (len(rest) % 2 and not facts.keypoints):
        missing = "; the class or one of x, y, width, height is missing" if len(rest) == 3 else ""
        problem = f"has {len(fields)} number{'' if len(fields) == 1 else 's'} instead of 5{missing}"
    elif pixels:
        problem = f"holds a wrong number: {pixels}"
    elif not index.is_integer():
        problem = f"begins with {index:g}, which is no class index"
    if problem is not None:
        return Fault("box-malformed", problem, "It is left out; a line is: class x_centre y_centre width height.")
    assert index is not None
    name = facts.names.get(int(index))
    if name is None:
        known = f"the {len(facts.names)} names have no such index"
        return Fault("unknown-class", f"is of class {index:g}; {known}", "It is left out; correct it or add a name.")
    width, height = size
    if len(values) > 4 and not facts.keypoints:
        left, right, top, bottom = min(values[::2]), max(values[::2]), min(values[1::2]), max(values[1::2])
        return Box(where, name, left * width, top * height, (right - left) * width, (bottom - top) * height), True
    x, y, w, h = values[:4]
    return Box(where, name, (x - w / 2) * width, (y - h / 2) * height, w * width, h * height), False
