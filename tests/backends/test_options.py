"""Settings: every default is possible, every one says what it is, and what is typed is read or refused in words."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.contract import UsageError
from backends.options import parse_settings
from backends.options.sorting import TextClassificationOptions
from backends.options.tables import TabularOptions
from backends.registry import TASKS


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_the_defaults_are_possible_values(task: Any) -> None:
    defaults = parse_settings(task.options, {})
    assert defaults == task.options()
    typed = {entry.name: str(getattr(defaults, entry.name)) for entry in fields(task.options)}
    assert parse_settings(task.options, typed) == defaults


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_every_setting_says_what_it_is(task: Any) -> None:
    for entry in fields(task.options):
        assert len(entry.metadata["help"]) > 10 and not entry.metadata["help"].endswith("."), entry.name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"n_estimators": "12"}, {"n_estimators": 12}),
        ({"n_estimators": " 12 "}, {"n_estimators": 12}),
        ({"n_estimators": "1e3"}, {"n_estimators": 1000}),
        ({"n_estimators": 12.0}, {"n_estimators": 12}),
        ({"num_boost_round": 7}, {"n_estimators": 7}),
        ({"max_steps": "none"}, {"max_steps": None}),
        ({"max_steps": ""}, {"max_steps": None}),
        ({"max_steps": 5}, {"max_steps": 5}),
        ({"learning_rate": "1e-3"}, {"learning_rate": 1e-3}),
        ({"learning_rate": 1}, {"learning_rate": 1.0}),
        ({"subsample": 1}, {"subsample": 1.0}),
    ],
)
def test_settings_are_read_as_typed(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parse_settings(TabularOptions, given) == replace(TabularOptions(), **expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"lowercase": "no"}, {"lowercase": False}),
        ({"lowercase": "TRUE"}, {"lowercase": True}),
        ({"lowercase": 0}, {"lowercase": False}),
        ({"max_seq_length": 64}, {"max_length": 64}),
        ({"lr_scheduler_type": "cosine"}, {"lr_scheduler_type": "cosine"}),
    ],
)
def test_words_and_switches(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parse_settings(TextClassificationOptions, given) == replace(TextClassificationOptions(), **expected)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("n_estimators", "many", "a whole number"),
        ("n_estimators", "2.5", "a whole number"),
        ("n_estimators", "nan", "a whole number"),
        ("n_estimators", "inf", "a whole number"),
        ("n_estimators", "", "a whole number"),
        ("n_estimators", None, "a whole number"),
        ("n_estimators", [3], "a whole number"),
        ("n_estimators", 0, "at least 1"),
        ("max_steps", 0, "at least 1"),
        ("learning_rate", "0", "at least 1e-06"),
        ("learning_rate", 1.5, "at most 1"),
        ("learning_rate", "1,5", "a number"),
        ("seed", 2**31, "at most"),
        ("max_steps", 1e99, "at most 1,000,000,000,000"),
        ("seed", -1, "at least 0"),
    ],
)
def test_a_value_that_is_not_possible(name: str, value: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(TabularOptions, {name: value})
    error = caught.value
    assert name in error.what and repr(value) in error.what and why in error.why and error.fix
    assert error.exit_code == 2
    default = getattr(TabularOptions(), name)
    assert default is None or f"the default is {default}" in error.why


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("lowercase", "maybe", "true or false"), ("lr_scheduler_type", "cosin", "linear, cosine")],
)
def test_a_word_that_is_not_possible(name: str, value: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(TextClassificationOptions, {name: value})
    assert why in caught.value.why


def test_an_unknown_setting_names_the_nearest_and_all() -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(TabularOptions, {"n_estimator": 3})
    assert "'n_estimator'" in caught.value.what and "'n_estimators'" in caught.value.fix
    assert all(entry.name in caught.value.why for entry in fields(TabularOptions))
    with pytest.raises(UsageError) as caught:
        parse_settings(TabularOptions, {"zzz": 3})
    assert "nearest" not in caught.value.fix


@given(
    st.dictionaries(
        st.sampled_from([entry.name for entry in fields(TabularOptions)]), st.text() | st.floats() | st.integers()
    )
)
def test_any_value_is_taken_or_refused_in_words(given_settings: dict[str, Any]) -> None:
    try:
        parsed = parse_settings(TabularOptions, given_settings)
    except UsageError as error:
        assert error.what and error.why and error.fix
        return
    for entry in fields(TabularOptions):
        value = getattr(parsed, entry.name)
        low, high = entry.metadata["minimum"], entry.metadata["maximum"]
        assert value is None or ((low is None or value >= low) and (high is None or value <= high))
