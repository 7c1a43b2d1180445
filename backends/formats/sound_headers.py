"""Reads the headers of WAV, AIFF, FLAC and Ogg files: how long, how fast, how many channels, and what is missing."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

_MOST_CHUNKS = 10_000
_MOST_CHANNELS = 256
_LARGEST_FORM = 4096
# From this length on a WAV header means "until the end"; the programs that stream do not agree on the number.
_STREAMED = 0x7FFF0000
# PCM, float, A-law and mu-law: every sample takes the same room.
_PLAIN_CODECS = (1, 3, 6, 7)
_EXTENSIBLE = 0xFFFE
_OPUS_RATE = 48_000
_WINDOW = 1 << 17  # a page of Ogg has 65,307 bytes at most, so that a whole one lies before any end
Order = Literal["little", "big"]


@dataclass(frozen=True)
class Sound:
    """What a header says; `missing` counts the bytes that it promises and the file does not have."""

    kind: str
    rate: int
    channels: int
    seconds: float | None
    missing: int = 0


class BrokenError(Exception):
    """A header that makes no sense; the text says why."""


def bytes_at(stream: BinaryIO, offset: int, count: int) -> bytes:
    """Some bytes of a file, fewer where it ends."""
    stream.seek(offset)
    return stream.read(count)


def _checked_channels(count: int) -> int:
    if not 1 <= count <= _MOST_CHANNELS:
        raise BrokenError(f"it says that it has {count:,} channels")
    return count


def chunks(stream: BinaryIO, start: int, order: Order) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk of a RIFF or IFF file: its name, where its content begins and the length it claims."""
    offset = start + 12
    for _ in range(_MOST_CHUNKS):
        head = bytes_at(stream, offset, 8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[4:], order)
        yield head[:4], offset + 8, length
        offset += 8 + length
        # Chunks begin at even places, which some writers do not know.
        if length % 2 and not _is_chunk(bytes_at(stream, offset, 4)):
            offset += 1


def _is_chunk(content: bytes) -> bool:
    return re.match(rb"[A-Za-z0-9 ]{4}", content) is not None


def wav(stream: BinaryIO, start: int, size: int, order: Order) -> Sound:
    """A WAV file: the form of its samples, and how many of them are there."""
    form, long_length, samples = b"", 0, 0
    for name, offset, length in chunks(stream, start, order):
        content = bytes_at(stream, offset, 40)
        if name == b"ds64":
            long_length = int.from_bytes(content[8:16], order)
        elif name == b"fact":
            samples = int.from_bytes(content[:4], order)
        elif name == b"fmt ":
            if not 16 <= length <= min(size - offset, _LARGEST_FORM):
                raise BrokenError(f"its fmt chunk says that it is {length:,} bytes long")
            form = content[:length]
        elif name == b"data" and form:
            # Without a length it was streamed, or the recorder was killed: all that follows is sound.
            if length >= _STREAMED or (not length and not _is_chunk(content)):
                length = long_length or size - offset
            return _wav_sound(form, order, length, size - offset, samples)
    raise BrokenError("it has no data chunk" if form else "it has no fmt chunk")


def _wav_sound(form: bytes, order: Order, claimed: int, there: int, samples: int) -> Sound:
    mark = ">" if order == "big" else "<"
    codec, channels, rate, bytes_per_second, _, bits = struct.unpack_from(f"{mark}HHIIHH", form)
    if codec == _EXTENSIBLE and len(form) >= 26:
        (codec,) = struct.unpack_from(f"{mark}H", form, 24)
    _checked_channels(channels)
    used = min(claimed, there)
    if codec in _PLAIN_CODECS:
        if not 1 <= bits <= 64:
            raise BrokenError(f"it says that it has {bits:,} bits a sample")
        seconds: float | None = used // (channels * ((bits + 7) // 8)) / max(rate, 1)
    elif samples and claimed:
        seconds = samples / max(rate, 1) * used / claimed
    else:
        seconds = used / bytes_per_second if bytes_per_second else None
    return Sound("WAV", rate, channels, seconds, claimed - used)


def aiff(stream: BinaryIO, start: int, size: int) -> Sound:
    """An AIFF or AIFC file."""
    channels = frames = rate = claimed = used = 0
    for name, offset, length in chunks(stream, start, "big"):
        if name == b"COMM":
            content = bytes_at(stream, offset, 18)
            channels, frames, _, exponent, mantissa = struct.unpack(">HIHHQ", content)
            # The rate is a float of 80 bits; an absurd one stays absurd here, but finite.
            rate = int(math.ldexp(mantissa, min((exponent & 0x7FFF) - 16383 - 63, 0)))
        elif name == b"SSND":
            claimed, used = length, min(length, size - offset)
    share = used / claimed if claimed else 0.0
    return Sound("AIFF", rate, _checked_channels(channels), share * frames / max(rate, 1), claimed - used)


