"""Recommendations: on every machine for every task a model that can do it, nothing that cannot fit, wishes honoured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import profiles.catalog
import profiles.options
import profiles.recommend
from backends.contract import DatasetProfile, TaskProposal, UsageError
from backends.registry import TASK_DATA, TASKS
from profiles.catalog import KIND_TASKS, Model, Shape, bytes_to_download, catalog, find_model
from profiles.device import choose_device
from profiles.hardware import Gpu, Hardware
from profiles.hardware_profiles import GIB
from profiles.recommend import Recommendation, Wishes, recommend

MEMORIES = ["cpu", 4, 6, 8, 12, 16, 24, 48, 80, 141]
ROLES = {"reward-modeling": ("prompt", "chosen", "rejected"), "text-generation": ("prompt", "completion")}
STRATEGIES = {
    "pretrain": ("text",),
    "sft": ("prompt", "completion"),
    "grpo": ("prompt", "completion"),
    "ppo": ("prompt", "completion"),
    "dpo": ("chosen", "rejected"),
    "orpo": ("chosen", "rejected"),
    "kto": ("prompt", "completion", "label"),
}
MILLION, BILLION = 10**6, 10**9


def data(task: str, roles: tuple[str, ...] | None = None, rows: int = 900, **stats: Any) -> DatasetProfile:
    columns = {role: role for role in roles or ROLES.get(task, ("source", "target"))}
    return DatasetProfile("x", None, None, rows, rows, task, (), columns, stats=stats)


def machine(memory: Any, capability: str | None = "8.0") -> Hardware:
    if memory == "cpu":
        return Hardware(memory_available_bytes=16 * GIB)
    free = None if memory is None else int(memory * GIB)
    return Hardware((Gpu(0, "GPU-1", memory_free_bytes=free, compute_capability=capability),))


def recommended(task: str, memory: Any = 24, **options: Any) -> Recommendation:
    wishes = Wishes(options.pop("strategy", None), options.pop("model", None), options.pop("method", None))
    is_local = options.pop("is_local", lambda model: False)
    capability = options.pop("capability", "8.0")
    profile = options.pop("profile", None) or data(task, **options)
    return recommend(task, profile, choose_device(machine(memory, capability)), wishes, is_local)


def refused(task: str, memory: Any = 24, **options: Any) -> str:
    with pytest.raises(UsageError) as error:
        recommended(task, memory, **options)
    assert error.value.why and error.value.fix
    return f"{error.value.what}: {error.value.why}. {error.value.fix}"


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the catalog hold the presets and these models alone."""

    def use(*made: Model) -> None:
        presets = tuple(model for model in catalog() if model.id.startswith("preset:"))
        kept = (*presets, *made)
        monkeypatch.setattr(profiles.catalog, "_naming", lambda word: kept)

    return use


def language_model(id: str, parameters: int | None, **facts: Any) -> Model:
    standard: dict[str, Any] = {
        "family": "made",
        "kind": "causal-lm",
        "tasks": ("text-generation", "reward-modeling"),
        "source": "made",
        "shape": Shape("llama"),
        "parameters": parameters,
        "context": 8192,
        "licence": "apache-2.0",
        "open_licence": True,
        "gated": False,
        "instruct": True,
    }
    return Model(id, **{**standard, **facts})


# --- every task on every machine ---------------------------------------------------------------------------------


def assert_possible(found: Recommendation, task: str, memory: Any) -> None:
    options = [(found.model, found.method.id)]
    options += [(each.model, each.method) for each in found.alternatives if each.model is not None and each.method]
    for model, method in options:
        assert task in KIND_TASKS[model.kind], f"{model.id} is of kind {model.kind} and cannot do {task}"
        assert task in model.tasks, f"{model.id} is not known to be good for {task}"
        assert method == "full" or model.kind not in ("image", "detector", "video", "trees")
        assert method != "qlora" or memory != "cpu", f"{model.id}: QLoRA is not offered on a CPU"
        least = {"qlora": 0.5}.get(method, 2.0) * (model.parameters or 0)
        assert found.available_bytes is None or least <= found.available_bytes, f"{model.id} by {method} cannot fit"
    assert len({(model.id, method) for model, method in options}) == len(options), "something is named twice"


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("task", [each.id for each in TASK_DATA])
def test_every_task_on_every_machine(task: str, memory: Any) -> None:
    found = recommended(task, memory, lengths={"median": 100, "p95": 300, "longest": 900})
    assert_possible(found, task, memory)
    assert found.verdict is None, "nothing is said to fit before memory is estimated"
    assert found.model_reason and found.method_reason and found.strategy.reason
    assert found.settings and all(each.reason for each in found.settings.values())
    trained = next((each for each in TASKS if each.id == task), None)
    if trained is not None and trained.accepts_model_folder:
        assert not found.model.id.startswith("preset:"), "random weights are taken by name only"
    elif trained is not None:
        assert (found.model.id, found.method.id) == (trained.default_model, "full"), "it needs no download"
        assert found.is_local


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_on_every_machine(strategy: str, memory: Any) -> None:
    found = recommended("text-generation", memory, strategy=strategy, roles=STRATEGIES[strategy])
    assert found.strategy.id == strategy
    assert_possible(found, "text-generation", memory)


