"""The rows that a finished model is asked about by a person, who waits for each answer before the next question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OneByOne:
    """Rows that are answered one by one: `predict` gathers none of them to judge several at once.

    `ready` is called when the first is wanted, which is when the model is loaded.
    """

    rows: Iterable[dict[str, Any]]
    ready: Callable[[], None]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.ready()
        yield from self.rows
