"""Lines that carry their answers in marks: fastText and CoNLL-U."""

from __future__ import annotations

from pathlib import Path

from backends.formats.checks import check_data
from backends.formats.reading import open_table, read_rows


def test_fasttext_is_read_as_texts_with_classes(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    rows = [f"__label__{'ab'[n % 2]} some words, number {n}" for n in range(12)]
    path.write_text("\n".join([*rows, "", "__label__a __label__b two at once", "no label at all"]) + "\n")
    profile = check_data(path)
    assert profile.ok and (profile.format, profile.task, profile.rows) == ("fasttext", "text-classification", 14)
    assert profile.columns == {"text": "text", "label": "label"} and profile.stats["labels"] == {"a": 7, "b": 7}
    told = {finding.code: finding.where for finding in profile.warnings}
    assert (told["several-labels"], told["empty-label"]) == ("line 14", "line 15")
    assert next(read_rows(open_table(path))).cells == {"text": "some words, number 0", "label": "a"}


def test_conllu_is_read_as_words_with_their_parts_of_speech(tmp_path: Path) -> None:
    path = tmp_path / "dev.conllu"
    sentence = "# text = They\tgo {n}\n1-2\tTheygo\t_\t_\t_\t_\t_\t_\t_\t_\n"
    sentence += "1\tThey\tthey\tPRON\t_\t_\t2\tnsubj\t_\t_\n2\tgo{n}\tgo\tVERB\t_\t_\t0\troot\t_\t_\n\n"
    path.write_text("".join(sentence.format(n=n) for n in range(8)))
    profile = check_data(path)
    assert profile.ok and (profile.format, profile.task, profile.rows) == ("conllu", "token-classification", 8)
    assert profile.stats["labels"] == {"PRON": 8, "VERB": 8}
    assert "conllu-columns" in {finding.code for finding in profile.warnings}
    assert next(read_rows(open_table(path))).cells == {"tokens": ["They", "go0"], "tags": ["PRON", "VERB"]}


def test_a_folder_of_conllu_is_read_with_its_parts(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"en-ud-{part}.conllu").write_text("1\tA\ta\tDET\t_\t_\t2\tdet\t_\t_\n\n" * 6)
    profile = check_data(tmp_path)
    assert profile.format == "conllu" and set(profile.stats["parts"]) == {"train", "test"}
