"""The keys of a screen that matter, in one line at its foot.

Textual's own footer makes a widget for each key, all of them anew at every change of focus; this one paints a line.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget


class KeyLine(Widget):
    """Names the keys that act now and are meant to be shown, as the bindings of the screen and its focus tell them."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-line--key", "key-line--word"}
    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; background: $footer-background; color: $footer-foreground; }
    KeyLine > .key-line--key { color: $footer-key-foreground; background: $footer-key-background; text-style: bold; }
    KeyLine > .key-line--word { color: $footer-description-foreground; background: $footer-description-background; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[str, str, bool]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._look)

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _look(self, screen: Screen[object]) -> None:
        """Of several keys for one action the first is named; one that does nothing here is dim."""
        named: dict[str, tuple[str, str, bool]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.action not in named:
                key = self.app.get_key_display(binding)
                named[binding.action] = key, binding.description, active.enabled
        if list(named.values()) != self._keys:
            self._keys = list(named.values())
            self.refresh()

    @property
    def text(self) -> str:
        """What is shown, as plain text."""
        return "".join(f" {key} {word} " for key, word, _ in self._keys)

    def render_line(self, y: int) -> Strip:
        """The line; what does not fit is cut."""
        key_style, word_style = (self.get_component_rich_style(name) for name in ("key-line--key", "key-line--word"))
        segments = []
        for key, word, enabled in self._keys:
            dim = Style(dim=not enabled)
            segments += [Segment(f" {key} ", key_style + dim), Segment(f"{word} ", word_style + dim)]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)
