"""What is in a sound file, read from its headers with the standard library alone."""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from backends.formats.findings import Fault
from backends.formats.images import open_media

AUDIO_ENDINGS = (".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc")

# Telephones take 8,000 samples a second, measuring devices 384,000; beyond, the number is an accident.
LOWEST_RATE, HIGHEST_RATE = 1_000, 384_000
# A training row is a word or a sentence; what is longer than this is a recording to be cut up first.
LONG_SECONDS = 300.0

_AGAIN = "Copy or download it again, or remove it."
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
class AudioFacts:
    """What is known of a sound file; None where the file does not say."""

    seconds: float | None
    rate: int | None
    channels: int | None
    kind: str | None
    faults: tuple[Fault, ...]

    @property
    def usable(self) -> bool:
        """Whether a model can be given this sound."""
        return not any(fault.fatal for fault in self.faults)


@dataclass(frozen=True)
class _Sound:
    """What a header says; `missing` counts the bytes that it promises and the file does not have."""

    kind: str
    rate: int
    channels: int
    seconds: float | None
    missing: int = 0


class _BrokenError(Exception):
    """A header that makes no sense; the text says why."""


def inspect_audio(path: Path) -> AudioFacts:
    """Read the headers of a sound file and say what is wrong with it; no file makes it raise."""
    opened = open_media(path, "audio")
    if isinstance(opened, Fault):
        return AudioFacts(None, None, None, None, (opened,))
    with opened as stream:
        try:
            sound = _read_headers(stream, os.fstat(stream.fileno()).st_size)
        except (_BrokenError, OSError, struct.error) as error:
            reason = "it ends within its header" if isinstance(error, struct.error) else str(error)
            fault = Fault("audio-broken", f"cannot be read: {reason}", _AGAIN)
            return AudioFacts(None, None, None, None, (fault,))
    if sound is None:
        message = "is no WAV, FLAC, MP3, Ogg or AIFF file, whatever its name says"
        fault = Fault("not-audio", message, "Save the sound as WAV or FLAC, or remove the file.")
        return AudioFacts(None, None, None, None, (fault,))
    return AudioFacts(sound.seconds, sound.rate, sound.channels, sound.kind, tuple(_faults(sound)))


def _faults(sound: _Sound) -> Iterator[Fault]:
    seconds = math.inf if sound.seconds is None else sound.seconds
    if not LOWEST_RATE <= sound.rate <= HIGHEST_RATE:
        message = f"says it has {sound.rate:,} samples a second; sound has {LOWEST_RATE:,} to {HIGHEST_RATE:,}"
        yield Fault("audio-rate", message, "Save it again with its true rate, or remove it.")
    elif seconds * sound.rate < 0.5:
        yield Fault("audio-no-samples", "holds 0.0 s of audio", _AGAIN)
    else:
        if sound.missing > 0:
            message = f"is cut: about {sound.missing:,} bytes are missing at its end; what is there is used"
            yield Fault("audio-cut", message, "Copy or download it again if you need all of it.", fatal=False)
        if math.inf > seconds > LONG_SECONDS:
            message = f"is {seconds / 60:,.1f} minutes long; models are trained on seconds"
            yield Fault("audio-long", message, "Cut it into pieces of one sentence or sound each.", fatal=False)
        if sound.channels > 1:
            message = f"has {sound.channels} channels; they are mixed down to one"
            fix = "Nothing to do; change the file if you want it otherwise."
            yield Fault("audio-channels", message, fix, fatal=False)


def _read_headers(stream: BinaryIO, size: int) -> _Sound | None:
    start = _after_id3(stream)
    head = _bytes_at(stream, start, 12)
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and head[8:] == b"WAVE":
        return _wav(stream, start, size, "big" if head[:4] == b"RIFX" else "little")
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return _aiff(stream, start, size)
    if head[:4] == b"fLaC":
        return _flac(stream, start, size)
    if head[:4] == b"OggS":
        return _ogg(stream, start, size)
    return _mp3(stream, start, size)


def _bytes_at(stream: BinaryIO, offset: int, count: int) -> bytes:
    stream.seek(offset)
    return stream.read(count)


def _checked_channels(count: int) -> int:
    if not 1 <= count <= _MOST_CHANNELS:
        raise _BrokenError(f"it says that it has {count:,} channels")
    return count


