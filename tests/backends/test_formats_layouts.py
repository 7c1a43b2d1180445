"""Layouts that people have and that no header or ending gives away: found from what the lines hold."""

from __future__ import annotations

import json
import math
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.contract import DataError, DatasetProfile, UsageError
from backends.formats.check_request import CheckRequest
from backends.formats.checks import check, check_data
from backends.formats.datasets import open_data
from backends.formats.reading import open_table, read_rows
from backends.options import PreparationOptions
from forge_tui.finding_lines import grouped

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def said(number: int) -> str:
    return f"{' '.join(WORDS[number % 7 :])} and number {number}"


def told(profile: DatasetProfile) -> dict[str, str]:
    """Each code with the first message of it."""
    found: dict[str, str] = {}
    for finding in (*profile.errors, *profile.warnings):
        assert finding.message and finding.where and finding.fix
        found.setdefault(finding.code, finding.message)
    return found


# --- a class, a tab and a text, without a header -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["SMSSpamCollection", "sms.txt", "sms.tsv"])
@pytest.mark.parametrize("label_first", [True, False])
def test_classes_and_texts_without_a_header_are_a_table(tmp_path: Path, name: str, label_first: bool) -> None:
    rows = [("spam" if number % 3 else "ham", said(number)) for number in range(60)]
    path = write(tmp_path / name, "".join("\t".join(row if label_first else row[::-1]) + "\n" for row in rows))
    profile = check_data(path)
    assert profile.ok and (profile.format, profile.task, profile.rows) == ("tsv", "text-classification", 60)
    assert profile.columns == {"text": "text", "label": "label"} and profile.stats["labels"] == {"spam": 40, "ham": 20}
    assert "no line names the columns" in told(profile)["no-header"]
    assert next(read_rows(open_table(path))).cells == {"label": "ham", "text": said(0)}


def test_quotes_in_such_texts_are_letters(tmp_path: Path) -> None:
    texts = ['"never closed, number one here', 'he said "yes, I will" and left', '"all of it in quotes today"']
    lines = [f"{'ab'[n % 2]}\t{texts[n % 3]} {n}" if n % 3 < 2 else f"b\t{texts[2]}" for n in range(31)]
    rows = list(read_rows(open_table(write(tmp_path / "sms.txt", "\n".join(lines)))))
    assert [f"{row.cells['label']}\t{row.cells['text']}" for row in rows] == lines


def test_quotes_around_such_texts_are_those_of_a_table(tmp_path: Path) -> None:
    path = write(tmp_path / "sms.txt", "".join(f'{"ab"[n % 2]}\t"the ""word"" of number {n}"\n' for n in range(20)))
    assert next(read_rows(open_table(path))).cells["text"] == 'the "word" of number 0'


def test_a_header_above_classes_and_texts_is_still_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "kind\tmessage\n" + "".join(f"{'ab'[n % 2]}\t{said(n)}\n" for n in range(20)))
    profile = check_data(path)
    assert profile.rows == 20 and profile.columns == {"text": "message", "label": "kind"}
    assert "no-header" not in told(profile)


