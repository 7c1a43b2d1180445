"""Whether a folder holds all that training starts from: found out before a run, not after a minute of loading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from backends.contract import UsageError
from forge_tui.model_folders import read_model_folder, weight_files
from forge_tui.safetensors import cut_off

_WITHOUT_TEXT = ("image-classification", "object-detection", "video-classification")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
# Any of these holds the words of a tokenizer; which one goes with which library's class.
_VOCABULARIES = (
    *("tokenizer.json", "vocab.json", "vocab.txt", "tekken.json"),
    *("*.model", "*.spm", "*.codes", "*.tiktoken"),
)
_BYTES = ("ByT5", "Canine", "Perceiver")  # tokenizers that read bytes or characters, and need no words
_FIX = "Give the folder of a whole model, or fetch it again."


def check_model_folder(folder: Path, task: str) -> None:
    """Whether training for a task can start from this folder: config.json, weights, a tokenizer where it reads text.

    Raises UsageError naming what is missing, damaged or does not fit together.
    """
    read_model_folder(folder)
    weights = weight_files(folder)
    if not weights:
        raise _no_weights(folder)
    for file in weights:
        if cut_off(file):
            raise UsageError(f"The weights in {file} are cut off", "the file ends before its last tensor", _FIX)
    if task not in _WITHOUT_TEXT and not has_tokenizer(folder):
        raise UsageError(
            f"{folder} holds no tokenizer",
            f"{task} reads text, and there is no tokenizer.json or other list of words beside the weights",
            "Put the tokenizer files of the same model into it.",
        )


def _no_weights(folder: Path) -> UsageError:
    missing = [name for name in _parts(folder) if not (folder / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return UsageError(f"{folder} holds not all of its weights", f"{missing[0]}{more} is not there", _FIX)
    pickled = sorted(file.name for pattern in _PICKLED for file in folder.glob(pattern))
    if pickled:
        return UsageError(
            f"The weights in {folder} are pickled",
            f"{pickled[0]} can run any program when it is read, so only safetensors files are",
            "Fetch the model with its model.safetensors, or save it again with save_pretrained where you trust it.",
        )
    return UsageError(f"{folder} holds no weights", "there is no model.safetensors beside its config.json", _FIX)


def _parts(folder: Path) -> Iterator[str]:
    """The files that the index of the weights names; `weight_files` has found it in order."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        yield from sorted({Path(each).name for each in named})


def has_tokenizer(folder: Path) -> bool:
    """Whether a list of words lies in the folder, or settings of a tokenizer that needs none."""
    if any(next(folder.glob(pattern), None) is not None for pattern in _VOCABULARIES):
        return True
    settings = folder / "tokenizer_config.json"
    try:
        kind = json.loads(settings.read_text(encoding="utf-8")).get("tokenizer_class")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
    return isinstance(kind, str) and kind.startswith(_BYTES)
