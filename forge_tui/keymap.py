"""Every key of the app by the id of what it does, and other keys from settings.toml in their place."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping

from textual.binding import Binding
from textual.keys import Keys

from backends.contract import UsageError, nearest
from forge_tui.paths import forge_home_path

_MODIFIERS = ("ctrl", "shift", "alt", "super")


def known_bindings() -> dict[str, Binding]:
    """The bindings of all screens and widgets that have an id, by it."""
    found: dict[str, Binding] = {}
    for module in _modules():
        for _, kind in inspect.getmembers(importlib.import_module(module), inspect.isclass):
            if kind.__module__ == module:
                for binding in vars(kind).get("BINDINGS", ()):
                    if isinstance(binding, Binding) and binding.id:
                        found.setdefault(binding.id, binding)
    return found


def _modules() -> Iterator[str]:
    yield "forge_tui.app"
    for name in ("forge_tui.screens", "forge_tui.widgets"):
        for each in pkgutil.iter_modules(importlib.import_module(name).__path__):
            yield f"{name}.{each.name}"


def check_keymap(keys: Mapping[str, str]) -> None:
    """Raises UsageError for the id of a binding or the name of a key that does not exist."""
    if not keys:
        return
    known = tuple(known_bindings())
    path = forge_home_path() / "settings.toml"
    names = {key.value for key in Keys}
    for id, pressed in keys.items():
        if id not in known:
            raise UsageError(
                f"{path}: there is no action {id!r} in [keys]",
                f"the actions are {', '.join(sorted(known))}",
                f"Correct the name{nearest(id, known)}.",
            )
        for key in pressed.split(","):
            *modifiers, last = key.strip().split("+")
            is_known = len(last) == 1 or last in names or (last.isidentifier() and last in _long_names())
            if not is_known or any(each not in _MODIFIERS for each in modifiers):
                raise UsageError(
                    f"{path}: {id} = {pressed!r} names no key",
                    "a key is a character, or a name such as f2, space, slash, ctrl+s; several are parted by commas",
                    f"Correct it{nearest(last, tuple(names))}.",
                )


def _long_names() -> frozenset[str]:
    """Names of characters, such as `slash` and `question_mark`, as Textual spells them."""
    from textual.keys import _character_to_key

    return frozenset(_character_to_key(chr(code)) for code in range(32, 127))
