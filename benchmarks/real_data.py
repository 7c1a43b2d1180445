"""Trains on real files to the end: python benchmarks/real_data.py [FOLDER] [--only NAME] [--json]

FOLDER holds tabular/, text_classification/ and ner/ with the files of RUNS. Prints the primary metric of each run
beside both baselines, and the time the whole command took; the settings are those that the program chooses. Exits 1
when the macro F1 of sms_spam is under 0.95 of that of TF-IDF with logistic regression on the same rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import child_environment, forge_command

LINEAR_TEXT = "TF-IDF + logistic regression"


@dataclass(frozen=True)
class Training:
    """One file and how to train on it; `least` is the share of the linear text baseline that must be reached."""

    file: str
    target: str | None = None
    evaluation: str | None = None
    least: float | None = None

    @property
    def options(self) -> list[str]:
        """What the command needs beside the data: the column of a table; texts are found by themselves."""
        return ["--map", f"target={self.target}"] if self.target else []


RUNS = (
    Training("tabular/telco_churn.csv", "Churn"),
    Training("tabular/diamonds_6000_regression.csv", "price"),
    Training("tabular/penguins.csv", "species"),
    Training("text_classification/sms_spam.csv", least=0.95),
    Training("text_classification/banking77_train.csv", evaluation="text_classification/banking77_test.csv"),
    Training("ner/wnut17_train.conll", evaluation="ner/wnut17_dev.conll"),
)


def train(folder: Path, run: Training, home: Path) -> dict[str, Any]:
    """Train on one file and return what the program tells of the run, the whole report included."""
    environment = child_environment(FORGE_HOME=str(home))
    command = [*forge_command(), "train", "--data", str(folder / run.file), *run.options]
    if run.evaluation:
        command += ["--eval-data", str(folder / run.evaluation)]
    began = time.monotonic()
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    seconds = round(time.monotonic() - began, 1)
    if ended.returncode:
        raise SystemExit(f"{run.file} did not finish:\n{ended.stderr}")
    show = [*forge_command(), "show", "last", "--json"]
    shown = json.loads(subprocess.run(show, env=environment, capture_output=True, check=True).stdout)
    path = Path(shown["path"])
    report, data = (json.loads((path / name).read_text()) for name in ("report.json", "data.json"))
    return {"file": run.file, "seconds": seconds, "task": shown["task"], "data": data, **report}


def judge(run: Training, found: dict[str, Any]) -> dict[str, Any]:
    """The primary metric, its ratio to each baseline, and whether what was asked of it is met."""
    primary, value = next(iter(found["metrics"].items()))
    ratios = {name: value / scores[primary] if scores[primary] else None for name, scores in found["baselines"].items()}
    reached = ratios.get(LINEAR_TEXT)
    met = None if run.least is None or reached is None else reached >= run.least
    return {"metric": primary, "value": value, "ratios": ratios, "least": run.least, "met": met}


def show_run(found: dict[str, Any]) -> None:
    """One line for the run and one for each baseline."""
    metric, data = found["metric"], found["data"]
    rows = f"{data['train_rows']:,} rows to train, {data['eval_rows']:,} held out, {found['seconds']} s"
    print(f"{Path(found['file']).name}: {found['task']}, {rows}")
    print(f"  {'this model':<30} {metric} {found['value']:.4f}")
    for name, scores in found["baselines"].items():
        ratio = found["ratios"][name]
        beside = "" if ratio is None else f"   this model has {ratio:.3f} of it"
        print(f"  {name:<30} {metric} {scores[metric]:.4f}{beside}")
    if found["met"] is not None:
        print(f"  at least {found['least']} of {LINEAR_TEXT}: {'met' if found['met'] else 'MISSED'}")
    sys.stdout.flush()


def main() -> None:
    """Train, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("folder", nargs="?", type=Path, default=beside, help="default ../shared/data of the checkout")
    parser.add_argument("--only", default="", help="only files whose name holds this")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    found = []
    for run in RUNS:
        if options.only not in Path(run.file).name:
            continue
        missing = [name for name in (run.file, run.evaluation) if name and not (options.folder / name).is_file()]
        if missing:
            print(f"skipped: {options.folder} has no {' and no '.join(missing)}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as home:
            told = train(options.folder, run, Path(home))
        found.append({**told, **judge(run, told)})
        if not options.json:
            show_run(found[-1])
    if options.json:
        print(json.dumps(found, indent=2))
    sys.exit(1 if any(each["met"] is False for each in found) else 0)


if __name__ == "__main__":
    main()
