"""How near the estimator comes to peaks measured on this GPU: python benchmarks/memory_measured.py [--write FILE.json]

Twenty cases of memory_simulated.py, over its architectures and methods, are trained for three steps with random weights
and inputs of the right sizes, each in a process of its own, and compared by `torch.cuda.max_memory_allocated` and
`max_memory_reserved`. Needs a GPU, torch, transformers and peft; without a GPU it says so and exits 2. Exits 1 when the
median error is above 5% or a case is estimated more than 12% too low.

`--write` adds the rows, with the date, the GPU and the versions, to a file in the form of the reference data.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers
from memory_simulated import cases
from simulated_step import Case, batch_of, class_of, config_of, with_method

from profiles.memory import GIB, MIB, estimate_memory

MEDIAN, UNDER, COUNT, STEPS = 0.05, 0.12, 20, 3
NO_GPU = 2
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def chosen() -> list[Case]:
    """Twenty cases, one of each architecture by turns of the method, then a second of the first ones.

    Those in 4 bits are left out: the simulation's stand-in for such layers is none to measure. So are decoders with
    grouped keys in 32 bits: PyTorch has no kernel for that, and no run of ours is so on a GPU.
    """
    by_architecture: dict[str, list[Case]] = {}
    for case in cases():
        is_grouped = case.shape.kv_heads not in (None, case.shape.heads)
        is_wide = case.setup.weights == "fp32" and not case.setup.autocast
        if case.setup.method != "qlora" and not (is_grouped and is_wide):
            by_architecture.setdefault(case.shape.architecture, []).append(case)
    found: list[Case] = []
    for turn in range(max(map(len, by_architecture.values()))):
        for number, several in enumerate(by_architecture.values()):
            if turn < len(several):
                found.append(several[(number + turn) % len(several)])
    return found[:COUNT]


def measure(case: Case, device: str = "cuda") -> dict[str, Any]:
    """The peaks of three steps of a case on the device, in bytes; on a CPU only the loss is told."""
    setup = case.setup
    torch.manual_seed(0)
    torch.set_default_dtype(_DTYPES[setup.weights])
    model = class_of(case.shape).from_config(config_of(case))
    torch.set_default_dtype(torch.float32)
    model = with_method(model.train(), case).to(device)
    learning = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-5, fused=True)
    narrow = torch.autocast(device, dtype=torch.bfloat16) if setup.autocast else contextlib.nullcontext()
    loss = torch.zeros(())
    for _ in range(STEPS):
        batch = {name: each.to(device) for name, each in batch_of(case).items()}
        with narrow:
            given = model(**batch)
            loss = given.loss if given.loss is not None else given.logits.float().sum()
        del given
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    found: dict[str, Any] = {"loss": float(loss.detach())}
    if device == "cuda":
        found["allocated"] = torch.cuda.max_memory_allocated()
        found["reserved"] = torch.cuda.max_memory_reserved()
    return found


def cublas_bytes() -> int:
    """What cuBLAS takes of this GPU for the forward and the backward pass."""
    return 2 * (32 if torch.cuda.get_device_capability()[0] == 9 else 8) * MIB


def compare(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    """Estimate, measured peaks and their errors; the estimate of the tensors, and with what the allocator holds."""
    estimate = estimate_memory(case.shape, case.setup, context_bytes=0)
    assert estimate is not None, f"{case.shape.architecture} is not known"
    allocated = estimate.allocated_bytes + cublas_bytes()
    return {
        "name": case.name,
        "estimate_gib": round(allocated / GIB, 4),
        "measured_gib": round(found["allocated"] / GIB, 4),
        "error": allocated / found["allocated"] - 1,
        "reserved_gib": round(found["reserved"] / GIB, 4),
        "reserved_error": estimate.reserved_bytes / found["reserved"] - 1,
        "moment": estimate.moment,
    }


def provenance() -> dict[str, str]:
    """When and with what the rows were measured."""
    import peft

    return {
        "date": datetime.now(UTC).date().isoformat(),
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
    }


def write(path: Path, rows: Sequence[dict[str, Any]], made: dict[str, str]) -> None:
    """Add the rows to the file under `measured`; those of an earlier day stay."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content.setdefault("measured", []).append({**made, "rows": list(rows)})
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def in_own_process(name: str) -> dict[str, Any] | None:
    """The peaks of a case from a fresh process, whose allocator has seen nothing else; None where it failed."""
    command = [sys.executable, str(Path(__file__).resolve()), "--case", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        print(f"{name}: {last[0]}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", type=Path, metavar="FILE", help="add the rows to this JSON file")
    parser.add_argument("--jobs", type=int, default=1, help="cases at once, of up to 2 GiB each (default 1)")
    parser.add_argument("--only", default="", metavar="NAME", help="only cases whose name holds this")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no GPU that torch can use here, so there is nothing to measure on: see forge-tui doctor.")
        sys.exit(NO_GPU)
    transformers.logging.set_verbosity_error()
    if options.case is not None:
        print(json.dumps(measure(next(each for each in cases() if each.name == options.case))))
        return
    rows, wanted = [], [each for each in chosen() if options.only in each.name]
    with ThreadPoolExecutor(options.jobs) as pool:
        measured = pool.map(in_own_process, [each.name for each in wanted])
        for case, found in zip(wanted, measured):
            if found is None:
                continue
            row = compare(case, found)
            rows.append(row)
            if not options.json:
                sizes = f"{row['estimate_gib']:>7.2f} {row['measured_gib']:>7.2f} GiB {row['error']:>+7.1%}"
                print(f"{row['name']:<40} {sizes}  reserved {row['reserved_error']:>+7.1%}", flush=True)
    if not rows:
        sys.exit("no case could be measured")
    median, under = statistics.median(abs(row["error"]) for row in rows), min(row["error"] for row in rows)
    if options.write is not None:
        write(options.write, rows, provenance())
    if options.json:
        print(json.dumps({"median_error": median, "worst_under": under, **provenance(), "rows": rows}, indent=2))
    else:
        print(f"{len(rows)} of {len(wanted)} cases: median {median:.1%}, worst under {under:.1%}; {provenance()}")
    sys.exit(0 if len(rows) == len(wanted) and median <= MEDIAN and under >= -UNDER else 1)


if __name__ == "__main__":
    main()
