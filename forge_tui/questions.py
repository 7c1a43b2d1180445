"""What a question of the wizard is: what is asked, why, what can be answered and what each answer leads to, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forge_tui.wizard.session import Session

STEPS = ("goal", "data", "advice", "model", "settings", "review")
# What an answer leads to, beside the place of another question.
NEXT, BACK, STAY, START, QUEUE = "next", "back", "stay", "start", "queue"
# What must be known before a question can be asked: the profile of the data, that of data which was given, a plan.
PROFILE, SEEN, PLAN = "profile", "seen", "plan"


@dataclass(frozen=True)
class Choice:
    """An answer that can be chosen; `detail` is told while it is the highlighted one."""

    key: str
    text: str
    detail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """One question; `typed` is the text of its field, None where nothing is typed.

    With `replaces` the text is selected, so that what is typed stands in its place.
    """

    ask: str
    why: str
    choices: tuple[Choice, ...] = ()
    proposed: str | None = None
    typed: str | None = None
    replaces: bool = False
    placeholder: str = ""
    header: str = ""
    empty: str = ""
    told: tuple[str, ...] = ()


def _always(session: Session) -> bool:
    return True


@dataclass(frozen=True)
class Place:
    """A question in its place of the flow.

    `take` receives the key of the choice, or what was typed, and says where it leads; it raises ForgeError for an
    answer that cannot be. `keys` are what other keys do there, given the highlighted choice. Places that are not
    `in_order` are asked only when another one opens them.
    """

    id: str
    step: str
    question: Callable[[Session], Question]
    take: Callable[[Session, str], str]
    needs: str = ""
    asked: Callable[[Session], bool] = _always
    in_order: bool = True
    typed: Callable[[Session, str], None] | None = None
    submitted: Callable[[Session, str, str | None], str] | None = None
    keys: Mapping[str, Callable[[Session, str | None], str]] = field(default_factory=dict)
    closed: Callable[[Session], bool] | None = None
