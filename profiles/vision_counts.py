"""The parameters of what sees: models of pictures and video, and the part of a vision-language model that does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from profiles.catalog import Shape

# Shapes in the eyes of a formula: the sizes that it needs are numbers.
Sizes = Any


def block_parameters(hidden: int, intermediate: int) -> int:
    """A block of the first Transformer: four square matrices, two of the feed-forward layer, biases, two LayerNorms."""
    return 4 * (hidden**2 + hidden) + 2 * hidden * intermediate + intermediate + hidden + 4 * hidden


def _vit(s: Sizes) -> int:
    """Patches and one token of the whole, with learned places (ViTModel, Dinov2Model, YolosModel)."""
    patches = 3 * s.patch**2 * s.hidden + s.hidden
    places = ((s.image // s.patch) ** 2 + 2) * s.hidden
    count = patches + places + s.layers * block_parameters(s.hidden, s.intermediate) + 2 * s.hidden
    if s.architecture == "dinov2":
        return count + s.hidden + s.layers * 2 * s.hidden  # the token of what is hidden, the scales of layers
    return count + s.hidden**2 + s.hidden


def _dinov3(s: Sizes) -> int:
    """Turned places, tokens to keep notes in, scales of layers, keys without bias (DINOv3ViTModel)."""
    patches = 3 * s.patch**2 * s.hidden + s.hidden
    block = block_parameters(s.hidden, s.intermediate) - s.hidden + 2 * s.hidden
    return patches + (1 + 1 + (s.registers or 0)) * s.hidden + s.layers * block + 2 * s.hidden


def _videomae(s: Sizes) -> int:
    """Patches of several frames with fixed places, keys without bias (VideoMAEModel)."""
    patches = 3 * s.tubelet * s.patch**2 * s.hidden + s.hidden
    return patches + s.layers * (block_parameters(s.hidden, s.intermediate) - s.hidden)


def _timesformer(s: Sizes) -> int:
    """A second attention, over time, with its projection and norm in each block (TimesformerModel)."""
    square = s.hidden**2 + s.hidden
    patches = 3 * s.patch**2 * s.hidden + s.hidden
    places = ((s.image // s.patch) ** 2 + 1 + 1 + s.frames) * s.hidden
    block = block_parameters(s.hidden, s.intermediate) + 4 * square + square + 2 * s.hidden
    return patches + places + s.layers * block + 2 * s.hidden


# The models of pictures and video, without the head of a task: ...Model of Transformers.
SEERS: Mapping[str, Callable[[Sizes], int]] = MappingProxyType(
    {
        "vit": _vit,
        "dinov2": _vit,
        "dinov3_vit": _dinov3,
        "videomae": _videomae,
        "timesformer": _timesformer,
    }
)


# --- the part of a vision-language model that sees, and what joins it to the decoder ---------------------------------


def count_sight(shape: Shape) -> int:
    """Everything of a vision-language model but its decoder; TypeError where a size is missing."""
    return _SIGHTS[shape.architecture](shape, shape.vision)


def _linear(entering: int, leaving: int) -> int:
    return entering * leaving + leaving


def _blocks(v: Sizes) -> int:
    """All blocks of the first Transformer's kind."""
    return v.layers * block_parameters(v.hidden, v.intermediate)


def _siglip(v: Sizes) -> int:
    """Patches with learned places, blocks, a last norm (SiglipVisionTransformer without head, Idefics3)."""
    places = (v.image // v.patch) ** 2 * v.hidden
    return _linear(3 * v.patch**2, v.hidden) + places + _blocks(v) + 2 * v.hidden


def _idefics3(s: Sizes, v: Sizes) -> int:
    """A square of patches becomes one token by one matrix without bias."""
    return _siglip(v) + v.merge**2 * v.hidden * s.hidden


def _gemma3(s: Sizes, v: Sizes) -> int:
    """A norm and a matrix join the two."""
    return _siglip(v) + v.hidden * s.hidden + v.hidden


def _llava(s: Sizes, v: Sizes) -> int:
    """CLIP: patches without bias, a token of the whole, a norm before and after; two matrices join."""
    places = ((v.image // v.patch) ** 2 + 1 + 1) * v.hidden
    seen = 3 * v.patch**2 * v.hidden + places + _blocks(v) + 4 * v.hidden
    return seen + _linear(v.hidden, s.hidden) + _linear(s.hidden, s.hidden)


def _mistral3(s: Sizes, v: Sizes) -> int:
    """Pixtral: no biases, gated feed-forward layers, norms of one weight a unit; merged patches, two matrices join."""
    block = 4 * v.hidden**2 + 3 * v.hidden * v.intermediate + 2 * v.hidden
    seen = 3 * v.patch**2 * v.hidden + v.hidden + v.layers * block
    return seen + v.hidden + v.merge**2 * v.hidden**2 + v.hidden * s.hidden + s.hidden**2


def _merger(v: Sizes, norm: int) -> int:
    """A norm, then two matrices from a square of patches to the width of the decoder."""
    wide = v.merge**2 * v.hidden
    return norm + _linear(wide, wide) + _linear(wide, v.output)


def _qwen2_vl(s: Sizes, v: Sizes) -> int:
    """Patches of two frames without bias, blocks with LayerNorms, one merger."""
    return 3 * v.tubelet * v.patch**2 * v.hidden + _blocks(v) + _merger(v, 2 * v.hidden)


def _qwen2_5_vl(s: Sizes, v: Sizes) -> int:
    """As before, but gated feed-forward layers with biases and norms of one weight a unit."""
    feed = 2 * _linear(v.hidden, v.intermediate) + _linear(v.intermediate, v.hidden)
    block = 4 * _linear(v.hidden, v.hidden) + feed + 2 * v.hidden
    return 3 * v.tubelet * v.patch**2 * v.hidden + v.layers * block + _merger(v, v.hidden)


def _qwen3_vl(s: Sizes, v: Sizes) -> int:
    """Learned places, and a merger of its own for each layer that hands on what it saw."""
    patches = _linear(3 * v.tubelet * v.patch**2, v.hidden) + v.positions * v.hidden
    taps = v.taps * _merger(v, 2 * v.merge**2 * v.hidden)
    return patches + _blocks(v) + _merger(v, 2 * v.hidden) + taps


_SIGHTS: Mapping[str, Callable[[Sizes, Sizes], int]] = MappingProxyType(
    {
        "smolvlm": _idefics3,
        "idefics3": _idefics3,
        "gemma3": _gemma3,
        "llava": _llava,
        "mistral3": _mistral3,
        "qwen2_vl": _qwen2_vl,
        "qwen2_5_vl": _qwen2_5_vl,
        "qwen3_vl": _qwen3_vl,
    }
)
