"""Counts different values, and finds the same ones again, in bounded memory."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from zlib import crc32

_KEPT = 20_000
_LOWER = bytes(range(65)) + bytes(range(97, 123)) + bytes(range(91, 256))
_SPACES = b" \t\n\r\x0b\x0c"
# The white space beyond ASCII, as it stands in UTF-8.
_WIDE_SPACES = re.compile(rb"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80")
_ASCII = bytes(range(128))
# Letters beyond ASCII that case folding changes, a few that it does not, and the wide spaces, as they begin in UTF-8:
# a text without any of them needs neither folding nor a search for spaces, which take four times as long.
_FOLDED = re.compile(
    rb"\xc2[\x85\xa0\xb5]|\xc3[\x80-\x9f]|[\xc4-\xc9\xcd-\xcf\xd2-\xd6\xe1\xea\xef]|\xd0[\x80-\xaf]|\xd1[\xa0-\xbf]"
    rb"|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2[\x81\x84-\x86\x92\x93\xb0-\xb3]|\xe3\x80\x80|\xf0[\x90\x91\x96\x9e]"
)
# So many rows at once go into a dictionary; more are looked at a share of the hashes at a time, to save memory.
_FEW = 500_000


class Distinct:
    """How many different values there are: exact up to some thousands, then estimated by adaptive sampling.

    Keeps the hashes whose last `depth` bits are zero and doubles the count for every bit (Flajolet 1990); with
    10,000 to 20,000 hashes kept the standard error is about 1%. The last 32 bits of a hash are a checksum, so that the
    estimate is the same in every process; Python's own hash, another one in each, makes up the rest.
    """

    __slots__ = ("_depth", "_hashes", "_most")

    def __init__(self, most: int = _KEPT) -> None:
        self._hashes: set[int] = set()
        self._depth = 0
        self._most = most

    def add(self, values: Iterable[str]) -> None:
        """Take more values in."""
        values = set(values)
        mask = (1 << self._depth) - 1
        try:
            sums = list(map(crc32, map(str.encode, values)))
        except UnicodeEncodeError:  # halves of characters
            sums = [crc32(value.encode(errors="surrogatepass")) for value in values]
        kept: Iterable[tuple[str, int]] = zip(values, sums)
        if mask:
            kept = [(value, checksum) for value, checksum in kept if not checksum & mask]
        self._hashes.update([hash(value) >> 32 << 32 | checksum for value, checksum in kept])
        while len(self._hashes) > self._most:
            self._depth += 1
            mask = (1 << self._depth) - 1
            self._hashes = {number for number in self._hashes if not number & mask}

    @property
    def count(self) -> int:
        """The number of different values, or the estimate."""
        return len(self._hashes) << self._depth

    @property
    def is_exact(self) -> bool:
        """Whether the count is no estimate."""
        return not self._depth


def normal_hash(text: str) -> int:
    """A number that is the same for texts that differ in case and white space only."""
    if text.isascii():
        return hash(text.encode().translate(_LOWER, _SPACES))
    plain = text.encode("utf-8", errors="surrogatepass").translate(_LOWER, _SPACES)
    if _FOLDED.search(plain.translate(None, _ASCII)) is None:
        return hash(plain)
    folded = text.casefold().encode("utf-8", errors="surrogatepass").translate(None, _SPACES)
    return hash(_WIDE_SPACES.sub(b"", folded))


def same_again(hashes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """For every position whose hash stood before, in some order: (position, the first position with it)."""
    mask = 0
    while len(hashes) > _FEW * (mask + 1):
        mask = 2 * mask + 1
    for share in range(mask + 1):
        some = [number for number in hashes if number & mask == share] if mask else hashes
        if len(set(some)) == len(some):
            continue
        often = {number for number, count in Counter(some).items() if count > 1}
        seen: dict[int, int] = {}
        for position, number in compress(enumerate(hashes), map(often.__contains__, hashes)):
            first = seen.setdefault(number, position)
            if first != position:
                yield position, first


def as_hashes(values: Sequence[int] = ()) -> array[int]:
    """An empty or filled list of hashes, eight bytes each."""
    return array("q", values)
