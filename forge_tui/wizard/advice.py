"""Advice: whether to train at all, from what the data says and what was answered, with what would change it."""

from __future__ import annotations

from typing import Any

from backends.contract import UsageError
from forge_tui.advice_data import known_answers
from forge_tui.questions import BACK, NEXT, Choice, Question
from forge_tui.wizard.session import Session
from profiles.advice import Advice, Ranked, decide
from profiles.answers import Answers, counted, parse_answers, refuse_contradiction, shown, valid_values
from profiles.decision_facts import UNKNOWN, decision

ANSWER, ANSWERS, HAS_DATA = "answer:", "answers", "data"
TRAINED = ("fine-tuning", "from-scratch", "tabular-model")
# Asked in this order; the task is the goal, and asked there.
ASKED = (
    "modality",
    "examples",
    "quality",
    "uniqueness",
    "accuracy",
    "knowledge",
    "deadline",
    "budget",
    "volume",
    "explainable",
    "use_case",
)
_QUESTIONS = {
    "modality": ("What is your data?", "Tables and pictures are trained; texts may need no training at all."),
    "examples": (
        "How many examples with the right answer do you have?",
        "Under about a hundred, an existing model that is told what to do is better than training.",
    ),
    "quality": ("How good are they?", "A few good examples teach more than many poor ones."),
    "uniqueness": (
        "How special is the task?",
        "What public models know already needs a prompt; what they do not needs examples.",
    ),
    "accuracy": ("How right must it be?", "More accuracy takes more examples and more work; often 90% is enough."),
    "knowledge": (
        "Must it know facts of your own?",
        "Facts that change are looked up; training teaches a behaviour, not facts.",
    ),
    "deadline": ("When must it work?", "A prompt works today; labelling and training take days."),
    "budget": ("What can you spend?", "Training costs once, prompting a large model costs with each request."),
    "volume": ("How many requests will it get?", "A small model of your own answers millions cheaply."),
    "explainable": ("Must each answer say why?", "Reasons have to be in the examples, or in the prompt."),
    "use_case": ("What is it for?", "Some uses have a way that is known to work."),
}
_VALUES = {
    "text": "texts",
    "image": "pictures",
    "table": "a table",
    "audio": "recordings",
    "video": "videos",
    "few-good": "few, but good",
    "many-poor": "many, but poor",
    "common": "a common one: many people need the same",
    "specialised": "special to our field or company",
    "novel": "new: no model has seen the like",
    "acceptable": "acceptable is enough",
    "perfect": "nearly no mistake is allowed",
    "none": "no",
    "stable": "yes, facts that rarely change",
    "changing": "yes, facts that change",
    "this-week": "this week",
    "this-quarter": "this quarter",
}
_OPEN = "I do not know"


def answers_of(session: Session) -> Answers:
    """What the data says, and over it what was answered by hand."""
    given = parse_answers([(key, value) for key, value in session.draft.answers.items() if value != UNKNOWN])
    known = known_answers(session.profile) if session.profile is not None else {}
    if session.task_id is not None:
        known["task"] = session.task_id
    values: dict[str, Any] = {**known, **{key: value for key, value in vars(given).items() if value is not None}}
    if "task" in values:
        values.pop("modality", None)
    answers = Answers(**values)
    refuse_contradiction(answers)
    return answers


def advice_of(session: Session) -> Advice:
    """The advice for the answers so far."""
    return decide(answers_of(session))


# --- the questionnaire -----------------------------------------------------------------------------------------------


def answers_question(session: Session) -> Question:
    """All questions with their present answers."""
    answers = answers_of(session)
    done = Choice("done", "that is all: show the advice")
    rows = [Choice(f"{ANSWER}{key}", _row(session, answers, key), _QUESTIONS[key]) for key in ASKED]
    return Question(
        "What should the advice know?",
        "Each answer may be left open; what your data says is filled in.",
        (done, *rows),
        told=_from_data(session),
    )


def _row(session: Session, answers: Answers, key: str) -> str:
    value = answers.data_modality if key == "modality" else getattr(answers, key)
    said = "not answered" if value is None else _VALUES.get(str(value), shown(value))
    source = "" if value is None or key in session.draft.answers else "   (from your data)"
    return f"{_QUESTIONS[key][0]:<54} {said}{source}"


def _from_data(session: Session) -> tuple[str, ...]:
    if session.profile is None:
        return ("No data was chosen yet: it would answer what it is, what it is for and how much there is.",)
    known = known_answers(session.profile)
    return (f"Your data answered {', '.join(f'{key} = {shown(value)}' for key, value in known.items())}.",)


def take_answers(session: Session, key: str) -> str:
    """Open a question, or show the advice."""
    return "advice" if key == "done" else key


