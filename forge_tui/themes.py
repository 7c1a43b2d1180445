"""The themes: dark, light, high contrast, and the terminal's own 16 colours."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

AUTO = "auto"
THEMES: Mapping[str, Theme] = {
    "dark": Theme(
        name="dark",
        primary="#4aa3df",
        secondary="#7fb7be",
        accent="#e8b04b",
        warning="#e8b04b",
        error="#ef6f6c",
        success="#6fcf97",
        foreground="#e6e6e6",
        background="#121417",
        surface="#1b1e23",
        panel="#23272e",
    ),
    "light": Theme(
        name="light",
        primary="#0b5cad",
        secondary="#2b6f77",
        accent="#8a5a00",
        warning="#8a5a00",
        error="#b3261e",
        success="#1e6b3a",
        foreground="#1a1a1a",
        background="#ffffff",
        surface="#f2f2f2",
        panel="#e4e4e4",
        dark=False,
        variables={"block-cursor-foreground": "#ffffff", "footer-key-foreground": "#0b5cad"},
    ),
    "high-contrast": Theme(
        name="high-contrast",
        primary="#ffff00",
        secondary="#00ffff",
        accent="#ffff00",
        warning="#ffff00",
        error="#ff8080",
        success="#80ff80",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#000000",
        variables={
            "block-cursor-background": "#ffff00",
            "block-cursor-foreground": "#000000",
            "footer-key-foreground": "#ffff00",
            "text-muted": "#ffffff",
            "border": "#ffffff",
        },
    ),
    "terminal": Theme(
        name="terminal",
        ansi=True,
        primary="ansi_blue",
        secondary="ansi_cyan",
        warning="ansi_yellow",
        error="ansi_red",
        success="ansi_green",
        accent="ansi_green",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        variables={
            "ansi-background": "ansi_black",
            "ansi-foreground": "ansi_white",
            "border-blurred": "ansi_default",
            "block-cursor-foreground": "ansi_black",
            "block-cursor-background": "ansi_white",
            "input-cursor-text-style": "reverse",
            "scrollbar": "ansi_white",
            "scrollbar-background": "ansi_black",
        },
    ),
}


def theme_for(wanted: str, variables: Mapping[str, str], no_color: bool = False) -> str:
    """The theme that was set; on its own the terminal's colours where it has 16 or fewer, else the dark one.

    Without colour the terminal's own are all alike, so that black and white stand in for them.
    """
    many = "256color" in variables.get("TERM", "") or variables.get("COLORTERM", "") in ("truecolor", "24bit")
    theme = wanted if wanted != AUTO else "dark" if many else "terminal"
    return "high-contrast" if no_color and theme == "terminal" else theme
