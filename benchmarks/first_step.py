"""Time to the first training step of a text task: python benchmarks/first_step.py [--task T] [--pairs N] [--json]

From the start of the supervisor to the end of step 1, without the time in which the baselines are scored, against a
bare Transformers script (bare_*.py) with library defaults on the same tokenizer, model and rows. Also told:
the same with the trainer started alone, and from the task's preset, where a run of ours trains its tokenizer first.
Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from measuring import Figure, Pairs, at_most, report
from text_training import BATCH, KINDS, Timeline, bare_run, direct_run, supervised_run

WORDS, MAX_LENGTH = 24, 256


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=KINDS, default="text-classification", help="default text-classification")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--rows", type=int, default=4000, help="training rows (default 4000)")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["FORGE_HOME"] = str(folder / "home")
        kind = KINDS[options.task]
        data = kind.write(folder / "train.jsonl", options.rows, words=WORDS)
        evaluation = kind.write(folder / "evaluation.jsonl", 200, words=WORDS, seed=8)
        model = kind.make_model(data, evaluation)
        same = {"per_device_train_batch_size": BATCH, "gradient_accumulation_steps": 1, "max_length": MAX_LENGTH}
        from_folder = kind.plan(data, evaluation, str(model), **same)
        from_preset = kind.plan(data, evaluation, kind.preset, **same)
        sides: dict[str, Callable[[int], Timeline]] = {
            "bare script": lambda n: bare_run(
                kind, data, model, folder / f"bare-{n}", batch=BATCH, max_length=MAX_LENGTH
            ),
            "model folder, supervised": lambda n: supervised_run(from_folder),
            f"{kind.preset}, supervised": lambda n: supervised_run(from_preset),
            "model folder, trainer alone": lambda n: direct_run(from_folder, folder / f"direct-{n}"),
        }
        found: dict[str, list[Timeline]] = {name: [] for name in sides}
        for number in range(options.pairs + 1):  # the first round only warms up
            order = list(sides) if number % 2 else list(reversed(sides))
            for name in order:
                found[name].append(sides[name](number))
    seconds = {name: tuple(each.to_first_step for each in lines[1:]) for name, lines in found.items()}
    figures = [Figure(name, statistics.median(values), "s") for name, values in seconds.items()]
    for name in list(sides)[1:]:
        ratio = Pairs(seconds[name], seconds["bare script"]).ratio
        counts = "supervised" in name
        name = f"ratio, {name}"
        figures.append(at_most(name, ratio, "times", 1.15) if counts else Figure(name, ratio, "times"))
    lines = found["model folder, supervised"][1:]
    figures.append(Figure("left out: baselines", statistics.median(line.baseline_seconds for line in lines), "s"))
    report(figures, options.json)


if __name__ == "__main__":
    main()
