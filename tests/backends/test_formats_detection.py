"""COCO and YOLO data sets: every box is read, repaired or named with its place; no input ends in a traceback."""

from __future__ import annotations

import itertools
import json
import re
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backends.contract import DataError, UsageError
from backends.formats.boxes import image_size
from backends.formats.coco import load_coco, looks_like_coco, read_coco
from backends.formats.findings import Findings
from backends.formats.rows import Row
from backends.formats.yaml_subset import read_yaml_subset
from backends.formats.yolo import find_yolo, read_yolo, yolo_facts

WIDTH, HEIGHT = 32, 24
CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}]


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), **saved: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path, **saved)
    return path


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def image(number: Any = 1, name: Any = "a.png", width: Any = WIDTH, height: Any = HEIGHT) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": width, "height": height}


def annotation(number: Any = 5, bbox: Any = (1, 2, 10, 12), image_id: Any = 1, category: Any = 1, **other: Any) -> Any:
    return {"id": number, "image_id": image_id, "category_id": category, "bbox": bbox, "iscrowd": 0, **other}


USED = [annotation(900, (20, 15, 5, 5), category=7), annotation(901, (26, 2, 4, 4))]
REST = ["annotation 900", "annotation 901"]


def coco(folder: Path, *annotations: Any, images: Any = None, categories: Any = None) -> Path:
    """A COCO file beside its one picture; the annotations `USED` are there so that no class is unused."""
    if not (folder / "a.png").exists():
        picture(folder / "a.png")
    used = USED if categories is None else []
    content = {
        "images": [image()] if images is None else images,
        "annotations": [*annotations, *used],
        "categories": CATEGORIES if categories is None else categories,
    }
    return write(folder / "coco.json", json.dumps(content))


def read(path: Path, encoding: str = "utf-8") -> tuple[list[Row], Findings]:
    notes = Findings()
    return list(read_coco(path, encoding, notes)), notes


def boxes(rows: Sequence[Row]) -> dict[str, list[float]]:
    return {box["id"]: box["bbox"] for row in rows for box in row.cells["boxes"]}


def places(notes: Findings) -> list[tuple[str, str]]:
    return [(finding.code, finding.where) for finding in notes.errors() + notes.warnings()]


def message(notes: Findings, code: str) -> str:
    return next(finding.message for finding in notes.errors() + notes.warnings() if finding.code == code)


# --- COCO --------------------------------------------------------------------------------------------------------


def test_a_row_holds_the_image_its_size_and_its_boxes(tmp_path: Path) -> None:
    picture(tmp_path / "b.png", (40, 30))
    rows, notes = read(coco(tmp_path, annotation(), images=[image(), image(2, "b.png", 40, 30)]))
    assert rows == [
        Row(
            1,
            "a.png",
            {
                "image": str(tmp_path / "a.png"),
                "width": WIDTH,
                "height": HEIGHT,
                "boxes": [
                    {"id": "annotation 5", "category": "cat", "bbox": [1.0, 2.0, 10.0, 12.0]},
                    {"id": "annotation 900", "category": "dog", "bbox": [20.0, 15.0, 5.0, 5.0]},
                    {"id": "annotation 901", "category": "cat", "bbox": [26.0, 2.0, 4.0, 4.0]},
                ],
            },
        ),
        Row(2, "b.png", {"image": str(tmp_path / "b.png"), "width": 40, "height": 30, "boxes": []}),
    ]
    assert places(notes) == []


@pytest.mark.parametrize("order", list(itertools.permutations(["images", "annotations", "categories"])))
def test_the_lists_may_come_in_any_order(tmp_path: Path, order: Sequence[str]) -> None:
    path = coco(tmp_path, annotation())
    rows, _ = read(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({"info": {"images": []}, **{key: content[key] for key in order}, "licenses": [{}]}))
    assert read(path)[0] == rows and list(boxes(rows)) == ["annotation 5", *REST]


@pytest.mark.parametrize(
    ("bbox", "code", "kept"),
    [
        ([0, 0, 32, 24], None, [0, 0, 32, 24]),
        ([0, 0, 32.4, 24.4], None, [0, 0, 32, 24]),  # rounding is not worth a word
        ([28, 2, 10, 5], "box-clipped", [28, 2, 4, 5]),
        ([-3, -4, 10, 10], "box-clipped", [0, 0, 7, 6]),
        ([2, 20, 5, 6], "box-clipped", [2, 20, 5, 4]),
        ([-1e308, 3, 1.7e308, 4], "box-clipped", [0, 3, 32, 4]),
        ([28, 20, 10, 20], "box-clipped", [28, 20, 4, 4]),
        ([32, 2, 5, 5], "box-outside", None),
        ([2, -9, 5, 9], "box-outside", None),
        ([1e308, 2, 1e308, 5], "box-outside", None),
        ([2, 2, 0, 5], "box-empty", None),
        ([2, 2, 5, -5], "box-empty", None),
        ([1, 2, 3], "box-malformed", None),
        ([1, 2, 3, 4, 0.5], "box-malformed", None),
        ([], "box-malformed", None),
        ([1, 2, None, 4], "box-malformed", None),
        ([1, 2, "3", 4], "box-malformed", None),
        ([1, 2, True, 4], "box-malformed", None),
        ([1, 2, [3], 4], "box-malformed", None),
        ([1, 2, {"a": 3}, 4], "box-malformed", None),
        ({"x": 1}, "box-malformed", None),
        ("1 2 3 4", "box-malformed", None),
        (None, "box-malformed", None),
        ([15, 12, 30, 22], "box-corners", [15, 12, 17, 12]),
    ],
)
def test_a_box_is_used_clipped_or_left_out(tmp_path: Path, bbox: Any, code: str | None, kept: Any) -> None:
    rows, notes = read(coco(tmp_path, annotation(5, bbox)))
    assert boxes(rows).get("annotation 5") == kept
    assert places(notes) == ([(code, "annotation 5")] if code else [])


