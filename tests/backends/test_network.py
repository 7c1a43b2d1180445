"""Nothing of a run on local files tries the network, neither training nor predicting, even where it may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.contract import RunFiles, RunSpec
from forge_tui.runs.supervisor import trainer_environment

# Of each task that an encoder is trained for a row, which stands in the data twenty times.
TASKS: Mapping[str, Mapping[str, Any]] = {
    "text-classification": {"text": "red and blue", "label": "warm"},
    "sentence-pair-classification": {"premise": "it is red", "hypothesis": "it is blue", "label": "no"},
    "token-classification": {"tokens": ["see", "Ann"], "tags": ["O", "B-person"]},
    "extractive-question-answering": {"context": "Ann is here", "question": "who?", "answers": ["Ann"]},
}
WATCH = """
import importlib, json, sys
tried = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        tried.append(f"{event} {arguments[-1] if event == 'socket.connect' else arguments[:2]}")
sys.addaudithook(watch)
from pathlib import Path
from backends import __main__
from backends.contract import read_spec
from backends.registry import find_task
codes, said = [], []
for folder, row in json.load(sys.stdin):
    codes.append(__main__.main([folder]))
    module = importlib.import_module(find_task(read_spec(Path(folder, "spec.toml")).task).module)
    said.append(len(list(module.predict(Path(folder, "model"), iter([row])))))
runs = list(tried)
import huggingface_hub
huggingface_hub.constants.HF_HUB_OFFLINE = False  # as a trainer leaves it, it asks nothing
try:
    huggingface_hub.HfApi().model_info("some/one", timeout=1)
except Exception:
    pass
print(json.dumps({"codes": codes, "said": said, "runs": runs, "hub": tried[len(runs):]}))
"""


def new_run(folder: Path, task: str, **spec: Any) -> RunFiles:
    folder.mkdir()
    data = folder.parent / f"{task}.jsonl"
    rows = [dict(TASKS[task]) for _ in range(20)]
    for number, row in enumerate(rows[:10]):
        last = list(row)[-1]
        other = {"label": "cold", "tags": ["O", "O"], "answers": []}[last]
        rows[number] = {**row, last: other}
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {name: name for name in TASKS[task]}
    settings = {"max_steps": 1, "per_device_train_batch_size": 4}
    made = RunSpec(name="quiet", task=task, data=str(data), columns=columns, settings=settings, **spec)
    files = RunFiles(folder)
    files.spec.write_text(tomli_w.dumps(made.to_tables()))
    return files


@pytest.mark.slow
def test_no_run_on_local_files_tries_the_network(tmp_path: Path, repository: Path) -> None:
    asked = []
    for task, row in TASKS.items():
        preset = new_run(tmp_path / f"{task}-preset", task, method="full", model="preset:tiny-encoder")
        folder = str(preset.model)
        more = [new_run(tmp_path / f"{task}-{each}", task, method=each, model=folder) for each in ("full", "lora")]
        asked += [(str(files.folder), row) for files in (preset, *more)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))},
        "PYTHONPATH": str(repository),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": "http://127.0.0.1:9",  # nothing listens there
    }
    ended = subprocess.run(
        [sys.executable, "-c", WATCH],
        env=environment,
        cwd=tmp_path,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["codes"] == [0] * len(asked) and told["said"] == [1] * len(asked)
    assert told["runs"] == []
    assert told["hub"], "what the hub's library does is not seen, so nothing is shown by seeing nothing"


def test_a_trainer_is_offline_unless_that_was_chosen_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries may look for things on the hub when they are imported, and wait long where there is no network."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert trainer_environment(RunFiles(tmp_path), 1)["HF_HUB_OFFLINE"] == "1"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert trainer_environment(RunFiles(tmp_path), 1)["HF_HUB_OFFLINE"] == "0"
