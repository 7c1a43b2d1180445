"""What pictures leave in models of timm and in detectors: python benchmarks/picture_activations.py [--write FILE.toml]

Each model of the catalog is built with random weights and run forward on one and on two pictures of its size, in 32
bits and under autocast, while autograd's saved tensors are counted: the difference is what a picture leaves without the
weights. Products and sums of matrices and convolutions are counted too. Detectors get boxes and make their loss. What
the file holds already is kept, so that it can be made in parts: --only NAME, and --again to measure anew. Needs torch,
timm and transformers, no GPU and no network.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
import tomllib
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
import transformers
from detector_models import MAKERS, SIDE, batch_of
from torch.utils.flop_counter import FlopCounterMode

from profiles.catalog import Model, catalog

Forward = Callable[[int], torch.Tensor]  # what one pass over so many pictures gives


def kept_bytes(model: torch.nn.Module, forward: Forward, rows: int, narrow: bool) -> tuple[int, int]:
    """The bytes that autograd keeps in a forward pass, and those of the largest single tensor.

    What is kept is counted and let go, so that a large model takes no more memory here than reading with it does.
    """
    own = {each.untyped_storage()._cdata for each in (*model.parameters(), *model.buffers())}
    alive: dict[int, Any] = {}
    sizes: list[int] = []

    def count(tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in own and key not in alive:
            alive[key] = weakref.ref(storage, lambda gone: alive.pop(key, None))
            sizes.append(storage.nbytes())

    with (
        torch.autograd.graph.saved_tensors_hooks(count, lambda nothing: nothing),
        torch.autocast("cpu", dtype=torch.bfloat16) if narrow else contextlib.nullcontext(),
    ):
        forward(rows)
    gc.collect()  # what a model gives may hold itself
    return sum(sizes), max(sizes)


def _score(model: torch.nn.Module, side: int, rows: int) -> torch.Tensor:
    given: torch.Tensor = model(torch.rand(rows, 3, side, side)).float().sum()
    return given


def _find(model: torch.nn.Module, rows: int) -> torch.Tensor:
    loss: torch.Tensor = model(**batch_of(rows)).loss
    return loss


def made(entry: Model) -> tuple[torch.nn.Module, Forward, int]:
    """A model with random weights, a pass through it, and the side of its pictures in pixels."""
    if entry.kind == "detector":
        detector = MAKERS[entry.id]().train()
        for each in detector.parameters():
            if each.is_floating_point():
                each.requires_grad_(True)  # Transformers freezes the backbone of DETR
        return detector, partial(_find, detector), SIDE
    assert entry.shape is not None
    side = entry.shape.image or 224
    seer = timm.create_model(entry.id.removeprefix("timm/"), pretrained=False, num_classes=10).train()
    return seer, partial(_score, seer, side), side


def measure(entry: Model) -> dict[str, int]:
    """The bytes that one picture leaves, in 32 bits and under autocast, those of its largest tensor in 32 bits, and how
    many operations reading it takes.
    """
    model, forward, side = made(entry)
    found = {"side": side}
    for name, narrow in (("kept", False), ("kept_narrow", True)):
        one, two = kept_bytes(model, forward, 1, narrow), kept_bytes(model, forward, 2, narrow)
        found[name] = two[0] - one[0]
        if not narrow:
            found["widest"] = one[1]
    with FlopCounterMode(display=False) as counted:
        forward(2)
    found["operations"] = counted.get_total_flops() // 2
    return found


def wanted() -> list[Model]:
    """The models of the catalog whose layers no formula describes."""
    return [
        entry
        for entry in catalog()
        if entry.id in MAKERS or (entry.shape is not None and entry.shape.architecture == "timm")
    ]


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The table as TOML, in the order of the catalog."""
    lines = [
        "# What one picture of its usual size leaves in a model until the backward pass, in bytes: kept in 32 bits,",
        "# kept_narrow under autocast, widest its largest tensor; operations what reading it takes, products and sums;",
        "# side is that of the picture in pixels. Made by benchmarks/picture_activations.py with",
        f"# timm {timm.__version__}, transformers {transformers.__version__}, torch {torch.__version__}.",
    ]
    for entry in wanted():
        if entry.id in found:
            sizes = (f"{name} = {size:_}" for name, size in found[entry.id].items() if name != "id")
            lines += ["", "[[model]]", f'id = "{entry.id}"', *sizes]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print, or write the table as far as it got."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as TOML; what it holds is kept")
    parser.add_argument("--only", default="", metavar="NAME", help="only models whose name holds this")
    parser.add_argument("--again", action="store_true", help="measure also what the file holds already")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    found: dict[str, Mapping[str, Any]] = {}
    if options.write is not None and options.write.exists():
        held = tomllib.loads(options.write.read_text(encoding="utf-8")).get("model", [])
        found = {each["id"]: each for each in held}
    for entry in wanted():
        if options.only not in entry.id or (entry.id in found and not options.again):
            continue
        try:
            found[entry.id] = measure(entry)
        except (RuntimeError, ValueError) as error:
            print(f"{entry.id}: {error}", file=sys.stderr)
            continue
        print(entry.id, found[entry.id], flush=True)
        if options.write is not None:
            options.write.write_text(table(found), encoding="utf-8")


if __name__ == "__main__":
    main()