def test_tabbed_texts_that_are_no_classes_are_told_with_both_readings(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.txt", "".join(f"{said(n)}.\t{said(n + 7)}.\n" for n in range(20)))
    profile = check_data(path)
    assert (profile.format, profile.task) == ("text", "text-generation")
    assert "2 parts with tabs between them" in told(profile)["looks-like-table"]
    plain = check_data(write(tmp_path / "plain.txt", "".join(f"{said(n)}.\n" for n in range(20))))
    assert "looks-like-table" not in told(plain)


# --- dialogues in [INST] marks over several lines ----------------------------------------------------------------

SYSTEM = "<<SYS>>\nBe kind.\n<</SYS>>\n\n"
OF_SEVERAL_LINES = {
    "begun and ended": "<s>[INST] " + SYSTEM + "Why {n}?\nAnd how? [/INST] Because.\n\nIn {n} ways. </s>\n",
    "begun": "<s>[INST] " + SYSTEM + "Why {n}?\nAnd how? [/INST]\nBecause.\n\nIn {n} ways.\n\n",
    "a mark alone": "<s>\n[INST]\n" + SYSTEM + "Why {n}?\nAnd how?\n[/INST]\nBecause.\n\nIn {n} ways.\n</s>\n\n",
    "asked": "[INST] " + SYSTEM + "Why {n}?\nAnd how? [/INST] Because.\n\nIn {n} ways.\n",
}


@pytest.mark.parametrize("written", list(OF_SEVERAL_LINES))
@pytest.mark.parametrize("name", ["talks.txt", "talks"])
def test_dialogues_over_several_lines_are_read_into_turns(tmp_path: Path, written: str, name: str) -> None:
    path = write(tmp_path / name, "".join(OF_SEVERAL_LINES[written].format(n=n) for n in range(12)))
    profile = check_data(path)
    assert profile.ok and (profile.format, profile.rows, profile.usable_rows) == ("text", 12, 12)
    assert profile.proposals[0].strategy == "sft" and profile.stats["turns"] == {3: 12}
    shown = profile.stats["preview"][0]["pieces"]
    learned = [piece["text"].removesuffix("<|im_end|>") for piece in shown if piece["learned"]]
    assert learned == ["Because.\n\nIn 0 ways."]
    lines = OF_SEVERAL_LINES[written].count("\n")
    assert [row.where for row in read_rows(open_table(path))][1] == f"line {lines + 1}"


def test_a_second_question_of_a_dialogue_stays_in_it(tmp_path: Path) -> None:
    talk = "<s>[INST] Why {n}? [/INST]\nBecause.\n[INST] Really? [/INST]\nYes, {n}. </s>\n"
    profile = check_data(write(tmp_path / "a.txt", "".join(talk.format(n=n) for n in range(12))))
    assert profile.rows == 12 and profile.stats["turns"] == {4: 12}


def test_a_fault_in_a_dialogue_of_several_lines_has_its_first_line(tmp_path: Path) -> None:
    talks = ["<s>[INST] Why {n}?\nHow? [/INST] So. </s>"] * 12
    talks[2] = "<s>[INST] Why {n}?\nHow? [/INST] </s>\nnobody says this"
    profile = check_data(write(tmp_path / "a.txt", "".join(f"{t.format(n=n)}\n" for n, t in enumerate(talks))))
    found = [finding for finding in profile.warnings if finding.code == "chat-no-answer"]
    assert [finding.where for finding in found] == ["line 5"] and profile.rows == 13


@pytest.mark.parametrize("begin", ["<s>", ""])
def test_dialogues_of_one_line_are_read_line_by_line(tmp_path: Path, begin: str) -> None:
    path = write(tmp_path / "a.txt", "".join(f"{begin}[INST] Why {n}? [/INST] So. </s>\n" for n in range(12)))
    assert not open_table(path).dialogues and check_data(path).rows == 12


# --- what must not be taken for what it is not -------------------------------------------------------------------


@pytest.mark.parametrize("names", [("sentence1", "sentence2"), ("text_a", "text_b"), ("premise", "hypothesis")])
def test_pairs_with_a_score_are_not_passed_off_as_single_texts(tmp_path: Path, names: tuple[str, str]) -> None:
    rows = "".join(f"{said(n)},{said(n + 3)},{n * 7 % 50 / 10}\n" for n in range(60))
    profile = check_data(write(tmp_path / "sts.csv", f"{','.join(names)},score\n{rows}"))
    first = profile.proposals[0]
    assert first.task == "text-regression" and "no task here scores pairs" in first.reason
    other = next(name for name in names if name != profile.columns["text"])
    assert f"{other!r} is not read, though it is paired" in told(profile)["second-text"]


def test_single_texts_have_no_second_one(tmp_path: Path) -> None:
    rows = "".join(f"{said(n)},{said(n + 3)},{'ab'[n % 2]}\n" for n in range(60))
    path = write(tmp_path / "mail.csv", f"subject,text,label\n{rows}")
    assert "second-text" not in told(check_data(path, "text-classification"))
    path = write(tmp_path / "pairs.csv", f"text1,text2,label\n{rows}")
    assert "second-text" in told(check_data(path, "text-classification"))
    assert "second-text" not in told(check_data(path))


def test_questions_and_answers_in_objects_are_found_and_ids_beside_them_are_not_predicted(tmp_path: Path) -> None:
    rows = [{"data": {"q": f"Why is it {said(n)}?", "a": said(n + 2)}, "meta": {"id": n}} for n in range(40)]
    profile = check_data(write(tmp_path / "qa.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows)))
    assert profile.ok and (profile.task, profile.proposals[0].strategy) == ("text-generation", "sft")
    assert profile.columns == {"question": "data.q", "answer": "data.a"}
    assert not any(each.task.endswith("regression") for each in profile.proposals)


@pytest.mark.parametrize("name", ["meta.id", "n", "user_id", "qid"])
def test_a_number_of_the_row_is_no_target(tmp_path: Path, name: str) -> None:
    first, _, last = name.rpartition(".")
    rows = [{"text": said(n), **({first: {last: n}} if first else {last: n})} for n in range(40)]
    profile = check_data(write(tmp_path / "a.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows)))
    assert [each.strategy for each in profile.proposals] == ["pretrain"] and profile.columns == {"text": "text"}


def test_a_table_is_not_for_the_number_of_its_rows(tmp_path: Path) -> None:
    rows = "".join(f"{n * 7 % 50 / 10},{n}\n" for n in range(50))
    profile = check_data(write(tmp_path / "a.csv", f"x,y2\n{rows}"))
    assert profile.columns == {"target": "x"}


@pytest.mark.parametrize(
    "leak", [lambda p: f"{0.9 * p:.2f}", lambda p: f"{math.log(p):.4f}", lambda p: str(p * p), lambda p: f"{-p + 7}"]
)
def test_a_column_that_tells_a_number_is_a_leak(tmp_path: Path, leak: Callable[[float], str]) -> None:
    prices = [1_000 + n * 7_919 % 90_007 for n in range(300)]
    rows = "".join(f"{n * 31 % 97},{leak(price)},{price}\n" for n, price in enumerate(prices))
    profile = check_data(write(tmp_path / "a.csv", f"size,other,price\n{rows}"))
    leaks = [finding.where for finding in profile.warnings if finding.code == "leak-column"]
    assert profile.task == "tabular-regression" and leaks == ["column other"]


def test_a_column_that_nearly_tells_a_number_is_none(tmp_path: Path) -> None:
    rows = "".join(f"{n * 31 % 97},{n * 31 % 97 * 3 + n % 7}\n" for n in range(300))
    profile = check_data(write(tmp_path / "a.csv", f"size,price\n{rows}"), "tabular-regression")
    assert "leak-column" not in told(profile)


@pytest.mark.parametrize("as_folders", [True, False])
def test_of_many_data_sets_the_first_are_named_and_the_rest_counted(tmp_path: Path, as_folders: bool) -> None:
    for number in range(25):
        name = f"set{'abcde'[number % 5]}{'vwxyz'[number // 5]}"
        write(tmp_path / "all" / (f"{name}/{name}.csv" if as_folders else f"{name}.csv"), "text,label\na b,c\n")
    profile = check_data(tmp_path / "all")
    assert [finding.code for finding in profile.errors] == ["several-data-sets"] * 21
    assert (profile.errors[-1].message, profile.errors[-1].where) == ("and 5 more of this kind", "25 places in all")
    lines = grouped(profile.errors)
    assert len(lines) == 21 and lines[-1] == "and 5 more of this kind [25 places in all]. Name one of them."


# --- bytes, delimiters and lines that are not what the ending says -----------------------------------------------


def rows_with_classes(count: int = 60, between: str = ",") -> str:
    return f"text{between}label\n" + "".join(f"{said(n)}{between}{'ab'[n % 2]}\n" for n in range(count))


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_a_zero_byte_is_told_by_its_row_and_taken_out(tmp_path: Path, name: str) -> None:
    content = rows_with_classes() if name == "a.csv" else "".join(f"{said(n)}.\n" for n in range(60))
    lines = content.split("\n")
    lines[3] = lines[3].replace("number", "num\0ber")
    path = write(tmp_path / name, "\n".join(lines))
    profile = check_data(path)
    found = [finding.where for finding in profile.warnings if finding.code == "zero-bytes"]
    assert profile.ok and profile.rows == 60 and found == ["row 3" if name == "a.csv" else "line 4"]
    assert not any("\0" in row.cells["text"] for row in read_rows(open_table(path)))


def test_what_is_full_of_zero_bytes_is_no_table_and_a_line_is_named(tmp_path: Path) -> None:
    profile = check_data(write(tmp_path / "a.csv", "text,label\n" + "a\0b,c\0\n" * 50))
    assert not profile.ok and "a zero byte in line 2" in told(profile)["not-text"]
    chinese = "文本,标签\n" + "".join("河流市场发动机老师花园桥梁窗户医生信件村庄机器,甲\n" for _ in range(40))
    profile = check_data(write(tmp_path / "b.csv", chinese.encode("utf-16-le")))
    assert not profile.ok and "UTF-16" in profile.errors[0].fix  # too few letters of which one byte is zero


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("word", ["", "Größe Ā ", "слово и ещё слово "])
def test_utf16_without_a_mark_is_found_and_told(tmp_path: Path, encoding: str, word: str) -> None:
    content = rows_with_classes().replace("alpha", word or "alpha")
    profile = check_data(write(tmp_path / "a.csv", content.encode(encoding)))
    assert profile.ok and (profile.rows, profile.encoding) == (60, encoding)
    assert "no byte order mark" in told(profile)["encoding-guessed"]


@pytest.mark.parametrize("between", ["^", "~"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_rare_delimiters_are_found(tmp_path: Path, between: str, name: str) -> None:
    profile = check_data(write(tmp_path / name, rows_with_classes(between=between).replace("beta", "beta, or so")))
    assert profile.ok and (profile.rows, profile.stats["delimiter"]) == (60, between)
    assert profile.columns == {"text": "text", "label": "label"}


def test_a_sign_in_some_texts_is_no_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text\n" + "".join(f"{said(n)}{'^' if n % 2 else ''}\n" for n in range(60)))
    assert open_table(path).columns == ("text",)


@pytest.mark.parametrize("between", ["::", "=>", "#"])
def test_a_sign_that_may_be_a_delimiter_is_told(tmp_path: Path, between: str) -> None:
    profile = check_data(write(tmp_path / "a.csv", rows_with_classes(between=between)))
    assert repr(between) in told(profile)["other-delimiter"]
    assert "other-delimiter" not in told(check_data(write(tmp_path / "b.csv", rows_with_classes())))


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json"])
def test_bare_texts_in_json_lines_are_texts(tmp_path: Path, name: str) -> None:
    rows = [f'{said(n)}, he said: "{n}"\nand more' for n in range(40)]
    path = write(tmp_path / name, "".join(f"{json.dumps(row)}\n" for row in rows) + "17\n")
    profile = check_data(path)
    assert profile.ok and (profile.format, profile.usable_rows) == ("jsonl", 40)
    assert profile.proposals[0].strategy == "pretrain" and told(profile)["not-an-object"].startswith("line 41")
    assert [row.cells["text"] for row in read_rows(open_table(path))] == rows
    mix = write(tmp_path / "mix.toml", f'[[source]]\npath = "{name}"\n')
    assert check_data(mix).usable_rows == 40


def test_a_bare_text_among_objects_is_left_out(tmp_path: Path) -> None:
    rows = [json.dumps({"text": said(n)}) for n in range(40)]
    profile = check_data(write(tmp_path / "a.jsonl", "\n".join([*rows, '"alone"'])))
    assert profile.usable_rows == 40 and "line 41" in told(profile)["not-an-object"]


# --- recordings in a folder for each class -----------------------------------------------------------------------


def test_classes_of_recordings_are_not_taken_for_what_is_said(tmp_path: Path) -> None:
    for number in range(24):
        path = tmp_path / "sounds" / ("bark" if number % 2 else "rain") / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as recording:
            recording.setparams((1, 2, 8_000, 0, "NONE", ""))
            recording.writeframes(bytes([number, 0]) * 4_000)
    profile = check_data(tmp_path / "sounds")
    assert not profile.ok and "classification of sounds" in told(profile)["classes-of-recordings"]
    assert "no task here tells sounds apart" in profile.proposals[0].reason
    asked = check_data(tmp_path / "sounds", "speech-recognition")
    assert asked.ok and "taken for what is said" in told(asked)["classes-of-recordings"]


# --- what was asked wrongly --------------------------------------------------------------------------------------


def test_lengths_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows_with_classes())
    with pytest.raises(UsageError, match="shortest=50 and longest=10"):
        check(CheckRequest(path, preparation=PreparationOptions(shortest=50, longest=10)))
    assert check(CheckRequest(path, preparation=PreparationOptions(shortest=1, longest=1))).rows == 60


def test_every_fault_of_a_mix_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", rows_with_classes())
    write(tmp_path / "numbers.csv", "x,y\n" + "".join(f"{n},{n * 1.5}\n" for n in range(40)))
    write(tmp_path / "empty.csv", "")
    source = '[[source]]\npath = "{}"\n'
    one, *others = (source.format(name) for name in ("a.csv", "numbers.csv", "empty.csv", "nowhere.csv"))
    path = write(tmp_path / "mix.toml", one + others[0] + others[1])
    with pytest.raises(DataError) as caught:
        open_data(path)
    assert len({finding.code for finding in caught.value.findings}) == 2
    assert all(word in caught.value.why for word in ("numbers.csv", "empty.csv"))
    assert not check_data(path).ok
    write(path, "".join([one, others[1], others[2], one, "weight = 0\n"]))
    with pytest.raises(UsageError) as asked:
        open_data(path)
    assert all(word in asked.value.why for word in ("empty.csv", "nowhere.csv", "source 4: weight is 0"))
    assert "3 sources of mix.toml" in asked.value.what
