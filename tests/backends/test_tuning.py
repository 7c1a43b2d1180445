"""Every method on every kind of model: what learns, what is kept, what is loaded again and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backends.contract import ForgeError
from backends.length_groups import LengthGroups
from backends.options import TransformersOptions
from backends.tuning import (
    ANSWER_FINDER,
    CLASSIFIER,
    LANGUAGE_MODEL,
    SEQ2SEQ,
    TAGGER,
    Head,
    freeze,
    labels_config,
    load_base,
    load_finished,
    put_weights,
    save_tuned,
    tune,
    virtual_tokens,
    with_tokens,
)

OPTIONS = TransformersOptions(lora_r=2, lora_alpha=4, num_virtual_tokens=3)
LABELS = labels_config(("no", "yes", "maybe"))
SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "roberta": SIZES,
    "electra": {**SIZES, "embedding_size": 128},
    "distilbert": {"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128},
    "modernbert": SIZES,
    "deberta-v2": {**SIZES, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "t5": {"d_model": 64, "d_kv": 32, "d_ff": 128, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0},
    "bart": {
        "d_model": 64,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 128,
        "decoder_ffn_dim": 128,
        "decoder_start_token_id": 2,
    },
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4},
    "llama": {**SIZES, "num_key_value_heads": 2},
    "qwen3": {**SIZES, "num_key_value_heads": 2, "head_dim": 32},
}
ENCODERS = ("bert", "roberta", "electra", "distilbert", "modernbert", "deberta-v2")
USUAL = ("bert", "modernbert", "t5", "gpt2")  # the others take longer together than they tell
PREFIXED = ("bert", "roberta", "electra")
PAIRS = [
    *[(name, head) for name in ENCODERS for head in (CLASSIFIER, TAGGER, ANSWER_FINDER)],
    *[("t5", SEQ2SEQ), ("bart", SEQ2SEQ), ("gpt2", LANGUAGE_MODEL), ("llama", LANGUAGE_MODEL)],
    ("qwen3", LANGUAGE_MODEL),
]


def able(name: str, head: Head, method: str) -> bool:
    if method == "prompt-tuning":
        return head not in (TAGGER, ANSWER_FINDER)
    return method != "prefix-tuning" or name in PREFIXED or not head.is_new


CASES = [
    pytest.param(name, head, method, id=f"{name}-{head.peft}-{method}", marks=() if name in USUAL else pytest.mark.slow)
    for name, head in PAIRS
    for method in ("full", "lora", "qlora", "prompt-tuning", "prefix-tuning")
    if able(name, head, method)
]


@pytest.fixture(scope="module", autouse=True)
def one_cpu_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes the folder of a tiny pretrained network without a head of the task, once for each kind and range of its
    weights."""
    import torch
    import transformers

    from backends.encoders import train_tokenizer

    tokenizer = train_tokenizer(["one two three four five six"] * 5, True)
    made: dict[tuple[str, float], Path] = {}

    def folder(name: str, initializer_range: float = 0.02) -> Path:
        key = name, initializer_range
        if key not in made:
            torch.manual_seed(0)
            config = transformers.AutoConfig.for_model(
                name,
                vocab_size=len(tokenizer),
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=3,
                cls_token_id=2,
                sep_token_id=3,
                initializer_range=initializer_range,
                **CONFIGS[name],
            )
            kinds = {"t5": "AutoModelForSeq2SeqLM", "bart": "AutoModelForSeq2SeqLM"}
            kind = kinds.get(name, "AutoModelForCausalLM" if name in ("gpt2", "llama", "qwen3") else "AutoModel")
            made[key] = tmp_path_factory.mktemp(name)
            getattr(transformers, kind).from_config(config).save_pretrained(made[key])
            tokenizer.save_pretrained(made[key])
        return made[key]

    return folder


