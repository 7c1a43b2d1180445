"""Checks and repairs the boxes around objects, the same way for every format that has them."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backends.formats.findings import Findings
from backends.formats.rows import Row

# Tools round corners to whole or half pixels; what is over the edge by no more is not worth a word.
_ROUNDING = 0.5
# A large object is easily drawn a little over the right and the lower edge; corners reach much further.
_FAR_OVER = 1.05
_CORNERS_FIX = "If it is x1,y1,x2,y2, write it as x,y,width,height: x1, y1, x2-x1, y2-y1."
# A box is odd for its size only where its class has a size: that many others, none of them near it.
_ENOUGH_OTHERS, _ODD_TIMES = 10, 4.0
_TRIED = 50
_CHANCE = 0.05
_TURNED_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True)
class Box:
    """A box as it was written, in pixels of its image; `id` is where a person finds it."""

    id: str
    category: str
    x: float
    y: float
    width: float
    height: float

    @property
    def numbers(self) -> str:
        """The box as a person would write it."""
        return ", ".join(f"{number:.7g}" for number in (self.x, self.y, self.width, self.height))


def image_row(number: int, where: str, path: Path, size: tuple[int, int], boxes: list[dict[str, Any]]) -> Row:
    """The row of one image, in the shape that every format with boxes gives."""
    cells = {"image": str(path.absolute()), "width": size[0], "height": size[1], "boxes": boxes}
    return Row(number, where, cells)


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height as the image is shown, after a camera's rotation; None for what is no image.

    Only the header is read, so a file that is cut off later is not noticed here.
    """
    import warnings

    from PIL import Image

    # It goes to stderr, in the middle of the screen; an image too large to be read at all raises instead.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    try:
        with Image.open(path) as image:
            width, height = image.size
            sideways = image.format in ("JPEG", "MPO") and _turn(image) in _TURNED_SIDEWAYS
    except Exception:  # a damaged file can raise anything
        return None
    if width < 1 or height < 1:
        return None
    return (height, width) if sideways else (width, height)


def _turn(image: Any) -> Any:
    try:
        return image.getexif().get(0x0112)
    except Exception:  # the picture may be whole where its EXIF block is not
        return None


@dataclass(frozen=True)
class ImagePlace:
    """Where the images of an annotation file lie; `bare` ones without the folders that their names say."""

    folder: Path
    bare: bool = False
    remark: str = ""

    def path_of(self, name: str) -> Path:
        """The path of an image as the annotation file names it, also where that was written on Windows."""
        name = name.replace("\\", "/")
        return self.folder / (name.rsplit("/", 1)[-1] if self.bare else name)


