"""A question on the screen whose answers grow while a person looks at it."""

from __future__ import annotations

import asyncio

from textual.app import App, ComposeResult
from textual.widgets import OptionList

from forge_tui.questions import Choice, Question
from forge_tui.widgets.question_view import QuestionView


class OneQuestion(App[None]):
    def compose(self) -> ComposeResult:
        yield QuestionView()


def asked(*names: str) -> Question:
    return Question("Which?", f"{len(names)} of many.", tuple(Choice(name, name, (f"about {name}",)) for name in names))


def test_more_answers_keep_the_cursor_and_what_is_told() -> None:
    async def script() -> None:
        app = OneQuestion()
        async with app.run_test() as pilot:
            view = app.query_one(QuestionView)
            view.show(asked("a", "b"))
            await pilot.press("down")
            view.tell(("b cannot be taken",))
            view.show_more(asked("first", "a", "b", "c"))
            await pilot.pause()
            told = str(app.query_one("#text").render())
            assert (view.highlighted, told) == ("b", "b cannot be taken")
            assert app.query_one(OptionList).option_count == 4
            await pilot.press("up")
            await pilot.pause()
            assert (view.highlighted, str(app.query_one("#text").render())) == ("a", "about a")

    asyncio.run(script())
