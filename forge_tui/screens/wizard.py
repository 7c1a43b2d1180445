"""The wizard: from a data file to a started run, one question at a time; escape goes back and loses nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import Worker, WorkerState, get_current_worker

from backends.contract import DatasetProfile, ForgeError
from backends.formats.check_request import CheckRequest
from backends.formats.checks import check
from backends.options import PreparationOptions, parse_settings
from backends.registry import find_task
from forge_tui.finding_lines import for_screen, grouped
from forge_tui.formatting import counted
from forge_tui.paths import typed_path
from forge_tui.plain import plain
from forge_tui.planning import Planned, plan_run
from forge_tui.previews import preview_lines
from forge_tui.screens.wizard_steps import (
    OTHER_FOLDER,
    STEPS,
    WHOLE_FOLDER,
    Answers,
    Question,
    cleaning_question,
    column_question,
    data_question,
    folder_question,
    method_question,
    model_question,
    quality_question,
    review_lines,
    task_question,
)
from forge_tui.widgets.line import Line
from profiles.hardware import Hardware

START = "start"
# Seconds that a look at the machine may take before a plan is made without it.
_PATIENCE = 2.0
_STEP_OF = {"method": "model", "folder": "model", "cleaning": "columns", "quality": "columns"}
_PROGRESS_SECONDS = 0.25
# Faults that no task and no other column could mend.
_NO_DATA = ("no-rows", "nothing-to-learn", "no-classes", "invalid-json", "broken-archive")


class _Left(Exception):
    """The person went elsewhere while data was checked."""


class PathField(Input):
    """Where a path is typed; enter is named in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "submit", "choose", id="wizard.choose")]


