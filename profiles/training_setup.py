"""How a step of training is set up, as far as memory and time depend on it; the defaults are those of the trainers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

BYTES: Mapping[str, int] = MappingProxyType({"fp32": 4, "bf16": 2, "fp16": 2})

# State an optimizer keeps for each learning parameter: in copies of the parameter, or in bytes whatever its type.
# AdamW two moments (torch.optim), Lion and SGD with momentum one; 8-bit: two bytes and a 4-byte scale for each 256
# values of either moment (bitsandbytes 0.50, blocksize 256); Adafactor one row and one column for each matrix; paged
# ones live in the memory of the machine.
OPTIMIZER_COPIES: Mapping[str, float] = MappingProxyType(
    {"adamw": 2.0, "adamw_foreach": 2.0, "lion": 1.0, "rmsprop": 1.0, "sgd_momentum": 1.0, "sgd": 0.0, "none": 0.0}
)
OPTIMIZER_BYTES: Mapping[str, float] = MappingProxyType(
    {"adamw8bit": 2.0 * (1 + 4 / 256), "adafactor": 0.008, "paged_adamw": 0.0, "paged_adamw8bit": 0.0}
)
OPTIMIZERS = (*OPTIMIZER_COPIES, *OPTIMIZER_BYTES)

ATTENTIONS = ("sdpa", "eager")
# Whole: all logits at once; chunked: of 256 tokens at a time; fused: by a kernel that never holds them; none: no words.
LOSSES = ("whole", "chunked", "fused", "none")
ALL_TARGETS = ("q", "k", "v", "o", "gate", "up", "down")
ADAPTERS, PROMPTS = ("lora", "qlora"), ("prompt-tuning", "prefix-tuning")


@dataclass(frozen=True)
class Training:
    """One step of training. Lengths in tokens, padded; bytes for each number by the names of `BYTES`.

    `batch` are rows worked on at once, `length` those of one row (of an encoder-decoder the source), `target_length`
    the answer's. `autocast`: 16-bit arithmetic on 32-bit weights or adapters. `padded`: an attention mask is needed.
    `accumulates`: gradients stay from one pass to the next. `others`: further models beside the one that learns, and of
    those `others_learn` learn too. `generated`: tokens that are tried before a step. `seconds`: of sound in a row.
    """

    method: str = "full"
    batch: int = 1
    length: int = 512
    target_length: int | None = None
    weights: str = "fp32"
    autocast: bool = False
    checkpointing: bool = False
    optimizer: str = "adamw"
    attention: str = "sdpa"
    padded: bool = False
    loss: str = "whole"
    logit_bytes: float = 12.0
    logits_kept: bool = False
    accumulates: bool = False
    optimizer_in_backward: bool = False
    fused_kernels: bool = False
    dropout: bool = True
    lora_rank: int = 16
    lora_targets: tuple[str, ...] = ALL_TARGETS
    lora_dropout: float = 0.0
    adapter: str = "fp32"
    double_quantized: bool = True
    virtual_tokens: int = 20
    sequences: int = 1  # for each row: 2 where a better and a worse answer go through the model
    others: int = 0
    others_learn: int = 0
    generated: int = 0
    answered: int | None = None  # tokens of a row that logits are made for; None: all
    pictures: int = 1
    seconds: float = 15.0
    front_learns: bool = True  # of a speech model: the convolutions over the wave

    @property
    def trains_all(self) -> bool:
        """Whether all weights learn."""
        return self.method == "full"

    @property
    def adapts(self) -> bool:
        """Whether LoRA's matrices learn."""
        return self.method in ADAPTERS

    @property
    def rows(self) -> int:
        """Sequences that go through the model at once."""
        return self.batch * self.sequences

    @property
    def weight_bytes(self) -> int:
        """Bytes of a weight that is not quantized."""
        return BYTES[self.weights]

    @property
    def activation_bytes(self) -> int:
        """Bytes of a number between layers where arithmetic is done."""
        return 2 if self.autocast or self.weight_bytes == 2 else 4

    @property
    def residual_bytes(self) -> int:
        """Bytes of a number in the stream that each layer adds to."""
        return self.weight_bytes

    @property
    def adapter_bytes(self) -> int:
        """Bytes of a parameter that learns beside frozen weights."""
        return BYTES[self.adapter]
