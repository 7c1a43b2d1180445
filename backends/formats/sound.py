"""What is in a sound file, read from its headers with the standard library alone."""

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
from backends.formats.mp3 import mp3
from backends.formats.sound_headers import BrokenError, Sound, aiff, bytes_at, flac, ogg, wav

# Telephones take 8,000 samples a second, measuring devices 384,000; beyond, the number is an accident.
LOWEST_RATE, HIGHEST_RATE = 1_000, 384_000
# A training row is a word or a sentence; what is longer than this is a recording to be cut up first.
LONG_SECONDS = 300.0


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


def inspect_audio(path: Path) -> AudioFacts:
    """Read the headers of a sound file and say what is wrong with it; no file makes it raise."""
    opened = open_media(path, "audio")
    if isinstance(opened, Fault):
        return AudioFacts(None, None, None, None, (opened,))
    with opened as stream:
        try:
            sound = _read_headers(stream, os.fstat(stream.fileno()).st_size)
        except (BrokenError, OSError, struct.error) as error:
            reason = "it ends within its header" if isinstance(error, struct.error) else str(error)
            fault = Fault("audio-broken", f"cannot be read: {reason}", AGAIN)
            return AudioFacts(None, None, None, None, (fault,))
    if sound is None:
        message = "is no WAV, FLAC, MP3, Ogg or AIFF file, whatever its name says"
        fault = Fault("not-audio", message, "Save the sound as WAV or FLAC, or remove the file.")
        return AudioFacts(None, None, None, None, (fault,))
    return AudioFacts(sound.seconds, sound.rate, sound.channels, sound.kind, tuple(_faults(sound)))


def _faults(sound: Sound) -> Iterator[Fault]:
    seconds = math.inf if sound.seconds is None else sound.seconds
    if not LOWEST_RATE <= sound.rate <= HIGHEST_RATE:
        message = f"says it has {sound.rate:,} samples a second; sound has {LOWEST_RATE:,} to {HIGHEST_RATE:,}"
        yield Fault("audio-rate", message, "Save it again with its true rate, or remove it.")
    elif seconds * sound.rate < 0.5:
        yield Fault("audio-no-samples", "holds 0.0 s of audio", AGAIN)
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


def _read_headers(stream: BinaryIO, size: int) -> Sound | None:
    start = _after_id3(stream)
    head = bytes_at(stream, start, 12)
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and head[8:] == b"WAVE":
        return wav(stream, start, size, "big" if head[:4] == b"RIFX" else "little")
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return aiff(stream, start, size)
    if head[:4] == b"fLaC":
        return flac(stream, start, size)
    if head[:4] == b"OggS":
        return ogg(stream, start, size)
    return mp3(stream, start, size)


def _after_id3(stream: BinaryIO) -> int:
    """Where the sound begins: behind the ID3v2 tags, which may hold whole pictures."""
    start = 0
    for _ in range(8):
        head = bytes_at(stream, start, 10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 127:
            break
        footer = 10 if head[5] & 0x10 else 0
        start += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + footer
    return start
