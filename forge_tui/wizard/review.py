"""Review: the spec as it will be written, the command that does the same, what it needs, what speaks against it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import tomli_w

from backends.contract import RunSpec, UsageError
from forge_tui.finding_lines import for_screen, grouped
from forge_tui.formatting import counted
from forge_tui.paths import typed_path
from forge_tui.plan_report import memory_text, time_text
from forge_tui.planning import Plan, spec_of, too_large
from forge_tui.questions import BACK, QUEUE, START, Choice, Question
from forge_tui.spec_files import write_spec
from forge_tui.wizard.draft import CLEAN
from forge_tui.wizard.rows import CLEANABLE
from forge_tui.wizard.session import Session
from forge_tui.wizard.settings import shown_value
from profiles.options import gib

_START, _QUEUE, SAVE, NAME = "start", "queue", "save", "name"
_CHANGE = (
    ("goal", "the goal"),
    ("data", "the data"),
    ("rows", "task, columns and rows"),
    ("advice", "the advice"),
    ("model", "model and method"),
    ("settings", "the settings"),
)


def review_question(session: Session) -> Question:
    """Start, save, or change any answer."""
    plan = session.plan
    assert plan is not None
    spec = spec_of(plan)
    return Question(
        "Start this run?",
        "It goes on when you leave or lose the connection.",
        (
            Choice(_START, "start"),
            Choice(_QUEUE, f"queue: wait in line until no other run is on {plan.device.name}"),
            Choice(SAVE, "save the spec to a file: forge-tui train FILE starts it"),
            Choice(NAME, f"name: {spec.name}"),
            *(Choice(place, f"change {what}") for place, what in _CHANGE),
        ),
        proposed=_START,
        told=(*(f"! {each}" for each in _warnings(session, plan)), *review_lines(plan, spec)),
    )


def review_lines(plan: Plan, spec: RunSpec) -> list[str]:
    """What will be started, what it needs, and the command that does the same."""
    profile, rows = plan.profile, plan.rows
    roles = ", ".join(f"{role} = {column}" for role, column in spec.columns.items())
    parts = (
        "" if rows.train is None or rows.eval is None else f": {rows.train:,} to train on, {rows.eval:,} to score on"
    )
    if spec.eval_part:
        parts += f" (its {spec.eval_part} part)"
    disk = "unknown" if plan.needed_bytes is None else f"about {gib(plan.needed_bytes)}"
    free = "" if plan.free_bytes is None else f" of {gib(plan.free_bytes)} free"
    usable = f"{profile.usable_rows:,} of {counted(profile.rows or 0, 'row')} can be used"
    strategy = f" by {spec.strategy}" if spec.strategy else ""
    return [
        f"task     {plan.task.title}{strategy}",
        f"data     {Path(spec.data).name}, {usable}{parts}",
        f"columns  {roles}",
        *(f"prepare  {name} = {_typed(value)}" for name, value in spec.preparation.items()),
        f"model    {spec.model}, method {spec.method}",
        *([f"download {plan.hub_model.told}"] if plan.hub_model is not None else []),
        f"device   {plan.device.name}",
        f"memory   {memory_text(plan)[0]}",
        f"time     {time_text(plan)}",
        f"disk     {disk}{free}",
        "",
        "The same from the shell:",
        f"  {command(plan, spec)}",
        "",
        "spec.toml as it will be written:",
        *(f"  {line}" for line in tomli_w.dumps(spec.to_tables()).splitlines()),
    ]


def _warnings(session: Session, plan: Plan) -> list[str]:
    """What speaks against it, without what the rows were cleaned of."""
    cleaned = CLEANABLE if session.draft.cleaning == CLEAN else ()
    of_data = grouped([each for each in plan.profile.warnings if each.code not in cleaned])
    told = set(grouped(plan.profile.warnings))
    return [*session.remarks, *map(for_screen, of_data), *(each for each in plan.warnings if each not in told)]


def command(plan: Plan, spec: RunSpec) -> str:
    """The `train` that makes the same spec."""
    parts = ["forge-tui train", f"--data {shlex.quote(spec.data)}", f"--task {spec.task}"]
    parts += [f"--map {shlex.quote(f'{role}={column}')}" for role, column in spec.columns.items()]
    parts += [f"--prepare {shlex.quote(f'{name}={_typed(each)}')}" for name, each in spec.preparation.items()]
    if spec.strategy is not None:
        parts.append(f"--strategy {spec.strategy}")
    parts.append(f"--model {shlex.quote(spec.model)} --method {spec.method}")
    parts += [f"--set {shlex.quote(f'{name}={value}')}" for name, value in plan.request.settings.items()]
    if plan.request.name:
        parts.append(f"--name {shlex.quote(plan.request.name)}")
    return " ".join(parts)


def _typed(value: Any) -> str:
    return shown_value(value) if isinstance(value, bool) else str(value)


def take_review(session: Session, key: str) -> str:
    """Start the run, or open what shall be done or changed."""
    if key not in (_START, _QUEUE):
        return key
    assert session.plan is not None
    if session.plan.is_too_large:
        raise too_large(session.plan)
    return START if key == _START else QUEUE


# --- saving and naming ---------------------------------------------------------------------------------------------


def save_question(session: Session) -> Question:
    """Where is the spec written?"""
    assert session.plan is not None
    return Question(
        "Into which file?",
        "forge-tui train FILE starts it, here or where data and model are under the same names.",
        typed=f"{spec_of(session.plan).name}.toml",
        replaces=True,
        placeholder="the name of a new file",
    )


def take_save(session: Session, key: str) -> str:
    """Write the spec; a file that is there is left alone."""
    assert session.plan is not None
    if not key:
        raise UsageError("There is no file ''", "the name is empty", "Type a name.")
    write_spec(spec_of(session.plan), typed_path(key))
    session.saved = f"saved as {os.path.abspath(typed_path(key))}"
    return BACK


def typed_answer(session: Session, text: str, highlighted: str | None) -> str:
    """What was typed."""
    return text.strip()


def name_question(session: Session) -> Question:
    """How is the run called?"""
    assert session.plan is not None
    return Question(
        "How shall the run be called?",
        "The name stands in lists and in commands: forge-tui watch NAME.",
        typed=spec_of(session.plan).name,
        replaces=True,
        placeholder="empty takes the name of the data",
    )


def take_name(session: Session, key: str) -> str:
    """Take the name."""
    session.draft.name = key or None
    return BACK