@pytest.mark.parametrize("memory", MEMORIES)
def test_old_gpus_are_not_offered_qlora(memory: Any) -> None:
    found = recommended("text-generation", memory, capability="5.2")
    methods = {found.method.id, *(each.method for each in found.alternatives)}
    assert "qlora" not in methods


def test_a_larger_machine_gets_no_smaller_model() -> None:
    sizes = [recommended("text-generation", memory).model.parameters or 0 for memory in MEMORIES]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


# --- which model and method ----------------------------------------------------------------------------------------


def test_the_model_suits_strategy_terms_and_memory(models: Callable[..., None]) -> None:
    models(
        language_model("a/small", 500 * MILLION),
        language_model("a/base", 3 * BILLION, instruct=False),
        language_model("a/chat", 2 * BILLION),
        language_model("a/closed", 4 * BILLION, licence="gemma", open_licence=False),
        language_model("a/gated", 4 * BILLION, gated=True),
        language_model("a/huge", 70 * BILLION),
    )
    assert recommended("text-generation", 24).model.id == "a/chat"
    assert recommended("text-generation", 24, strategy="pretrain", roles=("text",)).model.id == "a/base"
    assert recommended("text-generation", 3).model.id == "a/chat", "in 4 bits there is room for it"
    assert recommended("text-generation", 1.2).model.id == "a/small"
    by_method = {memory: recommended("text-generation", memory).method.id for memory in (3, 24)}
    assert by_method == {3: "qlora", 24: "lora"}
    assert recommended("text-generation", 141).model.id == "a/chat", "70 billion parameters are for who asks for them"


def test_a_first_choice_of_the_catalog_is_taken_first_and_its_advice_told(models: Callable[..., None]) -> None:
    facts: dict[str, Any] = {"kind": "detector", "tasks": ("object-detection",)}
    models(
        language_model("a/larger", 43 * MILLION, **facts),
        language_model("a/chosen", 31 * MILLION, first_choice=True, verdict="Start with it.", **facts),
        language_model("a/light", 10 * MILLION, first_choice=True, **facts),
    )
    found = recommended("object-detection")
    assert found.model.id == "a/chosen" and "Start with it" in found.model_reason
    assert "better" not in {each.label for each in found.alternatives}, "what is larger is not known to be better"
    assert recommended("object-detection", "cpu").model.id == "a/light"


def test_an_encoder_sorts_texts_before_a_language_model(models: Callable[..., None]) -> None:
    texts = ("text-classification",)
    models(
        language_model("a/chat", 3 * BILLION, tasks=texts, first_choice=True),
        language_model("a/encoder", 100 * MILLION, kind="encoder", tasks=texts, instruct=False),
    )
    assert recommended("text-classification").model.id == "a/encoder"


@pytest.mark.parametrize(
    ("columns", "first"),
    [({"source": "en", "target": "de"}, "a/opus-mt-en-de"), ({"source": "de", "target": "en"}, "a/mt5")],
)
def test_a_model_for_two_languages_needs_these_two(
    models: Callable[..., None], columns: dict[str, str], first: str
) -> None:
    facts: dict[str, Any] = {"kind": "encoder-decoder", "tasks": ("translation",)}
    models(
        language_model("a/opus-mt-en-de", 74 * MILLION, shape=Shape("marian"), **facts),
        language_model("a/mt5", 300 * MILLION, shape=Shape("mt5"), **facts),
    )
    profile = DatasetProfile("x", None, None, 900, 900, "translation", (), columns)
    assert recommended("translation", profile=profile).model.id == first


