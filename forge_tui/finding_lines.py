"""Findings of the data desk as lines for people."""

from __future__ import annotations

from collections.abc import Sequence

from backends.contract import Finding


def grouped(findings: Sequence[Finding], places: int = 5) -> list[str]:
    """One line for each kind of finding: how many, the first message, where, what to do."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.code, []).append(finding)
    lines = []
    for group in kinds.values():
        first = group[0]
        if len(group) == 1:
            lines.append(f"{first.message} [{first.where}]. {first.fix}")
            continue
        rest = group[-1] if group[-1].message.startswith("and ") else None
        count = rest.where.split(" ")[0] if rest else str(len(group))
        where = ", ".join(finding.where for finding in group[:places])
        lines.append(f"{count}× {first.message} [{where}, …]. {first.fix}")
    return lines
