"""Containers that cost next to nothing to paint."""

from __future__ import annotations

from textual.containers import Container, VerticalScroll
from textual.geometry import Region
from textual.strip import Strip


class Area(Container):
    """Arranges what is in it; has a background, but neither borders nor anything else to be painted."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Its background."""
        return [Strip.blank(crop.width, self.rich_style)] * crop.height


class ScrolledArea(VerticalScroll, can_focus=False):
    """The same, scrolled."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Its background."""
        return [Strip.blank(crop.width, self.rich_style)] * crop.height