def test_alternatives_have_each_their_reason(models: Callable[..., None]) -> None:
    models(
        language_model("a/tiny", 150 * MILLION),
        language_model("a/small", BILLION),
        language_model("a/chosen", 8 * BILLION, licence="gemma", open_licence=False),
        language_model("a/larger", 14 * BILLION, licence="gemma", open_licence=False),
    )
    chosen = find_model("a/chosen")
    found = recommended("text-generation", 24, model=chosen, is_local=lambda model: model.id == "a/tiny")
    by_label = {each.label: each for each in found.alternatives if each.model is not None}
    assert found.model_reason == "you chose it" and found.method.id == "lora"
    assert {label: (each.model.id, each.method) for label, each in by_label.items() if each.model} == {
        "faster": ("a/small", "lora"),
        "smaller": ("a/chosen", "qlora"),
        "better": ("a/larger", "qlora"),
        "already-here": ("a/tiny", "full"),
    }
    assert "1 billion parameters at work instead of 8 billion" in by_label["faster"].reason
    assert "1.9 GiB or more to download" in by_label["faster"].reason
    assert by_label["already-here"].is_local and "no download" in by_label["already-here"].reason
    assert any("gemma" in warning for warning in found.warnings)


def test_freer_terms_are_named(models: Callable[..., None]) -> None:
    models(
        language_model("a/gated", 2 * BILLION, licence="llama3.2", open_licence=False, gated=True),
        language_model("a/open", 3 * BILLION),
    )
    found = recommended("text-generation", 24, model=find_model("a/gated"))
    freer = next(each for each in found.alternatives if each.model is not None and each.model.id == "a/open")
    assert freer.label in ("better", "freer-licence")
    assert any("gated" in warning for warning in found.warnings)


def test_other_tasks_and_strategies_of_the_same_data_are_named() -> None:
    proposals = (
        TaskProposal("summarization", None, "short texts of long ones"),
        TaskProposal("text-generation", "sft", "prompts and answers"),
    )
    profile = DatasetProfile("x", None, None, 900, 900, "summarization", proposals, {"source": "a", "target": "b"})
    found = recommended("summarization", profile=profile)
    assert found.strategy.reason == "short texts of long ones"
    other = next(each for each in found.alternatives if each.label == "other-task")
    assert (other.task, other.strategy) == ("text-generation", "sft")


@pytest.mark.parametrize("task", ["summarization", "translation", "text-to-text"])
def test_a_decoder_is_named_for_what_an_encoder_decoder_learns_to_write(task: str) -> None:
    for proposals in ((), (TaskProposal(task, None, "so"), TaskProposal("text-generation", "sft", "as the desk says"))):
        profile = replace(data(task), proposals=proposals)
        others = [each for each in recommended(task, profile=profile).alternatives if each.label == "other-task"]
        assert [(each.task, each.strategy) for each in others] == [("text-generation", "sft")]
        assert "a decoder learns the same rows" in others[0].reason and "read whole" not in others[0].reason
    long = replace(data(task), stats={"lengths": {"p95": 5_000, "median": 3_000}})
    found = recommended(task, profile=long, model=find_model("preset:tiny-encoder-decoder"))
    told = next(each.reason for each in found.alternatives if each.label == "other-task")
    assert "cuts after 1,024 tokens" in told


def test_a_base_model_that_was_asked_for_decides_the_strategy(models: Callable[..., None]) -> None:
    models(language_model("a/base", BILLION, instruct=False), language_model("a/chat", BILLION))
    roles = ("prompt", "chosen", "rejected")
    strategies = {
        name: recommended("text-generation", roles=roles, model=find_model(name)).strategy.id
        for name in ("a/base", "a/chat")
    }
    assert strategies == {"a/base": "orpo", "a/chat": "dpo"}
    folder = language_model("/somewhere/model", BILLION, instruct=False)
    assert recommended("text-generation", roles=roles, model=folder).strategy.id == "dpo", (
        "nobody knows what it learned"
    )


def test_a_preset_stands_beside_a_pretrained_encoder() -> None:
    preset = find_model("preset:tiny-encoder")
    better = next(
        each for each in recommended("text-classification", model=preset).alternatives if each.label == "better"
    )
    assert better.model is not None and better.model.kind == "encoder" and not better.model.id.startswith("preset:")
    assert "far better than random weights" in better.reason


# --- what cannot be -----------------------------------------------------------------------------------------------


