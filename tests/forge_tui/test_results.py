"""The results of a run as text, from whole, older and damaged run folders, and `show --mistakes`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len

from backends.contract import RunFiles
from forge_tui.cells import fit_cells, hang_cells, pad_cells, wrap_cells
from forge_tui.result_counts import counts_lines, counts_name, matrix_lines
from forge_tui.result_text import judged_lines, memory_text, result_lines, verdict
from forge_tui.runs.next_steps import next_steps
from forge_tui.runs.results import has_results, read_predictions, read_results

RUN = "20260102-030405-text-classification-0a1b"
EXIT = {"attempt": 1, "code": 0, "signal": None, "asked_to_stop": False}
FINISHED = [{"t": 1767326645, "kind": "finished", "metrics": {}, "baseline": {}, "model_path": "model"}]


def report(ours: float = 0.8, **more: Any) -> dict[str, Any]:
    """A report of a classifier of texts with 200 held-out rows."""
    baselines = {"majority class": {"f1_macro": 0.3}, "TF-IDF": {"f1_macro": 0.6}}
    return {
        "metrics": {"f1_macro": ours},
        "baselines": baselines,
        "baseline": baselines["TF-IDF"],
        "baseline_name": "TF-IDF",
        "held_out": {"rows": 200, "mistakes": 40, "kept": 2, "sorted_by": "confidence", "sure_mistakes": 3},
        "confusion": {
            "classes": [
                {"name": "ham", "count": 150, "predicted": 160, "right": 135},
                {"name": "spam", "count": 50, "predicted": 40, "right": 20},
            ],
            "pairs": [
                {"expected": "spam", "predicted": "ham", "count": 30},
                {"expected": "ham", "predicted": "spam", "count": 15},
            ],
        },
        "memory": {"measured_peak_bytes": 2**30, "estimated_bytes": 3 * 2**29},
        "details": {"steps": 100, "best_step": 100},
        "training_seconds": 61.0,
        **more,
    }


def rows(*several: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in several)


WRONG = {"input": "win a prize", "expected": "spam", "predicted": "ham", "wrong": True, "probability": 0.97}
RIGHT = {"input": "see you at six", "expected": "ham", "predicted": "ham", "wrong": False, "probability": 0.55}


@pytest.fixture
def make(home: Any) -> Callable[..., RunFiles]:
    """A finished run with this report and these predictions."""

    def run(found: dict[str, Any] | None = None, predictions: str | None = rows(WRONG, RIGHT), **spec: Any) -> RunFiles:
        standard = {"name": "mails", "task": "text-classification", "model": "/a/model"}
        files: RunFiles = home.fabricate(
            RUN, spec={**standard, **spec}, exit=EXIT, events=FINISHED, report=report() if found is None else found
        )
        if predictions is not None:
            files.predictions.write_text(predictions, encoding="utf-8")
        return files

    return run


# --- in words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ours, told",
    [
        (0.8, "Better than both simple methods: f1_macro .8, against majority class .3, TF-IDF .6."),
        (0.5, "Worse than TF-IDF: f1_macro .5"),
        (0.6, "No better than the simple methods: f1_macro .6"),
        (0.62, "On so few rows chance alone makes a difference of about .06864 either way."),
    ],
)
def test_the_verdict(make: Callable[..., RunFiles], ours: float, told: str) -> None:
    assert told in verdict(read_results(make(report(ours))))


def test_lower_is_better_for_errors(make: Callable[..., RunFiles]) -> None:
    baselines = {"mean": {"rmse": 2.0}, "ridge": {"rmse": 1.5}}
    found = {"metrics": {"rmse": 1.0}, "baselines": baselines, "baseline": baselines["ridge"], "baseline_name": "ridge"}
    assert verdict(read_results(make(found))) == "Better than both simple methods: rmse 1, against mean 2, ridge 1.5."


def test_what_loses_is_not_to_be_used(make: Callable[..., RunFiles]) -> None:
    steps = next_steps(read_results(make(report(0.5), model="preset:tiny-encoder")))
    assert steps[0] == "Do not use this model: TF-IDF is simpler and better on these rows."
    assert "pretrained" in steps[1]
    assert not any("forge-tui predict" in step for step in steps)


def test_what_wins_is_to_be_used_and_what_would_make_it_better_is_told(make: Callable[..., RunFiles]) -> None:
    files = make()
    files.data.write_text(json.dumps({"train_rows": 800, "eval_rows": 200}))
    told = "\n".join(next_steps(read_results(files)))
    assert "Train longer: it was still getting better at the end (best 100 of 100)" in told
    assert "800 rows were trained on; a good start is 500 rows a class, 1,000 in all." in told
    assert "3 of 40 mistakes are said with 90% or more" in told
    assert "spam is found in 20 of 50 rows" in told
    assert f"forge-tui predict {RUN} --file ROWS" in told


def test_learned_by_heart(make: Callable[..., RunFiles]) -> None:
    told = "\n".join(next_steps(read_results(make(report(details={"steps": 300, "best_step": 20})))))
    assert "It had learned enough at 20 of 300 steps" in told


@pytest.mark.parametrize("best, told", [(2000, "n_estimators"), (7, "a lower learning_rate or max_depth")])
def test_trees_stop_by_themselves(make: Callable[..., RunFiles], best: int, told: str) -> None:
    steps = next_steps(read_results(make(report(details={"rounds": max(best, 57), "best_round": best}))))
    assert any(told in step for step in steps)
    assert not any("longer training does not" in step for step in steps)


def test_too_good_to_be_true(make: Callable[..., RunFiles]) -> None:
    assert "tells the answer" in "\n".join(next_steps(read_results(make(report(1.0)))))


def test_memory_is_measured_against_estimated(make: Callable[..., RunFiles]) -> None:
    assert memory_text(read_results(make())) == "peak 1.0 GiB measured, 1.5 GiB estimated (+50%)"


def test_the_first_page_fits_80_columns(make: Callable[..., RunFiles]) -> None:
    lines = result_lines(read_results(make()), 76)
    assert all(cell_len(line) <= 76 for line in lines if "files     " not in line)
    assert "time      1m 01s of training, 1h 00m in all" in lines
    assert any(line.startswith("held out  200 rows, 40 of them wrong (20.0%)") for line in lines)


# --- what the mistakes are made of -------------------------------------------------------------------------------


def test_a_matrix_and_the_largest_confusions(make: Callable[..., RunFiles]) -> None:
    results = read_results(make())
    lines = counts_lines(results, 76)
    assert counts_name(results) == "confusion"
    assert lines[1].split() == ["1", "ham", "[135]", "15", "90%"]
    assert lines[2].split() == ["2", "spam", "30", "[20]", "40%"]
    assert "  spam taken for ham (30 of 50)" in lines


def test_of_77_classes_those_with_most_mistakes_are_shown(make: Callable[..., RunFiles]) -> None:
    classes = [{"name": f"class {at} 顧客", "count": 40, "predicted": 40, "right": 30} for at in range(77)]
    pairs = [
        {"expected": f"class {at} 顧客", "predicted": f"class {at + 1} 顧客", "count": at} for at in range(76, 0, -1)
    ]
    results = read_results(make(report(confusion={"classes": classes, "pairs": pairs[1:]})))
    lines = matrix_lines(results, 76)
    assert lines[0] == "The 7 of 77 classes confused most often; columns have their numbers."
    assert "class 76 顧客" in lines[-3] and lines[2].split()[-1] == "77"
    assert all(cell_len(line) <= 76 for line in counts_lines(results, 76))


def test_errors_answers_scores_and_types_have_a_table(make: Callable[..., RunFiles]) -> None:
    spread = {"quantiles": {"0.5": 1.0, "0.05": 0.25}, "mean": 2.0, "lowest": 0.0, "highest": 9.0}
    errors = {
        **spread,
        "bias": -0.5,
        "ranges": [{"low": 0, "high": 5, "count": 9, "mean_absolute_error": 1, "bias": 1}],
    }
    answers = {
        "answerable": 10,
        "answerable_right": 6,
        "answerable_silent": 1,
        "unanswerable": 4,
        "unanswerable_silent": 3,
    }
    by_type = {"place": {"f1": 0.5, "recall": 0.4, "count": 3}, "person": {"f1": 0.9, "recall": 0.9, "count": 30}}
    parts = {"errors": errors, "answers": answers, "scores_by_row": {**spread, "metric": "rougeL", "zero": 2}}
    results = read_results(make({"metrics": {"rmse": 1.0}, "by_type": by_type, **parts}))
    told = "\n".join(counts_lines(results, 76))
    assert "    5% are off by at most .25\n   50% are off by at most 1" in told
    assert "on average it says .5 too little" in told and "0 to 5        9" in told
    assert "      3  answered otherwise" in told and "      1  answered all the same" in told
    assert "rows with a score of 0: 2" in told
    assert told.index("person") < told.index("place"), "the most frequent type first"


# --- to read -----------------------------------------------------------------------------------------------------


def test_a_mistake_to_read(make: Callable[..., RunFiles]) -> None:
    found = read_predictions(make(predictions=rows({**WRONG, "expected_probability": 0.001}, RIGHT)))
    assert len(found.rows) == 2 and len(found.mistakes) == 1
    assert judged_lines(found.mistakes[0], 76) == [
        "expected  spam",
        "said      ham",
        "how sure  97%, 0.1% for what was expected",
        "text      win a prize",
    ]


def test_long_and_wide_texts_are_broken_and_cut_by_cells(make: Callable[..., RunFiles]) -> None:
    row = read_predictions(make(predictions=rows({**WRONG, "input": "顧客満足度" * 400}))).rows[0]
    short, whole = judged_lines(row, 40, 3), judged_lines(row, 40)
    assert len(short) == 6 and short[-1].endswith("…")
    assert len(whole) > 100
    assert all(cell_len(line) <= 40 for line in (*short, *whole))


def test_terminal_control_in_data_is_not_shown(make: Callable[..., RunFiles]) -> None:
    row = read_predictions(make(predictions=rows({**WRONG, "input": "\x1b[31mred\x07"}))).rows[0]
    assert row.input == "red"


def test_entities_are_not_told_twice(make: Callable[..., RunFiles]) -> None:
    marked = {
        "input": "to New York .",
        "expected": "to «New York/place» .",
        "predicted": "to New York .",
        "wrong": True,
    }
    assert len(judged_lines(read_predictions(make(predictions=rows(marked))).rows[0], 76)) == 2


def test_a_run_of_before_has_no_predictions(make: Callable[..., RunFiles]) -> None:
    files = make({"metrics": {"f1_macro": 0.5}}, predictions=None)
    found = read_predictions(files)
    assert found.problem == "this run has kept no predictions: it was trained before they were kept"
    results = read_results(files)
    assert counts_lines(results, 76) == ["Nothing was counted for this run: it was trained before that was done."]
    assert result_lines(results, 76)


@pytest.mark.parametrize(
    "content, whole, lost",
    [
        ("not json\n[1]\n{}\n", 0, 3),
        (rows(WRONG) + '{"input": "cut o', 1, 1),
        (rows({**WRONG, "probability": "high", "wrong": "yes"}), 1, 0),
        ("", 0, 0),
    ],
)
def test_damaged_predictions_are_read_as_far_as_they_can_be(
    make: Callable[..., RunFiles], content: str, whole: int, lost: int
) -> None:
    found = read_predictions(make(predictions=content))
    assert (len(found.rows), found.lost) == (whole, lost)
    assert (found.problem is not None) == (whole == 0 and lost > 0)


@pytest.mark.parametrize("value", [None, "x", 7, [1], {"classes": 3, "pairs": "x"}, {"rows": -1, "ranges": [None]}])
def test_a_damaged_report_is_no_fault(make: Callable[..., RunFiles], value: Any) -> None:
    names = ("held_out", "confusion", "errors", "answers", "scores_by_row", "by_type", "details", "memory", "baselines")
    results = read_results(make({"metrics": {"f1_macro": 0.5}, **dict.fromkeys(names, value)}))
    assert result_lines(results, 76) and counts_lines(results, 76)


def test_a_run_that_has_not_finished_has_no_results(make: Callable[..., RunFiles]) -> None:
    assert not has_results(make({"baseline": {"f1_macro": 0.5}}))


# --- cells -------------------------------------------------------------------------------------------------------


def test_cells() -> None:
    assert wrap_cells("one two three", 7) == ["one two", "three"]
    assert wrap_cells("", 7) == [""]
    assert wrap_cells("abcdefghij kl", 4) == ["abcd", "efgh", "ij", "kl"]
    assert wrap_cells("顧客満足", 5) == ["顧客", "満足"]
    assert fit_cells("顧客満足", 5) == "顧客…"
    assert pad_cells("顧", 4) == "顧  " and pad_cells("顧", 4, right=True) == "  顧"
    assert hang_cells("a ", "one two three", 5, most=2) == ["a one", "  tw…"]


# --- the command -------------------------------------------------------------------------------------------------


def test_show_mistakes(make: Callable[..., RunFiles], cli: Callable[..., Any]) -> None:
    make()
    told = cli("show", "mails", "--mistakes")
    assert told.code == 0
    assert "Better than both simple methods" in told.out and "win a prize" in told.out
    assert "see you at six" not in told.out
    assert "win a prize" not in cli("show", "mails").out


def test_show_mistakes_as_json(make: Callable[..., RunFiles], cli: Callable[..., Any]) -> None:
    make(predictions=rows(WRONG, {**WRONG, "input": "second"}, RIGHT))
    told = cli("show", "mails", "--mistakes", "--limit", "1", "--json").json()
    assert told["name"] == "mails" and told["held_out"]["mistakes"] == 40
    assert [row["input"] for row in told["mistakes"]] == ["win a prize"]
    assert told["confusion"]["pairs"][0] == {"expected": "spam", "predicted": "ham", "count": 30}
    assert "mistakes" not in cli("show", "mails", "--json").json()


def test_show_mistakes_of_a_run_without_results(make: Callable[..., RunFiles], cli: Callable[..., Any]) -> None:
    make({})
    told = cli("show", "mails", "--mistakes")
    assert told.code == 0 and "It has no results yet" in told.err
