"""`plan`: what it prints, what it writes for `train`, and what it refuses."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.contract import RunSpec, read_spec
from forge_tui.planning import Request, plan_run
from forge_tui.runs.store import list_runs

DONE, USAGE, DATA, TOO_LARGE = 0, 2, 3, 4
_PRESET = ("--task", "text-classification", "--model", "preset:tiny-encoder")
KEYS = [
    "task", "strategy", "approach", "model", "method", "settings", "memory", "duration", "data", "disk", "cost",
    "alternatives", "warnings",
]  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my table.csv"
    path.write_text("size,colour,answer\n" + "".join(f"{n},c{n % 4},{'yes' if n % 3 else 'no'}\n" for n in range(60)))
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    rows = (f"message number {n} about {('trains', 'ships')[n % 2]},{('rail', 'sea')[n % 2]}\n" for n in range(100))
    path.write_text("text,label\n" + "".join(rows))
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    rows = (
        {"prompt": f"What is {n} plus {n}?", "chosen": f"It is {2 * n}.", "rejected": f"Who knows, {n}?"}
        for n in range(60)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def assert_refused(told: Any, code: int, *words: str) -> None:
    assert told.code == code, told.err
    assert told.err.startswith("error: ") and "why: " in told.err and "fix: " in told.err
    for word in words:
        assert word in told.err, f"{word!r} is not in {told.err!r}"


def kept(spec: RunSpec) -> dict[str, Any]:
    """A spec without the moment it was made at."""
    tables = spec.to_tables()
    tables["run"].pop("created", None)
    return tables


# --- what it says -------------------------------------------------------------------------------------------------


def test_the_object_has_the_keys_of_the_design(cli: Callable[..., Any], table: Path) -> None:
    told = cli("plan", "--data", str(table), "--hardware", "gpu:24GiB", "--json")
    assert told.code == DONE
    plan = told.json()
    assert list(plan) == KEYS
    assert (plan["task"], plan["strategy"], plan["approach"]) == ("tabular-classification", None, "tabular-model")
    assert plan["model"] == {
        "id": "preset:xgboost", "source": "preset:xgboost", "parameters": None, "license": None, "local": True,
    }  # fmt: skip
    assert plan["method"] == "full"
    assert set(plan["settings"]["learning_rate"]) == {"value", "reason"}
    memory = plan["memory"]
    assert list(memory) == ["components", "total_bytes", "available_bytes", "verdict", "error_margin"]
    assert sum(memory["components"].values()) == memory["total_bytes"]
    assert (memory["available_bytes"], memory["verdict"]) == (24 * 2**30, "fits")
    assert (plan["duration"]["steps"], plan["duration"]["seconds"]) == (2000, None) and plan["duration"]["reason"]
    assert plan["data"] == {"rows": 60, "train": 40, "eval": 20, "test": None}
    assert set(plan["disk"]) == {"needed_bytes", "free_bytes"} and plan["cost"] is None
    assert any("described, not read" in warning for warning in plan["warnings"])


@pytest.mark.parametrize("memory", [6, 12, 16, 24, 48])
def test_what_is_offered_first_fits_with_its_margin(cli: Callable[..., Any], tmp_path: Path, memory: int) -> None:
    data = tmp_path / "summaries.jsonl"
    row = {"text": "many words of a long report " * 60, "summary": "a few words of it"}
    data.write_text("".join(json.dumps({**row, "text": f"{number} {row['text']}"}) + "\n" for number in range(60)))
    plan = cli(
        "plan", "--data", str(data), "--task", "summarization", "--hardware", f"gpu:{memory}GiB", "--json"
    ).json()
    assert plan["memory"]["verdict"] == "fits", (plan["model"], plan["method"])


def test_the_plan_of_a_language_model(cli: Callable[..., Any], pairs: Path) -> None:
    plan = cli("plan", "--data", str(pairs), "--hardware", "gpu:24GiB", "--json").json()
    assert (plan["task"], plan["strategy"], plan["approach"]) == ("text-generation", "dpo", "fine-tuning")
    parameters = plan["model"]["parameters"]
    assert parameters > 10**9 and plan["memory"]["components"]["weights"] in (2 * parameters, parameters // 2)
    assert plan["memory"]["verdict"] == "fits" and not plan["model"]["local"]
    assert 2 * parameters < plan["disk"]["needed_bytes"] < 4 * parameters, "the download and an adapter"
    assert plan["settings"]["beta"]["value"] == 0.1
    assert {"orpo", "sft"} <= {each["strategy"] for each in plan["alternatives"]}
    assert any("cannot train text-generation by dpo yet" in warning for warning in plan["warnings"])


@pytest.mark.parametrize("hardware", ["cpu", "gpu:6GiB", "gpu:2x80GiB"])
@pytest.mark.parametrize("kind", ["table", "texts", "pairs"])
def test_the_text_fits_80_columns(
    cli: Callable[..., Any], request: pytest.FixtureRequest, kind: str, hardware: str
) -> None:
    told = cli("plan", "--data", str(request.getfixturevalue(kind)), "--hardware", hardware)
    assert told.code == DONE
    assert max(map(len, told.out.splitlines())) <= 80
    plan = cli("plan", "--data", str(request.getfixturevalue(kind)), "--hardware", hardware, "--json").json()
    text = " ".join(told.out.split())
    for word in (plan["task"], plan["model"]["id"], plan["method"], *plan["settings"]):
        assert word in text
    for reason in (each["reason"] for each in (*plan["settings"].values(), *plan["alternatives"])):
        assert " ".join(reason.split()) in text


def test_the_machine_of_a_file_is_planned_for(cli: Callable[..., Any], pairs: Path, tmp_path: Path) -> None:
    described = tmp_path / "there.json"
    described.write_text(json.dumps({"gpus": [{"index": 0, "memory_free_bytes": 6 * 2**30, "uuid": "GPU-1"}]}))
    plan = cli("plan", "--data", str(pairs), "--hardware", str(described), "--json").json()
    assert plan["memory"]["available_bytes"] == 6 * 2**30
    assert any("read from" in warning for warning in plan["warnings"])


def test_what_is_wrong_with_the_data_is_told_in_the_plan(cli: Callable[..., Any], texts: Path) -> None:
    with texts.open("a") as stream:
        stream.write("message number 0 about trains,rail\n")
    told = cli("plan", "--data", str(texts), "--task", "text-classification", "--hardware", "cpu")
    assert "! same text as row 1 [row 101]" in " ".join(told.out.split())


def test_settings_of_every_task_are_taken_for_one_that_is_not_trained_yet(cli: Callable[..., Any], pairs: Path) -> None:
    options = ["--set", "weight_decay=0.1", "--set", "max_steps=7", "--set", "max_seq_length=64"]
    plan = cli("plan", "--data", str(pairs), "--hardware", "gpu:24GiB", "--json", *options).json()
    chosen = {name: each["value"] for name, each in plan["settings"].items() if each["reason"] == "you chose it"}
    assert chosen == {"weight_decay": 0.1, "max_steps": 7, "max_length": 64}
    assert plan["duration"]["steps"] == 7


def test_several_gpus_are_told_of(cli: Callable[..., Any], table: Path) -> None:
    told = cli("plan", "--data", str(table), "--hardware", "gpu:2x80GiB")
    assert "a run uses one GPU; this machine has 2" in told.out and "the most of 2 GPUs" in told.out


def test_evaluation_data_of_its_own_is_counted(cli: Callable[..., Any], texts: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("text,label\n" + "".join(f"some words {n},{('rail', 'sea')[n % 2]}\n" for n in range(30)))
    arguments = ["plan", "--data", str(texts), *_PRESET, "--eval-data", str(other), "--json"]
    plan = cli(*arguments, "--hardware", "cpu", "--set", "num_train_epochs=2").json()
    assert plan["data"] == {"rows": 130, "train": 100, "eval": 30, "test": None}
    assert plan["duration"]["steps"] == 8, "two passes of four batches of 32"
    assert plan["settings"]["num_train_epochs"] == {"value": 2.0, "reason": "you chose it"}


# --- what it writes, and train -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("table", []),
        ("table", ["--task", "tabular-classification", "--map", "target=colour", "--set", "max_depth=2"]),
        ("texts", [*_PRESET, "--prepare", "drop_duplicates=yes", "--method", "full"]),
    ],
)
def test_a_written_plan_is_what_train_starts_with_the_same_options(
    home: Any, cli: Callable[..., Any], request: pytest.FixtureRequest, tmp_path: Path, kind: str, options: list[str]
) -> None:
    arguments = ["--data", str(request.getfixturevalue(kind)), *options]
    written = tmp_path / "spec.toml"
    planned = cli("plan", *arguments, "-o", str(written))
    assert planned.code == DONE and f"forge-tui train {written}" in planned.err
    assert cli("train", *arguments, "--detach").code == DONE
    direct = list_runs()[0]
    assert cli("train", str(written), "--detach").code == DONE
    replayed = next(run for run in list_runs() if run.folder != direct.folder)
    assert kept(read_spec(direct.spec)) == kept(read_spec(written)) == kept(read_spec(replayed.spec))
    for files in (direct, replayed):
        home.wait_end(files)


def test_a_plan_of_every_trained_task_is_the_plan_of_its_run(cli: Callable[..., Any], tmp_path: Path) -> None:
    from backends.registry import TASKS
    from forge_tui.hardware import hardware_for
    from forge_tui.samples import sample_path

    here = hardware_for("auto")
    for task in TASKS:
        written, data = tmp_path / f"{task.id}.toml", str(sample_path(task.id))
        preset = task.default_model
        assert cli("plan", "--data", data, "--task", task.id, "--model", preset, "-o", str(written)).code == DONE
        assert kept(read_spec(written)) == kept(plan_run(Request(data, task.id, model=preset), hardware=here).spec)


def test_a_file_that_is_there_is_left_alone(cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    written = tmp_path / "spec.toml"
    written.write_text("mine")
    told = cli("plan", "--data", str(table), "-o", str(written))
    assert told.code == USAGE and "is there already" in told.err and written.read_text() == "mine"
    told = cli("plan", "--data", str(table), "-o", str(tmp_path / "no" / "where.toml"))
    assert told.code == USAGE and "cannot be written" in told.err


def test_json_goes_with_a_file(cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    told = cli("plan", "--data", str(table), "--json", "-o", str(tmp_path / "spec.toml"))
    assert list(told.json()) == KEYS
    assert tomllib.loads((tmp_path / "spec.toml").read_text())["run"]["task"] == "tabular-classification"


def test_a_task_that_is_not_trained_yet_is_planned_and_not_written(
    home: Any, cli: Callable[..., Any], pairs: Path, tmp_path: Path
) -> None:
    told = cli("plan", "--data", str(pairs), "--hardware", "gpu:24GiB", "-o", str(tmp_path / "spec.toml"))
    assert told.code == USAGE and "does not train text-generation" in told.err
    assert "dpo" in told.out, "the plan is printed all the same"
    assert not (tmp_path / "spec.toml").exists()
    assert_refused(cli("train", "--data", str(pairs)), USAGE, "does not train text-generation")
    assert list_runs() == []


# --- what cannot be ------------------------------------------------------------------------------------------------


def test_what_is_too_large_is_printed_and_exits_4(cli: Callable[..., Any], pairs: Path) -> None:
    arguments = ["plan", "--data", str(pairs), "--hardware", "gpu:4GiB", "--model", "Qwen2.5-7B", "--method", "lora"]
    told = cli(*arguments)
    assert told.code == TOO_LARGE
    assert "too large" in told.out and "does not fit" in told.err and "--model " in told.err
    told = cli(*arguments, "--json")
    assert told.code == TOO_LARGE and told.json()["memory"]["verdict"] == "too-large"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--hardware", "24Gb"], ["24Gb", "Write --hardware gpu:24GiB"]),
        (["--hardware", "gpu:24 GB"], ["gpu:24GiB"]),
        (["--hardware", "autoo"], ["nearest is 'auto'"]),
        (["--task", "tabular-clasification"], ["nearest is 'tabular-classification'"]),
        (["--method", "qlora"], ["gradient-boosted trees", "Possible here: full"]),
        (["--strategy", "dbo"], ["nearest is 'dpo'"]),
        (["--set", "max_dept=3"], ["nearest is 'max_depth'"]),
        (["--set", "max_depth"], ["name=value"]),
        (["--model", "preset:xgbost"], ["nearest is 'preset:xgboost'"]),
        (["--map", "target=nothing"], ["nothing"]),
        (["--map", "target=answer", "--map", "target=colour"], ["--map target is given twice", "'answer'", "'colour'"]),
        (["--set", "max_depth=3", "--set", "max_depth=4"], ["--set max_depth is given twice"]),
    ],
)
def test_a_wrong_request(cli: Callable[..., Any], table: Path, options: list[str], words: list[str]) -> None:
    assert_refused(cli("plan", "--data", str(table), *options), USAGE, *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "Qwen/Qwen2.5-7"], ["Qwen/Qwen2.5-7B"]),
        (["--model", "ModernBERT-base"], ["is an encoder", "takes a language model"]),
        (["--strategy", "kto", "--task", "reward-modeling"], ["--task text-generation --strategy kto"]),
        (["--strategy", "sft", "--set", "lora_rank=4"], ["nearest is 'lora_r'"]),
        (["--set", "learning_rate=fast"], ["learning_rate = 'fast'", "of the kind of"]),
        (["--method", "loar"], ["nearest is 'lora'"]),
    ],
)
def test_a_wrong_request_for_a_language_model(
    cli: Callable[..., Any], pairs: Path, options: list[str], words: list[str]
) -> None:
    assert_refused(cli("plan", "--data", str(pairs), "--hardware", "gpu:24GiB", *options), USAGE, *words)


def test_a_model_that_is_not_on_this_machine_is_planned_and_not_started(
    home: Any, cli: Callable[..., Any], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no models"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments = ["--data", str(texts), "--task", "text-classification", "--model", "answerdotai/ModernBERT-base"]
    told = cli("plan", *arguments)
    assert told.code == DONE and "to be downloaded, 0.3 GiB or more" in told.out
    assert "a run downloads it from the hub first" in " ".join(told.out.split())
    refused = cli("train", *arguments)
    assert_refused(refused, USAGE, "is not on this machine", "HF_HUB_OFFLINE is set", "preset:tiny-encoder")
    assert list_runs() == []


def test_a_spec_for_another_machine_names_the_model(
    home: Any,
    cli: Callable[..., Any],
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_model: Callable[..., Path],
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec, name = tmp_path / "spec.toml", "answerdotai/ModernBERT-base"
    arguments = ["--data", str(texts), "--task", "text-classification", "--model", name, "--hardware", "gpu:24GiB"]
    told = cli("plan", *arguments, "-o", str(spec))
    assert told.code == DONE and read_spec(spec).model == name
    assert f"hf download {name}" in told.err and str(texts) in told.err and "Start it there" in told.err
    assert_refused(cli("train", str(spec)), USAGE, "is not on this machine", "HF_HUB_OFFLINE is set")
    cached = make_model("hub/models--answerdotai--ModernBERT-base/snapshots/abc")
    (cached.parents[1] / "refs").mkdir()
    (cached.parents[1] / "refs" / "main").write_text("abc")
    there = plan_run(Request(str(texts), task="text-classification", model=name))
    assert there.spec.model == str(cached)


def test_a_damaged_model_folder(cli: Callable[..., Any], texts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": ')
    told = cli("plan", "--data", str(texts), "--task", "text-classification", "--model", str(folder))
    assert_refused(told, USAGE, "config.json")


def test_a_text_that_is_longer_than_the_model_reads(cli: Callable[..., Any], texts: Path, pairs: Path) -> None:
    arguments = ["plan", "--data", str(pairs), "--hardware", "gpu:24GiB", "--model", "gpt2", "--set"]
    refused = cli(*arguments, "max_length=4096")
    assert_refused(refused, USAGE, "max_length = 4,096", "learned 1,024 places", "at most max_length=1024")
    assert cli(*arguments, "max_length=1024").code == DONE
    arguments = ["plan", "--data", str(texts), "--task", "text-classification", "--hardware", "cpu", "--json"]
    arguments += ["--model", "preset:tiny-encoder", "--set"]
    assert any("up to 1,024 tokens" in each for each in cli(*arguments, "max_seq_length=2000").json()["warnings"])
    assert not any("up to 1,024" in each for each in cli(*arguments, "max_length=1024").json()["warnings"])


def test_a_large_model_on_a_cpu_is_warned_of(cli: Callable[..., Any], pairs: Path) -> None:
    arguments = ["plan", "--data", str(pairs), "--strategy", "dpo", "--json"]

    def warned(*more: str) -> bool:
        return any("takes very long on a CPU" in each for each in cli(*arguments, *more).json()["warnings"])

    assert warned("--model", "Qwen/Qwen3-8B", "--method", "lora", "--hardware", "cpu")
    assert not warned("--model", "Qwen/Qwen3-8B", "--method", "lora", "--hardware", "gpu:80GiB")
    assert not warned("--model", "Qwen/Qwen3-0.6B", "--method", "lora", "--hardware", "cpu")


def only_pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def without_a_part(folder: Path) -> None:
    names = {"weight": "model.safetensors", "bias": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def cut_off(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1])


def without_words(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def odd_heads(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 4096, "num_attention_heads": 31}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (only_pickled, ["pickled", "pytorch_model.bin can run any program"]),
        (without_weights, ["holds no weights", "model.safetensors"]),
        (without_a_part, ["not all of its weights", "model-2.safetensors is not there"]),
        (cut_off, ["are cut off"]),
        (without_words, ["holds no tokenizer", "text-classification reads text"]),
        (odd_heads, ["31 attention heads for a width of 4,096"]),
    ],
)
@pytest.mark.parametrize("command", [["plan", "-o", "spec.toml"], ["train"], ["train", "SPEC"]])
def test_a_folder_from_which_no_training_can_start(
    home: Any,
    cli: Callable[..., Any],
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_model: Callable[..., Path],
    damage: Callable[[Path], None],
    words: list[str],
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = make_model("model")
    options = ["--data", str(texts), "--task", "text-classification", "--model", str(folder), "--hardware", "gpu:24GiB"]
    if command[-1] == "SPEC":
        assert cli("plan", *options, "-o", "before.toml").code == DONE
        command, options = ["train", "before.toml"], []
    damage(folder)
    told = cli(*command, *(options[:-2] if command[0] == "train" else options))
    assert_refused(told, USAGE, *words)
    assert list_runs() == [] and not (tmp_path / "spec.toml").exists()


@pytest.mark.parametrize("tokenizer", [{"tokenizer_class": "ByT5Tokenizer"}, None])
def test_tokenizers_of_other_kinds(
    cli: Callable[..., Any], texts: Path, make_model: Callable[..., Path], tokenizer: dict[str, str] | None
) -> None:
    folder = make_model("model")
    (folder / "tokenizer.json").rename(folder / ("vocab.txt" if tokenizer is None else "other.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer or {}))
    assert cli("plan", "--data", str(texts), "--task", "text-classification", "--model", str(folder)).code == DONE


def test_data_with_errors_and_no_data(cli: Callable[..., Any], tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("text,label\n")
    assert_refused(cli("plan", "--data", str(empty)), DATA)
    assert_refused(cli("plan"), USAGE, "--data")
    assert_refused(cli("plan", "--data", str(tmp_path / "none.csv")), USAGE)


def test_train_says_what_is_too_large_before_a_run_folder_exists(
    home: Any,
    cli: Callable[..., Any],
    texts: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_model: Callable[..., Path],
) -> None:
    from profiles.hardware import Hardware

    monkeypatch.setattr("forge_tui.hardware.probe", lambda: Hardware(memory_available_bytes=1000))
    cached = make_model("hub/models--answerdotai--ModernBERT-base/snapshots/abc").parents[1]
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    monkeypatch.setenv("HF_HUB_CACHE", str(texts.parent / "hub"))
    told = cli("train", "--data", str(texts), "--task", "text-classification", "--model", "answerdotai/ModernBERT-base")
    assert_refused(told, TOO_LARGE, "does not fit", "its weights alone take")
    assert list_runs() == []


def test_the_command_loads_no_validation_library(home: Any, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    told = home.command("plan", "--data", str(table), "--json")
    assert told.code == DONE
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.err.splitlines()}
    assert "typer" in loaded and not loaded & {"pydantic", "textual", "pyarrow", "torch", "numpy", "rich"}


def test_the_cost_of_prompting_stands_beside_that_of_the_run(
    cli: Callable[..., Any], texts: Path, own_home: Path
) -> None:
    own_home.mkdir(mode=0o700, exist_ok=True)
    (own_home / "settings.toml").write_text("price_per_hour = 2\nprice_per_million_tokens = 1\n")
    cost = cli("plan", "--data", str(texts), "--hardware", "cpu", "--json").json()["cost"]
    prompting = cost["prompting"]
    each = (prompting["tokens_read"] + prompting["tokens_written"]) / 1e6
    assert prompting["money_per_thousand"] == round(1000 * each, 6)
    low, high = prompting["pays_from_requests"]
    assert abs(low * each - cost["money"][0]) < 2 * each and abs(high * each - cost["money"][1]) < 2 * each
    assert "prompting" in cli("plan", "--data", str(texts), "--hardware", "cpu").out
    (own_home / "settings.toml").write_text("price_per_hour = 2\n")
    assert "prompting" not in cli("plan", "--data", str(texts), "--hardware", "cpu", "--json").json()["cost"]


@pytest.mark.parametrize(
    ("output", "words"),
    [("", "is a folder"), ("taken", "there already"), ("no/such.toml", "there is no folder"), (".", "is a folder")],
)
def test_where_a_plan_is_written_is_looked_at_before_the_data(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    told = cli("plan", "--data", "is-not-there.csv", "-o", output)
    assert (told.code, told.out) == (2, "") and words in told.err and "is-not-there" not in told.err
