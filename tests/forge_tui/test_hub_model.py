"""A model of the hub from the command line and the wizard: shown with its size, pinned, downloaded by the trainer."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.contract import read_spec
from forge_tui.runs.control import request_stop, resume_run
from forge_tui.runs.status import Status
from forge_tui.runs.store import find_run, list_runs
from forge_tui.runs.summary import summarise_run
from forge_tui.samples import sample_path

NAME, COMMIT = "answerdotai/ModernBERT-base", "0123456789abcdef0123456789abcdef01234567"
TASK, USAGE = "text-classification", 2


@pytest.fixture
def hub(home: Any, serve_model: Callable[..., Any], make_model: Callable[..., Path]) -> Any:
    """A hub that has a model of the catalog, none of whose files a trainer could load."""
    return serve_model(NAME, make_model("model"))


@pytest.fixture
def asking() -> list[str]:
    return ["--data", str(sample_path(TASK)), "--task", TASK, "--model", NAME]


def total(hub: Any) -> int:
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    return sum(len(hub.files[name]) for name in names)


def refused(told: Any, *words: str) -> None:
    """Refused before a run folder exists, with what can be trained without a download."""
    text = " ".join(told.err.split())
    assert told.code == USAGE and list_runs() == [], text
    assert [word for word in (NAME, "preset:tiny-encoder", *words) if word not in text] == [], text


# --- the command line ------------------------------------------------------------------------------------------------


def test_train_shows_the_size_and_pins_the_commit(hub: Any, cli: Callable[..., Any], asking: list[str]) -> None:
    told = cli("train", *asking, "--detach")
    assert told.code == 0, told.err
    text = " ".join(told.err.split())
    assert f"{NAME} is not on this machine, and is downloaded first: 4 files" in text
    assert f"revision {COMMIT[:12]}, licence mit" in text
    spec = read_spec(find_run("last").spec)
    assert (spec.model, spec.revision, spec.download_bytes) == (NAME, COMMIT, total(hub))
    assert hub.fetched() == [], "the trainer fetches, and not the app"


def test_plan_asks_the_hub_only_when_it_may(hub: Any, cli: Callable[..., Any], asking: list[str]) -> None:
    told = cli("plan", *asking)
    assert "0.3 GiB or more" in told.out and hub.asked == []
    told = cli("plan", *asking, "--download")
    assert "to be downloaded, 4 files" in " ".join(told.out.split()) and hub.fetched() == []


def test_a_copy_of_the_pinned_commit_needs_no_hub(
    hub: Any, cli: Callable[..., Any], asking: list[str], tmp_path: Path
) -> None:
    spec = tmp_path / "spec.toml"
    assert cli("plan", *asking, "--download", "-o", str(spec)).code == 0
    assert (read_spec(spec).revision, read_spec(spec).model) == (COMMIT, NAME)
    folder = Path(os.environ["HF_HUB_CACHE"], f"models--{NAME.replace('/', '--')}", "snapshots", COMMIT)
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes(hub.files[name])
    hub.asked.clear()
    told = cli("train", str(spec), "--detach")
    assert told.code == 0 and "is on this machine" in told.err and hub.asked == []
    assert (read_spec(find_run("last").spec).revision, read_spec(find_run("last").spec).model) == (COMMIT, NAME)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (("/api/", 401, "RepoNotFound"), ["There is no model", "Check the name"]),
        (("/api/", 403, "GatedRepo"), ["does not give", "Accept the terms", "HF_TOKEN"]),
        (("/api/", 404, "RevisionNotFound"), ["has no revision 'main'"]),
    ],
)
def test_what_the_hub_refuses_is_told_before_a_run(
    hub: Any, cli: Callable[..., Any], asking: list[str], refusal: Any, words: list[str]
) -> None:
    hub.refusals.append(refusal)
    refused(cli("train", *asking), *words)


def test_no_network_a_full_disk_and_a_person_who_forbids_it(
    hub: Any, cli: Callable[..., Any], asking: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    refused(cli("train", *asking), "http://127.0.0.1:9 cannot be reached")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused(cli("train", *asking), "HF_HUB_OFFLINE is set")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, total(hub) - 1))
        refused(cli("train", *asking), "no room", f"{total(hub):,} bytes are to be downloaded")
    assert hub.fetched() == []


def test_a_model_that_nobody_named_is_not_downloaded(hub: Any, cli: Callable[..., Any], asking: list[str]) -> None:
    told = cli("train", *asking[:4], "--method", "lora")
    assert told.code == USAGE and "nothing is downloaded unasked" in " ".join(told.err.split())
    assert hub.asked == [] and list_runs() == []


# --- the wizard ------------------------------------------------------------------------------------------------------


async def choose_model(person: Any) -> None:
    for question in ("Is this what your data is?", "e changes the answers", "Which model to start from?"):
        await person.see(question)
        if not question.startswith("Which"):
            await person.press("enter")
    await person.press("slash", *"modernbert-base")
    await person.see("get it", "the run downloads it from the hub: 0.3 GiB or more")
    await person.press("enter")


def test_the_wizard_shows_the_size_and_starts_the_download(hub: Any, drive: Callable[..., Any]) -> None:
    async def script(person: Any) -> None:
        await choose_model(person)
        await person.see("Are these settings right?")
        await person.press("enter")
        await person.see("Start this run?", f"model    {NAME}", "download 4 files", COMMIT[:12])
        await person.press("enter")
        await person.until(lambda: bool(list_runs()))

    drive(script, wizard=True, wizard_data=str(sample_path(TASK)))
    spec = read_spec(find_run("last").spec)
    assert (spec.model, spec.revision, spec.download_bytes) == (NAME, COMMIT, total(hub))


def test_the_wizard_tells_what_the_hub_refuses(hub: Any, drive: Callable[..., Any]) -> None:
    hub.refusals.append(("/api/", 403, "GatedRepo"))

    async def script(person: Any) -> None:
        await choose_model(person)
        await person.see("cannot be downloaded", "Accept the terms")

    drive(script, wizard=True, wizard_data=str(sample_path(TASK)))
    assert list_runs() == []


# --- trained ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny ModernBERT with its tokenizer, as a run could start from."""
    import torch
    import transformers

    from backends.encoders import train_tokenizer

    tokenizer = train_tokenizer([path.read_text() for path in [sample_path(TASK)]], True)
    torch.manual_seed(0)
    config = transformers.ModernBertConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96,
        pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
    )  # fmt: skip
    folder = tmp_path / "tiny"
    transformers.ModernBertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_run_stopped_while_it_downloads_goes_on_there_and_trains(
    module_home: Any,
    serve_model: Callable[..., Any],
    tiny: Path,
    cli: Callable[..., Any],
    asking: list[str],
    monkeypatch: pytest.MonkeyPatch,
    wait: Callable[..., Any],
) -> None:
    monkeypatch.setenv("FORGE_HOME", str(module_home.path))
    hub = serve_model(NAME, tiny)
    hub.holds = True  # the first 100,000 bytes come, then the connection is cut, and the rest is held back
    hub.cuts[:] = [100_000]
    told = cli("train", *asking, "--set", "max_steps=2", "--set", "max_length=32", "--detach")
    assert told.code == 0, told.err
    files = find_run("last")
    wait(lambda: any(start == 100_000 for _, _, start in hub.asked), "the rest being asked for")
    request_stop(files)
    assert module_home.wait_end(files).status is Status.STOPPED
    before = len(hub.asked)  # a slow trainer may have asked for the rest more than once
    assert resume_run(files) == 2
    wait(lambda: any(start == 100_000 for _, _, start in hub.asked[before:]), "the rest being asked for again")
    hub.go_on.set()
    assert module_home.wait_end(files).status is Status.FINISHED, files.log.read_text()
    summary = summarise_run(files)
    assert summary.metrics and read_spec(files.spec).revision == COMMIT
    events = [json.loads(line) for line in files.events.read_text().splitlines()]
    last = [each for each in events if each["kind"] == "progress" and each["phase"] == "loading-model"][-1]
    assert last["done"] == last["total"] == read_spec(files.spec).download_bytes
