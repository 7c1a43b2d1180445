"""What the training benchmarks share: made-up rows, a model folder for both sides, our run and the bare script."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from measuring import child_environment

from backends.contract import RunFiles, RunSpec
from forge_tui.planning import Request, plan_run
from forge_tui.runs.control import request_stop, wait_until
from forge_tui.runs.status import condition
from forge_tui.runs.store import start_run
from forge_tui.runs.supervisor import trainer_environment

LONGEST_SECONDS = 600.0
BATCH = 8  # the default of TrainingArguments
CLASSES = ("billing", "delivery", "praise", "returns")

Row = Mapping[str, Any]


# --- made-up rows ----------------------------------------------------------------------------------------------------


def vocabulary(chance: random.Random) -> list[str]:
    """Three thousand invented words."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]
    return ["".join(chance.choices(syllables, k=chance.randint(1, 3))) for _ in range(3000)]


def classified(chance: random.Random, known: list[str], words: int) -> Row:
    """A text of four classes that one of its words tells apart."""
    number = chance.randrange(len(CLASSES))
    text = chance.choices(known, k=words - 1)
    text.insert(chance.randrange(words), known[number])
    return {"text": " ".join(text), "label": CLASSES[number]}


def tagged(chance: random.Random, known: list[str], words: int) -> Row:
    """Words of which the first tenth of the vocabulary are names of three types."""
    text = chance.choices(range(len(known)), k=words)
    tags = [f"B-{CLASSES[number % 3]}" if number < len(known) // 10 else "O" for number in text]
    return {"tokens": [known[number] for number in text], "tags": tags}


def asked(chance: random.Random, known: list[str], words: int) -> Row:
    """A context, a question of six words and an answer of two."""
    text = chance.choices(known, k=words - 6)
    place = chance.randrange(len(text) - 2)
    start = sum(len(word) + 1 for word in text[:place])
    question = " ".join(chance.choices(known, k=6))
    answer = " ".join(text[place : place + 2])
    return {"context": " ".join(text), "question": question, "answers": [answer], "answer_start": [start]}


def chatted(chance: random.Random, known: list[str], words: int) -> Row:
    """A question and an answer of half of the words each."""
    said = [" ".join(chance.choices(known, k=words // 2)) for _ in range(2)]
    return {"messages": [{"role": "user", "content": said[0]}, {"role": "assistant", "content": said[1]}]}


def summarised(chance: random.Random, known: list[str], words: int) -> Row:
    """A text and its first sixth."""
    text = chance.choices(known, k=words)
    return {"source": " ".join(text), "target": " ".join(text[: words // 6])}


@dataclass(frozen=True)
class Kind:
    """A task as it is measured: what makes its rows, and the same training in a bare script beside this file."""

    task: str
    row: Callable[[random.Random, list[str], int], Row]
    script: str
    preset: str = "preset:tiny-encoder"

    def write(self, path: Path, rows: int, words: int, seed: int = 7) -> Path:
        """JSON lines of rows of so many words."""
        chance = random.Random(seed)
        known = vocabulary(chance)
        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(self.row(chance, known, words)) + "\n" for _ in range(rows))
        return path

    @property
    def columns(self) -> dict[str, str]:
        """The columns of its rows, which are called like their roles."""
        return {name: name for name in self.row(random.Random(1), vocabulary(random.Random(1)), 20)}

    def plan(self, data: Path, evaluation: Path, model: str, **settings: Any) -> RunSpec:
        """The spec of a run of ours that trains on the whole of `data`."""
        request = Request(
            str(data),
            task=self.task,
            eval_data=str(evaluation),
            columns=self.columns,
            model=model,
            settings=settings,
        )
        return plan_run(request).spec

    def make_model(self, data: Path, evaluation: Path, **settings: Any) -> Path:
        """Let a run of ours make tokenizer and model from its preset; returns the model folder."""
        files = start_run(self.plan(data, evaluation, self.preset, max_steps=1, **settings))
        wait_until(lambda: not condition(files).status.is_alive, LONGEST_SECONDS, every=0.2)
        if not (files.model / "config.json").exists():
            raise SystemExit(f"The run that makes the model did not finish:\n{files.log.read_text()}")
        return files.model


# A further task joins with an entry here and a bare script of at most 40 lines.
KINDS = {
    kind.task: kind
    for kind in (
        Kind("text-classification", classified, "bare_transformers.py"),
        Kind("token-classification", tagged, "bare_tagging.py"),
        Kind("extractive-question-answering", asked, "bare_answers.py"),
        Kind("text-generation", chatted, "bare_language.py", "preset:gpt-1m"),
        Kind("summarization", summarised, "bare_summaries.py", "preset:tiny-encoder-decoder"),
    )
}


# --- our run ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timeline:
    """When a run reached its phases and ended its steps, in Unix seconds."""

    started: float
    phases: Mapping[str, tuple[float, float]]
    steps: tuple[float, ...]

    @property
    def baseline_seconds(self) -> float:
        """Time between the phase `baseline` and the one after it; the bare script has none."""
        began, ended = self.phases.get("baseline", (0.0, 0.0))
        return ended - began

    @property
    def to_first_step(self) -> float:
        """From the start of the process to the end of the first step, without the baselines."""
        return self.steps[0] - self.started - self.baseline_seconds


def step_times(files: RunFiles) -> list[float]:
    """When each training step so far ended, in Unix seconds."""
    events = (json.loads(line) for line in files.events.read_text().splitlines(keepends=True) if line.endswith("\n"))
    return [event["t"] for event in events if event["kind"] == "metrics" and "loss" in event["values"]]


def read_timeline(files: RunFiles, started: float) -> Timeline:
    """The times in the event log of a run."""
    events = [json.loads(line) for line in files.events.read_text().splitlines()]
    begun = [(event["name"], event["t"]) for event in events if event["kind"] == "phase"]
    ends = [moment for _, moment in begun[1:]] + [events[-1]["t"]]
    phases = {name: (moment, end) for (name, moment), end in zip(begun, ends, strict=True)}
    return Timeline(started, phases, tuple(step_times(files)))


def supervised_run(spec: RunSpec) -> Timeline:
    """Start a run as the app does, stop it after the first step and tell when what happened."""
    started = time.time()
    files = start_run(spec)
    wait_for_steps(files, 1, lambda: condition(files).status.is_alive)
    end_run(files)
    return read_timeline(files, started)


def end_run(files: RunFiles) -> None:
    """Stop a run if it still goes, and wait for its end."""
    if condition(files).status.is_alive:
        request_stop(files)
        wait_until(lambda: not condition(files).status.is_alive, LONGEST_SECONDS)


def direct_run(spec: RunSpec, folder: Path) -> Timeline:
    """Start the trainer alone, `python -m backends FOLDER`, and stop it after the first step."""
    folder.mkdir(mode=0o700)
    files = RunFiles(folder)
    files.spec.write_text(tomli_w.dumps(spec.to_tables()))
    environment = child_environment(**trainer_environment(files, 1))
    with files.log.open("wb") as log:
        started = time.time()
        command = [sys.executable, "-m", "backends", str(folder)]
        trainer = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        wait_for_steps(files, 1, lambda: trainer.poll() is None)
        trainer.terminate()
        trainer.wait()
    return read_timeline(files, started)


def wait_for_steps(files: RunFiles, steps: int, alive: Callable[[], bool]) -> None:
    """Until a run has ended so many steps."""

    def reached() -> bool:
        try:
            return files.events.read_bytes().count(b'"loss": ') >= steps
        except OSError:
            return False

    wait_until(lambda: reached() or not alive(), LONGEST_SECONDS, every=0.2)
    if not reached():
        raise SystemExit(f"The run did not come to step {steps}:\n{files.log.read_text()}")


# --- the bare script -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BareRun:
    """The bare script at work; it prints the time after each step."""

    process: subprocess.Popen[bytes]
    started: float
    output: Path

    @classmethod
    def start(
        cls, kind: Kind, data: Path, model: Path, folder: Path, *, batch: int, max_length: int, steps: int
    ) -> BareRun:
        """Start it; what it writes goes into `folder`."""
        folder.mkdir()
        output = folder / "output"
        arguments = [str(data), str(model), str(folder / "trainer"), str(batch), str(max_length), str(steps)]
        with output.open("wb") as stream, (folder / "messages").open("wb") as messages:
            started = time.time()
            command = [sys.executable, str(Path(__file__).with_name(kind.script)), *arguments]
            process = subprocess.Popen(command, env=child_environment(), stdout=stream, stderr=messages)
        return cls(process, started, output)

    def step_times(self) -> list[float]:
        """When each step so far ended, in Unix seconds."""
        lines = self.output.read_text().splitlines()
        return [float(line.split()[1]) for line in lines if line.startswith("step ")]

    def wait_for_steps(self, steps: int) -> None:
        """Until so many steps have ended."""
        wait_until(
            lambda: len(self.step_times()) >= steps or self.process.poll() is not None, LONGEST_SECONDS, every=0.2
        )
        if len(self.step_times()) < steps:
            raise SystemExit(f"The bare script failed:\n{self.output.with_name('messages').read_text()}")


def bare_run(kind: Kind, data: Path, model: Path, folder: Path, *, batch: int, max_length: int) -> Timeline:
    """Run the bare script for one step."""
    bare = BareRun.start(kind, data, model, folder, batch=batch, max_length=max_length, steps=1)
    bare.wait_for_steps(1)
    bare.process.wait()
    return Timeline(bare.started, {}, tuple(bare.step_times()))
