"""A finished language model writes: loaded from its folder, asked by prompt, stopped at the end of its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from backends.tuning import LANGUAGE_MODEL, compute_dtype, load_finished, virtual_tokens

# In the model folder of a run: which tokens end an answer, and whether conversations are what was learned.
CHAT_FILE = "chat.json"
LONGEST_ANSWER = 512
_AT_ONCE = 16
_TABLES_OF_PLACES = ("wpe", "embed_positions", "position_embeddings")


def generate(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], stops: Sequence[int], most: int, **how: Any
) -> Iterator[list[int]]:
    """What a model writes after each prompt, as tokens without the end; greedy unless told otherwise.

    Where the model has a vector for each place, no more is written than there are places, and at least the half of
    them is there for the prompt: of a longer one the end is read.
    """
    was_training = model.training
    model.eval()
    places = learned_places(model)
    if places is not None:
        most = min(most, places // 2)
        prompts = [prompt[-(places - most) :] for prompt in prompts]
    how = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, **how}
    for first in range(0, len(prompts), _AT_ONCE):
        some = prompts[first : first + _AT_ONCE]
        width = max(len(prompt) for prompt in some)
        ids = torch.full((len(some), width), tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(some):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        with torch.inference_mode():
            written = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                max_new_tokens=most,
                eos_token_id=list(stops),
                pad_token_id=tokenizer.pad_token_id,
                use_cache=True,
                **how,
            )
        for row in written.tolist():
            yield until_stop(row[width:], stops)
    if was_training:
        model.train()


def learned_places(model: Any) -> int | None:
    """For how many tokens a model has learned vectors, as GPT-2 and OPT; None where places are computed."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Embedding) and name.rpartition(".")[2] in _TABLES_OF_PLACES:
            return module.num_embeddings - getattr(module, "offset", 0) - virtual_tokens(model)
    return None


def until_stop(ids: Sequence[int], stops: Sequence[int]) -> list[int]:
    """The tokens before the first that ends a text."""
    return list(ids[: next((place for place, number in enumerate(ids) if number in stops), len(ids))])


def load_writer(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a finished run, ready to write on the GPU where there is one, there in 16 bits."""
    return load_finished(folder, LANGUAGE_MODEL, dtype=compute_dtype())
