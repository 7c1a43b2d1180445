"""The decision: cases people meet, what holds for all answers, and changes that do what they say."""

from __future__ import annotations

import itertools
import json
import string
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.contract import UsageError
from profiles.advice import Advice, decide
from profiles.answers import (
    ANSWER_KEYS,
    Answers,
    known_tasks,
    parse_answers,
    parse_pair,
    refuse_contradiction,
    valid_values,
)
from profiles.decide import weigh
from profiles.decision_facts import FILE, decision

APPROACHES = {"prompting", "rag", "fine-tuning", "from-scratch", "tabular-model"}
AMOUNTS = (None, 0, 1, 40, 99, 100, 999, 1_000, 9_999, 10_000, 999_999, 1_000_000, 50_000_000)
BUSY_MACHINE = [HealthCheck.too_slow]
CASES = Path(__file__).resolve().parents[3] / "shared" / "decision_cases.json"


def answered(**values: Any) -> Answers:
    return replace(Answers(), **values)


def case(text: str) -> Answers:
    """`text 800 specialised`: each word stands for the question it answers; `knowledge:none` names the question."""
    by_value = {value: key for key in ("task", *decision().answers) for value in valid_values(key)}
    values: dict[str, Any] = {}
    for word in text.split():
        key, _, value = word.rpartition(":")
        if value.isdecimal():
            values["examples"] = int(value)
        else:
            values[key or by_value[value]] = value
    return answered(**values)


@st.composite
def any_answers(draw: st.DrawFn) -> Answers:
    values = {key: draw(st.sampled_from((None, *valid_values(key)))) for key in ANSWER_KEYS if key != "examples"}
    values["examples"] = draw(st.sampled_from(AMOUNTS) | st.integers(0, 10**7))
    if values["task"] is not None and values["modality"] is not None:
        values["modality"] = known_tasks()[values["task"]]
    return answered(**values)


# --- cases -------------------------------------------------------------------------------------------------------

