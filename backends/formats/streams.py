"""Opens data files as bytes or text, whether they are packed or not."""

from __future__ import annotations

import io
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
def open_text(source: Source, newline: str | None = None, errors: str = "replace") -> Iterator[tuple[Any, BinaryIO]]:
    """The text of a source, and the raw file below it."""
    with open_bytes(source.path, source.packing, source.member) as (stream, raw):
        with io.TextIOWrapper(stream, encoding=source.encoding, errors=errors, newline=newline) as text:
            yield text, raw


@contextmanager
def told_when_broken(source: Source) -> Iterator[None]:
    """Turn what an unpacker raises on a damaged file into an error in words."""
    import lzma
    import zlib

    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError) as error:
        reason = str(error)
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