def test_weights_that_are_too_large_are_told_and_never_that_something_fits(models: Callable[..., None]) -> None:
    models(language_model("a/large", 8 * BILLION), language_model("a/small", 500 * MILLION))
    large = find_model("a/large")
    assert recommended("text-generation", 12, model=large, method="lora").verdict == "too-large"
    assert recommended("text-generation", 12, model=large, method="lora").weights_bytes == 16 * BILLION
    assert recommended("text-generation", 12, model=large, method="qlora").verdict is None
    assert recommended("text-generation", 141, model=large).verdict is None, "the rest is not estimated"
    assert (recommended("text-generation", 2).model.id, recommended("text-generation", 2).verdict) == ("a/small", None)
    assert recommended("text-generation", 0.1).verdict == "too-large"
    unknown = recommended("text-generation", None, model=large, method="full")
    assert (unknown.verdict, unknown.available_bytes) == (None, None)


@pytest.mark.parametrize(
    ("task", "model", "words"),
    [
        ("text-generation", "encoder", ["is an encoder", "takes a language model"]),
        ("image-classification", "causal-lm", ["is a language model", "takes an image model"]),
        ("summarization", "image", ["is an image model", "takes an encoder-decoder"]),
        ("tabular-regression", "encoder", ["takes gradient-boosted trees", "preset:xgboost"]),
    ],
)
def test_a_model_of_another_class(task: str, model: str, words: list[str]) -> None:
    wanted = next(each for each in catalog() if each.kind == model and not each.id.startswith("preset:"))
    told = refused(task, model=wanted)
    assert all(word in told for word in (wanted.id, *words)), told


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("tabular-classification", {"method": "qlora"}, ["gradient-boosted trees", "Possible here: full"]),
        (
            "image-classification",
            {"method": "prefix-tuning"},
            ["prefix-tuning", "an image model", "Possible here: full"],
        ),
        ("object-detection", {"method": "lora"}, ["a detector", "Possible here: full"]),
        ("text-generation", {"method": "lorra"}, ["'lorra'", "nearest is 'lora'"]),
        ("token-classification", {"method": "prompt-tuning"}, ["trains token-classification by full, lora, qlora"]),
        ("text-generation", {"method": "qlora", "capability": "5.2"}, ["compute capability 6.0", "has 5.2"]),
        ("text-generation", {"strategy": "dpo"}, ["dpo cannot learn from this data"]),
        ("summarization", {"strategy": "sft"}, ["Leave --strategy out"]),
    ],
)
def test_combinations_that_cannot_be(task: str, options: dict[str, Any], words: list[str]) -> None:
    told = refused(task, **options)
    assert all(word in told for word in words), told


@pytest.mark.parametrize("name", ["answerdotai/ModernBERT-base", "microsoft/deberta-v3-base"])
def test_encoders_that_take_no_vectors_from_outside_have_no_prefixes(name: str) -> None:
    told = refused("text-classification", model=find_model(name), method="prefix-tuning")
    assert "no vectors from outside" in told and "Possible here: full, lora, qlora, prompt-tuning" in told


@pytest.mark.parametrize("method", ["qlora", "prompt-tuning", "prefix-tuning"])
def test_a_method_alone_finds_a_model_that_it_can_train(method: str) -> None:
    found = recommended("text-classification", method=method)
    assert found.method.id == method
    assert method != "prefix-tuning" or found.model.architecture not in ("modernbert", "deberta-v2")
    assert {"learning_rate", "num_train_epochs"} <= set(found.settings)


def test_random_weights_are_not_adapted() -> None:
    told = refused("text-classification", model=find_model("preset:tiny-encoder"), method="lora")
    assert "random" in told and "Possible here: full" in told


def test_qlora_on_a_cpu_is_done_when_asked_for_and_warned_of() -> None:
    decoders = [each for each in catalog() if each.kind == "causal-lm" and not each.id.startswith("preset:")]
    small = min(decoders, key=lambda each: each.parameters or BILLION)
    found = recommended("text-generation", "cpu", model=small, method="qlora")
    assert found.method.id == "qlora" and any("costs much time" in warning for warning in found.warnings)


def test_a_task_without_any_model_says_so(models: Callable[..., None]) -> None:
    models()
    assert "--model FOLDER" in refused("text-generation")


