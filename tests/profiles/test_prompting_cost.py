"""What prompting costs by tokens and volume, and from where on training is cheaper."""

from __future__ import annotations

from profiles.prompting_cost import INSTRUCTIONS, TokenPrices, prompting_cost, request_tokens

LENGTHS = {"unit": "tokens, about, at 4 bytes each", "median": 40, "p95": 90, "longest": 200}


def test_a_request_is_the_instructions_and_a_usual_row() -> None:
    read, written = request_tokens("text-classification", {"lengths": LENGTHS}) or (0, 0)
    assert read == INSTRUCTIONS + 40 and 0 < written < 40
    assert request_tokens("token-classification", {"lengths": LENGTHS}) == (INSTRUCTIONS + 40, 40)
    sides = {"source_lengths": {"median": 300}, "target_lengths": {"median": 33}, "lengths": LENGTHS}
    assert request_tokens("summarization", sides) == (INSTRUCTIONS + 300, 33)
    assert request_tokens("text-generation", {"lengths": LENGTHS}) == (INSTRUCTIONS + 20, 20)


def test_pictures_have_no_known_tokens() -> None:
    assert request_tokens("image-classification", {}) is None
    assert request_tokens("speech-recognition", {"lengths": {"unit": "seconds", "median": 4}}) is None


def test_money_is_by_what_is_read_and_what_is_written() -> None:
    both = prompting_cost((1000, 100), TokenPrices(1.0, 10.0), "high")
    assert both.per_thousand == 1.0 + 1.0
    assert both.requests_a_month == 100_000 and both.a_month == 200.0
    assert prompting_cost((1000, 100), TokenPrices(1.0), "low").per_thousand == 1.1


def test_an_unknown_price_stays_unknown() -> None:
    unknown = prompting_cost((1000, 100), TokenPrices(), "high")
    assert unknown.per_thousand is None and unknown.a_month is None and unknown.pays_from((1.0, 2.0)) is None
    assert "settings.toml" in unknown.reason


def test_training_pays_from_as_many_requests_as_it_costs() -> None:
    cost = prompting_cost((1000, 0), TokenPrices(2.0))
    assert cost.pays_from((1.0, 3.0)) == (500, 1500)
    assert cost.pays_from(None) is None
    assert prompting_cost((1000, 0), TokenPrices(0.0)).pays_from((1.0, 3.0)) is None
