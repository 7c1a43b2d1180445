"""What the terminal shows, cell by cell, so that only cells that change are sent to it.

Textual sends a widget that changed as a whole, its blank cells included, and all colours of each piece anew.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

RESET = "\x1b[0m"
_COLOURED = re.compile(r"\x1b\[([0-9;]*)m\0\x1b\[0m")
_CODE = re.compile(r"[34]8;(?:2;\d+;\d+;\d+|5;\d+)|\d+")
# What ends an attribute; the first three change no blank.
_ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "7": "27", "9": "29"}
_OF_LETTERS = {"1", "2", "3"}
# Textual's styles differ by what they mean to the mouse, too, and a long table has many.
_LOOKS = 2048
# Pieces of lines that are kept divided into cells; each takes up to 8 KB.
_DIVIDED = 256
# So many blanks take more than erasing them and a move behind them.
_ERASED = 12
# Written again, so many cells take no more than a move across them.
_BRIDGED = 4


class Look(NamedTuple):
    """How a cell is painted, as codes of the terminal; nothing is the terminal's own."""

    colour: str = ""
    ground: str = ""
    rest: frozenset[str] = frozenset()
    is_of_letters: bool = True

    def shows_blank_as(self, other: Look) -> bool:
        """Whether a blank looks the same with another look."""
        return self.is_of_letters and other.is_of_letters and self.ground == other.ground


PLAIN = Look()
Cell = tuple[str, Look]


@lru_cache(_LOOKS)
def _look(codes: str) -> Look:
    """One and the same look for the same codes, which makes cells quick to compare."""
    found: dict[str, list[str]] = {"3": [], "4": [], "": []}
    for code in _CODE.findall(codes):
        number = int(code.partition(";")[0])
        is_colour, is_ground = number // 10 in (3, 9), number // 10 in (4, 10)
        found["3" if is_colour else "4" if is_ground else ""].append(code)
    return Look(";".join(found["3"]), ";".join(found["4"]), frozenset(found[""]), _OF_LETTERS.issuperset(found[""]))


@lru_cache(_LOOKS)
def _switch(before: Look, after: Look) -> str:
    """From one look to another, in the fewest codes."""
    if before == after:
        return ""
    ends = {_ENDS.get(code, "0") for code in before.rest - after.rest}
    begins = after.rest - before.rest
    if "22" in ends:  # of bold and dim at once
        begins |= after.rest & {"1", "2"}
    if after == PLAIN or "0" in ends:
        ends, before, begins = {"0"}, PLAIN, after.rest
    changed = sorted(ends) + sorted(begins)
    changed += [after.colour or "39"] if before.colour != after.colour else []
    changed += [after.ground or "49"] if before.ground != after.ground else []
    return f"\x1b[{';'.join(changed)}m"


@lru_cache(_LOOKS)
def _is_one_cell(character: str) -> bool:
    """Whether every terminal gives it one cell of its own."""
    return character.isprintable() and cell_len(character) == 1 and not unicodedata.combining(character)


