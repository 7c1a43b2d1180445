"""What pictures leave in models of timm: python benchmarks/picture_activations.py [--write FILE.toml]

Each model of the catalog is built with random weights and run forward on two and on three pictures of its size, in 32
bits and under autocast, while autograd's saved tensors are counted: the difference is what a picture leaves without the
weights. Needs torch and timm, no GPU and no network.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

import timm
import torch

from profiles.catalog import Model, catalog


def kept_bytes(model: torch.nn.Module, rows: int, side: int, narrow: bool) -> tuple[int, int]:
    """The bytes that autograd keeps in a forward pass, and those of the largest single tensor."""
    own = {each.untyped_storage().data_ptr() for each in (*model.parameters(), *model.buffers())}
    found: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage  # kept alive here, so that no address comes twice
        return tensor

    pictures = torch.zeros(rows, 3, side, side)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", dtype=torch.bfloat16) if narrow else contextlib.nullcontext(),
    ):
        model(pictures).float().sum()
    sizes = [each.nbytes() for each in found.values()]
    return sum(sizes), max(sizes)


def measure(entry: Model) -> dict[str, int]:
    """The bytes that one picture leaves, in 32 bits and under autocast, and those of its largest tensor in 32 bits."""
    assert entry.shape is not None
    side = entry.shape.image or 224
    model = timm.create_model(entry.id.removeprefix("timm/"), pretrained=False, num_classes=10).train()
    found = {}
    for name, narrow in (("kept", False), ("kept_narrow", True)):
        two, three = kept_bytes(model, 2, side, narrow), kept_bytes(model, 3, side, narrow)  # norms need more than one
        found[name] = three[0] - two[0]
        if not narrow:
            found["widest"] = two[1] // 2
    return found


def main() -> None:
    """Measure all and print, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as TOML")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "# What one picture of its usual size leaves in a model of timm until the backward pass, in bytes: kept in 32",
        "# bits, kept_narrow under autocast, widest its largest tensor. Made by benchmarks/picture_activations.py with",
        f"# timm {timm.__version__} and torch {torch.__version__.partition('+')[0]}.",
    ]
    for entry in catalog():
        if entry.shape is None or entry.shape.architecture != "timm":
            continue
        try:
            found = measure(entry)
        except (RuntimeError, ValueError) as error:
            print(f"{entry.id}: {error}", file=sys.stderr)
            continue
        print(entry.id, found, flush=True)
        lines += ["", "[[model]]", f'id = "{entry.id}"', *(f"{name} = {size:_}" for name, size in found.items())]
        if options.write is not None:  # as far as it got
            options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
