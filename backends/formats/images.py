"""What is in an image file, found by decoding it, and the picture as the model will see it."""

from __future__ import annotations

import functools
import math
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from backends.contract import DataError
from backends.formats.findings import Fault
from backends.formats.media_files import AGAIN, open_media

if TYPE_CHECKING:
    from PIL.Image import Image

# Where Pillow refuses; a few bytes can declare any number of pixels, and each takes four bytes of memory.
MOST_PIXELS = 178_956_970

# How a picture is stored with orientation 2 to 8 of the EXIF standard, and what is done about it.
_TURNED, _MIRRORED = ("turned", "turned upright"), ("mirrored", "mirrored back")
_BOTH = ("turned and mirrored", "turned and mirrored back")
_ORIENTATIONS = (_MIRRORED, _TURNED, _MIRRORED, _BOTH, _TURNED, _BOTH, _TURNED)

_CONVERT = "Save the picture again as PNG or JPEG, or remove it."


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image file; the size is that of the upright picture, mode and kind are the file's own."""

    width: int | None
    height: int | None
    mode: str | None
    kind: str | None
    frames: int
    faults: tuple[Fault, ...]

    @property
    def usable(self) -> bool:
        """Whether a model can be given this picture."""
        return not any(fault.fatal for fault in self.faults)


def inspect_image(path: Path) -> ImageFacts:
    """Decode an image to find what is wrong with it, since many faults only show there; no file makes it raise."""
    return _examine(path)[0]


def load_rgb(path: Path) -> Image:
    """The picture as 8-bit RGB: the first frame, upright, on white where it was transparent.

    Raises DataError where `inspect_image` finds a fatal fault. `info` is empty, so that nobody turns the picture a
    second time.
    """
    facts, picture = _examine(path)
    if picture is None:
        fault = next(fault for fault in facts.faults if fault.fatal)
        raise DataError(f"{path.name} cannot be used as an image", fault.message, fault.fix, str(path))
    return picture


def _examine(path: Path) -> tuple[ImageFacts, Image | None]:
    """The facts, and the picture unless a fault is fatal: one way for both, so that they cannot disagree."""
    opened = open_media(path, "image")
    if isinstance(opened, Fault):
        return ImageFacts(None, None, None, None, 0, (opened,)), None
    width, height, mode, kind, head = None, None, None, None, b""
    with opened as stream:
        try:
            head = stream.read(64)
            kind = _kind(head)
            if kind is None:
                message = "is no JPEG, PNG, GIF, BMP, WebP, TIFF, PPM, AVIF or JPEG 2000 file, whatever its name says"
                return ImageFacts(None, None, None, None, 0, (Fault("not-an-image", message, _CONVERT),)), None
            width, height = _declared_size(kind, head)
            if (fault := _size_fault(width, height)) is None:
                image = _open(stream, kind)
                width, height, mode = image.width, image.height, image.mode
                if (fault := _size_fault(width, height)) is None:
                    picture, faults = _decode(image)
                    if (frames := _count_frames(stream, kind)) > 1:
                        faults.append(_note("image-frames", f"holds {frames:,} frames or pages; the first is used"))
                    return ImageFacts(picture.width, picture.height, mode, kind, frames, tuple(faults)), picture
        # Pillow lets through whatever its decoders meet: struct.error, KeyError, zlib.error, MemoryError and more.
        except Exception as error:
            fault = _decoding_fault(error, kind or "file", head, stream)
    return ImageFacts(width, height, mode, kind, 0, (fault,)), None


