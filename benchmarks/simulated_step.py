"""A step of training on tensors without content: which storages PyTorch keeps alive, and how many bytes at most.

Used by memory_simulated.py. What differs from a GPU is set right: attention without dropout takes the fused kernel,
dropout keeps a mask of a byte, 4-bit layers are stood in for by a layer that keeps as many bytes and makes its weights
whole for each product. Needs torch, transformers and peft, and no GPU.
"""

from __future__ import annotations

import contextlib
import gc
import tomllib
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import profiles.catalog
from profiles.catalog import Shape
from profiles.training_setup import Training

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
