"""Text broken and cut by the cells it takes, so that wide letters fit too."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells, set_cell_size


def wrap_cells(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken between words where that is possible."""
    width = max(2, width)
    lines, line = [], ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(word, width) if cell_len(word) > width else [word]
        lines += full
    return [*lines, line] if line or not lines else lines


def hang_cells(head: str, text: str, width: int, most: int | None = None) -> list[str]:
    """`text` after `head`, going on below it; of more than `most` lines the rest is left out, marked."""
    indent = cell_len(head)
    lines = wrap_cells(text, width - indent)
    if most is not None and len(lines) > most:
        lines = [*lines[: most - 1], fit_cells(" ".join(lines[most - 1 :]), width - indent)]
    return [(head if not at else " " * indent) + line for at, line in enumerate(lines)]


def fit_cells(text: str, width: int) -> str:
    """`text` in at most `width` cells, with a mark where it was cut."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def pad_cells(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` cells, cut or filled with blanks."""
    text = fit_cells(text, width)
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank
