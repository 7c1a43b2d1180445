"""Reads YOLO data sets: the yaml that names classes and folders, and a text file of boxes beside each image."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import DataError, UsageError
from backends.formats.boxes import Box, image_row, image_size, repair_boxes, report_same_names
from backends.formats.findings import Fault, Findings
from backends.formats.rows import Row
from backends.formats.source import data_error
from backends.formats.values import as_label, as_number

_YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".mpo", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_PARTS = ("train", "val", "test")
_YAML_HEAD = 1 << 20
_DEEPEST = 20
# A fraction a little above 1 is a box over the edge; a larger number was never a fraction.
_NO_FRACTION = 2.0


# --- the yaml ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    number: int
    indent: int
    text: str
    block: str | None = None  # the text below `key: |`


def _bad_yaml(number: int, why: str) -> DataError:
    where = f"line {number}"
    fix = "Write it as key: value, - item, [a, b] or {a: b}; put other texts in quotes."
    return data_error("invalid-yaml", "The yaml cannot be read", f"{where}: {why}", where, fix)


def read_yaml_subset(text: str) -> dict[Any, Any]:
    """The mapping in a yaml of the plain kind that describes data sets: no anchors, tags or texts over several lines.

    Raises DataError naming the line that is of another kind.
    """
    lines = _yaml_lines(text)
    if not lines:
        return {}
    first = lines[0]
    value, at = (_inline(first.text, first.number), 1) if first.text[0] in "[{" else _block(lines, 0, 0)
    if at < len(lines):
        raise _bad_yaml(lines[at].number, "it does not belong to the lines above")
    if not isinstance(value, dict):
        raise _bad_yaml(lines[0].number, "the file is a list, not keys with values")
    return value


def _yaml_lines(text: str) -> list[_Line]:
    """The lines that say something, without comments; lists and blocks over several lines in one."""
    lines: list[_Line] = []
    raw = text.split("\n")
    at = 0
    while at < len(raw):
        number, content = at + 1, _without_comment(raw[at])
        at += 1
        stripped = content.strip()
        if not stripped or (stripped == "---" and not lines):
            continue
        if stripped == "...":
            break
        indent = len(content) - len(content.lstrip(" "))
        if content[indent] == "\t":
            raise _bad_yaml(number, "it is indented by a tab; use spaces")
        block, value = None, re.sub(r"^(?:- +)+", "", stripped)
        split = _split_key(value)
        value = split[1] if split else value
        if value in ("|", "|-", "|+", ">", ">-", ">+"):
            start = at
            while at < len(raw) and (not raw[at].strip() or len(raw[at]) - len(raw[at].lstrip(" ")) > indent):
                at += 1
            block = "\n".join(line.strip() for line in raw[start:at])
        elif value.startswith(("[", "{")):
            parts = [stripped]
            opened = _open_brackets(value)
            while opened > 0 and at < len(raw):
                parts.append(_without_comment(raw[at]).strip())
                opened += _open_brackets(parts[-1])
                at += 1
            stripped = " ".join(parts)
        lines.append(_Line(number, indent, stripped, block))
    return lines


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"|\'(?:[^\']|\'\')*+\'')
# A quote inside a word, as in Bob's, opens nothing.
_QUOTED_WORD = re.compile(rf"(?<![^\s\[{{,:])(?:{_QUOTED.pattern})")
_COMMENT = re.compile(rf"{_QUOTED_WORD.pattern}|(?<!\S)(#.*)")


def _without_comment(line: str) -> str:
    for match in _COMMENT.finditer(line):
        if match[1] is not None:
            return line[: match.start()].rstrip()
    return line.rstrip()


def _open_brackets(text: str) -> int:
    bare = _QUOTED_WORD.sub("", text)
    return sum(bare.count(each) for each in "[{") - sum(bare.count(each) for each in "]}")


def _block(lines: list[_Line], at: int, depth: int) -> tuple[Any, int]:
    """The list or mapping that starts at a line, and the first line behind it."""
    if depth > _DEEPEST:
        raise _bad_yaml(lines[at].number, f"it is nested more than {_DEEPEST} levels deep")
    indent = lines[at].indent
    listed = _is_item(lines[at])
    items: list[Any] = []
    pairs: dict[Any, Any] = {}
    while at < len(lines) and lines[at].indent == indent and _is_item(lines[at]) == listed:
        line = lines[at]
        if listed:
            rest = line.text[1:].lstrip()
            if rest and (_is_item(_Line(line.number, 0, rest)) or _split_key(rest)):
                lines[at] = _Line(line.number, indent + len(line.text) - len(rest), rest, line.block)
                value, at = _block(lines, at, depth + 1)
            else:
                value, at = _value(lines, at, rest, depth)
            items.append(value)
            continue
        split = _split_key(line.text)
        if split is None:
            raise _bad_yaml(line.number, f"{line.text[:40]!r} is neither key: value nor - item")
        key = _scalar(split[0], line.number)
        if key in pairs:
            raise _bad_yaml(line.number, f"the key {key} is there twice")
        pairs[key], at = _value(lines, at, split[1], depth)
    if at < len(lines) and lines[at].indent > indent:
        raise _bad_yaml(lines[at].number, "it is indented more than the lines above")
    return (items if listed else pairs), at


def _is_item(line: _Line) -> bool:
    return line.text == "-" or line.text.startswith("- ")


def _value(lines: list[_Line], at: int, text: str, depth: int) -> tuple[Any, int]:
    """What stands behind a key or a dash, or below it."""
    line = lines[at]
    if line.block is not None:
        return line.block, at + 1
    if text:
        return _inline(text, line.number), at + 1
    below = lines[at + 1] if at + 1 < len(lines) else None
    if below and (below.indent > line.indent or (below.indent == line.indent and _is_item(below) > _is_item(line))):
        return _block(lines, at + 1, depth + 1)
    return None, at + 1


def _split_key(text: str) -> tuple[str, str] | None:
    """Key and value of `key: value`, None for anything else."""
    quoted = _QUOTED.match(text)
    colon = re.compile(r"\s*:(?:\s+|$)").match(text, quoted.end()) if quoted else re.search(r":(?:\s+|$)", text)
    if colon is None or colon.start() == 0 or text[0] in "[{":
        return None
    return text[: colon.start()].rstrip(), text[colon.end() :]


def _inline(text: str, number: int) -> Any:
    """A value on one line: a scalar, a list or a mapping."""
    if text[0] not in "[{":
        if text[0] not in "\"'" and re.search(r":(\s|$)", text):
            raise _bad_yaml(number, f"{text[:40]!r} has a colon in it")
        return _scalar(text, number)
    value, rest = _flow(text, number, 0)
    if rest.strip():
        raise _bad_yaml(number, f"{rest.strip()[:40]!r} stands behind the closing bracket")
    return value


_FLOW_TEXT = re.compile(r"(?:[^\[\]{},:]|:(?=[^\s\[\]{},]))*+")


def _flow(text: str, number: int, depth: int) -> tuple[Any, str]:
    """The value a text begins with, inside brackets, and what follows it."""
    if depth > _DEEPEST:
        raise _bad_yaml(number, f"it is nested more than {_DEEPEST} levels deep")
    text = text.lstrip()
    if not text or text[0] not in "[{":
        quoted = _QUOTED.match(text)
        end = quoted.end() if quoted else _FLOW_TEXT.match(text).end()  # type: ignore[union-attr]
        return _scalar(text[:end].strip(), number), text[end:].lstrip()
    closing, rest = "]" if text[0] == "[" else "}", text[1:].lstrip()
    items: list[Any] = []
    pairs: dict[Any, Any] = {}
    while not rest.startswith(closing):
        value, rest = _flow(rest, number, depth + 1)
        if closing == "]":
            items.append(value)
        elif not rest.startswith(":") or isinstance(value, list | dict):
            raise _bad_yaml(number, "there is something in {} that is not key: value")
        else:
            pairs[value], rest = _flow(rest[1:], number, depth + 1)
        if rest.startswith(","):
            rest = rest[1:].lstrip()
        elif not rest.startswith(closing):
            raise _bad_yaml(
                number, f"there is no {closing} to its bracket" if not rest else f"{rest[0]!r} is in the way"
            )
    return (items if closing == "]" else pairs), rest[1:].lstrip()


def _scalar(text: str, number: int) -> Any:
    """A quoted or plain text, a number, true, false or nothing; what would not be written back the same is a text."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text[0] in "\"'":
        if not _QUOTED.fullmatch(text):
            raise _bad_yaml(number, f"{text[:40]!r} is not a text in quotes")
        if text[0] == "'":
            return text[1:-1].replace("''", "'")
        try:
            return json.loads(text, strict=False)
        except ValueError:
            raise _bad_yaml(number, f"{text[:40]!r} holds an unknown escape after \\") from None
    if text[0] in "&*!|>%@`,[]{}" or text.startswith(("? ", "- ")) or text in ("-", "?", "---"):
        raise _bad_yaml(number, f"{text[:40]!r} begins with {text[0]!r}, which means something else in yaml")
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"-?[0-9]{1,15}", text) and str(int(text)) == text:
        return int(text)
    if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", text) and str(float(text)) == text:
        return float(text)
    return text


# --- the data set ------------------------------------------------------------------------------------------------


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
        content = read_yaml_subset(_text(yaml))
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


def _text(path: Path) -> str:
    """The text of a small file; raises UsageError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read", str(error), "Check the path and its permissions.") from None


def _shown(path: Path) -> str:
    """A file name as text, also where its bytes are none."""
    return os.fsencode(path.name).decode("utf-8", errors="replace")


def _images(place: Path) -> Iterator[Path]:
    """The images below a folder, or those that a list names by paths from its own folder."""
    if os.path.isdir(place):
        for folder, _, names in os.walk(place):
            yield from (Path(folder, name) for name in names if name.lower().endswith(_IMAGES))
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
        stems = {path.stem for path in folder.glob("*") if path.name.lower().endswith(_IMAGES)}
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
