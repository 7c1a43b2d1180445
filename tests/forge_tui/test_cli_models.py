"""The command `models`: what it lists for a machine, and what it says of one model wherever that is."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backends.contract import UsageError
from forge_tui.model_folders import find_any_model, local_folder, read_model_folder
from forge_tui.model_text import HEADER, model_rows, parameters_text, tokens_text
from profiles.catalog import catalog
from profiles.catalog_order import standing
from profiles.hardware import Gpu, Hardware
from profiles.model_fit import model_fit

KEYS = (
    "id family kind tasks source shape parameters active_parameters context gated chat_template instruct note verdict "
    "first_choice knows languages published lowercases download_bytes license open_license weights_bytes local fit "
    "fit_method"
).split()
BERT: dict[str, Any] = {
    "model_type": "bert",
    "num_hidden_layers": 1,
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_attention_heads": 2,
    "vocab_size": 11,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
}
TENSORS = {"a": ("F32", [11, 8]), "b": ("BF16", [8]), "ids": ("I64", [1, 32])}
WEIGHTS = 11 * 8 + 8


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no hub."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hf" / "hub"


def write_weights(path: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    header = json.dumps(
        {"__metadata__": {"format": "pt"}}
        | {name: {"dtype": kind, "shape": sides, "data_offsets": [0, 0]} for name, (kind, sides) in tensors.items()}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def make_folder(folder: Path, config: object = BERT, weights: bool = True) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    if weights:
        write_weights(folder / "model.safetensors", TENSORS)
    return folder


def fails(*words: str, of: Callable[[], object]) -> None:
    with pytest.raises(UsageError) as caught:
        of()
    told = f"{caught.value.what} | {caught.value.why} | {caught.value.fix}"
    assert caught.value.why and caught.value.fix
    assert [word for word in words if word not in told] == [], told


# --- the list ------------------------------------------------------------------------------------------------------


def test_the_list_as_json(cli: Callable[..., Any]) -> None:
    told = cli("models", "--hardware", "gpu:24GiB", "--json")
    assert told.code == 0
    listed = told.json()
    assert {entry["id"] for entry in listed} == {model.id for model in catalog()}
    assert all(sorted(entry) == sorted(KEYS) for entry in listed)
    assert {entry["fit"] for entry in listed} == {None, "fits", "tight", "too-large"}
    assert sum(entry["fit"] is None for entry in listed) < len(listed) / 10
    of = {entry["id"]: entry for entry in listed}
    assert of["Qwen/Qwen2.5-7B"]["weights_bytes"] == 2 * 7_615_616_512
    assert of["Qwen/Qwen2.5-7B"]["license"] == "apache-2.0" and of["Qwen/Qwen2.5-7B"]["open_license"] is True
    assert of["Qwen/Qwen2.5-72B"]["fit"] == "too-large"
    assert (of["Qwen/Qwen2.5-7B"]["fit"], of["Qwen/Qwen2.5-7B"]["fit_method"]) == ("fits", "lora")
    assert (of["Qwen/Qwen3-14B"]["fit"], of["Qwen/Qwen3-14B"]["fit_method"]) == ("fits", "qlora")
    assert (of["google-bert/bert-base-uncased"]["fit_method"]) == "full"
    assert of["preset:xgboost"]["local"] is True and of["Qwen/Qwen2.5-7B"]["local"] is False


def test_a_task_chooses_and_what_is_too_large_comes_last(cli: Callable[..., Any]) -> None:
    listed = cli("models", "--task", "text-generation", "--hardware", "gpu:24GiB", "--json").json()
    assert all("text-generation" in entry["tasks"] for entry in listed)
    fits = [entry["fit"] for entry in listed]
    assert fits[0] == "fits" and fits[-1] == "too-large"
    assert listed[0]["id"] == "Qwen/Qwen3-8B"


def test_a_kind_chooses(cli: Callable[..., Any]) -> None:
    listed = cli("models", "--kind", "encoder", "--task", "text-classification", "--json").json()
    assert listed and {entry["kind"] for entry in listed} == {"encoder"}


def test_the_table_names_the_method_that_fits(cli: Callable[..., Any]) -> None:
    told = cli("models", "--task", "text-generation", "--hardware", "gpu:24GiB")
    header, *rows = told.out.splitlines()
    assert header.split() == ["model", "params", "tokens", "weights", "fit", "licence"]
    (largest,) = [row for row in rows if row.startswith("Qwen/Qwen2.5-72B ")]
    assert largest.split() == ["Qwen/Qwen2.5-72B", "72.7B", "128k", "135.4", "GiB", "too", "large", "qwen"]
    assert "lora" in rows[0].split()
    assert "24.0 GiB are free" in told.err and "too large" in told.err


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(width: int) -> None:
    machine = Hardware(gpus=(Gpu(0, memory_free_bytes=24 * 2**30),))
    rows = model_rows(
        [(model, standing(model, machine), True, model_fit(model, machine)) for model in catalog()], width
    )
    widths = [max(len(row[index]) for row in (HEADER, *rows)) for index in range(len(HEADER))]
    assert sum(widths) + 2 * (len(widths) - 1) <= width
    assert all(row[0].endswith(" *") for row in rows)


def test_numbers_for_people() -> None:
    assert [
        parameters_text(count)
        for count in (None, 999, 4_385_920, 134_515_008, 999_885_952, 7_615_616_512, 400_711_848_960)
    ] == [
        *("?", "999", "4.4M", "135M", "1.0B", "7.6B", "401B"),
    ]
    assert [tokens_text(count) for count in (None, 512, 8192, 131_072)] == ["?", "512", "8k", "128k"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "text-clasification"], ["'text-classification'"]),
        (["--kind", "encodr"], ["'encoder'"]),
        (["--kind", "trees", "--task", "translation"], ["trees", "translation"]),
        (["--hardware", "gpu24"], ["gpu:24GiB"]),
        (["Qwen/Qwen2.5-7B", "--task", "text-generation"], ["--task"]),
        (["Qwen/Qwen2.5-8B"], ["Qwen/Qwen2.5-7B", "--download"]),
        (["preset:xgbost"], ["preset:xgboost"]),
        (["preset:foo"], ["preset:xgboost", "preset:tiny-encoder"]),
        (["./nowhere"], ["./nowhere", "path"]),
        (["own/er/model"], ["own/er/model", "path"]),
        ([""], ["empty"]),
    ],
)
def test_wrong_usage_names_the_nearest(cli: Callable[..., Any], arguments: list[str], words: list[str]) -> None:
    told = cli("models", *arguments)
    assert told.code == 2 and told.out == ""
    assert "why:" in told.err and "fix:" in told.err
    assert [word for word in words if word not in told.err] == [], told.err


# --- one model -----------------------------------------------------------------------------------------------------


def test_one_model_of_the_catalog(cli: Callable[..., Any]) -> None:
    told = cli("models", "qwen2.5-3b", "--hardware", "gpu:1GiB")
    assert told.code == 0
    for words in ("Qwen/Qwen2.5-3B", "3,085,938,688", "too large", "qwen-research (with conditions", "commercial use"):
        assert words in told.out, told.out
    entry = cli("models", "qwen2.5-3b", "--hardware", "gpu:24GiB", "--json").json()
    assert sorted(entry) == sorted(KEYS) and (entry["fit"], entry["fit_method"]) == ("fits", "lora")
    assert entry["shape"]["vocab"] == 151_936 and "experts" not in entry["shape"]


def test_a_local_folder(cli: Callable[..., Any], tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "mine")
    entry = cli("models", str(folder), "--json").json()
    assert (entry["id"], entry["kind"], entry["parameters"]) == (str(folder), "encoder", WEIGHTS)
    assert entry["local"] is True and entry["license"] is None and entry["gated"] is None
    assert "headers of its weights" in cli("models", str(folder)).out


def test_a_folder_comes_before_the_catalog_and_without_weights_its_config_counts(tmp_path: Path) -> None:
    make_folder(tmp_path / "Qwen" / "Qwen2.5-7B", weights=False)
    model = find_any_model("Qwen/Qwen2.5-7B")
    assert (model.kind, model.parameters) == ("encoder", 1_048)
    assert model.note and "safetensors" in model.note


def test_parts_and_packed_weights(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "parts", weights=False)
    for number in (1, 2):
        write_weights(folder / f"part-{number}.safetensors", {"x": ("F16", [number, 3])})
    names = {"x": "part-1.safetensors", "y": "part-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert read_model_folder(folder).parameters == 9
    assert local_folder(str(folder)) == folder
    (folder / "part-2.safetensors").unlink()
    assert read_model_folder(folder).parameters == 1_048
    packed = make_folder(tmp_path / "packed", {**BERT, "quantization_config": {"bits": 4}})
    assert read_model_folder(packed).parameters == 1_048


def test_a_chat_template_is_seen(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "mine")
    assert read_model_folder(folder).chat_template is None
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 8}')
    assert read_model_folder(folder).chat_template is False
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert read_model_folder(folder).chat_template is True


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.json", b"{", ["config.json", "no JSON"]),
        ("config.json", b"[]", ["config.json", "braces"]),
        ("config.json", b"\xff\xfe", ["config.json", "no JSON"]),
        ("config.json", b"[" * 100_000, ["config.json", "no JSON"]),
        ("config.json", b'{"model_type": "bert"}', ["num_hidden_layers"]),
        ("model.safetensors", b"", ["model.safetensors", "damaged"]),
        ("model.safetensors", struct.pack("<Q", 1 << 60) + b"{}", ["model.safetensors", "bytes long"]),
        ("model.safetensors", struct.pack("<Q", 2) + b"[]", ["model.safetensors", "damaged"]),
        ("model.safetensors", struct.pack("<Q", 8) + b'{"a": 1}', ["model.safetensors", "damaged"]),
        ("model.safetensors", struct.pack("<Q", 10) + b'{"a": {}  ' + b"}", ["model.safetensors", "damaged"]),
        ("model.safetensors.index.json", b"{}", ["index.json", "weight_map"]),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, file: str, content: bytes, words: list[str]) -> None:
    folder = make_folder(tmp_path / "mine")
    (folder / file).write_bytes(content)
    fails(*words, of=lambda: read_model_folder(folder))


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    fails("config.json", of=lambda: find_any_model(str(tmp_path)))
    (tmp_path / "adapter_config.json").write_text("{}")
    fails("adapter", of=lambda: find_any_model(str(tmp_path)))


def in_cache(cache: Path, name: str, commit: str = "abc123", weights: bool = True) -> Path:
    top = cache / f"models--{name.replace('/', '--')}"
    (top / "refs").mkdir(parents=True, exist_ok=True)
    (top / "refs" / "main").write_text(commit)
    return make_folder(top / "snapshots" / commit, weights=weights)


def test_the_cache_of_the_hub(cache: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_folder("some/model") is None
    folder = in_cache(cache, "some/model")
    assert local_folder("some/model") == folder
    found = find_any_model("some/model")
    assert (found.id, found.parameters) == ("some/model", WEIGHTS)
    in_cache(cache, "Qwen/Qwen2.5-7B")
    assert cli("models", "qwen2.5-7b", "--json").json()["local"] is True
    in_cache(cache, "Qwen/Qwen2.5-14B", weights=False)
    assert local_folder("Qwen/Qwen2.5-14B") is None
    monkeypatch.setenv("HF_HUB_CACHE", str(cache.parent / "elsewhere"))
    assert local_folder("some/model") is None


def test_a_damaged_copy_is_no_local_model(cache: Path) -> None:
    folder = in_cache(cache, "some/model")
    (folder / "model.safetensors.index.json").write_text("{")
    assert local_folder("some/model") is None


# --- the hub -------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A hub that knows what the test puts into it, by address."""
    pages: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(pages.get(self.path)).encode()
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield pages
    server.shutdown()
    server.server_close()


