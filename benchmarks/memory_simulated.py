"""How near the estimator comes to what PyTorch would keep: python benchmarks/memory_simulated.py [--json] [--only NAME]

Each model is built from its shape and trained for two steps on tensors without content (FakeTensorMode), while the
storages that are alive are counted, rounded to 512 bytes as CUDA's allocator does (simulated_step.py). Needs torch,
transformers and peft, and no GPU. Exits 1 when the median error is above 2% or the worst above 10%.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import transformers
from simulated_step import Case, like_a_gpu, simulate

from profiles.catalog import Shape
from profiles.memory import estimate_memory
from profiles.training_setup import Training

MEDIAN, WORST = 0.02, 0.10


# --- cases -------------------------------------------------------------------------------------------------------

_DECODER: dict[str, Any] = {
    "layers": 4,
    "hidden": 1024,
    "intermediate": 2816,
    "heads": 16,
    "head_dim": 64,
    "vocab": 16_000,
}
_SHAPES: dict[str, tuple[Shape, dict[str, Any]]] = {
    "llama": (Shape("llama", **_DECODER, kv_heads=4, tied_embeddings=False), {}),
    "qwen2": (Shape("qwen2", **_DECODER, kv_heads=2, tied_embeddings=True), {}),
    "qwen3": (Shape("qwen3", **_DECODER, kv_heads=8, tied_embeddings=True), {}),
    "gemma3_text": (Shape("gemma3_text", **_DECODER, kv_heads=4, tied_embeddings=True), {"sliding_window": 8192}),
    "mixtral": (Shape("mixtral", **_DECODER, kv_heads=4, tied_embeddings=False, experts=4, experts_active=2), {}),
    "gpt2": (
        Shape("gpt2", **{**_DECODER, "intermediate": 4096}, kv_heads=16, tied_embeddings=True, positions=1024),
        {"bos_token_id": 0, "eos_token_id": 0},
    ),
    "bert": (
        Shape("bert", layers=6, hidden=768, intermediate=3072, heads=12, vocab=30_000, positions=512, token_types=2),
        {},
    ),
    "distilbert": (
        Shape("distilbert", layers=6, hidden=768, intermediate=3072, heads=12, vocab=30_000, positions=512),
        {},
    ),
    "modernbert": (
        Shape("modernbert", layers=6, hidden=768, intermediate=1152, heads=12, vocab=30_000),
        {"pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2},
    ),
    "t5": (
        Shape(
            "t5", layers=4, encoder_layers=4, hidden=768, intermediate=2048, heads=12, head_dim=64, vocab=16_000,
            tied_embeddings=True, relative_buckets=32, gated_mlp=True,
        ),
        {"feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0},
    ),
    "bart": (
        Shape(
            "bart", layers=4, encoder_layers=4, hidden=768, intermediate=3072, encoder_intermediate=3072, heads=12,
            vocab=16_000, positions=1024, tied_embeddings=True,
        ),
        {"encoder_attention_heads": 12, "pad_token_id": 1, "decoder_start_token_id": 2, "activation_dropout": 0.0},
    ),
    "vit": (Shape("vit", layers=8, hidden=768, intermediate=3072, heads=12, image=224, patch=16), {}),
    "dinov2": (Shape("dinov2", layers=8, hidden=768, intermediate=3072, heads=12, image=224, patch=14), {}),
    "videomae": (
        Shape("videomae", layers=6, hidden=768, intermediate=3072, heads=12, image=224, patch=16, frames=16, tubelet=2),
        {},
    ),
    "whisper": (
        Shape(
            "whisper", layers=4, encoder_layers=4, hidden=768, intermediate=3072, encoder_intermediate=3072, heads=12,
            vocab=16_000, positions=448, mel_bins=80, audio_positions=1500,
        ),
        {"encoder_attention_heads": 12, "pad_token_id": 0, "decoder_start_token_id": 1},
    ),
    "wav2vec2": (
        Shape("wav2vec2", layers=6, hidden=768, intermediate=3072, heads=12),
        {"vocab_size": 32, "apply_spec_augment": False, "layerdrop": 0.0},
    ),
}  # fmt: skip

_FULL = Training(batch=4, length=512)
_ADAPTED = replace(_FULL, method="lora", weights="bf16")
_LANGUAGE = {
    "full, 32 bits": _FULL,
    "full, autocast, checkpoints": replace(_FULL, autocast=True, checkpointing=True, batch=8),
    "full, 16 bits": replace(_FULL, weights="bf16", batch=8),
    "full, 16 bits, checkpoints": replace(_FULL, weights="bf16", checkpointing=True, batch=2),
    "lora": replace(_ADAPTED, lora_dropout=0.05),
    "lora, q and v, checkpoints": replace(_ADAPTED, lora_targets=("q", "v"), checkpointing=True, adapter="bf16"),
    "qlora, checkpoints": replace(_ADAPTED, method="qlora", checkpointing=True),
    "prompt-tuning": replace(_ADAPTED, method="prompt-tuning"),
    "prefix-tuning": replace(_ADAPTED, method="prefix-tuning"),
}
# So few words that the layers take the most, as they do where logits are made a few at a time.
_FEW_WORDS = {
    "full, autocast, checkpoints": replace(_FULL, autocast=True, checkpointing=True, batch=16),
    "lora, autocast": replace(_ADAPTED, autocast=True, lora_dropout=0.05),
    "lora, autocast, checkpoints": replace(_ADAPTED, autocast=True, lora_dropout=0.05, checkpointing=True, batch=16),
    "lora, no dropout, checkpoints": replace(_ADAPTED, checkpointing=True, batch=16),
    "lora, q and v, autocast, checkpoints": replace(
        _ADAPTED, autocast=True, lora_targets=("q", "v"), checkpointing=True, batch=16
    ),
    "qlora, checkpoints": replace(
        _ADAPTED, method="qlora", adapter="bf16", lora_dropout=0.05, checkpointing=True, batch=16
    ),
}
_ENCODED = {
    "full, 32 bits": replace(_FULL, loss="none", batch=8),
    "full, autocast": replace(_FULL, loss="none", autocast=True, batch=8),
    "full, autocast, checkpoints": replace(_FULL, loss="none", autocast=True, checkpointing=True, batch=16),
    "lora": replace(_FULL, loss="none", method="lora", lora_dropout=0.05),
    "qlora, checkpoints": replace(_FULL, loss="none", method="qlora", weights="bf16", checkpointing=True, batch=16),
}
_TWO_SIDED = {
    "full, 32 bits": replace(_FULL, target_length=128),
    "full, 16 bits": replace(_FULL, weights="bf16", target_length=256),
    "full, 16 bits, checkpoints": replace(_FULL, weights="bf16", target_length=256, checkpointing=True, batch=8),
    "lora": replace(_FULL, method="lora", target_length=128),
}
_SEEN = {
    "full, 32 bits": replace(_FULL, loss="none", batch=8, dropout=False),
    "full, autocast": replace(_FULL, loss="none", batch=8, autocast=True, dropout=False),
    "full, checkpoints": replace(_FULL, loss="none", batch=16, checkpointing=True, dropout=False),
}
_FEW = {name: replace(each, batch=2) for name, each in _SEEN.items()}
_HEARD = {
    "full, 32 bits": replace(_FULL, batch=2, target_length=128, dropout=False),
    "full, 16 bits": replace(_FULL, batch=4, weights="bf16", target_length=128, dropout=False),
}
_WAVES = {
    "full, 32 bits": replace(_FULL, batch=2, loss="none", seconds=10.0),
    "full, 16 bits": replace(_FULL, batch=2, loss="none", seconds=15.0, weights="bf16"),
}
_SETUPS: dict[str, dict[str, Training]] = {
    **dict.fromkeys(("llama", "qwen2", "qwen3", "gemma3_text"), _LANGUAGE),
    "gpt2": {name: each for name, each in _LANGUAGE.items() if each.trains_all},
    "mixtral": {name: each for name, each in _LANGUAGE.items() if "full" in name and "autocast" not in name},
    "bert": _ENCODED,
    "distilbert": _ENCODED,
    "modernbert": {name: each for name, each in _ENCODED.items() if each.trains_all},
    "t5": {name: replace(each, dropout=False) for name, each in _TWO_SIDED.items()},
    "bart": _TWO_SIDED,
    "vit": _SEEN,
    "dinov2": _SEEN,
    "videomae": _FEW,
    "whisper": _HEARD,
    "wav2vec2": _WAVES,
}


def cases() -> Iterator[Case]:
    """Every architecture by every method that it is trained with."""
    for architecture, setups in _SETUPS.items():
        shape, more = _SHAPES[architecture]
        for name, setup in setups.items():
            yield Case(f"{architecture}: {name}", shape, setup, more)
    for architecture in ("llama", "qwen3", "gemma3_text", "gpt2"):
        shape, more = _SHAPES[architecture]
        for name, setup in _FEW_WORDS.items():
            if setup.trains_all or architecture != "gpt2":
                yield Case(f"{architecture}, few words: {name}", replace(shape, vocab=200), setup, more)


def compare(case: Case, run: Callable[[Case], dict[str, int]] = simulate) -> dict[str, Any]:
    """Estimate, simulated peak and error of a case."""
    began = time.monotonic()
    phases = {name: size for name, size in run(case).items() if name.startswith("second")}
    phase = max(phases, key=lambda name: phases[name])
    estimate = estimate_memory(case.shape, case.setup, context_bytes=0)
    assert estimate is not None, f"{case.shape.architecture} is not known"
    return {
        "name": case.name,
        "estimate_bytes": estimate.allocated_bytes,
        "simulated_bytes": phases[phase],
        "error": estimate.allocated_bytes / phases[phase] - 1,
        "moment": estimate.moment,
        "phase": phase.partition(" ")[2],
        "phases": phases,
        "moments": estimate.moments,
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    """Simulate all cases and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", default="", metavar="NAME", help="only cases whose name holds this")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    like_a_gpu()
    rows = []
    for case in cases():
        if options.only not in case.name:
            continue
        row = compare(case)
        rows.append(row)
        if not options.json:
            sizes = f"{row['estimate_bytes'] / 2**20:>9.1f} {row['simulated_bytes'] / 2**20:>9.1f} MiB"
            print(f"{row['name']:<40} {sizes} {row['error']:>+7.1%}  {row['moment']} / {row['phase']}", flush=True)
    sizes_of = sorted(abs(row["error"]) for row in rows)
    median, worst = statistics.median(sizes_of), sizes_of[-1]
    architectures = len({row["name"].partition(":")[0].partition(",")[0] for row in rows})
    if options.json:
        print(json.dumps({"median_error": median, "worst_error": worst, "rows": rows}, indent=2))
    else:
        print(f"{len(rows)} cases of {architectures} architectures: median {median:.1%}, worst {worst:.1%}")
        print(f"target: median <= {MEDIAN:.0%}, worst <= {WORST:.0%}")
    sys.exit(0 if median <= MEDIAN and worst <= WORST else 1)


if __name__ == "__main__":
    main()
