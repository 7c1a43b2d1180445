"""Strategy: how a language model learns, where its data or the model that was chosen allow several ways."""

from __future__ import annotations

from forge_tui.questions import NEXT, Choice, Question
from forge_tui.wizard.session import Session
from profiles.catalog import Model
from profiles.options import is_preset
from profiles.strategies import SORTING, Chosen, choose_strategy, find_strategy, has_strategies


def has_a_choice(session: Session) -> bool:
    """Whether the data can be learned from in more than one way."""
    return session.profile is not None and session.profile.ok and len(_possible(session)) > 1


def _possible(session: Session) -> list[Chosen]:
    assert session.profile is not None
    task = session.task_id
    if task is None or not has_strategies(task):
        return []
    found = choose_strategy(task, session.profile)
    ways = [each for each in (found.first, *found.others) if each.id is not None]
    return [each for each in ways if find_strategy(str(each.id)).task == task]


def strategy_question(session: Session) -> Question:
    """The ways to learn from these rows, best first, each with when to use it."""
    why = "The same rows can teach in several ways; the first suits most."
    return _question(session, "How shall it learn?", why, _possible(session))


def sorts_in_two_ways(session: Session) -> bool:
    """Whether texts are sorted by a pretrained language model, by the words of labels or a head."""
    row = next((each for each in session.models if each.id == session.draft.model), None)
    return row is not None and len(_ways_of(session, row.plan.recommendation.model)) > 1


def _ways_of(session: Session, model: Model) -> list[Chosen]:
    if session.task_id != SORTING or session.profile is None or model.kind != "causal-lm" or is_preset(model):
        return []
    found = choose_strategy(SORTING, session.profile, kind=model.kind)
    return [found.first, *found.others]


def sorting_question(session: Session) -> Question:
    """How a language model sorts, the way that suits most first."""
    assert session.plan is not None
    model = session.plan.recommendation.model
    why = f"{model.id.rpartition('/')[2]} can do it in two ways; the first suits most."
    return _question(session, "How shall it sort?", why, _ways_of(session, model))


def _question(session: Session, ask: str, why: str, ways: list[Chosen]) -> Question:
    width = max(9, *(len(str(each.id)) for each in ways))
    return Question(
        ask,
        why,
        tuple(
            Choice(str(each.id), f"{each.id:<{width}} {find_strategy(str(each.id)).what}", _detail(each))
            for each in ways
        ),
        proposed=session.draft.strategy or str(ways[0].id),
    )


def _detail(way: Chosen) -> tuple[str, ...]:
    strategy = find_strategy(str(way.id))
    lines = [f"when: {way.reason}"]
    if strategy.other_models:
        more = "another model is" if strategy.other_models == 1 else f"{strategy.other_models} other models are"
        lines.append(f"{more} in memory beside the one that learns")
    if strategy.fewest_steps is not None:
        lines.append(f"hardly anything is learned in under {strategy.fewest_steps} steps")
    return tuple(lines)


def take_strategy(session: Session, key: str) -> str:
    """Take the strategy; the settings of another one do not suit it."""
    if key != session.draft.strategy:
        session.draft.strategy, session.draft.settings = key, {}
    return NEXT
