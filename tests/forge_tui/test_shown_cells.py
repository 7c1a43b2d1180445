"""Only cells that change are written, and the terminal shows what it would show had all been written."""

from __future__ import annotations

import random

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from forge_tui.shown_cells import ShownCells

WIDTH, HEIGHT = 40, 4
CONSOLE = Console(color_system="truecolor", force_terminal=True)
STYLES = [
    None,
    Style.parse("red"),
    Style.parse("bold red on #102030"),
    Style.parse("on #102030"),
    Style.parse("bold dim on #102030"),
    Style.parse("dim bright_blue on bright_black"),
    Style.parse("italic reverse color(200) on #102030"),
    Style.parse("underline on color(7)"),
]
TEXTS = ["abc", "a c", " ", "      ", " " * 30, "⡀⣿⡇", "█░", "x" * 20]
WIDE = ["中文", "e\u0301", "a中b"]
Pieces = list[tuple[str, Style | None]]


class Terminal:
    """What a terminal shows after all that was written."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self.screen)
        self.write("\x1b[?7l")

    def write(self, text: str) -> None:
        """Show it."""
        self._stream.feed(text)

    def cells(self) -> list[list[object]]:
        """Characters and colours; a blank has no colour of letters unless something else shows it."""
        return [[self._cell(self.screen.buffer[y][x]) for x in range(WIDTH)] for y in range(HEIGHT)]

    def _cell(self, cell: pyte.screens.Char) -> object:
        is_plain_blank = cell.data == " " and not (cell.underscore or cell.reverse or cell.strikethrough)
        return (" ", cell.bg) if is_plain_blank else cell


def frame(*rows: Pieces) -> LayoutUpdate:
    """A whole screen of these rows, as wide as it."""
    strips = [[Strip([Segment(*piece) for piece in row]).adjust_cell_length(WIDTH)] for row in rows]
    return LayoutUpdate(list(strips), Region(0, 0, WIDTH, len(rows)))


def row_of(numbers: random.Random, texts: list[str]) -> Pieces:
    return [(numbers.choice(texts), numbers.choice(STYLES)) for _ in range(numbers.randint(0, 8))]


@pytest.mark.parametrize("erases", [True, False])
@pytest.mark.parametrize("texts", [TEXTS, TEXTS + WIDE], ids=["narrow", "wide"])
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_the_terminal_shows_each_frame(seed: int, texts: list[str], erases: bool) -> None:
    numbers = random.Random(seed)
    shown, few, all_of_it = ShownCells(erases), Terminal(), Terminal()
    rows = [row_of(numbers, texts) for _ in range(HEIGHT)]
    for _ in range(6):
        rows[numbers.randrange(HEIGHT)] = row_of(numbers, texts)
        update = frame(*rows)
        few.write(shown.changes(update, CONSOLE))
        all_of_it.write(update.render_segments(CONSOLE).replace("\n", "\r\n"))
        assert few.cells() == all_of_it.cells()


def test_one_new_digit_is_all_that_is_sent() -> None:
    shown = ShownCells()
    style = Style.parse("bold red on #102030")
    shown.changes(frame([("step 128 is done", style)]), CONSOLE)
    sent = shown.changes(frame([("step 129 is done", style)]), CONSOLE)
    codes = style.render("9", color_system=ColorSystem.TRUECOLOR)
    assert sent.startswith("\x1b[1;8H") and sent.endswith("9\x1b[0m") and len(sent) <= len("\x1b[1;8H" + codes)


def test_nothing_is_sent_for_what_is_shown_and_all_once_it_is_forgotten() -> None:
    shown = ShownCells()
    update = frame([("abc", STYLES[2])], [("def", None)])
    first = shown.changes(update, CONSOLE)
    assert "abc" in first
    assert shown.changes(update, CONSOLE) == ""
    shown.forget()
    assert shown.changes(update, CONSOLE) == first


def test_characters_of_uncertain_width_move_only_what_belongs_to_them() -> None:
    """A terminal may give an emoji one cell or two: its own line is written on, the next widget at its place."""
    strips = [Strip([Segment("👍🏽", STYLES[1]), Segment(" yes", None)]), Strip([Segment("next", None)])]
    shown = ShownCells()
    update = LayoutUpdate([list(strips)], Region(0, 0, 10, 1))
    sent = shown.changes(update, CONSOLE)
    assert sent == f"\x1b[1;1H{strips[0].render(CONSOLE)}\x1b[1;{strips[0].cell_length + 1}Hnext"
    assert shown.changes(update, CONSOLE) == sent


def test_a_part_of_a_line_is_painted_at_its_place() -> None:
    strip = Strip([Segment("0123456789", None)])
    update = ChopsUpdate([{0: strip}], [(0, 3, 6)], [[10]])
    terminal = Terminal()
    terminal.write("ab")
    terminal.write(ShownCells().changes(update, CONSOLE))
    assert terminal.screen.display[0].startswith("012345 ")
