"""What to do with the results of a run: rules over its report, the most urgent first, each with its reason."""

from __future__ import annotations

import math

from backends.contract import UsageError
from backends.registry import find_data, lower_is_better
from forge_tui.formatting import counted
from forge_tui.runs import readings
from forge_tui.runs.results import Results
from forge_tui.runs.status import Status

# Metrics that are a share of the held-out rows, or near to one.
_SHARES = ("accuracy", "f1_macro", "f1_micro", "f1", "exact_match", "precision_macro", "recall_macro")
# From this score on something may have told the answer.
_TOO_GOOD = 0.999
# A pair of classes with this share of all mistakes stands out; so does a class found less often than that.
_PAIR_SHARE, _FOUND_SHARE = 0.2, 0.5
_FEW_ROWS, _FEW_ROUNDS = 30, 20
# The best evaluation in the last tenth of the steps: it was still getting better. In the first half: it had enough.
_STILL_BETTER, _HAD_ENOUGH = 0.9, 0.5


def chance_margin(name: str, value: float, rows: int | None) -> float | None:
    """Two standard errors of a share measured on so many rows; None where that says nothing."""
    if rows is None or rows < 1 or name not in _SHARES or not 0 <= value <= 1:
        return None
    return 2 * math.sqrt(max(value * (1 - value), 1 / (4 * rows)) / rows)


def next_steps(results: Results) -> list[str]:
    """What to do and why, with a command in a line of its own; of a good run there is at least one."""
    steps = [*_against_baselines(results), *_suspicious(results), *_training(results), *_mistakes(results)]
    if results.run.status is Status.FINISHED and not loses(results):
        steps.append(f"Use it on new rows:\nforge-tui predict {results.run.id} --file ROWS")
    return steps


def loses(results: Results) -> bool:
    """Whether a simple method is better by the metric that decides."""
    return any(gain < 0 for gain in gains(results).values())


def gains(results: Results) -> dict[str, float]:
    """How much better the model is than each baseline by the metric that decides; under 0 it is worse."""
    primary = results.primary
    if primary is None:
        return {}
    sign = -1 if lower_is_better(primary) else 1
    ours = results.run.metrics[primary]
    baselines = results.baselines or {results.run.baseline_name or "baseline": results.run.baseline}
    return {name: sign * (ours - scores[primary]) for name, scores in baselines.items() if primary in scores}


def _against_baselines(results: Results) -> list[str]:
    behind = gains(results)
    if not any(gain < 0 for gain in behind.values()):
        return []
    best = min(behind, key=lambda name: behind[name])
    steps = [f"Do not use this model: {best} is simpler and better on these rows."]
    if is_small_preset(results):
        steps.append("Start from a pretrained model: this one began with random weights and knows no language yet.")
    return steps


def is_small_preset(results: Results) -> bool:
    """Whether the model began with random weights."""
    return (results.run.model or "").startswith("preset:tiny")


def _suspicious(results: Results) -> list[str]:
    value = results.run.metrics.get(results.primary or "")
    if value is None or results.primary not in (*_SHARES, "r2", "roc_auc") or value < _TOO_GOOD:
        return []
    return [
        "Nearly no mistake: see that no column or text tells the answer, and that held-out rows do not stand in "
        "training too (forge-tui check DATA)."
    ]


def _training(results: Results) -> list[str]:
    steps, details = [], results.details
    best = readings.whole(details.get("best_step")) or readings.whole(details.get("best_round"))
    last = readings.whole(details.get("steps")) or readings.whole(details.get("rounds"))
    if best and last and last > 1 and "rounds" in details:
        if best >= _STILL_BETTER * last:
            steps.append(f"Train longer: the last rounds were the best ({best:,} of {last:,}): n_estimators.")
        elif best < _FEW_ROUNDS:
            steps.append(f"Learn slower: it was at its best after {best:,} rounds: a lower learning_rate or max_depth.")
    elif best and last and last > 1:
        longer = "num_train_epochs or max_steps"
        if best >= _STILL_BETTER * last:
            steps.append(f"Train longer: it was still getting better at the end (best {best:,} of {last:,}): {longer}.")
        elif best < _HAD_ENOUGH * last:
            steps.append(
                f"It had learned enough at {best:,} of {last:,} steps and then fitted the training rows only: more "
                "rows, a smaller model or more regularisation help; longer training does not."
            )
    wanted = _wanted_rows(results)
    if wanted is not None:
        steps.append(wanted)
    return steps


def _wanted_rows(results: Results) -> str | None:
    """More rows, where there are fewer than a good start needs."""
    try:
        minimum = find_data(results.run.task or "").minimum
    except UsageError:
        return None
    classes = max(1, len(results.classes)) if minimum.unit.endswith("a class") else 1
    if results.train_rows is None or results.train_rows >= minimum.good * classes:
        return None
    in_all = f", {minimum.good * classes:,} in all" if classes > 1 else ""
    told = f"{counted(results.train_rows, 'row')} {'was' if results.train_rows == 1 else 'were'} trained on"
    return f"More data: {told}; a good start is {minimum.good:,} {minimum.unit}{in_all}."


def _mistakes(results: Results) -> list[str]:
    steps, mistakes = [], results.told("mistakes") or 0
    sure = results.told("sure_mistakes") or 0
    if sure:
        which = "one mistake is" if sure == 1 else f"{sure:,} of {mistakes:,} mistakes are"
        steps.append(f"Read the worst mistakes: {which} said with 90% or more; often the label is wrong there.")
    if results.confused and mistakes:
        first = results.confused[0]
        if len(results.classes) > 2 and first.count >= _PAIR_SHARE * mistakes and first.count > 1:
            steps.append(
                f"Look at {first.expected} and {first.predicted}: {first.count:,} of {mistakes:,} mistakes take one "
                "for the other. Are they told apart clearly in the data, or are they one class?"
            )
    lost = [each for each in results.classes if each.count and each.right < _FOUND_SHARE * each.count]
    if lost:
        worst = min(lost, key=lambda each: each.right / each.count)
        more = f" (so are {len(lost) - 1:,} more)" if len(lost) > 1 else ""
        few = ", and only that many were held out" if worst.count < _FEW_ROWS else ""
        balance = "" if (results.run.task or "").startswith("tabular") else ", or set class_weights=balanced"
        steps.append(
            f"{worst.name} is found in {worst.right:,} of {worst.count:,} rows{few}{more}: add rows of it{balance}."
        )
    kinds = {name: each for name, each in results.by_type.items() if each.get("count")}
    if kinds and "recall" in next(iter(kinds.values())):
        name, scores = min(kinds.items(), key=lambda item: item[1].get("recall", 1.0))
        if scores.get("recall", 1.0) < _FOUND_SHARE:
            steps.append(
                f"Of {name} only {scores['recall']:.0%} of {scores['count']:,.0f} are found: add examples of it."
            )
    return steps
