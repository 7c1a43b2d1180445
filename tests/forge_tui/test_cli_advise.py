"""`advise`: what it prints, what it takes from data, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge_tui.advice_text import advice_lines
from forge_tui.cli.advising import ANSWER_HELP
from profiles.advice import decide
from profiles.answers import ANSWER_KEYS, Answers, known_tasks, valid_values

DONE, USAGE, DATA = 0, 2, 3
Cli = Callable[..., Any]


def answers(text: str) -> list[str]:
    """`--answer` before each word."""
    return [part for word in text.split() for part in ("--answer", word)]


SCREEN = answers(
    "task=text-classification examples=1,840 deadline=this-week uniqueness=specialised accuracy=high volume=high"
)


def labelled(path: Path, labels: Sequence[str], count: int = 300) -> Path:
    rows = (f"message number {n} about {labels[n % len(labels)]},{labels[n % len(labels)]}" for n in range(count))
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return path


def table(path: Path, count: int = 60) -> Path:
    rows = (f"{n % 9},{n % 7 + 0.5},{n % 9 * 3 + n % 7}" for n in range(count))
    path.write_text("width,height,price\n" + "\n".join(rows) + "\n")
    return path


# --- what is printed ---------------------------------------------------------------------------------------------


def test_the_recommended_approach_comes_first(cli: Cli) -> None:
    told = cli("advise", *SCREEN)
    lines = told.out.splitlines()
    assert told.code == DONE and told.err == ""
    assert lines[0].startswith("Fine-tune a model.") and lines[0].endswith("text · 1,840 examples")
    assert lines[1] == "  + 1,840 examples: fine-tuning works from about 100"
    assert "  - needs a GPU for minutes to hours; prompting needs none" in lines
    assert any(line.startswith("> fine-tuning   enough") for line in lines)
    assert any(line.startswith("  from scratch  1/500th") for line in lines)
    assert "It would be prompting if you had under 100 examples, or you needed it today." in lines
    assert "table model" not in told.out, "the data is known to be no table"
    assert lines[-1] == "Good practice: measure prompting first (minutes); it becomes the baseline."


def test_nothing_answered_is_an_answer_and_says_what_matters(cli: Cli) -> None:
    told = cli("advise")
    assert told.code == DONE
    assert told.out.startswith("Prompt an existing model.")
    open_questions = told.out.partition("Not answered yet")[2]
    assert "examples    100 examples or more: fine-tuning" in open_questions
    assert "knowledge   stable: RAG; changing: RAG" in open_questions
    assert "modality    table: a table model" in open_questions


def test_json_is_the_promised_object(cli: Cli) -> None:
    told = cli("advise", *SCREEN, "--json").json()
    assert told["recommended"] == "fine-tuning" and told["data"] is None
    assert told["combine_with"] == ["cascade"]
    assert [each["approach"] for each in told["ranked"]][:2] == ["fine-tuning", "prompting"]
    assert told["ranked"][1]["would_change_if"] == ["you had under 100 examples", "you needed it today"]
    assert told["answers"]["examples"] == 1840 and told["answers"]["modality"] == "text"


def test_a_use_says_when_to_prompt_and_when_to_tune(cli: Cli) -> None:
    told = cli("advise", *answers("use_case=code"))
    assert "For code" in told.out and "  prompt  when" in told.out and "  tune    when" in told.out


some_answers = st.fixed_dictionaries(
    {key: st.sampled_from((None, *valid_values(key))) for key in ANSWER_KEYS if key not in ("examples", "modality")}
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(some_answers, st.sampled_from((None, 0, 1, 20, 800, 123_456_789)), st.sampled_from((None, "table", "video")))
def test_every_advice_fits_80_columns(given_: dict[str, Any], examples: int | None, modality: str | None) -> None:
    modality = known_tasks()[given_["task"]] if given_["task"] else modality
    lines = advice_lines(decide(Answers(**given_, examples=examples, modality=modality)))
    assert max(map(len, lines)) < 80
    assert "\n".join(lines) == "\n".join(line.rstrip() for line in lines)


def test_help_names_every_key_and_value() -> None:
    for key in ANSWER_KEYS:
        assert key in ANSWER_HELP
        if key != "task":
            assert ", ".join(valid_values(key)) in ANSWER_HELP


# --- data ----------------------------------------------------------------------------------------------------------


def test_data_answers_what_it_can(cli: Cli, tmp_path: Path) -> None:
    data = labelled(tmp_path / "tickets.csv", ["billing", "shipping"])
    told = cli("advise", str(data))
    assert told.code == DONE
    assert told.out.startswith("tickets.csv: answered modality=text, task=text-classification, examples=300\n")
    assert "\nFine-tune a model. " in told.out
    assert told.err.endswith(f"  forge-tui train --data {data} --task text-classification --model DIR\n")


def test_a_table_is_trained_with_a_warning(cli: Cli, tmp_path: Path) -> None:
    told = cli("advise", str(table(tmp_path / "prices.csv")))
    assert told.code == DONE
    assert "\nTrain a model for tables. " in told.out
    assert "! 60 rows for tabular-regression: under 500 rows expect scores" in told.out
    assert "It would be prompting if you had no rows." in told.out
    assert told.err == f"Next: forge-tui train --data {tmp_path / 'prices.csv'} --task tabular-regression\n"


def test_answers_by_hand_win_over_the_data(cli: Cli, tmp_path: Path) -> None:
    data = labelled(tmp_path / "tickets.csv", ["billing", "shipping"])
    told = cli("advise", str(data), *answers("examples=20"))
    assert told.code == DONE
    assert "i you answered examples=20; the data says 300" in told.out
    assert "\nPrompt an existing model. " in told.out
    told = cli("advise", str(data), *answers("modality=image"), "--json").json()
    assert told["data"]["filled"] == {"examples": 300}
    assert told["answers"]["modality"] == "image" and told["answers"]["task"] is None
    told = cli("advise", str(data), *answers("task=multi-task"), "--json").json()
    assert told["answers"]["task"] == "multi-task" and told["data"]["filled"] == {"examples": 300}


def test_data_with_errors_is_advised_on_all_the_same(cli: Cli, tmp_path: Path) -> None:
    data = labelled(tmp_path / "one class.csv", ["billing"])
    told = cli("advise", str(data))
    assert told.code == DATA
    assert "✗ classification needs at least 2 classes" in told.out
    assert "\nFine-tune a model. " in told.out
    assert told.err == f"The data has errors; see all of them with: forge-tui check '{data}'\n"
    told = cli("advise", str(data), "--json")
    assert told.code == DATA
    assert [error["code"] for error in told.json()["data"]["errors"]] == ["one-class"]
    assert told.json()["data"]["ok"] is False and told.json()["recommended"] == "fine-tuning"


def test_data_that_cannot_be_read_says_nothing_of_the_examples(cli: Cli, tmp_path: Path) -> None:
    for name in ("one", "other"):
        labelled(tmp_path / f"{name}.csv", ["billing", "shipping"])
    (tmp_path / "third.jsonl").write_text('{"prompt": "a", "completion": "b"}\n' * 3)
    told = cli("advise", str(tmp_path), "--json")
    assert told.code == DATA and told.json()["data"]["errors"]
    assert told.json()["answers"]["examples"] is None
    told = cli("advise", str(tmp_path))
    assert "could not be read as examples, so this advice rests on your answers" in " ".join(told.out.split())
    assert "\n✗ " in told.out


def test_plain_texts_are_no_answered_examples(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "notes.txt"
    data.write_text("".join(f"Note number {n} says that the weather was fine on that day.\n" for n in range(120)))
    told = cli("advise", str(data))
    assert "are plain texts without answers" in told.out


def test_a_task_that_is_not_trained_here_is_said(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "chats.jsonl"
    rows = ({"prompt": f"What is {n} and {n}?", "completion": f"That makes {n + n}, I think."} for n in range(150))
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = cli("advise", str(data))
    assert told.code == DONE and "task=text-generation" in told.out
    from backends.registry import is_trained

    assert ("does not train text-generation" in told.err) == (not is_trained("text-generation"))


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("budgt=low", "nearest is 'budget'"),
        ("budget=lo", "nearest is 'low'"),
        ("budget", "is not key=value"),
        ("examples=-5", "1.5k or 5 million"),
        ("budget=low budget=high", "answered twice"),
        ("modality=table task=text-generation", "contradict"),
    ],
)
def test_what_is_refused_says_what_to_write(cli: Cli, typed: str, said: str) -> None:
    told = cli("advise", *answers(typed))
    assert told.code == USAGE and told.out == ""
    assert said in told.err and "fix: " in told.err


def test_data_that_is_not_there_is_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    told = cli("advise", str(tmp_path / "none.csv"))
    assert told.code == USAGE and "There is no file" in told.err


def test_terminal_control_in_an_answer_is_not_printed(cli: Cli) -> None:
    told = cli("advise", "--answer", "budget=\x1b[31mlow")
    assert told.code == USAGE and "\x1b" not in told.err


def test_answers_alone_load_no_formats(tmp_path: Path) -> None:
    script = (
        "import sys; from forge_tui.cli import main\n"
        "sys.argv = ['forge-tui', 'advise', '--answer', 'budget=low']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(told.stderr.split())
    assert "profiles.advice" in loaded and told.stdout.startswith("Prompt")
    heavy = ("backends.formats.checks", "backends.formats.source", "ijson", "charset_normalizer", "pyarrow", "textual")
    assert not loaded & {*heavy, "backends.formats"}


# --- in money ----------------------------------------------------------------------------------------------------


def prices(home: Path, **known: float) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "settings.toml").write_text("".join(f"{key} = {value}\n" for key, value in known.items()))


def test_the_ways_are_compared_in_money(cli: Cli, tmp_path: Path, own_home: Path) -> None:
    data = labelled(tmp_path / "texts.csv", ("rail", "sea"))
    prices(own_home, price_per_hour=2.5, price_per_million_tokens=0.5, price_per_million_output_tokens=2.0)
    told = cli("advise", str(data), "--answer", "volume=high", "--json").json()["costs"]
    prompting, training = told["prompting"], told["training"]
    expected = (prompting["tokens_read"] * 0.5 + prompting["tokens_written"] * 2) / 1000
    assert prompting["money_per_thousand"] == round(expected, 6)
    assert prompting["money_a_month"] == round(expected * 100, 4)
    assert 0 < training["money"][0] < training["money"][1]
    assert prompting["pays_from_requests"][0] <= training["money"][0] / expected * 1000 + 1
    text = " ".join(cli("advise", str(data), "--answer", "volume=high").out.split())
    assert "In money" in text and "a month for 100,000" in text and "pays" in text


def test_without_prices_nothing_is_said_of_money(cli: Cli, tmp_path: Path) -> None:
    data = labelled(tmp_path / "texts.csv", ("rail", "sea"))
    told = cli("advise", str(data), "--json").json()["costs"]
    assert told["prompting"]["money_per_thousand"] is None and told["training"] is None
    assert "In money" not in cli("advise", str(data)).out
    assert cli("advise", "--json").json()["costs"] == {"prompting": None, "training": None}