def batch(tokenizer: Any, head: Head) -> dict[str, Any]:
    import torch

    coded = tokenizer(["one two three", "four five six one two"], padding=True, return_tensors="pt")
    inputs = {"input_ids": coded["input_ids"], "attention_mask": coded["attention_mask"]}
    if head is CLASSIFIER:
        return {**inputs, "labels": torch.tensor([0, 2])}
    if head is TAGGER:
        return {**inputs, "labels": inputs["input_ids"] % 3}
    if head is ANSWER_FINDER:
        return {**inputs, "start_positions": torch.tensor([1, 2]), "end_positions": torch.tensor([2, 2])}
    return {**inputs, "labels": inputs["input_ids"].clone()}


def said(model: Any, inputs: dict[str, Any]) -> Any:
    import torch

    with torch.inference_mode():
        found = model(**inputs)
    return found.start_logits if "start_logits" in found else found.logits


def learn(model: Any, inputs: dict[str, Any], steps: int = 2, dropout: bool = True) -> list[float]:
    """A few steps, so that what learns differs from how it began; the losses."""
    import torch

    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.train(dropout)
    losses = []
    for _ in range(steps):
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    return losses


@pytest.mark.parametrize(("name", "head", "method"), CASES)
def test_what_was_learned_is_loaded_again(folders: Any, tmp_path: Path, name: str, head: Head, method: str) -> None:
    import torch

    config = LABELS if head in (CLASSIFIER, TAGGER) else {}
    base = load_base(str(folders(name)), head, config, method)
    frozen = {key: value.clone() for key, value in base.model.state_dict().items()}
    model = tune(base, head, method, OPTIONS)
    trained = {key for key, value in model.named_parameters() if value.requires_grad}
    inputs = batch(base.tokenizer, head)
    learn(model, inputs)
    if method != "full":
        prefix = base.model.base_model_prefix
        heads = [key for key, _ in base.model.named_children() if key != prefix and head.is_new]
        if head.is_new:
            assert any(f"{each}.modules_to_save" in key for each in heads for key in trained), trained
        now = {key.replace(".base_layer", ""): value for key, value in base.model.state_dict().items()}
        same = [key for key in frozen if key in now and not any(key.startswith(each) for each in heads)]
        assert same and not [key for key in same if not torch.equal(frozen[key], now[key])]
    expected = said(model, inputs)
    save_tuned(model, base.tokenizer, tmp_path, method)
    assert not list(tmp_path.glob("*.bin")) and not list(tmp_path.glob("*.pt"))
    _, loaded = load_finished(tmp_path, head, config)
    assert torch.allclose(said(loaded, inputs), expected, atol=1e-5)


SORTING = [
    pytest.param(name, method, marks=() if name in USUAL else pytest.mark.slow)
    for name in (*ENCODERS, "gpt2", "llama", "qwen3")
    for method in ("prompt-tuning", "prefix-tuning")
    if method == "prompt-tuning" or name not in ("distilbert", "modernbert", "deberta-v2")
]


@pytest.mark.parametrize(("name", "method"), SORTING)
def test_behind_added_vectors_a_text_is_judged_by_its_own_words(
    folders: Any, tmp_path: Path, name: str, method: str
) -> None:
    """The place that a head reads is then an added vector, or could be padding: texts that differ in one word must be
    told apart, and each be judged alike whatever stands beside it in the batch."""
    import torch

    torch.manual_seed(0)
    # The weights are wide enough for words to be felt at other places, as they are after pretraining.
    base = load_base(str(folders(name, 0.3)), CLASSIFIER, LABELS, method)
    model = tune(base, CLASSIFIER, method, OPTIONS)
    texts = ["one two", "one three", "two two one four five six one two", "two two one four five six one three"]
    coded = base.tokenizer(texts, padding=True, return_tensors="pt")
    inputs = {key: coded[key] for key in ("input_ids", "attention_mask")}
    learn(model, {**inputs, "labels": torch.tensor([0, 2, 0, 2])}, steps=60, dropout=False)
    save_tuned(model, base.tokenizer, tmp_path, method)
    for judge in (model, load_finished(tmp_path, CLASSIFIER, LABELS)[1]):
        together = said(judge, inputs)
        assert together.argmax(dim=1).tolist() == [0, 2, 0, 2]
        for row, text in enumerate(texts):
            alone = base.tokenizer([text], return_tensors="pt")
            found = said(judge, {key: alone[key] for key in inputs})
            assert torch.allclose(found[0], together[row], atol=1e-4), text


