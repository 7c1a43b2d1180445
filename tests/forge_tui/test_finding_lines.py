"""Findings as lines: one for each fault, none hidden behind another of its kind."""

from __future__ import annotations

from backends.contract import Finding
from backends.formats.findings import PLACES_KEPT, Findings
from forge_tui.finding_lines import for_screen, grouped


def test_faults_of_one_code_do_not_hide_one_another() -> None:
    faults = [
        Finding("chat-order", "turns 1 and 2 are two questions in a row", "line 1", "Join them."),
        Finding("chat-order", "the first turn is an answer", "line 2", "Join them."),
        Finding("chat-order", "turns 5 and 6 are two questions in a row", "line 7", "Join them."),
        Finding("chat-order", "turns 8 and 9 are two questions in a row", "line 9", "Join them."),
    ]
    assert grouped(faults) == [
        "3× such as: turns 1 and 2 are two questions in a row [line 1, 7, 9]. Join them.",
        "the first turn is an answer [line 2]. Join them.",
    ]


def test_two_faults_are_both_told_in_full() -> None:
    faults = [
        Finding("ragged-row", "row 1 has 2 cells, the header has 3", "line 2", "Correct it."),
        Finding("ragged-row", "row 2 has 4 cells, the header has 3", "line 3", "Correct it."),
    ]
    assert [line.partition(" [")[0] for line in grouped(faults)] == [fault.message for fault in faults]


def test_a_place_stands_once_and_the_count_is_of_findings() -> None:
    twice = [Finding("boxes-outside", "a.txt line 2 lies outside", "a.txt", "Draw it again.")] * 2
    assert grouped(twice) == ["2× a.txt line 2 lies outside [a.txt]. Draw it again."]


def test_the_count_of_the_rest_is_kept() -> None:
    same, mixed = Findings(), Findings()
    for row in range(1, 301):
        same.warn("empty-text", "text is empty", f"row {row}", "It is left out.")
        mixed.warn("empty-label", "label is empty" if row % 2 else "label is 'NaN', a word", f"row {row}", "Left out.")
    assert grouped(same.warnings()) == ["300× text is empty [row 1, 2, 3, 4, 5, …]. It is left out."]
    odd, even, rest = grouped(mixed.warnings())
    assert odd.startswith(f"{PLACES_KEPT // 2}× label is empty [row 1, 3, 5") and "'NaN'" in even
    assert rest.startswith(f"and {300 - PLACES_KEPT} more of this kind [300 places in all]")


def test_places_of_a_part_are_written_once() -> None:
    wheres = ["row 3", "row 5 of validation", "row 8 of validation", "line 2 of a.jsonl", "column x", "column y"]
    found = [Finding("c", "text is empty", where, "It is left out.") for where in wheres]
    told = "row 3, row 5, 8 of validation, line 2 of a.jsonl, column x, column y"
    assert grouped(found, places=6) == [f"6× text is empty [{told}]. It is left out."]


def test_options_of_commands_leave_no_rest_on_a_screen() -> None:
    line = "Choose it beforehand: --prepare verdict_order=contradiction,neutral,entailment."
    assert for_screen(line) == "Choose it beforehand."
    assert for_screen("merge them: --prepare merge_spellings=yes, or not") == "merge them, or not"
