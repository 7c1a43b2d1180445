"""The decision: prompt, look up, fine-tune, train from scratch or train a table model, with reasons and alternatives.

`decide` scores every approach by the rules of decision.toml; what would change the advice is found by changing the
answers and deciding again, so it is always true.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from backends.registry import find_data
from profiles.answers import Answers, counted
from profiles.decision_facts import Approach, Remark, Rule, Way, decision


@dataclass(frozen=True)
class Verdict:
    """How one approach comes out for some answers: points, and what rules it out."""

    approach: Approach
    points: int
    fired: tuple[Rule, ...]

    @property
    def bars(self) -> int:
        """How many rules rule it out."""
        return sum(rule.bar for rule in self.fired)

    @property
    def fits_data(self) -> bool:
        """Whether it is not the kind of data that rules it out."""
        return not any(rule.bar and "modality" in rule.when.keys for rule in self.fired)


@dataclass(frozen=True)
class Combination:
    """What goes together with the recommended approach, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Step:
    """A step of the way from a prompt to a fully trained model; `here` marks where these examples lead at once."""

    name: str
    do: str
    next: str
    here: bool


@dataclass(frozen=True)
class Outcome:
    """What speaks for and against the approaches, without what would change it; the first verdict is recommended."""

    answers: Answers
    verdicts: tuple[Verdict, ...]

    @property
    def recommended(self) -> str:
        return self.verdicts[0].approach.id


@lru_cache(maxsize=4096)
def weigh(answers: Answers) -> Outcome:
    """Score all approaches; best first, what is ruled out last; of equals the one that is cheaper to try."""
    facts = answers.facts()
    fired: dict[str, list[Rule]] = {approach.id: [] for approach in decision().approaches}
    for rule in decision().rules:
        if rule.fires(facts):
            fired[rule.approach].append(rule)
    verdicts = [
        Verdict(
            approach,
            approach.base + sum(rule.weight for rule in fired[approach.id]),
            tuple(fired[approach.id]),
        )
        for approach in decision().approaches
    ]
    return Outcome(answers, tuple(sorted(verdicts, key=lambda each: (each.bars > 0, -each.points))))


def score(verdict: Verdict) -> int:
    """Points for people: 0 is ruled out, everything possible has at least 1."""
    return 0 if verdict.bars else max(1, verdict.points)


def supports(outcome: Outcome, verdict: Verdict) -> list[str]:
    """What speaks for an approach, the weightiest first."""
    rules = sorted(verdict.fired, key=lambda rule: -rule.weight)
    return [fill(rule.says, outcome.answers) for rule in rules if rule.says and rule.weight >= 0 and not rule.bar]


def speaks_against(outcome: Outcome, verdict: Verdict) -> list[str]:
    """What speaks against an approach: what rules it out first, then the weightiest, then its drawbacks."""
    rules = sorted(verdict.fired, key=lambda rule: (not rule.bar, rule.weight))
    said = [rule.says for rule in rules if rule.says and (rule.bar or rule.weight < 0)]
    said += [rule.against for rule in rules if rule.against]
    return [fill(each, outcome.answers) for each in said]


def fill(text: str, answers: Answers) -> str:
    """A sentence of decision.toml with its numbers."""
    thresholds = {name: f"{value:,}" for name, value in decision().thresholds.items()}
    return text.format(count=counted(answers), **thresholds)


def combinations(outcome: Outcome) -> tuple[Combination, ...]:
    """What goes together with the recommended approach for these answers."""
    found: dict[str, Combination] = {}
    for remark in _fitting(decision().combinations, outcome):
        assert remark.name is not None
        found.setdefault(remark.name, Combination(remark.name, fill(remark.says, outcome.answers)))
    return tuple(found.values())


def warnings(outcome: Outcome) -> tuple[str, ...]:
    """What to expect and to mind, the amount of data first."""
    said = [fill(remark.says, outcome.answers) for remark in _fitting(decision().warnings, outcome)]
    amount = _amount(outcome)
    return tuple([amount, *said] if amount else said)


def mistakes(outcome: Outcome) -> tuple[str, ...]:
    """The common mistakes of those who take this advice."""
    return tuple(fill(remark.says, outcome.answers) for remark in _fitting(decision().mistakes, outcome))


def _fitting(remarks: tuple[Remark, ...], outcome: Outcome) -> list[Remark]:
    facts = outcome.answers.facts()
    return [each for each in remarks if outcome.recommended in each.approaches and each.when.holds(facts)]


def _amount(outcome: Outcome) -> str | None:
    """What so few examples lead to expect, by the minimum of the task (backends/registry.py); two classes at least."""
    answers = outcome.answers
    trained = outcome.recommended in ("fine-tuning", "tabular-model")
    if not trained or answers.examples is None or answers.task is None or answers.task in decision().other_tasks:
        return None
    data = find_data(answers.task)
    minimum = data.minimum
    classes = 2 if minimum.unit.endswith("a class") else 1
    if answers.examples < minimum.absolute * classes:
        return (
            f"{counted(answers)} for {data.id}: under {minimum.absolute:,} {minimum.unit} expect scores that "
            f"change with every split; {minimum.good:,} make a good start."
        )
    if answers.examples < minimum.good * classes:
        return f"{counted(answers)} for {data.id} will do; {minimum.good:,} {minimum.unit} make a good start."
    return None


def path(answers: Answers) -> tuple[Step, ...]:
    """The way from the cheapest that might do to the most that can be done, each step only if the last was too weak."""
    examples, framework = answers.examples, decision()
    return tuple(
        Step(
            step["name"],
            fill(step["do"], answers),
            step["next"],
            examples is not None
            and examples >= framework.threshold(step.get("begins", 0))
            and ("ends" not in step or examples < framework.threshold(step["ends"])),
        )
        for step in _way(answers).steps
    )


def practice(answers: Answers) -> str:
    """The habit that pays most on this way."""
    return _way(answers).practice


def _way(answers: Answers) -> Way:
    return next(way for way in decision().ways if answers.facts()["modality"] in way.modality)


def has_enough(approach: Approach, answers: Answers) -> str:
    """What the number of examples means to an approach: `enough`, `too few`, about `1/500th`, or that it needs none."""
    if approach.needs_documents:
        return "documents"
    needed = decision().threshold(approach.needs or 0)
    if not needed:
        return "none needed"
    if answers.examples is None:
        return "unknown"
    if answers.examples >= needed:
        return "enough"
    if not 0 < answers.examples <= needed / 10:
        return "too few"
    times = needed // answers.examples
    step = 10 ** (len(str(times)) - 1)
    return f"1/{times // step * step:,}th"