@pytest.mark.parametrize(("tokens", "warned"), [(10**6, True), (10**13, False)])
def test_how_much_text_pretraining_takes(tokens: int, warned: bool) -> None:
    found = recommended("text-generation", roles=("text",), tokens_about=tokens)
    assert any("Hoffmann" in warning for warning in found.warnings) == warned


# --- what the data says of the model -----------------------------------------------------------------------------

CHINESE, GERMAN = (
    "识别并解释给定列表中的两个科学理论",
    "Das ist nicht der Ort, an dem wir uns mit den anderen treffen und es wird",
)
ENGLISH = "This is not what the others were told, and you can see that it was the best for all of them"


def written(task: str, text: str, answer: str = "", **options: Any) -> DatasetProfile:
    pieces = [{"text": text, "learned": False}, {"text": answer or text, "learned": True}]
    return data(task, preview=[{"where": "row 1", "pieces": pieces}], **options)


@pytest.mark.parametrize("memory", ["cpu", 4, 24])
def test_a_model_was_made_for_the_language_of_the_data(memory: Any) -> None:
    found = recommended("text-generation", memory, profile=written("text-generation", CHINESE))
    offered = [found.model, *(each.model for each in found.alternatives if each.model is not None)]
    assert found.model.id.startswith("Qwen/Qwen3-") and "Chinese" in found.model_reason
    assert all("many" in model.languages for model in offered)


def test_a_model_for_another_language_is_warned_of() -> None:
    chosen = find_model("HuggingFaceTB/SmolLM2-135M-Instruct")
    told = recommended("text-generation", model=chosen, profile=written("text-generation", CHINESE)).warnings
    assert any("made for English" in warning and "Chinese" in warning for warning in told)
    told = recommended("text-generation", model=chosen, profile=written("text-generation", ENGLISH)).warnings
    assert not any("made for" in warning for warning in told)


@pytest.mark.parametrize(
    ("source", "target", "first"),
    [
        (ENGLISH, GERMAN, "Helsinki-NLP/opus-mt-en-de"),
        (GERMAN, ENGLISH, "Helsinki-NLP/opus-mt-de-en"),
        (CHINESE, ENGLISH, "facebook/m2m100_418M"),
        ("12", "13", "facebook/m2m100_418M"),
    ],
)
@pytest.mark.parametrize("memory", ["cpu", 24])
def test_translation_starts_from_a_model_that_translates(source: str, target: str, first: str, memory: Any) -> None:
    found = recommended("translation", memory, profile=written("translation", source, target))
    assert found.model.id == first and "already" in found.model_reason


def test_a_model_that_translates_the_other_way_is_warned_of() -> None:
    chosen, profile = find_model("Helsinki-NLP/opus-mt-de-en"), written("translation", ENGLISH, GERMAN)
    told = recommended("translation", model=chosen, profile=profile).warnings
    assert any("German to English only" in warning and "English to German" in warning for warning in told)


@pytest.mark.parametrize(
    ("task", "rows", "memory", "first"),
    [
        ("extractive-question-answering", 740, "cpu", "deepset/roberta-base-squad2"),
        ("extractive-question-answering", 740, 24, "deepset/roberta-base-squad2"),
        ("extractive-question-answering", 90_000, 24, "answerdotai/ModernBERT-large"),
        ("video-classification", 16, 24, "MCG-NJU/videomae-base-finetuned-kinetics"),
    ],
)
def test_with_few_rows_a_model_that_knows_the_task_comes_first(task: str, rows: int, memory: Any, first: str) -> None:
    found = recommended(task, memory, rows=rows, method="lora" if task.startswith("extractive") else None)
    assert found.model.id == first
    assert ("learned the task already" in found.model_reason) == (rows < 20_000)


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("strategy", ["sft", "dpo", "kto", "grpo"])
def test_alternatives_can_answer_where_the_strategy_needs_it(strategy: str, memory: Any) -> None:
    found = recommended("text-generation", memory, strategy=strategy, roles=STRATEGIES[strategy])
    assert all(each.model.instruct for each in found.alternatives if each.model is not None)


def test_who_names_a_model_of_another_class_is_told_of_models_that_answer() -> None:
    told = refused("text-generation", 24, model=find_model("google-bert/bert-base-uncased"))
    named = [model for model in catalog() if f"{model.id}," in told or f"{model.id};" in told]
    assert len(named) == 3 and all(model.instruct for model in named), told


