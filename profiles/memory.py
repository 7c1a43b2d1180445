"""The memory of one process on one GPU while it trains: the largest moment of a step, part by part, without torch.

    state     weights, further models, adapter, optimizer: there all the time
    forward   + all that the layers kept + what the last adapter works with  the end of the layers
    loss      + all that the layers kept + logits                            the end of the forward pass
    backward  + gradients so far + what the layers before this one kept      the start and the end of each stack
    words     + all gradients + the gradient of the word embeddings           the end of the backward pass
    step      + all gradients + what the optimizer works with
    trying    + the keys and values of what is generated                      GRPO and PPO, before a step

`benchmarks/memory_accuracy.py` compares it with published peaks, `benchmarks/memory_simulated.py` with what PyTorch
would keep; docs/estimating.md says how near it comes and what it leaves out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from profiles.catalog import Shape
from profiles.memory_blocks import (
    around_activation_bytes,
    crossed_bytes,
    down_adapter_bytes,
    feed_forward_bytes,
    is_unfused,
    kept_bytes,
    targets,
)
from profiles.memory_stacks import Network, Stack, network_of
from profiles.training_setup import OPTIMIZER_BYTES, OPTIMIZER_COPIES, PROMPTS, Training

GIB, MIB = 2**30, 2**20

# The CUDA context and the kernels that are loaded when they are first used (CUDA 11.7 and later; before, all were
# loaded at once and took twice as much): 0.4 to 0.6 GiB, by GPU and driver.
CONTEXT_BYTES = GIB // 2
# cuBLAS keeps 8 MiB to work in for each thread that calls it, on compute capability 9.0 32 MiB (PyTorch,
# CUBLAS_WORKSPACE_CONFIG); the forward and the backward pass are two threads, as measured on an H100. The caching
# allocator holds blocks of 2 MiB and of 20 MiB that are not full (PyTorch, CUDACachingAllocator): 2% of what is asked
# for, from the published rows that were measured as reserved.
CUBLAS_BYTES, ALLOCATOR_SHARE = 2 * 32 * MIB, 0.02
# NF4: a scale for each 64 weights, of 4 bytes, or of one with 4 bytes for each 256 scales (Dettmers et al. 2023, 3).
_NF4, _NF4_DOUBLE = 0.5 + 4 / 64, 0.5 + 1 / 64 + 4 / (64 * 256)
_CHUNK = 256  # tokens whose logits TRL 1.12 makes at a time
# Of a chunk of logits: itself, in 32 bits, its exponentials, the gradient of either, and those for the entropy.
_CHUNK_BYTES = 20.0
# Scores of pairs that are alive at once in the backward pass of attention without a kernel: those of the softmax's
# input and output, and of dropout.
_EAGER_COPIES = 3
_UNFUSED_BYTES = 2 * 4  # the same where PyTorch's attention has no kernel: of the softmax's input and output


@dataclass(frozen=True)
class Components:
    """The parts of the largest moment in bytes; they add up to the whole."""

    weights: int = 0
    adapter: int = 0
    other_models: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    logits: int = 0
    generation: int = 0
    workspace: int = 0
    context: int = 0
    allocator: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, each.name) for each in fields(self))


@dataclass(frozen=True)
class MemoryEstimate:
    """The peak of a step by its parts; `moment` says when it comes, `moments` are all of them in bytes."""

    components: Components
    moment: str
    moments: dict[str, int]
    learning: int
    parameters: int

    @property
    def total_bytes(self) -> int:
        """The peak, with the context and what the allocator holds besides."""
        return self.components.total

    @property
    def allocated_bytes(self) -> int:
        """The peak of what the tensors take: `torch.cuda.max_memory_allocated`."""
        return self.components.total - self.components.context - self.components.allocator

    @property
    def reserved_bytes(self) -> int:
        """The peak of what the allocator holds: `torch.cuda.max_memory_reserved`."""
        return self.components.total - self.components.context


@dataclass(frozen=True)
class _State:
    """What is there all the time, in bytes, and the parameters that learn."""

    weights: float
    adapter: float
    others: float
    optimizer: float
    gradients: float
    learning: int
    gradient_bytes: int

    @property
    def total(self) -> float:
        return self.weights + self.adapter + self.others + self.optimizer


def estimate_memory(shape: Shape, setup: Training, context_bytes: int = CONTEXT_BYTES) -> MemoryEstimate | None:
    """The peak of a step; None where the architecture or one of its sizes is not known."""
    network = network_of(shape, setup)
    return None if network is None else estimate_network(network, setup, context_bytes)


def estimate_network(network: Network, setup: Training, context_bytes: int = CONTEXT_BYTES) -> MemoryEstimate:
    """The peak of a step of a network."""
    state = _state(network, setup)
    copies = 1 + setup.others_learn
    parts = {name: _scaled(each, copies) for name, each in _moments(network, setup, state).items()}
    moments = {name: state.total + sum(each.values()) for name, each in parts.items()}
    moment = max(moments, key=lambda name: moments[name])
    allocated = moments[moment]
    there = parts[moment]
    numbers = {
        "weights": state.weights,
        "adapter": state.adapter,
        "other_models": state.others,
        "optimizer": state.optimizer,
        **there,
        "context": float(context_bytes),
        "allocator": ALLOCATOR_SHARE * allocated + CUBLAS_BYTES,
    }
    components = Components(**{name: math.ceil(each) for name, each in numbers.items()})
    return MemoryEstimate(
        components,
        moment,
        {name: math.ceil(each) for name, each in moments.items()},
        state.learning,
        network.parameters,
    )


def _scaled(parts: dict[str, float], copies: int) -> dict[str, float]:
    """A second model that learns keeps activations of its own; logits are made once."""
    return {name: each * (copies if name in ("activations", "gradients") else 1) for name, each in parts.items()}


# --- what is there all the time ----------------------------------------------------------------------------------


def frozen_weights_bytes(network: Network, setup: Training) -> float:
    """The weights as they are loaded; by QLoRA the linear layers in 4 bits and the rest in 16 or 32.

    The experts of Transformers 5.23 are one tensor a layer, no linear layers: they stay as they are.
    """
    if setup.method != "qlora":
        return network.parameters * setup.weight_bytes
    each = _NF4_DOUBLE if setup.double_quantized else _NF4
    return network.quantizable * each + (network.parameters - network.quantizable) * setup.weight_bytes


def learning_parameters(network: Network, setup: Training) -> int:
    """How many numbers learn: all, two thin matrices for each adapted one, or vectors before input or layers."""
    if setup.trains_all:
        return network.parameters
    if setup.method in PROMPTS:
        speaking = network.stacks[-1]
        width = network.hidden if setup.method == "prompt-tuning" else 2 * speaking.block.keys * speaking.layers
        return setup.virtual_tokens * width
    return sum(_low_rank(each, setup) * each.own_layers for each in network.stacks if each.learns)


def _low_rank(stack: Stack, setup: Training) -> int:
    sides = (stack.block.matrices[name] for name in targets(stack.block, setup))
    twice = 2 if stack.block.crossed else 1  # a second attention has adapters of its own
    attention = ("q", "k", "v", "o")
    return setup.lora_rank * sum(
        (entering + leaving) * (twice if name in attention else 1)
        for name, (entering, leaving) in zip(targets(stack.block, setup), sides, strict=True)
    )


def _state(network: Network, setup: Training) -> _State:
    weights = frozen_weights_bytes(network, setup)
    learning = learning_parameters(network, setup)
    each = setup.weight_bytes if setup.trains_all else setup.adapter_bytes
    own = 0.0 if setup.trains_all else float(learning * each)
    optimizer = learning * optimizer_bytes(setup.optimizer, each)
    frozen, copies = setup.others - setup.others_learn, 1 + setup.others_learn
    others = frozen * weights + setup.others_learn * (weights + own)
    gradients = learning * each
    if setup.optimizer_in_backward:
        largest = max((stack.block.parameters for stack in network.stacks), default=0)
        gradients = max(largest, network.words) * each
    return _State(weights, own, others, optimizer * copies, float(gradients), learning, each)


def optimizer_bytes(optimizer: str, parameter_bytes: int) -> float:
    """Bytes of state for each learning parameter."""
    if optimizer in OPTIMIZER_COPIES:
        return OPTIMIZER_COPIES[optimizer] * parameter_bytes
    return OPTIMIZER_BYTES[optimizer]


# --- moments -----------------------------------------------------------------------------------------------------


def _moments(network: Network, setup: Training, state: _State) -> dict[str, dict[str, float]]:
    """What each moment holds beside the state."""
    each, all_gradients = state.gradient_bytes, state.gradients
    held = all_gradients if setup.accumulates or not setup.trains_all else 0.0
    kept = [stored_bytes(stack, setup) for stack in network.stacks]
    everything = sum(kept) + network.front_bytes
    logits, head_gradient = _logits(network, setup)
    last = network.answered * network.hidden * (4 + setup.activation_bytes) if network.final_norm else 0.0
    casts = 0.0
    if setup.autocast and setup.weight_bytes == 4:
        logits += 2.0 * network.vocab * network.hidden if network.answered else 0.0  # a 16-bit copy of the head
        if setup.checkpointing and setup.trains_all:
            casts = 2.0 * network.matrices  # kept by autocast until the forward pass ends
    moments = {
        "loss": {
            "gradients": held,
            "activations": everything,
            "logits": max(logits + head_gradient, casts + logits * 10 / 12),
            "workspace": last,
        }
    }
    done = float(network.vocab * network.hidden * each) if setup.trains_all and network.answered else 0.0
    for stack in network.stacks[-1:] if not setup.checkpointing else ():
        entering, _ = down_adapter_bytes(stack.block, setup)
        moments["forward"] = {"gradients": held, "activations": everything, "workspace": stack.tokens * entering}
    for number in reversed(range(len(network.stacks))):
        stack = network.stacks[number]
        before = sum(kept[:number]) + network.front_bytes
        again = layer_bytes(stack, setup) if setup.checkpointing else 0.0
        work = working_bytes(stack, setup)
        now = max(held, min(done, all_gradients))
        moments[f"backward, start of stack {number + 1}"] = {
            "gradients": now,
            "activations": before + kept[number] + again,
            "workspace": work,
        }
        done += stack.parameters * each if setup.trains_all else 0.0
        first = layer_bytes(stack, setup) + (_checkpoint(stack, setup) if setup.checkpointing else 0.0)
        almost = done - (stack.block.parameters * each if setup.trains_all else 0.0)
        moments[f"backward, end of stack {number + 1}"] = {
            "gradients": max(held, min(almost, all_gradients)),
            "activations": before + first,
            "workspace": work,
        }
    if setup.trains_all and network.vocab and not setup.optimizer_in_backward:
        times = 1 if network.head else 2  # where head and words are one matrix, its gradient comes in two parts
        dense = network.vocab * network.hidden * each
        moments["words"] = {
            "gradients": all_gradients,
            "activations": network.front_bytes,
            "workspace": dense * (times - 1 if not setup.accumulates else times),
        }
    copy = state.learning * each if setup.optimizer == "adamw_foreach" else 0.0
    moments["step"] = {"gradients": all_gradients, "workspace": float(copy)}
    if setup.generated:
        moments["trying"] = {"gradients": 0.0, "generation": _generation(network, setup)}
    return moments


def layer_bytes(stack: Stack, setup: Training) -> float:
    """What one layer keeps for the whole batch."""
    if not (setup.trains_all or stack.learns):
        return 0.0
    kept = stack.tokens * kept_bytes(stack.block, setup, stack.keys)
    if stack.crossed:
        kept += stack.crossed * crossed_bytes(stack.block, setup)
    if setup.autocast and setup.weight_bytes == 4:
        kept += 2 * stack.matrices  # 16-bit copies of its weights
    return kept


def _checkpoint(stack: Stack, setup: Training) -> float:
    """The input of a layer, which is all that is kept of it until it is run again."""
    return float(stack.tokens * max(setup.residual_bytes, 2) * stack.block.hidden)


def stored_bytes(stack: Stack, setup: Training) -> float:
    """What the layers of a stack keep until the backward pass."""
    return stack.layers * (_checkpoint(stack, setup) if setup.checkpointing else layer_bytes(stack, setup))


def working_bytes(stack: Stack, setup: Training) -> float:
    """What the backward pass of a layer works with: gradients of its widest numbers, weights made whole again."""
    block, a = stack.block, setup.activation_bytes
    width = max(1, block.experts) * block.inner
    casts = "down" in targets(block, setup) and not setup.autocast and setup.adapter_bytes != a
    widest = width * (4 if casts else a)  # the gradient of what enters the last matrix, for an adapter in 32 bits
    work: float = stack.tokens * (widest + 2 * a * block.hidden)
    if not block.experts:
        _, adapting = down_adapter_bytes(block, setup)
        streams = 10 if adapting else a  # gradients of the stream: PEFT has further ones in 32 bits
        work = max(work, stack.tokens * (max(around_activation_bytes(block, setup), adapting) + streams * block.hidden))
    if setup.method == "qlora":
        work += max((math.prod(sides) for sides in block.matrices.values()), default=0) * a
    if setup.attention == "eager" or block.traits.eager is not None:
        work += _EAGER_COPIES * stack.tokens * stack.keys * block.heads * a
    elif is_unfused(block, setup):
        scores = _UNFUSED_BYTES * stack.keys * block.heads
        work = max(work, stack.tokens * (scores - feed_forward_bytes(block, setup)))  # which is done with by then
    return work


def _logits(network: Network, setup: Training) -> tuple[float, float]:
    """What the loss works with, and the gradient of the head that it makes at once."""
    tokens, vocab, hidden = network.answered, network.vocab, network.hidden
    if setup.loss == "none" or not tokens:
        return 0.0, 0.0
    head = vocab * hidden * setup.weight_bytes if setup.trains_all else 0.0
    if setup.loss == "whole":
        kept = setup.activation_bytes if setup.logits_kept else 0
        each = setup.logit_bytes
        if not network.upcast and not setup.autocast:
            each = min(each, 3.0 * setup.activation_bytes)  # the logits' exponentials, and the gradients of both
        return tokens * vocab * (each + kept), 0.0
    if setup.loss == "fused":
        return tokens * hidden * (setup.activation_bytes + 6.0), head
    chunk = min(tokens, _CHUNK) * vocab * _CHUNK_BYTES
    return chunk + tokens * hidden * 2.0 * setup.activation_bytes, head


def _generation(network: Network, setup: Training) -> float:
    """Keys and values of all that was read and said, and the logits of the next word."""
    stack = network.stacks[-1]
    cache = stack.tokens * 2 * stack.block.keys * setup.activation_bytes * stack.layers
    return cache + setup.rows * network.vocab * 8.0
