"""Encoders and their tokenizers: a small one from random weights, or any local model folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backends.contract import ForgeError

VOCABULARY = 8_000
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


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


def tiny_encoder(vocabulary: int, tokenizer: Any, classes: tuple[str, ...]) -> Any:
    """A ModernBERT of about 1.5 million parameters from random weights, mean-pooled: from scratch a [CLS] vector
    alone learns far more slowly."""
    from transformers import ModernBertConfig, ModernBertForSequenceClassification

    config = ModernBertConfig(
        vocab_size=vocabulary,
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
        **_labels(classes),
    )
    return ModernBertForSequenceClassification(config)


def local_encoder(folder: str, classes: tuple[str, ...]) -> tuple[Any, Any]:
    """Tokenizer and classification model of a local folder; a head of other classes is replaced by a new one.

    Raises ForgeError when the folder holds no such model or only pickled weights.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            **_labels(classes),
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ForgeError(
            f"{Path(folder).name} cannot be loaded as a classifier",
            reason,
            "Give a folder with config.json, model.safetensors and the tokenizer files of one model.",
            folder,
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ForgeError(
            f"The tokenizer of {Path(folder).name} has no padding token",
            "texts of different length cannot share a batch without one",
            "Set pad_token in its tokenizer_config.json.",
            folder,
        )
    model.config.pad_token_id = tokenizer.pad_token_id
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    return tokenizer, model


def _labels(classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "num_labels": len(classes),
        "id2label": dict(enumerate(classes)),
        "label2id": {name: number for number, name in enumerate(classes)},
        "problem_type": "single_label_classification",
    }


def add_lora(model: Any, rank: int, alpha: int, dropout: float) -> Any:
    """The model with LoRA on every linear layer; only the adapters and the new head are trained."""
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear"
    )
    return get_peft_model(model, config)


def load_adapted(folder: Path, classes: tuple[str, ...]) -> Any:
    """The model of a LoRA run: its base, made ready as it was for training, with the adapter of `folder` on it.

    Raises ForgeError when the base is not where it was.
    """
    from peft import PeftConfig, PeftModel

    base = str(PeftConfig.from_pretrained(folder).base_model_name_or_path)
    if not Path(base).is_dir():
        raise ForgeError(
            "The base model of this adapter is gone",
            f"{base} is not there; {folder} holds only what was added to it",
            "Put the base model back there, or train again from another one.",
            base,
        )
    return PeftModel.from_pretrained(local_encoder(base, classes)[1], folder)
