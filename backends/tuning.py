"""How much of a model learns, for every Transformers model: all weights, LoRA, QLoRA, prompt and prefix tuning.

A backend loads its base with `load_base`, hands it to `tune`, and loads a finished run, by whatever method it was
trained, with `load_finished`. Heads and layers that the base has no weights for are trained whole by every method.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.added_tokens import add_tokens, embedding_names, make_room, refuse_frozen
from backends.contract import ForgeError, read_json, write_json
from backends.options import TransformersOptions
from backends.registry import method_refusal

METHOD_FILE = "method.json"


@dataclass(frozen=True)
class Head:
    """What a model is made to do: the names of that in Transformers and in PEFT.

    `preset` is the class of the small encoder from random weights, where there is one.
    """

    noun: str
    model: str
    peft: str
    preset: str = ""

    @property
    def is_new(self) -> bool:
        """Whether the last layers are made for the task, and not those the base was pretrained with."""
        return self.peft in ("SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS")


CLASSIFIER = Head("classifier", "AutoModelForSequenceClassification", "SEQ_CLS", "ModernBertForSequenceClassification")
TAGGER = Head("tagger of words", "AutoModelForTokenClassification", "TOKEN_CLS", "ModernBertForTokenClassification")
ANSWER_FINDER = Head(
    "finder of answers", "AutoModelForQuestionAnswering", "QUESTION_ANS", "ModernBertForQuestionAnswering"
)
SEQ2SEQ = Head("encoder-decoder", "AutoModelForSeq2SeqLM", "SEQ_2_SEQ_LM")
LANGUAGE_MODEL = Head("language model", "AutoModelForCausalLM", "CAUSAL_LM")


@dataclass(frozen=True)
class Base:
    """A loaded base: its tokenizer, the model, the layers of it that the folder has no weights for, and the numbers
    of the tokens that were added to it."""

    tokenizer: Any
    model: Any
    new_layers: tuple[str, ...] = ()
    new_tokens: tuple[int, ...] = ()


def labels_config(classes: tuple[str, ...]) -> dict[str, Any]:
    """What the config of a model says of its classes."""
    return {
        "num_labels": len(classes),
        "id2label": dict(enumerate(classes)),
        "label2id": {name: number for number, name in enumerate(classes)},
    }


# --- the base ------------------------------------------------------------------------------------------------------


def load_base(
    folder: str,
    head: Head,
    config: Mapping[str, Any] | None = None,
    method: str = "full",
    dtype: Any = None,
    repair: Callable[[Any, Any], None] | None = None,
    tokenizer_folder: str | None = None,
) -> Base:
    """The base in a local folder, made ready for a method; `config` is what its config must say.

    Weights are in 32 bits unless a `dtype` is given, of `qlora` in 4 bits, on the GPU where there is one. A head of
    another shape is replaced by a new one; `repair` is called with tokenizer and model before either is used; the
    tokenizer is that of `tokenizer_folder` where there is one, and the model has a row for each of its tokens. The
    folder of an adapter gives its base with the adapter, which goes on to learn. Raises ForgeError when the folder
    holds no such model, only pickled weights, or a tokenizer that cannot pad.
    """
    import torch
    import transformers
    from safetensors import SafetensorError

    if base_of(folder) != folder:
        return _continued(folder, head, config, method, dtype, repair)
    wanted = dict(config or {})
    fixed = {"local_files_only": True, "trust_remote_code": False}
    loading = {**fixed, "use_safetensors": True, "ignore_mismatched_sizes": True, "output_loading_info": True, **wanted}
    kind = getattr(transformers, head.model)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_folder or folder, **fixed)
        if method == "qlora":
            seen, told = kind.from_pretrained(folder, device_map="meta", **loading)
            whole = sorted({*_head_names(seen, head), *_layers(told["missing_keys"])})
            loading |= {"quantization_config": four_bits(whole), "device_map": {"": 0 if _on_gpu() else "cpu"}}
        model, told = kind.from_pretrained(folder, dtype=dtype or torch.float32, **loading)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ForgeError(
            f"{Path(folder).name} cannot be loaded as a {head.noun}",
            reason,
            "Give a folder with config.json, model.safetensors and the tokenizer files of one model.",
            folder,
        ) from error
    for module in model.modules():
        # On some CPUs bitsandbytes packs the weights when it evaluates and rounds their scales doing so, which a run
        # that goes on from a checkpoint would not repeat.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    if repair is not None:
        repair(tokenizer, model)
    give_padding(tokenizer, folder)
    model.config.pad_token_id = tokenizer.pad_token_id
    make_room(tokenizer, model)
    return Base(tokenizer, model, tuple(_layers(told["missing_keys"])))


def base_of(folder: str) -> str:
    """The folder of the whole model: of an adapter's folder its base, of any other the folder itself."""
    settings = read_json(Path(folder) / "adapter_config.json")
    return str(settings["base_model_name_or_path"]) if settings else folder


