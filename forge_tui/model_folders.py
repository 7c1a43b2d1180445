"""What a model is, wherever it is: in the catalog, a local folder, the hub's cache or, when allowed, on the hub."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.contract import UsageError
from backends.formats.hub_models import hub_cache, is_model_id, is_whole
from forge_tui.paths import typed_path
from forge_tui.safetensors import count_weights
from profiles.catalog import Model, find_model, near_models, open_licence
from profiles.model_configs import model_from_config

_LARGEST_FILE = 1 << 25  # a list of the weights of a thousand layers, or the names of 20,000 classes
_FIX = "Give the folder of a whole model, or fetch it again."


def find_any_model(name: str, download: bool = False) -> Model:
    """The model of that name: a preset, a local folder, an entry of the catalog, in the hub's cache, or on the hub.

    Raises UsageError with the nearest names when it is in none of them, and for damaged files. The hub is asked for a
    few KB, and only when `download` allows it.
    """
    if not name.strip():
        raise UsageError("There is no model ''", "the name is empty", "Name one, or see: forge-tui models")
    folder = typed_path(name)
    if not name.startswith("preset:") and folder.is_dir():
        return read_model_folder(folder.absolute())
    try:
        return find_model(name)
    except UsageError as error:
        unknown = error
    if _looks_like_path(name):
        raise UsageError(
            f"There is no model folder {name!r}",
            "a model is a preset, a name of the catalog or the hub, or a local folder with config.json and weights",
            "Check the path, or choose a model: forge-tui models",
        )
    if not is_model_id(name):
        raise unknown
    cached = _snapshot(name)
    if cached is not None and (cached / "config.json").is_file():
        return replace(read_model_folder(cached), id=name)
    if download:
        return _on_hub(name)
    close = near_models(name)
    raise UsageError(
        f"There is no model {name!r} on this machine",
        "it is not in the catalog, not in the cache of the hub and no folder"
        + (f"; the nearest names are {', '.join(close)}" if close else ""),
        "Correct the name, or ask the hub for it by adding --download.",
    )


def local_folder(model_id: str) -> Path | None:
    """Where a whole model lies on this machine: a folder of that name, or its copy in the hub's cache; else None."""
    folder = typed_path(model_id)
    if folder.is_dir():
        return folder.absolute() if (folder / "config.json").is_file() else None
    cached = _snapshot(model_id) if is_model_id(model_id) else None
    try:
        is_whole = cached is not None and (cached / "config.json").is_file() and bool(weight_files(cached))
    except UsageError:  # a damaged copy is no model
        return None
    return cached if is_whole else None


def read_model_folder(folder: Path) -> Model:
    """A model by its config.json, with its parameters counted in the headers of its weights where these are there.

    Raises UsageError naming the file and what is wrong with it.
    """
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            why = "it holds an adapter (adapter_config.json), which is used on top of a model"
            raise UsageError(f"{folder} holds no model", why, "Give the folder of the model that it was trained on.")
        raise UsageError(f"{folder} holds no model", "there is no config.json in it", _FIX)
    config = _read_object(folder / "config.json")
    model = model_from_config(config, str(folder))
    talks = _has_chat_template(folder)
    weights = weight_files(folder)
    if weights and "quantization_config" not in config:  # packed weights are fewer numbers than parameters
        counted = count_weights(weights)
        return replace(
            model,
            parameters=counted,
            chat_template=talks,
            source="its config.json and the headers of its weights",
        )
    note = model.note
    if not weights:
        note = "weights in safetensors files are not, or not all, beside its config.json"
    return replace(model, chat_template=talks, note=note)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a whole model; none where one of those that its index names is not there."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        one = folder / "model.safetensors"
        return (one,) if one.is_file() else ()
    named = _read_object(index).get("weight_map")
    if not isinstance(named, Mapping) or not all(isinstance(each, str) for each in named.values()):
        raise UsageError(f"{index} is damaged", "it has no weight_map that names files", _FIX)
    files = tuple(folder / Path(each).name for each in sorted(set(named.values())))
    return files if all(file.is_file() for file in files) else ()


def _has_chat_template(folder: Path) -> bool | None:
    """Whether the tokenizer knows how to write a conversation; None where there is no tokenizer."""
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return bool(_read_object(settings).get("chat_template")) if settings.is_file() else None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            body = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", error.strerror or str(error), "Check its permissions.") from None
    return _parse(body, str(path))


def _parse(body: bytes | bytearray, where: str) -> dict[str, Any]:
    if len(body) > _LARGEST_FILE:
        raise UsageError(f"{where} is no description of a model", f"it is over {_LARGEST_FILE:,} bytes long", _FIX)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is damaged", f"it is no JSON: {error!s:.120}", _FIX) from None
    if not isinstance(content, dict):
        raise UsageError(f"{where} is damaged", "it holds no object in braces", _FIX)
    return content


# --- the hub -----------------------------------------------------------------------------------------------------


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or os.path.isdir(name.partition("/")[0])


def _snapshot(model_id: str) -> Path | None:
    """The files of a model as of the commit that `main` names, where it is whole, else of the newest that is."""
    folder = hub_cache() / f"models--{model_id.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        commit = ""
    try:
        found = sorted((folder / "snapshots").iterdir(), key=lambda each: (each.name != commit, -each.stat().st_mtime))
    except OSError:
        return None
    return next((each for each in found if is_whole(each)), found[0] if found else None)


def _on_hub(model_id: str) -> Model:
    """Ask the hub for the description and the config.json of a model; no weights are fetched."""
    from backends.formats.hub_transport import Hub, connect

    def ask(hub: Hub, address: str, where: str) -> dict[str, Any]:
        body = bytearray()
        with hub.open(address) as response:
            for block in hub.blocks(response):
                body += block
                if len(body) > _LARGEST_FILE:
                    break
        return _parse(body, where)

    hub = connect(model_id, "main", None, kind="model")
    told = ask(hub, f"/api/models/{model_id}", f"The hub's description of {model_id}")
    config = ask(hub, f"/{model_id}/resolve/main/config.json", f"The config.json of {model_id}")
    model = model_from_config(config, model_id)
    card, weights, gated = told.get("cardData"), told.get("safetensors"), told.get("gated")
    licence = card.get("license") if isinstance(card, dict) else None
    licence = licence if isinstance(licence, str) else None
    total = weights.get("total") if isinstance(weights, dict) else None
    is_packed = "quantization_config" in config
    return replace(
        model,
        parameters=total if type(total) is int and total > 0 and not is_packed else model.parameters,
        licence=licence,
        open_licence=open_licence(licence),
        gated=None if gated is None else bool(gated),
        source="its config.json and description on the hub",
    )