def test_the_hub_is_asked_only_when_allowed(hub: dict[str, Any], cli: Callable[..., Any]) -> None:
    hub["/some/model/resolve/main/config.json"] = BERT
    hub["/api/models/some/model"] = {
        "gated": "manual",
        "cardData": {"license": "mit"},
        "safetensors": {"total": 4321},
    }
    assert cli("models", "some/model").code == 2
    entry = cli("models", "some/model", "--download", "--json").json()
    assert (entry["parameters"], entry["license"], entry["open_license"]) == (4321, "mit", True)
    assert entry["gated"] is True and entry["local"] is False and "hub" in entry["source"]


def test_what_the_hub_does_not_know(hub: dict[str, Any], cli: Callable[..., Any]) -> None:
    told = cli("models", "some/other", "--download")
    assert told.code == 2 and "There is no model some/other on the hub" in told.err


def test_a_hub_that_does_not_answer_or_may_not_be_asked(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    told = cli("models", "some/model", "--download")
    assert told.code == 1 and "cannot be reached" in told.err
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    told = cli("models", "some/model", "--download")
    assert told.code == 2 and "TRANSFORMERS_OFFLINE" in told.err


def test_text_of_a_foreign_folder_is_plain(cli: Callable[..., Any], tmp_path: Path) -> None:
    nasty = {"model_type": "x\x1b[31m", "architectures": ["XForCausalLM"]}
    told = cli("models", str(make_folder(tmp_path / "mine", nasty)))
    assert told.code == 0 and "\x1b" not in told.out
