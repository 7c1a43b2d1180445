"""How near the estimator comes to what PyTorch would keep: python benchmarks/memory_simulated.py [--json] [--only NAME]

Each model is built from its shape and trained for two steps on tensors without content (FakeTensorMode), while the
storages that are alive are counted, rounded to 512 bytes as CUDA's allocator does. Needs torch, transformers and peft,
and no GPU. Exits 1 when the median error is above 2% or the worst above 10%.

What differs from a GPU is set right: attention without dropout takes the fused kernel, dropout keeps a mask of a byte,
4-bit layers are stood in for by a layer that keeps as many bytes and makes its weights whole for each product.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import sys
import time
import tomllib
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import profiles.catalog
from profiles.catalog import Shape
from profiles.memory import estimate_memory
from profiles.training_setup import Training

MEDIAN, WORST = 0.02, 0.10
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_ROUNDING = 512


# --- counting ----------------------------------------------------------------------------------------------------


class Peak(TorchDispatchMode):
    """Counts the bytes of the storages that are alive, and keeps the most there were in each phase."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.phases: dict[str, int] = {}
        self.phase = "weights"
        self._watched: dict[int, Any] = {}
        self._bytes = 0

    def add(self, tensor: torch.Tensor) -> None:
        """Count the storage of a tensor until it is gone."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, -(-storage.nbytes() // _ROUNDING) * _ROUNDING
        if key in self.alive or not size:
            return
        self.alive[key] = size
        self._bytes += size
        self.phases[self.phase] = max(self.phases.get(self.phase, 0), self._bytes)

        def gone(_: object) -> None:
            self._bytes -= self.alive.pop(key, 0)

        self._watched[key] = weakref.ref(storage, gone)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, torch.Tensor):
                self.add(each)
        return result


def like_a_gpu() -> None:
    """Leave out what fails on tensors without content, and what a GPU does in another way."""
    import torch.nn.functional as functional
    import transformers.masking_utils
    import transformers.modeling_utils

    def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        return torch.native_dropout(input, p, True)[0] if training and p > 0 else input

    whole_norm = functional.layer_norm

    def layer_norm(input: Any, *args: Any, **kwargs: Any) -> Any:
        """CUDA's autocast runs norms in 32 bits, the CPU's does not."""
        return whole_norm(input.float() if torch.is_autocast_enabled("cpu") else input, *args, **kwargs)

    functional.layer_norm = layer_norm
    transformers.modeling_utils.PreTrainedModel.initialize_weights = lambda self: None
    transformers.masking_utils.find_packed_sequence_indices = lambda *args, **kwargs: None
    functional.dropout = dropout


class _WholeWeights(torch.autograd.Function):
    """A product with weights that are made whole for it, and again in the backward pass; nothing is kept."""

    @staticmethod
    def forward(ctx: Any, entering: Any, stored: Any, leaving: int, width: int) -> Any:
        ctx.sides, ctx.kind = (leaving, width), entering.dtype
        return entering @ torch.empty(leaving, width, dtype=entering.dtype).t()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] @ torch.empty(*ctx.sides, dtype=ctx.kind), None, None, None


class FourBits(torch.nn.Linear):
    """Stands in for a 4-bit layer of bitsandbytes with double quantization."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        count = layer.weight.numel()
        self.weight = torch.nn.Parameter(torch.empty((count + 1) // 2, dtype=torch.uint8), requires_grad=False)
        self.bias = layer.bias
        self.register_buffer("scales", torch.empty(count // 64, dtype=torch.uint8))
        self.register_buffer("scales_of_scales", torch.empty(max(1, count // 64 // 256), dtype=torch.float32))

    def forward(self, input: Any) -> Any:
        """The product, with the bias."""
        given = _WholeWeights.apply(input, self.weight, self.out_features, self.in_features)
        return given if self.bias is None else given + self.bias


def to_four_bits(model: torch.nn.Module) -> None:
    """Replace the linear layers of all blocks; the head stays as it is."""
    for name, module in list(model.named_modules()):
        for child, layer in list(module.named_children()):
            is_head = any(word in f"{name}.{child}" for word in ("lm_head", "classifier", "score", "pooler"))
            if type(layer) is torch.nn.Linear and not is_head:
                setattr(module, child, FourBits(layer))


# --- models ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A shape and how it is trained; `more` are further keys of its configuration."""

    name: str
    shape: Shape
    setup: Training
    more: Mapping[str, Any]


_KINDS = {
    "causal-lm": "AutoModelForCausalLM",
    "encoder": "AutoModelForSequenceClassification",
    "encoder-decoder": "AutoModelForSeq2SeqLM",
    "image": "AutoModelForImageClassification",
    "video": "AutoModelForVideoClassification",
    "speech": "AutoModelForSpeechSeq2Seq",
}
_NO_DROPOUT = ("dropout_rate", "attention_dropout", "attention_probs_dropout_prob", "attn_pdrop")


def _types() -> dict[str, Any]:
    tables = tomllib.loads(Path(profiles.catalog.__file__).with_name("model_types.toml").read_text(encoding="utf-8"))
    return {
        name: {**entry, "names": {**tables["like"].get(entry.get("like"), {}), **entry.get("names", {})}}
        for name, entry in tables["type"].items()
    }


def config_of(case: Case) -> Any:
    """The configuration of Transformers for a shape, with attention that takes the fused kernel."""
    shape, values = case.shape, dict[str, Any]()
    for size, key in _types()[shape.architecture]["names"].items():
        value = getattr(shape, size, None)
        if key and value is not None and size not in ("gated_mlp",):
            values[key if isinstance(key, str) else key[0]] = value
    config = transformers.AutoConfig.for_model(shape.architecture, **values, **case.more)
    for name in _NO_DROPOUT:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    config.use_cache = False
    return config


def class_of(shape: Shape) -> Any:
    """The class of Transformers that trains it."""
    if shape.architecture in ("wav2vec2", "hubert"):
        return transformers.AutoModelForCTC
    return getattr(transformers, _KINDS[_types()[shape.architecture]["kind"]])


def batch_of(case: Case) -> dict[str, Any]:
    """A batch of the right sizes without content."""
    shape, setup = case.shape, case.setup
    rows, kind = setup.rows, _types()[shape.architecture]["kind"]

    def numbers(*sides: int, below: int = 100) -> Any:
        return torch.randint(0, below, sides)

    if kind == "encoder":
        return {"input_ids": numbers(rows, setup.length), "labels": numbers(rows, below=2)}
    if kind in ("causal-lm", "encoder-decoder"):
        answers = numbers(rows, setup.target_length or setup.length)
        return {"input_ids": numbers(rows, setup.length), "labels": answers}
    if kind == "image":
        pictures = torch.empty(rows, 3, shape.image or 224, shape.image or 224, dtype=_DTYPES[setup.weights])
        return {"pixel_values": pictures, "labels": numbers(rows, below=2)}
    if kind == "video":
        side = shape.image or 224
        clip = torch.empty(rows, shape.frames or 16, 3, side, side, dtype=_DTYPES[setup.weights])
        return {"pixel_values": clip, "labels": numbers(rows, below=2)}
    if shape.architecture == "whisper":
        sound = torch.empty(rows, shape.mel_bins or 80, 3000, dtype=_DTYPES[setup.weights])
        return {"input_features": sound, "labels": numbers(rows, setup.target_length or setup.length)}
    return {"input_values": torch.empty(rows, int(setup.seconds * 16_000), dtype=_DTYPES[setup.weights])}


_TARGETS = {
    "q": ("q_proj", "query", "q_lin", "q"),
    "k": ("k_proj", "key", "k_lin", "k"),
    "v": ("v_proj", "value", "v_lin", "v"),
    "o": ("o_proj", "out_proj", "out_lin", "o", "attention.output.dense"),
    "gate": ("gate_proj", "wi_0"),
    "up": ("up_proj", "fc1", "lin1", "wi_1", "intermediate.dense"),
    "down": ("down_proj", "fc2", "lin2", "wo", "output.dense"),
}


def with_method(model: Any, case: Case) -> Any:
    """The model made ready to be trained by a method, as PEFT does it."""
    import peft

    setup, task = case.setup, _PEFT_TASKS.get(_types()[case.shape.architecture]["kind"])
    if setup.method == "qlora":
        to_four_bits(model)
    if setup.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if not setup.trains_all:
            model.enable_input_require_grads()
    if setup.trains_all:
        return model
    if setup.adapts:
        names = [name for target in setup.lora_targets for name in _TARGETS[target]]
        return peft.get_peft_model(
            model,
            peft.LoraConfig(r=setup.lora_rank, lora_dropout=setup.lora_dropout, target_modules=names, task_type=task),
            autocast_adapter_dtype=setup.adapter == "fp32",
        )
    config = peft.PromptTuningConfig if setup.method == "prompt-tuning" else peft.PrefixTuningConfig
    return peft.get_peft_model(model, config(task_type=task, num_virtual_tokens=setup.virtual_tokens))


_PEFT_TASKS = {"causal-lm": "CAUSAL_LM", "encoder": "SEQ_CLS", "encoder-decoder": "SEQ_2_SEQ_LM"}


@contextlib.contextmanager
def _unmoved() -> Iterator[None]:
    """Modules stay where and what they are: tensors without content cannot be moved."""
    moves = torch.nn.Module.to
    torch.nn.Module.to = lambda self, *args, **kwargs: self
    try:
        yield
    finally:
        torch.nn.Module.to = moves


def simulate(case: Case) -> dict[str, int]:
    """The most bytes alive in each phase of the second step."""
    setup = case.setup
    with FakeTensorMode(allow_non_fake_inputs=True):
        torch.set_default_dtype(_DTYPES[setup.weights])
        model = class_of(case.shape).from_config(config_of(case))
        torch.set_default_dtype(_DTYPES[setup.adapter])
        with _unmoved():
            model = with_method(model.train(), case)
        torch.set_default_dtype(torch.float32)
        peak = Peak()
        for each in (*model.parameters(), *model.buffers()):
            peak.add(each)
        for name, each in model.named_parameters():
            if "relative_attention_bias" in name:  # only CUDA has a fused kernel that gives these their gradient
                each.requires_grad_(False)
        learning = [each for each in model.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(learning, fused=True)
        with peak:
            for step in ("first", "second"):
                batch = batch_of(case)
                peak.phase = f"{step} forward"
                narrow = torch.autocast("cpu", dtype=torch.bfloat16) if setup.autocast else contextlib.nullcontext()
                with narrow:
                    given = model(**batch)
                    loss = given.loss if given.loss is not None else given.logits.float().sum()
                del given
                peak.phase = f"{step} backward"
                loss.backward()
                del loss
                peak.phase = f"{step} update"
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        phases = dict(peak.phases)
        del model, optimizer, learning, batch
    gc.collect()
    return phases


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
    architectures = len({row["name"].partition(":")[0] for row in rows})
    if options.json:
        print(json.dumps({"median_error": median, "worst_error": worst, "rows": rows}, indent=2))
    else:
        print(f"{len(rows)} cases of {architectures} architectures: median {median:.1%}, worst {worst:.1%}")
        print(f"target: median <= {MEDIAN:.0%}, worst <= {WORST:.0%}")
    sys.exit(0 if median <= MEDIAN and worst <= WORST else 1)


if __name__ == "__main__":
    main()