class AnswerList(OptionList):
    """The possible answers; enter is named in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "choose", id="wizard.choose")]


class WizardScreen(Screen[None]):
    """Asks, checks in the background, shows every finding, starts."""

    DEFAULT_CSS = """
    WizardScreen #steps { color: $text-muted; }
    WizardScreen #ask { text-style: bold; }
    WizardScreen #why { color: $text-muted; }
    WizardScreen Input, WizardScreen Input:focus { border: none; height: 1; margin: 0 1; background: $surface; }
    WizardScreen OptionList, WizardScreen OptionList:focus { height: 1fr; border: none; padding: 0 1; }
    WizardScreen #told { height: auto; max-height: 45%; padding: 0 1; }
    WizardScreen.-review #told { max-height: 80%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="wizard.back", priority=True),
        Binding("tab", "app.focus_next", "other field", show=False, id="wizard.next_field"),
        Binding("pagedown", "read_on(1)", "read on", priority=True, tooltip="more of the text", id="wizard.read_on"),
        Binding("pageup", "read_on(-1)", "read back", show=False, priority=True, id="wizard.read_back"),
    ]

    def __init__(self, data: str | None = None) -> None:
        super().__init__()
        self.answers = Answers()
        self._typed = data or ""
        self._folder = ""
        self._trail: list[str] = []
        self._at = "data"
        self._planned: Planned | None = None
        self._started = False

    def compose(self) -> ComposeResult:
        yield Line("", id="steps")
        yield Line("", id="ask")
        yield Line("", id="why")
        field = PathField(placeholder="type a path, or choose below", id="path")
        field.cursor_blink = False
        yield field
        yield AnswerList(id="options")
        with VerticalScroll(id="told", can_focus=False):
            yield Static("", id="text", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._show("data")
        if self._typed:
            self._take_data(self._typed)

    # --- showing ---------------------------------------------------------------------------------------------

    def _show(self, place: str) -> None:
        """Put the question of a place on the screen."""
        self._at = place
        step = _STEP_OF.get(place, "columns" if place.startswith("column:") else place)
        self.set_class(place == "review", "-review")
        question = self._question(place)
        steps = "  ".join(f"{number} {name.upper() if name == step else name}" for number, name in enumerate(STEPS, 1))
        self.query_one("#steps", Line).show(f" New model   {steps}")
        self.query_one("#ask", Line).show(f" {question.ask}")
        self.query_one("#why", Line).show(f" {question.why}")
        field, options = self.query_one(Input), self.query_one(OptionList)
        field.display = question.typed is not None
        if question.typed is not None:
            field.value = question.typed
            field.cursor_position = len(question.typed)
        self._fill(question)
        (field if question.typed is not None else options).focus()
        self._tell_findings()

    def _fill(self, question: Question) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(Content(plain(text)), id=key) for key, text in question.options)
        keys = [key for key, _ in question.options]
        if keys:
            options.highlighted = keys.index(question.proposed) if question.proposed in keys else 0

    def _question(self, place: str) -> Question:
        answers = self.answers
        if place == "data":
            return data_question(self._typed)
        if place == "folder":
            return folder_question(self._folder)
        assert answers.profile is not None
        if place == "task":
            return task_question(answers.profile, answers.task)
        task = find_task(answers.task or "")
        if place == "cleaning":
            asked = cleaning_question(answers.profile, answers.cleaning)
            assert asked is not None
            return asked
        if place == "quality":
            asked = quality_question(answers.profile, answers.quality)
            assert asked is not None
            return asked
        if place.startswith("column:"):
            return column_question(task, place.partition(":")[2], answers.profile)
        if place == "model":
            return model_question(task, answers.model)
        if place == "method":
            return method_question(task, answers.method)
        return Question(
            "review", "Start this run?", "It goes on when you leave or lose the connection.", ((START, "start"),), START
        )

    def _tell(self, lines: list[str]) -> None:
        self.query_one("#text", Static).update(Text("\n".join(plain(line) for line in lines)))
        self.query_one("#told").scroll_home(animate=False)
        self.call_after_refresh(self.refresh_bindings)

    def _tell_findings(self) -> None:
        if self._at == "data" or self.answers.profile is None:
            self._tell([])
        elif self._at == "review" and self._planned is not None:
            self._tell([*review_lines(self._planned), "", *self._findings(self._planned.profile)])
        else:
            self._tell(self._findings(self.answers.profile))

    def _head(self, profile: DatasetProfile) -> list[str]:
        facts = [profile.format, profile.encoding, counted(profile.rows, "row") if profile.rows is not None else None]
        usable = f", {profile.usable_rows:,} usable" if profile.ok and profile.usable_rows is not None else ""
        low = sum((profile.stats.get("low_quality") or {}).values())
        usable += f", {low:,} of them too low in quality to train on" if low else ""
        return [f"{Path(profile.path).name}: {', '.join(fact for fact in facts if fact) or 'cannot be read'}{usable}"]

    def _findings(self, profile: DatasetProfile) -> list[str]:
        return [
            *self._head(profile),
            *preview_lines(profile),
            *(f"✗ {for_screen(line)}" for line in grouped(profile.errors)),
            *(f"! {for_screen(line)}" for line in grouped(profile.warnings)),
        ]

    # --- answering -------------------------------------------------------------------------------------------

    @on(Input.Changed, "#path")
    def _path_typed(self, event: Input.Changed) -> None:
        if self._at == "folder":
            self._folder = event.value
        elif self._at == "data" and event.value != self._typed:
            self._typed = event.value
            self._fill(data_question(self._typed))

    @on(Input.Submitted, "#path")
    def _path_given(self, event: Input.Submitted) -> None:
        if self._at == "folder":
            self._take_model(event.value.strip())
            return
        options = self.query_one(OptionList)
        typed = event.value.strip()
        if typed and os.path.isfile(typed_path(typed)):
            self._take_data(typed)
        elif options.highlighted is not None and options.option_count:
            self._take_data(options.get_option_at_index(options.highlighted).id or typed)
        elif typed:
            self._take_data(typed)

    def on_key(self, event: object) -> None:
        """From the path field the arrows move through the list below it."""
        key = getattr(event, "key", "")
        if isinstance(self.focused, Input) and key in ("down", "up"):
            options = self.query_one(OptionList)
            (options.action_cursor_down if key == "down" else options.action_cursor_up)()

    @on(OptionList.OptionSelected, "#options")
    def _option_chosen(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option_id or "")

    def _choose(self, key: str) -> None:
        if self._at == "data":
            self._take_data(key)
        elif self._at == "task":
            self.answers.columns = {} if key != self.answers.task else self.answers.columns
            self.answers.task = key
            self.answers.cleaning = self.answers.quality = None
            self._check(then="columns")
        elif self._at.startswith("column:"):
            self.answers.columns[self._at.partition(":")[2]] = key
            self.answers.cleaning = self.answers.quality = None
            self._check(then="next column")
        elif self._at == "cleaning":
            self.answers.cleaning = key
            self._check(then="after cleaning")
        elif self._at == "quality":
            self.answers.quality = key
            self._check(then="after quality")
        elif self._at == "model":
            if key == OTHER_FOLDER:
                self._go("folder")
            else:
                self._take_model(key)
        elif self._at == "method":
            self.answers.method = key
            self._review()
        elif key == START:
            self._start()

    def _take_data(self, chosen: str) -> None:
        whole = chosen.startswith(WHOLE_FOLDER)
        path = typed_path(chosen.removeprefix(WHOLE_FOLDER))
        if os.path.isdir(path) and not whole:
            self._typed = f"{path}/" if str(path) != "/" else "/"
            self._show("data")
            return
        if self.answers.data != str(path.absolute()):
            self.answers = Answers(data=str(path.absolute()))
        self._check(then="task")

    def _take_model(self, model: str) -> None:
        """A preset is trained whole; a folder is looked at before anything more is asked about it."""
        self.answers.model = model
        task = find_task(self.answers.task or "")
        preset = model.startswith("preset:")
        method, self.answers.method = self.answers.method, task.methods[0]
        if preset or len(task.methods) == 1:
            self._review()
        elif self._plan():
            self.answers.method = method
            self._go("method")

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def _check(self, then: str) -> None:
        """Check the data beside the screen, then go on; for a new file, whatever was answered before."""
        answers, worker = self.answers, get_current_worker()
        assert answers.data is not None
        known = then != "task"
        why = self.query_one("#why", Line)
        self.app.call_from_thread(why.show, " checking the data …")
        shown = time.monotonic()

        def first(profile: DatasetProfile) -> None:
            self.app.call_from_thread(self._tell, [*self._head(profile), *preview_lines(profile)])

        def progress(share: float) -> None:
            nonlocal shown
            if worker.is_cancelled:
                raise _Left
            if time.monotonic() - shown >= _PROGRESS_SECONDS:
                shown = time.monotonic()
                self.app.call_from_thread(why.show, f" checking the data … {share:.0%}")

        request = CheckRequest(
            Path(answers.data),
            answers.task if known else None,
            answers.columns if known else {},
            preparation=parse_settings(PreparationOptions, answers.preparation, "preparation"),
            on_first=first,
            on_progress=progress,
        )
        try:
            profile = check(request)
        except _Left:
            return
        except ForgeError as error:
            self.app.call_from_thread(self._refuse, error, worker)
            return
        self.app.call_from_thread(self._checked, profile, then, worker)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A check that ended unforeseen says so, instead of seeming to go on for ever."""
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            self._refuse(ForgeError("The data could not be checked", f"{type(error).__name__}: {error}", "Report it."))

    def _checked(self, profile: DatasetProfile, then: str, worker: Worker[None]) -> None:
        """Go on from a check, unless another answer or escape came in between."""
        if worker.is_cancelled:
            return
        proposals = profile.proposals or (self.answers.profile.proposals if self.answers.profile else ())
        self.answers.profile = DatasetProfile(**{**vars(profile), "proposals": proposals})
        unreadable = not profile.stats.get("columns")
        hopeless = any(finding.code in _NO_DATA for finding in profile.errors)
        if unreadable or (then == "task" and hopeless):
            self._show("data")
            self._tell(self._findings(profile))
            return
        if then == "task":
            known = profile.stats["columns"]
            self.answers.columns = {role: name for role, name in self.answers.columns.items() if name in known}
            self._go("task")
            return
        task = find_task(self.answers.task or "")
        roles = list(task.roles)
        asked = self._at.partition(":")[2] if self._at.startswith("column:") else None
        following = roles if asked is None else roles[roles.index(asked) + 1 :]
        if following and then in ("columns", "next column"):
            self._go(f"column:{following[0]}")
        elif then != "after quality" and self._asks_about_rows(profile, then):
            return
        elif not profile.ok:
            self._show(self._at)  # the findings below say why it cannot go on
        else:
            self._go("model")

    def _asks_about_rows(self, profile: DatasetProfile, then: str) -> bool:
        """Go to the question whether rows are cleaned, or which are used, where there is something to choose."""
        if then != "after cleaning" and cleaning_question(profile, self.answers.cleaning) is not None:
            self._go("cleaning")
        elif profile.ok and quality_question(profile, self.answers.quality) is not None:
            self._go("quality")
        else:
            return False
        return True

    def _review(self) -> None:
        if self._plan():
            self._go("review")

    def _plan(self) -> bool:
        """Make the plan of the answers so far; what is wrong with them is told."""
        try:
            self._planned = plan_run(self.answers.request(), self.answers.profile, self._hardware())
        except ForgeError as error:
            self._refuse(error)
            return False
        return True

    def _hardware(self) -> Hardware | None:
        """The machine as it is, unless its driver does not answer."""
        sample = self.app.machine.latest(_PATIENCE)  # type: ignore[attr-defined]
        return sample.hardware if sample is not None else None

    def _start(self) -> None:
        """Start the run, once however often enter was pressed."""
        from forge_tui.runs.store import start_run

        assert self._planned is not None
        if self._started:
            return
        try:
            files = start_run(self._planned.spec, self._planned.device.visible or None)
        except ForgeError as error:
            self._refuse(error)
            return
        self._started = True
        self.dismiss()
        self.app.open_run(files.folder.name)  # type: ignore[attr-defined]

    def _refuse(self, error: ForgeError, worker: Worker[None] | None = None) -> None:
        if worker is not None and worker.is_cancelled:
            return
        self._show(self._at)
        self._tell([f"✗ {error.what}", f"  {error.why}", f"  {error.fix}"])

    # --- moving ----------------------------------------------------------------------------------------------

    def _go(self, place: str) -> None:
        if place != self._at:
            self._trail.append(self._at)
        self._show(place)

    def action_back(self) -> None:
        """To the question before; from the first one back to where the wizard was opened."""
        self.workers.cancel_group(self, "check")
        if self._trail:
            self._show(self._trail.pop())
        else:
            self.dismiss()

    def action_read_on(self, pages: int) -> None:
        """Scroll what is told below the answers."""
        told = self.query_one("#told")
        told.scroll_relative(y=pages * max(1, told.size.height - 1), animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Scrolling is offered where there is more than fits; else the keys page through the answers."""
        return action != "read_on" or (self.is_mounted and self.query_one("#told").max_scroll_y > 0)