def _kind(head: bytes) -> str | None:
    """Pillow's name for what a file begins like; no other kind is tried, as some run programs (EPS) or guess (TGA)."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and (b"avif" in head[8:] or b"avis" in head[8:]):
        return "AVIF"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "BMP"
    if re.match(rb"P[1-6]\s+[#\d]", head):
        return "PPM"
    beginnings = {
        "PNG": (b"\x89PNG\r\n\x1a\n",),
        "JPEG": (b"\xff\xd8\xff",),
        "GIF": (b"GIF87a", b"GIF89a"),
        "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        "JPEG2000": (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n"),
    }
    return next((kind for kind, known in beginnings.items() if head.startswith(known)), None)


def _declared_size(kind: str, head: bytes) -> tuple[int | None, int | None]:
    """Width and height where they stand in the first bytes: Pillow does not tell the sizes that it refuses."""
    if kind == "PNG" and head[12:16] == b"IHDR" and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if kind == "GIF" and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if kind == "BMP" and len(head) >= 26 and head[14] >= 40:
        return int.from_bytes(head[18:22], "little"), abs(int.from_bytes(head[22:26], "little", signed=True))
    if kind == "WEBP" and len(head) >= 30 and head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    return None, None


def _size_fault(width: int | None, height: int | None) -> Fault | None:
    if width is None or height is None:
        return None
    if not width or not height:
        return Fault("image-zero-size", f"says it is {width:,} × {height:,} pixels: there is no picture in it", AGAIN)
    return _huge(f"{width:,} × {height:,}") if width * height > MOST_PIXELS else None


def _huge(size: str) -> Fault:
    message = f"says it is {size} pixels; at most {MOST_PIXELS:,} are decoded"
    return Fault("image-huge", message, "Save it smaller, or remove it if it should not be so large.")


def _note(code: str, message: str) -> Fault:
    return Fault(code, message, "Nothing to do; change the file if you want it otherwise.", fatal=False)


@functools.cache
def _silence_pillow() -> None:
    """Keep Pillow's log and libtiff from writing over the app's screen; what they say comes as an exception too."""
    import ctypes
    import logging

    from PIL import _imaging

    logging.getLogger("PIL").addHandler(logging.NullHandler())
    try:
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
    except (AttributeError, OSError):  # another build of Pillow, which has it elsewhere or not at all
        return


def _open(stream: BinaryIO, kind: str) -> Image:
    from PIL import Image

    # What Pillow warns of is told as faults. A filter for its modules alone, set anew in case someone took it away:
    # warnings.catch_warnings would mix up threads that inspect at the same time.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    _silence_pillow()
    stream.seek(0)
    return Image.open(stream, formats=(kind,))


def _count_frames(stream: BinaryIO, kind: str) -> int:
    """Counted on a second reading, since faults in later frames must not spoil the first."""
    try:
        return max(1, getattr(_open(stream, kind), "n_frames", 1))
    except Exception:  # as in _examine
        return 1


def _decoding_fault(error: Exception, kind: str, head: bytes, stream: BinaryIO) -> Fault:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, Image.DecompressionBombError):
        found = re.search(r"\d+", str(error))
        return _huge(f"{int(found[0]):,}" if found else "too many")
    order: Literal["little", "big"] = "big" if head[:2] == b"MM" else "little"
    needed = {"WEBP": int.from_bytes(head[4:8], "little") + 8, "TIFF": int.from_bytes(head[4:8], order)}
    ends_early = os.fstat(stream.fileno()).st_size < needed.get(kind, 0) or isinstance(error, EOFError)
    if ends_early or re.search(r"truncated|only got|not enough", str(error), re.IGNORECASE):
        return Fault("image-truncated", f"is cut: this {kind} ends before its picture does", AGAIN)
    reason = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        reason = "what follows its first bytes makes no sense"
    return Fault("image-broken", f"begins as a {kind} but cannot be decoded: {reason}", AGAIN)


def _decode(image: Image) -> tuple[Image, list[Fault]]:
    """The picture as RGB, and what was done to it; raises whatever Pillow's decoders raise."""
    from PIL.Image import Transpose

    faults = []
    deep = image.mode == "F" or image.mode.startswith("I") or _has_16_bits(image)
    # Pillow turns a TIFF itself while it loads, and forgets that it was turned; of a PNG it finds out by loading.
    stored = _orientation(image) if image.format == "TIFF" else 1
    image.load()
    left = _orientation(image)
    if (orientation := max(stored, left)) > 1:
        how, repair = _ORIENTATIONS[orientation - 2]
        message = f"is stored {how} (EXIF orientation {orientation}); it is {repair}"
        faults.append(_note("image-rotated", message))
    if image.mode == "CMYK":
        faults.append(_note("image-cmyk", "has the colours of printing (CMYK); they are converted to RGB"))
    if deep:
        faults.append(_note("image-16-bit", "has more than 8 bits a channel; they are scaled to 8"))
    if image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I"):
        faults.append(_note("image-grey", "is grey; its one channel is used for red, green and blue"))
    picture, transparent = _as_rgb(image, deep)
    if transparent:
        faults.append(_note("image-alpha", "is transparent in places; they become white"))
    picture.info.clear()
    # Orientation 2 to 8 of the EXIF standard as numbers of PIL.Image.Transpose.
    return (picture.transpose(Transpose((0, 3, 1, 5, 4, 6, 2)[left - 2])) if left > 1 else picture), faults


def _has_16_bits(image: Image) -> bool:
    """Whether the file has 16 bits a channel where Pillow gives 8; this shows only before the pixels are loaded."""
    for tile in getattr(image, "tile", ()):
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        for each in arguments:
            if (isinstance(each, str) and ";16" in each) or (image.format == "PPM" and each == 65535):
                return True
    return False


def _orientation(image: Image) -> int:
    try:
        value = image.getexif().get(0x0112)
    except Exception:  # broken EXIF is no reason to lose a good picture
        return 1
    return value if isinstance(value, int) and 2 <= value <= 8 else 1


def _as_rgb(image: Image, deep: bool) -> tuple[Image, bool]:
    """An RGB copy on white, and whether any pixel was less than opaque."""
    from PIL import Image as images
    from PIL import ImageMath

    hidden, opaque = image.info.get("transparency"), None
    if image.mode == "F" or image.mode.startswith("I"):
        if isinstance(hidden, int):
            seen = ImageMath.lambda_eval(lambda given: (given["grey"] != hidden) * 255, grey=image.convert("I"))
            opaque = seen.convert("L")
        colours = _scaled(image)
    elif image.has_transparency_data:
        if deep and isinstance(hidden, tuple):  # the pixels have lost their lower byte already
            image.info["transparency"] = tuple(value >> 8 for value in hidden)
        colours = image.convert("RGBA")
        opaque = colours.getchannel("A")
    else:
        return image.convert("RGB"), False
    if opaque is None or opaque.getextrema()[0] == 255:
        return colours.convert("RGB"), False
    picture = images.new("RGB", image.size, "white")
    picture.paste(colours.convert("RGB"), mask=opaque)
    return picture, True


def _scaled(image: Image) -> Image:
    """One channel of more than 8 bits as 8, by the range of its type, or by its own where the type tells nothing."""
    values = image if image.mode == "F" else image.convert("I")
    extrema: Any = values.getextrema()
    low, high = float(extrema[0]), float(extrema[1])
    if not math.isfinite(high - low):
        raise ValueError("some of its values are not finite numbers")
    if image.mode.startswith("I;16") or image.format in ("PPM", "PNG"):
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 65535:
        low, high = 0.0, 1.0 if image.mode == "F" and high <= 1 else 255.0 if high <= 255 else 65535.0
    factor = 255 / (high - low) if high > low else 0.0
    return values.point(lambda value: value * factor + (0.5 - low * factor)).convert("L")