def answer_question(session: Session) -> Question:
    """One question of the decision."""
    key = session.argument
    ask, why = _QUESTIONS[key]
    position = f"   ({ASKED.index(key) + 1} of {len(ASKED)})"
    given = session.draft.answers.get(key)
    if key == "examples":
        known = answers_of(session).examples
        typed = given if given not in (None, UNKNOWN) else "" if known is None else f"{known:,}"
        choices: tuple[Choice, ...] = (Choice(UNKNOWN, _OPEN),)
        placeholder = "a number, as 1,840 or 5 million; empty if you do not know"
        return Question(ask + position, why, choices, typed=typed, placeholder=placeholder)
    help_of = decision().answers[key]["values"]
    choices = tuple(
        Choice(value, _VALUES.get(value, value), (f"Then the advice counts that {help_of[value]}.",))
        for value in valid_values(key)
    )
    present = given or (answers_of(session).data_modality if key == "modality" else getattr(answers_of(session), key))
    extra = (
        (Choice(HAS_DATA, "I have a data file: let it answer this"),) if key == "modality" and _no_data(session) else ()
    )
    return Question(
        ask + position,
        why,
        (*extra, *choices, Choice(UNKNOWN, _OPEN)),
        proposed=present or (UNKNOWN if not extra else None),
    )


def _no_data(session: Session) -> bool:
    return session.profile is None


def answer_submitted(session: Session, text: str, highlighted: str | None) -> str:
    """A number as it was typed; nothing is an open answer."""
    return text.strip() or UNKNOWN


def take_answer(session: Session, key: str) -> str:
    """Keep the answer; in a row of questions go on with the next."""
    if key == HAS_DATA:
        session.is_walking = False
        return HAS_DATA
    name = session.argument
    if key != UNKNOWN:
        parse_answers([(name, key)])  # refuses what cannot be
    session.draft.answers[name] = key
    session.draft.approach = None
    if not session.is_walking:
        return BACK
    following = ASKED[ASKED.index(name) + 1 :]
    session.is_walking = bool(following)
    return f"{ANSWER}{following[0]}" if following else "advice"


# --- the advice ------------------------------------------------------------------------------------------------------


def advice_question(session: Session) -> Question:
    """The approaches, ranked, beside each other; each with what speaks for and against it."""
    advice = advice_of(session)
    shown_ones = [each for each in advice.ranked if each.fits_data]
    about = [advice.answers.data_modality, counted(advice.answers) if advice.answers.examples is not None else None]
    facts = " · ".join(each for each in about if each)
    width = max(len(_label(each)) for each in shown_ones)
    first = advice.ranked[0]
    return Question(
        first.approach.title,
        f"For {facts or 'what was answered'}; e changes the answers, and the advice with them.",
        tuple(
            Choice(each.approach.id, _approach_row(each, width), tuple(_detail(advice, each))) for each in shown_ones
        ),
        proposed=_proposed(session, shown_ones),
        header=f"{'':<{width}}  {'data':<11} {'first result':<16} {'cost':<13} consistency",
        told=tuple(_remarks(advice)),
    )


def _proposed(session: Session, ranked: list[Ranked]) -> str:
    """What was chosen; else the best; of those who came to train, the best way to train."""
    ids = [each.approach.id for each in ranked]
    if session.draft.approach in ids:
        return str(session.draft.approach)
    possible = [each.approach.id for each in ranked if each.approach.id in TRAINED]
    return possible[0] if session.wants_to_train and possible else ids[0]


def _label(ranked: Ranked) -> str:
    return ranked.approach.name.removeprefix("a ").removeprefix("training ")


def _approach_row(each: Ranked, width: int) -> str:
    short = each.approach.short
    return (
        f"{_label(each):<{width}}  {each.data:<11} {short['time']:<16} {short['cost']:<13} "
        f"{each.approach.comparison['consistency']}"
    )


def _detail(advice: Advice, each: Ranked) -> list[str]:
    lines = [f"+ {reason}" for reason in each.reasons] or ["nothing said so far speaks for more than this"]
    lines += [f"- {reason}" for reason in each.against]
    comparison = each.approach.comparison
    lines.append(
        f"customised: {comparison['customisation']}; new facts: {each.approach.short['new_knowledge']}; "
        f"upkeep: {each.approach.short['maintenance']}"
    )
    known = advice.answers.data_modality is not None
    told = [change.words for change in each.changes if not (known and "modality" in change.answers)]
    if told:
        is_first = each is advice.ranked[0]
        start = "It would be something else if" if is_first else "It would come first if"
        lines.append(f"{start} {', or '.join(told[:4])}.")
    return lines


def _remarks(advice: Advice) -> list[str]:
    lines = [f"! {warning}" for warning in advice.warnings]
    lines += [f"together with {each.name}: {each.reason}" for each in advice.combinations]
    if advice.missing:
        keys = ", ".join(each.key for each in advice.missing)
        lines.append(f"Not answered, and it could change the advice: {keys} (e).")
    return [*lines, f"Good practice: {advice.practice}"]


def take_approach(session: Session, key: str) -> str:
    """Go on with an approach that trains; what is not trained is told with how it is done."""
    advice = advice_of(session)
    if key not in TRAINED:
        name = next(each.approach.name for each in advice.ranked if each.approach.id == key)
        step = advice.path[0]
        raise UsageError(
            f"There is nothing to train for {name}",
            f"{step.name}: {step.do}",
            "Start there; its score is what a trained model must beat. To train all the same, choose another row.",
        )
    if key != session.draft.approach:
        session.draft.approach = key
        if key == "from-scratch" and session.is_trainable:
            session.draft.model, session.draft.method = session.task.default_model, None
    return NEXT


def edit_answers(session: Session, highlighted: str | None) -> str:
    """Open the questionnaire."""
    return ANSWERS
