"""The questions in their order, and what each one's keys do: the wizard as one table."""

from __future__ import annotations

from forge_tui.questions import PLAN, PROFILE, SEEN, Place
from forge_tui.wizard import advice, data, export, goal, model, review, rows, settings, strategy
from forge_tui.wizard.session import Session

PLACES: tuple[Place, ...] = (
    Place(
        "goal",
        "goal",
        goal.goal_question,
        goal.take_goal,
        keys={"door": goal.next_door, "door_back": goal.door_before},
    ),
    Place(
        "data",
        "data",
        data.data_question,
        data.take_data,
        typed=data.data_typed,
        submitted=data.data_submitted,
    ),
    Place(
        "rows",
        "data",
        rows.rows_question,
        rows.take_rows,
        needs=PROFILE,
        keys={"roles": rows.first_role, "export": export.open_export},
    ),
    Place("task", "data", rows.task_question, rows.take_task, needs=PROFILE, in_order=False),
    Place("column", "data", rows.column_question, rows.take_column, needs=PROFILE, in_order=False),
    Place(
        "export",
        "data",
        export.export_question,
        export.take_export,
        needs=PROFILE,
        in_order=False,
        submitted=review.typed_answer,
    ),
    Place("quality", "data", rows.quality_question, rows.take_quality, needs=PROFILE, in_order=False),
    Place("answers", "advice", advice.answers_question, advice.take_answers, needs=SEEN, in_order=False),
    Place(
        "answer",
        "advice",
        advice.answer_question,
        advice.take_answer,
        needs=SEEN,
        in_order=False,
        submitted=advice.answer_submitted,
    ),
    Place(
        "advice",
        "advice",
        advice.advice_question,
        advice.take_approach,
        needs=SEEN,
        keys={"answers": advice.edit_answers},
    ),
    Place(
        "strategy",
        "model",
        strategy.strategy_question,
        strategy.take_strategy,
        needs=PROFILE,
        asked=strategy.has_a_choice,
    ),
    Place(
        "model",
        "model",
        model.model_question,
        model.take_model,
        needs=PLAN,
        typed=model.find_typed,
        keys={
            "method": model.other_method,
            "fitting": model.only_fitting,
            "find": model.start_finding,
            "folder": model.open_folder,
        },
        closed=model.stop_finding,
    ),
    Place(
        "folder",
        "model",
        model.folder_question,
        model.take_folder,
        in_order=False,
        typed=model.folder_typed,
        submitted=model.folder_submitted,
    ),
    Place(
        "sorting",
        "model",
        strategy.sorting_question,
        strategy.take_strategy,
        needs=PLAN,
        asked=strategy.sorts_in_two_ways,
    ),
    Place(
        "settings",
        "settings",
        settings.settings_question,
        settings.take_settings,
        needs=PLAN,
        keys={"all": settings.all_or_few, "planned": settings.back_to_planned},
    ),
    Place(
        "setting",
        "settings",
        settings.setting_question,
        settings.take_setting,
        needs=PLAN,
        in_order=False,
        typed=settings.setting_typed,
        submitted=settings.setting_submitted,
        closed=settings.stop_trying,
    ),
    Place("review", "review", review.review_question, review.take_review, needs=PLAN),
    Place(
        "save",
        "review",
        review.save_question,
        review.take_save,
        needs=PLAN,
        in_order=False,
        submitted=review.typed_answer,
    ),
    Place(
        "name",
        "review",
        review.name_question,
        review.take_name,
        needs=PLAN,
        in_order=False,
        submitted=review.typed_answer,
    ),
)
_BY_ID = {place.id: place for place in PLACES}
_IN_ORDER = [place.id for place in PLACES if place.in_order]


def find_place(name: str) -> tuple[Place, str]:
    """The place of that name, and what it is about: `column:label` is the place `column`, about `label`."""
    id, _, argument = name.partition(":")
    return _BY_ID[id], argument


def where_to_resume(name: str) -> str:
    """The question in order that a draft is gone on with: the one it was left at, or that which had opened it."""
    place = _BY_ID.get(name.partition(":")[0])
    if place is None:
        return "rows"
    return place.id if place.in_order else next(each.id for each in reversed(_of_step(place.step)))


def _of_step(step: str) -> list[Place]:
    return [place for place in PLACES if place.step == step and place.in_order]


def following(session: Session, name: str) -> str:
    """The next question in order that is asked of these answers."""
    id = find_place(name)[0].id
    start = _IN_ORDER.index(id) + 1 if id in _IN_ORDER else 0
    return next((each for each in _IN_ORDER[start:] if _BY_ID[each].asked(session)), "review")


def before(session: Session, name: str) -> list[str]:
    """The questions in order before one, as escape goes back through them."""
    id = find_place(name)[0].id
    if id not in _IN_ORDER:
        return ["goal"]
    return [each for each in _IN_ORDER[: _IN_ORDER.index(id)] if _BY_ID[each].asked(session)]


def missing(session: Session, name: str) -> str | None:
    """What must be done before a question can be asked: the place of another one, a check, a plan; or None."""
    place, _ = find_place(name)
    if not place.needs:
        return None
    if session.draft.data is None:
        return None if place.needs == SEEN else "data"
    if not session.is_checked:
        return PROFILE
    if place.step not in ("goal", "data") and not rows.can_go_on(session):
        return "rows"
    if place.needs == PLAN and not session.is_planned:
        return PLAN
    return None