def _continued(
    folder: str, head: Head, config: Any, method: str, dtype: Any, repair: Callable[[Any, Any], None] | None
) -> Base:
    """An adapter on its base, to be trained on by the method that made it, or made one with the base for `full`.

    Raises ForgeError where the base is gone or the method is another.
    """
    from peft import PeftModel

    _require_base(folder)
    made_by = (read_json(Path(folder) / METHOD_FILE) or {}).get("method", "lora")
    if method not in ("full", made_by) or (method == "full" and made_by not in ("lora", "qlora")):
        raise ForgeError(
            f"{Path(folder).name} is an adapter that {made_by} made, and cannot be trained by {method}",
            "an adapter goes on by the method it was made by"
            + (", or its matrices are added to the base for full" if made_by in ("lora", "qlora") else ""),
            f"Choose --method {made_by}, or start from its base: --model {base_of(folder)}",
            folder,
        )
    method_of_base = "lora" if method == "full" else method
    base = load_base(base_of(folder), head, config, method_of_base, dtype, repair, _tokenizer_of(folder))
    model = base.model
    if method == "qlora":
        from peft import prepare_model_for_kbit_training

        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    adapted = _judged_at_its_end(PeftModel.from_pretrained(model, folder, is_trainable=method != "full"), head)
    if method != "full":
        return Base(base.tokenizer, adapted)
    whole = adapted.merge_and_unload()
    whole.requires_grad_(True)
    return Base(base.tokenizer, whole)


def _tokenizer_of(folder: str) -> str | None:
    """An adapter's own tokenizer, which may have tokens that its base has not."""
    return folder if (Path(folder) / "tokenizer_config.json").exists() else None


def _require_base(folder: str) -> None:
    base = base_of(folder)
    if not Path(base).is_dir():
        raise ForgeError(
            "The base model of this adapter is gone",
            f"{base} is not there; {folder} holds only what was added to it",
            "Put the base model back there, or train again from another one.",
            base,
        )


def _layers(keys: Any) -> list[str]:
    """The modules that weights belong to."""
    return sorted({key.rpartition(".")[0] for key in keys})


