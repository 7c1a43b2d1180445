"""What is wrong with rows of texts: tags, answers, pairs, copies, lengths and numbers, each with its place."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import DatasetProfile, Finding
from backends.formats import distinct
from backends.formats.check_request import CheckRequest
from backends.formats.checks import check
from backends.formats.label_checks import LabelCheck
from backends.formats.row_faults import answer_fault, answers_of, nearest_place, row_fault
from backends.formats.shapes import shapes_of
from backends.formats.tagged import (
    bio_tags,
    bio_violation,
    entity_spans,
    looks_tagged,
    names_each_word,
    rarest_types,
    repaired_tags,
    tag_list,
    tag_type,
    tagged_fault,
)
from backends.formats.tally import byte_length
from backends.options import PreparationOptions
from backends.registry import find_data

TEXT, TAGGED, ANSWERS = "text-classification", "token-classification", "extractive-question-answering"
PAIR, WRITTEN = "sentence-pair-classification", "text-generation"
Place = tuple[str, str]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def checked(path: Path, task: str | None = None, **more: Any) -> DatasetProfile:
    """The profile; every finding in it must say what, where and what to do."""
    profile = check(CheckRequest(path, task, **more))
    for found in (*profile.errors, *profile.warnings):
        assert found.code and found.message and found.where and found.fix, found
        assert found.code == found.code.lower() and " " not in found.code
        assert found.fix[0].isupper() and found.fix.rstrip()[-1] not in ",;", found
    assert profile.ok == (not profile.errors)
    return profile


def places(profile: DatasetProfile, *codes: str) -> list[Place]:
    """Code and place of what was found, in order; of some codes only where they are named."""
    return [(each.code, each.where) for each in found(profile) if not codes or each.code in codes]


def found(profile: DatasetProfile, code: str = "") -> list[Finding]:
    return [each for each in (*profile.errors, *profile.warnings) if not code or each.code == code]


def sentence(n: int) -> str:
    return f"This is a sentence that speaks of the number {n} and of nothing else."


def talk(*said: str) -> dict[str, Any]:
    """A row of a conversation in which both sides take turns."""
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    return {"messages": turns}


# --- tags --------------------------------------------------------------------------------------------------------

KINDS = st.sampled_from(["PER", "LOC", ""])
TAGS = st.lists(
    st.one_of(
        st.just("O"),
        st.builds("{}-{}".format, st.sampled_from("BIESLU"), KINDS),
        st.sampled_from(["0", "3", "NN", "B", "I", "-"]),
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("tags", "place"),
    [
        ("", None),
        ("O O", None),
        ("B-PER I-PER O B-PER B-LOC I-LOC", None),
        ("B-PER I-PER E-PER O S-LOC U-LOC B-LOC L-LOC", None),
        ("0 3 4 0", None),
        ("NN VB DT", None),
        ("I-PER", 0),
        ("O I-PER", 1),
        ("O E-PER", 1),
        ("O L-PER", 1),
        ("B-PER I-LOC", 1),
        ("B-PER O I-PER", 2),
        ("S-PER I-PER", 1),
        ("B-PER E-PER I-PER", 2),
        ("B-PER I-PER I-LOC I-PER", 2),
    ],
)
def test_an_entity_begins_with_b_and_stays_of_one_kind(tags: str, place: int | None) -> None:
    broken = bio_violation(tags.split())
    assert (broken[0] if broken else None) == place
    if broken is not None:
        assert tags.split()[broken[0]] in broken[1]


@given(TAGS)
def test_repaired_tags_are_in_order_and_change_only_what_was_not(tags: list[str]) -> None:
    repaired = repaired_tags(tags)
    assert bio_violation(repaired) is None and repaired_tags(repaired) == repaired
    assert len(repaired) == len(tags)
    for before, after in zip(tags, repaired):
        assert after == before or (before[:2] in ("I-", "E-", "L-") and after == f"B-{before[2:]}")
    assert (repaired == tags) == (bio_violation(tags) is None)
    broken = bio_violation(tags)
    if broken is not None:
        assert repaired[: broken[0]] == tags[: broken[0]] and repaired[broken[0]] != tags[broken[0]]


@pytest.mark.parametrize(
    ("scheme", "tags", "expected"),
    [
        ("BIO", "B-x I-x O B-x B-x", "B-x I-x O B-x B-x"),
        ("IOB1", "I-x I-x B-x O I-y I-x", "B-x I-x B-x O B-y B-x"),
        ("BIOES", "B-x I-x E-x S-x S-x B-y E-y E-y", "B-x I-x I-x B-x B-x B-y I-y B-y"),
        ("BILOU", "B-x I-x L-x U-x O I-x", "B-x I-x I-x B-x O B-x"),
        ("bare types", "x x O x y y", "B-x I-x O B-x B-y I-y"),
        ("letters alone", "B I O I E S", "B-entity I-entity O B-entity I-entity B-entity"),
        ("types with a hyphen", "B-creative-work I-creative-work", "B-creative-work I-creative-work"),
        ("nothing", "", ""),
    ],
)
def test_every_scheme_of_tags_becomes_bio(scheme: str, tags: str, expected: str) -> None:
    found = bio_tags(tags.split())
    assert found == expected.split() and bio_violation(found) is None
    assert bio_tags(found) == found


@given(st.lists(st.sampled_from([*"BIESLUO", "x", "B-x", "I-x", "E-x", "S-y", "L-y", "U-x", "I-y", "B-"]), max_size=9))
def test_tags_in_any_order_become_valid_bio_with_as_many_tagged_words(tags: list[str]) -> None:
    found = bio_tags(tags)
    assert bio_violation(found) is None
    assert [tag == "O" for tag in found] == [tag == "O" for tag in tags]
    spans = entity_spans(found)
    assert len(spans) == sum(tag.startswith("B-") for tag in found)
    assert sum(end - start for _, start, end in spans) == sum(tag != "O" for tag in found)


def test_entities_have_a_type_and_their_words() -> None:
    tags = ["B-x", "I-x", "B-x", "O", "B-creative-work"]
    assert entity_spans(tags) == [("x", 0, 2), ("x", 2, 3), ("creative-work", 4, 5)]
    assert entity_spans(["NOUN", "NOUN"]) == [("NOUN", 0, 1), ("NOUN", 1, 2)]
    assert [tag_type(tag) for tag in ("O", "B-x", "x", "X-ray", "I-")] == [None, "x", "x", "X-ray", "I-"]


def test_parts_of_speech_are_classes_of_single_words() -> None:
    assert names_each_word({"NOUN", "VERB"})
    assert not names_each_word({"NOUN", "O"}) and not names_each_word({"B-x", "I-x"})


def test_the_rarest_type_of_a_row_is_that_of_the_fewest_rows() -> None:
    assert rarest_types([["B-x", "B-y"], ["B-x", "I-x"], ["O"], []]) == ["y", "x", "", ""]


@pytest.mark.parametrize(
    ("words", "tags", "code"),
    [
        (["Ann", "runs"], ["B-PER", "O"], None),
        ("Ann runs", "B-PER O", None),
        (["Ann", "runs"], [1, 0], None),
        (["Ann", "runs"], ["I-PER", "O"], "bio-order"),
        (["Ann", "runs"], ["B-PER"], "tags-not-aligned"),
        (["Ann"], ["B-PER", "O"], "tags-not-aligned"),
        ([], [], "empty-tokens"),
        (None, ["O"], "empty-tokens"),
        ("", "", "empty-tokens"),
        (["Ann"], [], "empty-tags"),
        (["Ann"], None, "empty-tags"),
        (["Ann"], {"tag": "O"}, "empty-tags"),
        (["Ann"], [{"tag": "O"}], "empty-tags"),
    ],
)
def test_what_is_wrong_with_a_sentence(words: Any, tags: Any, code: str | None) -> None:
    fault = tagged_fault(words, tags)
    assert (fault.code if fault else None) == code
    if fault is not None:
        assert fault.fatal == (code != "bio-order") and fault.message and fault.fix
    if code == "tags-not-aligned":
        assert fault is not None and str(len(tag_list(words) or [])) in fault.message


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        ("Ann B-PER\nruns O\n\nBob B-PER\n", True),
        ("Ann NNP B-NP B-PER\nruns VB O O\n\nBob NNP B-NP B-PER\n", True),
        ("-DOCSTART- -X- O O\n\nAnn NNP B-NP I-PER\nruns VB O O\nfar RB O O\n", True),
        ("# id = 1\nAnn\tB-PER\nruns\tO\nfar\tO\n", True),
        ("Ann O\nruns O\n", False),  # nothing marked
        ("Ann B-PER\n", False),  # one line says too little
        ("This is a text\nof two lines O\n", False),
        ("a,b\n1,B-x\n2,O\n", False),
        ("", False),
    ],
)
def test_what_looks_like_conll(text: str, tagged: bool) -> None:
    assert looks_tagged(text) is tagged


def test_a_tagged_file_is_read_by_sentences_and_faults_have_their_line(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O\n\n# text = Ann runs\nAnn NNP B-PER\nruns VB O\n\n"
    text += "Bob NNP I-PER\nSmith NNP I-PER\n\n" + "lost\nBonn NNP B-LOC\n\n" + "Eve NNP B-PER\n\n" * 6
    (tmp_path / "ner.conll").write_text(text)
    profile = checked(tmp_path / "ner.conll")
    assert (profile.format, profile.task, profile.rows, profile.usable_rows) == ("conll", TAGGED, 9, 9)
    assert places(profile, "bio-order", "ragged-row") == [("ragged-row", "line 10"), ("bio-order", "line 7")]
    assert "Bob" in found(profile, "bio-order")[0].message
    assert profile.stats["labels"] == {"PER": 8, "LOC": 1} and profile.stats["label_count"] == 2


def test_tags_that_cannot_be_aligned_are_left_out(tmp_path: Path) -> None:
    rows = [{"tokens": ["Ann", "runs", str(n)], "ner_tags": ["B-PER", "O", "O"]} for n in range(20)]
    rows[3]["ner_tags"] = ["B-PER", "O"]
    rows[5]["ner_tags"] = ["O", "I-PER", "O"]
    rows[7] = {"tokens": [], "ner_tags": []}
    profile = checked(write(tmp_path / "rows.jsonl", rows))
    assert profile.ok and (profile.task, profile.usable_rows) == (TAGGED, 18)
    assert places(profile, "tags-not-aligned", "bio-order", "empty-tokens") == [
        ("tags-not-aligned", "line 4"),
        ("bio-order", "line 6"),
        ("empty-tokens", "line 8"),
    ]
    assert profile.stats["labels"] == {"PER": 18}  # the repaired one too


def test_sentences_without_a_single_entity_are_an_error(tmp_path: Path) -> None:
    rows = [{"tokens": ["a", str(n)], "tags": ["O", "O"]} for n in range(20)]
    assert places(checked(write(tmp_path / "rows.jsonl", rows)), "no-entities") == [("no-entities", "column tags")]


def test_tags_that_are_numbers_without_names_are_an_error(tmp_path: Path) -> None:
    rows = [{"tokens": ["Ann", "runs", str(n)], "ner_tags": [1, 0, 0]} for n in range(20)]
    profile = checked(write(tmp_path / "rows.jsonl", rows))
    assert places(profile, "numbered-tags") == [("numbered-tags", "column ner_tags")] and not profile.ok


# --- answers in texts --------------------------------------------------------------------------------------------

CONTEXT = "Bonn was the capital. Bonn lies on the Rhine."


@pytest.mark.parametrize(
    ("answers", "starts", "expected"),
    [
        ("Bonn", 0, (["Bonn"], [0])),
        ("Bonn", None, (["Bonn"], [None])),
        ("Bonn", "22", (["Bonn"], [22])),
        (["Bonn", "Rhine"], [0, 39], (["Bonn", "Rhine"], [0, 39])),
        ({"text": ["Bonn"], "answer_start": [22]}, None, (["Bonn"], [22])),
        ({"text": "Bonn", "answer_start": 22}, None, (["Bonn"], [22])),
        ([{"text": "Bonn", "answer_start": 22}], None, (["Bonn"], [22])),
        ({"text": [], "answer_start": []}, None, ([], [])),
        ('{"text": ["Bonn"], "answer_start": [22]}', None, (["Bonn"], [22])),
        ("{'text': ['Bonn'], 'answer_start': [22]}", None, (["Bonn"], [22])),  # as pandas writes a table
        ('["Bonn", "Rhine"]', "[22, 39]", (["Bonn", "Rhine"], [22, 39])),
        ("['Bonn']", None, (["Bonn"], [None])),
        ("[]", "[]", ([], [])),
        ("[1]", None, (["[1]"], [None])),  # a mark in a text
        ("[Bonn]", None, (["[Bonn]"], [None])),
        ("{x}", None, (["{x}"], [None])),
        ('{"a": 1}', None, (['{"a": 1}'], [None])),
        ("[" * 5000 + "]" * 5000, None, (["[" * 5000 + "]" * 5000], [None])),
        ([], [], ([], [])),
        (None, None, ([], [])),
        ("", None, ([], [])),
        ("Na", None, (["Na"], [None])),  # sodium; words for missing are answers here
        (["None", "null"], [0, 9], (["None", "null"], [0, 9])),
        ({"text": ["NA"], "answer_start": [3]}, None, (["NA"], [3])),
    ],
)
def test_answers_are_read_from_every_layout(answers: Any, starts: Any, expected: Any) -> None:
    texts, where = answers_of({"answers": answers, "answer_start": starts})
    assert texts == expected[0] and where[: len(texts)] == expected[1]


@pytest.mark.parametrize(
    ("answers", "starts", "code", "words"),
    [
        (["Bonn"], [0], None, ()),
        (["Bonn"], [22], None, ()),
        (["Bonn", "Rhine"], [22, 39], None, ()),
        (["Bonn"], None, None, ()),
        ([], [], None, ()),
        (["Bonn"], [20], "answer-offset", ("20", "22")),
        (["Bonn"], [3], "answer-offset", ("3", "0")),
        (["Bonn"], [9_999], "answer-offset", ("9,999", "22")),
        (["Bonn", "Rhine"], [0, 38], "answer-offset", ("38", "39")),
        (["Bonn"], [-1], "answer-offset", ("no place that could be", "but at 0")),
        (["Bonn"], [3.5], "answer-offset", ("no place that could be", "but at 0")),
        (["Bonn"], ["x"], "answer-offset", ("no place that could be", "but at 0")),
        (["Rhine"], [float("inf")], "answer-offset", ("no place that could be", "but at 39")),
        (["bonn"], [0], "answer-not-in-context", ("bonn",)),
        (["Bonn", "Paris"], [0, 0], "other-answer-not-in-context", ("Paris",)),
        (["Paris", "Oslo"], None, "answer-not-in-context", ("Paris",)),
        (["Bonn", " "], [0, 0], "empty-answers", ()),
    ],
)
def test_answers_must_stand_where_they_are_said_to(
    answers: list[str], starts: Any, code: str | None, words: tuple[str, ...]
) -> None:
    fault = answer_fault({"context": CONTEXT, "question": "Where?", "answers": answers, "answer_start": starts})
    assert (fault.code if fault else None) == code
    assert fault is None or (
        fault.fatal == (code in ("answer-not-in-context", "empty-answers"))
        and all(word in fault.message for word in words)
    )


@pytest.mark.parametrize("role", ["context", "question"])
@pytest.mark.parametrize("empty", [None, "", "  "])
def test_a_question_needs_itself_and_its_text(role: str, empty: Any) -> None:
    values = {"context": CONTEXT, "question": "Where?", "answers": ["Bonn"]} | {role: empty}
    fault = answer_fault(values)
    assert fault is not None and (fault.code, fault.fatal) == (f"empty-{role}", True)


@given(st.text("ab", max_size=12), st.text("ab", min_size=1, max_size=3), st.integers(0, 15))
def test_the_nearest_place_of_an_answer(context: str, answer: str, start: int) -> None:
    standing = [at for at in range(len(context)) if context.startswith(answer, at)]
    place = nearest_place(context, answer, start)
    if not standing:
        assert place == -1
    else:
        assert place in standing and abs(place - start) == min(abs(at - start) for at in standing)


def test_questions_are_checked_row_by_row(tmp_path: Path) -> None:
    rows = [
        {"id": n, "context": f"{CONTEXT} {n}", "question": f"Where {n}?", "answer": "Rhine", "answer_start": 39}
        for n in range(20)
    ]
    rows[2]["answer"] = "Danube"
    rows[4]["answer_start"] = 5
    rows[6]["answer"] = rows[6]["answer_start"] = None
    rows[8]["answer"], rows[8]["answer_start"] = "Bonn", 0
    rows[10]["question"] = " "
    profile = checked(write(tmp_path / "rows.jsonl", rows))
    assert profile.ok and (profile.task, profile.usable_rows) == (ANSWERS, 18)
    assert places(profile, "answer-not-in-context", "answer-offset", "empty-question") == [
        ("answer-not-in-context", "line 3"),
        ("answer-offset", "line 5"),
        ("empty-question", "line 11"),
    ]
    assert profile.stats["answers"] == 17 and profile.stats["questions_without_answer"] == 1
    assert profile.stats["answers_that_stand_more_than_once"] == 1


def test_questions_of_a_squad_file_are_named_by_their_id(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [
        {"id": f"q{n}", "question": f"Where {n}?", "answers": [{"text": "Rhine", "answer_start": 39 - (n == 3)}]}
        for n in range(8)
    ]
    asked[5]["answers"] = [{"text": "Danube", "answer_start": 0}]
    asked[6] |= {"answers": [], "is_impossible": True}
    content = {"version": "v2.0", "data": [{"title": "Bonn", "paragraphs": [{"context": CONTEXT, "qas": asked}]}]}
    (tmp_path / "squad.json").write_text(json.dumps(content))
    profile = checked(tmp_path / "squad.json")
    assert (profile.format, profile.task, profile.rows, profile.usable_rows) == ("squad", ANSWERS, 8, 7)
    assert places(profile, "answer-offset", "answer-not-in-context") == [
        ("answer-offset", "question q3"),
        ("answer-not-in-context", "question q5"),
    ]
    assert profile.stats["questions_without_answer"] == 1


# --- texts that become texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["translation", "summarization", "text-to-text"])
def test_a_side_that_is_empty_or_the_same_is_told(tmp_path: Path, task: str) -> None:
    rows = [{"source": sentence(n), "target": f"Satz {n}."} for n in range(20)]
    rows[1]["target"], rows[3]["source"], rows[5]["target"] = "", "  ", sentence(5).replace(" ", "  ")
    profile = checked(write(tmp_path / "rows.jsonl", rows), task)
    assert profile.ok and profile.usable_rows == 18
    assert places(profile, "empty-target", "empty-source", "equal-sides") == [
        ("empty-target", "line 2"),
        ("empty-source", "line 4"),
        ("equal-sides", "line 6"),
    ]


def test_lengths_of_both_sides_are_told(tmp_path: Path) -> None:
    rows = [{"source": "x" * 400, "target": "y" * 40} for _ in range(20)]
    stats = checked(write(tmp_path / "rows.jsonl", rows), "translation").stats
    assert stats["source_lengths"]["median"] == 101 and stats["target_lengths"]["longest"] == 11


# --- what a language model learns --------------------------------------------------------------------------------


def test_placeholders_in_answers_are_told(tmp_path: Path) -> None:
    rows = [{"question": sentence(n), "answer": f"I am {{{{name}}}}, number {n}."} for n in range(20)]
    assert [each.code for each in found(checked(write(tmp_path / "rows.jsonl", rows)), "placeholders")]
    talks = [talk(row["question"], row["answer"]) for row in rows]  # which are read the quick way
    (told,) = found(checked(write(tmp_path / "talks.jsonl", talks)), "placeholders")
    assert told.message.startswith("20 answers")
    rows = [{"question": sentence(n), "answer": f"I am Ann, number {n}."} for n in range(20)]
    assert not found(checked(write(tmp_path / "rows.jsonl", rows)), "placeholders")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"question": " ", "answer": "Because."}, "empty-question"),
        ({"instruction": "Why?", "output": None}, "empty-output"),
        ({"context": "", "question": "Why?", "answer": "Because."}, "empty-context"),
        ({"messages": []}, "chat-empty"),
        ({"messages": [{"role": "user", "content": "Why?"}]}, "chat-no-answer"),
        ({"messages": [{"role": "assistant", "content": "Why?"}]}, "chat-order"),
        ({"prompt": "Why?", "chosen": "Yes.", "rejected": " Yes. "}, "equal-sides"),
        ({"prompt": "Why?", "chosen": "Yes.", "rejected": ""}, "empty-rejected"),
    ],
)
def test_one_bad_row_is_named_and_left_out(tmp_path: Path, values: dict[str, Any], code: str) -> None:
    good: dict[str, Any] = {name: f"{sentence(4)} {name}" for name in values}
    if "messages" in values:
        good = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    rows: list[Mapping[str, Any]] = []
    for n in range(20):
        told = json.loads(json.dumps(good).replace("4", str(n)).replace('"q"', f'"q {n}"').replace('"a"', f'"a {n}"'))
        rows.append(told)
    rows[6] = values
    path = write(tmp_path / "rows.jsonl", rows)
    profile = checked(path, WRITTEN)
    assert profile.ok and profile.usable_rows == 19
    assert (code, "line 7") in places(profile)
    stopped = checked(path, WRITTEN, preparation=PreparationOptions(bad_rows="stop"))
    assert not stopped.ok and [(each.code, each.where) for each in stopped.errors] == [(code, "line 7")]
    # The trainer leaves out the same rows.
    task = find_data(WRITTEN)
    shape = next(each for each in shapes_of(task) if set(each.needed) <= set(profile.columns) <= set(each.roles))
    bad = [
        n
        for n, row in enumerate(rows, 1)
        if (fault := row_fault(task, shape, {role: row.get(name) for role, name in profile.columns.items()}))
        and fault.fatal
    ]
    assert bad == [7]


def test_few_rows_are_an_error_except_for_plain_texts(tmp_path: Path) -> None:
    talks = [{"prompt": sentence(n), "completion": f"a {n}"} for n in range(3)]
    assert [each.code for each in checked(write(tmp_path / "few.jsonl", talks)).errors] == ["too-few-rows"]
    texts = [{"text": sentence(n)} for n in range(2)]
    assert checked(write(tmp_path / "text.jsonl", texts), WRITTEN).ok


@pytest.mark.parametrize("way", ["messages", "prompt-completion"])
def test_what_is_counted_of_language_data(tmp_path: Path, way: str) -> None:
    asked, answered = "q" * 30, "a" * 10
    rows: list[Mapping[str, Any]] = []
    for n in range(60):
        asks = {"role": "user", "content": f"{asked}{n:02d}"}
        answers = {"role": "assistant", "content": f"{answered}{n:02d}"}
        pair = {"prompt": asks["content"], "completion": answers["content"]}
        rows.append({"messages": [asks, answers]} if way == "messages" else pair)
    stats = checked(write(tmp_path / "rows.jsonl", rows), WRITTEN).stats
    assert stats["turns"] == {2: 60}
    assert stats["learned_share"] == pytest.approx(12 / 45, abs=0.01)
    assert stats["tokens_about"] == pytest.approx(60 * 45 / 4, abs=60)
    assert (stats["lengths"]["median"], stats["lengths"]["longest"]) == (12, 12)


def test_every_answer_of_a_conversation_counts_as_learned(tmp_path: Path) -> None:
    rows = [talk(f"q {n:02d}", "a long first answer " * 5, "and?", "no") for n in range(60)]
    path = write(tmp_path / "rows.jsonl", rows)
    quick, slow = checked(path), checked(path, preparation=PreparationOptions(longest=10_000))
    assert quick.stats["learned_share"] == slow.stats["learned_share"] == pytest.approx(102 / 113, abs=0.001)
    assert quick.stats["turns"] == slow.stats["turns"] == {4: 60}


# --- the same again ----------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["one two", "One Two", " one  two", "onetwo", "three", "THREE", "vier é", "VIER É", "five"])
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from("xy")), max_size=10)
SURE = [("certain", "x"), ("surely", "y"), ("safely", "x"), ("really", "y")]


def normal(text: str) -> str:
    return "".join(text.casefold().split())


def expected_copies(parts: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str, str]]:
    """Code, place and words of what must be found, found the simple way."""
    first: dict[str, tuple[str, int, str, str]] = {}
    expected = []
    for part, rows in parts.items():
        suffix = "" if part == "train" else f" of {part}"
        for number, (text, label) in enumerate(rows, 1):
            before = first.setdefault(normal(text), (part, number, text, label))
            if before[:2] == (part, number):
                continue
            where, place = f"row {number}{suffix}", f"row {before[1]}" + ("" if before[0] == "train" else suffix)
            how = "" if before[2] == text else ", but for case and spaces"
            if before[0] == part:
                expected.append(("duplicate", where, f"same text as {place}{how}"))
            else:
                expected.append(("train-test-leak", where, f"same text as {place}, which is trained on{how}"))
            if before[3] != label:
                expected.append(("conflicting-labels", where, f"another label than the same text in {place}{how}"))
    return expected


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_copies_leaks_and_conflicts_are_all_found_at_their_places(
    tmp_path_factory: pytest.TempPathFactory, train: list[tuple[str, str]], evaluation: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    parts = {"train": [*SURE, *train], "validation": [*evaluation, ("only here", "x")]}
    paths = [
        write(folder / f"{part}.csv", [{"text": text, "label": label} for text, label in rows])
        for part, rows in parts.items()
    ]
    profile = checked(paths[0], TEXT, eval_path=paths[1])
    codes = ("duplicate", "train-test-leak", "conflicting-labels")
    told = [(each.code, each.where, each.message) for code in codes for each in found(profile, code)]
    assert sorted(told) == sorted(expected_copies(parts))
    assert profile.rows == profile.usable_rows == sum(map(len, parts.values()))
    dropped = checked(paths[0], TEXT, eval_path=paths[1], preparation=PreparationOptions(drop_duplicates=True))
    assert dropped.usable_rows == len({normal(text) for rows in parts.values() for text, _ in rows})


@pytest.mark.parametrize("few", [1, 10**9])
def test_many_copies_are_counted_and_the_first_ones_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(distinct, "_FEW", few)  # both ways to find them
    rows = [{"text": sentence(n % 30), "label": "xy"[n % 2]} for n in range(90)]
    copies = found(checked(write(tmp_path / "rows.csv", rows)), "duplicate")
    assert [each.where for each in copies[:20]] == [f"row {n}" for n in range(31, 51)]
    assert [each.message for each in copies[:20]] == [f"same text as row {n}" for n in range(1, 21)]
    assert len(copies) == 21 and "60 places" in copies[20].where and "40 more" in copies[20].message


@pytest.mark.parametrize(
    ("task", "row", "other"),
    [
        (WRITTEN, {"messages": [{"role": "user", "content": "Q 7"}, {"role": "assistant", "content": "a  7"}]}, None),
        (WRITTEN, {"prompt": "Q 7", "completion": "a  7"}, None),
        (WRITTEN, {"text": "Q  7"}, None),
        (WRITTEN, {"prompt": "Q 7", "chosen": "a 7", "rejected": "b 7"}, "rejected"),
        (TAGGED, {"tokens": ["Q", "7"], "tags": ["B-x", "O"]}, None),
        (ANSWERS, {"context": "a 7 b", "question": "Q 7", "answers": ["7"]}, "question"),
        ("translation", {"source": "Q 7", "target": "a  7"}, "target"),
        (PAIR, {"premise": "Q 7", "hypothesis": "a 7", "label": "x"}, "hypothesis"),
        ("tabular-classification", {"size": "7", "colour": "Q", "target": "x"}, "size"),
    ],
)
def test_copies_are_found_in_rows_of_every_task(
    tmp_path: Path, task: str, row: dict[str, Any], other: str | None
) -> None:
    def numbered(n: int) -> dict[str, Any]:
        made = json.loads(json.dumps(row).replace("7", str(n)))
        return made | {name: "xy"[n % 2] for name in ("label", "target") if made.get(name) == "x"}

    rows = [numbered(n) for n in range(10, 30)]
    rows[18] = json.loads(json.dumps(rows[5]).replace("Q", "q").replace("a  ", "a "))
    rows[19] = rows[4]
    if other is not None:  # one side alone is no copy
        rows[17] = {**rows[6], other: rows[17][other]}
    profile = checked(write(tmp_path / "rows.jsonl", rows), task)
    told = [(each.where, each.message) for each in found(profile, "duplicate")]
    assert [where for where, _ in told] == ["line 19", "line 20"]
    assert told[0][1].endswith("line 6, but for case and spaces") and told[1][1].endswith("as line 5")


@pytest.mark.parametrize("city", ["Bonn", "München", "東京"])
def test_cells_that_only_run_together_are_no_copies(tmp_path: Path, city: str) -> None:
    rows = [{"city": f"{city} {n}", "one": n, "two": n * 7, "target": "xy"[n % 3 == 0]} for n in range(40)]
    rows += [{"city": city, "one": 1, "two": 23, "target": "x"}, {"city": city, "one": 12, "two": 3, "target": "x"}]
    path = write(tmp_path / "rows.csv", rows)
    assert not found(checked(path), "duplicate")
    dropped = checked(path, columns={"target": "target"}, preparation=PreparationOptions(drop_duplicates=True))
    assert dropped.usable_rows == 42
    again = checked(write(tmp_path / "again.csv", [*rows, {**rows[-1], "city": city.upper()}]))
    assert places(again, "duplicate") == [("duplicate", "row 43")]


@pytest.mark.parametrize("way", ["messages", "prompt-completion"])
def test_the_same_answer_marked_good_and_bad_is_told(tmp_path: Path, way: str) -> None:
    rows: list[Mapping[str, Any]] = []
    for n in range(20):
        asked, answered = sentence(n // 2), f"answer {n // 2}"
        row = talk(asked, answered) if way == "messages" else {"prompt": asked, "completion": answered}
        rows.append({**row, "label": n % 2 == 0})
    profile = checked(write(tmp_path / "rows.jsonl", rows))
    marked = [("conflicting-labels", f"line {n}") for n in range(2, 21, 2)]
    assert profile.ok and places(profile, "conflicting-labels") == marked


def test_the_quick_way_finds_the_same_copies(tmp_path: Path) -> None:
    def about(n: int, word: str) -> dict[str, Any]:
        return talk(f"{word} {n}", f"answer {n}")

    train = [about(n, "why") for n in range(20)] + [about(3, "why"), about(4, "Why")]
    path = write(tmp_path / "a.jsonl", train)
    other = write(tmp_path / "b.jsonl", [about(5, "why"), about(99, "why"), about(6, "WHY ")])
    quick = checked(path, eval_path=other)
    slow = checked(path, eval_path=other, preparation=PreparationOptions(longest=10_000))
    codes = ("duplicate", "train-test-leak")
    assert places(quick, *codes) == [
        ("duplicate", "line 21"),
        ("duplicate", "line 22"),
        ("train-test-leak", "line 1 of validation"),
        ("train-test-leak", "line 3 of validation"),
    ]
    assert found(quick, "duplicate") == found(slow, "duplicate")
    assert found(quick, "train-test-leak") == found(slow, "train-test-leak")
    assert quick.stats["lengths"] == slow.stats["lengths"] and quick.stats["turns"] == slow.stats["turns"]


def test_the_parts_that_a_column_names_are_compared(tmp_path: Path) -> None:
    rows = [
        {"text": sentence(n), "label": "ab"[n % 2], "split": "train" if n < 40 else "dev" if n < 50 else "test"}
        for n in range(60)
    ]
    rows[7]["text"] = rows[3]["text"]  # in training twice
    rows[45]["text"] = rows[4]["text"].upper()
    rows[55]["text"] = rows[45]["text"]  # known from both
    rows[57]["text"] = rows[52]["text"]
    profile = checked(write(tmp_path / "rows.jsonl", rows))
    assert {name: part["rows"] for name, part in profile.stats["parts"].items()} == {
        "train": 40,
        "validation": 10,
        "test": 10,
    }
    told = [(each.where, each.message) for each in found(profile, "train-test-leak")]
    first = "same text as line 5, which is trained on, but for case and spaces"
    assert told == [("line 46 of validation", first), ("line 56 of test", first)]
    assert places(profile, "duplicate") == [("duplicate", "line 8"), ("duplicate", "line 58 of test")]
    conflicts = ["line 46 of validation", "line 56 of test", "line 58 of test"]
    assert places(profile, "conflicting-labels") == [("conflicting-labels", where) for where in conflicts]


def test_faults_far_down_are_found_too(tmp_path: Path) -> None:
    talks: list[Any] = []
    for n in range(2_500):
        asks = {"role": "user", "content": sentence(n)}
        talks.append({"messages": [asks, {"role": "assistant", "content": f"a {n}"}]})
    talks[2_400]["messages"] = "nothing"
    talks[2_450] = talks[9]
    profile = checked(write(tmp_path / "talks.jsonl", talks))
    assert places(profile) == [("chat-not-turns", "line 2401"), ("duplicate", "line 2451")]
    rows = [{"size": str(n), "target": "ab"[n % 2]} for n in range(2_500)]
    rows[2_400]["size"] = "much"
    profile = checked(write(tmp_path / "rows.csv", rows))
    assert profile.ok and places(profile) == [("not-a-number", "row 2401")]


# --- lengths -----------------------------------------------------------------------------------------------------


def test_rows_longer_than_the_context_are_named(tmp_path: Path) -> None:
    sizes = [40, 44, 39, 400, 41, 10, 12, 13]
    rows = [{"text": "x" * size, "label": "ab"[n % 2]} for n, size in enumerate(sizes)]
    path = write(tmp_path / "rows.jsonl", rows)
    long = found(checked(path, TEXT, longest=10), "longer-than-context")
    assert [each.where for each in long] == ["line 2", "line 4", "line 5"]
    assert "100 tokens" in long[1].message and " 10 " in long[1].message
    assert [int(each.message.split()[1]) for each in long] == [11, 100, 11]  # all of them above 10
    assert not found(checked(path, TEXT, longest=100), "longer-than-context")
    assert not found(checked(path, TEXT), "longer-than-context")


@pytest.mark.parametrize("text", ["ä" * 21, "\U0001f600" * 11])
def test_lengths_are_of_bytes_not_of_letters(tmp_path: Path, text: str) -> None:
    assert len(text) < 40 < byte_length(text)
    rows = [{"text": text if n == 2 else f"x {n}", "label": "ab"[n % 2]} for n in range(8)]
    path = write(tmp_path / "rows.jsonl", rows)
    assert places(checked(path, TEXT, longest=10), "longer-than-context") == [("longer-than-context", "line 3")]
    assert checked(path, TEXT, preparation=PreparationOptions(longest=10)).usable_rows == 7
    assert checked(path, TEXT, preparation=PreparationOptions(shortest=10)).usable_rows == 1


@pytest.mark.parametrize(
    ("task", "row"),
    [
        (WRITTEN, {"messages": [{"role": "user", "content": "q7"}, {"role": "assistant", "content": "LONG"}]}),
        (WRITTEN, {"prompt": "q7", "completion": "LONG"}),
        (WRITTEN, {"text": "q7 LONG"}),
        (TAGGED, {"tokens": ["q7", "LONG"], "tags": ["B-x", "O"]}),
        (ANSWERS, {"context": "q7 LONG", "question": "Why?", "answers": ["q7"]}),
        (PAIR, {"premise": "q7", "hypothesis": "LONG", "label": "x"}),
    ],
)
def test_long_rows_of_every_task_are_named_where_a_model_is(tmp_path: Path, task: str, row: dict[str, Any]) -> None:
    rows = [json.loads(json.dumps(row).replace("7", str(n)).replace("LONG", "a b")) for n in range(12)]
    for n in range(1, 12, 2):
        rows[n] |= {"label": "y"} if "label" in row else {}
    rows[5] = json.loads(json.dumps(row).replace("7", "5").replace("LONG", "word " * 99))
    if task == TAGGED:
        rows[5] = {"tokens": ["word"] * 99, "tags": ["B-x"] * 99}
    rows[2] = dict.fromkeys(row)  # left out, so it has no tokens
    path = write(tmp_path / "rows.jsonl", rows)
    assert places(checked(path, task, longest=50), "longer-than-context") == [("longer-than-context", "line 6")]

    seen: list[str] = []

    def count_words(stream: IO[str]) -> tuple[int | None, Iterator[int]]:
        stream.seek(0)
        read = [json.loads(line) for line in stream]
        seen.extend(json.dumps(each) for each in read)
        return 60, iter([len(json.dumps(each).split()) for each in read])

    profile = checked(path, task, count_tokens=count_words)
    assert len(seen) == profile.usable_rows == 11
    assert all(f"q{n}" in seen[n if n < 2 else n - 1] for n in (0, 1, 3, 4, 11))
    long = found(profile, "longer-than-context")
    assert [each.where for each in long] == ["line 6"] and "about" not in long[0].message and " 60 " in long[0].message
    assert profile.stats["lengths"]["unit"] == "tokens"


def test_the_command_names_what_is_longer_than_a_model_reads(tmp_path: Path, cli: Callable[..., Any]) -> None:
    rows = [{"prompt": f"q{n}", "completion": "word " * (99 if n == 3 else 3)} for n in range(8)]
    path = write(tmp_path / "rows.jsonl", rows)
    told = cli("check", str(path), "--task", WRITTEN, "--max-length", "50", "--json")
    long = [each for each in told.json()["warnings"] if each["code"] == "longer-than-context"]
    assert (told.code, [each["where"] for each in long]) == (0, ["line 4"])
    assert all(each["message"] and each["fix"] for each in long)
    assert "line 4" in cli("check", str(path), "--task", WRITTEN, "--max-length", "50").out


def test_a_very_long_row_is_told_without_a_model_too(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{n}", "completion": "word " * (9_000 if n == 3 else 3)} for n in range(8)]
    path = write(tmp_path / "rows.jsonl", rows)
    assert places(checked(path, WRITTEN), "very-long") == [("very-long", "line 4")]
    assert not found(checked(path, WRITTEN, longest=20_000), "very-long")
    texts = [{"text": row["prompt"] + row["completion"]} for row in rows]
    assert not found(checked(write(tmp_path / "text.jsonl", texts), WRITTEN), "very-long")  # they are divided anyway


# --- numbers -----------------------------------------------------------------------------------------------------


def measured(tmp_path: Path, ending: str, odd: dict[int, Any], name: str = "price") -> Path:
    rows = [{"size": n * 37 % 101 / 4, "colour": "abc"[n % 3], "price": n * 17 % 83 * 1.5} for n in range(60)]
    for n, value in odd.items():
        rows[n][name] = value
    return write(tmp_path / f"rows.{ending}", rows)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("value", ["NaN", "nan", "", "null", "N/A"])
def test_a_missing_number_is_left_out_of_the_target_and_kept_elsewhere(tmp_path: Path, ending: str, value: str) -> None:
    where = "row 5" if ending == "csv" else "line 5"
    profile = checked(measured(tmp_path, ending, {4: value}), "tabular-regression")
    assert profile.ok and profile.usable_rows == 59 and places(profile, "empty-target") == [("empty-target", where)]
    profile = checked(measured(tmp_path, ending, {4: value}, "size"), "tabular-regression", columns={"target": "price"})
    assert profile.ok and profile.usable_rows == 60 and profile.stats["columns"]["size"]["missing"] == 1


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999", "39,1", "much"])
def test_what_is_no_number_stops_in_the_target_and_is_told_elsewhere(tmp_path: Path, ending: str, value: str) -> None:
    where = "row 5" if ending == "csv" else "line 5"
    path = measured(tmp_path, ending, {4: value})
    stopped = checked(path, "tabular-regression", columns={"target": "price"})
    assert places(stopped, "target-not-a-number") == [("target-not-a-number", where)] and not stopped.ok
    assert value in stopped.errors[0].message
    dropped = checked(
        path, "tabular-regression", columns={"target": "price"}, preparation=PreparationOptions(bad_rows="drop")
    )
    assert dropped.ok and dropped.usable_rows == 59
    elsewhere = checked(measured(tmp_path, ending, {4: value}, "size"), columns={"target": "price"})
    assert elsewhere.ok and places(elsewhere, "not-a-number") == [("not-a-number", where)]
    assert bool(found(elsewhere, "infinite")) == ("inf" in value.lower())


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_words_that_are_no_json_are_named_with_their_line(tmp_path: Path, word: str) -> None:
    path = measured(tmp_path, "jsonl", {4: 12345})
    path.write_text(path.read_text().replace("12345", word))
    profile = checked(path, columns={"target": "price"})
    assert profile.rows == 59 and places(profile, "unreadable-row") == [("unreadable-row", "line 5")]
    assert word in found(profile, "unreadable-row")[0].message


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_an_array_with_words_that_are_no_json_says_which(tmp_path: Path, word: str) -> None:
    rows = [{"size": 12345 if n == 4 else n, "price": n * 1.5} for n in range(20)]
    (tmp_path / "rows.json").write_text(json.dumps(rows).replace("12345", word))
    profile = checked(tmp_path / "rows.json")
    assert [each.code for each in profile.errors] == ["invalid-json"] and word in profile.errors[0].message


def test_nan_and_infinity_of_a_parquet_file(tmp_path: Path) -> None:
    size = [float("nan"), float("inf"), float("-inf"), *map(float, range(57))]
    price = [*(n * 1.5 for n in range(57)), float("nan"), None, float("inf")]
    parquet.write_table(pyarrow.table({"size": size, "price": price}), tmp_path / "rows.parquet")
    profile = checked(tmp_path / "rows.parquet", "tabular-regression", columns={"target": "price"})
    assert places(profile, "target-not-a-number") == [("target-not-a-number", "row 60")]
    assert places(profile, "empty-target") == [("empty-target", "row 58"), ("empty-target", "row 59")]
    assert places(profile, "not-a-number") == [("not-a-number", "row 2"), ("not-a-number", "row 3")]
    assert places(profile, "infinite") == [("infinite", "column size")]
    assert profile.usable_rows == 57


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize(("low", "words"), [(2**64, "above 64 bit"), (10**30, "above 64 bit"), (2**60, "very long")])
def test_numbers_that_a_float_cannot_hold_keep_their_digits(tmp_path: Path, ending: str, low: int, words: str) -> None:
    rows = [{"account": low + n, "size": n % 17 / 4, "target": "ab"[n % 2]} for n in range(60)]
    profile = checked(write(tmp_path / f"rows.{ending}", rows))
    (kept,) = found(profile, "kept-as-text")
    assert profile.ok and kept.where == "column account" and words in kept.message and str(low)[:15] in kept.message
    assert set(profile.stats["features"]) == {"size"} and "account" in profile.stats["left_out"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_example_of_long_numbers_is_one_of_them(tmp_path: Path, ending: str) -> None:
    rows = [{"key": 2**70 + n if n > 3 else n, "size": n * 37 % 101, "target": "ab"[n % 2]} for n in range(60)]
    (kept,) = found(checked(write(tmp_path / f"rows.{ending}", rows)), "kept-as-text")
    assert f"such as {2**70 + 4}" in kept.message


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
@pytest.mark.parametrize("long", [2**63, 2**64, 2**70])
def test_one_long_number_leaves_the_column_a_feature(tmp_path: Path, ending: str, long: int) -> None:
    rows = [{"size": long if n == 7 else n * 37 % 101, "target": "ab"[n % 2]} for n in range(60)]
    path = write(tmp_path / f"rows.{ending}", rows)
    if ending == "json":
        path.write_text(json.dumps(rows))
    profile = checked(path)
    assert profile.ok and (profile.rows, profile.usable_rows) == (60, 60)
    assert profile.stats["features"] == {"size": "number"} and not found(profile, "kept-as-text")


@pytest.mark.parametrize("word", ["1e400", "-1e400", "1" * 400])
def test_a_number_beyond_a_float_in_an_array_is_told_with_its_row(tmp_path: Path, word: str) -> None:
    rows = [{"size": 12345 if n == 3 else n % 7, "target": "ab"[n % 2]} for n in range(60)]
    (tmp_path / "rows.json").write_text(json.dumps(rows).replace("12345", word))
    profile = checked(tmp_path / "rows.json")
    assert profile.ok and (profile.rows, profile.usable_rows) == (60, 60)
    assert places(profile, "not-a-number") == [("not-a-number", "row 4")]


def test_ordinary_numbers_are_no_codes(tmp_path: Path) -> None:
    rows = [{"account": 2**52 - n, "size": n % 17 / 4, "target": "ab"[n % 2]} for n in range(60)]
    assert not found(checked(write(tmp_path / "rows.csv", rows)), "kept-as-text")


# --- labels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "code", "words"),
    [
        (["spam", "ham", "Spam"], "label-spellings", ("'Spam'", "'spam'")),
        (["not_spam", "spam", "not spam"], "label-alike", ("'not spam'", "'not_spam'")),
        (["spam"] * 19 + ["ham"], "imbalance", ("95%", "'spam'")),
        (["spam", "ham"], None, ()),
        (["<=50K", ">50K"], None, ()),
        (["-1", "1"], None, ()),
        (["C", "C++", "C#"], None, ()),
        (["a+", "a-"], None, ()),
    ],
)
def test_labels_that_look_wrong(tmp_path: Path, labels: list[str], code: str | None, words: tuple[str, ...]) -> None:
    rows = [{"text": sentence(n), "label": labels[n % len(labels)]} for n in range(60)]
    profile = checked(write(tmp_path / "rows.csv", rows))
    about = {"label-spellings", "label-alike", "imbalance", "rare-class", "unseen-class"}
    assert {each.code for each in found(profile)} & about == ({code} if code else set())
    if code:
        assert all(word in found(profile, code)[0].message for word in words)


def test_a_class_that_only_evaluation_has_is_told(tmp_path: Path) -> None:
    rows = [{"text": sentence(n), "label": "ab"[n % 2]} for n in range(60)]
    other = [{"text": sentence(n + 99), "label": "abc"[n % 3]} for n in range(30)]
    profile = checked(write(tmp_path / "a.csv", rows), eval_path=write(tmp_path / "b.csv", other))
    (unseen,) = found(profile, "unseen-class")
    assert "10 evaluation rows" in unseen.message and unseen.message.endswith(": c")
    assert profile.stats["parts"] == {
        "train": {"rows": 60, "usable_rows": 60},
        "validation": {"rows": 30, "usable_rows": 30},
    }


def test_rows_taken_in_at_once_are_counted_as_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ["ham", "spam", "Ham", " spam"]
    rows = [[f"text {n % 900} of many", labels[n % 7 % 4]] for n in range(3000)]
    for at, text in ((1500, ""), (1800, "  "), (2000, "TEXT 100 of many")):
        rows[at][0] = text
    rows[2900][1] = ""
    for name, some in (("train.csv", rows), ("test.csv", rows[:1000])):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([["text", "label"], *some])
    taken: list[bool] = []
    take_good = LabelCheck._take_good

    def noted(*given: Any) -> bool:
        taken.append(take_good(*given))
        return taken[-1]

    monkeypatch.setattr(LabelCheck, "_take_good", noted)
    at_once = checked(tmp_path)
    assert sum(taken) > 5 and not all(taken)
    monkeypatch.setattr(LabelCheck, "_take_good", lambda *_: False)
    assert at_once.to_json() == checked(tmp_path).to_json()
    assert {"duplicate", "conflicting-labels", "train-test-leak"} <= {code for code, _ in places(at_once)}
