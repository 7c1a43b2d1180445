"""Strategy: how a language model learns, where its data allows several ways."""

from __future__ import annotations

from forge_tui.questions import NEXT, Choice, Question
from forge_tui.wizard.session import Session
from profiles.strategies import Chosen, choose_strategy, find_strategy, has_strategies


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
    ways = _possible(session)
    return Question(
        "How shall it learn?",
        "The same rows can teach in several ways; the first suits most.",
        tuple(Choice(str(each.id), f"{each.id:<9} {find_strategy(str(each.id)).what}", _detail(each)) for each in ways),
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