def _after_id3(stream: BinaryIO) -> int:
    """Where the sound begins: behind the ID3v2 tags, which may hold whole pictures."""
    start = 0
    for _ in range(8):
        head = _bytes_at(stream, start, 10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 127:
            break
        footer = 10 if head[5] & 0x10 else 0
        start += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + footer
    return start


# --- WAV and AIFF ----------------------------------------------------------------------------------------------


def chunks(stream: BinaryIO, start: int, order: Order) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk of a RIFF or IFF file: its name, where its content begins and the length it claims."""
    offset = start + 12
    for _ in range(_MOST_CHUNKS):
        head = _bytes_at(stream, offset, 8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[4:], order)
        yield head[:4], offset + 8, length
        offset += 8 + length
        # Chunks begin at even places, which some writers do not know.
        if length % 2 and not _is_chunk(_bytes_at(stream, offset, 4)):
            offset += 1


def _is_chunk(content: bytes) -> bool:
    return re.match(rb"[A-Za-z0-9 ]{4}", content) is not None


def _wav(stream: BinaryIO, start: int, size: int, order: Order) -> _Sound:
    form, long_length, samples = b"", 0, 0
    for name, offset, length in chunks(stream, start, order):
        content = _bytes_at(stream, offset, 40)
        if name == b"ds64":
            long_length = int.from_bytes(content[8:16], order)
        elif name == b"fact":
            samples = int.from_bytes(content[:4], order)
        elif name == b"fmt ":
            if not 16 <= length <= min(size - offset, _LARGEST_FORM):
                raise _BrokenError(f"its fmt chunk says that it is {length:,} bytes long")
            form = content[:length]
        elif name == b"data" and form:
            # Without a length it was streamed, or the recorder was killed: all that follows is sound.
            if length >= _STREAMED or (not length and not _is_chunk(content)):
                length = long_length or size - offset
            return _wav_sound(form, order, length, size - offset, samples)
    raise _BrokenError("it has no data chunk" if form else "it has no fmt chunk")


def _wav_sound(form: bytes, order: Order, claimed: int, there: int, samples: int) -> _Sound:
    mark = ">" if order == "big" else "<"
    codec, channels, rate, bytes_per_second, _, bits = struct.unpack_from(f"{mark}HHIIHH", form)
    if codec == _EXTENSIBLE and len(form) >= 26:
        (codec,) = struct.unpack_from(f"{mark}H", form, 24)
    _checked_channels(channels)
    used = min(claimed, there)
    if codec in _PLAIN_CODECS:
        if not 1 <= bits <= 64:
            raise _BrokenError(f"it says that it has {bits:,} bits a sample")
        seconds: float | None = used // (channels * ((bits + 7) // 8)) / max(rate, 1)
    elif samples and claimed:
        seconds = samples / max(rate, 1) * used / claimed
    else:
        seconds = used / bytes_per_second if bytes_per_second else None
    return _Sound("WAV", rate, channels, seconds, claimed - used)


def _aiff(stream: BinaryIO, start: int, size: int) -> _Sound:
    channels = frames = rate = claimed = used = 0
    for name, offset, length in chunks(stream, start, "big"):
        if name == b"COMM":
            content = _bytes_at(stream, offset, 18)
            channels, frames, _, exponent, mantissa = struct.unpack(">HIHHQ", content)
            # The rate is a float of 80 bits; an absurd one stays absurd here, but finite.
            rate = int(math.ldexp(mantissa, min((exponent & 0x7FFF) - 16383 - 63, 0)))
        elif name == b"SSND":
            claimed, used = length, min(length, size - offset)
    share = used / claimed if claimed else 0.0
    return _Sound("AIFF", rate, _checked_channels(channels), share * frames / max(rate, 1), claimed - used)


# --- FLAC and Ogg ----------------------------------------------------------------------------------------------


def _flac(stream: BinaryIO, start: int, size: int) -> _Sound:
    offset, described = start + 4, b""
    for _ in range(_MOST_CHUNKS):
        kind, length = struct.unpack(">B3s", _bytes_at(stream, offset, 4))
        if kind & 0x7F == 0:
            described = _bytes_at(stream, offset + 4, 34)
        offset += 4 + int.from_bytes(length, "big")
        if kind & 0x80:
            break
    sound = _flac_sound("FLAC", described)
    if offset >= size:
        return replace(sound, seconds=0.0)
    samples, block = round((sound.seconds or 0.0) * sound.rate), int.from_bytes(described[2:4], "big")
    begin = max(offset, size - _WINDOW)
    last = _last_flac_frame(_bytes_at(stream, begin, size - begin), block, samples)
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


def _flac_sound(kind: str, described: bytes) -> _Sound:
    if len(described) < 34:
        raise _BrokenError("it does not describe its sound (STREAMINFO)")
    packed = int.from_bytes(described[10:18], "big")
    rate, channels, samples = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    return _Sound(kind, rate, channels, samples / max(rate, 1) if samples else None)


def _ogg(stream: BinaryIO, start: int, size: int) -> _Sound:
    page = _bytes_at(stream, start, 27 + 255 + 64)
    packet = page[27 + page[26] :] if len(page) > 27 else b""
    if packet.startswith(b"\x01vorbis"):
        channels, rate = struct.unpack_from("<BI", packet, 11)
        sound, skipped = _Sound("Ogg Vorbis", rate, channels, None), 0
    elif packet.startswith(b"OpusHead"):
        channels, skipped = struct.unpack_from("<BH", packet, 9)
        sound = _Sound("Ogg Opus", _OPUS_RATE, channels, None)
    elif packet.startswith(b"\x7fFLAC"):
        sound, skipped = _flac_sound("Ogg FLAC", packet[17:]), 0
    else:
        raise _BrokenError("it is an Ogg file, but not of Vorbis, Opus or FLAC sound")
    _checked_channels(sound.channels)
    last, missing = _last_sample(_bytes_at(stream, max(0, size - _WINDOW), _WINDOW), page[14:18])
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


# --- MP3 -------------------------------------------------------------------------------------------------------

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


def _mp3(stream: BinaryIO, start: int, size: int) -> _Sound | None:
    window, place = _bytes_at(stream, start, _WINDOW), -1
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
        frame = _frame(_bytes_at(stream, offset, 4))
    return frame is not None and frame.like == first.like


def _mp3_sound(stream: BinaryIO, offset: int, size: int, frame: _Frame) -> _Sound:
    """Exact where the encoder left a table (Xing, Info, VBRI), else as if all frames were like the first."""
    there = size - offset
    head = _bytes_at(stream, offset, 256).ljust(256, b"\0")
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
        return _Sound("MP3", frame.rate, frame.channels, seconds, max(0, claimed - there))
    if _bytes_at(stream, max(0, size - 128), 3) == b"TAG":
        there -= 128
    return _Sound("MP3", frame.rate, frame.channels, there * 8 / frame.bits_per_second)
