"""What it costs that a run is watched: python benchmarks/overhead.py [--task T] [--pairs N] [--seconds S] [--json]

CPU time of writing one metrics event, and steps per second of a text task with everything on (an event each step,
signals, supervisor, GPU sampler) against a bare Transformers script with library defaults (bare_*.py). Both train at
the same time but by turns, a few seconds each, one stopped while the other runs, so that what else the machine does
meets both alike; neither evaluates meanwhile. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from measuring import Figure, Pairs, at_least, at_most, report
from text_training import KINDS, BareRun, Kind, end_run, step_times, wait_for_steps

from backends.events import EventWriter
from forge_tui.runs.status import condition
from forge_tui.runs.store import start_run

# Neither side cuts these texts or reads them in parts.
WORDS, MAX_LENGTH = 128, 512
# The first steps of a process are slower on both sides.
WARM_UP_STEPS = 5
FEWEST_STEPS = 6
# Beyond what is measured, so that neither side evaluates; the bare script saves every 500 steps.
NEVER = 100_000
EVENTS = 20_000


def event_milliseconds(folder: Path) -> float:
    """CPU time of one metrics event as the Trainer's callback writes it."""
    events = EventWriter(folder / "events.jsonl")
    began = time.process_time()
    for step in range(EVENTS):
        events.emit(
            "metrics",
            step=step,
            epoch=round(step / 700, 4),
            total_steps=EVENTS,
            values={"loss": 0.6931471805 / (step + 1), "grad_norm": 1.2345678901, "learning_rate": 4.87654321e-05},
            samples_per_second=1234.5,
            tokens_per_second=None,
        )
    return (time.process_time() - began) / EVENTS * 1000


def block_step(ends: list[float], began: float, ended: float) -> float:
    """Median seconds between two steps that ended within a block; the step that the block woke in is left out."""
    inside = [moment for moment in ends if began <= moment <= ended]
    if len(inside) < FEWEST_STEPS:
        held = f"A block of {ended - began:.0f} s held {len(inside)} steps"
        raise SystemExit(f"{held}; give more --seconds or a smaller --batch.")
    return statistics.median(later - earlier for earlier, later in itertools.pairwise(inside))


def take_turns(trainer: int, bare: int, seconds: float, pairs: int) -> list[tuple[int, float, float]]:
    """Let two processes run by turns, in each pair of blocks the other one first; who ran from when to when."""
    blocks = []
    for number in range(pairs):
        for process in (trainer, bare) if number % 2 else (bare, trainer):
            os.kill(process, signal.SIGCONT)
            began = time.time()
            time.sleep(seconds)
            os.kill(process, signal.SIGSTOP)
            blocks.append((process, began, time.time()))
    return blocks


def steps_in_turn(kind: Kind, folder: Path, batch: int, seconds: float, pairs: int) -> Pairs:
    """Seconds a step, ours and bare, in blocks that the two runs take by turns."""
    data = kind.write(folder / "train.jsonl", batch * 40, words=WORDS)
    evaluation = kind.write(folder / "evaluation.jsonl", 50, words=WORDS, seed=8)
    model = kind.make_model(data, evaluation, max_length=MAX_LENGTH)
    never = {"max_steps": NEVER, "eval_steps": NEVER, "save_steps": NEVER}
    size = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": 1, "max_length": MAX_LENGTH}
    files = start_run(kind.plan(data, evaluation, str(model), **never, **size))
    bare = BareRun.start(kind, data, model, folder / "bare", batch=batch, max_length=MAX_LENGTH, steps=NEVER)
    trainer = 0
    try:
        bare.wait_for_steps(WARM_UP_STEPS)
        os.kill(bare.process.pid, signal.SIGSTOP)
        wait_for_steps(files, WARM_UP_STEPS, lambda: condition(files).status.is_alive)
        trainer = condition(files).job["trainer"]["pid"]
        os.kill(trainer, signal.SIGSTOP)
        blocks = take_turns(trainer, bare.process.pid, seconds, pairs)
        os.kill(trainer, signal.SIGCONT)
        ends = {trainer: step_times(files), bare.process.pid: bare.step_times()}
    finally:
        bare.process.kill()
        bare.process.wait()
        end_run(files)
    of = {process: [block_step(ends[who], *block) for who, *block in blocks if who == process] for process in ends}
    return Pairs(tuple(of[trainer]), tuple(of[bare.process.pid]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=KINDS, default="text-classification", help="default text-classification")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of blocks (default 7)")
    parser.add_argument("--seconds", type=float, default=4, help="length of a block (default 4)")
    parser.add_argument("--batch", type=int, default=16, help="rows a step, for machines of other speed (default 16)")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads of each side, 0 for the library's own choice (default 1: with more, whatever else runs on a "
        "small machine makes the threads wait for one another, and that is measured instead)",
    )
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["FORGE_HOME"] = str(folder / "home")
        event = event_milliseconds(folder)
        pairs = steps_in_turn(KINDS[options.task], folder, options.batch, options.seconds, options.pairs)
    figures = [
        at_most("CPU time of one event", event, "ms", 0.2),
        at_least("a step of the bare script", statistics.median(pairs.other) * 1000, "ms", 50),
        Figure("a step with everything on", statistics.median(pairs.ours) * 1000, "ms"),
        at_least("ratio of steps per second", 1 / pairs.ratio, "times", 0.95),
    ]
    report(figures, options.json)


if __name__ == "__main__":
    main()
