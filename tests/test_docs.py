"""The documents say what the program does: every code of a finding stands in docs/data.md."""

from __future__ import annotations

import re
from pathlib import Path

_CODE = re.compile(
    r'(?:\.warn|\.error|Fault|Finding|data_error|_unreadable|_note|\bnote)\(\s*f?"([a-z0-9]+(?:-[a-z0-9]+)+)"'
)
# Codes that differ in one word: empty-text, empty-label and so on.
_FAMILIES = ("empty-", "invalid-")


def test_every_code_of_a_finding_is_documented(repository: Path) -> None:
    told = (repository / "docs" / "data.md").read_text(encoding="utf-8")
    codes = set()
    for file in (repository / "backends" / "formats").glob("*.py"):
        codes |= set(_CODE.findall(file.read_text(encoding="utf-8")))
    assert len(codes) > 90
    missing = {code for code in codes if f"`{code}`" not in told and not code.startswith(_FAMILIES)}
    assert missing == set()
