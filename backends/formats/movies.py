"""What is in a video file, read from its index with the standard library alone; the pictures are skipped over."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backends.formats.findings import Fault
from backends.formats.media_files import AGAIN, open_media
from backends.formats.sound_headers import chunks

_CONVERT = "Save the video as MP4, or remove it."
# Boxes or elements looked at before the search ends; a real index has hundreds, a long live recording thousands.
_MOST_PARTS = 100_000
_PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"avis")
_MKV_HEADER, _MKV_DOCTYPE, _MKV_SEGMENT, _MKV_INFO = 0x1A45DFA3, 0x4282, 0x18538067, 0x1549A966
_MKV_SCALE, _MKV_DURATION, _MKV_TRACKS, _MKV_CLUSTER = 0x2AD7B1, 0x4489, 0x1654AE6B, 0x1F43B675
_MKV_TRACK, _MKV_TYPE, _MKV_VIDEO, _MKV_WIDTH, _MKV_HEIGHT = 0xAE, 0x83, 0xE0, 0xB0, 0xBA


@dataclass(frozen=True)
class VideoFacts:
    """What is known of a video file; None where the file does not say. The size is that of the stored frames."""

    seconds: float | None
    width: int | None
    height: int | None
    frames: int | None
    kind: str | None
    faults: tuple[Fault, ...]

    @property
    def usable(self) -> bool:
        """Whether a model can be given this video."""
        return not any(fault.fatal for fault in self.faults)


@dataclass
class _Movie:
    """What has been found so far; `missing` counts the bytes that the file promises and does not have."""

    kind: str
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    has_index: bool = False
    has_video: bool = False
    has_pictures: bool = False
    missing: int = 0


@dataclass
class _Reader:
    """A stream, its size, and how many more parts may be looked at."""

    stream: BinaryIO
    size: int
    parts_left: int = _MOST_PARTS

    def at(self, offset: int, count: int) -> bytes:
        """Bytes from a place, which may lie behind the end."""
        if offset >= self.size:
            return b""
        self.stream.seek(offset)
        return self.stream.read(count)

    def number(self, offset: int, count: int) -> int:
        """The big-endian number at a place."""
        return int.from_bytes(self.at(offset, count), "big")

    def may_go_on(self) -> bool:
        """Whether one more part may be looked at, so that no file holds the reader for ever."""
        self.parts_left -= 1
        return self.parts_left >= 0


def inspect_video(path: Path) -> VideoFacts:
    """Read the index of a video file and say what is wrong with it; no file makes it raise."""
    opened = open_media(path, "video")
    if isinstance(opened, Fault):
        return VideoFacts(None, None, None, None, None, (opened,))
    with opened as stream:
        try:
            movie = _read_index(_Reader(stream, os.fstat(stream.fileno()).st_size))
        except (OSError, struct.error) as error:
            reason = "its index ends early" if isinstance(error, struct.error) else str(error)
            fault = Fault("video-broken", f"cannot be read: {reason}", AGAIN)
            return VideoFacts(None, None, None, None, None, (fault,))
    if movie is None:
        message = "is no MP4, MOV, AVI, MKV or WebM file, whatever its name says"
        return VideoFacts(None, None, None, None, None, (Fault("not-video", message, _CONVERT),))
    faults = tuple(_faults(movie))
    return VideoFacts(movie.seconds, movie.width, movie.height, movie.frames, movie.kind, faults)


def _faults(movie: _Movie) -> Iterator[Fault]:
    if not movie.has_index:
        message = "has no index, so its pictures cannot be found: it is cut, or its recording was not ended"
        yield Fault("video-cut", message, AGAIN)
    elif movie.missing > 0:
        yield Fault("video-cut", f"is cut: {movie.missing:,} bytes are missing at its end", AGAIN)
    elif not movie.has_video:
        yield Fault("video-no-picture", "has no video track, only sound or data", "Remove it, or use it as sound.")
    elif not movie.has_pictures or movie.seconds == 0:
        yield Fault("video-zero-length", "holds 0.0 s of video", AGAIN)
    elif movie.width == 0 or movie.height == 0:
        yield Fault("video-broken", f"says that its pictures are {movie.width} × {movie.height} pixels", AGAIN)


def _read_index(reader: _Reader) -> _Movie | None:
    head = reader.at(0, 12)
    if head[:4] == b"RIFF" and head[8:] == b"AVI ":
        return _avi(reader)
    if head[:4] == _MKV_HEADER.to_bytes(4, "big"):
        return _mkv(reader)
    if head[4:8] in (b"moov", b"mdat") or (head[4:8] in (b"ftyp", b"free", b"skip", b"wide") and not head[0]):
        return _mp4(reader)
    return None


# --- MP4 and MOV -----------------------------------------------------------------------------------------------


def _boxes(reader: _Reader, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box from one place to another: its name, and where its content begins and should end."""
    while begin + 8 <= end and reader.may_go_on():
        head = reader.at(begin, 16)
        length, start = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), 16
        elif length == 0:  # until the end
            length = end - begin
        if length < start or len(head) < start:
            return
        yield head[4:8], begin + start, begin + length
        begin += length