ASKED_OF_US = "budget:low today common acceptable"


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        # few or no examples
        (f"text text-classification 0 {ASKED_OF_US}", "prompting"),
        (f"text token-classification 0 {ASKED_OF_US}", "prompting"),
        (f"text text-generation 50 {ASKED_OF_US}", "prompting"),
        (f"text summarization 99 {ASKED_OF_US}", "prompting"),
        ("text text-classification 60 medium this-week specialised accuracy:high", "prompting"),
        ("text text-generation 10 budget:high this-quarter novel perfect volume:high", "prompting"),
        # a hundred to a million
        ("text text-classification 100 medium this-week specialised accuracy:high", "fine-tuning"),
        ("text text-classification 800 medium this-week specialised accuracy:high", "fine-tuning"),
        ("text token-classification 1200 budget:low this-quarter specialised accuracy:high", "fine-tuning"),
        ("text text-generation 8000 medium this-week specialised accuracy:high volume:high", "fine-tuning"),
        ("text translation 40000 medium this-quarter specialised accuracy:high volume:high", "fine-tuning"),
        ("text extractive-question-answering 3000 this-week accuracy:high", "fine-tuning"),
        ("text text-classification 500", "fine-tuning"),
        ("text text-classification 50000 medium today specialised accuracy:high volume:high", "fine-tuning"),
        # today there is no time to train on texts
        ("text text-classification 1840 medium today specialised accuracy:high volume:high", "prompting"),
        ("text text-generation 300 budget:low today common acceptable volume:low", "prompting"),
        # millions
        ("text text-generation 5000000 budget:high this-quarter novel accuracy:high", "from-scratch"),
        ("audio speech-recognition 2000000 budget:high this-quarter novel accuracy:high", "from-scratch"),
        ("text text-generation 5000000 medium this-quarter novel accuracy:high", "fine-tuning"),
        ("text text-generation 900000 budget:high this-quarter novel accuracy:high", "fine-tuning"),
        ("text text-generation 5000000 budget:high this-week novel accuracy:high", "fine-tuning"),
        ("text text-classification 3000000 medium this-week common accuracy:high", "fine-tuning"),
        ("text text-classification 3000000 budget:high this-quarter specialised perfect", "fine-tuning"),
        # knowledge
        ("text text-generation 0 budget:low this-week specialised accuracy:high changing", "rag"),
        ("text text-generation 0 budget:low today common acceptable changing volume:low", "rag"),
        ("text text-generation 6000 medium this-week specialised accuracy:high changing", "rag"),
        ("text text-generation 0 budget:low this-week specialised accuracy:high stable", "rag"),
        ("text text-classification 0 this-week changing", "rag"),
        ("text text-classification 2000 this-week specialised accuracy:high changing", "fine-tuning"),
        ("text text-generation 2000 this-week specialised accuracy:high knowledge:none", "fine-tuning"),
        # tables
        ("table tabular-classification 5000 budget:low today common accuracy:high", "tabular-model"),
        ("table tabular-regression 120 budget:low today common acceptable", "tabular-model"),
        ("table tabular-regression 3 budget:high this-quarter novel perfect changing yes", "tabular-model"),
        ("table tabular-classification 4000000 budget:high this-quarter novel accuracy:high", "tabular-model"),
        ("tabular-classification", "tabular-model"),
        ("table 0", "prompting"),
        # pictures, sound, videos
        ("image image-classification 600 budget:low this-week specialised accuracy:high", "fine-tuning"),
        ("image object-detection 400 budget:low today common acceptable volume:low", "fine-tuning"),
        ("image image-classification 0 budget:low this-week specialised accuracy:high", "prompting"),
        ("image visual-question-answering 0 medium this-week", "prompting"),
        ("image visual-question-answering 5000 medium this-week specialised accuracy:high", "fine-tuning"),
        ("audio speech-recognition 2000 medium this-week specialised accuracy:high", "fine-tuning"),
        ("audio speech-recognition 0 medium this-week common acceptable", "prompting"),
        ("video video-classification 700 budget:high this-quarter specialised accuracy:high", "fine-tuning"),
        ("video video-classification 20 budget:high this-quarter specialised accuracy:high", "prompting"),
        # reasons, and nothing at all
        ("text text-generation 2000 medium this-week specialised accuracy:high yes", "fine-tuning"),
        ("", "prompting"),
    ],
)
def test_cases(answers: str, wanted: str) -> None:
    assert decide(case(answers)).recommended == wanted


def test_the_shared_cases() -> None:
    if not CASES.is_file():
        pytest.skip(f"{CASES} is not there")
    told = json.loads(CASES.read_text())
    assert set(told["keys"]) <= set(ANSWER_KEYS)
    wrong = [
        (each["why"], found)
        for each in told["cases"]
        if (found := decide(answered(**each["answers"])).recommended) not in each["accept"]
    ]
    assert not wrong


# --- what holds for all answers ----------------------------------------------------------------------------------


def grid() -> list[Answers]:
    """Every combination of the answers that bear most on each other."""
    questions = ("modality", "budget", "deadline", "uniqueness", "knowledge")
    values = [(None, *valid_values(key)) for key in questions]
    return [
        answered(**dict(zip(questions, chosen)), examples=examples)
        for chosen in itertools.product(*values)
        for examples in (None, 0, 99, 100, 10_000, 1_000_000)
    ]


def test_what_holds_for_every_combination() -> None:
    for answers in grid():
        found = weigh(answers).recommended
        examples = answers.examples
        if found == "from-scratch":
            assert examples is not None and examples >= 1_000_000, answers
            assert (answers.uniqueness, answers.budget) == ("novel", "high"), answers
            assert answers.deadline in (None, "this-quarter"), answers
        if answers.modality == "table":
            assert found == ("prompting" if examples == 0 else "tabular-model"), answers
        else:
            assert found != "tabular-model", answers
        if answers.modality in ("image", "audio", "video") and examples in (0, 99):
            assert found == "prompting", answers


# What is tagged or judged stands before the model: no document helps.
NOT_LOOKED_UP = ("token-classification", "reward-modeling")


