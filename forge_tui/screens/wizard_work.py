"""What the wizard works out beside its screen: checks, plans, the list of models; it posts what it found."""

from __future__ import annotations

import time
from dataclasses import replace

from textual import work
from textual.message import Message
from textual.widget import Widget
from textual.worker import Worker, WorkerState, get_current_worker

from backends.contract import DatasetProfile, ForgeError
from backends.formats.checks import check
from forge_tui.planning import Plan, make_plan, spec_of, with_hub_model
from forge_tui.previews import preview_lines
from forge_tui.wizard.flow import find_place
from forge_tui.wizard.model_rows import ModelRow, Wanted, model_rows, row_of
from forge_tui.wizard.rows import head
from forge_tui.wizard.session import Key, Session
from profiles.hardware import Hardware

# Seconds that a look at the machine may take before a plan is made without it.
_PATIENCE = 2.0
_PROGRESS_SECONDS = 0.25
_ROWS_AT_ONCE = 12


class _Left(Exception):
    """The person went elsewhere while data was checked."""


class WizardWork(Widget):
    """Has no look of its own; what is begun anew ends what was under way."""

    DEFAULT_CSS = "WizardWork { display: none; }"

    class Found(Message):
        """Something was found out; of no interest any more once its worker was cancelled."""

        def __init__(self) -> None:
            super().__init__()
            self._worker = get_current_worker()

        @property
        def is_stale(self) -> bool:
            """Whether another answer or escape came in between."""
            return self._worker.is_cancelled

    class Progressed(Found):
        """A check goes on: a line of what is going on, or lines of what the first rows say."""

        def __init__(self, line: str, told: tuple[str, ...] = ()) -> None:
            super().__init__()
            self.line, self.told = line, told

    class Checked(Found):
        """Data was checked, for the question `then`."""

        def __init__(self, profile: DatasetProfile, key: Key, then: str, resumed: bool) -> None:
            super().__init__()
            self.profile, self.key, self.then, self.resumed = profile, key, then, resumed

    class Planned(Found):
        """A plan was made, for the question `then`.

        `rows` are those with which a list of models begins, `remarks` what is said of the machine before a start.
        """

        def __init__(
            self, plan: Plan, rows: list[ModelRow], remarks: tuple[str, ...], key: Key, then: str, resumed: bool
        ) -> None:
            super().__init__()
            self.plan, self.rows, self.remarks = plan, rows, remarks
            self.key, self.then, self.resumed = key, then, resumed

    class Listed(Found):
        """More models were planned with; `key` is there when these are all."""

        def __init__(self, rows: list[ModelRow], key: Key | None = None) -> None:
            super().__init__()
            self.rows, self.key = rows, key

    class Refused(Found):
        """It cannot be: what is wrong with the answers."""

        def __init__(self, error: ForgeError) -> None:
            super().__init__()
            self.error = error

    class Started(Message):
        """The run has begun."""

        def __init__(self, run_id: str) -> None:
            super().__init__()
            self.run_id = run_id

    class NotStarted(Message):
        """The run could not be begun."""

        def __init__(self, error: ForgeError) -> None:
            super().__init__()
            self.error = error

    class Broke(Message):
        """Work ended unforeseen."""

        def __init__(self, error: ForgeError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._listing: Key | None = None

    def stop(self, *groups: str) -> None:
        """Leave off with what is under way; nothing of it will be told."""
        for group in groups:
            self.workers.cancel_group(self, group)
        if "models" in groups:
            self._listing = None

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def check(self, then: str, resumed: bool = False) -> None:
        """Check the data; new data is first looked at without answers about its columns."""
        session, worker = self._session, get_current_worker()
        anew = session.profile is None
        key = session.check_key(anew)
        self.post_message(self.Progressed("checking the data …"))
        shown = time.monotonic()

        def first(profile: DatasetProfile) -> None:
            self.post_message(self.Progressed("checking the data …", (head(profile), *preview_lines(profile))))

        def progress(share: float) -> None:
            nonlocal shown
            if worker.is_cancelled:
                raise _Left
            if time.monotonic() - shown >= _PROGRESS_SECONDS:
                shown = time.monotonic()
                self.post_message(self.Progressed(f"checking the data … {share:.0%}"))

        try:
            profile = check(session.check_request(first, progress, anew))
        except _Left:
            return
        except ForgeError as error:
            self.post_message(self.Refused(error))
            return
        self.post_message(self.Checked(profile, key, then, resumed))

    @work(thread=True, exclusive=True, group="plan", exit_on_error=False)
    def plan(self, then: str, key: Key, resumed: bool = False) -> None:
        """Make the plan of the answers so far."""
        session = self._session
        try:
            machine, request = self._machine(), session.request()
            plan = make_plan(request, machine, session.profile)
            rows = [row_of(plan, session.draft.model)]
            if find_place(then)[0].id != "model":
                plan = with_hub_model(plan)
                spec_of(plan)  # what cannot be started is told now
            elif not plan.recommendation.is_local:  # what can be started at once stands beside it
                preset = session.task.default_model
                other = make_plan(replace(request, model=preset, method=None), machine, session.profile)
                rows.append(row_of(other, preset))
        except ForgeError as error:
            self.post_message(self.Refused(error))
            return
        from forge_tui.runs.remarks import start_remarks

        told = find_place(then)[0].id == "setting"
        remarks = session.remarks if told else tuple(start_remarks(plan.device, "queue"))
        self.post_message(self.Planned(plan, rows, remarks, key, then, resumed))

    def list_models(self, first: list[ModelRow]) -> None:
        """Begin the list of models anew where it would be another one; it begins with the `first` rows."""
        session, wanted = self._session, self._session.models_for()
        if wanted in (session.models_key, self._listing):
            return
        is_other = (self._listing or session.models_key or ())[:-1] != wanted[:-1]
        if is_other or not session.models:
            session.models = first
        self._listing = wanted
        self._list(wanted)

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def _list(self, key: Key) -> None:
        session, worker = self._session, get_current_worker()
        assert session.profile is not None
        own = session.draft.model
        request = replace(session.request(), strategy=session.listed_by)
        wanted = Wanted(request, session.profile, self._machine(), dict(session.methods), own)
        rows: list[ModelRow] = []
        for row in model_rows(wanted):
            if worker.is_cancelled:
                return
            rows.append(row)
            if len(rows) == 4 or len(rows) % _ROWS_AT_ONCE == 0:
                self.post_message(self.Listed(list(rows)))
        self._listing = None
        self.post_message(self.Listed(rows, key))

    @work(thread=True, exclusive=True, group="start", exit_on_error=False)
    def start(self, plan: Plan, queue: bool) -> None:
        """Start the run of a plan, or put it in line for its device; its processes are waited for."""
        from forge_tui.runs.store import start_run

        try:
            files = start_run(spec_of(plan), plan.device.visible or None, queue)
        except ForgeError as error:
            self.post_message(self.NotStarted(error))
            return
        self.post_message(self.Started(files.folder.name))

    def _machine(self) -> Hardware | None:
        """The machine as it is, unless its driver does not answer."""
        sample = self.app.machine.latest(_PATIENCE)  # type: ignore[attr-defined]
        return sample.hardware if sample is not None else None

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Work that ended unforeseen says so, instead of seeming to go on for ever."""
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            what = {"check": "The data could not be checked"}.get(event.worker.group, "No plan could be made")
            self.post_message(self.Broke(ForgeError(what, f"{type(error).__name__}: {error}", "Report it.")))
