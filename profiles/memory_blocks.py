"""What a layer keeps from the forward pass until the backward pass has used it, in bytes for each token.

The counts follow the modules of Transformers 5.23 tensor by tensor; `benchmarks/memory_simulated.py` compares them with
what autograd really keeps. Korthikanti et al. 2022 (arXiv 2205.05198) count the same for GPT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from profiles.training_setup import Training


@dataclass(frozen=True)
class Traits:
    """How the layers of an architecture are made, as far as what they keep depends on it.

    norm: `rms` (written in Python: keeps a 32-bit copy of its input and the result before its weight), `t5` (as `rms`,
    and the input itself), `gemma` (all in 32 bits) or `layer` (a kernel: keeps its input). inner: numbers kept for each
    unit of the feed-forward layer before what enters its last matrix. masks: dropouts on the stream, a byte each;
    inner_mask: one inside the feed-forward layer. rotated: queries and keys are kept beside the fused matrix they come
    from; copied: attention's result is kept twice, as heads and as rows. fused: one matrix gives queries, keys and
    values. eager: no fused attention exists, and the numbers kept for each pair of tokens. biased: a bias is
    added to the scores, which no fused kernel does where it learns (measured: T5 on an H100, PyTorch 2.11).
    """

    norm: str = "layer"
    norms: int = 2
    inner: int = 1
    masks: int = 0
    inner_mask: bool = False
    rotated: bool = False
    copied: bool = False
    head_norm: bool = False
    fused: bool = False
    eager: float | None = None
    biased: bool = False


_LLAMA = Traits(norm="rms", inner=3)
_BERT = Traits(masks=2)

TRAITS: Mapping[str, Traits] = MappingProxyType(
    {
        **dict.fromkeys(("llama", "mistral", "ministral3", "mixtral", "qwen2", "granite", "phi3", "smollm3"), _LLAMA),
        **dict.fromkeys(("qwen3", "qwen3_moe"), replace(_LLAMA, head_norm=True)),
        "olmo2": replace(_LLAMA, head_norm=True),
        "olmo": Traits(inner=3),
        "llama4_text": replace(_LLAMA, head_norm=True),
        "gemma": Traits(norm="gemma", inner=3),
        "gemma2": Traits(norm="gemma", norms=4, inner=3, eager=2.0),
        "gemma3_text": Traits(norm="gemma", norms=4, inner=3, head_norm=True),
        "gpt_oss": Traits(norm="rms", inner=6, eager=1.0, copied=True),
        "gpt2": Traits(inner=4, masks=2, fused=True),
        "phi": Traits(norms=1, inner=4, copied=True),
        "gpt_neox": Traits(rotated=True, copied=True, fused=True),
        "starcoder2": Traits(masks=2),
        "opt": Traits(masks=2),
        "bloom": Traits(inner=2, eager=2.0, fused=True),
        **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "electra", "albert"), _BERT),
        "distilbert": Traits(masks=1),
        "deberta-v2": Traits(masks=2, eager=4.0),
        "modernbert": Traits(inner=3, rotated=True, fused=True),
        "t5": Traits(norm="t5", masks=2, inner_mask=True, biased=True),
        "mt5": Traits(norm="t5", inner=6, masks=2, inner_mask=True, biased=True),
        **dict.fromkeys(("bart", "mbart", "marian", "pegasus", "m2m_100"), _BERT),
        "whisper": Traits(copied=True),
        "wav2vec2": Traits(masks=2, inner_mask=True),
        "hubert": Traits(masks=2, inner_mask=True),
        **dict.fromkeys(("vit", "videomae"), Traits()),
        "dinov2": Traits(),
        "dinov3_vit": Traits(),
        "timesformer": Traits(),
    }
)


@dataclass(frozen=True)
class Block:
    """One layer of a stack: its widths in units, its matrices as (entering, leaving), and what it is made like.

    `experts` work on each token; `crossed` is the width of queries of a second attention, on another stack. `scaled`
    layers keep what their learned scales were applied to.
    """

    traits: Traits
    hidden: int
    queries: int
    keys: int
    heads: int
    inner: int
    matrices: Mapping[str, tuple[int, int]]
    parameters: int
    adaptable: int  # parameters of `matrices`, and of experts beside them
    quantizable: int  # of these, those of linear layers: experts are one tensor, which bitsandbytes leaves alone
    experts: int = 0
    shared: int = 0
    gated: bool = False
    crossed: int = 0
    scaled: bool = False


def kept_bytes(block: Block, setup: Training, keys: int) -> float:
    """Bytes that one token leaves in one layer; `keys` is how many tokens it attends to."""
    return (
        _norms(block, setup) + _attention(block, setup, keys) + feed_forward_bytes(block, setup) + _other(block, setup)
    )


def crossed_bytes(block: Block, setup: Training) -> float:
    """Bytes that one token of the other stack leaves in a layer that attends to it: its key and its value."""
    adapted = [name for name in ("k", "v") if name in targets(block, setup)]
    inputs = _adapter_inputs(len(adapted), block.hidden, setup, is_kept=True)
    return 2 * setup.activation_bytes * block.crossed + inputs


def targets(block: Block, setup: Training) -> tuple[str, ...]:
    """The matrices that get an adapter."""
    return tuple(name for name in setup.lora_targets if name in block.matrices) if setup.adapts else ()


def _norms(block: Block, setup: Training) -> float:
    width, hidden, traits = max(setup.activation_bytes, setup.residual_bytes), block.hidden, block.traits
    norms = traits.norms + (1 if block.crossed else 0)
    if traits.norm == "layer" or setup.fused_kernels:
        return norms * setup.residual_bytes * hidden
    if traits.norm == "gemma":
        return norms * (8 if setup.trains_all else 4) * hidden
    own = 2 if traits.norm == "t5" and width == 2 else 0  # the input as it came, beside its 32-bit copy
    return norms * (4 + own + (width if setup.trains_all else 0)) * hidden


def _linears(block: Block, setup: Training, names: tuple[str, ...], width: int) -> float:
    """What keeps the input of linear layers that read the same numbers alive."""
    a, kept = setup.activation_bytes, 0.0
    if setup.trains_all:  # autocast casts a 32-bit input once for each layer
        casts = len(names) if setup.autocast and setup.residual_bytes == 4 and not block.traits.fused else 1
        kept += casts * a * width
    adapted = [name for name in names if name in targets(block, setup)]
    return kept + _adapter_inputs(len(adapted), width, setup)


def _adapter_inputs(adapters: int, width: int, setup: Training, is_kept: bool = False) -> float:
    """What adapters that read the same numbers keep of them: a cast or a dropout makes each a copy of its own.

    `is_kept`: the numbers are kept anyway, so that an adapter without either adds nothing.
    """
    if not adapters:
        return 0.0
    mask = 1 if setup.lora_dropout else 0
    if _casts(setup) or mask:
        return adapters * (_adapter_input(width, setup) + mask * width)
    return 0.0 if is_kept else setup.activation_bytes * width


def _casts(setup: Training) -> bool:
    """Whether PEFT casts what enters an adapter, once for each adapter."""
    return setup.autocast or setup.adapter_bytes != setup.activation_bytes


def _adapter_input(width: int, setup: Training) -> float:
    return (2 if setup.autocast else setup.adapter_bytes) * width


def down_adapter_bytes(block: Block, setup: Training) -> tuple[float, float]:
    """What the adapter of a feed-forward layer's last matrix works with for each token: forward, and backward.

    PEFT casts what enters to 32 bits, dropout makes another such copy, autocast one of 16 bits; the backward pass has a
    gradient for each. A copy that is kept anyway is none of the forward pass.
    """
    if "down" not in targets(block, setup) or block.experts or not _casts(setup):
        return 0.0, 0.0
    dropped = 4 if setup.lora_dropout else 0
    if setup.autocast:
        return (6.0 + dropped) * block.inner, (6.0 + dropped) * block.inner
    return float(dropped * block.inner), (4.0 + dropped / 2) * block.inner


def around_activation_bytes(block: Block, setup: Training) -> float:
    """What the gradients around a feed-forward layer's activation function take for each token.

    That of its product, and of what each of the matrices before it made; what entered the last matrix is no longer
    needed by then, if it was kept for the gradient of its weights or its adapter's.
    """
    a = setup.activation_bytes
    gone = a if setup.trains_all else _adapter_input(1, setup) if "down" in targets(block, setup) else 0
    return float((3 if block.gated else 2) * a - gone) * block.inner


def _attention(block: Block, setup: Training, keys: int) -> float:
    """Queries, keys, values, the result and the log of the sum of each row; where no kernel is fused, the scores."""
    a, traits, adapted = setup.activation_bytes, block.traits, targets(block, setup)
    kept = _linears(block, setup, ("q", "k", "v"), block.hidden)
    eager = setup.attention == "eager" or traits.eager is not None
    masked = setup.padded or setup.method == "prefix-tuning"
    # A mask, or scores that are written out, need keys and values repeated for each query head.
    width = block.queries if masked or eager else block.keys
    if is_unfused(block, setup):  # PyTorch does it in 32 bits
        kept += a * block.queries + 4 * (block.queries + 2 * width)
        kept += block.heads * keys * (9 if setup.dropout else 4)
    else:
        kept += a * (2 * block.queries + 2 * width) + 4 * block.heads
    kept += a * (block.queries + block.keys) if traits.rotated else 0
    kept += a * block.queries if traits.copied and (setup.trains_all or "o" in adapted) else 0
    if traits.head_norm:
        whole = 4 if traits.norm == "gemma" else a
        kept += (4 + (whole if setup.trains_all else 0)) * (block.queries + block.keys)
    if eager:
        kept += block.heads * keys * _score_bytes(block, setup)
    elif masked:
        kept += a * keys  # the mask of zeros and minus infinity, made anew in each layer
    if "o" in adapted:
        kept += _adapter_inputs(1, block.queries, setup, is_kept=True)
    if block.crossed:
        kept += _linears(block, setup, ("q",), block.hidden) + a * 2 * block.crossed + 4 * block.heads
        kept += a * block.crossed if traits.copied else 0
    return kept


def is_unfused(block: Block, setup: Training) -> bool:
    """Whether PyTorch's attention writes out the scores for want of a kernel."""
    return block.traits.biased and setup.trains_all and setup.attention != "eager"


