"""Pictures, sounds and videos: what is said of broken ones, and that whole ones are read as they are."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import wave
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from backends.contract import DataError
from backends.formats.images import MOST_PIXELS, ImageFacts, inspect_image, load_rgb
from backends.formats.media_endings import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS
from backends.formats.movies import VideoFacts, inspect_video
from backends.formats.sound import AudioFacts, inspect_audio

Facts = ImageFacts | AudioFacts | VideoFacts
INSPECTORS: dict[str, Callable[[Path], Facts]] = {
    "image": inspect_image, "audio": inspect_audio, "video": inspect_video,
}  # fmt: skip


def codes(facts: Facts) -> list[str]:
    return [fault.code for fault in facts.faults]


def fatal(facts: Facts) -> list[str]:
    return [fault.code for fault in facts.faults if fault.fatal]


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., Path]:
    """Write bytes to a file and say where."""

    def write(content: bytes, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


# --- what is no file, for all three ----------------------------------------------------------------------------


@pytest.mark.parametrize("word", INSPECTORS)
def test_what_is_no_file(word: str, tmp_path: Path, keep: Callable[..., Path]) -> None:
    inspect = INSPECTORS[word]
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    places = {
        tmp_path / "none.jpg": "missing",
        keep(b"x", "plain") / "inside.jpg": "missing",
        tmp_path / "nul\0.jpg": "missing",
        tmp_path / ("long" * 100): "unreadable",
        tmp_path: "unreadable",
        tmp_path / "pipe": "unreadable",
        tmp_path / "loop": "unreadable",
        Path("/dev/zero"): "unreadable",
        keep(b"", "empty.jpg"): "empty",
    }
    for path, ending in places.items():
        facts = inspect(path)
        assert codes(facts) == [f"{word}-{ending}"], path
        assert not facts.usable
        assert facts.faults[0].message and facts.faults[0].fix


@pytest.mark.parametrize("word", INSPECTORS)
def test_a_file_that_may_not_be_read(word: str, keep: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    path = keep(b"x")
    monkeypatch.setattr(os, "open", refuse)
    facts = INSPECTORS[word](path)
    monkeypatch.undo()
    assert codes(facts) == [f"{word}-unreadable"]
    assert "permission denied" in facts.faults[0].message


@pytest.mark.parametrize(("word", "code"), [("image", "not-an-image"), ("audio", "not-audio"), ("video", "not-video")])
@pytest.mark.parametrize(
    "content",
    [
        b"just a text\n" * 40,
        b"x",
        b"\0" * 5000,
        b"The free encyclopedia of " * 9,
        b"BMW, P5 and MM are words",
        b"%PDF-1.7\n",
    ],
)
def test_other_content(word: str, code: str, content: bytes, keep: Callable[..., Path]) -> None:
    assert fatal(INSPECTORS[word](keep(content, f"x.{word}"))) == [code]


def test_endings_are_lower_case_with_a_dot_and_in_one_list_only() -> None:
    endings = IMAGE_ENDINGS + AUDIO_ENDINGS + VIDEO_ENDINGS
    assert len(set(endings)) == len(endings)
    assert all(ending.startswith(".") and ending == ending.lower() for ending in endings)
    assert {".jpg", ".png", ".wav", ".flac", ".mp3", ".mp4", ".avi", ".webm"} <= set(endings)


# --- images ----------------------------------------------------------------------------------------------------

NASTY_IMAGES: dict[str, tuple[list[str], tuple[int, int] | None]] = {
    "broken.png": (["image-broken"], None),
    "broken_data_stream.png": (["image-broken"], None),
    "chi.gif": (["image-frames"], (320, 240)),
    "decompression_bomb.gif": (["image-huge"], None),
    "hopper_16bit.pgm": (["image-16-bit", "image-grey"], (128, 128)),
    "hopper_gray.jpg": (["image-grey"], (128, 128)),
    "hopper_orientation_2.webp": (["image-rotated"], (128, 128)),
    "hopper_orientation_6.jpg": (["image-rotated"], (128, 128)),
    "i_trns.png": (["image-16-bit", "image-grey", "image-alpha"], (64, 64)),
    "invalid-exif.jpg": ([], (200, 200)),
    "junk_jpeg_header.jpg": ([], (1024, 768)),
    "multipage.tiff": (["image-frames"], (10, 10)),
    "pil123rgba.png": (["image-alpha"], (162, 150)),
    "pil_sample_cmyk.jpg": (["image-cmyk"], (100, 100)),
    "png_named.jpg": ([], (128, 128)),
    "text_named.jpg": (["not-an-image"], None),
    "tiff_16bit_RGB.tiff": (["image-16-bit"], (100, 40)),
    "truncated_image.png": (["image-truncated"], None),
    "truncated_jpeg.jpg": (["image-truncated"], None),
    "zero_bytes.jpg": (["image-empty"], None),
    "zero_width.gif": (["image-zero-size"], None),
}


@pytest.mark.parametrize("name", NASTY_IMAGES)
def test_nasty_images(name: str, shared_data: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = shared_data / "nasty" / "images" / name
    expected, size = NASTY_IMAGES[name]
    facts = inspect_image(path)
    assert codes(facts) == expected
    assert facts.usable is (size is not None)
    if size is None:
        with pytest.raises(DataError) as caught:
            load_rgb(path)
        assert (caught.value.why, caught.value.fix) == (facts.faults[0].message, facts.faults[0].fix)
        assert caught.value.where == str(path)
    else:
        picture = load_rgb(path)
        assert picture.mode == "RGB"
        assert picture.size == (facts.width, facts.height) == size
    assert not recwarn.list


def test_every_nasty_image_is_in_the_table(shared_data: Path) -> None:
    assert {path.name for path in (shared_data / "nasty" / "images").iterdir()} == set(NASTY_IMAGES)


def test_what_the_nasty_images_say(shared_data: Path) -> None:
    folder = shared_data / "nasty" / "images"
    assert "4,364,696,535" in inspect_image(folder / "decompression_bomb.gif").faults[0].message
    assert "31 frames" in inspect_image(folder / "chi.gif").faults[0].message
    assert (inspect_image(folder / "chi.gif").frames, inspect_image(folder / "multipage.tiff").frames) == (31, 3)
    assert "orientation 6" in inspect_image(folder / "hopper_orientation_6.jpg").faults[0].message
    assert inspect_image(folder / "png_named.jpg").kind == "PNG"
    # 16 bits are scaled, not clipped: the same picture as in 8 bits, not a white one
    deep, shallow = load_rgb(folder / "hopper_16bit.pgm"), load_rgb(folder / "hopper_gray.jpg")
    means = [sum(picture.convert("L").tobytes()) / 128**2 for picture in (deep, shallow)]
    assert abs(means[0] - means[1]) < 3


def test_every_picture_of_the_sign_digits_is_sound(shared_data: Path) -> None:
    paths = sorted((shared_data / "image_classification").rglob("*.jpg"))
    assert len(paths) == 600
    for path in paths:
        facts = inspect_image(path)
        assert (facts.faults, facts.kind, facts.mode, facts.frames) == ((), "JPEG", "RGB", 1), path
        assert facts.width and facts.height and max(facts.width, facts.height) <= 128


def picture(mode: str = "RGB", size: tuple[int, int] = (12, 7)) -> Image.Image:
    """A picture that shows which way it is turned."""
    made = Image.new("RGB", size, (20, 40, 200))
    made.paste((250, 10, 10), (0, 0, 5, 2))
    made.paste((10, 250, 10), (8, 4, 12, 7))
    return made.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG from its parts, for what Pillow does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM"])
def test_pixels_stay_as_they_are(kind: str, keep: Callable[..., Path]) -> None:
    path = keep(encoded(picture(), kind, **({"lossless": True} if kind == "WEBP" else {})))
    facts = inspect_image(path)
    assert facts == ImageFacts(12, 7, "RGB", kind, 1, ())
    assert load_rgb(path).tobytes() == picture().tobytes()


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_turned_picture_is_turned_upright_once(kind: str, orientation: int, keep: Callable[..., Path]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = keep(encoded(picture(), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})))
    turned = picture()
    turned.getexif()[0x0112] = orientation
    expected = ImageOps.exif_transpose(turned)
    facts, loaded = inspect_image(path), load_rgb(path)
    assert (codes(facts), facts.usable) == (["image-rotated"], True)
    assert loaded.size == (facts.width, facts.height) == expected.size
    assert loaded.tobytes() == expected.tobytes()
    # who turns pictures after us finds nothing to turn by
    assert ImageOps.exif_transpose(loaded).tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0II", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12"],
)
def test_broken_exif_does_not_spoil_a_picture(
    kind: str, exif: bytes, keep: Callable[..., Path], recwarn: pytest.WarningsRecorder
) -> None:
    path = keep(encoded(picture(), kind, exif=exif))
    assert inspect_image(path).faults == ()
    assert load_rgb(path).size == (12, 7)
    assert not recwarn.list


def test_an_impossible_orientation_is_none(keep: Callable[..., Path]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    assert codes(inspect_image(keep(encoded(picture(), "JPEG", exif=exif)))) == []


def test_transparent_places_become_white(keep: Callable[..., Path]) -> None:
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 127))
    path = keep(encoded(image, "PNG"))
    assert (codes(inspect_image(path)), inspect_image(path).mode) == (["image-alpha"], "RGBA")
    assert load_rgb(path).tobytes() == bytes([255, 0, 0, 255, 255, 255, 128, 128, 128])


def test_an_alpha_channel_that_hides_nothing_is_no_fault(keep: Callable[..., Path]) -> None:
    path = keep(encoded(picture("RGBA"), "PNG"))
    assert inspect_image(path).faults == ()
    assert load_rgb(path).tobytes() == picture().tobytes()


def test_other_ways_to_be_transparent(keep: Callable[..., Path]) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([9, 8, 7, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    grey = Image.new("LA", (2, 1), (77, 255))
    grey.putpixel((0, 0), (77, 0))
    key = (b"tRNS", struct.pack(">3H", 0x1234, 0, 0))
    colour = png(2, 1, 16, 2, b"\0" + struct.pack(">6H", 0x1234, 0, 0, 0xFFFF, 0x8000, 0), key)
    single = png(2, 1, 16, 0, b"\0" + struct.pack(">2H", 300, 65535 // 5), (b"tRNS", struct.pack(">H", 300)))
    for content, second in [
        (encoded(palette, "PNG", transparency=0), (200, 100, 50)),
        (encoded(palette, "GIF", transparency=0), (200, 100, 50)),
        (encoded(grey, "PNG"), (77, 77, 77)),
        (colour, (255, 128, 0)),
        (single, (51, 51, 51)),
    ]:
        path = keep(content)
        assert "image-alpha" in codes(inspect_image(path))
        shown = load_rgb(path)
        assert (shown.getpixel((0, 0)), shown.getpixel((1, 0))) == ((255, 255, 255), second)


def test_16_bits_are_scaled_and_not_clipped(keep: Callable[..., Path]) -> None:
    values = struct.pack(">4H", 0, 128 * 257, 200 * 257, 65535)
    little = struct.pack("<4H", 0, 128 * 257, 200 * 257, 65535)
    wide = Image.frombytes("I", (4, 1), struct.pack("<4i", 0, 128 * 257, 200 * 257, 65535))
    for content, mode in [
        (png(4, 1, 16, 0, b"\0" + values), "I;16"),
        (b"P5 4 1 65535\n" + values, "I"),
        (encoded(Image.frombytes("I;16", (4, 1), little), "TIFF"), "I;16"),
        (encoded(Image.frombytes("I;16B", (4, 1), values), "TIFF"), "I;16B"),
        (encoded(wide, "TIFF"), "I"),
    ]:
        path = keep(content)
        facts = inspect_image(path)
        assert (codes(facts), facts.mode) == (["image-16-bit", "image-grey"], mode)
        assert load_rgb(path).getchannel("G").tobytes() == bytes([0, 128, 200, 255]), mode


def test_16_bits_of_a_dark_picture_stay_dark(keep: Callable[..., Path]) -> None:
    assert load_rgb(keep(b"P5 2 1 65535\n" + struct.pack(">2H", 0, 200))).tobytes() == bytes([0, 0, 0, 1, 1, 1])


def test_16_bit_colours_are_told(keep: Callable[..., Path]) -> None:
    for content in (
        png(1, 1, 16, 2, b"\0" + struct.pack(">3H", 0xFFFF, 0x8000, 0)),
        b"P6 1 1 65535\n" + struct.pack(">3H", 0xFFFF, 0x8080, 0),
    ):
        path = keep(content)
        assert codes(inspect_image(path)) == ["image-16-bit"]
        assert load_rgb(path).tobytes() == bytes([255, 128, 0])


@pytest.mark.parametrize(
    ("values", "shown"),
    [([0.0, 0.5, 1.0], [0, 128, 255]), ([0.0, 10.0, 255.0], [0, 10, 255]), ([-1.0, 0.0, 1.0], [0, 128, 255])],
)
def test_floats_are_scaled_by_what_they_hold(values: list[float], shown: list[int], keep: Callable[..., Path]) -> None:
    path = keep(encoded(Image.frombytes("F", (3, 1), struct.pack("<3f", *values)), "TIFF"))
    assert codes(inspect_image(path)) == ["image-16-bit", "image-grey"]
    assert list(load_rgb(path).getchannel("R").tobytes()) == shown


def test_floats_that_are_no_numbers(keep: Callable[..., Path]) -> None:
    path = keep(encoded(Image.frombytes("F", (2, 1), struct.pack("<2f", 0, float("inf"))), "TIFF"))
    assert codes(inspect_image(path)) == ["image-broken"]


def test_colours_of_printing_are_converted(keep: Callable[..., Path]) -> None:
    path = keep(encoded(Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "TIFF"))
    assert (codes(inspect_image(path)), inspect_image(path).mode) == (["image-cmyk"], "CMYK")
    assert load_rgb(path).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_is_shown_three_times(mode: str, keep: Callable[..., Path]) -> None:
    path = keep(encoded(Image.new(mode, (2, 2), 255), "PNG"))
    facts = inspect_image(path)
    assert (codes(facts), facts.usable) == (["image-grey"], True)
    assert load_rgb(path).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "WEBP"])
def test_the_first_frame_is_used(kind: str, keep: Callable[..., Path]) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    path = keep(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    facts = inspect_image(path)
    assert (codes(facts), facts.frames) == (["image-frames"], 3)
    assert load_rgb(path).getpixel((1, 1)) == (255, 0, 0)


def test_broken_later_frames_do_not_spoil_the_first(keep: Callable[..., Path]) -> None:
    frames = [picture(), picture().transpose(Image.Transpose.ROTATE_180)]
    content = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    path = keep(content[: len(content) * 3 // 5])
    assert inspect_image(path).usable
    assert load_rgb(path).tobytes() == picture().tobytes()


NOISE = Image.frombytes("RGB", (40, 30), bytes((i * i * 31 + i // 7) % 256 for i in range(3600)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "PGM"])
def test_a_picture_cut_in_half(kind: str, keep: Callable[..., Path], capfd: pytest.CaptureFixture[str]) -> None:
    content = b"P5 40 30 1023\n" + bytes(2400) if kind == "PGM" else encoded(NOISE, kind)
    path = keep(content[: len(content) // 2], "half.jpg")
    facts = inspect_image(path)
    assert codes(facts) == ["image-truncated"], facts
    with pytest.raises(DataError):
        load_rgb(path)
    assert capfd.readouterr() == ("", "")


def test_compressed_tiffs_that_are_cut_write_nothing_on_the_terminal(
    keep: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    for compression in ("tiff_deflate", "tiff_lzw", "jpeg"):
        content = encoded(NOISE, "TIFF", compression=compression)
        index = int.from_bytes(content[4:8], "little")
        assert codes(inspect_image(keep(content[: len(content) // 2]))) == ["image-truncated"]
        assert not inspect_image(keep(content[: index + 40])).usable
        inspect_image(keep(content[:200] + bytes(99) + content[299:]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "content",
    [
        png(20_000, 20_000, 8, 2, b""),
        b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(30),
        b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, 40_000, -40_000, 1, 24, 0, 0, 0, 0, 0, 0),
        b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\0" * 2,
        b"P6 30000 30000 255\n",
    ],
    ids=["png", "gif", "bmp", "webp", "ppm"],
)
def test_a_huge_picture_is_refused_before_it_is_decoded(
    content: bytes, keep: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    def allocate(*_: Any) -> None:
        raise AssertionError("memory was asked for")

    monkeypatch.setattr(Image.core, "new", allocate)
    path = keep(content)
    facts = inspect_image(path)
    assert codes(facts) == ["image-huge"]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # some libraries lift Pillow's own limit
    assert codes(inspect_image(path)) == ["image-huge"]
    assert f"{MOST_PIXELS:,}" in facts.faults[0].message
    assert not recwarn.list


def test_a_large_picture_below_the_limit_brings_no_warning(keep: Callable[..., Path]) -> None:
    content = png(10_000, 10_000, 1, 0, os.urandom(1251))[:-40]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert codes(inspect_image(keep(content))) == ["image-truncated"]


@pytest.mark.parametrize(
    "content",
    [
        png(0, 5, 8, 2, b""),
        b"GIF89a" + struct.pack("<HH", 3, 0) + bytes(30),
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 0, 5),
    ],
    ids=["png", "gif", "bmp"],
)
def test_a_picture_without_pixels(content: bytes, keep: Callable[..., Path]) -> None:
    assert codes(inspect_image(keep(content))) == ["image-zero-size"]


def test_files_that_would_start_a_program_are_not_opened(keep: Callable[..., Path]) -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(x) run\n%%EOF\n"
    assert codes(inspect_image(keep(eps, "picture.eps"))) == ["not-an-image"]


def test_what_pillow_logs_does_not_reach_the_terminal(keep: Callable[..., Path], repository: Path) -> None:
    content = bytearray(encoded(NOISE, "TIFF"))
    place = content.index(struct.pack("<HHI", 277, 3, 1)) + 8  # samples a pixel
    content[place] = 99
    path = keep(bytes(content))
    program = "import sys; from pathlib import Path; from backends.formats.images import inspect_image as inspect; "
    program += "print(inspect(Path(sys.argv[1])).usable)"
    ended = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, cwd=repository)
    assert (ended.stdout, ended.stderr) == ("False\n", "")


# --- sound -----------------------------------------------------------------------------------------------------


def chunk(name: bytes, content: bytes, length: int | None = None, order: str = "<", pad: bool = True) -> bytes:
    padding = b"\0" if pad and len(content) % 2 else b""
    return name + struct.pack(f"{order}I", len(content) if length is None else length) + content + padding


def form(
    codec: int = 1,
    channels: int = 1,
    rate: int = 8000,
    bits: int = 16,
    more: bytes = b"",
    order: str = "<",
    speed: int | None = None,
) -> bytes:
    frame = channels * bits // 8
    speed = rate * frame if speed is None else speed
    fields = struct.pack(f"{order}HHIIHH", codec, channels, rate, speed, frame, bits)
    return chunk(b"fmt ", fields + more, order=order)


def riff(*chunks: bytes, kind: bytes = b"WAVE", name: bytes = b"RIFF", order: str = "<") -> bytes:
    return chunk(name, kind + b"".join(chunks), order=order)


def data(count: int, length: int | None = None, order: str = "<") -> bytes:
    return chunk(b"data", b"\x11\x22" * count, length, order)


def wav_file(channels: int = 1, width: int = 2, rate: int = 8000, frames: int = 4000) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"\1" * channels * width * frames)
    return stream.getvalue()


def flac(samples: int, rate: int = 16000, channels: int = 1, frames: bytes = b"\xff\xf8" * 50) -> bytes:
    packed = rate << 44 | (channels - 1) << 41 | 15 << 36 | samples
    info = struct.pack(">HH6sQ16s", 4096, 4096, bytes(6), packed, bytes(16))
    return b"fLaC\0\0\0\x22" + info + b"\x81\0\0\x05notes" + frames


def ogg_page(content: bytes, sample: int, flags: int = 0, serial: int = 7) -> bytes:
    lengths = bytes([255] * (len(content) // 255) + [len(content) % 255])
    return b"OggS" + struct.pack("<BBqIIIB", 0, flags, sample, serial, 0, 0, len(lengths)) + lengths + content


def vorbis(samples: int, rate: int = 22050, channels: int = 1) -> bytes:
    head = b"\x01vorbis" + struct.pack("<IBIiiiBB", 0, channels, rate, 0, 0, 0, 0xB8, 1)
    return (
        ogg_page(head, 0, 2)
        + ogg_page(b"\x03vorbis" + bytes(99), 0)
        + ogg_page(bytes(3000), samples // 2)
        + ogg_page(bytes(700), samples, 4)
    )


def opus(samples: int) -> bytes:
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 2, 312, 44100, 0, 0)
    return (
        ogg_page(head, 0, 2)
        + ogg_page(b"OpusTags" + bytes(9), 0)
        + ogg_page(bytes(900), samples + 312)
        + ogg_page(b"", -1, 4)
    )


# As ffmpeg writes them, with their checksums
FRAME_3, FRAME_200 = bytes.fromhex("fff859080335"), bytes.fromhex("fff82408c3881b")
MP3_HEADER = b"\xff\xfb\x90\xc0"  # MPEG 1, layer 3, 128 kbit/s, 44,100 Hz, mono: frames of 417 bytes


def mp3(frames: int, first: bytes = b"") -> bytes:
    def frame(content: bytes = b"") -> bytes:
        return MP3_HEADER + content.ljust(413, b"\0")

    return (frame(first) if first else b"") + frame() * frames


ID3 = b"ID3\4\0\0\0\0\2\1" + b"\xff\xfb" * 128 + b"\0"  # 257 bytes that look like sound
FOOTED = b"ID3\4\0\x10\0\0\0\4" + bytes(4) + b"3DI\4\0\x10\0\0\0\4"
XING = bytes(17) + b"Xing" + struct.pack(">III", 3, 100, 41_700)
# 576 samples before the sound and 1,000 behind it
LAME = XING.ljust(17 + 120, b"\0") + b"LAME3.100".ljust(21, b"\0") + (576 << 12 | 1000).to_bytes(3, "big")
VBRI = bytes(32) + b"VBRI" + bytes(6) + struct.pack(">II", 41_700, 100)


def aiff(frames: int, rate: int = 44100, there: int | None = None) -> bytes:
    exponent = rate.bit_length() - 1
    common = struct.pack(">hIhHQ", 2, frames, 16, 16383 + exponent, rate << (63 - exponent))
    samples = bytes(8 + 4 * frames if there is None else there)
    sound = chunk(b"SSND", samples, 8 + 4 * frames, ">")
    return chunk(b"FORM", b"AIFF" + chunk(b"COMM", common, order=">") + sound, order=">")


EXTENSIBLE = struct.pack("<HHIH", 22, 16, 0, 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
UNKNOWN = 0xFFFFFFFF
ODD_RATE = next(rate for rate in range(1000, 9000) if 1 / rate * rate < 1)
SOUNDS: dict[str, tuple[bytes, float | None, int, int, str, list[str]]] = {
    "wav": (wav_file(), 0.5, 8000, 1, "WAV", []),
    "wav 8 bit": (wav_file(width=1), 0.5, 8000, 1, "WAV", []),
    "wav 24 bit stereo": (wav_file(2, 3, 48000, 24000), 0.5, 48000, 2, "WAV", ["audio-channels"]),
    "wav float": (riff(form(3, bits=32), data(8000)), 0.5, 8000, 1, "WAV", []),
    "wav mu-law": (riff(form(7, bits=8, speed=1), data(2000)), 0.5, 8000, 1, "WAV", []),
    "wav extensible": (riff(form(0xFFFE, more=EXTENSIBLE, speed=1), data(4000)), 0.5, 8000, 1, "WAV", []),
    "wav adpcm": (riff(form(2, bits=4), chunk(b"fact", struct.pack("<I", 12000)), data(999)), 1.5, 8000, 1, "WAV", []),
    "wav odd chunk": (riff(chunk(b"LIST", b"odd"), form(), data(4000)), 0.5, 8000, 1, "WAV", []),
    "wav odd chunk unpadded": (riff(chunk(b"LIST", b"odd", pad=False), form(), data(4000)), 0.5, 8000, 1, "WAV", []),
    "wav chunk behind": (riff(form(), data(4000), chunk(b"LIST", bytes(99))), 0.5, 8000, 1, "WAV", []),
    "wav wrong riff size": (wav_file()[:4] + b"\1\0\0\0" + wav_file()[8:], 0.5, 8000, 1, "WAV", []),
    "wav cut": (wav_file()[:-4000], 0.25, 8000, 1, "WAV", ["audio-cut"]),
    "wav streamed": (riff(form(), data(4000, UNKNOWN)), 0.5, 8000, 1, "WAV", []),
    "wav not closed": (riff(form(), data(4000, 0)), 0.5, 8000, 1, "WAV", []),
    "wav empty before a chunk": (
        riff(form(), data(0), chunk(b"LIST", bytes(99))), 0, 8000, 1, "WAV", ["audio-no-samples"],
    ),
    "wav of half a sample": (riff(form(bits=32), data(1)), 0, 8000, 1, "WAV", ["audio-no-samples"]),
    "wav of one sample": (riff(form(rate=ODD_RATE), data(1)), 1 / ODD_RATE, ODD_RATE, 1, "WAV", []),
    "rf64": (
        riff(chunk(b"ds64", struct.pack("<QQQI", 0, 8000, 4000, 0)), form(), data(9000, UNKNOWN), name=b"RF64"),
        0.5, 8000, 1, "WAV", [],
    ),
    "rifx": (riff(form(order=">"), data(4000, order=">"), name=b"RIFX", order=">"), 0.5, 8000, 1, "WAV", []),
    "wav too slow": (wav_file(rate=999), 4000 / 999, 999, 1, "WAV", ["audio-rate"]),
    "wav rate 0": (riff(form(rate=0), data(40)), 40, 0, 1, "WAV", ["audio-rate"]),
    "wav long": (wav_file(width=1, rate=1000, frames=301_000), 301, 1000, 1, "WAV", ["audio-long"]),
    "flac": (flac(24000), 1.5, 16000, 1, "FLAC", []),
    "flac stereo": (flac(24000, channels=2), 1.5, 16000, 2, "FLAC", ["audio-channels"]),
    "flac with a tag": (ID3 + flac(24000), 1.5, 16000, 1, "FLAC", []),
    "flac with a tag and its footer": (FOOTED + flac(24000), 1.5, 16000, 1, "FLAC", []),
    "flac of unknown length": (flac(0), None, 16000, 1, "FLAC", []),
    "flac without frames": (flac(24000, frames=b""), 0, 16000, 1, "FLAC", ["audio-no-samples"]),
    "flac cut": (flac(24000, frames=FRAME_3 + bytes(50)), 3 * 4096 / 16000, 16000, 1, "FLAC", ["audio-cut"]),
    "flac cut late": (flac(2_000_000, frames=FRAME_200 + bytes(50)), 51.2, 16000, 1, "FLAC", ["audio-cut"]),
    "flac that ends with its last frame": (flac(14000, frames=FRAME_3 + bytes(50)), 0.875, 16000, 1, "FLAC", []),
    "flac cut, with a chance number": (
        flac(24000, frames=FRAME_3 + bytes(50) + FRAME_200 + bytes(50)), 0.768, 16000, 1, "FLAC", ["audio-cut"],
    ),
    "flac with a chance likeness": (
        flac(24000, frames=FRAME_3[:5] + b"\0" + bytes(50)), 1.5, 16000, 1, "FLAC", [],
    ),
    "flac rate 0": (flac(24000, rate=0), 24000, 0, 1, "FLAC", ["audio-rate"]),
    "vorbis": (vorbis(44100), 2, 22050, 1, "Ogg Vorbis", []),
    "vorbis cut": (vorbis(44100)[:-50], 1, 22050, 1, "Ogg Vorbis", ["audio-cut"]),
    "vorbis beside another stream": (vorbis(44100) + ogg_page(b"other", 9, 4, 8), 2, 22050, 1, "Ogg Vorbis", []),
    "vorbis without sound": (vorbis(44100)[:200], 0, 22050, 1, "Ogg Vorbis", ["audio-no-samples"]),
    "opus": (opus(96000), 2, 48000, 2, "Ogg Opus", ["audio-channels"]),
    "ogg flac": (
        ogg_page(b"\x7fFLAC\1\0\0\1" + flac(0)[:42], 0, 2) + ogg_page(bytes(99), 32000), 2, 16000, 1, "Ogg FLAC", [],
    ),
    "mp3": (mp3(100), 100 * 417 * 8 / 128_000, 44100, 1, "MP3", []),
    "mp3 with tags": (ID3 + mp3(100) + b"TAG".ljust(128, b"x"), 100 * 417 * 8 / 128_000, 44100, 1, "MP3", []),
    "mp3 after junk": (b"\0\xff\xfbjunk" * 9 + mp3(100), 100 * 417 * 8 / 128_000, 44100, 1, "MP3", []),
    "mp3 xing": (mp3(99, XING), 100 * 1152 / 44100, 44100, 1, "MP3", []),
    "mp3 lame": (mp3(99, LAME), (100 * 1152 - 1576) / 44100, 44100, 1, "MP3", []),
    "mp3 vbri": (mp3(99, VBRI), 100 * 1152 / 44100, 44100, 1, "MP3", []),
    "mp3 xing cut": (mp3(49, XING), 50 * 1152 / 44100, 44100, 1, "MP3", ["audio-cut"]),
    # MPEG 2, layer 3, 64 kbit/s, 22,050 Hz, stereo: frames of 208 bytes
    "mp3 mpeg 2": ((b"\xff\xf3\x80\x00" + bytes(204)) * 50, 50 * 208 * 8 / 64_000, 22050, 2, "MP3", ["audio-channels"]),
    # MPEG 1, layer 2, 192 kbit/s, 48,000 Hz, stereo: frames of 576 bytes
    "mp2": ((b"\xff\xfd\xa4\x00" + bytes(572)) * 50, 50 * 576 * 8 / 192_000, 48000, 2, "MP3", ["audio-channels"]),
    "aiff": (aiff(22050), 0.5, 44100, 2, "AIFF", ["audio-channels"]),
    "aiff cut": (aiff(22050, there=8 + 2 * 22050), 0.25, 44100, 2, "AIFF", ["audio-cut", "audio-channels"]),
    "aiff empty": (aiff(0), 0, 44100, 2, "AIFF", ["audio-no-samples"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUNDS)
def test_sounds(name: str, keep: Callable[..., Path]) -> None:
    content, seconds, rate, channels, kind, expected = SOUNDS[name]
    facts = inspect_audio(keep(content))
    assert codes(facts) == expected
    assert (facts.rate, facts.channels, facts.kind) == (rate, channels, kind)
    assert facts.seconds == (None if seconds is None else pytest.approx(seconds, rel=1e-3))
    assert facts.usable is not bool({"audio-rate", "audio-no-samples"} & set(expected))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (riff(form()), "audio-broken"),
        (riff(data(400)), "audio-broken"),
        (riff(form(channels=0), data(40)), "audio-broken"),
        (riff(form(channels=9999), data(40)), "audio-broken"),
        (riff(form(bits=0), data(40)), "audio-broken"),
        (riff(chunk(b"fmt ", b"\1\0\1\0"), data(40)), "audio-broken"),
        (wav_file()[:30], "audio-broken"),
        (b"RIFF\0\0\0\0WAVE", "audio-broken"),
        (flac(100)[:30], "audio-broken"),
        (b"fLaC\x81\0\0\0abc", "audio-broken"),
        (vorbis(100)[:30], "audio-broken"),
        (ogg_page(b"\x80theora" + bytes(40), 0, 2), "audio-broken"),
        (aiff(10)[:30], "audio-broken"),
        (ID3, "not-audio"),
        (ID3[:20], "not-audio"),
        (b"\xff\xfb\x90\x00" + bytes(900), "not-audio"),
        (MP3_HEADER + bytes(100), "not-audio"),
        (b"RIFF\0\0\0\0AVI LIST", "not-audio"),
    ],
)  # fmt: skip
def test_broken_sounds(content: bytes, code: str, keep: Callable[..., Path]) -> None:
    assert codes(inspect_audio(keep(content))) == [code]


def test_nasty_sounds(shared_data: Path) -> None:
    folder = shared_data / "nasty" / "audio"
    found = {path.name: inspect_audio(path) for path in folder.iterdir()}
    assert {name: codes(facts) for name, facts in found.items()} == {
        "bad.wav": ["audio-broken"],
        "null.wav": ["audio-no-samples"],
        "awful.wav": ["audio-rate"],
    }
    assert not any(facts.usable for facts in found.values())
    assert "0.0 s of audio" in found["null.wav"].faults[0].message
    assert "1,092,676" in found["awful.wav"].faults[0].message


def test_every_spoken_digit_is_sound(shared_data: Path) -> None:
    paths = sorted((shared_data / "speech" / "fsdd_a" / "wavs").iterdir())
    assert len(paths) == 240
    for path in paths:
        with wave.open(str(path)) as file:
            seconds = file.getnframes() / file.getframerate()
        assert inspect_audio(path) == AudioFacts(seconds, 8000, 1, "WAV", ()), path


# --- video -----------------------------------------------------------------------------------------------------


def box(name: bytes, *content: bytes, length: int | None = None) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside) if length is None else length) + name + inside


def media_header(name: bytes, scale: int, length: int, version: int = 0) -> bytes:
    return box(
        name, bytes([version, 0, 0, 0]), struct.pack(">QQIQ" if version else ">IIII", 0, 0, scale, length), bytes(80)
    )


def track(
    kind: bytes = b"vide",
    size: tuple[int, int] = (64, 48),
    frames: int = 50,
    length: int = 50,
    version: int = 0,
    table: bytes = b"stsz",
    shown: int = 0,
) -> bytes:
    entry = box(b"avc1", bytes(24), struct.pack(">HH", *size), bytes(50))
    tables = box(b"stbl", box(b"stsd", bytes(7) + b"\1", entry), box(table, bytes(8), struct.pack(">I", frames)))
    handler = box(b"hdlr", bytes(8), kind, bytes(13))
    header = box(b"tkhd", bytes(20), struct.pack(">I", shown), bytes(52), struct.pack(">II", 320 << 16, 200 << 16))
    return box(b"trak", header, box(b"mdia", media_header(b"mdhd", 25, length, version), handler, box(b"minf", tables)))


def index(*tracks: bytes, length: int = 2000) -> bytes:
    return box(b"moov", media_header(b"mvhd", 1000, length), *tracks)


FTYP = box(b"ftyp", b"isom\0\0\2\0isomavc1")
MDAT = box(b"mdat", bytes(5000))
SOUND_TRACK = track(b"soun", frames=900)


def avi(frames: int = 50, kind: bytes = b"vids", movie: int | None = None) -> bytes:
    main = chunk(b"avih", struct.pack("<10I", 40_000, 0, 0, 0, frames, 0, 1, 0, 64, 48) + bytes(16))
    head = chunk(b"strh", kind + b"H264" + bytes(12) + struct.pack("<4I", 1, 25, 0, frames) + bytes(20))
    lists = chunk(b"LIST", b"hdrl" + main + chunk(b"LIST", b"strl" + head + chunk(b"strf", bytes(41))))
    return riff(lists, chunk(b"JUNK", bytes(99)), chunk(b"LIST", b"movi" + bytes(4000), movie), kind=b"AVI ")


def element(name: int, *content: bytes, unknown: bool = False) -> bytes:
    inside = b"".join(content)
    length = b"\x01" + (b"\xff" * 7 if unknown else len(inside).to_bytes(7, "big"))
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + length + inside


def mkv(
    kind: bytes = b"matroska", track_type: int = 1, seconds: float | None = 2.0, live: bool = False, clusters: int = 2
) -> bytes:
    duration = b"" if seconds is None else element(0x4489, struct.pack(">d", seconds * 1000))
    info = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big")), duration)
    size = element(0xE0, element(0xB0, b"\x40"), element(0xBA, b"\0\x30"))
    tracks = element(0x1654AE6B, element(0xAE, element(0xD7, b"\1"), element(0x83, bytes([track_type])), size))
    media = element(0x1F43B675, element(0xE7, b"\0"), bytes(2000), unknown=live)
    segment = element(0x18538067, element(0xEC, bytes(30)), info, tracks, media * clusters, unknown=live)
    return element(0x1A45DFA3, element(0x4282, kind)) + segment


MP4_FACTS = (2.0, 64, 48, 50, "MP4")
MOVIES: dict[str, tuple[bytes, tuple[Any, ...], list[str]]] = {
    "mp4": (FTYP + index(track()) + MDAT, MP4_FACTS, []),
    "mp4 index at the end": (FTYP + MDAT + index(SOUND_TRACK, track()), MP4_FACTS, []),
    "mp4 long headers": (FTYP + index(track(version=1)) + MDAT, MP4_FACTS, []),
    "mp4 compact sizes": (FTYP + index(track(table=b"stz2")) + MDAT, MP4_FACTS, []),
    "mp4 large mdat": (FTYP + struct.pack(">I4sQ", 1, b"mdat", 5016) + bytes(5000) + index(track()), MP4_FACTS, []),
    "mp4 mdat until the end": (FTYP + index(track()) + box(b"mdat", bytes(99), length=0), MP4_FACTS, []),
    "mp4 junk behind": (FTYP + index(track()) + MDAT + b"\0\0\0\3junk and more", MP4_FACTS, []),
    "mp4 cover": (FTYP + index(track(size=(9, 9), frames=1, length=1), track()) + MDAT, MP4_FACTS, []),
    "mp4 without a size in stsd": (FTYP + index(track(size=(0, 0))) + MDAT, (2.0, 320, 200, 50, "MP4"), []),
    "mp4 length in mvhd only": (FTYP + index(track(length=0xFFFFFFFF)) + MDAT, MP4_FACTS, []),
    "mp4 cut by its edit list": (FTYP + index(track(shown=1200)) + MDAT, (1.2, 64, 48, 50, "MP4"), []),
    "mp4 in fragments": (
        FTYP + index(track(frames=0, length=0), length=0) + box(b"moof", bytes(50)) + MDAT,
        (None, 64, 48, None, "MP4"), [],
    ),
    "mov": (box(b"ftyp", b"qt  \0\0\0\0") + box(b"wide") + MDAT + index(track()), (2.0, 64, 48, 50, "MOV"), []),
    "old mov": (MDAT + index(track()), (2.0, 64, 48, 50, "MOV"), []),
    "mp4 cut before its index": ((FTYP + MDAT + index(track()))[:3000], (None, None, None, None, "MP4"), ["video-cut"]),
    "mp4 cut at its index": (FTYP + MDAT, (None, None, None, None, "MP4"), ["video-cut"]),
    "mp4 cut within its index": ((FTYP + MDAT + index(track()))[:-60], (2.0, 64, 48, None, "MP4"), ["video-cut"]),
    "mp4 cut in its pictures": ((FTYP + index(track()) + MDAT)[:-1000], MP4_FACTS, ["video-cut"]),
    "mp4 of sound": (FTYP + index(SOUND_TRACK) + MDAT, (2.0, None, None, None, "MP4"), ["video-no-picture"]),
    "mp4 of no frames": (FTYP + index(track(frames=0)) + MDAT, (2.0, 64, 48, 0, "MP4"), ["video-zero-length"]),
    "mp4 of no time": (FTYP + index(track(length=0), length=0) + MDAT, (0, 64, 48, 50, "MP4"), ["video-zero-length"]),
    "mp4 without pictures": (FTYP + index(track()), MP4_FACTS, ["video-zero-length"]),
    "avi": (avi(), (2.0, 64, 48, 50, "AVI"), []),
    "avi of sound": (avi(kind=b"auds"), (2.0, 64, 48, 50, "AVI"), ["video-no-picture"]),
    "avi of no frames": (avi(0), (0, 64, 48, 0, "AVI"), ["video-zero-length"]),
    "avi cut": (avi()[:-100], (2.0, 64, 48, 50, "AVI"), ["video-cut"]),
    "avi cut before its pictures": (avi()[:350], (2.0, 64, 48, 50, "AVI"), ["video-cut"]),
    "mkv": (mkv(), (2.0, 64, 48, None, "MKV"), []),
    "webm": (mkv(b"webm"), (2.0, 64, 48, None, "WebM"), []),
    "webm live": (mkv(b"webm", seconds=None, live=True), (None, 64, 48, None, "WebM"), []),
    "mkv of sound": (mkv(track_type=2), (2.0, None, None, None, "MKV"), ["video-no-picture"]),
    "mkv without pictures": (mkv(clusters=0), (2.0, 64, 48, None, "MKV"), ["video-zero-length"]),
    "mkv cut": (mkv()[:-100], (2.0, 64, 48, None, "MKV"), ["video-cut"]),
    "mkv cut in its header": (mkv()[:60], (None, None, None, None, "MKV"), ["video-cut"]),
    "mkv of a length that is no number": (mkv(seconds=float("nan")), (None, 64, 48, None, "MKV"), []),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVIES)
def test_movies(name: str, keep: Callable[..., Path]) -> None:
    content, expected, faults = MOVIES[name]
    facts = inspect_video(keep(content))
    assert codes(facts) == faults
    assert facts.usable is not bool(faults)
    if name != "mp4 cut within its index":
        assert (facts.seconds, facts.width, facts.height, facts.frames, facts.kind) == expected


@pytest.mark.parametrize(
    "content",
    [
        box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(90)) + MDAT,
        box(b"ftyp", b"avif\0\0\0\0mif1avif") + box(b"meta", bytes(90)) + MDAT,
        encoded(picture(), "GIF"),
        wav_file(),
    ],
    ids=["heic", "avif", "gif", "wav"],
)
def test_what_is_no_video(content: bytes, keep: Callable[..., Path]) -> None:
    assert codes(inspect_video(keep(content))) == ["not-video"]


def test_the_pictures_of_a_video_are_not_read(tmp_path: Path) -> None:
    path, size = tmp_path / "long.mp4", 1 << 38
    with path.open("wb") as stream:
        stream.write(FTYP + struct.pack(">I4sQ", 1, b"mdat", size - len(FTYP)))
        stream.truncate(size)  # a file of a quarter of a terabyte that takes no room
        stream.seek(size)
        stream.write(index(track()))
    assert inspect_video(path).seconds == 2.0


@pytest.mark.parametrize(
    "content",
    [
        FTYP + box(b"moov", box(b"trak", *[box(b"mdia", length=0)] * 3, length=0), length=0),
        FTYP + struct.pack(">I4sQ", 1, b"moov", (1 << 64) - 1) + bytes(99),
        FTYP + box(b"moov", length=0xFFFFFFF0) + bytes(99),
        FTYP + box(b"moov", length=3) + bytes(99),
        FTYP + box(b"moov", box(b"mdia") * 200_000),
        FTYP + box(b"free") * 200_000 + index(track()) + MDAT,
        b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\xec\x80" * 200_000,
        b"RIFF\xff\xff\xff\xffAVI " + b"LIST\4\0\0\0hdrl" * 20_000,
    ],
)
def test_hostile_lengths_end(content: bytes, keep: Callable[..., Path]) -> None:
    assert not inspect_video(keep(content)).usable


def test_boxes_in_boxes_do_not_exhaust_the_stack(keep: Callable[..., Path]) -> None:
    nest = b""
    for _ in range(5000):
        nest = struct.pack(">I4s", len(nest) + 8, b"mdia") + nest
    assert codes(inspect_video(keep(FTYP + box(b"moov", box(b"trak", nest)) + MDAT))) == ["video-no-picture"]


def test_the_real_videos(shared_data: Path) -> None:
    clips = sorted((shared_data / "video" / "clips_by_class").rglob("*.mp4"))
    assert len(clips) == 30
    for path in clips:
        assert inspect_video(path) == VideoFacts(14 / 12, 128, 96, 14, "MP4", ()), path
    demo = shared_data / "video" / "mllm_video_demo" / "mllm_demo_data"
    found = {path.name: inspect_video(path) for path in demo.iterdir()}
    assert found.pop("2.avi") == VideoFacts(pytest.approx(9.025, abs=1e-3), 320, 240, 270, "AVI", ())
    assert found == {
        "1.mp4": VideoFacts(9.72, 640, 360, 243, "MP4", ()),
        "3.mp4": VideoFacts(pytest.approx(6.0894, abs=1e-3), 640, 360, 146, "MP4", ()),
        "4.mp4": VideoFacts(5.0, 224, 224, 150, "MP4", ()),
    }


# --- any bytes at all ------------------------------------------------------------------------------------------

WHOLE: dict[str, list[bytes]] = {
    "image": [encoded(NOISE, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")],
    "audio": [content for content, *_ in SOUNDS.values() if len(content) < 50_000],
    "video": [content for content, *_ in MOVIES.values()],
}
BEGINNINGS = [
    b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\0", b"BM\0\0\0\0\0\0\0\0", b"RIFF\0\0\0\0WEBP", b"P6 ",
    b"RIFF\xff\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"FORM\0\0\0\0AIFF",
    b"\0\0\0\x08ftyp", b"\0\0\0\0moov", b"RIFF\0\0\0\0AVI LIST", b"\x1a\x45\xdf\xa3",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, word: str) -> bytes:
    """A whole file with some bytes changed, left out or put in, most of them in its header, or cut short."""
    content = bytearray(draw(st.sampled_from(WHOLE[word])))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, min(len(content), draw(st.sampled_from([48, 300, 5000])))))
        piece = draw(st.binary(max_size=4) | st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]))
        content[place : place + draw(st.sampled_from([len(piece), 0, 4]))] = piece
    return bytes(content[: draw(st.none() | st.integers(0, len(content)))])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media") / "file"


ANYTHING = st.builds(bytes.__add__, st.sampled_from(BEGINNINGS), st.binary(max_size=400))
# Each takes milliseconds; the deadline is for the file that keeps a reader busy.
PATIENT = settings(
    max_examples=400, deadline=timedelta(seconds=8), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@PATIENT
@given(content=ANYTHING | damaged("image"))
def test_no_bytes_make_an_image_raise(content: bytes, scratch: Path) -> None:
    scratch.write_bytes(content)
    facts = inspect_image(scratch)
    try:
        loaded = load_rgb(scratch)
    except DataError as error:
        assert error.why in [fault.message for fault in facts.faults if fault.fatal]
    else:
        assert facts.usable
        assert (loaded.mode, loaded.size) == ("RGB", (facts.width, facts.height))


@PATIENT
@given(content=ANYTHING | damaged("audio"))
def test_no_bytes_make_a_sound_raise(content: bytes, scratch: Path) -> None:
    scratch.write_bytes(content)
    facts = inspect_audio(scratch)
    assert all(fault.message and fault.fix for fault in facts.faults)
    if facts.usable:
        assert facts.rate and facts.channels
        assert facts.seconds is None or 0 < facts.seconds < float("inf")


@PATIENT
@given(content=ANYTHING | damaged("video"))
def test_no_bytes_make_a_video_raise(content: bytes, scratch: Path) -> None:
    scratch.write_bytes(content)
    facts = inspect_video(scratch)
    assert all(fault.message and fault.fix for fault in facts.faults)
    if facts.usable:
        assert facts.seconds is None or 0 < facts.seconds < float("inf")
