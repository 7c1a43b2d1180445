"""The whole advice for some answers: what to do, why, with what, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from profiles.answers import Answers
from profiles.decide import (
    Combination,
    Step,
    combinations,
    fill,
    has_enough,
    mistakes,
    path,
    practice,
    score,
    speaks_against,
    supports,
    warnings,
    weigh,
)
from profiles.decision_facts import Approach, decision
from profiles.what_if import Change, Missing, changes_to, missing, single_changes


@dataclass(frozen=True)
class Ranked:
    """An approach in its place: for the first, `changes` lead away from it; for the others, to it."""

    approach: Approach
    score: int
    possible: bool
    fits_data: bool
    reasons: tuple[str, ...]
    against: tuple[str, ...]
    changes: tuple[Change, ...]
    data: str

    @property
    def would_change_if(self) -> tuple[str, ...]:
        """The changes in words."""
        return tuple(change.words for change in self.changes)


@dataclass(frozen=True)
class Advice:
    """What is advised for some answers."""

    answers: Answers
    ranked: tuple[Ranked, ...]
    combinations: tuple[Combination, ...]
    warnings: tuple[str, ...]
    missing: tuple[Missing, ...]
    path: tuple[Step, ...]
    practice: str
    mistakes: tuple[str, ...]
    use_case: Mapping[str, str] | None

    @property
    def recommended(self) -> str:
        """The id of the approach that comes first."""
        return self.ranked[0].approach.id

    def to_json(self) -> dict[str, Any]:
        """The object that `forge-tui advise --json` prints."""
        return {
            "recommended": self.recommended,
            "combine_with": [each.name for each in self.combinations],
            "ranked": [
                {
                    "approach": each.approach.id,
                    "score": each.score,
                    "possible": each.possible,
                    "reasons": list(each.reasons),
                    "against": list(each.against),
                    "would_change_if": list(each.would_change_if),
                    "changes": [
                        {"answers": dict(change.answers), "recommended": change.approach} for change in each.changes
                    ],
                    "comparison": {"enough_data": each.data, **each.approach.comparison},
                }
                for each in self.ranked
            ],
            "answers": {**vars(self.answers), "modality": self.answers.data_modality},
            "combinations": [asdict(each) for each in self.combinations],
            "warnings": list(self.warnings),
            "missing": [{"key": each.key, "would_give": dict(each.would_give)} for each in self.missing],
            "path": [asdict(step) for step in self.path],
            "practice": self.practice,
            "mistakes": list(self.mistakes),
            "use_case": dict(self.use_case) if self.use_case else None,
        }


def decide(answers: Answers) -> Advice:
    """Weigh the answers and say everything that follows from them."""
    outcome = weigh(answers)
    singles = single_changes(outcome)
    to_others = {each.approach.id: changes_to(outcome, each, singles) for each in outcome.verdicts[1:]}
    away = singles or sorted((each for found in to_others.values() for each in found), key=_size)[:1]
    ranked = tuple(
        Ranked(
            approach=verdict.approach,
            score=score(verdict),
            possible=not verdict.bars,
            fits_data=verdict.fits_data,
            reasons=tuple(supports(outcome, verdict)),
            against=tuple(speaks_against(outcome, verdict)),
            changes=tuple(to_others.get(verdict.approach.id, away)),
            data=has_enough(verdict.approach, answers),
        )
        for verdict in outcome.verdicts
    )
    use_case = None
    if answers.use_case is not None:
        use_case = {key: fill(text, answers) for key, text in decision().use_cases[answers.use_case].items()}
    return Advice(
        answers,
        ranked,
        combinations(outcome),
        warnings(outcome),
        tuple(missing(outcome)),
        path(answers),
        practice(answers),
        mistakes(outcome),
        use_case,
    )


def _size(change: Change) -> int:
    return len(change.answers)
