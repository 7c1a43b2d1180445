"""Finds out how a text is encoded, from its first bytes."""

from __future__ import annotations

import codecs

from backends.contract import Finding

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CODE_PAGES = ("cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 koi8_r shift_jis gb18030 big5 euc_jp euc_kr").split()
_FEWEST_UNITS, _ZERO_SHARE, _LOOKED_AT = 8, 0.1, 20_000
_SAVE_IT = "If letters look wrong, save the file as UTF-8."


def encoding_of(head: bytes, name: str) -> tuple[str, tuple[Finding, ...]]:
    """The encoding of a text by its first bytes, and what had to be assumed."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, ()
    wide = _without_mark(head)
    if wide is not None:
        message = f"{name} has no byte order mark; it was read as UTF-16 ({wide})"
        return wide, (Finding("encoding-guessed", message, name, _SAVE_IT),)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
        return "utf-8", ()
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    found = from_bytes(head[: 1 << 16], cp_isolation=list(_CODE_PAGES))
    best = found.best()
    western = next((match for match in found if "cp1252" in match.could_be_from_charset), None)
    # Several code pages often read equally well; Western exports are by far the commonest.
    if best is None or (western and western.chaos <= best.chaos and western.coherence >= best.coherence):
        encoding = "cp1252"
    else:
        encoding = best.encoding
    try:
        head.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        encoding = "latin-1"
    note = Finding(
        "encoding-guessed",
        f"{name} is not UTF-8; it was read as {encoding}",
        name,
        _SAVE_IT,
    )
    return encoding, (note,)


def _without_mark(head: bytes) -> str | None:
    """UTF-16 where its mark is missing: of the two bytes of its commonest letters, always the same one is zero."""
    units = len(head) // 2
    zeros = [head[side : 2 * units : 2].count(0) for side in (0, 1)]
    if units < _FEWEST_UNITS or max(zeros) < _ZERO_SHARE * units or 20 * min(zeros) > max(zeros):
        return None
    encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    text = head[: 2 * units].decode(encoding, errors="replace")
    odd = sum(not (letter.isprintable() or letter.isspace()) or letter == "\ufffd" for letter in text[:_LOOKED_AT])
    return encoding if odd <= 0.01 * min(len(text), _LOOKED_AT) else None
