"""Language data of every shape becomes one conversation; who learns what; what keeps a row from being used."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backends.formats.check_request import CheckRequest
from backends.formats.checks import check
from backends.formats.conversations import Turn, quick_words
from backends.formats.findings import Fault
from backends.formats.language import Example, chat_parts, conversation, is_dialogue, read_example
from backends.formats.shapes import LANGUAGE_SHAPES, Shape
from backends.options import PreparationOptions

SHAPES = {shape.name: shape for shape in LANGUAGE_SHAPES}
Messages = list[dict[str, Any]]


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def example(shape: str | Shape, values: Mapping[str, Any]) -> Example:
    found = read_example(SHAPES[shape] if isinstance(shape, str) else shape, values)
    assert isinstance(found, Example), found
    return found


def fault(shape: str, values: Mapping[str, Any]) -> Fault:
    found = read_example(SHAPES[shape], values)
    assert isinstance(found, Fault), found
    return found


def said(found: Example) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in found.turns]


def learned(found: Example) -> list[str]:
    return [turn.text for turn in found.turns if turn.loss]


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# --- every shape -------------------------------------------------------------------------------------------------

TALK = [("user", "Why?"), ("assistant", "Because.")]


@pytest.mark.parametrize(
    ("shape", "values", "turns"),
    [
        ("prompt-completion", {"prompt": "Why?", "completion": "Because."}, TALK),
        ("prompt-completion", {"prompt": "Why?", "completion": "Because.", "system": "Be brief."}, None),
        ("input-output", {"input": "Why?", "output": "Because."}, TALK),
        ("source-target", {"source": "Why?", "target": "Because."}, TALK),
        ("question-answer", {"question": "Why?", "answer": "Because."}, TALK),
        ("question-answer", {"question": "Why?", "answer": ["Because.", "Since."]}, TALK),
        ("question-answer", {"question": "Why?", "answer": {"text": ["Because."], "answer_start": [3]}}, TALK),
        (
            "context-question",
            {"context": "It rains.", "question": "Why?", "answer": "Because."},
            [("user", "It rains.\n\nWhy?"), ("assistant", "Because.")],
        ),
        (
            "context-question",
            {"context": "It rains.", "question": "Why?", "answer": [{"text": "rains", "answer_start": 3}]},
            [("user", "It rains.\n\nWhy?"), ("assistant", "rains")],
        ),
        ("instruction", {"instruction": "Why?", "output": "Because."}, TALK),
        ("instruction", {"instruction": "Why?", "input": "", "output": "Because."}, TALK),
        ("instruction", {"instruction": "Why?", "input": None, "output": "Because.", "history": None}, TALK),
        (
            "instruction",
            {"instruction": "Translate.", "input": "Hund", "output": "dog"},
            [("user", "Translate.\n\nHund"), ("assistant", "dog")],
        ),
        (
            "instruction",
            {
                "instruction": "And now?",
                "output": "Later.",
                "system": "Be brief.",
                "history": [["Hi", "Hello"], ["Why?", "Because."]],
            },
            [
                ("system", "Be brief."),
                ("user", "Hi"),
                ("assistant", "Hello"),
                *TALK,
                ("user", "And now?"),
                ("assistant", "Later."),
            ],
        ),
        ("messages", {"messages": [user("Why?"), assistant("Because.")]}, TALK),
        ("messages", {"messages": [user("Why?"), assistant("Because.")], "system": "Be brief."}, None),
        ("messages", {"messages": json.dumps([user("Why?"), assistant("Because.")])}, TALK),
        (
            "messages",
            {"messages": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]},
            TALK,
        ),
        ("messages", {"messages": [{"speaker": "User", "text": "Why?"}, {"speaker": "Bot", "text": "Because."}]}, TALK),
        ("kto", {"prompt": "Why?", "completion": "Because.", "label": True}, TALK),
        ("kto-messages", {"messages": [user("Why?"), assistant("Because.")], "label": False}, TALK),
        ("text", {"text": "<s>[INST] Why? [/INST] Because. </s>"}, TALK),
    ],
)
def test_every_shape_becomes_the_same_conversation(
    shape: str, values: dict[str, Any], turns: list[tuple[str, str]] | None
) -> None:
    found = example(shape, values)
    assert said(found) == (turns or [("system", "Be brief."), *TALK])
    assert learned(found) == [text for role, text in said(found) if role == "assistant"]
    assert found.text is None
    assert found.words == "\n".join(text for _, text in said(found))


def test_a_plain_text_stays_one_and_is_learned_whole() -> None:
    found = example("text", {"text": "  Once upon a time.\n"})
    assert (found.text, found.turns) == ("  Once upon a time.\n", ())
    assert chat_parts(found) == [("  Once upon a time.\n", True)]


def test_a_system_message_of_the_conversation_is_not_doubled() -> None:
    turns = [{"role": "system", "content": "Be kind."}, user("Why?"), assistant("Because.")]
    found = example("messages", {"messages": turns, "system": "Be brief."})
    assert said(found) == [("system", "Be kind."), *TALK]


def test_tools_are_kept_beside_the_conversation() -> None:
    tools = [{"name": "weather"}]
    for given_tools in (tools, json.dumps(tools)):
        found = example("messages", {"messages": [user("Why?"), assistant("Because.")], "tools": given_tools})
        assert found.tools is not None and json.loads(found.tools) == tools
        assert ("weather" in chat_parts(found)[0][0], chat_parts(found)[0][1]) == (True, False)


@pytest.mark.parametrize(
    ("answer", "text"), [(42, "42"), (True, "true"), (2.0, "2"), (["a", "b"], "a"), ({"text": "a"}, "a")]
)
def test_an_answer_that_is_no_text_is_taken_as_one_and_told(answer: Any, text: str) -> None:
    found = example("question-answer", {"question": "Why?", "answer": answer})
    assert learned(found) == [text]
    assert [(repair.code, repair.fatal) for repair in found.repairs] == [("not-a-text", False)]


@pytest.mark.parametrize("shape", ["prompt-completion", "input-output", "question-answer", "instruction", "kto"])
@pytest.mark.parametrize("empty", [None, "", "  \n"])
def test_an_empty_side_is_told_by_its_role(shape: str, empty: Any) -> None:
    filled = dict.fromkeys(SHAPES[shape].needed, "some words") | ({"label": True} if shape == "kto" else {})
    for role in SHAPES[shape].needed[:2]:
        found = fault(shape, {**filled, role: empty})
        assert (found.code, found.fatal) == (f"empty-{role}", True)


@pytest.mark.parametrize("answer", [[], {"text": []}, {"text": ""}, [None]])
def test_a_list_without_an_answer_is_empty(answer: Any) -> None:
    assert fault("question-answer", {"question": "Why?", "answer": answer}).code == "empty-answer"


# --- conversations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[(name, "user") for name in ("user", "human", "Human", "USER", "prompter", "customer")],
        *[(name, "assistant") for name in ("assistant", "gpt", "GPT", "chatgpt", "bot", "model", "bing")],
    ],
)
@pytest.mark.parametrize("keys", [("role", "content"), ("from", "value"), ("speaker", "text"), ("role", "value")])
def test_who_speaks_is_known_by_many_names(name: str, role: str, keys: tuple[str, str]) -> None:
    who, what = keys
    other = {"user": "assistant", "assistant": "user"}[role]
    turns = [{who: name, what: "one"}, {who: other, what: "two"}]
    found = conversation(turns if role == "user" else turns[::-1])
    assert isinstance(found, Example)
    assert {turn.text: turn.role for turn in found.turns} == {"one": role, "two": other}


@pytest.mark.parametrize(
    ("turns", "roles"),
    [
        (  # OpenAI: the call stands beside an empty content
            [
                user("Weather?"),
                assistant(None, tool_calls=[{"id": "1", "function": {"name": "weather", "arguments": "{}"}}]),
                {"role": "tool", "tool_call_id": "1", "content": "sunny"},
                assistant("It is sunny."),
            ],
            ["user", "call", "tool", "assistant"],
        ),
        (  # the same without the key `content`
            [
                user("Weather?"),
                {"role": "assistant", "tool_calls": [{"function": {"name": "weather"}}]},
                {"role": "tool", "content": "sunny"},
                assistant("It is sunny."),
            ],
            ["user", "call", "tool", "assistant"],
        ),
        (  # ShareGPT: turns of their own
            [
                {"from": "human", "value": "Weather?"},
                {"from": "function_call", "value": '{"name": "weather"}'},
                {"from": "observation", "value": "sunny"},
                {"from": "gpt", "value": "It is sunny."},
            ],
            ["user", "call", "tool", "assistant"],
        ),
        (  # a call that nothing follows is an answer too
            [user("Weather?"), assistant("Let me look.", tool_calls=[{"function": {"name": "weather"}}])],
            ["user", "call"],
        ),
        (  # two calls, two results
            [
                user("Weather?"),
                {"role": "function_call", "content": "a"},
                {"role": "function_call", "content": "b"},
                {"role": "tool", "content": "1"},
                {"role": "tool", "content": "2"},
                assistant("Both."),
                user("Thanks"),
                assistant("Welcome."),
            ],
            ["user", "call", "call", "tool", "tool", "assistant", "user", "assistant"],
        ),
        (  # a call in the text of an answer
            [
                user("Weather?"),
                assistant('<tool_call>{"name": "weather"}</tool_call>'),
                {"role": "tool", "content": "sunny"},
                assistant("It is sunny."),
            ],
            ["user", "assistant", "tool", "assistant"],
        ),
        (
            [
                {"from": "user", "value": "Weather?"},
                {"from": "assistant", "value": "[weather()]"},
                {"from": "tool", "value": "sunny"},
                {"from": "assistant", "value": "It is sunny."},
            ],
            ["user", "assistant", "tool", "assistant"],
        ),
        (
            [{"role": "developer", "content": "Be kind."}, user("Why?"), assistant("Because.")],
            ["system", "user", "assistant"],
        ),
    ],
)
def test_calls_of_tools_are_learned_and_their_results_are_not(turns: Messages, roles: list[str]) -> None:
    found = conversation(turns)
    assert isinstance(found, Example), found
    assert [turn.role for turn in found.turns] == roles
    assert [turn.loss for turn in found.turns] == [role in ("assistant", "call") for role in roles]
    calls = " ".join(turn.text for turn in found.turns if turn.role == "call")
    assert "weather" in calls or "a b" in calls or not calls


def test_pieces_of_a_turn_become_one_text() -> None:
    pieces = [{"type": "text", "text": "What is"}, {"type": "image_url", "image_url": {}}, "this?"]
    found = conversation([user(pieces), assistant([{"type": "text", "text": "A dog."}])])
    assert isinstance(found, Example)
    assert said(found) == [("user", "What is\n<image_url>\nthis?"), ("assistant", "A dog.")]


@pytest.mark.parametrize("kinds", [("text", "text"), ("input_text", "output_text")])
def test_pieces_are_texts_whatever_their_type_is_called(kinds: tuple[str, str]) -> None:
    turns = [user([{"type": kinds[0], "text": "Why?"}]), assistant([{"type": kinds[1], "text": "Because."}])]
    found = conversation(turns)
    assert isinstance(found, Example) and said(found) == TALK


@pytest.mark.parametrize("key", ["weight", "train", "loss_weight"])
def test_a_turn_can_be_kept_from_being_learned(key: str) -> None:
    turns = [user("a"), assistant("b", **{key: 0}), user("c"), assistant("d", **{key: 1}), user("e"), assistant("f")]
    found = conversation(turns)
    assert isinstance(found, Example)
    assert learned(found) == ["d", "f"]
    asked = conversation([{**user("a"), key: 1}, assistant("b", **{key: None})])
    assert isinstance(asked, Example) and learned(asked) == ["b"]
    nothing = fault("messages", {"messages": [user("a"), assistant("b", **{key: 0})]})
    assert (nothing.code, nothing.fatal) == ("chat-nothing-learned", True)


def test_other_names_of_roles_are_a_repair() -> None:
    found = conversation([{"role": "human", "content": "Why?"}, {"role": "model", "content": "Because."}])
    assert isinstance(found, Example) and said(found) == TALK
    (repair,) = found.repairs
    assert (repair.code, repair.fatal) == ("chat-role-names", False)
    assert "human" in repair.message and "model" in repair.message and "assistant" in repair.message


@pytest.mark.parametrize(
    ("turns", "named"),
    [
        ([{"role": "user ", "content": "Why?"}, assistant("Because.")], ["user"]),
        ([{"speaker": "human", "text": "Why?"}, {"role": "gpt", "content": "Because."}], ["human", "gpt"]),
        (  # who speaks is under `from`; what else is there does not count
            [
                {"from": "human", "value": "Why?", "role": "admin"},
                {"from": "gpt", "value": "Because.", "role": "x"},
            ],
            [],
        ),
    ],
)
def test_names_of_roles_from_several_layouts_are_read(turns: Messages, named: list[str]) -> None:
    found = example("messages", {"messages": turns})
    assert said(found) == TALK
    assert [repair.code for repair in found.repairs] == ["chat-role-names"] * bool(named)
    assert all(name in repair.message for repair in found.repairs for name in named)


def test_a_last_question_without_an_answer_is_left_out_and_told() -> None:
    found = conversation([user("Why?"), assistant("Because."), user("Really?")])
    assert isinstance(found, Example) and said(found) == TALK
    (repair,) = found.repairs
    assert (repair.code, repair.fatal) == ("chat-no-last-answer", False) and "3" in repair.message


U, A, S = user("q"), assistant("a"), {"role": "system", "content": "s"}
T = {"role": "tool", "content": "t"}


@pytest.mark.parametrize(
    ("turns", "code", "place"),
    [
        ([], "chat-empty", ""),
        (None, "chat-not-turns", ""),
        ("hello", "chat-not-turns", "hello"),
        ("[not json", "chat-not-turns", ""),
        ({"role": "user"}, "chat-not-turns", ""),
        ([U, {"who": "me", "what": "hm"}], "chat-not-turns", "turn 2"),
        ([U, "a"], "chat-not-turns", "turn 2"),
        ([U, {"role": "narrator", "content": "x"}], "chat-unknown-role", "'narrator'"),
        ([U, {"role": None, "content": "x"}], "chat-unknown-role", "turn 2"),
        ([U, assistant("")], "chat-empty-turn", "turn 2"),
        ([U, assistant(None)], "chat-empty-turn", "turn 2"),
        ([user("  \n"), A], "chat-empty-turn", "turn 1"),
        ([user([]), A], "chat-empty-turn", "turn 1"),
        ([U, assistant([{"type": "text", "text": ""}])], "chat-empty-turn", "turn 2"),
        ([U], "chat-no-answer", "1 turn"),
        ([S, U], "chat-no-answer", ""),
        ([S, U, U], "chat-no-answer", ""),
        ([A, U], "chat-order", "turn 1"),
        ([S, A, U, A], "chat-order", "turn 2"),
        ([U, U, A], "chat-order", "turns 1 and 2"),
        ([U, A, A], "chat-order", "turns 2 and 3"),
        ([U, A, U, U], "chat-order", "turns 3 and 4"),
        ([U, S, A], "chat-order", "turn 2"),
        ([U, A, S, U, A], "chat-order", "turn 3"),
        ([S, S, U, A], "chat-order", "turn 2"),
        ([U, T, A], "chat-order", "turn 2"),
    ],
)
def test_conversations_that_nothing_can_be_learned_from(turns: Any, code: str, place: str) -> None:
    found = fault("messages", {"messages": turns})
    assert (found.code, found.fatal) == (code, True)
    assert place in found.message and found.fix


@given(st.text(alphabet="sua", min_size=1, max_size=9))
def test_turns_alternate_after_a_first_system_message(letters: str) -> None:
    turns = [{"s": S, "u": U, "a": A}[letter] for letter in letters]
    found = conversation(turns)
    body = letters.removeprefix("s")
    alternates = all(letter == "ua"[index % 2] for index, letter in enumerate(body))
    assert isinstance(found, Example) == (alternates and "a" in body)
    if isinstance(found, Example):
        assert found.turns[-1].role == "assistant"
        assert len(found.turns) == len(letters) - (body[-1] == "u")


# --- the quick way -----------------------------------------------------------------------------------------------

WORDS = st.one_of(st.text(max_size=6), st.sampled_from(["", " ", "\n", "\x1f", " a ", "é", "\x85", "\ud800"]))
CONTENTS = st.one_of(WORDS, st.none(), st.integers(), st.lists(st.fixed_dictionaries({"text": WORDS}), max_size=2))
PLAIN_NAMES = st.sampled_from(["system", "user", "assistant", "tool", "developer"])
OTHER_NAMES = st.sampled_from(
    ["User", "human", "gpt", "function", "", "narrator", "user ", None, 1, True, ["user"], {}]
)
TURNS = st.one_of(
    st.fixed_dictionaries({"role": PLAIN_NAMES, "content": WORDS}),
    st.fixed_dictionaries({"content": WORDS, "role": PLAIN_NAMES}),
    st.fixed_dictionaries(
        {"role": st.one_of(PLAIN_NAMES, OTHER_NAMES), "content": CONTENTS},
        optional={"weight": st.sampled_from([0, 1, None]), "tool_calls": st.sampled_from([None, [], [{"name": "f"}]])},
    ),
    st.fixed_dictionaries({"role": PLAIN_NAMES}, optional={"name": WORDS, "tool_calls": st.just([{"name": "f"}])}),
    st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt"]), "value": WORDS}),
)
IN_ORDER = st.integers(1, 4).flatmap(
    lambda rounds: st.tuples(*[st.fixed_dictionaries({"content": st.one_of(WORDS, st.just("word"))})] * 2 * rounds)
)


def check_quick_way(cell: Any) -> None:
    words = quick_words(cell)
    if words is None:
        return
    found = read_example(SHAPES["messages"], {"messages": cell})
    assert isinstance(found, Example), (cell, found)
    assert found.repairs == () and found.words == words
    assert found.turns[-1].loss and found.turns[-1].role == "assistant"
    assert found.tools is None and found.desirable is None and found.rejected is None


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(TURNS, max_size=6), st.tuples(TURNS, TURNS), st.text(), st.none(), st.integers(), TURNS))
def test_what_passes_the_quick_way_comes_to_the_same_the_long_way(cell: Any) -> None:
    check_quick_way(cell)


@settings(max_examples=200, deadline=None)
@given(IN_ORDER, st.booleans(), st.sampled_from([None, "role", "content", "extra"]), st.data())
def test_conversations_nearly_in_order_pass_the_quick_way_only_when_they_are(
    bodies: tuple[dict[str, Any], ...], has_system: bool, damage: str | None, data: st.DataObject
) -> None:
    turns = [{"role": ("user", "assistant")[index % 2], **body} for index, body in enumerate(bodies)]
    turns = [S, *turns] if has_system else turns
    index = data.draw(st.integers(0, len(turns) - 1))
    if damage == "role":
        turns[index] = {**turns[index], "role": data.draw(st.one_of(PLAIN_NAMES, OTHER_NAMES))}
    elif damage == "content":
        turns[index] = {**turns[index], "content": data.draw(CONTENTS)}
    elif damage == "extra":
        turns[index] = {**turns[index], data.draw(st.sampled_from(["weight", "tool_calls", "name"])): 0}
    check_quick_way(turns)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=4), st.booleans())
def test_plain_conversations_do_pass_the_quick_way(pairs: list[tuple[str, str]], has_system: bool) -> None:
    assume(all(text.strip() for pair in pairs for text in pair))
    turns = [S] if has_system else []
    for asked, answered in pairs:
        turns += [user(asked), assistant(answered)]
    assert quick_words(turns) == "\n".join(turn["content"] for turn in turns)


@pytest.mark.parametrize(
    "cell",
    [
        [],
        [U],
        [A, U],
        [U, A, U],
        [U, assistant(" ")],
        [U, assistant("a", weight=0)],
        [U, assistant(["a"])],
        [{"role": ["user"], "content": "q"}, A],
        [{"role": {"name": "user"}, "content": "q"}, A],
        None,
        "",
        3,
    ],
)
def test_what_is_not_plainly_in_order_is_looked_at_closely(cell: Any) -> None:
    assert quick_words(cell) is None


# --- dialogues in [INST] marks -----------------------------------------------------------------------------------


def test_a_last_mark_that_is_never_closed_is_a_question_without_an_answer() -> None:
    found = read_example(SHAPES["text"], {"text": "[INST] a [/INST] b [INST] c"})
    assert isinstance(found, Example)
    assert [turn.text for turn in found.turns] == ["a", "b"]
    assert [repair.code for repair in found.repairs] == ["chat-no-last-answer"]
    found = read_example(SHAPES["text"], {"text": "[INST] a [/INST] b [INST] "})
    assert isinstance(found, Example) and not found.repairs


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("[INST] Why? [/INST] Because.", TALK),
        ("<s>[INST]Why?[/INST]Because.</s>", TALK),
        (
            "<s>[INST] <<SYS>>\nBe kind.\nAlways.\n<</SYS>>\n\nWhy? [/INST] Because. </s>",
            [("system", "Be kind.\nAlways."), *TALK],
        ),
        (
            "<s>[INST] Why? [/INST] Because. </s><s>[INST] And then? [/INST] Nothing.\nAt all. </s>\n",
            [*TALK, ("user", "And then?"), ("assistant", "Nothing.\nAt all.")],
        ),
        (
            "<s>[INST] Why? [/INST] Because.</s>[INST] And then? [/INST] Nothing.</s>",
            [*TALK, ("user", "And then?"), ("assistant", "Nothing.")],
        ),
    ],
)
def test_marked_dialogues_become_turns(text: str, turns: list[tuple[str, str]]) -> None:
    found = example("text", {"text": text})
    assert said(found) == turns and found.text is None
    assert learned(found) == [words for role, words in turns if role == "assistant"]


@given(
    st.lists(
        st.tuples(*[st.text(alphabet="abc äé\n.,?", min_size=1).filter(lambda text: text.strip() != "")] * 2),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["", "Be kind."]),
)
def test_turns_written_with_marks_are_read_again(pairs: list[tuple[str, str]], system: str) -> None:
    before = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if system else ""
    text = "".join(
        f"<s>[INST] {before if not index else ''}{asked} [/INST] {answered} </s>"
        for index, (asked, answered) in enumerate(pairs)
    )
    expected = [("system", system)] if system else []
    for asked, answered in pairs:
        expected += [("user", asked.strip()), ("assistant", answered.strip())]
    assert said(example("text", {"text": text})) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty-text"),
        (" \n\t", "empty-text"),
        ("<s>[INST] Why? [/INST]", "chat-no-answer"),
        ("<s>[INST] Why? [/INST] </s>", "chat-no-answer"),
        ("<s>[INST] [/INST] Because. </s>", "chat-empty-turn"),
        ("<s>[INST] Why? [/INST] </s><s>[INST] And then? [/INST] Nothing. </s>", "chat-order"),
    ],
)
def test_marked_dialogues_that_cannot_be_used(text: str, code: str) -> None:
    assert fault("text", {"text": text}).code == code


def test_a_last_question_of_a_marked_dialogue_is_left_out_and_told() -> None:
    found = example("text", {"text": "<s>[INST] Why? [/INST] Because. </s><s>[INST] Really? [/INST]"})
    assert said(found) == TALK
    assert [(repair.code, repair.fatal) for repair in found.repairs] == [("chat-no-last-answer", False)]


@pytest.mark.parametrize(
    "text",
    [
        "Llama marks prompts with [INST] and [/INST]; see the manual.",
        "The end is [/INST], the start [INST].",
        "[INST] stands before a question.",
        "<s> strikes a text through.",
    ],
)
def test_a_text_that_only_mentions_the_marks_stays_a_text(text: str) -> None:
    assert (example("text", {"text": text}).text, is_dialogue(text)) == (text, False)


@pytest.mark.parametrize("before", ["", "[/INST]", "[INST] Why? [/INST] Because.", "[INST] Why? [/INST]"])
def test_very_many_marks_without_an_end_are_read_quickly(before: str) -> None:
    started = time.monotonic()
    read_example(SHAPES["text"], {"text": before + "[INST]x" * 50_000})
    assert time.monotonic() - started < 5


# --- preferences -------------------------------------------------------------------------------------------------

PREFERRED: list[dict[str, Any]] = [
    {"prompt": "Why?", "chosen": "Because.", "rejected": "No."},
    {"prompt": "Why?", "chosen": assistant("Because."), "rejected": assistant("No.")},
    {"prompt": [user("Why?")], "chosen": [assistant("Because.")], "rejected": [assistant("No.")]},
    {"messages": [user("Why?")], "chosen": "Because.", "rejected": "No."},
    {
        "messages": [{"from": "human", "value": "Why?"}],
        "chosen": {"from": "gpt", "value": "Because."},
        "rejected": {"from": "gpt", "value": "No."},
    },
    {"chosen": [user("Why?"), assistant("Because.")], "rejected": [user("Why?"), assistant("No.")]},
    {"chosen": "\n\nHuman: Why?\n\nAssistant: Because.", "rejected": "\n\nHuman: Why?\n\nAssistant: No."},
    # the prompt apart and in both sides as well
    {"prompt": "Why?", "chosen": [user("Why?"), assistant("Because.")], "rejected": [user("Why?"), assistant("No.")]},
    {
        "prompt": "Why?",
        "chosen": "\n\nHuman: Why?\n\nAssistant: Because.",
        "rejected": "\n\nHuman: Why?\n\nAssistant: No.",
    },
    {"prompt": "Why?", "chosen": "Why? Because.", "rejected": "Why? No."},
    {
        "prompt": "Why?",
        "messages": [user("Why?"), assistant("Because.")],
        "chosen": [user("Why?"), assistant("Because.")],
        "rejected": [user("Why?"), assistant("No.")],
    },
    {"messages": [user("Why?"), assistant("Because.")], "chosen": "Because.", "rejected": "No."},
]


@pytest.mark.parametrize("values", PREFERRED)
def test_preferences_of_every_kind_come_to_the_same(values: dict[str, Any]) -> None:
    found = example("preference", values)
    assert (said(found), found.rejected) == (TALK, "No.")
    assert learned(found) == ["Because."]
    assert found.words == "Why?\nBecause.\nNo."


def test_only_the_last_answer_of_a_preference_is_learned() -> None:
    before = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: "
    found = example("preference", {"chosen": f"{before}Because.", "rejected": f"{before}No."})
    assert said(found) == [("user", "Hi"), ("assistant", "Hello"), *TALK]
    assert (learned(found), found.rejected) == (["Because."], "No.")
    turns = [user("Hi"), assistant("Hello"), user("Why?")]
    again = example("preference", {"chosen": [*turns, assistant("Because.")], "rejected": [*turns, assistant("No.")]})
    assert (said(again), learned(again), again.rejected) == (said(found), learned(found), found.rejected)


@pytest.mark.parametrize(
    ("chosen", "rejected", "turns", "worse"),
    [
        (
            "Q: why is it so? A: because",
            "Q: why is it so? A: no idea",
            [("user", "Q: why is it so? A:"), ("assistant", "because")],
            "no idea",
        ),
        (  # what both begin with ends with a word, never within one
            "Human: Q: why is it so?\n\nAssistant: A: because",
            "Human: Q: why is it so?\n\nAssistant: A: no idea",
            [("user", "Q: why is it so?"), ("assistant", "A: because")],
            "A: no idea",
        ),
        ("Is it so? yes", "Is it so? yesterday", [("user", "Is it so?"), ("assistant", "yes")], "yesterday"),
    ],
)
def test_what_both_texts_begin_with_is_the_prompt(
    chosen: str, rejected: str, turns: list[tuple[str, str]], worse: str
) -> None:
    found = example("preference", {"chosen": chosen, "rejected": rejected})
    assert (said(found), found.rejected) == (turns, worse)


@pytest.mark.parametrize("values", PREFERRED)
def test_a_system_message_stands_before_the_prompt(values: dict[str, Any]) -> None:
    assert said(example("preference", {**values, "system": "Be brief."})) == [("system", "Be brief."), *TALK]


@pytest.mark.parametrize("apart", [True, False])
def test_a_system_message_among_the_turns_is_not_doubled(apart: bool) -> None:
    asked = [{"role": "system", "content": "Be kind."}, user("Why?")]
    sides = {"chosen": [assistant("Because.")], "rejected": [assistant("No.")]}
    values: dict[str, Any] = {"prompt": asked, **sides}
    if not apart:
        values = {side: [*asked, *answer] for side, answer in sides.items()}
    found = example("preference", {**values, "system": "Be brief."})
    assert (said(found), found.rejected) == ([("system", "Be kind."), *TALK], "No.")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"prompt": "Why?", "chosen": "Because.", "rejected": "Because."}, "equal-sides"),
        ({"prompt": "Why?", "chosen": "Because of it.", "rejected": " Because  of\nit."}, "equal-sides"),
        ({"chosen": [U, A], "rejected": [U, A]}, "equal-sides"),
        ({"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: a"}, "equal-sides"),
        ({"prompt": "Why?", "chosen": "", "rejected": "No."}, "empty-chosen"),
        ({"prompt": "Why?", "chosen": "Because.", "rejected": None}, "empty-rejected"),
        ({"prompt": "Why?", "chosen": [], "rejected": "No."}, "empty-chosen"),
        ({"prompt": " ", "chosen": "Because.", "rejected": "No."}, "empty-prompt"),
        ({"prompt": [U, A], "chosen": "Because.", "rejected": "No."}, "chat-order"),
        ({"prompt": "Why?", "chosen": [{"role": "narrator", "content": "x"}], "rejected": "No."}, "chat-unknown-role"),
        ({"prompt": "Why?", "chosen": ["x"], "rejected": "No."}, "chat-not-turns"),
        ({"messages": ["x"], "chosen": "Because.", "rejected": "No."}, "chat-not-turns"),
        ({"chosen": [U, A], "rejected": [user("other"), assistant("b")]}, "sides-differ"),
        ({"chosen": [U, A], "rejected": [U]}, "sides-differ"),
        ({"chosen": [U, A, user("x"), A], "rejected": [U, assistant("b"), user("y"), A]}, "sides-differ"),
        ({"chosen": [U, A, user("bye")], "rejected": [U, assistant("b"), user("no")]}, "sides-differ"),
        ({"prompt": "Why?", "chosen": "Why?", "rejected": "Why? No."}, "empty-chosen"),
    ],
)
def test_preferences_that_cannot_be_used(values: dict[str, Any], code: str) -> None:
    found = fault("preference", values)
    assert (found.code, found.fatal) == (code, True)


@pytest.mark.parametrize(
    ("mark", "desirable"),
    [
        *[
            (mark, True)
            for mark in (True, 1, 1.0, "1", "true", "True", " YES ", "good", "desirable", "thumbs_up", "+1", "y", "👍")
        ],
        *[(mark, False) for mark in (False, 0, 0.0, "0", "false", "No", "bad", "undesirable", "-1", -1)],
        *[(mark, False) for mark in ("thumbs_down", "n", "👎")],
    ],
)
def test_marks_are_read_in_every_spelling(mark: Any, desirable: bool) -> None:
    assert example("kto", {"prompt": "Why?", "completion": "Because.", "label": mark}).desirable is desirable


@pytest.mark.parametrize("mark", [None, "", "maybe", 3, []])
def test_a_row_without_a_mark_is_left_out(mark: Any) -> None:
    assert fault("kto", {"prompt": "Why?", "completion": "Because.", "label": mark}).code == "mark-unclear"


# --- anything at all ---------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["[INST] a [/INST] b", "\n\nHuman: a\n\nAssistant: b", "[]", "true", "[INST][/INST]"]),
)
CELLS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["role", "content", "from", "value", "text", "tool_calls"]), inner, max_size=3),
        st.lists(TURNS, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(LANGUAGE_SHAPES), st.data())
def test_any_cells_are_an_example_or_a_fault(shape: Shape, data: st.DataObject) -> None:
    found = read_example(shape, {role: data.draw(CELLS) for role in shape.roles})
    if isinstance(found, Fault):
        assert found.fatal and found.code and found.message and found.fix
        return
    assert found.words.strip()
    assert all(turn.role in ("assistant", "call") for turn in found.turns if turn.loss)
    assert any(turn.loss for turn in found.turns) or found.text is not None
    assert "".join(text for text, learns in chat_parts(found) if learns).strip()


# --- as the model will see it ------------------------------------------------------------------------------------


def test_the_end_of_an_answer_is_learned_and_nothing_else_is() -> None:
    turns = [S, user("Why?"), assistant("Because."), user("And?"), assistant("No more.")]
    found = example("messages", {"messages": turns})
    parts = chat_parts(found)
    assert "".join(text for text, _ in parts) == (
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nBecause.<|im_end|>\n"
        "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\nNo more.<|im_end|>\n"
    )
    assert [text for text, learns in parts if learns] == ["Because.<|im_end|>", "No more.<|im_end|>"]


@given(
    st.lists(
        st.builds(
            Turn,
            st.sampled_from(["system", "user", "assistant", "call", "tool"]),
            st.text(min_size=1, max_size=5),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_every_turn_is_seen_and_ends(turns: list[Turn]) -> None:
    parts = chat_parts(Example(tuple(turns)))
    whole = "".join(text for text, _ in parts)
    names = ["assistant" if turn.role == "call" else turn.role for turn in turns]
    assert whole == "".join(f"<|im_start|>{who}\n{turn.text}<|im_end|>\n" for who, turn in zip(names, turns))
    assert [text for text, learns in parts if learns] == [f"{turn.text}<|im_end|>" for turn in turns if turn.loss]


def pieces_of(profile: Any, row: int = 0) -> tuple[str, list[str]]:
    """A row of the preview: its whole text, and the pieces that are learned."""
    pieces = profile.stats["preview"][row]["pieces"]
    return "".join(piece["text"] for piece in pieces), [piece["text"] for piece in pieces if piece["learned"]]


@pytest.mark.parametrize(
    ("rows", "task", "whole", "answers"),
    [
        ([{"messages": [user(f"q{n}"), assistant(f"a{n}")]} for n in range(8)], None, "q0", ["a0<|im_end|>"]),
        ([{"prompt": f"q{n}", "completion": f"a{n}"} for n in range(8)], "text-generation", "q0", ["a0<|im_end|>"]),
        (
            [{"prompt": f"q{n}", "chosen": f"a{n}", "rejected": f"b{n}"} for n in range(8)],
            None,
            "rejected: b0",
            ["a0<|im_end|>"],
        ),
        (
            [{"prompt": f"q{n}", "chosen": f"a{n}", "rejected": f"b{n}"} for n in range(8)],
            "reward-modeling",
            "rejected: b0",
            ["a0<|im_end|>"],
        ),
        (
            [{"prompt": f"q{n}", "completion": f"a{n}", "label": bool(n % 2)} for n in range(8)],
            None,
            "marked bad",
            ["a0<|im_end|>"],
        ),
        ([{"text": f"text number {n}"} for n in range(8)], "text-generation", "text number 0", ["text number 0"]),
        (
            [{"context": f"It rains {n}.", "question": f"q{n}", "answers": [f"rains {n}"]} for n in range(8)],
            "extractive-question-answering",
            "It rains 0.",
            ["rains 0"],
        ),
        (
            [{"tokens": ["Ann", "runs"], "tags": ["B-PER", "O"]} for _ in range(8)],
            None,
            "Ann/PER runs",
            ["Ann/PER"],
        ),
        ([{"source": f"s{n}", "target": f"t{n}"} for n in range(8)], "translation", "s0", ["t0"]),
    ],
)
def test_the_preview_shows_what_is_learned(
    tmp_path: Path, rows: list[Any], task: str | None, whole: str, answers: list[str]
) -> None:
    profile = check(CheckRequest(lines(tmp_path / "rows.jsonl", rows), task))
    text, learns = pieces_of(profile)
    assert whole in text and learns == answers
    assert len(profile.stats["preview"]) == 3
    assert [row["where"] for row in profile.stats["preview"]] == ["line 1", "line 2", "line 3"]


def test_the_preview_leaves_out_what_training_does_and_cuts_what_is_long(tmp_path: Path) -> None:
    rows = [{"messages": [user("q"), assistant("a" * 9_000 if n == 2 else f"a{n}")]} for n in range(8)]
    rows[0]["messages"][1]["content"] = " "
    rows[1]["messages"] = []
    shown = check(CheckRequest(lines(tmp_path / "rows.jsonl", rows))).stats["preview"]
    assert [row["where"] for row in shown] == ["line 3", "line 4", "line 5"]
    assert max(len(piece["text"]) for piece in shown[0]["pieces"]) <= 2_000


def test_the_desk_uses_the_rows_that_can_be_read(tmp_path: Path) -> None:
    rows = [{"messages": [user(f"q{n}"), assistant(f"a{n}")]} for n in range(20)]
    rows[3]["messages"].append(user("Really?"))  # repaired
    rows[5]["messages"] = [A, U]  # out of order
    rows[7]["messages"] = []
    rows[9]["messages"][0]["role"] = "human"  # repaired
    path = lines(tmp_path / "rows.jsonl", rows)
    profiles = [check(CheckRequest(path)), check(CheckRequest(path, preparation=PreparationOptions(longest=9_999)))]
    for profile in profiles:  # the quick way, and one row after the other
        assert profile.ok and (profile.rows, profile.usable_rows) == (20, 18)
        places = {(finding.code, finding.where) for finding in profile.warnings}
        assert places >= {
            ("chat-no-last-answer", "line 4"),
            ("chat-order", "line 6"),
            ("chat-empty", "line 8"),
            ("chat-role-names", "line 10"),
        }
        assert profile.stats["repaired"] == {"chat-no-last-answer": 1, "chat-role-names": 1}
        assert profile.stats["left_out_rows"] == {"chat-order": 1, "chat-empty": 1}
        assert profile.stats["turns"] == {2: 18}