@pytest.mark.parametrize(
    ("record", "code", "where"),
    [
        (annotation(category=99), "unknown-category", "annotation 5"),
        (annotation(category=None), "unknown-category", "annotation 5"),
        (annotation(category=[1]), "unknown-category", "annotation 5"),
        (annotation(category=True), "unknown-category", "annotation 5"),
        (annotation(image_id=4242), "unknown-image", "annotation 5"),
        (annotation(image_id={}), "unknown-image", "annotation 5"),
        (annotation(iscrowd=1), "box-crowd", "annotation 5"),
        (annotation(None, [1]), "box-malformed", "annotation at place 1"),
        (annotation("x y", [1]), "box-malformed", "annotation x y"),
        ({"id": 5, "image_id": 1, "category_id": 1, "segmentation": [[1, 2]]}, "box-malformed", "annotation 5"),
        (5, "box-malformed", "annotation at place 1"),
        ([{"bbox": [1]}], "box-malformed", "annotation at place 1"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_named(tmp_path: Path, record: Any, code: str, where: str) -> None:
    rows, notes = read(coco(tmp_path, record))
    assert list(boxes(rows)) == REST
    assert places(notes) == [(code, where)]


def test_what_is_wrong_with_a_box_is_said(tmp_path: Path) -> None:
    only_outline = {"id": 5, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4]]}
    _, notes = read(coco(tmp_path, only_outline, annotation(6, [1, 2, None, 4]), annotation(7, [1])))
    said = [finding.message for finding in notes.warnings()]
    assert "only a segmentation" in said[0] and "null" in said[1] and "1 number instead of 4" in said[2]


@pytest.mark.parametrize("spelled", [7, 7.0, "7", " 7 "])
def test_ids_are_the_same_as_number_and_as_text(tmp_path: Path, spelled: Any) -> None:
    record = annotation(spelled, image_id=spelled, category=spelled)
    rows, notes = read(coco(tmp_path, record, images=[image("7")], categories=[{"id": 7, "name": "dog"}]))
    assert boxes(rows) == {"annotation 7": [1, 2, 10, 12]} and places(notes) == []


@pytest.mark.parametrize("number", ["007", "abc", 2**60, -4, 1.5])
def test_ids_may_be_words_and_odd_numbers(tmp_path: Path, number: Any) -> None:
    used = [{"id": number, "name": "dog"}]
    rows, notes = read(coco(tmp_path, annotation(number, (1, 2, 3, 4), number, number), images=[image(number)],
                            categories=used))  # fmt: skip
    assert [box["category"] for box in rows[0].cells["boxes"]] == ["dog"]
    assert list(boxes(rows)) == [f"annotation {number}"] and places(notes) == []


def test_a_second_annotation_of_an_id_is_used_and_named(tmp_path: Path) -> None:
    rows, notes = read(coco(tmp_path, annotation(), annotation(5, (3, 3, 4, 4))))
    assert len(rows[0].cells["boxes"]) == 4
    assert places(notes) == [("duplicate-annotation-id", "annotation 5")]


def test_an_exact_duplicate_is_left_out_once(tmp_path: Path) -> None:
    same, other_class = annotation(6), annotation(7, category=7)
    rows, notes = read(coco(tmp_path, annotation(), same, other_class))
    assert list(boxes(rows)) == ["annotation 5", "annotation 7", *REST]
    assert places(notes) == [("box-duplicate", "annotation 6")]


@pytest.mark.parametrize(
    ("categories", "code", "where", "classes"),
    [
        ([{"id": 0, "name": "cat"}, {"id": 90, "name": "dog"}], None, "", ["cat", "dog"]),
        ([{"id": 0, "name": "cat"}, {"id": 90, "name": "dog"}, {"id": 3, "name": "cow"}], "unused-category",
         "category 3", ["cat", "dog"]),
        ([{"id": 0, "name": "cat"}, {"id": 90, "name": "cat"}], "duplicate-category", "coco.json", ["cat", "cat"]),
        ([{"id": 0, "name": "cat"}, {"id": 90, "name": "dog"}, {"id": 0, "name": "x"}], "duplicate-category-id",
         "category 0", ["cat", "dog"]),
        ([{"id": 0, "name": "cat"}, {"id": 90, "name": "dog"}, {"id": 4}], "category-malformed",
         "category at place 3", ["cat", "dog"]),
        ([{"id": 0, "name": "cat"}, {"id": 90, "name": "dog"}, None], "category-malformed", "category at place 3",
         ["cat", "dog"]),
        ([], "no-categories", "coco.json", []),
    ],
)  # fmt: skip
def test_classes(tmp_path: Path, categories: Any, code: str | None, where: str, classes: list[str]) -> None:
    used = [annotation(1, (1, 2, 3, 4), category=0), annotation(2, (1, 2, 4, 4), category=90)]
    rows, notes = read(coco(tmp_path, *used, categories=categories))
    assert [box["category"] for box in rows[0].cells["boxes"]] == classes
    assert places(notes) == ([(code, where)] if code else [])


@pytest.mark.parametrize(
    ("record", "code", "where"),
    [
        (image(2, "gone.png"), "image-absent", "gone.png"),
        (image(2, "bro\0ken.png"), "image-absent", "bro\0ken.png"),
        (image(2, "x" * 5000), "image-absent", "x" * 5000),
        (image(2, "."), "image-absent", "."),
        (image(2, "text.png"), "image-unreadable", "text.png"),
        (image(1, "b.png"), "duplicate-image-id", "image 1"),
        (image(None, "b.png"), "image-malformed", "image at place 1"),
        (image(2, ""), "image-malformed", "image at place 1"),
        (image(2, ["b.png"]), "image-malformed", "image at place 1"),
        ("b.png", "image-malformed", "image at place 1"),
    ],
)
def test_an_image_that_cannot_be_used_is_named(tmp_path: Path, record: Any, code: str, where: str) -> None:
    picture(tmp_path / "b.png")
    write(tmp_path / "text.png", "no picture")
    first = [image(), record] if code == "duplicate-image-id" else [record, image()]
    rows, notes = read(coco(tmp_path, annotation(), images=first))
    assert [row.where for row in rows] == ["a.png"] and places(notes) == [(code, where)]
    assert rows[0].number == first.index(image()) + 1


def test_a_file_without_images_is_an_error(tmp_path: Path) -> None:
    rows, notes = read(coco(tmp_path, images=[]))
    assert rows == [] and notes.errors()[0].code == "no-images"
    rows, notes = read(coco(tmp_path, images=[image(1, "gone.png")]))
    assert rows == [] and [finding.code for finding in notes.errors()] == ["images-absent"]


SMALL = [(1, 1, 9, 9), (20, 3, 9, 9), (3, 14, 5, 9), (22, 12, 8, 8)]


@pytest.mark.parametrize(
    ("listed", "drawn", "kept"),
    [
        # The listed size counts, and the boxes with it ...
        ((64, 48), (40, 30, 20, 16), (20, 15, 10, 8)),
        ((16, 12), (4, 5, 6, 4), (8, 10, 12, 8)),
        # ... unless they lie where only the file can be meant ...
        ((64, 48), SMALL, SMALL),
        ((16, 12), SMALL, SMALL),
        # ... or the shape differs, so that no scale is right.
        ((64, 24), (1, 1, 9, 9), (1, 1, 9, 9)),
        ((24, 32), (1, 1, 9, 9), (1, 1, 9, 9)),
    ],
)
def test_boxes_of_another_size_are_scaled_unless_drawn_on_the_file(
    tmp_path: Path, listed: tuple[int, int], drawn: Any, kept: Any
) -> None:
    drawn, kept = ([list(each)] if isinstance(each, tuple) else [list(one) for one in each] for each in (drawn, kept))
    used = [annotation(number, box) for number, box in enumerate(drawn)]
    rows, notes = read(coco(tmp_path, *used, images=[image(1, "a.png", *listed)], categories=CATEGORIES[:1]))
    assert list(boxes(rows).values()) == kept
    assert places(notes) == [("size-differs", "a.png")]
    assert (rows[0].cells["width"], rows[0].cells["height"]) == (WIDTH, HEIGHT)
    assert f"{listed[0]} × {listed[1]}" in message(notes, "size-differs")


def test_numbers_beyond_all_bounds_are_outside(tmp_path: Path) -> None:
    path = coco(tmp_path, annotation(5, (-1.7e308, 1, 1.7e308, 5)), images=[image(1, "a.png", 16, 12)])
    rows, notes = read(path)
    assert "annotation 5" not in boxes(rows) and ("box-outside", "annotation 5") in places(notes)


@pytest.mark.parametrize(("width", "height"), [(None, None), ("32", "24"), (0, -1), ([], {}), (32, None), ("a", 3)])
def test_a_size_that_is_not_listed_is_no_fault(tmp_path: Path, width: Any, height: Any) -> None:
    rows, notes = read(coco(tmp_path, annotation(), images=[image(1, "a.png", width, height)]))
    assert rows[0].cells["width"] == WIDTH and len(rows[0].cells["boxes"]) == 3 and places(notes) == []


CORNERS = [(1, 1, 9, 8), (18, 13, 30, 22), (3, 14, 12, 23), (19, 2, 29, 12), (17, 14, 31, 20), (2, 3, 8, 9)]


def test_a_file_of_corners_is_told_once(tmp_path: Path) -> None:
    used = [annotation(number, corners) for number, corners in enumerate(CORNERS)]
    rows, notes = read(coco(tmp_path, *used, categories=CATEGORIES[:1]))
    assert places(notes) == [("box-corners-everywhere", "coco.json")] and notes.errors()
    assert "2 of 6" in message(notes, "box-corners-everywhere")
    assert len(boxes(rows)) == 6


def test_a_file_of_mostly_corners_is_told_once(tmp_path: Path) -> None:
    used = [annotation(number, box) for number, box in enumerate([CORNERS[1], CORNERS[4], (20, 2, 6, 6)])]
    assert places(read(coco(tmp_path, *used, categories=CATEGORIES[:1]))[1]) == [
        ("box-corners-everywhere", "coco.json")
    ]


def test_one_box_is_not_everywhere(tmp_path: Path) -> None:
    path = coco(tmp_path, annotation(70, CORNERS[1]), categories=CATEGORIES[:1])
    assert places(read(path)[1]) == [("box-corners", "annotation 70")]


def test_two_corners_among_sizes_are_told_one_by_one(tmp_path: Path) -> None:
    sizes = [annotation(number, (20 - number, 10, 6, 6)) for number in range(6)]
    _, notes = read(coco(tmp_path, *sizes, annotation(70, CORNERS[1]), annotation(71, CORNERS[4])))
    assert places(notes) == [("box-corners", "annotation 70"), ("box-corners", "annotation 71")]


@pytest.mark.parametrize(("odd", "told"), [((8, 6, 14, 11), True), ((8, 6, 14, 6), False), ((8, 6, 12, 9), False)])
def test_corners_within_the_image_show_by_the_size_of_the_other_boxes(
    tmp_path: Path, odd: tuple[int, ...], told: bool
) -> None:
    even = [annotation(number, (number, 12, 6, 5)) for number in range(12)]
    rows, notes = read(coco(tmp_path, *even, annotation(70, odd)))
    assert places(notes) == ([("box-corners", "annotation 70")] if told else [])
    assert boxes(rows)["annotation 70"] == list(odd)


@pytest.mark.parametrize(
    ("json_at", "image_at", "name", "told"),
    [
        ("set/coco.json", "set/a.png", "a.png", False),
        ("set/coco.json", "set/images/a.png", "a.png", False),
        ("set/coco.json", "set/images/a.png", "images/a.png", False),
        ("set/annotations/instances_val.json", "set/images/val/a.png", "a.png", False),
        ("set/annotations/instances_val.json", "set/val/a.png", "a.png", False),
        ("set/annotations/instances_val.json", "set/images/a.png", "a.png", False),
        ("set/annotations/instances_val2017.json", "set/val2017/a.png", "a.png", False),
        ("set/annotations/coco.json", "set/images/x/a.png", "../images/x/a.png", False),
        ("set/labels.json", "set/data/a.png", "a.png", True),
        ("set/coco.json", "set/images/a.png", "C:\\pictures\\a.png", True),
        ("set/coco.json", "set/images/a.png", "/home/somebody/pictures/a.png", True),
    ],
)
def test_images_are_found_near_the_file(tmp_path: Path, json_at: str, image_at: str, name: str, told: bool) -> None:
    picture(tmp_path / image_at)
    made = coco(tmp_path / "elsewhere", annotation(), images=[image(1, name), image(2, "gone.png")])
    moved = write(tmp_path / json_at, made.read_bytes())
    rows, notes = read(moved)
    assert [Path(row.cells["image"]).resolve() for row in rows] == [tmp_path / image_at]
    assert places(notes) == [*[("images-folder", moved.name)] * told, ("image-absent", "gone.png")]
    assert not told or str(Path(tmp_path, image_at).parent) in message(notes, "images-folder")


def test_an_absolute_path_is_used(tmp_path: Path) -> None:
    path = picture(tmp_path / "far" / "b.png")
    rows, notes = read(coco(tmp_path / "set", annotation(), images=[image(1, str(path))]))
    assert rows[0].cells["image"] == str(path) and places(notes) == []


def test_the_part_in_the_name_of_the_file_chooses_between_equal_names(tmp_path: Path) -> None:
    for part in ("train", "val"):
        picture(tmp_path / "images" / part / "a.png")
    made = coco(tmp_path / "annotations", annotation())
    (made.parent / "a.png").unlink()
    rows, _ = read(made.rename(made.with_name("instances_val.json")))
    assert rows[0].cells["image"] == str(tmp_path / "images" / "val" / "a.png")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = coco(tmp_path, annotation(), categories=[{"id": 1, "name": "Käse"}])
    text = json.dumps(json.loads(path.read_text()), ensure_ascii=False)
    path.write_bytes(text.encode(encoding))
    rows, notes = read(path, "utf-8" if encoding == "utf-8-sig" else encoding)
    assert rows[0].cells["boxes"][0]["category"] == "Käse" and places(notes) == []


def test_a_file_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    whole = coco(tmp_path, annotation()).read_text()
    for length in range(len(whole)):
        with pytest.raises(DataError) as caught:
            read(write(tmp_path / "coco.json", whole[:length]))
        assert caught.value.findings[0].code == "invalid-json"


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ('{"images": [],\n "annotations": [}', "line 2 column 18"),
        ('{"images": [],\n "annotations": [{"bbox": [1, NaN]}]}', "line 2"),
        ('{"images": [] "annotations": []}', "line 1 column 15"),
        (b'{"images": ["\xff"]}', "coco.json"),
        ('{"images": [1e999999]', "line 1 column 22"),
        ("[" * 100_000, "coco.json"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path: Path, content: str | bytes, where: str) -> None:
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "coco.json", content))
    assert caught.value.where == where and "coco.json" in caught.value.what


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none.json")