@given(any_answers())
@settings(deadline=None, max_examples=60, suppress_health_check=BUSY_MACHINE)
def test_what_holds_for_all_answers(answers: Answers) -> None:
    advice = decide(answers)
    modality = answers.data_modality
    names = {each.name for each in advice.combinations}
    if modality != "table":
        assert advice.recommended != "tabular-model"
        if answers.knowledge == "changing" and answers.task not in NOT_LOOKED_UP:
            assert "rag" in {advice.recommended, *names}
    if modality in ("text", None) and answers.explainable == "yes":
        assert "chain-of-thought" in names
    assert advice.recommended not in names
    assert {each.approach.id for each in advice.ranked} == APPROACHES
    scores = [each.score for each in advice.ranked]
    assert scores == sorted(scores, reverse=True)
    assert all((each.score == 0) == (not each.possible) for each in advice.ranked)
    assert all(each.against for each in advice.ranked if not each.possible)
    assert all("{" not in text for text in sentences(advice))


def sentences(advice: Advice) -> list[str]:
    said = [*advice.warnings, *advice.mistakes, *(advice.use_case or {}).values(), advice.practice]
    for each in advice.ranked:
        said += [*each.reasons, *each.against, *each.would_change_if]
    said += [each.reason for each in advice.combinations]
    return said + [text for step in advice.path for text in (step.do, step.next)]


@given(any_answers())
@settings(deadline=None, max_examples=40, suppress_health_check=BUSY_MACHINE)
def test_every_change_does_what_it_says(answers: Answers) -> None:
    advice = decide(answers)
    first, *others = advice.ranked
    assert first.changes, "something changes every advice"
    for change in first.changes:
        changed = replace(answers, **change.answers)
        refuse_contradiction(changed)
        assert weigh(changed).recommended == change.approach != advice.recommended
        assert changed != answers and change.words
    for each in others:
        assert each.changes
        for change in each.changes:
            assert weigh(replace(answers, **change.answers)).recommended == each.approach.id == change.approach
    for open_question in advice.missing:
        assert getattr(answers, open_question.key) is None
        for value, leads_to in open_question.would_give.items():
            assert leads_to != advice.recommended
            if open_question.key != "examples":
                assert weigh(replace(answers, **{open_question.key: value})).recommended == leads_to


@given(any_answers(), st.integers(0, 10**7), st.integers(0, 10**7))
@settings(deadline=None, suppress_health_check=BUSY_MACHINE)
def test_more_examples_never_lower_fine_tuning(answers: Answers, one: int, other: int) -> None:
    fewer, more = sorted((one, other))

    def points(examples: int) -> int:
        outcome = weigh(replace(answers, examples=examples))
        return next(each.points for each in outcome.verdicts if each.approach.id == "fine-tuning")

    assert points(fewer) <= points(more)


@given(any_answers())
@settings(deadline=None, suppress_health_check=BUSY_MACHINE)
def test_what_was_not_answered_says_nothing(answers: Answers) -> None:
    """A reason for or against follows from an answer; only what rules an approach out may follow from a missing one."""
    for verdict in weigh(answers).verdicts:
        for rule in verdict.fired:
            for key in rule.when.keys - {"modality"}:
                assert (
                    getattr(answers, key) is not None or rule.when.none_of or dict(rule.when.one_of)[key] >= {"unknown"}
                )
            if rule.when.examples_from is not None or rule.when.examples_below is not None:
                assert answers.examples is not None


# --- what the advice says ------------------------------------------------------------------------------------------


def test_the_advice_of_the_screen() -> None:
    advice = decide(case("text text-classification 1840 this-week specialised accuracy:high volume:high"))
    first = advice.ranked[0]
    assert first.approach.id == "fine-tuning"
    assert first.reasons[0] == "1,840 examples: fine-tuning works from about 100"
    assert "needs a GPU for minutes to hours; prompting needs none" in first.against
    prompting = next(each for each in advice.ranked if each.approach.id == "prompting")
    assert prompting.would_change_if == ("you had under 100 examples", "you needed it today")
    assert [dict(each.answers) for each in prompting.changes] == [{"examples": 99}, {"deadline": "today"}]
    scratch = next(each for each in advice.ranked if each.approach.id == "from-scratch")
    (change,) = scratch.changes
    wanted = {"deadline": "this-quarter", "uniqueness": "novel", "budget": "high", "examples": 1_000_000}
    assert dict(change.answers) == wanted
    assert "you had 1,000,000 examples or more" in change.words
    assert scratch.data == "1/500th"


