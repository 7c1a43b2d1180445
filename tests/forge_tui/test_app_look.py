"""Themes and keys: what settings.toml says of them, what is said of mistakes in it, and how each theme reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from textual.color import Color

from backends.contract import UsageError
from forge_tui.keymap import check_keymap, known_bindings
from forge_tui.settings import Look, read_look
from forge_tui.themes import THEMES, theme_for


def test_themes_and_keys_are_read_from_the_settings(home: Any) -> None:
    (home.path / "settings.toml").write_text('theme = "light"\n[keys]\nrun.stop = "f8"\n"app.new" = "ctrl+n,plus"\n')
    look = read_look()
    assert look == Look("light", {"run.stop": "f8", "app.new": "ctrl+n,plus"})
    check_keymap(look.keys)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('theme = "pink"', "there is no theme 'pink'"),
        ("theme = 7", "there is no theme 7"),
        ('keys = "f8"', "keys is 'f8'"),
        ("[keys]\nrun.stop = 8", "keys is"),
        ('[keys]\nrun.stpo = "f8"', "there is no action 'run.stpo'"),
        ('[keys]\nrun.stop = "f88"', "names no key"),
        ('[keys]\nrun.stop = "strg+s"', "names no key"),
    ],
)
def test_a_mistake_in_them_is_told_before_the_app_opens(home: Any, written: str, words: str) -> None:
    (home.path / "settings.toml").write_text(written + "\n")
    with pytest.raises(UsageError, match=re.escape(words)):
        check_keymap(read_look().keys)


def test_a_key_of_ones_own_works_and_is_shown(home: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.settle()
        await person.press("?")
        await person.see("start from a data file")
        assert any("f8" in line.lower() and "start from a data file" in line for line in person.lines)
        await person.press("escape", "d")
        await person.settle()
        assert type(person.app.screen).__name__ == "HomeScreen"
        await person.press("f8")
        await person.see("Which data file?")

    drive(script, look=Look(keys={"app.data": "f8"}))


def test_the_keys_of_a_screen_stand_beside_their_ids(home: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await person.settle()
        await person.press("d")
        await person.see("Which data file?")
        await person.press("escape", "?")
        await person.arrive("KeysScreen")
        rows = [line.split() for line in person.lines]
        shown = {word for row in rows for word in row if word in known_bindings()}
        assert {"app.new", "app.data", "app.advice", "app.terms", "run.stop"} <= shown

    drive(script)


@pytest.mark.parametrize(
    ("variables", "theme"),
    [
        ({"TERM": "xterm-256color"}, "dark"),
        ({"TERM": "screen", "COLORTERM": "truecolor"}, "dark"),
        ({"TERM": "linux"}, "terminal"),
        ({}, "terminal"),
    ],
)
def test_a_terminal_of_few_colours_keeps_its_own(variables: dict[str, str], theme: str) -> None:
    assert theme_for("auto", variables) == theme
    assert theme_for("light", variables) == "light"
    assert theme_for("auto", variables, no_color=True) == theme_for("auto", variables).replace(
        "terminal", "high-contrast"
    )


def _luminance(colour: Color) -> float:
    parts = [value / 255 for value in colour.rgb]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("name", "least"), [("dark", 4.5), ("light", 4.5), ("high-contrast", 7.0)])
def test_the_colours_of_a_theme_can_be_read_on_its_background(name: str, least: float) -> None:
    """WCAG 2.2: 4.5 to 1 for text, 7 to 1 for the enhanced level."""
    theme = THEMES[name]
    grounds = [Color.parse(str(each)) for each in (theme.background, theme.surface)]
    for colour in (theme.foreground, theme.warning, theme.error, theme.success):
        for ground in grounds:
            lights = sorted((_luminance(Color.parse(str(colour))), _luminance(ground)))
            assert (lights[1] + 0.05) / (lights[0] + 0.05) >= least, (name, colour, ground)


@pytest.mark.parametrize("name", list(THEMES))
def test_every_theme_shows_home_and_a_question(home: Any, drive: Callable[..., Any], name: str) -> None:
    async def script(person: Any) -> None:
        await person.see("What next?")
        assert person.app.theme == name
        await person.press("n")
        await person.see("What do you want to do?")

    drive(script, look=Look(theme=name))