def test_a_box_takes_little_memory_whatever_else_its_annotation_holds(tmp_path: Path) -> None:
    count = 20_000
    outline = [[number / 7 for number in range(40)]]
    used = [
        annotation(number, (1, 2, 3 + number / 1e5, 4), number % 50, segmentation=outline) for number in range(count)
    ]
    path = coco(tmp_path, *used, images=[image(number) for number in range(50)])
    del used
    read(coco(tmp_path / "first", annotation()))  # what is imported on first use counts for nobody
    tracemalloc.start()
    try:
        loaded = load_coco(path, "utf-8", Findings())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(len(list(loaded.boxes_of(image))) for image in loaded.boxes) == count + len(USED)
    assert peak < 300 * count + (8 << 20)  # and some pieces of the file


RECORDS = {"images": [image()], "annotations": [annotation()], "categories": CATEGORIES}


@pytest.mark.parametrize(
    ("head", "is_coco"),
    [
        (json.dumps(RECORDS), True),
        ("\ufeff\n " + json.dumps(RECORDS, indent=1), True),
        (json.dumps({"info": {"a": "b"}, "licenses": [{}], **RECORDS}), True),
        (json.dumps({key: RECORDS[key] for key in ("annotations", "categories", "images")}), True),
        ('{"images": [], "annotations": []}', True),
        # The head ends before the second list.
        ('{"images": [{"id": 1, "file_name": "a.p', True),
        ('{"info": {}, "annotations": [{"segmentation": [[1, 2], [3]], "image_id": 3, "bb', True),
        ('{"categories": [{"id": 1, "name": "a"}], "images": [{"license": 1, "file_name": "a', True),
        ('{"images": ["a.png", "b', False),
        ('{"annotations": [{"text": "x", "lab', False),
        # Other JSON with such words in it.
        ("", False),
        ("[" + json.dumps(RECORDS) + "]", False),
        ('{"images": [{"file_name": "a.png"}]}', False),
        ('{"images": ["a.png"], "annotations": ["a cat"]}', False),
        ('{"images": [{"path": "a.png"}], "annotations": [{"text": "a cat"}]}', False),
        (
            '{"messages": [{"content": "\\"images\\": [{\\"file_name\\": 1}], \\"annotations\\": [{\\"bbox\\": 1}]"}]}',
            False,
        ),
        ('{"data": {"images": [{"file_name": "a"}], "annotations": [{"bbox": []}]}}', False),
        ('{"images": {"file_name": "a"}, "annotations": {"bbox": []}}', False),
        (
            '{"text": "a", "images": "b"}\n{"text": "annotations", "images": [{"file_name": "a"}], "annotations": []}',
            False,
        ),
    ],
)
def test_coco_is_known_by_its_beginning(head: str, is_coco: bool) -> None:
    assert looks_like_coco(head) is is_coco


def test_a_turned_photograph_has_the_size_it_is_shown_in(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert image_size(picture(tmp_path / "a.jpg", exif=exif)) == (HEIGHT, WIDTH)
    assert image_size(picture(tmp_path / "b.jpg", exif=b"Exif\0\0broken")) == (WIDTH, HEIGHT)


def test_huge_images_are_refused_and_large_ones_read_in_silence(tmp_path: Path, monkeypatch: Any) -> None:
    path = picture(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT - 1)
        assert image_size(path) == (WIDTH, HEIGHT)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH)
        assert image_size(path) is None


# --- YOLO --------------------------------------------------------------------------------------------------------


def yolo(
    folder: Path, label: str | None = "0 0.5 0.5 0.25 0.5\n", yaml: str = "train: images\nnames: [cat, dog]\n"
) -> Path:
    """A YOLO data set of one picture."""
    picture(folder / "images" / "a.png")
    if label is not None:
        write(folder / "labels" / "a.txt", label)
    return write(folder / "data.yaml", yaml)


def read_part(yaml: Path, part: str = "train") -> tuple[list[Row], Findings]:
    notes = Findings()
    return list(read_yolo(yaml, part, notes)), notes


def test_a_yolo_row_is_like_a_coco_row(tmp_path: Path) -> None:
    rows, notes = read_part(yolo(tmp_path, "\n0 0.5 0.5 0.25 0.5\r\n\n 1.0  .5 0.25 1e-1 0.5 \n"))
    found = [
        {"id": "a.txt line 2", "category": "cat", "bbox": [12.0, 6.0, 8.0, 12.0]},
        {"id": "a.txt line 4", "category": "dog", "bbox": [pytest.approx(14.4), 0.0, pytest.approx(3.2), 12.0]},
    ]
    cells = {"image": str(tmp_path / "images" / "a.png"), "width": WIDTH, "height": HEIGHT, "boxes": found}
    assert rows == [Row(1, "a.png", cells)] and places(notes) == []


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("7 0.5 0.5 0.2 0.2", "unknown-class", "class 7"),
        ("-1 0.5 0.5 0.2 0.2", "unknown-class", "class -1"),
        ("0 1.4 0.5 0.2 0.2", "box-outside", "outside"),
        ("0 0.5 0.5 0 0.2", "box-empty", "no area"),
        ("0 0.5 0.5 0.2 -0.2", "box-empty", "no area"),
        ("0 0.5 0.5 0.2", "box-malformed", "missing"),
        ("0.5 0.5 0.2 0.2", "box-malformed", "missing"),
        ("0", "box-malformed", "1 number instead of 5"),
        ("0,0.5,0.5,0.2,0.2", "box-malformed", "commas"),
        ("0 0,5 0,5 0,2 0,2", "box-malformed", "commas"),
        ("cat 0.5 0.5 0.2 0.2", "box-malformed", "the name of class 0"),
        ("cow 0.5 0.5 0.2 0.2", "box-malformed", "'cow', which is no number"),
        ("dog 26 17 49 37", "box-malformed", "pixels"),
        ("0 16 12 8 12", "box-malformed", "pixels"),
        ("0 0.5 nan 0.2 0.2", "box-malformed", "'nan'"),
        ("0 0.5 inf 0.2 0.2", "box-malformed", "'inf'"),
        ("0 0.5 1e999 0.2 0.2", "box-malformed", "'1e999'"),
        ("0 0.5 0.5 0.2 0.2 0.93", "box-malformed", "confidence"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.1", "box-malformed", "8 numbers"),
        ("0 0.1 0.1 0.5 0.1 12 0.5", "box-malformed", "pixels"),
        ("0.5 0.5 0.5 0.2 0.2", "box-malformed", "no class index"),
        ("\ufffd\0", "box-malformed", "no number"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, code: str, word: str) -> None:
    rows, notes = read_part(yolo(tmp_path, f"1 0.5 0.5 0.5 0.5\n{line}\n"))
    assert list(boxes(rows)) == ["a.txt line 1"]
    assert places(notes) == [(code, "a.txt line 2")] and word in message(notes, code)


@pytest.mark.parametrize(
    ("line", "code", "kept"),
    [
        ("0 0.5 0.5 1.000001 1.000001", None, [0, 0, 32, 24]),
        ("0 0.9375 0.5 0.25 0.5", "box-clipped", [26, 6, 6, 12]),
        ("0 1.05 0.5 0.5 0.5", "box-clipped", [25.6, 6, 6.4, 12]),
        ("0 0.75 0.75 0.9 0.9", "box-clipped", [9.6, 7.2, 22.4, 16.8]),
        ("0 0.25 0.5 0.75 0.25 0.5 0.75", "box-from-polygon", [8, 6, 16, 12]),
    ],
)
def test_a_line_that_needs_repair_is_used(tmp_path: Path, line: str, code: str | None, kept: list[float]) -> None:
    rows, notes = read_part(yolo(tmp_path, line))
    assert boxes(rows)["a.txt line 1"] == pytest.approx(kept)
    assert places(notes) == ([(code, "a.txt line 1")] if code else [])


def test_a_repeated_line_is_left_out(tmp_path: Path) -> None:
    rows, notes = read_part(yolo(tmp_path, "0 .5 .5 .5 .5\n1 .5 .5 .5 .5\n0 0.5 0.5 0.5 0.5\n"))
    assert list(boxes(rows)) == ["a.txt line 1", "a.txt line 2"]
    assert places(notes) == [("box-duplicate", "a.txt line 3")]


def test_keypoints_behind_a_box_are_not_an_outline(tmp_path: Path) -> None:
    yaml = "train: images\nnames: [cat, dog]\nkpt_shape: [2, 2]\n"
    rows, notes = read_part(yolo(tmp_path, "0 0.5 0.5 0.25 0.5 0.1 0.1 0.9 0.9", yaml))
    assert boxes(rows) == {"a.txt line 1": [12, 6, 8, 12]} and places(notes) == []


def test_images_without_boxes_are_background(tmp_path: Path) -> None:
    yaml = yolo(tmp_path)
    for name in ("empty", "none"):
        picture(tmp_path / "images" / f"{name}.png")
    write(tmp_path / "labels" / "empty.txt", "\n")
    write(tmp_path / "labels" / "orphan.txt", "0 0.5 0.5 0.5 0.5")
    write(tmp_path / "labels" / "classes.txt", "cat\ndog")
    write(tmp_path / "images" / "broken.jpg", "")
    write(tmp_path / "images" / "notes.md", "")
    rows, notes = read_part(yaml)
    assert [(row.number, row.where, len(row.cells["boxes"])) for row in rows] == [
        (1, "a.png", 1), (3, "empty.png", 0), (4, "none.png", 0)
    ]  # fmt: skip
    assert places(notes) == [
        ("image-unreadable", "broken.jpg"), ("no-label-file", "none.png"), ("orphan-label", "orphan.txt")
    ]  # fmt: skip


def test_a_part_without_labels_or_images_is_an_error(tmp_path: Path) -> None:
    yaml = yolo(tmp_path, None)
    assert [finding.code for finding in read_part(yaml)[1].errors()] == ["no-labels"]
    write(tmp_path / "images" / "a.png", "no picture")
    assert read_part(yaml)[1].errors() == ()
    (tmp_path / "images" / "a.png").unlink()
    assert [finding.code for finding in read_part(yaml)[1].errors()] == ["no-images"]


def nested(folder: Path) -> None:
    picture(folder / "images" / "train" / "deep" / "b.png")
    write(folder / "labels" / "train" / "deep" / "b.txt", "1 0.5 0.5 0.5 0.5")
    picture(folder / "images" / "train" / "a.png")
    write(folder / "labels" / "train" / "a.txt", "0 0.5 0.5 0.5 0.5")


@pytest.mark.parametrize(
    ("yaml_at", "text"),
    [
        ("data.yaml", "train: images/train"),
        ("data.yaml", "path: .\ntrain: images/train"),
        ("data.yaml", "path: images\ntrain: train"),
        ("data.yaml", "path: {folder}\ntrain: images/train"),
        ("data.yaml", "train: {folder}/images/train"),
        ("data.yaml", "path: /content/datasets/cats\ntrain: images/train"),
        ("data.yaml", "train: ../images/train"),  # as Roboflow writes it
        ("sub/data.yaml", "train: ../images/train"),
        ("sub/data.yaml", "path: ..\ntrain: images/train"),
        ("data.yaml", "train:\n- images/train/deep\n- images/train"),
        ("data.yaml", "train: list.txt"),
        ("data.yaml", "train: images/train\nval:\ntest: images/test"),
    ],
)
def test_images_are_where_the_yaml_says(tmp_path: Path, yaml_at: str, text: str) -> None:
    nested(tmp_path)
    write(tmp_path / "list.txt", "./images/train/deep/b.png\n\nimages/train/a.png\n")
    yaml = write(tmp_path / yaml_at, text.format(folder=tmp_path) + "\nnames: {0: cat, 1: dog}")
    rows, notes = read_part(yaml)
    assert [Path(row.cells["image"]).resolve() for row in rows] == [
        tmp_path / "images" / "train" / each for each in ("a.png", "deep/b.png")
    ]
    assert [box["category"] for row in rows for box in row.cells["boxes"]] == ["cat", "dog"] and places(notes) == []
    assert set(yolo_facts(yaml).parts) == {"train"}


def test_a_list_names_what_is_absent_and_shares_a_folder_without_orphans(tmp_path: Path) -> None:
    yaml = yolo(tmp_path, yaml="train: train.txt\nval: val.txt\nnames: [cat]")
    picture(tmp_path / "images" / "b.png")
    write(tmp_path / "labels" / "b.txt", "")
    write(tmp_path / "train.txt", "images/a.png\nimages/gone.png\n" + "x" * 5000 + "\n\0\n..\n")
    write(tmp_path / "val.txt", "images/b.png\n")
    rows, notes = read_part(yaml)
    assert [row.where for row in rows] == ["a.png"]
    assert {code for code, _ in places(notes)} == {"image-absent"} and len(places(notes)) == 4
    assert read_part(yaml, "val")[1].warnings() == ()


def test_labels_may_lie_beside_the_images(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "a.png")
    write(tmp_path / "train" / "a.txt", "0 0.5 0.5 0.5 0.5")
    write(tmp_path / "train" / "README.txt", "cats")
    rows, notes = read_part(write(tmp_path / "data.yaml", "train: train\nnames: [cat]"))
    assert len(boxes(rows)) == 1 and places(notes) == []


@pytest.mark.parametrize("entry", ["images/nowhere", "no/where", "data.yaml", "7", "{a: b}", '"\\u0000"'])
def test_a_folder_that_is_not_there_is_named_with_what_is(tmp_path: Path, entry: str) -> None:
    yaml = yolo(tmp_path, yaml=f"train: images\nval: {entry}\nnames: [cat]")
    with pytest.raises(DataError) as caught:
        read_part(yaml)
    assert caught.value.findings[0].code == "part-absent" and "val" in caught.value.what
    if entry == "no/where":
        assert str(tmp_path / "no/where") in caught.value.why and "data.yaml, images, labels" in caught.value.why


def test_a_test_part_that_is_not_there_is_only_told(tmp_path: Path) -> None:
    notes = Findings()
    facts = yolo_facts(yolo(tmp_path, yaml="train: images\ntest: ../test/images\nnames: [cat]"), notes)
    assert set(facts.parts) == {"train"} and places(notes) == [("part-absent", "data.yaml")]
    with pytest.raises(UsageError, match="test"):
        read_part(tmp_path / "data.yaml", "test")


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("[cat, 'dog']", {0: "cat", 1: "dog"}),
        ("\n- cat\n- dog", {0: "cat", 1: "dog"}),
        ("\n  0: cat\n  1: dog", {0: "cat", 1: "dog"}),
        ("{'1': dog, 0: cat}", {0: "cat", 1: "dog"}),
        ("{0: cat, 4: dog}", {0: "cat", 4: "dog"}),
        ("[7, 007, true, 1.50, yes]", {0: "7", 1: "007", 2: "true", 3: "1.50", 4: "yes"}),
        ("[]", None),
        ("cat", None),
        ("3", None),
        ("", None),
        ("[cat, null]", None),
        ("[cat, [dog]]", None),
        ("{cat: 0}", None),
        ("{-1: cat}", None),
        ("{true: cat}", None),
    ],
)
def test_names_of_classes(tmp_path: Path, names: str, classes: dict[int, str] | None) -> None:
    yaml = yolo(tmp_path, yaml=f"train: images\nnames: {names}")
    if classes is None:
        with pytest.raises(DataError) as caught:
            yolo_facts(yaml)
        assert caught.value.findings[0].code == "no-names"
    else:
        assert yolo_facts(yaml).names == classes


