"""What a cell means: the smallest definitions, which everything else stands on."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.formats.values import (
    as_label,
    as_number,
    as_text,
    as_timestamp,
    is_code,
    is_missing,
    normal_name,
)

CELLS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize(
    "cell", [None, "", "  ", "NA", " n/a ", "NaN", "-nan", "null", "None", "<NA>", "#N/A", math.nan]
)
def test_words_for_missing(cell: Any) -> None:
    assert is_missing(cell)


@pytest.mark.parametrize("cell", ["0", 0, False, "no", "-", "?", "missing", math.inf, [], {}, "nano", "nullable"])
def test_values_that_are_not_missing(cell: Any) -> None:
    assert not is_missing(cell)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("12", 12.0), (" -3.5 ", -3.5), ("+.5", 0.5), ("7.", 7.0), ("1e-3", 1e-3), ("2E5", 2e5), (3, 3.0), (True, 1.0),
        ("1,234.5", 1234.5), ("-1,234,567", -1234567.0), (Decimal("12.50"), 12.5), ("007", 7.0),
    ],
)  # fmt: skip
def test_numbers(cell: Any, number: float) -> None:
    assert as_number(cell) == number


@pytest.mark.parametrize(
    "cell",
    [
        None, "", "n/a", "inf", "-inf", "nan", "1e999", "39,1", "12,34", "1,2345", "1.234,5", "2020-01-02", "1 000",
        "1_000", "0x1f", "12kg", "$5", "5%", ".", "e5", "--1", math.inf, math.nan, [], {}, 10**400, -(10**400),
        Decimal("NaN"), Decimal("Infinity"),
    ],
)  # fmt: skip
def test_what_is_no_number(cell: Any) -> None:
    assert as_number(cell) is None


@pytest.mark.parametrize(
    ("cell", "number"),
    [("39,1", 39.1), ("-0,5", -0.5), ("1,5e3", 1500.0), ("12", 12.0), ("1.5", 1.5), ("1,234.5", None)],
)
def test_numbers_where_commas_are_decimal(cell: str, number: float | None) -> None:
    assert as_number(cell, decimal_comma=True) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_written_by_python_is_read_back(number: float) -> None:
    assert as_number(repr(number)) == number
    if "e" not in repr(number):
        assert as_number(repr(number).replace(".", ","), decimal_comma=True) == number


@given(st.integers(-(10**15), 10**15))
def test_a_whole_number_is_read_with_and_without_thousands(number: int) -> None:
    assert as_number(str(number)) == as_number(number) == as_number(f"{number:,}") == number


@given(CELLS, st.booleans())
def test_any_cell_is_understood_somehow(cell: Any, decimal_comma: bool) -> None:
    number = as_number(cell, decimal_comma)
    assert number is None or math.isfinite(number)
    moment = as_timestamp(cell)
    assert moment is None or math.isfinite(moment)
    assert isinstance(is_missing(cell), bool) and isinstance(is_code(cell), bool)
    label = as_label(cell)
    assert isinstance(as_text(cell), str) and label == label.strip() and "\n" not in label
    assert as_label(label) == label
    if is_missing(cell):
        assert number is None


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("007", True), ("0", False), ("10", False), ("-07", True), ("12345678901234567890", True), (2**53 + 1, True),
        (2**53, False), ("1.50", False), ("abc", False), ("²", False), ("", False),
    ],
)  # fmt: skip
def test_codes(cell: Any, code: bool) -> None:
    assert is_code(cell) is code


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T00:00:01", 1.0),
        ("1970-01-01 01:00:00+01:00", 0.0),
        ("1970-01-01T00:00:00Z", 0.0),
        (datetime(1970, 1, 2), 86400.0),
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0.0),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC).timestamp()),
        (datetime.max, datetime.max.replace(tzinfo=UTC).timestamp()),
    ],
)
def test_dates(cell: Any, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert as_timestamp(cell) == seconds


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_a_date_does_not_depend_on_where_it_is_read(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert as_timestamp("2024-03-10 02:30:00") == datetime(2024, 3, 10, 2, 30, tzinfo=UTC).timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "cell", ["", "yesterday", "2024", "12/31/2024", "2024-13-01", "20240230", None, 20240101.5, [], "9" * 99]
)
def test_what_is_no_date(cell: Any) -> None:
    assert as_timestamp(cell) is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""), ("a ", "a "), (3, "3"), (3.0, "3"), (3.5, "3.5"), (True, "true"), (1e300, "1e+300"),
        ([1, "ä"], '[1, "ä"]'), ({"a": None}, '{"a": null}'),
    ],
)  # fmt: skip
def test_texts(cell: Any, text: str) -> None:
    assert as_text(cell) == text


def test_labels_of_json_and_csv_are_the_same() -> None:
    for cell in (1, 1.0, "1", " 1 "):
        assert as_label(cell) == "1"
    assert as_label(" New \n York ") == "New York"
    assert as_label(json.loads("[1, 2]")) == "[1, 2]"


def test_names_are_compared_without_case_and_signs() -> None:
    assert normal_name("Actual_Text ") == normal_name("actual text") == "actualtext"
