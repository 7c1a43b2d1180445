"""Encoders and their tokenizers: a small one from random weights, or any local model folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.contract import ForgeError

VOCABULARY = 8_000
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Tokenizers without a limit of their own carry an absurd one.
_ABSURD = 10_000_000


@dataclass(frozen=True)
class Head:
    """What an encoder is made to do: the names of that in Transformers and in PEFT."""

    noun: str
    model: str
    preset: str
    peft: str
    config: Mapping[str, Any] = field(default_factory=dict)


CLASSIFIER = Head(
    "classifier",
    "AutoModelForSequenceClassification",
    "ModernBertForSequenceClassification",
    "SEQ_CLS",
    {"problem_type": "single_label_classification"},
)
TAGGER = Head("tagger of words", "AutoModelForTokenClassification", "ModernBertForTokenClassification", "TOKEN_CLS")
READER = Head("finder of answers", "AutoModelForQuestionAnswering", "ModernBertForQuestionAnswering", "QUESTION_ANS")
# The layers that give the answers of a head, as Transformers' models call them.
_OUTPUTS = {"TOKEN_CLS": ("classifier", "score"), "QUESTION_ANS": ("qa_outputs", "qa_classifier", "classifier")}


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


def tiny_encoder(tokenizer: Any, head: Head, classes: tuple[str, ...]) -> Any:
    """A ModernBERT of about 1.5 million parameters from random weights; one for whole texts is mean-pooled, because
    from scratch a [CLS] vector alone learns far more slowly."""
    import transformers

    config = transformers.ModernBertConfig(
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
        **_labels(head, classes),
    )
    return getattr(transformers, head.preset)(config)


def local_encoder(folder: str, head: Head, classes: tuple[str, ...]) -> tuple[Any, Any, list[str]]:
    """Tokenizer, model, and the layers of it that the folder has no weights for, of a local folder.

    A head of other classes is replaced by a new one. Raises ForgeError when the folder holds no such model or only
    pickled weights.
    """
    import transformers
    from safetensors import SafetensorError

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model, loaded = getattr(transformers, head.model).from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **_labels(head, classes),
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ForgeError(
            f"{Path(folder).name} cannot be loaded as a {head.noun}",
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
    return tokenizer, model, sorted({key.rpartition(".")[0] for key in loaded["missing_keys"]})


def _labels(head: Head, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "num_labels": len(classes),
        "id2label": dict(enumerate(classes)),
        "label2id": {name: number for number, name in enumerate(classes)},
        **head.config,
    }


def add_lora(model: Any, head: Head, new_layers: list[str], rank: int, alpha: int, dropout: float) -> Any:
    """The model with LoRA on every linear layer; only the adapters, the head and other new layers are trained."""
    from peft import LoraConfig, TaskType, get_peft_model

    heads = [name for name in _OUTPUTS.get(head.peft, ()) if hasattr(model, name)]
    config = LoraConfig(
        task_type=TaskType[head.peft],
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules="all-linear",
        exclude_modules=[*heads, *new_layers] or None,  # PEFT would adapt the head as well as train it
        modules_to_save=[*heads, *new_layers] or None,
    )
    return get_peft_model(model, config)


def load_adapted(folder: Path, head: Head, classes: tuple[str, ...]) -> Any:
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
    return PeftModel.from_pretrained(local_encoder(base, head, classes)[1], folder)


def load_trained(folder: Path, head: Head, classes: tuple[str, ...]) -> tuple[Any, Any]:
    """Tokenizer and model of a finished run, ready to predict on the GPU where there is one."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if (folder / "adapter_config.json").exists():
        model = load_adapted(folder, head, classes)
    else:
        model = getattr(transformers, head.model).from_pretrained(folder, local_files_only=True)
    return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


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
