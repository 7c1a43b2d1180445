"""What the approaches cost in money: prompting by tokens and volume, training by the plan of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backends.contract import DatasetProfile, ForgeError
from backends.registry import is_trained
from forge_tui.advice_data import FromData
from forge_tui.prompting_text import money_range, prompting_json, prompting_text
from forge_tui.settings import read_prices
from profiles.answers import Answers
from profiles.prompting_cost import PromptingCost, prompting_cost, request_tokens

_TEXT = "text"


@dataclass(frozen=True)
class Costs:
    """What is known of either way; `training` is a range of money with its reason."""

    prompting: PromptingCost | None
    training: tuple[float, float] | None = None
    training_reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The `costs` object; what is not known is None."""
        training = None
        if self.training is not None:
            training = {"money": [round(each, 4) for each in self.training], "reason": self.training_reason}
        prompting = None if self.prompting is None else prompting_json(self.prompting, self.training)
        return {"prompting": prompting, "training": training}

    def lines(self) -> list[str]:
        """Both in words; nothing where no price is set."""
        told = []
        if self.prompting is not None and self.prompting.per_thousand is not None:
            told.append(f"prompting: {prompting_text(self.prompting, self.training)} ({self.prompting.reason})")
        if self.training is not None:
            told.append(f"training: {money_range(self.training)} once ({self.training_reason})")
        return told


def costs_of(answers: Answers, found: FromData) -> Costs:
    """The costs as far as data, answers and the prices in settings.toml tell them."""
    prices = read_prices()
    prompting = None
    tokens = request_tokens(found.profile.task, found.profile.stats) if found.profile.task else None
    if tokens is not None and answers.data_modality == _TEXT:
        prompting = prompting_cost(tokens, prices.tokens, answers.volume)
    if not found.profile.ok or (prices.per_hour is None and prices.per_kwh is None):
        return Costs(prompting)
    return Costs(prompting, *_training(found.profile))


def _training(profile: DatasetProfile) -> tuple[tuple[float, float] | None, str | None]:
    """What the run that would be planned for the data here costs; nothing where none can be."""
    from forge_tui.hardware import probe
    from forge_tui.planning import Request, make_plan

    if profile.task is None or not is_trained(profile.task):
        return None, None
    try:
        plan = make_plan(Request(profile.path, profile.task, columns=profile.columns), probe(), profile)
    except ForgeError:
        return None, None
    cost = plan.time.cost
    if cost is None or cost.money is None or plan.is_too_large:
        return None, None
    return cost.money, f"{plan.recommendation.model.id} on {plan.device.name}, {cost.reason}"