def test_amounts_in_words_are_the_whole_range_that_leads_there() -> None:
    advice = decide(case("text this-week specialised accuracy:high"))
    (open_examples,) = (each for each in advice.missing if each.key == "examples")
    assert open_examples.would_give == {"you had under 100 examples": "prompting"}
    novel = decide(case("text 50 budget:high this-quarter novel accuracy:high"))
    told = {change.approach: change.words for change in novel.ranked[0].changes if "examples" in change.answers}
    assert told == {
        "fine-tuning": "you had 100 to 999,999 examples",
        "from-scratch": "you had 1,000,000 examples or more",
    }


def test_pictures_are_counted_as_pictures() -> None:
    assert decide(case("image 1")).ranked[0].reasons[0].startswith("1 picture: ")
    assert any("under 100 pictures" in text for text in decide(case("image 400")).ranked[0].would_change_if)


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ("text text-generation 6000 this-week changing", {"fine-tuning", "many-shot-prompting"}),
        ("text text-generation 2000 this-week specialised accuracy:high yes", {"chain-of-thought"}),
        ("text text-classification 40 today", {"many-shot-prompting"}),
        ("text text-classification 0 today", set()),
        ("text text-classification 900 today specialised", {"many-shot-prompting", "fine-tuning"}),
        ("text text-classification 0 volume:high", {"distillation"}),
        ("table tabular-classification 5000 medium perfect", {"ensemble"}),
        ("table tabular-classification 5000 budget:low perfect", set()),
        ("text 5000 specialised accuracy:high volume:high", {"cascade"}),
        ("image image-classification 600 changing", {"rag"}),
        ("table 500 changing yes", set()),
    ],
)
def test_what_goes_together(answers: str, wanted: set[str]) -> None:
    advice = decide(case(answers))
    assert {each.name for each in advice.combinations} == wanted
    assert advice.to_json()["combine_with"] == [each.name for each in advice.combinations]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ("tabular-regression 120", "under 500 rows"),
        ("text-classification 600", "500 rows a class make a good start"),
        ("image-classification 150", "under 100 images a class"),
        ("token-classification 100", "1,000 documents make a good start"),
        ("text-classification 800 specialised many-poor", "Poor examples"),
        ("text-classification 800 specialised mixed", "Mixed quality"),
        ("text-classification 800 specialised perfect", "let a person decide"),
        ("table 0", "collect rows"),
        ("table 900 yes", "Trees write no reasons"),
        ("image 600 yes", "no reasons"),
        ("table 900 changing", "hold out the latest rows"),
        ("text 5000000 novel budget:high", "takes weeks"),
    ],
)
def test_warnings(answers: str, words: str) -> None:
    assert any(words in warning for warning in decide(case(answers)).warnings)


def test_enough_examples_need_no_warning() -> None:
    assert decide(case("text-classification 5000 specialised")).warnings == ()
    assert decide(case("tabular-regression 9000")).warnings == ()


@pytest.mark.parametrize(
    ("answers", "step"),
    [
        ("text 0", "prompt"),
        ("text 1", "many-shot"),
        ("text 99", "many-shot"),
        ("text 100", "few-shot tuning"),
        ("text 10000", "full tuning"),
        ("image 99", "prompt"),
        ("image 100", "few-shot tuning"),
        ("table 0", "rules"),
        ("table 499", "linear model"),
        ("table 500", "trees"),
    ],
)
def test_the_path_marks_where_the_examples_lead(answers: str, step: str) -> None:
    assert [each.name for each in decide(case(answers)).path if each.here] == [step]


def test_without_a_number_of_examples_no_step_is_marked() -> None:
    steps = decide(case("text")).path
    assert [each.name for each in steps] == ["prompt", "many-shot", "few-shot tuning", "full tuning"]
    assert not any(each.here for each in steps)


@pytest.mark.parametrize("use_case", valid_values("use_case"))
def test_each_use_says_when_to_prompt_and_when_to_tune(use_case: str) -> None:
    told = decide(answered(use_case=use_case)).use_case
    assert told is not None and {"start", "prompt_when", "tune_when"} <= set(told)
    assert decide(Answers()).use_case is None


