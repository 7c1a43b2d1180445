"""Reads how many weights safetensors files hold, from their headers alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

from backends.contract import UsageError

LONGEST_HEADER = 1 << 25  # a model of a thousand layers needs less
_FIX = "Fetch the model again."


def count_weights(files: Iterable[Path]) -> int:
    """The numbers in all tensors of floats of some files; whole numbers are buffers, not weights.

    Raises UsageError naming the file that is damaged.
    """
    return sum(_of_file(file) for file in files)


def cut_off(file: Path) -> bool:
    """Whether a file ends before the tensors that its header names, as a broken download does."""
    count_weights((file,))  # the header is what it should be
    with file.open("rb") as stream:
        start = 8 + int.from_bytes(stream.read(8), "little")
    ends = (tensor.get("data_offsets") for tensor in _header(file).values() if isinstance(tensor, dict))
    last = max((each[1] for each in ends if isinstance(each, list) and type(each[-1]) is int), default=0)
    return bool(file.stat().st_size < start + last)


def _of_file(file: Path) -> int:
    try:
        header = _header(file)
        return sum(_of_tensor(tensor) for name, tensor in header.items() if name != "__metadata__")
    except OSError as error:
        raise UsageError(f"{file} cannot be read", error.strerror or str(error), _FIX) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = f"its header is no list of tensors ({error!s:.80})"
        raise UsageError(f"The weights in {file} are damaged", why, _FIX) from None


def _header(file: Path) -> dict[str, object]:
    """A file begins with the length of its header in 8 bytes, the lowest first, then the header as JSON."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(LONGEST_HEADER, file.stat().st_size - 8):
            raise ValueError(f"it would be {length:,} bytes long")
        header = json.loads(stream.read(length))
    if not isinstance(header, dict):
        raise ValueError("it is no object")
    return header


def _of_tensor(tensor: object) -> int:
    if not isinstance(tensor, dict):
        raise ValueError("a tensor is no object")
    kind, sides = tensor["dtype"], tensor["shape"]
    if not isinstance(kind, str) or not all(type(side) is int and side >= 0 for side in sides):
        raise ValueError("a tensor has no type or no sides")
    return math.prod(sides) if kind.startswith(("F", "BF")) else 0