# --- FLAC and Ogg ----------------------------------------------------------------------------------------------


def flac(stream: BinaryIO, start: int, size: int) -> Sound:
    """A FLAC file; a cut one is found from its last whole frame."""
    offset, described = start + 4, b""
    for _ in range(_MOST_CHUNKS):
        kind, length = struct.unpack(">B3s", bytes_at(stream, offset, 4))
        if kind & 0x7F == 0:
            described = bytes_at(stream, offset + 4, 34)
        offset += 4 + int.from_bytes(length, "big")
        if kind & 0x80:
            break
    sound = _flac_sound("FLAC", described)
    if offset >= size:
        return replace(sound, seconds=0.0)
    samples, block = round((sound.seconds or 0.0) * sound.rate), int.from_bytes(described[2:4], "big")
    begin = max(offset, size - _WINDOW)
    last = _last_flac_frame(bytes_at(stream, begin, size - begin), block, samples)
    if last < 0 or last + block >= samples:
        return sound
    # How many bytes the rest would have taken is not known; as many for a sample as those that are there.
    missing = (size - offset) * (samples - last) // max(last, 1)
    return replace(sound, seconds=last / max(sound.rate, 1), missing=missing)


def _last_flac_frame(tail: bytes, block: int, samples: int) -> int:
    """The number of the sample that the last frame in sight begins with, because the header of a cut file still
    tells the whole length; -1 if none is in sight."""
    last = -1
    for match in re.finditer(rb"\xff[\xf8\xf9]", tail):
        head = tail[match.start() : match.start() + 16].ljust(16, b"\xff")
        ones = 8 - (head[4] ^ 0xFF).bit_length()
        # The frame or sample number is written like a letter in UTF-8; then sizes that have no code, then a checksum.
        end = 4 + max(1, ones) + {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
        if ones not in (1, 8) and _crc8(head[:end]) == head[end]:
            number = head[4] & 0x7F >> ones
            for byte in head[5 : 4 + ones]:
                number = number << 6 | byte & 0x3F
            number = number if head[1] & 1 else number * block
            last = max(last, number if number < samples else -1)  # a chance likeness has any number
    return last


def _crc8(content: bytes) -> int:
    rest = 0
    for byte in content:
        rest ^= byte
        for _ in range(8):
            rest = (rest << 1 ^ 0x107) if rest & 0x80 else rest << 1
    return rest


def _flac_sound(kind: str, described: bytes) -> Sound:
    if len(described) < 34:
        raise BrokenError("it does not describe its sound (STREAMINFO)")
    packed = int.from_bytes(described[10:18], "big")
    rate, channels, samples = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    return Sound(kind, rate, channels, samples / max(rate, 1) if samples else None)


def ogg(stream: BinaryIO, start: int, size: int) -> Sound:
    """An Ogg file with Vorbis, Opus or FLAC inside; its last page says how long it is."""
    page = bytes_at(stream, start, 27 + 255 + 64)
    packet = page[27 + page[26] :] if len(page) > 27 else b""
    if packet.startswith(b"\x01vorbis"):
        channels, rate = struct.unpack_from("<BI", packet, 11)
        sound, skipped = Sound("Ogg Vorbis", rate, channels, None), 0
    elif packet.startswith(b"OpusHead"):
        channels, skipped = struct.unpack_from("<BH", packet, 9)
        sound = Sound("Ogg Opus", _OPUS_RATE, channels, None)
    elif packet.startswith(b"\x7fFLAC"):
        sound, skipped = _flac_sound("Ogg FLAC", packet[17:]), 0
    else:
        raise BrokenError("it is an Ogg file, but not of Vorbis, Opus or FLAC sound")
    _checked_channels(sound.channels)
    last, missing = _last_sample(bytes_at(stream, max(0, size - _WINDOW), _WINDOW), page[14:18])
    seconds = None if last is None else max(0, last - skipped) / max(sound.rate, 1)
    return replace(sound, seconds=seconds, missing=missing)


def _last_sample(tail: bytes, serial: bytes) -> tuple[int | None, int]:
    """The number of the sample that the last whole page ends with, and how many bytes a cut page lacks."""
    place, missing = len(tail), 0
    while (place := tail.rfind(b"OggS\0", 0, place)) >= 0:
        head = tail[place : place + 27]
        if len(head) < 27 or head[14:18] != serial:
            continue
        lengths = tail[place + 27 : place + 27 + head[26]]
        end = place + 27 + head[26] + sum(lengths)
        sample = int.from_bytes(head[6:14], "little", signed=True)
        if end > len(tail):
            missing = end - len(tail)
        elif sample >= 0:  # -1 where no packet ends on the page
            return sample, missing
    return None, missing
