"""Decoders and their tokenizers: any local model folder, or one of seven sizes from random weights.

What a tokenizer lacks is repaired where that is safe and said, else refused before anything is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import ForgeError, UsageError, nearest
from backends.job import Job
from backends.tuning import LANGUAGE_MODEL, Base, base_of, compute_dtype

# The dial: the depth of each preset. Everything else of it follows (see `Size`).
PRESET_DEPTHS: Mapping[str, int] = {
    "preset:gpt-1m": 2,
    "preset:gpt-5m": 4,
    "preset:gpt-17m": 6,
    "preset:gpt-34m": 8,
    "preset:gpt-110m": 12,
    "preset:gpt-235m": 16,
    "preset:gpt-440m": 20,
}
CONTEXT = 2_048
END, PAD, TURN, TURN_END = "<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"
# A token that is seldom seen is never learned: about one for each 50 bytes of text, as far as the size allows.
_BYTES_A_TOKEN, _FEWEST_TOKENS = 50, 512
# Names by which tokenizers know the end of a text and the filling of a batch, where their settings do not say it.
_ENDS = (END, "</s>", "<eos>", "<|end_of_text|>", "<|eot_id|>", TURN_END, "[EOS]", "<end_of_turn>")
_PADS = (PAD, "<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|padding|>", "<unk>")
_DECODER_HEADS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


@dataclass(frozen=True)
class Size:
    """The shape of a preset, made from its depth alone: 64 units of width for each layer, heads of 64 units."""

    depth: int

    @property
    def hidden(self) -> int:
        """The width of the stream between layers."""
        return 64 * self.depth

    @property
    def heads(self) -> int:
        """Attention heads, of 64 units each."""
        return self.depth

    @property
    def intermediate(self) -> int:
        """The width of a gated feed-forward layer: 8/3 of the stream, in multiples of 64 (Touvron et al. 2023)."""
        return -(-8 * self.hidden // (3 * 64)) * 64

    @property
    def vocabulary(self) -> int:
        """The most tokens: few for a narrow model, of which they would be most of the weights."""
        return {2: 4_096, 4: 8_192, 6: 16_384, 8: 16_384}.get(self.depth, 32_768)


def vocabulary_for(text_bytes: int, size: Size) -> int:
    """How many tokens a tokenizer gets for so many bytes of text and a preset of this size; a multiple of 64."""
    wanted = max(_FEWEST_TOKENS, text_bytes // _BYTES_A_TOKEN)
    return min(size.vocabulary, wanted // 64 * 64)


def size_of(preset: str) -> Size:
    """The size of a preset; raises UsageError with the nearest."""
    if preset not in PRESET_DEPTHS:
        known = tuple(PRESET_DEPTHS)
        raise UsageError(
            f"There is no decoder {preset!r}",
            f"the presets are {', '.join(known)}",
            f"Correct it{nearest(preset, known)}.",
        )
    return Size(PRESET_DEPTHS[preset])


# --- from random weights -------------------------------------------------------------------------------------------


def tokenizer_for(texts: Callable[[], Iterable[str]], size: Size, vocabulary: int | None) -> tuple[Any, str]:
    """A tokenizer trained on the texts, with so many tokens as they can teach unless a number is given, and a word on
    it."""
    count = sum(len(text.encode()) for text in texts())
    tokenizer = train_byte_tokenizer(texts(), vocabulary or vocabulary_for(count, size))
    return tokenizer, f"a tokenizer of {len(tokenizer):,} tokens was trained on {count:,} bytes of your texts"


def train_byte_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer that can write any text again byte for byte; digits stand alone.

    The marks of a conversation are tokens of it from the start, so that fine-tuning later adds none.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[END, PAD, TURN, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "attention_mask"],
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[TURN, TURN_END],
        clean_up_tokenization_spaces=False,
        model_max_length=CONTEXT,
    )


def new_decoder(tokenizer: Any, size: Size) -> Any:
    """A Llama of this size from random weights in 32 bits, its word vectors used for reading and writing alike."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=-(-len(tokenizer) // 64) * 64,  # multiples of 64 are quicker on a GPU
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.depth,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        dtype=torch.float32,
    )
    return LlamaForCausalLM(config)


# --- from a folder -------------------------------------------------------------------------------------------------