def test_names_are_found_by_models_that_see_capitals() -> None:
    found = recommended("token-classification", "cpu")
    assert not any(each.model.lowercases for each in found.alternatives if each.model is not None)
    chosen = find_model("distilbert/distilbert-base-uncased")
    assert any("capitals" in told for told in recommended("token-classification", model=chosen).warnings)
    assert not any("capitals" in told for told in recommended("text-classification", model=chosen).warnings)


@pytest.mark.parametrize(
    ("task", "chosen", "memory", "better"),
    [
        ("token-classification", "microsoft/deberta-v3-base", "cpu", "answerdotai/ModernBERT-large"),
        ("summarization", "google/flan-t5-base", 24, "google/flan-t5-large"),
        ("text-generation", "Qwen/Qwen3-4B-Base", 24, "Qwen/Qwen3-8B-Base"),
        ("text-generation", "Qwen/Qwen3-8B", 12, "Qwen/Qwen3-14B"),
        ("image-classification", "timm/convnext_tiny.fb_in22k_ft_in1k", 24, "timm/convnext_base.fb_in22k_ft_in1k"),
        ("object-detection", "ustc-community/dfine-small-coco", "cpu", "ustc-community/dfine-medium-coco"),
    ],
)
def test_better_is_more_than_larger(task: str, chosen: str, memory: Any, better: str) -> None:
    strategy = "pretrain" if chosen.endswith("-Base") else None
    roles = ("text",) if strategy else None
    found = recommended(task, memory, model=find_model(chosen), strategy=strategy, roles=roles)
    named = next(each.model for each in found.alternatives if each.label == "better")
    assert named is not None and named.id == better


def test_older_models_and_those_for_many_languages_are_not_better(models: Callable[..., None]) -> None:
    models(
        language_model("a/chosen", BILLION, published=2024, languages=("en",)),
        language_model("a/older", 2 * BILLION, published=2023, languages=("en",)),
        language_model("a/wider", 2 * BILLION, published=2024, languages=("many",)),
    )
    found = recommended("text-generation", model=find_model("a/chosen"))
    assert {each.model.id for each in found.alternatives if each.model is not None} == {"a/chosen"}


def test_a_size_that_is_not_known_never_counts_as_fitting(models: Callable[..., None]) -> None:
    models(language_model("a/known", 2 * BILLION), language_model("a/unknown", None, first_choice=True))
    for memory in (0.3, 24):
        found = recommended("text-generation", memory)
        assert found.model.id == "a/known" and found.verdict == ("too-large" if memory == 0.3 else None)
        assert "a/unknown" not in {each.model.id for each in found.alternatives if each.model is not None}


def test_questions_about_pictures_are_for_models_that_answer(models: Callable[..., None]) -> None:
    facts: dict[str, Any] = {"kind": "vision-language", "tasks": ("visual-question-answering",)}
    models(language_model("a/base", 2 * BILLION, instruct=False, **facts), language_model("a/chat", BILLION, **facts))
    assert recommended("visual-question-answering").model.id == "a/chat"


def test_a_first_choice_for_a_gpu_is_not_taken_for_a_cpu() -> None:
    assert "without a GPU" in recommended("image-classification", "cpu").model_reason
    assert "where there is a GPU" in recommended("image-classification", 24).model_reason


def test_a_preset_says_why_and_how_to_have_a_pretrained_model() -> None:
    reason = recommended("text-classification", model=find_model("preset:tiny-encoder")).model_reason
    assert "fine-tuning a pretrained model is the better way" in reason and "--model answerdotai/ModernBERT" in reason


@pytest.mark.parametrize(
    ("capability", "words"),
    [
        ("3.5", "no PyTorch of today"),
        ("6.0", "CUDA 12"),
        ("7.0", "CUDA 12"),
        ("7.5", None),
        ("9.0", None),
        (None, None),
    ],
)
def test_a_gpu_that_is_too_old_is_told(capability: str | None, words: str | None) -> None:
    told = [each for each in recommended("image-classification", capability=capability).warnings if "PyTorch" in each]
    assert len(told) == (words is not None) and all(str(words) in each for each in told)


def test_trying_without_answers_to_check_is_warned_of() -> None:
    told = recommended("text-generation", strategy="grpo").warnings
    assert any("can be checked" in warning for warning in told)


def test_a_detector_that_has_no_room_for_a_picture_is_not_offered() -> None:
    found = recommended("object-detection", 2)
    offered = [each.model.id for each in found.alternatives if each.model is not None]
    assert found.settings["per_device_train_batch_size"].value == 1
    assert "ustc-community/dfine-xlarge-coco" not in offered and "ustc-community/dfine-nano-coco" in offered