def _leaves(reader: _Reader, begin: int, end: int, depth: int = 0) -> Iterator[tuple[bytes, int]]:
    """The boxes of a track with what lies in the boxes around them taken out."""
    for name, start, stop in _boxes(reader, begin, end):
        if name in (b"mdia", b"minf", b"stbl") and depth < 3:
            yield from _leaves(reader, start, min(stop, end), depth + 1)
        else:
            yield name, start


def _mp4(reader: _Reader) -> _Movie | None:
    movie, brand, index = _Movie("MP4"), b"qt  ", None
    in_fragments = has_media = False
    for name, begin, end in _boxes(reader, 0, reader.size):
        if name == b"ftyp":
            brand = reader.at(begin, 4)
        elif name == b"moov" and index is None:
            index = begin, min(end, reader.size)
        in_fragments = in_fragments or name == b"moof"
        has_media = has_media or name == b"mdat"
        if name in (b"moov", b"moof", b"mdat"):
            movie.missing = max(movie.missing, end - reader.size)
    if index is None and brand in _PICTURE_BRANDS:
        return None
    movie.kind = "MOV" if brand == b"qt  " else "MP4"
    movie.has_index = index is not None
    whole, scale = None, 0
    for name, begin, end in _boxes(reader, *(index or (0, 0))):
        if name == b"mvhd":
            whole = _duration(reader, begin)
            scale = reader.number(begin + (20 if reader.number(begin, 1) else 12), 4)
        elif name == b"trak":
            _track(reader, begin, end, movie, scale)
    movie.seconds = movie.seconds or whole or (None if in_fragments else movie.seconds)
    movie.has_pictures = has_media and (movie.has_pictures or in_fragments)
    if in_fragments:
        movie.frames = None
    return movie


def _track(reader: _Reader, begin: int, end: int, movie: _Movie, scale: int) -> None:
    """Take in a track if it is video, and of several the one with the most frames: covers are tracks too."""
    leaves: dict[bytes, int] = {}
    for name, start in _leaves(reader, begin, end):
        leaves.setdefault(name, start)
    if b"hdlr" not in leaves or reader.at(leaves[b"hdlr"] + 8, 4) != b"vide":
        return
    sizes = leaves.get(b"stsz", leaves.get(b"stz2"))
    frames = reader.number(sizes + 8, 4) if sizes is not None else 0
    if movie.has_video and frames <= (movie.frames or 0):
        return
    movie.has_video, movie.frames, movie.has_pictures = True, frames, frames > 0
    movie.seconds = _duration(reader, leaves[b"mdhd"]) if b"mdhd" in leaves else None
    if b"stsd" in leaves:
        movie.width, movie.height = struct.unpack(">HH", reader.at(leaves[b"stsd"] + 40, 4))
    if b"tkhd" in leaves:
        place = leaves[b"tkhd"]
        is_long = reader.number(place, 1) > 0
        # What the track is shown for: less than what it holds where its edit list cuts some off.
        shown = (reader.number(place + 28, 8) if is_long else reader.number(place + 20, 4)) / max(scale, 1)
        if movie.seconds and 0 < shown < movie.seconds - 0.01:
            movie.seconds = shown
        if not movie.width:
            place += 88 if is_long else 76
            movie.width, movie.height = reader.number(place, 4) >> 16, reader.number(place + 4, 4) >> 16


def _duration(reader: _Reader, begin: int) -> float | None:
    """Seconds from an mvhd or mdhd box; all bits set means that the writer did not know."""
    if reader.number(begin, 1):
        scale, length, unknown = reader.number(begin + 20, 4), reader.number(begin + 24, 8), (1 << 64) - 1
    else:
        scale, length, unknown = reader.number(begin + 12, 4), reader.number(begin + 16, 4), (1 << 32) - 1
    return None if length == unknown or not scale else length / scale


# --- AVI -------------------------------------------------------------------------------------------------------


