"""Layouts that people have and that no header or ending gives away: found from what the lines hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.contract import DatasetProfile
from backends.formats.checks import check_data
from backends.formats.reading import open_table, read_rows

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
