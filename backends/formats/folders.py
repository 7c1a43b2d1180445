"""Finds out what a folder holds: parts by name, a folder per class, boxes around objects, a data set saved to disk."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.contract import DataError, Finding, UsageError
from backends.formats.findings import Findings, first_of
from backends.formats.media_endings import MEDIA_ENDINGS
from backends.formats.parts import PART_NAMES, part_of_folder, part_of_name
from backends.formats.rows import Row
from backends.formats.source import Dataset, Source, data_error

_DATA_ENDINGS = (
    ".parquet .arrow .jsonl .ndjson .json .csv .tsv .tab .psv .xlsx .conllu .conll .bio .iob .iob2 .txt".split()
)  # best first: where the same data lies there twice, the better kept types win
_PACKED_ENDINGS = (".gz", ".zst", ".bz2", ".xz", ".zip")
_NO_DATA = re.compile(
    r"(readme|license|licence|notice|changelog|requirements|sources|dataset_infos|dataset_info)\b.*", re.IGNORECASE
)
_MANIFESTS = ("metadata", "manifest", "labels", "annotations", "transcripts", "index")
_MOST_ENTRIES = 200_000
# How far down a folder that holds one other folder and nothing else is followed.
_DEEPEST = 6


def open_folder(path: Path, deep: int = 0) -> Dataset:
    """What a folder holds, as parts with their sources; `deep` counts the folders above it that were looked into.

    Raises DataError when it holds no data, or several data sets that do not belong together, which are then named.
    """
    from backends.formats.yolo import find_yolo

    entries = _entries(path)
    names = {entry.name for entry in entries}
    if "dataset_dict.json" in names or {"state.json", "dataset_info.json"} <= names:
        return _saved_by_datasets(path)
    coco = _coco_parts(path)
    yolo = find_yolo(path)
    if coco is not None:
        note = "it also holds labels in the YOLO layout; name its .yaml file to use those instead" if yolo else None
        return replace(coco, notes=(_note("other-layout", f"{path.name}: {note}", path),) if note else ())
    if yolo is not None:
        return open_yolo(yolo)
    files = [entry for entry in entries if entry.is_file() and _is_data(entry)]
    folders = [entry for entry in entries if entry.is_dir()]
    manifest = [entry for entry in files if _stem(entry).lower() in _MANIFESTS]
    classes = _class_folders(path, folders)
    if classes is not None and not any(_stem(entry).lower() == "metadata" for entry in manifest):
        return classes
    if manifest and len({_stem(entry) for entry in manifest}) == 1 and len(manifest) == len(files):
        return open_file(_best(manifest))
    if files:
        return _grouped(path, files)
    parts = {part_of_folder(folder.name): folder for folder in folders if part_of_folder(folder.name)}
    if parts and len(parts) == len(folders):
        return _parts_of_folders(path, {str(part): folder for part, folder in parts.items()})
    flat = _flat_media(path, entries)
    if flat is not None:
        return flat
    if len(folders) == 1 and deep < _DEEPEST and not folders[0].is_symlink():
        try:
            return replace(open_folder(folders[0], deep + 1), path=path)
        except DataError as error:
            if error.findings[0].code != "no-data":
                raise
    raise _nothing(path, entries, folders if deep == 0 and len(folders) > 1 else [])


def open_file(path: Path) -> Dataset:
    """A single file as a data set of one part."""
    from backends.formats.reading import open_table

    if path.suffix.lower() in (".yaml", ".yml"):
        return open_yolo(path)
    source = open_table(path)
    return Dataset(path, source.format, {"train": (source,)}, source.notes)


def open_yolo(yaml: Path) -> Dataset:
    """The parts that a data.yaml names."""
    from backends.formats.yolo import yolo_facts

    notes = Findings()
    facts = yolo_facts(yaml, notes)
    columns = ("image", "width", "height", "boxes")
    parts = {
        {"val": "validation"}.get(part, part): (Source(yaml, "yolo", columns=columns, part=part),)
        for part in facts.parts
    }
    return Dataset(yaml, "yolo", parts, (*notes.errors(), *notes.warnings()))


def looks_like_a_data_set(path: Path) -> bool:
    """Whether a folder is worth to be offered as a whole, from a look at its names alone."""
    try:
        names = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))[:500]
    except OSError:
        return False
    if {"dataset_dict.json", "state.json", "data.yaml", "annotations"} & set(names):
        return True
    files = [name for name in names if _is_data(Path(name))]
    by_stem = Counter(part_of_name(_stem(Path(name)))[0].lower() for name in files)
    parts = [name for name in names if part_of_folder(name)]
    media = sum(bool(_kinds_in(path / name, 5)) for name in names[:20] if "." not in name)
    return (len(files) > 1 and len(by_stem) == 1) or len(parts) > 1 or media > 1


def _entries(path: Path) -> list[Path]:
    try:
        found = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    except OSError as error:
        raise UsageError(f"{path} cannot be read", str(error), "Check the path and its permissions.") from None
    return found[:_MOST_ENTRIES]


def _note(code: str, message: str, path: Path) -> Finding:
    return Finding(code, message, path.name, "Nothing to do, if that is what you want.")


def _inner_suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() in _PACKED_ENDINGS else path.suffix.lower()


def _stem(path: Path) -> str:
    name = path.stem if path.suffix.lower() in _PACKED_ENDINGS else path.name
    return Path(name).stem


def _is_data(path: Path) -> bool:
    ending = _inner_suffix(path)
    known = ending in _DATA_ENDINGS or path.suffix.lower() == ".zip"
    return known and not path.name.startswith(".") and not _NO_DATA.fullmatch(path.name)


def _best(files: list[Path]) -> Path:
    return min(files, key=lambda each: _rank(_inner_suffix(each)))


def _to_name(files: list[Path]) -> Path:
    """The file that stands for its data set: one to train on, of the best kind."""
    return min(
        files, key=lambda each: (part_of_name(_stem(each))[1] not in ("train", None), _rank(_inner_suffix(each)))
    )


def _rank(ending: str) -> int:
    return _DATA_ENDINGS.index(ending) if ending in _DATA_ENDINGS else len(_DATA_ENDINGS)


# --- files that belong together ----------------------------------------------------------------------------------


def _grouped(path: Path, files: list[Path]) -> Dataset:
    """Files of one name but for the part and the number of the shard are one data set."""
    groups: dict[tuple[str, str], list[tuple[str | None, Path]]] = defaultdict(list)
    unpacked = {file.name for file in files}
    notes = []
    for file in files:
        if file.suffix.lower() in _PACKED_ENDINGS and file.stem in unpacked:
            notes.append(_note("packed-copy", f"{file.name} is left aside for {file.stem} beside it", path))
            continue
        stem, part = part_of_name(_stem(file))
        groups[stem.lower(), _inner_suffix(file)].append((part, file))
    stems = {stem for stem, _ in groups}
    if len(stems) > 1:
        raise _several(path, groups)
    ending = min((key for _, key in groups), key=lambda key: (-len(groups[next(iter(stems)), key]), _rank(key)))
    chosen = groups[next(iter(stems)), ending]
    ignored = [file.name for (_, key), members in groups.items() if key != ending for _, file in members]
    if ignored:
        message = f"{', '.join(ignored[:5])} beside the {ending} files: the same data in another format, left aside"
        notes.append(_note("other-format", message, path))
    return _dataset_of(path, [(part or "train", file) for part, file in chosen], tuple(notes))


def _dataset_of(path: Path, members: list[tuple[str, Path]], notes: tuple[Finding, ...] = ()) -> Dataset:
    parts: dict[str, tuple[Source, ...]] = {}
    for part, file in sorted(members, key=lambda item: (PART_NAMES.index(item[0]), item[1].name)):
        opened = open_file(file)
        source = opened.parts[opened.training_part][0]
        notes = (*notes, *source.notes)
        parts[part] = (*parts.get(part, ()), replace(source, part=part))
    parts = _with_training(path, parts)
    formats = {source.format for sources in parts.values() for source in sources}
    return Dataset(path, formats.pop() if len(formats) == 1 else "mixed", parts, notes)


def _parts_of_folders(path: Path, folders: dict[str, Path]) -> Dataset:
    """`train/`, `validation/`, `test/`, each with files or with a folder per class."""
    parts: dict[str, tuple[Source, ...]] = {}
    notes: tuple[Finding, ...] = ()
    kind = ""
    for part in sorted(folders, key=PART_NAMES.index):
        opened = open_folder(folders[part])
        parts[part] = tuple(source for sources in opened.parts.values() for source in sources)
        notes, kind = (*notes, *opened.notes), kind or opened.format
    return Dataset(path, kind, _with_training(path, parts), notes)


def _with_training(path: Path, parts: dict[str, tuple[Source, ...]]) -> dict[str, tuple[Source, ...]]:
    """The parts, of which one is to train on: where there is a single one, it is that, whatever its name."""
    if "train" in parts:
        return parts
    if len(parts) == 1:
        return {"train": next(iter(parts.values()))}
    what, why = f"{path.name} has no training part", f"its parts are {', '.join(parts)}"
    raise data_error("no-training-part", what, why, path.name, "Name the file or folder to train on, or rename it.")


def _several(path: Path, groups: dict[tuple[str, str], list[tuple[str | None, Path]]]) -> DataError:
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for (stem, _), members in groups.items():
        by_stem[stem] += [file for _, file in members]
    found = tuple(
        Finding(
            "several-data-sets",
            f"a data set of its own: {', '.join(file.name for file in members[:6])}",
            _to_name(members).name,
            f"Name it: {path / _to_name(members).name}",
        )
        for members in by_stem.values()
    )
    what = f"{path.name} holds {len(by_stem)} data sets that do not belong together"
    names = ", ".join(sorted(finding.where for finding in found)[:6])
    fix = f"Name the one you mean, such as {path / found[0].where}; several as one: write a mix file."
    return DataError(what, f"files of different names: {names}", fix, path.name, first_of(found, "Name one of them."))


def _nothing(path: Path, entries: list[Path], folders: list[Path]) -> DataError:
    sets = []
    for folder in folders[:50]:
        try:
            open_folder(folder, _DEEPEST)
        except (DataError, UsageError, OSError):
            continue
        sets.append(folder)
    if len(sets) > 1:
        found = tuple(
            Finding("several-data-sets", f"a data set of its own: {folder.name}", folder.name, f"Name it: {folder}")
            for folder in sets
        )
        what = f"{path.name} holds {len(sets)} data sets that do not belong together"
        shown, fix = ", ".join(folder.name for folder in sets[:6]), "Name one of them."
        return DataError(what, f"the folders {shown}", fix, path.name, first_of(found, fix))
    shown = ", ".join(entry.name for entry in entries[:6]) or "nothing"
    kinds = Counter(entry.suffix.lower() or "no ending" for entry in entries if entry.is_file())
    why = f"it holds {shown}" + (f" ({', '.join(f'{n} {kind}' for kind, n in kinds.most_common(3))})" if kinds else "")
    fix = "Name a data file, a folder of them, or a folder with a folder of pictures or videos for each class."
    return data_error("no-data", f"{path.name or path} holds no data", why, path.name or str(path), fix)


# --- pictures, recordings and videos -----------------------------------------------------------------------------


def media_kind(path: Path) -> str | None:
    """image, audio or video by the ending of a name."""
    ending = path.suffix.lower()
    return next((kind for kind, endings in MEDIA_ENDINGS.items() if ending in endings), None)


def _kinds_in(folder: Path, most: int = 200) -> Counter[str]:
    kinds: Counter[str] = Counter()
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= most:
                    break
                kind = media_kind(Path(entry.name))
                if kind is not None:
                    kinds[kind] += 1
    except OSError:
        return kinds
    return kinds


def _class_folders(path: Path, folders: list[Path]) -> Dataset | None:
    """A folder for each class, directly or below `train/` and `test/`."""
    parts = {part_of_folder(folder.name): folder for folder in folders if part_of_folder(folder.name)}
    if parts and len(parts) >= len(folders) - 1:
        found: dict[str, tuple[Source, ...]] = {}
        kind = ""
        for part, folder in sorted(parts.items(), key=lambda item: PART_NAMES.index(str(item[0]))):
            inner = _class_folders(folder, [each for each in _entries(folder) if each.is_dir()])
            if inner is None or len(inner.parts) > 1:
                return None
            found[str(part)], kind = inner.parts["train"], inner.format
        return Dataset(path, kind, _with_training(path, found))
    kinds: Counter[str] = Counter()
    for folder in folders:
        kinds.update(_kinds_in(folder).most_common(1)[0][:1] if _kinds_in(folder) else ())
    if not kinds:
        return None
    kind, count = kinds.most_common(1)[0]
    if count < 2 or count < 0.5 * len(folders):
        return None
    source = Source(path, f"{kind}-folder", columns=(kind, "label"))
    return Dataset(path, source.format, {"train": (source,)})


def _flat_media(path: Path, entries: list[Path]) -> Dataset | None:
    kinds = Counter(kind for entry in entries if entry.is_file() and (kind := media_kind(entry)) is not None)
    if not kinds:
        return None
    kind = kinds.most_common(1)[0][0]
    return Dataset(path, f"{kind}-folder", {"train": (Source(path, f"{kind}-folder", columns=(kind,)),)})


def read_class_folder(source: Source, notes: Findings) -> Iterator[Row]:
    """A row for each file of the kind, with the folder it lies in as its class where there is one for each class."""
    kind = source.format.partition("-")[0]
    flat = "label" not in source.columns
    number = 0
    folders_of_classes = [each for each in source.path.iterdir() if each.is_dir() and not each.name.startswith(".")]
    for folder in [source.path] if flat else sorted(folders_of_classes):
        label = None if flat else folder.name
        found = 0
        for root, folders, files in os.walk(folder):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for name in sorted(files):
                file = Path(root, name)
                if name.startswith("."):
                    continue
                if media_kind(file) != kind:
                    if media_kind(file) is not None:
                        relative = str(file.relative_to(source.path))
                        notes.warn("other-kind", f"{relative} is no {kind}", relative, "It is left out.")
                    continue
                found += 1
                number += 1
                cells = {kind: str(file)} if flat else {kind: str(file), "label": label}
                yield Row(number, str(file.relative_to(source.path)), cells)
        if label is not None and not found:
            notes.warn("empty-class", f"the folder {label!r} holds no {kind}", f"class {label}", "Fill or delete it.")


# --- layouts of other programs -----------------------------------------------------------------------------------


def _saved_by_datasets(path: Path) -> Dataset:
    """What `Dataset.save_to_disk` and `DatasetDict.save_to_disk` wrote."""
    splits = path / "dataset_dict.json"
    folders = {"train": path}
    if splits.is_file():
        try:
            names = [str(name) for name in json.loads(splits.read_text(encoding="utf-8"))["splits"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _broken_save(path, f"dataset_dict.json: {error}") from None
        folders = {name: path / name for name in names}
    parts: dict[str, tuple[Source, ...]] = {}
    notes = []
    for name, folder in folders.items():
        part = part_of_folder(name) or part_of_name(name)[1] or ("train" if len(folders) == 1 else None)
        if part is None:
            notes.append(_note("other-split", f"the split {name!r} is left aside: it is no part that is known", path))
        else:
            parts[part] = (*parts.get(part, ()), *_arrow_files(folder, path))
    if not parts:
        raise _broken_save(path, f"none of its splits is known: {', '.join(folders)}")
    parts = _with_training(path, {part: parts[part] for part in sorted(parts, key=PART_NAMES.index)})
    return Dataset(path, "arrow", parts, tuple(notes))


def _arrow_files(folder: Path, whole: Path) -> tuple[Source, ...]:
    try:
        state: Any = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        names = [Path(each["filename"]).name for each in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken_save(whole, f"{folder.name}/state.json: {error}") from None
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        raise _broken_save(whole, f"{', '.join(missing) or 'every data file'} is missing in {folder.name}")
    return tuple(Source(folder / name, "arrow") for name in names)


def _broken_save(path: Path, why: str) -> DataError:
    what = f"{path.name} is a data set saved to disk, but not a whole one"
    return data_error("invalid-save", what, why, path.name, "Save it again with save_to_disk.")


def _coco_parts(path: Path) -> Dataset | None:
    """Annotation files in the COCO layout, directly or in `annotations/`, by part."""
    from backends.formats.sniff import identify

    members = []
    for folder in (path, path / "annotations"):
        for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            if file.is_file() and not file.name.startswith(".") and file.stat().st_size:
                try:
                    source = identify(file)
                except (DataError, UsageError):
                    continue
                if source.format == "coco":
                    members.append((part_of_name(file.stem)[1] or "train", source))
    if not members:
        return None
    parts: dict[str, tuple[Source, ...]] = {}
    for part, source in sorted(members, key=lambda item: PART_NAMES.index(item[0])):
        parts[part] = (*parts.get(part, ()), source)
    return Dataset(path, "coco", parts)