def test_quality_weighs_on_fine_tuning() -> None:
    def points(quality: str | None) -> int:
        outcome = weigh(answered(modality="text", examples=800, quality=quality))
        return next(each.points for each in outcome.verdicts if each.approach.id == "fine-tuning")

    assert points("few-good") > points(None) == points("mixed") > points("many-poor")


def test_json_holds_what_was_promised() -> None:
    told = json.loads(json.dumps(decide(case("text-classification 800 specialised")).to_json()))
    assert {"recommended", "combine_with", "ranked"} <= set(told)
    for each in told["ranked"]:
        assert {"approach", "score", "reasons", "would_change_if"} <= set(each)
        assert {"data", "time", "cost", "customisation", "new_knowledge", "consistency", "maintenance"} <= set(
            each["comparison"]
        )
    assert told["ranked"][0]["approach"] == told["recommended"]
    assert told["answers"]["modality"] == "text" and told["answers"]["budget"] is None


# --- the answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "count"),
    [
        ("0", 0),
        ("none", 0),
        ("1840", 1840),
        ("1,840", 1840),
        ("1 840", 1840),
        ("1_840", 1840),
        ("1'840'000", 1_840_000),
        ("1.5k", 1500),
        ("1e3", 1000),
        ("2.5E+4", 25_000),
        ("1.5 K", 1500),
        ("5 million", 5_000_000),
        ("2.25m", 2_250_000),
        ("3 thousand", 3000),
        ("unknown", None),
        ("?", None),
    ],
)
def test_numbers_as_people_write_them(typed: str, count: int | None) -> None:
    assert parse_answers([("examples", typed)]).examples == count


@pytest.mark.parametrize(
    "typed",
    ["", "-5", "− 5", "1.5", "1.840", "1,84", "12,3456", "abc", "5 apples", "nan", "inf", "1e-6", "1.23e1", "1e99",
     "0x10", "1.0001k", "9" * 30, "9" * 5000, "1." + "0" * 5000 + "k", "¹²", "٣"],
)  # fmt: skip
def test_what_is_no_number_of_examples(typed: str) -> None:
    with pytest.raises(UsageError, match="examples cannot be") as told:
        parse_answers([("examples", typed)])
    assert "1.5k or 5 million" in told.value.why
    assert len(told.value.what) < 100


@settings(deadline=None, suppress_health_check=BUSY_MACHINE)
@given(st.text(alphabet=string.printable + "−٣½ ", max_size=30))
def test_any_text_is_a_number_or_refused(typed: str) -> None:
    try:
        count = parse_answers([("examples", typed)]).examples
    except UsageError:
        return
    assert count is None or count >= 0


