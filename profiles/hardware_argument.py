"""Reads the value of --hardware that describes a machine in a word: `gpu:24GiB`, `gpu:2x80GiB`."""

from __future__ import annotations

import re

from backends.contract import UsageError, nearest
from profiles.hardware import Gpu, Hardware
from profiles.hardware_profiles import GIB

ASSUMED_CAPABILITY = "8.0"
WORDS = ("auto", "cpu")
FORMS = "auto, cpu, gpu:24GiB, gpu:2x80GiB, or a file that `forge-tui hardware --json` printed"
MOST_GPUS, MOST_GIB = 1024, 4096

_EXACT = re.compile(r"gpu:(?:(\d{1,6})x)?(\d{1,9}(?:\.\d{1,9})?)gib", re.IGNORECASE)
_NUMBER = r"(?P<size>\d{1,9}(?:[.,]\d{1,9})?)"
_UNIT = r"(?P<unit>[kmgt]?i?b?(?:ytes?)?)"
_COUNT = r"(?P<count>\d{1,6})"
_MEANT = tuple(
    re.compile(rf"(?:gpus?)?[\s:=]*{shape}", re.IGNORECASE)
    for shape in (
        rf"(?:{_COUNT}\s*[x*×]\s*)?{_NUMBER}\s*{_UNIT}",
        rf"{_NUMBER}\s*{_UNIT}\s*[x*×]\s*{_COUNT}",
    )
)
_IN_GIB = {"m": 1 / 1024, "k": 1 / 1024**2, "t": 1024.0}


def described_hardware(text: str) -> Hardware:
    """The machine that `gpu:24GiB` or `gpu:2x80GiB` describes: so much memory free on each GPU, the rest unknown.

    Raises UsageError with the nearest valid form.
    """
    match = _EXACT.fullmatch(text.strip())
    if match is None:
        raise refusal(text)
    count, size = int(match[1] or 1), float(match[2])
    if not 1 <= count <= MOST_GPUS or not 0 < size <= MOST_GIB:
        raise UsageError(
            f"There is no machine {text!r}",
            f"a machine has 1 to {MOST_GPUS:,} GPUs with up to {MOST_GIB:,} GiB each",
            "Correct it, for instance gpu:24GiB or gpu:2x80GiB.",
        )
    memory = int(size * GIB)
    gpus = tuple(
        Gpu(index, memory_total_bytes=memory, memory_free_bytes=memory, compute_capability=ASSUMED_CAPABILITY)
        for index in range(count)
    )
    each = "each GPU" if count > 1 else "the GPU"
    assumed = (
        f"This machine is described, not read: {size:g} GiB are taken to be free on {each}, and its compute capability "
        f"to be {ASSUMED_CAPABILITY}; for the facts give a file that `forge-tui hardware --json` printed there."
    )
    return Hardware(gpus=gpus, problems=(assumed,))


def refusal(text: str) -> UsageError:
    """Why this is no value of --hardware, with the nearest valid one."""
    meant = nearest_form(text)
    return UsageError(
        f"--hardware {text!r} is not understood",
        f"it takes {FORMS}; memory is in GiB, as nvidia-smi counts it",
        f"Write --hardware {meant}" if meant else f"Correct it{nearest(text, (*WORDS, 'gpu:24GiB'))}.",
    )


def nearest_form(text: str) -> str | None:
    """`gpu:24GiB` for `24Gb`, `gpu:24`, `gpu=24 GB`, `24576MiB`; None when no size of memory can be seen in it."""
    for shape in _MEANT:
        if match := shape.fullmatch(text.strip()):
            count, size = int(match["count"] or 1), float(match["size"].replace(",", "."))
            size *= _IN_GIB.get(match["unit"][:1].lower(), 1.0)
            if 1 <= count <= MOST_GPUS and 0.1 <= size <= MOST_GIB:
                return f"gpu:{f'{count}x' if count > 1 else ''}{round(size, 1):g}GiB"
    return "gpu:24GiB" if text.strip().lower() in ("gpu", "gpus", "gpu:", "cuda") else None