@pytest.mark.parametrize(("nc", "told"), [("2", False), ("3", True), ("two", True), ("", False)])
def test_a_count_that_is_not_that_of_the_names(tmp_path: Path, nc: str, told: bool) -> None:
    notes = Findings()
    yolo_facts(yolo(tmp_path, yaml=f"train: images\nnames: [cat, dog]\nnc: {nc}"), notes)
    assert places(notes) == ([("class-count-differs", "data.yaml")] if told else [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("train: images\nval: images", 1),
        ("train: images\nval: ./images/../images", 1),
        ("train: images\nval: link", 1),
        ("train: images\nval: images/val", 1),
        ("train: images/val\nval: images", 1),
        ("train: [images, images/val]\nval: images/val", 2),
        ("train: images\nval: other\ntest: images", 1),
        ("train: images\nval: other\ntest: other", 0),
    ],
)
def test_parts_that_share_images_are_told(tmp_path: Path, text: str, told: int) -> None:
    yaml = yolo(tmp_path, yaml=f"{text}\nnames: [cat]")
    (tmp_path / "images" / "val").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "images")
    notes = Findings()
    yolo_facts(yaml, notes)
    assert places(notes) == [("same-part", "data.yaml")] * told


def test_lists_in_one_folder_are_not_the_same_part(tmp_path: Path) -> None:
    yaml = yolo(tmp_path, yaml="train: images\nval: images/val.txt\nnames: [cat]")
    write(tmp_path / "images" / "val.txt", "")
    notes = Findings()
    yolo_facts(yaml, notes)
    assert places(notes) == []


