"""Parameters counted from shapes, compared with the networks that Transformers builds for the same config.json."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import profiles.model_configs
from backends.contract import UsageError
from profiles.catalog import Shape, find_model
from profiles.model_configs import model_from_config
from profiles.parameter_counts import count_active_parameters, count_parameters, has_formula

_FILE = Path(profiles.model_configs.__file__).with_name("model_types.toml")
TYPES = tuple(
    name for name, entry in tomllib.loads(_FILE.read_text(encoding="utf-8"))["type"].items() if "kind" in entry
)

DECODER = {
    "num_hidden_layers": 2,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 16,  # on purpose not hidden / heads
    "vocab_size": 101,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ENCODER = {key: value for key, value in DECODER.items() if key not in ("num_key_value_heads", "head_dim")}
EIGHT = {**DECODER, "num_attention_heads": 6, "head_dim": 8}  # where heads times head_dim must be hidden
T5 = {"num_layers": 2, "num_decoder_layers": 3, "d_model": 48, "d_ff": 80, "num_heads": 3, "d_kv": 8, "vocab_size": 101}
BART = {
    "encoder_layers": 3,
    "decoder_layers": 2,
    "d_model": 48,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 80,
    "encoder_attention_heads": 6,
    "decoder_attention_heads": 6,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 0,
}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
PICTURE = {"image_size": 32, "patch_size": 8}
SIGHT = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 40, "num_attention_heads": 4, **PICTURE}
QWEN_SIGHT = {"depth": 2, "num_heads": 4, "patch_size": 8, "spatial_merge_size": 2, "temporal_patch_size": 2}
WAVE = {"num_conv_pos_embeddings": 128, "num_conv_pos_embedding_groups": 16}
DEBERTA = {"relative_attention": True, "position_buckets": 8, "share_att_key": True, "norm_rel_ebd": "layer_norm"}

# A config of each type; several where a key changes the formula.
TINY: dict[str, list[dict[str, Any]]] = {
    "llama": [EIGHT, {**EIGHT, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}, DECODER],
    "granite": [EIGHT],
    "smollm3": [EIGHT, {**EIGHT, "tie_word_embeddings": False}],
    "mistral": [DECODER],
    "ministral3": [DECODER],
    "mixtral": [{**DECODER, **EXPERTS}],
    "phi3": [EIGHT],
    "phi": [{**EIGHT, "num_key_value_heads": 6}],
    "qwen2": [EIGHT, {**EIGHT, "tie_word_embeddings": True}],
    "qwen3": [DECODER, {**DECODER, "attention_bias": True}],
    "qwen3_moe": [
        {**DECODER, "moe_intermediate_size": 24, "num_experts": 4, "num_experts_per_tok": 2},
        {**DECODER, "moe_intermediate_size": 24, "num_experts": 4, "num_experts_per_tok": 2, "decoder_sparse_step": 2},
    ],
    "llama4_text": [
        {**DECODER, "num_local_experts": 4, "intermediate_size_mlp": 72, "num_experts_per_tok": 1},
        {**DECODER, "num_local_experts": 4, "intermediate_size_mlp": 72, "interleave_moe_layer_step": 2},
    ],
    "gpt_oss": [{**DECODER, **EXPERTS}],
    "gemma": [DECODER],
    "gemma2": [DECODER],
    "gemma3_text": [DECODER],
    "olmo": [EIGHT],
    "olmo2": [EIGHT],
    "starcoder2": [EIGHT, {**EIGHT, "use_bias": False}],
    "gpt_neox": [ENCODER, {**ENCODER, "attention_bias": False}],
    "gpt2": [
        {"n_layer": 2, "n_embd": 48, "n_head": 6, "n_positions": 64, "vocab_size": 101},
        {"n_layer": 2, "n_embd": 48, "n_head": 6, "n_positions": 64, "vocab_size": 101, "n_inner": 80},
    ],
    "opt": [{**ENCODER, "ffn_dim": 80, "word_embed_proj_dim": 48}],
    "bloom": [{"n_layer": 2, "hidden_size": 48, "n_head": 6, "vocab_size": 101}],
    "bert": [ENCODER, {**ENCODER, "type_vocab_size": 5}],
    "roberta": [{**ENCODER, "type_vocab_size": 1}],
    "xlm-roberta": [{**ENCODER, "type_vocab_size": 1}],
    "camembert": [{**ENCODER, "type_vocab_size": 1}],
    "electra": [{**ENCODER, "embedding_size": 24}, {**ENCODER, "embedding_size": 48}],
    "albert": [{**ENCODER, "embedding_size": 24}, {**ENCODER, "embedding_size": 48}],
    "mpnet": [ENCODER],
    "distilbert": [
        {"n_layers": 2, "dim": 48, "hidden_dim": 80, "n_heads": 6, "vocab_size": 101, "max_position_embeddings": 64}
    ],
    "deberta-v2": [
        {**ENCODER, **DEBERTA, "position_biased_input": False, "type_vocab_size": 0},
        {**ENCODER, **DEBERTA, "position_biased_input": True, "type_vocab_size": 2},
    ],
    "modernbert": [ENCODER],
    "t5": [T5, {**T5, "feed_forward_proj": "gated-gelu"}],
    "mt5": [T5],
    "bart": [BART],
    "mbart": [BART],
    "pegasus": [BART],
    "marian": [BART],
    "m2m_100": [BART],
    "whisper": [{**BART, "num_mel_bins": 20, "max_source_positions": 50, "max_target_positions": 30}],
    "wav2vec2": [{**ENCODER, **WAVE}, {**ENCODER, **WAVE, "feat_extract_norm": "layer", "conv_bias": True}],
    "hubert": [{**ENCODER, **WAVE}, {**ENCODER, **WAVE, "feat_extract_norm": "layer", "conv_bias": True}],
    "vit": [{**SIGHT}],
    "dinov2": [{"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, **PICTURE}],
    "dinov3_vit": [SIGHT, {**SIGHT, "num_register_tokens": 4}],
    "videomae": [{**SIGHT, "num_frames": 4, "tubelet_size": 2}],
    "timesformer": [{**SIGHT, "num_frames": 4}],
    "gemma3": [{"text_config": DECODER, "vision_config": {**SIGHT, "vision_use_head": False}}],
    "llava": [
        {
            "text_config": {"model_type": "llama", **EIGHT},
            "vision_config": {"model_type": "clip_vision_model", **SIGHT},
        }
    ],
    "mistral3": [
        {
            "text_config": {"model_type": "mistral", **DECODER},
            "vision_config": {"model_type": "pixtral", **SIGHT},
            "tie_word_embeddings": tied,
        }
        for tied in (True, False)
    ],
    "smolvlm": [{"text_config": {"model_type": "llama", **EIGHT}, "vision_config": SIGHT, "scale_factor": 4}],
    "idefics3": [{"text_config": {"model_type": "llama", **EIGHT}, "vision_config": SIGHT, "scale_factor": 2}],
    "qwen2_vl": [
        {"text_config": EIGHT, "vision_config": {**QWEN_SIGHT, "embed_dim": 32, "hidden_size": 48, "mlp_ratio": 4}}
    ],
    "qwen2_5_vl": [
        {
            "text_config": EIGHT,
            "vision_config": {**QWEN_SIGHT, "hidden_size": 32, "intermediate_size": 40, "out_hidden_size": 48},
        }
    ],
    "qwen3_vl": [
        {
            "text_config": DECODER,
            "vision_config": {
                **QWEN_SIGHT,
                "hidden_size": 32,
                "intermediate_size": 40,
                "out_hidden_size": 48,
                "num_position_embeddings": 16,
                "deepstack_visual_indexes": [0],
            },
            "tie_word_embeddings": True,
        }
    ],
}


def test_every_type_is_tried() -> None:
    assert set(TINY) == set(TYPES)


@pytest.mark.parametrize(
    ("name", "config"), [(name, config) for name, configs in TINY.items() for config in configs], ids=lambda each: each
)
def test_the_count_is_that_of_transformers(name: str, config: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    made = transformers.CONFIG_MAPPING[name](**config)
    model = model_from_config(made.to_dict(), "tiny")
    builder = {
        "causal-lm": "AutoModelForCausalLM",
        "encoder-decoder": "AutoModelForSeq2SeqLM",
        "vision-language": "AutoModelForImageTextToText",
    }.get(model.kind, "AutoModelForSpeechSeq2Seq" if name == "whisper" else "AutoModel")
    with torch.device("meta"):
        built = getattr(transformers, builder).from_config(made)
    built.tie_weights()  # on the meta device this is not done by itself
    assert model.parameters == sum(each.numel() for each in built.parameters())


def test_the_published_head_of_flan_t5_counts() -> None:
    # Transformers builds T5 with one matrix for words and head; the published weights of Flan-T5 hold two.
    shape = find_model("google/flan-t5-small").shape
    assert shape is not None and shape.tied_embeddings is False
    assert count_parameters(shape) == 76_961_152


def test_only_some_experts_work() -> None:
    shape = find_model("Mixtral-8x7B-v0.1").shape
    assert shape is not None
    assert count_active_parameters(shape) == pytest.approx(12.9e9, rel=0.01)
    dense = find_model("Mistral-7B-v0.3").shape
    assert dense is not None
    assert count_active_parameters(dense) == count_parameters(dense)


def test_an_architecture_without_formula_is_refused() -> None:
    assert has_formula("llama") and not has_formula("lama")
    with pytest.raises(UsageError) as caught:
        count_parameters(Shape("lama", layers=2))
    assert "'lama'" in caught.value.what and "'llama'" in caught.value.fix


def test_a_missing_size_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        count_parameters(Shape("bert", layers=2, hidden=8, intermediate=16, vocab=None, heads=2))
    assert "vocab" in caught.value.why and "hidden" not in caught.value.why