def _avi(reader: _Reader) -> _Movie:
    movie = _Movie("AVI")
    for name, begin, length in chunks(reader.stream, 0, "little"):
        if name != b"LIST":
            continue
        kind = reader.at(begin, 4)
        if kind == b"hdrl":
            _avi_header(reader, begin, length, movie)
        elif kind == b"movi":
            movie.has_index = True
            movie.has_pictures = movie.frames != 0
            movie.missing = begin + length - reader.size
            break
    return movie


def _avi_header(reader: _Reader, begin: int, length: int, movie: _Movie) -> None:
    whole = None
    for name, start, inner in chunks(reader.stream, begin - 8, "little"):
        if start >= begin + length:
            break
        if name == b"avih":
            microseconds, *_, frames, _, _, _, movie.width, movie.height = struct.unpack("<10I", reader.at(start, 40))
            whole = frames * microseconds / 1e6
            movie.frames = frames
        elif name == b"LIST" and reader.at(start, 4) == b"strl":
            _avi_stream(reader, start, inner, movie)
    movie.seconds = movie.seconds or whole


def _avi_stream(reader: _Reader, begin: int, length: int, movie: _Movie) -> None:
    for name, start, _ in chunks(reader.stream, begin - 8, "little"):
        if name != b"strh" or start >= begin + length:
            return
        if reader.at(start, 4) == b"vids" and not movie.has_video:
            scale, rate, _, frames = struct.unpack("<4I", reader.at(start + 20, 16))
            movie.has_video = True
            movie.frames = frames or movie.frames
            movie.seconds = frames * scale / rate if rate else None
        return


# --- MKV and WebM ----------------------------------------------------------------------------------------------


def _elements(reader: _Reader, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Each EBML element from one place to another: its number, and where its content begins and should end."""
    while begin < end and reader.may_go_on():
        head = reader.at(begin, 12)
        width = 9 - head[0].bit_length() if head else 9
        if width > 4 or len(head) <= width or not head[width]:
            return
        name, after = int.from_bytes(head[:width], "big"), 9 - head[width].bit_length()
        length = int.from_bytes(head[width : width + after], "big") & (1 << 7 * after) - 1
        start = begin + width + after
        # All bits set: a live recording, whose element goes on until its parent ends.
        stop = end if length == (1 << 7 * after) - 1 else start + length
        yield name, start, stop
        begin = stop


def _mkv(reader: _Reader) -> _Movie:
    movie = _Movie("MKV")
    for name, begin, end in _elements(reader, 0, reader.size):
        if name == _MKV_HEADER:
            words = [reader.at(start, 4) for inner, start, _ in _elements(reader, begin, end) if inner == _MKV_DOCTYPE]
            movie.kind = "WebM" if words[:1] == [b"webm"] else "MKV"
        elif name == _MKV_SEGMENT:
            movie.missing = end - reader.size
            _mkv_segment(reader, begin, min(end, reader.size), movie)
            break
    return movie


def _mkv_segment(reader: _Reader, begin: int, end: int, movie: _Movie) -> None:
    for name, start, stop in _elements(reader, begin, end):
        if name == _MKV_INFO:
            scale, duration = 1_000_000, 0.0
            for inner, place, after in _elements(reader, start, stop):
                if inner == _MKV_SCALE:
                    scale = reader.number(place, min(8, after - place))
                elif inner == _MKV_DURATION and after - place in (4, 8):
                    (duration,) = struct.unpack(">f" if after - place == 4 else ">d", reader.at(place, after - place))
            seconds = duration * scale / 1e9
            movie.seconds = seconds if 0 < seconds < math.inf else None  # live recordings have none
        elif name == _MKV_TRACKS:
            movie.has_index = True
            for inner, place, after in _elements(reader, start, stop):
                if inner == _MKV_TRACK:
                    _mkv_track(reader, place, after, movie)
        elif name == _MKV_CLUSTER:
            movie.has_pictures = True
        if movie.has_index and movie.has_pictures:
            return


def _mkv_track(reader: _Reader, begin: int, end: int, movie: _Movie) -> None:
    kind, size = 0, {}
    for name, start, stop in _elements(reader, begin, end):
        if name == _MKV_TYPE:
            kind = reader.number(start, min(8, stop - start))
        elif name == _MKV_VIDEO:
            size = {inner: reader.number(at, min(8, after - at)) for inner, at, after in _elements(reader, start, stop)}
    if kind == 1 and not movie.has_video:
        movie.has_video, movie.width, movie.height = True, size.get(_MKV_WIDTH), size.get(_MKV_HEIGHT)