def test_an_empty_line_of_classes_keeps_its_number(tmp_path: Path) -> None:
    yolo(tmp_path).unlink()
    write(tmp_path / "classes.txt", "cat\n\ndog\n")
    assert yolo_facts(tmp_path).names == {0: "cat", 2: "dog"}


def test_two_names_that_are_the_same_are_told(tmp_path: Path) -> None:
    notes = Findings()
    yolo_facts(yolo(tmp_path, yaml="train: images\nnames: [cat, dog, cat]"), notes)
    assert places(notes) == [("duplicate-category", "data.yaml")]


@pytest.mark.parametrize("classes_at", ["classes.txt", "labels/classes.txt", None])
def test_folders_without_a_yaml(tmp_path: Path, classes_at: str | None) -> None:
    nested(tmp_path)
    (tmp_path / "images" / "valid").mkdir()
    if classes_at:
        write(tmp_path / classes_at, "cat\r\ndog\r\n\r\n")
    folder = find_yolo(tmp_path)
    assert folder == tmp_path
    notes = Findings()
    facts = yolo_facts(folder, notes)
    assert facts.names == ({0: "cat", 1: "dog"} if classes_at else {0: "0", 1: "1"})
    assert facts.parts == {
        part: (tmp_path / "images" / folder,) for part, folder in {"train": "train", "val": "valid"}.items()
    }
    assert places(notes) == ([] if classes_at else [("no-names", tmp_path.name)])
    assert len(boxes(read_part(folder)[0])) == 2


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"data.yaml": "train: x\nnames: [a]"}, "data.yaml"),
        ({"data.yml": "train: x"}, "data.yml"),
        ({"Dataset.YAML": "names: [a]"}, "Dataset.YAML"),
        ({"a.yaml": "x: 1", "b.yaml": "path: .\nval: x\nnames:\n  0: a"}, "b.yaml"),
        ({"a.yaml": "val: x\nnames: [a]", "data.yaml": "train: x\nnames: [a]"}, "data.yaml"),
        ({"b.yaml": "names: [a]", "c.yaml": "train: x", "d.yaml": " names: [a]\n train: x"}, None),
        ({"data.yaml": "kind: other"}, None),
        ({"images/a.png": "", "labels/a.txt": ""}, "."),
        ({"images/train/a.png": "", "labels/train/a.txt": ""}, "."),
        ({"images/a.png": "", "labels/a.png": ""}, None),
        ({"labels/a.txt": ""}, None),
        ({"a.csv": "x"}, None),
        ({"data.yaml/names.txt": "train: x"}, None),
    ],
)
def test_a_yolo_data_set_is_found_in_a_folder(tmp_path: Path, files: dict[str, str], found: str | None) -> None:
    for name, content in files.items():
        write(tmp_path / name, content)
    assert find_yolo(tmp_path) == (None if found is None else tmp_path / found)


