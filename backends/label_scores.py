"""How likely a language model finds each label after a text: one pass over the text, then the words of all labels."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from backends.contract import ForgeError
from backends.tuning import virtual_tokens

# Numbers in the logits of a pass: 64 MiB in 32 bits.
_MOST_LOGITS = 2**24
# Added to what a word does not see; within half precision.
_UNSEEN = -65_000.0


@dataclass(frozen=True)
class LabelWords:
    """What is written after a text: the tokens that ask for the label, and for each class those of its words.

    `tokens` end with `end`, the token that ends a text, only where one label begins with another: else the words alone
    tell them apart. `score` says whether their log-probabilities are added up or averaged.
    """

    classes: tuple[str, ...]
    prompt: str
    ask: tuple[int, ...]
    tokens: tuple[tuple[int, ...], ...]
    has_ends: bool
    end: int
    score: str = "sum"

    @property
    def longest(self) -> int:
        """How many tokens stand beside a text."""
        return len(self.ask) + max(map(len, self.tokens))

    def asked(self, ids: Sequence[int]) -> list[int]:
        """The tokens of a text with those that ask for its label; an end that the tokenizer put there is left out."""
        ends = len(ids) > 1 and ids[-1] == self.end
        return [*(ids[:-1] if ends else ids), *self.ask]

    def weighed(self, scores: Any) -> Any:
        """Log-probabilities as they are compared; (rows, classes)."""
        return scores if self.score == "sum" else scores / np.array([len(each) for each in self.tokens])

    def to_json(self) -> dict[str, Any]:
        """What a finished run must remember."""
        return {"classes": list(self.classes), "label_prompt": self.prompt, "label_score": self.score}


def words_of(tokenizer: Any, classes: Sequence[str], prompt: str, score: str = "sum") -> LabelWords:
    """The labels as tokens after a text; raises ForgeError where two cannot be told apart."""
    ask = _tokens(tokenizer, f"\n{prompt}")
    tokens = []
    for name in spelled(classes):
        whole = _tokens(tokenizer, f"\n{prompt} {name}")
        joined = whole[: len(ask)] == ask and len(whole) > len(ask)
        tokens.append(whole[len(ask) :] if joined else _tokens(tokenizer, f" {name}"))
    alike = next((at for at, each in enumerate(tokens) if not each or each in tokens[:at]), None)
    if alike is not None:
        raise ForgeError(
            f"The model cannot tell the label {classes[alike]!r} from others",
            "its tokenizer reads nothing in it, or the same as in another label",
            "Choose a model whose tokenizer knows these signs, or --strategy head, which needs no words.",
        )
    begun = {each[:size] for each in tokens for size in range(1, len(each))}
    has_ends = any(each in begun for each in tokens)
    end = int(tokenizer.eos_token_id)
    tokens = [(*each, end) for each in tokens] if has_ends else tokens
    return LabelWords(tuple(classes), prompt, ask, tuple(tokens), has_ends, end, score)


def spelled(classes: Sequence[str]) -> list[str]:
    """The labels as words: underscores are spaces, unless two would become one."""
    spaced = [" ".join(name.replace("_", " ").split()) for name in classes]
    return spaced if len(set(spaced)) == len(classes) and all(spaced) else list(classes)


def read_label_words(tokenizer: Any, learned: Mapping[str, Any]) -> LabelWords:
    """The labels of a finished run, from what `to_json` said."""
    return words_of(tokenizer, learned["classes"], learned["label_prompt"], learned["label_score"])


def _tokens(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


# --- scoring -----------------------------------------------------------------------------------------------------


def logits_at(model: Any, places: Any, ids: Any, mask: Any, **more: Any) -> Any:
    """What a model says after some tokens of each row; (rows, tokens) and (rows, places) to (rows, places, vocabulary).

    Only there does its head see anything: logits of all tokens would be most of the memory. Vectors that a method puts
    before the input count from the end, and do not move the places.
    """

    def pick(head: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = given[0]
        at = places + (hidden.shape[1] - ids.shape[1])
        return hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[-1])), *given[1:]

    hook = model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        return model(input_ids=ids, attention_mask=mask, **more)
    finally:
        hook.remove()


def label_scores(model: Any, words: LabelWords, ids: Any, lengths: Any) -> Any:
    """The log-probability of each label after each text; (rows, tokens), filled up at their ends, to (rows, classes).

    The text is read once. Where a model lets them, the words of all labels are then read beside one another as a tree,
    each seeing the text and the words before it in its own label; else each label is read after the text anew.
    """
    mask = (torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]).long()
    longer = any(len(each) > 1 for each in words.tokens)
    read = logits_at(model, lengths[:, None] - 1, ids, mask, use_cache=longer)
    first = torch.log_softmax(read.logits[:, 0].float(), dim=-1)
    scores = first[:, [each[0] for each in words.tokens]]
    if not longer:
        return scores
    most = max(1, _MOST_LOGITS // first.numel())
    is_tree = _can_grow(model, read.past_key_values, max(map(len, words.tokens)))
    for tree in trees_of(words.tokens, most if is_tree else 0):
        if is_tree:
            said = _after_text(model, read.past_key_values, tree, mask, lengths)
        else:
            said = _with_text(model, tree, ids, lengths)
        labels, nodes, wanted = (torch.tensor(each, device=ids.device) for each in zip(*tree.asked))
        found = said[:, nodes, wanted].float() - torch.logsumexp(said.float(), dim=-1)[:, nodes]
        scores.index_add_(1, labels, found)
    return scores


@dataclass(frozen=True)
class Tree:
    """The words of some labels, those that begin alike once; `places` counts them from the end of the text.

    `sees` says for each which others come before it in a label, and itself. `asked`: after which word of the tree which
    token of which label is wanted, as (label, word, token).
    """

    tokens: tuple[int, ...]
    places: tuple[int, ...]
    sees: tuple[tuple[bool, ...], ...]
    asked: tuple[tuple[int, int, int], ...]


@lru_cache(maxsize=64)
def trees_of(tokens: tuple[tuple[int, ...], ...], most: int) -> tuple[Tree, ...]:
    """The labels as trees of at most so many words, or of one label each; last words are only asked for."""
    groups: list[dict[int, tuple[int, ...]]] = []
    nodes: set[tuple[int, ...]] = set()
    for label, each in sorted(enumerate(tokens), key=lambda item: item[1]):
        if len(each) == 1:
            continue
        own = {each[:size] for size in range(1, len(each))}
        if not groups or len(nodes | own) > most:
            groups.append({})
            nodes = set()
        groups[-1][label] = each
        nodes |= own
    return tuple(_tree(group) for group in groups)


def _tree(labels: Mapping[int, tuple[int, ...]]) -> Tree:
    nodes = sorted({each[:size] for each in labels.values() for size in range(1, len(each))})
    at = {node: number for number, node in enumerate(nodes)}
    return Tree(
        tokens=tuple(node[-1] for node in nodes),
        places=tuple(len(node) - 1 for node in nodes),
        sees=tuple(tuple(node[: len(other)] == other for other in nodes) for node in nodes),
        asked=tuple(
            (label, at[each[:size]], each[size]) for label, each in labels.items() for size in range(1, len(each))
        ),
    )


def _after_text(model: Any, memory: Any, tree: Tree, mask: Any, lengths: Any) -> Any:
    """The logits after each word of a tree; what the model remembers of the texts is left as it is."""
    memory = copy.copy(memory)
    memory.layers = [copy.copy(layer) for layer in memory.layers]
    rows, device, before = len(mask), mask.device, virtual_tokens(model)
    seen = torch.cat([mask.new_ones(rows, before), mask], dim=1).bool()[:, None].expand(-1, len(tree.tokens), -1)
    among = torch.tensor(tree.sees, device=device).expand(rows, -1, -1)
    hidden = ~torch.cat([seen, among], dim=2)[:, None]
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    said = base(
        input_ids=torch.tensor(tree.tokens, device=device).expand(rows, -1),
        attention_mask=hidden * torch.tensor(_UNSEEN, dtype=memory.layers[0].keys.dtype, device=device),
        position_ids=before + lengths[:, None] + torch.tensor(tree.places, device=device),
        past_key_values=memory,
        use_cache=True,
    )
    return said.logits


def _with_text(model: Any, tree: Tree, ids: Any, lengths: Any) -> Any:
    """The logits after each word of a tree that is one label, read with the texts before it."""
    words = torch.tensor(tree.tokens, device=ids.device).expand(len(ids), -1)
    places = lengths[:, None] + torch.tensor(tree.places, device=ids.device)
    whole = torch.cat([ids, torch.zeros_like(words)], dim=1).scatter(1, places, words)
    mask = torch.arange(whole.shape[1], device=ids.device) < (lengths + len(tree.tokens))[:, None]
    return logits_at(model, places, whole, mask.long()).logits


def _can_grow(model: Any, memory: Any, more: int) -> bool:
    """Whether words can be read as a tree after a text: what is seen of each can be said, and all is remembered."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    def keeps_all(layer: Any) -> bool:
        if isinstance(layer, DynamicSlidingWindowLayer):
            return bool(layer.get_seq_length() + more < layer.sliding_window)
        return type(layer) is DynamicLayer

    base = model.get_base_model() if hasattr(model, "peft_config") else model
    takes_places = "position_ids" in inspect.signature(base.forward).parameters
    takes_masks = base.config._attn_implementation in ("sdpa", "eager") and not getattr(base.config, "alibi", False)
    layers = getattr(memory, "layers", ())
    return takes_places and takes_masks and bool(layers) and all(keeps_all(layer) for layer in layers)