def _on_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def give_padding(tokenizer: Any, folder: str) -> None:
    """Let a tokenizer pad with its end token where it has nothing of its own; raises ForgeError without both."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ForgeError(
            f"The tokenizer of {Path(folder).name} has no padding token",
            "texts of different length cannot share a batch without one",
            "Set pad_token in its tokenizer_config.json.",
            folder,
        )


def compute_dtype() -> Any:
    """The type arithmetic is done in: bfloat16 where the device has it, else half precision, on a CPU 32 bits."""
    import torch

    if not torch.cuda.is_available():
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def four_bits(whole: list[str]) -> Any:
    """NF4 weights whose scales are quantized too (Dettmers et al. 2023), but for the layers that stay `whole`."""
    import torch
    from transformers import BitsAndBytesConfig

    dtype = compute_dtype()
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=torch.uint8,
        llm_int8_skip_modules=["lm_head", *whole],
    )


# --- the methods ---------------------------------------------------------------------------------------------------


def tune(base: Base, head: Head, method: str, options: TransformersOptions) -> Any:
    """The model of a base, ready to be trained by a method.

    Raises ForgeError for a method that cannot train this model, or for settings that do not go together.
    """
    model = base.model
    if head.peft != "CAUSAL_LM":
        # Most other models leave num_items_in_batch aside, and Transformers 5.23 then takes the sum of the losses of
        # accumulated batches instead of their mean.
        model.accepts_loss_kwargs = False
    if method == "full":
        if options.freeze_layers is not None:
            freeze(model, options.freeze_layers)
        return model
    refusal = method_refusal(method, None, None, model.config.model_type)
    if refusal is not None:
        raise ForgeError(
            f"{method} cannot train this model", refusal, "Choose --method lora, which every text model can do."
        )
    if hasattr(model, "peft_config"):
        return model  # an adapter that goes on
    from peft import get_peft_model, prepare_model_for_kbit_training

    if method == "qlora":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return _judged_at_its_end(get_peft_model(model, _peft_config(base, model, head, method, options)), head)


def with_tokens(base: Base, names: Sequence[str], method: str, freezes: bool = False) -> Base:
    """A base whose tokenizer has these tokens, and whose model a vector for each; an adapter keeps those it has.

    Raises ForgeError where a method would leave the vectors as they begin.
    """
    fresh = [name for name in names if name not in base.tokenizer.get_vocab()]
    refuse_frozen(fresh, method, freezes)
    if fresh and hasattr(base.model, "peft_config"):
        raise ForgeError(
            "An adapter that goes on takes no further added_tokens",
            f"it has no vectors for {', '.join(fresh)}",
            "Start from its base, or choose --method full, which makes one model of both.",
        )
    return replace(base, new_tokens=add_tokens(base.tokenizer, base.model, fresh))


def _peft_config(base: Base, model: Any, head: Head, method: str, options: TransformersOptions) -> Any:
    from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, TaskType

    heads = _head_names(model, head)
    # PEFT trains a module with all that is inside of it; what is inside must not be named again.
    trained = sorted({*heads, *(each for each in base.new_layers if each.partition(".")[0] not in heads)})
    common = {"task_type": TaskType[head.peft], "modules_to_save": trained or None}
    if method in ("lora", "qlora"):
        return LoraConfig(
            r=options.lora_r,
            lora_alpha=options.lora_alpha,
            lora_dropout=options.lora_dropout,
            target_modules=_targets(model, options.target_modules),
            # PEFT would adapt a head, or what is inside of it, as well as train it whole.
            exclude_modules=sorted({name for each in trained for name in _within(model, each)}) or None,
            use_dora=options.use_dora,
            use_rslora=options.use_rslora,
            trainable_token_indices={name: list(base.new_tokens) for name in embedding_names(model)}
            if base.new_tokens
            else None,
            **common,
        )
    if method == "prompt-tuning":
        width = model.get_input_embeddings().weight.shape[1]
        return PromptTuningConfig(
            num_virtual_tokens=options.num_virtual_tokens,
            token_dim=width,
            num_layers=model.config.num_hidden_layers,
            num_attention_heads=model.config.num_attention_heads,
            prompt_tuning_init="SAMPLE_VOCAB",  # better than random vectors (Lester et al. 2021)
            **common,
        )
    if options.gradient_checkpointing:
        raise ForgeError(
            "prefix-tuning cannot make activations again",
            "its vectors are handed from layer to layer as a cache, which gradient checkpointing switches off",
            "Leave gradient_checkpointing out, or choose --method lora.",
        )
    shape = model.config
    width = getattr(shape, "d_kv", None)  # T5: the heads need not be as wide as the layers together
    return PrefixTuningConfig(
        num_virtual_tokens=options.num_virtual_tokens,
        token_dim=width * shape.num_attention_heads if width else None,
        num_layers=shape.num_hidden_layers,
        num_attention_heads=None if hasattr(shape, "num_key_value_heads") else shape.num_attention_heads,
        **common,
    )


def _targets(model: Any, wanted: str) -> str | list[str]:
    """What LoRA adapts, as PEFT takes it; raises ForgeError for names that no layer has."""
    import torch

    if wanted == "all-linear":
        return wanted
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    kinds = (torch.nn.Linear, torch.nn.Embedding)
    able = [
        name for name, module in model.named_modules() if isinstance(module, kinds) or "Conv1D" in type(module).__name__
    ]
    unknown = [name for name in names if not any(each == name or each.endswith(f".{name}") for each in able)]
    if unknown or not names:
        last = sorted({name.rpartition(".")[2] for name in able})
        raise ForgeError(
            f"LoRA finds no layer {', '.join(unknown) or 'to adapt'}",
            f"the layers of this model that it can adapt are called {', '.join(last)}",
            "Correct target_modules, or leave it at all-linear.",
        )
    return names


def _head_names(model: Any, head: Head) -> list[str]:
    """The layers on top of the network that are made for the task; they stand beside the network itself."""
    if not head.is_new:
        return []
    return [
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    ]


def _within(model: Any, name: str) -> Iterator[str]:
    """A module and all that is inside of it, by name."""
    module = model.get_submodule(name)
    for inner, _ in module.named_modules():
        yield f"{name}.{inner}" if inner else name


def freeze(model: Any, layers: int) -> None:
    """Let the embeddings and so many of the lowest layers of each stack keep their weights.

    Raises ForgeError where the model has not so many.
    """
    import torch

    stacks = list(_stacks(model))
    fewest = min((len(stack) for stack in stacks), default=0)
    if layers > fewest:
        raise ForgeError(
            f"freeze_layers = {layers} is not possible",
            f"this model has {fewest} layers",
            f"Give a number from 0, which is the embeddings alone, to {fewest}.",
        )
    frozen = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    frozen += [module for name, module in model.named_modules() if name.rpartition(".")[2] == "embeddings"]
    frozen += [layer for stack in stacks for layer in list(stack)[:layers]]
    for module in frozen:
        module.requires_grad_(False)


def _stacks(module: Any) -> Iterator[Any]:
    """The outermost lists of layers: one of an encoder or a decoder, two where a model has both."""
    import torch

    for child in module.children():
        if isinstance(child, torch.nn.ModuleList):
            yield child
        else:
            yield from _stacks(child)


def virtual_tokens(model: Any) -> int:
    """How many places before the input the learned vectors of a model take."""
    config = getattr(model, "active_peft_config", None)
    return int(config.num_virtual_tokens) if config is not None and config.is_prompt_learning else 0


def _judged_at_its_end(model: Any, head: Head) -> Any:
    """A decoder with a head and prompt tuning, made to judge each text at its last token; any other as it is.

    Such a head looks for the last token that is no padding among the numbers of the tokens. Behind learned vectors it
    gets none, and takes the last place of the batch: padding, for all but the longest text.
    """
    import torch

    config = model.active_peft_config
    base = model.get_base_model()
    if head is not CLASSIFIER or config.peft_type != "PROMPT_TUNING" or not hasattr(base, "score"):
        return model

    def keep_the_end(network: Any, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
        read, states = kwargs["attention_mask"], output.last_hidden_state  # PEFT has put the vectors into both
        ends = (read * torch.arange(1, read.shape[1] + 1, device=read.device)).argmax(dim=1)
        output.last_hidden_state = states[torch.arange(len(states), device=states.device), ends][:, None]
        return output

    getattr(base, base.base_model_prefix).register_forward_hook(keep_the_end, with_kwargs=True)
    return model


# --- finished runs -------------------------------------------------------------------------------------------------


def save_tuned(model: Any, tokenizer: Any, folder: Path, method: str) -> None:
    """Write the model folder: a Transformers model, or a PEFT adapter with the method that it was made by."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / METHOD_FILE, {"method": method})