def test_what_is_no_folder_is_no_data_set(tmp_path: Path) -> None:
    assert find_yolo(tmp_path / "none") is None
    assert find_yolo(write(tmp_path / "a.yaml", "train: x\nnames: [a]")) is None
    with pytest.raises(UsageError, match="cannot be read"):
        yolo_facts(tmp_path / "none.yaml")


ULTRALYTICS = """# Ultralytics, AGPL-3.0
---
path: coco8 # dataset root dir
train: images/train  # 4 images
val: images/val
test: # test images (optional)

# Classes
names:
  0: person
  79: toothbrush # the last

# Download script
download: |
  from pathlib import Path

  def get(): # not a comment
      names: [broken
"""


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", {}),
        ("# nothing\n\n", {}),
        (ULTRALYTICS, {"path": "coco8", "train": "images/train", "val": "images/val", "test": None,
                       "names": {0: "person", 79: "toothbrush"},
                       "download": "from pathlib import Path\n\ndef get(): # not a comment\nnames: [broken\n"}),
        ("names: ['person', \"traffic light\",  # two\n        stop sign,\n]\nnc: 3",
         {"names": ["person", "traffic light", "stop sign"], "nc": 3}),
        ("roboflow:\n  url: https://x.y/z#1\n  license: Bob's 'own'\ntrain: ../train", {
            "roboflow": {"url": "https://x.y/z#1", "license": "Bob's 'own'"}, "train": "../train"}),
        ("names: {0: a, '1': 'it''s', \"x\\ty\": [1, {b: c}]}",
         {"names": {0: "a", "1": "it's", "x\ty": [1, {"b": "c"}]}}),
        ("a:\n- 1\n-\n  - x\n- b: 2\n  c: 3\n- - y\nd: -1.5", {"a": [1, ["x"], {"b": 2, "c": 3}, ["y"]], "d": -1.5}),
        ("{names: [a], train: x}", {"names": ["a"], "train": "x"}),
        ("a: ~\r\nb: False\r\nc: 'x # y'\r\n", {"a": None, "b": False, "c": "x # y"}),
    ],
)  # fmt: skip
def test_the_yaml_of_data_sets_is_read(text: str, content: dict[Any, Any]) -> None:
    assert read_yaml_subset(text) == content


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: &x 2", 2),
        ("a: *x", 1),
        ("a: !!str 2", 1),
        ("a: 1\n\n  b: 2", 3),
        ("a:\n    b: 1\n  c: 2", 3),
        ("  a: 1\nb: 2", 2),
        ("a: 1\na: 2", 2),
        ("a: 1\n\tb: 2", 2),
        ("a:\n\t- 2", 2),
        ("- a\n- b", 1),
        ("a: [1, 2", 1),
        ("a: [1, 2}\nb: 3", 1),
        ("a: {1, 2}", 1),
        ("a: [1] 2", 1),
        ("a: 'open", 1),
        ('a: "\\q"', 1),
        ("a: b: c", 1),
        ("just words", 1),
        ("a: one\n  more", 2),
        ("a: 1\n---\nb: 2", 2),
        ("a: " + "[" * 1000 + "]" * 1000, 1),
        ("".join(" " * depth + "a:\n" for depth in range(200)), 22),
    ],
)
def test_other_yaml_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_yaml_subset(text)
    assert caught.value.where == f"line {line}"
    with pytest.raises(DataError, match=r"data\.yaml cannot be read"):
        yolo_facts(yolo(tmp_path, yaml=text))


# --- anything at all ---------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([1, 5, "1", "a.png", "\ud800"])
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["id", "bbox", "item", "x"]), inner),
    max_leaves=6,
)  # fmt: skip


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return [path, *(spot for key, each in inner for spot in spots(each, (*path, key)))]


VALID = json.loads(json.dumps({
    "info": {"year": 2017},
    "images": [image(), image(2, "b.png", 64, 48)],
    "annotations": [annotation(), annotation(6, (20, 15, 30, 20), 2, 7, segmentation=[[1, 2]])],
    "categories": CATEGORIES,
}))  # fmt: skip


def check_rows(rows: Sequence[Row], notes: Findings) -> None:
    """Whatever was read: boxes have an area within their image, and all that is said can be printed."""
    for row in rows:
        for box in row.cells["boxes"]:
            x, y, width, height = box["bbox"]
            assert x >= 0 and y >= 0 and width > 0 and height > 0 and box["category"]
            assert x + width <= row.cells["width"] * 1.000001 and y + height <= row.cells["height"] * 1.000001
    for finding in notes.errors() + notes.warnings():
        assert f"{finding.code} {finding.message} {finding.where} {finding.fix}".encode()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: Any) -> Path:
    """A folder with two pictures that many examples share."""
    folder = tmp_path_factory.mktemp("workshop")
    picture(folder / "images" / "a.png")
    picture(folder / "a.png")
    picture(folder / "b.png")
    return Path(folder)


