"""What pretrained weights gain: python benchmarks/pretrained_gain.py MODEL_FOLDER FILE ... [--set NAME=VALUE]

Each file of texts and classes is learned twice as `forge-tui train` plans it: from the weights in the folder, and from
the same network with random ones, split, settings and seed alike. Prints the scores beside the better baseline. Exits 1
where the pretrained weights gain nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import child_environment, forge_command


def with_random_weights(folder: Path, where: Path) -> Path:
    """The same folder with weights that were never trained."""
    import torch
    from transformers import AutoConfig, AutoModel

    shutil.copytree(folder, where, ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "*.h5", "*.onnx"))
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True)).save_pretrained(where)
    return where


def learned(home: Path, name: str, data: Path, model: Path, settings: Sequence[str]) -> dict[str, Any]:
    """The finished run of one file from one folder, as `forge-tui show --json` tells it."""
    environment = child_environment(FORGE_HOME=str(home))
    chosen = [word for each in settings for word in ("--set", each)]
    train = ["train", "--data", str(data), "--model", str(model), "--method", "full", "--name", name, *chosen]
    done = subprocess.run([*forge_command(), *train], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{name} did not finish:\n{done.stdout[-2000:]}")
    shown = subprocess.run(
        [*forge_command(), "show", name, "--json"], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def main() -> None:
    """Train each file twice and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the folder of a pretrained encoder")
    parser.add_argument("files", nargs="+", type=Path, help="files of texts and classes")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of both runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        random = with_random_weights(options.model, Path(place) / "random weights")
        for file in options.files:
            found = {
                kind: learned(home, f"{file.stem}-{kind}", file, folder, options.set)
                for kind, folder in (("pretrained", options.model), ("random", random))
            }
            metric = next(iter(found["pretrained"]["metrics"]))
            rows.append(
                {
                    "file": file.name,
                    "metric": metric,
                    **{kind: run["metrics"][metric] for kind, run in found.items()},
                    "baseline": found["pretrained"]["baseline"].get(metric),
                    "baseline_name": found["pretrained"]["baseline_name"],
                }
            )
            if not options.json:
                row = rows[-1]
                print(
                    f"{row['file']}: {metric} {row['pretrained']:.4f} pretrained, {row['random']:.4f} from random "
                    f"weights; {row['baseline_name']} {row['baseline']:.4f}",
                    flush=True,
                )
    if options.json:
        print(json.dumps({"model": options.model.name, "rows": rows}, indent=2))
    sys.exit(0 if all(row["pretrained"] > row["random"] for row in rows) else 1)


if __name__ == "__main__":
    main()