def load_finished(
    folder: Path, head: Head, config: Mapping[str, Any] | None = None, dtype: Any = None
) -> tuple[Any, Any]:
    """Tokenizer and model of a finished run of any method, ready to predict on the GPU where there is one.

    Weights are as they were saved, those of an adapter's base in 32 bits, unless a `dtype` is given.

    Raises ForgeError when the base of an adapter is not where it was.
    """
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    method = (read_json(folder / METHOD_FILE) or {}).get("method", "lora")
    if (folder / "adapter_config.json").exists():
        model = _load_adapted(folder, head, config, method, dtype)
    else:
        model = getattr(transformers, head.model).from_pretrained(folder, local_files_only=True, dtype=dtype or "auto")
    is_quantized = getattr(model, "is_loaded_in_4bit", False)
    return tokenizer, model.eval() if is_quantized else model.eval().to("cuda" if _on_gpu() else "cpu")


def _load_adapted(folder: Path, head: Head, config: Mapping[str, Any] | None, method: str, dtype: Any) -> Any:
    """The base of an adapter, made ready as it was for training, with the adapter on it."""
    from peft import PeftModel

    _require_base(str(folder))
    base = load_base(base_of(str(folder)), head, config, method, dtype, tokenizer_folder=_tokenizer_of(str(folder)))
    return _judged_at_its_end(PeftModel.from_pretrained(base.model, folder), head)


def put_weights(model: Any, folder: Path) -> None:
    """Put the weights of a checkpoint into the model that it was saved from, of whatever method."""
    from safetensors.torch import load_file

    if hasattr(model, "peft_config"):
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))
        return
    index = read_json(folder / "model.safetensors.index.json")
    files = sorted(set(index["weight_map"].values())) if index else ["model.safetensors"]
    loaded: set[str] = set()
    for name in files:
        weights = load_file(folder / name)
        model.load_state_dict(weights, strict=False)
        loaded |= set(weights)
    tensors = model.state_dict()
    filled = {tensors[name].data_ptr() for name in loaded if name in tensors}
    made = set(getattr(model, "_keys_to_ignore_on_save", None) or ())  # by a formula, so that nothing is saved of them
    lacking = [
        name
        for name, tensor in tensors.items()
        if name not in loaded and name not in made and tensor.data_ptr() not in filled
    ]
    if lacking:  # weights that share memory are saved once
        raise ForgeError(
            f"The checkpoint {folder.name} lacks weights",
            f"it has none for {', '.join(lacking[:3])}",
            "Start the run again.",
            str(folder),
        )


def accepts_vectors(model: Any) -> bool:
    """Whether the layers of a model take vectors from outside, which prefix tuning needs."""
    inner = getattr(model, model.base_model_prefix, model)
    return any("past_key_values" in inspect.signature(each.forward).parameters for each in (model, inner))
