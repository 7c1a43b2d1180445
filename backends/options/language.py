"""Settings of language models."""

from __future__ import annotations

from dataclasses import dataclass

from backends.options import TransformersOptions, option


@dataclass(frozen=True)
class LanguageModelOptions(TransformersOptions):
    """Language models; the names are those of TRL's SFTConfig and PEFT's configurations where these have one."""

    learning_rate: float = option(2e-4, "size of the optimizer's steps", minimum=1e-9, maximum=1)
    per_device_train_batch_size: int = option(8, "rows a device works on at once", unit="rows", minimum=1)
    per_device_eval_batch_size: int = option(8, "rows a device scores at once", unit="rows", minimum=1)
    gradient_accumulation_steps: int = option(2, "batches added up before each optimizer step", minimum=1)
    max_length: int = option(2048, "longest row in tokens", unit="tokens", minimum=16)
    warmup_steps: float = option(0.03, "steps of rising learning rate; under 1 a share of all steps", minimum=0)
    lr_scheduler_type: str = option(
        "cosine",
        "how the learning rate falls",
        choices=("linear", "cosine", "constant", "constant_with_warmup", "polynomial"),
    )
    gradient_checkpointing: bool = option(
        True, "activations are made again instead of kept: far less memory, about a third more time"
    )
    packing: bool = option(False, "rows share a place of max_length, so that none of a batch is padding")
    use_liger_kernel: bool = option(
        False, "kernels of the package liger-kernel, for a GPU: less memory and quicker, if it is installed"
    )
    torch_compile: bool = option(
        False, "the model is compiled first: minutes before the first step, quicker steps on a GPU afterwards"
    )
    lora_r: int = option(16, "rank of the LoRA matrices", minimum=1)
    lora_alpha: int = option(32, "scale of the LoRA matrices", minimum=1)


@dataclass(frozen=True)
class FineTuningOptions(LanguageModelOptions):
    """Answers to questions: what becomes of long rows, and how much is written out at each evaluation."""

    long_rows: str = option(
        "cut",
        "what happens to rows longer than max_length: `cut` keeps their beginning, `drop` leaves them out",
        choices=("cut", "drop"),
    )
    sample_tokens: int = option(128, "longest answer that is written out at an evaluation", unit="tokens", minimum=1)
    exact_rows: int = option(
        64, "evaluation rows that are answered in full where every answer ends in a final result", minimum=0
    )


@dataclass(frozen=True)
class PretrainingOptions(LanguageModelOptions):
    """Plain texts, laid end to end and cut into windows of max_length."""

    max_length: int = option(1024, "tokens in a window; texts are laid end to end and cut into windows", minimum=16)
    eval_fraction: float = option(0.1, "share of the text held out for evaluation", minimum=0.01, maximum=0.9)
    sample_tokens: int = option(64, "tokens that are written out at an evaluation", unit="tokens", minimum=1)
    vocab_size: int | None = option(
        None, "tokens of a tokenizer trained here; unset means as many as the text can teach", minimum=320
    )
