"""Models of the hub in the trainer: what is fetched, what a cut leaves, and every way in which it does not come."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from backends.contract import CHOSEN_OFFLINE, EXIT_FAILED, EXIT_USAGE, ForgeError, RunSpec, UsageError, read_spec
from backends.events import EventWriter
from backends.formats.hub_models import download_model, list_model, snapshot_folder, whole_snapshot
from backends.hub import bring_model

NAME, COMMIT = "some/model", "0123456789abcdef0123456789abcdef01234567"
OFFERED = "fedcba9876543210fedcba9876543210fedcba98"
BOT, CONVERSION = "SFconvertbot", "Adding `safetensors` variant of this model"
WEIGHTS = os.urandom(200_000)
SMALL = {"config.json": b'{"model_type": "bert"}', "tokenizer.json": b"{}", "tokenizer_config.json": b"{}"}
OTHER = {
    "pytorch_model.bin": b"a pickle",
    "tf_model.h5": b"others",
    "onnx/model.onnx": b"more",
    "README.md": b"words",
    "training_args.bin": b"a pickle",
}
FILES: Mapping[str, bytes] = {**SMALL, **OTHER, "model.safetensors": WEIGHTS, "spiece.model": b"pieces"}
TOTAL = sum(len(FILES[name]) for name in (*SMALL, "model.safetensors", "spiece.model"))


@pytest.fixture
def hub(serve_model: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A hub with the model, as the trainer meets it: offline itself, while the person forbade nothing."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv(CHOSEN_OFFLINE, "")
    return serve_model(NAME, FILES)


@pytest.fixture
def bring(tmp_path: Path) -> Callable[..., RunSpec]:
    """`bring(revision, shown)`: what the trainer does for the model of its spec."""

    def call(revision: str = COMMIT, shown: int = TOTAL) -> RunSpec:
        spec = RunSpec("a", "t", "full", NAME, "d.csv", revision=revision, download_bytes=shown)
        return bring_model(spec, EventWriter(tmp_path / "events.jsonl"))

    return call


def events(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


def refused(kind: type[ForgeError], call: Callable[[], Any], *words: str) -> None:
    """All three parts are there, with these words, and the documented exit code."""
    with pytest.raises(ForgeError) as caught:
        call()
    error = caught.value
    assert error.exit_code == (EXIT_USAGE if kind is UsageError else EXIT_FAILED)
    assert error.what and error.why and error.fix
    told = f"{error.what} | {error.why} | {error.fix}"
    assert [word for word in words if word not in told] == [], told


# --- what comes ----------------------------------------------------------------------------------------------------


def test_what_is_needed_comes_and_nothing_else_and_weights_last(hub: Any, bring: Any, tmp_path: Path) -> None:
    spec = bring()
    folder = snapshot_folder(NAME, COMMIT)
    assert (spec.model, spec.revision) == (str(folder), None)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: FILES[name] for name in (*SMALL, "model.safetensors", "spiece.model")
    }
    assert hub.fetched()[-1] == "model.safetensors"
    told = events(tmp_path)
    assert told[0]["kind"] == "phase" and told[0]["name"] == "loading-model"
    moves = [(each["done"], each["total"]) for each in told if each["kind"] == "progress"]
    assert moves[0] == (0, TOTAL) and moves[-1] == (TOTAL, TOTAL)
    assert all(each["phase"] == "loading-model" for each in told if each["kind"] == "progress")
    assert os.environ["HF_HUB_OFFLINE"] == "1", "no library may ask after it"


def test_what_is_whole_is_not_asked_for(hub: Any, bring: Any, tmp_path: Path) -> None:
    bring()
    hub.asked.clear()
    assert bring(shown=0).model == str(snapshot_folder(NAME, COMMIT))
    assert hub.asked == []
    (snapshot_folder(NAME, COMMIT) / "model.safetensors").unlink()
    bring()
    assert hub.fetched() == ["model.safetensors"] * 2, "its address on the hub, and where that points to"


def test_huggingface_hub_finds_what_came(hub: Any, bring: Any) -> None:
    from huggingface_hub import try_to_load_from_cache

    bring()
    cache = Path(os.environ["HF_HUB_CACHE"])
    found = try_to_load_from_cache(NAME, "model.safetensors", cache_dir=cache, revision=COMMIT)
    assert found == str(snapshot_folder(NAME, COMMIT) / "model.safetensors")


def test_weights_in_parts(serve_model: Callable[..., Any], hub: Any, bring: Any) -> None:
    parts = {f"model-0000{n}-of-00002.safetensors": os.urandom(1000) for n in (1, 2)}
    index = json.dumps({"weight_map": dict(zip("ab", parts, strict=True))}).encode()
    hub = serve_model(NAME, {**SMALL, **parts, "model.safetensors.index.json": index, "consolidated.safetensors": b"x"})
    spec = bring()
    assert {path.name for path in Path(spec.model).iterdir()} == {*SMALL, *parts, "model.safetensors.index.json"}
    (Path(spec.model) / "model-00002-of-00002.safetensors").unlink()
    assert whole_snapshot(NAME, COMMIT) is None
    del hub.files["model-00002-of-00002.safetensors"]
    refused(ForgeError, bring, "is not whole", "names files that the hub does not list")


def test_files_of_tokenizers_come(serve_model: Callable[..., Any], hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("source.spm", "target.spm", "qwen.tiktoken", "tekken.json", "bpe.codes", "sentencepiece.bpe.model")
    serve_model(NAME, {**FILES, **dict.fromkeys(words, b"pieces"), "runs/other.spm": b"no"})
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert {file.name for file in list_model(NAME).files} == {*SMALL, "spiece.model", "model.safetensors", *words}


@pytest.mark.parametrize(
    ("offers", "revision"),
    [
        ([(BOT, CONVERSION)], OFFERED),
        ([("somebody", CONVERSION), (BOT, "Update README"), (BOT, CONVERSION)], OFFERED),
        ([(BOT, "Update README"), ("somebody", CONVERSION)], None),
        ([], None),
    ],
)
def test_pickled_weights_are_taken_as_the_hub_itself_converted_them(
    serve_model: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, offers: list[Any], revision: str | None
) -> None:
    hub = serve_model(NAME, {name: each for name, each in FILES.items() if name != "model.safetensors"})
    hub.offers, hub.offered = offers, {"model.safetensors": WEIGHTS}
    if revision is None:
        refused(UsageError, lambda: list_model(NAME), "no usable weights", "pickled ones can run code")
        return
    listing = list_model(NAME)
    assert (listing.revision, listing.total_bytes) == (OFFERED, TOTAL)
    folder = download_model(listing, lambda done, total: None)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS and whole_snapshot(NAME, OFFERED) == folder
    assert not any(name.endswith(".bin") for name in hub.fetched())


def test_a_model_that_nobody_may_offer_something_for_has_no_usable_weights(serve_model: Callable[..., Any]) -> None:
    hub = serve_model(NAME, {name: each for name, each in FILES.items() if name != "model.safetensors"})
    hub.refusals.append(("/discussions", 403, ""))
    refused(UsageError, lambda: list_model(NAME), "no usable weights")


# --- what goes wrong on the way --------------------------------------------------------------------------------------


def test_a_cut_transfer_goes_on_where_it_was(hub: Any, bring: Any) -> None:
    hub.cuts[:] = [50_000]
    assert Path(bring().model, "model.safetensors").read_bytes() == WEIGHTS
    assert [start for _, path, start in hub.asked if path.startswith("/large/")] == [0, 50_000]


def test_the_next_attempt_goes_on_where_the_last_one_was_cut(hub: Any, bring: Any, tmp_path: Path) -> None:
    hub.cuts[:] = [50_000, 0, 0, 0]
    refused(ForgeError, bring, "was cut", "goes on where it was")
    assert whole_snapshot(NAME, COMMIT) is None
    hub.asked.clear()
    assert Path(bring().model, "model.safetensors").read_bytes() == WEIGHTS
    assert [start for _, path, start in hub.asked if path.startswith("/large/")] == [50_000]
    assert [name for name in hub.fetched() if name != "model.safetensors"] == [], "whole files are kept"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("place", ["/api/", "/resolve/", "/large/"])
def test_a_hub_that_is_busy_once(hub: Any, bring: Any, status: int, place: str) -> None:
    hub.refusals.append((place, status, ""))
    assert Path(bring().model, "model.safetensors").read_bytes() == WEIGHTS
    assert hub.refusals == []


def test_a_hub_that_stays_busy(hub: Any, bring: Any) -> None:
    hub.refusals[:] = [("/api/", 429, "")] * 5
    refused(ForgeError, bring, "asked too often", "HF_TOKEN")


def test_a_gated_model(hub: Any, bring: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.gated = True
    refused(UsageError, bring, "does not give some/model to you", "Accept the terms", "HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert whole_snapshot(NAME, COMMIT) is None
    bring()
    assert "Bearer hf_good" in hub.tokens and whole_snapshot(NAME, COMMIT) is not None


@pytest.mark.parametrize(("status", "code"), [(401, ""), (403, "GatedRepo"), (401, "GatedRepo")])
def test_a_listing_that_is_refused(hub: Any, bring: Any, status: int, code: str) -> None:
    hub.refusals.append(("/api/", status, code))
    refused(UsageError, bring, f"answered {status}", "Accept the terms")


def test_names_that_the_hub_does_not_know(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")  # as in the app
    refused(UsageError, lambda: list_model("some/other"), "There is no model some/other", "Check the name")
    refused(UsageError, lambda: list_model(NAME, "v9"), "has no revision 'v9'", hub.url)


def test_a_hub_that_is_not_there(hub: Any, bring: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    refused(ForgeError, bring, "http://127.0.0.1:9 cannot be reached", "model folder on this machine")


@pytest.mark.parametrize("variable", [CHOSEN_OFFLINE, "TRANSFORMERS_OFFLINE"])
def test_a_person_who_forbade_the_network(hub: Any, bring: Any, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    refused(UsageError, bring, "needs the network", "OFFLINE is set")
    assert hub.asked == []


def test_a_full_disk_is_told_before_the_first_byte(hub: Any, bring: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, TOTAL - 1))
    refused(UsageError, bring, "no room for some/model", f"{TOTAL:,} bytes are needed")
    assert hub.fetched() == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, TOTAL))
    bring()


def test_no_more_is_fetched_than_was_shown(hub: Any, bring: Any) -> None:
    refused(ForgeError, lambda: bring(shown=TOTAL - 1), "larger than was shown", f"{TOTAL:,}", "Start a new run")
    assert hub.fetched() == []


@pytest.mark.parametrize(
    ("gone", "more", "words"),
    [
        ("model.safetensors", {}, ["no usable weights", "pickled ones can run code"]),
        ("config.json", {}, ["it has no config.json"]),
        ("config.json", {"adapter_config.json": b"{}"}, ["it is an adapter"]),
    ],
)
def test_what_no_run_can_start_from(
    serve_model: Callable[..., Any], hub: Any, bring: Any, gone: str, more: dict[str, bytes], words: list[str]
) -> None:
    other = serve_model(NAME, {name: each for name, each in {**FILES, **more}.items() if name != gone})
    refused(UsageError, bring, *words)
    assert other.fetched() == []


def test_weights_that_are_not_those_that_were_listed(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    listing = list_model(NAME)
    hub.files["model.safetensors"] = WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1])
    refused(ForgeError, lambda: download_model(listing, lambda done, total: None), "another model.safetensors")
    assert whole_snapshot(NAME, COMMIT) is None


def test_a_revision_is_no_path() -> None:
    assert whole_snapshot(NAME, "../../x") is None and whole_snapshot("../..", COMMIT) is None


# --- the spec --------------------------------------------------------------------------------------------------------


def test_the_revision_stands_in_the_spec(tmp_path: Path) -> None:
    import tomli_w

    spec = RunSpec("a", "text-classification", "full", NAME, "d.csv", revision=COMMIT, download_bytes=5)
    path = tmp_path / "spec.toml"
    path.write_text(tomli_w.dumps(spec.to_tables()))
    assert read_spec(path) == spec
    without = RunSpec("a", "text-classification", "full", "preset:tiny-encoder", "d.csv")
    assert "revision" not in without.to_tables()["model"]
    assert bring_model(without, None) is without  # type: ignore[arg-type]
