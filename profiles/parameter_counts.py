"""How many parameters a network of a given shape has, tied ones once: the formula of each architecture.

The formulas follow the classes of Transformers, which is also what a test compares them with: decoders and
encoder-decoders with their output head; encoders of text, sound, pictures and video without the head of a task, which
is made anew for each set of labels, but with the pooler that Transformers gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from backends.contract import UsageError, nearest
from profiles.catalog import Shape
from profiles.vision_counts import SEERS, block_parameters, count_sight

# A Shape in the eyes of a formula: the sizes that it needs are numbers, else count_parameters says what is missing.
Sizes = Any


def count_parameters(shape: Shape) -> int:
    """All parameters of a network, in single ones.

    Raises UsageError when no formula is known for its architecture or a size is missing.
    """
    formula = _FORMULAS.get(shape.architecture)
    if formula is None:
        known = tuple(_FORMULAS)
        raise UsageError(
            f"The parameters of a network of architecture {shape.architecture!r:.80} cannot be counted",
            "its formula is not known here",
            f"Correct the name{nearest(shape.architecture, known)}, or give the number itself.",
        )
    try:
        return formula(shape)
    except TypeError:  # arithmetic with None
        raise UsageError(
            f"The parameters of this {shape.architecture} network cannot be counted",
            f"it has no {', '.join(_unknown(shape))}, or a part of it",
            "Give every size that its architecture has.",
        ) from None


def count_active_parameters(shape: Shape) -> int:
    """The parameters that work on one token: of a mixture of experts only those experts that are chosen."""
    return count_parameters(shape) - _idle_parameters(shape)


def _unknown(shape: Shape) -> tuple[str, ...]:
    usual = ("layers", "hidden", "intermediate", "heads", "kv_heads", "head_dim", "vocab", "positions", "vision")
    return tuple(name for name in usual if getattr(shape, name) is None)


def has_formula(architecture: str) -> bool:
    """Whether `count_parameters` knows an architecture."""
    return architecture in _FORMULAS


# --- decoders: ...ForCausalLM ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Decoder:
    """What tells one family of decoders from another; the defaults are those of Llama.

    norm: parameters of a norm for each unit (RMSNorm 1, LayerNorm 2). qk_norm: of queries and keys, by head or whole.
    """

    norms: int = 2
    norm: int = 1
    gated: bool = True
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    head_bias: bool = False
    qk_norm: str | None = None
    sinks: bool = False
    router_bias: bool = False
    embedding_norm: bool = False
    extra_positions: int = 0


_BIASED: Mapping[str, Any] = {"norm": 2, "gated": False, "qkv_bias": True, "out_bias": True, "mlp_bias": True}

_DECODERS: Mapping[str, _Decoder] = MappingProxyType(
    {
        **{name: _Decoder() for name in ("llama", "mistral", "ministral3", "mixtral", "smollm3", "granite", "phi3")},
        "qwen2": _Decoder(qkv_bias=True),
        "qwen3": _Decoder(qk_norm="head"),
        "qwen3_moe": _Decoder(qk_norm="head"),
        "gemma": _Decoder(),
        "gemma2": _Decoder(norms=4),
        "gemma3_text": _Decoder(norms=4, qk_norm="head"),
        "olmo": _Decoder(norms=0, norm=0),
        "olmo2": _Decoder(qk_norm="whole"),
        "llama4_text": _Decoder(),
        "gpt_oss": _Decoder(qkv_bias=True, out_bias=True, mlp_bias=True, sinks=True, router_bias=True),
        "phi": _Decoder(norms=1, head_bias=True, **_BIASED),
        "gpt2": _Decoder(**_BIASED),
        "gpt_neox": _Decoder(**_BIASED),
        "starcoder2": _Decoder(**_BIASED),
        "opt": _Decoder(extra_positions=2, **_BIASED),
        "bloom": _Decoder(embedding_norm=True, **_BIASED),
    }
)
# These learn a vector for each place in the text; the others turn queries and keys or bend the scores.
_WITH_POSITIONS = ("gpt2", "opt")


def _decoder(s: Sizes) -> int:
    """Word embeddings, blocks of attention and feed-forward layers, a last norm, the head: Transformers modeling_*.py.

    Grouped queries: keys and values have kv_heads, so attention is h(q + 2 kv) + q h with q = heads times head_dim.
    """
    family = _DECODERS[s.architecture]
    words = s.vocab * s.hidden * (1 if s.tied_embeddings else 2) + (s.vocab if family.head_bias else 0)
    places = (s.positions + family.extra_positions) * s.hidden if s.architecture in _WITH_POSITIONS else 0
    norms = (1 + (1 if family.embedding_norm else 0)) * family.norm * s.hidden
    blocks = s.layers * (_attention(s, family) + family.norms * family.norm * s.hidden)
    return words + places + norms + blocks + _feed_forward(s, family)


def _attention(s: Sizes, family: _Decoder) -> int:
    heads_out, kept = s.heads * s.head_dim, s.kv_heads * s.head_dim
    qkv_bias = family.qkv_bias if s.attention_bias is None else s.attention_bias
    out_bias = family.out_bias if s.attention_bias is None else s.attention_bias
    count = s.hidden * (heads_out + 2 * kept) + heads_out * s.hidden
    count += (heads_out + 2 * kept if qkv_bias else 0) + (s.hidden if out_bias else 0)
    count += {"head": 2 * s.head_dim, "whole": heads_out + kept, None: 0}[family.qk_norm]
    return count + (s.heads if family.sinks else 0)


def _feed_forward(s: Sizes, family: _Decoder) -> int:
    """Of all layers together, since a mixture of experts may have layers without experts."""
    has_bias = family.mlp_bias if s.mlp_bias is None else s.mlp_bias

    def one(width: int) -> int:
        matrices, inner = (3, 2) if family.gated else (2, 1)
        return matrices * s.hidden * width + (inner * width + s.hidden if has_bias else 0)

    if s.experts is None:
        return s.layers * one(s.intermediate)
    router = s.hidden * s.experts + (s.experts if family.router_bias else 0)
    shared = one(s.shared_intermediate) if s.shared_intermediate is not None else 0
    mixed = _mixed_layers(s)
    dense = (s.layers - mixed) * one(s.dense_intermediate) if mixed < s.layers else 0
    return mixed * (s.experts * one(s.intermediate) + router + shared) + dense


def _mixed_layers(s: Sizes) -> int:
    return s.layers // (s.expert_every or 1)


def _idle_parameters(s: Sizes) -> int:
    if s.experts is None:
        return 0
    family = _DECODERS[s.architecture]
    bias = 2 * s.intermediate + s.hidden if family.mlp_bias else 0
    return _mixed_layers(s) * (s.experts - s.experts_active) * (3 * s.hidden * s.intermediate + bias)


# --- encoders: ...Model ------------------------------------------------------------------------------------------


def _bert(s: Sizes) -> int:
    """Embeddings of words, places and types with a LayerNorm, blocks, a pooler where the class has one (BertModel)."""
    width = s.embedding or s.hidden
    words = (s.vocab + (s.positions or 0) + (s.token_types or 0)) * width + 2 * width
    widened = width * s.hidden + s.hidden if width != s.hidden or s.architecture == "albert" else 0
    distances = (s.relative_buckets or 0) * s.heads if s.architecture == "mpnet" else 0
    pooler = 0 if s.architecture in ("electra", "distilbert") else s.hidden**2 + s.hidden
    blocks = 1 if s.architecture == "albert" else s.layers  # albert shares one block among all layers
    return words + widened + distances + blocks * block_parameters(s.hidden, s.intermediate) + pooler


def _deberta(s: Sizes) -> int:
    """Words, blocks, and 2 x buckets distances in each of `hidden` with a LayerNorm (DebertaV2Model, version 3)."""
    places = (s.positions or 0) + (s.token_types or 0)
    distances = 2 * s.relative_buckets * s.hidden + 2 * s.hidden
    return (
        (s.vocab + places) * s.hidden + 2 * s.hidden + distances + s.layers * block_parameters(s.hidden, s.intermediate)
    )


def _modernbert(s: Sizes) -> int:
    """No biases, gated feed-forward layers, norms of one weight a unit, none before the first attention."""
    block = 4 * s.hidden**2 + 3 * s.hidden * s.intermediate + 2 * s.hidden
    return s.vocab * s.hidden + s.hidden + s.layers * block - s.hidden + s.hidden


# --- encoder-decoders: ...ForConditionalGeneration ---------------------------------------------------------------


def _t5(s: Sizes) -> int:
    """No biases, norms of one weight a unit, learned distances in the first block of either side, kept in all."""
    inner = s.heads * s.head_dim
    attention, feed = 4 * s.hidden * inner, (3 if s.gated_mlp else 2) * s.hidden * s.intermediate
    words = s.vocab * s.hidden * (1 if s.tied_embeddings else 2)
    encoder = s.encoder_layers * (attention + feed + 2 * s.hidden)
    decoder = s.layers * (2 * attention + feed + 3 * s.hidden)
    return words + encoder + decoder + 2 * s.relative_buckets * s.heads + 2 * s.hidden


def _bart(s: Sizes) -> int:
    """Words once for all, places on either side; the norms after embeddings and blocks differ by family."""
    encoder_block = block_parameters(s.hidden, s.encoder_intermediate or s.intermediate)
    decoder_block = block_parameters(s.hidden, s.intermediate) + 4 * (s.hidden**2 + s.hidden) + 2 * s.hidden
    words = s.vocab * s.hidden * (2 if s.tied_embeddings is False else 1)
    offset = {"bart": 2, "mbart": 2}.get(s.architecture, 0)
    places = 0 if s.architecture == "m2m_100" else 2 * (s.positions + offset) * s.hidden
    norms = {"bart": 1, "mbart": 2, "marian": 0, "pegasus": 1, "m2m_100": 1}[s.architecture] * 4 * s.hidden
    return words + places + norms + s.encoder_layers * encoder_block + s.layers * decoder_block


# --- speech ------------------------------------------------------------------------------------------------------


def _whisper(s: Sizes) -> int:
    """Two convolutions over the spectrogram, then as BART, but keys have no bias (WhisperForConditionalGeneration)."""
    ear = 3 * s.mel_bins * s.hidden + s.hidden + 3 * s.hidden**2 + s.hidden + s.audio_positions * s.hidden
    encoder = s.encoder_layers * (block_parameters(s.hidden, s.encoder_intermediate or s.intermediate) - s.hidden)
    attention = 4 * (s.hidden**2 + s.hidden) - s.hidden
    decoder = s.layers * (block_parameters(s.hidden, s.intermediate) - s.hidden + attention + 2 * s.hidden)
    return ear + encoder + decoder + (s.vocab + s.positions) * s.hidden + 4 * s.hidden


_EAR = (512, (10, 3, 3, 3, 3, 2, 2))  # channels and kernels of the convolutions over the wave
_PLACE_KERNEL, _PLACE_GROUPS = 128, 16


def _wav2vec2(s: Sizes) -> int:
    """Seven convolutions over the wave, a convolution that tells places, blocks (Wav2Vec2Model, HubertModel)."""
    channels, kernels = _EAR
    ear = channels * kernels[0] + sum(channels**2 * kernel for kernel in kernels[1:])
    ear += channels * (3 * len(kernels) if s.layered_norms else 2)
    projection = 2 * channels + channels * s.hidden + s.hidden
    places = s.hidden * (s.hidden // _PLACE_GROUPS) * _PLACE_KERNEL + _PLACE_KERNEL + s.hidden
    return ear + projection + places + s.hidden + 2 * s.hidden + s.layers * block_parameters(s.hidden, s.intermediate)


# --- vision and language -----------------------------------------------------------------------------------------

# Which decoder speaks in a model that sees.
SPEAKERS: Mapping[str, str] = MappingProxyType(
    {
        "qwen2_vl": "qwen2",
        "qwen2_5_vl": "qwen2",
        "qwen3_vl": "qwen3",
        "smolvlm": "llama",
        "idefics3": "llama",
        "llava": "llama",
        "gemma3": "gemma3_text",
        "mistral3": "mistral",
    }
)


def _speaker(s: Shape) -> Shape:
    return replace(s, architecture=SPEAKERS[s.architecture], vision=None)


def _vision_language(s: Sizes) -> int:
    """The decoder that speaks, the part that sees and what joins them."""
    return _decoder(_speaker(s)) + count_sight(s)


_FORMULAS: Mapping[str, Callable[[Shape], int]] = MappingProxyType(
    {
        **dict.fromkeys(_DECODERS, _decoder),
        **dict.fromkeys(
            ("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "electra", "distilbert", "albert"), _bert
        ),
        "deberta-v2": _deberta,
        "modernbert": _modernbert,
        "t5": _t5,
        "mt5": _t5,
        **dict.fromkeys(("bart", "mbart", "marian", "pegasus", "m2m_100"), _bart),
        "whisper": _whisper,
        "wav2vec2": _wav2vec2,
        "hubert": _wav2vec2,
        **SEERS,
        **dict.fromkeys(SPEAKERS, _vision_language),
    }
)
