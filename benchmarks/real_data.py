"""Trains on real files to the end: python benchmarks/real_data.py [FOLDER] [--only NAME] [--json]

FOLDER holds tabular/ and text_classification/ with the files named below. Prints the metric, both baselines and the
time of each run; exits 1 when sms_spam is under 0.95 of TF-IDF with logistic regression.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import child_environment

RUNS = (
    ("tabular/telco_churn.csv", "Churn", None),
    ("tabular/diamonds_6000_regression.csv", "price", None),
    ("tabular/penguins.csv", "species", None),
    ("text_classification/sms_spam.csv", None, None),
    ("text_classification/banking77_train.csv", None, "text_classification/banking77_test.csv"),
)
LEAST_OF_BASELINE = {"sms_spam": 0.95}


def train(folder: Path, file: str, target: str | None, evaluation: str | None, home: Path) -> dict[str, Any]:
    """Train on one file with the settings the program chooses; returns the run's report with its seconds."""
    forge = [sys.executable, "-m", "forge_tui"]
    command = [*forge, "train", "--data", str(folder / file)]
    if target:
        command += ["--map", f"target={target}"]
    if evaluation:
        command += ["--eval-data", str(folder / evaluation)]
    environment = child_environment(FORGE_HOME=str(home))
    began = time.monotonic()
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if ended.returncode:
        raise SystemExit(f"{file} did not finish:\n{ended.stderr}")
    shown = subprocess.run(
        [*forge, "show", "last", "--json"], env=environment, capture_output=True, text=True, check=True
    )
    report = json.loads(Path(json.loads(shown.stdout)["path"], "report.json").read_text())
    return {"file": file, "seconds": round(seconds, 1), **report}


def main() -> None:
    """Train, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("folder", nargs="?", type=Path, default=beside)
    parser.add_argument("--only", help="only files whose name holds this")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    if not options.folder.is_dir():
        raise SystemExit(
            f"There is no folder {options.folder}: name the one that holds tabular/ and text_classification/."
        )
    found, missed = [], []
    for file, target, evaluation in RUNS:
        name = Path(file).stem
        if options.only and options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as home:
            report = train(options.folder, file, target, evaluation, Path(home))
        found.append(report)
        primary, value = next(iter(report["metrics"].items()))
        others = "   ".join(f"{each} {scores[primary]:.4f}" for each, scores in report["baselines"].items())
        if not options.json:
            print(f"{name:<26} {primary} {value:.4f}   {others}   {report['seconds']} s", flush=True)
        if value < LEAST_OF_BASELINE.get(name, 0) * report["baseline"][primary]:
            missed.append(name)
    if options.json:
        print(json.dumps(found, indent=2))
    if missed:
        sys.exit(f"under the target: {', '.join(missed)}")


if __name__ == "__main__":
    main()
