"""The three verdicts on pairs of texts, in data that numbers them 0, 1 and 2 as the hub's SNLI and MultiNLI do."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from backends.options import ASSUMED_ORDER, USUAL_ORDER

NUMBERS = ("0", "1", "2")
WITHOUT_VERDICT = "-1"


def named_verdicts(order: str, columns: Mapping[str, str], labels: Collection[str]) -> dict[str, str]:
    """The verdict that each number stands for, by the `order` that was chosen or is assumed; empty where none does.

    Only columns called premise and hypothesis are taken for such data, and only where 0, 1 and 2 are all there, with
    nothing else but -1, which marks rows that have no verdict.
    """
    called = [columns.get(role, "").strip().lower() for role in ("premise", "hypothesis")]
    if order == "off" or called != ["premise", "hypothesis"] or {*labels} - {WITHOUT_VERDICT} != {*NUMBERS}:
        return {}
    verdicts = (USUAL_ORDER if order == ASSUMED_ORDER else order).split(",")
    return dict(zip(NUMBERS, verdicts, strict=True))


def in_words(names: Mapping[str, str]) -> str:
    """What the numbers are taken for."""
    return ", ".join(f"{number} for {name}" for number, name in names.items())