def _strips(update: CompositorUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Line, column and content of all that an update paints."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                yield y, x, strip
                x += strip.cell_length
    elif isinstance(update, ChopsUpdate):
        for y, left, right in update.spans:
            for end, (x, piece) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if piece is not None and x < right and end > left:
                    yield y, x, piece.crop(0, min(end, right) - x)


class ShownCells:
    """A picture of the terminal, and what it takes to make it the next one."""

    def __init__(self, erases: bool = False) -> None:
        """`erases`: the terminal fills what it erases with the colour of the ground."""
        self._erases = erases
        self._rows: dict[int, list[Cell | None]] = {}
        self._looks: dict[Style | None, Look | None] = {}
        self._divided: dict[tuple[str, Style | None], list[Cell] | None] = {}  # lines come again as they scroll
        self._place: tuple[int, int] | None = None
        self._look = PLAIN
        self._written: list[str] = []

    def forget(self) -> None:
        """The terminal may show anything."""
        self._rows.clear()

    def changes(self, update: CompositorUpdate, console: Console) -> str:
        """What to write for an update; nothing where it shows already. The cursor is left anywhere."""
        self._place, self._look, self._written = None, PLAIN, []
        for y, x, strip in _strips(update):
            row = self._rows.setdefault(y, [])
            row.extend([None] * (x + strip.cell_length - len(row)))
            for number, segment in enumerate(strip):
                cells = self._cells(segment, console)
                if cells is None:  # what follows moves with it, as far as this strip goes
                    rest = Strip(list(strip)[number:])
                    self._write_as_it_is(y, x, rest.render(console))
                    row[x:] = [None] * (len(row) - x)
                    break
                if row[x : x + len(cells)] != cells:
                    self._write(y, x, row, cells)
                    row[x : x + len(cells)] = cells
                x += len(cells)
        if self._look != PLAIN:
            self._written.append(RESET)
        return "".join(self._written)

    def _cells(self, segment: Segment, console: Console) -> list[Cell] | None:
        """The cells of a segment; None where it is not sure how a terminal divides it, or it is more than coloured."""
        key = segment.text, segment.style
        if key not in self._divided:
            if len(self._divided) >= _DIVIDED:
                self._divided.clear()
            self._divided[key] = self._divide(*key, console)
        return self._divided[key]

    def _divide(self, text: str, style: Style | None, console: Console) -> list[Cell] | None:
        if style in self._looks:
            look = self._looks[style]
        else:
            if len(self._looks) >= _LOOKS:
                self._looks.clear()
            sample = Strip([Segment("\0", style)]).render(console)
            match = _COLOURED.fullmatch(sample)
            look = self._looks[style] = _look(match[1]) if match else PLAIN if sample == "\0" else None
        if look is None or not all(map(_is_one_cell, set(text))):
            return None
        blank = _look(look.ground) if look.shows_blank_as(look) else look
        return [(character, blank if character == " " else look) for character in text]

    def _write_as_it_is(self, y: int, x: int, text: str) -> None:
        """Where the cursor is then is anybody's guess."""
        self._written.append(_switch(self._look, PLAIN))
        self._move(y, x)
        self._written.append(text)
        self._place, self._look = None, PLAIN

    def _write(self, y: int, left: int, row: list[Cell | None], cells: list[Cell]) -> None:
        """Write the cells that are not there."""
        erased, look = 0, self._look
        place = self._place[1] if self._place is not None and self._place[0] == y else None
        for x, (old, cell) in enumerate(zip(row[left : left + len(cells)], cells, strict=True), left):
            if old == cell or x < erased:
                continue
            if place != x:
                self._place, self._look = None if place is None else (y, place), look
                self._go(y, x, left, cells)
                place = x
            character, wanted = cell
            if wanted is not look and not (character == " " and wanted.shows_blank_as(look)):
                self._written.append(_switch(look, wanted))
                look = wanted
            blanks = self._blanks(x - left, cells) if character == " " else 0
            if blanks >= _ERASED:
                self._written.append(f"\x1b[{blanks}X")
                erased = x + blanks
            else:
                self._written.append(character)
                place = x + 1
        self._place, self._look = None if place is None else (y, place), look

    def _go(self, y: int, x: int, left: int, cells: list[Cell]) -> None:
        """To the next cell to write."""
        bridge = self._bridge(y, x, left, cells)
        if bridge is None:
            self._move(y, x)
        else:
            self._written.append(bridge)

    def _blanks(self, start: int, cells: list[Cell]) -> int:
        """How many cells from here on can be erased at once."""
        blank = cells[start]
        if not self._erases or blank[0] != " " or not blank[1].shows_blank_as(blank[1]):
            return 0
        return next((number for number, cell in enumerate(cells[start:]) if cell != blank), len(cells) - start)

    def _bridge(self, y: int, x: int, left: int, cells: list[Cell]) -> str | None:
        """The few cells between the last one written and this one, where they take no other look."""
        if self._place is None:
            return None
        line, place = self._place
        if line != y or not max(left, x - _BRIDGED) <= place <= x:
            return None
        between = cells[place - left : x - left]
        return "".join(each for each, _ in between) if all(map(self._suits, between)) else None

    def _suits(self, cell: Cell) -> bool:
        """Whether the look that is set paints this cell as it should be."""
        character, look = cell
        return look is self._look or (character == " " and look.shows_blank_as(self._look))

    def _move(self, y: int, x: int) -> None:
        if self._place is not None and self._place[0] == y and self._place[1] <= x:
            if self._place[1] < x:
                self._written.append(f"\x1b[{x - self._place[1]}C")
        else:
            self._written.append(f"\x1b[{y + 1};{x + 1}H")
