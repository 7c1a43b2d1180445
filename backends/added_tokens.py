"""Words of your own that a tokenizer never divides and a model learns a vector for (`added_tokens`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.contract import ForgeError, UsageError

_FROZEN = ("prompt-tuning", "prefix-tuning")


def named_tokens(setting: str | None) -> tuple[str, ...]:
    """The tokens of the setting, each once; raises UsageError where it names none."""
    if setting is None:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in setting.split(",") if name.strip()))
    if not names:
        raise UsageError(
            f"added_tokens = {setting!r} names no token",
            "tokens are divided by commas",
            "Name some, such as --set 'added_tokens=<order>,<date>', or leave it out.",
        )
    return names


def refuse_frozen(names: Sequence[str], method: str, freezes: bool) -> None:
    """Raise ForgeError where the vectors of new tokens would stay as they begin."""
    if not names or not (method in _FROZEN or freezes):
        return
    raise ForgeError(
        f"{'freeze_layers' if freezes else method} cannot learn added_tokens",
        "the embeddings stay as they are, so the new tokens would never mean anything",
        "Choose --method lora or qlora, which learn the vectors of the new tokens, or full without freeze_layers.",
    )


def add_tokens(tokenizer: Any, model: Any, names: Sequence[str]) -> tuple[int, ...]:
    """Make each name one token of both; the numbers of those that were not before, whose vectors begin as the mean.

    They are plain tokens, not special ones, because what a model writes is told without special tokens.
    """
    import torch
    from tokenizers import AddedToken

    known = tokenizer.get_vocab()
    fresh = [name for name in names if name not in known]
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in fresh])
    numbers = tokenizer.convert_tokens_to_ids(fresh)
    if not numbers:
        return ()
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    means = [layer.weight.detach()[: len(known)].mean(dim=0) for layer in layers if layer is not None]
    make_room(tokenizer, model)
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    with torch.no_grad():
        for layer, mean in zip((each for each in layers if each is not None), means, strict=True):
            layer.weight[numbers] = mean.to(layer.weight.device)
    return tuple(numbers)


def make_room(tokenizer: Any, model: Any) -> None:
    """Give a model a row for each token of its tokenizer."""
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)


def embedding_names(model: Any) -> list[str]:
    """The layers in which a token has a vector: where it is read, and where it is written from, if that is another."""
    read, written = model.get_input_embeddings(), model.get_output_embeddings()
    wanted = [read] if written is None or written.weight is read.weight else [read, written]
    return [name for name, module in model.named_modules() if any(module is each for each in wanted)]


def writes_through_adapter(model: Any) -> bool:
    """Whether the layer that tokens are written from has vectors beside it that an adapter learns."""
    from peft.utils.other import TrainableTokensWrapper

    return isinstance(model.get_output_embeddings(), TrainableTokensWrapper)
