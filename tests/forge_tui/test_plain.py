"""Text from logs, data and models cannot steer the terminal: no control characters are left of it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_tui.plain import plain

BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Pieces of terminal sequences, so that random texts are made of what terminals act on.
PIECES = (
    "\x1b", "\x1b[", "\x1b]", "\x1bP", "\x9b", "\x9d", "\x90", "\x07", "\x1b\\", "\x9c", "31m", "0;", "2J", "?25l", "m",
    "\r", "\n", "\r\n", "\t", "\b", "\x00", "\x7f", "\x85", "word", "[red]", "é", "日本", "👍", *BIDI,
)  # fmt: skip


def is_control(character: str) -> bool:
    """C0, C1, DEL and what turns the direction of writing."""
    return unicodedata.category(character) == "Cc" or character in BIDI


@settings(deadline=None, max_examples=300)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_nothing_that_is_left_controls_a_terminal(text: str) -> None:
    left = plain(text)
    assert not [character for character in left if is_control(character)]
    assert plain(left) == left


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=BIDI)))
def test_ordinary_text_is_kept(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;196mred\x1b[m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b[?25lhidden cursor", "hidden cursor"),
        ("\x9b31mred", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]0;a title\x1b\\text", "text"),
        ("\x1b]52;c;c3RvbGVu\x07text", "text"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\text", "text"),
        ("\x1b(Btext", "text"),
        ("\x1bctext", "text"),
        ("end\x1b", "end"),
        ("end\x1b[", "end"),
        ("10%\r20%\r100%", "100%"),
        ("done\r\n", "done"),
        ("done\n", "done"),
        ("two\nlines", "two lines"),
        ("a\tb", "a    b"),
        ("a\bb\x00c\x7fd\x85e", "abcde"),
        ("\u202etxt.exe\u202c", "txt.exe"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("", ""),
    ],
)
def test_what_is_left_of(text: str, left: str) -> None:
    assert plain(text) == left
