"""The catalog: what stands in it is consistent, and what is wrong in a file is told with its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.contract import DatasetProfile, UsageError
from backends.registry import PRESETS, TASK_DATA
from profiles.catalog import (
    CONDITIONAL_LICENCES,
    KIND_TASKS,
    OPEN_LICENCES,
    Model,
    catalog,
    find_model,
    models_for,
    read_catalog,
    weights_bytes,
)
from profiles.catalog_order import TOO_LARGE, free_bytes, ordered, standing
from profiles.device import choose_device
from profiles.hardware import Cpu, Gpu, Hardware
from profiles.parameter_counts import count_active_parameters, count_parameters
from profiles.recommend import recommend

GIB = 2**30
BUILT_BY_LIBRARY = "timm"
# Named by a program whose advice this one is to better: each needs an honest word.
MUST_HAVE_A_VERDICT = (
    *("Qwen2.5-3B", "SmolLM3-3B", "TinyLlama_v1.1", "Mistral-Small-3.1-24B-Base-2503", "Llama-3.1-8B-Instruct"),
    *("Qwen2.5-7B", "Llama-4-Maverick-17B-128E", "Qwen2.5-32B", "gpt-oss-20b", "gpt-oss-120b", "flan-t5-large"),
    *("distilbart-cnn-12-6", "bart-base", "roberta-base-squad2", "Llama-3.2-1B"),
)
with_shape = [model for model in catalog() if model.shape and model.shape.architecture != BUILT_BY_LIBRARY]


def by_id(model: Model) -> str:
    return model.id


# --- what stands in it ---------------------------------------------------------------------------------------------


def test_it_has_many_models_and_some_for_every_task_and_tier() -> None:
    assert len(catalog()) >= 80
    for data in TASK_DATA:
        assert models_for(data.id), data.id
    sizes = [model.parameters for model in catalog() if model.parameters]
    bounds = [7 * GIB, 15 * GIB, 40 * GIB, 100 * GIB]
    assert min(sizes) < 10_000_000
    for lower, upper in zip(bounds, [*bounds[1:], 10**15]):
        assert [size for size in sizes if lower <= 2 * size < upper], (lower, upper)


@pytest.mark.parametrize("model", with_shape, ids=by_id)
def test_parameters_follow_from_the_shape(model: Model) -> None:
    assert model.shape is not None and model.parameters is not None
    assert count_parameters(model.shape) == pytest.approx(model.parameters, rel=0.01)
    if model.shape.experts is not None:
        assert model.active_parameters == count_active_parameters(model.shape) < model.parameters
    else:
        assert model.active_parameters is None


# As published, from memory: so that a wrong shape and a count of it cannot agree unseen.
@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("Qwen/Qwen2.5-7B", 7.616),
        ("Qwen/Qwen2.5-72B", 72.706),
        ("Qwen/Qwen3-235B-A22B", 235.09),
        ("meta-llama/Llama-3.2-1B", 1.236),
        ("meta-llama/Llama-3.1-405B", 405.85),
        ("openai/gpt-oss-120b", 116.83),
        ("google/gemma-3-27b-it", 27.432),
        ("mistralai/Mixtral-8x7B-v0.1", 46.703),
        ("google/flan-t5-large", 0.78315),
        ("google/mt5-small", 0.30018),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8.2922),
        ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", 2.2468),
    ],
)
def test_published_counts(name: str, billions: float) -> None:
    assert find_model(name).parameters == pytest.approx(billions * 1e9, rel=0.001)


def test_experts_that_work_are_counted() -> None:
    assert find_model("Qwen3-30B-A3B-Base").active_parameters == pytest.approx(3.35e9, rel=0.01)
    assert find_model("gpt-oss-20b").active_parameters == pytest.approx(4.19e9, rel=0.01)


@pytest.mark.slow  # timm takes its time to build them
def test_models_of_timm_are_as_large_as_timm_makes_them() -> None:
    timm = pytest.importorskip("timm")
    torch = pytest.importorskip("torch")
    models = [model for model in catalog() if model.shape and model.shape.architecture == BUILT_BY_LIBRARY]
    assert len(models) > 10
    for model in models:
        with torch.device("meta"):
            built = timm.create_model(model.id.removeprefix("timm/"), pretrained=False)
        assert sum(each.numel() for each in built.parameters()) == model.parameters, model.id
        assert model.shape and model.shape.image == built.pretrained_cfg["input_size"][-1], model.id
        assert model.licence == built.pretrained_cfg["license"], model.id


@pytest.mark.parametrize("model", catalog(), ids=by_id)
def test_an_entry_is_whole(model: Model) -> None:
    assert model.tasks and set(model.tasks) <= KIND_TASKS[model.kind]
    assert model.source.strip()
    assert model.id == model.id.strip() and re.fullmatch(r"preset:[\w-]+|[\w.-]+/[\w.-]+", model.id)
    for text in (model.note, model.verdict, model.source):
        assert text is None or (text.strip() and "\n" not in text)
    assert model.open_licence is (None if model.licence is None else model.licence in OPEN_LICENCES)
    assert set(model.knows) <= set(model.tasks)
    assert all(re.fullmatch(r"[a-z]{2}|many", code) for code in model.languages)
    assert model.published is None or 2017 < model.published < 2027
    if model.instruct:
        assert model.chat_template is not False
    if model.first_choice:
        assert model.gated is not True and model.licence != "qwen-research"


@pytest.mark.parametrize("name", MUST_HAVE_A_VERDICT)
def test_what_others_advise_has_a_verdict(name: str) -> None:
    verdict = find_model(name).verdict
    assert verdict and verdict.endswith(".")


def test_an_unknown_shape_says_so_and_gets_no_verdict() -> None:
    unsure = [model for model in catalog() if model.parameters is None and not model.id.startswith("preset:")]
    assert unsure
    for model in unsure:
        assert model.note and model.shape is None and model.verdict is None, model.id


def test_models_named_in_advice_are_in_the_catalog() -> None:
    named = [
        (model.id, name)
        for model in catalog()
        for name in re.findall(r"\b[\w-]+/[\w.-]*\w", f"{model.verdict or ''} {model.note or ''}")
        if not name.startswith("meta-llama/Meta-")
    ]
    assert len(named) > 5
    for of, name in named:
        assert find_model(name).id == name, of


def test_a_decoder_is_never_for_finding_answers() -> None:
    tasks = ("extractive-question-answering", "token-classification", "sentence-pair-classification")
    assert {model.kind for task in tasks for model in models_for(task)} == {"encoder"}


def test_presets_of_the_registry_are_in_it() -> None:
    assert {model.id for model in catalog() if model.id.startswith("preset:")} == set(PRESETS)


def test_no_licence_is_both() -> None:
    assert not OPEN_LICENCES & CONDITIONAL_LICENCES


# --- finding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-7B", "qwen/qwen2.5-7b", "Qwen2.5-7B", " qwen2.5-7B "])
def test_a_model_is_found_by_its_name(name: str) -> None:
    assert find_model(name).id == "Qwen/Qwen2.5-7B"


@pytest.mark.parametrize(
    ("name", "near"),
    [("Qwen/Qwen2.5-8B", "Qwen/Qwen2.5-7B"), ("robertabase", "FacebookAI/roberta-base"), ("preset:xgbost", "preset:")],
)
def test_the_nearest_names_are_told(name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_model(name)
    assert near in caught.value.why and near in caught.value.fix


def test_a_name_like_no_other_points_to_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        find_model("zzzzzzzzzzzz")
    assert "forge-tui models" in caught.value.fix


def test_a_part_of_the_catalog_is_the_same_as_in_the_whole(repository: Path) -> None:
    whole = read_catalog(repository / "profiles" / "models")
    assert whole == catalog()
    for data in TASK_DATA:
        assert models_for(data.id) == tuple(model for model in whole if data.id in model.tasks)
    assert all(find_model(model.id.upper()) == model for model in whole)


def test_weights() -> None:
    assert weights_bytes(1_000, 2.0) == 2_000
    assert weights_bytes(3, 0.5) == 2


# --- files ---------------------------------------------------------------------------------------------------------

ENTRY = '[[model]]\nid = "a/b"\nkind = "encoder"\ntasks = ["text-classification"]\nsource = "me"\n'


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], tuple[Model, ...]]:
    def from_text(text: str) -> tuple[Model, ...]:
        (tmp_path / "mine.toml").write_text(text)
        return read_catalog(tmp_path)

    return from_text


def test_what_holds_for_every_model_of_a_file(read: Callable[[str], tuple[Model, ...]]) -> None:
    shared = '[every]\nkind = "causal-lm"\ntasks = ["text-generation"]\nsource = "me"\nlicence = "mit"\n'
    shared += 'shape = { architecture = "llama", layers = 2 }\n'
    first, second = read(
        shared + '[[model]]\nid = "a/b"\n[[model]]\nid = "a/c"\nlicence = "gemma"\nshape = { hidden = 8 }\n'
    )
    assert (first.family, first.licence, first.open_licence) == ("mine", "mit", True)
    assert (second.licence, second.open_licence) == ("gemma", False)
    assert second.shape and (second.shape.layers, second.shape.hidden) == (2, 8)
    assert first.gated is None and first.context is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ENTRY + 'licens = "mit"\n', ("a/b", "licens", "'licence'")),
        (ENTRY + "open_licence = true\n", ("a/b", "open_licence")),
        (ENTRY + 'licence = "mut"\n', ("a/b", "mut", "'mit'")),
        (ENTRY + 'parameters = "7B"\n', ("a/b", "parameters", "whole number")),
        (ENTRY + "parameters = 0\n", ("a/b", "parameters", "whole number")),
        (ENTRY + "gated = 1\n", ("a/b", "gated", "true or false")),
        (ENTRY + "note = 1\n", ("a/b", "note", "a text")),
        (ENTRY + "shape = { layers = 2 }\n", ("a/b", "architecture")),
        (ENTRY + 'shape = { architecture = "bert", layer = 2 }\n', ("a/b", "layer", "'layers'")),
        (ENTRY + 'shape = { architecture = "x", vision = { architecture = 1 } }\n', ("a/b", "vision", "architecture")),
        (ENTRY.replace('"encoder"', '"encodr"'), ("a/b", "encodr", "'encoder'")),
        (ENTRY.replace("text-classification", "text-generation"), ("a/b", "text-generation", "encoder")),
        (ENTRY.replace("text-classification", "text-clasification"), ("a/b", "'text-classification'")),
        (ENTRY.replace('source = "me"\n', ""), ("a/b", "source")),
        (ENTRY + ENTRY.replace("a/b", "A/B"), ("A/B", "twice")),
        ("[models]\n", ("models", "'model'")),
        ("every = 1\n", ("every", "a table")),
        ("model = 1\n", ("model", "a list")),
        ("model = [1]\n", ("model", "a table")),
        ("[[model]\n", ("cannot be read",)),
    ],
)
def test_a_wrong_key_is_named(read: Callable[[str], tuple[Model, ...]], text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    told = f"{caught.value.what} | {caught.value.why} | {caught.value.fix}"
    assert "mine.toml" in told and all(word in told for word in words), told
    assert caught.value.why and caught.value.fix


# --- order ---------------------------------------------------------------------------------------------------------


def gpus(*free_gib: float | None) -> Hardware:
    each = (None if gib is None else int(gib * GIB) for gib in free_gib)
    return Hardware(gpus=tuple(Gpu(n, memory_free_bytes=free) for n, free in enumerate(each)))


CPU = Hardware(cpu=Cpu(cores=4), memory_available_bytes=16 * GIB)


def test_only_what_cannot_fit_is_marked_and_nothing_is_called_fitting() -> None:
    for machine in (gpus(6), gpus(24), gpus(80, 80), gpus(None), CPU):
        room = free_bytes(machine)
        for model in catalog():
            stands = standing(model, machine)
            least = None if model.parameters is None else model.parameters * (2.0 if stands_in_32(model) else 0.5)
            assert stands.fit is (TOO_LARGE if room and least and least > room else None), model.id


def stands_in_32(model: Model) -> bool:
    return standing(model, CPU).weights_bytes == 4 * (model.parameters or -1)


def test_gpus_are_added_up_and_unknown_memory_is_unknown() -> None:
    assert free_bytes(gpus(24, 24)) == 48 * GIB
    assert free_bytes(gpus(24, None)) is None
    assert free_bytes(CPU) == 16 * GIB
    assert standing(find_model("Qwen2.5-72B"), gpus(24)).fit == TOO_LARGE
    assert standing(find_model("Qwen2.5-72B"), gpus(24, 24)).fit is None


@pytest.mark.parametrize("machine", [gpus(6), gpus(24), gpus(140), CPU], ids=["6", "24", "140", "cpu"])
@pytest.mark.parametrize("task", [data.id for data in TASK_DATA])
def test_what_does_not_fit_comes_last(machine: Hardware, task: str) -> None:
    chosen = ordered(models_for(task), machine)
    marks = [standing(model, machine).fit for model in chosen]
    assert sorted(marks, key=lambda mark: mark == TOO_LARGE) == marks
    assert set(chosen) == set(models_for(task))


def test_the_first_choice_grows_with_the_machine() -> None:
    firsts = [ordered(models_for("text-generation"), machine)[0].id for machine in (CPU, gpus(6), gpus(24), gpus(140))]
    assert firsts == [
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "Qwen/Qwen3-4B-Instruct-2507",
        "Qwen/Qwen3-8B",
        "Qwen/Qwen3-8B",
    ]


@pytest.mark.parametrize("machine", [gpus(4), gpus(24), gpus(140), CPU], ids=["4", "24", "140", "cpu"])
@pytest.mark.parametrize("task", ["text-generation", "translation", "summarization", "object-detection"])
def test_the_order_is_that_of_a_plan(machine: Hardware, task: str) -> None:
    columns = dict.fromkeys(("prompt", "completion") if task == "text-generation" else ("source", "target"), "x")
    data = DatasetProfile("x", None, None, 900, 900, task, (), columns)
    assert ordered(models_for(task), machine)[0] == recommend(task, data, choose_device(machine)).model
