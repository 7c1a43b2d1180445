"""Commands that take flags and texts as they were typed."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class _AsTyped:
    """What typer asks for the value of an option: here the value itself."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value; of an option that may be repeated and was not given an empty one."""
        return () if value is None and param.multiple else value


def _as_typed(params: list[Any]) -> list[Any]:
    """Leave flags and texts unchecked: typer 0.29 loads pydantic for that, which takes as long as typer itself.

    Other versions of typer have no such place and are left as they are.
    """
    for param in params:
        kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        if kind in (bool, str, list[str]) and hasattr(param, "_runtime_param"):
            param._runtime_param = _AsTyped()
    return params


class QuickCommand(TyperCommand):
    """A command that costs no more than its work."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options, that for help among them."""
        return _as_typed(super().get_params(ctx))


class QuickGroup(TyperGroup):
    """The commands together."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options, that for help among them."""
        return _as_typed(super().get_params(ctx))