def test_qlora_holds_the_network_in_4_bits_and_the_head_whole(folders: Any) -> None:
    base = load_base(str(folders("roberta")), CLASSIFIER, LABELS, "qlora")
    kinds = {name: type(module).__name__ for name, module in base.model.named_modules()}
    assert kinds["roberta.encoder.layer.0.attention.self.query"] == "Linear4bit"
    assert kinds["classifier.dense"] == kinds["classifier.out_proj"] == "Linear"
    told = base.model.config.quantization_config
    assert told.bnb_4bit_quant_type == "nf4" and told.bnb_4bit_use_double_quant


def test_weights_in_4_bits_keep_their_scales_when_they_are_evaluated(
    folders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU with bfloat16 in AVX-512 bitsandbytes would pack them, rounding the scales."""
    import bitsandbytes.nn.modules
    import torch

    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)
    base = load_base(str(folders("bert")), CLASSIFIER, LABELS, "qlora")
    layer = base.model.bert.encoder.layer[0].attention.self.query
    before = layer.weight.quant_state.absmax.clone()
    said(base.model.eval(), batch(base.tokenizer, CLASSIFIER))
    assert torch.equal(layer.weight.quant_state.absmax, before)


@pytest.mark.parametrize("name", ["bert", "modernbert", "distilbert", "llama", "t5"])
def test_the_lowest_layers_can_be_frozen(folders: Any, name: str) -> None:
    head = {"llama": LANGUAGE_MODEL, "t5": SEQ2SEQ}.get(name, CLASSIFIER)
    base = load_base(str(folders(name)), head, LABELS if head is CLASSIFIER else {})
    model = tune(base, head, "full", replace(OPTIONS, freeze_layers=1))
    learns = {key: value.requires_grad for key, value in model.named_parameters()}
    numbered = {key: re.search(r"\.(\d+)\.", key) for key in learns}
    lowest = [key for key, found in numbered.items() if found and found[1] == "0"]
    above = [key for key, found in numbered.items() if found and found[1] == "1"]
    assert lowest and not any(learns[key] for key in lowest)
    assert above and all(learns[key] for key in above)
    assert not any(learns[key] for key in learns if "embed" in key or "wte" in key or "shared" in key)
    with pytest.raises(ForgeError) as refused:
        freeze(model, 3)
    assert "2 layers" in refused.value.why and "0" in refused.value.fix


def test_lora_can_be_told_which_layers_and_in_what_way(folders: Any) -> None:
    options = replace(OPTIONS, target_modules="query, value", use_dora=True, use_rslora=True)
    model = tune(load_base(str(folders("bert")), CLASSIFIER, LABELS), CLASSIFIER, "lora", options)
    adapted = {key.split(".lora_")[0].rpartition(".")[2] for key, _ in model.named_parameters() if ".lora_" in key}
    assert adapted == {"query", "value"}
    assert any("lora_magnitude_vector" in key for key, _ in model.named_parameters())
    layer = model.base_model.model.bert.encoder.layer[0].attention.self.query
    assert layer.scaling["default"] == pytest.approx(4 / 2**0.5)
    with pytest.raises(ForgeError) as refused:
        base = load_base(str(folders("bert")), CLASSIFIER, LABELS)
        tune(base, CLASSIFIER, "lora", replace(OPTIONS, target_modules="q_proj"))
    assert "q_proj" in refused.value.what and "query" in refused.value.why


def test_what_cannot_take_a_prefix_is_refused_with_what_can(folders: Any) -> None:
    for name in ("modernbert", "deberta-v2", "distilbert"):
        base = load_base(str(folders(name)), CLASSIFIER, LABELS)
        with pytest.raises(ForgeError) as refused:
            tune(base, CLASSIFIER, "prefix-tuning", OPTIONS)
        assert name in refused.value.why and "lora" in refused.value.fix
    base = load_base(str(folders("bert")), CLASSIFIER, LABELS)
    with pytest.raises(ForgeError) as refused:
        tune(base, CLASSIFIER, "prefix-tuning", replace(OPTIONS, gradient_checkpointing=True))
    assert "gradient_checkpointing" in refused.value.fix


TIED = pytest.param("gpt2", LANGUAGE_MODEL, "lora", id="tied")
ADDING = [
    *[("bert", head, method) for head in (CLASSIFIER, TAGGER, ANSWER_FINDER) for method in ("full", "lora")],
    *[("t5", SEQ2SEQ, "full"), ("t5", SEQ2SEQ, "lora"), ("llama", LANGUAGE_MODEL, "full")],
    *[("llama", LANGUAGE_MODEL, "lora"), ("llama", LANGUAGE_MODEL, "qlora"), ("bart", SEQ2SEQ, "lora"), TIED],
]


@pytest.mark.parametrize(("name", "head", "method"), ADDING)
def test_added_tokens_are_whole_learned_and_loaded_again(
    folders: Any, tmp_path: Path, name: str, head: Head, method: str
) -> None:
    import torch

    config = LABELS if head in (CLASSIFIER, TAGGER) else {}
    base = load_base(str(folders(name)), head, config, method)
    before = base.model.get_input_embeddings().weight.detach().clone()
    base = with_tokens(base, ["<Order>", base.tokenizer.convert_ids_to_tokens(9)], method)
    (order,) = base.new_tokens
    assert "<Order>" in base.tokenizer.tokenize("two<Order>three")
    start = base.model.get_input_embeddings().weight.detach().clone()
    assert torch.allclose(start[order], before.mean(dim=0), atol=1e-6)
    assert torch.equal(start[: len(before)], before)
    model = tune(base, head, method, OPTIONS)
    coded = base.tokenizer(["one <Order> three", "four <Order> six one two"], padding=True, return_tensors="pt")
    inputs = {**batch(base.tokenizer, head), **{key: coded[key] for key in ("input_ids", "attention_mask")}}
    if "labels" in inputs and head is not CLASSIFIER:
        inputs["labels"] = coded["input_ids"] % 3 if head is TAGGER else coded["input_ids"].clone()
    if "start_positions" in inputs:
        inputs = {key: value.clamp(max=2) if "positions" in key else value for key, value in inputs.items()}
    learn(model, inputs)
    save_tuned(model, base.tokenizer, tmp_path, method)
    tokenizer, loaded = load_finished(tmp_path, head, config)
    assert tokenizer.convert_tokens_to_ids("<Order>") == order and "<Order>" in tokenizer.tokenize("x<Order>y")
    assert torch.allclose(said(loaded, inputs), said(model, inputs), atol=1e-5)
    read = loaded.get_input_embeddings()(torch.tensor([order, 7]))
    assert not torch.allclose(read[0], start[order], atol=1e-4), "the vector of the new token was learned"
    assert method == "full" or torch.allclose(read[1], start[7], atol=1e-6), "and of no other"
    if method == "lora":
        whole = loaded.merge_and_unload()
        assert torch.allclose(said(whole, inputs), said(model, inputs), atol=1e-4), "as one model with its base"
        if head in (SEQ2SEQ, LANGUAGE_MODEL):
            written = whole.get_output_embeddings().weight
            assert not torch.allclose(written[order], written[: len(before)].mean(dim=0), atol=1e-4)


def test_added_tokens_are_refused_where_they_would_stay_as_they_begin(folders: Any) -> None:
    for method, freezes in (("prompt-tuning", False), ("prefix-tuning", False), ("full", True)):
        base = load_base(str(folders("bert")), CLASSIFIER, LABELS)
        with pytest.raises(ForgeError) as refused:
            with_tokens(base, ["<Order>"], method, freezes)
        assert "added_tokens" in refused.value.what and "lora" in refused.value.fix
        assert with_tokens(base, [base.tokenizer.convert_ids_to_tokens(9)], method, freezes).new_tokens == (), (
            "the model knows it"
        )


def test_an_adapter_goes_on_with_the_tokens_it_has(folders: Any, tmp_path: Path) -> None:
    base = with_tokens(load_base(str(folders("bert")), CLASSIFIER, LABELS), ["<Order>"], "lora")
    save_tuned(tune(base, CLASSIFIER, "lora", OPTIONS), base.tokenizer, tmp_path, "lora")
    again = load_base(str(tmp_path), CLASSIFIER, LABELS, "lora")
    assert with_tokens(again, ["<Order>"], "lora").new_tokens == ()
    with pytest.raises(ForgeError, match="takes no further added_tokens"):
        with_tokens(again, ["<Order>", "<Date>"], "lora")
    whole = load_base(str(tmp_path), CLASSIFIER, LABELS, "full")
    assert len(with_tokens(whole, ["<Order>", "<Date>"], "full").new_tokens) == 1


def test_added_vectors_take_places_of_the_input(folders: Any) -> None:
    for method, expected in (("prompt-tuning", 3), ("prefix-tuning", 3), ("lora", 0), ("full", 0)):
        base = load_base(str(folders("bert")), CLASSIFIER, LABELS)
        assert virtual_tokens(tune(base, CLASSIFIER, method, OPTIONS)) == expected


@pytest.mark.parametrize("method", ["full", "lora", "prompt-tuning", "prefix-tuning"])
@pytest.mark.parametrize(("name", "head"), [("bert", CLASSIFIER), ("t5", SEQ2SEQ), ("gpt2", LANGUAGE_MODEL)])
def test_the_weights_of_a_checkpoint_are_put_back(
    folders: Any, tmp_path: Path, name: str, head: Head, method: str
) -> None:
    import torch

    base = load_base(str(folders(name)), head, LABELS if head is CLASSIFIER else {}, method)
    model = tune(base, head, method, OPTIONS)
    inputs = batch(base.tokenizer, head)
    learn(model, inputs)
    model.save_pretrained(tmp_path)
    before = said(model, inputs)
    learn(model, inputs)
    assert not torch.allclose(said(model, inputs), before, atol=1e-4)
    put_weights(model, tmp_path)
    assert torch.allclose(said(model, inputs), before, atol=1e-6)


def test_a_checkpoint_in_parts_is_put_back_and_one_with_gaps_is_refused(folders: Any, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    model = load_base(str(folders("bert")), CLASSIFIER, LABELS).model
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    before = model.classifier.weight.detach().clone()
    with torch.no_grad():
        model.classifier.weight.zero_()
    put_weights(model, tmp_path)
    assert torch.equal(model.classifier.weight, before)
    part = next(path for path in tmp_path.glob("model-*.safetensors") if "classifier.weight" in load_file(path))
    save_file({"classifier.bias": model.classifier.bias.detach()}, part)
    with pytest.raises(ForgeError, match="lacks weights"):
        put_weights(model, tmp_path)


def test_rows_of_like_length_come_together_in_an_order_of_the_epoch_alone() -> None:
    lengths = [5 + (number * 37) % 60 for number in range(400)]
    groups = LengthGroups(lengths, 8, seed=3)
    first = list(groups)
    assert sorted(first) == list(range(400)) and len(groups) == 400
    assert lengths[first[0]] == max(lengths), "the longest comes first"
    steps = [sum(lengths[row] for row in first[start : start + 8]) for start in range(8, len(first) - 8, 8)]
    falls = sum(before > after for before, after in pairwise(steps))
    assert falls < 0.8 * len(steps), "steps do not go from long to short"
    padded = sum(8 * max(lengths[row] for row in first[at : at + 8]) for at in range(0, 400, 8))
    by_lot = sum(8 * max(lengths[at : at + 8]) for at in range(0, 400, 8))
    assert padded < 1.15 * sum(lengths) < by_lot
    groups.set_epoch(1)
    second = list(groups)
    assert second != first
    groups.set_epoch(0)
    assert list(groups) == first
