"""Models read from a config.json: what it says, what follows from it, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import UsageError
from profiles.catalog import KIND_TASKS, Model
from profiles.model_configs import model_from_config

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 22,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
}
BERT: dict[str, Any] = {
    "model_type": "bert",
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
}
# As published, with most of the decoder left out.
GEMMA3: dict[str, Any] = {
    "model_type": "gemma3",
    "architectures": ["Gemma3ForConditionalGeneration"],
    "text_config": {
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "model_type": "gemma3_text",
        "num_hidden_layers": 34,
    },
    "vision_config": {
        "hidden_size": 1152,
        "image_size": 896,
        "intermediate_size": 4304,
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "patch_size": 14,
        "vision_use_head": False,
    },
}
# As published before Transformers gave the decoder a table of its own.
QWEN_VL: dict[str, Any] = {
    "model_type": "qwen2_vl",
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_attention_heads": 12,
    "num_hidden_layers": 28,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
    "max_position_embeddings": 32768,
    "vision_config": {
        "depth": 32,
        "embed_dim": 1280,
        "mlp_ratio": 4,
        "num_heads": 16,
        "hidden_size": 1536,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
}


def read(base: dict[str, Any], **changes: Any) -> Model:
    return model_from_config({key: value for key, value in {**base, **changes}.items() if value != "gone"}, "mine")


def test_a_decoder() -> None:
    model = read(LLAMA)
    assert (model.id, model.family, model.kind, model.context) == ("mine", "llama", "causal-lm", 2048)
    assert model.parameters == 1_100_048_384
    assert model.shape and (model.shape.head_dim, model.shape.kv_heads) == (64, 4)
    assert set(model.tasks) == KIND_TASKS["causal-lm"]
    assert (model.licence, model.open_licence, model.gated, model.active_parameters) == (None, None, None, None)


def test_what_is_left_out_is_what_transformers_takes() -> None:
    shape = read(LLAMA, num_key_value_heads="gone", tie_word_embeddings="gone").shape
    assert shape and shape.kv_heads == 32 and shape.tied_embeddings is False
    tied = read({**LLAMA, "model_type": "smollm3"}, tie_word_embeddings="gone").shape
    assert tied and tied.tied_embeddings is True


def test_an_encoder() -> None:
    model = read(BERT)
    assert (model.kind, model.parameters, model.context) == ("encoder", 109_482_240, 512)


def test_roberta_keeps_two_places_for_itself() -> None:
    assert read({**BERT, "model_type": "roberta"}, max_position_embeddings=514).context == 512


def test_published_files_of_models_that_see() -> None:
    gemma = read(GEMMA3)
    assert (gemma.kind, gemma.parameters, gemma.context) == ("vision-language", 4_300_079_472, 131_072)
    assert "text-generation" in gemma.tasks
    qwen = read(QWEN_VL)
    assert (qwen.parameters, qwen.context) == (2_208_985_600, 32_768)
    assert qwen.tasks == ("visual-question-answering",)


def test_a_translator_only_translates() -> None:
    keys = ("encoder_layers", "decoder_layers", "decoder_attention_heads")
    config = {"model_type": "marian", "d_model": 512, "vocab_size": 58101, "max_position_embeddings": 512}
    config |= dict.fromkeys(keys, 6) | dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 2048)
    assert read(config, decoder_attention_heads=8).tasks == ("translation",)


def test_a_model_of_timm() -> None:
    model = read({"architecture": "resnet50", "num_classes": 1000, "pretrained_cfg": {"input_size": [3, 224, 224]}})
    assert (model.kind, model.tasks, model.parameters) == ("image", ("image-classification",), None)
    assert model.shape and model.shape.image == 224


def test_the_longest_text_of_a_bert_may_be_left_out() -> None:
    config = {key: value for key, value in BERT.items() if key != "max_position_embeddings"}
    found, whole = model_from_config(config, "mine"), model_from_config(BERT, "mine")
    assert (found.context, found.parameters) == (512, whole.parameters)
    assert model_from_config({**config, "model_type": "roberta"}, "mine").context == 510


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({**LLAMA, "num_attention_heads": 31, "num_key_value_heads": 31}, "31 attention heads for a width of 2,048"),
        ({**LLAMA, "num_key_value_heads": 5}, "32 attention heads and 5 of keys and values"),
        ({**BERT, "num_attention_heads": 5}, "5 attention heads for a width of 768"),
    ],
)
def test_sizes_that_do_not_fit_together(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        model_from_config(config, "mine")
    assert model_from_config({**LLAMA, "num_attention_heads": 24, "head_dim": 128}, "mine").shape is not None


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"model_type": "brandnew", "architectures": ["BrandNewForCausalLM"], "hidden_size": 8}, "causal-lm"),
        ({"model_type": "brandnew", "architectures": ["BrandNewForTokenClassification"]}, "encoder"),
        ({"model_type": "brandnew", "is_encoder_decoder": True}, "encoder-decoder"),
        ({"model_type": "brandnew", "vision_config": {}}, "vision-language"),
        ({"model_type": "d_fine", "architectures": ["DFineForObjectDetection"]}, "detector"),
    ],
)
def test_of_an_unknown_type_nothing_is_guessed(config: dict[str, Any], kind: str) -> None:
    model = read(config)
    assert (model.kind, model.parameters, model.shape) == (kind, None, None)
    assert model.note and config["model_type"] in model.note


def test_an_unknown_type_that_does_not_say_what_it_is() -> None:
    with pytest.raises(UsageError) as caught:
        read({"model_type": "lama"})
    assert "lama" in caught.value.why and "'llama'" in caught.value.fix


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (BERT | {"model_type": "albert", "embedding_size": 128}, {"num_hidden_groups": 2}),
        (BERT | {"model_type": "deberta-v2"}, {"relative_attention": True, "position_buckets": -1}),
        (BERT | {"model_type": "deberta-v2", "position_buckets": 256}, {"share_att_key": False}),
        (BERT | {"model_type": "wav2vec2"}, {"conv_dim": [512, 512]}),
        (BERT | {"model_type": "modernbert"}, {"mlp_bias": True}),
        (GEMMA3, {"vision_config": {**GEMMA3["vision_config"], "vision_use_head": True}}),
    ],
)
def test_a_network_built_otherwise_is_not_counted(base: dict[str, Any], changes: dict[str, Any]) -> None:
    model = read(base, **changes)
    assert model.parameters is None and model.shape is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": "gone", "hiden_size": 2048}, ("hidden_size", "'hiden_size'")),
        ({"num_hidden_layers": "twelve"}, ("num_hidden_layers", "'twelve'", "whole number")),
        ({"num_hidden_layers": 22.0}, ("num_hidden_layers", "whole number")),
        ({"vocab_size": -1}, ("vocab_size", "-1")),
        ({"vocab_size": True}, ("vocab_size", "True")),
        ({"vocab_size": 10**30}, ("vocab_size", "whole number")),
        ({"hidden_size": 0}, ("hidden_size", "0")),
        ({"num_attention_heads": None}, ("num_attention_heads",)),
        ({"tie_word_embeddings": "no"}, ("tie_word_embeddings", "true or false")),
        ({"max_position_embeddings": "long"}, ("max_position_embeddings", "'long'")),
        ({"model_type": 7}, ("model_type", "7")),
        ({"model_type": "gone", "modeltype": "llama"}, ("model_type", "'modeltype'")),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        read(LLAMA, **changes)
    told = f"{caught.value.what} | {caught.value.why}"
    assert "mine" in told and all(word in told for word in words), told
    assert caught.value.fix


def test_parts_that_are_no_objects() -> None:
    for key in ("text_config", "vision_config"):
        with pytest.raises(UsageError):
            read(GEMMA3, **{key: 7})
    with pytest.raises(UsageError):
        model_from_config([], "mine")  # type: ignore[arg-type]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([LLAMA, BERT, GEMMA3, QWEN_VL]), st.data())
def test_damage_is_told_and_never_crashes(base: dict[str, Any], data: st.DataObject) -> None:
    changed = {**base, data.draw(st.sampled_from(list(base))): data.draw(JSON)}
    for part in ("text_config", "vision_config"):
        if isinstance(changed.get(part), dict) and changed[part]:
            key = data.draw(st.sampled_from(sorted(changed[part])))
            changed[part] = {**changed[part], key: data.draw(JSON)}
    try:
        model = model_from_config(changed, "mine")
    except UsageError as error:
        assert error.what and error.why and error.fix
    else:
        assert model.parameters is None or model.parameters > 0
