"""Reads what a model is from the config.json that Transformers keeps with it; what is not sure is unknown."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from backends.contract import UsageError, nearest
from backends.registry import TASK_DATA
from profiles.catalog import KIND_TASKS, Model, Shape
from profiles.parameter_counts import SPEAKERS, count_active_parameters, count_parameters

_FIX = "Fetch the model again, or correct its config.json."
_LARGEST = 1 << 40
_TEXT_FIELDS = ("embedding", "token_types", "relative_buckets", "expert_every", "dense_intermediate", "registers")
# What may be left out because another size says it, or because a network of that type may do without.
_OPTIONAL = ("kv_heads", "head_dim", "tied_embeddings", "attention_bias", "mlp_bias", *_TEXT_FIELDS)
# The kind of a type that is not known, by the end of the name of its class.
_CLASSES = {
    "ForCausalLM": "causal-lm",
    "ForMaskedLM": "encoder",
    "ForSequenceClassification": "encoder",
    "ForTokenClassification": "encoder",
    "ForQuestionAnswering": "encoder",
    "ForSeq2SeqLM": "encoder-decoder",
    "ForImageClassification": "image",
    "ForObjectDetection": "detector",
    "ForCTC": "speech",
    "ForSpeechSeq2Seq": "speech",
    "ForVideoClassification": "video",
    "ForImageTextToText": "vision-language",
}


def model_from_config(config: Mapping[str, Any], name: str) -> Model:
    """What a config.json says of a model; of a type that is not known its shape and parameters are None.

    Raises UsageError naming the key that is wrong or missing.
    """
    if not isinstance(config, Mapping):
        raise UsageError(f"The config.json of {name} is no configuration", "it holds no object in braces", _FIX)
    if "model_type" not in config and isinstance(config.get("architecture"), str):
        return _timm_model(config, name)
    kind_of_model = config.get("model_type")
    if not isinstance(kind_of_model, str) or not kind_of_model:
        raise UsageError(
            f"The config.json of {name} names no model_type",
            f"it is {kind_of_model!r:.80}" if "model_type" in config else _missing("model_type", config),
            _FIX,
        )
    known = _types().get(kind_of_model, {})
    kind = known.get("kind") or _kind_by_class(config, kind_of_model, name)
    where = f"The config.json of {name}"
    shape = _shape(config, kind_of_model, where) if "kind" in known else None
    parameters = active = None
    if shape is not None and _formula_holds(config, shape, known):
        parameters = count_parameters(shape)
        active = count_active_parameters(shape) if shape.experts is not None else None
    tasks = known.get("tasks", KIND_TASKS[kind])
    return Model(
        id=name,
        family=kind_of_model,
        kind=kind,
        tasks=tuple(data.id for data in TASK_DATA if data.id in tasks),
        source="its config.json",
        shape=shape,
        parameters=parameters,
        active_parameters=active,
        context=_context(config, known, where),
        note=None if shape is not None else f"models of type {kind_of_model!r} are not known here",
    )


def _timm_model(config: Mapping[str, Any], name: str) -> Model:
    """A model of pictures as timm describes it; its parameters follow from its name, which only timm can read."""
    inner = config.get("pretrained_cfg", config)
    sides = inner.get("input_size") if isinstance(inner, Mapping) else None
    side = sides[-1] if isinstance(sides, list) and sides and type(sides[-1]) is int and sides[-1] > 0 else None
    shape = Shape("timm", image=side)
    return Model(name, "timm", "image", ("image-classification",), "its config.json", shape=shape)


@cache
def _types() -> Mapping[str, Any]:
    """The types by name, each with the names of all of its sizes; an empty name means it has no such size."""
    tables = tomllib.loads(Path(__file__).with_name("model_types.toml").read_text(encoding="utf-8"))
    return {
        name: {**entry, "names": {**tables["like"].get(entry.get("like"), {}), **entry.get("names", {})}}
        for name, entry in tables["type"].items()
    }


def _kind_by_class(config: Mapping[str, Any], model_type: str, name: str) -> str:
    classes = config.get("architectures")
    for each in classes if isinstance(classes, list) else ():
        for ending, kind in _CLASSES.items():
            if isinstance(each, str) and each.endswith(ending):
                return kind
    if isinstance(config.get("vision_config"), Mapping):
        return "vision-language"
    if config.get("is_encoder_decoder") is True:
        return "encoder-decoder"
    known = tuple(each for each, entry in _types().items() if "kind" in entry)
    raise UsageError(
        f"It is not known what {name} can do",
        f"its config.json says model_type {model_type!r:.80}, which is not known here, and no class that tells",
        f"Give a model of another type{nearest(model_type, known)}.",
    )


# --- sizes -------------------------------------------------------------------------------------------------------


def _shape(config: Mapping[str, Any], model_type: str, where: str) -> Shape:
    entry = _types()[model_type]
    if "sight" in entry:
        return _sighted(config, model_type, entry, where)
    sizes = _sizes(config, entry, where)
    if model_type in ("t5", "mt5"):
        feed = config.get("feed_forward_proj", entry["otherwise"]["feed_forward_proj"])
        sizes["gated_mlp"] = isinstance(feed, str) and feed.startswith("gated")
        sizes["layers"] = sizes["layers"] or sizes["encoder_layers"]
    if model_type in ("wav2vec2", "hubert"):
        sizes["layered_norms"] = config.get("feat_extract_norm", "group") == "layer"
    if model_type == "deberta-v2" and config.get("position_biased_input") is False:
        sizes["positions"] = None
    return _completed(Shape(architecture=model_type, **sizes), where)


def _sighted(config: Mapping[str, Any], model_type: str, entry: Mapping[str, Any], where: str) -> Shape:
    """A model of two parts; files of some types keep the sizes of the decoder at the top."""
    speaking = config.get("text_config", {})
    seeing = config.get("vision_config", {})
    if not isinstance(speaking, Mapping) or not isinstance(seeing, Mapping):
        raise UsageError(f"{where} has a text_config or vision_config that is none", "it must be an object", _FIX)
    both = {**config, **speaking}
    if "tie_word_embeddings" in config:
        both["tie_word_embeddings"] = config["tie_word_embeddings"]
    speaker = _shape(both, SPEAKERS[model_type], where)
    sight = _types()[entry["sight"]]
    sizes = _sizes(seeing, sight, f"{where}, vision_config")
    if (merge := entry.get("merge")) is not None:
        sizes["merge"] = _number(config.get(merge, entry["otherwise"][merge]), merge, where)
    if model_type == "qwen3_vl":
        taps = seeing.get("deepstack_visual_indexes", (0, 0, 0))
        sizes["taps"] = len(taps) if isinstance(taps, list | tuple) else None
    seen = _completed(Shape(architecture=entry["sight"], **sizes), f"{where}, vision_config")
    return replace(speaker, architecture=model_type, vision=seen)


def _sizes(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    otherwise, sizes = entry.get("otherwise", {}), dict[str, Any]()
    for size, key in entry["names"].items():
        if not key:
            continue
        key = next((each for each in key if each in config), key[0]) if isinstance(key, list) else key
        value = config.get(key, otherwise.get(key))
        if size == "relative_buckets" and value == -1:  # DeBERTa's word for none
            value = None
        if value is None and (size in _OPTIONAL or key in ("n_inner", "num_decoder_layers")):
            sizes[size] = None
        elif value is None:
            raise UsageError(f"{where} has no {key}", _missing(key, config), _FIX)
        elif size in _FLAGS:
            sizes[size] = _flag(value, key, where)
        else:
            sizes[size] = _number(value, key, where)
            if sizes[size] is None and size not in _OPTIONAL:
                raise UsageError(f"{where} says {key} is 0", "a network has at least one", _FIX)
    return sizes


_FLAGS = tuple(each.name for each in fields(Shape) if "bool" in str(each.type))


def _completed(shape: Shape, where: str) -> Shape:
    """With the sizes that follow from others as Transformers lets them follow; raises UsageError when they cannot."""
    if shape.heads and shape.hidden and shape.head_dim is None and shape.hidden % shape.heads:
        why = "each head gets the same share of the width, so the one must divide the other"
        raise UsageError(f"{where} says {shape.heads:,} attention heads for a width of {shape.hidden:,}", why, _FIX)
    if shape.heads and shape.kv_heads and shape.heads % shape.kv_heads:
        why = "heads share keys and values in groups of one size, so the one must divide the other"
        said = f"{shape.heads:,} attention heads and {shape.kv_heads:,} of keys and values"
        raise UsageError(f"{where} says {said}", why, _FIX)
    if shape.intermediate is None and shape.hidden is not None:
        shape = replace(shape, intermediate=4 * shape.hidden)
    if _types()[shape.architecture]["names"].get("kv_heads") is None or shape.heads is None or shape.hidden is None:
        return shape
    return replace(
        shape, kv_heads=shape.kv_heads or shape.heads, head_dim=shape.head_dim or max(1, shape.hidden // shape.heads)
    )


def _formula_holds(config: Mapping[str, Any], shape: Shape, entry: Mapping[str, Any]) -> bool:
    sight: Mapping[str, Any] = _types()[entry["sight"]] if "sight" in entry else {}
    for part, rules in ((config, entry.get("only", {})), (config.get("vision_config", {}), sight.get("only", {}))):
        if any(part.get(key, value) not in (value, None) for key, value in rules.items()):
            return False
    if shape.architecture == "deberta-v2" and shape.relative_buckets is None:
        return False
    return shape.architecture != "opt" or shape.embedding in (None, shape.hidden)


def _context(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> int | None:
    key = entry.get("context", "max_position_embeddings")
    inner = config.get("text_config")
    value = config.get(key, inner.get(key) if isinstance(inner, Mapping) else None) if key else None
    speaker = _types().get(SPEAKERS.get(str(config.get("model_type")), ""), entry)
    value = speaker.get("otherwise", {}).get(key) if value is None else value
    number = None if value is None or value == -1 else _number(value, key, where)
    return number - entry.get("context_less", 0) or None if number is not None else None


def _number(value: object, key: str, where: str) -> int | None:
    """A size; zero says that there is none, and two equal sides are one."""
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise UsageError(f"{where} says {key} is {value!r:.80}", "it must be a whole number from 0", _FIX)
    return value or None


def _flag(value: object, key: str, where: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{where} says {key} is {value!r:.80}", "it must be true or false", _FIX)
    return value


def _missing(key: str, config: Mapping[str, Any]) -> str:
    near = nearest(key, tuple(str(each) for each in config if isinstance(each, str)))
    return f"what the model is cannot be told without it{near}"