def _score_bytes(block: Block, setup: Training) -> float:
    """Bytes for each pair of tokens and head: the softmax, and dropout's mask and result. CUDA's autocast runs the
    softmax in 32 bits (PyTorch, list of operations of autocast)."""
    a, traits = setup.activation_bytes, block.traits
    if traits.eager is not None:
        return traits.eager * (4 if setup.autocast else a) + (1 if setup.dropout and traits.masks else 0)
    if traits.masks == 0:
        return a + 4
    return (10 if setup.autocast else 2 * a) + (1 if setup.dropout else 0)


def feed_forward_bytes(block: Block, setup: Training) -> float:
    """What one token leaves in a feed-forward layer."""
    a, adapted = setup.activation_bytes, targets(block, setup)
    inner = block.traits.inner - (1 if setup.fused_kernels and block.gated else 0)
    each: float = inner * a + (1 if block.traits.inner_mask and setup.dropout else 0)
    if setup.trains_all:
        each += 0 if setup.fused_kernels and block.gated else a
    elif "down" in adapted and not block.experts:
        each += _adapter_inputs(1, 1, setup)
    names = ("gate", "up") if block.gated else ("up",)
    kept = _linears(block, setup, names, block.hidden) if block.traits.norms > 1 else 0.0
    if block.experts:  # rows are gathered for the experts, and their results kept until they are weighed
        gathered = 2 if setup.trains_all else 1
        return kept + block.experts * (each * block.inner + gathered * a * block.hidden) + each * block.shared
    return kept + each * block.inner


def _other(block: Block, setup: Training) -> float:
    masks = (block.traits.masks + (1 if block.crossed else 0)) * block.hidden
    low_rank = len(targets(block, setup)) * setup.lora_rank * (2 if setup.autocast else setup.adapter_bytes)
    scales = 2 * setup.activation_bytes * block.hidden if block.scaled else 0
    return (masks if setup.dropout and block.traits.masks else 0) + low_rank + scales
