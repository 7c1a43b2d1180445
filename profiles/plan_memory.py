"""The memory of a plan: components, verdict, margin and what could be changed, for whatever is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from profiles.catalog import Model, Shape
from profiles.fit import (
    TOO_LARGE,
    Change,
    changes,
    cheapest_change,
    judge,
    largest_batch,
    largest_length,
    verdict_of,
    with_margin,
)
from profiles.memory import optimizer_bytes
from profiles.memory_margin import Margin
from profiles.memory_trees import TREES_MARGIN, trees_memory
from profiles.training_setup import Training

# Presets are made when the data is known: those of backends/encoders.py and encoder_decoders.py with their largest
# vocabulary.
_PRESETS: Mapping[str, Shape] = {
    "preset:tiny-encoder": Shape("modernbert", layers=2, hidden=128, intermediate=192, heads=4, vocab=8_000),
    "preset:tiny-encoder-decoder": Shape(
        "marian",
        layers=2,
        hidden=128,
        intermediate=256,
        heads=4,
        vocab=8_000,
        tied_embeddings=True,
        positions=1024,
        encoder_layers=2,
        encoder_intermediate=256,
    ),
}
_LENGTHS = ("causal-lm", "encoder", "encoder-decoder")


@dataclass(frozen=True)
class PlanMemory:
    """What a run takes; what is not known is None. `assumptions` is a sentence on what was taken for granted.

    `safe_bytes` is the total with the margin, `cheapest` the change that makes it fit where it does not.
    """

    components: Mapping[str, int]
    total_bytes: int | None
    safe_bytes: int | None
    free_bytes: int | None
    verdict: str | None
    margin: float | None
    assumptions: str
    largest_batch: int | None = None
    largest_length: int | None = None
    changes: tuple[Change, ...] = ()
    cheapest: Change | None = None


def shape_of(model: Model) -> Shape | None:
    """The shape of a model, of a preset as it will be made."""
    return model.shape or _PRESETS.get(model.id)


def memory_of(
    model: Model,
    setup: Training,
    free_bytes: int | None,
    on_gpu: bool,
    methods: Sequence[str] = (),
    smaller: Sequence[Model] = (),
) -> PlanMemory:
    """What training a model takes; of a shape that is not known only what its parameters need is counted."""
    shape = shape_of(model)
    made = model if model.shape is not None else replace(model, shape=shape)
    judged = judge(made, setup, free_bytes, on_gpu)
    if judged is None:
        return _weights_only(model, setup, free_bytes)
    components = {name: size for name, size in asdict(judged.estimate.components).items() if size}
    has_length = model.kind in _LENGTHS
    return PlanMemory(
        components=components,
        total_bytes=judged.estimate.total_bytes,
        safe_bytes=judged.safe_bytes,
        free_bytes=free_bytes,
        verdict=judged.verdict,
        margin=judged.margin.share,
        assumptions=_assumed(
            setup, judged.margin, judged.estimate.moment, on_gpu, has_length, bool(shape and shape.experts)
        ),
        largest_batch=largest_batch(made, setup, free_bytes, on_gpu),
        largest_length=largest_length(made, setup, free_bytes, on_gpu, model.context) if has_length else None,
        changes=changes(made, setup, free_bytes, on_gpu, methods, smaller),
        cheapest=cheapest_change(made, setup, free_bytes, on_gpu, methods, smaller),
    )


def memory_of_trees(
    rows: int | None, features: int | None, classes: int, free_bytes: int | None, depth: int = 6, on_gpu: bool = False
) -> PlanMemory:
    """What boosting trees on a table takes, in the memory of the machine or on its GPU."""
    if rows is None or not features:
        return PlanMemory({}, None, None, free_bytes, None, None, "the size of the table is not known")
    components = trees_memory(rows, features, classes, depth, on_gpu)
    where = "on the GPU" if on_gpu else "in the memory of the machine"
    margin = Margin(TREES_MARGIN, 0, "trees")
    total = components.total
    return PlanMemory(
        components={name: size for name, size in asdict(components).items() if size},
        total_bytes=total,
        safe_bytes=with_margin(total, margin),
        free_bytes=free_bytes,
        verdict=verdict_of(total, margin, free_bytes),
        margin=margin.share,
        assumptions=f"{rows:,} rows of {features:,} columns {where}; the margin is a rule of thumb: how often a table "
        "is copied is not known beforehand",
    )


def _weights_only(model: Model, setup: Training, free_bytes: int | None) -> PlanMemory:
    """A lower bound without what layers keep: it can say that a model is too large, and nothing else."""
    if model.parameters is None:
        return PlanMemory({}, None, None, free_bytes, None, None, "the size of this model is not known")
    each = 0.5 if setup.method == "qlora" else setup.weight_bytes
    counted = {"weights": int(model.parameters * each)}
    if setup.trains_all:
        counted["gradients"] = counted["weights"]
        counted["optimizer"] = int(model.parameters * optimizer_bytes(setup.optimizer, setup.weight_bytes))
    is_too_large = free_bytes is not None and sum(counted.values()) > free_bytes
    return PlanMemory(
        counted,
        None,
        None,
        free_bytes,
        TOO_LARGE if is_too_large else None,
        None,
        f"only {', '.join(counted)} are counted: what its layers keep is not known for this kind of network",
    )


_MOMENTS: Mapping[str, str] = {
    "forward": "in the forward pass",
    "loss": "at the end of the forward pass",
    "backward": "in the backward pass",
    "words": "at the end of the backward pass",
    "step": "in the optimizer's step",
    "trying": "while answers are tried",
}


def _assumed(
    setup: Training, margin: Margin, moment: str, on_gpu: bool, has_length: bool, experts: bool = False
) -> str:
    rows = "row" if setup.batch == 1 else "rows"
    said = [f"{setup.batch} {rows}{f' of {setup.length:,} tokens' if has_length else ''} at once"]
    said.append(
        f"weights in {8 * setup.weight_bytes} bits"
        if setup.method != "qlora"
        else "weights in 4 bits" + ("" if not experts else " but for the experts")
    )
    if setup.autocast:
        said.append("arithmetic in 16 bits")
    if setup.checkpointing:
        said.append("gradient checkpointing")
    if setup.accumulates:
        said.append("batches added up")
    if setup.loss == "chunked":
        said.append("logits a few at a time")
    if setup.answered is not None:
        said.append("logits where labels are written")
    if setup.others:
        said.append(f"{setup.others} further models")
    partly = " whose settings are partly known" if margin.grade != "A" else ""
    learned = (
        f"{margin.rows} published peak{'' if margin.rows == 1 else 's'} of its family{partly}"
        if margin.rows
        else "the widest of the other families, since none of its own is published"
    )
    when = _MOMENTS.get(moment.partition(",")[0], moment)
    where = "" if on_gpu else "; in the memory of the machine"
    return f"{', '.join(said)}; the peak comes {when}; the margin is learned from {learned}{where}"
