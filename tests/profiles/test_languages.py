"""The language of data is told where its script or its words tell it, and unknown elsewhere."""

from __future__ import annotations

import pytest

from backends.contract import DatasetProfile
from profiles.languages import language_name, language_of, languages_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The cat is on the table, and it does not want to go down for you", "en"),
        ("Die Katze ist auf dem Tisch und sie will nicht mit uns in den Garten", "de"),
        ("Le chat est sur la table et il ne veut pas descendre pour nous", "fr"),
        ("El gato está en la mesa y no se quiere bajar por los perros", "es"),
        ("<|im_start|>user\n识别并解释给定列表中的两个科学理论<|im_end|>", "zh"),
        ("これは日本語の文章です、漢字もある", "ja"),
        ("Кошка сидит на столе и смотрит в окно", "ru"),
        ("이것은 한국어 문장입니다 그리고", "ko"),
        ("The word 猫 is Chinese for the cat that is on the table with you", "en"),
        ("short", None),
        ("12 13 14 15", None),
        ("kernel panic segfault stdout stderr malloc free pthread mutex epoll ioctl mmap fork exec", None),
    ],
)
def test_languages(text: str, code: str | None) -> None:
    assert language_of(text) == code
    assert code is None or language_name(code) != code


@pytest.mark.parametrize(("target", "told"), [("target", None), ("fr", "fr")])
def test_names_of_columns_say_it_themselves(target: str, told: str | None) -> None:
    columns = {"source": "en", "target": target}
    assert languages_of(DatasetProfile("x", None, None, 9, 9, "translation", (), columns)) == ("en", told)
