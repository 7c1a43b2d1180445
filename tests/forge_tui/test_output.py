"""Lines on a narrow terminal break between words, and are left whole for other programs."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from backends.contract import UsageError
from forge_tui.cli.output import show, show_error, show_table

TEXT = "every word of this sentence is to be read in one piece, also apache-2.0 and text-classification"


class Terminal(io.StringIO):
    """A screen of as many columns as COLUMNS says."""

    def isatty(self) -> bool:
        return True


def on_screen(write: Callable[[], None]) -> list[str]:
    """The lines of a terminal of 40 columns."""
    screen = Terminal()
    with pytest.MonkeyPatch.context() as patch:  # in the test itself: pytest sets its own stdout before it
        patch.setenv("COLUMNS", "40")
        patch.setattr(sys, "stdout", screen)
        patch.setattr(sys, "stderr", screen)
        write()
    return screen.getvalue().splitlines()


def told(write: Callable[[], None]) -> list[str]:
    """Those lines, which are short enough and hold every word of the text."""
    lines = on_screen(write)
    assert all(len(line) <= 40 for line in lines)
    assert [word for word in TEXT.split() if word not in " ".join(lines).split()] == []
    return lines


def test_a_line_goes_on_under_its_text() -> None:
    lines = told(lambda: show(f"name     {TEXT}", hang=9))
    assert lines[0].startswith("name     every word") and all(line[:9].isspace() for line in lines[1:])


def test_an_error_breaks_between_words() -> None:
    lines = told(lambda: show_error(UsageError("Short", TEXT, "Do it.")))
    assert lines[0] == "error: Short" and lines[-1] == "  fix: Do it." and lines[2].startswith("       ")


def test_a_row_of_a_table_that_is_too_wide_goes_on_below() -> None:
    told(lambda: show_table(("one", "two"), [("a", TEXT), ("b", "short")]))


def test_columns_that_may_be_cut_make_a_row_fit() -> None:
    rows = [("n" * 40, "running", "100%", "r" * 30), ("short", "died", "", "")]
    lines = on_screen(lambda: show_table(("run", "status", "done", "result"), rows, shrink=(3, 0)))
    assert len(lines) == 3 and all(len(line) <= 40 for line in lines)
    assert lines[1].startswith("nnnnnnnn") and "…  running  100%" in lines[1] and lines[1].endswith("r…")


def test_a_word_that_is_too_long_stays_whole() -> None:
    assert on_screen(lambda: show("see " + "x" * 60)) == ["see", "  " + "x" * 60]


def test_other_programs_get_whole_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show(TEXT)
    assert capsys.readouterr().out == TEXT + "\n"
