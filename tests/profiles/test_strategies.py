"""Strategies: what the rows hold decides, wishes are kept where they can be, and refused with what is possible."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backends.contract import DatasetProfile, TaskProposal, UsageError
from profiles.strategies import choose_strategy, held_by, strategies, too_few_steps, warning_of

ROWS = {
    "texts": ("text",),
    "answers": ("prompt", "completion"),
    "marks": ("prompt", "completion", "label"),
    "preferences": ("prompt", "chosen", "rejected"),
}


def profile(holds: str, *proposals: tuple[str, str | None]) -> DatasetProfile:
    found = tuple(TaskProposal(task, strategy, "because") for task, strategy in proposals)
    columns = {role: role for role in ROWS[holds]}
    return DatasetProfile("x", None, None, 900, 900, "text-generation", found, columns)


@pytest.mark.parametrize("holds", ROWS)
def test_what_rows_hold_shows_in_their_roles(holds: str) -> None:
    assert held_by(ROWS[holds]) == holds


@pytest.mark.parametrize(
    ("holds", "first", "others"),
    [
        ("texts", "pretrain", []),
        ("answers", "sft", ["ppo"]),
        ("marks", "kto", ["sft"]),
        ("preferences", "dpo", ["orpo", "reward", "sft", "kto", "ppo"]),
    ],
)
def test_the_rows_decide(holds: str, first: str, others: list[str]) -> None:
    chosen = choose_strategy("text-generation", profile(holds))
    assert chosen.first.id == first
    assert [each.id for each in chosen.others] == others
    assert all(len(each.reason) > 20 for each in (chosen.first, *chosen.others))


def test_answers_that_can_be_checked_may_be_learned_by_trying() -> None:
    data = profile("answers", ("text-generation", "sft"), ("text-generation", "grpo"))
    chosen = choose_strategy("text-generation", data)
    assert (chosen.first.id, chosen.others[0].id) == ("sft", "grpo")
    assert "can be checked" in chosen.others[0].reason


def test_a_base_model_learns_answers_and_preferences_in_one_run() -> None:
    chosen = choose_strategy("text-generation", profile("preferences"), base_model=True)
    assert chosen.first.id == "orpo" and chosen.others[0].id == "dpo"
    assert choose_strategy("text-generation", profile("preferences"), base_model=False).first.id == "dpo"


def test_texts_that_are_dialogues_are_answers() -> None:
    assert choose_strategy("text-generation", profile("texts", ("text-generation", "sft"))).first.id == "sft"


def test_a_wish_is_kept() -> None:
    chosen = choose_strategy("text-generation", profile("preferences"), "kto")
    assert chosen.first.id == "kto" and "you chose it" in chosen.first.reason
    assert "dpo" in [each.id for each in chosen.others] and "kto" not in [each.id for each in chosen.others]


def test_a_reward_model_is_a_task_of_its_own() -> None:
    chosen = choose_strategy("reward-modeling", profile("preferences"))
    assert chosen.first.id == "reward" and "dpo" in [each.id for each in chosen.others]


def test_other_tasks_have_one_way() -> None:
    assert choose_strategy("summarization", profile("answers")).first.id is None


@pytest.mark.parametrize(
    ("task", "holds", "wanted", "words"),
    [
        ("text-generation", "answers", "dbo", ["'dbo'", "nearest is 'dpo'"]),
        ("text-generation", "answers", "dpo", ["better and a worse answer", "questions with answers", "sft"]),
        ("text-generation", "texts", "sft", ["plain texts", "Possible here: pretrain"]),
        ("text-generation", "preferences", "reward", ["--task reward-modeling"]),
        ("reward-modeling", "preferences", "dpo", ["--task text-generation --strategy dpo"]),
        ("summarization", "answers", "sft", ["one way", "Leave --strategy out"]),
        ("text-classification", "answers", "sft", ["head and label-words", "Leave --strategy out"]),
        ("text-generation", "answers", "label-words", ["--task text-classification --strategy label-words"]),
    ],
)
def test_a_wish_that_cannot_be(task: str, holds: str, wanted: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        choose_strategy(task, profile(holds), wanted)
    told = f"{refused.value.what} {refused.value.why} {refused.value.fix}"
    assert all(word in told for word in words), told


def test_every_strategy_is_recommended_for_some_rows_or_named_beside_one() -> None:
    named: set[str | None] = set()
    for holds in ROWS:
        data = profile(
            holds, ("text-generation", "sft" if holds != "texts" else "pretrain"), ("text-generation", "grpo")
        )
        chosen = choose_strategy("text-generation", data)
        named |= {each.id for each in (chosen.first, *chosen.others)}
        for each in (chosen.first, *chosen.others):
            strategy = next(known for known in strategies() if known.id == each.id)
            assert holds in strategy.learns_from, f"{each.id} cannot learn from {holds}"
    for kind in ("encoder", "causal-lm"):
        chosen = choose_strategy("text-classification", profile("marks"), kind=kind)
        named |= {each.id for each in (chosen.first, *chosen.others)}
    assert named - {None} == {each.id for each in strategies()}


@pytest.mark.parametrize(
    ("kind", "several", "wanted", "first", "others"),
    [
        (None, False, None, None, ["label-words"]),
        ("encoder", False, None, None, ["label-words"]),
        ("encoder", True, None, None, []),
        ("causal-lm", False, None, "label-words", ["head"]),
        ("causal-lm", True, None, "head", []),
        ("causal-lm", False, "head", "head", ["label-words"]),
        (None, False, "label-words", "label-words", ["head"]),
    ],
)
def test_a_decoder_sorts_by_the_words_of_labels_where_a_row_has_one(
    kind: str | None, several: bool, wanted: str | None, first: str | None, others: list[str]
) -> None:
    data = replace(profile("texts"), stats={"several_labels": several})
    chosen = choose_strategy("text-classification", data, wanted, kind=kind)
    assert (chosen.first.id, [each.id for each in chosen.others]) == (first, others)


def test_several_labels_have_no_words() -> None:
    data = replace(profile("texts"), stats={"several_labels": True})
    with pytest.raises(UsageError) as refused:
        choose_strategy("text-classification", data, "label-words")
    assert "any number of them" in refused.value.why and "--strategy head" in refused.value.fix


def test_trying_is_only_for_answers_that_can_be_checked() -> None:
    free, checkable = profile("answers"), profile("answers", ("text-generation", "sft"), ("text-generation", "grpo"))
    told = warning_of("grpo", free)
    assert told is not None and "free texts" in told
    assert warning_of("grpo", checkable) is None and warning_of("sft", free) is None and warning_of(None, free) is None
    for data, is_named in ((free, False), (checkable, True)):
        with pytest.raises(UsageError) as refused:
            choose_strategy("text-generation", data, "dpo")
        assert ("grpo" in refused.value.fix) == is_named


@pytest.mark.parametrize(
    ("strategy", "steps", "is_told"),
    [
        ("dpo", 15, True),
        ("kto", 15, True),
        ("dpo", 50, False),
        ("sft", 15, False),
        (None, 15, False),
        ("dpo", None, False),
    ],
)
def test_few_steps_change_no_preferences(strategy: str | None, steps: int | None, is_told: bool) -> None:
    assert (too_few_steps(strategy, steps) is not None) == is_told
