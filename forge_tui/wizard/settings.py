"""Settings: the few that matter first, each with its value, reason, unit and limits; all of them behind a key."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any

from backends.contract import UsageError
from backends.options import parse_settings
from forge_tui.memory_report import bar_lines
from forge_tui.plan_report import time_text
from forge_tui.questions import BACK, NEXT, STAY, Choice, Question
from forge_tui.wizard.model import verdict_line
from forge_tui.wizard.session import Session

SETTING = "setting:"
_GO_ON, _AS_PLANNED = "go-on", "as-planned"
# What decides most of a result; a task without these shows its first ones.
_FIRST = (
    "num_train_epochs",
    "max_steps",
    "learning_rate",
    "per_device_train_batch_size",
    "max_length",
    "lora_r",
    "n_estimators",
    "max_depth",
    "early_stopping_rounds",
    "eval_fraction",
)
_FEWEST = 4
_NAME = 28


def settings_question(session: Session) -> Question:
    """Start with what was chosen, or change one."""
    assert session.plan is not None
    entries = _entries(session)
    more = len(_all_entries(session)) - len(entries)
    hidden = f"; {more} more with a" if more else ""
    return Question(
        "Are these settings right?",
        f"They were chosen for your data, model and machine{hidden}. Enter on one changes it.",
        (
            Choice(_GO_ON, "go on with these settings", memory_lines(session)),
            *(Choice(f"{SETTING}{entry.name}", _row(session, entry), _detail(session, entry)) for entry in entries),
        ),
        header=f"{verdict_line(session)} · time {time_text(session.plan)}",
    )


def _all_entries(session: Session) -> list[Field[Any]]:
    """The settings that matter for the method."""
    method = session.plan.recommendation.method.id if session.plan is not None else ""
    entries = fields(session.task.options)
    return [entry for entry in entries if "lora" in method or not entry.name.startswith("lora_")]


def _entries(session: Session) -> list[Field[Any]]:
    known = _all_entries(session)
    if session.all_settings:
        return known
    own = session.draft.settings
    first = [entry for entry in known if entry.name in _FIRST]
    first = first if len(first) >= _FEWEST else known[: len(_FIRST)]
    return [*first, *(entry for entry in known if entry.name in own and entry not in first)]


def _value(session: Session, entry: Field[Any]) -> Any:
    assert session.plan is not None
    planned = session.plan.settings.get(entry.name)
    return entry.default if planned is None else planned.value


def shown_value(value: Any) -> str:
    """A value as a person types it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "unset"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _row(session: Session, entry: Field[Any]) -> str:
    mark = "*" if entry.name in session.draft.settings else " "
    value = shown_value(_value(session, entry))
    return f"{entry.name:<{_NAME}}{mark}{value:>8}  {entry.metadata['help']}"


def _detail(session: Session, entry: Field[Any]) -> tuple[str, ...]:
    assert session.plan is not None
    planned = session.plan.settings.get(entry.name)
    reason = "the default, good for most runs" if planned is None else planned.reason
    return (f"{entry.name}: {entry.metadata['help']}", f"why     {reason}", f"limits  {limits(entry)}")


def limits(entry: Field[Any]) -> str:
    """`1 to 2048 tokens; the default is 256`."""
    low, high = entry.metadata["minimum"], entry.metadata["maximum"]
    unit = f" {entry.metadata['unit']}" if entry.metadata["unit"] else ""
    if entry.metadata["choices"]:
        told = f"one of {', '.join(entry.metadata['choices'])}"
    elif isinstance(entry.default, bool):
        told = "yes or no"
    elif isinstance(entry.default, str):
        told = "a word"
    else:
        bounds = [f"from {low:g}" if low is not None else "", f"to {high:g}" if high is not None else ""]
        told = (" ".join(each for each in bounds if each) or "any number") + unit
    return f"{told}; the default is {shown_value(entry.default)}"


def memory_lines(session: Session) -> tuple[str, ...]:
    """The memory by component, with a bar each."""
    assert session.plan is not None
    memory = session.plan.memory
    lines = [line.removeprefix("  ") for line in bar_lines(memory, 76)]
    if memory.cheapest is not None:
        lines.append(f"It fits with {memory.cheapest.what}; that costs {memory.cheapest.costs}")
    return tuple(lines)


def take_settings(session: Session, key: str) -> str:
    """Go on, or open the setting that shall be changed."""
    return NEXT if key == _GO_ON else key


def all_or_few(session: Session, highlighted: str | None) -> str:
    """Show every setting, or the few again."""
    session.all_settings = not session.all_settings
    return STAY


def back_to_planned(session: Session, highlighted: str | None) -> str:
    """Take the recommended value again for the highlighted setting."""
    name = (highlighted or "").removeprefix(SETTING)
    session.draft.settings.pop(name, None)
    return "settings"


# --- one setting -----------------------------------------------------------------------------------------------------


def _entry(session: Session) -> Field[Any]:
    return next(entry for entry in fields(session.task.options) if entry.name == session.argument)


def setting_question(session: Session) -> Question:
    """One setting; what memory and time become of it is shown as it is typed."""
    entry = _entry(session)
    assert session.plan is not None
    present = _value(session, entry)
    value = shown_value(present) if present is not None else ""
    choices: tuple[str, ...] = entry.metadata["choices"] or (("yes", "no") if isinstance(entry.default, bool) else ())
    own = (Choice(_AS_PLANNED, "as recommended"),) if session.argument in session.draft.settings else ()
    told = (f"✗ {session.refused}",) if session.refused else memory_lines(session)
    time = f"{verdict_line(session)} · time {time_text(session.plan)}"
    return Question(
        f"{entry.name}: {entry.metadata['help']}",
        f"{limits(entry)}.",
        (*(Choice(each, each) for each in choices), *own),
        proposed=value if choices else None,
        typed=None if choices else (session.trying if session.trying is not None else value),
        replaces=True,
        placeholder="empty takes the recommended value",
        header=time,
        told=(*told, *_detail(session, entry)[1:2]),
    )


def setting_typed(session: Session, text: str) -> None:
    """Look at once whether the value is possible; what is possible is planned with."""
    session.refused, session.trying = "", text.strip() or None
    if session.trying is None:
        return
    try:
        _parsed(session, session.trying)
    except UsageError as error:
        session.refused, session.trying = f"{error.why}", None


def _parsed(session: Session, text: str) -> Any:
    options: Any = parse_settings(session.task.options, {session.argument: text})
    return getattr(options, session.argument)


def setting_submitted(session: Session, text: str, highlighted: str | None) -> str:
    """What was typed; nothing takes the recommended value."""
    return text.strip() or _AS_PLANNED


def take_setting(session: Session, key: str) -> str:
    """Keep the value if it is possible."""
    name = session.argument
    if key == _AS_PLANNED:
        session.draft.settings.pop(name, None)
    else:
        assert session.plan is not None
        value = _parsed(session, key)
        planned = session.plan.settings.get(name)
        is_same = (
            session.trying is None
            and planned is not None
            and planned.value is not None
            and shown_value(planned.value) == key
        )
        if not (is_same and name not in session.draft.settings):
            session.draft.settings[name] = value
    session.trying, session.refused = None, ""
    return BACK


def stop_trying(session: Session) -> bool:
    """Forget what was typed; escape then goes back as ever."""
    session.trying, session.refused = None, ""
    return False
