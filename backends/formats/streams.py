"""Opens data files as bytes or text, whether they are packed or not."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from backends.contract import UsageError
from backends.formats.source import Source, data_error

# The first bytes of each way of packing one file.
PACKINGS = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
_ZIP = b"PK\x03\x04"
_HIDDEN = ("__MACOSX/", ".")
# Python reads no whole number of more digits, and the streaming JSON parser dies of that instead of raising.
_MOST_DIGITS = 4_300
_ENDLESS_NUMBER = re.compile(rf"[\[:,\s]-?[0-9]{{{_MOST_DIGITS + 1}}}")
_TWO_DIGITS = re.compile("[0-9][0-9]")
# No line or text of data is longer; without a limit a file without line ends would be read into memory as one.
LONGEST_LINE = 1 << 26
# The parser looks again at a text that goes on from one piece to the next: small pieces take the square of the time.
JSON_PIECE = 1 << 20


def read_head(path: Path, count: int) -> tuple[bytes, int]:
    """The first bytes of a regular file and its whole size; raises UsageError when it cannot be read."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{path} is a folder", "one file is wanted here", "Name a file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a regular file", "it could not be read twice", "Write it to a file first.")
        with path.open("rb") as stream:
            return stream.read(count), status.st_size
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"There is no file {path}", "the path leads nowhere", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", str(error), "Check the path and its permissions.") from None


def packing_of(head: bytes, path: Path) -> tuple[str | None, str | None]:
    """How a file is packed, by its first bytes, and the member to read where it is a zip of one data file."""
    for magic, name in PACKINGS.items():
        if head.startswith(magic):
            return name, None
    if not head.startswith(_ZIP):
        return None, None
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir() and entry.file_size]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise data_error(
            "broken-archive",
            f"{path.name} is not a whole zip file",
            str(error),
            path.name,
            "Copy or download it again.",
        ) from None
    if "xl/workbook.xml" in names:
        return "xlsx", None
    if "content.xml" in names or "word/document.xml" in names:
        raise data_error(
            "office-file",
            f"{path.name} is an office document",
            "only .xlsx workbooks are read",
            path.name,
            "Save the table as CSV or as .xlsx.",
        )
    shown = [name for name in names if not name.startswith(_HIDDEN) and "/." not in name]
    if len(shown) != 1:
        raise data_error(
            "many-members",
            f"{path.name} holds {len(shown)} files",
            f"a zip is read when it holds one data file; this one holds {', '.join(shown[:5]) or 'nothing'}",
            path.name,
            "Unpack it and name the folder.",
        )
    return "zip", shown[0]


@contextmanager
def open_bytes(
    path: Path, packing: str | None = None, member: str | None = None
) -> Iterator[tuple[IO[bytes], BinaryIO]]:
    """The unpacked bytes, and the raw file below them, whose position tells how much has been read."""
    with path.open("rb") as raw:
        if packing == "gz":
            import gzip

            with gzip.GzipFile(fileobj=raw) as stream:
                yield io.BufferedReader(stream), raw
        elif packing == "bz2":
            import bz2

            with bz2.BZ2File(raw) as packed:
                yield packed, raw
        elif packing == "xz":
            import lzma

            with lzma.LZMAFile(raw) as squeezed:
                yield squeezed, raw
        elif packing == "zst":
            import pyarrow

            with pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, mode="r"), "zstd") as native:
                yield native, raw
        elif packing == "zip":
            with zipfile.ZipFile(raw) as archive, archive.open(member or "") as entry:
                yield entry, raw
        else:
            yield raw, raw


@contextmanager
def open_text(
    source: Source, newline: str | None = None, errors: str = "replace", lines: bool = False
) -> Iterator[tuple[Any, BinaryIO]]:
    """The text of a source, and the raw file below it; read by `lines`, one without end raises DataError."""
    with open_bytes(source.path, source.packing, source.member) as (stream, raw):
        read: Any = _Lines(stream, source.path.name) if lines else stream
        with io.TextIOWrapper(read, encoding=source.encoding, errors=errors, newline=newline) as text:
            yield text, raw


class Utf8:
    """A text stream seen as UTF-8 bytes, which is what the streaming JSON parser reads."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._seen = ""
        self._unquoted = 0

    def read(self, size: int) -> bytes:
        """The next characters; raises ValueError where they hold a number or a text without end."""
        text: str = self._stream.read(size)
        self._look(self._seen, text)
        self._seen = (self._seen + text)[-_MOST_DIGITS - 2 :]
        quote = text.rfind('"')
        self._unquoted = self._unquoted + len(text) if quote < 0 else len(text) - quote
        if self._unquoted > LONGEST_LINE:
            raise ValueError(f"it holds over {LONGEST_LINE:,} characters without a quote")
        return text.encode("utf-8", errors="replace")

    def _look(self, before: str, text: str) -> None:
        """Refuse what the parser cannot bear in the new characters; a number may begin in those before."""
        # A look at a few characters tells of nearly every text that no such number is in it.
        if _TWO_DIGITS.search((before + text)[:: _MOST_DIGITS // 2]) and _ENDLESS_NUMBER.search(before + text):
            raise ValueError(f"it holds a number of over {_MOST_DIGITS:,} digits")


class _Lines(io.BufferedIOBase):
    """A byte stream that ends with a DataError where a line has no end."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name
        self._read = self._line = 0

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def read1(self, size: int = -1) -> bytes:
        """The next bytes."""
        data: bytes = self._stream.read1(size)
        self._read += len(data)
        if b"\n" in data or b"\r" in data:
            self._line = self._read
        elif self._read - self._line > LONGEST_LINE:
            where = f"byte {self._line:,}"
            why = f"the line around {where} has no end in {LONGEST_LINE:,} bytes"
            fix = "Write each row on a line of its own; if it is no table, name a file that is one."
            raise data_error("endless-line", f"{self._name} cannot be read", why, where, fix)
        return data


@contextmanager
def told_when_broken(source: Source) -> Iterator[None]:
    """Turn what an unpacker raises on a damaged file into an error in words."""
    import lzma
    import zlib

    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError) as error:
        reason = str(error) or "it ends too early"
    except RuntimeError as error:
        if source.packing != "zip" or "password" not in str(error):
            raise
        reason = "it is locked with a password"
    except OSError as error:
        if source.packing is None:
            raise
        reason = str(error)
    else:
        return
    name = source.path.name
    raise data_error(
        "broken-archive", f"{name} cannot be unpacked to its end", reason, name, "Copy or download it again."
    )