def test_advice_and_size_of_a_model_that_was_chosen() -> None:
    found = recommended("text-generation", 141, model=find_model("openai/gpt-oss-20b"))
    assert found.model_reason.startswith("you chose it. ") and "16 GB GPU" in found.model_reason
    other = recommended("text-generation", 141, is_local=lambda model: False)
    assert bytes_to_download(find_model("openai/gpt-oss-20b")) == 13_760_000_000
    assert bytes_to_download(other.model) == 2 * (other.model.parameters or 0)


# --- the words of labels -------------------------------------------------------------------------------------------


def test_a_decoder_that_sorts_writes_labels_and_other_models_have_a_head() -> None:
    plain = recommended("text-classification", profile=data("text-classification"))
    assert (plain.model.kind, plain.strategy.id) == ("encoder", None)
    assert [each.strategy for each in plain.alternatives if each.label == "other-strategy"] == ["label-words"]
    small = recommended("text-classification", model=find_model("preset:gpt-1m"))
    assert small.strategy.id == "label-words" and small.settings["learning_rate"].value == 1e-3
    large = recommended("text-classification", model=find_model("Qwen/Qwen3-8B"))
    assert large.strategy.id == "label-words" and large.settings["gradient_checkpointing"].value is True
    assert recommended("text-classification", model=find_model("Qwen/Qwen3-8B"), strategy="head").strategy.id == "head"


def test_word_vectors_before_a_small_encoder_learn_at_a_higher_rate() -> None:
    small, large = (
        replace(find_model("google-bert/bert-base-uncased"), parameters=size) for size in (22_000_000, 10**9)
    )
    rates = [
        recommended("text-classification", model=model, method="prompt-tuning").settings["learning_rate"].value
        for model in (small, large)
    ]
    assert rates == [1e-2, 1e-3]


def test_prefixes_of_a_language_model_are_learned_with_its_activations_kept() -> None:
    found = recommended("text-generation", strategy="sft", method="prefix-tuning")
    assert found.settings["gradient_checkpointing"].value is False
    assert "gradient_checkpointing" not in recommended("text-generation", strategy="sft", method="lora").settings


def test_a_decoder_that_is_found_sorts_by_words_too(models: Callable[..., None]) -> None:
    models(language_model("a/decoder", BILLION, tasks=("text-generation", "text-classification")))
    found = recommended("text-classification")
    assert (found.model.id, found.strategy.id) == ("a/decoder", "label-words")


def test_by_the_words_of_labels_only_decoders_are_offered() -> None:
    found = recommended("text-classification", strategy="label-words")
    assert found.model.kind == "causal-lm" and found.strategy.id == "label-words"
    offered = [each.model for each in found.alternatives if each.model is not None]
    assert offered and all(model.kind == "causal-lm" for model in offered)
    assert recommended("text-classification", strategy="label-words", method="lora").model.kind == "causal-lm"


@pytest.mark.parametrize(
    ("model", "strategy", "words"),
    [
        ("preset:gpt-1m", "head", ["preset:tiny-encoder", "--strategy label-words"]),
        ("preset:tiny-encoder", "label-words", ["an encoder", "preset:gpt-1m", "--strategy head"]),
        ("google-bert/bert-base-uncased", "label-words", ["a language model", "--strategy head"]),
    ],
)
def test_a_model_of_the_other_way_is_refused(model: str, strategy: str, words: list[str]) -> None:
    told = refused("text-classification", model=find_model(model), strategy=strategy)
    assert all(word in told for word in words), told


def test_logits_of_labels_are_few() -> None:
    from profiles.trainer_setups import trainer_setup

    model = find_model("Qwen/Qwen3-8B")
    words, head, talk = (
        trainer_setup(model, "lora", {}, True, task, strategy)
        for task, strategy in (
            ("text-classification", "label-words"),
            ("text-classification", "head"),
            ("text-generation", "sft"),
        )
    )
    assert trainer_setup(model, "lora", {}, True, "text-classification") == words
    assert (words.loss, head.loss, talk.loss) == ("whole", "none", "chunked")
    assert (words.weights, head.weights) == ("bf16", "fp32")
    assert words.answered is not None and words.answered < words.length and talk.answered is None
    assert not words.checkpointing and talk.checkpointing
