"""What prompting a model that is paid by tokens costs, so that it stands beside the cost of training in money."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What tells a model what to do, in each request: a page of instructions with the names of the classes. A rule of thumb;
# examples in the prompt come on top.
INSTRUCTIONS = 200
# Tokens of an answer: a class or a short span. Where the data holds longer answers their usual length counts.
_SHORT_ANSWER = 10
# Requests a month that are counted for the answer `volume`. Rules of thumb.
REQUESTS: Mapping[str, int] = {"low": 1_000, "high": 100_000}
_SHORT = (
    *("text-classification", "sentence-pair-classification", "extractive-question-answering"),
    *("tabular-classification", "tabular-regression"),
)


@dataclass(frozen=True)
class TokenPrices:
    """Prices of a million tokens that are read and written, in any currency; None is unknown."""

    read: float | None = None
    written: float | None = None


@dataclass(frozen=True)
class PromptingCost:
    """A request in tokens and in money; `a_month` for the volume that was answered. What is not known is None."""

    tokens_read: int
    tokens_written: int
    per_thousand: float | None
    requests_a_month: int | None
    a_month: float | None
    reason: str

    def pays_from(self, training: tuple[float, float] | None) -> tuple[int, int] | None:
        """From how many requests on training is cheaper than prompting, by either end of what it costs.

        What serving the trained model costs is left out. None where a price is not known, or prompting costs nothing.
        """
        if training is None or not self.per_thousand:
            return None
        low, high = (math.ceil(each / self.per_thousand * 1000) for each in training)
        return low, high


def request_tokens(task: str, stats: Mapping[str, Any]) -> tuple[int, int] | None:
    """Tokens read and written by a usual request on such data; None where its rows are no texts."""
    lengths = stats.get("lengths") or {}
    source, target = stats.get("source_lengths"), stats.get("target_lengths")
    if source and target:
        return INSTRUCTIONS + source["median"], max(1, target["median"])
    if "median" not in lengths or not str(lengths.get("unit", "")).startswith("tokens"):
        return None
    row = int(lengths["median"])
    if task in _SHORT:
        return INSTRUCTIONS + row, _SHORT_ANSWER
    if task == "token-classification":
        return INSTRUCTIONS + row, row
    return INSTRUCTIONS + row // 2, max(1, row - row // 2)  # of a row of question and answer either half


def prompting_cost(tokens: tuple[int, int], prices: TokenPrices, volume: str | None = None) -> PromptingCost:
    """What requests of so many tokens cost; where only one price is known it counts for both kinds."""
    read, written = tokens
    for_read = prices.read if prices.read is not None else prices.written
    for_written = prices.written if prices.written is not None else prices.read
    per_thousand = None
    reason = "no price_per_million_tokens is set in settings.toml"
    if for_read is not None and for_written is not None:
        per_thousand = (read * for_read + written * for_written) / 1000
        same = for_read == for_written
        reason = (
            f"{for_read:g} a million tokens" if same else f"{for_read:g} read and {for_written:g} written a million"
        )
    requests = REQUESTS.get(volume or "")
    a_month = None if requests is None or per_thousand is None else per_thousand * requests / 1000
    return PromptingCost(read, written, per_thousand, requests, a_month, reason)
