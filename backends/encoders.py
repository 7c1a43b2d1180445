"""A small encoder from random weights and its tokenizer, and how much text any model reads at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from backends.tuning import Base, Head

VOCABULARY = 8_000
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Tokenizers without a limit of their own carry an absurd one.
_ABSURD = 10_000_000


def train_tokenizer(texts: Iterable[str], lowercase: bool) -> Any:
    """A byte-level BPE tokenizer of at most 8,000 tokens that knows every character, trained on the given texts."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    steps = [normalizers.NFKC()] + ([normalizers.Lowercase()] if lowercase else [])
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=1024,
    )


def encoder_preset(
    head: Head, texts: Iterable[str], lowercase: bool, config: Mapping[str, Any]
) -> Callable[[Any], Base]:
    """What makes the base of `preset:tiny-encoder`; its tokenizer is trained on the texts unless there is one."""

    def make(tokenizer: Any) -> Base:
        tokenizer = tokenizer if tokenizer is not None else train_tokenizer(texts, lowercase)
        return Base(tokenizer, tiny_encoder(tokenizer, head, config))

    return make


def tiny_encoder(tokenizer: Any, head: Head, config: Mapping[str, Any]) -> Any:
    """A ModernBERT of about 1.5 million parameters from random weights; one for whole texts is mean-pooled, because
    from scratch a [CLS] vector alone learns far more slowly."""
    import transformers

    settings = transformers.ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
        classifier_pooling="mean",
        classifier_dropout=0.2,
        embedding_dropout=0.1,
        mlp_dropout=0.1,
        attention_dropout=0.1,
        pad_token_id=tokenizer.pad_token_id,
        cls_token_id=tokenizer.cls_token_id,
        sep_token_id=tokenizer.sep_token_id,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        **config,
    )
    return getattr(transformers, head.preset)(settings)


def input_limit(config: Mapping[str, Any], tokenizer: Any) -> int | None:
    """How many tokens a model reads at once by its config and its tokenizer; None where neither says."""
    known = [config.get(name) for name in ("max_position_embeddings", "n_positions", "n_ctx")]
    known.append(tokenizer.model_max_length)
    usable = [int(each) for each in known if isinstance(each, int | float) and 0 < each < _ABSURD]
    return min(usable) if usable else None


def longest_input(model: Any, tokenizer: Any) -> int | None:
    """The same for a loaded model; RoBERTa and its kin lose the positions up to the padding token's number."""
    limit = input_limit(model.config.to_dict(), tokenizer)
    for name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            places = module.num_embeddings - padding - 1
            limit = places if limit is None else min(limit, places)
    return limit
