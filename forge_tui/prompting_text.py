"""The cost of prompting as JSON and in words, beside that of training."""

from __future__ import annotations

from typing import Any

from profiles.prompting_cost import PromptingCost


def prompting_json(cost: PromptingCost, training: tuple[float, float] | None) -> dict[str, Any]:
    """The `prompting` object; `training` is what a run costs, and `pays_from_requests` where it becomes cheaper."""
    pays = cost.pays_from(training)
    return {
        "tokens_read": cost.tokens_read,
        "tokens_written": cost.tokens_written,
        "money_per_thousand": None if cost.per_thousand is None else round(cost.per_thousand, 6),
        "requests_a_month": cost.requests_a_month,
        "money_a_month": None if cost.a_month is None else round(cost.a_month, 4),
        "pays_from_requests": None if pays is None else list(pays),
        "reason": cost.reason,
    }


def prompting_text(cost: PromptingCost, training: tuple[float, float] | None) -> str:
    """`0.08 for 1,000 requests of 226 tokens; a run pays from 120 to 480 requests on`."""
    tokens = cost.tokens_read + cost.tokens_written
    if cost.per_thousand is None:
        return f"about {tokens:,} tokens a request"
    said = f"{money(cost.per_thousand)} for 1,000 requests of about {tokens:,} tokens"
    if cost.requests_a_month is not None and cost.a_month is not None:
        said += f", {money(cost.a_month)} a month for {cost.requests_a_month:,}"
    pays = cost.pays_from(training)
    if pays is not None:
        low, high = (f"{each:,}" for each in pays)
        said += f"; a run pays from {low if low == high else f'{low} to {high}'} requests on, serving left out"
    return said


def money_range(both: tuple[float, float]) -> str:
    """`0.12 to 0.55`."""
    return f"{money(both[0])} to {money(both[1])}"


def money(value: float) -> str:
    """Two decimals, and of less than that the first two digits that say something."""
    return f"{value:,.2f}" if value >= 0.1 or not value else f"{value:.2g}"