def require_decoder(folder: str) -> None:
    """Refuse a folder whose model cannot write: one that reads in both directions, or that scores.

    A folder without a config that can be read is left to who loads it; that of an adapter speaks of its base.
    """
    from transformers import AutoConfig

    name = Path(folder).name
    try:
        config = AutoConfig.from_pretrained(base_of(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError):
        return
    heads = tuple(config.architectures or ())
    rewrites = bool(getattr(config, "is_encoder_decoder", False))
    writes = any(head.endswith(_DECODER_HEADS) for head in heads) or (not heads and not _reads_both_ways(config))
    if not rewrites and (writes or getattr(config, "is_decoder", False)):
        return
    what = f"its architecture is {', '.join(heads)}" if heads else f"a {config.model_type} reads in both directions"
    raise ForgeError(
        f"{name} cannot write texts",
        f"{what}: that is made for reading and judging, not for continuing a text",
        "Choose a language model such as SmolLM2 or Qwen3 (forge-tui models --task text-generation); this one is for "
        "--task text-classification or token-classification.",
        folder,
    )


def _reads_both_ways(config: Any) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    return config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def repair_tokenizer(tokenizer: Any, model: Any, folder: str) -> list[str]:
    """Give a tokenizer its end and padding tokens and a model a row for each token; what was done is returned.

    Raises ForgeError where no token could be the end of a text: without one a model never learns to stop.
    """
    told = []
    vocabulary = tokenizer.get_vocab()
    if tokenizer.eos_token is None:
        tokenizer.eos_token = _end_of(tokenizer, model, vocabulary)
        if tokenizer.eos_token is None:
            raise ForgeError(
                f"The tokenizer of {Path(folder).name} has no end token",
                "without one a model never learns where an answer ends",
                "Set eos_token in its tokenizer_config.json to the token that ends its texts.",
                folder,
            )
        told.append(f"the tokenizer names no end token; {tokenizer.eos_token} is taken")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = next((each for each in _PADS if each in vocabulary), tokenizer.eos_token)
        told.append(f"the tokenizer names no padding token; {tokenizer.pad_token} fills up batches and is not learned")
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        model.resize_token_embeddings(len(tokenizer))
        told.append(f"the tokenizer has {len(tokenizer):,} tokens and the model {rows:,}; it was given the rest")
    return told


def _end_of(tokenizer: Any, model: Any, vocabulary: Mapping[str, int]) -> str | None:
    """The token that ends a text by the model's own settings, else by its name."""
    for settings in (model.generation_config, model.config):
        number = getattr(settings, "eos_token_id", None)
        number = number[0] if isinstance(number, list) and number else number
        if isinstance(number, int) and 0 <= number < len(tokenizer):
            return str(tokenizer.convert_ids_to_tokens(number))
    return next((each for each in _ENDS if each in vocabulary), None)


def stop_tokens(model: Any, tokenizer: Any, more: Iterable[int] = ()) -> list[int]:
    """The tokens at which an answer ends: the tokenizer's, those of the model's settings, and `more`."""
    known = getattr(model.generation_config, "eos_token_id", None)
    listed = known if isinstance(known, list) else [known]
    numbers = [tokenizer.eos_token_id, *listed, *more]
    return sorted({number for number in numbers if isinstance(number, int)})


# --- for a run -----------------------------------------------------------------------------------------------------


def load_decoder(job: Job, texts: Callable[[], Iterable[str]]) -> tuple[Any, Any]:
    """Tokenizer and model of the spec, ready for its method; what had to be repaired is told.

    The tokenizer of a preset is trained on the texts, or read from the checkpoint. Weights that stay as they are have
    16 bits on a GPU, those that learn 32.
    """

    from backends.transformers_training import load_model

    def make(tokenizer: Any) -> Base:
        size = size_of(job.spec.model)
        if tokenizer is None:
            tokenizer, told = tokenizer_for(texts, size, getattr(job.options, "vocab_size", None))
            job.events.notice(told)
        return Base(tokenizer, new_decoder(tokenizer, size))

    def repair(tokenizer: Any, model: Any) -> None:
        for line in repair_tokenizer(tokenizer, model, job.spec.model):
            job.events.notice(line)

    if not job.spec.model.startswith("preset:"):
        require_decoder(job.spec.model)
    dtype = None if job.spec.method == "full" else compute_dtype()
    return load_model(job, LANGUAGE_MODEL, make, dtype=dtype, repair=repair)
