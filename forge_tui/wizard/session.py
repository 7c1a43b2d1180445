"""A person at the wizard: the draft of her answers, and what the program found out for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.contract import DatasetProfile
from backends.formats.check_request import CheckRequest
from backends.options import PreparationOptions, parse_settings
from backends.registry import Task, find_task, is_trained
from forge_tui.planning import Plan, Request
from forge_tui.wizard.draft import Draft
from profiles.hardware import Hardware
from profiles.strategies import SORTING

if TYPE_CHECKING:
    from forge_tui.wizard.model_rows import ModelRow

Key = tuple[object, ...]


@dataclass
class Session:
    """The draft, what it was checked and planned to be, and how the questions are looked at.

    `argument` is what a question is about, such as a role; `width` are the columns an answer may take. Who asks for
    advice does not yet want to train, and is walked through its questions one after the other.
    """

    draft: Draft
    hardware: Hardware | None = None
    width: int = 78
    argument: str = ""
    wants_to_train: bool = True
    is_walking: bool = False
    profile: DatasetProfile | None = None
    profile_key: Key | None = None
    plan: Plan | None = None
    plan_key: Key | None = None
    remarks: tuple[str, ...] = ()
    models: list[ModelRow] = field(default_factory=list)
    models_key: Key | None = None
    methods: dict[str, str] = field(default_factory=dict)
    typed: str = ""
    folder: str = ""
    door: int = 0
    only_fitting: bool = False
    find: str | None = None
    all_settings: bool = False
    trying: str | None = None
    refused: str = ""
    saved: str = ""

    @property
    def task_id(self) -> str | None:
        """The task that was chosen, else the one that the data looks to be for."""
        return self.draft.task or (self.profile.task if self.profile is not None else None)

    @property
    def task(self) -> Task:
        """The task in force, as it is planned to be trained; only where it is one that trains."""
        task = self.task_id or ""
        is_planned = self.plan is not None and self.plan.task.id == task
        strategy = self.plan.recommendation.strategy.id if self.plan is not None and is_planned else None
        return find_task(task, strategy if is_trained(task, strategy) else None)

    @property
    def is_trainable(self) -> bool:
        """Whether there is a task, and this version trains it."""
        return self.task_id is not None and is_trained(self.task_id)

    def check_key(self, anew: bool = False) -> Key:
        """What a check depends on; `anew` is the first look at data, before columns are chosen."""
        draft = self.draft
        return draft.data, draft.task, _items({} if anew else draft.columns), _items(draft.preparation)

    def plan_for(self) -> Key:
        """What a plan depends on."""
        draft = self.draft
        return *self.check_key(), draft.strategy, draft.model, draft.method, _items(self.settings), draft.name

    def models_for(self) -> Key:
        """What the list of models depends on."""
        return *self.check_key(), self.listed_by, _items(self.draft.settings), _items(self.methods)

    @property
    def listed_by(self) -> str | None:
        """The strategy that models are listed for; how texts are sorted follows from the model instead."""
        return None if self.task_id == SORTING else self.draft.strategy

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the person chose, with the one that is being tried."""
        own = dict(self.draft.settings)
        if self.trying is not None:
            own[self.argument] = self.trying
        return own

    @property
    def is_checked(self) -> bool:
        """Whether the profile is that of the present answers."""
        return self.profile is not None and self.profile_key == self.check_key()

    @property
    def is_planned(self) -> bool:
        """Whether the plan is that of the present answers."""
        return self.plan is not None and self.plan_key == self.plan_for()

    def request(self) -> Request:
        """The request of the present answers, with a setting that is being typed."""
        draft = self.draft
        assert draft.data is not None
        return Request(
            draft.data,
            draft.task,
            None,
            dict(draft.columns),
            draft.model,
            draft.method,
            settings=self.settings,
            name=draft.name,
            preparation=draft.preparation,
            strategy=draft.strategy,
        )

    def check_request(
        self, on_first: Callable[[DatasetProfile], None], on_progress: Callable[[float], None], anew: bool = False
    ) -> CheckRequest:
        """What the data desk is asked; `anew` as in `check_key`."""
        draft = self.draft
        assert draft.data is not None
        return CheckRequest(
            Path(draft.data),
            draft.task,
            {} if anew else dict(draft.columns),
            preparation=parse_settings(PreparationOptions, draft.preparation, "preparation"),
            on_first=on_first,
            on_progress=on_progress,
        )

    def keep_profile(self, profile: DatasetProfile, key: Key) -> None:
        """Remember what a check found; the tasks that the data looks to be for are not forgotten for those chosen."""
        proposals = profile.proposals or (self.profile.proposals if self.profile is not None else ())
        self.profile, self.profile_key = replace(profile, proposals=proposals), key

    def forget_missing_columns(self) -> None:
        """Leave out columns that a corrected file no longer has."""
        known = self.profile.stats.get("columns") or {} if self.profile is not None else {}
        self.draft.columns = {role: name for role, name in self.draft.columns.items() if name in known}


def _items(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in values.items()))
