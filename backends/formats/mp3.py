"""Reads the headers of MP3 files (and of the other two layers of MPEG audio)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from backends.formats.sound_headers import Sound, bytes_at

# The first frame is looked for so far: some encoders put padding before it.
_WINDOW = 1 << 17

_LAYER_1_2_3 = (
    tuple(range(0, 449, 32)),
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_LOW_LAYER_1 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_LOW_LAYER_2_3 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


@dataclass(frozen=True)
class _Frame:
    """The header of an MPEG frame; `like` is what all frames of a file share."""

    like: tuple[int, int, int]
    rate: int
    channels: int
    bits_per_second: int
    samples: int
    length: int
    table: int


def _frame(head: bytes) -> _Frame | None:
    word = int.from_bytes(head, "big") if len(head) == 4 else 0
    version, layer = word >> 19 & 3, 4 - (word >> 17 & 3)  # versions 2.5, none, 2, 1
    speed, rate_index, padding, mono = word >> 12 & 15, word >> 10 & 3, word >> 9 & 1, word >> 6 & 3 == 3
    if word >> 21 != 0x7FF or version == 1 or layer == 4 or speed in (0, 15) or rate_index == 3:
        return None
    rate = (44_100, 48_000, 32_000)[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    low = version != 3
    kilobits = ((_LOW_LAYER_1 if layer == 1 else _LOW_LAYER_2_3) if low else _LAYER_1_2_3[layer - 1])[speed]
    samples = 384 if layer == 1 else 576 if low and layer == 3 else 1152
    room = 4 if layer == 1 else 1
    length = (samples // 8 * kilobits * 1000 // rate // room + padding) * room
    table = 4 + ((9 if mono else 17) if low else (17 if mono else 32))
    return _Frame((version, layer, rate), rate, 1 if mono else 2, kilobits * 1000, samples, length, table)


def mp3(stream: BinaryIO, start: int, size: int) -> Sound | None:
    """An MPEG audio file, found by three frames in a row; None when it is none."""
    window, place = bytes_at(stream, start, _WINDOW), -1
    while (place := window.find(b"\xff", place + 1)) >= 0:
        frame = _frame(window[place : place + 4])
        if frame is not None and _more_follow(stream, start + place, size, frame):
            return _mp3_sound(stream, start + place, size, frame)
    return None


def _more_follow(stream: BinaryIO, offset: int, size: int, first: _Frame) -> bool:
    """Whether two more frames of the kind follow, or the end: four bytes look like a header by chance."""
    frame: _Frame | None = first
    for _ in range(2):
        if frame is None or frame.like != first.like:
            return False
        offset += frame.length
        if offset >= size:
            return offset == size
        frame = _frame(bytes_at(stream, offset, 4))
    return frame is not None and frame.like == first.like


def _mp3_sound(stream: BinaryIO, offset: int, size: int, frame: _Frame) -> Sound:
    """Exact where the encoder left a table (Xing, Info, VBRI), else as if all frames were like the first."""
    there = size - offset
    head = bytes_at(stream, offset, 256).ljust(256, b"\0")
    frames = claimed = silent = 0
    table = head[frame.table :]
    if table[:4] in (b"Xing", b"Info"):
        flags, *numbers = struct.unpack_from(">III", table, 4)
        frames = numbers.pop(0) if flags & 1 else 0
        claimed = numbers.pop(0) if flags & 2 else 0
        if table[120:123] in (b"LAM", b"Lav"):  # how many samples the encoder put before and after the sound
            around = int.from_bytes(table[141:144], "big")
            silent = (around >> 12) + (around & 0xFFF)
    elif head[36:40] == b"VBRI":
        claimed, frames = struct.unpack_from(">II", head, 46)
    if frames:
        share = min(1.0, there / claimed) if claimed else 1.0
        seconds = share * max(0, frames * frame.samples - silent) / frame.rate
        return Sound("MP3", frame.rate, frame.channels, seconds, max(0, claimed - there))
    if bytes_at(stream, max(0, size - 128), 3) == b"TAG":
        there -= 128
    return Sound("MP3", frame.rate, frame.channels, there * 8 / frame.bits_per_second)