@settings(deadline=None, max_examples=400)
@given(changes=st.lists(st.tuples(st.sampled_from(spots(VALID)), VALUES | st.just(...)), min_size=1, max_size=3))
def test_any_value_anywhere_in_a_coco_file(workshop: Path, changes: Any) -> None:
    content = json.loads(json.dumps(VALID))
    for spot, value in changes:
        if not spot:
            content = value
            continue
        try:
            holder = content
            for key in spot[:-1]:
                holder = holder[key]
            if value is ...:
                del holder[spot[-1]]
            else:
                holder[spot[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    text = json.dumps(None if content is ... else content)
    looks_like_coco(text)
    try:
        rows, notes = read(write(workshop / "coco.json", text))
    except DataError as error:
        assert "NaN" in text or "Infinity" in text or "is not valid JSON" in error.what
        return
    check_rows(rows, notes)


@settings(deadline=None, max_examples=200)
@given(content=st.binary(max_size=60) | st.text('{}[]",:\\ imagesnotb1e-.', max_size=60))
def test_any_bytes_as_a_coco_file(workshop: Path, content: str | bytes) -> None:
    path = write(workshop / "coco.json", content)
    looks_like_coco(path.read_text(errors="replace"))
    try:
        check_rows(*read(path))
    except DataError as error:
        assert error.findings


NUMBERS = st.sampled_from(["0", "1", "0.5", "0.25", "1.2", "-3", "64", "cat", "1e-9", "nan", "0,5", "1e400", "0.0.1"])
LINES = st.lists(NUMBERS, max_size=9).map(" ".join) | st.lists(st.floats(-1, 2).map(str), min_size=5, max_size=5).map(
    lambda numbers: " ".join(["0", *numbers[1:]])
)


@settings(deadline=None, max_examples=400)
@given(lines=st.lists(LINES | st.text(max_size=12), max_size=6) | st.binary(max_size=40))
def test_any_lines_as_labels(workshop: Path, lines: list[str] | bytes) -> None:
    yaml = write(workshop / "data.yaml", "train: images\nnames: [cat, dog]")
    content = lines if isinstance(lines, bytes) else "\n".join(lines).encode("utf-8", errors="replace")
    write(workshop / "labels" / "a.txt", content)
    rows, notes = read_part(yaml)
    assert len(rows) == 1
    check_rows(rows, notes)
    if not isinstance(lines, bytes):
        said = sum(count for code, count in notes.counts.items() if code not in ("box-clipped", "box-from-polygon"))
        filled = sum(
            bool(line.strip()) for line in "\n".join(lines).removeprefix("\ufeff").replace("\r", "\n").split("\n")
        )
        assert len(rows[0].cells["boxes"]) + said == filled


YAML = st.lists(
    st.sampled_from(["names", "train", "path", "nc", "images", ": ", ":", "\n", "\n  ", "- ", "[", "]", "{", "}", ", ",
                     "'", '"', "#", " ", "0", "cat", "null", "|", "&", "\t", "\\", "../", "\0"]), max_size=20
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=500)
@given(text=YAML | st.text(max_size=30), keep=st.booleans())
def test_any_yaml(workshop: Path, text: str, keep: bool) -> None:
    text = f"train: images\nnames: [cat]\n{text}" if keep else text
    yaml = write(workshop / "any" / "data.yaml", text)
    picture(workshop / "any" / "images" / "a.png")
    find_yolo(yaml.parent)
    try:
        read_yaml_subset(text)
    except DataError as error:
        assert error.where and error.where.startswith("line ")
    try:
        notes = Findings()
        facts = yolo_facts(yaml, notes)
        for part in facts.parts:
            check_rows(*read_part(yaml, part))
    except DataError as error:
        assert error.findings and error.what


# No bare word with a quote behind a space or a sign: only a whole yaml parser tells it from a quoted word.
WORDS = st.text("abcXYZ 019.-_/'\"#:é,[]{}!&*|>%@`?~\\", max_size=8).filter(
    lambda word: not re.search(r"""[\s\[{,:]['"]""", word)
)
PLAIN = st.recursive(
    WORDS | st.integers(-999, 999) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.integers(0, 99), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(content=st.dictionaries(WORDS, PLAIN, max_size=4), flow=st.sampled_from([True, False, None]), indent=st.just(2))
def test_what_a_yaml_library_writes_is_read_back(content: dict[str, Any], flow: bool | None, indent: int) -> None:
    yaml: Any = pytest.importorskip("yaml")
    text = yaml.safe_dump(content, default_flow_style=flow, indent=indent, width=10**9, allow_unicode=True)
    if "? " not in text:  # a key that no line can hold
        assert read_yaml_subset(text) == content


# --- the shared sets ---------------------------------------------------------------------------------------------


def test_the_nasty_coco_set(shared_data: Path) -> None:
    rows, notes = read(shared_data / "nasty" / "detection" / "coco" / "annotations.json")
    assert [(row.where, len(row.cells["boxes"])) for row in rows] == [
        (f"BloodImage_{number}.jpg", count)
        for number, count in (("00004", 7), ("00020", 23), ("00031", 4), ("00043", 0), ("00054", 0))
    ]
    assert sorted(places(notes)) == [
        ("box-clipped", "annotation 1"),
        ("box-clipped", "annotation 2"),
        ("box-corners", "annotation 10"),
        ("box-duplicate", "annotation 90001"),
        ("box-empty", "annotation 3"),
        ("box-empty", "annotation 4"),
        ("box-malformed", "annotation 11"),
        ("box-malformed", "annotation 9"),
        ("duplicate-annotation-id", "annotation 8"),
        ("image-absent", "BloodImage_00063.jpg"),
        ("image-absent", "no_such_file.jpg"),
        ("size-differs", "BloodImage_00020.jpg"),
        ("unknown-category", "annotation 5"),
        ("unknown-image", "annotation 6"),
        ("unused-category", "category 17"),
    ]
    assert notes.errors() == ()
    written = boxes(rows)
    assert written["annotation 84"] == [209.5, 94.5, 29.5, 23.5]  # drawn on the file, whatever size is listed


def test_the_nasty_yolo_set(shared_data: Path) -> None:
    yaml = find_yolo(shared_data / "nasty" / "detection" / "yolo")
    assert yaml is not None
    notes = Findings()
    assert list(yolo_facts(yaml, notes).names.values()) == ["RBC", "WBC", "Platelets"]
    rows = list(read_yolo(yaml, "train", notes))
    assert [len(row.cells["boxes"]) for row in rows] == [10, 22, 0, 15, 0]
    assert sorted(places(notes)) == [
        ("box-malformed", "BloodImage_00004.txt line 3"),
        ("box-malformed", "BloodImage_00020.txt line 1"),
        ("box-malformed", "BloodImage_00043.txt line 1"),
        ("box-outside", "BloodImage_00004.txt line 2"),
        ("class-count-differs", "data.yaml"),
        ("no-label-file", "BloodImage_00054.jpg"),
        ("orphan-label", "orphan_label.txt"),
        ("same-part", "data.yaml"),
        ("unknown-class", "BloodImage_00004.txt line 1"),
    ]
    assert notes.errors() == ()


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_the_clean_set_reads_the_same_in_both_formats(shared_data: Path, kind: str) -> None:
    folder, notes = shared_data / "object_detection" / "bccd", Findings()
    yaml = find_yolo(folder)
    assert yaml is not None
    readers: dict[str, Callable[[str], Any]] = {
        "coco": lambda part: read_coco(folder / "annotations" / f"instances_{part}.json", "utf-8", notes),
        "yolo": lambda part: read_yolo(yaml, part, notes),
    }
    parts = {part: list(readers[kind](part)) for part in ("train", "val")}
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 144, "val": 36}
    assert sum(len(row.cells["boxes"]) for rows in parts.values() for row in rows) == 2_354
    where = "annotation 1885" if kind == "coco" else "BloodImage_00338.txt line 13"
    assert places(notes) == [("box-empty", where)]
    first = min(parts["val"], key=lambda row: row.where)
    assert [box["category"] for box in first.cells["boxes"]][:2] == ["WBC", "RBC"]
    assert first.cells["boxes"][0]["bbox"] == pytest.approx([54.5, 67, 107.5, 93.5], abs=0.01)
