"""An estimate of memory as the object of `estimate --json` and `plan --json`, and as lines with a bar a component."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from forge_tui.plain import plain
from profiles.options import gib
from profiles.plan_memory import PlanMemory

_NAMES: Mapping[str, str] = {
    "weights": "weights",
    "adapter": "adapter",
    "other_models": "other models",
    "gradients": "gradients",
    "optimizer": "optimizer",
    "activations": "activations",
    "logits": "logits",
    "generation": "generation",
    "workspace": "workspace",
    "context": "process",
    "allocator": "allocator",
}
_VERDICTS: Mapping[str | None, str] = {
    "fits": "fits",
    "tight": "tight: it may run out of memory",
    "too-large": "too large",
    None: "unknown",
}
_BAR = 36


def memory_json(memory: PlanMemory) -> dict[str, Any]:
    """The `memory` object; what is not known is None."""
    return {
        "components": dict(memory.components),
        "total_bytes": memory.total_bytes,
        "available_bytes": memory.free_bytes,
        "verdict": memory.verdict,
        "error_margin": memory.margin,
    }


def verdict_text(memory: PlanMemory) -> str:
    """The verdict in words."""
    return _VERDICTS[memory.verdict]


def components_text(memory: PlanMemory) -> str:
    """`weights 4.9 GiB, optimizer 0.6 GiB`, what takes most first."""
    parts = sorted(memory.components.items(), key=lambda item: -item[1])
    return ", ".join(f"{_NAMES[name]} {gib(size)}" for name, size in parts if size)


def bar_lines(memory: PlanMemory, width: int, bar: str = "█") -> Iterator[str]:
    """A line with a bar for each component."""
    total = memory.total_bytes
    if total is None:
        return
    for name, size in memory.components.items():
        if size:
            share = size / total
            filled = bar * max(1, round(share * min(_BAR, width - 34)))
            yield f"  {_NAMES[name]:<13} {gib(size):>9} {share:>5.0%}  {filled}"


def memory_lines(memory: PlanMemory, width: int = 80, bar: str = "█") -> Iterator[str]:
    """The components with their bars, the sum with its margin, the verdict and what could be changed."""
    total = memory.total_bytes
    yield from bar_lines(memory, width, bar)
    if total is None:
        for name, size in memory.components.items():
            yield f"  {_NAMES[name]:<13} {gib(size):>9}"
        yield from _wrapped(memory.assumptions, width)
        return
    margin = f", {gib(memory.safe_bytes or total)} with its margin of {memory.margin:.0%}" if memory.margin else ""
    free = "an unknown amount is free" if memory.free_bytes is None else f"{gib(memory.free_bytes)} free"
    yield f"  {'total':<13} {gib(total):>9}{margin}; {free}"
    yield f"  {'verdict':<13} {_VERDICTS[memory.verdict]}"
    if memory.largest_batch == 0:
        yield f"  {'would fit':<13} not even one row at once at this length"
    elif memory.largest_batch is not None:
        length = f"; {memory.largest_length:,} tokens a row at this batch" if memory.largest_length else ""
        rows = "row" if memory.largest_batch == 1 else "rows"
        yield f"  {'would fit':<13} {memory.largest_batch:,} {rows} at once at this length{length}"
    yield from _wrapped(memory.assumptions, width)


def change_lines(memory: PlanMemory, width: int = 80) -> Iterator[str]:
    """What saves memory, the cheapest first."""
    if not memory.changes:
        return
    yield "what saves memory"
    for each in memory.changes:
        yield f"  {each.what}: {gib(each.total_bytes)} in all, {gib(each.saves_bytes)} less"
        yield from _wrapped(f"costs {each.costs}; {each.flags}", width, "      ")


def _wrapped(text: str, width: int, indent: str = "  ") -> Iterator[str]:
    for line in textwrap.wrap(plain(text), max(40, width - len(indent)), break_on_hyphens=False):
        yield f"{indent}{line}"