def find_images(annotations: Path, names: Sequence[str]) -> ImagePlace | None:
    """The folder near an annotation file that holds most of the images it lists, by a few of them; None for none."""
    few = names[:: max(1, len(names) // _TRIED)][:_TRIED]
    here, stem = annotations.parent, annotations.stem
    words = [word for word in re.split(r"[\W_]+", stem) if word]  # instances_train2017: the part is in the name
    likely = [Path(), Path("images"), Path(stem), *(Path("images", word) for word in words), *map(Path, words)]
    usual = [here / each for each in likely] + [here.parent / each for each in likely]
    rarer = [top / each for top in (here, here.parent) for each in ("data", "img", "imgs", "image", "JPEGImages")]
    best, found = None, 0
    for bare in (False, True):
        for folder in dict.fromkeys(usual + rarer):
            place = ImagePlace(folder, bare)
            count = sum(os.path.isfile(place.path_of(name)) for name in few)
            if count > found:
                remark = "an unusual place" if folder in rarer and folder not in usual else ""
                remark = "there they are without the folders that the file names" if bare else remark
                best, found = ImagePlace(folder, bare, remark), count
        if best is not None:
            return best
    return None


def scaled(box: Box, across: float, down: float) -> Box:
    """A box in the pixels of an image of another size."""
    return replace(box, x=box.x * across, y=box.y * down, width=box.width * across, height=box.height * down)


def drawn_on_file(boxes: Sequence[Box], listed: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether boxes are in the pixels of the file and not of the size that is listed for it, by where they lie.

    The rule is that the listed size counts. It is overruled when boxes pass its edges and not those of a larger file,
    and when nearly all lie in a smaller file, which would be chance if they were spread over the listed size.
    """
    few = len(boxes) // 10

    def over(width: float, height: float) -> int:
        return sum(box.x + box.width > width + 1 or box.y + box.height > height + 1 for box in boxes)

    share = size[0] * size[1] / (listed[0] * listed[1])
    if share > 1:
        return over(*listed) > few
    return over(*size) <= few and share ** (len(boxes) - few) < _CHANCE


def four_numbers(value: Any) -> tuple[float, float, float, float] | str:
    """The numbers of a box; a string says what is wrong with them instead."""
    if not isinstance(value, list | tuple):
        return "is not a list of four numbers"
    if len(value) != 4:
        return f"has {len(value)} number{'' if len(value) == 1 else 's'} instead of 4"
    for each in value:
        if isinstance(each, bool) or not isinstance(each, int | float):
            return f"holds {json.dumps(each, ensure_ascii=False, default=str)[:40]}, which is no number"
        if not math.isfinite(each):
            return f"holds {each}, which is no number"
    x, y, width, height = (float(each) for each in value)
    return x, y, width, height


def looks_like_corners(box: Box, width: float, height: float) -> bool:
    """Whether a box leaves its image far at the right and below, yet would lie in it if it were x1,y1,x2,y2."""
    over = box.x + box.width > _FAR_OVER * width and box.y + box.height > _FAR_OVER * height
    return over and _fits_as_corners(box, width, height)


def _fits_as_corners(box: Box, width: float, height: float) -> bool:
    return 0 <= box.x < box.width <= width + _ROUNDING and 0 <= box.y < box.height <= height + _ROUNDING


def repair_boxes(
    boxes: Iterable[Box],
    image: str,
    size: tuple[int, int],
    notes: Findings,
    corners: bool = True,
    clipped: bool = True,
) -> list[dict[str, Any]]:
    """The usable boxes of an image, clipped to it, as a row holds them; what was done is noted.

    `corners` says whether x1,y1,x2,y2 could have been written instead, `clipped` whether clipping is worth a word.
    """
    width, height = size
    kept: list[dict[str, Any]] = []
    seen: set[tuple[str, float, float, float, float]] = set()
    for box in boxes:
        named = f"{box.id} of {image}"
        if box.width <= 0 or box.height <= 0:
            message = f"{named} has no area: its size is {box.width:g} × {box.height:g}"
            notes.warn("box-empty", message, box.id, "It is left out; draw it again.")
            continue
        left, top = max(box.x, 0.0), max(box.y, 0.0)
        right, bottom = min(box.x + box.width, float(width)), min(box.y + box.height, float(height))
        if not (right > left and bottom > top):  # also where the numbers are beyond all bounds
            message = f"{named} lies outside the image of {width} × {height}: {box.numbers}"
            notes.warn("box-outside", message, box.id, "It is left out; correct it to use it.")
            continue
        place = (box.category, box.x, box.y, box.width, box.height)
        if place in seen:
            message = f"{named} repeats another box of {box.category}: {box.numbers}"
            notes.warn("box-duplicate", message, box.id, "It is left out; one is enough.")
            continue
        seen.add(place)
        over = max(-box.x, -box.y, box.x + box.width - width, box.y + box.height - height)
        if corners and looks_like_corners(box, width, height):
            message = f"{named} looks like x1,y1,x2,y2, not x,y,width,height: {box.numbers}; it was clipped"
            notes.warn("box-corners", message, box.id, _CORNERS_FIX)
        elif clipped and over > _ROUNDING:
            message = f"{named} reaches over the edge of the image of {width} × {height}: {box.numbers}"
            notes.warn("box-clipped", message, box.id, "It is clipped at the edge.")
        kept.append({"id": box.id, "category": box.category, "bbox": [left, top, right - left, bottom - top]})
    return kept


@dataclass
class _Sizes:
    """The areas of the boxes of one class: how many, the smallest, the two largest, and which box the largest is."""

    count: int = 0
    smallest: float = math.inf
    second: float = 0.0
    largest: float = 0.0
    box: Box | None = None
    image: str = ""
    fits: bool = False


@dataclass
class CornerSearch:
    """Looks over all boxes of a file for x1,y1,x2,y2 where x,y,width,height is meant, before any is used."""

    boxes: int = 0
    over: int = 0
    fitting: int = 0
    classes: dict[str, _Sizes] = field(default_factory=dict)

    def add(self, box: Box, image: str, size: tuple[float, float]) -> None:
        """Count a box."""
        if box.width <= 0 or box.height <= 0:
            return
        fits = _fits_as_corners(box, *size)
        self.boxes += 1
        self.fitting += fits
        self.over += looks_like_corners(box, *size)
        sizes = self.classes.setdefault(box.category, _Sizes())
        area = box.width * box.height
        sizes.count += 1
        sizes.smallest = min(sizes.smallest, area)
        if area > sizes.largest:
            sizes.second, sizes.largest = sizes.largest, area
            sizes.box, sizes.image, sizes.fits = box, image, fits
        else:
            sizes.second = max(sizes.second, area)

    @property
    def everywhere(self) -> bool:
        """Whether the file as a whole is written in corners.

        Corners near the left or the top do not reach over the edge when they are taken for sizes, so it is enough that
        many boxes do and nearly all could be corners; true sizes exceed their own x and y only near that corner.
        """
        most = 2 * self.over > self.boxes
        return self.over >= 2 and (most or (10 * self.over >= self.boxes and 10 * self.fitting >= 9 * self.boxes))

    def report(self, name: str, notes: Findings) -> bool:
        """Say what was found; whether the whole file is in corners, so that its boxes need no word one by one."""
        if self.everywhere:
            message = (
                f"the boxes of {name} look like x1,y1,x2,y2, not x,y,width,height: {self.over:,} of {self.boxes:,} "
                f"leave their image that way, and {self.fitting:,} would lie in it as corners"
            )
            notes.error("box-corners-everywhere", message, name, "Write all as x1, y1, x2-x1, y2-y1 and check again.")
            return True
        for sizes in self.classes.values():
            _report_odd_size(sizes, notes)
        return False


def _report_odd_size(sizes: _Sizes, notes: Findings) -> None:
    """Name a box of a class of even sizes that is many times larger than all others and usual as corners."""
    box = sizes.box
    if box is None or not sizes.fits or sizes.count <= _ENOUGH_OTHERS or not sizes.second > 0:
        return
    if sizes.largest <= _ODD_TIMES * sizes.second:
        return
    as_corners = (box.width - box.x) * (box.height - box.y)
    if sizes.smallest / 2 <= as_corners <= 2 * sizes.second:
        message = (
            f"{box.id} of {sizes.image} may be x1,y1,x2,y2, not x,y,width,height: {box.numbers} has "
            f"{sizes.largest / sizes.second:.0f} times the area of every other {box.category}; it is used as written"
        )
        notes.warn("box-corners", message, box.id, _CORNERS_FIX)


def report_same_names(names: Mapping[Any, str], where: str, notes: Findings) -> None:
    """Say which classes have one name under two numbers, because a name is all that a model knows of a class."""
    first: dict[str, Any] = {}
    for number, name in names.items():
        if name in first:
            message = f"classes {first[name]} and {number} are both called {name!r}; they count as one"
            notes.warn("duplicate-category", message, where, "Give each class a name of its own.")
        first.setdefault(name, number)