@pytest.mark.parametrize(
    ("pairs", "what", "fix"),
    [
        ([("modalty", "text")], "There is no answer 'modalty'", "'modality'"),
        ([("budget", "lo")], "budget cannot be 'lo'", "'low'"),
        ([("task", "text-clasification")], "task cannot be", "'text-classification'"),
        ([("budget", "")], "budget cannot be ''", "budget=unknown"),
        ([("budget", "low"), ("budget", "high")], "budget is answered twice: low and high", "Keep one"),
        ([("examples", "5"), ("examples", "unknown")], "examples is answered twice: 5 and unknown", "Keep one"),
        ([("modality", "table"), ("task", "text-generation")], "contradict each other", "tabular-regression"),
        ([("modality", "text"), ("task", "visual-question-answering")], "contradict each other", "summarization"),
    ],
)
def test_answers_that_are_refused(pairs: list[tuple[str, str]], what: str, fix: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_answers(pairs)
    assert what in told.value.what and fix in told.value.fix


def test_answers_that_are_understood() -> None:
    pairs = [("Deadline", "This week"), ("use-case", "customer_service"), ("budget", "LOW"), ("budget", "low")]
    pairs += [("explainable", "true"), ("uniqueness", "specialized"), ("volume", "unknown")]
    wanted = answered(deadline="this-week", use_case="customer-service", budget="low", explainable="yes")
    assert parse_answers(pairs) == replace(wanted, uniqueness="specialised")
    assert parse_pair(" task = a=b ") == ("task", "a=b")
    for wrong in ("budget", "=low", ""):
        with pytest.raises(UsageError, match="is not key=value"):
            parse_pair(wrong)


# --- decision.toml -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("examples", "said"), [(1, "1/500th"), (50, "1/10th"), (499, "too few"), (500, "enough")])
def test_a_few_rows_of_a_table_are_not_called_enough(examples: int, said: str) -> None:
    advice = decide(answered(modality="table", examples=examples))
    assert next(each.data for each in advice.ranked if each.approach.id == "tabular-model") == said


@pytest.mark.parametrize("knowledge", ["stable", "changing"])
@pytest.mark.parametrize("task", ["token-classification", "reward-modeling"])
def test_what_is_judged_alone_needs_no_documents(task: str, knowledge: str) -> None:
    advice = decide(answered(task=task, knowledge=knowledge, examples=2_000))
    assert "rag" not in [each.name for each in advice.combinations]


def test_none_is_an_open_answer_where_it_is_no_value() -> None:
    assert parse_answers([("task", "None"), ("budget", "null")]) == Answers()
    assert parse_answers([("knowledge", "none"), ("examples", "none")]) == answered(knowledge="none", examples=0)


def test_conditions_name_answers_that_exist() -> None:
    framework = decision()
    assert {each.id for each in framework.approaches} == APPROACHES
    conditions = [(rule.when, (rule.approach,)) for rule in framework.rules]
    conditions += [(rule.unless, (rule.approach,)) for rule in framework.rules if rule.unless]
    remarks = (*framework.combinations, *framework.warnings, *framework.mistakes)
    conditions += [(remark.when, remark.approaches) for remark in remarks]
    for condition, approaches in conditions:
        assert set(approaches) <= APPROACHES
        for key, values in (*condition.one_of, *condition.none_of):
            assert values <= {*valid_values(key), "unknown"}, (key, values)
    ways = [modality for way in framework.ways for modality in way.modality]
    assert sorted(ways) == sorted((*valid_values("modality"), "unknown"))


def test_every_rule_and_remark_is_said_to_somebody() -> None:
    """A rule that never fires is dead; those without words only weigh."""
    framework = decision()
    conditions = [rule.when for rule in framework.rules]
    conditions += [each.when for each in (*framework.combinations, *framework.warnings, *framework.mistakes)]
    for condition in conditions:
        values = {key: next(iter(wanted - {"unknown"} or {None})) for key, wanted in condition.one_of}
        bounds = (condition.examples_from, (condition.examples_below or 1) - 1)
        facts = answered(**values, examples=bounds[0] if bounds[0] is not None else bounds[1]).facts()
        assert condition.holds(facts), condition
    for rule in framework.rules:
        assert rule.bar or rule.weight or rule.says or rule.against


def test_the_decision_needs_no_formats(repository: Path) -> None:
    script = "import sys, profiles.advice as a; a.decide(a.Answers()); print('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True, timeout=120).stdout
    loaded = set(told.split())
    assert "profiles.advice" in loaded
    assert not {name for name in loaded if name.startswith(("backends.formats", "forge_tui", "pyarrow"))}


def test_the_document_shows_every_answer_and_every_reason(repository: Path) -> None:
    document = (repository / "docs" / "advice.md").read_text(encoding="utf-8")
    for key in ANSWER_KEYS:
        assert f"`{key}`" in document
        assert all(f"`{value}`" in document for value in valid_values(key) if key != "task")
    thresholds = {name: f"{value:,}" for name, value in decision().thresholds.items()}
    flat = " ".join(document.split())
    framework = decision()
    said = [rule.says for rule in framework.rules] + [rule.against for rule in framework.rules]
    remarks = (*framework.combinations, *framework.warnings, *framework.mistakes)
    said += [remark.says for remark in remarks]
    for text in filter(None, said):
        assert text.format(count="N examples", **thresholds) in flat
    for use in framework.use_cases.values():
        assert use["prompt_when"] in flat and use["tune_when"].format(**thresholds) in flat
    assert FILE.name in document
