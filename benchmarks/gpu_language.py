"""Fine-tuning of a billion parameters on this GPU beside plain TRL: python benchmarks/gpu_language.py [--method M]

A Llama of the shape of Llama-3.2-1B from random weights learns made-up chats of 2,048 tokens: all weights, LoRA and
QLoRA, with the settings that the plan chooses for this GPU, against TRL's SFTTrainer with its defaults (bare_trl.py),
in turn, each in a process of its own. Told of each: tokens a second, the share of the GPU's peak that this is (of
the operations that the method needs, none for activations made again) and the peak of memory; of ours also the
estimate of the plan.
Exits 1 when a target is missed, 2 where there is no GPU.

`--tiny` walks the same way with a model of a few layers on whatever device there is; its figures say nothing and no
target is checked.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import transformers
from measuring import Figure, at_least, child_environment, report
from text_training import KINDS, LONGEST_SECONDS, Row, Timeline, read_timeline

from backends.contract import RunSpec, read_json
from forge_tui.hardware import probe
from forge_tui.planning import Planned, Request, plan_run
from forge_tui.runs.control import wait_until
from forge_tui.runs.status import condition
from forge_tui.runs.store import start_run
from profiles.catalog import Model, find_model
from profiles.duration import speed_of, step_operations
from profiles.memory import GIB
from profiles.trainer_setups import trainer_setup

ANSWER_WORDS = 2  # for each token there is room for, so that every row is cut at the same length
METHODS = ("full", "lora", "qlora")
SHAPE = "meta-llama/Llama-3.2-1B"
LENGTH, TINY_LENGTH = 2048, 64
TRL_BATCH = 8
NEVER = 100_000
WARM_UP_STEPS = 3
ROWS = 400
TINY = {"vocab_size": 4096, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1}
TIMES_TRL, UNDER = 1.6, -0.12
NO_GPU = 2


@dataclass(frozen=True)
class Side:
    """What one process reached: tokens a second and its peak in bytes, 0 where it cannot be told."""

    tokens_per_second: float
    peak_bytes: int


def long_answer(chance: random.Random, known: list[str], words: int) -> Row:
    """A short question and an answer of so many words."""
    question, answer = (" ".join(chance.choices(known, k=count)) for count in (6, words))
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


KIND = replace(KINDS["text-generation"], row=long_answer)


def make_folder(folder: Path, data: Path, evaluation: Path, is_tiny: bool) -> Path:
    """A model of random weights beside a tokenizer trained on the rows."""
    made = KIND.make_model(data, evaluation, max_length=TINY_LENGTH)
    tokenizer = transformers.AutoTokenizer.from_pretrained(made)
    shape = find_model(SHAPE).shape
    assert shape is not None and shape.intermediate is not None, f"{SHAPE} has a shape"
    sizes = {
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
    }
    config = transformers.LlamaConfig(
        **(TINY if is_tiny else sizes),
        max_position_embeddings=2 * LENGTH,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        dtype=torch.bfloat16,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        torch.set_default_dtype(torch.bfloat16)
        model = transformers.LlamaForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder / "model"


def plan(data: Path, evaluation: Path, model: Path, method: str, length: int, steps: int) -> Planned:
    """Our run as the plan would have it on this machine; only its length is given."""
    settings = {"max_length": length, "max_steps": steps, "eval_steps": NEVER, "save_steps": NEVER, "sample_tokens": 1}
    return plan_run(
        Request(
            str(data),
            task=KIND.task,
            eval_data=str(evaluation),
            columns=KIND.columns,
            model=str(model),
            method=method,
            settings=settings,
        ),
        hardware=probe(),
    )


def tensors_bytes(planned: Planned) -> int:
    """What the plan thinks the tensors take, without what the driver and the allocator hold besides."""
    assert planned.plan is not None
    return sum(size for name, size in planned.plan.memory.components.items() if name not in ("context", "allocator"))


def rows_a_step(spec: RunSpec) -> int:
    """Rows that an optimizer step of ours learns from."""
    settings = spec.settings
    return int(settings["per_device_train_batch_size"]) * int(settings.get("gradient_accumulation_steps", 2))


def median_step(timeline: Timeline) -> float:
    """Seconds between two steps; the first few compile kernels and fill caches."""
    ends = timeline.steps[WARM_UP_STEPS:]
    return statistics.median(later - earlier for earlier, later in itertools.pairwise(ends))


def ours(spec: RunSpec, length: int) -> Side:
    """Run it to its end as the app does."""
    files = start_run(spec)
    wait_until(lambda: not condition(files).status.is_alive, LONGEST_SECONDS, every=0.2)
    found = read_json(files.report)
    if found is None:
        raise SystemExit(f"Our run did not come to its end:\n{files.log.read_text()[-3000:]}")
    step = median_step(read_timeline(files, 0))
    return Side(rows_a_step(spec) * length / step, int(found["memory"]["measured_peak_bytes"]))


def plain(data: Path, model: Path, folder: Path, method: str, length: int, steps: int) -> Side | None:
    """TRL with its defaults; None where it ends with an error, whose last line is printed."""
    folder.mkdir()
    script = Path(__file__).with_name("bare_trl.py")
    arguments = [data, model, folder, TRL_BATCH, length, steps, method]
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, env=child_environment(), capture_output=True, text=True, timeout=LONGEST_SECONDS)
    if done.returncode:
        print(f"plain TRL, {method}: {(done.stderr.strip().splitlines() or ['ended'])[-1]}", file=sys.stderr)
        return None
    lines = [line.split() for line in done.stdout.splitlines()]
    ends = tuple(float(line[1]) for line in lines if line[:1] == ["step"])
    peak = next(int(line[1]) for line in lines if line[:1] == ["peak"])
    return Side(TRL_BATCH * length / median_step(Timeline(0, {}, ends)), peak)


def operations_a_token(model: Model, method: str, length: int) -> float:
    """What a token costs at least: as the method needs it, with its activations kept."""
    assert model.shape is not None
    setup = trainer_setup(
        model, method, {"max_length": length, "per_device_train_batch_size": 1}, True, KIND.task, "sft"
    )
    found = step_operations(model.shape, replace(setup, checkpointing=False), length)
    assert found is not None
    return found / length


def figures_of(method: str, found: Sequence[tuple[Side, Side | None]], estimate: int, length: int) -> list[Figure]:
    """The figures of one method; targets where they mean something."""
    speed = statistics.median(each.tokens_per_second for each, _ in found)
    peak = max(each.peak_bytes for each, _ in found)
    figures = [Figure(f"{method}: tokens a second", speed, "tokens/s"), Figure(f"{method}: peak", peak / GIB, "GiB")]
    gpus = probe().gpus
    limits = speed_of(gpus[0], None) if gpus else None
    if limits is not None:
        share = speed * operations_a_token(find_model(SHAPE), method, length) / limits.narrow
        figures.append(Figure(f"{method}: share of the peak of the {limits.name}", 100 * share, "%"))
    figures.append(Figure(f"{method}: estimate of the plan", estimate / GIB, "GiB"))
    figures.append(at_least(f"{method}: estimate/measured - 1", estimate / peak - 1, "", UNDER))
    both = [(each, other) for each, other in found if other is not None]
    if both:
        ratio = statistics.median(each.tokens_per_second / other.tokens_per_second for each, other in both)
        theirs = statistics.median(other.tokens_per_second for _, other in both)
        figures.append(Figure(f"{method}: plain TRL", theirs, "tokens/s"))
        figures.append(Figure(f"{method}: peak of plain TRL", max(other.peak_bytes for _, other in both) / GIB, "GiB"))
        figures.append(at_least(f"{method}: tokens a second against plain TRL", ratio, "times", TIMES_TRL))
    return figures


def told_of(mine: Side, other: Side | None) -> str:
    """A pair of runs in a line, while others are still to come."""
    theirs = "it failed" if other is None else f"{other.tokens_per_second:,.0f}"
    return f"{mine.tokens_per_second:,.0f} tokens/s, plain TRL {theirs}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", action="append", choices=METHODS, help="only this one; repeatable (default all)")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs of each method (default 3)")
    parser.add_argument("--steps", type=int, default=12, help="steps of a run (default 12)")
    parser.add_argument("--tiny", action="store_true", help="a tiny model on any device, to see that the command works")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    if not torch.cuda.is_available() and not options.tiny:
        print("There is no GPU that torch can use here, so there is nothing to measure on: see forge-tui doctor.")
        sys.exit(NO_GPU)
    if options.steps < WARM_UP_STEPS + 2:
        sys.exit(f"{options.steps} steps are too few: the first {WARM_UP_STEPS} only warm up; give --steps 5 or more.")
    length = TINY_LENGTH if options.tiny else LENGTH
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["FORGE_HOME"] = str(folder / "home")
        data = KIND.write(folder / "train.jsonl", ROWS, words=ANSWER_WORDS * length)
        evaluation = KIND.write(folder / "evaluation.jsonl", 8, words=ANSWER_WORDS * length, seed=8)
        model = make_folder(folder, data, evaluation, options.tiny)
        for method in options.method or METHODS:
            planned = plan(data, evaluation, model, method, length, options.steps)
            found = []
            for number in range(options.pairs):
                mine = ours(planned.spec, length) if number % 2 == 0 else None
                other = plain(data, model, folder / f"{method}-{number}", method, length, options.steps)
                found.append((mine or ours(planned.spec, length), other))
                print(f"{method}, pair {number + 1} of {options.pairs}: {told_of(*found[-1])}", file=sys.stderr)
            figures += figures_of(method, found, tensors_bytes(planned), length)
    if options.tiny:
        figures = [Figure(each.name, each.value, each.unit) for each in figures]
    report(figures, options.json)


if __name__ == "__main__":
    main()
