"""A network as stacks of equal layers with the tokens that pass through each: what the memory of a step is made of.

One function a family. Sizes come from a Shape; where one is missing, or an architecture is not known, there is no
network and nothing is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from backends.contract import UsageError
from profiles.catalog import Shape
from profiles.memory_blocks import TRAITS, Block, Traits
from profiles.parameter_counts import SPEAKERS, count_parameters
from profiles.training_setup import Training

# A Shape in the eyes of a formula: the sizes that it needs are numbers.
Sizes = Any

_SAMPLE_RATE = 16_000  # of speech models (Baevski et al. 2020, Radford et al. 2022)
_WHISPER_FRAMES = 3_000  # 30 seconds of spectrogram, whatever the length of the sound
_EAR_CHANNELS, _EAR = 512, ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))  # kernels and strides of wav2vec 2


@dataclass(frozen=True)
class Stack:
    """Equal layers and the tokens of a whole batch that pass through them; `crossed` tokens of another are attended.

    `own` are the layers with weights of their own, where not all have: of ALBERT it is one.
    """

    block: Block
    layers: int
    tokens: int
    keys: int
    crossed: int = 0
    learns: bool = True
    own: int | None = None

    @property
    def parameters(self) -> int:
        """Of all layers."""
        return self.block.parameters * self.own_layers

    @property
    def own_layers(self) -> int:
        """The layers with weights of their own."""
        return self.layers if self.own is None else self.own

    @property
    def matrices(self) -> int:
        """Parameters of the linear layers of a block."""
        return self.block.adaptable


@dataclass(frozen=True)
class Network:
    """Stacks in the order of the forward pass. `words` are parameters of the word embeddings, `head` those of the
    matrix that gives logits where it is one of its own; `front_bytes` is what is kept before the first layer."""

    stacks: tuple[Stack, ...]
    parameters: int
    vocab: int
    hidden: int
    words: int
    head: int
    answered: int  # tokens that logits are made for
    front_bytes: float
    final_norm: bool
    upcast: bool = True  # logits become 32 bits for the loss

    @property
    def matrices(self) -> int:
        """Parameters of the linear layers and the experts of all stacks."""
        return sum(each.matrices * each.own_layers for each in self.stacks)

    @property
    def quantizable(self) -> int:
        """Parameters that 4-bit weights replace."""
        return sum(each.block.quantizable * each.own_layers for each in self.stacks)


def network_of(shape: Shape, setup: Training) -> Network | None:
    """The network of a shape in a step of training; None where its architecture or one of its sizes is not known."""
    make = _FAMILIES.get(shape.architecture)
    if make is None:
        return None
    try:
        return make(shape, setup)
    except (TypeError, UsageError):  # arithmetic with None; no formula for the parameters
        return None


# --- blocks ------------------------------------------------------------------------------------------------------


def _block(s: Sizes, traits: Traits, intermediate: int, crossed: bool = False) -> Block:
    """A block by its widths; its parameters are those of its matrices, beside which biases and norms are small."""
    queries = s.heads * (s.head_dim or s.hidden // s.heads)
    keys = (s.kv_heads or s.heads) * (s.head_dim or s.hidden // s.heads)
    gated = bool(s.gated_mlp) if s.gated_mlp is not None else traits.inner in (3, 6)
    matrices = {
        "q": (s.hidden, queries),
        "k": (s.hidden, keys),
        "v": (s.hidden, keys),
        "o": (queries, s.hidden),
        "up": (s.hidden, intermediate),
        "down": (intermediate, s.hidden),
    }
    if gated:
        matrices["gate"] = (s.hidden, intermediate)
    experts = s.experts_active or 0
    shared = s.shared_intermediate or 0
    attention = sum(math.prod(matrices[name]) for name in "qkvo") * (2 if crossed else 1)
    feed = (3 if gated else 2) * s.hidden * intermediate
    count = attention + feed * (s.experts or 1) + (3 * s.hidden * shared if experts else 0)
    if experts:  # PEFT leaves the fused matrices of experts alone
        matrices = {name: matrices[name] for name in "qkvo"}
        matrices.update({"up": (0, 0), "down": (0, 0)} if shared == 0 else {})
    return Block(
        traits=traits,
        hidden=s.hidden,
        queries=queries,
        keys=keys,
        heads=s.heads,
        inner=intermediate,
        matrices=MappingProxyType({name: each for name, each in matrices.items() if each != (0, 0)}),
        parameters=count,
        adaptable=count,
        quantizable=count if not experts else attention + 3 * s.hidden * shared,
        experts=experts,
        shared=shared,
        gated=gated,
        crossed=queries if crossed else 0,
        scaled=s.architecture in ("dinov2", "dinov3_vit"),
    )


# --- text --------------------------------------------------------------------------------------------------------


def _decoder(s: Sizes, setup: Training) -> Network:
    length = setup.length + (setup.virtual_tokens if setup.method == "prompt-tuning" else 0) + setup.generated
    keys = length + (setup.virtual_tokens if setup.method == "prefix-tuning" else 0)
    traits, tokens = TRAITS[s.architecture], setup.rows * length
    mixed = s.layers // (s.expert_every or 1)
    stacks: tuple[Stack, ...] = (Stack(_block(s, traits, s.intermediate), mixed, tokens, keys),)
    if mixed < s.layers:  # every other layer without experts: here they stand together, which takes as much
        plain = replace(s, experts=None, experts_active=None, shared_intermediate=None)
        stacks = (Stack(_block(plain, traits, s.dense_intermediate), s.layers - mixed, tokens, keys), *stacks)
    words = s.vocab * (s.embedding or s.hidden)
    head = 0 if s.tied_embeddings else s.vocab * s.hidden
    answered = setup.rows * (setup.generated or setup.answered or length)  # words before the text get logits too
    return Network(stacks, count_parameters(s), s.vocab, s.hidden, words, head, answered, 0.0, True)


def _encoder(s: Sizes, setup: Training) -> Network:
    tokens = setup.rows * setup.length
    own = 1 if s.architecture == "albert" else None
    stack = Stack(_block(s, TRAITS[s.architecture], s.intermediate), s.layers, tokens, setup.length, own=own)
    width = s.embedding or s.hidden
    masks = 1 if setup.dropout else 0
    front = tokens * width * (2 * max(setup.activation_bytes, setup.residual_bytes) + masks)
    pairs = 0.0
    if s.architecture == "modernbert":  # masks of the near and of the far, made once
        pairs = 2 * setup.rows * setup.length**2 * setup.activation_bytes
    front = front if setup.trains_all else 0.0
    return Network((stack,), count_parameters(s), s.vocab, s.hidden, s.vocab * width, 0, 0, front + pairs, False)


def _encoder_decoder(s: Sizes, setup: Training) -> Network:
    target = setup.target_length or setup.length
    source_tokens, target_tokens = setup.rows * setup.length, setup.rows * target
    traits = TRAITS[s.architecture]
    if s.architecture == "t5" and s.gated_mlp:
        traits = replace(traits, inner=6)
    listening = _block(s, traits, s.encoder_intermediate or s.intermediate)
    speaking = _block(s, traits, s.intermediate, crossed=True)
    stacks = (
        Stack(listening, s.encoder_layers, source_tokens, setup.length),
        Stack(speaking, s.layers, target_tokens, target, crossed=source_tokens),
    )
    own_head = s.tied_embeddings is False
    words = s.vocab * s.hidden
    a = setup.activation_bytes
    front = 2 * (source_tokens + target_tokens) * s.hidden * a
    if s.relative_buckets is not None:  # scores for distances, in either stack one for each pair and head
        front += s.heads * (setup.length**2 + target**2) * max(a, setup.residual_bytes)
    head = words if own_head else 0
    front = front if setup.trains_all else 0.0
    return Network(stacks, count_parameters(s), s.vocab, s.hidden, words, head, target_tokens, front, False, False)


# --- pictures, video, sound --------------------------------------------------------------------------------------


def _seer(s: Sizes, setup: Training) -> Network:
    """Patches of a picture or of a clip are the tokens."""
    patches = (s.image // s.patch) ** 2
    frames = s.frames // (s.tubelet or 1) if s.frames is not None else 1
    extra = {"vit": 1, "dinov2": 1, "dinov3_vit": 1 + (s.registers or 0), "timesformer": 1}.get(s.architecture, 0)
    length = patches * frames + extra
    block = _block(s, TRAITS[s.architecture], s.intermediate)
    if s.architecture == "timesformer":  # attention over time and over space, one after the other
        square = s.hidden**2
        more = 5 * square
        block = replace(
            block,
            crossed=s.hidden,
            parameters=block.parameters + more,
            adaptable=block.adaptable + more,
            quantizable=block.quantizable + more,
        )
    tokens = setup.rows * length
    keys = patches + extra if s.architecture == "timesformer" else length
    front = setup.rows * (s.frames or 1) * 3 * s.image**2 * (setup.weight_bytes + (2 if setup.autocast else 0))
    stack = Stack(block, s.layers, tokens, keys, crossed=0)
    return Network((stack,), count_parameters(s), 0, s.hidden, 0, 0, 0, front, False)


def _whisper(s: Sizes, setup: Training) -> Network:
    target = setup.target_length or setup.length
    heard, said = setup.rows * s.audio_positions, setup.rows * target
    traits = TRAITS["whisper"]
    stacks = (
        Stack(_block(s, traits, s.encoder_intermediate or s.intermediate), s.encoder_layers, heard, s.audio_positions),
        Stack(_block(s, traits, s.intermediate, crossed=True), s.layers, said, target, crossed=heard),
    )
    a = setup.activation_bytes
    spectrogram = setup.rows * _WHISPER_FRAMES * s.mel_bins * (setup.weight_bytes + (2 if setup.autocast else 0))
    front = spectrogram + (2 * a * s.hidden * setup.rows * (_WHISPER_FRAMES + s.audio_positions))
    front += a * s.hidden * (heard + said)
    words = s.vocab * s.hidden
    return Network(stacks, count_parameters(s), s.vocab, s.hidden, words, 0, said, front, False, False)


def ear_frames(seconds: float) -> tuple[int, ...]:
    """How many vectors each of the convolutions over a wave gives."""
    frames, found = int(seconds * _SAMPLE_RATE), []
    for kernel, stride in _EAR:
        frames = max(1, (frames - kernel) // stride + 1)
        found.append(frames)
    return tuple(found)


def _wav2vec2(s: Sizes, setup: Training) -> Network:
    """Each convolution keeps what it gives before and after its activation, the first one (or all) a norm besides."""
    frames = ear_frames(setup.seconds)
    norms = sum(frames) if s.layered_norms else frames[0]
    width = max(setup.activation_bytes, 4 if setup.autocast else setup.weight_bytes)
    ear = setup.rows * _EAR_CHANNELS * (2 * sum(frames) * setup.activation_bytes + norms * width)
    tokens = setup.rows * frames[-1]
    block = _block(s, TRAITS[s.architecture], s.intermediate)
    a = setup.activation_bytes
    front = (ear if setup.front_learns and setup.trains_all else 0.0) + tokens * s.hidden * 5 * a
    if setup.trains_all:  # the weights of the convolution that tells places are normalized anew in each step
        front += s.hidden * (s.hidden // 16) * 128 * setup.weight_bytes
    return Network(
        (Stack(block, s.layers, tokens, frames[-1]),), count_parameters(s), 0, s.hidden, 0, 0, 0, front, False
    )


def _vision_language(s: Sizes, setup: Training) -> Network:
    """The decoder with its pictures among its tokens, and the part that sees before it."""
    speaker = _decoder(replace(s, architecture=SPEAKERS[s.architecture], vision=None), setup)
    v = s.vision
    side = v.image or _USUAL_SIDE
    patches = (side // v.patch) ** 2
    gated = v.architecture in ("pixtral", "qwen2_5_vl_vision")
    traits = Traits(norm="rms", inner=3) if gated else Traits()
    sizes = replace(v, kv_heads=v.heads, head_dim=None, gated_mlp=gated)
    tokens = setup.rows * setup.pictures * patches
    block = _block(sizes, traits, v.intermediate)
    front = setup.rows * setup.pictures * 3 * side**2 * setup.weight_bytes
    seeing = Stack(block, v.layers, tokens, patches, learns=setup.trains_all or setup.adapts)
    return replace(speaker, stacks=(seeing, *speaker.stacks), parameters=count_parameters(s), front_bytes=front)


_USUAL_SIDE = 448  # pixels, for models that take pictures of any size; the trainer scales larger ones down


def picture_tokens(shape: Shape) -> int | None:
    """How many tokens of the decoder one picture becomes; None for a model that does not see or of unknown sizes."""
    v = shape.vision
    if v is None or v.patch is None:
        return None
    side = (v.image or _USUAL_SIDE) // v.patch
    merge = shape.vision.merge or 1 if shape.vision is not None else 1
    if shape.architecture == "gemma3":
        return 256  # pooled to 16 x 16 (Gemma 3, technical report)
    return max(1, side // merge) ** 2


_TEXT_DECODERS = (
    *("llama", "mistral", "ministral3", "mixtral", "smollm3", "granite", "phi3", "qwen2", "qwen3", "qwen3_moe"),
    *("gemma", "gemma2", "gemma3_text", "olmo", "olmo2", "llama4_text", "gpt_oss", "phi", "gpt2", "gpt_neox"),
    *("starcoder2", "opt", "bloom"),
)
_FAMILIES: Mapping[str, Callable[[Shape, Training], Network]] = MappingProxyType(
    {
        **dict.fromkeys(_TEXT_DECODERS, _decoder),
        **dict.fromkeys(
            (
                *("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "electra", "distilbert", "albert"),
                *("deberta-v2", "modernbert"),
            ),
            _encoder,
        ),
        **dict.fromkeys(("t5", "mt5", "bart", "mbart", "marian", "pegasus", "m2m_100"), _encoder_decoder),
        **dict.fromkeys(("vit", "dinov2", "dinov3_vit", "videomae", "timesformer"), _seer),
        "whisper": _whisper,
        **dict.fromkeys(("wav2vec2", "hubert"), _wav2vec2),
        **dict.fromkeys(SPEAKERS, _vision_language),
    }
)
