"""The wizard: shows one question after the other, works out what they need beside the screen, and starts the run."""

from __future__ import annotations

from copy import deepcopy
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from backends.contract import ForgeError
from forge_tui.opening import QuickScreen
from forge_tui.questions import BACK, NEXT, PLAN, PROFILE, QUEUE, START, STAY, STEPS, Place
from forge_tui.screens.wizard_work import WizardWork
from forge_tui.widgets.key_line import KeyLine
from forge_tui.widgets.line import Line
from forge_tui.widgets.question_view import QuestionView
from forge_tui.wizard.draft import Draft, delete_draft, drafts, save_draft
from forge_tui.wizard.export import has_findings
from forge_tui.wizard.flow import before, find_place, following, missing, where_to_resume
from forge_tui.wizard.goal import GO_ON
from forge_tui.wizard.model_rows import ModelRow
from forge_tui.wizard.rows import findings, head, is_readable
from forge_tui.wizard.session import Session


def _key(key: str, name: str, what: str, told: str = "", show: bool = True) -> Binding:
    """A key that some of the questions have."""
    return Binding(key, f"act('{name}')", what, show=show, tooltip=told, id=f"wizard.{name}", priority=key in _MOVES)


_MOVES = ("left", "right")


class WizardScreen(QuickScreen, Screen[None]):
    """Asks, checks and plans in the background, shows every finding, starts."""

    DEFAULT_CSS = """
    WizardScreen #steps { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="wizard.back", priority=True),
        Binding("tab", "app.focus_next", "other field", show=False, id="wizard.next_field"),
        Binding("pagedown", "read_on(1)", "read on", priority=True, tooltip="more of the text", id="wizard.read_on"),
        Binding("pageup", "read_on(-1)", "read back", show=False, priority=True, id="wizard.read_back"),
        Binding("ctrl+g", "step", "other step", show=False, tooltip="go to another step", id="wizard.step"),
        _key("right", "door", "other door", "the same tasks by another question"),
        _key("left", "door_back", "door before", show=False),
        _key("v", "look", "look", "look at rows of the data or the sample"),
        _key("r", "roles", "roles", "which column is what"),
        _key("x", "export", "export", "write the findings to a file"),
        _key("e", "answers", "edit answers", "what the advice is built on"),
        _key("m", "method", "method", "train it by another method"),
        _key("f", "fitting", "what fits", "only what fits, or everything"),
        _key("slash", "find", "find"),
        _key("o", "folder", "folder", "a folder with a pretrained model"),
        _key("a", "all", "all settings", "every setting, or the few that matter"),
        _key("u", "planned", "undo", "the recommended value again"),
    ]

    def __init__(self, data: str | None = None, at: str = "goal", draft: Draft | None = None) -> None:
        """Begin at a question; `answer:modality` walks through those of the advice. With a draft, go on with it."""
        super().__init__()
        self.session = Session(draft or Draft(), wants_to_train=not at.startswith("answer"))
        self.session.is_walking = at.startswith("answer")
        self._first, self._data = draft.at if draft is not None else at, data
        self._trail: list[str] = []
        self._at = ""
        self._before: Draft | None = None
        self._started = False
        self._first_rows: list[ModelRow] = []

    def compose(self) -> ComposeResult:
        yield Line("", id="steps")
        yield QuestionView(id="question")
        yield KeyLine()

    def on_mount(self) -> None:
        """Show the first question; a draft comes back where it was left, data that was given is read at once."""
        if self._data is not None:
            self.session.typed = self._data
            self._show("data")
            self._answer("data", self._data)
        elif self.session.draft.is_empty:
            self._show(self._first)
        else:
            self.session.typed = self.session.draft.data or ""
            self._show("data")
            self._go(where_to_resume(self._first), resumed=True)

    @property
    def workshop(self) -> WizardWork:
        """What works out what the questions need, made when the first of them does."""
        found = self._work
        if found is None:
            found = WizardWork(self.session)
            self.mount(found)
        return found

    def _stop(self, *groups: str) -> None:
        if self._work is not None:
            self._work.stop(*groups)

    @property
    def _work(self) -> WizardWork | None:
        return next(iter(self.query(WizardWork)), None)

    @property
    def view(self) -> QuestionView:
        """What shows the question."""
        return self.query_one(QuestionView)

    # --- showing -----------------------------------------------------------------------------------------------------

    def _show(self, name: str, again: bool = False) -> None:
        """Put a question on the screen."""
        place, self.session.argument = find_place(name)
        self.session.width = self._width
        self._at = name
        if place.id == "model":
            self.workshop.list_models(self._first_rows)
        else:
            self._stop("models")
        self._show_step(place)
        self.view.show(place.question(self.session), again)

    def _show_step(self, place: Place) -> None:
        """Which of the steps it is: all in one line, or the present one alone."""
        number = STEPS.index(place.step) + 1
        steps = "  ".join(f"{at} {name.upper() if at == number else name}" for at, name in enumerate(STEPS, 1))
        whole = f" New model   {steps}"
        is_narrow = len(whole) > self.app.size.width
        self.query_one("#steps", Line).show(
            f" step {number} of {len(STEPS)}: {place.step.upper()}" if is_narrow else whole
        )

    def on_resize(self) -> None:
        """Break the lines anew, where they are longer or shorter than they were; what is told stays."""
        if not self._at:
            return
        self._show_step(self._place)
        if self.session.width != self._width:
            self.session.width = self._width
            self.view.show_more(self._place.question(self.session))

    @property
    def _width(self) -> int:
        return min(self.app.size.width, QuestionView.MOST_COLUMNS) - 4

    @property
    def _place(self) -> Place:
        return find_place(self._at)[0]

    # --- answering ---------------------------------------------------------------------------------------------------

    @on(QuestionView.Typed)
    def _typed(self, event: QuestionView.Typed) -> None:
        place = self._place
        if place.typed is None:
            return
        place.typed(self.session, event.text)
        self.view.show_answers(place.question(self.session))
        if place.id == "setting" and not self.session.is_planned:
            self.workshop.plan(self._at, self.session.plan_for())

    @on(QuestionView.Answered)
    def _answered(self, event: QuestionView.Answered) -> None:
        place, key = self._place, event.key
        if key is None:
            typed = event.text or ""
            key = place.submitted(self.session, typed, event.highlighted) if place.submitted else event.highlighted
        if place.id == "goal" and key is not None and key.startswith(GO_ON):
            self._resume(key.removeprefix(GO_ON))
        elif key is not None:
            self._answer(self._at, key)

    def _answer(self, name: str, key: str) -> None:
        """Take an answer and go where it leads; one that cannot be is told and changes nothing."""
        self._before = deepcopy(self.session.draft)
        self._follow(name, lambda place: place.take(self.session, key))

    def action_act(self, name: str) -> None:
        """What a key does at the present question."""
        if name == "look":
            self._look()
            return
        self._before = deepcopy(self.session.draft)
        act = self._place.keys[name]
        self._follow(self._at, lambda place: act(self.session, self.view.highlighted))

    def _follow(self, name: str, step: object) -> None:
        place, _ = find_place(name)
        try:
            to = step(place)  # type: ignore[operator]
        except ForgeError as error:
            self._refuse(error)
            return
        if self.session.saved:
            self.notify(self.session.saved, markup=False)
            self.session.saved = ""
        if to == STAY:
            self._show(name, again=place.id != "data")
        elif to in (START, QUEUE):
            self._start(queue=to == QUEUE)
        elif to == BACK:
            self._go(self._trail[-1] if self._trail else "goal")
        else:
            self._go(following(self.session, name) if to == NEXT else to)

    # --- moving ------------------------------------------------------------------------------------------------------

    def _go(self, name: str, resumed: bool = False) -> None:
        """Show a question as soon as what it needs is known; one that was passed already is gone back to."""
        need = missing(self.session, name)
        if need == PROFILE:
            self.workshop.check(name, resumed)
            return
        if need == PLAN:
            self.workshop.plan(name, self.session.plan_for(), resumed)
            return
        target = need or name
        if resumed:
            self._trail = before(self.session, target)
        elif target in self._trail and (find_place(target)[0].in_order or target == self._trail[-1]):
            del self._trail[self._trail.index(target) :]
        elif target != self._at and self._at:
            self._trail.append(self._at)
        self._show(target)
        self.session.draft.at = target
        save_draft(self.session.draft)

    def action_back(self) -> None:
        """To the question before; from the first one back to where the wizard was opened."""
        self._stop("check", "plan")
        closed = self._place.closed
        if closed is not None and closed(self.session):
            self._show(self._at)
        elif self._trail:
            self._show(self._trail.pop())
        else:
            save_draft(self.session.draft)
            self.dismiss()

    @work(exclusive=True, group="step")
    async def action_step(self) -> None:
        """Go to any step that was reached."""
        from forge_tui.screens.choose import ChooseScreen

        reached = [name for name in [*before(self.session, "review"), "review"] if name in [*self._trail, self._at]]
        chosen = await self.app.push_screen_wait(ChooseScreen("Go to which step?", [(each, each) for each in reached]))
        if chosen is not None:
            self._go(chosen)

    def _resume(self, draft_id: str) -> None:
        """Go on with a draft in the place of the present one."""
        draft = next((each for each in drafts() if each.id == draft_id), None)
        if draft is not None:
            self.dismiss()
            self.app.push_screen(WizardScreen(draft=draft))

    def action_read_on(self, pages: int) -> None:
        """Scroll what is told."""
        self.view.read_on(pages)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key is there where its question is; scrolling is offered where there is more than fits."""
        if action == "read_on":
            return self.is_mounted and self.view.has_more
        if action == "act":
            name = parameters[0]
            here = self._place.id if self._at else ""
            if name == "export" and not has_findings(self.session):
                return False
            return here in ("goal", "rows") if name == "look" else bool(self._at) and name in self._place.keys
        return True

    def _look(self) -> None:
        """Rows of the data, or of the sample of the highlighted task."""
        from forge_tui.screens.text import TextScreen
        from forge_tui.wizard.look import look_lines

        title, lines = look_lines(self.session, self._place.id, self.view.highlighted)
        self.app.push_screen(TextScreen(title, lines))

    # --- what was worked out beside the screen -----------------------------------------------------------------------

    @on(WizardWork.Progressed)
    def _progressed(self, event: WizardWork.Progressed) -> None:
        if not event.is_stale:
            self.view.say(event.line)
            if event.told:
                self.view.tell(event.told)

    @on(WizardWork.Checked)
    def _checked(self, event: WizardWork.Checked) -> None:
        """Go on from a check; of data that cannot be read at all it is said what is wrong with it."""
        if event.is_stale:
            return
        is_new = self.session.profile is None
        self.session.keep_profile(event.profile, event.key)
        self.session.forget_missing_columns()
        if is_new and not is_readable(event.profile):
            self._show("data")
            self.view.tell((head(event.profile), *findings(event.profile)))
            self.session.profile = None
            return
        self._go(event.then, event.resumed)

    @on(WizardWork.Planned)
    def _planned(self, event: WizardWork.Planned) -> None:
        if event.is_stale or event.key != self.session.plan_for():
            return
        self.session.plan, self.session.plan_key, self._first_rows = event.plan, event.key, event.rows
        self.session.remarks = event.remarks
        if event.then == self._at:
            self._show(self._at, again=True)
        else:
            self._go(event.then, event.resumed)

    @on(WizardWork.Listed)
    def _listed(self, event: WizardWork.Listed) -> None:
        if event.is_stale:
            return
        if event.key is not None or {row.id for row in self.session.models} <= {row.id for row in event.rows}:
            self.session.models = event.rows
        if event.key is not None:
            self.session.models_key = event.key
        if self._at == "model":
            self.view.show_more(self._place.question(self.session))

    @on(WizardWork.Refused)
    def _refused(self, event: WizardWork.Refused) -> None:
        if not event.is_stale:
            self._refuse(event.error)

    @on(WizardWork.Broke)
    def _broke(self, event: WizardWork.Broke) -> None:
        self._refuse(event.error)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _start(self, queue: bool) -> None:
        """Start the run or queue it, once however often enter was pressed."""
        plan = self.session.plan
        if not self._started and plan is not None:
            self._started = True
            self.workshop.start(plan, queue)

    @on(WizardWork.NotStarted)
    def _not_started(self, event: WizardWork.NotStarted) -> None:
        self._started = False
        self._refuse(event.error)

    @on(WizardWork.Started)
    def _run_started(self, event: WizardWork.Started) -> None:
        delete_draft(self.session.draft)
        self.dismiss()
        self.app.open_run(event.run_id)  # type: ignore[attr-defined]

    def _refuse(self, error: ForgeError) -> None:
        """Say what is wrong with an answer, and take it back."""
        if self._before is not None:
            self.session.draft, self._before = self._before, None
        self._show(self._at, again=True)
        lines = [f"✗ {error.what}", f"  {error.why}", f"  {error.fix}"]
        self.view.tell(tuple(line for line in lines if line.strip()))
